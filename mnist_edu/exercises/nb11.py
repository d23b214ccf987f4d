"""Checkers of notebook 11, and the stored measurements that it shows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edu.drawings import Layer
from mnist_edu.exercises.checker import Asked, Mistake, accuracy, exercise, expect

# --- Drawings of the networks --------------------------------------------------------------------

# Rescaling and reshaping learn nothing and are left out; a pooling stands with its convolution.
START = [(28, 28, 1), Layer("conv", (26, 26, 32), 320, "", (3, 3))]
START += [Layer("max-pool", (13, 13, 32), 0, "ReLU", (2, 2))]
START += [Layer("conv", (11, 11, 64), 18_496, "", (3, 3))]
START += [Layer("max-pool", (5, 5, 64), 0, "ReLU", (2, 2)), Layer("flatten,\ndropout", (1600,))]
START += [Layer("dense", (10,), 16_010)]

STRIDED = [(28, 28, 1), Layer("conv,\nstride 2", (12, 12, 12), 312, "ReLU", (5, 5))]
STRIDED += [Layer("conv,\nstride 2", (6, 6, 32), 3_488, "ReLU", (3, 3))]
STRIDED += [Layer("flatten", (1152,)), Layer("dense", (64,), 73_792, "ReLU")]
STRIDED += [Layer("dense", (10,), 650)]

SUMMIT = [(28, 28, 1), Layer("conv,\npool", (14, 14, 48), 1_392, "", (5, 5))]
SUMMIT += [Layer("conv", (14, 14, 72), 31_392, "", (3, 3))]
SUMMIT += [Layer("conv,\npool", (7, 7, 72), 46_944, "", (3, 3))]
SUMMIT += [Layer("conv", (7, 7, 144), 93_888, "", (3, 3))]
SUMMIT += [Layer("conv,\npool", (3, 3, 144), 187_200, "", (3, 3))]
SUMMIT += [Layer("flatten,\ndropout", (1296,)), Layer("dense", (10,), 12_970)]

# --- Stored measurements -------------------------------------------------------------------------


def stored(name: str) -> dict:
    """Return what a benchmark measured, such as ``"race"``; empty where it was never run."""
    path = Path(__file__).parents[1] / "measured" / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def summary_rows(summary: dict, compared_with: str = "", times: bool = True) -> list[dict]:
    """Make table rows of a benchmark's summary: mean seconds and their ratio, accuracy, range.

    Parameters
    ----------
    summary : dict from name to ``{"seeds": n, "seconds": [mean, low, high], "accuracy": [...]}``
    compared_with : the name whose seconds count as 1; the first unless given
    times : show seconds and their ratio
    """
    if not summary:
        nothing = dict.fromkeys(("seconds", "time", "accuracy (%)"), "–")
        return [{"program": "nothing measured yet"} | nothing | {"seeds": 0}]
    first = compared_with if compared_with in summary else next(iter(summary))
    base = summary[first]["seconds"][0]
    rows = []
    for name, row in summary.items():
        mean, low, high = (100 * value for value in row["accuracy"])
        accuracy = f"{mean:.2f} ({low:.2f} to {high:.2f})"
        seconds, ratio = row["seconds"][0], row["seconds"][0] / base
        taken = {"seconds": f"{seconds:.3g}", "time": f"{ratio:.{2 if ratio >= 0.1 else 3}f}"}
        row = (taken if times else {}) | {"accuracy (%)": accuracy, "seeds": row["seeds"]}
        rows.append({"program": name} | row)
    return rows


def per_seed(rows: list[dict], key: str, scale: float = 1.0) -> dict[str, list[float]]:
    """Return a benchmark's numbers by name: ``{"Muon": [0.94, 0.95, 1.02], ...}``, times ``scale``.

    Parameters
    ----------
    rows : such as ``stored("race")["ladder"]``: one dict for each name and seed
    key : ``"seconds"``, ``"steps"`` or ``"accuracy"``
    """
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(scale * row[key])
    return found


def short(value: object) -> str:
    """Write a number with three digits, and anything else as it is."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


# --- Exercises -----------------------------------------------------------------------------------


@exercise
def work_of_a_stride(number: int) -> None:
    """Check the multiplications of 16 filters of 5 x 5 with stride 2 on 28 x 28 x 1, "same"."""
    weights = "these are the weights. Each of them is used at every place."
    mistakes = [
        (28 * 28 * 25 * 16, "these are the places of stride 1. A stride of 2 halves both sides."),
        (28 * 14 * 25 * 16, "the stride halves both sides, not one."),
        (14 * 14 * 25, "this is one filter. There are 16."),
        (14 * 14 * 16, "each place needs all 25 weights of the window."),
        (12 * 12 * 25 * 16, 'this is padding "valid". With "same" and stride 2, 28 becomes 14.'),
        (25 * 16, weights),
        (25 * 16 + 16, weights),
        (14 * 14 * 26 * 16, "biases are added, not multiplied."),
        (2 * 14 * 14 * 25 * 16, "multiplications alone were asked for, without the additions."),
    ]
    wanted = "places of the output x weights of the window x filters."
    expect(number, 14 * 14 * 25 * 16, mistakes, wanted)


@exercise
def triangle(function: Callable[[int, float], np.ndarray]) -> None:
    """Check shares of the rate that rise from 0 to 1 and fall to 0, one a step."""
    time = np.linspace(0, 1, 11)
    right = np.interp(time, [0, 0.3, 1], [0, 1, 0])
    mistakes = [
        (1 - right, "it falls first. It should rise first."),
        (right[::-1], "the top stands at 0.7 of the steps. It should stand at 0.3."),
        (time, "it rises and never falls."),
        (1 - time, "it falls from the start. It should rise first."),
        (np.interp(time, [0, 0.5, 1], [0, 1, 0]), "the top ignores `warm`."),
        (np.minimum(time / 0.3, 1), "after the top it must fall to 0."),
    ]
    shape = "11 steps need 11 shares, shape (11,). Yours: {shape}."
    expect(function(11, 0.3), right, mistakes, "expected {right}, got {}.", shape)
    other = "it is right for 11 steps and 0.3, but not for 21 steps and 0.5."
    expect(function(21, 0.5), 1 - np.abs(np.linspace(-1, 1, 21)), [], other, other)


@exercise
def step_to_orthogonal(function: Asked) -> None:
    """Check one round of 1.5 X - 0.5 X X^T X."""
    x = np.array([[0.5, 0.2, 0.0], [0.1, -0.4, 0.3]])
    cube = x @ x.T @ x
    mistakes = [
        (1.5 * x - 0.5 * x**3, "each number was cubed alone. Multiply matrices, with @."),
        (1.5 * x + 0.5 * cube, "this plus should be a minus: the strengths grow without end."),
        (0.5 * x - 1.5 * cube, "1.5 and 0.5 are swapped."),
        (x - 0.5 * cube, "X itself counts 1.5 times. Like this the strengths shrink."),
        (-0.5 * cube, "1.5 X is missing."),
        (1.5 * x - cube, "the second part counts 0.5 times."),
    ]
    wanted = "the numbers are others than those of 1.5 X - 0.5 X X^T X."
    shape = "the shape changed from (2, 3) to {shape}: X (X^T X), in this order."
    expect(function(x), 1.5 * x - 0.5 * cube, mistakes, wanted, shape)
    if function.changed:
        raise Mistake("you changed the matrix that was given to you. Make a new one.")


@exercise
def running_mean(function: Asked) -> None:
    """Check one step of an average of weights that keeps a fraction of what it was."""
    average, weights = np.array([1.0, -2.0, 0.0]), np.array([2.0, 2.0, 10.0])
    mistakes = [
        (0.1 * average + 0.9 * weights, "swapped: `keep` is the share of the old average."),
        (0.9 * average + weights, "the new weights count (1 - keep) times. The mean would grow."),
        (0.9 * average, "the new weights are missing."),
        ((average + weights) / 2, "this counts both alike. Use `keep`."),
        (weights, "this forgets the average."),
        (average, "nothing changed."),
    ]
    wanted = "expected 0.9 of the average and 0.1 of the weights."
    shape = "an average of 3 weights has 3 numbers. Yours has shape {shape}."
    expect(function(average, weights, 0.9), 0.9 * average + 0.1 * weights, mistakes, wanted, shape)
    half = "it is right for 0.9, but not for 0.5."
    expect(function(average, weights, 0.5), (average + weights) / 2, [], half)
    if function.changed:
        raise Mistake("you changed the average that was given to you. Return a new one.")


# --- A network of one's own ----------------------------------------------------------------------

MOST_WORK, WANTED = 120_000, 0.94


@exercise
def lean_network(
    function: Callable, train: Callable, images: np.ndarray, labels: np.ndarray
) -> None:
    """Judge a learner's cheap network: its form, its multiplications, what it reads once trained.

    Parameters
    ----------
    function : the answer; makes a new, untrained Keras model of 28 x 28 bytes and ten logits
    train : gets the answer, trains a network of it and returns it: the same for everyone
    images, labels : uint8 (n, 28, 28) and (n,), not trained with
    """
    model = function()
    if not hasattr(model, "layers") or not hasattr(model, "predict"):
        raise Mistake("return the model that `network(...)` gives, not its layers.")
    _judge_form(model)
    found = accuracy(train(function), images, labels)
    if found < WANTED:
        raise Mistake(f"it reads {found:.3f} of the validation digits. {_advice(model)}")


def _judge_form(model: Any) -> None:
    """Raise the mistake that shows before any training."""
    if tuple(model.input_shape[1:]) != (28, 28):
        raise Mistake("it does not take images of 28 x 28 bytes. Build it with `network(...)`.")
    if tuple(model.output_shape[1:]) != (10,):
        raise Mistake(f"ten logits should come out, not {tuple(model.output_shape[1:])}. Flatten?")
    if _function(model.layers[-1]) == "softmax":
        raise Mistake("it ends in a softmax, and the loss applies one to logits: softmax twice.")
    for layer in model.layers:
        if layer.weights and _kind(layer) not in ("Conv2D", "Dense", "BatchNormalization"):
            raise Mistake(f"the work of {_kind(layer)} is not counted here: use Conv2D and Dense.")
    work = {i: _multiplications(layer) for i, layer in enumerate(model.layers)}
    total, most = sum(work.values()), max(work, key=work.__getitem__)
    if total > MOST_WORK:
        largest = f"Layer {most}, {_kind(model.layers[most])}, alone takes {work[most]:,}"
        raise Mistake(f"{total:,} multiplications are more than {MOST_WORK:,}. {largest}.")


def _advice(model: Any) -> str:
    """Return the likely reason why a network within the budget reads badly."""
    learning = [layer for layer in model.layers if _kind(layer) in ("Conv2D", "Dense")]
    bent = [layer for layer in model.layers if _kind(layer) in ("ReLU", "Activation")]
    if len(learning) == 1:
        return "It has one layer that learns: softmax regression. It needs a hidden one."
    if not bent and all(_function(layer) == "linear" for layer in learning):
        return "There is no activation between its layers, so together they are one layer."
    spent = sum(map(_multiplications, model.layers))
    if spent < MOST_WORK / 4:
        return f"It spends {spent:,} multiplications. You may spend {MOST_WORK:,}."
    return "Spend the multiplications elsewhere: more filters on smaller maps, perhaps."


def _kind(layer: Any) -> str:
    return type(layer).__name__


def _function(layer: Any) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _multiplications(layer: Any) -> int:
    """Count them for one image: weights without biases, times places of the output."""
    if _kind(layer) not in ("Conv2D", "Dense"):
        return 0
    return int(np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:-1], dtype=int))
