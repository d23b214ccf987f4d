"""What ``mnist_edu.ink`` loses: digits drawn back, photographed, written on pages, then read.

Run with ``python benchmarks/ink.py``; ``--split validation`` while changing ``ink``. A small
convolutional network, trained on MNIST's training images alone and kept in the cache folder, reads
the untouched digits and the same digits after ``ink``. The loss is the difference, in points (of
100 digits). A picture that is refused counts as read wrongly. On pages each digit, and nothing
else, must be found in its place. Writes ``mnist_edu/measured/ink.json``; with ``--only`` the parts
named are measured anew there, and the others stay.
"""

import argparse
import functools
import time

import cv2
import numpy as np
import rendered
import shared

from mnist_edu import cache, data, ink, synthetic

ABLATED = (
    "bitmap 280 x 280",
    "photo, uneven light",
    "photo, squared paper",
    "thin pen",
    "thick pen",
    "small and noisy",
)
LIMITS = {"bitmap 280 x 280": 0.3, "bitmap 1,000 x 700": 0.3, "photo, uneven light": 1.5}


# --- The reader ----------------------------------------------------------------------------------


def reader(digits: data.Dataset):
    """Return a function from uint8 images (n, 28, 28) to their predicted labels (n,)."""
    import keras

    path = cache.cache_folder() / "benchmark-ink.keras"
    if not path.exists():
        trained(digits).save(path)
    network = keras.saving.load_model(path)
    return lambda images: network.predict(scaled(images), verbose=0).argmax(axis=1)


def scaled(images) -> np.ndarray:
    return data.add_channel(data.scale(np.asarray(images)))


def trained(digits: data.Dataset):
    """Train the small network of notebook 06 for four epochs: about two minutes on two cores."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    parts = [keras.Input((28, 28, 1))]
    for filters in (16, 36):
        parts += [layers.Conv2D(filters, 5, padding="same"), layers.MaxPool2D(), layers.ReLU()]
    parts += [layers.Flatten(), layers.Dense(128, "relu"), layers.Dropout(0.3), layers.Dense(10)]
    network = keras.Sequential(parts)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile("adam", loss)
    labels = np.array(digits.train.labels)
    network.fit(scaled(digits.train.images), labels, batch_size=128, epochs=4, verbose=2)
    return network


# --- The pictures --------------------------------------------------------------------------------


def bitmap(image, generator, height=280, width=280, sizes=(90, 270)):
    large = rendered.enlarged(image, int(generator.integers(*sizes)))
    return rendered.coloured(rendered.placed(large, height, width, generator), generator)


def wide_bitmap(image, generator):
    return bitmap(image, generator, 700, 1000, (120, 650))


def photo(image, generator, squares=0.0):
    sheet = rendered.enlarged(image, int(generator.integers(160, 500)))
    sheet = rendered.placed(sheet, 600, 800, generator)
    if squares:
        tilt = generator.uniform(-0.04, 0.04)
        sheet = rendered.ruled(sheet, 40, squares, squared=True, tilt=tilt)
    return rendered.photo(sheet, generator, turned=0.02)


def squared_photo(image, generator):
    return photo(image, generator, squares=0.9)


def other_pen(image, generator, change):
    """Draw with a pen that is wider (narrower where ``change`` is negative) by that many pixels."""
    large = np.pad(rendered.enlarged(image, 280), 30)
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(change) + 1, abs(change) + 1))
    return np.round(255 * (cv2.dilate if change > 0 else cv2.erode)(large, ball)).astype(np.uint8)


def thin_pen(image, generator):
    return other_pen(image, generator, -14)


def thick_pen(image, generator):
    return other_pen(image, generator, 24)


def inked(mask, generator) -> np.ndarray:
    """Return ink in 0..1 as uint8, dark on light or light on dark, in shades of grey."""
    pen, paper = generator.uniform(0, 70), generator.uniform(190, 255)
    if generator.random() < 0.5:
        pen, paper = paper, pen
    return np.round(paper + (pen - paper) * mask).astype(np.uint8)


def cut_out(image, generator, side: int, margin: int = 0) -> np.ndarray:
    """Cut a digit out at its box, as ``cv2.boundingRect`` gives it; the longer side is given."""
    high, wide = np.ptp(np.argwhere(image > 127), axis=0) + 1
    large = rendered.enlarged(image, round(28 * side / max(high, wide)))
    left, top, width, height = cv2.boundingRect(np.uint8(large > 0.5))
    ink = np.pad(large[top : top + height, left : left + width], margin)
    return inked(ink, generator)


def cut_out_kinds() -> dict:
    """Return how digits are cut out at their box, and with a margin, in three sizes."""
    kinds = {}
    for side in (32, 100, 300):
        kinds[f"cut out at the box, {side} pixels"] = functools.partial(cut_out, side=side)
        margin = functools.partial(cut_out, side=side, margin=side // 8)
        kinds[f"the same with a margin, {side} pixels"] = margin
    return kinds


def small_noisy(image, generator):
    """Return 28 x 28 to 56 x 56 pixels with the noise of a camera on the ground."""
    size = int(generator.integers(28, 57))
    large = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC).astype(float)
    noise = generator.uniform(0, 70, large.shape) * (generator.random(large.shape) < 0.6)
    noisy = np.clip(large + noise, 0, 255).astype(np.uint8)
    return noisy if generator.random() < 0.5 else 255 - noisy


KINDS = {
    "bitmap 280 x 280": bitmap,
    "bitmap 1,000 x 700": wide_bitmap,
    "photo, uneven light": photo,
    "photo, squared paper": squared_photo,
    "thin pen": thin_pen,
    "thick pen": thick_pen,
    **cut_out_kinds(),
    "small and noisy": small_noisy,
}

PAGES = {  # on a photo? how dark are the lines? squares?
    "drawing": (False,),
    "photo": (True,),
    "lined photo": (True, 0.7),
    "squared photo": (True, 0.7, True),
}


# --- Pages on real paper -------------------------------------------------------------------------


def sheet(images, generator, count=(4, 40)):
    """Return a page of some of the images as ink in 0..1, and the centres of the digits."""
    chosen = images[generator.integers(0, len(images), generator.integers(*count))]
    per_row = int(generator.integers(4, 9))
    return rendered.page(chosen, generator, generator.uniform(-3, 3), per_row, 110)


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


PAPER = {
    "hard shadow": shadow,
    "note on a dark desk": note,
    "dark edge": table,
    "banner": banner,
    "stains": blotch,
    "thin pens": thin_pens,
    "close neighbours": neighbours,
}


# --- The measurements ----------------------------------------------------------------------------


def read_back(read, images, labels, draw, variants=((),)) -> dict:
    """Return the loss in points of each variant, a tuple of steps left out."""
    results = {variant: [] for variant in variants}
    for number, image in enumerate(images):
        picture = draw(image, np.random.default_rng(number))
        for variant in variants:
            results[variant].append(or_empty(picture, variant))
    before = read(images) == labels
    return {
        variant: round(100 * float(before.mean() - (read(found) == labels).mean()), 2)
        for variant, found in results.items()
    }


def or_empty(picture, variant) -> np.ndarray:
    try:
        return ink.to_mnist(picture, without=variant)
    except ValueError:
        return np.zeros((28, 28), np.uint8)


def pages(images, count: int, on_photo: bool, lines: float = 0.0, squared: bool = False) -> dict:
    """Return the shares of pages with the right number of digits, and in the right order too.

    Each page draws its digits from all images.
    """

    def draw(images, generator):
        chosen = images[generator.integers(0, len(images), generator.integers(20, 101))]
        sheet, centres = rendered.page(chosen, generator, tilt=generator.uniform(-4, 4))
        if lines:
            tilt = generator.uniform(-0.04, 0.04)
            sheet = rendered.ruled(sheet, 40, lines, squared, tilt)
        return (rendered.photo if on_photo else rendered.coloured)(sheet, generator), centres

    return cut_rightly(images, count, draw)


def cut_rightly(images, count: int, draw, without=()) -> dict:
    """Return the shares of pages of one kind that are cut rightly: by number, and in order too."""
    right_number = right_order = 0
    for seed in range(count):
        picture, centres = draw(images, np.random.default_rng(seed))
        try:
            boxes, _ = ink.find_digits(picture, without)
        except ValueError:
            continue  # refused: as bad as cut wrongly
        if len(boxes) == len(centres):
            right_number += 1
            middles = boxes[:, :2] + boxes[:, 2:] / 2
            right_order += bool((np.hypot(*(middles - centres).T) < 40).all())
    return {"number": right_number / count, "order": right_order / count, "pages": count}


def times(image) -> dict:
    """Return the median time in ms of a pad drawing, and of a 12-megapixel JPEG photo.

    It is the processor's time, summed over threads: what else runs on the machine does not count.
    """
    generator = np.random.default_rng(0)
    pad = bitmap(image, generator)
    sheet = rendered.placed(rendered.enlarged(image, 400), 600, 800, generator)
    large = cv2.resize(rendered.photo(sheet, generator), (4000, 3000))
    content = cv2.imencode(".jpg", large)[1].tobytes()
    return {
        "pad drawing": milliseconds(lambda: ink.to_mnist(pad), 21),
        "12-megapixel photo": milliseconds(lambda: ink.to_mnist(ink.read_image(content)), 5),
    }


def milliseconds(function, repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return round(1000 * sorted(taken)[repeats // 2], 1)


# --- The tables ----------------------------------------------------------------------------------


PARTS = ("times_ms", "loss", "page", "paper", "ablation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=10_000, help="digits of each kind")
    parser.add_argument("--pages", type=int, default=400, help="pages of each kind")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    options = parser.parse_args()
    digits = data.load("mnist")
    split = getattr(digits, options.split)
    step = max(1, len(split) // options.images)
    images, labels = np.array(split.images[::step]), split.labels[::step]
    result = shared.stored("ink") | {"split": options.split}
    read = None
    if {"loss", "ablation"} & set(options.only):  # the others need no network
        read = reader(digits)
        accuracy = round(100 * float((read(images) == labels).mean()), 2)
        print(f"{len(images):,} {options.split} digits, untouched: {accuracy} % right", flush=True)
        result |= {"images": len(images), "untouched": accuracy}
    measures = {
        "times_ms": lambda: times(images[0]),
        "loss": lambda: losses(read, images, labels),
        "page": lambda: all_pages(np.array(split.images), options.pages),
        "paper": lambda: all_paper(np.array(split.images), options.pages),
        "ablation": lambda: ablation(read, images, labels),
    }
    for part in options.only:
        result[part] = measures[part]()
        print(result[part] if part == "times_ms" else "", flush=True)
        if options.split == "test":
            shared.write(shared.MEASURED / "ink.json", result)


def all_pages(images, count: int) -> dict:
    return {name: told(name, pages(images, count, *how)) for name, how in PAGES.items()}


def all_paper(images, count: int) -> dict:
    return {name: told(name, cut_rightly(images, count, draw)) for name, draw in PAPER.items()}


def told(name: str, found: dict) -> dict:
    print(f"pages, {name}: {found}", flush=True)
    return found


def losses(read, images, labels) -> dict:
    """Measure each kind of picture: all images where there is a limit, a fifth elsewhere."""
    result = {}
    for name, draw in KINDS.items():
        every = 1 if name in LIMITS else 5
        (loss,) = read_back(read, images[::every], labels[::every], draw).values()
        allowed = LIMITS.get(name)
        result[name] = {"points": loss, "allowed": allowed, "n": len(images[::every])}
        print(f"{name:22} loses {loss:6.2f} points (allowed: {allowed})", flush=True)
    return result


def ablation(read, images, labels) -> dict:
    """Leave out one step at a time, on at most 100 digits of each kind."""
    result = {}
    every = -(-len(images) // 100)
    variants = [(), *((step,) for step in ink.STEPS)]
    for name in ABLATED:
        part = read_back(read, images[::every], labels[::every], KINDS[name], variants)
        result[name] = {" ".join(v) or "nothing": p for v, p in part.items()}
    print(f"{'left out':10}" + "".join(f"{name[:21]:>22}" for name in result))
    for step in ("nothing", *ink.STEPS):
        row = "".join(f"{column[step]:22.1f}" for column in result.values())
        print(f"{step:10}{row}", flush=True)
    return result


if __name__ == "__main__":
    main()
