//! This program: its build, the linear algebra library it calls, its engines, and the environment variables that affect
//! them.
//!
//! A library that does not keep to one thread is described as far as possible, together with the error.

use std::ffi::OsString;
use std::path::Path;

use serde::Serialize;

use crate::compute::blas::{self, Blas};
use crate::compute::{Engine, EngineChoice, openblas};
use crate::message::Message;
use crate::system::SystemFiles;

/// A build of perceptor.
#[derive(Debug, Clone, Serialize)]
pub struct Build {
    /// The version of perceptor.
    pub version: &'static str,
    /// The git revision.
    pub revision: &'static str,
    /// The target triple.
    pub target: &'static str,
    /// The linear algebra library that the build can call.
    pub features: &'static str,
    /// `release` or `debug`.
    pub mode: &'static str,
}

impl Build {
    /// Returns the running build.
    pub fn of_this_program() -> Build {
        Build {
            version: crate::VERSION,
            revision: crate::REVISION,
            target: env!("PERCEPTOR_TARGET"),
            features: env!("PERCEPTOR_FEATURES"),
            mode: crate::BUILD_MODE,
        }
    }
}

/// The linear algebra library.
#[derive(Debug, Clone, Serialize)]
pub struct Library {
    /// `OpenBLAS` or `matrixmultiply`.
    pub name: &'static str,
    /// Its version.
    pub version: Option<String>,
    /// The kernels that it chose for this processor.
    pub kernel: Option<String>,
    /// How it uses threads: `serial`, `pthreads` or `openmp`.
    pub threading: Option<&'static str>,
    /// The number of threads per call.
    pub threads: Option<usize>,
    /// `shared`, `static`, `missing` if the shared library cannot be loaded, or `unknown` if the system does not report
    /// it.
    pub linkage: &'static str,
    /// The path of the shared library.
    pub path: Option<String>,
    /// Why it cannot be used, if that is so.
    pub refusal: Option<Message>,
    /// What to do about it.
    pub cure: Option<Message>,
}

impl Library {
    /// Loads and describes the library that this build calls: OpenBLAS if it has it, otherwise matrixmultiply.
    pub fn detect(files: &SystemFiles) -> Library {
        let is_openblas = openblas::IS_BUILT_IN;
        let usable = match is_openblas {
            true => openblas::loaded().map(|openblas| openblas.facts().clone()),
            false => Ok(blas::matrixmultiply()),
        };
        let maps = files.read("proc/self/maps").filter(|_| is_openblas);
        let path = maps.as_deref().and_then(shared_object).map(str::to_owned);
        let linkage = match (&path, &maps) {
            (Some(_), _) => "shared",
            (None, Some(_)) if cfg!(feature = "openblas") => "missing",
            (None, None) if is_openblas => "unknown",
            (None, _) => "static",
        };
        let library = Library {
            name: match is_openblas {
                true => "OpenBLAS",
                false => "matrixmultiply",
            },
            version: path.as_deref().and_then(version_in_name),
            kernel: None,
            threading: None,
            threads: None,
            linkage,
            path,
            refusal: None,
            cure: None,
        };
        match usable {
            Ok(blas) => library.described_by(&blas),
            Err(error) => Library {
                refusal: Some(error.message()),
                cure: error.hint(),
                ..library
            },
        }
    }

    fn described_by(self, blas: &Blas) -> Library {
        Library {
            name: blas.library,
            version: Some(blas.version.clone()),
            kernel: Some(blas.kernel.clone()),
            threading: Some(blas.threading),
            threads: Some(blas.threads),
            ..self
        }
    }
}

/// Returns the path of the BLAS library among the mapped files in `/proc/self/maps`.
fn shared_object(maps: &str) -> Option<&str> {
    let mapped = |start: &str| {
        maps.lines().find_map(|line| {
            let path = &line[line.find('/')?..];
            let name = Path::new(path).file_name()?.to_str()?;
            let shared = name.contains(".so") || name.contains(".dylib");
            (shared && name.starts_with(start)).then_some(path)
        })
    };
    // Some systems provide OpenBLAS under the common name.
    mapped("libopenblas").or_else(|| mapped("libblas"))
}

/// Returns the version in a file name like `libopenblasp-r0.3.21.so`.
fn version_in_name(path: &str) -> Option<String> {
    let name = Path::new(path).file_name()?.to_str()?;
    let (_, rest) = name.split_once("-r")?;
    let (version, _) = rest.split_once(".so")?;
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    (version.contains('.') && version.chars().all(plain)).then(|| version.to_owned())
}

/// The engines, and the one that a run would use.
#[derive(Debug, Clone, Serialize)]
pub struct Engines {
    /// The requested engine.
    pub asked: &'static str,
    /// The engine that a run would use; `None` if the requested one is unavailable.
    pub takes: Option<&'static str>,
    /// The engine that `auto` selects.
    pub auto_takes: Option<&'static str>,
    /// Every engine.
    pub all: Vec<EngineFact>,
}

/// An engine, and whether it is available.
#[derive(Debug, Clone, Serialize)]
pub struct EngineFact {
    /// Its name.
    pub name: &'static str,
    /// What it runs on; `None` if it is unavailable.
    pub runs_on: Option<String>,
    /// Why it is unavailable.
    pub refusal: Option<Message>,
    #[serde(skip)]
    pub(super) engine: Engine,
}

impl Engines {
    /// Finds out which engines are available.
    pub fn detect(asked: EngineChoice) -> Engines {
        let takes = |choice: EngineChoice| choice.resolve().ok().map(Engine::name);
        let all = Engine::ALL.into_iter().map(EngineFact::new);
        Engines {
            asked: asked.name(),
            takes: takes(asked),
            auto_takes: takes(EngineChoice::Auto),
            all: all.collect(),
        }
    }
}

impl EngineFact {
    fn new(engine: Engine) -> EngineFact {
        let checked = engine.check();
        EngineFact {
            name: engine.name(),
            runs_on: checked.is_ok().then(|| engine.describe()),
            refusal: checked.err().map(|error| error.message()),
            engine,
        }
    }
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Returns those variables that affect OpenBLAS, OpenMP, or which library is loaded, sorted by name.
pub fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<Variable> {
    const FAMILIES: [&str; 5] = ["OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "KMP_"];
    const SINGLE: [&str; 2] = ["LD_LIBRARY_PATH", "LD_PRELOAD"];
    let variables = variables.filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let is_of_family = FAMILIES.iter().any(|family| name.starts_with(family));
        let value = value.to_string_lossy().into_owned();
        (is_of_family || SINGLE.contains(&name.as_str())).then_some(Variable { name, value })
    });
    let mut found: Vec<Variable> = variables.collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55d0c0a00000-55d0c0b00000 r--p 00000000 fe:00 131 /opt/my blas/perceptor
7f1000000000-7f1000021000 rw-p 00000000 00:00 0
7f1001000000-7f1001100000 r--p 00000000 fe:00 77 /usr/lib/libblas.so.3
7f1002000000-7f1002100000 r--p 00000000 fe:00 78 /usr/lib/open blas/libopenblasp-r0.3.21.so
7f1002100000-7f1002200000 r-xp 00100000 fe:00 78 /usr/lib/open blas/libopenblasp-r0.3.21.so
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
";

    #[test]
    fn the_library_is_found_among_the_mapped_files() {
        let path = "/usr/lib/open blas/libopenblasp-r0.3.21.so";
        assert_eq!(shared_object(MAPS), Some(path));
        let without = MAPS.replace("libopenblas", "libother");
        assert_eq!(shared_object(&without), Some("/usr/lib/libblas.so.3"));
        assert_eq!(
            shared_object("1-2 r--p 0 0:0 1 /bin/libopenblas-model"),
            None
        );
        assert_eq!(shared_object(""), None);
    }

    #[test]
    fn only_a_version_in_a_file_name_is_a_version() {
        let version = |name| version_in_name(name);
        assert_eq!(
            version("/a/libopenblaso-r0.3.21.so").as_deref(),
            Some("0.3.21")
        );
        assert_eq!(
            version("/a/libopenblas_haswellp-r0.3.30.so.0").as_deref(),
            Some("0.3.30")
        );
        assert_eq!(version("/a/libopenblas.so.0"), None);
        assert_eq!(version("/a/libopenblas-real.so"), None);
    }

    #[test]
    fn only_variables_that_affect_the_libraries_are_reported() {
        let set = [
            "PATH",
            "OPENBLAS_CORETYPE",
            "TOX_OPENBLAS_",
            "OMP_NUM_THREADS",
            "LD_PRELOAD",
        ];
        let variables = set.map(|name| (name.into(), "1".into())).into_iter();
        let found = environment(variables);
        let names: Vec<&str> = found
            .iter()
            .map(|variable| variable.name.as_str())
            .collect();
        assert_eq!(
            names,
            ["LD_PRELOAD", "OMP_NUM_THREADS", "OPENBLAS_CORETYPE"]
        );
    }
}
