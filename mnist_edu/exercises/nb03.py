"""Checkers of notebook 03, a network by hand."""

from collections.abc import Callable, Sequence

import numpy as np

from mnist_edu.exercises.checker import Mistake, exercise, expect, numbers


@exercise
def pencil_blame(answers: Sequence[float]) -> None:
    """Check the blame of w1, w2, b and v in (3 ReLU(0.5 w1 + w2 + b) - 4) squared."""
    mistakes = [
        ([3, 6, 6, 4], "the slope of the square is **twice** the error."),
        ([2, 4, 4, 8], "the blame on its way to the sum passes the product with v: times 3."),
        ([48, -12, 12, 8], "w1 and w2 get the blame times **their input**, not times themselves."),
        ([6, 12, 12, 12], "v is a factor: its blame is times what it is multiplied with, 2."),
        ([6, 12, 12, 4], "that is the blame behind the product with v. Multiply it by ReLU's 2."),
        ([-6, -12, -12, -8], "all signs are turned. The result is 6, too large by 2."),
        ([12, 12, 12, 8], "the two inputs differ: w1 met 0.5."),
        ([12, 6, 12, 8], "w1 met 0.5 and w2 met 1. You have them the other way round."),
    ]
    shape = "four numbers are expected: the blame of w1, w2, b and v."
    expect(answers, [6, 12, 12, 8], mistakes, _wrong_blame, shape)


def _wrong_blame(found: np.ndarray) -> str:
    right, names = (6, 12, 12, 8), ("w1", "w2", "b", "v")
    wrong = [name for name, one, other in zip(names, found, right, strict=True) if one != other]
    return f"look at {wrong[-1]} again. In front of the square stands 6 - 4 = 2, with a blame of 4."


# --- An activation -------------------------------------------------------------------------------


@exercise
def own_activation(function: Callable) -> None:
    """Check an activation and its slope, whatever it is, by nudging it."""
    z = np.random.default_rng(3).uniform(-3, 3, (5, 8))
    out, slope = _pair(function, z)
    single = np.array([_pair(function, z[:1, i : i + 1])[0][0, 0] for i in range(8)])
    if not np.allclose(single, out[0], rtol=1e-5, atol=1e-6):
        raise Mistake("an output changes with the other numbers of the array: work on each alone.")
    if np.ptp(np.diff(_pair(function, np.arange(-9.0, 10)[:, np.newaxis])[0], axis=0)) < 1e-6:
        raise Mistake("this is a straight line: layers would melt into one. Give it a bend.")
    if np.allclose(out, np.maximum(z, 0)):
        raise Mistake("this is ReLU, which the lesson has. Find another one.")
    far = [_pair(function, np.array([[edge]])) for edge in (-1000.0, 1000.0)]
    if not np.isfinite(far).all():
        raise Mistake("it gives inf or nan for -1000 or 1000: something overflows.")
    right = _nudged(function, z)
    if not right.any():
        raise Mistake("it is flat: its slope is 0 everywhere, and no blame could pass.")
    expect(slope, right, _slope_mistakes(z, out, right), _where(z, right))


def _pair(function: Callable, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return outputs and slopes as arrays; raise ``Mistake`` where there are not two such."""
    found = function(z)
    if not isinstance(found, list | tuple) or len(found) != 2:
        raise Mistake("return two arrays: outputs, slopes.")
    out, slope = (numbers(part).astype(float) for part in found)
    for name, part in (("outputs", out), ("slopes", slope)):
        if part.shape != z.shape:
            raise Mistake(f"z has the shape {z.shape}, but your {name} have {part.shape}.")
    return out, slope


def _nudged(function: Callable, z: np.ndarray, h: float = 1e-6) -> np.ndarray:
    return (_pair(function, z + h)[0] - _pair(function, z - h)[0]) / (2 * h)


def _slope_mistakes(z: np.ndarray, out: np.ndarray, right: np.ndarray) -> list[tuple]:
    instead = "a formula that wants the output got z"
    return [
        (-right, "the slopes have the wrong sign."),
        (out, "the second array holds the outputs again. It should say how steep they are."),
        (1 - z**2, f"{instead}: with a = tanh(z) the slope is 1 - a ** 2."),
        (z * (1 - z), f"{instead}: with the sigmoid's a the slope is a * (1 - a)."),
        ((z > 0) * 1.0, "these are the slopes of ReLU, 0 and 1. Those of your function differ."),
        (np.ones_like(z), "a slope of 1 everywhere is that of no activation at all."),
    ]


def _where(z: np.ndarray, right: np.ndarray) -> Callable[[np.ndarray], str]:
    def told(found: np.ndarray) -> str:
        place = np.unravel_index(np.abs(found - right).argmax(), z.shape)
        both = f"you say {found[place]:.3f}, and nudging says {right[place]:.3f}"
        return f"at z = {z[place]:.3f} {both}. Your formula is not its slope everywhere."

    return told


# --- A network with two hidden layers ------------------------------------------------------------

NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")
SILENT = "silent units take no blame. Multiply it by"
TURNED = "the .T is missing. The matrix is square here, so nothing complains."
FAULTS = {  # what _backward can do wrong
    "relu 2": f"in the second hidden layer {SILENT} (z2 > 0).",
    "relu 1": f"in the first hidden layer {SILENT} (z1 > 0).",
    "relu 1 relu 2": f"in both hidden layers {SILENT} (z > 0).",
    "sum": "every gradient is 6 times too large. The batch has 6 images, and the loss is a mean.",
    "sign": "every sign is turned. The blame of the scores is p - y, not y - p.",
    "W3": f"on the way back through W3 {TURNED}",
    "W2": f"on the way back through W2 {TURNED}",
    "W2 W3": f"on the way back through W2 and W3 {TURNED}",
    "skip": "the first hidden layer gets its blame from the second, through W2, not from the top.",
    "mean bias": "a bias is in every image's sum: add its blame up over the images.",
}


@exercise
def two_hidden_layers(function: Callable) -> None:
    """Check the six gradients of a small network with two hidden layers of ReLU units."""
    given = _small_network(3, sizes=(5, 4, 4, 4), images=6)
    found, right = _six(function(*given), given[0]), _backward(*given)
    for fault, sentence in FAULTS.items():
        if _close(found, _backward(*given, fault)):
            raise Mistake(sentence)
    for i in (5, 4, 3, 2, 1, 0):  # as the blame travels
        if not _close(found[i : i + 1], right[i : i + 1]):
            above = "Is your forward pass right?" if i == 5 else "What lies above it is right."
            raise Mistake(f"the gradient of {NAMES[i]} is not what nudging gives. {above}")
    given = _small_network(4, sizes=(3, 2, 5, 2), images=1)
    if not _close(_six(function(*given), given[0]), _backward(*given)):
        raise Mistake("it is right for 5-4-4-4 units and 6 images, but not for 3-2-5-2 and one.")


def _small_network(seed: int, sizes: Sequence[int], images: int) -> tuple:
    """Return weights, images and one-hot labels; some of the units are silent, some are not."""
    generator = np.random.default_rng(seed)
    weights = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        weights += [generator.normal(size=(inputs, outputs)), generator.normal(size=outputs)]
    labels = generator.integers(0, sizes[-1], images)
    return weights, generator.uniform(size=(images, sizes[0])), np.eye(sizes[-1])[labels]


def _six(found: object, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    if not isinstance(found, list | tuple) or len(found) != 6:
        raise Mistake("return a list of six gradients: of W1, b1, W2, b2, W3 and b3.")
    gradients = [numbers(gradient) for gradient in found]
    for name, gradient, weight in zip(NAMES, gradients, weights, strict=True):
        if gradient.shape != weight.shape:
            shapes = f"{gradient.shape}, but {name} has {weight.shape}"
            raise Mistake(f"the gradient of {name} has the shape {shapes}.")
    return gradients


def _close(found: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> bool:
    pairs = zip(found, right, strict=True)
    return all(np.allclose(one, other, rtol=1e-5, atol=1e-8) for one, other in pairs)


def _backward(weights: list, x: np.ndarray, y: np.ndarray, fault: str = "") -> list[np.ndarray]:
    """Return the six gradients, or what a known mistake makes of them."""
    W1, b1, W2, b2, W3, b3 = weights
    z1 = x @ W1 + b1
    z2 = np.maximum(z1, 0) @ W2 + b2
    a1, a2 = np.maximum(z1, 0), np.maximum(z2, 0)
    powers = np.exp(a2 @ W3 + b3)
    dz3 = (powers / powers.sum(axis=1, keepdims=True) - y) / len(x)
    dz3 = dz3 * (len(x) if fault == "sum" else -1 if fault == "sign" else 1)
    from_top = dz3 @ (W3 if "W3" in fault else W3.T)
    dz2 = from_top * (1 if "relu 2" in fault else z2 > 0)
    from_second = dz2 @ (W2 if "W2" in fault else W2.T)
    dz1 = (from_top if fault == "skip" else from_second) * (1 if "relu 1" in fault else z1 > 0)
    add = np.mean if fault == "mean bias" else np.sum
    return [
        *(x.T @ dz1, add(dz1, axis=0)),
        *(a1.T @ dz2, add(dz2, axis=0)),
        *(a2.T @ dz3, add(dz3, axis=0)),
    ]


# --- Momentum ------------------------------------------------------------------------------------


@exercise
def momentum_step(function: Callable) -> None:
    """Check one step with momentum for two arrays of different shapes."""
    rate, kept = 0.1, 0.9
    w = [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -0.5])]
    v = [np.array([[-0.5, 0.2], [0.4, -0.1]]), np.array([0.3, 1.0])]
    g = [np.array([[3.0, -2.0], [1.0, 5.0]]), np.array([-1.0, 2.0])]
    found = _flat(function(w, v, g, rate, kept))
    weight, velocity, gradient = (np.concatenate([a.ravel() for a in part]) for part in (w, v, g))
    new = kept * velocity - rate * gradient
    short = (1 - kept) * velocity - rate * gradient
    plus = kept * velocity + rate * gradient
    one = velocity - rate * gradient
    mistakes = [
        ([weight + new, velocity], "the old velocities came back. Return the new ones."),
        ([weight + velocity, new], "the weights moved by the old velocity. Use the new one."),
        ([weight - rate * gradient, -rate * gradient], "the old velocity is forgotten."),
        ([weight - rate * gradient, new], "the weights moved by the gradient alone."),
        ([weight + plus, plus], "the sign of the gradient: downhill is minus."),
        ([weight - new, new], "the velocity has its sign already: add it to the weight."),
        ([weight + one, one], "multiply the old velocity by the momentum."),
        ([weight + short, short], "keep 0.9 of the old velocity. You kept 1 - 0.9 of it."),
        ([new, weight + new], "the order: first the list of weights, then that of velocities."),
    ]
    wanted = "the first weight, 1, with velocity -0.5 and gradient 3 should become 0.25."
    expect(found, np.array([weight + new, new]), mistakes, wanted)
    if function.changed:
        raise Mistake("you changed the arrays that you were given. Return new ones.")
    again = _flat(function(w, v, g, 0.5, 0.0))
    wanted = "right once. Use the rate and the momentum that are given."
    expect(again, np.array([weight - 0.5 * gradient, -0.5 * gradient]), [], wanted)


def _flat(found: object) -> np.ndarray:
    """Return all weights in one row and all velocities in another."""
    if not isinstance(found, list | tuple) or len(found) != 2:
        raise Mistake("return two lists: the new weights, the new velocities.")
    rows = []
    for name, part in zip(("weights", "velocities"), found, strict=True):
        if not isinstance(part, list | tuple) or [np.shape(a) for a in part] != [(2, 2), (2,)]:
            raise Mistake(f"the new {name} should be a list of arrays, shaped as the old ones.")
        rows.append(np.concatenate([numbers(a).ravel() for a in part]))
    return np.array(rows)
