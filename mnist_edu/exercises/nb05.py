"""Checkers of notebook 05, and the writer and the reader of its TensorBoard log."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_edu.lesson import UNANSWERED, exercise

HISTOGRAM_EDGES = np.linspace(-0.08, 0.08, 65)
HISTOGRAM_CENTRES = (HISTOGRAM_EDGES[1:] + HISTOGRAM_EDGES[:-1]) / 2


def weight_log(folder: Path, model):
    """Return a Keras callback that logs histograms of all weights to ``folder`` after each epoch.

    ``histogram_freq`` of Keras' TensorBoard callback logs the same, but TensorFlow makes 30 float64
    numbers of every weight for it: 770 MB for the dense layer of the series.
    """
    import keras
    import tensorflow as tf
    from tensorboard.plugins.histogram.summary_v2 import histogram_pb

    writer = tf.summary.create_file_writer(str(folder))

    def write(epoch: int, logs: dict) -> None:
        with writer.as_default(epoch):
            for layer in model.layers:
                for weight in layer.weights:
                    name = f"{layer.name}/{weight.name}/histogram"
                    page = histogram_pb(name, keras.ops.convert_to_numpy(weight))
                    tf.summary.experimental.write_raw_pb(page.SerializeToString(), step=epoch)
        writer.flush()

    return keras.callbacks.LambdaCallback(on_epoch_end=write)


def weight_histograms(folder: Path, layer: str) -> dict[str, np.ndarray]:
    """Read the histograms of a layer's weights from a TensorBoard log.

    Parameters
    ----------
    folder : the log's folder
    layer : name of the layer

    Returns
    -------
    dict from "epoch 1", ... to the number of weights in each bin around ``HISTOGRAM_CENTRES``
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    log = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    tag = next(tag for tag in log.Tags()["tensors"] if f"{layer}/kernel/" in tag)
    return {
        f"epoch {event.step + 1}": _rebin(make_ndarray(event.tensor_proto))
        for event in log.Tensors(tag)
    }


def _rebin(buckets: np.ndarray) -> np.ndarray:
    """Bring buckets (left, right, count) to our bins, by their cumulative counts."""
    edges = np.concatenate([buckets[:1, 0], buckets[:, 1]])
    below = np.concatenate([[0], np.cumsum(buckets[:, 2])])
    return np.diff(np.interp(HISTOGRAM_EDGES, edges, below))


def start_again(model, network: Callable, seed: int) -> None:
    """Give a compiled model new first weights and an optimizer without memory.

    Training the same model again saves the seconds in which TensorFlow prepares a new one.

    Parameters
    ----------
    model : compiled Keras model
    network : function that makes a network of the same layers
    seed : fixes the first weights and the order of the images
    """
    import keras

    keras.utils.set_random_seed(seed)
    model.set_weights(network().get_weights())
    for variable in model.optimizer.variables[2:]:  # 0 and 1: steps so far, learning rate
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.iterations.assign(0)


@exercise
def convolution_weights(function: Callable[[int, int, int], int]) -> str | None:
    """Check the number of learned values of a convolution with biases."""
    result = function(5, 32, 64)
    if result is None or result is ...:
        return UNANSWERED
    mistakes = {
        51200: "these are the weights. Each filter has a bias too.",
        1664: "a filter looks at all 32 incoming maps, and has weights for each of them.",
        1600: "a filter looks at all 32 incoming maps, and has weights for each of them.",
        51201: "there is one bias for each filter, not one for the layer.",
        53248: "a filter has one bias, not one for each incoming map.",
        10304: "the window is square: its side times its side.",
    }
    if result != 51264:
        return mistakes.get(result, f"5, 32, 64 should give 51,264, not {result}.")
    return (
        None
        if function(5, 1, 32) == 832
        else f"5, 1, 32 should give 832, not {function(5, 1, 32)}."
    )


@exercise
def side_after(function: Callable[[int, int], int]) -> str | None:
    """Check the side of a map after a number of 2 x 2 poolings."""
    twice, thrice, none = function(28, 2), function(28, 3), function(28, 0)
    if twice is None or twice is ...:
        return UNANSWERED
    if twice == 14:
        return "you divided by 2 x poolings, or pooled only once. Each pooling halves again."
    if thrice == 3.5:
        return "there is no half row. Use //."
    if thrice == 4:
        return "a row that is left over is dropped: 7 becomes 3, not 4."
    if none != 28:
        return f"without pooling the side stays 28, yours is {none}."
    right = (twice, thrice) == (7, 3) and function(28, 1) == 14
    return None if right else f"28 and 2 should give 7, 28 and 3 give 3; yours: {twice}, {thrice}."


@exercise
def dropout(function: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> str | None:
    """Check inverted dropout with a given mask."""
    values = np.arange(1.0, 9.0)
    keep = np.array([1, 0, 0, 1, 0, 0, 0, 0], bool)
    result = function(values.copy(), keep.copy(), 0.75)
    if result is None or result is ...:
        return UNANSWERED
    expected = values * keep * 4
    if np.shape(result) != values.shape:
        return f"the shape changed from {values.shape} to {np.shape(result)}."
    mistakes = [
        (values * keep, "you dropped, but did not enlarge what stays."),
        (values * keep / 0.75, "you divided by the rate. Divide by the part that stays."),
        (values * keep * 0.25, "you made what stays smaller. It must get larger."),
        (values * keep * 2, "you doubled. That is right for a rate of 0.5 only."),
        (values * ~keep * 4, "you kept what should be dropped."),
        (values * 4, "you enlarged, but dropped nothing."),
    ]
    for wrong, sentence in mistakes:
        if np.allclose(result, wrong):
            return sentence
    return None if np.allclose(result, expected) else f"expected {expected}, got {result}."
