//! Central differences prove the slow path, and the slow path proves the fast one.

use super::*;

const DEPTHS: [&[usize]; 4] = [&[], &[9], &[7, 5], &[6, 5, 4]];

#[test]
fn central_differences_prove_the_reference_for_every_activation_and_depth() {
    for activation in Activation::ALL {
        for hidden in DEPTHS {
            let spec = Spec::new(8, hidden, 3, activation).expect("a spec");
            let data = dataset(1, 8, 3, 5);
            let net = reference(&spec, &parameters(&spec, 6));
            let (x, label) = (item(&data, 0), data.labels()[0] as usize);
            // A difference across the kink of a ReLU is the slope of neither side.
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
    // The smallest element too: a single wrong weight must fail the check.
    for at in 0..gradient.len() {
        let mut flipped = gradient.clone();
        flipped[at] = -flipped[at];
        let off = distance(&flipped, &differences);
        assert!(
            off > 1e-6,
            "element {at} of {} flipped without a failure",
            gradient[at]
        );
    }
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
        // Several panels and pieces per layer, with ragged ends.
        (70, &[129, 67], 50),
    ];
    // Up to a batch of several blocks, the last one ragged.
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
                    // The velocity starts at zero, so it equals the gradient after one step.
                    let off = distance(&wide(&stepper.slots()[0]), &expected);
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
                slow_step(&mut net, &mut velocity, &gradient);
            }
        }
        let off = distance(&wide(&stepper.parameters()), &net.parameters);
        assert!(off < 1e-5, "{engine:?}: off by {off}");
    }
}

#[test]
fn evaluation_equals_the_slow_path() {
    // More than one block of samples, the last one ragged.
    let data = dataset(600, 13, 5, 3);
    let spec = Spec::new(13, &[11], 5, Activation::Sigmoid).expect("a spec");
    let parameters = parameters(&spec, 4);
    let net = reference(&spec, &parameters);
    let workers = workers(2);
    let (mut loss, mut correct) = (0.0, 0);
    for row in 0..data.samples() {
        let (x, label) = (item(&data, row), data.labels()[row] as usize);
        loss += net.loss(&x, label);
        let outputs = net.affine_outputs(&x);
        let logits = &outputs[outputs.len() - 1];
        let best = (0..5).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        correct += usize::from(best == Some(label));
    }
    for engine in engines() {
        let as_it_is = Preprocessing::of_all_columns(Scaling::IDENTITY, 13);
        let network = Network::for_inference(&spec, &parameters, &as_it_is.columns, engine);
        let network = network.expect("a network");
        let mut evaluator = Evaluator::new(&spec, as_it_is, &workers).expect("memory");
        let found = evaluator
            .evaluate(&workers, &network, &data)
            .expect("memory");
        assert!((found.score.loss - loss / 600.0).abs() < 1e-6, "{engine:?}");
        assert_eq!(
            found.score.accuracy,
            Some(correct as f64 / 600.0),
            "{engine:?}"
        );
        let probabilities = evaluator.predict(&workers, &network, data.rows(), 10..510);
        for row in probabilities.expect("memory").chunks_exact(5) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
