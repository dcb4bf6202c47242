"""Prints the flags of `import` for the scaling of a model: MODEL."""
import json, sys
from safetensors import safe_open

with safe_open(sys.argv[1], "numpy") as file:
    scaling = json.loads(file.metadata()["perceptor"])["scaling"]
print(f"--scale-offset {scaling['offset']} --scale-factor {scaling['factor']}")
