//! `--help` of every command, and `--version`.

use crate::desk::{Desk, Run};

/// Returns the subcommands that a help text lists, except `help`.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Collects the help of `command` and of all its subcommands.
fn walk(desk: &Desk, command: &str, found: &mut Vec<(String, Run)>) {
    let run = desk.run(&format!("{command} --help"));
    let below = subcommands(&run.stdout);
    found.push((command.to_owned(), run));
    for name in below {
        walk(desk, format!("{command} {name}").trim(), found);
    }
}

fn every_help() -> Vec<(String, Run)> {
    let mut found = Vec::new();
    walk(&Desk::empty(), "", &mut found);
    found
}

#[test]
fn every_command_has_help() {
    let found = every_help();
    let commands: Vec<&str> = found.iter().map(|(command, _)| command.as_str()).collect();
    assert_eq!(
        commands,
        [
            "",
            "train",
            "tune",
            "eval",
            "predict",
            "export",
            "import",
            "bench",
            "data",
            "data fetch",
            "data convert",
            "data digits",
            "data inspect",
            "doctor"
        ]
    );
    for (command, run) in &found {
        assert_eq!(run.done().stderr, "", "{run:#?}");
        let usage = format!("Usage: perceptor {command}");
        assert!(run.stdout.contains(usage.trim_end()), "{run:#?}");
        let short = Desk::empty().run(&format!("{command} -h"));
        assert!(short.done().stdout.contains("Usage: "), "{short:#?}");
    }
}

#[test]
fn help_starts_with_examples_whose_flags_exist() {
    for (command, run) in every_help() {
        if command == "data" {
            continue; // It only has subcommands.
        }
        assert!(
            run.stdout.starts_with("Examples:\n  perceptor "),
            "{run:#?}"
        );
        if command.is_empty() {
            continue;
        }
        let (examples, rest) = run
            .stdout
            .split_once("\n\n")
            .expect("text after the examples");
        for word in examples.split_whitespace() {
            if word.starts_with("--") {
                let listed = rest.split_whitespace().any(|other| other == word);
                assert!(listed, "{word} in an example of {command}: {run:#?}");
            }
        }
        for line in examples.lines().skip(1) {
            let start = format!("  perceptor {command}");
            assert!(line.starts_with(&start), "{line}");
        }
    }
}

#[test]
fn help_lists_the_exit_codes() {
    let run = Desk::empty().run("--help");
    let (_, codes) = run
        .done()
        .stdout
        .split_once("Exit codes:\n")
        .expect("a list");
    let codes: Vec<&str> = codes
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "70", "129,"]);
}

#[test]
fn help_fits_a_hundred_columns() {
    for (command, run) in every_help() {
        for line in run.stdout.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
}

#[test]
fn a_missing_command_is_an_error_with_the_help() {
    let run = Desk::empty().run("");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.starts_with("Examples:"), "{run:#?}");
}

#[test]
fn the_version_names_revision_target_and_features() {
    for flag in ["--version", "-V"] {
        let run = Desk::empty().run(flag);
        let version = run.done().stdout.trim_end();
        let features = if cfg!(feature = "openblas") {
            "openblas"
        } else if cfg!(feature = "openblas-static") {
            "openblas-static"
        } else {
            "pure Rust"
        };
        let start = format!(
            "perceptor {} ({}, ",
            perceptor::VERSION,
            perceptor::REVISION
        );
        assert!(version.starts_with(&start), "{version}");
        assert!(version.ends_with(&format!(", {features})")), "{version}");
        assert!(version.contains(std::env::consts::ARCH), "{version}");
    }
}
