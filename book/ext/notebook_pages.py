"""A stored notebook as a page: answers and solutions behind a button, guesses to type in.

The file itself stays as it is. Sphinx hands over its text as it is read, and here the text becomes
another notebook: tags that myst-nb knows, the pictures' descriptions, and a form below each guess.
"""

import html
import json
import re

from docutils import nodes
from sphinx.application import Sphinx

NO_GUESS = "No guess written down. Answer: "  # as mnist_edu.lesson.compare writes it
COMPARED = re.compile(r"lesson\.compare\(\s*(\w+)(.*)")
DIGITS = re.compile(r"digits=(\d+)")
UNIT = re.compile(r"^(-?[\d,]*\.?\d+(?:e[-+]?\d+)?)( .*)?$")
WIDGET = "application/vnd.jupyter.widget-view+json"
LIVE = {  # mount points of _static/live: page, the cell that they follow, and their class
    "notebooks/10_your_own_digits": ("puzzle", "live-pad"),
    "notebooks/03_network_by_hand": ("training-seen", "watch-it-learn"),
}
LIVE_TEXT = '<div class="{}">Here is something to try out; it needs JavaScript.</div>'


def setup(app: Sphinx) -> dict:
    app.connect("source-read", read_notebook)
    app.connect("doctree-read", name_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def read_notebook(app: Sphinx, docname: str, source: list[str]) -> None:
    """Change the text of a notebook before it is parsed."""
    if app.env.doc2path(docname).suffix == ".ipynb":
        source[0] = json.dumps(as_page(json.loads(source[0]), docname))


def as_page(notebook: dict, docname: str) -> dict:
    """Return the notebook with what a page needs and a kernel does not."""
    answers = answers_of(notebook["cells"])
    live_cell, live = LIVE.get(docname, (None, None))
    cells = []
    for cell in notebook["cells"]:
        cell = fold(describe(cell))
        cells += [cell, *forms(cell, answers)]
        if cell.get("id") == live_cell:
            cells.append(markdown(LIVE_TEXT.format(live), live))
    notebook["metadata"].pop("widgets", None)
    return notebook | {"cells": cells}


def markdown(text: str, name: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def described(output: dict) -> str:
    """Return the description of a picture among the outputs."""
    return output.get("metadata", {}).get("image/png", {}).get("alt", "")


def describe(cell: dict) -> dict:
    """Give myst-nb the cell's id and the description of its picture; both would be lost."""
    shown = cell["metadata"].setdefault("mystnb", {})
    shown["name"] = cell.get("id", "")
    for output in cell.get("outputs", []):
        output.get("data", {}).pop(WIDGET, None)  # it needs a kernel: its picture is shown
    pictures = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    if pictures:
        shown["image"] = {"alt": described(pictures[-1])}
    if cell["cell_type"] == "markdown" and not "".join(cell["source"]).startswith("# "):
        anchor = f'<div id="cell-{cell.get("id", "")}"></div>\n\n'
        cell["source"] = anchor + "".join(cell["source"])
    return cell


# --- Predict, then look --------------------------------------------------------------------------


def answers_of(cells: list[dict]) -> dict[str, dict]:
    """Return for each guess, by its name, the answer that is stored and how it is written."""
    found = {}
    for cell in cells:
        calls = COMPARED.findall("".join(cell["source"])) if cell["cell_type"] == "code" else []
        for (name, rest), answer in zip(calls, told(cell), strict=False):
            number = UNIT.match(answer)
            value, unit = number.groups(default="") if number else (answer, "")
            digits = DIGITS.search(rest)
            found[name] = {"answer": value, "unit": unit, "digits": digits[1] if digits else "3"}
    return found


def told(cell: dict) -> list[str]:
    """Return the answers in the outputs of a cell, without what stands before them."""
    streams = ["".join(output.get("text", "")) for output in cell.get("outputs", [])]
    lines = "".join(streams).splitlines()
    return [line.partition(NO_GUESS)[2] for line in lines if NO_GUESS in line]


def fold(cell: dict) -> dict:
    """Hide solutions, answers and what sets up the notebook until they are asked for."""
    tags = cell["metadata"].setdefault("tags", [])
    prompts = None
    if cell["metadata"].get("jupyter", {}).get("source_hidden") and "parameters" in tags:
        tags.append("hide-input")
        prompts = "Show the parameters", "Hide the parameters"
    elif cell.get("id") == "setup":
        tags.append("hide-cell")
        prompts = "Show the setup", "Hide the setup"
    elif "solution" in tags:
        tags.append("hide-cell")
        prompts = "Show a solution", "Hide the solution"
    elif cell["cell_type"] == "code" and (told(cell) or is_look(cell)):
        for output in cell["outputs"]:
            if "text" in output:
                output["text"] = "".join(output["text"]).replace(NO_GUESS, "Answer: ")
        tags.append("hide-cell" if is_look(cell) else "hide-output")
        prompts = "Look at the answer", "Hide the answer"
    if prompts:
        names = ("code_prompt_show", "code_prompt_hide")
        cell["metadata"]["mystnb"] |= dict(zip(names, prompts, strict=True))
    return cell


def is_look(cell: dict) -> bool:
    """Say whether a cell is there for its answer alone."""
    return cell["id"].startswith("look-") or cell["id"].endswith("-look")


def forms(cell: dict, answers: dict[str, dict]) -> list[dict]:
    """Return a markdown cell with a form for each guess that is written down in this cell."""
    if "predict" not in cell["metadata"].get("tags", []):
        return []
    lines = [line.partition(" = ...") for line in "".join(cell["source"]).splitlines()]
    made = [
        form(name, hint.strip(" #"), answers[name]) for name, _, hint in lines if name in answers
    ]
    return [markdown("\n".join(made), f"{cell['id']}-form")] if made else []


def form(name: str, hint: str, about: dict) -> str:
    """Write the form of a guess; ``book.js`` compares it in the words of ``lesson.compare``."""
    kind = "text" if '"' in hint or not UNIT.match(about["answer"]) else "number"
    values = {**about, "kind": kind}
    data = " ".join(f'data-{key}="{html.escape(value)}"' for key, value in values.items())
    what = f"Your guess: {hint}" if hint else f"Your guess for {name}"
    return (
        f'<form class="guess" {data}><label>{html.escape(what)} '
        '<input type="text" autocomplete="off" spellcheck="false"></label> '
        '<button type="submit">Compare</button> <output></output></form>'
    )


# --- Names of cells ------------------------------------------------------------------------------


def name_cells(app: Sphinx, doctree) -> None:
    """Make each code cell a place that links lead to: ``#cell-ID``."""
    for node in doctree.findall(nodes.container):
        name = node.get("cell_metadata", {}).get("mystnb", {}).get("name")
        if name:
            node["ids"].append(f"cell-{name}")
