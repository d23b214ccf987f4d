"""Stored outputs: those of the record, the same in every form, and inside their bands."""

import base64
import html
import json
import re
import shutil
from pathlib import Path
from statistics import mean, stdev

import pytest
from facts import ANSI, table_of

from mnist_edu import authoring, bands, series, stored
from mnist_edu.lesson import RESULTS_MIME
from mnist_edu.show import text_table

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PNG = b"\x89PNG\r\n"


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


def bundles(path):
    """Return name of cell and MIME bundle of each output that has one, texts joined."""
    found = []
    for cell, output in series.outputs(path):
        data = output.get("data", {})
        found.append((cell["id"], {kind: joined(data[kind]) for kind in data}))
    return [(name, data) for name, data in found if data]


def joined(part):
    return "".join(part) if isinstance(part, list) else part


def words(text):
    return " ".join(text.split())


# --- The record ----------------------------------------------------------------------------------


def test_nothing_was_changed_after_it_was_stored(path):
    faults = stored.changes(path)
    assert not faults, "\n".join(faults)


def test_record_has_the_notebooks_that_are_here():
    assert sorted(stored.kept_records(PATHS[0])) == [path.stem for path in PATHS]


# --- The forms of one output ---------------------------------------------------------------------


def test_recorded_results_are_those_that_people_read(path):
    found = [(name, data) for name, data in bundles(path) if RESULTS_MIME in data]
    assert found, "no results are recorded"
    for name, data in found:
        record, (caption, rows) = data[RESULTS_MIME], table_of(data["text/html"])
        wanted = {key: f"{value:.4g}" for key, value in record["results"].items()}
        differ = f"cell {name}: the table and the recorded numbers differ"
        assert caption == record["source"] and rows[0] == ["result", "value"], differ
        assert dict(rows[1:]) == wanted and len(rows) == len(wanted) + 1, differ


def test_tables_say_the_same_as_text_and_as_html(path):
    tables = [(n, d) for n, d in bundles(path) if d.get("text/html", "").startswith("<table>")]
    assert tables
    for name, data in tables:
        caption, rows = table_of(data["text/html"])
        assert data["text/plain"] == text_table(rows, caption), f"cell {name}: the two differ"


def test_other_html_says_its_text(path):
    for name, data in bundles(path):
        page, text = data.get("text/html", ""), ANSI.sub("", data["text/plain"])
        if "<script" in page:
            said = html.unescape(page)
            assert all(line in said for line in text.splitlines()), f"cell {name}: text differs"
        elif page and "<table>" not in page:
            said = html.unescape(re.sub(r"<[^>]+>", "", page))
            assert words(said) == words(text), f"cell {name}: HTML and text differ"


def test_pictures_are_pictures_and_their_descriptions_are_their_captions(path):
    found = bundles(path)
    alts = [
        o["metadata"]["image/png"]["alt"]
        for _, o in series.outputs(path)
        if "metadata" in o and o["metadata"]
    ]
    pictures = [at for at, (_, data) in enumerate(found) if "image/png" in data]
    assert len(alts) == len(pictures) >= 2
    for at, alt in zip(pictures, alts, strict=True):
        name, data = found[at]
        assert data["text/plain"] == alt, f"cell {name}: text and alt text differ"
        assert base64.b64decode(data["image/png"])[:6] == PNG, f"cell {name}: no PNG"
        below = found[at + 1 : at + 2]
        if below and below[0][0] == name and "<small>" in below[0][1].get("text/html", ""):
            assert below[0][1]["text/plain"] == alt, f"cell {name}: caption and alt text differ"
        else:
            assert not name.endswith("figure"), f"cell {name}: the caption is missing"


# --- Against what was measured -------------------------------------------------------------------


def test_stored_results_lie_in_the_band_of_the_full_lesson(path):
    band = json.loads((ROOT / "tests" / "bands" / f"{path.name[:2]}-full-mnist.json").read_text())
    row = series.results(path)
    source, results = row.source, row.results
    assert source == band["source"] == "MNIST"
    assert bands.outside(band, results) == [], f"{path.name}: store it anew, or measure its band"


def test_last_line_of_the_shift_ruler_is_the_recorded_one(path):
    results = series.results(path).results
    shares = [results.get(f"shift_{pixels}") for pixels in range(5)]
    if shares[0] is None:
        return
    (told,) = [
        d["text/plain"] for n, d in bundles(path) if n == "ruler-figure" and "image/png" in d
    ]
    assert told.endswith(": " + " / ".join(f"{100 * share:.0f}" for share in shares) + " %.")


@pytest.mark.parametrize(
    "file", sorted((ROOT / "tests" / "bands").glob("*.json")), ids=lambda file: file.stem
)
def test_bands_are_mean_and_spread_of_their_seeds(file):
    for name, metric in json.loads(file.read_text("utf-8"))["metrics"].items():
        values = list(metric["values"].values())
        told = metric["mean"], metric["sd"]
        assert told == pytest.approx((mean(values), stdev(values)), abs=1e-5), (
            f"{file.name}: {name}"
        )


NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


def test_recorded_accuracies_are_what_other_cells_say(path):
    others = [cell["id"] != "results" and output for cell, output in series.outputs(path)]
    texts = [joined(o.get("text") or o["data"]["text/plain"]) for o in others if o]
    said = {number for text in texts for number in NUMBER.findall(text.replace(",", ""))}
    for name, value in series.results(path).results.items():
        if name.endswith("accuracy"):  # as a share, in 100, in 10,000, or as errors in 100
            forms = (value, 100 * value, 10_000 * value, 100 - 100 * value)
            told = {f"{form:.{digits}f}" for form in forms for digits in range(5)} - {"0", "1"}
            assert told & {*said}, f"no other cell says that {name} is {value}"


# --- The record notices --------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    """A copy of notebook 01 and its record; 01 has every form of output."""
    shutil.copy(PATHS[1], tmp_path)
    shutil.copy(PATHS[1].with_name("stored.json"), tmp_path)
    return tmp_path / PATHS[1].name


def edit(copy, cell, old, new, kind="code"):
    page = json.loads(copy.read_text("utf-8"))
    (found,) = [c for c in page["cells"] if c["id"] == cell and c["cell_type"] == kind]
    text = json.dumps(found, ensure_ascii=False)
    assert old in text
    page["cells"][page["cells"].index(found)] = json.loads(text.replace(old, new))
    copy.write_text(json.dumps(page), "utf-8")


@pytest.mark.parametrize(
    ("cell", "old", "new", "said"),
    [
        ("parameters", "learning_rate = 0.5", "learning_rate = 0.6", "its code was changed"),
        ("look-1000", "0.9191", "0.9291", "its output (or"),  # a text
        ("softmax-twice-table", "<td>0.802", "<td>0.812", "its output (or"),  # HTML alone
        ("results", '"test_accuracy": 0.9', '"test_accuracy": 0.8', "its results was"),  # MIME
        ("ruler-figure", "iVBORw0KGgo", "iVBORw0KGgp", "its output (or"),  # a picture
        ("ruler-figure", '{"alt": "MNIST', '{"alt": "NIST', "its output (or"),
    ],
)
def test_a_change_by_hand_is_named(copy, cell, old, new, said):
    assert stored.changes(copy) == []
    edit(copy, cell, old, new)
    faults = "\n".join(stored.changes(copy))
    assert f"01_softmax_tf1.ipynb, cell {cell}: " in faults and said in faults
    assert "run `python -m mnist_edu store 01`" in faults


def test_text_cells_may_change_and_the_way_lines_are_written(copy):
    edit(copy, "recap", "Softmax regression", "It", kind="markdown")
    assert stored.changes(copy) == []
    page = json.loads(copy.read_text("utf-8"))
    for cell in page["cells"]:
        cell["source"] = "".join(cell["source"])
    copy.write_text(json.dumps(page), "utf-8")
    assert stored.changes(copy) == []


@pytest.mark.parametrize("cell", ["train", "results"])
def test_cells_cannot_go_come_or_change_places(copy, cell):
    page = json.loads(copy.read_text("utf-8"))
    cells = page["cells"]
    at = next(i for i, c in enumerate(cells) if c["id"] == cell)

    def faults(changed):
        copy.write_text(json.dumps(page | {"cells": changed}), "utf-8")
        return "\n".join(stored.changes(copy))

    assert f"cell {cell}: it was removed" in faults(cells[:at] + cells[at + 1 :])
    assert "cell new: it was never stored" in faults([*cells, cells[at] | {"id": "new"}])
    assert "stand in another order" in faults([cells[at], *cells[:at], *cells[at + 1 :]])


def test_a_record_changed_alone_is_named(copy):
    file = copy.with_name("stored.json")
    kept = file.read_text("utf-8")
    line = stored.record(copy)["cells"]["ruler"]
    for old, new, said in [
        (line, line[:-1] + "_", "cell ruler: its output (or its line in stored.json)"),
        ('"test_accuracy": 0.9', '"test_accuracy": 0.8', "its results was"),
        ('"01_softmax_tf1"', '"01_softmax"', "has no record"),
    ]:
        assert kept.count(old)
        start = kept.index('"01_softmax_tf1"')
        file.write_text(kept[:start] + kept[start:].replace(old, new, 1), "utf-8")
        assert said in "\n".join(stored.changes(copy))


def test_keeping_one_record_leaves_the_others_and_drops_notebooks_that_are_gone(copy):
    second = copy.with_name("02_two.ipynb")
    shutil.copy(copy, second)
    edit(copy, "look-1000", "0.9191", "0.9291")
    stored.keep(second)
    assert sorted(stored.kept_records(copy)) == ["01_softmax_tf1", "02_two"]
    assert stored.changes(second) == [] and len(stored.changes(copy)) == 1


def test_storing_keeps_the_record(copy, monkeypatch):
    monkeypatch.setattr("mnist_edu.data.load", lambda source: None)
    monkeypatch.setattr("nbclient.NotebookClient.execute", lambda client, **how: None)
    edit(copy, "look-1000", "0.9191", "0.9291")
    authoring.store(copy)
    assert stored.changes(copy) == []


def test_text_form_and_back_keep_to_the_record_until_code_changes(copy, tmp_path):
    text = tmp_path / "01.py"
    authoring.to_text(copy, text)
    authoring.from_text(text, copy)
    assert stored.changes(copy) == []
    text.write_text(text.read_text("utf-8").replace("tf.matmul(x, W) + b", "tf.matmul(x, W)"))
    authoring.from_text(text, copy)
    (fault,) = stored.changes(copy)
    assert "cell variables: its code was changed after it was stored" in fault
