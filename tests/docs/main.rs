//! The documentation, held against the program: its commands run, its flags, links and paths exist.
//!
//! In `README.md` and `docs/`, every `perceptor` command in a block marked `sh` runs, in order, in one folder for each
//! page, which `sources` has filled with small files under the names that the pages use: `DIR`, `iris.csv` and so on. A
//! block of `toml` is a file of settings to train with. A block marked `sh no-run` has commands that take long, or need
//! cargo or the network; of these, and of commands shown in a transcript after `$ `, only the flags are checked.

mod commands;
mod page;
mod paths;
mod program;
mod python;
mod settings;
mod sources;
mod speed;

use std::thread;

use crate::page::{Kind, Page};
use crate::program::Folder;

/// Commands whose exit code may be 1 as well as 0: `doctor` finds fault with a debug build.
const MAY_FIND_FAULTS: &str = "doctor";

#[test]
fn every_command_in_the_documentation_runs() {
    let pages = Page::user_pages();
    let failed = thread::scope(|scope| {
        let run = |page| scope.spawn(move || run_commands_of(page));
        let running: Vec<_> = pages.iter().map(|page| (&page.name, run(page))).collect();
        let failed = running
            .into_iter()
            .filter_map(|(name, page)| page.join().err().map(|_| name));
        failed.collect::<Vec<_>>()
    });
    assert!(
        failed.is_empty(),
        "commands of {failed:?} failed; the messages are above"
    );
}

fn run_commands_of(page: &Page) {
    let folder = Folder::with_sources();
    for (number, block) in page.blocks().iter().enumerate() {
        match block.kind() {
            Kind::Run => {
                for command in block.commands() {
                    let run = folder.run(&command.words);
                    let accepted = if command.words[0] == MAY_FIND_FAULTS {
                        0..=1
                    } else {
                        0..=0
                    };
                    let code = run.status.code();
                    assert!(
                        code.is_some_and(|code| accepted.contains(&code)),
                        "{}:{}: {run:#?}",
                        page.name,
                        command.line
                    );
                }
            }
            Kind::Settings => {
                let file = format!("settings-{number}.toml");
                folder.put(&file, block.text.as_bytes());
                let line =
                    format!("train --data DIR --quiet --config {file} --out settings-{number}");
                let run = folder.run(&commands::words(&line));
                assert!(
                    run.status.success(),
                    "{}:{}: {run:#?}",
                    page.name,
                    block.line
                );
            }
            Kind::Check | Kind::Other => {}
        }
    }
}

#[test]
fn every_flag_in_the_documentation_is_in_the_help() {
    let folder = Folder::empty();
    let mut checked = 0;
    for page in Page::all() {
        for command in page.blocks().iter().flat_map(|block| block.commands()) {
            let help = folder.help(&commands::subcommand(&command.words));
            for flag in commands::flags(&command.words) {
                assert!(
                    commands::has_flag(&help, flag),
                    "{}:{}: {flag}, expected a flag of that command",
                    page.name,
                    command.line
                );
                checked += 1;
            }
        }
        for (line, span) in page.code_spans() {
            let words = commands::words(span);
            let Some(flag) = commands::flags(&words)
                .next()
                .filter(|_| span.starts_with("--"))
            else {
                continue;
            };
            let known = program::COMMANDS
                .iter()
                .any(|name| commands::has_flag(&folder.help(&commands::words(name)), flag));
            assert!(
                known || program::CARGO_FLAGS.contains(&flag),
                "{}:{line}: {flag}, expected a flag of some command",
                page.name
            );
            checked += 1;
        }
    }
    assert!(checked > 150, "only {checked} flags found");
}

#[test]
fn blocks_of_commands_hold_nothing_else() {
    for page in Page::user_pages() {
        for block in page
            .blocks()
            .iter()
            .filter(|block| block.kind() == Kind::Run)
        {
            for (number, line) in block.lines() {
                assert!(
                    line.starts_with("perceptor ") || line.starts_with('#'),
                    "{}:{number}: {line}, expected a perceptor command, or sh no-run above the block",
                    page.name
                );
            }
        }
    }
}

#[test]
fn every_link_and_anchor_resolves() {
    let mut checked = 0;
    for page in Page::all() {
        for (line, target) in page.links() {
            paths::check_link(&page, line, target);
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} links found");
}

#[test]
fn every_path_and_module_that_the_documentation_names_exists() {
    for page in Page::all() {
        for (line, span) in page.code_spans() {
            paths::check_path(&page, line, span);
        }
    }
    paths::check_modules(&Page::read("docs/architecture.md"));
}

#[test]
fn the_architecture_page_names_everything_in_src() {
    let page = Page::read("docs/architecture.md");
    for entry in paths::entries_of_src() {
        assert!(
            page.text.contains(&format!("`{entry}`")),
            "docs/architecture.md: no row for {entry}"
        );
    }
}

#[test]
fn pages_stay_short() {
    for page in Page::all() {
        let most = match page.name.as_str() {
            "README.md" => 150,
            _ => 249,
        };
        let lines = page.text.lines().count();
        assert!(
            lines <= most,
            "{}: {lines} lines, expected at most {most}",
            page.name
        );
    }
}
