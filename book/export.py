"""Make what the live figures of the book are fed with.

``python book/export.py weights`` trains three networks on MNIST's training digits, as their
notebooks do, and writes ``book/_static/live/weights.js``, which is kept in the repository.

``python book/export.py page`` writes the rest beside it, from the package alone, in a second: the
drawing pad as a plain script, its colours, strokes for examples, and embedded digits to learn from.
Pages are opened from folders too, where a script may fetch nothing: so all of it is scripts.
"""

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mnist_edu import cache, data, palette, synthetic
from mnist_edu.errors import AskedWrongly, needs
from mnist_edu.pads import answer

LIVE = Path(__file__).with_name("_static") / "live"
PADS = Path(answer.__file__).parent
SEED = 1
HANDS = 6  # examples of each digit
LEARN, CHECK = 1000, 300  # embedded digits to learn from, and to test on
NAMESPACE = "(globalThis.mnistLive ??= {})"  # where each script puts what the others use


# --- Three networks ------------------------------------------------------------------------------


def write_weights(path: Path = LIVE / "weights.js") -> None:
    """Train the three networks on MNIST and write them as a script, in 16 bits a number.

    Raises
    ------
    AskedWrongly
        If MNIST is not here: nothing is written, and no other digits take its place.
    """
    digits = data.load("mnist")
    networks = [_exported(*described, digits.test) for described in _trained(digits)]
    lines = ",\n".join(json.dumps(network, ensure_ascii=False) for network in networks)
    head = (
        "// Made by `make weights`, not by hand. Three networks, trained as in their notebooks on\n"
        "// MNIST's training digits. weights: 16-bit floats, base64, layer by layer, kernel, then\n"
        "// bias. accuracy: on all 10,000 test digits of MNIST, with the weights as they are here;\n"
        "// keras: the same before they were rounded to 16 bits.\n"
    )
    _write(path, f"{head}{NAMESPACE}.networks = [\n{lines}\n];\n")


def _trained(digits: data.Dataset) -> list[tuple]:
    """Return (name, notebook, Keras model, layers) of each network, trained."""
    keras, layers = needs("keras", "lessons"), needs("keras.layers", "lessons")
    from mnist_edu import input_data, lesson

    lesson.set_seed(SEED)
    images, labels = data.scale(digits.train.images), digits.train.labels
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    softmax = keras.Sequential([keras.Input((784,)), layers.Dense(10, kernel_initializer="zeros")])
    softmax.compile(keras.optimizers.SGD(0.5), loss)
    batches = input_data.read_data_sets("MNIST_data", seed=SEED, source="mnist").train
    for _ in range(1000):
        softmax.train_on_batch(*batches.next_batch(100))

    hidden = [layers.Dense(128, "relu") for _ in range(3)]
    dense = keras.Sequential([keras.Input((784,)), *hidden, layers.Dense(10)])
    dense.compile("adam", loss)
    dense.fit(data.flatten(images), labels, batch_size=128, epochs=50, verbose=0)

    blocks = [(layers.Conv2D(n, 5, padding="same"), layers.MaxPool2D(), layers.ReLU()) for n in (16, 36)]
    tail = [layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10)]
    small = keras.Sequential([keras.Input((28, 28, 1)), *blocks[0], *blocks[1], *tail])
    small.compile("adam", loss)
    small.fit(data.add_channel(images), labels, batch_size=64, epochs=1, verbose=0)

    return [
        ("Softmax", "01", softmax, ["dense"]),
        ("Three dense layers", "04", dense, ["dense", "relu"] * 3 + ["dense"]),
        ("Convolutional", "06", small, ["convolve", "pool", "relu"] * 2 + ["dense", "relu", "dense"]),
    ]


def _exported(name: str, notebook: str, model, layers: list[str], test: data.Split) -> dict:
    """Return a network as the page takes it; ``model`` has rounded weights afterwards."""
    images = data.scale(test.images).reshape(-1, *model.input_shape[1:])

    def accuracy() -> float:
        logits = model.predict(images, batch_size=500, verbose=0)
        return round(float(np.mean(logits.argmax(1) == test.labels)), 4)

    before = accuracy()
    halves = [array.astype(np.float16) for array in model.get_weights()]
    model.set_weights([half.astype(np.float32) for half in halves])
    shapes = iter([half.shape for half in halves[::2]])
    raw = b"".join(half.astype("<f2").tobytes() for half in halves)
    return {
        "name": name,
        "notebook": notebook,
        "trained": "MNIST",
        "numbers": sum(half.size for half in halves),
        "accuracy": accuracy(),
        "keras": before,
        "layers": [[kind, *next(shapes)] if kind in ("dense", "convolve") else [kind] for kind in layers],
        "weights": base64.b64encode(raw).decode(),
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with cache.whole(path) as part:
        part.write_text(text, "utf-8", newline="\n")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    write_weights()
