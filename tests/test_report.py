"""The README's tables are what the benchmarks stored."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def report():
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_of_the_readme_are_the_stored_ones(report):
    assert report.with_tables(README) == README


def test_every_table_is_measured(report):
    assert report.MISSING not in report.with_tables(README)


def test_a_changed_number_changes_its_table(report, monkeypatch):
    page = report.stored("race")
    page["race_summary"]["record"]["seconds"][0] *= 2
    monkeypatch.setattr(report, "stored", lambda name: page if name == "race" else {})
    assert report.with_tables(README).count(report.MISSING) == len(report.TABLES) - 1
    slow, fast = (report.race(page)[line].split(" | ")[3:5] for line in (3, 2))
    assert float(slow[0]) > 13 and float(fast[1]) < 0.2


def test_a_table_without_a_place_is_named(report):
    with pytest.raises(ValueError, match="0 places for the table summit"):
        report.with_tables(README.replace("<!-- summit -->", ""))


def test_costs_are_shown_beside_the_first_of_their_kind(report):
    run = {"seconds": 120.0, "notebooks": {"00": {"seconds": 60.0, "peak_mb": 900}}}
    machine = dict.fromkeys(("cores", "system", "python", "numpy", "tensorflow", "keras"), "x")
    ways = {"by hand": [2.0, 1.0, 4.0], "ours": [0.01, 0.02, 0.03]}
    page = {"machine": machine, "seconds": {"loads": ways}}
    table = "\n".join(report.costs(page | {"quick": run | {"one_by_one": 240.0}, "full": run}))
    assert "| by hand | 2.0 s | 1.0 s to 4.0 s | 1 |" in table
    assert "| ours | 20 ms | 10 ms to 30 ms | 0.01 |" in table
    assert "quick series, 1 notebooks, two at a time | 2.0 min" in table and "| 0.5 |" in table
    assert "most memory 0.9 GB | – |" in table


def test_pictures_are_those_that_the_readme_shows(report):
    stored = {path.stem for path in (ROOT / "images").glob("bench-*.png")}
    assert stored == set(report.pictures()) == set(re.findall(r"images/(bench-\w+)\.png", README))
