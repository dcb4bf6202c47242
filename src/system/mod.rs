//! How much of the machine the process may use, as Linux reports it.

pub mod cgroup;
pub mod files;
pub mod memory;

pub use files::SystemFiles;
pub use memory::Memory;
