"""What ``mnist_edu.ink`` makes of paper as people photograph it, and of digits cut out tightly.

Run with ``python benchmarks/paper.py``, with ``--split validation`` while changing ``ink``. For
each kind 400 pictures of MNIST's digits are made: single digits, which the network of the drawing
window reads, and pages, on which every digit must be found in its place. ``--write`` stores the
numbers of the test digits in ``benchmarks/paper.json``; ``--ablation`` leaves out one step at a
time instead.
"""

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import rendered

from mnist_edu import data, ink, reader, synthetic

CELL = 110  # pixels between the digits of a page


# --- Single digits -------------------------------------------------------------------------------


def inked(mask, generator) -> np.ndarray:
    """Return ink in 0..1 as uint8, dark on light or light on dark, in shades of grey."""
    pen, paper = generator.uniform(0, 70), generator.uniform(190, 255)
    if generator.random() < 0.5:
        pen, paper = paper, pen
    return np.round(paper + (pen - paper) * mask).astype(np.uint8)


def cropped(image, generator, side: int, margin: int = 0) -> np.ndarray:
    """Cut a digit out at its box, as ``cv2.boundingRect`` gives it; the longer side is given."""
    high, wide = np.ptp(np.argwhere(image > 127), axis=0) + 1
    large = rendered.enlarged(image, round(28 * side / max(high, wide)))
    left, top, width, height = cv2.boundingRect(np.uint8(large > 0.5))
    ink = np.pad(large[top : top + height, left : left + width], margin)
    return inked(ink, generator)


def cropped_32(image, generator):
    return cropped(image, generator, 32)


def cropped_100(image, generator):
    return cropped(image, generator, 100)


def cropped_300(image, generator):
    return cropped(image, generator, 300)


def small_noisy(image, generator):
    """Return 28 x 28 to 56 x 56 pixels with the noise of a camera on the ground."""
    size = int(generator.integers(28, 57))
    large = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC).astype(float)
    noise = generator.uniform(0, 70, large.shape) * (generator.random(large.shape) < 0.6)
    noisy = np.clip(large + noise, 0, 255).astype(np.uint8)
    return noisy if generator.random() < 0.5 else 255 - noisy


KINDS = {
    "cropped at the box, 32 pixels": cropped_32,
    "cropped at the box, 100 pixels": cropped_100,
    "cropped at the box, 300 pixels": cropped_300,
    "small and noisy": small_noisy,
}


# --- Pages ---------------------------------------------------------------------------------------


def sheet(images, generator, count=(4, 40)):
    """Return a page of some of the images as ink in 0..1, and the centres of the digits."""
    chosen = images[generator.integers(0, len(images), generator.integers(*count))]
    per_row = int(generator.integers(4, 9))
    return rendered.page(chosen, generator, generator.uniform(-3, 3), per_row, CELL)


def shape(mask, generator, shade) -> None:
    """Draw a shape with straight and round edges somewhere into a mask: a hand and a phone."""
    height, width = mask.shape
    middle = generator.uniform((0, 0), (width, height))
    size = generator.uniform(0.1, 0.5, 2) * max(height, width)
    turn = float(generator.uniform(0, 180))
    corners = cv2.boxPoints((middle.tolist(), size.tolist(), turn))
    cv2.fillPoly(mask, [np.int32(corners)], shade)
    for corner in corners[: generator.integers(0, 4)]:
        cv2.circle(mask, np.int32(corner).tolist(), int(size.min() / 3), shade, -1)


def shaded(picture, light) -> np.ndarray:
    return np.round(picture * np.atleast_3d(light)).clip(0, 255).astype(np.uint8)


def shadow(images, generator):
    """A photo with a shadow that has an edge, on digits or beside them."""
    page, centres = sheet(images, generator)
    light = np.ones_like(page, np.float32)
    shape(light, generator, generator.uniform(0.3, 0.7))
    light = cv2.GaussianBlur(light, (0, 0), generator.uniform(1, 8))
    return shaded(rendered.photo(page, generator), light), centres


def note(images, generator):
    """A note on a dark desk that has a grain."""
    page, centres = sheet(images, generator, (1, 25))
    picture = rendered.photo(page, generator, noise=4)
    height, width = page.shape
    around = generator.uniform(0.05, 0.4, 4) * max(height, width)
    left, top, right, below = around.astype(int)
    size = (height + top + below, width + left + right)
    grain = generator.normal(1, 0.1, (size[0], 1)) + generator.normal(0, 0.03, size)
    grain = cv2.GaussianBlur(grain, (0, 0), 1.5)
    desk = generator.uniform(15, 70, 3) * grain[..., None]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), generator.uniform(-8, 8), 1)
    turn[:, 2] += left, top
    seen = cv2.warpAffine(np.ones_like(page), turn, size[::-1], flags=cv2.INTER_LINEAR)[..., None]
    paper = cv2.warpAffine(picture, turn, size[::-1], borderMode=cv2.BORDER_REPLICATE)
    return shaded(paper * seen + desk * (1 - seen), 1), centres @ turn[:, :2].T + turn[:, 2]


def table(images, generator):
    """A photo in which the dark table, or the dark border of a scan, shows at a side or corner."""
    page, centres = sheet(images, generator)
    height, width = page.shape
    light, dark = np.ones_like(page, np.float32), generator.uniform(0.02, 0.4)
    for _ in range(generator.integers(1, 4)):
        a, b = generator.uniform(0.0, 0.05, 2) * height
        edge = np.int32([(0, 0), (width, 0), (width, a), (0, b)])
        cv2.fillPoly(light, [edge], dark)
        light = np.ascontiguousarray(light[::-1, ::-1] if generator.random() < 0.5 else light)
    light = cv2.GaussianBlur(light, (0, 0), generator.uniform(0.5, 4))
    return shaded(rendered.photo(page, generator), light), centres


def banner(images, generator):
    """A page with a printed dark band across, above the digits."""
    page, centres = sheet(images, generator)
    high = int(generator.uniform(20, 120))
    start = 0 if generator.random() < 0.5 else int(generator.uniform(5, 40))
    page = np.pad(page, ((high + start, 0), (0, 0)))
    page[start : start + high, start:] = generator.uniform(0.4, 1)
    return rendered.photo(page, generator), centres + (0, high + start)


def blotch(images, generator):
    """A photo with a stain or two."""
    page, centres = sheet(images, generator)
    light = np.ones_like(page, np.float32)
    for _ in range(generator.integers(1, 3)):
        middle = generator.uniform((0, 0), page.shape[::-1])
        axes = generator.uniform(40, 160, 2)
        where = (middle.tolist(), axes.tolist(), float(generator.uniform(0, 180)))
        cv2.ellipse(light, where, generator.uniform(0.7, 0.95), -1)
    light = cv2.GaussianBlur(light, (0, 0), generator.uniform(2, 8))
    return shaded(rendered.photo(page, generator, noise=4), light), centres


def thin_pens(_, generator):
    """Digits of a pen that is 1 to 4 pixels wide; each third or so is an upright 1."""
    count, size = int(generator.integers(4, 30)), int(generator.integers(70, 160))
    per_row, pen = int(generator.integers(4, 9)), int(generator.integers(1, 5))
    page = np.full(((-(-count // per_row) + 1) * size, (per_row + 1) * size), 245, np.uint8)
    centres = []
    for number in range(count):
        digit, seed = (int(part) for part in generator.integers(0, (12, 1000)))
        row, column = divmod(number, per_row)
        corner = size * np.array([column + 0.5, row + 0.5]) + generator.uniform(-6, 6, 2)
        bar = np.array([(0.5, 0.2), (0.5, 0.8)]) * size
        strokes = [bar] if digit > 9 else synthetic.example_strokes(digit, seed, size)
        for stroke in strokes:
            cv2.polylines(page, [np.int32(np.round(stroke + corner))], False, 40, pen)
        points = np.concatenate([np.asarray(stroke) for stroke in strokes]) + corner
        centres.append((points.min(axis=0) + points.max(axis=0)) / 2)
    return noisy(page, generator), np.array(centres)


def noisy(page, generator) -> np.ndarray:
    """Return the page as it is, or as a camera sees it."""
    if generator.random() < 0.5:
        return page
    soft = cv2.GaussianBlur(page, (0, 0), 0.7) + generator.normal(0, 4, page.shape)
    return np.round(soft).clip(0, 255).astype(np.uint8)


def neighbours(images, generator):
    """Digits beside each other, a tenth of their height or less apart."""
    height, rows, centres = int(generator.integers(50, 120)), int(generator.integers(1, 5)), []
    page = np.zeros((rows * 2 * height, 14 * height))
    for row in range(rows):
        left, count = generator.uniform(0.5, 1) * height, generator.integers(3, 12)
        for image in images[generator.integers(0, len(images), count)]:
            digit = rendered.enlarged(image, round(1.4 * height))
            x, y, width, high = cv2.boundingRect(np.uint8(digit > 0.5))
            top, at = round((2 * row + 1) * height - high / 2), round(left)
            place = page[top : top + high, at : at + width]
            np.maximum(place, digit[y : y + high, x : x + width], out=place)
            centres.append((at + width / 2, top + high / 2))
            left = at + width + generator.uniform(0.04, 0.1) * height
    page = page[:, : int(max(x for x, _ in centres) + height)]
    draw = rendered.photo if generator.random() < 0.5 else rendered.coloured
    return draw(page, generator), np.array(centres)


PAGES = {
    "hard shadow": shadow,
    "note on a dark desk": note,
    "edge of the table": table,
    "banner": banner,
    "stains": blotch,
    "thin pens": thin_pens,
    "close neighbours": neighbours,
}


# --- The measurements ----------------------------------------------------------------------------


def digits_lost(predict, images, labels, draw, without=()) -> float:
    """Return how many of 100 digits are lost on the way through a picture and back."""
    before = after = 0
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        before += predict(image).argmax() == label
        try:
            found = ink.to_mnist(draw(image, np.random.default_rng(number)), without)
            after += predict(found).argmax() == label
        except ValueError:
            pass  # refused: as bad as read wrongly
    return round(100 * float(before - after) / len(images), 2)


def pages_right(images, draw, count: int, without=()) -> float:
    """Return the share of pages on which each digit, and nothing else, is found in its place."""
    return sum(page_is_right(images, draw, seed, without) for seed in range(count)) / count


def page_is_right(images, draw, seed: int, without=()) -> bool:
    picture, centres = draw(images, np.random.default_rng(seed))
    try:
        boxes, _ = ink.find_digits(picture, without)
    except ValueError:
        return False
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    return len(boxes) == len(centres) and bool((np.hypot(*(middles - centres).T) < 40).all())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=400, help="pictures of each kind")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--ablation", action="store_true")
    options = parser.parse_args()
    split, count = getattr(data.load("mnist"), options.split), options.count
    images, labels = np.array(split.images[-count:]), split.labels[-count:]
    predict, result = reader.reader(), {"split": options.split, "count": count}
    for without in [(), *((step,) for step in ink.STEPS)][: None if options.ablation else 1]:
        lost = {n: digits_lost(predict, images, labels, d, without) for n, d in KINDS.items()}
        right = {n: pages_right(images, draw, count, without) for n, draw in PAGES.items()}
        print(f"without {' '.join(without) or 'nothing'}: points lost {lost}, pages right {right}")
        result[" ".join(without) or "nothing"] = {"points lost": lost, "pages right": right}
    if options.write:
        text = json.dumps(result, indent=1) + "\n"
        Path(__file__).with_suffix(".json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
