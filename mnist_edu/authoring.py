"""For authors: store a notebook with its outputs, write its figures, measure its bands.

A stored notebook is what a fresh kernel makes of the full lesson on MNIST, without times, paths or
anything of one machine.
"""

import base64
import json
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mnist_edu import data, series, stored, synthetic

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MACHINE_PATH = re.compile(r"/(root|home|tmp|Users|var)/[^\"\\ ]*")
RULER = {"01": "softmax", "03": "dense", "05": "CNN"}  # the shift ruler's name of each model


def store(path: Path, jobs: int = 1) -> None:
    """Execute a notebook in a fresh kernel and keep its outputs; after a failure keep the old file.

    What is stored is noted in ``stored.json`` beside it, see :mod:`mnist_edu.stored`.
    ``jobs`` says how many runs share the cores.

    Raises
    ------
    ValueError
        If MNIST is not there, or the outputs hold a path of this machine.
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    data.load("mnist")
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        os.environ.update(series.environment(jobs, Path(profile)), MNIST_EDU_RESULTS="")
        place = {"metadata": {"path": profile}}
        NotebookClient(notebook, timeout=900, record_timing=False, resources=place).execute()
    normalise(notebook)
    found = MACHINE_PATH.search(json.dumps([cell.get("outputs") for cell in notebook.cells]))
    if found:
        raise ValueError(f"{path.name}: an output holds a path of this machine: {found.group()}")
    _write(path, notebook)
    stored.keep(path)


def normalise(notebook) -> None:
    """Remove from a notebook, in place, what belongs to one machine or one run.

    Raises
    ------
    ValueError
        If a cell id is not made of words.
    """
    notebook.metadata.clear()
    notebook.metadata.update(KERNEL)
    for cell in notebook.cells:
        if not CELL_ID.fullmatch(cell["id"]) or re.fullmatch("[0-9a-f]{8}", cell["id"]):
            raise ValueError(f"the cell id {cell['id']!r} says nothing: use words-with-hyphens")
        cell.metadata.pop("execution", None)
        cell.metadata.pop("ExecuteTime", None)
        for output in cell.get("outputs", []):  # the widget's kernel is gone; its picture stays
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def _write(path: Path, notebook) -> None:
    import nbformat

    nbformat.validate(notebook)
    temporary = path.with_suffix(".tmp")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)


def figures(folder: Path) -> list[Path]:
    """Write ``images/NN-name.png`` from stored outputs of cells tagged ``figure:NN-name``.

    Pictures whose tag is gone are removed. Nothing is executed.
    """
    folder.mkdir(exist_ok=True)
    written = []
    for notebook in series.find().values():
        for cell, output in series._outputs(notebook):
            names = [tag[7:] for tag in cell["metadata"].get("tags", []) if tag[:7] == "figure:"]
            png = output.get("data", {}).get("image/png")
            if names and png:
                written.append(folder / f"{names[0]}.png")
                written[-1].write_bytes(base64.b64decode("".join(png)))
    for old in set(folder.glob("[0-9][0-9]-*.png")) - set(written):
        old.unlink()
    return written


# --- Text form -----------------------------------------------------------------------------------


def to_text(path: Path, text: Path) -> None:
    """Write a notebook as a Python file (jupytext's percent form) that keeps ids and tags."""
    import jupytext
    import nbformat

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
    ValueError
        If a cell has no id.
    """
    import jupytext
    import nbformat

    notebook = jupytext.read(text, fmt="py:percent")
    old = {c["id"]: c for c in nbformat.read(path, 4).cells} if path.exists() else {}
    for cell in notebook.cells:
        if "id" not in cell.metadata:
            raise ValueError(f"a cell has no id: {cell.source[:60]!r}")
        cell["id"] = cell.metadata.pop("id")
        if "solution" in cell.metadata.get("tags", []):
            folded = {"jupyter": {"source_hidden": True}, "cellView": "form"}
            cell.metadata.update(folded)
        before = old.get(cell["id"], {})
        if cell.cell_type == "code" and before.get("source") == cell.source:
            cell.outputs, cell.execution_count = before["outputs"], before["execution_count"]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    normalise(notebook)
    _write(path, notebook)


# --- Bands ---------------------------------------------------------------------------------------


def measure_bands(
    numbers: list[str] | None, seeds: list[int], full: bool, source: str, folder: Path
) -> None:
    """Run notebooks once a seed, two at a time, and write mean and spread to ``folder``.

    Seeds whose numbers are in the file stay, so a long measurement can be made in parts.

    Raises
    ------
    ValueError
        If a notebook fails.
    """
    chosen = sorted(series.find(numbers), key=lambda n: (n not in series.LONGEST_FIRST, n))
    runs = [(number, seed) for number in chosen for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        for seed, row in pool.map(lambda run: _one_seed(*run, full, source), runs):
            _add_seed(folder, row, seed, full)
    if full:
        write_shift_rows(folder)


def _one_seed(number: str, seed: int, full: bool, source: str) -> tuple[int, dict]:
    with tempfile.TemporaryDirectory() as out:
        how = {"full": full, "source": source, "seed": seed}
        (row,) = series.run([number], jobs=1, beside=1, out=out, **how)
    if row["state"] != "ok":
        raise ValueError(f"{row['notebook']}, seed {seed}, failed: {row['error']}")
    return seed, row


def _add_seed(folder: Path, row: dict, seed: int, full: bool) -> None:
    from importlib.metadata import version

    number, kind = row["notebook"][:2], "full" if full else "quick"
    path = folder / f"{number}-{kind}-{row['source'].replace(' ', '-').lower()}.json"
    head = {"notebook": number, "lesson": kind, "source": row["source"]}
    if row["source"] != "MNIST":
        head["digits"] = synthetic.VERSION
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if kept.get("digits") != head.get("digits"):  # seeds on digits that are no longer drawn
        kept = {}
    kept.setdefault("metrics", {})
    metrics = {}
    for name, value in row["results"].items():
        values = kept["metrics"].get(name, {}).get("values", {}) | {str(seed): round(value, 5)}
        numbers = list(values.values())
        spread = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else 0.0
        mean = float(np.mean(numbers))
        metrics[name] = {"mean": round(mean, 5), "sd": round(spread, 5), "values": values}
    head |= {"tensorflow": version("tensorflow"), "metrics": metrics}
    path.write_text(json.dumps(head, indent=1) + "\n", "utf-8")


def write_shift_rows(folder: Path) -> None:
    """Write ``mnist_edu/shift_rows.json`` from the full bands in ``folder``."""
    rows = []
    for path in sorted(folder.glob("*-full-*.json")):
        band = json.loads(path.read_text("utf-8"))
        shifts = [band["metrics"].get(f"shift_{pixels}") for pixels in range(5)]
        if band["notebook"] in RULER and all(shifts):
            row = {"notebook": band["notebook"], "model": RULER[band["notebook"]]}
            row |= {"source": band["source"], "seeds": len(shifts[0]["values"])}
            rows.append(row | {"mean": [round(shift["mean"], 4) for shift in shifts]})
    lines = ",\n".join(" " + json.dumps(row) for row in rows)
    target = Path(__file__).parent / "shift_rows.json"
    target.write_text(f"[\n{lines}\n]\n", "utf-8")


def outside(band: dict, results: dict[str, float]) -> list[str]:
    """Return a sentence for each result that lies outside its band, or that is missing.

    A band is the mean plus or minus four standard deviations, and at least 0.0005 wide on either
    side. ``at_least`` in a band is stricter where an issue demands it.
    """
    faults = []
    for name, known in band["metrics"].items():
        if name not in results:
            faults.append(f"{name} was not recorded")
            continue
        reach = max(4 * known["sd"], 0.0005)
        low, high = known["mean"] - reach, known["mean"] + reach
        low = max(low, known.get("at_least", low))
        if not low <= results[name] <= high:
            faults.append(f"{name} is {results[name]:.4f}, outside {low:.4f} to {high:.4f}")
    unknown = set(results) - set(band["metrics"])
    return faults + [f"{name} has no band: measure it" for name in sorted(unknown)]
