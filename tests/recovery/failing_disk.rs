//! Disks that fill up, folders that turn read-only, `fsync` and `rename` that fail: reported at once and in the exit code,
//! with everything saved before still intact.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use perceptor::run::Settings;

use crate::desk::{Desk, Run};
use crate::faults::Faults;
use crate::interrupted::{
    MODEL, SHORT, UNINTERRUPTED, Uninterrupted, checkpoints, end, leftovers, long_desk, short_desk,
    start, uninterrupted, wait_for_checkpoint,
};

/// Error codes of the system.
const FULL: i32 = libc::ENOSPC;
const BROKEN: i32 = libc::EIO;
const READ_ONLY: i32 = libc::EROFS;

fn with_fault(desk: &Desk, faults: &Faults, line: &str, part: &str, fault: &str) -> Run {
    let mut command = desk.command(line);
    faults.inject(&mut command, part, fault);
    end(line, start(command))
}

#[test]
fn a_checkpoint_that_cannot_be_saved_is_reported_and_the_previous_one_is_kept() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let desk = short_desk();
    let expected = uninterrupted(&desk, SHORT);
    // The second and all later ones fail. Each checkpoint opens and renames once, and syncs its file and its folder.
    for (fault, action) in [
        (format!("open:3+:{FULL}"), "create a file in this folder"),
        (
            format!("open:3+:{READ_ONLY}"),
            "create a file in this folder",
        ),
        (format!("write:2+:{FULL}"), "write"),
        (format!("fsync:3+:{BROKEN}"), "sync to the disk"),
        (format!("rename:2+:{FULL}"), "put into place"),
        (format!("rename:2+:{BROKEN}"), "put into place"),
    ] {
        let line = format!("{SHORT} --exist-ok --quiet");
        let run = with_fault(&desk, &faults, &line, "out/checkpoint", &fault);
        assert_eq!(run.code, Some(4), "{fault}: {run:#?}");
        let message = format!("could not {action}: ");
        let error = run.stderr.lines().find(|line| line.starts_with("error: "));
        assert!(
            error.is_some_and(|error| error.contains(&message)),
            "{fault}: {run:#?}"
        );
        assert!(
            run.hint()
                .starts_with("training continues; out/checkpoint/epoch-000"),
            "{fault}: {run:#?}"
        );
        assert!(
            run.hint().ends_with(".safetensors is valid"),
            "{fault}: {run:#?}"
        );
        // Training completed nevertheless, and the saved checkpoint can be resumed.
        assert!(desk.read(MODEL) == expected, "{fault}");
        desk.remove(MODEL);
        assert_eq!(checkpoints(&desk).len(), 1, "{fault}");
        desk.run("train --resume out --quiet").done();
        assert!(desk.read(MODEL) == expected, "{fault}");
        assert_eq!(leftovers(&desk), Vec::<String>::new(), "{fault}");
    }
}

#[test]
fn a_run_that_cannot_save_any_checkpoint_is_an_error() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let desk = long_desk();
    for fault in [
        format!("write:1+:{FULL}"),
        format!("fsync:1+:{BROKEN}"),
        format!("rename:1+:{BROKEN}"),
    ] {
        let line = format!("{} --exist-ok --quiet", crate::interrupted::LONG);
        let run = with_fault(&desk, &faults, &line, "out/checkpoint", &fault);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(1), ""),
            "{fault}: {run:#?}"
        );
        assert!(
            run.stderr.contains(", and no older checkpoint stands\n"),
            "{fault}: {run:#?}"
        );
        assert!(
            run.hint().contains("--checkpoint-every never"),
            "{fault}: {run:#?}"
        );
        assert!(checkpoints(&desk).is_empty());
    }
    // Following the hint, it trains without checkpoints.
    let fault = format!("rename:1+:{BROKEN}");
    let line = format!("{SHORT} --exist-ok --quiet --checkpoint-every never");
    with_fault(&desk, &faults, &line, "out/checkpoint", &fault).done();
}

#[test]
fn a_model_that_cannot_be_written_is_an_error_and_the_run_can_resume() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let desk = short_desk();
    let expected = uninterrupted(&desk, SHORT);
    let fault = format!("rename:1:{FULL}");
    let run = with_fault(
        &desk,
        &faults,
        &format!("{SHORT} --quiet"),
        "model.safetensors",
        &fault,
    );
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:#?}");
    assert!(
        run.stderr
            .contains("out/model.safetensors: could not put into place: "),
        "{run:#?}"
    );
    assert!(!desk.has(MODEL));
    desk.run("train --resume out --quiet").done();
    assert!(desk.read(MODEL) == expected);
}

#[test]
fn metrics_that_cannot_be_written_are_reported_with_an_exit_code() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let desk = short_desk();
    let fault = format!("write:3+:{FULL}");
    let run = with_fault(
        &desk,
        &faults,
        &format!("{SHORT} --quiet"),
        "metrics.csv",
        &fault,
    );
    assert_eq!(run.code, Some(4), "{run:#?}");
    assert!(
        run.stderr
            .contains("error: out/metrics.csv: could not write: "),
        "{run:#?}"
    );
    assert!(desk.has(MODEL));
}

#[test]
fn metrics_are_complete_again_once_there_is_space() {
    let Some(faults) = Faults::build() else {
        return;
    };
    // Writing the second epoch's line fails; on a full disk, half of it is written. The CSV starts with a header, which is
    // one more write.
    for (file, fault) in [
        ("metrics.csv", format!("write:3:{FULL}")),
        ("metrics.jsonl", format!("write:2:{FULL}")),
        ("metrics.csv", format!("write:3:{BROKEN}")),
    ] {
        let desk = short_desk();
        let run = with_fault(&desk, &faults, &format!("{SHORT} --quiet"), file, &fault);
        assert_eq!(run.code, Some(4), "{fault}: {run:#?}");
        let message = format!("error: out/{file}: could not write: ");
        assert_eq!(run.stderr.matches(&message).count(), 1, "{fault}: {run:#?}");
        let lines = |name: &str| {
            let text = desk.read_text(name);
            assert!(text.ends_with('\n'), "{fault}: {text}");
            text.lines().map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let csv = lines("out/metrics.csv");
        assert_eq!(csv.len(), 5, "{fault}: {csv:?}");
        for (number, line) in csv.iter().enumerate().skip(1) {
            assert!(line.starts_with(&format!("{number},")), "{fault}: {line}");
            assert_eq!(line.split(',').count(), 8, "{fault}: {line}");
        }
        let jsonl = lines("out/metrics.jsonl");
        assert_eq!(jsonl.len(), 4, "{fault}: {jsonl:?}");
        for (number, line) in (1..).zip(&jsonl) {
            let epoch: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(epoch["epoch"], number, "{fault}: {line}");
        }
    }
}

/// A file system of one megabyte, unmounted when the value is dropped.
struct Small(std::path::PathBuf);

impl Small {
    /// Mounts it, or prints that the test is skipped if this user may not mount.
    fn mount(at: &Path) -> Option<Small> {
        fs::create_dir(at).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=0777", "tmpfs"])
            .arg(at)
            .stderr(std::process::Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Small(at.to_owned()));
        }
        eprintln!("skipped: this user may not mount a file system");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

#[test]
fn a_disk_that_fills_up_keeps_the_previous_checkpoint() {
    let desk = long_desk();
    let Some(small) = Small::mount(&desk.path("small")) else {
        return;
    };
    let line = "train --data set --hidden 200,100 --activation relu --lr 0.01 --epochs 12 --out small/out --keep 1 --quiet";
    let mut child = start(desk.command(line));
    // One checkpoint of 180 kB is saved, then something else fills the disk.
    let folder = desk.path("small/out/checkpoint");
    let saved = || {
        fs::read_dir(&folder).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.starts_with("epoch-") && name.ends_with(".safetensors")
            })
        })
    };
    while !saved() {
        assert!(
            child
                .try_wait()
                .expect("the state of the process")
                .is_none(),
            "the run ended too early"
        );
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let mut block = vec![0u8; 1 << 20];
    while !block.is_empty()
        && fs::write(small.0.join(format!("full-{}", block.len())), &block).is_err()
    {
        block.truncate(block.len() / 2);
    }
    for number in 0..1000 {
        if fs::write(small.0.join(format!("rest-{number}")), vec![0; 4096]).is_err() {
            break;
        }
    }
    let run = end(line, child);
    // There is no space for another checkpoint or the model.
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("No space left on device"), "{run:#?}");
    assert!(
        run.stderr
            .contains("hint: training continues; small/out/checkpoint/epoch-"),
        "{run:#?}"
    );
    assert!(
        run.stderr
            .contains("small/out/model.safetensors: could not "),
        "{run:#?}"
    );
    for entry in fs::read_dir(&small.0).expect("a folder").flatten() {
        if entry.file_type().expect("a type").is_file() {
            fs::remove_file(entry.path()).expect("freeing space");
        }
    }
    desk.run("train --resume small/out --quiet").done();
    let expected = uninterrupted(&desk, &line.replace("small/out --keep 1 --quiet", "out"));
    assert!(desk.read("small/out/model.safetensors") == expected);
}

#[test]
fn a_folder_that_turns_read_only_keeps_the_previous_checkpoint() {
    /// The user `nobody`.
    const NOBODY: u32 = 65534;
    let desk = long_desk();
    let Uninterrupted { model, config } = &*UNINTERRUPTED;
    // Another user has another cache, in which another engine may be the fastest.
    let settings = Settings::from_bytes(Path::new("config.toml"), config).expect("settings");
    let engine = settings.train.engine.name();
    let line = format!("{} --engine {engine} --quiet", crate::interrupted::LONG);
    let mode = |path: &str, mode| {
        let locked = fs::Permissions::from_mode(mode);
        fs::set_permissions(desk.path(path), locked).expect("changing a mode");
    };
    let mut command = desk.command(&line);
    mode("", 0o777);
    // The superuser may write anywhere, so training runs as another user.
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } == 0 {
        let program = desk.path("perceptor");
        fs::copy(command.get_program(), &program).expect("copying the program");
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = desk.command_of(program);
        command.args(arguments).uid(NOBODY).gid(NOBODY);
    }
    let mut child = start(command);
    wait_for_checkpoint(&desk, &mut child);
    mode("out/checkpoint", 0o555);
    let run = end(&line, child);
    mode("out/checkpoint", 0o777);
    assert_eq!(run.code, Some(4), "{run:#?}");
    assert!(
        run.stderr
            .contains("out/checkpoint: could not create a file in this folder: Permission denied"),
        "{run:#?}"
    );
    assert!(run.hint().contains("training continues"), "{run:#?}");
    assert!(desk.read(MODEL) == *model);
    desk.remove(MODEL);
    desk.run("train --resume out --quiet").done();
    assert!(desk.read(MODEL) == *model);
}

/// Writes two tables that convert to five files: the same names for every `first`, with other contents.
fn put_table(desk: &Desk, first: u8) {
    let rows = format!("x,label\n{first},a\n2,b\n3,c\n");
    for file in ["train.csv", "test.csv"] {
        desk.put(file, rows.as_bytes());
    }
}

/// Returns the files in the folder `set` by name, except temporary ones.
fn set_files(desk: &Desk) -> BTreeMap<String, Vec<u8>> {
    let names = desk.entries().into_iter();
    let names = names.filter(|name| name.starts_with("set/") && !name.starts_with("set/."));
    names.map(|name| (name.clone(), desk.read(&name))).collect()
}

const CONVERT: &str = "data convert train.csv --test test.csv --out set";

#[test]
fn a_data_set_that_cannot_be_placed_leaves_none_of_its_files() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let renames = (1..=5).map(|file| ("set/", format!("rename:{file}:{FULL}"), "put into place"));
    let sync = ("/set", format!("fsync:6:{BROKEN}"), "sync to the disk");
    for (part, fault, action) in renames.chain([sync]) {
        let desk = Desk::empty();
        put_table(&desk, 1);
        let run = with_fault(&desk, &faults, CONVERT, part, &fault);
        assert_eq!(run.code, Some(1), "{fault}: {run:#?}");
        assert!(run.stderr.contains(action), "{fault}: {run:#?}");
        let left = desk.entries();
        assert_eq!(left, ["set", "test.csv", "train.csv"], "{fault}");
    }
}

#[test]
fn a_half_done_replacement_is_never_read_as_a_data_set() {
    let Some(faults) = Faults::build() else {
        return;
    };
    let desk = Desk::empty();
    let [old, new] = [1, 9].map(|first| {
        put_table(&desk, first);
        desk.run(&format!("{CONVERT} --force")).done();
        set_files(&desk)
    });
    let points = (1..=5).flat_map(|at| ["rename", "unlink"].map(|call| format!("{call}:{at}")));
    for fault in points.flat_map(|at| [format!("{at}:{FULL}"), format!("{at}:KILL")]) {
        put_table(&desk, 1);
        desk.run(&format!("{CONVERT} --force")).done();
        assert_eq!(set_files(&desk), old);
        put_table(&desk, 9);
        let run = with_fault(
            &desk,
            &faults,
            &format!("{CONVERT} --force"),
            "set/",
            &fault,
        );
        let read = desk.run("data inspect set").code == Some(0);
        let left = set_files(&desk);
        assert!(!read || left == old || left == new, "{fault}: {left:#?}");
        assert_eq!(run.code == Some(0), left == new, "{fault}: {run:#?}");
    }
}
