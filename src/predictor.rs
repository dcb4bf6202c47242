//! Predictions of a model for rows in memory or from a file.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::compute::parallel::Workers;
use crate::compute::{Engine, EngineChoice};
use crate::data::fit_sparsity::fit_density;
use crate::data::{Dataset, Preprocessing, Rows};
use crate::error::{Error, Refusal, Result};
use crate::model::Model;
use crate::nn::loss::arg_max;
use crate::nn::{Link, Network, Sparsity, Task};
use crate::train::{Evaluation, Evaluator};

/// Rows that are copied at a time, at most: what a prediction needs beside its result stays small.
const BLOCK: usize = 8192;

/// A model that is ready to predict: its network with the buffers and the workers it needs.
///
/// Predictions have the same bits for any number of workers. Make one predictor and use it for many calls, as making
/// it copies the weights.
///
/// ```
/// use perceptor::{Predictor, Workers};
/// # use perceptor::{Dataset, Splits, Targets, TrainConfig, train};
/// use perceptor::ndarray::arr2;
/// # let x = arr2(&[[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.9, 0.1]]);
/// # let y = perceptor::ndarray::arr1(&[0u8, 1, 0, 1]);
/// # let workers = Workers::new(Workers::available())?;
/// # let data = Dataset::from_rows(x.view(), Targets::classes(y.view(), 2)?)?;
/// # let config = TrainConfig { hidden: vec![4], epochs: 50, ..TrainConfig::default() };
/// # let model = train(&config, &Splits::new(data, None, None)?, &workers, &mut |_| {})?.model;
///
/// let mut predictor = Predictor::new(&model, &workers)?;
/// let x = arr2(&[[0.1, 0.8], [0.7, 0.2], [0.0, 1.0]]);
/// let probabilities = predictor.predict(x.view())?;
/// assert_eq!(probabilities.dim(), (3, 2));
/// assert_eq!(predictor.classes(x.view())?.len(), 3);
/// assert_eq!(predictor.hidden_outputs(x.view())?[0].dim(), (3, 4));
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug)]
pub struct Predictor<'w> {
    workers: &'w Workers,
    model: Model,
    engine: Engine,
    network: Network,
    evaluator: Evaluator,
    /// Whether some rows have decided if the first layer skips zeros.
    is_fitted: bool,
}

impl<'w> Predictor<'w> {
    /// Prepares `model` to predict with `workers`, by the engine that [`EngineChoice::Auto`] selects.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system refuses memory, and [`Error::Blas`] if OpenBLAS cannot be held to one
    /// thread per call.
    pub fn new(model: &Model, workers: &'w Workers) -> Result<Predictor<'w>> {
        Predictor::with_engine(model, EngineChoice::Auto.resolve()?, workers)
    }

    /// Prepares `model` to predict with `workers` by `engine`.
    ///
    /// # Errors
    /// Returns the errors of [`Predictor::new`], and [`Error::Config`] if the engine is not available.
    pub fn with_engine(
        model: &Model,
        engine: Engine,
        workers: &'w Workers,
    ) -> Result<Predictor<'w>> {
        engine.check()?;
        let (network, evaluator) = prepared(model, model.preprocessing(), engine, workers)?;
        Ok(Predictor {
            workers,
            model: model.clone(),
            engine,
            network,
            evaluator,
            is_fitted: false,
        })
    }

    /// Lets the first layer skip zeros from now on if these are the first rows, and many of their elements are zero. No
    /// bit of a finite prediction depends on it: if an offset makes zeros another number, nothing is skipped.
    fn fit(&mut self, rows: &Rows) -> Result<()> {
        let mut preprocessing = self.model.preprocessing();
        let keeps_zeros = preprocessing.scaling.keeps_zeros();
        if self.is_fitted || rows.is_empty() || !keeps_zeros || self.engine != Engine::Native {
            return Ok(());
        }
        self.is_fitted = true;
        if let Some(density) = fit_density(rows) {
            let offset = 0.0;
            let sparsity = Some(Sparsity {
                density,
                offset,
                bytes: None,
            });
            preprocessing.columns = preprocessing.columns.with_sparsity(sparsity);
            (self.network, self.evaluator) =
                prepared(&self.model, preprocessing, self.engine, self.workers)?;
        }
        Ok(())
    }

    /// Predicts for each row of `x`: the probability of each class or label, or the values of a regression.
    ///
    /// Shapes: `x [rows, features]`, returns `[rows, outputs]`.
    ///
    /// # Errors
    /// Returns [`Error::Model`] if `x` has another number of features than the model has inputs, [`Error::Data`] if an
    /// element is NaN or infinite, and [`Error::Memory`] if the system refuses memory.
    pub fn predict(&mut self, x: ArrayView2<f32>) -> Result<Array2<f32>> {
        let outputs = self.model.spec.outputs();
        let mut predictions = Array2::zeros((x.nrows(), outputs));
        for (x, mut out) in x
            .axis_chunks_iter(Axis(0), BLOCK)
            .zip(predictions.axis_chunks_iter_mut(Axis(0), BLOCK))
        {
            let rows = self.rows(x)?;
            out.assign(&self.predict_rows(&rows, 0..rows.len())?);
        }
        Ok(predictions)
    }

    /// Predicts the most probable class of each row of `x`.
    ///
    /// Shapes: `x [rows, features]`, returns `[rows]`.
    ///
    /// # Errors
    /// Returns the errors of [`Predictor::predict`], and [`Error::Model`] if the model is not one of classification.
    pub fn classes(&mut self, x: ArrayView2<f32>) -> Result<Array1<usize>> {
        let task = self.model.spec.task();
        if task != Task::Classification {
            let found = format!("a model of {}", task.name());
            let refusal = Refusal::new("model", found, "a model of classification");
            return Err(Error::Model(refusal));
        }
        let probabilities = self.predict(x)?;
        let rows = probabilities.rows().into_iter();
        Ok(rows
            .map(|row| arg_max(row.to_slice().expect("rows of a new array are contiguous")))
            .collect())
    }

    /// Computes the outputs of each hidden layer for each row of `x`.
    ///
    /// Shapes: `x [rows, features]`, returns `[rows, width]` for each hidden layer.
    ///
    /// # Errors
    /// Returns the errors of [`Predictor::predict`].
    pub fn hidden_outputs(&mut self, x: ArrayView2<f32>) -> Result<Vec<Array2<f32>>> {
        let layers = self.model.spec.layers();
        let hidden = layers[..layers.len() - 1].iter();
        let widths: Vec<usize> = hidden.map(|layer| layer.fan_out).collect();
        let zeros = |&width: &usize| Array2::zeros((x.nrows(), width));
        let mut outputs: Vec<Array2<f32>> = widths.iter().map(zeros).collect();
        for (block, x) in x.axis_chunks_iter(Axis(0), BLOCK).enumerate() {
            let rows = self.rows(x)?;
            let (workers, network, range) = (self.workers, &self.network, 0..rows.len());
            let of_block = self
                .evaluator
                .hidden_outputs(workers, network, &rows, range)?;
            let start = block * BLOCK;
            for ((out, values), &width) in outputs.iter_mut().zip(of_block).zip(&widths) {
                let values = shaped(values, rows.len(), width);
                out.slice_mut(s![start..start + rows.len(), ..])
                    .assign(&values);
            }
        }
        Ok(outputs)
    }

    /// Predicts for the rows `range` of `rows`, which [`Model::check_inputs`] has accepted.
    ///
    /// Shapes: returns `[range, outputs]`.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system refuses memory.
    ///
    /// # Panics
    /// Panics if `range` is out of bounds or the rows have another number of features.
    #[doc(hidden)]
    pub fn predict_rows(&mut self, rows: &Rows, range: Range<usize>) -> Result<Array2<f32>> {
        let count = range.len();
        self.fit(rows)?;
        let values = self
            .evaluator
            .predict(self.workers, &self.network, rows, range)?;
        Ok(shaped(values, count, self.model.spec.outputs()))
    }

    /// Measures the model on `data`: its loss, its scores, and the predictions they are computed from.
    ///
    /// # Errors
    /// Returns [`Error::Model`] if the rows or targets of `data` do not fit the model, [`Error::Data`] if an element is
    /// NaN or infinite, and [`Error::Memory`] if the system refuses memory.
    pub fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation> {
        self.model.check_inputs(data.rows())?;
        let spec = &self.model.spec;
        if (data.task(), data.outputs()) != (spec.task(), spec.outputs()) {
            let found = format!("{} outputs of {}", data.outputs(), data.task().name());
            let expected = format!(
                "{} outputs of {}, as the model has",
                spec.outputs(),
                spec.task().name()
            );
            return Err(Error::Model(Refusal::new(
                data.rows().name(),
                found,
                expected,
            )));
        }
        if spec.link() == Link::Log {
            data.targets().check_counts(data.rows().name())?;
        }
        self.fit(data.rows())?;
        self.evaluator.evaluate(self.workers, &self.network, data)
    }

    /// Copies and checks the rows of `x`.
    fn rows(&self, x: ArrayView2<f32>) -> Result<Rows> {
        let rows = Rows::from_array(x)?;
        self.model.check_inputs(&rows)?;
        Ok(rows)
    }
}

/// The network of a model, and what evaluates it.
fn prepared(
    model: &Model,
    preprocessing: Preprocessing,
    engine: Engine,
    workers: &Workers,
) -> Result<(Network, Evaluator)> {
    let (spec, columns) = (&model.spec, &preprocessing.columns);
    let network = Network::for_inference(spec, &model.parameters, columns, engine)?;
    let mut evaluator = Evaluator::new(spec, preprocessing, workers)?;
    evaluator.set_loss(model.loss());
    evaluator.set_target_scaling(model.target_scaling.clone());
    Ok((network, evaluator))
}

/// Returns `values` as an array of this shape.
fn shaped(values: Vec<f32>, rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_vec((rows, columns), values).expect("as many values as the shape has")
}
