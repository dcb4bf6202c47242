//! Engines: which code computes the matrix products.

use serde::{Deserialize, Serialize};

use super::blas::{self, Blas};
#[cfg(target_arch = "x86_64")]
use super::tile::InstructionSet;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::named::named;

named! {
    /// The choice of an engine, as a setting.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum EngineChoice {
        /// The native engine if the processor supports it, otherwise OpenBLAS if it is linked in, otherwise the
        /// portable engine.
        #[default]
        Auto = "auto",
        /// [`Engine::Openblas`].
        Openblas = "openblas",
        /// [`Engine::Native`].
        Native = "native",
        /// [`Engine::Portable`].
        Portable = "portable",
    }
}

named! {
    /// The code that computes the matrix products.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Engine {
        /// `sgemm` of the linked OpenBLAS.
        Openblas = "openblas",
        /// Perceptor's own micro-kernels over packed weights; needs AVX-512, or AVX2 with FMA.
        Native = "native",
        /// The matrixmultiply crate, which is pure Rust and runs on any processor.
        Portable = "portable",
    }
}

impl EngineChoice {
    /// The engine that this choice selects on this machine.
    ///
    /// # Errors
    /// Returns the errors of [`Engine::check`].
    pub fn resolve(self) -> Result<Engine> {
        let engine = match self {
            EngineChoice::Auto if native_name().is_some() => Engine::Native,
            EngineChoice::Auto if has_openblas() => Engine::Openblas,
            EngineChoice::Auto | EngineChoice::Portable => Engine::Portable,
            EngineChoice::Native => Engine::Native,
            EngineChoice::Openblas => Engine::Openblas,
        };
        engine.check()?;
        Ok(engine)
    }
}

impl From<Engine> for EngineChoice {
    fn from(engine: Engine) -> EngineChoice {
        match engine {
            Engine::Openblas => EngineChoice::Openblas,
            Engine::Native => EngineChoice::Native,
            Engine::Portable => EngineChoice::Portable,
        }
    }
}

impl Engine {
    /// Checks that the engine can be used on this machine.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if this build or this processor does not have the engine, and [`Error::Blas`] if
    /// OpenBLAS cannot be held to one thread per call.
    pub fn check(self) -> Result<()> {
        let refuse = |found: &str, expected: &str| {
            Err(Error::Config(
                Refusal::new(Key("engine"), format!("{} {found}", self.name()), expected).hint(
                    message![
                        "leave ",
                        Key("engine"),
                        " out, or give ",
                        Key("engine").set_to("portable")
                    ],
                ),
            ))
        };
        match self {
            Engine::Native if native_name().is_none() => {
                refuse("on a processor without it", "AVX-512, or AVX2 with FMA")
            }
            Engine::Openblas if !has_openblas() => refuse(
                "in a build without it",
                "a build with the feature openblas or openblas-static",
            ),
            Engine::Openblas => {
                // Workers already share the rows of a batch; threads inside a call would compete with them.
                blas::single_threaded()?;
                Ok(())
            }
            Engine::Native | Engine::Portable => Ok(()),
        }
    }

    /// The engine together with what it runs on, for banners and records: `native AVX-512`.
    pub fn describe(self, blas: &Blas) -> String {
        match self {
            Engine::Native => format!("native {}", native_name().unwrap_or("kernels")),
            Engine::Openblas => format!("{} {} {}", blas.library, blas.version, blas.kernel),
            Engine::Portable => {
                // The kernels of matrixmultiply differ in bits.
                format!(
                    "portable matrixmultiply {} {}",
                    env!("PERCEPTOR_MATRIXMULTIPLY"),
                    blas::matrixmultiply_kernel()
                )
            }
        }
    }
}

/// The instruction set that the native engine uses on this processor.
fn native_name() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        InstructionSet::detect().map(InstructionSet::name)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        None
    }
}

fn has_openblas() -> bool {
    cfg!(any(feature = "openblas", feature = "openblas-static"))
}
