"""Every checker: the solution passes, and each plausible mistake gets its own sentence."""

import numpy as np
import pytest
from exercise_cells import exercise_numbers, said_by

from mnist_edu.exercises import nb00, nb01, nb03, nb05, nb07

MODULES = {"00": nb00, "01": nb01, "03": nb03, "05": nb05, "07": nb07}
ALL = [(notebook, number) for notebook in MODULES for number in exercise_numbers(notebook)]


def test_every_notebook_has_exercises():
    assert all(len(exercise_numbers(notebook)) >= 3 for notebook in MODULES)


@pytest.mark.parametrize(("notebook", "number"), ALL)
def test_solution_passes_and_the_open_exercise_says_so(notebook, number):
    names = {"np": np, f"nb{notebook}": MODULES[notebook]}
    assert said_by(notebook, f"ex-{number}-solution", **names) == "✓ Right."
    assert said_by(notebook, f"ex-{number}-answer", **names) == "Not answered yet."


def naive(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def one_element_right(z):
    wrong = np.full(z.shape, 0.1)
    wrong[0, 0] = naive(z)[0, 0]
    return wrong


def per_image(p, y):
    return -np.sum(y * np.log(p), axis=1)


def squares(x, means):
    return ((x[:, np.newaxis] - means) ** 2).sum(axis=2)


def no_diagonal(counts):
    return counts * (1 - np.eye(len(counts), dtype=int))


def pair_of(counts):
    return np.unravel_index(counts.argmax(), counts.shape)


def zero_in_place(counts):
    np.fill_diagonal(counts, 0)
    return pair_of(counts)


def answered(confidence, right, threshold):
    kept = confidence >= threshold
    return kept.mean(), right[kept].mean()


def step_in_place(image, gradient, epsilon):
    image -= epsilon * np.sign(gradient)
    return np.clip(image, 0, 1)


def one_pixel_right(image, gradient, epsilon):
    wrong = np.full(image.shape, 0.5)
    wrong[0, 0] = 0
    return wrong


def first_row_right(labels):
    wrong = np.zeros((len(labels), 10))
    wrong[0, labels[0]] = 1
    return wrong


MISTAKES = [
    (nb00.scale, lambda a: a // 255, "whole numbers only"),
    (nb00.scale, lambda a: (a / 256).astype(np.float32), "divide by 255"),
    (nb00.scale, lambda a: a / 255 / 255, "twice"),
    (nb00.scale, lambda a: a.astype(np.float32), "nothing was divided"),
    (nb00.scale, lambda a: a / 255, "not float32"),
    (nb00.scale, lambda a: (a / 255).ravel(), "shape"),
    (nb00.one_hot, lambda y: np.eye(10)[y].T, "swapped"),
    (nb00.one_hot, lambda y: np.eye(10)[y] * y[:, None], "not the digit itself"),
    (nb00.one_hot, lambda y: 1 - np.eye(10)[y], "ones and zeros"),
    (nb00.one_hot, lambda y: np.eye(11)[y], "shape"),
    (nb00.one_hot, lambda y: np.roll(np.eye(10)[y], -1, 1), "too far left"),
    (nb00.one_hot, first_row_right, "row 1 is wrong"),
    (nb00.nearest_mean, lambda x, m: squares(x, m).argmax(1), "farthest"),
    (nb00.nearest_mean, lambda x, m: squares(x, m).argmin(0), "axis 1"),
    (nb00.nearest_mean, lambda x, m: squares(x, m).min(1), "these are the distances"),
    (nb00.nearest_mean, lambda x, m: (x @ m.T).argmax(1), "largest product"),
    (nb00.nearest_mean, lambda x, m: np.array([7, 0, 0, 0, 0]), "should be"),
    (nb01.count_parameters, 7840, "bias"),
    (nb01.count_parameters, 794, "multiply"),
    (nb01.count_parameters, 784, "each of the ten"),
    (nb01.count_parameters, 7849, "count the entries"),
    (nb01.steps_per_epoch, lambda n, b: -(-n // b), "rounded up"),
    (nb01.steps_per_epoch, lambda n, b: n / b, "whole division"),
    (nb01.steps_per_epoch, lambda n, b: n * b, "multiplied"),
    (nb01.steps_per_epoch, lambda n, b: b / n, "Turn it round"),
    (nb01.steps_per_epoch, lambda n, b: 550 if n > 2000 else 9, "550 steps"),
    (nb01.softmax, naive, "overflow"),
    (nb01.softmax, np.exp, "do not sum to 1"),
    (nb01.softmax, lambda z: np.exp(z) / np.exp(z).sum(axis=0), "your columns"),
    (nb01.softmax, lambda z: np.exp(z) / np.exp(z).sum(), "whole batch"),
    (nb01.softmax, lambda z: z / z.sum(axis=1, keepdims=True), "np.exp of them first"),
    (nb01.softmax, lambda z: naive(z)[0], "shape"),
    (nb01.softmax, one_element_right, "row 0, column 1"),
    (nb01.cross_entropy, per_image, "take the mean"),
    (nb01.cross_entropy, lambda p, y: per_image(p, y).sum(), "summed over the images"),
    (nb01.cross_entropy, lambda p, y: -per_image(p, y).mean(), "sign"),
    (nb01.cross_entropy, lambda p, y: -np.mean(y * np.log(p)), "over digits too"),
    (nb01.cross_entropy, lambda p, y: per_image(p, y).mean() / np.log(2), "base 2"),
    (nb01.cross_entropy, lambda p, y: -np.mean(np.sum(y * p, axis=1)), "forgot the logarithm"),
    (nb01.cross_entropy, lambda p, y: 1.0, "expected"),
    (nb03.count_weights, lambda s: sum(a * b for a, b in zip(s, s[1:], strict=False)), "bias"),
    (nb03.count_weights, lambda s: s[0] * s[1] + s[1], "first layer alone"),
    (nb03.count_weights, lambda s: int(np.prod(s)), "Multiply neighbours"),
    (nb03.count_weights, lambda s: 101770, "three layers of 128"),
    (nb03.best_epoch, lambda v: int(np.argmin(v)), "from 0"),
    (nb03.best_epoch, min, "lowest loss"),
    (nb03.best_epoch, lambda v: int(np.argmax(v)) + 1, "highest"),
    (nb03.best_epoch, len, "last epoch"),
    (nb03.best_epoch, lambda v: 3, "should give 4"),
    (nb03.clearly_better, lambda a, b: min(a) > max(b), "other way round"),
    (nb03.clearly_better, lambda a, b: np.mean(b) > np.mean(a), "means or best runs"),
    (nb03.clearly_better, lambda a, b: max(b) > max(a), "means or best runs"),
    (nb03.clearly_better, lambda a, b: min(b) >= max(a), "draw"),
    (nb03.clearly_better, lambda a, b: False, "clearly better"),
    (nb05.convolution_weights, lambda s, m, f: s * s * m * f, "bias"),
    (nb05.convolution_weights, lambda s, m, f: (s * s + 1) * f, "all 32 incoming maps"),
    (nb05.convolution_weights, lambda s, m, f: s * s * m * f + 1, "one bias for each filter"),
    (nb05.convolution_weights, lambda s, m, f: (s * m + 1) * f, "square"),
    (nb05.convolution_weights, lambda s, m, f: 51264, "832"),
    (nb05.side_after, lambda s, n: s // 2, "only once"),
    (nb05.side_after, lambda s, n: s / 2**n, "half row"),
    (nb05.side_after, lambda s, n: -(-s // 2**n), "dropped"),
    (nb05.side_after, lambda s, n: {2: 7, 3: 3}.get(n, 1), "stays 28"),
    (nb05.dropout, lambda v, k, r: v * k, "did not enlarge"),
    (nb05.dropout, lambda v, k, r: v * k / r, "divided by the rate"),
    (nb05.dropout, lambda v, k, r: v * k * (1 - r), "smaller"),
    (nb05.dropout, lambda v, k, r: v * k * 2, "doubled"),
    (nb05.dropout, lambda v, k, r: v * ~k / (1 - r), "kept what should be dropped"),
    (nb05.dropout, lambda v, k, r: v / (1 - r), "dropped nothing"),
    (nb05.dropout, lambda v, k, r: np.append([4.0], np.ones(7)), "expected"),
    (nb07.bin_share, 0.04, "gap of the bin"),
    (nb07.bin_share, 0.25 * (0.90 - 0.94), "no sign"),
    (nb07.bin_share, 50 * 0.04, "Multiply by their share"),
    (nb07.bin_share, 0.25 * 0.94, "confidence times share"),
    (nb07.bin_share, 0.5, "something else"),
    (nb07.worst_pair, pair_of, "diagonal"),
    (nb07.worst_pair, lambda c: pair_of(no_diagonal(c).T), "swapped"),
    (nb07.worst_pair, lambda c: no_diagonal(c).argmax(), "unravel_index"),
    (nb07.worst_pair, lambda c: no_diagonal(c).max(), "how often"),
    (nb07.worst_pair, zero_in_place, "copy"),
    (nb07.worst_pair, lambda c: pair_of(np.tril(no_diagonal(c + c.T))), "each direction"),
    (nb07.worst_pair, lambda c: pair_of(np.tril(no_diagonal(c))), "row 0, column 2"),
    (nb07.worst_pair, lambda c: (1, 2), "(1, 0) stands 7 times"),
    (nb07.worst_pair, lambda c: (1, 0), "should be (0, 2)"),
    (
        nb07.coverage_and_accuracy,
        lambda c, r, t: ((c >= t).mean(), (r & (c >= t)).mean()),
        "answered images, not by all",
    ),
    (nb07.coverage_and_accuracy, lambda c, r, t: ((c >= t).mean(), r.mean()), "all images"),
    (nb07.coverage_and_accuracy, lambda c, r, t: ((c > t).mean(), r[c > t].mean()), ">="),
    (nb07.coverage_and_accuracy, lambda c, r, t: answered(c, r, t)[::-1], "swapped"),
    (nb07.coverage_and_accuracy, lambda c, r, t: answered(-c, r, -t + 0.01), "does not answer"),
    (nb07.coverage_and_accuracy, lambda c, r, t: ((c >= t).sum(), 2 / 3), "not a number of"),
    (nb07.coverage_and_accuracy, lambda c, r, t: (3 / 8, 2 / 3), "at 0.5"),
    (nb07.coverage_and_accuracy, lambda c, r, t: (3 / 8, 0.9), "at 0.9"),
    (nb07.coverage_and_accuracy, lambda c, r, t: 3 / 8, "two numbers"),
    (nb07.step_towards, lambda x, g, e: np.clip(x + e * np.sign(g), 0, 1), "walks away"),
    (nb07.step_towards, lambda x, g, e: x - e * np.sign(g), "Clip"),
    (nb07.step_towards, lambda x, g, e: np.clip(x - e * g, 0, 1), "not its size"),
    (nb07.step_towards, lambda x, g, e: np.clip(x - np.sign(g), 0, 1), "Multiply by epsilon"),
    (nb07.step_towards, lambda x, g, e: -e * np.sign(g), "change alone"),
    (nb07.step_towards, step_in_place, "Make a new one"),
    (nb07.step_towards, one_pixel_right, "expected"),
]


@pytest.mark.parametrize(("checker", "answer", "sentence"), MISTAKES)
def test_mistake_is_named(checker, answer, sentence):
    said = checker.problem(answer)
    assert said is not None and sentence in said


def test_a_digit_turned_round_and_back_is_the_same_digit():
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 8:20, 13] = image[0, 8, 13:18] = 1
    np.testing.assert_allclose(nb07.rotate(image, 90), np.rot90(image, axes=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(nb07.rotate(image, 0), image)


def test_a_line_grows_by_two_pixels_and_shrinks_by_two():
    line = np.zeros((1, 28, 28), np.float32)
    line[0, 5:24, 12:15] = 1
    assert [nb07.thicken(line, s)[0, 14].sum() for s in (-1, -0.5, 0, 0.5, 1, 2)] == [
        *(1, 2, 3, 4, 5, 7)
    ]
    assert line.sum() == 19 * 3


def test_readers_labels_are_compared_with_truth_and_network(capsys):
    labels, predicted = np.array([4, 9, 3]), np.array([9, 4, 3])
    for guess in (..., [4, 9], [4, 4, 3]):
        nb07.compare_people(guess, labels, predicted)
    said = capsys.readouterr().out
    assert "No labels of yours" in said and "Write a list of 3 digits" in said
    assert "You agree with the label 2 times, with the network 2 times." in said


def test_letters_are_repeatable_images_with_ink_inside():
    images, names = nb07.draw_letters(20, seed=3)
    np.testing.assert_array_equal(images, nb07.draw_letters(20, seed=3)[0])
    assert images.shape == (20, 28, 28) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1 and set(names) == set(nb07.LETTERS)
    assert all(0.04 < image.mean() < 0.35 for image in images)


def test_weight_histograms_keep_every_weight():
    buckets = np.array([[-0.06, -0.02, 10], [-0.02, 0.02, 30], [0.02, 0.06, 10]])
    assert nb05._rebin(buckets).sum() == pytest.approx(50)
