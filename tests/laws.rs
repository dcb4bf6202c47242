//! The laws of the design, held against the slow path in `f64`.
//!
//! Central differences prove the reference's gradient; the reference proves the fast path's, over shapes that
//! are awkward on purpose; and any number of threads gives the same model. Random cases print their seed.

use std::num::NonZeroUsize;
use std::path::Path;

use perceptor::TrainConfig;
use perceptor::compute::Engine;
use perceptor::compute::parallel::Workers;
use perceptor::data::idx::{ElementType, Header};
use perceptor::data::mmap::Bytes;
use perceptor::data::scaling::AS_IT_IS;
use perceptor::data::{Dataset, IdxFile, Preprocessing, Scale, Splits};
use perceptor::nn::init::initial_parameters;
use perceptor::nn::{Activation, Init, Network, Spec};
use perceptor::optim::Sgd;
use perceptor::random::{ChaCha8Rng, Purpose, stream};
use perceptor::reference::Reference;
use perceptor::train::{
    Ending, EpochMetrics, Evaluator, Place, State, Stepper, Supervisor, Then, Training, train,
};
use rand::RngExt;

fn rng(seed: u64) -> ChaCha8Rng {
    stream(seed, Purpose::Init, 99)
}

fn idx(element: ElementType, dimensions: &[usize], payload: Vec<u8>) -> IdxFile {
    let path = Path::new("in-memory");
    let header = Header::new(path, element, dimensions).expect("a header");
    let bytes = [header.to_bytes(), payload].concat();
    IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a whole file")
}

/// Float items between −1 and 1, and labels of all classes.
fn dataset(items: usize, features: usize, classes: usize, seed: u64) -> Dataset {
    let mut rng = rng(seed);
    let floats: Vec<u8> = (0..items * features)
        .flat_map(|_| rng.random_range(-1.0f32..1.0).to_be_bytes())
        .collect();
    let labels: Vec<u8> = (0..items)
        .map(|_| rng.random_range(0..classes) as u8)
        .collect();
    let images = idx(ElementType::F32, &[items, features], floats);
    let labels = idx(ElementType::U8, &[items], labels);
    Dataset::new(images, &labels, Some(classes)).expect("a data set")
}

fn item(data: &Dataset, item: usize) -> Vec<f64> {
    let mut row = vec![0.0; data.features()];
    data.images().read(item, &mut row);
    row.into_iter().map(f64::from).collect()
}

fn reference(spec: &Spec, parameters: &[f32]) -> Reference {
    Reference {
        sizes: spec.sizes(),
        activation: spec.activation(),
        parameters: parameters.iter().copied().map(f64::from).collect(),
    }
}

/// Parameters that are no special case: random weights, and biases that are not zero.
fn parameters(spec: &Spec, seed: u64) -> Vec<f32> {
    let mut parameters = initial_parameters(spec, Init::Xavier, 0.1, seed);
    let mut rng = rng(seed + 1);
    for parameter in &mut parameters {
        *parameter += rng.random_range(-0.1f32..0.1);
    }
    parameters
}

const SGD: Sgd = Sgd {
    learning_rate: 0.2,
    momentum: 0.9,
};

fn stepper(spec: &Spec, parameters: &[f32], engine: Engine, batch_size: usize) -> Stepper {
    let as_it_is = Preprocessing::whole(AS_IT_IS, spec.inputs());
    Stepper::new(spec, parameters, as_it_is, engine, SGD, batch_size)
        .expect("an engine that is here")
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

fn workers(threads: usize) -> Workers {
    Workers::new(NonZeroUsize::new(threads).expect("not zero")).expect("workers")
}

/// The engines that this build and this processor have.
fn engines() -> impl Iterator<Item = Engine> {
    let all = [Engine::Openblas, Engine::Native, Engine::Portable];
    all.into_iter().filter(|engine| engine.resolve().is_ok())
}

/// The largest difference, as a share of the largest element.
fn distance(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    // What is no number is as far off as can be; `max` would pass over it.
    let numbers = differences.map(|d| if d.is_nan() { f64::INFINITY } else { d });
    numbers.fold(0.0, f64::max) / largest.max(1e-12)
}

const DEPTHS: [&[usize]; 4] = [&[], &[9], &[7, 5], &[6, 5, 4]];

#[test]
fn central_differences_prove_the_reference_for_every_activation_and_depth() {
    for activation in Activation::ALL {
        for hidden in DEPTHS {
            let spec = Spec::new(8, hidden, 3, activation).expect("a spec");
            let data = dataset(1, 8, 3, 5);
            let net = reference(&spec, &parameters(&spec, 6));
            let (x, label) = (item(&data, 0), data.labels()[0] as usize);
            // A step across the kink of a ReLU would show a slope that is neither side's.
            let outputs = net.affine_outputs(&x);
            assert!(outputs.iter().flatten().all(|z| z.abs() > 1e-4));
            let gradient = net.gradient(&x, label);
            let differences = net.gradient_by_differences(&x, label, 1e-5);
            let off = distance(&gradient, &differences);
            assert!(off < 1e-8, "{activation:?} {hidden:?}: {off}");
        }
    }
}

#[test]
fn the_gradient_check_fails_on_a_flipped_sign() {
    let spec = Spec::new(8, &[9, 5], 3, Activation::Tanh).expect("a spec");
    let data = dataset(1, 8, 3, 5);
    let net = reference(&spec, &parameters(&spec, 6));
    let (x, label) = (item(&data, 0), data.labels()[0] as usize);
    let differences = net.gradient_by_differences(&x, label, 1e-5);
    let gradient = net.gradient(&x, label);
    // The smallest element too: a single wrong weight must show.
    for at in 0..gradient.len() {
        let mut flipped = gradient.clone();
        flipped[at] = -flipped[at];
        let off = distance(&flipped, &differences);
        assert!(
            off > 1e-6,
            "element {at} of {} flipped unseen",
            gradient[at]
        );
    }
}

/// The mean gradient over a batch and its summed loss, by the reference.
fn slow_gradient(net: &Reference, data: &Dataset, batch: &[u32]) -> (Vec<f64>, f64) {
    let mut mean = vec![0.0; net.parameters.len()];
    let mut loss = 0.0;
    for &row in batch {
        let x = item(data, row as usize);
        let label = data.labels()[row as usize] as usize;
        loss += net.loss(&x, label);
        for (mean, g) in mean.iter_mut().zip(net.gradient(&x, label)) {
            *mean += g / batch.len() as f64;
        }
    }
    (mean, loss)
}

#[test]
fn the_fast_gradient_equals_the_slow_one_over_awkward_shapes() {
    let workers = workers(2);
    let shapes: [(usize, &[usize], usize); 6] = [
        (9, &[], 3),
        (13, &[11], 10),
        (8, &[17, 9], 2),
        (31, &[5, 19, 6], 11),
        (3, &[2], 12),
        // Several panels and pieces a layer, with ragged ends.
        (70, &[129, 67], 50),
    ];
    // Up to a batch of several blocks, the last of them ragged.
    for rows in [1, 2, 7, 8, 9, 33, 64, 131] {
        for (inputs, hidden, classes) in shapes {
            for activation in Activation::ALL {
                let spec = Spec::new(inputs, hidden, classes, activation).expect("a spec");
                let data = dataset(rows, inputs, classes, 7);
                let parameters = parameters(&spec, 8);
                let batch: Vec<u32> = (0..rows as u32).rev().collect();
                let net = reference(&spec, &parameters);
                let (expected, expected_loss) = slow_gradient(&net, &data, &batch);
                for engine in engines() {
                    let mut stepper = stepper(&spec, &parameters, engine, rows);
                    let loss = stepper.step(&workers, &data, &batch);
                    // The velocity starts at zero, so after one step it is the gradient.
                    let off = distance(&wide(&stepper.velocity()), &expected);
                    let case = format!("{engine:?}, {rows} rows, {spec}, {activation:?}");
                    assert!(off < 1e-5, "{case}: gradient off by {off}");
                    let off = (loss - expected_loss).abs() / expected_loss;
                    assert!(off < 1e-6, "{case}: loss off by {off}");
                }
            }
        }
    }
}

#[test]
fn steps_with_momentum_and_a_ragged_batch_follow_the_slow_path() {
    let (rows, batch_size) = (83, 40);
    let spec = Spec::new(13, &[11, 9], 4, Activation::Tanh).expect("a spec");
    let data = dataset(rows, 13, 4, 3);
    let start = parameters(&spec, 4);
    let order: Vec<u32> = (0..rows as u32).collect();
    for engine in engines() {
        let mut net = reference(&spec, &start);
        let mut velocity = vec![0.0; start.len()];
        let mut stepper = stepper(&spec, &start, engine, batch_size);
        for _ in 0..3 {
            for batch in order.chunks(batch_size) {
                stepper.step(&workers(2), &data, batch);
                let (gradient, _) = slow_gradient(&net, &data, batch);
                for ((w, v), g) in net.parameters.iter_mut().zip(&mut velocity).zip(gradient) {
                    *v = f64::from(SGD.momentum) * *v + g;
                    *w -= f64::from(SGD.learning_rate) * *v;
                }
            }
        }
        let off = distance(&wide(&stepper.parameters()), &net.parameters);
        assert!(off < 1e-5, "{engine:?}: off by {off}");
    }
}

#[test]
fn evaluation_equals_the_slow_path() {
    // More than one block of items, the last one ragged.
    let data = dataset(600, 13, 5, 3);
    let spec = Spec::new(13, &[11], 5, Activation::Sigmoid).expect("a spec");
    let parameters = parameters(&spec, 4);
    let net = reference(&spec, &parameters);
    let workers = workers(2);
    let (mut loss, mut right) = (0.0, 0);
    for row in 0..data.items() {
        let (x, label) = (item(&data, row), data.labels()[row] as usize);
        loss += net.loss(&x, label);
        let outputs = net.affine_outputs(&x);
        let logits = &outputs[outputs.len() - 1];
        let best = (0..5).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        right += usize::from(best == Some(label));
    }
    for engine in engines() {
        let as_it_is = Preprocessing::whole(AS_IT_IS, 13);
        let network = Network::new(&spec, &parameters, &as_it_is.columns, engine);
        let network = network.expect("a network");
        let mut evaluator = Evaluator::new(&spec, as_it_is, &workers).expect("memory");
        let found = evaluator
            .evaluate(&workers, &network, &data)
            .expect("memory");
        assert!((found.loss - loss / 600.0).abs() < 1e-6, "{engine:?}");
        assert_eq!(found.accuracy, right as f64 / 600.0, "{engine:?}");
        let probabilities = evaluator.probabilities(&workers, &network, data.images(), 10..510);
        for row in probabilities.expect("memory").chunks_exact(5) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}

/// Items of which some features are zero throughout, and more of the same kind in which these are not.
fn with_idle_columns(items: usize) -> (Dataset, Dataset) {
    let (features, classes) = (21, 3);
    let set = |idle: bool, seed| {
        let mut rng = rng(seed);
        let pixels = (0..items * features).map(|at| match at % features {
            0 | 1 | 7 | 20 if idle => 0,
            _ => rng.random_range(0..=255u8),
        });
        let images = idx(ElementType::U8, &[items, features], pixels.collect());
        let labels = (0..items).map(|_| rng.random_range(0..classes) as u8);
        let labels = idx(ElementType::U8, &[items], labels.collect());
        Dataset::new(images, &labels, Some(classes)).expect("a data set")
    };
    (set(true, 1), set(false, 2))
}

#[test]
fn columns_that_are_always_zero_are_left_out_exactly() {
    let workers = workers(2);
    let (train, test) = with_idle_columns(61);
    let fitted = Preprocessing::fit(Scale::Unit, train.images(), &workers).expect("a scaling");
    assert_eq!(fitted.columns.idle(), [0, 1, 7, 20]);
    let whole = Preprocessing::whole(fitted.scaling, train.features());
    let spec = Spec::new(train.features(), &[19], 3, Activation::Tanh).expect("a spec");
    let start = parameters(&spec, 4);
    let batch: Vec<u32> = (0..61).collect();
    for engine in engines() {
        let ended = |preprocessing: &Preprocessing| {
            let preprocessing = preprocessing.clone();
            let stepper = Stepper::new(&spec, &start, preprocessing.clone(), engine, SGD, 61);
            let mut stepper = stepper.expect("an engine that is here");
            for _ in 0..5 {
                stepper.step(&workers, &train, &batch);
            }
            let mut evaluator = Evaluator::new(&spec, preprocessing, &workers).expect("memory");
            let evaluated = evaluator.evaluate(&workers, stepper.network(), &test);
            let (weights, velocity) = (stepper.parameters(), stepper.velocity());
            (weights, velocity, evaluated.expect("memory").loss)
        };
        let (with, without) = (ended(&whole), ended(&fitted));
        assert!(
            distance(&wide(&without.0), &wide(&with.0)) < 1e-6,
            "{engine:?}"
        );
        assert!(
            distance(&wide(&without.1), &wide(&with.1)) < 1e-6,
            "{engine:?}"
        );
        // On items that have something in these columns, where the weights are those of the start.
        assert!((without.2 - with.2).abs() < 1e-6, "{engine:?}");
        if engine == Engine::Native {
            assert_eq!((without.0, without.1), (with.0, with.1));
        }
    }
}

#[test]
fn any_thread_count_gives_the_same_model() {
    let cases: [(usize, usize, &[usize]); 7] = [
        (1, 40, &[9]),
        (7, 100, &[]),
        (33, 301, &[20]),
        (128, 301, &[64, 33]),
        (200, 1000, &[128]),
        (5000, 1000, &[50, 20]),
        // Weights beyond a core's cache, where rows are cut by the number of threads.
        (100, 300, &[1500, 300]),
    ];
    let options = [(Scale::Standard, None), (Scale::Unit, Some(70))];
    for ((batch_size, items, hidden), (scale, shuffle_window)) in cases
        .into_iter()
        .flat_map(|case| options.map(|option| (case, option)))
    {
        for engine in engines() {
            let config = TrainConfig {
                hidden: hidden.to_vec(),
                engine,
                batch_size,
                epochs: 2,
                activation: Activation::Relu,
                scale,
                shuffle_window,
                ..TrainConfig::default()
            };
            let model = |threads| {
                let splits = Splits {
                    train: dataset(items, 41, 6, 11),
                    test: Some(dataset(300, 41, 6, 12)),
                };
                let outcome = train(&config, &splits, &workers(threads), &mut |_| {});
                outcome.expect("a finite loss").model.to_bytes()
            };
            let one = model(1);
            for threads in [2, 3, 7] {
                let same = one == model(threads);
                assert!(
                    same,
                    "{engine:?}, batch size {batch_size}: {threads} threads differ from 1"
                );
            }
        }
    }
}

#[test]
fn any_thread_count_gives_the_same_model_without_idle_columns() {
    for engine in engines() {
        let config = TrainConfig {
            hidden: vec![33, 20],
            engine,
            batch_size: 20,
            epochs: 3,
            ..TrainConfig::default()
        };
        let model = |threads| {
            let (train_set, test_set) = with_idle_columns(307);
            let splits = Splits {
                train: train_set,
                test: Some(test_set),
            };
            let outcome = train(&config, &splits, &workers(threads), &mut |_| {});
            outcome.expect("a finite loss").model.to_bytes()
        };
        let one = model(1);
        for threads in [2, 3, 7] {
            assert!(
                one == model(threads),
                "{engine:?}: {threads} threads differ from 1"
            );
        }
    }
}

/// Keeps the state after every step and every epoch.
#[derive(Default)]
struct Everything(Vec<State>);

impl Supervisor for Everything {
    fn after_step(&mut self, _: Place) -> Then {
        Then::Save
    }

    fn after_epoch(&mut self, _: &[EpochMetrics]) -> perceptor::Result<Then> {
        Ok(Then::Save)
    }

    fn save(&mut self, state: State) -> perceptor::Result<()> {
        self.0.push(state);
        Ok(())
    }
}

#[test]
fn a_run_that_goes_on_from_any_step_ends_in_the_same_model() {
    let cases = [(None, false), (Some(40), false), (None, true)];
    for (engine, (shuffle_window, idle_columns)) in
        engines().flat_map(|engine| cases.map(|case| (engine, case)))
    {
        let config = TrainConfig {
            hidden: vec![37, 20],
            engine,
            batch_size: 33,
            epochs: 3,
            activation: Activation::Relu,
            shuffle_window,
            ..TrainConfig::default()
        };
        let (train_set, test_set) = match idle_columns {
            true => with_idle_columns(100),
            false => (dataset(100, 41, 6, 11), dataset(30, 41, 6, 12)),
        };
        let splits = Splits {
            train: train_set,
            test: Some(test_set),
        };
        let run = |threads, from, supervisor: &mut dyn Supervisor| {
            let training = Training {
                config: &config,
                data: &splits,
                workers: &workers(threads),
                profiled: false,
                from,
            };
            match training
                .run(supervisor, &mut |_| {})
                .expect("a finite loss")
            {
                Ending::Finished(outcome) => outcome.model.to_bytes(),
                Ending::Stopped(place) => panic!("stopped at {place}"),
            }
        };
        let whole = train(&config, &splits, &workers(2), &mut |_| {});
        let whole = whole.expect("a finite loss").model.to_bytes();
        let mut everything = Everything::default();
        assert_eq!(
            run(2, None, &mut everything),
            whole,
            "{engine:?}: saving changes the model"
        );
        // Four steps an epoch, and its end.
        assert_eq!(everything.0.len(), 15);
        for (state, threads) in everything.0.into_iter().zip([1, 3, 2].into_iter().cycle()) {
            let place = state.place();
            let resumed = run(threads, Some(state), &mut Everything::default());
            assert!(
                resumed == whole,
                "{engine:?} from {place}, {threads} threads"
            );
        }
    }
}

#[test]
fn zero_init_keeps_units_equal_and_any_other_does_not() {
    for engine in engines() {
        let splits = Splits {
            train: dataset(500, 41, 6, 11),
            test: None,
        };
        for (init, expected) in [(Init::Zero, vec![1, 2]), (Init::Auto, vec![])] {
            let config = TrainConfig {
                hidden: vec![100, 37],
                epochs: 20,
                init,
                engine,
                ..TrainConfig::default()
            };
            let outcome = train(&config, &splits, &workers(2), &mut |_| {}).expect("a finite loss");
            assert_eq!(outcome.identical_layers, expected, "{engine:?} {init:?}");
        }
    }
}
