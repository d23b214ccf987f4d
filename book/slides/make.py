"""Make the slides of the sessions: ``python book/slides/make.py [FOLDER]``.

``slides.toml`` says which cells of the stored notebooks are slides. nbconvert makes pages of them,
one for each session; reveal.js and MathJax go into the folder, and no page asks another host.
"""

import functools
import html
import re
import shutil
import sys
import tomllib
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from mnist_edu import series
from mnist_edu.cache import whole
from mnist_edu.errors import AskedWrongly, Missing, needs

HERE = Path(__file__).parent
LONG = 700  # letters of a text from which on it is smaller


def plan() -> dict[str, dict]:
    """Return title and slides of each session, by its name, as ``slides.toml`` has them."""
    return tomllib.loads((HERE / "slides.toml").read_text("utf-8"))


def make(folder: Path) -> list[Path]:
    """Write a page for each session into a folder, with all that it needs; return their paths."""
    script = mathjax()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(HERE / "reveal", folder / "reveal", dirs_exist_ok=True)
    shutil.copy(HERE / "slides.css", folder)
    (folder / "mathjax").mkdir(exist_ok=True)
    shutil.copy(script, folder / "mathjax")
    exporter = SlidesExporter(
        template_name="template",
        extra_template_basedirs=[str(HERE)],
        exclude_input=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    paths = []
    for name, told in plan().items():
        paths.append(folder / f"{name}.html")
        page, _ = exporter.from_notebook_node(session_of(**told))
        with whole(paths[-1]) as part:
            part.write_text(page, "utf-8")
    return paths


def mathjax() -> Path:
    """Return the script that typesets formulas, from the package that brings it.

    Raises
    ------
    Missing
        If that package is not installed.
    """
    package = Path(str(needs("sphinx-mathjax-offline", "book").__file__))
    return package.with_name("static") / "mathjax" / "tex-svg.js"


def session_of(title: str, slides: list[str]) -> NotebookNode:
    """Return the slides of one session as a notebook, ready for nbconvert."""
    cells = [marked(f'<p class="title">{title}</p>', "slide")]
    for line in slides:
        found = chosen(line)
        if line.startswith("+"):
            found.metadata.slideshow = {"slide_type": "fragment"}
        else:
            number, name, *_ = line.split()
            where = f"Notebook {number} · {section_of(number, name)}"
            cells.append(marked(f'<p class="where">{where}</p>', "slide"))
        cells.append(found)
    for place, cell in enumerate(cells):
        cell.id = f"part-{place}"  # the same, whenever they are made
    return new_notebook(cells=cells, metadata={"title": title})


def marked(text: str, kind: str) -> NotebookNode:
    return new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}})


def chosen(line: str) -> NotebookNode:
    """Return what a line of ``slides.toml`` names: paragraphs of a text, or what a cell puts out.

    Raises
    ------
    AskedWrongly
        If there is no such cell or paragraph, or the cell puts nothing out.
    """
    number, name, *wanted = line.removeprefix("+").split()
    cell = nbformat.from_dict(cells_of(number).get(name, {}))
    if not cell:
        raise AskedWrongly(f"slides.toml: notebook {number} has no cell {name}")
    if cell.cell_type == "code":
        cell.outputs = shown(cell.outputs)
        if not cell.outputs:
            raise AskedWrongly(f"slides.toml: cell {name} of notebook {number} puts nothing out")
        cell.metadata = NotebookNode()
        return cell
    blocks = re.split(r"\n\s*\n", cell.source.strip())
    try:
        parts = [blocks[int(place) - 1] for place in wanted[0].split(",")]
    except (IndexError, ValueError):
        told = f"cell {name} of notebook {number} has the paragraphs 1 to {len(blocks)}"
        raise AskedWrongly(f"slides.toml: {told}, not {' '.join(wanted) or 'none'}") from None
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", "\n\n".join(parts))  # links lead nowhere here
    return new_markdown_cell(
        f'<div class="long">\n\n{text}\n\n</div>' if len(text) > LONG else text
    )


def shown(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return figures alone, where there are some; else texts and tables, without progress."""
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    if figures:
        return [described(figure) for figure in figures]
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            output.text = output.text.replace("No guess written down. ", "")
        if not output.get("data", {}).get("text/html", "").startswith("<pre>"):
            kept.append(output)
    return kept


def described(figure: NotebookNode) -> NotebookNode:
    """Return a figure as HTML, with its description, which nbconvert would leave out."""
    png, alt = figure.data["image/png"].replace("\n", ""), html.escape(figure.data["text/plain"])
    figure.data = {"text/html": f'<img alt="{alt}" src="data:image/png;base64,{png}">'}
    return figure


@functools.cache
def cells_of(number: str) -> dict[str, NotebookNode]:
    """Return the cells of a stored notebook by their ids."""
    (path,) = series.find([number]).values()
    return {cell.id: cell for cell in nbformat.read(path, 4).cells}


def section_of(number: str, name: str) -> str:
    """Return the last heading before the end of a cell, or the title of the notebook."""
    heading = ""
    for cell_id, cell in cells_of(number).items():
        if cell.cell_type == "markdown":
            found = re.findall(r"^##? (.+)$", cell.source, re.MULTILINE)
            heading = found[-1] if found else heading
        if cell_id == name:
            break
    return heading


def main(*words: str) -> int:
    """Make the slides, in the folder that is named; return the exit code."""
    try:
        paths = make(Path(*words) if words else HERE.parents[1] / "slides")
    except (AskedWrongly, Missing, OSError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, AskedWrongly) else 1
    print(*paths, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
