//! The units of a regression's targets, in which losses are reported.
//!
//! A network that learns standardised targets `t' = (t − offset) / d` minimises the loss of `z − t'`, in which an error
//! of one deviation `d` counts the same for every output. The loss in the targets' own units is that loss times `dᵏ`,
//! where k is 2 for squares and 1 for distances, so that both are computed together.

/// What turns the loss of standardised targets into the loss in the targets' own units.
#[derive(Debug, Clone, PartialEq)]
pub struct Units {
    /// The largest `dᵏ`. In `f64`, as squares of large and small units leave the range of `f32`.
    largest: f64,
    /// `dᵏ` of each output relative to the largest, `[outputs]`; `None` if all are equal.
    relative: Option<Vec<f32>>,
    /// Huber's distance δ of each output in deviations, `[outputs]`; empty for other losses.
    deltas: Vec<f32>,
}

impl Units {
    /// The units for targets with these standard deviations, `[outputs]`, of a loss in this power of a unit. `delta` is
    /// Huber's distance.
    pub(super) fn new(power: i32, delta: Option<f32>, deviations: &[f64]) -> Units {
        let units = deviations.iter().map(|deviation| deviation.powi(power));
        let largest = units.clone().fold(0.0, f64::max);
        let relative: Vec<f32> = units.map(|unit| (unit / largest) as f32).collect();
        let in_deviations = |deviation: &f64| Some((f64::from(delta?) / deviation) as f32);
        Units {
            largest,
            relative: Some(relative).filter(|units| units.iter().any(|&unit| unit != 1.0)),
            deltas: deviations.iter().filter_map(in_deviations).collect(),
        }
    }

    /// The factor of the whole loss.
    pub(super) fn largest(&self) -> f64 {
        self.largest
    }

    /// The factors of the outputs; `None` if all are 1.
    pub(super) fn relative(&self) -> Option<&[f32]> {
        self.relative.as_deref()
    }

    /// Huber's distances.
    pub(super) fn deltas(&self) -> &[f32] {
        &self.deltas
    }
}
