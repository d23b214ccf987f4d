"""Checkers of notebook 04, and its sliding window that the reader moves."""

import html
import json
from collections.abc import Callable

import numpy as np

from mnist_edu.lesson import UNANSWERED, exercise
from mnist_edu.show import show

CELL, GAP = 34, 26  # pixels of the screen: a cell, and the space between two grids
BLUE = "#0072B2"


def frame_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return (row, column, height, width) of the smallest frame around what is true."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return int(rows[0]), int(columns[0]), int(height), int(width)


# --- The window that the reader moves ------------------------------------------------------------


def stepper(image: np.ndarray, kernel: np.ndarray) -> None:
    """Show a kernel that slides over a small image, moved by buttons, a slider or keys.

    All places stand below it in words too, for those who cannot see it, or whose viewer runs no
    scripts. A script puts the picture in: a viewer that distrusts the notebook removes it whole.
    The page needs nothing from outside.

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
    moving = MOVING.replace("QUIET", QUIET).replace("LAST", str(len(places) - 1))
    moving = json.dumps(moving.replace("SVG", _svg(image, kernel, places, label)))
    moving = moving.replace("</", "<\\/")
    page = PAGE.replace("QUIET", QUIET).replace("LABEL", label).replace("ITEMS", items)
    page = page.replace("SCRIPT", SCRIPT.replace("MOVING", moving))
    show({"text/html": page, "text/plain": "\n".join([label, *words])})


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


# QUIET keeps JupyterLab from taking keys that are meant for a control
QUIET = 'data-lm-suppress-shortcuts="true"'
PAGE = """<div class="mnist-edu-stepper" role="group" aria-label="LABEL"
 style="background:#fff;color:#111;padding:8px;max-width:640px;text-align:left">
<p class="says" aria-live="polite" style="min-height:3em;margin:6px 0">
Run this cell, and the window can be moved here.</p>
<details><summary QUIET>All places in words</summary><ol>ITEMS</ol></details>
<script>SCRIPT</script>
</div>"""

MOVING = """SVG
<div style="margin:6px 0">
<button QUIET type="button" class="back">◀ Back</button>
<button QUIET type="button" class="on">On ▶</button>
<button QUIET type="button" class="play">Play</button>
<input QUIET type="range" min="0" max="LAST" value="0" step="1" aria-label="place of the window"
 style="width:220px;vertical-align:middle">
</div>"""

SCRIPT = """
for (const box of document.querySelectorAll(".mnist-edu-stepper:not([data-ready])")) {
  box.dataset.ready = "yes";
  box.insertAdjacentHTML("afterbegin", MOVING);
  const find = (name) => box.querySelector(name);
  const places = [...box.querySelectorAll("li")];
  const slider = find("input"), frame = find(".frame"), play = find(".play");
  const products = find('[data-grid="image × kernel"]').querySelectorAll("text");
  const map = find('[data-grid="map"]');
  const sums = map.querySelectorAll("text"), cells = map.querySelectorAll("rect");
  const cell = Number(cells[0].getAttribute("width"));
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  const go = (to) => {
    const at = Math.max(0, Math.min(places.length - 1, to));
    const [row, column] = places[at].dataset.at.split(" ").map(Number);
    frame.setAttribute("x", 2 + column * cell);
    frame.setAttribute("y", 2 + row * cell);
    places[at].dataset.products.split(" ").forEach((p, i) => { products[i].textContent = p; });
    sums.forEach((text, i) => { text.style.visibility = i > at ? "hidden" : "visible"; });
    cells.forEach((rect, i) => { rect.setAttribute("fill", i === at ? "#cfe6f5" : "#fff"); });
    find(".says").textContent = places[at].textContent;
    slider.value = at;
    if (at === places.length - 1) stop();
  };
  const step = (by) => { go(Number(slider.value) + by); };
  find(".back").onclick = () => { stop(); step(-1); };
  find(".on").onclick = () => { stop(); step(1); };
  slider.oninput = () => { stop(); step(0); };
  play.onclick = () => {
    if (timer) { stop(); return; }
    if (Number(slider.value) === places.length - 1) go(0);
    play.textContent = "Stop";
    timer = setInterval(() => { if (box.isConnected) step(1); else stop(); }, 1200);
  };
  go(0);
}
"""


# --- Checkers ------------------------------------------------------------------------------------


@exercise
def one_place(answer: float) -> str | None:
    """Check one number of a map: 3·1 + 1·2 + 0·0 + 2·(-1)."""
    mistakes = {
        -1: "you flipped the kernel. That is the convolution of the books. Asked is the sliding "
        "window as it is.",
        0.75: "you divided by the four pixels of the window. Nothing is divided.",
        4: "this is row 0, column 1. Rows come first.",
        6: "this is the sum of the window. Multiply each pixel by its weight first.",
        7: "mind the sign of the last weight.",
        5: "you left out the last product, 2·(-1).",
    }
    return None if answer == 3 else mistakes.get(answer, f"it is not {answer}. Write four products")


@exercise
def output_side(function: Callable[[int, int, int, int], int]) -> str | None:
    """Check the side of a map, from width, kernel, stride and padding."""
    plain = function(28, 5, 1, 0)
    if plain is None or plain is ...:
        return UNANSWERED
    if plain == 23:
        return "28 and 5 should give 24: count the first place too."
    pooled, padded, half = function(28, 2, 2, 0), function(28, 5, 1, 2), function(28, 5, 2, 0)
    if pooled == 13:
        return "add the 1 after dividing by the stride, not before."
    if pooled == 27:
        return "the stride is left out: 28, 2, stride 2 should give 14."
    mistakes = {24: "the padding is left out", 26: "padding is added on both sides"}
    if padded != 28:
        return f"{mistakes.get(padded, 'look at the padding')}: 28, 5, padding 2 should give 28."
    mistakes = {12.5: "there is no half place. Use //.", 13: "a half place is dropped, not added."}
    if half != 12:
        return mistakes.get(half, f"28, 5, stride 2 should give 12, not {half}.")
    found = (plain, pooled, function(11, 3, 3, 1), function(7, 2, 2, 0))
    return None if found == (24, 14, 4, 3) else f"expected 24, 14, 4 and 3, got {found}."


@exercise
def mean_pool(function: Callable[[np.ndarray, int], np.ndarray]) -> str | None:
    """Check mean pooling with blocks of any side."""
    values = np.random.default_rng(4).integers(-9, 10, (6, 8)).astype(float)
    result = function(values.copy(), 2)
    if result is None or result is ...:
        return UNANSWERED
    if np.shape(result) != (3, 4):
        return f"6 x 8 values in blocks of 2 give a shape of (3, 4), not {np.shape(result)}."
    expected = _blocks(values, 2).mean(axis=(1, 3))
    mistakes = [
        (_blocks(values, 2).max(axis=(1, 3)), "this is the largest of each block. Take the mean."),
        (_blocks(values, 2).sum(axis=(1, 3)), "this is the sum of each block. Divide it."),
        (expected * 2, "you divided by the side. A block has side times side values."),
        (values[::2, ::2], "you took one value of each block. Take the mean of all of them."),
    ]
    problem = _named(result, expected, mistakes)
    if problem:
        return problem
    wide = np.asarray(function(values[:, :7].copy(), 3))
    if wide.shape == (3, 3):
        return "blocks of 2 work, blocks of 3 do not: use the side that is given."
    if wide.shape != (2, 2):
        return f"6 x 7 values in blocks of 3 give (2, 2): column 6 is dropped. Yours: {wide.shape}."
    return _named(wide, _blocks(values[:, :6], 3).mean(axis=(1, 3)), [])


@exercise
def convolve(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str | None:
    """Check a true convolution without padding, on an image and a kernel that are not square."""
    generator = np.random.default_rng(4)
    image = generator.integers(-9, 10, (5, 6)).astype(float)
    kernel = generator.integers(-9, 10, (3, 2)).astype(float)
    result = function(image.copy(), kernel.copy())
    if result is None or result is ...:
        return UNANSWERED
    if np.shape(result) != (3, 5):
        return f"5 x 6 pixels and a kernel of 3 x 2 give a map of (3, 5), not {np.shape(result)}."
    expected = _correlate(image, kernel[::-1, ::-1])
    mistakes = [
        (_correlate(image, kernel), "this is the correlation. Flip the kernel first."),
        (_correlate(image, kernel[::-1]), "you flipped the rows. Flip the columns too."),
        (_correlate(image, kernel[:, ::-1]), "you flipped the columns. Flip the rows too."),
        (expected / kernel.size, "you divided by the size of the kernel. Nothing is divided."),
        (expected[::-1, ::-1], "you flipped the map, or the image. Flip the kernel."),
        (_correlate(image[::-1, ::-1], kernel), "you flipped the image. Flip the kernel."),
    ]
    return _named(result, expected, mistakes)


def _named(result: np.ndarray, expected: np.ndarray, mistakes: list) -> str | None:
    """Return the sentence of the mistake that was made, or where the first wrong number is."""
    for wrong, sentence in mistakes:
        if np.allclose(result, wrong):
            return sentence
    right = np.isclose(result, expected)
    if right.all():
        return None
    row, column = (int(i) for i in np.argwhere(~right)[0])
    value, wanted = np.asarray(result)[row, column], expected[row, column]
    return f"row {row}, column {column} should be {wanted:.4g}, not {value:.4g}."


def _blocks(values: np.ndarray, side: int) -> np.ndarray:
    rows, columns = (size // side for size in values.shape)
    return values.reshape(rows, side, columns, side)


def _correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("mnjk,jk->mn", windows, kernel)
