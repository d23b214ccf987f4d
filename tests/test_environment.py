"""One list of dependencies: pyproject.toml, environment.yml and the lock file agree."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mnist_edu import __version__, errors
from mnist_edu.__main__ import _parser

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
CPU = (ROOT / "requirements-cpu.lock").read_text()


def names(requirements):
    found = {re.match(r"[A-Za-z0-9_.-]+", text).group() for text in requirements}
    return {name.lower().replace("_", "-") for name in found} - {"mnist-edu"}


def test_lock_holds_every_dependency_with_hashes():
    extras = PROJECT["optional-dependencies"]
    wanted = names(PROJECT["dependencies"])
    for extra in re.findall(r"\w+", extras["all"][0].split("[")[1]):
        wanted |= names(extras[extra])
    locked = re.findall(r"^([a-z0-9.-]+)==", LOCK, re.M)
    assert wanted <= set(locked)
    entries = re.split(r"^(?=[a-z0-9.-]+==)", LOCK, flags=re.M)[1:]
    assert entries and all("--hash=sha256:" in entry for entry in entries)


def test_lock_names_no_address_and_no_folder():
    for lock in (LOCK, CPU):
        assert not re.search(r"https?://|file:|index-url|find-links|(?<![\w.])/", lock)


def test_without_a_graphics_card_only_tensorflow_is_another():
    cut = re.search(r"(?<=^\t@)awk .*(?= > )", (ROOT / "Makefile").read_text(), re.M).group()
    made = subprocess.run(cut, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    (usual,) = re.findall(r"^tensorflow==\S+ .*\n(?: +.*\n)+", LOCK, re.M)
    assert made.stdout == LOCK.replace(usual, "") + CPU
    assert CPU.split()[0] == usual.split()[0].replace("tensorflow", "tensorflow-cpu")
    assert CPU.count("--hash=sha256:") >= 3  # one for each Python


def test_version_of_tensorflow_is_told_whichever_it_is(monkeypatch):
    known = {"tensorflow-cpu": "2.21.0", "keras": "3.15.1"}
    monkeypatch.setattr("importlib.metadata.version", known.__getitem__)
    monkeypatch.setattr(
        "importlib.metadata.distributions", lambda name: [n for n in known if n == name]
    )
    assert errors.version("tensorflow") == "2.21.0" and errors.version("keras") == "3.15.1"
    known["tensorflow"] = "2.22.0"
    assert errors.version("tensorflow") == "2.22.0"


def test_environment_holds_no_list_of_its_own():
    text = (ROOT / "environment.yml").read_text()
    listed = re.findall(r"^\s+- (.+)$", text, re.M)
    assert listed == ["conda-forge", "python>=3.11,<3.14", "pip", "pip:", "-e .[all]"]
    assert PROJECT["requires-python"] == ">=3.11,<3.14"


def test_bounds_do_not_replace_the_tensorflow_of_colab():
    wanted = [text for text in PROJECT["optional-dependencies"]["lessons"] if "tensorflow" in text]
    assert wanted == ["tensorflow>=2.18"]
    assert not any("<" in text or "==" in text for text in PROJECT["dependencies"])
    assert "tensorflow" not in names(PROJECT["dependencies"])


def test_package_itself_is_light():
    light = {"numpy", "matplotlib", "pillow", "requests", "platformdirs"}
    assert set(names(PROJECT["dependencies"])) == light


README = (ROOT / "README.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.S)
    for line in block.splitlines()
]


def test_make_commands_of_the_readme_exist():
    words = [word for c in COMMANDS if c.startswith("make") for word in c.split()[1:]]
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True)
    assert words and done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("mnist-edu")])
def test_python_command_of_the_readme_is_understood(command):
    assert _parser().parse_args(command.split()[1:]).command


def test_every_command_of_the_readme_is_of_a_known_kind():
    known = ("make ", "mnist-edu ", "conda ", "python -m venv", ". .venv", "pip install")
    assert COMMANDS and all(command.startswith(known) for command in COMMANDS)
    for extras in re.findall(r"\.\[([\w,]+)\]", README):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_import_costs_no_more_than_the_package():
    code = "import sys, mnist_edu; print(len([m for m in sys.modules if m.startswith('numpy')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_doors_of_contributing_lead_somewhere():
    """Each file that the table of places names is there, and holds what it is said to hold."""
    table = re.search(r"## Where things are\n(.*?)\n\nWho", CONTRIBUTING, re.S).group(1)
    rows = [row for row in table.splitlines() if row.startswith("| ")][2:]
    assert len(rows) == 23
    for row in rows:
        words = re.findall(r"`([^`]+)`", row)
        places = [word for word in words if "/" in word and "NN" not in word and "NAME" not in word]
        assert places or "NN" in row or "NAME" in row, row
        assert all((ROOT / place).exists() for place in places), row
        for name in (word for word in words if word.isidentifier()):
            code = "".join((ROOT / place).read_text("utf-8") for place in places)
            assert re.search(rf"^(def )?{name}\b", code, re.M), f"{name} is not in {places}"


def test_console_script_is_the_same_command():
    assert PROJECT["scripts"] == {"mnist-edu": "mnist_edu.__main__:main"}


def test_version_is_one():
    assert PROJECT["version"] == __version__ and f"## {__version__}" in CHANGELOG
