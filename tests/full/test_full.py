"""The full lessons under nbval: stored outputs of deterministic cells, and bands of results."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from mnist_edu import bands, data, series

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def copies(folder: Path, source: str) -> None:
    """Copy the notebooks; what depends on MNIST is not compared on other digits."""
    folder.mkdir()
    for path in PATHS:
        page = nbformat.read(path, as_version=4)
        for cell in page.cells:
            tags = cell.metadata.get("tags", [])
            if source != "MNIST" and "source-dependent" in tags:
                tags.remove("nbval-check-output")
        nbformat.write(page, folder / path.name)


def check(path: Path, folder: Path) -> str:
    """Run nbval over one notebook; return its output where it finds a difference."""
    profile = folder / "profile" / path.stem
    env = series.environment(2, profile) | {"MNIST_EDU_RESULTS": str(folder / "results")}
    env["MNIST_EDU_NOTEBOOK"] = path.name[:2]
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q"]
    command += ["-p", "no:cacheprovider", "--nbval-cell-timeout=900", path.name]
    place = folder / "notebooks"
    done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True)
    return done.stdout[-6000:] + done.stderr[-2000:] if done.returncode else ""


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Run nbval once over each notebook, two at a time; return faults, results and source."""
    os.environ.setdefault("MNIST_EDU_CACHE", str(tmp_path_factory.mktemp("cache")))
    try:
        source = data.load("auto").source
    except data.Unavailable as error:
        pytest.skip(f"the notebooks need data: {error}")
    folder = tmp_path_factory.mktemp("full")
    copies(folder / "notebooks", source)
    (folder / "results").mkdir()
    order = sorted(PATHS, key=lambda path: path.name[:2] not in series.LONGEST_FIRST[:1])
    with ThreadPoolExecutor(2) as pool:
        faults = dict(zip(order, pool.map(lambda p: check(p, folder), order), strict=True))
    return faults, folder / "results", source


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_stored_outputs_are_found_again(run, path):
    assert run[0][path] == ""


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_results_lie_in_their_bands(run, path):
    _, results, source = run
    kind = source.replace(" ", "-").lower()
    file = ROOT / "tests" / "bands" / f"{path.name[:2]}-full-{kind}.json"
    if not file.exists():
        pytest.skip(f"no band of this full lesson on {source} yet: make bands measures it")
    band = json.loads(file.read_text())
    kept = json.loads((results / f"{path.name[:2]}.json").read_text())
    assert kept["source"] == source
    assert bands.outside(band, kept["results"]) == []


@pytest.mark.parametrize("name", ["06-full-mnist", "06-quick-mnist"])
def test_network_of_the_series_is_as_good_as_promised(name):
    band = json.loads((ROOT / "tests" / "bands" / f"{name}.json").read_text())
    promised = {"06-full-mnist": 0.992, "06-quick-mnist": 0.97}[name]
    assert band["metrics"]["test_accuracy"]["mean"] >= promised


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "bands").glob("*.json")))
def test_band_has_five_seeds_and_an_untrained_network_lies_outside(path):
    band = json.loads(path.read_text())
    assert all(len(metric["values"]) >= 5 for metric in band["metrics"].values())
    broken = {name: 0.1 for name in band["metrics"] if name.endswith("accuracy")}
    assert len(bands.outside(band, broken)) >= len(broken)
