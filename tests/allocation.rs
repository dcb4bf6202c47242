//! Steps allocate nothing after the first, as a counting allocator shows.
//!
//! This is a target of its own with a single test, because the allocator belongs to the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ndarray::Array2;
use perceptor::compute::Engine;
use perceptor::compute::parallel::Workers;
use perceptor::data::idx::{ElementType, Header};
use perceptor::data::mmap::Bytes;
use perceptor::data::{Dataset, IdxFile, Preprocessing, Scale, Scaling, TargetScaling, Targets};
use perceptor::nn::init::initial_parameters;
use perceptor::nn::loss::{CrossEntropy, Loss};
use perceptor::nn::{Activation, Dropout, Init, Noise, Spec};
use perceptor::optim::optimizer::Adam;
use perceptor::optim::{Optimizer, Rule};
use perceptor::schedule::Schedule;
use perceptor::train::Stepper;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is a worker: the test harness has other threads, which allocate at any time.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: every call is passed on to the system's allocator, which keeps the contract of `GlobalAlloc`; the counter and
// the thread-local flag do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTED.get() {
            ALLOCATIONS.fetch_add(1, Relaxed);
        }
        // SAFETY: `layout` has a nonzero size, which the caller of `alloc` guarantees.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller of `dealloc` guarantees that `pointer` came from `alloc` with this `layout`, so from
        // `System.alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const FEATURES: usize = 784;

/// The byte of an element, of which some columns are zero.
fn byte(at: usize) -> u8 {
    match at % FEATURES {
        100..150 => 0,
        _ => (at % 10) as u8,
    }
}

/// Classes, from IDX files of bytes.
fn classes(rows: usize) -> Dataset {
    let idx = |dimensions: &[usize]| {
        let path = Path::new("in-memory");
        let header = Header::new(path, ElementType::U8, dimensions).expect("a header");
        let payload = (0..dimensions.iter().product()).map(byte).collect();
        let bytes = [header.to_bytes(), payload].concat();
        IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a complete file")
    };
    let images = idx(&[rows, FEATURES]);
    Dataset::new(images, &idx(&[rows]), Some(10)).expect("a data set")
}

/// Values to predict, from arrays.
fn values(rows: usize) -> Dataset {
    let array = |columns: usize| {
        Array2::from_shape_fn((rows, columns), |(row, column)| {
            f32::from(byte(row * columns + column))
        })
    };
    let values = Targets::values(array(10).view()).expect("finite values");
    Dataset::from_rows(array(FEATURES).view(), values).expect("a data set")
}

#[test]
fn a_step_allocates_nothing_after_the_first() {
    // A pair for each feature, and one for all.
    let each = Scaling::per_feature(vec![0.1; 784], vec![0.1; 784]);
    let schedule = Schedule::constant(0.1);
    let rules = [
        Rule::sgd(0.9),
        Rule {
            weight_decay: 0.01,
            l1: 1e-4,
            max_norm: Some(1.0),
            clip_norm: Some(0.1),
            clip_value: Some(0.1),
            average: Some(0.9),
            ..Rule::from(Optimizer::Adam(Adam {
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                decoupled: true,
            }))
        },
    ];
    let (rows, steps) = (150usize, 20);
    let weighed = |data: Dataset| data.with_weights((1..=rows).map(|row| row as f32).collect());
    let (classes, numbers) = (classes(rows), weighed(values(rows)).expect("weights"));
    // Without matrixmultiply, which allocates a packing buffer in each product.
    let engines = [Engine::Native, Engine::Openblas];
    for engine in engines.into_iter().filter(|engine| engine.check().is_ok()) {
        for hidden in [&[][..], &[100][..], &[64, 33][..]] {
            for (threads, rule) in [1, 2, 3]
                .into_iter()
                .flat_map(|t| rules.map(|rule| (t, rule)))
            {
                let workers = NonZeroUsize::new(threads).expect("not zero");
                let workers = Workers::new(workers).expect("workers");
                // The counts below are only valid if the allocations of every worker are counted.
                let before = ALLOCATIONS.load(Relaxed);
                workers.team(|_| {
                    COUNTED.set(true);
                    drop(std::hint::black_box(Box::new(7)));
                });
                assert!(ALLOCATIONS.load(Relaxed) >= before + threads);
                // GELU keeps its input, or computes it again with batch normalisation.
                let activation = match hidden.len() {
                    2 => Activation::Gelu,
                    _ => Activation::Sigmoid,
                };
                // One of the networks is a regression.
                let data = if hidden.len() < 2 { &classes } else { &numbers };
                let spec = Spec::new(784, hidden, 10, activation).expect("a spec");
                let spec = spec.for_task(data.task());
                let spec = spec.with_batch_norm(threads > 1).expect("a spec");
                let start = initial_parameters(&spec, Init::Auto, 0.0, 1);
                // With and without idle columns.
                let preprocessing = match hidden.len() {
                    1 => Preprocessing::of_all_columns(each.clone(), 784),
                    _ => Preprocessing::fit(Scale::Unit, data.rows(), &workers).expect("inputs"),
                };
                assert_eq!(preprocessing.columns.idle().is_empty(), hidden.len() == 1);
                let stepper =
                    Stepper::new(&spec, &start, preprocessing, engine, rule, schedule, rows);
                let mut stepper = stepper.expect("an available engine");
                // With every kind of noise, and class weights, in two of the networks.
                if hidden.len() < 2 {
                    let noise = Noise {
                        seed: 1,
                        inputs: 0.1,
                        input_dropout: Dropout::new(0.2),
                        dropout: Dropout::new(0.5),
                    };
                    stepper.set_noise(noise).expect("memory");
                    stepper.set_loss(Loss::CrossEntropy(CrossEntropy {
                        smoothing: 0.1,
                        class_weights: Some(vec![2.0; 10]),
                    }));
                }
                // With standardised targets and row weights in the regression.
                if hidden.len() == 2 {
                    let scaling = TargetScaling::standard(data.targets(), data.weights());
                    stepper.set_target_scaling(Some(scaling));
                }
                let batch: Vec<u32> = (0..rows as u32).collect();
                let mut after_first = 0;
                let order = batch.repeat(steps);
                stepper.pass(&workers, data, &order, &mut |step, _| {
                    if step == 0 {
                        after_first = ALLOCATIONS.load(Relaxed);
                    } else {
                        let new = ALLOCATIONS.load(Relaxed) - after_first;
                        assert_eq!(
                            new, 0,
                            "{engine:?} {hidden:?}, {threads} threads, step {step}"
                        );
                    }
                    ControlFlow::Continue(())
                });
                // The threads of a dropped pool end later, and may allocate then.
                workers.team(|_| COUNTED.set(false));
            }
        }
    }
}
