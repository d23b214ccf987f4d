"""How well do embedded digits stand in for MNIST?

The summit network of notebook 11, with two thirds of its filters, is trained on embedded digits
alone, each of them seen once, and reads the MNIST test digits. Then the other way round: trained on
MNIST, tested on embedded digits. ``seconds`` are those of drawing and training. Seeds that the file
has are kept, so a long measurement can be made in parts. The test set reports, and nothing was
chosen by it: shapes and settings were chosen with training digits, whose first 10,000 are
``development``.

Run with ``make transfer``, with MNIST at hand. It writes ``mnist_edu/measured/transfer.json``.
"""

import argparse
import functools
import os
import time

import numpy as np
import shared

from mnist_edu import data, synthetic

BATCH = 128
WIDTH = 2 / 3  # of the filters of notebook 11
PART = 60_000  # digits drawn at a time
BOTH = "both ways"


def changes(lesson: dict):
    """Return the function that changes a batch of images, uint8 (n, 28, 28), at random.

    It turns, slants, stretches and moves them half as far as notebook 11, since drawn digits
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
    """Train as the summit of notebook 11 is trained; return network and seconds."""
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


def one(
    chosen: argparse.Namespace, mnist: data.Dataset, embedded: data.Split, name: str, seed: int
) -> dict[str, dict]:
    """Measure both ways for one seed, in accuracy and seconds."""
    lesson = shared.lesson(shared.SUMMIT, chosen.threads)
    start = time.perf_counter()
    images, labels = draw(chosen.drawn, seed)
    row = {"seconds": time.perf_counter() - start}
    model, taken = train(lesson, images, labels, 1, seed)
    row["seconds"] += taken
    development = data.Split(mnist.train.images[:10_000], mnist.train.labels[:10_000])
    read = {"development": development, "mnist_test": mnist.test, "embedded_test": embedded}
    row |= {key: accuracy(lesson, model, split) for key, split in read.items()}
    model, _ = train(lesson, mnist.train.images, mnist.train.labels, chosen.epochs, seed)
    read = {"mnist_to_embedded": embedded, "mnist_to_mnist": mnist.test}
    row |= {key: accuracy(lesson, model, split) for key, split in read.items()}
    return {name: {key: round(value, 4) for key, value in row.items()}}


def accuracy(lesson: dict, model, split: data.Split) -> float:
    return lesson["accuracy"](model, split.images, split.labels)


def main() -> None:
    parser = shared.options("transfer", __doc__, seeds=5, threads=os.cpu_count())
    parser.add_argument("--drawn", type=int, default=480_000, help="digits drawn for a training")
    parser.add_argument("--epochs", type=int, default=4, help="passes over MNIST")
    chosen = parser.parse_args()
    mnist = data.load("mnist", validation_size=0)
    embedded = data.load("synthetic").test
    settings = {"drawn": chosen.drawn, "epochs": chosen.epochs, "width": WIDTH, "batch": BATCH}
    settings |= {"digits": synthetic.VERSION, "lesson": shared.fingerprint(shared.SUMMIT)}
    measure = functools.partial(one, chosen, mnist, embedded)
    shared.measure(chosen, "transfer", settings, [BOTH], measure)


if __name__ == "__main__":
    main()
