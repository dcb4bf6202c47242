//! Every setting, from its one description: as typed, in a file, and unset.

use std::collections::BTreeSet;
use std::path::Path;

use perceptor::config::setting::Setting;
use perceptor::run::{Layer, Settings};
use toml::{Table, Value};

/// Returns the text of a value that is not the default.
fn example(setting: &Setting) -> String {
    if let Some(default) = setting.choices.first() {
        let other = |choice: &&&str| setting.default.as_deref() != Some(**choice);
        let choice = setting.choices.iter().find(other).unwrap_or(default);
        return (*choice).to_owned();
    }
    let text = match setting.placeholder {
        "N" => "7",
        "X" | "P" | "E" | "D" | "SD" | "EPOCHS" if setting.key == "lr_patience" => "7",
        "X" | "P" | "E" | "D" | "SD" | "EPOCHS" => "0.25",
        "N,N,..." => "30,20",
        "NAME,NAME,..." => "layers.0,layers.1",
        "DIR" | "FILE" | "MODEL" | "PATH" | "TABLE" => "some/path",
        "CHARACTER" => ";",
        "COLUMN" => "price",
        "Q" => "0.25",
        "SHARE|N" => "0.1",
        "PATIENCE[,MIN-DELTA]" => "3,0.5",
        "ACCURACY" => "98%",
        "SIZE" => "200MB",
        "TIME" => "1h 30m",
        "HOW OFTEN" => "500 steps",
        "balanced|FILE" => "balanced",
        other => panic!("{}: no example of {other}", setting.key),
    };
    text.to_owned()
}

/// Returns the settings with one value as typed.
fn typed(setting: &Setting) -> Settings {
    let mut layer = Layer::default();
    layer.set(setting, &example(setting)).expect("a value");
    layer.settings().expect("settings")
}

/// Returns what a file of settings has.
fn table(settings: &Settings) -> Table {
    settings.to_text().parse().expect("TOML")
}

#[test]
fn a_typed_value_changes_its_setting_and_no_other() {
    let default = table(&Settings::default());
    for setting in Settings::all() {
        let changed = table(&typed(setting));
        let keys: BTreeSet<&String> = default.keys().chain(changed.keys()).collect();
        let differ = keys
            .into_iter()
            .filter(|key| default.get(*key) != changed.get(*key));
        assert_eq!(differ.collect::<Vec<_>>(), [setting.key]);
    }
}

#[test]
fn a_file_has_the_same_values_as_flags() {
    let read = |text: String| Settings::from_bytes(Path::new("c"), text.as_bytes());
    for setting in Settings::all() {
        let typed = typed(setting);
        let value = &table(&typed)[setting.key];
        for key in [setting.key, setting.short_key()] {
            let file = read(format!("{key} = {value}\n")).expect("settings");
            assert_eq!(file, typed, "{key}");
        }
        assert_eq!(read(typed.to_text()).expect("settings"), typed);
    }
}

#[test]
fn none_unsets_what_a_file_gives() {
    for setting in Settings::all() {
        let unsets = matches!(setting.parse("none"), Ok(None));
        let is_value = setting.is_path || setting.choices.contains(&"none");
        assert_eq!(
            unsets,
            setting.default_value.is_none() && !is_value,
            "{}",
            setting.key
        );
        if unsets {
            let mut flags = Layer::default();
            flags.set(setting, "none").expect("a value");
            let file = typed(setting).to_text();
            let file = Layer::from_bytes(Path::new("c"), file.as_bytes()).expect("settings");
            let settings = flags.over(file).settings().expect("settings");
            assert!(
                !table(&settings).contains_key(setting.key),
                "{}",
                setting.key
            );
        }
    }
}

#[test]
fn every_setting_is_described_and_refers_to_settings() {
    for setting in Settings::all() {
        let paragraphs = setting.paragraphs();
        assert!(!paragraphs.is_empty(), "{}", setting.key);
        for text in &paragraphs {
            assert!(text.ends_with('.'), "{}: {text}", setting.key);
        }
        let others = [setting.part_of, setting.requires];
        let others = others
            .into_iter()
            .flatten()
            .chain(setting.conflicts.iter().copied());
        for other in others {
            assert!(
                Settings::setting(other).is_some(),
                "{}: {other}",
                setting.key
            );
        }
    }
}

#[test]
fn a_seed_of_any_size_comes_back() {
    let seed = Settings::setting("seed").expect("a setting");
    let large = u64::MAX.to_string();
    assert_eq!(
        seed.parse(&large).ok().flatten(),
        Some(Value::String(large.clone()))
    );
    let mut layer = Layer::default();
    layer.set(seed, &large).expect("a value");
    assert_eq!(layer.settings().expect("settings").train.seed, u64::MAX);
}
