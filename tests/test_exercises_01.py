"""The checkers of notebook 01: solutions pass, each plausible mistake gets its own sentence."""

import numpy as np
import pytest

from exercise_cells import exercise_numbers, said_by
from mnist_edu.exercises import nb01


def names():
    return {"np": np, "nb01": nb01}


@pytest.mark.parametrize("number", exercise_numbers("01"))
def test_solution_passes_and_the_open_exercise_says_so(number):
    assert said_by("01", f"ex-{number}-solution", **names()) == "✓ Right."
    assert said_by("01", f"ex-{number}-answer", **names()) == "Not answered yet."


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [(7840, "bias"), (794, "multiply"), (784, "each of the ten"), (7849, "count the entries")],
)
def test_count_parameters(answer, mistake):
    assert mistake in nb01.count_parameters.problem(answer)


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (lambda n, b: -(-n // b), "rounded up"),
        (lambda n, b: n / b, "whole division"),
        (lambda n, b: n * b, "multiplied"),
        (lambda n, b: b / n, "Turn it round"),
        (lambda n, b: 550 if n > 2000 else 10, "550 steps"),
    ],
)
def test_steps_per_epoch(answer, mistake):
    assert mistake in nb01.steps_per_epoch.problem(answer)


def naive(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def one_element_right(z):
    wrong = np.full(z.shape, 0.1)
    wrong[0, 0] = naive(z)[0, 0]
    return wrong


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (naive, "overflow"),
        (lambda z: np.exp(z), "do not sum to 1"),
        (lambda z: np.exp(z) / np.exp(z).sum(axis=0), "your columns"),
        (lambda z: np.exp(z) / np.exp(z).sum(), "whole batch"),
        (lambda z: z / z.sum(axis=1, keepdims=True), "np.exp of them first"),
        (lambda z: naive(z)[0], "shape"),
        (one_element_right, "row 0, column 1"),
    ],
)
def test_softmax(answer, mistake):
    assert mistake in nb01.softmax.problem(answer)


def per_image(p, y):
    return -np.sum(y * np.log(p), axis=1)


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (per_image, "take the mean"),
        (lambda p, y: per_image(p, y).sum(), "summed over the images"),
        (lambda p, y: -per_image(p, y).mean(), "sign"),
        (lambda p, y: -np.mean(y * np.log(p)), "over digits too"),
        (lambda p, y: per_image(p, y).mean() / np.log(2), "base 2"),
        (lambda p, y: -np.mean(np.sum(y * p, axis=1)), "forgot the logarithm"),
        (lambda p, y: 1.0, "expected"),
    ],
)
def test_cross_entropy(answer, mistake):
    assert mistake in nb01.cross_entropy.problem(answer)
