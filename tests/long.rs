//! What takes minutes: `cargo long-tests`. Needs real MNIST and says so where it is missing.
//!
//! MNIST's folder is `$PERCEPTOR_DATA/mnist`, or `../shared/data/mnist` beside the checkout.

mod mnist;

use perceptor::TrainConfig;
use perceptor::compute::parallel::Workers;
use perceptor::data::{Splits, folder};
use perceptor::nn::Init;
use perceptor::train::train;

/// Accuracy on MNIST's test set after the tutorial's 30 epochs.
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

/// The tutorial this network comes from reaches 93.2 %.
#[test]
fn the_tutorials_network_clears_its_accuracy_from_every_random_start() {
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
