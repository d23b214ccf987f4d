"""Your own digits in MNIST's form: from strokes, a drawing, a photo or a scan.

MNIST was made like this: the ink of a digit was fitted into 20 x 20 pixels without changing its
shape, in shades of grey, and moved by whole pixels until its centre of mass lay in the middle of
28 x 28. A network that learned from such images expects them.

>>> seven = draw_strokes([[(60, 60), (220, 60), (120, 240)]])
>>> to_mnist(seven).shape
(28, 28)
"""

import numpy as np

from mnist_edu.errors import needs
from mnist_edu.paper import ADVICE, STEPS, ink_of, typical, widest
from mnist_edu.pictures import read_image

cv2 = needs("cv2", "ink")

__all__ = ["STEPS", "draw_strokes", "find_digits", "read_image", "to_mnist"]

SIDE = 28  # of MNIST's images
FIT = 20  # longer side of the ink in them
MIDDLE = 14  # index of the row and the column where the centre of mass belongs
PEN = (2.0, 3.2)  # pixels; half of the strokes of MNIST are 2.1 to 2.8 wide
EDGE = 0.5  # ink from here on counts when the size is taken


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
    ink, mask, _ = ink_of(image, without)
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
    ink, mask, back = ink_of(page, without)
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


def _points(stroke, number: int, size: int) -> np.ndarray:
    """Return the points of a stroke in the bitmap that is four times too large."""
    try:
        points = np.asarray(stroke, float).reshape(-1, 2)
    except (TypeError, ValueError):
        points = np.full((1, 2), np.nan)
    if not len(points) or not np.isfinite(points).all():
        raise ValueError(f"stroke {number} is no list of points: use [(x, y), (x, y), ...]")
    return np.round(4 * points.clip(-size, 2 * size)).astype(np.int32)


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
        keep = (sizes > 0.1 * typical(sizes, areas)) & (areas > 3)
    numbers = np.zeros(count, np.int32)
    numbers[1:][keep] = 1 + np.arange(keep.sum())
    if not keep.any():
        raise ValueError(f"only specks were found, no strokes: {ADVICE}")
    return numbers[pieces]


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
    usual = typical(sides, np.bincount(pieces.ravel())[1:])
    tall = float(np.percentile(sides[abs(np.log(sides / usual)) < 0.8], 75))
    merged = {number: number for number in boxes}
    while pair := _closest(boxes, tall):
        keep, gone = pair
        boxes[keep] = _around(boxes[keep], boxes.pop(gone))
        merged = {old: keep if new == gone else new for old, new in merged.items()}
    pens, areas = widest(pieces), np.bincount(np.array([0, *merged.values()])[pieces].ravel())
    pen = typical(pens[1:], np.bincount(pieces.ravel())[1:])
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
    """Tell a digit from a stray mark, a dash, a hair, a spot or a band as high as digits.

    What is usual is 1; the length of the strokes is in widths of their own.
    """
    hair, spot = width < 0.07 and pen < 0.4, max(width, height) < 0.7 and length < 1.6
    return 0.45 < max(width, height) < 2.5 and height > 0.2 and not hair and not spot


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
    """Return the ink of one digit, its strongest 1, soft edges kept, with a margin of 2 to 4."""
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
