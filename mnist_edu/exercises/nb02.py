"""Checkers of notebook 02, and its display of error messages."""

import re
from collections.abc import Callable

import numpy as np

from mnist_edu.errors import needs
from mnist_edu.exercises.checker import Mistake, Unanswered, exercise, expect, numbers

FAULTS = {  # symptom: the line behind it, and a question that leads there
    "A": (19, "the loss is right, and no weight moves. What should follow it?"),
    "B": (16, "read it as Python does in the very first step: which name has no value yet?"),
    "C": (3, "something is imported that Keras no longer has."),
    "D": (11, "the loss does not depend on the weights. What is it computed from?"),
    "E": (8, "a TensorFlow function is given something that holds no numbers."),
    "F": (18, "something that should live as long as the training is made in every step."),
    "G": (5, "a shape names an axis that Keras adds by itself."),
}
BLANK, LAST = (4, 9, 12), 19
SOUND = {
    6: "Zeros are a fine start for this model.",
    7: "Zeros are a fine start for this model.",
    17: "One-hot labels are what the loss wants.",
}


def message(run: Callable[[], object], word: str = "") -> None:
    """Run what fails, and print the type of its error and the first sentence with ``word``."""
    try:
        run()
    except Exception as error:
        text = re.sub(r"\x1b\[\d+m", "", str(error))
        sentences = [part.strip() for part in re.split(r"\n|(?<=\.) ", text) if part.strip()]
        shown = next((part for part in sentences if word in part), (sentences or [""])[0])
        kind = type(error).__name__
        print(f"{kind}: {shown.removeprefix(f'{kind}: ')}")
    else:
        print("no error")


@exercise
def faulty_lines(lines: dict[str, int]) -> None:
    """Check which line of the program is behind each symptom; open ones are left out."""
    if not isinstance(lines, dict):
        raise Mistake('write a line number behind each letter: {"A": 1, "B": 2, ...}.')
    strange = sorted(map(str, set(lines) - set(FAULTS)))
    if strange:
        raise Mistake(f"there is no symptom {strange[0]}. Their letters are A to G.")
    given = {letter: line for letter in FAULTS if (line := lines.get(letter)) not in (None, ...)}
    if not given:
        raise Unanswered
    for letter, line in given.items():
        if line != FAULTS[letter][0]:
            raise Mistake(f"{letter}: {_about_line(letter, line)}")
    missing = [letter for letter in FAULTS if letter not in given]
    if missing:
        found = f"{len(given)} of {len(FAULTS)} are right. {missing[0]} is open"
        raise Mistake(f"{found}: {FAULTS[missing[0]][1]}")


def _about_line(letter: str, line: int) -> str:
    """Return what is wrong with taking a line for the one behind a symptom."""
    if not isinstance(line, int) or not 1 <= line <= LAST:
        return f"write the number of one line, from 1 to {LAST}."
    if line in BLANK:
        return f"line {line} is blank."
    hint = f"Think again: {FAULTS[letter][1]}"
    if line in [faulty for faulty, _ in FAULTS.values()]:
        return f"line {line} has a fault, but another symptom. {hint}"
    return f"line {line} is sound. {SOUND.get(line, hint)}"


@exercise
def slope(function: Callable[[Callable[[float], float], float, float], float]) -> None:
    """Check the central difference of a function at a place."""
    one_way = "you went one way only. Go h up and h down, then divide by the way between."
    mistakes = [
        (12.61, one_way),
        (11.41, one_way),
        (24.02, "from w - h to w + h the way is 2 h, not h."),
        (2.402, "this is the rise. Divide it by the way, 2 h."),
        (-12.01, "the sign is wrong: upper value minus lower value."),
        (0.1201, "/ 2 * h divides by 2 and multiplies by h. Brackets: / (2 * h)."),
        (-25.034, "brackets: (upper - lower) / (2 * h)."),
        (12.0, "this is the exact slope of w ** 3. Your function must work for any f."),
    ]
    wanted = "w ** 3 at 2 with h = 0.1 should give 12.01, not {}."
    expect(function(lambda w: w**3, 2.0, 0.1), 12.01, mistakes, wanted)
    wanted = "5 w ** 2 at -1 should give -10, not {}."
    expect(function(lambda w: 5 * w**2, -1.0, 0.5), -10, [], wanted)


@exercise
def momentum_step(function: Callable) -> None:
    """Check one step of gradient descent with momentum: (weight, velocity) afterwards."""
    old = "the weight is right, but the old velocity came back. Return the new one."
    rate = "the gradient counts with the whole learning rate, not with 1 - momentum."
    mistakes = [
        ((0.25, -0.5), old),
        ((0.5, -0.75), "the weight moved with the old velocity. Work out the new one first."),
        ((0.7, -0.3), "this is gradient descent without memory. Keep 0.9 of the old velocity."),
        ((0.85, -0.15), "the sign of the gradient: downhill is minus."),
        ((1.75, -0.75), "add the velocity to the weight. It has its sign already."),
        ((0.2, -0.8), "multiply the old velocity by the momentum."),
        ((0.52, -0.48), rate),
        ((0.65, -0.35), "keep 0.9 of the old velocity. You kept 1 - 0.9 of it."),
        ((-0.75, 0.25), "the order: weight first, then velocity."),
    ]
    wanted = "1, -0.5, 3, 0.1, 0.9 should give 0.25 and -0.75, not {}."
    shape = "return two numbers: weight, velocity."
    expect(function(1.0, -0.5, 3.0, 0.1, 0.9), (0.25, -0.75), mistakes, wanted, shape)
    once = "right once. Use all five arguments."
    expect(function(0.0, 1.0, -1.0, 0.2, 0.5), (0.7, 0.7), [], once)


@exercise
def decay_step(function: Callable) -> None:
    """Check three steps of gradient descent with weight decay against the same in NumPy."""
    chance = np.random.default_rng(2)
    images, labels = chance.random((6, 4)), np.eye(3)[[0, 1, 2, 2, 1, 0]]
    W, b = chance.normal(size=(4, 3)), chance.normal(size=3)
    rate, decay = 0.25, 0.3
    result = _taken(function, images, labels, W, b, rate, decay)
    right = _decayed(images, labels, W, b, rate, decay)
    expect(result, _row(*right), _decay_mistakes(images, labels, W, b, rate, decay))
    ours = right
    for _ in range(2):
        result = _taken(function, images, labels, *ours, 0.5, 0.1)
        ours = _decayed(images, labels, *ours, 0.5, 0.1)
        once = "right once. Use the rate and the decay that the function is given."
        expect(result, _row(*ours), [], once)


def _taken(function: Callable, images, labels, W, b, rate: float, decay: float) -> np.ndarray:
    """Take one step with the reader's function, and return all its numbers in a row."""
    tf = needs("tensorflow", "lessons")
    images, labels, *both = (np.asarray(part, np.float32) for part in (images, labels, W, b))
    result = function(images, labels, *map(tf.Variable, both), rate, decay)
    two = "return two things, the new weights and the new biases: new_W, new_b."
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake(two)
    new_W, new_b = map(numbers, result)
    if (new_W.shape, new_b.shape) == (np.shape(b), np.shape(W)):
        raise Mistake("the order: new weights first, then new biases.")
    if (new_W.shape, new_b.shape) != (np.shape(W), np.shape(b)):
        shapes = f"{new_W.shape} and {new_b.shape}"
        raise Mistake(f"the shapes must be those of W and b, (4, 3) and (3,), not {shapes}.")
    return _row(new_W, new_b)


def _row(W: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.append(W, b)


def _slopes(images, labels, W, b) -> tuple[np.ndarray, np.ndarray]:
    difference = (_softmax(images @ W + b) - labels) / len(images)
    return images.T @ difference, difference.sum(axis=0)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def _decayed(images, labels, W, b, rate: float, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """Take one step with weight decay in NumPy."""
    slopes_W, slopes_b = _slopes(images, labels, W, b)
    return W - rate * (slopes_W + decay * W), b - rate * slopes_b


def _decay_mistakes(images, labels, W, b, rate: float, decay: float) -> list[tuple]:
    """Return likely wrong steps, and what to say about each."""
    slopes_W, slopes_b = _slopes(images, labels, W, b)
    new_W, new_b = _decayed(images, labels, W, b, rate, decay)
    many, twice = len(images), _twice(images, labels, W, b)
    return [
        (_row(W, b), "nothing has moved. Take the steps away from W and b."),
        (_row(slopes_W, slopes_b), "these are the slopes. Return what W and b are after the step."),
        (_row(W - rate * slopes_W, new_b), "this is the plain step. Where is the pull to zero?"),
        (
            _row(W - rate * (slopes_W - decay * W), new_b),
            "the pull has the wrong sign: it makes large weights larger.",
        ),
        (
            _row(W - rate * slopes_W - decay * W, new_b),
            "the pull counts with the rate, too: rate * (slope + decay * W).",
        ),
        (_row(new_W, new_b - rate * decay * b), "the biases are not pulled. Their step is plain."),
        (
            _row(W + rate * (slopes_W + decay * W), b + rate * slopes_b),
            "this goes uphill. A step goes against the slope.",
        ),
        (
            _row(W - rate * (many * slopes_W + decay * W), b - rate * many * slopes_b),
            "the loss is the sum over the images. Take the mean.",
        ),
        (
            _row(W - rate * (twice[0] + decay * W), b - rate * twice[1]),
            "softmax twice: this loss wants logits, and applies softmax itself.",
        ),
    ]


def _twice(images, labels, W, b) -> tuple[np.ndarray, np.ndarray]:
    """Return the slopes of a loss that takes probabilities for logits."""
    p = _softmax(images @ W + b)
    away = (_softmax(p) - labels) / len(images)
    difference = p * (away - (p * away).sum(axis=1, keepdims=True))
    return images.T @ difference, difference.sum(axis=0)
