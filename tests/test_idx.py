"""The IDX reader and writer: every type and shape, and every kind of broken file."""

import gzip
import random
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnist_edu.idx import read_idx, write_idx

TYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(TYPES), SHAPES, st.booleans())
def test_round_trip(tmp_path_factory, choice, dtype, shape, packed):
    array = choice.draw(hnp.arrays(dtype, shape))
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if packed else "a")
    write_idx(path, array)
    again = read_idx(path)
    assert again.dtype == array.dtype and again.shape == array.shape
    np.testing.assert_array_equal(again, array)


def test_bytes_agree_with_a_file_written_by_hand():
    content = bytes([0, 0, 0x0B, 2]) + struct.pack(">II3h3h", 2, 3, 1, -2, 3, 400, -500, 600)
    assert read_idx(content).tolist() == [[1, -2, 3], [400, -500, 600]]


GOOD = bytes([0, 0, 8, 2]) + struct.pack(">II", 2, 3) + bytes(range(6))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "4 bytes"),
        (b"\0\0\x08", "1 are missing"),
        (b"PK" + GOOD[2:], "not an IDX file"),
        (b"\0\0\x07" + GOOD[3:], "unknown type 0x07"),
        (b"\0\0\x08\xff" + GOOD[4:], "255 dimensions"),
        (GOOD[:9], "sizes of 2 dimensions"),
        (GOOD[:-2], "2 are missing"),
        (GOOD + b"x", "goes on after its last value, at byte 18"),
        (bytes([0, 0, 8, 2]) + struct.pack(">II", 2**32 - 1, 2**32 - 1) + b"abc", "are missing"),
        (bytes([0, 0, 8, 3]) + struct.pack(">III", 0, 2**32 - 1, 2**32 - 1), "no array can have"),
        (gzip.compress(GOOD)[:-8] + bytes(8), "broken gzip"),
        (gzip.compress(GOOD)[:-9], "broken gzip"),
        (gzip.compress(GOOD)[:12], "broken gzip"),
        (b"\x1f\x8b" + bytes(30), "broken gzip"),
        (gzip.compress(GOOD[:-1]), "1 are missing"),
        (gzip.compress(GOOD + bytes(10**7)), "goes on"),
    ],
    # gzip writes the time into its file, and the workers of a run must find the same names.
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_broken_file_is_named(content, said):
    with pytest.raises(ValueError, match=said):
        read_idx(content)


@pytest.mark.parametrize("packed", [False, True])
def test_fuzzed_files_parse_or_say_why(packed):
    chance = random.Random(1)
    start = gzip.compress(GOOD) if packed else GOOD
    for _ in range(1500):
        content = bytearray(start)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(content))
            how = chance.choice(["flip", "cut", "insert"])
            if how == "flip":
                content[at] ^= 1 << chance.randrange(8)
            elif how == "cut" and at:
                del content[at:]
            else:
                content.insert(at, chance.randrange(256))
        try:
            array = read_idx(bytes(content))
        except ValueError:
            continue
        assert isinstance(array, np.ndarray)


@pytest.mark.skipif(np.__version__ < "2", reason="arrays of NumPy 1 end at 32 dimensions")
def test_too_many_dimensions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="32 dimensions"):
        write_idx(tmp_path / "a", np.zeros((1,) * 32)[..., None])


def test_a_false_size_claims_no_memory():
    bomb = gzip.compress(GOOD + bytes(10**8))
    tracemalloc.start()
    with pytest.raises(ValueError, match="are missing"):
        read_idx(bytes([0, 0, 8, 2]) + struct.pack(">II", 2**20, 2**20) + b"abc")
    with pytest.raises(ValueError, match="goes on"):
        read_idx(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_type_without_a_code_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no type for complex128"):
        write_idx(tmp_path / "a", np.zeros(3, complex))
