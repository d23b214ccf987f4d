"""What the benchmarks share: a lesson's cells as a program, rows that stay, numbers on file.

Every benchmark keeps its numbers in ``mnist_edu/measured/NAME.json``. They ship with the package,
and the README and the notebooks show them from there.
"""

import argparse
import hashlib
import json
import linecache
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mnist_edu import cache, data, series
from mnist_edu.errors import version

ROOT = Path(__file__).parents[1]
MEASURED = ROOT / "mnist_edu" / "measured"
LESSON = "11"  # the notebook whose cells are measured
RACE = ("network", "fit", "strided", "one-cycle", "orthogonal", "optimizers", "batches", "train")
RACE += ("trimmed", "patches", "frozen", "ladder", "failures")
SUMMIT = (*RACE, "augment", "summit-network", "settle", "nine", "judge", "summit-recipes", "narrow")

# --- The lesson as a program ---------------------------------------------------------------------


def lesson(cell_ids: Sequence[str], threads: int | None = None) -> dict:
    """Execute cells of notebook 11, and return their names; TensorFlow gets that many threads."""
    for name, value in ({"TF_CPP_MIN_LOG_LEVEL": "3"} | series.with_one_dnn()).items():
        os.environ.setdefault(name, value)
    if threads:
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    import keras
    import tensorflow as tf

    code = sources()
    names = {"data": data, "keras": keras, "layers": keras.layers, "np": np, "tf": tf, "time": time}
    for cell_id in cell_ids:
        lines = code[cell_id].splitlines(True)
        linecache.cache[cell_id] = (len(code[cell_id]), None, lines, cell_id)
        exec(compile(code[cell_id], cell_id, "exec"), names)  # tf.function reads the lines above
    return names


def fingerprint(cell_ids: Sequence[str]) -> str:
    """Return a short text that changes when these cells of the lesson change."""
    code = [source for cell_id, source in sources().items() if cell_id in cell_ids]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:12]


def sources() -> dict[str, str]:
    """Return the ids of the lesson's cells with their sources."""
    cells = json.loads(series.find([LESSON])[LESSON].read_text("utf-8"))["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells}


# --- Numbers on file -----------------------------------------------------------------------------


def stored(name: str) -> dict:
    """Return what a benchmark measured, such as ``"race"``; empty where it was never run."""
    return read(MEASURED / f"{name}.json")


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def write(path: Path, page: dict) -> None:
    with cache.whole(path) as part:
        part.write_text(json.dumps(page, indent=1) + "\n", "utf-8")


# --- A measurement of several seeds --------------------------------------------------------------


def options(name: str, doc: str, seeds: int, threads: int) -> argparse.ArgumentParser:
    """Return the options of a measurement of several seeds, with these defaults."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=seeds, help="how many, from 1 on")
    parser.add_argument("--threads", type=int, default=threads)
    parser.add_argument(
        "--idle",
        default="unknown",
        choices=("yes", "no", "unknown"),
        help="yes: the machine did nothing else",
    )
    parser.add_argument("--out", type=Path, default=MEASURED / f"{name}.json")
    return parser


def measure(
    chosen: argparse.Namespace,
    part: str,
    settings: dict,
    names: Sequence[str],
    one: Callable[[str, int], dict[str, dict]],
) -> None:
    """Measure what the file lacks, all names seed after seed, and write it after each.

    Rows that the file has with the same settings are kept, so a long measurement can be made in
    parts. The numbers of the file's other parts stay.

    Parameters
    ----------
    chosen : what :func:`options` parsed
    part : the key of the rows; ``PART_settings``, ``PART_machine`` and ``PART_summary`` go with it
    settings : what the rows depend on; rows with other settings are dropped
    names : what is measured, in turn
    one : a function that measures a name with a seed, and returns the numbers of one or more names
    """
    page = read(chosen.out)
    rows = page.get(part, []) if page.get(f"{part}_settings") == settings else []
    for seed in range(1, chosen.seeds + 1):
        for name in names:
            if any((row["name"], row["seed"]) == (name, seed) for row in rows):
                continue
            found = one(name, seed)
            rows += [{"name": each, "seed": seed} | row for each, row in found.items()]
            print(*rows[-len(found) :], sep="\n", flush=True)
            about = machine(threads=chosen.threads, idle=chosen.idle)
            page |= {part: rows, f"{part}_settings": settings}
            page |= {f"{part}_machine": about, f"{part}_summary": summary(rows)}
            write(chosen.out, page)
    print(json.dumps(page.get(f"{part}_summary"), indent=1))


def machine(**more: object) -> dict:
    """Return what was measured on: cores, system, versions, and ``more``."""
    about = {"cores": os.cpu_count(), "system": platform.system()} | more
    versions = {name: version(name) for name in ("numpy", "tensorflow", "keras")}
    return about | {"python": platform.python_version()} | versions


def summary(rows: list[dict]) -> dict:
    """Return for each name its seeds, and mean, lowest and highest of each of its numbers."""
    found = {}
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        numbers = [key for key, value in mine[0].items() if isinstance(value, float)]
        found[name] = {"seeds": len(mine)}
        found[name] |= {key: mean_low_high([row[key] for row in mine]) for key in numbers}
    return found


def mean_low_high(values: list[float]) -> list[float]:
    return [round(float(f(values)), 4) for f in (np.mean, min, max)]
