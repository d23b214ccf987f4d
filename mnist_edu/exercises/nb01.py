"""Checkers of notebook 01, and the walk through its graph."""

import functools
from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.checker import Mistake, exercise, expect, numbers
from mnist_edu.synthetic import make_digits


def graph_edges(parts: dict) -> list[tuple[str, str]]:
    """Return which named parts of a TensorFlow 1 graph are needed for which.

    Parameters
    ----------
    parts : dict from name to tensor, variable or operation of one graph

    Returns
    -------
    list of (needed, needing) names. Operations without a name of their own are passed through,
    and a need that follows from two others is left out.
    """
    names = {_operation(part): name for name, part in parts.items()}
    needs = {name: _needed(operation, names) for operation, name in names.items()}
    return [(n, name) for name in needs for n in sorted(_direct(needs[name], needs))]


def _direct(found: set[str], needs: dict[str, set[str]]) -> set[str]:
    return {n for n in found if not any(n in _all_needs(m, needs) for m in found - {n})}


def _all_needs(name: str, needs: dict[str, set[str]]) -> set[str]:
    return needs[name].union(*(_all_needs(n, needs) for n in needs[name]))


def _operation(part):
    return getattr(part, "op", part)


def _needed(operation, names: dict) -> set[str]:
    found, seen = set(), {operation}
    waiting = [operation]
    while waiting:
        current = waiting.pop()
        before = [tensor.op for tensor in current.inputs] + list(current.control_inputs)
        for earlier in before:
            if earlier in names:
                found.add(names[earlier])
            elif earlier not in seen:
                waiting.append(earlier)
            seen.add(earlier)
    return found - {names[operation]}


@exercise
def descend(function: Callable) -> None:
    """Check the weights of gradient descent on one weight, the first one included."""
    weight, rate = 3.0, 0.1
    right = [3, 2.6, 2.28, 2.024]
    mistakes = [
        ([3, 3.4, 3.88, 4.456], "it climbs. The slope points uphill: subtract rate x slope."),
        ([3, -1, 3, -1], "the rate is missing. A step is rate x slope."),
        ([3, 2.6, 2.2, 1.8], "each step uses the first slope. Ask for the slope where you stand."),
        ([3, 2.9, 2.8, 2.7], "each step has the same length. Multiply the rate by the slope."),
        (right[1:], "the first weight is missing: begin the list with it."),
        (right[:-1], "one step too few: three steps make four weights."),
        ([*right, 1.8192], "one step too many: three steps make four weights."),
        (2.024, "that is the last weight. Return the list of all of them."),
    ]
    sentence = "from 3, with the slope 2(w - 1) and the rate 0.1, the weights are {right}, not {}."
    shape = "three steps make four weights, the first included. Yours: {}."
    expect(function(lambda w: 2 * (w - 1), weight, rate, 3), right, mistakes, sentence, shape)
    sentence = "right once. Use the slope, the weight, the rate and the steps that are given."
    again = function(lambda w: 4 * w, -1.0, 0.5, 2)
    expect(again, [-1, 1, -1], [], sentence, sentence)


@exercise
def steps_per_epoch(function: Callable[[int, int], int]) -> None:
    """Check a function of the number of images and the batch size."""
    mistakes = [
        (100 / 55000, "you divided the batch by the images. Turn it round."),
        (55000 * 100, "you multiplied. How many batches fit into the images?"),
    ]
    steps = "55,000 images make 550 batches of 100, and not {}."
    expect(function(55000, 100), 550, mistakes, steps)
    whole = "1,050 images hold 10 whole batches of 100"
    mistakes = [
        (11, f"{whole}. You rounded up."),
        (10.5, "half a step is no step. Use whole division, //."),
    ]
    expect(function(1050, 100), 10, mistakes, f"{whole}, not {{}}.")
    nearest = "you rounded to the nearest whole number. 1,080 images hold 10 whole batches of 100."
    expect(function(1080, 100), 10, [(11, nearest)], "1,080 images hold 10 whole batches, not {}.")
    empty = (
        "99 images do not fill a batch of 100: not a single whole step fits, and the answer is 0."
    )
    expect(function(99, 100), 0, [(1, empty)], "99 images hold no whole batch of 100; yours: {}.")


@exercise
def softmax(function: Callable[[np.ndarray], np.ndarray]) -> None:
    """Check softmax over the rows of an (n, 10) array."""
    logits = np.random.default_rng(0).normal(size=(4, 10)) * 3
    powers = np.exp(logits)
    right = powers / powers.sum(axis=1, keepdims=True)
    alone = "the powers are right, but the rows do not sum to 1 yet. Divide by their sum."
    linear = "you divided the logits themselves. Take np.exp of them first."
    mistakes = [
        (powers, alone),
        (powers / powers.sum(axis=0), "your columns sum to 1. Each row must: sum over axis 1."),
        (powers / powers.sum(), "the whole batch sums to 1. Each row must: sum over axis 1."),
        (logits / logits.sum(axis=1, keepdims=True), linear),
    ]
    shape = "the result has shape {shape}. It must keep the shape (n, 10)."
    expect(function(logits), right, mistakes, shape=shape)
    large = "logits of 1,000 overflow. Subtract each row's largest logit before np.exp."
    expect(function(logits + 1000), right, [], large)


@exercise
def cross_entropy(function: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """Check the mean cross-entropy of (n, 10) probabilities and one-hot labels."""
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet(np.ones(10), size=6)
    labels = np.eye(10)[generator.integers(0, 10, 6)]
    true = probabilities[labels == 1]
    right = -np.log(true).mean()
    mistakes = [
        (-right, "the sign is wrong: the logarithm of a probability is negative."),
        (right * 6, "you summed over the images. Take the mean."),
        (right / 10, "you took the mean over digits too. Sum over the digits."),
        (-np.log2(true).mean(), "you used the logarithm to base 2. Use np.log."),
        (-np.log10(true).mean(), "you used the logarithm to base 10. Use np.log."),
        (1 - true.mean(), "you forgot the logarithm."),
        (-true.mean(), "you forgot the logarithm."),
        (true.mean(), "you forgot the logarithm."),
    ]
    shape = "the result has shape {shape}. The loss is one number: take the mean."
    expect(function(probabilities, labels), right, mistakes, shape=shape)


# --- A learning rate, found by trying ------------------------------------------------------------


@exercise
def best_rate(function: Callable) -> None:
    """Check the choice among rates by the loss after training, which may be nan."""
    losses = {0.01: 1.55, 0.1: 0.61, 0.5: 0.38, 3.0: 0.97, 1000.0: np.nan}
    mistakes = [
        (0.38, "that is the loss. Return the rate that led to it."),
        (1000, "a rate of 1000 gave nan, not a number. Such a training has failed: leave it out."),
        (0.01, "that is the smallest rate, or the one with the highest loss. Look for the lowest."),
        (3, "that is the largest rate that survived. Look for the lowest loss."),
        (_failed, "that is the loss of a training that failed. Return a rate."),
        (2, "that is the place in the list. Return the rate itself."),
    ]
    sentence = "the losses are 1.55, 0.61, 0.38, 0.97 and nan: the rate is {right}, not {}."
    expect(function(losses.get, list(losses)), 0.5, mistakes, sentence)
    turned = "right once, but with the failed rate first in the list it is {right}, not {}."
    first = (
        "with a failed training first in the list you chose it. Leave nan out before you choose."
    )
    rates = [1000.0, 3.0, 0.1]
    expect(function(losses.get, rates), 0.1, [(1000, first)], turned)


def _failed(found: np.ndarray) -> bool:
    return found.size == 1 and bool(np.isnan(found).all())


# --- A network of one's own ----------------------------------------------------------------------

LEAST = 0.7  # of 1,000 digits that the network has not seen
MUCH_INK = """one with much ink gets a large score from any image. \
Which part of the squared distance is still missing?"""


@exercise
def own_network(function: Callable) -> None:
    """Judge the weights and biases that a function makes of images by digits it has not seen."""
    images, labels = _drawn(1000, seed=11)
    W, b = _weights(function(images, labels))
    unseen, true = _drawn(1000, seed=12)
    answers = (unseen @ W + b).argmax(axis=1)
    right = float(np.mean(answers == true))
    if len(np.unique(answers)) == 1:
        raise Mistake(f"your network says {answers[0]} to every image, whatever it shows.")
    if right < LEAST:
        reached = f"your network reads {right:.0%} of 1,000 digits that it has not seen"
        raise Mistake(f"{reached}. Wanted are {LEAST:.0%}.{_advice(W, b, images, labels)}")


@functools.cache
def _drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return embedded digits (count, 784) from 0 to 1, and their labels (count,)."""
    images, labels = make_digits(count, seed=seed)
    return images.reshape(count, 784) / 255, labels.astype(int)


def _weights(found: object) -> list[np.ndarray]:
    if not isinstance(found, list | tuple) or len(found) != 2:
        raise Mistake("return two arrays: the weights W, and the biases b.")
    parts = [numbers(part).astype(float) for part in found]
    for name, part, shape in zip(("W", "b"), parts, ((784, 10), (10,)), strict=True):
        if part.shape != shape:
            turned = " Transpose it: .T" if part.shape == shape[::-1] != shape else ""
            raise Mistake(f"{name} has the shape {part.shape}, but should have {shape}.{turned}")
        if not np.isfinite(part).all():
            raise Mistake(f"{name} holds nan or inf. Was something divided by 0?")
    return parts


def _advice(W: np.ndarray, b: np.ndarray, images: np.ndarray, labels: np.ndarray) -> str:
    """Name the mistake of a nearest mean image that went wrong, where it is one."""
    hot = np.eye(10)[labels]
    sums, means = images.T @ hot, images.T @ hot / hot.sum(axis=0)
    ink = (means**2).sum(axis=0)
    same = "Divide all parts of the squared distance by the same number."
    known = [
        (sums, None, "you added the images of each digit up. Take their mean."),
        (means, 0 * ink, f"the mean images are right. But {MUCH_INK}"),
        (means, ink / 2, "the bias has the wrong sign: a small distance is a large score."),
        (means, -ink, f"the bias is twice too large for these weights. {same}"),
        (2 * means, -ink / 2, f"the bias is too small for these weights. {same}"),
        (-2 * means, ink, "that is the distance, whose smallest value wins. Turn all signs."),
    ]
    for weights, biases, sentence in known:
        if np.allclose(W, weights) and (biases is None or np.allclose(b, biases)):
            return f" Nearly: {sentence}"
    return " Where does a digit of each kind have its ink?"
