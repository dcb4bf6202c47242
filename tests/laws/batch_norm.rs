//! Batch normalisation against the slow path: statistics of each shard in training, running statistics in evaluation.

use perceptor::Model;
use perceptor::reference::batch_norm::Sample;

use super::optimizers::every_rule;
use super::resumption::assert_resumes_from_every_step;
use super::threads::assert_same_model_on_any_threads;
use super::*;

/// The most rows of a shard, as documented.
const SHARD_ROWS: usize = 64;
const DEPTHS: [&[usize]; 3] = [&[9], &[7, 5], &[6, 5, 4]];

pub fn normalized(inputs: usize, hidden: &[usize], classes: usize, activation: Activation) -> Spec {
    let spec = Spec::new(inputs, hidden, classes, activation).expect("a spec");
    spec.with_batch_norm(true).expect("a spec")
}

/// The samples of a batch in shards, without dropout.
fn shards(data: &Dataset, batch: &[u32]) -> Vec<Vec<Sample>> {
    let sample = |&row: &u32| Sample {
        x: item(data, row as usize),
        label: data.labels()[row as usize] as usize,
        masks: Vec::new(),
    };
    in_shards(&batch.iter().map(sample).collect::<Vec<_>>())
}

/// Splits `samples` into as few shards as possible, whose sizes differ by at most one.
pub fn in_shards(samples: &[Sample]) -> Vec<Vec<Sample>> {
    let count = samples.len().div_ceil(SHARD_ROWS);
    let bounds = (0..=count).map(|shard| shard * samples.len() / count);
    let bounds: Vec<usize> = bounds.collect();
    let shards = bounds.windows(2).map(|ends| &samples[ends[0]..ends[1]]);
    shards.map(<[Sample]>::to_vec).collect()
}

/// Returns the mean gradient over a batch and the sum of its losses, by the reference.
pub fn slow_gradient(net: &Reference, data: &Dataset, batch: &[u32]) -> (Vec<f64>, f64) {
    gradient_of_shards(net, &shards(data, batch))
}

/// Returns the mean gradient over `shards` and the sum of their losses.
pub fn gradient_of_shards(net: &Reference, shards: &[Vec<Sample>]) -> (Vec<f64>, f64) {
    let mut mean = vec![0.0; net.parameters.len()];
    let (mut loss, samples) = (0.0, shards.iter().map(Vec::len).sum::<usize>());
    for shard in shards {
        loss += net.shard_loss(shard);
        for (mean, g) in mean.iter_mut().zip(net.shard_gradient(shard)) {
            *mean += g / samples as f64;
        }
    }
    (mean, loss)
}

/// Sets the elements of `gradient` that belong to layer `frozen` to 0.
pub fn clear_layer(spec: &Spec, frozen: usize, gradient: &mut [f64]) {
    let layer = &spec.layers()[frozen];
    let mut marks = vec![0.0; gradient.len()];
    let (weight, bias) = layer.split_mut(&mut marks);
    weight.fill(1.0);
    bias.fill(1.0);
    if let Some(norm) = layer.norm_mut(&mut marks) {
        norm.gamma.fill(1.0);
    }
    let marked = gradient.iter_mut().zip(&marks);
    marked.for_each(|(g, mark)| *g *= 1.0 - f64::from(*mark));
}

/// Moves the running statistics of `net` a tenth of the way towards the mean over the shards of a batch.
pub fn move_statistics(net: &mut Reference, spec: &Spec, data: &Dataset, batch: &[u32]) {
    let shards = shards(data, batch);
    let of_shards: Vec<_> = shards
        .iter()
        .map(|shard| (shard.len() as f64, net.shard_statistics(shard)))
        .collect();
    let mut start = 0;
    for (index, layer) in spec.layers().iter().enumerate() {
        let (fan_in, out) = (layer.fan_in, layer.fan_out);
        if !layer.is_normalized() {
            break;
        }
        // After weights, biases and scales.
        let mean_at = start + (fan_in + 2) * out;
        for j in 0..out {
            let share = 1.0 / shards.len() as f64;
            let mean = of_shards.iter().map(|(_, of)| share * of[index][0][j]);
            let variances = of_shards
                .iter()
                .map(|(rows, of)| share * of[index][1][j] * rows / (rows - 1.0));
            let (mean, variance): (f64, f64) = (mean.sum(), variances.sum());
            let at = mean_at + j;
            net.parameters[at] += 0.1 * (mean - net.parameters[at]);
            net.parameters[at + out] += 0.1 * (variance - net.parameters[at + out]);
        }
        start = mean_at + 2 * out;
    }
}

fn slow_case(hidden: &[usize], activation: Activation) -> (Reference, Vec<Sample>) {
    let spec = normalized(8, hidden, 3, activation);
    let data = dataset(5, 8, 3, 5);
    let net = reference(&spec, &parameters(&spec, 6));
    let batch: Vec<u32> = (0..5).collect();
    (net, shards(&data, &batch).remove(0))
}

#[test]
fn central_differences_prove_the_reference_over_a_shard() {
    for activation in Activation::ALL {
        for hidden in DEPTHS {
            let (net, shard) = slow_case(hidden, activation);
            let gradient = net.shard_gradient(&shard);
            let differences = net.shard_gradient_by_differences(&shard, 1e-6);
            let off = distance(&gradient, &differences);
            assert!(off < 1e-7, "{activation:?} {hidden:?}: {off}");
        }
    }
}

#[test]
fn the_gradient_check_over_a_shard_fails_on_a_flipped_sign_and_without_the_statistics() {
    let (net, shard) = slow_case(&[9, 5], Activation::Tanh);
    let differences = net.shard_gradient_by_differences(&shard, 1e-6);
    let gradient = net.shard_gradient(&shard);
    let trained = |at: &usize| gradient[*at].abs() > 1e-5;
    for at in (0..gradient.len()).filter(trained) {
        let mut flipped = gradient.clone();
        flipped[at] = -flipped[at];
        let off = distance(&flipped, &differences);
        assert!(
            off > 1e-6,
            "element {at} of {} flipped without a failure",
            gradient[at]
        );
    }
    // With each sample as a shard of its own: the statistics are part of the function.
    let mut sum = vec![0.0; gradient.len()];
    for sample in shard.chunks(1) {
        let single = net.shard_gradient(sample);
        sum.iter_mut().zip(single).for_each(|(s, g)| *s += g);
    }
    assert!(distance(&sum, &differences) > 1e-2);
}

#[test]
fn the_fast_gradient_equals_the_slow_one_over_awkward_shards() {
    let workers = workers(2);
    let shapes: [(usize, &[usize], usize); 5] = [
        (13, &[11], 10),
        (8, &[17, 9], 2),
        (31, &[5, 19, 6], 11),
        (3, &[2], 12),
        // Several chunks of columns per layer, with ragged ends.
        (70, &[129, 67], 50),
    ];
    for rows in [1, 2, 7, 8, 9, 33, 64, 65, 131, 200] {
        // Once normalised, one of two rows is about the negative of the other, so that almost no gradient flows back: the
        // difference of two almost equal numbers, multiplied by up to 1/√ε.
        let tolerance = if rows == 2 { 1e-3 } else { 1e-5 };
        for (inputs, hidden, classes) in shapes {
            for activation in Activation::ALL {
                let spec = normalized(inputs, hidden, classes, activation);
                let data = dataset(rows, inputs, classes, 7);
                let parameters = parameters(&spec, 8);
                let batch: Vec<u32> = (0..rows as u32).rev().collect();
                let net = reference(&spec, &parameters);
                let (expected, expected_loss) = slow_gradient(&net, &data, &batch);
                for engine in engines() {
                    let mut stepper = stepper(&spec, &parameters, engine, rows);
                    let loss = stepper.step(&workers, &data, &batch);
                    let off = distance(&wide(&stepper.slots()[0]), &expected);
                    let case = format!("{engine:?}, {rows} rows, {spec}, {activation:?}");
                    assert!(off < tolerance, "{case}: gradient off by {off}");
                    let off = (loss - expected_loss).abs() / expected_loss;
                    assert!(off < 1e-6, "{case}: loss off by {off}");
                }
            }
        }
    }
}

#[test]
fn parameters_and_running_statistics_follow_the_slow_path_over_ragged_batches() {
    // Batches of two shards and of one shard; then a batch of a single row.
    for (rows, batch_size) in [(170, 100), (81, 40)] {
        let spec = normalized(13, &[11, 9], 4, Activation::Tanh);
        let data = dataset(rows, 13, 4, 3);
        let start = parameters(&spec, 4);
        let order: Vec<u32> = (0..rows as u32).collect();
        for engine in engines() {
            let mut net = reference(&spec, &start);
            let mut velocity = vec![0.0; start.len()];
            let mut stepper = stepper(&spec, &start, engine, batch_size);
            for _ in 0..2 {
                for batch in order.chunks(batch_size) {
                    stepper.step(&workers(2), &data, batch);
                    let (gradient, _) = slow_gradient(&net, &data, batch);
                    if batch.len() > 1 {
                        move_statistics(&mut net, &spec, &data, batch);
                    }
                    slow_step(&mut net, &mut velocity, &gradient);
                }
            }
            let off = distance(&wide(&stepper.parameters()), &net.parameters);
            assert!(off < 1e-5, "{engine:?}, {rows} rows: off by {off}");
        }
    }
}

#[test]
fn frozen_layers_keep_their_running_statistics_and_normalise_by_them() {
    let spec_of = |activation| normalized(13, &[11, 9, 8], 4, activation);
    let data = dataset(80, 13, 4, 3);
    let batch: Vec<u32> = (0..80).collect();
    // A layer above a trained one, and the first layer.
    for (frozen, activation) in [1, 0]
        .into_iter()
        .flat_map(|frozen| [Activation::Tanh, Activation::Gelu].map(|it| (frozen, it)))
    {
        let spec = spec_of(activation);
        let start = parameters(&spec, 4);
        let mut net = reference(&spec, &start);
        net.frozen = vec![frozen];
        let sample = &shards(&data, &batch[..5])[0];
        let gradient = net.shard_gradient(sample);
        let mut differences = net.shard_gradient_by_differences(sample, 1e-6);
        // Differences include the running statistics, which no gradient moves.
        let norm = spec.layers()[frozen].clone();
        let mut marks = vec![0.0; start.len()];
        let statistics = norm.norm_mut(&mut marks).expect("a norm");
        statistics.mean.fill(1.0);
        statistics.variance.fill(1.0);
        for (d, _) in differences
            .iter_mut()
            .zip(&marks)
            .filter(|(_, mark)| **mark == 1.0)
        {
            *d = 0.0;
        }
        assert!(distance(&gradient, &differences) < 1e-7);
        let (mut expected, _) = slow_gradient(&net, &data, &batch);
        clear_layer(&spec, frozen, &mut expected);
        for engine in engines() {
            let mut stepper = stepper(&spec, &start, engine, 80);
            let mut layers = vec![false; 4];
            layers[frozen] = true;
            stepper.freeze(&layers);
            stepper.step(&workers(2), &data, &batch);
            let off = distance(&wide(&stepper.slots()[0]), &expected);
            assert!(
                off < 1e-5,
                "{engine:?}, layer {frozen}, {activation:?}: {off}"
            );
            let after = stepper.parameters();
            assert_eq!(norm.norm(&start), norm.norm(&after), "{engine:?}");
            assert_eq!(norm.split(&start), norm.split(&after), "{engine:?}");
        }
    }
}

#[test]
fn a_shard_of_one_row_normalises_to_the_shift() {
    let spec = normalized(5, &[7], 3, Activation::Sigmoid);
    let data = dataset(1, 5, 3, 3);
    let start = parameters(&spec, 4);
    let (layer, last) = (&spec.layers()[0], &spec.layers()[1]);
    let y = layer.bias(&start).iter().map(|b| 1.0 / (1.0 + (-b).exp()));
    let y: Vec<f32> = y.collect();
    let weight = last.weight(&start);
    let logits: Vec<f32> = (0..3)
        .map(|c| last.bias(&start)[c] + (0..7).map(|j| y[j] * weight[[j, c]]).sum::<f32>())
        .collect();
    let sum: f32 = logits.iter().map(|z| z.exp()).sum();
    let expected = sum.ln() - logits[data.labels()[0] as usize];
    for engine in engines() {
        let mut stepper = stepper(&spec, &start, engine, 1);
        let loss = stepper.step(&workers(1), &data, &[0]);
        assert!(
            (loss - f64::from(expected)).abs() < 1e-5,
            "{engine:?}: {loss}"
        );
        // The weights get no gradient, and the running statistics stay as they were.
        let gradient = &stepper.slots()[0];
        assert!(layer.weight(gradient).iter().all(|&g| g == 0.0));
        assert!(layer.bias(gradient).iter().all(|&g| g != 0.0));
        let after = stepper.parameters();
        let (before, after) = (layer.norm(&start), layer.norm(&after));
        let (before, after) = (before.expect("a norm"), after.expect("a norm"));
        assert_eq!((before.mean, before.variance), (after.mean, after.variance));
    }
}

#[test]
fn evaluation_uses_the_running_statistics_and_a_folded_model_predicts_the_same() {
    // More than one block of samples, the last one ragged.
    let data = dataset(600, 13, 5, 3);
    let workers = workers(2);
    for activation in Activation::ALL {
        let spec = normalized(13, &[11, 70], 5, activation);
        let parameters = parameters(&spec, 4);
        let net = reference(&spec, &parameters);
        let losses = (0..600).map(|row| net.loss(&item(&data, row), data.labels()[row] as usize));
        let loss = losses.sum::<f64>() / 600.0;
        let model = Model {
            spec,
            scaling: Scaling::IDENTITY,
            target_scaling: None,
            parameters,
            class_names: None,
            schema: None,
            provenance: None,
        };
        let folded = model.folded().into_owned();
        assert!(!folded.spec.batch_norm());
        for engine in engines() {
            let evaluate = |model: &Model| {
                let as_it_is = model.preprocessing();
                let (spec, parameters) = (&model.spec, &model.parameters);
                let network = Network::for_inference(spec, parameters, &as_it_is.columns, engine);
                let mut evaluator = Evaluator::new(spec, as_it_is, &workers).expect("memory");
                let network = network.expect("a network");
                let found = evaluator.evaluate(&workers, &network, &data);
                found.expect("memory")
            };
            let (found, of_folded) = (evaluate(&model), evaluate(&folded));
            let case = format!("{engine:?}, {activation:?}");
            assert!((found.score.loss - loss).abs() < 1e-6 * loss, "{case}");
            assert!(
                (of_folded.score.loss - loss).abs() < 1e-6 * loss,
                "{case}: folded"
            );
            assert_eq!(found.predictions, of_folded.predictions, "{case}");
        }
    }
}

fn config(engine: impl Into<EngineChoice>) -> TrainConfig {
    TrainConfig {
        hidden: vec![70, 20],
        activation: Activation::Relu,
        batch_norm: true,
        engine: engine.into(),
        batch_size: 70,
        epochs: 2,
        ..TrainConfig::default()
    }
}

#[test]
fn any_thread_count_gives_the_same_model_with_batch_norm() {
    for (engine, optimizer) in
        engines().flat_map(|engine| every_rule().into_iter().map(move |rule| (engine, rule)))
    {
        for (batch_size, activation) in [(70, Activation::Relu), (300, Activation::Gelu)] {
            let config = TrainConfig {
                optimizer: optimizer.clone(),
                batch_size,
                activation,
                ..config(engine)
            };
            assert_same_model_on_any_threads(&config, &splits_with_idle_columns(307));
        }
    }
}

#[test]
fn a_run_with_batch_norm_resumes_from_any_step() {
    for (engine, optimizer) in
        engines().flat_map(|engine| every_rule().into_iter().map(move |rule| (engine, rule)))
    {
        let splits = splits_with_idle_columns(141);
        let config = TrainConfig {
            optimizer,
            ..config(engine)
        };
        assert_resumes_from_every_step(&config, &splits);
    }
}

#[test]
fn columns_that_are_always_zero_are_left_out_exactly_before_batch_norm() {
    let workers = workers(2);
    let (train, test) = with_idle_columns(90);
    let fitted = Preprocessing::fit(Scale::Unit, train.rows(), &workers).expect("a scaling");
    assert!(!fitted.columns.idle().is_empty());
    let all = Preprocessing::of_all_columns(fitted.scaling.clone(), train.features());
    let spec = normalized(train.features(), &[19], 3, Activation::Tanh);
    let start = parameters(&spec, 4);
    let batch: Vec<u32> = (0..90).collect();
    for engine in engines() {
        let trained = |preprocessing: &Preprocessing| {
            let (rule, schedule) = (Rule::sgd(MOMENTUM), Schedule::constant(LEARNING_RATE));
            let own = preprocessing.clone();
            let stepper = Stepper::new(&spec, &start, own, engine, rule, schedule, 90);
            let mut stepper = stepper.expect("an available engine");
            for _ in 0..5 {
                stepper.step(&workers, &train, &batch);
            }
            let mut evaluator =
                Evaluator::new(&spec, preprocessing.clone(), &workers).expect("memory");
            let evaluated = evaluator.evaluate(&workers, stepper.network(), &test);
            (stepper.parameters(), evaluated.expect("memory").score.loss)
        };
        let (with, without) = (trained(&all), trained(&fitted));
        let off = distance(&wide(&without.0), &wide(&with.0));
        assert!(off < 1e-5, "{engine:?}: {off}");
        assert!((without.1 - with.1).abs() < 1e-5, "{engine:?}");
        if engine == Engine::Native {
            assert_eq!(without.0, with.0);
        }
    }
}
