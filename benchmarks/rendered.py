"""Drawings, photos and pages made by the computer, for tests and benchmarks of ``mnist_edu.ink``.

Ink is float (height, width) in 0..1. A generator of random numbers makes each picture repeatable.
"""

import cv2
import numpy as np

# Strokes of each digit, in a square from (0, 0), top left, to (1, 1).
STROKES = {
    0: [[(0.5, 0.05), (0.25, 0.2), (0.2, 0.6), (0.4, 0.95), (0.7, 0.8), (0.75, 0.35), (0.5, 0.05)]],
    1: [[(0.3, 0.25), (0.5, 0.05), (0.5, 0.95)]],
    2: [[(0.2, 0.25), (0.45, 0.05), (0.75, 0.25), (0.6, 0.55), (0.2, 0.95), (0.8, 0.93)]],
    3: [[(0.2, 0.1), (0.65, 0.1), (0.45, 0.45), (0.75, 0.7), (0.5, 0.95), (0.2, 0.85)]],
    4: [[(0.4, 0.05), (0.2, 0.6), (0.8, 0.55)], [(0.65, 0.3), (0.6, 0.95)]],
    5: [
        [(0.3, 0.08), (0.25, 0.45), (0.65, 0.5), (0.6, 0.9), (0.2, 0.92)],
        [(0.38, 0.03), (0.8, 0.0)],
    ],
    6: [[(0.65, 0.05), (0.3, 0.4), (0.25, 0.85), (0.6, 0.95), (0.7, 0.65), (0.28, 0.65)]],
    7: [[(0.2, 0.1), (0.8, 0.1), (0.4, 0.95)]],
    8: [
        [(0.7, 0.15), (0.35, 0.1), (0.3, 0.35), (0.7, 0.7), (0.5, 0.95), (0.27, 0.75), (0.7, 0.15)]
    ],
    9: [[(0.7, 0.3), (0.4, 0.45), (0.3, 0.2), (0.6, 0.05), (0.7, 0.3), (0.6, 0.95)]],
}


def strokes(digit: int, size: float = 280, margin: float = 40) -> list:
    """Return the strokes of a digit in a square pad."""
    inner = size - 2 * margin
    return [[(margin + inner * x, margin + inner * y) for x, y in part] for part in STROKES[digit]]


def enlarged(image: np.ndarray, size: int) -> np.ndarray:
    """Return a digit of 28 x 28 as ink of size x size, with the sharp edges of a pen."""
    large = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC) / 255
    return ((large - 0.4) * 6 + 0.5).clip(0, 1)


def placed(ink: np.ndarray, height: int, width: int, generator) -> np.ndarray:
    """Return the ink at a random place of an empty sheet."""
    sheet = np.zeros((height, width))
    top = generator.integers(0, height - len(ink) + 1)
    left = generator.integers(0, width - len(ink) + 1)
    sheet[top : top + len(ink), left : left + len(ink)] = ink
    return sheet


def coloured(ink: np.ndarray, generator) -> np.ndarray:
    """Return a drawing, uint8 (height, width, 3): a pen and a ground of two different colours."""
    while True:
        pen, ground = generator.integers(0, 256, (2, 3))
        if abs(pen - ground).max() > 100:
            break
    mixed = ground + ink[..., None].astype(np.float32) * (pen - ground)
    return np.round(mixed).astype(np.uint8)


def photo(ink: np.ndarray, generator, noise: float = 8, turned: float = 0.0) -> np.ndarray:
    """Return a photo of ink on paper: texture, uneven light, a shadow, noise, JPEG; uint8 colour.

    ``turned`` is how far, in parts of the height, the corners lie off through perspective.
    """
    height, width = ink.shape
    pen = generator.uniform(0.05, 0.35, 3)
    paper = generator.uniform(0.85, 1.0, 3)
    picture = paper * (1 - ink[..., None] * (1 - pen / paper))
    picture = perspective(picture, turned * height, generator)
    grain = cv2.resize(generator.normal(0, 0.02, (height // 4, width // 4)), (width, height))
    picture *= (light(height, width, generator) * (1 + grain))[..., None]
    picture = cv2.GaussianBlur(255 * picture, (0, 0), generator.uniform(0.5, 1.2) * height / 600)
    picture += generator.normal(0, noise, (height, width, 1)) + generator.normal(
        0, 3, picture.shape
    )
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(60, 95))]
    encoded = cv2.imencode(".jpg", picture.clip(0, 255).astype(np.uint8), quality)[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def light(height: int, width: int, generator) -> np.ndarray:
    """Return uneven light: from bright to dim, and a shadow with a soft edge."""
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    angle = generator.uniform(0, 2 * np.pi)
    along = np.cos(angle) * (columns - 0.5) + np.sin(angle) * (rows - 0.5)
    slope = 0.8 + generator.uniform(0.1, 0.4) * along
    edge, soft = generator.uniform(-0.3, 0.3), generator.uniform(0.01, 0.05)
    across = np.sin(angle) * (columns - 0.5) + np.cos(angle) * (rows - 0.5)
    return slope * (1 - 0.4 / (1 + np.exp(-((across - edge) / soft).clip(-50, 50))))


def perspective(picture: np.ndarray, most: float, generator) -> np.ndarray:
    """Move each corner of a picture outwards by up to ``most`` pixels."""
    height, width = picture.shape[:2]
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    outwards = np.sign(corners - 1) * generator.uniform(0, most, (4, 2))
    matrix = cv2.getPerspectiveTransform(corners, np.float32(corners + outwards))
    return cv2.warpPerspective(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def ruled(ink: np.ndarray, spacing: int, strength: float, squared: bool = False, tilt: float = 0.0):
    """Return ink with the lines of paper, which rise by ``tilt`` pixels a pixel."""
    rows, columns = np.indices(ink.shape)
    thick = max(2, max(ink.shape) // 300)
    lines = (rows + tilt * columns) % spacing < thick
    if squared:
        lines |= (columns - tilt * rows) % spacing < thick
    return np.maximum(ink, strength * lines)


def page(images: np.ndarray, generator, tilt: float = 0.0, per_row: int = 8, cell: int = 110):
    """Return ink with many digits in rows, and their centres (n, 2) as (x, y), in reading order.

    Size, place and spacing vary; the whole page is turned by ``tilt`` degrees.
    """
    rows = -(-len(images) // per_row)
    sheet = np.zeros(((rows + 1) * cell, (per_row + 1) * cell))
    centres = []
    for number, image in enumerate(images):
        size = int(generator.uniform(0.75, 1.0) * cell)
        top = (number // per_row + 0.5) * cell + (cell - size) / 2 + generator.uniform(-6, 6)
        left = (number % per_row + 0.5) * cell + (cell - size) / 2 + generator.uniform(-6, 6)
        top, left = round(top), round(left)
        place = sheet[top : top + size, left : left + size]
        np.maximum(place, enlarged(image, size), out=place)
        centres.append((left + size / 2, top + size / 2))
    middle = (sheet.shape[1] / 2, sheet.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(middle, tilt, 1)
    turned = cv2.warpAffine(sheet, turn, sheet.shape[::-1])
    return turned, np.array(centres) @ turn[:, :2].T + turn[:, 2]
