//! What a step is made of, a step, and an epoch, for one thread and for all.
//!
//! Ids are `stage/path/shape`; the path names the engine and the threads. Every bench checks its
//! answer before it times it. `cargo bench --features openblas`, and without the feature for the pure-Rust path.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use perceptor::compute::Engine;
use perceptor::compute::affine::Affine;
use perceptor::compute::affine::Keeps;
use perceptor::compute::parallel::{Pieces, Workers};
use perceptor::compute::shared::Matrix;
use perceptor::data::idx::{ElementType, Header};
use perceptor::data::mmap::Bytes;
use perceptor::data::order::Order;
use perceptor::data::{Dataset, IdxFile, Preprocessing, Scale};
use perceptor::nn::init::initial_parameters;
use perceptor::nn::{Activation, Init, Spec};
use perceptor::optim::Rule;
use perceptor::random::{Purpose, stream};
use perceptor::schedule::Schedule;
use perceptor::train::Stepper;
use rand::RngExt;

const ITEMS: usize = 6000;

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

/// Time in which `workers` do `count` pieces of `work` together, `times` over.
fn together(workers: &Workers, times: u64, count: usize, work: impl Fn(usize) + Sync) -> Duration {
    let (pieces, start) = (Pieces::default(), Instant::now());
    workers.team(|member| {
        for _ in 0..times {
            pieces.take_each(count, &work);
            member.wait();
            if member.leads() {
                pieces.put_back();
            }
            member.wait();
        }
    });
    start.elapsed()
}

/// Rows that a worker takes at a time.
const BLOCK: usize = 32;

fn gather(c: &mut Criterion) {
    let data = dataset();
    let preprocessing = preprocessing(&data);
    let mut order = Order::new(ITEMS, None);
    order.shuffle(1, 1);
    let rows = 128;
    let batch = &order.items()[..rows];
    let inputs = Matrix::zeroed(rows, preprocessing.columns.width()).expect("memory");
    let gather = |block: usize| {
        let range = block * BLOCK..(block + 1) * BLOCK;
        // SAFETY: each block is one worker's alone.
        let mut inputs = unsafe { inputs.rows_mut(range.clone()) };
        data.gather(&batch[range], &[], &preprocessing, inputs.iter_mut());
    };
    for threads in thread_counts() {
        let workers = workers(threads);
        together(&workers, 1, rows / BLOCK, gather);
        for (row, &item) in batch.iter().enumerate() {
            let expected = f32::from(data.images().item(item as usize)[300]) / 255.0;
            // SAFETY: the workers are done.
            let found = unsafe { inputs.rows(row..row + 1) }.values[300];
            assert!((found - expected).abs() < 1e-6);
        }
        let mut group = c.benchmark_group("gather");
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(
            BenchmarkId::new(format!("{threads}-threads"), "128x784"),
            |b| {
                b.iter_custom(|times| together(&workers, times, rows / BLOCK, gather));
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
    let weight = vec![0.25; fan_in * fan_out];
    let still = Rule::sgd(0.0);
    let keeps = Keeps::of(&still);
    let layer = Affine::new(engine, &weight, (fan_in, fan_out), true, keeps).expect("a layer");
    let filled = |width: usize, value: f32| {
        let matrix = Matrix::zeroed(rows, width).expect("memory");
        // SAFETY: the matrix is ours alone.
        let mut all = unsafe { matrix.rows_mut(0..rows) };
        all.iter_mut().for_each(|row| row.fill(value));
        matrix
    };
    let (x, dz) = (filled(fan_in, 0.5), filled(fan_out, 2.0));
    let (z, dx) = (filled(fan_out, f32::NAN), filled(fan_in, f32::NAN));
    let block = |block: usize| block * BLOCK..(block + 1) * BLOCK;
    // SAFETY: each block is one worker's alone, and no two of these run at once.
    let forward = |b: usize| unsafe { layer.forward(x.rows(block(b)), z.rows_mut(block(b))) };
    // SAFETY: as above.
    let input = |b: usize| unsafe { layer.backward(dz.rows(block(b)), dx.rows_mut(block(b))) };
    let still = still.at(1, 0.0);
    // SAFETY: each piece is one worker's alone, and as above.
    let update = |piece: usize| unsafe {
        layer.update(piece, x.rows(0..rows), dz.rows(0..rows), &still);
    };
    let (blocks, pieces) = (rows / BLOCK, layer.pieces());
    together(workers, 1, blocks, forward);
    together(workers, 1, blocks, input);
    together(workers, 1, pieces, update);
    let mut velocity = vec![f32::NAN; fan_in * fan_out];
    // SAFETY: the workers are done.
    unsafe {
        layer.copy_slot(0, &mut velocity);
        // Powers of two, summed exactly.
        let row = rows - 1..rows;
        let z = &z.rows(row.clone()).values[..fan_out];
        assert_eq!(z, vec![0.125 * fan_in as f32; fan_out]);
        let dx = &dx.rows(row).values[..fan_in];
        assert_eq!(dx, vec![0.5 * fan_out as f32; fan_in]);
        assert_eq!(velocity, vec![rows as f32; fan_in * fan_out]);
    }
    let mut bench = |stage: &str, count: usize, work: &(dyn Fn(usize) + Sync)| {
        let mut group = c.benchmark_group(stage);
        group.throughput(Throughput::Elements((2 * rows * fan_in * fan_out) as u64));
        let shape = format!("{rows}x{fan_in}x{fan_out}");
        group.bench_function(BenchmarkId::new(path, shape), |b| {
            b.iter_custom(|times| together(workers, times, count, work));
        });
    };
    bench("gemm-forward", blocks, &forward);
    bench("gemm-input", blocks, &input);
    bench("gemm-weight", pieces, &update);
}

/// How the items of [`dataset`] become inputs.
fn preprocessing(data: &Dataset) -> Preprocessing {
    Preprocessing::fit(Scale::Unit, data.images(), &workers(NonZeroUsize::MIN)).expect("a scaling")
}

/// A network on its way.
fn stepper(
    data: &Dataset,
    engine: Engine,
    hidden: &[usize],
    activation: Activation,
    batch_size: usize,
) -> Stepper {
    let spec = Spec::new(784, hidden, 10, activation).expect("a spec");
    let start = initial_parameters(&spec, Init::Auto, 0.0, 1);
    let preprocessing = preprocessing(data);
    let (rule, schedule) = (Rule::sgd(0.9), Schedule::constant(0.05));
    Stepper::new(
        &spec,
        &start,
        preprocessing,
        engine,
        rule,
        schedule,
        batch_size,
    )
    .expect("an engine that is here")
}

/// Runs `bench` for every engine, thread count and work, with the path and shape of its id.
fn for_all_work(data: &Dataset, mut bench: impl FnMut(&Workers, &str, &str, Stepper, usize)) {
    for engine in engines() {
        for threads in thread_counts() {
            let workers = workers(threads);
            let path = format!("{}-{threads}-threads", engine.name());
            for (hidden, activation, batch_size) in WORK {
                let stepper = stepper(data, engine, hidden, activation, batch_size);
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
            stepper.pass(workers, &data, order.items(), &mut |_, loss| {
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
