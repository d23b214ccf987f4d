"""Notebook 08, cell by cell: what it measures on a network, against sums done another way."""

import collections
from types import SimpleNamespace

import numpy as np
import pytest
from cells import code_with, run_cells
from fake_training import Reader, few_digits, listening, seedless, settings

from mnist_edu import data, lesson, plots
from mnist_edu.exercises import nb08

pytestmark = pytest.mark.slow

FEW = few_digits()
SPLITS = {"train": FEW.train, "validation": FEW.validation, "test": FEW.test}
X = {name: part.images / np.float32(255) for name, part in SPLITS.items()}
Y = {name: part.labels for name, part in SPLITS.items()}
NAMES = ("softmax", "dense", "CNN")
READS_TEST = {"prepare", "report", "ruler"}


@pytest.fixture(scope="module")
def begun():
    """Run the cells that import and set parameters."""
    return run_cells("08", "setup", "parameters")


@pytest.fixture(scope="module")
def run(begun):
    """Return a function that runs cells on a few digits, and listens to lesson and plots."""

    def run(*ids, **names):
        given = {"digits": FEW, "lesson": listening(lesson), "plots": listening(plots, act=False)}
        given |= {f"{name}_x": images for name, images in X.items()}
        given |= {f"{name}_y": labels for name, labels in Y.items()}
        return run_cells("08", *ids, **begun | given | names)

    return run


@pytest.fixture(scope="module")
def networks(begun):
    """Make the three networks, untrained."""
    begun["keras"].utils.set_random_seed(1)
    return run_cells("08", "networks", "make-networks", **begun)


def softmax_of(logits):
    powers = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def made_up(n=300, seed=0):
    """Make up labels and the probabilities of three networks, the later ones better."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, n)
    logits = {name: random.normal(0, 2, (n, 10)) for name in NAMES}
    for better, name in enumerate(NAMES, 2):
        logits[name][np.arange(n), labels] += 1.5 * better
    return labels, {name: softmax_of(z) for name, z in logits.items()}


LABELS, GIVEN = made_up()
SURE, ANSWER = GIVEN["CNN"].max(1), GIVEN["CNN"].argmax(1)
ASKED = {"validation_y": LABELS, "probabilities": GIVEN, "predicted": ANSWER}
ASKED |= {"wrong": ANSWER != LABELS, "sure": SURE}
ERRORS = {"confidence": {name: p.max(1) for name, p in GIVEN.items()}}
ERRORS |= {"right": {name: p.argmax(1) == LABELS for name, p in GIVEN.items()}}


# --- What is prepared ----------------------------------------------------------------------------


def test_parameters_are_those_that_the_text_and_the_bands_speak_of(begun):
    expected = {"source": "auto", "seed": 1, "train_images": 55_000, "dense_epochs": 5}
    expected |= {"few_images": 1000, "few_epochs": 100, "wanted_accuracy": 0.995}
    expected |= {"disturbed_images": 1000, "ruler_images": 10_000}
    found = {name: begun[name] for name in expected}
    assert found == expected, "08:parameters: a default differs from what the text speaks of"


def test_seed_and_source_are_used(run):
    source = listening(data, load=lambda source: FEW)
    space = run("load", data=source, lesson=seedless(), seed=5, source="synthetic")
    assert space["lesson"].heard["set_seed"][0]["seed"] == 5, "08:load: the seed is not set"
    assert source.heard["load"][0]["source"] == "synthetic", "08:load: the source is not asked for"


def test_each_split_is_scaled_once(begun):
    space = run_cells("08", "prepare", **begun | {"digits": FEW, "train_images": 50})
    for name, count in (("train", 50), ("validation", None), ("test", None)):
        np.testing.assert_allclose(
            space[f"{name}_x"], X[name][:count], 1e-6, err_msg=f"08:prepare: {name}_x"
        )
        np.testing.assert_array_equal(space[f"{name}_y"], Y[name][:count], "08:prepare: labels")


def test_test_images_stay_closed_until_the_report():
    found = code_with("08", "test_x", "test_y")
    assert found == READS_TEST, f"08: test digits in other cells than the report's: {found}"


# --- The networks --------------------------------------------------------------------------------


def test_three_networks_have_the_layers_of_their_text(networks):
    layers = networks["keras"].layers
    maps = [layers.Reshape((28, 28, 1))]
    for filters in (16, 36):
        maps += [layers.Conv2D(filters, 5, padding="same"), layers.MaxPool2D(2, 2), layers.ReLU()]
    expected = {
        "softmax": [layers.Flatten()],
        "dense": [layers.Flatten(), layers.Dense(128, "relu")],
        "CNN": [*maps, layers.Flatten(), layers.Dense(128, "relu")],
    }
    assert list(networks["models"]) == list(expected), "08:make-networks: names"
    for name, model in networks["models"].items():
        found, right = settings(model.layers), settings([*expected[name], layers.Dense(10)])
        assert found == right, f"08:make-networks: layers of {name}"
        assert model.input_shape == (None, 28, 28), f"08:networks: images of {name}"
    assert networks["printed"].splitlines() == [
        "softmax: 7,850 weights",
        "dense: 101,770 weights",
        "CNN: 242,062 weights",
    ], "08:make-networks: weights"
    assert [networks["softmax"], networks["dense"], networks["cnn"]] == list(
        networks["models"].values()
    ), "08:make-networks: a name stands for another network"


def test_networks_are_compiled_for_logits(networks):
    keras = networks["keras"]
    for name, model in networks["models"].items():
        right = keras.optimizers.Adam(name=model.optimizer.name).get_config()
        assert model.optimizer.get_config() == right, f"08:networks: optimizer of {name}"
        right = keras.losses.SparseCategoricalCrossentropy(from_logits=True).get_config()
        assert model.loss.get_config() == right, f"08:networks: loss of {name} takes no logits"
        told = model.get_compile_config()["metrics"]
        assert told == ["accuracy"], f"08:networks: {name} does not tell its accuracy"


def test_fit_trains_on_training_images_and_is_judged_on_validation_images(run):
    called = []
    model = SimpleNamespace(fit=lambda *args, **how: called.append((args, how)))
    space = run("fit")
    space["fit"](model, 3, "name")
    (((x, y), how),) = called
    assert x is X["train"] and y is Y["train"], "08:fit: other images than the training images"
    assert len(how.pop("callbacks")) == 1, "08:fit: callbacks"
    x, y = how.pop("validation_data")
    assert x is X["validation"] and y is Y["validation"], "08:fit: judged by other images"
    right = {"batch_size": 128, "epochs": 3, "verbose": 0, "validation_batch_size": 1000}
    assert how == right, f"08:fit: trains with {how}"
    assert space["lesson"].heard["keras_progress"][0] == {"epochs": 3, "label": "name"}, (
        "08:fit: progress"
    )


def test_each_network_is_trained_as_often_as_its_text_says(run):
    fits = []
    names = {"softmax": "softmax", "dense": "dense", "cnn": "cnn", "dense_epochs": 4}
    names["fit"] = lambda model, epochs, label: fits.append((model, epochs))
    run("train-dense", "train-cnn", "train-cnn-on", **names)
    assert fits == [("softmax", 4), ("dense", 4), ("cnn", 1), ("cnn", 1)], f"08:train: {fits}"


def test_ask_gives_probabilities_of_each_image(run):
    space, reader = run("ask"), Reader((28, 28))
    found = space["logits_of"](reader, X["test"])
    np.testing.assert_allclose(found, reader.logits(X["test"]), err_msg="08:ask: logits_of")
    expected = softmax_of(reader.logits(X["test"]))
    np.testing.assert_allclose(
        space["ask"](reader, X["test"]), expected, 1e-4, 1e-7, err_msg="08:ask: no softmax by rows"
    )


def test_answers_are_those_of_the_cnn_on_validation_images(run):
    models = {name: Reader((28, 28), seed) for seed, name in enumerate(NAMES)}
    space = run("ask", "answers", models=models)
    for name, reader in models.items():
        expected = softmax_of(reader.logits(X["validation"]))
        found = space["probabilities"][name]
        np.testing.assert_allclose(found, expected, 1e-4, 1e-7, err_msg=f"08:answers: {name}")
    answers = models["CNN"].answers(X["validation"])
    assert space["predicted"].tolist() == answers.tolist(), "08:answers: not those of the CNN"
    wrong = answers != Y["validation"]
    assert space["wrong"].tolist() == wrong.tolist(), "08:answers: which are wrong"
    line = f"the CNN reads {wrong.sum()} of {len(wrong)} validation digits wrong"
    assert space["printed"].endswith(line), "08:answers: the line printed"


# --- Errors --------------------------------------------------------------------------------------


def test_rows_of_the_error_table_are_sorted_by_share_and_name_the_favourite(run):
    labels = np.repeat(np.arange(10), [9, 20, 5, 9, 9, 9, 9, 9, 9, 9])
    answers = labels.copy()
    answers[[0, 1, 2]] = (7, 7, 3)  # 3 of 9 zeros
    answers[[9, 10, 11, 12]] = (4, 2, 2, 2)  # 4 of 20 ones
    answers[[29, 30, 31, 32]] = (1, 1, 1, 8)  # 4 of 5 twos
    space = run("confusion", "stands-out", validation_y=labels, predicted=answers)
    heard = space["plots"].heard["confusion"][0]
    assert heard["labels"] is labels and heard["predicted"] is answers, "08:confusion: swapped"
    expected = np.array([[np.sum(answers[labels == i] == j) for j in range(10)] for i in range(10)])
    np.testing.assert_array_equal(space["counts"], expected, "08:stands-out: counts")
    off = expected * (1 - np.eye(10, dtype=int))
    np.testing.assert_array_equal(space["errors"], off, "08:stands-out: errors")
    rows = [tuple(map(str, row.values())) for row in space["lesson"].heard["table"][0]["rows"]]
    assert rows[:4] == [
        ("2", "5", "4", "80.0", "1 (3)"),
        ("0", "9", "3", "33.3", "7 (2)"),
        ("1", "20", "4", "20.0", "2 (3)"),
        ("3", "9", "0", "0.0", "–"),
    ], f"08:stands-out: the table starts {rows[:4]}"


def test_nine_surest_errors_are_shown_and_compared_with_the_readers(run):
    compared = []
    images = np.arange(len(LABELS))
    digits = SimpleNamespace(validation=SimpleNamespace(images=images), source="MNIST")
    stand_in = SimpleNamespace(compare_people=lambda *args: compared.append(args))
    names = {name: value for name, value in ASKED.items() if name != "sure"}
    names |= {"digits": digits, "nb08": stand_in, "guess_people": "guess"}
    space = run("people", "look-people", **names)
    wrong = [i for i in range(len(LABELS)) if ANSWER[i] != LABELS[i]]
    surest = sorted(wrong, key=lambda i: -SURE[i])[:9]
    assert space["surest"].tolist() == surest, "08:people: not the surest errors"
    shown = space["plots"].heard["digits"][0]["images"]
    assert shown.tolist() == surest, "08:people: other images"
    ((guess, labels, answers),) = compared
    assert guess == "guess" and labels.tolist() == LABELS[surest].tolist(), "08:look-people"
    assert answers.tolist() == ANSWER[surest].tolist(), "08:look-people: answers"


def test_nine_errors_are_of_the_most_frequent_pairs(run):
    images = np.arange(len(LABELS))
    digits = SimpleNamespace(validation=SimpleNamespace(images=images), source="MNIST")
    pairs = collections.Counter(zip(LABELS, ANSWER, strict=True))
    often = [0 if a == b else pairs[a, b] for a, b in zip(LABELS, ANSWER, strict=True)]
    errors = np.zeros((10, 10), int)
    for (a, b), count in pairs.items():
        errors[a, b] = count if a != b else 0
    heard = run("nine-errors", errors=errors, **ASKED | {"digits": digits})["plots"].heard
    heard = heard["predictions"][0]
    expected = sorted(range(len(LABELS)), key=lambda i: -often[i])[:9]
    assert heard["images"].tolist() == expected, "08:nine-errors: other images"
    assert heard["labels"].tolist() == LABELS[expected].tolist(), "08:nine-errors: labels"
    assert heard["predicted"].tolist() == ANSWER[expected].tolist(), "08:nine-errors: answers"


# --- Inside --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def probed(run, networks):
    """Run the cells that look into the untrained CNN, with labels made up for 40 digits."""
    labels = Y["validation"].copy()
    labels[:12] = (3, 4, 4, 4, 0, 0, 1, 0, 1, 4, 1, 5)
    sure = np.full(len(labels), 0.995)
    sure[2] = 0.99
    wrong = np.zeros(len(labels), bool)
    wrong[[1, 4]] = True
    names = {"cnn": networks["cnn"], "validation_y": labels, "sure": sure, "wrong": wrong}
    cells = ("probe", "look-silent", "maps-1", "maps-2", "dense-units", "code-distances")
    return run("filters", *cells, guess_silent=..., **names)


def test_filters_are_those_of_the_first_convolution(probed, networks):
    values = probed["plots"].heard["weights"][0]["values"]
    kernel = networks["cnn"].layers[1].get_weights()[0]
    assert np.array_equal(values, kernel.reshape(5, 5, 16)), "08:filters: other weights"


def test_clear_digit_is_the_first_four_read_right_and_surely(probed):
    assert probed["clear"] == 3, "08:probe: digit 1 is read wrong, digit 2 with 0.99"


def test_probe_shows_what_each_layer_makes_of_the_clear_digit(probed, networks):
    value = X["validation"][3:4]
    for layer, found in zip(networks["cnn"].layers, probed["outputs"], strict=True):
        value = np.asarray(layer(value))
        np.testing.assert_allclose(found, value[0], atol=1e-5, err_msg=f"08:probe: {layer.name}")
    first, second, units = (heard["maps"] for heard in probed["plots"].heard["activations"])
    assert np.array_equal(first, probed["outputs"][3]), "08:maps-1: not the first block's ReLU"
    assert np.array_equal(second, probed["outputs"][6]), "08:maps-2: not the second block's ReLU"
    assert first.shape == (14, 14, 16) and second.shape == (7, 7, 36), "08:maps: of other layers"
    assert first.min() >= 0 and second.min() >= 0, "08:maps: before ReLU"


def test_silent_units_are_counted_in_the_dense_layer(probed):
    silent = np.mean(probed["outputs"][8] == 0)
    assert probed["outputs"][8].shape == (128,) and 0.1 < silent < 0.9, "08:probe: the dense layer"
    truth = probed["lesson"].heard["compare"][0]["truth"]
    assert truth == pytest.approx(silent), "08:look-silent: another share of silent units"
    rows = probed["lesson"].heard["table"][0]["rows"]
    told = [(row["layer"], row["shape"], row["numbers"]) for row in rows]
    assert told[1] == ("Conv2D", "28 x 28 x 16", "12,544") and told[8] == ("Dense", "128", "128"), (
        "08:look-silent"
    )
    zeros = [f"{np.mean(output == 0):.0%}" for output in probed["outputs"]]
    assert [row["zeros"] for row in rows] == zeros, "08:look-silent: zeros"


def test_codes_of_two_zeros_and_two_ones_are_folded_row_by_row(probed, networks):
    assert probed["four"] == [5, 7, 6, 8], "08:dense-units: not two zeros, then two ones"
    value = X["validation"][[5, 7, 6, 8]]
    for layer in networks["cnn"].layers[:-1]:
        value = np.asarray(layer(value))
    np.testing.assert_allclose(probed["codes"], value, atol=1e-5, err_msg="08:dense-units: codes")
    shown = probed["plots"].heard["activations"][2]["maps"]
    for k in range(4):
        assert np.array_equal(shown[..., k], probed["codes"][k].reshape(8, 16)), "08:dense-units"
    apart = [np.sqrt(((value[0] - value[k]) ** 2).sum()) for k in (1, 2)]
    line = f"two zeros {apart[0]:.1f}, a zero and a one {apart[1]:.1f}"
    assert probed["printed"].endswith(line), "08:code-distances: other distances"


def test_three_largest_logits_are_told(run):
    probabilities = {"CNN": np.array([[0.1] * 10, [0, 0.2, 0, 0, 0.7, 0, 0, 0, 0, 0.1]])}
    outputs = [None, np.arange(10) * 1.5]
    printed = run("one-answer", probabilities=probabilities, outputs=outputs, clear=1)["printed"]
    assert printed.splitlines() == [
        "4: logit 6.0, probability 0.70000",
        "1: logit 1.5, probability 0.20000",
        "9: logit 13.5, probability 0.10000",
    ], "08:one-answer"


# --- Which pixels decided ------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "column"), [(8, 17), (1, 20), (27, 3), (14, 0)])
def test_occlusion_map_is_high_where_the_patch_hides_the_pixel_that_counts(run, row, column):
    space, reader = run("ask", "occlusion"), Reader((28, 28))
    reader.sums[:] = 0
    reader.sums[28 * row + column] = np.arange(-4, 6)
    image = np.full((28, 28), 0.5, np.float32)
    kept = image.copy()
    expected = np.zeros((28, 28))
    expected[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = 0.5
    for digit in (0, 9):
        found = space["occlusion"](reader, image, digit)
        message = f"08:occlusion: pixel ({row}, {column}) counts, the map is elsewhere or reversed"
        np.testing.assert_allclose(found, expected * (digit - 4), atol=1e-6, err_msg=message)
    assert np.array_equal(image, kept), "08:occlusion: the image itself was changed"


def test_occlusion_map_adds_up_what_each_patch_hides(run):
    space, reader, image = run("ask", "occlusion"), Reader((28, 28)), X["test"][0]
    worth = np.pad(image * reader.sums[:, 6].reshape(28, 28), 2)
    expected = [[worth[i : i + 5, j : j + 5].sum() for j in range(28)] for i in range(28)]
    found = space["occlusion"](reader, image, 6)
    np.testing.assert_allclose(found, expected, atol=1e-3, err_msg="08:occlusion: another patch")


def test_saliency_is_the_size_of_the_gradient_at_this_image(run, begun):
    tf, reader, image = begun["tf"], Reader((28, 28)), X["test"][0]

    def model(x):
        return tf.matmul(tf.reshape(x * x, [-1, 784]), reader.sums)

    found = run("saliency")["saliency"](model, image, 6)
    expected = np.abs(2 * image * reader.sums[:, 6].reshape(28, 28))
    np.testing.assert_allclose(found, expected, 1e-5, err_msg="08:saliency: another gradient")


def test_both_maps_ask_about_the_answer_that_was_given(run):
    names = {"occlusion": lambda *args: ("o", *args), "saliency": lambda *args: ("s", *args)}
    names |= {"validation_x": list("abcd"), "predicted": [3, 1, 4, 9], "validation_y": [3, 7, 6, 9]}
    space = run("heat-clear", "heat-wrong", cnn="cnn", clear=2, fooled=1, **names)
    for heard, image, digit, caption in zip(
        space["plots"].heard["heat"], "cb", (4, 1), ("read as 4, right", "7 read as 1"), strict=True
    ):
        assert heard["image"] == image and heard["caption"] == caption, (
            "08:heat: another image is drawn"
        )
        right = {"occlusion": ("o", "cnn", image, digit), "saliency": ("s", "cnn", image, digit)}
        assert heard["maps"] == right, "08:heat: the maps are of another image or digit"


@pytest.mark.parametrize(
    ("row", "part"),
    [(0, "top"), (9, "top"), (10, "middle"), (17, "middle"), (18, "bottom"), (27, "bottom")],
)
def test_part_that_fools_is_named_by_the_row_of_the_peak(run, row, part):
    heat, asked = np.zeros((28, 28)), []
    heat[row, 14] = 2
    heat[27 - row, 3:9] = 1  # more in sum, no peak
    heat[5, 25] = -9  # spoke against the answer
    names = {"occlusion": lambda *args: asked.append(args) or heat, "surest": [2, 1]}
    names |= {"validation_x": list("abcd"), "predicted": [3, 1, 4, 9], "validation_y": [8] * 4}
    space = run("look-part", cnn="cnn", guess_part=..., **names)
    assert space["lesson"].heard["compare"][0]["truth"] == part, "08:look-part: another part"
    assert asked == [("cnn", "c", 4)], "08:look-part: asks about another image or digit"


@pytest.mark.parametrize(("row", "column"), [(8, 17), (1, 27)])
def test_guess_is_tested_by_hiding_the_peak_of_the_map(run, row, column):
    heat, asked = np.zeros((28, 28)), []
    heat[row, column], heat[20, 4] = 2, -5
    names = {"occlusion": lambda *args: asked.append(args) or heat, "fooled": 2, "cnn": "cnn"}
    answers = np.eye(10)[[9, 4]] * 0.75
    names["ask"] = lambda model, images: asked.append((model, images)) or answers
    images = np.random.default_rng(0).uniform(0.1, 1, (4, 28, 28)).astype(np.float32)
    names |= {"predicted": np.arange(4), "validation_x": images, "validation_y": [8, 8, 7, 8]}
    space = run("test-guess", **names)
    (model, image, digit), (_, shown) = asked
    right = np.array_equal(image, images[2]) and (model, digit) == ("cnn", 2)
    assert right, "08:test-guess: another map"
    hidden = images[2].copy()
    for i, j in np.ndindex(28, 28):
        if abs(i - row) <= 2 and abs(j - column) <= 2:
            hidden[i, j] = 0
    assert np.array_equal(shown[0], images[2]), "08:test-guess: the digit as it was"
    assert np.array_equal(shown[1], hidden), "08:test-guess: another place is hidden"
    assert space["printed"].splitlines() == [
        "the digit is a 7",
        "as it was: read as 9, confidence 0.75",
        "place hidden: read as 4, confidence 0.75",
    ], "08:test-guess: the lines printed"


# --- The embedding -------------------------------------------------------------------------------


def by_nearest_mean(values, labels, new):
    """Do it one point at a time."""
    answers = []
    for point in new:
        far = [np.linalg.norm(point - np.mean(values[labels == k], axis=0)) for k in range(10)]
        answers.append(int(np.argmin(far)))
    return answers


def test_nearest_mean_takes_the_closest_average(run):
    random = np.random.default_rng(0)
    labels = np.arange(80) % 10
    values = random.normal(size=(80, 5)) + labels[:, np.newaxis] * [1, 0.5, 0, -1, 2]
    new = random.normal(size=(60, 5)) + random.integers(0, 10, (60, 1))
    found = run("nearest-mean")["nearest_mean"](values, labels, new)
    assert list(found) == by_nearest_mean(values, labels, new), "08:nearest-mean"


def test_nearest_mean_learns_from_training_and_is_judged_on_validation_images(run):
    units = Reader((28, 28))
    space = run("nearest-mean", "look-mean", units=units, guess_mean=...)
    flat = [X[name].reshape(-1, 784) for name in ("train", "validation")]
    codes = [units.logits(X[name]) for name in ("train", "validation")]
    for name, (known, new) in {"pixels": flat, "embeddings": codes}.items():
        right = np.mean(by_nearest_mean(known, Y["train"], new) == Y["validation"])
        assert space["by_mean"][name] == pytest.approx(right), f"08:look-mean: {name}"
    assert space["by_mean"]["pixels"] != space["by_mean"]["embeddings"]
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == space["by_mean"]["embeddings"], "08:look-mean: compares another accuracy"
    assert space["printed"].endswith(f"nearest mean of pixels {space['by_mean']['pixels']:.3f}"), (
        "08:look-mean: the line printed"
    )


def test_training_images_of_the_nearest_mean_are_the_first_5000(run):
    asked = []
    names = {"train_x": np.zeros((5002, 28, 28), np.float32), "train_y": np.arange(5002)}
    names["nearest_mean"] = lambda known, labels, new: asked.append((known, labels)) or 0
    units = SimpleNamespace(predict=lambda x, **_: x[:, 0])
    run("look-mean", units=units, guess_mean=..., **names)
    sizes = [(len(known), labels[-1]) for known, labels in asked]
    assert sizes == [(5000, 4999)] * 2, f"08:look-mean: {sizes}"


def test_two_directions_are_those_of_the_covariance(run):
    random = np.random.default_rng(0)
    values = random.normal(3, 1, (90, 6)) * [1, 5, 2, 0.5, 1, 3] + [9, 0, 0, 7, 0, 0]
    flat, kept = run("two-directions")["two_directions"](values)
    sizes, directions = np.linalg.eigh(np.cov(values.T))
    assert kept == pytest.approx(sizes[-2:].sum() / sizes.sum()), "08:two-directions: spread kept"
    for found, direction in zip(flat.T, directions.T[:-3:-1], strict=True):
        expected = (values - values.mean(0)) @ direction
        expected *= np.sign(expected @ found)
        np.testing.assert_allclose(found, expected, atol=1e-9, err_msg="08:two-directions")


def test_pictures_of_the_embedding_show_200_validation_digits(run):
    calls = []

    def two_directions(values):
        calls.append(values)
        return f"flat {len(calls)}", len(calls) / 10

    pixels, embedded = (("train", np.arange(k, 300)) for k in (0, 20))
    names = ASKED | {"pixels": pixels, "embedded": list(embedded)}
    space = run("pca-pixels", "pca-embeddings", "pca-kept", two_directions=two_directions, **names)
    assert [list(values) for values in calls] == [list(range(200)), list(range(20, 220))], (
        "08:pca: other digits"
    )
    assert len(space["plots"].heard["scatter"]) == 2, "08:pca: two pictures"
    for number, heard in enumerate(space["plots"].heard["scatter"], 1):
        assert heard["points"] == f"flat {number}", "08:pca: other points"
        assert np.array_equal(heard["labels"], LABELS[:200]), "08:pca: other labels"
        assert np.array_equal(heard["marked"], ASKED["wrong"][:200]), "08:pca: other rings"
    assert space["printed"].endswith("pixels 10%, embeddings 20%"), "08:pca-kept"


# --- What is no digit ----------------------------------------------------------------------------


def test_nonsense_is_noise_empty_full_and_letters(run):
    nonsense = run("nonsense", seed=3)["nonsense"]
    noise = nonsense["noise"]
    assert list(nonsense) == ["noise", "empty", "full", "letters"], "08:nonsense: kinds"
    assert all(images.dtype == np.float32 for images in nonsense.values()), "08:nonsense: types"
    assert noise.shape == (300, 28, 28) and 0 <= noise.min() and noise.max() <= 1, (
        "08:nonsense: noise"
    )
    share = np.histogram(noise, 10, (0, 1))[0] / noise.size
    np.testing.assert_allclose(share, 0.1, atol=0.003, err_msg="08:nonsense: not any grey alike")
    for name, ink in (("empty", 0), ("full", 1)):
        right = np.full((1, 28, 28), ink)
        np.testing.assert_array_equal(nonsense[name], right, f"08:nonsense: {name}")
    assert np.array_equal(nonsense["letters"], nb08.draw_letters(300, 3)[0]), "08:nonsense: letters"


def test_letters_stand_upright_and_are_named():
    images, names = nb08.draw_letters(40, 1)
    assert "".join(names) == "AEFHKMNTWX" * 4, "nb08.draw_letters: names"
    assert images.dtype == np.float32 and 0 <= images.min() and images.max() == 1, (
        "nb08.draw_letters: range"
    )
    ink = {name: images[names == name].mean(0) for name in "AEFT"}
    for name, half in (("E", "left"), ("F", "left"), ("T", "top"), ("F", "top"), ("A", "bottom")):
        halves = {"left": ink[name][:, :14], "top": ink[name][:14], "bottom": ink[name][14:]}
        assert halves[half].sum() > 0.52 * ink[name].sum(), f"nb08.draw_letters: {name} is turned"
    assert not np.array_equal(images[0], images[10]), "nb08.draw_letters: the hand is not shaky"


def test_confidence_in_nonsense_is_that_of_each_network(run):
    def ask(model, images):
        return np.full((len(images), 10), 0.01) + np.eye(10)[3] * (model + images.mean())

    nonsense = {"noise": X["test"][:2], "empty": X["test"][2:5]}
    models = {"softmax": 1, "dense": 2, "CNN": 3}
    cells = ("look-noise", "nonsense-table")
    space = run(*cells, ask=ask, nonsense=nonsense, models=models, guess_noise=...)
    sure = {(k, n): 0.01 + m + x.mean() for k, x in nonsense.items() for n, m in models.items()}
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == pytest.approx(sure["noise", "dense"]), "08:look-noise: another confidence"
    rows = space["lesson"].heard["table"][0]["rows"]
    for row in rows:
        for name in models:
            assert row[name] == f"{sure[row['image'], name]:.2f}, mostly 3", "08:nonsense-table"
    assert [row["image"] for row in rows] == list(nonsense), "08:nonsense-table: rows"


def test_favourite_answer_is_the_most_frequent_one(run):
    p = np.array([[0.2, 0, 0.3], [0.9, 0, 0.1], [0.1, 0.3, 0.4]])
    told = collections.defaultdict(lambda: p)
    sure_of = run("nonsense-table", told=told, models={}, nonsense=["noise"])["sure_of"]
    assert sure_of(p) == "0.53, mostly 2", "08:nonsense-table: sure_of"


def test_letters_are_shown_with_answer_and_confidence(run):
    p = np.eye(10)[[4, 1, *range(2, 10), 0]] * 0.5
    letters, names = np.arange(12), list("ABCDEFGHIJKL")
    heard = run("letters", told={("letters", "CNN"): p}, letters=letters, names=names)["plots"]
    heard = heard.heard["digits"][0]
    assert heard["images"].tolist() == list(range(10)), "08:letters: other images"
    answers = [4, 1, *range(2, 10)]
    told = [f"{letter} → {digit}, 0.50" for letter, digit in zip(names, answers, strict=False)]
    assert list(heard["labels"]) == told, "08:letters: captions"


# --- Thresholds ----------------------------------------------------------------------------------

CONFIDENCE = np.array([0.5, 0.9, 0.7, 0.6, 0.8])
RIGHT = np.array([True, True, False, True, True])


def test_accuracy_so_far_goes_down_the_list_by_confidence(run):
    order, accuracy = run("accuracy-so-far")["accuracy_so_far"](CONFIDENCE, RIGHT)
    assert order.tolist() == [1, 4, 2, 3, 0], "08:accuracy-so-far: not by falling confidence"
    np.testing.assert_allclose(accuracy, [1, 1, 2 / 3, 3 / 4, 4 / 5], err_msg="08:accuracy-so-far")


@pytest.mark.parametrize(
    ("wanted", "threshold"), [(0.9, 0.8), (1, 0.8), (0.8, 0.5), (0.76, 0.5), (0.81, 0.8)]
)
def test_threshold_is_the_last_place_that_keeps_the_promise(run, wanted, threshold):
    found = run("accuracy-so-far")["threshold_for"](wanted, CONFIDENCE, RIGHT)
    assert found == threshold, f"08:accuracy-so-far: threshold for {wanted}"


def test_thresholds_and_coverage_of_each_network_are_measured_on_validation_images(run):
    names = {"models": dict.fromkeys(NAMES), "wanted_accuracy": 0.9, "guess_abstain": ...}
    space = run("accuracy-so-far", "look-abstain", "threshold-table", **ASKED | names)
    rows = {row["network"]: row for row in space["lesson"].heard["table"][0]["rows"]}
    for name in NAMES:
        sure, right = ERRORS["confidence"][name], ERRORS["right"][name]
        assert np.array_equal(space["confidence"][name], sure), "08:look-abstain: confidence"
        assert np.array_equal(space["right"][name], right), "08:look-abstain: right"
        lowest = min(t for t in sure if np.mean(right[sure >= t]) >= 0.9)
        answered = sum(value >= lowest for value in sure) / len(sure)
        assert space["thresholds"][name] == lowest, f"08:look-abstain: threshold of {name}"
        assert space["coverage"][name] == pytest.approx(answered), f"08:look-abstain: {name}"
        assert rows[name]["accuracy on all"] == f"{right.mean():.3f}", "08:threshold-table"
        assert rows[name]["threshold"] == f"{lowest:.3f}", "08:threshold-table"
        assert rows[name]["coverage"] == f"{answered:.3f}", "08:threshold-table"
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == pytest.approx(100 * space["coverage"]["softmax"]), "08:look-abstain: of 100"


def test_curve_of_coverage_is_the_accuracy_of_the_surest_answers(run):
    names = {"models": dict.fromkeys(NAMES), "validation_y": LABELS}
    space = run("accuracy-so-far", "coverage-figure", **ERRORS | names)
    ((label, (parts, lines)),) = space["plots"].heard["panels"][0]["charts"].items()
    assert label == "coverage" and len(parts) == 81, "08:coverage-figure: the axis"
    np.testing.assert_allclose(parts, np.arange(20, 101) / 100, err_msg="08:coverage-figure")
    for name in NAMES:
        surest = np.argsort(-ERRORS["confidence"][name])
        for part, accuracy in zip(parts, lines[name], strict=True):
            kept = surest[: int(part * len(LABELS))]
            right = np.mean(ERRORS["right"][name][kept])
            assert accuracy == pytest.approx(right), f"08:coverage-figure: {name} at {part:.2f}"


def test_share_of_nonsense_above_the_threshold_counts_its_edge(run):
    p = np.array([[0.5, 0.1], [0.4, 0.5], [0.75, 0.25], [0.1, 0.2]])
    told = {(kind, name): p for kind in ("noise", "letters") for name in NAMES}
    told["letters", "CNN"] = p[:2]
    thresholds = {"softmax": 0.5, "dense": 0.51, "CNN": 0.5}
    space = run("nonsense-answered", told=told, thresholds=thresholds, models=thresholds)
    rows = [list(row.values()) for row in space["lesson"].heard["table"][0]["rows"]]
    expected = [["noise", "75%", "25%", "75%"], ["letters", "75%", "25%", "100%"]]
    assert rows == expected, f"08:nonsense-answered: {rows}"


# --- Calibration ---------------------------------------------------------------------------------


def test_bins_hold_their_lower_edge_and_the_last_one_certainty(run):
    sure = np.array([0.1, 0.25, 0.3, 0.35, 0.95, 1.0, 0.9, 0.39])
    right = np.array([0, 1, 0, 1, 1, 1, 0, 0], bool)
    found = run("ece")["calibration_bins"](sure, right)
    expected = [
        (1 / 8, 0.1, 0),
        (1 / 8, 0.25, 1),
        (3 / 8, (0.3 + 0.35 + 0.39) / 3, 1 / 3),
        (3 / 8, (0.95 + 1 + 0.9) / 3, 2 / 3),
    ]
    np.testing.assert_allclose(found, expected, err_msg="08:ece: share, confidence, accuracy")


def test_calibration_error_weighs_each_gap_by_its_share(run):
    space = run("ece")
    sure = np.array([0.95] * 60 + [0.85] * 30 + [0.55] * 10)
    right = np.repeat([True, False, True, False, False], [48, 12, 30, 0, 10])
    by_hand = 0.6 * 0.15 + 0.3 * 0.15 + 0.1 * 0.55
    found = space["calibration_error"](sure, right)
    assert found == pytest.approx(by_hand), f"08:ece: {found}, not 0.19"
    halves = np.array([0.5, 1.0] * 10), np.array([True, False] * 10)
    assert space["calibration_error"](*halves) == pytest.approx(0.75), "08:ece: gaps cancel out"
    honest = np.repeat([0.75, 0.25], 40), np.tile([1, 1, 1, 0] * 10 + [0, 0, 0, 1] * 10, 1) > 0
    assert space["calibration_error"](*honest) == pytest.approx(0), "08:ece: an honest network"


def test_overfitting_network_sees_few_images_again_and_again(run, networks):
    made, fitted = [], []

    def make(*stack):
        made.extend(stack)
        return SimpleNamespace(fit=lambda *args, **how: fitted.append((args, how)))

    def ask(model, images):
        assert images is X["validation"], "08:overfit: other images than the validation images"
        return np.eye(10)[3] * 0.5 + np.zeros((len(images), 10))

    names = {"make": make, "ask": ask, "confidence": {}, "right": {}}
    space = run("overfit", few_images=20, few_epochs=7, **names)
    layers = networks["keras"].layers
    assert settings(made) == settings([layers.Flatten(), layers.Dense(128, "relu")]), "08:overfit"
    (((x, y), how),) = fitted
    assert np.array_equal(x, X["train"][:20]) and np.array_equal(y, Y["train"][:20]), "08:overfit"
    assert len(how.pop("callbacks")) == 1, "08:overfit: callbacks"
    assert how == {"batch_size": 100, "epochs": 7, "verbose": 0}, f"08:overfit: trains with {how}"
    assert np.all(space["confidence"]["overfit"] == 0.5), "08:overfit: confidence"
    right = space["right"]["overfit"].tolist()
    assert right == (Y["validation"] == 3).tolist(), "08:overfit: right"


def test_most_modest_network_is_the_one_with_the_largest_gap(run):
    random = np.random.default_rng(0)
    spans = {"a": (0.1, 0.3), "b": (0.4, 1), "c": (0.9, 1)}
    sure = {name: random.uniform(*span, 50) for name, span in spans.items()}
    right = {"a": np.arange(50) < 35, "b": np.arange(50) < 48, "c": np.arange(50) < 20}
    space = run(
        *("ece", "look-calibration", "reliability"),
        **{"confidence": sure, "right": right, "guess_modest": ...},
    )
    assert space["lesson"].heard["compare"][0]["truth"] == "a", "08:look-calibration: the gap"
    for row in space["lesson"].heard["table"][0]["rows"]:
        n = row["network"]
        assert row["accuracy"] == f"{right[n].mean():.3f}", "08:look-calibration: accuracy"
        assert row["confidence"] == f"{sure[n].mean():.3f}", "08:look-calibration: confidence"
        assert row["ECE"] == f"{ece(sure[n], right[n]):.3f}", "08:look-calibration: ECE"
    for name, bins in space["plots"].heard["reliability"][0]["bins"].items():
        expected = space["calibration_bins"](sure[name], right[name])
        assert np.array_equal(bins, expected), "08:reliability: other bins"


def ece(sure, right):
    """Sum the gaps bin by bin."""
    gaps = 0.0
    for low in range(10):
        inside = [i for i, s in enumerate(sure) if low <= min(10 * s, 9.99) < low + 1]
        if inside:
            gap = np.mean([right[i] for i in inside]) - np.mean([sure[i] for i in inside])
            gaps += len(inside) / len(sure) * abs(gap)
    return gaps


# --- Disturbances --------------------------------------------------------------------------------


def test_rotation_is_anticlockwise_and_about_the_middle():
    images = X["test"][:5]
    assert np.array_equal(nb08.rotate(images, 0), images), "nb08.rotate: 0 degrees change it"
    for degrees, turns in ((90, 1), (180, 2), (-90, -1)):
        expected = np.rot90(images, turns, axes=(1, 2))
        found = nb08.rotate(images, degrees)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=f"nb08.rotate: {degrees}")
    bar = np.zeros((1, 28, 28), np.float32)
    bar[0, 13:15, 16:24] = 1  # points to the right
    row, column = (np.average(at, weights=nb08.rotate(bar, 30)[0]) for at in np.indices((28, 28)))
    angle = np.degrees(np.arctan2(13.5 - row, column - 13.5))
    assert angle == pytest.approx(30, abs=0.5), f"nb08.rotate: turned by {angle:.0f} degrees"


def test_thickness_grows_and_shrinks_a_line_by_a_pixel_on_either_side():
    line = np.zeros((1, 28, 28), np.float32)
    line[0, :, 10:13] = 0.8
    columns = {0: (10, 13), 1: (9, 14), 2: (8, 15), -1: (11, 12)}
    for steps, (left, right) in columns.items():
        expected = np.zeros_like(line)
        expected[0, :, left:right] = 0.8
        found = nb08.thicken(line, steps)[0, 3:-3]
        np.testing.assert_allclose(found, expected[0, 3:-3], err_msg=f"nb08.thicken: {steps}")
    half = nb08.thicken(line, 0.5)
    np.testing.assert_allclose(half, (line + nb08.thicken(line, 1)) / 2, 1e-6)
    last = (nb08.thicken(line, 1) + nb08.thicken(line, 2)) / 2
    np.testing.assert_allclose(nb08.thicken(line, 1.5), last, 1e-6, err_msg="nb08.thicken: 1.5")


def test_noise_has_the_strength_that_was_asked_for():
    grey = np.full((40, 28, 28), 0.5, np.float32)
    assert np.array_equal(nb08.add_noise(grey, 0), grey), "nb08.add_noise: strength 0"
    for strength in (0.05, 0.1):
        noise = nb08.add_noise(grey, strength) - 0.5
        assert noise.std() == pytest.approx(strength, rel=0.03), "nb08.add_noise: strength"
        assert abs(noise.mean()) < 0.003 and noise.dtype == np.float32, (
            "nb08.add_noise: not around 0"
        )
    loud = nb08.add_noise(grey, 1)
    assert loud.min() == 0 and loud.max() == 1, "nb08.add_noise: pixels leave 0 to 1"


def test_disturbed_digits_are_shown_under_their_names(run):
    space = run("disturbances", clear=7)
    heard = space["plots"].heard["digits"][0]
    one, images = X["validation"][7:8], heard["images"]
    assert np.array_equal(space["one"], one), "08:disturbances: not the clear digit"
    expected = {f"{angle}°": nb08.rotate(one, angle) for angle in (-60, -30, 0, 30, 60)}
    expected |= {f"thickness {step}": nb08.thicken(one, step) for step in (-1, 1, 2)}
    expected |= {f"noise {strength}": nb08.add_noise(one, strength) for strength in (0.2, 0.4)}
    assert list(heard["labels"]) == list(expected), "08:disturbances: captions"
    for name, image, right in zip(expected, images, expected.values(), strict=True):
        assert np.array_equal(image, right[0]), f"08:disturbances: {name}"


def brightness_reader(images):
    """Answer with the number of tenths that the mean pixel holds."""
    return np.eye(10)[np.clip((10 * images.mean((1, 2))).astype(int), 0, 9)]


def test_accuracy_by_level_keeps_levels_and_images_apart(run):
    labels = np.array([1, 2, 3, 4, 7])
    images = np.repeat(labels, 784).reshape(5, 28, 28) / 10 + 0.05
    levels = []

    def ask(model, images):
        assert isinstance(model, float), "08:disturbed-accuracy: asks no network"
        return brightness_reader(images + model)

    def brighter(x, level):
        levels.append(level)
        return x + np.where(np.arange(len(x)) < 2, level, 0)[:, np.newaxis, np.newaxis]

    names = {"validation_x": np.concatenate([images, images]), "ask": ask, "disturbed_images": 5}
    names |= {"validation_y": np.concatenate([labels, labels]), "models": {"a": 0.0, "b": 0.1}}
    space = run("disturbed-accuracy", **names)
    found = space["disturbed_accuracy"](brighter, [0, 0.2])
    assert {name: list(row) for name, row in found.items()} == {"a": [1, 0.6], "b": [0, 0]}, (
        "08:disturbed-accuracy: levels or images are mixed up"
    )
    assert levels == [0, 0.2], "08:disturbed-accuracy: other levels"
    assert len(space["some_x"]) == len(space["some_y"]) == 5, "08:disturbed-accuracy: images"


def test_each_disturbance_has_its_levels_and_its_panel(run):
    asked = []

    def disturbed_accuracy(disturb, levels):
        asked.append((disturb, levels))
        return {"CNN": [f"{disturb.__name__} {level}" for level in levels]}

    lessons = listening(lesson, compare=lambda *_: None)
    cells = ("disturb", "disturbed")
    space = run(*cells, disturbed_accuracy=disturbed_accuracy, lesson=lessons, guess_rotation=...)
    angles = [-60, -45, -30, -15, 0, 15, 30, 45, 60]
    assert asked == [
        (nb08.rotate, angles),
        (nb08.thicken, [-1, -0.5, 0, 0.5, 1, 1.5, 2]),
        (nb08.add_noise, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    ], "08:disturb: other disturbances or levels"
    assert lessons.heard["compare"][0]["truth"] == "rotate 30", "08:disturb: not at 30 degrees"
    charts = space["plots"].heard["panels"][0]["charts"]
    words = {"angle (degrees)": "rotate", "thickness (steps)": "thicken"}
    for label, word in (words | {"noise (standard deviation)": "add_noise"}).items():
        levels, lines = charts[label]
        assert lines["CNN"] == [f"{word} {level}" for level in levels], f"08:disturbed: {label}"


# --- Adversarial images --------------------------------------------------------------------------


def test_signs_are_those_in_which_the_loss_of_the_true_digit_rises(run, begun):
    tf, reader = begun["tf"], Reader((28, 28))
    reader.sums /= 30

    def model(x):
        return tf.matmul(tf.reshape(x, [-1, 784]), reader.sums)

    x, labels = X["test"][:4], Y["test"][:4]
    signs = run("fgsm")["pixel_signs"](model, x, labels)
    gradient = (softmax_of(reader.logits(x)) - np.eye(10)[labels]) @ reader.sums.T
    message = "08:fgsm: signs of another loss, label or direction"
    np.testing.assert_array_equal(signs, np.sign(gradient).reshape(4, 28, 28), message)


def test_fgsm_moves_each_pixel_by_epsilon_and_stays_in_range(run):
    fgsm = run("fgsm")["fgsm"]
    images = np.array([[0, 0.5, 1], [0.25, 0.05, 0.95], [0.5, 0, 1]], np.float32)
    signs = np.array([[-1, 1, 1], [-1, -1, 1], [0, 0, 0]], np.float32)
    expected = np.array([[0, 0.6, 1], [0.15, 0, 1], [0.5, 0, 1]], np.float32)
    message = "08:fgsm: another step, or out of [0, 1]"
    np.testing.assert_allclose(fgsm(images, signs, 0.1), expected, atol=1e-6, err_msg=message)
    np.testing.assert_allclose(fgsm(images, signs, 0), images, err_msg="08:fgsm: epsilon 0")


def test_smallest_epsilon_is_the_first_that_changes_the_answer(run):
    one, asked = np.full((1, 28, 28), 0.423, np.float32), []
    one[0, 0, 0] = 0.9
    labels = np.arange(40) % 10

    def pixel_signs(model, images, labels):
        asked.append((model, images, list(labels)))
        return np.ones_like(images)

    names = {"pixel_signs": pixel_signs, "fgsm": run("fgsm")["fgsm"], "clear": 14, "cnn": "cnn"}
    names |= {"validation_y": labels, "guess_epsilon": ..., "one": one}
    names["ask"] = lambda model, images: 0.75 * brightness_reader(images)
    space = run("look-epsilon", "adversarial", **names)
    ((model, images, given),) = asked
    assert model == "cnn" and images is one and given == [4], "08:look-epsilon: signs of another"
    sizes = [n / 100 for n in range(1, 101)]
    np.testing.assert_allclose(space["epsilons"], sizes, err_msg="08:look-epsilon: sizes")
    epsilon = space["lesson"].heard["compare"][0]["truth"]
    assert epsilon == pytest.approx(0.08), f"08:look-epsilon: {epsilon} is not the first that works"
    heard = space["plots"].heard["digits"][0]
    assert list(heard["labels"]) == ["4, 0.75", "signs", "5, 0.75"], "08:adversarial: captions"
    right = [one[0], np.ones((28, 28)), np.clip(one[0] + 0.08, 0, 1)]
    np.testing.assert_allclose(heard["images"], right, atol=1e-6, err_msg="08:adversarial: images")


def test_signs_are_drawn_from_white_to_black(run):
    names = {"one": np.zeros((1, 28, 28)), "signs": np.full((1, 28, 28), -1.0), "first": 0}
    names |= {"tried": np.zeros((1, 28, 28)), "answers": np.eye(10), "cnn": None}
    space = run("adversarial", ask=lambda *_: np.eye(10), **names)
    drawn = space["plots"].heard["digits"][0]["images"][1]
    assert np.all(drawn == 0), "08:adversarial: less ink is not white"


def test_attacks_of_all_sizes_use_the_signs_of_each_network(run):
    models = {name: Reader((28, 28), seed) for seed, name in enumerate(NAMES)}
    some_x, some_y = X["validation"][:30], Y["validation"][:30]

    def pixel_signs(model, images, labels):
        assert images is some_x and labels is some_y, "08:fgsm-accuracy: signs of other images"
        return np.sign(model.sums[:, 0]).reshape(28, 28) * np.ones_like(images)

    names = {"pixel_signs": pixel_signs, "fgsm": run("fgsm")["fgsm"], "cnn": models["CNN"]}
    names |= {"some_x": some_x, "some_y": some_y, "generator": np.random.default_rng(1)}
    names["accuracy_by_level"] = lambda model, changed: (model, changed)
    space = run("fgsm-accuracy", "fgsm-figure", models=models, **names)
    sizes = [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3]
    chance = space["random_signs"]
    assert chance.dtype == np.float32 and set(np.unique(chance)) == {-1, 1}, (
        "08:fgsm-accuracy: random signs"
    )
    assert abs(chance.mean()) < 0.05 and chance.shape == some_x.shape, "08:fgsm-accuracy: chance"
    signs = {name: pixel_signs(model, some_x, some_y) for name, model in models.items()}
    ((label, (x, attacked)),) = space["plots"].heard["panels"][0]["charts"].items()
    assert (label, list(x)) == ("epsilon", sizes), "08:fgsm-accuracy: other sizes"
    assert list(attacked) == [*NAMES, "CNN, random signs"], "08:fgsm-accuracy: names"
    for name, (model, changed) in attacked.items():
        assert model is models[name.split(",")[0]], f"08:fgsm-accuracy: {name} attacks another"
        for size, images in zip(sizes, changed, strict=True):
            right = np.clip(some_x + size * signs.get(name, chance), 0, 1)
            message = f"08:fgsm-accuracy: {name} at {size}"
            np.testing.assert_allclose(images, right, atol=1e-6, err_msg=message)


# --- The report ----------------------------------------------------------------------------------


def test_report_is_about_test_images_and_the_thresholds_chosen_before(run):
    models = {name: Reader((28, 28), seed) for seed, name in enumerate(NAMES)}
    for name, model in models.items():
        model.sums *= {"softmax": 0.05, "dense": 0.1, "CNN": 0.2}[name]
    p = {name: softmax_of(model.logits(X["test"])) for name, model in models.items()}
    p = {name: values.astype(np.float32) for name, values in p.items()}
    asked = []

    def ask(model, images):
        asked.append(images)
        return p[next(name for name in models if models[name] is model)]

    thresholds = {name: np.sort(values.max(1))[20] for name, values in p.items()}
    space = run("ece", "report", models=models, ask=ask, thresholds=thresholds)
    assert all(images is X["test"] for images in asked), "08:report: other images"
    rows = {row["network"]: row for row in space["lesson"].heard["table"][0]["rows"]}
    for name, values in p.items():
        sure, hit = values.max(1), values.argmax(1) == Y["test"]
        kept = [i for i in range(len(hit)) if sure[i] >= thresholds[name]]
        right = {"test_accuracy": hit.mean(), "ece": ece(sure, hit)}
        right |= {"coverage": len(kept) / len(hit), "answered_accuracy": np.mean(hit[kept])}
        for key, value in right.items():
            found = space["results"][f"{name.lower()}_{key}"]
            assert found == pytest.approx(value, abs=1e-6), f"08:report: {key} of {name}"
            assert rows[name][key] == f"{found:.3f}", f"08:report: the table's {key} of {name}"


def test_ruler_asks_the_cnn_for_scaled_images(run):
    cnn, ruled, asked = Reader((28, 28)), [0.9, 0.8, 0.7, 0.6, 0.5], []
    ruler = listening(lesson, shift_accuracies=lambda *_: ruled)

    def ask(model, images):
        asked.append(model)
        return model.predict(images)

    names = {"cnn": cnn, "ask": ask, "lesson": ruler, "ruler_images": 30}
    space = run("ruler", "ruler-figure", guess_shift=..., **names)
    heard = ruler.heard["shift_accuracies"][0]
    assert np.array_equal(heard["images"], FEW.test.images[:30]), "08:ruler: other images"
    assert np.array_equal(heard["labels"], Y["test"][:30]), "08:ruler: other labels"
    assert tuple(heard["shifts"]) == (0, 1, 2, 3, 4), "08:ruler: other distances"
    answers = heard["predict"](FEW.test.images)
    assert np.allclose(cnn.asked[-1], X["test"]), "08:ruler: images are not scaled once, or moved"
    assert answers.tolist() == cnn.answers(X["test"]).tolist(), "08:ruler: other answers"
    assert ruler.heard["compare"][0]["truth"] == 0.7, "08:ruler: not the accuracy at 2 pixels"
    rows = space["plots"].heard["shift_ruler"][0]["rows"]
    expected = lesson.shift_rows("MNIST", before="08") | {"small CNN": ruled}
    assert rows == expected, "08:ruler-figure: rows"


def test_results_are_recorded_under_their_names(run):
    angles, sizes = [-30, 30, 60], [0, 0.1, 0.2]
    p = np.array([[0.5, 0.1], [0.4, 0.5], [0.75, 0.25], [0.1, 0.2]])
    names = {"results": {"cnn_ece": 0.01}, "row": [0.9, 0.8, 0.7, 0.6, 0.5]}
    names |= {"told": {("letters", "CNN"): p}, "thresholds": {"CNN": 0.5, "dense": 0.9}}
    names |= {"by_mean": {"pixels": 0.8, "embeddings": 0.9}, "angles": angles, "sizes": sizes}
    names |= {"turned": {"CNN": [1, 2, 3], "dense": [4, 5, 6]}}
    names |= {"attacked": {"CNN": [7, 8, 9], "dense": [4, 5, 6]}}
    names |= {"confidence": {"overfit": "sure"}, "right": {"overfit": "hit"}}
    space = run("results", calibration_error=lambda *args: {("sure", "hit"): 0.2}[args], **names)
    heard = space["lesson"].heard["record"][0]
    right = {"cnn_ece": 0.01, "overfit_ece": 0.2, "letters_answered": 0.75}
    right |= {"nearest_mean_embedding": 0.9, "turned_30": 2, "fgsm_01": 8}
    right |= {f"shift_{n}": value for n, value in enumerate(names["row"])}
    assert heard["digits"] is FEW and heard["numbers"] == pytest.approx(right), "08:results"


# --- What could go wrong -------------------------------------------------------------------------


def test_gradients_of_logit_and_probability_are_told(run, begun):
    tf, reader, x = begun["tf"], Reader((28, 28)), X["test"][:1]
    reader.sums /= 20

    def cnn(x):
        return tf.matmul(tf.reshape(x, [-1, 784]), reader.sums)

    answer = int(reader.answers(x)[0])
    names = {"one": x, "cnn": cnn, "clear": 2, "predicted": [0, 0, answer, 0]}
    printed = run("wrong-saliency", **names)["printed"].splitlines()
    p = softmax_of(reader.logits(x))[0]
    steep = p[answer] * (reader.sums[:, answer] - reader.sums @ p)
    expected = np.abs(reader.sums[:, answer]).max(), np.abs(steep).max()
    for line, name, value in zip(printed, ("logit", "probability"), expected, strict=True):
        assert line == f"largest gradient of the {name}: {value:.1g}", f"08:wrong-saliency: {line}"


def test_bold_answers_are_the_fifty_surest(run):
    sure, right = (ERRORS[name]["softmax"][:60] for name in ("confidence", "right"))
    names = {"confidence": {"softmax": sure}, "right": {"softmax": right}}
    printed = run("wrong-coverage", **names)["printed"]
    accuracy = np.mean(right[np.argsort(-sure)[:50]])
    line = f"softmax: accuracy {accuracy:.2f}, coverage {50 / 60:.2f}"
    assert printed == line, f"08:wrong-coverage: {printed}"


def test_constant_answer_is_calibrated_and_useless(run):
    labels = np.array([1] * 3 + [0, 2, 4] * 5)
    printed = run("ece", "wrong-ece", validation_y=labels)["printed"]
    assert printed == f"ECE 0.000, accuracy {3 / 18:.2f}", f"08:wrong-ece: {printed}"


def test_images_from_0_to_255_are_asked_about_unscaled(run):
    cnn = Reader((28, 28))
    cnn.sums /= 20
    labels = cnn.answers(FEW.validation.images)
    labels[:9] = (labels[:9] + 1) % 10
    printed = run("ask", "wrong-scale", cnn=cnn, validation_y=labels)["printed"]
    assert np.array_equal(cnn.asked[0], FEW.validation.images), "08:wrong-scale: scaled"
    p = softmax_of(cnn.logits(FEW.validation.images.astype(np.float32)))
    line = f"mean confidence {p.max(1).mean():.4f}, accuracy {31 / 40:.4f}"
    assert printed == line, f"08:wrong-scale: {printed}"
