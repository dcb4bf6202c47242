//! Engines: which code computes the matrix products.

use serde::{Deserialize, Serialize};

use super::blas::{self, Blas};
use super::openblas;
#[cfg(target_arch = "x86_64")]
use super::tile::InstructionSet;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::named::named;

named! {
    /// The choice of an engine, as a setting.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum EngineChoice {
        /// The native engine if the processor supports it, otherwise OpenBLAS if it is available, otherwise the
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
        /// `sgemm` of OpenBLAS, which is loaded at the first use.
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
            EngineChoice::Auto => return Ok(Engine::preferred()),
            EngineChoice::Portable => Engine::Portable,
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
    /// All engines, from the preferred one to the one that is always here.
    pub const BY_PREFERENCE: [Engine; 3] = [Engine::Native, Engine::Openblas, Engine::Portable];

    /// The first engine by preference that can be used.
    fn preferred() -> Engine {
        let here = Engine::BY_PREFERENCE
            .into_iter()
            .find(|engine| engine.check().is_ok());
        here.unwrap_or(Engine::Portable)
    }

    /// Whether this build and this processor have the engine. OpenBLAS is not loaded for this, so [`Engine::check`] may
    /// still refuse it.
    pub fn is_built_in(self) -> bool {
        match self {
            Engine::Native => native_name().is_some(),
            Engine::Openblas => openblas::IS_BUILT_IN,
            Engine::Portable => true,
        }
    }

    /// Checks that the engine can be used on this machine. Loads OpenBLAS if it is that.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if this build or this processor does not have the engine, and [`Error::Blas`] or
    /// [`Error::Memory`] if OpenBLAS is not on this machine or cannot be used.
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
            Engine::Native if !self.is_built_in() => {
                refuse("on a processor without it", "AVX-512, or AVX2 with FMA")
            }
            Engine::Openblas if !self.is_built_in() => refuse(
                "in a build without it",
                "a build with the feature openblas or openblas-static",
            ),
            Engine::Openblas => {
                openblas::loaded()?;
                Ok(())
            }
            Engine::Native | Engine::Portable => Ok(()),
        }
    }

    /// The library that computes the products: `None` for the native engine, and for OpenBLAS if it cannot be used.
    pub fn library(self) -> Option<Blas> {
        match self {
            Engine::Native => None,
            Engine::Openblas => Some(openblas::loaded().ok()?.facts().clone()),
            Engine::Portable => Some(blas::matrixmultiply()),
        }
    }

    /// The engine together with what it runs on, for banners and records: `native AVX-512`. Loads OpenBLAS if it is
    /// that.
    pub fn describe(self) -> String {
        let library = self.library().map(|blas| {
            // Kernels differ in bits.
            format!("{} {} {}", blas.library, blas.version, blas.kernel)
        });
        match (self, library) {
            (Engine::Native, _) => format!("native {}", native_name().unwrap_or("kernels")),
            (Engine::Openblas, Some(library)) => library,
            (Engine::Portable, Some(library)) => format!("portable {library}"),
            (engine, None) => engine.name().to_owned(),
        }
    }

    /// What the speed of the engine depends on, except the processor. In contrast to [`Engine::describe`], this loads
    /// nothing.
    pub fn identity(self) -> String {
        match self {
            Engine::Openblas => openblas::identity(),
            Engine::Native | Engine::Portable => self.describe(),
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
