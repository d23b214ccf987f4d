"""The summit of notebook 11: the most accurate small network within ten minutes of training.

The cells of the notebook are executed, so the lesson and the measurement are the same program:
five convolutions with batch normalisation and dropout, trained with Muon and one cycle on 60,000
images that are changed at random each time, then settled, and asked nine times. The test digits
only report. The ablation leaves out one ingredient at a time, with two thirds of the filters and
fewer passes, on 55,000 training and 5,000 validation digits. Seconds are those of training and
settling, not of reading.

Other recipes were tried, on 50,000 training and 10,000 validation digits, each for 12 to 18 minutes
on one core. The best of them then read the test digits, to see what a choice is worth. All but the
first compute in 16 bits, the sum of nine readings too. That takes longer on a processor that
does not know ``bfloat16``.

Seeds that the file has with the same settings are kept, so a long measurement can be made in
parts. One thread for each operation: nine minutes for a seed, two for a line of the ablation,
fifteen for each of the others::

    python benchmarks/summit.py                       # the whole recipe, 5 seeds, test digits
    python benchmarks/summit.py ablation --seeds 3    # each ingredient left out, validation digits
    python benchmarks/summit.py tried --seeds 1       # other recipes, validation digits
    python benchmarks/summit.py best --seeds 3        # the best of these, test digits

Write down with ``--idle yes`` or ``--idle no`` whether the machine did anything else. The file is
``mnist_edu/measured/summit.json``.
"""

import functools
import time

import shared

from mnist_edu import data

EPOCHS = {"whole": 8, "ablation": 3, "best": 13}  # each recipe that was tried has its own
KEPT_ASIDE = {"whole": 0, "ablation": 5_000, "tried": 10_000, "best": 0}  # validation digits
BEST = "... without dropout"  # as the validation digits have it


def main() -> None:
    parser = shared.options("summit", __doc__, seeds=5, threads=1)
    parser.add_argument("part", nargs="?", default="whole", choices=KEPT_ASIDE)
    chosen = parser.parse_args()
    cells = shared.lesson(shared.SUMMIT, chosen.threads)
    recipes = recipes_of(cells, chosen.part)
    settings = {"epochs": EPOCHS[chosen.part]} if chosen.part in EPOCHS else {}
    settings |= {"threads": chosen.threads, "lesson": shared.fingerprint(shared.SUMMIT)}
    measure = functools.partial(one, cells, chosen.part, recipes)
    shared.measure(chosen, chosen.part, settings, list(recipes), measure)


def recipes_of(cells: dict, part: str) -> dict[str, dict]:
    """Return by name what the lesson's ``train`` gets, with the passes, for a part of the file."""
    if part == "tried":
        return others(cells)
    if part == "ablation":
        narrow = functools.partial(cells["narrow"], width=2 / 3)
        found = {name: narrow(how) for name, how in cells["recipes"].items()}
    else:
        found = {BEST: others(cells)[BEST]} if part == "best" else {"all": cells["recipes"]["all"]}
    return {name: how | {"epochs": EPOCHS[part]} for name, how in found.items()}


def others(cells: dict) -> dict[str, dict]:
    """Return the recipes that were tried. Each "..." changes one thing in the line "16 bits".

    The last one changes the passes too, so that it does not take longer.
    """
    recipe, keras = cells["recipes"]["all"], cells["keras"]

    def cropped(**how):
        stack = cells["summit"](**how).layers  # with the margin cut off, 24 x 24, 12, 6 and 3
        stack.insert(2, keras.layers.Cropping2D(2))
        return keras.Sequential([keras.Input((28, 28)), *stack])

    base = recipe | {"make": cropped, "policy": "mixed_bfloat16", "epochs": 15}
    mild = functools.partial(cells["augment"], turn=0.13, slant=0.17, size=0.08, shift=1.3)
    return {
        "the recipe, 8 passes": recipe | {"epochs": 8},
        "margin cut off, 16 bits, 15 passes": base,
        BEST: base | {"make": lambda: cropped(dropout=0.0)},
        "... with milder changes of the images": base | {"change": mild},
        "... with bent strokes": base | {"change": functools.partial(bent, cells)},
        "... with a third more filters, 10 passes": base
        | {"make": lambda: cropped(width=4 / 3), "epochs": 10},
    }


def bent(cells: dict, images):
    """Change images as the lesson does, and bend them: 5 x 5 places move by about 0.7 pixels.

    Both are one move of each pixel, so that a stroke is blurred once.
    """
    tf, n = cells["tf"], len(images)

    def chance(reach):
        return tf.random.uniform((n, 1, 1), -reach, reach)

    angle, wide, high = chance(0.2), 1 + chance(0.12), 1 + chance(0.12)
    a, b = wide * tf.cos(angle), chance(0.25) - wide * tf.sin(angle)
    c, d = high * tf.sin(angle), high * tf.cos(angle)
    moved = 0.7 * tf.image.resize(tf.random.normal((n, 5, 5, 2)), (28, 28), "bicubic")
    x = tf.range(28.0)[tf.newaxis, tf.newaxis, :] - 13.5
    y = tf.range(28.0)[tf.newaxis, :, tf.newaxis] - 13.5
    column = a * x + b * y + 13.5 + chance(2.0) + moved[..., 0]
    row = c * x + d * y + 13.5 + chance(2.0) + moved[..., 1]
    return sampled(tf, tf.cast(images, tf.float32), row, column)


def sampled(tf, images, row, column):
    """Return images at places between the pixels, linear in between, 0 outside."""
    flat, found = tf.reshape(images, (len(images), 784)), 0.0
    for below in (0, 1):
        for right in (0, 1):
            r, c = tf.floor(row) + below, tf.floor(column) + right
            share = (1 - tf.abs(row - r)) * (1 - tf.abs(column - c))
            inside = (r >= 0) & (r <= 27) & (c >= 0) & (c <= 27)
            place = tf.cast(tf.clip_by_value(r, 0, 27) * 28 + tf.clip_by_value(c, 0, 27), tf.int32)
            found += tf.where(inside, share, 0.0) * tf.gather(flat, place, batch_dims=1)
    return found


def one(cells: dict, part: str, recipes: dict, name: str, seed: int) -> dict[str, dict]:
    """Train a recipe and judge it, on test digits where none are kept aside.

    The whole recipe also gives the numbers of what is left out after the training. Those that were
    tried give theirs asked nine times and asked once.
    """
    digits = data.load("mnist", validation_size=KEPT_ASIDE[part])
    tested = digits.validation if KEPT_ASIDE[part] else digits.test
    how = recipes[name] | {"seed": seed, "batch": 128}
    model, told = cells["train"](digits.train.images, digits.train.labels, **how)
    settling = digits.train.images[:20_000]
    found = cells["judge"](model, settling, tested.images, tested.labels)
    began = time.perf_counter()
    cells["settle"](model, settling)  # once more, for its time
    settled = time.perf_counter() - began
    times = {key: round(value + settled, 1) for key, value in told.items()}
    if part in ("tried", "best"):
        read = {"accuracy": found["all"], "once": found["f: asked once"]}
        rounded = {key: round(value, 4) for key, value in read.items()}
        return {name: {"seconds": times["seconds"]} | rounded}
    wanted = found if name == "all" else {name: found["all"]}
    return {each: times | {"accuracy": round(value, 4)} for each, value in wanted.items()}


if __name__ == "__main__":
    main()
