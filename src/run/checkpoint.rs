//! A checkpoint file: safetensors that any tool can read, with everything a run needs to resume.
//!
//! Tensors are those of a model, `layers.L.weight [in, out]` and `layers.L.bias [out]`. Tensors of the same shape whose names
//! end in the name of a slot, as in `.velocity`, hold the state of the optimiser, and those that end in `.best` the weights
//! of the best epoch so far, if these are kept. The JSON object of the metadata ends in a checksum, 128 bits of XXH3 over the
//! object up to there and then all parameters, slots and best parameters in order, so that a single flipped bit is detected
//! and an older checkpoint is used. Its `format` is 1, or 2 with the scale `standard`, which meant one pair of numbers for
//! all features in files of format 1. The file holds no state of a random number generator: all randomness follows from the
//! seed and the place in the run (see [`crate::train::state`]).

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::config::TrainConfig;
use crate::data::content_hash::hexadecimal;
use crate::data::{Fingerprint, Scale, TargetScale, TargetScaling};
use crate::error::{Error, Result};
use crate::model::Origin;
use crate::nn::{Activation, Spec, Task};
use crate::scores::EpochMetrics;
use crate::table::Schema;
use crate::tensors::{self, Kind, Layout, TensorFile, little_endian};
use crate::train::State;

/// The format of a run whose features have a pair of numbers each.
const FEATURE_FORMAT: u32 = 2;

const KIND: Kind = Kind {
    name: "checkpoint",
    format: FEATURE_FORMAT,
    damaged: Error::Checkpoint,
    unusable: Error::Run,
    hint: || None,
};

/// The text between the hashed part of the metadata and the digits of the checksum.
const CHECKSUM: &str = ",\"checksum\":\"";
/// The suffix of the tensors of the best parameters so far.
const BEST: &str = ".best";

/// The identity of a run, which does not change as it progresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of the program.
    pub version: String,
    /// The revision of its source.
    pub revision: String,
    /// Every setting that decides the result. The engine is the one that computes, never `auto`.
    pub config: TrainConfig,
    /// The engine together with what it runs on.
    pub engine: String,
    /// The fingerprint of the data.
    pub data: Fingerprint,
    /// How the table was read that it trains on; `None` for other data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}

/// The content of a checkpoint file.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The network.
    pub spec: Spec,
    /// The identity of the run.
    pub identity: Identity,
    /// The state of the run.
    pub state: State,
}

/// The JSON object of the metadata, except the checksum at its end.
#[derive(Serialize, Deserialize)]
struct Metadata {
    format: u32,
    layers: Vec<usize>,
    activation: Activation,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    batch_norm: bool,
    #[serde(flatten)]
    identity: Identity,
    /// Steps that are done in the current epoch.
    steps: usize,
    /// The sum of the losses of their samples, in nats.
    loss_sum: f64,
    /// The time of these steps in seconds.
    seconds: f64,
    /// The time of the run so far in seconds, including evaluation.
    #[serde(default)]
    spent_seconds: f64,
    /// Whether the file holds the parameters of the best epoch so far.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    best: bool,
    /// The model that the run started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    /// How targets are standardised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_scaling: Option<TargetScaling>,
    /// The epochs that are done, including the best so far.
    epochs: Vec<EpochMetrics>,
}

impl Checkpoint {
    /// Returns the bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Checkpoint {
            spec,
            identity,
            state,
        } = self;
        let metadata = Metadata {
            format: match identity.config.scale {
                Scale::Standard => FEATURE_FORMAT,
                _ => 1,
            },
            layers: spec.sizes(),
            activation: spec.activation(),
            batch_norm: spec.batch_norm(),
            identity: identity.clone(),
            steps: state.steps,
            loss_sum: state.loss_sum,
            seconds: state.elapsed.as_secs_f64(),
            spent_seconds: state.spent.as_secs_f64(),
            best: state.best.is_some(),
            origin: state.origin.clone(),
            target_scaling: state.target_scaling.clone(),
            epochs: state.epochs.clone(),
        };
        let mut text = serde_json::to_string(&metadata).expect("plain data is always JSON");
        text.pop();
        let sum = checksum(&text, state);
        text.push_str(&format!("{CHECKSUM}{sum}\"}}"));
        let layout = Layout::own(spec.layers().len());
        let best = layout.clone().ending(BEST);
        let slots = slot_layouts(spec, &identity.config);
        let slots = state.slots.iter().map(Vec::as_slice).zip(slots);
        let flats: Vec<(&[f32], Layout)> = std::iter::once((&state.parameters[..], layout))
            .chain(slots)
            .chain(state.best.as_deref().map(|kept| (kept, best)))
            .collect();
        tensors::to_bytes(spec, &flats, text)
    }

    /// Reads the checkpoint at `path`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, [`Error::Checkpoint`] if it is damaged, and [`Error::Run`] if a
    /// later version wrote it.
    pub fn load(path: &Path) -> Result<Checkpoint> {
        Checkpoint::from_bytes(path, &tensors::read(path, "a checkpoint")?)
    }

    /// Reads a checkpoint from the content of the file `path`.
    ///
    /// # Errors
    /// Returns [`Error::Checkpoint`] and [`Error::Run`] as [`Checkpoint::load`] does.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Checkpoint> {
        let file = TensorFile::parse(&KIND, path, bytes)?;
        let mut metadata: Metadata = file.metadata()?;
        if metadata.format < FEATURE_FORMAT {
            let config = &mut metadata.identity.config;
            config.scale = config.scale.renamed();
        }
        let spec = file.spec(&metadata.layers, metadata.activation, metadata.batch_norm)?;
        let task = &metadata.identity.config.task;
        let spec = spec.for_task(task.task).with_link(task.link());
        let slots = slot_layouts(&spec, &metadata.identity.config);
        file.check_count(&spec, 1 + slots.len() + usize::from(metadata.best))?;
        let time = |seconds: f64| {
            let time = Duration::try_from_secs_f64(seconds);
            time.map_err(|_| {
                let found = format!("{seconds} seconds");
                file.refuse(found, "a possible duration")
            })
        };
        let layout = Layout::own(spec.layers().len());
        if let Some(Origin { scaling, .. }) = &metadata.origin {
            let checked = scaling.check(spec.inputs());
            checked.map_err(|(found, expected)| file.refuse(found, &expected))?;
        }
        let task = &mut metadata.identity.config.task;
        match &metadata.target_scaling {
            Some(scaling) if task.task != Task::Regression || !scaling.fits(spec.outputs()) => {
                let found = format!("a target scaling of {} outputs", scaling.factor.len());
                return Err(file.refuse(found, "one of each output of a regression"));
            }
            // Earlier versions scaled no targets, and had no such setting.
            None if task.task == Task::Regression && task.target_scale.is_none() => {
                task.target_scale = Some(TargetScale::None);
            }
            _ => {}
        }
        let best = layout.clone().ending(BEST);
        let best = metadata.best.then(|| file.flat(&spec, &best));
        let state = State {
            epochs: metadata.epochs,
            steps: metadata.steps,
            loss_sum: metadata.loss_sum,
            elapsed: time(metadata.seconds)?,
            parameters: file.flat(&spec, &layout)?,
            slots: slots
                .iter()
                .map(|layout| file.flat(&spec, layout))
                .collect::<Result<_>>()?,
            best: best.transpose()?,
            spent: time(metadata.spent_seconds)?,
            origin: metadata.origin,
            target_scaling: metadata.target_scaling,
        };
        let text = file.metadata.as_deref().unwrap_or_default();
        let text = text.rsplit_once(CHECKSUM);
        let Some((text, sum)) = text.and_then(|(text, end)| Some((text, end.strip_suffix("\"}")?)))
        else {
            return Err(file.refuse("no checksum at the end of its metadata", "one"));
        };
        let expected = checksum(text, &state);
        if sum != expected {
            return Err(file.refuse(
                format!("content with checksum {expected}"),
                &format!("{sum}, as when it was written"),
            ));
        }
        Ok(Checkpoint {
            spec,
            identity: metadata.identity,
            state,
        })
    }
}

/// The layout of each slot of the optimiser.
fn slot_layouts(spec: &Spec, config: &TrainConfig) -> Vec<Layout> {
    let layout = Layout::own(spec.layers().len());
    let slots = config.optimizer.rule().slots();
    let ending = |slot| layout.clone().ending(&format!(".{slot}"));
    slots.into_iter().map(ending).collect()
}

fn checksum(text: &str, state: &State) -> String {
    let mut hash = Xxh3::new();
    hash.update(text.as_bytes());
    hash.update(&little_endian(&state.parameters));
    for slot in &state.slots {
        hash.update(&little_endian(slot));
    }
    hash.update(&little_endian(state.best.as_deref().unwrap_or_default()));
    hexadecimal(hash.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Scaling;
    use crate::data::fingerprint::HalfPrint;
    use crate::scores::{Score, SetScores};
    use proptest::prelude::*;

    fn checkpoint() -> Checkpoint {
        let spec = Spec::new(3, &[2], 2, Activation::Tanh).expect("a spec");
        let epoch = EpochMetrics {
            epoch: 1,
            train_loss: 0.1 + 0.2,
            scores: SetScores {
                validation: Some(Score {
                    r2: Some(-1.0 / 3.0),
                    ..Score::of_loss(2.0 / 3.0)
                }),
                test: None,
            },
            learning_rate: 0.1,
            train_seconds: 1e-3,
            samples_per_second: 1e5,
            gflops: 0.7,
            part: None,
        };
        Checkpoint {
            state: State {
                epochs: vec![epoch],
                steps: 3,
                loss_sum: 1.0 / 7.0,
                elapsed: Duration::from_millis(2),
                parameters: (0..spec.parameters()).map(|i| i as f32 / 7.0).collect(),
                slots: vec![(0..spec.parameters()).map(|i| i as f32 / -9.0).collect()],
                best: Some((0..spec.parameters()).map(|i| i as f32 / 3.0).collect()),
                spent: Duration::from_millis(5),
                origin: Some(Origin {
                    scaling: Scaling::global(0.5, 0.1),
                    parameters: "p".to_owned(),
                }),
                target_scaling: None,
            },
            spec,
            identity: Identity {
                version: "0".to_owned(),
                revision: "0".to_owned(),
                config: TrainConfig::default(),
                engine: "none".to_owned(),
                data: Fingerprint {
                    train: HalfPrint {
                        items: 1,
                        classes: 2,
                        image_bytes: 3,
                        images: "a".to_owned(),
                        labels: "b".to_owned(),
                        class_names: None,
                        weights: None,
                    },
                    validation: None,
                    test: None,
                },
                schema: None,
            },
        }
    }

    fn read(bytes: &[u8]) -> Result<Checkpoint> {
        Checkpoint::from_bytes(Path::new("c"), bytes)
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let checkpoint = checkpoint();
        let bytes = checkpoint.to_bytes();
        assert_eq!(read(&bytes).expect("a checkpoint"), checkpoint);
        assert_eq!(checkpoint.to_bytes(), bytes);
    }

    #[test]
    fn standard_in_the_first_format_is_one_pair_for_all_features() {
        let of_scale = |scale| {
            let mut checkpoint = checkpoint();
            checkpoint.identity.config.scale = scale;
            checkpoint
        };
        let standard = of_scale(Scale::Standard);
        assert_eq!(read(&standard.to_bytes()).expect("a checkpoint"), standard);
        // As an earlier version wrote it.
        let text = String::from_utf8(of_scale(Scale::StandardGlobal).to_bytes());
        let bytes = text.expect_err("numbers").into_bytes();
        assert!(String::from_utf8_lossy(&bytes).contains(r#"{\"format\":1"#));
        let file = TensorFile::parse(&KIND, Path::new("c"), &bytes).expect("a file");
        let metadata = file.metadata.as_deref().expect("metadata");
        let (metadata, _) = metadata.rsplit_once(CHECKSUM).expect("a checksum");
        let mut earlier = metadata.replace("standard-global", "standard");
        let sum = checksum(&earlier, &standard.state);
        earlier.push_str(&format!("{CHECKSUM}{sum}\"}}"));
        let layout = Layout::own(standard.spec.layers().len());
        let slot = slot_layouts(&standard.spec, &standard.identity.config).remove(0);
        let best = standard.state.best.as_deref().expect("best parameters");
        let flats = [
            (&standard.state.parameters[..], layout.clone()),
            (&standard.state.slots[0][..], slot),
            (best, layout.ending(BEST)),
        ];
        let bytes = tensors::to_bytes(&standard.spec, &flats, earlier);
        let found = read(&bytes).expect("a checkpoint");
        assert_eq!(found, of_scale(Scale::StandardGlobal));
    }

    #[test]
    fn a_later_format_is_distinguished_from_damage() {
        let bytes = checkpoint().to_bytes();
        let from = b"format\\\":1";
        let at = bytes.windows(from.len()).position(|window| window == from);
        let mut later = bytes.clone();
        later[at.expect("a format") + from.len() - 1] = b'7';
        let refused = read(&later).expect_err("a refusal");
        assert!(matches!(refused, Error::Run(_)), "{refused}");
        assert!(
            refused.to_string().contains("checkpoint format 7"),
            "{refused}"
        );
    }

    /// Checks every byte and some of its bits.
    #[test]
    fn a_flipped_bit_anywhere_is_detected() {
        let checkpoint = checkpoint();
        let bytes = checkpoint.to_bytes();
        for at in 0..bytes.len() {
            for bit in [0, 3, 7] {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                if let Ok(read) = read(&bytes) {
                    // White space after the header has no meaning.
                    assert_eq!(read, checkpoint, "byte {at}, bit {bit}");
                }
            }
        }
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_regression_without_a_target_scaling_continues_without_one() {
        let mut checkpoint = checkpoint();
        checkpoint.spec = checkpoint.spec.for_task(Task::Regression);
        checkpoint.identity.config.task.task = Task::Regression;
        let read = |checkpoint: &Checkpoint| {
            let read = Checkpoint::from_bytes(Path::new("c"), &checkpoint.to_bytes());
            read.map_err(|error| error.to_string())
        };
        let scale = read(&checkpoint).map(|read| read.identity.config.task.target_scale);
        assert_eq!(scale, Ok(Some(TargetScale::None)));
        let scaling = |outputs| TargetScaling {
            offset: vec![1.0 / 3.0; outputs],
            factor: vec![0.1; outputs],
        };
        checkpoint.state.target_scaling = Some(scaling(2));
        assert_eq!(read(&checkpoint), Ok(checkpoint.clone()));
        checkpoint.state.target_scaling = Some(scaling(3));
        let refused = read(&checkpoint).expect_err("a refusal");
        assert!(
            refused.contains("a target scaling of 3 outputs"),
            "{refused}"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            at in 0usize..4000, with in proptest::collection::vec(any::<u8>(), 0..40), cut in 0usize..5000,
        ) {
            let mut bytes = checkpoint().to_bytes();
            let at = at % bytes.len();
            let end = bytes.len().min(at + with.len());
            bytes[at..end].copy_from_slice(&with[..end - at]);
            bytes.truncate(cut);
            let _ = read(&bytes);
        }
    }
}
