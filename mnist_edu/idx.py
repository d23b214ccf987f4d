"""The IDX file format, in which MNIST is published: read and write arrays of any type and shape.

A file is: two zero bytes, a byte for the type, a byte for the number of dimensions, each dimension
as a big-endian uint32, then the values in big-endian order. The format is described on the page
of the MNIST database by Y. LeCun, C. Cortes and C. J. C. Burges.
"""

import gzip
import io
import math
import os
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from mnist_edu.cache import whole

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_START = b"\x1f\x8b"


def read_idx(file: str | os.PathLike | bytes) -> np.ndarray:
    """Read an IDX file, compressed with gzip or not.

    Parameters
    ----------
    file : path of the file, or its bytes

    Returns
    -------
    array of uint8, int8, int16, int32, float32 or float64, in the byte order of this machine

    Raises
    ------
    ValueError
        If the file is not IDX, is cut short, goes on after its last value, or is broken gzip.
    """
    if isinstance(file, bytes):
        return _read(io.BytesIO(file), "these bytes")
    with open(file, "rb") as stream:
        return _read(stream, Path(file).name)


def _read(stream: IO[bytes], name: str) -> np.ndarray:
    start = stream.read(2)
    stream.seek(0)
    if start != GZIP_START:
        return _parse(stream, name)
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            return _parse(cast(IO[bytes], unpacked), name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{name}: broken gzip data ({error})") from None


def _parse(stream: IO[bytes], name: str) -> np.ndarray:
    head = _take(stream, 4, f"{name}: the first 4 bytes")
    if head[:2] != b"\0\0":
        raise ValueError(f"{name}: not an IDX file, it starts with {head[:2].hex()} and not 0000")
    if head[2] not in TYPES:
        raise ValueError(f"{name}: byte 2 names the unknown type 0x{head[2]:02x}")
    if head[3] > 32:
        raise ValueError(f"{name}: byte 3 asks for {head[3]} dimensions, and 32 is the most")
    sizes = _take(stream, 4 * head[3], f"{name}: the sizes of {head[3]} dimensions")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    dtype = np.dtype(TYPES[head[2]])
    length = math.prod(shape) * dtype.itemsize
    if not length and math.prod(size for size in shape if size) * dtype.itemsize > 2**62:
        raise ValueError(f"{name}: no array can have the shape {shape}")
    values = _take(stream, length, f"{name}: values of shape {shape}")
    if stream.read(1):
        raise ValueError(f"{name}: goes on after its last value, at byte {4 + len(sizes) + length}")
    return np.frombuffer(values, dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape)


def _take(stream: IO[bytes], length: int, what: str) -> bytearray:
    """Read exactly ``length`` bytes, in pieces: a false size must not claim memory."""
    found = bytearray()
    while len(found) < length:
        piece = stream.read(min(length - len(found), 1 << 24))
        if not piece:
            missing = length - len(found)
            raise ValueError(f"{what} need {length:,} bytes, and {missing:,} are missing")
        found += piece
    return found


def write_idx(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write an array as an IDX file, compressed where the name ends in ``.gz``.

    Parameters
    ----------
    path : file to write
    array : uint8, int8, int16, int32, float32 or float64, of at most 32 dimensions

    Raises
    ------
    ValueError
        If IDX has no type for the array, or the array has more than 32 dimensions.
    """
    array = np.asarray(array)
    codes = {np.dtype(text).newbyteorder("="): code for code, text in TYPES.items()}
    code = codes.get(array.dtype.newbyteorder("="))
    if code is None:
        raise ValueError(f"IDX has no type for {array.dtype}: use one of {[*map(str, codes)]}")
    if array.ndim > 32:
        raise ValueError(f"32 dimensions are the most, and the array has {array.ndim}")
    sizes = np.array(array.shape, ">u4").tobytes()
    content = bytes([0, 0, code, array.ndim]) + sizes + array.astype(TYPES[code]).tobytes()
    if str(path).endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    with whole(Path(path)) as part:
        part.write_bytes(content)
