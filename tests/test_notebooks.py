"""The notebooks: their form, and a quick run of each with its results inside their bands."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import REAL

from mnist_edu import authoring, bands, data, series

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
BANDS = ROOT / "tests" / "bands"
MANY_PICTURES = {"08", "09"}  # where pictures are the lesson
WEAK_WORDS = re.compile(r"\b(easily|simply|just|obviously)\b", re.I)


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def cells(path):
    return json.loads(path.read_text("utf-8"))["cells"]


def source(cell):
    return "".join(cell["source"])


def tags(cell):
    return cell["metadata"].get("tags", [])


def test_ids_are_words_and_unique(cells):
    ids = [cell["id"] for cell in cells]
    assert len(ids) == len(set(ids))
    assert all(authoring.CELL_ID.fullmatch(name) for name in ids)


def test_headings_start_with_one_title_and_skip_no_level(cells):
    text = "\n".join(source(cell) for cell in cells if cell["cell_type"] == "markdown")
    levels = [len(mark) for mark in re.findall(r"^(#+) ", text, re.M)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False))


def test_every_lesson_has_its_parts(cells):
    text = "\n".join(source(cell) for cell in cells)
    for part in ("After this notebook you can", "**Time:**", "What could go wrong?", "## Recap"):
        assert part in text
    assert sum("predict" in tags(cell) for cell in cells) >= 3
    assert sum("parameters" in tags(cell) for cell in cells) == 1


def test_exercises_are_three_cells_in_order(cells):
    ids = [cell["id"] for cell in cells]
    starts = [name for name in ids if re.fullmatch(r"ex-\d+", name)]
    assert len(starts) >= 3
    for name in starts:
        at = ids.index(name)
        assert ids[at : at + 3] == [name, f"{name}-answer", f"{name}-solution"]
        assert "exercise" in tags(cells[at + 1]) and "solution" in tags(cells[at + 2])
        assert cells[at + 2]["metadata"]["jupyter"]["source_hidden"]
        assert "<summary>Hint</summary>" in source(cells[at])


def test_outputs_are_stored_from_a_fresh_kernel(path, cells):
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        checked = "nbval-check-output" in tags(cell)
        assert not checked or cell["outputs"], cell["id"]
        assert not any(output["output_type"] == "error" for output in cell["outputs"])
    outputs = json.dumps([cell["outputs"] for cell in code])
    assert not authoring.MACHINE_PATH.search(outputs)
    assert "Warning" not in outputs and "WARNING" not in outputs
    assert path.stat().st_size < (2_000_000 if path.name[:2] in MANY_PICTURES else 500_000)


def test_stored_results_are_from_mnist(path):
    assert series.results(path).source == "MNIST"


def test_figures_are_tagged_and_kept_in_images(cells):
    names = [tag[7:] for cell in cells for tag in tags(cell) if tag.startswith("figure:")]
    assert len(names) >= 2
    assert all((ROOT / "images" / f"{name}.png").exists() for name in names)


def test_pictures_in_images_are_the_stored_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for written in authoring.figures(tmp_path):
        assert written.read_bytes() == (ROOT / "images" / written.name).read_bytes(), written.name
    others = {path for path in (ROOT / "images").glob("[0-9]*.png")}
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in others}


def test_metadata_is_what_every_machine_needs(path):
    assert json.loads(path.read_text("utf-8"))["metadata"] == authoring.KERNEL


def test_links_lead_somewhere(path, cells):
    text = "\n".join(source(cell) for cell in cells if cell["cell_type"] == "markdown")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (path.parent / target).exists(), target
    assert not re.search(r"\[\[[^\]]*\]\([^)]*\)\]\(", text), "a link within a link"


def test_glossary_terms_are_linked_and_links_lead_to_terms(cells):
    glossary = (ROOT / "notebooks" / "GLOSSARY.md").read_text("utf-8")
    terms = [term.lower().replace(" ", "-") for term in re.findall(r"^## (.+)$", glossary, re.M)]
    assert terms == sorted(set(terms))
    text = "\n".join(source(cell) for cell in cells if cell["cell_type"] == "markdown")
    linked = re.findall(r"\]\(GLOSSARY\.md#([^)]+)\)", text)
    assert linked and set(linked) <= set(terms)
    for target in re.findall(r"\]\(([^)]+)\)", glossary):
        assert (ROOT / "notebooks" / target).exists(), target


def test_prose_has_no_word_that_makes_readers_feel_slow(cells):
    for cell in cells:
        if cell["cell_type"] == "markdown":
            assert not WEAK_WORDS.search(source(cell)), cell["id"]


def test_first_cell_says_what_to_do_without_the_package_and_installs_nothing(cells):
    """The sentence stands above the import that fails, and so in what Jupyter shows of it."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code[0]["id"] == "setup"
    (told,) = re.findall("^# No module .*\nfrom mnist_edu import", source(code[0]), re.M)
    assert "portable edition, or install a clone" in told
    assert not any(re.search(r"\bpip\b", source(cell)) for cell in code)


def test_code_is_formatted(tmp_path):
    for path in PATHS:  # the formatter writes "# @title", where Colab folds "#@title"
        plain = path.read_text(encoding="utf-8").replace('"#@title', '"# @title')
        (tmp_path / path.name).write_text(plain, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    notebooks = ["format", "--check", "--isolated", "--line-length", "100", str(tmp_path)]
    for command in (["format", "--check", "."], ["check", "."], notebooks):
        done = subprocess.run(ruff + command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_quick_settings_name_parameters():
    quick = tomllib.loads((ROOT / "notebooks" / "quick.toml").read_text())
    known = {path.name[:2]: path for path in PATHS}
    assert set(quick) <= set(known)
    for number, chosen in quick.items():
        assert set(chosen) <= series.parameters_of(known[number])


# --- The quick run -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def rows(tmp_path_factory):
    """Run all notebooks once with quick settings, on MNIST or whatever can be had."""
    patch = pytest.MonkeyPatch()
    patch.chdir(ROOT)
    patch.setenv("MNIST_EDU_CACHE", str(tmp_path_factory.mktemp("cache")))
    if REAL:
        patch.setenv("MNIST_EDU_DATA", os.path.abspath(REAL))
    try:
        data.load("auto")
    except data.Unavailable as error:
        pytest.skip(f"the notebooks need data: {error}")
    found = series.run(out=tmp_path_factory.mktemp("executed"))
    patch.undo()
    return {row.notebook: row for row in found}


@pytest.mark.series
def test_quick_run(path, rows):
    row = rows[path.stem]
    assert not row.error, f"{path.stem}, {row.error}"
    band = json.loads(bands.path_of(BANDS, row.number, False, row.source).read_text())
    faults = bands.outside(band, row.results)
    assert not faults, (
        f"{path.stem}, cell results: {'; '.join(faults)}. Likely: the lesson trains otherwise than "
        f"when its band was measured. If it should, measure anew: mnist-edu bands {row.number}"
    )
