"""Run portable notebooks alone: each in an empty folder, where mnist_edu cannot be imported.

``python tests/alone.py`` runs all of them with quick settings, ``python tests/alone.py 00 05`` two;
``--python FILE`` runs them in another environment, which has all but this package.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

from mnist_edu import editions, series

OURS = ("mnist_edu", "_editable", "__editable")


def bare_python(folder: Path) -> Path:
    """Make an environment with the libraries of this one, without this package; return its Python.

    The libraries are links. Files that extend the path (.pth), as clones install them, are left
    out.
    """
    venv.create(folder, symlinks=os.name != "nt")
    at = {"base": str(folder), "platbase": str(folder)}
    target = Path(sysconfig.get_path("purelib", "venv", at))
    for part in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(part).iterdir():
            if not entry.name.startswith(OURS) and entry.suffix != ".pth":
                if not (target / entry.name).exists():
                    (target / entry.name).symlink_to(entry)
    python = Path(sysconfig.get_path("scripts", "venv", at)) / "python"
    how = {"cwd": folder, "env": without_path({}), "capture_output": True}
    done = subprocess.run([python, "-c", "import mnist_edu"], **how)
    assert done.returncode, "the package can still be imported"
    return python


def without_path(more: dict[str, str]) -> dict[str, str]:
    """Return this process's environment and more, without paths to packages and kernels."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "JUPYTER_PATH", "VIRTUAL_ENV")
    return {name: text for name, text in (os.environ | more).items() if name not in hidden}


def run(number: str, python: Path, folder: Path, **parameters: object) -> Path:
    """Make a portable notebook in a new folder and run it there; return what came out of it.

    Raises
    ------
    RuntimeError
        If a cell fails.
    """
    (path,) = editions.make("portable", [number], folder)
    out = folder / "executed.ipynb"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        env = without_path(series.environment(1, Path(place)) | {"JUPYTER_DATA_DIR": place})
        plan = json.dumps(series.settings(path, full=False, **quick(number), **parameters))
        words = ["-m", "papermill", path.name, out.name, "-k", "python3", "--no-progress-bar"]
        done = subprocess.run(
            [python, *words, "-y", plan],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
    if done.returncode:
        raise RuntimeError(f"notebook {number}: {done.stdout[-3000:]}")
    return out


def quick(number: str) -> dict[str, object]:
    """Return the quick settings, which stay in the folder of the stored notebooks."""
    (stored,) = series.find([number]).values()
    return series.settings(stored, full=False)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run portable notebooks alone.")
    parser.add_argument("numbers", nargs="*", metavar="NN")
    parser.add_argument("--python", type=Path, help="of an environment without this package")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        python = arguments.python or bare_python(Path(place) / "venv")
        for number in series.find(arguments.numbers):
            start = time.monotonic()
            row = series.results(run(number, python, Path(place) / number))
            print(
                f"{number}: {time.monotonic() - start:.0f} s, {row.source}", row.results, flush=True
            )


if __name__ == "__main__":
    sys.exit(main())
