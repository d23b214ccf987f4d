"""Checkers of notebook 01, and the walk through its graph."""

from collections.abc import Callable

import numpy as np

from mnist_edu.lesson import UNANSWERED, exercise


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
def count_parameters(count: int) -> str | None:
    """Check the number of learned values of 784 inputs and 10 outputs."""
    mistakes = {
        7840: "these are the weights. Each digit has a bias too.",
        794: "the shape of W is (784, 10): multiply its two numbers, do not add them.",
        784: "every pixel has a weight for each of the ten digits.",
        7850 * 4: "these are the bytes. The question is how many numbers.",
        785 * 784: "the network has ten outputs, not 784.",
    }
    if count == 7850:
        return None
    return mistakes.get(count, "count the entries of W, then those of b, and add.")


@exercise
def steps_per_epoch(function: Callable[[int, int], int]) -> str | None:
    """Check a function of the number of images and the batch size."""
    result, rest = function(55000, 100), function(1050, 100)
    if result in (None, ...):
        return UNANSWERED
    if result == 100 / 55000:
        return "you divided the batch by the images. Turn it round."
    if result == 55000 * 100:
        return "you multiplied. How many batches fit into the images?"
    if rest == 11:
        return "1,050 images hold 10 whole batches of 100. You rounded up."
    if rest == 10.5:
        return "half a step is no step. Use whole division, //."
    right = result == 550 and rest == 10 and function(99, 100) == 0
    return None if right else f"55,000 images in batches of 100 are 550 steps, not {result}."


@exercise
def softmax(function: Callable[[np.ndarray], np.ndarray]) -> str | None:
    """Check softmax over the rows of an (n, 10) array."""
    logits = np.random.default_rng(0).normal(size=(4, 10)) * 3
    result = function(logits.copy())
    if result is None or result is ...:
        return UNANSWERED
    powers = np.exp(logits)
    expected = powers / powers.sum(axis=1, keepdims=True)
    if np.shape(result) != (4, 10):
        return f"the result has shape {np.shape(result)}. It must keep the shape (n, 10)."
    if np.allclose(result, powers):
        return "the powers are right, but the rows do not sum to 1 yet. Divide by their sum."
    if np.allclose(result, powers / powers.sum(axis=0)):
        return "your columns sum to 1. Each row must: sum over axis 1."
    if np.allclose(result, powers / powers.sum()):
        return "the whole batch sums to 1. Each row must: sum over axis 1."
    if np.allclose(result, logits / logits.sum(axis=1, keepdims=True)):
        return "you divided the logits themselves. Take np.exp of them first."
    if not np.allclose(result, expected):
        row, column = np.argwhere(~np.isclose(result, expected))[0]
        wrong, right = result[row][column], expected[row, column]
        return f"row {row}, column {column} should be {right:.4f}, yours is {wrong:.4f}."
    with np.errstate(all="ignore"):
        large = function(logits + 1000)
    if not np.allclose(large, expected):
        return "logits of 1,000 overflow. Subtract each row's largest logit before np.exp."
    return None


@exercise
def cross_entropy(function: Callable[[np.ndarray, np.ndarray], float]) -> str | None:
    """Check the mean cross-entropy of (n, 10) probabilities and one-hot labels."""
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet(np.ones(10), size=6)
    labels = np.eye(10)[generator.integers(0, 10, 6)]
    result = function(probabilities.copy(), labels.copy())
    if result is None or result is ...:
        return UNANSWERED
    if np.ndim(result):
        return f"the result has shape {np.shape(result)}. The loss is one number: take the mean."
    true = probabilities[labels == 1]
    expected = -np.log(true).mean()
    mistakes = {
        -expected: "the sign is wrong: the logarithm of a probability is negative.",
        expected * 6: "you summed over the images. Take the mean.",
        expected / 10: "you took the mean over digits too. Sum over the digits.",
        -np.log2(true).mean(): "you used the logarithm to base 2. Use np.log.",
        -np.log10(true).mean(): "you used the logarithm to base 10. Use np.log.",
        1 - true.mean(): "you forgot the logarithm.",
        -true.mean(): "you forgot the logarithm.",
        true.mean(): "you forgot the logarithm.",
    }
    for wrong, sentence in mistakes.items():
        if np.isclose(result, wrong):
            return sentence
    return None if np.isclose(result, expected) else f"expected {expected:.4f}, got {result:.4f}."
