//! What a model file has in addition to its tensors: the value of its metadata key.

use serde::{Deserialize, Serialize};

use super::provenance::Provenance;
use crate::data::{ClassNames, Scaling, TargetScaling};
use crate::error::{Error, Result};
use crate::message::{Command, message};
use crate::nn::{Activation, Link, Task};
use crate::table::Schema;
use crate::tensors::{Kind, TensorFile};

/// The kind of model files. A file of weights from another program is refused with a hint to import it.
pub(crate) const KIND: Kind = Kind {
    name: "model",
    format: 1,
    damaged: Error::Model,
    unusable: Error::Model,
    hint: || {
        Some(message![
            Command("import"),
            " takes linear layers that PyTorch or another program saved"
        ])
    },
};

/// The value of the metadata key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub format: u32,
    pub layers: Vec<usize>,
    #[serde(default, skip_serializing_if = "Task::is_default")]
    pub task: Task,
    #[serde(default, skip_serializing_if = "Link::is_default")]
    pub link: Link,
    pub activation: Activation,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch_norm: bool,
    pub scaling: Scaling,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_scaling: Option<TargetScaling>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names: Option<ClassNames>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

impl Metadata {
    /// Takes what is recorded of training. In a file of an earlier version, `standard` means one pair of numbers for all
    /// features, as the scaling shows.
    pub(crate) fn take_provenance(&mut self) -> Option<Provenance> {
        let mut provenance = self.provenance.take()?;
        if self.scaling.as_global().is_some() {
            provenance.config.scale = provenance.config.scale.renamed();
        }
        Some(provenance)
    }

    /// Checks that its numbers are in range.
    pub(crate) fn check(&self, file: &TensorFile) -> Result<()> {
        let features = self.layers.first().copied().unwrap_or(0);
        let checked = self.scaling.check(features);
        checked.map_err(|(found, expected)| file.refuse(found, &expected))?;
        let elements = self.provenance.as_ref().and_then(|it| it.elements.as_ref());
        if elements.is_some_and(|elements| !elements.is_finite()) {
            let found = "elements of the training set that are not finite".to_owned();
            return Err(file.refuse(found, "finite numbers"));
        }
        let classes = self.layers.last().copied().unwrap_or(0);
        let checked = self.task.check_outputs(classes);
        checked.map_err(|(found, expected)| file.refuse(found, expected))?;
        if self.link == Link::Log && self.task != Task::Regression {
            let found = format!("a log link with {}", self.task.name());
            return Err(file.refuse(found, "one of a regression"));
        }
        if let Some(scaling) = &self.target_scaling
            && !(self.task == Task::Regression && scaling.fits(classes))
        {
            let found = format!("a target scaling of {} outputs", scaling.factor.len());
            let expected =
                format!("{classes} finite offsets and factors above 0, for a regression");
            return Err(file.refuse(found, &expected));
        }
        match &self.class_names {
            Some(names) if names.names().len() != classes => {
                let found = format!("{} class names", names.names().len());
                return Err(file.refuse(found, &format!("{classes}, one a class")));
            }
            _ => {}
        }
        match &self.schema {
            Some(schema) => self.check_schema(schema, file),
            None => Ok(()),
        }
    }
}
