//! Encoded blocks, joined to a data set.

use std::path::Path;

use rayon::prelude::*;

use super::block::Block;
use super::cache::{self, Earlier, Reading, TableCache};
use super::collected::{Answers, Collected, Elements};
use super::encode::{Chunk, Counts, Encoder, KeptRows};
use super::filling::{Filling, Place};
use super::options::Cache;
use crate::error::Result;
use crate::message::Message;
use crate::system::cgroup::Limits;
use crate::system::{Memory, SystemFiles};

/// The memory that rows may use if the system does not report how much there is, in bytes.
const UNKNOWN_MEMORY: u64 = 1 << 32;

/// Rows that need more than this part of the memory go to a file, unless a limit is given.
const PART: u64 = 4;

/// The rows of a table so far.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    inputs: usize,
    elements: Filling<'a>,
    answers: Answers,
    rows: usize,
    counts: Counts,
}

/// Returns the most bytes that the rows, or the records of a table, may use in memory: `given`, or a part of what there is.
pub(super) fn memory_limit(given: Option<u64>) -> u64 {
    given.unwrap_or_else(|| {
        let files = SystemFiles::default();
        let memory = Memory::detect(&files, &Limits::read(&files));
        memory.usable().unwrap_or(UNKNOWN_MEMORY) / PART
    })
}

/// Returns the rows of the table at `path`: the ones that an earlier process encoded, if they still fit, or the ones that
/// `encode` adds, which are expected to be this many. Further returns what to note about it.
///
/// # Errors
/// Returns the errors of `encode`, of [`Filling::add`], and of the file of rows.
pub(super) fn collect(
    path: &Path,
    reading: Reading,
    rows: usize,
    encode: impl FnOnce(&mut Collector) -> Result<()>,
) -> Result<(Collected, Option<Message>)> {
    let (mut differs, limit) = (None, memory_limit(reading.options.memory));
    let place = match &reading.options.cache {
        Cache::Temporary => Place::Folder(std::env::temp_dir()),
        Cache::Unnamed(folder) => Place::Folder(folder.clone()),
        Cache::File(file) => {
            let cache = TableCache::new(file, path, reading)?;
            match cache.earlier()? {
                Earlier::Fits(rows) => return Ok((*rows, Some(cache.used()))),
                Earlier::Differs(why) => differs = Some(why),
                Earlier::Absent => {}
            }
            Place::Cache(cache)
        }
    };
    let inputs = reading.schema.inputs();
    let mut collector = Collector {
        inputs,
        elements: Filling::new((inputs, rows), place, limit)?,
        answers: Answers::default(),
        rows: 0,
        counts: Counts::default(),
    };
    encode(&mut collector)?;
    let collected = collector.finish()?;
    let Elements { length, path, .. } = &collected.elements;
    let about = path
        .as_ref()
        .map(|file| cache::about(file, *length as u64, limit, differs.as_ref()));
    Ok((collected, about))
}

impl Collector<'_> {
    /// Adds the rows of the next blocks. This runs on a worker, and on others that have nothing to do.
    ///
    /// # Errors
    /// Returns the errors of [`Encoder::encode`] and of [`Filling::add`].
    pub fn add(&mut self, encoder: &Encoder, blocks: Vec<Block>) -> Result<()> {
        let kept: Vec<KeptRows> = blocks.par_iter().map(|block| encoder.kept(block)).collect();
        let rows: usize = kept.iter().map(|kept| kept.count).sum();
        let inputs = self.inputs;
        let chunks = self.elements.add(rows, |mut out| {
            let outs = kept.iter().map(|kept| {
                let (own, rest) = std::mem::take(&mut out).split_at_mut(kept.count * inputs);
                out = rest;
                own
            });
            let outs: Vec<&mut [f32]> = outs.collect();
            let parts = blocks.into_par_iter().zip(&kept).zip(outs);
            let chunks = parts.map(|((block, kept), out)| encoder.encode(&block, kept, out));
            // The first refusal in the order of the table, however the workers share the blocks.
            let chunks: Vec<Result<Chunk>> = chunks.collect();
            chunks.into_iter().collect::<Result<Vec<Chunk>>>()
        })?;
        for chunk in chunks {
            self.answers.labels.extend_from_slice(&chunk.labels);
            self.answers.values.extend_from_slice(&chunk.values);
            self.answers.flags.extend_from_slice(&chunk.flags);
            self.answers.weights.extend_from_slice(&chunk.weights);
            self.counts.add(&chunk.counts);
        }
        self.rows += rows;
        Ok(())
    }

    /// Returns all rows.
    fn finish(self) -> Result<Collected> {
        let elements = self.elements.finish(|file, cache| {
            let shape = (self.rows, self.inputs);
            file.finish(cache.origin()?, shape, &self.answers, &self.counts)
        })?;
        Ok(Collected {
            inputs: self.inputs,
            rows: self.rows,
            elements,
            answers: self.answers,
            counts: self.counts,
        })
    }
}
