"""The stand-in for the lost TensorFlow reader."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import KNOWING, arrays

from mnist_edu import idx, input_data, synthetic


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


def test_each_part_has_its_own_images_row_by_row_and_their_labels(read, small_files):
    raw = arrays(small_files)
    names = (
        f"{part}-{what}.gz"
        for part in ("train", "t10k")
        for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    images, labels, test_images, test_labels = (raw[name] for name in names)
    images, test_images = images.reshape(-1, 784), test_images.reshape(-1, 784)
    wanted = {
        "train": (images[50:], labels[50:]),
        "validation": (images[:50], labels[:50]),
        "test": (test_images, test_labels),
    }
    floats, plain, hot = read(), read(dtype="uint8"), read(one_hot=True)
    squares = read(reshape=False, dtype="uint8")
    for part, (pixels, digits) in wanted.items():
        np.testing.assert_array_equal(getattr(plain, part).images, pixels, err_msg=part)
        np.testing.assert_array_equal(getattr(plain, part).labels, digits, err_msg=part)
        np.testing.assert_allclose(getattr(floats, part).images, pixels / 255, rtol=1e-6)
        np.testing.assert_array_equal(getattr(hot, part).labels, np.eye(10)[digits], err_msg=part)
        assert getattr(hot, part).num_examples == len(digits)
        kept = getattr(squares, part).images
        np.testing.assert_array_equal(kept, pixels.reshape(-1, 28, 28, 1), err_msg=part)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_batches_of_each_part_hold_each_image_with_its_label_once(read, small_files, part):
    split = getattr(read(dtype="uint8", seed=3), part)
    before = list(zip(split.images.copy(), split.labels.copy(), strict=True))
    images, labels = split.next_batch(split.num_examples)
    label_of = {image.tobytes(): label for image, label in before}
    assert len({image.tobytes() for image in images}) == len(label_of) == split.num_examples
    assert all(label_of[a.tobytes()] == b for a, b in zip(images, labels, strict=True))
    assert any((a != b).any() for a, (b, _) in zip(images, before, strict=True)), "not shuffled"


def test_parts_of_the_same_size_are_shuffled_in_orders_of_their_own(read):
    orders, mnist = set(), read(validation_size=150, dtype="uint8", seed=1)
    for part in (mnist.train, mnist.validation):
        place = {image.tobytes(): number for number, image in enumerate(part.images)}
        orders.add(tuple(place[image.tobytes()] for image in part.next_batch(150)[0]))
    assert len(orders) == 2


def test_embedded_digits_are_served_too(few_embedded):
    mnist = input_data.read_data_sets("nowhere", source="synthetic", validation_size=50)
    images, labels = synthetic.make_digits(300, 1)
    np.testing.assert_allclose(mnist.train.images, images[50:].reshape(250, 784) / 255, rtol=1e-6)
    np.testing.assert_array_equal(mnist.train.labels, labels[50:])
    np.testing.assert_array_equal(mnist.test.labels, synthetic.make_digits(100, 2)[1])


def test_unscaled_and_unflattened(read):
    mnist = read(dtype="uint8", reshape=False)
    assert mnist.train.images.shape == (250, 28, 28, 1) and mnist.train.images.max() == 255


def test_other_types_are_refused(read):
    with pytest.raises(TypeError, match="float64"):
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


# --- What programs of 2016 do beyond the tutorial; expected is what the original gives ----------


def test_private_fields_take_effect(numbered):
    numbered._images = np.full((10, 784), 7, np.uint8)
    assert set(numbered.next_batch(4)[0].ravel().tolist()) == {7}
    assert numbered._index_in_epoch == 4 and numbered._epochs_completed == 0
    numbered._labels = numbered._labels[:5]
    numbered._images = numbered._images[:5]
    numbered._num_examples = 5
    assert numbered.num_examples == 5 and numbered.next_batch(2)[1].shape == (2,)


def test_an_epoch_set_back_by_the_program_is_served_again(numbered):
    served = []
    for _ in range(3):
        count = 0
        while not numbered.epochs_completed:
            numbered.next_batch(3)
            count += 1
        numbered._epochs_completed = numbered._index_in_epoch = 0
        served.append(count)
    assert served == [4, 4, 4]


@pytest.mark.parametrize("size", [10, 15, 20])
def test_batch_may_be_larger_than_the_set(numbered, size):
    images, labels = numbered.next_batch(size)
    assert images.shape == (size, 784) and labels.shape == (size,)
    assert np.bincount(labels, minlength=10).min() >= size // 10
    assert numbered.epochs_completed == int(size > 10)
    np.testing.assert_array_equal(images[:, 0], labels)


def test_images_are_reordered_with_their_labels(numbered):
    numbered.next_batch(3)
    assert sorted(numbered.labels.tolist()) == list(range(10))
    assert numbered.labels.tolist() != list(range(10))
    np.testing.assert_array_equal(numbered.images[:, 0], numbered.labels)


@pytest.mark.parametrize(
    ("images", "how", "shape"),
    [
        (255.0 * np.ones((5, 28, 28, 1), np.float32), {}, (5, 784)),
        (np.full((5, 28, 28, 1), 255, np.uint8), {"reshape": False}, (5, 28, 28, 1)),
        (np.full((5, 784), 255.0), {"reshape": False}, (5, 784)),
        (np.full((5, 32, 32, 1), 255, np.uint8), {}, (5, 1024)),
        (np.full((5, 28, 28), 255, np.uint8), {}, (5, 784)),
    ],
)
def test_images_of_the_program_itself_are_accepted(images, how, shape):
    found = input_data.DataSet(images, np.eye(10)[:5], **how)
    assert found.images.shape == shape and found.images.dtype == np.float32
    assert found.images.max() == 1


def test_images_with_colour_are_refused():
    with pytest.raises(ValueError, match="one channel, these have 3"):
        input_data.DataSet(np.zeros((5, 32, 32, 3), np.uint8), np.arange(5))


@pytest.mark.parametrize(("one_hot", "label"), [(True, [1] + [0] * 9), (False, 0)])
def test_fake_data(one_hot, label):
    fake = input_data.read_data_sets("nowhere", fake_data=True, one_hot=one_hot)
    images, labels = fake.train.next_batch(3)
    assert fake.test.num_examples == 10_000 and images == [[1] * 784] * 3 and labels == [label] * 3
    own = input_data.DataSet([], [], fake_data=True, one_hot=one_hot)
    assert own.next_batch(2)[1] == [label] * 2


def test_batch_of_fake_data_from_real_ones(read):
    assert read(one_hot=True).train.next_batch(2, fake_data=True)[1][0] == [1] + [0] * 9


def test_files_are_read_one_by_one(small_files):
    raw = arrays(small_files)
    name = "t10k-labels-idx1-ubyte.gz"
    with open(small_files / name, "rb") as packed:
        np.testing.assert_array_equal(input_data.extract_labels(packed), raw[name])
    one_hot = input_data.extract_labels(str(small_files / name), one_hot=True)
    assert one_hot.dtype == np.float64 and one_hot.shape == (100, 10)
    np.testing.assert_array_equal(one_hot.argmax(1), raw[name])
    images = input_data.extract_images(small_files / "t10k-images-idx3-ubyte.gz")
    assert images.shape == (100, 28, 28, 1) and images.dtype == np.uint8
    with pytest.raises(ValueError, match="not images"):
        input_data.extract_images(small_files / name)
    with pytest.raises(ValueError, match="not labels"):
        input_data.extract_labels(small_files / "t10k-images-idx3-ubyte.gz")


def test_one_hot_is_float64_as_it_was():
    found = input_data.dense_to_one_hot(np.array([2, 0]), 3)
    assert found.dtype == np.float64 and found.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_names_of_the_second_path_are_there(small_files):
    assert input_data.base.Datasets is input_data.Datasets
    path = input_data.maybe_download("t10k-labels-idx1-ubyte.gz", str(small_files))
    assert path == str(small_files / "t10k-labels-idx1-ubyte.gz")
    with pytest.raises(ValueError, match="MNIST has no file fashion.gz"):
        input_data.maybe_download("fashion.gz", str(small_files))


FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


def test_other_address_is_refused_and_not_ignored(tmp_path, few_embedded):
    with pytest.raises(ValueError, match="not downloaded from"):
        input_data.read_data_sets(str(tmp_path), source_url=FASHION)
    with pytest.raises(ValueError, match="not downloaded from"):
        input_data.maybe_download("t10k-labels-idx1-ubyte.gz", str(tmp_path), FASHION)
    for known in (input_data.SOURCE_URL, "http://yann.lecun.com/exdb/mnist/"):
        how = {"source_url": known, "source": "synthetic", "validation_size": 50}
        assert input_data.read_data_sets(str(tmp_path), **how).train.num_examples == 250


def test_folder_with_other_images_is_what_is_read(tmp_path):
    for part, n in (("train", 60), ("t10k", 20)):
        images = np.full((n, 28, 28), 77, np.uint8)
        idx.write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
        idx.write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.full(n, 3, np.uint8))
    how = {"source_url": FASHION, "validation_size": 10}
    found = input_data.read_data_sets(str(tmp_path), **how)  # it is there: nothing is downloaded
    assert found.train.num_examples == 50 and set(found.train.labels.tolist()) == {3}


PROGRAM = """
from mnist_edu import input_data
import tensorflow.compat.v1 as tf; tf.disable_v2_behavior()
import sys

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


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is missing")
def test_program_of_2016_runs(small_files):
    command = [sys.executable, "-c", KNOWING + PROGRAM, str(small_files)]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr[-800:]
    assert 0 <= float(done.stdout.split()[-1]) <= 1
