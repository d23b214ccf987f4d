"""A picture from a file: PNG, JPEG, WebP, BMP or TIFF, upright, as red, green and blue in bytes."""

import io
import os
import warnings
from pathlib import Path

import numpy as np

from mnist_edu.errors import needs

cv2 = needs("cv2", "ink")

FILE_LIMIT = 100_000_000  # bytes
PIXEL_LIMIT = 25_000_000  # pixels decoded at most; a larger JPEG is decoded reduced
TOO_LARGE = "has too many pixels: save it smaller, as JPEG of 4,000 x 3,000 for example"


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
