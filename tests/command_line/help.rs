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
            "model",
            "model show",
            "bench",
            "data",
            "data fetch",
            "data convert",
            "data digits",
            "data inspect",
            "doctor",
            "completions",
            "man",
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
        if ["data", "model"].contains(&command.as_str()) {
            continue; // These only have subcommands.
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
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "70", "128", "129"]);
    let signals = run
        .stdout
        .lines()
        .find(|line| line.trim().starts_with("129 "));
    let signals = signals.expect("the signals").trim();
    let page = include_str!("../../docs/getting-started.md");
    assert!(page.contains(&format!(": {signals} |\n")), "{signals}");
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

/// The help of `-h`, on a terminal of 80 columns.
fn short_help(command: &str) -> Run {
    let desk = Desk::empty();
    let mut short = desk.command(&format!("{command} -h"));
    short.env("COLUMNS", "80");
    Run::of(short)
}

#[test]
fn short_help_fits_one_screen_and_refers_to_the_long_one() {
    for (command, long) in every_help() {
        let short = short_help(&command);
        let lines: Vec<&str> = short.done().stdout.lines().collect();
        assert!(
            lines.len() <= 40,
            "{command}: {} lines: {short:#?}",
            lines.len()
        );
        for line in &lines {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
        if long.stdout.lines().count() > 60 {
            assert!(
                short.stdout.contains("(see more with '--help')"),
                "{short:#?}"
            );
        }
    }
}

/// A flag that takes a value, as its help shows it.
struct Flag {
    name: String,
    /// The name of the value, as `<N>`.
    value: String,
    /// Accepted values, if they can be listed.
    possible: Vec<String>,
}

/// The flags in a help that take a value.
fn flags(help: &str) -> Vec<Flag> {
    let mut found: Vec<Flag> = Vec::new();
    // A list of values may be wrapped; nothing but white space matters.
    let mut lines = help.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        let line = line.split_once(", --").map_or(line, |(_, long)| long);
        let line = line.trim_start_matches("--");
        let Some((name, value)) = line
            .split_once(" <")
            .filter(|(name, _)| !name.contains(' '))
        else {
            continue;
        };
        let mut text = format!("{value} ");
        while let Some(next) = lines.next_if(|next| !next.trim_start().starts_with('-')) {
            text += &format!("{} ", next.trim());
        }
        let possible = text
            .split_once("[possible values: ")
            .and_then(|(_, rest)| rest.split_once(']'));
        found.push(Flag {
            name: name.to_owned(),
            value: format!(
                "<{}",
                value.split_once('>').map_or(value, |(value, _)| value)
            ),
            possible: possible.map_or_else(Vec::new, |(values, _)| {
                values.split(", ").map(str::to_owned).collect()
            }),
        });
    }
    found
}

#[test]
fn a_wrong_value_of_any_flag_lists_the_accepted_ones() {
    let desk = Desk::empty();
    let mut listed = 0;
    for (command, long) in every_help() {
        for flag in flags(&long.stdout) {
            // Paths, and names of what is in files, can only be checked against the files.
            let is_free = [
                "DIR", "FOLDER", "FILE", "PATH", "ARRAY", "COLUMN", "URL", "RUN", "NAME", "MODEL",
                "WEIGHT", "TABLE",
            ];
            let is_free = is_free.iter().any(|name| flag.value.contains(name));
            if is_free && flag.possible.is_empty() {
                continue;
            }
            let run = desk.run(&format!("{command} --{}=@@", flag.name));
            let place = format!("{command} --{} {}", flag.name, flag.value);
            assert_eq!(run.code, Some(2), "{place}: {run:#?}");
            let start = format!("error: invalid value '@@' for '--{} <", flag.name);
            assert!(run.stderr.starts_with(&start), "{place}: {run:#?}");
            if flag.possible.is_empty() {
                assert!(run.stderr.contains("expected "), "{place}: {run:#?}");
            }
            for value in &flag.possible {
                assert!(
                    run.stderr.contains(value.as_str()),
                    "{place}: {value}: {run:#?}"
                );
            }
            listed += 1;
        }
    }
    assert!(listed > 60, "{listed} flags");
}

#[test]
fn a_mistyped_name_suggests_the_right_one() {
    let desk = Desk::empty();
    for (line, suggestion) in [
        ("trian", "'train'"),
        ("train --epoch 3", "'--epochs'"),
        ("train --optimizer adm", "'adam'"),
        ("train --schedule cosin", "'cosine'"),
        ("data fetch mnits", "'mnist'"),
        ("completions bahs", "'bash'"),
        ("eval model --format jsn", "'json'"),
    ] {
        let run = desk.run(line);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains(suggestion), "{suggestion}: {run:#?}");
    }
}

#[test]
fn every_shell_has_completions_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = Desk::empty().run(&format!("completions {shell}"));
        for word in ["train", "inspect", "doctor", "batch-size", "nesterov"] {
            assert!(run.done().stdout.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn completions_are_a_script_that_the_shell_accepts() {
    let desk = Desk::empty();
    let run = desk.run("completions bash");
    desk.put("perceptor.bash", run.done().stdout.as_bytes());
    let mut shell = desk.command_of("bash");
    shell.args(["-c", "source ./perceptor.bash && complete -p perceptor"]);
    let Ok(output) = shell.output() else {
        eprintln!("skipped: no bash");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("-F _perceptor"),
        "{output:?}"
    );
}

#[test]
fn every_command_has_a_manual_page_with_all_of_its_flags() {
    let desk = Desk::empty();
    let run = desk.run("man --out man1");
    let commands = every_help();
    let summary = format!("{} manual pages in man1\n", commands.len());
    assert!(run.done().stdout.starts_with(&summary), "{run:#?}");
    for (command, long) in commands {
        let name = format!("perceptor {command}").trim_end().replace(' ', "-");
        let page = String::from_utf8(desk.read(&format!("man1/{name}.1"))).expect("text");
        let page = page.replace("\\-", "-");
        assert!(
            page.contains(&format!(".SH NAME\n{name} - ")),
            "{name}: {page}"
        );
        assert!(page.contains(".SH EXAMPLES\n"), "{name}: {page}");
        for flag in flags(&long.stdout) {
            assert!(
                page.contains(&format!("--{}", flag.name)),
                "{name}: --{}",
                flag.name
            );
        }
    }
    let first = String::from_utf8(desk.read("man1/perceptor.1")).expect("text");
    assert!(
        first.contains(".SH \"EXIT CODES\"\n") && first.contains("  70 "),
        "{first}"
    );
}
