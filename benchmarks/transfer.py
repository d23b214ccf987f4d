"""How well do embedded digits stand in for MNIST?

A convolutional network is trained on embedded digits alone, new ones in each epoch, and reads the
MNIST test digits. Then the other way round: trained on MNIST, tested on embedded digits. Seeds
that the file has are kept, so a long measurement can be made in parts. The test set reports, and
nothing was chosen by it: shapes and settings were chosen with the first 10,000 training digits.

Run with ``make transfer``, with MNIST at hand. It writes ``benchmarks/transfer.json``.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from mnist_edu import data, synthetic

BATCH = 256


def network(wide: int = 32) -> keras.Model:
    """Return three convolutional blocks of ``wide``, twice and four times as many filters."""

    def block(filters):
        convolution = layers.Conv2D(filters, 3, padding="same", use_bias=False)
        return [convolution, layers.BatchNormalization(), layers.MaxPool2D(), layers.ReLU()]

    blocks = [layer for times in (1, 2, 4) for layer in block(times * wide)]
    head = [layers.Flatten(), layers.Dropout(0.4), layers.Dense(10)]
    return keras.Sequential([keras.Input((28, 28, 1)), *blocks, *head])


def augment(images: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Move by a pixel, blur, change contrast and add noise: uint8 (n, 28, 28) to float32."""
    n = len(images)
    x = np.empty((n, 28, 28), np.float32)
    steps = chance.integers(-1, 2, (n, 2))
    for right in (-1, 0, 1):
        for down in (-1, 0, 1):
            mine = (steps == (right, down)).all(1)
            x[mine] = data.scale(data.shift(images[mine], right, down))
    blur = 0.35 * chance.random((n, 1, 1), np.float32) * (chance.random((n, 1, 1)) < 0.6)
    around = sum(np.roll(x, step, axis) for step in (1, -1) for axis in (1, 2)) / 4
    x = x * (1 - blur) + around * blur
    x = x ** np.exp(chance.normal(0, 0.35, (n, 1, 1)))
    x *= chance.uniform(0.8, 1, (n, 1, 1))
    noisy = chance.random((n, 1, 1)) < 0.5
    x += 0.04 * chance.standard_normal((n, 28, 28), np.float32) * noisy
    return np.clip(x, 0, 1).astype(np.float32)[..., np.newaxis]


def train(digits_of_epoch, epochs: int, seed: int) -> tuple[keras.Model, float]:
    """Train on what ``digits_of_epoch`` gives for each epoch; return network and seconds."""
    keras.utils.set_random_seed(seed)
    chance = np.random.default_rng(seed)
    start = time.perf_counter()
    model = network()
    for epoch in range(epochs):
        images, labels = digits_of_epoch(epoch)
        if epoch == 0:
            compile_for(model, epochs * -(-len(images) // BATCH))
        model.fit(augment(images, chance), labels, batch_size=BATCH, verbose=0)
    settle(model, images[:20_000])
    return model, time.perf_counter() - start


def settle(model: keras.Model, images: np.ndarray) -> None:
    """Measure the means and variances of batch normalisation anew, on digits as they are.

    While training they were those of digits with noise and blur. It is worth about 0.1 points.
    """
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.95
    x = data.add_channel(data.scale(images))
    for start in range(0, len(x), 500):
        model(x[start : start + 500], training=True)


def compile_for(model: keras.Model, steps: int) -> None:
    """Adam, its rate rising to 0.004 and falling again along a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(
        3e-4, steps, alpha=0.01, warmup_target=4e-3, warmup_steps=steps // 6
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)


def accuracy(model: keras.Model, split: data.Split) -> float:
    x = data.add_channel(data.scale(split.images))
    predicted = model.predict(x, batch_size=1000, verbose=0).argmax(1)
    return float(np.mean(predicted == split.labels))


def one_seed(seed: int, each: int, epochs: int, mnist: data.Dataset, embedded: data.Split) -> dict:
    """Measure both ways for one seed, in accuracy and seconds."""

    def drawn(epoch):
        return synthetic.make_digits(each, 1000 * seed + 100 + epoch)

    row = {"seed": seed}
    model, row["seconds"] = train(drawn, epochs, seed)
    row["development"] = accuracy(model, data.Split(*(a[:10_000] for a in parts(mnist.train))))
    row["mnist_test"] = accuracy(model, mnist.test)
    row["embedded_test"] = accuracy(model, embedded)
    model, _ = train(lambda epoch: parts(mnist.train), 2, seed)
    row["mnist_to_embedded"] = accuracy(model, embedded)
    row["mnist_to_mnist"] = accuracy(model, mnist.test)
    return {name: round(value, 4) for name, value in row.items()}


def parts(split: data.Split) -> tuple[np.ndarray, np.ndarray]:
    return split.images, split.labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--each", type=int, default=60_000, help="digits drawn for an epoch")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    chosen = parser.parse_args()
    mnist = data.load("mnist", validation_size=0)
    embedded = data.load("synthetic").test
    settings = {"each": chosen.each, "epochs": chosen.epochs, "batch": BATCH}
    settings |= {"digits": synthetic.VERSION}
    rows = kept(chosen.out, settings)
    for seed in chosen.seeds:
        if seed not in [row["seed"] for row in rows]:
            rows.append(one_seed(seed, chosen.each, chosen.epochs, mnist, embedded))
            print(rows[-1], flush=True)
            write(chosen.out, settings, rows)


def kept(path: Path, settings: dict) -> list[dict]:
    """Return the rows of an earlier run with the same settings: seeds in the file stay."""
    page = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return page["rows"] if page.get("settings") == settings else []


def write(path: Path, settings: dict, rows: list[dict]) -> None:
    """Print mean and range of each number, and keep all of them."""
    summary = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name != "seed":
            summary[name] = [round(float(f(values)), 4) for f in (np.mean, min, max)]
            print(f"{name}: mean {summary[name][0]}, {summary[name][1]} to {summary[name][2]}")
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    machine |= {"keras": keras.__version__}
    page = {"settings": settings, "machine": machine, "mean_low_high": summary, "rows": rows}
    path.write_text(json.dumps(page, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
