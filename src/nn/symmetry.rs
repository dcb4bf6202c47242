//! Units that are copies of one another.
//!
//! Hidden units that start equal get equal gradients and stay equal: the layer computes only one feature, whatever its
//! width. Zero initialisation has this effect, and the summary of a run reports it.

use super::spec::Spec;

/// Differences below this share of the layer's largest weight count as rounding errors.
const ROUNDING: f32 = 1e-4;

/// Returns the hidden layers, counted from 1, whose units all have the same incoming weights, bias and, with batch
/// normalisation, scale.
///
/// Shapes: `parameters [parameters]`.
pub fn identical_units(spec: &Spec, parameters: &[f32]) -> Vec<usize> {
    let hidden = &spec.layers()[..spec.layers().len() - 1];
    let symmetric = hidden.iter().enumerate().filter(|(_, layer)| {
        let weight = layer.weight(parameters);
        let rows = weight.outer_iter();
        let largest = weight.iter().fold(0f32, |most, w| most.max(w.abs()));
        let equal = |first: f32, other: &f32| (first - other).abs() <= ROUNDING * largest;
        let same = |row: &[f32]| {
            row.iter()
                .all(|x| (row[0] - x).abs() <= ROUNDING * row[0].abs())
        };
        layer.fan_out > 1
            && same(layer.bias(parameters))
            && layer.norm(parameters).is_none_or(|norm| same(norm.gamma))
            && rows
                .into_iter()
                .all(|row| row.iter().all(|w| equal(row[0], w)))
    });
    symmetric.map(|(index, _)| index + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;
    use crate::nn::init::{Init, initial_parameters};

    #[test]
    fn layers_with_equal_units_are_found() {
        let spec = Spec::new(6, &[5, 4, 1], 3, Activation::Sigmoid).expect("a spec");
        let zero = initial_parameters(&spec, Init::Zero, 0.5, 1);
        // A layer with one unit does not count.
        assert_eq!(identical_units(&spec, &zero), [1, 2]);
        let mut mixed = initial_parameters(&spec, Init::Xavier, 0.0, 1);
        assert!(identical_units(&spec, &mixed).is_empty());
        let (weight, _) = spec.layers()[1].split_mut(&mut mixed);
        for row in weight.chunks_exact_mut(4) {
            let first = row[0];
            row.fill(first);
        }
        assert_eq!(identical_units(&spec, &mixed), [2]);
        let spec = spec.with_batch_norm(true).expect("a spec");
        let mut zero = initial_parameters(&spec, Init::Zero, 0.5, 1);
        assert_eq!(identical_units(&spec, &zero), [1, 2]);
        let norm = spec.layers()[0].norm_mut(&mut zero);
        norm.expect("a normalised layer").gamma[2] = 1.1;
        assert_eq!(identical_units(&spec, &zero), [2]);
    }
}
