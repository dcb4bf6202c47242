//! The inputs of a batch: scaled numbers, or the bytes of their file for a first layer that takes these.
//!
//! If workers divide layers by units, each group of units has a copy of the inputs of its own: every worker reads its
//! samples itself, which costs less than sending inputs from core to core.

use crate::compute::affine::{Bits, Input};
use crate::compute::elements::{ByteValues, Elements};
use crate::compute::nonzeros::{MAX_GROUP, Nonzeros};
use crate::compute::phases::{OwnPiece, OwnRows, RowPhase, Share};
use crate::compute::shared::{BlockMut, Matrix, Number, ROWS_APART, Rows, RowsMut};
use crate::error::Result;
use crate::nn::Columns;

/// The fewest rows whose nonzero inputs are found together.
pub(super) const MIN_GROUP: usize = 8;

/// The inputs of a batch, `[copies · rows of a copy, active columns]`.
#[derive(Debug)]
pub(super) struct Inputs {
    elements: Stored,
    /// Which inputs are not zero, if the first layer skips zeros.
    nonzeros: Option<Nonzeros>,
    /// Unfinished products of a first layer that skips zeros and is divided by units, `[rows, units]` in groups. A worker
    /// passes over them once for every 128 inputs. In a matrix of outputs that is not in groups, other workers have the
    /// next cache lines of a row, and the processors' prefetching would take lines from each other each time.
    products: Option<Matrix>,
    rows_of_copy: usize,
}

/// The elements of the inputs.
#[derive(Debug)]
enum Stored {
    Floats(Matrix),
    Bytes(Matrix<u8>, ByteValues),
}

/// The inputs of some rows, to write.
#[derive(Debug)]
pub enum InputsMut<'a> {
    /// Scaled inputs, `[rows, active columns]`.
    Floats(RowsMut<'a>),
    /// Bytes as they are stored, `[rows, features]`.
    Bytes(RowsMut<'a, u8>),
}

/// A matrix of zeros `[rows, units]`, in a group for each of `shares` shares of the units.
///
/// # Errors
/// Returns [`crate::Error::Memory`] if the system does not grant the memory.
pub(in crate::nn) fn in_groups((rows, units): (usize, usize), shares: usize) -> Result<Matrix> {
    let widths = (0..shares).map(|index| Share { index, of: shares }.columns(units).len());
    Matrix::zeroed_in_groups((rows, units), (shares, widths.max().unwrap_or(0)))
}

impl Inputs {
    /// Room for `copies` copies of `rows` rows in training, one for each share of the units of the first layer, of which
    /// the `outputs` are a matrix if it is a hidden one. Nonzero inputs are found for groups of so many rows.
    pub(super) fn for_training(
        columns: &Columns,
        (copies, rows): (usize, usize),
        group: usize,
        outputs: Option<&Matrix>,
    ) -> Result<Inputs> {
        let bytes = columns.sparsity().and_then(|of| of.bytes.clone());
        let mut inputs = Inputs::new(columns, (copies, rows), (group, true), bytes)?;
        let outputs = outputs.filter(|outputs| outputs.rows_of_group().is_none());
        if let (Some(outputs), Some(_), true) = (outputs, columns.sparsity(), copies > 1) {
            inputs.products = Some(in_groups((rows, outputs.width()), copies)?);
        }
        Ok(inputs)
    }

    /// Room for `rows` rows of inference, as floats.
    pub(super) fn for_inference(columns: &Columns, rows: usize) -> Result<Inputs> {
        Inputs::new(columns, (1, rows), (MIN_GROUP, false), None)
    }

    fn new(
        columns: &Columns,
        (copies, rows): (usize, usize),
        (group, gradients): (usize, bool),
        bytes: Option<ByteValues>,
    ) -> Result<Inputs> {
        let gap = if copies > 1 { ROWS_APART } else { 0 };
        let rows_of_copy = rows.next_multiple_of(MAX_GROUP) + gap;
        let width = columns.width();
        let shape = ((copies, rows_of_copy), width);
        let nonzeros = columns.sparsity();
        let nonzeros = nonzeros.map(|_| Nonzeros::zeroed(shape, group, gradients));
        let all = copies * rows_of_copy;
        Ok(Inputs {
            elements: match bytes {
                None => Stored::Floats(Matrix::zeroed(all, width)?),
                Some(values) => Stored::Bytes(Matrix::zeroed(all, width)?, values),
            },
            nonzeros: nonzeros.transpose()?,
            products: None,
            rows_of_copy,
        })
    }

    /// Rows of a copy.
    pub(super) fn rows_of_copy(&self) -> usize {
        self.rows_of_copy
    }

    /// Rows whose inputs are finished together; 1 if it does not matter.
    pub(super) fn group(&self) -> usize {
        self.nonzeros.as_ref().map_or(1, Nonzeros::group)
    }

    /// These rows in this worker's copy, to write.
    pub(super) fn rows_mut<'a>(&'a self, rows: &'a mut OwnRows) -> InputsMut<'a> {
        match &self.elements {
            Stored::Floats(x) => InputsMut::Floats(rows.own_copy_mut(x, self.rows_of_copy)),
            Stored::Bytes(x, _) => InputsMut::Bytes(rows.own_copy_mut(x, self.rows_of_copy)),
        }
    }

    /// Finds out which inputs of these rows are zero, if the first layer skips zeros.
    pub(super) fn finish(&self, rows: &mut OwnRows) {
        match (&self.nonzeros, &self.elements) {
            (None, _) => {}
            (Some(nonzeros), Stored::Floats(x)) => nonzeros.find(rows, x),
            (Some(nonzeros), Stored::Bytes(x, _)) => nonzeros.find(rows, x),
        }
    }

    /// These rows in this worker's copy for a forward product, and these rows of its result, to write.
    /// [`Inputs::finish_product`] completes it.
    pub(super) fn forward_product<'a>(
        &'a self,
        rows: &'a mut OwnRows,
        outputs: &'a Matrix,
    ) -> (Input<'a>, BlockMut<'a>, RowPhase<'a>) {
        let Some(nonzeros) = &self.nonzeros else {
            let (x, z, phase) = rows.product((self.floats(), Some(self.rows_of_copy)), outputs);
            return (x.into(), z, phase);
        };
        let words = nonzeros.words();
        let (elements, bits, z, phase) = match &self.elements {
            Stored::Floats(x) => {
                let (x, bits, z, phase) = self.sparse_product(rows, (x, words), outputs);
                (Elements::Floats(x), bits, z, phase)
            }
            Stored::Bytes(x, values) => {
                let (x, bits, z, phase) = self.sparse_product(rows, (x, words), outputs);
                (Elements::Bytes(x, values), bits, z, phase)
            }
        };
        (Input::Sparse(elements, Bits::ByRow(bits)), z, phase)
    }

    fn sparse_product<'a, T: Number>(
        &'a self,
        rows: &'a mut OwnRows,
        operand: (&'a Matrix<T>, &'a Matrix<u64>),
        outputs: &'a Matrix,
    ) -> (Rows<'a, T>, Rows<'a, u64>, BlockMut<'a>, RowPhase<'a>) {
        let products = self.products.as_ref().unwrap_or(outputs);
        rows.sparse_product(operand, self.rows_of_copy, products)
    }

    /// Brings the products of these rows to where outputs belong, if they are elsewhere.
    pub(super) fn finish_product(&self, rows: &mut OwnRows, outputs: &Matrix) {
        let Some(products) = &self.products else {
            return;
        };
        let ([from], [mut to], _) = rows.blocks([products], [outputs]);
        for row in 0..to.rows() {
            let to = to.row(row);
            to.copy_from_slice(&from.row_of_lines(row)[..to.len()]);
        }
    }

    /// The first `rows` rows of copy `copy`, for an update.
    pub(super) fn of_copy<'a>(
        &'a self,
        piece: &'a OwnPiece,
        copy: usize,
        rows: usize,
    ) -> Input<'a> {
        let first = copy * self.rows_of_copy;
        let range = first..first + rows;
        let Some(nonzeros) = &self.nonzeros else {
            return piece.rows(self.floats(), range).into();
        };
        let elements = match &self.elements {
            Stored::Floats(x) => Elements::Floats(piece.rows(x, range)),
            Stored::Bytes(x, values) => Elements::Bytes(piece.rows(x, range), values),
        };
        let bits = Bits::ByFeature(nonzeros.by_feature(piece, copy, rows));
        Input::Sparse(elements, bits)
    }

    fn floats(&self) -> &Matrix {
        match &self.elements {
            Stored::Floats(x) => x,
            Stored::Bytes(..) => unreachable!("bytes are only for layers that skip zeros"),
        }
    }
}
