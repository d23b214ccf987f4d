"""What all drawing pads share: pens, from strokes to ten probabilities, and the words for them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_edu import ink

SIDE = 280  # of a pad, whatever its size on a screen: points run from 0 to it, x right and y down
PEN, PENS = 20, (6, 40)  # width of the pen on the same scale, and its thinnest and thickest
SURE = 0.8  # below this probability the answer is in doubt, and the second guess is named too
INVITATION = "Draw a digit from 0 to 9, or press a digit key for an example."


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network sees and reads, or why it reads nothing; all empty for an empty pad."""

    image: np.ndarray | None = None  # uint8 (28, 28), in MNIST's form
    probabilities: np.ndarray | None = None  # float (10,)
    fault: str = ""

    @property
    def best(self) -> int | None:
        """The digit that is read."""
        return None if self.probabilities is None else int(np.argmax(self.probabilities))

    @property
    def short(self) -> str:
        """The digit that is read, with a question mark where it is in doubt; or an empty text."""
        if self.best is None:
            return ""
        return f"{self.best}" if self.probabilities[self.best] >= SURE else f"{self.best}?"

    @property
    def sure(self) -> str:
        """The probability of the digit that is read; or an empty text."""
        return "" if self.best is None else percent(self.probabilities[self.best])

    @property
    def sentence(self) -> str:
        """What is read and how surely, what went wrong, or an invitation."""
        if self.best is None:
            return self.fault or INVITATION
        order = np.argsort(-self.probabilities, kind="stable")[:2]
        first, second = (f"{d} ({percent(self.probabilities[d], 'over')})" for d in order)
        if self.short.endswith("?"):
            return f"The network is not sure: {first}, or {second}."
        return f"The network reads {first}."


def read(predict: Callable, strokes: list, pen: float = PEN) -> Answer:
    """Draw strokes, bring the drawing into MNIST's form, and ask ``predict``; never an error.

    Parameters
    ----------
    predict : takes an image uint8 (28, 28) in MNIST's form, returns ten probabilities, float (10,)
    strokes : list of strokes, each a list of points (x, y) in 0..280
    pen : its width, on the same scale
    """
    if not strokes:
        return Answer()
    try:
        image = ink.to_mnist(ink.draw_strokes(strokes, SIDE, pen))
    except ValueError as error:
        return Answer(fault=f"Nothing to read: {error}.")
    return ask(predict, image)


def ask(predict: Callable, image: np.ndarray) -> Answer:
    """Ask ``predict`` about an image, uint8 (28, 28); whatever it raises is told, not raised."""
    try:
        return Answer(image, ten(predict(image)))
    except Exception as error:  # whatever a learner's function may raise
        first = (str(error).splitlines() or [""])[0][:200]
        return Answer(image, fault=f"predict failed with {type(error).__name__}: {first}")


def ten(values: object) -> np.ndarray:
    """Return ten probabilities, float (10,).

    Raises
    ------
    ValueError
        If there are not ten, or one is outside 0..1 or no number.
    """
    values = np.asarray(values, float)
    if values.shape != (10,):
        raise ValueError(f"it must return ten probabilities of shape (10,), not {values.shape}")
    if not (values.min() >= 0 and values.max() <= 1):  # also where one is not a number
        raise ValueError(f"probabilities lie in 0..1, not from {values.min()} to {values.max()}")
    return values


def percent(value: float, over: str = ">") -> str:
    """Write a probability; nothing but 1 is called 100 %.

    >>> percent(0.07), percent(0.999), percent(0.999, "over"), percent(1)
    ('7 %', '> 99 %', 'over 99 %', '100 %')
    """
    return f"{over} 99 %" if 0.995 <= value < 1 else f"{100 * value:.0f} %"
