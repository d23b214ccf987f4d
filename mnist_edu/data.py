"""Load the handwritten digits, and change their form: scaled, flat, one-hot, shifted, CSV.

>>> digits = load()
>>> digits.train.images.shape, digits.train.labels.shape
((55000, 28, 28), (55000,))
"""

import contextlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_edu import download
from mnist_edu.download import FILES, Unavailable
from mnist_edu.idx import read_idx
from mnist_edu.show import notice

SOURCES = ("auto", "mnist", "synthetic")
PIXELS = 28 * 28


@dataclass(frozen=True)
class Split:
    """Images uint8 (n, 28, 28) in 0..255, and their labels uint8 (n,) in 0..9."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """Three splits, and where they are from: ``source`` is "MNIST" or "embedded digits"."""

    train: Split
    validation: Split
    test: Split
    source: str

    def __repr__(self) -> str:
        sizes = f"{len(self.train):,} train, {len(self.validation):,} validation"
        return f"{self.source}: {sizes}, {len(self.test):,} test"


# --- Loading -------------------------------------------------------------------------------------


def load(
    source: str = "auto",
    validation_size: int = 5000,
    cache: str | os.PathLike | None = None,
    folder: str | os.PathLike | None = None,
) -> Dataset:
    """Load the digits.

    The arrays are opened by memory map where the cache allows it, and cannot be written to:
    take a copy, ``images.copy()``, to change them.

    Parameters
    ----------
    source : "mnist" (the files in the folder ``MNIST_EDU_DATA``, in the cache, or downloaded),
        "synthetic" (embedded digits), or "auto" (the first of these that can be had)
    validation_size : how many of the first training images are set aside for validation
    cache : folder to keep files in; else ``MNIST_EDU_CACHE``, else the system's cache folder
    folder : folder that may hold the four files; else ``MNIST_EDU_DATA``

    Returns
    -------
    Dataset of uint8 images (n, 28, 28) and uint8 labels (n,); with MNIST and the usual size of
    the validation split 55,000 train, 5,000 validation and 10,000 test

    Raises
    ------
    ValueError
        If the source has no such name, or the validation split does not fit.
    Unavailable
        If the data cannot be had. The message says why, and what to do.
    """
    if source not in SOURCES:
        raise ValueError(f"unknown source {source!r}: use one of {', '.join(SOURCES)}")
    cache = Path(cache) if cache else download.cache_folder()
    if source == "synthetic":
        return _split(*_embedded(), validation_size, "embedded digits")
    try:
        return _split(*_mnist(cache, folder, source == "mnist"), validation_size, "MNIST")
    except Unavailable as error:
        if source == "mnist":
            raise
        notice(f"MNIST is not available ({error}).")
        return _split(*_embedded(), validation_size, "embedded digits")


def _split(train, train_labels, test, test_labels, size: int, source: str) -> Dataset:
    if not 0 <= size < len(train):
        raise ValueError(f"validation_size must be from 0 to {len(train) - 1}, not {size}")
    return Dataset(
        Split(train[size:], train_labels[size:]),
        Split(train[:size], train_labels[:size]),
        Split(test, test_labels),
        source,
    )


def _embedded():
    """Embedded digits come with a later version; until then, say so."""
    raise Unavailable(
        "embedded digits are not part of this version yet, so MNIST itself is needed: connect to "
        "a network once, or put its four .gz files into a folder and set MNIST_EDU_DATA to it"
    )


def _mnist(cache: Path, folder: str | os.PathLike | None, patient: bool) -> list[np.ndarray]:
    """Return the four arrays: decoded in the cache, else from files, else from the network."""
    decoded = [cache / _decoded_name(name) for name in FILES]
    try:
        return [np.load(path, mmap_mode="r") for path in decoded]
    except (OSError, ValueError, EOFError):  # missing or damaged: decode anew
        pass
    files = _files(cache, folder, patient)
    return [_decode(files / name, path) for name, path in zip(FILES, decoded, strict=True)]


def _decoded_name(name: str) -> str:
    return f"{name.split('-idx')[0]}-{FILES[name][:12]}.npy"


def _files(cache: Path, folder: str | os.PathLike | None, patient: bool) -> Path:
    """Return a folder that holds the four files, each with the right SHA-256."""
    if folder and not faults(Path(folder)):
        return Path(folder)
    named = os.environ.get("MNIST_EDU_DATA")
    wrong = faults(Path(named)) if named else []
    if named and not wrong:
        return Path(named)
    if wrong:
        reason = "; ".join(wrong) if Path(named).is_dir() else "there is no such folder from here"
        notice(f"MNIST_EDU_DATA={named} does not hold MNIST ({reason}). Looking elsewhere.")
    if faults(cache):
        download.download(cache, silence=20 if patient else download.SILENCE)
    return cache


def places(cache: Path) -> dict[str, Path]:
    """Return the folders that are looked into, by the name of what they are."""
    named = os.environ.get("MNIST_EDU_DATA")
    return ({"MNIST_EDU_DATA": Path(named)} if named else {}) | {"cache": cache}


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the four files in a folder: a sentence each, none if all is well."""
    return [fault for fault in (download.fault(folder / name) for name in FILES) if fault]


def _decode(file: Path, decoded: Path) -> np.ndarray:
    array = read_idx(file)
    temporary = decoded.with_name(f"{decoded.name}.{os.getpid()}.tmp")
    try:
        decoded.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as stream:
            np.save(stream, array)
        os.replace(temporary, decoded)
        return np.load(decoded, mmap_mode="r")
    except (OSError, ValueError) as error:
        notice(f"The digits were not kept for next time: {error}.")
        array.flags.writeable = False
        return array
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


# --- Forms ---------------------------------------------------------------------------------------


def scale(images: np.ndarray) -> np.ndarray:
    """Scale uint8 in 0..255 to float32 in [0, 1], of the same shape.

    Raises
    ------
    ValueError
        If the images are not uint8: they would be scaled twice.
    """
    if images.dtype != np.uint8:
        raise ValueError(f"scale takes uint8 images, these are {images.dtype}: scaled already?")
    return images.astype(np.float32) / np.float32(255)


def flatten(images: np.ndarray) -> np.ndarray:
    """Lay the rows of each image end to end: (n, 28, 28) or (n, 28, 28, 1) becomes (n, 784)."""
    return images.reshape(len(images), PIXELS)


def add_channel(images: np.ndarray) -> np.ndarray:
    """Add the axis that colour would need: (n, 28, 28) becomes (n, 28, 28, 1)."""
    return images[..., np.newaxis]


def one_hot(labels: np.ndarray, classes: int = 10) -> np.ndarray:
    """Turn labels (n,) in 0..classes-1 into float32 (n, classes), a 1 at each label's place.

    Raises
    ------
    ValueError
        If a label lies outside.
    """
    labels = np.asarray(labels)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels must be from 0 to {classes - 1}")
    return np.eye(classes, dtype=np.float32)[labels]


def shift(images: np.ndarray, right: int = 0, down: int = 0) -> np.ndarray:
    """Move images (n, 28, 28) by whole pixels; negative is left and up. What leaves is lost."""
    moved = np.zeros_like(images)
    height, width = images.shape[1:3]
    to_rows, from_rows = _overlap(down, height)
    to_columns, from_columns = _overlap(right, width)
    moved[:, to_rows, to_columns] = images[:, from_rows, from_columns]
    return moved


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    by = max(-size, min(by, size))
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))


# --- CSV -----------------------------------------------------------------------------------------


def write_csv(
    path: str | os.PathLike, images: np.ndarray, labels: np.ndarray, header: bool = True
) -> None:
    """Write digits as text: a line each, the label, then its 784 pixels from 0 to 255.

    Parameters
    ----------
    path : file to write; it appears when it is complete
    images : uint8 (n, 28, 28)
    labels : uint8 (n,)
    header : start with the line ``label,pixel0,...,pixel783``
    """
    rows = np.column_stack([np.asarray(labels, np.uint8), flatten(np.asarray(images))])
    if rows.dtype != np.uint8:
        raise ValueError(f"CSV takes uint8 images, these are {np.asarray(images).dtype}")
    words = np.array([str(value) for value in range(256)], dtype=object)
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="ascii", newline="\n") as file:
            if header:
                file.write(",".join(["label", *(f"pixel{i}" for i in range(PIXELS))]) + "\n")
            for row in rows:
                file.write(",".join(words[row]) + "\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_csv(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Read digits from a CSV file with or without a header line.

    Returns
    -------
    images uint8 (n, 28, 28) and labels uint8 (n,)

    Raises
    ------
    ValueError
        If a line has not 785 numbers, or a number lies outside 0..255; the line is named.
    """
    with open(path, encoding="utf-8-sig") as file:
        lines = [line for line in file.read().splitlines() if line.strip()]
    first = 1 if lines and lines[0].lower().lstrip('"').startswith("label") else 0
    values = np.empty((len(lines) - first, PIXELS + 1), np.uint8)
    for i, line in enumerate(lines[first:]):
        values[i] = _csv_row(line, f"{Path(path).name}, line {i + first + 1}")
    if values[:, 0].max(initial=0) > 9:
        line = int(np.argmax(values[:, 0] > 9)) + first + 1
        raise ValueError(f"{Path(path).name}, line {line}: a label above 9")
    return values[:, 1:].reshape(-1, 28, 28).copy(), values[:, 0].copy()


def _csv_row(line: str, place: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's way to say "no number"
        row = np.fromstring(line, dtype=np.int64, sep=",")
    words = line.split(",") if row.size != PIXELS + 1 else []
    if words and len(words) != PIXELS + 1:
        raise ValueError(f"{place}: {len(words)} values, and not a label and 784 pixels")
    try:
        row = np.array([int(word) for word in words]) if words else row
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    if row.min() < 0 or row.max() > 255:
        raise ValueError(f"{place}: a value outside 0..255")
    return row
