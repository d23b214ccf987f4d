"""The summit of notebook 09: the most accurate small network within ten minutes of training.

The cells of the notebook are executed, so the lesson and the measurement are the same program:
five convolutions with batch normalisation and dropout, trained with Muon and one cycle on 60,000
images that are changed at random each time, then settled, and asked nine times. The test digits
only report. The ablation leaves out one ingredient at a time, with two thirds of the filters and
fewer passes, on 55,000 training and 5,000 validation digits. Seconds are those of training and
settling, not of reading.

Seeds that the file has with the same settings are kept, so a long measurement can be made in
parts. It takes one core: nine minutes for a seed, two for a line of the ablation::

    python benchmarks/summit.py                        # the whole recipe, 5 seeds, test digits
    python benchmarks/summit.py --ablation --seeds 3   # each ingredient left out, validation digits

Write down with ``--idle yes`` or ``--idle no`` whether the machine did anything else. The file is
``benchmarks/summit.json``.
"""

import argparse
import json
import os
import time
from pathlib import Path

import race
from race import data

CELLS = (*race.PROGRAM_CELLS, "augment", "summit-network", "settle", "nine", "judge")
CELLS += ("summit-recipes", "narrow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=None, help="8, or 3 for the ablation")
    parser.add_argument(
        "--ablation", action="store_true", help="leave out one ingredient at a time"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--idle", default="unknown", choices=("yes", "no", "unknown"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    chosen = parser.parse_args()
    chosen.epochs = chosen.epochs or (3 if chosen.ablation else 8)
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(chosen.threads)
    measure(chosen)


def measure(chosen: argparse.Namespace) -> None:
    """Train what is missing, and write the file after each training."""
    page = json.loads(chosen.out.read_text("utf-8")) if chosen.out.exists() else {}
    names = race.lesson(CELLS)
    wanted = names["recipes"] if chosen.ablation else {"all": names["recipes"]["all"]}
    settings = {"epochs": chosen.epochs, "threads": chosen.threads}
    settings["lesson"] = race.fingerprint(CELLS)
    part = "ablation" if chosen.ablation else "whole"
    rows = page.get(part, []) if page.get(f"{part}_settings") == settings else []
    for seed in range(1, chosen.seeds + 1):
        for name, recipe in wanted.items():
            if not any((row["seed"], row["name"]) == (seed, name) for row in rows):
                rows += one(names, name, recipe, seed, chosen)
                page |= {part: rows, f"{part}_settings": settings}
                page[f"{part}_machine"] = race.machine(chosen)
                page[f"{part}_summary"] = race.summary(rows)
                chosen.out.write_text(json.dumps(page, indent=1) + "\n", "utf-8")
    print(json.dumps(page.get(f"{part}_summary"), indent=1))


def one(names: dict, name: str, recipe: dict, seed: int, chosen: argparse.Namespace) -> list[dict]:
    """Train a recipe and judge it: on test digits, or on validation digits in the ablation.

    A row for the recipe; the whole one also gives those of what is left out after the training.
    """
    digits = data.load("mnist", **({} if chosen.ablation else {"validation_size": 0}))
    tested = digits.validation if chosen.ablation else digits.test
    recipe = names["narrow"](recipe, 2 / 3) if chosen.ablation else recipe
    how = recipe | {"epochs": chosen.epochs, "seed": seed, "batch": 128}
    model, told = names["train"](digits.train.images, digits.train.labels, **how)
    settling = digits.train.images[:20_000]
    found = names["judge"](model, settling, tested.images, tested.labels)
    began = time.perf_counter()
    names["settle"](model, settling)  # once more, for its time
    settled = time.perf_counter() - began
    times = {key: round(value + settled, 1) for key, value in told.items()}
    wanted = found if name == "all" else {name: found["all"]}
    rows = [{"name": n, "seed": seed} | times | {"accuracy": round(wanted[n], 4)} for n in wanted]
    print(*rows, sep="\n", flush=True)
    return rows


if __name__ == "__main__":
    main()
