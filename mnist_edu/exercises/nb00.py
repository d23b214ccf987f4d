"""Checkers of notebook 00."""

from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.checker import Mistake, exercise, expect


@exercise
def scale(function: Callable[[np.ndarray], np.ndarray]) -> None:
    """Check scaling of uint8 images to float32 in [0, 1]."""
    images = np.array([[[0, 51], [102, 255]]], np.uint8)
    mistakes = [
        (images // 255, "// keeps whole numbers only: nearly everything became 0. Use /."),
        (images / 256, "divide by 255, the largest value. There are 256 values, from 0."),
        (images / 255 / 255, "you divided twice."),
        (1 - images / 255, "you turned ink and paper round."),
        (images, "nothing was divided yet."),
    ]
    wanted = "0, 51, 102, 255 should give 0, 0.2, 0.4, 1; yours: {}."
    result = expect(function(images), images / 255, mistakes, wanted)
    if result.dtype != np.float32:
        raise Mistake(f"the numbers are right, but their type is {result.dtype}, not float32.")


@exercise
def one_hot(function: Callable[[np.ndarray], np.ndarray]) -> None:
    """Check one-hot labels."""
    labels = np.array([3, 0, 9, 3], np.uint8)
    right = np.eye(10, dtype=int)[labels]
    swapped = "rows and columns are swapped: each label is a row, each digit a column."
    left = "the 1 stands one place too far left. Digits start at 0, not at 1."
    mistakes = [
        (lambda result: result.shape == (10, 4), swapped),
        (np.roll(right, -1, axis=1), left),
        (right * labels[:, np.newaxis], "put a 1 in the place of the digit, not the digit itself."),
        (1 - right, "ones and zeros are swapped."),
    ]

    def first_wrong_row(result: np.ndarray) -> str:
        row = int(np.argmax((result != right).any(axis=1)))
        return f"row {row} is wrong: label {labels[row]} should give {right[row]}."

    shape = "4 labels should give the shape (4, 10), not {shape}."
    expect(function(labels), right, mistakes, first_wrong_row, shape)


@exercise
def nearest_mean(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Check the nearest mean image for flat images (n, 784) and means (10, 784)."""
    generator = np.random.default_rng(0)
    means = generator.random((10, 784)) * np.linspace(0.5, 1.5, 10)[:, np.newaxis]
    right = np.array([7, 0, 3, 9, 4])
    images = means[right] + generator.normal(size=(5, 784)) * 0.05
    distances = ((images[:, np.newaxis] - means) ** 2).sum(axis=2)
    turned = "you got one image for each mean. You need one digit for each image: axis 1."
    product = "this is the largest product. The darkest mean image wins it: use the distance."
    mistakes = [
        (lambda result: result.shape == (10,), turned),
        (distances.argmax(axis=1), "you took the farthest mean image. Use argmin."),
        ((images @ means.T).argmax(axis=1), product),
        (distances.min(axis=1), "these are the distances. Where is the smallest one? Use argmin."),
    ]
    wanted = "the answers should be {right}, yours are {}."
    shape = "5 images should give 5 digits, the shape (5,), not {shape}."
    expect(function(images, means), right, mistakes, wanted, shape)
