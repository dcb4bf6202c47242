//! Sums of squares and products with factors, for limits on norms.

use multiversion::multiversion;

/// `Σ x²`, in sixteen partial sums that are added in `f64`, so that every instruction set gives the same bits.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn sum_of_squares(numbers: &[f32]) -> f64 {
    let mut sums = [0.0f32; 16];
    let (whole, rest) = numbers.as_chunks::<16>();
    for chunk in whole {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += x * x;
    }
    sums.iter().copied().map(f64::from).sum()
}

/// `sᵢ = sᵢ + xᵢ²` for each number.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn add_squares(sums: &mut [f32], numbers: &[f32]) {
    for (sum, x) in sums.iter_mut().zip(numbers) {
        *sum += x * x;
    }
}

/// `xᵢ = xᵢ fᵢ` for each number.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn multiply_by(numbers: &mut [f32], factors: &[f32]) {
    for (x, factor) in numbers.iter_mut().zip(factors) {
        *x *= factor;
    }
}

/// `sⱼ = sⱼ + Σ_r x_rj`, where rows start `stride` numbers apart, each sum in the order of the rows.
///
/// Shapes: `sums [columns]`, `rows [rows, stride]`, whose last row may end behind the columns.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub fn add_rows(sums: &mut [f32], rows: &[f32], stride: usize) {
    let (wide, rest) = sums.as_chunks_mut::<64>();
    let from = 64 * wide.len();
    for (at, sums) in wide.iter_mut().enumerate() {
        add_columns(sums, &rows[64 * at..], stride);
    }
    let (narrow, rest) = rest.as_chunks_mut::<16>();
    for (at, sums) in narrow.iter_mut().enumerate() {
        add_columns(sums, &rows[from + 16 * at..], stride);
    }
    let from = from + 16 * narrow.len();
    for (at, sum) in rest.iter_mut().enumerate() {
        for row in rows[from + at..].chunks(stride) {
            *sum += row[0];
        }
    }
}

/// Adds the first columns of `rows`, in registers.
#[inline(always)]
fn add_columns<const COLUMNS: usize>(sums: &mut [f32; COLUMNS], rows: &[f32], stride: usize) {
    let mut own = *sums;
    for row in rows.chunks(stride) {
        let (row, _) = row
            .split_first_chunk::<COLUMNS>()
            .expect("all columns of a row");
        for (sum, x) in own.iter_mut().zip(row) {
            *sum += x;
        }
    }
    *sums = own;
}
