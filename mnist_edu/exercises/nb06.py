"""Checkers of notebook 06, and the writer and the reader of its TensorBoard log."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_edu.errors import needs
from mnist_edu.exercises.checker import exercise, expect

HISTOGRAM_EDGES = np.linspace(-0.08, 0.08, 65)
HISTOGRAM_CENTRES = (HISTOGRAM_EDGES[1:] + HISTOGRAM_EDGES[:-1]) / 2


def weight_log(folder: Path, model):
    """Return a Keras callback that logs histograms of all weights to ``folder`` after each epoch.

    ``histogram_freq`` of Keras' TensorBoard callback logs the same, but TensorFlow makes 30 float64
    numbers of every weight for it: 770 MB for the dense layer of the series.
    """
    keras, tf = needs("keras", "lessons"), needs("tensorflow", "lessons")
    histograms = needs("tensorboard.plugins.histogram.summary_v2", "lessons")
    writer = tf.summary.create_file_writer(str(folder))

    def write(epoch: int, logs: dict) -> None:
        with writer.as_default(epoch):
            for layer in model.layers:
                for weight in layer.weights:
                    name = f"{layer.name}/{weight.name}/histogram"
                    page = histograms.histogram_pb(name, keras.ops.convert_to_numpy(weight))
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
    events = needs("tensorboard.backend.event_processing.event_accumulator", "lessons")
    tensors = needs("tensorboard.util.tensor_util", "lessons")
    log = events.EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    tag = next(tag for tag in log.Tags()["tensors"] if f"{layer}/kernel/" in tag)
    return {
        f"epoch {event.step + 1}": _rebin(tensors.make_ndarray(event.tensor_proto))
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
    keras = needs("keras", "lessons")
    keras.utils.set_random_seed(seed)
    model.set_weights(network().get_weights())
    for variable in model.optimizer.variables[2:]:  # 0 and 1: steps so far, learning rate
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.iterations.assign(0)


@exercise
def convolution_weights(function: Callable[[int, int, int], int]) -> None:
    """Check the number of learned values of a convolution with biases."""
    all_maps = "a filter looks at all 32 incoming maps, and has weights for each of them."
    mistakes = [
        (51200, "these are the weights. Each filter has a bias too."),
        (1664, all_maps),
        (1600, all_maps),
        (51201, "there is one bias for each filter, not one for the layer."),
        (53248, "a filter has one bias, not one for each incoming map."),
        (10304, "the window is square: its side times its side."),
    ]
    expect(function(5, 32, 64), 51264, mistakes, "5, 32, 64 should give 51,264, not {}.")
    expect(function(5, 1, 32), 832, [], "5, 1, 32 should give 832, not {}.")


@exercise
def side_after(function: Callable[[int, int], int]) -> None:
    """Check the side of a map after a number of 2 x 2 poolings."""
    once = "you divided by 2 x poolings, or pooled only once. Each pooling halves again."
    expect(function(28, 2), 7, [(14, once)], "28 and 2 should give 7, not {}.")
    mistakes = [
        (3.5, "there is no half row. Use //."),
        (4, "a row that is left over is dropped: 7 becomes 3, not 4."),
    ]
    expect(function(28, 3), 3, mistakes, "28 and 3 should give 3, not {}.")
    expect(function(28, 0), 28, [], "without pooling the side stays 28, yours is {}.")
    expect(function(28, 1), 14, [], "28 and 1 should give 14, not {}.")


@exercise
def dropout(function: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> None:
    """Check inverted dropout with a given mask."""
    values = np.arange(1.0, 9.0)
    keep = np.array([1, 0, 0, 1, 0, 0, 0, 0], bool)
    mistakes = [
        (values * keep, "you dropped, but did not enlarge what stays."),
        (values * keep / 0.75, "you divided by the rate. Divide by the part that stays."),
        (values * keep * 0.25, "you made what stays smaller. It must get larger."),
        (values * keep * 2, "you doubled. That is right for a rate of 0.5 only."),
        (values * ~keep * 4, "you kept what should be dropped."),
        (values * 4, "you enlarged, but dropped nothing."),
    ]
    wanted = "expected {right}, got {}."
    expect(function(values, keep, 0.75), values * keep * 4, mistakes, wanted)
