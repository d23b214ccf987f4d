"""What cells of a notebook get in place of digits, pictures and the reader, and who failed."""

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from mnist_edu import data, lesson, plots


def about(notebook: str, cells: str, reason: str) -> Callable:
    """Decorate a test of cells: what it raises begins with notebook, cells and likely reason."""
    text = f"notebook {notebook}, {cells}: {reason}"

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def told(*args, **names):
            try:
                return test(*args, **names)
            except AssertionError as error:
                error.args = (f"{text}\n{error}",)
                raise
            except Exception as error:
                error.add_note(text)
                raise

        return told

    return decorate


def made_up(n: int, seed: int, loud: int = 160) -> data.Split:
    """Return digits that can be learned: a bar at a place of its own, and noise; 0 is frequent.

    No image equals another, or itself mirrored, turned or transposed.
    """
    chance = np.random.default_rng(seed)
    labels = chance.choice(10, n, p=np.arange(10, 0, -1) / 55).astype(np.uint8)
    images = chance.integers(0, 90, (n, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 3, 4:24] += np.uint8(loud)
    return data.Split(images, labels)


def digits(train: int = 400, validation: int = 150, test: int = 200) -> data.Dataset:
    """Return a small data set: the three splits hold different images."""
    sizes = enumerate((train, validation, test), 1)
    return data.Dataset(*(made_up(n, seed) for seed, n in sizes), "made up")


def listen(monkeypatch) -> SimpleNamespace:
    """Keep what cells compare, record, show in tables and draw, and show none of it.

    ``drawn`` holds (name of the picture, arguments, named arguments).
    """
    kept = SimpleNamespace(compared=[], recorded={}, tables=[], drawn=[])
    monkeypatch.setattr(lesson, "compare", lambda guess, truth, **_: kept.compared.append(truth))
    monkeypatch.setattr(lesson, "record", lambda _, **numbers: kept.recorded.update(numbers))
    monkeypatch.setattr(lesson, "table", lambda rows, **_: kept.tables.append(rows))
    monkeypatch.setattr(lesson, "progress", lambda items, label: list(items))
    monkeypatch.setattr(lesson, "keras_progress", lambda *_: None)
    for name, picture in inspect.getmembers(plots, inspect.isfunction):
        if picture.__module__ == plots.__name__ and not name.startswith("_"):
            keep = functools.partial(_keep, kept.drawn, name)
            monkeypatch.setattr(plots, name, keep)
    return kept


def _keep(drawn: list, name: str, *args, **how) -> None:
    drawn.append((name, args, how))


def shifts(row: list) -> dict:
    """Return the row of the shift ruler as it is recorded."""
    return {f"shift_{pixels}": value for pixels, value in zip((0, 1, 2, 3, 4), row, strict=True)}
