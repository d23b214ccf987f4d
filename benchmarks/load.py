"""Loading 70,000 images: the cache by memory map, beside what one would do instead.

Run with ``make bench``. All numbers are of one run on one machine: the ratios are what counts.
"""

import gzip
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mnist_edu import data, download


def seconds(function, repeats: int = 7) -> float:
    """Return the median time of a call, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def parse_gzip(folder: Path) -> None:
    for name in download.FILES:
        np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8)


def main() -> None:
    digits = data.load("mnist", validation_size=0)
    rows = {"mnist_edu, second load": seconds(lambda: data.load("mnist"))}
    for folder in data.places(download.cache_folder()).values():
        if not data.faults(folder):
            rows["gzip and NumPy by hand"] = seconds(lambda: parse_gzip(folder), 3)  # noqa: B023
    rows["keras.datasets.mnist"] = keras_seconds(digits)
    first = next(iter(rows.values()))
    for name, taken in rows.items():
        print(f"{name:25} {1000 * taken:8.1f} ms   {taken / first:6.1f} x")


def keras_seconds(digits: data.Dataset) -> float:
    """Time Keras' own loader on a local copy of its file, so that nothing is downloaded."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["KERAS_HOME"] = home
        import keras

        (Path(home) / "datasets").mkdir()
        names = ("x_train", "y_train", "x_test", "y_test")
        parts = (part for s in (digits.train, digits.test) for part in (s.images, s.labels))
        file = Path(home) / "datasets" / "mnist.npz"
        np.savez_compressed(file, **dict(zip(names, parts, strict=True)))
        reader = sys.modules[keras.datasets.mnist.load_data.__module__]  # what fetches the file
        reader.get_file = lambda *_, **__: str(file)
        return seconds(reader.load_data, 3)


if __name__ == "__main__":
    main()
