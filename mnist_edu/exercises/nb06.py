"""Checkers of notebook 06, its network for the drawing, and its TensorBoard log."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edu.drawings import Layer
from mnist_edu.errors import needs
from mnist_edu.exercises.checker import Mistake, accuracy, activations, exercise, expect

LAYERS = [  # what the notebook builds in Keras, to be drawn before it does
    (28, 28, 1),
    Layer("conv", (28, 28, 32), 832, "", (5, 5)),
    Layer("max-pool", (14, 14, 32), 0, "ReLU", (2, 2)),
    Layer("conv", (14, 14, 64), 51_264, "", (5, 5)),
    Layer("max-pool", (7, 7, 64), 0, "ReLU", (2, 2)),
    Layer("flatten", (3136,)),
    Layer("dense", (1024,), 3_212_288, "ReLU"),
    Layer("dropout\n0.5", (1024,)),
    Layer("dense", (10,), 10_250),
]
HISTOGRAM_EDGES = np.linspace(-0.08, 0.08, 65)
HISTOGRAM_CENTRES = (HISTOGRAM_EDGES[1:] + HISTOGRAM_EDGES[:-1]) / 2


def weight_log(folder: Path, model):
    """Return a Keras callback that logs histograms of all weights, at the start and after epochs.

    ``histogram_freq`` of Keras' TensorBoard callback logs the same, but TensorFlow makes 30 float64
    numbers of every weight for it: 770 MB for the dense layer of the series.
    """
    keras, tf = needs("keras", "lessons"), needs("tensorflow", "lessons")
    histograms = needs("tensorboard.plugins.histogram.summary_v2", "lessons")
    writer, written = tf.summary.create_file_writer(str(folder)), set()

    def write(epochs_done: int) -> None:
        written.add(epochs_done)
        with writer.as_default(epochs_done):
            for layer in model.layers:
                for weight in layer.weights:
                    name = f"{layer.name}/{weight.name}/histogram"
                    page = histograms.histogram_pb(name, keras.ops.convert_to_numpy(weight))
                    tf.summary.experimental.write_raw_pb(page.SerializeToString(), step=epochs_done)
        writer.flush()

    return keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: None if written else write(0),
        on_epoch_end=lambda epoch, logs: write(epoch + 1),
    )


def weight_histograms(folder: Path, layer: str, parts: int = 1) -> dict[str, np.ndarray]:
    """Read the histograms of a layer's weights from a TensorBoard log.

    Parameters
    ----------
    folder : the log's folder
    layer : name of the layer
    parts : steps of the log that make one epoch

    Returns
    -------
    dict from "start", "epoch 1", ... to the weights in each bin around ``HISTOGRAM_CENTRES``
    """
    events = needs("tensorboard.backend.event_processing.event_accumulator", "lessons")
    tensors = needs("tensorboard.util.tensor_util", "lessons")
    log = events.EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    tag = next(tag for tag in log.Tags()["tensors"] if f"{layer}/kernel/" in tag)
    return {
        (f"epoch {round(event.step / parts, 2):g}" if event.step else "start"): _rebin(
            tensors.make_ndarray(event.tensor_proto)
        )
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


def seed_dropout(model, seed: int) -> None:
    """Let the random numbers of a Keras model's dropout layers begin again, from a seed.

    Each dropout layer counts how many it has drawn. A ``.keras`` file does not hold that count.
    """
    for number, layer in enumerate(model.layers):
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([1000 * seed + number, 0])


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


# --- A network of one's own ----------------------------------------------------------------------

MOST_WEIGHTS = 50_000


@exercise
def small_cnn(
    function: Callable,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    wanted: float = 0.985,
) -> None:
    """Train a learner's compiled network for one epoch, and judge it on the validation images.

    Parameters
    ----------
    train, validation : images float32 (n, 28, 28, 1), and labels, integers (n,)
    wanted : the least accuracy on the validation images
    """
    model = function()
    _judge_form(model)
    _judge_loss(model)
    model.fit(*train, batch_size=64, epochs=1, verbose=0)
    found = accuracy(model, *validation)
    if found < wanted:
        told = f"after one epoch it reads {found:.4f} of the validation images, not {wanted}."
        raise Mistake(f"{told} {_advice(model, found)}")


def _judge_form(model: Any) -> None:
    if not hasattr(model, "count_params"):
        raise Mistake("return the model itself, compiled, and not what `compile` or `fit` returns.")
    if not model.built:
        raise Mistake("it has no shapes yet: begin it with keras.Input((28, 28, 1)).")
    if tuple(model.input_shape) != (None, 28, 28, 1):
        raise Mistake(f"it takes {model.input_shape}. The images are (None, 28, 28, 1).")
    if tuple(model.output_shape) != (None, 10):
        raise Mistake(f"its output has the shape {model.output_shape}. Ten digits need (None, 10).")
    count = model.count_params()
    if count > MOST_WEIGHTS:
        largest = max(model.layers, key=lambda layer: layer.count_params())
        told = f"{count:,} weights and biases are too many: at most 50,000. Most of them,"
        kind = type(largest).__name__
        raise Mistake(f"{told} {largest.count_params():,}, are in one {kind} layer.")


def _judge_loss(model: Any) -> None:
    if getattr(model, "optimizer", None) is None:
        raise Mistake("it is not compiled: it needs an optimizer and a loss.")
    if int(model.optimizer.iterations):
        raise Mistake("it has been trained. Return it as `compile` leaves it: the checker trains.")
    takes_logits = getattr(model.loss, "get_config", dict)().get("from_logits", False)
    ends_in_softmax = activations(model)[-1] == "softmax"
    if takes_logits and ends_in_softmax:
        raise Mistake("softmax twice: the last layer has one, and a loss of logits has another.")
    if not takes_logits and not ends_in_softmax:
        raise Mistake("it gives logits, and its loss expects probabilities: from_logits=True.")


def _advice(model: Any, found: float) -> str:
    """Return the likely reason why a network reads too few digits after one epoch."""
    kinds = {type(layer).__name__ for layer in model.layers}
    if not any("Conv" in kind for kind in kinds):
        return "It has no convolution, and so learns each stroke at each place."
    if not {"relu", "leakyrelu", "elu", "gelu", "silu", "tanh"} & set(activations(model)):
        return "No layer has an activation: then all convolutions together are one."
    if found < 0.2:
        return "That is no more than a guess. Is the learning rate too small, or far too large?"
    if not any("Pool" in kind or "Flatten" in kind for kind in kinds):
        return "What brings its maps down to ten numbers?"
    return "A few more filters, one more convolution, or a larger learning rate?"
