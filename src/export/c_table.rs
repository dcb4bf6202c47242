//! The part of a C header that encodes a row of a table: the scaling of numbers and dates, flags and categories.

use std::io::{self, Write};

use super::c_literal::HexadecimalDouble;
use super::columns::{code_of, name};
use crate::table::schema::{Column, Encoding, NumberScaling, Schema};

/// The columns that have inputs, in the order of the training file.
fn columns(schema: &Schema) -> impl Iterator<Item = &Column> {
    let columns = schema.columns.iter();
    columns.filter(|column| column.encoding.inputs() > 0)
}

/// Returns the number of cells of a row that the header takes.
pub(super) fn cells(schema: &Schema) -> usize {
    columns(schema).count()
}

/// Writes the comment that lists the columns, and the function that turns their cells into the inputs of the network.
pub(super) fn write_encode(schema: &Schema, prefix: &str, out: &mut dyn Write) -> io::Result<()> {
    let upper = prefix.to_ascii_uppercase();
    writeln!(
        out,
        "\n/* The cells of a row in order, as numbers; NAN stands for a missing cell.\n *"
    )?;
    for (index, column) in columns(schema).enumerate() {
        let (name, words) = (in_comment(&name(column)), in_comment(&meaning(column)));
        writeln!(out, " *     elements[{index}]  {name}: {words}")?;
    }
    write!(
        out,
        " */

/* A number, or what a missing one is taken for, minus the offset, times the factor. */
static inline float {prefix}_number(double cell, double fill, double offset, double factor)
{{
    return (float)(((isnan(cell) ? fill : cell) - offset) * factor);
}}

/* ln(1 + |x| / unit) with the sign of x; NAN stays. */
static inline double {prefix}_log(double x, double unit)
{{
    return copysign(log1p(fabs(x) / unit), x);
}}

/* y[i] = 1 for the code of the category, or that of a missing one, else 0: y [width]. */
static inline void {prefix}_category(double cell, double fill, int width, float *y)
{{
    const double code = isnan(cell) ? fill : cell;
    for (int i = 0; i < width; i++)
        y[i] = code == (double)i ? 1.0f : 0.0f;
}}

/* elements [{upper}_COLUMNS] to x [{upper}_INPUTS]. */
static inline void {prefix}_encode(const double *elements, float *x)
{{
"
    )?;
    let mut input = 0;
    for (index, column) in columns(schema).enumerate() {
        write_column(column, prefix, (index, input), out)?;
        input += column.encoding.inputs();
    }
    writeln!(out, "}}")
}

/// Writes the statements for a column, whose first input has the number `input`.
fn write_column(
    column: &Column,
    prefix: &str,
    (index, input): (usize, usize),
    out: &mut dyn Write,
) -> io::Result<()> {
    let own = match &column.encoding {
        Encoding::Omitted { .. } => return Ok(()),
        Encoding::Number { scale, fill, .. } | Encoding::Date { scale, fill, .. } => {
            let cell = format!("elements[{index}]");
            let (cell, fill) = match scale.log_unit {
                None => (cell, *fill),
                Some(unit) => (
                    format!("{prefix}_log({cell}, {})", HexadecimalDouble(unit)),
                    NumberScaling::compressed(*fill, unit),
                ),
            };
            let [fill, offset, factor] = [fill, scale.offset, scale.factor].map(HexadecimalDouble);
            writeln!(
                out,
                "    x[{input}] = {prefix}_number({cell}, {fill}, {offset}, {factor});"
            )?;
            1
        }
        Encoding::Flag { yes, fill, .. } => {
            let fill = if yes == fill { "1.0" } else { "0.0" };
            writeln!(
                out,
                "    x[{input}] = (isnan(elements[{index}]) ? {fill} : elements[{index}]) == 1.0 ? 1.0f : 0.0f;"
            )?;
            1
        }
        Encoding::Categories {
            values,
            other,
            fill,
            ..
        } => {
            let (fill, width) = (code_of(fill, values), values.len() + usize::from(*other));
            writeln!(
                out,
                "    {prefix}_category(elements[{index}], {fill}.0, {width}, x + {input});"
            )?;
            width
        }
    };
    if column.encoding.marks_missing() {
        let mark = input + own;
        writeln!(
            out,
            "    x[{mark}] = isnan(elements[{index}]) ? 1.0f : 0.0f;"
        )?;
    }
    Ok(())
}

/// Returns what the number for a cell means.
fn meaning(column: &Column) -> String {
    match &column.encoding {
        Encoding::Omitted { .. } => "left out".to_owned(),
        Encoding::Number { .. } => "a number".to_owned(),
        Encoding::Date { .. } => "a date, in days since 1970-01-01".to_owned(),
        Encoding::Flag { no, yes, .. } => format!("0 for {no:?}, 1 for {yes:?}"),
        Encoding::Categories { values, .. } => {
            let codes = values.iter().enumerate();
            let codes: Vec<String> = codes
                .map(|(code, value)| format!("{code} for {value:?}"))
                .collect();
            format!("{}, {} for any other", codes.join(", "), values.len())
        }
    }
}

/// Returns `text` on one line, without the marks that begin and end a comment.
fn in_comment(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    line.replace("*/", "* /")
        .replace("/*", "/ *")
        .replace("??/", "?? /")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_stays_one() {
        assert_eq!(in_comment("a*/b/*/c\nd??/"), "a* /b/ * /c d?? /");
    }
}
