"""Checkers of notebook 12: training on several devices and in several processes."""

import json
from collections.abc import Callable

import numpy as np

from mnist_edu.exercises.checker import Asked, Mistake, exercise, expect


@exercise
def combine(function: Asked) -> None:
    """Check the gradient of a batch, made from those of parts of different size."""
    mistakes = [
        ((3.0, 2.0), "this is the plain mean. A part of 30 images counts three times one of 10."),
        ((6.0, 4.0), "this is the sum. Each part counts by its share of the images."),
        ((80.0, 120.0), "divide by the number of all images."),
        ((40.0, 60.0), "you divided by the number of parts. Divide by the number of images."),
        ((4.0, 1.0), "the two numbers of images are swapped."),
        ((0.5 + 1 / 30, 4 / 30), "you divided by the numbers of images. Multiply by the shares."),
    ]
    wanted = "with 30 and 10 images it should be [2, 3]; yours: {}."
    shape = "a gradient has one number for each weight, here two; yours: {}."
    parts = [np.array([1.0, 4.0]), np.array([5.0, 0.0])]
    expect(function(parts, [30, 10]), [2, 3], mistakes, wanted, shape)
    wanted = "three parts with gradients 1, 2, 6 and 1, 1, 2 images give 3.75; yours: {}."
    parts = [np.array([1.0]), np.array([2.0]), np.array([6.0])]
    expect(function(parts, [1, 1, 2]), [3.75], [], wanted)
    if function.changed:
        raise Mistake("you changed the gradients that were given to you. Make new ones.")


@exercise
def team(function: Callable[[list[str], int], str]) -> None:
    """Check the text of TF_CONFIG for one worker of a team."""
    addresses = ["10.0.0.1:2222", "10.0.0.2:2222", "10.0.0.3:2222"]
    result = function(addresses, 2)
    if isinstance(result, dict):
        text = "An environment variable is a text: json.dumps makes it."
        raise Mistake(f"this is a dictionary. {text}")
    try:
        config = json.loads(result)
    except (TypeError, ValueError):
        raise Mistake("this is not JSON. json.dumps writes it, with double quotes.") from None
    if not isinstance(config, dict) or not {"cluster", "task"} <= set(config):
        raise Mistake("it has two parts, cluster and task.")
    cluster, task = config["cluster"], config["task"]
    if cluster == {"worker": addresses[2]}:
        raise Mistake("every worker gets the whole list of addresses, and not only its own.")
    if not isinstance(cluster, dict) or cluster.get("worker") != addresses:
        under = "under worker stands the list of all addresses"
        raise Mistake(f"cluster should be a dictionary: {under}.")
    if not isinstance(task, dict) or task.get("type") != "worker":
        raise Mistake("task needs a type, here worker.")
    if isinstance(task.get("index"), str):
        raise Mistake("the index is a number, not a text.")
    mistakes = [(3, "workers are counted from 0."), (0, "each worker has an index of its own.")]
    expect(task.get("index"), 2, mistakes, "the index is wrong.")


@exercise
def ring_bytes(function: Callable[[int, int], float]) -> None:
    """Check the bytes that each worker sends in one step."""
    mistakes = [
        (1500, "a weight takes four bytes (float32)."),
        (3000, "two rounds: once to add up, once to hand out the sums."),
        (4000, "this is the gradient once. Multiply by 2 (n - 1) / n."),
        (8000, "nobody has to send its own piece to itself: (n - 1) / n."),
        (24000, "divide by n: one turn sends one piece, and one worker is asked for."),
        (12000, "a gradient of 8-byte numbers would give this. float32 takes four."),
    ]
    expect(function(1000, 4), 6000, mistakes, "1,000 weights, 4 workers: 6,000, not {}.")
    expect(function(1000, 1), 0, [], "one worker alone sends nothing; yours: {}.")


@exercise
def break_even(function: Callable[[float, float, int], float]) -> None:
    """Check the batch size at which a team is as fast as one worker."""
    alone = "this is exchange / seconds_per_image. The team still computes its own part."
    mistakes = [
        (20, alone),
        (80, "you left out that n - 1 of n parts are saved, and not one of n."),
        (15, "upside down: divide by the saved part (n - 1) / n."),
        (5, "the saved part is (n - 1) / n of the batch."),
        (3 / 80, "upside down: exchange stands above, seconds_per_image below."),
    ]
    wanted = "0.001 s per image, 0.02 s per exchange, 4 workers: 26.7 images; yours: {}."
    expect(function(0.001, 0.02, 4), 80 / 3, mistakes, wanted)
    expect(function(0.001, 0.02, 2), 40, [], "with 2 workers it should be 40; yours: {}.")


@exercise
def exchange(function: Callable[[list[np.ndarray], Callable], list[np.ndarray]]) -> None:
    """Check an all-reduce: the sum at every worker, and no worker sends more than in a ring."""
    for n, length in ((3, 6), (4, 10)):
        gradients = [np.arange(length) + 100.0 * worker + 1 for worker in range(n)]
        sent = np.zeros(n, int)
        result = function(gradients, _sender(sent))
        held = expect(
            result,
            np.tile(sum(gradients), (n, 1)),
            [
                (sum(gradients), "this is one sum. Every worker should hold one: a list of them."),
                (np.tile(sum(gradients) / n, (n, 1)), "this is the mean. The sum is asked for."),
                (np.array(gradients), "every worker still holds its own gradient."),
            ],
            lambda found, gradients=gradients: _what_is_missing(found, gradients),
            "each of the workers should hold as many numbers as a gradient has: {shape}.",
        )
        _judge_traffic(sent, held.shape)
    if function.changed:
        raise Mistake("you changed the gradients that were given to you. Make new arrays.")


def _sender(sent: np.ndarray) -> Callable[[int, int, np.ndarray], np.ndarray]:
    """Return a function that carries a piece to another worker, and counts its numbers."""

    def send(sender: int, receiver: int, piece: np.ndarray) -> np.ndarray:
        if not {sender, receiver} <= set(range(len(sent))):
            raise ValueError(f"there is no worker {max(sender, receiver)}: they count from 0")
        if sender != receiver:
            sent[sender] += np.size(piece)
        return np.array(piece)

    return send


def _what_is_missing(found: np.ndarray, gradients: list[np.ndarray]) -> str:
    right = sum(gradients) == found
    if (found > sum(gradients)).any():
        return "some numbers are too large: a finished piece replaces the old one, it is not added."
    if right.any() and (right.sum(axis=1) <= -(-found.shape[1] // len(found))).all():
        return "each worker has one piece of the sum. Hand the finished pieces round as well."
    return f"{right.sum()} of {right.size} numbers are the sum."


def _judge_traffic(sent: np.ndarray, shape: tuple[int, ...]) -> None:
    n, length = shape
    most = 2 * (n - 1) * -(-length // n)
    if not sent.any():
        raise Mistake("the sums are right, but nobody sent anything. Use send.")
    if sent.max() > most:
        told = f"worker {sent.argmax()} sends {sent.max()} numbers, in a ring it would be {most}"
        raise Mistake(f"the sums are right, but {told}. Cut the gradients into pieces.")
    if (sent == 0).any():
        raise Mistake(f"worker {sent.argmin()} sends nothing: the others cannot know its part.")
