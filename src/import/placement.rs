//! Where batch normalisation stands: between which layers, and on which side of the activation.

use super::chain::widths;
use super::modules::{Linear, Norm};
use super::supplied::{NormPlace, WeightShape};

/// Where a batch normalisation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// On the inputs of this layer, behind the activation of the one before.
    Inputs(usize),
    /// Between this layer and its activation.
    Outputs(usize),
}

/// Why a place is unknown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unplaced {
    /// It is not known between which layers this one stands.
    Between(usize),
    /// It is not known on which side of the activation this one stands.
    Side(usize),
    /// It has not the width of the layers around it: of this one these widths are expected.
    Width(usize, String),
}

/// The layers of a network in their order.
pub(super) struct Chain<'a, 'b> {
    pub linears: &'a [Linear<'b>],
    pub shape: WeightShape,
    /// The side of the activation, if it is given.
    pub side: Option<NormPlace>,
}

impl Chain<'_, '_> {
    /// Returns where each of `norms` stands, by their names.
    pub(super) fn spots(&self, norms: &[Norm]) -> Result<Vec<Spot>, Unplaced> {
        let by_numbers = self.gaps_by_numbers(norms)?;
        let mut gaps = Vec::new();
        for (index, norm) in norms.iter().enumerate() {
            let in_series = self.gap_in_series(norm);
            let gap = match in_series.or(by_numbers[index]) {
                Some(gap) => gap,
                None => self.gap_by_width(norm).ok_or(Unplaced::Between(index))?,
            };
            // The order of two in one place is known only within a sequence.
            if in_series.is_none() && gaps.contains(&gap) {
                return Err(Unplaced::Between(index));
            }
            gaps.push(gap);
        }
        self.sides(norms, &gaps)
    }

    /// Returns where each of `norms` stands, of which the first follows `gaps[0]` layers, and so on.
    pub(super) fn sides(&self, norms: &[Norm], gaps: &[usize]) -> Result<Vec<Spot>, Unplaced> {
        let mut spots = Vec::new();
        for (index, (norm, &gap)) in norms.iter().zip(gaps).enumerate() {
            let width = self.width(gap);
            if norm.width != width {
                return Err(Unplaced::Width(index, format!("[{width}]")));
            }
            let is_before = match gap {
                0 => false,
                gap if gap == self.linears.len() => true,
                gap => match self.side.or_else(|| self.side_by_numbers(norm, gap)) {
                    Some(side) => side == NormPlace::Before,
                    None => return Err(Unplaced::Side(index)),
                },
            };
            spots.push(match is_before {
                true => Spot::Outputs(gap - 1),
                false => Spot::Inputs(gap),
            });
        }
        Ok(spots)
    }

    /// The number of values between two layers, behind the first `gap` of them.
    fn width(&self, gap: usize) -> usize {
        match gap {
            0 => widths(&self.linears[0], self.shape).0,
            gap => widths(&self.linears[gap - 1], self.shape).1,
        }
    }

    /// The place of a module between linear layers of its own series, as in `nn.Sequential`.
    fn gap_in_series(&self, norm: &Norm) -> Option<usize> {
        let is_of_series = |linear: &&Linear| linear.stem.series == norm.stem.series;
        let first = self
            .linears
            .iter()
            .position(|linear| is_of_series(&linear))?;
        let before = self
            .linears
            .iter()
            .rposition(|linear| is_of_series(&linear) && linear.stem.numbers < norm.stem.numbers);
        Some(before.map_or(first, |before| before + 1))
    }

    /// For each of `norms` its place if its numbers are those of a linear layer, as of `bn1` and `fc1`: behind that layer,
    /// or before it, whichever all widths allow.
    fn gaps_by_numbers(&self, norms: &[Norm]) -> Result<Vec<Option<usize>>, Unplaced> {
        let same = |norm: &Norm| {
            let same = |linear: &Linear| {
                !norm.stem.numbers.is_empty() && linear.stem.numbers == norm.stem.numbers
            };
            let first = self.linears.iter().position(same)?;
            let last = self.linears.iter().rposition(same)?;
            (first == last && self.gap_in_series(norm).is_none()).then_some(first)
        };
        let partners: Vec<Option<usize>> = norms.iter().map(same).collect();
        let fits = |ahead: usize| {
            let mut pairs = norms.iter().zip(&partners);
            pairs.all(|(norm, partner)| {
                partner.is_none_or(|layer| self.width(layer + ahead) == norm.width)
            })
        };
        let ahead = match (fits(1), fits(0)) {
            (true, false) => 1,
            (false, true) => 0,
            (both, _) => {
                return match partners.iter().position(Option::is_some) {
                    Some(first) if both => Err(Unplaced::Between(first)),
                    _ => Ok(vec![None; norms.len()]),
                };
            }
        };
        let gaps = partners.iter().map(|partner| Some((*partner)? + ahead));
        Ok(gaps.collect())
    }

    /// The only place with the width of `norm`.
    fn gap_by_width(&self, norm: &Norm) -> Option<usize> {
        let mut gaps = (0..=self.linears.len()).filter(|&gap| self.width(gap) == norm.width);
        let gap = gaps.next()?;
        gaps.next().is_none().then_some(gap)
    }

    /// The side of the activation by the numbers of modules in an `nn.Sequential`, in which the activation has a number,
    /// too.
    fn side_by_numbers(&self, norm: &Norm, gap: usize) -> Option<NormPlace> {
        let (of, number) = norm.stem.in_sequence()?;
        let number_in = |linear: &Linear| match linear.stem.in_sequence() {
            Some((other, number)) if other == of => Some(number),
            _ => None,
        };
        let before = number_in(&self.linears[gap - 1])?;
        let is_next = number.checked_sub(before)? == 1;
        let between = number_in(&self.linears[gap]).map(|next| next.saturating_sub(number));
        match (is_next, between) {
            (true, Some(1)) => None,
            (true, _) => Some(NormPlace::Before),
            (false, Some(1)) => Some(NormPlace::After),
            (false, _) => None,
        }
    }
}
