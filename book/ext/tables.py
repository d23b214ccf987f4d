"""Pages made of what is stored elsewhere: the gallery of figures, results and costs."""

import json
import re
from pathlib import Path

from notebook_pages import described

from mnist_edu import series
from mnist_edu.show import markdown_table

MARKUP = re.compile(r"([^\w\s,.:;])")  # what Markdown may take for its own
LESSONS = {"full": "the full lesson", "quick": "the quick lesson"}


def gallery(notebooks: list[Path]) -> str:
    """Return a page with every figure of the notebooks, each a link to its cell."""
    parts = ["# All figures\n\nEach figure leads to the cell that draws it."]
    for path in notebooks:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        parts.append(f"## {path.name[:2]}  {title(cells)}")
        parts += ['<ul class="gallery">', *pictures(path, cells), "</ul>"]
    return "\n\n".join(parts) + "\n"


def title(cells: list[dict]) -> str:
    return "".join(cells[0]["source"]).splitlines()[0].removeprefix("# ")


def pictures(path: Path, cells: list[dict]) -> list[str]:
    """Return an item of the gallery for each cell that is tagged as a figure."""
    items = []
    for cell in cells:
        name = series.figure_name(cell)
        shown = [text for text in map(described, cell.get("outputs", [])) if text]
        if name and shown:
            place = f"notebooks/{path.stem}.html#cell-{cell['id']}"
            items.append(item(name, place, shown[-1]))
    return items


def item(name: str, place: str, alt: str) -> str:
    words = MARKUP.sub(r"\\\1", alt)
    picture = f"![{words}](images/{name}.png)"
    return f'<li>\n\n<a href="{place}">{picture}<span>{name}</span></a>\n\n</li>'


def results(root: Path) -> str:
    """Return a page with the measured results of all notebooks, and what the course costs."""
    import report  # benchmarks/report.py, which draws too: not for the results of a run

    parts = [ABOUT]
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        parts.append(f"## {path.name[:2]}  {title(json.loads(path.read_text('utf-8'))['cells'])}")
        for file in sorted((root / "tests" / "bands").glob(f"{path.name[:2]}-full-*.json")):
            parts.append(bands(json.loads(file.read_text("utf-8"))))
    parts.append("## What it costs, and what others need")
    for name, table in report.TABLES.items():
        measured = root / "mnist_edu" / "measured" / f"{name}.json"
        if measured.exists():
            head = f"### {HEADS[name]}"
            parts.append(f"{head}\n\n{table(json.loads(measured.read_text('utf-8')))}")
    return "\n\n".join(parts) + "\n"


ABOUT = """# Results and costs

No single run is a result. Each number below is a mean over several trainings that differ in nothing
but their seed, and beside it stands how far they spread. MNIST and embedded digits are two sources:
numbers from one say nothing about the other.
"""
HEADS = {
    "costs": "Time and memory",
    "race": "Seconds to 99 %: notebook 11 and the known record",
    "summit": "The most accurate small network, notebook 11",
    "transfer": "Embedded digits in the place of MNIST",
    "ink": "What reading your own digits loses",
}


def bands(band: dict) -> str:
    """Return a table of the results of a notebook on one source of digits."""
    rows = [["result", "mean", "standard deviation", "lowest to highest", "seeds"]]
    for name, metric in band["metrics"].items():
        values = list(metric["values"].values())
        spread = f"{min(values):.4g} to {max(values):.4g}"
        row = [name.replace("_", " "), f"{metric['mean']:.4g}", f"{metric['sd']:.2g}", spread]
        rows.append([*row, str(len(values))])
    said = f"On **{band['source']}**, {LESSONS[band['lesson']]}, TensorFlow {band['tensorflow']}:"
    return f"{said}\n\n{markdown_table(rows)}"
