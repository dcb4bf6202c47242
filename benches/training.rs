//! What a step is made of, a step, and an epoch, for one thread and for all.
//!
//! Ids are `stage/path/shape`; the path names the linear algebra library and the threads. Every bench checks its
//! answer before it times it. `cargo bench --features openblas`, and without the feature for the pure-Rust path.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use perceptor::compute::gemm::{matrix, matrix_mut, multiply};
use perceptor::compute::parallel::Workers;
use perceptor::data::idx::{ElementType, Header};
use perceptor::data::loader::Order;
use perceptor::data::mmap::Bytes;
use perceptor::data::{Dataset, IdxFile, Scale, Scaling};
use perceptor::nn::init::initial_parameters;
use perceptor::nn::{Activation, Init, Spec};
use perceptor::optim::Sgd;
use perceptor::random::{Purpose, stream};
use perceptor::train::Stepper;
use perceptor::train::shards::shard_rows;
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

fn gather(c: &mut Criterion) {
    let data = dataset();
    let scaling = Scaling::fit(Scale::Unit, data.images()).expect("a scaling");
    let mut order = Order::new(ITEMS);
    order.shuffle(1, 1);
    let rows = 128;
    let batch: Vec<u32> = order.batches(rows).next().expect("a batch").to_vec();
    let (mut inputs, mut labels) = (vec![0.0; rows * 784], vec![0; rows]);
    data.gather(&batch, scaling, &mut inputs, &mut labels);
    for (row, &item) in batch.iter().enumerate() {
        let expected = f32::from(data.images().item(item as usize)[300]) / 255.0;
        assert!((inputs[row * 784 + 300] - expected).abs() < 1e-6);
    }
    let mut group = c.benchmark_group("gather");
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function(BenchmarkId::new("1-thread", "128x784"), |b| {
        b.iter(|| data.gather(black_box(&batch), scaling, &mut inputs, &mut labels));
    });
}

/// The products of a step, each at the size of a shard: `z = x·w`, `dw = xᵀ·dz`, `dx = dz·wᵀ`.
fn gemm(c: &mut Criterion) {
    let library = workers(NonZeroUsize::MIN).blas().library.to_lowercase();
    for (hidden, activation, batch_size) in WORK {
        let spec = Spec::new(784, hidden, 10, activation).expect("a spec");
        let rows = shard_rows(batch_size);
        for (index, layer) in spec.layers().iter().enumerate() {
            let (fan_in, fan_out) = (layer.fan_in, layer.fan_out);
            let x = vec![0.5; rows * fan_in];
            let w = vec![0.25; fan_in * fan_out];
            let dz = vec![2.0; rows * fan_out];
            let mut z = vec![f32::NAN; rows * fan_out];
            let mut dw = vec![f32::NAN; fan_in * fan_out];
            let mut dx = vec![f32::NAN; rows * fan_in];
            let mut forward = || {
                multiply(
                    matrix(black_box(&x), rows, fan_in),
                    matrix(&w, fan_in, fan_out),
                    matrix_mut(&mut z, rows, fan_out),
                );
                z[z.len() - 1]
            };
            let mut weight = || {
                multiply(
                    matrix(black_box(&x), rows, fan_in).reversed_axes(),
                    matrix(&dz, rows, fan_out),
                    matrix_mut(&mut dw, fan_in, fan_out),
                );
                dw[dw.len() - 1]
            };
            let mut input = || {
                multiply(
                    matrix(black_box(&dz), rows, fan_out),
                    matrix(&w, fan_in, fan_out).reversed_axes(),
                    matrix_mut(&mut dx, rows, fan_in),
                );
                dx[dx.len() - 1]
            };
            // Powers of two, summed exactly.
            assert_eq!(forward(), 0.125 * fan_in as f32);
            assert_eq!(weight(), rows as f32);
            assert_eq!(input(), 0.5 * fan_out as f32);
            let flops = (2 * rows * fan_in * fan_out) as u64;
            let mut bench = |stage: &str, product: &mut dyn FnMut() -> f32| {
                let mut group = c.benchmark_group(format!("gemm-{stage}"));
                group.throughput(Throughput::Elements(flops));
                let shape = format!("{rows}x{fan_in}x{fan_out}");
                group.bench_function(BenchmarkId::new(&library, shape), |b| b.iter(&mut *product));
            };
            bench("forward", &mut forward);
            bench("weight", &mut weight);
            if index > 0 {
                bench("input", &mut input);
            }
        }
    }
}

/// A network on its way, for `workers`.
fn stepper(hidden: &[usize], activation: Activation, batch_size: usize) -> Stepper {
    let spec = Spec::new(784, hidden, 10, activation).expect("a spec");
    let start = initial_parameters(&spec, Init::Auto, 0.0, 1);
    Stepper::new(spec, start, SGD, batch_size)
}

/// Time of `times` calls of `work` on a worker, without the way there.
fn timed(workers: &Workers, times: u64, mut work: impl FnMut() -> f64 + Send) -> Duration {
    workers.run(|| {
        let start = Instant::now();
        for _ in 0..times {
            black_box(work());
        }
        start.elapsed()
    })
}

fn step(c: &mut Criterion) {
    let data = dataset();
    let scaling = Scaling::fit(Scale::Unit, data.images()).expect("a scaling");
    for threads in thread_counts() {
        let workers = workers(threads);
        let path = format!(
            "{}-{threads}-threads",
            workers.blas().library.to_lowercase()
        );
        for (hidden, activation, batch_size) in WORK {
            let mut stepper = stepper(hidden, activation, batch_size);
            let batch: Vec<u32> = (0..batch_size as u32).collect();
            let shape = format!("{batch_size}x{}", stepper.spec());
            let mut group = c.benchmark_group("step");
            group.throughput(Throughput::Elements(batch_size as u64));
            workers.run(|| {
                let first = stepper.step(&data, scaling, &batch);
                let last = (0..20).map(|_| stepper.step(&data, scaling, &batch)).last();
                assert!(last.is_some_and(|last| last < first), "the loss falls");
            });
            group.bench_function(BenchmarkId::new(&path, shape), |b| {
                b.iter_custom(|times| {
                    timed(&workers, times, || {
                        stepper.step(&data, scaling, black_box(&batch))
                    })
                });
            });
        }
    }
}

fn epoch(c: &mut Criterion) {
    let data = dataset();
    let scaling = Scaling::fit(Scale::Unit, data.images()).expect("a scaling");
    for threads in thread_counts() {
        let workers = workers(threads);
        let path = format!(
            "{}-{threads}-threads",
            workers.blas().library.to_lowercase()
        );
        for (hidden, activation, batch_size) in WORK {
            let mut stepper = stepper(hidden, activation, batch_size);
            let spec = stepper.spec().clone();
            let mut order = Order::new(ITEMS);
            let mut number = 0;
            let mut pass = || {
                number += 1;
                order.shuffle(1, number);
                let batches = order.batches(batch_size);
                batches
                    .map(|batch| stepper.step(&data, scaling, batch))
                    .sum::<f64>()
            };
            let mut group = c.benchmark_group("epoch");
            group
                .sample_size(20)
                .throughput(Throughput::Elements(ITEMS as u64));
            let (first, second) = workers.run(|| (pass(), pass()));
            assert!(second < first, "the loss falls: {first}, {second}");
            let shape = format!("{batch_size}x{spec}");
            group.bench_function(BenchmarkId::new(&path, shape), |b| {
                b.iter_custom(|times| timed(&workers, times, &mut pass));
            });
        }
    }
}

criterion_group!(benches, gather, gemm, step, epoch);
criterion_main!(benches);
