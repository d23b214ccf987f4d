"""What a drawn digit looks like, in words: holes, bays, widths. Nothing here reads ``shapes.txt``.

A bay is paper with ink on three sides, open to the fourth: a 3 is open to the left twice, a 2 to
the left above, a 5 to the right above. ``RULES`` says what each digit has, for images
(n, 28, 28) of any finish.
"""

import numpy as np

SIDES = ("top", "bottom", "left", "right")
INK = 100  # a pixel above it is ink


def walls(ink: np.ndarray) -> dict[str, np.ndarray]:
    """Say for each pixel whether there is ink between it and each side of the image."""
    found = {}
    for side, axis, step in (("top", 1, 1), ("bottom", 1, -1), ("left", 2, 1), ("right", 2, -1)):
        order = [slice(None)] * 3
        order[axis] = slice(None, None, step)
        found[side] = np.logical_or.accumulate(ink[tuple(order)], axis)[tuple(order)]
    return found


def outside(ink: np.ndarray) -> np.ndarray:
    """Return the paper that can be reached from the border: what is left of it is holes."""
    reached = np.pad(np.zeros_like(ink[:, 1:-1, 1:-1]), ((0, 0), (1, 1), (1, 1)), constant_values=1)
    while True:
        grown = reached.copy()
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown[:, :, 1:] |= reached[:, :, :-1]
        grown[:, :, :-1] |= reached[:, :, 1:]
        grown &= ~ink
        if (grown == reached).all():
            return reached
        reached = grown


def spread(ink: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return how wide the ink in these rows is, as a share of the whole width."""

    def width(columns):
        return 28 - columns[:, ::-1].argmax(1) - columns.argmax(1)

    return width((ink & rows).any(1)) / width(ink.any(1))


def seen(images: np.ndarray) -> dict[str, np.ndarray]:
    """Measure images (n, 28, 28): areas in pixels above and below the middle, and widths."""
    ink = np.asarray(images) > INK
    wall, used = walls(ink), ink.any(2)
    first, last = used.argmax(1)[:, None, None], 27 - used[:, ::-1].argmax(1)[:, None, None]
    row, quarter = np.arange(28)[:, None], (last - first + 1) / 4
    areas = {"hole": ~ink & ~outside(ink), "closed": np.logical_and.reduce([*wall.values()])}
    for side in SIDES:
        others = [wall[other] for other in SIDES if other != side]
        areas[side] = ~wall[side] & np.logical_and.reduce(others)
    above = row < (first + last) / 2
    found = {f"{name} above": (~ink & area & above).sum((1, 2)) for name, area in areas.items()}
    found |= {f"{name} below": (~ink & area & ~above).sum((1, 2)) for name, area in areas.items()}
    found["bays"] = sum(found[f"{side} {half}"] for side in SIDES for half in ("above", "below"))
    found["head"] = spread(ink, row < first + quarter)
    found["foot"] = spread(ink, row > last - quarter)
    lower = ink & (row >= first + 2.2 * quarter) & (row < first + 3.2 * quarter)
    found["waist"] = middle(lower) - middle(ink)  # above 0: that ink lies to the right
    found["sole"] = middle(ink & (row > last - quarter)) - middle(ink)
    return found


def middle(ink: np.ndarray) -> np.ndarray:
    """Return the mean column of the ink, 0 where there is none."""
    return (ink.sum(1) * np.arange(28)).sum(1) / np.maximum(1, ink.sum((1, 2)))


def lean(images: np.ndarray) -> np.ndarray:
    """Return how far each digit leans to the right: columns a row, upwards."""
    weights, index = np.asarray(images, float), np.arange(28)
    mass = weights.sum((1, 2))
    down = index - (weights.sum(2) @ index / mass)[:, None]
    right = index - (weights.sum(1) @ index / mass)[:, None]
    together = np.einsum("nij,ni,nj->n", weights, down, right)
    return -together / np.einsum("nij,ni->n", weights, down**2)


RULES = {
    0: lambda s: (s["hole above"] > 2) & (s["hole below"] > 2) & (s["bays"] < 5),
    1: lambda s: s["bays"] + s["closed above"] + s["closed below"] <= 12,
    2: lambda s: (s["left above"] > s["right above"]) & (s["foot"] > 0.6) & (s["waist"] < 0),
    3: lambda s: (
        (s["left above"] > s["right above"])
        & (s["left below"] > s["right below"])
        & ((s["foot"] > 0.5) & (s["waist"] > 0))
    ),
    4: lambda s: s["top above"] > 3,
    5: lambda s: (s["right above"] > s["left above"]) & (s["left below"] > s["right below"]),
    6: lambda s: (s["right above"] > s["left above"]) & (s["hole below"] > s["hole above"]),
    7: lambda s: (s["left above"] > s["right above"]) & (s["head"] > s["foot"]),
    8: lambda s: (s["hole above"] > 0) & (s["hole below"] > 0),
    9: lambda s: (s["hole above"] > s["hole below"]) & (s["right above"] + s["right below"] < 3),
}


def pen(strokes: list, width: float = 2.0) -> np.ndarray:
    """Draw strokes of points (x, y) in any units as uint8 (28, 28), the longer side 20 pixels."""
    corners = np.concatenate([np.asarray(stroke, float) for stroke in strokes])
    low, high = corners.min(0), corners.max(0)
    scale = (20 - width) / (high - low).max()
    dots = []
    for stroke in strokes:
        stroke = (np.asarray(stroke, float) - (low + high) / 2) * scale + 13.5
        for start, end in zip(stroke, stroke[1:], strict=False):
            steps = int(2 * np.hypot(*(end - start))) + 1
            dots.append(np.linspace(start, end, steps, endpoint=False))
    pixels = np.stack(np.indices((28, 28))[::-1], axis=-1).reshape(784, 1, 2)
    distance = np.hypot(*np.moveaxis(pixels - np.concatenate(dots), -1, 0)).min(1)
    return (255 * (width / 2 + 0.5 - distance).clip(0, 1)).astype(np.uint8).reshape(28, 28)
