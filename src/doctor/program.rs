//! Who this program is: its build, the linear algebra library it calls and where that lies, its engines, and the
//! environment that steers them.
//!
//! A library that does not stay at one thread is described as far as it can be, together with the refusal.

use std::ffi::OsString;
use std::path::Path;

use serde::Serialize;

use super::machine::SystemFiles;
use crate::compute::blas::{self, Blas};
use crate::compute::{Engine, EngineChoice};
use crate::message::Message;

/// This build.
#[derive(Debug, Clone, Serialize)]
pub struct Build {
    /// The version of perceptor.
    pub version: &'static str,
    /// The git revision.
    pub revision: &'static str,
    /// The machine it was built for.
    pub target: &'static str,
    /// Which matrix library is built in.
    pub features: &'static str,
    /// `release` or `debug`.
    pub mode: &'static str,
}

impl Build {
    /// The build that is running.
    pub fn of_this_program() -> Build {
        Build {
            version: crate::VERSION,
            revision: crate::REVISION,
            target: env!("PERCEPTOR_TARGET"),
            features: env!("PERCEPTOR_FEATURES"),
            mode: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
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
    /// The kernels it chose for this processor.
    pub kernel: Option<String>,
    /// How it was built to thread: `serial`, `pthreads`, `openmp`.
    pub threading: Option<&'static str>,
    /// Threads in force for a call.
    pub threads: Option<usize>,
    /// `shared`, `static`, or `unknown` where the system does not tell.
    pub linkage: &'static str,
    /// The shared object.
    pub path: Option<String>,
    /// Why it is not to be used, where that is so.
    pub refusal: Option<Message>,
    /// What to do about that.
    pub cure: Option<Message>,
}

impl Library {
    /// Asks the linked library who it is; gives its own words too where it keeps to one thread.
    pub fn look(files: &SystemFiles) -> (Library, Option<Blas>) {
        let external = env!("PERCEPTOR_FEATURES").starts_with("openblas");
        // The library is loaded by now: it is linked in.
        let maps = files.read("proc/self/maps").filter(|_| external);
        let path = maps.as_deref().and_then(shared_object).map(str::to_owned);
        let linkage = match (&path, external && maps.is_none()) {
            (Some(_), _) => "shared",
            (None, true) => "unknown",
            (None, false) => "static",
        };
        let library = Library {
            name: if external {
                "OpenBLAS"
            } else {
                "matrixmultiply"
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
        match blas::single_threaded() {
            Ok(blas) => (library.known(&blas), Some(blas)),
            Err(error) => {
                let refused = Library {
                    refusal: Some(error.message()),
                    cure: error.hint(),
                    ..library
                };
                (refused, None)
            }
        }
    }

    fn known(self, blas: &Blas) -> Library {
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

/// The BLAS among the files mapped into a process, by the text of `/proc/self/maps`.
fn shared_object(maps: &str) -> Option<&str> {
    let mapped = |start: &str| {
        maps.lines().find_map(|line| {
            let path = &line[line.find('/')?..];
            let name = Path::new(path).file_name()?.to_str()?;
            let shared = name.contains(".so") || name.contains(".dylib");
            (shared && name.starts_with(start)).then_some(path)
        })
    };
    // By a common name where the system puts another library behind OpenBLAS's.
    mapped("libopenblas").or_else(|| mapped("libblas"))
}

/// The version that stands in the name of a file, as in `libopenblasp-r0.3.21.so`.
fn version_in_name(path: &str) -> Option<String> {
    let name = Path::new(path).file_name()?.to_str()?;
    let (_, rest) = name.split_once("-r")?;
    let (version, _) = rest.split_once(".so")?;
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    (version.contains('.') && version.chars().all(plain)).then(|| version.to_owned())
}

/// Who can compute here, and who would.
#[derive(Debug, Clone, Serialize)]
pub struct Engines {
    /// The engine that was asked for.
    pub asked: &'static str,
    /// The one that this comes to; none where it is not here.
    pub takes: Option<&'static str>,
    /// The one that `auto` takes.
    pub auto_takes: Option<&'static str>,
    /// Every engine.
    pub all: Vec<EngineFact>,
}

/// One engine.
#[derive(Debug, Clone, Serialize)]
pub struct EngineFact {
    /// Its name.
    pub name: &'static str,
    /// What it runs on; none where it is not here.
    pub runs_on: Option<String>,
    /// Why it is not here.
    pub refusal: Option<Message>,
    #[serde(skip)]
    pub(super) engine: Engine,
}

impl Engines {
    /// Tries every engine; `blas` is none where the library is refused.
    pub fn look(asked: EngineChoice, blas: Option<&Blas>) -> Engines {
        let takes = |choice: EngineChoice| choice.resolve().ok().map(Engine::name);
        let all = Engine::ALL
            .into_iter()
            .map(|engine| EngineFact::look(engine, blas));
        Engines {
            asked: asked.name(),
            takes: takes(asked),
            auto_takes: takes(EngineChoice::Auto),
            all: all.collect(),
        }
    }
}

impl EngineFact {
    fn look(engine: Engine, blas: Option<&Blas>) -> EngineFact {
        let describe = || match blas {
            Some(blas) => engine.describe(blas),
            None => engine.name().to_owned(),
        };
        let here = engine.check();
        EngineFact {
            name: engine.name(),
            runs_on: here.is_ok().then(describe),
            refusal: here.err().map(|error| error.message()),
            engine,
        }
    }
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Those variables that steer OpenBLAS, OpenMP, or which library is loaded, by name.
pub fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<Variable> {
    const FAMILIES: [&str; 5] = ["OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "KMP_"];
    const SINGLE: [&str; 2] = ["LD_LIBRARY_PATH", "LD_PRELOAD"];
    let variables = variables.filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let steers = FAMILIES.iter().any(|family| name.starts_with(family));
        let value = value.to_string_lossy().into_owned();
        (steers || SINGLE.contains(&name.as_str())).then_some(Variable { name, value })
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
    fn the_library_is_found_among_what_is_mapped() {
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
    fn a_version_in_a_name_is_read_and_nothing_else() {
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
    fn only_variables_that_steer_are_told() {
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
