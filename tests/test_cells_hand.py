"""Notebook 03, cell by cell: its pencil numbers, its thirty lines, its checks and its faults."""

import ast
import functools
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from cells import NOTEBOOKS, cells_of, run_cells

from mnist_edu import data, drawings, lesson, synthetic

NOTEBOOK = "03"
CORE = ("softmax", "forward", "backward", "first-weights", "epoch")  # the thirty lines
SIZES = {"train": 1_000, "validation": 200, "test": 200}


class Listening:
    """A module whose functions are remembered with what they were given, and then called."""

    def __init__(self, module, act=True):
        self.module, self.act, self.heard = module, act, []

    def __getattr__(self, name):
        def call(*given, **named):
            self.heard.append((name, given, named))
            return getattr(self.module, name)(*given, **named) if self.act else None

        return call if callable(getattr(self.module, name)) else getattr(self.module, name)

    def given_to(self, name):
        return [given for known, given, _ in self.heard if known == name]


@functools.cache
def digits():
    splits = {
        name: data.Split(*synthetic.make_digits(count, seed=seed))
        for seed, (name, count) in enumerate(SIZES.items(), 1)
    }
    return data.Dataset(source="few digits", **splits)


def run(*ids, **names):
    """Run cells with what the first cells import and set."""
    given = {"np": np, "lesson": lesson, "drawings": Listening(drawings, act=False), "data": data}
    given |= {"generator": np.random.default_rng(1), "digits": digits(), "batch_size": 100}
    given |= {"time": SimpleNamespace(perf_counter=lambda: 0.0), "train_images": 1_000}
    given |= {"learning_rate": 0.5, "fault_images": 1_000, "short_epochs": 1, "epochs": 2}
    return run_cells(NOTEBOOK, *ids, **given | names)


@pytest.fixture(scope="module")
def core():
    return run(*CORE)


def network(sizes, seed=0):
    """Return weights of a dense network with two layers, as 64-bit numbers."""
    generator, weights = np.random.default_rng(seed), []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        weights += [generator.normal(size=(inputs, outputs)), generator.normal(size=outputs)]
    return weights


def batch(sizes, count, seed=5):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, sizes[-1], count)
    return generator.uniform(size=(count, sizes[0])), np.eye(sizes[-1])[labels]


def cross_entropy(weights, x, y, bend=True):
    """Return the loss, worked out in a way of its own: a log of sums, image by image."""
    W1, b1, W2, b2 = weights
    total = 0.0
    for image, label in zip(x, y, strict=True):
        hidden = np.array([sum(image * W1[:, k]) + b1[k] for k in range(len(b1))])
        hidden = np.where(hidden > 0, hidden, 0) if bend else hidden
        scores = [sum(hidden * W2[:, k]) + b2[k] for k in range(len(b2))]
        total += np.logaddexp.reduce(scores) - scores[int(label.argmax())]
    return total / len(x)


def slopes(weights, measure, h=1e-6):
    """Return the gradient by nudging every weight; not the notebook's own nudge."""
    found = [np.zeros_like(weight) for weight in weights]
    for weight, gradient in zip(weights, found, strict=True):
        for place in np.ndindex(weight.shape):
            kept = weight[place]
            sides = []
            for moved in (kept + h, kept - h):
                weight[place] = moved
                sides.append(measure())
            weight[place] = kept
            gradient[place] = (sides[0] - sides[1]) / (2 * h)
    return found


def near(one, other, tolerance=1e-6):
    return all(np.allclose(a, b, rtol=0, atol=tolerance) for a, b in zip(one, other, strict=True))


# --- Form ----------------------------------------------------------------------------------------


def test_parameters_are_those_that_the_text_speaks_of():
    found = run_cells(NOTEBOOK, "parameters")
    expected = {"source": "auto", "seed": 1, "train_images": 55_000, "epochs": 5}
    expected |= {"batch_size": 100, "learning_rate": 0.5, "short_epochs": 3, "fault_images": 10_000}
    assert {name: found[name] for name in expected} == expected


def test_notebook_opens_with_the_network_before_setup_text_and_parameters():
    ids = list(cells_of(NOTEBOOK))
    assert ids[:4] == ["title", "setup", "network", "puzzle"]
    source = "".join(cells_of(NOTEBOOK)["network"]["source"])
    assert source == 'drawings.network([784, 128, 10], ["ReLU", "softmax"])'


def test_thirty_lines_are_thirty_and_have_no_class():
    lines, names = 0, []
    for name in CORE:
        tree = ast.parse("".join(cells_of(NOTEBOOK)[name]["source"]))
        for part in tree.body:
            names.append(part.name)
            assert isinstance(part, ast.FunctionDef)
            if part.name != "loss":  # which training does not need
                lines += len([line for line in ast.unparse(part).splitlines() if line.strip()])
    expected = [
        "softmax",
        "forward",
        "loss",
        "backward",
        "he",
        "first_weights",
        "epoch",
        "accuracy",
    ]
    assert names == expected and lines == 30


@pytest.mark.slow
def test_tensorflow_comes_with_the_check_and_not_before():
    cells = cells_of(NOTEBOOK)
    code = [(name, "".join(c["source"])) for name, c in cells.items() if c["cell_type"] == "code"]
    assert [name for name, source in code if "import tensorflow" in source] == ["tape"]
    seen = "import sys; print({'tensorflow', 'keras'} & set(sys.modules))"
    program = [dict(code)["setup"], dict(code)["parameters"], seen]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()", done.stderr


def test_test_images_are_read_at_the_ends_and_chosen_by_never():
    cells = cells_of(NOTEBOOK).items()
    code = {name: "".join(c["source"]) for name, c in cells if c["cell_type"] == "code"}
    reading = {
        name for name, source in code.items() if "x_test" in source or "digits.test" in source
    }
    assert reading == {"images", "test", "look-linear", "ruler"}


def test_guesses_are_open():
    guesses = [c for c in cells_of(NOTEBOOK).values() if "predict" in c["metadata"].get("tags", [])]
    assert len(guesses) >= 10
    for cell in guesses:
        (line,) = ast.parse("".join(cell["source"])).body
        assert ast.unparse(line.value) == "..."


# --- With a pencil -------------------------------------------------------------------------------


def test_unit_is_drawn_and_asked_with_its_own_numbers():
    found = run("unit", "unit-figure", "look-unit", guess_unit=0)
    ((image, weights, bias, activation),) = found["drawings"].given_to("neuron")
    assert image @ weights + bias == 0.5 == activation(0.5) and activation(-0.5) == 0
    assert found["printed"] == "sum: -1.5\nYour guess: 0 · answer: 0 · difference: 0, right"


def test_two_linear_layers_are_one_and_two_units_with_a_bend_solve_what_one_layer_cannot():
    found = run("unit", "layer", "two-layers", "look-bend", "bend", guess_bend="c")
    assert found["printed"].count("[ 1.5 -5.5]") == 2
    assert "right" in found["printed"]
    np.testing.assert_array_equal(found["either"] - 2 * found["both"], found["wanted"])
    grid = np.stack(np.meshgrid(*[np.linspace(-2, 2, 21)] * 3), axis=-1).reshape(-1, 3)
    answers = grid[:, :2] @ found["pixels"].T + grid[:, 2:]
    assert np.abs(answers - found["wanted"]).max(axis=1).min() >= 0.5 - 1e-9


def test_slope_of_the_sigmoid_is_a_quarter_at_most():
    found = run("unit", "slope", "look-sigmoid", "activations", guess_sigmoid=...)
    assert found["printed"].endswith("Answer: 0.25")
    ((z, values, drawn),) = found["drawings"].given_to("activation_curves")
    np.testing.assert_allclose(values["sigmoid"], 1 / (1 + np.exp(-z)))
    np.testing.assert_allclose(
        drawn["sigmoid"], values["sigmoid"] * (1 - values["sigmoid"]), atol=1e-8
    )
    np.testing.assert_allclose(drawn["tanh"], 1 - values["tanh"] ** 2, atol=1e-8)
    np.testing.assert_allclose(drawn["ReLU"], z > 0, atol=1e-8)


def test_steps_in_the_valley_shrink_jump_and_explode_as_told():
    walk = run("walk")["walk"]
    assert walk(0.25, 3) == [0, 1.5, 2.25, 2.625]
    assert walk(1.0, 4) == [0, 6, 0, 6, 0]
    for rate in (0.02, 0.25, 1.1):
        away = np.abs(np.array(walk(rate, 6)) - 3)
        np.testing.assert_allclose(away[1:] / away[:-1], abs(1 - 2 * rate))


def test_table_of_three_steps_adds_up():
    found = run("walk", "three-steps", lesson=Listening(lesson, act=False))
    ((rows,),) = found["lesson"].given_to("table")
    for row, after in zip(rows, rows[1:], strict=False):
        assert row["weight"] + row["change"] == after["weight"]
        assert row["change"] == -0.25 * row["slope"] and row["loss"] == (row["weight"] - 3) ** 2


def flows(edges):
    """Return for each box the numbers that come in, and those that leave it."""
    into, out = {}, {}
    for start, end, *numbers in edges:
        into.setdefault(end, []).append(numbers)
        out.setdefault(start, []).append(numbers)
    return into, out


def test_chain_is_drawn_with_its_true_numbers():
    ((edges,),) = run("chain-figure")["drawings"].given_to("computation")
    assert [value for _, _, value, _ in edges] == [1, 3, 1, 1]
    steps = (lambda w: 3 * w, lambda v: v - 2, lambda v: v**2, lambda v: v)
    for i, (_, _, value, gradient) in enumerate(edges):

        def end(v, first=i):
            return functools.reduce(lambda number, step: step(number), steps[first:], v)

        assert gradient == pytest.approx((end(value + 1e-6) - end(value - 1e-6)) / 2e-6)


def test_graph_of_a_unit_is_drawn_with_its_true_numbers():
    found = run("unit", "graph", "nudge", "unit-loss", "look-blame", guess_blame=-1)
    ((edges,),) = found["drawings"].given_to("computation")
    drawn = {start: (value, gradient) for start, _, value, gradient in edges}
    names = dict(zip(("w₁", "w₂", "b", "x₁", "x₂"), found["numbers"], strict=True))
    for place, (name, value) in enumerate(names.items()):
        slope = found["nudge"](found["numbers"], place, found["unit_loss"])
        assert drawn[name] == (value, pytest.approx(slope))
    values = {name: value for name, (value, _) in drawn.items()}
    assert values["w₁x₁"] == values["w₁"] * values["x₁"]
    assert values["w₂x₂"] == values["w₂"] * values["x₂"]
    assert values["sum"] == values["w₁x₁"] + values["w₂x₂"] + values["b"] == values["ReLU"]
    assert values["− 1.5"] == values["ReLU"] - 1.5 and values["square"] == values["− 1.5"] ** 2
    assert values["square"] == found["unit_loss"]()
    assert found["printed"].endswith("Your guess: -1 · answer: -1 · difference: 0, right")


@pytest.fixture(scope="module")
def small():
    ids = ["unit", "layer", "two-layers", "small", *CORE[:2], "small-forward", "look-hidden"]
    ids += ["share-figure", "small-relu", "small-weights", "filled", "backward", "nudge", "off"]
    return run(*ids, "small-check", "small-step", guess_hidden=-3)


def test_small_network_has_the_numbers_of_the_text(small):
    printed = small["printed"]
    for told in ("[[ 0.5 -1. ]]", "[[1. 1.]]", "[[0.5 0.5]]", "0.6931", "[[-3.  1.]]"):
        assert told in printed
    assert "dW1: [[-3.0, 0.0], [-1.5, 0.0], [0.0, 0.0]]  db1: [-3.  0.]" in printed
    assert "dW2: [[-0.25, 0.25], [0.0, 0.0]]  db2: [-0.5  0.5]" in printed
    assert "agree: True" in printed and "loss after:  0.015" in printed


def test_blame_that_goes_two_ways_is_drawn_with_its_true_numbers(small):
    ((edges,),) = small["drawings"].given_to("computation")
    into, out = flows(edges)
    ways = ("× 2", "score 1"), ("× (−4)", "score 2")
    for number, (product, score) in enumerate(ways):
        blame, weight = small["dz2"][0, number], small["W2"][0, number]
        assert {gradient for _, gradient in into[score] + out[score]} == {blame}
        assert into[product] == [[small["a1"][0, 0], blame * weight]]
        assert out[product][0][0] == small["a1"][0, 0] * weight
        bias = sum(value for value, _ in into[score]) - out[product][0][0]
        assert bias == small["b2"][number]
        assert out[score][0][0] == (small["a1"] @ small["W2"] + small["b2"])[0, number]
    assert sum(gradient for _, gradient in out["a₁"]) == small["da1"][0, 0] == -3
    assert out["−ln p₁"][0][0] == pytest.approx(np.log(2), abs=5e-4)


def test_filled_network_gets_the_true_gradients(small):
    ((_, _, named),) = [call for call in small["drawings"].heard if call[0] == "filled_network"]
    x, y = small["x_small"], small["y_small"]
    dW1, _, dW2, _ = slopes(small["small"], lambda: cross_entropy(small["small"], x, y))
    assert near(named["gradients"], [dW1, dW2])
    assert named["weights"] == [small["W1"], small["W2"]]
    hidden = np.maximum(x @ small["W1"] + small["b1"], 0)
    np.testing.assert_allclose(named["outputs"][1], hidden)
    np.testing.assert_allclose(named["outputs"][2], hidden @ small["W2"] + small["b2"])


# --- The thirty lines ----------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(6, 4, 3), (3, 5, 5), (4, 4, 4)])
def test_backward_is_what_nudging_finds_for_every_weight(core, sizes):
    weights, (x, y) = network(sizes), batch(sizes, 7)
    assert core["loss"](weights, x, y) == pytest.approx(cross_entropy(weights, x, y))
    hidden = x @ weights[0] + weights[1]
    assert (hidden > 0).any() and (hidden < 0).any()
    expected = slopes(weights, lambda: cross_entropy(weights, x, y))
    assert near(core["backward"](weights, x, y), expected)


def test_softmax_sums_to_one_and_survives_large_scores(core):
    p = core["softmax"](np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0]]))
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p[0], np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum())


def test_first_weights_are_those_of_he():
    weights = run("first-weights")["first_weights"]()
    assert [w.shape for w in weights] == [(784, 128), (128,), (128, 10), (10,)]
    assert sum(w.size for w in weights) == 101_770
    assert {w.dtype for w in weights} == {np.dtype("float32")}
    for matrix, inputs in ((weights[0], 784), (weights[2], 128)):
        assert matrix.std() == pytest.approx(np.sqrt(2 / inputs), rel=0.1)
        assert abs(matrix.mean()) < 4 * matrix.std() / np.sqrt(matrix.size)
        assert abs((np.abs(matrix) < matrix.std()).mean() - 0.683) < 0.05  # normal, not uniform
    assert not weights[1].any() and not weights[3].any()


def test_weights_of_he_keep_the_size_of_numbers_and_others_do_not():
    found = run("unit", "images", "ten-layers", "look-scale", guess_scale="c")
    sizes = found["sizes"]
    start = found["size"](found["x"][:100])
    assert sizes["1"] > 1e6 * start and sizes["0.01"] < 1e-6 * start
    assert start / 5 < sizes["√(2 / inputs)"] < 5 * start
    assert "answer: c · right" in found["printed"]


def test_epoch_is_plain_gradient_descent_on_shuffled_batches():
    x, y = np.arange(1_000.0)[:, np.newaxis], np.arange(1_000.0)[:, np.newaxis]
    weights, seen = [np.zeros((2, 3)), np.ones(2)], []

    def backward(weights, images, labels):
        np.testing.assert_array_equal(images, labels)
        seen.append((images[:, 0], [weight.copy() for weight in weights]))
        return [np.full((2, 3), images.mean()), np.ones(2) * len(seen)]

    run(*CORE)["epoch"](weights, x, y, 0.25, backward)
    assert [len(images) for images, _ in seen] == [100] * 10
    order = np.concatenate([images for images, _ in seen])
    assert sorted(order) == list(range(1_000)) and (np.diff(order) != 1).any()
    for number, (images, before) in enumerate(seen, 1):
        after = seen[number][1] if number < 10 else weights
        np.testing.assert_allclose(after[0], before[0] - 0.25 * images.mean())
        np.testing.assert_allclose(after[1], before[1] - 0.25 * number)


def test_another_epoch_has_another_order():
    seen = []
    epoch = run(*CORE)["epoch"]
    for _ in range(2):
        epoch([], np.arange(300), np.arange(300), 0.1, lambda w, x, y: seen.append(x) or [])
    assert len(seen) == 6
    assert (np.concatenate(seen[:3]) != np.concatenate(seen[3:])).any()


def test_accuracy_counts_the_highest_probability(core):
    weights = [np.eye(3), np.zeros(3), np.eye(3), np.zeros(3)]
    x = np.array([[3, 1, 2], [0, 5, 1], [1, 2, 3.0]])
    assert core["accuracy"](weights, x, np.array([0, 1, 1])) == pytest.approx(2 / 3)


@pytest.mark.slow
def test_training_begins_at_guessing_and_learns():
    found = run("images", *CORE, "train", weights=run(*CORE)["first_weights"](), epochs=8)
    assert len(found["history"]) == 8
    assert found["history"][-1] > 0.6
    fresh = found["accuracy"](
        run(*CORE)["first_weights"](), found["x_validation"], digits().validation.labels
    )
    assert fresh < 0.3


# --- The checks ----------------------------------------------------------------------------------


def test_nudge_gives_the_slope_of_one_number_and_puts_it_back():
    array = np.array([[1.0, 2.0], [3.0, 4.0]])
    before = array.copy()
    nudge = run("nudge")["nudge"]
    assert nudge(array, (1, 0), lambda: array[1, 0] ** 3 * array[0, 1]) == pytest.approx(54)
    assert abs(nudge(array, (0, 0), lambda: abs(array[0, 0] - 1))) < 1e-6  # not one way only
    np.testing.assert_array_equal(array, before)


@pytest.fixture(scope="module")
def large():
    return run("images", *CORE, "nudge", "off", "large-check")


@pytest.mark.slow
def test_large_network_is_nudged_at_fifty_places_of_each_array(large):
    assert [len(set(some)) for some in large["places"]] == [50, 50, 50, 10]
    assert [w.dtype for w in large["precise"]] == [np.float64] * 4
    assert large["nudge_difference"] < 1e-4
    weights, (x, y) = large["precise"], large["batch"]
    for k, place in ((0, large["places"][0][0]), (2, large["places"][2][0])):
        row = weights[k].reshape(-1)
        kept = row[place]
        row[place] = kept + 1e-5
        up = cross_entropy(weights, x, y)
        row[place] = kept - 1e-5
        expected = (up - cross_entropy(weights, x, y)) / 2e-5
        row[place] = kept
        assert large["slopes_large"][k][0] == pytest.approx(expected, rel=1e-2, abs=1e-7)


def test_off_is_nothing_for_the_right_gradient_and_one_for_a_missing_one(small):
    gradients = small["backward"](small["small"], small["x_small"], small["y_small"])
    known = {"places": small["everywhere"], "slopes": small["slopes_small"]}
    off = functools.partial(small["off"], **known)
    assert off(gradients) < 1e-4
    for k in range(4):
        wrong = [0 * g if i == k else g for i, g in enumerate(gradients)]
        assert off(wrong) == pytest.approx(1, abs=1e-4)
        wrong = [1.01 * g if i == k else g for i, g in enumerate(gradients)]
        assert off(wrong) == pytest.approx(0.01, abs=1e-4)


@pytest.mark.parametrize(
    ("milliseconds", "answer"), [(1e-5, "minutes"), (0.05, "hours"), (2.0, "longer")]
)
def test_cost_of_nudging_is_worked_out_for_this_computer(milliseconds, answer):
    lasts = {"one_forward": milliseconds, "one_gradient": 2 * milliseconds}
    printed = run("look-cost", guess_cost=answer, **lasts)["printed"]
    assert f"answer: {answer} · right" in printed
    assert f"backpropagation: {2750 * 2 * milliseconds / 1000:.0f} seconds" in printed


@pytest.mark.slow
def test_tape_agrees_and_a_rate_one_percent_off_does_not():
    pytest.importorskip("tensorflow")
    found = run("images", *CORE, "tape", "tape-check")
    assert found["difference"] < 1e-6
    names = {name: found[name] for name in ("ours", "theirs", "backward", "tape_gradients")}
    names |= {"x": np.tile(found["x"], (5, 1)), "y": np.tile(found["y"], (5, 1))}  # 50 batches
    before = [weight.copy() for weight in found["ours"]]
    apart = dict(run("fifty", **names)["fifty_steps"]())
    assert list(apart) == list(range(1, 51)) and apart[50] < 1e-4
    assert not near(before, found["ours"], 1e-3)

    def a_little_more(variables, x, y):
        return [1.01 * g for g in found["tape_gradients"](variables, x, y)]

    apart = dict(run("fifty", **names | {"tape_gradients": a_little_more})["fifty_steps"]())
    assert apart[50] > 5e-4


def test_notebook_goes_on_without_tensorflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    found = run("images", *CORE, "tape", "tape-check", "fifty", "look-fifty")
    assert found["tf"] is None and not found["printed"]


# --- What could go wrong -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faults():
    return run(*CORE, "faults", "fault-helper")


def test_faults_are_what_the_text_says(faults):
    sizes = (6, 128, 10)
    weights, (x, y) = network(sizes), batch(sizes, 8)
    right = faults["backward"](weights, x, y)
    dW1, db1, dW2, db2 = faults["bias_forgotten"](weights, x, y)
    assert not db1.any() and near([dW1, dW2, db2], [right[0], *right[2:]])
    assert near(faults["sum_for_mean"](weights, x, y), [8 * gradient for gradient in right])
    p = faults["forward"](weights, x)[-1]
    blame = {
        "slope_forgotten": (p - y) / 8 @ weights[2].T,
        "reshaped": (p - y) / 8 @ weights[2].reshape(10, 128) * (x @ weights[0] + weights[1] > 0),
    }
    for name, dz1 in blame.items():
        expected = [x.T @ dz1, dz1.sum(axis=0), *right[2:]]
        assert near(faults[name](weights, x, y), expected)
        assert not near(expected, right, 1e-2)


def test_nudging_finds_every_fault_before_any_training(large, faults):
    def off(name):
        gradients = faults[name](large["precise"], *large["batch"])
        return large["off"](gradients, large["places"], large["slopes_large"])

    assert off("backward") < 1e-4
    assert off("bias_forgotten") == pytest.approx(1)
    assert off("slope_forgotten") > 0.5 and off("reshaped") > 0.5
    assert off("sum_for_mean") == pytest.approx(99, rel=1e-3)


def test_each_fault_trains_alone_from_weights_of_its_own(large, faults):
    seen = []

    def epoch(weights, x, y, rate, backward_pass):
        seen.append((weights, len(x), rate, backward_pass))

    names = {**large, **faults, "epoch": epoch}
    names = {k: v for k, v in names.items() if k not in ("printed", "__builtins__", "np", "lesson")}
    found = run("fault-train", **names)
    assert [backward for *_, backward in seen] == list(found["passes"].values())
    assert {(count, rate) for _, count, rate, _ in seen} == {(1_000, 0.5)}
    assert all(one[0] is not other[0] for one, other in zip(seen, seen[1:], strict=False))
    assert found["passes"]["none"] is faults["backward"]


def test_units_that_start_alike_stay_alike():
    found = run("images", *CORE, "equal-starts")
    apart = {name: np.ptp(start[0], axis=1).max() for name, start in found["starts"].items()}
    assert apart["all 0"] == 0 and apart["all 0.01"] < 1e-9 and apart["random (He)"] > 0.1
    W1, b1, W2, b2 = found["starts"]["all 0"]
    assert not W1.any() and not b1.any() and not W2.any() and b2.any()
    assert found["starts"]["all 0.01"][0].any()


def test_rate_far_too_high_ends_in_nan():
    found = run("images", *CORE, "rates", fault_images=1_000, lesson=Listening(lesson, act=False))
    ((rows,),) = found["lesson"].given_to("table")
    assert [row["rate"] for row in rows] == [0.5, 2, 1000]
    assert rows[2]["loss"] == "nan" and float(rows[0]["loss"]) < 2.3


def test_blame_vanishes_through_sigmoids_and_not_through_relu():
    ids = ("unit", "slope", "look-sigmoid", "images", "ten-layers", "first-weights", "blame-back")
    found = run(*ids, guess_sigmoid=...)
    layers = [found["he"](128, 128) for _ in range(10)]
    arrives = {
        f.__name__: found["blame_through"](f, layers) for f in (found["sigmoid"], found["relu"])
    }
    assert [len(sizes) for sizes in arrives.values()] == [11, 11]
    assert arrives["sigmoid"][0] == pytest.approx(1, rel=0.05)
    assert arrives["sigmoid"][-1] < 1e-3 and 0.2 < arrives["relu"][-1] < 5


def test_network_without_activation_has_its_own_gradient_and_melts():
    found = run(*CORE, "linear-backward")
    weights, (x, y) = network((6, 4, 3)), batch((6, 4, 3), 7)
    expected = slopes(weights, lambda: cross_entropy(weights, x, y, bend=False))
    assert near(found["without_relu"](weights, x, y), expected)
    straight = network((784, 128, 10))
    names = {
        "straight": straight,
        "bent": straight,
        "x_test": np.random.default_rng(0).uniform(size=(200, 784)),
    }
    labels = ((names["x_test"] @ straight[0] + straight[1]) @ straight[2] + straight[3]).argmax(1)
    few = SimpleNamespace(test=SimpleNamespace(labels=labels))
    melted = run(*CORE, "look-linear", guess_linear=..., digits=few, **names)
    assert melted["straight_accuracy"] == 1
    assert melted["melted"].size + melted["melted_bias"].size == 7_850


def test_both_networks_of_the_comparison_get_the_same_steps():
    seen = []

    def epoch(weights, x, y, rate, *backward):
        seen.append((weights, len(x), rate, backward))

    ids = ("images", "first-weights", "linear-backward", "linear-train")
    found = run(*ids, epoch=epoch, short_epochs=3)
    assert [weights for weights, *_ in seen] == [found["bent"], found["straight"]] * 3
    assert {(count, rate) for _, count, rate, _ in seen} == {(1_000, 0.2)}
    assert [backward for *_, backward in seen] == [(), (found["without_relu"],)] * 3
    assert found["bent"][0] is not found["straight"][0]


# --- Results -------------------------------------------------------------------------------------


def test_ruler_and_results_are_of_the_trained_network(large):
    row = [0.9, 0.8, 0.5, 0.2, 0.1]
    names = dict.fromkeys(("bent_accuracy", "straight_accuracy", "nudge_difference"), 0.5)
    reads = dict.fromkeys(("a bias forgotten", "slope of ReLU forgotten", "sum for mean"), 0.25)
    hear = Listening(lesson, act=False)
    run(
        "results",
        test_accuracy=0.97,
        history=[0.96, 0.97],
        reads=reads,
        row=row,
        lesson=hear,
        **names,
    )
    ((_, _, recorded),) = [call for call in hear.heard if call[0] == "record"]
    assert recorded["test_accuracy"] == 0.97 and recorded["first_epoch_accuracy"] == 0.96
    assert [recorded[f"shift_{pixels}"] for pixels in range(5)] == row
    images = digits().test.images
    predict = run("ruler", **{k: large[k] for k in ("weights", "forward")}, guess_shift=...)[
        "predict"
    ]
    p = large["forward"](large["weights"], images.reshape(-1, 784) / 255)[-1]
    np.testing.assert_array_equal(predict(images), p.argmax(axis=1))


def test_stored_notebook_reads_0_97_of_the_test_digits():
    (path,) = NOTEBOOKS.glob(f"{NOTEBOOK}_*.ipynb")
    cells = {cell["id"]: cell for cell in json.loads(path.read_text("utf-8"))["cells"]}
    bundle = cells["results"]["outputs"][0]["data"]["application/vnd.mnist-edu.results+json"]
    assert bundle["results"]["test_accuracy"] >= 0.97
    assert 0.9 < bundle["results"]["linear_test_accuracy"] < 0.935
    assert (
        bundle["results"]["relu_test_accuracy"] > bundle["results"]["linear_test_accuracy"] + 0.02
    )
