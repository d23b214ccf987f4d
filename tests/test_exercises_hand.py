"""The checkers of notebook 03: other right answers, and each likely mistake with its sentence."""

import numpy as np
import pytest
from cells import exercise_numbers

from mnist_edu.exercises import nb03

RIGHT = "✓ Right."


# --- Exercise 2: other activations that are right, and wrong ones ---------------------------------


def sigmoid(z):
    return 0.5 * (1 + np.tanh(z / 2))


def steep(z):
    return np.tanh(z), 1 - np.tanh(z) ** 2


def softplus(z):
    return np.logaddexp(0, z), sigmoid(z)


def absolute(z):
    return np.abs(z), np.sign(z)


def wave(z):
    return np.sin(z), np.cos(z)


def relu(z):
    return np.maximum(z, 0), (z > 0) * 1.0


def normed(z):
    return z / np.abs(z).max(), np.ones_like(z) / np.abs(z).max()


@pytest.mark.parametrize("function", [steep, softplus, absolute, wave])
def test_every_activation_with_its_own_slope_is_right(function):
    assert nb03.own_activation.verdict(function) == RIGHT


# --- Exercise 3: a right answer written otherwise, and wrong ones ---------------------------------


def two(weights, x, y, *faults):
    """Return the six gradients with loops over the layers, with or without faults."""
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    outputs = [x]
    for W, b in layers[:-1]:
        z = outputs[-1] @ W + b
        outputs.append(z if "linear" in faults else np.maximum(z, 0))
    powers = np.exp(outputs[-1] @ layers[-1][0] + layers[-1][1])
    blame = (powers / powers.sum(axis=1, keepdims=True) - y) / len(x)
    blame = blame * len(x) if "sum" in faults else -blame if "sign" in faults else blame
    gradients = []
    for k in (2, 1, 0):
        bias = blame.mean(axis=0) if "mean bias" in faults else blame.sum(axis=0)
        gradients = [outputs[k].T @ blame, bias, *gradients]
        if k == 0:
            break
        W = layers[k][0]
        back = blame @ (W if f"untransposed {k}" in faults else W.T)
        blame = back if f"no slope {k}" in faults else back * (outputs[k] > 0)
    return gradients


def without(*faults):
    return lambda weights, x, y: two(weights, x, y, *faults)


def from_top(weights, x, y):
    """Give the first hidden layer the blame that belongs to the second."""
    W1, b1, W2, b2, W3, b3 = weights
    z1 = x @ W1 + b1
    powers = np.exp(np.maximum(np.maximum(z1, 0) @ W2 + b2, 0) @ W3 + b3)
    blame = (powers / powers.sum(axis=1, keepdims=True) - y) / len(x) @ W3.T * (z1 > 0)
    return [x.T @ blame, blame.sum(axis=0), *two(weights, x, y)[2:]]


def only_small(weights, x, y):
    gradients = two(weights, x, y)
    return [np.ones_like(g) for g in gradients] if len(x) == 1 else gradients


def one_wrong(i):
    def wrong(weights, x, y):
        gradients = two(weights, x, y)
        gradients[i] = gradients[i] + 0.001
        return gradients

    return wrong


def test_second_hidden_layer_may_be_written_in_any_way():
    assert nb03.two_hidden_layers.verdict(two) == RIGHT
    assert nb03.two_hidden_layers.verdict(lambda *given: tuple(two(*given))) == RIGHT


def test_checker_knows_the_gradients_by_nudging():
    weights, x, y = nb03._small_network(3, (5, 4, 4, 4), 6)

    def loss():
        a = x
        for k in (0, 2):
            a = np.maximum(a @ weights[k] + weights[k + 1], 0)
        powers = np.exp(a @ weights[4] + weights[5])
        return -np.log((powers * y).sum(axis=1) / powers.sum(axis=1)).mean()

    for weight, gradient in zip(weights, nb03._backward(weights, x, y), strict=True):
        for place in np.ndindex(weight.shape):
            kept = weight[place]
            weight[place] = kept + 1e-6
            up = loss()
            weight[place] = kept - 1e-6
            slope = (up - loss()) / 2e-6
            weight[place] = kept
            assert gradient[place] == pytest.approx(slope, abs=1e-7)


# --- Exercise 4 ----------------------------------------------------------------------------------


def momentum(w, v, g, rate, kept):
    new = [kept * a - rate * b for a, b in zip(v, g, strict=True)]
    return [a + b for a, b in zip(w, new, strict=True)], new


def each(make):
    """Return a step that makes (weight, velocity) of each array by itself."""

    def step(w, v, g, rate, kept):
        made = [make(*arrays, rate, kept) for arrays in zip(w, v, g, strict=True)]
        return [pair[0] for pair in made], [pair[1] for pair in made]

    return step


def in_place(w, v, g, rate, kept):
    for weight, velocity, gradient in zip(w, v, g, strict=True):
        velocity *= kept
        velocity -= rate * gradient
        weight += velocity
    return w, v


MISTAKES = [
    (nb03.pencil_blame, [3, 6, 6, 4], "twice"),
    (nb03.pencil_blame, [2, 4, 4, 8], "times 3"),
    (nb03.pencil_blame, [48, -12, 12, 8], "not times themselves"),
    (nb03.pencil_blame, [6, 12, 12, 12], "what it is multiplied with"),
    (nb03.pencil_blame, [6, 12, 12, 4], "Multiply it by ReLU's 2"),
    (nb03.pencil_blame, [-6, -12, -12, -8], "signs are turned"),
    (nb03.pencil_blame, [12, 12, 12, 8], "w1 met 0.5"),
    (nb03.pencil_blame, [12, 6, 12, 8], "other way round"),
    (nb03.pencil_blame, [6, 12, 12], "four numbers"),
    (nb03.pencil_blame, [6, 12, 13, 8], "look at b again"),
    (nb03.pencil_blame, [7, 12, 12, 8], "look at w1 again"),
    (nb03.own_activation, relu, "this is ReLU"),
    (nb03.own_activation, lambda z: (2 * z + 1, np.full_like(z, 2.0)), "straight line"),
    (nb03.own_activation, lambda z: np.tanh(z), "two arrays"),
    (nb03.own_activation, lambda z: (np.tanh(z), 0.5), "your slopes have ()"),
    (nb03.own_activation, lambda z: (np.tanh(z).sum(), z), "your outputs have ()"),
    (nb03.own_activation, normed, "work on each alone"),
    (nb03.own_activation, lambda z: (z**2 * np.exp(z), z), "overflows"),
    (nb03.own_activation, lambda z: (np.tanh(z), np.tanh(z) ** 2 - 1), "wrong sign"),
    (nb03.own_activation, lambda z: (np.tanh(z), np.tanh(z)), "outputs again"),
    (nb03.own_activation, lambda z: (np.tanh(z), 1 - z**2), "1 - a ** 2"),
    (nb03.own_activation, lambda z: (sigmoid(z), z * (1 - z)), "a * (1 - a)"),
    (nb03.own_activation, lambda z: (np.where(z > 0, z, z / 9), (z > 0) * 1.0), "slopes of ReLU"),
    (nb03.own_activation, lambda z: (np.tanh(z), np.ones_like(z)), "no activation at all"),
    (nb03.own_activation, lambda z: (np.tanh(z), np.cos(z)), "not its slope everywhere"),
    (nb03.own_activation, lambda z: (np.sign(z), np.zeros_like(z)), "no blame could pass"),
    (nb03.two_hidden_layers, without("no slope 2"), "second hidden layer"),
    (nb03.two_hidden_layers, without("no slope 1"), "first hidden layer"),
    (nb03.two_hidden_layers, without("no slope 1", "no slope 2"), "both hidden layers"),
    (nb03.two_hidden_layers, without("sum"), "the loss is a mean"),
    (nb03.two_hidden_layers, without("sign"), "not y - p"),
    (nb03.two_hidden_layers, without("untransposed 2"), "through W3 the .T"),
    (nb03.two_hidden_layers, without("untransposed 1"), "through W2 the .T"),
    (nb03.two_hidden_layers, without("untransposed 1", "untransposed 2"), "W2 and W3 the .T"),
    (nb03.two_hidden_layers, from_top, "not from the top"),
    (nb03.two_hidden_layers, without("mean bias"), "add its blame up"),
    (nb03.two_hidden_layers, without("linear"), "Is your forward pass right?"),
    (nb03.two_hidden_layers, one_wrong(0), "gradient of W1 is not"),
    (nb03.two_hidden_layers, one_wrong(3), "gradient of b2 is not"),
    (nb03.two_hidden_layers, lambda *given: two(*given)[::2], "six gradients"),
    (nb03.two_hidden_layers, lambda *given: two(*given)[::-1], "has the shape (4,)"),
    (nb03.two_hidden_layers, only_small, "not for 3-2-5-2"),
    (nb03.momentum_step, each(lambda w, v, g, r, m: (w + m * v - r * g, v)), "old velocities"),
    (nb03.momentum_step, each(lambda w, v, g, r, m: (w + v, m * v - r * g)), "Use the new one"),
    (nb03.momentum_step, each(lambda w, v, g, r, m: (w - r * g, -r * g)), "is forgotten"),
    (nb03.momentum_step, each(lambda w, v, g, r, m: (w - r * g, m * v - r * g)), "gradient alone"),
    (
        nb03.momentum_step,
        each(lambda w, v, g, r, m: (w + m * v + r * g, m * v + r * g)),
        "downhill",
    ),
    (nb03.momentum_step, each(lambda w, v, g, r, m: (w - m * v + r * g, m * v - r * g)), "add it"),
    (nb03.momentum_step, each(lambda w, v, g, r, m: (w + v - r * g, v - r * g)), "by the momentum"),
    (
        nb03.momentum_step,
        each(lambda w, v, g, r, m: (w + (1 - m) * v - r * g, (1 - m) * v - r * g)),
        "1 - 0.9",
    ),
    (nb03.momentum_step, lambda *given: momentum(*given)[::-1], "the order"),
    (nb03.momentum_step, lambda *given: momentum(*given)[0], "list of arrays"),
    (nb03.momentum_step, lambda w, v, g, r, m: momentum(w, v, g, 0.1, 0.9), "that are given"),
    (nb03.momentum_step, in_place, "you changed the arrays"),
    (nb03.momentum_step, each(lambda w, v, g, r, m: (w, v)), "should become 0.25"),
]


@pytest.mark.parametrize(("checker", "answer", "sentence"), MISTAKES)
def test_mistake_is_named(checker, answer, sentence):
    said = checker.verdict(answer)
    assert said.startswith("✗ Not yet: ") and sentence in said


def test_every_checker_knows_several_mistakes():
    checkers = [thing for thing in vars(nb03).values() if hasattr(thing, "verdict")]
    assert len(checkers) == len(exercise_numbers("03")) == 4
    for checker in checkers:
        assert sum(known is checker for known, _, _ in MISTAKES) >= 2


@pytest.mark.parametrize(
    "checker", [nb03.own_activation, nb03.two_hidden_layers, nb03.momentum_step]
)
@pytest.mark.parametrize(
    "answer", [5, "text", lambda: 1, lambda *given: "text", lambda *given: [[]]]
)
def test_strange_answers_get_a_sentence_and_no_error(checker, answer):
    assert checker.verdict(answer).startswith("✗ Not yet: ")
