"""Guesses kept beside a notebook: only when asked for, by their names, at no cell's cost."""

import json
from types import SimpleNamespace

import pytest

from mnist_edu import guesses, lesson, series
from mnist_edu.exercises import nb00

TWO = "lesson.compare(guess_short, 0.76)\nlesson.compare(guess_long, 0.87)"
LOOP = "for letter in diagnosis:\n    lesson.compare(diagnosis[letter], 1)"


@pytest.mark.parametrize(
    ("code", "said", "found"),
    [
        (TWO, ["a", "b"], {"guess_short": "a", "guess_long": "b"}),
        (TWO, ["a"], {"guess_short": "a"}),  # the second call failed
        (LOOP, ["a"], {}),
        (LOOP, ["a", "b"], {}),
        ("for n in (1, 2):\n    lesson.compare(guess_n, n)", ["a", "b"], {}),
        ("nb08.compare_people(guess_people, 1, 2)", ["a"], {"guess_people": "a"}),
        ("with graph:\n  lesson.compare(guess_found, 8)", ["a"], {"guess_found": "a"}),
        ("not python at all (", ["a"], {}),
    ],
)
def test_each_guess_is_known_by_the_call_that_compares_it(code, said, found):
    assert guesses.paired(code, said) == found


def ran(hook, code, *calls):
    """Let a cell run: what it calls, and then what IPython calls."""
    for call in calls:
        call()
    hook(SimpleNamespace(info=SimpleNamespace(raw_cell=code)))


@pytest.fixture
def hook(tmp_path, monkeypatch):
    names = {"nb00": nb00, "digits": SimpleNamespace(source="embedded digits")}
    kept = guesses._after_cells(tmp_path, names)
    monkeypatch.setattr(guesses, "_hook", kept)
    return kept


def kept_in(folder):
    return json.loads((folder / "guesses-00.json").read_text("utf-8"))


def test_first_and_last_guess_stay_and_what_the_checker_said(tmp_path, hook):
    for value in (28, 784):
        code = "lesson.compare(guess_pixels, 784)"
        ran(hook, code, lambda value=value: lesson.compare(value, 784))
    ran(hook, code, lambda: lesson.compare(..., 784))
    kept = kept_in(tmp_path)
    told = {"first": 28, "last": 784, "answer": 784, "digits": "embedded digits"}
    assert kept["guesses"] == {"guess_pixels": told}
    for answer in (lambda x: ..., lambda x: x / 256, lambda x: x / 256):
        ran(hook, "nb00.scale(scale)", lambda answer=answer: nb00.scale(answer))
    first, second = kept_in(tmp_path)["exercises"]["nb00.scale"]
    assert first == "Not answered yet." and second.startswith("✗ Not yet: divide by 255")


def test_a_solution_is_nobodys_answer(tmp_path, hook):
    right = lambda x: (x / 255).astype("float32")  # noqa: E731
    ran(hook, "#@title Solution\nnb00.scale(scale)", lambda: nb00.scale(right))
    assert not list(tmp_path.iterdir())


def test_nothing_is_kept_unless_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lesson.compare(1, 2)
    assert guesses._noted == []
    lesson.keep_guesses()
    assert "in a notebook only" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_file_of_another_kind_stays_as_it_is_and_costs_one_sentence(tmp_path, hook, capsys):
    (tmp_path / "guesses-00.json").write_text("[1]")
    code = "lesson.compare(guess_pixels, 784)"
    ran(hook, code, lambda: lesson.compare(28, 784))
    said = capsys.readouterr().out
    assert said.count("no longer kept") == 1 and "not a file of guesses" in said
    assert (tmp_path / "guesses-00.json").read_text() == "[1]"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1e999, "inf"),
        (10**400, "1" + 199 * "0"),
        ("a" * 999, "a" * 200),
        (True, "True"),
        ([1], "[1]"),
    ],
)
def test_strange_guess_is_kept_as_a_text(value, kept):
    assert guesses.plain(value) == kept


CELLS = [
    "from mnist_edu import lesson\nfrom mnist_edu.exercises import nb00\nlesson.keep_guesses()",
    "guess_pixels = 28",
    "lesson.compare(guess_pixels, 784)",
    "def one_hot(labels):\n    return ...\n\n\nnb00.one_hot(one_hot)",
    "import os\nos.rename('here', 'gone')\nlesson.compare(guess_pixels, 785)",
    "lesson.compare(guess_pixels, 786)\nprint('on it goes')",
]


@pytest.mark.slow
def test_a_real_kernel_keeps_them_until_its_folder_is_gone(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    cells[0].source = f"import os\nos.chdir({str(tmp_path)!r})\nos.mkdir('here')\n" + (
        "os.chdir('here')\n" + cells[0].source + "\nos.chdir('..')"
    )
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook).execute(env=series.environment(1, tmp_path / "profile"))
    kept = json.loads((tmp_path / "gone" / "guesses-00.json").read_text("utf-8"))
    assert kept["guesses"]["guess_pixels"]["answer"] == 784
    assert kept["exercises"] == {"nb00.one_hot": ["Not answered yet."]}
    said = ["".join(output.text for output in cell.outputs) for cell in notebook.cells]
    assert "Nothing is sent" in said[0] and said[4].count("no longer kept") == 1
    assert "no longer kept" not in said[5] and "on it goes" in said[5]
