//! Chooses the engine for a network from rates that are measured once per machine at a few shapes.
//!
//! Every available engine is timed at the products of some layers, on one thread. The time of a network is estimated
//! layer by layer from the nearest of those shapes. Keeping the table in a file makes the choice, and thus the bits,
//! the same next time.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::products::{self, Stage};
use crate::compute::blas;
use crate::compute::{Engine, EngineChoice};
use crate::doctor::openblas_would_crash;
use crate::durable::{create_folder, write_atomically};
use crate::error::Result;
use crate::nn::{Activation, Spec};

/// The name and version of the file's layout.
const SCHEMA: &str = "perceptor.engines/1";
/// The longest file that is read as a table, in bytes.
const MAX_LENGTH: u64 = 1 << 20;
/// The layers that are measured, `in` and `out`: from the last one of a small network to a wide one.
const LAYERS: [(usize, usize); 4] = [(100, 10), (784, 100), (512, 256), (1024, 1024)];
/// The batch sizes that are measured.
const BATCHES: [usize; 2] = [32, 128];
/// The number of runs of each product, and about how long one takes, in seconds.
const RUNS: (usize, f64) = (3, 1e-3);
/// The share of the preferred engine's time that another engine must stay below: less of a difference is noise, and no
/// reason to change bits.
const MARGIN: f64 = 0.95;

/// The speed of every engine of a machine at a few shapes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineTable {
    schema: String,
    /// The machine that was measured; the table does not apply to any other.
    machine: String,
    /// The rate of every engine at every shape.
    pub rates: Vec<EngineRate>,
}

/// The speed of an engine at one shape: forward product and weight update together, on one thread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EngineRate {
    /// The engine.
    pub engine: Engine,
    /// The number of samples in a batch.
    pub rows: usize,
    /// Width of the layer's input.
    pub fan_in: usize,
    /// Width of the layer's output.
    pub fan_out: usize,
    /// 10⁹ operations per second.
    pub gflops: f64,
}

/// The estimated time of an engine for a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The engine.
    pub engine: Engine,
    /// The time of the products of one training sample on one thread, in seconds.
    pub seconds_per_sample: f64,
}

impl EngineTable {
    /// Measures every available engine that does not crash the process, which takes some tenths of a second.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] when memory is not granted, [`crate::Error::Config`] when a thread is not.
    pub fn measure() -> Result<EngineTable> {
        let mut rates = Vec::new();
        let mut engines = products::engines(Engine::Native);
        engines.retain(|&engine| engine != Engine::Openblas || !openblas_would_crash());
        for engine in engines {
            for ((fan_in, fan_out), rows) in
                LAYERS.into_iter().flat_map(|l| BATCHES.map(|b| (l, b)))
            {
                let spec = Spec::new(fan_in, &[], fan_out, Activation::Identity)?;
                let found = products::measure(engine, (&spec, 0), rows, RUNS, 1.0)?;
                let both = found.iter().filter(|p| p.stage != Stage::InputGradient);
                // The fastest run of each, because every disturbance makes a run slower.
                let fastest = |runs: &[f64]| runs.iter().copied().fold(f64::INFINITY, f64::min);
                let seconds: f64 = both.map(|product| fastest(&product.seconds)).sum();
                rates.push(EngineRate {
                    engine,
                    rows,
                    fan_in,
                    fan_out,
                    gflops: 4e-9 * (rows * fan_in * fan_out) as f64 / seconds,
                });
            }
        }
        Ok(EngineTable {
            schema: SCHEMA.to_owned(),
            machine: machine(),
            rates,
        })
    }

    /// Reads the table in the file `path`; `None` if there is none for this machine and this build.
    pub fn read(path: &Path) -> Option<EngineTable> {
        let mut bytes = Vec::new();
        let file = File::open(path).ok()?;
        file.take(MAX_LENGTH).read_to_end(&mut bytes).ok()?;
        EngineTable::from_bytes(&bytes).filter(|table| table.machine == machine())
    }

    /// Reads a table of any machine from `bytes`; `None` if they are something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<EngineTable> {
        let table: EngineTable = serde_json::from_slice(bytes).ok()?;
        let rates_are_numbers = table
            .rates
            .iter()
            .all(|r| r.gflops.is_finite() && r.gflops > 0.0);
        (table.schema == SCHEMA && rates_are_numbers).then_some(table)
    }

    /// Writes the table to the file `path`.
    ///
    /// # Errors
    /// Returns [`crate::Error::Io`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).expect("plain data is always JSON");
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        write_atomically(path, |out| out.write_all(&text))
    }

    /// The time that each engine takes to train `spec` in batches of `batch_size`, in the order of preference.
    pub fn estimates(&self, spec: &Spec, batch_size: usize) -> Vec<Estimate> {
        let engines = products::engines(Engine::Native).into_iter();
        let estimates = engines.filter_map(|engine| {
            let seconds = spec.layers().iter().enumerate().map(|(index, layer)| {
                let shape = (batch_size, layer.fan_in, layer.fan_out);
                let products = if index == 0 { 4.0 } else { 6.0 };
                let flops = products * (layer.fan_in * layer.fan_out) as f64;
                Some(flops / (1e9 * self.nearest(engine, shape)?.gflops))
            });
            Some(Estimate {
                engine,
                seconds_per_sample: seconds.sum::<Option<f64>>()?,
            })
        });
        estimates.collect()
    }

    /// Chooses the engine to train `spec` with: the preferred one, unless another is clearly faster.
    pub fn choose(&self, spec: &Spec, batch_size: usize) -> EngineChoice {
        let estimates = self.estimates(spec, batch_size);
        let best = estimates.iter().copied().reduce(|best, other| {
            if other.seconds_per_sample < MARGIN * best.seconds_per_sample {
                other
            } else {
                best
            }
        });
        best.map_or(EngineChoice::Auto, |best| best.engine.into())
    }

    /// The rate at the measured shape nearest to `(rows, fan_in, fan_out)`, by the logarithms of the sizes.
    fn nearest(&self, engine: Engine, shape: (usize, usize, usize)) -> Option<&EngineRate> {
        let far = |a: usize, b: usize| (a as f64 / b as f64).ln().abs();
        let distance = |rate: &EngineRate| {
            far(rate.rows, shape.0) + far(rate.fan_in, shape.1) + far(rate.fan_out, shape.2)
        };
        let rates = self.rates.iter().filter(|rate| rate.engine == engine);
        rates.min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}

/// Everything that determines rates: processor, engines with their kernels, and this build.
fn machine() -> String {
    let blas = blas::linked();
    let engines = products::engines(Engine::Native).into_iter();
    let engines: Vec<String> = engines.map(|engine| engine.describe(&blas)).collect();
    let (version, mode) = (crate::VERSION, crate::BUILD_MODE);
    format!(
        "{version} {mode}, {}, {}",
        super::record::processor(),
        engines.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a table with the rates `portable` for the portable engine, and 100 GFLOP/s for every other.
    fn table(portable: impl Fn(usize) -> f64) -> EngineTable {
        let mut rates = Vec::new();
        for engine in products::engines(Engine::Native) {
            for (fan_in, fan_out) in LAYERS {
                let own = engine == Engine::Portable;
                rates.push(EngineRate {
                    engine,
                    rows: 128,
                    fan_in,
                    fan_out,
                    gflops: if own { portable(fan_out) } else { 100.0 },
                });
            }
        }
        EngineTable {
            schema: SCHEMA.to_owned(),
            machine: machine(),
            rates,
        }
    }

    fn spec(hidden: &[usize]) -> Spec {
        Spec::new(784, hidden, 10, Activation::Relu).expect("a spec")
    }

    #[test]
    fn the_preferred_engine_is_chosen_unless_another_is_clearly_faster() {
        let preferred = products::engines(Engine::Native)[0];
        assert_eq!(
            table(|_| 103.0).choose(&spec(&[100]), 128),
            preferred.into()
        );
        assert_eq!(
            table(|_| 200.0).choose(&spec(&[100]), 128),
            EngineChoice::Portable
        );
    }

    #[test]
    fn every_layer_is_estimated_at_the_nearest_shape() {
        // The portable engine is fast only for wide layers.
        let table = table(|fan_out| if fan_out >= 1000 { 300.0 } else { 20.0 });
        assert_eq!(
            table.choose(&spec(&[1500, 1200]), 128),
            EngineChoice::Portable
        );
        if products::engines(Engine::Native).len() > 1 {
            assert_ne!(table.choose(&spec(&[100]), 128), EngineChoice::Portable);
        }
        let estimate = table.estimates(&spec(&[1024, 1024]), 128);
        let portable = estimate.iter().find(|e| e.engine == Engine::Portable);
        let flops = [
            4.0 * 784.0 * 1024.0 / 300e9,
            6.0 * 1024.0 * 1024.0 / 300e9,
            6.0 * 10_240.0 / 20e9,
        ];
        let expected: f64 = flops.iter().sum();
        let found = portable.expect("an estimate").seconds_per_sample;
        assert!(
            (found - expected).abs() < 1e-9 * expected,
            "{found} for {expected}"
        );
    }

    #[test]
    fn a_table_is_read_back_but_not_on_another_machine() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deeper/engines.json");
        assert_eq!(EngineTable::read(&path), None);
        let measured = EngineTable::measure().expect("memory");
        let engines = products::engines(Engine::Native).len();
        assert_eq!(measured.rates.len(), engines * LAYERS.len() * BATCHES.len());
        measured.write(&path).expect("writing");
        assert_eq!(EngineTable::read(&path), Some(measured.clone()));
        let mut other = measured;
        other.machine += " of another kind";
        other.write(&path).expect("writing");
        assert_eq!(EngineTable::read(&path), None);
        std::fs::write(&path, "{").expect("writing");
        assert_eq!(EngineTable::read(&path), None);
    }
}
