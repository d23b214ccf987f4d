"""What every notebook does beside its subject: seeds, guesses, results, progress, shift ruler.

Nothing here trains or draws. TensorFlow and Keras are imported only where they are needed.
"""

import importlib.metadata
import json
import os
import platform
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edu import data
from mnist_edu.cache import whole
from mnist_edu.errors import needs, version
from mnist_edu.guesses import keep_guesses as keep_guesses  # the notebooks say lesson.keep_guesses
from mnist_edu.guesses import note_guess
from mnist_edu.show import html_table, line, show, text_table

RESULTS_MIME = "application/vnd.mnist-edu.results+json"
SHIFTS = (0, 1, 2, 3, 4)

# --- Before the lesson ---------------------------------------------------------------------------


def set_seed(seed: int) -> None:
    """Set every source of chance: Python, NumPy, Keras and TensorFlow.

    On one machine, with the same number of threads, two runs are then identical. Another machine
    adds up in another order, so there the last digits differ, and training makes more of it.
    TensorFlow's advice on speed, which it prints into the cells, is switched off.
    """
    random.seed(seed)
    np.random.seed(seed)
    keras, tensorflow = needs("keras", "lessons"), needs("tensorflow", "lessons")
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()
    tensorflow.get_logger().setLevel("ERROR")


def versions() -> None:
    """Print the versions of Python and of the libraries that the results depend on."""
    found = [f"Python {platform.python_version()}"]
    for name, package in [("NumPy", "numpy"), ("TensorFlow", "tensorflow"), ("Keras", "keras")]:
        try:
            found.append(f"{name} {version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {name}")
    print(" · ".join(found))


def device() -> None:
    """Print the device that TensorFlow will compute on."""
    config = needs("tensorflow", "lessons").config
    gpus = config.list_physical_devices("GPU")
    if not gpus:
        print("This notebook computes on the CPU.")
    for gpu in gpus:
        name = config.experimental.get_device_details(gpu).get("device_name", "GPU")
        print(f"This notebook computes on the GPU: {name}")


def new_folder(name: str) -> Path:
    """Return the folder ``logs/NAME`` below the working folder, empty; what was in it is gone.

    Where nothing can be written there, it is a temporary folder, and a line says so.
    """
    folder = Path("logs") / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "try").touch()
        (folder / "try").unlink()
    except OSError as error:
        folder = Path(tempfile.mkdtemp(prefix=f"mnist_edu-{name}-"))
        print(f"Files cannot be written to logs/{name} ({error.strerror}): they go to {folder}")
    return folder


# --- Predict, then look --------------------------------------------------------------------------


def compare(guess: Any, truth: Any, unit: str = "", digits: int = 3) -> None:
    """Print the reader's guess beside the truth; ``...`` means that nothing was written down.

    Parameters
    ----------
    guess : ``...``, a number, or a text such as ``"b"``
    truth : the measured number, or the right text
    unit : printed after each number, such as ``" %"``
    digits : significant digits of numbers that are not whole
    """
    note_guess(guess, truth)
    shown = _number(truth, digits) + unit
    if guess is ...:
        print(f"No guess written down. Answer: {shown}")
        return
    if isinstance(truth, str):
        verdict = (
            "right" if str(guess).strip().lower() == truth.strip().lower() else "not this time"
        )
    elif isinstance(guess, int | float | np.number):
        difference = _number(abs(float(guess) - float(truth)), digits) + unit
        verdict = f"difference: {difference}, {_nearness(float(guess), float(truth))}"
        guess = f"{guess}{unit}"
    else:
        verdict = "write a number, without quotation marks"
    print(f"Your guess: {guess} · answer: {shown} · {verdict}")


def _nearness(guess: float, truth: float) -> str:
    if guess == truth:
        return "right"
    if guess * truth < 0:
        return "the other way: another sign"
    if abs(guess - truth) <= 0.05 * abs(truth):
        return "near"
    side = "large" if abs(guess) > abs(truth) else "small"
    least, most = sorted([abs(guess), abs(truth)])
    times = most / least if least else 1
    return f"about {times:,.0f} times too {side}" if times >= 1.75 else f"too {side}"


def _number(value: Any, digits: int) -> str:
    if isinstance(value, str | bool):
        return str(value)
    if float(value) == int(value):
        return f"{int(value):,}"
    return f"{float(value):.{digits}g}"


# --- Results -------------------------------------------------------------------------------------


def record(digits: data.Dataset, **numbers: float) -> None:
    """Show named results, marked with the source of the data, in a form that programs read too.

    The output carries ``application/vnd.mnist-edu.results+json``. Where the environment variable
    ``MNIST_EDU_RESULTS`` names a folder, the numbers are also kept there, one file a notebook.
    """
    results = {name: float(value) for name, value in numbers.items()}
    rows = [{"result": name, "value": f"{value:.4g}"} for name, value in results.items()]
    bundle = _table_bundle(rows, digits.source)
    bundle[RESULTS_MIME] = {"source": digits.source, "results": results}
    show(bundle)
    folder = os.environ.get("MNIST_EDU_RESULTS")
    if folder:
        _keep(Path(folder), digits.source, results)


def _keep(folder: Path, source: str, results: dict[str, float]) -> None:
    path = folder / f"{os.environ.get('MNIST_EDU_NOTEBOOK', 'notebook')}.json"
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {"results": {}}
    kept = {"source": source, "results": kept["results"] | results}
    with whole(path) as part:
        part.write_text(json.dumps(kept, indent=1), "utf-8")


def table(rows: list[dict], source: str = "") -> None:
    """Show rows (dictionaries with the same keys) as a table, marked with its source."""
    if not rows:
        raise ValueError("a table needs at least one row")
    show(_table_bundle(rows, source))


def _table_bundle(rows: list[dict], source: str) -> dict:
    cells = [list(rows[0])] + [[str(row[key]) for key in rows[0]] for row in rows]
    return {"text/plain": text_table(cells, source), "text/html": html_table(cells, source)}


# --- Progress ------------------------------------------------------------------------------------


def progress(iterable: Iterable, label: str) -> Iterator:
    """Yield the items of ``iterable`` and show how many are done, in one line that is updated."""
    items = list(iterable)
    update = line()
    start = time.perf_counter()
    for done, item in enumerate(items):
        update(f"{label}: {done} of {len(items)}")
        yield item
    update(f"{label}: {len(items)} of {len(items)} ({time.perf_counter() - start:.0f} s)")


def keras_progress(epochs: int, label: str = "", parts: int = 1):
    """Return a Keras callback that keeps one line up to date; use it with ``verbose=0``.

    Parameters
    ----------
    epochs : passes over the training images, in all
    label : what stands first in the line
    parts : calls of ``fit`` that make one pass; Keras counts each of them as an epoch
    """
    update = line()
    start = time.perf_counter()
    prefix = f"{label} · " if label else ""

    def tell(epoch: int, logs: dict | None) -> None:
        found = logs or {}
        names = {"loss": "loss", "accuracy": "accuracy", "val_accuracy": "validation accuracy"}
        told = [f"{name} {found[key]:.4f}" for key, name in names.items() if key in found]
        told = [f"epoch {round((epoch + 1) / parts, 2):g} of {epochs}", *told]
        update(prefix + " · ".join([*told, f"{time.perf_counter() - start:.0f} s"]))

    keras = needs("keras", "lessons")
    update(f"{prefix}training …")
    return keras.callbacks.LambdaCallback(on_epoch_end=tell)


# --- The shift ruler -----------------------------------------------------------------------------


def shift_accuracies(
    predict: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    shifts: Iterable[int] = SHIFTS,
) -> list[float]:
    """Measure accuracy on digits moved diagonally by a number of pixels.

    Image number i moves in diagonal direction i mod 4 (right and down, right and up, left and
    down, left and up), so that no direction is favoured. What leaves the image is lost.

    Parameters
    ----------
    predict : function of uint8 (n, 28, 28) that returns integer labels (n,)
    images : uint8 (n, 28, 28)
    labels : uint8 (n,)
    shifts : distances in pixels, each along both axes

    Returns
    -------
    list of accuracies in [0, 1], one a distance
    """
    accuracies = []
    for distance in shifts:
        moved = np.empty_like(images)
        for i, (right, down) in enumerate([(1, 1), (1, -1), (-1, 1), (-1, -1)]):
            moved[i::4] = data.shift(images[i::4], right * distance, down * distance)
        accuracies.append(float(np.mean(predict(moved) == labels)))
    return accuracies


def shift_rows(source: str, before: str) -> dict[str, list[float]]:
    """Return the shift ruler's rows of the notebooks before one, measured on the same source.

    Parameters
    ----------
    source : ``digits.source``
    before : number of this notebook, such as ``"06"``

    Returns
    -------
    dict from model name to its mean accuracies at shifts of 0 to 4 pixels, over 5 seeds each
    (``mnist_edu/shift_rows.json``, written by ``python -m mnist_edu bands --full``)
    """
    rows = json.loads((Path(__file__).parent / "shift_rows.json").read_text("utf-8"))
    return {row["model"]: row["mean"] for row in rows if _earlier(row, source, before)}


def _earlier(row: dict, source: str, before: str) -> bool:
    return row["source"] == source and row["notebook"] < before
