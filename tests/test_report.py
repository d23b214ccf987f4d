"""The README's tables, minutes and numbers, and its pictures, are what the benchmarks stored."""

import html
import io
import json
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import report
import shared
from cells import cells_of, run_cells
from conftest import REAL
from PIL import Image

from mnist_edu import download, lesson, series, synthetic
from mnist_edu.exercises import nb11

README = (shared.ROOT / "README.md").read_text("utf-8")
LOCK = (shared.ROOT / "requirements.lock").read_text("utf-8")
NOTEBOOKS = [path.stem for path in series.find().values()]
PAGES = {path.stem: shared.read(path) for path in sorted(shared.MEASURED.glob("*.json"))}
PACKED = [Path(REAL or "") / name for name in download.FILES]
SUMMARIES = [(name, part[:-8]) for name in PAGES for part in PAGES[name] if "_summary" in part]


# --- Tables --------------------------------------------------------------------------------------


def test_tables_of_the_readme_are_the_stored_ones():
    assert report.with_tables(README) == README


def test_every_table_is_measured():
    assert report.MISSING not in report.with_tables(README)


def test_a_changed_number_changes_its_table(monkeypatch):
    page = shared.stored("race")
    page["race_summary"]["record"]["seconds"][0] *= 2
    monkeypatch.setattr(shared, "stored", lambda name: page if name == "race" else {})
    assert report.with_tables(README).count(report.MISSING) == len(report.TABLES) - 1
    slow, fast = (report.race(page).splitlines()[line].split(" | ")[3:5] for line in (4, 2))
    assert float(slow[0]) > 13 and float(fast[1]) < 0.2


def test_a_table_without_a_place_is_named():
    with pytest.raises(ValueError, match="0 places for the table summit"):
        report.with_tables(README.replace("<!-- summit -->", ""))


def test_costs_are_shown_beside_the_first_of_their_kind():
    cell = {"longest_cell": "train", "longest_seconds": 19.6}
    run = {"seconds": 120.0, "notebooks": {"00": {"seconds": 60.0, "peak_mb": 900} | cell}}
    alone = {"seconds": 240.0, "notebooks": {"00": cell | {"longest_seconds": 9.6}}}
    machine = dict.fromkeys(("cores", "system", "python", "numpy", "tensorflow", "keras"), "x")
    ways = {"by hand": [2.0, 1.0, 4.0], "ours": [0.01, 0.02, 0.03]}
    page = {"machine": machine, "seconds": {"loads": ways}}
    table = report.costs(page | {"quick": run | {"one_by_one": alone}})
    assert "| by hand | 2.0 s | 1.0 s to 4.0 s | 1 |" in table
    assert "| ours | 20 ms | 10 ms to 30 ms | 0.01 |" in table
    assert "quick series, 1 notebooks, two at a time | 2.0 min" in table and "| 0.5 |" in table
    assert "most memory 0.9 GB; one at a time 4.0 min, longest cell 10 s |" in table


@pytest.mark.parametrize(("name", "part"), SUMMARIES)
def test_stored_summary_is_that_of_its_rows(name, part):
    assert shared.summary(PAGES[name][part]) == PAGES[name][f"{part}_summary"]


@pytest.mark.parametrize("cell_ids", [("ladder-table", "race-table"), ("summit-table",)])
def test_notebook_09_shows_the_stored_tables(cell_ids):
    printed = run_cells("11", *cell_ids, lesson=lesson, nb11=nb11)["printed"]
    shown = [output["data"] for name in cell_ids for output in cells_of("11")[name]["outputs"]]
    assert "\n".join("".join(page["text/plain"]) for page in shown) == printed
    words = re.sub("<.*?>", " ", " ".join("".join(page["text/html"]) for page in shown))
    assert html.unescape(words).split() == printed.split()


# --- Minutes of the notebooks --------------------------------------------------------------------


def test_minutes_of_the_notebooks_are_as_they_say_and_as_measured():
    assert report.with_minutes(README) == README


def test_a_notebook_without_a_line_is_named():
    with pytest.raises(ValueError, match="0 lines for 06_cnn_dropout.ipynb"):
        report.with_minutes(README.replace("(notebooks/06_", "(notebooks/6_"))


@pytest.mark.parametrize(
    ("seconds", "minutes", "said"),
    [
        (7.6, 1, "less than half a minute"),
        (60.0, 1, "less than a minute"),
        (60.1, 2, "about 2 minutes"),
        (169.5, 3, "about 3 minutes"),
    ],
)
def test_minutes_to_run_are_rounded_up(monkeypatch, seconds, minutes, said):
    page = {"full": {"one_by_one": {"notebooks": {"06": {"seconds": seconds}}}}}
    monkeypatch.setattr(shared, "stored", lambda name: page)
    assert report.minutes_to_run("06") == minutes
    assert report.run_sentence("06") == f"The cells run in {said}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_says_how_long_it_was_measured_to_run(name):
    text = report.title(series.notebooks_folder() / f"{name}.ipynb")
    said = re.search(r"The cells run in .*? minutes?\b", text).group()
    assert said == report.run_sentence(name)


# --- Numbers in sentences ------------------------------------------------------------------------

RACED, CLIMBED, TRANSFER = PAGES["race"], PAGES["summit"], PAGES["transfer"]
EMBEDDED_BANDS = sorted((shared.ROOT / "tests" / "bands").glob("*-embedded-digits.json"))
BANDS = json.loads((shared.ROOT / "tests" / "bands" / "06-full-mnist.json").read_text("utf-8"))
LOWEST = min(BANDS["metrics"]["test_accuracy"]["values"].values())
WORDS = {1: "one", 2: "two", 2 / 3: "two thirds"}
SENTENCES = {
    "(`make transfer`; seeds: {})": TRANSFER["transfer_summary"]["both ways"]["seeds"],
    "in notebook 11, with {} of its filters,": WORDS[TRANSFER["transfer_settings"]["width"]],
    "![Seconds of training, {} seeds: ": RACED["race_summary"]["record"]["seeds"],
    "# seconds to {} %: ": int(100 * RACED["race_summary"]["notebook 11"]["accuracy"][0]),
    "trained with {} thread for each operation;": WORDS[CLIMBED["whole_settings"]["threads"]],
    "one notebook at a time on {} quick CPU cores;": WORDS[PAGES["costs"]["machine"]["cores"]],
    "network that reads more than {} % of the\nMNIST test digits.": int(100 * LOWEST),
    "CNN, read more than {} % of the MNIST test digits": int(100 * LOWEST),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_number_in_the_readme_is_the_measured_one(sentence):
    assert README.count(sentence.format(SENTENCES[sentence])) == 1


@pytest.mark.skipif(
    not all(path.exists() for path in PACKED), reason="MNIST_EDU_DATA names no folder with MNIST"
)
def test_size_of_mnist_in_the_readme_is_that_of_its_files():
    size = sum(path.stat().st_size for path in PACKED)
    assert README.count(f"MNIST ({size / 1e6:.0f} MB)") == 1


def test_transfer_was_measured_with_the_digits_of_today():
    assert TRANSFER["transfer_settings"]["digits"] == synthetic.VERSION


@pytest.mark.parametrize("path", EMBEDDED_BANDS, ids=lambda path: path.stem)
def test_bands_on_embedded_digits_were_measured_with_the_digits_of_today(path):
    assert shared.read(path)["digits"] == synthetic.VERSION


# --- Pictures ------------------------------------------------------------------------------------

LOCKED = re.search(r"^matplotlib==(\S+)", LOCK, re.M).group(1)


@pytest.fixture(scope="module")
def pictures():
    return report.pictures()


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), float)


def test_pictures_are_those_that_the_readme_shows(pictures):
    stored = {p.stem for p in (shared.ROOT / "images").iterdir() if re.match(r"\D", p.name)}
    assert stored == set(pictures) == set(re.findall(r"images/([a-z]+-\w+)\.png", README))


def test_map_of_the_series_has_every_notebook_and_what_it_needs(pictures):
    (axes,) = pictures["series-map"].axes
    written = [text.get_text()[:2] for text in axes.texts if text.get_text()[:2].isdigit()]
    assert sorted(written) == [name[:2] for name in NOTEBOOKS]
    assert report.steps()["04"] == {"03"}  # not 00 and 01, which 03 needs; 02 is a mere help
    assert "04 Dense networks in Keras (after 03)" in pictures["series-map"].description


@pytest.mark.skipif(
    matplotlib.__version__ != LOCKED, reason=f"the stored pictures are of Matplotlib {LOCKED}"
)
@pytest.mark.parametrize("name", ["bench-memory", "bench-minutes", "bench-race", "series-map"])
def test_picture_is_drawn_from_the_stored_numbers(pictures, name):
    """One more tenth of a second, or megabyte, gives 0.8 or more, of 255; the same gives 0.

    Another Matplotlib writes elsewhere: 3.8 gives 30, more than a bar that is too long.
    """
    stored = pixels((shared.ROOT / "images" / f"{name}.png").read_bytes())
    drawn = pixels(pictures[name].png())
    assert stored.shape == drawn.shape
    assert np.sqrt(np.mean((stored - drawn) ** 2)) < 0.5


@pytest.mark.parametrize("name", ["bench-memory", "bench-minutes"])
def test_picture_shows_all_notebooks_in_order(pictures, name):
    (axes,) = pictures[name].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == NOTEBOOKS


def test_every_notebook_is_measured_in_order():
    for kind in ("quick", "full"):
        found = PAGES["costs"][kind]
        assert list(found["notebooks"]) == list(found["one_by_one"]["notebooks"]) == NOTEBOOKS


@pytest.mark.parametrize(("kind", "most"), [("quick", 10), ("full", 20)])
def test_no_cell_was_measured_to_wait_long(kind, most):
    """A learner runs one notebook at a time, on two idle cores."""
    for name, row in PAGES["costs"][kind]["one_by_one"]["notebooks"].items():
        assert row["longest_seconds"] <= most, f"{name}: split {row['longest_cell']}"
