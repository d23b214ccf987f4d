"""Notebook 02: its cells run alone, beside gradients and steps worked out in NumPy."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from stand_ins import about, digits, listen, shifts

tf = pytest.importorskip("tensorflow", reason="TensorFlow is missing")

import keras  # noqa: E402

from mnist_edu import data, lesson, plots  # noqa: E402
from mnist_edu.exercises import nb02  # noqa: E402

pytestmark = pytest.mark.slow
DIGITS = digits()
SETTINGS = {"batch_size": 100, "learning_rate": 0.5, "proof_steps": 5, "steps": 40, "rounds": 3}
GUESSES = ("difference", "fastest", "slowest", "long", "traces", "wrong_labels", "no_gradient")


def begun(kept):
    return {
        **{"np": np, "tf": tf, "tf1": tf.compat.v1, "keras": keras, "time": time, "nb02": nb02},
        **{
            "data": data,
            "lesson": lesson,
            "plots": plots,
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
    found = run(names, "prepare", "eager", "scores", "loss", "step", "hand-gradient", "follow")
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
        path.append(np.vstack([W, b]))
    return np.array(path)


@about("02", "parameters", "other settings than those of the program of 2016")
def test_settings_are_those_of_notebook_01():
    found = run_cells("02", "parameters")
    wanted = dict(batch_size=100, learning_rate=0.5, proof_steps=100, steps=1000, rounds=10)
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
    monkeypatch.setattr(lesson, "set_seed", asked.append)
    monkeypatch.setattr(data, "load", lambda source: asked.append(source) or "digits")
    assert run(names, "load", source="mnist", seed=7)["digits"] == "digits"
    assert asked == [7, "mnist"]


@about("02", "loss-tested", "the loss does not see the labels, or the biases are not put back")
def test_loss_is_tested_on_labels_that_fit_and_that_do_not(names):
    found = run(names, "prepare", "eager", "scores", "loss", "loss-tested")
    assert found["printed"].splitlines()[-2] == "untrained: 2.303"
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
    np.testing.assert_allclose(np.vstack([built["W"], built["b"].numpy()]), by_hand, atol=1e-5)
    again = steps_by_hand([batch, batch], 0.5, W, b)[-1]
    built["step"](*batch)
    np.testing.assert_allclose(np.vstack([built["W"], built["b"].numpy()]), again, atol=1e-5)
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
    found = run(names, "prepare", "data", "batches", proof_steps=9)
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
    again = run(names, "prepare", "data", "batches", proof_steps=9)["batches"]
    np.testing.assert_array_equal(again[8][0], batches[8][0], err_msg="the seed repeats nothing")


@pytest.fixture(scope="module")
def programs():
    """All programs of the proof, after five steps with the same batches."""
    ids = ("prepare", "eager", "scores", "loss", "step", "data", "batches", "follow", "train-tape")
    ids += ("hand-gradient", "session", "session-step", "numpy-step", "control")
    return run(begun(None), *ids, accuracy=lambda: 0.5)


@pytest.fixture
def proved(programs, names):
    return programs | {"kept": names["kept"]}


@about("02", "follow, train-tape, session, numpy-step", "a program of the proof is another program")
def test_three_programs_walk_the_path_worked_out_by_hand(proved):
    by_hand = steps_by_hand(proved["batches"], 0.5)
    for name in ("tape", "session", "NumPy"):
        path = proved["paths"][name]
        assert path.shape == (5, 785, 10), f"{name}: not a row for each step, biases last"
        np.testing.assert_allclose(path, by_hand, atol=2e-6, err_msg=name)


@about("02", "control", "the wrong program is not 1 % off in its rate, or differs in more")
def test_the_control_has_a_rate_that_is_one_per_cent_higher(proved):
    by_hand = steps_by_hand(proved["batches"], 1.01 * 0.5)
    np.testing.assert_allclose(proved["paths"]["1 % off"], by_hand, atol=2e-6)
    first = proved["paths"]["1 % off"][0] / proved["paths"]["NumPy"][0]
    assert np.nanmedian(first) == pytest.approx(1.01, abs=1e-4)


@about("02", "look-difference, proof-table, proof-check", "other programs or steps are compared")
def test_differences_are_the_largest_of_all_weights_at_the_end(names):
    paths = {"session": np.zeros((3, 785, 10)), "tape": np.zeros((3, 785, 10))}
    paths |= {"NumPy": np.zeros((3, 785, 10))}
    paths["tape"][-1, 784, 3] = -2e-6  # a bias, at the end
    paths["NumPy"][-1, 5, 5] = 4e-5
    paths["NumPy"][0, 0, 0] = 1.0  # not at the end
    found = run(names, "look-difference", "proof-table", "proof-check", paths=paths)
    wanted = {"session and tape": 2e-6, "session and NumPy": 4e-5, "tape and NumPy": 4e-5}
    assert found["differences"] == pytest.approx(wanted), "not the largest at the last step"
    assert names["kept"].compared == ["c"] and found["agree"] == 1
    assert found["printed"].endswith("agree to 0.00001: 1 of 3")
    paths["NumPy"][:] = 0
    run(names, "look-difference", paths=paths)
    paths["NumPy"][-1, 0, 0] = -9e-6
    run(names, "look-difference", paths=paths)
    assert names["kept"].compared == ["c", "a", "b"]


def walks(steps=5):
    """Four paths that differ: each a little more from the session than the one before."""
    chance = np.random.default_rng(8)
    session = chance.normal(size=(steps, 785, 10)).astype(np.float32)
    sizes = {"session": 0, "tape": 1e-7, "NumPy": 1e-6, "1 % off": 1e-2}
    return {
        name: session + size * chance.normal(size=session.shape) for name, size in sizes.items()
    }


@about("02", "differences-figure, three-weights", "another program, step or tolerance is drawn")
def test_curves_and_pictures_show_how_far_each_program_is_from_the_session(names):
    paths, batches = walks(), [None] * 5
    run(names, "differences-figure", "three-weights", paths=paths, batches=batches)
    (_, (curves,), _), (_, (rows,), _) = names["kept"].drawn
    for name in ("1 % off", "NumPy", "tape"):
        largest = [np.abs(a - b).max() for a, b in zip(paths[name], paths["session"], strict=True)]
        np.testing.assert_allclose(curves[name], np.log10(np.maximum(largest, 1e-9)))
    np.testing.assert_allclose(curves["tolerance"], -5)
    last = {name: path[-1][:784] for name, path in paths.items()}
    for name in ("session", "tape", "NumPy"):
        np.testing.assert_array_equal(rows[name], last[name])
    for name in ("tape", "NumPy"):
        np.testing.assert_array_equal(rows[f"{name} − session"], last[name] - last["session"])


@about(
    "02", "differences-figure", "the tolerance does not part the right programs from the wrong one"
)
def test_the_tolerance_lies_between_the_right_programs_and_the_wrong_one(proved):
    run(proved, "differences-figure")
    _, (curves,), _ = proved["kept"].drawn[-1]
    assert curves["1 % off"][0] > -5 > max(curves["NumPy"].max(), curves["tape"].max())


@about("02", "control-accuracy", "other images, weights or labels")
def test_accuracy_of_the_control_is_that_of_its_last_weights(names):
    paths = walks()
    paths["1 % off"] = -paths["1 % off"]
    test_images = DIGITS.test.images.reshape(-1, 784) / 255
    found = run(names, "control-accuracy", paths=paths, test_images=test_images)
    for line, name in zip(found["printed"].splitlines(), ("session", "1 % off"), strict=True):
        end = paths[name][-1]
        right = np.argmax(test_images @ end[:784] + end[784], 1) == DIGITS.test.labels
        assert line == f"{name}: test accuracy {right.mean():.3f}"


@about("02", "fault-...", "a fault does not behave as the lesson says")
def test_faults_behave_as_claimed(names):
    built = run(names, "prepare", "eager", "scores", "loss")
    run(built, "fault-import-mended", "scores-shape")
    found = run(built, "fault-import-shown", "fault-batch-shown", "fault-unassigned-shown")
    lines = found["printed"].splitlines()
    assert "ModuleNotFoundError" in lines[0] and "UnboundLocalError" in lines[3]
    assert lines[1:3] == ["line 5: (None, None, 784)", "mended: (None, 784)"]
    found = run(built, "fault-loss-shown", "fault-loss-first-aid", "tape-none")
    assert built["kept"].compared == ["stays"] and "inf" in found["printed"].splitlines()[0]
    one, other = found["printed"].splitlines()[1:3]
    assert one.split()[-1] == other.split()[-1], "the pixel loss sees labels"
    assert found["printed"].splitlines()[3] == "pixel_loss [None, None]"
    assert "[784, 10]" in found["printed"].splitlines()[4]
    ids = ("fault-batch-later", "fault-symbolic-shown", "fault-none-applied")
    lines = run(built, "fault-batch-shown", *ids)["printed"].splitlines()[2:]
    for line, word in zip(lines, ("Expected shape", "KerasTensor", "ValueError"), strict=True):
        assert word in line


@about("02", "fault-no-gradient-shown", "the faulty program learns something after all")
def test_program_without_a_gradient_stays_where_it_was(names):
    found = run(names, "prepare", "eager", "scores", "loss", "fault-no-gradient-shown")
    assert names["kept"].compared == [np.mean(DIGITS.test.labels == 0)]
    assert not found["W"].numpy().any() and int(found["optimizer"].iterations) == 0
    assert "loss 2.303, largest weight 0.0" in found["printed"]
    found["W"].assign(np.random.default_rng(0).normal(size=(784, 10)))
    answers = (found["test_images"] @ found["W"].numpy()).argmax(1)
    assert found["accuracy"]() == np.mean(answers == DIGITS.test.labels), "accuracy()"


@about("02", "fault-optimizer-shown", "the optimizers do not remember and forget as claimed")
def test_an_optimizer_made_anew_forgets_its_momentum(names):
    found = run(names, "fault-optimizer-shown")
    assert found["once"].numpy() == pytest.approx(-0.561, abs=1e-5)
    assert found["anew"].numpy() == pytest.approx(-0.3, abs=1e-5)


@about("02", "look-slope, look-logit", "the tape is asked for something else")
def test_slopes_that_are_guessed_are_right(names):
    run(names, "look-slope", "look-logit", guess_slope=..., guess_logit=...)
    slope, logit = names["kept"].compared
    assert slope == 6 and logit == pytest.approx(-0.9)


@about("02", "look-traces, retracing, wrong-count, ex-2-look", "functions are traced otherwise")
def test_functions_are_traced_as_often_as_the_lesson_says(built):
    built = run(built, "data", "batches", proof_steps=1)
    ids = ("look-traces", "retracing", "retracing-table", "retracing-check", "wrong-count")
    found = run(built, *ids, "ex-2-look", step_with_rate=lambda images, labels, rate: 2 * rate)
    assert built["kept"].compared == [1] and found["results"] == [2.0, 4.0, 6.0]
    assert found["traced"] == {"Python number": 20, "tensor": 1}
    assert found["rates"] == [0.5 / k for k in range(1, 21)]
    assert len(found["counted"]) == 1 and found["printed"].split()[-1] == "5"


@about("02", "retracing-step", "the step with a rate is another step")
def test_step_with_a_rate_goes_against_the_gradient_times_that_rate(built):
    found, batch = run(built, "retracing-step"), (built["images"], built["labels"])
    (wanted,) = steps_by_hand([batch], 0.07, built["W"].numpy(), built["b"].numpy())
    found["step_with_rate"](*batch, 0.07)
    np.testing.assert_allclose(np.vstack([built["W"], built["b"].numpy()]), wanted, atol=1e-5)


@about("02", "speed, speed-table, speed-look", "programs are mixed up, or not timed alike in turn")
def test_four_programs_take_turns_with_the_same_batches(names):
    calls, clock = [], iter(range(10_000))
    programs = {name: object() for name in ("session_step", "numpy_step", "step", "fast")}

    def seconds_for(run, batches):
        calls.append((run, len(batches)))
        return next(clock) + {"fast": 100, "step": 1000}.get(by[run], 10)

    by = {run: name for name, run in programs.items()}
    more = {"seconds_for": seconds_for, "batches": list(range(50)), "rounds": 3}
    found = run(names, "speed", "speed-table", "speed-look", "speed-figure", **programs, **more)
    order = [programs[name] for name in ("session_step", "numpy_step", "step", "fast")]
    assert calls == [(program, 30) for _ in range(3) for program in order]
    keys = ("session", "NumPy", "eager", "tf.function")
    assert [found["programs"][key] for key in keys] == order
    assert names["kept"].compared == ["session", "eager"]
    wanted = {"session": 1, "NumPy": 11 / 10, "eager": 1002 / 10, "tf.function": 103 / 10}
    assert found["fastest"] == pytest.approx(wanted)
    rows = names["kept"].tables[0]
    assert [rows[0][key] for key in ("program", "fastest", "slowest")] == ["session", "1.0", "1.8"]


@about("02", "first-call, ex-3-look", "the fast step is not the step, or three slopes differ")
def test_fast_step_is_the_step_in_a_graph_and_three_ways_to_a_slope_agree(built):
    built = run(built, "data", "batches", proof_steps=2)
    found = run(built, "first-call")
    batch = built["batches"][0]
    (wanted,) = steps_by_hand([batch], 0.5, built["W"].numpy(), built["b"].numpy())
    found["fast"](*batch)
    np.testing.assert_allclose(np.vstack([built["W"], built["b"].numpy()]), wanted, atol=1e-5)
    assert found["fast"].experimental_get_tracing_count() == 1
    said = run(built, "ex-3-solution", "ex-3-look", nb02=SimpleNamespace(slope=id))["printed"]
    tried, tape, by_hand = (float(word) for word in said.split() if word[-1].isdigit())
    assert tried == pytest.approx(tape, abs=2e-4) and tape == pytest.approx(by_hand, abs=2e-5)
    wanted = built["hand_gradients"](
        built["images"], built["labels"], built["W"].numpy(), built["b"].numpy()
    )[1][3]
    assert by_hand == pytest.approx(wanted, abs=2e-5), "ex-3-look: not bias 3"


@about("02", "train-long, look-long", "not all steps from zero with fresh batches")
def test_long_training_starts_at_zero_and_takes_all_steps(built):
    taken = []
    dataset = ((number, -number) for number in range(1000))

    def fast(images, labels):
        assert not built["W"].numpy().any() and not built["b"].numpy().any(), "not from zero"
        taken.append((images, labels))

    built = run(built, "train-long", fast=fast, dataset=dataset, steps=40)
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
    ids = ("wrong-outside", "wrong-twice", "wrong-type", "wrong-numpy", "wrong-repeat")
    lines = run(built, *ids)["printed"].splitlines()
    assert lines[0] == "None" and "RuntimeError" in lines[1] and "MatMul" in lines[2]
    assert "has no attribute" in lines[3]
    assert lines[4:] == ["[0 1 2 3]", "[4 5 6 7]", "[8 9]"]
    kinds = run(built, "graph-operations")["printed"].split()
    assert "Placeholder" in kinds and "MatMul" in kinds
    forwards, backwards = run(built, "order-of-sums")["printed"].replace(",", "").split()[1::2]
    exact = sum(1 / k for k in range(1, 1001))
    assert forwards != backwards
    assert float(forwards) == pytest.approx(exact, abs=1e-5) == float(backwards)


@about("02", "ex-...-solution", "the solution is wrong")
def test_solutions_agree_with_another_way():
    nothing = SimpleNamespace(faulty_lines=id, traces=id, slope=id, momentum_step=id)
    found = run_cells("02", *(f"ex-{n}-solution" for n in (1, 2, 3, 4)), nb02=nothing)
    assert found["lines"] == [3, 5, 8, 11, 16, 18, 19] and found["count"] == 5
    assert found["slope"](np.sin, 0.3, 1e-4) == pytest.approx(np.cos(0.3), abs=1e-6)
    weight, velocity = 1.0, 0.0
    keras_weight, optimizer = tf.Variable(1.0), keras.optimizers.SGD(0.1, momentum=0.9)
    for gradient in (1.0, -0.5, 2.0):
        weight, velocity = found["momentum_step"](weight, velocity, gradient, 0.1, 0.9)
        optimizer.apply_gradients([(tf.constant(gradient), keras_weight)])
    assert weight == pytest.approx(float(keras_weight.numpy()), abs=1e-6)
