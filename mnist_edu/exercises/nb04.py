"""Checkers of notebook 04, its measurement of gradients, and six networks to diagnose."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mnist_edu import data
from mnist_edu.errors import needs
from mnist_edu.exercises.checker import Mistake, accuracy, activations, exercise, expect


def gradient_sizes(model, images: np.ndarray, labels: np.ndarray) -> list[float]:
    """Return the mean absolute gradient of the loss for the weights of each dense layer.

    Parameters
    ----------
    model : Keras model that gives probabilities
    images : float32 (n, 784)
    labels : integers (n,)
    """
    keras, tf = needs("keras", "lessons"), needs("tensorflow", "lessons")
    kernels = [layer.kernel.value for layer in model.layers]
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy()(labels, model(images))
    return [float(np.abs(gradient).mean()) for gradient in tape.gradient(loss, kernels)]


# --- Six networks to diagnose --------------------------------------------------------------------

FAULTS = (
    "healthy",
    "shuffled labels",
    "rate too high",
    "rate too low",
    "softmax twice",
    "too few images",
)
RATES = {"rate too high": 0.5, "rate too low": 1e-5}
FEW_IMAGES, SMALL_BATCH = 300, 16


class Case(NamedTuple):
    """What is wrong with a network, and its curves as Keras keeps them."""

    fault: str
    history: dict[str, list[float]]


def train_case(
    letter: str,
    seed: int,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    epochs: int,
) -> Case:
    """Train the network behind a letter from A to F; which fault it has depends on the seed.

    Parameters
    ----------
    train, validation : images float32 (n, 784), and labels, integers (n,)
    """
    keras = needs("keras", "lessons")
    order = np.random.default_rng(seed).permutation(len(FAULTS))
    fault = FAULTS[order["ABCDEF".index(letter)]]
    keras.utils.set_random_seed(seed)
    images, labels = train
    batch_size = 128
    if fault == "too few images":
        images, labels, batch_size = images[:FEW_IMAGES], labels[:FEW_IMAGES], SMALL_BATCH
    if fault == "shuffled labels":
        labels = np.random.default_rng(seed).permutation(labels)
    how = {"epochs": epochs, "batch_size": batch_size, "verbose": 0}
    how |= {"validation_data": validation, "validation_batch_size": 1000}
    return Case(fault, _network_with(fault, keras).fit(images, labels, **how).history)


def _network_with(fault: str, keras):
    dense = keras.layers.Dense
    stack = [keras.Input((784,)), dense(128, "relu"), dense(10, "softmax")]
    if fault == "softmax twice":
        stack.append(keras.layers.Softmax())
    model = keras.Sequential(stack)
    adam = keras.optimizers.Adam(RATES.get(fault, 0.001))
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer=adam, loss=loss, metrics=["accuracy"], steps_per_execution=20)
    return model


# --- Counting, stopping, chance ------------------------------------------------------------------


@exercise
def count_weights(function: Callable[[list[int]], int]) -> None:
    """Check the number of learned values of a dense network, from the sizes of its layers."""
    mistakes = [
        (101632, "these are the weights. Each output of each layer has a bias too."),
        (102554, "the inputs have no biases. Each output has one."),
        (100480, "this is the first layer alone. Add the second."),
        (1003520, "the sizes of all layers multiplied. Multiply neighbours, then add."),
        (101634, "there is one bias for each output, not one for each layer."),
    ]
    wanted = "[784, 128, 10] should give 101,770, not {}."
    expect(function([784, 128, 10]), 101770, mistakes, wanted)
    wanted = "three layers of 128 should give 134,794, not {}."
    expect(function([784, 128, 128, 128, 10]), 134794, [], wanted)


@exercise
def early_stop(function: Callable[[list[float], int], tuple[int, int]]) -> None:
    """Check after which epoch a training ends, and which epoch's weights come back."""
    mistakes = [
        ((2, 4), "the order: first the epoch after which the training ends, then the best one."),
        ((3, 1), "you counted from 0. The first epoch is number 1."),
        ((4, 1), "you counted the best epoch from 0. The first epoch is number 1."),
        ((5, 2), "one epoch too many: after epochs 3 and 4 brought nothing, patience was over."),
        ((5, 5), "epoch 5 is never seen. Compare with the best so far, not with the epoch before."),
        ((4, 5), "you looked ahead: when the training ends, the 0.2 has not been seen."),
        ((4, 4), "the weights of the best epoch come back, not those of the last."),
        ((3, 2), "patience was 2, and it ended after one epoch without a gain."),
        ((4, 0.3), "the second number is an epoch, not its loss."),
    ]
    wanted = "0.5, 0.3, 0.4, 0.35, 0.2 with a patience of 2 should give (4, 2), not {}."
    shape = "return two numbers: after which epoch it ends, and which was best."
    expect(function([0.5, 0.3, 0.4, 0.35, 0.2], 2), (4, 2), mistakes, wanted, shape)
    falls = [
        ((4, 3), "count epochs in a row: a new best starts the count again."),
        ((6, 1), "compare with the best loss so far, not with the first."),
    ]
    wanted = "0.4, 0.6, 0.3, 0.5, 0.2, 0.1 with a patience of 2 should give (6, 6), not {}."
    expect(function([0.4, 0.6, 0.3, 0.5, 0.2, 0.1], 2), (6, 6), falls, wanted)
    wanted = "0.2, 0.5, 0.4, 0.3 with a patience of 3 should give (4, 1), not {}."
    expect(function([0.2, 0.5, 0.4, 0.3], 3), (4, 1), [], wanted)
    wanted = "an equal loss is no gain: 0.3, 0.3, 0.3, 0.2 with 2 should give (3, 1), not {}."
    expect(function([0.3, 0.3, 0.3, 0.2], 2), (3, 1), [], wanted)


@exercise
def by_chance(function: Callable[[list[float], list[float]], float]) -> None:
    """Check the fraction of all choices whose mean is at least that of the second list."""
    mistakes = [
        (0, "the second list is one of the choices, and its mean is as high as itself: count it."),
        (1, "the share of 1 in 20, not the number of choices, and not whether it is so."),
        (0.1, "this counts both directions. The question is about the second being higher."),
        (20, "this is the number of all choices. Divide what you counted by it."),
        (0.95, "these are the choices with a lower mean. Count the others."),
        (1 / 6, "choose as many runs as the second list has, from both lists together."),
    ]
    wanted = "0.90, 0.91, 0.92 against 0.93, 0.94, 0.95 should give 0.05, not {}."
    shape = "give one number for all choices together, not an array of shape {shape}."
    found = function([0.90, 0.91, 0.92], [0.93, 0.94, 0.95])
    expect(found, 0.05, mistakes, wanted, shape)
    mixed = [
        (0.05, "it is about means. This counts where all chosen runs are above all others."),
        (0.2, "a choice with the same mean counts, too: at least as high."),
        (0.3, "sums that should be equal differ in their last digit. Allow for 1e-9."),
    ]
    wanted = "0.91, 0.92, 0.94 against 0.90, 0.95, 0.96 should give {right}, not {}."
    first, second = [0.91, 0.92, 0.94], [0.90, 0.95, 0.96]
    expect(function(first, second), _share(first, second), mixed, wanted)
    first, second = [0.8, 0.9], [0.7, 0.85, 0.95, 0.9]
    wanted = "2 runs against 4 should give {right}, not {}. Lists may differ in length."
    expect(function(first, second), _share(first, second), [], wanted)


def _share(first: list[float], second: list[float]) -> float:
    sums = [sum(chosen) for chosen in itertools.combinations(first + second, len(second))]
    return float(np.mean(np.array(sums) >= sum(second) - 1e-9))


# --- A network of one's own ----------------------------------------------------------------------

MOST_WEIGHTS, WANTED = 30_000, 0.95


@exercise
def small_network(function: Callable, digits: data.Dataset) -> None:
    """Train a learner's network on the training images, and judge it on the validation images."""
    names = getattr(getattr(function.function, "__code__", None), "co_names", ())
    if "test" in names:
        raise Mistake("it uses the test images. They choose nothing and train nothing: leave them.")
    parts = {name: _flat(getattr(digits, name)) for name in ("train", "validation", "test")}
    model = function(*parts["train"])
    if not hasattr(model, "count_params"):
        raise Mistake("return the model itself, not what `fit` or `predict` returns.")
    _judge_form(model)
    reads = {name: accuracy(model, *part) for name, part in parts.items()}
    found = reads["validation"]
    for name in ("validation", "test"):
        if reads[name] > reads["train"] + _luck(reads["train"], len(parts[name][1])):
            told = f"it reads the {name} images better ({reads[name]:.3f}) than the training images"
            raise Mistake(f"{told} ({reads['train']:.3f}). Was it trained with them?")
    if found < WANTED:
        raise Mistake(f"it reads {found:.3f} of the validation images. {_advice(model, reads)}")


def _flat(part: data.Split) -> tuple[np.ndarray, np.ndarray]:
    return data.flatten(data.scale(part.images)), part.labels


def _luck(accuracy: float, count: int) -> float:
    """Return by how much ``count`` images that are new may be read better than known ones."""
    return 0.005 + 4 * float(np.sqrt(accuracy * (1 - accuracy) / count))


def _judge_form(model: Any) -> None:
    """Raise the mistake that shows before the network reads a digit."""
    count = model.count_params()
    if count > MOST_WEIGHTS:
        raise Mistake(f"{count:,} weights and biases are too many. At most 30,000 are allowed.")
    if tuple(model.output_shape) != (None, 10):
        raise Mistake(f"its output has the shape {model.output_shape}. Ten digits need (None, 10).")
    if getattr(model, "optimizer", None) is None or int(model.optimizer.iterations) == 0:
        raise Mistake("it was never trained: call `compile` and `fit` before you return it.")
    if activations(model).count("softmax") > 1:
        raise Mistake("softmax twice: it belongs to the last layer alone, and once.")


def _advice(model: Any, reads: dict[str, float]) -> str:
    """Return the likely reason why a trained network reads too few digits."""
    dense = [layer for layer in model.layers if hasattr(layer, "kernel")]
    inside = [kind for kind in activations(model) if kind not in ("linear", "softmax", "dropout")]
    if len(dense) == 1:
        return "It has no hidden layer: ten weighted sums cannot do more."
    if not inside:
        return "No hidden layer has an activation: then all layers together are one."
    if reads["train"] < 0.2:
        return "That is no more than a guess. Look at the loss, the labels, the learning rate."
    if reads["train"] > WANTED + 0.03:
        return "It knows its training images far better: give it more of them."
    return "It has not learned enough yet: more epochs, a better optimizer, or more units?"
