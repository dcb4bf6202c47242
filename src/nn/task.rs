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

named! {
    /// What the outputs of a regression are.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum Link {
        /// The values themselves.
        #[default]
        Identity = "identity",
        /// The natural logarithms of the values.
        Log = "log",
    }
}

impl Link {
    /// Whether the link is the default, which files do not name.
    pub(crate) fn is_default(&self) -> bool {
        *self == Link::default()
    }
}

impl Task {
    /// Checks that a network of this many outputs can be of this task; otherwise returns what was found and expected.
    pub(crate) fn check_outputs(self, outputs: usize) -> Result<(), (String, &'static str)> {
        let (least, expected) = match self {
            Task::Classification => (2, "at least two, as a softmax over one is always 1"),
            Task::Regression | Task::Multilabel => (1, "at least one"),
        };
        let noun = if outputs == 1 { "output" } else { "outputs" };
        match outputs < least {
            true => Err((format!("{outputs} {noun} with {}", self.name()), expected)),
            false => Ok(()),
        }
    }

    /// Whether the task is the default, which files do not name.
    pub(crate) fn is_default(&self) -> bool {
        *self == Task::default()
    }
}
