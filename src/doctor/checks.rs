//! Checks of facts: what is wrong, what deserves a warning, and what to do about it.
//!
//! *Wrong* is what makes results or measured times unreliable, or prevents the program from running: a BLAS library that
//! does not keep to one thread or has a race, kernels that the processor cannot run, an engine that is unavailable, more
//! workers than cores, a debug build. A *warning* is what works, but not as well as it could: forced slow kernels, a
//! fraction of a core, little memory, a cache folder that cannot be written.

use std::path::Path;

use super::cores::Cores;
use super::diagnosis::Diagnosis;
use super::finding::Finding;
use super::kernels;
use super::program::{Build, Engines, Library};
use crate::compute::EngineChoice;
use crate::durable::check_writable;
use crate::message::{Key, message};
use crate::system::Memory;

/// Less available memory than this, in bytes, causes a warning.
const LITTLE_MEMORY: u64 = 512_000_000;

/// Runs every check that needs only facts.
pub fn of_facts(facts: &Diagnosis, threads_given: bool) -> Vec<Finding> {
    let mut findings = vec![
        build(&facts.build),
        blas_threads(&facts.blas),
        blas_version(&facts.blas),
    ];
    findings.extend(kernels::check(
        &facts.blas,
        &facts.machine,
        &facts.environment,
    ));
    findings.extend([
        engine(&facts.engines),
        workers(facts.workers, threads_given, &facts.machine.cores),
        cpu_quota(&facts.machine.cores),
    ]);
    findings.extend(memory(&facts.machine.memory));
    findings
}

fn build(build: &Build) -> Finding {
    match build.mode {
        "debug" => Finding::wrong(
            "build",
            "a debug build, slower than a release build: measured times are meaningless",
        )
        .cure("build with cargo build --release, or run cargo run --release -- doctor"),
        mode => Finding::ok("build", mode),
    }
}

fn blas_threads(blas: &Library) -> Finding {
    let check = "blas-threads";
    match (&blas.refusal, blas.threading, blas.threads) {
        (Some(refusal), ..) if blas.linkage == "missing" => {
            let cure = "install OpenBLAS, or use another engine";
            let cure = blas.cure.clone().unwrap_or_else(|| cure.into());
            Finding::warning("blas-library", refusal).cure(cure)
        }
        (Some(refusal), ..) => {
            let cure = "put OPENBLAS_NUM_THREADS=1 and OMP_NUM_THREADS=1 before the command";
            let cure = blas.cure.clone().unwrap_or_else(|| cure.into());
            Finding::wrong(check, refusal).cure(cure)
        }
        (None, Some("openmp"), _) => Finding::ok(
            check,
            "1 per call, an OpenMP build limited by OMP_NUM_THREADS=1",
        ),
        (None, Some(threading), Some(threads)) => {
            Finding::ok(check, format!("{threads} per call, {threading}"))
        }
        (None, ..) => Finding::ok(check, "1 per call"),
    }
}

fn blas_version(blas: &Library) -> Finding {
    let version = blas.version.as_deref().unwrap_or("of unknown version");
    let found = format!("{} {version}", blas.name);
    // Its GEMM may read panels that another thread is still packing. 0.3.31 reverted the change.
    let races = blas.name == "OpenBLAS" && version.split('.').take(3).eq(["0", "3", "30"]);
    if races {
        let found = format!("{found}, whose GEMM has a race that corrupts results");
        Finding::wrong("blas-version", found).cure("install OpenBLAS 0.3.31 or newer, or 0.3.29")
    } else {
        Finding::ok("blas-version", found)
    }
}

fn engine(engines: &Engines) -> Finding {
    let fact = |name: &str| engines.all.iter().find(|fact| fact.name == name);
    match engines
        .takes
        .and_then(fact)
        .and_then(|fact| fact.runs_on.as_ref())
    {
        Some(runs_on) if engines.asked == EngineChoice::Auto.name() => {
            Finding::ok("engine", format!("{runs_on}, selected by auto"))
        }
        Some(runs_on) => Finding::ok("engine", runs_on),
        None => {
            let refusal = fact(engines.asked).and_then(|fact| fact.refusal.clone());
            let found =
                refusal.unwrap_or_else(|| format!("{} is unavailable", engines.asked).into());
            Finding::wrong("engine", found).cure(message![
                "omit ",
                Key("engine"),
                ", or use ",
                Key("engine").set_to("portable")
            ])
        }
    }
}

fn workers(workers: usize, given: bool, cores: &Cores) -> Finding {
    let usable = cores.usable;
    if workers > usable {
        let found = format!(
            "{} on {}: they wait for each other",
            count(workers, "worker"),
            count(usable, "core")
        );
        return Finding::wrong("workers", found).cure(message![
            "omit ",
            Key("threads"),
            ", or use at most ",
            Key("threads").set_to(usable),
        ]);
    }
    let found = format!("{} on {}", count(workers, "worker"), count(usable, "core"));
    Finding::ok(
        "workers",
        if given {
            message![found, ", set by ", Key("threads")]
        } else {
            found.into()
        },
    )
}

/// Formats a number of things: `1 core`, `2 cores`.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn cpu_quota(cores: &Cores) -> Finding {
    let check = "cpu-quota";
    let allowed = cores.affinity.or(cores.machine);
    match cores.quota {
        None => Finding::ok(check, "none"),
        // A quota above the number of cores has no effect.
        Some(quota)
            if quota.fract() == 0.0 || allowed.is_some_and(|cores| quota >= cores as f64) =>
        {
            Finding::ok(check, format!("{quota} cores"))
        }
        Some(quota) => {
            let effect = match quota < 1.0 {
                true => "the worker is paused from time to time",
                false => "the fraction of a core is not used",
            };
            let whole = quota.ceil();
            Finding::warning(check, format!("{quota:.2} cores, not a whole number: {effect}")).cure(format!(
                "grant whole cores: docker run --cpus {whole}, a Kubernetes limit of cpu: {whole}, or CPUQuota={}%",
                100.0 * whole
            ))
        }
    }
}

fn memory(memory: &Memory) -> Option<Finding> {
    let available = memory.available?;
    let found = format!("{} MB available", available / 1_000_000);
    Some(if available < LITTLE_MEMORY {
        Finding::warning("memory", found + ", while a typical run may need 512 MB").cure(
            "raise the memory limit, end other programs, or reduce the network or the batch size",
        )
    } else {
        Finding::ok("memory", found)
    })
}

/// Checks that generated data can be kept in `folder`, which need not exist yet.
pub fn cache_folder(folder: &Path) -> Finding {
    let existing = folder.ancestors().find(|folder| folder.exists());
    let writable = existing.map_or(Ok(()), check_writable);
    match writable {
        Ok(()) => Finding::ok("cache-folder", folder.display().to_string()),
        Err(error) => Finding::warning("cache-folder", error.message()).cure(message![
            "set XDG_CACHE_HOME to a folder that you may write to, or use ",
            Key("data").set_to("DIR")
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Limit, Verdict};

    fn library() -> Library {
        Library {
            name: "OpenBLAS",
            version: Some("0.3.21".to_owned()),
            kernel: Some("Haswell".to_owned()),
            threading: Some("pthreads"),
            threads: Some(1),
            linkage: "shared",
            path: None,
            refusal: None,
            cure: None,
        }
    }

    fn cores(usable: usize, quota: Option<f64>) -> Cores {
        Cores {
            usable,
            machine: Some(8),
            physical: None,
            affinity: Some(8),
            quota,
            limited_by: quota.map(|_| Limit::Quota),
        }
    }

    #[test]
    fn a_debug_build_is_wrong() {
        let of = |mode| {
            build(&Build {
                mode,
                ..Build::of_this_program()
            })
            .verdict
        };
        assert_eq!((of("release"), of("debug")), (Verdict::Ok, Verdict::Wrong));
    }

    #[test]
    fn an_unusable_blas_is_wrong_with_its_own_message() {
        let refused = Library {
            refusal: Some("openblas: 4 threads".into()),
            cure: Some("do this".into()),
            threading: None,
            threads: None,
            ..library()
        };
        let expected = Finding::wrong("blas-threads", "openblas: 4 threads").cure("do this");
        assert_eq!(blas_threads(&refused), expected);
        let openmp = Library {
            threading: Some("openmp"),
            ..library()
        };
        for sound in [library(), openmp] {
            assert_eq!(blas_threads(&sound).verdict, Verdict::Ok);
        }
    }

    #[test]
    fn the_version_with_the_race_is_wrong() {
        for (version, expected) in [
            ("0.3.30", Verdict::Wrong),
            ("0.3.30.dev", Verdict::Wrong),
            ("0.3.3", Verdict::Ok),
            ("0.3.31", Verdict::Ok),
            ("1.0.3.30", Verdict::Ok),
        ] {
            let blas = Library {
                version: Some(version.to_owned()),
                ..library()
            };
            assert_eq!(blas_version(&blas).verdict, expected, "{version}");
            let other = Library {
                name: "matrixmultiply",
                ..blas
            };
            assert_eq!(blas_version(&other).verdict, Verdict::Ok);
        }
    }

    #[test]
    fn more_workers_than_cores_are_wrong() {
        assert_eq!(workers(8, false, &cores(8, None)).verdict, Verdict::Ok);
        let found = workers(9, true, &cores(8, None));
        assert_eq!(found.verdict, Verdict::Wrong);
        assert_eq!(
            found.found,
            "9 workers on 8 cores: they wait for each other".into()
        );
        assert_eq!(
            workers(1, true, &cores(1, None)).found.to_string(),
            "1 worker on 1 core, set by threads"
        );
    }

    #[test]
    fn a_fraction_of_a_core_is_a_warning() {
        for (quota, expected) in [
            (None, Verdict::Ok),
            (Some(2.0), Verdict::Ok),
            (Some(2.5), Verdict::Warning),
            (Some(0.5), Verdict::Warning),
            // The process may use 8 cores.
            (Some(9.5), Verdict::Ok),
        ] {
            let found = cpu_quota(&cores(2, quota));
            assert_eq!(found.verdict, expected, "{quota:?}");
        }
        let cure = cpu_quota(&cores(2, Some(2.5)))
            .cure
            .expect("a cure")
            .to_string();
        assert!(
            cure.contains("--cpus 3") && cure.contains("CPUQuota=300%"),
            "{cure}"
        );
    }

    #[test]
    fn little_memory_is_a_warning_and_unknown_memory_is_not_checked() {
        let of = |available| {
            let memory = Memory {
                available,
                ..Memory::default()
            };
            super::memory(&memory).map(|finding| finding.verdict)
        };
        assert_eq!(of(Some(511_999_999)), Some(Verdict::Warning));
        assert_eq!(of(Some(512_000_000)), Some(Verdict::Ok));
        assert_eq!(of(None), None);
    }

    #[test]
    fn a_cache_folder_is_checked_without_being_created() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("not/there/yet");
        assert_eq!(cache_folder(&below).verdict, Verdict::Ok);
        assert!(!folder.path().join("not").exists());
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("a file");
        assert_eq!(cache_folder(&file.join("below")).verdict, Verdict::Warning);
    }

    #[test]
    fn an_unavailable_engine_is_wrong() {
        let available = Engines::detect(EngineChoice::Portable);
        assert_eq!(engine(&available).verdict, Verdict::Ok);
        let none = Engines {
            takes: None,
            ..available
        };
        assert_eq!(engine(&none).verdict, Verdict::Wrong);
    }
}
