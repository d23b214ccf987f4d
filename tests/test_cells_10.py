"""Notebook 10: its steps on small pictures, its trainings with stand-ins that only listen."""

from types import SimpleNamespace

import numpy as np
import pytest
from cells import run_cells
from stand_ins import about, digits, listen, shifts

cv2 = pytest.importorskip("cv2", reason="OpenCV is missing")
keras = pytest.importorskip("keras", reason="Keras is missing")

from mnist_edu import data, drawings, ink, lesson, plots, synthetic  # noqa: E402
from mnist_edu.exercises import nb10  # noqa: E402

pytestmark = pytest.mark.slow
DIGITS = digits()
SETTINGS = {"seed": 1, "train_images": 300, "passes": 2, "written_digits": 24, "tuning_seeds": 2}
SETTINGS |= {"ablation_digits": 6, "picture_file": "", "ruler_images": 120}
GUESSES = ("untidy", "raw", "ink", "step", "tuning", "shift")


@pytest.fixture
def names(monkeypatch):
    return {
        **{"np": np, "cv2": cv2, "keras": keras, "layers": keras.layers, "nb10": nb10, "ink": ink},
        **{"data": data, "lesson": lesson, "plots": plots, "synthetic": synthetic},
        **{"drawings": drawings},
        **{"digits": DIGITS, "kept": listen(monkeypatch), "chance": np.random.default_rng(1)},
        **SETTINGS,
        **{f"guess_{name}": ... for name in GUESSES},
    }


def run(names, *ids, **more):
    return run_cells("10", *ids, **names | more)


@pytest.fixture
def built(names):
    return run(names, "prepare", "other-place", "other-pen", "make", "ask", "shares", "resize")


class Chance:
    """Stands for a generator of random numbers: gives what is set, and keeps what was asked."""

    def __init__(self, *values):
        self.values, self.asked = list(values), []

    def uniform(self, low, high, *size):
        self.asked.append((low, high, *size))
        return self.values.pop(0)


class Reader:
    """Stands for a network: reads a bar at the place that belongs to its digit."""

    def __init__(self, error=0):
        self.error, self.seen, self.trained = error, [], []

    def predict(self, images, **_):
        self.seen.append(images)
        rows = np.asarray(images).reshape(-1, 28, 28)[:, :20, 4:24].mean(2)
        return np.roll(10 * rows.reshape(-1, 10, 2).mean(2), self.error, 1)

    __call__ = predict

    def fit(self, images, labels, **how):
        self.trained.append((images, labels, how))


def right_of(answers, labels):
    return np.mean(np.asarray(answers) == np.asarray(labels))


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def plain(part):
    """What ``Reader`` answers to a split, worked out here."""
    return (part.images / 255)[:, :20, 4:24].mean(2).reshape(-1, 10, 2).mean(2).argmax(1)


@about("10", "parameters, prepare", "other numbers than the lesson speaks of, or other splits")
def test_settings_and_splits(built):
    found = run_cells("10", "parameters")
    wanted = dict(train_images=55_000, passes=2, written_digits=100, ablation_digits=80)
    wanted |= dict(tuning_seeds=3, ruler_images=5_000, picture_file="")
    assert {name: found[name] for name in wanted} == wanted
    for name in ("train", "validation", "test"):
        part, count = getattr(DIGITS, name), 300 if name == "train" else 10_000
        np.testing.assert_array_equal(built[f"{name}_x"], part.images[:count], err_msg=name)
        np.testing.assert_array_equal(built[f"{name}_y"], part.labels[:count], err_msg=name)


@about("10", "other-place", "another range, or another move than the one drawn by chance")
def test_other_place_turns_resizes_and_moves_by_what_chance_gives(built):
    image = np.zeros((28, 28), np.uint8)
    image[10:14, 8:12] = 200
    chance = Chance(0.0, 1.0, np.array([2.0, -1.0]))
    moved = built["other_place"](image, chance)
    assert chance.asked == [(-12, 12), (0.85, 1.1), (-2, 2, 2)]
    wanted = np.zeros_like(image)
    wanted[9:13, 10:14] = 200
    np.testing.assert_array_equal(moved, wanted)
    large = built["other_place"](image, Chance(0.0, 1.1, np.zeros(2)))
    assert large.sum() / image.sum() == pytest.approx(1.1**2, abs=0.03)
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 13:15] = 250
    turned = built["other_place"](bar, Chance(12.0, 1.0, np.zeros(2))).astype(float)
    columns = turned @ np.arange(28) / np.maximum(turned.sum(1), 1)
    assert (columns[6] - columns[21]) / 15 == pytest.approx(-np.tan(np.radians(12)), abs=0.02)
    assert columns[[13, 14]].mean() == pytest.approx(13.5, abs=0.1), "not about the middle"


@pytest.mark.parametrize("change", [1.0, 0.5, 0.0, -0.25, -0.5])
@about("10", "other-pen", "not the share of a thicker or thinner stroke that chance gives")
def test_other_pen_mixes_the_image_with_a_thicker_or_thinner_one(built, change):
    image = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    chance = Chance(change)
    found = built["other_pen"](image, chance)
    inner = image.astype(int)[1:-1, 1:-1]
    near = [image[1:-1, :-2], image[1:-1, 2:], image[:-2, 1:-1], image[2:, 1:-1]]
    changed = (np.maximum if change > 0 else np.minimum).reduce([inner, *near])
    wanted = inner * (1 - abs(change)) + changed * abs(change)
    np.testing.assert_allclose(found[1:-1, 1:-1], wanted, atol=0.51)
    assert chance.asked == [(-0.5, 1)]


@about("10", "untidy, untidy-figure", "an image is left as it is, or comes from another one")
def test_untidy_images_are_their_own_image_moved_and_then_drawn_by_another_pen(built):
    images = DIGITS.train.images[:4]
    calls = []
    more = {"other_place": lambda image, chance: calls.append("place") or image + chance}
    more["other_pen"] = lambda image, chance: calls.append("pen") or 2 * image
    cell = run(built, "other-pen")  # defines untidy beside other_pen
    space = cell["untidy"].__globals__
    space.update(more)
    np.testing.assert_array_equal(cell["untidy"](images, 1), 2 * (images + 1))
    assert calls == ["place", "pen"] * 4
    found = run(built, "untidy-figure")
    name, (ten, told), _ = built["kept"].drawn[-1]
    np.testing.assert_array_equal(ten[0], DIGITS.train.images[0])
    assert len({image.tobytes() for image in ten}) == 10
    label = DIGITS.train.labels[0]
    assert told == [f"{label} as it is"] + 9 * [f"still {label}"]
    assert found["ten"].dtype == np.uint8


def drawn_layers():
    """What the layers of the drawing learn, by their sizes: convolutions, then dense layers."""
    seen = []
    listener = SimpleNamespace(Layer=drawings.Layer, network=seen.extend)
    run_cells("10", "network", drawings=listener)
    inputs = {"conv": 9 * 1, "dense": 7 * 7 * 32}
    for layer in seen[1:]:
        kind, outputs = layer.name, layer.shape[-1]
        if kind in inputs:
            assert layer.parameters == (inputs[kind] + 1) * outputs, layer
            inputs[kind] = 9 * outputs if kind == "conv" else outputs
            yield layer.parameters


@about("10", "network, make, make-networks", "another network, loss or learning rate")
def test_both_networks_are_the_one_described_and_their_rate_falls_along_a_cosine(built):
    found = run(built, "make-networks", "network")
    assert found["printed"] == f"{sum(drawn_layers()):,} weights", "not the network of the drawing"
    kinds = [type(layer).__name__ for layer in found["network"].layers]
    convolution = ["Conv2D", "MaxPooling2D", "ReLU"]
    rest = ["Flatten", "Dense", "Dropout", "Dense"]
    assert kinds == ["Reshape", *convolution, *convolution, *rest]
    assert [type(layer).__name__ for layer in found["tidy"].layers] == kinds
    assert found["tidy"] is not found["network"]
    first, second = (layer for layer in found["network"].layers if hasattr(layer, "filters"))
    for layer, filters in ((first, 16), (second, 32)):
        how = (layer.filters, layer.kernel_size, layer.padding, layer.strides)
        assert how == (filters, (3, 3), "same", (1, 1))
    dense, dropout, last = found["network"].layers[-3:]
    assert (dense.units, dense.activation.__name__, dropout.rate) == (64, "relu", 0.2)
    assert (last.units, last.activation.__name__) == (10, "linear") and found[
        "network"
    ].loss.from_logits
    optimizer = found["network"].optimizer
    steps, top = 2 * 300 // 128, 0.003
    for step in range(steps + 2):
        gone = min(step / steps, 1)
        wanted = top * (0.05 + 0.95 * (1 + np.cos(np.pi * gone)) / 2)
        rate = float(optimizer._learning_rate(step))
        assert rate == pytest.approx(wanted, rel=1e-4), f"rate of step {step}"
    assert type(optimizer).__name__ == "Adam"


@about("10", "ask, predict", "logits are not turned into probabilities of the scaled images")
def test_the_network_is_asked_about_scaled_images_and_gives_probabilities(built):
    reader = Reader()
    p = built["ask"](reader, DIGITS.test.images)
    scaled = DIGITS.test.images / np.float32(255)
    np.testing.assert_allclose(p, softmax(Reader().predict(scaled)), rtol=1e-4)
    np.testing.assert_allclose(reader.seen[0], scaled, rtol=1e-6)
    accuracy = built["accuracy"](reader, DIGITS.test.images, DIGITS.test.labels)
    assert 0.9 < accuracy == right_of(plain(DIGITS.test), DIGITS.test.labels)
    assert built["accuracy"](Reader(error=1), DIGITS.test.images, DIGITS.test.labels) < 0.1
    one = run(built, "predict", network=reader)["predict"](DIGITS.test.images[7])
    np.testing.assert_allclose(one, p[7], rtol=1e-4)


@about("10", "train-tidy, train-untidy, look-untidy", "a network sees the digits of the other")
def test_one_network_sees_tidy_digits_and_the_other_untidy_ones_anew_in_each_pass(built):
    made = []

    def untidy(images, chance):
        made.append(images)
        return np.full_like(images, len(made))

    tidy, network = Reader(error=3), Reader()
    more = {"tidy": tidy, "network": network, "untidy": untidy}
    found = run(built, "train-tidy", "train-untidy", **more)
    for images, _, _ in tidy.trained:
        np.testing.assert_allclose(images, built["train_x"] / np.float32(255), rtol=1e-6)
    for number, (images, _, _) in enumerate(network.trained):
        np.testing.assert_allclose(images, (number + 1) / 255, rtol=1e-6, err_msg="not anew")
    for _, labels, how in tidy.trained + network.trained:
        assert labels is built["train_y"] and how["batch_size"] == 128 and "epochs" not in how
    assert len(tidy.trained) == len(network.trained) == 2 == len(made)
    found = run(built, "look-untidy", **more | {"untidy": lambda images, chance: images.copy()})
    right = right_of(plain(DIGITS.validation), DIGITS.validation.labels)
    assert found["on_untidy"]["untidy"] == right and found["on_untidy"]["tidy"] < 0.2
    assert built["kept"].compared[-1] == found["on_untidy"]["tidy"]


@about("10", "written, three-kinds", "strokes, pens or labels of other digits, or columns mixed up")
def test_drawn_digits_have_their_labels_and_three_kinds_are_told_apart(built):
    found = run(built, "written")
    assert found["written_y"].tolist() == [n % 10 for n in range(24)]
    for number in (0, 7, 13, 22):
        strokes = synthetic.example_strokes(number % 10, seed=number // 10)
        pad = ink.draw_strokes(strokes, width=(8, 14, 20, 28)[number % 4])
        np.testing.assert_array_equal(found["written_x"][number], ink.to_mnist(pad))
    answers = {"validation_x": 0.9, "written_x": 0.8}
    tidy, network = "tidy", "untidy"

    def accuracy(model, images, labels):
        for name, value in answers.items():
            if images is found[name]:
                assert labels is found[name.replace("_x", "_y")], "labels of other digits"
                return value - 0.1 * (model == "untidy")
        raise AssertionError("other digits are read")

    on_untidy = {"tidy": 0.3, "untidy": 0.4}
    more = {"tidy": tidy, "network": network, "on_untidy": on_untidy, "accuracy": accuracy}
    run(found, "three-kinds", **more)
    rows = [[*row.values()] for row in built["kept"].tables[-1]]
    assert rows == [["tidy", "0.900", "0.300", "0.800"], ["untidy", "0.800", "0.400", "0.700"]]


@pytest.mark.parametrize(("old", "new"), [(5, 2), (28, 28), (280, 28), (7, 3), (10, 20)])
@about("10", "shares, resize", "a new pixel is not the mean of what it covers")
def test_resizing_takes_the_mean_of_what_each_new_pixel_covers(built, old, new):
    shares = built["shares"](old, new)
    fine = np.repeat(np.eye(old), new, axis=0)  # each old pixel cut into `new` equal pieces
    np.testing.assert_allclose(shares, fine.reshape(new, old, old).mean(1), atol=1e-12)
    image = np.random.default_rng(0).random((old, 6))
    wide = np.repeat(np.repeat(image, new, axis=0), 4, axis=1)
    wanted = wide.reshape(new, old, 4, 6).mean((1, 3))
    np.testing.assert_allclose(built["resize"](image, new, 4), wanted, atol=1e-12)


@about("10", "mass", "not the mean over the images of where their ink is")
def test_centre_of_mass_is_asked_of_the_training_digits(built):
    moments = [cv2.moments(image) for image in built["train_x"]]
    row, column = (np.mean([m[name] / m["m00"] for m in moments]) for name in ("m01", "m10"))
    said = run(built, "mass")["printed"].splitlines()
    assert said == [f"row: {row:.2f} on average", f"column: {column:.2f} on average"]


def drawn_digit():
    """A thin tall 7, dark on light, off the middle."""
    strokes = [[(60, 40), (130, 40), (90, 220)]]
    return 255 - ink.draw_strokes(strokes, size=280, width=10)


@about("10", "raw to centre", "a stage does not do what it is named after")
def test_each_stage_brings_the_drawing_nearer_to_the_form_of_mnist(built):
    raw = run(built, "raw")
    np.testing.assert_array_equal(
        raw["drawing"], 255 - ink.draw_strokes(raw["nine"], size=280, width=8)
    )
    drawing = drawn_digit()
    more = {"drawing": drawing, "predict": lambda image: np.arange(10) + image.mean()}
    more["index"] = np.arange(28)
    found = run(built, "look-raw", "invert", "crop", "scale", "centre", **more)
    stages = found["stages"]
    small = drawing.reshape(28, 10, 28, 10).mean((1, 3))
    np.testing.assert_allclose(stages["as it is"], small)
    assert built["kept"].compared[-1] == 9 + small.astype(np.uint8).mean(), "not the chance of a 9"
    np.testing.assert_allclose(stages["inverted"], 255 - small)
    rows, columns = np.nonzero(drawing < 128)
    cropped = 255 - drawing[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    np.testing.assert_array_equal(found["cropped"], cropped)
    high, wide = cropped.shape
    assert found["printed"].splitlines()[0] == f"the ink is {wide} pixels wide and {high} high"
    np.testing.assert_allclose(stages["cropped"], built["resize"](cropped, 28, 28))
    scaled = stages["scaled"]
    assert not scaled[:4].any() and not scaled[-4:].any() and scaled[4].any() and scaled[23].any()
    square = np.zeros((high, high))
    square[:, (high - wide) // 2 :][:, :wide] = cropped
    small = np.pad(built["resize"](square, 20, 20), 4)
    np.testing.assert_allclose(scaled, small, err_msg="not in the middle of a square")
    used = np.flatnonzero(scaled.max(0) > 60)
    assert len(used) == pytest.approx(20 * wide / high, abs=1.5), "the shape is lost"
    assert used.mean() == pytest.approx(13.5, abs=0.6), "not in the middle of the square"
    assert scaled.sum() == pytest.approx(cropped.astype(float).sum() * (20 / high) ** 2, rel=1e-6)
    centred, index = stages["centred"], np.arange(28)
    for axis in (0, 1):
        mass = centred.sum(1 - axis) @ index / centred.sum()
        assert abs(mass - 14) <= 0.5, "the centre of mass is not near 14"
    down, right = found["down"], found["right"]
    np.testing.assert_array_equal(centred, np.roll(scaled, (down, right), (0, 1)))


@about("10", "stages, stages-difference", "the pictures or what is read of them are mixed up")
def test_stages_are_shown_with_what_is_read(built):
    drawing, chance = drawn_digit(), np.random.default_rng(0)
    stages = {name: 255 * chance.random((28, 28)) for name in ("as it is", "centred")}
    told = chance.dirichlet(np.ones(10), 3)
    how = {"drawing": drawing, "stages": stages, "network": None, "ask": lambda _, images: told}
    found = run(built, "stages", "stages-difference", **how)
    _, (seen, words), _ = built["kept"].drawn[-1]
    np.testing.assert_array_equal(seen[2], ink.to_mnist(drawing))
    np.testing.assert_array_equal(seen[0], np.round(stages["as it is"]))
    assert words[0] == f"1: as it is\n{told[0].argmax()}, {told[0].max():.2f}"
    apart = np.abs(stages["centred"] - ink.to_mnist(drawing)).mean()
    assert found["printed"].splitlines()[0].startswith(f"ours and to_mnist: {apart:.1f}")
    apart = np.abs(stages["centred"] - ink.to_mnist(drawing, without=("pen",))).mean()
    assert found["printed"].splitlines()[1].startswith(f"ours and without pen: {apart:.1f}")


@about("10", "raw, sheets", "a sheet shows something else, or is read where another one stands")
def test_three_sheets_are_shown_as_they_are_and_in_the_form_of_mnist(built):
    found = run(built, "raw")
    pen, chalk, photo = found["sheets"].values()
    np.testing.assert_array_equal(chalk, 255 - pen)
    darkest = cv2.GaussianBlur(photo, (0, 0), 3)[..., 0].astype(float)
    assert np.corrcoef(darkest[20:160, 30:120].ravel(), pen[20:160, 30:120].ravel())[0, 1] > 0.5
    p = np.eye(10)[[1, 2, 3, 9, 9, 9]]
    run(found, "sheets", network=None, ask=lambda _, images: p)
    name, (images, labels, read), _ = built["kept"].drawn[-1]
    assert name == "predictions" and labels == 6 * [9] and [*read] == [1, 2, 3, 9, 9, 9]
    for n, sheet in enumerate((pen, chalk, photo)):
        small = sheet.reshape(28, 10, 28, -1).mean((1, 3))
        np.testing.assert_allclose(images[n], small, atol=1)
        np.testing.assert_array_equal(images[3 + n], ink.to_mnist(sheet))


@pytest.fixture
def photographed(built):
    return run(built, "photo", "grey", "look-ink", "light", "threshold", "pieces")


@about("10", "photo to pieces", "a step of reading a photo does something else")
def test_a_photo_is_made_even_parted_by_the_best_threshold_and_cut_into_pieces(built, photographed):
    found, chance = photographed, np.random.default_rng(1)
    page = nb10.page(DIGITS.validation.images[100:112], chance)
    np.testing.assert_array_equal(found["photo"], nb10.photo(page, chance))
    weights = np.array([0.299, 0.587, 0.114])  # of red, green and blue in grey
    np.testing.assert_allclose(found["grey"], found["photo"] @ weights, atol=1)
    assert built["kept"].compared[-1] == 100 * np.mean(found["grey"] < 128)
    light = np.outer(np.linspace(250, 120, 200), np.linspace(1, 0.8, 200))
    sheet = light.copy()
    sheet[90:100, 40:160] *= 0.3  # a stroke
    even = run(built, "light", grey=sheet.astype(np.uint8))["even"]
    inside = even[30:170, 30:170]
    stroke = np.zeros((200, 200), bool)
    stroke[90:100, 40:160] = True
    assert inside[~stroke[30:170, 30:170]].min() > 235, "paper is not white everywhere"
    assert even[stroke].max() < 0.35 * 255, "the stroke does not stay a part of the light"
    even = found["even"].ravel().astype(float)
    spread = {
        t: even[even <= t].var() * np.mean(even <= t) + even[even > t].var() * np.mean(even > t)
        for t in range(int(even.min()), 255)
    }
    best = min(spread.values())
    assert spread[int(found["threshold"])] == pytest.approx(best, rel=1e-6), "not Otsu's threshold"
    np.testing.assert_array_equal(found["found"], found["even"] < found["threshold"])
    mask = np.zeros((60, 60), bool)
    mask[5:15, 5:15] = mask[30:34, 30:50] = mask[50, 50] = True
    said = run(built, "pieces", found=mask)["printed"]
    assert said == "3 pieces, 2 of them larger than 30 pixels, 12 digits"


@about("10", "find, own-picture", "what is read is shown at other boxes, or doubt is not marked")
def test_what_is_read_of_a_photo_belongs_to_its_boxes(built, photographed, monkeypatch):
    boxes = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    p = np.array([np.eye(10)[4] * 0.9 + 0.01, np.eye(10)[7] * 0.7 + 0.03])
    monkeypatch.setattr(ink, "find_digits", lambda picture: (boxes, DIGITS.test.images[:2]))
    more = {"network": None, "ask": lambda _, images: p}
    found = run(photographed, "find", "own-picture", **more)
    _, (_, framed, read), _ = built["kept"].drawn[-1]
    assert framed is boxes and [*read] == [4, 7]
    assert found["printed"].splitlines()[-1] == "read: 4 7?"
    different = found["picture"][..., :3].astype(int) - photographed["photo"]
    assert np.abs(different).mean() < 8, "the JPEG is not the photo: colours exchanged?"
    asked = []
    monkeypatch.setattr(ink, "read_image", lambda file: asked.append(file))
    run(photographed, "own-picture", **more | {"picture_file": "seven.jpg"})
    assert asked == ["seven.jpg"] and built["kept"].drawn[-1][0] == "pictures"
    said = run(photographed, "find-right", read=DIGITS.validation.labels[100:112])["printed"]
    assert said.startswith("12 of 12 digits are read right")


@about("10", "ablation-pictures", "other digits, or both kinds by one run of chance")
def test_pictures_of_the_ablation_are_of_the_same_digits_in_two_kinds(built):
    found = run(built, "ablation-pictures")
    for number in (0, 5):
        image = DIGITS.validation.images[number]
        chance = np.random.default_rng(number)
        wanted = nb10.drawing(image, chance, side=200)
        np.testing.assert_array_equal(found["pictures"]["drawing"][number], wanted)
        chance = np.random.default_rng(number)
        wanted = nb10.photo(nb10.page(image[np.newaxis], chance, columns=1), chance)
        np.testing.assert_array_equal(found["pictures"]["photo"][number], wanted)
    assert {kind: len(some) for kind, some in found["pictures"].items()} == {
        "drawing": 6,
        "photo": 6,
    }


@about(
    "10", "ablation-measure", "a refused picture is not an empty image, or a step is not left out"
)
def test_a_refused_picture_counts_as_an_empty_image(built, monkeypatch):
    asked = []

    def to_mnist(picture, without):
        asked.append((picture, without))
        if picture == 1:
            raise ValueError("refused")
        return np.full((28, 28), 10 + picture, np.uint8)

    monkeypatch.setattr(ink, "to_mnist", to_mnist)
    found = run(built, "ablation-measure")
    images = found["brought"]([0, 1, 2], ("pen",))
    assert images[:, 0, 0].tolist() == [10, 0, 12] and not images[1].any()
    assert asked == [(number, ("pen",)) for number in range(3)]
    assert found["brought"]([5])[0, 0, 0] == 15 and asked[-1] == (5, ())
    right = found["read_right"](Reader(), DIGITS.validation.images[:20])
    wanted = plain(DIGITS.validation)[:20] == DIGITS.validation.labels[:20]
    np.testing.assert_array_equal(right, wanted)


@about(
    "10",
    "ablation-drawings, ablation-photos",
    "not one step is left out at a time, or of the others",
)
def test_one_step_is_left_out_at_a_time(built):
    asked = []

    def brought(pictures, without=()):
        asked.append((pictures, without))
        return pictures, without

    def read_right(network, made):
        assert network == "network"
        return np.array([1, 1, made[1] != ("light",)])

    more = {"pictures": {"drawing": "drawings", "photo": "photos"}, "brought": brought}
    more |= {"read_right": read_right, "network": "network"}
    photos = ("ablation-photos", "ablation-photos-on")
    found = run(built, "ablation-whole", "ablation-drawings", *photos, **more)
    assert asked[:2] == [("drawings", ()), ("photos", ())]
    assert asked[2:] == [(kind, (step,)) for kind in ("drawings", "photos") for step in ink.STEPS]
    for kind in ("drawing", "photo"):
        for step in ink.STEPS:
            assert found["left_out"][kind, step] == (kind + "s", (step,))
    assert built["kept"].compared == ["light"]
    assert "drawing: 3 of 3 are read right" in found["printed"]


@about(
    "10", "ablation-table", "points lost have the wrong sign or error, or stand in another column"
)
def test_points_lost_are_those_read_before_and_not_after(built):
    before, after = (
        np.array([1, 1, 1, 1, 0, 0, 1, 0, 1, 1]),
        np.array([1, 0, 0, 0, 1, 0, 1, 0, 1, 1]),
    )
    read = {("network", "whole"): before, ("network", "left"): after}
    read |= {("tidy", "whole"): after, ("tidy", "left"): before}
    whole = {"drawing": "whole", "photo": "whole"}
    left_out = {(kind, step): "left" for kind in whole for step in ink.STEPS}
    more = {"read_right": lambda *who: read[who] > 0, "whole": whole, "left_out": left_out}
    found = run(built, "ablation-table", pictures=whole, network="network", tidy="tidy", **more)
    assert found["points_lost"]("network", "drawing", "fit") == "20 ± 20"  # (3 - 1)/10, √(3 + 1)/10
    assert found["points_lost"]("tidy", "photo", "fit") == "-20 ± 20"
    rows = built["kept"].tables[-1]
    assert [row["left out"] for row in rows] == [*ink.STEPS]
    assert rows[0]["drawing, network"] == rows[0]["photo, network"] == "20 ± 20"
    assert rows[0]["drawing, tidy network"] == rows[0]["photo, tidy network"] == "-20 ± 20"
    for n, below in ((10, 30), (80, 4), (3000, 1)):
        more["read_right"] = lambda *who, n=n: np.ones(n, bool)
        lost = run(built, "ablation-table", pictures=whole, network=1, tidy=2, **more)[
            "points_lost"
        ]
        assert lost(1, "drawing", "fit") == f"0 (below {below})", "not the rule of three"
    said = run(built, "ablation-n")["printed"]
    assert "n = 6 pictures of each kind: one digit is 16.7 points" in said


@about("10", "own, own-before", "tuned and kept digits are the same, or of other numbers")
def test_own_digits_are_ten_to_tune_on_and_a_hundred_others_kept_aside(built, monkeypatch):
    monkeypatch.setattr(ink, "to_mnist", lambda pad: pad[::10, ::10])
    found = run(built, "own")
    assert (len(found["own_x"]), len(found["kept_x"])) == (10, 100)
    assert set(found["own_y"]) == set(found["kept_y"]) == {1}
    assert (len(found["own_y"]), len(found["kept_y"])) == (10, 100)
    everything = [*found["own_x"], *found["kept_x"]]
    assert len({image.tobytes() for image in everything}) == 110, "a kept digit is tuned on"
    again = nb10.write_again(found["one"], 10, np.random.default_rng(1))
    wanted = [ink.to_mnist(ink.draw_strokes(strokes)) for strokes in again]
    np.testing.assert_array_equal(found["own_x"], wanted)
    p = np.eye(10)[np.arange(100) % 3 + 1]
    told = run(found, "own-before", network=None, ask=lambda _, images: p[: len(images)])
    assert told["printed"] == "of 100 others 34 are read as 1; most frequent answer: 1"


@pytest.mark.parametrize("old", [0, 40])
@about("10", "tune", "other digits, labels, rate or epochs, or the network itself is changed")
def test_fine_tuning_trains_a_copy_on_own_digits_twenty_times_and_some_old_ones(
    built, monkeypatch, old
):
    monkeypatch.setattr(lesson, "set_seed", lambda seed: None)
    network = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    before = [part.copy() for part in network.get_weights()]
    own = {"own_x": np.full((10, 28, 28), 9, np.uint8), "own_y": np.ones(10, int)}
    own["own_x"][:, 0, 0] = np.arange(10)
    asked, untidied = [], []

    def compiled(model, rate):
        model.fit = lambda images, labels, **how: asked.append((model, images, labels, rate, how))
        return model

    def untidy(images, chance):
        untidied.append(images)
        return images

    more = {"network": network, "compiled": compiled, "untidy": untidy}
    copy = run(built, "tune", **own, **more)["fine_tune"](old, seed=4)
    ((model, images, labels, rate, how),) = asked
    assert model is copy and copy is not network and rate == 0.0005
    assert how["epochs"] == 4 and how["batch_size"] == 50
    for weights, wanted, kept in zip(
        copy.get_weights(), before, network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weights, wanted, err_msg="does not start at the weights")
        np.testing.assert_array_equal(kept, wanted)
    pixels = np.round(images * 255).astype(np.uint8)
    np.testing.assert_array_equal(pixels, untidied[0], err_msg="not the untidy images, scaled")
    np.testing.assert_array_equal(pixels[:200], np.repeat(own["own_x"], 20, axis=0))
    assert len(pixels) == len(labels) == 200 + old and set(labels[:200]) == {1}
    place = {image.tobytes(): number for number, image in enumerate(built["train_x"])}
    order = [place[image.tobytes()] for image in pixels[200:]]
    np.testing.assert_array_equal(labels[200:], built["train_y"][order], err_msg="old labels")
    assert len(set(order)) == old and (old == 0 or order != sorted(order))


@about("10", "tune-all, look-tuning, tuning-table, report", "models or digits are mixed up")
def test_tuned_networks_are_judged_on_the_digits_that_are_named(built):
    jobs = run(built, "tune-all", fine_tune=lambda old, number: (old, number))["tuned"]
    assert jobs == {job: job for job in ((0, 0), (0, 1), (800, 0), (800, 1))}
    kept_x, kept_y = object(), object()
    value = {id(kept_x): 0.5, id(built["validation_x"]): 0.2, id(built["test_x"]): 0.1}
    labels = {id(kept_x): kept_y, id(built["validation_x"]): built["validation_y"]}
    labels[id(built["test_x"])] = built["test_y"]

    def accuracy(model, images, given):
        assert given is labels[id(images)], "labels of other digits"
        extra = (
            {"network": 0.0, "tidy": 0.05}.get(model) if isinstance(model, str) else model[0] / 4000
        )
        return value[id(images)] + extra + (0.02 * model[1] if not isinstance(model, str) else 0)

    more = {"tuned": jobs, "accuracy": accuracy, "kept_x": kept_x, "kept_y": kept_y}
    more |= {"network": "network", "tidy": "tidy", "before": np.array([1, 1, 7, 2])}
    found = run(built, "look-tuning", "tuning-table", "report", **more)
    assert found["after"] == pytest.approx(0.71)
    assert built["kept"].compared[-1] == pytest.approx(71)
    rows = [[*row.values()] for row in built["kept"].tables[-1]]
    assert rows == [
        ["nothing", "0.500", "0.200"],
        ["10 own digits", "0.510 (0.500 to 0.520)", "0.210 (0.200 to 0.220)"],
        ["10 own digits and 800 old ones", "0.710 (0.700 to 0.720)", "0.410 (0.400 to 0.420)"],
    ]
    assert found["reported"] == pytest.approx({"tidy": 0.15, "untidy": 0.1, "fine-tuned": 0.31})


@about("10", "tuning-mistakes", "counts other digits, or another network's")
def test_what_the_network_tuned_on_own_digits_alone_misreads_is_counted(built):
    answers = built["validation_y"].astype(int)
    one, two = (np.flatnonzero(answers == digit)[:2] for digit in (0, 2))
    answers[one], answers[two[:1]] = 1, 7
    more = {"tuned": {(0, 0): "first", (0, 1): "second", (800, 0): "mixed"}}
    asked = {"first": np.eye(10)[answers]}
    said = run(built, "tuning-mistakes", ask=lambda model, _: asked[model], **more)["printed"]
    assert said == "3 validation digits misread; read as 1: 67% of them"


@about("10", "ruler, results", "another network, other images, or a number under another name")
def test_ruler_and_results(built):
    network = Reader()
    tidy = Reader(error=3)
    found = run(built, "ruler", "ruler-figure", network=network, tidy=tidy)
    part = data.Split(DIGITS.test.images[:120], DIGITS.test.labels[:120])
    np.testing.assert_array_equal(found["read_labels"](part.images), plain(part))
    row = lesson.shift_accuracies(found["read_labels"], part.images, part.labels)
    assert found["row"] == row and built["kept"].compared[-1] == row[2]
    drawn = built["kept"].drawn[-1][1][0]
    assert drawn["untidy CNN"] == row and max(drawn["tidy twin"]) < 0.3 < row[0]
    kinds = {"drawing": 0.11, "photo": 0.12, "sign": 0.13, "light": 0.14}
    how = {"reported": {"tidy": 0.01, "untidy": 0.02, "fine-tuned": 0.03}}
    how |= {"on_untidy": {"tidy": 0.04, "untidy": 0.05}, "on_written": {"tidy": 0, "untidy": 0.06}}
    how |= {"whole": {"drawing": "drawing", "photo": "photo"}, "network": network, "after": 0.75}
    how |= {"left_out": {("drawing", "sign"): "sign", ("photo", "light"): "light"}}
    how |= {"read_right": lambda model, name: np.array([kinds[name]]), "before": np.array([1, 2])}
    how |= {"mean_and_range": lambda x, y, old: ([0.08, old], "")[0] if old == 0 else None}
    run(built, "results", row=[1, 2, 3, 4, 5], **how)
    assert built["kept"].recorded == {
        "tidy_test_accuracy": 0.01,
        "test_accuracy": 0.02,
        "tuned_test_accuracy": 0.03,
        "tidy_on_untidy": 0.04,
        "untidy_on_untidy": 0.05,
        "drawn": 0.06,
        "drawings_right": 0.11,
        "photos_right": 0.12,
        "drawings_without_sign": 0.13,
        "photos_without_light": 0.14,
        "own_before": 0.5,
        "own_gain": 0.25,
        "validation_own_alone": 0.08,
    } | shifts([1, 2, 3, 4, 5])


@about("10", "wrong-...", "what goes wrong is done to the images otherwise")
def test_what_goes_wrong_is_what_is_said(built):
    network, asked = Reader(), []

    def accuracy(model, images, labels):
        asked.append((images, labels))
        return 0.25 + 0.01 * np.max(labels)

    found = run(built, "wrong-inversion", "wrong-axes", network=network, accuracy=accuracy)
    some = DIGITS.validation.images
    for images, wanted in zip(asked, (some, 255 - some, some.swapaxes(1, 2)), strict=False):
        np.testing.assert_array_equal(images[0], wanted)
        np.testing.assert_array_equal(images[1], DIGITS.validation.labels)
    for digit, (images, label) in enumerate(asked[3:]):
        mine = DIGITS.validation.labels == digit
        np.testing.assert_array_equal(images, some[mine].swapaxes(1, 2))
        assert label == digit
    assert found["printed"].endswith("best at 9: 0.34")
    found = run(found, "wrong-range", accuracy=built["accuracy"])
    np.testing.assert_allclose(network.seen[-1], some / 255**2, rtol=1e-5)
    drawing = drawn_digit()
    assert "uint8" in run(built, "wrong-float", drawing=drawing)["printed"]
    assert "sevn.jpg" in run(built, "wrong-file")["printed"].splitlines()[0]


@about("10", "ex-...-solution", "the solution is wrong")
def test_solutions_agree_with_another_way():
    nothing = SimpleNamespace(fitted_width=id, white_on_black=id, centre_shift=id, reading_order=id)
    found = run_cells("10", *(f"ex-{n}-solution" for n in (1, 2, 3, 4)), np=np, nb10=nothing)
    assert found["width_in_mnist"] == 12
    dark = np.full((20, 20), 30, np.uint8)
    dark[5:9, 5:9] = 200
    np.testing.assert_array_equal(found["white_on_black"](dark), dark)
    np.testing.assert_array_equal(found["white_on_black"](255 - dark), dark)
    image = np.zeros((28, 28))
    image[3, 20] = 100
    assert found["centre_shift"](image) == (11, -6)
    boxes = np.array([[90, 12, 10, 20], [5, 60, 10, 22], [50, 8, 10, 24], [60, 57, 10, 20]])
    assert found["reading_order"](boxes).tolist() == [2, 0, 1, 3]
