"""Stand-ins for what cells need: few digits, a quick network, modules that note their calls."""

import collections
import inspect
import types

import numpy as np
from cells import run_cells

from mnist_edu import data, lesson, plots, synthetic


def few_digits(train: int = 60, validation: int = 40, test: int = 40) -> data.Dataset:
    """Draw a few digits; no image of one split is in another."""
    images, labels = synthetic.make_digits(train + validation + test, seed=7)
    ends = np.cumsum([train, validation, test])
    parts = zip(np.split(images, ends[:2]), np.split(labels, ends[:2]), strict=True)
    return data.Dataset(*(data.Split(*part) for part in parts), "MNIST")


def listening(module: types.ModuleType, act: bool = True, **instead: object):
    """Return a module's likeness whose functions note their arguments, by name, in ``heard``.

    They do their work too, unless told not to ``act``; ``instead`` gives others in their place.
    """
    heard = collections.defaultdict(list)

    def noting(name, function):
        signature = inspect.signature(getattr(module, name))

        def noted(*args, **kwargs):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            heard[name].append(bound.arguments)
            return function(*args, **kwargs)

        return noted

    names = dict(vars(module))
    for name, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == module.__name__:
            function = instead.get(name, value if act else lambda *_, **__: None)
            names[name] = noting(name, function)
    return types.SimpleNamespace(**names | {"heard": heard})


def seedless():
    """Return a likeness of ``lesson`` that sets no seed: it would bind the tests that follow."""
    return listening(lesson, set_seed=lambda seed: None)


class Reader:
    """A network's stand-in: each logit is a fixed sum of the pixels. It notes what it is asked.

    It answers ``predict`` alone. Called like a function, a network may have its dropout on.
    """

    def __init__(self, shape: tuple, seed: int = 0):
        self.shape, self.asked, self.judged = shape, [], []
        self.sums = np.random.default_rng(seed).normal(size=(28 * 28, 10)).astype(np.float32)

    def logits(self, images):
        return np.asarray(images).reshape(-1, 28 * 28) @ self.sums

    def answers(self, images):
        return self.logits(images).argmax(1)

    def __call__(self, *_, **__):
        raise AssertionError("a network called like a function may have its dropout on: predict")

    def predict(self, images, batch_size=None, verbose="auto"):
        assert images.shape[1:] == self.shape, f"images of {images.shape[1:]}, not {self.shape}"
        assert images.dtype == np.float32, f"images are {images.dtype}: they were not scaled"
        self.asked.append(images)
        return self.logits(images)

    def evaluate(self, images, labels, batch_size=None, verbose="auto"):
        self.judged.append((images, labels))
        return [0.5, float(np.mean(self.predict(images).argmax(1) == labels))]


def cross_entropy(logits, labels):
    """Return the mean cross-entropy, written apart from any library."""
    z = np.asarray(logits, float)
    z = z - z.max(1, keepdims=True)
    chosen = z[np.arange(len(z)), np.asarray(labels, int)]
    return float(np.mean(np.log(np.exp(z).sum(1)) - chosen))


def settings(layers):
    """Return the kind of each Keras layer and all that it was told, but for its name."""
    told = [(type(layer), layer.get_config()) for layer in layers]
    return [(kind, {k: v for k, v in config.items() if k != "name"}) for kind, config in told]


def softmax_of(logits):
    """Return the softmax of each row, written apart from any library."""
    powers = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


# --- Cells that several notebooks have alike -----------------------------------------------------


def by_split(few: data.Dataset) -> tuple[dict, dict]:
    """Return images in [0, 1] and labels, each by the name of its split."""
    splits = {"train": few.train, "validation": few.validation, "test": few.test}
    images = {name: part.images / np.float32(255) for name, part in splits.items()}
    return images, {name: part.labels for name, part in splits.items()}


def runner(notebook: str, begun: dict, few: data.Dataset, images: dict, labels: dict):
    """Return a function that runs cells on a few digits, and listens to lesson and plots."""

    def run(*ids, **names):
        given = {"digits": few, "lesson": listening(lesson), "plots": listening(plots, act=False)}
        given |= {f"{name}_x": part for name, part in images.items()}
        given |= {f"{name}_y": part for name, part in labels.items()}
        return run_cells(notebook, *ids, **begun | given | names)

    return run


def check_seed_and_source(notebook: str, run, few: data.Dataset) -> None:
    """Check that cell ``load`` sets the seed and asks for the source."""
    source = listening(data, load=lambda source: few)
    space = run("load", data=source, lesson=seedless(), seed=5, source="synthetic")
    told = f"{notebook}:load: the"
    assert space["lesson"].heard["set_seed"][0]["seed"] == 5, f"{told} seed is not set"
    assert source.heard["load"][0]["source"] == "synthetic", f"{told} source is not asked for"


def check_scaled_once(notebook: str, begun: dict, few: data.Dataset) -> None:
    """Check that cell ``prepare`` scales each split once, and cuts the training images."""
    images, labels = by_split(few)
    space = run_cells(notebook, "prepare", **begun | {"digits": few, "train_images": 50})
    for name, count in (("train", 50), ("validation", None), ("test", None)):
        np.testing.assert_allclose(
            space[f"{name}_x"], images[name][:count], 1e-6, err_msg=f"{notebook}:prepare: {name}_x"
        )
        np.testing.assert_array_equal(
            space[f"{name}_y"], labels[name][:count], f"{notebook}:prepare: labels"
        )


def check_ask(notebook: str, run, images: np.ndarray) -> None:
    """Check that cell ``ask`` gives logits, and their softmax by rows."""
    space, reader = run("ask"), Reader((28, 28))
    right = reader.logits(images)
    found = space["logits_of"](reader, images)
    np.testing.assert_allclose(found, right, err_msg=f"{notebook}:ask: logits_of")
    np.testing.assert_allclose(
        space["ask"](reader, images),
        softmax_of(right),
        1e-4,
        1e-7,
        err_msg=f"{notebook}:ask: no softmax by rows",
    )
