"""Figures for print and projector: their size, their text, and a run that draws them."""

import re

import pytest

from mnist_edu import authoring, figures, plots, series
from mnist_edu.errors import AskedWrongly

POINT = 72 / 25.4  # points of a millimetre


def picture():
    return plots.shift_ruler({"softmax": [0.9, 0.8, 0.4, 0.1, 0.1]}, source="MNIST")


def size_of(svg):
    return [float(n) for n in re.search(rb'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()]


def test_width_and_text_are_those_asked_for():
    drawn = picture()
    before = drawn.axes[0].xaxis.label.get_size()
    wide, high = size_of(figures.drawing(drawn, "svg", width=250, text=18))
    old_wide, old_high = picture().get_size_inches() * 72
    assert wide == pytest.approx(250 * POINT, rel=0.01)
    assert high == pytest.approx(2 * old_high, rel=0.01)  # text grew by 2, so the picture did
    assert drawn.axes[0].xaxis.label.get_size() == 2 * before


def test_no_text_of_large_print_is_cut_off():
    drawn = picture()
    figures.drawing(drawn, "svg", width=170, text=18)
    drawn.canvas.draw()
    box, (wide, high) = drawn.get_tightbbox(), drawn.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= wide and box.y1 <= high


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_the_same_picture_is_the_same_file(form):
    one, other = (figures.drawing(picture(), form, 170, 9) for _ in range(2))
    assert one == other and one[:5] in (b"<?xml", b"%PDF-")


def test_impossible_sizes_are_refused(tmp_path):
    for asked in ({"form": "gif"}, {"text": 0}, {"width": 9}, {"text": float("nan")}):
        with pytest.raises(AskedWrongly):
            figures.draw([], tmp_path, **asked)


CELL = "from mnist_edu import plots\nplots.shift_ruler({'a': [0.9, 0.8, 0.4, 0.1, height]})"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_run_writes_the_figures_of_tagged_cells(tmp_path, monkeypatch, form):
    nbformat = pytest.importorskip("nbformat")
    cell = nbformat.v4.new_code_cell
    cells = [cell("height = 0.2", metadata={"tags": ["parameters"]})]
    cells += [cell(CELL, metadata={"tags": ["figure:98-ruler"]}), cell(CELL)]
    path = tmp_path / "98_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=authoring.KERNEL), path)
    monkeypatch.setattr(series, "find", lambda numbers: {"98": path})
    (written,) = figures.draw(["98"], tmp_path / "out", form, text=18)
    assert written.name == f"98-ruler.{form}" and written.read_bytes()[:5] in (b"<?xml", b"%PDF-")
    if form == "svg":
        assert size_of(written.read_bytes())[0] == pytest.approx(2 * 170 * POINT, rel=0.01)
