//! The task of a network: what it predicts for an item.

use serde::{Deserialize, Serialize};

/// What a network is to tell of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Which one of the classes it has: outputs go through a softmax.
    #[default]
    Classification,
    /// One number or several: outputs are what they are.
    Regression,
    /// Which of the classes it has, any number of them: each output goes through a sigmoid.
    Multilabel,
}

impl Task {
    /// Every task.
    pub const ALL: [Task; 3] = [Task::Classification, Task::Regression, Task::Multilabel];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Task::Classification => "classification",
            Task::Regression => "regression",
            Task::Multilabel => "multilabel",
        }
    }

    /// What outputs go through on their way out of the network.
    pub fn output_function(self) -> &'static str {
        match self {
            Task::Classification => "softmax",
            Task::Regression => "identity",
            Task::Multilabel => "sigmoid",
        }
    }

    /// Whether it is the default one, which files do not name.
    pub(crate) fn is_default(&self) -> bool {
        *self == Task::default()
    }
}
