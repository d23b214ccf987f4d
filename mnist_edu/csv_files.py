"""Digits as CSV, in the forms that people have: a line for each digit, its label and its pixels."""

import contextlib
import csv
import gzip
import io
import itertools
import os
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from mnist_edu.cache import whole
from mnist_edu.show import notice

PIXELS = 28 * 28
LABELS = ("label", "labels", "class", "digit", "target", "y", "number")  # names of that column
IDS = ("id", "index", "imageid", "unnamed: 0", "")
LINES = 2000  # read at a time
Line = tuple[int, str]  # its number from 1, and its text


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
    rows = np.column_stack([labels.astype(np.uint8), images.reshape(-1, PIXELS)])
    words = np.array([str(value) for value in range(256)], dtype=object)
    with whole(Path(path)) as part, open(part, "w", encoding="ascii", newline="\n") as file:
        if header:
            file.write(",".join(["label", *(f"pixel{i}" for i in range(PIXELS))]) + "\n")
        for row in rows:
            file.write(",".join(words[row]) + "\n")


def read_csv(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Read digits from a CSV file, packed or not, with or without a line of column names.

    Columns are told by their names; without names, the label comes first, or last where the
    first column holds nothing but zeros. A column that numbers the digits is passed over.
    Commas, semicolons and tabs part values; ``5``, ``5.0`` and ``"5"`` are the same.

    Returns
    -------
    images uint8 (n, 28, 28) and labels uint8 (n,)

    Raises
    ------
    ValueError
        If the file is empty, has no labels, not 784 pixels to a digit, or a value that is no
        whole number in 0..255. The line is named.
    """
    name, images, labels, columns = Path(path).name, [], [], None
    with _text_of(Path(path)) as file:
        written = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        head, lines, separator, width = _start(written, name)
        while some := list(itertools.islice(lines, LINES)):
            values = _values(some, separator, name, width)
            columns = columns or _columns(head, values, name)
            _check_range(values, columns, [number for number, _ in some], name)
            labels.append(values[:, columns[0]].astype(np.uint8))
            images.append(values[:, columns[1]].astype(np.uint8))
    if not labels:
        raise ValueError(f"{name} holds names of columns, and no digits")
    found = np.concatenate(labels)
    if len(found) > 1 and not found.any():
        notice(f"{name}: all {len(found):,} labels are 0. Is its column of labels another one?")
    return np.concatenate(images).reshape(-1, 28, 28), found


# --- Lines ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _text_of(path: Path) -> Iterator[TextIO]:
    """Open a text file, packed with gzip or zip or not."""
    with open(path, "rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        stream: Any = raw
        try:
            if start == b"\x1f\x8b":
                stream = gzip.GzipFile(fileobj=raw)
            elif start == b"PK":
                stream = _only_member(zipfile.ZipFile(raw), path.name)
            yield io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")
        except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise ValueError(f"{path.name} is damaged ({error}): fetch it again") from None


def _only_member(archive: zipfile.ZipFile, name: str):
    members = [member for member in archive.namelist() if member.lower().endswith(".csv")]
    if len(members) != 1:
        told = ", ".join(members) or "none"
        raise ValueError(f"{name} must hold one CSV file, and holds {told}: unpack it first")
    return archive.open(members[0])


def _start(lines: Iterator[Line], name: str) -> tuple[list[str], Iterator[Line], str, int]:
    """Return names of columns, or none; the lines with digits; what parts values; how many."""
    first = next(lines, None)
    if first is None:
        raise ValueError(f"{name} is empty")
    separator = max(",;\t", key=first[1].count)
    words = [word.strip().lower() for word in _words(first[1], separator)]
    if _is_count(words) or _is_count(words[1:]):  # what pandas writes where there are no names
        return [], lines, separator, len(words)
    if _are_names(words):
        return words, lines, separator, len(words)
    return [], itertools.chain([first], lines), separator, len(words)


def _is_count(words: list[str]) -> bool:
    return len(words) >= PIXELS and words == [str(i) for i in range(len(words))]


def _are_names(words: list[str]) -> bool:
    """Tell names of columns, such as label or 1x1, from values of a digit."""
    named = any(word in LABELS or re.fullmatch(r"\d+x\d+", word) for word in words)
    return named or not any(word[:1].isdigit() for word in words)


def _words(line: str, separator: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter=separator))


def _values(lines: list[Line], separator: str, name: str, width: int) -> np.ndarray:
    """Return the numbers of lines, int64 (lines, width), or name the line that is wrong."""
    how: dict[str, Any] = {"delimiter": separator, "comments": None, "ndmin": 2, "quotechar": '"'}
    with contextlib.suppress(ValueError, Warning), warnings.catch_warnings():
        warnings.simplefilter("error")
        values = np.loadtxt((text for _, text in lines), np.float64, **how)
        whole_numbers = values.astype(np.int64)
        if values.shape[1] == width and _is_width(width) and (whole_numbers == values).all():
            return whole_numbers
    return np.array([_slowly(text, separator, f"{name}, line {n}", width) for n, text in lines])


def _is_width(count: int) -> bool:
    return count in (PIXELS + 1, PIXELS + 2)


def _slowly(line: str, separator: str, place: str, width: int) -> list[int]:
    words = [word.strip() for word in _words(line, separator)]
    if not _is_width(len(words)):
        raise ValueError(f"{place}: {len(words)} values, and not a label and 784 pixels")
    if len(words) != width:
        raise ValueError(f"{place}: {len(words)} values, and not {width} as in the first line")
    for column, word in enumerate(words, 1):
        if not re.fullmatch(r"[+-]?\d+(\.0*)?", word):
            told = f"{word[:20]!r} is no whole number"
            hint = ": pixels run from 0 to 255" if re.fullmatch(r"[01]?\.\d+", word) else ""
            raise ValueError(f"{place}: column {column}: {told}{hint}")
    return [int(float(word)) for word in words]


# --- Columns -------------------------------------------------------------------------------------


def _columns(head: list[str], values: np.ndarray, name: str) -> tuple[int, list[int]]:
    """Return which column holds the label, and which the 784 pixels, row by row."""
    count = values.shape[1]
    label, passed = _by_name(head, values, name) if head else _by_value(values, name)
    pixels = [column for column in range(count) if column not in (label, *passed)]
    if len(pixels) != PIXELS:
        raise ValueError(f"{name}: {len(pixels)} columns of pixels, and not 784")
    numbers = [tuple(map(int, re.findall(r"\d+", head[i]))) for i in pixels if head]
    if numbers and len(set(numbers)) == PIXELS and all(numbers):
        pixels = [pixels[i] for i in sorted(range(PIXELS), key=numbers.__getitem__)]
    return label, pixels


def _by_name(head: list[str], values: np.ndarray, name: str) -> tuple[int, list[int]]:
    passed = [column for column, word in enumerate(head) if word in IDS]
    named = [column for column, word in enumerate(head) if word in LABELS]
    if len(named) > 1:
        raise ValueError(f"{name}: two columns of labels, {head[named[0]]} and {head[named[1]]}")
    others = [i for i, word in enumerate(head) if i not in passed and not re.search(r"\d", word)]
    if named or len(others) == 1:
        return (named or others)[0], passed
    if len(others) == len(head):  # names that tell nothing
        return _by_value(values, name)
    raise ValueError(f"{name}: which column holds the labels? None is called {LABELS[0]}")


def _by_value(values: np.ndarray, name: str) -> tuple[int, list[int]]:
    """Without names: a first column that counts is no label; neither is one of zeros alone."""
    passed: list[int] = []
    if values.shape[1] == PIXELS + 2:
        steps = np.diff(values[:, 0])
        if not (steps == 1).all() or values[0, 0] not in (0, 1):
            raise ValueError(f"{name}: {PIXELS + 2} columns without names: name them in line 1")
        passed = [0]
    first, last = values[:, len(passed)], values[:, -1]
    if first.any() or not last.any() or last.max() > 9:
        return len(passed), passed
    notice(f"{name}: its first column is 0 throughout, so the last one is taken for the labels.")
    return values.shape[1] - 1, passed


def _check_range(
    values: np.ndarray, columns: tuple[int, list[int]], numbers: list[int], name: str
) -> None:
    label, pixels = columns
    used = values[:, [label, *pixels]]
    outside = (used.min(axis=1) < 0) | (used.max(axis=1) > 255)
    wrong = np.flatnonzero(outside | (values[:, label] > 9))
    if len(wrong):
        told = "a value outside 0..255" if outside[wrong[0]] else "a label above 9"
        raise ValueError(f"{name}, line {numbers[wrong[0]]}: {told}")
