"""Notebook 05: its loops, its NumPy and TensorFlow agree with sums written out one by one."""

from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from numpy.lib.stride_tricks import sliding_window_view
from stand_ins import about, digits, listen

from mnist_edu import data, lesson, plots
from mnist_edu.exercises import nb05

pytestmark = pytest.mark.slow
DIGITS = digits()
SETTINGS = {"seed": 1, "moved_digits": 12, "learning_digits": 4, "learning_steps": 60}
GUESSES = ("place", "flip", "relu", "pool", "changed", "dense", "field", "survives")
GUESSES += ("channels", "maps", "sobel", "ten", "windows")


@pytest.fixture
def names(monkeypatch):
    return {
        **{"np": np, "sliding_window_view": sliding_window_view, "nb05": nb05, "tf": None},
        **{"data": data, "lesson": lesson, "plots": plots, "digits": DIGITS, "differences": []},
        **{"kept": listen(monkeypatch), "generator": np.random.default_rng(1)},
        **SETTINGS,
        **{f"guess_{name}": ... for name in GUESSES},
        **{"guess_sizes": dict.fromkeys("ABCDEFG", ...)},
    }


def run(names, *ids, **more):
    return run_cells("05", *ids, **names | more)


@pytest.fixture
def built(names):
    ids = ("tiny", "loops", "numpy", "tf-correlate", "convolve", "pool-loops", "pool-numpy")
    return run(names, *ids, check=lambda *_, **__: None)


@pytest.fixture
def tf():
    return pytest.importorskip("tensorflow", reason="TensorFlow is missing")


def correlation(image, kernel, stride=1, before=0, after=0):
    """The definition: for each place the sum of products, one by one."""
    image = np.pad(np.asarray(image, float), [(before, after)] * 2)
    high, wide = kernel.shape
    rows = range(0, image.shape[0] - high + 1, stride)
    columns = range(0, image.shape[1] - wide + 1, stride)
    return np.array(
        [
            [
                sum(image[r + j, c + k] * kernel[j, k] for j in range(high) for k in range(wide))
                for c in columns
            ]
            for r in rows
        ]
    )


def pooled(values):
    high, wide = values.shape[0] // 2, values.shape[1] // 2
    return np.array(
        [
            [max(values[2 * r + i, 2 * c + j] for i in (0, 1) for j in (0, 1)) for c in range(wide)]
            for r in range(high)
        ]
    )


@about("05", "parameters", "other numbers of digits or steps than the lesson speaks of")
def test_settings_are_those_of_the_lesson():
    found = run_cells("05", "parameters")
    wanted = dict(moved_digits=1_000, learning_digits=20, learning_steps=1_000)
    assert {name: found[name] for name in wanted} == wanted


SHAPES = [((6, 9), (3, 2)), ((5, 5), (3, 3)), ((7, 4), (1, 4))]


@about("05", "load", "the source or the seed is not used")
def test_chance_and_digits_are_those_of_the_parameters(names, monkeypatch):
    monkeypatch.setattr(data, "load", lambda source: f"digits of {source}")
    found = run(names, "load", source="mnist", seed=7)
    assert found["digits"] == "digits of mnist"
    assert found["generator"].random() == np.random.default_rng(7).random()


@pytest.mark.parametrize(("size", "kernel"), SHAPES)
@about("05", "loops, numpy, convolve, ex-4", "a window, weight, flip or sum is another")
def test_loops_numpy_and_convolution_are_sums_of_products(built, size, kernel):
    chance = np.random.default_rng(2)
    image, weights = chance.normal(size=size), chance.normal(size=kernel)
    wanted = correlation(image, weights)
    np.testing.assert_allclose(built["correlate_with_loops"](image, weights), wanted)
    np.testing.assert_allclose(built["correlate"](image, weights), wanted)
    flipped = np.array([row[::-1] for row in weights[::-1]])
    np.testing.assert_allclose(built["convolve"](image, weights), correlation(image, flipped))
    true = run_cells("05", "ex-4-solution", np=np, nb05=SimpleNamespace(convolve=id))
    np.testing.assert_allclose(
        true["true_convolution"](image, weights), correlation(image, flipped)
    )


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, (1, 2), (2, 1)])
@about("05", "numpy, convolve", "stride or padding is forgotten, or laid on the wrong side")
def test_stride_and_padding_are_those_of_the_definition(built, stride, padding):
    chance = np.random.default_rng(3)
    image, weights = chance.normal(size=(8, 7)), chance.normal(size=(3, 3))
    sides = padding if isinstance(padding, tuple) else (padding, padding)
    wanted = correlation(image, weights, stride, *sides)
    np.testing.assert_allclose(built["correlate"](image, weights, stride, padding), wanted)
    turned = correlation(image, weights[::-1, ::-1], stride, *sides)
    np.testing.assert_allclose(built["convolve"](image, weights, stride, padding), turned)


@about("05", "tf-correlate, pool-numpy", "TensorFlow is asked for something else")
def test_tensorflow_computes_the_same_sums(built, tf):
    chance = np.random.default_rng(4)
    image, weights = chance.normal(size=(8, 8)), chance.normal(size=(3, 3))
    built = run(built, "tf-correlate", "pool-numpy", tf=tf)
    for stride, padding, sides in ((1, "VALID", (0, 0)), (1, "SAME", (1, 1)), (2, "SAME", (0, 1))):
        wanted = correlation(image, weights, stride, *sides)
        found = built["tf_correlate"](image, weights, stride, padding)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    np.testing.assert_allclose(built["tf_pool"](image[:7]), pooled(image[:7]), rtol=1e-6)
    assert run(built, "tf-correlate", tf=None)["tf_correlate"](image, weights) is None


@about(
    "05",
    "tensorflow (check)",
    "differences are not measured, not kept, or kept where none is meant",
)
def test_check_measures_the_largest_difference_and_keeps_those_meant_to_agree(names, tf):
    found = run(names, "tensorflow")
    check = found["check"]
    check(np.array([1.0, 2.0]), np.array([1.0, 1.5]))
    check(np.array([1.0, 2.0]), np.array([3.0, 2.0]), agree=False)
    check(np.array([0.0]), np.array([3e-6]))
    assert found["differences"] == [0.5, 3e-6]
    told = run(names, "all-checks", differences=[0.5, 3e-6, 9e-6])
    assert told["agree"] == 2 and told["printed"].startswith("2 of 3 checks agree")


@about("05", "three-ways to pool-digit", "another map is checked, or against something else")
def test_every_check_that_is_meant_to_agree_agrees_and_the_others_do_not(built, tf):
    asked = []
    built = run(built, "tf-correlate", "pool-numpy", tf=tf)

    def check(ours, theirs, agree=True):
        asked.append((np.abs(ours - theirs).max(), agree))

    ids = ("three-ways", "three-ways-digit", "look-flip", "flip-figure", "flip-tensorflow")
    ids += ("no-division", "same-with-stride", "kernels", "all-at-once", "look-pool", "pool-check")
    found = run(built, *ids, "pool-digit", check=check)
    same = [difference for difference, agree in asked if agree]
    other = [difference for difference, agree in asked if not agree]
    assert max(same) < 1e-5 and len(same) == 12 and min(other) > 0.01 and len(other) == 2
    np.testing.assert_allclose(found["digit"], DIGITS.validation.images[0] / 255, rtol=1e-6)
    assert found["noise"].shape == (5, 5)
    np.testing.assert_allclose(
        found["one_and_two"], correlation(found["digit"], found["noise"], 2, 1, 2)
    )
    np.testing.assert_allclose(
        found["two_and_two"], correlation(found["digit"], found["noise"], 2, 2, 2)
    )
    assert found["our_maps"].shape == (28, 28, 4)


@about("05", "tiny to window-figure", "the worked example has other numbers")
def test_the_worked_example_is_right(built):
    found = run(built, "look-place", "window-figure", "loops-seven", "numpy-seven", "relu-seven")
    wanted = correlation(found["seven"], found["edges"])
    np.testing.assert_array_equal(found["whole_map"], wanted)
    assert wanted.tolist() == [[1, 2, -2], [3, 3, -4], [4, 2, -4]]
    assert found["kept"].compared == [2] == [found["products"].sum()]
    np.testing.assert_array_equal(found["products"], found["seven"][0:3, 1:4] * found["edges"])
    _, (grids, frames), _ = found["kept"].drawn[-1]
    assert frames == {"image": (0, 1, 3, 3), "map": (0, 1, 1, 1)}, "another window is framed"
    np.testing.assert_array_equal(grids["map"], wanted)
    relu = np.array2string(np.maximum(0, wanted.astype(int) - 1))
    assert found["printed"].endswith(relu), "relu-seven: another bias, or no ReLU"


@about("05", "look-flip, flip-figure, flip-tensorflow", "correlation and convolution are exchanged")
def test_a_dot_shows_which_of_the_two_flips(built):
    more = {"tf": None, "tf_correlate": lambda *_: None}
    found = run(built, "look-flip", "flip-figure", "flip-tensorflow", **more)
    assert found["kept"].compared == ["b"]
    numbers = np.arange(1, 10).reshape(3, 3)
    np.testing.assert_array_equal(found["two_maps"]["correlation"], numbers[::-1, ::-1])
    np.testing.assert_array_equal(found["two_maps"]["convolution"], numbers)
    assert "[1 2 3] np.convolve" in found["printed"]
    assert "[3 2 1] np.correlate" in found["printed"]


@about("05", "sizes, look-sizes, ex-2", "another formula, or another case")
def test_sides_of_maps_are_those_of_the_formula(built):
    found = run(built, "sizes", "look-sizes")
    rows = {row["case"]: row for row in built["kept"].tables[0]}
    wanted = dict(zip("ABCDEFG", (3, 24, 28, 28, 14, 12, 3), strict=True))
    assert {case: row["NumPy"] for case, row in rows.items()} == wanted
    assert {case: int(row["gives"]) for case, row in rows.items()} == wanted
    assert rows["F"]["gives"] == 12.5 and rows["G"]["gives"] == 3.5
    side = run_cells("05", "ex-2-solution", nb05=SimpleNamespace(output_side=id))["output_side"]
    for _, width, kernel, padding, stride in found["cases"]:  # in the order of the table
        image, weights = np.zeros((width, width)), np.zeros((kernel, kernel))
        wanted = len(correlation(image, weights, stride, padding, padding))
        assert side(width, kernel, padding, stride) == wanted


@about("05", "kernels, maps-figure, relu-figure", "a kernel is another one, or its map is")
def test_four_kernels_see_what_their_names_say(built):
    digit = DIGITS.validation.images[3] / 255
    found = run(built, "kernels", "maps-figure", "relu-figure", digit=digit)
    right_minus_left = np.zeros((28, 28))
    padded = np.pad(digit, 1)
    for r in range(28):
        for c in range(28):
            right_minus_left[r, c] = (padded[r : r + 3, c + 2] - padded[r : r + 3, c]).sum()
    np.testing.assert_allclose(found["maps"]["vertical"], right_minus_left, atol=1e-9)
    for name, kernel in found["kernels"].items():
        wanted = correlation(digit, kernel, 1, 1, 1)
        np.testing.assert_allclose(found["maps"][name], wanted, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(found["kernels"]["horizontal"], [[-1] * 3, [0] * 3, [1] * 3])
    ring = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    np.testing.assert_array_equal(found["kernels"]["outline"], ring)
    np.testing.assert_allclose(found["kernels"]["blur"], 1 / 9)
    for name in ("vertical", "horizontal"):
        clipped = np.where(found["maps"][name] > 0, found["maps"][name], 0)
        np.testing.assert_array_equal(found["after"][f"{name}, ReLU"], clipped)


@about("05", "equivariance, pool-moves", "the map is not the moved map")
def test_maps_move_along_with_the_digit_and_pooled_maps_with_two_pixels(built):
    found = run(built, "equivariance", "forgives", "pool-moves", some=DIGITS.validation.images)
    assert found["printed"].splitlines() == [
        "map of the moved digit = moved map: True",
        "pooled map of the moved digit = moved pooled map: True",
    ]
    moved = np.zeros((28, 28))
    moved[:, 3:] = DIGITS.validation.images[0][:, :-3]
    np.testing.assert_array_equal(
        found["map_of_moved"], correlation(moved, built["edges"], 1, 1, 1)
    )
    moved = np.zeros((28, 28))
    moved[:, 2:] = DIGITS.validation.images[0][:, :-2]
    relu = np.maximum(0, correlation(moved, built["edges"], 1, 1, 1))
    np.testing.assert_array_equal(found["once_moved"], pooled(relu))


@about("05", "look-relu", "other digits, or another share")
def test_share_that_survives_relu_is_counted_on_validation_digits(built):
    found = run(built, "look-relu")
    place = {image.tobytes(): i for i, image in enumerate(DIGITS.validation.images)}
    order = [place[image.tobytes()] for image in found["some"]]
    assert len(set(order)) == 12 and order != sorted(order), "not 12 different digits by chance"
    maps = np.array([correlation(image, built["edges"], 1, 1, 1) for image in found["some"]])
    assert found["survives"] == np.mean(maps > 0) == built["kept"].compared[-1]
    assert f"below zero {np.mean(maps < 0):.3f}" in found["printed"]
    assert found["printed"].endswith(f"sum of all maps {int(maps.sum())}")


@about("05", "pool-loops, pool-numpy, look-pool", "not the largest of each block of two by two")
def test_pooling_keeps_the_largest_of_each_block(built):
    values = np.random.default_rng(5).normal(-3, 1, (7, 10))  # below zero, and a row left over
    np.testing.assert_array_equal(built["max_pool_with_loops"](values), pooled(values))
    np.testing.assert_array_equal(built["max_pool"](values), pooled(values))
    run(built, "look-pool")
    assert built["kept"].compared[-1] == "[3, 2, 4, 5]"
    maps = {"vertical": np.random.default_rng(6).normal(size=(28, 28))}
    found = run(built, "pool-digit", "pool-figure", maps=maps)
    once = pooled(np.maximum(0, maps["vertical"]))
    np.testing.assert_array_equal(found["once"], once)
    np.testing.assert_array_equal(found["twice"], pooled(once))
    mean = run_cells("05", "ex-3-solution", np=np, nb05=SimpleNamespace(mean_pool=id))["mean_pool"]
    by_hand = [
        [values[3 * r : 3 * r + 3, 3 * c : 3 * c + 3].mean() for c in range(3)] for r in (0, 1)
    ]
    np.testing.assert_allclose(mean(values, 3), by_hand)


@about("05", "forgives, look-forgives", "moved by another distance, or another share is counted")
def test_what_pooling_forgives_is_counted_where_there_is_ink(built):
    some = DIGITS.validation.images[:6]
    found = run(built, "forgives", "look-forgives", "forgives-figure", some=some)

    def chain(image):
        first = np.maximum(0, correlation(image, built["edges"], 1, 1, 1))
        return first, pooled(first), pooled(pooled(first))

    for distance in (1, 3):
        moved = np.zeros_like(some)
        moved[:, :, distance:] = some[:, :, :-distance]
        pairs = [(chain(a), chain(b)) for a, b in zip(some, moved, strict=True)]
        for stage in range(3):
            before = np.array([a[stage] for a, _ in pairs])
            after = np.array([b[stage] for _, b in pairs])
            ink = (before > 0) | (after > 0)
            share = np.mean(before[ink] != after[ink])
            size = np.abs(before - after).sum() / np.maximum(before, after).sum()
            assert found["shares"][distance - 1, stage] == pytest.approx(share), (distance, stage)
            assert found["sizes"][distance - 1, stage] == pytest.approx(size), (distance, stage)
    assert built["kept"].compared[-1] == found["shares"][0, 1]
    assert found["distances"] == [1, 2, 3, 4]
    row = built["kept"].tables[-1][1]
    assert row["moved by"] == "2 px" and row["pooled twice"] == f"{found['shares'][1, 2]:.3f}"
    _, (curves,), _ = built["kept"].drawn[-1]
    np.testing.assert_array_equal(curves["pooled once"], found["sizes"][:, 1])


@about("05", "matrix, look-dense", "the matrix or a count of weights is another")
def test_a_convolution_is_a_matrix_and_saves_weights(built):
    found = run(built, "matrix", "look-dense", "look-windows", "matrix-figure")
    np.testing.assert_array_equal([*built["kept"].drawn[-1][1][0].values()][0], found["matrix"].T)
    image = np.random.default_rng(7).normal(size=(5, 5))
    wanted = correlation(image, built["edges"]).ravel()
    np.testing.assert_allclose(image.ravel() @ found["matrix"], wanted, atol=1e-9)
    assert found["convolution_weights"] == 832 and found["dense_weights"] == 785 * 25_088
    assert built["kept"].compared == [found["dense_weights"], found["dense_weights"] / 652_288]
    assert found["printed"].splitlines()[-3:] == [
        "19,694,080 / 832 = 23,671",
        "windows: 19,694,080 / 652,288 = 30",
        "sharing: 652,288 / 832 = 784",
    ]


def summed(image, filters):
    """The definition of a layer over several channels: every product, one by one."""
    high, wide, channels, count = filters.shape
    maps = np.zeros((image.shape[0] - high + 1, image.shape[1] - wide + 1, count))
    for r, c, f in np.ndindex(maps.shape):
        places = np.ndindex(high, wide, channels)
        maps[r, c, f] = sum(image[r + j, c + k, n] * filters[j, k, n, f] for j, k, n in places)
    return maps


CHANNELS = ("channels", "channels-loops")


@about("05", "channels to look-maps", "a channel or a filter is left out or exchanged")
def test_a_filter_adds_up_over_all_channels(built, tf):
    ids = (*CHANNELS, "channels-figure", "look-channels", "channels-check", "channels-maps")
    found = run(built, *ids, tf=None)
    wanted = summed(found["channels"], found["filters"])
    np.testing.assert_array_equal(found["two"], wanted)
    assert found["kept"].compared == [wanted[0, 1, 0]] == [7]
    assert "from flat: 3 from upright: 4" in found["printed"]
    grids = found["kept"].drawn[-1][1][0]
    np.testing.assert_array_equal(grids["sum: map 2"], wanted[:, :, 1])
    corner, stem = grids["ReLU(map 1 - 5)"], grids["ReLU(map 2 - 1)"]
    assert np.argwhere(corner).tolist() == [[0, 1]], "it is not the corner alone that is left"
    assert np.argwhere(stem).tolist() == [[1, 1], [2, 1]], "it is not the stem that is left"
    chance = np.random.default_rng(8)
    image, filters = chance.normal(size=(6, 5, 3)), chance.normal(size=(2, 3, 3, 4))
    wanted = summed(image, filters)
    np.testing.assert_allclose(found["correlate_channels"](image, filters), wanted)
    theirs = run(built, *CHANNELS, "channels-check", tf=tf)["tf_channels"](image, filters)
    np.testing.assert_allclose(theirs, wanted, atol=1e-5)
    layer = run_cells("05", "ex-5-solution", np=np, nb05=SimpleNamespace(layer=id))["layer"]
    biases = chance.normal(size=4)
    np.testing.assert_allclose(layer(image, filters, biases), np.maximum(0, wanted + biases))


@about("05", "look-maps", "another number of maps is the answer")
def test_a_layer_makes_as_many_maps_as_it_has_filters(built):
    found = run(built, "channels-loops", "look-maps")
    assert found["kept"].compared == [64] and "maps: (14, 14, 64)" in found["printed"]


@about("05", "look-sobel, own-figure", "Sobel's kernel is another, or the wrong rim is the answer")
def test_sobel_is_positive_below_a_stroke(built):
    found = run(built, "look-sobel", "own-figure", digit=DIGITS.validation.images[0] / 255)
    assert found["kept"].compared == ["b"]
    wanted = correlation(found["stroke"], np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]))
    np.testing.assert_array_equal(found["answers"], wanted)
    assert wanted[2, 0] > 0 > wanted[0, 0] and not found["own"].sum()


@about("05", "fields, fields-measured, fields-table", "the rule and what is measured differ")
def test_receptive_fields_follow_the_rule_and_are_measured(built):
    found = run(built, "fields", "fields-measured", "fields-table", "fields-figure", digit="digit")
    assert list(built["kept"].drawn[-1][1][1].values()) == found["frames"]
    assert found["rule"] == [(5, 1), (6, 2), (14, 2), (16, 4)]
    assert built["kept"].compared[-1] == 16
    assert [frame[2:] for frame in found["frames"]] == [(5, 5), (6, 6), (14, 14), (16, 16)]
    assert found["fields"]([(3, 2), (3, 2), (3, 1)]) == [(3, 2), (7, 4), (15, 4)]
    rows = built["kept"].tables[-1]
    assert [row["map"] for row in rows] == ["28 x 28", "14 x 14", "14 x 14", "7 x 7"]
    assert all(row["field"] == row["measured"] for row in rows)


@about(
    "05", "learn, learn-table", "not gradient descent on the mean squared error with a rate of 0.5"
)
def test_a_kernel_is_learned_by_gradient_descent_on_the_squared_error(built):
    ids = ("maps-of", "gradient-of", "learn")
    found = run(
        built, *ids, "look-ten", "learn-table", "learn-figure", some=DIGITS.validation.images
    )
    assert built["kept"].compared[-1] == found["off"]["step 10"]
    images = DIGITS.validation.images[:4] / 255
    right = np.array([correlation(image, built["edges"]) for image in images])
    kernel = found["snapshots"]["step 0"].copy()
    for step in range(1, 61):
        errors = np.array([correlation(i, kernel) for i in images]) - right if step < 3 else None
        if step < 3:
            slope = [
                2 * np.mean(errors * images[:, j : j + 26, k : k + 26])
                for j in range(3)
                for k in range(3)
            ]
            kernel = kernel - 0.5 * np.reshape(slope, (3, 3))
    two = run(built, *ids, some=DIGITS.validation.images, learning_steps=2, generator=again())
    np.testing.assert_allclose(two["kernel"], kernel, atol=1e-9)
    assert list(found["snapshots"]) == ["step 0", "step 1", "step 10", "step 60"]
    assert found["off"]["step 60"] < found["off"]["step 10"] < found["off"]["step 0"]
    last = np.array([correlation(i, found["kernel"]) for i in images])
    assert found["loss"] == pytest.approx(np.mean((last - right) ** 2)), "of the last kernel"
    assert built["kept"].tables[-1][-1]["loss"] == f"{found['loss']:.2g}"
    worst = np.abs(found["kernel"] - built["edges"]).max()
    assert found["off"]["step 60"] == pytest.approx(worst)


def again():
    return np.random.default_rng(1)


@about("05", "results", "a number is recorded under the name of another")
def test_numbers_are_recorded_under_their_names(names):
    shares, sizes = np.arange(12).reshape(4, 3) / 100, np.arange(12).reshape(4, 3) / 10
    frames, off = [(0, 0, 5, 5), (0, 0, 16, 16)], {"step 60": 0.25}
    how = {"shares": shares, "sizes": sizes, "frames": frames, "off": off, "survives": 0.5}
    run(names, "results", convolution_weights=832, **how)
    assert names["kept"].recorded == {
        "edges_survive_relu": 0.5,
        "changed_1px": 0.0,
        "changed_1px_pooled": 0.01,
        "changed_1px_pooled_twice": 0.02,
        "changed_2px_pooled": 0.04,
        "changed_2px_pooled_twice": 0.05,
        "change_size_2px": 0.3,
        "change_size_2px_pooled": 0.4,
        "change_size_2px_pooled_twice": 0.5,
        "convolution_weights": 832,
        "receptive_field": 16,
        "learned_kernel_error": 0.25,
    }


@about("05", "ruler", "rows of other notebooks, or of another source")
def test_ruler_shows_the_rows_of_earlier_notebooks(names, monkeypatch):
    monkeypatch.setattr(lesson, "shift_rows", lambda source, before: {f"{source} {before}": [1]})
    run(names, "ruler")
    assert names["kept"].drawn == [("shift_ruler", ({"made up 05": [1]},), {"source": "made up"})]
    monkeypatch.setattr(lesson, "shift_rows", lambda *_, **__: {})
    assert run(names, "ruler")["printed"] == "No network has been measured on made up yet."


@about("05", "wrong-...", "what should go wrong does not")
def test_what_goes_wrong_is_shown(built, tf):
    assert run(built, "wrong-uint8")["printed"].splitlines() == [
        "right minus left in uint8: [190 156]",
        "and as it should be:       [ 190 -100]",
    ]
    more = {"digit": np.zeros((28, 28), np.float32), "noise": np.zeros((5, 5)), "tf": tf}
    assert "depth" in run(built, "wrong-axes", **more)["printed"]


def test_pencil_exercise_has_its_answer():
    found = run_cells("05", "ex-1-solution", nb05=SimpleNamespace(one_place=id))
    image = np.array([[1, 0, 2, 0], [3, 1, 0, 1], [0, 2, 1, 0], [1, 0, 3, 2]])
    wanted = correlation(image, np.array([[1, 2], [0, -1]]))[1, 0]
    assert found["number"] == wanted == 3, "notebook 05, ex-1-solution"
