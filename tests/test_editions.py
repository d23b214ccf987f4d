"""Editions: what is in them and what is not, the reader's own folder, and the package carried."""

import ast
import functools
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from mnist_edu import __version__, authoring, carried, editions
from mnist_edu.errors import AskedWrongly, WentWrong

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
FOR_PEOPLE = ("learner", "pupil", "teacher")


@pytest.fixture(params=PATHS, ids=lambda path: path.name[:2])
def path(request):
    return request.param


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder like a clone, with notebooks 01 and 02 alone, and the place to work in."""
    (tmp_path / "notebooks").mkdir()
    for name in (PATHS[1], PATHS[2], ROOT / "notebooks" / "GLOSSARY.md"):
        shutil.copy(name, tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@functools.cache
def made_of(path, kind):
    """Return an edition of a stored notebook, made once: for those who only look at it."""
    return editions.edition(path, kind)


@functools.cache
def as_stored(path):
    return nbformat.read(path, 4)


def cells(notebook):
    return {cell.id: cell for cell in notebook.cells}


def tags(cell):
    return cell.metadata.get("tags", [])


def content(folder):
    """Return names and contents of all files below a folder."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def change(path, cell, old, new):
    notebook = nbformat.read(path, 4)
    assert old in cells(notebook)[cell].source
    cells(notebook)[cell].source = cells(notebook)[cell].source.replace(old, new)
    nbformat.write(notebook, path)


# --- What is in an edition -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", FOR_PEOPLE)
def test_cells_keep_ids_tags_and_metadata(path, kind):
    stored, made = as_stored(path), made_of(path, kind)
    nbformat.validate(made)
    kept = [cell for cell in made.cells if "edition" not in tags(cell)]
    assert [cell.id for cell in kept] == [cell.id for cell in stored.cells]
    for old, new in zip(stored.cells, kept, strict=True):
        assert set(tags(old)) == set(tags(new)) - {"raises-exception"}
        lost = {name for name in old.metadata if name not in new.metadata}
        may = editions.FOLDED.keys() if kind == "pupil" and "solution" in tags(old) else set()
        assert lost <= set(may), old.id
    assert made.metadata == authoring.KERNEL


@pytest.mark.parametrize("kind", ["learner", "pupil"])
def test_nothing_has_run_and_code_is_as_stored(path, kind):
    stored = cells(as_stored(path))
    for cell in made_of(path, kind).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.id
            emptied = kind == "pupil" and "solution" in tags(cell)
            code = cell.source.removeprefix(f"{editions.TITLE}\n")
            code = code.removeprefix(editions.UNANSWERED)
            assert code == ("" if emptied else stored[cell.id].source)


def test_learner_finds_solutions_folded_and_pupil_an_empty_cell_to_write_in(path):
    learner = [c for c in made_of(path, "learner").cells if "solution" in tags(c)]
    pupil = [c for c in made_of(path, "pupil").cells if "solution" in tags(c)]
    assert learner and len(learner) == len(pupil)
    assert all(c.metadata.jupyter.source_hidden and c.metadata.cellView for c in learner)
    assert not any(c.source or "jupyter" in c.metadata or "cellView" in c.metadata for c in pupil)


def test_answer_that_stands_in_the_code_of_a_cell_is_folded(path):
    """Whatever ``compare`` is given without a name in it stands there to be read."""
    for cell in made_of(path, "learner").cells:
        if cell.cell_type == "code" and "lesson.compare(" in cell.source:
            calls = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Call)]
            truths = [c.args[1] for c in calls if ast.unparse(c.func) == "lesson.compare"]
            plain = [t for t in truths if not any(isinstance(n, ast.Name) for n in ast.walk(t))]
            hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
            hidden = hidden and cell.source.startswith("#@title")  # a fold shows the first line
            assert not plain or hidden, f"{path.name}, cell {cell.id}: {ast.unparse(plain[0])}"


def test_pupil_runs_on_where_a_cell_needs_an_answer_that_was_not_written(path):
    """Cells that load what only an exercise defines may raise, and say so; no others may."""
    stored = as_stored(path).cells
    code = [c for c in stored if c.cell_type == "code" and not c.source.startswith("%%")]
    needy = set()
    for at, cell in enumerate(code):
        if "solution" in tags(cell):
            names = {n.name for n in ast.parse(cell.source).body if isinstance(n, ast.FunctionDef)}
            later = [c for c in code[at + 1 :] if not {"exercise", "solution"} & set(tags(c))]
            needy |= {c.id for c in later if names & loaded(c.source)}
    made = made_of(path, "pupil").cells
    assert {c.id for c in made if "raises-exception" in tags(c)} == needy - {
        c.id for c in stored if "raises-exception" in tags(c)
    }
    assert {c.id for c in made if c.source.startswith(editions.UNANSWERED)} == needy


def loaded(code):
    """Return the names that code takes from outside: loaded, and neither made nor given in it."""
    nodes = [*ast.walk(ast.parse(code))]
    own = {n.arg for n in nodes if isinstance(n, ast.arg)}
    own |= {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
    names = [n for n in nodes if isinstance(n, ast.Name)]
    own |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
    return {n.id for n in names if isinstance(n.ctx, ast.Load)} - own


@pytest.mark.parametrize("kind", editions.KINDS)
def test_first_cell_says_which_edition_it_is_and_how_to_get_the_others(kind):
    first = made_of(PATHS[1], kind).cells[0]
    assert first.id == "edition" and f"{kind.title()}" in first.source.split("dition")[0]
    for other in set(editions.KINDS) - {kind}:
        assert f"`{other}`" in first.source
    assert "`mnist-edu edition KIND 01 --out FOLDER`" in first.source


def test_links_of_an_edition_lead_to_its_own_files(path):
    texts = [c.source for c in made_of(path, "learner").cells if c.cell_type == "markdown"]
    targets = [target for text in texts for _, target in editions.LINK.findall(text)]
    files = {p.name for p in PATHS} | {"GLOSSARY.md"}
    assert targets and {target.split("#")[0] for target in targets} <= files


@pytest.mark.slow
def test_edition_is_the_same_byte_for_byte_in_another_process_and_names_no_machine(tmp_path):
    made = {kind: editions.pages(kind, ["01", "10"]) for kind in editions.KINDS}
    for kind, seed in zip(editions.KINDS, "1234", strict=True):
        command = [sys.executable, "-m", "mnist_edu", "edition", kind, "1", "10", "--out", kind]
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo"}
        subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
        assert content(tmp_path / kind) == made[kind]
        assert not any(authoring.MACHINE_PATH.search(p.decode()) for p in made[kind].values())


# --- The teacher's notes -------------------------------------------------------------------------

NOTES = """# 01  Softmax

## What is often thought

### `load`
No note: this is above.

## Beside the cells

### `guess-loss`

Wait for **three** hands.
See [02](../../notebooks/02_softmax_tf2.ipynb), [the plan](../sessions.md).

### `train`
Cut here.

## Quiz

### `recap`
No note either.
"""


def test_notes_stand_below_the_cells_they_speak_of(clone):
    notes = clone / "book" / "teacher" / "01.md"
    notes.parent.mkdir(parents=True)
    notes.write_text(NOTES, "utf-8")
    stored = nbformat.read(clone / "notebooks" / PATHS[1].name, 4)
    made = editions.edition(clone / "notebooks" / PATHS[1].name, "teacher")
    added = [at for at, cell in enumerate(made.cells) if "edition" in tags(cell)]
    assert [made.cells[at - 1].id for at in added[1:]] == ["guess-loss", "train"]
    assert made.cells[added[1]].source.splitlines() == [
        "> **For the teacher**",
        ">",
        "> Wait for **three** hands.",
        "> See [02](02_softmax_tf2.ipynb), the plan.",
    ]
    kept = [cell for cell in made.cells if "edition" not in tags(cell)]
    assert kept == stored.cells and "book/teacher/01.md" in made.cells[0].source


def test_teacher_is_told_where_there_are_no_notes(clone):
    first = editions.edition(clone / "notebooks" / PATHS[1].name, "teacher").cells[0]
    assert "Notes for the teacher are not written yet." in first.source


def test_note_for_a_cell_that_is_not_there_is_named(clone):
    notes = clone / "book" / "teacher" / "01.md"
    notes.parent.mkdir(parents=True)
    notes.write_text(NOTES.replace("`train`", "`trian`"), "utf-8")
    with pytest.raises(WentWrong, match="01.md: there is no cell trian in 01_softmax_tf1.ipynb"):
        editions.make("teacher", ["01"], clone / "out")
    assert not (clone / "out").exists()


def test_output_with_a_path_of_this_machine_goes_to_nobody(clone):
    path = clone / "notebooks" / PATHS[1].name
    notebook = nbformat.read(path, 4)
    cells(notebook)["load"].outputs = [nbformat.v4.new_output("stream", text="/home/ada/digits")]
    nbformat.write(notebook, path)
    with pytest.raises(WentWrong, match="a path of this machine: /home/ada/digits"):
        editions.make("teacher", ["01"], clone / "out")
    assert editions.make("learner", ["01"], clone / "out")


# --- Writing -------------------------------------------------------------------------------------


def test_nothing_that_is_there_is_overwritten(clone):
    (one, *_) = editions.make("pupil", ["01"], clone / "class")
    change(one, "guess-loss", "...", "2.3")
    before = content(clone)
    with pytest.raises(AskedWrongly, match="class holds other files .*: 01_softmax_tf1.ipynb"):
        editions.make("pupil", None, clone / "class")
    with pytest.raises(AskedWrongly, match="notebooks holds other files"):
        editions.make("learner", None, clone / "notebooks")
    assert content(clone) == before
    assert editions.make("pupil", ["02"], clone / "class")


def test_notebook_that_cannot_be_read_stops_all_before_anything_is_written(clone):
    with open(clone / "notebooks" / PATHS[2].name, "r+b") as file:
        file.truncate(5000)
    with pytest.raises(WentWrong, match="02_softmax_tf2.ipynb is no notebook any more"):
        editions.make("learner", None, clone / "out")
    assert not (clone / "out").exists()


def test_asked_wrongly_says_what_there_is(clone):
    (clone / "file").touch()
    for kind, numbers, out, said in [
        ("student", None, "out", "no edition student: there are learner, pupil, teacher"),
        ("pupil", ["14"], "out", "no notebook 14: there are 01, 02"),
        ("pupil", ["01"], "file", "file is no folder"),
    ]:
        with pytest.raises(AskedWrongly, match=said):
            editions.make(kind, numbers, clone / out)


# --- The reader's own folder ---------------------------------------------------------------------


@pytest.fixture
def own(clone):
    editions.give(clone / "my_notebooks")
    return clone / "my_notebooks"


def test_own_folder_is_made_on_first_use_and_left_alone_afterwards(clone):
    own = clone / "my_notebooks"
    first = "\n".join(editions.give(own))
    assert "New in it: 01_softmax_tf1.ipynb, 02_softmax_tf2.ipynb, GLOSSARY.md." in first
    assert sorted(content(own)) == [editions.GIVEN, *sorted(editions.pages("learner"))]
    change(own / PATHS[1].name, "guess-loss", "...", "2.3")
    before = content(own)
    (told,) = editions.give(own)
    assert "ever overwritten" in told and content(own) == before


def test_answers_stay_after_an_update_and_what_is_newer_is_announced(clone, own):
    change(own / PATHS[1].name, "guess-loss", "...", "2.3")
    for path in PATHS[1:3]:
        change(clone / "notebooks" / path.name, "recap", "Recap", "Recap, again")
    shutil.copy(PATHS[3], clone / "notebooks")
    before = content(own)
    told = editions.give(own)
    assert told[1] == "New in it: 03_network_by_hand.ipynb."
    assert "newer 02_softmax_tf2.ipynb. You have not changed yours: delete it" in told[2]
    assert "newer 01_softmax_tf1.ipynb. Yours has your work in it and stays" in told[3]
    after = content(own)
    assert {name: after[name] for name in before if name != editions.GIVEN} == {
        name: page for name, page in before.items() if name != editions.GIVEN
    }
    assert editions.give(own)[1:] == told[2:]  # until it is fetched
    (own / PATHS[1].name).rename(own / "mine.ipynb")
    (own / PATHS[2].name).unlink()
    told = editions.give(own)
    assert told[1:] == ["New in it: 01_softmax_tf1.ipynb, 02_softmax_tf2.ipynb."]
    assert content(own)["mine.ipynb"] == before[PATHS[1].name]


def test_without_its_record_all_in_the_own_folder_counts_as_work(clone, own):
    (own / editions.GIVEN).write_text("{", "utf-8")
    change(clone / "notebooks" / PATHS[1].name, "recap", "Recap", "Recap, again")
    before = (own / PATHS[1].name).read_bytes()
    told = editions.give(own)
    assert len(told) == 2 and "01_softmax_tf1.ipynb. Yours has your work in it" in told[1]
    assert (own / PATHS[1].name).read_bytes() == before


@pytest.mark.parametrize(("words", "folder"), [([], "my_notebooks"), (["--stored"], "notebooks")])
def test_lab_opens_the_own_folder_or_the_originals(clone, monkeypatch, capsys, words, folder):
    from mnist_edu import __main__

    called = []
    monkeypatch.setattr(__main__.subprocess, "call", lambda words, env: called.append(words) or 0)
    before = content(clone / "notebooks")
    assert __main__.main(["lab", *words]) == 0
    assert Path(called[0][3]).resolve() == clone / folder
    assert content(clone / "notebooks") == before
    assert (clone / "my_notebooks" / PATHS[1].name).exists() == (not words)


# --- Portable notebooks --------------------------------------------------------------------------


def test_portable_is_the_learners_with_package_and_words(path):
    learner, made = made_of(path, "learner"), made_of(path, "portable")
    nbformat.validate(made)
    ids = [cell.id for cell in made.cells]
    assert ids.index("package") == ids.index("setup") - 1 and ids[-1] == "words"
    assert [n for n in ids if n not in ("package", "words")] == [c.id for c in learner.cells]
    code = [c.source for c in made.cells if c.cell_type == "code" and c.id != "package"]
    assert code == [cell.source for cell in learner.cells if cell.cell_type == "code"]
    package = cells(made)["package"]
    assert package.source.startswith("#@title ") and package.metadata.jupyter.source_hidden
    assert max(map(len, package.source.splitlines())) <= 120
    texts = [c.source for c in made.cells if c.cell_type == "markdown"]
    assert not any(editions.LINK.search(text) for text in texts)


def test_words_of_a_portable_notebook_are_those_it_links_to():
    words = made_of(PATHS[5], "portable").cells[-1].source
    assert "**kernel**: A small square of weights" in words and "**Adam**" not in words


def test_package_is_carried_as_far_as_the_notebook_needs_it():
    code = "from mnist_edu import lesson\nfrom mnist_edu.exercises import nb11"
    files, needed = editions.carried_files(code)
    names = {file.relative_to(editions.PACKAGE).as_posix() for file in files}
    assert {"__init__.py", "lesson.py", "data.py", "synthetic.py", "shapes.txt"} <= names
    assert {"exercises/checker.py", "exercises/nb11.py", "measured/race.json"} <= names
    assert not {"series.py", "editions.py", "ink.py", "pads/pad.js", "exercises/nb10.py"} & names
    assert {"numpy", "tensorflow", "keras", "requests"} <= set(needed) and "cv2" not in needed
    files, needed = editions.carried_files("from mnist_edu.pads import pad")
    names = {file.relative_to(editions.PACKAGE).as_posix() for file in files}
    assert {"pads/pad.js", "pads/pad.css"} <= names
    assert needed["cv2"] == "opencv-python-headless" and {"anywidget", "PIL"} <= set(needed)


def test_libraries_that_lie_beside_the_package_are_not_carried(tmp_path, monkeypatch):
    shutil.copytree(editions.PACKAGE, tmp_path / "mnist_edu")
    (tmp_path / "requests.py").touch()
    monkeypatch.setattr(editions, "PACKAGE", tmp_path / "mnist_edu")
    files, needed = editions.carried_files("from mnist_edu import lesson")
    assert {file.parent.name for file in files} == {"mnist_edu"} and "requests" in needed


def test_one_switch_makes_portable_notebooks_install_from_the_index(monkeypatch):
    monkeypatch.setattr(editions, "ON_INDEX", True)
    package = cells(editions.edition(PATHS[1], "portable"))["package"]
    assert package.source.splitlines()[1:] == [f"%pip install -q mnist_edu=={__version__}"]


# Run by a Python that sees the standard library alone: no package of this environment.
CELL = """
import subprocess, sys
{more}
for times in range(2):
    {cell}
import mnist_edu
from mnist_edu import errors
print(mnist_edu.__file__, mnist_edu.__version__)
subprocess.run([sys.executable, "-S", "-c", "import mnist_edu; print(mnist_edu.__file__)"])
"""


def brought(folder, more="", needed=None, spoil=lambda text: text):
    """Run the cell twice in one process; return its exit code, output and errors, in words."""
    files = [editions.PACKAGE / "__init__.py", editions.PACKAGE / "errors.py"]
    packed = editions.archive(files)
    text = spoil(editions.base64.b64encode(packed).decode())
    checksum = editions.hashlib.sha256(packed).hexdigest()
    call = f"bring({__version__!r}, {needed or {}!r}, {checksum!r}, {text!r})"
    program = folder / "cell.py"
    code = Path(carried.__file__).read_text("utf-8")
    program.write_text(code + CELL.format(more=more, cell=call), "utf-8")
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env |= {"TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}  # a run may change a module
    how = {"cwd": folder, "env": env, "encoding": "utf-8"}
    return subprocess.run([sys.executable, "-S", "-u", program], capture_output=True, **how)


def test_package_is_unpacked_once_and_found_by_child_processes(tmp_path):
    done = brought(tmp_path)
    *ready, here, child = done.stdout.splitlines()
    assert ready == [f"mnist_edu {__version__} is ready."] * 2, done.stderr
    (folder,) = tmp_path.glob("mnist_edu-*")
    place = folder / "mnist_edu" / "__init__.py"
    assert child == str(place) and here == f"{place} {__version__}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_installed_package_of_the_same_version_wins_and_another_stays_as_it_is(tmp_path):
    package = tmp_path / "mnist_edu"
    package.mkdir()
    (package / "errors.py").touch()
    (package / "__init__.py").write_text(f"__version__ = {__version__!r}", "utf-8")
    done = brought(tmp_path)
    assert f"{package / '__init__.py'} {__version__}" in done.stdout, done.stderr
    assert not list(tmp_path.glob("mnist_edu-*"))
    (package / "__init__.py").write_text("__version__ = '0.0.9'", "utf-8")
    done = brought(tmp_path, more="import mnist_edu.errors")
    assert "is ready. The installed one, 0.0.9, stays as it is." in done.stdout, done.stderr
    assert len(list(tmp_path.glob("mnist_edu-*"))) == 1


@pytest.mark.parametrize(
    "spoil", [lambda text: text.replace(text[400], "Z"), lambda text: text[:400]]
)
def test_package_that_was_changed_is_not_unpacked(tmp_path, spoil):
    done = brought(tmp_path, spoil=spoil)
    assert done.returncode and not list(tmp_path.glob("mnist_edu-*"))
    assert "ValueError: The package in this cell was changed or cut short" in done.stderr


def test_what_is_missing_is_named_with_the_way_to_get_it_and_not_installed(tmp_path):
    needed = {"json": "json", "cv2": "opencv-python-headless", "tensorflow": "tensorflow"}
    done = brought(tmp_path, needed=needed)
    said = done.stderr.splitlines()[-1]
    assert "Missing here: opencv-python-headless, tensorflow. Nothing was installed." in said
    assert "run %pip install opencv-python-headless tensorflow in a cell of its own" in said
    done = brought(tmp_path, more="sys.version_info = (3, 14, 0)", needed=needed)
    assert "TensorFlow is made for Python 3.11 to 3.13, and this is 3.14." in done.stderr
    done = brought(tmp_path, more="sys.version_info = (3, 9, 0)")
    assert "Python 3.11, 3.12 or 3.13 is needed, and this is 3.9." in done.stderr
