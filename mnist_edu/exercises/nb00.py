"""Checkers of notebook 00."""

from collections.abc import Callable

import numpy as np

from mnist_edu.data import Dataset, Split
from mnist_edu.exercises.checker import Mistake, exercise, expect, numbers
from mnist_edu.lesson import shift_accuracies


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
def accuracy_per_digit(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Check ten accuracies, one for each true digit, for labels and answers of shape (n,)."""
    for seed in (0, 1):
        labels, predicted = _answers(seed)
        right = labels == predicted
        hits, asked = (np.bincount(labels[part], minlength=10) for part in (right, right | True))
        answered = np.bincount(predicted, minlength=10)
        mistakes = [
            (lambda result: result.shape == (), "this is one number. Ten are wanted."),
            (hits, "these are counts. Divide each by how many images show that digit."),
            (hits / answered, "you divided by how often a digit was the answer, not the truth."),
            (hits / len(labels), "you divided by all images. Divide by those of the digit."),
            (1 - hits / asked, "these are the errors of each digit. Accuracy is what is right."),
            (100 * hits / asked, "this is in per cent. Accuracy goes from 0 to 1."),
        ]
        wanted = "ten digits should give ten accuracies, the shape (10,), not {shape}."
        otherwise = "of the images that show one digit, how many are read right? Yours: {}."
        expect(function(labels, predicted), hits / asked, mistakes, otherwise, wanted)


def _answers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and answers (n,): each digit is there, and each is answered."""
    chance = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(10), np.arange(10), chance.integers(0, 10, 60)])
    predicted = np.where(chance.random(80) < 0.6, labels, chance.integers(0, 10, 80))
    predicted[:20] = np.concatenate([np.arange(10), np.roll(np.arange(10), 1)])
    return labels, predicted


# --- Rules of one's own for a 7 ------------------------------------------------------------------

RULES_RIGHT, SEVENS_FOUND = 0.92, 0.4


@exercise
def rules_for_seven(function: Callable[[np.ndarray], np.ndarray], digits: Split) -> None:
    """Judge rules that say of images (n, 28, 28) whether they show a 7, on labelled digits."""
    says = _yes_or_no(function(digits.images), len(digits.images))
    alone = _yes_or_no(function(digits.images[:5]), 5)
    if (alone != says[:5]).any():
        raise Mistake("its answer for an image depends on which other images it is asked about.")
    seven = digits.labels == 7
    found, right = says[seven].mean(), np.mean(says == seven)
    if not says.any() or says.all():
        raise Mistake(f"it calls {'everything' if says.all() else 'nothing'} a 7.")
    if found < says[~seven].mean():
        raise Mistake("it says yes to other digits more often than to sevens. Turn it round.")
    told = f"it finds {100 * found:.0f} of 100 sevens, {_most_taken(says, digits.labels)}"
    if right < RULES_RIGHT:
        lazy = " That is no better than calling nothing a 7." if right <= np.mean(~seven) else ""
        raise Mistake(f"accuracy {right:.3f}, wanted is {RULES_RIGHT}.{lazy} So far {told}.")
    if found < SEVENS_FOUND:
        raise Mistake(f"it is careful, but {told}. Find {100 * SEVENS_FOUND:.0f} of 100.")


def _yes_or_no(result: object, count: int) -> np.ndarray:
    says = numbers(result)
    if says.shape != (count,):
        raise Mistake(f"{count} images should give {count} answers, not the shape {says.shape}.")
    if not np.isin(says, (0, 1)).all():
        raise Mistake("answer True or False for each image, not with other numbers.")
    return says.astype(bool)


def _most_taken(says: np.ndarray, labels: np.ndarray) -> str:
    shares = [says[labels == digit].mean() if digit != 7 else 0 for digit in range(10)]
    digit = int(np.argmax(shares))
    return f"and takes {100 * shares[digit]:.0f} of 100 images of a {digit} for one"


# --- Features that stand a move ------------------------------------------------------------------

MOVED_RIGHT = 0.7


@exercise
def sturdy_features(function: Callable[[np.ndarray], np.ndarray], digits: Dataset) -> None:
    """Judge features (n, k) of images (n, 28, 28): nearest means of them, on moved digits.

    Means are taken over 10,000 training images; 2,000 validation images are moved by two pixels.
    """
    train = digits.train.images[:10_000], digits.train.labels[:10_000]
    images, labels = digits.validation.images[:2_000], digits.validation.labels[:2_000]
    found = _features(function, train[0])
    if np.allclose(found, found[0]):
        raise Mistake("every image gets the same features. They should differ between digits.")
    alone = _features(function, train[0][:3])
    if alone.shape[1:] != found.shape[1:] or not np.allclose(alone, found[:3], atol=1e-5):
        raise Mistake("the features of an image depend on the other images. Each on its own.")
    means = np.stack([found[train[1] == digit].mean(axis=0) for digit in range(10)])

    def predict(asked: np.ndarray) -> np.ndarray:
        x = _features(function, asked)
        return ((means**2).sum(axis=1) - 2 * x @ means.T).argmin(axis=1)

    still, moved = shift_accuracies(predict, images, labels, (0, 2))
    if moved < MOVED_RIGHT:
        place = "They still depend on where the digit is." if still - moved > 0.1 else ""
        little = place or "They do not mind the move, but they say too little about the digit."
        told = f"{still:.2f} of the digits are read right in place, {moved:.2f} after the move"
        raise Mistake(f"{told}, and {MOVED_RIGHT} is wanted there. {little}")


def _features(function: Callable, images: np.ndarray) -> np.ndarray:
    found = numbers(function(images)).astype(float)
    if found.ndim != 2 or len(found) != len(images):
        rows = f"{len(images)} images should give {len(images)} rows of numbers"
        raise Mistake(f"{rows}, (n, k), not the shape {found.shape}.")
    if found.shape[1] > 784:
        raise Mistake(f"{found.shape[1]} numbers are more than the image has: at most 784.")
    if not np.isfinite(found).all():
        raise Mistake("some features are nan or inf. Did you divide by 0?")
    return found
