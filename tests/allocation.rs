//! A step allocates nothing after the first: counted by the allocator itself.
//!
//! A target of its own, because the allocator is the whole process's. In builds without OpenBLAS
//! matrixmultiply allocates its packing buffer in every product; there the count must be just that.

use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use perceptor::compute::parallel::Workers;
use perceptor::data::idx::{ElementType, Header};
use perceptor::data::mmap::Bytes;
use perceptor::data::{Dataset, IdxFile, Scaling};
use perceptor::nn::init::initial_parameters;
use perceptor::nn::{Activation, Init, Spec};
use perceptor::optim::Sgd;
use perceptor::train::Stepper;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; the counter does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System.alloc` with this `layout`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn dataset(items: usize, features: usize) -> Dataset {
    let idx = |dimensions: &[usize]| {
        let path = Path::new("in-memory");
        let header = Header::new(path, ElementType::U8, dimensions).expect("a header");
        let payload = (0..dimensions.iter().product())
            .map(|i: usize| (i % 10) as u8)
            .collect();
        let bytes = [header.to_bytes(), payload].concat();
        IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a whole file")
    };
    Dataset::new(idx(&[items, features]), &idx(&[items]), Some(10)).expect("a data set")
}

#[test]
fn a_step_allocates_nothing_after_the_first() {
    let openblas = cfg!(any(feature = "openblas", feature = "openblas-static"));
    let scaling = Scaling {
        offset: 0.0,
        factor: 0.1,
    };
    let sgd = Sgd {
        learning_rate: 0.1,
        momentum: 0.9,
    };
    for hidden in [&[][..], &[100][..], &[64, 33][..]] {
        for threads in [1, 2, 3] {
            let (rows, steps) = (150usize, 20);
            let data = dataset(rows, 784);
            let spec = Spec::new(784, hidden, 10, Activation::Sigmoid).expect("a spec");
            let start = initial_parameters(&spec, Init::Auto, 0.0, 1);
            let layers = spec.layers().len();
            let mut stepper = Stepper::new(spec, start, sgd, rows);
            let batch: Vec<u32> = (0..rows as u32).collect();
            let workers = Workers::new(NonZeroUsize::new(threads).expect("not zero"));
            let counted = workers.expect("workers").run(|| {
                stepper.step(&data, scaling, &batch);
                let round = |stepper: &mut Stepper| {
                    let before = ALLOCATIONS.load(Relaxed);
                    for _ in 0..steps {
                        stepper.step(&data, scaling, &batch);
                    }
                    ALLOCATIONS.load(Relaxed) - before
                };
                // A worker allocates once, when it first takes work from another, whenever that is;
                // what every step allocates is in every round.
                (0..5).map(|_| round(&mut stepper)).min()
            });
            let products = if openblas {
                0
            } else {
                let shards = perceptor::train::shards::shards(rows);
                steps * shards * (3 * layers - 1)
            };
            assert_eq!(counted, Some(products), "{hidden:?} on {threads} threads");
        }
    }
}
