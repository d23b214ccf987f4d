"""Notebook 04: its networks layer by layer, and each training with a stand-in that only listens."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from stand_ins import about, digits, listen, shifts

keras = pytest.importorskip("keras", reason="Keras is missing")

from mnist_edu import data, lesson, plots  # noqa: E402

pytestmark = pytest.mark.slow
DIGITS = digits()
EPOCHS = {"epochs_linear": 4, "epochs_tiny": 5, "epochs_three": 9, "epochs_wide": 6}
SETTINGS = {"seed": 3, "train_images": 300, "some_images": 50, "some_epochs": 2, "seeds": 3}
GUESSES = ("linear", "count", "tiny", "overfit", "shift")


@pytest.fixture
def names(monkeypatch):
    return {
        **{"np": np, "keras": keras, "layers": keras.layers, "tempfile": tempfile, "Path": Path},
        **{"data": data, "lesson": lesson, "plots": plots, "digits": DIGITS, "histories": {}},
        **{"kept": listen(monkeypatch)},
        **EPOCHS,
        **SETTINGS,
        **{f"guess_{name}": ... for name in GUESSES},
    }


def run(names, *ids, **more):
    return run_cells("04", *ids, **names | more)


@pytest.fixture
def built(names):
    found = run(names, "prepare", "make")
    return found | {"fit": Listener()}


class Listener:
    """Stands for ``fit`` or ``quick``: keeps what it is asked to train, tells made-up curves."""

    def __init__(self, **curves):
        self.asked, self.curves = [], curves

    def __call__(self, model, epochs=None, **how):
        self.asked.append((model, epochs, how))
        told = {name: np.linspace(1, 0.5, epochs or 2).tolist() for name in CURVES}
        return told | self.curves


CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


def shape(model):
    """Return each layer as (units, activation), or its kind, below a model's own layers too."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Sequential):
            found += shape(layer)
        elif isinstance(layer, keras.layers.Dense):
            found.append((layer.units, layer.activation.__name__))
        else:
            found.append(type(layer).__name__)
    return found


def rate(model):
    return type(model.optimizer).__name__, round(float(model.optimizer.learning_rate), 8)


LAST = (10, "softmax")
STACKS = {
    "linear": [LAST],
    "tiny": [(10, "sigmoid"), LAST],
    "three": [(128, "relu")] * 3 + [LAST],
    "wide": [(1024, "relu"), LAST],
}
OPTIMIZERS = {name: ("Adam", 0.001) for name in STACKS} | {"tiny": ("SGD", 0.01)}


def assert_network(model, name):
    assert shape(model) == STACKS[name], f"{name} is another network"
    assert rate(model) == OPTIMIZERS[name], f"{name} has another optimizer"
    assert model.input_shape == (None, 784) and model.loss == "sparse_categorical_crossentropy"


@about("04", "parameters", "other epochs or images than the lesson speaks of")
def test_settings_are_those_of_the_lesson():
    found = run_cells("04", "parameters")
    wanted = dict(epochs_linear=10, epochs_tiny=10, epochs_three=50, epochs_wide=5)
    wanted |= dict(train_images=55_000, some_images=5_000, some_epochs=5, seeds=3)
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


@about("04", "make", "another last layer, optimizer or loss")
def test_a_network_ends_in_ten_probabilities_and_is_compiled_as_said(built):
    dense = keras.layers.Dense
    assert_network(built["make"](), "linear")
    assert_network(built["make"](dense(10, "sigmoid"), optimizer="sgd"), "tiny")
    model = built["make"]()
    x, y = built["validation"]
    p = model.predict(x, verbose=0)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    told = model.evaluate(x, y, verbose=0)
    wanted = -np.log(p[np.arange(len(y)), y]).mean(), np.mean(p.argmax(1) == y)
    np.testing.assert_allclose(told, wanted, rtol=1e-4)


@about("04", "two-losses", "the two spellings are not one loss of the same images")
def test_both_spellings_of_the_loss_give_the_same_number(built):
    found = run(built, "two-losses")
    labels = DIGITS.validation.labels[:100]
    by_hand = -np.log(found["p"][np.arange(100), labels]).mean()
    assert float(found["sparse"]) == pytest.approx(by_hand, rel=1e-4)
    assert float(found["one_hot"]) == pytest.approx(by_hand, rel=1e-4)
    assert_network(found["linear"], "linear")


@about("04", "fit", "other images, batches or epochs, or not watched on the validation split")
def test_fit_trains_on_training_images_and_watches_the_validation_split(built, monkeypatch):
    asked = {}

    def fit(images, labels, **how):
        asked.update(how, images=images, labels=labels)
        return SimpleNamespace(history="told")

    monkeypatch.setattr(lesson, "keras_progress", lambda epochs: f"progress of {epochs}")
    built = run(built, "fit")
    model = SimpleNamespace(fit=fit)
    assert built["fit"](model, 7) == "told"
    assert asked["images"] is built["train_x"] and asked["labels"] is built["train_y"]
    assert (asked["epochs"], asked["batch_size"], asked["verbose"]) == (7, 128, 0)
    assert asked["validation_data"] is built["validation"]
    assert asked["callbacks"] == ["progress of 7"] and len(asked) == 7
    built["fit"](model, 7, batch_size=32, callbacks=["stop"])
    assert asked["batch_size"] == 32 and asked["callbacks"] == ["progress of 7", "stop"]


@about("04", "train-...", "another network is trained, or with other epochs or batches")
def test_the_four_networks_are_trained_as_said(built):
    fit = built["fit"] = Listener(val_accuracy=[0.6, 0.9])
    found = run(
        built, "two-losses", "train-linear", "tiny-summary", "train-tiny", "larger-networks"
    )
    names = ("train-three", "train-three-on", "three-curves", "train-wide")
    fit.curves = {}
    found = run(found, *names)
    wanted = [("linear", 4, {}), ("tiny", 5, {"batch_size": 32}), ("three", 4, {})]
    wanted += [("three", 5, {}), ("wide", 6, {})]
    for (model, epochs, how), (name, some, more) in zip(fit.asked, wanted, strict=True):
        assert_network(model, name)
        assert (model, epochs, how) == (found[name], some, more), name
    assert list(found["histories"]) == ["linear", "tiny", "three", "wide"]
    for curve in CURVES:
        both = [*np.linspace(1, 0.5, 4), *np.linspace(1, 0.5, 5)]
        np.testing.assert_allclose(found["histories"]["three"][curve], both)
    assert built["kept"].compared[:3] == [0.9, 7960, "worse"]
    assert found["printed"].splitlines()[-1].startswith("validation loss: 0.5000 in epoch 4")


@pytest.mark.parametrize(("tiny", "linear", "word"), [(0.7, 0.8, "worse"), (0.9, 0.8, "better")])
@about("04", "train-tiny", "the first epochs are not compared, or the word is the other one")
def test_tiny_and_linear_are_compared_after_one_epoch(names, tiny, linear, word):
    fit = Listener(val_accuracy=[tiny, 0.99])
    more = {"tiny": None, "histories": {"linear": {"val_accuracy": [linear, 0.0]}}}
    run(names, "train-tiny", fit=fit, **more)
    assert names["kept"].compared == [word]


@pytest.mark.parametrize(
    ("lowest", "last", "word"),
    [(0.2, 0.23, "rises"), (0.2, 0.21, "stays"), (0.2, 0.19, "stays"), (0.2, 0.17, "falls")],
)
@about("04", "train-three-on", "the end is not compared with the lowest validation loss before")
def test_second_half_is_judged_against_the_lowest_loss_of_the_first(names, lowest, last, word):
    half = {name: [0.5, lowest, 0.4] for name in CURVES}
    fit = Listener(val_loss=[0.1, last])
    run(names, "train-three-on", fit=fit, half=half, three=None)
    assert names["kept"].compared == [word]


@about("04", "gradient-sizes, gradient-figure", "other depth, width, images or first weights")
def test_gradients_are_measured_in_six_hidden_layers_of_32(built):
    asked = []

    def sizes(model, x, y):
        asked.append((model, x, y))
        return np.array([10.0, 100.0])

    nb04 = SimpleNamespace(gradient_sizes=sizes)
    run(built, "gradient-sizes", "gradient-figure", nb04=nb04)
    for (model, x, y), activation in zip(asked, ("relu", "sigmoid"), strict=True):
        assert shape(model) == [(32, activation)] * 6 + [LAST], activation
        np.testing.assert_array_equal(x, built["train_x"][:200])
        np.testing.assert_array_equal(y, built["train_y"][:200])
    first, second = (model.layers[0].kernel.numpy() for model, _, _ in asked)
    np.testing.assert_array_equal(first, second, err_msg="the seeds differ")
    _, (curves,), how = built["kept"].drawn[-1]
    assert curves["relu"].tolist() == [1, 2] and [*how["x"]] == [1, 2, 3, 4, 5, 6, 7]


@about("04", "early-stopping", "it watches something else, waits longer, or keeps the last weights")
def test_early_stopping_watches_the_validation_loss_and_takes_back_the_best_weights(built):
    built["histories"]["three"] = {"val_loss": [9.0, 7.0]}
    built["fit"] = fit = Listener(val_loss=[0.5, 0.3, 0.4, 0.6, 0.7], loss=[0] * 5)
    found = run(built, "early-stopping")
    ((model, epochs, how),) = fit.asked
    stop = found["stop"]
    assert_network(model, "three")
    assert epochs == 9 and how == {"callbacks": [stop]}, "not trained with it, or not to the end"
    assert (stop.monitor, stop.patience, stop.restore_best_weights) == ("val_loss", 3, True)
    assert abs(stop.min_delta) == 0 and stop.start_from_epoch == 0 and stop.baseline is None
    assert "kept 0.3000, after all epochs above 7.0000" in found["printed"]
    assert found["printed"].endswith("stopped after 5 epochs, best was epoch 2 of 9 allowed")
    keep, weights = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), []
    stop.set_model(keep)
    stop.on_train_begin()
    for epoch, loss in enumerate([0.5, 0.3, 0.4, 0.6, 0.7]):
        keep.set_weights([np.full((1, 1), epoch), np.zeros(1)])
        stop.on_epoch_end(epoch, {"val_loss": loss})
        weights.append(keep.stop_training if hasattr(keep, "stop_training") else False)
    stop.on_train_end()
    assert keep.get_weights()[0][0, 0] == 1, "the weights of the best epoch are not taken back"


@about("04", "test", "judged on other images than the test split, or under another name")
def test_the_test_images_report_once_for_each_network(built):
    asked = []

    def network(name, accuracy):
        def evaluate(x, y, **_):
            asked.append((name, x, y))
            return 9.0, accuracy

        return SimpleNamespace(evaluate=evaluate, count_params=lambda: 1000)

    some = {"linear": 0.1, "tiny": 0.2, "three": 0.3, "wide": 0.4}
    models = {name: network(name, accuracy) for name, accuracy in some.items()}
    histories = {name: {"accuracy": [0.0, 0.5 + value]} for name, value in some.items()}
    found = run(built, "test", histories=histories, **models)
    assert found["results"] == {f"{name}_test_accuracy": value for name, value in some.items()}
    assert [name for name, _, _ in asked] == list(some)
    for _, x, y in asked:
        assert x is built["test"][0] and y is built["test"][1]
    rows = built["kept"].tables[0]
    assert [row["training"] for row in rows] == ["0.6000", "0.7000", "0.8000", "0.9000"]
    assert [row["test"] for row in rows] == ["0.1000", "0.2000", "0.3000", "0.4000"]
    assert rows[0]["weights"] == "1,000"


@about("04", "seed-runs", "the repeated networks are others, or trained or watched on other images")
def test_quick_trains_the_same_networks_on_a_part_of_the_images(built):
    asked = {}

    def fit(images, labels, **how):
        asked.update(how, images=images, labels=labels)
        return SimpleNamespace(history="told")

    found = run(built, "seed-runs")
    for name, make in found["stacks"].items():
        assert_network(make(), name)
    assert found["quick"](SimpleNamespace(fit=fit)) == "told"
    np.testing.assert_array_equal(asked["images"], built["train_x"][:50])
    np.testing.assert_array_equal(asked["labels"], built["train_y"][:50])
    assert (asked["batch_size"], asked["epochs"]) == (128, 2)
    assert asked["validation_data"] is built["validation"]
    other = built["train_y"][::-1]
    found["quick"](SimpleNamespace(fit=fit), batch_size=16, epochs=9, labels=other)
    np.testing.assert_array_equal(asked["labels"], other[:50])
    assert (asked["batch_size"], asked["epochs"]) == (16, 9)


@about("04", "seed-spread, parameters-figure", "seeds repeat, or a bar stands for another network")
def test_each_network_is_repeated_with_other_seeds(names, monkeypatch):
    seeds = []
    monkeypatch.setattr(keras.utils, "set_random_seed", seeds.append)
    some = ("linear", "tiny", "three", "wide")
    stacks = {name: lambda name=name: name for name in some}
    value = dict(zip(some, (1, 2, 3, 4), strict=True))

    def quick(model):
        return {"val_accuracy": [0, value[model] + seeds[-1] / 100]}

    models = {name: SimpleNamespace(count_params=lambda n=n: 1000 * n) for name, n in value.items()}
    found = run(
        names, "seed-spread", "parameters-figure", stacks=stacks, quick=quick, models=models
    )
    assert seeds == [3] * 4 + [4] * 4 + [5] * 4
    for name, n in value.items():
        assert found["spread"][name] == pytest.approx([n + 0.03, n + 0.04, n + 0.05])
    _, (bars,), _ = names["kept"].drawn[-1]
    assert bars == {f"{name}, {n},000": found["spread"][name] for name, n in value.items()}


@about("04", "knobs, knob-...", "a knob turns more than one thing, or another one")
def test_each_knob_turns_one_thing(built):
    quick = Listener(val_accuracy=[0.1, 0.5])
    ids = ("knobs", "knob-batch-size", "knob-learning-rate", "knobs-figure", "epochs-figure")
    found = run(built, *ids, quick=quick)
    turned = [(rate(model)[1], how) for model, _, how in quick.asked]
    sizes = [(0.001, {"batch_size": size}) for size in (16, 128, 1024)]
    assert turned == sizes + [(rate, {}) for rate in (1e-4, 1e-3, 1e-2)]
    first = [model.layers[0].kernel.numpy() for model, _, _ in quick.asked]
    for (model, _, _), kernel in zip(quick.asked, first, strict=True):
        assert shape(model) == [(128, "relu"), LAST] and rate(model)[0] == "Adam"
        np.testing.assert_array_equal(kernel, first[0], err_msg="the first weights differ")
    bars, curves = (drawn[1][0] for drawn in built["kept"].drawn)
    names = [f"batch {size}" for size in (16, 128, 1024)]
    rates = ["rate 0.0001", "rate 0.001", "rate 0.01"]
    assert list(bars) == names + rates and set(bars.values()) == {0.5}
    assert list(curves) == list(found["rates"]) == rates


@about("04", "one-prediction, nine-digits", "not the closest two, or labels of other digits")
def test_pictures_of_answers_show_the_digits_that_were_asked(built):
    chance = np.random.default_rng(0)
    p = {len(built[part][0]): chance.dirichlet(np.ones(10), 200) for part in ("validation", "test")}
    p[150] = p[150][:150]
    asked = []
    p[9] = np.eye(10)[:9]
    three = SimpleNamespace(predict=lambda x, **_: asked.append(x) or p[len(x)])
    run(built, "one-prediction", "nine-digits", three=three)
    (_, one, _), (_, nine, _) = built["kept"].drawn
    best = np.sort(p[150])[:, ::-1]
    close = np.argmin(best[:, 0] - best[:, 1])
    np.testing.assert_array_equal(one[0], p[150][close])
    assert one[1] == DIGITS.validation.labels[close]
    np.testing.assert_array_equal(one[2], DIGITS.validation.images[close])
    place = {image.tobytes(): i for i, image in enumerate(DIGITS.test.images)}
    order = [place[image.tobytes()] for image in nine[0]]
    assert len(set(order)) == 9 and order != sorted(order)
    np.testing.assert_array_equal(nine[1], DIGITS.test.labels[order])
    np.testing.assert_allclose(asked[1], nine[0].reshape(9, 784) / 255, rtol=1e-6)
    assert nine[2].tolist() == [*range(9)], "the answers belong to other digits"


@pytest.mark.filterwarnings("ignore")  # Keras' own: a network that was never trained is saved
@about("04", "save", "what is loaded is not compared with what was saved")
def test_a_saved_network_comes_back(built, monkeypatch):
    three = built["make"](keras.layers.Dense(8, "relu"))
    assert run(built, "save", three=three)["printed"].endswith("same answers: True")
    other = built["make"](keras.layers.Dense(8, "relu"))
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
    "04", "faulty-networks, break-runs", "a broken network is not broken in the way that is named"
)
def test_each_broken_network_is_broken_in_one_way(built):
    quick, labels = Listener(val_accuracy=[0.5]), built["train_y"][::-1]
    ids = ("knobs", "faulty-networks", "break-runs", "break-figure", "break-table")
    found = run(built, *ids, quick=quick, labels=labels)
    names = ["healthy", "shuffled labels", "rate too high", "rate too low", "softmax twice"]
    names += ["dropout left on"]
    assert list(found["broken"]) == list(built["kept"].drawn[-1][1][0]) == names
    asked = dict(zip(names, quick.asked, strict=True))
    healthy = [(128, "relu"), LAST]
    rates = {"rate too high": 0.5, "rate too low": 1e-6}
    for name, (model, _, how) in asked.items():
        assert rate(model) == ("Adam", pytest.approx(rates.get(name, 0.001))), name
        assert (how == {}) if name != "shuffled labels" else how["labels"] is labels, name
        assert model.loss == "sparse_categorical_crossentropy", name
        if name in names[:4]:
            assert shape(model) == healthy, name
    assert shape(asked["softmax twice"][0]) == [*healthy, "Softmax"]
    assert shape(asked["dropout left on"][0]) == [(128, "relu"), "AlwaysDropout", LAST]
    x = built["validation"][0]
    twice = asked["softmax twice"][0]
    inner = twice.layers[0].predict(x, verbose=0)
    powers = np.exp(inner)
    wanted = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(twice.predict(x, verbose=0), wanted, rtol=1e-4)
    left_on = asked["dropout left on"][0]
    assert left_on.layers[1].rate == 0.9
    first, second = (left_on.predict(x, verbose=0) for _ in range(2))
    assert np.abs(first - second).max() > 0.01, "dropout is switched off when predicting"
    dropped = np.mean(left_on.layers[1](np.ones((100, 128), np.float32)).numpy() == 0)
    assert dropped == pytest.approx(0.9, abs=0.02)
    assert found["rows"][0] == {"network": "healthy"} | {
        name: f"{found['broken']['healthy'][name][-1]:.3g}" for name in CURVES
    }


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
    how = {"histories": histories, "results": {"three_test_accuracy": 0.7}, "row": [1, 2, 3, 4, 5]}
    run(built, "results", **how)
    numbers = {"three_train_accuracy": 0.8, "wide_train_accuracy": 0.9}
    assert built["kept"].recorded == how["results"] | numbers | shifts([1, 2, 3, 4, 5])


@about("04", "ex-...-solution", "the solution is wrong")
def test_solutions_agree_with_another_way(built):
    nothing = SimpleNamespace(count_weights=id, best_epoch=id, clearly_better=id)
    found = run_cells("04", *(f"ex-{n}-solution" for n in (1, 2, 3)), np=np, nb04=nothing)
    three = built["make"](*[keras.layers.Dense(128, "relu") for _ in range(3)])
    assert found["count_weights"]([784, 128, 128, 128, 10]) == three.count_params()
    assert found["best_epoch"]([0.5, 0.2, 0.3]) == 2
    better = found["clearly_better"]
    assert better([1, 2], [3, 4]) and not better([1, 3.5], [3, 4]) and not better([3], [1])
