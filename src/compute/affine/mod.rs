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

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::blas::{self, Blas};
use super::gemm::Library;
use super::shared::{Rows, RowsMut, SharedBuffer};
#[cfg(target_arch = "x86_64")]
use super::tile::InstructionSet;
use crate::error::{Error, Refusal, Result};
use crate::optim::{Rule, Slots, Step};
use gemm_layer::GemmLayer;
#[cfg(target_arch = "x86_64")]
use native_layer::NativeLayer;

/// Who computes the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Our own micro-kernels where the processor has AVX-512 or AVX2 with FMA, else OpenBLAS where it is linked
    /// in, else portable.
    #[default]
    Auto,
    /// `sgemm` of the linked OpenBLAS.
    Openblas,
    /// Our own micro-kernels over weights that stay packed.
    Native,
    /// The matrixmultiply crate: Rust alone, on any processor.
    Portable,
}

impl Engine {
    /// Every choice.
    pub const ALL: [Engine; 4] = [
        Engine::Auto,
        Engine::Openblas,
        Engine::Native,
        Engine::Portable,
    ];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Auto => "auto",
            Engine::Openblas => "openblas",
            Engine::Native => "native",
            Engine::Portable => "portable",
        }
    }

    /// The engine that this choice comes to on this machine; never [`Engine::Auto`].
    ///
    /// # Errors
    /// [`Error::Config`] for an engine that this build or this processor does not have, [`Error::Blas`] when
    /// OpenBLAS does not keep to one thread a call.
    pub fn resolve(self) -> Result<Engine> {
        let refuse = |found: &str, expected: &str| {
            Err(Error::Config(
                Refusal::new("--engine", format!("{} {found}", self.name()), expected)
                    .hint("leave --engine out, or give --engine portable"),
            ))
        };
        match self {
            Engine::Auto if native_name().is_some() => Ok(Engine::Native),
            Engine::Auto if has_openblas() => Engine::Openblas.resolve(),
            Engine::Auto => Ok(Engine::Portable),
            Engine::Native if native_name().is_none() => {
                refuse("on a processor without it", "AVX-512, or AVX2 with FMA")
            }
            Engine::Openblas if !has_openblas() => refuse(
                "in a build without it",
                "a build with --features openblas or openblas-static",
            ),
            Engine::Openblas => {
                // Workers share the batch out; calls that thread by themselves would be in their way.
                blas::single_threaded()?;
                Ok(Engine::Openblas)
            }
            engine => Ok(engine),
        }
    }

    /// The engine with what it runs on, for banners and records: `native AVX-512`.
    pub fn describe(self, blas: &Blas) -> String {
        match self {
            Engine::Native => format!("native {}", native_name().unwrap_or("kernels")),
            Engine::Openblas => format!("{} {} {}", blas.library, blas.version, blas.kernel),
            Engine::Auto => self.name().to_owned(),
            Engine::Portable => {
                // Its kernels differ in bits.
                format!(
                    "portable matrixmultiply {} {}",
                    env!("PERCEPTOR_MATRIXMULTIPLY"),
                    blas::matrixmultiply_kernel()
                )
            }
        }
    }
}

/// The instruction set that the native engine would use here.
fn native_name() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        InstructionSet::detect().map(InstructionSet::name)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        None
    }
}

fn has_openblas() -> bool {
    cfg!(any(feature = "openblas", feature = "openblas-static"))
}

/// What a layer keeps beside its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeps {
    /// Slots of the optimiser, as long as the weights each; the average is the last.
    pub slots: usize,
    /// Whether the last slot is an average, which begins as the weights and not as zeros.
    pub average: bool,
    /// Whether the gradient is kept for a second pass over all of it.
    pub gradient: bool,
    /// Whether the gradient is more than a velocity that is added to.
    pub scratch: bool,
}

impl Keeps {
    /// What `rule` needs.
    pub fn of(rule: &Rule) -> Keeps {
        Keeps {
            slots: rule.slots().len(),
            average: rule.average.is_some(),
            gradient: rule.clip_norm.is_some(),
            scratch: rule.plain_momentum().is_none(),
        }
    }
}

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

/// The factor that takes a unit whose squared norm is `square` to a norm of at most `most`; a unit that is no number
/// stays as it is, and one whose square is beyond all numbers becomes none.
fn shrinking(square: f32, most: f32) -> f32 {
    let norm = square.sqrt();
    match norm > most {
        true if norm.is_infinite() => f32::NAN,
        true => most / norm,
        false => 1.0,
    }
}

/// The same `range` of each slot, to write; empty where there is none.
///
/// # Safety
/// As [`SharedBuffer::write`].
pub(crate) unsafe fn write_slots(slots: &[SharedBuffer<f32>], range: Range<usize>) -> Slots<'_> {
    let mut out: Slots = [&mut [], &mut [], &mut []];
    for (out, slot) in out.iter_mut().zip(slots) {
        // SAFETY: the caller's promise.
        *out = unsafe { slot.write(range.clone()) };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_whose_norm_is_beyond_all_numbers_shows_and_is_not_emptied() {
        assert_eq!(shrinking(9.0, 6.0), 1.0);
        assert_eq!(shrinking(9.0, 1.5), 0.5);
        assert_eq!(shrinking(f32::NAN, 1.5), 1.0);
        assert!(shrinking(f32::INFINITY, 1.5).is_nan());
    }
}
