//! The task of a network: what it predicts for a sample.

use serde::{Deserialize, Serialize};

use crate::named::named;

named! {
    /// What a network predicts for a sample.
    ///
    /// ```
    /// use perceptor::{Task, TrainConfig};
    ///
    /// let mut config = TrainConfig::default();
    /// assert_eq!(config.task.task, Task::Classification);
    /// config.task.task = Task::Regression;
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum Task {
        /// One of several classes: the outputs pass through a softmax.
        #[default]
        Classification = "classification",
        /// One or several numbers: the outputs are used as they are.
        Regression = "regression",
        /// Any number of the classes: each output passes through a sigmoid.
        Multilabel = "multilabel",
    }
}

impl Task {
    /// The name of the function that the outputs pass through.
    pub fn output_function(self) -> &'static str {
        match self {
            Task::Classification => "softmax",
            Task::Regression => "identity",
            Task::Multilabel => "sigmoid",
        }
    }

    /// Whether the task is the default, which files do not name.
    pub(crate) fn is_default(&self) -> bool {
        *self == Task::default()
    }
}
