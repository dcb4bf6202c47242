//! The stages of a step, weights that travel between cores, a step, and an epoch, for one thread and for all threads.
//!
//! Ids are `stage/path/shape`; the path names the engine and the number of threads. Every bench checks its result
//! before it measures the time. `cargo bench --features openblas`, and without the feature for the pure-Rust path.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use perceptor::TrainConfig;
use perceptor::bench::products::Stage;
use perceptor::bench::stages::{Gather, Products, Reader, Weights};
use perceptor::compute::Engine;
use perceptor::compute::parallel::Workers;
use perceptor::data::idx::{ElementType, Header};
use perceptor::data::mmap::Bytes;
use perceptor::data::order::Order;
use perceptor::data::{Dataset, IdxFile, Preprocessing, Scale};
use perceptor::nn::{Activation, Spec};
use perceptor::random::{Purpose, stream};
use perceptor::schedule::Schedule;
use perceptor::train::{State, Stepper};
use rand::RngExt;

const ITEMS: usize = 6000;

/// The networks and batch sizes that are measured.
const WORK: [(&[usize], Activation, usize); 3] = [
    (&[100], Activation::Sigmoid, 32),
    (&[100], Activation::Sigmoid, 128),
    (&[512, 256], Activation::Relu, 128),
];

fn workers(threads: NonZeroUsize) -> Workers {
    Workers::new(threads).expect("workers")
}

/// One thread, and as many as there are cores if these are more.
fn thread_counts() -> Vec<NonZeroUsize> {
    let mut counts = vec![NonZeroUsize::MIN, Workers::available()];
    counts.dedup();
    counts
}

/// Bytes that show their class: each class has its own bright pixels, under noise.
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

/// The engines that this build has and this processor supports.
fn engines() -> impl Iterator<Item = Engine> {
    let all = [Engine::Openblas, Engine::Native, Engine::Portable];
    all.into_iter().filter(|engine| engine.check().is_ok())
}

fn gather(c: &mut Criterion) {
    let data = dataset();
    let preprocessing = preprocessing(&data);
    let mut order = Order::new(ITEMS, None);
    order.shuffle(1, 1);
    let rows = 128;
    let batch = &order.samples()[..rows];
    let mut stage = Gather::new(rows, &preprocessing).expect("memory");
    for threads in thread_counts() {
        let workers = workers(threads);
        stage.run(&workers, 1, &data, &preprocessing, batch);
        for (row, &item) in batch.iter().enumerate() {
            let expected = f32::from(data.rows().stored(item as usize)[300]) / 255.0;
            assert!((stage.row(row)[300] - expected).abs() < 1e-6);
        }
        let mut group = c.benchmark_group("gather");
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(
            BenchmarkId::new(format!("{threads}-threads"), "128x784"),
            |b| {
                b.iter_custom(|times| stage.run(&workers, times, &data, &preprocessing, batch));
            },
        );
    }
}

/// The products of a step: `z = x·w`, `dx = dz·wᵀ`, and the update from `xᵀ·dz`.
fn gemm(c: &mut Criterion) {
    let shapes: [(usize, usize, usize); 5] = [
        (32, 784, 100),
        (128, 784, 100),
        (128, 784, 512),
        (128, 512, 256),
        (128, 256, 10),
    ];
    for engine in engines() {
        for threads in thread_counts() {
            let workers = workers(threads);
            let path = format!("{}-{threads}-threads", engine.name());
            for shape in shapes {
                products(c, &workers, engine, &path, shape);
            }
        }
    }
}

fn products(
    c: &mut Criterion,
    workers: &Workers,
    engine: Engine,
    path: &str,
    (rows, fan_in, fan_out): (usize, usize, usize),
) {
    let shape = (rows, fan_in, fan_out);
    let mut layer = Products::new(engine, shape, [0.25, 0.5, 2.0]).expect("a layer");
    let stages = [
        ("gemm-forward", Stage::Forward),
        ("gemm-input", Stage::InputGradient),
        ("gemm-weight", Stage::WeightUpdate),
    ];
    for (_, stage) in stages {
        layer.run(workers, 1, stage);
    }
    // Powers of two, which are summed exactly.
    let [z, dx] = layer.last_rows();
    assert_eq!(z, vec![0.125 * fan_in as f32; fan_out]);
    assert_eq!(dx, vec![0.5 * fan_out as f32; fan_in]);
    let mut velocity = vec![f32::NAN; fan_in * fan_out];
    layer.copy_velocity(&mut velocity);
    assert_eq!(velocity, vec![rows as f32; fan_in * fan_out]);
    for (name, stage) in stages {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements((2 * rows * fan_in * fan_out) as u64));
        let shape = format!("{rows}x{fan_in}x{fan_out}");
        group.bench_function(BenchmarkId::new(path, shape), |b| {
            b.iter_custom(|times| layer.run(workers, times, stage));
        });
    }
}

/// What a step pays at worst for a second thread: all weights are written by one worker and read by another in each
/// step. For comparison, the same reads and writes of weights that stay with their worker.
fn weights(c: &mut Criterion) {
    const SHAPES: [(usize, usize); 2] = [(784, 100), (784, 512)];
    for threads in thread_counts() {
        if threads.get() == 1 {
            continue;
        }
        let workers = workers(threads);
        for (fan_in, fan_out) in SHAPES {
            for (name, reader) in [("stay", Reader::Itself), ("travel", Reader::Next)] {
                let mut weights = Weights::new(fan_in * fan_out);
                weights.run(&workers, 3, reader);
                assert_eq!(weights.writes(), 3.0, "every line in every step");
                let mut group = c.benchmark_group("weights");
                group.throughput(Throughput::Bytes((4 * fan_in * fan_out) as u64));
                let path = format!("{name}-{threads}-threads");
                group.bench_function(BenchmarkId::new(path, format!("{fan_in}x{fan_out}")), |b| {
                    b.iter_custom(|times| weights.run(&workers, times, reader))
                });
            }
        }
    }
}

/// How the samples of [`dataset`] become inputs.
fn preprocessing(data: &Dataset) -> Preprocessing {
    Preprocessing::fit(Scale::Unit, data.rows(), &workers(NonZeroUsize::MIN)).expect("a scaling")
}

/// A network in training.
fn stepper(
    (data, workers): (&Dataset, &Workers),
    engine: Engine,
    hidden: &[usize],
    activation: Activation,
    batch_size: usize,
) -> Stepper {
    let spec = Spec::new(784, hidden, 10, activation).expect("a spec");
    let config = TrainConfig {
        hidden: hidden.to_vec(),
        activation,
        batch_size,
        engine: engine.into(),
        ..TrainConfig::default()
    };
    let config = config.check().expect("valid settings");
    let (start, schedule) = (State::start(&spec, &config), Schedule::constant(0.05));
    let stepper = Stepper::for_run(&config, &spec, data, schedule, &start, workers);
    stepper.expect("an available engine")
}

/// Runs `bench` for every engine, thread count and work, with the path and shape of its id.
fn for_all_work(data: &Dataset, mut bench: impl FnMut(&Workers, &str, &str, Stepper, usize)) {
    for engine in engines() {
        for threads in thread_counts() {
            let workers = workers(threads);
            let path = format!("{}-{threads}-threads", engine.name());
            for (hidden, activation, batch_size) in WORK {
                let stepper = stepper((data, &workers), engine, hidden, activation, batch_size);
                let shape = format!("{batch_size}x{}", stepper.network().spec());
                bench(&workers, &path, &shape, stepper, batch_size);
            }
        }
    }
}

fn step(c: &mut Criterion) {
    let data = dataset();
    for_all_work(&data, |workers, path, shape, mut stepper, batch_size| {
        let batch: Vec<u32> = (0..batch_size as u32).collect();
        let mut steps = |times: usize| {
            let (mut first, mut last) = (f64::NAN, f64::NAN);
            let order = batch.repeat(times);
            let start = Instant::now();
            stepper.pass(workers, &data, &order, &mut |step, loss| {
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
    for_all_work(&data, |workers, path, shape, mut stepper, _| {
        let mut order = Order::new(ITEMS, None);
        let mut number = 0;
        let mut pass = || {
            number += 1;
            let start = Instant::now();
            order.shuffle(1, number);
            let mut sum = 0.0;
            stepper.pass(workers, &data, order.samples(), &mut |_, loss| {
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

criterion_group!(benches, gather, gemm, weights, step, epoch);
criterion_main!(benches);
