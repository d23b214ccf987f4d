"""Load the handwritten digits, and change their form: scaled, flat, one-hot, shifted.

>>> images, labels = synthetic.make_digits(100, seed=1)
>>> flatten(scale(images)).shape, one_hot(labels).shape
((100, 784), (100, 10))
"""

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_edu import download, files, synthetic
from mnist_edu.cache import cache_folder, whole
from mnist_edu.csv_files import read_csv as read_csv
from mnist_edu.csv_files import write_csv as write_csv
from mnist_edu.download import Unavailable
from mnist_edu.errors import AskedWrongly
from mnist_edu.show import line, notice

EMBEDDED = "These are EMBEDDED DIGITS, drawn by the package. They are not MNIST."


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

    @property
    def is_embedded(self) -> bool:
        """Whether these stand in for real digits, which must be said beside every result."""
        return bool(warning_of(self.source))

    def __repr__(self) -> str:
        sizes = f"{len(self.train):,} train, {len(self.validation):,} validation"
        return f"{self.source}: {sizes}, {len(self.test):,} test"


# --- Where digits come from ----------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A row of the table of sources; nothing else in the project knows what sources there are."""

    name: str  # what asks for it: load("mnist")
    label: str  # what every result, figure and table says
    arrays: Callable[[Path, bool], list[np.ndarray]]  # (cache, patient): train, test; Unavailable
    warning: str = ""  # shown wherever its digits are used
    remedy: str = ""  # what to do where it cannot be had
    version: int = 0  # results on digits of another version are not compared


def _mnist(cache: Path, patient: bool) -> list[np.ndarray]:
    """Return the four arrays: decoded in the cache, else from files, else from the network."""
    with contextlib.suppress(Exception):  # missing, or damaged in whatever way: decode anew
        return decoded(cache)
    return _keep_all(_from_files(cache, patient), _mnist_paths(cache))


def _embedded(cache: Path, patient: bool) -> list[np.ndarray]:
    """Return 60,000 and 10,000 embedded digits and their labels, drawn once and kept."""
    parts = ("train-images", "train-labels", "test-images", "test-labels")
    paths = [cache / f"embedded-v{synthetic.VERSION}-{part}.npy" for part in parts]
    with contextlib.suppress(Exception):  # missing, or damaged in whatever way: draw anew
        return [_open(path) for path in paths]
    update, arrays = line(), list[np.ndarray]()
    for n, seed in synthetic.SETS:

        def tell(done: int, n: int = n) -> None:
            update(f"drawing embedded digits: {done:,} of {n:,}")

        arrays += synthetic.make_digits(n, seed, progress=tell)
    return _keep_all(arrays, paths)


SOURCES = {
    row.name: row
    for row in (  # "auto" takes the first that can be had
        Source(
            "mnist",
            "MNIST",
            _mnist,
            remedy="connect to a network once, or put its four files into a folder and set "
            "MNIST_EDU_DATA to it",
        ),
        Source("synthetic", "embedded digits", _embedded, EMBEDDED, version=synthetic.VERSION),
    )
}


def row_of(label: str) -> Source | None:
    """Return the row of the source that results name so; None for files of the reader's own."""
    return next((row for row in SOURCES.values() if row.label == label), None)


def warning_of(label: str) -> str:
    """Return what must be said wherever digits of this source are used, or an empty text."""
    row = row_of(label)
    return row.warning if row else ""


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
    folder : folder with four files of MNIST's names. With "auto", what they hold is loaded,
        MNIST or not; where it is not, ``source`` of the result is "files in ..."

    Returns
    -------
    Dataset of uint8 images (n, 28, 28) and uint8 labels (n,); with MNIST and the usual size of
    the validation split 55,000 train, 5,000 validation and 10,000 test

    Raises
    ------
    AskedWrongly
        If the source has no such name, or the validation split does not fit. It is a ValueError.
    Unavailable
        If the data cannot be had. The message says why, and what to do.
    """
    if source not in ("auto", *SOURCES):
        raise AskedWrongly(f"unknown source {source!r}: use one of auto, {', '.join(SOURCES)}")
    cache = Path(cache) if cache else cache_folder()
    if folder is not None and source != "synthetic":
        arrays = _in_folder(Path(folder))
        if arrays and not files.others(arrays):
            return _split(_keep_all(arrays, _mnist_paths(cache)), validation_size, "MNIST")
        if arrays and source == "auto":
            return _split(_locked(arrays), validation_size, f"files in {folder}")
        if arrays:
            notice(f"{folder} does not hold MNIST, but other images. Looking elsewhere.")
    if source == "auto":
        return _first(cache, validation_size)
    row = SOURCES[source]
    if row.warning:
        notice(row.warning)
    try:
        return _split(row.arrays(cache, True), validation_size, row.label)
    except Unavailable as error:
        told = f"{row.label} is not available: {error}. What to do: {row.remedy}"
        raise Unavailable(told) from None


def _first(cache: Path, validation_size: int) -> Dataset:
    """Load from the first source that can be had, and say which could not."""
    missing: list[str] = []
    for row in SOURCES.values():
        if row.warning or missing:
            notice(" ".join([row.warning, *missing]).strip())
        try:
            return _split(row.arrays(cache, False), validation_size, row.label)
        except Unavailable as error:
            told = f"{row.label} is not available ({error}). For {row.label}: {row.remedy}."
            missing.append(told)
    raise Unavailable(" ".join(missing))


def _split(arrays: list[np.ndarray], size: int, source: str) -> Dataset:
    train, train_labels, test, test_labels = arrays
    if not 0 <= size < len(train):
        raise AskedWrongly(f"validation_size must be from 0 to {len(train) - 1}, not {size}")
    return Dataset(
        Split(train[size:], train_labels[size:]),
        Split(train[:size], train_labels[:size]),
        Split(test, test_labels),
        source,
    )


def _in_folder(folder: Path) -> list[np.ndarray]:
    """Return the four arrays of a folder that was asked for; say why where it has none."""
    if not folder.exists():  # old programs name the folder that they want to be made
        return []
    try:
        return files.read(folder)
    except ValueError as error:
        notice(f"{folder} does not hold the four files of MNIST ({error}). Looking elsewhere.")
        return []


def _from_files(cache: Path, patient: bool) -> list[np.ndarray]:
    """Read MNIST's files: those in ``MNIST_EDU_DATA``, in the cache, or from the network."""
    named = files.named_folder()
    if named:
        try:
            return files.read_mnist(named)
        except ValueError as error:
            told = f"MNIST_EDU_DATA={named} does not hold MNIST ({error})."
            notice(f"{told} Looking elsewhere.")
    with contextlib.suppress(ValueError):
        return files.read_mnist(cache)
    silence = 20 if patient else download.SILENCE
    try:
        download.download(cache, silence)
        return files.read_mnist(cache)
    except download.CacheFault as error:
        notice(f"The download serves this time only: {error}.")
    with tempfile.TemporaryDirectory() as spare:
        download.download(Path(spare), silence)
        return files.read_mnist(Path(spare))


def mnist_is_here(cache: Path) -> bool:
    """Say whether MNIST can be had without a network."""
    if is_decoded(cache):
        return True
    for folder in places(cache).values():
        with contextlib.suppress(ValueError):
            files.read_mnist(folder)
            return True
    return False


def places(cache: Path) -> dict[str, Path]:
    """Return the folders that are looked into for MNIST, by the name of what they are."""
    named = files.named_folder()
    return ({"MNIST_EDU_DATA": named} if named else {}) | {"cache": cache}


# --- Keeping -------------------------------------------------------------------------------------


def decoded(cache: Path) -> list[np.ndarray]:
    """Open MNIST's four decoded arrays in the cache, or raise the error that says why not."""
    return [_open(path) for path in _mnist_paths(cache)]


def is_decoded(cache: Path) -> bool:
    """Say whether the cache holds MNIST's four decoded arrays."""
    try:
        return bool(decoded(cache))
    except Exception:  # missing, or damaged in whatever way
        return False


def _mnist_paths(cache: Path) -> list[Path]:
    return [cache / f"{part}-{content[:12]}.npy" for part, content in files.CONTENTS.items()]


def _open(path: Path) -> np.ndarray:
    array = np.load(path, mmap_mode="r")
    if array.dtype != np.uint8 or array.ndim != (3 if "images" in path.name else 1):
        raise ValueError(f"{path.name} holds something else")
    return array


def _keep_all(arrays: list[np.ndarray], paths: list[Path]) -> list[np.ndarray]:
    try:
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        return [_keep(array, path) for array, path in zip(arrays, paths, strict=True)]
    except OSError as error:
        notice(f"The digits were not kept for next time ({error.strerror or error}).")
    return _locked(arrays)


def _locked(arrays: list[np.ndarray]) -> list[np.ndarray]:
    for array in arrays:
        array.flags.writeable = False
    return arrays


def _keep(array: np.ndarray, path: Path) -> np.ndarray:
    """Write an array to the cache, and return it as a memory map."""
    try:
        with whole(path) as part:
            np.save(part, array)
    except PermissionError:
        if not path.exists():  # else, on Windows, another process has it open
            raise
    try:
        return _open(path)
    except (ValueError, EOFError) as error:
        raise OSError(f"{path.name} cannot be replaced: {error}") from None


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
    return images.reshape(len(images), -1) if len(images) else images.reshape(0, 784)


def add_channel(images: np.ndarray) -> np.ndarray:
    """Add the axis that colour would need: (n, 28, 28) becomes (n, 28, 28, 1)."""
    return images[..., np.newaxis]


def one_hot(labels: np.ndarray, classes: int = 10) -> np.ndarray:
    """Turn labels (n,) in 0..classes-1 into float32 (n, classes), a 1 at each label's place.

    >>> one_hot([2, 0], classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)

    Raises
    ------
    ValueError
        If labels are no whole numbers, or one lies outside.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        told = f"labels must be whole numbers, these are {labels.dtype}"
        raise ValueError(f"{told}: convert them, for example labels.astype(int)")
    if labels.ndim != 1:
        raise ValueError(f"labels must have the shape (n,), not {labels.shape}: one-hot already?")
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
