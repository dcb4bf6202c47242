//! The Python that reads a model file.

use std::env;

use crate::commands::words;
use crate::page::Page;
use crate::program::Folder;

/// Returns an interpreter with NumPy and safetensors, if there is one.
fn interpreter(folder: &Folder) -> Option<String> {
    let python = env::var("PERCEPTOR_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_modules = folder
        .command_of(&python)
        .args(["-c", "import numpy, safetensors"])
        .output();
    if has_modules.is_ok_and(|run| run.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {python} does not have both numpy and safetensors");
    None
}

/// Returns the block of Python of a page.
fn python_of(page: &str) -> String {
    let blocks = Page::read(page).blocks();
    let block = blocks.into_iter().find(|block| block.is_python());
    block.expect("a block of Python").text
}

/// Runs Python, and returns its lines.
fn lines_of(folder: &Folder, python: &str, script: &str) -> Vec<String> {
    let run = folder
        .command_of(python)
        .args(["-c", script])
        .output()
        .expect("Python starts");
    assert!(run.status.success(), "{run:#?}");
    let text = String::from_utf8(run.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_python_in_tables_predicts_the_same() {
    let folder = Folder::empty();
    let Some(python) = interpreter(&folder) else {
        return;
    };
    let rows = (0..200u32).map(|n| {
        let (year, area) = (1990 + n * 7 % 31, n * 37 % 100);
        let town = ["Bonn", "Kiel", "Ulm", "NA"][(n % 4) as usize];
        let area_cell = if n % 9 == 0 {
            String::new()
        } else {
            area.to_string()
        };
        let garden = if n % 3 == 0 { "yes" } else { "no" };
        let price = 200_000 + 1000 * area + 5000 * (n % 4);
        let kind = ["flat", "house"][usize::from(area > 50)];
        let debt = -(1i64 << (n % 17));
        format!("{n},{year},{area_cell},{town},{garden},{price},{kind},{debt}\n")
    });
    let header = "id,year,area,town,garden,price,kind,debt\n";
    let table: String = [header.to_owned()].into_iter().chain(rows).collect();
    folder.put("TABLE", table.as_bytes());
    for (target, other, scale) in [("price", "kind", "standard"), ("kind", "price", "log")] {
        let train = format!(
            "train --data TABLE --target {target} --drop {other} --scale {scale} --epochs 20 --out {target}"
        );
        let run = folder.run(&words(&train));
        assert!(run.status.success(), "{run:#?}");
        let note = "took the logarithm of column debt";
        let notes = String::from_utf8_lossy(&run.stderr);
        assert_eq!(notes.contains(note), scale == "log", "{notes}");
        let predict = format!("predict {target}/model.safetensors TABLE --format csv");
        let predicted = String::from_utf8(folder.run(&words(&predict)).stdout).expect("text");
        let code = python_of("docs/tables.md");
        let code = code.replace(
            "\"model.safetensors\"",
            &format!("\"{target}/model.safetensors\""),
        );
        let script = format!("{code}\nprint(*np.ravel(predicted), sep='\\n')");
        let found = lines_of(&folder, &python, &script);
        let expected: Vec<&str> = predicted.lines().skip(1).collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            match (found.parse::<f64>(), expected.parse::<f64>()) {
                (Ok(found), Ok(expected)) => {
                    let off = (found - expected).abs();
                    assert!(off <= 1e-5 * expected.abs(), "{found} for {expected}");
                }
                _ => assert_eq!(found, expected),
            }
        }
    }
}

#[test]
fn the_python_in_models_predicts_the_same_classes() {
    let folder = Folder::with_sources();
    let Some(python) = interpreter(&folder) else {
        return;
    };
    for line in [
        "train --data DIR --hidden 16 --activation relu --epochs 2 --out run",
        "predict run/model.safetensors FILE --format json",
    ] {
        let run = folder.run(&words(line));
        assert!(run.status.success(), "{line}: {run:#?}");
    }
    let predicted = folder
        .run(&words("predict run/model.safetensors FILE --format csv"))
        .stdout;
    let predicted = String::from_utf8(predicted).expect("text");
    let expected: Vec<_> = predicted
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(1))
        .collect();

    let items = "import numpy as np\nitems = np.fromfile('FILE', np.uint8, offset=16).reshape(-1, 28, 28)\n";
    let code =
        python_of("docs/models.md").replace("\"model.safetensors\"", "\"run/model.safetensors\"");
    let script = format!("{items}{code}\nprint(*classes, sep='\\n')");
    assert_eq!(lines_of(&folder, &python, &script), expected);
}
