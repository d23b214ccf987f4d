"""The pages to print: their answers, and a sheet that is written on, photographed and read."""

import importlib.util
import re
import zlib
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from cells import cells_of
from PIL import Image

from mnist_edu import synthetic

FOLDER = Path(__file__).parents[1] / "book" / "print"


def load():
    spec = importlib.util.spec_from_file_location("print_pages", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = load()


def contents(pdf: bytes) -> list[bytes]:
    """Return what a PDF draws: no two versions of zlib pack it alike."""
    packed = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return [zlib.decompress(part) for part in packed]


@pytest.mark.slow
def test_files_are_what_the_script_makes(tmp_path):
    made = {path.name: path.read_bytes() for path in make.make(tmp_path)}
    assert sorted(made) == sorted(path.name for path in FOLDER.glob("*.pdf"))
    assert sum(map(len, made.values())) < 300_000
    for name, pdf in made.items():
        assert b"CreationDate" not in pdf
        stored = (FOLDER / name).read_bytes()
        if matplotlib.__version__.encode() in stored:  # another version draws otherwise
            assert contents(stored) == contents(pdf), f"{name}: make print"


# --- Answers -------------------------------------------------------------------------------------


def test_scores_and_losses_agree_with_plain_arithmetic():
    for image, loss in zip(make.IMAGES.values(), ("0.01", "2.58"), strict=True):
        z = [sum(float(x * w) for x, w in zip(image, ws, strict=True)) for ws in make.WEIGHTS.T]
        z = [z[k] + make.BIASES[k] for k in (0, 1)]
        p = 2.718281828 ** z[0] / (2.718281828 ** z[0] + 2.718281828 ** z[1])
        assert make.softmax_of(image @ make.WEIGHTS + make.BIASES)[0] == pytest.approx(p)
        assert make.fixed(-np.log(p)) == loss
    assert make.helped().startswith("That of the middle pixel")


def test_blames_are_slopes():
    def loss(w1, b1, w2, b2):
        z = np.maximum(make.X @ w1 + b1, 0) @ w2 + b2
        return -np.log(np.exp(z) / np.exp(z).sum()) @ make.LABEL

    found = make.passes()
    arrays = [np.array(a, float) for a in (make.W1, make.B1, make.W2, make.B2)]
    for which, name in ((0, "dW1"), (1, "dsums"), (2, "dW2"), (3, "dscores")):
        for place in np.ndindex(arrays[which].shape):
            nudged = [array.copy() for array in arrays]
            nudged[which][place] += 1e-5
            slope = (loss(*nudged) - loss(*arrays)) / 1e-5
            assert found[name][place] == pytest.approx(slope, abs=0.01)  # p has two decimals


def test_map_and_sizes_are_counted():
    image, kernel = make.IMAGE.tolist(), make.KERNEL.tolist()
    places = range(3)
    counted = [
        [sum(image[r + j][c + k] * kernel[j][k] for j in places for k in places) for c in places]
        for r in places
    ]
    assert make.correlate(make.IMAGE, make.KERNEL).tolist() == counted
    for n, k, p, s in make.SIZES:
        assert make.side(n, k, p, s) == len(range(0, n + 2 * p - k + 1, s))


def test_every_worker_of_the_ring_ends_with_all_sums():
    for start in make.STARTS:
        states, n = make.ring_states(start), len(start)
        assert len(states) == 2 * n - 1
        assert (states[-1] == start.sum(axis=0)).all()
        for before, after in zip(states, states[1:], strict=False):
            assert ((before != after).sum(axis=1) == 1).all()  # one number for each worker


def test_no_notebook_holds_these_numbers():
    given = {"01": make.WEIGHTS, "03": make.W1, "05": make.IMAGE, "12": make.STARTS[0]}
    for number, values in given.items():
        code = " ".join("".join(cell["source"]) for cell in cells_of(number).values())
        code = re.sub(r"\s|\.0?(?=[],])", "", code)
        assert "]])" in code and re.sub(r"\s", "", str(values.tolist())) not in code


# --- The sheet -----------------------------------------------------------------------------------

DPI = 150
PENS = {  # red, green, blue; width in millimetres
    "felt pen": ((25, 25, 28), 1.4),
    "blue ballpoint": ((35, 50, 130), 0.6),
    "marker": ((20, 20, 20), 2.2),
    "soft pencil": ((105, 105, 108), 0.8),
}


def blank() -> np.ndarray:
    """Return the sheet as a printer draws it, float (height, width, 3) in 0..1."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with matplotlib.rc_context(make.STYLE):
        figure = make.digit_sheet()
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def write(sheet, places, pen, chance) -> np.ndarray:
    """Write into each of the boxes the digit of its row; return the digits in MNIST's form."""
    from mnist_edu import ink

    (colour, width), scale, expected = PENS[pen], DPI / 25.4, []
    for place in places:
        size = int(chance.uniform(0.6, 0.85) * make.BOX * scale)
        strokes = synthetic.example_strokes(place // make.COLUMNS, seed=int(chance.integers(999)))
        digit = ink.draw_strokes(strokes, width=280 * width * scale / size)
        expected.append(ink.to_mnist(digit))
        small = Image.fromarray(digit).resize((size, size), Image.Resampling.BOX)
        cover = np.asarray(small)[..., np.newaxis] / 255
        left, top = (make.boxes()[place] * scale + 0.5 * (make.BOX * scale - size)).astype(int)
        part = sheet[top : top + size, left : left + size]
        part += cover * (np.array(colour) / 255 - part)
    return np.stack(expected)


def photograph(sheet, chance) -> np.ndarray:
    """Take a photo from not quite above, in light from one side, with a shadow and noise."""
    import cv2

    height, width = sheet.shape[:2]
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    moved = corners + np.float32(chance.uniform(-0.025, 0.025, (4, 2)) * width)
    view = cv2.getPerspectiveTransform(corners, moved)
    border = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    picture = cv2.warpPerspective(np.float32(sheet), view, (width, height), **border)
    down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    shadow = 0.35 / (1 + np.exp((chance.uniform(0.4, 0.7) - right - 0.3 * down) / 0.06))
    picture *= ((1 - 0.3 * down) * (1 - shadow))[..., np.newaxis] * np.array([245, 240, 228])
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8) + chance.normal(0, 5, (height, width, 1))
    return picture.clip(0, 255).astype(np.uint8)


def likeness(one, other) -> float:
    moves = [np.roll(one, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    return max(float(np.corrcoef(moved.ravel(), other.ravel())[0, 1]) for moved in moves)


def right(images, digits) -> int:
    """Return how many are read right, by the most similar of some embedded digits."""
    known, labels = synthetic.make_digits(3000, seed=5)
    nearest = [((known - np.float32(image)) ** 2).sum(axis=(1, 2)).argmin() for image in images]
    return int((labels[nearest] == digits).sum())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pen", "places"),
    [
        ("felt pen", range(60)),
        ("blue ballpoint", range(60)),
        ("blue ballpoint", range(18, 24)),
        ("soft pencil", range(18, 24)),
        ("marker", range(1, 60, 7)),
    ],
)
def test_digits_in_the_boxes_are_found_in_order_and_read(pen, places):
    pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')
    from mnist_edu import ink

    chance = np.random.default_rng(sorted(PENS).index(pen))
    sheet = blank()
    expected = write(sheet, places, pen, chance)
    boxes, images = ink.find_digits(photograph(sheet, chance))
    assert len(images) == len(expected)
    alike = [likeness(*pair) for pair in zip(images, expected, strict=True)]
    assert min(alike) > 0.8 and np.median(alike) > 0.93
    digits = np.array(places) // make.COLUMNS
    as_drawn = right(expected, digits)
    assert as_drawn > 0.8 * len(digits)
    assert right(images, digits) >= as_drawn - max(1, 0.05 * len(digits))
