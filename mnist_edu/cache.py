"""The cache folder, and files that are written whole or not at all."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs

HOUR = 3600  # seconds; what is older was left half-written by a killed process


def cache_folder() -> Path:
    """Return the folder where data is kept: ``MNIST_EDU_CACHE``, or the system's cache folder."""
    named = os.environ.get("MNIST_EDU_CACHE")
    if named:
        return Path(named)
    return platformdirs.user_cache_path("mnist_edu", appauthor=False)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, which takes its place once it is written.

    After an error, ``path`` is what it was before, and nothing half-written is left. No two
    writers share a temporary path. What killed processes left of ``path`` is removed.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "seven.txt"
    >>> with whole(path) as part:
    ...     _ = part.write_text("7")
    >>> path.read_text(), part.exists()
    ('7', False)

    Raises
    ------
    OSError
        If the folder cannot be written, or the disk is full.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"
    part = path.with_name(f"{path.stem}.{writer}.part{path.suffix}")
    for left in path.parent.glob(f"{path.stem}.*.part{path.suffix}"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > HOUR:
                left.unlink()
    try:
        yield part
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
