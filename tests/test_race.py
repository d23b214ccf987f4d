"""The cells of notebook 11 that its benchmarks run."""

import numpy as np
import pytest
import shared
import summit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cells():
    return shared.lesson(shared.SUMMIT)


def test_steps_of_muon_have_strengths_near_one(cells):
    for shape in ((3, 3, 16, 32), (40, 64), (64, 40)):
        gradient = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        step = cells["orthogonal"](gradient).numpy()
        assert step.shape == shape
        rows, columns = int(np.prod(shape[:-1])), shape[-1]
        strengths = np.linalg.svd(step.reshape(rows, columns), compute_uv=False)
        strengths /= max(1, rows / columns) ** 0.5
        assert 0.2 < strengths.min() and strengths.max() < 1.3
        assert np.sum(step * gradient) > 0


def test_one_cycle_rises_to_one_and_ends_near_zero(cells):
    factors = cells["one_cycle"](1000)
    assert factors.argmax() in (99, 100) and factors.max() > 0.99 and factors[-1] < 0.001


def test_batches_use_every_image_once_a_pass(cells):
    order = cells["batches"](60, epochs=2, batch=20)
    assert order.shape == (6, 20)
    assert all(sorted(order[i : i + 3].ravel()) == list(range(60)) for i in (0, 3))


def test_augmentation_of_no_strength_changes_nothing(cells):
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    same = cells["augment"](images, turn=0, slant=0, size=0, shift=0).numpy()
    np.testing.assert_allclose(same, images, atol=1e-3)


def test_strokes_are_bent_beside_all_that_the_lesson_changes(cells, monkeypatch):
    tf = cells["tf"]
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)

    def changed(function):
        tf.random.set_seed(3)
        return np.array(function(images))

    def bent(normal):
        monkeypatch.setattr(tf.random, "normal", normal)
        return changed(lambda some: summit.bent(cells, some))

    real = tf.random.normal
    straight = bent(lambda shape: tf.zeros(shape))  # draws as often as the lesson does
    np.testing.assert_allclose(straight, changed(cells["augment"]), atol=0.05)
    still = bent(lambda shape: 0 * real(shape))  # the same other draws as when it bends
    assert np.abs(bent(real) - still).max() > 20


def test_each_recipe_that_was_tried_changes_what_its_name_says(cells):
    found = summit.others(cells)
    (first, second, *rest), lesson = found, cells["recipes"]["all"]
    assert found[first] == lesson | {"epochs": 8}

    def layers(recipe):
        return [(type(x).__name__, getattr(x, "filters", "")) for x in recipe["make"]().layers]

    plain = layers(lesson)
    assert layers(found[second]) == [*plain[:2], ("Cropping2D", ""), *plain[2:]]
    bare = {key: value for key, value in found[second].items() if key != "policy"}
    assert {key for key in bare if bare[key] != found[first][key]} == {"make", "epochs"}
    keys = [
        {key for key in found[second] if found[name][key] != found[second][key]} for name in rest
    ]
    assert keys == [{"make"}, {"change"}, {"change"}, {"make", "epochs"}]
    rates = [x.rate for x in found[summit.BEST]["make"]().layers if hasattr(x, "rate")]
    assert rates == [0.0] and layers(found[summit.BEST]) == layers(found[second])
    assert [n for _, n in layers(found[rest[3]]) if n] == [64, 96, 96, 192, 192]
    best = summit.recipes_of(cells, "best")[summit.BEST]
    assert best["epochs"] == 13 and best["policy"] == found[second]["policy"] == "mixed_bfloat16"


def test_augmentation_keeps_the_middle_of_a_digit_in_the_middle(cells):
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 12:16, 12:16] = 255
    turned = cells["augment"](images, shift=0).numpy()
    columns = (turned.sum(1) * np.arange(28)).sum(1) / turned.sum((1, 2))
    np.testing.assert_allclose(columns, 13.5, atol=0.3)
    moved = cells["augment"](images, turn=0, slant=0, size=0, shift=2.0).numpy()
    columns = (moved.sum(1) * np.arange(28)).sum(1) / moved.sum((1, 2))
    assert 1.5 < np.abs(columns - 13.5).max() <= 2.01


def test_a_training_of_the_race_learns_and_is_the_same_for_a_seed(cells):
    chance = np.random.default_rng(0)
    labels = np.arange(512, dtype=np.uint8) % 10
    images = chance.integers(0, 60, (512, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 4] += 150
    how = cells["finish"] | {"epochs": 6, "batch": 32}
    runs = [cells["train"](images, labels, seed=3, **how) for _ in range(2)]
    assert cells["accuracy"](runs[0][0], images, labels) > 0.95
    first, second = (model.predict(images[:20], verbose=0) for model, _ in runs)
    np.testing.assert_allclose(first, second, atol=0.05)
    assert runs[0][1]["seconds"] >= runs[0][1]["steps"] > 0


def test_every_rung_and_recipe_can_be_trained(cells):
    images = np.zeros((64, 28, 28), np.uint8)
    for rung in ("tried: no dense layer of 64", "tried: batch normalisation"):
        train, settings = cells["failures"][rung]
        train(images, np.zeros(64, np.uint8), **settings | {"epochs": 1, "batch": 32})
    assert all(callable(recipe["make"]) for recipe in cells["recipes"].values())
    counts = [cells[name]().count_params() for name in ("record", "strided", "summit")]
    assert counts[0] == 25 * 24 + 24 + 9 * 24 * 32 + 32 + 801 * 256 + 257 * 10
    assert counts[1] < counts[0] and counts[2] < 400_000


def test_settling_gives_the_statistics_of_the_images_as_they_are(cells):
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.BatchNormalization()])
    images = np.random.default_rng(0).normal(3, 2, (90, 28, 28, 1)).astype(np.float32)
    images[:30] += 5  # the batches differ, and count alike
    cells["settle"](model, images, batch=30)
    normalised = model.layers[0]
    np.testing.assert_allclose(normalised.moving_mean, images.mean(), atol=0.01)
    inside = np.mean([part.var() for part in np.split(images, 3)])
    np.testing.assert_allclose(normalised.moving_variance, inside, rtol=0.01)


def test_nine_places_outvote_one(cells):
    class Reader:
        """Reads 1 wherever the ink is, but is deceived by ink in the middle."""

        def predict(self, images, **_):
            fooled = images[:, 14, 14] > 0
            return np.where(fooled[:, np.newaxis], [2.0, 0.0], [0.0, 1.0])

    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 14, 14] = 255
    assert cells["accuracy"](Reader(), images, np.array([1])) == 0
    assert cells["accuracy_of_nine"](Reader(), images, np.array([1])) == 1
