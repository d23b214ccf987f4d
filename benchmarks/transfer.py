"""How well do embedded digits stand in for MNIST?

The summit network of notebook 09, with two thirds of its filters, is trained on embedded digits
alone, each of them seen once, and reads the MNIST test digits. Then the other way round: trained on
MNIST, tested on embedded digits. ``seconds`` are those of drawing and training. Seeds that the file
has are kept, so a long measurement can be made in parts. The test set reports, and nothing was
chosen by it: shapes and settings were chosen with the first 10,000 training digits.

Run with ``make transfer``, with MNIST at hand. It writes ``benchmarks/transfer.json``.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import race
import summit
from race import data

from mnist_edu import synthetic

BATCH = 128
WIDTH = 2 / 3  # of the filters of notebook 09
PART = 60_000  # digits drawn at a time


def changes(lesson: dict):
    """Return the function that changes a batch of images, uint8 (n, 28, 28), at random.

    It turns, slants, stretches and moves them half as far as notebook 09, since drawn digits
    differ in that already; then it blurs, changes the contrast and adds noise.
    """
    tf = lesson["tf"]

    def change(images):
        def uniform(low=0.0, high=1.0):
            return tf.random.uniform((len(images), 1, 1), low, high)

        def switch(share):  # 1 for that share of the images, 0 for the others
            return tf.cast(uniform() < share, tf.float32)

        x = lesson["augment"](images, turn=0.1, slant=0.125, size=0.06, shift=1.0) / 255
        blur = uniform(0, 0.35) * switch(0.6)
        around = sum(tf.roll(x, step, axis) for step in (1, -1) for axis in (1, 2)) / 4
        x = x * (1 - blur) + around * blur
        contrast = tf.exp(tf.random.normal((len(images), 1, 1), 0.0, 0.35))
        x = tf.maximum(x, 1e-6) ** contrast * uniform(0.8, 1.0)
        x += 0.04 * tf.random.normal(x.shape) * switch(0.5)
        return 255 * tf.clip_by_value(x, 0, 1)

    return change


def train(lesson: dict, images, labels, epochs: int, seed: int) -> tuple:
    """Train as the summit of notebook 09 is trained; return network and seconds."""
    recipe = lesson["narrow"](lesson["recipes"]["all"], WIDTH) | {"change": changes(lesson)}
    how = recipe | {"epochs": epochs, "seed": seed, "batch": BATCH}
    model, told = lesson["train"](images, labels, **how)
    return model, told["seconds"]


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw n digits: images uint8 (n, 28, 28), labels uint8 (n,)."""
    starts = range(0, n, PART)
    seeds = [1000 * seed + 100 + number for number in range(len(starts))]
    parts = [
        synthetic.make_digits(min(PART, n - start), own)
        for start, own in zip(starts, seeds, strict=True)
    ]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def one_seed(seed: int, drawn: int, epochs: int, mnist: data.Dataset, embedded: data.Split) -> dict:
    """Measure both ways for one seed, in accuracy and seconds."""
    lesson = race.lesson(summit.CELLS)
    row = {"seed": seed}
    start = time.perf_counter()
    images, labels = draw(drawn, seed)
    row["seconds"] = time.perf_counter() - start
    model, taken = train(lesson, images, labels, 1, seed)
    row["seconds"] += taken
    development = data.Split(mnist.train.images[:10_000], mnist.train.labels[:10_000])
    read = {"development": development, "mnist_test": mnist.test, "embedded_test": embedded}
    row |= {name: accuracy(lesson, model, split) for name, split in read.items()}
    model, _ = train(lesson, mnist.train.images, mnist.train.labels, epochs, seed)
    read = {"mnist_to_embedded": embedded, "mnist_to_mnist": mnist.test}
    row |= {name: accuracy(lesson, model, split) for name, split in read.items()}
    return {name: round(value, 4) for name, value in row.items()}


def accuracy(lesson: dict, model, split: data.Split) -> float:
    return lesson["accuracy"](model, split.images, split.labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--drawn", type=int, default=480_000, help="digits drawn for a training")
    parser.add_argument("--epochs", type=int, default=4, help="passes over MNIST")
    parser.add_argument("--idle", default="unknown", choices=("yes", "no", "unknown"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    chosen = parser.parse_args()
    chosen.threads = os.cpu_count()
    mnist = data.load("mnist", validation_size=0)
    embedded = data.load("synthetic").test
    settings = {"drawn": chosen.drawn, "epochs": chosen.epochs, "width": WIDTH, "batch": BATCH}
    settings |= {"digits": synthetic.VERSION, "lesson": race.fingerprint(summit.CELLS)}
    rows = kept(chosen.out, settings)
    for seed in chosen.seeds:
        if seed not in [row["seed"] for row in rows]:
            rows.append(one_seed(seed, chosen.drawn, chosen.epochs, mnist, embedded))
            print(rows[-1], flush=True)
            page = {"settings": settings, "machine": race.machine(chosen)}
            page |= {"mean_low_high": summary(rows), "rows": rows}
            chosen.out.write_text(json.dumps(page, indent=1) + "\n", "utf-8")


def kept(path: Path, settings: dict) -> list[dict]:
    """Return the rows of an earlier run with the same settings: seeds in the file stay."""
    page = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return page["rows"] if page.get("settings") == settings else []


def summary(rows: list[dict]) -> dict:
    """Return mean, lowest and highest of each number."""
    found = {}
    for name in rows[0]:
        if name != "seed":
            found[name] = race.mean_low_high([row[name] for row in rows])
            print(f"{name}: mean {found[name][0]}, {found[name][1]} to {found[name][2]}")
    return found


if __name__ == "__main__":
    main()
