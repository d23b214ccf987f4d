"""Shared by all tests: a cache folder of their own, and a small stand-in for MNIST's files."""

import gzip
import hashlib
import os
import sys

import numpy as np
import pytest

from mnist_edu import download, files, idx, synthetic

# nbformat's checker would build a grammar of web addresses, which takes 2 s and serves nobody here.
sys.modules["rfc3987_syntax"] = None

SIZES = {"train": 300, "t10k": 100}


def pytest_collection_modifyitems(items):
    """What is quick to fail comes first, what runs all notebooks last.

    What imports TensorFlow begins: of the processes of ``make unit`` the first one gets all of it.
    """
    order = ("series", "browser", "slow")

    def place(item):
        marked = [item.get_closest_marker(name) is not None for name in order]
        return [*marked, item.get_closest_marker("tensorflow") is None]

    items.sort(key=place)


def pytest_ignore_collect(collection_path, config):
    """Leave out modules of slow tests alone: importing TensorFlow for nothing takes seconds."""
    if "not slow" in config.option.markexpr and collection_path.suffix == ".py":
        return "\npytestmark = pytest.mark.slow\n" in collection_path.read_text("utf-8") or None


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Every test starts with an empty cache and without ``MNIST_EDU_DATA``."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MNIST_EDU_CACHE", str(folder))
    monkeypatch.delenv("MNIST_EDU_DATA", raising=False)
    return folder


@pytest.fixture
def small_files(tmp_path, monkeypatch):
    """Return a folder with four small files in MNIST's form, known by their own SHA-256."""
    folder = tmp_path / "files"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name in download.FILES:
        count = SIZES[name.split("-")[0]]
        shape = (count, 28, 28) if "images" in name else (count,)
        top = 256 if "images" in name else 10
        idx.write_idx(folder / name, generator.integers(0, top, shape).astype(np.uint8))
    archives, contents = known(folder)
    monkeypatch.setattr(download, "FILES", archives)
    monkeypatch.setattr(files, "CONTENTS", contents)
    return folder


def known(folder):
    """Return the SHA-256 of the small files, and of what they hold: what the package knows."""
    archives, contents = {}, {}
    for path in sorted(folder.iterdir(), key=lambda path: list(download.FILES).index(path.name)):
        archives[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        part = path.name.split("-idx")[0]
        contents[part] = hashlib.sha256(idx.read_idx(path).tobytes()).hexdigest()
    return archives, contents


# The start of a program that runs in a process of its own and knows the small files, not MNIST's.
KNOWING = f"""
import sys
from pathlib import Path
from mnist_edu import data, download, files
sys.path.insert(0, {os.path.dirname(__file__)!r})
from conftest import known
download.FILES, files.CONTENTS = known(Path(sys.argv[1]))
"""


@pytest.fixture
def few_embedded(monkeypatch):
    """Draw 300 and 100 embedded digits where the package draws 60,000 and 10,000."""
    monkeypatch.setattr(synthetic, "SETS", ((300, 1), (100, 2)))


def arrays(folder):
    """Read the four small files with gzip and NumPy alone."""
    read = {}
    for path in folder.iterdir():
        offset = 16 if "images" in path.name else 8
        read[path.name] = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=offset)
    return read


REAL = os.environ.get("MNIST_EDU_DATA")
