//! How a gradient moves the parameters.

use multiversion::multiversion;

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
    /// `w = w − η v`, once the velocity is up to date.
    ///
    /// Shapes: both `[n]`. Overwrites `parameters`.
    pub fn step(self, parameters: &mut [f32], velocity: &[f32]) {
        descend(self.learning_rate, parameters, velocity);
    }

    /// `v = μ v + g` and `w = w − η v`.
    ///
    /// Shapes: all `[n]`. Overwrites `parameters` and `velocity`.
    pub fn update(self, parameters: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
        for (v, g) in velocity.iter_mut().zip(gradient) {
            *v = self.momentum * *v + g;
        }
        self.step(parameters, velocity);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn descend(learning_rate: f32, parameters: &mut [f32], velocity: &[f32]) {
    for (w, v) in parameters.iter_mut().zip(velocity) {
        *w -= learning_rate * v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velocity_gathers_gradients_and_decays() {
        let sgd = Sgd {
            learning_rate: 0.5,
            momentum: 0.5,
        };
        let (mut w, mut v) = ([1.0], [0.0]);
        // v: 2, then 0.5·2 + 4 = 5; w: 1 − 1 = 0, then 0 − 2.5.
        sgd.update(&mut w, &mut v, &[2.0]);
        assert_eq!((w, v), ([0.0], [2.0]));
        sgd.update(&mut w, &mut v, &[4.0]);
        assert_eq!((w, v), ([-2.5], [5.0]));
    }
}
