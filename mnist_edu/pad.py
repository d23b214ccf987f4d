"""A drawing pad for notebooks: write a digit, and see at once what a network reads.

The page (``pad.js``, ``pad.css``) sends strokes. Python draws them, brings them to MNIST's form,
asks ``predict``, and answers. The page sends its latest strokes once the last answer has come, so
drawing stays smooth however long ``predict`` takes.
"""

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_edu import ink, plots, synthetic

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError(f'the drawing pad needs {error.name}: pip install "mnist_edu[ink]"') from None

SIDE = 280  # of the pad; points run from 0 to 280, x to the right and y down
PEN = 20  # width of the pen, on the same scale
INVITATION = "Draw a digit from 0 to 9, or press a digit key for an example."
SURE = 0.8  # below this probability the second guess is named too


def drawing_pad(predict: Callable[[np.ndarray], np.ndarray], strokes: list | None = None) -> "Pad":
    """Return a pad to draw digits on, with the ten probabilities as bars beside it.

    Parameters
    ----------
    predict : takes an image uint8 (28, 28) in MNIST's form, returns ten probabilities, float (10,)
    strokes : what is drawn at first: a list of strokes, each a list of points (x, y) in 0..280

    Returns
    -------
    Pad : ``pad.strokes``, ``pad.image`` and ``pad.probabilities`` tell what was drawn and read.
        Where no Python runs, a picture stands for the pad, with an example if nothing was drawn.

    Raises
    ------
    TypeError
        If ``predict`` is no function.
    ValueError
        If ``strokes`` is no list of strokes.
    """
    if not callable(predict):
        kind = type(predict).__name__
        raise TypeError(f"predict must be a function of one image, not {kind}: use lambda, or def")
    return Pad(predict, strokes)


class Pad(anywidget.AnyWidget):
    """The widget of ``drawing_pad``; a class, because that is what anywidget wants.

    ``image`` is uint8 (28, 28), ``probabilities`` float (10,); both are None where nothing is read.
    """

    _esm = Path(__file__).with_name("pad.js")
    _css = Path(__file__).with_name("pad.css")
    # From the page, and to it where Python draws: id, strokes, pen, example [digit, hand] or None.
    drawing = traitlets.Dict().tag(sync=True, echo_update=False)
    # To the page: id of the drawing, sentence, image (784 numbers) and probabilities, or empty.
    answer = traitlets.Dict().tag(sync=True)

    def __init__(self, predict: Callable[[np.ndarray], np.ndarray], strokes: list | None = None):
        self.predict, self.image, self.probabilities = predict, None, None
        super().__init__()
        self.strokes = [] if strokes is None else strokes

    @property
    def strokes(self) -> list[np.ndarray]:
        """The strokes on the pad, float (k, 2) each; set it to draw from Python."""
        return [np.array(stroke, float) for stroke in self.drawing["strokes"]]

    @strokes.setter
    def strokes(self, strokes: list) -> None:
        ink.draw_strokes(strokes)  # says what is wrong with them
        points = [np.reshape(stroke, (-1, 2)).tolist() for stroke in strokes]
        pen = self.drawing.get("pen", PEN)
        with self.hold_sync():  # the page gets them together with what was read
            self.drawing = {"id": "", "strokes": points, "pen": pen, "example": None}

    @traitlets.observe("drawing")
    def _on_drawing(self, change) -> None:
        """Read what was drawn; an example that was asked for is drawn first."""
        drawing = change.new
        with self.hold_sync():
            if drawing["example"]:
                points = [s.tolist() for s in synthetic.example_strokes(*drawing["example"])]
                self.drawing = drawing | {"strokes": points, "example": None}  # comes back here
                return
            read = _read(self.predict, drawing["strokes"], drawing["pen"])
            self.image, self.probabilities, sentence = read
            self.answer = {
                "id": drawing["id"],
                "sentence": sentence,
                "image": [] if self.image is None else self.image.ravel().tolist(),
                "probabilities": [] if read[1] is None else self.probabilities.tolist(),
            }

    def __repr__(self) -> str:
        return f"Drawing pad: {self.answer['sentence']}"

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """Add what is shown where no Python runs: a web page, a viewer, a stored notebook."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        strokes, told = self.strokes, ""
        if not strokes:
            strokes, told = synthetic.example_strokes(7), "An example, drawn by the package. "
        image, probabilities, sentence = _read(self.predict, strokes, self.drawing["pen"])
        text = f"A drawing pad: run this cell to use it. {told}{sentence}"
        if probabilities is not None:
            png = plots.probabilities(probabilities, image=image).png()
            data = data | {"image/png": base64.b64encode(png).decode("ascii")}
            metadata = metadata | {"image/png": {"alt": text}}
        return data | {"text/plain": text}, metadata


def _read(predict: Callable, strokes: list, pen: float) -> tuple:
    """Return image or None, probabilities or None, and a sentence; never an error."""
    if not strokes:
        return None, None, INVITATION
    try:
        image = ink.to_mnist(ink.draw_strokes(strokes, SIDE, pen))
    except ValueError as error:
        return None, None, f"Nothing to read: {error}."
    try:
        probabilities = _ten(predict(image))
    except Exception as error:  # whatever a learner's function may raise
        first = (str(error).splitlines() or [""])[0][:200]
        told = f"predict failed with {type(error).__name__}: {first}"
        return image, None, f"{told} (predict(pad.image) in a cell shows where)"
    return image, probabilities, _sentence(probabilities)


def _ten(values: object) -> np.ndarray:
    """Return ten probabilities, float (10,), or say what is wrong with them."""
    values = np.asarray(values, float)
    if values.shape != (10,):
        raise ValueError(f"it must return ten probabilities of shape (10,), not {values.shape}")
    if not (values.min() >= 0 and values.max() <= 1):  # also where one is not a number
        raise ValueError(f"probabilities lie in 0..1, not from {values.min()} to {values.max()}")
    return values


def _sentence(probabilities: np.ndarray) -> str:
    second, best = np.argsort(probabilities, kind="stable")[-2:]
    names = [f"{digit} ({_percent(probabilities[digit])})" for digit in (best, second)]
    if probabilities[best] < SURE:
        return f"The network is not sure: {names[0]}, or {names[1]}."
    return f"The network reads {names[0]}."


def _percent(value: float) -> str:
    return "over 99 %" if 0.995 <= value < 1 else f"{100 * value:.0f} %"
