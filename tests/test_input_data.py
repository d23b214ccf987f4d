"""The stand-in for the lost TensorFlow reader."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import arrays

from mnist_edu import input_data


@pytest.fixture
def read(small_files):
    def read(**how):
        return input_data.read_data_sets(str(small_files), **{"validation_size": 50} | how)

    return read


def test_images_are_flat_floats_and_labels_are_digits(read, small_files):
    mnist = read()
    raw = arrays(small_files)
    flat = raw["train-images-idx3-ubyte.gz"].reshape(300, 784)
    np.testing.assert_allclose(mnist.train.images, flat[50:] / np.float32(255), atol=1e-7)
    assert mnist.train.images.dtype == np.float32 and mnist.train.labels.dtype == np.uint8
    assert (mnist.train.num_examples, mnist.validation.num_examples) == (250, 50)
    np.testing.assert_array_equal(mnist.test.labels, raw["t10k-labels-idx1-ubyte.gz"])


def test_one_hot_labels(read):
    one_hot, plain = read(one_hot=True), read()
    assert one_hot.test.labels.shape == (100, 10)
    np.testing.assert_array_equal(one_hot.test.labels.argmax(1), plain.test.labels)


def test_unscaled_and_unflattened(read):
    mnist = read(dtype="uint8", reshape=False)
    assert mnist.train.images.shape == (250, 28, 28, 1) and mnist.train.images.max() == 255


def test_other_types_are_refused(read):
    with pytest.raises(ValueError, match="float64"):
        read(dtype="float64")


@pytest.fixture
def numbered():
    images = np.arange(10, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8)
    return input_data.DataSet(images, np.arange(10), dtype="uint8", seed=5)


def test_each_example_is_served_once_an_epoch(numbered):
    served = np.concatenate([numbered.next_batch(3)[1] for _ in range(10)])
    for epoch in served.reshape(3, 10):
        assert sorted(epoch) == list(range(10))
    assert (served[:10] != served[10:20]).any()


def test_epochs_are_counted_when_their_border_is_crossed(numbered):
    counts = []
    for _ in range(7):
        numbered.next_batch(3)
        counts.append(numbered.epochs_completed)
    assert counts == [0, 0, 0, 1, 1, 1, 2]


def test_epoch_that_ends_with_a_batch_counts_at_the_next(numbered):
    counts = []
    for _ in range(5):
        numbered.next_batch(5)
        counts.append(numbered.epochs_completed)
    assert counts == [0, 0, 1, 1, 2]


def test_images_and_labels_stay_together(numbered):
    for _ in range(8):
        images, labels = numbered.next_batch(4)
        np.testing.assert_array_equal(images[:, 0], labels)


def test_without_shuffle_the_order_is_kept(numbered):
    assert numbered.next_batch(4, shuffle=False)[1].tolist() == [0, 1, 2, 3]
    numbered.next_batch(4, shuffle=False)
    assert numbered.next_batch(4, shuffle=False)[1].tolist() == [8, 9, 0, 1]


def test_a_seed_repeats_the_order_and_leaves_numpy_alone(read):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    one, two, three = read(seed=1), read(seed=1), read(seed=2)
    first = one.train.next_batch(20)[0]
    np.testing.assert_array_equal(first, two.train.next_batch(20)[0])
    assert (first != three.train.next_batch(20)[0]).any()
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_batch_larger_than_the_data_is_refused(numbered):
    with pytest.raises(ValueError, match="from 1 to 10"):
        numbered.next_batch(11)


PROGRAM = """
from mnist_edu import input_data
import tensorflow.compat.v1 as tf; tf.disable_v2_behavior()
from pathlib import Path
import hashlib, sys
from mnist_edu import data, download
folder = Path(sys.argv[1])
for name in download.FILES:
    download.FILES[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()

mnist = input_data.read_data_sets(sys.argv[1], one_hot=True, validation_size=50)
x = tf.placeholder(tf.float32, [None, 784])
W = tf.Variable(tf.zeros([784, 10]))
b = tf.Variable(tf.zeros([10]))
y = tf.nn.softmax(tf.matmul(x, W) + b)
y_ = tf.placeholder(tf.float32, [None, 10])
cross_entropy = tf.reduce_mean(-tf.reduce_sum(y_ * tf.log(y), reduction_indices=[1]))
train_step = tf.train.GradientDescentOptimizer(0.01).minimize(cross_entropy)
sess = tf.InteractiveSession()
tf.global_variables_initializer().run()
for _ in range(20):
    batch_xs, batch_ys = mnist.train.next_batch(100)
    sess.run(train_step, feed_dict={x: batch_xs, y_: batch_ys})
correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
print(sess.run(accuracy, feed_dict={x: mnist.test.images, y_: mnist.test.labels}))
"""


@pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is missing")
def test_program_of_2016_runs(small_files):
    command = [sys.executable, "-c", PROGRAM, str(small_files)]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr[-800:]
    assert 0 <= float(done.stdout.split()[-1]) <= 1
