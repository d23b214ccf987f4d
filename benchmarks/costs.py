"""What the course itself costs, each beside what one would do instead, measured in one run.

Import, load and drawing take two minutes. ``--series`` adds the quick series, two notebooks at a
time and then one by one (a quarter of an hour), and ``--full`` the full one (half an hour), with
the peak memory of each notebook. Seconds are of one machine; the ratios are what counts. What is
not measured anew stays in the file.

Run with ``make bench``, with MNIST at hand. It writes ``mnist_edu/measured/costs.json``. In each
group the first line is what one would do instead.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import shared

from mnist_edu import cache, data, download, errors, series, synthetic

STEP = """
import time
import keras
import numpy as np
conv, pool = keras.layers.Conv2D, keras.layers.MaxPool2D
stack = [conv(16, 5, padding="same"), pool(), conv(36, 5, padding="same"), pool()]
rest = [keras.layers.Flatten(), keras.layers.Dense(128, "relu"), keras.layers.Dense(10)]
model = keras.Sequential([keras.Input((28, 28, 1)), *stack, *rest])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
images, labels = np.ones((64, 28, 28, 1), np.float32), np.zeros(64, np.int32)
times = []
for _ in range(40):
    start = time.perf_counter()
    model.train_on_batch(images, labels)
    times.append(time.perf_counter() - start)
print(min(times))
"""
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def in_turn(ways: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Measure several ways in turn, ``repeats`` rounds: what disturbs one disturbs all."""
    found = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            found[name].append(way())
    return {name: [round(value, 4) for value in values] for name, values in found.items()}


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# --- Import, load, draw --------------------------------------------------------------------------


def import_seconds(module: str) -> float:
    """Time an import in a fresh process."""
    command = [sys.executable, "-c", IMPORT.format(module)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def measure_imports() -> dict:
    names = ("numpy", "mnist_edu", "mnist_edu.data")
    return in_turn({f"import {name}": lambda name=name: import_seconds(name) for name in names}, 15)


def measure_plots() -> dict:
    names = ("matplotlib.pyplot", "mnist_edu.plots")
    return in_turn({f"import {name}": lambda name=name: import_seconds(name) for name in names}, 7)


def measure_loads() -> dict:
    digits = data.load("mnist", validation_size=0)
    with tempfile.TemporaryDirectory() as home:
        ways = {"keras.datasets.mnist, 70,000 images": keras_loader(digits, Path(home))}
        for folder in data.places(cache.cache_folder()).values():
            if all((folder / name).exists() for name in download.FILES):
                ways["gzip and NumPy by hand"] = lambda folder=folder: seconds(
                    lambda: unpack(folder)
                )
        ways["mnist_edu.data.load, second time"] = lambda: seconds(lambda: data.load("mnist"))
        return in_turn(ways, 5)


def unpack(folder: Path) -> None:
    for name in download.FILES:
        np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8)


def keras_loader(digits: data.Dataset, home: Path) -> Callable[[], float]:
    """Return Keras' own loader on a local copy of its file, so that nothing is downloaded."""
    import keras

    names = ("x_train", "y_train", "x_test", "y_test")
    parts = (part for s in (digits.train, digits.test) for part in (s.images, s.labels))
    np.savez_compressed(home / "mnist.npz", **dict(zip(names, parts, strict=True)))
    reader = sys.modules[keras.datasets.mnist.load_data.__module__]  # what fetches the file
    reader.get_file = lambda *_, **__: str(home / "mnist.npz")
    return lambda: seconds(reader.load_data)


def measure_convolutions() -> dict:
    """Time a training step of the small CNN of 06 on one core, as two notebooks at a time have."""

    def one_step(switch: str) -> float:
        env = os.environ | dict.fromkeys(series.THREADS, "1") | {"TF_ENABLE_ONEDNN_OPTS": switch}
        how = {"capture_output": True, "check": True, "text": True}
        return float(subprocess.run([sys.executable, "-c", STEP], env=env, **how).stdout)

    step = "step of the small CNN, one core, {} oneDNN"
    switches = {"without": "0", "with": "1"}
    ways = {step.format(word): lambda s=s: one_step(s) for word, s in switches.items()}
    return in_turn(ways, 5)


def measure_drawing() -> dict:
    """Time 70,000 embedded digits, and such strokes drawn one by one with OpenCV."""
    import cv2

    from mnist_edu import ink

    def one_by_one() -> float:
        start = time.perf_counter()
        for n in range(700):
            strokes = synthetic.example_strokes(n % 10, n)
            cv2.resize(ink.draw_strokes(strokes), (28, 28), interpolation=cv2.INTER_AREA)
        return 100 * (time.perf_counter() - start)

    def all_at_once() -> float:
        return seconds(lambda: synthetic.make_digits(70_000, 3))

    ways = {"strokes one by one with OpenCV, 100 x 700": one_by_one}
    return in_turn(ways | {"draw 70,000 embedded digits": all_at_once}, 3)


# --- The series ----------------------------------------------------------------------------------


def measure_series(full: bool) -> dict:
    """Run all notebooks, two at a time; return seconds of all, and of each its peak memory.

    Then they run once more, one notebook after another, as one would by hand: a learner waits for a
    cell that has the machine to itself.
    """
    peaks, stop = {}, threading.Event()
    psutil = errors.needs("psutil", "bench")
    watcher = threading.Thread(target=watch_memory, args=(psutil, peaks, stop))
    watcher.start()
    try:
        found = run_series(full, jobs=2)
    finally:
        stop.set()
        watcher.join()
    for name, peak in peaks.items():
        found["notebooks"][name]["peak_mb"] = round(peak / 1e6)
    return found | {"one_by_one": run_series(full, jobs=1)}


def run_series(full: bool, jobs: int) -> dict:
    """Run all notebooks; return the seconds of all, and of each, with the cell that took longest.

    Raises
    ------
    SystemExit
        If a notebook failed.
    """
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        rows = series.run(full=full, source="mnist", jobs=jobs, out=out)
        taken = time.perf_counter() - start
        failed = [row.notebook for row in rows if row.state != series.OK]
        if failed:
            raise SystemExit(f"{', '.join(failed)} failed: run the notebook by itself")
        notebooks = {
            row.notebook: {"seconds": round(row.seconds, 1)}
            | longest(Path(out) / f"{row.notebook}.ipynb")
            for row in rows
        }
    return {"seconds": round(taken, 1), "notebooks": notebooks}


def longest(executed: Path) -> dict:
    """Return the cell of an executed notebook that took longest, and its seconds."""
    cells = json.loads(executed.read_text("utf-8"))["cells"]
    taken = {c["id"]: c["metadata"].get("papermill", {}).get("duration") or 0.0 for c in cells}
    cell = max(taken, key=lambda name: taken[name])
    return {"longest_cell": cell, "longest_seconds": round(taken[cell], 1)}


def watch_memory(psutil: ModuleType, peaks: dict[str, int], stop: threading.Event) -> None:
    """Keep the largest memory of each notebook's processes together, in bytes.

    What processes share, such as TensorFlow's libraries, counts once (PSS) where the system knows.
    """

    def memory(process) -> int:
        return getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss

    while not stop.wait(0.5):
        for process in psutil.Process().children(recursive=True):
            try:
                words = process.cmdline()
                if "papermill" not in words:
                    continue
                name = Path(words[words.index("papermill") + 1]).stem
                family = [process, *process.children(recursive=True)]
                used = sum(memory(member) for member in family)
                peaks[name] = max(peaks.get(name, 0), used)
            except psutil.Error:  # it has ended meanwhile
                continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", action="store_true", help="the quick series too")
    parser.add_argument("--full", action="store_true", help="the full series too")
    chosen = parser.parse_args()
    page = shared.stored("costs") | {"machine": shared.machine(), "seconds": {}}
    measures = (measure_imports, measure_plots, measure_loads, measure_drawing)
    for measure in (*measures, measure_convolutions):
        page["seconds"][measure.__name__.removeprefix("measure_")] = measure()
    for name, asked in (("quick", chosen.series), ("full", chosen.full)):
        if asked:
            page[name] = measure_series(name == "full")
        shared.write(shared.MEASURED / "costs.json", page)


if __name__ == "__main__":
    main()
