//! What a layer is made for.

/// The most rows of a batch for which a layer keeps no gradient of its own accord.
pub const LONG_BATCH: usize = 256;

/// What a layer is made for, in addition to its shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffineOptions {
    /// Whether [`super::Affine::backward`] is called: not for the first layer.
    pub inputs_need_gradient: bool,
    /// The number of groups into which workers divide the outputs; more than one only for the native engine.
    pub unit_groups: usize,
    /// The number of groups into which workers divide the gradient at the inputs.
    pub input_groups: usize,
    /// Whether workers divide the weights by inputs, in as many groups: each has whole pieces.
    pub by_inputs: bool,
    /// If given, zeros of the inputs are skipped, and this is subtracted from every input; only for the native engine.
    pub skips_zeros: Option<f32>,
    /// The most rows of an update.
    pub rows: usize,
}

impl Default for AffineOptions {
    /// A layer that is not the first, of one group, for short batches.
    fn default() -> AffineOptions {
        AffineOptions {
            inputs_need_gradient: true,
            unit_groups: 1,
            input_groups: 1,
            by_inputs: false,
            skips_zeros: None,
            rows: 0,
        }
    }
}
