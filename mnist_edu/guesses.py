"""Guesses and exercises of one reader, kept beside the notebook if the reader says so.

Nothing is kept until a cell has called ``lesson.keep_guesses()``. Then a file such as
``guesses-04.json`` stands beside the notebook: of each guess the first, the last and the answer; of
each exercise what its checker said. No name, no time, no code, and nothing is sent.

Which guess is it? The caller does not say. When a cell has ended, IPython tells its text to those
who have asked for it (the event ``post_run_cell``). The calls of ``compare`` in that text stand in
the order in which they were made, so the first belongs to the first, and each names its variable.
This works wherever IPython runs, in Colab too, where the ids of cells are lost.
"""

import ast
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edu.cache import whole
from mnist_edu.show import in_notebook

FORM = "mnist_edu guesses, 1"
COMPARE = ("compare", "compare_people")
SOLUTION = "#@title Solution"  # how a cell with a solution begins
LENGTH = 200  # letters of a guess or a verdict that are kept
TRIES = 30  # different verdicts of an exercise that are kept

_noted: list[tuple] = []  # what the running cell has said so far
_hook: Callable | None = None  # what IPython calls after each cell; None: nothing is kept


def keep_guesses(on: bool = True) -> None:
    """Keep guesses and verdicts of this notebook from here on, in a file beside it; or stop that.

    The file is ``guesses-NN.json`` in the working folder, NN being the notebook's number, known by
    the checkers that it has imported. What is in it already stays. A call in a cell is the only
    way to switch this on: whoever reads the notebook sees that something is kept.
    """
    global _hook
    if not in_notebook():
        print("Guesses are kept in a notebook only.")
        return
    from IPython import get_ipython

    events = get_ipython().events
    if _hook:
        events.unregister("post_run_cell", _hook)
        _hook = None
    if on:
        _hook = _after_cells(Path.cwd(), get_ipython().user_ns)
        events.register("post_run_cell", _hook)
        print("Guesses and results of exercises are kept beside this notebook. Nothing is sent.")
        print("To stop: lesson.keep_guesses(False)")


def note_guess(guess: object, answer: object) -> None:
    """Remember a guess until the cell has ended, if guesses are kept."""
    if _hook:
        _noted.append(("guess", guess, answer))


def note_verdict(checker: str, verdict: str) -> None:
    """Remember what a checker such as ``"nb04.early_stop"`` said, if guesses are kept."""
    if _hook:
        _noted.append(("verdict", checker, verdict))


def compared(code: str) -> list[str]:
    """Return the variable of each comparison in a cell, in order; ``""`` where it is none.

    >>> compared("lesson.compare(guess_short, 0.76)\\nlesson.compare(found[0], 1)")
    ['guess_short', '']
    """
    try:
        calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    calls = [call for call in calls if call.args and _name(call.func) in COMPARE]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return [_name(call.args[0]) if isinstance(call.args[0], ast.Name) else "" for call in calls]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def paired(code: str, said: list) -> dict[str, Any]:
    """Return what was said of each guess in a cell, by the name of its variable.

    A cell that says more than it has calls has a loop: then nobody knows which is which.
    """
    names = compared(code)
    if len(said) > len(names):
        return {}
    return {name: each for name, each in zip(names, said, strict=False) if name}


# --- The file ------------------------------------------------------------------------------------


def read(path: Path) -> dict:
    """Return what is kept in a file.

    Raises
    ------
    ValueError
        If it is not a file of guesses.
    """
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        kept = None
    good = isinstance(kept, dict) and kept.get("form") == FORM
    if not good or not all(isinstance(kept.get(part), dict) for part in ("guesses", "exercises")):
        raise ValueError(f"{path.name} is not a file of guesses")
    return kept


def number_of(names: dict) -> str:
    """Return the number of a notebook by the checkers among its names, or ``""``.

    Some notebooks import the checkers of an earlier one too: the highest number counts.
    """
    modules = [getattr(thing, "__name__", "") for thing in list(names.values())]
    found = [re.fullmatch(r"mnist_edu\.exercises\.nb(\d\d)", str(name)) for name in modules]
    return max((match[1] for match in found if match), default="")


def _after_cells(folder: Path, names: dict) -> Callable:
    """Return what IPython calls after each cell: it writes what the cell has said, if anything."""

    def hook(result: Any) -> None:
        noted = list(_noted)
        _noted.clear()
        code = result.info.raw_cell or ""
        number = number_of(names)
        if not noted or code.startswith(SOLUTION) or not number:
            return
        path = folder / f"guesses-{number}.json"
        try:
            _add(path, code, noted, getattr(names.get("digits"), "source", ""))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            print(f"Guesses are no longer kept: {path.name} cannot be written ({reason}).")
            keep_guesses(False)

    return hook


def _add(path: Path, code: str, noted: list[tuple], source: str) -> None:
    new: dict[str, Any] = {"form": FORM, "guesses": {}, "exercises": {}}
    kept = read(path) if path.exists() else new
    before = json.dumps(kept)
    said = paired(code, [(guess, answer) for kind, guess, answer in noted if kind == "guess"])
    for name, (guess, answer) in said.items():
        if guess is not ...:
            old = kept["guesses"].get(name, {"first": plain(guess)})
            old |= {"last": plain(guess), "answer": plain(answer), "digits": str(source)}
            kept["guesses"][name] = old
    for checker, verdict in (note[1:] for note in noted if note[0] == "verdict"):
        tries = kept["exercises"].setdefault(checker, [])
        if verdict[:LENGTH] not in tries and len(tries) < TRIES:
            tries.append(verdict[:LENGTH])
    if json.dumps(kept) != before:
        with whole(path) as part:
            part.write_text(json.dumps(kept, indent=1, ensure_ascii=False), "utf-8")


def plain(value: Any) -> float | int | str:
    """Return a guess as JSON can hold it: a finite number, or a text."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        number = value.item() if isinstance(value, np.number) else value
        if isinstance(number, int) and abs(number) < 10**15:
            return number
        if isinstance(number, float) and math.isfinite(number):
            return number
    try:
        return str(value)[:LENGTH]
    except ValueError:  # a whole number of thousands of digits
        return "a very large number"
