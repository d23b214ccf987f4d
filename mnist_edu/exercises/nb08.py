"""Checkers of notebook 08, and what it does to images: letters, rotation, thickness, noise."""

from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.checker import Asked, Mistake, exercise, expect

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


# --- Words -------------------------------------------------------------------------------------


def compare_people(guess: object, labels: np.ndarray, predicted: np.ndarray) -> None:
    """Print the reader's labels beside the true ones and the network's, and who agrees."""
    print("labels:      ", *labels)
    print("the network: ", *predicted)
    if guess is ...:
        print("No labels of yours written down.")
        return
    if np.shape(guess) != np.shape(labels):
        print(f"Write a list of {len(labels)} digits.")
        return
    yours = np.asarray(guess)
    print("you:         ", *yours)
    agree, fooled = np.sum(yours == labels), np.sum(yours == predicted)
    print(f"You agree with the label {agree} times, with the network {fooled} times.")


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
def worst_pair(function: Asked) -> None:
    """Check which true digit is most often read as which other, from counts (k, k)."""
    through = "np.argmax counts through the rows"
    mistakes = [
        (3, f"{through}: 3 is row 1, column 0. Use unravel_index."),
        (4, f"{through}, and the diagonal is right answers."),
        (7, "this is how often. The question is which pair."),
        ((1, 1), "the diagonal holds the right answers. Leave it out."),
        ((0, 1), "the two are swapped: rows are true, columns are predicted."),
    ]
    counts = np.array([[50, 2, 0], [7, 60, 1], [3, 4, 40]])
    wanted = "(1, 0) stands 7 times, {} does not."
    expect(function(counts), (1, 0), mistakes, wanted, shape="give two digits.")
    if function.changed:
        raise Mistake("you changed the matrix that was given to you. Work on a copy.")
    counts = np.array([[9, 0, 6], [3, 50, 5], [0, 2, 9]])
    each = "each direction counts alone: 1 read as 2 is one thing, 2 read as 1 another."
    wanted = "with the 6 in row 0, column 2 it should be (0, 2): {}"
    expect(function(counts), (0, 2), [((1, 2), each), ((2, 1), each)], wanted)


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
def step_towards(function: Asked) -> None:
    """Check a step of FGSM towards a wanted digit."""
    image = np.array([[0.0, 0.5, 1.0], [0.3, 0.02, 0.97]])
    gradient = np.array([[3.0, -2.0, -0.5], [0.0, 0.1, 4.0]])
    sign = np.sign(gradient)
    mistakes = [
        (np.clip(image + 0.1 * sign, 0, 1), "this walks away: the loss of the wanted digit rises."),
        (image + 0.1 * sign, "this walks away from the wanted digit, and out of [0, 1]."),
        (image - 0.1 * sign, "pixels left [0, 1]. Clip them."),
        (np.clip(image - 0.1 * gradient, 0, 1), "take the sign of the gradient, not its size."),
        (image - 0.1 * gradient, "take the sign of the gradient, and clip."),
        (np.clip(image - sign, 0, 1), "the step has length 1. Multiply by epsilon."),
        (-0.1 * sign, "this is the change alone. Add it to the image."),
        (image, "nothing changed."),
    ]
    right = np.clip(image - 0.1 * sign, 0, 1)
    expect(function(image, gradient, 0.1), right, mistakes, "expected {right}, got {}.")
    if function.changed:
        raise Mistake("you changed the image that was given to you. Make a new one.")
