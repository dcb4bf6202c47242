//! `perceptor doctor` through the real binary: exit code, text and JSON.
//!
//! Variables that configure OpenBLAS are removed from the environment, so that each test sets its own. Tests also run in
//! a debug build, which doctor reports as wrong, so that the expectation depends on the build.

use std::process::{Command, Output};

use serde_json::Value;

/// Whether this build can call OpenBLAS.
const OPENBLAS: bool = cfg!(any(feature = "openblas", feature = "openblas-static"));

/// Runs doctor with these variables; an empty value removes the variable.
fn doctor(flags: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perceptor"));
    command.arg("doctor").args(flags.split_whitespace());
    for name in [
        "OPENBLAS_CORETYPE",
        "OPENBLAS_NUM_THREADS",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(name);
    }
    command
        .env("OMP_NUM_THREADS", "1")
        .env("XDG_CACHE_HOME", std::env::temp_dir());
    for (name, value) in environment {
        match *value {
            "" => command.env_remove(name),
            value => command.env(name, value),
        };
    }
    command.output().expect("starting the program")
}

fn text(flags: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = doctor(flags, environment);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), text)
}

/// Returns the exit code, the report, and the checks with the verdict `wrong`.
fn json(flags: &str, environment: &[(&str, &str)]) -> (Option<i32>, Value, Vec<String>) {
    let (code, text) = text(&format!("{flags} --format json"), environment);
    let report: Value = serde_json::from_str(&text).expect("one JSON object");
    let wrong = findings(&report)
        .filter(|finding| finding["verdict"] == "wrong")
        .map(|finding| finding["check"].as_str().expect("a name").to_owned())
        .collect();
    (code, report, wrong)
}

fn findings(report: &Value) -> impl Iterator<Item = &Value> {
    report["findings"].as_array().expect("findings").iter()
}

fn verdict<'a>(report: &'a Value, check: &str) -> &'a str {
    let finding = findings(report).find(|finding| finding["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("no {check}: {report:#}"));
    finding["verdict"].as_str().expect("a verdict")
}

/// Returns the checks expected to be wrong: `others`, and `build` in a debug build.
fn expected_wrong(others: &[&str]) -> Vec<String> {
    let build = cfg!(debug_assertions).then_some("build");
    build
        .iter()
        .chain(others)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn only_a_debug_build_is_wrong() {
    let (code, report, wrong) = json("", &[]);
    assert_eq!(wrong, expected_wrong(&[]), "{report:#}");
    assert_eq!(code, Some(i32::from(!wrong.is_empty())));
    assert_eq!(report["wrong"], wrong.len());
    for finding in findings(&report) {
        let is_ok = finding["verdict"] == "ok";
        assert_eq!(finding["cure"].is_null(), is_ok, "{finding}");
    }
}

#[test]
fn json_names_machine_build_library_and_engines() {
    let (_, report, _) = json("--engine portable", &[("OMP_PLACES", "cores")]);
    assert_eq!(report["schema"], "perceptor.doctor/1");
    assert_eq!(report["build"]["version"], perceptor::VERSION);
    assert_eq!(report["build"]["revision"], perceptor::REVISION);
    let mode = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    assert_eq!(report["build"]["mode"], mode);
    assert_eq!(report["machine"]["architecture"], std::env::consts::ARCH);
    assert!(report["machine"]["cores"]["usable"].as_u64() >= Some(1));
    assert_eq!(report["workers"], report["machine"]["cores"]["usable"]);
    let library = if OPENBLAS {
        "OpenBLAS"
    } else {
        "matrixmultiply"
    };
    assert_eq!(report["blas"]["name"], library);
    assert_eq!(report["blas"]["threads"], 1);
    assert_eq!(
        report["blas"]["path"].is_string(),
        report["blas"]["linkage"] == "shared"
    );
    assert_eq!(report["engines"]["takes"], "portable");
    let variable = report["environment"].as_array().expect("variables");
    assert!(
        variable
            .iter()
            .any(|it| it["name"] == "OMP_PLACES" && it["value"] == "cores")
    );
    if cfg!(target_os = "linux") {
        assert!(
            report["machine"]["memory"]["available"].is_u64(),
            "{report:#}"
        );
        assert!(
            report["machine"]["cores"]["affinity"].is_u64(),
            "{report:#}"
        );
    }
}

#[test]
fn every_available_engine_is_checked() {
    let (_, report, _) = json("", &[]);
    let engines = report["engines"]["all"].as_array().expect("engines");
    for engine in engines {
        let available = engine["runs_on"].is_string();
        assert_eq!(available, engine["refusal"].is_null());
        for check in ["gradient", "thread-count"] {
            let checked = findings(&report).any(|it| {
                it["check"] == check && it["engine"] == engine["name"] && it["verdict"] == "ok"
            });
            assert_eq!(checked, available, "{check} of {engine}");
        }
    }
}

#[test]
fn a_debug_build_is_named() {
    let (code, text) = text("", &[]);
    let named = text.contains("✗ build") && text.contains("cargo build --release");
    assert_eq!(named, cfg!(debug_assertions), "{text}");
    assert_eq!(code, Some(i32::from(cfg!(debug_assertions))), "{text}");
    assert!(!text.contains('\u{1b}'), "colours without a terminal");
    assert!(text.contains("✓ gradient, portable"), "{text}");
}

#[test]
fn more_workers_than_cores_are_reported() {
    for threads in ["4096", "1000000"] {
        let (code, report, wrong) = json(&format!("--threads {threads}"), &[]);
        assert_eq!(
            (code, wrong),
            (Some(1), expected_wrong(&["workers"])),
            "{report:#}"
        );
    }
    let (_, report, wrong) = json("--threads 1", &[]);
    assert_eq!(wrong, expected_wrong(&[]), "{report:#}");
    assert_eq!(report["workers"], 1);
}

#[test]
fn a_cache_folder_that_cannot_be_written_is_a_warning() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let file = file.path().to_str().expect("text");
    let (_, report, wrong) = json("", &[("XDG_CACHE_HOME", file)]);
    assert_eq!(wrong, expected_wrong(&[]), "{report:#}");
    assert_eq!(verdict(&report, "cache-folder"), "warning");
}

#[test]
fn an_unavailable_engine_is_wrong_and_the_other_checks_still_run() {
    if OPENBLAS {
        eprintln!("skipped: this build has every engine");
        return;
    }
    let (code, report, wrong) = json("--engine openblas", &[]);
    assert_eq!(
        (code, wrong),
        (Some(1), expected_wrong(&["engine"])),
        "{report:#}"
    );
    assert_eq!(verdict(&report, "gradient"), "ok");
}

#[test]
fn forced_kernels_below_the_processor_are_a_warning() {
    if !OPENBLAS || std::env::consts::ARCH != "x86_64" {
        eprintln!("skipped: this build does not use OpenBLAS on x86-64");
        return;
    }
    let (_, report, wrong) = json("", &[("OPENBLAS_CORETYPE", "Prescott")]);
    if report["blas"]["kernel"] != "Prescott" {
        eprintln!(
            "skipped: this OpenBLAS cannot choose other kernels: {}",
            report["blas"]
        );
        return;
    }
    assert_eq!(wrong, expected_wrong(&[]), "{report:#}");
    let sets = report["machine"]["instruction_sets"]
        .as_array()
        .expect("a list");
    let slow = sets.iter().any(|set| set == "avx");
    assert_eq!(
        verdict(&report, "blas-kernels"),
        if slow { "warning" } else { "ok" }
    );
}

#[test]
fn an_openmp_build_is_wrong_without_its_variable_and_right_with_it() {
    let (_, with, _) = json("", &[]);
    if with["blas"]["threading"] != "openmp" {
        eprintln!(
            "skipped: this build does not use OpenBLAS with OpenMP: {}",
            with["blas"]
        );
        return;
    }
    assert_eq!(verdict(&with, "blas-threads"), "ok");
    for threads in ["", "2"] {
        let (code, report, wrong) = json("", &[("OMP_NUM_THREADS", threads)]);
        assert_eq!(
            (code, wrong),
            (Some(1), expected_wrong(&["blas-threads"])),
            "{report:#}"
        );
        assert_eq!(verdict(&report, "gradient"), "ok");
        assert!(report["machine"]["cores"]["usable"].is_u64());
    }
}
