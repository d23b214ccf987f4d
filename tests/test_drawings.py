"""The drawings: their numbers, their words, and arrows that touch their boxes."""

import io
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Annotation
from PIL import Image
from test_plots import check_figure, texts

from mnist_edu import drawings
from mnist_edu.drawings import Layer
from mnist_edu.palette import BLUE, ORANGE


def relu(z):
    return np.maximum(z, 0)


def valley(w):
    return (w - 3) ** 2


CNN = [
    (28, 28, 1),
    Layer("conv", (28, 28, 32), 832, "ReLU", (5, 5)),
    Layer("max-pool", (14, 14, 32), 0, "", (2, 2)),
    Layer("conv", (14, 14, 64), 51_264, "ReLU", (5, 5)),
    Layer("max-pool", (7, 7, 64), 0, "", (2, 2)),
    Layer("flatten", (3136,)),
    Layer("dense", (1024,), 3_212_288, "ReLU"),
    Layer("dropout\n0.5", (1024,)),
    Layer("dense", (10,), 10_250, "softmax"),
]
UNIT = [
    ("w", "wx", 2, -2),
    ("x", "wx", 1, -4),
    ("wx", "sum", 2, -2),
    ("b", "sum", -0.5, -2),
    ("sum", "loss", 1.5, -2),
]
SHARED = [("a", "× 2", 0.5, -1), ("× 2", "c", 1, -0.5), ("a", "× 4", 0.5, 2), ("× 4", "c", 2, 0.5)]
Z = np.linspace(-4, 4, 80)
FILLED = {
    "outputs": [[1, 0.5, 0], [0.5, 0], [1, 7]],
    "blames": [None, [-3, 11], [-0.5, 0.25]],
    "weights": [np.array([[2, -1], [-2, 1], [3, 12]]), np.array([[2, -4], [1, 13]])],
    "gradients": [np.array([[-3, 0], [-1.5, 0], [0, 14]]), np.array([[-0.75, 0.75], [0, 15]])],
}
RING = [  # two workers: 1 and 10 add up in turn 1, the sums 11 and 22 go round in turn 2
    np.array([[1, 2], [10, 20]]),
    np.array([[1, 22], [11, 20]]),
    np.array([[11, 22], [11, 22]]),
]
STAYS = {"step 1": [1, 0, 1, 0], "step 2": [0, 1, 1, 0], "after training": [1, 1, 1, 1]}
EVERY = {
    "network": lambda: drawings.network([784, 128, 10], ["ReLU", "softmax"], source="MNIST"),
    "convolutions": lambda: drawings.network(CNN, source="MNIST"),
    "one unit": lambda: drawings.network([2, 1], source="MNIST"),
    "neuron": lambda: drawings.neuron([1, 0.5, 0], [2, -2, 3], -0.5, relu, source="MNIST"),
    "filled": lambda: drawings.filled_network(**FILLED, source="MNIST"),
    "computation": lambda: drawings.computation(UNIT, source="MNIST"),
    "shared": lambda: drawings.computation(SHARED, source="MNIST"),
    "one filter": lambda: drawings.one_filter(32, 14, 64, source="MNIST"),
    "two maps": lambda: drawings.one_filter(2, 6, 3, (3, 3), source="MNIST"),
    "dropout": lambda: drawings.dropout(STAYS, source="MNIST"),
    "values alone": lambda: drawings.computation([("w", "× 3", 1), ("× 3", "c", 3)], "MNIST"),
    "activations": lambda: drawings.activation_curves(
        Z,
        {"ReLU": relu(Z), "tanh": np.tanh(Z)},
        {"ReLU": Z > 0, "tanh": 1 - np.tanh(Z) ** 2},
        "MNIST",
    ),
    "marked curve": lambda: drawings.marked_curve(
        lambda p: -np.log(p), [0.5, 0.01, 0.99], "probability", "loss", "MNIST"
    ),
    "descent": lambda: drawings.descent(
        valley, {"rate 0.25": [0, 1.5, 2.25], "rate 1": [0, 6, 0]}, "MNIST"
    ),
    "ring": lambda: drawings.ring(RING, source="MNIST"),
}


@pytest.mark.parametrize("name", EVERY)
def test_text_can_be_read_and_names_the_source(name):
    check_figure(EVERY[name]())


@pytest.mark.parametrize(
    "name", ["network", "convolutions", "neuron", "one filter", "dropout", "computation"]
)
def test_no_two_texts_lie_on_each_other(name):
    figure = EVERY[name]()
    figure.canvas.draw()
    boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in texts(figure)]
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            high = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert wide < 1 or high < 3


def drawn(figure, kind):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


def written(figure):
    return [text.get_text() for text in texts(figure)]


# --- A network -----------------------------------------------------------------------------------


def test_a_network_of_many_grey_lines_is_stored_in_few_colours():
    stored = Image.open(io.BytesIO(drawings.network([784, 128, 10]).png()))
    assert len(stored.getcolors()) <= 32


def test_network_counts_the_parameters_of_dense_layers():
    figure = drawings.network([784, 128, 10], ["ReLU", "softmax"])
    assert figure.description == (
        "A network with 101,770 parameters. Input: 784; dense with ReLU: 128, 100,480 "
        "parameters; dense with softmax: 10, 1,290 parameters."
    )
    found = written(figure)
    expected = ["784", "128", "10", "100,480", "1,290", "101,770 parameters in all", "softmax"]
    assert set(expected) <= set(found)


def test_small_layers_are_drawn_whole_and_large_ones_by_their_ends():
    small, large = drawings.network([3, 2, 2]), drawings.network([784, 128, 10])
    pixels, units = len(drawn(small, Rectangle)), len(drawn(small, Circle))
    assert (pixels, units, len(small.axes[0].lines)) == (3, 4, 3 * 2 + 2 * 2)
    dots = [circle for circle in drawn(large, Circle) if circle.radius < 0.02]
    assert (len(drawn(large, Rectangle)), len(drawn(large, Circle)), len(dots)) == (8, 24, 6)


def test_maps_are_as_large_as_they_say_and_windows_lie_on_them():
    figure = drawings.network(CNN)
    sheets = [p for p in drawn(figure, Rectangle) if p.get_facecolor() == to_rgba("white")]
    windows = [p for p in drawn(figure, Rectangle) if p not in sheets]
    assert len(sheets) == 1 + 4 * 4 and len(windows) == 4
    widths = sorted({round(sheet.get_width() / sheets[0].get_width() * 28) for sheet in sheets})
    assert widths == [7, 14, 28]
    first = windows[0]
    assert round(first.get_width() / sheets[0].get_width() * 28) == 5
    (left, low), side = sheets[0].get_xy(), sheets[0].get_width()
    assert left <= first.get_x() and first.get_x() + first.get_width() <= left + side
    assert low <= first.get_y() and first.get_y() + first.get_height() <= low + side
    assert "conv 5 x 5 with ReLU: 28 x 28 x 32, 832 parameters" in figure.description
    assert "A network with 3,274,634 parameters" in figure.description


def standing_in(kind, shape, learned=0, **attributes):
    """Return what Keras would call a layer of this kind."""
    output = type("Tensor", (), {"shape": (None, *shape)})
    return type(kind, (), {"output": output, "count_params": lambda self: learned, **attributes})()


def named(name):
    return staticmethod(type("", (), {"__name__": name})())


def test_keras_model_is_read_by_its_attributes():
    layers = [
        standing_in("InputLayer", (28, 28, 1)),
        standing_in("Conv2D", (28, 28, 32), 832, kernel_size=(5, 5), activation=named("linear")),
        standing_in("ReLU", (28, 28, 32)),
        standing_in("MaxPooling2D", (14, 14, 32), pool_size=(2, 2)),
        standing_in("GlobalAveragePooling2D", (32,)),
        standing_in("Dropout", (32,), rate=0.5),
        standing_in("Dense", (10,), 330, activation=named("softmax")),
    ]
    model = type("Model", (), {"layers": layers, "input_shape": (None, 28, 28, 1)})
    assert drawings.network(model).description == (
        "A network with 1,162 parameters. Input: 28 x 28 x 1; "
        "conv 5 x 5 with ReLU: 28 x 28 x 32, 832 parameters; "
        "max-pool 2 x 2: 14 x 14 x 32, 0 parameters; global mean: 32, 0 parameters; "
        "dropout 0.5: 32, 0 parameters; dense with softmax: 10, 330 parameters."
    )


@pytest.mark.slow
def test_a_true_keras_model_is_drawn_with_its_own_counts():
    keras = pytest.importorskip("keras")
    dense, conv = keras.layers.Dense, keras.layers.Conv2D
    stack = [conv(32, 5, padding="same", activation="relu"), keras.layers.MaxPooling2D(2)]
    stack += [conv(64, 5, padding="same", activation="relu"), keras.layers.MaxPooling2D(2)]
    stack += [keras.layers.Flatten(), dense(1024, "relu"), keras.layers.Dropout(0.5)]
    stack += [dense(10, "softmax")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *stack])
    assert drawings.network(model).description == drawings.network(CNN).description
    with pytest.raises(ValueError, match="begin it with keras.Input"):
        drawings.network(keras.Sequential([dense(10)]))


# --- Units and graphs ----------------------------------------------------------------------------


def test_neuron_works_out_its_sum_and_its_output():
    figure = drawings.neuron([1, 0.5, 0], [2, -2, 3], -0.5, relu)
    assert {"sum\n0.5", "bias −0.5", "× −2", "x₂ = 0.5", "ReLU", "0.5"} <= set(written(figure))
    silent = drawings.neuron([0.5, 1, 0], [2, -2, 3], -0.5, relu)
    assert {"sum\n−1.5", "0"} <= set(written(silent))
    assert "= −1.5; ReLU makes 0 of it" in silent.description
    greys = [patch.get_facecolor()[0] for patch in drawn(figure, Rectangle)[:3]]
    assert greys == [0, 0.5, 1]


def ends(figure):
    arrows = [a for a in figure.axes[0].texts if isinstance(a, Annotation)]
    return [(arrow.xyann, arrow.xy) for arrow in arrows]


def boxes(figure):
    """Return the rectangle around each text that has one."""
    names = {tuple(np.round(t.get_position(), 6)): t.get_text() for t in figure.axes[0].texts}
    found = drawn(figure, Rectangle)
    return {names[tuple(np.round(box.get_center(), 6))]: box.get_bbox() for box in found}


@pytest.mark.parametrize("edges", [UNIT, SHARED])
def test_arrows_touch_the_boxes_that_they_join(edges):
    figure = drawings.computation(edges)
    box = boxes(figure)
    for (start, end, *_), (tail, head) in zip(edges, ends(figure), strict=True):
        assert tail[0] == pytest.approx(box[start].x1) and head[0] == pytest.approx(box[end].x0)
        assert box[start].y0 < tail[1] < box[start].y1 and box[end].y0 < head[1] < box[end].y1


@pytest.mark.parametrize("edges", [UNIT, SHARED])
def test_boxes_of_a_computation_do_not_overlap(edges):
    found = list(boxes(drawings.computation(edges)).values())
    for i, one in enumerate(found):
        assert not any(one.overlaps(other) for other in found[:i])


def test_values_stand_above_their_arrows_and_gradients_below():
    edges = [("w", "× 3", 11, 66), ("× 3", "c", 33, 22)]
    figure = drawings.computation(edges)
    place = {text.get_text(): (*text.get_position(), text.get_color()) for text in texts(figure)}
    for (_, _, value, gradient), (tail, head) in zip(edges, ends(figure), strict=True):
        x, y, colour = place[str(value)]
        x2, y2, other = place[str(gradient)]
        assert y2 < tail[1] == head[1] < y and x == x2 and tail[0] < x < head[0]
        assert (colour, other) == (BLUE, ORANGE)
    told = "w to × 3: value 11, gradient 66; × 3 to c: value 33, gradient 22"
    assert told in figure.description


def test_a_number_that_goes_two_ways_has_one_box_and_two_arrows():
    figure = drawings.computation(SHARED)
    assert [text for text in written(figure) if text == "a"] == ["a"]
    tails = [tail for tail, _ in ends(figure)]
    assert tails[0] == tails[2]


def test_filled_network_writes_every_number_where_it_belongs():
    figure = drawings.filled_network(**FILLED)
    place = {text.get_text(): text.get_position() for text in texts(figure)}
    units = [circle.center for circle in drawn(figure, Circle)]
    assert len(units) == 4
    assert place["11"][0] == units[1][0] and place["11"][1] < units[1][1] - 0.2  # blame of unit 2
    start, end = drawn(figure, Rectangle)[2].get_center(), np.array(units[1])  # weight 12
    along = (place["12"][0] - start[0]) / (end[0] - start[0])
    assert place["12"][1] - 0.08 == pytest.approx(start[1] + along * (end[1] - start[1]))
    assert place["14"][0] == place["12"][0] and place["14"][1] < place["12"][1]
    told = "layer 1: 0.5 0, blame −3 11; layer 2: 1 7, blame −0.5 0.25"
    assert told in figure.description
    assert (
        "weights to layer 2: 2 −4 / 1 13, their gradients: −0.75 0.75 / 0 15" in figure.description
    )


# --- Curves --------------------------------------------------------------------------------------


def test_activations_and_their_slopes_are_drawn_as_given():
    figure = EVERY["activations"]()
    left, right = (
        [line for line in axes.lines if len(line.get_xdata()) == 80] for axes in figure.axes
    )
    np.testing.assert_array_equal(left[0].get_ydata(), relu(Z))
    np.testing.assert_array_equal(right[1].get_ydata(), 1 - np.tanh(Z) ** 2)
    assert [axes.get_ylabel() for axes in figure.axes] == ["output", "slope"]
    assert "ReLU: from 0 at −4 to 4 at 4, slope from 0 to 1" in figure.description


def test_steps_downhill_stand_on_the_curve_with_their_numbers():
    figure = drawings.descent(valley, {"rate 0.25": [0, 1.5, 2.25], "rate 1": [0, 6, 0]})
    for axes, path in zip(figure.axes, ([0, 1.5, 2.25], [0, 6, 0]), strict=True):
        curve, steps = axes.lines
        np.testing.assert_array_equal(steps.get_xdata(), path)
        np.testing.assert_array_equal(steps.get_ydata(), valley(np.array(path)))
        np.testing.assert_allclose(curve.get_ydata(), valley(curve.get_xdata()))
        assert curve.get_xdata()[0] < min(path) and curve.get_xdata()[-1] > 3
    assert [t.get_text().strip() for t in figure.axes[1].texts] == ["0", "1"]
    assert "rate 1: weight 0, 6, 0, loss 9 to 9." in figure.description


def test_marks_stand_on_the_curve_with_both_numbers():
    figure = EVERY["marked curve"]()
    curve, dots = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_ydata(), -np.log(curve.get_xdata()))
    np.testing.assert_allclose(dots.get_xdata(), [0.01, 0.5, 0.99])
    np.testing.assert_allclose(dots.get_ydata(), -np.log([0.01, 0.5, 0.99]))
    assert {"0.01 → 4.61", "0.5 → 0.69", "0.99 → 0.01"} <= set(written(figure))
    told = "MNIST: A curve, loss over probability. 0.01: 4.61; 0.5: 0.69; 0.99: 0.01."
    assert figure.description == told


def test_ring_frames_what_arrived_and_an_arrow_leads_to_it_from_the_sender():
    figure = EVERY["ring"]()
    cells = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    framed = [p for p in cells if to_rgba(p.get_edgecolor()) == to_rgba(BLUE)]
    grey = [p for p in cells if p.get_facecolor()[:3] == to_rgba("0.87")[:3]]
    assert (len(cells), len(framed), len(grey)) == (3 * 4 + 4, 4, 0 + 2 + 4)
    arrows = [a for a in figure.axes[0].texts if isinstance(a, Annotation)]
    assert len(arrows) == len(framed)
    for arrow, frame in zip(arrows, framed, strict=True):
        side, (x, y) = frame.get_width(), frame.get_xy()
        assert x < arrow.xy[0] < x + side and y < arrow.xy[1] < y + side, "ends elsewhere"
        assert x < arrow.get_position()[0] < x + side, "leads into another column"
        assert abs(arrow.get_position()[1] - y - side / 2) > side / 2, "starts where it ends"
    assert figure.description == (
        "MNIST: A ring of 2 workers, a row for each. Start: 1 2 / 10 20. "
        "Turn 1: worker 1 sends 20 to worker 0, which then has 22; "
        "worker 0 sends 1 to worker 1, which then has 11. "
        "Turn 2: worker 1 sends 11 to worker 0, which then has 11; "
        "worker 0 sends 22 to worker 1, which then has 22."
    )


# --- Input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: drawings.network([784]), "at least one layer"),
        (lambda: drawings.network([]), "at least one layer"),
        (lambda: drawings.neuron([1, 2], [1], 0, relu), "2 inputs, but 1 weights"),
        (lambda: drawings.computation([]), "at least one edge"),
        (lambda: drawings.ring([np.eye(2)]), "two states or more"),
        (lambda: drawings.ring([np.eye(2), np.eye(3)]), "two states or more"),
        (
            lambda: drawings.filled_network(**FILLED | {"weights": [np.ones((2, 3))] * 2}),
            r"layer 1 must be \(3, 2\), not \(2, 3\)",
        ),
    ],
)
def test_bad_input_is_explained(draw, said):
    with pytest.raises(ValueError, match=said):
        draw()


def test_drawings_start_without_pyplot_and_tensorflow():
    code = (
        "import sys, mnist_edu.drawings; "
        "print({'tensorflow', 'keras', 'matplotlib.pyplot', 'IPython'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- One filter, dropout -------------------------------------------------------------------------


def test_a_filter_has_a_window_and_weights_for_each_map_that_is_drawn():
    for maps, numbers in ((32, [1, 2, 3, 32]), (4, [1, 2, 3, 4]), (2, [1, 2])):
        figure = drawings.one_filter(maps, 14, 64)
        told = written(figure)
        assert [text for text in told if text.startswith("map ")] == [f"map {n}" for n in numbers]
        assert told.count("5 × 5 weights") == len(numbers) and told.count("sum + bias") == 1
        dots = drawn(figure, Circle)
        assert len(dots) == (3 if maps > 4 else 0)  # maps that are left out
    said = drawings.one_filter(32, 14, 64).description
    assert "32 x 25 = 800 products and a bias make one number" in said and "64 maps" in said
    with pytest.raises(ValueError, match="1 map"):
        drawings.one_filter(1, 14, 64)


def test_a_dropped_unit_has_a_cross_and_no_lines():
    figure = drawings.dropout(STAYS, rate=0.75)
    lines = len(figure.axes[0].lines)
    assert lines == (2 + 2 + 4) * (4 + 3) + 4 * 2
    dashed = [unit for unit in drawn(figure, Circle) if unit.get_linestyle() == "--"]
    assert len(dashed) == 4
    factors = [text for text in written(figure) if text.startswith("hidden units")]
    assert factors == ["hidden units × 4", "hidden units × 4", "hidden units × 1"]
    assert "step 1: without hidden units 2, 4, outputs times 4" in figure.description
    assert "after training: with all hidden units, outputs times 1" in figure.description
