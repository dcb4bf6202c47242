//! How a gradient moves the parameters.

use multiversion::multiversion;

use crate::compute::kernels::flush;

/// Stochastic gradient descent with momentum: `v = μ v + g`, `w = w − η v`
/// (B. Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964, in the form
/// PyTorch uses, where the learning rate stands outside the velocity).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// The learning rate η.
    pub learning_rate: f32,
    /// The momentum μ; 0 is plain gradient descent.
    pub momentum: f32,
}

impl Sgd {
    /// `w = w − η v`, once the velocity is up to date. Denormal velocities become 0 first.
    ///
    /// Shapes: both `[n]`. Overwrites both.
    pub fn step(self, parameters: &mut [f32], velocity: &mut [f32]) {
        descend(self.learning_rate, parameters, velocity);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn descend(learning_rate: f32, parameters: &mut [f32], velocity: &mut [f32]) {
    for (w, v) in parameters.iter_mut().zip(velocity) {
        *v = flush(*v);
        *w -= learning_rate * *v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_goes_against_the_velocity() {
        let sgd = Sgd {
            learning_rate: 0.5,
            momentum: 0.9,
        };
        let mut parameters = [1.0, 2.0];
        let mut velocity = [2.0, -4.0];
        sgd.step(&mut parameters, &mut velocity);
        assert_eq!((parameters, velocity), ([0.0, 4.0], [2.0, -4.0]));
    }
}
