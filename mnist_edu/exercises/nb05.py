"""Checkers of notebook 05, and the frame around what a unit sees."""

from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.checker import Asked, Mistake, exercise, expect, numbers
from mnist_edu.exercises.stepper import stepper as stepper  # the window that the reader moves


def frame_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return (row, column, height, width) of the smallest frame around what is true."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return int(rows[0]), int(columns[0]), int(height), int(width)


# --- Checkers ------------------------------------------------------------------------------------


@exercise
def one_place(answer: float) -> None:
    """Check one number of a map: 3·1 + 1·2 + 0·0 + 2·(-1)."""
    flipped = "you flipped the kernel. That is the convolution of the books. "
    mistakes = [
        (-1, flipped + "Asked is the sliding window as it is."),
        (0.75, "you divided by the four pixels of the window. Nothing is divided."),
        (4, "this is row 0, column 1. Rows come first."),
        (6, "this is the sum of the window. Multiply each pixel by its weight first."),
        (7, "mind the sign of the last weight."),
        (5, "you left out the last product, 2·(-1)."),
    ]
    expect(answer, 3, mistakes, "it is not {}. Write four products.")


@exercise
def output_side(function: Callable[[int, int, int, int], int]) -> None:
    """Check the side of a map, from the side of the image, kernel, padding and stride."""
    first = "28 and 5 should give 24: count the first place too."
    expect(function(28, 5, 0, 1), 24, [(23, first)], "28 and 5 should give 24, not {}.")
    mistakes = [
        (13, "add the 1 after dividing by the stride, not before."),
        (27, "the stride is left out: 28, 2, stride 2 should give 14."),
    ]
    expect(function(28, 2, 0, 2), 14, mistakes, "28, 2, stride 2 should give 14, not {}.")
    padded = "28, 5, padding 2 should give 28."
    mistakes = [
        (24, f"the padding is left out: {padded}"),
        (26, f"padding is added on both sides: {padded}"),
    ]
    expect(function(28, 5, 2, 1), 28, mistakes, f"look at the padding: {padded}")
    mistakes = [
        (12.5, "there is no half place. Use //."),
        (13, "a half place is dropped, not added."),
    ]
    expect(function(28, 5, 0, 2), 12, mistakes, "28, 5, stride 2 should give 12, not {}.")
    found = (24, 14, function(11, 3, 1, 3), function(7, 2, 0, 2))
    expect(found, (24, 14, 4, 3), [], "expected 24, 14, 4 and 3, got {}.")


@exercise
def mean_pool(function: Callable[[np.ndarray, int], np.ndarray]) -> None:
    """Check mean pooling with blocks of any side."""
    values = np.random.default_rng(4).integers(-9, 10, (6, 8)).astype(float)
    blocks = _blocks(values, 2)
    right = blocks.mean(axis=(1, 3))
    mistakes = [
        (blocks.max(axis=(1, 3)), "this is the largest of each block. Take the mean."),
        (blocks.sum(axis=(1, 3)), "this is the sum of each block. Divide it."),
        (right * 2, "you divided by the side. A block has side times side values."),
        (values[::2, ::2], "you took one value of each block. Take the mean of all of them."),
    ]
    shape = "6 x 8 values in blocks of 2 give a shape of (3, 4), not {shape}."
    expect(function(values, 2), right, mistakes, shape=shape)
    right = _blocks(values[:, :6], 3).mean(axis=(1, 3))
    fixed = "blocks of 2 work, blocks of 3 do not: use the side that is given."
    mistakes = [(lambda result: result.shape == (3, 3), fixed)]
    shape = "6 x 7 values in blocks of 3 give (2, 2): column 6 is dropped. Yours: {shape}."
    expect(function(values[:, :7], 3), right, mistakes, shape=shape)


@exercise
def convolve(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Check a true convolution without padding, on an image and a kernel that are not square."""
    generator = np.random.default_rng(4)
    image = generator.integers(-9, 10, (5, 6)).astype(float)
    kernel = generator.integers(-9, 10, (3, 2)).astype(float)
    right = _correlate(image, kernel[::-1, ::-1])
    mistakes = [
        (_correlate(image, kernel), "this is the correlation. Flip the kernel first."),
        (_correlate(image, kernel[::-1]), "you flipped the rows. Flip the columns too."),
        (_correlate(image, kernel[:, ::-1]), "you flipped the columns. Flip the rows too."),
        (right / kernel.size, "you divided by the size of the kernel. Nothing is divided."),
        (right[::-1, ::-1], "you flipped the map, or the image. Flip the kernel."),
        (_correlate(image[::-1, ::-1], kernel), "you flipped the image. Flip the kernel."),
    ]
    shape = "5 x 6 pixels and a kernel of 3 x 2 give a map of (3, 5), not {shape}."
    expect(function(image, kernel), right, mistakes, shape=shape)


@exercise
def layer(function: Asked) -> None:
    """Check a convolution layer with several channels and filters, biases and ReLU."""
    generator = np.random.default_rng(5)
    image = generator.integers(-3, 4, (5, 6, 3)).astype(float)
    filters = generator.integers(-3, 4, (3, 2, 3, 4)).astype(float)
    biases = np.array([1.0, -2, 3, -4])
    parts = _by_channel(image, filters)  # (rows, columns, channels, filters)
    sums = parts.sum(axis=2)
    first = "only the first channel is looked at. Add up the answers from all of them."
    mistakes = [
        (lambda found: found.ndim == 4, "each filter makes one map: add up over the channels."),
        (sums + biases, "there are numbers below zero. ReLU is left out."),
        (sums, "there are numbers below zero, and no bias: both ReLU and bias are left out."),
        (np.maximum(0, sums), "the biases are left out."),
        (np.maximum(0, sums) + biases, "the bias comes before ReLU, not after it."),
        (np.maximum(0, sums + 3 * biases), "a bias counts once for a filter, not per channel."),
        (np.maximum(0, parts).sum(axis=2) + biases, "sum over the channels first, then ReLU."),
        (np.maximum(0, parts + biases).sum(axis=2), "sum over the channels first, then the rest."),
        (np.maximum(0, parts.mean(axis=2) + biases), "you took the mean over the channels: add."),
        (np.maximum(0, parts[:, :, 0] + biases), first),
        (np.maximum(0, _by_channel(image, filters[::-1, ::-1]).sum(axis=2) + biases), FLIPPED),
    ]
    shape = "5 x 6 pixels and 4 filters of 3 x 2 give maps of (3, 5, 4), not {shape}."
    expect(function(image, filters, biases), np.maximum(0, sums + biases), mistakes, shape=shape)
    image, filters = image[:, :, :2], filters[:2, :, :2, :1]
    right = np.maximum(0, _by_channel(image, filters).sum(axis=2) + 2)
    fixed = "3 channels and 4 filters work, 2 channels and 1 filter do not: take sizes from shapes."
    expect(function(image, filters, np.array([2.0])), right, [], fixed, shape=fixed)
    if function.changed:
        raise Mistake(
            "you changed the arrays that the layer was given. Write into an array of your own."
        )


FLIPPED = "you flipped the kernels. A layer slides them as they are."
STROKES = {  # one pixel thick, through the whole of a small image
    "slash": np.eye(9)[::-1],
    "upright stroke": np.tile(np.arange(9) == 4, (9, 1)).astype(float),
    "flat stroke": np.tile(np.arange(9) == 4, (9, 1)).T.astype(float),
    "backslash": np.eye(9),
}


@exercise
def slash_kernel(kernel: object) -> None:
    """Check a kernel (3, 3) that likes slashes, and no other stroke half as much."""
    kernel = numbers(kernel)
    if kernel.shape != (3, 3):
        raise Mistake(f"three lists of three numbers are expected, not a shape of {kernel.shape}.")
    if not np.isfinite(kernel).all():
        raise Mistake("each weight must be a number that one can count with.")
    if not kernel.any():
        raise Mistake("it is silent everywhere, on the slash too.")
    if abs(kernel.sum()) > 1e-6 * abs(kernel).max():
        full = f"where everything is ink it gives {kernel.sum():.4g}"
        raise Mistake(f"{full}. Its nine weights should add up to 0.")
    if np.allclose(kernel, -kernel[::-1, ::-1]):
        raise Mistake("on the middle of a stroke it gives 0: it asks for a rim, not for a stroke.")
    answers = {name: _correlate(stroke, kernel).max() for name, stroke in STROKES.items()}
    best = max(answers, key=answers.__getitem__)
    if best != "slash":
        told = f"{answers[best]:.4g}, and to the slash {answers['slash']:.4g}"
        raise Mistake(f"it likes another stroke best: to the {best} it answers {told}.")
    middle = np.trace(kernel[::-1])
    if middle <= 0:
        raise Mistake(f"with a slash through its middle it gives {middle:.4g}. Swap the signs?")
    most = answers["slash"]
    del answers["slash"]
    worst = max(answers, key=answers.__getitem__)
    if answers[worst] > 0.5 * most + 1e-9:
        told = f"{most:.4g} to the slash, but {answers[worst]:.4g} to the {worst}"
        raise Mistake(f"it answers {told}. That should be half as much, or less.")


def _by_channel(image: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Return what each filter gets from each channel, (rows, columns, channels, filters)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, filters.shape[:2], axis=(0, 1))
    return np.einsum("mncjk,jkcf->mncf", windows, filters)


def _blocks(values: np.ndarray, side: int) -> np.ndarray:
    rows, columns = (size // side for size in values.shape)
    return values.reshape(rows, side, columns, side)


def _correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("mnjk,jk->mn", windows, kernel)
