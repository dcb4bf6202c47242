//! OpenBLAS as a shared library of the system, loaded at the first use.
//!
//! The build finds out the name of the library and the folder that it is in on the machine of the build. The name is
//! looked up as the system's loader does, and if it finds none, in that folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use libloading::Library;

use super::buffers;
use super::failure::Failure;
use super::functions::{Allocation, Functions};
#[cfg(target_os = "linux")]
use super::one_core::OneCore;
use crate::error::Refusal;
use crate::message::{Key, message};

/// Nothing is known about the locks of a shared library.
pub const HAS_LOCKS: bool = false;

/// The file name of the library, and its folder at build time.
const NAME: &str = env!("PERCEPTOR_OPENBLAS_NAME");
const FOLDER: &str = env!("PERCEPTOR_OPENBLAS_FOLDER");

/// Address space for the library, those that it needs, and a buffer.
const NEEDED: usize = 256 << 20;

/// Loads the library, which starts no threads on Linux and is never unloaded.
pub fn load() -> Result<Functions, Failure> {
    // Some builds map a buffer when they are loaded, and retry forever if it is refused.
    if !buffers::is_granted(NEEDED) {
        return Err(buffers::not_granted(NEEDED));
    }
    #[cfg(target_os = "linux")]
    let one_core = OneCore::hold();
    // SAFETY: loading runs the library's initialisation and nothing else; OpenBLAS has no requirements on its caller.
    let opened = unsafe { Library::new(NAME).or_else(|error| in_folder().map_err(|_| error)) };
    #[cfg(target_os = "linux")]
    drop(one_core);
    let library =
        opened.map_err(|error| refused(format!("could not be loaded ({})", reason(&error))))?;
    // The functions are valid until the process ends.
    functions(Box::leak(Box::new(library)))
}

/// # Safety
/// As for [`Library::new`].
unsafe fn in_folder() -> Result<Library, libloading::Error> {
    // SAFETY: the caller keeps the precondition.
    unsafe { Library::new(Path::new(FOLDER).join(NAME)) }
}

fn functions(library: &'static Library) -> Result<Functions, Failure> {
    // SAFETY: the header `cblas.h` declares the functions with these types, in all versions. The last two are declared in
    // the library's source, with the same types since before that header.
    unsafe {
        Ok(Functions {
            sgemm: symbol(library, "cblas_sgemm")?,
            set_num_threads: symbol(library, "openblas_set_num_threads")?,
            get_num_threads: symbol(library, "openblas_get_num_threads")?,
            get_parallel: symbol(library, "openblas_get_parallel")?,
            get_config: symbol(library, "openblas_get_config")?,
            get_corename: symbol(library, "openblas_get_corename")?,
            allocation: symbol(library, "blas_memory_alloc")
                .and_then(|take| {
                    let give_back = symbol(library, "blas_memory_free")?;
                    Ok(Allocation { take, give_back })
                })
                .ok(),
        })
    }
}

/// # Safety
/// `F` must be the type of the function `name`.
unsafe fn symbol<F: Copy>(library: &'static Library, name: &str) -> Result<F, Failure> {
    // SAFETY: the caller keeps the precondition.
    let found = unsafe { library.get::<F>(name) };
    let missing = |_| refused(format!("has no function {name}"));
    found.map(|function| *function).map_err(missing)
}

fn refused(found: String) -> Failure {
    let refusal = Refusal::new(
        "openblas",
        format!("{NAME} {found}"),
        "a shared library of OpenBLAS",
    );
    Failure::Library(refusal.hint(message![
        "install OpenBLAS, or put its folder into LD_LIBRARY_PATH, or give ",
        Key("engine").set_to("native")
    ]))
}

/// Returns what the system's loader says, in one line.
fn reason(error: &libloading::Error) -> String {
    let source = std::error::Error::source(error);
    let text = source.map_or_else(|| error.to_string(), ToString::to_string);
    text.lines().next().unwrap_or_default().to_owned()
}

/// Returns the file that the loader probably takes, by its name without links and its length. A library in a folder
/// that only the loader's configuration names is not found here.
pub fn identity() -> String {
    let files = folders().map(|folder| folder.join(NAME));
    let found = files.into_iter().find_map(|file| {
        let file = fs::canonicalize(file).ok()?;
        let length = fs::metadata(&file).ok()?.len();
        Some(format!("{} of {length} bytes", file.file_name()?.display()))
    });
    found.unwrap_or_else(|| NAME.to_owned())
}

/// Folders of shared libraries, in the loader's order.
fn folders() -> impl Iterator<Item = PathBuf> {
    let variable = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let given: Vec<PathBuf> = env::split_paths(&variable).collect();
    let of_this_processor = format!("{}-linux-gnu", env::consts::ARCH);
    let usual = ["/usr/local/lib", "/lib", "/usr/lib", "/lib64", "/usr/lib64"];
    let usual = usual.into_iter().flat_map(move |folder| {
        let folder = PathBuf::from(folder);
        [folder.join(&of_this_processor), folder]
    });
    given
        .into_iter()
        .chain(usual)
        .chain([PathBuf::from(FOLDER)])
}
