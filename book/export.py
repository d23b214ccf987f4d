"""Make what the live figures of the book are fed with.

``python book/export.py weights`` trains three networks on MNIST's training digits, as their
notebooks do, and writes ``book/_static/live/weights.js``, which is kept in the repository. It takes
some minutes.

``python book/export.py page`` writes the rest beside it, in a second, from the package alone: the
drawing pad as a plain script, its style sheet, what it needs to know, and embedded digits to learn
from. It is not kept. A page that is opened from a folder may fetch nothing: so all are scripts.
"""

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mnist_edu import cache, data, palette, synthetic
from mnist_edu.errors import AskedWrongly, WentWrong, needs
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
        "// bias. accuracy: on all 10,000 test digits of MNIST, with these weights;\n"
        "// keras: the same before they were rounded to 16 bits.\n"
    )
    here = "globalThis.mnistLive.arrived?.();\n"
    _write(path, f"{head}{NAMESPACE}.networks = [\n{lines}\n];\n{here}")


def read_weights(path: Path = LIVE / "weights.js") -> list[dict]:
    """Return the three networks as they are kept, for what is said of them elsewhere."""
    text = path.read_text("utf-8")
    return json.loads(text[text.index("= [") + 2 : text.rindex("]") + 1])


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

    blocks = [
        (layers.Conv2D(n, 5, padding="same"), layers.MaxPool2D(), layers.ReLU()) for n in (16, 36)
    ]
    tail = [layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10)]
    small = keras.Sequential([keras.Input((28, 28, 1)), *blocks[0], *blocks[1], *tail])
    small.compile("adam", loss)
    small.fit(data.add_channel(images), labels, batch_size=64, epochs=1, verbose=0)

    return [
        ("Softmax", "01", softmax, ["dense"]),
        ("Three dense layers", "04", dense, ["dense", "relu"] * 3 + ["dense"]),
        (
            "Convolutional",
            "06",
            small,
            ["convolve", "pool", "relu"] * 2 + ["dense", "relu", "dense"],
        ),
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
        "layers": [
            [kind, *next(shapes)] if kind in ("dense", "convolve") else [kind] for kind in layers
        ],
        "weights": base64.b64encode(raw).decode(),
    }


# --- The rest ------------------------------------------------------------------------------------


def write_page(folder: Path = LIVE) -> None:
    """Write pad.js, pad.css, about.js and digits.js for the pages; nothing is trained for them."""
    _write(folder / "pad.js", as_script((PADS / "pad.js").read_text("utf-8")))
    _write(folder / "pad.css", palette.PAD + (PADS / "pad.css").read_text("utf-8"))
    _write(folder / "about.js", f"{NAMESPACE}.about = {json.dumps(about())};\n")
    _write(folder / "digits.js", f"{NAMESPACE}.digits = {json.dumps(packed_digits())};\n")


def as_script(module: str) -> str:
    """Turn the widget's module into a plain script, which hands over what the module exports."""
    end = "export default { render };"
    if module.count("export ") != 1 or end not in module or "import " in module:
        raise WentWrong(f"pad.js must import nothing, and export once: {end}")
    kept = module.replace(end, f"{NAMESPACE}.pad = {{ render }};")
    return f"(() => {{\n{kept}}})();\n"


def about() -> dict:
    """Return what the pad of the page knows of the package, of examples, and of the networks."""
    networks = [{k: v for k, v in n.items() if k != "weights"} for n in read_weights()]
    hands = [
        [synthetic.example_strokes(digit, hand) for hand in range(HANDS)] for digit in range(10)
    ]
    return {
        "side": answer.SIDE,
        "pen": answer.PEN,
        "pens": answer.PENS,
        "sure": answer.SURE,
        "invitation": answer.INVITATION,
        "networks": networks,
        "examples": [
            [[np.round(s).astype(int).tolist() for s in hand] for hand in hands[digit]]
            for digit in range(10)
        ],
    }


def packed_digits() -> dict:
    """Draw digits to learn from and to test on, and pack them: 16 shades, black in runs.

    The text is base64 of half-bytes: 1 to 15 is a pixel, 0 and a number is that many black ones
    and one more.
    """
    parts = {}
    for name, number, seed in (("learn", LEARN, 1), ("check", CHECK, 2)):
        images, labels = synthetic.make_digits(number, seed)
        shades = np.rint(images / 17).astype(np.uint8).ravel()
        parts[name] = {
            "labels": "".join(map(str, labels)),
            "pixels": base64.b64encode(_pack(shades)).decode(),
        }
    return parts | {"source": "embedded digits, drawn by the package, not MNIST"}


def _pack(shades: np.ndarray) -> bytes:
    halves: list[int] = []
    black = 0
    for shade in [*shades.tolist(), None]:
        if shade == 0 and black < 16:
            black += 1
            continue
        if black:
            halves += [0, black - 1]
        black = int(shade == 0)
        if shade:
            halves.append(shade)
    halves += [0] * (len(halves) % 2)
    return bytes(high << 4 | low for high, low in zip(halves[::2], halves[1::2], strict=True))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with cache.whole(path) as part:
        part.write_text(text, "utf-8", newline="\n")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def main(words: Sequence[str]) -> int:
    """Do what is asked for; return 0, 1 if it failed, or 2 if it was asked wrongly."""
    commands = {"weights": write_weights, "page": write_page}
    try:
        if len(words) != 1 or words[0] not in commands:
            raise AskedWrongly("python book/export.py weights, or page")
        commands[words[0]]()
    except (AskedWrongly, WentWrong, ValueError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 2 if isinstance(error, AskedWrongly) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
