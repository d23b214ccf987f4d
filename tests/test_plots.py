"""The pictures: what they contain, what they say, and that all of it can be read."""

import io
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text
from PIL import Image

from mnist_edu import plots

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (6, 28, 28)).astype(np.uint8)
LABELS = np.array([7, 2, 1, 0, 4, 5])
PREDICTED = np.array([7, 2, 1, 0, 9, 3])
HISTORY = {"loss": [2, 1.5, 1.25], "val_loss": [2.5, 1.5, 1], "accuracy": [0.1, 0.5, 0.75]}
CARD = HISTORY | {"val_accuracy": [0.2, 0.5, 0.625]}
GRID = np.arange(12).reshape(3, 4)
MAPS = np.arange(100).reshape(5, 5, 4)
BINS = np.array([[0.25, 0.6, 0.5], [0.75, 0.9, 0.7]])
CHARTS = {"angle": ([0, 30], {"a": [1, 0.5], "b": [0.9, 0]}), "noise": ([0, 1], {"b": [0.9, 0.2]})}
HEAT = np.linspace(-0.5, 2, 784).reshape(28, 28)
PLACES = np.array([[0, 0], [9, 0], [0, 9], [9, 9], [4, 5], [4, 4]])
EVERY = {
    "digits": lambda: plots.digits(IMAGES, LABELS, columns=3, source="MNIST"),
    "predictions": lambda: plots.predictions(IMAGES, LABELS, PREDICTED, 6, source="MNIST"),
    "errors": lambda: plots.errors(IMAGES, LABELS, PREDICTED, source="MNIST"),
    "probabilities": lambda: plots.probabilities(
        np.eye(10)[3] * 0.9 + 0.01, 3, IMAGES[0], source="MNIST"
    ),
    "class_counts": lambda: plots.class_counts({"train": LABELS, "test": PREDICTED}, "MNIST"),
    "confusion": lambda: plots.confusion(LABELS, PREDICTED, source="MNIST"),
    "learning_curves": lambda: plots.learning_curves({"a": [HISTORY, HISTORY]}, source="MNIST"),
    "curves": lambda: plots.curves({"a": [1, 2, 4]}, x=[1, 10, 100], log_x=True, source="MNIST"),
    "shift_ruler": lambda: plots.shift_ruler({"softmax": [0.92, 0.7, 0.3, 0.1, 0]}, "MNIST"),
    "bars": lambda: plots.bars({"one": 1.5, "many": [1, 2, 4]}, "seconds", source="MNIST"),
    "dots": lambda: plots.dots({"one": [0.9], "many": [0.91, 0.92, 0.94]}, "accuracy", "MNIST"),
    "ladder": lambda: plots.ladder(
        {"slow": [30, 40], "fast": [0.5, 1]}, {"slow": [1, 1.5], "fast": [2, 2.25]}, "MNIST"
    ),
    "cards": lambda: plots.cards({"A": CARD, "B": CARD, "C": CARD, "D": CARD}, source="MNIST"),
    "weights": lambda: plots.weights(np.linspace(-1, 3, 7840).reshape(784, 10), source="MNIST"),
    "activations": lambda: plots.activations(np.arange(49 * 8).reshape(7, 7, 8), source="MNIST"),
    "filters_and_maps": lambda: plots.filters_and_maps(
        np.linspace(-1, 3, 36).reshape(3, 3, 4), np.arange(100).reshape(5, 5, 4), 3, "MNIST"
    ),
    "directions": lambda: plots.directions(PLACES, 2, source="MNIST"),
    "grids": lambda: plots.grids(
        {"image": GRID, "map": [[1, -2]], "third": [[1 / 3]]}, {"image": (1, 0, 2, 3)}, 2, "MNIST"
    ),
    "weight_rows": lambda: plots.weight_rows(
        {"one": np.linspace(-1, 3, 7840).reshape(784, 10), "none": np.zeros((784, 10))},
        None,
        "MNIST",
    ),
    "graph": lambda: plots.graph([("x", "logits"), ("W", "logits"), ("logits", "loss")], "MNIST"),
    "graph with changes": lambda: plots.graph(
        [("W", "logits"), ("logits", "loss"), ("loss", "step")], "MNIST", [("step", "W")]
    ),
    "reliability": lambda: plots.reliability({"a": BINS, "b": BINS[:, [0, 2, 1]]}, "MNIST"),
    "panels": lambda: plots.panels(CHARTS, "accuracy", source="MNIST"),
    "heat": lambda: plots.heat(IMAGES[0], {"one": HEAT, "two": -HEAT}, "a 7", source="MNIST"),
    "pictures": lambda: plots.pictures(
        {"grey": GRID.astype(np.uint8), "ink": GRID > 4}, [[1, 0, 2, 2]], [7], source="MNIST"
    ),
    "scatter": lambda: plots.scatter(PLACES, LABELS, LABELS != PREDICTED, source="MNIST"),
}


def texts(figure):
    """Return every text that is drawn; ticks outside the axes exist, but are not drawn."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval()) if axes.axison else (1, 0)
            for place, minor in (
                (axis.get_majorticklocs(), False),
                (axis.get_minorticklocs(), True),
            ):
                for at, label in zip(place, axis.get_ticklabels(minor=minor), strict=False):
                    if not low - 1e-9 <= at <= high + 1e-9:
                        hidden.add(label)
    return [t for t in figure.findobj(Text) if t.get_text().strip() and t not in hidden]


def check_texts(figure):
    """Check that each text is large enough, and that none is cut off."""
    figure.canvas.draw()
    renderer, box = figure.canvas.get_renderer(), figure.bbox
    for text in texts(figure):
        assert text.get_fontsize() >= 8, text.get_text()
        if text.get_visible():
            extent = text.get_window_extent(renderer)
            inside = box.x0 - 1 <= extent.x0 and extent.x1 <= box.x1 + 1
            assert inside and box.y0 - 1 <= extent.y0 and extent.y1 <= box.y1 + 1, text.get_text()


def check_figure(figure):
    """Check texts and width, and that picture and description name the source."""
    check_texts(figure)
    assert figure.description.startswith("MNIST: ")
    assert "MNIST" in [text.get_text() for text in texts(figure)]
    assert figure.get_figwidth() <= 6.7


@pytest.mark.parametrize("name", EVERY)
def test_text_can_be_read_and_names_the_source(name):
    check_figure(EVERY[name]())


def labels_below(figure):
    return [axes.get_xlabel() for axes in figure.axes]


def test_right_and_wrong_differ_by_mark_and_frame():
    figure = EVERY["predictions"]()
    assert labels_below(figure)[:5] == ["✓ 7", "✓ 2", "✓ 1", "✓ 0", "✗ 4→9"]
    frames = [[p for p in axes.patches if p.get_linestyle() == "--"] for axes in figure.axes]
    assert [len(frame) for frame in frames] == [0, 0, 0, 0, 1, 1]
    colours = [to_rgba(axes.xaxis.label.get_color()) for axes in figure.axes]
    assert colours[0] == to_rgba(plots.BLUE) and colours[4] == to_rgba(plots.ORANGE)
    assert "4 of 6 digits are read right" in figure.description
    assert "4→9, 5→3" in figure.description


def test_errors_are_the_wrong_ones_surest_first():
    p = np.full((6, 10), 0.01)
    p[4, 9], p[5, 3] = 0.5, 0.9
    figure = plots.errors(IMAGES, LABELS, PREDICTED, p)
    assert labels_below(figure) == ["✗ 5→3", "✗ 4→9"]
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), IMAGES[5])
    assert "2 of 6 digits are read wrong; the surest 2: 5→3, 4→9" in figure.description


def test_no_error_to_show_is_said():
    with pytest.raises(ValueError, match="every prediction is right"):
        plots.errors(IMAGES, LABELS, LABELS)


def test_confusion_counts_true_rows_and_predicted_columns():
    true = [3] * 5 + [5] * 2 + [7] * 4
    guess = [3] * 5 + [3] * 2 + [1] * 3 + [7]
    figure = plots.confusion(true, guess)
    axes = figure.axes[0]
    written = {tuple(map(round, t.get_position())): t.get_text() for t in axes.texts}
    assert written == {(3, 3): "5", (3, 5): "2", (1, 7): "3", (7, 7): "1"}
    assert axes.get_xlabel() == "predicted" and axes.get_ylabel() == "true"
    assert "6 of 11" in figure.description
    assert "7 taken for 1, 3 times" in figure.description
    assert np.diag(axes.images[0].get_array()).sum() == 0


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (
            [(7, 1), (7, 1), (4, 9), (4, 9), (2, 7)],
            "4 taken for 9 and 7 taken for 1, 2 times each.",
        ),
        ([(k, 0) for k in range(1, 6)], "5 pairs of digits, once each."),
    ],
)
def test_pairs_that_are_confused_equally_often_are_all_told(pairs, words):
    assert plots.confusion(*zip(*pairs, strict=True)).description.endswith(words)


def test_weights_are_centred_on_zero():
    figure = EVERY["weights"]()
    for axes in figure.axes[:10]:
        low, high = axes.images[0].get_clim()
        assert low == -high == -3
    assert "from -1 to 3" in figure.description


def test_weight_rows_have_a_scale_each():
    figure = EVERY["weight_rows"]()
    limits = [figure.axes[i].images[0].get_clim() for i in (0, 9, 10, 19)]
    assert limits == [(-3, 3), (-3, 3), (-1, 1), (-1, 1)]
    assert [figure.axes[i].get_ylabel() for i in (0, 10)] == ["one", "none"]
    assert "one: from -1 to 3; none: from 0 to 0" in figure.description


def test_digits_are_drawn_in_their_order_with_their_labels():
    figure = EVERY["digits"]()
    assert labels_below(figure) == [str(label) for label in LABELS]
    for axes, image in zip(figure.axes, IMAGES, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)


def test_rows_of_digits_are_named_at_their_left():
    figure = plots.digits(IMAGES, ["", "", "", *"abc"], columns=3, rows=("upper\nrow", "lower"))
    names = [axes.get_ylabel() for axes in figure.axes]
    assert names == ["upper\nrow", "", "", "lower", "", ""]
    assert figure.description == "6 digits, labelled a b c. Rows: upper row; lower."


def test_bands_reach_from_lowest_to_highest_and_the_line_is_the_mean():
    figure = plots.curves({"a": [[1, 2], [3, 6]]})
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [2, 4])
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == 1 and heights.max() == 6


def test_gap_in_a_line_is_not_described_as_a_number():
    figure = plots.curves({"a": [3, 1, np.nan], "b": [np.nan, 2, 4]})
    assert "a: 3 at 0, 1 at 1, lowest 1, highest 3." in figure.description
    assert "b: 2 at 1, 4 at 2, lowest 2, highest 4." in figure.description
    assert list(figure.axes[0].get_xticks()) == [0, 1, 2]


def test_marks_and_legend_are_for_lines_that_must_be_told_apart():
    long = np.arange(30)
    axes = plots.curves({"a": long}).axes[0]
    assert axes.get_legend() is None and axes.lines[0].get_marker() == ""
    for lines in ({"a": long, "b": long}, {"a": [1, 2]}):
        axes = plots.curves(lines).axes[0]
        assert axes.get_legend() and axes.lines[0].get_marker() == "o"


@pytest.mark.parametrize("name", ["graph", "graph with changes"])
def test_arrows_of_a_graph_touch_the_boxes_that_they_join(name):
    figure = EVERY[name]()
    figure.canvas.draw()
    shown = [text for text in figure.axes[0].texts if text.get_bbox_patch()]
    boxes = [text.get_bbox_patch().get_window_extent() for text in shown]
    arrows = [t.arrow_patch for t in figure.axes[0].texts if getattr(t, "arrow_patch", None)]
    assert len(arrows) == len(shown) - (name == "graph")
    for arrow in arrows:
        line = arrow.get_transform().transform(arrow.get_path().vertices)
        tail, points = line[0], line[np.isfinite(line).all(axis=1)]
        assert min(_away(box, tail) for box in boxes) < 3
        assert sum(min(_away(box, point) for point in points) < 3 for box in boxes) == 2


def _away(box, point):
    return np.hypot(*(np.clip(point, box.min, box.max) - point))


def test_changes_are_dashed_and_told():
    figure = EVERY["graph with changes"]()
    styles = [
        t.arrow_patch.get_linestyle() for t in figure.axes[0].texts if hasattr(t, "arrow_patch")
    ]
    assert [style for style in styles if style] == ["solid"] * 3 + ["--"]
    assert figure.description.endswith("step needs loss; step changes W.")


def test_learning_curves_draw_training_and_validation_apart():
    figure = plots.learning_curves({"a": HISTORY}, metrics=("loss",))
    training, validation = figure.axes[0].lines
    np.testing.assert_allclose(training.get_ydata(), HISTORY["loss"])
    np.testing.assert_allclose(validation.get_ydata(), HISTORY["val_loss"])
    assert training.get_linestyle() != validation.get_linestyle()
    assert "validation loss: 2.5 to 1" in figure.description


def test_no_line_is_dropped_and_no_two_look_alike():
    series = {str(i): np.arange(3) + i for i in range(12)}
    for lines in (
        plots.curves(series).axes[0].lines,
        plots.shift_ruler(series).axes[0].lines[:12],
        plots.learning_curves(dict.fromkeys("abcdef", HISTORY), "loss").axes[0].lines,
    ):
        looks = {(str(v.get_linestyle()), v.get_marker(), v.get_markerfacecolor()) for v in lines}
        assert len(lines) == len(looks) == 12
    for draw in (plots.curves, plots.shift_ruler):
        with pytest.raises(ValueError, match="1 to 12 lines apart, not 13"):
            draw(series | {"12": np.arange(3)})
    with pytest.raises(ValueError, match="1 to 6 lines apart, not 7"):
        plots.learning_curves(dict.fromkeys("abcdefg", HISTORY))


def test_training_lines_of_several_runs_differ_without_colour():
    runs = {"a": HISTORY, "b": HISTORY}
    first, _, second, _ = plots.learning_curves(runs, metrics="loss").axes[0].lines
    assert first.get_marker() != second.get_marker()


def test_description_names_the_best_epoch():
    history = {"val_loss": [3, 1, 2], "val_accuracy": [0.5, 0.75, 0.25]}
    said = plots.learning_curves({"a": history}).description
    assert "best 1 in epoch 2" in said and "best 0.75 in epoch 2" in said
    picture = plots.learning_curves({"a": history}, parts=2)
    assert "best 1 in epoch 1." in picture.description
    np.testing.assert_allclose(picture.axes[0].lines[0].get_xdata(), [0.5, 1, 1.5])


def test_float_images_above_one_are_not_all_black():
    image = np.linspace(0, 200, 784).reshape(1, 28, 28)
    assert plots.digits(image).axes[0].images[0].get_clim() == (0, 200)
    assert plots.digits(image / 400).axes[0].images[0].get_clim() == (0, 1)


def test_bars_write_the_mean_and_mark_every_seed():
    figure = EVERY["bars"]()
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1.5", "2.333"]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [1, 2, 4])
    assert "many 2.333 (1 to 4)" in figure.description


def test_dots_may_lie_on_an_axis_that_multiplies():
    picture = plots.dots({"fast": [0.5, 1], "slow": [30]}, log=True, mark=np.min)
    assert "fast 0.5 (0.5 to 1)" in picture.description
    (axes,) = picture.axes
    picture.draw_without_rendering()
    assert axes.get_xscale() == "log"
    assert {"1", "10"} <= {text.get_text() for text in axes.get_xticklabels()}


def test_dots_show_every_seed_and_the_mean_on_an_axis_that_fits():
    figure = EVERY["dots"]()
    axes = figure.axes[0]
    drawn = [line for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(drawn[1].get_xdata(), [0.91, 0.92, 0.94])
    assert [text.get_text() for text in axes.texts] == ["0.9", "0.9233"]
    assert axes.get_xlim()[0] > 0.89
    assert "accuracy: one 0.9; many 0.9233 (0.91 to 0.94)." in figure.description


def test_cards_have_the_same_axes_and_show_loss_above_accuracy():
    figure = EVERY["cards"]()
    assert len(figure.axes) == 8
    for name, (loss, accuracy) in zip("ABCD", by_card(figure), strict=True):
        assert loss.get_title() == name
        for axes, metric, top in ((loss, "loss", 3), (accuracy, "accuracy", 1.05)):
            assert axes.get_ylim() == (0, top)
            guess, training, validation = (line.get_ydata() for line in axes.lines)
            assert guess[0] == pytest.approx(np.log(10) if metric == "loss" else 0.1)
            assert list(training) == CARD[metric] and list(validation) == CARD[f"val_{metric}"]
    assert "D, accuracy: training 0.10 to 0.75, validation 0.20 to 0.62." in figure.description


def by_card(figure):
    named = [axes for axes in figure.axes if axes.get_title()]
    return [
        (axes, next(a for a in figure.axes if below(a, axes)))
        for axes in sorted(named, key=lambda axes: axes.get_title())
    ]


def below(one, other):
    (row, column), (above, beside) = (
        (a.get_subplotspec().rowspan.start, a.get_subplotspec().colspan.start) for a in (one, other)
    )
    return row == above + 1 and column == beside


def test_probabilities_mark_the_winner():
    figure = EVERY["probabilities"]()
    hatched = [bar for bar in figure.axes[1].patches if bar.get_hatch()]
    assert len(hatched) == 1 and round(hatched[0].get_x() + hatched[0].get_width() / 2) == 3
    assert "Highest: 3 with 0.910" in figure.description


def test_grids_write_small_arrays_as_numbers_and_frame_the_window():
    figure = EVERY["grids"]()
    image, signed, last = figure.axes
    written = {tuple(map(round, t.get_position())): t.get_text() for t in image.texts}
    assert written == {(c, r): str(GRID[r, c]) for r in range(3) for c in range(4)}
    assert [t.get_text() for t in last.texts] == ["0.333"]
    low, high = signed.images[0].get_clim()
    assert low == -high and image.images[0].get_clim()[0] == 0
    (frame,) = image.patches
    assert frame.get_bbox().bounds == (-0.5, 0.5, 3, 2)
    assert "image: 0 1 2 3 / 4 5 6 7 / 8 9 10 11, framed are rows 1 to 2" in figure.description
    assert "columns 0 to 2" in figure.description


def test_grids_with_a_large_array_are_pictures():
    figure = plots.grids({"digit": IMAGES[0], "pooled": IMAGES[0][::4, ::4]})
    assert not any(axes.texts for axes in figure.axes)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), IMAGES[0])
    assert "digit (28 x 28): from" in figure.description


def test_grids_tell_ranges_below_names_and_keep_cells_alike():
    figure = plots.grids({"digit": IMAGES[0], "map": -2.0 * IMAGES[0]}, ranges=True)
    least, most = IMAGES[0].min(), IMAGES[0].max()
    assert figure.axes[0].get_xlabel() == f"digit\n{least:.1f} to {most:.1f}"
    assert figure.axes[1].get_xlabel().startswith("map\n-")
    figure = plots.grids({"image": np.ones((4, 4)), "kernel": np.ones((2, 2))})
    figure.draw_without_rendering()
    large, small = (
        axes.get_window_extent().width / n for axes, n in zip(figure.axes, (4, 2), strict=True)
    )
    assert small < 1.3 * large


def test_filters_and_maps_carry_the_same_numbers():
    figure = EVERY["filters_and_maps"]()
    shown = [(axes.get_xlabel(), axes.images[0].get_array()) for axes in figure.axes]
    for name, values in shown:
        kind, number = name.split()
        right = np.linspace(-1, 3, 36).reshape(3, 3, 4) if kind == "filter" else MAPS
        np.testing.assert_allclose(values, right[..., int(number)], err_msg=name)
    names = [name for name, _ in shown]
    assert names == [
        *(f"{kind} {i}" for kind in ("filter", "map") for i in range(3)),
        *("filter 3", "map 3"),
    ]
    assert "Map 3 answers most strongly (99)" in figure.description


def test_maps_carry_their_labels():
    figure = plots.activations(MAPS, 4, "MNIST", labels="abcd")
    assert [axes.get_xlabel() for axes in figure.axes] == list("abcd")
    assert "the map labelled d answers most strongly (99)" in figure.description
    assert "; map 3 answers" in plots.activations(MAPS, 4, "MNIST").description


def test_first_direction_is_the_one_of_the_largest_spread():
    points = np.array([[-4, -3.9], [-1, -1.2], [0, 0.4], [2, 1.7], [3, 3]])
    figure = plots.directions(points, 3)
    axes = figure.axes[0]
    along = np.diff(axes.lines[0].get_xydata()[[0, 1]], axis=0)[0]
    assert along[1] / along[0] == pytest.approx(1, abs=0.1)
    across = np.diff(axes.lines[1].get_xydata()[[0, 1]], axis=0)[0]
    assert along @ across == pytest.approx(0, abs=1e-9)
    for shadow in axes.lines[2:]:
        start, foot = shadow.get_xydata()
        assert (foot - start) @ along == pytest.approx(0, abs=1e-9)
        assert any(np.allclose(start, point) for point in points)
    assert "keeps 99% of their spread" in figure.description or "100%" in figure.description


def test_reliability_counts_the_images_of_each_bin():
    figure = plots.reliability({"a": BINS}, "MNIST", images=400)
    x, y = figure.axes[1].lines[0].get_data()
    np.testing.assert_allclose(x, BINS[:, 1])
    np.testing.assert_allclose(y, [100, 300])
    assert figure.axes[1].get_yscale() == "log"
    assert "300 images in its fullest bin" in figure.description


def test_reliability_draws_accuracy_over_confidence_and_says_who_is_too_sure():
    figure = EVERY["reliability"]()
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.collections[0].get_offsets(), BINS[:, 1:])
    few, many = axes.collections[0].get_sizes()
    assert few < many
    assert "a: on average 0.175 too sure; b: on average 0.175 too modest" in figure.description


def test_panels_share_the_axis_and_the_style_of_a_name():
    figure = EVERY["panels"]()
    left, right = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["angle", "noise"]
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.9, 0.2])
    assert right.lines[0].get_marker() == left.lines[1].get_marker() != left.lines[0].get_marker()
    assert left.get_ylim() == right.get_ylim()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert "angle, a: 1 at 0, 0.5 at 30, highest 1. angle, b" in figure.description


def test_stored_pictures_have_few_colours_and_keep_their_size():
    figure, full = EVERY["digits"](), io.BytesIO()
    figure.savefig(full, format="png")
    stored = figure.png()
    assert Image.open(io.BytesIO(stored)).mode == "P"
    assert Image.open(io.BytesIO(stored)).size == Image.open(full).size
    assert len(stored) < len(full.getvalue()) / 1.5


def test_stored_confusions_keep_the_shade_of_every_cell():
    counts = np.random.default_rng(0).integers(0, 120, (10, 10))
    labels, predicted = (np.repeat(part.ravel(), counts.ravel()) for part in np.indices((10, 10)))
    figure, full = plots.confusion(labels, predicted), io.BytesIO()
    figure.savefig(full, format="png")
    drawn, stored = (
        np.asarray(Image.open(file).convert("RGB")).astype(int)
        for file in (full, io.BytesIO(figure.png()))
    )
    corners = figure.axes[0].transData.transform(np.argwhere(counts >= 0) - 0.4).astype(int)
    columns, rows = corners[:, 0], drawn.shape[0] - corners[:, 1]
    assert len(np.unique(drawn[rows, columns], axis=0)) > 40
    assert abs(drawn - stored)[rows, columns].max() <= 5


def test_heat_is_centred_on_zero_and_says_where_it_is_strongest():
    figure = EVERY["heat"]()
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), IMAGES[0])
    for axes, sign in zip(figure.axes[1:], (1, -1), strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), sign * HEAT)
        assert axes.images[0].get_clim() == (-2, 2)
    assert "one: from -0.5 to 2, strongest at row 27, column 27" in figure.description


def test_scatter_draws_each_digit_at_its_place_and_rings_the_marked():
    figure = EVERY["scatter"]()
    axes = figure.axes[0]
    drawn = [(text.get_text(), text.get_position()) for text in axes.texts]
    assert drawn == [(str(k), tuple(place)) for k, place in zip(LABELS, PLACES, strict=True)]
    np.testing.assert_allclose(axes.collections[0].get_offsets(), PLACES[4:])
    assert "middles of 4 and 5 are closest together. 2 are ringed" in figure.description


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: plots.digits(np.zeros((3, 27, 28))), "images are"),
        (lambda: plots.digits(IMAGES, LABELS[:3]), "6 images, but 3 labels"),
        (lambda: plots.predictions(IMAGES, LABELS, PREDICTED[:2]), "6 labels, but 2 predictions"),
        (lambda: plots.probabilities(np.ones(9)), "ten probabilities"),
        (lambda: plots.weights(np.zeros((10, 10))), "weights are"),
        (lambda: plots.weight_rows({"a": np.zeros((10, 10))}), "those of a are"),
        (lambda: plots.activations(np.zeros((7, 7))), "maps of one image"),
        (lambda: plots.digits(np.zeros((0, 28, 28))), "images are|nothing to show"),
        (lambda: plots.graph([]), "at least one edge"),
        (lambda: plots.confusion([3, 10], [3, 1]), "from 0 to 9"),
        (lambda: plots.confusion([3, 5], [3, -1]), "from 0 to 9"),
        (lambda: plots.learning_curves({"a": HISTORY}, "f1"), "no run has f1"),
        (lambda: plots.curves({}), "1 to 12 lines apart, not 0"),
        (lambda: plots.grids({}), "nothing to show"),
        (lambda: plots.grids({"map": np.zeros((2, 2, 1))}), "map must be"),
        (lambda: plots.heat(IMAGES[0], {"a": np.zeros((5, 5))}), "images are"),
        (lambda: plots.scatter(PLACES, LABELS[:4]), "6 points, but 4 labels"),
    ],
)
def test_bad_input_is_explained(draw, said):
    with pytest.raises(ValueError, match=said):
        draw()


def test_boxes_and_their_labels_stand_on_the_last_picture():
    page = np.zeros((40, 60, 3), np.uint8)
    boxes = [[2, 3, 10, 20], [30, 4, 12, 22]]
    picture = plots.pictures({"photo": page, "read": page}, boxes, [7, 4], source="MNIST")
    first, last = picture.axes
    assert not first.patches
    found = [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in last.patches]
    assert [tuple(map(int, box)) for box in found] == [tuple(box) for box in boxes]
    assert [text.get_text() for text in last.texts] == ["7", "4"]
    assert picture.description == (
        "MNIST: photo, 60 x 40 pixels; read, 60 x 40 pixels. 2 boxes: 7 4."
    )
    with pytest.raises(ValueError, match="2 boxes, but 1 labels"):
        plots.pictures({"photo": page}, boxes, [7])


def test_plots_start_without_pyplot_and_tensorflow():
    code = (
        "import sys, mnist_edu.plots; "
        "print({'tensorflow', 'keras', 'matplotlib.pyplot', 'IPython'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


LOCK = Path(__file__).parents[1] / "requirements.lock"
LOCKED = re.search(r"^matplotlib==(\S+)", LOCK.read_text(), re.M).group(1)


@pytest.mark.skipif(
    matplotlib.__version__ != LOCKED, reason=f"the stored pictures are of Matplotlib {LOCKED}"
)
@pytest.mark.parametrize("name", ["predictions", "confusion", "weights", "shift_ruler"])
def test_picture_looks_as_stored(name, tmp_path, request):
    """Delete a file in tests/baseline to store it anew, and look at it before you keep it."""
    stored = request.path.parent / "baseline" / f"{name}.png"
    drawn = tmp_path / f"{name}.png"
    EVERY[name]().savefig(drawn, dpi=60)
    if not stored.exists():
        stored.parent.mkdir(exist_ok=True)
        stored.write_bytes(drawn.read_bytes())
        pytest.fail(f"{stored.name} was stored: look at it")
    assert compare_images(str(stored), str(drawn), tol=6) is None


def test_changes_of_errors_are_sorted_into_three_rows():
    images = np.zeros((6, 28, 28), np.uint8)
    labels, before, after = [1, 2, 3, 4, 5, 6], [7, 2, 8, 4, 9, 6], [1, 2, 3, 0, 8, 6]
    figure = plots.error_changes(images, labels, before, after, columns=2, source="MNIST")
    assert figure.description == (
        "MNIST: Errors: 3 before, 2 after; 2 fixed (1→7, 3→8); 1 stayed (5→8); 1 new (4→0)."
    )
    captions = [axes.get_xlabel() for axes in figure.axes]
    assert captions == ["1→7", "3→8", "5→8", "", "4→0", ""]
    names = [axes.get_ylabel() for axes in figure.axes]
    assert names == ["fixed:\n2", "", "stayed:\n1", "", "new:\n1", ""]
    none = plots.error_changes(images, labels, labels, labels, columns=2)
    assert none.description == "Errors: 0 before, 0 after; 0 fixed; 0 stayed; 0 new."
    with pytest.raises(ValueError, match="predictions"):
        plots.error_changes(images, labels, before, after[:5])
