//! JPEG, BMP and WebP, and pictures of other sizes.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::{bmp::BmpEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use png::{BitDepth, ColorType};

use super::pictures::{grey, picture, put};
use super::{bytes, convert, read_idx};
use crate::desk::Desk;

/// Returns a JPEG file in which every block of 8×8 pixels has one level, so that nothing is lost.
fn jpeg(width: u32, height: u32, level: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let at = |pixel: u32| level(pixel % width / 8, pixel / width / 8);
    let levels: Vec<u8> = (0..width * height).map(at).collect();
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 100)
        .encode(&levels, width, height, ExtendedColorType::L8)
        .expect("writing to memory");
    file
}

/// Returns a JPEG file of one colour.
fn plain_jpeg(color: [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 100)
        .encode(&color.repeat(64), 8, 8, ExtendedColorType::Rgb8)
        .expect("writing to memory");
    file
}

/// Returns the JPEG file with an EXIF segment that has this orientation.
fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let tiff = [
        &b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..],
        &[orientation, 0, 0, 0, 0, 0, 0],
    ];
    let exif = [b"Exif\0\0", &tiff.concat()[..]].concat();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
}

fn two_classes(desk: &Desk, ending: &str, file: &[u8]) {
    for class in ["a", "b"] {
        put(desk, &format!("p/{class}/1.{ending}"), file);
    }
}

#[test]
fn jpeg_pictures_are_decoded() {
    let desk = Desk::empty();
    two_classes(
        &desk,
        "jpg",
        &jpeg(16, 8, |x, _| if x == 0 { 10 } else { 200 }),
    );
    let run = convert(&desk, "p");
    let row = [[10.0; 8], [200.0; 8]].concat();
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    assert_eq!(images, bytes(&[2, 8, 16], &row.repeat(16)));
    let about = "p: JPEG, grey, 8 bits, white background, a sub-folder for each of 2 classes";
    assert_eq!(run.value("from"), about);
}

#[test]
fn jpeg_colors_are_kept_or_become_grey() {
    let desk = Desk::empty();
    two_classes(&desk, "JPEG", &plain_jpeg([250, 60, 20]));
    convert(&desk, "p");
    let images = read_idx(&desk, "set/train-images-idx4-ubyte");
    assert_eq!(images.sizes, [2, 8, 8, 3]);
    // Colours of a JPEG file are rounded as brightness and differences.
    for (at, expected) in [250.0, 60.0, 20.0].into_iter().enumerate() {
        assert!(
            (images.elements[at] - expected).abs() <= 2.0,
            "{:?}",
            &images.elements[..3]
        );
    }
    let run = convert(&desk, "p --color grey --force");
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    assert!(
        (images.elements[0] - 112.2).abs() <= 2.0,
        "{:?}",
        images.elements[0]
    );
    assert!(
        run.stderr
            .contains("note: p: converted all 2 pictures to grey\n"),
        "{run:#?}"
    );
}

#[test]
fn the_orientation_of_a_camera_is_applied() {
    let desk = Desk::empty();
    // Dark on the left, bright on the right; then turned by 90° clockwise, dark is at the top.
    let photo = jpeg(16, 8, |x, _| if x == 0 { 0 } else { 255 });
    two_classes(&desk, "jpg", &oriented(&photo, 6));
    let run = convert(&desk, "p");
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    let upright = [[0.0; 64], [255.0; 64]].concat();
    assert_eq!(images, bytes(&[2, 16, 8], &upright.repeat(2)));
    let note = "note: p: turned all 2 pictures as their files say\n";
    assert!(run.stderr.contains(note), "{run:#?}");
    two_classes(&desk, "jpg", &oriented(&photo, 1));
    let run = convert(&desk, "p --force");
    assert_eq!(run.stderr, "");
}

#[test]
fn bmp_and_webp_pictures_are_grey_if_all_pixels_are() {
    let levels = [[0; 3], [77; 3], [255; 3], [8; 3]].concat();
    let colors = [[0; 3], [77; 3], [255; 3], [8, 9, 10]].concat();
    let bmp = |levels: &[u8]| {
        let mut file = Vec::new();
        let encoder = BmpEncoder::new(&mut file);
        let written = encoder.write_image(levels, 2, 2, ExtendedColorType::Rgb8);
        written.expect("writing to memory");
        file
    };
    let webp = |levels: &[u8]| {
        let mut file = Vec::new();
        let encoder = WebPEncoder::new_lossless(&mut file);
        let written = encoder.write_image(levels, 2, 2, ExtendedColorType::Rgb8);
        written.expect("writing to memory");
        file
    };
    type Encode<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    for (ending, encode) in [("bmp", &bmp as Encode), ("webp", &webp)] {
        let desk = Desk::empty();
        two_classes(&desk, ending, &encode(&levels));
        convert(&desk, "p");
        let images = read_idx(&desk, "set/train-images-idx3-ubyte");
        assert_eq!(
            images,
            bytes(&[2, 2, 2], &[0.0, 77.0, 255.0, 8.0].repeat(2))
        );
        two_classes(&desk, ending, &encode(&colors));
        convert(&desk, "p --force");
        let images = read_idx(&desk, "set/train-images-idx4-ubyte");
        assert_eq!(images.elements[9..12], [8.0, 9.0, 10.0]);
    }
}

#[test]
fn pictures_of_other_sizes_are_resized_if_that_is_asked_for() {
    let desk = Desk::empty();
    put(&desk, "p/a/1.png", &grey(&[0, 100]));
    put(&desk, "p/b/1.png", &grey(&[10, 20, 30, 40]));
    put(
        &desk,
        "p/b/2.jpg",
        &jpeg(16, 8, |x, _| if x == 0 { 0 } else { 250 }),
    );
    let run = desk.refuses(
        "data convert p --out set",
        1,
        "p/b/1.png: 4×1 pixels, expected 2×1 pixels, as p/a/1.png",
    );
    let hint = "--resize 1x2 brings all pictures to one size, height x width";
    assert_eq!(run.hint(), hint);
    let run = convert(&desk, "p --resize 1x2");
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    // Four pixels to two by weights 3, 3, 1; half a picture of each level.
    let wide = [17.0, 33.0];
    assert_eq!(images.elements[..4], [[0.0, 100.0], wide].concat());
    assert_eq!(images.elements[4] + images.elements[5], 250.0);
    assert!(images.elements[4] < 50.0, "{images:?}");
    let note = "note: p: resized 2 of 3 pictures to 1×2, 1 of another ratio by --fit stretch\n";
    assert!(run.stderr.contains(note), "{run:#?}");
    convert(&desk, "p --resize 2x2 --fit pad --background black --force");
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    assert_eq!(images.elements[..4], [0.0, 100.0, 0.0, 0.0]);
    assert_eq!(images.sizes, [3, 2, 2]);
    convert(&desk, "p --resize 1x1 --fit crop --force");
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    assert_eq!(images.elements[0], 0.0);
    for line in [
        "--resize 28",
        "--resize 0x3",
        "--resize 3x9999",
        "--fit pad",
    ] {
        let run = desk.run(&format!("data convert p {line} --out new"));
        assert_eq!(run.code, Some(2), "{run:#?}");
    }
}

#[test]
fn pictures_are_inverted_if_that_is_asked_for() {
    let desk = Desk::empty();
    two_classes(&desk, "png", &grey(&[0, 55, 255]));
    let run = convert(&desk, "p --invert");
    let images = read_idx(&desk, "set/train-images-idx3-ubyte");
    assert_eq!(images.elements, [255.0, 200.0, 0.0, 255.0, 200.0, 0.0]);
    assert!(
        run.stderr.contains("note: p: inverted all 2 pictures\n"),
        "{run:#?}"
    );
    let wide = picture(
        ColorType::Grayscale,
        BitDepth::Sixteen,
        2,
        1,
        &[0, 1, 255, 255],
    );
    two_classes(&desk, "png", &wide);
    convert(&desk, "p --invert --force");
    let images = read_idx(&desk, "set/train-images-idx3-float");
    assert_eq!(images.elements[..2], [65534.0, 0.0]);
}

#[test]
fn damaged_jpeg_files_are_refused() {
    let desk = Desk::empty();
    let whole = jpeg(64, 64, |x, y| (x * 37 + y * 91) as u8);
    two_classes(&desk, "jpg", &whole);
    for length in [4, 30, 200, whole.len() / 2, whole.len() - 30] {
        put(&desk, "p/b/1.jpg", &whole[..length]);
        let parts = ["p/b/1.jpg: ", ", expected an intact JPEG file\n"];
        desk.refuses_in_parts("data convert p --out set", 1, &parts);
    }
    // Sizes in the header that the file cannot have.
    let mut bomb = whole.clone();
    let frame = bomb
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .expect("a frame");
    bomb[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    put(&desk, "p/b/1.jpg", &bomb);
    for flags in ["", "--resize 8x8"] {
        let parts = [
            "p/b/1.jpg: 65535×65535 pixels, expected at most ",
            " pixels\n",
        ];
        desk.refuses_in_parts(&format!("data convert p {flags} --out set"), 1, &parts);
    }
    bomb[frame + 5..frame + 9].copy_from_slice(&[0, 0, 0, 0]);
    put(&desk, "p/b/1.jpg", &bomb);
    desk.refuses_in_parts("data convert p --out set", 1, &["p/b/1.jpg: "]);
}

#[test]
fn pictures_that_are_not_read_are_named() {
    let desk = Desk::empty();
    two_classes(&desk, "png", &grey(&[1]));
    for (content, name) in [
        (&b"GIF89a\x01\0\x01\0"[..], "a GIF picture"),
        (b"II*\0\x08\0\0\0", "a TIFF picture"),
        (b"\0\0\0\x18ftypheic", "a HEIC or AVIF picture"),
        (b"", "an empty file"),
    ] {
        put(&desk, "p/b/1.png", content);
        let message = format!("p/b/1.png: {name}, expected a PNG, JPEG, BMP or WebP picture");
        desk.refuses("data convert p --out set", 1, &message);
    }
    // An animation would lose all but one of its pictures.
    let mut file = Cursor::new(Vec::new());
    let mut encoder = png::Encoder::new(&mut file, 1, 1);
    encoder.set_animated(2, 0).expect("an animation");
    let mut writer = encoder.write_header().expect("a header");
    for level in [1, 2] {
        writer.write_image_data(&[level]).expect("a frame");
    }
    writer.finish().expect("writing to memory");
    put(&desk, "p/b/1.png", file.get_ref());
    let message = "p/b/1.png: an animation, expected a single picture";
    desk.refuses("data convert p --out set", 1, message);
}

#[test]
fn pictures_are_converted_one_by_one_without_labels() {
    let desk = Desk::empty();
    desk.put("b.png", &grey(&[1, 2]));
    desk.put("a.jpg", &jpeg(8, 8, |_, _| 9));
    let run = convert(&desk, "b.png a.jpg --labels none --resize 1x2");
    let images = read_idx(&desk, "set/images-idx3-ubyte");
    assert_eq!(images, bytes(&[2, 1, 2], &[1.0, 2.0, 9.0, 9.0]));
    assert!(
        run.stdout.starts_with("set: 2 samples of 1×2 u8"),
        "{run:#?}"
    );
}

#[test]
fn webp_chunks_that_declare_too_much_are_refused_before_they_are_allocated() {
    let desk = Desk::empty();
    let chunk = |name: &[u8], size: u32, bytes: &[u8]| [name, &size.to_le_bytes(), bytes].concat();
    let file = |flags: u8, chunks: &[u8]| {
        let canvas = chunk(b"VP8X", 10, &[flags, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let size = (4 + canvas.len() + chunks.len()) as u32;
        [&chunk(b"RIFF", size, b"WEBP"), &canvas, chunks].concat()
    };
    let frame = |side: [u8; 2]| {
        let sides = [side, side].concat();
        chunk(
            b"VP8 ",
            10,
            &[&[0, 0, 0, 0x9d, 1, 0x2a], &sides[..]].concat(),
        )
    };
    let exif = [frame([1, 0]), chunk(b"EXIF", 0xffff_ff00, b"ab")].concat();
    for (file, message) in [
        (
            file(8, &exif),
            "a chunk EXIF of 4294967040 bytes, of which 2 are there, expected an intact WebP file",
        ),
        (
            file(0, &frame([0xff, 0x3f])),
            "16383×16383 pixels on a canvas of 1×1, expected an intact WebP file",
        ),
    ] {
        put(&desk, "p/a/1.webp", &file);
        let message = format!("p/a/1.webp: {message}");
        desk.refuses("data convert p --out set", 1, &message);
    }
}
