"""The network behind the drawing window: trained on first use, kept, and opened quickly.

``predict = reader()``, then ``predict(image)`` gives ten probabilities.
"""

import json
import os
import re
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_edu import cache, data, synthetic
from mnist_edu.errors import AskedWrongly, Missing, needs

VERSION = 2  # of the network and its training: a kept file of another version is not used
FILE = "reader.keras"
EPOCHS = 3
BATCH = 128
PEAK = 3e-3  # of the learning rate, which rises to it in a fifth of the steps and falls to zero
EXTRA = (10_000, 12)  # embedded digits that are mixed with MNIST: how many, and their seed
SIZE_LIMIT = 500_000_000  # bytes of a network, unpacked
PARTS = {"config.json", "metadata.json", "model.weights.h5"}  # of a .keras file
SHAPES = ((28, 28), (28, 28, 1), (784,))
KERAS = re.compile(
    r"keras(\.src)?(\.(layers|models|initializers|activations|regularizers|constraints|"
    r"dtype_policies)(\..+)?)?"
)
CODE = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer", "function")
Tell = Callable[..., None]


def terminal(text: str, part: float | None = None) -> None:
    """Show a sentence, or with ``part`` in 0..1 how far something is, in one line of stderr."""
    live = sys.stderr.isatty()
    if part is None:
        print(text, file=sys.stderr)
    elif live:
        print(f"\r{text:<78}", end="\n" if part == 1 else "", file=sys.stderr, flush=True)
    elif part in (0, 1):
        print(text, file=sys.stderr)


# --- Public --------------------------------------------------------------------------------------


def reader(
    file: str | os.PathLike | None = None, tell: Tell = terminal, epochs: int = EPOCHS
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that reads a digit: ``predict(image)``.

    The network is the one that is kept in the cache folder. Where there is none, or it is damaged,
    of another version, or of embedded digits although MNIST is here by now, one is trained on
    MNIST, else on embedded digits, and kept.

    Parameters
    ----------
    file : a network of one's own, a ``.keras`` file, to use instead; see ``check``
    tell : called with a sentence, or with a text and a part in 0..1 while the network learns
    epochs : how often training goes through the digits

    Returns
    -------
    function from uint8 (28, 28) in MNIST's form to float (10,), probabilities; ``predict.about``
    is a sentence that says what the network learned from

    Raises
    ------
    AskedWrongly
        If ``file`` is refused. The message says why.
    Missing
        If Keras or TensorFlow is missing.
    """
    if file is not None:
        return _strangers(Path(file))
    path = cache.cache_folder() / FILE
    predict = _kept(path, tell)
    if predict:
        return predict
    digits = data.load()
    model = train(digits, tell, epochs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with cache.whole(path) as part:
            model.save(part)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        tell(f"The network was not kept for next time ({reason}): {path.parent} cannot be written.")
    return _predict(model, _about(digits.source))


def train(digits: data.Dataset, tell: Tell = terminal, epochs: int = EPOCHS):
    """Return a Keras network trained on varied digits; images are float in 0..1, (n, 28, 28, 1).

    Embedded digits are mixed with MNIST: they hold ways to write that are rare there, such as a 7
    with a bar and a 1 with a foot.
    """
    keras = needs("keras", "lessons")
    keras.utils.set_random_seed(1)
    images, labels = _mixed(digits)
    steps = epochs * -(-len(labels) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(
        PEAK / 10, steps - steps // 5, warmup_target=PEAK, warmup_steps=steps // 5
    )
    model = _network(keras, _name(digits.source))
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    watch = _progress(keras, steps, f"Learning from {len(labels):,} digits", tell)
    chance = np.random.default_rng(1)
    for _ in range(epochs):
        varied = data.add_channel(data.scale(vary(images, chance)))
        model.fit(varied, labels, batch_size=BATCH, verbose=0, callbacks=[watch])
    return model


def _mixed(digits: data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits.train.images, digits.train.labels
    if not digits.is_embedded:
        more_images, more_labels = synthetic.make_digits(*EXTRA)
        images, labels = np.append(images, more_images, 0), np.append(labels, more_labels)
    return images, labels


def vary(images: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Turn, slant, stretch and move digits a little, and make their lines thicker or thinner.

    What people write into the window differs from MNIST in these; so the network learns that the
    digit stays the same. Takes and returns uint8 (n, 28, 28).
    """
    cv2 = needs("cv2", "ink")
    n = len(images)
    angle, slant = chance.uniform(-0.18, 0.18, n), chance.uniform(-0.15, 0.15, n)
    width, height = chance.uniform(0.9, 1.1, (2, n))
    cos, sin = np.cos(angle), np.sin(angle)
    across = np.stack([width * cos, height * (slant * cos - sin)], axis=1)
    down = np.stack([width * sin, height * (slant * sin + cos)], axis=1)
    turn = np.stack([across, down], axis=1)
    middle = 14 - 14 * turn.sum(2, keepdims=True) + chance.uniform(-1, 1, (n, 2, 1))
    matrix = np.concatenate([turn, middle], axis=2)
    weight, cross = chance.uniform(-0.5, 0.5, n), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    varied = np.empty(images.shape, np.uint8)
    for i, image in enumerate(images):
        other = cv2.dilate(image, cross) if weight[i] > 0 else cv2.erode(image, cross)
        image = cv2.addWeighted(image, 1 - abs(weight[i]), other, abs(weight[i]), 0)
        varied[i] = cv2.warpAffine(image, matrix[i], (28, 28))
    return varied


def check(file: str | os.PathLike) -> None:
    """Refuse a file that is no network or could run code; what is in it is not executed.

    Raises
    ------
    AskedWrongly
        If the file is missing, no ``.keras`` file, too large, or holds anything that is not one of
        Keras' own layers without code in it. The message says which.
    """
    path = Path(file)
    if not path.is_file():
        raise AskedWrongly(f"there is no file {file}: look at its name and folder")
    damaged = f'{path.name} is no .keras file, or damaged: save it with model.save("name.keras")'
    if path.suffix != ".keras":
        raise AskedWrongly(damaged)
    try:
        fault = _fault(path)
    except Exception:  # zipfile and json raise whatever the content makes them
        raise AskedWrongly(damaged) from None
    if fault:
        raise AskedWrongly(f"{path.name} is refused: {fault}")


def _fault(path: Path) -> str:
    """Return why a file is refused, or an empty text; any error means that it is damaged."""
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
        if size > SIZE_LIMIT:
            return f"{size:,} bytes are too large a network"
        config = json.loads(archive.read("config.json"))
        if strange := set(archive.namelist()) - PARTS:
            return f"a network for images has no part {min(strange)}"
    if foreign := _foreign({**config, "compile_config": None}):
        return (
            f"its {foreign} is not one of Keras' own layers, or holds program code, which could do "
            "anything on this machine. Use a network without it"
        )
    return ""


# --- Opening and keeping -------------------------------------------------------------------------


def _kept(path: Path, tell: Tell):
    """Open the kept network; None where it is missing, damaged, or another one is wanted."""
    if not path.exists():
        return None
    try:
        check(path)
        model = _load(path)
        predict = _predict(model, "")
    except Missing:
        raise
    except Exception as error:  # damaged in whatever way
        tell(f"The kept network cannot be used ({_short(error)}). It is trained anew.")
        return None
    for row in data.SOURCES.values():
        if model.name != _name(row.label):
            continue
        if not (row.warning and data.mnist_is_here(path.parent)):
            predict.about = _about(row.label)
            return predict
    tell("The kept network is of another version or of other digits. It is trained anew.")
    return None


def _strangers(path: Path):
    check(path)
    try:
        model = _load(path)
    except Missing:
        raise
    except Exception as error:  # Keras raises whatever the content makes it
        reason = _short(error)
        raise AskedWrongly(f"Keras cannot open {path.name} ({reason}): save it anew") from None
    try:
        return _predict(model, f"The network is {path.name}.")
    except ValueError as error:
        raise AskedWrongly(f"{path.name} is refused: {error}") from None


def _load(path: Path):
    return needs("keras", "lessons").models.load_model(path, compile=False, safe_mode=True)


def _foreign(config: object) -> str:
    """Return the first part of a network that is not Keras' own or holds code, or an empty text."""
    if isinstance(config, dict):
        name, module = config.get("class_name", ""), config.get("module") or "keras"
        if name in CODE or name == "__lambda__" or not KERAS.fullmatch(str(module)):
            return str(name)
        if str(config.get("registered_name") or name) not in (name, f"keras>{name}"):
            return str(name)
        config = list(config.values())
    if isinstance(config, list):
        return next(filter(None, map(_foreign, config)), "")
    return ""


def _short(error: Exception) -> str:
    """Return the first sentence of an error, without the long lists that Keras adds."""
    text = (str(error).splitlines() or [""])[0].split(". ")[0]
    return text[:120] or type(error).__name__


# --- The network ---------------------------------------------------------------------------------


def _network(keras, name: str):
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(16, 5, use_bias=False),
            layers.MaxPooling2D(),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(32, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(48, 3, use_bias=False),
            layers.MaxPooling2D(),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ],
        name=name,
    )


def _name(source: str) -> str:
    """Return the name by which a kept network tells its version and what it learned from."""
    row = data.row_of(source)
    name, version = (row.name, row.version) if row else ("files", 0)
    return f"reader_v{VERSION}_{name}" + (f"_v{version}" if version else "")


def _about(source: str) -> str:
    if data.warning_of(source):
        return (
            f"The network learned from {source} (MNIST was not found), and reads people's digits "
            "less well."
        )
    return f"The network learned from {source} and {EXTRA[0]:,} digits that the package drew."


def _progress(keras, steps: int, text: str, tell: Tell):
    """Return a Keras callback that tells how much of all steps is done, and what time is left."""
    start, told, done = time.monotonic(), 0.0, 0

    def step(batch: int, logs: dict | None) -> None:
        nonlocal told, done
        done, now = done + 1, time.monotonic()
        if done == steps or now - told > 0.3:
            told, left = now, (now - start) / done * (steps - done)
            tell(f"{text}: {100 * done / steps:.0f} %, about {left:.0f} s left", done / steps)

    tell(f"{text} …", 0)
    return keras.callbacks.LambdaCallback(on_train_batch_end=step)


def _predict(model, about: str):
    """Return the function that reads an image; refuse a network of other shapes."""
    takes, gives = model.input_shape, model.output_shape
    if not (isinstance(takes, tuple) and takes[1:] in SHAPES and gives == (None, 10)):
        raise ValueError(
            f"it takes {takes} and gives {gives}. The window needs a network that takes images "
            "(None, 28, 28), (None, 28, 28, 1) or (None, 784) and gives (None, 10)"
        )

    def predict(image: np.ndarray) -> np.ndarray:
        values = model.predict_on_batch(data.scale(image).reshape(1, *takes[1:]))[0]
        return _probabilities(np.asarray(values, float))

    if not np.isfinite(predict(np.zeros((28, 28), np.uint8))).all():
        raise ValueError("what it gives is not a number (NaN)")
    predict.about = about  # type: ignore[attr-defined]
    return predict


def _probabilities(values: np.ndarray) -> np.ndarray:
    """Return probabilities (10,) from probabilities, or from logits by softmax."""
    if (values >= 0).all() and abs(values.sum() - 1) < 1e-3:
        return values
    odds = np.exp(values - values.max())
    return odds / odds.sum()
