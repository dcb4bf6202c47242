//! Dropout, noise, smoothed labels and class weights: the gradient equals that of the slow path under the same random
//! numbers, drawn here from the same streams; threads and interruptions change nothing; evaluation uses none of them.

use perceptor::config::{ClassWeight, LearningRate, RegularizationConfig};
use perceptor::kernels;
use perceptor::nn::loss::{CrossEntropy, Loss};
use perceptor::nn::{Dropout, Noise};
use perceptor::random::row_stream;
use perceptor::reference::Objective;
use perceptor::reference::batch_norm::Sample;
use perceptor::train::{Event, range_test};
use rand::Rng;

use super::batch_norm::{clear_layer, gradient_of_shards, in_shards, normalized};
use super::resumption::assert_resumes_from_every_step;
use super::threads::assert_same_model_on_any_threads;
use super::*;

const SEED: u64 = 17;
/// The step under test: the seventh of a run, whose random numbers are not those of the first.
const STEP: u64 = 6;
const WEIGHTS: [f32; 12] = [0.2, 3.0, 1.0, 0.5, 2.5, 1.5, 0.1, 4.0, 1.0, 0.7, 0.3, 2.0];

/// What a run may use; 0 turns an option off.
#[derive(Debug, Clone, Copy, Default)]
struct Options {
    dropout: f32,
    input_dropout: f32,
    input_noise: f32,
    smoothing: f32,
    weighted: bool,
}

const ALL: Options = Options {
    dropout: 0.5,
    input_dropout: 0.2,
    input_noise: 0.3,
    smoothing: 0.1,
    weighted: true,
};

/// Returns the dropout factors of a row's units: 16 bits per unit, in the order of the stream's bytes.
fn mask(probability: f32, width: usize, layer: usize, row: usize) -> Vec<f64> {
    let mut stream = row_stream(SEED, Purpose::Dropout, layer, STEP, row);
    let words = (0..width.div_ceil(4)).map(|_| stream.next_u64());
    let draws = words.flat_map(|word| [0, 16, 32, 48].map(|shift| word >> shift & 0xffff));
    // Probabilities are rounded to multiples of 1/65536.
    let below = (f64::from(probability) * 65_536.0).round();
    let scale = 65_536.0 / (65_536.0 - below);
    let factor = |draw: u64| if (draw as f64) < below { 0.0 } else { scale };
    draws.take(width).map(factor).collect()
}

/// Returns the inputs of a row with noise and dropout applied.
fn inputs_of(options: Options, x: &[f64], row: usize) -> Vec<f64> {
    let mut stream = row_stream(SEED, Purpose::InputNoise, 0, STEP, row);
    let mut bits = Vec::new();
    while bits.len() < x.len() {
        let word = stream.next_u64();
        bits.extend([word as u32, (word >> 32) as u32]);
    }
    let mask = mask(options.input_dropout, x.len(), 0, row);
    let rows = x.iter().zip(bits).zip(mask);
    rows.map(|((x, bits), m)| {
        (x + f64::from(options.input_noise) * f64::from(kernels::normal_deviate(bits))) * m
    })
    .collect()
}

/// Returns the gradient of the batch's loss and the weighted sum of its samples' losses, by the reference.
fn slow(net: &Reference, data: &Dataset, batch: &[u32], options: Options) -> (Vec<f64>, f64) {
    let mut net = net.clone();
    let (mut gradient, mut loss, mut total) = (vec![0.0; net.parameters.len()], 0.0, 0.0);
    for (row, &at) in batch.iter().enumerate() {
        let label = data.labels()[at as usize] as usize;
        let x = inputs_of(options, &item(data, at as usize), row);
        let hidden = net.sizes[1..net.sizes.len() - 1].to_vec();
        let layers = hidden.into_iter().zip(1..);
        net.masks = layers
            .map(|(width, layer)| mask(options.dropout, width, layer, row))
            .collect();
        let smoothing = f64::from(options.smoothing);
        let objective = Objective::CrossEntropy { label, smoothing };
        let weight = if options.weighted {
            f64::from(WEIGHTS[label])
        } else {
            1.0
        };
        total += weight;
        loss += weight * net.loss_of(&x, objective);
        for (sum, g) in gradient.iter_mut().zip(net.gradient_of(&x, objective)) {
            *sum += weight * g;
        }
    }
    gradient.iter_mut().for_each(|g| *g /= total);
    (gradient, loss)
}

/// Returns what [`slow`] returns, computed by an engine in step [`STEP`].
fn fast(
    spec: &Spec,
    parameters: &[f32],
    engine: Engine,
    data: &Dataset,
    batch: &[u32],
    options: Options,
) -> (Vec<f64>, f64) {
    let mut stepper = noisy_stepper(spec, parameters, engine, batch.len(), options);
    let loss = stepper.step(&workers(2), data, batch);
    (wide(&stepper.slots()[0]), loss)
}

/// Returns a stepper whose next step is [`STEP`].
fn noisy_stepper(
    spec: &Spec,
    parameters: &[f32],
    engine: Engine,
    rows: usize,
    options: Options,
) -> Stepper {
    let mut stepper = stepper(spec, parameters, engine, rows);
    stepper.resume(STEP, &[vec![0.0; spec.parameters()]]);
    stepper.set_loss(Loss::CrossEntropy(CrossEntropy {
        smoothing: options.smoothing,
        class_weights: options.weighted.then(|| WEIGHTS[..spec.outputs()].to_vec()),
    }));
    let noise = Noise {
        seed: SEED,
        inputs: options.input_noise,
        input_dropout: Dropout::new(options.input_dropout),
        dropout: Dropout::new(options.dropout),
    };
    stepper.set_noise(noise).expect("memory");
    stepper
}

#[test]
fn central_differences_prove_the_reference_under_dropout_and_smoothing() {
    for activation in Activation::ALL {
        let spec = Spec::new(8, &[9, 5], 3, activation).expect("a spec");
        let data = dataset(1, 8, 3, 5);
        let mut net = reference(&spec, &parameters(&spec, 6));
        net.masks = vec![mask(0.5, 9, 1, 0), mask(0.5, 5, 2, 0)];
        let dropped = |mask: &Vec<f64>| mask.contains(&0.0) && mask.iter().any(|&m| m > 1.0);
        assert!(net.masks.iter().all(dropped), "{:?}", net.masks);
        let (x, label) = (item(&data, 0), data.labels()[0] as usize);
        let smoothed = |smoothing| Objective::CrossEntropy { label, smoothing };
        let gradient = net.gradient_of(&x, smoothed(0.3));
        let off = distance(&gradient, &net.differences_of(&x, smoothed(0.3), 1e-5));
        assert!(off < 1e-8, "{activation:?}: {off}");
        // Another objective or another mask does not pass the check against these differences.
        let off = distance(&gradient, &net.differences_of(&x, smoothed(0.0), 1e-5));
        assert!(off > 1e-3, "{activation:?}: {off}");
        net.masks[0].fill(1.0);
        let off = distance(&gradient, &net.differences_of(&x, smoothed(0.3), 1e-5));
        assert!(off > 1e-3, "{activation:?}: {off}");
    }
}

#[test]
fn the_fast_gradient_equals_the_slow_one_under_each_option_and_all_of_them() {
    let none = Options::default();
    let options = [
        Options {
            dropout: ALL.dropout,
            ..none
        },
        Options {
            dropout: 0.1,
            ..none
        },
        Options {
            input_dropout: ALL.input_dropout,
            ..none
        },
        Options {
            input_noise: ALL.input_noise,
            ..none
        },
        Options {
            smoothing: ALL.smoothing,
            ..none
        },
        Options {
            weighted: true,
            ..none
        },
        ALL,
    ];
    let shapes: [(usize, &[usize], usize); 4] = [
        (9, &[], 3),
        (31, &[5, 19, 6], 11),
        (3, &[2], 12),
        // Several panels and pieces per layer, with ragged ends.
        (70, &[129, 67], 10),
    ];
    for (rows, (inputs, hidden, classes)) in [1, 7, 8, 33, 131]
        .into_iter()
        .flat_map(|rows| shapes.map(|shape| (rows, shape)))
    {
        for (activation, options) in Activation::ALL
            .into_iter()
            .flat_map(|activation| options.map(|it| (activation, it)))
        {
            let spec = Spec::new(inputs, hidden, classes, activation).expect("a spec");
            let data = dataset(rows, inputs, classes, 7);
            let parameters = parameters(&spec, 8);
            let batch: Vec<u32> = (0..rows as u32).rev().collect();
            let (expected, expected_loss) =
                slow(&reference(&spec, &parameters), &data, &batch, options);
            for engine in engines() {
                let (found, loss) = fast(&spec, &parameters, engine, &data, &batch, options);
                let off = distance(&found, &expected);
                let case = format!("{engine:?}, {rows} rows, {spec}, {activation:?}, {options:?}");
                assert!(off < 1e-5, "{case}: gradient off by {off}");
                let off = (loss - expected_loss).abs() / expected_loss;
                assert!(off < 1e-5, "{case}: loss off by {off}");
            }
        }
    }
}

/// Returns the samples of a batch for a network with batch normalisation, with dropout and input noise applied.
fn samples(spec: &Spec, data: &Dataset, batch: &[u32], options: Options) -> Vec<Sample> {
    let hidden = &spec.sizes()[1..spec.sizes().len() - 1];
    let of_row = |(row, &at): (usize, &u32)| Sample {
        x: inputs_of(options, &item(data, at as usize), row),
        label: data.labels()[at as usize] as usize,
        masks: (1..)
            .zip(hidden)
            .map(|(layer, &width)| mask(options.dropout, width, layer, row))
            .collect(),
    };
    batch.iter().enumerate().map(of_row).collect()
}

const DROPOUT_AND_NOISE: Options = Options {
    smoothing: 0.0,
    weighted: false,
    ..ALL
};

#[test]
fn central_differences_prove_the_reference_over_a_shard_under_dropout() {
    for activation in Activation::ALL {
        let spec = normalized(8, &[9, 5], 3, activation);
        let data = dataset(6, 8, 3, 5);
        let net = reference(&spec, &parameters(&spec, 6));
        let shard = samples(&spec, &data, &[0, 1, 2, 3, 4, 5], DROPOUT_AND_NOISE);
        let gradient = net.shard_gradient(&shard);
        let differences = net.shard_gradient_by_differences(&shard, 1e-6);
        let off = distance(&gradient, &differences);
        assert!(off < 1e-7, "{activation:?}: {off}");
        // Other masks do not pass the check against these differences.
        let mut other = shard.clone();
        other.iter_mut().for_each(|sample| sample.masks.clear());
        let off = distance(&net.shard_gradient(&other), &differences);
        assert!(off > 1e-3, "{activation:?}: {off}");
    }
}

#[test]
fn the_fast_gradient_equals_the_slow_one_under_dropout_after_batch_norm() {
    let shapes: [(usize, &[usize], usize); 3] = [
        (13, &[11], 10),
        (31, &[5, 19, 6], 11),
        // Several panels and chunks of columns per layer, with ragged ends.
        (70, &[129, 67], 50),
    ];
    // One shard, and several shards.
    for (rows, (inputs, hidden, classes)) in [8, 33, 131]
        .into_iter()
        .flat_map(|rows| shapes.map(|shape| (rows, shape)))
    {
        for (frozen, activation) in [None, Some(0)]
            .into_iter()
            .flat_map(|it| [Activation::Tanh, Activation::Relu].map(|of| (it, of)))
        {
            let spec = normalized(inputs, hidden, classes, activation);
            let data = dataset(rows, inputs, classes, 7);
            let parameters = parameters(&spec, 8);
            let batch: Vec<u32> = (0..rows as u32).rev().collect();
            let mut net = reference(&spec, &parameters);
            net.frozen = frozen.into_iter().collect();
            let shards = in_shards(&samples(&spec, &data, &batch, DROPOUT_AND_NOISE));
            let (mut expected, expected_loss) = gradient_of_shards(&net, &shards);
            if let Some(frozen) = frozen {
                clear_layer(&spec, frozen, &mut expected);
            }
            let layers: Vec<bool> = (0..spec.layers().len())
                .map(|at| frozen == Some(at))
                .collect();
            for engine in engines() {
                let options = DROPOUT_AND_NOISE;
                let mut stepper = noisy_stepper(&spec, &parameters, engine, rows, options);
                stepper.freeze(&layers);
                let loss = stepper.step(&workers(2), &data, &batch);
                let off = distance(&wide(&stepper.slots()[0]), &expected);
                let case = format!("{engine:?}, {rows} rows, {spec}, {activation:?}, {frozen:?}");
                assert!(off < 1e-5, "{case}: gradient off by {off}");
                let off = (loss - expected_loss).abs() / expected_loss;
                assert!(off < 1e-5, "{case}: loss off by {off}");
            }
        }
    }
}

#[test]
fn each_step_draws_its_own_random_numbers() {
    let spec = Spec::new(20, &[30], 4, Activation::Tanh).expect("a spec");
    let (data, parameters) = (dataset(16, 20, 4, 7), parameters(&spec, 8));
    let batch: Vec<u32> = (0..16).collect();
    for engine in engines() {
        let gradient = |step| {
            let mut stepper = stepper(&spec, &parameters, engine, 16);
            stepper.resume(step, &[vec![0.0; spec.parameters()]]);
            let noise = Noise {
                seed: SEED,
                dropout: Dropout::new(0.5),
                ..Noise::default()
            };
            stepper.set_noise(noise).expect("memory");
            stepper.step(&workers(1), &data, &batch);
            wide(&stepper.slots()[0])
        };
        assert_eq!(gradient(3), gradient(3));
        assert!(distance(&gradient(3), &gradient(4)) > 1e-2);
    }
}

/// Settings that use every regularisation.
fn config(engine: impl Into<EngineChoice>, hidden: &[usize], batch_size: usize) -> TrainConfig {
    TrainConfig {
        hidden: hidden.to_vec(),
        engine: engine.into(),
        batch_size,
        epochs: 3,
        activation: Activation::Relu,
        regularization: RegularizationConfig {
            dropout: 0.5,
            input_dropout: 0.2,
            input_noise: 0.1,
            label_smoothing: 0.1,
            class_weight: Some(ClassWeight::Balanced),
        },
        ..TrainConfig::default()
    }
}

fn splits(items: usize) -> Splits {
    Splits {
        train: dataset(items, 41, 6, 11),
        validation: None,
        test: Some(dataset(300, 41, 6, 12)),
    }
}

#[test]
fn any_thread_count_gives_the_same_model_under_noise() {
    for engine in engines() {
        // The weights of the last one exceed a core's cache, so that its rows are split by the number of threads.
        for (hidden, batch_size) in [(&[20][..], 33), (&[64, 33], 128), (&[1500, 300], 100)] {
            let config = config(engine, hidden, batch_size);
            assert_same_model_on_any_threads(&config, &splits(301));
        }
    }
}

#[test]
fn a_run_under_noise_resumes_from_any_step() {
    for engine in engines() {
        let config = config(engine, &[37, 20], 33);
        assert_resumes_from_every_step(&config, &splits(100));
    }
}

#[test]
fn evaluation_uses_no_noise_and_the_plain_loss() {
    for engine in engines() {
        let data = splits(301);
        let outcome = train(&config(engine, &[20], 33), &data, &workers(2), &mut |_| {});
        let outcome = outcome.expect("a finite loss");
        let model = &outcome.model;
        let net = reference(&model.spec, &model.parameters);
        let test = data.test.as_ref().expect("a test set");
        let factor = f64::from(model.scaling.as_global().expect("one pair").factor);
        let losses = (0..test.samples()).map(|at| {
            let x: Vec<f64> = item(test, at).into_iter().map(|x| x * factor).collect();
            net.loss(&x, test.labels()[at] as usize)
        });
        let expected = losses.sum::<f64>() / test.samples() as f64;
        let found = outcome.last().loss().expect("a test set");
        assert!(
            (found - expected).abs() < 1e-5,
            "{engine:?}: {found}, expected {expected}"
        );
    }
}

#[test]
fn noise_on_inputs_moves_the_weights_of_features_that_are_always_zero() {
    let (train_set, _) = with_idle_columns(61);
    let data = Splits {
        train: train_set,
        validation: None,
        test: None,
    };
    let mut config = config(EngineChoice::Auto, &[19], 20);
    let first_weight = |config: &TrainConfig| {
        let outcome = train(config, &data, &workers(2), &mut |_| {}).expect("a finite loss");
        outcome.model.parameters[0]
    };
    let spec = Spec::new(21, &[19], 3, Activation::Relu).expect("a spec");
    let start = initial_parameters(&spec, config.init, 0.0, config.seed)[0];
    assert_ne!(first_weight(&config), start);
    config.regularization.input_noise = 0.0;
    assert_eq!(first_weight(&config), start);
}

#[test]
fn the_loss_of_an_epoch_is_the_weighted_mean_over_its_samples() {
    // One batch per epoch, so that all losses are those of the initial parameters.
    let data = Splits {
        train: dataset(90, 41, 3, 11),
        validation: None,
        test: None,
    };
    let class_weights = [0.5, 2.0, 7.0];
    let mut config = config(EngineChoice::Auto, &[], 90);
    config.epochs = 1;
    config.regularization = RegularizationConfig {
        class_weight: Some(ClassWeight::Given(class_weights.to_vec())),
        ..RegularizationConfig::default()
    };
    let outcome = train(&config, &data, &workers(2), &mut |_| {}).expect("a finite loss");
    let spec = &outcome.model.spec;
    let start = initial_parameters(spec, config.init, 0.0, config.seed);
    let net = reference(spec, &start);
    let (mut sum, mut total) = (0.0, 0.0);
    for at in 0..90 {
        let label = data.train.labels()[at] as usize;
        sum += f64::from(class_weights[label]) * net.loss(&item(&data.train, at), label);
        total += f64::from(class_weights[label]);
    }
    let found = outcome.last().train_loss;
    assert!(
        (found - sum / total).abs() < 1e-6,
        "{found}, expected {}",
        sum / total
    );
}

/// With inputs of 0, the loss of every sample is ln 3 at the start, whatever its class; so is their weighted mean.
#[test]
fn the_loss_of_a_part_of_an_epoch_is_the_weighted_mean_over_its_samples() {
    let labels = (0..60).map(|at| u32::from(at % 3 == 0) + u32::from(at % 6 == 0));
    let labels: Array1<u32> = labels.collect();
    let data = Splits {
        train: labelled(&Array2::zeros((60, 4)), &labels, 3),
        validation: None,
        test: None,
    };
    let mut config = config(EngineChoice::Auto, &[], 5);
    config.epochs = 1;
    config.regularization = RegularizationConfig {
        class_weight: Some(ClassWeight::Given(vec![0.5, 2.0, 7.0])),
        ..RegularizationConfig::default()
    };
    let mut unmoved = config.clone();
    unmoved.optimizer.learning_rate = Some(LearningRate::Value(1e-9));
    let mut losses = Vec::new();
    let outcome = train(&unmoved, &data, &workers(2), &mut |event| {
        if let Event::Progress { loss, .. } = event {
            losses.push(loss);
        }
    });
    assert_eq!(losses.len(), 12);
    losses.push(outcome.expect("a finite loss").last().train_loss);
    for loss in &losses {
        assert!((loss - 3.0f64.ln()).abs() < 1e-5, "{losses:?}");
    }
    let found = range_test(&checked(&config), &data, &workers(2), None).expect("a learning rate");
    let first = found.losses[0];
    assert!((first - 3.0f64.ln()).abs() < 1e-5, "{first}");
}
