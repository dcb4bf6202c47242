//! The instruction sets that the kernels are compiled for.

use crate::compute::simd::{Avx2, Avx512, F32x8, F32x16, Vector};

/// An instruction set that the kernels are compiled for and that this processor has, with the shape of its tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// 16 lanes, 32 registers: tiles of 8 rows by 3 registers. With 2 registers across, loading the single elements of
    /// `a` would take as long as their products.
    Avx512(Avx512),
    /// 8 lanes, 16 registers: tiles of 4 rows by 3 registers.
    Avx2(Avx2),
}

impl InstructionSet {
    /// The widest set that this processor has.
    pub fn detect() -> Option<InstructionSet> {
        let avx2 = || Avx2::detect().map(InstructionSet::Avx2);
        Avx512::detect().map(InstructionSet::Avx512).or_else(avx2)
    }

    /// The name in banners and records.
    pub fn name(self) -> &'static str {
        match self {
            InstructionSet::Avx512(_) => "AVX-512",
            InstructionSet::Avx2(_) => "AVX2",
        }
    }

    /// Lanes of a register.
    pub(in crate::compute) fn lanes(self) -> usize {
        match self {
            InstructionSet::Avx512(_) => F32x16::LANES,
            InstructionSet::Avx2(_) => F32x8::LANES,
        }
    }

    /// Registers across a full tile.
    pub(in crate::compute) fn tile_registers(self) -> usize {
        match self {
            InstructionSet::Avx512(_) | InstructionSet::Avx2(_) => 3,
        }
    }
}

#[cfg(test)]
impl InstructionSet {
    /// Rows of a full tile.
    pub(in crate::compute) fn tile_rows(self) -> usize {
        match self {
            InstructionSet::Avx512(_) => 8,
            InstructionSet::Avx2(_) => 4,
        }
    }

    /// Every set that this processor has, the widest first.
    pub(in crate::compute) fn all_detected() -> Vec<InstructionSet> {
        let avx512 = Avx512::detect().map(InstructionSet::Avx512);
        let avx2 = Avx2::detect().map(InstructionSet::Avx2);
        avx512.into_iter().chain(avx2).collect()
    }
}
