//! Exports to a C99 header: the weights as constants, and a function from the elements of a row to probabilities and class,
//! or to the values of a regression.
//!
//! It includes only `<math.h>`. Numbers are written in hexadecimal, so that any compiler reads the same bits. Products are
//! summed in the order of the inputs, one row of weights at a time, which compilers vectorise.

use std::fmt::Display;
use std::io::{self, Write};

use super::activation;
use super::c_literal::{Hexadecimal, HexadecimalDouble};
use super::c_table;
use crate::data::{GlobalScaling, Scaling};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::model::Model;
use crate::nn::{Link, Task};

/// The default prefix of all names in a header.
pub const DEFAULT_NAME: &str = "perceptor";

/// How many numbers are on a line.
const ON_A_LINE: usize = 8;

/// Checks that `name` is a C identifier.
///
/// # Errors
/// Returns [`Error::Config`] if it is not.
pub fn check_name(name: &str) -> Result<()> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    let expected = "a letter, then letters, digits and underscores, as C names have";
    let refusal = Refusal::new(Key("name"), format!("{name:?}"), expected);
    Err(Error::Config(refusal))
}

/// Writes the header, with `name` as the prefix of everything it declares.
///
/// # Errors
/// Returns the errors of `out`.
pub fn write(model: &Model, name: &str, out: &mut dyn Write) -> io::Result<()> {
    write_start(model, name, out)?;
    write_scaling(model, name, out)?;
    for (index, layer) in model.spec.layers().iter().enumerate() {
        let (weight, bias) = layer.split(&model.parameters);
        writeln!(
            out,
            "\n/* Layer {index}: weight [{}, {}], bias [{}]. */",
            layer.fan_in, layer.fan_out, layer.fan_out
        )?;
        write_numbers(&format!("{name}_weight_{index}"), weight, out)?;
        write_numbers(&format!("{name}_bias_{index}"), bias, out)?;
    }
    if let Some(schema) = &model.schema {
        c_table::write_encode(schema, name, out)?;
    }
    write_affine(name, out)?;
    if let Some(function) = function(model) {
        write_activate(&function, name, out)?;
    }
    write_predict(model, name, out)?;
    writeln!(out, "\n#endif")
}

/// The output array in C: its name, and the name of its size after the prefix.
fn output_words(task: Task) -> (&'static str, &'static str) {
    match task {
        Task::Classification | Task::Multilabel => ("probabilities", "CLASSES"),
        Task::Regression => ("values", "OUTPUTS"),
    }
}

/// Writes the comment on the use of the header, and the sizes.
fn write_start(model: &Model, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let (spec, upper) = (&model.spec, name.to_ascii_uppercase());
    let (inputs, outputs) = (spec.inputs(), spec.outputs());
    let element = element(model);
    let (words, size) = output_words(spec.task());
    let best = match spec.task() {
        Task::Classification => "int best = ",
        Task::Regression | Task::Multilabel => "",
    };
    let widths = &spec.sizes()[..spec.layers().len()];
    let stack = size_of::<f32>() * widths.iter().sum::<usize>();
    write!(
        out,
        "\
/* {spec}, {activation} and {function}, written by perceptor {version}.
 *
 * C99, nothing needed but <math.h>: link with -lm.
 *
 *     {element} elements[{upper}_{count}];{gap}{what}
 *     float {words}[{upper}_{size}];
 *     {best}{name}_predict(elements, {words});
 *
 * Keeps no state, so threads may call it at the same time; takes {stack} bytes of stack.
 */
#ifndef {upper}_MODEL_H
#define {upper}_MODEL_H

#include <math.h>

{columns}#define {upper}_INPUTS {inputs}
#define {upper}_{size} {outputs}
",
        columns = match &model.schema {
            Some(schema) => format!("#define {upper}_COLUMNS {}\n", c_table::cells(schema)),
            None => String::new(),
        },
        activation = spec.activation().name(),
        function = spec.output_function(),
        version = crate::VERSION,
        gap = " ".repeat(14 - element.len()),
        count = count_word(model),
        what = match model.schema {
            Some(_) => "the cells of a row, as listed below: not scaled",
            None => "an item as it stands in its file: not scaled",
        },
    )
}

/// The type of an element: `double` for cells of a table, or if an offset has more digits than a `float`.
fn element(model: &Model) -> &'static str {
    match model.schema.is_some() || model.scaling.is_wide() {
        true => "double",
        false => "float",
    }
}

/// The name of the number of elements after the prefix.
fn count_word(model: &Model) -> &'static str {
    match model.schema {
        Some(_) => "COLUMNS",
        None => "INPUTS",
    }
}

/// Writes the pair of each feature, if features have their own.
fn write_scaling(model: &Model, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let Scaling::PerFeature(of) = &model.scaling else {
        return Ok(());
    };
    writeln!(
        out,
        "\n/* Each element minus its offset, times its factor, is an input. A factor of 0 leaves an element out. */"
    )?;
    let offset = format!("{name}_offset");
    match of.narrow_offset() {
        Some(narrow) => write_numbers(&offset, narrow, out)?,
        None => {
            let doubles = of.offset().iter().copied().map(HexadecimalDouble);
            write_array("double", &offset, doubles, out)?;
        }
    }
    write_numbers(&format!("{name}_factor"), of.factor(), out)
}

fn write_numbers(name: &str, values: &[f32], out: &mut dyn Write) -> io::Result<()> {
    write_array("float", name, values.iter().copied().map(Hexadecimal), out)
}

fn write_array(
    kind: &str,
    name: &str,
    literals: impl ExactSizeIterator<Item = impl Display>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "static const {kind} {name}[{}] = {{", literals.len())?;
    for (index, literal) in literals.enumerate() {
        let between = if index % ON_A_LINE == 0 {
            "\n    "
        } else {
            " "
        };
        write!(out, "{between}{literal},")?;
    }
    writeln!(out, "\n}};")
}

fn write_affine(name: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "
/* y = x w + b: x [in], w [in, out], b [out], y [out]. */
static inline void {name}_affine(const float *x, int in, const float *w, const float *b, int out, float *y)
{{
    for (int o = 0; o < out; o++)
        y[o] = 0.0f;
    for (int i = 0; i < in; i++, w += out)
        for (int o = 0; o < out; o++)
            y[o] += x[i] * w[o];
    for (int o = 0; o < out; o++)
        y[o] += b[o];
}}
"
    )
}

/// Returns the statement that applies the activation to `y[o]` after a hidden layer, if there is one.
fn function(model: &Model) -> Option<String> {
    if model.spec.layers().len() == 1 {
        return None;
    }
    activation::c_expression(model.spec.activation())
}

fn write_activate(function: &str, name: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "
/* y = f(y): y [out]. */
static inline void {name}_activate(int out, float *y)
{{
    for (int o = 0; o < out; o++)
        y[o] = {function};
}}
"
    )
}

fn write_predict(model: &Model, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let (layers, task) = (model.spec.layers(), model.spec.task());
    let upper = name.to_ascii_uppercase();
    let (words, size) = output_words(task);
    let element = element(model);
    let count = count_word(model);
    let (kind, gives) = match task {
        Task::Classification => ("int", "; gives the likeliest class"),
        Task::Regression | Task::Multilabel => ("void", ""),
    };
    writeln!(
        out,
        "
/* elements [{upper}_{count}] to {words} [{upper}_{size}]{gives}. */
static inline {kind} {name}_predict(const {element} *elements, float *{words})
{{"
    )?;
    for (index, layer) in layers.iter().enumerate() {
        writeln!(out, "    float x{index}[{}];", layer.fan_in)?;
    }
    let input = match &model.scaling {
        Scaling::Global(GlobalScaling { offset, factor }) => format!(
            "(elements[i] - ({})) * ({})",
            Hexadecimal(*offset),
            Hexadecimal(*factor)
        ),
        Scaling::PerFeature(_) => {
            format!("(float)(elements[i] - {name}_offset[i]) * {name}_factor[i]")
        }
    };
    match model.schema {
        Some(_) => writeln!(out, "\n    {name}_encode(elements, x0);")?,
        None => writeln!(
            out,
            "
    for (int i = 0; i < {upper}_INPUTS; i++)
        x0[i] = {input};"
        )?,
    }
    for (index, layer) in layers.iter().enumerate() {
        let (fan_in, fan_out, next) = (layer.fan_in, layer.fan_out, index + 1);
        let last = next == layers.len();
        let y = if last {
            words.to_owned()
        } else {
            format!("x{next}")
        };
        writeln!(
            out,
            "    {name}_affine(x{index}, {fan_in}, {name}_weight_{index}, {name}_bias_{index}, {fan_out}, {y});"
        )?;
        if !last && function(model).is_some() {
            writeln!(out, "    {name}_activate({fan_out}, {y});")?;
        }
    }
    match task {
        Task::Classification => write_softmax(&upper, out)?,
        Task::Multilabel => writeln!(
            out,
            "
    for (int c = 0; c < {upper}_CLASSES; c++)
        probabilities[c] = 1.0f / (1.0f + expf(-probabilities[c]));"
        )?,
        Task::Regression => write_link(model.spec.link(), &upper, out)?,
    }
    writeln!(out, "}}")
}

/// Writes the step from the outputs of a regression to values.
fn write_link(link: Link, upper: &str, out: &mut dyn Write) -> io::Result<()> {
    match link {
        Link::Identity => Ok(()),
        Link::Log => writeln!(
            out,
            "
    for (int o = 0; o < {upper}_OUTPUTS; o++)
        values[o] = expf(values[o]);"
        ),
    }
}

/// Writes the step from logits to probabilities and the most probable class.
fn write_softmax(upper: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "
    int best = 0;
    for (int c = 1; c < {upper}_CLASSES; c++)
        if (probabilities[c] > probabilities[best])
            best = c;
    const float highest = probabilities[best];
    float sum = 0.0f;
    for (int c = 0; c < {upper}_CLASSES; c++) {{
        probabilities[c] = expf(probabilities[c] - highest);
        sum += probabilities[c];
    }}
    for (int c = 0; c < {upper}_CLASSES; c++)
        probabilities[c] /= sum;
    return best;"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_c_identifiers() {
        for good in ["perceptor", "mnist_2", "A"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "2d", "_x", "a-b", "a b", "ä", "x*/"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
