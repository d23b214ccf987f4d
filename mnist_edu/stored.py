"""A record of what was stored in the notebooks, so that a change made by hand is noticed.

``stored.json``, beside the notebooks, has for each of them the recorded results, and for each code
cell a short SHA-256 of its code and one of its outputs. ``python -m mnist_edu store`` writes it.
"""

import hashlib
import json
from pathlib import Path

from mnist_edu import series
from mnist_edu.cache import whole


def keep(path: Path) -> None:
    """Write the record of one notebook into ``stored.json`` beside it; the others' stay."""
    kept = {p: told for p, told in kept_records(path).items() if path.with_stem(p).exists()}
    kept[path.stem] = record(path)
    with whole(path.parent / "stored.json") as part:
        part.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", "utf-8")


def kept_records(path: Path) -> dict[str, dict]:
    """Return the records beside a notebook, by the names of the notebooks."""
    file = path.parent / "stored.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else {}


def record(path: Path) -> dict:
    """Return a notebook's record: its source of digits, its results, and its code cells in order.

    A cell's line is a short SHA-256 of its code, a space, and one of its outputs. Text cells, tags
    and execution counts are not in it.
    """
    cells = json.loads(path.read_text("utf-8"))["cells"]
    lines = {
        cell["id"]: f"{_short(cell['source'])} {_short(cell['outputs'])}"
        for cell in cells
        if cell["cell_type"] == "code"
    }
    row = series.results(path)
    return {"source": row.source, "results": row.results, "cells": lines}


def _short(part: object) -> str:
    text = json.dumps(_joined(part), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _joined(part: object) -> object:
    """Join lists of lines, since a text may stand in a notebook as one string or as its lines."""
    if isinstance(part, dict):
        return {name: _joined(value) for name, value in part.items() if name != "execution_count"}
    if isinstance(part, list) and part and all(isinstance(line, str) for line in part):
        return "".join(part)
    return [_joined(value) for value in part] if isinstance(part, list) else part


def changes(path: Path) -> list[str]:
    """Return a sentence for each thing in a notebook that is not what was stored."""
    was, now = kept_records(path).get(path.stem), record(path)
    again = f"run `python -m mnist_edu store {path.name[:2]}`"
    if was is None:
        return [f"{path.name} has no record in stored.json: {again}"]
    faults = [
        f"{path.name}, cell {name}: {fault}: {again}"
        for name in was["cells"] | now["cells"]
        if (fault := _fault(was["cells"].get(name), now["cells"].get(name)))
    ]
    if not faults and list(was["cells"]) != list(now["cells"]):
        faults = [f"{path.name}: its code cells stand in another order than stored: {again}"]
    for name in ("source", "results"):
        if was[name] != now[name]:
            told = f"its {name} was {was[name]} when it was stored, and is {now[name]} now"
            faults.append(f"{path.name}: {told}: {again}")
    return faults


def _fault(was: str | None, now: str | None) -> str:
    if was == now:
        return ""
    if was is None or now is None:
        return "it was removed after the rest was stored" if was else "it was never stored"
    if was.split()[0] != now.split()[0]:
        return "its code was changed after it was stored"
    return "its output (or its line in stored.json) was changed after it was stored"
