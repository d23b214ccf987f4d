"""Notebook 06, cell by cell: its networks, its training, its checkpoint, its measurements."""

import csv
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from cells import cells_of, code_with, run_cells
from fake_training import (
    Reader,
    by_split,
    check_seed_and_source,
    cross_entropy,
    few_digits,
    listening,
    runner,
    settings,
)

from mnist_edu import drawings, lesson

pytestmark = pytest.mark.slow

FEW = few_digits()
FLAT, Y = by_split(FEW)
X = {name: images[..., np.newaxis] for name, images in FLAT.items()}
READS_TEST = {"prepare", "test", "confusion", "ruler", "results"}


@pytest.fixture(scope="module")
def begun():
    """Run the cells that import and set parameters."""
    return run_cells("06", "setup", "parameters")


@pytest.fixture
def run(begun, tmp_path, monkeypatch):
    """Return a function that runs cells on a few digits, and listens to lesson and plots."""
    monkeypatch.chdir(tmp_path)
    return runner("06", begun, FEW, X, Y)


def same(name, value, part=slice(None)):
    """Say whether arrays are those of a split, image by image, or of a part of it."""
    right = X[name][part]
    return value.shape == right.shape and np.allclose(value, right, atol=1e-7)


# --- What is prepared ----------------------------------------------------------------------------


def test_parameters_are_those_that_the_text_and_the_bands_speak_of(begun):
    expected = {"source": "auto", "seed": 1, "train_images": 55_000, "batch_size": 64, "seeds": 3}
    expected |= {"cnn_batch_size": 32}
    expected |= {"few_images": 500, "few_epochs": 15, "more_images": 5000, "more_epochs": 2}
    expected |= {"ruler_images": 10_000, "wanted": 0.985}
    found = {name: begun[name] for name in expected}
    assert found == expected, "06:parameters: a default differs from what the text speaks of"


def test_seed_and_source_are_used(run):
    check_seed_and_source("06", run, FEW)


def test_each_split_is_scaled_once_and_gets_a_channel(begun):
    space = run_cells("06", "prepare", **begun | {"digits": FEW, "train_images": 50})
    for name in ("validation", "test"):
        assert same(name, space[f"{name}_x"]), f"06:prepare: {name}_x are not the scaled images"
        assert space[f"{name}_y"] is Y[name], f"06:prepare: {name}_y are not the labels"
    np.testing.assert_allclose(space["train_x"], X["train"][:50], err_msg="06:prepare: train_x")
    np.testing.assert_array_equal(space["train_y"], Y["train"][:50], "06:prepare: train_y")


def test_test_images_are_read_only_where_the_report_needs_them():
    found = code_with("06", "test_", ".test")
    assert found == READS_TEST, f"06: test digits in other cells than the report's: {found}"


# --- The networks --------------------------------------------------------------------------------


def expected_layers(keras, filters, units, rate, **how):
    layers = keras.layers
    for count in filters:
        yield from (layers.Conv2D(count, 5, padding="same", **how), layers.MaxPool2D(2, 2))
        yield layers.ReLU()
    yield from (layers.Flatten(), layers.Dense(units, "relu", **how))
    yield from (layers.Dropout(rate), layers.Dense(10, **how))


def assert_layers(place, model, expected):
    found, expected = settings(model.layers), settings(expected)
    kinds = [[kind.__name__ for kind, _ in layers] for layers in (found, expected)]
    assert kinds[0] == kinds[1], f"{place}: other layers, or in another order"
    for (kind, config), (_, right) in zip(found, expected, strict=True):
        differ = {k: config[k] for k in right if config[k] != right[k]}
        assert not differ, f"{place}: {kind.__name__} has {differ}"
    assert model.input_shape == (None, 28, 28, 1), f"{place}: images of another shape"


def test_small_network_has_the_layers_of_its_text(run):
    space = run("block", "small_network" if "small_network" in cells_of("06") else "block")
    keras = space["keras"]
    for given, rate in (((), 0.0), ((0.3,), 0.3)):
        expected = expected_layers(keras, (16, 36), 128, rate)
        assert_layers("06:block", space["small_network"](*given), expected)


def test_network_of_the_series_has_the_layers_of_its_table(run):
    cells = ("block", "network", "layer-table", "look-parameters", "look-work")
    space = run(*cells, guess_layer=...)
    keras = space["keras"]
    assert_layers("06:look-parameters", space["model"], expected_layers(keras, (32, 64), 1024, 0.5))
    how = {"kernel_initializer": keras.initializers.Constant(0.2), "bias_initializer": "ones"}
    expected = expected_layers(keras, (32, 64), 1024, 0.25, **how)
    assert_layers("06:network", space["network"](0.25, **how), expected)
    rows = space["lesson"].heard["table"][0]["rows"]
    assert [(row["layer"], row["shape"], row["weights"]) for row in rows] == [
        ("Conv2D", (28, 28, 32), "832"),
        ("Conv2D", (14, 14, 64), "51,264"),
        ("Dense", (1024,), "3,212,288"),
        ("Dense", (10,), "10,250"),
    ], "06:layer-table: rows"
    assert "3,274,634 in all" in space["printed"], "06:look-parameters: the sum of all weights"
    work = {"a": 28 * 28 * 25 * 32, "b": 14 * 14 * 25 * 32 * 64, "c": 3136 * 1024}
    assert space["work"] == work, "06:look-work: the multiplications"
    assert space["lesson"].heard["compare"][0]["truth"] == "b", "06:look-work: the answer"
    drawn = drawings.network(space["model"]).description
    assert run("network-figure", **space)["nb06"].LAYERS, "06:network-figure"
    assert drawings.network(space["nb06"].LAYERS).description == drawn, (
        "06:network-figure: another network than the one that is built"
    )


def test_small_network_is_counted_right(run):
    space = run("block", "look-small", "layer-table", "small-layers", guess_count=...)
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == 36 * (16 * 25 + 1), "06:look-small: not the second convolution"
    rows = space["lesson"].heard["table"][0]["rows"]
    assert [row["weights"] for row in rows] == ["416", "14,436", "225,920", "1,290"], (
        "06:small-layers"
    )
    assert "242,062 in all" in space["printed"], "06:small-layers: the sum of all weights"


def test_table_of_the_text_tells_the_shapes_of_the_network(run):
    space = run("block", "network")
    shapes = [layer.output.shape[1:] for layer in space["network"]().layers]
    told = "".join(cells_of("06")["why-convolution"]["source"])
    for shape in (shapes[0], shapes[2], shapes[3], shapes[5]):
        assert " x ".join(map(str, shape)) in told, f"06:why-convolution: no line says {shape}"
    assert f"| {shapes[6][0]:,} |" in told and f"| {shapes[7][0]:,} |" in told, (
        "06:why-convolution: sizes"
    )


def test_dropout_works_in_training_and_not_in_predict(run):
    space = run("block", "network")
    keras, model = space["keras"], space["network"]()
    units = keras.ops.convert_to_numpy(keras.Sequential(model.layers[:8])(X["test"][:8]))
    dropped = keras.ops.convert_to_numpy(model.layers[8](units, training=True))
    share = np.mean(dropped[units > 0] == 0)
    assert 0.4 < share < 0.6, f"06:network: dropout drops {share:.2f} of the units, not half"
    kept = dropped[dropped > 0]
    np.testing.assert_allclose(
        kept, 2 * units[dropped > 0], 1e-6, err_msg="06:network: not doubled"
    )
    once, again = (model.predict(X["test"][:8], verbose=0) for _ in range(2))
    on = keras.ops.convert_to_numpy(model(X["test"][:8], training=True))
    assert np.array_equal(once, again), "06:network: predict leaves dropout on"
    assert np.abs(once - on).max() > 1e-3, "06:network: dropout is off in training too"


def test_compile_takes_adam_and_a_loss_of_logits(run):
    space = run("compile")
    keras = space["keras"]
    for given, rate in (((), 1e-3), ((7e-4,), 7e-4)):
        model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
        assert space["compiled"](model, *given) is model, "06:compile: another network"
        right = keras.optimizers.Adam(rate, name=model.optimizer.name).get_config()
        found = model.optimizer.get_config()
        assert found == right, f"06:compile: the optimizer is {found}"
        right = keras.losses.SparseCategoricalCrossentropy(from_logits=True).get_config()
        assert model.loss.get_config() == right, "06:compile: the loss does not take logits"
    found = model.evaluate(X["test"][:9], Y["test"][:9], verbose=0)
    flat = X["test"][:9].reshape(9, -1)
    right = [cross_entropy(flat, Y["test"][:9]), np.mean(flat.argmax(1) == Y["test"][:9])]
    assert found == pytest.approx(right, rel=1e-5), "06:compile: another loss, or no accuracy"


def test_fit_passes_on_what_it_is_given(run):
    space = run("compile", batch_size=7)
    called = []
    history = SimpleNamespace(history={"accuracy": [0.5]})
    model = SimpleNamespace(fit=lambda *args, **how: called.append((args, how)) or history)
    how = {"of": 5, "parts": 2, "callbacks": ["mine"], "initial_epoch": 2}
    told = space["fit"](model, "x", "y", 3, **how)
    args, how = called[0]
    progress, mine = how.pop("callbacks")
    assert args == ("x", "y") and mine == "mine" and told == history.history, "06:compile: fit"
    right = {"epochs": 3, "batch_size": 7, "verbose": 0, "initial_epoch": 2}
    assert how == right, f"06:compile: fit trains with {how}"
    space["fit"](model, "x", "y")
    assert called[1][1]["epochs"] == 1, "06:compile: fit trains more than one epoch"
    told = space["lesson"].heard["keras_progress"]
    assert [(heard["epochs"], heard["parts"]) for heard in told] == [(5, 2), (1, 1)], (
        "06:compile: epochs of the progress"
    )


def test_small_network_trains_one_epoch_and_is_judged_on_validation_images(run):
    fits, small = [], Reader((28, 28, 1))
    names = {"compiled": lambda model: ("compiled", model), "guess_small": ...}
    names["fit"] = lambda *args, **how: fits.append((args, how))
    space = run("train-small", small=small, **names)
    (((model, x, y), how),) = fits
    assert model == ("compiled", small) and same("train", x) and y is Y["train"], "06:train-small"
    assert list(how) == ["validation_data"], f"06:train-small: trains with {how}"
    x, y = how["validation_data"]
    assert same("validation", x) and y is Y["validation"], "06:train-small: judged by others"
    right = np.mean(small.answers(X["validation"]) == Y["validation"])
    heard = space["lesson"].heard["compare"][0]
    assert heard["truth"] == pytest.approx(right), "06:train-small: not the validation accuracy"


def test_first_weights_are_those_of_both_programs(run):
    judged = []

    def compiled(model):
        def evaluate(x, y, batch_size, verbose):
            judged.append((model, x, y))
            return [cross_entropy(model.predict(x[:60], verbose=0), y[:60]), 0.1]

        return SimpleNamespace(evaluate=evaluate)

    names = {"train_x": np.resize(X["train"], (1003, 28, 28, 1)), "compiled": compiled}
    space = run("block", "network", "initial-loss", train_y=np.resize(Y["train"], 1003), **names)
    (original, x, y), (default, _, _) = judged
    assert len(x) == len(y) == 1000, "06:initial-loss: not measured on 1,000 images"
    assert same("train", x[:60]) and np.array_equal(y[:60], Y["train"]), "06:initial-loss: images"
    for layer in original.layers:
        if layer.count_params():
            kernel, bias = layer.get_weights()
            spread = (abs(kernel).max() <= 0.2, kernel.std() == pytest.approx(0.088, abs=0.004))
            assert spread == (True, True), f"06:initial-loss: {layer.name} is not cut off at 0.2"
            assert np.all(bias == np.float32(0.1)), "06:initial-loss: biases do not start at 0.1"
    for layer in default.layers:
        if layer.count_params():
            assert layer.kernel_initializer.__class__.__name__ == "GlorotUniform", (
                "06:initial-loss: not Keras' default"
            )
            assert not layer.get_weights()[1].any(), "06:initial-loss: biases of Keras' default"
    rows = space["lesson"].heard["table"][0]["rows"]
    told = {row["first weights"]: float(row["loss before training"]) for row in rows}
    losses = [cross_entropy(m.predict(x[:60], verbose=0), y[:60]) for m, _, _ in judged]
    assert list(told.values()) == pytest.approx(losses, abs=0.006), "06:initial-loss: table"
    assert told["original: 0.1 everywhere"] > 5 and abs(told["Keras' default"] - 2.303) < 0.3, (
        "06:initial-loss: losses"
    )


# --- The training of three epochs ----------------------------------------------------------------


@pytest.fixture
def watched(begun, monkeypatch):
    """Note each call of Keras' fit: the model, what it was given, its rates, its steps."""
    keras, calls = begun["keras"], []
    real = keras.Model.fit

    def fit(self, x=None, y=None, callbacks=(), **how):
        call = SimpleNamespace(model=self, x=x, y=y, how=how, rates=[], order=[])
        call.steps_before = int(self.optimizer.iterations)
        call.before = self.get_weights()
        watch = lambda batch, logs: call.rates.append(float(self.optimizer.learning_rate))  # noqa: E731
        more = keras.callbacks.LambdaCallback(on_train_batch_end=watch)
        call.history = real(self, x, y, callbacks=[*callbacks, more], **how)
        calls.append(call)
        return call.history

    monkeypatch.setattr(keras.Sequential, "fit", fit, raising=False)
    return calls


@pytest.fixture
def eagerly(begun):
    """Let TensorFlow compute at once: few steps take less time than the making of a graph."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def tiny_model(keras):
    layers = keras.layers
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])


def test_three_epochs_in_thirds_follow_the_learning_rates_and_go_on_from_each_other(
    run, watched, eagerly, tmp_path
):
    old = tmp_path / "logs" / "06" / "old"
    old.mkdir(parents=True)
    trained = [f"epoch-{epoch}{part}" for epoch in (1, 2, 3) for part in ("", "-on", "-end")]
    keras = run("compile")["keras"]
    model = tiny_model(keras)
    space = run("compile", "epoch-step", *trained, "csv-log", model=model, cnn_batch_size=10)
    assert [call.rates for call in watched] == [
        pytest.approx([rate] * 2) for rate in (5e-4, 3e-4, 1e-4) for _ in range(3)
    ], "06:epoch-1..3: the learning rates are not 0.0005, 0.0003, 0.0001, or batches not of 10"
    assert all(call.model is model for call in watched), "06:epoch-step: another network is trained"
    assert [call.steps_before for call in watched] == list(range(0, 18, 2)), (
        "06:epochs: Adam began anew"
    )
    for number, call in enumerate(watched, 1):
        start = (number - 1) % 3 * 20
        third = slice(start, start + 20)
        assert same("train", call.x, third), "06:epoch-step: other images"
        assert np.array_equal(call.y, Y["train"][third]), "06:epoch-step: other labels"
        x, y = call.how["validation_data"]
        assert same("validation", x) and y is Y["validation"], "06:epoch-step: judged by others"
        assert (call.how["initial_epoch"], call.how["epochs"]) == (number - 1, number), (
            "06:epoch-step: epochs"
        )
        assert call.how.get("shuffle", True), "06:epoch-step: images are not shuffled"
    assert isinstance(model.optimizer, keras.optimizers.Adam), "06:epoch-1: not Adam"
    told = [(heard["epochs"], heard["parts"]) for heard in space["lesson"].heard["keras_progress"]]
    assert told == [(3, 3)] * 9, "06:epoch-step: the progress counts otherwise"
    assert not old.exists(), "06:epoch-step: an old log is left in the new one"
    assert_log_tells_the_history(space, tmp_path, [call.history.history for call in watched])


def assert_log_tells_the_history(space, folder, histories):
    with open(folder / "logs" / "06" / "accuracy.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    for kind in ("accuracy", "val_accuracy", "loss", "val_loss"):
        logged, true = [float(line[kind]) for line in lines], [told[kind][0] for told in histories]
        assert logged == pytest.approx(true, abs=1e-6), f"06:epoch-step: the CSV log's {kind}"
    rows = [
        {"epoch": f"{n / 3:.2f}", "training": f"{told['accuracy'][0]:.4f}"}
        | {"validation": f"{told['val_accuracy'][0]:.4f}"}
        for n, told in enumerate(histories, 1)
    ]
    assert space["lesson"].heard["table"][-1]["rows"] == rows, "06:csv-log: the table"


def test_columns_of_the_csv_log_are_not_mixed_up(run, tmp_path):
    text = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.25,1,0.5,2\n1,0.75,3,0.875,4\n"
    (tmp_path / "accuracy.csv").write_text(text)
    rows = run("csv-log", logs=tmp_path)["lesson"].heard["table"][0]["rows"]
    assert rows == [
        {"epoch": "0.33", "training": "0.2500", "validation": "0.5000"},
        {"epoch": "0.67", "training": "0.7500", "validation": "0.8750"},
    ], "06:csv-log: the table"


def test_tensorboard_log_keeps_the_weights_after_each_third(run, tmp_path):
    space = run("block", "network", "compile", "epoch-step", model=None)
    keras, model = space["keras"], space["network"]()
    space = run("block", "network", "compile", "epoch-step", model=model)
    board, weight_log = space["tensorboard"]
    assert isinstance(board, keras.callbacks.TensorBoard) and board.update_freq == "epoch", (
        "06:epoch-step: the log for TensorBoard"
    )
    kernels, random = [], np.random.default_rng(0)
    for third in range(10):
        kernel = random.normal(0.005 * third, 0.005, (3136, 1024)).astype(np.float32)
        model.layers[7].kernel.assign(kernel)
        weight_log.on_train_begin({})
        if third:
            weight_log.on_epoch_end(third - 1, {})
        kernels.append(kernel)
    heard = run("tensorboard-histograms", **space)["plots"].heard["curves"][0]
    assert list(heard["series"]) == ["start", "epoch 3"], "06:tensorboard-histograms: epochs"
    edges = space["nb06"].HISTOGRAM_EDGES
    centres = (edges[1:] + edges[:-1]) / 2
    np.testing.assert_allclose(heard["x"], centres, err_msg="06:tensorboard-histograms: bins")
    for counts, kernel in zip(heard["series"].values(), kernels[::9], strict=True):
        true = np.histogram(kernel, edges)[0]
        assert counts.sum() == pytest.approx(kernel.size, rel=1e-3), (
            "06:tensorboard-histograms: another layer"
        )
        middle = (counts * heard["x"]).sum() / counts.sum()
        assert middle == pytest.approx(kernel.mean(), abs=5e-4), "06:tensorboard-histograms"
        assert np.abs(np.cumsum(counts) - np.cumsum(true)).max() < 0.1 * kernel.size, (
            "06:tensorboard-histograms"
        )


def test_errors_are_those_of_the_network_as_it_stands_on_validation_images(run):
    reader = Reader((28, 28, 1))
    heard = run("errors-1", model=reader)["plots"].heard["errors"][0]
    assert len(reader.asked) == 1 and same("validation", reader.asked[0]), "06:errors-1"
    assert heard["images"] is FEW.validation.images and heard["labels"] is Y["validation"], (
        "06:errors-1: other digits are shown"
    )
    answers = reader.answers(X["validation"])
    assert heard["count"] == 9, "06:errors-1: not nine errors"
    assert heard["predicted"].tolist() == answers.tolist(), "06:errors-1: other answers"


def test_changes_of_errors_are_those_from_one_epoch_to_the_next(run):
    first, second, third = (Reader((28, 28, 1), seed) for seed in (1, 2, 3))
    answers = [reader.answers(X["validation"]).tolist() for reader in (first, second, third)]
    space = run("errors-1", model=first)
    space |= run("look-new", "errors-2", **space | {"model": second}, guess_new=...)
    space |= run("errors-3", **space | {"model": third})
    for number, heard in enumerate(space["plots"].heard["error_changes"]):
        place = f"06:errors-{number + 2}"
        assert heard["images"] is FEW.validation.images and heard["labels"] is Y["validation"]
        assert heard["before"].tolist() == answers[number], f"{place}: not the epoch before"
        assert heard["after"].tolist() == answers[number + 1], f"{place}: not this epoch"
    for reader in (second, third):
        assert len(reader.asked) == 1 and same("validation", reader.asked[0]), "06: other images"


def test_new_errors_are_counted_for_ten_that_are_fixed(run):
    right = Y["validation"]
    wrong = (right + 1) % 10
    before, after = right.copy(), right.copy()
    before[:8], after[6:11] = wrong[:8], wrong[6:11]  # 6 fixed, 2 stayed, 3 new
    model = SimpleNamespace(predict=lambda *_, **__: np.eye(10)[after])
    heard = run("look-new", reads={1: before}, model=model, guess_new=...)["lesson"].heard
    assert heard["compare"][0]["truth"] == 5, "06:look-new: not 10 x new / fixed"


def test_parts_of_a_filter_add_up_to_what_keras_answers(run):
    space = run("block", "look-small", guess_count=...)
    small = space["small"]
    for weight in small.layers[3].weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    space = run("parts", "parts-figure", small=small)
    assert space["printed"] == "as Keras answers: True", "06:parts: they do not add up"
    shown = space["plots"].heard["grids"][0]["arrays"]
    maps = np.asarray(space["maps"])[0]
    strongest = np.abs(space["parts"]).max((0, 1)).argmax()
    assert list(shown)[1] == f"map {strongest}" and len(shown) == 6, "06:parts-figure"
    kernel = space["kernel"][:, :, strongest, space["k"]]
    middle = (maps[4:9, 5:10, strongest] * kernel).sum()
    assert shown[f"map {strongest}"][6, 7] == pytest.approx(middle, rel=1e-4), "06:parts"


def test_known_images_are_compared_with_the_validation_images_after_the_training(run):
    model, right = Reader((28, 28, 1)), np.mean
    reads = {3: np.where(np.arange(len(Y["validation"])) < 10, Y["validation"], 99)}
    space = run("look-known", model=model, reads=reads, guess_known=...)
    ((x, y),) = model.judged
    assert same("train", x) and np.array_equal(y, Y["train"]), "06:look-known: other images"
    known = right(model.answers(X["train"]) == Y["train"])
    assert space["known"] == pytest.approx(known) and space["unknown"] == 0.25
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == ("higher" if known > 0.25 else "lower"), "06:look-known: the answer"


# --- The report ----------------------------------------------------------------------------------


def test_test_accuracy_is_measured_on_all_test_images_without_dropout(run):
    model, small = Reader((28, 28, 1)), Reader((28, 28, 1), seed=1)
    space = run("test", "confusion", model=model, small=small)
    assert len(model.asked) == 1 and same("test", model.asked[0]), "06:test: other images"
    np.testing.assert_array_equal(space["test_logits"], model.logits(X["test"]), "06:test: logits")
    right = [np.mean(reader.answers(X["test"]) == Y["test"]) for reader in (model, small)]
    assert right[0] != right[1]
    found = [space["test_accuracy"], space["small_test_accuracy"]]
    assert found == pytest.approx(right), "06:test: not the accuracies on the test images"
    line = f"MNIST: {right[0]:.4f}, small network {right[1]:.4f}"
    assert space["printed"] == line, f"06:test: prints {space['printed']}"
    heard = space["plots"].heard["confusion"][0]
    assert heard["labels"] is Y["test"] and heard["predicted"] is space["predicted"], (
        "06:confusion: swapped"
    )


def test_dropout_is_left_on_for_fifty_answers_to_the_most_doubtful_digit(run):
    calls, random = [], np.random.default_rng(0)
    logits = random.normal(0, 3, (len(Y["validation"]), 10)).astype(np.float32)
    logits[17] = [0.5, 0, 0.1, 0.4, 0, 0.3, 0, 0, 0, 0.2]
    on = random.normal(size=(50, 10)).astype(np.float32)

    class Model:
        def predict(self, x, batch_size, verbose):
            assert same("validation", x), "06:dropout-on: other images"
            return logits

        def __call__(self, x, training=False):
            calls.append((x, training))
            return on

    space = run("dropout-on", "doubtful", model=Model())
    ((x, training),) = calls
    assert training is True, "06:dropout-on: dropout is off, all answers would be the same"
    assert x.shape == (50, 28, 28, 1) and np.all(x == X["validation"][17]), "06:dropout-on"
    p = np.exp(on) / np.exp(on).sum(1, keepdims=True)
    answers = space["plots"].heard["dots"][0]["values"]
    assert list(answers) == [f"digit {k}" for k in (0, 3, 5, 9)], (
        "06:dropout-on: not the four likeliest digits"
    )
    for digit, column in answers.items():
        np.testing.assert_allclose(column, p[:, int(digit[-1])], 1e-5, err_msg="06:dropout-on")
    heard = space["plots"].heard["probabilities"][0]
    p = np.exp(logits[17]) / np.exp(logits[17]).sum()
    np.testing.assert_allclose(heard["values"], p, 1e-5, err_msg="06:doubtful: probabilities")
    assert heard["label"] == Y["validation"][17], "06:doubtful: the label"
    assert np.array_equal(heard["image"], FEW.validation.images[17]), "06:doubtful: the image"


# --- With and without dropout --------------------------------------------------------------------


def test_contestants_differ_in_nothing_but_dropout(run):
    space = run("block", "compile", "compare-dropout")
    without, with_dropout = space["contestants"].values()
    assert list(space["contestants"]) == ["without", "with dropout"], "06:compare-dropout: names"
    keras = space["keras"]
    assert_layers("06:compare-dropout", without, expected_layers(keras, (16, 36), 128, 0.0))
    assert_layers("06:compare-dropout", with_dropout, expected_layers(keras, (16, 36), 128, 0.5))
    told = [str(model.get_compile_config()) for model in (without, with_dropout)]
    alike = told[0].replace(without.optimizer.name, with_dropout.optimizer.name) == told[1]
    assert alike, "06:compare-dropout: they are not compiled alike"


def test_accuracy_of_a_contestant_starts_anew_and_is_judged_on_validation_images(run):
    done = []

    class Trained(Reader):
        def fit(self, x, y, **how):
            done.append(("fit", x, y, how))

        def evaluate(self, *args, **how):
            done.append("evaluate")
            return super().evaluate(*args, **how)

    nb06 = SimpleNamespace(start_again=lambda *args: done.append(("anew", *args)))
    names = {"small_network": "small", "compiled": lambda *_: None, "nb06": nb06}
    names["small_network"] = lambda *_: None
    space = run("compare-dropout", **names)
    trained = Trained((28, 28, 1))
    accuracy = space["accuracy_of"](trained, 30, 4, 9)
    anew, (fit, x, y, how), evaluate = done
    assert anew == ("anew", trained, names["small_network"], 9), "06:compare-dropout: start_again"
    assert np.array_equal(x, X["train"][:30]) and np.array_equal(y, Y["train"][:30]), (
        "06:compare-dropout: images"
    )
    assert (fit, evaluate) == ("fit", "evaluate"), "06:compare-dropout: order"
    assert how == {"batch_size": 32, "epochs": 4, "verbose": 0}, "06:compare-dropout: fit"
    ((x, y),) = trained.judged
    assert same("validation", x) and y is Y["validation"], "06:compare-dropout: judged by others"
    assert accuracy == pytest.approx(np.mean(trained.answers(x) == y)), (
        "06:compare-dropout: accuracy"
    )


def test_comparison_gives_both_the_same_seeds(run):
    asked = []

    def accuracy_of(trained, images, epochs, run_seed):
        asked.append((trained, images, epochs, run_seed))
        return len(asked) / 10

    names = {"small_network": lambda rate=0.0: rate, "compiled": lambda model: model}
    space = run("compare-dropout", seed=4, seeds=2, **names)
    space["with_seeds"].__globals__["accuracy_of"] = accuracy_of
    found = [space["with_seeds"](name, 30, 6) for name in ("without", "with dropout")]
    right = [(rate, 30, 6, s) for rate in (0.0, 0.5) for s in (4, 5)]
    assert asked == right, f"06:compare-dropout: trainings {asked}"
    assert found == [[0.1, 0.2], [0.3, 0.4]], "06:compare-dropout"


def test_each_comparison_has_its_own_images_and_epochs(run):
    sizes = {"few_images": 3, "few_epochs": 4, "more_images": 5, "more_epochs": 6}
    cells = ("few", "few-dropout", "more", "more-dropout")
    space = run(*cells, with_seeds=lambda *asked: asked, **sizes)
    for found, how in ((space["few"], (3, 4)), (space["more"], (5, 6))):
        right = {name: (name, *how) for name in ("without", "with dropout")}
        assert found == right, "06:few, 06:more: names, images and epochs"


def test_start_again_forgets_the_training_before(run, eagerly):
    space = run("compile")
    keras, nb06, ends = space["keras"], space["nb06"], []
    model = space["compiled"](tiny_model(keras), 7e-4)
    for _ in range(2):
        nb06.start_again(model, lambda: tiny_model(keras), 5)
        assert int(model.optimizer.iterations) == 0, "nb06.start_again: steps are counted on"
        assert all(not np.any(v) for v in model.optimizer.variables[2:]), "Adam's memory is kept"
        assert float(model.optimizer.learning_rate) == pytest.approx(7e-4), (
            "nb06.start_again: the learning rate"
        )
        before = model.get_weights()
        model.fit(X["train"], Y["train"], batch_size=20, verbose=0)
        ends.append(model.get_weights())
    keras.utils.set_random_seed(5)
    first = tiny_model(keras).get_weights()
    assert np.array_equal(before[0], first[0]), "nb06.start_again: not the seed's first weights"
    assert np.array_equal(*(end[0] for end in ends)), "nb06.start_again: two trainings differ"


def gained(run, few, more):
    found = [{"without": [0.5, 0.6], "with dropout": list(with_it)} for with_it in (few, more)]
    space = run("dropout-gain", few=found[0], more=found[1], guess_dropout=...)
    heard = space["lesson"].heard
    return heard["table"][0]["rows"], heard["compare"][0]["truth"], space["gains"]


def test_gain_of_dropout_is_told_seed_by_seed_and_judged_by_ranges(run):
    rows, better, gains = gained(run, (0.53, 0.61), (0.49, 0.6))
    columns = ("mean gain (points)", "lowest", "highest")
    assert [[row["images"], *(row[c] for c in columns)] for row in rows] == [
        ["few", "+2.00", "+1.00", "+3.00"],
        ["more", "-0.50", "-1.00", "+0.00"],
    ], "06:dropout-gain: the table"
    assert better == "few", "06:dropout-gain: few gains more with every seed"
    np.testing.assert_allclose(gains["few"], [0.03, 0.01], err_msg="06:dropout-gain: seed by seed")
    assert gained(run, (0.49, 0.6), (0.53, 0.61))[1] == "more", "06:dropout-gain: the verdict"
    for few, more in (((0.53, 0.61), (0.5, 0.62)), ((0.5, 0.6), (0.5, 0.6))):
        assert gained(run, few, more)[1] == "same", "06:dropout-gain: ranges overlap"


def test_dots_of_the_comparison_name_what_they_show(run):
    few, more = ({name: [n] for name in ("without", "with dropout")} for n in (0.1, 0.2))
    names = {"few": few, "more": more, "few_images": 3, "more_images": 5}
    values = run("dropout-bars", **names)["plots"].heard["dots"][0]["values"]
    right = {f"{n} images, {name}": [v] for n, v in ((3, 0.1), (5, 0.2)) for name in few}
    assert values == right, "06:dropout-bars: another value under a name"


# --- Stop and resume -----------------------------------------------------------------------------


def test_resumed_training_is_the_uninterrupted_one_and_comes_from_the_file(
    run, begun, watched, eagerly, tmp_path, monkeypatch
):
    keras, loaded = begun["keras"], []
    load = keras.saving.load_model
    noting = lambda *args, **how: loaded.append((args, load(*args, **how))) or loaded[-1][1]  # noqa: E731
    monkeypatch.setattr(keras.saving, "load_model", noting)
    random = np.random.default_rng(0)
    x = random.uniform(0, 1, (250, 28, 28, 1)).astype(np.float32)
    y = random.integers(0, 10, 250).astype(np.uint8)
    (tmp_path / "logs").mkdir()
    names = {"logs": tmp_path / "logs", "train_x": x, "train_y": y}
    names["small_network"] = lambda: tiny_model(keras)
    space = run("compile", "resume-helpers", "resume", "resume-wrong", **names)
    whole, resumed, forgetful = (space[n] for n in ("uninterrupted", "resumed", "forgetful"))

    assert len(loaded) == 2 and loaded[0][1] is resumed, "06:resume: not the network of the file"
    assert all(args[0] == space["checkpoint"] for args, _ in loaded), "06:resume: another file"
    assert all(call.how.get("shuffle", True) for call in watched), "06:resume-helpers: shuffled"
    steps = [(call.steps_before, len(call.rates)) for call in watched]
    assert steps == [(0, 3), (3, 3), (0, 3), (3, 3), (0, 3)], f"06:resume: steps {steps}"
    for one, other in zip(state(whole), state(resumed), strict=True):
        assert np.array_equal(one, other), "06:resume: weights or Adam's memory differ"
    saved = load(space["checkpoint"])
    for one, other in zip(saved.get_weights(), watched[3].before, strict=True):
        assert np.array_equal(one, other), "06:resume: the second epoch starts from other weights"
    for one, other in zip(saved.get_weights(), watched[4].before, strict=True):
        assert np.array_equal(one, other), "06:resume-wrong: starts from other weights"
    assert np.any(saved.get_weights()[0] != resumed.get_weights()[0])
    first, second = space["printed"].splitlines()
    assert first == "largest difference of a weight: 0.0", "06:resume: the line printed"
    far = max(
        np.abs(a - b).max()
        for a, b in zip(whole.get_weights(), forgetful.get_weights(), strict=True)
    )
    assert far > 5e-4 and second == f"largest difference of a weight: {far:.3f}", (
        "06:resume-wrong: the difference"
    )


def test_with_dropout_a_resumed_training_is_the_same_only_with_its_dice(
    run, begun, eagerly, tmp_path
):
    keras = begun["keras"]

    def with_dropout(rate):
        parts = [keras.layers.Flatten(), keras.layers.Dense(30, "relu"), keras.layers.Dropout(rate)]
        return keras.Sequential([keras.Input((28, 28, 1)), *parts, keras.layers.Dense(10)])

    random = np.random.default_rng(0)
    names = {"train_x": random.uniform(0, 1, (250, 28, 28, 1)).astype(np.float32)}
    names |= {"train_y": random.integers(0, 10, 250).astype(np.uint8), "logs": tmp_path}
    names |= {"small_network": with_dropout, "guess_resume": ...}
    space = run("compile", "resume-helpers", "resume-dropout", **names)
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == "different" and space["far"] > 1e-4, (
        "06:resume-dropout: Keras keeps the dice in its file now: the text says that it does not"
    )
    last = run("resume-dice", **space)
    assert last["printed"] == "largest difference of a weight: 0.0", "06:resume-dice"
    drawn = [
        np.asarray(last[name].layers[2].seed_generator.state)
        for name in ("straight", "after_break")
    ]
    assert np.array_equal(*drawn), "06:resume-dice: the dice differ"
    assert np.any(last["straight"].get_weights()[0] != space["straight"].get_weights()[0])


def test_every_dropout_layer_gets_dice_of_its_own(begun):
    keras, nb06 = begun["keras"], begun["nb06"]
    drop = [keras.layers.Dropout(0.5) for _ in range(2)]
    model = keras.Sequential([keras.Input((4,)), *drop])
    states = []
    for seed in (3, 3, 4):
        model(np.ones((2, 4)), training=True)
        nb06.seed_dropout(model, seed)
        states.append([np.asarray(layer.seed_generator.state).tolist() for layer in drop])
    assert states[0] == states[1] != states[2] and states[0][0] != states[0][1]


def state(model):
    return [*model.get_weights(), *(np.asarray(v) for v in model.optimizer.variables)]


def test_epochs_have_seeds_of_their_own_and_a_fresh_network_is_always_the_same(run):
    seeds, fits = [], []
    utils = SimpleNamespace(set_random_seed=seeds.append)
    names = {"keras": SimpleNamespace(utils=utils), "seed": 4}
    names |= {"compiled": lambda model: ("compiled", model), "small_network": lambda: "small"}
    names |= {"train_x": np.arange(2100), "train_y": -np.arange(2100)}
    space = run("resume-helpers", **names)
    trained = SimpleNamespace(fit=lambda x, y, **how: fits.append((x, y, how)))
    assert space["one_epoch"](trained, 2) is trained, (
        "06:resume-helpers: one_epoch gives another network"
    )
    assert space["fresh"]() == ("compiled", "small"), "06:resume-helpers: fresh"
    assert seeds == [6, 4], f"06:resume-helpers: seeds {seeds}"
    ((x, y, how),) = fits
    assert np.array_equal(x, np.arange(2000)) and np.array_equal(y, -x), "06:resume-helpers"
    assert how == {"batch_size": 100, "verbose": 0}, "06:resume-helpers: one epoch"


def test_largest_difference_looks_at_all_weights_both_ways(run):
    space = run("resume-helpers")

    def weights(*arrays):
        return SimpleNamespace(get_weights=lambda: [np.array(a, np.float32) for a in arrays])

    one = weights([[1, 2], [3, 4]], [0, 0])
    for other, far in (
        (weights([[1, 2], [3, 4]], [0, 0]), 0),
        (weights([[1, 2], [3, 4]], [0, 0.5]), 0.5),
        (weights([[1, 2], [3, 4]], [-0.5, 0.25]), 0.5),
        (weights([[4, 2], [3, 4]], [0, 0.5]), 3),
    ):
        assert space["largest_difference"](one, other) == far, "06:resume-helpers: the difference"


# --- Save and load -------------------------------------------------------------------------------


def test_saved_network_gives_the_same_answers_in_another_process(run, begun, tmp_path):
    keras = begun["keras"]
    model, commands = tiny_model(keras), []

    def other_process(command, **how):
        commands.append((command, how))
        _, _, code, folder = command
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["-c", folder])
            exec(compile(code, "06:save", "exec"), {})

    def careless(command, **how):
        other_process(command, **how)
        answers = np.load(tmp_path / "answers.npy")
        answers[-1, -1] += 0.001
        np.save(tmp_path / "answers.npy", answers)

    for process, printed in ((other_process, "True"), (careless, "False")):
        stand_in = SimpleNamespace(run=process)
        space = run("save", model=model, logs=tmp_path, subprocess=stand_in)
        assert space["printed"] == f"same answers: {printed}", "06:save: the comparison"
    (command, how), _ = commands
    assert command[:2] == [sys.executable, "-c"] and how["check"], "06:save: no other Python"
    assert command[3] == str(tmp_path) and subprocess.run is not stand_in.run, (
        "06:save: another folder"
    )
    answers = np.load(tmp_path / "some_digits.npy")
    assert np.array_equal(answers, X["validation"][:20]), "06:save: other digits"
    asked = model.predict(X["validation"][:20], verbose=0)
    np.testing.assert_allclose(space["here"], asked, atol=1e-6, err_msg="06:save: here")
    kept = keras.saving.load_model(tmp_path / "cnn.keras")
    assert np.array_equal(kept.get_weights()[0], model.get_weights()[0]), "06:save: other weights"


# --- The ruler, the results, what could go wrong -------------------------------------------------


def test_ruler_asks_the_network_for_scaled_images(run):
    model, ruled = Reader((28, 28, 1)), [0.9, 0.8, 0.7, 0.6, 0.5]
    ruler = listening(lesson, shift_accuracies=lambda *_: ruled)
    space = run(
        "ruler", "ruler-figure", model=model, lesson=ruler, ruler_images=30, guess_shift=...
    )
    heard = ruler.heard["shift_accuracies"][0]
    assert np.array_equal(heard["images"], FEW.test.images[:30]), "06:ruler: other images"
    assert np.array_equal(heard["labels"], Y["test"][:30]), "06:ruler: other labels"
    assert tuple(heard["shifts"]) == (0, 1, 2, 3, 4), "06:ruler: other distances"
    answers = heard["predict"](FEW.test.images)
    assert same("test", model.asked[-1]), "06:ruler: images are not scaled once, or moved"
    assert answers.tolist() == model.answers(X["test"]).tolist(), "06:ruler: other answers"
    assert ruler.heard["compare"][0]["truth"] == 0.7, "06:ruler: not the accuracy at 2 pixels"
    rows = space["plots"].heard["shift_ruler"][0]["rows"]
    assert rows == lesson.shift_rows("MNIST", before="06") | {"CNN": ruled}, "06:ruler-figure"


def test_results_are_recorded_under_their_names(run):
    gains = {"few": np.array([0.1, 0.3]), "more": np.array([0.0, -0.2])}
    names = {"test_accuracy": 0.99, "small_test_accuracy": 0.98, "gains": gains}
    space = run("results", row=[0.95, 0.9, 0.8, 0.7, 0.6], **names)
    heard = space["lesson"].heard["record"][0]
    right = {"test_accuracy": 0.99, "small_test_accuracy": 0.98}
    right |= {"dropout_gain_few": 0.2, "dropout_gain_more": -0.1}
    right |= {f"shift_{n}": value for n, value in enumerate([0.95, 0.9, 0.8, 0.7, 0.6])}
    assert heard["digits"] is FEW and heard["numbers"] == pytest.approx(right), "06:results"


def test_mistakes_show_what_their_text_says(run):
    printed = run("wrong-axis")["printed"]
    assert "expected min_ndim=4, found ndim=3" in printed, "06:wrong-axis: the message"
    logits = np.random.default_rng(0).normal(0, 3, (len(Y["validation"]), 10)).astype(np.float32)
    printed = run("wrong-logits", logits=logits)["printed"]
    cut = np.clip(logits / logits.sum(1, keepdims=True), 1e-7, 1 - 1e-7)
    wrong = -np.log(cut[np.arange(len(cut)), Y["validation"]]).mean()
    start = f"loss, logits taken as logits: {cross_entropy(logits, Y['validation']):.3f}, as probab"
    assert printed.startswith(start), f"06:wrong-logits: {printed}"
    assert (
        abs(float(printed.split()[-1]) - cross_entropy(logits, Y["validation"])) > 0.5 and wrong > 0
    ), "06:wrong-logits: both are right"


# --- Exercise 4 ----------------------------------------------------------------------------------


def own(*parts, loss=None, rate=3e-3, shape=(28, 28, 1), last=10):
    """Return a learner's function: the layers before the last dense one, and how it is compiled."""

    def my_network():
        import keras

        layers = keras.layers
        kinds = {"conv": lambda n: layers.Conv2D(n, 3, padding="same"), "dense": layers.Dense}
        kinds |= {"relu": layers.ReLU, "pool": layers.MaxPool2D, "flat": layers.Flatten}
        kinds |= {"mean": layers.GlobalAveragePooling2D, "softmax": layers.Softmax}
        begin, end, stack = [keras.Input(shape)] if shape else [], [], []
        for name, *size in map(str.split, parts):
            (end if name == "softmax" else stack).append(kinds[name](*map(int, size)))
        model = keras.Sequential([*begin, *stack, layers.Dense(last), *end])
        logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if rate:
            model.compile(keras.optimizers.Adam(rate), loss or logits)
        return model

    return my_network


def trained_already():
    model = own("flat")()
    model.fit(X["train"], Y["train"], verbose=0)
    return model


PLAIN = "sparse_categorical_crossentropy"
WRONG = {
    "too many weights": (own("conv 8", "flat", "dense 32"), "200,736, are in one Dense layer"),
    "nine outputs": (own("flat", last=9), "Ten digits need (None, 10)"),
    "rows of pixels": (own("dense 8", shape=(784,)), "it takes (None, 784)"),
    "no shapes": (own("flat", shape=None), "begin it with keras.Input"),
    "what compile returns": (lambda: "compiled", "return the model itself"),
    "not compiled": (own("flat", rate=None), "not compiled"),
    "trained already": (trained_already, "the checker trains"),
    "softmax twice": (own("flat", "softmax"), "softmax twice"),
    "logits as probabilities": (own("flat", loss=PLAIN), "from_logits=True"),
    "no convolution": (own("flat"), "no convolution"),
    "no activation": (own("conv 4", "pool", "flat", rate=1e-6), "No layer has an activation"),
    "a guess": (own("conv 4", "relu", "mean", rate=1e-7), "no more than a guess"),
    "an error": (lambda: own.missing, "your answer raised AttributeError"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_in_a_network_of_ones_own_are_named(begun, name):
    begun["keras"].utils.set_random_seed(1)
    answer, words = WRONG[name]
    sets = [(X[part], Y[part]) for part in ("train", "validation")]
    assert words in begun["nb06"].small_cnn.verdict(answer, *sets, 0.95)


def test_a_network_of_ones_own_that_learns_passes(begun):
    keras, nb06 = begun["keras"], begun["nb06"]
    keras.utils.set_random_seed(1)
    many = [(np.repeat(X["train"], 40, 0), np.repeat(Y["train"], 40)), (X["train"], Y["train"])]
    for answer in (
        own("conv 8", "pool", "relu", "flat"),
        own("conv 8", "pool", "relu", "flat", "softmax", loss=PLAIN),
    ):
        assert nb06.small_cnn.verdict(answer, *many, 0.9) == "✓ Right."
        assert "1.01" in nb06.small_cnn.verdict(answer, *many, 1.01)
    assert nb06.small_cnn.verdict(lambda: ..., *many) == "Not answered yet."
