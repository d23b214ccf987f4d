"""Digits as CSV: written and read back identical; what is wrong is named with its line."""

import csv
import gzip
import zipfile

import numpy as np
import pytest

from mnist_edu import data


@pytest.fixture
def some():
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (20, 28, 28)).astype(np.uint8)
    return images, generator.integers(0, 10, 20).astype(np.uint8)


@pytest.mark.parametrize("header", [True, False])
def test_round_trip(tmp_path, some, header):
    data.write_csv(tmp_path / "a.csv", *some, header=header)
    images, labels = data.read_csv(tmp_path / "a.csv")
    np.testing.assert_array_equal(images, some[0])
    np.testing.assert_array_equal(labels, some[1])
    assert images.dtype == labels.dtype == np.uint8


def test_another_reader_finds_the_same(tmp_path, some):
    data.write_csv(tmp_path / "a.csv", *some)
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:2] == ["label", "pixel0"] and len(rows) == 21
    for row, image, label in zip(rows[1:], *some, strict=True):
        assert [int(word) for word in row] == [label, *image.ravel()]


def test_file_of_another_program_is_read_row_by_row_in_its_order(tmp_path, some):
    images, labels = some
    with open(tmp_path / "a.csv", "w", newline="") as file:
        rows = csv.writer(file)
        for image, label in zip(images, labels, strict=True):
            rows.writerow(
                [label, *(image[row, column] for row in range(28) for column in range(28))]
            )
    found, digits = data.read_csv(tmp_path / "a.csv")
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(digits, labels)
    assert (images != images.transpose(0, 2, 1)).any((1, 2)).all()


def line(values):
    return ",".join(map(str, values)) + "\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (line([1] * 784), "line 1: 784 values"),
        (line([1] * 785) + line([1] * 786), "line 2: 786 values"),
        (line([1] * 784 + ["x"]), "line 1: .*'x"),
        (line([1] * 784 + ["1.5"]), "line 1: .*1.5"),
        (line(["label"] + ["p"] * 784) + line([1] * 784 + [256]), "line 2: a value outside 0..255"),
        (line([1] * 784 + [-1]), "line 1: a value outside"),
        (line([10] + [1] * 784), "line 1: a label above 9"),
        (line([1] * 784 + ["12x"]), "line 1: column 785: '12x' is no whole number"),
        (line([1] * 785)[:-1] + ",\n", "line 1: column 786: '' is no whole number"),
        (line([1] * 785) * 2 + line([1] * 786), "line 3: 786 values, and not 785"),
        (line([1] + ["0.996"] * 784), "column 2: '0.996' is no whole number: pixels run"),
        (line(["label"] * 2 + ["p"] * 783) + line([1] * 785), "two columns of labels"),
        (line([f"p{i}" for i in range(785)]) + line([1] * 785), "which column holds the labels"),
        (line([f"pixel{i}" for i in range(784)]) + line([1] * 784), "line 2: 784 values"),
        (line([5] + [1] * 785), "786 columns without names"),
        ("", "a.csv is empty"),
        ("\n \n", "a.csv is empty"),
        (line(["label"] + [f"pixel{i}" for i in range(784)]), "names of columns, and no digits"),
        ("<!doctype html>\n<p>Sign in\n", "line 2: 1 values"),
        ("\n\n" + line([1] * 785) + line([1] * 784 + [256]), "line 4: a value outside 0..255"),
        (line(["x"] + [1] * 784), "line 1: column 1: 'x' is no whole number"),
    ],
)
def test_bad_line_is_named(tmp_path, text, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        data.read_csv(tmp_path / "a.csv")


def test_other_column_names_are_skipped(tmp_path):
    (tmp_path / "a.csv").write_text(line(["class"] + ["p"] * 784) + line([7] + [1] * 784))
    assert data.read_csv(tmp_path / "a.csv")[1].tolist() == [7]


@pytest.mark.parametrize("labels", [[300] * 20, [-1] * 20, [1] * 19])
def test_labels_that_do_not_fit_are_refused(tmp_path, some, labels):
    with pytest.raises(ValueError, match="label from 0 to 9 for each"):
        data.write_csv(tmp_path / "a.csv", some[0], np.array(labels))


def test_failed_write_keeps_the_old_file(tmp_path, some):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ValueError):
        data.write_csv(path, some[0].astype(float), some[1])
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


PIXELS = [f"pixel{i}" for i in range(784)]


def rows(some, order="label first", number="{}"):
    """Return the digits as lists of words in a form that other people use."""
    words = [[number.format(v) for v in image.ravel()] for image in some[0]]
    labels = [number.format(label) for label in some[1]]
    if order == "class last":
        return [[*pixels, label] for pixels, label in zip(words, labels, strict=True)]
    return [[label, *pixels] for pixels, label in zip(words, labels, strict=True)]


def written(path, lines, separator=","):
    path.write_text("".join(separator.join(words) + "\n" for words in lines))
    return path


def check_read(path, some):
    images, labels = data.read_csv(path)
    np.testing.assert_array_equal(images, some[0])
    np.testing.assert_array_equal(labels, some[1])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("number", ["{}", "{}.0", '"{}"', " {}"])
@pytest.mark.parametrize("name", ["class", "label", "Digit", ""])
def test_class_last_is_read_by_its_name(tmp_path, some, separator, number, name):
    head = [[*PIXELS, name]] if name else []
    if not name:
        some[0][:, 0, 0] = 0  # as in MNIST; else nothing tells a label from a pixel
    lines = head + rows(some, "class last", number)
    check_read(written(tmp_path / "a.csv", lines, separator), some)


@pytest.mark.parametrize("head", [True, False])
def test_column_that_counts_is_passed_over(tmp_path, some, head):
    lines = [["id", "label", *PIXELS]] if head else []
    lines += [[str(n), *words] for n, words in enumerate(rows(some))]
    check_read(written(tmp_path / "a.csv", lines), some)


def test_index_of_pandas_is_passed_over(tmp_path, some):
    lines = [["", *map(str, range(785))]]
    lines += [[str(n), *words] for n, words in enumerate(rows(some))]
    check_read(written(tmp_path / "a.csv", lines), some)


@pytest.mark.parametrize("form", ["{}x{}", "px_{}_{}"])
def test_pixels_in_another_order_are_put_in_theirs(tmp_path, some, form):
    names = [form.format(row, column) for row in range(1, 29) for column in range(1, 29)]
    order = sorted(range(784), key=names.__getitem__)  # as texts: 1x1, 1x10, 1x11, ...
    lines = [["label", *(names[i] for i in order)]]
    lines += [[words[0], *(words[1 + i] for i in order)] for words in rows(some)]
    check_read(written(tmp_path / "a.csv", lines), some)


@pytest.mark.parametrize("pack", ["gz", "zip"])
def test_packed_file_is_read(tmp_path, some, pack):
    data.write_csv(tmp_path / "a.csv", *some)
    content, packed = (tmp_path / "a.csv").read_bytes(), tmp_path / f"a.csv.{pack}"
    if pack == "gz":
        packed.write_bytes(gzip.compress(content))
    else:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("folder/a.csv", content)
            archive.writestr("README.txt", "about")
    check_read(packed, some)


@pytest.mark.parametrize("start", [b"\x1f\x8b half", b"PK half"])
def test_damaged_package_is_named(tmp_path, start):
    (tmp_path / "a.csv.gz").write_bytes(start)
    with pytest.raises(ValueError, match="a.csv.gz is damaged"):
        data.read_csv(tmp_path / "a.csv.gz")


def test_package_of_two_files_is_refused_by_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.writestr("train.csv", "")
        archive.writestr("test.csv", "")
    with pytest.raises(ValueError, match="both.zip must hold one CSV file, and holds train.csv"):
        data.read_csv(tmp_path / "both.zip")


def test_labels_that_are_all_zero_are_told(tmp_path, some, capsys):
    data.write_csv(tmp_path / "a.csv", some[0], np.zeros(20, np.uint8))
    data.read_csv(tmp_path / "a.csv")
    assert "all 20 labels are 0" in capsys.readouterr().err


def test_more_lines_than_are_read_at_a_time(tmp_path, some, monkeypatch):
    monkeypatch.setattr("mnist_edu.csv_files.LINES", 7)
    data.write_csv(tmp_path / "a.csv", *some)
    check_read(tmp_path / "a.csv", some)
