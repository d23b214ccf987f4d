"""Stand-ins for what cells need: few digits, a quick network, modules that note their calls."""

import collections
import inspect
import types

import numpy as np

from mnist_edu import data, lesson, synthetic


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
