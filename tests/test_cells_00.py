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


@about("00", "sevens to first-25", "numbers or pictures of other digits")
def test_numbers_that_are_looked_up_are_those_of_the_training_images(digits, heard):
    images, labels = digits.train.images, digits.train.labels
    guesses = {"guess_pixels": ..., "guess_most": ...}
    ids = ("sevens", "look-pixels", "range", "one-digit", "one-digit-numbers", "look-most")
    found = run(*ids, "class-counts", "first-25", digits=digits, **guesses)
    counts = [int(np.sum(labels == digit)) for digit in range(10)]
    assert heard.compared == [784, 9] and counts.index(max(counts)) == 9
    assert found["printed"].splitlines()[:3] == [
        "(5100, 28, 28) uint8 (150, 28, 28)",
        "(5100,) uint8 (150,)",
        "0 149 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]",
    ]
    assert str(images[0][5:13, 12:22]) in found["printed"], "00 one-digit-numbers"
    assert found["counts"].tolist() == counts
    (_, (sevens,), _), (_, (parts, frames, *_), _), (_, (counted,), _) = heard.drawn[:3]
    np.testing.assert_array_equal(sevens, images[labels == 7][:30])
    (whole, crop), ((row, column, height, width),) = parts.values(), frames.values()
    np.testing.assert_array_equal(whole, images[0])
    np.testing.assert_array_equal(crop, whole[row : row + height, column : column + width])
    _, (pictures, below), _ = heard.drawn[3]
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


@about("00", "rules, rules-look, look-lazy, rule-breakers", "other rules than the prose has")
def test_rules_are_counted_on_sevens_and_on_the_others(heard):
    images = np.zeros((4, 28, 28), np.uint8)
    images[[0, 1, 3], 5, 4:12] = 128  # a bar of 8 pixels; image 2 has none
    images[:, 17:24, 10:15] = 255  # a stroke of 5 pixels
    images[1, 23, 15] = 255  # and of 6
    names = {"images": images, "labels": np.array([7, 7, 1, 9]), "guess_lazy": ...}
    names |= {"digits": SimpleNamespace(source="made up")}
    found = run("rules", "rules-look", "look-lazy", "rule-breakers", **names)
    assert found["says_seven"].tolist() == [True, False, False, True]
    assert "0.500 of the sevens, 0.500 of the others" in found["printed"]
    assert heard.compared == [0.5] and found["printed"].endswith("the two rules: 0.500")
    _, (shown,), how = heard.drawn[0]
    np.testing.assert_array_equal(shown, images[[1, 3]])
    assert how["rows"][0] == "missed"


@about("00", "one-image, check-distances", "not the distance of the first test image to each mean")
def test_distance_of_one_image_agrees_with_that_of_many(digits, heard):
    names = {"images": digits.train.images, "labels": digits.train.labels, "digits": digits}
    ids = ("mean-images", "look-distance", "one-image", "distance", "check-distances")
    found = run(*ids, **names, guess_distance=...)
    assert heard.compared == [2] and found["printed"].endswith("True")
    wanted = squared_distances(found["test_x"][:1], found["means"])[0]
    np.testing.assert_allclose(found["ten"], wanted, rtol=1e-4)


@about("00", "nearest-mean, look-worst, confusion", "not the nearest of the ten means")
def test_mean_images_and_the_score_of_the_nearest(digits, heard):
    names = {"images": digits.train.images, "labels": digits.train.labels, "digits": digits}
    ids = ("mean-images", "distance", "nearest-mean", "look-worst", "confusion", "close-means")
    found = run(*ids, **names, guess_mean=..., guess_worst=...)
    flat = digits.train.images.reshape(-1, 784) / 255
    means = np.array([flat[digits.train.labels == digit].mean(0) for digit in range(10)])
    np.testing.assert_allclose(found["means"], means, atol=1e-5, err_msg="00 mean-images")
    test, labels = digits.test.images.reshape(-1, 784) / 255, digits.test.labels
    nearest = squared_distances(test, means).argmin(1)
    np.testing.assert_array_equal(found["predicted"], nearest, err_msg="00 nearest-mean")
    score = np.mean(nearest == labels)
    assert 0.1 < score < 1 and found["nearest_mean_accuracy"] == score == heard.compared[0]
    true, answer = map(int, heard.compared[1])
    often = np.sum((labels == true) & (nearest == answer))
    pairs = [(a, b) for a in range(10) for b in range(10) if a != b]
    assert often == max(np.sum((labels == a) & (nearest == b)) for a, b in pairs), "00 look-worst"
    _, (truth, answers), _ = heard.drawn[0]
    np.testing.assert_array_equal(truth, labels, err_msg="00 confusion: truth is first")
    np.testing.assert_array_equal(answers, nearest)
    apart = squared_distances(means, means)
    first, second = min(pairs, key=lambda pair: apart[pair])
    assert f"closest: {first} and {second}, {apart[first, second]:.1f} apart" in found["printed"]


@about("00", "nearest-neighbour", "other images, or not the label of the nearest")
def test_neighbours_and_means_are_scored_on_the_same_test_images(digits, heard):
    sizes = {"neighbours_from": 300, "neighbours_for": 120, "guess_neighbour": ...}
    names = {"images": digits.train.images, "labels": digits.train.labels, "digits": digits}
    ids = ("mean-images", "distance", "nearest-mean", "look-worst", "nearest-neighbour")
    found = run(*ids, **names, **sizes, guess_mean=..., guess_worst=...)
    train, test = (part.images.reshape(-1, 784) / 255 for part in (digits.train, digits.test))
    nearest = squared_distances(test[:120], train[:300]).argmin(1)
    right = digits.train.labels[nearest] == digits.test.labels[:120]
    assert 0.1 < right.mean() < 1
    assert found["nearest_neighbour_accuracy"] == right.mean(), "00 nearest-neighbour"
    by_mean = squared_distances(test[:120], found["means"]).argmin(1)
    assert found["same_images"] == np.mean(by_mean == digits.test.labels[:120])


def diagonally(images, by):
    """Move images by turns right and down, right and up, left and down, left and up."""
    padded = np.pad(images, [(0, 0), (by, by), (by, by)])
    corners = [(0, 0), (2 * by, 0), (0, 2 * by), (2 * by, 2 * by)]  # down, right
    cut = [(i, *corners[i % 4]) for i in range(len(images))]
    return np.array([padded[i, row : row + 28, column : column + 28] for i, row, column in cut])


@about("00", "moved, shifted, results", "another move, or a number under the name of another")
def test_digits_move_by_two_pixels_in_four_diagonal_directions(digits, heard):
    sizes = {"neighbours_from": 300, "neighbours_for": 120, "guess_neighbour": ...}
    names = {"images": digits.train.images, "labels": digits.train.labels, "digits": digits}
    names |= {"guess_mean": ..., "guess_shift": ..., "guess_worst": ...}
    ids = ("mean-images", "distance", "nearest-mean", "look-worst", "nearest-neighbour")
    ids += ("moved", "shifted", "shifted-neighbour", "results")
    found = run(*ids, **names, **sizes)
    moved, labels = diagonally(digits.test.images, 2), digits.test.labels
    _, (shown, below), _ = heard.drawn[-1]
    np.testing.assert_array_equal(shown, [*digits.test.images[:4], *moved[:4]])
    assert "".join(below) == "↘↗↙↖"
    flat = moved.reshape(-1, 784) / 255
    accuracy = np.mean(squared_distances(flat, found["means"]).argmin(1) == labels)
    assert found["shifted_mean_accuracy"] == accuracy != found["nearest_mean_accuracy"]
    nearest = squared_distances(flat[:120], digits.train.images[:300].reshape(-1, 784) / 255)
    neighbour = np.mean(digits.train.labels[nearest.argmin(1)] == labels[:120])
    assert found["shifted_neighbour"] == neighbour
    assert heard.compared[-1] == accuracy
    assert heard.recorded == {
        "nearest_mean_accuracy": found["nearest_mean_accuracy"],
        "nearest_neighbour_accuracy": found["nearest_neighbour_accuracy"],
        "shifted_mean_accuracy": accuracy,
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
@about("00", "embedded-beside, look-drawn", "the answer is not where the drawn digit stands")
def test_drawn_digits_stand_where_the_answer_says(digits, heard, seed):
    ids = ("embedded-beside", "look-drawn", "embedded-answer")
    found = run(*ids, digits=digits, seed=seed, guess_drawn=...)
    (_, (pictures, columns), how), (_, (again, told), _) = heard.drawn
    assert columns[10:] == [*range(10)] and how["rows"] == ("upper", "lower")
    np.testing.assert_array_equal(again, pictures)
    (answer,) = heard.compared
    assert set(answer) == set("ul") and len(answer) == 10
    assert ["drawn" if letter == "u" else "loaded" for letter in answer] == [*told[:10]]
    assert ["drawn" if letter == "l" else "loaded" for letter in answer] == [*told[10:]]
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
    said = run("wrong-view")["printed"].splitlines()
    assert "[0 0 0 0 0]" in said[0] and "[7 0 0 0 0]" in said[1]
    assert "read-only" in run("wrong-readonly", images=images)["printed"]


@about("00", "ex-...-solution", "the solution is wrong")
def test_solutions_do_what_the_package_does(digits):
    ids = ("scale", "one_hot", "accuracy_per_digit", "rules_for_seven", "sturdy_features")
    nothing = SimpleNamespace(**{name: lambda *_: None for name in ids})
    solutions = [f"ex-{number}-solution" for number in range(1, 6)]
    parts = SimpleNamespace(validation=None)
    found = run(*solutions, nb00=nothing, parts=parts)
    images, labels = digits.train.images[:50], digits.train.labels[:50]
    np.testing.assert_allclose(found["scale"](images), data.scale(images))
    np.testing.assert_array_equal(found["one_hot"](labels), data.one_hot(labels))
    answers = np.roll(np.arange(10), 1)
    answers[:3] = [0, 1, 2]
    per_digit = found["accuracy_per_digit"](np.arange(10), answers)
    np.testing.assert_array_equal(per_digit, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    drawn = synthetic.make_digits(20, seed=1)[0]
    small = np.where(np.pad(np.ones((20, 20)), 4) > 0, drawn, 0)  # so that nothing leaves
    features = found["my_features"]
    np.testing.assert_allclose(features(np.roll(small, (2, -3), (1, 2))), features(small))
