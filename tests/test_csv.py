"""Digits as CSV: written and read back identical; what is wrong is named with its line."""

import csv

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
    assert [int(word) for word in rows[3]] == [some[1][2], *some[0][2].ravel()]


def line(values):
    return ",".join(map(str, values)) + "\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (line([1] * 784), "line 1: 784 values"),
        (line([1] * 785) + line([1] * 786), "line 2: 786 values"),
        (line([1] * 784 + ["x"]), "line 1: .*'x"),
        (line([1] * 784 + ["1.5"]), "line 1: .*1.5"),
        (line(["label"] * 785) + line([1] * 784 + [256]), "line 2: a value outside 0..255"),
        (line([1] * 784 + [-1]), "line 1: a value outside"),
        (line([10] + [1] * 784), "line 1: a label above 9"),
        (line([1] * 784 + ["12x"]), "line 1: column 785: '12x' is no whole number"),
        (line([1] * 785)[:-1] + ",\n", "line 1: 786 values"),
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
