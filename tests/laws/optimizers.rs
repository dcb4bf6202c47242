//! Optimisers, limits and averages: the engines against the slow path.

use perceptor::config::{LearningRate, OptimizerConfig, OptimizerName};

use super::*;

pub fn at_rate(optimizer: OptimizerName, learning_rate: f32) -> OptimizerConfig {
    OptimizerConfig {
        optimizer,
        learning_rate: Some(LearningRate::Value(learning_rate)),
        ..OptimizerConfig::default()
    }
}

/// Every optimiser by itself, and combined with decay, limits and averages.
pub fn every_rule() -> Vec<OptimizerConfig> {
    let sgd = at_rate(OptimizerName::Sgd, LEARNING_RATE);
    let mut rules: Vec<_> = OptimizerName::ALL
        .into_iter()
        .map(|name| at_rate(name, 0.1 * name.default_learning_rate()))
        .collect();
    rules.extend([
        OptimizerConfig {
            weight_decay: Some(0.02),
            l1: 0.01,
            ..sgd.clone()
        },
        OptimizerConfig {
            momentum: Some(0.5),
            ..at_rate(OptimizerName::Rmsprop, 1e-3)
        },
        OptimizerConfig {
            clip_value: Some(0.002),
            ..sgd.clone()
        },
        OptimizerConfig {
            clip_norm: Some(0.05),
            max_norm: Some(0.6),
            ..sgd.clone()
        },
        OptimizerConfig {
            max_norm: Some(0.6),
            ..sgd.clone()
        },
        OptimizerConfig {
            // Less than the (1 + t) / (10 + t) of the last steps.
            average: Some(0.3),
            max_norm: Some(0.6),
            clip_norm: Some(0.05),
            weight_decay: Some(0.1),
            ..at_rate(OptimizerName::Adamw, 1e-2)
        },
    ]);
    rules
}

/// A second implementation of each rule: in `f64`, by its formulas, for all parameters at once.
struct SlowRule {
    config: OptimizerConfig,
    first: Vec<f64>,
    second: Vec<f64>,
    average: Vec<f64>,
    steps: i32,
}

impl SlowRule {
    fn new(config: &OptimizerConfig, parameters: &[f64]) -> SlowRule {
        SlowRule {
            config: config.resolved(),
            first: vec![0.0; parameters.len()],
            second: vec![0.0; parameters.len()],
            average: parameters.to_vec(),
            steps: 0,
        }
    }

    fn number(number: Option<f32>) -> f64 {
        number.expect("a setting of this optimiser").into()
    }

    fn step(&mut self, spec: &Spec, w: &mut [f64], mut g: Vec<f64>) {
        self.steps += 1;
        let config = self.config.clone();
        let is_weight = weights_of(spec);
        let rate = f64::from(config.rate().expect("a number"));
        if let Some(most) = config.clip_norm {
            let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
            let factor = (f64::from(most) / norm).min(1.0);
            g.iter_mut().for_each(|g| *g *= factor);
        }
        if let Some(most) = config.clip_value.map(f64::from) {
            g.iter_mut().for_each(|g| *g = g.clamp(-most, most));
        }
        let decay = f64::from(config.weight_decay.expect("resolved"));
        let decoupled = matches!(config.optimizer, OptimizerName::Adamw | OptimizerName::Lion);
        for at in (0..w.len()).filter(|&at| is_weight[at]) {
            match decoupled {
                true => w[at] *= 1.0 - rate * decay,
                false => g[at] += decay * w[at],
            }
            let sign = if w[at] == 0.0 { 0.0 } else { w[at].signum() };
            g[at] += f64::from(config.l1) * sign;
        }
        for (at, &g) in g.iter().enumerate() {
            w[at] -= rate * self.direction(at, g);
        }
        if let Some(most) = config.max_norm {
            limit_units(spec, w, most.into());
        }
        if let Some(share) = config.average {
            let age = f64::from(self.steps);
            let share = f64::from(share).min((1.0 + age) / (10.0 + age));
            for (a, w) in self.average.iter_mut().zip(w) {
                *a = share * *a + (1.0 - share) * *w;
            }
        }
    }

    /// The direction of the update: what the learning rate is multiplied by.
    fn direction(&mut self, at: usize, g: f64) -> f64 {
        let (config, t) = (&self.config, self.steps);
        let number = SlowRule::number;
        let (first, second) = (&mut self.first[at], &mut self.second[at]);
        match config.optimizer {
            OptimizerName::Sgd | OptimizerName::Nesterov => {
                let momentum = number(config.momentum);
                *first = momentum * *first + g;
                match config.optimizer {
                    OptimizerName::Sgd => *first,
                    _ => g + momentum * *first,
                }
            }
            OptimizerName::Adam | OptimizerName::Adamw => {
                let (beta1, beta2) = (number(config.beta1), number(config.beta2));
                *first = beta1 * *first + (1.0 - beta1) * g;
                *second = beta2 * *second + (1.0 - beta2) * g * g;
                let root = (*second / (1.0 - beta2.powi(t))).sqrt();
                *first / (1.0 - beta1.powi(t)) / (root + number(config.epsilon))
            }
            OptimizerName::Rmsprop => {
                let alpha = number(config.alpha);
                *first = alpha * *first + (1.0 - alpha) * g * g;
                let scaled = g / (first.sqrt() + number(config.epsilon));
                *second = number(config.momentum) * *second + scaled;
                *second
            }
            OptimizerName::Lion => {
                let (beta1, beta2) = (number(config.beta1), number(config.beta2));
                let direction = beta1 * *first + (1.0 - beta1) * g;
                *first = beta2 * *first + (1.0 - beta2) * g;
                if direction == 0.0 {
                    0.0
                } else {
                    direction.signum()
                }
            }
        }
    }
}

/// Returns which elements of the flat buffer are weights rather than biases.
fn weights_of(spec: &Spec) -> Vec<bool> {
    let mut flat = vec![0.0; spec.parameters()];
    for layer in spec.layers() {
        layer.split_mut(&mut flat).0.fill(1.0);
    }
    flat.into_iter().map(|mark| mark == 1.0).collect()
}

/// Scales the weights into each hidden unit down to a norm of `most`.
fn limit_units(spec: &Spec, w: &mut [f64], most: f64) {
    let mut start = 0;
    for layer in &spec.layers()[..spec.layers().len() - 1] {
        let (fan_in, fan_out) = (layer.fan_in, layer.fan_out);
        for unit in 0..fan_out {
            let into = (0..fan_in).map(|i| start + i * fan_out + unit);
            let norm = into.clone().map(|at| w[at] * w[at]).sum::<f64>().sqrt();
            if norm > most {
                into.for_each(|at| w[at] *= most / norm);
            }
        }
        let rows = if layer.is_normalized() { 4 } else { 1 };
        start += (fan_in + rows) * fan_out;
    }
}

#[test]
fn every_rule_follows_the_slow_path_on_every_engine() {
    // Several panels and pieces of units per layer, with ragged ends.
    let spec = Spec::new(13, &[70, 9], 4, Activation::Tanh).expect("a spec");
    let normalized = spec.clone().with_batch_norm(true).expect("a spec");
    for config in every_rule() {
        assert_follows_the_slow_path(&config, &spec);
        assert_follows_the_slow_path(&config, &normalized);
    }
}

fn assert_follows_the_slow_path(config: &OptimizerConfig, spec: &Spec) {
    let (rows, batch_size) = (83, 40);
    let data = dataset(rows, 13, 4, 3);
    let start = parameters(spec, 4);
    let order: Vec<u32> = (0..rows as u32).collect();
    let rule = config.rule();
    let schedule = Schedule::constant(config.rate().expect("a number"));
    let mut net = reference(spec, &start);
    let mut slow = SlowRule::new(config, &net.parameters);
    for batch in order.chunks(batch_size).cycle().take(6) {
        let gradient = if spec.batch_norm() {
            let (gradient, _) = batch_norm::slow_gradient(&net, &data, batch);
            batch_norm::move_statistics(&mut net, spec, &data, batch);
            gradient
        } else {
            slow_gradient(&net, &data, batch).0
        };
        slow.step(spec, &mut net.parameters, gradient);
    }
    // A sign, or the root of an almost zero value, amplifies the last bits of a gradient to the size of a step.
    let tolerance = match config.optimizer {
        OptimizerName::Sgd | OptimizerName::Nesterov => 1e-5,
        _ => 2e-3,
    };
    for engine in engines() {
        let as_it_is = Preprocessing::of_all_columns(Scaling::IDENTITY, 13);
        let stepper = Stepper::new(spec, &start, as_it_is, engine, rule, schedule, batch_size);
        let mut stepper = stepper.expect("an available engine");
        for batch in order.chunks(batch_size).cycle().take(6) {
            stepper.step(&workers(2), &data, batch);
        }
        let case = format!("{engine:?}, {config:?}, {spec:?}");
        // Relative to the change since the start, so that an optimiser that hardly moves the weights is far off.
        let change = |to: &[f64]| -> Vec<f64> {
            let pairs = to.iter().zip(&start);
            pairs.map(|(to, &from)| to - f64::from(from)).collect()
        };
        let off = distance(
            &change(&wide(&stepper.parameters())),
            &change(&net.parameters),
        );
        assert!(off < tolerance, "{case}: off by {off}");
        if let Some(average) = stepper.average() {
            let off = distance(&change(&wide(&average)), &change(&slow.average));
            assert!(off < tolerance, "{case}: average off by {off}");
        }
    }
}

#[test]
fn a_limit_that_is_never_reached_changes_nothing() {
    let spec = Spec::new(13, &[20], 4, Activation::Relu).expect("a spec");
    let data = dataset(40, 13, 4, 3);
    let start = parameters(&spec, 4);
    let batch: Vec<u32> = (0..40).collect();
    let unreached = OptimizerConfig {
        clip_norm: Some(1e6),
        clip_value: Some(1e6),
        max_norm: Some(1e6),
        ..at_rate(OptimizerName::Nesterov, 0.1)
    };
    for engine in engines() {
        let trained = |config: OptimizerConfig| {
            let as_it_is = Preprocessing::of_all_columns(Scaling::IDENTITY, 13);
            let (rule, schedule) = (config.rule(), Schedule::constant(0.1));
            let stepper = Stepper::new(&spec, &start, as_it_is, engine, rule, schedule, 40);
            let mut stepper = stepper.expect("an available engine");
            for _ in 0..5 {
                stepper.step(&workers(2), &data, &batch);
            }
            stepper.parameters()
        };
        assert_eq!(
            trained(unreached.clone()),
            trained(at_rate(OptimizerName::Nesterov, 0.1)),
            "{engine:?}"
        );
    }
}
