"""Checkers of notebook 11, and the stored measurements that it shows."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_edu.exercises.checker import Asked, Mistake, exercise, expect

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
    """Check one step of an average of weights that keeps a share of what it was."""
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
