"""Checkers of notebook 07, and the reader of its summaries."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edu.errors import needs
from mnist_edu.exercises.checker import Mistake, exercise, expect

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
    tf, values = needs("tensorflow", "lessons").compat.v1, {}
    for path in sorted(folder.glob("events*")):
        for event in tf.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == tag:
                    values[event.step] = value.simple_value
    steps = sorted(values)
    return np.array(steps), np.array([values[step] for step in steps])


@exercise
def dropout_rate(rate: float) -> None:
    """Check the rate that belongs to keep_prob = 0.8."""
    mistakes = [
        (0.8, "this is the fraction that stays. Keras asks for the fraction that is dropped."),
        (1.25, "by this the rest is enlarged. Keras does that by itself."),
        (0.5, "this belongs to keep_prob = 0.5. Here keep_prob is 0.8."),
        (20, "a rate is a fraction of 1, not a percentage."),
    ]
    expect(rate, 0.2, mistakes, "a fraction of 0.8 stays. Which fraction is dropped?")


@exercise
def learned_values(function: Callable[[list], int]) -> None:
    """Check the count of a network's own values among the variables of a checkpoint."""
    all_of_it = "this is all that the file holds. Leave out Adam's memory and the three counters."
    mistakes = [
        (48, all_of_it),
        (45, "Adam's memory is counted. It is no part of the network."),
        (18, "beta1_power, beta2_power and global_step are counted. They are no weights."),
        (33, "one half of Adam's memory and the three counters are still counted."),
        (30, "Adam has two numbers for each weight: .../Adam and .../Adam_1."),
        (10, "you added the numbers of a shape. Multiply them."),
        (12, "biases are learned too."),
        (2, "these are the variables. The question is how many numbers they hold."),
    ]
    small = _variables({"FC1/biases": [3], "FC1/weights": [4, 3]})
    expect(function(small), 15, mistakes, "(4, 3) and (3,) hold 15 values, not {}.")
    deep = {"layer/biases": [2], "layer/weights": [5, 5, 1, 2], "top/weights": [2, 2]}
    wanted = "(5, 5, 1, 2), (2, 2) and (2,) hold 56 values, not {}."
    expect(function(_variables(deep)), 56, [], wanted)


def _variables(own: dict[str, list[int]]) -> list[tuple[str, list[int]]]:
    """Return what ``list_variables`` gives for a network trained with Adam."""
    found = [(name + end, shape) for name, shape in own.items() for end in ("", "/Adam", "/Adam_1")]
    return found + [("beta1_power", []), ("beta2_power", []), ("global_step", [])]


@exercise
def channels_last(function: Callable[[np.ndarray, int, int, int], np.ndarray]) -> None:
    """Check the new order of a dense kernel's rows: from channel first to channel last."""
    rows, columns, channels = 2, 3, 4
    last = np.arange(48.0).reshape(rows, columns, channels, 2)
    first = last.transpose(2, 0, 1, 3)
    given, right = first.reshape(24, 2), last.reshape(24, 2)
    back = given.reshape(rows, columns, channels, 2).transpose(2, 0, 1, 3)
    old = "the rows are in the old order. A reshape alone moves no number: transpose."
    side = "rows and columns are swapped: the image would lie on its side."
    turned = "the channels still come first, and the image is turned."
    mistakes = [
        (given, old),
        (first.transpose(2, 1, 0, 3).reshape(24, 2), side),
        (first.transpose(0, 2, 1, 3).reshape(24, 2), turned),
        (back.reshape(24, 2), "this is the way back: split the channels off first."),
        (given[::-1], "the rows are reversed. They must be put into another order."),
    ]

    def wrong_rows(result: np.ndarray) -> str:
        wrong = np.flatnonzero((result != right).any(axis=1))
        return f"row {wrong[0]} is wrong, and {len(wrong)} rows in all."

    shape = "the shape must stay (24, 2), yours is {shape}."
    expect(function(given, rows, columns, channels), right, mistakes, wrong_rows, shape)


@exercise
def cross_entropy(function: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """Check the mean cross-entropy of (n, 10) logits and one-hot labels, huge logits too."""
    generator = np.random.default_rng(6)
    logits = generator.normal(size=(5, 10)) * 3
    labels = np.eye(10)[generator.integers(0, 10, 5)]
    sums, true = np.log(np.exp(logits).sum(axis=1)), logits[labels == 1]
    right = np.mean(sums - true)
    mistakes = [
        (-right, "the sign is wrong."),
        (right * 5, "you summed over the images. Take the mean."),
        (right / 10, "you took the mean over the digits too."),
        (sums.mean(), "you forgot to subtract the logit of the true digit."),
        (-true.mean(), "you forgot the logarithm of the sum."),
        (_is_not_finite, PER_ROW),
    ]
    shape = "the result has shape {shape}. The loss is one number: take the mean."
    expect(function(logits, labels), right, mistakes, shape=shape)
    _huge_logits(function)


def _huge_logits(function: Callable) -> None:
    high, even = np.array([[1000.0] + [0.0] * 9]), np.zeros((1, 10))
    first, second = np.eye(10)[:1], np.eye(10)[1:2]
    huge = "right for small logits, but NaN or infinity for a logit of 1,000."
    mistakes = [(_is_not_finite, huge)]
    expect(function(high, first), 0, mistakes, PER_ROW)
    wrong = "a sure and wrong answer with a logit of 1,000 costs 1,000, yours {}."
    expect(function(high, second), 1000, mistakes, wrong)
    both = function(np.vstack([high, even]), np.vstack([first, first]))
    expect(both, np.log(10) / 2, [], PER_ROW)
    expect(function(even - 1000, first), np.log(10), [], PER_ROW)


def _is_not_finite(loss: np.ndarray) -> bool:
    return loss.ndim == 0 and not np.isfinite(loss)


@exercise
def rebuild(function: Callable[[dict[str, np.ndarray]], Any]) -> None:
    """Check a Keras model that is built from the values of a checkpoint alone, twice."""
    images = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    for side, filters, units in ((3, (4, 6), 12), (5, (3, 5), 9)):
        values = _checkpoint(side, filters, units)
        model = function(values)
        _judge_form(model, values)
        found, right = np.asarray(model(images)), _logits(values, images)
        if np.abs(found - right).max() > 1e-4:
            raise Mistake(_why_other_logits(model, found, values, images))


def _checkpoint(side: int, filters: tuple[int, int], units: int) -> dict[str, np.ndarray]:
    """Return float32 values by name, sorted as the index of a checkpoint is."""
    first, second = filters
    shapes = {
        "convolution1": (side, side, 1, first),
        "convolution2": (side, side, first, second),
        "FC1": (49 * second, units),
        "FC2": (units, 10),
    }
    random, values = np.random.default_rng(side), {}
    for scope, shape in shapes.items():
        kernel = random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
        biases = random.normal(0, 0.3, shape[-1])
        values |= {f"{scope}/biases": biases, f"{scope}/weights": kernel}
    return {name: values[name].astype(np.float32) for name in sorted(values)}


def _logits(
    values: Mapping[str, np.ndarray],
    images: np.ndarray,
    biases: bool = True,
    map_relu: bool = True,
    unit_relu: bool = True,
) -> np.ndarray:
    """Compute the logits (n, 10) of images (n, 28, 28, 1) in NumPy, or with something left out."""
    maps = images
    for scope in ("convolution1", "convolution2"):
        maps = _convolved(maps, values[f"{scope}/weights"]) + biases * values[f"{scope}/biases"]
        n, height, width, count = maps.shape
        maps = maps.reshape(n, height // 2, 2, width // 2, 2, count).max((2, 4))
        maps = np.maximum(maps, 0) if map_relu else maps
    units = maps.reshape(len(maps), -1) @ values["FC1/weights"] + biases * values["FC1/biases"]
    units = np.maximum(units, 0) if unit_relu else units
    return units @ values["FC2/weights"] + biases * values["FC2/biases"]


def _convolved(maps: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    side, (_, height, width, _) = len(kernel), maps.shape
    edge = ((0, 0), (side // 2, side // 2), (side // 2, side // 2), (0, 0))
    padded, places = np.pad(maps, edge), np.ndindex(side, side)
    return sum(padded[:, i : i + height, j : j + width] @ kernel[i, j] for i, j in places)


def _judge_form(model: Any, values: Mapping[str, np.ndarray]) -> None:
    """Raise ``Mistake`` if this is no model of the right shapes and size."""
    if not hasattr(model, "get_weights"):
        raise Mistake(f"return a Keras model, not a {type(model).__name__}.")
    shapes = tuple(model.input_shape), tuple(model.output_shape)
    if shapes != ((None, 28, 28, 1), (None, 10)):
        raise Mistake("images of shape (28, 28, 1) should go in, and ten logits come out.")
    wanted, found = (sorted(v.shape for v in vs) for vs in (values.values(), model.get_weights()))
    if wanted != found:
        missing = next((shape for shape in wanted if shape not in found), None)
        told = f"none of {missing}" if missing else "too many of them"
        raise Mistake(f"your model's arrays have other shapes than the checkpoint's: {told}.")


def _why_other_logits(model: Any, found: np.ndarray, values: Mapping, images: np.ndarray) -> str:
    sums, own = found.sum(axis=1), model.get_weights()
    kernels, biases = (
        [v for name, v in values.items() if name.endswith(kind)] for kind in ("weights", "biases")
    )
    if np.allclose(sums, 1, atol=1e-3) and (found >= 0).all():
        return "your model ends with probabilities. Logits are asked for: no softmax at the end."
    if not all(any(np.array_equal(kernel, array) for array in own) for kernel in kernels):
        return "the layers fit, but the checkpoint's weights are not in them. Carry them over."
    if not all(any(np.array_equal(bias, array) for array in own) for bias in biases):
        return "the weights are there, the biases are not."
    left_out = {
        "after the convolutions, ReLU is missing.": {"map_relu": False},
        "after FC1, ReLU is missing.": {"unit_relu": False},
        "ReLU is missing everywhere.": {"map_relu": False, "unit_relu": False},
    }
    for sentence, how in left_out.items():
        if np.allclose(found, _logits(values, images, **how), atol=1e-4):
            return sentence
    far = np.abs(found - _logits(values, images)).max()
    return f"the values are in their places, yet a logit is off by {far:.2g}. Compare the layers."
