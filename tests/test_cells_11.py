"""Notebook 11: its optimizers beside their formulas, its ladder rung by rung, without training.

``test_race.py`` has what the cells share with the benchmarks.
"""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from stand_ins import about, digits, listen, shifts

tf = pytest.importorskip("tensorflow", reason="TensorFlow is missing")

import keras  # noqa: E402

from mnist_edu import data, lesson, plots  # noqa: E402
from mnist_edu.exercises import nb11  # noqa: E402

pytestmark = pytest.mark.slow
DIGITS = digits()
SETTINGS = {"seed": 3, "train_images": 300, "start_images": 120, "summit_images": 40}
SETTINGS |= {"summit_epochs": 4, "judged_images": 60, "timed_runs": 3, "ruler_images": 100}
GUESSES = ("layer", "share", "pull", "strength", "margin", "frozen", "strided", "averaging", "race")
GUESSES += ("ablation", "gpu", "shift")
DEFINITIONS = ("prepare", "network", "fit", "count", "fastest", "layer-seconds", "step-seconds")
DEFINITIONS += (
    "other-seconds",
    "profile",
    "batch",
    "operations",
    "strided",
    "one-cycle",
    "orthogonal",
    "optimizers",
    "batches",
    "train",
)
DEFINITIONS += (
    "trimmed",
    "patches",
    "frozen",
    "ladder",
    "failures",
    "augment",
    "summit-network",
    "settle",
    "nine",
    "judge",
)
DEFINITIONS += ("summit-recipes", "narrow")


@pytest.fixture
def names(monkeypatch):
    return {
        **{"np": np, "tf": tf, "keras": keras, "layers": keras.layers, "time": time},
        **{"data": data, "lesson": lesson, "plots": plots, "nb11": nb11, "digits": DIGITS},
        **{"kept": listen(monkeypatch)},
        **SETTINGS,
        **{f"guess_{name}": ... for name in GUESSES},
    }


def run(names, *ids, **more):
    return run_cells("11", *ids, **names | more)


@pytest.fixture
def built(names):
    return run(names, *DEFINITIONS)


def kinds(model):
    """Return the layers as text: filters and window of a convolution, units of a dense layer."""
    found = []
    for layer in model.layers:
        name = type(layer).__name__
        if name == "Conv2D":
            how = f"{layer.filters} {layer.kernel_size[0]} {layer.strides[0]} {layer.padding}"
            found.append(f"{how} {layer.activation.__name__}" + (" bias" if layer.use_bias else ""))
        elif name == "Dense":
            found.append(f"{layer.units} {layer.activation.__name__}")
        elif name == "Dropout":
            found.append(f"Dropout {layer.rate}")
        else:
            found.append(name)
    return found


@about("11", "parameters, prepare", "other numbers than the lesson speaks of, or other splits")
def test_settings_and_splits(built):
    found = run_cells("11", "parameters")
    wanted = dict(train_images=55_000, start_images=10_000, summit_images=1_000, summit_epochs=8)
    wanted |= dict(judged_images=2_000, timed_runs=50, ruler_images=10_000)
    assert {name: found[name] for name in wanted} == wanted
    for name in ("train", "validation", "test"):
        part, count = getattr(DIGITS, name), 300 if name == "train" else 10_000
        np.testing.assert_array_equal(built[f"{name}_x"], part.images[:count], err_msg=name)
        np.testing.assert_array_equal(built[f"{name}_y"], part.labels[:count], err_msg=name)


START = ["Rescaling", "Reshape"]
POOLED = ["MaxPooling2D", "ReLU"]
STRIDED = ["12 5 2 valid relu bias", "32 3 2 same relu bias", "Flatten"]
SIXTEEN = ["Cropping2D", "16 5 2 valid relu bias", "32 3 2 same relu bias", "Flatten"]
NETWORKS = {
    "keras_example": [
        *("32 3 1 valid linear bias", *POOLED, "64 3 1 valid linear bias", *POOLED),
        *("Flatten", "Dropout 0.5"),
    ],
    "record": [
        *("24 5 1 valid linear bias", *POOLED, "32 3 1 valid linear bias", *POOLED),
        *("Flatten", "256 relu"),
    ],
    "strided": [*STRIDED, "64 relu"],
    "trimmed": ["Cropping2D", *STRIDED, "64 relu"],
    "sixteen": [*SIXTEEN, "64 relu"],
    "without_dense": SIXTEEN,
    "normalised": [
        *("Cropping2D", "16 5 2 valid linear bias", "BatchNormalization", "ReLU"),
        *("32 3 2 same linear bias", "BatchNormalization", "ReLU", "Flatten", "64 relu"),
    ],
}


@pytest.mark.parametrize("name", NETWORKS)
@about(
    "11",
    "network, strided, trimmed, frozen, failures",
    "a network has another layer than the one described",
)
def test_networks_of_the_race_layer_by_layer(built, name):
    model = built[name]()
    assert kinds(model) == [*START, *NETWORKS[name], "10 linear"]
    x = np.array([[[0, 33], [79, 255]]], np.uint8)
    np.testing.assert_allclose(model.layers[0](x)[0], (x[0] - 33.0) / 79, atol=1e-5)


@about("11", "course-networks", "a network of an earlier notebook is another one")
def test_networks_of_the_course_have_the_weights_of_their_notebooks(built):
    course = run(built, "course-networks", start_model="start")["course"]
    counts = {n: m.count_params() for n, m in course.items() if m != "start"}
    assert list(course)[5] == "Keras' example" and course["Keras' example"] == "start"
    assert counts == {
        "01 softmax": 7_850,
        "04 three layers": 134_794,
        "04 one wide layer": 814_090,
        "06 small CNN": (25 + 1) * 16 + (25 * 16 + 1) * 36 + (7 * 7 * 36 + 1) * 128 + 1290,
        "06 CNN": 3_274_634,
        "record": (25 + 1) * 24 + (9 * 24 + 1) * 32 + (800 + 1) * 256 + 2570,
        "strided": (25 + 1) * 12 + (9 * 12 + 1) * 32 + (6 * 6 * 32 + 1) * 64 + 650,
    }
    assert kinds(course["06 CNN"])[-2] == "Dropout 0.5"


@about("11", "summit-network", "the summit has another layer, or width, bias or dropout is ignored")
def test_summit_layer_by_layer(built):
    plan = [(48, 5, True), (72, 3, False), (72, 3, True), (144, 3, False), (144, 3, True)]

    def wanted(width, normalise, dropout):
        stack = []
        for filters, size, pool in plan:
            bias = "" if normalise else " bias"
            stack += [f"{int(width * filters)} {size} 1 same linear{bias}"]
            stack += ["MaxPooling2D"] * pool + ["BatchNormalization"] * normalise + ["ReLU"]
        return [*START, *stack, "Flatten", f"Dropout {dropout}", "10 linear"]

    model = built["summit"]()
    assert kinds(model) == wanted(1, True, 0.3)
    assert kinds(built["summit"](False, 0.0, 0.5)) == wanted(0.5, False, 0.0)
    momenta = {layer.momentum for layer in model.layers if hasattr(layer, "momentum")}
    assert momenta == {0.9}


def places(size, window, stride, padding):
    """Count the places of a window by walking it."""
    if padding == "same":
        return len(range(0, size, stride))
    return len(range(0, size - window + 1, stride))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2])
@about("11", "count, operations, ex-1", "not weights without biases times places of the output")
def test_multiplications_are_counted_by_walking(built, stride, padding):
    layers = keras.layers
    convolution = layers.Conv2D(6, 5, strides=stride, padding=padding)
    stack = [
        keras.Input((28, 28, 3)),
        convolution,
        layers.MaxPool2D(),
        layers.Flatten(),
        layers.Dense(7),
    ]
    model = keras.Sequential(stack)
    count, side = built["multiplications"], places(28, 5, stride, padding)
    wanted = [side**2 * 6 * 5 * 5 * 3, 0, 0, (side // 2) ** 2 * 6 * 7]
    assert [count(layer) for layer in model.layers] == wanted
    assert built["operations"](model) == 2 * (3 * sum(wanted) - wanted[0])
    work = run_cells("11", "ex-1-solution", nb11=SimpleNamespace(work_of_a_stride=id))["work"]
    assert work == places(28, 5, 2, "same") ** 2 * 5 * 5 * 16


@about("11", "look-layer, stride-table", "the answer or the table belongs to another layer")
def test_most_work_is_where_the_answer_says(built):
    course = {"record": built["record"](), "strided": built["strided"]()}
    found = run(
        built, "look-layer", "stride-table", start_model=built["keras_example"](), course=course
    )
    first, second, last = built["kept"].tables[0]
    works = [int(row["multiplications"].replace(",", "")) for row in (first, second, last)]
    assert works == [26 * 26 * 9 * 32, 11 * 11 * 9 * 32 * 64, 16_000]
    assert max(works) == works["abc".index(built["kept"].compared[0])]
    assert found["counted"] == {"record": 24 * 24 * 25 * 24, "strided": 12 * 12 * 25 * 12}
    assert found["total"]["strided"] == 12 * 12 * 25 * 12 + 36 * 9 * 12 * 32 + 1152 * 64 + 640


@about(
    "11",
    "fit, start",
    "another optimizer, batch, seed or split, or seconds of another number of images",
)
def test_the_start_is_trained_by_keras_and_timed_for_a_thousand_images(built, monkeypatch):
    asked = {}

    class Model:
        def compile(self, optimizer, loss):
            asked.update(optimizer=optimizer, loss=loss)

        def fit(self, *args, **how):
            asked.update(fit=args, how=how)

    seeds = []
    monkeypatch.setattr(keras.utils, "set_random_seed", seeds.append)
    model, told = built["fit"]("x", "y", Model, seed=7, epochs=2, callbacks=("show",))
    assert isinstance(model, Model) and seeds == [7] and told["seconds"] == told["steps"] > 0
    assert asked["fit"] == ("x", "y", 128, 2) and asked["how"] == {
        "verbose": 0,
        "callbacks": ["show"],
    }
    assert asked["optimizer"] == "adam" and asked["loss"].from_logits

    def fit(x, y, make, **how):
        asked.update(x=x, y=y, make=make, seed=how["seed"])
        return "model", {"seconds": 0.6}

    def accuracy(model, x, y):
        assert (model, x is built["validation_x"], y is built["validation_y"]) == (
            "model",
            True,
            True,
        )
        return 0.5

    found = run(built, "start", fit=fit, accuracy=accuracy)
    np.testing.assert_array_equal(asked["x"], built["train_x"][:120])
    np.testing.assert_array_equal(asked["y"], built["train_y"][:120])
    assert asked["make"] is built["keras_example"] and asked["seed"] == 3
    assert found["start_seconds"] == pytest.approx(0.6 / 0.12) and found["start_accuracy"] == 0.5


@about("11", "fit (accuracy)", "not the share of largest logits at the label")
def test_accuracy_is_the_share_read_right(built):
    logits = np.random.default_rng(0).normal(size=(200, 10))
    model = SimpleNamespace(predict=lambda images, **_: logits[: len(images)])
    wanted = np.mean(logits.argmax(1) == DIGITS.test.labels)
    assert built["accuracy"](model, DIGITS.test.images, DIGITS.test.labels) == wanted


@about("11", "fastest, matrix", "the first run is timed too, or not the shortest of the others")
def test_fastest_is_the_shortest_run_after_the_first(built, monkeypatch):
    lasts, now, done = iter([0.001, 5.0, 3.0, 4.0]), [0.0], []

    def work():
        now[0] += next(lasts)
        done.append(1)

    clock = SimpleNamespace(perf_counter=lambda: now[0])
    fastest = run(built, "fastest", time=clock)["fastest"]
    assert fastest(work) == pytest.approx(3) and len(done) == 4
    asked = []
    found = run(built, "matrix", fastest=lambda work, runs: asked.append(work()) or 0.5)
    assert found["matrix_speed"] == 2 * 1024**3 / 0.5
    np.testing.assert_allclose(asked[0], np.matmul(found["matrix"], found["matrix"]), atol=1e-2)


@about("11", "layer-seconds, profile", "a layer is timed with another input or other gradients")
def test_each_layer_is_timed_forward_and_backward_with_its_own_input(built):
    layer_seconds = run(built, "layer-seconds", fastest=lambda work: work())["layer_seconds"]
    layer, x = (
        keras.layers.Dense(3),
        tf.constant(np.random.default_rng(0).random((5, 4)), tf.float32),
    )
    layer(x)  # it has its weights now
    y, gradients = layer_seconds(layer, x, is_first=False)
    np.testing.assert_allclose(y, layer(x), rtol=1e-5)
    ones = np.ones((5, 3))
    wanted = [x.numpy().T @ ones, ones.sum(0), ones @ layer.kernel.numpy().T]
    for found, right in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4)
    assert len(layer_seconds(layer, x, is_first=True)[1]) == 2
    asked = []
    keep = lambda layer, x, first: asked.append((layer, x, first)) or 0.002  # noqa: E731
    model = built["strided"]()
    rest, images = [], built["train_x"][:4]
    more = {"layer_seconds": keep, "loss_seconds": lambda *how: rest.append(how) or 0.003}
    more["optimizer_seconds"] = lambda *how: rest.append(how) or 0.004
    found = run(built, "profile", **more)["profile"](model, images, [1, 2, 3, 4], "update")
    assert list(found) == [
        *("0 Rescaling 28 x 28", "1 Reshape 28 x 28 x 1", "2 Conv2D 12 x 12 x 12"),
        *("3 Conv2D 6 x 6 x 32", "4 Flatten 1152", "5 Dense 64", "6 Dense 10", "loss", "optimizer"),
    ]
    assert [*found.values()] == [2.0] * 7 + [3.0, 4.0]
    assert [first for _, _, first in asked] == [True] * 3 + [False] * 4
    for layer, x, _ in asked:
        assert x.shape[1:] == layer.input.shape[1:], layer.name
    (logits, labels), (weights, update) = rest
    np.testing.assert_allclose(logits, model(images), atol=1e-5)
    assert labels.numpy().tolist() == [1, 2, 3, 4] and update == "update"
    assert [id(w) for w in weights] == [id(w) for w in model.trainable_variables]


@about("11", "other-seconds", "the loss has another gradient, or the optimizer gets other shapes")
def test_loss_and_optimizer_are_timed_as_in_a_step(built):
    found = run(built, "other-seconds", fastest=lambda work: work())
    logits = tf.constant(np.random.default_rng(0).normal(size=(4, 10)), tf.float32)
    gradient = found["loss_seconds"](logits, tf.constant([3, 1, 4, 1]))
    wanted = (tf.nn.softmax(logits).numpy() - np.eye(10)[[3, 1, 4, 1]]) / 4
    np.testing.assert_allclose(gradient, wanted, atol=1e-6)
    weights = [tf.Variable(part) for part in weights_and_gradients()[0]]
    asked = []
    found["optimizer_seconds"](weights, asked.extend)
    assert [part.shape for part in asked] == [weight.shape for weight in weights]


@about("11", "profile-finish-parts", "a profile changes the network that is read afterwards")
def test_the_last_profile_leaves_the_weights_as_they_are(built):
    model = built["strided"]()
    before = [weight.numpy() for weight in model.trainable_variables]
    batch = built["train_x"][:8], built["train_y"][:8].astype(np.int32)
    found = run(built, "profile-finish-parts", fast_model=model, batch=batch)
    assert found["printed"].startswith("parts: ") and found["parts"]["optimizer"] > 0
    for old, weight in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())


@about("11", "step-seconds", "what is timed is not one training step with Adam")
def test_a_timed_step_is_one_step_of_adam(built):
    run_step = run(built, "step-seconds", fastest=lambda step: step())["step_seconds"]
    model = built["network"](keras.layers.Flatten())
    x, y = built["train_x"][:32], built["train_y"][:32].astype(np.int32)
    W, b = model.get_weights()
    flat = (x.reshape(32, 784) - 33.0) / 79
    powers = np.exp(flat @ W + b)
    difference = (powers / powers.sum(1, keepdims=True) - np.eye(10)[y]) / 32
    run_step(model, x, y)
    pairs = zip((W, b), model.get_weights(), (flat.T @ difference, difference.sum(0)), strict=True)
    for before, after, gradient in pairs:
        clear = np.abs(gradient) > 5e-3
        assert clear.any()
        step = Adam(0.001, 0.9, 0.999).step(gradient, 1)
        np.testing.assert_allclose((before - after)[clear], step[clear], atol=2e-5)


@about("11", "course-steps, course-table", "a share or a time stands beside another network")
def test_share_of_the_machine_is_operations_of_the_batch_over_time(built):
    course = {"a": built["strided"](), "Keras' example": built["record"]()}
    seconds = {id(course["a"]): 0.5, id(course["Keras' example"]): 0.25}
    asked = []

    def step_seconds(model, images, labels):
        asked.append((images.shape, labels.dtype))
        return seconds[id(model)]

    more = {"course": course, "step_seconds": step_seconds, "matrix_speed": 1e9}
    assert len(built["batch"][0]) == 128 and built["batch"][1].dtype == np.int32
    found = run(built, "course-steps", "course-table", **more)
    for name, model in course.items():
        wanted = 128 * built["operations"](model) / seconds[id(model)] / 1e9
        assert found["shares"][name] == pytest.approx(wanted), name
    assert built["kept"].compared == [found["shares"]["Keras' example"]]
    assert asked == [((128, 28, 28), np.int32)] * 2
    rows = built["kept"].tables[0]
    assert [row["network"] for row in rows] == list(course)
    assert rows[0]["share"] == f"{found['shares']['a']:.0%}"


@about("11", "one-cycle, ex-2", "the rate climbs or falls otherwise")
def test_one_cycle_climbs_in_a_tenth_of_the_steps_and_falls_to_nothing(built):
    for steps in (10, 430):
        gone = (np.arange(steps) + 0.5) / steps
        wanted = np.where(gone < 0.1, 0.1 + 0.9 * gone / 0.1, (1 - gone) / 0.9)
        np.testing.assert_allclose(built["one_cycle"](steps), wanted, atol=1e-6)
    assert built["constant"](3).tolist() == [1, 1, 1]
    triangle = run_cells("11", "ex-2-solution", np=np, nb11=SimpleNamespace(triangle=id))[
        "triangle"
    ]
    np.testing.assert_allclose(triangle(5, 0.5), [0, 0.5, 1, 0.5, 0])
    np.testing.assert_allclose(triangle(6, 0.2), [0, 1, 0.75, 0.5, 0.25, 0], atol=1e-12)


def polar(gradient, rounds=3):
    """What Muon makes of a gradient, by its singular values: s becomes a s + b s^3 + c s^5."""
    matrix = np.reshape(gradient, (-1, gradient.shape[-1])).astype(float)
    left, strengths, right = np.linalg.svd(matrix, full_matrices=False)
    strengths = strengths / np.sqrt((strengths**2).sum())
    for _ in range(rounds):
        strengths = 3.4445 * strengths - 4.775 * strengths**3 + 2.0315 * strengths**5
    step = left @ np.diag(strengths) @ right * max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
    return step.reshape(gradient.shape)


@pytest.mark.parametrize("shape", [(3, 3, 2, 6), (5, 9), (9, 5)])
@about("11", "orthogonal", "another polynomial, number of rounds or scale")
def test_orthogonal_does_to_each_strength_what_the_polynomial_does(built, shape):
    gradient = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(built["orthogonal"](gradient), polar(gradient), atol=1e-4)


class Adam:
    """D. Kingma and J. Ba, "Adam", 2015, algorithm 1."""

    def __init__(self, rate, first, second, epsilon=1e-7):
        self.how, self.m, self.v, self.t = (rate, first, second, epsilon), 0.0, 0.0, 0

    def step(self, gradient, factor):
        rate, first, second, epsilon = self.how
        self.t += 1
        self.m = first * self.m + (1 - first) * gradient
        self.v = second * self.v + (1 - second) * gradient**2
        m, v = self.m / (1 - first**self.t), self.v / (1 - second**self.t)
        return rate * factor * m / (np.sqrt(v) + epsilon)


def weights_and_gradients():
    shapes = [(3, 3, 1, 4), (4,), (8, 5), (5,), (5, 10), (10,)]
    chance = np.random.default_rng(1)
    start = [chance.normal(size=shape).astype(np.float32) for shape in shapes]
    gradients = [
        [chance.normal(size=shape).astype(np.float32) for shape in shapes] for _ in range(4)
    ]
    return start, gradients, (0.3, 1.0, 0.5, 0.1)


@pytest.mark.parametrize(
    ("name", "rate", "memories"), [("adam", 0.01, (0.7, 0.9)), ("slow_adam", 0.001, (0.9, 0.999))]
)
@about("11", "optimizers, ladder", "not Adam with this rate and these memories")
def test_adam_steps_as_its_paper_says(built, name, rate, memories):
    start, gradients, factors = weights_and_gradients()
    weights = [tf.Variable(part) for part in start]
    update = built[name](weights)
    own = [Adam(rate, *memories) for _ in start]
    for some, factor in zip(gradients, factors, strict=True):
        update([tf.constant(part) for part in some], factor)
        start = [w - o.step(g, factor) for w, o, g in zip(start, own, some, strict=True)]
    for found, wanted in zip(weights, start, strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-5)


@about(
    "11",
    "optimizers, ladder",
    "not Muon for the kernels between and Adam for biases and the last layer",
)
@pytest.mark.parametrize(("name", "rate"), [("muon", 0.035), ("fast_muon", 0.06)])
def test_muon_steps_hidden_kernels_and_leaves_the_rest_to_adam(built, name, rate):
    start, gradients, factors = weights_and_gradients()
    weights = [tf.Variable(part) for part in start]
    update = built[name](weights)
    own, mean = [Adam(0.01, 0.7, 0.9) for _ in start], {0: 0.0, 2: 0.0}
    for some, factor in zip(gradients, factors, strict=True):
        update([tf.constant(part) for part in some], factor)
        for i, gradient in enumerate(some):
            if i in mean:
                mean[i] = 0.6 * mean[i] + gradient
                start[i] = start[i] - rate * factor * polar(gradient + 0.6 * mean[i])
            else:
                start[i] = start[i] - own[i].step(gradient, factor)
    for i, (found, wanted) in enumerate(zip(weights, start, strict=True)):
        np.testing.assert_allclose(found, wanted, atol=5e-5, err_msg=f"weights {i}")


@about("11", "look-strength, strength-figure", "strengths of another gradient or layer")
def test_strengths_are_those_of_the_second_convolution(built):
    batch = built["train_x"][:32], built["train_y"][:32].astype(np.int32)
    found = run(
        built,
        "look-strength",
        "strength-figure",
        batch=batch,
        course={"strided": built["strided"]()},
    )
    assert found["kernel"] is found["model"].layers[3].kernel and found["kernel"].shape == (
        3,
        3,
        12,
        32,
    )
    for name, matrix in (
        ("gradient", found["gradient"]),
        ("Muon's step", polar(found["gradient"].numpy())),
    ):
        wanted = np.linalg.svd(np.reshape(matrix, (108, 32)), compute_uv=False)
        np.testing.assert_allclose(found["strengths"][name], wanted, atol=1e-3, rtol=1e-2)
    gradient = found["strengths"]["gradient"]
    assert built["kept"].compared == [gradient[0] / gradient[15]]
    _, (curves,), _ = built["kept"].drawn[-1]
    np.testing.assert_allclose(curves["gradient"], gradient)
    step, bare = curves["Muon's step"], curves["without the factor"]
    np.testing.assert_allclose(step / bare, np.full(32, (108 / 32) ** 0.5))


@about("11", "pull, look-pull", "not the polynomial of Muon, or the weak number is another")
def test_plain_numbers_are_pulled_as_the_strengths_of_a_matrix_are(built):
    run(built, "pull", "look-pull")
    step = polar(np.diag([10, 0.1])) * 1.0
    rows = built["kept"].tables[0]
    assert [row["rounds"] for row in rows] == [*range(6)]
    wanted = [f"{value:.3f}" for value in np.diag(step)]
    assert [rows[3]["strong"], rows[3]["weak"]] == wanted
    assert built["kept"].compared == [float(wanted[1])]


@about("11", "matrix-pull-text", "the factors named in the text are others than the code's")
def test_factors_of_the_text_are_those_of_the_code(built):
    hidden = [
        weight for weight in built["strided"]().trainable_variables[:-2] if len(weight.shape) > 1
    ]
    found = []
    for weight in hidden:
        gradient = np.random.default_rng(0).normal(size=weight.shape).astype(np.float32)
        rows = int(np.prod(weight.shape[:-1]))
        ours = np.linalg.norm(built["orthogonal"](gradient)) / np.linalg.norm(
            polar(gradient) / max(1, rows / weight.shape[-1]) ** 0.5
        )
        found.append(round(float(ours), 2))
        assert rows > weight.shape[-1], "the published factor would not be 1"
    assert found == [1.44, 1.84, 4.24]


@about("11", "averaged, last-and-mean", "the mean is another, or its network is judged as the last")
def test_averaged_weights_are_a_running_mean_of_those_of_muon(built):
    start, gradients, factors = weights_and_gradients()
    found = run(built, "averaged")
    weights, plain = ([tf.Variable(part) for part in start] for _ in range(2))
    update, reference = found["averaged_muon"](weights), built["muon"](plain)
    wanted = [part.copy() for part in start]
    for some, factor in zip(gradients, factors, strict=True):
        for step in (update, reference):
            step([tf.constant(part) for part in some], factor)
        wanted = [0.95 * w + 0.05 * p.numpy() for w, p in zip(wanted, plain, strict=True)]
    for mean, right, weight, other in zip(found["means"], wanted, weights, plain, strict=True):
        np.testing.assert_allclose(mean, right, atol=1e-5)
        np.testing.assert_allclose(weight, other, atol=1e-6)


@about("11", "last-and-mean, averaging, averaging-figure", "judged before, or under another name")
def test_each_network_is_judged_by_its_last_weights_and_by_their_mean(built):
    asked, weight = [], tf.Variable(1.0)

    def train(images, labels, make, **how):
        asked.append((len(images), make, how))
        return SimpleNamespace(trainable_variables=[weight]), None

    def accuracy(model, images, labels):
        assert images is built["validation_x"] and labels is built["validation_y"]
        return float(weight.numpy())

    more = {"train": train, "accuracy": accuracy, "means": [tf.constant(0.75)]}
    cells = run(built, "last-and-mean", averaged_muon="averaged", **more)
    assert cells["last_and_mean"]("falls", 7) == (0.0, 25.0) and float(weight.numpy()) == 0.75
    how = {"optimizer": "averaged", "factors": "falls", "seed": 7}
    assert asked == [(300, built["strided"], how)]
    falls = {id(built["one_cycle"]): (2.0, 1.5), id(built["constant"]): (4.0, 2.0)}
    judge = lambda factors, seed: falls[id(factors)]  # noqa: E731
    found = run(built, "averaging", "averaging-figure", last_and_mean=judge)
    assert found["judged"] == {
        **{"one cycle, last": [2.0] * 3, "one cycle, mean": [1.5] * 3},
        **{"constant, last": [4.0] * 3, "constant, mean": [2.0] * 3},
    }
    assert [number for _, _, number in found["runs"]] == [3, 3, 4, 4, 5, 5]
    assert built["kept"].compared == ["b"]


@pytest.mark.parametrize(
    ("drawn", "name"), [("START", "keras_example"), ("STRIDED", "strided"), ("SUMMIT", "summit")]
)
@about("11", "start-figure, strided-figure, summit-figure", "the drawing is of another network")
def test_drawn_networks_are_those_that_are_built(built, drawn, name):
    model, stack = built[name](), getattr(nb11, drawn)[1:]
    assert sum(layer.parameters for layer in stack) == model.count_params()
    shapes = [tuple(layer.output.shape[1:]) for layer in model.layers]
    places = [shapes.index(layer.shape) for layer in stack]
    assert places == sorted(places), "another order"
    windows = [layer.kernel_size for layer in model.layers if hasattr(layer, "kernel_size")]
    assert [layer.window for layer in stack if "conv" in layer.name] == windows


@about("11", "opening, ladder-figure, look-seeds", "another row of the stored race")
def test_stored_race_is_shown_under_its_names(built):
    run(built, "opening", "ladder-figure", "look-seeds")
    (_, (both, _), _), (_, (seconds, wrong), _) = built["kept"].drawn[-2:]
    ladder = nb11.stored("race")["ladder_summary"]
    assert [round(np.mean(part), 4) for part in both.values()] == [
        ladder[name]["seconds"][0] for name in ("Keras' example, 8 passes with fit", "2 passes")
    ]
    assert list(seconds) == list(wrong) == list(built["ladder"])
    for name in seconds:
        assert 1 - np.mean(wrong[name]) / 100 == pytest.approx(
            ladder[name]["accuracy"][0], abs=1e-4
        )
    low, high = nb11.stored("race")["race_summary"]["notebook 11"]["accuracy"][1:]
    assert built["kept"].compared == [round(10_000 * (high - low))]


def lean(*stack):
    layers = keras.layers
    known = {"c": lambda: layers.Conv2D(8, 5, strides=2), "f": layers.Flatten, "r": layers.ReLU}
    known |= {"d": lambda: layers.Dense(16), "D": lambda: layers.Dense(400, "relu")}
    known |= {"s": layers.Softmax, "l": lambda: layers.SeparableConv2D(4, 3)}
    known |= {"a": lambda: layers.Dense(10, "softmax")}
    return lambda built: built["network"](*[known[name]() for name in stack])


WRONG_NETWORKS = [
    (lambda built: [1, 2], "not its layers"),
    (
        lambda built: keras.Sequential([keras.Input((784,)), keras.layers.Dense(10)]),
        "28 x 28 bytes",
    ),
    (lean("c"), "ten logits"),
    (lambda built: _with_softmax(built), "softmax twice"),
    (lean("l", "f"), "SeparableConv2D is not counted"),
    (lean("f", "D"), "317,600 multiplications are more than 120,000. Layer 3, Dense, alone takes"),
    (lean("f"), "one layer that learns"),
    (lean("c", "f", "d"), "no activation between"),
    (lean("f", "d", "r"), "You may spend 120,000"),
    (lambda built: built["network"](*_spent()), "Spend the multiplications elsewhere"),
]


def _with_softmax(built):
    stack = built["network"](keras.layers.Flatten()).layers[:-1]
    return keras.Sequential([keras.Input((28, 28)), *stack, keras.layers.Dense(10, "softmax")])


def _spent():
    return keras.layers.Conv2D(8, 5, strides=2, activation="relu"), keras.layers.Flatten()


@pytest.mark.parametrize(("make", "words"), WRONG_NETWORKS)
@about("11", "ex-5", "a wrong network passes, or its mistake is called by another name")
def test_lean_network_names_the_mistake(built, make, words):
    def untrained(function):
        model = function()
        model.set_weights([np.zeros_like(part) for part in model.get_weights()])
        return model

    images, labels = DIGITS.validation.images, DIGITS.validation.labels
    said = nb11.lean_network.verdict(lambda: make(built), untrained, images, labels)
    assert said.startswith("✗ Not yet: ") and words in said, said


@about("11", "short-training, ex-5-solution", "another training, or the solution costs too much")
def test_lean_solution_is_within_its_price_and_trained_as_said(built):
    asked = []

    def train(images, labels, make, **how):
        asked.append((images, labels, how))
        return make(), None

    some = {"some_x": built["train_x"][:200], "some_y": built["train_y"][:200]}
    kept = SimpleNamespace(lean_network=lambda *how: asked.append(how))
    found = run(built, "short-training", "ex-5-solution", train=train, nb11=kept, **some)
    make, short, images, labels = asked[0]
    assert images is built["validation_x"] and labels is built["validation_y"]
    model = short(make)
    assert sum(map(built["multiplications"], model.layers)) <= nb11.MOST_WORK
    assert (asked[1][0] is some["some_x"], asked[1][1] is some["some_y"]) == (True, True)
    how = {"optimizer": built["muon"], "batch": 64, "seed": 3, "epochs": 100.0}
    assert asked[1][2] == how and make is found["lean"]


@about("11", "look-margin, look-frozen", "another margin, or another saving than the text says")
def test_what_is_cut_off_and_what_is_frozen_is_counted(built):
    run(built, "look-margin", "look-frozen")
    images = built["train_x"].astype(float)
    border = np.ones((28, 28), bool)
    border[2:26, 2:26] = False
    first, second, rest = 100 * 25 * 16, 25 * 9 * 16 * 32, 25 * 32 * 64 + 64 * 10
    assert first == 40_000 and first + second + rest == 207_040
    with_first = 2 * (3 * (first + second + rest) - first)
    saved = 2 * (first + second)  # gradients of the weights, and of what the second layer gets
    assert built["kept"].compared == pytest.approx(
        [images[:, border].sum() / images.sum(), saved / with_first]
    )


@about("11", "patches, frozen", "other patterns, another scale or bias, or the layer still learns")
def test_first_layer_answers_alike_to_patches_and_is_not_changed(built):
    images = built["train_x"]
    model = built["sixteen"]()
    built["first_from_patches"](model, images)
    answers = model.layers[2](model.layers[1](model.layers[0](images)))  # the margin is cut off
    first = model.layers[3]
    assert answers.shape[1:] == (24, 24, 1) and not first.trainable
    first.activation = keras.activations.linear
    found = np.reshape(first(answers), (-1, 16))
    np.testing.assert_allclose(found[:, :8], -found[:, 8:], atol=1e-3)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-3)
    spread = np.cov(found[:, :8].T)
    np.testing.assert_allclose(spread, np.diag(np.diag(spread)), atol=1e-3)
    assert 0.8 < np.diag(spread).min() and np.diag(spread).max() < 1
    patches = np.lib.stride_tricks.sliding_window_view(answers[..., 0], (5, 5), axis=(1, 2))
    wanted = np.sort(np.linalg.eigvalsh(np.cov(patches[:, ::2, ::2].reshape(-1, 25).T)))[-8:]
    np.testing.assert_allclose(np.diag(spread), wanted / (wanted + 0.01), rtol=1e-3)
    before = first.get_weights()
    make = lambda: built["sixteen"]()  # noqa: E731
    how = built["finish"] | {"make": make, "epochs": 1, "batch": 50}
    trained, _ = built["train"](images, built["train_y"], **how)
    kernel = next(x for x in trained.layers if hasattr(x, "kernel")).get_weights()
    for now, then in zip(kernel, before, strict=True):
        np.testing.assert_allclose(now, then, atol=1e-5)


@about("11", "batches", "not each image once a pass, or another number of steps")
def test_batches_hold_each_image_once_a_pass_for_parts_of_a_pass_too(built):
    order = built["batches"](60, 2.5, 20)
    assert order.shape == (7, 20)
    first, second, rest = order[:3].ravel(), order[3:6].ravel(), order[6]
    assert sorted(first) == sorted(second) == [*range(60)] and len(set(rest)) == 20
    assert (first != second).any() and (first != np.arange(60)).any()
    assert built["batches"](50, 1, 20).shape == (2, 20), "a batch that is not full"


@about("11", "train", "labels, order, change, schedule, smoothing or the whole step is another")
def test_all_steps_in_one_graph_are_the_steps_worked_out_in_numpy(built):
    images, labels = built["train_x"][:40], built["train_y"][:40]
    orders, started, batches = [], [], built["batches"]

    def keep(*how):
        orders.append(batches(*how))
        return orders[-1]

    def gradient_descent(weights):
        started.extend(part.numpy() for part in weights)

        def update(gradients, factor):
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.assign_sub(0.05 * factor * gradient)

        return update

    how = {"seed": 3, "epochs": 1.5, "batch": 10, "optimizer": gradient_descent, "smoothing": 0.1}
    how |= {
        "factors": built["one_cycle"],
        "change": lambda images: 255 - tf.cast(images, tf.float32),
    }
    dense = lambda: built["network"](keras.layers.Flatten())  # noqa: E731
    train = run(built, "train", batches=keep)["train"]
    model, told = train(images, labels, dense, **how)
    (order,), (W, b) = orders, started
    assert order.shape == (6, 10) and told["seconds"] >= told["steps"] > 0
    factors = built["one_cycle"](6)
    for step, some in enumerate(order):
        x = ((255 - images[some].astype(float)) - 33).reshape(10, 784) / 79
        powers = np.exp(x @ W + b)
        wanted = 0.9 * np.eye(10)[labels[some]] + 0.01
        difference = (powers / powers.sum(1, keepdims=True) - wanted) / 10
        W, b = (
            W - 0.05 * factors[step] * x.T @ difference,
            b - 0.05 * factors[step] * difference.sum(0),
        )
    np.testing.assert_allclose(model.get_weights()[0], W, atol=1e-4)
    np.testing.assert_allclose(model.get_weights()[1], b, atol=1e-4)
    second, _ = train(images, labels, dense, **how | {"seed": 4})
    assert (orders[1] != order).any(), "the seed does not change the order"
    halves, _ = train(images, labels, dense, **how | {"policy": "mixed_bfloat16"})
    assert {layer.compute_dtype for layer in halves.layers[2:]} == {"bfloat16"}
    assert keras.config.dtype_policy().name == "float32", "the policy is not put back"


class Mode(keras.layers.Layer):
    """Keep whether the network was told that it trains, as dropout must know."""

    told = []

    def call(self, x, training=False):
        Mode.told.append(training)
        return x


@about("11", "train", "dropout and batch normalisation are off while training")
def test_network_is_told_that_it_trains(built):
    make = lambda: built["network"](keras.layers.Flatten(), Mode())  # noqa: E731
    Mode.told.clear()
    built["train"](built["train_x"][:20], built["train_y"][:20], make, batch=10)
    assert Mode.told[-1] is True


BASE = {"epochs": 1, "batch": 128, "smoothing": 0.0, "optimizer": "adam", "factors": "one_cycle"}
BASE |= {"make": "keras_example", "policy": "float32", "jit": False, "change": "as_it_is"}
BASE |= {"prepare": None}


def settings_of(built, how):
    named = {id(built[name]): name for name in built if callable(built[name])}
    return BASE | {key: named.get(id(value), value) for key, value in how.items()}


@about("11", "ladder", "a rung changes something else than its name says")
def test_each_rung_of_the_ladder_changes_what_its_name_says(built):
    ladder = built["ladder"]
    functions = [function for function, _ in ladder.values()]
    assert functions[0] is built["fit"] and set(map(id, functions[1:])) == {id(built["train"])}
    rungs = [settings_of(built, how) for _, how in ladder.values()]
    assert rungs[0]["epochs"] == 8 and rungs[0]["make"] == "keras_example"
    changes = [
        ("all steps in one graph", {"optimizer": "slow_adam", "factors": "constant"}),
        ("one cycle, 3 passes", {"epochs": 3, "optimizer": "adam", "factors": "one_cycle"}),
        ("the record's network, 1 pass", {"epochs": 1, "make": "record", "batch": 256}),
        ("stride in place of pooling", {"make": "strided"}),
        ("Muon", {"optimizer": "muon"}),
        ("label smoothing", {"smoothing": 0.1}),
        ("without the margin", {"make": "trimmed"}),
        (
            "a first layer from patches",
            {"make": "sixteen", "prepare": "first_from_patches"},
        ),
        ("batches of 512", {"batch": 512, "optimizer": "fast_muon"}),
        ("2 passes", {"epochs": 2}),
    ]
    assert list(ladder)[1:] == [name for name, _ in changes]
    for before, after, (name, change) in zip(rungs, rungs[1:], changes, strict=False):
        assert {key: after[key] for key in after if after[key] != before[key]} == change, name
    assert built["finish"] == ladder["2 passes"][1]


@about("11", "failures", "what was tried changes more than one thing of the last rung")
def test_each_failure_changes_one_thing_of_the_last_rung(built):
    finish = settings_of(built, built["finish"])
    changed = {}
    for name, (function, how) in built["failures"].items():
        assert function is built["train"]
        tried = settings_of(built, how)
        changed[name] = {key: tried[key] for key in tried if tried[key] != finish[key]}
    assert changed == {
        "tried: 16 filters that learn": {"prepare": None},
        "tried: no dense layer of 64": {"make": "without_dense"},
        "tried: batch normalisation": {"make": "normalised"},
        "tried: 16 bits": {"policy": "mixed_bfloat16"},
        "tried: XLA": {"jit": True},
    }


@about("11", "rungs, rungs-table, race", "another rung, split or accuracy under a name")
def test_rungs_and_race_are_trained_and_judged_as_said(built):
    asked = []

    def train(images, labels, seed, **how):
        asked.append((images, labels, seed, how))
        return len(asked), {"steps": 10.0 / len(asked), "seconds": 99}

    def accuracy(model, images, labels):
        part = "validation" if images is built["validation_x"] else "test"
        assert images is built[f"{part}_x"] and labels is built[f"{part}_y"]
        return model / 10 + (part == "test") / 100

    found = run(built, "rungs", "rungs-table", "race", train=train, accuracy=accuracy)
    rungs = [settings_of(built, how) for _, _, _, how in asked[:3]]
    first = BASE | {"make": "record", "batch": 256}
    second = first | {"make": "strided"}
    assert rungs == [first, second, second | {"optimizer": "muon"}]
    for images, labels, seed, _ in asked[:3]:
        assert images is built["train_x"] and labels is built["train_y"] and seed == 3
    names = ("record", "strided", "strided_muon")
    assert found["race_accuracies"] == dict(zip(names, (0.1, 0.2, 0.3), strict=True))
    assert found["race_seconds"] == pytest.approx(dict(zip(names, (10, 5, 10 / 3), strict=True)))
    images, labels, seed, how = asked[3]
    np.testing.assert_array_equal(images, np.concatenate([built["train_x"], built["validation_x"]]))
    np.testing.assert_array_equal(labels, np.concatenate([built["train_y"], built["validation_y"]]))
    assert how == built["finish"] and seed == 3
    assert found["test_accuracy"] == pytest.approx(0.41)
    assert built["kept"].compared == pytest.approx([0.2])
    assert found["printed"] == "test accuracy 0.4100"
    assert [[*row.values()][2] for row in built["kept"].tables[0]] == ["1.00", "0.50", "0.33"]


def bilinear(image, rows, columns):
    """Read an image between its pixels; 0 outside."""
    padded, found = np.pad(image.astype(float), 40), 0.0
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    for down in (0, 1):
        for right in (0, 1):
            share = (1 - abs(rows - top - down)) * (1 - abs(columns - left - right))
            found = found + share * padded[top + down + 40, left + right + 40]
    return found


@about("11", "augment", "another matrix, range or order of the changes")
def test_augmentation_is_the_matrix_of_the_lesson_with_numbers_in_its_ranges(built, monkeypatch):
    images, asked = built["train_x"][:3], []
    values = {"turn": 0.15, "wide": 0.1, "high": -0.08, "slant": 0.2, "right": 1.5, "down": -0.7}
    order = iter(values)

    def uniform(shape, low, high):
        asked.append((next(order), high))
        assert low == -high and shape == (3,)
        return tf.constant([0.0, 1.0, -1.0]) * values[asked[-1][0]]

    monkeypatch.setattr(tf.random, "uniform", uniform)
    found = built["augment"](images).numpy()
    assert dict(asked) == {
        "turn": 0.2,
        "wide": 0.12,
        "high": 0.12,
        "slant": 0.25,
        "right": 2.0,
        "down": 2.0,
    }
    np.testing.assert_allclose(found[0], images[0], atol=1e-2)
    row, column = np.mgrid[0:28, 0:28] - 13.5
    for number, sign in ((1, 1), (2, -1)):
        turn, slant = sign * values["turn"], sign * values["slant"]
        wide, high = 1 + sign * values["wide"], 1 + sign * values["high"]
        old_column = wide * np.cos(turn) * column + (slant - wide * np.sin(turn)) * row
        old_row = high * np.sin(turn) * column + high * np.cos(turn) * row
        old_column, old_row = old_column + 13.5 + sign * 1.5, old_row + 13.5 - sign * 0.7
        wanted = bilinear(images[number], old_row, old_column)
        inside = (abs(old_row - 13.5) < 12.5) & (abs(old_column - 13.5) < 12.5)
        assert inside.mean() > 0.4
        np.testing.assert_allclose(found[number][inside], wanted[inside], atol=0.5)


@about("11", "nine", "a place is left out or twice, or the logits are not added up")
def test_nine_places_are_read_each_once_and_their_logits_added(built):
    image, seen = np.zeros((2, 28, 28), np.uint8), []
    image[:, 10, 12] = [1, 2]
    logits = np.random.default_rng(0).normal(size=(9, 2, 10))

    def predict(images, **_):
        seen.append(tuple(np.argwhere(images[0])[0] - (10, 12)))
        return logits[len(seen) - 1]

    answers = logits.sum(0).argmax(1)
    model = SimpleNamespace(predict=predict)
    assert built["accuracy_of_nine"](model, image, answers) == 1.0
    assert sorted(seen) == [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    seen.clear()
    assert built["accuracy_of_nine"](model, image, answers + [1, 0]) == 0.5


@about("11", "judge", "settled too early, or a number under the name of another")
def test_judge_measures_before_and_after_settling(built):
    done = []

    def measure(name):
        def measured(model, images, labels):
            assert (model, images, labels) == ("model", "images", "labels")
            done.append(name)
            return len(done) / 10

        return measured

    more = {"accuracy_of_nine": measure("nine"), "accuracy": measure("one")}
    more["settle"] = lambda model, settling: done.append(("settle", settling))
    found = run(built, "judge", **more)["judge"]("model", "few", "images", "labels")
    assert done == ["nine", ("settle", "few"), "one", "nine"]
    assert found == {"all": 0.4, "e: not settled": 0.1, "f: asked once": 0.3}


@about("11", "summit-recipes, narrow", "a recipe leaves out another ingredient, or more than one")
def test_each_recipe_leaves_out_the_ingredient_of_its_name(built):
    recipes = {name: settings_of(built, how) for name, how in built["recipes"].items()}
    whole = BASE | {"make": "summit", "optimizer": "muon", "change": "augment", "smoothing": 0.1}
    assert recipes["all"] == whole
    assert recipes["a: no augmentation"] == whole | {"change": "as_it_is"}
    assert recipes["d: Adam"] == whole | {"optimizer": "adam"}
    rest = {"b: no normalisation", "c: no dropout"}
    assert set(recipes) == {"all", "a: no augmentation", "d: Adam", *rest}
    layers = {}
    for name in ("all", *rest):
        narrow = built["narrow"](built["recipes"][name], 1 / 3)
        assert {key: narrow[key] for key in narrow if key != "make"} == {
            key: value for key, value in built["recipes"][name].items() if key != "make"
        }
        layers[name] = kinds(narrow["make"]())
    assert layers["all"][2] == "16 5 1 same linear", "the width is not passed on"
    without = [name for name in layers["all"] if name != "BatchNormalization"]
    same = [f"{name} bias" if "linear" in name and "same" in name else name for name in without]
    assert layers["b: no normalisation"] == same
    dropped = [name.replace("Dropout 0.3", "Dropout 0.0") for name in layers["all"]]
    assert layers["c: no dropout"] == dropped


@about(
    "11", "ablation, ablation-judged, ablation-figure", "trained or judged otherwise, or mixed up"
)
def test_short_ablation_trains_and_judges_each_recipe_alike(built):
    asked, done = [], []

    def train(images, labels, **how):
        asked.append((images, labels, how))
        return len(asked), None

    some = built["validation_x"][:60]

    def nine(model, images, labels):
        np.testing.assert_array_equal(images, some)
        np.testing.assert_array_equal(labels, built["validation_y"][:60])
        assert done[-1][0] == model, "not settled before it is judged"
        return 0.9 + model / 100

    def judge(model, settling, images, labels):
        np.testing.assert_array_equal(images, some)
        assert model == 1 and settling.shape == (40, 28, 28)
        return {"all": 0.99, "e: not settled": 0.5, "f: asked once": 0.8}

    more = {"train": train, "accuracy_of_nine": nine, "judge": judge}
    more["settle"] = lambda model, images: done.append((model, images.shape))
    found = run(built, "ablation", "ablation-judged", "ablation-figure", **more)
    for images, labels, how in asked:
        np.testing.assert_array_equal(images, built["train_x"][:40])
        np.testing.assert_array_equal(labels, built["train_y"][:40])
        assert (how["epochs"], how["seed"], how["batch"]) == (4, 3, 50)
    assert done == [(number, (40, 28, 28)) for number in (2, 3, 4, 5)]
    assert kinds(asked[0][2]["make"]())[2] == "16 5 1 same linear", "not a third of the filters"
    wanted = {"all": 0.99, "e: not settled": 0.5, "f: asked once": 0.8, "a: no augmentation": 0.92}
    wanted |= {"b: no normalisation": 0.93, "c: no dropout": 0.94, "d: Adam": 0.95}
    assert found["summit_accuracies"] == pytest.approx(wanted)
    assert built["kept"].compared == ["e"]
    _, (errors, _), _ = built["kept"].drawn[-1]
    assert errors == pytest.approx({name: 100 * (1 - value) for name, value in wanted.items()})


@pytest.mark.parametrize(
    ("gpus", "capability", "policy"),
    [
        ([], None, "mixed_bfloat16"),
        (["g"], (7, 5), "mixed_float16"),
        (["g"], (8, 0), "mixed_bfloat16"),
    ],
)
@about("11", "guard", "a device gets a kind of number that it does not know")
def test_sixteen_bits_are_of_the_kind_that_the_device_knows(
    built, monkeypatch, gpus, capability, policy
):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert run(built, "guard")["sixteen_bit_policy"]() == policy


@about("11", "images-a-second, settings", "another batch or policy, or 32 bits are not put back")
def test_settings_are_timed_one_by_one_and_32_bits_come_back(built):
    asked = []

    def step_seconds(model, images, labels, jit):
        asked.append((model.layers[-1].compute_dtype, len(images), len(labels), jit))
        if len(images) == 7:
            raise ValueError
        return 0.5

    found = run(built, "images-a-second", step_seconds=step_seconds)
    assert found["images_a_second"]("mixed_bfloat16", 20, True) == 40
    assert asked == [("bfloat16", 20, 20, True)]
    with pytest.raises(ValueError):
        found["images_a_second"]("mixed_bfloat16", 7, False)
    assert keras.config.dtype_policy().name == "float32"
    speed = {("float32", 128, False): 2, ("float32", 1024, False): 8, ("p", 128, False): 1}
    more = {"images_a_second": lambda *how: speed.get(how, 3), "sixteen_bit_policy": lambda: "p"}
    found = run(built, "settings", **more)
    assert found["speeds"] == {"a": 2, "b": 8, "c": 1, "d": 3} and found["tried"]["d"][2] is True
    assert built["kept"].compared == ["b"]


@about("11", "ruler, results, ladder-table to summit-table", "a number under the name of another")
def test_ruler_results_and_stored_tables(built):
    logits = np.random.default_rng(0).normal(size=(200, 10))
    model = SimpleNamespace(predict=lambda images, **_: logits[: len(images)])
    found = run(built, "ruler", "ruler-figure", fast_model=model)
    wanted = logits[:100].argmax(1)
    np.testing.assert_array_equal(found["predict"](DIGITS.test.images[:100]), wanted)
    assert found["row"] == [np.mean(wanted == DIGITS.test.labels[:100])] * 5
    assert built["kept"].drawn[-1][1][0]["race"] == found["row"]
    how = {"test_accuracy": 0.1, "start_accuracy": 0.2, "row": [1, 2, 3, 4, 5]}
    how |= {"race_accuracies": {"record": 0.3, "strided": 0.4}}
    how |= {"summit_accuracies": {"all": 0.5, "a: no augmentation": 0.6}}
    run(built, "results", **how)
    numbers = {"test_accuracy": 0.1, "start_accuracy": 0.2, "record_validation_accuracy": 0.3}
    numbers |= {"strided_validation_accuracy": 0.4, "summit_short_accuracy": 0.5}
    assert built["kept"].recorded == numbers | {"no_augmentation_accuracy": 0.6} | shifts(
        [1, 2, 3, 4, 5]
    )
    asked = []
    stand_in = SimpleNamespace(stored=lambda name: {"ladder_summary": name, "race_summary": 1})
    stand_in.summary_rows = lambda *some, **more: asked.append((*some, *more.values())) or [1]
    stored = stand_in.stored
    stand_in.stored = lambda name: (
        stored(name) if name == "race" else {"whole_summary": 2, "ablation_summary": 3}
    )
    run(built, "ladder-table", "race-table", "summit-table", nb11=stand_in)
    assert asked == [("race",), (1, "record"), (2,), (3, False)]


@about("11", "tried-table, look-winner", "another number, range or line of the stored recipes")
def test_errors_of_the_recipes_that_were_tried_and_of_the_winner(built):
    one = {"accuracy": [0.9964, 0.9963, 0.9965], "seeds": 2}
    climbed = {"tried_summary": {"one": one}, "best": [{"name": "one", "accuracy": 0.997}]}
    climbed["best"] += [{"name": "one", "accuracy": 0.998}]
    found = run(built, "tried-table", climbed=climbed)["rows"]
    assert found == [{"recipe": "one", "errors": "36", "chance": "24 to 48", "seeds": 2}]
    said = run(built, "guess-winner", "look-winner", climbed=climbed)["printed"]
    assert built["kept"].compared[-1] == pytest.approx(99.75)
    assert "one: 99.70 %, 99.80 %" in said


@about("11", "smoothing, wrong-trace, ex-3, ex-4", "what is printed or solved is another")
def test_small_cells_and_solutions(built):
    words = run(built, "smoothing")["printed"].strip("[]").split()
    assert [float(word) for word in words] == pytest.approx([0.01] * 3 + [0.91] + [0.01] * 6)
    said = run(built, "wrong-trace")["printed"]
    assert said == "numbers: traced 3 times; tensors: traced 1 times"
    nothing = SimpleNamespace(step_to_orthogonal=id, running_mean=id)
    found = run_cells("11", "ex-3-solution", "ex-4-solution", nb11=nothing)
    x = np.random.default_rng(0).normal(size=(3, 4)) / 4
    left, strengths, right = np.linalg.svd(x, full_matrices=False)
    wanted = left @ np.diag(1.5 * strengths - 0.5 * strengths**3) @ right
    np.testing.assert_allclose(found["step_to_orthogonal"](x), wanted)
    assert found["running_mean"](10.0, 20.0, 0.9) == pytest.approx(11)
