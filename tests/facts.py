"""What claims in prose are held against: stored outputs, bands, code, benchmarks."""

import functools
import html
import json
import math
import re
import tomllib
from collections.abc import Callable

from prose import NOTEBOOKS, ROOT, Said

from mnist_edu import series
from mnist_edu.exercises.nb11 import stored

ANSI = re.compile(r"\x1b\[[0-9;]*m")
NUMBER = re.compile(r"(?<![\w.])[-−+]?(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?:\.\d+)?(?:e[+-]?\d+)?")


def numbers_in(text: str) -> list[float]:
    """Return the numbers of code or of an output."""
    found = (re.sub("[,_]", "", number) for number in NUMBER.findall(text))
    return [float(number.replace("−", "-")) for number in found]


def table_of(page: str) -> tuple[str, list[list[str]]]:
    """Return caption and cells of a table of HTML."""
    caption = re.search(r"<caption>(.*?)</caption>", page, re.S)
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    return html.unescape(caption[1]) if caption else "", [[*map(html.unescape, r)] for r in rows]


@functools.cache
def cells(notebook: str) -> dict[str, dict]:
    """Return code, output text and tables of a notebook's code cells."""
    found = {}
    for cell in json.loads(NOTEBOOKS[notebook].read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            found[cell["id"]] = {"code": "".join(cell["source"]), "out": "", "tables": []}
    for cell, output in series.outputs(NOTEBOOKS[notebook]):
        data = output.get("data", {"text/plain": output.get("text", "")})
        told, page = ("".join(data.get(kind, "")) for kind in ("text/plain", "text/html"))
        found[cell["id"]]["out"] += ANSI.sub("", told) + "\n"
        if page.startswith("<table>"):
            found[cell["id"]]["tables"].append(table_of(page)[1])
    return found


@functools.cache
def stored_results(notebook: str) -> dict[str, float]:
    return series.results(NOTEBOOKS[notebook]).results


@functools.cache
def bands(notebook: str, kind: str) -> dict[str, list[float]]:
    path = ROOT / "tests" / "bands" / f"{notebook}-{kind}.json"
    metrics = json.loads(path.read_text("utf-8"))["metrics"]
    return {name: list(metric["values"].values()) for name, metric in metrics.items()}


# --- What an expression may ask for --------------------------------------------------------------


def split(here: str, name: str) -> tuple[str, str]:
    """Return notebook and name of ``06.test``, or of ``test`` in the notebook that asks."""
    notebook, _, rest = name.partition(".")
    return (notebook, rest) if notebook in NOTEBOOKS else (here, name)


def result(here: str, name: str) -> float:
    """A recorded result of the stored notebook."""
    notebook, name = split(here, name)
    return stored_results(notebook)[name]


def band(here: str, name: str, kind: str = "full-mnist") -> list[float]:
    """A result's values, one a seed."""
    notebook, name = split(here, name)
    return bands(notebook, kind)[name]


def outs(here: str, cell: str, after: str = "") -> list[float]:
    """The numbers in a cell's outputs, behind the first place where a text stands."""
    notebook, cell = split(here, cell)
    return behind(cells(notebook)[cell]["out"], after)


def out(here: str, cell: str, after: str = "", nth: int = 0) -> float:
    return outs(here, cell, after)[nth]


def codes(here: str, cell: str, after: str = "") -> list[float]:
    """The numbers in a cell's code, behind the first place where a text stands."""
    notebook, cell = split(here, cell)
    return behind(cells(notebook)[cell]["code"], after)


def code(here: str, cell: str, after: str = "", nth: int = 0) -> float:
    return codes(here, cell, after)[nth]


def behind(text: str, after: str) -> list[float]:
    if after not in text:
        raise LookupError(f"{after!r} is not there")
    return numbers_in(text[text.index(after) + len(after) :])


def file(here: str, path: str, after: str = "", nth: int = 0) -> float:
    """A number in a file of the repository, as ``out`` finds it in a cell's outputs."""
    return behind((ROOT / path).read_text("utf-8"), after)[nth]


def source(here: str, cell: str) -> str:
    """The code of a cell, as text."""
    notebook, cell = split(here, cell)
    return cells(notebook)[cell]["code"]


def said(here: str, cell: str) -> str:
    """The outputs of a cell, as text."""
    notebook, cell = split(here, cell)
    return cells(notebook)[cell]["out"]


def table(here: str, cell: str, row: str, column: str, nth: int = 0) -> float:
    """A number in a cell's table: the row begins with a text, the column is headed by one."""
    notebook, cell = split(here, cell)
    for head, *rows in cells(notebook)[cell]["tables"]:
        for line in rows:
            if line[0] == row and column in head:
                return numbers_in(line[head.index(column)])[nth]
    raise LookupError(f"no row {row!r} and column {column!r} in a table of {cell}")


def parameter(here: str, name: str) -> float:
    """A parameter of the full lesson."""
    notebook, name = split(here, name)
    (text,) = re.findall(rf"^{name} = ([^#\n]+)", cells(notebook)["parameters"]["code"], re.M)
    return numbers_in(text)[0]


def quick(here: str, name: str) -> float:
    """A parameter of the quick lesson."""
    notebook, name = split(here, name)
    settings = tomllib.loads((ROOT / "notebooks" / "quick.toml").read_text("utf-8"))
    return settings[notebook][name]


def bench(here: str, name: str, *path: object) -> float:
    """What a benchmark measured."""
    return functools.reduce(lambda found, key: found[key], path, stored(name))


def minutes(here: str) -> float:
    """Minutes to read a notebook, as the README's table has them."""
    (row,) = re.findall(rf"^\| \[{here} .*$", (ROOT / "README.md").read_text("utf-8"), re.M)
    return numbers_in(row.split("|")[3])[0]


def near(said: float, known: float, by: float = 0.1) -> bool:
    """Say whether "about" is true: at most a tenth away, unless said otherwise."""
    return abs(float(said) - known) <= by * abs(known)


def spans(low: Said, high: Said, values: list[float]) -> bool:
    """Say whether values lie between two numbers, which are as close as their digits allow."""
    return abs(low - min(values)) < low.step and abs(high - max(values)) < high.step


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


LOOKUPS = (
    result,
    band,
    out,
    outs,
    code,
    codes,
    file,
    source,
    said,
    table,
    parameter,
    quick,
    bench,
    minutes,
)
PLAIN = (near, spans, mean, abs, all, any, len, max, min, round, sorted, sum, range, float)
MATHS = {"ln": math.log, "log10": math.log10, "sqrt": math.sqrt, "e": math.e}


def names_for(here: str, told: list[str]) -> dict[str, object]:
    """Return what an expression may name; each answer is noted in ``told``."""

    def noted(look: Callable) -> Callable:
        def ask(*what: object) -> object:
            found = look(here, *what)
            told.append(f"{look.__name__}({', '.join(map(repr, what))}) is {str(found)[:60]}")
            return found

        return ask

    return {f.__name__: noted(f) for f in LOOKUPS} | {f.__name__: f for f in PLAIN} | MATHS
