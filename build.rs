//! Fails early and in words when OpenBLAS is asked for and not there, and hands the source revision, the
//! target and the features to `--version` and the banner.

use std::path::Path;
use std::process::{Command, exit};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let shared = env::var_os("CARGO_FEATURE_OPENBLAS").is_some();
    let built = env::var_os("CARGO_FEATURE_OPENBLAS_STATIC").is_some();
    if shared && built {
        fail("features `openblas` and `openblas-static`: both given, expected one of them");
    }
    if shared {
        require_openblas();
    }
    let library = match (shared, built) {
        (true, _) => "openblas",
        (_, true) => "openblas-static",
        _ => "pure Rust",
    };
    set("PERCEPTOR_FEATURES", library);
    set("PERCEPTOR_TARGET", &env::var("TARGET").unwrap_or_default());
    set(
        "PERCEPTOR_REVISION",
        &revision().unwrap_or_else(|| "unknown".to_owned()),
    );
    let version = locked_version("matrixmultiply").unwrap_or_else(|| "unknown".to_owned());
    set("PERCEPTOR_MATRIXMULTIPLY", &version);
}

fn set(name: &str, value: &str) {
    println!("cargo:rustc-env={name}={value}");
}

fn fail(message: &str) -> ! {
    println!(
        "cargo:warning={}",
        message.replace('\n', "\ncargo:warning=")
    );
    exit(1);
}

fn require_openblas() {
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    // macOS keeps OpenBLAS off the search path; openblas-src asks Homebrew for it.
    let homebrew = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "macos")
        && succeeds("brew", &["--prefix", "openblas"]);
    let mut probe = pkg_config::Config::new();
    if homebrew || probe.cargo_metadata(false).probe("openblas").is_ok() {
        return;
    }
    fail(
        "feature `openblas`: pkg-config finds no OpenBLAS, expected the system's library and headers\n\
         install it, then build again:\n\
         \x20   Debian, Ubuntu   apt-get install libopenblas-dev pkg-config\n\
         \x20   Fedora           dnf install openblas-devel pkgconf\n\
         \x20   macOS            brew install openblas libomp pkgconf\n\
         or do without the system's library:\n\
         \x20   --features openblas-static   builds OpenBLAS from source (open internet, C and Fortran compilers)\n\
         \x20   no feature at all            pure Rust, somewhat slower, needs nothing",
    );
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

/// The commit that is checked out, where this folder is the top of a git checkout.
fn revision() -> Option<String> {
    let git = Path::new(".git");
    if !git.exists() {
        return None;
    }
    // HEAD's log changes with every commit, checkout and reset.
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if Path::new(file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    let output = Command::new("git")
        .args(["rev-parse", "--short=10", "HEAD"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    String::from_utf8(output.stdout)
        .ok()
        .map(|revision| revision.trim().to_owned())
}

/// The version of a dependency by Cargo.lock.
fn locked_version(package: &str) -> Option<String> {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = fs::read_to_string("Cargo.lock").ok()?;
    let entry = lock
        .split("[[package]]")
        .find(|entry| entry.contains(&format!("name = \"{package}\"\n")))?;
    let version = entry
        .lines()
        .find_map(|line| line.strip_prefix("version = "))?;
    Some(version.trim_matches('"').to_owned())
}
