//! A build without OpenBLAS.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::failure::Failure;
use crate::compute::blas::Blas;
use crate::error::Refusal;
use crate::message::{Key, message};

/// OpenBLAS, of which this build has none.
#[derive(Debug)]
pub enum OpenBlas {}

impl OpenBlas {
    pub(in crate::compute) fn load() -> Result<OpenBlas, Failure> {
        let found = "no OpenBLAS in this build";
        let expected = "a build with the feature openblas or openblas-static";
        let hint = message!["give ", Key("engine").set_to("portable")];
        let refusal = Refusal::new("openblas", found, expected);
        Err(Failure::Library(refusal.hint(hint)))
    }

    /// Describes the library.
    pub fn facts(&self) -> &Blas {
        match *self {}
    }

    pub(in crate::compute) fn multiply(
        &self,
        _: ArrayView2<f32>,
        _: ArrayView2<f32>,
        _: f32,
        _: ArrayViewMut2<f32>,
    ) {
        match *self {}
    }
}

pub fn identity() -> String {
    "none".to_owned()
}
