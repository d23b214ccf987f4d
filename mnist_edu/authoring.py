"""For authors: store a notebook with its outputs, write its figures, edit it as text.

A stored notebook is what a fresh kernel makes of the full lesson on MNIST, without times, paths or
anything of one machine.
"""

import base64
import json
import re
import tempfile
from pathlib import Path

from mnist_edu import data, series, stored
from mnist_edu.cache import whole
from mnist_edu.errors import AskedWrongly, WentWrong, needs

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
CELL_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MACHINE_PATH = re.compile(r"/(root|home|tmp|Users|var)/[^\"\\ ]*")


def store(path: Path) -> None:
    """Execute a notebook in a fresh kernel and keep its outputs; after a failure keep the old file.

    What is stored is noted in ``stored.json`` beside it, see :mod:`mnist_edu.stored`.

    Raises
    ------
    WentWrong
        If MNIST cannot be had, a cell fails, or the outputs hold a path of this machine.
    """
    data.load("mnist")
    notebook = needs("nbformat", "run").read(path, as_version=4)
    execute(notebook, f"{path.name} was not stored")
    normalise(notebook)
    found = MACHINE_PATH.search(json.dumps([cell.get("outputs") for cell in notebook.cells]))
    if found:
        raise WentWrong(f"{path.name}: an output holds a path of this machine: {found.group()}")
    _write(path, notebook)
    stored.keep(path)


def execute(notebook, otherwise: str, startup: str = "") -> None:
    """Execute a notebook in place, in a fresh kernel with a profile of its own.

    ``startup`` is code that runs there first.

    Raises
    ------
    WentWrong
        If a cell fails: ``otherwise`` and its error.
    """
    nbclient = needs("nbclient", "run")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        env = series.environment(1, Path(profile)) | {"MNIST_EDU_RESULTS": ""}
        first = Path(profile) / "profile_default" / "startup" / "first.py"
        first.parent.mkdir(parents=True, exist_ok=True)
        first.write_text(startup, "utf-8")
        place = {"metadata": {"path": profile}}
        how = {"timeout": 900, "record_timing": False, "resources": place}
        try:
            nbclient.NotebookClient(notebook, **how).execute(env=env)
        except nbclient.exceptions.CellExecutionError as error:
            raise WentWrong(f"{otherwise}, a cell failed: {error}") from None


def normalise(notebook) -> None:
    """Remove from a notebook, in place, what belongs to one machine or one run.

    Raises
    ------
    AskedWrongly
        If a cell id is not made of words.
    """
    notebook.metadata.clear()
    notebook.metadata.update(KERNEL)
    for cell in notebook.cells:
        if not CELL_ID.fullmatch(cell["id"]) or re.fullmatch("[0-9a-f]{8}", cell["id"]):
            raise AskedWrongly(f"the cell id {cell['id']!r} says nothing: use words-with-hyphens")
        cell.metadata.pop("execution", None)
        cell.metadata.pop("ExecuteTime", None)
        for output in cell.get("outputs", []):  # the widget's kernel is gone; its picture stays
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def _write(path: Path, notebook) -> None:
    nbformat = needs("nbformat", "run")
    nbformat.validate(notebook)
    with whole(path) as part:
        nbformat.write(notebook, part)


def figures(folder: Path) -> list[Path]:
    """Write ``images/NN-name.png`` from stored outputs of cells tagged ``figure:NN-name``.

    Pictures whose tag is gone are removed. Nothing is executed.
    """
    notebooks, written = series.find().values(), []
    folder.mkdir(exist_ok=True)
    for notebook in notebooks:
        for cell, output in series.outputs(notebook):
            name = series.figure_name(cell)
            png = output.get("data", {}).get("image/png")
            if name and png:
                written.append(folder / f"{name}.png")
                written[-1].write_bytes(base64.b64decode("".join(png)))
    for old in set(folder.glob("[0-9][0-9]-*.png")) - set(written):
        old.unlink()
    return written


# --- Text form -----------------------------------------------------------------------------------


def to_text(path: Path, text: Path) -> None:
    """Write a notebook as a Python file (jupytext's percent form) that keeps ids and tags."""
    jupytext, nbformat = needs("jupytext", "test"), needs("nbformat", "run")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        tags = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
        cell.metadata = nbformat.from_dict({"id": cell["id"]} | tags)
    form = {"extension": ".py", "format_name": "percent", "cell_metadata_filter": "all"}
    jupytext.write(notebook, text, fmt=form | {"notebook_metadata_filter": "-all"})


def from_text(text: Path, path: Path) -> None:
    """Write a notebook from its text form; cells whose code is unchanged keep their outputs.

    Raises
    ------
    AskedWrongly
        If a cell has no id.
    """
    jupytext, nbformat = needs("jupytext", "test"), needs("nbformat", "run")
    notebook = jupytext.read(text, fmt="py:percent")
    old = {c["id"]: c for c in nbformat.read(path, 4).cells} if path.exists() else {}
    for cell in notebook.cells:
        if "id" not in cell.metadata:
            raise AskedWrongly(f"a cell has no id: {cell.source[:60]!r}")
        cell["id"] = cell.metadata.pop("id")
        if cell.source.startswith("#@title") or "solution" in cell.metadata.get("tags", []):
            folded = {"jupyter": {"source_hidden": True}, "cellView": "form"}
            cell.metadata.update(folded)
        before = old.get(cell["id"], {})
        if cell.cell_type == "code" and before.get("source") == cell.source:
            cell.outputs, cell.execution_count = before["outputs"], before["execution_count"]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    normalise(notebook)
    _write(path, notebook)
