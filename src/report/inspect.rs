//! The report of a data file or of a set: its header, how often each class occurs, and some samples drawn in
//! characters.
//!
//! A sample of two dimensions is drawn with half blocks, two pixels above each other in a character, so that pixels
//! are about square, in four shades of grey.

use std::io::{self, Write};
use std::ops::Range;

use super::number::{bytes, counted, grouped, percent};
use super::target_words;
use crate::data::class_names::{ClassNames, titled};
use crate::data::empty_classes::without_sample;
use crate::data::{Rows, Targets};

/// Everything there is to say about a data file, or about one half of a data set.
#[derive(Debug)]
pub struct InspectReport<'a> {
    /// `training` or `test`; `None` for a single file.
    pub half: Option<&'a str>,
    /// The rows of the file.
    pub rows: &'a Rows,
    /// The labels of the set, or of a file of labels.
    pub targets: Option<&'a Targets>,
    /// The names of the classes, if they have any.
    pub names: Option<&'a ClassNames>,
    /// The samples to draw.
    pub samples: Range<usize>,
}

impl InspectReport<'_> {
    /// Writes the report for a terminal of so many columns.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    ///
    /// # Panics
    /// Panics if a sample is out of range.
    pub fn write_text(&self, out: &mut dyn Write, columns: usize) -> io::Result<()> {
        if let (Some(half), Some(targets)) = (self.half, self.targets) {
            writeln!(out, "{half}: {}", target_words(targets))?;
        }
        write_header(out, self.rows)?;
        if let Some(targets) = self.targets {
            write_targets(out, targets, self.names)?;
            if let Some(empty) = without_sample(targets, self.names) {
                writeln!(out, "  {empty}")?;
            }
        }
        // The labels of a single file belong to samples of another one.
        let targets = self.targets.filter(|_| self.half.is_some());
        let samples: Vec<usize> = self.samples.clone().collect();
        write_samples(out, self.rows, targets, self.names, &samples, columns)
    }
}

/// Writes the sizes and the element type.
fn write_header(out: &mut dyn Write, file: &Rows) -> io::Result<()> {
    let sizes: Vec<String> = file
        .dimensions()
        .iter()
        .map(|&size| grouped(size))
        .collect();
    writeln!(
        out,
        "{}: {} {}, {} of {}, {}",
        file.name(),
        sizes.join(" × "),
        file.element().name(),
        counted(file.len(), "item"),
        counted(file.features(), "feature"),
        bytes(file.source_bytes().len()),
    )
}

/// Writes how many samples each class has, or the range of each number to predict.
fn write_targets(
    out: &mut dyn Write,
    targets: &Targets,
    names: Option<&ClassNames>,
) -> io::Result<()> {
    match targets {
        Targets::Classes { labels, .. } => write_class_counts(out, labels, names),
        Targets::Values { values, outputs } => write_ranges(out, values, *outputs),
        Targets::Flags { flags, classes } => {
            let count = |class: usize| {
                let of_class = flags.iter().skip(class).step_by(*classes);
                of_class.filter(|flag| **flag == 1).count()
            };
            let counts: Vec<usize> = (0..*classes).map(count).collect();
            write_counts(out, &counts, targets.samples(), names)
        }
    }
}

/// Writes the smallest, the mean and the largest of each number to predict.
fn write_ranges(out: &mut dyn Write, values: &[f32], outputs: usize) -> io::Result<()> {
    for output in 0..outputs.min(MOST_CLASSES) {
        let of_output = || values.iter().skip(output).step_by(outputs).copied();
        let sum: f64 = of_output().map(f64::from).sum();
        writeln!(
            out,
            "  number {output:>3}  from {} to {}, mean {:.4}",
            of_output().fold(f32::INFINITY, f32::min),
            of_output().fold(f32::NEG_INFINITY, f32::max),
            sum / (values.len() / outputs) as f64,
        )?;
    }
    if outputs > MOST_CLASSES {
        writeln!(
            out,
            "  and {} more numbers",
            grouped(outputs - MOST_CLASSES)
        )?;
    }
    Ok(())
}

/// The most classes or numbers to predict that are listed.
const MOST_CLASSES: usize = 50;

/// Writes how many samples each class has, with a bar; with `names`, also the classes without samples.
fn write_class_counts(
    out: &mut dyn Write,
    labels: &[u32],
    names: Option<&ClassNames>,
) -> io::Result<()> {
    let named = names.map_or(0, |names| names.names().len());
    let shown = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let classes = shown.max(named);
    let mut counts = vec![0usize; classes];
    for &label in labels {
        counts[label as usize] += 1;
    }
    write_counts(out, &counts, labels.len(), names)
}

fn write_counts(
    out: &mut dyn Write,
    counts: &[usize],
    items: usize,
    names: Option<&ClassNames>,
) -> io::Result<()> {
    /// The length of the longest bar, in characters.
    const BAR: usize = 32;
    let largest = counts.iter().copied().max().unwrap_or(1).max(1);
    for (class, &count) in counts.iter().enumerate().take(MOST_CLASSES) {
        writeln!(
            out,
            "  class {class:>3}{}  {:>10}  {:>7}  {}",
            names.map_or(String::new(), |names| format!(" {}", names.cell(class))),
            grouped(count),
            percent(count as f64 / items as f64),
            "▇".repeat((count * BAR).div_ceil(largest)),
        )?;
    }
    if counts.len() > MOST_CLASSES {
        writeln!(
            out,
            "  and {} more classes",
            grouped(counts.len() - MOST_CLASSES)
        )?;
    }
    Ok(())
}

/// Draws `samples` of `file` side by side, as many per row as fit into `columns` characters, each below its number and
/// target. Samples that are not images, which have two dimensions, are written as their first numbers.
fn write_samples(
    out: &mut dyn Write,
    file: &Rows,
    targets: Option<&Targets>,
    names: Option<&ClassNames>,
    items: &[usize],
    columns: usize,
) -> io::Result<()> {
    let title = |item: usize| match targets {
        Some(targets) => format!("item {item}: {}", title_of(targets, names, item)),
        None => format!("item {item}"),
    };
    let values_of = |item: usize| {
        let mut row = vec![0.0; file.features()];
        file.read(item, &mut row);
        row
    };
    let &[_, height, width] = file.dimensions() else {
        for &item in items {
            let values = values_of(item);
            let shown: Vec<String> = values.iter().take(12).map(f32::to_string).collect();
            let more = if values.len() > shown.len() {
                " …"
            } else {
                ""
            };
            writeln!(out, "{}: {}{more}", title(item), shown.join(" "))?;
        }
        return Ok(());
    };
    let picture = Picture::fitting(height, width, columns);
    let titles = items.iter().map(|&item| title(item).chars().count());
    let width = titles.max().unwrap_or(0).max(picture.columns());
    let a_row = ((columns + 2) / (width + 2)).max(1);
    for items in items.chunks(a_row) {
        writeln!(out)?;
        let drawn: Vec<(String, Vec<String>)> = items
            .iter()
            .map(|&item| (title(item), picture.lines(&values_of(item))))
            .collect();
        let join = |cells: Vec<String>| cells.join("  ").trim_end().to_owned();
        let cell = |text: &str| format!("{text:width$}");
        writeln!(
            out,
            "{}",
            join(drawn.iter().map(|(title, _)| cell(title)).collect())
        )?;
        for line in 0..picture.rows() {
            writeln!(
                out,
                "{}",
                join(drawn.iter().map(|(_, lines)| cell(&lines[line])).collect())
            )?;
        }
    }
    Ok(())
}

/// The target of a sample, in short.
fn title_of(targets: &Targets, names: Option<&ClassNames>, item: usize) -> String {
    /// The most numbers that are shown.
    const MOST: usize = 4;
    if let Targets::Classes { labels, .. } = targets {
        return format!("class {}", titled(labels[item] as usize, names));
    }
    let mut row = vec![0.0; targets.outputs()];
    targets.read_row(item, &mut row);
    let there = row.iter().enumerate().filter(|(_, flag)| **flag == 1.0);
    let words: Vec<String> = match targets {
        Targets::Flags { .. } => there.map(|(class, _)| titled(class, names)).collect(),
        _ => row.iter().map(f32::to_string).collect(),
    };
    let more = if words.len() > MOST { " …" } else { "" };
    let shown = words[..words.len().min(MOST)].join(" ");
    match targets {
        Targets::Flags { .. } if words.is_empty() => "no class".to_owned(),
        Targets::Flags { .. } if words.len() == 1 => format!("class {shown}"),
        Targets::Flags { .. } => format!("classes {shown}{more}"),
        _ => format!("{shown}{more}"),
    }
}

/// How images of one size are drawn: every `step`-th pixel, so that they fit.
struct Picture {
    height: usize,
    width: usize,
    step: usize,
}

impl Picture {
    /// The most rows of characters; taller images are made smaller.
    const MAX_ROWS: usize = 32;

    fn fitting(height: usize, width: usize, columns: usize) -> Picture {
        let step = width
            .div_ceil(columns.max(1))
            .max(height.div_ceil(2 * Self::MAX_ROWS));
        Picture {
            height,
            width,
            step: step.max(1),
        }
    }

    fn columns(&self) -> usize {
        self.width.div_ceil(self.step)
    }

    fn rows(&self) -> usize {
        self.height.div_ceil(2 * self.step)
    }

    /// Draws two rows of pixels per line: `▀` if only the upper pixel is dark, `▄` if only the lower one is, `█` if
    /// both are, and a shade if both are grey.
    fn lines(&self, values: &[f32]) -> Vec<String> {
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let ink = |row: usize, column: usize| {
            if row >= self.height || most <= least {
                return 0.0;
            }
            (values[row * self.width + column] - least) / (most - least)
        };
        let character = |row: usize, column: usize| {
            let (upper, lower) = (ink(row, column), ink(row + self.step, column));
            match (upper >= 0.5, lower >= 0.5) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) if upper + lower >= 0.6 => '▒',
                (false, false) if upper + lower >= 0.25 => '░',
                (false, false) => ' ',
            }
        };
        (0..self.height)
            .step_by(2 * self.step)
            .map(|row| {
                let columns = (0..self.width).step_by(self.step);
                columns.map(|column| character(row, column)).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pixels_share_a_character() {
        let picture = Picture::fitting(4, 3, 80);
        let values = [9.0, 9.0, 0.0, 9.0, 0.0, 9.0, 0.0, 1.0, 3.0, 0.0, 2.0, 3.0];
        assert_eq!(picture.lines(&values), ["█▀▄", " ░▒"]);
    }

    #[test]
    fn a_wide_image_is_made_to_fit() {
        let picture = Picture::fitting(200, 300, 80);
        assert!(picture.columns() <= 80 && picture.rows() <= Picture::MAX_ROWS);
        let lines = picture.lines(&vec![0.5; 60_000]);
        assert_eq!(lines.len(), picture.rows());
        assert_eq!(lines[0].chars().count(), picture.columns());
    }
}
