//! Where the settings of a command start: a recipe or a file, and below them the model that training starts from.
//!
//! Flags win over all of these; `perceptor::run::precedence` merges them.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use perceptor::Model;
use perceptor::config::LossName;
use perceptor::data::TargetScale;
use perceptor::nn::{Link, Task};
use perceptor::run::{Layer, RECIPES, Recipe, Settings};

use super::origin::Origin;
use super::setting_flags::{COMMON, set};
use super::table::Surveyed;
use super::threads::workers;

/// The recipe of tables, unless another one or a file of settings is named.
const FOR_TABLES: &str = "table";

/// The flags that name settings which are written down somewhere.
#[derive(Debug, Args)]
pub struct PresetArgs {
    /// Start from settings by name, such as quick or accurate; list prints them with their measured results
    ///
    /// Flags win over the recipe.
    #[arg(long, value_name = "NAME", help_heading = COMMON, conflicts_with = "config")]
    recipe: Option<String>,
    /// Start from the settings in a file, such as the config.toml of a run; flags win over it
    #[arg(long, value_name = "FILE", help_heading = COMMON)]
    config: Option<PathBuf>,
}

impl PresetArgs {
    /// Whether the recipes are to be listed.
    pub fn list(&self) -> bool {
        self.recipe.as_deref() == Some("list")
    }

    /// The settings of the recipe or the file, and for errors where they come from.
    ///
    /// # Errors
    /// Returns the errors of [`Recipe::find`] and [`Layer::read`].
    pub fn layer(&self, flags: &Layer) -> perceptor::Result<(Layer, Origin)> {
        let recipe = |name: &str| Ok((format!("recipe {name}"), Recipe::find(name)?.layer()));
        let (name, layer) = match (&self.recipe, &self.config) {
            (Some(name), _) => recipe(name)?,
            (None, Some(path)) => (path.display().to_string(), Layer::read(path)?),
            (None, None) => {
                let settings = flags.settings()?;
                if settings.table_path().is_none() || settings.init_from.is_some() {
                    return Ok((Layer::default(), Origin::default()));
                }
                let (name, layer) = recipe(FOR_TABLES)?;
                return Ok((layer.clone(), Origin::new(name, &layer, flags).by_default()));
            }
        };
        let origin = Origin::new(name, &layer, flags);
        Ok((layer, origin))
    }
}

/// Merges flags and a file, and below them what follows from the model that training starts from, and from the table to
/// train on. Of the data only a table is read, which is returned.
///
/// # Errors
/// Returns [`perceptor::Error::Config`] if a setting is out of range or contradicts another, and the errors of
/// [`Model::load`] and [`Surveyed::survey`].
pub fn merge(flags: Layer, file: Layer) -> perceptor::Result<(Settings, Option<Surveyed>)> {
    let given = flags.clone().over(file.clone());
    let mut settings = given.settings()?;
    settings.check_paths()?;
    let model = settings.init_from.as_deref().map(Model::load).transpose()?;
    let table = match &model {
        Some(model) => Surveyed::by_model(&settings, model)?,
        None => survey(&settings, &given)?,
    };
    let lower = match (&model, &table) {
        (Some(model), _) => layer_of(model),
        (None, Some(table)) => table.layer(),
        (None, None) => Layer::default(),
    };
    if model.is_some() || table.is_some() {
        settings = checked(flags.over(file.over(lower)))?;
    }
    settings.train = settings.train.check()?.resolved().into_inner();
    Ok((settings, table))
}

/// Surveys the table that `settings` name, if they name one; `given` has the settings that are not defaults.
///
/// # Errors
/// Returns the errors of [`Surveyed::survey`].
pub fn survey(settings: &Settings, given: &Layer) -> perceptor::Result<Option<Surveyed>> {
    match settings.table_path() {
        Some(_) => Surveyed::survey(settings, given, &workers(settings.threads)?),
        None => Ok(None),
    }
}

/// The settings of a layer, each in its range.
///
/// # Errors
/// Returns [`perceptor::Error::Config`] if one is not.
pub fn checked(layer: Layer) -> perceptor::Result<Settings> {
    let settings = layer.settings()?;
    settings.check_paths()?;
    settings.train.clone().check()?;
    Ok(settings)
}

/// The network and scaling of the model that training starts from, which flags and files win over.
fn layer_of(model: &Model) -> Layer {
    let sizes = model.spec.sizes();
    let hidden: Vec<String> = sizes[1..sizes.len() - 1]
        .iter()
        .map(usize::to_string)
        .collect();
    let hidden = match hidden.is_empty() {
        true => "none".to_owned(),
        false => hidden.join(","),
    };
    let mut layer = Layer::default();
    for (key, text) in [
        ("hidden", hidden.as_str()),
        ("activation", model.spec.activation().name()),
        (
            "batch_norm",
            if model.spec.batch_norm() {
                "true"
            } else {
                "false"
            },
        ),
        ("task", model.spec.task().name()),
        ("scale", "model"),
    ] {
        set(&mut layer, key, text);
    }
    if model.spec.task() == Task::Regression {
        let scale = match model.target_scaling {
            Some(_) => TargetScale::Standard,
            None => TargetScale::None,
        };
        set(&mut layer, "target_scale", scale.name());
        if model.spec.link() == Link::Log {
            set(&mut layer, "loss", LossName::Poisson.name());
        }
    }
    layer
}

/// Prints every recipe with the comment at its top.
///
/// # Errors
/// Returns the errors of `out`.
pub fn write_recipes(out: &mut dyn Write) -> io::Result<()> {
    for recipe in RECIPES {
        let mut name = recipe.name;
        for line in recipe.head() {
            writeln!(out, "{name:<10} {line}")?;
            name = "";
        }
    }
    out.flush()
}
