"""Drawings of ideas: networks, one unit, one filter, dropout, a graph of numbers, steps downhill.

Every function returns a :class:`mnist_edu.plots.Picture` whose ``description`` is written from what
was given. Boxes and arrows are laid out in inches, so that each arrow ends at its box.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.patches import Circle, Rectangle

from mnist_edu.palette import BLUE, ORANGE, SKY
from mnist_edu.plots import ARROW, WIDTH, Picture, _finish, _plain, _styles

MOST_UNITS, MOST_MAPS = 10, 4  # of a larger layer, this many are drawn
MIDDLE = 1.55  # of the layers of a network, in inches from below
FAINT: dict[str, Any] = {"color": "0.7", "linewidth": 0.5, "zorder": 1}
SHEET: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.2", "linewidth": 0.9, "zorder": 2}
WINDOW: dict[str, Any] = {"facecolor": SKY, "edgecolor": BLUE, "alpha": 0.7, "zorder": 3}
BOX_HEIGHT, ROW = 0.28, 0.6


# --- A network -----------------------------------------------------------------------------------


class Layer(NamedTuple):
    """What a layer makes of what comes in, and how many numbers it learns for that."""

    name: str  # such as "dense"; a line break is kept
    shape: tuple[int, ...]  # (units,), or (height, width, maps)
    parameters: int = 0
    activation: str = ""
    window: tuple[int, ...] = ()  # (height, width) of what slides over the maps


KINDS = {
    "Dense": "dense",
    "Conv2D": "conv",
    "MaxPooling2D": "max-pool",
    "AveragePooling2D": "mean-pool",
    "GlobalAveragePooling2D": "global\nmean",
    "BatchNormalization": "batch\nnorm",
}
ACTIVATIONS = {"relu": "ReLU", "linear": ""}


def network(layers: Any, activations: Sequence[str] = (), source: str = "") -> Picture:
    """Draw layers from left to right, with what each makes and how many numbers it learns.

    Parameters
    ----------
    layers : a Keras model that is built; or a list that begins with the shape of the input and goes
        on with the sizes of dense layers, such as ``[784, 128, 10]``, or with :class:`Layer`
    activations : where ``layers`` is a list, a name for each of its dense layers

    Raises
    ------
    ValueError
        If there is no layer after the input, or the model's shapes are not known yet.
    """
    stack = _from_keras(layers) if hasattr(layers, "layers") else _from_list(layers, activations)
    if len(stack) < 2:
        raise ValueError("a network needs an input and at least one layer")
    picture = Picture(height=3.1)
    picture.colours = 32  # hundreds of grey lines
    axes = _sheet(picture)
    step = (WIDTH - 0.2) / len(stack)
    largest = max((max(layer.shape[:2]) for layer in stack if len(layer.shape) == 3), default=1)
    scale = min(0.6 * step, 1) / largest  # inches per pixel
    before = None
    for i, layer in enumerate(stack):
        x = 0.1 + step * (i + 0.5)
        drawn = _draw_layer(axes, x, layer, scale, is_input=i == 0)
        if before:
            _connect(axes, before, drawn, layer, scale)
        _name_layer(axes, x, layer, is_input=i == 0)
        before = drawn
    total = sum(layer.parameters for layer in stack)
    axes.text(WIDTH / 2, 0.1, f"{total:,} parameters in all", ha="center", va="baseline", size=9)
    return _finish(picture, source, _network_sentence(stack, total))


def _from_list(layers: Sequence, activations: Sequence[str]) -> list[Layer]:
    first, *others = layers if len(layers) else [()]
    stack, names = [Layer("input", _shape(first))], iter(activations)
    for layer in others:
        if not isinstance(layer, Layer):
            inputs, units = int(np.prod(stack[-1].shape)), _shape(layer)[0]
            layer = Layer("dense", (units,), (inputs + 1) * units, next(names, ""))
        stack.append(layer)
    return stack


def _shape(size: Any) -> tuple[int, ...]:
    return tuple(map(int, np.ravel(size)))


def _from_keras(model: Any) -> list[Layer]:
    """Read a Keras model by its attributes; Keras itself is not needed."""
    if not getattr(model, "built", True):
        raise ValueError("the model has no shapes yet: begin it with keras.Input(shape)")
    stack = [Layer("input", tuple(model.input_shape[1:]))]
    for layer in model.layers:
        kind = type(layer).__name__
        function = getattr(getattr(layer, "activation", None), "__name__", "")
        if kind in ("Activation", "ReLU", "Softmax"):
            name = function or kind.lower()
            stack[-1] = stack[-1]._replace(activation=ACTIVATIONS.get(name, name))
        elif kind != "InputLayer":
            window: Any = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", ())
            shape, learned = tuple(layer.output.shape[1:]), layer.count_params()
            name = ACTIVATIONS.get(function, function)
            stack.append(Layer(_kind(layer), shape, learned, name, tuple(window)))
    return stack


def _kind(layer: Any) -> str:
    kind = type(layer).__name__
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
    rate = f"\n{layer.rate:g}" if hasattr(layer, "rate") else ""
    return KINDS.get(kind, words) + rate


class _Drawn(NamedTuple):
    """Where a layer is: the middles of its units, or the corner and the size of its front map."""

    units: list[tuple[float, float]]
    front: tuple[float, float, float, float] | None = None


def _draw_layer(axes, x: float, layer: Layer, scale: float, is_input: bool) -> _Drawn:
    if len(layer.shape) == 3:
        return _draw_maps(axes, x, layer.shape, scale)
    count = int(np.prod(layer.shape))
    slots = min(count, MOST_UNITS)
    gap = min(0.5, 1.6 / slots)
    heights = [MIDDLE + gap * ((slots - 1) / 2 - i) for i in range(slots)]
    if count > slots:  # the middle is left out: three dots stand for it
        for place in (-0.35, 0, 0.35):
            axes.add_patch(Circle((x, MIDDLE + place * gap), 0.015, color="0.2"))
        heights = [*heights[:4], *heights[-4:]]
    side = min(0.24, 0.65 * gap)
    for y in heights:
        pixel = Rectangle((x - side / 2, y - side / 2), side, side, **SHEET)
        axes.add_patch(pixel if is_input else Circle((x, y), side / 2, **SHEET))
    return _Drawn([(x, y) for y in heights])


def _draw_maps(axes, x: float, shape: tuple[int, ...], scale: float) -> _Drawn:
    height, width = (max(size * scale, 0.06) for size in shape[:2])
    sheets = min(shape[2], MOST_MAPS)
    left, low = x - width / 2 - 0.02 * sheets, MIDDLE - height / 2 + 0.02 * sheets
    for i in range(sheets):
        axes.add_patch(Rectangle((left + 0.04 * i, low - 0.04 * i), width, height, **SHEET))
    front = (left + 0.04 * (sheets - 1), low - 0.04 * (sheets - 1), width, height)
    right = front[0] + width
    return _Drawn([(right, front[1] + height), (right, front[1])], front)


def _connect(axes, before: _Drawn, after: _Drawn, layer: Layer, scale: float) -> None:
    if after.front and before.front:
        _draw_window(axes, before.front, after.front, layer.window, scale)
        return
    pairs: Iterable[tuple] = itertools.product(before.units, after.units)
    if before.front:  # from the edges of the map to the first and the last unit
        pairs = zip(before.units, (after.units[0], after.units[-1]), strict=True)
    elif not layer.name.startswith("dense") and len(before.units) == len(after.units):
        pairs = zip(before.units, after.units, strict=True)
    for one, other in pairs:
        axes.plot(*zip(one, other, strict=True), **FAINT)


def _draw_window(axes, before, after, window: tuple[int, ...], scale: float) -> None:
    """Draw the window on one map, and lines from it to the number that it makes in the next."""
    left, low, width, height = before
    high, wide = np.minimum(scale * np.array(window or (np.inf, np.inf)), (height, width))
    x, y = left + 0.55 * (width - wide), low + 0.7 * (height - high)
    axes.add_patch(Rectangle((x, y), wide, high, **WINDOW))
    target = (after[0] + 0.55 * after[2], after[1] + 0.7 * after[3])
    for corner in (y, y + high):
        axes.plot((x + wide, target[0]), (corner, target[1]), color=BLUE, linewidth=0.7, zorder=4)


def _name_layer(axes, x: float, layer: Layer, is_input: bool) -> None:
    lines = [*layer.name.split("\n"), " × ".join(map(str, layer.window)), layer.activation]
    for i, line in enumerate(filter(None, lines)):
        axes.text(x, 2.92 - 0.15 * i, line, ha="center", va="baseline", size=8.5)
    learned = "parameters:" if is_input else f"{layer.parameters:,}"
    for y, line in ((0.52, "×".join(f"{n:,}" for n in layer.shape)), (0.34, learned)):
        axes.text(x, y, line, ha="center", va="baseline", size=8.5)


def _network_sentence(stack: list[Layer], total: int) -> str:
    told = []
    for layer in stack[1:]:
        lines = [layer.name.replace("\n", " "), " x ".join(map(str, layer.window))]
        name = " ".join(filter(None, lines))
        name += f" with {layer.activation}" if layer.activation else ""
        size = " x ".join(f"{n:,}" for n in layer.shape)
        told.append(f"{name}: {size}, {layer.parameters:,} parameters")
    start = " x ".join(f"{n:,}" for n in stack[0].shape)
    return f"A network with {total:,} parameters. Input: {start}; {'; '.join(told)}."


# --- One unit ------------------------------------------------------------------------------------


def neuron(
    inputs: Sequence[float],
    weights: Sequence[float],
    bias: float,
    activation: Callable[[float], float],
    source: str = "",
) -> Picture:
    """Draw one unit at work: inputs in 0..1 times weights, the sum, and what becomes of it."""
    if len(inputs) != len(weights):
        raise ValueError(f"{len(inputs)} inputs, but {len(weights)} weights")
    total = float(np.dot(inputs, weights) + bias)
    out, name = float(activation(total)), activation.__name__
    name = ACTIVATIONS.get(name, name)
    picture = Picture(height=0.5 * len(inputs) + 0.5)
    axes = _sheet(picture)
    middle, unit = 0.25 * len(inputs) + 0.4, 3.0
    for i, (value, weight) in enumerate(zip(inputs, weights, strict=True)):
        y = middle + 0.5 * ((len(inputs) - 1) / 2 - i)
        grey = str(1 - min(max(value, 0), 1))
        axes.add_patch(Rectangle((1.1, y - 0.15), 0.3, 0.3, facecolor=grey, edgecolor="0.2"))
        axes.text(1.0, y, f"x{_low(i)} = {_short(value)}", ha="right", va="center", size=10)
        away = np.array([unit - 1.4, middle - y])
        edge = np.array([unit, middle]) - 0.36 * away / np.hypot(*away)
        _arrow(axes, (1.4, y), edge)
        x, y = np.array([1.4, y]) + 0.4 * away
        _number(axes, x, y, f"× {_short(weight)}")
    axes.add_patch(Circle((unit, middle), 0.36, facecolor="white", edgecolor="0.2"))
    axes.text(unit, middle, f"sum\n{_short(total)}", ha="center", va="center", size=10)
    axes.text(unit, middle - 0.9, f"bias {_short(bias)}", ha="center", va="center", size=10)
    _arrow(axes, (unit, middle - 0.78), (unit, middle - 0.36))
    half = _box(axes, 4.4, middle, name)
    _arrow(axes, (unit + 0.36, middle), (4.4 - half, middle))
    _arrow(axes, (4.4 + half, middle), (5.5, middle))
    axes.text(5.6, middle, _short(out), ha="left", va="center", size=12, weight="bold")
    products = " + ".join(
        f"{_short(x)} × {_bracketed(w)}" for x, w in zip(inputs, weights, strict=True)
    )
    sentence = f"{products} + bias {_bracketed(bias)} = {_short(total)}; {name} makes {_short(out)}"
    return _finish(picture, source, f"A unit with {len(inputs)} inputs: {sentence} of it.")


def filled_network(
    outputs: Sequence[np.ndarray],
    blames: Sequence[np.ndarray | None],
    weights: Sequence[np.ndarray],
    gradients: Sequence[np.ndarray],
    source: str = "",
) -> Picture:
    """Draw a small dense network at work on one image, with all its numbers and their gradients.

    Parameters
    ----------
    outputs : for each layer, the input first, what its units put out, as many numbers as units
    blames : for each layer the gradients of its outputs, or None to leave them out
    weights, gradients : for each layer after the input, (inputs, units)
    """
    rows = [np.ravel(values) for values in outputs]
    for i, matrix in enumerate(weights):
        if np.shape(matrix) != (len(rows[i]), len(rows[i + 1])):
            shape = f"({len(rows[i])}, {len(rows[i + 1])})"
            raise ValueError(f"the weights of layer {i + 1} must be {shape}, not {matrix.shape}")
    picture = Picture(height=0.95 * max(map(len, rows)) + 0.2)
    axes = _sheet(picture)
    step, middle = (WIDTH - 1) / (len(rows) - 1), picture.get_figheight() / 2
    places = [
        [(0.5 + step * i, middle + 0.95 * ((len(row) - 1) / 2 - k)) for k in range(len(row))]
        for i, row in enumerate(rows)
    ]
    for before, after, *numbers in zip(places, places[1:], weights, gradients, strict=False):
        _draw_weights(axes, before, after, *numbers)
    for i, (row, blame) in enumerate(zip(rows, blames, strict=True)):
        for k, (x, y) in enumerate(places[i]):
            unit = Rectangle((x - 0.2, y - 0.2), 0.4, 0.4, **SHEET)
            axes.add_patch(Circle((x, y), 0.23, **SHEET) if i else unit)
            axes.text(x, y, _short(row[k]), ha="center", va="center", size=10)
            if blame is not None:
                _number(axes, x, y - 0.34, _short(np.ravel(blame)[k]), ORANGE, style="italic")
    return _finish(picture, source, _filled_sentence(rows, blames, weights, gradients))


def _draw_weights(axes, before: list, after: list, weights: np.ndarray, gradients) -> None:
    """Draw a line for each weight, with its numbers at places where they do not meet."""
    for i, start in enumerate(before):
        for k, end in enumerate(after):
            axes.plot(*zip(start, end, strict=True), **FAINT)
            along = 0.25 + 0.5 * (k + 0.5) / len(after)
            x, y = np.array(start) + along * np.subtract(end, start)
            _number(axes, x, y + 0.08, _short(weights[i, k]), BLUE)
            _number(axes, x, y - 0.08, _short(gradients[i, k]), ORANGE, style="italic")


def _filled_sentence(rows, blames, weights, gradients) -> str:
    told = []
    for i, (row, blame) in enumerate(zip(rows, blames, strict=True)):
        blamed = "" if blame is None else f", blame {_listed(blame)}"
        told.append(f"{f'layer {i}' if i else 'input'}: {_listed(row)}{blamed}")
    for i, numbers in enumerate(zip(weights, gradients, strict=True)):
        one, other = (" / ".join(map(_listed, matrix)) for matrix in numbers)
        told.append(f"weights to layer {i + 1}: {one}, their gradients: {other}")
    return f"A network with all its numbers. {'; '.join(told)}."


def _listed(values: np.ndarray) -> str:
    return " ".join(map(_short, np.ravel(values)))


# --- One filter of a convolution, and dropout ----------------------------------------------------


def one_filter(
    maps: int, side: int, filters: int, window: tuple[int, int] = (5, 5), source: str = ""
) -> Picture:
    """Draw how one filter of a convolution makes one number from a place in many maps.

    Parameters
    ----------
    maps, side : how many maps come in, two at least, and how many numbers high and wide each is
    filters : how many filters the layer has; each of them makes a map of the same size
    window : height and width of what a filter sees of each map
    """
    if maps < 2:
        raise ValueError(f"there is nothing to add up over {maps} map")
    rows = [*range(1, min(maps, 4)), maps]
    picture = Picture(height=0.85 * len(rows) + 0.3)
    axes, middle = _sheet(picture), 0.425 * len(rows) + 0.25
    scale, size = 0.56 / side, f"{window[0]} × {window[1]} weights"
    for i, number in enumerate(rows):
        y = middle + 0.85 * ((len(rows) - 1) / 2 - i)
        axes.add_patch(Rectangle((0.75, y - 0.28), 0.56, 0.56, **SHEET))
        high, wide = (scale * n for n in window)
        axes.add_patch(Rectangle((0.98, y - 0.02), wide, high, **WINDOW))
        axes.text(0.68, y, f"map {number}", ha="right", va="center", size=9)
        axes.text(1.55, y, "×", ha="center", va="center", size=12)
        half = _box(axes, 2.4, y, size)
        _arrow(axes, (2.4 + half, y), (3.72, middle + 0.04 * (len(rows) / 2 - i - 0.5)))
    if maps > len(rows):
        for k in (-1, 0, 1):
            y = middle - 0.85 * (len(rows) / 2 - 1) + 0.06 * k
            axes.add_patch(Circle((1.03, y), 0.013, color="0.2"))
    half = _box(axes, 4.2, middle, "sum + bias")
    _draw_result(axes, (4.2 + half, middle), filters, side, scale)
    each = window[0] * window[1]
    sentence = (
        f"One filter over {maps} maps of {side} x {side}: a window of {size} on each map, the same "
        f"place in all. {maps} x {each} = {maps * each:,} products and a bias make one number of "
        f"one map. {filters} such filters make {filters} maps."
    ).replace("×", "x")
    return _finish(picture, source, sentence)


def _draw_result(axes, start: Sequence[float], filters: int, side: int, scale: float) -> None:
    """Draw the number that comes out, in the first of the maps that a convolution makes."""
    x, middle = start
    for k in (3, 2, 1, 0):
        left, low = 5.35 + 0.05 * k, middle - 0.28 + 0.05 * k
        axes.add_patch(Rectangle((left, low), 0.56, 0.56, **SHEET))
    pixel = max(scale, 0.05)
    place = (5.35 + 0.23 + 2 * scale, middle - 0.02 + 2 * scale)
    axes.add_patch(Rectangle(place, pixel, pixel, facecolor=BLUE, edgecolor=BLUE, zorder=4))
    _arrow(axes, start, (place[0], place[1] + pixel / 2))
    axes.text(5.7, middle - 0.42, f"{filters} maps,", ha="center", va="top", size=9)
    axes.text(5.7, middle - 0.58, "one per filter", ha="center", va="top", size=9)


def dropout(kept: Mapping[str, Sequence[bool]], rate: float = 0.5, source: str = "") -> Picture:
    """Draw a small network several times, with the hidden units that dropout keeps each time.

    Parameters
    ----------
    kept : from a name, such as "step 1", to whether each hidden unit stays
    rate : the fraction that is dropped on average: units that stay count 1 / (1 - rate) times
    """
    picture = Picture(height=2.5)
    axes, told = _sheet(picture), []
    step = WIDTH / len(kept)
    for i, (name, stays) in enumerate(kept.items()):
        x, all_stay = step * (i + 0.5), all(stays)
        _draw_dropped(axes, x, 0.33 * step, stays)
        times = "1" if all_stay else f"{1 / (1 - rate):.3g}"
        axes.text(x, 2.3, name, ha="center", va="center", size=9)
        axes.text(x, 0.15, f"hidden units × {times}", ha="center", va="center", size=8.5)
        gone = [str(k) for k, stay in enumerate(stays, 1) if not stay]
        lost = f"without hidden units {', '.join(gone)}" if gone else "with all hidden units"
        told.append(f"{name}: {lost}, outputs times {times}")
    return _finish(picture, source, f"Dropout in a small network. {'; '.join(told)}.")


def _draw_dropped(axes, x: float, away: float, stays: Sequence[bool]) -> None:
    """Draw inputs, hidden units and outputs; a unit that is dropped has no lines, and a cross."""
    middle, count = 1.25, len(stays)
    hidden = [(x, middle + 0.32 * ((count - 1) / 2 - k)) for k in range(count)]
    ends = [
        [(x + side, middle + 0.4 * (k - (n - 1) / 2)) for k in range(n)]
        for side, n in ((-away, 4), (away, 3))
    ]
    for place, stay in zip(hidden, stays, strict=True):
        for end in itertools.chain(*ends) if stay else ():
            axes.plot(*zip(place, end, strict=True), **FAINT | {"color": "0.45"})
        line = {} if stay else {"edgecolor": ORANGE, "linestyle": "--"}
        axes.add_patch(Circle(place, 0.11, **SHEET | line))
        for lean in () if stay else (-1, 1):
            cross = [np.add(place, (sign * 0.07, sign * lean * 0.07)) for sign in (-1, 1)]
            axes.plot(*zip(*cross, strict=True), color=ORANGE, linewidth=1.4, zorder=3)
    for x, y in ends[0]:
        axes.add_patch(Rectangle((x - 0.08, y - 0.08), 0.16, 0.16, **SHEET))
    for place in ends[1]:
        axes.add_patch(Circle(place, 0.09, **SHEET))


# --- A graph of numbers --------------------------------------------------------------------------


def computation(edges: Sequence[tuple], source: str = "") -> Picture:
    """Draw a computation from left to right: values above its arrows, gradients below them.

    Parameters
    ----------
    edges : (from, to, value) or (from, to, value, gradient), without a cycle; the gradient is that
        of the last number with respect to this one, as far as it comes along this arrow
    """
    if not edges:
        raise ValueError("a computation needs at least one edge")
    pairs = [edge[:2] for edge in edges]
    columns, rows = _columns(pairs), _rows(pairs)
    height = ROW * (max(rows.values()) + 1) + 0.3
    picture = Picture(height=height)
    axes = _sheet(picture)
    step = (WIDTH - 0.2) / (max(columns.values()) + 1)
    places, halves = {}, {}
    for name in rows:
        x = WIDTH - 0.1 - step * (columns[name] + 0.5)
        places[name] = x, height - 0.3 - ROW * rows[name]
        halves[name] = _box(axes, *places[name], name)
    for start, end, *numbers in edges:
        (x0, y0), (x1, y1) = places[start], places[end]
        slide = float(np.clip((y0 - y1) / 4, -0.09, 0.09))  # arrows that arrive do not hide others
        ends = np.array([[x0 + halves[start], y0], [x1 - halves[end], y1 + slide]])
        _arrow(axes, *ends)
        _number_arrow(axes, ends, numbers)
    given = any(len(edge) > 3 for edge in edges)
    key = "above an arrow: value" + (" · below: gradient" if given else "")
    axes.text(0.1, 0.12, key, ha="left", va="center", size=8, color="0.35")
    return _finish(picture, source, _computation_sentence(edges))


def _columns(pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return for each name how many steps it is away from the end, on the longest way."""
    away = {name: 0 for pair in pairs for name in pair}
    for _ in away:
        for start, end in pairs:
            away[start] = max(away[start], away[end] + 1)
    return away


def _rows(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Return for each name its height: each start has a row, all else is amid what it needs."""
    found, counter = dict[str, list[int]](), itertools.count()

    def walk(name: str) -> list[int]:
        needed = [start for start, end in pairs if end == name]
        rows = [row for start in needed for row in walk(start)] or [next(counter)]
        found.setdefault(name, []).extend(rows)
        return rows

    starts = {start for start, _ in pairs}
    for _, end in pairs:
        if end not in starts and end not in found:
            walk(end)
    return {name: sum(rows) / len(rows) for name, rows in found.items()}


def _number_arrow(axes, ends: np.ndarray, numbers: Sequence[float]) -> None:
    x, y = ends[0] + 0.42 * (ends[1] - ends[0])  # nearer to the start, where arrows lie apart
    _number(axes, x, y + 0.12, _short(numbers[0]), BLUE)
    if len(numbers) > 1:
        _number(axes, x, y - 0.12, _short(numbers[1]), ORANGE, style="italic")


def _computation_sentence(edges: Sequence[tuple]) -> str:
    told = []
    for start, end, value, *gradient in edges:
        blame = f", gradient {_short(gradient[0])}" if gradient else ""
        told.append(f"{start} to {end}: value {_short(value)}{blame}")
    return f"A computation of {len(edges)} arrows. {'; '.join(told)}."


# --- Curves --------------------------------------------------------------------------------------


def activation_curves(
    z: np.ndarray,
    values: Mapping[str, np.ndarray],
    slopes: Mapping[str, np.ndarray],
    source: str = "",
) -> Picture:
    """Show named activations over their input (n,), and beside them how steep they are."""
    picture = Picture(height=2.8)
    panels = picture.subplots(1, 2)
    every = max(1, len(z) // 8)
    for axes, lines, label in zip(panels, (values, slopes), ("output", "slope"), strict=True):
        for style, (name, line) in zip(_styles(lines), lines.items(), strict=True):
            axes.plot(z, line, label=name, markevery=every, markersize=4, **style)
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.set(xlabel="input", ylabel=label)
        _plain(axes)
    panels[0].set_ylim(-1.2, 3.2)
    panels[0].legend(fontsize=8)
    told = [
        f"{name}: from {_short(line[0])} at {_short(z[0])} to {_short(line[-1])} at "
        f"{_short(z[-1])}, slope from {_short(min(slopes[name]))} to {_short(max(slopes[name]))}"
        for name, line in values.items()
    ]
    return _finish(picture, source, f"Activations and their slopes. {'; '.join(told)}.")


def marked_curve(
    function: Callable[[np.ndarray], np.ndarray],
    marks: Sequence[float],
    x_label: str = "",
    y_label: str = "",
    source: str = "",
) -> Picture:
    """Show a function between the smallest and the largest of some places, marked with values."""
    places = np.sort(np.asarray(marks, float))
    heights = function(places)
    x = np.linspace(places[0], places[-1], 501)
    picture = Picture(height=2.9)
    axes = picture.subplots()
    axes.plot(x, function(x), color=BLUE)
    axes.plot(places, heights, "o", color=ORANGE, clip_on=False)
    for place, height in zip(places, heights, strict=True):
        text = f"{_short(place)} {ARROW} {height:.2f}"
        axes.annotate(text, (place, height), (8, 5), textcoords="offset points", size=9)
    axes.set(xlabel=x_label, ylabel=y_label, ylim=(0, 1.05 * heights.max()))
    axes.set_xlim(0, places[-1] + 0.12 * np.ptp(places))
    _plain(axes)
    told = "; ".join(f"{_short(x)}: {y:.2f}" for x, y in zip(places, heights, strict=True))
    return _finish(picture, source, f"A curve, {y_label} over {x_label}. {told}.")


def descent(
    loss: Callable[[np.ndarray], np.ndarray],
    paths: Mapping[str, Sequence[float]],
    source: str = "",
) -> Picture:
    """Show the loss over one weight, and for each named path the weights that it came through."""
    everywhere = np.concatenate([np.asarray(path, float) for path in paths.values()])
    grid = np.linspace(everywhere.min(), everywhere.max(), 1001)
    best = grid[np.argmin(loss(grid))]
    picture = Picture(height=2.7)
    cells = picture.subplots(1, len(paths), squeeze=False)[0]
    told = []
    for axes, (name, path) in zip(cells, paths.items(), strict=True):
        steps = np.asarray(path, float)
        heights = loss(steps)
        reach = 1.2 * np.abs(steps - best).max()
        w = np.linspace(best - reach, best + reach, 201)
        axes.plot(w, loss(w), color="0.6", linewidth=1.2)
        axes.plot(steps, heights, color=ORANGE, marker="o", markersize=5, linewidth=1)
        _number_steps(axes, steps, heights, reach)
        axes.set(xlabel=f"weight ({name})", ylim=(-0.05 * max(loss(w)), 1.1 * max(loss(w))))
        _plain(axes)
        ways = ", ".join(map(_short, steps))
        told.append(f"{name}: weight {ways}, loss {_short(heights[0])} to {_short(heights[-1])}.")
    cells[0].set_ylabel("loss")
    return _finish(picture, source, " ".join(told))


def _number_steps(axes, steps: np.ndarray, heights: np.ndarray, reach: float) -> None:
    """Write 0, 1, 2, ... outside the curve; of steps at nearly the same place, the first."""
    places = np.column_stack([steps / reach, heights / heights.max()])
    middle, style = np.mean(axes.get_xlim()), {"size": 9, "color": ORANGE, "weight": "bold"}
    seen = np.empty((0, 2))
    for number, place in enumerate(places):
        if (np.hypot(*(seen - place).T) > 0.15).all():
            side = "right" if steps[number] < middle else "left"
            axes.text(steps[number], heights[number], f" {number} ", ha=side, va="center", **style)
            seen = np.vstack([seen, place])


# --- A ring of workers ----------------------------------------------------------------------------


def ring(states: Sequence[np.ndarray], source: str = "") -> Picture:
    """Draw the pieces of workers in a ring, turn by turn: what moved, and where it is complete.

    Parameters
    ----------
    states : arrays (n, n), a row for each worker and a column for each piece: at the start, and
        after each turn, in which each worker sends one piece to the next, the last to the first.
        A number that changed has a frame and an arrow from the sender; a full sum is grey.

    Raises
    ------
    ValueError
        If there are fewer than two states, or they are not square and of one size.
    """
    steps = [np.asarray(state) for state in states]
    n = len(steps[0]) if steps else 0
    if len(steps) < 2 or any(state.shape != (n, n) for state in steps):
        raise ValueError("a ring needs two states or more, all (n, n)")
    across = min(3, len(steps))
    side = min(0.5, (WIDTH - 1.5) / (n * across))
    wide, high = n * side + 0.3, n * side + 0.4
    lines = -(-len(steps) // across)
    picture = Picture(height=high * lines + 0.1)
    axes = _sheet(picture)
    for i, state in enumerate(steps):
        x, top = 0.85 + i % across * wide, high * (lines - i // across)
        if i % across == 0:
            for row in range(n):
                place = (x - 0.12, top - (row + 0.5) * side)
                axes.text(*place, f"worker {row}", ha="right", va="center", size=9)
        changed = state != steps[i - 1] if i else np.zeros_like(state, bool)
        _draw_pieces(axes, (x, top), side, state, changed, state == steps[0].sum(0))
        name = f"after turn {i}" if i else "start"
        axes.text(x + n * side / 2, top - n * side - 0.16, name, ha="center", va="center", size=9)
    return _finish(picture, source, _ring_sentence(steps))


def _draw_pieces(axes, corner, side: float, state, changed, complete) -> None:
    n, (left, top) = len(state), corner
    for (row, column), value in np.ndenumerate(state):
        x, y = left + column * side, top - (row + 1) * side
        style = SHEET | {"edgecolor": "0.7", "facecolor": "0.87" if complete[row, column] else "w"}
        axes.add_patch(Rectangle((x, y), side, side, **style))
        axes.text(
            x + side / 2, y + side / 2, str(value), ha="center", va="center", size=8, zorder=6
        )
    for row, column in np.argwhere(changed):
        x, y = left + column * side, top - (row + 1) * side
        frame = SHEET | {"facecolor": "none", "edgecolor": BLUE, "linewidth": 2, "zorder": 4}
        axes.add_patch(Rectangle((x, y), side, side, **frame))
        sender = (row - 1) % n
        start, end = (top - (i + 0.5) * side for i in (sender, row))
        inwards = 0.2 * side if end < start else -0.2 * side
        at, bend = (x + 0.88 * side, 0.0) if end < start else (x + 0.14 * side, -0.12)
        arrow = {"arrowstyle": "-|>", "color": ORANGE, "shrinkA": 0, "shrinkB": 0}
        arrow |= {"connectionstyle": f"arc3,rad={bend}", "zorder": 5}
        axes.annotate("", (at, end + inwards), (at, start - inwards), arrowprops=arrow)


def _ring_sentence(steps: list[np.ndarray]) -> str:
    n, told = len(steps[0]), []
    for i, (before, after) in enumerate(itertools.pairwise(steps), 1):
        moves = [
            f"worker {(row - 1) % n} sends {before[(row - 1) % n, column]} to worker {row}, "
            f"which then has {after[row, column]}"
            for row, column in np.argwhere(before != after)
        ]
        told.append(f"Turn {i}: {'; '.join(moves)}.")
    start = " / ".join(" ".join(map(str, row)) for row in steps[0])
    return f"A ring of {n} workers, a row for each. Start: {start}. {' '.join(told)}"


# --- Shared --------------------------------------------------------------------------------------


def _sheet(picture: Picture):
    """Return axes that cover the picture and count in inches."""
    picture.set_layout_engine("none")
    axes = picture.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, picture.get_figwidth()), ylim=(0, picture.get_figheight()))
    return axes


def _arrow(axes, start: Sequence[float], end: Sequence[float]) -> None:
    style = {"arrowstyle": "-|>", "color": "0.35", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", tuple(end), tuple(start), arrowprops=style)


def _box(axes, x: float, y: float, text: str) -> float:
    """Draw a box around a text and return half its width."""
    half = 0.5 * max(0.34, 0.085 * len(text) + 0.12)
    axes.add_patch(Rectangle((x - half, y - BOX_HEIGHT / 2), 2 * half, BOX_HEIGHT, **SHEET))
    axes.text(x, y, text, ha="center", va="center", size=9)
    return half


def _number(axes, x: float, y: float, text: str, color: str = "black", **style) -> None:
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    axes.text(x, y, text, ha="center", va="center", size=9, color=color, bbox=ground, **style)


def _short(value: float) -> str:
    return f"{float(value) + 0:.3g}".replace("-", "−")


def _bracketed(value: float) -> str:
    return f"({_short(value)})" if value < 0 else _short(value)


def _low(i: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(figure)] for figure in str(i + 1))
