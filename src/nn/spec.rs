//! The shape of a network: layer sizes, activation, and where each layer is in the flat buffer.
//!
//! Parameters are one flat `[parameters]` buffer: for each layer its weights `[in, out]`, row by row, then its biases
//! `[out]`. With batch normalisation, a hidden layer's biases are followed by its scales γ `[out]`, and by the running
//! mean and variance `[out]`, which no gradient moves. Engines use a layout of their own in training, and convert to
//! this one.

use std::ops::Range;

use ndarray::ArrayView2;

use super::activation::Activation;
use super::{Link, Task};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The largest number of parameters, as BLAS counts in 32 bits.
const MAX_PARAMETERS: usize = i32::MAX as usize;

/// An affine layer `z = x · w + b` and its position in a flat buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The width of the input, `in`.
    pub fan_in: usize,
    /// The width of the output, `out`.
    pub fan_out: usize,
    start: usize,
    normalized: bool,
}

/// The parameters of batch normalisation in a layer: `y = f(γ ⊙ (x · w − mean) / √(var + ε) + b)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm<T> {
    /// The scales γ, `[out]`.
    pub gamma: T,
    /// The running mean, `[out]`.
    pub mean: T,
    /// The running variance, `[out]`.
    pub variance: T,
}

impl Layer {
    fn weight_range(&self) -> Range<usize> {
        self.start..self.start + self.fan_in * self.fan_out
    }

    fn bias_range(&self) -> Range<usize> {
        let start = self.weight_range().end;
        start..start + self.fan_out
    }

    /// The range of γ, running mean and running variance, in this order.
    fn norm_range(&self) -> Range<usize> {
        let start = self.bias_range().end;
        start..start + 3 * self.fan_out * usize::from(self.normalized)
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

    /// The weights `[in · out]`, row-major, and the biases `[out]` in a flat buffer.
    pub fn split<'a>(&self, flat: &'a [f32]) -> (&'a [f32], &'a [f32]) {
        (&flat[self.weight_range()], &flat[self.bias_range()])
    }

    /// Floating point operations of one product of this layer for one sample.
    pub(super) fn product_flops(&self) -> f64 {
        2.0 * (self.fan_in * self.fan_out) as f64
    }

    /// The weights `[in · out]`, row-major, and the biases `[out]` in a flat buffer, to write.
    pub fn split_mut<'a>(&self, flat: &'a mut [f32]) -> (&'a mut [f32], &'a mut [f32]) {
        let layer = &mut flat[self.start..self.bias_range().end];
        layer.split_at_mut(self.fan_in * self.fan_out)
    }

    /// The batch normalisation in a flat buffer; `None` if the layer is not normalised.
    pub fn norm<'a>(&self, flat: &'a [f32]) -> Option<Norm<&'a [f32]>> {
        let mut parts = flat[self.norm_range()].chunks_exact(self.fan_out);
        Some(Norm {
            gamma: parts.next()?,
            mean: parts.next()?,
            variance: parts.next()?,
        })
    }

    /// The batch normalisation in a flat buffer, to write; `None` if the layer is not normalised.
    pub fn norm_mut<'a>(&self, flat: &'a mut [f32]) -> Option<Norm<&'a mut [f32]>> {
        let mut parts = flat[self.norm_range()].chunks_exact_mut(self.fan_out);
        Some(Norm {
            gamma: parts.next()?,
            mean: parts.next()?,
            variance: parts.next()?,
        })
    }

    /// Whether the layer has batch normalisation between the product and the activation.
    pub fn is_normalized(&self) -> bool {
        self.normalized
    }
}

/// The shape of a network: the widths from inputs to outputs, the activation of the hidden layers, whether these have
/// batch normalisation, the task, which defines the meaning of the outputs, and the link of a regression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    task: Task,
    link: Link,
    activation: Activation,
    batch_norm: bool,
    layers: Vec<Layer>,
    parameters: usize,
}

impl Spec {
    /// A network for classification with `inputs` features, the `hidden` widths and one output for each of the
    /// `classes`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if a width is zero, or if there are more than 2³¹ − 1 parameters.
    pub fn new(
        inputs: usize,
        hidden: &[usize],
        classes: usize,
        activation: Activation,
    ) -> Result<Spec> {
        let sizes = [&[inputs], hidden, &[classes]].concat();
        Spec::laid_out(&sizes, activation, false)
    }

    /// The same network with batch normalisation of every hidden layer, or without.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there are more than 2³¹ − 1 parameters.
    pub fn with_batch_norm(self, batch_norm: bool) -> Result<Spec> {
        let spec = Spec::laid_out(&self.sizes(), self.activation, batch_norm)?;
        Ok(spec.for_task(self.task).with_link(self.link))
    }

    fn laid_out(sizes: &[usize], activation: Activation, batch_norm: bool) -> Result<Spec> {
        if sizes.contains(&0) {
            return Err(Error::Config(
                Refusal::new(Key("hidden"), sizes_text(sizes), "widths of at least 1").hint(
                    message![
                        "for a network without hidden layers give ",
                        Key("hidden").set_to("none")
                    ],
                ),
            ));
        }
        let mut layers = Vec::new();
        let mut parameters = 0usize;
        for (index, pair) in sizes.windows(2).enumerate() {
            let (fan_in, fan_out) = (pair[0], pair[1]);
            let start = parameters;
            let normalized = batch_norm && index + 2 < sizes.len();
            // One row of biases, and three of batch normalisation.
            let rows = if normalized { 4 } else { 1 };
            let end = fan_in
                .checked_add(rows)
                .and_then(|rows| rows.checked_mul(fan_out))
                .and_then(|size| size.checked_add(start))
                .filter(|&end| end <= MAX_PARAMETERS);
            let Some(end) = end else {
                return Err(Error::Config(Refusal::new(
                    Key("hidden"),
                    format!("{} with too many parameters", sizes_text(sizes)),
                    format!("at most {MAX_PARAMETERS}"),
                )));
            };
            layers.push(Layer {
                fan_in,
                fan_out,
                start,
                normalized,
            });
            parameters = end;
        }
        Ok(Spec {
            task: Task::default(),
            link: Link::default(),
            activation,
            batch_norm,
            layers,
            parameters,
        })
    }

    /// The same network for another task.
    pub fn for_task(self, task: Task) -> Spec {
        Spec { task, ..self }
    }

    /// The same network with outputs that are the logarithms of values, or the values themselves.
    pub fn with_link(self, link: Link) -> Spec {
        Spec { link, ..self }
    }

    /// What the outputs of a regression are.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The name of the function that the outputs pass through.
    pub fn output_function(&self) -> &'static str {
        match (self.task, self.link) {
            (Task::Classification, _) => "softmax",
            (Task::Multilabel, _) => "sigmoid",
            (Task::Regression, Link::Identity) => "identity",
            (Task::Regression, Link::Log) => "exp",
        }
    }

    /// The task, which defines the meaning of the outputs.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The layers from the inputs to the logits; there is at least one.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The activation after every layer except the last.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Whether every hidden layer has batch normalisation.
    pub fn batch_norm(&self) -> bool {
        self.batch_norm
    }

    /// For each layer, whether its name is among `names`; `layers.0` is the first. Returns `[layers]`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if a name is not that of a layer, or if the names are those of all layers.
    pub fn layers_named(&self, names: &[String]) -> Result<Vec<bool>> {
        let all: Vec<String> = (0..self.layers.len()).map(layer_name).collect();
        let refuse = |found: &str, expected: String| {
            Err(Error::Config(Refusal::new(Key("freeze"), found, expected)))
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

    /// The number of features of a sample.
    pub fn inputs(&self) -> usize {
        self.layers[0].fan_in
    }

    /// The width of the logits: the number of classes, or of the numbers to predict.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].fan_out
    }

    /// The widths from inputs to outputs.
    pub fn sizes(&self) -> Vec<usize> {
        let outputs = self.layers.iter().map(|layer| layer.fan_out);
        std::iter::once(self.inputs()).chain(outputs).collect()
    }

    /// The length of the flat buffer.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The number of parameters that a gradient moves: all except the running statistics.
    pub fn trainable(&self) -> usize {
        let normalized = self.layers.iter().filter(|layer| layer.normalized);
        let statistics: usize = normalized.map(|layer| 2 * layer.fan_out).sum();
        self.parameters - statistics
    }

    /// Floating point operations of the products to train on one sample: 4·in·out for the first layer, whose input
    /// needs no gradient, and 6·in·out for the others.
    pub fn training_flops(&self) -> f64 {
        2.0 * self.forward_flops() + self.backward_flops()
    }

    /// Floating point operations from inputs to logits: 2·in·out for each layer. The weights' gradient takes as many.
    pub fn forward_flops(&self) -> f64 {
        self.layers.iter().map(Layer::product_flops).sum()
    }

    /// Floating point operations of the gradient back to the first hidden layer: 2·in·out for each layer except the
    /// first.
    pub fn backward_flops(&self) -> f64 {
        self.layers[1..].iter().map(Layer::product_flops).sum()
    }
}

/// The name of layer `index` in files: `layers.0` is the first.
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
    fn layers_follow_one_another_in_the_flat_buffer() {
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
    fn batch_norm_follows_the_biases_of_hidden_layers() {
        let plain = Spec::new(3, &[2], 4, Activation::Relu).expect("a spec");
        let plain = plain.for_task(Task::Regression);
        let spec = plain.clone().with_batch_norm(true).expect("a spec");
        // 3·2 + 2, three times 2, and 2·4 + 4.
        assert_eq!((spec.parameters(), spec.trainable()), (26, 22));
        let mut flat: Vec<f32> = (0..26u8).map(f32::from).collect();
        let [hidden, last] = spec.layers() else {
            panic!("two layers");
        };
        assert_eq!(hidden.bias(&flat), [6.0, 7.0]);
        let norm = hidden.norm(&flat).expect("a normalised layer");
        let expected = [[8.0, 9.0], [10.0, 11.0], [12.0, 13.0]];
        assert_eq!([norm.gamma, norm.mean, norm.variance], expected);
        assert_eq!(last.weight(&flat)[[0, 0]], 14.0);
        assert!(last.norm(&flat).is_none() && !last.is_normalized());
        hidden.norm_mut(&mut flat).expect("the same").variance[1] = 7.0;
        assert_eq!(flat[13], 7.0);
        assert_eq!(spec.with_batch_norm(false).expect("a spec"), plain);
        assert_eq!(plain.trainable(), plain.parameters());
    }

    #[test]
    fn parameters_and_flops_of_the_tutorial_network_are_counted() {
        let spec = Spec::new(784, &[100], 10, Activation::Sigmoid).expect("a spec");
        assert_eq!(spec.parameters(), 79_510);
        assert_eq!(spec.training_flops(), 4.0 * 78_400.0 + 6.0 * 1_000.0);
        assert_eq!(spec.to_string(), "784-100-10");
    }

    #[test]
    fn empty_and_gigantic_layers_are_refused() {
        assert!(Spec::new(784, &[0], 10, Activation::Relu).is_err());
        assert!(Spec::new(784, &[usize::MAX], 10, Activation::Relu).is_err());
        assert!(Spec::new(784, &[1 << 20, 1 << 20], 10, Activation::Relu).is_err());
    }
}
