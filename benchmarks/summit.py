"""The summit of notebook 11: the most accurate small network within ten minutes of training.

The cells of the notebook are executed, so the lesson and the measurement are the same program:
five convolutions with batch normalisation and dropout, trained with Muon and one cycle on 60,000
images that are changed at random each time, then settled, and asked nine times. The test digits
only report. The ablation leaves out one ingredient at a time, with two thirds of the filters and
fewer passes, on 55,000 training and 5,000 validation digits. Seconds are those of training and
settling, not of reading.

Seeds that the file has with the same settings are kept, so a long measurement can be made in
parts. One thread for each operation: nine minutes for a seed, two for a line of the ablation::

    python benchmarks/summit.py                        # the whole recipe, 5 seeds, test digits
    python benchmarks/summit.py --ablation --seeds 3   # each ingredient left out, validation digits

Write down with ``--idle yes`` or ``--idle no`` whether the machine did anything else. The file is
``mnist_edu/measured/summit.json``.
"""

import argparse
import functools
import time

import shared

from mnist_edu import data


def main() -> None:
    parser = shared.options("summit", __doc__, seeds=5, threads=1)
    parser.add_argument("--epochs", type=float, default=None, help="8, or 3 for the ablation")
    parser.add_argument(
        "--ablation", action="store_true", help="leave out one ingredient at a time"
    )
    chosen = parser.parse_args()
    chosen.epochs = chosen.epochs or (3 if chosen.ablation else 8)
    cells = shared.lesson(shared.SUMMIT, chosen.threads)
    settings = {"epochs": chosen.epochs, "threads": chosen.threads}
    settings["lesson"] = shared.fingerprint(shared.SUMMIT)
    names = list(cells["recipes"]) if chosen.ablation else ["all"]
    part = "ablation" if chosen.ablation else "whole"
    shared.measure(chosen, part, settings, names, functools.partial(one, cells, chosen))


def one(cells: dict, chosen: argparse.Namespace, name: str, seed: int) -> dict[str, dict]:
    """Train a recipe and judge it: on test digits, or on validation digits in the ablation.

    The whole recipe also gives the numbers of what is left out after the training.
    """
    digits = data.load("mnist", **({} if chosen.ablation else {"validation_size": 0}))
    tested = digits.validation if chosen.ablation else digits.test
    recipe = cells["recipes"][name]
    recipe = cells["narrow"](recipe, 2 / 3) if chosen.ablation else recipe
    how = recipe | {"epochs": chosen.epochs, "seed": seed, "batch": 128}
    model, told = cells["train"](digits.train.images, digits.train.labels, **how)
    settling = digits.train.images[:20_000]
    found = cells["judge"](model, settling, tested.images, tested.labels)
    began = time.perf_counter()
    cells["settle"](model, settling)  # once more, for its time
    settled = time.perf_counter() - began
    times = {key: round(value + settled, 1) for key, value in told.items()}
    wanted = found if name == "all" else {name: found["all"]}
    return {each: times | {"accuracy": round(value, 4)} for each, value in wanted.items()}


if __name__ == "__main__":
    main()
