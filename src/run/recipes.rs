//! Recipes: files of settings that are part of the program, each with what it reached in its head.
//!
//! They are the files of the folder `recipes`, and could as well be given with `--config`. A recipe says nothing of the
//! data, of the seed or of the machine.

use std::path::Path;

use super::config_file::{Settings, keys_in};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// A file of settings in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// Its name, without the ending of the file.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

/// Every recipe, from the quickest on.
pub const RECIPES: [Recipe; 4] = [
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
];

impl Recipe {
    /// The recipe called `name`.
    ///
    /// # Errors
    /// [`Error::Config`] where there is none.
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

    /// What its head says, line by line.
    pub fn head(&self) -> impl Iterator<Item = &'static str> {
        let lines = self.text.lines();
        lines.map_while(|line| line.strip_prefix('#').map(str::trim))
    }

    /// The keys of its settings.
    pub fn keys(&self) -> Vec<String> {
        keys_in(self.text)
    }

    /// Its settings.
    ///
    /// # Panics
    /// Never: a test reads them all.
    pub fn settings(&self) -> Settings {
        Settings::from_bytes(Path::new(self.name), self.text.as_bytes())
            .expect("recipes are good settings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_good_and_says_what_it_reached() {
        for recipe in RECIPES {
            let settings = recipe.settings();
            settings.train.check().expect("good settings");
            assert_eq!(settings.train.seed, 1, "{}", recipe.name);
            assert!(settings.data.is_none() && settings.threads.is_none());
            assert!(recipe.head().count() >= 2, "{}", recipe.name);
        }
    }
}
