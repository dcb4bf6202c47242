//! Stops with instructions if the system's OpenBLAS is missing, and passes the source revision, the target and the
//! features to `--version` and the banner.

use std::path::Path;
use std::process::{Command, exit};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let (system, built) = (
        cfg!(feature = "openblas"),
        cfg!(feature = "openblas-static"),
    );
    if system && built {
        fail("features `openblas` and `openblas-static`: both enabled, expected one of them");
    }
    require_openblas();
    let library = match (system, built) {
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

#[cfg(not(feature = "openblas"))]
fn require_openblas() {}

/// Stops the build with instructions if the system has no OpenBLAS. The crate `openblas-src` links it.
#[cfg(feature = "openblas")]
fn require_openblas() {
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    // macOS keeps OpenBLAS off the search path; openblas-src asks Homebrew for it.
    let homebrew = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "macos")
        && output_of("brew", &["--prefix", "openblas"]).is_some();
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
         or build without it:\n\
         \x20   --features openblas-static   builds OpenBLAS from source (open internet, C and Fortran compilers)\n\
         \x20   no feature                   pure Rust, somewhat slower, needs nothing",
    );
}

/// Returns what a program prints, or `None` if it fails.
fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Returns the commit that is checked out or, in a package, the one that Cargo has noted there.
fn revision() -> Option<String> {
    if !Path::new(".git").exists() {
        let note = fs::read_to_string(".cargo_vcs_info.json").ok()?;
        let (_, commit) = note.split_once("\"sha1\": \"")?;
        return commit.get(..10).map(str::to_owned);
    }
    // HEAD's log changes with every commit, checkout and reset.
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if Path::new(file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    output_of("git", &["rev-parse", "--short=10", "HEAD"])
}

/// Returns the version of a dependency as Cargo.lock has it.
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
