"""Drop-in for the lost ``tensorflow.examples.tutorials.mnist.input_data``.

A program of 2016 runs when its import line reads ``from mnist_edu import input_data``. What the
original offered is here under the same names, the private fields that programs read and set too.
It stood in ``tensorflow.contrib.learn.python.learn.datasets.mnist`` as well; its documentation and
known outputs are what this follows: counts, shapes, types and epochs are the same, the seeded
order of the images is another.
"""

from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mnist_edu import data, download, files
from mnist_edu.errors import AskedWrongly
from mnist_edu.idx import read_idx

Datasets = namedtuple("Datasets", ["train", "validation", "test"])
SOURCE_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
KNOWN_URLS = ("yann.lecun.com/exdb/mnist", *(url.split("//")[1] for url in download.MIRRORS))


class DataSet:
    """Images and labels that are handed out in batches, as the original did.

    Parameters
    ----------
    images : (n, rows, columns), (n, rows, columns, 1) or (n, pixels), 0..255 of any type
    labels : (n,) or (n, 10)
    fake_data : no images at all; each batch is made of ones
    one_hot : labels of fake data as rows of ten numbers
    dtype : "float32" for [0, 1], "uint8" for 0..255; TensorFlow's types too
    reshape : flat images (n, rows * columns), else (n, rows, columns, 1)
    seed : makes the order of the batches repeatable

    Raises
    ------
    TypeError
        If ``dtype`` is another type.
    ValueError
        If there is not one label for each image.
    """

    def __init__(
        self,
        images,
        labels,
        fake_data=False,
        one_hot=False,
        dtype="float32",
        reshape=True,
        seed=None,
    ):
        self.one_hot = one_hot
        self._fake = fake_data
        self._epochs_completed = 0
        self._index_in_epoch = 0
        self._random = np.random.default_rng(seed)
        images, labels = np.asarray(images), np.asarray(labels)
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels")
        self._num_examples = 10_000 if fake_data else len(images)
        self._images, self._labels = _in_form(images, _type_name(dtype), reshape), labels

    @property
    def images(self):
        return self._images

    @property
    def labels(self):
        return self._labels

    @property
    def num_examples(self):
        return self._num_examples

    @property
    def epochs_completed(self):
        return self._epochs_completed

    def next_batch(self, batch_size, fake_data=False, shuffle=True):
        """Return the next ``batch_size`` images and labels.

        Each example is served once an epoch. What is left of one epoch is joined with the start
        of the next, which is in a new order if ``shuffle``. A batch may be larger than the set.
        """
        if fake_data or self._fake:
            return [[1] * 784] * batch_size, [_fake_label(self.one_hot)] * batch_size
        start, end = self._index_in_epoch, self._index_in_epoch + batch_size
        if shuffle and start == 0 and self._epochs_completed == 0:
            self._shuffle()
        if end <= self._num_examples:
            self._index_in_epoch = end
            return self._images[start:end], self._labels[start:end]
        rest = slice(start, self._num_examples)
        left = self._images[rest], self._labels[rest]
        if shuffle:
            self._shuffle()
        self._epochs_completed += 1
        self._index_in_epoch = end - self._num_examples
        new = self._images[: self._index_in_epoch], self._labels[: self._index_in_epoch]
        return tuple(np.concatenate(parts) for parts in zip(left, new, strict=True))

    def _shuffle(self):
        order = self._random.permutation(self._num_examples)
        self._images, self._labels = self._images[order], self._labels[order]


def read_data_sets(
    train_dir=None,
    fake_data=False,
    one_hot=False,
    dtype="float32",
    reshape=True,
    validation_size=5000,
    seed=None,
    source_url=None,
    source="auto",
):
    """Return ``train``, ``validation`` and ``test``, as the original reader did.

    Parameters
    ----------
    train_dir : folder; what its four files hold is taken, digits or other images
    fake_data : sets without images, as in :class:`DataSet`
    one_hot : labels as rows of ten numbers
    dtype, reshape : as in :class:`DataSet`
    validation_size : how many of the first training images are set aside
    seed : makes the order of the batches repeatable
    source_url : where the original downloaded from; MNIST's own addresses alone are known here
    source : as in :func:`mnist_edu.data.load`

    Raises
    ------
    AskedWrongly
        If ``source_url`` is another address, and ``train_dir`` does not hold the files.
    TypeError
        If ``dtype`` is another type.
    """
    seeds = np.random.SeedSequence(seed).spawn(3)
    how = {"one_hot": one_hot, "dtype": dtype, "reshape": reshape}
    if fake_data:
        return Datasets(*(DataSet([], [], fake_data=True, seed=s, **how) for s in seeds))
    if source_url and not (train_dir and len(files.find(Path(train_dir))) == 4):
        _check_address(source_url)
    digits = data.load(source, validation_size, folder=train_dir)
    sets = []
    for part, part_seed in zip((digits.train, digits.validation, digits.test), seeds, strict=True):
        labels = dense_to_one_hot(part.labels) if one_hot else np.array(part.labels)
        sets.append(DataSet(part.images, labels, seed=part_seed, **how))
    return Datasets(*sets)


def load_mnist(train_dir="MNIST-data"):
    """Return what ``read_data_sets`` does with a folder alone."""
    return read_data_sets(train_dir)


def extract_images(f):
    """Return the images of an IDX file, uint8 (n, rows, columns, 1); ``f`` is a path or a file.

    Raises
    ------
    ValueError
        If it holds no images.
    """
    images = _extracted(f)
    if images.ndim != 3:
        raise ValueError(f"not images (n, rows, columns): the file holds {images.shape}")
    return data.add_channel(images)


def extract_labels(f, one_hot=False, num_classes=10):
    """Return the labels of an IDX file, uint8 (n,) or one-hot; ``f`` is a path or a file.

    Raises
    ------
    ValueError
        If it holds no labels.
    """
    labels = _extracted(f)
    if labels.ndim != 1:
        raise ValueError(f"not labels (n,): the file holds {labels.shape}")
    return dense_to_one_hot(labels, num_classes) if one_hot else labels


def dense_to_one_hot(labels_dense, num_classes=10):
    """Turn labels (n,) into float64 (n, num_classes), a 1 at each label's place."""
    return data.one_hot(labels_dense, num_classes).astype(np.float64)


def maybe_download(filename, work_directory, source_url=SOURCE_URL):
    """Return the path of one of the four files in a folder; all four are downloaded if it lacks.

    Raises
    ------
    AskedWrongly
        If there is no such file of MNIST, or ``source_url`` is an address of something else.
    Unavailable
        If no mirror gives it.
    """
    path = Path(work_directory) / filename
    if path.exists():
        return str(path)
    if filename not in download.FILES:
        raise AskedWrongly(f"MNIST has no file {filename}: there are {', '.join(download.FILES)}")
    _check_address(source_url)
    download.download(path.parent)
    return str(path)


base = SimpleNamespace(Datasets=Datasets, maybe_download=maybe_download)


def _check_address(url):
    if not str(url).split("//")[-1].startswith(KNOWN_URLS):
        raise AskedWrongly(
            f"source_url={url!r} is not MNIST's, and not downloaded from: "
            "fetch the four files from there yourself, and name their folder as train_dir"
        )


def _extracted(f):
    return read_idx(f.read() if hasattr(f, "read") else f)


def _in_form(images, dtype, reshape):
    if images.ndim == 3:
        images = data.add_channel(images)
    if images.ndim == 4 and images.shape[3] != 1:
        raise ValueError(f"images must have one channel, these have {images.shape[3]}")
    if reshape:
        images = data.flatten(images)
    if dtype == "float32":
        return images.astype(np.float32) / np.float32(255)
    return np.array(images)


def _fake_label(one_hot):
    return [1] + [0] * 9 if one_hot else 0


def _type_name(dtype):
    name = np.dtype(getattr(dtype, "as_numpy_dtype", dtype)).name
    if name not in ("float32", "uint8"):
        raise TypeError(f"dtype must be float32 or uint8, not {name}")
    return name
