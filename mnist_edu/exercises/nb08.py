"""Checkers of notebook 08, and the comparison of a network with its reader."""

from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.checker import Asked, Mistake, exercise, expect
from mnist_edu.guesses import note_guess

# --- Words -------------------------------------------------------------------------------------


def compare_people(guess: object, labels: np.ndarray, predicted: np.ndarray) -> None:
    """Print the reader's labels beside the true ones and the network's, and who agrees."""
    note_guess(guess, list(map(int, labels)))
    print("labels:      ", *labels)
    print("the network: ", *predicted)
    if guess is ...:
        print("No labels of yours written down.")
        return
    if np.shape(guess) != np.shape(labels):
        print(f"Write a list of {len(labels)} digits.")
        return
    yours = np.asarray(guess)
    print("you:         ", *yours)
    agree, fooled = np.sum(yours == labels), np.sum(yours == predicted)
    print(f"You agree with the label {agree} times, with the network {fooled} times.")


# --- Checkers ----------------------------------------------------------------------------------


@exercise
def worst_pair(function: Asked) -> None:
    """Check which true digit is most often read as which other, from counts (k, k)."""
    through = "np.argmax counts through the rows"
    mistakes = [
        (3, f"{through}: 3 is row 1, column 0. Use unravel_index."),
        (4, f"{through}, and the diagonal is right answers."),
        (7, "this is how often. The question is which pair."),
        ((1, 1), "the diagonal holds the right answers. Leave it out."),
        ((0, 1), "the two are swapped: rows are true, columns are predicted."),
    ]
    counts = np.array([[50, 2, 0], [7, 60, 1], [3, 4, 40]])
    wanted = "(1, 0) stands 7 times, {} does not."
    expect(function(counts), (1, 0), mistakes, wanted, shape="give two digits.")
    if function.changed:
        raise Mistake("you changed the matrix that was given to you. Work on a copy.")
    counts = np.array([[9, 0, 6], [3, 50, 5], [0, 2, 9]])
    each = "each direction counts alone: 1 read as 2 is one thing, 2 read as 1 another."
    wanted = "with the 6 in row 0, column 2 it should be (0, 2): {}"
    expect(function(counts), (0, 2), [((1, 2), each), ((2, 1), each)], wanted)


@exercise
def margin(function: Callable) -> None:
    """Check the standard deviation of a measured fraction."""
    share = 18 / 493
    mistakes = [
        (share * (1 - share) / 493, "this is its square. Take the root."),
        (np.sqrt(share * (1 - share)), "divide by the number of images, below the root."),
        (np.sqrt(share * (1 - share)) / 493, "the number of images stands below the root too."),
        (np.sqrt(share / 493), "the factor 1 - p is missing."),
        (np.sqrt(493 * share * (1 - share)), "this is the spread of the count, not of a fraction."),
        (share, "this is the fraction itself. How far does it scatter?"),
    ]
    wanted = "for 18 wrong of 493 it is {right}, not {}."
    expect(function(18, 493), np.sqrt(share * (1 - share) / 493), mistakes, wanted)
    wanted = "for 50 wrong of 200 it is {right}, not {}."
    expect(function(50, 200), np.sqrt(0.25 * 0.75 / 200), [], wanted)


@exercise
def paint(function: Asked) -> None:
    """Check a climb to the image that a network wants to see, by the image that it ends at.

    The "network" of the check is a hill with its top at ``wanted``, partly outside of [0, 1].
    """
    wanted = np.array([[1.5, 0.25, -0.5], [0.75, 0.5, -2.0]])
    start = np.array([[0.5, 0.5, 0.5], [0.25, 0.0, 1.0]])

    def slope(image: np.ndarray) -> np.ndarray:
        return wanted - image

    down = np.clip(start - 100 * slope(start), 0, 1)
    once = np.clip(start + 0.2 * slope(start), 0, 1)
    mistakes = [
        (wanted, "pixels left [0, 1]. Clip them."),
        (down, "this walks downhill: the logit falls. Add the gradient."),
        (once, "only one step was taken. Is the `return` inside the loop?"),
        (
            np.clip(start + 80 * 0.2 * slope(start), 0, 1),
            "ask for the gradient again in each step.",
        ),
        (
            lambda found: found.shape == start.shape and bool((found == start).all()),
            "nothing moved.",
        ),
    ]
    expect(function(slope, start, 80, 0.2), np.clip(wanted, 0, 1), mistakes, _wrong_painting)
    expect(function(slope, start, 1, 0.2), once, [], "one step at a rate of 0.2 ends elsewhere.")
    if function.changed:
        raise Mistake("you changed the image that was given to you. Make a new one.")


def _wrong_painting(found: np.ndarray) -> str:
    if found.min() < 0 or found.max() > 1:
        return "pixels left [0, 1]. Clip them."
    return "after many steps it should be at the top of the hill, {right}, and is at {}."
