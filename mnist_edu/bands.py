"""Bands: results measured over several seeds, and which results lie outside.

A band is a JSON file of ``tests/bands``: a notebook, its quick or full lesson, a source of digits,
and for each result its values, their mean and standard deviation. ``make bands`` measures them.
"""

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mnist_edu import data, series
from mnist_edu.cache import whole
from mnist_edu.errors import WentWrong, version

# The shift ruler's name of each model.
RULER = {"01": "softmax", "03": "one hidden layer", "04": "dense", "06": "CNN"}
SHIFT_ROWS = Path(__file__).with_name("shift_rows.json")


def measure(
    numbers: list[str] | None, seeds: list[int], full: bool, source: str, folder: Path
) -> None:
    """Run notebooks once a seed, two at a time, and write mean and spread to ``folder``.

    Seeds whose numbers are in the file stay, so a long measurement can be made in parts.

    Raises
    ------
    WentWrong
        If a notebook fails.
    """
    chosen = sorted(series.find(numbers), key=lambda n: (n not in series.LONGEST_FIRST, n))
    runs = [(number, seed) for number in chosen for seed in seeds]

    def measure_one(run: tuple[str, int]) -> series.Row:
        with tempfile.TemporaryDirectory() as out:
            (row,) = series.run(
                [run[0]], full, source, jobs=1, out=out, beside=1, parameters={"seed": run[1]}
            )
        return row

    with ThreadPoolExecutor(2) as pool:
        for (_, seed), row in zip(runs, pool.map(measure_one, runs), strict=True):
            if row.error:
                raise WentWrong(f"{row.notebook}, seed {seed}, failed: {row.error}")
            _add_seed(folder, row, seed, full)
    if full:
        write_shift_rows(folder)


def path_of(folder: Path, number: str, full: bool, source: str) -> Path:
    """Return the file of a band; ``source`` is that of a result, such as "embedded digits"."""
    kind = "full" if full else "quick"
    return folder / f"{number}-{kind}-{source.replace(' ', '-').lower()}.json"


def _add_seed(folder: Path, row: series.Row, seed: int, full: bool) -> None:
    path, digits = path_of(folder, row.number, full, row.source), data.row_of(row.source)
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    head: dict[str, object] = {
        "notebook": row.number,
        "lesson": "full" if full else "quick",
        "source": row.source,
    }
    if digits and digits.version:
        head["digits"] = digits.version
    if kept.get("digits") != head.get("digits"):  # seeds on digits that are no longer drawn
        kept = {}
    known, metrics = kept.get("metrics", {}), dict[str, dict]()
    for name, value in row.results.items():
        values = known.get(name, {}).get("values", {}) | {str(seed): round(value, 5)}
        metrics[name] = _metric(values)
    head |= {"tensorflow": version("tensorflow"), "metrics": metrics}
    with whole(path) as part:
        part.write_text(json.dumps(head, indent=1) + "\n", "utf-8")


def _metric(values: dict[str, float]) -> dict:
    numbers = list(values.values())
    spread = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else 0.0
    return {"mean": round(float(np.mean(numbers)), 5), "sd": round(spread, 5), "values": values}


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
    with whole(SHIFT_ROWS) as part:
        part.write_text(f"[\n{lines}\n]\n", "utf-8")


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
