//! Results for people and programs, written to any [`Write`]. Nothing here decides which stream they go to.
//!
//! Each command has a module with one report, a struct that holds everything there is to say, and its writers side by
//! side: [`train`], [`eval`], [`predict`], [`inspect`], [`model`], [`bench`], [`doctor`] and [`tune`]. [`columns`] has the columns of a table,
//! [`engines`] shows how an engine was chosen, [`number`] formats numbers, [`table`] aligns columns, and [`warning`] says what a result suggests is wrong.

pub mod bench;
pub mod columns;
pub mod doctor;
pub mod engines;
pub mod eval;
pub mod inspect;
pub mod model;
pub mod number;
pub mod predict;
mod schema;
pub mod table;
pub mod train;
pub mod tune;
pub mod warning;

use std::io::{self, Write};

use serde::Serialize;

use crate::data::{Note, Targets};
use crate::message::Spelling;

/// Writes a report as one JSON object, indented, and ends the line.
fn write_json(mut out: &mut dyn Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)
}

/// Notes about tables, with settings spelled by `spelling`.
fn note_texts(notes: &[Note], spelling: &dyn Spelling) -> Vec<String> {
    let texts = notes.iter().map(|note| note.message().spelled(spelling));
    texts.collect()
}

/// What is learned from a data set: `10 classes`, `2 numbers to predict`, `3 labels, any of them`.
fn target_words(targets: &Targets) -> String {
    let outputs = targets.outputs();
    match targets {
        Targets::Classes { .. } => number::counted_as(outputs, "class", "classes"),
        Targets::Values { .. } => format!("{} to predict", number::counted(outputs, "number")),
        Targets::Flags { .. } => format!("{}, any of them", number::counted(outputs, "label")),
    }
}
