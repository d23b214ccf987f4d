"""Checkers of notebook 10, and the pictures that it reads: drawings, a page, a photo of it."""

import functools
from collections.abc import Callable

import numpy as np

from mnist_edu.errors import needs
from mnist_edu.exercises.checker import Asked, Mistake, exercise, expect, numbers
from mnist_edu.synthetic import make_digits

# --- Pictures ------------------------------------------------------------------------------------


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """Return a digit uint8 (28, 28) as sharp ink (size, size) in [0, 1]."""
    cv2 = needs("cv2", "ink")
    large = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC) / 255
    return ((large - 0.4) * 6 + 0.5).clip(0, 1)


def drawing(image: np.ndarray, generator: np.random.Generator, side: int = 280) -> np.ndarray:
    """Draw a digit back: any size and place, a coloured pen on ground of another colour.

    Parameters
    ----------
    image : uint8 (28, 28), white on black
    generator : decides on size, place and colours
    side : of the drawing, in pixels

    Returns
    -------
    uint8 (side, side, 3), red, green, blue
    """
    size = int(generator.integers(side // 3, side))
    down, right = generator.integers(0, side - size + 1, 2)
    ink = np.zeros((side, side, 1), np.float32)
    ink[down : down + size, right : right + size, 0] = enlarge(image, size)
    pen = ground = np.zeros(3)
    while abs(pen - ground).max() < 100:
        pen, ground = generator.integers(0, 256, (2, 3))
    return np.round(ground + ink * (pen - ground)).astype(np.uint8)


def page(images: np.ndarray, generator: np.random.Generator, columns: int = 4) -> np.ndarray:
    """Write digits uint8 (n, 28, 28) in rows; returns ink float (height, width) in [0, 1]."""
    rows = -(-len(images) // columns)
    ink = np.zeros((150 * rows + 80, 150 * columns + 80))
    for number, image in enumerate(images):
        size = int(generator.integers(100, 135))
        top, left = (40 + 150 * n + generator.integers(0, 15) for n in divmod(number, columns))
        ink[top : top + size, left : left + size] = enlarge(image, size)
    return ink


def photo(ink: np.ndarray, generator: np.random.Generator, noise: float = 7) -> np.ndarray:
    """Photograph ink (height, width) in [0, 1] on paper: tilted, in uneven light, with a shadow.

    ``noise`` is its standard deviation before the lens blurs it. Returns uint8 (height, width, 3).
    """
    cv2 = needs("cv2", "ink")
    height, width = ink.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), generator.uniform(-3, 3), 1)
    ink = cv2.warpAffine(ink, turn, (width, height))[..., np.newaxis]
    paper, pen = np.array([245, 240, 228]), np.array([50, 55, 100])
    down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    edge = right + 0.3 * down - generator.uniform(0.5, 0.65)
    light = (1 - 0.25 * right) * (1 - 0.4 / (1 + np.exp(-edge / 0.08)))
    picture = (paper + ink * (pen - paper)) * light[..., np.newaxis]
    picture += generator.normal(0, noise, (height, width, 1))
    return cv2.GaussianBlur(picture, (0, 0), 1).clip(0, 255).astype(np.uint8)


def write_again(
    strokes: list, count: int, generator: np.random.Generator, shake: float = 9
) -> list[list[np.ndarray]]:
    """Write the same strokes again with a shaky hand: each time other corners, slant and size.

    Parameters
    ----------
    strokes : list of strokes, each a list of points (x, y), in a pad of 280 x 280
    count : how many digits
    generator : decides on them
    shake : how far a point strays, in pixels (standard deviation)

    Returns
    -------
    list of ``count`` digits, each a list of strokes, float (k, 2)
    """
    digits = []
    for _ in range(count):
        slant, size = generator.normal(0, 0.1), generator.uniform(0.6, 1)
        bend = size * np.array([[generator.uniform(0.8, 1.2), 0], [slant, 1]])
        moved = [np.array(stroke) - 140 for stroke in strokes]
        shaken = [points + generator.normal(0, shake, points.shape) for points in moved]
        digits.append([points @ bend + 140 for points in shaken])
    return digits


# --- Checkers ------------------------------------------------------------------------------------


@exercise
def fitted_width(answer: float) -> None:
    """Check how wide ink of 90 x 150 pixels is once it is fitted into 20 x 20."""
    narrow = "you made the narrower side 20, so the longer one does not fit. Start with it."
    mistakes = [
        (20, "this is the height. With a width of 20 too, the digit would be squeezed."),
        (100 / 3, narrow),
        (16.8, "28 is the side of the whole image. The ink is fitted into 20 x 20."),
        (7.5, "this is the factor by which it shrinks. Divide the width by it."),
        (2 / 15, "this is the factor by which it shrinks. Multiply the width by it."),
    ]
    expect(answer, 12, mistakes, "the longer side becomes 20; {} is something else.")


@exercise
def white_on_black(function: Callable[[np.ndarray], np.ndarray]) -> None:
    """Check a function that makes ink light and the ground dark, whatever it was before."""
    light_ink = np.full((6, 8), 10, np.uint8)
    light_ink[2:4, 3:6] = [[250, 200, 250], [120, 130, 250]]
    dark_ink = 255 - light_ink
    stays = "dark ink stays dark. Turn the picture round where its ground is light."
    turned = "light ink became dark: it was right before. Ask what the ground is."
    mistakes = [
        (dark_ink, stays),
        (1 - dark_ink, "1 - image is for pixels in 0..1. These end at 255."),
        (-dark_ink, "uint8 knows no minus sign: -255 becomes 1. Take 255 - image."),
        (light_ink / 255, "the pixels are now in 0..1. Leave them in 0..255."),
    ]
    value = "a pixel of value v becomes 255 - v, or stays v."
    expect(function(dark_ink), light_ink, mistakes, value)
    expect(function(light_ink), light_ink, [(dark_ink, turned)], value)
    light_ink[[0, 0, -1, -1], [0, -1, 0, -1]] = light_ink[0, 4] = 255
    edge = "one pixel of the edge may hold ink. Let most pixels decide, not a corner."
    expect(function(light_ink), light_ink, [], edge)


@exercise
def centre_shift(function: Callable[[np.ndarray], tuple[int, int]]) -> None:
    """Check by how many pixels an image has to move down and right to be centred by mass."""
    image = np.zeros((28, 28), np.uint8)
    image[4:12, 4] = 250  # a stroke down, pressed hard, and a faint one to the right
    image[12, 4:21] = 60
    mistakes = [
        ((6, 2), "this centres the box around the ink. The centre of mass is elsewhere."),
        ((3, 5), "each inked pixel counts alike here. Weigh each by its ink."),
        ((7, 5), "the two are swapped: down first."),
        ((-5, -7), "the signs are wrong: ink that is too high moves down, by a number above 0."),
        ((9, 7), "this is where the centre of mass is. How far is it from there to 14?"),
        ((4, 7), "round to the nearest whole number, and aim at 14."),
    ]
    moves = numbers(function(image))
    wanted = "the mass should move by {right}, yours moves by {}."
    shape = "give two numbers: how far down, how far right."
    expect(np.round(moves), (5, 7), mistakes, wanted, shape)
    expect(moves, (5, 7), [], "an image moves by whole pixels: round.")


@exercise
def reading_order(function: Callable[[np.ndarray], np.ndarray]) -> None:
    """Check the places of boxes (left, top, width, height) in reading order."""
    left, top = [200, 10, 110, 20, 90], [18, 130, 12, 20, 120]
    boxes = np.transpose([left, top, [30, 30, 10, 30, 30], [40, 44, 50, 40, 40]])
    themselves = "give the places of the boxes, such as [3, 2, ...], not the boxes themselves."
    once = "each of the places 0 to 4 has to stand there once: {}"
    tops = "by their tops alone a tall digit comes first. Find the rows, then go right."
    mistakes = [
        (lambda places: places.shape == boxes.shape, themselves),
        (lambda places: sorted(places.ravel()) != [0, 1, 2, 3, 4], once),
        ((2, 0, 3, 4, 1), tops),
        ((1, 3, 4, 2, 0), "by their left sides alone two rows get mixed. Find the rows first."),
        ((3, 1, 2, 4, 0), "you read down the columns. Rows first."),
        ((1, 4, 3, 2, 0), "the lower row comes first. A small top is high on the page."),
        ((0, 2, 3, 4, 1), "in a row you go from right to left."),
    ]
    wanted = "{right} is the order, yours is {}."
    expect(function(boxes), (3, 2, 0, 1, 4), mistakes, wanted)
    overlap = "two digits whose tops differ a little stand in one row: rows overlap."
    expect(function(np.array([[60, 10, 20, 40], [10, 22, 20, 40]])), (1, 0), [], overlap)


# --- A pipeline of one's own ---------------------------------------------------------------------

SHEETS, SIDE, BEHIND = 40, 200, 3  # drawings, their side, by how many one may miss to_mnist


@exercise
def own_pipeline(function: Asked, read: Callable[[np.ndarray], np.ndarray]) -> None:
    """Let a network read what a learner's pipeline makes of drawings, and name what it lacks.

    Parameters
    ----------
    function : from a grey drawing, uint8 (200, 200), to an image (28, 28) in 0..255
    read : gives the labels of images uint8 (n, 28, 28)
    """
    names = getattr(getattr(function.function, "__code__", None), "co_names", ())
    if {"to_mnist", "find_digits"} & set(names):
        raise Mistake("this asks the package. Write the steps yourself: you know them all.")
    sheets, ink, labels = _sheets()
    images = np.stack([_checked(function(sheet)) for sheet in sheets])
    mine, wanted = (int(np.sum(read(made) == labels)) for made in (images, _by_package()))
    if mine < wanted - BEHIND:
        told = f"the network reads {mine} of {SHEETS} drawings, after to_mnist {wanted}"
        raise Mistake(f"{told}. {_advice(images, ink)}")


@functools.cache
def _sheets() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 40 drawings, uint8 (n, 200, 200), every other one light on dark; their ink; labels."""
    images, labels = make_digits(SHEETS, seed=10)
    generator = np.random.default_rng(10)
    ink = np.zeros((SHEETS, SIDE, SIDE))
    for sheet, image in zip(ink, images, strict=True):
        size = int(generator.integers(70, 180))
        down, right = generator.integers(0, SIDE - size, 2)
        sheet[down : down + size, right : right + size] = enlarge(image, size)
    ground, pen = np.array([[225, 40], [50, 210]])[:, np.arange(SHEETS) % 2, None, None]
    shade = generator.integers(-25, 26, (SHEETS, 1, 1))  # of the light, the same on pen and ground
    sheets = ground + shade + ink * (pen - ground)
    return sheets.astype(np.uint8), ink, labels


@functools.cache
def _by_package() -> np.ndarray:
    """Return what ``ink.to_mnist`` makes of the 40 drawings, uint8 (n, 28, 28)."""
    return np.stack([needs("mnist_edu.ink", "ink").to_mnist(sheet) for sheet in _sheets()[0]])


def _checked(result: object) -> np.ndarray:
    """Return what a pipeline made, uint8 (28, 28), or say what it is instead."""
    try:
        image = np.asarray(result, float)
    except (TypeError, ValueError, OverflowError):
        raise Mistake(f"return an image of numbers, not {type(result).__name__}.") from None
    if image.shape != (28, 28):
        raise Mistake(f"return an image of shape (28, 28), not {image.shape}.")
    if not np.all((image > -0.5) & (image < 255.5)):
        raise Mistake("pixels lie in 0..255. Some of yours lie below, above, or are nan.")
    if not image.any():
        raise Mistake("one of your images is empty: all its pixels are 0.")
    if image.max() <= 1:
        raise Mistake("your pixels are in 0..1. Full ink is 255 in MNIST.")
    return np.round(image).astype(np.uint8)


def _advice(images: np.ndarray, ink: np.ndarray) -> str:
    """Name the step that most of the images (n, 28, 28) lack, given the ink that they were."""
    dark = np.median(images, axis=(1, 2)) > 127
    if dark.mean() > 0.25:
        return f"On {dark.sum()} of your images the ground is ink, and the digit is a hole in it."
    made = np.array([_extent(image / image.max() > 0.4) for image in images])
    drawn = np.array([_extent(sheet > 0.5) for sheet in ink])
    slim, was_slim = (np.log(sizes[:, 1] / sizes[:, 0]) for sizes in (made, drawn))
    if np.abs(slim + was_slim).mean() < np.abs(slim - was_slim).mean():
        return "Rows and columns are swapped: tall digits lie on their side."
    if np.abs(slim - was_slim).mean() > 0.2:
        return "Your digits have lost their shape. Shrink height and width by the same factor."
    longer = float(np.median(made.max(axis=1)))
    if abs(longer - 20) > 1.5:
        return f"Your ink is {longer:.0f} pixels long where MNIST's is 20."
    index = np.arange(28)
    mass = [[image.sum(axis) @ index / image.sum() for axis in (1, 0)] for image in images]
    away = np.abs(np.array(mass) - 14).max(axis=1)
    if np.mean(away > 1.5) > 0.2:
        return f"Size and shape are right. But the centre of mass lies up to {away.max():.0f} off."
    return "Size, shape and place are right. Compare your images with those of ink.to_mnist."


def _extent(mask: np.ndarray) -> tuple[int, int]:
    """Return height and width of what is True."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)
