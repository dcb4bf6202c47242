//! Flags of the task.

use clap::Args;
use perceptor::config::{LossName, TaskConfig};
use perceptor::nn::Task;

use super::precedence::{Given, take};
use crate::cli::named;

#[derive(Debug, Args)]
#[command(next_help_heading = "Task")]
pub struct TaskArgs {
    /// What the network is to tell of an item: its class; numbers, from labels that are such, one or more
    /// an item; or which of several labels it has, from 0 or 1 for each
    #[arg(long, default_value = Task::default().name(), value_parser = named(Task::ALL, Task::name))]
    task: Task,
    /// What is minimised [default: cross-entropy for classification, mse for regression,
    /// binary-cross-entropy for multilabel]
    #[arg(long, value_parser = named(LossName::ALL, LossName::name))]
    loss: Option<LossName>,
    /// The distance from which on the huber loss counts errors by their size alone, in units of the labels
    /// [default: 1]
    #[arg(long, value_name = "D", allow_negative_numbers = true)]
    huber_delta: Option<f32>,
}

impl TaskArgs {
    /// Puts the flags that were given over `config`.
    pub fn over(&self, config: &mut TaskConfig, given: Given) {
        if given("task") && self.task != config.task {
            // The loss of another task is none of this one.
            *config = TaskConfig {
                task: self.task,
                ..TaskConfig::default()
            };
        }
        if given("loss") && self.loss != config.loss {
            config.huber_delta = None;
        }
        take! { given,
            "loss": config.loss => self.loss;
            "huber_delta": config.huber_delta => self.huber_delta;
        }
    }
}
