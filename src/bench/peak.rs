//! The highest rate of floating point operations of the cores: fused multiply-adds that never leave the registers.
//!
//! Independent chains `x = x · a + b` run in the widest registers of the processor, enough of them to hide the
//! latency. No product of real data exceeds this rate, so other rates are given as a share of it. `products` measures
//! what the products of a network reach.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::statistics::Summary;
use crate::compute::parallel::{Member, Workers};
#[cfg(target_arch = "x86_64")]
use crate::compute::{Avx2, Avx512};

/// The number of samples of the rate.
const SAMPLES: usize = 10;
/// Floats in a register of the portable loop, as in the narrowest vector units in use.
const PORTABLE_LANES: usize = 4;
/// The factor of `x = x · a + b`, which tends to 1, far from overflow and denormal numbers.
const FACTOR: f32 = 0.75;
/// The term of the same.
const TERM: f32 = 0.25;

/// The registers that the loop uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// Fused multiply-adds of AVX-512F, 16 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// Fused multiply-adds of AVX2 with FMA, 8 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// Plain arithmetic, compiled for any processor of this architecture.
    Portable,
}

impl Instructions {
    /// Detects the widest registers of this processor.
    pub fn detect() -> Instructions {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(set) = Avx512::detect() {
                return Instructions::Avx512(set);
            }
            if let Some(set) = Avx2::detect() {
                return Instructions::Avx2(set);
            }
        }
        Instructions::Portable
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(_) => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(_) => "AVX2 with FMA",
            Instructions::Portable => "portable",
        }
    }

    /// Floating point operations of one round of the loop; a multiply-add is two.
    fn flops_a_round(self) -> f64 {
        let (chains, lanes) = match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(_) => (16, 16),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(_) => (12, 8),
            Instructions::Portable => (12, PORTABLE_LANES),
        };
        (2 * chains * lanes) as f64
    }

    /// Runs `rounds` rounds of the loop. The result only keeps the compiler from removing it.
    fn run(self, rounds: usize) -> f32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the `Avx512` in this value proves that the processor has AVX-512F.
            Instructions::Avx512(_) => unsafe { x86::avx512(rounds) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the `Avx2` in this value proves that the processor has AVX2 and FMA.
            Instructions::Avx2(_) => unsafe { x86::avx2(rounds) },
            Instructions::Portable => portable(rounds),
        }
    }
}

/// The peak rate of some threads together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// The number of threads.
    pub threads: usize,
    /// The best sample, in 10⁹ operations per second. It is the best and not the median, because a peak is what the
    /// cores can do, and every disturbance makes a sample smaller.
    pub gflops: f64,
    /// Every sample, in 10⁹ operations per second of all threads together.
    pub samples: Vec<f64>,
}

/// Measures the rate of all `workers` at once, ten times for about `seconds` each.
pub fn measure(workers: &Workers, instructions: Instructions, seconds: f64) -> Peak {
    let rounds = rounds_for(instructions, seconds);
    let elapsed = Mutex::new(Vec::with_capacity(SAMPLES));
    workers.team(|member: Member| {
        // The first sample does not count: it wakes the threads and lets clock rates settle.
        for sample in 0..=SAMPLES {
            member.wait();
            let start = Instant::now();
            black_box(instructions.run(rounds));
            member.wait();
            if member.leads() && sample > 0 {
                let mut elapsed = elapsed.lock().unwrap_or_else(PoisonError::into_inner);
                elapsed.push(start.elapsed().as_secs_f64());
            }
        }
    });
    let operations = (workers.threads() * rounds) as f64 * instructions.flops_a_round();
    let elapsed = elapsed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let samples: Vec<f64> = elapsed.iter().map(|s| operations / s / 1e9).collect();
    Peak {
        threads: workers.threads(),
        gflops: Summary::of(&samples).max,
        samples,
    }
}

/// The number of rounds that take about `seconds` on one core.
fn rounds_for(instructions: Instructions, seconds: f64) -> usize {
    let mut rounds = 1024;
    loop {
        let start = Instant::now();
        black_box(instructions.run(rounds));
        let elapsed = start.elapsed().as_secs_f64();
        if elapsed >= seconds / 2.0 {
            return ((rounds as f64 * seconds / elapsed) as usize).max(1);
        }
        rounds *= 2;
    }
}

/// Twelve chains of four lanes: fused if every processor of the architecture can do that, else a product and a sum.
fn portable(rounds: usize) -> f32 {
    let (factor, term) = (black_box(FACTOR), black_box(TERM));
    let mut chains = black_box([[2.0f32; PORTABLE_LANES]; 12]);
    for _ in 0..rounds {
        for chain in &mut chains {
            for x in chain {
                *x = if cfg!(target_arch = "aarch64") {
                    x.mul_add(factor, term)
                } else {
                    *x * factor + term
                };
            }
        }
    }
    // Through memory, because the compiler would otherwise spread a chain over registers to suit this sum.
    let chains = black_box(chains);
    chains.as_flattened().iter().sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The loop in registers of the processor. The compiler checks everything except that the instruction set is
    //! available.

    use std::arch::x86_64::{
        _mm256_add_ps, _mm256_cvtss_f32, _mm256_fmadd_ps, _mm256_set1_ps, _mm512_add_ps,
        _mm512_cvtss_f32, _mm512_fmadd_ps, _mm512_set1_ps,
    };
    use std::hint::black_box;

    use super::{FACTOR, TERM};

    /// Sixteen chains of 16 lanes: 18 of 32 registers, with factor and term.
    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(rounds: usize) -> f32 {
        let (factor, term) = (
            _mm512_set1_ps(black_box(FACTOR)),
            _mm512_set1_ps(black_box(TERM)),
        );
        // The compiler must not know that the chains start equal, or it would keep only one.
        let mut chains = black_box([2.0f32; 16]).map(|x| _mm512_set1_ps(x));
        for _ in 0..rounds {
            for chain in &mut chains {
                *chain = _mm512_fmadd_ps(*chain, factor, term);
            }
        }
        let [first, others @ ..] = chains;
        let sum = others.iter().fold(first, |sum, &x| _mm512_add_ps(sum, x));
        _mm512_cvtss_f32(sum)
    }

    /// Twelve chains of 8 lanes: 14 of 16 registers, with factor and term.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(rounds: usize) -> f32 {
        let (factor, term) = (
            _mm256_set1_ps(black_box(FACTOR)),
            _mm256_set1_ps(black_box(TERM)),
        );
        let mut chains = black_box([2.0f32; 12]).map(|x| _mm256_set1_ps(x));
        for _ in 0..rounds {
            for chain in &mut chains {
                *chain = _mm256_fmadd_ps(*chain, factor, term);
            }
        }
        let [first, others @ ..] = chains;
        let sum = others.iter().fold(first, |sum, &x| _mm256_add_ps(sum, x));
        _mm256_cvtss_f32(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of registers that this processor has.
    fn all() -> Vec<Instructions> {
        let mut all = vec![Instructions::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx2::detect().map(Instructions::Avx2));
            all.extend(Avx512::detect().map(Instructions::Avx512));
        }
        all
    }

    #[test]
    fn every_loop_does_its_rounds() {
        for instructions in all() {
            // All chains start at 2; a round brings each to 2 · 0.75 + 0.25 = 1.75, two to 1.5625.
            let chains = match instructions {
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx512(_) => 16.0,
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx2(_) => 12.0,
                Instructions::Portable => 48.0,
            };
            for (rounds, each) in [(0, 2.0), (1, 1.75), (2, 1.5625)] {
                assert_eq!(
                    instructions.run(rounds),
                    chains * each,
                    "{instructions:?} {rounds}"
                );
            }
        }
    }
}
