//! Folders of pictures, most of them PNG files.

use std::fs;

use png::{BitDepth, ColorType, Encoder};

use super::{bytes, convert, floats, read_idx};
use crate::desk::Desk;

/// Returns a PNG file of these samples.
pub fn picture(
    color: ColorType,
    depth: BitDepth,
    width: u32,
    height: u32,
    samples: &[u8],
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == ColorType::Indexed {
        encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 0, 255, 0, 255, 255, 255]);
        encoder.set_trns(vec![255, 255, 0]);
    }
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(samples).expect("as many samples");
    writer.finish().expect("writing to memory");
    file
}

pub fn grey(samples: &[u8]) -> Vec<u8> {
    picture(
        ColorType::Grayscale,
        BitDepth::Eight,
        samples.len() as u32,
        1,
        samples,
    )
}

pub fn put(desk: &Desk, name: &str, file: &[u8]) {
    let path = desk.path(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("creating a folder");
    fs::write(path, file).expect("writing a picture");
}

/// Returns a desk with two classes, cat and dog, of two pictures of 1×2 each.
fn cats_and_dogs() -> Desk {
    let desk = Desk::empty();
    for (name, samples) in [
        ("cat/1", [0, 1]),
        ("cat/2", [2, 3]),
        ("dog/1", [4, 5]),
        ("dog/10", [6, 255]),
    ] {
        put(&desk, &format!("p/{name}.png"), &grey(&samples));
    }
    desk
}

#[test]
fn sub_folders_are_classes() {
    let desk = cats_and_dogs();
    // Files that systems leave in folders are ignored.
    for name in [
        "p/.DS_Store",
        "p/cat/.hidden.txt",
        "p/dog/Thumbs.db",
        "p/.cache/x.txt",
        "p/README.txt",
    ] {
        put(&desk, name, b"text");
    }
    let run = convert(&desk, "p");
    assert_eq!(
        read_idx(&desk, "set/train-images-idx3-ubyte"),
        bytes(&[4, 1, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 255.0])
    );
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte"),
        bytes(&[4], &[0.0, 0.0, 1.0, 1.0])
    );
    assert_eq!(desk.read("set/classes.txt"), b"cat\ndog\n");
    assert_eq!(
        run.value("from"),
        "p: PNG, grey, 8 bits, white background, a sub-folder for each of 2 classes"
    );
}

#[test]
fn folders_named_by_numbers_are_sorted_by_value() {
    let desk = Desk::empty();
    for (folder, sample) in [("10", 10), ("9", 9), ("2", 2)] {
        put(&desk, &format!("p/{folder}/1.png"), &grey(&[sample]));
    }
    convert(&desk, "p");
    assert_eq!(
        read_idx(&desk, "set/train-images-idx3-ubyte").elements,
        [2.0, 9.0, 10.0]
    );
    assert_eq!(
        read_idx(&desk, "set/train-labels-idx1-ubyte").elements,
        [0.0, 1.0, 2.0]
    );
    assert_eq!(desk.read("set/classes.txt"), b"2\n9\n10\n");
}

#[test]
fn folders_of_training_and_test_pictures_become_the_halves() {
    let desk = Desk::empty();
    for (name, sample) in [("training/a/1", 1), ("training/b/1", 2), ("testing/b/1", 3)] {
        put(&desk, &format!("p/{name}.png"), &grey(&[sample]));
    }
    let run = convert(&desk, "p");
    assert!(
        run.stdout
            .starts_with("set: 2 training and 1 test samples of 1×1 u8, 2 classes"),
        "{run:#?}"
    );
    assert_eq!(
        read_idx(&desk, "set/t10k-images-idx3-ubyte").elements,
        [3.0]
    );
    assert_eq!(
        read_idx(&desk, "set/t10k-labels-idx1-ubyte").elements,
        [1.0]
    );
    convert(&desk, "p/training --test p/testing --force");
    assert_eq!(
        read_idx(&desk, "set/t10k-labels-idx1-ubyte").elements,
        [1.0]
    );
    // Classes are those of all sets, by name.
    put(&desk, "p/testing/Z/1.png", &grey(&[4]));
    put(&desk, "p/val/c/1.png", &grey(&[5]));
    let run = convert(&desk, "p --force");
    let sizes = "set: 2 training, 1 validation and 2 test samples of 1×1 u8, 4 classes";
    assert!(run.stdout.starts_with(sizes), "{run:#?}");
    assert_eq!(desk.read("set/classes.txt"), b"Z\na\nb\nc\n");
    for (name, classes) in [
        ("train", &[1.0, 2.0][..]),
        ("validation", &[3.0]),
        ("t10k", &[0.0, 2.0]),
    ] {
        let labels = read_idx(&desk, &format!("set/{name}-labels-idx1-ubyte"));
        assert_eq!(labels.elements, classes, "{name}");
    }
    for note in [
        "note: p/training: no sample of 2 of 4 classes: 0 (Z), 3 (c)\n",
        "note: p/val: no sample of 3 of 4 classes: 0 (Z), 1 (a), 2 (b)\n",
        "note: p/testing: no sample of 2 of 4 classes: 1 (a), 3 (c)\n",
    ] {
        assert!(run.stderr.contains(note), "{run:#?}");
    }
    put(&desk, "p/extra/c/1.png", &grey(&[5]));
    desk.refuses(
        "data convert p --out new",
        1,
        "p/extra: a folder next to p/training, expected only folders for training, validation and test",
    );
}

#[test]
fn pictures_without_labels_are_read_from_the_folder_itself() {
    let desk = Desk::empty();
    put(&desk, "p/b.png", &grey(&[7]));
    put(&desk, "p/a.PNG", &grey(&[8]));
    let run = desk.refuses_in_parts(
        "data convert p --out set",
        1,
        &["p: no sub-folder, expected one for each class\n"],
    );
    assert!(run.hint().contains("--labels none"), "{run:#?}");
    convert(&desk, "p --labels none");
    assert_eq!(
        read_idx(&desk, "set/images-idx3-ubyte"),
        bytes(&[2, 1, 1], &[8.0, 7.0])
    );
}

#[test]
fn every_kind_of_picture_is_decoded() {
    use BitDepth::{Eight, One, Sixteen, Two};
    use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    // BT.601 of pure red: 0.299 · 255 = 76.2; half of red over white and over black.
    let half_red = [255, 0, 0, 128];
    type Case<'a> = (ColorType, BitDepth, &'a [u8], &'a str, &'a [f64]);
    let cases: [Case; 12] = [
        (Grayscale, One, &[0b1000_0000], "", &[255.0, 0.0]),
        (Grayscale, Two, &[0b0110_0000], "", &[85.0, 170.0]),
        (Grayscale, Eight, &[3, 200], "", &[3.0, 200.0]),
        (GrayscaleAlpha, Eight, &[3, 255, 200, 0], "", &[3.0, 255.0]),
        (
            GrayscaleAlpha,
            Eight,
            &[3, 255, 200, 0],
            "--background black",
            &[3.0, 0.0],
        ),
        (
            Rgb,
            Eight,
            &[255, 0, 0, 1, 2, 3],
            "",
            &[255.0, 0.0, 0.0, 1.0, 2.0, 3.0],
        ),
        (
            Rgb,
            Eight,
            &[255, 0, 0, 9, 9, 9],
            "--color grey",
            &[76.0, 9.0],
        ),
        (
            Rgba,
            Eight,
            &[half_red, half_red].concat(),
            "",
            &[255.0, 127.0, 127.0, 255.0, 127.0, 127.0],
        ),
        (
            Rgba,
            Eight,
            &[half_red, half_red].concat(),
            "--background black --color rgb",
            &[128.0, 0.0, 0.0, 128.0, 0.0, 0.0],
        ),
        // Red, and a transparent blue.
        (
            Indexed,
            Two,
            &[0b0110_0000],
            "",
            &[255.0, 0.0, 0.0, 255.0, 255.0, 255.0],
        ),
        (
            Grayscale,
            Eight,
            &[3, 200],
            "--color rgb",
            &[3.0, 3.0, 3.0, 200.0, 200.0, 200.0],
        ),
        (
            Grayscale,
            Sixteen,
            &[0x80, 0x80, 0xff, 0xff],
            "--type u8",
            &[128.0, 255.0],
        ),
    ];
    for (color, depth, samples, flags, expected) in cases {
        let desk = Desk::empty();
        for class in ["a", "b"] {
            put(
                &desk,
                &format!("p/{class}/1.png"),
                &picture(color, depth, 2, 1, samples),
            );
        }
        convert(&desk, &format!("p {flags}"));
        let name = if expected.len() == 2 { "idx3" } else { "idx4" };
        let idx = read_idx(&desk, &format!("set/train-images-{name}-ubyte"));
        assert_eq!(
            idx.elements,
            [expected, expected].concat(),
            "{color:?} {depth:?} {flags}"
        );
        assert_eq!(idx.sizes[..3], [2, 1, 2]);
    }
}

#[test]
fn sixteen_bit_pictures_become_floats_unless_a_flag_asks_for_bytes() {
    let desk = Desk::empty();
    let deep = |samples: &[u8]| picture(ColorType::Grayscale, BitDepth::Sixteen, 2, 1, samples);
    put(&desk, "p/a/1.png", &deep(&[0x12, 0x34, 0xff, 0xff]));
    put(&desk, "p/b/1.png", &deep(&[0, 0, 0, 1]));
    convert(&desk, "p");
    let expected = [f64::from(0x1234), 65535.0, 0.0, 1.0];
    assert_eq!(
        read_idx(&desk, "set/train-images-idx3-float"),
        floats(&[2, 1, 2], &expected)
    );
    put(&desk, "p/b/2.png", &grey(&[1, 2]));
    let run = desk.refuses_in_parts(
        "data convert p --out new",
        1,
        &["p/b/2.png: at most 8 bits per channel, expected 16 bits per channel, as p/a/1.png\n"],
    );
    assert!(run.hint().contains("--type u8"), "{run:#?}");
    convert(&desk, "p --type u8 --force");
    assert_eq!(
        read_idx(&desk, "set/train-images-idx3-ubyte").elements,
        [18.0, 255.0, 0.0, 0.0, 1.0, 2.0]
    );
}

#[test]
fn pictures_of_another_size_or_colour_are_refused_by_name() {
    let desk = cats_and_dogs();
    put(&desk, "p/dog/2.png", &grey(&[1, 2, 3]));
    desk.refuses(
        "data convert p --out set",
        1,
        "p/dog/2.png: 3×1 pixels, expected 2×1 pixels, as p/cat/1.png",
    );
    let rgb = picture(ColorType::Rgb, BitDepth::Eight, 2, 1, &[1, 2, 3, 4, 5, 6]);
    put(&desk, "p/dog/2.png", &rgb);
    let run = desk.refuses_in_parts(
        "data convert p --out set",
        1,
        &["p/dog/2.png: colours, expected grey, as p/cat/1.png\n"],
    );
    assert!(run.hint().contains("--color"), "{run:#?}");
    convert(&desk, "p --color rgb");
    assert_eq!(
        read_idx(&desk, "set/train-images-idx4-ubyte").sizes,
        [5, 1, 2, 3]
    );
}

#[test]
fn files_that_are_not_pictures_are_refused_by_name() {
    let desk = cats_and_dogs();
    for (name, content, words) in [
        (
            "p/dog/2.tif",
            &b"II*\0"[..],
            "p/dog/2.tif: another file, expected only pictures\n",
        ),
        (
            "p/stray.png",
            &grey(&[1, 2]),
            "p/stray.png: a picture next to the folders of classes, expected one in a sub-folder\n",
        ),
        ("p/dog/2.png", b"", "p/dog/2.png: "),
        ("p/dog/2.png", b"text", "p/dog/2.png: "),
    ] {
        put(&desk, name, content);
        desk.refuses_in_parts("data convert p --out set", 1, &[words]);
        desk.remove(name);
    }
    fs::create_dir_all(desk.path("p/dog/more")).expect("creating a folder");
    desk.refuses_in_parts(
        "data convert p --out set",
        1,
        &["p/dog/more: a folder, expected only pictures\n"],
    );
    fs::remove_dir(desk.path("p/dog/more")).expect("removing a folder");
    fs::create_dir(desk.path("p/fox")).expect("creating a folder");
    desk.refuses_in_parts(
        "data convert p --out set",
        1,
        &["p/fox: no picture, expected pictures\n"],
    );
    fs::create_dir(desk.path("empty")).expect("creating a folder");
    desk.refuses_in_parts(
        "data convert empty --out set",
        1,
        &["empty: no sub-folder, expected one for each class\n"],
    );
    desk.put("alone.png", &grey(&[1]));
    desk.refuses_in_parts(
        "data convert alone.png --out set",
        1,
        &["alone.png: a single picture, expected a folder with a sub-folder of pictures"],
    );
}

#[test]
fn damaged_pictures_are_refused_by_name() {
    let desk = cats_and_dogs();
    let noise: Vec<u8> = (0..64u32).map(|at| (at * at * 37 % 251) as u8).collect();
    let valid = picture(ColorType::Grayscale, BitDepth::Eight, 8, 8, &noise);
    for class in ["cat", "dog"] {
        fs::remove_dir_all(desk.path(&format!("p/{class}"))).expect("removing a class");
        put(&desk, &format!("p/{class}/1.png"), &valid);
    }
    for length in [8, 20, 40, valid.len() - 20] {
        put(&desk, "p/dog/1.png", &valid[..length]);
        desk.refuses_in_parts(
            "data convert p --out set",
            1,
            &["p/dog/1.png: ", ", expected an intact PNG file\n"],
        );
    }
    let mut damaged = valid.clone();
    damaged[50] ^= 0x40;
    put(&desk, "p/dog/1.png", &damaged);
    desk.refuses_in_parts(
        "data convert p --out set",
        1,
        &["p/dog/1.png: ", ", expected an intact PNG file\n"],
    );
}

#[test]
fn a_picture_with_a_huge_header_allocates_nothing() {
    let desk = cats_and_dogs();
    let mut bomb = grey(&[1, 2]);
    // Width and height in the header, and its checksum (of the chunk's name and content).
    bomb[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    put(&desk, "p/cat/1.png", &bomb);
    desk.refuses_in_parts(
        "data convert p --out set",
        1,
        &["p/cat/1.png: ", "expected "],
    );
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    put(&desk, "p/cat/1.png", &bomb);
    desk.refuses(
        "data convert p --out set",
        1,
        "p/cat/1.png: 65536×65536 pixels, expected at most 4194304 pixels",
    );
}

#[cfg(unix)]
#[test]
fn circular_links_are_an_error() {
    use std::os::unix::fs::symlink;
    let desk = cats_and_dogs();
    // A class that is the folder itself contains folders instead of pictures.
    symlink(".", desk.path("p/loop")).expect("a link");
    desk.refuses_in_parts(
        "data convert p --out set",
        1,
        &["p/loop/cat: a folder, expected only pictures\n"],
    );
    fs::remove_file(desk.path("p/loop")).expect("removing a link");
    symlink("itself.png", desk.path("p/dog/itself.png")).expect("a link");
    desk.refuses_in_parts(
        "data convert p --out set",
        1,
        &["p/dog/itself.png: could not open: "],
    );
    fs::remove_file(desk.path("p/dog/itself.png")).expect("removing a link");
    // A link to a class elsewhere is a class.
    symlink("cat", desk.path("p/again")).expect("a link");
    convert(&desk, "p");
    assert_eq!(desk.read("set/classes.txt"), b"again\ncat\ndog\n");
}
