//! A first layer that skips zeros computes what one that does not computes.

use std::path::Path;

use perceptor::data::idx::{ElementType, Header};
use perceptor::data::mmap::Bytes;
use perceptor::data::{GlobalScaling, IdxFile};
use perceptor::nn::{Columns, Sparsity};

use super::*;

const FEATURES: usize = 150;

/// Rows of which about two thirds are zero, some of them −0, and one row without anything.
fn sparse_rows(rows: usize) -> Array2<f32> {
    let mut rng = rng(5);
    let mut x = Array2::from_shape_simple_fn((rows, FEATURES), || match rng.random_range(0..6) {
        0 | 1 => rng.random_range(-1.0f32..1.0),
        2 => -0.0,
        _ => 0.0,
    });
    x.row_mut(rows / 2).fill(0.0);
    x
}

fn labels(rows: usize) -> Array1<u32> {
    Array1::from_shape_fn(rows, |row| row as u32 % 5)
}

fn preprocessing(scaling: GlobalScaling, skips_zeros: bool) -> Preprocessing {
    let sparsity = skips_zeros.then_some(Sparsity {
        density: 0.3,
        offset: scaling.offset * scaling.factor,
        bytes: None,
    });
    Preprocessing {
        scaling: Scaling::Global(scaling),
        columns: Columns::all(FEATURES).with_sparsity(sparsity),
    }
}

/// Trains some steps and evaluates. Returns parameters, velocity and loss.
fn trained(
    spec: &Spec,
    data: &Dataset,
    rows: usize,
    preprocessing: &Preprocessing,
    rule: Rule,
) -> (Vec<f32>, Vec<f32>, f64) {
    let (workers, schedule) = (workers(2), Schedule::constant(LEARNING_RATE));
    let (start, own) = (parameters(spec, 4), preprocessing.clone());
    let stepper = Stepper::new(spec, &start, own, Engine::Native, rule, schedule, rows);
    let mut stepper = stepper.expect("an available engine");
    let order: Vec<u32> = (0..data.samples() as u32).collect();
    for batch in order.chunks(rows).cycle().take(5) {
        stepper.step(&workers, data, batch);
    }
    let evaluator = Evaluator::new(spec, preprocessing.clone(), &workers);
    let evaluated = evaluator
        .expect("memory")
        .evaluate(&workers, stepper.network(), data);
    let loss = evaluated.expect("memory").score.loss;
    (stepper.parameters(), stepper.slots().swap_remove(0), loss)
}

#[test]
fn skipping_zeros_changes_no_bit() {
    if Engine::Native.check().is_err() {
        return;
    }
    let clipped = Rule {
        clip_norm: Some(0.1),
        max_norm: Some(1.0),
        ..Rule::sgd(MOMENTUM)
    };
    for rule in [Rule::sgd(MOMENTUM), clipped] {
        // Widths with one and several panels; batches of one row, of ragged groups, and longer than one sum.
        for (rows, width) in [(1, 7), (33, 100), (70, 130), (600, 20)] {
            let data = labelled(&sparse_rows(rows + rows / 2), &labels(rows + rows / 2), 5);
            let spec = Spec::new(FEATURES, &[width], 5, Activation::Tanh).expect("a spec");
            let [all, some] = [false, true].map(|skips| {
                let preprocessing = preprocessing(GlobalScaling::IDENTITY, skips);
                trained(&spec, &data, rows, &preprocessing, rule)
            });
            assert!(all.0 == some.0, "{rows} rows, {width} units");
            assert!(all.1 == some.1, "{rows} rows, {width} units");
            assert_eq!(all.2.to_bits(), some.2.to_bits());
        }
    }
}

/// Rows of whole numbers in an IDX file of bytes, about two thirds of them zero.
fn bytes(rows: usize, element: ElementType) -> Dataset {
    let mut rng = rng(6);
    let file = |dimensions: &[usize], byte: &mut dyn FnMut() -> u8| {
        let path = Path::new("bytes");
        let header = Header::new(path, element, dimensions).expect("a header");
        let payload = (0..dimensions.iter().product()).map(|_| byte());
        let bytes = header.to_bytes().into_iter().chain(payload).collect();
        IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a complete file")
    };
    let images = file(&[rows, FEATURES], &mut || match rng.random_range(0..3) {
        0 => rng.random(),
        _ => 0,
    });
    let mut next = 0;
    let labels = file(&[rows], &mut || {
        next = (next + 1) % 5;
        next
    });
    Dataset::new(images, &labels, Some(5)).expect("a data set")
}

#[test]
fn a_layer_that_takes_bytes_has_the_same_bits() {
    if Engine::Native.check().is_err() {
        return;
    }
    let of_offset = |offset| GlobalScaling {
        offset,
        factor: 1.0 / 255.0,
    };
    for (scaling, element) in [
        (of_offset(0.0), ElementType::U8),
        (of_offset(33.5), ElementType::U8),
        (of_offset(0.0), ElementType::I8),
    ] {
        for (rows, width) in [(1, 7), (33, 100), (70, 130), (600, 20)] {
            let data = bytes(rows + rows / 2, element);
            let values = data.rows().byte_values(scaling).expect("rows of bytes");
            let spec = Spec::new(FEATURES, &[width], 5, Activation::Tanh).expect("a spec");
            let [floats, bytes] = [None, Some(values)].map(|bytes| {
                let mut preprocessing = preprocessing(scaling, true);
                let sparsity = preprocessing.columns.sparsity().cloned();
                let sparsity = sparsity.map(|of| Sparsity { bytes, ..of });
                preprocessing.columns = preprocessing.columns.with_sparsity(sparsity);
                trained(&spec, &data, rows, &preprocessing, Rule::sgd(MOMENTUM))
            });
            let case = format!("{rows} rows of {element:?}, {width} units, {scaling:?}");
            assert!(floats.0 == bytes.0 && floats.1 == bytes.1, "{case}");
            assert_eq!(floats.2.to_bits(), bytes.2.to_bits(), "{case}");
        }
    }
}

#[test]
fn an_offset_is_folded_into_the_products() {
    if Engine::Native.check().is_err() {
        return;
    }
    let scaling = GlobalScaling {
        offset: 0.25,
        factor: 2.0,
    };
    let limited = Rule {
        max_norm: Some(0.5),
        ..Rule::sgd(MOMENTUM)
    };
    for (rule, tolerance) in [(Rule::sgd(MOMENTUM), 1e-5), (limited, 1e-5)] {
        for (rows, width) in [(9, 33), (70, 130), (600, 20)] {
            let data = labelled(&sparse_rows(rows + rows / 2), &labels(rows + rows / 2), 5);
            let spec = Spec::new(FEATURES, &[width], 5, Activation::Tanh).expect("a spec");
            let [all, some] = [false, true]
                .map(|skips| trained(&spec, &data, rows, &preprocessing(scaling, skips), rule));
            let case = format!("{rule:?}, {rows} rows, {width} units");
            assert!(all.0 != some.0, "{case}: rounded differently");
            let (weights, velocities) = (
                distance(&wide(&some.0), &wide(&all.0)),
                distance(&wide(&some.1), &wide(&all.1)),
            );
            assert!(weights < tolerance, "{case}: weights off by {weights}");
            assert!(
                velocities < 10.0 * tolerance,
                "{case}: velocities off by {velocities}"
            );
            assert!(
                (some.2 - all.2).abs() < tolerance,
                "{case}: {} for {}",
                some.2,
                all.2
            );
        }
    }
}

/// The gradient of a layer that skips zeros and folds an offset, against the reference; and a wrong offset, which the
/// comparison must notice.
#[test]
fn the_gradient_of_a_layer_that_skips_zeros_equals_the_slow_one() {
    if Engine::Native.check().is_err() {
        return;
    }
    let (rows, scaling) = (
        40,
        GlobalScaling {
            offset: 0.25,
            factor: 2.0,
        },
    );
    let x = sparse_rows(rows);
    let data = labelled(&x, &labels(rows), 5);
    let scaled = x.mapv(|x| (x - scaling.offset) * scaling.factor);
    let expected = labelled(&scaled, &labels(rows), 5);
    let spec = Spec::new(FEATURES, &[50], 5, Activation::Tanh).expect("a spec");
    let start = parameters(&spec, 4);
    let batch: Vec<u32> = (0..rows as u32).collect();
    let (gradient, loss) = slow_gradient(&reference(&spec, &start), &expected, &batch);
    for (offset, is_right) in [(0.5, true), (-0.5, false)] {
        let mut preprocessing = preprocessing(scaling, true);
        let sparsity = Sparsity {
            density: 0.3,
            offset,
            bytes: None,
        };
        preprocessing.columns = preprocessing.columns.with_sparsity(Some(sparsity));
        let (rule, schedule) = (Rule::sgd(MOMENTUM), Schedule::constant(LEARNING_RATE));
        let stepper = Stepper::new(
            &spec,
            &start,
            preprocessing,
            Engine::Native,
            rule,
            schedule,
            rows,
        );
        let mut stepper = stepper.expect("an available engine");
        let found = stepper.step(&workers(2), &data, &batch);
        // After the first step the velocity is the gradient.
        let off = distance(&wide(&stepper.slots()[0]), &gradient);
        assert_eq!(off < 1e-5, is_right, "off by {off}");
        assert_eq!(
            (found - loss).abs() < 1e-4 * loss,
            is_right,
            "{found} for {loss}"
        );
    }
}
