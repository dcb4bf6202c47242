//! Tests that take minutes: `cargo long-tests`. They need real MNIST, and print that they are skipped without it.
//!
//! The folder of MNIST is `$PERCEPTOR_DATA/mnist`, or `../shared/data/mnist` next to the checkout.

mod mnist;

use perceptor::TrainConfig;
use perceptor::compute::parallel::Workers;
use perceptor::data::{Splits, folder};
use perceptor::nn::Init;
use perceptor::train::train;

/// Returns the accuracy on the test set of MNIST after the 30 epochs of the tutorial.
fn tutorial(init: Init) -> Option<f64> {
    let folder = mnist::folder()?;
    let files = folder::find(&folder).expect("MNIST's files");
    let data = Splits::open(&files, None).expect("MNIST");
    let workers = Workers::new(Workers::available()).expect("workers");
    let config = TrainConfig {
        init,
        epochs: 30,
        ..TrainConfig::default()
    };
    let outcome = train(&config, &data, &workers, &mut |_| {}).expect("a finite loss");
    let accuracy = outcome.last().accuracy();
    println!("{}: {accuracy:?} after 30 epochs", init.name());
    accuracy
}

/// The tutorial that this network is from reaches 93.2 %.
#[test]
fn the_network_of_the_tutorial_exceeds_its_accuracy_with_every_random_init() {
    for init in [Init::Normal, Init::Xavier, Init::He] {
        let Some(accuracy) = tutorial(init) else {
            return;
        };
        assert!(accuracy > 0.932, "{init:?}: {accuracy}");
    }
}

#[test]
fn thirty_epochs_with_momentum_reach_97_5_percent() {
    let Some(accuracy) = tutorial(Init::Auto) else {
        return;
    };
    assert!(accuracy >= 0.975, "{accuracy}");
}
