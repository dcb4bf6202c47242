//! How a table is read, and what becomes of its columns.

use std::fmt;
use std::str::FromStr;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::requirement::Requirement;
use super::setting::settings;
use super::value::{NONE, ParseError, SettingValue, named_values, text_values};
use crate::data::Scale;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
use crate::table::options::{
    Decimal, Delimiter, MAX_CATEGORIES, MissingPolicy, NumberScale, TableOptions,
};
use crate::text_value;

settings! {
    /// How a table is read, and what becomes of its columns.
    pub struct TableConfig, Data {
        /// Column of a table to predict, by name or number; repeat it to predict several.
        ///
        /// Numbers count from 1, and -1 is the last column. Text and few different whole numbers are classes, other
        /// numbers a regression; several columns are a regression, or labels if all of them are 0 and 1.
        target: Columns = Columns::default() => common;
        /// Column of a table with the weight of each row in the loss, by name or number.
        sample_weight: Option<String> = None => placeholder("COLUMN");
        /// Column of a table to leave out, by name or number; repeat it to leave out several.
        drop: Columns = Columns::default();
        /// What becomes of missing cells of a table: `fill` (median or most frequent value, and an input that marks them)
        /// or `refuse`.
        missing: MissingPolicy = MissingPolicy::default();
        /// The most values of a text column of a table that get an input each; the others share one.
        max_categories: usize = MAX_CATEGORIES;
        /// Turn columns of dates into numbers.
        ///
        /// Otherwise dates are text as any other.
        dates: bool = false;
        /// Separator of the cells of a table: a character, tab, or space for runs of white space.
        delimiter: Option<Delimiter> = None => default("detected");
        /// Decimal mark of the numbers of a table.
        decimal: Option<Decimal> = None => default("detected");
        /// Whether the first row of a table has the names of its columns.
        header: Option<bool> = None => default("detected");
        /// Character at the start of the lines of a table to skip.
        comment: Option<Mark> = None => placeholder("CHARACTER"), default("# above the first row");
    }
}

named_values!(Decimal, MissingPolicy);
text_values!(Delimiter: "CHARACTER", Mark: "CHARACTER");

impl TableConfig {
    /// The options of a table whose numbers become inputs by `scale`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the scale is one of IDX files.
    pub fn options(&self, scale: Scale) -> Result<TableOptions> {
        let scale = match scale {
            Scale::Standard => NumberScale::Standard,
            Scale::Log => NumberScale::Log,
            Scale::None => NumberScale::None,
            other => {
                let found = format!("{} with a table", other.name());
                let expected = "standard, log or none: each column is scaled for itself";
                let refusal = Refusal::new(Key("scale"), found, expected);
                let hint = message!["give ", Key("scale").set_to("standard"), " as well"];
                return Err(Error::Config(refusal.hint(hint)));
            }
        };
        Ok(TableOptions {
            scale,
            ..self.reading()
        })
    }

    /// The options of a table that is read by the schema of a model.
    pub fn reading(&self) -> TableOptions {
        TableOptions {
            delimiter: self.delimiter,
            decimal: self.decimal,
            header: self.header,
            comment: self.comment.map(|Mark(byte)| byte),
            missing: self.missing,
            max_categories: self.max_categories,
            drop: self.drop.0.clone(),
            dates: self.dates,
            ..TableOptions::default()
        }
    }

    /// Checks the range of every setting.
    ///
    /// # Errors
    /// Returns [`Error::Config`] for the first one that is out of range.
    pub fn check(&self) -> Result<()> {
        Requirement::count(Key("max_categories"), self.max_categories).check()
    }

    /// The first setting that has another value than its default; `None` if there is none.
    pub fn first_given(&self) -> Option<Key> {
        let default = TableConfig::default();
        let given = [
            (Key("target"), self.target != default.target),
            (Key("sample_weight"), self.sample_weight.is_some()),
            (Key("drop"), self.drop != default.drop),
            (Key("missing"), self.missing != default.missing),
            (
                Key("max_categories"),
                self.max_categories != default.max_categories,
            ),
            (Key("dates"), self.dates),
            (Key("delimiter"), self.delimiter.is_some()),
            (Key("decimal"), self.decimal.is_some()),
            (Key("header"), self.header.is_some()),
            (Key("comment"), self.comment.is_some()),
        ];
        given
            .into_iter()
            .find_map(|(key, is_given)| is_given.then_some(key))
    }
}

/// Columns of a table, each by its name or number. An entry may be a list separated by commas, unless a column has that
/// name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Columns(pub Vec<String>);

impl SettingValue for Columns {
    const PLACEHOLDER: &'static str = "COLUMN";
    const IS_LIST: bool = true;

    fn parse(text: &str) -> Result<Columns, ParseError> {
        match text.trim() {
            "" => Err("expected the name or number of a column".into()),
            NONE => Ok(Columns::default()),
            _ => Ok(Columns(vec![text.to_owned()])),
        }
    }

    fn text(&self) -> Option<String> {
        self.0.is_empty().then(|| NONE.to_owned())
    }

    fn is_unset(&self) -> bool {
        self.0.is_empty()
    }
}

/// A list of names and numbers, or one of them.
impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Columns, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names or numbers of columns")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Columns, E> {
                Ok(Columns(vec![word.to_owned()]))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Columns, E> {
                Ok(Columns(vec![number.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Columns, A::Error> {
                let mut all = Vec::new();
                while let Some(Word(word)) = words.next_element()? {
                    all.push(word);
                }
                Ok(Columns(all))
            }
        }
        from.deserialize_any(Either)
    }
}

/// A name or a number.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Word, D::Error> {
        text_value::read(from, |text| Ok(Word(text.to_owned())))
    }
}

/// The character that starts a comment line: one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub u8);

impl FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Mark, String> {
        match text.as_bytes() {
            &[byte] if byte.is_ascii_graphic() && byte != b'"' => Ok(Mark(byte)),
            _ => Err("expected one visible ASCII character other than a quote".to_owned()),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(self.0))
    }
}

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Delimiter, String> {
        match (text, text.as_bytes()) {
            ("tab" | "\\t", _) => Ok(Delimiter::Byte(b'\t')),
            ("space", _) => Ok(Delimiter::WhiteSpace),
            (_, &[byte]) if byte.is_ascii() && !b"\"\r\n\0".contains(&byte) => {
                Ok(Delimiter::Byte(byte))
            }
            _ => Err(
                "expected tab, space, or one ASCII character other than a quote or a line break"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Delimiter::Byte(b'\t') => f.write_str("tab"),
            Delimiter::Byte(byte) => write!(f, "{}", char::from(*byte)),
            Delimiter::WhiteSpace => f.write_str("space"),
        }
    }
}

/// Types that files have as text.
macro_rules! text_in_files {
    ($($type:ty),+) => {
        $(impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                text_value::read(from, str::parse)
            }
        })+
    };
}
text_in_files!(Delimiter, Mark);

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> TableConfig {
        toml::from_str(text).expect("settings")
    }

    #[test]
    fn columns_are_a_list_or_one_of_them() {
        assert_eq!(file("target = \"price\"").target.0, ["price"]);
        assert_eq!(file("target = -1").target.0, ["-1"]);
        let several = file("target = [\"a, b\", 3]");
        assert_eq!(several.target.0, ["a, b", "3"]);
        let text = toml::to_string(&several).expect("a table");
        assert_eq!(file(&text), several);
    }

    #[test]
    fn text_settings_are_read_as_they_are_written() {
        for (key, texts) in [
            ("delimiter", &[";", "tab", "space", "|"][..]),
            ("comment", &["#", "%"]),
            ("decimal", &[",", "."]),
        ] {
            for text in texts {
                let config = file(&format!("{key} = \"{text}\""));
                let written = toml::to_string(&config).expect("a table");
                assert!(
                    written.contains(&format!("{key} = \"{text}\"")),
                    "{written}"
                );
                assert_eq!(config.first_given(), Some(Key(key)));
            }
        }
        assert_eq!(TableConfig::default().first_given(), None);
        for wrong in ["", "ab", "\"", "\n", "é"] {
            assert!(wrong.parse::<Delimiter>().is_err(), "{wrong:?}");
            assert!(wrong.parse::<Mark>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_table_is_scaled_by_column_or_not_at_all() {
        let config = TableConfig::default();
        for scale in [Scale::Standard, Scale::Log, Scale::None] {
            assert_eq!(
                config.options(scale).expect("options").scale.name(),
                scale.name()
            );
        }
        let refused = config.options(Scale::Unit).expect_err("a refusal");
        assert_eq!(
            refused.to_string(),
            "scale: unit with a table, expected standard, log or none: each column is scaled for itself"
        );
    }
}
