"""Checkers of notebook 04, and its measurement of gradients."""

from collections.abc import Callable

import numpy as np

from mnist_edu.errors import needs
from mnist_edu.exercises.checker import Mistake, exercise, expect, numbers


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
def best_epoch(function: Callable[[list[float]], int]) -> None:
    """Check the number of the epoch with the lowest loss, counted from 1."""
    mistakes = [
        (2, "you counted from 0. The first epoch is number 1."),
        (0.2, "this is the lowest loss. The question is in which epoch it was."),
        (1, "this is the epoch with the highest loss."),
        (5, "this is the last epoch, not the best."),
        (4, "you counted from 0 or one too far: the losses are 0.5, 0.3, 0.2, 0.25, 0.4."),
    ]
    wanted = "0.5, 0.3, 0.2, 0.25, 0.4 should give 3, not {}."
    expect(function([0.5, 0.3, 0.2, 0.25, 0.4]), 3, mistakes, wanted)
    expect(function([3.0, 2.0, 1.0, 0.5]), 4, [], "3, 2, 1, 0.5 should give 4, not {}.")


@exercise
def clearly_better(function: Callable[[list[float], list[float]], bool]) -> None:
    """Check whether all runs of the second network beat all runs of the first."""
    clear = numbers(function([0.90, 0.91, 0.92], [0.93, 0.94, 0.95]))
    if not clear.any() and numbers(function([0.93, 0.94], [0.90, 0.91])).any():
        raise Mistake("the other way round: the second network is the one to be better.")
    better = "0.93 to 0.95 is clearly better than 0.90 to 0.92."
    best = "means or best runs are not enough: 0.93 of the second is below 0.94 of the first."
    shape = "give one True or False for all runs together, not an array of shape {shape}."
    expect(clear, True, [], better, shape)
    expect(function([0.90, 0.91, 0.94], [0.93, 0.95, 0.96]), False, [], best)
    expect(function([0.9, 0.9], [0.9, 0.95]), False, [], "a draw is not better.")
