"""Say what is there, what is missing, and the command that mends it: ``mnist-edu doctor``.

Libraries are looked up, not imported; TensorFlow alone is started, in a process of its own, as one
that is there may still not run on this processor.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mnist_edu import data, errors, show
from mnist_edu.cache import cache_folder

OK, MISSING, OPTIONAL = "ok", "MISSING", "optional"
NEEDED = {"numpy": "numpy", "matplotlib": "matplotlib", "PIL": "pillow"}  # by module: package
NEEDED |= {"tensorflow": "tensorflow", "keras": "keras", "ipykernel": "ipykernel"}
NEEDED |= {"jupyterlab": "jupyterlab"}
FOR_RUN = {"papermill": "papermill", "nbconvert": "nbconvert", "nbformat": "nbformat"}
FOR_INK = {"cv2": "opencv-python-headless", "anywidget": "anywidget"}
MEMORY, DISK = 3.0, 1.0  # GB: the largest notebook takes 1.8, the cache below 0.3
INSTALL = 'in the clone: make run, or pip install -e ".[lessons,run,ink]"'
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox")
ELSEWHERE = "use the portable notebooks in Colab, or the pages of the book"


@dataclass
class Finding:
    """What was looked at, how it is, and what to do about it."""

    what: str
    state: str
    told: str
    remedy: str = ""


def examine() -> int:
    """Print what there is; return 0 if the course can run here, else 1."""
    found = findings()
    rows = [["", "what", "found"], *([f.state, f.what, f.told] for f in found)]
    print(show.text_table(rows))
    for finding in found:
        if finding.remedy and finding.state != OK:
            print(f"\n{finding.what}: {finding.told}\n  {finding.remedy}")
    missing = [finding.what for finding in found if finding.state == MISSING]
    print(f"\nThe course cannot run yet: {', '.join(missing)}." if missing else "\nReady.")
    return int(bool(missing))


def findings() -> list[Finding]:
    """Look at everything that the course needs, or makes use of."""
    found = [_python(), *(_library(m, p, MISSING, INSTALL) for m, p in NEEDED.items())]
    if found_module("tensorflow"):
        found.append(_tensorflow())
    found += [_library(m, p, OPTIONAL, INSTALL) for m, p in FOR_RUN.items()]
    found += [_library(m, p, OPTIONAL, INSTALL) for m, p in FOR_INK.items()]
    return [*found, _window(), _browser(), _memory(), _disk(), _cache(), _loopback(), _digits()]


def found_module(name: str) -> bool:
    """Say whether a module can be found; it is not imported."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _python() -> Finding:
    version, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    told = f"{version} on {system}, {sys.executable}"
    intel_mac = sys.platform == "darwin" and platform.machine() == "x86_64"
    windows_arm = sys.platform == "win32" and "arm" in platform.machine().lower()
    if intel_mac or windows_arm:
        return Finding("Python", MISSING, told, f"TensorFlow has no build for it: {ELSEWHERE}")
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding(
            "Python", MISSING, told, f"install Python 3.11, 3.12 or 3.13, or {ELSEWHERE}"
        )
    return Finding("Python", OK, told)


def _library(module: str, package: str, lacking: str, remedy: str) -> Finding:
    if not found_module(module):
        return Finding(package, lacking, "not there", remedy)
    try:
        return Finding(package, OK, errors.version(package))
    except importlib.metadata.PackageNotFoundError:  # another build of it, such as opencv-python
        return Finding(package, OK, "there")


def _tensorflow(limit: float = 120) -> Finding:
    """Start TensorFlow in a process of its own, and let it add two numbers."""
    code = "import tensorflow as tf; print(int(tf.constant(1) + 1)"
    code += ", len(tf.config.list_physical_devices('GPU')))"
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    what, again = "TensorFlow runs", "pip install --force-reinstall tensorflow"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        told = f"it did not start within {limit:g} s"
        return Finding(what, MISSING, told, "close other programs, and try again")
    said = done.stdout.decode(errors="replace").split()
    if done.returncode == 0 and said[:1] == ["2"]:
        return Finding(what, OK, f"on {'a GPU' if said[1:] != ['0'] else 'the CPU'}")
    last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1][:150]
    if done.returncode < 0:
        last = "it was killed: this processor may lack what TensorFlow needs (AVX), or the memory"
        again = ELSEWHERE
    return Finding(what, MISSING, last, again)


def _window() -> Finding:
    if found_module("tkinter") and found_module("_tkinter"):
        return Finding("window to draw in", OK, "tkinter is there")
    system = {"linux": "sudo apt-get install python3-tk", "darwin": "brew install python-tk"}
    remedy = system.get(sys.platform, "install Python anew, with tcl/tk")
    return Finding("window to draw in", OPTIONAL, "tkinter is missing", remedy)


def _browser() -> Finding:
    """Name a browser, if one is on the path; on Windows and macOS there always is one."""
    named = next(filter(None, map(shutil.which, BROWSERS)), None)
    if named or sys.platform in ("win32", "darwin"):
        return Finding("browser", OK, Path(named).name if named else "that of the system")
    remedy = "any will do: JupyterLab prints an address to open (make tools installs Chromium)"
    return Finding("browser", OPTIONAL, "none was found by its name", remedy)


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows
        return Finding("memory", OK, f"not known here; {MEMORY:g} GB are needed")
    if total < MEMORY:
        remedy = "run one notebook at a time, with quick settings: mnist-edu run --jobs 1"
        return Finding("memory", OPTIONAL, f"{total:.1f} GB: it will be tight", remedy)
    return Finding("memory", OK, f"{total:.1f} GB")


def _disk() -> Finding:
    folder = cache_folder().absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if free < DISK:
        remedy = "make room, or name a folder on another disk: MNIST_EDU_CACHE=folder"
        return Finding("disk", MISSING, f"{free:.1f} GB free at {folder}", remedy)
    return Finding("disk", OK, f"{free:.1f} GB free")


def _cache() -> Finding:
    folder = cache_folder().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Finding("cache folder", OK, str(folder))
    except OSError as error:
        remedy = "name a folder that can be written: MNIST_EDU_CACHE=folder"
        return Finding("cache folder", OPTIONAL, f"{folder}: {error.strerror}", remedy)


def _loopback() -> Finding:
    """Let this computer speak to itself, as a notebook does to its kernel."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname(), timeout=5):
                return Finding("loopback", OK, "127.0.0.1 answers")
    except OSError as error:
        remedy = "allow Python to use 127.0.0.1 (firewall, virus scanner)"
        return Finding("loopback", MISSING, f"127.0.0.1 does not answer: {error.strerror}", remedy)


def _digits() -> Finding:
    if data.mnist_is_here(cache_folder()):
        return Finding("MNIST", OK, "it is here; embedded digits can be drawn, too")
    remedy = f"{data.SOURCES['mnist'].remedy}, or: mnist-edu data --download"
    return Finding("MNIST", OPTIONAL, "not here: embedded digits are drawn instead", remedy)
