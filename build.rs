//! Stops with instructions if the system's OpenBLAS is missing, passes its name and folder to the code that loads it, and
//! the source revision, the target and the features to `--version` and the banner.

use std::path::Path;
#[cfg(feature = "openblas")]
use std::path::PathBuf;
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
    find_openblas();
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
fn find_openblas() {}

/// Passes on the file name of the system's OpenBLAS and its folder, or stops the build with instructions if there is none.
/// The library is not linked: it is loaded at its first use.
#[cfg(feature = "openblas")]
fn find_openblas() {
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let Some(folder) = openblas_folder() else {
        fail_without_openblas()
    };
    let name = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => "libopenblas.dylib".to_owned(),
        Ok("windows") => "libopenblas.dll".to_owned(),
        _ => numbered_name(&folder).unwrap_or_else(|| "libopenblas.so.0".to_owned()),
    };
    set("PERCEPTOR_OPENBLAS_NAME", &name);
    set("PERCEPTOR_OPENBLAS_FOLDER", &folder.display().to_string());
}

/// Returns the folder of the system's OpenBLAS as pkg-config or, on macOS, Homebrew has it.
#[cfg(feature = "openblas")]
fn openblas_folder() -> Option<PathBuf> {
    // macOS keeps OpenBLAS off the search path of pkg-config.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "macos")
        && let Some(prefix) = output_of("brew", &["--prefix", "openblas"])
    {
        return Some(Path::new(&prefix).join("lib"));
    }
    let mut probe = pkg_config::Config::new();
    let found = probe.cargo_metadata(false).probe("openblas").ok()?;
    let folder = pkg_config::get_variable("openblas", "libdir").ok();
    folder
        .map(PathBuf::from)
        .or_else(|| found.link_paths.first().cloned())
}

/// Returns the name with a version, `libopenblas.so.0`, of the library that `libopenblas.so` in `folder` is: the name
/// under which it is installed where nothing is built.
#[cfg(feature = "openblas")]
fn numbered_name(folder: &Path) -> Option<String> {
    let file = fs::canonicalize(folder.join("libopenblas.so")).ok()?;
    let names = fs::read_dir(folder).ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let number = name.strip_prefix("libopenblas.so.")?;
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let is_same = fs::canonicalize(folder.join(&name)).is_ok_and(|other| other == file);
        (is_plain && is_same).then_some(name)
    });
    names.min()
}

#[cfg(feature = "openblas")]
fn fail_without_openblas() -> ! {
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
