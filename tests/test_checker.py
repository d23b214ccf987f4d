"""What all checkers promise, whatever the answer: a verdict of one sentence, never an error."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest
from cells import NOTEBOOKS, exercise_numbers, run_cells
from stand_ins import digits
from test_exercises import MODULES, with_marks

from mnist_edu.exercises import nb00, nb02, nb03, nb04, nb05, nb06, nb08, nb09, nb10, nb11, nb12
from mnist_edu.exercises.checker import UNANSWERED, Mistake, exercise, expect

RIGHT = "✓ Right."
CHECKERS = {  # by the name of their module and their own
    (module.__name__[-4:], name): thing
    for module in MODULES.values()
    for name, thing in vars(module).items()
    if hasattr(thing, "verdict")
}
KEEPING = {  # those that ask to leave the arguments as they are
    nb03.momentum_step,
    nb05.layer,
    nb08.worst_pair,
    nb08.paint,
    nb09.lead,
    nb11.step_to_orthogonal,
    nb11.running_mean,
    nb12.combine,
    nb12.exchange,
}


@exercise
def halves(function):
    """Check half of an array, of any length; it must stay as it was."""
    values = np.array([2.0, 4.0])
    mistakes = [(values, "nothing was halved."), (lambda found: found.size > 2, "too many.")]
    expect(function(values), [1, 2], mistakes, "{right} is the half, not {}.")
    expect(function(np.zeros(3)), np.zeros(3), shape="three should stay three, not {shape}.")
    if function.changed:
        raise Mistake("you changed the values.")


@exercise
def count(number):
    """Check a large count."""
    expect(number, 101770, [(101632, "no biases.")])


def half_in_place(values):
    values /= 2
    return values


def half_of_two(values):
    if len(values) == 2:
        return values / 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda values: values / 2, RIGHT),
        (lambda values: [value / 2 for value in values], RIGHT),
        (lambda values: values, "✗ Not yet: nothing was halved."),
        (lambda values: np.zeros(4), "✗ Not yet: too many."),
        (lambda values: values / 4, "✗ Not yet: [1, 2] is the half, not [0.5, 1]."),
        (lambda values: values * np.nan, "✗ Not yet: [1, 2] is the half, not [nan, nan]."),
        (lambda values: 1, "✗ Not yet: the shape changed from (2,) to ()."),
        (lambda values: values[:2] / 2, "✗ Not yet: three should stay three, not (2,)."),
        (lambda values: "1, 2", "✗ Not yet: numbers are expected, not '1, 2'."),
        (lambda values: ["1", "2"], "✗ Not yet: numbers are expected, not ['1', '2']."),
        (lambda values: [[1], [1, 2]], "✗ Not yet: numbers are expected, not [[1], [1, 2]]."),
        (lambda values: len, "✗ Not yet: numbers are expected, not a function."),
        (lambda values: 1 / 0, "✗ Not yet: your answer raised ZeroDivisionError: division by zero"),
        (lambda values: exit("stop"), "✗ Not yet: your answer raised SystemExit: stop"),
        (half_in_place, "✗ Not yet: you changed the values."),
        (
            half_of_two,
            "✗ Not yet: it answers once, but gives None for an array of shape (3,). "
            "Is a `return` missing in one branch?",
        ),
        (7, "✗ Not yet: a function is expected, not 7. Give its name alone, without brackets."),
        *((stub, UNANSWERED) for stub in (..., None)),
        *((lambda values, r=r: r, UNANSWERED) for r in (..., None, (1, ...), [None], ([...], 2))),
    ],
)
def test_answer_that_is_a_function_gets_its_verdict(answer, said, capsys):
    assert halves(answer) is None
    assert capsys.readouterr().out == f"{said}\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (101770, RIGHT),
        (np.float32(101770), RIGHT),
        (101632, "✗ Not yet: no biases."),
        (101771, "✗ Not yet: expected 101770, got 101771."),
        (0.25, "✗ Not yet: expected 101770, got 0.25."),
        ("101770", "✗ Not yet: numbers are expected, not '101770'."),
        ([101770], "✗ Not yet: one number is expected, not an array of shape (1,)."),
        (..., UNANSWERED),
        (None, UNANSWERED),
    ],
)
def test_answer_that_is_a_value_gets_its_verdict(answer, said):
    assert count.verdict(answer) == said


def test_surprise_in_the_checker_itself_is_told_too():
    @exercise
    def careless(answer):
        answer.no_such_name()

    assert "of another kind than what is asked for (AttributeError" in careless.verdict("a")


# --- All exercises -------------------------------------------------------------------------------


def test_every_exercise_has_a_checker():
    notebooks = [path.name[:2] for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")]
    assert len(CHECKERS) == sum(len(exercise_numbers(notebook)) for notebook in notebooks)


VALUES = [7, 1.5, float("nan"), "7", b"7", [], {}, {1}, 1j, 10**400, [[1], [1, 2]], np.ones((3, 3))]
STRANGE = [*VALUES, np.full((4, 10), np.nan), np.array("text"), object(), len, np.array([None, 1])]


GIVEN = {  # what a checker gets beside the answer
    nb00.rules_for_seven: [digits(20, 10, 10).test],
    nb00.sturdy_features: [digits(20, 10, 10)],
    nb04.small_network: [digits(20, 10, 10)],
    nb06.small_cnn: [
        (np.zeros((8, 28, 28, 1)), np.zeros(8)),
        (np.zeros((8, 28, 28, 1)), np.zeros(8)),
    ],
    nb10.own_pipeline: [lambda images: np.zeros(len(images), int)],
    nb11.lean_network: [
        lambda make: make(),
        digits(20, 10, 10).test.images,
        digits(20, 10, 10).test.labels,
    ],
}


@pytest.mark.parametrize(
    "checker", [with_marks(checker) for checker in CHECKERS.values()], ids=map(".".join, CHECKERS)
)
def test_strange_answer_gets_a_sentence(checker):
    for value in STRANGE:
        for answer in (value, lambda *given, value=value: value):
            said = checker.verdict(answer, *GIVEN.get(checker, ()))
            empty = checker is nb02.faulty_lines and said == UNANSWERED and not value
            assert said.startswith("✗ Not yet: ") or empty, value
            assert "of another kind" not in said, value


@pytest.fixture(scope="module")
def solutions():
    """Return pairs of a checker and a function, the solution that its notebook gives it.

    Those that need digits are left out.
    """
    found = []
    for module in sorted({module for module, _ in CHECKERS}):
        kept = {
            name: lambda answer, *given, checker=checker: found.append((checker, answer))
            for (where, name), checker in CHECKERS.items()
            if where == module
        }
        names = {module: SimpleNamespace(**kept), "np": np, "json": json, "digits": None}
        names["parts"] = SimpleNamespace(validation=None)
        names |= dict.fromkeys(("train_x", "train_y", "validation_x", "validation_y", "wanted"))
        names |= dict.fromkeys(("short_training", "read_labels"))
        names["tf"] = pytest.importorskip("tensorflow") if module == "nb02" else None
        names["keras"] = keras = pytest.importorskip("keras") if module == "nb07" else None
        names["layers"] = keras and keras.layers
        for number in exercise_numbers(module[2:]):
            run_cells(module[2:], f"ex-{number}-solution", **names)
    return [pair for pair in found if callable(pair[1]) and pair[0] not in GIVEN]


def destroying(answer):
    """Return a function that answers, and empties all that it was given."""

    def run(*given):
        result = copy.deepcopy(answer(*given))
        for thing in given:
            if isinstance(thing, np.ndarray):
                thing[...] = 0
            elif isinstance(thing, list | dict):
                thing.clear()
        return result

    return run


@pytest.mark.tensorflow
def test_solution_gets_copies_and_is_told_where_it_must_not_change_them(solutions):
    for checker, answer in solutions:
        said = checker.verdict(destroying(answer))
        changed = said.startswith("✗ Not yet: you changed the ")
        assert changed if checker in KEEPING else said == RIGHT


def forgetful(answer, calls):
    """Return a function that answers the first call alone; ``calls`` keeps all of them."""

    def run(*given):
        calls.append(given)
        return answer(*given) if len(calls) == 1 else None

    return run


@pytest.mark.tensorflow
def test_solution_that_forgets_to_return_later_is_told_so(solutions):
    asked_again = 0
    for checker, answer in solutions:
        calls = []
        said = checker.verdict(forgetful(answer, calls))
        assert "Is a `return` missing" in said if len(calls) > 1 else said == RIGHT
        asked_again += len(calls) > 1
    assert asked_again > 20
