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
use super::setting_flags::COMMON;

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
        let (name, layer) = match (&self.recipe, &self.config) {
            (Some(name), _) => (format!("recipe {name}"), Recipe::find(name)?.layer()),
            (None, Some(path)) => (path.display().to_string(), Layer::read(path)?),
            (None, None) => return Ok((Layer::default(), Origin::default())),
        };
        let origin = Origin::new(name, &layer, flags);
        Ok((layer, origin))
    }
}

/// Merges flags and a file, and below them the network and scaling of the model that training starts from, before any
/// data are read.
///
/// # Errors
/// Returns [`perceptor::Error::Config`] if a setting is out of range or contradicts another, and the errors of
/// [`Model::load`].
pub fn merge(flags: Layer, file: Layer) -> perceptor::Result<Settings> {
    let mut settings = flags.clone().over(file.clone()).settings()?;
    settings.check_paths()?;
    if let Some(path) = &settings.init_from {
        let model = layer_of(&Model::load(path)?);
        settings = checked(flags.over(file.over(model)))?;
    }
    settings.train = settings.train.check()?.resolved().into_inner();
    Ok(settings)
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

/// Gives the setting `key` the value that `text` stands for.
///
/// # Panics
/// Panics if there is no such setting or value.
pub fn set(layer: &mut Layer, key: &str, text: &str) {
    let setting = Settings::setting(key).expect("a setting");
    layer.set(setting, text).expect("a value of the setting");
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
