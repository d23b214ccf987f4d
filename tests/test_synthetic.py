"""The embedded digits: the same everywhere, finished as MNIST is, and asked for rightly."""

import hashlib

import numpy as np
import pytest

from mnist_edu import synthetic


@pytest.fixture(scope="module")
def drawn():
    return synthetic.make_digits(3000, 5)


def test_digits_are_the_same_everywhere():
    """Where the drawing changes on purpose, store the new sum and raise ``VERSION``."""
    images, labels = synthetic.make_digits(200, 1)
    found = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert (synthetic.VERSION, found[:16]) == (2, "00298bb2c565a468")


def test_seeds_differ_and_a_seed_repeats(drawn):
    images, labels = synthetic.make_digits(3000, 5)
    np.testing.assert_array_equal(images, drawn[0])
    np.testing.assert_array_equal(labels, drawn[1])
    others = synthetic.make_digits(3000, 6)[0]
    flat = {image.tobytes() for image in images}
    assert len(flat) == 3000
    assert not flat & {image.tobytes() for image in others}


def test_training_and_test_digits_come_from_different_seeds():
    (n, seed), (m, other) = synthetic.SETS
    assert (n, m) == (60_000, 10_000) and seed != other


def test_shapes_types_and_balance(drawn):
    images, labels = drawn
    assert images.shape == (3000, 28, 28) and images.dtype == np.uint8
    assert labels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [300] * 10
    assert (np.diff(labels[:20].astype(int)) != 0).any()


def test_labels_can_be_asked_for():
    wanted = np.array([7, 7, 3, 0, 9])
    images, labels = synthetic.make_digits(5, 1, labels=wanted)
    np.testing.assert_array_equal(labels, wanted)
    assert images.any((1, 2)).all()
    assert synthetic.make_digits(0, 1)[0].shape == (0, 28, 28)


@pytest.mark.parametrize("labels", [[1, 2], [1, 2, 10], [0, 1, -1], [0.5, 1, 2]])
def test_wrong_labels_are_refused(labels):
    with pytest.raises(ValueError, match="3 digits need 3 labels from 0 to 9"):
        synthetic.make_digits(3, 1, labels=np.array(labels))


def test_ink_is_finished_as_in_mnist(drawn):
    images = drawn[0].astype(float)
    index = np.arange(28)
    mass = images.sum((1, 2))
    for axis in (1, 2):
        centre = images.sum(3 - axis) @ index / mass
        assert np.abs(centre - 14).max() <= 0.5 + 1e-9
    rows, columns = images.any(2).sum(1), images.any(1).sum(1)
    longest = np.maximum(rows, columns)
    assert longest.max() <= 20 and np.mean(longest >= 19) > 0.99
    assert images.max((1, 2)).min() > 150
    assert 0.4 < np.mean((images > 0) & (images < 250)) / np.mean(images > 0) < 0.75


def test_image_drawn_is_of_its_label(drawn):
    """The nearest mean reads half of other digits: labels and images are in step."""
    images, labels = drawn[0].reshape(3000, 784).astype(float), drawn[1]
    means = np.array([images[:2000][labels[:2000] == digit].mean(0) for digit in range(10)])
    distances = ((images[2000:, np.newaxis] - means) ** 2).sum(2)
    assert np.mean(distances.argmin(1) == labels[2000:]) > 0.6


def test_progress_is_told():
    told = []
    synthetic.make_digits(5000, 1, progress=told.append)
    assert told == [2000, 4000, 5000]


def test_every_way_to_write_a_digit_can_be_drawn():
    chance = np.random.default_rng(0)
    for digit, (often, ways) in synthetic.WAYS.items():
        assert len(ways) >= 4 and often.sum() == pytest.approx(1)
        for way in ways:
            assert synthetic._draw(way, digit, 3, chance).any((1, 2)).all()


@pytest.mark.parametrize("digit", range(10))
def test_example_strokes_lie_in_their_square_and_go_on_without_jumps(digit):
    strokes = synthetic.example_strokes(digit, seed=3, size=200)
    points = np.concatenate(strokes)
    assert np.ptp(points, axis=0).max() == pytest.approx(120, abs=0.2)
    np.testing.assert_allclose((points.min(0) + points.max(0)) / 2, 100, atol=0.2)
    assert all(np.hypot(*np.diff(stroke, axis=0).T).max() < 12 for stroke in strokes)


def test_example_strokes_have_the_strokes_of_their_digit_and_differ_with_the_seed():
    fours = [synthetic.example_strokes(4, seed) for seed in range(20)]
    assert {len(strokes) for strokes in fours} == {2, 1}
    assert len({strokes[0].tobytes() for strokes in fours}) == 20


def test_example_strokes_refuse_what_is_no_digit():
    with pytest.raises(ValueError, match="10 is no digit"):
        synthetic.example_strokes(10)
