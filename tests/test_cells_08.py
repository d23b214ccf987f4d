"""Notebook 08, cell by cell: what it measures on a network, against sums done another way."""

import collections
from types import SimpleNamespace

import numpy as np
import pytest
from cells import code_with, run_cells
from fake_training import (
    Reader,
    by_split,
    check_ask,
    check_scaled_once,
    check_seed_and_source,
    few_digits,
    listening,
    runner,
    settings,
    softmax_of,
)

from mnist_edu import lesson

pytestmark = pytest.mark.slow

FEW = few_digits()
X, Y = by_split(FEW)
READS_TEST = {"prepare", "report", "ruler"}


@pytest.fixture(scope="module")
def begun():
    """Run the cells that import and set parameters."""
    return run_cells("08", "setup", "parameters")


@pytest.fixture(scope="module")
def run(begun):
    return runner("08", begun, FEW, X, Y)


@pytest.fixture(scope="module")
def networks(begun):
    """Make the network, untrained."""
    begun["keras"].utils.set_random_seed(1)
    return run_cells("08", "networks", "make-network", **begun)


def made_up(n=300, seed=0):
    """Make up labels and the probabilities of a network that is mostly right."""
    random = np.random.default_rng(seed)
    labels, logits = random.integers(0, 10, n), random.normal(0, 2, (n, 10))
    logits[np.arange(n), labels] += 6
    return labels, softmax_of(logits)


LABELS, GIVEN = made_up()
SURE, ANSWER = GIVEN.max(1), GIVEN.argmax(1)
ASKED = {"validation_y": LABELS, "probabilities": GIVEN, "predicted": ANSWER}
ASKED |= {"wrong": ANSWER != LABELS, "sure": SURE}


# --- What is prepared ----------------------------------------------------------------------------


def test_parameters_are_those_that_the_text_and_the_bands_speak_of(begun):
    expected = {"source": "auto", "seed": 1, "train_images": 55_000, "ruler_images": 10_000}
    found = {name: begun[name] for name in expected}
    assert found == expected, "08:parameters: a default differs from what the text speaks of"


def test_seed_and_source_are_used(run):
    check_seed_and_source("08", run, FEW)


def test_each_split_is_scaled_once(begun):
    check_scaled_once("08", begun, FEW)


def test_test_images_stay_closed_until_the_report():
    found = code_with("08", "test_x", "test_y")
    assert found == READS_TEST, f"08: test digits in other cells than the report's: {found}"


# --- The networks --------------------------------------------------------------------------------


def test_network_has_the_layers_of_its_text(networks):
    layers = networks["keras"].layers
    maps = [layers.Reshape((28, 28, 1))]
    for filters in (16, 36):
        maps += [layers.Conv2D(filters, 5, padding="same"), layers.MaxPool2D(2, 2), layers.ReLU()]
    expected = [*maps, layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10)]
    cnn = networks["cnn"]
    assert settings(cnn.layers) == settings(expected), "08:make-network: layers"
    assert cnn.input_shape == (None, 28, 28), "08:make-network: images"
    assert networks["printed"] == "242,062 weights", "08:make-network: weights"


def test_drawing_is_of_the_network_that_is_trained(begun, networks):
    drawings = listening(begun["drawings"])
    run_cells("08", "network", **begun | {"drawings": drawings})
    ((first, *drawn),) = (heard["layers"] for heard in drawings.heard["network"])
    assert first == networks["cnn"].layers[0].output.shape[1:], "08:network: the image"
    learned = [layer for layer in networks["cnn"].layers if layer.count_params()]
    told = [layer for layer in drawn if layer.parameters]
    for layer, shown in zip(learned, told, strict=True):
        assert shown.parameters == layer.count_params(), f"08:network: weights of {layer.name}"
        assert shown.shape == layer.output.shape[1:], f"08:network: shape of {layer.name}"
    pools = [layer for layer in networks["cnn"].layers if "pool" in layer.name]
    for layer, shown in zip(pools, (d for d in drawn if d.name == "max-pool"), strict=True):
        assert shown.shape == layer.output.shape[1:], f"08:network: shape of {layer.name}"


def test_network_is_compiled_for_logits(networks):
    keras, cnn = networks["keras"], networks["cnn"]
    right = keras.optimizers.Adam(name=cnn.optimizer.name).get_config()
    assert cnn.optimizer.get_config() == right, "08:make-network: optimizer"
    right = keras.losses.SparseCategoricalCrossentropy(from_logits=True).get_config()
    assert cnn.loss.get_config() == right, "08:make-network: the loss takes no logits"
    told = cnn.get_compile_config()["metrics"]
    assert told == ["accuracy"], "08:make-network: it does not tell its accuracy"


def test_network_trains_on_training_images_and_is_judged_on_validation_images(run):
    called = []
    cnn = SimpleNamespace(fit=lambda *args, **how: called.append((args, how)))
    space = run("train", "train-on", cnn=cnn)
    assert len(called) == 2, "08:train: the network does not see the images twice"
    for (x, y), how in called:
        assert x is X["train"] and y is Y["train"], "08:train: other images than the training ones"
        assert len(how.pop("callbacks")) == 1, "08:train: callbacks"
        x, y = how.pop("validation_data")
        assert x is X["validation"] and y is Y["validation"], "08:train: judged by other images"
        right = {"batch_size": 128, "verbose": 0, "validation_batch_size": 1000}
        assert how == right, f"08:train: trains with {how}"
    heard = space["lesson"].heard["keras_progress"]
    labels = ["CNN, first pass", "CNN, second pass"]
    assert heard == [{"epochs": 1, "label": label, "parts": 1} for label in labels], "08:train"


def test_ask_gives_probabilities_of_each_image(run):
    check_ask("08", run, X["test"])


def test_answers_are_those_of_the_cnn_on_validation_images(run):
    reader = Reader((28, 28))
    space = run("ask", "answers", cnn=reader)
    p = softmax_of(reader.logits(X["validation"]))
    np.testing.assert_allclose(space["probabilities"], p, 1e-4, 1e-7, err_msg="08:answers")
    np.testing.assert_allclose(space["sure"], p.max(1), 1e-4, err_msg="08:answers: confidence")
    answers = reader.answers(X["validation"])
    assert space["predicted"].tolist() == answers.tolist(), "08:answers: not those of the CNN"
    wrong = answers != Y["validation"]
    assert space["wrong"].tolist() == wrong.tolist(), "08:answers: which are wrong"
    line = f"{wrong.sum()} of {len(wrong)} validation digits are read wrong"
    assert space["printed"].endswith(line), "08:answers: the line printed"


# --- Errors --------------------------------------------------------------------------------------


def test_rows_of_the_error_table_are_sorted_by_share_and_name_the_favourite(run):
    labels = np.repeat(np.arange(10), [9, 20, 5, 9, 9, 9, 9, 9, 9, 9])
    answers = labels.copy()
    answers[[0, 1, 2]] = (7, 7, 3)  # 3 of 9 zeros
    answers[[9, 10, 11, 12]] = (4, 2, 2, 2)  # 4 of 20 ones
    answers[[29, 30, 31, 32]] = (1, 1, 1, 8)  # 4 of 5 twos
    cells = ("confusion", "count-errors", "dice", "stands-out")
    space = run(*cells, validation_y=labels, predicted=answers, seed=1)
    heard = space["plots"].heard["confusion"][0]
    assert heard["labels"] is labels and heard["predicted"] is answers, "08:confusion: swapped"
    expected = np.array([[np.sum(answers[labels == i] == j) for j in range(10)] for i in range(10)])
    np.testing.assert_array_equal(space["counts"], expected, "08:stands-out: counts")
    off = expected * (1 - np.eye(10, dtype=int))
    np.testing.assert_array_equal(space["errors"], off, "08:stands-out: errors")
    table = space["lesson"].heard["table"][0]["rows"]
    rows = [tuple(str(row[key]) for key in row if key not in DICE) for row in table]
    assert rows[:4] == [
        ("2", "5", "4", "80.0", "1 (3)"),
        ("0", "9", "3", "33.3", "7 (2)"),
        ("1", "20", "4", "20.0", "2 (3)"),
        ("3", "9", "0", "0.0", "–"),
    ], f"08:stands-out: the table starts {rows[:4]}"
    assert table[0]["hardest"] == f"{space['hardest'][2]:.0%}", "08:stands-out: another digit's"
    assert table[3]["by chance"] == "0.0 to 0.0", "08:stands-out: chance where nothing was wrong"


DICE = ("by chance", "hardest")


def test_ties_are_told(run):
    names = {"counts": np.eye(10, dtype=int), "rates": np.zeros(10), "hardest": np.zeros(10)}
    names |= {"errors": np.zeros((10, 10), int), "low": np.zeros(10), "high": np.zeros(10)}
    favourites = run("stands-out", **names)["favourites"]
    assert favourites(np.array([0, 2, 0, 1, 0, 0, 0, 0, 2, 0])) == "1 or 8 (2)", "08:stands-out"
    assert favourites(np.zeros(10, int)) == "–", "08:stands-out: no errors"


def test_dice_are_thrown_with_the_rates_that_were_measured(run):
    counts = np.diag(np.full(10, 500))
    rates = np.array([0.04, 0.04, *[0.01] * 8])
    space = run("dice", counts=counts, rates=rates, seed=1)
    assert space["hardest"][:2].sum() > 0.99 and abs(space["hardest"][0] - 0.5) < 0.08, "08:dice"
    spread = 100 * np.sqrt(rates * (1 - rates) / 500)
    np.testing.assert_allclose(space["high"], 100 * rates + 1.645 * spread, rtol=0.12)
    np.testing.assert_allclose(space["low"], 100 * rates - 1.645 * spread, atol=0.25)


def test_nine_surest_errors_are_shown_and_compared_with_the_readers(run):
    compared = []
    images = np.arange(len(LABELS))
    digits = SimpleNamespace(validation=SimpleNamespace(images=images), source="MNIST")
    stand_in = SimpleNamespace(compare_people=lambda *args: compared.append(args))
    names = ASKED | {"digits": digits, "nb08": stand_in, "guess_people": "guess"}
    space = run("people", "look-people", **names)
    wrong = [i for i in range(len(LABELS)) if ANSWER[i] != LABELS[i]]
    surest = sorted(wrong, key=lambda i: -SURE[i])[:9]
    assert space["surest"].tolist() == surest, "08:people: not the surest errors"
    shown = space["plots"].heard["digits"][0]["images"]
    assert shown.tolist() == surest, "08:people: other images"
    labels = space["plots"].heard["digits"][0]["labels"]
    assert labels == [f"no. {i}" for i in range(1, 10)], "08:people: labels give the answer away"
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
    cells = ("probe", "one-map", "look-filter", "by-hand", "maps-1", "maps-2", "look-silent")
    cells += ("dense-units", "code-distances")
    return run("filters", *cells, guess_silent=..., guess_filter=..., **names)


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
    second, units = (heard["maps"] for heard in probed["plots"].heard["activations"])
    (one,) = probed["plots"].heard["heat"][0]["maps"].values()
    first = probed["plots"].heard["filters_and_maps"][0]["maps"]
    place = [heard["truth"] for heard in probed["lesson"].heard["compare"]][0]
    pooled = one.reshape(14, 2, 14, 2).max((1, 3))
    np.testing.assert_allclose(pooled, first[..., place], err_msg="08:one-map: another map")
    assert first.max() == first[..., place].max(), "08:one-map: not the strongest"
    assert np.array_equal(first, probed["outputs"][3]), "08:maps-1: not the first block's ReLU"
    assert np.array_equal(second, probed["outputs"][6]), "08:maps-2: not the second block's ReLU"
    assert first.shape == (14, 14, 16) and second.shape == (7, 7, 36), "08:maps: of other layers"
    assert first.min() >= 0 and second.min() >= 0, "08:maps: before ReLU"


def test_silent_units_are_counted_in_the_dense_layer(probed):
    silent = np.mean(probed["outputs"][8] == 0)
    assert probed["outputs"][8].shape == (128,) and 0.1 < silent < 0.9, "08:probe: the dense layer"
    truth = probed["lesson"].heard["compare"][1]["truth"]
    assert truth == pytest.approx(silent), "08:look-silent: another share of silent units"
    rows = probed["lesson"].heard["table"][0]["rows"]
    told = [(row["layer"], row["shape"], row["numbers"]) for row in rows]
    assert told[1] == ("Conv2D", "28 x 28 x 16", "12,544") and told[8] == ("Dense", "128", "128"), (
        "08:look-silent"
    )
    zeros = [f"{np.mean(output == 0):.0%}" for output in probed["outputs"]]
    assert [row["zeros"] for row in rows] == zeros, "08:look-silent: zeros"


def test_filters_stand_above_their_own_maps(probed, networks):
    heard = probed["plots"].heard["filters_and_maps"][0]
    kernel = networks["cnn"].layers[1].get_weights()[0]
    assert np.array_equal(heard["filters"], kernel[:, :, 0]), "08:maps-1: other filters"


def test_strongest_answer_is_the_sum_by_hand(probed):
    lines = [
        line for line in probed["printed"].split("\n") if "map says" in line or "plus bias" in line
    ]
    said, summed = (line.split()[-1] for line in lines)
    top = probed["outputs"][1][..., probed["strongest"]].max()
    assert said == summed == f"{top:.3f}", "08:by-hand: another place, filter or bias"


def test_units_awake_for_each_digit_are_counted(run):
    codes = np.zeros((40, 128))
    labels = np.arange(40) % 10
    for k in range(10):
        codes[labels == k, : k + 3] = 1
    codes[(labels == 7) & (np.arange(40) < 20), 50] = 1  # in half of the sevens, not in more
    units = SimpleNamespace(predict=lambda images, **how: codes)
    space = run("awake", "awake-table", "digit-units", units=units, validation_y=labels)
    rows = [tuple(row.values()) for row in space["lesson"].heard["table"][0]["rows"]]
    right = []
    for k in range(10):
        part = {n: (min(k, n) + 3) / (max(k, n) + 3) for n in range(10) if n != k}
        near = max(part, key=part.get)
        right.append((k, k + 3, near, min(k, near) + 3, f"{part[near]:.0%}"))
    assert rows == right, f"08:awake-table: {rows}"
    shown = space["plots"].heard["activations"][0]["maps"]
    assert shown.shape == (8, 16, 10), "08:digit-units"
    for k in range(10):
        mean = codes[labels == k].mean(0).reshape(8, 16)
        assert np.array_equal(shown[..., k], mean), f"08:digit-units: {k}"


def test_codes_of_two_zeros_and_two_ones_are_folded_row_by_row(probed, networks):
    assert probed["four"] == [5, 7, 6, 8], "08:dense-units: not two zeros, then two ones"
    value = X["validation"][[5, 7, 6, 8]]
    for layer in networks["cnn"].layers[:-1]:
        value = np.asarray(layer(value))
    np.testing.assert_allclose(probed["codes"], value, atol=1e-5, err_msg="08:dense-units: codes")
    shown = probed["plots"].heard["activations"][1]["maps"]
    for k in range(4):
        assert np.array_equal(shown[..., k], probed["codes"][k].reshape(8, 16)), "08:dense-units"
    apart = [np.sqrt(((value[0] - value[k]) ** 2).sum()) for k in (1, 2)]
    line = f"two zeros {apart[0]:.1f}, a zero and a one {apart[1]:.1f}"
    assert probed["printed"].endswith(line), "08:code-distances: other distances"


def test_three_largest_logits_are_told(run):
    probabilities = np.array([[0.1] * 10, [0, 0.2, 0, 0, 0.7, 0, 0, 0, 0, 0.1]])
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


def test_drawing_of_directions_shows_the_two_units_that_vary_most(run):
    random = np.random.default_rng(0)
    values = random.normal(size=(300, 128))
    values[:, [70, 9]] *= [[5, 4]]
    heard = run("directions", embedded=[None, values])["plots"].heard["directions"][0]
    assert np.array_equal(heard["points"], values[:200][:, [70, 9]]), "08:directions"


# --- Painting ------------------------------------------------------------------------------------


def test_painted_digits_climb_the_logit_of_their_own_digit(run, begun):
    tf, reader, asked = begun["tf"], Reader((28, 28)), []

    def cnn(x):
        return tf.matmul(tf.reshape(x, [-1, 784]), reader.sums)

    def paint(gradient_of, start, steps, rate):
        asked.append((gradient_of(start), steps, rate))
        return start + len(asked)

    names = {"paint": paint, "cnn": cnn, "ask": lambda model, images: np.eye(10) * 0.75}
    heard = run("painted", **names)["plots"].heard["digits"][0]
    for k, (gradient, _, _) in enumerate(asked):
        right = reader.sums[:, k].reshape(28, 28)
        np.testing.assert_allclose(gradient, right, 1e-5, err_msg=f"08:painted: {k}")
    assert heard["labels"] == [f"{k}: 0.75" for k in range(10)], "08:painted: captions"
    np.testing.assert_allclose(heard["images"][:, 0, 0], np.arange(10) + 1.5, err_msg="08:painted")


# --- The report ----------------------------------------------------------------------------------


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


def test_accuracy_of_the_report_is_that_on_test_digits(run):
    cnn = Reader((28, 28))
    space = run("ask", "report", cnn=cnn)
    right = np.mean(cnn.answers(X["test"]) == Y["test"])
    assert space["test_accuracy"] == pytest.approx(right), "08:report: other digits"
    assert space["printed"].endswith(f"test accuracy {right:.4f}"), "08:report: the line printed"


def test_results_are_recorded_under_their_names(run):
    row, by_mean = [0.9, 0.8, 0.7, 0.6, 0.5], {"pixels": 0.8, "embeddings": 0.9}
    space = run("results", test_accuracy=0.98, row=row, by_mean=by_mean)
    heard = space["lesson"].heard["record"][0]
    right = {"cnn_test_accuracy": 0.98, "nearest_mean_embedding": 0.9}
    right |= {f"shift_{n}": value for n, value in enumerate(row)}
    assert heard["digits"] is FEW and heard["numbers"] == pytest.approx(right), "08:results"


# --- What could go wrong -------------------------------------------------------------------------


def test_gradients_of_logit_and_probability_are_told(run, begun):
    tf, reader, x = begun["tf"], Reader((28, 28)), X["test"][:1]
    reader.sums /= 20

    def cnn(x):
        return tf.matmul(tf.reshape(x, [-1, 784]), reader.sums)

    answer = int(reader.answers(x)[0])
    names = {"validation_x": X["test"], "cnn": cnn, "clear": 0, "predicted": [answer, 0]}
    printed = run("wrong-saliency", **names)["printed"].splitlines()
    p = softmax_of(reader.logits(x))[0]
    steep = p[answer] * (reader.sums[:, answer] - reader.sums @ p)
    expected = np.abs(reader.sums[:, answer]).max(), np.abs(steep).max()
    for line, name, value in zip(printed, ("logit", "probability"), expected, strict=True):
        assert line == f"largest gradient of the {name}: {value:.1g}", f"08:wrong-saliency: {line}"
