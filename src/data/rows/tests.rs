use super::*;
use crate::compute::parallel::Workers;
use crate::data::fit_columns::fit_columns;
use crate::data::idx::Header;
use ndarray::{Array2, arr2};
use std::num::NonZeroUsize;

fn from_file(element: ElementType, dimensions: &[usize], payload: &[u8]) -> Rows {
    let path = Path::new("some-file");
    let header = Header::new(path, element, dimensions).expect("a header");
    let bytes = [header.to_bytes(), payload.to_vec()].concat();
    let file = IdxFile::from_bytes(path, Bytes::Owned(bytes));
    Rows::from(file.expect("a good file"))
}

fn all(rows: &Rows) -> Vec<Vec<f32>> {
    let row = |row| {
        let mut out = vec![0.0; rows.features()];
        rows.read(row, &mut out);
        out
    };
    (0..rows.len()).map(row).collect()
}

#[test]
fn scales_after_subtracting_the_offset() {
    let scaling = &Scaling::global(10.0, 0.5);
    let x = arr2(&[[0.0, 10.0, 20.0]]);
    for rows in [
        from_file(ElementType::U8, &[1, 3], &[0, 10, 20]),
        Rows::from_array(x.view()).expect("rows"),
    ] {
        let mut row = [0.0; 3];
        rows.read_scaled(0, scaling, &mut row);
        assert_eq!(row, [-5.0, 0.0, 5.0]);
        assert_eq!(rows.read_one(0, 2, scaling), 5.0);
    }
}

#[test]
fn an_array_in_any_memory_layout_is_read_row_by_row() {
    let x = arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let rows = Rows::from_array(x.t()).expect("rows");
    assert_eq!(rows.dimensions(), [2, 3]);
    assert_eq!(all(&rows), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]);
    assert_eq!(rows.element(), ElementType::F32);
}

#[test]
fn an_empty_array_is_refused() {
    for shape in [(0, 3), (3, 0)] {
        let refused = Rows::from_array(Array2::zeros(shape).view()).expect_err("a refusal");
        let words = format!("x: an array of shape [{}, {}]", shape.0, shape.1);
        assert!(refused.to_string().starts_with(&words), "{refused}");
    }
}

#[test]
fn a_selection_of_a_selection_refers_to_the_source() {
    let file = from_file(ElementType::U8, &[5, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let x = Array2::from_shape_fn((5, 2), |(row, column)| (2 * row + column) as f32);
    for rows in [file, Rows::from_array(x.view()).expect("rows")] {
        let some = rows.select(&[1, 3, 4]);
        assert_eq!(some.dimensions(), [3, 2]);
        assert_eq!(all(&some), [[2.0, 3.0], [6.0, 7.0], [8.0, 9.0]]);
        assert_eq!(all(&some.select(&[2, 0])), [[8.0, 9.0], [2.0, 3.0]]);
        assert!(some.shares_source_with(&rows));
    }
}

#[test]
fn the_bytes_of_rows_reach_from_the_first_to_the_last_in_the_file() {
    let rows = from_file(ElementType::U8, &[5, 2], &[0; 10]);
    let some = rows.select(&[1, 3, 4]);
    let (_, header) = some.source.mapping().expect("rows of a file");
    // Behind a header of 12 bytes.
    assert_eq!(some.bytes_of(header, 0..2), 14..20);
    assert_eq!(some.bytes_of(header, 1..1).len(), 0);
}

/// Checks that the active columns of `rows` are those of `idle`'s complement, side by side.
fn check_active_columns(rows: &Rows, idle: &[usize]) {
    let workers = Workers::new(NonZeroUsize::MIN).expect("a worker");
    let columns = fit_columns(rows, &Scaling::IDENTITY, &workers);
    assert_eq!(columns.idle(), idle);
    for (row, complete) in all(rows).into_iter().enumerate() {
        let mut active = vec![f32::NAN; columns.width()];
        rows.read_active(row, &Scaling::IDENTITY, &columns, &mut active);
        let kept = (0..rows.features()).filter(|column| !idle.contains(column));
        let expected: Vec<f32> = kept.map(|column| complete[column]).collect();
        assert_eq!(active, expected, "{:?} without {idle:?}", rows.encoding);
        let one = rows.read_one(row, 3, &Scaling::IDENTITY);
        assert_eq!(one, complete[3]);
    }
}

#[test]
fn active_columns_are_read_side_by_side() {
    // Runs shorter and longer than a register, at both ends and in the middle.
    let features = 70;
    for idle in [
        &[][..],
        &[0, 1],
        &[69],
        &[5, 6, 7, 40, 69],
        &[0, 2, 4, 66, 68],
    ] {
        for element in [ElementType::U8, ElementType::I16, ElementType::F64] {
            let size = element.size();
            let byte = |at: usize| match idle.contains(&(at / size % features)) {
                true => 0,
                // Small enough that no f64 of these bytes overflows an f32.
                false => (at % 50) as u8 + 1,
            };
            let payload: Vec<u8> = (0..2 * features * size).map(byte).collect();
            check_active_columns(&from_file(element, &[2, features], &payload), idle);
        }
        let x = Array2::from_shape_fn((2, features), |(row, column)| {
            match idle.contains(&column) {
                true => 0.0,
                false => (row * features + column) as f32 + 0.5,
            }
        });
        check_active_columns(&Rows::from_array(x.view()).expect("rows"), idle);
    }
}
