"""Checkers of notebook 02, and its display of error messages."""

import re
from collections.abc import Callable

from mnist_edu.exercises.checker import Mistake, Unanswered, exercise, expect

FAULTS = {
    3: "an import that Keras no longer has.",
    5: "a shape that names an axis which Keras adds by itself.",
    8: "a TensorFlow function is given something that holds no numbers.",
    11: "look at what the loss is computed from. Where are the answers of the network?",
    16: "read it as Python does in the very first step: which name has no value yet?",
    18: "something that should live as long as the training is made in every step.",
    19: "the last line. What should follow the error, so that the weights move?",
}
SOUND = {
    6: "zeros are a fine start for this model.",
    7: "zeros are a fine start for this model.",
    17: "one-hot labels are what the loss wants. The fault is where the function comes from.",
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
def faulty_lines(lines: list[int]) -> None:
    """Check the numbers of the faulty lines of the program."""
    try:
        named = {int(line) for line in lines}
    except (TypeError, ValueError):
        raise Mistake("write a list of line numbers, such as [1, 2].") from None
    if not named:
        raise Unanswered
    sound = sorted(named - set(FAULTS))
    if sound:
        why = SOUND.get(sound[0], "Look at what it uses.")
        raise Mistake(f"line {sound[0]} is sound. {why}")
    missing = [line for line in FAULTS if line not in named]
    if missing:
        found = f"you found {len(named)} of {len(FAULTS)}. One that is missing:"
        raise Mistake(f"{found} {FAULTS[missing[0]]}")


@exercise
def traces(count: int) -> None:
    """Check the number of traces of seven calls."""
    kinds = "Python numbers are told apart by value, tensors by type and by shape."
    mistakes = [
        (7, "not every call traces. What was seen before is used again."),
        (1, "a trace serves one kind of argument. Here are several kinds."),
        (6, "the call double(2) comes twice, or the two int tensors are one kind."),
        *((number, kinds) for number in (2, 3, 4)),
    ]
    expect(count, 5, mistakes, "seven calls: from 1 to 7 traces.")


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
