"""What ``mnist_edu.ink`` loses: digits drawn back, photographed, written on pages, then read.

Run with ``python benchmarks/ink.py``; ``--split validation`` while changing ``ink``. A small
convolutional network, trained on MNIST's training images alone and kept in the cache folder, reads
the untouched digits and the same digits after ``ink``. The loss is the difference, in points (of
100 digits). A picture that is refused counts as read wrongly. Writes
``mnist_edu/measured/ink.json``.
"""

import argparse
import time

import cv2
import numpy as np
import rendered
import shared

from mnist_edu import cache, data, ink

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


KINDS = {
    "bitmap 280 x 280": bitmap,
    "bitmap 1,000 x 700": wide_bitmap,
    "photo, uneven light": photo,
    "photo, squared paper": squared_photo,
    "thin pen": thin_pen,
    "thick pen": thick_pen,
}

PAGES = {  # on a photo? how dark are the lines? squares?
    "drawing": (False,),
    "photo": (True,),
    "lined photo": (True, 0.7),
    "squared photo": (True, 0.7, True),
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
    right_number = right_order = 0
    for seed in range(count):
        generator = np.random.default_rng(seed)
        chosen = images[generator.integers(0, len(images), generator.integers(20, 101))]
        sheet, centres = rendered.page(chosen, generator, tilt=generator.uniform(-4, 4))
        if lines:
            tilt = generator.uniform(-0.04, 0.04)
            sheet = rendered.ruled(sheet, 40, lines, squared, tilt)
        picture = (rendered.photo if on_photo else rendered.coloured)(sheet, generator)
        boxes, _ = ink.find_digits(picture)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=10_000, help="digits of each kind")
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    options = parser.parse_args()
    digits = data.load("mnist")
    read, split = reader(digits), getattr(digits, options.split)
    step = max(1, len(split) // options.images)
    images, labels = np.array(split.images[::step]), split.labels[::step]
    accuracy = round(100 * float((read(images) == labels).mean()), 2)
    head = {"split": options.split, "images": len(images), "untouched": accuracy}
    print(f"{len(images):,} {options.split} digits, untouched: {accuracy} % right", flush=True)
    result = head | {"times_ms": times(images[0]), "loss": {}, "page": {}, "ablation": {}}
    print(result["times_ms"], flush=True)
    losses(result, read, images, labels)
    for name, how in PAGES.items():
        result["page"][name] = pages(np.array(split.images), options.pages, *how)
        print(f"pages, {name}: {result['page'][name]}", flush=True)
    ablation(result, read, images, labels)
    if options.split == "test":
        shared.write(shared.MEASURED / "ink.json", result)


def losses(result: dict, read, images, labels) -> None:
    """Measure each kind of picture: all images where there is a limit, a fifth elsewhere."""
    for name, draw in KINDS.items():
        every = 1 if name in LIMITS else 5
        (loss,) = read_back(read, images[::every], labels[::every], draw).values()
        allowed = LIMITS.get(name)
        result["loss"][name] = {"points": loss, "allowed": allowed, "n": len(images[::every])}
        print(f"{name:22} loses {loss:6.2f} points (allowed: {allowed})", flush=True)


def ablation(result: dict, read, images, labels) -> None:
    """Leave out one step at a time, on at most 100 digits of each kind."""
    every = -(-len(images) // 100)
    variants = [(), *((step,) for step in ink.STEPS)]
    for name, draw in KINDS.items():
        if name != "bitmap 1,000 x 700":
            part = read_back(read, images[::every], labels[::every], draw, variants)
            result["ablation"][name] = {" ".join(v) or "nothing": p for v, p in part.items()}
    print(f"{'left out':10}" + "".join(f"{name:>22}" for name in result["ablation"]))
    for step in ("nothing", *ink.STEPS):
        row = "".join(f"{column[step]:22.1f}" for column in result["ablation"].values())
        print(f"{step:10}{row}", flush=True)


if __name__ == "__main__":
    main()
