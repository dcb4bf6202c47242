//! Cells to targets and weights.

use super::chunk::Chunk;
use super::context::Context;
use crate::error::{Error, Refusal, Result};
use crate::table::block::{Block, Cells};
use crate::table::cell::shown;
use crate::table::target::{Classes, flag_of};

/// How a target is read.
#[derive(Debug)]
pub(super) enum TargetEncoder {
    Classes(Classes),
    Values,
    Label,
}

impl Context<'_> {
    /// Reads the targets of the rows that are kept.
    pub(super) fn targets(
        &self,
        targets: &[TargetEncoder],
        block: &Block,
        kept: Option<&[bool]>,
        chunk: &mut Chunk,
    ) -> Result<()> {
        for row in (0..block.rows()).filter(|&row| kept.is_none_or(|kept| kept[row])) {
            for (at, target) in targets.iter().enumerate() {
                let position = self.mapping.targets[at];
                let refuse = |found: String, expected: String| {
                    let title = self.schema.targets[at].place.moved_to(position).title();
                    Err(Error::Data(Refusal::new(
                        self.at(block, row, &title),
                        found,
                        expected,
                    )))
                };
                match (target, &block.columns[position]) {
                    (TargetEncoder::Classes(classes), Cells::Numbers(numbers)) => {
                        let value = numbers.values[row];
                        match classes.of_value(value) {
                            Some(class) => chunk.labels.push(class),
                            None => return refuse(value.to_string(), self.expected_classes()),
                        }
                    }
                    (TargetEncoder::Classes(classes), Cells::Text(words)) => {
                        let word = words.dictionary.word(words.codes[row]);
                        match classes.of_word(word, self.decimal) {
                            Some(class) => chunk.labels.push(class),
                            None => return refuse(shown(word), self.expected_classes()),
                        }
                    }
                    (TargetEncoder::Values, Cells::Numbers(numbers)) => {
                        let value = numbers.values[row] as f32;
                        if !value.is_finite() {
                            let word = numbers
                                .word(row)
                                .map(|word| shown(numbers.dictionary.word(word)));
                            let found =
                                word.unwrap_or_else(|| format!("{:e}", numbers.values[row]));
                            return refuse(found, "a number up to 3.4e38".to_owned());
                        }
                        chunk.values.push(value);
                    }
                    (TargetEncoder::Label, Cells::Numbers(numbers)) => match numbers.values[row] {
                        0.0 => chunk.flags.push(0),
                        1.0 => chunk.flags.push(1),
                        value => return refuse(value.to_string(), "0 or 1".to_owned()),
                    },
                    (TargetEncoder::Label, Cells::Text(words)) => {
                        let word = words.dictionary.word(words.codes[row]);
                        match flag_of(word) {
                            Some(flag) => chunk.flags.push(u8::from(flag)),
                            None => return refuse(shown(word), "0 or 1".to_owned()),
                        }
                    }
                    _ => unreachable!("cells of another kind than their target"),
                }
            }
        }
        Ok(())
    }

    /// Reads the weights of the rows that are kept.
    pub(super) fn weights(
        &self,
        block: &Block,
        kept: Option<&[bool]>,
        chunk: &mut Chunk,
    ) -> Result<()> {
        let (Some(position), Some(place)) = (self.mapping.weight, &self.schema.sample_weight)
        else {
            return Ok(());
        };
        let Cells::Numbers(numbers) = &block.columns[position] else {
            unreachable!("weights are numbers");
        };
        for row in (0..block.rows()).filter(|&row| kept.is_none_or(|kept| kept[row])) {
            let value = numbers.values[row];
            if !(value >= 0.0 && (value as f32).is_finite()) {
                let word = numbers
                    .word(row)
                    .map(|word| shown(numbers.dictionary.word(word)));
                let found = match value.is_nan() {
                    true => word.unwrap_or_else(|| "a missing cell".to_owned()),
                    false => value.to_string(),
                };
                let place = self.at(block, row, &place.moved_to(position).title());
                return Err(Error::Data(Refusal::new(
                    place,
                    found,
                    "a weight, 0 or more",
                )));
            }
            chunk.weights.push(value as f32);
        }
        Ok(())
    }

    fn expected_classes(&self) -> String {
        const SHOWN: usize = 12;
        let classes = self.schema.classes().unwrap_or(&[]);
        let shown: Vec<&str> = classes.iter().take(SHOWN).map(String::as_str).collect();
        let more = match classes.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("one of the classes {}{more}", shown.join(", "))
    }
}
