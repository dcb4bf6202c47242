//! Columns that are zero in every row are left out without changing a result.

use super::*;

#[test]
fn columns_that_are_always_zero_are_left_out_exactly() {
    let workers = workers(2);
    let (train, test) = with_idle_columns(61);
    let fitted = Preprocessing::fit(Scale::Unit, train.rows(), &workers).expect("a scaling");
    assert_eq!(fitted.columns.idle(), [0, 1, 7, 20]);
    let all = Preprocessing::of_all_columns(fitted.scaling.clone(), train.features());
    let spec = Spec::new(train.features(), &[19], 3, Activation::Tanh).expect("a spec");
    let start = parameters(&spec, 4);
    let batch: Vec<u32> = (0..61).collect();
    for engine in engines() {
        let trained = |preprocessing: &Preprocessing| {
            let preprocessing = preprocessing.clone();
            let (rule, schedule) = (Rule::sgd(MOMENTUM), Schedule::constant(LEARNING_RATE));
            let stepper = Stepper::new(
                &spec,
                &start,
                preprocessing.clone(),
                engine,
                rule,
                schedule,
                61,
            );
            let mut stepper = stepper.expect("an available engine");
            for _ in 0..5 {
                stepper.step(&workers, &train, &batch);
            }
            let mut evaluator = Evaluator::new(&spec, preprocessing, &workers).expect("memory");
            let evaluated = evaluator.evaluate(&workers, stepper.network(), &test);
            let (weights, velocity) = (stepper.parameters(), stepper.slots().swap_remove(0));
            (weights, velocity, evaluated.expect("memory").score.loss)
        };
        let (with, without) = (trained(&all), trained(&fitted));
        assert!(
            distance(&wide(&without.0), &wide(&with.0)) < 1e-6,
            "{engine:?}"
        );
        assert!(
            distance(&wide(&without.1), &wide(&with.1)) < 1e-6,
            "{engine:?}"
        );
        // On samples that are not zero in these columns, whose weights are still those of initialisation.
        assert!((without.2 - with.2).abs() < 1e-6, "{engine:?}");
        if engine == Engine::Native {
            assert_eq!((without.0, without.1), (with.0, with.1));
        }
    }
}
