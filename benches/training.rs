//! What a step is made of, a step, and an epoch, for one thread and for all.
//!
//! Ids are `stage/path/shape`; the path names the engine and the threads. Every bench checks its
//! answer before it times it. `cargo bench --features openblas`, and without the feature for the pure-Rust path.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{iter, ops::ControlFlow};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use perceptor::compute::Engine;
use perceptor::compute::affine::Affine;
use perceptor::compute::parallel::Workers;
use perceptor::compute::shared::Matrix;
use perceptor::data::idx::{ElementType, Header};
use perceptor::data::loader::Order;
use perceptor::data::mmap::Bytes;
use perceptor::data::{Dataset, IdxFile, Scale, Scaling};
use perceptor::nn::init::initial_parameters;
use perceptor::nn::{Activation, Init, Spec};
use perceptor::optim::Sgd;
use perceptor::random::{Purpose, stream};
use perceptor::train::Stepper;
use rand::RngExt;

const ITEMS: usize = 6000;
const SGD: Sgd = Sgd {
    learning_rate: 0.05,
    momentum: 0.9,
};

/// Networks and batch sizes that are timed.
const WORK: [(&[usize], Activation, usize); 3] = [
    (&[100], Activation::Sigmoid, 32),
    (&[100], Activation::Sigmoid, 128),
    (&[512, 256], Activation::Relu, 128),
];

fn workers(threads: NonZeroUsize) -> Workers {
    Workers::new(threads).expect("workers")
}

/// One thread, and all cores where there are more.
fn thread_counts() -> Vec<NonZeroUsize> {
    let mut counts = vec![NonZeroUsize::MIN, Workers::available()];
    counts.dedup();
    counts
}

/// Bytes of which a class can be told: each class has bright pixels of its own under noise.
fn dataset() -> Dataset {
    let mut rng = stream(1, Purpose::Init, 0);
    let labels: Vec<u8> = (0..ITEMS).map(|_| rng.random_range(0..10)).collect();
    let mut pixels = vec![0u8; ITEMS * 784];
    for (item, &label) in pixels.chunks_exact_mut(784).zip(&labels) {
        for (at, pixel) in item.iter_mut().enumerate() {
            let bright = at % 10 == usize::from(label);
            *pixel = rng.random_range(0..if bright { 255 } else { 128 });
        }
    }
    let idx = |dimensions: &[usize], payload: Vec<u8>| {
        let path = Path::new("generated");
        let header = Header::new(path, ElementType::U8, dimensions).expect("a header");
        let bytes = [header.to_bytes(), payload].concat();
        IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a whole file")
    };
    let images = idx(&[ITEMS, 28, 28], pixels);
    Dataset::new(images, &idx(&[ITEMS], labels), Some(10)).expect("a data set")
}

/// The engines that this build and this processor have.
fn engines() -> impl Iterator<Item = Engine> {
    let all = [Engine::Openblas, Engine::Native, Engine::Portable];
    all.into_iter().filter(|engine| engine.resolve().is_ok())
}

fn gather(c: &mut Criterion) {
    let data = dataset();
    let scaling = Scaling::fit(Scale::Unit, data.images()).expect("a scaling");
    let mut order = Order::new(ITEMS);
    order.shuffle(1, 1);
    let rows = 128;
    let batch: Vec<u32> = order.batches(rows).next().expect("a batch").to_vec();
    let (mut inputs, mut labels) = (vec![0.0; rows * 784], vec![0; rows]);
    let mut gather = || data.gather(&batch, scaling, inputs.chunks_exact_mut(784), &mut labels);
    gather();
    for (row, &item) in batch.iter().enumerate() {
        let expected = f32::from(data.images().item(item as usize)[300]) / 255.0;
        assert!((inputs[row * 784 + 300] - expected).abs() < 1e-6);
    }
    let mut gather = || data.gather(&batch, scaling, inputs.chunks_exact_mut(784), &mut labels);
    let mut group = c.benchmark_group("gather");
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function(BenchmarkId::new("1-thread", "128x784"), |b| {
        b.iter(&mut gather)
    });
}

/// The products of a step on one core: `z = x·w`, `dx = dz·wᵀ`, and the update from `xᵀ·dz`.
fn gemm(c: &mut Criterion) {
    let shapes: [(usize, usize, usize); 5] = [
        (32, 784, 100),
        (128, 784, 100),
        (128, 784, 512),
        (128, 512, 256),
        (128, 256, 10),
    ];
    for engine in engines() {
        for (rows, fan_in, fan_out) in shapes {
            let weight = vec![0.25; fan_in * fan_out];
            let layer = Affine::new(engine, &weight, (fan_in, fan_out), true).expect("a layer");
            let filled = |width: usize, value: f32| {
                let matrix = Matrix::zeroed(rows, width).expect("memory");
                // SAFETY: the matrix is ours alone.
                unsafe { matrix.rows_mut(0..rows) }
                    .iter_mut()
                    .for_each(|row| row.fill(value));
                matrix
            };
            let (x, dz) = (filled(fan_in, 0.5), filled(fan_out, 2.0));
            let (z, dx) = (filled(fan_out, f32::NAN), filled(fan_in, f32::NAN));
            // SAFETY: one thread, and no two of these at once.
            let forward = || unsafe { layer.forward(x.rows(0..rows), z.rows_mut(0..rows)) };
            // SAFETY: as above.
            let input = || unsafe { layer.backward(dz.rows(0..rows), dx.rows_mut(0..rows)) };
            let still = Sgd {
                learning_rate: 0.0,
                momentum: 0.0,
            };
            let weight = || {
                for piece in 0..layer.pieces() {
                    // SAFETY: as above.
                    unsafe { layer.update(piece, x.rows(0..rows), dz.rows(0..rows), still) };
                }
            };
            forward();
            input();
            weight();
            let mut velocity = vec![f32::NAN; fan_in * fan_out];
            // SAFETY: as above.
            unsafe {
                layer.copy_velocity(&mut velocity);
                // Powers of two, summed exactly.
                let row = rows - 1..rows;
                assert_eq!(
                    z.rows(row.clone()).values[..fan_out],
                    vec![0.125 * fan_in as f32; fan_out]
                );
                assert_eq!(
                    dx.rows(row).values[..fan_in],
                    vec![0.5 * fan_out as f32; fan_in]
                );
                assert_eq!(velocity, vec![rows as f32; fan_in * fan_out]);
            }
            let mut bench = |stage: &str, product: &dyn Fn()| {
                let mut group = c.benchmark_group(stage);
                group.throughput(Throughput::Elements((2 * rows * fan_in * fan_out) as u64));
                let shape = format!("{rows}x{fan_in}x{fan_out}");
                group.bench_function(BenchmarkId::new(engine.name(), shape), |b| b.iter(product));
            };
            bench("gemm-forward", &forward);
            bench("gemm-input", &input);
            bench("gemm-weight", &weight);
        }
    }
}

/// A network on its way.
fn stepper(engine: Engine, hidden: &[usize], activation: Activation, batch_size: usize) -> Stepper {
    let spec = Spec::new(784, hidden, 10, activation).expect("a spec");
    let start = initial_parameters(&spec, Init::Auto, 0.0, 1);
    Stepper::new(&spec, &start, engine, SGD, batch_size).expect("an engine that is here")
}

/// Runs `bench` for every engine, thread count and work, with the path and shape of its id.
fn for_all_work(mut bench: impl FnMut(&Workers, &str, &str, Stepper, usize)) {
    for engine in engines() {
        for threads in thread_counts() {
            let workers = workers(threads);
            let path = format!("{}-{threads}-threads", engine.name());
            for (hidden, activation, batch_size) in WORK {
                let stepper = stepper(engine, hidden, activation, batch_size);
                let shape = format!("{batch_size}x{}", stepper.network().spec());
                bench(&workers, &path, &shape, stepper, batch_size);
            }
        }
    }
}

fn step(c: &mut Criterion) {
    let data = dataset();
    let scaling = Scaling::fit(Scale::Unit, data.images()).expect("a scaling");
    for_all_work(|workers, path, shape, mut stepper, batch_size| {
        let batch: Vec<u32> = (0..batch_size as u32).collect();
        let mut steps = |times: usize| {
            let (mut first, mut last) = (f64::NAN, f64::NAN);
            let batches = iter::repeat_n(&batch[..], times);
            let start = Instant::now();
            stepper.pass(workers, &data, scaling, batches, &mut |step, loss| {
                first = if step == 0 { loss } else { first };
                last = loss;
                ControlFlow::Continue(())
            });
            (start.elapsed(), first, last)
        };
        let (_, first, last) = steps(20);
        assert!(last < first, "the loss falls: {first}, {last}");
        let mut group = c.benchmark_group("step");
        group.throughput(Throughput::Elements(batch_size as u64));
        group.bench_function(BenchmarkId::new(path, shape), |b| {
            b.iter_custom(|times| steps(times as usize).0);
        });
    });
}

fn epoch(c: &mut Criterion) {
    let data = dataset();
    let scaling = Scaling::fit(Scale::Unit, data.images()).expect("a scaling");
    for_all_work(|workers, path, shape, mut stepper, batch_size| {
        let mut order = Order::new(ITEMS);
        let mut number = 0;
        let mut pass = || {
            number += 1;
            let start = Instant::now();
            order.shuffle(1, number);
            let mut sum = 0.0;
            let batches = order.batches(batch_size);
            stepper.pass(workers, &data, scaling, batches, &mut |_, loss| {
                sum += loss;
                ControlFlow::Continue(())
            });
            (start.elapsed(), sum)
        };
        let ((_, first), (_, second)) = (pass(), pass());
        assert!(second < first, "the loss falls: {first}, {second}");
        let mut group = c.benchmark_group("epoch");
        group
            .sample_size(20)
            .throughput(Throughput::Elements(ITEMS as u64));
        group.bench_function(BenchmarkId::new(path, shape), |b| {
            b.iter_custom(|times| (0..times).map(|_| pass().0).sum::<Duration>());
        });
    });
}

criterion_group!(benches, gather, gemm, step, epoch);
criterion_main!(benches);
