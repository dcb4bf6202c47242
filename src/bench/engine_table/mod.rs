//! Chooses the engine for a network from rates that are measured once per machine at a few shapes.
//!
//! `measure` times every available engine at the products of some layers, on one thread. The time of a network is
//! estimated layer by layer from the nearest of those shapes. Keeping the table in a file makes the choice, and thus the
//! bits, the same next time.

mod load;
mod measure;
mod rate;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use self::load::Load;
pub use self::rate::EngineRate;
use super::team::KeptTeams;
use crate::compute::{Engine, EngineChoice};
use crate::durable::{create_folder, write_unsynced};
use crate::error::Result;

/// The name and version of the file's layout.
const SCHEMA: &str = "perceptor.engines/2";
/// The longest file that is read as a table, in bytes.
const MAX_LENGTH: u64 = 1 << 20;
/// The share of the preferred engine's time that another engine must stay below: less of a difference is noise, and no
/// reason to change bits.
const MARGIN: f64 = 0.95;

/// The speed of every engine of a machine at a few shapes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineTable {
    schema: String,
    /// The machine that was measured; the table does not apply to any other.
    machine: String,
    /// The rate of every engine at every shape; empty if no choice has needed them yet.
    pub rates: Vec<EngineRate>,
    /// The rates of teams of workers at some works.
    #[serde(default)]
    pub teams: KeptTeams,
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
    /// Measures every available engine that does not crash the process, which takes about half a second.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] when memory is not granted, [`crate::Error::Config`] when a thread is not.
    pub fn measure() -> Result<EngineTable> {
        let mut table = EngineTable::empty();
        table.measure_engines()?;
        Ok(table)
    }

    /// Returns a table of this machine without rates.
    pub fn empty() -> EngineTable {
        EngineTable {
            schema: SCHEMA.to_owned(),
            machine: machine(),
            rates: Vec::new(),
            teams: KeptTeams::default(),
        }
    }

    /// Measures the engines as [`EngineTable::measure`] does, and leaves the rates of teams as they are.
    ///
    /// # Errors
    /// Returns the errors of [`EngineTable::measure`].
    pub fn measure_engines(&mut self) -> Result<()> {
        self.rates = measure::rates()?;
        Ok(())
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
        let is_valid = rates_are_numbers && table.teams.is_valid();
        (table.schema == SCHEMA && is_valid).then_some(table)
    }

    /// Writes the table to the file `path`. A power failure, but nothing else, may lose it.
    ///
    /// # Errors
    /// Returns [`crate::Error::Io`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).expect("plain data is always JSON");
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        write_unsynced(path, |out| out.write_all(&text))
    }

    /// The time that each engine takes to train the network of `load`, in the order of preference.
    pub fn estimates(&self, load: &Load) -> Vec<Estimate> {
        // An engine that was not here has no rates.
        let estimates = Engine::BY_PREFERENCE.into_iter().filter_map(|engine| {
            let seconds = load.spec.layers().iter().enumerate().map(|(index, layer)| {
                let shape = (load.batch_size, layer.fan_in, layer.fan_out);
                let products = match (index, engine) {
                    (0, Engine::Native) => 4.0 * load.first_layer,
                    (0, _) => 4.0,
                    _ => 6.0,
                };
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

    /// Chooses the engine to train the network of `load` with: the preferred one, unless another is clearly faster.
    pub fn choose(&self, load: &Load) -> EngineChoice {
        let estimates = self.estimates(load);
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
    // Reading it takes a while on a machine of many cores.
    static MACHINE: LazyLock<String> = LazyLock::new(describe_machine);
    MACHINE.clone()
}

fn describe_machine() -> String {
    let engines = Engine::BY_PREFERENCE.into_iter();
    let engines = engines.filter(|engine| engine.is_built_in());
    let engines: Vec<String> = engines.map(Engine::identity).collect();
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
    use crate::bench::products;
    use crate::nn::{Activation, Spec};

    /// Makes a table with the rates `portable` for the portable engine, and 100 GFLOP/s for every other.
    fn table(portable: impl Fn(usize) -> f64) -> EngineTable {
        let mut rates = Vec::new();
        for engine in products::engines(Engine::Native) {
            for (fan_in, fan_out) in [(100, 10), (784, 100), (512, 256), (1024, 1024)] {
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
            rates,
            ..EngineTable::empty()
        }
    }

    fn spec(hidden: &[usize]) -> Spec {
        Spec::new(784, hidden, 10, Activation::Relu).expect("a spec")
    }

    fn choice(table: &EngineTable, hidden: &[usize], batch_size: usize) -> EngineChoice {
        table.choose(&Load::dense(&spec(hidden), batch_size))
    }

    #[test]
    fn the_native_engine_is_chosen_for_a_first_layer_that_skips_zeros() {
        let native = Engine::Native;
        if native.check().is_err() {
            return;
        }
        let mut table = table(|_| 100.0);
        let slower = table.rates.iter_mut().filter(|rate| rate.engine == native);
        slower.for_each(|rate| rate.gflops = 60.0);
        let chosen = |hidden: &[usize], first_layer| {
            table.choose(&Load {
                first_layer,
                ..Load::dense(&spec(hidden), 128)
            })
        };
        assert_ne!(chosen(&[100], 1.0), native.into());
        assert_eq!(chosen(&[100], 0.3), native.into());
        // The other layers take most of the time.
        assert_ne!(chosen(&[100, 3000, 3000], 0.3), native.into());
    }

    #[test]
    fn the_preferred_engine_is_chosen_unless_another_is_clearly_faster() {
        let preferred = products::engines(Engine::Native)[0];
        assert_eq!(choice(&table(|_| 103.0), &[100], 128), preferred.into());
        assert_eq!(
            choice(&table(|_| 200.0), &[100], 128),
            EngineChoice::Portable
        );
    }

    #[test]
    fn every_layer_is_estimated_at_the_nearest_shape() {
        // The portable engine is fast only for wide layers.
        let table = table(|fan_out| if fan_out >= 1000 { 300.0 } else { 20.0 });
        assert_eq!(choice(&table, &[1500, 1200], 128), EngineChoice::Portable);
        if products::engines(Engine::Native).len() > 1 {
            assert_ne!(choice(&table, &[100], 128), EngineChoice::Portable);
        }
        let estimate = table.estimates(&Load::dense(&spec(&[1024, 1024]), 128));
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

    /// Makes a table of the measured shapes in which the portable engine is twice as fast as the others at batches of
    /// 4096 and more, and half as fast at others.
    fn table_in_favour_of_large_batches() -> EngineTable {
        let mut table = table(|_| 50.0);
        let engines = products::engines(Engine::Native);
        table.rates = engines
            .iter()
            .flat_map(|&engine| measure::SHAPES.map(|shape| (engine, shape)))
            .map(|(engine, shape)| EngineRate {
                engine,
                rows: shape.rows,
                fan_in: shape.fan_in,
                fan_out: shape.fan_out,
                gflops: match engine {
                    Engine::Portable if shape.rows >= 4096 => 200.0,
                    Engine::Portable => 50.0,
                    _ => 100.0,
                },
            })
            .collect();
        table
    }

    #[test]
    fn large_batches_are_estimated_at_the_rates_of_large_batches() {
        let table = table_in_favour_of_large_batches();
        for hidden in [&[100][..], &[1024, 1024], &[300, 300, 300]] {
            for batch_size in [4096, 10_000, 20_000, 60_000] {
                let chosen = choice(&table, hidden, batch_size);
                assert_eq!(chosen, EngineChoice::Portable, "{hidden:?}, {batch_size}");
            }
            if products::engines(Engine::Native).len() > 1 {
                for batch_size in [1, 32, 128, 512] {
                    let chosen = choice(&table, hidden, batch_size);
                    assert_ne!(chosen, EngineChoice::Portable, "{hidden:?}, {batch_size}");
                }
            }
        }
    }

    #[test]
    fn a_table_of_an_earlier_layout_is_not_read() {
        let table = table(|_| 50.0);
        let text = serde_json::to_string(&table).expect("JSON");
        assert_eq!(EngineTable::from_bytes(text.as_bytes()), Some(table));
        let earlier = text.replace(SCHEMA, "perceptor.engines/1");
        assert_eq!(EngineTable::from_bytes(earlier.as_bytes()), None);
    }

    #[test]
    fn a_table_is_read_back_but_not_on_another_machine() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deeper/engines.json");
        assert_eq!(EngineTable::read(&path), None);
        let measured = EngineTable::measure().expect("memory");
        let engines = products::engines(Engine::Native).len();
        assert_eq!(measured.rates.len(), engines * measure::SHAPES.len());
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
