//! What reduces overfitting.

use super::class_weight::{ClassWeight, WEIGHT};
use super::requirement::Requirement;
use super::setting::settings;
use crate::message::{Key, message};
use crate::nn::Task;

settings! {
    /// The settings of regularisation; there is none by default.
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
    pub struct RegularizationConfig, Regularization {
        /// Share of the hidden units to drop in training.
        ///
        /// It is 0 to below 1; the other units are scaled up.
        dropout: f32 = 0.0 => placeholder("P"), common, searched;
        /// Share of the inputs to drop in training, 0 to below 1.
        ///
        /// The others are scaled up.
        input_dropout: f32 = 0.0 => placeholder("P");
        /// Standard deviation of Gaussian noise on the inputs in training, in units of the scaled inputs.
        input_noise: f32 = 0.0 => placeholder("SD");
        /// Share of the target to spread over all classes in training, 0 to below 1.
        label_smoothing: f32 = 0.0 => placeholder("E"), searched;
        /// Weights of the classes in the loss: balanced (inverse to their frequency), a file with a number per
        /// line, or none.
        class_weight: Option<ClassWeight> = None;
    }
}

impl RegularizationConfig {
    pub(super) fn requirements(&self, task: Task) -> Vec<Requirement> {
        let noise = self.input_noise;
        let weights = self.class_weight.as_ref();
        let weights_text = weights.map_or_else(String::new, ClassWeight::to_string);
        let of_classes = |is_set: bool, key, found: &str| {
            let is_met = !is_set || task == Task::Classification;
            let found = message![found, " with ", Key("task").set_to(task.name())];
            let expected = message![
                Key("task").set_to("classification"),
                ", the only task with it"
            ];
            Requirement::new(is_met, key, found, expected)
        };
        vec![
            Requirement::share(Key("dropout"), self.dropout),
            Requirement::share(Key("input_dropout"), self.input_dropout),
            Requirement::new(
                noise.is_finite() && noise >= 0.0,
                Key("input_noise"),
                noise,
                "a finite number of at least 0",
            ),
            Requirement::share(Key("label_smoothing"), self.label_smoothing),
            Requirement::new(
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
