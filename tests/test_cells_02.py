"""Notebook 02: its cells run alone, beside gradients and steps worked out in NumPy."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from cells import cells_of, run_cells
from stand_ins import about, digits, listen, shifts

tf = pytest.importorskip("tensorflow", reason="TensorFlow is missing")

import keras  # noqa: E402

from mnist_edu import data, drawings, lesson, plots  # noqa: E402
from mnist_edu.exercises import nb02  # noqa: E402

pytestmark = pytest.mark.slow
DIGITS = digits()
SETTINGS = {"batch_size": 100, "learning_rate": 0.5, "test_steps": 5, "steps": 40, "rounds": 3}
GUESSES = ("difference", "fastest", "slowest", "long", "traces", "wrong_labels", "no_gradient")
GUESSES += ("tape", "logit", "fresh")


def begun(kept):
    return {
        **{"np": np, "tf": tf, "tf1": tf.compat.v1, "keras": keras, "time": time, "nb02": nb02},
        **{
            "data": data,
            "lesson": lesson,
            "plots": plots,
            "drawings": drawings,
            "digits": DIGITS,
            "kept": kept,
            "seed": 1,
        },
        **SETTINGS,
        **{f"guess_{name}": ... for name in GUESSES},
    }


@pytest.fixture
def names(monkeypatch):
    return begun(listen(monkeypatch))


def run(names, *ids, **more):
    return run_cells("02", *ids, **names | more)


@pytest.fixture
def built(names):
    """The network of the notebook with weights that are neither zero nor trained."""
    ids = ("prepare", "eager", "scores", "loss", "loss-tested", "step", "hand-gradient", "follow")
    found = run(names, *ids)
    chance = np.random.default_rng(5)
    found["W"].assign(chance.normal(0, 0.05, (784, 10)))
    found["b"].assign(chance.normal(0, 0.5, 10))
    return found


def probabilities(images, W, b):
    powers = np.exp(images @ np.asarray(W, float) + np.asarray(b, float))
    return powers / powers.sum(1, keepdims=True)


def cross_entropy(images, labels, W, b):
    return -np.mean(np.sum(labels * np.log(probabilities(images, W, b)), axis=1))


def gradients(images, labels, W, b):
    """The definition: try each way a little to both sides, in 20 directions taken at random."""
    chance, found = np.random.default_rng(6), []
    for _ in range(20):
        way, away = chance.normal(size=(784, 10)), chance.normal(size=10)
        up, down = (cross_entropy(images, labels, W + h * way, b + h * away) for h in (1e-5, -1e-5))
        found.append((way, away, (up - down) / 2e-5))
    return found


def steps_by_hand(batches, rate, W=0.0, b=0.0):
    W, b, path = np.zeros((784, 10)) + W, np.zeros(10) + b, []
    for images, labels in batches:
        difference = (probabilities(images, W, b) - labels) / len(images)
        W, b = W - rate * images.T @ difference, b - rate * difference.sum(0)
        path.append(np.append(W, b))
    return np.array(path)


@about("02", "parameters", "other settings than those of the program of 2016")
def test_settings_are_those_of_notebook_01():
    found = run_cells("02", "parameters")
    wanted = dict(batch_size=100, learning_rate=0.5, test_steps=100, steps=1000, rounds=10)
    assert {name: found[name] for name in wanted} == wanted


@about("02", "prepare, scores, loss", "another form of the images, other scores, another loss")
def test_scores_and_loss_are_those_worked_out_in_numpy(built):
    images, labels = built["images"], built["labels"]
    flat = DIGITS.train.images.reshape(-1, 784) / 255
    np.testing.assert_allclose(built["train_images"], flat, rtol=1e-6)
    np.testing.assert_array_equal(built["train_labels"], np.eye(10)[DIGITS.train.labels])
    np.testing.assert_allclose(
        built["test_images"], DIGITS.test.images.reshape(-1, 784) / 255, rtol=1e-6
    )
    np.testing.assert_array_equal(images, built["train_images"][:100])
    np.testing.assert_array_equal(labels, built["train_labels"][:100])
    W, b = built["W"].numpy(), built["b"].numpy()
    np.testing.assert_allclose(built["scores"](images), images @ W + b, atol=1e-5)
    assert float(built["loss"](images, labels)) == pytest.approx(
        cross_entropy(images, labels, W, b), rel=1e-5
    )


@about("02", "load", "the reader's source or seed is not used")
def test_digits_are_loaded_from_the_source_with_the_seed(names, monkeypatch):
    asked = []
    monkeypatch.setattr(lesson, "versions", lambda: None)
    monkeypatch.setattr(lesson, "set_seed", asked.append)
    monkeypatch.setattr(data, "load", lambda source: asked.append(source) or "digits")
    assert run(names, "load", source="mnist", seed=7)["digits"] == "digits"
    assert asked == [7, "mnist"]


@about("02", "loss-tested", "the loss does not see the labels, or the biases are not put back")
def test_loss_is_tested_on_labels_that_fit_and_that_do_not(names):
    found = run(names, "prepare", "eager", "scores", "loss", "loss-tested")
    assert found["printed"].splitlines()[0] == "untrained: 2.303"
    assert float(found["all_7"]) == pytest.approx(5 + float(found["all_0"]), rel=1e-5)
    assert not found["b"].numpy().any() and not found["W"].numpy().any()


@about("02", "hand-gradient", "the formula is not the gradient of the loss")
def test_gradient_by_hand_is_the_slope_in_every_direction(built):
    images, labels = built["images"][:30].astype(float), built["labels"][:30]
    W, b = built["W"].numpy().astype(float), built["b"].numpy().astype(float)
    by_hand = built["hand_gradients"](images, labels, W, b)
    assert by_hand[0].shape == (784, 10) and by_hand[1].shape == (10,)
    for way, away, slope in gradients(images, labels, W, b):
        assert np.sum(by_hand[0] * way) + by_hand[1] @ away == pytest.approx(slope, abs=1e-5)


@about("02", "step", "not one step of plain gradient descent by the tape's gradient")
def test_a_step_of_the_tape_is_the_step_by_hand(built):
    W, b = built["W"].numpy(), built["b"].numpy()
    before = float(built["loss"](built["images"], built["labels"]))
    batch = built["images"], built["labels"]
    (by_hand,) = steps_by_hand([batch], 0.5, W, b)
    assert float(built["step"](*batch)) == pytest.approx(before, rel=1e-5)
    np.testing.assert_allclose(np.append(built["W"], built["b"]), by_hand, atol=1e-5)
    again = steps_by_hand([batch, batch], 0.5, W, b)[-1]
    built["step"](*batch)
    np.testing.assert_allclose(np.append(built["W"], built["b"]), again, atol=1e-5)
    assert int(built["optimizer"].iterations) == 2, "the optimizer is made anew in each step"


@about("02", "hand-check", "tape and formula are not compared at the trained weights")
def test_hand_check_compares_tape_and_formula(built):
    found = run(built, "hand-check")
    wanted = built["hand_gradients"](
        built["images"], built["labels"], built["W"].numpy(), built["b"].numpy()
    )
    for first, second, third in zip(found["by_tape"], found["by_hand"], wanted, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)
        np.testing.assert_allclose(second, third, atol=1e-6)
        assert np.abs(second).max() > 1e-3


@about(
    "02", "data, batches", "images get other labels, or are not drawn once an epoch in a new order"
)
def test_batches_hold_each_image_once_an_epoch_with_its_label(names):
    found = run(names, "prepare", "data", "batches", test_steps=9)
    batches = found["batches"]
    assert len(batches) == 9 and {len(images) for images, _ in batches} == {100}
    images = np.concatenate([part for part, _ in batches])
    labels = np.concatenate([part for _, part in batches])
    place = {image.tobytes(): i for i, image in enumerate(found["train_images"])}
    order = np.array([place[image.tobytes()] for image in images])
    np.testing.assert_array_equal(labels, found["train_labels"][order], err_msg="labels")
    first, second = order[:400], order[400:800]
    assert sorted(first) == sorted(second) == list(range(400)), "an epoch is not all images once"
    assert (first != second).any(), "each epoch has the same order"
    distance = np.abs(first - np.arange(400)).mean()
    assert distance > 100, "neighbours alone are mixed: the hat of shuffle is too small"
    again = run(names, "prepare", "data", "batches", test_steps=9)["batches"]
    np.testing.assert_array_equal(again[8][0], batches[8][0], err_msg="the seed repeats nothing")


@pytest.fixture(scope="module")
def programs():
    """All programs that are compared, after five steps with the same batches."""
    ids = ("prepare", "eager", "scores", "loss", "loss-tested", "step", "data", "batches", "follow")
    ids += ("train-tape", "hand-gradient", "session", "session-step", "numpy-step", "control")
    return run(begun(None), *ids, "fresh-step")


@pytest.fixture
def compared(programs, names):
    return programs | {"kept": names["kept"]}


@about(
    "02",
    "follow, train-tape, session, numpy-step",
    "a program of the comparison is another program",
)
def test_three_programs_walk_the_path_worked_out_by_hand(compared):
    by_hand = steps_by_hand(compared["batches"], 0.5)
    for name in ("tape", "session", "NumPy"):
        path = compared["paths"][name]
        assert path.shape == (5, 7850), f"{name}: not a row for each step, biases last"
        np.testing.assert_allclose(path, by_hand, atol=2e-6, err_msg=name)


@about("02", "control", "the wrong program is not 1 % off in its rate, or differs in more")
def test_the_control_has_a_rate_that_is_one_per_cent_higher(compared):
    by_hand = steps_by_hand(compared["batches"], 1.01 * 0.5)
    np.testing.assert_allclose(compared["paths"]["1 % off"], by_hand, atol=2e-6)
    first = compared["paths"]["1 % off"][0] / compared["paths"]["NumPy"][0]
    assert np.nanmedian(first) == pytest.approx(1.01, abs=1e-4)


@about("02", "look-difference, same-table, same-check", "other programs or steps are compared")
def test_differences_are_the_largest_of_all_weights_at_the_end(names):
    paths = {name: np.zeros((3, 7850)) for name in ("session", "tape", "NumPy")}
    paths["tape"][-1, 7843] = -2e-6  # a bias, at the end
    paths["NumPy"][-1, 55] = 4e-5
    paths["NumPy"][0, 0] = 1.0  # not at the end
    found = run(names, "look-difference", "same-table", "same-check", paths=paths)
    wanted = {"session and tape": 2e-6, "session and NumPy": 4e-5, "tape and NumPy": 4e-5}
    assert found["differences"] == pytest.approx(wanted), "not the largest at the last step"
    assert names["kept"].compared == ["c"] and found["agree"] == 1
    assert found["printed"].endswith("agree to 0.00001: 1 of 3")
    paths["NumPy"][:] = 0
    run(names, "look-difference", paths=paths)
    paths["NumPy"][-1, 0] = -9e-6
    run(names, "look-difference", paths=paths)
    assert names["kept"].compared == ["c", "a", "b"]


def walks(steps=5):
    """Four paths that differ: each a little more from the session than the one before."""
    chance = np.random.default_rng(8)
    session = chance.normal(size=(steps, 7850)).astype(np.float32)
    sizes = {"session": 0, "tape": 1e-7, "NumPy": 1e-6, "1 % off": 1e-2}
    return {
        name: session + size * chance.normal(size=session.shape) for name, size in sizes.items()
    }


@about("02", "differences-figure, three-weights", "another program, step or tolerance is drawn")
def test_curves_and_pictures_show_how_far_each_program_is_from_the_session(names):
    paths, batches = walks(), [None] * 5
    run(names, "differences-figure", "three-weights", paths=paths, batches=batches)
    (_, (curves,), how), (_, (rows,), _) = names["kept"].drawn
    assert how["log_y"]
    for name in ("1 % off", "NumPy", "tape"):
        largest = [np.abs(a - b).max() for a, b in zip(paths[name], paths["session"], strict=True)]
        np.testing.assert_allclose(curves[name], np.maximum(largest, 1e-9))
    np.testing.assert_allclose(curves["tolerance"], 1e-5)
    last = {name: path[-1][:7840].reshape(784, 10) for name, path in paths.items()}
    for name in ("session", "tape", "NumPy"):
        np.testing.assert_array_equal(rows[name], last[name])
    for name in ("tape", "NumPy"):
        np.testing.assert_array_equal(rows[f"{name} − session"], last[name] - last["session"])


@about(
    "02", "differences-figure", "the tolerance does not part the right programs from the wrong one"
)
def test_the_tolerance_lies_between_the_right_programs_and_the_wrong_one(compared):
    run(compared, "differences-figure")
    _, (curves,), _ = compared["kept"].drawn[-1]
    assert curves["1 % off"][0] > 1e-5 > max(curves["NumPy"].max(), curves["tape"].max())


@about("02", "control-accuracy", "other images, weights or labels")
def test_accuracy_of_the_control_is_that_of_its_last_weights(names):
    paths = walks()
    paths["1 % off"] = -paths["1 % off"]
    test_images = DIGITS.test.images.reshape(-1, 784) / 255
    found = run(names, "control-accuracy", paths=paths, test_images=test_images)
    for line, name in zip(found["printed"].splitlines(), ("session", "1 % off"), strict=True):
        end = paths[name][-1]
        scores = test_images @ end[:7840].reshape(784, 10) + end[7840:]
        right = np.argmax(scores, 1) == DIGITS.test.labels
        assert line == f"{name}: test accuracy {right.mean():.3f}"


@about("02", "fresh-step, look-fresh", "the program with the sleeping fault is another program")
def test_a_fresh_optimizer_in_each_step_passes_the_comparison(compared):
    compared["W"].assign_add(np.ones((784, 10)))
    found = run(compared, "look-difference", "look-fresh")
    by_hand = steps_by_hand(compared["batches"], 0.5)
    np.testing.assert_allclose(found["paths"]["fresh"], by_hand, atol=2e-6)
    assert compared["kept"].compared[-1] == "agrees"
    assert int(found["optimizer"].iterations) == 5, "the optimizer of the lesson was used"
    found["paths"]["session"] = found["paths"]["session"] + 2e-5
    run(found, "look-fresh")
    assert compared["kept"].compared[-1] == "differs"


@about("02", "old-program, fault-...", "a fault does not behave as the lesson says")
def test_faults_behave_as_claimed(names):
    said = run(names, "old-program")["printed"]
    assert said == "AttributeError: module 'tensorflow' has no attribute 'placeholder'"
    built = run(names, "prepare", "eager", "scores", "loss")
    lines = run(built, "fault-batch")["printed"].splitlines()
    assert lines == ["line 5:   (None, None, 784)", "repaired: (None, 784)"]
    found = run(built, "fault-loss")
    assert built["kept"].compared == ["stays"] and "inf" in found["printed"]
    with tf.GradientTape() as tape:
        error = found["pixel_loss"](built["images"] + 0.001, built["labels"])
    assert tape.gradient(error, [built["W"], built["b"]]) == [None, None]
    assert run(built, "tape-loss")["printed"].count("TensorShape") == 2


@about("02", "ex-4", "a symptom of the program is not the one that its line gives")
def test_symptoms_are_those_of_the_lines(names, capsys):
    built = run(names, "prepare", "eager", "scores", "loss")
    with pytest.raises(ModuleNotFoundError):
        exec("from keras.utils.np_utils import to_categorical")
    x = keras.Input(shape=(None, 784))
    with pytest.raises(ValueError, match="expected .*ndim=3|Expected shape"):
        keras.Sequential([x, keras.layers.Dense(10)])(built["images"])
    symptoms = "".join(cells_of("02")["ex-4"]["source"])
    nb02.message(lambda: tf.matmul(x, built["W"]), "KerasTensor")
    assert capsys.readouterr().out.strip() in symptoms
    space = {"loss": built["loss"], "batches": []}
    program = symptoms.split("def train")[1].split("```")[0]
    lines = [line[4:] for line in ("13  def train" + program).splitlines()]
    exec("\n".join(line for line in lines if "to_categorical" not in line), space)
    with pytest.raises(UnboundLocalError):
        space["train"]([(built["images"], built["labels"])])


@about("02", "fault-no-gradient", "the faulty program learns something after all")
def test_program_without_a_gradient_stays_where_it_was(built):
    found = run(built, "fault-no-gradient")
    assert built["kept"].compared == [np.mean(DIGITS.test.labels == 0)]
    assert not found["W"].numpy().any() and int(found["optimizer"].iterations) == 0
    assert "loss 2.303, largest weight 0.0" in found["printed"]
    found["W"].assign(np.random.default_rng(0).normal(size=(784, 10)))
    answers = (found["test_images"] @ found["W"].numpy()).argmax(1)
    assert found["accuracy"]() == np.mean(answers == DIGITS.test.labels), "accuracy()"


@about("02", "look-tape, tape-figure, look-logit", "the tape is asked for something else")
def test_slopes_that_are_guessed_are_right(names):
    found = run(names, "look-tape", "tape-figure", "look-logit")
    slope, logit = names["kept"].compared
    assert slope == 18 and logit == pytest.approx(-0.9)
    assert float(found["slope_u"]) == 6 and float(found["f"]) == 9


@about("02", "look-traces, retracing", "functions are traced otherwise")
def test_functions_are_traced_as_often_as_the_lesson_says(built):
    found = run(built, "look-traces", "retracing")
    assert built["kept"].compared == [1]
    said = "Python runs this line 2.0 4.0 6.0 graphs for Python numbers: 20 graphs for tensors: 1"
    assert found["printed"].split() == said.split()


@about("02", "speed, speed-look, speed-figure", "programs are mixed up, or not timed alike in turn")
def test_four_programs_take_turns_with_the_same_batches(names):
    calls, clock = [], iter(range(10_000))
    programs = {name: object() for name in ("session_step", "numpy_step", "step", "fast")}

    def seconds_for(run, batches):
        calls.append((run, len(batches)))
        return next(clock) + {"fast": 100, "step": 1000}.get(by[run], 10)

    by = {run: name for name, run in programs.items()}
    more = {"seconds_for": seconds_for, "batches": list(range(50)), "rounds": 3}
    found = run(names, "speed", "speed-look", "speed-figure", **programs, **more)
    order = [programs[name] for name in ("session_step", "numpy_step", "step", "fast")]
    assert calls == [(program, 30) for _ in range(3) for program in order]
    keys = ("session", "NumPy", "eager", "tf.function")
    assert [found["programs"][key] for key in keys] == order
    assert names["kept"].compared == ["session", "eager"]
    wanted = {"session": 1, "NumPy": 11 / 10, "eager": 1002 / 10, "tf.function": 103 / 10}
    fastest = {name: times.min() for name, times in found["relative"].items()}
    assert fastest == pytest.approx(wanted)
    (_, (drawn,), how) = names["kept"].drawn[-1]
    assert (
        drawn is found["relative"] and how["log"] and how["mark"] is np.min and "source" not in how
    )
    assert all(len(times) == 3 for times in drawn.values())


@about("02", "first-call, ex-1-look", "the fast step is not the step, or three slopes differ")
def test_fast_step_is_the_step_in_a_graph_and_three_ways_to_a_slope_agree(built):
    built = run(built, "data", "batches", test_steps=2)
    found = run(built, "seconds-for", "first-call")
    batch = built["batches"][0]
    (wanted,) = steps_by_hand([batch], 0.5, built["W"].numpy(), built["b"].numpy())
    found["fast"](*batch)
    np.testing.assert_allclose(np.append(built["W"], built["b"]), wanted, atol=1e-5)
    assert found["fast"].experimental_get_tracing_count() == 1
    said = run(built, "ex-1-solution", "ex-1-look", nb02=SimpleNamespace(slope=id))["printed"]
    tried, tape, by_hand = (float(word) for word in said.split() if word[-1].isdigit())
    assert tried == pytest.approx(tape, abs=2e-4) and tape == pytest.approx(by_hand, abs=2e-5)
    wanted = built["hand_gradients"](
        built["images"], built["labels"], built["W"].numpy(), built["b"].numpy()
    )[1][3]
    assert by_hand == pytest.approx(wanted, abs=2e-5), "ex-1-look: not bias 3"


@about("02", "train-long, look-long", "not all steps from zero with fresh batches")
def test_long_training_starts_at_zero_and_takes_all_steps(built, monkeypatch):
    taken = []
    dataset = ((number, -number) for number in range(1000))

    def step(images, labels):
        assert not built["W"].numpy().any() and not built["b"].numpy().any(), "not from zero"
        taken.append((images, labels))

    monkeypatch.setattr(tf, "function", lambda function: function)
    built = run(built, "train-long", step=step, dataset=dataset, steps=40)
    assert taken == [(number, -number) for number in range(40)]
    found = run(built, "look-long", accuracy=lambda: 0.75)
    assert found["test_accuracy"] == 0.75 == built["kept"].compared[-1]


@about("02", "ruler, results", "another form of the images, or a number under another name")
def test_ruler_and_results_are_of_the_trained_network(built):
    found = run(built, "ruler", "ruler-figure")
    flat = DIGITS.test.images.reshape(-1, 784) / 255
    wanted = probabilities(flat, built["W"], built["b"]).argmax(1)
    np.testing.assert_array_equal(found["predict"](DIGITS.test.images), wanted)
    row = lesson.shift_accuracies(found["predict"], DIGITS.test.images, DIGITS.test.labels)
    assert found["row"] == row == built["kept"].drawn[-1][1][0]["softmax, 02"]
    run(built, "results", accuracy_100=0.1, test_accuracy=0.2, agree=3, row=[1, 2, 3, 4, 5])
    numbers = {"test_accuracy_100": 0.1, "test_accuracy": 0.2, "pairs_that_agree": 3}
    assert built["kept"].recorded == numbers | shifts([1, 2, 3, 4, 5])


@about("02", "wrong-...", "what should go wrong does not, or says something else")
def test_what_goes_wrong_is_shown(built):
    lines = run(built, "wrong-outside", "wrong-type", "wrong-repeat")["printed"].splitlines()
    assert lines[0] == "None" and "MatMul" in lines[1]
    assert lines[2:] == ["[0 1 2 3]", "[4 5 6 7]", "[8 9]"]
    kinds = run(built, "graph-operations")["printed"].split()
    assert "Placeholder" in kinds and "MatMul" in kinds
    forwards, backwards = run(built, "order-of-sums")["printed"].replace(",", "").split()[1::2]
    exact = sum(1 / k for k in range(1, 1001))
    assert forwards != backwards
    assert float(forwards) == pytest.approx(exact, abs=1e-5) == float(backwards)


@about("02", "ex-...-solution", "the solution is wrong")
def test_solutions_agree_with_another_way():
    nothing = SimpleNamespace(faulty_lines=id, decay_step=id, slope=id, momentum_step=id)
    found = run_cells("02", *(f"ex-{n}-solution" for n in (1, 2, 3, 4)), nb02=nothing, tf=tf)
    assert found["lines"] == {letter: line for letter, (line, _) in nb02.FAULTS.items()}
    assert found["slope"](np.sin, 0.3, 1e-4) == pytest.approx(np.cos(0.3), abs=1e-6)
    weight, velocity = 1.0, 0.0
    keras_weight, optimizer = tf.Variable(1.0), keras.optimizers.SGD(0.1, momentum=0.9)
    for gradient in (1.0, -0.5, 2.0):
        weight, velocity = found["momentum_step"](weight, velocity, gradient, 0.1, 0.9)
        optimizer.apply_gradients([(tf.constant(gradient), keras_weight)])
    assert weight == pytest.approx(float(keras_weight.numpy()), abs=1e-6)


@about("02", "ex-2-look, ex-3-look", "an optimizer or a step of one's own is not the real one")
def test_own_optimizer_and_own_step_do_what_the_real_ones_do(built):
    nothing = SimpleNamespace(decay_step=id, momentum_step=id)
    said = run(built, "ex-2-solution", "ex-2-look", nb02=nothing)["printed"]
    assert said == "ours -0.561, Keras -0.561, made again -0.300"
    paths, batch = {"session": np.full((1, 7850), 0.75)}, (built["images"], built["labels"])
    more = {"batches": [batch, batch], "paths": paths, "accuracy_100": 0.5, "nb02": nothing}
    found = run(built, "ex-3-solution", "ex-3-look", **more)
    W, b = np.zeros((784, 10)), np.zeros(10)
    for _ in range(2):
        difference = (probabilities(batch[0], W, b) - batch[1]) / 100
        W = W - 0.5 * (batch[0].T @ difference + 0.01 * W)
        b = b - 0.5 * difference.sum(0)
    np.testing.assert_allclose(np.append(found["W"], found["b"]), np.append(W, b), atol=1e-5)
    assert f"largest weight: {np.abs(W).max():.2f}, without decay 0.75" in found["printed"]
