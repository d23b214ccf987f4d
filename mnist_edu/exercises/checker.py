"""What all exercises share: the verdict, and the comparison of an answer with known mistakes."""

import copy
import functools
import inspect
import reprlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from mnist_edu.guesses import note_verdict

RIGHT, WRONG, UNANSWERED = "✓ Right.", "✗ Not yet: ", "Not answered yet."


class Mistake(Exception):
    """What is wrong with an answer, as a sentence."""


class Unanswered(Exception):
    """Nothing was written down yet."""


def exercise(problem: Callable[..., None]) -> Callable[..., None]:
    """Turn a function that raises ``Mistake`` for a wrong answer into a checker that tells it.

    The checker prints a verdict and never raises, so that "run all" always goes through.
    ``checker.verdict`` is the function of an answer that returns what would be printed.

    Where the parameter of ``problem`` is named ``function``, the answer is a function, and
    ``problem`` gets it as ``Asked``. A value, or the first result of a function, that is ``...``
    or ``None``, alone or in a list, is unanswered. What else the checker is called with goes on to
    ``problem`` as it is.
    """
    asks_function = "function" in inspect.signature(problem).parameters

    def verdict(answer: object, *given: object) -> str:
        try:
            if _is_open(answer):
                raise Unanswered
            with np.errstate(all="ignore"):
                problem(Asked(answer) if asks_function else answer, *given)
        except Unanswered:
            return UNANSWERED
        except Mistake as mistake:
            return f"{WRONG}{mistake}"
        except Exception as error:
            strange = f"{type(error).__name__}: {error}"
            return f"{WRONG}this is of another kind than what is asked for ({strange})."
        return RIGHT

    @functools.wraps(problem)
    def checker(answer: object, *given: object) -> None:
        said = verdict(answer, *given)
        print(said)
        note_verdict(f"{problem.__module__.split('.')[-1]}.{problem.__name__}", said)

    checker.verdict = verdict
    return checker


class Asked:
    """A learner's function: it gets copies, and what it does wrong becomes a ``Mistake``.

    ``changed`` says whether a call so far has changed what was given to it.
    """

    def __init__(self, function: object):
        if not callable(function):
            kind = f"a function is expected, not {_told(function)}"
            raise Mistake(f"{kind}. Give its name alone, without brackets.")
        self.function, self.answered, self.changed = function, False, False

    def __call__(self, *given: object) -> object:
        own = copy.deepcopy(given)
        try:
            result = self.function(*own)
        except (Exception, SystemExit) as error:
            raise Mistake(f"your answer raised {type(error).__name__}: {error}") from None
        if _is_open(result):
            if not self.answered:
                raise Unanswered
            case = f"it answers once, but gives {_told(result)} for {', '.join(map(_told, given))}"
            raise Mistake(f"{case}. Is a `return` missing in one branch?")
        self.answered, self.changed = True, self.changed or _differ(own, given)
        return result


def expect(
    result: object,
    right: object,
    mistakes: Iterable[tuple] = (),
    otherwise: str | Callable[[np.ndarray], str] = "",
    shape: str = "",
) -> np.ndarray:
    """Compare numbers with known mistakes and with the right answer.

    In all sentences ``{}`` stands for the result, ``{shape}`` for its shape and ``{right}`` for
    the right answer.

    Parameters
    ----------
    result : a number, or an array of any form that NumPy takes
    right : what it should be, in value and in shape
    mistakes : pairs (wrong, sentence): a wrong answer, or a function that knows one when it sees it
    otherwise : the sentence for all other wrong answers, or a function of the result that gives it;
        without it the first wrong number is named
    shape : the sentence for another shape

    Returns
    -------
    array with the numbers of ``result``

    Raises
    ------
    Mistake
        If the result is not the right one.
    """
    brackets = "()" if isinstance(right, tuple) else "[]"
    found, right = numbers(result), np.asarray(right)

    def told(sentence: str) -> Mistake:
        texts = [_text(values, brackets) for values in (found, right)]
        return Mistake(sentence.format(texts[0], right=texts[1], shape=found.shape))

    for wrong, sentence in mistakes:
        if wrong(found) if callable(wrong) else _same(found, wrong):
            raise told(sentence)
    if found.shape != right.shape:
        single = "one number is expected, not an array of shape {shape}."
        changed = f"the shape changed from {right.shape} to {{shape}}."
        raise told(shape or (changed if right.ndim else single))
    if not _same(found, right):
        sentence = otherwise(found) if callable(otherwise) else otherwise
        raise told(sentence or _first_wrong(found, right))
    return found


def accuracy(model: Any, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the fraction of images that a Keras model reads right."""
    return float(np.mean(model.predict(images, batch_size=1000, verbose=0).argmax(1) == labels))


def activations(model: Any) -> list[str]:
    """Return what each layer of a Keras model applies, in small letters, or what kind it is."""
    functions = [getattr(layer, "activation", None) or type(layer) for layer in model.layers]
    return [function.__name__.lower() for function in functions]


def numbers(result: object) -> np.ndarray:
    """Return numbers of any form as an array; raise ``Mistake`` where there are none."""
    try:
        array = np.asarray(result)
        array = array.astype(float) if array.dtype == object else array  # huge whole numbers
    except (TypeError, ValueError, OverflowError):
        array = np.array("")
    if array.dtype.kind not in "biuf":
        raise Mistake(f"numbers are expected, not {_told(result)}.")
    return array


def _same(found: np.ndarray, wanted: object) -> bool:
    """Say whether numbers are equal but for rounding; counts of 1 more or less never are."""
    wanted = np.asarray(wanted, float)
    if found.shape != wanted.shape:
        return False
    near = np.isclose(found, wanted, rtol=1e-5, atol=1e-6)
    return bool((near & (abs(found - wanted) < 0.5)).all())


def _first_wrong(found: np.ndarray, right: np.ndarray) -> str:
    if not right.ndim:
        return "expected {right}, got {}."
    at = next(place for place in np.ndindex(right.shape) if not _same(found[place], right[place]))
    where = ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), at, strict=False))
    return f"{where} should be {_text(right[at])}, not {_text(found[at])}."


def _text(values: np.ndarray, brackets: str = "[]") -> str:
    if np.ndim(values):
        return brackets[0] + ", ".join(map(_text, values)) + brackets[1]
    value = float(values)
    return f"{value:.4g}" if value % 1 and abs(value) < 1000 else f"{value:.10g}"


def _told(value: object) -> str:
    if isinstance(value, np.ndarray) and value.size > 1:
        return f"an array of shape {value.shape}"
    return "a function" if callable(value) else reprlib.repr(value).replace("Ellipsis", "...")


def _is_open(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_open, value))
    return value is None or value is ...


def _differ(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() != other.keys() or any(_differ(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) != len(other) or any(map(_differ, one, other))
    return not np.array_equal(one, other)
