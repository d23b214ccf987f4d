"""The network of the window: trained once, kept, replaced when damaged, refused when strange."""

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')

from mnist_edu import data, download, reader, synthetic
from mnist_edu.__main__ import main
from mnist_edu.errors import AskedWrongly

BLANK = np.zeros((28, 28), np.uint8)


class Lazy:
    """Keras, imported by the first test that uses it: that takes seconds, and some do without."""

    def __getattr__(self, name):
        if name.startswith("_"):  # pytest looks whether this is a fixture
            raise AttributeError(name)
        missing = 'Keras is missing: pip install -e ".[lessons]"'
        return getattr(pytest.importorskip("keras", reason=missing), name)


keras = Lazy()


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


def own(path, *layers, shape=(28, 28), name=None):
    """Save a network of one's own, and return its path."""
    keras.Sequential([keras.layers.Input(shape), *layers], name=name).save(path)
    return path


def dense(count=10, **how):
    return [keras.layers.Flatten(), keras.layers.Dense(count, **how)]


def tiny(keras, name):
    layers = [keras.layers.Input((28, 28, 1)), *dense(activation="softmax")]
    return keras.Sequential(layers, name=name)


# --- Training and keeping ------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.slow
def test_second_use_opens_the_same_network_and_trains_nothing(kept, told, monkeypatch):
    images, _ = synthetic.make_digits(5, seed=4)
    first = keras.models.load_model(kept)
    monkeypatch.setattr(reader, "train", None)
    predict = reader.reader(tell=told)
    assert told == []
    expected = first.predict(images[..., None] / np.float32(255), verbose=0)
    assert np.array([predict(image) for image in images]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_network_of_another_version_is_trained_anew(kept, told, monkeypatch):
    monkeypatch.setattr(reader, "VERSION", reader.VERSION + 1)
    reader.reader(epochs=1, tell=told)
    assert "another version" in told.sentences()[0] and told[-1][1] == 1


@pytest.mark.slow
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


@pytest.mark.slow
def test_folder_that_cannot_be_written_gets_a_sentence_and_the_network_works(
    told, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MNIST_EDU_CACHE", str(tmp_path / "file" / "cache"))
    predict = reader.reader(epochs=1, tell=told)
    assert predict(BLANK).shape == (10,)
    assert "not kept for next time" in told.sentences()[0]


@pytest.mark.slow
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


@pytest.mark.slow
def test_parts_of_killed_processes_are_removed_after_an_hour(cache):
    cache.mkdir()
    for name, age in (("reader.1.part.keras", 7200), ("reader.2.part.keras", 60)):
        (cache / name).write_bytes(b"half")
        os.utime(cache / name, (os.stat(cache / name).st_mtime - age,) * 2)
    reader.reader(epochs=1, tell=Told())
    assert {path.name for path in cache.glob("*.keras")} == {"reader.keras", "reader.2.part.keras"}


# --- Networks of one's own -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("shape", reader.SHAPES)
def test_network_of_ones_own_is_used_with_images_in_0_to_1(tmp_path, shape):
    path = own(tmp_path / "own.keras", *dense(activation="softmax"), shape=shape)
    predict = reader.reader(path)
    image = synthetic.make_digits(1, seed=8)[0]
    model = keras.models.load_model(path)
    expected = model.predict(data.scale(image).reshape(1, *shape), verbose=0)[0]
    assert predict(image[0]) == pytest.approx(expected, abs=1e-6)
    assert "own.keras" in predict.about


@pytest.mark.slow
def test_logits_become_probabilities(tmp_path):
    predict = reader.reader(own(tmp_path / "own.keras", *dense(bias_initializer="ones")))
    assert predict(BLANK) == pytest.approx(np.full(10, 0.1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "count"), [((32, 32, 3), 10), ((28, 28), 26), ((28, 28, 3), 10), ((14, 14), 10)]
)
def test_wrong_shape_is_refused_and_named(tmp_path, shape, count):
    path = own(tmp_path / "own.keras", *dense(count), shape=shape)
    with pytest.raises(AskedWrongly, match="own.keras is refused: it takes .* needs a network"):
        reader.reader(path)


@pytest.mark.slow
def test_network_without_numbers_is_refused(tmp_path):
    path = own(tmp_path / "own.keras", *dense(bias_initializer=keras.initializers.Constant(np.nan)))
    with pytest.raises(AskedWrongly, match="not a number"):
        reader.reader(path)


@pytest.mark.parametrize("name", ["own.txt", "own.h5", "own.keras"])
def test_file_that_is_no_keras_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"no network")
    with pytest.raises(AskedWrongly, match=f"{name} is no .keras file"):
        reader.reader(tmp_path / name)
    with pytest.raises(AskedWrongly, match="there is no file"):
        reader.reader(tmp_path / "missing.keras")


@pytest.mark.slow
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


# --- What could run code -------------------------------------------------------------------------


class Trained(Exception):
    """There was no network to open: one would be trained now."""


@pytest.fixture(params=["kept", "own"])
def door(request, cache, told, monkeypatch):
    """Return a function that opens a file by one of the two doors, kept or asked for.

    It returns ``predict``, or None, and the sentence that says why.
    """

    def train(*words):
        raise Trained

    def kept(path):
        cache.mkdir(exist_ok=True)
        shutil.copy(path, cache / reader.FILE)
        try:
            return reader.reader(tell=told), ""
        except Trained:
            return None, told.sentences()[-1]

    def own(path):
        try:
            return reader.reader(path), ""
        except AskedWrongly as error:
            return None, str(error)

    monkeypatch.setattr(data, "load", train)
    return {"kept": kept, "own": own}[request.param]


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """Return a file that exists once the code in a trap has run."""
    (tmp_path / "trap_module.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "trap_module", raising=False)
    return tmp_path / "ran"


def touching(mark):
    """Return a function with code of its own, as Keras puts it into files, that leaves a mark."""
    return eval(f"lambda x, *more, **how: (open({str(mark)!r}, 'w').close(), x)[1]")


def network(*planted):
    """Return the configuration of a network, with strange parts in its one layer."""
    dense = {"module": "keras.layers", "class_name": "Dense", "registered_name": None}
    layers = [dense | {"config": {"units": 10, "planted": planted}}]
    inner = {"name": reader._name("MNIST"), "layers": layers}
    return {"module": "keras", "class_name": "Sequential", "config": inner}


def packed(path, config, **parts):
    """Write a .keras file by hand, and return its path."""
    content = config if isinstance(config, bytes) else json.dumps(config)
    members = {"metadata.json": "{}", "config.json": content, "model.weights.h5": b""}
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in (members | parts).items():
            archive.writestr(name, member)
    return path


def keras_part(name, module="keras.layers", **more):
    return {"module": module, "class_name": name, "config": {}, "registered_name": None} | more


@pytest.mark.parametrize(
    "planted",
    [
        keras_part("system", "os"),
        keras_part("Trap", "trap_module"),
        keras_part("get_file", "keras.utils"),
        keras_part("enable_unsafe_deserialization", "keras.config"),
        keras_part("load_model", "keras.saving"),
        keras_part("Dense", "keras.layersx"),
        keras_part("Dense", "kerasx.layers"),
        keras_part("function", "builtins", config="exec"),
        keras_part("Mine", None, registered_name="Custom>Mine"),
        keras_part("Dense", registered_name="Custom>Mine"),
        keras_part("Lambda"),
        keras_part("Lambda", None),
        keras_part("Lambda", "keras.src.layers.core.lambda_layer"),
        keras_part("TFSMLayer"),
        keras_part("TorchModuleWrapper"),
        keras_part("JaxLayer"),
        keras_part("FlaxLayer"),
        {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
        {"class_name": "Lambda", "config": {}},
        {"deep": [[{"er": keras_part("Lambda")}]]},
    ],
)
def test_planted_part_is_refused_before_keras_sees_it(tmp_path, monkeypatch, door, planted):
    opened = []
    monkeypatch.setattr(reader, "_load", opened.append)
    reader.check(packed(tmp_path / "own.keras", network()))
    predict, sentence = door(packed(tmp_path / "own.keras", network(planted)))
    assert predict is None and opened == []
    assert ".keras is refused: its " in sentence and "is not one of Keras' own layers" in sentence


@pytest.mark.parametrize(
    "name", ["model.weights.npz", "assets/words.txt", "../outside", "model.weights.h5/x"]
)
def test_part_that_no_network_for_images_has_is_refused(tmp_path, monkeypatch, door, name):
    monkeypatch.setattr(reader, "_load", None)
    predict, sentence = door(packed(tmp_path / "own.keras", network(), **{name: b""}))
    assert predict is None and f"has no part {name}" in sentence


@pytest.mark.parametrize(
    "content", [b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 2000 + b"1" + b"}" * 2000]
)
def test_configuration_that_is_none_is_refused_as_damaged(tmp_path, monkeypatch, door, content):
    monkeypatch.setattr(reader, "_load", None)
    predict, sentence = door(packed(tmp_path / "own.keras", content))
    assert predict is None and "is no .keras file, or damaged" in sentence


def test_network_that_is_too_large_unpacked_is_refused(tmp_path, monkeypatch, door):
    monkeypatch.setattr(reader, "_load", None)
    monkeypatch.setattr(reader, "SIZE_LIMIT", 10_000)
    reader.check(packed(tmp_path / "own.keras", network()))
    large = packed(tmp_path / "own.keras", network(), **{"model.weights.h5": bytes(10_000)})
    assert "bytes are too large a network" in door(large)[1]


def trap(kind, mark, monkeypatch):
    """Save a network that leaves a mark when it is opened or used, and return its path."""
    touch, layers, end = touching(mark), keras.layers, dense(activation="softmax")
    code = layers.Lambda(touch)
    path, inputs = mark.with_name("own.keras"), layers.Input((28, 28, 1))
    parts = {
        "lambda": [code],
        "lambda in a network in it": [keras.Sequential([inputs, code])],
        "lambda in a layer around it": [layers.TimeDistributed(code)],
    }.get(kind, [])
    if kind == "saved model":
        parts, end = [saved_model(mark)], []
    if kind == "registered layer":
        custom = type("Trap", (layers.Layer,), {"call": lambda self, x: touch(x)})
        monkeypatch.setitem(keras.saving.get_custom_objects(), "Trap", custom)
        parts = [custom()]
    if kind == "registered function":
        monkeypatch.setitem(keras.saving.get_custom_objects(), "registered", registered)
        monkeypatch.setenv("TRAP", str(mark))
        end = dense(activation=registered)
    model = keras.Sequential([inputs, *parts, *end], name=reader._name("MNIST"))
    model.save(path)
    change(path, kind, touch)
    mark.unlink(missing_ok=True)
    return path


def registered(x):
    open(os.environ["TRAP"], "w").close()
    return x


def saved_model(mark):
    """Return a layer that runs a program of TensorFlow's own, which writes the mark."""
    import tensorflow as tf

    class Program(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 28, 28, 1))])
        def serve(self, images):
            with tf.control_dependencies([tf.io.write_file(str(mark), "ran")]):
                return tf.zeros((tf.shape(images)[0], 10)) + tf.reduce_sum(images)

    tf.saved_model.save(Program(), str(mark.with_name("program")))
    return keras.layers.TFSMLayer(str(mark.with_name("program")), call_endpoint="serve")


def change(path, kind, touch):
    """Plant into a saved file what Keras would not save."""
    from keras.src.utils.python_utils import func_dump

    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    layers, content = config["config"]["layers"], path.read_bytes()
    if kind == "lambda as activation":
        layers[-1]["config"]["activation"] = {
            "class_name": "__lambda__",
            "config": {"value": func_dump(touch)},
        }
    if kind == "lambda as older files have it":
        old = {"name": "l", "function": func_dump(touch), "function_type": "lambda"}
        old |= {"module": "x", "output_shape": None, "output_shape_type": "raw"}
        old |= {"output_shape_module": None, "arguments": {}}
        layers.insert(1, {"class_name": "Lambda", "config": old})
    if kind == "module of its own":
        layers.insert(1, keras_part("Trap", "trap_module"))
    if kind == "pickled weights":
        weights = io.BytesIO()
        np.savez(weights, **{"layers/dense/vars": np.array(Pickled(path.with_name("ran")), object)})
        with zipfile.ZipFile(io.BytesIO(content)) as old:
            parts = {name: old.read(name) for name in old.namelist() if name[-3:] != ".h5"}
        with zipfile.ZipFile(path, "w") as new:
            for name, part in (parts | {"model.weights.npz": weights.getvalue()}).items():
                new.writestr(name, part)
    else:
        path.write_bytes(repacked(content, {"config.json": json.dumps(config)}))


class Pickled:
    """Something that writes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


LAMBDAS = ["lambda", "lambda in a network in it", "lambda in a layer around it"]
OTHERS = ["registered layer", "registered function", "saved model"]
GUARDED = ["lambda as activation", "lambda as older files have it", "module of its own"]
GUARDED += ["pickled weights"]


def run_unguarded(path):
    """Open a network as nobody should, and use it."""
    keras.models.load_model(path, compile=True, safe_mode=False).predict_on_batch(
        np.zeros((1, 28, 28, 1), np.float32)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAMBDAS + OTHERS + GUARDED)
def test_network_with_code_is_refused_and_the_code_never_runs(kind, mark, door, monkeypatch):
    path = trap(kind, mark, monkeypatch)
    predict, sentence = door(path)
    assert predict is None and " is refused: " in sentence
    assert not mark.exists()
    if kind not in GUARDED:  # those are safe in some versions of Keras, whatever one asks for
        run_unguarded(path)
        assert mark.exists(), "the trap does not work"


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAMBDAS)
def test_keras_refuses_code_where_the_check_would_overlook_it(kind, mark, door, monkeypatch):
    path = trap(kind, mark, monkeypatch)
    monkeypatch.setattr(reader, "check", lambda file: None)
    predict, sentence = door(path)
    assert predict is None and "cannot" in sentence
    assert not mark.exists()
    run_unguarded(path)
    assert mark.exists(), "the trap does not work"


@pytest.mark.slow
def test_opening_a_network_does_not_open_keras_to_code(mark, door, monkeypatch):
    path = trap("lambda", mark, monkeypatch)
    sound = own(mark.with_name("sound.keras"), *dense(), name=reader._name("MNIST"))
    assert door(sound)[0](BLANK).shape == (10,)
    with pytest.raises(ValueError, match="unsafe|arbitrary code"):
        keras.models.load_model(path)
    assert not mark.exists()


@pytest.mark.slow
def test_how_a_network_was_trained_is_not_restored(mark, door, monkeypatch):
    touch = touching(mark)
    restore = classmethod(lambda cls, config: touch(keras.optimizers.SGD()))
    custom = type("Trap", (keras.optimizers.SGD,), {"from_config": restore})
    monkeypatch.setitem(keras.saving.get_custom_objects(), "Trap", custom)
    path = mark.with_name("own.keras")
    layers = [keras.layers.Input((28, 28, 1)), *dense(activation="softmax")]
    model = keras.Sequential(layers, name=reader._name("MNIST"))
    model.compile(custom(), "mse")
    model.save(path)
    assert door(path)[0](BLANK).sum() == pytest.approx(1)
    assert not mark.exists()
    run_unguarded(path)
    assert mark.exists(), "the trap does not work"


# --- The command ---------------------------------------------------------------------------------


def command(*words, before=""):
    """Run ``mnist_edu draw`` in a process of its own, where there is no screen."""
    code = f"{before}\nfrom mnist_edu.__main__ import main; sys.exit(main({['draw', *words]!r}))"
    environment = {**os.environ, "DISPLAY": ""}
    environment.pop("WAYLAND_DISPLAY", None)
    words = [sys.executable, "-c", f"import sys; {code}"]
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60)


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("tensorflow", 'tensorflow is missing: pip install -e ".[lessons]"'),
        ("keras", 'keras is missing: pip install -e ".[lessons]"'),
        ("cv2", 'cv2 is missing: pip install -e ".[ink]"'),
    ],
)
def test_library_that_is_missing_is_named_and_the_status_is_1(
    without, sentence, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, without, None)
    assert main(["draw"]) == 1
    out, error = capsys.readouterr()
    assert out == "" and error == f"mnist_edu: {sentence}, in the folder of the series\n"


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("sys.modules['_tkinter'] = None", "this Python has no tkinter"),
        ("", "no window can be opened here"),
    ],
)
def test_screen_that_is_missing_gets_one_sentence_and_status_1(before, sentence):
    done = command(before=before)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"mnist_edu: {sentence}")


def test_refused_network_ends_the_command_before_a_window_opens(tmp_path):
    (tmp_path / "own.keras").write_bytes(b"no network")
    done = command("--model", str(tmp_path / "own.keras"))
    assert done.returncode == 2
    assert done.stderr.startswith("mnist_edu: own.keras is no .keras file")
    assert len(done.stderr.splitlines()) == 1
