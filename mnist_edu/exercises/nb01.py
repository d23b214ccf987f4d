"""Checkers of notebook 01, and the walk through its graph."""

from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.checker import exercise, expect


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
def count_parameters(count: int) -> None:
    """Check the number of learned values of 784 inputs and 10 outputs."""
    mistakes = [
        (7840, "these are the weights. Each digit has a bias too."),
        (794, "the shape of W is (784, 10): multiply its two numbers, do not add them."),
        (784, "every pixel has a weight for each of the ten digits."),
        (7850 * 4, "these are the bytes. The question is how many numbers."),
        (785 * 784, "the network has ten outputs, not 784."),
    ]
    expect(count, 7850, mistakes, "count the entries of W, then those of b, and add.")


@exercise
def steps_per_epoch(function: Callable[[int, int], int]) -> None:
    """Check a function of the number of images and the batch size."""
    mistakes = [
        (100 / 55000, "you divided the batch by the images. Turn it round."),
        (55000 * 100, "you multiplied. How many batches fit into the images?"),
    ]
    steps = "55,000 images in batches of 100 are 550 steps, not {}."
    expect(function(55000, 100), 550, mistakes, steps)
    mistakes = [
        (11, "1,050 images hold 10 whole batches of 100. You rounded up."),
        (10.5, "half a step is no step. Use whole division, //."),
    ]
    expect(function(1050, 100), 10, mistakes, "1,050 images hold 10 whole batches of 100, not {}.")
    expect(function(99, 100), 0, [], "99 images hold no whole batch of 100; yours: {}.")


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
