//! Proof of what a worker may read and write until the next barrier.
//!
//! The borrow checker does not know barriers, so it cannot see that workers write disjoint parts of shared buffers.
//! A training step is made of phases that are separated by barriers:
//!
//! - in a *row phase* each worker writes rows of its own, or some columns of them, and nobody writes parameters;
//! - in an *update phase* each worker writes pieces of the parameters of its own, and nobody writes rows.
//!
//! No barrier is needed between the two if what a worker updates, and what it reads for that, is used only by itself
//! until the next barrier. Then the phases are those of a share of the units.
//!
//! A worker creates a token of this module for what it takes in a phase. Creating it is `unsafe`, because the caller
//! promises that the token is the only one; everything that takes a token is safe. A token stays on its thread.

mod pieces;
mod rows;
mod share;

use std::marker::PhantomData;

pub use self::pieces::{OwnPiece, OwnUnits};
pub use self::rows::{OwnRows, OwnTurn, RowPhase};
pub use self::share::Share;

/// Makes a type that contains it stay on its thread.
type OnThisThread = PhantomData<*mut ()>;
