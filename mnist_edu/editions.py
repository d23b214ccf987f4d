"""Editions: what learners, pupils and teachers get, and notebooks that work alone.

The stored notebooks hold every answer. An edition is made from them, the same byte for byte each
time; cell ids, tags and metadata stay.

- learner: no outputs; solutions are folded.
- pupil: no outputs; an empty cell in place of each solution.
- teacher: everything, and notes from ``book/teacher/NN.md`` below the cells they speak of.
- portable: the learner's, with the package in a folded cell of its own, see
  :mod:`mnist_edu.carried`.
"""

import base64
import hashlib
import io
import json
import lzma
import re
import sys
import tarfile
from modulefinder import ModuleFinder
from pathlib import Path

from mnist_edu import __version__, authoring, series
from mnist_edu.cache import whole
from mnist_edu.errors import AskedWrongly, WentWrong, needs

# True once a release is on the package index: portable notebooks then install it from there.
ON_INDEX = False

PACKAGE = Path(__file__).parent
KINDS = {
    "learner": "**Learner's edition.** Nothing has run yet, and the solutions are folded.",
    "pupil": "**Pupil's edition.** Nothing has run yet, and there are no solutions. A cell that"
    " needs an answer you have not written yet ends in an error, and the run goes on.",
    "teacher": "**Teacher's edition.** Outputs and solutions are all here.",
    "portable": "**Portable edition**, for learners. It works alone: a folded cell below brings the"
    " package along. Nothing has run yet, and the solutions are folded.",
}
# Cells that stop where an exercise is unanswered and has no solution.
USE_AN_ANSWER = {
    "02": ("ex-1-look", "ex-2-look", "ex-3-look"),
    "08": ("painted",),
    "09": ("cooled", "turned"),
    "12": ("ex-4-look",),
}
UNANSWERED = (
    "# This cell needs your answer to the exercise above: until then it ends in an error.\n"
)
PIP_NAMES = {"cv2": "opencv-python-headless", "PIL": "pillow"}  # others are named as modules are
TITLE = "#@title Answer"
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}
ANSWER_IN_CODE = re.compile(r"""lesson\.compare\(\w+, *["'\d]""")
NEEDS = re.compile(r"""needs\("(\w+)""")
NOTE = re.compile(r"^### `([\w-]+)`[ \t]*$", re.M)
LINK = re.compile(r"\[([^\[\]]+)\]\((?!https?:|#)([^()\s]+)\)")
OUTSIDE = re.compile(r"\[([^\[\]]+)\]\(\.\./[^()\s]*\)")
GIVEN = ".given.json"


def make(kind: str, numbers: list[str] | None = None, out: str | Path = "editions") -> list[Path]:
    """Write an edition of the notebooks asked for, or of all, into a folder; return the files.

    Parameters
    ----------
    kind : "learner", "pupil", "teacher" or "portable"
    numbers : such as ``["01", "06"]``; all unless given
    out : a folder, made where there is none

    Raises
    ------
    AskedWrongly
        If there is no such edition or notebook, or the folder holds another file of the same
        name. Nothing is written then.
    WentWrong
        If a stored notebook cannot be read, or an output of it holds a path of this machine.
    """
    folder, made = Path(out), pages(kind, numbers)
    if folder.exists() and not folder.is_dir():
        raise AskedWrongly(f"{folder} is no folder")
    others = [name for name, page in made.items() if _is_other(folder / name, page)]
    if others:
        why = f"{folder} holds other files of the same name, which stay: {', '.join(others)}"
        raise AskedWrongly(f"{why}. Name another folder, or move them away")
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in made.items():
        _write(folder / name, page)
    return [folder / name for name in made]


def pages(kind: str, numbers: list[str] | None = None) -> dict[str, bytes]:
    """Return names and contents of the files of an edition; the glossary is one of them."""
    if kind not in KINDS:
        raise AskedWrongly(f"no edition {kind}: there are {', '.join(KINDS)}")
    nbformat, chosen = needs("nbformat", "run"), series.find(numbers)
    made = {path.name: edition(path, kind) for path in chosen.values()}
    texts = {name: nbformat.writes(notebook) + "\n" for name, notebook in made.items()}
    if kind != "portable":  # which carries the words that it needs
        texts["GLOSSARY.md"] = (series.notebooks_folder() / "GLOSSARY.md").read_text("utf-8")
    return {name: text.encode() for name, text in texts.items()}


def edition(path: Path, kind: str):
    """Return an edition of one stored notebook, as a notebook of nbformat."""
    notebook = _read(path)
    told = [
        KINDS[kind],
        f"Other editions come from a clone of the repository: {_commands(kind, path)}.",
    ]
    if kind == "teacher":
        _refuse_paths(path, notebook)
        told.insert(1, _add_notes(notebook, path))
    else:
        _hide_answers(notebook)
    if kind == "pupil":
        _empty_solutions(notebook, USE_AN_ANSWER.get(path.name[:2], ()))
    if kind == "portable":
        _carry_words(notebook, path.with_name("GLOSSARY.md").read_text("utf-8"))
        _carry_package(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = OUTSIDE.sub(r"\1", cell.source)
    notebook.cells.insert(0, _text("edition", "> " + " ".join(told)))
    return notebook


def _commands(kind: str, path: Path) -> str:
    others = " or ".join(f"`{other}`" for other in KINDS if other != kind)
    return f"`mnist-edu edition KIND {path.name[:2]} --out FOLDER`, where KIND is {others}"


def _read(path: Path):
    nbformat = needs("nbformat", "run")
    try:
        notebook = nbformat.read(path, as_version=4)
    except ValueError:
        raise WentWrong(f"{path} is no notebook any more: restore it, and try again") from None
    authoring.normalise(notebook)
    return notebook


def _text(name: str, source: str):
    return needs("nbformat", "run").v4.new_markdown_cell(
        source, id=name, metadata={"tags": ["edition"]}
    )


def _is_other(file: Path, page: bytes) -> bool:
    return file.exists() and (not file.is_file() or file.read_bytes() != page)


def _write(file: Path, page: bytes) -> None:
    with whole(file) as part:
        part.write_bytes(page)


# --- Learners and pupils -------------------------------------------------------------------------


def _hide_answers(notebook) -> None:
    """Clear all outputs, and fold each cell whose code holds the answer to a guess.

    A fold shows the first line, so it gets one that says nothing.
    """
    clear = needs("nbconvert.preprocessors", "run").ClearOutputPreprocessor()
    clear.preprocess(notebook, {})
    for cell in notebook.cells:
        if cell.cell_type == "code" and ANSWER_IN_CODE.search(cell.source):
            cell.source = f"{TITLE}\n{cell.source}"
            cell.metadata.update(FOLDED)


def _empty_solutions(notebook, may_fail: tuple[str, ...]) -> None:
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "solution" in tags:
            cell.source = ""
            for name in FOLDED:  # an empty cell to write in
                cell.metadata.pop(name, None)
        if cell.id in may_fail:
            cell.metadata["tags"] = [*tags, "raises-exception"]
            cell.source = UNANSWERED + cell.source


# --- Teachers ------------------------------------------------------------------------------------


def _refuse_paths(path: Path, notebook) -> None:
    found = authoring.MACHINE_PATH.search(json.dumps([c.get("outputs") for c in notebook.cells]))
    if found:
        why = f"an output holds a path of this machine: {found.group()}"
        raise WentWrong(f"{path.name}: {why}. Restore the stored notebook, and try again")


def _add_notes(notebook, path: Path) -> str:
    """Put the teacher's notes below the cells they speak of; return a sentence about them."""
    file = path.parents[1] / "book" / "teacher" / f"{path.name[:2]}.md"
    if not file.exists():
        return "Notes for the teacher are not written yet."
    _, _, beside = file.read_text("utf-8").partition("\n## Beside the cells\n")
    beside = re.split(r"^## ", beside, maxsplit=1, flags=re.M)[0]
    _, *parts = NOTE.split(beside)
    for name, note in zip(parts[::2], parts[1::2], strict=True):
        places = [at for at, cell in enumerate(notebook.cells) if cell.id == name]
        if not places:
            raise WentWrong(f"{file}: there is no cell {name} in {path.name}")
        note = note.strip().replace("](../../notebooks/", "](")
        framed = "\n".join(
            f"> {line}".rstrip() for line in ["**For the teacher**", "", *note.split("\n")]
        )
        notebook.cells.insert(places[0] + 1, _text(f"teacher-{name}", framed))
    return f"Notes stand in frames below their cells; more is in `book/teacher/{file.name}`."


# --- Portable notebooks --------------------------------------------------------------------------


def _carry_words(notebook, glossary: str) -> None:
    """Put the words that the notebook links to at its end; links to other files become text."""
    _, *parts = re.split(r"^## (.+)$", glossary, flags=re.M)
    words = dict(zip(parts[::2], parts[1::2], strict=True))
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    linked = {target for cell in texts for _, target in LINK.findall(cell.source)}
    for cell in texts:
        cell.source = LINK.sub(r"\1", cell.source)
    lines = ["## Words", "A number says which notebook explains the word."]
    for word, text in words.items():
        if f"GLOSSARY.md#{word.lower().replace(' ', '-')}" in linked:
            lines.append(f"**{word}**: " + LINK.sub(r"\1", text.strip()))
    notebook.cells.append(_text("words", "\n\n".join(lines)))


def _carry_package(notebook) -> None:
    """Put a folded cell before the setup that brings the package along."""
    at = next(at for at, cell in enumerate(notebook.cells) if cell.id == "setup")
    cell = needs("nbformat", "run").v4.new_code_cell(_package_cell(notebook), id="package")
    cell.metadata.update(FOLDED)
    notebook.cells.insert(at, cell)


def _package_cell(notebook) -> str:
    if ON_INDEX:
        return f"#@title The package\n%pip install -q mnist_edu=={__version__}"
    code, _ = needs("nbconvert", "run").PythonExporter().from_notebook_node(notebook)
    files, needed = carried_files(code)
    packed = archive(files)
    text, size = base64.b64encode(packed).decode(), f"{len(packed) / 1000:.0f} kB"
    lines = [text[at : at + 120] for at in range(0, len(text), 120)]
    checksum = hashlib.sha256(packed).hexdigest()
    return "\n".join(
        [
            f"#@title The package mnist_edu, {size}: run this cell, there is nothing to read in it",
            (PACKAGE / "carried.py").read_text("utf-8"),
            f"NEEDED = {json.dumps(needed, indent=4)}",
            f'CHECKSUM = "{checksum}"',
            'ARCHIVE = """',
            *lines,
            '"""',
            f'bring("{__version__}", NEEDED, CHECKSUM, ARCHIVE)',
        ]
    )


class _Ours(ModuleFinder):
    """Finds the modules of the package that a program imports, and no others."""

    def find_module(self, name, path, parent=None):
        if path is None and name != PACKAGE.name:
            raise ImportError(name)
        return super().find_module(name, path, parent)


def carried_files(code: str) -> tuple[list[Path], dict[str, str]]:
    """Return what a program needs: files of the package, and modules of others.

    The modules are in a dict to their names for pip. A file that is no module is taken along if
    its name stands in the code that is, or that of its folder, where that holds no modules.
    """
    finder = _Ours(path=[str(PACKAGE.parent)])
    finder.scan_code(compile(code, "notebook", "exec"), finder.add_module("__main__"))
    found = [getattr(module, "__file__", None) for module in finder.modules.values()]
    files = [Path(name) for name in found if name]
    code += "".join(file.read_text("utf-8") for file in files)
    for file in PACKAGE.rglob("*.*"):
        if file.suffix not in (".py", ".pyc"):
            of_data = not (file.parent / "__init__.py").exists()
            folder = file.parent.name if of_data else file.name
            files += [file] if f'"{file.name}"' in code or f'"{folder}"' in code else []
    names = {name.split(".")[0] for name in finder.badmodules} | set(NEEDS.findall(code))
    others = sorted(names - sys.stdlib_module_names - {PACKAGE.name, "IPython"})
    return sorted(files), {name: PIP_NAMES.get(name, name) for name in others}


def archive(files: list[Path]) -> bytes:
    """Return a .tar.xz of files of the package: no times, no owners, the same each time."""
    tree = io.BytesIO()
    with tarfile.open(fileobj=tree, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in files:
            content = file.read_text("utf-8").encode()  # with the same ends of lines everywhere
            entry = tarfile.TarInfo(file.relative_to(PACKAGE.parent).as_posix())
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return lzma.compress(tree.getvalue(), preset=9 | lzma.PRESET_EXTREME)


# --- A folder of the reader's own ----------------------------------------------------------------


def give(folder: Path) -> list[str]:
    """Put the learner's notebooks into a folder of the reader's own; return what there is to tell.

    What is there stays as it is. ``.given.json`` in the folder has the SHA-256 of each file as it
    was given, so that a newer edition and the reader's own work are told apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given, made = _given(folder), pages("learner")
    new: list[str] = []
    newer: list[str] = []
    worked: list[str] = []
    for name, page in made.items():
        file, checksum = folder / name, hashlib.sha256(page).hexdigest()
        if not file.exists():
            _write(file, page)
            new.append(name)
        elif checksum != given.get(name) and _is_other(file, page):
            untouched = hashlib.sha256(file.read_bytes()).hexdigest() == given.get(name)
            (newer if untouched else worked).append(name)
            continue
        given[name] = checksum
    _write(folder / GIVEN, json.dumps(given, indent=1, sort_keys=True).encode())
    return _told(folder, new, newer, worked)


def _given(folder: Path) -> dict[str, str]:
    """Return the record of a folder; without it, all that is there counts as the reader's work."""
    try:
        return dict(json.loads((folder / GIVEN).read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def _told(folder: Path, new: list[str], newer: list[str], worked: list[str]) -> list[str]:
    sentences = [f"Your own notebooks are in {folder}. Nothing in it is ever overwritten."]
    if new:
        sentences.append(f"New in it: {', '.join(new)}.")
    if newer:
        sentences.append(
            f"There is a newer {', '.join(newer)}. You have not changed yours:"
            " delete it, and start again."
        )
    if worked:
        sentences.append(
            f"There is a newer {', '.join(worked)}. Yours has your work in it and stays:"
            " to get the newer one, rename yours, and start again."
        )
    return sentences
