//! Which labels are replaced by others before classes are numbered.

use std::str::FromStr;

/// Labels, and what each is replaced by: `255=0,cat=animal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relabel(pub(super) Vec<(String, String)>);

impl FromStr for Relabel {
    type Err = String;

    fn from_str(text: &str) -> Result<Relabel, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split(',') {
            let pair = pair
                .split_once('=')
                .map(|(old, new)| (old.trim(), new.trim()));
            let (old, new) = pair
                .filter(|(old, new)| !old.is_empty() && !new.is_empty())
                .ok_or("expected OLD=NEW,… as in 255=0,cat=animal")?;
            if pairs.iter().any(|(other, _)| other == old) {
                return Err(format!("{old} is given twice, expected each label once"));
            }
            pairs.push((old.to_owned(), new.to_owned()));
        }
        Ok(Relabel(pairs))
    }
}
