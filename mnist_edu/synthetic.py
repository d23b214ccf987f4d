"""Draw handwritten digits: pen strokes with the variants that people write, finished as MNIST.

Each way to write a digit is given by two or three key shapes. A digit is a random mixture of the
key shapes of one way, its points shaken, its strokes drawn as smooth curves through the points,
then slanted, turned, stretched and bent, and traced by a pen of changing width. As in MNIST, the
ink is fitted into 20 x 20 pixels keeping its shape, with soft edges, and moved so that its centre
of mass is at the centre of 28 x 28 pixels. The shapes were written down by looking at training
images. How often each common way is drawn was set with a count on training images. The rare ways,
one digit in fifty, are those that a network which knew only the others misread most; how often each
of them is drawn was set by eye. No pixel of MNIST is in here, and nothing of its test set.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VERSION = 3  # of the digits: a cache of another version is not read
SETS = ((60_000, 1), (10_000, 2))  # training and test digits: how many, and their seed
SHAKE = {0: 1.6, 1: 1.8}
LOOPED = (6, 8, 9)  # digits that a thick pen would fill
BLOCK = 5000  # digits drawn at a time, each block from a stream of chance of its own
SPACING = 0.55  # pixels between two dots of the pen


@dataclass(frozen=True)
class Way:
    """One way to write a digit: key shapes (k, p, 2), and how its dots hang on its p points."""

    shapes: np.ndarray
    curve: np.ndarray  # (m, p): each dot of the pen as a weighted sum of the points
    along: np.ndarray  # (m,): where on its stroke a dot is, from 0 to 1


def make_digits(
    n: int,
    seed: int,
    labels: np.ndarray | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n digits; the same seed gives the same digits everywhere.

    Parameters
    ----------
    n : how many
    seed : 0 or more
    labels : integers (n,) in 0..9 to draw; else all ten equally often, as far as n allows, in
        random order
    progress : called with the number of digits that are done

    Returns
    -------
    images uint8 (n, 28, 28), white on black, 0..255, and labels uint8 (n,)

    Raises
    ------
    ValueError
        If n is negative, or the labels are not n whole numbers from 0 to 9.
    """
    if labels is None:
        labels = np.random.default_rng([seed, 0]).permutation(np.arange(max(n, 0)) % 10)
    labels = np.asarray(labels)
    if n < 0 or labels.shape != (n,) or not np.isin(labels, range(10)).all():
        raise ValueError(f"{n} digits need {n} labels from 0 to 9")
    labels = labels.astype(np.uint8)
    images = np.zeros((n, 28, 28), np.uint8)
    starts = range(0, n, BLOCK)

    def draw(start: int) -> None:
        part = slice(start, start + BLOCK)
        images[part] = _block(labels[part], np.random.default_rng([seed, 1 + start // BLOCK]))

    with ThreadPoolExecutor(2) as pool:
        for start, _ in zip(starts, pool.map(draw, starts), strict=True):
            if progress:
                progress(min(start + BLOCK, n))
    return images, labels


def drawing_steps(digits: Sequence[int], seed: int) -> tuple[np.ndarray, list[str]]:
    """Draw one digit of each kind in five steps, to show how it is done.

    Returns
    -------
    images uint8 (5 k, 28, 28) for k digits, and their names: two key shapes of one way ("1a",
    "1b"), their mixture with shaken points ("2"), bent and slanted ("3"), drawn by a pen ("4, 5")
    """
    images, names = [], []
    for digit in digits:
        way, chance = WAYS[digit][1][0], np.random.default_rng([seed, digit])
        shaken = _points(way, digit, 1, chance)
        lines = [way.curve @ points for points in (*way.shapes[:2], shaken[0])]
        slanted = _slant(_bend(lines[2][np.newaxis], chance), digit, chance)
        thin = np.full((1, len(way.curve)), 0.6)
        for dots in (*(line[np.newaxis] for line in lines), slanted):
            images.append(_finish(dots, thin, digit)[0])
        images.append(_finish(slanted, _radii(way, digit, 1, chance), digit)[0])
        names += ["1a", "1b", "2", "3", "4, 5"]
    return np.array(images), names


def example_strokes(digit: int, seed: int = 0, size: int = 280) -> list[np.ndarray]:
    """Return the strokes of one digit as a pen would draw them, for the drawing pads.

    Parameters
    ----------
    digit : 0 to 9
    seed : another one gives another hand
    size : side in pixels of the square to write in; the digit takes 60 % of it

    Returns
    -------
    list of strokes, float (k, 2): points (x, y) in pixels from the top left corner, in the order
    of writing
    """
    if digit not in range(10):
        raise ValueError(f"{digit} is no digit from 0 to 9")
    chance = np.random.default_rng([seed, digit])
    often, ways = WAYS[digit]
    way = ways[chance.choice(len(ways), p=often)]
    dots = np.einsum("mp,npc->nmc", way.curve, _points(way, digit, 1, chance))
    dots = _slant(_bend(dots, chance), digit, chance)[0]
    low, high = dots.min(0), dots.max(0)
    dots = (dots - (low + high) / 2) * 0.6 * size / (high - low).max() + size / 2
    return np.split(np.round(dots, 1), np.flatnonzero(np.diff(way.along) < 0) + 1)


def _block(labels: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    images = np.zeros((len(labels), 28, 28), np.uint8)
    for digit, (often, ways) in WAYS.items():
        places = np.flatnonzero(labels == digit)
        chosen = chance.choice(len(ways), len(places), p=often)
        for number, way in enumerate(ways):
            mine = places[chosen == number]
            if len(mine):
                images[mine] = _draw(way, digit, len(mine), chance)
    return images


def _draw(way: Way, digit: int, n: int, chance: np.random.Generator) -> np.ndarray:
    points = _points(way, digit, n, chance)
    dots = np.einsum("mp,npc->nmc", way.curve, points)
    dots = _bend(dots, chance)
    dots = _slant(dots, digit, chance)
    return _finish(dots, _radii(way, digit, n, chance), digit)


# --- Shapes --------------------------------------------------------------------------------------


def _points(way: Way, digit: int, n: int, chance: np.random.Generator) -> np.ndarray:
    """Mix the key shapes, a little beyond them too, and shake the points: (n, p, 2)."""
    keys = len(way.shapes)
    mix = chance.dirichlet(np.ones(keys), n) * 1.3 - 0.3 / keys
    points = np.einsum("nk,kpc->npc", mix, way.shapes)
    shake = SHAKE.get(digit, 3.0) * chance.lognormal(0, 0.4, (n, 1, 1))
    return points + shake * chance.standard_normal(points.shape)


def _way(parsed: list) -> Way:
    points = np.array([[point for stroke in shape for point, _ in stroke] for shape in parsed])
    curves, along, first = [], [], 0
    for stroke in parsed[0]:
        corners = [i for i, (_, corner) in enumerate(stroke) if corner]
        ends = [0, *corners, len(stroke) - 1]
        pieces = [
            _curve(points, first + a, first + b) for a, b in zip(ends, ends[1:], strict=False)
        ]
        curves += pieces
        along.append(np.linspace(0, 1, sum(map(len, pieces))))
        first += len(stroke)
    return Way(points, np.concatenate(curves), np.concatenate(along))


def _parse(shape: str) -> list[list[tuple]]:
    """Read "x,y x,y! / x,y x,y" as strokes of ((x, y), is a corner)."""
    return [
        [(tuple(map(float, word.strip("!").split(","))), "!" in word) for word in stroke.split()]
        for stroke in shape.split("/")
    ]


def _curve(points: np.ndarray, start: int, end: int) -> np.ndarray:
    """Return weights (m, p) that make a smooth curve through points start to end (Catmull-Rom).

    E. Catmull and R. Rom, "A class of local interpolating splines", 1974.
    """
    rows = []
    for i in range(start, end):
        before, after = max(i - 1, start), min(i + 2, end)
        length = np.linalg.norm(points[:, i + 1] - points[:, i], axis=1).max() / 100 * 20
        steps = int(np.ceil(length / SPACING)) + 1
        for t in np.linspace(0, 1, steps, endpoint=i + 1 == end):
            row = np.zeros(points.shape[1])
            row[before] += (-(t**3) + 2 * t**2 - t) / 2
            row[i] += (3 * t**3 - 5 * t**2 + 2) / 2
            row[i + 1] += (-3 * t**3 + 4 * t**2 + t) / 2
            row[after] += (t**3 - t**2) / 2
            rows.append(row)
    return np.array(rows)


# --- The hand ------------------------------------------------------------------------------------


def _bend(dots: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Bend the digit (n, m, 2) smoothly: slow waves along both axes."""
    n = len(dots)
    size = 3.4 * chance.standard_normal((n, 1, 2, 2))
    waves = chance.uniform(0.3, 1.0, (n, 1, 2, 2))
    phase = chance.uniform(0, 1, (n, 1, 2, 2))
    turns = dots[..., :, np.newaxis] / 100 * waves + phase
    return dots + (size * np.sin(2 * np.pi * turns)).sum(2)


def _slant(dots: np.ndarray, digit: int, chance: np.random.Generator) -> np.ndarray:
    """Stretch, slant and turn the digit around its centre."""
    n = len(dots)
    dots = dots - 50
    stretch = np.exp(chance.normal(0, 0.22, n))
    spread = 0.38 if digit == 1 else 0.24
    shear = chance.normal(0.2 if digit == 1 else 0.12, spread, n)
    angle = chance.normal(0, 0.17, n)
    x = dots[..., 0] * stretch[:, np.newaxis] - dots[..., 1] * shear[:, np.newaxis]
    y = dots[..., 1]
    cos, sin = np.cos(angle)[:, np.newaxis], np.sin(angle)[:, np.newaxis]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def _radii(way: Way, digit: int, n: int, chance: np.random.Generator) -> np.ndarray:
    """Half the width of the line at each dot (n, m), in pixels: a pen, pressed unevenly."""
    pen = np.exp(chance.normal(0.25, 0.42 if digit == 1 else 0.3, (n, 1)))
    pen = np.clip(pen, 0.6, 3.2 if digit == 1 else 2.2)
    press = 0.12 * np.abs(chance.standard_normal((n, 1)))
    phase, waves = chance.uniform(0, 1, (n, 1)), chance.uniform(0.5, 2, (n, 1))
    return pen * (1 + press * np.sin(2 * np.pi * (way.along * waves + phase)))


# --- The finish of MNIST -------------------------------------------------------------------------


def _finish(dots: np.ndarray, radii: np.ndarray, digit: int) -> np.ndarray:
    """Fit the ink into 20 x 20 keeping its shape, draw it, and centre its mass in 28 x 28."""
    low, high = dots.min(1, keepdims=True), dots.max(1, keepdims=True)
    if digit != 1:  # a thick pen would fill the loops of a narrow digit
        shape = (high - low)[:, 0].min(1) / (high - low)[:, 0].max(1)
        room = 0.5 + (1.8 if digit in LOOPED else 2.4) * shape
        radii = np.minimum(radii, room[:, np.newaxis])
    widest = radii.max(1)[:, np.newaxis, np.newaxis]
    scale = (20 - 2 * widest) / (high - low).max(2, keepdims=True)
    dots = (dots - (low + high) / 2) * scale + 14
    images = _ink(np.round(dots, 4).astype(np.float32), np.round(radii, 4).astype(np.float32))
    return _centre(images)


def _ink(dots: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Draw round dots (n, m, 2) with soft edges into images uint8 (n, 28, 28)."""
    n = len(dots)
    reach = int(np.ceil(radii.max() + 0.5))
    steps = np.arange(-reach, reach, dtype=np.intp)
    at = np.floor(dots + np.float32(0.5)).astype(np.intp)
    corner = at.astype(np.float32) + np.float32(0.5) - dots
    across = corner[..., np.newaxis] + steps.astype(np.float32)
    squares = across * across
    distance = np.sqrt(squares[:, :, 1, :, np.newaxis] + squares[:, :, 0, np.newaxis, :])
    dark = np.clip((radii[..., np.newaxis, np.newaxis] - distance) * 255 + 127.5, 0, 255)
    rows = np.clip(at[:, :, 1, np.newaxis] + steps, 0, 27)
    columns = np.clip(at[:, :, 0, np.newaxis] + steps, 0, 27)
    image = np.arange(n, dtype=np.intp)[:, np.newaxis, np.newaxis] * 28
    place = (image + rows)[..., :, np.newaxis] * 28 + columns[..., np.newaxis, :]
    images = np.zeros(n * 784, np.float32)
    np.maximum.at(images, place.ravel(), dark.ravel())
    return np.rint(images).astype(np.uint8).reshape(n, 28, 28)


def _centre(images: np.ndarray) -> np.ndarray:
    """Move each image by whole pixels so that its centre of mass is at (14, 14)."""
    index = np.arange(28)
    mass = images.sum((1, 2), dtype=np.int64)
    down = np.rint(14 - images.sum(2, dtype=np.int64) @ index / mass).astype(int)
    right = np.rint(14 - images.sum(1, dtype=np.int64) @ index / mass).astype(int)
    rows = index - down[:, np.newaxis]
    columns = index - right[:, np.newaxis]
    each = np.arange(len(images))[:, np.newaxis, np.newaxis]
    return images[each, rows[:, :, np.newaxis] % 28, columns[:, np.newaxis, :] % 28]


def _ways() -> dict[int, tuple[np.ndarray, list[Way]]]:
    """Read ``shapes.txt``: for each digit how often each way is written, and the ways."""
    found: dict[int, list] = {}
    for line in Path(__file__).with_name("shapes.txt").read_text("utf-8").splitlines():
        word, _, number = line.partition(" ")
        if word == "digit":
            ways = found[int(number)] = []
        elif word == "way":
            ways.append((float(number), []))
        elif line.startswith("  "):
            ways[-1][1].append(_parse(line))
    return {digit: _digit(ways) for digit, ways in found.items()}


def _digit(ways: list[tuple[float, list]]) -> tuple[np.ndarray, list[Way]]:
    often = np.array([number for number, _ in ways])
    return often / often.sum(), [_way(shapes) for _, shapes in ways]


WAYS = _ways()
