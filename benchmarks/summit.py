"""The summit of notebook 09: the most accurate small network within ten minutes of training.

The cells of the notebook are executed, so the lesson and the measurement are the same program:
five convolutions with batch normalisation and dropout, trained with Muon and one cycle on 60,000
images that are changed at random each time. The test digits only report. The ablation, which is
shorter, leaves out one ingredient at a time, on 55,000 training and 5,000 validation digits.

Seeds that the file has with the same settings are kept, so a long measurement can be made in
parts. One seed takes about ten minutes on two idle cores, the ablation about two minutes a line::

    python benchmarks/summit.py                  # the whole recipe, 5 seeds, test digits
    python benchmarks/summit.py --ablation       # each ingredient left out, validation digits

Write down with ``--idle yes`` or ``--idle no`` whether the machine did anything else. The file is
``benchmarks/summit.json``.
"""

import argparse
import json
import os
from pathlib import Path

import race
from race import data

CELLS = (*race.PROGRAM_CELLS, "augment", "summit-network", "summit-recipes")
WHOLE = "the whole recipe, on test digits"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=None, help="18, or 3 for the ablation")
    parser.add_argument(
        "--ablation", action="store_true", help="leave out one ingredient at a time"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--idle", default="unknown", choices=("yes", "no", "unknown"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    chosen = parser.parse_args()
    chosen.epochs = chosen.epochs or (3 if chosen.ablation else 18)
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(chosen.threads)
    measure(chosen)


def measure(chosen: argparse.Namespace) -> None:
    """Train what is missing, and write the file after each training."""
    page = json.loads(chosen.out.read_text("utf-8")) if chosen.out.exists() else {}
    names = race.lesson(CELLS)
    wanted = plan(names["recipes"], chosen.ablation)
    settings = {"epochs": chosen.epochs, "threads": chosen.threads}
    settings["lesson"] = race.fingerprint(CELLS)
    part = "ablation" if chosen.ablation else "whole"
    rows = page.get(part, []) if page.get(f"{part}_settings") == settings else []
    for seed in range(1, chosen.seeds + 1):
        for name, recipe in wanted.items():
            if not any((row["seed"], row["name"]) == (seed, name) for row in rows):
                rows.append({"name": name, "seed": seed} | one(names, recipe, seed, chosen))
                print(rows[-1], flush=True)
                page |= {part: rows, f"{part}_settings": settings}
                page[f"{part}_machine"] = race.machine(chosen)
                page[f"{part}_summary"] = race.summary(rows)
                chosen.out.write_text(json.dumps(page, indent=1) + "\n", "utf-8")
    print(json.dumps(page.get(f"{part}_summary"), indent=1))


def plan(recipes: dict, ablation: bool) -> dict:
    """Return the recipes to train: all of the notebook's, or the whole one under a longer name."""
    return dict(recipes) if ablation else {WHOLE: recipes["all"]}


def one(names: dict, recipe: dict, seed: int, chosen: argparse.Namespace) -> dict:
    """Train a recipe and test it: on test digits, or on validation digits in the ablation."""
    digits = data.load("mnist", **({} if chosen.ablation else {"validation_size": 0}))
    tested = digits.validation if chosen.ablation else digits.test
    how = recipe | {"epochs": chosen.epochs, "seed": seed, "batch": 128}
    model, told = names["train"](digits.train.images, digits.train.labels, **how)
    told["accuracy"] = names["accuracy"](model, tested.images, tested.labels)
    return {name: round(value, 4) for name, value in told.items()}


if __name__ == "__main__":
    main()
