"""Loading and changing the form of digits."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import KNOWING, REAL, arrays

from mnist_edu import __main__, bands, data, download, files, idx, series, synthetic


@pytest.fixture
def offline(monkeypatch):
    def no_network(*_, **__):
        raise data.Unavailable("no network in this test")

    monkeypatch.setattr("mnist_edu.download.download", no_network)


@pytest.fixture
def digits(small_files, monkeypatch):
    monkeypatch.setenv("MNIST_EDU_DATA", str(small_files))
    return data.load("mnist", validation_size=50)


def test_splits_are_in_the_classic_order(digits, small_files):
    raw = arrays(small_files)
    images = raw["train-images-idx3-ubyte.gz"].reshape(300, 28, 28)
    labels = raw["train-labels-idx1-ubyte.gz"]
    np.testing.assert_array_equal(digits.validation.images, images[:50])
    np.testing.assert_array_equal(digits.train.images, images[50:])
    np.testing.assert_array_equal(digits.validation.labels, labels[:50])
    np.testing.assert_array_equal(digits.train.labels, labels[50:])
    np.testing.assert_array_equal(digits.test.labels, raw["t10k-labels-idx1-ubyte.gz"])
    assert digits.train.images.dtype == digits.train.labels.dtype == np.uint8


# --- Each array as it lies in its file, read by hand: order, orientation, type --------------------

PARTS = ("train images", "train labels", "test images", "test labels")
WHAT = ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz")


def told_apart(images):
    """Say whether no image is the same turned, mirrored or transposed, or equals another image."""
    forms = [images, images[:, ::-1], images[:, :, ::-1], images.transpose(0, 2, 1)]
    return all((images != form).any((1, 2)).all() for form in forms[1:]) and (
        len({image.tobytes() for form in forms for image in form}) == len(forms) * len(images)
    )


def in_their_order(digits):
    """Return the four arrays that were loaded, validation and training joined again."""
    first, rest, test = digits.validation, digits.train, digits.test
    images = np.concatenate([first.images, rest.images])
    labels = np.concatenate([first.labels, rest.labels])
    return dict(zip(PARTS, (images, labels, test.images, test.labels), strict=True))


def by_hand(folder):
    read, names = arrays(folder), [f"{part}-{what}" for part in ("train", "t10k") for what in WHAT]
    shapes = [(-1, 28, 28) if "images" in name else (-1,) for name in names]
    return {p: read[n].reshape(s) for p, n, s in zip(PARTS, names, shapes, strict=True)}


def assert_same(found, wanted, way):
    for part, array in wanted.items():
        assert found[part].dtype == np.uint8, f"{part}, {way}: {found[part].dtype}"
        assert found[part].shape == array.shape, f"{part}, {way}: {found[part].shape}"
        np.testing.assert_array_equal(found[part], array, err_msg=f"{part}, {way}")


@pytest.mark.parametrize("size", [0, 1, 50, 299])
def test_all_four_arrays_are_those_of_the_files(small_files, monkeypatch, size):
    monkeypatch.setenv("MNIST_EDU_DATA", str(small_files))
    wanted = by_hand(small_files)
    assert told_apart(wanted["train images"]) and told_apart(wanted["test images"])
    for way in ("decoded", "from the cache"):
        digits = data.load("mnist", size)
        assert len(digits.validation) == size and len(digits.train) == 300 - size
        assert_same(in_their_order(digits), wanted, way)
    assert_same(in_their_order(data.load("auto", size)), wanted, "auto")


def test_all_four_arrays_are_right_without_a_cache_too(small_files, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("in the way")
    digits = data.load("mnist", 50, cache=tmp_path / "a file" / "cache", folder=small_files)
    assert_same(in_their_order(digits), by_hand(small_files), "without a cache")


def test_embedded_digits_are_those_of_their_two_seeds(few_embedded):
    wanted = [*synthetic.make_digits(300, 1), *synthetic.make_digits(100, 2)]
    wanted = dict(zip(PARTS, wanted, strict=True))
    assert told_apart(wanted["train images"][:50])
    for way in ("drawn", "from the cache"):
        assert_same(in_their_order(data.load("synthetic", 40)), wanted, way)
    assert synthetic.SETS == ((300, 1), (100, 2))


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="MNIST_EDU_DATA is not set")
def test_all_four_arrays_of_mnist_are_those_of_its_files(monkeypatch):
    monkeypatch.setenv("MNIST_EDU_DATA", os.path.abspath(REAL))
    assert_same(in_their_order(data.load()), by_hand(Path(REAL)), "MNIST")


def test_an_image_is_read_row_by_row_from_the_top(small_files, monkeypatch):
    """The bytes of a file, counted by hand: 16 of head, then 784 an image, 28 a row."""
    monkeypatch.setenv("MNIST_EDU_DATA", str(small_files))
    digits = data.load("mnist", 0)
    for name, images in (("train", digits.train.images), ("t10k", digits.test.images)):
        raw = gzip.decompress((small_files / f"{name}-images-idx3-ubyte.gz").read_bytes())
        for number, row, column in ((0, 0, 1), (0, 1, 0), (7, 20, 3), (99, 27, 26)):
            place = 16 + 784 * number + 28 * row + column
            assert images[number, row, column] == raw[place], (name, number, row, column)


def test_repr_names_source_and_sizes(digits):
    assert repr(digits) == "MNIST: 250 train, 50 validation, 100 test"


@pytest.mark.skipif(not REAL, reason="MNIST_EDU_DATA is not set")
def test_real_mnist(monkeypatch):
    monkeypatch.setenv("MNIST_EDU_DATA", os.path.abspath(REAL))
    digits = data.load()
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [
        55_000,
        5_000,
        10_000,
    ]
    first = np.concatenate([digits.validation.labels[:10]])
    assert first.tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert digits.train.labels[:5].tolist() == [7, 3, 4, 6, 1]
    assert digits.test.labels[5] == 1 and digits.source == "MNIST"
    assert int(digits.validation.images[0].sum()) == 27525


def test_second_load_opens_the_decoded_cache(digits, small_files, cache):
    for path in small_files.iterdir():
        path.unlink()
    again = data.load("mnist", validation_size=50)
    np.testing.assert_array_equal(again.train.images, digits.train.images)
    assert isinstance(again.test.images.base, np.memmap) or isinstance(again.test.images, np.memmap)


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_damaged_cache_is_decoded_anew(digits, cache, keep):
    for path in cache.glob("*.npy"):
        content = path.read_bytes()[:keep]
        path.unlink()  # the arrays of the first load are still open
        path.write_bytes(content)
    again = data.load("mnist", validation_size=50)
    np.testing.assert_array_equal(again.test.images, digits.test.images)


def test_cache_with_a_broken_header_is_decoded_anew(digits, cache):
    path = next(cache.glob("train-images*.npy"))
    content = path.read_bytes()
    for header in (content[:30].replace(b"'", b"("), b"PK" + content[2:30], content[:20]):
        path.unlink()
        path.write_bytes(header + content[len(header) :])
        again = data.load("mnist", validation_size=50)
        np.testing.assert_array_equal(again.train.images, digits.train.images)


def test_cache_that_holds_something_else_is_decoded_anew(digits, cache):
    path = next(cache.glob("train-images*.npy"))
    path.unlink()
    np.save(path, np.zeros((300, 28, 28)))
    again = data.load("mnist", validation_size=50)
    np.testing.assert_array_equal(again.train.images, digits.train.images)


def test_cache_that_cannot_be_made_is_no_obstacle(small_files, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_EDU_DATA", str(small_files))
    (tmp_path / "a file").write_text("in the way")
    digits = data.load("mnist", 50, cache=tmp_path / "a file" / "cache")
    assert len(digits.train) == 250 and not digits.train.images.flags.writeable
    assert capsys.readouterr().err.count("not kept for next time") == 1


def test_damaged_file_is_named_and_the_cache_is_used(small_files, cache, monkeypatch, capsys):
    cache.mkdir()
    for path in small_files.iterdir():
        (cache / path.name).write_bytes(path.read_bytes())
    name = "t10k-labels-idx1-ubyte.gz"
    (small_files / name).write_bytes(b"damaged")
    monkeypatch.setenv("MNIST_EDU_DATA", str(small_files))
    assert data.load("mnist", 50).source == "MNIST"
    assert f"{name} is damaged" in capsys.readouterr().err
    assert (small_files / name).read_bytes() == b"damaged"


def test_missing_folder_is_said(offline, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_EDU_DATA", "no/such/folder")
    with pytest.raises(data.Unavailable):
        data.load("mnist")
    assert "there is no such folder" in capsys.readouterr().err


def test_auto_goes_on_with_embedded_digits_and_says_so(offline, few_embedded, capsys):
    digits = data.load("auto", 50)
    assert digits.source == "embedded digits"
    assert repr(digits) == "embedded digits: 250 train, 50 validation, 100 test"
    said = capsys.readouterr().err
    assert data.EMBEDDED in said and "no network in this test" in said
    assert "set MNIST_EDU_DATA" in said


def test_embedded_digits_are_drawn_once_and_kept(few_embedded, cache, monkeypatch, capsys):
    first = data.load("synthetic", 50)
    assert data.EMBEDDED in capsys.readouterr().err
    monkeypatch.setattr(synthetic, "make_digits", None)
    second = data.load("synthetic", 50)
    for part in ("train", "validation", "test"):
        one, other = getattr(first, part), getattr(second, part)
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)
    assert isinstance(second.train.images, np.memmap)
    (cache / f"embedded-v{synthetic.VERSION}-train-images.npy").write_bytes(b"damaged")
    with pytest.raises(TypeError):  # drawn anew
        data.load("synthetic", 50)


def test_leftovers_of_killed_processes_are_swept(few_embedded, cache):
    cache.mkdir()
    name = f"embedded-v{synthetic.VERSION}-train-images"
    old, new = cache / f"{name}.1-1.part.npy", cache / f"{name}.2-1.part.npy"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    data.load("synthetic", 50)
    assert not old.exists() and new.exists()


def test_digits_of_another_version_are_drawn_anew(few_embedded, monkeypatch):
    first = data.load("synthetic", 50)
    monkeypatch.setattr(synthetic, "VERSION", 99)
    monkeypatch.setattr(synthetic, "SETS", ((300, 8), (100, 9)))
    assert (data.load("synthetic", 50).train.images != first.train.images).any()


def test_mnist_asked_for_is_never_another_source(offline):
    with pytest.raises(data.Unavailable, match="no network in this test"):
        data.load("mnist")


def test_unknown_source_is_refused():
    with pytest.raises(ValueError, match="unknown source 'minst'"):
        data.load("minst")


@pytest.mark.parametrize("size", [-1, 300])
def test_validation_split_must_fit(digits, size):
    with pytest.raises(ValueError, match="from 0 to 299"):
        data.load("mnist", validation_size=size)


START = (
    KNOWING
    + """
import os
print(data.load("mnist", 50).train.images.astype(int).sum())
"""
)


@pytest.mark.slow
def test_eight_processes_on_an_empty_cache(small_files):
    env = dict(os.environ, MNIST_EDU_DATA=str(small_files))
    command = [sys.executable, "-c", START, str(small_files)]
    started = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE) for _ in range(8)]
    sums = {process.communicate(timeout=60)[0] for process in started}
    expected = arrays(small_files)["train-images-idx3-ubyte.gz"].reshape(300, -1)[50:]
    assert {int(text) for text in sums} == {int(expected.astype(int).sum())}


def test_killed_while_writing_leaves_nothing_half_read(small_files, cache):
    env = dict(os.environ, MNIST_EDU_DATA=str(small_files))
    kill = START.replace("print(", "os.replace = lambda *_: os.kill(os.getpid(), 9)\nprint(")
    command = [sys.executable, "-c", kill, str(small_files)]
    assert subprocess.run(command, env=env, capture_output=True).returncode != 0
    assert list(cache.glob("*.part.npy")) and len(list(cache.glob("*.npy"))) == 1
    fine = subprocess.run([sys.executable, "-c", START, str(small_files)], env=env)
    assert (
        fine.returncode == 0 and len(set(cache.glob("*.npy")) - set(cache.glob("*.part.npy"))) == 4
    )


# --- Files in the forms that people have ---------------------------------------------------------


def unpacked(path, name, content):
    (path / name[:-3]).write_bytes(gzip.decompress(content))


def dotted(path, name, content):
    (path / name[:-3].replace("-idx", ".idx")).write_bytes(gzip.decompress(content))


def deeper(path, name, content):
    (path / "MNIST" / "raw").mkdir(parents=True, exist_ok=True)
    (path / "MNIST" / "raw" / name).write_bytes(content)


def packed_anew(path, name, content):
    (path / name).write_bytes(gzip.compress(gzip.decompress(content), 1))


def folder_of_the_same_name(path, name, content):
    (path / name[:-3]).mkdir()
    (path / name[:-3] / name[:-3]).write_bytes(gzip.decompress(content))


def good_beside_damaged(path, name, content):
    (path / name[:-3]).write_bytes(b"damaged")
    (path / name).write_bytes(content)


@pytest.mark.parametrize(
    "form",
    [unpacked, dotted, deeper, packed_anew, folder_of_the_same_name, good_beside_damaged],
)
@pytest.mark.parametrize("named", [True, False])
def test_form_of_the_files_does_not_matter(
    small_files, tmp_path, monkeypatch, offline, form, named
):
    expected = data.load("mnist", 50, folder=small_files, cache=tmp_path / "first")
    home = tmp_path / "other"
    home.mkdir()
    for name in download.FILES:
        form(home, name, (small_files / name).read_bytes())
    if named:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("HERE", "other")
        monkeypatch.setenv("MNIST_EDU_DATA", "~/$HERE")
    digits = data.load("mnist", 50, folder=None if named else home)
    assert digits.source == "MNIST"
    np.testing.assert_array_equal(digits.train.images, expected.train.images)
    np.testing.assert_array_equal(digits.test.labels, expected.test.labels)


@pytest.mark.parametrize("file_itself", [True, False])
def test_archive_of_keras_is_read(small_files, tmp_path, offline, monkeypatch, file_itself):
    expected = files.read(small_files)
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez_compressed(tmp_path / "mnist.npz", **dict(zip(names, expected, strict=True)))
    place = tmp_path / "mnist.npz" if file_itself else tmp_path
    monkeypatch.setenv("MNIST_EDU_DATA", str(place))
    digits = data.load("mnist", 50)
    np.testing.assert_array_equal(digits.validation.images, expected[0][:50])
    np.testing.assert_array_equal(digits.test.labels, expected[3])


@pytest.mark.parametrize("content", [b"", b"PK half", b"\x93NUMPY"])
def test_damaged_archive_of_keras_is_named(tmp_path, content):
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(ValueError, match="mnist.npz is damaged or not Keras'"):
        files.read_mnist(tmp_path)


def test_one_changed_pixel_is_not_mnist(small_files, offline, monkeypatch, capsys):
    path = small_files / "t10k-images-idx3-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(content))
    monkeypatch.setenv("MNIST_EDU_DATA", str(small_files))
    with pytest.raises(data.Unavailable):
        data.load("mnist", 50)
    assert "t10k-images: sound, but not the values of MNIST" in capsys.readouterr().err


def other_images(folder, count=60, side=28):
    for part, n in (("train", count), ("t10k", 20)):
        idx.write_idx(
            folder / f"{part}-images-idx3-ubyte.gz", np.full((n, side, side), 77, np.uint8)
        )
        idx.write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.full(n, 3, np.uint8))


def test_folder_with_other_images_is_what_is_loaded(tmp_path, offline):
    other_images(tmp_path)
    digits = data.load(folder=tmp_path, validation_size=10)
    assert digits.source == f"files in {tmp_path}" and not digits.is_embedded
    assert len(digits.train) == 50 and (digits.train.images == 77).all()
    assert set(digits.test.labels.tolist()) == {3} and not digits.test.images.flags.writeable


def test_mnist_asked_for_is_never_other_images(tmp_path, offline, capsys):
    other_images(tmp_path)
    with pytest.raises(data.Unavailable):
        data.load("mnist", folder=tmp_path)
    assert "does not hold MNIST, but other images" in capsys.readouterr().err


def test_folder_without_the_files_falls_back_with_a_word(tmp_path, few_embedded, offline, capsys):
    other_images(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    assert data.load(folder=tmp_path, validation_size=50).source == "embedded digits"
    said = capsys.readouterr().err
    assert f"{tmp_path} does not hold the four files" in said and "t10k-labels is missing" in said


def test_files_that_do_not_belong_together_are_named(tmp_path):
    other_images(tmp_path)
    idx.write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(59, np.uint8))
    with pytest.raises(ValueError, match="60 images, but 59 labels"):
        files.read(tmp_path)


# --- One table of sources ------------------------------------------------------------------------


def test_a_fourth_source_is_one_row(tmp_path, monkeypatch, capsys):
    """Add a source of stripes: commands, results, bands, pages and figures know it by its row."""

    def stripes(cache, patient):
        images = np.zeros((40, 28, 28), np.uint8)
        images[:, ::2] = 255
        return [images, np.arange(40, dtype=np.uint8) % 10] * 2

    warning = "These are STRIPES."
    row = data.Source("stripes", "drawn stripes", stripes, warning, version=7)
    monkeypatch.setitem(data.SOURCES, "stripes", row)
    digits = data.load("stripes", 10)
    assert repr(digits) == "drawn stripes: 30 train, 10 validation, 40 test"
    assert digits.is_embedded and warning in capsys.readouterr().err
    asked = __main__._parser().parse_args(["run", "--source", "stripes"])
    assert asked.source == "stripes"
    __main__._parser().parse_args(["bands", "--source", "stripes"])
    rows = [series.Row("01_a", digits.source, {"score": 0.5})]
    series.show_results(rows, tmp_path)
    assert warning in capsys.readouterr().out
    assert warning in (tmp_path / "index.html").read_text()
    bands._add_seed(tmp_path, rows[0], 1, full=False)
    band = json.loads((tmp_path / "01-quick-drawn-stripes.json").read_text())
    assert band["source"] == "drawn stripes" and band["digits"] == 7
    with pytest.raises(ValueError, match="use one of auto, mnist, synthetic, stripes"):
        data.load("minst")


# --- Forms ---------------------------------------------------------------------------------------


def test_forms():
    images = np.arange(2 * 784, dtype=np.int64).reshape(2, 28, 28).astype(np.uint8)
    scaled = data.scale(images)
    assert scaled.dtype == np.float32 and scaled.max() == 1 and scaled.min() == 0
    np.testing.assert_array_equal(data.flatten(images)[1, 28:56], images[1, 1])
    assert data.add_channel(images).shape == (2, 28, 28, 1)
    assert data.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_every_shade_is_divided_by_255_and_nothing_else():
    shades = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    wanted = np.array([np.float32(shade / 255) for shade in range(256)]).reshape(1, 16, 16)
    np.testing.assert_allclose(data.scale(shades), wanted, rtol=1e-6)


def test_forms_keep_every_pixel_in_its_place():
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    flat, channel = data.flatten(images), data.add_channel(images)
    assert channel.shape == (3, 28, 28, 1)
    for n, row, column in ((0, 0, 1), (1, 1, 0), (2, 5, 21), (2, 27, 26)):
        pixel = images[n, row, column]
        assert flat[n, 28 * row + column] == channel[n, row, column, 0] == pixel
    np.testing.assert_array_equal(data.flatten(channel), flat)


def test_one_hot_has_its_one_at_the_label_of_its_own_row():
    labels = np.array([3, 0, 9, 9, 4], np.uint8)
    hot = data.one_hot(labels)
    assert hot.dtype == np.float32 and hot.shape == (5, 10)
    assert [list(row).index(1) for row in hot] == labels.tolist() and hot.sum() == 5


def test_scaling_twice_is_refused():
    with pytest.raises(ValueError, match="scaled already"):
        data.scale(np.zeros((1, 28, 28), np.float32))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([10], "from 0 to 9"),
        (["3", "7"], "whole numbers, these are <U1"),
        ([3.0], "whole numbers, these are float64"),
        ([[0, 1]], r"shape \(n,\), not \(1, 2\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, said):
    with pytest.raises(ValueError, match=said):
        data.one_hot(labels)


@pytest.mark.parametrize(
    ("right", "down", "at"),
    [
        (0, 0, (5, 6)),
        (3, 0, (5, 9)),
        (0, -2, (3, 6)),
        (-6, 22, (27, 0)),
        (-7, 0, None),
        (28, 0, None),
    ],
)
def test_shift_moves_ink_and_loses_what_leaves(right, down, at):
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 5, 6] = 200
    moved = data.shift(image, right, down)
    assert moved.sum() == (200 if at else 0)
    if at:
        assert moved[0][at] == 200


@pytest.mark.parametrize(("right", "down"), [(2, 2), (-1, 3), (0, -4), (5, 0)])
def test_every_pixel_of_every_image_moves_alike(right, down):
    images = np.random.default_rng(2).integers(1, 256, (3, 28, 28)).astype(np.uint8)
    wanted = np.zeros_like(images)
    for row in range(28):
        for column in range(28):
            if 0 <= row - down < 28 and 0 <= column - right < 28:
                wanted[:, row, column] = images[:, row - down, column - right]
    np.testing.assert_array_equal(data.shift(images, right, down), wanted)


def test_data_starts_without_tensorflow_and_matplotlib():
    code = (
        "import sys, mnist_edu.data as d; "
        "print({'tensorflow', 'keras', 'matplotlib', 'pooch', 'IPython'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_known_files_are_the_published_ones():
    assert len(download.FILES) == 4 and all(len(text) == 64 for text in download.FILES.values())
    assert len(set(mirror.split("/")[2] for mirror in download.MIRRORS)) >= 3
