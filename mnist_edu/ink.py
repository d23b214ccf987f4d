"""Your own digits in MNIST's form: from strokes, a drawing, a photo or a scan.

MNIST was made like this: the ink of a digit was fitted into 20 x 20 pixels without changing its
shape, in shades of grey, and moved by whole pixels until its centre of mass lay in the middle of
28 x 28. A network that learned from such images expects them.

>>> seven = draw_strokes([[(60, 60), (220, 60), (120, 240)]])
>>> to_mnist(seven).shape
(28, 28)
"""

import io
import os
from pathlib import Path

import numpy as np

from mnist_edu.errors import needs

cv2 = needs("cv2", "ink")

STEPS = ("colour", "light", "sign", "lines", "specks", "pen", "fit", "shape", "grey", "centre")
SIDE = 28  # of MNIST's images
FIT = 20  # longer side of the ink in them
MIDDLE = 14  # index of the row and the column where the centre of mass belongs
PEN = (2.0, 3.2)  # pixels; half of the strokes of MNIST are 2.1 to 2.8 wide
EDGE = 0.5  # ink from here on counts when the size is taken
WORK = 1600  # larger images are reduced to this longer side first
FAINTEST = 0.08  # contrast of the faintest ink that is read, where 1 is black on white
FILE_LIMIT = 100_000_000  # bytes
PIXEL_LIMIT = 25_000_000  # pixels decoded at most; a larger JPEG is decoded reduced
TOO_LARGE = "has too many pixels: save it smaller, as JPEG of 4,000 x 3,000 for example"
ADVICE = "write one digit with a dark pen on light paper, large, and in even light"


# --- Public: from an image to 28 x 28 ------------------------------------------------------------


def to_mnist(image: np.ndarray, without: tuple[str, ...] = ()) -> np.ndarray:
    """Bring a picture of one digit into MNIST's form: white ink on black, 28 x 28.

    Parameters
    ----------
    image : uint8 (height, width), grey, or (height, width, 3), colour, or (height, width, 4),
        colour and alpha; or bool (height, width). Dark ink on light, or light ink on dark.
    without : names of ``STEPS`` to leave out, to see what each of them is good for

    Returns
    -------
    uint8 (28, 28) in 0..255

    Raises
    ------
    ValueError
        If there is no ink, or the array is no picture. The message says what to do.
    """
    ink, mask, _ = _ink(image, without)
    pieces = _pieces(mask, "specks" not in without)
    digit = _near_largest(pieces) if "specks" not in without else pieces > 0
    return _fit(_only(ink, digit, True, _box(digit)), without)


def find_digits(page: np.ndarray, without: tuple[str, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Find all digits on a page, in reading order: rows from top to bottom, each left to right.

    Parameters
    ----------
    page : a picture as for ``to_mnist``
    without : names of ``STEPS`` to leave out

    Returns
    -------
    boxes : int (n, 4), a line (left, top, width, height) for each digit, in pixels of the page
    images : uint8 (n, 28, 28), the digits in MNIST's form

    Raises
    ------
    ValueError
        If there is no ink, or the array is no picture. The message says what to do.
    """
    ink, mask, back = _ink(page, without)
    digits = _join(_pieces(mask, "specks" not in without, bridge=3))
    boxes = _boxes(digits)
    order = _reading_order(boxes)
    images = np.array(
        [_fit(_only(ink, digits, 1 + place, boxes[place]), without) for place in order]
    )
    return _boxes_on_page(boxes[order], back), images


def draw_strokes(strokes, size: int = 280, width: float = 20) -> np.ndarray:
    """Draw strokes as a pen does, white on black.

    Parameters
    ----------
    strokes : list of strokes, each a list of points (x, y) in pixels, from the top left corner
    size : side of the bitmap in pixels
    width : pen width in pixels

    Returns
    -------
    uint8 (size, size) in 0..255

    Raises
    ------
    ValueError
        If a stroke is no list of points, or size or width is not positive.
    """
    if not (0 < size <= 4096 and 0 < width <= size):
        raise ValueError(f"size {size} and width {width}: use 0 < width <= size <= 4096")
    bitmap = np.zeros((4 * size, 4 * size), np.uint8)  # four times too large: smooth edges
    if not isinstance(strokes, list | tuple | np.ndarray):
        raise ValueError(f"strokes must be a list of strokes, not {type(strokes).__name__}")
    for number, stroke in enumerate(strokes):
        points = _points(stroke, number, size)
        thick = max(1, round(4 * width))
        if len(points) == 1:
            cv2.circle(bitmap, points[0].tolist(), thick // 2, 255, -1)
        cv2.polylines(bitmap, [points], False, 255, thick)
    return cv2.resize(bitmap, (size, size), interpolation=cv2.INTER_AREA)


def read_image(file: str | os.PathLike | bytes) -> np.ndarray:
    """Read a PNG, JPEG, WebP, BMP or TIFF file, large photos reduced, upright as they were taken.

    Parameters
    ----------
    file : its path, or its bytes

    Returns
    -------
    uint8 (height, width, 3), red, green, blue; with a fourth value, alpha, where the file has it

    Raises
    ------
    ValueError
        If the file is missing, no image, or too large. The message says what to do.
    """
    name, content = _content(file)
    pixels, kind, mode = _size(name, content)
    flags = cv2.IMREAD_UNCHANGED if mode in ("F", "I") else cv2.IMREAD_COLOR
    for power in (2, 4, 8):
        if kind == "JPEG" and pixels > PIXEL_LIMIT:
            flags, pixels = getattr(cv2, f"IMREAD_REDUCED_COLOR_{power}"), pixels / 4
    if pixels > PIXEL_LIMIT:
        raise ValueError(f"{name} {TOO_LARGE}")
    try:
        if mode == "RGBA":
            return _with_alpha(content)
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except (cv2.error, OSError, SyntaxError, ValueError):
        image = None
    if image is None:
        raise ValueError(f"{name} is damaged, its pixels cannot be decoded: take or save it again")
    return _eight_bits(image)


# --- Reading -------------------------------------------------------------------------------------


def _content(file: str | os.PathLike | bytes) -> tuple[str, bytes]:
    """Return the name of a file, for messages, and its bytes."""
    if isinstance(file, bytes | bytearray | memoryview):
        name, size = "the image", len(file)
    else:
        name, path = Path(file).name, Path(file)
        if not path.is_file():
            raise ValueError(f"there is no file {file}: look at its name and folder")
        size = path.stat().st_size
    if size > FILE_LIMIT:
        raise ValueError(f"{name} {TOO_LARGE}")
    return name, bytes(file) if name == "the image" else path.read_bytes()  # type: ignore[arg-type]


def _size(name: str, content: bytes) -> tuple[float, str, str]:
    """Return number of pixels, format, and Pillow's mode, "RGBA" for all that have alpha.

    Nothing is decoded for it.
    """
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
            mode = "RGBA" if alpha else image.mode
            return image.width * image.height, str(image.format), mode
    except Image.DecompressionBombError:
        raise ValueError(f"{name} {TOO_LARGE}") from None
    except (OSError, ValueError, SyntaxError):
        heic = content[4:10] in (b"ftyphe", b"ftypmi")
        kind = "a HEIC photo, which cannot" if heic else "no image that can"
        raise ValueError(f"{name} is {kind} be read here: use PNG or JPEG") from None


def _with_alpha(content: bytes) -> np.ndarray:
    """Return red, green, blue, alpha, upright: OpenCV turns a picture only where it drops alpha."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as image:
        return np.array(ImageOps.exif_transpose(image).convert("RGBA"))


def _eight_bits(image: np.ndarray) -> np.ndarray:
    """Return red, green, blue (and alpha) in 0..255 from OpenCV's order and depth."""
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    elif image.dtype != np.uint8:  # scientific TIFF, in 0..1, bytes, 16 bits, or whatever
        image = np.nan_to_num(image.astype(float), posinf=0, neginf=0).clip(0)
        full = next((top for top in (1, 255, 65535) if image.max() <= top), image.max())
        image = np.round(255 * image / full).astype(np.uint8)
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    return image[..., [2, 1, 0, 3][: image.shape[2]]]


def _points(stroke, number: int, size: int) -> np.ndarray:
    """Return the points of a stroke in the bitmap that is four times too large."""
    try:
        points = np.asarray(stroke, float).reshape(-1, 2)
    except (TypeError, ValueError):
        points = np.full((1, 2), np.nan)
    if not len(points) or not np.isfinite(points).all():
        raise ValueError(f"stroke {number} is no list of points: use [(x, y), (x, y), ...]")
    return np.round(4 * points.clip(-size, 2 * size)).astype(np.int32)


# --- Which pixels are ink? -----------------------------------------------------------------------


def _ink(image: np.ndarray, without: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    """Return the ink on the paper, float32 in 0..1, where strokes are, bool, and the way back.

    That is a matrix (2, 3) from pixels of the paper to those of the image.
    """
    if unknown := set(without) - set(STEPS):
        raise ValueError(f"no step is called {min(unknown)!r}: use one of {', '.join(STEPS)}")
    image = _checked(image)
    grey = _grey(_opaque(_reduced(image)), "colour" not in without)
    scale = max(image.shape[:2]) / max(grey.shape)
    grey, back = _paper(grey)
    ink = _clear(_difference(grey, without))
    mask = _strokes(ink)
    if "lines" not in without and max(mask.shape) > 100:  # in fewer pixels strokes are as thin
        mask = _without_lines(ink, mask)
    if not 0 < mask.mean() < 0.7:
        raise ValueError(f"almost everything is ink, and no digit can be seen: {ADVICE}")
    return ink, mask, scale * back


def _clear(difference: np.ndarray) -> np.ndarray:
    """Return ink in 0..1: 0 at the paper and its noise, 1 at full strokes."""
    every = 1 + max(difference.shape) // 500
    sample = difference[::every, ::every]
    low, paper = np.percentile(sample, (5, 30))  # also where lines cover half of the paper
    noise = 0.9 * float(paper - low)
    strong = difference[difference > paper + max(FAINTEST, 6 * noise)] - paper
    if len(strong) < 5:
        raise ValueError(f"no ink was found, the picture is all of one shade: {ADVICE}")
    full = np.percentile(strong, 95)
    return ((difference - paper - 2 * noise) / (full - 2 * noise)).clip(0, 1)


def _checked(image: np.ndarray) -> np.ndarray:
    """Return uint8 (height, width, channels)."""
    image = np.asarray(image)
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    if image.dtype != np.uint8:
        raise ValueError(
            f"a picture must be uint8 in 0..255, not {image.dtype}: "
            "convert it, for example (255 * image).astype('uint8') if it is in 0..1"
        )
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ValueError(
            f"a picture must have the shape (height, width), (height, width, 3) or "
            f"(height, width, 4), not {image.shape}: give one picture at a time"
        )
    height, width = image.shape[:2]
    short, long = sorted((height, width))
    if short < 2 or long < 8 or long > 20 * short:
        raise ValueError(
            f"a picture of {width} x {height} pixels is too small or too narrow: "
            "use one of at least 8 x 8, better 100 x 100"
        )
    return image


def _reduced(image: np.ndarray) -> np.ndarray:
    scale = WORK / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return small.reshape(height, width, -1)


def _opaque(image: np.ndarray) -> np.ndarray:
    """Lay a picture with alpha on white, or on black if its ink is light."""
    if image.shape[2] < 4:
        return image
    alpha = image[..., 3:] / np.float32(255)
    if not alpha.any():
        raise ValueError(f"the picture is transparent everywhere: {ADVICE}")
    light = float((image[..., :3] * alpha).sum() / (3 * alpha.sum()))
    ground = 255 * (light < 128)
    return (image[..., :3] * alpha + ground * (1 - alpha)).round().astype(np.uint8)


def _grey(image: np.ndarray, best: bool) -> np.ndarray:
    """Return float32 in 0..1: the mixture of the channels in which the picture varies most.

    Red on green can be as light as its ground; so a channel may also count negatively.
    """
    if image.shape[2] == 1:
        return image[..., 0] / np.float32(255)
    weights = np.full(3, 1 / 3)
    if best:
        sample = image[:: 1 + image.shape[0] // 300, :: 1 + image.shape[1] // 300]
        spread = np.cov(sample.reshape(-1, 3).T)
        weights = np.linalg.eigh(spread)[1][:, -1]
        weights *= np.sign(weights.sum() or 1) / np.abs(weights).sum()
    start = 255 * np.maximum(-weights, 0).sum()
    return ((image @ weights.astype(np.float32) + start) / 255).astype(np.float32)


def _paper(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the paper alone, level, and the matrix (2, 3) from its pixels to those of the picture.

    That is a note cut out from what it lies on, or a digit that was cut out at its box with a
    margin around it, or else all of the picture.
    """
    if note := _note(grey):
        middle, size, angle = note
        there = cv2.getRotationMatrix2D(middle, angle, 1)
        there[:, 2] += np.array(size) / 2 - middle
        paper = cv2.warpAffine(
            grey, there, np.int32(size).tolist(), borderMode=cv2.BORDER_REPLICATE
        )
        return paper, cv2.invertAffineTransform(there)
    shade = _shade_around_a_crop(grey)
    margin = 0 if shade is None else max(grey.shape) // 5
    paper = cv2.copyMakeBorder(grey, *4 * [margin], cv2.BORDER_CONSTANT, value=shade or 0)
    return paper, np.array([[1.0, 0, -margin], [0, 1, -margin]])


def _note(grey: np.ndarray) -> tuple | None:
    """Return middle, size and angle of a note: it lies on something dark, and is written upon."""
    small, scale = _small(np.log2(1 + 15 * grey) / 4, 200)  # so a shadow on it is no dark ground
    _, light = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(light, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = max(outlines, key=cv2.contourArea, default=None)
    if outline is None:
        return None
    middle, (width, height), angle = cv2.minAreaRect(outline)
    note = cv2.fillPoly(np.zeros_like(light), [outline], 1)
    touched = sum(side.mean() > 0.05 for side in (note[0], note[-1], note[:, 0], note[:, -1]))
    straight = cv2.contourArea(outline) > 0.85 * width * height > 0.05 * light.size
    written = 1 - light[note > 0].mean()
    if touched > 1 or not straight or not 0.001 < written < 0.25 or min(width, height) < 20:
        return None
    if abs(angle) > 45:
        width, height, angle = height, width, angle - np.copysign(90, angle)
    middle = tuple((at + 0.5) / scale - 0.5 for at in middle)
    return middle, (0.97 * width / scale, 0.97 * height / scale), angle


def _shade_around_a_crop(grey: np.ndarray) -> float | None:
    """Return the shade of the paper if a digit was cut out at its box, else None.

    Such a picture has two shades, and the ink is one piece from edge to edge, both ways, that
    leaves the corners to the paper.
    """
    small, _ = _small(grey, 200)
    _, light = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    part = light.mean()
    if part in (0, 1):
        return None
    apart = float(small[light > 0].mean()) - float(small[light == 0].mean())
    if part * (1 - part) * apart**2 < 0.9 * float(small.var()):  # Otsu's measure
        return None
    for ink in (light, 1 - light):
        edge = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]).mean()
        if edge > 0.85:
            continue
        circles, evenness, stats = _shapes(ink)
        _, _, width, height, area = stats[(n := stats[:, cv2.CC_STAT_AREA].argmax())]
        spans = min(width / ink.shape[1], height / ink.shape[0]) * area / ink.sum()
        if spans > 0.8 and evenness[n] > 0.45 and edge + circles[n] / max(ink.shape) < 0.85:
            return float(np.median(small[ink == 0])) / 255
    return None


def _small(grey: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """Return uint8, the longer side at most ``side``, and by how much it was reduced."""
    scale = min(1.0, side / max(grey.shape))
    size = [max(1, round(scale * length)) for length in grey.shape[::-1]]
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.round(255 * small).astype(np.uint8), scale


def _difference(grey: np.ndarray, without: tuple[str, ...]) -> np.ndarray:
    """Return how far each pixel is from the ground below the ink, ink positive.

    A shadow makes ink and paper darker in the same proportion; so dark ink is what is missing in
    parts of the ground.
    """
    if max(grey.shape) > 400:  # the noise of a camera
        grey = cv2.GaussianBlur(grey, (0, 0), max(grey.shape) / 1000)
    dark_ink, reach = _pen(grey)
    ground = np.full_like(grey, np.median(grey))
    if "light" not in without:
        ground = _ground(grey, cv2.MORPH_CLOSE if dark_ink else cv2.MORPH_OPEN, reach)
    if dark_ink or "sign" in without:
        return (ground - grey) / np.maximum(ground, max(0.2, 0.4 * ground.max()))
    return grey - ground


def _ground(grey: np.ndarray, operation: int, reach: int) -> np.ndarray:
    """Return the ground below the ink: in a window wider than a pen some pixel shows it.

    For dark ink that is the lightest (closing), for light ink the darkest (opening). What is wider
    than the window, such as a shadow or a table, belongs to the ground.
    """
    small, scale = _small(grey, max(grey.shape) * min(1, 28 / reach))
    swept = _swept(small, operation, 1 + round(scale * reach), cv2.MORPH_ELLIPSE)
    return cv2.resize(swept, grey.shape[::-1], interpolation=cv2.INTER_LINEAR) / np.float32(255)


def _pen(grey: np.ndarray) -> tuple[bool, int]:
    """Return whether ink is dark, and a window in pixels that is wider than its strokes."""
    small, scale = _small(grey, 400)
    reach, found = max(small.shape) // 3, []
    while reach > 2:
        light, dark = (_swept(small, how, reach) for how in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN))
        dark_ink = _is_dark(small, light, dark)
        wide, blot = _widths(light - small if dark_ink else small - dark)
        if wide or blot:
            found.append((dark_ink, 1.6 * (wide or blot)))
        if blot <= 1.5 * wide or reach <= 4 * wide:
            break
        reach = int(min(4 * wide if wide else blot / 2, reach / 2))
    if not found:
        return True, max(grey.shape) // 3
    dark_ink, reach = found[-1]
    return dark_ink, max(round(reach / scale) + 2, max(grey.shape) // 40)


def _is_dark(small, light, dark) -> bool:
    """Tell whether ink is dark.

    The wrong answer takes more for ink than there is, and leaves blots where digits were, so the
    ground there is less even.
    """
    changed = cv2.absdiff(light, dark)
    where = changed > 0.3 * changed.max()
    if_dark_ink = (0.25 + (light - small).mean()) * _unevenness(light, where)
    if_light_ink = (0.25 + (small - dark).mean()) * _unevenness(dark, where)
    return bool(if_dark_ink <= if_light_ink)


def _unevenness(ground: np.ndarray, where: np.ndarray) -> float:
    steps = (
        cv2.absdiff(g[1:], g[:-1])[w[1:]].sum() for g, w in ((ground, where), (ground.T, where.T))
    )
    return 1e-3 + float(sum(steps)) / ground.size


def _widths(hat: np.ndarray) -> tuple[float, float]:
    """Return how wide the widest stroke is, and the widest blot, in pixels; 0 if there is none.

    The widest ink is looked at first, alone. It is a blot if it is as round, square or triangular
    as no stroke is, or compact and much wider than longer strokes elsewhere. Then the rest follows.
    """
    strong = hat[hat > 255 * FAINTEST]
    if len(strong) < 5:
        return 0, 0
    least, blot = max(0.3 * np.percentile(strong, 95), 255 * FAINTEST), 0.0
    mask = (hat > least).astype(np.uint8)
    while mask.any():
        wide = _circles(mask.astype(np.int32))[1]
        ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, 2 * [max(1, int(wide / 2))])
        core = cv2.morphologyEx(mask, cv2.MORPH_OPEN, ball)
        mask &= 1 - cv2.dilate(core, ball)
        circles, evenness, stats = _shapes(core)
        strokes = (evenness > 0.5) & ~_outdone(core, mask)
        if strokes.any():
            return circles[strokes].max(), blot
        blot = max(blot, wide)
    return 0, blot


def _outdone(core: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Tell which pieces are solid, large, and three times as wide as longer strokes elsewhere."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(np.pad(core, 1))
    circles, areas = _circles(pieces)[1:], stats[1:, cv2.CC_STAT_AREA]
    outdone = stats[1:, 2:4].max(axis=1) > 0.5 * max(core.shape)
    outdone |= circles > 0.08 * max(core.shape)
    others, _, parts = _shapes(rest) if outdone.any() else _shapes(0 * rest)
    sides = parts[:, 2:4].max(axis=1, initial=0) / max(core.shape)
    strokes = (sides > 0.03) & (sides < 0.5)  # no specks of noise, no lines of the paper
    others, lengths = others[strokes], parts[strokes, cv2.CC_STAT_AREA] / others[strokes]
    usual = _typical(others, lengths) if len(others) else np.inf
    outdone &= (circles > 3 * usual) & (areas / circles < 2 * lengths.sum())
    for n in np.flatnonzero(outdone):
        hull = cv2.convexHull(np.argwhere(pieces == n + 1)[:, None])
        outdone[n] = areas[n] > 0.6 * cv2.contourArea(hull)
    return outdone


def _shapes(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each piece the widest circle in it, how evenly wide it is, and OpenCV's numbers.

    Twice the area by the outline is the width of a long stroke, as wide as the widest circle in it:
    evenly wide, 1. Round, square or a triangle, it is half of that: 0.5.
    """
    mask = np.pad(mask, 1).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask)
    circles, outlines = _circles(pieces), np.zeros(count)
    for axis in (0, 1):
        edges = np.abs(np.diff(pieces, axis=axis))  # pieces never touch: to or from 0
        outlines += np.pi / 4 * np.bincount(edges.ravel(), minlength=count)
    stats = stats[1:]
    return circles[1:], 2 * stats[:, cv2.CC_STAT_AREA] / outlines[1:] / circles[1:], stats


def _swept(image: np.ndarray, how: int, reach: int, window: int = cv2.MORPH_RECT) -> np.ndarray:
    """Return an image after a morphological operation, as if it went on beyond its edges."""
    framed = cv2.copyMakeBorder(image, *4 * [reach], cv2.BORDER_REPLICATE)
    swept = cv2.morphologyEx(framed, how, cv2.getStructuringElement(window, (reach, reach)))
    return swept[reach:-reach, reach:-reach]


def _strokes(ink: np.ndarray) -> np.ndarray:
    """Return where ink is at least half as strong as the strongest nearby, bool.

    What a thin pen writes is grey in a photo that is not sharp.
    """
    reach = 2 * (max(ink.shape) // 130) + 3
    strongest = cv2.dilate(ink, np.ones((reach, reach), np.uint8))
    return ink > np.maximum(0.5 * strongest, 0.3)


def _without_lines(ink: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Remove the lines of lined or squared paper, and mend the strokes that crossed them."""
    across, down = _rules(ink), _rules(ink.T).T
    lines = 1 - (1 - across) * (1 - down)
    if not lines.any():
        return mask
    above = (ink - lines).clip(0) / (1 - lines.clip(0, 0.8))  # a pen is darker than the line
    rest = _strokes(above).astype(np.uint8)
    reach = 2 * (max(mask.shape) // 200) + 3
    mended = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((reach, 1), np.uint8)) * (across > 0)
    mended |= cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((1, reach), np.uint8)) * (down > 0)
    rest = _beside((rest | mended).astype(bool) & mask, lines, reach**2)
    count = sum(cv2.connectedComponents(np.uint8(part > 0))[0] - 1 for part in (across, down))
    enough = 0.1 * mask.sum() / count  # of one line: a "line" without any other ink is a digit 1
    return rest if rest.sum() > enough else mask


def _beside(rest: np.ndarray, lines: np.ndarray, large: int) -> np.ndarray:
    """Return the pieces that reach beyond the lines, or are large: others are left of the lines."""
    _, pieces = cv2.connectedComponents(rest.astype(np.uint8))
    areas = np.bincount(pieces.ravel())
    kept = areas > large
    kept |= np.bincount(pieces[rest & (lines == 0)], minlength=len(areas)) > 0
    return kept[pieces] & rest


def _rules(ink: np.ndarray) -> np.ndarray:
    """Return how dark the thin lines are that run from edge to edge, at most 6 degrees from level.

    float32 (height, width), 0 where there is no line.
    """
    margin = ink.shape[1] // 18 + 1  # a line in a corner lies beyond the edge once it is level
    ink = np.pad(ink, ((margin, margin), (0, 0)))
    scale = min(1.0, 400 / max(ink.shape))
    size = (max(20, round(ink.shape[1] * scale)), max(20, round(ink.shape[0] * scale)))
    small = cv2.resize((ink > 0.15).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small, ink = _thick_marked(np.float32(small > 0.1)), _thick_marked(ink)  # type: ignore[arg-type]
    steps = range(-40, 41, 2)  # of slope; first coarsely, then exactly where it is worth it
    worth = [n for n in steps if _level_lines(small, n / 400, margin * scale).any()]
    lines = []
    for slope in sorted({(n + near) / 400 for n in worth for near in (-1, 0, 1)}):
        dark = _level_lines(ink, slope, margin)
        lines += [(dark[row], row, slope) for row in np.flatnonzero(dark)]
    found, right = np.zeros(ink.shape, np.float32), ink.shape[1]
    for dark, row, slope in sorted(lines):  # the darkest last, over the others
        ends = [(x, round(row - slope * (x - right / 2))) for x in (0, right)]
        cv2.line(found, *ends, dark, 1)
    return found[margin:-margin]


def _thick_marked(ink: np.ndarray) -> np.ndarray:
    """Return the ink in percent, uint8; 100 more where it is too thick for a line that is level.

    Each pixel is as dark as the one above or below it, for lines are never quite straight.
    """
    faint = (ink > 0.15).astype(np.uint8)
    thick = np.ones((5 + 2 * (len(ink) // 120), 1), np.uint8)
    marked = np.uint8(100 * ink) + 100 * cv2.morphologyEx(faint, cv2.MORPH_OPEN, thick)
    return cv2.dilate(marked, np.ones((3, 1), np.uint8))


def _level_lines(ink: np.ndarray, slope: float, margin: float) -> np.ndarray:
    """Return for each row of the sheared ink how dark the thin line is there, 0 without a line.

    Strokes may cover parts of the line, but not most of it.
    """
    height, width = ink.shape
    level = _sheared(ink, slope)
    edge = np.minimum(np.arange(height), np.arange(height)[::-1]) - margin
    beyond = (abs(slope) * width / 2 - edge).clip(0)
    inside = width - beyond / max(abs(slope), 1e-9)  # pixels of the row in the image
    inked = cv2.reduce(np.uint8(level > 15), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
    dark = np.zeros(height)
    for row in np.flatnonzero((inked > 0.75 * inside) & (inside > 0.15 * width)):
        places = np.flatnonzero(level[row] > 15)
        thin = level[row, places[level[row, places] <= 100]]
        ends = np.ptp(places) < 0.9 * width  # before the edge, as a flat stroke does
        if len(thin) > 0.4 * inside[row] and not (ends and inside[row] > 0.95 * width):
            dark[row] = np.median(thin) / 100
    return dark


def _sheared(image: np.ndarray, slope: float) -> np.ndarray:
    height, width = image.shape
    shear = np.float32([[1, 0, 0], [slope, 1, -slope * width / 2]])  # type: ignore[arg-type]
    return cv2.warpAffine(image, shear, (width, height), flags=cv2.INTER_NEAREST)


# --- Which ink belongs to which digit? -----------------------------------------------------------


def _pieces(mask: np.ndarray, clean: bool, bridge: int = 1) -> np.ndarray:
    """Number the connected pieces of ink from 1, without specks; int32, 0 elsewhere.

    With ``bridge`` 3, gaps of a hair, up to 2 pixels, part nothing.
    """
    near = cv2.dilate(mask.astype(np.uint8), np.ones((bridge, bridge), np.uint8))
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(near)
    pieces *= mask
    areas, sizes = np.bincount(pieces.ravel(), minlength=count)[1:], stats[1:, 2:4].max(axis=1)
    keep = np.ones(count - 1, bool)
    if clean and count > 1:
        keep = (sizes > 0.1 * _typical(sizes, areas)) & (areas > 3)
    numbers = np.zeros(count, np.int32)
    numbers[1:][keep] = 1 + np.arange(keep.sum())
    if not keep.any():
        raise ValueError(f"only specks were found, no strokes: {ADVICE}")
    return numbers[pieces]


def _typical(sizes: np.ndarray, areas: np.ndarray) -> float:
    """Return the size of the pieces that hold most ink, whatever specks or long lines there are."""
    order = np.argsort(sizes)
    held = np.cumsum(areas[order])
    return float(sizes[order][np.searchsorted(held, held[-1] / 2)])


def _near_largest(pieces: np.ndarray) -> np.ndarray:
    """Return the largest piece and what lies near it, bool: a digit, and no smudge elsewhere."""
    boxes = _boxes(pieces)
    areas = np.bincount(pieces.ravel())[1:]
    digit = boxes[areas.argmax()]
    chosen = {int(areas.argmax())}
    reach = np.where(areas > 0.2 * areas.max(), 0.6, 0.3)  # a broken digit has large parts
    for _ in boxes:
        side = digit[2:].max()
        near = {n for n, box in enumerate(boxes) if _gap(box, digit) < reach[n] * side} - chosen
        if not near:
            break
        chosen |= near
        for number in near:
            digit = _around(digit, boxes[number])
    return np.isin(pieces, [number + 1 for number in chosen])


def _join(pieces: np.ndarray) -> np.ndarray:
    """Give the pieces of a broken digit one number: close together, and not too large together."""
    boxes = dict(enumerate(_boxes(pieces), 1))
    sides = np.array([max(box[2:]) for box in boxes.values()])
    usual = _typical(sides, np.bincount(pieces.ravel())[1:])
    tall = float(np.percentile(sides[abs(np.log(sides / usual)) < 0.8], 75))
    merged = {number: number for number in boxes}
    while pair := _closest(boxes, tall):
        keep, gone = pair
        boxes[keep] = _around(boxes[keep], boxes.pop(gone))
        merged = {old: keep if new == gone else new for old, new in merged.items()}
    pens, areas = _circles(pieces), np.bincount(np.array([0, *merged.values()])[pieces].ravel())
    pen = _typical(pens[1:], np.bincount(pieces.ravel())[1:])
    digits = [
        n
        for n, (_, _, width, height) in boxes.items()
        if _is_whole(width / tall, height / tall, pens[n] / pen, areas[n] / pens[n] ** 2)
    ]
    if not digits:
        raise ValueError(f"no ink on the picture has the form of a digit: {ADVICE}")
    numbers = {new: 1 + place for place, new in enumerate(digits)}
    table = [0, *(numbers.get(merged[number], 0) for number in sorted(merged))]
    return np.array(table, np.int32)[pieces]


def _is_whole(width: float, height: float, pen: float, length: float) -> bool:
    """Tell a digit from a stray mark, a dash, a hair, a spot or an edge of something large.

    What is usual is 1; the length of the strokes is in widths of their own.
    """
    hair, spot = width < 0.07 and pen < 0.4, max(width, height) < 0.7 and length < 1.6
    return 0.45 < max(width, height) < 2.5 and height > 0.2 and not hair and not spot


def _circles(pieces: np.ndarray) -> np.ndarray:
    """Return how wide each numbered piece is at its widest, from number 0, which is none."""
    circles = np.zeros(pieces.max() + 1)
    depth = cv2.distanceTransform(np.pad(pieces > 0, 1).astype(np.uint8), cv2.DIST_L2, 3)
    depth = depth[1:-1, 1:-1].ravel()
    inside = np.flatnonzero(pieces)
    inside = inside[np.argsort(depth[inside])]
    circles[pieces.ravel()[inside]] = 2 * depth[inside] - 0.5  # of many the last one stays
    return circles


def _closest(boxes: dict, tall: float) -> tuple[int, int] | None:
    """Return two pieces that belong together, the closest ones, or None."""
    numbers, places = list(boxes), np.array(list(boxes.values()))
    starts, ends = places[:, :2], places[:, :2] + places[:, 2:]
    gaps = np.maximum(starts[:, None], starts[None]) - np.minimum(ends[:, None], ends[None])
    near = np.argwhere((gaps < 0.3 * tall).all(axis=2))
    pairs = [(one, two) for one, two in near if one < two]
    pairs = [pair for pair in pairs if _fits(*places[list(pair)], tall)]  # type: ignore[call-arg]
    if not pairs:
        return None
    one, two = min(pairs, key=lambda pair: _gap(*places[list(pair)]))
    return numbers[one], numbers[two]


def _fits(a: np.ndarray, b: np.ndarray, tall: float) -> bool:
    """Tell whether two pieces look like one digit: one above another, or a flat or small part."""
    both, smaller = _around(a, b), min(max(a[2:]), max(b[2:]))
    above = a[2] + b[2] - both[2] > 0.3 * min(a[2], b[2])
    flat, small = min(a[3], b[3]) < 0.35 * tall, smaller < 0.7 * tall
    reach = 0.3 if flat else 0.15 if small else 0
    return max(both[2:]) < 1.4 * tall and (above or _gap(a, b) < reach * tall)


def _gap(a: np.ndarray, b: np.ndarray) -> float:
    both = _around(a, b)
    return float(np.hypot(*np.maximum(both[2:] - a[2:] - b[2:], 0)))


def _around(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    start, end = np.minimum(a[:2], b[:2]), np.maximum(a[:2] + a[2:], b[:2] + b[2:])
    return np.concatenate([start, end - start])


def _box(mask: np.ndarray) -> np.ndarray:
    """Return left, top, width, height of what is True."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = rows[0], columns[0]
    return np.array([left, top, columns[-1] - left + 1, rows[-1] - top + 1])


def _boxes(pieces: np.ndarray) -> np.ndarray:
    """Return left, top, width, height of each numbered piece, int (n, 4)."""
    starts, ends = np.zeros((2, pieces.max() + 1, 2), int)
    for axis, lines in enumerate((pieces.T, pieces)):
        places, numbers = np.nonzero(lines)[0], lines[lines > 0]
        ends[numbers, axis] = places + 1  # of many the last one stays
        starts[numbers[::-1], axis] = places[::-1]
    return np.hstack([starts, ends - starts])[1:]


def _boxes_on_page(boxes: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return the boxes around boxes of the paper in pixels of the page, int (n, 4)."""
    corners = boxes[:, None, :2] + boxes[:, None, 2:] * [(0, 0), (0, 1), (1, 0), (1, 1)]
    corners = corners @ back[:, :2].T + back[:, 2]
    starts, ends = corners.min(axis=1), corners.max(axis=1)
    return np.round(np.hstack([starts, ends - starts])).astype(int)


def _reading_order(boxes: np.ndarray) -> np.ndarray:
    """Return the places of the boxes as one reads them, also on a page that is tilted a little.

    The page is turned so that the rows, seen from the side, cover as little as possible.
    """
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    near = 0.45 * np.median(boxes[:, 3])
    best = (np.inf, None)
    for slope in sorted(np.linspace(-0.2, 0.2, 161), key=abs):
        heights = centres[:, 1] - slope * centres[:, 0]
        gaps = np.diff(np.sort(heights))
        covered = np.minimum(gaps, 1.5 * near).sum()
        if covered < best[0] - 1e-6:
            best = (covered, heights)
    order = np.argsort(best[1], kind="stable")  # type: ignore[arg-type]
    rows = np.cumsum(np.diff(best[1][order], prepend=best[1][order[0]]) > near)  # type: ignore[index]
    return order[np.lexsort((centres[order, 0], rows))]


# --- Into MNIST's form ---------------------------------------------------------------------------


def _only(ink: np.ndarray, digits: np.ndarray, number: int, box: np.ndarray) -> np.ndarray:
    """Return the ink of one digit, its strongest 1, with soft edges and a margin of 2 pixels."""
    left, top, width, height = box
    place = slice(max(0, top - 2), top + height + 2), slice(max(0, left - 2), left + width + 2)
    frame = np.pad(np.uint8(digits[place] == number), 2)
    digit = np.pad(ink[place], 2) * cv2.dilate(frame, np.ones((3, 3), np.uint8))
    return digit / digit.max()


def _fit(ink: np.ndarray, without: tuple[str, ...]) -> np.ndarray:
    """Return ink float32 (height, width) in MNIST's form."""
    if "pen" not in without:
        ink = _even_pen(ink)
    small = _resized(ink, without)
    rows, columns = np.indices(small.shape)
    middle = np.array([(rows * small).sum(), (columns * small).sum()]) / small.sum()
    if "centre" in without:
        middle = np.array(small.shape) / 2
    shift = np.round(MIDDLE - middle - 0.001).astype(int)  # half a pixel goes to the top left
    top, left = np.clip(shift, 0, SIDE - len(small))
    result = np.zeros((SIDE, SIDE), np.uint8)
    place = result[top : top + len(small), left : left + len(small)]
    place[:] = np.round(255 * small / small.max())
    return result


def _resized(ink: np.ndarray, without: tuple[str, ...]) -> np.ndarray:
    """Cut a square around the ink, and make it 20 x 20."""
    left, top, width, height = _box(ink > EDGE)
    longer, side = max(width, height), SIDE if "fit" in without else FIT
    if "shape" in without:
        square = ink[top : top + height, left : left + width]
    else:
        left, top = left - (longer - width) // 2 + longer, top - (longer - height) // 2 + longer
        square = np.pad(ink, longer)[top : top + longer, left : left + longer]
    how = cv2.INTER_AREA if side < longer else cv2.INTER_LINEAR
    how = cv2.INTER_NEAREST if "grey" in without else how
    return cv2.resize(np.ascontiguousarray(square), (side, side), interpolation=how)


def _even_pen(ink: np.ndarray) -> np.ndarray:
    """Bring strokes that are much thinner or thicker than MNIST's to the nearest usual width."""
    scale = 10 * FIT / max(_box(ink > 0.5)[2:])
    size = [max(1, round(scale * side)) for side in ink.shape[::-1]]
    large = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    large = np.pad(large, 40)
    soft = cv2.GaussianBlur(large, (0, 0), 2)
    slopes = cv2.magnitude(*(cv2.Sobel(soft, -1, *way, ksize=1) for way in ((0, 1), (1, 0)))) / 2
    wide = 2 * large.sum() / slopes.sum() / 10  # of a long stroke: two edges, one area
    aim = np.clip(wide, *PEN)
    change = 10 * (aim - wide) * FIT / (FIT - aim)  # the digit grows or shrinks, then is fitted
    if abs(change) < 1:
        return ink
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, 2 * [2 * round(abs(change) / 2) + 1])
    even = cv2.dilate(large, ball) if change > 0 else cv2.erode(large, ball)
    return even if even.max() > EDGE else ink  # thin strokes in a grey blot would be gone
