//! What is measured in an epoch of training.

use serde::{Deserialize, Serialize};

use super::{Score, SetScores};

/// What is measured in one epoch of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Mean of the minimised loss over the epoch's samples, each measured before its own step: with label smoothing
    /// and class weights, if any. Cross-entropies are in nats.
    pub train_loss: f64,
    /// The scores after the epoch: on the validation set if there is one, else on the test set.
    #[serde(flatten)]
    pub scores: SetScores,
    /// The learning rate of its last step.
    pub learning_rate: f32,
    /// Time spent training, without evaluation, in seconds.
    pub train_seconds: f64,
    /// Samples trained on per second of that time.
    pub samples_per_second: f64,
    /// 10⁹ floating point operations of the matrix products per second of that time.
    pub gflops: f64,
    /// The share of the epoch's samples that was trained on, if time ran out before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<f64>,
}

impl EpochMetrics {
    /// The score on the validation set, or on the test set without a validation set.
    pub fn score(&self) -> Option<Score> {
        self.scores.measured()
    }

    /// The loss on the validation set, or on the test set without a validation set.
    pub fn loss(&self) -> Option<f64> {
        self.score().map(|score| score.loss)
    }

    /// The accuracy on the validation set, or on the test set without a validation set, 0 to 1; `None` in regression.
    pub fn accuracy(&self) -> Option<f64> {
        self.score().and_then(|score| score.accuracy)
    }

    /// The loss that schedules watch: on the validation set, else the training loss. The test set must decide nothing.
    pub fn watched_loss(&self) -> f64 {
        self.scores
            .validation
            .map_or(self.train_loss, |score| score.loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(scores: SetScores) -> EpochMetrics {
        EpochMetrics {
            epoch: 3,
            train_loss: 0.1 + 0.2,
            scores,
            learning_rate: 0.1,
            train_seconds: 1.5,
            samples_per_second: 1e5,
            gflops: 0.7,
            part: None,
        }
    }

    /// Readers of old and new files depend on every byte.
    #[test]
    fn the_json_of_an_epoch_is_this() {
        let end = r#""learning_rate":0.1,"train_seconds":1.5,"samples_per_second":100000.0,"gflops":0.7}"#;
        let both = SetScores {
            validation: Some(Score {
                accuracy: Some(0.9),
                f1: Some(0.8),
                ..Score::of_loss(0.5)
            }),
            test: Some(Score {
                accuracy: Some(0.7),
                ..Score::of_loss(0.25)
            }),
        };
        let of_regression = SetScores {
            validation: None,
            test: Some(Score {
                mae: Some(2.0),
                r2: Some(-1.0 / 3.0),
                ..Score::of_loss(0.25)
            }),
        };
        for (scores, words) in [
            (
                both,
                r#""validation_loss":0.5,"validation_accuracy":0.9,"test_loss":0.25,"test_accuracy":0.7,"f1":0.8"#,
            ),
            (
                of_regression,
                r#""test_loss":0.25,"test_accuracy":null,"mae":2.0,"r2":-0.3333333333333333"#,
            ),
            (
                SetScores::default(),
                r#""test_loss":null,"test_accuracy":null"#,
            ),
        ] {
            let expected = format!(r#"{{"epoch":3,"train_loss":0.30000000000000004,{words},{end}"#);
            let epoch = epoch(scores);
            let json = serde_json::to_string(&epoch).expect("JSON");
            assert_eq!(json, expected);
            let read: EpochMetrics = serde_json::from_str(&json).expect("an epoch");
            assert_eq!(read, epoch);
        }
        let part = EpochMetrics {
            part: Some(0.5),
            ..epoch(SetScores::default())
        };
        let json = serde_json::to_string(&part).expect("JSON");
        assert!(json.ends_with(r#""gflops":0.7,"part":0.5}"#), "{json}");
    }

    #[test]
    fn a_score_that_is_no_number_is_refused() {
        let json = serde_json::to_string(&epoch(SetScores::default())).expect("JSON");
        let json = json.replace("\"test_loss\":null", "\"test_loss\":\"low\"");
        assert!(serde_json::from_str::<EpochMetrics>(&json).is_err());
        let unknown = json.replace("\"test_loss\":\"low\"", "\"later_field\":[1]");
        assert!(serde_json::from_str::<EpochMetrics>(&unknown).is_ok());
    }
}
