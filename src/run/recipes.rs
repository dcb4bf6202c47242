//! Recipes: files of settings that are part of the program, each with its measured results in a comment at the top.
//!
//! They are the files of the folder `recipes`. A recipe sets neither data nor seed nor threads.

use std::path::Path;

use super::config_file::Settings;
use super::precedence::Layer;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// A file of settings that is part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// The name of the file without its extension.
    pub name: &'static str,
    /// The content of the file.
    pub text: &'static str,
}

/// Every recipe: those of images, the quickest first, and the one of tables.
pub const RECIPES: [Recipe; 5] = [
    Recipe {
        name: "tutorial",
        text: include_str!("../../recipes/tutorial.toml"),
    },
    Recipe {
        name: "quick",
        text: include_str!("../../recipes/quick.toml"),
    },
    Recipe {
        name: "accurate",
        text: include_str!("../../recipes/accurate.toml"),
    },
    Recipe {
        name: "fashion",
        text: include_str!("../../recipes/fashion.toml"),
    },
    Recipe {
        name: "table",
        text: include_str!("../../recipes/table.toml"),
    },
];

impl Recipe {
    /// Returns the recipe called `name`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there is none.
    pub fn find(name: &str) -> Result<&'static Recipe> {
        let found = RECIPES.iter().find(|recipe| recipe.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
            let expected = format!("{} or list", names.join(", "));
            Error::Config(Refusal::new(Key("recipe"), name, expected).hint(message![
                "settings in a file of your own are for ",
                Key("config")
            ]))
        })
    }

    /// Returns the lines of the comment at its top.
    pub fn head(&self) -> impl Iterator<Item = &'static str> {
        let lines = self.text.lines();
        lines.map_while(|line| line.strip_prefix('#').map(str::trim))
    }

    /// Returns its settings over the defaults.
    ///
    /// # Panics
    /// Never: a test reads every recipe.
    pub fn settings(&self) -> Settings {
        self.layer().settings().expect("recipes are valid")
    }

    /// Returns the settings that it gives.
    ///
    /// # Panics
    /// Never: a test reads every recipe.
    pub fn layer(&self) -> Layer {
        Layer::from_bytes(Path::new(self.name), self.text.as_bytes()).expect("recipes are valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_valid_and_reports_its_results() {
        for recipe in RECIPES {
            let settings = recipe.settings();
            settings.train.clone().check().expect("valid settings");
            assert_eq!(settings.train.seed, 1, "{}", recipe.name);
            assert!(settings.data.is_none() && settings.threads.count().is_none());
            assert!(recipe.head().count() >= 2, "{}", recipe.name);
        }
    }
}
