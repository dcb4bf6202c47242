//! Models and their files, which are safetensors that any tool can read.
//!
//! Layer l, counted from 0 at the inputs, has two `f32` tensors, `layers.l.weight [in, out]` and `layers.l.bias [out]`.
//! With batch normalisation hidden layers also have `layers.l.norm.weight`, `.running_mean` and `.running_var`, each
//! `[out]`. The metadata of the file have one key, `perceptor`, whose value is a JSON object: `format`, `layers` (the
//! widths from inputs to outputs), `task` unless it is classification, `link` (`log`) if the outputs of a regression are
//! logarithms, `activation`, `batch_norm` if there is any, `scaling` (`offset`, `factor`: numbers, or arrays with a number
//! for each input), `target_scaling` if the targets of a regression are standardised (`offset` and `factor`, a list of `f64`
//! each, `[out]`: a value is `output / factor + offset`), `class_names` if classes have names, `schema` if it was trained
//! on a table (see [`crate::table::schema`]), and `provenance`. There is one key, not several,
//! so that the same model always has the same bytes.

mod metadata;
mod provenance;
mod schema_check;

use std::borrow::Cow;
use std::path::Path;

use crate::data::files::{Opening, Pair};
use crate::data::fit_scaling::check_finite;
use crate::data::{
    ClassNames, DataMode, Dataset, KnownClasses, Note, Preprocessing, Rows, Scaling, TargetScaling,
};
use crate::durable;
use crate::error::{Error, Refusal, Result};
use crate::nn::loss::Loss;
use crate::nn::{Link, Spec, batch_norm};
use crate::table::Schema;
use crate::tensors::{self, Layout, TensorFile};

pub(crate) use self::metadata::{KIND, Metadata};
pub use self::provenance::{Origin, Provenance};

/// A trained network with everything needed to use it.
///
/// ```
/// use perceptor::{Model, TrainConfig, Workers, train};
/// # use perceptor::ndarray::{arr1, arr2};
/// # use perceptor::{Dataset, Splits, Targets};
/// # let x = arr2(&[[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.9, 0.1]]);
/// # let y = Targets::classes(arr1(&[0u8, 1, 0, 1]).view(), 2)?;
/// # let data = Splits::new(Dataset::from_rows(x.view(), y)?, None, None)?;
/// # let workers = Workers::new(Workers::available())?;
/// let model = train(&TrainConfig::default(), &data, &workers, &mut |_| {})?.model;
/// let folder = tempfile::tempdir().expect("a temporary folder");
/// let file = folder.path().join("model.safetensors");
/// model.save(&file)?;
/// assert_eq!(Model::load(&file)?, model);
/// # Ok::<(), perceptor::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The layer sizes, the activation and the task.
    pub spec: Spec,
    /// How elements become inputs.
    pub scaling: Scaling,
    /// How the targets that the network has learned are standardised; `None` if its outputs are the values themselves.
    pub target_scaling: Option<TargetScaling>,
    /// All parameters in one flat buffer, `[parameters]`.
    pub parameters: Vec<f32>,
    /// The class names, if they are known.
    pub class_names: Option<ClassNames>,
    /// How the rows of a table become inputs, and what is predicted; `None` if it was not trained on a table.
    pub schema: Option<Schema>,
    /// How the model was trained; `None` if another program trained it.
    pub provenance: Option<Provenance>,
}

impl Model {
    /// Writes the model to `path`, completely or not at all.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written; an earlier file at `path` is then unchanged.
    pub fn save(&self, path: &Path) -> Result<()> {
        let bytes = self.to_bytes();
        durable::write_atomically(path, |out| out.write_all(&bytes))
    }

    /// Writes the model as [`Model::save`] does, to a file that does not exist.
    ///
    /// # Errors
    /// Returns the errors of [`Model::save`], and [`Error::Io`] with [`std::io::ErrorKind::AlreadyExists`] if the file
    /// exists.
    pub fn save_new(&self, path: &Path) -> Result<()> {
        let bytes = self.to_bytes();
        durable::write_new(path, |out| out.write_all(&bytes))
    }

    /// Checks that this network takes `rows` as inputs.
    ///
    /// # Errors
    /// Returns [`Error::Model`] if the rows have another number of features, and [`Error::Data`] if a float is NaN or
    /// infinite.
    pub fn check_inputs(&self, rows: &Rows) -> Result<()> {
        let (found, inputs) = (rows.features(), self.spec.inputs());
        if found == inputs {
            return check_finite(rows);
        }
        Err(Error::Model(Refusal::new(
            rows.name(),
            format!("{found} features a row"),
            format!("{inputs}, the inputs of the model"),
        )))
    }

    /// Returns the same network without batch normalisation and with outputs in the targets' own units.
    ///
    /// Running statistics are folded into the weights and biases before them: `w' = w γ / √(var + ε)` and `b' = b − γ mean
    /// / √(var + ε)`. The scaling of targets is folded into the last layer: `w' = w / factor` and `b' = b / factor +
    /// offset`, each computed in `f64` and rounded once. Outputs that are logarithms stay so: `b' = b − ln factor`.
    ///
    /// # Panics
    /// Panics if the parameters do not belong to the spec.
    pub fn folded(&self) -> Cow<'_, Model> {
        if !self.spec.batch_norm() && self.target_scaling.is_none() {
            return Cow::Borrowed(self);
        }
        let spec = self.spec.clone().with_batch_norm(false);
        let spec = spec.expect("a network smaller than one that is there");
        let mut parameters = vec![0.0; spec.parameters()];
        for (from, to) in self.spec.layers().iter().zip(spec.layers()) {
            let (weight, bias) = to.split_mut(&mut parameters);
            let (own_weight, own_bias) = from.split(&self.parameters);
            weight.copy_from_slice(own_weight);
            bias.copy_from_slice(own_bias);
            if let Some(norm) = from.norm(&self.parameters) {
                batch_norm::fold(weight, bias, norm);
            }
        }
        if let (Some(scaling), Some(last)) = (&self.target_scaling, spec.layers().last()) {
            let (weight, bias) = last.split_mut(&mut parameters);
            match spec.link() {
                Link::Identity => scaling.fold(weight, bias),
                Link::Log => scaling.fold_logarithms(bias),
            }
        }
        Cow::Owned(Model {
            spec,
            scaling: self.scaling.clone(),
            target_scaling: None,
            parameters,
            class_names: self.class_names.clone(),
            schema: self.schema.clone(),
            provenance: self.provenance.clone(),
        })
    }

    /// Returns the loss that evaluation measures: the one it was trained with, without class weights and label smoothing,
    /// or the usual one of its task if that is unknown.
    pub fn loss(&self) -> Loss {
        let (task, link) = (self.spec.task(), self.spec.link());
        let trained = self.provenance.as_ref();
        let loss = trained.map(|provenance| provenance.config.task.plain_loss());
        let fitting = loss.filter(|loss| (loss.task(), loss.link()) == (task, link));
        fitting.unwrap_or_else(|| Loss::with_link(task, link))
    }

    /// Opens test files for this model. Classes are matched by their names if the model has names, and the files have some in
    /// their folder.
    ///
    /// # Errors
    /// Returns the errors of [`Model::check_inputs`] and [`Pair::open_like`].
    pub fn open_test(&self, files: &Pair) -> Result<Dataset> {
        let known = self.class_names.as_ref();
        let opening = Opening {
            task: self.spec.task(),
            classes: Some(self.spec.outputs()),
            known: known.map(|names| KnownClasses {
                names,
                owner: "the model",
            }),
            mode: DataMode::Map,
        };
        let set = files.open_like(&opening, &|rows| self.check_inputs(rows))?;
        match known {
            Some(names) => set.with_class_names(names.clone()),
            None => Ok(set),
        }
    }

    /// Returns a warning if the elements of `rows` are far from those of the training set of this model. Nothing is known of
    /// models of earlier versions and other programs.
    pub fn input_warning(&self, rows: &Rows) -> Option<Note> {
        let seen = self.provenance.as_ref()?.elements.as_ref()?;
        seen.warning(rows, "the training set of the model")
    }

    /// Returns the map from the rows of a data set to the inputs of this network.
    pub fn preprocessing(&self) -> Preprocessing {
        Preprocessing::of_all_columns(self.scaling.clone(), self.spec.inputs())
    }

    /// Encodes the model as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_safetensors(Layout::own(self.spec.layers().len()))
    }

    /// Encodes the model as a file with the tensors of `layout`.
    pub(crate) fn to_safetensors(&self, layout: Layout) -> Vec<u8> {
        let flats = [(&self.parameters[..], layout)];
        tensors::to_bytes(&self.spec, &flats, self.metadata())
    }

    /// Returns everything except the parameters, as JSON.
    pub(crate) fn metadata(&self) -> String {
        let metadata = Metadata {
            format: KIND.format,
            layers: self.spec.sizes(),
            task: self.spec.task(),
            link: self.spec.link(),
            activation: self.spec.activation(),
            batch_norm: self.spec.batch_norm(),
            scaling: self.scaling.clone(),
            target_scaling: self.target_scaling.clone(),
            class_names: self.class_names.clone(),
            schema: self.schema.clone(),
            provenance: self.provenance.clone(),
        };
        serde_json::to_string(&metadata).expect("plain data is always JSON")
    }

    /// Reads the model at `path`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, and [`Error::Model`] if it is not a model, is damaged, or comes
    /// from a later version.
    pub fn load(path: &Path) -> Result<Model> {
        Model::from_bytes(path, &tensors::read(path, "a model file")?)
    }

    /// Reads a model from the content of the file `path`.
    ///
    /// # Errors
    /// Returns [`Error::Model`] if it is not a model, is damaged, or comes from a later version.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Model> {
        let file = TensorFile::parse(&KIND, path, bytes)?;
        let mut metadata: Metadata = file.metadata()?;
        metadata.check(&file)?;
        let spec = file.spec(&metadata.layers, metadata.activation, metadata.batch_norm)?;
        let spec = spec.for_task(metadata.task).with_link(metadata.link);
        file.check_count(&spec, 1)?;
        Ok(Model {
            parameters: file.flat(&spec, &Layout::own(spec.layers().len()))?,
            spec,
            provenance: metadata.take_provenance(),
            scaling: metadata.scaling,
            target_scaling: metadata.target_scaling,
            class_names: metadata.class_names,
            schema: metadata.schema,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrainConfig;
    use crate::data::Scale;
    use crate::nn::Activation;
    use crate::scores::{Score, SetScores};
    use proptest::prelude::*;

    fn model() -> Model {
        let spec = Spec::new(3, &[2], 2, Activation::Tanh).expect("a spec");
        Model {
            parameters: (0..spec.parameters()).map(|i| i as f32 / 7.0).collect(),
            spec,
            scaling: Scaling::global(0.1, 1.0 / 255.0),
            target_scaling: None,
            class_names: None,
            schema: None,
            provenance: Some(Provenance {
                version: "0".to_owned(),
                revision: "0".to_owned(),
                engine: "none".to_owned(),
                config: TrainConfig::default(),
                train_items: 1,
                elements: None,
                init_from: None,
                best_epoch: Some(3),
                train_loss: 0.1 + 0.2,
                scores: SetScores {
                    validation: Some(Score {
                        accuracy: Some(2.0 / 3.0),
                        ..Score::of_loss(0.5)
                    }),
                    test: Some(Score::of_loss(1.0 / 3.0)),
                },
            }),
        }
    }

    fn refusal(bytes: &[u8]) -> String {
        let refused = Model::from_bytes(Path::new("m"), bytes);
        refused.expect_err("a refusal").to_string()
    }

    #[test]
    fn a_file_is_read_bit_for_bit_and_always_has_the_same_bytes() {
        let model = model();
        let bytes = model.to_bytes();
        assert_eq!(
            Model::from_bytes(Path::new("m"), &bytes).expect("a model"),
            model
        );
        for _ in 0..20 {
            assert_eq!(model.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_scaling_of_each_feature_is_read_bit_for_bit() {
        let mut model = model();
        model.scaling = Scaling::per_feature(vec![0.1, 1.7e9, -3.0], vec![0.3, 0.0, 1e-9]);
        let bytes = model.to_bytes();
        let read = Model::from_bytes(Path::new("m"), &bytes).expect("a model");
        assert_eq!(read, model);
        model.scaling = Scaling::per_feature(vec![0.0; 4], vec![1.0; 4]);
        let message = refusal(&model.to_bytes());
        assert!(
            message.contains("scaling of 4 features, expected 3"),
            "{message}"
        );
    }

    #[test]
    fn a_model_of_one_pair_was_not_trained_with_a_pair_for_each_feature() {
        let scale = |scaling: Scaling| {
            let mut model = model();
            model.scaling = scaling;
            let provenance = model.provenance.as_mut().expect("provenance");
            provenance.config.scale = Scale::Standard;
            let read = Model::from_bytes(Path::new("m"), &model.to_bytes());
            let provenance = read.expect("a model").provenance;
            provenance.expect("provenance").config.scale
        };
        assert_eq!(scale(Scaling::IDENTITY), Scale::StandardGlobal);
        let each = Scaling::per_feature(vec![0.0; 3], vec![1.0; 3]);
        assert_eq!(scale(each), Scale::Standard);
    }

    #[test]
    fn a_damaged_or_foreign_file_is_refused() {
        let bytes = model().to_bytes();
        assert!(refusal(&[]).contains("safetensors"));
        assert!(refusal(&bytes[..bytes.len() - 1]).contains("safetensors"));
        let mut nan = model();
        nan.parameters[4] = f32::NAN;
        assert!(refusal(&nan.to_bytes()).contains("layers.0.weight: element 4 is NaN"));
        let replace = |from: &str, to: &str| {
            let at = bytes
                .windows(from.len())
                .position(|window| window == from.as_bytes())
                .expect("the text stands in the header");
            let mut bytes = bytes.clone();
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            refusal(&bytes)
        };
        assert!(replace("format\\\":1", "format\\\":7").contains("model format 7"));
        assert!(replace("[3,2,2]", "[2,3,2]").contains("layers.0.weight: F32 [3, 2]"));
        assert!(replace("[3,2,2]", "[3,0,2]").contains("widths of at least 1"));
        assert!(replace("layers.1.bias", "layers.9.bias").contains("layers.1.bias: no such"));
        assert!(replace("\"perceptor\"", "\"something\"").contains("a model that perceptor wrote"));
    }

    proptest! {
        /// A flipped byte is refused or changes a number, and never panics.
        #[test]
        fn a_damaged_file_never_panics(at in 0usize..1000, with in any::<u8>(), cut in 0usize..2000) {
            let mut bytes = model().to_bytes();
            let length = bytes.len();
            bytes[at % length] = with;
            bytes.truncate(cut);
            let _ = Model::from_bytes(Path::new("m"), &bytes);
        }
    }
}
