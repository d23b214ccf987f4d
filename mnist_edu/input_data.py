"""Stand-in for the lost ``tensorflow.examples.tutorials.mnist.input_data``.

A program of 2016 runs when its import line reads ``from mnist_edu import input_data``.
"""

from collections import namedtuple

import numpy as np

from mnist_edu import data

Datasets = namedtuple("Datasets", ["train", "validation", "test"])


class DataSet:
    """Images and labels that are handed out in batches, as the original did.

    Attributes
    ----------
    images : float32 in [0, 1], (n, 784), or (n, 28, 28, 1) without ``reshape``; uint8 on request
    labels : uint8 (n,), or float64 (n, 10) if one-hot
    num_examples : n
    epochs_completed : how many times every example has been handed out
    """

    def __init__(self, images, labels, dtype="float32", reshape=True, seed=None):
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels")
        images = data.flatten(images) if reshape else data.add_channel(images)
        self.images = data.scale(images) if _name(dtype) == "float32" else np.array(images)
        self.labels = labels
        self.num_examples = len(images)
        self.epochs_completed = 0
        self._random = np.random.default_rng(seed)
        self._order = None
        self._position = 0

    def next_batch(self, batch_size, fake_data=False, shuffle=True):
        """Return the next ``batch_size`` images and labels.

        Each example is served once an epoch. What is left of one epoch is joined with the start
        of the next, which is in a new order if ``shuffle``.
        """
        if not 0 < batch_size <= self.num_examples:
            raise ValueError(f"batch_size must be from 1 to {self.num_examples}, not {batch_size}")
        if self._order is None:
            self._order = self._new_order(shuffle)
        chosen = self._order[self._position : self._position + batch_size]
        self._position += batch_size
        if self._position > self.num_examples:
            self.epochs_completed += 1
            self._order = self._new_order(shuffle)
            self._position -= self.num_examples
            chosen = np.concatenate([chosen, self._order[: self._position]])
        return self.images[chosen], self.labels[chosen]

    def _new_order(self, shuffle):
        n = self.num_examples
        return self._random.permutation(n) if shuffle else np.arange(n)


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
    train_dir : folder; MNIST's files are taken from there if it holds them
    fake_data, source_url : accepted for old programs, not used
    one_hot : labels as rows of ten numbers
    dtype : "float32" for [0, 1], "uint8" for 0..255; TensorFlow's types too
    reshape : flat images (n, 784), else (n, 28, 28, 1)
    validation_size : how many of the first training images are set aside
    seed : makes the order of the batches repeatable
    source : as in :func:`mnist_edu.data.load`

    Raises
    ------
    ValueError
        If ``dtype`` is another type.
    """
    if _name(dtype) not in ("float32", "uint8"):
        raise ValueError(f"dtype must be float32 or uint8, not {_name(dtype)}")
    digits = data.load(source, validation_size, folder=train_dir)
    seeds = np.random.SeedSequence(seed).spawn(3)
    return Datasets(
        *(
            DataSet(
                part.images,
                data.one_hot(part.labels).astype(np.float64) if one_hot else np.array(part.labels),
                dtype,
                reshape,
                part_seed,
            )
            for part, part_seed in zip(
                (digits.train, digits.validation, digits.test), seeds, strict=True
            )
        )
    )


def _name(dtype):
    return np.dtype(getattr(dtype, "as_numpy_dtype", dtype)).name
