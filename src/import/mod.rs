//! Imports networks that other programs trained: the tensors of linear layers and batch normalisation as safetensors, such
//! as the `state_dict` of an `nn.Module` of PyTorch.
//!
//! A file of tensors has names and shapes, and neither the order of the layers, nor the activation, nor the scaling of
//! inputs. `names` divides the names into layers and roles, `modules` puts the tensors of a layer together, `chain`
//! finds the order of the layers by their numbers and widths, and `placement` the place of batch normalisation. If more
//! than one order fits, the file is refused, and [`Supplied::layers`] decides. The caller gives what no file of weights
//! has; an export of this program has it in its metadata. `numbers` reads floating point numbers of other sizes, and
//! `weights` makes the parameters, into which batch normalisation is folded unless every hidden layer has one before its
//! activation.

mod chain;
mod modules;
mod names;
mod network;
mod numbers;
mod placement;
mod supplied;
mod weights;

use std::path::Path;

use self::network::Network;
pub use self::supplied::{NormPlace, Supplied, WeightShape};
use crate::data::{GlobalScaling, Scaling};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::model::{KIND, Metadata, Model};
use crate::nn::{Activation, Link};
use crate::tensors::{self, Layout, TensorFile};

/// An imported network.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The network.
    pub model: Model,
    /// What was converted, guessed, added or left out, a line each, without the name of the file.
    pub notes: Vec<Message>,
}

/// Reads the network at `path`.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be read, [`Error::Model`] if it is damaged or not a network that can be read,
/// and [`Error::Config`] if a property is in neither `supplied` nor the file, or differs between them.
pub fn load(path: &Path, supplied: &Supplied) -> Result<Imported> {
    from_bytes(path, &tensors::read(path, "a safetensors file")?, supplied)
}

/// Reads a network from the content of the file `path`.
///
/// # Errors
/// Returns the errors of [`load`].
pub fn from_bytes(path: &Path, bytes: &[u8], supplied: &Supplied) -> Result<Imported> {
    let file = TensorFile::parse(&KIND, path, bytes)?;
    let mut metadata: Option<Metadata> = file.optional_metadata()?;
    metadata
        .iter()
        .try_for_each(|metadata| metadata.check(&file))?;
    if metadata.is_some() {
        check_exported(&file, metadata.as_ref())?;
    }
    let network = Network::of(&file, supplied)?;
    let sizes = network.sizes();
    if let Some(metadata) = &metadata
        && metadata.layers != sizes
    {
        let found = format!("tensors of widths {sizes:?}");
        let expected = format!("{:?}, as the metadata has it", metadata.layers);
        return Err(Error::Model(Refusal::new(path.display(), found, expected)));
    }
    let told = metadata.as_ref();
    let activation = activation(path, supplied, told, sizes.len() > 2)?;
    let scaling = scaling(path, supplied, told)?;
    let task = settle(
        Key("task"),
        supplied.task,
        told.map(|metadata| metadata.task),
        |task| task.name().to_owned(),
    )?;
    let task = task.unwrap_or_default();
    let outputs = sizes.last().copied().unwrap_or(0);
    if let Err((found, expected)) = task.check_outputs(outputs) {
        let refusal = Refusal::new(path.display(), found, expected);
        return Err(Error::Model(refusal.hint(message![
            "if a sigmoid follows the output, give ",
            Key("task").set_to("multilabel"),
            "; if it is a number, ",
            Key("task").set_to("regression"),
        ])));
    }
    let spec = file.spec(&sizes, activation, network.keeps_norms)?;
    let link = told.map_or(Link::default(), |metadata| metadata.link);
    let spec = spec.for_task(task).with_link(link);
    let (parameters, notes) = network.parameters(&spec, supplied)?;
    let provenance = metadata.as_mut().and_then(Metadata::take_provenance);
    let (target_scaling, class_names, schema) = metadata.map_or((None, None, None), |told| {
        (told.target_scaling, told.class_names, told.schema)
    });
    let model = Model {
        spec,
        scaling,
        target_scaling,
        parameters,
        class_names,
        schema,
        provenance,
    };
    Ok(Imported { model, notes })
}

/// Checks that a file with the metadata of this program is an export.
fn check_exported(file: &TensorFile, metadata: Option<&Metadata>) -> Result<()> {
    let names = file.tensors.names();
    let own = Layout::own(1).stems;
    let is_own = own
        .iter()
        .any(|stem| names.contains(&&*format!("{stem}.weight")));
    // Exports have no batch normalisation.
    if is_own || metadata.is_some_and(|metadata| metadata.batch_norm) {
        let found = "a model of perceptor itself";
        let expected = "what another program or export wrote";
        let refusal = Refusal::new(file.path.display(), found, expected);
        return Err(Error::Model(refusal.hint("use it as it is")));
    }
    Ok(())
}

fn activation(
    path: &Path,
    supplied: &Supplied,
    told: Option<&Metadata>,
    has_hidden: bool,
) -> Result<Activation> {
    let activation = settle(
        Key("activation"),
        supplied.activation,
        told.map(|metadata| metadata.activation),
        |activation| activation.name().to_owned(),
    )?;
    match activation {
        Some(activation) => Ok(activation),
        // Without hidden layers there is nothing to activate.
        None if !has_hidden => Ok(Activation::default()),
        None => {
            let expected = format!(
                "that of the hidden layers, which {} does not have",
                path.display()
            );
            let hint = "a state_dict has only weights; see the nn.Module it was taken from";
            let refusal = Refusal::new(Key("activation"), "not given", expected);
            Err(Error::Config(refusal.hint(hint)))
        }
    }
}

fn scaling(path: &Path, supplied: &Supplied, told: Option<&Metadata>) -> Result<Scaling> {
    let scaling = settle(
        Key("scale_factor"),
        supplied.scaling.clone(),
        told.map(|metadata| metadata.scaling.clone()),
        |scaling| match scaling.as_global() {
            Some(GlobalScaling { offset, factor }) => format!("offset {offset}, factor {factor}"),
            None => "a pair of numbers for each feature".to_owned(),
        },
    )?;
    scaling.ok_or_else(|| {
        let expected = format!(
            "what elements are multiplied by, which {} does not have",
            path.display()
        );
        let hint = "1/255 if bytes were divided by 255, as torchvision's ToTensor does; 1 if they were not";
        Error::Config(Refusal::new(Key("scale_factor"), "not given", expected).hint(hint))
    })
}

/// Returns the given value or that of the file, which must be equal if both are known.
fn settle<T: PartialEq>(
    key: Key,
    given: Option<T>,
    told: Option<T>,
    name: impl Fn(&T) -> String,
) -> Result<Option<T>> {
    match (&given, &told) {
        (Some(given), Some(told)) if given != told => {
            let expected = format!("{}, as in the file, or nothing", name(told));
            Err(Error::Config(Refusal::new(key, name(given), expected)))
        }
        _ => Ok(told.or(given)),
    }
}

#[cfg(test)]
mod tests;
