"""A drawing pad for notebooks: write a digit, and see at once what a network reads.

The page (``pad.js``, ``pad.css``) sends strokes. Python draws them, brings them to MNIST's form,
asks ``predict``, and answers. The page sends its latest strokes once the last answer has come, so
drawing stays smooth however long ``predict`` takes.
"""

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_edu import ink, palette, plots, synthetic
from mnist_edu.errors import needs
from mnist_edu.pads.answer import PEN, PENS, SIDE, percent, read

anywidget, traitlets = needs("anywidget", "ink"), needs("traitlets", "ink")

WHERE = " (predict(pad.image) in a cell shows where)"


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
    _css = palette.PAD + Path(__file__).with_name("pad.css").read_text("utf-8")
    # To the page, once: the side of the pad, and the thinnest and the thickest pen.
    measures = traitlets.Dict({"side": SIDE, "pens": PENS}, read_only=True).tag(sync=True)
    # From the page, and to it where Python draws: id, strokes, pen, example [digit, hand] or None.
    drawing = traitlets.Dict().tag(sync=True, echo_update=False)
    # To the page: id of the drawing, and all that is shown: sentence, digit (a text), best (it as
    # a number or None), image (784 numbers), probabilities and percents; empty where nothing is.
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
            answer = read(self.predict, drawing["strokes"], drawing["pen"])
            self.image, self.probabilities = answer.image, answer.probabilities
            numbers = [] if self.probabilities is None else self.probabilities.tolist()
            where = WHERE if answer.fault and answer.image is not None else ""
            self.answer = {
                "id": drawing["id"],
                "sentence": answer.sentence + where,
                "digit": answer.short,
                "best": answer.best,
                "image": [] if self.image is None else self.image.ravel().tolist(),
                "probabilities": numbers,
                "percents": list(map(percent, numbers)),
            }

    def __repr__(self) -> str:
        return f"Drawing pad: {self.answer['sentence']}"

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """Add what is shown where no Python runs: a web page, a viewer, a stored notebook."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        strokes, told = self.drawing["strokes"], ""
        if not strokes:
            strokes, told = synthetic.example_strokes(7), "An example, drawn by the package. "
        answer = read(self.predict, strokes, self.drawing["pen"])
        text = f"A drawing pad: run this cell to use it. {told}{answer.sentence}"
        if answer.best is not None:
            png = plots.probabilities(answer.probabilities, image=answer.image).png()
            data = data | {"image/png": base64.b64encode(png).decode("ascii")}
            metadata = metadata | {"image/png": {"alt": text}}
        return data | {"text/plain": text}, metadata
