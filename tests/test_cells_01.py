"""Notebook 01: its cells run alone, in a graph of their own, beside the same network in NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from stand_ins import about, digits, listen, shifts

tf = pytest.importorskip("tensorflow.compat.v1", reason="TensorFlow is missing")

from mnist_edu import data, input_data, lesson, plots  # noqa: E402

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
    guesses = ("loss", "accuracy", "one_step", "1000", "shift")
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


@about("01", "load", "the old reader is asked for other labels, another order or another source")
def test_the_reader_is_asked_for_one_hot_labels_in_the_order_of_the_seed(monkeypatch, names):
    asked = {}
    monkeypatch.setattr(lesson, "set_seed", lambda seed: asked.update(set=seed))
    monkeypatch.setattr(data, "load", lambda source: source)
    monkeypatch.setattr(input_data, "read_data_sets", lambda _, **how: asked.update(how))
    found = run_cells("01", "load", **names | {"input_data": input_data, "seed": 7, "source": "x"})
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
    assert built["kept"].compared == [found["first_loss"], found["first_accuracy"]]


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
def test_picture_of_the_graph_names_its_parts(built):
    nb01 = SimpleNamespace(graph_edges=lambda parts: parts)
    run(built, "graph", nb01=nb01)
    (_, (parts,), _) = built["kept"].drawn[0]
    names = {"training step": "train_step"}
    for name, part in parts.items():
        assert part is built[names.get(name, name)], name
    assert len(parts) == 9


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


@pytest.mark.parametrize("name", ["logits", "probabilities"])
@about("01", "wrong-softmax-twice", "not 100 steps of the rate from zero, or not on these scores")
def test_either_network_takes_100_steps_from_zero_on_what_it_was_given(built, monkeypatch, name):
    built = run(built, "look-untrained", "one-prediction", "wrong-softmax-twice")
    taken, serve = [], built["mnist"].train.next_batch
    monkeypatch.setattr(
        built["mnist"].train, "next_batch", lambda n: taken.append(serve(n)) or taken[-1]
    )
    built["session"].run(built["W"].assign(np.ones((784, 10))))
    right = built["accuracy_after_100_steps"](built[name])
    W, b = np.zeros((784, 10)), np.zeros(10)
    for images, labels in taken:
        p = probabilities(images, W, b)
        if name == "logits":
            difference = p - labels
        else:  # the chain rule through the second softmax
            outer = probabilities(p, np.eye(10), 0) - labels
            difference = p * (outer - (p * outer).sum(1, keepdims=True))
        W, b = step(images, difference, W, b)
    assert [len(images) for images, _ in taken] == [100] * 100
    np.testing.assert_allclose(built["session"].run(built["W"]), W, atol=1e-4)
    part = built["mnist"].validation
    answers = probabilities(part.images, W, b).argmax(1)
    assert right == pytest.approx(np.mean(answers == part.labels.argmax(1)), abs=0.02)


@about("01", "softmax-twice-table, weights-back", "the good weights are not put back")
def test_good_weights_are_kept_and_put_back(built, weights):
    given = []

    def fake(scores):
        given.append(scores)
        built["session"].run(tf.global_variables_initializer())
        return 0.25 * len(given)

    built = run(built, "one-prediction", test=feed(built, built["mnist"].test))
    built = run(built, "softmax-twice-table", accuracy_after_100_steps=fake)
    assert given == [built["logits"], built["probabilities"]]
    rows = built["kept"].tables[0]
    assert [[*row.values()] for row in rows] == [["logits", "0.250"], ["probabilities", "0.500"]]
    run(built, "weights-back")
    W, b = built["session"].run([built["W"], built["b"]])
    np.testing.assert_allclose(W, weights[0], atol=1e-6)
    np.testing.assert_allclose(b, weights[1], atol=1e-6)


@about("01", "ex-...-solution", "the solution is wrong")
def test_solutions_agree_with_another_way():
    nothing = SimpleNamespace(**{name: id for name in ("count_parameters", "steps_per_epoch")})
    nothing.softmax = nothing.cross_entropy = id
    ids = [f"ex-{number}-solution" for number in (1, 2, 3, 4)]
    found = run_cells("01", *ids, np=np, nb01=nothing)
    assert found["count"] == 7850
    assert [found["steps_per_epoch"](n, 100) for n in (55_000, 1_050)] == [550, 10]
    scores = np.random.default_rng(0).normal(size=(6, 10))
    p = found["softmax"](scores)
    np.testing.assert_allclose(p, probabilities(scores, np.eye(10), np.zeros(10)))
    np.testing.assert_allclose(found["softmax"](scores + 1000), p)
    labels = np.array([3, 0, 9, 1, 1, 7])
    wanted = -np.mean([np.log(p[i, label]) for i, label in enumerate(labels)])
    assert found["cross_entropy"](p, np.eye(10)[labels]) == pytest.approx(wanted)
