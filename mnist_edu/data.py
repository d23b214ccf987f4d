"""Load the handwritten digits, and change their form: scaled, flat, one-hot, shifted, CSV.

>>> digits = load()
>>> digits.train.images.shape, digits.train.labels.shape
((55000, 28, 28), (55000,))
"""

import contextlib
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_edu import download, synthetic
from mnist_edu.download import FILES, Unavailable
from mnist_edu.idx import read_idx
from mnist_edu.show import line, notice

SOURCES = ("auto", "mnist", "synthetic")
PIXELS = 28 * 28
EMBEDDED = "These are EMBEDDED DIGITS, drawn by the package. They are not MNIST."
REMEDY = (
    "connect to a network once, "
    "or put its four .gz files into a folder and set MNIST_EDU_DATA to it"
)


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
        notice(EMBEDDED)
        return _split(*_embedded(cache), validation_size, "embedded digits")
    try:
        return _split(*_mnist(cache, folder, source == "mnist"), validation_size, "MNIST")
    except Unavailable as error:
        if source == "mnist":
            raise Unavailable(f"MNIST is not available: {error}. What to do: {REMEDY}") from None
        notice(f"{EMBEDDED} MNIST is not available ({error}). For MNIST: {REMEDY}.")
        return _split(*_embedded(cache), validation_size, "embedded digits")


def _split(train, train_labels, test, test_labels, size: int, source: str) -> Dataset:
    if not 0 <= size < len(train):
        raise ValueError(f"validation_size must be from 0 to {len(train) - 1}, not {size}")
    return Dataset(
        Split(train[size:], train_labels[size:]),
        Split(train[:size], train_labels[:size]),
        Split(test, test_labels),
        source,
    )


def _embedded(cache: Path) -> list[np.ndarray]:
    """Return 60,000 and 10,000 embedded digits and their labels, drawn once and kept."""
    parts = ("train-images", "train-labels", "test-images", "test-labels")
    paths = [cache / f"embedded-v{synthetic.VERSION}-{part}.npy" for part in parts]
    with contextlib.suppress(Exception):  # missing, or damaged in whatever way: draw anew
        return [_open(path) for path in paths]
    update, arrays = line(), []
    for n, seed in synthetic.SETS:

        def tell(done: int, n: int = n) -> None:
            update(f"drawing embedded digits: {done:,} of {n:,}")

        arrays += synthetic.make_digits(n, seed, progress=tell)
    return _keep_all(arrays, paths)


def _mnist(cache: Path, folder: str | os.PathLike | None, patient: bool) -> list[np.ndarray]:
    """Return the four arrays: decoded in the cache, else from files, else from the network."""
    with contextlib.suppress(Exception):  # missing, or damaged in whatever way: decode anew
        return decoded(cache)
    with tempfile.TemporaryDirectory() as spare:
        files = _files(cache, folder, patient, Path(spare))
        arrays = [read_idx(files / name) for name in FILES]
    return _keep_all(arrays, [cache / _decoded_name(name) for name in FILES])


def decoded(cache: Path) -> list[np.ndarray]:
    """Open the four decoded arrays in the cache, or raise the error that says why not."""
    return [_open(cache / _decoded_name(name)) for name in FILES]


def _decoded_name(name: str) -> str:
    return f"{name.split('-idx')[0]}-{FILES[name][:12]}.npy"


def _files(cache: Path, folder: str | os.PathLike | None, patient: bool, spare: Path) -> Path:
    """Return a folder that holds the four files, each with the right SHA-256.

    ``spare`` takes a download where the cache cannot be written.
    """
    if folder and not faults(Path(folder)):
        return Path(folder)
    named = os.environ.get("MNIST_EDU_DATA")
    wrong = faults(Path(named)) if named else []
    if named and not wrong:
        return Path(named)
    if wrong:
        reason = "; ".join(wrong) if Path(named).is_dir() else "there is no such folder from here"
        notice(f"MNIST_EDU_DATA={named} does not hold MNIST ({reason}). Looking elsewhere.")
    if not faults(cache):
        return cache
    silence = 20 if patient else download.SILENCE
    try:
        download.download(cache, silence)
        return cache
    except download.CacheFault as error:
        notice(f"The download serves this time only: {error}.")
    download.download(spare, silence)
    return spare


def places(cache: Path) -> dict[str, Path]:
    """Return the folders that are looked into, by the name of what they are."""
    named = os.environ.get("MNIST_EDU_DATA")
    return ({"MNIST_EDU_DATA": Path(named)} if named else {}) | {"cache": cache}


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the four files in a folder, a sentence for each fault."""
    return [fault for fault in (download.fault(folder / name) for name in FILES) if fault]


def _open(path: Path) -> np.ndarray:
    array = np.load(path, mmap_mode="r")
    if array.dtype != np.uint8 or array.ndim != (3 if "images" in path.name else 1):
        raise ValueError(f"{path.name} holds something else")
    return array


def _keep_all(arrays: list[np.ndarray], paths: list[Path]) -> list[np.ndarray]:
    try:
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        _sweep(paths[0].parent)
        return [_keep(array, path) for array, path in zip(arrays, paths, strict=True)]
    except OSError as error:
        notice(f"The digits were not kept for next time ({error.strerror or error}).")
    for array in arrays:
        array.flags.writeable = False
    return arrays


def _sweep(cache: Path) -> None:
    """Remove what killed processes left half-written more than an hour ago."""
    for path in cache.glob("*.npy.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > 3600:
                path.unlink()


def _keep(array: np.ndarray, path: Path) -> np.ndarray:
    """Write an array to the cache whole or not at all, and return it as a memory map."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            np.save(stream, array)
        with contextlib.suppress(PermissionError):  # Windows: another process has it open
            os.replace(temporary, path)
        return _open(path)
    except (ValueError, EOFError) as error:
        raise OSError(f"{path.name} cannot be replaced: {error}") from None
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

    Raises
    ------
    ValueError
        If the images are not uint8, or there is not one label from 0 to 9 for each.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8:
        raise ValueError(f"CSV takes uint8 images, these are {images.dtype}")
    if labels.shape != (len(images),) or not np.isin(labels, range(10)).all():
        raise ValueError("CSV takes a label from 0 to 9 for each image")
    rows = np.column_stack([labels.astype(np.uint8), flatten(images)])
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
    name, rows = Path(path).name, []
    with open(path, encoding="utf-8-sig", errors="replace") as file, warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # NumPy's way to say "no number"
        for number, line in enumerate(file, 1):
            if line.strip() and not (number == 1 and _is_header(line)):
                rows.append(_csv_row(line.strip(), f"{name}, line {number}"))
    values = np.array(rows, np.uint8).reshape(-1, PIXELS + 1)
    return values[:, 1:].reshape(-1, 28, 28).copy(), values[:, 0].copy()


def _is_header(line: str) -> bool:
    """Say whether a line names columns: by the word "label", or by holding no number."""
    words = [word.strip().strip('"').lower() for word in line.split(",")]
    return words[0] == "label" or not any(word[:1].isdigit() for word in words)


def _csv_row(line: str, place: str) -> np.ndarray:
    try:
        row = np.fromstring(line, dtype=np.int64, sep=",")
    except (ValueError, DeprecationWarning):  # the slow way says what was wrong
        row = np.array([], np.int64)
    if row.size != PIXELS + 1 or line.endswith(","):
        row = _csv_words(line.split(","), place)
    if row.min() < 0 or row.max() > 255:
        raise ValueError(f"{place}: a value outside 0..255")
    if row[0] > 9:
        raise ValueError(f"{place}: a label above 9")
    return row.astype(np.uint8)


def _csv_words(words: list[str], place: str) -> np.ndarray:
    if len(words) != PIXELS + 1:
        raise ValueError(f"{place}: {len(words)} values, and not a label and 784 pixels")
    for column, word in enumerate(words, 1):
        if not word.strip().removeprefix("-").isdecimal():
            raise ValueError(f"{place}: column {column}: {word.strip()[:20]!r} is no whole number")
    return np.array([float(word) for word in words])
