//! Why OpenBLAS cannot be used.

use crate::error::Refusal;

/// Why OpenBLAS cannot be used.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The library itself: it is missing, or does not follow its settings.
    Library(Refusal),
    /// A limit on memory, which may be another the next time.
    #[cfg_attr(
        not(any(feature = "openblas", feature = "openblas-static")),
        expect(dead_code, reason = "nothing is loaded")
    )]
    Memory(Refusal),
}
