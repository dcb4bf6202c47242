//! How elements become network inputs: `x = (element − offset) · factor`, with one offset and factor for all features.
//!
//! Both numbers are fitted to the training set ([`super::fit_scaling`]), used for every other set, and stored in the
//! model.

use serde::{Deserialize, Serialize};

/// A rule that fits a [`Scaling`] to a training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Divide by the largest magnitude of the element type, or of the set if that is far smaller.
    #[default]
    Unit,
    /// Subtract the mean of the training set and divide by its standard deviation.
    Standard,
    /// Use the elements unchanged.
    None,
    /// Use the scaling of the model that the run starts from.
    Model,
}

impl Scale {
    /// All rules.
    pub const ALL: [Scale; 4] = [Scale::Unit, Scale::Standard, Scale::None, Scale::Model];

    /// Returns the name used in settings, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Scale::Unit => "unit",
            Scale::Standard => "standard",
            Scale::None => "none",
            Scale::Model => "model",
        }
    }
}

/// An affine map from elements to inputs: `x = (element − offset) · factor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Subtracted first, in units of the elements.
    pub offset: f32,
    /// Multiplied last, in inputs per unit of the elements.
    pub factor: f32,
}

impl Scaling {
    /// The scaling that leaves elements unchanged.
    pub const IDENTITY: Scaling = Scaling {
        offset: 0.0,
        factor: 1.0,
    };
}
