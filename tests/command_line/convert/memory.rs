//! Files larger than memory: converted under a limit on the address space that is smaller than their contents.

#![cfg(target_os = "linux")]

use std::io::Write;

use rawzip::CompressionMethod;

use super::{npy, read_idx, zip};
use crate::desk::{Desk, Run};

/// The limit in kB: what the program allocates at start, and some buffers.
const LIMIT: usize = 96 << 10;

/// The bytes in each file: more than the limit.
const BYTES: usize = 200 << 20;

/// Runs the program under the limit.
fn limited(desk: &Desk, line: &str) -> Run {
    let program = desk.command("");
    let script = format!(
        "ulimit -v {LIMIT} && exec '{}' {line}",
        program.get_program().display()
    );
    let mut command = desk.command_of("sh");
    command.args(["-c", &script]);
    Run::of(command)
}

#[test]
fn a_table_larger_than_memory_is_converted() {
    let desk = Desk::empty();
    // Long numbers, so that the output is small; one gzip member, repeated many times.
    let row = "0.000000000000000000000000000000,1.00000000000000000000000000000000,0\n";
    let rows = (1 << 20) / row.len();
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    member
        .write_all(row.repeat(rows).as_bytes())
        .expect("writing to memory");
    let member = member.finish().expect("writing to memory");
    let members = BYTES >> 20;
    let end = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut end = end;
    end.write_all(b"7,9,1\n").expect("writing to memory");
    let end = end.finish().expect("writing to memory");
    desk.put("t.csv.gz", &[member.repeat(members), end].concat());
    limited(&desk, "data convert t.csv.gz --labels 3 --out set").done();
    let images = read_idx(&desk, "set/train-images-idx2-ubyte");
    assert_eq!(images.sizes, [(members * rows + 1) as u32, 2]);
    assert!(images.elements.ends_with(&[0.0, 1.0, 7.0, 9.0]));
}

#[test]
fn arrays_larger_than_memory_are_converted_in_either_order() {
    let desk = Desk::empty();
    let items = BYTES / 8 / 16;
    for fortran in [false, true] {
        let mut elements = vec![0; BYTES];
        // Element 3 of sample 1 is 7.0.
        let at = if fortran { 3 * items + 1 } else { 16 + 3 };
        elements[8 * at..][..8].copy_from_slice(&7f64.to_le_bytes());
        let array = npy("<f8", fortran, &format!("({items}, 16)"), &elements);
        drop(elements);
        desk.put(
            "x.npz",
            &zip(CompressionMethod::DEFLATE, &[("x.npy", &array)]),
        );
        limited(&desk, "data convert x.npz --labels none --out set --force").done();
        let bytes = desk.read("set/images-idx2-ubyte");
        assert_eq!(bytes.len(), 12 + items * 16);
        assert_eq!(bytes[12..].iter().position(|&byte| byte != 0), Some(19));
    }
}
