//! What keeps a network from learning its training set by heart.

use serde::{Deserialize, Serialize};

use super::class_weight::{ClassWeight, WEIGHT};
use super::demand::Demand;
use crate::message::{Key, message};
use crate::nn::Task;

/// The settings of regularisation; by default there is none.
///
/// ```
/// use perceptor::{RegularizationConfig, TrainConfig};
///
/// let config = TrainConfig {
///     regularization: RegularizationConfig {
///         dropout: 0.3,
///         ..RegularizationConfig::default()
///     },
///     ..TrainConfig::default()
/// };
/// assert!(config.check().is_ok());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegularizationConfig {
    /// Share of the units of hidden layers that is dropped in training, 0 to below 1.
    pub dropout: f32,
    /// Share of the inputs that is dropped in training, 0 to below 1.
    pub input_dropout: f32,
    /// Standard deviation of the noise on inputs in training, in units of the scaled inputs.
    pub input_noise: f32,
    /// Share of the truth that is spread over all classes, 0 to below 1.
    pub label_smoothing: f32,
    /// What an item of each class counts for; none where all count the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weight: Option<ClassWeight>,
}

impl RegularizationConfig {
    /// One with a value in every option that may be none, for the list of keys.
    pub(super) fn full() -> RegularizationConfig {
        RegularizationConfig {
            class_weight: Some(ClassWeight::Balanced),
            ..RegularizationConfig::default()
        }
    }

    pub(super) fn demands(&self, task: Task) -> Vec<Demand> {
        let share =
            |key, found: f32| Demand::new((0.0..1.0).contains(&found), key, found, "0 to below 1");
        let noise = self.input_noise;
        let weights = self.class_weight.as_ref();
        let weights_text = weights.map_or_else(String::new, ClassWeight::to_string);
        let of_classes = |used: bool, key, found: &str| {
            let met = !used || task == Task::Classification;
            let found = message![found, " with ", Key("task").set_to(task.name())];
            Demand::new(
                met,
                key,
                found,
                message![Key("task").set_to("classification"), ", which alone has it"],
            )
        };
        vec![
            share(Key("dropout"), self.dropout),
            share(Key("input_dropout"), self.input_dropout),
            Demand::new(
                noise.is_finite() && noise >= 0.0,
                Key("input_noise"),
                noise,
                "a finite number of at least 0",
            ),
            share(Key("label_smoothing"), self.label_smoothing),
            Demand::new(
                weights.is_none_or(ClassWeight::is_valid),
                Key("class_weight"),
                &weights_text,
                format!("{WEIGHT} for each class"),
            ),
            of_classes(
                self.label_smoothing > 0.0,
                Key("label_smoothing"),
                &self.label_smoothing.to_string(),
            ),
            of_classes(weights.is_some(), Key("class_weight"), &weights_text),
        ]
    }
}
