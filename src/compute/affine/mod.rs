//! An affine layer's weights in the layout of an engine, with the three products of training.
//!
//! This is the narrow interface between the network and the engines. `z = x · w` and `dx = dz · wᵀ` are computed for
//! blocks of rows, one worker each; `w` is updated from `xᵀ · dz` in pieces of `w`, one worker each. So no gradient is
//! summed over workers: the product itself is the reduction.

mod gemm_layer;
mod input;
#[cfg(target_arch = "x86_64")]
mod native_layer;
mod options;
#[cfg(target_arch = "x86_64")]
mod panels;
mod slots;
#[cfg(target_arch = "x86_64")]
mod sparse_layer;

use super::Engine;
use super::gemm::Library;
use super::phases::{OwnPiece, OwnUnits, RowPhase, Share};
use super::shared::{AtomicF64, BlockMut, Rows};
#[cfg(target_arch = "x86_64")]
use super::tile::InstructionSet;
use crate::error::Result;
use crate::optim::Step;
use gemm_layer::GemmLayer;
pub use input::{Bits, Input};
#[cfg(target_arch = "x86_64")]
use native_layer::NativeLayer;
pub use options::{AffineOptions, LONG_BATCH};
pub use slots::Keeps;
pub(crate) use slots::write_slots;

/// The weights of one layer with the optimiser's slots, `[in, out]` in the order that the engine uses.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a network has few layers")]
pub enum Affine {
    /// Row-major, for a matrix library.
    Gemm(GemmLayer),
    /// In panels, for the micro-kernels.
    #[cfg(target_arch = "x86_64")]
    Native(NativeLayer),
}

/// Evaluates the same expression for either kind of layer.
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
    /// A layer with the row-major weights `weight [in, out]` and slots in their initial state.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] if the engine is not available, and [`crate::Error::Memory`] if the system
    /// does not grant the memory.
    ///
    /// # Panics
    /// Panics if `weight` has another length, or if another engine than the native one is to skip zeros or to divide
    /// units.
    pub fn new(
        engine: Engine,
        weight: &[f32],
        (fan_in, fan_out): (usize, usize),
        options: AffineOptions,
        keeps: Keeps,
    ) -> Result<Affine> {
        assert_eq!(
            weight.len(),
            fan_in * fan_out,
            "weights of {fan_in}×{fan_out}"
        );
        engine.check()?;
        match engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Native => {
                let set = InstructionSet::detect().expect("the engine was checked");
                NativeLayer::new(weight, (fan_in, fan_out), options, keeps, set).map(Affine::Native)
            }
            engine => {
                let whole = options.unit_groups == 1 && options.skips_zeros.is_none();
                assert!(whole, "{options:?} for {engine:?}");
                let library = match engine {
                    Engine::Openblas => Library::OpenBlas,
                    _ => Library::MatrixMultiply,
                };
                GemmLayer::new(weight, (fan_in, fan_out), keeps, library).map(Affine::Gemm)
            }
        }
    }

    /// `z = x · w` for a share of the units.
    ///
    /// Shapes: `x [rows, in]`, `z [rows, units of the share]`. Overwrites `z`.
    ///
    /// # Panics
    /// Panics if the layer has other groups of units.
    pub fn forward(&self, x: Input, z: BlockMut, share: Share, phase: RowPhase) {
        either!(self, layer => layer.forward(x, z, share, phase));
    }

    /// `z = z + x · w` for the inputs that `x` has, as if the sum went on from `z`. If they are the first, `z` is
    /// overwritten.
    ///
    /// Shapes: `x [rows, some inputs]`, `z [rows, out]`.
    ///
    /// # Panics
    /// Panics if the engine is not the native one.
    pub fn add_forward(&self, x: Rows, z: BlockMut, phase: RowPhase) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Affine::Native(layer) => layer.add_forward(x, z, phase),
            Affine::Gemm(_) => panic!("a library with some of the inputs"),
        }
    }

    /// `dx = dz · wᵀ` for a share of the inputs.
    ///
    /// Shapes: `dz [rows, out]`, `dx [rows, inputs of the share]`. Overwrites `dx`.
    ///
    /// # Panics
    /// Panics if the layer was created without `inputs_need_gradient`, or has other groups of inputs.
    pub fn backward(&self, dz: Rows, dx: BlockMut, share: Share, phase: RowPhase) {
        either!(self, layer => layer.backward(dz, dx, share, phase));
    }

    /// The number of pieces in which the weights are updated: some rows of them in one group of units each. All pieces
    /// of a group follow each other.
    pub fn pieces(&self) -> usize {
        either!(self, layer => layer.pieces())
    }

    /// The number of groups of units.
    pub fn groups(&self) -> usize {
        either!(self, layer => layer.groups())
    }

    /// The gradient `dw = xᵀ · dz` and the optimiser's step against it, for one piece of the weights.
    ///
    /// Shapes: `x [rows, in]`, `dz [rows, out]`. Overwrites the piece.
    ///
    /// # Panics
    /// Panics if the layer has no such piece.
    pub fn update(&self, piece: &OwnPiece, x: Input, dz: Rows, step: &Step) {
        either!(self, layer => layer.update(piece, x, dz, step));
    }

    /// Computes the gradient `dw = xᵀ · dz` of one piece and keeps it for [`Affine::apply`]. Writes its part of the
    /// terms of `Σ dw²`, which are the same ones for any groups of units, to `squares [squares]`.
    ///
    /// Shapes: `x [rows, in]`, `dz [rows, out]`.
    ///
    /// # Panics
    /// Panics if the layer keeps no gradient or has no such piece.
    pub fn keep_gradient(&self, piece: &OwnPiece, x: Input, dz: Rows, squares: &[AtomicF64]) {
        either!(self, layer => layer.keep_gradient(piece, x, dz, squares))
    }

    /// The number of terms of `Σ dw²`.
    pub fn squares(&self) -> usize {
        either!(self, layer => layer.squares())
    }

    /// The optimiser's step against the gradient that [`Affine::keep_gradient`] kept, for one piece.
    ///
    /// # Panics
    /// Panics if the layer keeps no gradient or has no such piece.
    pub fn apply(&self, piece: &OwnPiece, step: &Step) {
        either!(self, layer => layer.apply(piece, step));
    }

    /// The number of pieces in which the norm of the units is limited, which depends on the weights' shape only.
    pub fn unit_pieces(&self) -> usize {
        either!(self, layer => layer.unit_pieces())
    }

    /// Scales the weights `w [in]` into each unit of a piece down to `‖w‖₂ ≤ max`, then updates their average.
    ///
    /// # Panics
    /// Panics if the layer has no such piece.
    pub fn limit_units(&self, units: &OwnUnits, max: f32, step: &Step) {
        either!(self, layer => layer.limit_units(units, max, step));
    }

    /// Copies the weights in row-major order.
    ///
    /// Shapes: `to [in · out]`. Overwrites it.
    pub fn copy_weight(&mut self, to: &mut [f32]) {
        either!(self, layer => layer.copy_weight(to));
    }

    /// Copies a slot in row-major order.
    ///
    /// Shapes: `to [in · out]`. Overwrites it.
    ///
    /// # Panics
    /// Panics if there is no such slot.
    pub fn copy_slot(&mut self, slot: usize, to: &mut [f32]) {
        either!(self, layer => layer.copy_slot(slot, to));
    }

    /// Replaces a slot by a row-major one `[in · out]` from an earlier run.
    ///
    /// # Panics
    /// Panics if it has another length, or if there is no such slot.
    pub fn set_slot(&mut self, slot: usize, from: &[f32]) {
        either!(self, layer => layer.set_slot(slot, from));
    }
}
