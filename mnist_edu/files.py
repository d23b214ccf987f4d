"""The four files of MNIST in a folder: found by their names, judged by what is in them.

However they are packed, the digits are the same: a file counts as MNIST's if the SHA-256 of its
decoded values is right.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mnist_edu.idx import read_idx

# The decoded values of each file, as they were published by Y. LeCun, C. Cortes and C. Burges.
CONTENTS = {
    "train-images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train-labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "t10k-images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "t10k-labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
DEPTH = 2  # folders below the one that is named, such as MNIST/raw


def named_folder() -> Path | None:
    """Return the folder that ``MNIST_EDU_DATA`` names, ``~`` and variables filled in, or None."""
    named = os.environ.get("MNIST_EDU_DATA")
    return Path(os.path.expanduser(os.path.expandvars(named))) if named else None


def find(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each part that has any, the nearest first: ``{"train-images": [...]}``.

    Packed or unpacked, with a dot or a hyphen in the name, in the folder or up to two below it.
    """
    found: dict[str, list[Path]] = {}
    for path in _walk(folder, DEPTH):
        name = NAME.fullmatch(path.name)
        if name:
            found.setdefault(f"{name[1]}-{name[2]}", []).append(path)
    return found


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:  # missing, or not to be read
        return
    yield from (path for path in entries if path.is_file())
    for path in entries if depth else ():
        if not path.name.startswith(".") and path.is_dir():
            yield from _walk(path, depth - 1)


def read(folder: Path) -> list[np.ndarray]:
    """Read the four files of digits or other things in a folder, be they MNIST's or not.

    Returns
    -------
    train images uint8 (n, h, w), train labels uint8 (n,), test images, test labels

    Raises
    ------
    ValueError
        If a file is missing or damaged, or they do not belong together. Each fault is named.
    """
    if archive := _archive(folder):
        return _read_archive(archive)
    found = find(folder)
    arrays, faults = [], [f"{part} is missing" for part in CONTENTS if part not in found]
    for part in CONTENTS if not faults else ():
        try:
            arrays.append(_read_part(part, found[part]))
        except ValueError as error:
            faults.append(str(error))
    for images, labels in (arrays[:2], arrays[2:]) if not faults else ():
        if len(images) != len(labels):
            faults.append(f"{len(images):,} images, but {len(labels):,} labels")
    if faults:
        raise ValueError("; ".join(faults))
    return arrays


def _archive(folder: Path) -> Path | None:
    """Return the file ``mnist.npz``, in which Keras keeps the digits, if it is what was named."""
    return next(
        (
            path
            for path in (folder, folder / "mnist.npz")
            if path.suffix == ".npz" and path.is_file()
        ),
        None,
    )


def _read_archive(path: Path) -> list[np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as kept:
            arrays = [kept[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    except Exception as error:  # NumPy and zipfile raise whatever the content makes them
        raise ValueError(f"{path.name} is damaged or not Keras' ({error})") from None
    for part, array in zip(CONTENTS, arrays, strict=True):
        try:
            _check_form(array, 3 if "images" in part else 1)
        except ValueError as error:
            raise ValueError(f"{path.name}, {part}: {error}") from None
    return arrays


def _read_part(part: str, paths: list[Path]) -> np.ndarray:
    """Return the first sound one of several files of a part; MNIST's own if it is among them."""
    sound, faults = [], []
    for path in paths:
        try:
            array = read_idx(path)
            _check_form(array, 3 if "images" in part else 1)
        except ValueError as error:
            faults.append(f"{path.name} is damaged ({error})")
        except OSError as error:
            faults.append(f"{path.name} cannot be read ({error.strerror})")
        else:
            if len(paths) == 1 or is_content(part, array):
                return array
            sound.append(array)
    if not sound:
        raise ValueError("; ".join(faults))
    return sound[0]


def _check_form(array: np.ndarray, axes: int) -> None:
    if array.dtype != np.uint8 or array.ndim != axes or not array.size:
        raise ValueError(f"it holds {array.dtype} of shape {array.shape}, not uint8 of {axes} axes")


def is_content(part: str, array: np.ndarray) -> bool:
    """Say whether an array holds exactly what MNIST's file of that part holds."""
    return hashlib.sha256(array.tobytes()).hexdigest() == CONTENTS[part]


def others(arrays: list[np.ndarray]) -> list[str]:
    """Return the parts among four arrays that are not MNIST's."""
    pairs = zip(CONTENTS, arrays, strict=True)
    return [part for part, array in pairs if not is_content(part, array)]


def read_mnist(folder: Path) -> list[np.ndarray]:
    """Read MNIST from a folder: the four arrays as :func:`read` gives them.

    Raises
    ------
    ValueError
        If the folder does not hold MNIST. Each fault is named.
    """
    if not folder.exists():
        raise ValueError("there is no such folder from here")
    arrays = read(folder)
    if wrong := others(arrays):
        raise ValueError(f"{', '.join(wrong)}: sound, but not the values of MNIST")
    return arrays
