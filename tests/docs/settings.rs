//! `docs/settings.md`, which is the help of `train` as tables.
//!
//! `PERCEPTOR_UPDATE_DOCS=1 cargo test --test docs settings` rewrites them.

use std::env;
use std::fs;

use crate::commands::words;
use crate::page::{Page, root};
use crate::program::Folder;

const PAGE: &str = "docs/settings.md";
const MARKER: &str = "<!-- settings: perceptor train --help -->";

/// A flag with its value, as `--lr <X>`, and its description.
struct Flag {
    heading: String,
    usage: String,
    description: String,
}

/// Whether a line of help begins an option. A description that continues on the next line is indented further, and may
/// begin with a flag too.
fn starts_option(line: &str) -> bool {
    let text = line.trim_start();
    text.starts_with('-') && line.len() - text.len() <= 6
}

/// Reads the options in a help text, which may wrap their descriptions.
fn flags(help: &str) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    let mut heading = String::new();
    for line in help.lines().filter(|line| !line.trim().is_empty()) {
        let text = line.trim();
        if !line.starts_with(' ') {
            heading = text.strip_suffix(':').unwrap_or_default().to_owned();
        } else if starts_option(line) && !heading.is_empty() {
            let (usage, description) = text.split_once("  ").unwrap_or((text, ""));
            let [usage, description] = [usage, description].map(|part| part.trim().to_owned());
            flags.push(Flag {
                heading: heading.clone(),
                usage,
                description,
            });
        } else if let Some(flag) = flags
            .last_mut()
            .filter(|flag| flag.heading == heading && !text.is_empty())
        {
            flag.description += &format!(" {text}");
        }
    }
    flags.retain(|flag| !flag.usage.contains("--help"));
    flags
}

/// `[default: 0.9] [possible values: a, b]` in words of a table.
fn cell(description: &str) -> String {
    let text = description.trim().replace('|', "\\|").replace('<', "&lt;");
    let (text, values) = match text.split_once(" [possible values: ") {
        Some((text, values)) => (
            text.to_owned(),
            Some(values.trim_end_matches(']').to_owned()),
        ),
        None => (text, None),
    };
    let values = values.map(|values| {
        let quoted: Vec<_> = values
            .split(", ")
            .map(|value| format!("`{value}`"))
            .collect();
        format!("; one of {}", quoted.join(", "))
    });
    format!("{text}{}", values.unwrap_or_default())
}

fn tables(flags: &[Flag]) -> String {
    let mut text = String::new();
    let mut last = "";
    for flag in flags {
        if flag.heading != last {
            text += &format!("\n## {}\n\n| flag | meaning |\n|---|---|\n", flag.heading);
            last = &flag.heading;
        }
        let usage = flag.usage.replace('|', "\\|");
        text += &format!("| `{usage}` | {} |\n", cell(&flag.description));
    }
    text
}

#[test]
fn the_settings_page_is_the_help_of_train() {
    let help = Folder::empty().help(&words("train"));
    let flags = flags(&help);
    assert!(flags.len() > 40, "{help}");
    let page = Page::read(PAGE).text;
    let (before, _) = page.split_once(MARKER).expect("the marker");
    let expected = format!("{before}{MARKER}\n{}", tables(&flags));
    if env::var_os("PERCEPTOR_UPDATE_DOCS").is_some() {
        fs::write(root().join(PAGE), &expected).expect("writing the page");
        return;
    }
    assert!(
        page == expected,
        "{PAGE} differs from the help of train; PERCEPTOR_UPDATE_DOCS=1 in the environment updates it"
    );
}
