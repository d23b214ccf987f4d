"""A made-up class of thirty: right, wrong, missing, broken and hostile notebooks, one row each."""

import contextlib
import csv
import functools
import io
import json
import os
import time
from pathlib import Path

import pytest
from cells import NOTEBOOKS

from mnist_edu import class_report, classes, data, guesses
from mnist_edu.errors import AskedWrongly, WentWrong

nbformat = pytest.importorskip("nbformat")
RIGHT = "def scale(images):\n    return (images / 255).astype('float32')\n\n\nnb00.scale(scale)"
WRONG = "def scale(images):\n    return images / 256\n\n\nnb00.scale(scale)"
COUNTS = "def one_hot(labels):\n    {}\n\n\nnb00.one_hot(one_hot)"


@functools.cache
def stored():
    (path,) = NOTEBOOKS.glob("00_*.ipynb")
    return path.read_text("utf-8")


@functools.cache
def known():
    return classes.plans()


def work_of(pixels="...", said=None, most="...", answers=(), ids=True):
    """Return a pupil's notebook 00: a guess of pixels, one of a digit, answers to exercises."""
    notebook = nbformat.reads(stored(), 4)
    cells = {cell.id: cell for cell in notebook.cells}
    cells["guess-pixels"].source = f"guess_pixels = {pixels}"
    cells["guess-most"].source = f"guess_most = {most}"
    if pixels != "...":
        text = f"Your guess: {pixels} · answer: 784 · difference: 1, near\n"
        cells["look-pixels"].outputs = [nbformat.v4.new_output("stream", text=text)]
    for number, (source, verdict) in enumerate(answers, 1):
        answer = cells[f"ex-{number}-answer"]
        answer.source = source
        answer.outputs = [nbformat.v4.new_output("stream", text=f"{verdict}\n")]
    if said:
        cells["look-pixels"].outputs = [nbformat.v4.new_output("stream", text=said)]
    if not ids:  # as Colab saves it
        for number, cell in enumerate(notebook.cells):
            cell.id = f"a{number:07x}"
            cell.metadata.pop("tags", None)
    return nbformat.writes(notebook)


def class_of_thirty(folder):
    """Write a class; return the pupils whose notebook cannot be counted."""
    folder.mkdir()
    wrong = (WRONG, "✗ Not yet: 255 is white, not 256.")
    right, unanswered = (RIGHT, "✓ Right."), (COUNTS.format("return ..."), "Not answered yet.")
    sound = {f"pupil{n:02}": work_of(700 + 10 * n, most=n % 3, answers=[right]) for n in range(10)}
    sound |= {f"wrong{n}": work_of(28, answers=[wrong, unanswered]) for n in range(4)}
    sound["colab"] = work_of(784, answers=[right], ids=False)
    sound["=SUM(A1)"] = work_of("'=2+3'", said="nothing\n")
    sound["dollar"] = work_of(r"'$\\frac{$ \x1b[2J'", said="nothing\n")
    sound["vast"] = work_of("9" * 5000, said="nothing\n")
    sound["nan"] = work_of("1e999", said="nothing\n")
    sound["comma"] = work_of("7,84", said="nothing\n")
    for name, text in sound.items():
        (folder / f"{name}.ipynb").write_text(text, "utf-8")
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    broken = {
        "empty": b"",
        "cut": stored().encode()[:5000],
        "binary": bytes(range(256)) * 9,
        "deep": b"[" * 100_000,
        "list\x1b[2J": b"[1, 2]",
        "noCells": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 7}',
        "another": nbformat.writes(other).encode(),
        "bare": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}',
    }
    for name, content in broken.items():
        (folder / f"{name}.ipynb").write_bytes(content)
    with (folder / "large.ipynb").open("wb") as out:
        out.truncate(200_000_000)
    (folder / "folder.ipynb").mkdir()
    return {*broken, "large", "folder.ipynb", "folder"}


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Return the folder of a report on the class, the pupils left out of it, and what was said."""
    folder, said = tmp_path_factory.mktemp("thirty"), io.StringIO()
    broken = class_of_thirty(folder / "class")
    with contextlib.redirect_stdout(said):
        class_report.report(folder / "class", folder / "out")
    return folder, broken, said.getvalue()


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def test_class_of_thirty_has_a_row_each_and_names_what_cannot_be_read(reported):
    folder, broken, said = reported
    rows = rows_of(folder / "out" / "pupils.csv")
    assert len(rows) == 30
    plain = {class_report.shown(name) for name in broken}
    assert {row["pupil"] for row in rows if row["problem"]} == plain - {"folder.ipynb"}
    told = {row["pupil"]: row["problem"] for row in rows}
    assert "list [2J" in told
    assert "200 MB are too many" in told["large"] and "not a file" in told["folder"]
    assert "empty" in told["empty"] and "no sound notebook" in told["cut"]
    assert "not a notebook of this series" in told["another"]
    assert said.count("✗") == len(broken) - 1 and "Traceback" not in said and "\x1b" not in said


def test_exercises_count_who_passed_and_name_the_mistake(reported):
    first, second, *_ = rows_of(reported[0] / "out" / "exercises.csv")
    assert (first["checker"], first["pupils"], first["passed"]) == ("nb00.scale", "20", "11")
    assert first["mistake 1"] == "255 is white, not 256. (4)"
    assert (second["tried"], second["passed"]) == ("0", "0")


def test_guesses_are_drawn_beside_the_answer_of_the_pupils(tmp_path):
    class_of_thirty(tmp_path / "class")
    works = classes.counted(classes.read(tmp_path / "class", known()), "00")
    plan = known()["00"]
    picture = class_report.histogram(works, plan, plan.questions["guess_pixels"])
    (axes,) = picture.axes
    assert sum(patch.get_height() for patch in axes.patches) == 15
    assert axes.lines[0].get_xdata()[0] == 784
    assert "answer: 784 (MNIST)" in picture.description
    for odd in ("=2+3", r"$\frac{$", "inf", "(7, 84)"):
        assert odd in picture.description
    picture.canvas.draw()  # a guess is no formula of Matplotlib's
    assert (tmp_path / "out").exists() is False


def test_guess_from_a_list_of_choices_names_them_and_marks_the_right_one(tmp_path):
    plan = known()["04"]
    question = plan.questions["guess_gradient"]
    assert question.choices["b"] == "smaller, up to a thousand times"
    work = classes.Work("a", tmp_path, "04", "embedded digits", {"guess_gradient": "b"})
    work.answers["guess_gradient"] = "c"
    picture = class_report.histogram([work], plan, question)
    labels = [text.get_text() for text in picture.axes[0].get_yticklabels()]
    assert len(labels) == 3 and labels[1].startswith("b: smaller")
    assert [t.get_text().strip() for t in picture.axes[0].texts] == ["0", "1", "0 ✓"]
    assert "c (embedded digits)" in picture.description


def test_text_of_digits_stays_a_text(tmp_path):
    plan = known()["00"]
    works = [classes.Work(p, tmp_path, "00", "MNIST", {"guess_worst": "01"}) for p in "ab"]
    works[0].answers = {"guess_worst": classes._value("01")}
    picture = class_report.histogram(works, plan, plan.questions["guess_worst"])
    assert [text.get_text() for text in picture.axes[0].get_yticklabels()] == ["01"]
    assert [text.get_text().strip() for text in picture.axes[0].texts] == ["2 ✓"]


def test_answers_on_mnist_and_on_embedded_digits_stay_apart(tmp_path):
    plan = known()["00"]
    works = [classes.Work("a", tmp_path, "00", "MNIST", answers={"guess_mean": 0.82})]
    works += [classes.Work("b", tmp_path, "00", "embedded digits", answers={"guess_mean": 0.91})]
    found = classes.answer_by_source(works, plan.questions["guess_mean"])
    assert found == {"MNIST": 0.82, "embedded digits": 0.91}
    alone = classes.answer_by_source([], plan.questions["guess_mean"])
    assert list(alone) == ["stored, MNIST"]


def test_table_is_no_program_for_a_spreadsheet(reported):
    out = reported[0] / "out"
    for path in out.glob("*.csv"):
        for row in rows_of(path):
            for cell in row.values():
                assert not cell.startswith(class_report.FORMULA) or float(cell) < 0
    assert "'=SUM(A1)" in {row["pupil"] for row in rows_of(out / "pupils.csv")}


def test_every_guess_and_exercise_of_the_series_is_known():
    found = known()
    assert sum(len(plan.exercises) for plan in found.values()) == 60
    for plan in found.values():
        assert plan.questions and all(q.title for q in plan.questions.values()), plan.number
    lacking = [
        q.name for plan in found.values() for q in plan.questions.values() if q.stored is None
    ]
    assert lacking == ["guess_people"]  # it is compared with nine labels and nine readings


def test_folders_of_pupils_and_their_first_guesses(tmp_path):
    folder = tmp_path / "class"
    for name in ("anna", "ben"):
        (folder / name).mkdir(parents=True)
        (folder / name / "00.ipynb").write_text(work_of(784, answers=[(RIGHT, "✓ Right.")]))
    kept = {"form": guesses.FORM, "exercises": {"nb00.scale": ["✗ Not yet: too dark."]}}
    kept["guesses"] = {"guess_pixels": {"first": 28, "last": 784, "answer": 784}}
    (folder / "anna" / "guesses-00.json").write_text(json.dumps(kept))
    (folder / "ben" / "notes.json").write_text("{}")
    old = folder / "ben" / "copy.ipynb"
    old.write_text(work_of(1))
    os.utime(old, (0, time.time() - 1000))
    works = {(w.pupil, w.path.name): w for w in classes.read(folder, known())}
    anna = works["anna", "00.ipynb"]
    assert anna.guesses["guess_pixels"] == 28 and anna.passed("nb00.scale")
    assert anna.mistakes("nb00.scale") == ["too dark."] and ("anna", "guesses-00.json") not in works
    assert "not a file of guesses" in works["ben", "notes.json"].fault
    assert "newer copy" in works["ben", "copy.ipynb"].fault


@pytest.mark.parametrize(
    ("place", "pupil"),
    [
        ("anna.ipynb", "anna"),
        ("anna/04_keras_dense.ipynb", "anna"),
        ("04/anna.ipynb", "anna"),
        ("04_keras_dense/anna.ipynb", "anna"),
        ("session-2/04/anna.ipynb", "session-2"),
        ("07/04_keras_dense.ipynb", "07"),  # pupils by number
        ("07/guesses-04.json", "07"),
    ],
)
def test_pupil_is_named_by_a_folder_or_a_file_and_not_by_the_notebook(place, pupil):
    assert classes._pupil(Path("class"), Path("class") / place) == pupil


def test_folder_that_is_missing_or_empty_is_told(tmp_path):
    with pytest.raises(AskedWrongly, match="no folder"):
        classes.read(tmp_path / "nowhere", known())
    with pytest.raises(WentWrong, match="holds no notebooks"):
        classes.read(tmp_path, known())


HOSTILE = {
    "loops": COUNTS.format("while True: pass"),
    "exits": "import os\n" + COUNTS.format("os._exit(3)"),
    "leaves": "import sys\n" + COUNTS.format("sys.exit()"),
    "forks": "import os, time\n" + COUNTS.format("os.fork() or time.sleep(600)"),
    "writes": "open('note.txt', 'w').write('here')\n" + COUNTS.format("return ..."),
    "broken": "def one_hot(labels)\nnb00.one_hot(one_hot)",
    "forged": 'print("✓ Right.")\n' + COUNTS.format("return labels"),
}


@pytest.mark.slow
def test_checkers_run_anew_and_a_hostile_answer_costs_its_own_row(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    lie = (WRONG, "✓ Right.")
    after = ("def part(labels, predicted):\n    return 7\n\n\nnb00.accuracy_per_digit(part)", "")
    for name, source in HOSTILE.items():
        (folder / f"{name}.ipynb").write_text(work_of(answers=[lie, (source, "✓ Right."), after]))
    helper = nbformat.reads(work_of(answers=[(RIGHT.replace("255", "white"), "")]), 4)
    helper.cells.insert(20, nbformat.v4.new_code_cell("white = 255"))
    (folder / "helper.ipynb").write_text(nbformat.writes(helper))
    before = {path.name for path in folder.iterdir()}
    monkeypatch.setenv("MNIST_EDU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "load", lambda source: digits_named("embedded digits"))
    start = time.monotonic()
    class_report.report(folder, tmp_path / "out", check=True, limit=8, jobs=2)
    assert time.monotonic() - start < 240
    rows = {row["pupil"]: row for row in rows_of(tmp_path / "out" / "pupils.csv")}
    assert all(rows[name]["exercise 1"].startswith("divide by 255") for name in HOSTILE), rows
    assert rows["helper"]["exercise 1"] == "right"
    assert "no end after 8 s" in rows["loops"]["problem"]
    assert "exit code 3" in rows["exits"]["problem"]
    assert rows["writes"]["exercise 2"] == "open" and rows["writes"]["problem"] == ""
    assert "SyntaxError" in rows["broken"]["exercise 2"]
    assert rows["forged"]["exercise 2"] not in ("right", "open")
    for name in HOSTILE:  # asked after all of that
        assert rows[name]["exercise 3"] not in ("right", "open")
    assert {path.name for path in folder.iterdir()} == before


def digits_named(label):
    class Digits:
        source = label

    return Digits()
