"""The runner, on small notebooks made here: quick settings, failures, results, bands."""

import json
from types import SimpleNamespace

import nbformat
import pytest

from mnist_edu import __main__, authoring, bands, data, series
from mnist_edu.errors import WentWrong

RECORD = """
from types import SimpleNamespace
from mnist_edu import lesson
lesson.record(SimpleNamespace(source=origin), score=seed / 10)
"""


def notebook(folder, name, *cells, parameters='seed = 1\nsource = "auto"\norigin = "MNIST"'):
    first = nbformat.v4.new_code_cell(
        parameters, id="parameters", metadata={"tags": ["parameters"]}
    )
    rest = [nbformat.v4.new_code_cell(code, id=f"cell-{i}") for i, code in enumerate(cells, 1)]
    page = nbformat.v4.new_notebook(cells=[first, *rest], metadata=authoring.KERNEL)
    nbformat.write(page, folder / name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mnist_edu.data.load", lambda source: SimpleNamespace(source="MNIST"))
    return tmp_path / "notebooks"


@pytest.mark.slow
def test_one_failing_notebook_does_not_stop_the_others(folder, capsys):
    notebook(folder, "00_bad.ipynb", "1 / 0")
    notebook(folder, "01_good.ipynb", RECORD)
    notebook(folder, "02_dies.ipynb", "import os\nos._exit(1)")
    assert __main__.main(["run", "--out", "out"]) == 1
    printed = capsys.readouterr().out
    assert "00_bad: cell cell-1: ZeroDivisionError: division by zero" in printed
    assert "the kernel died" in printed
    assert "score 0.1" in printed
    assert {p.name for p in (folder.parent / "out").glob("*.html")} >= {
        "01_good.html",
        "index.html",
    }


@pytest.mark.slow
def test_quick_settings_are_applied_and_full_leaves_them_out(folder):
    notebook(folder, "01_a.ipynb", RECORD)
    (folder / "quick.toml").write_text('["01"]\nseed = 7\n')
    (row,) = series.run(["01"], source="mnist", out="out")
    assert row.results == {"score": 0.7} and row.state == series.OK
    assert series.settings(folder / "01_a.ipynb", full=True) == {}


def test_misspelt_parameter_is_an_error_before_anything_runs(folder):
    notebook(folder, "01_a.ipynb", RECORD)
    (folder / "quick.toml").write_text('["01"]\nsed = 7\n')
    with pytest.raises(ValueError, match="no parameter sed"):
        series.run(["01"], out="out")


def test_unknown_notebook_names_those_there_are(folder, capsys):
    notebook(folder, "01_a.ipynb", RECORD)
    assert __main__.main(["run", "77"]) == 2
    assert "no notebook 77: there are 01" in capsys.readouterr().err


def test_numbers_need_no_zero(folder):
    notebook(folder, "01_a.ipynb", RECORD)
    assert list(series.find(["1"])) == ["01"]


@pytest.mark.slow
def test_full_disk_costs_one_row_and_leaves_no_half_page(folder, monkeypatch, capsys):
    notebook(folder, "01_a.ipynb", RECORD)
    notebook(folder, "02_b.ipynb", RECORD)

    def cut_short(path, plan, target, env):
        target.write_text(path.read_text()[:100] if path.name[:2] == "01" else path.read_text())

    monkeypatch.setattr(series, "_execute", cut_short)
    assert __main__.main(["run", "--out", "out"]) == 1
    printed = capsys.readouterr().out
    assert "01_a.ipynb: JSONDecodeError" in printed
    assert {path.name for path in (folder.parent / "out").glob("*.html")} == {
        "02_b.html",
        "index.html",
    }


def test_cache_that_cannot_be_written_is_shared_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("in the way")
    monkeypatch.setenv("MNIST_EDU_CACHE", str(tmp_path / "a file" / "cache"))
    env = series.environment(2, tmp_path / "profile")
    assert env["MNIST_EDU_CACHE"] == str(tmp_path / "profile" / "cache")


@pytest.mark.parametrize("machine, wanted", [("x86_64", "1"), ("AMD64", "1"), ("arm64", None)])
def test_convolutions_use_one_dnn_where_that_was_measured(tmp_path, monkeypatch, machine, wanted):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert series.environment(1, tmp_path).get("TF_ENABLE_ONEDNN_OPTS") == wanted
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert series.environment(1, tmp_path)["TF_ENABLE_ONEDNN_OPTS"] == "0"


def test_table_shows_test_accuracies_first():
    results = {"gain": 0.1, "shift_0": 0.9, "cost": 3, "cnn_test_accuracy": 0.99, "ece": 0.01}
    assert series._shown(results) == "cnn_test_accuracy 0.99, gain 0.1, cost 3"


@pytest.mark.slow
def test_embedded_digits_cannot_be_overlooked(folder, capsys):
    notebook(folder, "01_a.ipynb", RECORD)
    rows = series.run(["01"], out="out", parameters={"origin": "embedded digits"})
    series.show_results(rows, "out")
    assert data.EMBEDDED in capsys.readouterr().out
    for page in ("01_a.html", "index.html"):
        assert data.EMBEDDED in (folder.parent / "out" / page).read_text()


@pytest.mark.slow
def test_store_keeps_the_old_file_when_a_cell_fails(folder, monkeypatch):
    monkeypatch.setattr("mnist_edu.data.load", lambda source: None)
    notebook(folder, "01_a.ipynb", "1 / 0")
    before = (folder / "01_a.ipynb").read_bytes()
    with pytest.raises(WentWrong, match="ZeroDivisionError"):
        authoring.store(folder / "01_a.ipynb")
    assert (folder / "01_a.ipynb").read_bytes() == before


@pytest.mark.slow
def test_store_refuses_paths_of_a_machine(folder, monkeypatch):
    monkeypatch.setattr("mnist_edu.data.load", lambda source: None)
    notebook(folder, "01_a.ipynb", "print('/home/' + 'me')")
    with pytest.raises(WentWrong, match="/home/me"):
        authoring.store(folder / "01_a.ipynb")


@pytest.mark.slow
def test_text_form_keeps_ids_tags_and_outputs(folder, monkeypatch):
    monkeypatch.setattr("mnist_edu.data.load", lambda source: None)
    path, text = folder / "01_a.ipynb", folder / "01_a.py"
    notebook(folder, "01_a.ipynb", "print('hello')")
    authoring.store(path)
    before = path.read_text()
    authoring.to_text(path, text)
    authoring.from_text(text, path)
    assert json.loads(path.read_text()) == json.loads(before)


def test_figures_are_outputs_of_tagged_cells_and_old_ones_go(folder):
    page = nbformat.v4.new_notebook(metadata=authoring.KERNEL)
    output = nbformat.v4.new_output("display_data", {"image/png": "aGk=\n"})
    cell = nbformat.v4.new_code_cell("x", id="a-b", outputs=[output])
    cell.metadata["tags"] = ["figure:01-loss"]
    page.cells = [cell]
    nbformat.write(page, folder / "01_a.ipynb")
    images = folder.parent / "images"
    images.mkdir()
    (images / "01-old.png").write_bytes(b"old")
    assert authoring.figures(images) == [images / "01-loss.png"]
    assert {p.name: p.read_bytes() for p in images.iterdir()} == {"01-loss.png": b"hi"}


BAND = {"metrics": {"accuracy": {"mean": 0.9, "sd": 0.01, "values": {"1": 0.9}}}}


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ({"accuracy": 0.93}, []),
        ({"accuracy": 0.95}, ["accuracy is 0.9500, outside 0.8600 to 0.9400"]),
        ({"accuracy": 0.1}, ["accuracy is 0.1000, outside 0.8600 to 0.9400"]),
        ({}, ["accuracy was not recorded"]),
        ({"accuracy": 0.9, "more": 1}, ["more has no band: measure it"]),
    ],
)
def test_result_outside_its_band_is_named(results, said):
    assert bands.outside(BAND, results) == said


def test_demand_is_stricter_than_the_band():
    band = {"metrics": {"accuracy": BAND["metrics"]["accuracy"] | {"at_least": 0.89}}}
    assert bands.outside(band, {"accuracy": 0.88}) == [
        "accuracy is 0.8800, outside 0.8900 to 0.9400"
    ]


@pytest.mark.slow
def test_bands_are_measured_over_seeds(folder, monkeypatch):
    notebook(folder, "01_a.ipynb", RECORD)
    bands.measure(["01"], [1, 3], full=False, source="mnist", folder=folder)
    band = json.loads((folder / "01-quick-mnist.json").read_text())
    score = band["metrics"]["score"]
    assert score["values"] == {"1": 0.1, "3": 0.3}
    assert score["mean"] == 0.2 and score["sd"] == pytest.approx(0.14142, abs=1e-4)


def test_seeds_on_digits_of_another_version_are_dropped(tmp_path):
    row = series.Row("01_a", "embedded digits", {"score": 0.5})
    bands._add_seed(tmp_path, row, 1, full=False)
    path = tmp_path / "01-quick-embedded-digits.json"
    band = json.loads(path.read_text())
    path.write_text(json.dumps(band | {"digits": 0}))
    bands._add_seed(tmp_path, row, 2, full=False)
    assert json.loads(path.read_text())["metrics"]["score"]["values"] == {"2": 0.5}
    bands._add_seed(tmp_path, row, 3, full=False)
    assert json.loads(path.read_text())["metrics"]["score"]["values"] == {"2": 0.5, "3": 0.5}
