"""Figures for print and projector: as SVG or PDF, in a chosen width and size of text.

A notebook is run, and its pictures are drawn once more, larger. ``mnist-edu figures`` without a
format takes the stored pictures as they are, see :func:`mnist_edu.authoring.figures`.
"""

import base64
import io
from pathlib import Path
from typing import Any

from mnist_edu import authoring, series
from mnist_edu.cache import whole
from mnist_edu.errors import AskedWrongly, needs

MIMES = {"svg": "image/svg+xml", "pdf": "application/pdf"}
TEXT = 9.0  # points: the text of the stored pictures ...
WIDTH = 170.0  # millimetres: ... at this width
STARTUP = "from mnist_edu import figures\nfigures.redraw({!r}, {!r}, {!r})\n"


def draw(
    numbers: list[str],
    folder: Path,
    form: str = "svg",
    width: float | None = None,
    text: float = TEXT,
    quick: bool = False,
) -> list[Path]:
    """Run notebooks, and write their figures to ``folder`` as ``NN-name.svg`` or ``.pdf``.

    Parameters
    ----------
    numbers : such as ``["03"]``; all notebooks if empty
    form : "svg" or "pdf"
    width : millimetres of a picture of full width; unless given, as wide as the text asks for
    text : points of most of the text in it
    quick : with the quick settings, not the full lesson

    Raises
    ------
    AskedWrongly
        If form, width or text are impossible.
    WentWrong
        If a cell fails; the figures of that notebook are then not written.
    """
    if form not in MIMES:
        raise AskedWrongly(f"figures are written as {', '.join(MIMES)}, not as {form}")
    width = WIDTH * text / TEXT if width is None else width
    if not (4 <= text <= 100 and 40 <= width <= 2000):
        raise AskedWrongly("text is from 4 to 100 points, width from 40 to 2,000 mm")
    chosen = series.find(numbers)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in chosen.values():
        for name, content in _run(path, form, width, text, quick).items():
            written.append(folder / f"{name}.{form}")
            with whole(written[-1]) as part:
                part.write_bytes(content)
    return written


def _run(path: Path, form: str, width: float, text: float, quick: bool) -> dict[str, bytes]:
    """Return the figures of a notebook, drawn in a run of it, by the names in their tags."""
    nbformat = needs("nbformat", "run")
    notebook = nbformat.read(path, as_version=4)
    lines = [f"{name} = {value!r}" for name, value in series.settings(path, not quick).items()]
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    at = next(i for i, found in enumerate(tags) if "parameters" in found)
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell("\n".join(lines)))
    authoring.execute(notebook, f"{path.name}: no figures", STARTUP.format(form, width, text))
    return _tagged(notebook, MIMES[form])


def _tagged(notebook: Any, mime: str) -> dict[str, bytes]:
    found = {}
    for cell in notebook.cells:
        name = series.figure_name(cell)
        for output in cell.get("outputs", []):
            content = output.get("data", {}).get(mime)
            if name and content:
                pdf = mime == MIMES["pdf"]
                found[name] = base64.b64decode(content) if pdf else content.encode()
    return found


# --- In the notebook's own process ---------------------------------------------------------------


def redraw(form: str, width: float, text: float) -> None:
    """Let every picture of this process be shown as ``form``, in another size."""
    from mnist_edu import plots
    from mnist_edu.show import show

    def shown(picture: Any) -> None:
        drawn = drawing(picture, form, width, text)
        content = base64.b64encode(drawn).decode() if form == "pdf" else drawn.decode()
        show({MIMES[form]: content, "text/plain": picture.description})

    setattr(plots.Picture, "_ipython_display_", shown)  # noqa: B010


def drawing(picture: Any, form: str, width: float, text: float) -> bytes:
    """Return a picture as SVG or PDF; its text, lines and marks grow together.

    Where the text grows more than the width, the picture becomes taller, so that there is room.
    """
    import matplotlib
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    grow, wide = text / TEXT, width / WIDTH
    for artist in picture.findobj(Text):
        artist.set_fontsize(artist.get_fontsize() * grow)
    for line in picture.findobj(Line2D):
        line.set_linewidth(line.get_linewidth() * grow)
        line.set_markersize(line.get_markersize() * grow)
    across, high = picture.get_size_inches()
    picture.set_size_inches(across * wide, high * max(grow, wide))
    out = io.BytesIO()
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]  # the same again
    with matplotlib.rc_context({"svg.hashsalt": "mnist_edu"}):
        picture.savefig(out, format=form, metadata=stamp)
    return out.getvalue()
