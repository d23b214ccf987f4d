"""Which pixels of a picture are ink: the paper is found and levelled, its lines are left out.

What is wider than a pen belongs to the ground: a shadow, a table, the colour of the paper.
"""

from collections.abc import Iterator

import numpy as np

from mnist_edu.errors import needs

cv2 = needs("cv2", "ink")

STEPS = ("colour", "light", "sign", "lines", "specks", "pen", "fit", "shape", "grey", "centre")
WORK = 1600  # larger images are reduced to this longer side first
FAINTEST = 0.08  # contrast of the faintest ink that is read, where 1 is black on white
ADVICE = "write one digit with a dark pen on light paper, large, and in even light"


def ink_of(image: np.ndarray, without: tuple[str, ...]) -> tuple[np.ndarray, ...]:
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
    if max(mask.shape) > 100:  # in fewer pixels strokes are as thin
        rest = mask if "lines" in without else _without_band(_without_lines(ink, mask))
        mask = rest if "light" in without else _off_dark_ground(grey, mask, rest)
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
        _, circles, evenness, stats = _shapes(ink)
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
        wide = widest(mask.astype(np.int32))[1]
        ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, 2 * [max(1, int(wide / 2))])
        core = cv2.morphologyEx(mask, cv2.MORPH_OPEN, ball)
        mask &= 1 - cv2.dilate(core, ball)
        pieces, circles, evenness, stats = _shapes(core)
        strokes = (evenness > 0.5) & ~_outdone(pieces, circles, stats, mask)
        if strokes.any():
            return circles[strokes].max(), blot
        blot = max(blot, wide)
    return 0, blot


def _outdone(pieces, circles, stats, rest: np.ndarray) -> np.ndarray:
    """Tell which pieces are solid, large, and three times as wide as longer strokes elsewhere."""
    side, areas = max(rest.shape), stats[:, cv2.CC_STAT_AREA]
    outdone = (stats[:, 2:4].max(axis=1) > 0.5 * side) | (circles > 0.08 * side)
    if not outdone.any():
        return outdone
    elsewhere, others, _, parts = _shapes(rest)
    specks = parts[:, 2:4].max(axis=1, initial=0) < 0.03 * side
    lines = (others < max(4, side / 80)) & _level_or_upright(elsewhere, max(5, side // 30))
    strokes = ~specks & ~lines
    if strokes.sum() < 4:  # they may be the thin parts of the same digit
        return np.zeros(len(outdone), bool)
    others, lengths = others[strokes], parts[strokes, cv2.CC_STAT_AREA] / others[strokes]
    outdone &= (circles > 3 * typical(others, lengths)) & (areas / circles < 2 * lengths.sum())
    for n in np.flatnonzero(outdone):
        hull = cv2.convexHull(np.argwhere(pieces == n + 1)[:, None])
        outdone[n] = areas[n] > 0.6 * cv2.contourArea(hull)
    return outdone


def _level_or_upright(pieces: np.ndarray, long: int) -> np.ndarray:
    """Tell which pieces are straight along the edges, as parts of the paper's lines are."""
    mask = (pieces > 0).astype(np.uint8)
    ways = (np.ones(size, np.uint8) for size in ((1, long), (long, 1)))
    level, upright = (cv2.morphologyEx(mask, cv2.MORPH_OPEN, way) for way in ways)
    straight = np.bincount(pieces.ravel(), (level | upright).ravel())
    return (straight > 0.5 * np.bincount(pieces.ravel()))[1:]


def _shapes(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Number the pieces, in a frame of 1 pixel; return that, and of each three things.

    They are the widest circle in it, how evenly wide it is, and OpenCV's numbers (n, 5).
    Twice the area by the outline is the width of a long stroke, as wide as the widest circle in it:
    evenly wide, 1. Round, square or a triangle, it is half of that: 0.5.
    """
    mask = np.pad(mask, 1).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask)
    circles, outlines = widest(pieces), np.zeros(count)
    for axis in (0, 1):
        edges = np.abs(np.diff(pieces, axis=axis))  # pieces never touch: to or from 0
        outlines += np.pi / 4 * np.bincount(edges.ravel(), minlength=count)
    stats = stats[1:]
    evenness = 2 * stats[:, cv2.CC_STAT_AREA] / outlines[1:] / circles[1:]
    return pieces, circles[1:], evenness, stats


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
    rest = _beside((rest | mended).astype(bool) & mask, lines, reach)
    count = sum(cv2.connectedComponents(np.uint8(part > 0))[0] - 1 for part in (across, down))
    enough = 0.1 * mask.sum() / count  # of one line: a "line" without any other ink is a digit 1
    return rest if rest.sum() > enough else mask


def _without_band(mask: np.ndarray) -> np.ndarray:
    """Remove a printed band: flat, and three times as long as all other ink."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sides = stats[1:, 2:4].max(axis=1)
    long, others = sorted([*sides, 0], reverse=True)[:2]
    if not 0 < 3 * others < long:
        return mask
    rest = pieces != 1 + sides.argmax()
    _, box, _ = cv2.minAreaRect(np.argwhere(~rest))
    return mask & rest if 1.5 * min(box) < others else mask  # else a digit 1 beside specks


def _off_dark_ground(grey: np.ndarray, mask: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Remove pieces beside which it goes on as dark: corners of a band, a table or a shadow.

    ``rest`` is what is left of ``mask`` without the lines of the paper.
    """
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(rest.astype(np.uint8))
    kept, near = np.ones(count, bool), np.ones((9, 9), np.uint8)
    for n in 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] > 20):  # smaller ones are specks
        left, top, width, height = stats[n, :4]
        place = slice(max(0, top - 4), top + height + 4), slice(max(0, left - 4), left + width + 4)
        piece = np.uint8(pieces[place] == n)
        around = grey[place][(cv2.dilate(piece, near) > 0) & ~mask[place]]
        apart = abs(around - np.median(grey[place][piece > 0]))
        limit = 0.1 * np.percentile(apart, 90) if len(apart) else 0
        kept[n] = (apart < limit).sum() <= 0.2 * len(apart)
    return kept[pieces] & rest


def _beside(rest: np.ndarray, lines: np.ndarray, reach: int) -> np.ndarray:
    """Return the pieces that are strokes, for others are left of the lines.

    They reach beyond the lines, or are large, or long: a digit 1 may run along a line.
    """
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(rest.astype(np.uint8))
    kept = (stats[:, cv2.CC_STAT_AREA] > reach**2) | (stats[:, 2:4].max(axis=1) > 2 * reach)
    kept |= np.bincount(pieces[rest & (lines == 0)], minlength=len(kept)) > 0
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
    worth = [n for n in steps if any(_level_lines(small, n / 400, margin * scale))]
    lines = []
    for slope in sorted({(n + near) / 400 for n in worth for near in (-1, 0, 1)}):
        lines += [(dark, row, slope) for row, dark in _level_lines(ink, slope, margin)]
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


def _level_lines(ink: np.ndarray, slope: float, margin: float) -> Iterator[tuple[int, float]]:
    """Yield each row of the sheared ink that is a thin line, and how dark the line is.

    Strokes may cover parts of the line, but not most of it.
    """
    height, width = ink.shape
    level = _sheared(ink, slope)
    edge = np.minimum(np.arange(height), np.arange(height)[::-1]) - margin
    beyond = (abs(slope) * width / 2 - edge).clip(0)
    inside = width - beyond / max(abs(slope), 1e-9)  # pixels of the row in the image
    inked = cv2.reduce(np.uint8(level > 15), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
    for row in np.flatnonzero((inked > 0.75 * inside) & (inside > 0.15 * width)):
        thin = level[row][(level[row] > 15) & (level[row] <= 100)]
        if len(thin) > 0.4 * inside[row]:
            yield int(row), float(np.median(thin)) / 100


def _sheared(image: np.ndarray, slope: float) -> np.ndarray:
    height, width = image.shape
    shear = np.float32([[1, 0, 0], [slope, 1, -slope * width / 2]])  # type: ignore[arg-type]
    return cv2.warpAffine(image, shear, (width, height), flags=cv2.INTER_NEAREST)


def widest(pieces: np.ndarray) -> np.ndarray:
    """Return how wide each numbered piece is at its widest, from number 0, which is none."""
    widths = np.zeros(pieces.max() + 1)
    depth = cv2.distanceTransform(np.pad(pieces > 0, 1).astype(np.uint8), cv2.DIST_L2, 3)
    depth = depth[1:-1, 1:-1].ravel()
    inside = np.flatnonzero(pieces)
    inside = inside[np.argsort(depth[inside])]
    widths[pieces.ravel()[inside]] = 2 * depth[inside] - 0.5  # of many the last one stays
    return widths


def typical(sizes: np.ndarray, areas: np.ndarray) -> float:
    """Return the size of the pieces that hold most ink, whatever specks or long lines there are."""
    order = np.argsort(sizes)
    held = np.cumsum(areas[order])
    return float(sizes[order][np.searchsorted(held, held[-1] / 2)])
