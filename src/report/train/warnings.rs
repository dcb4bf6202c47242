//! Warnings about the network that a run ended with.

use crate::config::LossName;
use crate::data::Dataset;
use crate::error::Suspect;
use crate::message::{Command, Key, Message, Spelling, message};
use crate::nn::Task;
use crate::report::number::rate;
use crate::report::warning::Warning;
use crate::train::Outcome;
use crate::train::suspect::suspect;

/// Every warning about the network of `outcome`.
pub(super) fn warnings(
    outcome: &Outcome,
    train: &Dataset,
    spelling: &dyn Spelling,
) -> Vec<Warning> {
    let layers = outcome.model.spec.layers();
    let identical = outcome.identical_layers.iter().map(|&layer| Warning {
        what: format!(
            "all {} units of hidden layer {layer} are the same: with equal initial weights they get equal gradients, \
             so together they learn one feature",
            layers[layer - 1].fan_out
        ),
        cure: message![
            "start from different weights, with ",
            Key("init").set_to("auto"),
            " (or xavier, he, normal)"
        ]
        .spelled(spelling),
    });
    identical
        .chain(learned_nothing(outcome, train, spelling))
        .collect()
}

/// Whether all rows are the same, so that nothing can be learned from them.
fn has_equal_rows(train: &Dataset) -> bool {
    let rows = train.rows();
    (1..rows.len()).all(|row| rows.stored(row) == rows.stored(0))
}

fn predicts_a_quantile(outcome: &Outcome) -> bool {
    let provenance = outcome.model.provenance.as_ref();
    provenance.is_some_and(|provenance| {
        let task = &provenance.config.task;
        task.loss() == LossName::Quantile && task.quantile() != 0.5
    })
}

/// A warning if the network is no better than guessing.
///
/// Guessing every class with the same probability has a loss of `ln classes`, guessing every label with probability ½
/// one of `ln 2`, and always predicting the mean has an R² of 0.
fn learned_nothing(outcome: &Outcome, train: &Dataset, spelling: &dyn Spelling) -> Option<Warning> {
    let (kept, spec) = (outcome.kept(), &outcome.model.spec);
    let loss = kept.loss().unwrap_or(kept.train_loss);
    let by_loss = |guessing: f64| {
        let what =
            format!("the loss of {loss:.4} is no better than {guessing:.4}, that of guessing");
        (loss >= guessing).then_some(what)
    };
    let what = match spec.task() {
        Task::Classification => by_loss((spec.outputs() as f64).ln()),
        Task::Multilabel => by_loss(2.0f64.ln()),
        // A quantile other than the median is not near the mean.
        Task::Regression if predicts_a_quantile(outcome) => None,
        Task::Regression => {
            let r2 = kept.score().and_then(|score| score.r2);
            r2.filter(|r2| *r2 <= 0.0).map(|r2| {
                format!("the R² of {r2:.4} is no better than 0, that of always predicting the mean")
            })
        }
    }?;
    // If units are copies of each other, that is the reason.
    if !outcome.identical_layers.is_empty() {
        return None;
    }
    if has_equal_rows(train) {
        return Some(Warning {
            what: format!("{what}: all features are constant in the training set"),
            cure: message![
                "check how the inputs were made, as with ",
                Command("data inspect"),
                ": no setting can help"
            ]
            .spelled(spelling),
        });
    }
    let provenance = outcome.model.provenance.as_ref();
    if let Some(provenance) = provenance
        && let cause @ (Suspect::Targets(_) | Suspect::Inputs(_)) =
            suspect(&provenance.config, train)
    {
        let cure = cause.hint(Message::default()).spelled(spelling);
        return Some(Warning { what, cure });
    }
    let highest = provenance.and_then(|provenance| provenance.config.optimizer.rate());
    Some(Warning {
        what,
        cure: message![
            format!(
                "try another learning rate than {}, which may be too high, or too low for so few steps; ",
                rate(highest.unwrap_or(kept.learning_rate))
            ),
            Key("learning_rate").set_to("auto"),
            " finds one; or use less regularisation, if there is any",
        ]
        .spelled(spelling),
    })
}
