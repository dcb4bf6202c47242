//! How a gradient moves the parameters: the optimiser, what is combined with it, and the learning rate.
//!
//! A [`Rule`] is valid for a whole run. [`Rule::at`] returns a [`Step`], the numbers of one step, which depend only on
//! its number in the run. [`Step::apply`] is the update itself, element by element, on the part of the parameters that
//! a worker has. Each [`Optimizer`] has its formula in a file of its own. The order is that of PyTorch: the mean
//! gradient is clipped, decay is added to it, the optimiser makes a step of it, units beyond the largest norm are
//! scaled down, and the moving average is updated.

pub mod optimizer;
mod rule;
mod step;

pub use optimizer::Optimizer;
pub use rule::{AVERAGE, Rule};
pub use step::{MAX_SLOTS, Slots, Step};
