//! The Python that reads a model file.

use std::env;

use crate::commands::words;
use crate::page::Page;
use crate::program::Folder;

#[test]
fn the_python_in_models_predicts_the_same_classes() {
    let folder = Folder::with_sources();
    let python = env::var("PERCEPTOR_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_modules = folder
        .command_of(&python)
        .args(["-c", "import numpy, safetensors"])
        .output();
    if !has_modules.is_ok_and(|run| run.status.success()) {
        eprintln!("skipped: {python} does not have both numpy and safetensors");
        return;
    }
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

    let page = Page::read("docs/models.md");
    let block = page
        .blocks()
        .into_iter()
        .find(|block| block.is_python())
        .expect("a block of Python");
    let items = "import numpy as np\nitems = np.fromfile('FILE', np.uint8, offset=16).reshape(-1, 28, 28)\n";
    let code = block
        .text
        .replace("\"model.safetensors\"", "\"run/model.safetensors\"");
    let script = format!("{items}{code}\nprint(*classes, sep='\\n')");
    let run = folder
        .command_of(&python)
        .args(["-c", &script])
        .output()
        .expect("Python starts");
    assert!(run.status.success(), "{run:#?}");
    let found = String::from_utf8(run.stdout).expect("text");
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}
