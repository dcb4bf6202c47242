"""How programs, networks and the machine are named in the table and the chart."""

# In the order in which they are shown.
NAMES = {"numpy": "NumPy", "sklearn": "scikit-learn", "torch": "PyTorch", "jax": "JAX", "perceptor": "perceptor"}


def network_label(work):
    return f"{work['network']} {work['activation']}, batch {work['batch_size']}"


def machine_line(results):
    """Returns the processor, its instruction sets, the number of threads, and the date."""
    machine = results["machine"]
    family = f" (family {machine['family']}, model {machine['model']})" if machine["family"] else ""
    known = {"avx512f": ", AVX-512", "avx2": ", AVX2"}
    vector = next((words for name, words in known.items() if name in machine["instruction_sets"]), "")
    settings = "".join(f", {name}={value}" for name, value in machine["environment"].items())
    return f"{machine['processor']}{family}{vector}, {machine['threads']} threads{settings}, {results['date']}"
