"""The wheel holds the whole package, and what notebooks show of the benchmarks."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import shared

READ = """
import json, mnist_edu
from mnist_edu.exercises import nb11
print(json.dumps([mnist_edu.__file__, nb11.stored("race"), nb11.stored("summit")]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Return a folder with what the wheel puts into an environment."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=shared.ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def test_installed_package_is_whole(installed):
    def files(folder: Path) -> set[str]:
        found = folder.joinpath("mnist_edu").rglob("*")
        kept = [path for path in found if path.is_file() and path.suffix != ".pyc"]
        return {path.relative_to(folder).as_posix() for path in kept}

    assert files(installed) == files(shared.ROOT)
    assert {path.name.split("-")[0] for path in installed.iterdir()} == {"mnist_edu"}


def test_installed_package_finds_the_stored_measurements(installed, tmp_path):
    env = os.environ | {"PYTHONPATH": str(installed)}
    how = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True, "check": True}
    found = subprocess.run([sys.executable, "-c", READ], **how).stdout
    place, *pages = json.loads(found)
    assert Path(place).is_relative_to(installed)
    assert pages == [shared.stored("race"), shared.stored("summit")] and all(pages)
