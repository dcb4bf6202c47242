//! The same command writes the same model file, byte for byte, on any number of threads: the first law of the design.
//! Another seed writes another model.

use perceptor::nn::Activation;

use crate::desk::Desk;
use crate::idx_set::EasySet;

/// Asserts that training with 1, 2, 3 and 7 threads writes the same file.
fn assert_threads_change_nothing(set: &EasySet, flags: &str) {
    let desk = Desk::with(set);
    let model = |threads: usize| {
        desk.model_of(&format!(
            "--data set --epochs 2 {flags} --threads {threads}"
        ))
    };
    let one = model(1);
    for threads in [2, 3, 7] {
        assert!(
            model(threads) == one,
            "{flags}: {threads} threads differ from 1"
        );
    }
}

#[test]
fn any_thread_count_gives_the_same_model_for_any_batch_size() {
    // Of 200 rows, batches of 33 and 64 leave a ragged last one; a batch of 1000 exceeds them.
    for batch in [1, 2, 7, 33, 64, 200, 1000] {
        assert_threads_change_nothing(
            &EasySet::noisy(),
            &format!("--hidden 16 --batch-size {batch}"),
        );
    }
}

#[test]
fn any_thread_count_gives_the_same_model_for_any_network() {
    for hidden in ["none", "1", "5", "17,9,4", "40,33"] {
        assert_threads_change_nothing(
            &EasySet::noisy(),
            &format!("--hidden {hidden} --batch-size 96"),
        );
    }
}

#[test]
fn any_thread_count_gives_the_same_model_for_any_activation() {
    for activation in Activation::ALL.map(Activation::name) {
        let flags = format!("--hidden 24,12 --activation {activation} --batch-size 70 --lr 0.01");
        assert_threads_change_nothing(&EasySet::noisy(), &flags);
    }
}

#[test]
fn any_thread_count_gives_the_same_model_for_many_shards() {
    // 700 rows are many blocks, the last one short; the test set exceeds one block of an evaluation.
    let set = EasySet {
        item: &[7, 11],
        classes: 10,
        train: 1537,
        test: 700,
        ..EasySet::noisy()
    };
    assert_threads_change_nothing(
        &set,
        "--hidden 50,30 --batch-size 700 --scale standard-global",
    );
}

#[test]
fn the_same_seed_gives_the_same_model_and_another_seed_does_not() {
    let desk = Desk::with(&EasySet::noisy());
    let model =
        |seed: u64| desk.model_of(&format!("--data set --epochs 2 --hidden 16 --seed {seed}"));
    assert!(model(5) == model(5));
    assert!(model(5) != model(6));
    assert!(model(0) != model(u64::MAX));
    // Seed 1 is the default.
    assert!(model(1) == desk.model_of("--data set --epochs 2 --hidden 16"));
}

#[test]
fn the_name_and_place_of_the_data_change_nothing() {
    let desk = Desk::with(&EasySet::noisy());
    let model = desk.model_of("--data set --epochs 1");
    EasySet::noisy().write(&desk.path("other/place"));
    assert!(model == desk.model_of("--data other/place --epochs 1"));
    assert!(
        model
            == desk.model_of(
                "--epochs 1 --train-images set/train-images-idx3-ubyte \
                 --train-labels set/train-labels-idx1-ubyte \
                 --test-images set/t10k-images-idx3-ubyte --test-labels set/t10k-labels-idx1-ubyte"
            )
    );
}
