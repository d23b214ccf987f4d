"""Pictures of digits, networks and results: one function a picture.

Every function returns a :class:`Picture` and draws nothing else. ``description`` holds a sentence
made from the data, for those who cannot see the picture; a notebook shows it below. ``source``
says where the data is from ("MNIST", "embedded digits"): it stands in the corner.
Colours are those of :mod:`mnist_edu.palette`.
"""

import base64
import html
import io
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from mnist_edu.palette import BLUE, GREEN, ORANGE, PURPLE, SKY
from mnist_edu.show import show

WIDTH = 6.7  # inches: 170 mm, the width of a page
DPI = 110
STYLES = [
    {"color": BLUE, "linestyle": "-", "marker": "o"},
    {"color": ORANGE, "linestyle": "--", "marker": "s"},
    {"color": GREEN, "linestyle": "-.", "marker": "^"},
    {"color": PURPLE, "linestyle": ":", "marker": "D"},
    {"color": "black", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": SKY, "linestyle": (0, (8, 2)), "marker": "P"},
]
OPEN = {"markerfacecolor": "white", "linewidth": 1.0}  # the seventh to the twelfth line
DIGIT_STYLES = (0, 1, 2, 3, 4, 5, 1, 0, 4, 2)  # digits that look alike differ in colour
RIGHT, WRONG = "✓", "✗"
ARROW = "→"


class Picture(Figure):
    """A Matplotlib figure with a ``description``; a notebook shows the two together."""

    colours = 256  # of what is shown
    method = Image.Quantize.MAXCOVERAGE  # how they are chosen

    def __init__(self, height: float, width: float = WIDTH):
        super().__init__(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(self)
        self.description = ""

    def _ipython_display_(self) -> None:
        png = base64.b64encode(self.png()).decode("ascii")
        show({"image/png": png, "text/plain": self.description}, alt=self.description)
        caption = f"<p><small>{html.escape(self.description)}</small></p>"
        show({"text/html": caption, "text/plain": self.description})

    def png(self) -> bytes:
        """Draw with few colours: half the bytes, and no difference that one sees."""
        full, small = io.BytesIO(), io.BytesIO()
        self.savefig(full, format="png")
        how = {"method": self.method, "dither": Image.Dither.NONE}
        few = Image.open(full).convert("RGB").quantize(self.colours, **how)
        few.save(small, format="png", optimize=True)
        return small.getvalue()


# --- Digits --------------------------------------------------------------------------------------


def digits(
    images: np.ndarray,
    labels: Sequence | None = None,
    columns: int = 10,
    source: str = "",
    rows: Sequence[str] = (),
) -> Picture:
    """Show images (n, 28, 28) or (n, 784) in a grid, each with its label below.

    ``rows`` are names of the first rows, written at their left.
    """
    images = _squares(images)
    names = [""] * len(images) if labels is None else [str(label) for label in labels]
    _same_length("images", images, "labels", names)
    picture, cells = _grid(len(images), columns, caption=labels is not None)
    for axes, image, name in zip(cells, images, names, strict=True):
        _draw_digit(axes, image)
        axes.set_xlabel(name, fontsize=9, labelpad=2)
    for axes, name in zip(cells[::columns], rows, strict=False):
        _name_row(axes, name)
    written = " ".join(filter(None, names)).replace("\n", " ")
    told = f", labelled {written}" if written and len(names) <= 30 else ""
    in_rows = f" Rows: {'; '.join(rows)}.".replace("\n", " ") if rows else ""
    return _finish(picture, source, f"{len(images)} digits{told}.{in_rows}")


def predictions(
    images: np.ndarray,
    labels: Sequence,
    predicted: Sequence,
    columns: int = 9,
    source: str = "",
) -> Picture:
    """Show digits with what was predicted: ``✓ 7``, or ``✗ 5→3`` in a thick dashed frame."""
    images, labels, predicted = _squares(images), np.asarray(labels), np.asarray(predicted)
    _same_length("images", images, "labels", labels)
    _same_length("labels", labels, "predictions", predicted)
    picture, cells = _grid(len(images), columns, caption=True)
    for axes, image, label, guess in zip(cells, images, labels, predicted, strict=True):
        _draw_digit(axes, image)
        _mark(axes, label == guess, f"{label}" if label == guess else f"{label}{ARROW}{guess}")
    wrong = [f"{a}{ARROW}{b}" for a, b in zip(labels, predicted, strict=True) if a != b]
    right = len(labels) - len(wrong)
    told = f" Wrong (true{ARROW}predicted): {', '.join(wrong)}." if wrong else ""
    return _finish(picture, source, f"{right} of {len(labels)} digits are read right.{told}")


def errors(
    images: np.ndarray,
    labels: Sequence,
    predicted: Sequence,
    probabilities: np.ndarray | None = None,
    count: int = 9,
    source: str = "",
) -> Picture:
    """Show the first ``count`` wrong digits; with ``probabilities`` (n, 10) the surest ones."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    _same_length("labels", labels, "predictions", predicted)
    wrong = np.flatnonzero(labels != predicted)
    if not len(wrong):
        raise ValueError("there is no error to show: every prediction is right")
    if probabilities is not None:
        sure = np.asarray(probabilities)[wrong, predicted[wrong]]
        wrong = wrong[np.argsort(-sure, kind="stable")]
    shown = wrong[:count]
    picture = predictions(
        np.asarray(images)[shown], labels[shown], predicted[shown], min(count, 9), source
    )
    order = "the first" if probabilities is None else "the surest"
    pairs = ", ".join(f"{labels[i]}{ARROW}{predicted[i]}" for i in shown)
    sentence = (
        f"{len(wrong)} of {len(labels)} digits are read wrong; {order} {len(shown)}: {pairs}."
    )
    picture.description = _with_source(source, sentence)
    return picture


def error_changes(
    images: np.ndarray,
    labels: Sequence,
    before: Sequence,
    after: Sequence,
    columns: int = 8,
    source: str = "",
) -> Picture:
    """Show which errors are fixed, which stayed and which are new: a row each, the first of them.

    ``before`` and ``after`` (n,) are what was predicted. Below a digit stand the truth and the
    wrong answer: for those that are fixed the one before, for all others the one after.
    """
    labels, before, after = np.asarray(labels), np.asarray(before), np.asarray(after)
    for predicted in (before, after):
        _same_length("labels", labels, "predictions", predicted)
    was, still = before != labels, after != labels
    rows = {"fixed": (was & ~still, before), "stayed": (was & still, after)}
    rows |= {"new": (still & ~was, after)}
    picture, cells = _grid(3 * columns, columns, caption=True)
    told = []
    for k, (name, (chosen, answers)) in enumerate(rows.items()):
        found, line = np.flatnonzero(chosen), cells[k * columns : (k + 1) * columns]
        for i, axes in zip(found, line, strict=False):
            _draw_digit(axes, np.asarray(images)[i])
            axes.set_xlabel(f"{labels[i]}{ARROW}{answers[i]}", fontsize=9, labelpad=2)
        for axes in line[len(found) :]:
            axes.spines[:].set_visible(False)
        _name_row(line[0], f"{name}:\n{len(found)}")
        pairs = ", ".join(f"{labels[i]}{ARROW}{answers[i]}" for i in found[:columns])
        told.append(f"{len(found)} {name}" + f" ({pairs})" * bool(pairs))
    sentence = f"Errors: {np.sum(was)} before, {np.sum(still)} after; {'; '.join(told)}."
    return _finish(picture, source, sentence)


def probabilities(
    values: np.ndarray,
    label: int | None = None,
    image: np.ndarray | None = None,
    source: str = "",
) -> Picture:
    """Show the ten probabilities of one prediction as bars, and the digit at their left."""
    values = np.asarray(values, float).ravel()
    if values.shape != (10,):
        raise ValueError(f"ten probabilities are needed, not {len(values)}")
    picture = Picture(height=2.3)
    widths = [1, 3] if image is not None else [1]
    cells = picture.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    if image is not None:
        _draw_digit(cells[0], _squares(np.asarray(image)[np.newaxis])[0])
    axes, winner = cells[-1], int(values.argmax())
    bars = axes.bar(range(10), values, color="0.75", edgecolor="0.3")
    bars[winner].set(facecolor=BLUE, hatch="//", edgecolor="black")
    for digit, value in enumerate(values):
        text = f"{value:.2f}" if value >= 0.005 else ""
        axes.text(digit, value + 0.02, text, ha="center", fontsize=8)
    axes.set(xticks=range(10), ylim=(0, 1.15), xlabel="digit", ylabel="probability")
    _plain(axes)
    second = int(np.argsort(-values)[1])
    told = "" if label is None else f" The label is {label}."
    sentence = f"Highest: {winner} with {values[winner]:.3f}; then {second}: {values[second]:.3f}."
    return _finish(picture, source, sentence + told)


def class_counts(labels_by_split: Mapping[str, np.ndarray], source: str = "") -> Picture:
    """Show how many of each digit there are, for each of the named label arrays (n,)."""
    picture = Picture(height=2.5)
    axes = picture.subplots()
    hatches = ["", "//", "..", "xx"]
    width = 0.8 / len(labels_by_split)
    told = []
    for i, (name, labels) in enumerate(labels_by_split.items()):
        counts = np.bincount(labels, minlength=10)
        at = np.arange(10) - 0.4 + (i + 0.5) * width
        colour = STYLES[i]["color"]
        axes.bar(at, counts, width, label=name, color=colour, hatch=hatches[i], edgecolor="white")
        least, most = int(counts.argmin()), int(counts.argmax())
        told.append(f"{name}: from {counts[least]} ({least}) to {counts[most]} ({most})")
    axes.set(xticks=range(10), xlabel="digit", ylabel="images")
    axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.2), frameon=False)
    _plain(axes)
    return _finish(picture, source, "Images of each digit. " + "; ".join(told) + ".")


def pictures(
    images: Mapping[str, np.ndarray],
    boxes: np.ndarray | None = None,
    labels: Sequence | None = None,
    columns: int = 2,
    source: str = "",
) -> Picture:
    """Show named pictures of any size, grey or colour; boxes with their labels on the last one.

    Parameters
    ----------
    images : dict from name to uint8 or bool (height, width), or uint8 (height, width, 3)
    boxes : integers (n, 4), a line (left, top, width, height) for each box
    labels : n texts, one above each box
    """
    boxes = np.empty((0, 4), int) if boxes is None else np.asarray(boxes)
    labels = [""] * len(boxes) if labels is None else [str(label) for label in labels]
    _same_length("boxes", boxes, "labels", labels)
    tallest = max(len(image) / len(image[0]) for image in images.values())
    rows = -(-len(images) // columns)
    picture = Picture(height=0.3 + rows * (0.25 + tallest * WIDTH / columns))
    cells = picture.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, image) in zip(cells, images.items(), strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1 if image.dtype == bool else 255)
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel(name, fontsize=9)
    for axes in cells[len(images) :]:
        axes.remove()
    for box, label in zip(boxes, labels, strict=True):
        _draw_box(cells[len(images) - 1], *box, label)
    told = [f"{name}, {image.shape[1]} x {image.shape[0]} pixels" for name, image in images.items()]
    found = f" {len(boxes)} boxes: {' '.join(labels)}".rstrip() + "." if len(boxes) else ""
    return _finish(picture, source, f"{'; '.join(told)}.{found}")


def _draw_box(axes, left: float, top: float, width: float, height: float, label: str) -> None:
    frame = {"fill": False, "edgecolor": ORANGE, "linewidth": 1.5}
    axes.add_patch(Rectangle((left, top), width, height, **frame))
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
    where = {"ha": "left", "va": "bottom", "fontsize": 9, "weight": "bold", "color": "black"}
    if label:
        axes.text(left, top, label, **where, bbox=ground)


# --- Results -------------------------------------------------------------------------------------


def confusion(labels: Sequence, predicted: Sequence, source: str = "") -> Picture:
    """Show how often each digit was taken for each other, as counts; errors are shaded."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    _same_length("labels", labels, "predictions", predicted)
    if not np.isin(np.concatenate([labels, predicted]), range(10)).all():
        raise ValueError("labels and predictions must be whole numbers from 0 to 9")
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, predicted), 1)
    wrong = counts * (1 - np.eye(10, dtype=int))
    picture = Picture(height=4.6, width=5.2)
    picture.method = Image.Quantize.MEDIANCUT  # shades of large cells before those of letters
    axes = picture.subplots()
    axes.imshow(wrong, cmap="Oranges", vmin=0, vmax=max(wrong.max(), 1) * 1.4)
    for (true, guess), count in np.ndenumerate(counts):
        if count:
            weight = "bold" if true != guess and count == wrong.max() else "normal"
            colour = "0.45" if true == guess else "black"
            axes.text(
                guess, true, count, ha="center", va="center", size=8, color=colour, weight=weight
            )
    axes.set(xticks=range(10), yticks=range(10), xlabel="predicted", ylabel="true")
    axes.tick_params(length=0)
    return _finish(picture, source, _confusion_sentence(counts, wrong))


def _confusion_sentence(counts: np.ndarray, wrong: np.ndarray) -> str:
    right = f"{np.trace(counts)} of {counts.sum()} digits are read right."
    if not wrong.any():
        return right
    pairs = [f"{true} taken for {guess}" for true, guess in np.argwhere(wrong == wrong.max())]
    named = " and ".join(pairs) if len(pairs) <= 3 else f"{len(pairs)} pairs of digits"
    each = " each" if len(pairs) > 1 else ""
    times = "once" if wrong.max() == 1 else f"{wrong.max()} times"
    return f"{right} Most often confused: {named}, {times}{each}."


def learning_curves(
    runs: Mapping[str, Sequence[Mapping] | Mapping],
    metrics: str | Sequence[str] = ("loss", "accuracy"),
    parts: int = 1,
    source: str = "",
) -> Picture:
    """Show training (dotted, open marks) and validation (filled marks) curves of several runs.

    Parameters
    ----------
    runs : dict from name to a history (a dict of lists, as Keras keeps it) or a list of
        histories, one a seed: then the line is their mean, and a band reaches from the lowest
        to the highest
    metrics : one panel each; "val_" before its name gives the validation curve
    parts : numbers of a curve that make one epoch

    Raises
    ------
    ValueError
        If there are more runs than can be told apart, or none has such a metric.
    """
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    picture = Picture(height=2.9)
    panels = picture.subplots(1, len(metrics), squeeze=False)[0]
    told = []
    for style, (name, histories) in zip(_styles(runs, 6), runs.items(), strict=True):
        histories = [histories] if isinstance(histories, Mapping) else list(histories)
        for axes, metric in zip(panels, metrics, strict=True):
            told += _draw_history(axes, name, histories, metric, parts, style)
    if not told:
        raise ValueError(f"no run has {' or '.join(metrics)}")
    for axes, metric in zip(panels, metrics, strict=True):
        axes.set(xlabel="epoch", ylabel=metric)
        axes.xaxis.get_major_locator().set_params(integer=True)
        _plain(axes)
    panels[0].legend(fontsize=8)
    return _finish(picture, source, " ".join(told))


def _draw_history(
    axes, name: str, histories: list, metric: str, parts: int, style: dict
) -> list[str]:
    told = []
    for key, part in ((metric, "training"), ("val_" + metric, "validation")):
        if key not in histories[0]:
            continue
        values = np.array([history[key] for history in histories], float)
        epochs = np.arange(1, values.shape[1] + 1) / parts
        thin = {"linestyle": ":", **OPEN} if part == "training" else {}
        extra = {"markevery": max(1, len(epochs) // 8), "markersize": 4}
        axes.plot(epochs, values.mean(0), label=f"{name}, {part}", **style | extra | thin)
        if len(values) > 1:
            axes.fill_between(epochs, values.min(0), values.max(0), color=style["color"], alpha=0.2)
        mean = values.mean(0)
        best = int(mean.argmin() if "loss" in metric else mean.argmax())
        told.append(
            f"{name}, {part} {metric}: {mean[0]:.3g} to {mean[-1]:.3g}, "
            f"best {mean[best]:.3g} in epoch {epochs[best]:g}."
        )
    return told


def curves(
    series: Mapping[str, np.ndarray],
    x: Sequence | None = None,
    x_label: str = "",
    y_label: str = "",
    log_x: bool = False,
    log_y: bool = False,
    source: str = "",
) -> Picture:
    """Show named lines: arrays (n,), or (seeds, n) as a mean with a band from lowest to highest.

    Where an array is NaN, its line has a gap. Marks and a legend tell lines apart: a line of more
    than 20 numbers that stands alone has neither, so name it in ``y_label``.
    """
    picture = Picture(height=2.9)
    axes = picture.subplots()
    told, alone = [], len(series) == 1 and np.shape([*series.values()][0])[-1] > 20
    for style, (name, values) in zip(_styles(series), series.items(), strict=True):
        values = np.atleast_2d(np.asarray(values, float))
        at = np.arange(values.shape[1]) if x is None else np.asarray(x)
        mean = values.mean(0)
        marks = {"markevery": max(1, len(at) // 10), "markersize": 4} | style
        axes.plot(at, mean, label=name, **marks | ({"marker": ""} if alone else {}))
        if len(values) > 1:
            axes.fill_between(at, values.min(0), values.max(0), color=style["color"], alpha=0.2)
        places, mean = at[np.isfinite(mean)], mean[np.isfinite(mean)]
        told.append(
            f"{name}: {mean[0]:.3g} at {places[0]:.4g}, {mean[-1]:.3g} at {places[-1]:.4g}, "
            f"lowest {mean.min():.3g}, highest {mean.max():.3g}."
        )
    axes.set(xlabel=x_label, ylabel=y_label)
    if log_x:
        axes.set_xscale("log")
    elif len(at) <= 10:
        axes.set_xticks(at)
    if log_y:
        axes.set_yscale("log")
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(series) > 4 else {}
    if not alone:
        axes.legend(fontsize=8, **beside)
    _plain(axes)
    return _finish(picture, source, " ".join(told))


def shift_ruler(rows: Mapping[str, Sequence[float]], source: str = "") -> Picture:
    """Show accuracy at shifts of 0, 1, 2, ... pixels, one line a model."""
    picture = Picture(height=3.0)
    axes = picture.subplots()
    told = []
    for style, (name, row) in zip(_styles(rows), rows.items(), strict=True):
        percent = 100 * np.asarray(row, float)
        axes.plot(range(len(percent)), percent, label=name, markersize=5, **style)
        told.append(f"{name}: {' / '.join(f'{value:.0f}' for value in percent)} %")
    axes.axhline(10, color="0.6", linewidth=0.8)
    pixels = range(max(len(row) for row in rows.values()))
    axes.set(xticks=pixels, ylim=(0, 102), xlabel="shift (pixels)", ylabel="accuracy (%)")
    axes.legend(fontsize=9)
    _plain(axes)
    sentence = f"Accuracy at shifts of {', '.join(map(str, pixels))} pixels. {'; '.join(told)}."
    return _finish(picture, source, sentence)


def bars(
    values: Mapping[str, float | Sequence[float]],
    label: str = "",
    source: str = "",
    digits: int = 4,
) -> Picture:
    """Show a comparison as horizontal bars; several values (one a seed) show mean and range."""
    groups = [np.atleast_1d(np.asarray(v, float)) for v in values.values()]
    picture = Picture(height=0.8 + 0.36 * len(groups))
    axes = picture.subplots()
    means = [group.mean() for group in groups]
    axes.barh(range(len(groups)), means, color=SKY, edgecolor="0.2", height=0.6)
    reach = max(max(group.max() for group in groups), 0) or 1
    for row, group in enumerate(groups):
        if len(group) > 1:
            axes.plot(group, np.full(len(group), row), "|", color="black", markersize=9)
        text = f"{group.mean():.{digits}g}"
        axes.text(max(group.max(), 0) + reach * 0.02, row, text, va="center", fontsize=9)
    axes.set(yticks=range(len(groups)), yticklabels=list(values), xlabel=label)
    axes.set_xlim(min(0, min(group.min() for group in groups)), reach * 1.16)
    axes.invert_yaxis()
    _plain(axes)
    told = [_bar_sentence(name, group, digits) for name, group in zip(values, groups, strict=True)]
    return _finish(picture, source, f"{label + ': ' if label else ''}{'; '.join(told)}.")


def _bar_sentence(name: str, group: np.ndarray, digits: int, mark: Callable = np.mean) -> str:
    spread = f" ({group.min():.{digits}g} to {group.max():.{digits}g})" if len(group) > 1 else ""
    return f"{name} {mark(group):.{digits}g}{spread}"


def dots(
    values: Mapping[str, Sequence[float]],
    label: str = "",
    source: str = "",
    digits: int = 4,
    log: bool = False,
    mark: Callable[[np.ndarray], float] = np.mean,
) -> Picture:
    """Show named groups of numbers as dots, one for each seed, and a bar at each group's ``mark``.

    The axis reaches from the lowest number to the highest, not to 0; with ``log`` it multiplies.
    """
    groups = [np.atleast_1d(np.asarray(v, float)) for v in values.values()]
    picture = Picture(height=0.8 + 0.36 * len(groups))
    axes = picture.subplots()
    for row, group in enumerate(groups):
        axes.axhline(row, color="0.9", linewidth=0.8, zorder=0)
        _draw_dots(axes, row, group, mark(group), digits)
    axes.set(yticks=range(len(groups)), yticklabels=list(values), xlabel=label)
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.04, y=0.12)
    axes.invert_yaxis()
    _plain(axes)
    named = zip(values, groups, strict=True)
    told = [_bar_sentence(name, group, digits, mark) for name, group in named]
    return _finish(picture, source, f"{label + ': ' if label else ''}{'; '.join(told)}.")


def _draw_dots(axes, row: int, group: np.ndarray, mark: float, digits: int) -> None:
    """Draw a row of dots with a bar at ``mark``, and write its value at the right."""
    axes.plot(group, np.full(len(group), row), "o", color=BLUE, alpha=0.6, markersize=6)
    axes.plot(mark, row, "|", color="black", markersize=16, markeredgewidth=2)
    how = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 9}
    axes.text(1.01, row, f"{mark:.{digits}g}", **how)


def ladder(
    seconds: Mapping[str, Sequence[float]],
    errors: Mapping[str, Sequence[float]],
    source: str = "",
) -> Picture:
    """Show what each change costs and gains: time on the left, errors in 100 on the right.

    Both are named alike, with a value for each seed: dots, and a bar at their mean. Time is on an
    axis that multiplies. A line joins the means, from the first name down to the last.
    """
    _same_length("seconds", seconds, "errors", errors)
    picture = Picture(height=1 + 0.34 * len(seconds))
    charts = (("seconds (axis multiplies)", seconds), ("errors in 100", errors))
    cells = picture.subplots(1, 2, sharey=True)
    for axes, (label, values) in zip(cells, charts, strict=True):
        means = [float(np.mean(group)) for group in values.values()]
        axes.plot(means, range(len(means)), color="0.75", linewidth=1, zorder=0)
        for row, group in enumerate(values.values()):
            _draw_dots(axes, row, group, means[row], 3)
        axes.set(xlabel=label)
        axes.margins(x=0.06, y=0.08)
        _plain(axes)
    cells[0].set_xscale("log")
    cells[0].xaxis.set_major_formatter("{x:g}")
    names = [f"{number}  {name}" for number, name in enumerate(seconds, 1)]
    cells[0].set(yticks=range(len(names)), yticklabels=names)
    cells[0].invert_yaxis()
    told = [
        f"{_bar_sentence(name, np.asarray(time), 3)} seconds and {np.mean(wrong):.3g} errors in 100"
        f" (from {min(wrong):.3g} to {max(wrong):.3g})"
        for name, time, wrong in zip(names, seconds.values(), errors.values(), strict=True)
    ]
    return _finish(picture, source, f"{'; '.join(told)}.")


def cards(
    runs: Mapping[str, Mapping[str, Sequence[float]]], columns: int = 3, source: str = ""
) -> Picture:
    """Show each named history (as Keras keeps it) as two panels: loss above, accuracy below.

    All have the same axes, so that levels can be compared. Grey lines mark a guess among ten
    digits: a loss of ln 10, an accuracy of 0.1. A loss above 3 leaves its panel at the top.
    """
    picture = Picture(height=2.7 * -(-len(runs) // columns) + 0.3)
    cells = picture.subplots(2 * -(-len(runs) // columns), columns, sharex=True, squeeze=False)
    told = []
    for i, (name, history) in enumerate(runs.items()):
        row, column = 2 * (i // columns), i % columns
        for axes, metric in zip(cells[row : row + 2, column], ("loss", "accuracy"), strict=True):
            told.append(_draw_card(axes, name, history, metric))
            axes.set_ylabel(metric if column == 0 else "")
        cells[row, column].set_title(name, fontsize=11, weight="bold", pad=2)
    for axes in cells.ravel():
        if not axes.lines:
            axes.remove()
    for axes in cells[-1]:
        axes.set_xlabel("epoch")
    lines = {line.get_label(): line for line in cells[0, 0].lines[1:]}
    picture.legend(lines.values(), lines, loc="outside upper center", ncols=2, fontsize=8)
    return _finish(picture, source, " ".join(told))


def _draw_card(axes, name: str, history: Mapping[str, Sequence[float]], metric: str) -> str:
    guess, top = (np.log(10), 3) if metric == "loss" else (0.1, 1.05)
    axes.axhline(guess, color="0.6", linewidth=0.8)
    told = []
    for key, part, style in (
        (metric, "training", {"color": ORANGE, "linestyle": ":", "marker": "o", **OPEN}),
        (f"val_{metric}", "validation", {"color": BLUE, "linestyle": "-", "marker": "o"}),
    ):
        epochs = np.arange(1, len(history[key]) + 1)
        axes.plot(epochs, history[key], label=part, markersize=3.5, **style)
        told.append(f"{part} {history[key][0]:.2f} to {history[key][-1]:.2f}")
    axes.set(ylim=(0, top))
    axes.xaxis.get_major_locator().set_params(integer=True)
    _plain(axes)
    return f"{name}, {metric}: {', '.join(told)}."


def reliability(bins: Mapping[str, np.ndarray], source: str = "", images: int = 0) -> Picture:
    """Show accuracy against confidence, one line a network; large marks stand for many images.

    Parameters
    ----------
    bins : dict from name to an array (bins, 3): share of the images, mean confidence, accuracy
    images : how many there are: a second panel then counts those in each bin
    """
    picture = Picture(height=5.0 if images else 3.6, width=5.2)
    cells = picture.subplots(
        1 + bool(images), sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + bool(images)]
    )[:, 0]
    axes = cells[0]
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, label="as sure as right")
    told = []
    for style, (name, rows) in zip(_styles(bins, 6), bins.items(), strict=True):
        share, sure, right = np.asarray(rows, float).T
        axes.plot(sure, right, **style | {"marker": "", "linewidth": 1})
        points = {"color": style["color"], "marker": style["marker"], "alpha": 0.8}
        axes.scatter(sure, right, s=12 + 150 * share, label=name, **points)
        gap = float((share * (sure - right)).sum())
        told.append(f"{name}: on average {abs(gap):.3f} too {'sure' if gap > 0 else 'modest'}")
        if images:
            cells[1].plot(sure, share * images, markersize=4, **style)
            told[-1] += f", {share.max() * images:.0f} images in its fullest bin"
    axes.set(xlim=(0, 1.02), ylim=(0, 1.04), ylabel="accuracy")
    cells[-1].set(xlabel="confidence")
    if images:
        cells[1].set(yscale="log", ylabel="images in the bin")
    legend = axes.legend(fontsize=8)
    for handle in legend.legend_handles[1:]:
        handle.set_sizes([24])
    for axes in cells:
        _plain(axes)
    return _finish(picture, source, f"{'; '.join(told)}.")


def panels(
    charts: Mapping[str, tuple[Sequence, Mapping[str, Sequence]]],
    y_label: str = "",
    source: str = "",
) -> Picture:
    """Show named lines in panels side by side, with one vertical axis and one legend.

    Parameters
    ----------
    charts : dict from the label of a panel's horizontal axis to its places (n,) and its named
        lines (n,); a name has the same style in each panel
    """
    picture = Picture(height=2.9)
    cells = picture.subplots(1, len(charts), sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(name for _, lines in charts.values() for name in lines))
    style = dict(zip(names, _styles(names), strict=True))
    told = []
    for axes, (x_label, (x, lines)) in zip(cells, charts.items(), strict=True):
        for name, values in lines.items():
            every = max(1, len(x) // 10)
            axes.plot(x, values, label=name, markersize=4, markevery=every, **style[name])
            ends = f"{values[0]:.3g} at {x[0]:.4g}, {values[-1]:.3g} at {x[-1]:.4g}"
            told.append(f"{x_label}, {name}: {ends}, highest {max(values):.3g}.")
        axes.set(xlabel=x_label)
        _plain(axes)
    cells[0].set_ylabel(y_label)
    known = {line.get_label(): line for axes in cells for line in axes.lines}
    picture.legend(known.values(), known, loc="outside upper center", ncols=4, fontsize=8)
    return _finish(picture, source, " ".join(told))


# --- Inside a network ----------------------------------------------------------------------------


def weights(
    values: np.ndarray,
    labels: Sequence | None = None,
    columns: int = 8,
    source: str = "",
) -> Picture:
    """Show weights (784, k), or filters (h, w, k), as k images on a scale centred on 0."""
    values = np.asarray(values, float)
    if values.ndim == 2 and values.shape[0] == 784:
        values = values.reshape(28, 28, -1)
    if values.ndim != 3:
        raise ValueError(f"weights are (784, k) or (h, w, k), not {values.shape}")
    names = list(range(values.shape[-1])) if labels is None else list(labels)
    _same_length("weights", values.T, "labels", names)
    picture, cells = _grid(values.shape[-1], columns, caption=True)
    largest = np.abs(values).max() or 1.0
    for i, axes in enumerate(cells):
        shown = _draw_signed(axes, values[..., i], largest)
        axes.set_xlabel(str(names[i]), fontsize=9, labelpad=2)
    picture.colorbar(shown, ax=picture.axes, shrink=0.8, aspect=30).ax.tick_params(labelsize=8)
    sentence = (
        f"{values.shape[-1]} images of weights, from {values.min():.3g} to {values.max():.3g}; "
        f"purple is positive, orange negative, white zero."
    )
    return _finish(picture, source, sentence)


def activations(
    maps: np.ndarray, columns: int = 8, source: str = "", labels: Sequence | None = None
) -> Picture:
    """Show the maps (h, w, k) that a layer makes of one image; bright is a strong answer.

    ``labels`` (k,) are written below the maps, such as their numbers.
    """
    maps = np.asarray(maps, float)
    if maps.ndim != 3:
        raise ValueError(f"the maps of one image are (h, w, k), not {maps.shape}")
    names = [""] * maps.shape[-1] if labels is None else list(labels)
    _same_length("maps", maps.T, "labels", names)
    tall = maps.shape[0] / maps.shape[1]
    picture, cells = _grid(maps.shape[-1], columns, caption=labels is not None, tall=tall)
    for i, axes in enumerate(cells):
        axes.imshow(maps[..., i], cmap="cividis", vmin=maps.min(), vmax=maps.max())
        axes.set_xlabel(str(names[i]), fontsize=9, labelpad=2)
    strongest = int(maps.max((0, 1)).argmax())
    silent = int((maps.max((0, 1)) <= 0).sum())
    height, width, count = maps.shape
    named = f"map {strongest}" if labels is None else f"the map labelled {names[strongest]}"
    sentence = (
        f"{count} maps of {height} x {width}; {named} answers most strongly "
        f"({maps.max():.3g}), {silent} stay silent."
    )
    return _finish(picture, source, sentence)


def filters_and_maps(
    filters: np.ndarray, maps: np.ndarray, columns: int = 8, source: str = ""
) -> Picture:
    """Show each filter (h, w, k) above the map (H, W, k) that it makes; both carry its number."""
    filters, maps = np.asarray(filters, float), np.asarray(maps, float)
    _same_length("filters", filters.T, "maps", maps.T)
    count = maps.shape[-1]
    picture, cells = _grid(2 * -(-count // columns) * columns, columns, caption=True)
    reach = np.abs(filters).max() or 1.0
    for i in range(-(-count // columns) * columns):
        above = cells[2 * columns * (i // columns) + i % columns]
        below = cells[2 * columns * (i // columns) + columns + i % columns]
        if i >= count:
            above.remove()
            below.remove()
            continue
        _draw_signed(above, filters[..., i], reach)
        above.set_xlabel(f"filter {i}", fontsize=8, labelpad=2)
        below.imshow(maps[..., i], cmap="cividis", vmin=maps.min(), vmax=maps.max())
        below.set_xlabel(f"map {i}", fontsize=8, labelpad=2)
    strongest = int(maps.max((0, 1)).argmax())
    sentence = (
        f"{count} filters, each above its map; purple weights want ink, orange ones none. "
        f"Map {strongest} answers most strongly ({maps.max():.3g})."
    )
    return _finish(picture, source, sentence)


def directions(points: np.ndarray, shadows: int = 12, source: str = "") -> Picture:
    """Show points (n, 2), the line along which they spread most, and the line across it.

    ``shadows`` of the points are dropped onto the first line, which is blue; the other is orange.
    """
    points = np.asarray(points, float)
    middle = points.mean(0)
    _, sizes, lines = np.linalg.svd(points - middle, full_matrices=False)
    spread = sizes / np.sqrt(len(points))
    picture = Picture(height=3.6, width=5.2)
    axes = picture.subplots()
    axes.scatter(*points.T, s=10, color="0.6")
    for line, size, colour, name in zip(
        lines, spread, (BLUE, ORANGE), ("first", "second"), strict=True
    ):
        ends = middle + np.outer([-2.5, 2.5], size * line)
        axes.plot(*ends.T, color=colour, linewidth=2, label=f"{name} direction")
    for point in points[np.linspace(0, len(points) - 1, shadows).astype(int)]:
        foot = middle + ((point - middle) @ lines[0]) * lines[0]
        axes.plot(*np.stack([point, foot]).T, color="0.3", linewidth=0.8, linestyle=":")
        axes.scatter(*foot, s=14, color=BLUE, zorder=3)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel="one number", ylabel="the other number")
    axes.legend(fontsize=8)
    _plain(axes)
    kept = spread[0] ** 2 / (spread**2).sum()
    sentence = f"{len(points)} points. The first direction alone keeps {kept:.0%} of their spread."
    return _finish(picture, source, sentence)


def graph(
    edges: Sequence[tuple[str, str]],
    source: str = "",
    changes: Sequence[tuple[str, str]] = (),
) -> Picture:
    """Draw which parts of a computation are needed for which, from left to right.

    Parameters
    ----------
    edges : (needed, needing) names, without a cycle
    changes : (changing, changed) names: dashed orange arrows, which may lead back
    """
    if not edges:
        raise ValueError("a graph needs at least one edge")
    places = _places(edges)
    picture = Picture(height=2.9 + 0.5 * bool(changes))
    axes = picture.subplots()
    axes.set_axis_off()
    axes.set(xlim=(-0.4, max(x for x, _ in places.values()) + 0.4))
    axes.set_ylim(-0.5, 0.75 if changes else 0.5)
    around = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": "0.2"}
    middle = {"ha": "center", "va": "center", "fontsize": 9, "bbox": around, "zorder": 3}
    boxes = {name: axes.text(*place, name, **middle) for name, place in places.items()}
    back = {"color": ORANGE, "linestyle": "--", "connectionstyle": "arc3,rad=0.35"}
    for pairs, style in ((edges, {"color": "0.35"}), (changes, back)):
        for start, end in pairs:
            ends = [boxes[name].get_bbox_patch() for name in (start, end)]
            touching = {"patchA": ends[0], "patchB": ends[1], "shrinkA": 0, "shrinkB": 0}
            arrow = {"arrowstyle": "-|>"} | touching | style
            axes.annotate("", places[end], places[start], arrowprops=arrow)
    return _finish(picture, source, _graph_sentence(edges, places, changes))


def _places(edges: Sequence[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Give each name a column (its longest way from a start) and a height in [-0.5, 0.5]."""
    names = list(dict.fromkeys(name for edge in edges for name in edge))
    column = dict.fromkeys(names, 0)
    for _ in names:
        for needed, needing in edges:
            column[needing] = max(column[needing], column[needed] + 1)
    places = {}
    for x in range(max(column.values()) + 1):
        members = [name for name in names if column[name] == x]
        heights = 0.5 - (np.arange(len(members)) + 0.5) / len(members) + 0.06 * (x % 2)
        places |= {name: (x, float(y)) for name, y in zip(members, heights, strict=True)}
    return places


def _graph_sentence(edges: Sequence, places: dict, changes: Sequence) -> str:
    told = [
        f"{name} needs {' and '.join(needed for needed, needing in edges if needing == name)}"
        for name in dict.fromkeys(needing for _, needing in edges)
    ]
    told += [
        f"{name} changes {' and '.join(end for start, end in changes if start == name)}"
        for name in dict.fromkeys(start for start, _ in changes)
    ]
    return f"A graph of {len(places)} parts: {'; '.join(told)}."


def grids(
    arrays: Mapping[str, np.ndarray],
    frames: Mapping[str, Sequence[int]] | None = None,
    columns: int = 6,
    source: str = "",
    ranges: bool = False,
) -> Picture:
    """Show named arrays (h, w) side by side: as numbers where all are small, else as pictures.

    Where an array has negative values, purple is positive, orange negative, and white zero.
    Else white is zero and dark is large. Each array has its own scale.

    Parameters
    ----------
    arrays : dict from name to array; numbers are written where none is larger than 8 x 8, and
        then all cells are equally large
    frames : dict from name to (row, column, height, width) of a frame in that array
    columns : arrays beside each other
    ranges : whether the smallest and the largest number of an array stand below its name
    """
    arrays = {name: _two_axes(name, values) for name, values in arrays.items()}
    if not arrays:
        raise ValueError("there is nothing to show")
    numbers = max(max(values.shape) for values in arrays.values()) <= 8
    names, frames = list(arrays), frames or {}
    lines = [names[i : i + columns] for i in range(0, len(names), columns)]
    shapes = [[arrays[name].shape for name in line] for line in lines]
    picture, cells = _grid_cells(shapes, numbers)
    for axes_line, line in zip(cells, lines, strict=True):
        for axes, name in zip(axes_line, line, strict=False):
            _draw_grid(axes, arrays[name], numbers, frames.get(name))
            least, most = arrays[name].min(), arrays[name].max()
            span = f"\n{least:.1f} to {most:.1f}" if ranges else ""
            axes.set_xlabel(name + span, fontsize=9, labelpad=3)
        for axes in axes_line[len(line) :]:
            axes.remove()
    told = [_grid_sentence(name, values, frames.get(name)) for name, values in arrays.items()]
    return _finish(picture, source, " ".join(told))


def _two_axes(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values) + 0  # no -0
    if values.ndim != 2 or not values.size:
        raise ValueError(f"{name} must be (h, w), not {values.shape}")
    return values


def _grid_cells(shapes: list[list[tuple]], numbers: bool) -> tuple[Picture, np.ndarray]:
    """Make axes for lines of shapes: as wide as their numbers, or all as wide as each other."""
    count = len(shapes[0])
    if numbers:
        widths = [max(line[i][1] for line in shapes if i < len(line)) for i in range(count)]
        cell = min(0.42, WIDTH / (sum(widths) + count))
        heights = [cell * max(height for height, _ in line) for line in shapes]
        width = min(WIDTH, cell * (sum(widths) + count))  # wider, small arrays get larger cells
    else:
        width, widths = WIDTH, [1] * count
        heights = [WIDTH / count * max(height / width for height, width in s) for s in shapes]
        heights = [min(height, 2.4) for height in heights]
    picture = Picture(height=sum(heights) + 0.3 * len(heights) + 0.2, width=width)
    ratios = {"width_ratios": widths, "height_ratios": heights}
    return picture, picture.subplots(len(shapes), count, squeeze=False, **ratios)


def _draw_grid(axes, values: np.ndarray, numbers: bool, frame: Sequence[int] | None) -> None:
    signed = values.min() < 0
    reach = (np.abs(values).max() or 1) * (2.5 if numbers else 1.4 if signed else 1)  # not too dark
    axes.imshow(values, "PuOr" if signed else "gray_r", vmin=-reach if signed else 0, vmax=reach)
    axes.set(xticks=[], yticks=[])
    if numbers:
        axes.set_xticks(np.arange(1, values.shape[1]) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, values.shape[0]) - 0.5, minor=True)
        axes.grid(which="minor", color="0.6", linewidth=0.6)
        axes.tick_params(which="minor", length=0)
        for (row, column), value in np.ndenumerate(values):
            axes.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=8)
    if frame is not None:
        row, column, height, width = frame
        style = {"fill": False, "edgecolor": BLUE, "linewidth": 2.5, "clip_on": False}
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, **style))


def _grid_sentence(name: str, values: np.ndarray, frame: Sequence[int] | None) -> str:
    size = f"{values.shape[0]} x {values.shape[1]}"
    told = f"{name} ({size}): from {values.min():.3g} to {values.max():.3g}"
    if values.size <= 36:
        told = f"{name}: " + " / ".join(" ".join(f"{v:.3g}" for v in row) for row in values)
    if frame is not None:
        row, column, height, width = frame
        rows, columns = (f"{a} to {a + n - 1}" for a, n in ((row, height), (column, width)))
        told += f", framed are rows {rows}, columns {columns}"
    return told + "."


def weight_rows(
    rows: Mapping[str, np.ndarray],
    labels: Sequence | None = None,
    source: str = "",
) -> Picture:
    """Show named weights (784, k), one name a row, each row on a scale of its own around 0."""
    rows = {name: np.asarray(values, float) for name, values in rows.items()}
    count = next(iter(rows.values())).shape[-1]
    for name, values in rows.items():
        if values.shape != (784, count):
            raise ValueError(f"weights are (784, {count}), those of {name} are {values.shape}")
    names = list(range(count)) if labels is None else list(labels)
    _same_length("weights", range(count), "labels", names)
    picture = Picture(height=0.58 * len(rows) + 0.5)
    cells = picture.subplots(len(rows), count, squeeze=False)
    for row, (name, values) in zip(cells, rows.items(), strict=True):
        _draw_weight_row(picture, row, name, values)
    for axes, label in zip(cells[-1], names, strict=True):
        axes.set_xlabel(str(label), fontsize=9, labelpad=2)
    told = [f"{name}: from {v.min():.2g} to {v.max():.2g}" for name, v in rows.items()]
    return _finish(picture, source, f"Weights, a row each, on its own scale. {'; '.join(told)}.")


def _name_row(axes, name: str) -> None:
    axes.set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")


def _draw_weight_row(picture: Picture, row, name: str, values: np.ndarray) -> None:
    largest = np.abs(values).max()
    for axes, image in zip(row, values.T, strict=True):
        shown = _draw_signed(axes, image.reshape(28, 28), largest or 1.0)
    _name_row(row[0], name)
    ticks = [-largest, 0, largest] if largest else [0]
    bar = picture.colorbar(shown, ax=list(row), ticks=ticks, aspect=8)
    bar.ax.set_yticklabels([f"{tick:.1g}" for tick in ticks], fontsize=8)


def heat(
    image: np.ndarray, maps: Mapping[str, np.ndarray], caption: str = "", source: str = ""
) -> Picture:
    """Show a digit (28, 28), and beside it named maps (28, 28) of its pixels with its outline.

    Each map has a scale of its own, centred on 0: purple is positive, orange negative.
    """
    picture = Picture(height=2.3)
    cells = picture.subplots(1, 1 + len(maps), squeeze=False)[0]
    image = _squares(np.asarray(image)[np.newaxis])[0]
    _draw_digit(cells[0], image)
    cells[0].set_xlabel(caption, fontsize=9)
    told = []
    for axes, (name, values) in zip(cells[1:], maps.items(), strict=True):
        values = _squares(np.asarray(values, float)[np.newaxis])[0]
        _draw_signed(axes, values, np.abs(values).max() or 1.0)
        axes.contour(image, levels=[image.max() / 2], colors="black", linewidths=0.7)
        axes.set_xlabel(f"{name}, largest {values.max():.2g}", fontsize=9)
        row, column = np.unravel_index(np.abs(values).argmax(), values.shape)
        told.append(
            f"{name}: from {values.min():.2g} to {values.max():.2g}, "
            f"strongest at row {row}, column {column}"
        )
    digit = f"The digit ({caption}) and maps of its pixels" if caption else "Maps of a digit"
    return _finish(picture, source, f"{digit}. {'; '.join(told)}.")


def scatter(
    points: np.ndarray,
    labels: Sequence,
    marked: np.ndarray | None = None,
    source: str = "",
) -> Picture:
    """Show points (n, 2), each as its digit; those ``marked`` (n,) stand in an orange ring."""
    points, labels = np.asarray(points, float), np.asarray(labels)
    _same_length("points", points, "labels", labels)
    ringed = np.zeros(len(labels), bool) if marked is None else np.asarray(marked, bool)
    _same_length("points", points, "marks", ringed)
    picture = Picture(height=4.6)
    axes = picture.subplots()
    for (x, y), label in zip(points, labels, strict=True):
        colour = STYLES[DIGIT_STYLES[int(label)]]["color"]
        axes.text(x, y, str(label), color=colour, size=8, ha="center", va="center")
    ring = {"s": 150, "facecolors": "none", "edgecolors": ORANGE, "linewidths": 1.5}
    axes.scatter(*points[ringed].T, **ring)
    margin = 0.04 * np.ptp(points, axis=0) + 1e-9
    (left, low), (right, high) = points.min(0) - margin, points.max(0) + margin
    axes.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
    axes.set(xlabel="first direction", ylabel="second direction")
    _plain(axes)
    return _finish(picture, source, _scatter_sentence(points, labels, ringed))


def _scatter_sentence(points: np.ndarray, labels: np.ndarray, ringed: np.ndarray) -> str:
    names = np.unique(labels)
    centres = np.stack([points[labels == name].mean(0) for name in names])
    apart = np.linalg.norm(centres[:, np.newaxis] - centres, axis=2)
    rings = f" {ringed.sum()} are ringed." if ringed.any() else ""
    start = f"{len(labels)} digits as points in a plane."
    if len(names) < 2:
        return start + rings
    apart[np.tril_indices(len(names))] = np.inf
    one, other = np.unravel_index(apart.argmin(), apart.shape)
    return f"{start} The middles of {names[one]} and {names[other]} are closest together.{rings}"


# --- Shared --------------------------------------------------------------------------------------


def _squares(images: np.ndarray) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim >= 2 and images.size == 784 * len(images):
        return images.reshape(len(images), 28, 28)
    raise ValueError(f"images are (n, 28, 28), (n, 28, 28, 1) or (n, 784), not {images.shape}")


def _same_length(name: str, values: Sequence, other: str, others: Sequence) -> None:
    if len(values) != len(others):
        raise ValueError(f"{len(values)} {name}, but {len(others)} {other}")


def _grid(count: int, columns: int, caption: bool, tall: float = 1) -> tuple[Picture, list]:
    """Make axes for small images, in lines; ``tall`` is the height of an image over its width."""
    if not count:
        raise ValueError("there is nothing to show")
    columns = min(columns, count)
    rows = -(-count // columns)
    cell = min(WIDTH / max(columns, 5), 1.2)
    picture = Picture(height=rows * (tall * cell + 0.18 * caption) + 0.3)
    axes = picture.subplots(rows, columns, squeeze=False).ravel()
    for cell in axes:
        cell.set(xticks=[], yticks=[])
    for cell in axes[count:]:
        cell.remove()
    return picture, list(axes[:count])


def _styles(lines: Collection, most: int = 12) -> list[dict]:
    """Return a style for each line: colour, dash and mark; from the seventh on with open marks."""
    if not 0 < len(lines) <= most:
        raise ValueError(f"this picture tells 1 to {most} lines apart, not {len(lines)}")
    return (STYLES + [style | OPEN for style in STYLES])[: len(lines)]


def _draw_digit(axes, image: np.ndarray) -> None:
    top = 255 if image.dtype == np.uint8 else max(1, image.max())
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=top)
    axes.set(xticks=[], yticks=[])


def _draw_signed(axes, values: np.ndarray, reach: float):
    """Draw (h, w): purple is positive, orange negative, white zero."""
    axes.set(xticks=[], yticks=[])
    return axes.imshow(values, cmap="PuOr", vmin=-reach, vmax=reach)


def _mark(axes, right: bool, text: str) -> None:
    colour = BLUE if right else ORANGE
    mark, weight = (RIGHT, "normal") if right else (WRONG, "bold")
    axes.set_xlabel(f"{mark} {text}", fontsize=9, labelpad=3, color=colour, weight=weight)
    if not right:
        for side in axes.spines.values():
            side.set_visible(False)
        frame = {"linewidth": 2.2, "linestyle": "--", "edgecolor": ORANGE, "clip_on": False}
        axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, **frame))


def _plain(axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_size(9)
    axes.yaxis.label.set_size(9)


def _finish(picture: Picture, source: str, sentence: str) -> Picture:
    picture.description = _with_source(source, sentence)
    if source:
        mark = picture.supxlabel(source, x=0.995, ha="right", fontsize=8, color="0.35")
        mark.set_gid("source")
    return picture


def _with_source(source: str, sentence: str) -> str:
    return f"{source}: {sentence}" if source else sentence
