"""Checkers of notebook 04, and the frame around what a unit sees."""

from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.stepper import stepper as stepper  # the window that the reader moves
from mnist_edu.lesson import UNANSWERED, exercise


def frame_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return (row, column, height, width) of the smallest frame around what is true."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return int(rows[0]), int(columns[0]), int(height), int(width)


# --- Checkers ------------------------------------------------------------------------------------


@exercise
def one_place(answer: float) -> str | None:
    """Check one number of a map: 3·1 + 1·2 + 0·0 + 2·(-1)."""
    mistakes = {
        -1: "you flipped the kernel. That is the convolution of the books. Asked is the sliding "
        "window as it is.",
        0.75: "you divided by the four pixels of the window. Nothing is divided.",
        4: "this is row 0, column 1. Rows come first.",
        6: "this is the sum of the window. Multiply each pixel by its weight first.",
        7: "mind the sign of the last weight.",
        5: "you left out the last product, 2·(-1).",
    }
    return None if answer == 3 else mistakes.get(answer, f"it is not {answer}. Write four products")


@exercise
def output_side(function: Callable[[int, int, int, int], int]) -> str | None:
    """Check the side of a map, from width, kernel, stride and padding."""
    plain = function(28, 5, 1, 0)
    if plain is None or plain is ...:
        return UNANSWERED
    if plain == 23:
        return "28 and 5 should give 24: count the first place too."
    pooled, padded, half = function(28, 2, 2, 0), function(28, 5, 1, 2), function(28, 5, 2, 0)
    if pooled == 13:
        return "add the 1 after dividing by the stride, not before."
    if pooled == 27:
        return "the stride is left out: 28, 2, stride 2 should give 14."
    mistakes = {24: "the padding is left out", 26: "padding is added on both sides"}
    if padded != 28:
        return f"{mistakes.get(padded, 'look at the padding')}: 28, 5, padding 2 should give 28."
    mistakes = {12.5: "there is no half place. Use //.", 13: "a half place is dropped, not added."}
    if half != 12:
        return mistakes.get(half, f"28, 5, stride 2 should give 12, not {half}.")
    found = (plain, pooled, function(11, 3, 3, 1), function(7, 2, 2, 0))
    return None if found == (24, 14, 4, 3) else f"expected 24, 14, 4 and 3, got {found}."


@exercise
def mean_pool(function: Callable[[np.ndarray, int], np.ndarray]) -> str | None:
    """Check mean pooling with blocks of any side."""
    values = np.random.default_rng(4).integers(-9, 10, (6, 8)).astype(float)
    result = function(values.copy(), 2)
    if result is None or result is ...:
        return UNANSWERED
    if np.shape(result) != (3, 4):
        return f"6 x 8 values in blocks of 2 give a shape of (3, 4), not {np.shape(result)}."
    expected = _blocks(values, 2).mean(axis=(1, 3))
    mistakes = [
        (_blocks(values, 2).max(axis=(1, 3)), "this is the largest of each block. Take the mean."),
        (_blocks(values, 2).sum(axis=(1, 3)), "this is the sum of each block. Divide it."),
        (expected * 2, "you divided by the side. A block has side times side values."),
        (values[::2, ::2], "you took one value of each block. Take the mean of all of them."),
    ]
    problem = _named(result, expected, mistakes)
    if problem:
        return problem
    wide = np.asarray(function(values[:, :7].copy(), 3))
    if wide.shape == (3, 3):
        return "blocks of 2 work, blocks of 3 do not: use the side that is given."
    if wide.shape != (2, 2):
        return f"6 x 7 values in blocks of 3 give (2, 2): column 6 is dropped. Yours: {wide.shape}."
    return _named(wide, _blocks(values[:, :6], 3).mean(axis=(1, 3)), [])


@exercise
def convolve(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str | None:
    """Check a true convolution without padding, on an image and a kernel that are not square."""
    generator = np.random.default_rng(4)
    image = generator.integers(-9, 10, (5, 6)).astype(float)
    kernel = generator.integers(-9, 10, (3, 2)).astype(float)
    result = function(image.copy(), kernel.copy())
    if result is None or result is ...:
        return UNANSWERED
    if np.shape(result) != (3, 5):
        return f"5 x 6 pixels and a kernel of 3 x 2 give a map of (3, 5), not {np.shape(result)}."
    expected = _correlate(image, kernel[::-1, ::-1])
    mistakes = [
        (_correlate(image, kernel), "this is the correlation. Flip the kernel first."),
        (_correlate(image, kernel[::-1]), "you flipped the rows. Flip the columns too."),
        (_correlate(image, kernel[:, ::-1]), "you flipped the columns. Flip the rows too."),
        (expected / kernel.size, "you divided by the size of the kernel. Nothing is divided."),
        (expected[::-1, ::-1], "you flipped the map, or the image. Flip the kernel."),
        (_correlate(image[::-1, ::-1], kernel), "you flipped the image. Flip the kernel."),
    ]
    return _named(result, expected, mistakes)


def _named(result: np.ndarray, expected: np.ndarray, mistakes: list) -> str | None:
    """Return the sentence of the mistake that was made, or where the first wrong number is."""
    for wrong, sentence in mistakes:
        if np.allclose(result, wrong):
            return sentence
    right = np.isclose(result, expected)
    if right.all():
        return None
    row, column = (int(i) for i in np.argwhere(~right)[0])
    value, wanted = np.asarray(result)[row, column], expected[row, column]
    return f"row {row}, column {column} should be {wanted:.4g}, not {value:.4g}."


def _blocks(values: np.ndarray, side: int) -> np.ndarray:
    rows, columns = (size // side for size in values.shape)
    return values.reshape(rows, side, columns, side)


def _correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("mnjk,jk->mn", windows, kernel)
