"""Checkers of notebook 09, and what it does to images: letters, rotation, thickness, noise."""

import functools
from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.checker import Asked, Mistake, exercise, expect, numbers

# Corners of the strokes, (column, row) in a box of 20 x 20 pixels; only straight strokes, and
# only letters that no digit looks like.
LETTERS = {
    "A": [[(2, 20), (10, 0), (18, 20)], [(5, 13), (15, 13)]],
    "E": [[(16, 0), (4, 0), (4, 20), (16, 20)], [(4, 10), (14, 10)]],
    "F": [[(16, 0), (4, 0), (4, 20)], [(4, 10), (14, 10)]],
    "H": [[(3, 0), (3, 20)], [(17, 0), (17, 20)], [(3, 10), (17, 10)]],
    "K": [[(4, 0), (4, 20)], [(16, 0), (4, 11), (16, 20)]],
    "M": [[(2, 20), (2, 0), (10, 12), (18, 0), (18, 20)]],
    "N": [[(3, 20), (3, 0), (17, 20), (17, 0)]],
    "T": [[(2, 0), (18, 0)], [(10, 0), (10, 20)]],
    "W": [[(1, 0), (6, 20), (10, 6), (14, 20), (19, 0)]],
    "X": [[(3, 0), (17, 20)], [(17, 0), (3, 20)]],
}


# --- Images ------------------------------------------------------------------------------------


def draw_letters(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw capital letters with a shaky hand.

    Returns
    -------
    images float32 (count, 28, 28) in [0, 1], and the letters (count,) as texts, in turn
    """
    generator = np.random.default_rng(seed)
    names = np.resize(list(LETTERS), count)
    return np.stack([_draw(LETTERS[name], generator) for name in names]), names


def _draw(strokes: list, generator: np.random.Generator) -> np.ndarray:
    places = np.stack(np.meshgrid(np.arange(28), np.arange(28)), axis=-1).astype(float)
    distance = np.full((28, 28), np.inf)
    for stroke in strokes:
        corners = np.array(stroke) + 4 + generator.normal(0, 0.8, (len(stroke), 2))
        for start, end in zip(corners, corners[1:], strict=False):
            distance = np.minimum(distance, _distance(places, start, end))
    half_width = generator.uniform(0.9, 1.6)
    return np.clip(half_width + 0.5 - distance, 0, 1).astype(np.float32)


def _distance(places: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return how far each place (..., 2) is from the line between two points."""
    along = np.clip((places - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
    return np.linalg.norm(places - start - along[..., np.newaxis] * (end - start), axis=-1)


def rotate(images: np.ndarray, degrees: float) -> np.ndarray:
    """Turn float images (n, 28, 28) anticlockwise about their centre.

    Each new pixel looks up where it comes from, and mixes the four pixels around that place by
    their nearness (bilinear interpolation). Outside of the image there is no ink.
    """
    angle, centre = np.deg2rad(degrees), 13.5
    row, column = np.mgrid[:28, :28] - centre
    from_row = np.cos(angle) * row + np.sin(angle) * column + centre
    from_column = np.cos(angle) * column - np.sin(angle) * row + centre
    padded = np.pad(images, ((0, 0), (10, 10), (10, 10)))
    top, left = np.floor(from_row).astype(int), np.floor(from_column).astype(int)
    turned = np.zeros_like(images)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        near = (1 - abs(from_row - top - down)) * (1 - abs(from_column - left - right))
        turned += near.astype(images.dtype) * padded[:, top + down + 10, left + right + 10]
    return turned


def thicken(images: np.ndarray, steps: float) -> np.ndarray:
    """Make the strokes of images (n, 28, 28) thicker, or with negative ``steps`` thinner.

    A step gives each pixel the most (or the least) ink among itself and its four neighbours, so
    a line grows (or shrinks) by two pixels. A part of a step is a mixture of before and after.
    """
    choose = np.maximum if steps > 0 else np.minimum
    left = abs(steps)
    while left > 0:
        part, left = min(left, 1), left - 1
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
        changed = images
        for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
            changed = choose(changed, padded[:, down : down + 28, right : right + 28])
        images = (1 - part) * images + part * changed
    return images


def add_noise(images: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """Add normal noise with a standard deviation of ``strength``; pixels stay in [0, 1]."""
    noise = np.random.default_rng(seed).normal(0, strength, images.shape)
    return np.clip(images + noise, 0, 1).astype(np.float32)


def cross(images: np.ndarray) -> np.ndarray:
    """Cross sevens (n, 28, 28): a level bar of 9 x 2 pixels through the middle of the stroke.

    The bar lies halfway between the highest and the lowest ink, as dark as the darkest ink, and is
    centred on the ink of its upper row.
    """
    crossed = images.copy()
    for image in crossed:
        inked = np.flatnonzero(image.max(axis=1) > 0.5)
        row = (inked[0] + inked[-1]) // 2
        column = round(np.average(np.arange(28), weights=image[row] + 1e-6))
        image[row : row + 2, max(0, column - 4) : column + 5] = image.max()
    return crossed


# --- Checkers ----------------------------------------------------------------------------------


@exercise
def bin_share(answer: float) -> None:
    """Check what one bin adds to the expected calibration error."""
    mistakes = [
        (0.04, "this is the gap of the bin. It counts only as much as its share of the images."),
        (-0.01, "a gap has no sign here: too sure and too modest are both errors."),
        (-0.04, "a gap has no sign, and counts only as much as the bin's share of the images."),
        (2.0, "you multiplied by the number of images. Multiply by their share."),
        (0.235, "this is confidence times share. The gap to the accuracy is what counts."),
        (0.225, "this is accuracy times share. The gap to the confidence is what counts."),
        (0.25, "this is the bin's share of the images. Multiply it by the gap."),
        (0.16, "you divided by the share. Multiply."),
        (1.0, "as a percentage this is right. Write it as a share of 1."),
    ]
    expect(answer, 0.01, mistakes, "share times gap; {} is something else.")


@exercise
def coverage_and_accuracy(function: Callable) -> None:
    """Check coverage and accuracy of what is answered at a threshold."""
    confidence = np.array([0.99, 0.4, 0.95, 0.9, 0.8, 0.6, 0.3, 0.2])
    right = np.array([1, 1, 1, 0, 1, 0, 0, 0], bool)
    mistakes = [
        ((3 / 8, 2 / 8), "divide the right answers by the answered images, not by all of them."),
        ((3 / 8, 4 / 8), "this accuracy is that of all images. Take the answered ones."),
        ((2 / 8, 1), "an image exactly at the threshold is answered: use >=."),
        ((2 / 3, 3 / 8), "the two are swapped: coverage first."),
        ((5 / 8, 2 / 5), "these are the images that it does not answer."),
        ((5 / 8, 2 / 3), "this coverage is that of the images that it does not answer."),
        ((3, 2 / 3), "coverage is a share, not a number of images."),
        ((3, 2), "these are numbers of images. Both should be shares."),
    ]
    wanted = "at 0.9 it answers 3 of 8, 2 of them right; yours: {}."
    shape = "give two numbers: coverage and accuracy."
    expect(function(confidence, right, 0.9), (3 / 8, 2 / 3), mistakes, wanted, shape)
    wanted = "at 0.5 it answers 5 of 8, 3 of them right; yours: {}."
    expect(function(confidence, right, 0.5), (5 / 8, 3 / 5), [], wanted)


@exercise
def temperature(function: Callable) -> None:
    """Check a temperature by the cross-entropy that it gives, for networks of both kinds."""
    for true, kind in ((2.5, "too sure"), (0.4, "too modest")):
        logits, labels = _made_up(true)
        given = numbers(function(logits, labels)).astype(float)
        if given.shape != ():
            raise Mistake(f"one number is expected, not an array of shape {given.shape}.")
        _judge_temperature(float(given), _best_temperature(true), kind)


def _judge_temperature(given: float, best: float, kind: str) -> None:
    if not given > 0:
        raise Mistake(f"a temperature is above 0, and yours is {given:.3g}.")
    if abs(given / best - 1) < 0.02:
        return
    said = f"for a network that is {kind} the best T is {best:.2f}, not {given:.3g}"
    reasons = [
        (abs(given * best - 1) < 0.03, "you multiplied the logits by T. Divide them"),
        (
            abs(given - 1) < 0.02,
            "T = 1 changes nothing. Accuracy cannot choose T: look at the loss",
        ),
        (given <= 0.102 or given >= 9.9, "you ended at an edge. Is it the highest loss you took"),
        (abs(given / best - 1) < 0.2, "nearly. Try more temperatures, spaced by a factor"),
    ]
    raise Mistake(f"{said}: {next((why for wrong, why in reasons if wrong), 'look again')}.")


def _made_up(true: float) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (2000, 10) of a network whose best temperature is near ``true``; labels."""
    generator = np.random.default_rng(5)
    honest = generator.normal(0, 2, (2000, 10))
    labels = (honest + generator.gumbel(size=honest.shape)).argmax(axis=1)
    return true * honest, labels


@functools.cache
def _best_temperature(true: float) -> float:
    logits, labels = _made_up(true)
    grid, low, high = np.geomspace(0.1, 10, 2001), 0, 2000
    while low < high:  # the loss has one valley: its bottom lies on the lower side
        middle = (low + high) // 2
        left, right = (_cross_entropy(logits / t, labels) for t in grid[middle : middle + 2])
        low, high = (low, middle) if left <= right else (middle + 1, high)
    return float(grid[low])


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(labels)), labels].mean())


@exercise
def lead(function: Asked) -> None:
    """Check a targeted attack in many steps, by the image that it ends at.

    The loss of the check is a bowl with its bottom at ``wanted``.
    """
    wanted = np.array([[0.9, 0.45, -0.4], [0.31, 0.9, 0.2]])
    start = np.array([[0.6, 0.5, 0.1], [0.3, 0.95, 0.97]])

    def slope(image: np.ndarray) -> np.ndarray:
        return image - wanted

    def walk(
        steps: int, sign: float = -1, near: float = 0.2, low: float = 0, eye: Callable = np.sign
    ) -> np.ndarray:
        image = start
        for _ in range(steps):
            moved = image + sign * 0.03 * eye(slope(image))
            image = np.clip(np.clip(moved, start - near, start + near), low, 1 if not low else 9)
        return image

    mistakes = [
        (walk(9, sign=1), "this walks away: the loss of the wanted digit rises."),
        (walk(9, near=9), "some pixels are farther than epsilon from where they began."),
        (walk(9, low=-9), "pixels left [0, 1]. Clip them."),
        (walk(9, near=9, low=-9), "no pixel may leave [0, 1], nor end farther than epsilon."),
        (walk(9, eye=lambda values: values), "take the sign of the gradient, not its size."),
        (walk(1), "only one step was taken. Is the `return` inside the loop?"),
        (
            np.clip(start - 0.2 * np.sign(slope(start)), 0, 1),
            "look at the gradient again each step.",
        ),
        (
            lambda found: found.shape == start.shape and bool((found == start).all()),
            "nothing moved.",
        ),
    ]
    expect(function(slope, start, 9, 0.03, 0.2), walk(9), mistakes, "expected {right}, got {}.")
    expect(function(slope, start, 1, 0.03, 0.2), walk(1), [], "one step ends elsewhere: {}.")
    if function.changed:
        raise Mistake("you changed the image that was given to you. Make a new one.")
