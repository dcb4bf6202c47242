//! An affine layer's weights in the layout an engine wants, with the three products of training.
//!
//! This is the narrow interface between the network and what computes it. `z = x · w` and `dx = dz · wᵀ` run over
//! rows, which workers take in blocks; `w` is updated from `xᵀ · dz` over pieces of `w`, so that no gradient has to
//! be summed over workers: what was a reduction is the product itself. [`Engine`] says who does it.

mod gemm_layer;
#[cfg(target_arch = "x86_64")]
mod native_layer;
#[cfg(target_arch = "x86_64")]
mod panels;
mod slots;

use super::Engine;
use super::gemm::Library;
use super::shared::{Rows, RowsMut};
#[cfg(target_arch = "x86_64")]
use super::tile::InstructionSet;
use crate::error::Result;
use crate::optim::Step;
use gemm_layer::GemmLayer;
#[cfg(target_arch = "x86_64")]
use native_layer::NativeLayer;
pub use slots::Keeps;
pub(crate) use slots::write_slots;

/// The weights of one layer with the optimiser's slots, `[in, out]` in whatever order the engine keeps them.
#[derive(Debug)]
pub enum Affine {
    /// Row-major, for a matrix library.
    Gemm(GemmLayer),
    /// In panels, for the micro-kernels.
    #[cfg(target_arch = "x86_64")]
    Native(NativeLayer),
}

/// Does the same with either kind of layer.
macro_rules! either {
    ($self:expr, $layer:ident => $does:expr) => {
        match $self {
            Affine::Gemm($layer) => $does,
            #[cfg(target_arch = "x86_64")]
            Affine::Native($layer) => $does,
        }
    };
}

impl Affine {
    /// Takes over row-major `weight [in, out]`, with slots as they begin. `inputs_need_gradient` is false for the first
    /// layer alone; [`Affine::backward`] then must not be called.
    ///
    /// # Errors
    /// [`Error::Config`] for an engine that is not here, or when memory is not granted.
    pub fn new(
        engine: Engine,
        weight: &[f32],
        (fan_in, fan_out): (usize, usize),
        inputs_need_gradient: bool,
        keeps: Keeps,
    ) -> Result<Affine> {
        assert_eq!(
            weight.len(),
            fan_in * fan_out,
            "weights of {fan_in}×{fan_out}"
        );
        match engine.resolve()? {
            #[cfg(target_arch = "x86_64")]
            Engine::Native => {
                let set = InstructionSet::detect().expect("the engine was resolved here");
                let layer =
                    NativeLayer::new(weight, (fan_in, fan_out), inputs_need_gradient, keeps, set);
                layer.map(Affine::Native)
            }
            engine => {
                let library = match engine {
                    Engine::Openblas => Library::OpenBlas,
                    _ => Library::MatrixMultiply,
                };
                GemmLayer::new(weight, (fan_in, fan_out), keeps, library).map(Affine::Gemm)
            }
        }
    }

    /// Takes over a row-major slot `[in · out]` of an earlier run.
    ///
    /// # Panics
    /// When it has another length, or there is no such slot.
    pub fn set_slot(&mut self, slot: usize, from: &[f32]) {
        either!(self, layer => layer.set_slot(slot, from));
    }

    /// `z = x · w`.
    ///
    /// Shapes: `x [rows, in]`, `z [rows, out]`. Overwrites `z`.
    ///
    /// # Safety
    /// Until the next barrier no worker updates this layer.
    pub unsafe fn forward(&self, x: Rows, z: RowsMut) {
        // SAFETY: passed on.
        either!(self, layer => unsafe { layer.forward(x, z) });
    }

    /// `dx = dz · wᵀ`.
    ///
    /// Shapes: `dz [rows, out]`, `dx [rows, in]`. Overwrites `dx`.
    ///
    /// # Safety
    /// Until the next barrier no worker updates this layer.
    pub unsafe fn backward(&self, dz: Rows, dx: RowsMut) {
        // SAFETY: passed on.
        either!(self, layer => unsafe { layer.backward(dz, dx) });
    }

    /// In how many pieces the weights are updated: by their shape alone.
    pub fn pieces(&self) -> usize {
        either!(self, layer => layer.pieces())
    }

    /// The gradient `g = xᵀ · dz` and the optimiser's step against it, for one piece of the weights.
    ///
    /// Shapes: `x [rows, in]`, `dz [rows, out]`. Overwrites the piece.
    ///
    /// # Safety
    /// Until the next barrier no other worker updates this piece, and none runs this layer forward or backward.
    pub unsafe fn update(&self, piece: usize, x: Rows, dz: Rows, step: &Step) {
        // SAFETY: passed on.
        either!(self, layer => unsafe { layer.update(piece, x, dz, step) });
    }

    /// The gradient `g = xᵀ · dz` of one piece, kept for [`Affine::apply`]; gives `Σ g²`.
    ///
    /// Shapes: `x [rows, in]`, `dz [rows, out]`.
    ///
    /// # Safety
    /// As [`Affine::update`].
    ///
    /// # Panics
    /// When no gradient is kept.
    pub unsafe fn keep_gradient(&self, piece: usize, x: Rows, dz: Rows) -> f64 {
        // SAFETY: passed on.
        either!(self, layer => unsafe { layer.keep_gradient(piece, x, dz) })
    }

    /// The optimiser's step against the gradient that was kept, for one piece.
    ///
    /// # Safety
    /// As [`Affine::update`].
    ///
    /// # Panics
    /// When no gradient is kept.
    pub unsafe fn apply(&self, piece: usize, step: &Step) {
        // SAFETY: passed on.
        either!(self, layer => unsafe { layer.apply(piece, step) });
    }

    /// In how many pieces the units are held to a norm: by the weights' shape alone.
    pub fn unit_pieces(&self) -> usize {
        either!(self, layer => layer.unit_pieces())
    }

    /// Scales the weights `w [in]` into each unit of a piece down to `‖w‖₂ ≤ most`, and lets their average follow.
    ///
    /// # Safety
    /// As [`Affine::update`], with pieces of units.
    pub unsafe fn limit_units(&self, piece: usize, most: f32, step: &Step) {
        // SAFETY: passed on.
        either!(self, layer => unsafe { layer.limit_units(piece, most, step) });
    }

    /// The weights, row-major.
    ///
    /// Shapes: `weight [in · out]`. Overwrites it.
    ///
    /// # Safety
    /// Until the next barrier no worker updates this layer.
    pub unsafe fn copy_weight(&self, weight: &mut [f32]) {
        // SAFETY: passed on.
        either!(self, layer => unsafe { layer.copy_weight(weight) });
    }

    /// A slot, row-major.
    ///
    /// Shapes: `to [in · out]`. Overwrites it.
    ///
    /// # Safety
    /// Until the next barrier no worker updates this layer.
    ///
    /// # Panics
    /// When there is no such slot.
    pub unsafe fn copy_slot(&self, slot: usize, to: &mut [f32]) {
        // SAFETY: passed on.
        either!(self, layer => unsafe { layer.copy_slot(slot, to) });
    }
}
