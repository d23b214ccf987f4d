"""What the benchmarks share, and what they reached."""

import io
import json
import sys
from argparse import Namespace
from pathlib import Path

import costs
import numpy as np
import pytest
import race
import shared
import summit
from conftest import REAL

from mnist_edu import data, series, synthetic

SETTINGS = {"threads": 1}


@pytest.fixture
def chosen(tmp_path):
    return Namespace(seeds=2, threads=1, idle="no", out=tmp_path / "page.json")


def measure(chosen, names="ab", settings=SETTINGS) -> list:
    """Measure with a program that takes no time, and return what it was asked for."""
    asked = []

    def one(name: str, seed: int) -> dict:
        asked.append(name + str(seed))
        return {name: {"seconds": float(seed), "version": "x"}}

    shared.measure(chosen, "race", settings, names, one)
    return asked


def test_seeds_are_measured_in_turn_and_summed_up(chosen):
    assert measure(chosen) == ["a1", "b1", "a2", "b2"]
    page = shared.read(chosen.out)
    assert page["race"][1] == {"name": "b", "seed": 1, "seconds": 1.0, "version": "x"}
    assert page["race_summary"]["a"] == {"seeds": 2, "seconds": [1.5, 1.0, 2.0]}
    assert page["race_settings"] == SETTINGS and page["race_machine"]["idle"] == "no"


def test_what_the_file_has_with_the_same_settings_is_kept(chosen):
    shared.write(chosen.out, {"ladder": "stays"})
    measure(chosen, names="a")
    chosen.seeds = 3
    assert measure(chosen) == ["b1", "b2", "a3", "b3"]
    page = shared.read(chosen.out)
    assert page["ladder"] == "stays" and len(page["race"]) == 6
    assert measure(chosen, settings={"threads": 2}) == ["a1", "b1", "a2", "b2", "a3", "b3"]
    assert len(shared.read(chosen.out)["race"]) == 6


def test_what_was_measured_before_a_fault_is_on_file(chosen):
    def one(name: str, seed: int) -> dict:
        return {name: {"seconds": 1.0 / (2 - seed)}}

    with pytest.raises(ZeroDivisionError):
        shared.measure(chosen, "race", SETTINGS, "a", one)
    assert [row["seed"] for row in shared.read(chosen.out)["race"]] == [1]
    assert [path.name for path in chosen.out.parent.iterdir()] == [chosen.out.name]


def test_a_name_that_gives_several_rows_gives_each_its_summary(chosen):
    found = {"a": {"seconds": 1.0}, "without": {"seconds": 2.0}}
    shared.measure(chosen, "whole", SETTINGS, "a", lambda name, seed: found)
    page = shared.read(chosen.out)
    assert [row["name"] for row in page["whole"]] == ["a", "without"] * 2
    assert page["whole_summary"]["without"]["seconds"] == [2.0, 2.0, 2.0]


def test_fingerprint_belongs_to_the_cells(monkeypatch):
    code = shared.sources()
    before = shared.fingerprint(shared.RACE)
    assert before != shared.fingerprint(shared.RACE[1:])
    monkeypatch.setattr(shared, "sources", lambda: code | {"title": "another"})
    assert shared.fingerprint(shared.RACE) == before
    monkeypatch.setattr(shared, "sources", lambda: code | {"network": "another"})
    assert shared.fingerprint(shared.RACE) != before


def test_a_benchmark_that_was_never_run_is_empty():
    assert shared.stored("no such benchmark") == {}
    assert json.loads((shared.MEASURED / "race.json").read_text("utf-8")) == shared.stored("race")


def test_stored_race_is_won_and_stored_summit_is_reached():
    page = shared.stored("race")["race_summary"]
    ours, loop, record = page["notebook 11"], page[race.IN_OUR_LOOP], page["record"]
    assert ours["seeds"] == loop["seeds"] == record["seeds"] == 20
    assert ours["accuracy"][0] >= 0.99 and ours["seconds"][0] <= record["seconds"][0] / 4
    assert ours["seconds"][0] <= 0.4 * loop["seconds"][0]
    climbed = shared.stored("summit")["whole_summary"]["all"]
    assert climbed["seeds"] >= 5 and climbed["accuracy"][0] >= 0.9965
    assert climbed["seconds"][2] <= 600


def test_ablation_tells_what_was_left_out_after_the_training(monkeypatch):
    few = data.Split(np.zeros((20, 28, 28), np.uint8), np.zeros(20, np.uint8))
    found = {"all": 0.9, "e: not settled": 0.8, "f: asked once": 0.7}
    trained = (None, {"seconds": 2.0, "steps": 1.0})
    cells = {"train": lambda *_, **__: trained, "judge": lambda *_: found}
    cells["settle"] = lambda *_: None
    recipes = {"all": {}, "a: no augmentation": {}}
    digits = data.Dataset(few, few, few, "MNIST")
    monkeypatch.setattr(data, "load", lambda *_, **__: digits)
    rows = summit.one(cells, "ablation", recipes, "all", 1)
    assert {name: row["accuracy"] for name, row in rows.items()} == found
    alone = summit.one(cells, "ablation", recipes, "a: no augmentation", 1)
    assert list(alone) == ["a: no augmentation"]
    (row,) = summit.one(cells, "tried", recipes, "a: no augmentation", 1).values()
    assert (row["accuracy"], row["once"]) == (0.9, 0.7)


@pytest.mark.parametrize(("part", "tested"), [("whole", 3), ("best", 3), ("tried", 2)])
def test_recipes_are_chosen_by_validation_digits_and_reported_on_test_digits(
    monkeypatch, part, tested
):
    def split(n):
        return data.Split(np.zeros((n, 28, 28), np.uint8), np.zeros(n, np.uint8))

    def load(source, validation_size):
        aside = 2 if validation_size == 10_000 else validation_size
        return data.Dataset(split(5), split(aside), split(3), "MNIST")

    read = []

    def judge(model, settling, images, labels):
        read.append(len(images))
        return {"all": 0.9, "f: asked once": 0.9}

    cells = {"train": lambda *_, **__: (None, {"seconds": 2.0, "steps": 1.0}), "judge": judge}
    cells["settle"] = lambda *_: None
    monkeypatch.setattr(data, "load", load)
    summit.one(cells, part, {"all": {}}, "all", 1)
    assert read == [tested]


def test_stored_winner_is_the_line_with_the_fewest_errors():
    page = shared.stored("summit")
    accuracy = {name: row["accuracy"][0] for name, row in page["tried_summary"].items()}
    assert max(accuracy, key=accuracy.get) == summit.BEST
    assert list(page["best_summary"]) == [summit.BEST] and len(accuracy) == 6


def test_race_asks_each_program_in_its_own_process(chosen, monkeypatch):
    started, asked = [], []

    class Program:
        stdin = io.StringIO()

        def __init__(self, *how):
            started.append(how)

        def wait(self):
            return 0

    def ask(program, **task):
        asked.append(task)
        return {"seconds": 1.0, "accuracy": 0.5, "version": "x"}

    monkeypatch.setattr(race, "start", Program)
    monkeypatch.setattr(race, "ask", ask)
    chosen.ladder, chosen.torch_python, chosen.seeds = False, "other/python", 1
    race.measure(chosen)
    assert started == [("lesson", sys.executable, 1), ("record", "other/python", 1)]
    warm, ours = {"seed": 0, "warm": True}, {"seed": 1, "step": race.ITS_RUNG, "tuned": False}
    assert asked == [warm, {"seed": 1}, ours, warm, {"seed": 1}]
    names = ["notebook 11", race.IN_OUR_LOOP, "record"]
    assert list(shared.read(chosen.out)["race_summary"]) == names
    assert race.ITS_RUNG in {row["name"] for row in shared.stored("race")["ladder"]}


# --- Costs ---------------------------------------------------------------------------------------


def test_series_gives_seconds_of_each_notebook_and_of_its_longest_cell(monkeypatch):
    pytest.importorskip("psutil", reason='psutil is missing: pip install -e ".[bench]"')
    rows = [series.Row("00_a", seconds=1.23), series.Row("01_b", seconds=4.56)]
    taken = {"imports": {"duration": 0.4}, "train": {"duration": 3.14}, "never-run": {}}
    jobs_asked = []

    def run(out, jobs, **_):
        jobs_asked.append(jobs)
        cells = [{"id": name, "metadata": {"papermill": row}} for name, row in taken.items()]
        for row in rows:
            cells.append({"id": "prose", "metadata": {}})
            (Path(out) / f"{row.notebook}.ipynb").write_text(json.dumps({"cells": cells}))
        return rows

    monkeypatch.setattr(series, "run", run)
    monkeypatch.setattr(costs, "watch_memory", lambda _, peaks, __: peaks.update({"00_a": 2e9}))
    found = costs.measure_series(full=True)
    cell = {"longest_cell": "train", "longest_seconds": 3.1}
    assert found["notebooks"] == {
        "00_a": {"seconds": 1.2, "peak_mb": 2000} | cell,
        "01_b": {"seconds": 4.6} | cell,
    }
    alone = {"00_a": {"seconds": 1.2} | cell, "01_b": {"seconds": 4.6} | cell}
    assert found["one_by_one"]["notebooks"] == alone
    assert jobs_asked == [2, 1]
    rows[1].state = series.FAILED
    with pytest.raises(SystemExit, match="01_b failed"):
        costs.run_series(full=True, jobs=2)


@pytest.mark.skipif(not REAL, reason="MNIST is not here: MNIST_EDU_DATA names no folder")
def test_loading_is_measured_in_three_ways(monkeypatch):
    monkeypatch.setenv("MNIST_EDU_DATA", REAL)
    monkeypatch.setattr(costs, "keras_loader", lambda *_: lambda: 0.0)
    monkeypatch.setattr(costs, "in_turn", lambda ways, _: {name: ways[name]() for name in ways})
    keras, by_hand, ours = costs.measure_loads().values()
    assert keras < ours < by_hand


# --- Ink -----------------------------------------------------------------------------------------


# --- Ink -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pictures_of_each_kind_are_read_back_and_a_page_is_cut():
    pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')
    import ink

    images, labels = synthetic.make_digits(30, 1)
    for draw in ink.KINDS.values():
        found = ink.read_back(lambda drawn: labels[: len(drawn)], images[:1], labels[:1], draw)
        assert found == {(): 0.0}
        picture = draw(images[0], np.random.default_rng(0))
        assert ink.or_empty(picture, ()).any() and not ink.or_empty(0 * picture, ()).any()
    assert ink.pages(images, 1, *ink.PAGES["drawing"])["number"] == 1.0


@pytest.mark.parametrize(("part", "trains"), [("times_ms", 0), ("page", 0), ("loss", 1)])
def test_a_network_is_trained_only_for_what_it_reads(monkeypatch, part, trains):
    pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')
    import ink

    trained = []

    def reader(digits):
        trained.append(digits)
        return lambda images: np.zeros(len(images), int)

    monkeypatch.setattr(ink, "reader", reader)
    digits = Namespace(test=data.Split(*synthetic.make_digits(20, 1)))
    monkeypatch.setattr(ink.data, "load", lambda _: digits)
    for name in ("times", "losses", "all_pages"):
        monkeypatch.setattr(ink, name, lambda *_: {})
    before, pages = {"images": 2000, "untouched": 99.0}, []
    monkeypatch.setattr(shared, "stored", lambda _: dict(before))
    monkeypatch.setattr(shared, "write", lambda _, page: pages.append(page))
    monkeypatch.setattr("sys.argv", ["ink.py", "--only", part])
    ink.main()
    assert len(trained) == trains
    now = {"images": 20, "untouched": 100 * np.mean(digits.test.labels == 0)} if trains else before
    assert pages == [now | {"split": "test", part: {}}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("hard shadow", 9),
        ("note on a dark desk", 11),
        ("dark edge", 11),
        ("banner", 11),
        ("stains", 11),
        ("thin pens", 11),
        ("close neighbours", 11),
    ],
)
def test_pages_of_real_paper_are_cut_rightly(kind, least):
    pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')
    import ink

    images, _ = synthetic.make_digits(300, 5)
    assert round(12 * ink.cut_rightly(images, 12, ink.PAPER[kind])["order"]) >= least
