//! How a run divides the work of a step.

use std::iter;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::compute::parallel::{Division, Workers};
use crate::error::Result;

/// The form of a team of workers. It decides how fast a step is, and none of its bits.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use perceptor::train::TeamShape;
///
/// let cores = NonZeroUsize::new(12).expect("not zero");
/// let threads = |shape: &TeamShape| shape.threads.get();
/// let counts: Vec<usize> = TeamShape::candidates(cores).iter().map(threads).collect();
/// assert_eq!(counts, [1, 2, 2, 3, 3, 4, 4, 8, 8, 12, 12]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamShape {
    /// The number of workers.
    pub threads: NonZeroUsize,
    /// How they divide wide layers.
    pub division: Division,
}

impl TeamShape {
    /// The shape that suits most networks with this number of workers.
    pub fn of(threads: NonZeroUsize) -> TeamShape {
        TeamShape {
            threads,
            division: Division::default(),
        }
    }

    /// The shapes worth measuring on a machine with this number of cores, the smallest first: every number of workers
    /// up to 4, then doubled, then one for each core, and from two on both divisions.
    pub fn candidates(cores: NonZeroUsize) -> Vec<TeamShape> {
        let doubled = iter::successors(Some(8), |threads: &usize| threads.checked_mul(2));
        let threads = (1..=4).chain(doubled);
        let threads = threads.take_while(|&threads| threads < cores.get());
        let threads = threads.filter_map(NonZeroUsize::new).chain([cores]);
        let shapes = threads
            .flat_map(|threads| Division::ALL.map(|division| TeamShape { threads, division }));
        // A single worker divides nothing.
        let one = |shape: &TeamShape| shape.threads.get() == 1;
        shapes
            .filter(|shape| !one(shape) || *shape == TeamShape::of(shape.threads))
            .collect()
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// Returns the errors of [`Workers::new`].
    pub fn workers(self) -> Result<Workers> {
        Ok(Workers::new(self.threads)?.dividing_by(self.division))
    }
}
