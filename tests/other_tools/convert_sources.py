"""Writes arrays and pictures with NumPy and Pillow, and next to them the IDX files that they should convert to.

argv: a folder. Prints a line for each case: the flags of `data convert`, a tab, and the file to compare with.
"""

import pathlib
import struct
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(1)
cases = 0


def expect(flags, items):
    """Adds a case with these samples: bytes if all values are integers from 0 to 255, otherwise floats."""
    global cases
    cases += 1
    items = np.asarray(items)
    values = items.astype("f8")
    is_bytes = np.all((values >= 0) & (values <= 255) & (values == np.floor(values)))
    code, kind = (0x08, "u1") if is_bytes else (0x0D, ">f4")
    if items.ndim == 1:
        items = items[:, None]
    file = folder / f"expected-{cases}"
    header = struct.pack(f">BBBB{items.ndim}I", 0, 0, code, items.ndim, *items.shape)
    file.write_bytes(header + np.ascontiguousarray(items).astype(kind).tobytes())
    print(flags, file, sep="\t")


def arrays():
    labels = folder / "y.npy"
    np.save(labels, np.arange(7) % 2)
    kinds = ["?", "u1", "<u2", ">u2", "<u4", "<u8", "i1", "<i2", ">i2", "<i4", "<i8", ">i8", "<f2", "<f4", ">f4", "<f8"]
    for kind in kinds:
        for shape in [(7,), (7, 5), (7, 3, 4), (7, 2, 3, 2)]:
            for order in "CF":
                x = rng.normal(size=shape) * 50 if "f" in kind else rng.integers(0, 100, shape)
                x = x - 50 if "i" in kind else x
                x = np.asarray(x.astype(kind), order=order)
                name = folder / f"x{cases}.npy"
                np.save(name, x)
                expect(f"{name} --labels {labels}", x)
                for save in [np.savez, np.savez_compressed]:
                    name = folder / f"x{cases}.npz"
                    save(name, x=x, y=np.arange(7) % 2)
                    expect(f"{name}", x)


def pictures():
    from PIL import Image

    image = Image.fromarray(rng.integers(0, 256, (5, 6, 4)).astype("u1"))
    for mode in ["1", "L", "LA", "P", "RGB", "RGBA", "transparent palette"]:
        with_alpha = mode == "transparent palette"
        picture = image.convert("RGB").convert("P") if with_alpha else image.convert(mode)
        place = folder / f"pictures{cases}"
        for label in "ab":
            (place / label).mkdir(parents=True)
            options = {"transparency": 3} if with_alpha else {}
            picture.save(place / label / "1.png", **options)
        read = Image.open(place / "a" / "1.png").convert("RGBA")
        for background in ["white", "black"]:
            over = Image.new("RGBA", read.size, background)
            over.alpha_composite(read)
            for color, name in [("grey", "L"), ("rgb", "RGB")]:
                items = np.array(over.convert("RGB").convert(name))
                expect(f"{place} --color {color} --background {background}", [items, items])


if len(sys.argv) > 2:
    pictures()
else:
    arrays()
