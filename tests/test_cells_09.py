"""Notebook 09, cell by cell: what it measures on a network, against sums done another way."""

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
from mnist_edu.exercises import nb09

pytestmark = pytest.mark.slow

FEW = few_digits()
X, Y = by_split(FEW)
NAMES = ("softmax", "dense", "CNN")
READS_TEST = {"prepare", "report"}


@pytest.fixture(scope="module")
def begun():
    """Run the cells that import and set parameters."""
    return run_cells("09", "setup", "parameters")


@pytest.fixture(scope="module")
def run(begun):
    return runner("09", begun, FEW, X, Y)


@pytest.fixture(scope="module")
def networks(begun):
    """Make the three networks, untrained."""
    begun["keras"].utils.set_random_seed(1)
    return run_cells("09", "networks", "make-networks", **begun)


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
    expected |= {"disturbed_images": 1000}
    found = {name: begun[name] for name in expected}
    assert found == expected, "09:parameters: a default differs from what the text speaks of"


def test_seed_and_source_are_used(run):
    check_seed_and_source("09", run, FEW)


def test_each_split_is_scaled_once(begun):
    check_scaled_once("09", begun, FEW)


def test_test_images_stay_closed_until_the_report():
    found = code_with("09", "test_x", "test_y")
    assert found == READS_TEST, f"09: test digits in other cells than the report's: {found}"


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
    assert list(networks["models"]) == list(expected), "09:make-networks: names"
    for name, model in networks["models"].items():
        found, right = settings(model.layers), settings([*expected[name], layers.Dense(10)])
        assert found == right, f"09:make-networks: layers of {name}"
        assert model.input_shape == (None, 28, 28), f"09:networks: images of {name}"
    assert networks["printed"].splitlines() == [
        "softmax: 7,850 weights",
        "dense: 101,770 weights",
        "CNN: 242,062 weights",
    ], "09:make-networks: weights"
    assert [networks["softmax"], networks["dense"], networks["cnn"]] == list(
        networks["models"].values()
    ), "09:make-networks: a name stands for another network"


def test_networks_are_compiled_for_logits(networks):
    keras = networks["keras"]
    for name, model in networks["models"].items():
        right = keras.optimizers.Adam(name=model.optimizer.name).get_config()
        assert model.optimizer.get_config() == right, f"09:networks: optimizer of {name}"
        right = keras.losses.SparseCategoricalCrossentropy(from_logits=True).get_config()
        assert model.loss.get_config() == right, f"09:networks: loss of {name} takes no logits"
        told = model.get_compile_config()["metrics"]
        assert told == ["accuracy"], f"09:networks: {name} does not tell its accuracy"


def test_fit_trains_on_training_images_and_is_judged_on_validation_images(run):
    called = []
    model = SimpleNamespace(fit=lambda *args, **how: called.append((args, how)))
    space = run("fit")
    space["fit"](model, 3, "name")
    (((x, y), how),) = called
    assert x is X["train"] and y is Y["train"], "09:fit: other images than the training images"
    assert len(how.pop("callbacks")) == 1, "09:fit: callbacks"
    x, y = how.pop("validation_data")
    assert x is X["validation"] and y is Y["validation"], "09:fit: judged by other images"
    right = {"batch_size": 128, "epochs": 3, "verbose": 0, "validation_batch_size": 1000}
    assert how == right, f"09:fit: trains with {how}"
    heard = space["lesson"].heard["keras_progress"][0]
    assert heard == {"epochs": 3, "label": "name", "parts": 1}, "09:fit: progress"


def test_each_network_is_trained_as_often_as_its_text_says(run):
    fits = []
    names = {"softmax": "softmax", "dense": "dense", "cnn": "cnn", "dense_epochs": 4}
    names["fit"] = lambda model, epochs, label: fits.append((model, epochs))
    run("train-dense", "train-cnn", "train-cnn-on", **names)
    assert fits == [("softmax", 4), ("dense", 4), ("cnn", 1), ("cnn", 1)], f"09:train: {fits}"


def test_ask_gives_probabilities_of_each_image(run):
    check_ask("09", run, X["test"])


def test_answers_are_those_of_the_cnn_on_validation_images(run):
    models = {name: Reader((28, 28), seed) for seed, name in enumerate(NAMES)}
    space = run("ask", "answers", models=models)
    for name, reader in models.items():
        expected = softmax_of(reader.logits(X["validation"]))
        found = space["probabilities"][name]
        np.testing.assert_allclose(found, expected, 1e-4, 1e-7, err_msg=f"09:answers: {name}")
    answers = models["CNN"].answers(X["validation"])
    assert space["predicted"].tolist() == answers.tolist(), "09:answers: not those of the CNN"
    wrong = answers != Y["validation"]
    assert space["wrong"].tolist() == wrong.tolist(), "09:answers: which are wrong"
    line = f"the CNN reads {wrong.sum()} of {len(wrong)} validation digits wrong"
    assert space["printed"].endswith(line), "09:answers: the line printed"


# --- What is no digit ----------------------------------------------------------------------------


def test_nonsense_is_noise_empty_full_and_letters(run):
    nonsense = run("nonsense", seed=3)["nonsense"]
    noise = nonsense["noise"]
    assert list(nonsense) == ["noise", "empty", "full", "letters"], "09:nonsense: kinds"
    assert all(images.dtype == np.float32 for images in nonsense.values()), "09:nonsense: types"
    assert noise.shape == (300, 28, 28) and 0 <= noise.min() and noise.max() <= 1, (
        "09:nonsense: noise"
    )
    share = np.histogram(noise, 10, (0, 1))[0] / noise.size
    np.testing.assert_allclose(share, 0.1, atol=0.003, err_msg="09:nonsense: not any grey alike")
    for name, ink in (("empty", 0), ("full", 1)):
        right = np.full((1, 28, 28), ink)
        np.testing.assert_array_equal(nonsense[name], right, f"09:nonsense: {name}")
    assert np.array_equal(nonsense["letters"], nb09.draw_letters(300, 3)[0]), "09:nonsense: letters"


def test_letters_stand_upright_and_are_named():
    images, names = nb09.draw_letters(40, 1)
    assert "".join(names) == "AEFHKMNTWX" * 4, "nb09.draw_letters: names"
    assert images.dtype == np.float32 and 0 <= images.min() and images.max() == 1, (
        "nb09.draw_letters: range"
    )
    ink = {name: images[names == name].mean(0) for name in "AEFT"}
    for name, half in (("E", "left"), ("F", "left"), ("T", "top"), ("F", "top"), ("A", "bottom")):
        halves = {"left": ink[name][:, :14], "top": ink[name][:14], "bottom": ink[name][14:]}
        assert halves[half].sum() > 0.52 * ink[name].sum(), f"nb09.draw_letters: {name} is turned"
    assert not np.array_equal(images[0], images[10]), "nb09.draw_letters: the hand is not shaky"


def test_confidence_in_nonsense_is_that_of_each_network(run):
    def ask(model, images):
        return np.full((len(images), 10), 0.01) + np.eye(10)[3] * (model + images.mean())

    nonsense = {"noise": X["test"][:2], "empty": X["test"][2:5]}
    models = {"softmax": 1, "dense": 2, "CNN": 3}
    cells = ("look-noise", "nonsense-table")
    space = run(*cells, ask=ask, nonsense=nonsense, models=models, guess_noise=...)
    sure = {(k, n): 0.01 + m + x.mean() for k, x in nonsense.items() for n, m in models.items()}
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == pytest.approx(sure["noise", "dense"]), "09:look-noise: another confidence"
    rows = space["lesson"].heard["table"][0]["rows"]
    for row in rows:
        for name in models:
            assert row[name] == f"{sure[row['image'], name]:.2f}, mostly 3", "09:nonsense-table"
    assert [row["image"] for row in rows] == list(nonsense), "09:nonsense-table: rows"


def test_favourite_answer_is_the_most_frequent_one(run):
    p = np.array([[0.2, 0, 0.3], [0.9, 0, 0.1], [0.1, 0.3, 0.4]])
    told = collections.defaultdict(lambda: p)
    sure_of = run("nonsense-table", told=told, models={}, nonsense=["noise"])["sure_of"]
    assert sure_of(p) == "0.53, mostly 2", "09:nonsense-table: sure_of"


def test_letters_are_shown_with_answer_and_confidence(run):
    p = np.eye(10)[[4, 1, *range(2, 10), 0]] * 0.5
    letters, names = np.arange(12), list("ABCDEFGHIJKL")
    heard = run("letters", told={("letters", "CNN"): p}, letters=letters, names=names)["plots"]
    heard = heard.heard["digits"][0]
    assert heard["images"].tolist() == list(range(10)), "09:letters: other images"
    answers = [4, 1, *range(2, 10)]
    told = [f"{letter} → {digit}, 0.50" for letter, digit in zip(names, answers, strict=False)]
    assert list(heard["labels"]) == told, "09:letters: captions"


# --- Thresholds ----------------------------------------------------------------------------------

CONFIDENCE = np.array([0.5, 0.9, 0.7, 0.6, 0.8])
RIGHT = np.array([True, True, False, True, True])


def test_accuracy_so_far_goes_down_the_list_by_confidence(run):
    order, accuracy = run("accuracy-so-far")["accuracy_so_far"](CONFIDENCE, RIGHT)
    assert order.tolist() == [1, 4, 2, 3, 0], "09:accuracy-so-far: not by falling confidence"
    np.testing.assert_allclose(accuracy, [1, 1, 2 / 3, 3 / 4, 4 / 5], err_msg="09:accuracy-so-far")


@pytest.mark.parametrize(
    ("wanted", "threshold"), [(0.9, 0.8), (1, 0.8), (0.8, 0.5), (0.76, 0.5), (0.81, 0.8)]
)
def test_threshold_is_the_last_place_that_keeps_the_promise(run, wanted, threshold):
    found = run("accuracy-so-far")["threshold_for"](wanted, CONFIDENCE, RIGHT)
    assert found == threshold, f"09:accuracy-so-far: threshold for {wanted}"


def test_thresholds_and_coverage_of_each_network_are_measured_on_validation_images(run):
    names = {"models": dict.fromkeys(NAMES), "wanted_accuracy": 0.9, "guess_abstain": ...}
    space = run("accuracy-so-far", "look-abstain", "threshold-table", **ASKED | names)
    rows = {row["network"]: row for row in space["lesson"].heard["table"][0]["rows"]}
    for name in NAMES:
        sure, right = ERRORS["confidence"][name], ERRORS["right"][name]
        assert np.array_equal(space["confidence"][name], sure), "09:look-abstain: confidence"
        assert np.array_equal(space["right"][name], right), "09:look-abstain: right"
        lowest = min(t for t in sure if np.mean(right[sure >= t]) >= 0.9)
        answered = sum(value >= lowest for value in sure) / len(sure)
        assert space["thresholds"][name] == lowest, f"09:look-abstain: threshold of {name}"
        assert space["coverage"][name] == pytest.approx(answered), f"09:look-abstain: {name}"
        assert rows[name]["accuracy on all"] == f"{right.mean():.3f}", "09:threshold-table"
        assert rows[name]["threshold"] == f"{lowest:.3f}", "09:threshold-table"
        assert rows[name]["coverage"] == f"{answered:.3f}", "09:threshold-table"
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == pytest.approx(100 * space["coverage"]["softmax"]), "09:look-abstain: of 100"


def test_curve_of_coverage_is_the_accuracy_of_the_surest_answers(run):
    names = {"models": dict.fromkeys(NAMES), "validation_y": LABELS}
    space = run("accuracy-so-far", "coverage-figure", **ERRORS | names)
    ((label, (parts, lines)),) = space["plots"].heard["panels"][0]["charts"].items()
    assert label == "coverage" and len(parts) == 81, "09:coverage-figure: the axis"
    np.testing.assert_allclose(parts, np.arange(20, 101) / 100, err_msg="09:coverage-figure")
    for name in NAMES:
        surest = np.argsort(-ERRORS["confidence"][name])
        for part, accuracy in zip(parts, lines[name], strict=True):
            kept = surest[: int(part * len(LABELS))]
            right = np.mean(ERRORS["right"][name][kept])
            assert accuracy == pytest.approx(right), f"09:coverage-figure: {name} at {part:.2f}"


def test_share_of_nonsense_above_the_threshold_counts_its_edge(run):
    p = np.array([[0.5, 0.1], [0.4, 0.5], [0.75, 0.25], [0.1, 0.2]])
    told = {(kind, name): p for kind in ("noise", "letters") for name in NAMES}
    told["letters", "CNN"] = p[:2]
    thresholds = {"softmax": 0.5, "dense": 0.51, "CNN": 0.5}
    space = run("nonsense-answered", told=told, thresholds=thresholds, models=thresholds)
    rows = [list(row.values()) for row in space["lesson"].heard["table"][0]["rows"]]
    expected = [["noise", "75%", "25%", "75%"], ["letters", "75%", "25%", "100%"]]
    assert rows == expected, f"09:nonsense-answered: {rows}"


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
    np.testing.assert_allclose(found, expected, err_msg="09:ece: share, confidence, accuracy")


def test_calibration_error_weighs_each_gap_by_its_share(run):
    space = run("ece")
    sure = np.array([0.95] * 60 + [0.85] * 30 + [0.55] * 10)
    right = np.repeat([True, False, True, False, False], [48, 12, 30, 0, 10])
    by_hand = 0.6 * 0.15 + 0.3 * 0.15 + 0.1 * 0.55
    found = space["calibration_error"](sure, right)
    assert found == pytest.approx(by_hand), f"09:ece: {found}, not 0.19"
    halves = np.array([0.5, 1.0] * 10), np.array([True, False] * 10)
    assert space["calibration_error"](*halves) == pytest.approx(0.75), "09:ece: gaps cancel out"
    honest = np.repeat([0.75, 0.25], 40), np.tile([1, 1, 1, 0] * 10 + [0, 0, 0, 1] * 10, 1) > 0
    assert space["calibration_error"](*honest) == pytest.approx(0), "09:ece: an honest network"


def test_overfitting_network_sees_few_images_again_and_again(run, networks):
    made, fitted = [], []

    def make(*stack):
        made.extend(stack)
        return SimpleNamespace(fit=lambda *args, **how: fitted.append((args, how)))

    def ask(model, images):
        assert images is X["validation"], "09:overfit: other images than the validation images"
        return np.eye(10)[3] * 0.5 + np.zeros((len(images), 10))

    names = {"make": make, "ask": ask, "confidence": {}, "right": {}}
    space = run("overfit", few_images=20, few_epochs=7, **names)
    layers = networks["keras"].layers
    assert settings(made) == settings([layers.Flatten(), layers.Dense(128, "relu")]), "09:overfit"
    (((x, y), how),) = fitted
    assert np.array_equal(x, X["train"][:20]) and np.array_equal(y, Y["train"][:20]), "09:overfit"
    assert len(how.pop("callbacks")) == 1, "09:overfit: callbacks"
    assert how == {"batch_size": 100, "epochs": 7, "verbose": 0}, f"09:overfit: trains with {how}"
    assert np.all(space["confidence"]["overfit"] == 0.5), "09:overfit: confidence"
    right = space["right"]["overfit"].tolist()
    assert right == (Y["validation"] == 3).tolist(), "09:overfit: right"


def test_most_modest_network_is_the_one_with_the_largest_gap(run):
    random = np.random.default_rng(0)
    spans = {"a": (0.1, 0.3), "b": (0.4, 1), "c": (0.9, 1)}
    sure = {name: random.uniform(*span, 50) for name, span in spans.items()}
    right = {"a": np.arange(50) < 35, "b": np.arange(50) < 48, "c": np.arange(50) < 20}
    space = run(
        *("ece", "look-calibration", "reliability"),
        **{"confidence": sure, "right": right, "guess_modest": ..., "validation_y": range(50)},
    )
    assert space["lesson"].heard["compare"][0]["truth"] == "a", "09:look-calibration: the gap"
    for row in space["lesson"].heard["table"][0]["rows"]:
        n = row["network"]
        assert row["accuracy"] == f"{right[n].mean():.3f}", "09:look-calibration: accuracy"
        assert row["confidence"] == f"{sure[n].mean():.3f}", "09:look-calibration: confidence"
        assert row["ECE"] == f"{ece(sure[n], right[n]):.3f}", "09:look-calibration: ECE"
    assert space["plots"].heard["reliability"][0]["images"] == 50, "09:reliability: the counts"
    for name, bins in space["plots"].heard["reliability"][0]["bins"].items():
        expected = space["calibration_bins"](sure[name], right[name])
        assert np.array_equal(bins, expected), "09:reliability: other bins"


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
    assert np.array_equal(nb09.rotate(images, 0), images), "nb09.rotate: 0 degrees change it"
    for degrees, turns in ((90, 1), (180, 2), (-90, -1)):
        expected = np.rot90(images, turns, axes=(1, 2))
        found = nb09.rotate(images, degrees)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=f"nb09.rotate: {degrees}")
    bar = np.zeros((1, 28, 28), np.float32)
    bar[0, 13:15, 16:24] = 1  # points to the right
    row, column = (np.average(at, weights=nb09.rotate(bar, 30)[0]) for at in np.indices((28, 28)))
    angle = np.degrees(np.arctan2(13.5 - row, column - 13.5))
    assert angle == pytest.approx(30, abs=0.5), f"nb09.rotate: turned by {angle:.0f} degrees"


def test_thickness_grows_and_shrinks_a_line_by_a_pixel_on_either_side():
    line = np.zeros((1, 28, 28), np.float32)
    line[0, :, 10:13] = 0.8
    columns = {0: (10, 13), 1: (9, 14), 2: (8, 15), -1: (11, 12)}
    for steps, (left, right) in columns.items():
        expected = np.zeros_like(line)
        expected[0, :, left:right] = 0.8
        found = nb09.thicken(line, steps)[0, 3:-3]
        np.testing.assert_allclose(found, expected[0, 3:-3], err_msg=f"nb09.thicken: {steps}")
    half = nb09.thicken(line, 0.5)
    np.testing.assert_allclose(half, (line + nb09.thicken(line, 1)) / 2, 1e-6)
    last = (nb09.thicken(line, 1) + nb09.thicken(line, 2)) / 2
    np.testing.assert_allclose(nb09.thicken(line, 1.5), last, 1e-6, err_msg="nb09.thicken: 1.5")


def test_noise_has_the_strength_that_was_asked_for():
    grey = np.full((40, 28, 28), 0.5, np.float32)
    assert np.array_equal(nb09.add_noise(grey, 0), grey), "nb09.add_noise: strength 0"
    for strength in (0.05, 0.1):
        noise = nb09.add_noise(grey, strength) - 0.5
        assert noise.std() == pytest.approx(strength, rel=0.03), "nb09.add_noise: strength"
        assert abs(noise.mean()) < 0.003 and noise.dtype == np.float32, (
            "nb09.add_noise: not around 0"
        )
    loud = nb09.add_noise(grey, 1)
    assert loud.min() == 0 and loud.max() == 1, "nb09.add_noise: pixels leave 0 to 1"


def test_disturbed_digits_are_shown_under_their_names(run):
    labels, sure = Y["validation"].copy(), np.full(len(X["validation"]), 0.995)
    labels[[3, 5, 7]], sure[5] = 4, 0.99
    wrong = np.arange(len(labels)) <= 3
    labels[8:][labels[8:] == 4], labels[:3] = 5, 1
    labels[[4, 6]] = 2
    space = run("disturbances", validation_y=labels, sure=sure, wrong=wrong)
    assert space["clear"] == 7, "09:disturbances: 3 is read wrong, 5 with 0.99"
    heard = space["plots"].heard["digits"][0]
    one, images = X["validation"][7:8], heard["images"]
    assert np.array_equal(space["one"], one), "09:disturbances: not the clear digit"
    expected = {f"{angle}°": nb09.rotate(one, angle) for angle in (-60, -30, 0, 30, 60)}
    expected |= {f"thickness {step}": nb09.thicken(one, step) for step in (-1, 1, 2)}
    expected |= {f"noise {strength}": nb09.add_noise(one, strength) for strength in (0.2, 0.4)}
    assert list(heard["labels"]) == list(expected), "09:disturbances: captions"
    for name, image, right in zip(expected, images, expected.values(), strict=True):
        assert np.array_equal(image, right[0]), f"09:disturbances: {name}"


def brightness_reader(images):
    """Answer with the number of tenths that the mean pixel holds."""
    return np.eye(10)[np.clip((10 * images.mean((1, 2))).astype(int), 0, 9)]


def test_accuracy_by_level_keeps_levels_and_images_apart(run):
    labels = np.array([1, 2, 3, 4, 7])
    images = np.repeat(labels, 784).reshape(5, 28, 28) / 10 + 0.05
    levels = []

    def ask(model, images):
        assert isinstance(model, float), "09:disturbed-accuracy: asks no network"
        return brightness_reader(images + model)

    def brighter(x, level):
        levels.append(level)
        return x + np.where(np.arange(len(x)) < 2, level, 0)[:, np.newaxis, np.newaxis]

    names = {"validation_x": np.concatenate([images, images]), "ask": ask, "disturbed_images": 5}
    names |= {"validation_y": np.concatenate([labels, labels]), "models": {"a": 0.0, "b": 0.1}}
    space = run("disturbed-accuracy", **names)
    found = space["disturbed_accuracy"](brighter, [0, 0.2])
    assert {name: list(row) for name, row in found.items()} == {"a": [1, 0.6], "b": [0, 0]}, (
        "09:disturbed-accuracy: levels or images are mixed up"
    )
    assert levels == [0, 0.2], "09:disturbed-accuracy: other levels"
    assert len(space["some_x"]) == len(space["some_y"]) == 5, "09:disturbed-accuracy: images"


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
        (nb09.rotate, angles),
        (nb09.thicken, [-1, -0.5, 0, 0.5, 1, 1.5, 2]),
        (nb09.add_noise, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    ], "09:disturb: other disturbances or levels"
    assert lessons.heard["compare"][0]["truth"] == "rotate 30", "09:disturb: not at 30 degrees"
    charts = space["plots"].heard["panels"][0]["charts"]
    words = {"angle (degrees)": "rotate", "thickness (steps)": "thicken"}
    for label, word in (words | {"noise (standard deviation)": "add_noise"}).items():
        levels, lines = charts[label]
        assert lines["CNN"] == [f"{word} {level}" for level in levels], f"09:disturbed: {label}"


# --- Adversarial images --------------------------------------------------------------------------


def test_signs_are_those_in_which_the_loss_of_the_true_digit_rises(run, begun):
    tf, reader = begun["tf"], Reader((28, 28))
    reader.sums /= 30

    def model(x):
        return tf.matmul(tf.reshape(x, [-1, 784]), reader.sums)

    x, labels = X["test"][:4], Y["test"][:4]
    signs = run("fgsm")["pixel_signs"](model, x, labels)
    gradient = (softmax_of(reader.logits(x)) - np.eye(10)[labels]) @ reader.sums.T
    message = "09:fgsm: signs of another loss, label or direction"
    np.testing.assert_array_equal(signs, np.sign(gradient).reshape(4, 28, 28), message)


def test_fgsm_moves_each_pixel_by_epsilon_and_stays_in_range(run):
    fgsm = run("fgsm")["fgsm"]
    images = np.array([[0, 0.5, 1], [0.25, 0.05, 0.95], [0.5, 0, 1]], np.float32)
    signs = np.array([[-1, 1, 1], [-1, -1, 1], [0, 0, 0]], np.float32)
    expected = np.array([[0, 0.6, 1], [0.15, 0, 1], [0.5, 0, 1]], np.float32)
    message = "09:fgsm: another step, or out of [0, 1]"
    np.testing.assert_allclose(fgsm(images, signs, 0.1), expected, atol=1e-6, err_msg=message)
    np.testing.assert_allclose(fgsm(images, signs, 0), images, err_msg="09:fgsm: epsilon 0")


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
    assert model == "cnn" and images is one and given == [4], "09:look-epsilon: signs of another"
    sizes = [n / 100 for n in range(1, 101)]
    np.testing.assert_allclose(space["epsilons"], sizes, err_msg="09:look-epsilon: sizes")
    epsilon = space["lesson"].heard["compare"][0]["truth"]
    assert epsilon == pytest.approx(0.08), f"09:look-epsilon: {epsilon} is not the first that works"
    heard = space["plots"].heard["digits"][0]
    assert list(heard["labels"]) == ["4, 0.75", "signs", "5, 0.75"], "09:adversarial: captions"
    right = [one[0], np.ones((28, 28)), np.clip(one[0] + 0.08, 0, 1)]
    np.testing.assert_allclose(heard["images"], right, atol=1e-6, err_msg="09:adversarial: images")


def test_signs_are_drawn_from_white_to_black(run):
    names = {"one": np.zeros((1, 28, 28)), "signs": np.full((1, 28, 28), -1.0), "first": 0}
    names |= {"tried": np.zeros((1, 28, 28)), "answers": np.eye(10), "cnn": None}
    space = run("adversarial", ask=lambda *_: np.eye(10), **names)
    drawn = space["plots"].heard["digits"][0]["images"][1]
    assert np.all(drawn == 0), "09:adversarial: less ink is not white"


def test_attacks_of_all_sizes_use_the_signs_of_each_network(run):
    models = {name: Reader((28, 28), seed) for seed, name in enumerate(NAMES)}
    some_x, some_y = X["validation"][:30], Y["validation"][:30]

    def pixel_signs(model, images, labels):
        assert images is some_x and labels is some_y, "09:fgsm-accuracy: signs of other images"
        return np.sign(model.sums[:, 0]).reshape(28, 28) * np.ones_like(images)

    names = {"pixel_signs": pixel_signs, "fgsm": run("fgsm")["fgsm"], "cnn": models["CNN"]}
    names |= {"some_x": some_x, "some_y": some_y, "generator": np.random.default_rng(1)}
    names["accuracy_by_level"] = lambda model, changed: (model, changed)
    space = run("fgsm-accuracy", "fgsm-figure", models=models, **names)
    sizes = [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3]
    chance = space["random_signs"]
    assert chance.dtype == np.float32 and set(np.unique(chance)) == {-1, 1}, (
        "09:fgsm-accuracy: random signs"
    )
    assert abs(chance.mean()) < 0.05 and chance.shape == some_x.shape, "09:fgsm-accuracy: chance"
    signs = {name: pixel_signs(model, some_x, some_y) for name, model in models.items()}
    ((label, (x, attacked)),) = space["plots"].heard["panels"][0]["charts"].items()
    assert (label, list(x)) == ("epsilon", sizes), "09:fgsm-accuracy: other sizes"
    assert list(attacked) == [*NAMES, "CNN, random signs"], "09:fgsm-accuracy: names"
    for name, (model, changed) in attacked.items():
        assert model is models[name.split(",")[0]], f"09:fgsm-accuracy: {name} attacks another"
        for size, images in zip(sizes, changed, strict=True):
            right = np.clip(some_x + size * signs.get(name, chance), 0, 1)
            message = f"09:fgsm-accuracy: {name} at {size}"
            np.testing.assert_allclose(images, right, atol=1e-6, err_msg=message)


def bowl(model, images, labels):
    """Stand in for signs: ink helps the label 1, and is worse than none for all others."""
    rises = np.where(np.asarray(labels) == 1, -1.0, 1.0)
    return rises[:, np.newaxis, np.newaxis] * np.ones_like(images) * model


def test_many_steps_stay_within_epsilon_and_look_again(run):
    seen = []

    def pixel_signs(model, images, labels):
        seen.append(images.copy())
        return bowl(model, images, labels) * np.where(images > 0.55, -1, 1)

    space = run("fgsm", "many-steps")
    space["many_steps"].__globals__["pixel_signs"] = pixel_signs
    images = np.full((2, 28, 28), 0.5)
    images[1, 0] = 0.01
    moved = space["many_steps"](1.0, images, [1, 4], 0.1)
    assert len(seen) == 10, "09:many-steps: not ten looks"
    assert np.abs(moved - images).max() <= 0.1 + 1e-9, "09:many-steps: farther than epsilon"
    assert moved.min() >= 0, "09:many-steps: out of [0, 1]"
    np.testing.assert_allclose(moved[0], 0.4, err_msg="09:many-steps: label 1 goes down")
    assert 0.53 < moved[1, 5, 5] < 0.57, "09:many-steps: it does not look again"


def test_ten_steps_attack_each_network_at_a_tenth(run):
    asked = []

    def many_steps(model, images, labels, epsilon):
        asked.append((model, images, labels, epsilon))
        return images + model

    names = {"some_x": X["validation"][:9], "some_y": Y["validation"][:9]}
    names |= {"models": {"softmax": 1, "dense": 2, "CNN": 3}, "many_steps": many_steps}
    names |= {"attacked": {n: [0.9, 0.5] for n in NAMES}, "sizes": [0, 0.1], "guess_steps": ...}
    names["accuracy_by_level"] = lambda model, changed: np.array([model / 10])
    space = run("look-steps", "steps-table", **names)
    for (model, images, labels, epsilon), right in zip(asked, (1, 2, 3), strict=True):
        assert images is names["some_x"] and labels is names["some_y"], "09:look-steps: images"
        assert (model, epsilon) == (right, 0.1), "09:look-steps: another network or size"
    assert space["lesson"].heard["compare"][0]["truth"] == 0.3, "09:look-steps: not the CNN's"
    rows = [tuple(row.values()) for row in space["lesson"].heard["table"][0]["rows"]]
    assert rows[2] == ("CNN", "0.900", "0.500", "0.300"), "09:steps-table"


def test_smallest_epsilon_of_ten_steps_is_the_first_that_changes_the_answer(run):
    one = np.full((1, 28, 28), 0.423, np.float32)
    epsilons = np.arange(1, 101) / 100

    def many_steps(model, images, labels, epsilon):
        assert epsilon.shape == (100, 1, 1) and list(labels) == [4] * 100, "09:smallest"
        return images + epsilon / 2

    names = {"one": one, "epsilons": epsilons, "first": 30, "clear": 2, "cnn": "cnn"}
    names |= {"validation_y": np.array([1, 2, 4]), "many_steps": many_steps}
    names["ask"] = lambda model, images: brightness_reader(images)
    printed = run("smallest", **names)["printed"].splitlines()
    right = ["one step along the signs: 0.31", "ten small steps: 0.16"]
    assert printed == right, f"09:smallest: {printed}"


def test_digit_is_led_downhill_to_each_digit_and_stays_near(run):
    one, asked = np.full((1, 28, 28), 0.5, np.float32), []

    def pixel_signs(model, images, labels):
        asked.append(list(labels))
        return bowl(1.0, images, labels)

    names = {"one": one, "pixel_signs": pixel_signs, "cnn": "cnn", "fgsm": run("fgsm")["fgsm"]}
    names["ask"] = lambda model, images: np.eye(10)[[3] * 10] * 0.75
    heard = run("target", **names)["plots"].heard["digits"][0]
    assert asked == [list(range(10))] * 20, "09:target: other digits are wanted"
    for k, image in enumerate(heard["images"]):
        right = 0.8 if k == 1 else 0.2
        np.testing.assert_allclose(
            image, right, atol=1e-6, err_msg=f"09:target: {k}, uphill or far"
        )
    assert heard["labels"] == [f"→ {k}: 3, 0.75" for k in range(10)], "09:target: captions"


# --- Whom it learned from ------------------------------------------------------------------------


def test_bar_crosses_the_middle_of_each_seven(run):
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 4:6, 8:20] = image[0, 6:24, 15] = 0.9
    crossed = nb09.cross(image)
    added = np.argwhere(crossed[0] != image[0])
    assert set(added[:, 0]) == {13, 14}, "nb09.cross: not halfway"
    assert set(added[:, 1]) == {*range(11, 20)} - {15}, "nb09.cross: not centred on the ink"
    assert crossed.max() == image.max() and image[0, 13, 12] == 0, "nb09.cross: ink, or in place"


def test_crossed_sevens_are_those_that_were_read_right(run):
    labels = np.full(len(X["validation"]), 7)
    labels[:5] = 1
    wrong = np.zeros(len(labels), bool)
    wrong[5] = True
    answers = np.full(len(labels) - 6, 7)
    answers[:3] = 2, 2, 4
    names = {"validation_y": labels, "wrong": wrong, "cnn": None, "guess_crossed": ...}
    space = run("crossed", "look-crossed", ask=lambda model, images: np.eye(10)[answers], **names)
    assert np.array_equal(space["sevens"], X["validation"][6:]), "09:crossed: other digits"
    shown = space["plots"].heard["digits"][0]["images"]
    assert np.array_equal(shown[5:], nb09.cross(X["validation"][6:11])), "09:crossed: pictures"
    truth = space["lesson"].heard["compare"][0]["truth"]
    assert truth == pytest.approx(100 * 31 / 34), "09:look-crossed: of 100"
    line = "34 crossed sevens, 3 misread, most often as 2"
    assert space["printed"].endswith(line), "09:look-crossed"


def test_temperature_is_chosen_on_one_half_and_judged_on_the_other(run):
    models = {"CNN": Reader((28, 28))}
    chosen, judged = [], []

    def find_temperature(logits, labels):
        chosen.append((logits, labels))
        return 2.0

    def calibration_error(sure, right):
        judged.append((sure, right))
        return len(judged) / 100

    names = {"models": models, "overfit": Reader((28, 28), 1), "find_temperature": find_temperature}
    names |= {"calibration_error": calibration_error}
    space = run("ask", "cooled", **names)
    z = models["CNN"].logits(X["validation"])
    np.testing.assert_allclose(chosen[0][0], z[:20], err_msg="09:cooled: chosen elsewhere")
    assert np.array_equal(chosen[0][1], Y["validation"][:20]), "09:cooled: labels"
    for t, (sure, right) in zip((1, 2), judged, strict=False):
        p = softmax_of(z[20:] / t)
        np.testing.assert_allclose(sure, p.max(1), 1e-4, err_msg=f"09:cooled: at T = {t}")
        assert np.array_equal(right, p.argmax(1) == Y["validation"][20:]), "09:cooled: right"
    row = tuple(space["lesson"].heard["table"][0]["rows"][1].values())
    assert row == ("overfit", "2.00", "0.030", "0.040"), f"09:cooled: {row}"


def test_four_is_turned_with_the_gradient_for_a_three(run, begun):
    tf, reader, asked = begun["tf"], Reader((28, 28)), []
    reader.sums /= 30

    def cnn(x):
        return tf.matmul(tf.reshape(x, [-1, 784]), reader.sums)

    def lead(gradient_of, start, steps, rate, epsilon):
        asked.append((gradient_of(start), steps, rate / epsilon, epsilon))
        return start

    names = {"cnn": cnn, "lead": lead, "one": X["test"][:1]}
    run("turned", ask=lambda model, images: np.eye(10)[[3]], **names)
    p = softmax_of(reader.logits(X["test"][:1]))[0]
    right = (reader.sums @ (p - np.eye(10)[3])).reshape(28, 28)
    np.testing.assert_allclose(asked[0][0], right, atol=1e-5, err_msg="09:turned: gradient")
    assert [a[3] for a in asked] == [0.05, 0.1, 0.15, 0.2, 0.25, 0.3], "09:turned: sizes"
    assert all(a[1] == 20 and a[2] == pytest.approx(0.1) for a in asked), "09:turned: steps"


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
    assert all(images is X["test"] for images in asked), "09:report: other images"
    rows = {row["network"]: row for row in space["lesson"].heard["table"][0]["rows"]}
    for name, values in p.items():
        sure, hit = values.max(1), values.argmax(1) == Y["test"]
        kept = [i for i in range(len(hit)) if sure[i] >= thresholds[name]]
        right = {"test_accuracy": hit.mean(), "ece": ece(sure, hit)}
        right |= {"coverage": len(kept) / len(hit), "answered_accuracy": np.mean(hit[kept])}
        for key, value in right.items():
            found = space["results"][f"{name.lower()}_{key}"]
            assert found == pytest.approx(value, abs=1e-6), f"09:report: {key} of {name}"
            assert rows[name][key] == f"{found:.3f}", f"09:report: the table's {key} of {name}"


def test_results_are_recorded_under_their_names(run):
    angles, sizes = [-30, 30, 60], [0, 0.1, 0.2]
    p = np.array([[0.5, 0.1], [0.4, 0.5], [0.75, 0.25], [0.1, 0.2]])
    names = {"results": {"cnn_ece": 0.01}}
    names |= {"told": {("letters", "CNN"): p}, "thresholds": {"CNN": 0.5, "dense": 0.9}}
    names |= {"angles": angles, "sizes": sizes}
    names |= {"turned": {"CNN": [1, 2, 3], "dense": [4, 5, 6]}}
    names |= {"attacked": {"CNN": [7, 8, 9], "dense": [4, 5, 6]}}
    names |= {"confidence": {"overfit": "sure"}, "right": {"overfit": "hit"}}
    space = run("results", calibration_error=lambda *args: {("sure", "hit"): 0.2}[args], **names)
    heard = space["lesson"].heard["record"][0]
    right = {"cnn_ece": 0.01, "overfit_ece": 0.2, "letters_answered": 0.75}
    right |= {"turned_30": 2, "fgsm_01": 8}
    assert heard["digits"] is FEW and heard["numbers"] == pytest.approx(right), "09:results"


# --- What could go wrong -------------------------------------------------------------------------


def test_bold_answers_are_the_fifty_surest(run):
    sure, right = (ERRORS[name]["softmax"][:60] for name in ("confidence", "right"))
    names = {"confidence": {"softmax": sure}, "right": {"softmax": right}}
    printed = run("wrong-coverage", **names)["printed"]
    accuracy = np.mean(right[np.argsort(-sure)[:50]])
    line = f"softmax: accuracy {accuracy:.2f}, coverage {50 / 60:.2f}"
    assert printed == line, f"09:wrong-coverage: {printed}"


def test_constant_answer_is_calibrated_and_useless(run):
    labels = np.array([1] * 3 + [0, 2, 4] * 5)
    printed = run("ece", "wrong-ece", validation_y=labels)["printed"]
    assert printed == f"ECE 0.000, accuracy {3 / 18:.2f}", f"09:wrong-ece: {printed}"


def test_images_from_0_to_255_are_asked_about_unscaled(run):
    cnn = Reader((28, 28))
    cnn.sums /= 20
    labels = cnn.answers(FEW.validation.images)
    labels[:9] = (labels[:9] + 1) % 10
    printed = run("ask", "wrong-scale", cnn=cnn, validation_y=labels)["printed"]
    assert np.array_equal(cnn.asked[0], FEW.validation.images), "09:wrong-scale: scaled"
    p = softmax_of(cnn.logits(FEW.validation.images.astype(np.float32)))
    line = f"mean confidence {p.max(1).mean():.4f}, accuracy {31 / 40:.4f}"
    assert printed == line, f"09:wrong-scale: {printed}"
