"""Checkers of notebook 00."""

from collections.abc import Callable

import numpy as np

from mnist_edu.lesson import UNANSWERED, exercise


@exercise
def scale(function: Callable[[np.ndarray], np.ndarray]) -> str | None:
    """Check scaling of uint8 images to float32 in [0, 1]."""
    images = np.array([[[0, 51], [102, 255]]], np.uint8)
    result = function(images.copy())
    if result is None or result is ...:
        return UNANSWERED
    expected = images / np.float32(255)
    if np.shape(result) != images.shape:
        return f"the shape changed from {images.shape} to {np.shape(result)}."
    mistakes = [
        (images // 255, "// keeps whole numbers only: nearly everything became 0. Use /."),
        (images / 256, "divide by 255, the largest value. There are 256 values, from 0."),
        (images / 255 / 255, "you divided twice."),
        (1 - images / 255, "you turned ink and paper round."),
        (images, "nothing was divided yet."),
    ]
    for wrong, sentence in mistakes:
        if np.allclose(result, wrong, atol=1e-6):
            return sentence
    if not np.allclose(result, expected):
        return f"0, 51, 102, 255 should give 0, 0.2, 0.4, 1; yours: {np.ravel(result)}."
    if result.dtype != np.float32:
        return f"the numbers are right, but their type is {result.dtype}, not float32."
    return None


@exercise
def one_hot(function: Callable[[np.ndarray], np.ndarray]) -> str | None:
    """Check one-hot labels."""
    labels = np.array([3, 0, 9, 3], np.uint8)
    result = function(labels.copy())
    if result is None or result is ...:
        return UNANSWERED
    expected = np.eye(10)[labels]
    if np.shape(result) == (10, 4):
        return "rows and columns are swapped: each label is a row, each digit a column."
    if np.shape(result) != (4, 10):
        return f"4 labels should give the shape (4, 10), not {np.shape(result)}."
    if np.allclose(result, np.roll(expected, -1, axis=1)):
        return "the 1 stands one place too far left. Digits start at 0, not at 1."
    if np.allclose(result, expected * labels[:, np.newaxis]):
        return "put a 1 in the place of the digit, not the digit itself."
    if np.allclose(result, 1 - expected):
        return "ones and zeros are swapped."
    if not np.allclose(result, expected):
        row = int(np.argmax(np.any(result != expected, axis=1)))
        return f"row {row} is wrong: label {labels[row]} should give {expected[row].astype(int)}."
    return None


@exercise
def nearest_mean(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str | None:
    """Check the nearest mean image for flat images (n, 784) and means (10, 784)."""
    generator = np.random.default_rng(0)
    means = generator.random((10, 784)) * np.linspace(0.5, 1.5, 10)[:, np.newaxis]
    true = np.array([7, 0, 3, 9, 4])
    images = means[true] + generator.normal(size=(5, 784)) * 0.05
    result = function(images.copy(), means.copy())
    if result is None or result is ...:
        return UNANSWERED
    if np.shape(result) == (10,):
        return "you got one image for each mean. You need one digit for each image: axis 1."
    if np.shape(result) != (5,):
        return f"5 images should give 5 digits, the shape (5,), not {np.shape(result)}."
    distances = ((images[:, np.newaxis] - means) ** 2).sum(axis=2)
    if np.array_equal(result, distances.argmax(axis=1)):
        return "you took the farthest mean image. Use argmin."
    if np.array_equal(result, (images @ means.T).argmax(axis=1)):
        return "this is the largest product. The darkest mean image wins it: use the distance."
    if np.allclose(result, distances.min(axis=1)):
        return "these are the distances. Where is the smallest one? Use argmin."
    if not np.array_equal(result, true):
        return f"the answers should be {true}, yours are {np.asarray(result)}."
    return None
