"""The four MNIST files from the network: from mirrors, checked, whole or not at all."""

import hashlib
import sys
import threading
import time
from pathlib import Path

from mnist_edu.cache import whole
from mnist_edu.errors import WentWrong

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
MOST = 20_000_000  # bytes of a file; the largest has 9.9 million
PIECE = 4096  # bytes taken at a time, so that a slow mirror is not taken for a silent one


class Unavailable(WentWrong):
    """The data could not be had; the message says why and what to do."""


class CacheFault(Unavailable):
    """The folder that downloads go to cannot be written."""


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
    order = list(MIRRORS if mirrors is None else mirrors)
    for name in FILES:
        if not is_whole(folder / name):
            _fetch(folder / name, order, silence)


def is_whole(path: Path) -> bool:
    """Say whether one of the four files is there, exactly as it was published."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == FILES[path.name]
    except OSError:
        return False


def _fetch(path: Path, mirrors: list[str], silence: float) -> None:
    """Fetch a file from the first mirror that gives it; those that failed move to the end."""
    faults = []
    for mirror in tuple(mirrors):
        reason = _attempt(path, mirror, silence)
        if not reason:
            return
        faults.append(f"{reason} ({mirror})")
        mirrors.append(mirrors.pop(0))
    raise Unavailable(f"no mirror gave {path.name}: " + "; ".join(faults))


def _attempt(path: Path, mirror: str, silence: float) -> str:
    """Fetch a file from one mirror; return what went wrong, or an empty text.

    It runs in a thread of its own, since looking up a name may hang whatever the time limits say.
    """
    watch, reasons, broken = _Watch(path.name), [], []

    def work():
        try:
            reasons.append(_retrieve(path, mirror, watch))
        except OSError as error:
            reason = error.strerror or error
            broken.append(CacheFault(f"the cache folder cannot be written ({reason})"))
        except Exception as error:  # whatever else: this mirror gave no file
            reasons.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive() and not watch.given_up:
        thread.join(0.05)
        watch.look(silence)
    watch.close()
    if broken:
        raise broken[0]
    return reasons[0] if reasons else watch.given_up


def _retrieve(path: Path, mirror: str, watch: "_Watch") -> str:
    """Stream a file into its place; return what was wrong with it, or an empty text."""
    import requests

    digest = hashlib.sha256()
    try:
        with requests.get(mirror + path.name, stream=True, timeout=20) as answer:
            if not answer.ok:
                return f"answered {answer.status_code}"
            watch.total = int(answer.headers.get("Content-Length", 0))
            with whole(path) as part:
                with open(part, "wb") as file:
                    for piece in answer.iter_content(PIECE):
                        watch.count_in(piece)
                        digest.update(piece)
                        file.write(piece)
                if digest.hexdigest() != FILES[path.name]:
                    told = f"the SHA-256 of its {watch.count:,} bytes does not match"
                    raise ValueError(f"wrong content: {told}")
    except requests.RequestException as error:
        return f"{type(error).__name__} after {watch.count:,} bytes"
    except ValueError as error:
        return str(error)
    except OSError:
        if not is_whole(path):  # on Windows another process may have put it there, and reads it
            raise
    return ""


class _Watch:
    """How far a download is: shown in one line, and given up where the mirror is silent."""

    def __init__(self, name: str):
        self.name, self.total, self.count = name, 0, 0
        self.given_up, self.start, self.last = "", time.monotonic(), time.monotonic()

    def look(self, silence: float) -> None:
        now = time.monotonic()
        if now - self.last > silence:
            self.given_up = f"no byte in {silence:.0f} s"
        elif now - self.start > 30 and self.count / (now - self.start) < LEAST_SPEED:
            self.given_up = f"too slow: {self.count / (now - self.start):,.0f} bytes a second"

    def count_in(self, piece: bytes) -> None:
        self.count += len(piece)
        if self.count > MOST:
            self.given_up = f"wrong content: more than {MOST:,} bytes"
        if self.given_up:
            raise ValueError(self.given_up)
        before, self.last = self.last, time.monotonic()
        if self.total and int(self.last * 5) > int(before * 5):  # five times a second at most
            part = min(self.count / self.total, 1)
            print(f"\r{self.name}: {part:4.0%}", end="", file=sys.stderr)

    def close(self) -> None:
        if self.count:
            print(f"\r{self.name}: {self.count:,} bytes", file=sys.stderr)
