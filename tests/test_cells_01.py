"""Notebook 01: its cells run alone, in a graph of their own, beside the same network in NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from stand_ins import about, digits, listen, shifts

tf = pytest.importorskip("tensorflow.compat.v1", reason="TensorFlow is missing")

from mnist_edu import data, drawings, input_data, lesson, plots  # noqa: E402

pytestmark = pytest.mark.slow
BUILD = ("placeholders", "variables", "loss", "train-op", "session")


DIGITS = digits()


def served(split):
    hot = data.one_hot(split.labels)
    return input_data.DataSet(split.images, hot, seed=4)


@pytest.fixture
def names(monkeypatch):
    """What the notebook has before its graph is built; what it compares, records and draws."""
    kept = listen(monkeypatch)
    parts = (DIGITS.train, DIGITS.validation, DIGITS.test)
    mnist = input_data.Datasets(*(served(part) for part in parts))
    guesses = ("loss", "accuracy", "one_step", "1000", "shift", "hard", "short", "long")
    with tf.Graph().as_default():
        yield {
            **{"np": np, "tf": tf, "data": data, "lesson": lesson, "plots": plots, "kept": kept},
            **{"digits": DIGITS, "mnist": mnist, "batch_size": 100, "learning_rate": 0.5},
            **{f"guess_{name}": ... for name in guesses},
        }


@pytest.fixture
def built(names):
    return run_cells("01", *BUILD, **names)


def run(built, *ids, **more):
    return run_cells("01", *ids, **built | more)


@pytest.fixture
def weights(built):
    """Give the network weights that are neither zero nor trained, and return them."""
    chance = np.random.default_rng(5)
    W, b = chance.normal(0, 0.05, (784, 10)), chance.normal(0, 0.5, 10)
    built["session"].run([built["W"].assign(W), built["b"].assign(b)])
    return W, b


def probabilities(images, W, b):
    powers = np.exp(images @ W + b)
    return powers / powers.sum(1, keepdims=True)


def step(images, difference, W, b, rate=0.5):
    """One step of gradient descent; ``difference`` is how the loss of each image changes with z."""
    difference = difference / len(images)
    return W - rate * images.T @ difference, b - rate * difference.sum(0)


def feed(built, part):
    return {built["x"]: part.images, built["y"]: part.labels}


@about("01", "parameters", "another batch size, rate or number of steps than the program of 2016")
def test_settings_are_those_of_2016():
    found = run_cells("01", "parameters")
    settings = {name: found[name] for name in ("batch_size", "learning_rate", "steps", "source")}
    assert settings == dict(batch_size=100, learning_rate=0.5, steps=1000, source="auto")


@about(
    "01",
    "load, old-reader",
    "the old reader is asked for other labels, another order or another source",
)
def test_the_reader_is_asked_for_one_hot_labels_in_the_order_of_the_seed(monkeypatch, names):
    asked = {}
    monkeypatch.setattr(lesson, "set_seed", lambda seed: asked.update(set=seed))
    monkeypatch.setattr(data, "load", lambda source: source)
    monkeypatch.setattr(input_data, "read_data_sets", lambda _, **how: asked.update(how))
    more = {"input_data": input_data, "seed": 7, "source": "x"}
    found = run_cells("01", "load", "old-reader", **names | more)
    assert asked == dict(set=7, one_hot=True, seed=7, source="x") and found["digits"] == "x"


@about("01", "placeholders, variables, loss", "the graph computes another loss or accuracy")
def test_loss_and_accuracy_are_those_worked_out_in_numpy(built, weights):
    part = built["mnist"].validation
    p = probabilities(part.images, *weights)
    wanted_loss = -np.log(p[np.arange(150), DIGITS.validation.labels]).mean()
    wanted_accuracy = np.mean(p.argmax(1) == DIGITS.validation.labels)
    loss, accuracy = built["session"].run(
        [built["loss"], built["accuracy"]], feed_dict=feed(built, part)
    )
    assert loss == pytest.approx(wanted_loss, rel=1e-5), "loss: not the mean cross-entropy"
    assert accuracy == pytest.approx(wanted_accuracy) and 0 < accuracy < 1
    assert (built["x"].shape.as_list(), built["y"].shape.as_list()) == ([None, 784], [None, 10])


@about("01", "variables, session", "the weights do not start at zero")
def test_untrained_network_has_a_loss_of_ln_10_and_reads_every_digit_as_0(built):
    found = run(built, "look-untrained")
    assert found["first_loss"] == pytest.approx(np.log(10), rel=1e-6)
    zeros = np.mean(DIGITS.validation.labels == 0)
    assert found["first_accuracy"] == pytest.approx(zeros), "not asked on the validation images"
    assert built["kept"].compared == [found["first_accuracy"]]
    assert found["printed"].endswith("loss: 2.303")


@pytest.mark.parametrize("rate", [0.5, 0.02])
@about("01", "train-op", "not plain gradient descent with the learning rate of the parameters")
def test_a_step_goes_against_the_gradient_times_the_rate(names, rate):
    built = run_cells("01", *BUILD, **names | {"learning_rate": rate})
    W, b = np.zeros((784, 10)), np.zeros(10)
    for _ in range(3):
        images, labels = built["mnist"].train.next_batch(20)
        W, b = step(images, probabilities(images, W, b) - labels, W, b, rate)
        built["session"].run(built["train_step"], {built["x"]: images, built["y"]: labels})
    found = built["session"].run([built["W"], built["b"]])
    np.testing.assert_allclose(found[0], W, atol=1e-5)
    np.testing.assert_allclose(found[1], b, atol=1e-5)


@about("01", "train", "other batches, another number of steps, or judged on other images")
def test_training_takes_each_step_with_the_next_batch_and_judges_on_validation_images(built):
    taken, serve = [], built["mnist"].train.next_batch
    next_batch = lambda n: taken.append(serve(n)) or taken[-1]  # noqa: E731
    mnist = SimpleNamespace(train=SimpleNamespace(next_batch=next_batch))
    before = run(built, "look-untrained")["validation"]
    found = run(built, "train", mnist=mnist, batch_size=30, validation=before)
    found["train"](2, 100)
    W, b, losses = np.zeros((784, 10)), np.zeros(10), []
    for images, labels in taken:
        p = probabilities(images, W, b)
        losses.append(-np.log(p[labels > 0]).mean())
        W, b = step(images, p - labels, W, b)
    assert [len(images) for images, _ in taken] == [30] * 99
    np.testing.assert_allclose(found["batch_losses"], losses, atol=1e-4)
    np.testing.assert_allclose(built["session"].run(built["W"]), W, atol=1e-4)


def test_training_says_every_fifty_steps_how_far_it_is(built, capsys):
    built = run(built, "look-untrained")
    run(built, "train")["train"](40, 110)
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in said] == ["50", "100"], "notebook 01, train: other steps"


@about("01", "look-one-step, train-100, train-1000", "steps are left out or taken twice")
def test_the_steps_are_1_then_2_to_100_then_101_to_the_last(built, weights):
    taken = []
    built = run(built, "look-untrained") | {"train": lambda *steps: taken.append(steps)}
    found = run(built, "look-one-step", "train-100", "train-1000", steps=1000, batch_losses=[])
    run(built, "train-100", steps=60, batch_losses=[])
    assert taken == [(1, 1), (2, 100), (101, 1000), (2, 60)]
    part = built["mnist"].test
    p = probabilities(part.images, *weights)
    accuracy = np.mean(p.argmax(1) == part.labels.argmax(1))
    assert found["accuracy_100"] == pytest.approx(accuracy), "train-100: not the test images"
    np.testing.assert_array_equal(found["test"][built["x"]], part.images)
    p = probabilities(built["mnist"].validation.images, *weights)
    right = np.mean(p.argmax(1) == built["mnist"].validation.labels.argmax(1))
    assert built["kept"].compared[-1] == pytest.approx(right), "look-one-step: not validation"


@pytest.mark.parametrize(("value", "letter"), [(0.9, "a"), (0.91, "b"), (0.94, "b"), (0.95, "c")])
@about("01", "look-1000", "the letter does not fit the accuracy")
def test_letter_of_the_answer_fits_the_accuracy(names, value, letter):
    session = SimpleNamespace(run=lambda what, feed_dict: value)
    more = {"session": session, "accuracy": None, "test": {}, "batch_losses": []}
    found = run_cells("01", "look-1000", **names | more)
    assert names["kept"].compared == [letter] and found["test_accuracy"] == value


@about("01", "loss-curve", "the curve is not the mean of 20 batches at its last step")
def test_loss_curve_is_the_mean_of_twenty_batches(names):
    losses = list(np.random.default_rng(0).random(50))
    run_cells("01", "loss-curve", **names | {"batch_losses": losses})
    (_, (curves,), how) = names["kept"].drawn[0]
    wanted = [np.mean(losses[i - 20 : i]) for i in range(20, 51)]
    np.testing.assert_allclose([*curves.values()][0], wanted)
    assert how["x"].tolist() == [*range(20, 51)]


@about("01", "weights-as-images, one-prediction, ruler", "another weight, image, label or form")
def test_weights_one_prediction_and_the_ruler_are_those_of_the_network(built, weights):
    ids = ("weights-after-one-step", "weights-as-images", "one-prediction", "ruler")
    found = run(built, *ids, "ruler-figure")
    first, (_, columns, how), (_, (answer,), image), (_, (ruler,), _) = built["kept"].drawn
    np.testing.assert_allclose(columns[0], weights[0], atol=1e-6)
    assert [*how["labels"]] == [*range(10)] == [*first[2]["labels"]]
    np.testing.assert_array_equal(first[1][0], columns[0], err_msg="weights-after-one-step")
    sixth = probabilities(built["mnist"].test.images[5:6], *weights)[0]
    np.testing.assert_allclose(answer, sixth, atol=1e-6, err_msg="one-prediction: not image 5")
    assert image["label"] == DIGITS.test.labels[5]
    np.testing.assert_array_equal(image["image"], DIGITS.test.images[5])
    wanted = probabilities(built["mnist"].test.images, *weights).argmax(1)
    np.testing.assert_array_equal(found["predict"](DIGITS.test.images), wanted)
    row = lesson.shift_accuracies(found["predict"], DIGITS.test.images, DIGITS.test.labels)
    assert found["row"] == ruler["softmax"] == row
    assert built["kept"].compared == [row[2]], "ruler: not the accuracy at 2 pixels"


@about("01", "results", "a number is recorded under the name of another")
def test_numbers_are_recorded_under_their_names(names):
    run_cells("01", "results", **names, accuracy_100=0.1, test_accuracy=0.2, row=[1, 2, 3, 4, 5])
    numbers = {"test_accuracy_100": 0.1, "test_accuracy": 0.2}
    assert names["kept"].recorded == numbers | shifts([1, 2, 3, 4, 5])


@about("01", "graph", "a part of the picture is another part of the graph")
def test_picture_of_the_graph_names_its_parts_and_what_a_step_changes(built):
    given = {}
    nb01 = SimpleNamespace(graph_edges=lambda parts: given.update(parts) or [("x", "logits")])
    run(built, "graph", nb01=nb01)
    (_, (edges,), how) = built["kept"].drawn[0]
    for name, part in given.items():
        assert part is built[name], name
    assert len(given) == 8
    assert edges == [("x", "logits"), ("loss", "training step")]
    learned = [v.op.name for v in tf.trainable_variables()]
    assert how["changes"] == [("training step", name) for name in learned] != []


@about("01", "wrong-...", "another message than the one that old programs give")
def test_messages_of_old_programs_are_the_ones_described(built):
    said = run(built, "old-import", "shapes")["printed"].splitlines()
    assert said[0] == "No module named 'tensorflow.examples'"
    assert said[1:] == [f"({n}, 784) ({n}, 10) float32" for n in (400, 150, 200)]
    ids = ("show-error", "wrong-not-fed", "wrong-shape", "wrong-initial")
    said = run(built, *ids)["printed"].splitlines()
    assert len(said) == 3
    assert "InvalidArgumentError" in said[0] and "feed a value" in said[0]
    assert "ValueError" in said[1] and "(5, 28, 28)" in said[1] and "784)" in said[1]
    assert "FailedPreconditionError" in said[2] and "uninitialized" in said[2]
    loud = run(built, "show-error")["message"]
    loud(lambda: None, "nothing")  # what does not fail says nothing


@pytest.mark.parametrize(("name", "rate"), [("logits", 0.5), ("logits", 2), ("probabilities", 0.5)])
@about("01", "hundred-steps", "not 100 steps of the rate from zero, or not on these scores")
def test_every_network_takes_the_same_100_steps_from_zero(built, monkeypatch, name, rate):
    built = run(built, "look-untrained", "one-prediction")
    built["session"].run(built["W"].assign(np.ones((784, 10))))
    built = run(built, "hundred-steps")
    assert [len(images) for images, _ in built["batches"]] == [100] * 100
    assert (built["trained_weights"][0] == 1).all()
    losses = built["hundred_steps"](built[name], rate)
    W, b, wanted = np.zeros((784, 10)), np.zeros(10), []
    for images, labels in built["batches"]:
        p = probabilities(images, W, b)
        outer = p if name == "logits" else probabilities(p, np.eye(10), 0)
        wanted.append(-np.log(outer[labels > 0]).mean())
        difference = outer - labels
        if name != "logits":  # the chain rule through the second softmax
            difference = p * (difference - (p * difference).sum(1, keepdims=True))
        W, b = step(images, difference, W, b, rate)
    np.testing.assert_allclose(losses, wanted, rtol=1e-3)
    np.testing.assert_allclose(built["session"].run(built["W"]), W, atol=1e-3)


@about("01", "rates, look-rates", "another rate, or numbers of another rate")
def test_rates_are_told_apart_and_judged_on_validation_images(built, weights):
    asked = []

    def fake(scores, rate):
        assert scores is built["logits"]
        asked.append(rate)
        built["session"].run(built["b"].assign(np.eye(10)[len(asked)] * 100))
        return [rate]

    built = run(built, "look-untrained", hundred_steps=fake)
    built["kept"].compared.clear()
    run(built, "rates", "look-rates", "rates-figure")
    (rows,), labels = built["kept"].tables, DIGITS.validation.labels
    shares = [np.mean(labels == digit) for digit in (1, 2, 3)]  # the answer of each bias
    assert asked == [row["rate"] for row in rows] == [0.01, 0.5, 10]
    assert [row["accuracy"] for row in rows] == [f"{share:.3f}" for share in shares]
    assert float(rows[0]["loss"]) > 2.303
    assert built["kept"].compared == [float(f"{share:.3f}") for share in shares[::2]]
    (_, (curves,), how) = built["kept"].drawn[0]
    assert curves == {f"rate {rate}": [rate] for rate in asked} and list(how["x"])[::99] == [1, 100]


@about("01", "softmax-twice-table, weights-back", "the good weights are not put back")
def test_good_weights_are_kept_and_put_back(built, weights):
    given = []

    def fake(scores, rate):
        given.append((scores, rate))
        built["session"].run(tf.global_variables_initializer())
        return [9, 0.25 * len(given)]

    built = run(built, "one-prediction", "look-untrained", test=feed(built, built["mnist"].test))
    built = run(built, "hundred-steps")
    built = run(built, "softmax-twice-table", hundred_steps=fake)
    assert given == [(built["logits"], 0.5), (built["probabilities"], 0.5)]
    zeros = f"{np.mean(DIGITS.validation.labels == 0):.3f}"
    rows = [[*row.values()] for row in built["kept"].tables[0]]
    assert rows == [["logits", "0.25", zeros], ["probabilities", "0.50", zeros]]
    run(built, "weights-back")
    W, b = built["session"].run([built["W"], built["b"]])
    np.testing.assert_allclose(W, weights[0], atol=1e-6)
    np.testing.assert_allclose(b, weights[1], atol=1e-6)


# --- With a pencil, and in NumPy -----------------------------------------------------------------


@about("01", "pencil...", "other numbers than those of the text")
def test_small_network_has_the_numbers_of_the_text(names):
    found = run_cells("01", "pencil", "look-score", "pencil-softmax", **names, guess_score=...)
    image, W, b = found["x_small"], found["W_small"], found["b_small"]
    by_hand = [sum(image[i] * W[i, k] for i in range(3)) + b[k] for k in (0, 1)]
    assert by_hand == [2, -1.5]
    assert names["kept"].compared == [2.5] and found["printed"].endswith("[-3.   2.5]")
    np.testing.assert_allclose(found["p_small"], [0.9707, 0.0293], atol=1e-4)


@about("01", "first-image, ten-lines", "not the first training image, or not softmax and -ln p")
def test_ten_lines_are_a_network_for_one_image(names):
    found = run_cells("01", "first-image", "ten-lines", **names)
    np.testing.assert_array_equal(found["image"], DIGITS.train.images[0].ravel() / np.float32(255))
    np.testing.assert_array_equal(found["p"], [0.1] * 10)
    assert names["kept"].compared == [found["first_loss"]] == [pytest.approx(np.log(10))]
    chance = np.random.default_rng(2)
    W, b = chance.normal(0, 0.1, (784, 10)), chance.normal(size=10)
    found = run_cells("01", "first-image", **names) | {"weights": W, "biases": b}
    found = run_cells("01", "ten-lines", **found)
    wanted = probabilities(found["image"][np.newaxis], W, b)[0]
    np.testing.assert_allclose(found["p"], wanted)
    assert found["first_loss"] == pytest.approx(-np.log(wanted[DIGITS.train.labels[0]]))


@about("01", "walk, three-steps, look-left, descent", "not gradient descent on w squared")
def test_walk_goes_down_the_parabola_from_both_sides(names):
    more = {"drawings": drawings, "guess_slope": ..., "guess_left": ..., "guess_cost": ...}
    names["kept"].compared.clear()
    found = run_cells("01", "look-cost", "look-slope", "walk", **names, **more)
    walk = found["walk"]
    assert walk(3, 0.1, 3) == pytest.approx([3, 2.4, 1.92, 1.536])
    assert walk(-3, 0.5, 2) == [-3, 0, 0] and walk(1, 1, 3) == [1, -1, 1, -1]
    found = run_cells("01", "three-steps", "look-left", "descent", **found)
    assert names["kept"].compared == [pytest.approx(v) for v in (-np.log(0.01), 6, -2.4)]
    (rows,) = names["kept"].tables
    for row, after in zip(rows, rows[1:], strict=False):
        moved = float(row["weight"]) - float(row["rate x slope"])
        assert moved == pytest.approx(float(after["weight"]), abs=1e-3)
        assert float(row["loss"]) == pytest.approx(float(row["weight"]) ** 2, abs=0.005)
        assert float(row["slope"]) == pytest.approx(2 * float(row["weight"]), abs=0.005)


@about("01", "one-step-by-hand", "the pictures are not what the first step has written")
def test_first_step_is_each_digits_sum_minus_a_tenth_of_all(built):
    built = run(built, "look-untrained", "train", "look-one-step", "one-step-by-hand")
    assert built["printed"].endswith("agree: True")
    batch = built["mnist"].train.images[:100], built["mnist"].train.labels[:100]
    W, _ = step(batch[0], 0.1 - batch[1], np.zeros((784, 10)), np.zeros(10))
    np.testing.assert_allclose(built["by_hand"], W, atol=1e-6)
    later = run(built, "one-step-by-hand", session=SimpleNamespace(run=lambda _: W + 0.001))
    assert later["printed"] == "agree: False"


@about("01", "all-answers, look-hard, hard-prediction, sure-and-wrong", "not the first wrong one")
def test_hard_digit_is_the_first_that_is_read_wrong(built, weights):
    built = run(built, "one-prediction", "all-answers", "look-hard", "hard-prediction")
    p, labels = probabilities(built["mnist"].test.images, *weights), DIGITS.test.labels
    wrong = [i for i in range(len(p)) if p[i].argmax() != labels[i]]
    (_, (answer,), how) = built["kept"].drawn[-1]
    np.testing.assert_allclose(answer, p[wrong[0]], atol=1e-5)
    assert how["label"] == labels[wrong[0]]
    np.testing.assert_array_equal(how["image"], DIGITS.test.images[wrong[0]])
    assert built["kept"].compared == [pytest.approx(p[wrong[0]].max(), abs=1e-5)]
    said = run(built, "sure-and-wrong")["printed"].splitlines()
    for line, level in zip(said, (0.9, 0.5), strict=True):
        share = np.mean([p[i].max() > level for i in wrong])
        assert line == f"{share:.0%} of the wrong answers are above {level}"


@about("01", "ex-...-solution", "the solution is wrong")
def test_solutions_agree_with_another_way():
    checkers = (
        "descend",
        "steps_per_epoch",
        "softmax",
        "cross_entropy",
        "best_rate",
        "own_network",
    )
    nothing = SimpleNamespace(**dict.fromkeys(checkers, id))
    ids = [f"ex-{number}-solution" for number in (1, 2, 3, 4, 5, 6)]
    found = run_cells("01", *ids, np=np, nb01=nothing)
    assert found["descend"](lambda w: 2 * w, 3, 0.5, 1) == [3, 0]
    assert found["descend"](lambda w: 2 * w, 3, 1, 2) == [3, -3, 3]
    assert [found["steps_per_epoch"](n, 100) for n in (55_000, 1_050)] == [550, 10]
    assert found["best_rate"]({5: np.nan, 2: 0.3, 1: 0.4}.get, [5, 2, 1]) == 2
    W, b = found["my_network"](DIGITS.train.images.reshape(-1, 784) / 255, DIGITS.train.labels)
    means = [DIGITS.train.images[DIGITS.train.labels == k].mean(axis=0) / 255 for k in range(10)]
    x = DIGITS.test.images / 255
    away = ((x[:, np.newaxis] - np.array(means)) ** 2).sum(axis=(2, 3))
    scores = (x**2).sum(axis=(1, 2))[:, np.newaxis] - 2 * (x.reshape(-1, 784) @ W + b)
    np.testing.assert_allclose(scores, away, rtol=1e-6)
    scores = np.random.default_rng(0).normal(size=(6, 10))
    p = found["softmax"](scores)
    np.testing.assert_allclose(p, probabilities(scores, np.eye(10), np.zeros(10)))
    np.testing.assert_allclose(found["softmax"](scores + 1000), p)
    labels = np.array([3, 0, 9, 1, 1, 7])
    wanted = -np.mean([np.log(p[i, label]) for i, label in enumerate(labels)])
    assert found["cross_entropy"](p, np.eye(10)[labels]) == pytest.approx(wanted)
