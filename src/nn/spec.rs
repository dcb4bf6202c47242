//! What a network is: layer sizes, activation, and where each layer lies in the flat buffer.
//!
//! Parameters are one flat `[parameters]` buffer: for each layer in turn its weights `[in, out]`, row by row, then its
//! biases `[out]`. Engines keep their own layout while they train, and give this one back.

use std::ops::Range;

use ndarray::ArrayView2;

use super::activation::Activation;
use crate::data::Task;
use crate::error::{Error, Refusal, Result};

/// BLAS counts in 32 bits, and so do we.
const MAX_PARAMETERS: usize = i32::MAX as usize;

/// An affine layer `z = x · w + b` and its place in a flat buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Width of the input, `in`.
    pub fan_in: usize,
    /// Width of the output, `out`.
    pub fan_out: usize,
    start: usize,
}

impl Layer {
    fn weight_range(&self) -> Range<usize> {
        self.start..self.start + self.fan_in * self.fan_out
    }

    fn bias_range(&self) -> Range<usize> {
        let start = self.weight_range().end;
        start..start + self.fan_out
    }

    /// The weights `[in, out]` in a flat buffer.
    pub fn weight<'a>(&self, flat: &'a [f32]) -> ArrayView2<'a, f32> {
        ArrayView2::from_shape((self.fan_in, self.fan_out), &flat[self.weight_range()])
            .expect("in · out weights")
    }

    /// The biases `[out]` in a flat buffer.
    pub fn bias<'a>(&self, flat: &'a [f32]) -> &'a [f32] {
        &flat[self.bias_range()]
    }

    /// Weights `[in · out]`, row-major, and biases `[out]` in a flat buffer.
    pub fn split<'a>(&self, flat: &'a [f32]) -> (&'a [f32], &'a [f32]) {
        (&flat[self.weight_range()], &flat[self.bias_range()])
    }

    /// Floating point operations of one product of this layer for one sample.
    pub(super) fn product_flops(&self) -> f64 {
        2.0 * (self.fan_in * self.fan_out) as f64
    }

    /// [`Layer::split`], to write through.
    pub fn split_mut<'a>(&self, flat: &'a mut [f32]) -> (&'a mut [f32], &'a mut [f32]) {
        let layer = &mut flat[self.start..self.bias_range().end];
        layer.split_at_mut(self.fan_in * self.fan_out)
    }
}

/// A network: the widths from inputs to outputs, the activation of the hidden layers, and the task, which says what outputs
/// mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    task: Task,
    activation: Activation,
    layers: Vec<Layer>,
    parameters: usize,
}

impl Spec {
    /// A network for classification with `inputs` features, the `hidden` widths and an output for each of `classes`.
    ///
    /// # Errors
    /// [`Error::Config`] when a width is zero or there are more than 2³¹ − 1 parameters.
    pub fn new(
        inputs: usize,
        hidden: &[usize],
        classes: usize,
        activation: Activation,
    ) -> Result<Spec> {
        let sizes = [&[inputs], hidden, &[classes]].concat();
        if sizes.contains(&0) {
            return Err(Error::Config(
                Refusal::new("--hidden", sizes_text(&sizes), "widths of at least 1")
                    .hint("for a network without hidden layers give --hidden none"),
            ));
        }
        let mut layers = Vec::new();
        let mut parameters = 0usize;
        for pair in sizes.windows(2) {
            let (fan_in, fan_out) = (pair[0], pair[1]);
            let start = parameters;
            let end = fan_in
                .checked_add(1)
                .and_then(|rows| rows.checked_mul(fan_out))
                .and_then(|size| size.checked_add(start))
                .filter(|&end| end <= MAX_PARAMETERS);
            let Some(end) = end else {
                return Err(Error::Config(Refusal::new(
                    "--hidden",
                    format!("{} with too many parameters", sizes_text(&sizes)),
                    format!("at most {MAX_PARAMETERS}"),
                )));
            };
            layers.push(Layer {
                fan_in,
                fan_out,
                start,
            });
            parameters = end;
        }
        Ok(Spec {
            task: Task::default(),
            activation,
            layers,
            parameters,
        })
    }

    /// The same network for another task.
    pub fn for_task(self, task: Task) -> Spec {
        Spec { task, ..self }
    }

    /// What the outputs mean.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The layers from the inputs to the logits; there is at least one.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The activation behind every layer but the last.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Whether each layer is one of those called `names` (`layers.0` is the first): `[layers]`.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that is none, and where no layer is left.
    pub fn layers_named(&self, names: &[String]) -> Result<Vec<bool>> {
        let all: Vec<String> = (0..self.layers.len()).map(layer_name).collect();
        let refuse = |found: &str, expected: String| {
            Err(Error::Config(Refusal::new("--freeze", found, expected)))
        };
        if let Some(name) = names.iter().find(|name| !all.contains(name)) {
            return refuse(name, all.join(", "));
        }
        let named: Vec<bool> = all.iter().map(|name| names.contains(name)).collect();
        match named.contains(&false) {
            true => Ok(named),
            false => refuse("every layer", "at least one that is trained".to_owned()),
        }
    }

    /// Features of an item.
    pub fn inputs(&self) -> usize {
        self.layers[0].fan_in
    }

    /// Width of the logits: the number of classes, or of the numbers to predict.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].fan_out
    }

    /// The widths from inputs to outputs.
    pub fn sizes(&self) -> Vec<usize> {
        let outputs = self.layers.iter().map(|layer| layer.fan_out);
        std::iter::once(self.inputs()).chain(outputs).collect()
    }

    /// Length of the flat buffer.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Floating point operations to train on one sample, products only: 4·in·out for the first layer,
    /// whose input needs no gradient, and 6·in·out for the others.
    pub fn training_flops(&self) -> f64 {
        2.0 * self.forward_flops() + self.backward_flops()
    }

    /// Those from inputs to logits: 2·in·out for each layer. The weights' gradient takes as many.
    pub fn forward_flops(&self) -> f64 {
        self.layers.iter().map(Layer::product_flops).sum()
    }

    /// Those of the gradient back to the first hidden layer: 2·in·out for each layer but the first.
    pub fn backward_flops(&self) -> f64 {
        self.layers[1..].iter().map(Layer::product_flops).sum()
    }
}

/// What layer `index` is called in files: `layers.0` is the first.
pub(crate) fn layer_name(index: usize) -> String {
    format!("layers.{index}")
}

/// `784-100-10`.
impl std::fmt::Display for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&sizes_text(&self.sizes()))
    }
}

fn sizes_text(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    sizes.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_layers_out_one_behind_the_other() {
        let spec = Spec::new(3, &[2], 4, Activation::Relu).expect("a spec");
        // 3·2 + 2 and 2·4 + 4.
        assert_eq!(spec.parameters(), 20);
        let flat: Vec<f32> = (0..20u8).map(f32::from).collect();
        assert_eq!(spec.layers()[0].weight(&flat)[[2, 1]], 5.0);
        assert_eq!(spec.layers()[0].bias(&flat), [6.0, 7.0]);
        assert_eq!(spec.layers()[1].weight(&flat)[[1, 3]], 15.0);
        assert_eq!(spec.layers()[1].bias(&flat), [16.0, 17.0, 18.0, 19.0]);
    }

    #[test]
    fn counts_parameters_and_flops_of_the_tutorial_network() {
        let spec = Spec::new(784, &[100], 10, Activation::Sigmoid).expect("a spec");
        assert_eq!(spec.parameters(), 79_510);
        assert_eq!(spec.training_flops(), 4.0 * 78_400.0 + 6.0 * 1_000.0);
        assert_eq!(spec.to_string(), "784-100-10");
    }

    #[test]
    fn refuses_empty_and_gigantic_layers() {
        assert!(Spec::new(784, &[0], 10, Activation::Relu).is_err());
        assert!(Spec::new(784, &[usize::MAX], 10, Activation::Relu).is_err());
        assert!(Spec::new(784, &[1 << 20, 1 << 20], 10, Activation::Relu).is_err());
    }
}
