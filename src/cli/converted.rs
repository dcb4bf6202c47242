//! What `perceptor data convert` prints when it is done.

use std::io::{self, Write};
use std::path::Path;

use perceptor::data::ClassNames;
use perceptor::datasets::convert::{Converted, LabelFile};
use perceptor::report::number::{grouped, seconds};

use super::shell::{program, shell_word};

/// Prints what was written to `folder`, and the next command.
pub fn write_summary(
    folder: &Path,
    out: &mut dyn Write,
    converted: &Converted,
    took: f64,
) -> io::Result<()> {
    let sizes: Vec<String> = converted
        .sample_shape
        .iter()
        .map(usize::to_string)
        .collect();
    let train = grouped(converted.train);
    let [validation, test] = [converted.validation, converted.test].map(|it| it.map(grouped));
    let samples = match (converted.labels, validation, test) {
        (LabelFile::None, ..) => format!("{train} samples"),
        (_, None, None) => format!("{train} training samples"),
        (_, None, Some(test)) => format!("{train} training and {test} test samples"),
        (_, Some(validation), None) => {
            format!("{train} training and {validation} validation samples")
        }
        (_, Some(validation), Some(test)) => {
            format!("{train} training, {validation} validation and {test} test samples")
        }
    };
    let labels = match converted.labels {
        LabelFile::None => "no labels".to_owned(),
        LabelFile::Classes(classes) => format!("{classes} classes"),
        LabelFile::Multilabel(classes) => format!("any of {classes} classes a sample"),
        LabelFile::Targets(1) => "1 target a sample".to_owned(),
        LabelFile::Targets(outputs) => format!("{outputs} targets a sample"),
    };
    writeln!(
        out,
        "{}: {samples} of {} {}, {labels}, after {}",
        folder.display(),
        sizes.join("×"),
        converted.element.name(),
        seconds(took),
    )?;
    writeln!(out, "from     {}", converted.source)?;
    if let Some(names) = &converted.class_names {
        writeln!(out, "classes  {}", listed(names))?;
    }
    let files = converted.files.iter().filter_map(|path| path.file_name());
    let files: Vec<String> = files
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    writeln!(out, "files    {}", files.join(", "))?;
    let (program, folder) = (program(), shell_word(folder));
    match (converted.labels, converted.files.first()) {
        (LabelFile::None, Some(images)) => {
            writeln!(
                out,
                "next     {program} predict MODEL {}",
                shell_word(images)
            )
        }
        (labels, _) => {
            let task = match labels {
                LabelFile::Multilabel(_) => " --task multilabel",
                LabelFile::Targets(_) => " --task regression",
                LabelFile::None | LabelFile::Classes(_) => "",
            };
            writeln!(out, "next     {program} train --data {folder}{task}")
        }
    }
}

/// Returns `0 cat, 1 dog`, and how many more there are.
fn listed(names: &ClassNames) -> String {
    const SHOWN: usize = 10;
    let first = names.names().iter().take(SHOWN).enumerate();
    let first: Vec<String> = first
        .map(|(class, name)| format!("{class} {name}"))
        .collect();
    match names.names().len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {} more", first.join(", "), grouped(more)),
    }
}
