//! `environment.json`: the machine and build of a run, for people to read.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::compute::Engine;
use crate::compute::blas::Blas;
use crate::doctor::{Build, Machine, SystemFiles};
use crate::durable::write_unsynced;
use crate::error::Result;

/// The name and version of the layout.
const SCHEMA: &str = "perceptor.environment/1";

/// The machine and build of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    schema: &'static str,
    build: Build,
    /// The library that computes the products; `None` if the engine calls none.
    blas: Option<Blas>,
    /// The engine together with what it runs on.
    engine: String,
    threads: usize,
    /// When this session started, in seconds since 1970.
    started: u64,
    machine: Machine,
}

impl Environment {
    /// Describes this machine.
    pub fn describe(engine: Engine, threads: usize) -> Environment {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Environment {
            schema: SCHEMA,
            build: Build::of_this_program(),
            blas: engine.library(),
            engine: engine.describe(),
            threads,
            started: now.map_or(0, |since| since.as_secs()),
            machine: Machine::detect(&SystemFiles::default()),
        }
    }

    /// Writes the file at `path`.
    ///
    /// # Errors
    /// Returns [`crate::Error::Io`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_unsynced(path, |out| {
            serde_json::to_writer_pretty(&mut *out, self)?;
            writeln!(out)
        })
    }
}
