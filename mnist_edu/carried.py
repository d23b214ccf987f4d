"""Bring the package along: a portable notebook runs this in its first code cell.

An installed ``mnist_edu`` of the same version is used. Otherwise the one that the cell carries is
unpacked into a new folder of this kernel's own. No library is installed, removed or changed.
"""

import base64
import hashlib
import io
import os
import sys
import tarfile
import tempfile
from importlib.util import find_spec


def bring(version, needed, checksum, archive):
    """Make ``mnist_edu`` importable, here and in processes that are started from here.

    Parameters
    ----------
    version : of the package that is carried
    needed : dict from the modules that the notebook imports to their names for pip
    checksum : SHA-256 of the archive
    archive : a .tar.xz file of the package, in base64

    Raises
    ------
    ImportError
        If a module is missing, or Python is too old; it says what to do.
    ValueError
        If the archive is not what it was.
    """
    check_place(needed)
    found = installed()
    if found != version:
        folder = unpack(checksum, archive)
        for name in [name for name in sys.modules if name.split(".")[0] == "mnist_edu"]:
            del sys.modules[name]
        sys.path.insert(0, folder)
        paths = [folder, os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    beside = f" The installed one, {found}, stays as it is." if found not in (None, version) else ""
    print(f"mnist_edu {version} is ready.{beside}")


def check_place(needed):
    """Raise ImportError where Python is too old, or a module is missing."""
    python = ".".join(map(str, sys.version_info[:2]))
    if sys.version_info < (3, 11):  # noqa: UP036 - portable notebooks meet older ones
        raise ImportError(f"Python 3.11, 3.12 or 3.13 is needed, and this is {python}.")
    missing = [needed[name] for name in needed if find_spec(name) is None]
    if missing:
        told = f"Missing here: {', '.join(missing)}. Nothing was installed."
        if "tensorflow" in missing and sys.version_info >= (3, 14):
            told += f" TensorFlow is made for Python 3.11 to 3.13, and this is {python}."
        how = f"run %pip install {' '.join(missing)} in a cell of its own, then this one again"
        raise ImportError(f"{told} What to do: {how}.")


def installed():
    """Return the version of the package that is here, None where there is none."""
    try:
        import mnist_edu
    except ImportError:
        return None
    return getattr(mnist_edu, "__version__", "unknown")


def unpack(checksum, archive):
    """Return a new folder that nobody else can write, with the package in it."""
    packed = base64.b64decode(archive)
    if hashlib.sha256(packed).hexdigest() != checksum:
        raise ValueError(
            "The package in this cell was changed or cut short: get the notebook anew."
        )
    folder = tempfile.mkdtemp(prefix="mnist_edu-")
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:xz") as tree:
        tree.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        tree.extractall(folder)
    return folder
