"""Checkers of notebook 10: training on several devices and in several processes."""

import json
from collections.abc import Callable

import numpy as np

from mnist_edu.lesson import UNANSWERED, exercise


@exercise
def combine(function: Callable) -> str | None:
    """Check the gradient of a batch, made from those of parts of different size."""
    gradients = [np.array([1.0, 4.0]), np.array([5.0, 0.0])]
    given = [gradient.copy() for gradient in gradients]
    result = function(given, [30, 10])
    if result is None or result is ...:
        return UNANSWERED
    if np.shape(result) != (2,):
        return f"a gradient has one number for each weight, here two; yours: {result}."
    mistakes = [
        ((3.0, 2.0), "this is the plain mean. A part of 30 images counts three times one of 10."),
        ((6.0, 4.0), "this is the sum. Each part counts by its share of the images."),
        ((80.0, 120.0), "divide by the number of all images."),
        ((40.0, 60.0), "you divided by the number of parts. Divide by the number of images."),
        ((4.0, 1.0), "the two numbers of images are swapped."),
        ((0.5 + 1 / 30, 4 / 30), "you divided by the numbers of images. Multiply by the shares."),
    ]
    for wrong, sentence in mistakes:
        if np.allclose(result, wrong):
            return sentence
    if not np.allclose(result, (2, 3)):
        return f"with 30 and 10 images it should be [2, 3]; yours: {result}."
    three = function([np.array([1.0]), np.array([2.0]), np.array([6.0])], [1, 1, 2])
    if not np.allclose(three, 3.75):
        return f"three parts with gradients 1, 2, 6 and 1, 1, 2 images give 3.75; yours: {three}."
    changed = not all(map(np.array_equal, given, gradients))
    return "you changed the gradients that were given to you. Make new ones." if changed else None


@exercise
def team(function: Callable[[list[str], int], str]) -> str | None:
    """Check the text of TF_CONFIG for one worker of a team."""
    addresses = ["10.0.0.1:2222", "10.0.0.2:2222", "10.0.0.3:2222"]
    result = function(list(addresses), 2)
    if result is None or result is ...:
        return UNANSWERED
    if isinstance(result, dict):
        return "this is a dictionary. An environment variable is a text: json.dumps makes it."
    try:
        config = json.loads(result)
    except (TypeError, ValueError):
        return "this is not JSON. json.dumps writes it, with double quotes."
    cluster, task = config.get("cluster", {}), config.get("task", {})
    if "cluster" not in config or "task" not in config:
        return "it has two parts, cluster and task."
    if cluster.get("worker") == addresses[2]:
        return "every worker gets the whole list of addresses, and not only its own."
    if cluster.get("worker") != addresses:
        return "cluster should be a dictionary: under worker stands the list of all addresses."
    if task.get("type") != "worker":
        return "task needs a type, here worker."
    mistakes = {"2": "the index is a number, not a text.", 3: "workers are counted from 0."}
    mistakes |= {0: "each worker has an index of its own.", addresses[2]: "index is a number."}
    right = task.get("index") == 2
    return None if right else mistakes.get(task.get("index"), "the index is wrong.")


@exercise
def ring_bytes(function: Callable[[int, int], float]) -> str | None:
    """Check the bytes that each worker sends in one step."""
    result = function(1000, 4)
    if result is None or result is ...:
        return UNANSWERED
    mistakes = {
        1500: "a weight takes four bytes (float32).",
        3000: "two rounds: once to add up, once to hand out the sums.",
        4000: "this is the gradient once. Multiply by 2 (n - 1) / n.",
        8000: "nobody has to send its own piece to itself: (n - 1) / n.",
        24000: "divide by n: one turn sends one piece, and one worker is asked for.",
        12000: "a gradient of 8-byte numbers would give this. float32 takes four.",
    }
    if not np.isclose(result, 6000):
        return mistakes.get(round(float(result)), f"1,000 weights, 4 workers: 6,000, not {result}.")
    alone = function(1000, 1)
    return None if alone == 0 else f"one worker alone sends nothing; yours: {alone}."


@exercise
def break_even(function: Callable[[float, float, int], float]) -> str | None:
    """Check the batch size at which a team is as fast as one worker."""
    result = function(0.001, 0.02, 4)
    if result is None or result is ...:
        return UNANSWERED
    mistakes = [
        (20, "this is exchange / seconds_per_image. The team still computes its own part."),
        (80, "you left out that n - 1 of n parts are saved, and not one of n."),
        (15, "upside down: divide by the saved part (n - 1) / n."),
        (5, "the saved part is (n - 1) / n of the batch."),
        (3 / 80, "upside down: exchange stands above, seconds_per_image below."),
    ]
    for wrong, sentence in mistakes:
        if np.isclose(result, wrong):
            return sentence
    if not np.isclose(result, 80 / 3):
        return f"0.001 s an image, 0.02 s an exchange, 4 workers: 26.7 images; yours: {result}."
    two = function(0.001, 0.02, 2)
    return None if np.isclose(two, 40) else f"with 2 workers it should be 40; yours: {two}."
