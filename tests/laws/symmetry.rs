//! Units that start as copies of one another stay so, and no others.

use super::*;

#[test]
fn zero_init_keeps_units_equal_and_any_other_does_not() {
    for engine in engines() {
        let splits = Splits {
            train: dataset(500, 41, 6, 11),
            validation: None,
            test: None,
        };
        for (init, expected) in [(Init::Zero, vec![1, 2]), (Init::Auto, vec![])] {
            let config = TrainConfig {
                hidden: vec![100, 37],
                epochs: 20,
                init,
                engine,
                ..TrainConfig::default()
            };
            let outcome = train(&config, &splits, &workers(2), &mut |_| {}).expect("a finite loss");
            assert_eq!(outcome.identical_layers, expected, "{engine:?} {init:?}");
        }
    }
}
