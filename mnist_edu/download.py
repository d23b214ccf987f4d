"""The four MNIST files: where they are, how they are checked, and how they are downloaded."""

import hashlib
import logging
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import platformdirs

FILES = {
    f"{name}-ubyte.gz": sha256
    for name, sha256 in (
        ("train-images-idx3", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        ("train-labels-idx1", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        ("t10k-images-idx3", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        ("t10k-labels-idx1", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    )
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
SILENCE = 3.0  # seconds without a byte after which the next mirror is tried
LEAST_SPEED = 5_000  # bytes a second, below which a mirror is left after 30 s


class Unavailable(RuntimeError):
    """The data could not be had; the message says why and what to do."""


class CacheFault(Unavailable):
    """The folder that downloads go to cannot be written."""


def cache_folder() -> Path:
    """Return the folder where data is kept: ``MNIST_EDU_CACHE``, or the system's cache folder."""
    named = os.environ.get("MNIST_EDU_CACHE")
    if named:
        return Path(named)
    return platformdirs.user_cache_path("mnist_edu", appauthor=False)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fault(path: Path) -> str:
    """Return what is wrong with one of the four files, or an empty text."""
    try:
        found = checksum(path)
    except FileNotFoundError:
        return f"{path.name} is missing"
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror})"
    expected = FILES[path.name]
    if found == expected:
        return ""
    return f"{path.name} is damaged or not MNIST (SHA-256 {found[:12]}…, not {expected[:12]}…)"


def download(folder: Path, silence: float = SILENCE, mirrors: tuple[str, ...] | None = None):
    """Download those of the four files that ``folder`` lacks, each from the first good mirror.

    A file takes its name only when its SHA-256 is right, so nothing half-written is ever read.
    A mirror that failed is tried last from then on, so that a silent one costs ``silence``
    seconds once, and a network that swallows everything that much for each mirror.

    Parameters
    ----------
    folder : where the files are kept; made where it does not exist
    silence : seconds without a byte after which a mirror is left
    mirrors : addresses to try in turn; ``MIRRORS`` unless given

    Raises
    ------
    Unavailable
        If no mirror gave a good file; the message names each mirror and its fault.
    CacheFault
        If the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheFault(f"the cache folder cannot be made ({error.strerror})") from None
    mirrors = list(MIRRORS if mirrors is None else mirrors)
    for name in FILES:
        if fault(folder / name):
            _fetch(folder, name, mirrors, silence)


def _fetch(folder: Path, name: str, mirrors: list[str], silence: float) -> None:
    """Fetch a file from the first mirror that gives it; those that failed move to the end."""
    faults = []
    for mirror in tuple(mirrors):
        reason = _attempt(folder, name, mirror, silence)
        if not reason:
            return
        faults.append(f"{mirror} ({reason})")
        mirrors.append(mirrors.pop(0))
    raise Unavailable(f"no mirror gave {name}: " + "; ".join(faults))


def _attempt(folder: Path, name: str, mirror: str, silence: float) -> str:
    """Fetch a file from one mirror; return what went wrong, or an empty text.

    It runs in a thread of its own, since looking up a name may hang whatever the time limits say.
    """
    show, reasons, broken = _Progress(name), [], []

    def work():
        try:
            reasons.append(_retrieve(folder, name, mirror, show))
        except CacheFault as error:
            broken.append(error)
        except Exception as error:  # whatever else: this mirror gave no file
            reasons.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive() and not show.given_up:
        thread.join(0.05)
        show.watch(silence)
    show.close()
    if broken:
        raise broken[0]
    return reasons[0] if reasons else show.given_up


def _retrieve(folder: Path, name: str, mirror: str, show: "_Progress") -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm asks for widgets that we do not use
        import pooch
    import requests

    pooch.get_logger().setLevel(logging.ERROR)
    downloader = pooch.HTTPDownloader(progressbar=show, timeout=20)
    part = f"{name}.{os.getpid()}.{threading.get_ident()}.tmp"  # no two writers share a name
    try:
        pooch.retrieve(mirror + name, FILES[name], part, folder, downloader=downloader)
        _put_in_place(folder / part, folder / name)
    except requests.HTTPError as error:
        return f"answered {error.response.status_code}"
    except requests.RequestException as error:
        return f"{type(error).__name__} after {show.count:,} bytes"
    except ValueError:  # pooch's word for a wrong SHA-256
        return f"wrong content: the SHA-256 of its {show.count:,} bytes does not match"
    except OSError as error:
        reason = error.strerror or error
        raise CacheFault(f"the cache folder cannot be written ({reason})") from None
    return ""


def _put_in_place(part: Path, path: Path) -> None:
    try:
        os.replace(part, path)
    except OSError:  # on Windows: another process has just put it there, and reads it
        part.unlink(missing_ok=True)
        if fault(path):
            raise


class _Progress:
    """The progress display that pooch asks for, which also watches for a silent mirror."""

    def __init__(self, name: str):
        self.name, self.total, self.count = name, 0, 0
        self.given_up, self.start, self.last = "", time.monotonic(), time.monotonic()
        self.shown = self.closed = False

    def watch(self, silence: float) -> None:
        now = time.monotonic()
        if now - self.last > silence:
            self.given_up = f"no byte in {silence:.0f} s"
        elif now - self.start > 30 and self.count / (now - self.start) < LEAST_SPEED:
            self.given_up = f"too slow: {self.count / (now - self.start):,.0f} bytes a second"

    def update(self, count: int) -> None:
        if self.given_up:
            raise ValueError(self.given_up)
        self.count += count
        before, self.last = self.last, time.monotonic()
        if self.total and int(self.last * 5) > int(before * 5):  # five times a second at most
            part = min(self.count / self.total, 1)
            print(f"\r{self.name}: {part:4.0%}", end="", file=sys.stderr)
            self.shown = True

    def reset(self) -> None:
        self.count = 0

    def close(self) -> None:
        if self.closed or not self.count:
            return
        self.closed = True
        print(f"{chr(13) * self.shown}{self.name}: {self.count:,} bytes", file=sys.stderr)
