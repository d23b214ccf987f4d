"""The notebook helpers: guesses, results, tables, progress, the shift ruler."""

import json
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_edu import lesson, show

DIGITS = SimpleNamespace(source="MNIST")


@pytest.mark.parametrize(
    ("guess", "truth", "said"),
    [
        (..., 2.302585, "No guess written down. Answer: 2.3"),
        (2, 2.5, "Your guess: 2 · answer: 2.5 · difference: 0.5, too small"),
        ("B ", "b", "Your guess: B  · answer: b · right"),
        ("a", "b", "Your guess: a · answer: b · not this time"),
        (7840, 7850, "Your guess: 7840 · answer: 7,850 · difference: 10, near"),
        (7850, 7850, "Your guess: 7850 · answer: 7,850 · difference: 0, right"),
        (93, 0.93, "Your guess: 93 · answer: 0.93 · difference: 92.1, about 100 times too large"),
        (
            0.1,
            -0.4,
            "Your guess: 0.1 · answer: -0.4 · difference: 0.5, the other way: another sign",
        ),
        (-8, -0.8, "Your guess: -8 · answer: -0.8 · difference: 7.2, about 10 times too large"),
        (0, 0.8, "Your guess: 0 · answer: 0.8 · difference: 0.8, too small"),
        (3, 0, "Your guess: 3 · answer: 0 · difference: 3, too large"),
        (
            "many",
            7850,
            "Your guess: many · answer: 7,850 · write a number, without quotation marks",
        ),
    ],
)
def test_guess_is_shown_beside_the_truth(guess, truth, said, capsys):
    lesson.compare(guess, truth)
    assert capsys.readouterr().out.strip() == said


def test_new_folder_is_empty_and_below_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (lesson.new_folder("06") / "old").touch()
    folder = lesson.new_folder("06")
    assert folder.resolve() == tmp_path / "logs" / "06" and not list(folder.iterdir())


def test_folder_that_cannot_be_written_is_replaced_and_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "logs").touch()  # for root, too, no folder can be made below a file
    folder = lesson.new_folder("06")
    (folder / "checkpoint").write_text("kept")
    said = capsys.readouterr().out
    assert "cannot be written to logs/06 (" in said and str(folder) in said
    assert folder.parent == tmp_path and folder.name.startswith("mnist_edu-06-")


def test_record_names_source_and_numbers(capsys):
    lesson.record(DIGITS, test_accuracy=0.91234)
    out = capsys.readouterr().out
    assert "MNIST" in out and "test_accuracy" in out and "0.9123" in out


def test_records_of_one_notebook_are_kept_together(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_EDU_RESULTS", str(tmp_path))
    monkeypatch.setenv("MNIST_EDU_NOTEBOOK", "08")
    lesson.record(DIGITS, a=1)
    lesson.record(DIGITS, b=np.float32(0.5))
    kept = json.loads((tmp_path / "08.json").read_text())
    assert kept == {"source": "MNIST", "results": {"a": 1.0, "b": 0.5}}


def test_table_escapes_what_would_be_html():
    bundle = lesson._table_bundle([{"a": "<b>", "c": 1}], "MNIST")
    assert "<td>&lt;b&gt;</td>" in bundle["text/html"]
    assert bundle["text/plain"].splitlines() == ["MNIST", "a    c", "<b>  1"]


def test_empty_table_is_refused():
    with pytest.raises(ValueError, match="at least one row"):
        lesson.table([])


def test_progress_hands_on_every_item_once():
    assert list(lesson.progress(range(5), "counting")) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("terminal", "lines"), [(True, ["a", "\x1b[1A\x1b[2Kb"]), (False, ["a"])])
def test_progress_replaces_its_line_in_a_terminal_and_is_one_line_in_a_file(
    terminal, lines, capsys, monkeypatch
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    update = show.line()
    update("a")
    update("b")
    assert capsys.readouterr().out.splitlines() == lines


def centre_column(images):
    """A model that is right while the ink is in its place."""
    return images[:, 14, 14]


def test_shift_ruler_is_exact_at_zero_and_falls_when_ink_moves():
    images = np.zeros((8, 28, 28), np.uint8)
    images[:, 14, 14] = np.arange(1, 9)
    labels = np.arange(1, 9)
    assert lesson.shift_accuracies(centre_column, images, labels) == [1, 0, 0, 0, 0]


def test_shift_ruler_moves_in_four_diagonal_directions():
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 14, 14] = 255
    seen = []

    def predict(moved):
        seen.extend(map(tuple, np.argwhere(moved)[:, 1:].tolist()))
        return np.zeros(4)

    lesson.shift_accuracies(predict, images, np.zeros(4), shifts=[3])
    assert sorted(seen) == [(11, 11), (11, 17), (17, 11), (17, 17)]


def test_shift_rows_are_those_of_earlier_notebooks_on_the_same_source():
    assert lesson.shift_rows("MNIST", before="01") == {}
    assert list(lesson.shift_rows("MNIST", before="04")) == ["softmax", "one hidden layer"]
    assert all(len(row) == 5 for row in lesson.shift_rows("MNIST", before="99").values())
    assert lesson.shift_rows("no such source", before="99") == {}


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("parts", "told"), [(1, "epoch 3 of 3"), (2, "epoch 1.5 of 3"), (9, "epoch 0.33 of 3")]
)
def test_progress_of_keras_counts_epochs(monkeypatch, parts, told):
    said = []
    monkeypatch.setattr(lesson, "line", lambda: said.append)
    lesson.keras_progress(3, "wide", parts=parts).on_epoch_end(2, {"loss": 0.25})
    assert said[0] == "wide · training …"
    assert said[1].startswith(f"wide · {told} · loss 0.2500 · ")


def test_missing_keras_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[lessons\]"'):
        lesson.keras_progress(3)


def test_lesson_starts_without_tensorflow():
    code = "import sys; from mnist_edu import lesson; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
