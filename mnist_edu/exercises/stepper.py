"""A sliding window that the reader moves, for notebook 05."""

import html
import json
from pathlib import Path
from string import Template

import numpy as np

from mnist_edu.palette import BLUE
from mnist_edu.show import show

CELL, GAP = 34, 26  # pixels of the screen: a cell, and the space between two grids


def stepper(image: np.ndarray, kernel: np.ndarray) -> None:
    """Show a kernel that slides over a small image, moved by buttons, a slider or keys.

    All places stand below it in words too, for those who cannot see it, or whose viewer runs no
    scripts. A script puts the picture in: a viewer that distrusts the notebook removes it whole.
    The page needs nothing from outside. Its controls carry ``data-lm-suppress-shortcuts``, which
    keeps JupyterLab from taking keys that are meant for them.

    Parameters
    ----------
    image : whole numbers (h, w)
    kernel : whole numbers (kh, kw), not larger than the image
    """
    places = _places(np.asarray(image), np.asarray(kernel))
    words = [place["words"] for place in places]
    size = " x ".join(map(str, np.shape(kernel)))
    label = f"A window of {size} slides over an image, in {len(places)} places."
    items = "".join(
        f'<li data-at="{place["row"]} {place["column"]}" '
        f'data-products="{" ".join(map(str, place["products"]))}">{html.escape(line)}</li>'
        for place, line in zip(places, words, strict=True)
    )
    picture = _svg(image, kernel, places, label)
    controls = json.dumps(_filled("stepper_controls.html", picture=picture, last=len(places) - 1))
    script = _filled("stepper.js", controls=controls.replace("</", "<\\/"))
    page = _filled("stepper.html", label=label, items=items, script=script)
    show({"text/html": page, "text/plain": "\n".join([label, *words])})


def _filled(name: str, **values: object) -> str:
    text = Path(__file__).with_name(name).read_text("utf-8")
    return Template(text).substitute(values).rstrip("\n")


def _places(image: np.ndarray, kernel: np.ndarray) -> list[dict]:
    height, width = kernel.shape
    places = []
    for row in range(image.shape[0] - height + 1):
        for column in range(image.shape[1] - width + 1):
            window = image[row : row + height, column : column + width]
            sums = [
                " + ".join(f"{a}·{_signed(w)}" for a, w in zip(*pair, strict=True))
                for pair in zip(window, kernel, strict=True)
            ]
            products = (window * kernel).ravel()
            words = f"Row {row}, column {column}: {' + '.join(sums)} = {products.sum()}"
            places.append({"row": row, "column": column, "products": products, "words": words})
    return places


def _signed(value: int) -> str:
    return f"({value})" if value < 0 else str(value)


def _svg(image: np.ndarray, kernel: np.ndarray, places: list[dict], label: str) -> str:
    products = places[0]["products"].reshape(kernel.shape)
    side = places[-1]["row"] + 1, places[-1]["column"] + 1
    sums = np.reshape([place["products"].sum() for place in places], side)
    grids = {"image": image, "kernel": kernel, "image × kernel": products, "map": sums}
    left, drawn = 2, []
    for name, values in grids.items():
        drawn.append(_svg_grid(name, np.asarray(values), left))
        left += np.shape(values)[1] * CELL + GAP
    height, width = kernel.shape
    frame = (
        f'<rect class="frame" x="2" y="2" width="{width * CELL}" height="{height * CELL}" '
        f'fill="none" stroke="{BLUE}" stroke-width="4"/>'
    )
    tall = max(np.shape(values)[0] for values in grids.values()) * CELL + 26
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {left} {tall}" '
        f'style="width:100%;max-width:{left}px;font:15px sans-serif">{"".join(drawn)}{frame}</svg>'
    )


def _svg_grid(name: str, values: np.ndarray, left: int) -> str:
    cells = []
    for (row, column), value in np.ndenumerate(values):
        x, y = left + column * CELL, 2 + row * CELL
        grey = 255 - (100 * value // max(values.max(), 1) if name == "image" else 0)
        cells.append(
            f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" '
            f'fill="rgb({grey},{grey},{grey})" stroke="#888"/>'
            f'<text x="{x + CELL / 2:g}" y="{y + CELL / 2 + 5:g}" text-anchor="middle" '
            f'fill="#111">{value}</text>'
        )
    x, y = left + values.shape[1] * CELL / 2, len(values) * CELL + 20
    title = f'<text x="{x:g}" y="{y}" text-anchor="middle" fill="#111">{name}</text>'
    return f'<g data-grid="{name}">{"".join(cells)}</g>{title}'
