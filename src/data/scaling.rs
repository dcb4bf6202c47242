//! How elements become network inputs: `x = (element − offset) · factor`, with one pair of numbers for all features or
//! one pair for each.
//!
//! The numbers are fitted to the training set ([`super::fit_scaling`]), used for every other set, and stored in the
//! model. One pair is computed in `f32`. For a pair of its own, a feature's offset is an `f64`, and the difference is
//! rounded to `f32` only after the subtraction: timestamps, which an `f32` cannot tell apart, survive.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A rule that fits a [`Scaling`] to a training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Divide by the largest magnitude of the element type, or of the set if that is far smaller.
    #[default]
    Unit,
    /// Subtract from each feature its mean in the training set, and divide by its standard deviation.
    Standard,
    /// Subtract the mean of all elements of the training set, and divide by their standard deviation.
    StandardGlobal,
    /// As `Standard`, but of the logarithms of the columns of a table that have a long tail.
    Log,
    /// Use the elements unchanged.
    None,
    /// Use the scaling of the model that the run starts from.
    Model,
}

impl Scale {
    /// All rules.
    pub const ALL: [Scale; 6] = [
        Scale::Unit,
        Scale::Standard,
        Scale::StandardGlobal,
        Scale::Log,
        Scale::None,
        Scale::Model,
    ];

    /// Returns the name used in settings, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Scale::Unit => "unit",
            Scale::Standard => "standard",
            Scale::StandardGlobal => "standard-global",
            Scale::Log => "log",
            Scale::None => "none",
            Scale::Model => "model",
        }
    }

    /// Returns what a rule that a file of an earlier version names is called now: there, `standard` is one pair of
    /// numbers for all features.
    pub(crate) fn renamed(self) -> Scale {
        match self {
            Scale::Standard => Scale::StandardGlobal,
            other => other,
        }
    }
}

/// An affine map from elements to inputs.
///
/// In files it has the fields `offset` and `factor`, which are numbers, or arrays with a number for each feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// One pair of numbers for all features.
    Global(GlobalScaling),
    /// A pair of numbers for each feature.
    PerFeature(Arc<FeatureScaling>),
}

/// One pair of numbers for all features: `x = (element − offset) · factor` in `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GlobalScaling {
    /// Subtracted first, in units of the elements.
    pub offset: f32,
    /// Multiplied last, in inputs per unit of the elements.
    pub factor: f32,
}

/// A pair of numbers for each feature: `x = f32(element − offset) · factor`. A feature with the factor 0 is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureScaling {
    offset: Vec<f64>,
    factor: Vec<f32>,
    /// The offsets as `f32`s, if they are the same numbers.
    narrow: Option<Vec<f32>>,
}

impl GlobalScaling {
    /// The pair that leaves elements unchanged.
    pub const IDENTITY: GlobalScaling = GlobalScaling {
        offset: 0.0,
        factor: 1.0,
    };
}

impl Scaling {
    /// The scaling that leaves elements unchanged.
    pub const IDENTITY: Scaling = Scaling::Global(GlobalScaling::IDENTITY);

    /// One pair of numbers for all features.
    pub const fn global(offset: f32, factor: f32) -> Scaling {
        Scaling::Global(GlobalScaling { offset, factor })
    }

    /// A pair of numbers for each feature.
    ///
    /// # Panics
    /// Panics if there are not as many offsets as factors.
    pub fn per_feature(offset: Vec<f64>, factor: Vec<f32>) -> Scaling {
        assert_eq!(offset.len(), factor.len(), "an offset for each factor");
        let is_narrow = |&offset: &f64| f64::from(offset as f32) == offset;
        let narrow = offset.iter().all(is_narrow);
        let narrow = narrow.then(|| offset.iter().map(|&offset| offset as f32).collect());
        Scaling::PerFeature(Arc::new(FeatureScaling {
            offset,
            factor,
            narrow,
        }))
    }

    /// Returns the pair for all features, if there is one.
    pub fn as_global(&self) -> Option<GlobalScaling> {
        match self {
            Scaling::Global(pair) => Some(*pair),
            Scaling::PerFeature(_) => None,
        }
    }

    /// Returns whether an element that is zero becomes an input that is zero, whatever its feature.
    pub fn keeps_zeros(&self) -> bool {
        self.as_global().is_some_and(|pair| pair.offset == 0.0)
    }

    /// Returns the number of features that are left out, as they were constant in training.
    pub fn left_out(&self) -> usize {
        match self {
            Scaling::Global(_) => 0,
            Scaling::PerFeature(of) => of.factor.iter().filter(|&&factor| factor == 0.0).count(),
        }
    }

    /// Returns whether an offset has more digits than an `f32`, so that elements need 64 bits.
    pub fn is_wide(&self) -> bool {
        match self {
            Scaling::Global(_) => false,
            Scaling::PerFeature(of) => of.narrow.is_none(),
        }
    }

    /// Checks the numbers of a file for rows of so many features. Returns what was found and what was expected.
    pub(crate) fn check(&self, features: usize) -> Result<(), (String, String)> {
        let finite = || "finite numbers".to_owned();
        match self {
            Scaling::Global(GlobalScaling { offset, factor }) => {
                match offset.is_finite() && factor.is_finite() {
                    true => Ok(()),
                    false => Err((format!("scaling {offset}, {factor}"), finite())),
                }
            }
            Scaling::PerFeature(of) if of.offset.len() != features => Err((
                format!("scaling of {} features", of.offset.len()),
                format!("{features}, one a feature"),
            )),
            Scaling::PerFeature(of) => {
                let mut pairs = of.offset.iter().zip(&of.factor).enumerate();
                match pairs
                    .find(|(_, (offset, factor))| !(offset.is_finite() && factor.is_finite()))
                {
                    None => Ok(()),
                    Some((at, (offset, factor))) => Err((
                        format!("scaling {offset}, {factor} of feature {at}"),
                        finite(),
                    )),
                }
            }
        }
    }
}

impl FeatureScaling {
    /// What is subtracted from each feature, in units of its elements, `[features]`.
    pub fn offset(&self) -> &[f64] {
        &self.offset
    }

    /// What each difference is multiplied by, `[features]`; 0 for features that are left out.
    pub fn factor(&self) -> &[f32] {
        &self.factor
    }

    /// The offsets as `f32`s, `[features]`, if these are the same numbers. Then differences from elements that fit an
    /// `f32` are the same in `f32` and in `f64`.
    pub fn narrow_offset(&self) -> Option<&[f32]> {
        self.narrow.as_deref()
    }
}

/// A scaling as files have it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Global(GlobalScaling),
    PerFeature { offset: Vec<f64>, factor: Vec<f32> },
}

impl Serialize for Scaling {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Scaling::Global(pair) => pair.serialize(to),
            Scaling::PerFeature(of) => {
                let (offset, factor) = (of.offset.clone(), of.factor.clone());
                Stored::PerFeature { offset, factor }.serialize(to)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Scaling {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Scaling, D::Error> {
        use serde::de::Error as _;
        let stored = Stored::deserialize(from)
            .map_err(|_| D::Error::custom("a scaling without numbers offset and factor"))?;
        match stored {
            Stored::Global(pair) => Ok(Scaling::Global(pair)),
            Stored::PerFeature { offset, factor } if offset.len() == factor.len() => {
                Ok(Scaling::per_feature(offset, factor))
            }
            Stored::PerFeature { offset, factor } => Err(D::Error::custom(format!(
                "{} offsets and {} factors of a scaling",
                offset.len(),
                factor.len()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(scaling: &Scaling) -> String {
        serde_json::to_string(scaling).expect("plain data")
    }

    #[test]
    fn one_pair_is_numbers_in_a_file_and_pairs_are_arrays() {
        let global = Scaling::global(0.1, 1.0 / 255.0);
        assert_eq!(text(&global), r#"{"offset":0.1,"factor":0.003921569}"#);
        let each = Scaling::per_feature(vec![1.7e9 + 0.125, 0.1], vec![0.5, 0.0]);
        let expected = r#"{"offset":[1700000000.125,0.1],"factor":[0.5,0.0]}"#;
        assert_eq!(text(&each), expected);
        for scaling in [global, each] {
            let read: Scaling = serde_json::from_str(&text(&scaling)).expect("a scaling");
            assert_eq!(read, scaling);
        }
    }

    #[test]
    fn numbers_keep_their_bits_in_a_file() {
        // An odd multiplier visits bits of every kind.
        let floats = (0..200_000u32).map(|i| f32::from_bits(i.wrapping_mul(2_654_435_761)));
        let factor: Vec<f32> = floats.filter(|float| float.is_finite()).collect();
        let offset: Vec<f64> = factor.iter().map(|&x| f64::from(x) * 1.1).collect();
        let each = Scaling::per_feature(offset, factor.clone());
        let read: Scaling = serde_json::from_str(&text(&each)).expect("a scaling");
        assert_eq!(read, each);
        for factor in factor {
            let one = Scaling::global(factor, factor);
            let read: Scaling = serde_json::from_str(&text(&one)).expect("a scaling");
            assert_eq!(read, one);
        }
    }

    #[test]
    fn what_is_no_scaling_is_refused() {
        for (text, words) in [
            (r#"{"offset":1}"#, "a scaling without numbers"),
            (r#"{"offset":[1],"factor":1}"#, "a scaling without numbers"),
            (
                r#"{"offset":[1],"factor":[1,2]}"#,
                "1 offsets and 2 factors",
            ),
        ] {
            let refused = serde_json::from_str::<Scaling>(text).expect_err("a refusal");
            assert!(refused.to_string().contains(words), "{refused}");
        }
        let each = Scaling::per_feature(vec![0.0, 1.0], vec![1.0, f32::INFINITY]);
        let (found, _) = each.check(2).expect_err("a refusal");
        assert_eq!(found, "scaling 1, inf of feature 1");
        assert!(each.check(3).is_err());
    }

    #[test]
    fn offsets_that_are_f32s_are_known_as_such() {
        let narrow = |offset: f64| match Scaling::per_feature(vec![0.5, offset], vec![1.0; 2]) {
            Scaling::PerFeature(of) => of.narrow_offset().is_some(),
            Scaling::Global(_) => false,
        };
        assert!(narrow(-3.25));
        assert!(!narrow(0.1));
        assert!(!narrow(1e300));
    }
}
