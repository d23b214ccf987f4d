"""Run cells of a notebook alone, with stand-ins for what they would need."""

import contextlib
import functools
import io
import json
import linecache
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def cells_of(notebook: str) -> dict[str, dict]:
    """Return the cells of a notebook, found by its number, by their ids."""
    (path,) = NOTEBOOKS.glob(f"{notebook}_*.ipynb")
    return _cells_in(path)


@functools.cache
def _cells_in(path: Path) -> dict[str, dict]:
    return {cell["id"]: cell for cell in json.loads(path.read_text("utf-8"))["cells"]}


def run_cells(notebook: str, *ids: str, **names: object) -> dict:
    """Run cells in the order given, with ``names`` to begin with; return all names afterwards.

    ``names["printed"]`` is what they printed. A cell tagged ``parameters`` sets its defaults only
    where ``names`` has nothing else, as papermill does.
    """
    cells, space, printed = cells_of(notebook), dict(names), io.StringIO()
    for cell_id in ids:
        cell = cells[cell_id]
        source = "".join(cell["source"])
        place = f"{notebook}:{cell_id}"
        linecache.cache[place] = (len(source), None, source.splitlines(True), place)
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(source, place, "exec"), space)  # tf.function reads the lines above
        except Exception as error:
            error.add_note(f"Raised in notebook {notebook}, cell {cell_id}.")
            raise
        if "parameters" in cell["metadata"].get("tags", []):
            space |= names
    return space | {"printed": printed.getvalue().strip()}


def said_by(notebook: str, cell_id: str, **names: object) -> str:
    """Run one cell and return what it prints."""
    return run_cells(notebook, cell_id, **names)["printed"]


def code_with(notebook: str, *words: str) -> set[str]:
    """Return the ids of the code cells that hold one of the words."""
    code = {
        name: "".join(cell["source"])
        for name, cell in cells_of(notebook).items()
        if cell["cell_type"] == "code"
    }
    return {name for name, source in code.items() if any(word in source for word in words)}


def exercise_numbers(notebook: str) -> list[str]:
    """Return the numbers of a notebook's exercises, such as ``["1", "2", "3"]``."""
    return [
        name.split("-")[1]
        for name in cells_of(notebook)
        if name.startswith("ex-") and name.endswith("-solution")
    ]
