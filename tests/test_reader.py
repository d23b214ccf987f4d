"""The network of the window: trained once, kept, replaced when damaged, refused when strange."""

import io
import os
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest

pytest.importorskip("cv2", reason='OpenCV is missing: pip install "mnist_edu[ink]"')
keras = pytest.importorskip("keras", reason='Keras is missing: pip install "mnist_edu[lessons]"')

from mnist_edu import data, download, synthetic  # noqa: E402
from mnist_edu.pads import reader  # noqa: E402

BLANK = np.zeros((28, 28), np.uint8)


class Told(list):
    """What was told: sentences, and the parts of the progress."""

    def __call__(self, text, part=None):
        self.append((text, part))

    def sentences(self):
        return [text for text, part in self if part is None]


@pytest.fixture
def told():
    return Told()


NETWORK = reader._network


@pytest.fixture(autouse=True)
def quick(few_embedded, monkeypatch):
    """Train a tiny network on 250 digits, where no MNIST is within reach."""
    monkeypatch.setattr(reader, "_network", tiny)
    monkeypatch.setattr(download, "MIRRORS", ())
    monkeypatch.setattr(reader, "EXTRA", (100, 12))
    load = data.load
    monkeypatch.setattr(data, "load", lambda *words: load(*words, validation_size=50))


@pytest.fixture
def kept(cache):
    """Train and keep a network; return its path."""
    reader.reader(epochs=1, tell=Told())
    return cache / reader.FILE


def own(path, *layers, shape=(28, 28)):
    """Save a network of one's own, and return its path."""
    keras.Sequential([keras.layers.Input(shape), *layers]).save(path)
    return path


def dense(count=10, **how):
    return [keras.layers.Flatten(), keras.layers.Dense(count, **how)]


def tiny(keras, name):
    layers = [keras.layers.Input((28, 28, 1)), *dense(activation="softmax")]
    return keras.Sequential(layers, name=name)


# --- Training and keeping ------------------------------------------------------------------------


def test_first_use_trains_with_progress_and_keeps_the_network(told, cache):
    predict = reader.reader(epochs=1, tell=told)
    probabilities = predict(synthetic.make_digits(1, seed=3)[0][0])
    assert probabilities.shape == (10,) and probabilities.dtype == float
    assert probabilities.sum() == pytest.approx(1)
    parts = [part for _, part in told]
    assert parts[0] == 0 and parts[-1] == 1 and parts == sorted(parts)
    assert told[0][0] == "Learning from 250 digits …" and "s left" in told[-1][0]
    assert "embedded digits" in predict.about
    assert [path.name for path in cache.glob("*.keras")] == [reader.FILE]


def test_second_use_opens_the_same_network_and_trains_nothing(kept, told, monkeypatch):
    images, _ = synthetic.make_digits(5, seed=4)
    first = keras.models.load_model(kept)
    monkeypatch.setattr(reader, "train", None)
    predict = reader.reader(tell=told)
    assert told == []
    expected = first.predict(images[..., None] / np.float32(255), verbose=0)
    assert np.array([predict(image) for image in images]) == pytest.approx(expected, abs=1e-5)


def test_training_learns(monkeypatch):
    monkeypatch.setattr(reader, "_network", NETWORK)
    images, labels = synthetic.make_digits(1500, seed=6)
    parts = data.Split(images[:1200], labels[:1200]), data.Split(images[1200:], labels[1200:])
    model = reader.train(data.Dataset(*parts, parts[1], "embedded digits"), Told(), epochs=6)
    values = model.predict(data.add_channel(data.scale(parts[1].images)), verbose=0)
    assert (values.argmax(axis=1) == parts[1].labels).mean() > 0.6


def test_varied_digits_stay_near_the_middle_and_differ():
    images = synthetic.make_digits(200, seed=7)[0]
    varied = reader.vary(images, np.random.default_rng(1))
    assert varied.dtype == np.uint8 and varied.shape == images.shape
    assert not (varied == images).all(axis=(1, 2)).any()
    mass = varied.sum(axis=(1, 2), dtype=float)
    rows = varied.sum(axis=2, dtype=float) @ np.arange(28) / mass
    assert abs(rows.mean() - 14) < 0.3 and np.abs(rows - 14).max() < 2.5
    likeness = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images, varied, strict=True)
    ]
    assert np.mean(likeness) > 0.6
    assert 0.8 < mass.mean() / images.sum(axis=(1, 2), dtype=float).mean() < 1.25


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "weights"])
def test_damaged_file_is_replaced_with_a_sentence(kept, told, damage):
    content = kept.read_bytes()
    if damage == "weights":
        content = repacked(content, {"model.weights.h5": b"nothing"})
    kept.write_bytes({"cut": content[:-2000], "empty": b"", "text": b"hello"}.get(damage, content))
    reader.reader(epochs=1, tell=told)
    assert "cannot be used" in told.sentences()[0] and "trained anew" in told.sentences()[0]
    again = Told()
    reader.reader(epochs=1, tell=again)
    assert again == []


def repacked(content, changed):
    """Return a zip file with some members changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name, old.read(name)))
    return target.getvalue()


def test_network_of_another_version_is_trained_anew(kept, told, monkeypatch):
    monkeypatch.setattr(reader, "VERSION", reader.VERSION + 1)
    reader.reader(epochs=1, tell=told)
    assert "another version" in told.sentences()[0] and told[-1][1] == 1


def test_network_of_embedded_digits_gives_way_to_mnist_and_not_back(
    kept, told, small_files, monkeypatch
):
    monkeypatch.setenv("MNIST_EDU_DATA", str(small_files))
    predict = reader.reader(epochs=1, tell=told)
    assert "other digits" in told.sentences()[0] and "350 digits" in told[-1][0]
    assert predict.about.startswith("The network learned from MNIST")
    monkeypatch.delenv("MNIST_EDU_DATA")
    for path in kept.parent.glob("*.npy"):
        path.unlink()
    again = Told()
    assert reader.reader(tell=again).about == predict.about and again == []


def test_folder_that_cannot_be_written_gets_a_sentence_and_the_network_works(
    told, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MNIST_EDU_CACHE", str(tmp_path / "file" / "cache"))
    predict = reader.reader(epochs=1, tell=told)
    assert predict(BLANK).shape == (10,)
    assert "not kept for next time" in told.sentences()[0]


def test_full_disk_gets_a_sentence_leaves_nothing_and_the_network_works(told, cache):
    data.load()  # the digits are in the cache already
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # as if no more fitted
    try:
        predict = reader.reader(epochs=1, tell=told)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert predict(BLANK).shape == (10,)
    assert "not kept for next time" in told.sentences()[0]
    assert not list(cache.glob("*.keras"))


def test_parts_of_killed_processes_are_removed_after_an_hour(cache):
    cache.mkdir()
    for name, age in (("reader.1.part.keras", 7200), ("reader.2.part.keras", 60)):
        (cache / name).write_bytes(b"half")
        os.utime(cache / name, (os.stat(cache / name).st_mtime - age,) * 2)
    reader.reader(epochs=1, tell=Told())
    assert {path.name for path in cache.glob("*.keras")} == {"reader.keras", "reader.2.part.keras"}


# --- Networks of one's own -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", reader.SHAPES)
def test_network_of_ones_own_is_used_with_images_in_0_to_1(tmp_path, shape):
    path = own(tmp_path / "own.keras", *dense(activation="softmax"), shape=shape)
    predict = reader.reader(path)
    image = synthetic.make_digits(1, seed=8)[0]
    model = keras.models.load_model(path)
    expected = model.predict(data.scale(image).reshape(1, *shape), verbose=0)[0]
    assert predict(image[0]) == pytest.approx(expected, abs=1e-6)
    assert "own.keras" in predict.about


def test_logits_become_probabilities(tmp_path):
    predict = reader.reader(own(tmp_path / "own.keras", *dense(bias_initializer="ones")))
    assert predict(BLANK) == pytest.approx(np.full(10, 0.1))


@pytest.mark.parametrize(
    ("shape", "count"), [((32, 32, 3), 10), ((28, 28), 26), ((28, 28, 3), 10), ((14, 14), 10)]
)
def test_wrong_shape_is_refused_and_named(tmp_path, shape, count):
    path = own(tmp_path / "own.keras", *dense(count), shape=shape)
    with pytest.raises(ValueError, match="own.keras is refused: it takes .* needs a network"):
        reader.reader(path)


def test_network_without_numbers_is_refused(tmp_path):
    path = own(tmp_path / "own.keras", *dense(bias_initializer=keras.initializers.Constant(np.nan)))
    with pytest.raises(ValueError, match="not a number"):
        reader.reader(path)


@pytest.mark.parametrize("name", ["own.txt", "own.h5", "own.keras"])
def test_file_that_is_no_keras_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"no network")
    with pytest.raises(ValueError, match=f"{name} is no .keras file"):
        reader.reader(tmp_path / name)
    with pytest.raises(ValueError, match="there is no file"):
        reader.reader(tmp_path / "missing.keras")


def test_code_in_a_network_is_refused_and_never_run(tmp_path):
    mark = tmp_path / "ran"
    touch = eval(f"lambda x: (open({str(mark)!r}, 'w').close(), x)[1]")
    path = own(tmp_path / "own.keras", keras.layers.Lambda(touch), *dense())
    mark.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="own.keras is refused: its Lambda"):
        reader.reader(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "planted",
    [
        b'{"module": "os", "class_name": "system", "config": "touch ran", "registered_name": null}',
        b'{"module": "keras.utils", "class_name": "get_file", "config": {}}',
        b'{"module": "builtins", "class_name": "function", "config": "exec"}',
        b'{"module": null, "class_name": "Mine", "config": {}, "registered_name": "Custom>Mine"}',
        b'{"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp"}}',
        b'{"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}',
    ],
)
def test_planted_part_is_refused_before_keras_sees_it(tmp_path, monkeypatch, planted):
    path = own(tmp_path / "own.keras", *dense())
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    changed = config.replace(b'"dtype":', b'"planted": ' + planted + b', "dtype":', 1)
    assert changed != config
    path.write_bytes(repacked(path.read_bytes(), {"config.json": changed}))
    monkeypatch.setattr(reader, "_load", None)
    with pytest.raises(ValueError, match="is refused: its"):
        reader.reader(path)


def test_networks_of_the_course_are_accepted(tmp_path):
    """All that the notebooks use, compiled and trained, with the functional interface too."""
    layers = keras.layers
    inputs = layers.Input((28, 28, 1))
    x = layers.Conv2D(4, 5, activation="relu", kernel_regularizer="l2")(inputs)
    x = layers.MaxPooling2D()(layers.BatchNormalization()(x))
    x = layers.Concatenate()([x, x])
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", ["accuracy"])
    model.save(tmp_path / "own.keras")
    assert reader.reader(tmp_path / "own.keras")(BLANK).sum() == pytest.approx(1)


# --- The command ---------------------------------------------------------------------------------


def command(*words, without="", display=""):
    """Run ``mnist_edu draw`` in a process of its own, with a module missing."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({without.split()!r}))\n"
        f"from mnist_edu.__main__ import main; sys.exit(main({['draw', *words]!r}))"
    )
    environment = {**os.environ, "DISPLAY": display}
    environment.pop("WAYLAND_DISPLAY", None)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60
    )


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("tensorflow", 'tensorflow is missing: pip install "mnist_edu[lessons]"'),
        ("cv2", 'cv2 is missing: pip install "mnist_edu[ink]"'),
        ("_tkinter", "this Python has no tkinter"),
        ("", "no window can be opened here"),
    ],
)
def test_what_is_missing_gets_one_sentence_and_status_1(without, sentence):
    done = command(without=without)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and sentence in done.stderr, done.stderr


def test_refused_network_ends_the_command_before_a_window_opens(tmp_path):
    (tmp_path / "own.keras").write_bytes(b"no network")
    done = command("--model", str(tmp_path / "own.keras"))
    assert done.returncode == 2
    assert done.stderr.startswith("mnist_edu: own.keras is no .keras file")
    assert len(done.stderr.splitlines()) == 1
