//! Tables as people have them: what becomes of their columns, and how later tables are read.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use perceptor::table::{Encoded, Encoding, TableOptions, TableRequest, TrainingTable};
use perceptor::{Task, Workers};

/// A folder with tables.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("writing a table");
        path
    }
}

fn workers() -> Workers {
    Workers::new(NonZeroUsize::new(2).expect("not zero")).expect("workers")
}

fn inputs(encoded: &Encoded) -> Vec<Vec<f32>> {
    let rows = encoded.data.rows();
    let row = |row| {
        let mut out = vec![0.0; rows.features()];
        rows.read(row, &mut out);
        out
    };
    (0..rows.len()).map(row).collect()
}

#[test]
fn columns_become_inputs_by_what_they_have() {
    let folder = Folder::new();
    let text = "id,size,cut,air,same,price\n\
        1,1.0,good,no,7,10.5\n2,,fair,yes,7,20\n3,3.0,good,no,7,\n4,5.0,NA,no,7,30\n5,3.0,poor,no,7,40\n";
    let path = folder.write("train.csv", text);
    let options = TableOptions::default();
    let request = TableRequest {
        path: &path,
        targets: &["price".to_owned()],
        sample_weight: None,
        task: None,
        options: &options,
    };
    let table = TrainingTable::survey(&request, &workers()).expect("a table");
    assert_eq!(table.task(), Task::Regression);
    assert_eq!(table.rows(), 4);
    let schema = table.schema().clone();
    let json = serde_json::to_string(&schema).expect("JSON");
    let read: perceptor::table::Schema = serde_json::from_str(&json).expect("a schema");
    assert_eq!(read, schema);
    assert!(matches!(
        schema.columns[0].encoding,
        Encoding::Omitted { .. }
    ));
    let encoded = table.read(&workers()).expect("rows");
    let deviation = (8.0f64 / 3.0).sqrt();
    let size = |value: f64| ((value - 3.0) / deviation) as f32;
    let expected = vec![
        vec![size(1.0), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        vec![size(3.0), 1.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        vec![size(5.0), 0.0, 1.0, 0.0, 0.0, 1.0, 0.0],
        vec![size(3.0), 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    ];
    assert_eq!(inputs(&encoded), expected, "{json}");
}
