//! Small files under the names that the pages use.

use std::io::Write;

use png::{BitDepth, ColorType, Encoder};
use rawzip::ZipArchiveWriter;

use crate::commands::words;
use crate::program::Folder;

const SIDE: usize = 28;

pub fn write(folder: &Folder) {
    for (name, train, test) in [("DIR", 256, 64), ("data/mnist", 256, 64)] {
        let run = folder.run(&words(&format!(
            "data digits --out {name} --train {train} --test {test}"
        )));
        assert!(run.status.success(), "{run:#?}");
    }
    for (name, original) in [
        ("FILE", "DIR/t10k-images-idx3-ubyte"),
        ("LABELS", "DIR/t10k-labels-idx1-ubyte"),
    ] {
        std::fs::copy(folder.path(original), folder.path(name)).expect("copying a file");
    }
    write_tables(folder);
    write_arrays(folder);
    for (number, class) in [(1, "cat"), (2, "cat"), (1, "dog"), (2, "dog")] {
        folder.put(
            &format!("pictures/{class}/{number}.png"),
            &picture(number * 40),
        );
    }
}

fn write_tables(folder: &Folder) {
    let table = |header: &str, rows: usize, row: &dyn Fn(usize) -> String| {
        let rows: String = (0..rows).map(|n| row(n) + "\n").collect();
        format!("{header}{rows}")
    };
    let flower = |n: usize| {
        let class = n % 3;
        let number =
            |column: usize| 1.0 + (n * (column + 3) % 7) as f32 / 10.0 + (class * column) as f32;
        format!("{},{},{},{}", number(1), number(2), number(3), number(4))
    };
    let species = ["setosa", "versicolor", "virginica"];
    let flowers = "sepal_length,sepal_width,petal_length,petal_width";
    let iris = table(&format!("{flowers},species\n"), 90, &|n| {
        format!("{},{}", flower(n), species[n % 3])
    });
    folder.put("iris.csv", iris.as_bytes());
    folder.put(
        "new.csv",
        table(&format!("{flowers}\n"), 5, &flower).as_bytes(),
    );
    let house = |n: usize| {
        let (rooms, area) = (1 + n % 5, 0.3 + (n % 11) as f32 / 10.0);
        format!(
            "{rooms},{area},{},{}",
            0.2 * rooms as f32 + area,
            0.1 * rooms as f32
        )
    };
    folder.put(
        "houses.csv",
        table("rooms,area,price,rent\n", 60, &house).as_bytes(),
    );
    let film = |n: usize| {
        format!(
            "film {n},{}.5,{},{},{},{}",
            n % 9,
            n % 4,
            n % 2,
            n / 2 % 2,
            n % 3 / 2
        )
    };
    folder.put(
        "films.csv",
        table("title,length,budget,drama,crime,war\n", 40, &film).as_bytes(),
    );
    let pixels = |n: usize| -> String {
        (0..SIDE * SIDE)
            .map(|i| format!(",{}", (i * n + n) % 256))
            .collect()
    };
    let digit = |n: usize| format!("{}{}", n % 10, pixels(n));
    folder.put("mnist_train.csv", table("", 30, &digit).as_bytes());
    folder.put("mnist_test.csv", table("", 10, &digit).as_bytes());
}

fn write_arrays(folder: &Folder) {
    let images = |count: usize| {
        npy(
            &format!("({count}, {SIDE}, {SIDE})"),
            (0..count * SIDE * SIDE).map(|i| (i % 251) as u8),
        )
    };
    let labels = |count: usize| npy(&format!("({count},)"), (0..count).map(|n| (n % 10) as u8));
    folder.put("x.npy", &images(20));
    folder.put("y.npy", &labels(20));
    let arrays = [
        ("x_train.npy", images(20)),
        ("y_train.npy", labels(20)),
        ("x_test.npy", images(10)),
        ("y_test.npy", labels(10)),
    ];
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (name, bytes) in arrays {
        let (mut entry, config) = archive.new_file(name).start().expect("an entry");
        let mut writer = config.wrap(&mut entry);
        writer.write_all(&bytes).expect("memory takes it");
        let (_, descriptor) = writer.finish().expect("memory takes it");
        entry.finish(descriptor).expect("memory takes it");
    }
    folder.put("mnist.npz", &archive.finish().expect("memory takes it"));
}

/// An NPY file of bytes.
fn npy(shape: &str, elements: impl Iterator<Item = u8>) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    let length = (header.len() as u16).to_le_bytes();
    let mut file = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes()].concat();
    file.extend(elements);
    file
}

/// A grey picture of four pixels, as PNG.
fn picture(shade: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 2, 2);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().expect("a header");
    writer
        .write_image_data(&[shade, 0, 255, shade])
        .expect("four pixels");
    writer.finish().expect("memory takes it");
    file
}
