"""Read the exercises of a notebook as its reader would run them."""

import contextlib
import io
import json
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def said_by(notebook: str, cell_id: str, **names: object) -> str:
    """Run one cell of a notebook, found by its number and id, and return what it prints."""
    path = next(NOTEBOOKS.glob(f"{notebook}_*.ipynb"))
    cells = json.loads(path.read_text("utf-8"))["cells"]
    source = next("".join(cell["source"]) for cell in cells if cell["id"] == cell_id)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, f"{path.name}:{cell_id}", "exec"), names)
    return printed.getvalue().strip()


def exercise_numbers(notebook: str) -> list[str]:
    """Return the numbers of a notebook's exercises, such as ``["1", "2", "3"]``."""
    path = next(NOTEBOOKS.glob(f"{notebook}_*.ipynb"))
    ids = [cell["id"] for cell in json.loads(path.read_text("utf-8"))["cells"]]
    return [i.split("-")[1] for i in ids if i.startswith("ex-") and i.endswith("-solution")]
