"""Prints the value of each row of later.csv by model.onnx: FOLDER."""
import csv, datetime, json, pathlib, sys
import numpy as np
import onnx, onnxruntime

folder = pathlib.Path(sys.argv[1])
model = onnx.load(folder / "model.onnx")
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
columns = {key: json.loads(about[key]) for key in ("numbers", "texts")}
assert columns == {"numbers": ["size", "sold", "debt"], "texts": ["cut", "air"]}
assert [given.doc_string for given in model.graph.input] == ["size, sold, debt", "cut, air"]


def number(name, cell):
    if cell in ("", "?"):
        return float("nan")
    if name == "sold":
        return (datetime.date.fromisoformat(cell) - datetime.date(1970, 1, 1)).days
    return float(cell)


with open(folder / "later.csv", newline="") as file:
    rows = list(csv.DictReader(file))
numbers = np.array([[number(name, row[name]) for name in columns["numbers"]] for row in rows])
texts = np.array([[row[name] for name in columns["texts"]] for row in rows])
# One row, a few, and the rest.
for batch in np.split(np.arange(len(rows)), [1, 8]):
    (values,) = session.run(None, {"numbers": numbers[batch], "texts": texts[batch]})
    print(*(repr(float(value)) for value in values[:, 0]), sep="\n")
