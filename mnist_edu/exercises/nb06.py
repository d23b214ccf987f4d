"""Checkers of notebook 06, and the reader of its summaries."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_edu.lesson import UNANSWERED, exercise

PER_ROW = "subtract the largest logit of each row, not one number for all rows."


def read_scalars(folder: Path, tag: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one series of numbers from all event files of a folder.

    Parameters
    ----------
    folder : where a ``FileWriter`` of TensorFlow 1 wrote
    tag : name of the summary

    Returns
    -------
    steps int (n,) and values float (n,), in the order of the steps
    """
    import tensorflow.compat.v1 as tf

    values = {}
    for path in sorted(folder.glob("events*")):
        for event in tf.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == tag:
                    values[event.step] = value.simple_value
    steps = sorted(values)
    return np.array(steps), np.array([values[step] for step in steps])


@exercise
def dropout_rate(rate: float) -> str | None:
    """Check the rate that belongs to keep_prob = 0.8."""
    if isinstance(rate, int | float) and np.isclose(rate, 0.2):
        return None
    mistakes = {
        0.8: "this is the part that stays. Keras asks for the part that is dropped.",
        1.25: "by this the rest is enlarged. Keras does that by itself.",
        0.5: "this belongs to keep_prob = 0.5. Here keep_prob is 0.8.",
        20: "a rate is a part of 1, not a percentage.",
    }
    return mistakes.get(rate, "a part of 0.8 stays. Which part is dropped?")


@exercise
def learned_values(function: Callable[[list], int]) -> str | None:
    """Check the count of a network's own values among the variables of a checkpoint."""
    result = function(_variables({"FC1/biases": [3], "FC1/weights": [4, 3]}))
    if result is None or result is ...:
        return UNANSWERED
    mistakes = {
        48: "this is all that the file holds. Leave out Adam's memory and the three counters.",
        45: "Adam's memory is counted. It is no part of the network.",
        18: "beta1_power, beta2_power and global_step are counted. They are no weights.",
        33: "one half of Adam's memory and the three counters are still counted.",
        30: "Adam has two numbers for each weight: .../Adam and .../Adam_1.",
        10: "you added the numbers of a shape. Multiply them.",
        12: "biases are learned too.",
        2: "these are the variables. The question is how many numbers they hold.",
    }
    if result != 15:
        return mistakes.get(int(result), f"(4, 3) and (3,) hold 15 values, not {result}.")
    other = {"layer/biases": [2], "layer/weights": [5, 5, 1, 2], "top/weights": [2, 2]}
    deep = function(_variables(other))
    return None if deep == 56 else f"(5, 5, 1, 2), (2, 2) and (2,) hold 56 values, not {deep}."


def _variables(own: dict[str, list[int]]) -> list[tuple[str, list[int]]]:
    """Return what ``list_variables`` gives for a network trained with Adam."""
    found = [(name + end, shape) for name, shape in own.items() for end in ("", "/Adam", "/Adam_1")]
    return found + [("beta1_power", []), ("beta2_power", []), ("global_step", [])]


@exercise
def channels_last(function: Callable[[np.ndarray, int, int, int], np.ndarray]) -> str | None:
    """Check the new order of a dense kernel's rows: from channel first to channel last."""
    rows, columns, channels = 2, 3, 4
    right = np.arange(48.0).reshape(rows, columns, channels, 2)
    given = right.transpose(2, 0, 1, 3).reshape(24, 2)
    result = function(given.copy(), rows, columns, channels)
    if result is None or result is ...:
        return UNANSWERED
    if np.shape(result) != (24, 2):
        return f"the shape must stay (24, 2), yours is {np.shape(result)}."
    split = given.reshape(channels, rows, columns, 2)
    wrongly_split = given.reshape(rows, columns, channels, 2)
    mistakes = [
        (given, "the rows are in the old order. A reshape alone moves no number: transpose."),
        (
            split.transpose(2, 1, 0, 3),
            "rows and columns are swapped: the image would lie on its side.",
        ),
        (split.transpose(0, 2, 1, 3), "the channels still come first, and the image is turned."),
        (
            wrongly_split.transpose(2, 0, 1, 3),
            "this is the way back: split the channels off first.",
        ),
        (given[::-1], "the rows are reversed. They must be sorted anew."),
    ]
    for wrong, sentence in mistakes:
        if np.allclose(result, wrong.reshape(24, 2)):
            return sentence
    wrong = np.flatnonzero((np.asarray(result) != right.reshape(24, 2)).any(axis=1))
    return f"row {wrong[0]} is wrong, and {len(wrong)} rows in all." if len(wrong) else None


@exercise
def cross_entropy(function: Callable[[np.ndarray, np.ndarray], float]) -> str | None:
    """Check the mean cross-entropy of (n, 10) logits and one-hot labels, huge logits too."""
    generator = np.random.default_rng(6)
    logits = generator.normal(size=(5, 10)) * 3
    labels = np.eye(10)[generator.integers(0, 10, 5)]
    with np.errstate(all="ignore"):
        result = function(logits.copy(), labels.copy())
    if result is None or result is ...:
        return UNANSWERED
    if np.ndim(result):
        return f"the result has shape {np.shape(result)}. The loss is one number: take the mean."
    sums = np.log(np.exp(logits).sum(axis=1))
    expected = np.mean(sums - logits[labels == 1])
    mistakes = {
        -expected: "the sign is wrong.",
        expected * 5: "you summed over the images. Take the mean.",
        expected / 10: "you took the mean over the digits too.",
        float(sums.mean()): "you forgot to subtract the logit of the true digit.",
        float(-logits[labels == 1].mean()): "you forgot the logarithm of the sum.",
    }
    for wrong, sentence in mistakes.items():
        if np.isclose(result, wrong):
            return sentence
    if not np.isfinite(result):
        return PER_ROW
    if not np.isclose(result, expected):
        return f"expected {expected:.4f}, got {result:.4f}."
    return _huge_logits(function)


def _huge_logits(function: Callable) -> str | None:
    high, even = np.array([1000.0] + [0.0] * 9), np.zeros(10)
    first, second = np.eye(10)[[0, 0]], np.eye(10)[[1]]
    with np.errstate(all="ignore"):
        sure, wrong = function(high[np.newaxis], first[:1]), function(high[np.newaxis], second)
        both = function(np.stack([high, even]), first)
        low = function(even[np.newaxis] - 1000, first[:1])
    if not np.isfinite([sure, wrong]).all():
        return "right for small logits, but NaN or infinity for a logit of 1,000."
    if not np.isclose(wrong, 1000):
        return f"a sure and wrong answer with a logit of 1,000 costs 1,000, yours {wrong:.1f}."
    if not np.allclose([sure, both, low], [0, np.log(10) / 2, np.log(10)]):
        return PER_ROW
    return None
