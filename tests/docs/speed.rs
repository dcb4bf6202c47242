//! The table and the chart of measured speeds, which scripts make from `benches/peers/results.json`.

use std::fs;
use std::process::Command;

use crate::page::{Page, root};

/// What a script prints for the measured results, or `None` without Python.
fn made_by(script: &str) -> Option<String> {
    let peers = root().join("benches/peers");
    let command = Command::new("python3")
        .arg(peers.join(script))
        .arg(peers.join("results.json"))
        .output();
    let run = command
        .inspect_err(|_| eprintln!("skipped: no python3"))
        .ok()?;
    assert!(run.status.success(), "{script}: {run:#?}");
    Some(String::from_utf8(run.stdout).expect("text"))
}

#[test]
fn the_speed_table_is_the_one_that_was_measured() {
    let Some(table) = made_by("table") else {
        return;
    };
    let text = Page::read("README.md").text;
    let shown = text
        .split("<!-- speed table: benches/peers/table -->")
        .nth(1)
        .expect("the marker");
    let shown = shown
        .split("<!-- end of speed table -->")
        .next()
        .expect("the end of the table");
    assert_eq!(
        shown.trim(),
        table.trim(),
        "run benches/peers/table benches/peers/results.json --into README.md"
    );
}

#[test]
fn the_speed_chart_is_the_one_that_was_measured() {
    let Some(chart) = made_by("chart") else {
        return;
    };
    let shown = fs::read_to_string(root().join("docs/speed.svg")).expect("docs/speed.svg");
    assert_eq!(
        shown, chart,
        "run benches/peers/chart benches/peers/results.json > docs/speed.svg"
    );
}
