//! Limits on address space, data and processes, as batch schedulers set them: every command ends by itself, with success or
//! an error that names what was refused. And what a run without OpenBLAS does without: its memory and its threads.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use perceptor::compute::{Engine, EngineChoice};

use crate::desk::{Desk, Run};
use crate::idx_set::EasySet;

/// What a program may be limited to: 98 MiB is less than OpenBLAS maps for its first buffer.
const LIMITS: [&str; 4] = ["-v 100000", "-v 40000", "-d 100000", "-d 8000"];

/// Returns the engines available without a limit.
fn engines() -> Vec<Engine> {
    let all = Engine::ALL.into_iter();
    all.filter(|engine| engine.check().is_ok()).collect()
}

/// Returns an engine that calls no OpenBLAS.
fn own_engine() -> &'static str {
    let has_native = EngineChoice::Native.resolve().is_ok();
    if has_native { "native" } else { "portable" }
}

/// Runs the program under a limit of the shell's `ulimit`.
fn limited(desk: &Desk, limit: &str, line: &str) -> Run {
    let program = desk.command("");
    let script = format!(
        "ulimit {limit} && exec '{}' {line}",
        program.get_program().display()
    );
    let mut command = desk.command_of("sh");
    command.args(["-c", &script]);
    Run::of(command)
}

/// Asserts that the program ended by itself, and says why if it failed.
fn assert_ended(run: &Run) {
    match run.code {
        Some(0) => {}
        Some(1 | 2) => assert!(run.stderr.contains("error: "), "{run:#?}"),
        _ => panic!("expected an end with a code: {run:#?}"),
    }
}

#[test]
fn every_command_ends_under_every_limit_on_memory() {
    let desk = Desk::with_model(&EasySet::default());
    for limit in LIMITS {
        for line in [
            "--version",
            "bench --help",
            "train --data set --epochs 1 --quiet --out auto --exist-ok",
        ] {
            assert_ended(&limited(&desk, limit, line));
        }
        for engine in engines().into_iter().map(Engine::name) {
            for line in [
                "train --data set --epochs 1 --quiet --threads 2 --out fresh --exist-ok",
                "eval model/model.safetensors --data set",
                "predict model/model.safetensors set/t10k-images-idx3-ubyte",
            ] {
                assert_ended(&limited(&desk, limit, &format!("{line} --engine {engine}")));
            }
        }
    }
}

#[test]
fn every_limit_on_address_space_ends_in_a_result_or_an_error() {
    let desk = Desk::with(&EasySet::default());
    for kibibytes in (50_000..=1_000_000).step_by(50_000) {
        for engine in engines().into_iter().map(Engine::name) {
            let line = format!(
                "train --data set --epochs 1 --quiet --threads 2 --out fresh --exist-ok --engine {engine}"
            );
            assert_ended(&limited(&desk, &format!("-v {kibibytes}"), &line));
        }
    }
}

/// Commands that write files, each with the place it writes to.
const WRITERS: [(&str, &str); 6] = [
    ("data digits --train 2000 --test 300 --out out", "out"),
    ("data convert t.csv --labels y --out out", "out"),
    (
        "train --data set --epochs 1 --hidden 2000 --quiet --out out",
        "out",
    ),
    (
        "train --data set --epochs 1 --hidden 2000 --checkpoint-every never --quiet --out out",
        "out",
    ),
    ("export large/model.safetensors --to npz --out out", "out"),
    (
        "predict large/model.safetensors set/t10k-images-idx3-ubyte --proba",
        "none",
    ),
];

fn desk_to_write_on() -> Desk {
    let desk = Desk::with(&EasySet::default());
    let rows: String = (0..4000)
        .map(|row| format!("{row}.5,{},{}\n", row * 7, row % 3))
        .collect();
    desk.put("t.csv", format!("a,b,y\n{rows}").as_bytes());
    desk.run("train --data set --epochs 1 --hidden 2000 --quiet --out large")
        .done();
    desk
}

#[test]
fn a_limit_on_the_size_of_files_ends_like_a_full_disk() {
    let desk = desk_to_write_on();
    for (line, out) in WRITERS {
        let run = limited(&desk, "-f 16", line);
        if out == "none" {
            // Pipes have no size.
            run.done();
            continue;
        }
        assert!(matches!(run.code, Some(1 | 4)), "{run:#?}");
        assert!(run.stderr.contains("File too large"), "{run:#?}");
        assert!(run.stderr.contains("ulimit -f"), "{run:#?}");
        let entries = desk.entries();
        let left: Vec<_> = entries
            .iter()
            .filter(|name| name.ends_with(".part"))
            .collect();
        assert!(left.is_empty(), "{line}: {left:?}");
        if desk.path(out).is_dir() {
            fs::remove_dir_all(desk.path(out)).expect("removing the folder");
        }
    }
    // A file that the shell has opened for the program.
    let program = desk.command("").get_program().display().to_string();
    let line = "predict large/model.safetensors set/t10k-images-idx3-ubyte --proba --format json";
    let mut command = desk.command_of("sh");
    command.args([
        "-c",
        &format!("ulimit -f 2 && exec '{program}' {line} > predicted"),
    ]);
    let run = Run::of(command);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("File too large"), "{run:#?}");
}

#[test]
fn a_limit_on_open_files_ends_in_a_result_or_an_error() {
    let desk = desk_to_write_on();
    for files in 4..=20 {
        for (line, out) in WRITERS {
            let run = limited(&desk, &format!("-n {files}"), line);
            // Below, the system cannot load the program.
            let is_loaded = !run.stderr.contains("error while loading shared libraries");
            let is_known = matches!(run.code, Some(0 | 1 | 2 | 4)) || !is_loaded;
            assert!(is_known, "{files} files: {run:#?}");
            assert!(
                run.code == Some(0) || run.stderr.contains("error"),
                "{files} files: {run:#?}"
            );
            assert!(run.code == Some(0) || files < 12, "{files} files: {run:#?}");
            if desk.path(out).is_dir() {
                fs::remove_dir_all(desk.path(out)).expect("removing the folder");
            } else {
                drop(fs::remove_file(desk.path(out)));
            }
        }
    }
}

#[test]
fn a_small_stack_suffices() {
    let desk = desk_to_write_on();
    for kibibytes in [32, 48, 64, 128, 256, 1024] {
        for (line, out) in WRITERS {
            limited(&desk, &format!("-s {kibibytes}"), line).done();
            drop(fs::remove_dir_all(desk.path(out)));
            drop(fs::remove_file(desk.path(out)));
        }
    }
}

#[test]
fn training_needs_no_address_space_for_an_openblas_that_it_does_not_call() {
    let desk = Desk::with(&EasySet::default());
    let line = "train --data set --epochs 1 --quiet --threads 2 --out fresh --exist-ok --engine";
    let run = limited(&desk, "-v 64000", &format!("{line} {}", own_engine()));
    assert_eq!(run.code, Some(0), "{run:#?}");
    // The table of the desk knows the engines, so `auto` loads nothing either.
    let run = limited(&desk, "-v 64000", "--version");
    assert_eq!(run.code, Some(0), "{run:#?}");
}

#[test]
fn openblas_is_refused_with_a_hint_if_its_buffer_is_not_granted() {
    if EngineChoice::Openblas.resolve().is_err() {
        eprintln!("skipped: no OpenBLAS here");
        return;
    }
    let desk = Desk::with(&EasySet::default());
    let line = "train --data set --epochs 1 --quiet --threads 2 --engine openblas";
    for limit in ["-v 100000", "-d 100000"] {
        let run = limited(&desk, limit, line);
        assert_eq!(run.code, Some(1), "{run:#?}");
        let names_it = run.stderr.starts_with("error: memory: ");
        assert!(
            names_it && run.stderr.contains("room for OpenBLAS"),
            "{run:#?}"
        );
        assert!(run.hint().contains("ulimit"), "{run:#?}");
    }
    // Room for one buffer or two: calls wait for each other, and compute the same bits.
    let model = |limit: &str| {
        let run = limited(&desk, limit, &format!("{line} --out fresh --exist-ok"));
        assert_eq!(run.code, Some(0), "{run:#?}");
        desk.read("fresh/model.safetensors")
    };
    assert!(model("-d 300000") == model("-d unlimited"));
}

#[test]
fn auto_takes_another_engine_if_openblas_is_missing() {
    if !cfg!(feature = "openblas") {
        eprintln!("skipped: this build loads no library");
        return;
    }
    let desk = Desk::with_model(&EasySet::default());
    // Another library under the name, in front of the right one.
    let name = "libopenblas.so.0";
    let maps = fs::read_to_string("/proc/self/maps").expect("the memory of the test");
    let mut files = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]));
    let other = files.find(|file| file.contains("/libgcc_s") || file.contains("/libm"));
    fs::create_dir(desk.path("broken")).expect("a folder");
    fs::copy(other.expect("a library"), desk.path("broken").join(name)).expect("a copy");
    let run = |line: &str| {
        let mut command = desk.command(line);
        command.env("LD_LIBRARY_PATH", desk.path("broken"));
        Run::of(command)
    };
    let version = run("--version");
    assert_eq!(version.code, Some(0), "{version:#?}");
    let named = run("train --data set --epochs 1 --engine openblas");
    if named.code == Some(0) {
        eprintln!("skipped: the loader does not take {name}");
        return;
    }
    assert_eq!(named.code, Some(1), "{named:#?}");
    assert!(
        named.stderr.starts_with("error: openblas: libopenblas"),
        "{named:#?}"
    );
    assert!(named.hint().contains("--engine native"), "{named:#?}");
    let auto = run("train --data set --epochs 1");
    assert_eq!(auto.code, Some(0), "{auto:#?}");
    assert!(
        auto.stderr
            .contains("auto does without OpenBLAS: openblas: "),
        "{auto:#?}"
    );
}

/// Starts a run that does not end, and waits until it trains.
fn endless(desk: &Desk, engine: &str) -> Child {
    let line = format!("train --data set --epochs 1000000 --engine {engine} --threads 3 --out run");
    let mut command = desk.command(&line);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("starting the program");
    let start = Instant::now();
    // The thread that writes checkpoints writes it first.
    while !desk.has("run/environment.json") && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Returns the files that a process has mapped, and the names of its threads.
fn mapped_and_threads(child: &mut Child) -> (String, Vec<String>) {
    let process = Path::new("/proc").join(child.id().to_string());
    let maps = fs::read_to_string(process.join("maps")).expect("its memory");
    let threads = fs::read_dir(process.join("task")).expect("its threads");
    let names = threads.map(|thread| {
        let name = thread.expect("a thread").path().join("comm");
        fs::read_to_string(name)
            .expect("its name")
            .trim()
            .to_owned()
    });
    let names = names.collect();
    child.kill().expect("ending the program");
    child.wait().expect("its end");
    (maps, names)
}

#[test]
fn openblas_is_mapped_only_by_a_run_that_calls_it_and_starts_no_thread() {
    for engine in engines() {
        let desk = Desk::with(&EasySet::default());
        let (maps, mut names) = mapped_and_threads(&mut endless(&desk, engine.name()));
        let is_mapped = maps.contains("libopenblas") || maps.contains("libgfortran");
        let calls_it = engine == Engine::Openblas && cfg!(feature = "openblas");
        assert_eq!(is_mapped, calls_it, "{}: {maps}", engine.name());
        names.sort();
        let of_the_program = [
            "checkpoint",
            "perceptor",
            "worker-0",
            "worker-1",
            "worker-2",
        ];
        assert_eq!(names, of_the_program, "{}", engine.name());
    }
}

#[test]
fn a_limit_on_processes_is_an_error_if_it_is_below_the_threads() {
    for engine in engines().into_iter().map(Engine::name) {
        let desk = Desk::with(&EasySet::default());
        let line = format!("train --data set --epochs 1 --quiet --threads 3 --engine {engine}");
        for processes in 1..=5 {
            let Some(run) = with_processes(&desk, processes, &line) else {
                eprintln!("skipped: another user may not run the program");
                return;
            };
            assert_ended(&run);
            if processes == 1 {
                assert_eq!(run.code, Some(2), "{run:#?}");
                assert!(
                    run.stderr.contains("threads could not be started"),
                    "{run:#?}"
                );
            }
            // The program, its workers, and the thread that writes checkpoints.
            let is_alone = is_administrator();
            assert!(
                run.code == Some(0) || processes < 5 || !is_alone,
                "{run:#?}"
            );
        }
    }
}

/// Runs the program as a user of its own, who has few processes, if the test may change users. Returns `None` if that user
/// may not run it.
fn with_processes(desk: &Desk, processes: libc::rlim_t, line: &str) -> Option<Run> {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let mut command = desk.command(line);
    if is_administrator() {
        let everyone = fs::Permissions::from_mode(0o777);
        fs::set_permissions(desk.path("."), everyone).expect("changing permissions");
        let user = 100_000 + std::process::id();
        command.uid(user).gid(user);
    }
    let limit = libc::rlimit {
        rlim_cur: processes,
        rlim_max: processes,
    };
    // SAFETY: between fork and exec, only `setrlimit` is called, which is safe in a signal handler.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_NPROC, &limit) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let line = format!("{command:?}");
    let mut command = assert_cmd::Command::from_std(command);
    match command.timeout(Duration::from_secs(60)).output() {
        Ok(output) => Some(Run::from_output(line, output)),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => None,
        Err(error) => panic!("{error}: {line}"),
    }
}

fn is_administrator() -> bool {
    // SAFETY: the call only reads.
    unsafe { libc::geteuid() == 0 }
}
