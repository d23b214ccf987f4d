"""Notebook 00: its cells run alone, on a few made-up digits."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from stand_ins import about, listen

from mnist_edu import data, lesson, plots, synthetic

NAMES = {"np": np, "data": data, "tempfile": tempfile, "Path": Path, "synthetic": synthetic}


@pytest.fixture
def digits():
    """5,100 training and 150 test digits of blots, not equally frequent, in no order."""
    chance = np.random.default_rng(0)
    labels = chance.choice(10, 5250, p=np.arange(1, 11) / 55).astype(np.uint8)
    images = chance.integers(0, 120, (5250, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):  # a bar at a place of its own
        image[2 * label : 2 * label + 6, 3:20] += 30
    train, test = data.Split(images[:5100], labels[:5100]), data.Split(images[5100:], labels[5100:])
    return data.Dataset(train, train, test, "made up")


@pytest.fixture
def heard(monkeypatch):
    return listen(monkeypatch)


def run(*ids, **names):
    return run_cells("00", *ids, **NAMES | {"lesson": lesson, "plots": plots} | names)


def squared_distances(x, others):
    """All pairs, one by one, in float64: the definition, without the formula of the notebook."""
    x, others = np.asarray(x, float), np.asarray(others, float)
    return np.array([((row - others) ** 2).sum(1) for row in x])


@about("00", "parameters", "other numbers of neighbours than the lesson speaks of")
def test_parameters_are_those_that_the_lesson_speaks_of():
    found = run("parameters")
    assert (found["neighbours_from"], found["neighbours_for"]) == (5_000, 2_000)


@about("00", "load, split", "other images are set aside")
def test_all_training_images_stay_together_first_and_5000_are_set_aside_later(monkeypatch, digits):
    asked, images = [], digits.train.images
    parts = data.Dataset(
        data.Split(images[5000:], digits.train.labels[5000:]),
        data.Split(images[:5000], digits.train.labels[:5000]),
        digits.test,
        "",
    )
    monkeypatch.setattr(data, "load", lambda *a, **how: asked.append((a, how)) or parts)
    monkeypatch.setattr(lesson, "set_seed", lambda seed: asked.append(seed))
    run("load", source="mnist", seed=7)
    assert (
        run("split", source="mnist", images=images)["printed"].split()
        == "100 5000 150 True".split()
    )
    whole = {"validation_size": 0}
    assert asked == [7, (("mnist",), whole), (("mnist",), {})], "00 load, split: other sizes"


@about("00", "look-pixels to first-labels", "numbers or pictures of other digits")
def test_numbers_that_are_looked_up_are_those_of_the_training_images(digits, heard):
    images, labels = digits.train.images, digits.train.labels
    guesses = {"guess_pixels": ..., "guess_most": ...}
    ids = ("look-pixels", "range", "one-digit-numbers", "first-labels", "look-most")
    found = run(*ids, "class-counts", "first-25", digits=digits, **guesses)
    counts = [int(np.sum(labels == digit)) for digit in range(10)]
    assert heard.compared == [784, 9] and counts.index(max(counts)) == 9
    assert found["printed"].splitlines()[:3] == [
        "(5100, 28, 28) uint8 (150, 28, 28)",
        "(5100,) uint8 (150,)",
        "0 149 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]",
    ]
    assert str(images[0][5:13, 12:22]) in found["printed"], "00 one-digit-numbers"
    assert " ".join(map(str, labels[:25])) in found["printed"], "00 first-labels"
    assert found["counts"].tolist() == counts
    (_, (counted,), _), (_, (pictures, below), _) = heard.drawn
    np.testing.assert_array_equal(counted["train"], labels)
    np.testing.assert_array_equal(counted["test"], digits.test.labels)
    np.testing.assert_array_equal(pictures, images[:25])
    np.testing.assert_array_equal(below, labels[:25])


@about("00", "scale, flatten, channel, one-hot", "another form")
def test_forms_are_scaled_flat_with_a_channel_and_one_hot(digits):
    found = run("scale", "flatten", "channel", images=digits.train.images)
    np.testing.assert_allclose(found["scaled"], digits.train.images[:1000] / 255, rtol=1e-6)
    assert found["flat"][3, 28 * 4 + 9] == found["scaled"][3, 4, 9]
    assert found["printed"].splitlines()[1:] == ["(1000, 784) True", "(1000, 28, 28, 1)"]
    found = run("one-hot", labels=np.array([3, 0, 9, 5], np.uint8))
    np.testing.assert_array_equal(found["hot"], np.eye(10)[[3, 0, 9]])
    assert found["printed"].endswith("[3 0 9] [3 0 9]")


@about("00", "csv", "digits are changed on their way, or nothing is compared")
def test_csv_round_trip_says_whether_it_changed_anything(digits, monkeypatch):
    names = {"images": digits.train.images, "labels": digits.train.labels}
    assert run("csv", **names)["printed"] == "True True"
    read = data.read_csv
    monkeypatch.setattr(data, "read_csv", lambda file: tuple(part[::-1] for part in read(file)))
    assert run("csv", **names)["printed"] == "False False", "00 csv: compares nothing"


@about("00", "distance", "not the sum of squared differences")
def test_distances_are_sums_of_squared_differences():
    chance = np.random.default_rng(1)
    x, others = chance.normal(size=(7, 784)), chance.normal(2, 1, (5, 784))
    found = run("distance")["distances"](x, others)
    np.testing.assert_allclose(found, squared_distances(x, others), rtol=1e-9)


@about("00", "mean-images, nearest-mean, confusion", "not the nearest of the ten means")
def test_mean_images_and_the_score_of_the_nearest(digits, heard):
    names = {"images": digits.train.images, "labels": digits.train.labels, "digits": digits}
    found = run("mean-images", "distance", "nearest-mean", "confusion", **names, guess_mean=...)
    flat = digits.train.images.reshape(-1, 784) / 255
    means = np.array([flat[digits.train.labels == digit].mean(0) for digit in range(10)])
    np.testing.assert_allclose(found["means"], means, atol=1e-5, err_msg="00 mean-images")
    test = digits.test.images.reshape(-1, 784) / 255
    nearest = squared_distances(test, means).argmin(1)
    np.testing.assert_array_equal(found["predicted"], nearest, err_msg="00 nearest-mean")
    score = np.mean(nearest == digits.test.labels)
    assert 0.1 < score < 1 and found["nearest_mean_accuracy"] == score == heard.compared[0]
    _, (truth, answers), _ = heard.drawn[0]
    np.testing.assert_array_equal(truth, digits.test.labels, err_msg="00 confusion: truth is first")
    np.testing.assert_array_equal(answers, nearest)


@about("00", "nearest-neighbour", "other images, or not the label of the nearest")
def test_nearest_neighbours_are_sought_among_some_training_images_for_some_test_images(
    digits, heard
):
    sizes = {"neighbours_from": 300, "neighbours_for": 120, "guess_neighbour": ...}
    names = {"images": digits.train.images, "labels": digits.train.labels, "digits": digits}
    found = run("mean-images", "distance", "nearest-neighbour", **names, **sizes)
    train, test = (part.images.reshape(-1, 784) / 255 for part in (digits.train, digits.test))
    nearest = squared_distances(test[:120], train[:300]).argmin(1)
    right = digits.train.labels[nearest] == digits.test.labels[:120]
    assert 0.1 < right.mean() < 1
    assert found["nearest_neighbour_accuracy"] == right.mean(), "00 nearest-neighbour"


@about("00", "shifted, results", "another move, or a number under the name of another")
def test_moved_digits_are_two_pixels_further_right_and_down(digits, heard):
    names = {"images": digits.train.images, "labels": digits.train.labels, "digits": digits}
    ids = ("mean-images", "distance", "nearest-mean", "shifted", "results")
    found = run(*ids, **names, guess_mean=..., nearest_neighbour_accuracy=0.5)
    moved = np.zeros((150, 28, 28))
    moved[:, 2:, 2:] = digits.test.images[:, :-2, :-2] / 255
    np.testing.assert_allclose(found["moved"], moved.reshape(-1, 784), atol=1e-6)
    nearest = squared_distances(moved.reshape(-1, 784), found["means"]).argmin(1)
    accuracy = np.mean(nearest == digits.test.labels)
    assert found["shifted_mean_accuracy"] == accuracy != found["nearest_mean_accuracy"]
    assert f"{accuracy:.3f} after the move" in found["printed"]
    assert heard.recorded == {
        "nearest_mean_accuracy": found["nearest_mean_accuracy"],
        "nearest_neighbour_accuracy": 0.5,
        "shifted_mean_accuracy": accuracy,
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
@about("00", "embedded-beside, look-drawn", "the answer is not where the drawn digit stands")
def test_drawn_digits_stand_where_the_answer_says(digits, heard, seed):
    found = run("embedded-beside", "look-drawn", digits=digits, seed=seed, guess_drawn=...)
    _, (pictures,), _ = heard.drawn[0]
    (answer,) = heard.compared
    assert set(answer) == set("ul") and len(answer) == 10
    for digit, letter in enumerate(answer):
        pair = {"u": pictures[digit], "l": pictures[10 + digit]}
        mine = pair.pop(letter)
        np.testing.assert_array_equal(
            mine, found["drawn"][digit], err_msg=f"00 look-drawn: {digit}"
        )
        first = np.flatnonzero(digits.test.labels == digit)[0]
        np.testing.assert_array_equal([*pair.values()][0], digits.test.images[first])
    again = synthetic.make_digits(10, seed=seed + 4, labels=np.arange(10))[0]
    np.testing.assert_array_equal(found["drawn"], again)


@about("00", "embedded-steps", "the steps of other digits")
def test_steps_of_drawing_are_those_of_three_digits(heard):
    run("embedded-steps", seed=1)
    _, (images, names), _ = heard.drawn[0]
    np.testing.assert_array_equal(images, synthetic.drawing_steps([2, 4, 7], 1)[0])
    assert len(images) == len(names) == 15


@about("00", "wrong-...", "what should go wrong does not")
def test_what_goes_wrong_is_shown(digits):
    images = digits.train.images.copy()
    images.flags.writeable = False
    assert "scaled already" in run("wrong-twice", images=images)["printed"]
    assert run("wrong-overflow")["printed"] == "[246] [-10.]"
    assert "read-only" in run("wrong-view", images=images)["printed"]


@about("00", "ex-...-solution", "the solution is wrong")
def test_solutions_do_what_the_package_does(digits):
    nothing = SimpleNamespace(scale=id, one_hot=id, nearest_mean=id)
    found = run("ex-1-solution", "ex-2-solution", "ex-3-solution", nb00=nothing)
    images, labels = digits.train.images[:50], digits.train.labels[:50]
    np.testing.assert_allclose(found["scale"](images), data.scale(images))
    np.testing.assert_array_equal(found["one_hot"](labels), data.one_hot(labels))
    x, means = images[:40].reshape(40, 784) / 255, images[40:].reshape(10, 784) / 255
    wanted = squared_distances(x, means).argmin(1)
    np.testing.assert_array_equal(found["nearest_mean"](x, means), wanted)
