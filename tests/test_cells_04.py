"""Notebook 04: its networks layer by layer, and each training with a stand-in that only listens."""

import dataclasses
import itertools
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from stand_ins import about, digits, listen, made_up, shifts

keras = pytest.importorskip("keras", reason="Keras is missing")

from mnist_edu import data, drawings, lesson, plots  # noqa: E402
from mnist_edu.exercises import nb04  # noqa: E402

pytestmark = pytest.mark.slow
DIGITS = digits()
EPOCHS = {"linear": 4, "tiny": 5, "hidden": 3, "wide": 6, "three": 9}
SETTINGS = {"seed": 3, "train_images": 300, "some_images": 50, "some_epochs": 2, "seeds": 3}
SETTINGS |= {"longer_epochs": 4} | {f"epochs_{name}": count for name, count in EPOCHS.items()}
GUESSES = "linear count tiny hidden gradient overfit stop knob sure shift".split()


@pytest.fixture
def names(monkeypatch):
    return {
        **{"np": np, "keras": keras, "layers": keras.layers, "tempfile": tempfile, "Path": Path},
        **{"data": data, "lesson": lesson, "plots": plots, "digits": DIGITS, "histories": {}},
        **{"kept": listen(monkeypatch), "nb04": nb04, "drawings": drawings},
        **SETTINGS,
        **{f"guess_{name}": ... for name in GUESSES},
    }


def run(names, *ids, **more):
    return run_cells("04", *ids, **names | more)


@pytest.fixture
def built(names):
    found = run(names, "prepare", "build")
    return found | {"train": Listener()}


class Listener:
    """Stands for ``train`` or ``quick``: keeps what it is asked to train, tells made-up curves."""

    def __init__(self, **curves):
        self.asked, self.curves = [], curves

    def __call__(self, model, epochs=None, *more, **how):
        self.asked.append((model, epochs, *more, how))
        told = {name: np.linspace(1, 0.5, epochs or 2).tolist() for name in CURVES}
        return told | self.curves


CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


class Fitted:
    """Stands for a model: keeps how it is fitted."""

    def fit(self, images, labels, **how):
        self.asked = {"images": images, "labels": labels} | how
        return SimpleNamespace(history={"val_accuracy": [0.2, 0.7]})


def shape(model):
    """Return each layer as (units, activation), or as its kind."""
    return [
        (layer.units, layer.activation.__name__)
        if isinstance(layer, keras.layers.Dense)
        else type(layer).__name__
        for layer in model.layers
    ]


def rate(model):
    return type(model.optimizer).__name__, round(float(model.optimizer.learning_rate), 8)


LAST = (10, "softmax")
STACKS = {
    "linear": [LAST],
    "tiny": [(10, "sigmoid"), LAST],
    "straight": [(128, "linear"), LAST],
    "hidden": [(128, "relu"), LAST],
    "three": [(128, "relu")] * 3 + [LAST],
    "wide": [(1024, "relu"), LAST],
}


def assert_network(model, name, optimizer=("Adam", 0.001)):
    assert shape(model) == STACKS[name], f"{name} is another network"
    assert rate(model) == optimizer, f"{name} has another optimizer"
    assert model.input_shape == (None, 784) and model.loss == "sparse_categorical_crossentropy"


@about("04", "parameters", "other epochs or images than the lesson speaks of")
def test_settings_are_those_of_the_lesson():
    found = run_cells("04", "parameters")
    wanted = dict(epochs_linear=10, epochs_tiny=10, epochs_hidden=5, epochs_wide=5)
    wanted |= dict(epochs_three=50, longer_epochs=12, seeds=3)
    wanted |= dict(train_images=55_000, some_images=5_000, some_epochs=5)
    assert {name: found[name] for name in wanted} == wanted


@about("04", "load", "the source or the seed is not used")
def test_chance_and_digits_are_those_of_the_parameters(names, monkeypatch):
    asked = []
    monkeypatch.setattr(lesson, "set_seed", asked.append)
    monkeypatch.setattr(data, "load", lambda source: asked.append(source) or "digits")
    assert run(names, "load", source="mnist", seed=7)["digits"] == "digits"
    assert asked == [7, "mnist"]


@about("04", "prepare", "images of another split, or in another form")
def test_each_split_is_flat_and_scaled_with_its_own_labels(built):
    parts = {"train": (built["train_x"], built["train_y"])}
    parts |= {"validation": built["validation"], "test": built["test"]}
    for name, (x, y) in parts.items():
        part = getattr(DIGITS, name)
        count = 300 if name == "train" else len(part)
        flat = part.images[:count].reshape(-1, 784) / 255
        np.testing.assert_allclose(x, flat, rtol=1e-6, err_msg=name)
        np.testing.assert_array_equal(y, part.labels[:count], err_msg=name)


@about("04", "*-network", "a drawing shows another network than the code builds")
def test_drawings_are_of_the_networks_that_are_built(built, monkeypatch):
    drawn = []
    monkeypatch.setattr(drawings, "network", lambda *what: drawn.append(what))
    ids = "network linear-network tiny-network hidden-network deep-network wide-network".split()
    run(built, *ids, "dropout-network")
    *listed, (forgetful,) = drawn
    wanted = [STACKS[name] for name in ("three", "linear", "tiny", "hidden")]
    wanted += [[(32, "relu")] * 6 + [LAST], STACKS["wide"]]
    for (sizes, activations), stack in zip(listed, wanted, strict=True):
        assert sizes == [784, *(units for units, _ in stack)]
        assert [name.lower() for name in activations] == [name for _, name in stack]
    assert shape(forgetful) == [(128, "relu"), "Dropout", LAST]
    assert forgetful.layers[1].rate == 0.5


@about("04", "build", "another last layer, optimizer or loss")
def test_a_network_ends_in_ten_probabilities_and_is_compiled_as_said(built):
    dense = keras.layers.Dense
    assert_network(built["build"]([]), "linear")
    tiny = built["build"]([dense(10, "sigmoid")], optimizer="sgd")
    assert_network(tiny, "tiny", ("SGD", 0.01))
    model = built["build"]([])
    x, y = built["validation"]
    p = model.predict(x, verbose=0)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    told = model.evaluate(x, y, verbose=0)
    wanted = -np.log(p[np.arange(len(y)), y]).mean(), np.mean(p.argmax(1) == y)
    np.testing.assert_allclose(told, wanted, rtol=1e-4)


@about("04", "linear, compile, two-losses, evaluate", "not softmax regression, or other numbers")
def test_the_first_network_is_in_the_open(built):
    found = run(built, "linear", "compile", "two-losses", "evaluate")
    assert_network(found["linear"], "linear")
    x, y = built["validation"]
    by_hand = -np.log(found["p"][np.arange(100), y[:100]]).mean()
    assert float(found["sparse"]) == pytest.approx(by_hand, rel=1e-4)
    assert float(found["one_hot"]) == pytest.approx(by_hand, rel=1e-4)
    p = found["linear"].predict(x, verbose=0)
    assert found["accuracy"] == pytest.approx(np.mean(p.argmax(1) == y), abs=1e-6)
    assert found["loss"] == pytest.approx(-np.log(p[np.arange(len(y)), y]).mean(), rel=1e-4)
    assert found["printed"].endswith(f"its label: {y[0]}")


@about("04", "train-linear", "other images, batches or epochs, or not watched on validation images")
def test_softmax_regression_is_fitted_in_plain_keras(built):
    found = run(built, "train-linear", "look-linear", linear=(model := Fitted()))
    assert model.asked.pop("images") is built["train_x"]
    assert model.asked.pop("labels") is built["train_y"]
    assert model.asked.pop("validation_data") is built["validation"]
    assert model.asked == {"epochs": 4, "batch_size": 128, "verbose": 2}
    assert built["kept"].compared == [0.7] and found["linear_history"]["val_accuracy"] == [0.2, 0.7]


@about("04", "train", "other images, batches or epochs, or not watched on the validation split")
def test_train_fits_training_images_and_watches_the_validation_split(names, monkeypatch):
    monkeypatch.setattr(lesson, "keras_progress", lambda epochs: f"progress of {epochs}")
    found, model = run(names, "prepare", "train"), Fitted()
    assert found["train"](model, 7) == {"val_accuracy": [0.2, 0.7]}
    asked = model.asked
    assert asked["images"] is found["train_x"] and asked["labels"] is found["train_y"]
    assert (asked["epochs"], asked["batch_size"], asked["verbose"]) == (7, 128, 0)
    assert asked["validation_data"] is found["validation"]
    assert asked["callbacks"] == ["progress of 7"] and len(asked) == 7
    found["train"](model, 7, batch_size=32, callbacks=["stop"])
    assert model.asked["batch_size"] == 32 and model.asked["callbacks"] == ["progress of 7", "stop"]


@about("04", "quick", "other images, batches or epochs than those of the quick comparisons")
def test_quick_fits_some_images(names):
    found, model = run(names, "prepare", "quick"), Fitted()
    found["quick"](model)
    np.testing.assert_array_equal(model.asked["images"], found["train_x"][:50])
    np.testing.assert_array_equal(model.asked["labels"], found["train_y"][:50])
    assert (model.asked["batch_size"], model.asked["epochs"]) == (128, 2)
    assert model.asked["validation_data"] is found["validation"]
    found["quick"](model, 9, 16)
    assert (model.asked["batch_size"], model.asked["epochs"]) == (16, 9)


@about("04", "train-...", "another network is trained, or with other epochs or batches")
def test_the_networks_are_trained_as_said(built):
    train = built["train"] = Listener()
    ids = ("tiny-summary", "train-tiny", "train-tiny-adam", "train-straight", "train-hidden")
    more = ("hidden-figure", "larger-networks", "train-three", "train-three-on", "train-three-end")
    linear_history = {name: [0.2] * 4 for name in CURVES}
    found = run(built, *ids, *more, "train-wide", linear_history=linear_history, epochs_three=10)
    wanted = [("tiny", 5, {"batch_size": 32}), ("tiny", 5, {}), ("straight", 3, {})]
    wanted += [("hidden", 3, {}), *[("three", epochs, {}) for epochs in (3, 3, 4)], ("wide", 6, {})]
    for (model, epochs, how), (name, some, extra) in zip(train.asked, wanted, strict=True):
        assert_network(model, name, ("SGD", 0.01) if how else ("Adam", 0.001))
        assert (epochs, how) == (some, extra), name
    known = "linear tiny tiny_adam straight hidden three wide".split()
    assert list(found["histories"]) == known
    for curve in CURVES:
        parts = [np.linspace(1, 0.5, epochs) for epochs in (3, 3, 4)]
        np.testing.assert_allclose(found["histories"]["three"][curve], np.concatenate(parts))
    left = (1 - 0.5) / (1 - 0.2)
    assert built["kept"].compared == [7960, "better", pytest.approx(left), "a"]
    _, (curves,), _ = built["kept"].drawn[0]
    assert [len(values) for values in curves.values()] == [3, 3, 3]


@about("04", "fit-text", "Keras no longer repeats the order of the images when a seed is set")
def test_with_a_seed_each_epoch_has_the_same_order():
    import keras
    import tensorflow as tf

    class Watching(keras.Model):
        def call(self, x, training=False):
            if training:
                seen.append(np.asarray(x).ravel().tolist())
            return x * self.weight

        def build(self, shape):
            self.weight = self.add_weight(shape=(), initializer="zeros")

    seen, x = [], np.arange(20.0, dtype=np.float32)[:, None]
    for seed in (1, None):
        tf.random.set_seed(seed)
        model = Watching()
        model.compile("sgd", "mse", run_eagerly=True)
        model.fit(x, 0 * x, batch_size=10, epochs=2, verbose=0)
    assert seen[:2] == seen[2:4] and sorted(sum(seen[:2], [])) == list(range(20))
    assert seen[4:6] != seen[6:8]


@pytest.mark.parametrize(("tiny", "word"), [(0.7, "worse"), (0.9, "better")])
@about("04", "train-tiny", "the last epochs are not compared, or the word is the other one")
def test_tiny_and_linear_are_compared_after_their_last_epochs(names, tiny, word):
    train = Listener(val_accuracy=[0.99 - tiny, tiny])
    run(names, "train-tiny", train=train, tiny=None, linear_history={"val_accuracy": [0, 0.8]})
    assert names["kept"].compared == [word]


@pytest.mark.parametrize(
    ("curve", "word"),
    [([0.2, 0.3, 0.21], "a"), ([0.3, 0.25, 0.2], "a"), ([0.2, 0.9, 0.25], "b"), ([0.2, 0.31], "c")],
)
@about("04", "train-three-end", "the end is not compared with the lowest validation loss")
def test_the_last_validation_loss_is_judged_against_the_lowest(names, curve, word):
    begun = {"first": {name: curve[:1] for name in CURVES}, "second": {name: [] for name in CURVES}}
    train = Listener(**{name: curve[1:] for name in CURVES})
    run(names, "train-three-end", train=train, three=None, part=1, **begun)
    assert names["kept"].compared == [word]


@about("04", "gradient-sizes, deep-train", "other depth, width, images, rate or first weights")
def test_gradients_are_measured_in_six_hidden_layers_of_32(built):
    asked = []

    def sizes(model, x, y):
        asked.append((model, x, y))
        return [10.0, 50.0, 100.0] if len(asked) == 1 else [1.0, 5.0, 2000.0]

    ids = ("gradient-sizes", "look-gradient", "gradient-figure")
    found = run(built, *ids, nb04=SimpleNamespace(gradient_sizes=sizes))
    for (model, x, y), activation in zip(asked, ("relu", "sigmoid"), strict=True):
        assert shape(model) == [(32, activation)] * 6 + [LAST], activation
        assert rate(model) == ("SGD", 0.1)
        np.testing.assert_array_equal(x, built["train_x"][:200])
        np.testing.assert_array_equal(y, built["train_y"][:200])
    first, second = (model.layers[0].kernel.numpy() for model, _, _ in asked)
    np.testing.assert_array_equal(first, second, err_msg="the seeds differ")
    assert (
        built["kept"].compared == ["c"] and "ReLU 1 : 10.0, sigmoid 1 : 2,000" in found["printed"]
    )
    _, (curves,), how = built["kept"].drawn[-1]
    assert curves["relu"] == [10, 50, 100] and [*how["x"]] == [1, 2, 3, 4, 5, 6, 7]
    assert how["log_y"]

    def move(model, epochs):
        assert epochs == 4
        model.layers[0].kernel.assign(model.layers[0].kernel * 1.25)
        return {"val_accuracy": [0.1, 0.6]}

    said = run(found, "deep-train", quick=move)["printed"]
    assert said.count("validation accuracy 0.600, first layer changed by 25.00%") == 2


@about("04", "early-stopping", "it watches something else, waits longer, or keeps the last weights")
def test_early_stopping_watches_the_validation_loss_and_takes_back_the_best_weights(built):
    train = built["train"] = Listener(loss=[0] * 5)
    found = run(built, "larger-networks", "early-stopping")
    ((model, epochs, how),) = train.asked
    stop = found["stop"]
    assert_network(model, "three")
    assert model is found["stopped"] and model is not found["three"]
    assert epochs == 9 and how == {"callbacks": [stop]}, "not trained with it, or not to the end"
    assert (stop.monitor, stop.patience, stop.restore_best_weights) == ("val_loss", 3, True)
    assert abs(stop.min_delta) == 0 and stop.start_from_epoch == 0 and stop.baseline is None
    assert found["printed"].endswith("5 epochs of 9 allowed")
    keep = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    stop.set_model(keep)
    stop.on_train_begin()
    for epoch, loss in enumerate([0.5, 0.3, 0.4, 0.6, 0.7]):
        keep.set_weights([np.full((1, 1), epoch), np.zeros(1)])
        stop.on_epoch_end(epoch, {"val_loss": loss})
    stop.on_train_end()
    assert keep.get_weights()[0][0, 0] == 1, "the weights of the best epoch are not taken back"


@about(
    "04", "sureness, stopped-table", "another network or split, or sureness of right answers too"
)
def test_both_networks_of_the_puzzle_are_judged_on_validation_images(built):
    x, y = built["validation"]
    p = np.full((len(y), 10), 0.02)
    p[np.arange(len(y)), y] = 0.82
    wrong = np.arange(10)
    p[wrong] = np.eye(10)[(y[wrong] + 1) % 10] * 0.5 + 0.05

    def network(loss):
        def evaluate(images, labels, **_):
            assert images is x and labels is y
            return loss, 0.9

        return SimpleNamespace(evaluate=evaluate, predict=lambda images, **_: p)

    models = {"stopped": network(0.25), "three": network(0.5)}
    run(built, "sureness", "stopped-table", **models)
    assert built["kept"].compared == [pytest.approx(0.55)]
    first, second = built["kept"].tables[0]
    assert (first["network"], first["loss"], first["errors"]) == ("stopped", "0.2500", 10)
    assert (second["network"], second["loss"], second["accuracy"]) == ("three", "0.5000", "0.9000")
    assert second["sureness when wrong"] == "0.5500"


ALL = "linear tiny tiny_adam straight hidden wide three stopped".split()


@about("04", "test", "judged on other images than the test split, or under another name")
def test_the_test_images_report_once_for_each_network(built):
    asked = []

    def network(name, accuracy):
        def evaluate(x, y, **_):
            asked.append((name, x, y))
            return 9.0 + accuracy, accuracy

        return SimpleNamespace(evaluate=evaluate, count_params=lambda: 1000)

    some = {name: i / 10 for i, name in enumerate(ALL)}
    models = {name: network(name, value) for name, value in some.items()}
    histories = {
        name: {"accuracy": [0.0, value / 2], "loss": [1, 1]} for name, value in some.items()
    }
    found = run(built, "test", histories=histories, **models)
    wanted = {f"{name}_test_accuracy": value for name, value in some.items()}
    wanted |= {f"{name}_test_loss": 9 + value for name, value in some.items()}
    assert found["results"] == wanted
    assert [name for name, _, _ in asked] == ALL
    for _, x, y in asked:
        assert x is built["test"][0] and y is built["test"][1]
    rows = built["kept"].tables[0]
    assert [float(row["training accuracy"]) for row in rows] == [v / 2 for v in some.values()]
    assert [float(row["test accuracy"]) for row in rows] == [*some.values()]
    assert [float(row["test loss"]) for row in rows] == [9 + value for value in some.values()]
    assert rows[0]["weights"] == "1,000" and rows[0]["epochs"] == 2


@about("04", "seed-spread, parameters-figure", "seeds repeat, or a dot stands for another network")
def test_each_network_of_the_race_is_repeated_with_other_seeds(built, monkeypatch):
    found = run(built, "larger-networks", "stacks")
    some = ("linear", "hidden", "three", "wide")
    assert tuple(found["stacks"]) == some
    for name in some:
        assert_network(found["stacks"][name](), name)
    seeds = []
    monkeypatch.setattr(keras.utils, "set_random_seed", seeds.append)
    stacks = {name: lambda name=name: name for name in some}
    value = dict(zip(some, (1, 2, 3, 4), strict=True))

    def quick(model):
        return {"val_accuracy": [0, value[model] + seeds[-1] / 100]}

    models = {name: SimpleNamespace(count_params=lambda n=n: 1000 * n) for name, n in value.items()}
    how = {"stacks": stacks, "quick": quick, "models": models}
    found = run(built, "seed-spread", "seed-spread-wide", "parameters-figure", **how)
    assert seeds == [3] * 3 + [4] * 3 + [5] * 3 + [3, 4, 5]
    for name, n in value.items():
        assert found["spread"][name] == pytest.approx([n + 0.03, n + 0.04, n + 0.05])
    picture, (drawn,), _ = built["kept"].drawn[-1]
    assert picture == "dots"
    assert drawn == {f"{name}, {n},000": found["spread"][name] for name, n in value.items()}


@about("04", "knobs, knob-runs", "a knob turns more than one thing, or another one")
def test_each_knob_turns_one_thing(built):
    quick = Listener(val_accuracy=[0.5, 0.6])
    found = run(built, "knobs", "knob-runs", "knobs-figure", quick=quick)
    turned = [(size, rate(model)[1]) for model, _, size, _ in quick.asked]
    assert turned == [(128, 1e-3), (16, 1e-3), (1024, 1e-3), (128, 1e-4), (128, 1e-2)]
    first = [model.layers[0].kernel.numpy() for model, *_ in quick.asked]
    for (model, epochs, *_), kernel in zip(quick.asked, first, strict=True):
        assert epochs == 4 and shape(model) == STACKS["hidden"] and rate(model)[0] == "Adam"
        np.testing.assert_array_equal(kernel, first[0], err_msg="the first weights differ")
    names = ["start", "small batches", "large batches", "low rate", "high rate"]
    _, (curves,), how = built["kept"].drawn[-1]
    assert list(curves) == list(found["knobs"]) == names and [*how["x"]] == [1, 2, 3, 4]


@about("04", "one-prediction, nine-errors", "not the closest two, or labels of other digits")
def test_pictures_of_answers_show_the_digits_that_were_asked(built):
    p = np.random.default_rng(0).dirichlet(np.ones(10), 150)
    three = SimpleNamespace(predict=lambda x, **_: p if x is built["validation"][0] else None)
    run(built, "one-prediction", "look-sure", "nine-errors", three=three)
    (_, one, _), (name, errors, how) = built["kept"].drawn
    best = np.sort(p)[:, ::-1]
    close = np.argmin(best[:, 0] - best[:, 1])
    np.testing.assert_array_equal(one[0], p[close])
    assert one[1] == DIGITS.validation.labels[close]
    np.testing.assert_array_equal(one[2], DIGITS.validation.images[close])
    assert built["kept"].compared == [np.mean(best[:, 0] > 0.99)]
    assert name == "errors" and errors[0] is DIGITS.validation.images
    np.testing.assert_array_equal(errors[1], DIGITS.validation.labels)
    np.testing.assert_array_equal(errors[2], p.argmax(1))
    assert how["probabilities"] is p


@pytest.mark.filterwarnings("ignore")  # Keras' own: a network that was never trained is saved
@about("04", "save", "what is loaded is not compared with what was saved")
def test_a_saved_network_comes_back(built, monkeypatch):
    three = built["build"]([keras.layers.Dense(8, "relu")])
    assert run(built, "save", three=three)["printed"].endswith("same answers: True")
    other = built["build"]([keras.layers.Dense(8, "relu")])
    monkeypatch.setattr(keras.saving, "load_model", lambda file: other)
    assert run(built, "save", three=three)["printed"].endswith("same answers: False")


@about("04", "view-fault", "the labels are shuffled otherwise, or those of everybody")
def test_labels_are_shuffled_through_a_view_and_the_training_labels_stay(built):
    before = built["train_y"].copy()
    found = run(built, "view-fault")
    np.testing.assert_array_equal(built["train_y"], before)
    assert found["shuffled"].base is found["labels"]
    assert sorted(found["labels"]) == sorted(before) and (found["labels"] != before).any()
    share = np.mean(found["labels"] == before)
    assert share < 0.4 and found["printed"].endswith(str(share.round(2)))


@about(
    "04", "break-runs, break-runs-on", "a network of the six is not broken in the way that is named"
)
def test_each_of_the_six_networks_is_broken_in_one_way(built, monkeypatch):
    fitted = []

    def fit(model, images, labels, **how):
        fitted.append((model, images, labels, how))
        return SimpleNamespace(history={name: [0.5] for name in CURVES})

    monkeypatch.setattr(keras.Sequential, "fit", fit)
    ids = ("break-runs", "break-runs-on", "break-figure", "look-diagnosis")
    found = run(built, *ids, diagnosis=dict.fromkeys("ABCDEF", ...), some_images=290)
    assert list(found["cases"]) == list("ABCDEF")
    assert sorted(built["kept"].compared) == sorted(nb04.FAULTS)
    assert "".join(found["cases"]) == "".join(built["kept"].drawn[-1][1][0])
    named = zip(built["kept"].compared, fitted, strict=True)
    for fault, (model, images, labels, how) in named:
        assert how["validation_data"] is built["validation"] and how["epochs"] == 4
        assert how["batch_size"] == (16 if fault == "too few images" else 128)
        assert rate(model) == ("Adam", pytest.approx(nb04.RATES.get(fault, 0.001)))
        extra = ["Softmax"] if fault == "softmax twice" else []
        assert shape(model) == STACKS["hidden"] + extra, fault
        assert model.loss == "sparse_categorical_crossentropy"
        np.testing.assert_array_equal(images, built["train_x"][:290])
        same = np.array_equal(labels, built["train_y"][:290])
        assert same != (fault == "shuffled labels")
        assert sorted(labels) == sorted(built["train_y"][:290])
    first = [model.layers[0].kernel.numpy() for model, *_ in fitted]
    assert all(np.array_equal(kernel, first[0]) for kernel in first)


def test_letters_stand_for_other_faults_with_other_seeds_and_few_images_are_300(monkeypatch):
    counts = {}

    def fit(model, images, labels, **how):
        return SimpleNamespace(history=len(images))

    monkeypatch.setattr(keras.Sequential, "fit", fit)
    x, y = np.zeros((400, 784), np.float32), np.arange(400) % 10
    orders = set()
    for seed in (1, 2, 3):
        cases = [nb04.train_case(letter, seed, (x, y), (x, y), 1) for letter in "ABCDEF"]
        orders.add(tuple(case.fault for case in cases))
        counts |= {case.fault: case.history for case in cases}
    assert len(orders) == 3 and counts.pop("too few images") == 300
    assert set(counts.values()) == {400}


@about("04", "dropout-on-off", "dropout is not switched, or another network is asked")
def test_the_same_network_is_asked_with_dropout_on_and_off(built, monkeypatch):
    monkeypatch.setattr(drawings, "network", lambda model: None)
    quick = Listener()
    found = run(built, "dropout-network", "dropout-on-off", quick=quick)
    ((model, *_),) = quick.asked
    assert model is found["forgetful"]
    off, on = built["kept"].tables[0]
    p = model.predict(built["validation"][0], verbose=0)
    right = np.mean(p.argmax(1) == built["validation"][1])
    assert off == {"dropout": "off", "accuracy": f"{right:.4f}", "answers that change": "0.0000"}
    assert on["dropout"] == "on" and float(on["answers that change"]) > 0.1


@about("04", "ruler, results", "another network or form of images, or a number under another name")
def test_ruler_and_results_are_of_the_three_layers(built):
    W = np.random.default_rng(0).normal(size=(784, 10)) + 1  # scaled or not, other digits win
    three = SimpleNamespace(predict=lambda x, **_: x @ W - 60 * np.arange(10))
    found = run(built, "ruler", "ruler-figure", three=three)
    flat = DIGITS.test.images.reshape(-1, 784) / np.float32(255)
    wanted = three.predict(flat).argmax(1)
    assert (wanted != three.predict(255 * flat).argmax(1)).any()
    np.testing.assert_array_equal(found["predict"](DIGITS.test.images), wanted)
    row = lesson.shift_accuracies(found["predict"], DIGITS.test.images, DIGITS.test.labels)
    assert found["row"] == row == built["kept"].drawn[-1][1][0]["dense"]
    assert built["kept"].compared == [row[2]]
    histories = {name: {"accuracy": [0, value]} for name, value in (("three", 0.8), ("wide", 0.9))}
    kept = {f"{name}_test_accuracy": i / 10 for i, name in enumerate(ALL)}
    losses = {f"{name}_test_loss": i / 5 for i, name in enumerate(ALL)}
    how = {"histories": histories, "results": kept | losses, "row": [1, 2, 3, 4, 5]}
    run(built, "results", **how)
    numbers = {"three_train_accuracy": 0.8, "wide_train_accuracy": 0.9}
    numbers |= {name: losses[name] for name in ("three_test_loss", "stopped_test_loss")}
    assert built["kept"].recorded == kept | numbers | shifts([1, 2, 3, 4, 5])


@about("04", "ex-...-solution", "the solution is wrong")
def test_solutions_agree_with_another_way(built):
    nothing = SimpleNamespace(count_weights=id, early_stop=id, by_chance=id)
    found = run_cells("04", *(f"ex-{n}-solution" for n in (1, 2, 3)), np=np, nb04=nothing)
    three = built["build"]([keras.layers.Dense(128, "relu") for _ in range(3)])
    assert found["count_weights"]([784, 128, 128, 128, 10]) == three.count_params()
    generator = np.random.default_rng(5)
    for patience in (1, 2, 3):
        losses = generator.integers(1, 9, 12).tolist()
        assert found["early_stop"](losses, patience) == stopped_by_keras(losses, patience)
    first, second = generator.normal(size=3), generator.normal(size=4) + 1
    means = [np.mean(chosen) for chosen in itertools.combinations([*first, *second], 4)]
    wanted = np.mean(np.array(means) >= second.mean() - 1e-9)
    assert found["by_chance"](first, second) == pytest.approx(wanted)


def stopped_by_keras(losses, patience):
    """Return after which epoch Keras ends, and which epoch's weights come back."""
    stop = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.stop_training = False
    stop.set_model(model)
    stop.on_train_begin()
    for epoch, loss in enumerate(losses, 1):
        model.set_weights([np.full((1, 1), epoch), np.zeros(1)])
        stop.on_epoch_end(epoch - 1, {"val_loss": loss})
        if model.stop_training:
            break
    stop.on_train_end()
    kept = int(model.get_weights()[0][0, 0]) if model.stop_training else stop.best_epoch + 1
    return epoch, kept


# --- Exercise 4 ----------------------------------------------------------------------------------

MANY = data.Dataset(*(made_up(n, i, loud=70) for i, n in enumerate((1500, 300, 60))), "made up")


def network(*hidden, last="softmax", units=10, epochs=8, train=None, rate=0.005, more=()):
    """Return a learner's function: how it builds, with what it trains, and how long."""

    def small_network(images, labels):
        stack = [keras.layers.Dense(size, activation) for size, activation in hidden]
        stack = [keras.Input((784,)), *stack, keras.layers.Dense(units, last), *more]
        model = keras.Sequential(stack)
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        x, y = train or (images, labels)
        if epochs:
            model.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
        return model

    return small_network


def flat(part):
    return data.flatten(data.scale(part.images)), part.labels


def never_compiled(images, labels):
    return keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, "softmax")])


def fit_returned(images, labels):
    model = network((20, "relu"), epochs=0)(images, labels)
    return model.fit(images, labels, verbose=0)


HIDDEN = network((20, "relu"))
WRONG = {
    "test images": (lambda images, labels: test, "uses the test images"),  # noqa: F821
    "too many weights": (network((64, "relu")), "50,890 weights and biases are too many"),
    "nine outputs": (network((20, "relu"), units=12), "Ten digits need (None, 10)"),
    "what fit returns": (fit_returned, "return the model itself"),
    "never trained": (network((20, "relu"), epochs=0), "never trained"),
    "never compiled": (never_compiled, "never trained"),
    "softmax twice": (network((20, "relu"), more=[keras.layers.Softmax()]), "softmax twice"),
    "no hidden layer": (network(epochs=1, rate=1e-4), "no hidden layer"),
    "no activation": (network((20, None), epochs=1, rate=1e-4), "are one"),
    "too short": (network((20, "relu"), epochs=1), "not learned enough"),
    "a guess": (network((20, "relu"), epochs=1, rate=1e-9), "no more than a guess"),
    "few images": (
        network((20, "relu"), train=tuple(part[:12] for part in flat(MANY.train)), epochs=60),
        "of the validation images",
    ),
    "an error": (lambda images, labels: images.fit(), "your answer raised AttributeError"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_in_a_small_network_are_named(name):
    answer, words = WRONG[name]
    keras.utils.set_random_seed(1)
    assert words in nb04.small_network.verdict(answer, MANY)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_images_that_a_network_should_not_have_learned_are_noticed(part):
    learned, noise = getattr(MANY, part), {}
    for name in {"train", "validation", "test"} - {part}:
        images = getattr(MANY, name).images
        noise[name] = data.Split(images, np.arange(len(images)).astype(np.uint8) % 10)
    wrong = network((20, "relu"), train=flat(learned), epochs=40)
    told = nb04.small_network.verdict(wrong, dataclasses.replace(MANY, **noise))
    assert f"it reads the {part} images better" in told and "Was it trained with them?" in told


def test_a_small_network_that_learns_passes():
    keras.utils.set_random_seed(1)
    assert nb04.small_network.verdict(HIDDEN, MANY) == "✓ Right."
    assert nb04.small_network.verdict(lambda images, labels: ..., MANY) == "Not answered yet."
