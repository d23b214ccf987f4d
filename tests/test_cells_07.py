"""Notebook 07, cell by cell: the old graph against NumPy, its checkpoint, its way into Keras."""

from types import SimpleNamespace

import numpy as np
import pytest
from cells import code_with, run_cells
from fake_training import Reader, cross_entropy, few_digits, listening, seedless, settings

from mnist_edu import data, input_data, lesson, plots

pytestmark = pytest.mark.slow

FEW = few_digits()
SPLITS = {"train": FEW.train, "validation": FEW.validation, "test": FEW.test}
X = {name: part.images.reshape(-1, 784) / np.float32(255) for name, part in SPLITS.items()}
Y = {name: part.labels for name, part in SPLITS.items()}
ONE_HOT = {name: np.eye(10)[labels] for name, labels in Y.items()}
NETWORK = ("variables", "old-layers", "old-network", "graph")
TRAINING = ("losses", "training-ops", "collection", "summaries-saver")
READS_TEST = {
    *("load", "first-test", "same", "resume-test", "prove", "ruler", "show-error"),
    "wrong-half",
}
FUNCTIONS = ("train-function", "evaluate-function")
SHAPES = {
    "convolution1": ((5, 5, 1, 32), (32,)),
    "convolution2": ((5, 5, 32, 64), (64,)),
    "FC1": ((3136, 1024), (1024,)),
    "FC2": ((1024, 10), (10,)),
}


class Batches:
    """Hand out batches of ten in order, and note how many; ``at`` can be set back."""

    def __init__(self):
        self.at, self.sizes = 0, []

    def next_batch(self, size):
        self.sizes.append(size)
        chosen = (np.arange(10) + 10 * self.at) % len(Y["train"])
        self.at += 1
        return X["train"][chosen], ONE_HOT["train"][chosen]


def split(name):
    return SimpleNamespace(images=X[name], labels=ONE_HOT[name])


@pytest.fixture(scope="module")
def begun():
    """Run the cells that import and set parameters."""
    return run_cells("07", "setup", "parameters")


@pytest.fixture(scope="module")
def run(begun):
    """Return a function that runs cells on a few digits, and listens to lesson and plots."""

    def run(*ids, **names):
        mnist = SimpleNamespace(train=Batches(), validation=split("validation"), test=split("test"))
        given = {"digits": FEW, "mnist": mnist, "batch_size": 10, "steps": 4, "more_steps": 3}
        given |= {"test_x": X["test"], "test_y": Y["test"]}
        given |= {"lesson": listening(lesson), "plots": listening(plots, act=False)}
        return run_cells("07", *ids, **begun | given | names)

    return run


# --- The network in NumPy ------------------------------------------------------------------------


def convolved(maps, kernel, bias):
    """Slide windows with their edges over blank paper, stride 1."""
    side, _, _, _ = kernel.shape
    height, width = maps.shape[1:3]
    edge = side // 2
    padded = np.pad(maps, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    places = np.ndindex(side, side)
    return bias + sum(padded[:, i : i + height, j : j + width] @ kernel[i, j] for i, j in places)


def pooled(maps):
    n, height, width, count = maps.shape
    return maps.reshape(n, height // 2, 2, width // 2, 2, count).max((2, 4))


def forward(values, images, units_kept=1.0):
    """Return the logits of the network with weights (scope: kernel, bias), image by image."""
    maps = images.reshape(-1, 28, 28, 1)
    for scope in ("convolution1", "convolution2"):
        maps = np.maximum(pooled(convolved(maps, *values[scope])), 0)
    kernel, bias = values["FC1"]
    units = np.maximum(maps.reshape(len(maps), -1) @ kernel + bias, 0) * units_kept
    kernel, bias = values["FC2"]
    return units @ kernel + bias


def weights_in(session):
    """Return all variables of a session's graph by name."""
    variables = session.graph.get_collection("variables")
    return {v.op.name: value for v, value in zip(variables, session.run(variables), strict=True)}


def by_scope(values):
    return {
        scope: [values[f"{scope}/{kind}"] for kind in ("weights", "biases")] for scope in SHAPES
    }


# --- What is prepared ----------------------------------------------------------------------------


def test_parameters_are_those_that_the_text_and_the_bands_speak_of(begun):
    expected = {"source": "auto", "seed": 1, "batch_size": 50, "learning_rate": 0.001}
    expected |= {"steps": 300, "more_steps": 100, "rough_steps": 60}
    expected |= {"test_images": 10_000, "ruler_images": 10_000}
    found = {name: begun[name] for name in expected}
    assert found == expected, "07:parameters: a default differs from what the text speaks of"


def test_products_are_not_rounded_on_a_gpu(run):
    told = []
    experimental = SimpleNamespace(enable_tensor_float_32_execution=told.append)
    tf = SimpleNamespace(config=SimpleNamespace(experimental=experimental))
    run("device", tf=tf, lesson=SimpleNamespace(versions=lambda: None, device=lambda: None))
    assert told == [False], "07:device: TensorFloat-32 is not switched off"


def test_digits_and_reader_have_the_same_source_and_seed(run):
    datasets = input_data.Datasets(*(split(name) for name in SPLITS))
    source = listening(data, load=lambda source: FEW)
    reader = listening(input_data, read_data_sets=lambda *_, **__: datasets)
    names = {"data": source, "input_data": reader, "seed": 5, "source": "synthetic"}
    space = run("load", test_images=30, lesson=seedless(), **names)
    assert space["lesson"].heard["set_seed"][0]["seed"] == 5, "07:load: the seed is not set"
    assert source.heard["load"][0]["source"] == "synthetic", "07:load: the source is not asked for"
    asked = reader.heard["read_data_sets"][0]
    right = (True, 5, "synthetic", True, "float32")
    found = tuple(asked[k] for k in ("one_hot", "seed", "source", "reshape", "dtype"))
    assert found == right, f"07:load: the reader is asked for {found}"
    assert np.array_equal(space["test_x"], X["test"][:30]), "07:load: test_x"
    assert np.array_equal(space["test_y"], Y["test"][:30]), "07:load: test_y"


def test_a_graph_gives_promises_and_keras_numbers(run):
    inside, outside = run("two-ways")["printed"].splitlines()
    assert "Tensor" in inside and outside == "outside: 6", "07:two-ways"


# --- The network ---------------------------------------------------------------------------------


def test_first_weights_are_a_truncated_normal_and_biases_a_tenth(run, begun):
    tf, space = begun["tf"], run("variables")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        kernel, bias = space["weights"]([60, 80]), space["biases"](7)
        session.run(tf.global_variables_initializer())
        values, offsets = session.run([kernel, bias])
    assert (kernel.op.name, bias.op.name) == ("weights", "biases"), "07:variables: names"
    assert values.std() == pytest.approx(0.088, abs=0.003), "07:variables: deviation is not 0.1"
    assert 0.19 < abs(values).max() <= 0.2, "07:variables: not cut off at two deviations"
    assert offsets.tolist() == [np.float32(0.1)] * 7, "07:variables: biases"


def test_convolution_is_convolution_then_pooling_then_relu(run, begun):
    tf, space = begun["tf"], run("variables", "old-layers")
    maps = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        made = space["convolution"](tf.constant(maps), 4)
        session.run(tf.global_variables_initializer())
        found, values = session.run(made), weights_in(session)
        kinds = [op.type for op in session.graph.get_operations()]
    expected = np.maximum(pooled(convolved(maps, values["weights"], values["biases"])), 0)
    message = "07:old-layers: another window, stride, padding or order than the text's"
    np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=message)
    assert values["weights"].shape == (5, 5, 3, 4), "07:old-layers: the kernel's axes"
    assert kinds.index("MaxPool") < kinds.index("Relu"), "07:old-layers: ReLU before pooling"


def test_dense_layer_multiplies_and_adds_nothing_but_its_bias(run, begun):
    tf, space = begun["tf"], run("variables", "old-layers")
    values = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        made = space["dense"](tf.constant(values), 3)
        session.run(tf.global_variables_initializer())
        found, kept = session.run(made), weights_in(session)
    expected = values @ kept["weights"] + kept["biases"]
    np.testing.assert_allclose(found, expected, atol=1e-5, err_msg="07:old-layers: dense")


@pytest.fixture(scope="module")
def built(run, begun):
    """Write the network onto its sheet, and start its weights from chance of our own."""
    tf, space = begun["tf"], run(*NETWORK, "graph-variables", *TRAINING, "drawing")
    session = tf.Session(graph=space["graph"])
    session.run(space["initialise"])
    random, values = np.random.default_rng(0), {}
    for scope, shapes in SHAPES.items():
        size = 0.3 / np.sqrt(np.prod(shapes[0][:-1]))
        values[scope] = [
            random.normal(0.01, 3 * size, shape).astype(np.float32) for shape in shapes
        ]
    with space["graph"].as_default():
        for variable in space["own_variables"]:
            scope, kind = variable.op.name.split("/")
            variable.load(values[scope][kind == "biases"], session)
    return space | {"session": session, "values": values}


def test_variables_have_the_names_and_shapes_of_the_text(built):
    found = {v.op.name: tuple(v.shape) for v in built["own_variables"]}
    kinds = ("weights", "biases")
    expected = {f"{s}/{kind}": SHAPES[s][i] for s in SHAPES for i, kind in enumerate(kinds)}
    assert found == expected, "07:old-network: variables"
    rows = built["lesson"].heard["table"][0]["rows"]
    assert [(row["variable"][:-2], row["shape"]) for row in rows] == list(expected.items()), (
        "07:graph-variables: rows"
    )
    assert built["printed"].splitlines()[-1] == "3,274,634 in all", "07:graph-variables"


def test_placeholders_take_any_number_of_flat_images(built):
    found = {name: built[name] for name in ("x", "y", "keep_prob")}
    assert [t.name for t in found.values()] == ["x:0", "y:0", "keep_prob:0"], "07:old-network"
    assert found["x"].shape.as_list() == [None, 784] and found["y"].shape.as_list() == [None, 10], (
        "07:old-network"
    )
    assert built["logits"].name == "FC2/logits:0", "07:old-network: name of the logits"


def test_graph_computes_what_numpy_computes(built):
    feed = {"x:0": X["test"][:6], "keep_prob:0": 1.0}
    found = built["session"].run("FC2/logits:0", feed)
    expected = forward(built["values"], X["test"][:6])
    assert abs(expected).max() > 1 and expected.std(0).min() > 0.01
    message = "07:old-network: the graph is another network than the text's"
    np.testing.assert_allclose(found, expected, rtol=5e-6, err_msg=message)  # of float32 sums


def test_keep_prob_keeps_that_part_of_the_dense_units_alone(built):
    images = X["test"][:6]
    inputs = built["graph"].get_operation_by_name("FC2/MatMul").inputs[0]
    tensors = [inputs, "FC1/Relu:0", "FC2/logits:0"]
    for kept in (0.5, 0.8):
        fed, units, logits = built["session"].run(tensors, {"x:0": images, "keep_prob:0": kept})
        share = np.mean(fed[units > 0] > 0)
        assert share == pytest.approx(kept, abs=0.05), f"07:old-network: keeps {share:.2f}"
        at = fed > 0
        np.testing.assert_allclose(fed[at], units[at] / kept, 1e-5, err_msg="07:old-network: rest")
        kernel, bias = built["values"]["FC2"]
        expected = fed @ kernel + bias
        np.testing.assert_allclose(logits, expected, atol=1e-3, err_msg="07:old-network: FC2")
    fed, units, _ = built["session"].run(tensors, {"x:0": images, "keep_prob:0": 1.0})
    assert np.array_equal(fed, units), "07:old-network: keep_prob 1 drops something"
    without = built["session"].run("FC1/Relu:0", {"x:0": images})
    assert np.array_equal(without, units), "07:old-network: something is dropped before FC1's ReLU"


def test_graph_has_a_seed_of_its_own(run, begun):
    tf, firsts = begun["tf"], []
    for seed in (3, 3, 4):
        space = run(*NETWORK, seed=seed)
        with tf.Session(graph=space["graph"]) as session:
            session.run(space["own_variables"][0].initializer)
            firsts.append(session.run(space["own_variables"][0]))
    assert np.array_equal(firsts[0], firsts[1]), "07:old-network: the seed is not set"
    assert not np.array_equal(firsts[0], firsts[2]), "07:old-network: not the parameter's seed"


def test_drawing_shows_what_is_needed_for_what(built):
    edges = set(built["plots"].heard["graph"][0]["edges"])
    assert edges == {
        *(("x", "conv. 1"), ("conv. 1", "conv. 2"), ("conv. 2", "FC1"), ("keep_prob", "FC1")),
        *(("FC1", "FC2"), ("FC2", "predictor"), ("FC2", "loss"), ("y", "loss")),
    }, f"07:drawing: edges {edges}"


# --- The losses ----------------------------------------------------------------------------------


def test_old_formula_gives_nan_for_a_right_answer(run):
    space = run("look-right", guess_right=...)
    assert space["three"].tolist() == [200, 0, 0], "07:look-right: other logits"
    rows = space["lesson"].heard["table"][0]["rows"]
    table = np.array([[row[name] for name in ("y", "p", "ln p", "y ln p")] for row in rows])
    nothing = [0, 0, -np.inf, np.nan]
    np.testing.assert_array_equal(table, [[1, 1, 0, 0], nothing, nothing], "07:look-right")
    assert space["lesson"].heard["compare"][0]["truth"] == "c", "07:look-right: the answer"


def losses_of(run, tf, labels, logits):
    """Return the value and the gradient of each of the three losses."""
    space = run("losses")
    with tf.Graph().as_default(), tf.Session() as session:
        z = tf.constant(np.array(logits, np.float32))
        losses = space["three_losses"](tf.constant(np.array(labels, np.float32)), z)
        return {
            name: session.run([value, tf.gradients(value, z)[0]]) for name, value in losses.items()
        }


def test_three_losses_agree_where_no_probability_vanishes(run, begun):
    logits = np.random.default_rng(0).normal(0, 2, (7, 10))
    labels = np.arange(7)
    found = losses_of(run, begun["tf"], np.eye(10)[labels], logits)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert list(found) == ["original", "clipped", "from logits"], "07:losses: names"
    for name, (value, gradient) in found.items():
        right = 7 * cross_entropy(logits, labels)
        assert value == pytest.approx(right, rel=1e-5), f"07:losses: {name} is no sum over images"
        np.testing.assert_allclose(gradient, p - np.eye(10)[labels], atol=1e-5, err_msg=name)


def test_only_the_loss_from_logits_survives_a_sure_and_wrong_answer(run, begun):
    found = losses_of(run, begun["tf"], [[0, 1, 0]], [[200, 0, 0]])
    value, gradient = found["original"]
    assert np.isnan(value) and np.isnan(gradient).all(), "07:losses: the original gives no NaN"
    value, gradient = found["clipped"]
    assert value == pytest.approx(10 * np.log(10), 1e-5), "07:losses: clipped at another number"
    assert not gradient.any(), "07:losses: the clipped loss has a gradient"
    value, gradient = found["from logits"]
    assert value == 200 and gradient.tolist() == [[1, -1, 0]], "07:losses: from logits"
    rows = run("losses", "gradients")["lesson"].heard["table"][0]["rows"]
    assert [row["value"] for row in rows] == ["nan", "23.03", "200.00"], "07:gradients: values"
    assert rows[1]["gradient"] == [0, 0, 0] and rows[2]["gradient"] == [1, -1, 0], "07:gradients"


def linear_network(tf, sums):
    """Return a stand-in for ``old_network``: its logits are sums of pixels, times keep_prob."""
    x, y = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
    keep_prob = tf.placeholder(tf.float32)
    kernel = tf.Variable(sums, name="kernel")
    return x, y, keep_prob, keep_prob * tf.matmul(x, kernel)


def test_rough_training_drops_half_and_is_judged_with_all(run, begun):
    tf = begun["tf"]
    sums = np.random.default_rng(0).normal(0, 1e-4, (784, 10)).astype(np.float32)
    batches = [(255 * X["train"][a : a + 10], ONE_HOT["train"][a : a + 10]) for a in (0, 10)]
    names = {"old_network": lambda: linear_network(tf, sums), "rough_batches": batches}
    space = run("losses", "rough", learning_rate=1e-6, **names)
    (x, y), (x2, y2) = batches
    z = 0.5 * x @ sums
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    stepped = sums - 1e-6 * np.sign(x.T @ (p - y))
    first = cross_entropy(z, y.argmax(1))
    last = cross_entropy(0.5 * x2 @ stepped, y2.argmax(1))
    assert abs(cross_entropy(0.5 * x2 @ sums, y2.argmax(1)) - last) > 1e-3
    for name in ("original", "clipped", "from logits"):
        found = space["rough_training"](name)
        assert found["first loss"] == pytest.approx(first, 1e-5), "07:rough: half dropped, a mean"
        assert found["last loss"] == pytest.approx(last, 2e-4), "07:rough: a step of Adam"


def test_rough_training_is_judged_with_keep_prob_one_on_large_pixels(run, begun):
    tf, calls = begun["tf"], []
    sums = np.random.default_rng(0).normal(0, 1e-3, (784, 10)).astype(np.float32)
    batches = [(255 * X["train"][:10], ONE_HOT["train"][:10])] * 2
    images = np.resize(X["validation"], (1003, 784))
    labels = (images @ sums).argmax(1)
    labels[:250] = (labels[:250] + 1) % 10
    labels[1000:] = (labels[1000:] + 1) % 10
    names = {"old_network": lambda: linear_network(tf, sums), "rough_batches": batches}
    validation = SimpleNamespace(images=images, labels=labels)
    names |= {name: SimpleNamespace(validation=validation) for name in ("mnist", "digits")}
    with pytest.MonkeyPatch.context() as patch:
        note_runs(tf, patch, calls)
        space = run("losses", "rough", learning_rate=0.0, **names)
        found = space["rough_training"]("from logits")
    kept = [call.feed["keep_prob"] for call in calls if call.feed]
    assert kept == [0.5, 0.5, 1.0], f"07:rough: keep_prob {kept}"
    asked = calls[-1].feed["x"]
    assert asked.shape == (1000, 784), "07:rough: not judged on 1,000 images"
    assert np.allclose(asked, 255 * images[:1000]), "07:rough: judged on other images"
    assert found["accuracy"] == pytest.approx(0.75), "07:rough: accuracy"


def note_runs(tf, patch, calls, change=lambda feed: feed):
    """Note each run of a session: what was asked for, what was fed by name, what came out."""
    kind = tf.Session.__mro__[1]
    real = kind.run

    def run(self, fetches, feed_dict=None, **how):
        named = {getattr(k, "name", k): v for k, v in (feed_dict or {}).items()}
        short = {"Placeholder:0": "x", "Placeholder_1:0": "y", "Placeholder_2:0": "keep_prob"}
        found = real(self, fetches, change(feed_dict), **how)
        feed = {short.get(name, name.split(":")[0]): value for name, value in named.items()}
        calls.append(SimpleNamespace(fetches=fetches, feed=feed, found=found))
        return found

    patch.setattr(kind, "run", run)


def test_rough_trainings_differ_in_their_loss_alone(run):
    mnist = SimpleNamespace(train=Batches())
    trained = []

    def rough_training(name):
        trained.append(name)
        return {"accuracy": len(trained) / 10, "first loss": np.nan, "last loss": 2 * len(trained)}

    names = {"rough_training": rough_training, "rough_steps": 3, "guess_nan": ..., "mnist": mnist}
    space = run("look-nan", "rough-table", **names)
    assert trained == ["original", "clipped", "from logits"], "07:look-nan: trainings"
    assert mnist.train.sizes == [10] * 3, "07:look-nan: other batches"
    for number, (images, labels) in enumerate(space["rough_batches"]):
        at = slice(10 * number, 10 * number + 10)
        assert np.array_equal(images, 255 * X["train"][at]), "07:look-nan: pixels not up to 255"
        assert np.array_equal(labels, ONE_HOT["train"][at]), "07:look-nan: labels"
    assert space["lesson"].heard["compare"][0]["truth"] == 0.1, "07:look-nan: the original's"
    rows = [list(row.values()) for row in space["lesson"].heard["table"][0]["rows"]]
    assert rows == [
        ["original", "nan", "2.00", "0.100"],
        ["clipped", "nan", "4.00", "0.200"],
        ["from logits", "nan", "6.00", "0.300"],
    ], "07:rough-table: rows"


# --- Training ------------------------------------------------------------------------------------


def test_loss_is_the_mean_over_the_batch_and_the_predictor_gives_probabilities(built):
    feed = {"x:0": X["train"][:9], "y:0": ONE_HOT["train"][:9], "keep_prob:0": 1.0}
    (predictor,) = built["graph"].get_collection("predictor")
    asked = ["loss:0", "summaries:0", predictor, "FC2/logits:0"]
    loss, told, p, logits = built["session"].run(asked, feed)
    (logged,) = built["tf"].Summary.FromString(told).value
    assert logged.tag == "batch_loss", "07:summaries-saver: the log's name for the loss"
    assert logged.simple_value == pytest.approx(loss), "07:summaries-saver: another number"
    right = cross_entropy(logits, Y["train"][:9])
    assert loss == pytest.approx(right, rel=1e-4), "07:training-ops: the loss is no mean"
    powers = np.exp(logits - logits.max(1, keepdims=True))
    expected = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(p, expected, 1e-3, 1e-6, err_msg="07:collection: the predictor")
    assert predictor.name == "probabilities:0", "07:collection: name"


def test_first_step_of_adam_has_the_learning_rate_for_its_size_and_is_counted(built):
    session = built["session"]
    feed = {"x:0": X["train"][:9], "y:0": ONE_HOT["train"][:9], "keep_prob:0": 1.0}
    before = weights_in(session)
    session.run("train_step", feed)
    after = weights_in(session)
    assert after["global_step"] - before["global_step"] == 1, "07:training-ops: not counted"
    for name in ("FC2/weights", "convolution1/weights"):
        moved = np.abs(after[name] - before[name])
        assert np.median(moved) == pytest.approx(0.001, rel=0.01), f"07:training-ops: {name}"
    assert {name for name in after if "Adam" in name} == {
        f"{scope}/{kind}/Adam{which}"
        for scope in SHAPES
        for kind in ("weights", "biases")
        for which in ("", "_1")
    }, "07:training-ops: another optimizer"
    assert after["beta1_power"] == pytest.approx(0.81) and "beta2_power" in after, (
        "07:training-ops: Adam"
    )


def test_rate_of_adam_is_the_parameter(run, begun):
    tf = begun["tf"]
    sums = np.zeros((784, 10), np.float32)
    graph = tf.Graph()
    with graph.as_default():
        x, y, keep_prob, logits = linear_network(tf, sums)
    names = {"graph": graph, "x": x, "y": y, "logits": logits, "learning_rate": 0.25}
    space = run("training-ops", **names)
    with tf.Session(graph=graph) as session, graph.as_default():
        session.run(tf.global_variables_initializer())
        feed = {x: X["train"][:9], y: ONE_HOT["train"][:9], keep_prob: 1.0}
        session.run(space["train_step"], feed)
        moved = np.abs(weights_in(session)["kernel"])
    assert moved.max() == pytest.approx(0.25, rel=1e-3), "07:training-ops: another learning rate"


def test_training_feeds_batches_with_half_of_the_units_and_logs_each_step(run):
    fed, logged = [], []
    mnist = SimpleNamespace(train=Batches())
    space = run("train-function", mnist=mnist, batch_size=10)
    steps = iter((8, 9, 10))
    counter = SimpleNamespace(get_global_step=lambda graph: "counter")
    space["train"].__globals__["tf"] = SimpleNamespace(train=counter)

    def run_session(fetches, feed=None):
        if fetches == "counter":
            return next(steps)
        fed.append((fetches, feed))
        return ["told", None]

    session = SimpleNamespace(run=run_session, graph=None)
    writer = SimpleNamespace(add_summary=lambda *args: logged.append(args))
    space["train"](session, 3, writer)
    assert [fetches for fetches, _ in fed] == [["summaries:0", "train_step"]] * 3, (
        "07:train-function: what is run"
    )
    assert mnist.train.sizes == [10] * 3, "07:train-function: batches of another size"
    for number, (_, feed) in enumerate(fed):
        at = slice(10 * number, 10 * number + 10)
        assert np.array_equal(feed["x:0"], X["train"][at]), "07:train-function: images"
        assert np.array_equal(feed["y:0"], ONE_HOT["train"][at]), "07:train-function: labels"
        assert feed["keep_prob:0"] == 0.5, "07:train-function: keep_prob is not 0.5"
    assert logged == [("told", step) for step in (8, 9, 10)], "07:train-function: the log's steps"


def test_logits_are_asked_for_in_order_with_all_units_and_none_is_left_out(run):
    space, sizes = run("evaluate-function"), []
    images = np.random.default_rng(0).normal(size=(450, 784)).astype(np.float32)

    def run_session(fetches, feed):
        assert fetches == "FC2/logits:0" and feed["keep_prob:0"] == 1.0, "07:evaluate-function"
        sizes.append(len(feed["x:0"]))
        return feed["x:0"][:, :10]

    found = space["logits_of"](SimpleNamespace(run=run_session), images)
    assert np.array_equal(found, images[:, :10]), "07:evaluate-function: lost or out of order"
    assert max(sizes) <= 200, "07:evaluate-function: batches of more than 200"


# --- The story: train, stop, leave, find, resume -------------------------------------------------


@pytest.fixture(scope="module")
def story(run, begun, tmp_path_factory):
    """Run the cells from the first training to the resumed one, and keep each stage.

    Both trainings after the stop, the notebook's and one that was never interrupted, get the same
    batches, and keep all units: so they must end with the same weights.
    """
    tf, calls, batches = begun["tf"], [], Batches()
    told = SimpleNamespace(calls={}, weights={}, tf=tf)
    mnist = SimpleNamespace(train=batches, validation=split("validation"), test=split("test"))
    whole = {"keep": False}

    def change(feed):
        half = whole["keep"] and feed and feed.get("keep_prob:0") == 0.5
        return feed | {"keep_prob:0": 1.0} if half else feed

    def stage(name, session):
        told.calls[name] = list(calls)
        told.weights[name] = weights_in(session)
        calls.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("story"))
        note_runs(tf, patch, calls, change)
        first = run(*NETWORK, *TRAINING, *FUNCTIONS, "first-run", "first-test", "save", mnist=mnist)
        stage("first", first["session"])
        whole["keep"], stop = True, batches.at
        first["train"](first["session"], 3, SimpleNamespace(add_summary=lambda *_: None))
        stage("uninterrupted", first["session"])
        batches.at = stop
        cells = ("look-size", "checkpoint-file", "list-variables", "leave")
        told.first, told.left = first, run(*cells, **first | {"guess_size": ...})
        cells = ("restore", "restore-values", "by-name", "hard-digit", "one-digit", "same")
        told.found = run(*cells, **told.left | {"guess_found": ..., "test_images": 30})
        stage("found", told.found["found_session"])
        told.resumed = run("resume", "resume-test", **told.found)
        stage("resumed", told.resumed["found_session"])
        cells = ("summaries-figure", "jump-table", "jumps", "look-jump", "jump-figure")
        told.last = run(*cells, **told.resumed | {"guess_jump": ...})
        told.compared = [heard["truth"] for heard in first["lesson"].heard["compare"]]
        told.tables = [heard["rows"] for heard in first["lesson"].heard["table"]]
        yield told


def steps_of(calls):
    return [
        call for call in calls if isinstance(call.fetches, list) and "train_step" in call.fetches
    ]


def accuracy_of(logits):
    return np.mean(logits.argmax(1) == Y["test"])


def assert_same_weights(one, other, message):
    assert one.keys() == other.keys(), message
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=1e-6, err_msg=f"{message}: {name}")


def test_first_training_takes_its_steps_and_is_measured_with_all_units(story):
    trained = steps_of(story.calls["first"])
    assert [call.feed["keep_prob"] for call in trained] == [0.5] * 4, "07:first-run: the steps"
    assert story.weights["first"]["global_step"] == 4, "07:first-run: the global step"
    logits = forward(by_scope(story.weights["first"]), X["test"])
    message = "07:first-test: other logits than those of all test digits with all units"
    np.testing.assert_allclose(story.first["logits_before"], logits, atol=1e-3, err_msg=message)
    right = accuracy_of(story.first["logits_before"])
    assert story.first["accuracy_before"] == pytest.approx(right), "07:first-test: accuracy"
    line = f"test accuracy when it stopped: {right:.4f}"
    assert line in story.first["printed"] and story.first["printed"].endswith("model-4"), (
        "07:save: the name"
    )


def test_checkpoint_holds_three_numbers_for_each_weight_and_the_counters(story):
    sizes, variables = story.tables[:2]
    files = [row["file"] for row in sizes]
    assert files == ["checkpoint", *(f"model-4.{kind}" for kind in FILES)], "07:look-size: files"
    kilobytes = float(sizes[1]["kB"].replace(",", ""))
    assert kilobytes == pytest.approx(3 * 4 * 3274.634, rel=0.001), "07:look-size: sizes"
    assert story.compared[0] == "c", "07:look-size: the answer"
    assert 'model_checkpoint_path: "model-4"' in story.left["printed"], "07:checkpoint-file"
    names = {row["variable"] for row in variables}
    own = {f"convolution1/{k}{m}" for k in ("weights", "biases") for m in ("", "/Adam", "/Adam_1")}
    assert names == own | {"beta1_power", "beta2_power", "global_step"}, "07:list-variables"
    assert story.left["printed"].endswith("27 variables in all"), "07:list-variables"


FILES = ("data-00000-of-00001", "index", "meta")


def test_nothing_of_the_author_is_left(story):
    names = ("graph", "session", "x", "y", "keep_prob", "logits", "loss", "train_step", "saver")
    assert not [name for name in names if name in story.left], "07:leave: a name is left"
    with pytest.raises(RuntimeError, match="closed"):
        story.first["session"].run("x:0", {"x:0": X["test"]})


def test_found_graph_is_restored_and_not_started_anew(story):
    assert story.found["latest"] == story.first["path"], "07:restore: not the latest checkpoint"
    assert story.found["found"] is not story.first["graph"], "07:restore: the author's graph"
    assert story.compared[1] == 8, "07:restore: not eight trainable variables"
    message = "07:restore-values: other weights than those saved"
    assert_same_weights(story.weights["first"], story.weights["found"], message)
    lines = story.found["printed"].splitlines()
    assert "global step: 4" in lines, "07:restore-values: the global step does not go on"
    assert np.array_equal(story.found["logits_found"], story.first["logits_before"]), "07:same"
    right = accuracy_of(story.first["logits_before"])
    expected = f"test accuracy before: {right:.4f}, restored: {right:.4f}"
    assert lines[-2:] == [expected, "largest difference of a logit: 0.0"], "07:same: the lines"


def test_differences_between_the_graphs_are_told(run, story):
    names = {"logits_before": story.first["logits_before"], "found_session": None}
    names["logits_of"] = lambda *_: names["logits_before"] - np.eye(40, 10)
    printed = run("same", accuracy_before=0.5, **names)["printed"]
    assert printed.endswith("difference of a logit: 1.0"), "07:same: a difference is not told"


def test_parts_of_the_graph_are_found_by_name_and_collection(story):
    assert story.found["predictor"].name == "probabilities:0", "07:by-name: the collection"
    assert story.found["images_in"].name == "x:0", "07:by-name: the name"
    assert "['x', 'y', 'keep_prob']" in story.found["printed"], "07:by-name: the placeholders"


def test_hardest_digit_is_read_with_all_units(story):
    logits = forward(by_scope(story.weights["found"]), X["validation"][:30])
    lead = [np.sort(row)[-1] - np.sort(row)[-2] for row in logits]
    hard = int(np.argmin(lead))
    assert story.found["hard"] == hard, "07:one-digit: not the closest two logits"
    (call,) = [c for c in story.calls["found"] if c.fetches is story.found["predictor"]]
    assert call.feed["keep_prob"] == 1.0, "07:one-digit: dropout is on"
    assert np.array_equal(call.feed["x"], X["validation"][[hard]]), "07:one-digit: another digit"
    heard = story.found["plots"].heard["probabilities"][0]
    powers = np.exp(logits[hard])
    np.testing.assert_allclose(heard["values"], powers / powers.sum(), 1e-3, 1e-6)
    assert heard["label"] == Y["validation"][hard], "07:one-digit: the label"
    assert np.array_equal(heard["image"], FEW.validation.images[hard]), "07:one-digit: the image"


def test_resumed_training_goes_on_where_the_first_one_stopped(story):
    trained = steps_of(story.calls["resumed"])
    assert [call.feed["keep_prob"] for call in trained] == [0.5] * 3, "07:resume: the steps"
    told = "after one step, global step: 5\n"
    assert told in story.resumed["printed"], "07:resume: the first step is not number 5"
    assert story.weights["resumed"]["global_step"] == 7, "07:resume: the global step"
    message = "07:resume: not the training that was never interrupted (Adam's memory, its step)"
    assert_same_weights(story.weights["uninterrupted"], story.weights["resumed"], message)
    moved = story.weights["resumed"]["FC2/weights"] - story.weights["first"]["FC2/weights"]
    assert np.abs(moved).max() > 1e-3


def test_resumed_network_is_saved_and_measured_with_all_units(story):
    assert story.resumed["path"].endswith("model-7"), "07:resume-test: saved under another step"
    logits = forward(by_scope(story.weights["resumed"]), X["test"])
    message = "07:resume-test: other logits than those of all test digits with all units"
    np.testing.assert_allclose(story.resumed["logits_after"], logits, atol=1e-3, err_msg=message)
    right = [accuracy_of(story.resumed[f"logits_{when}"]) for when in ("before", "after")]
    line = "test accuracy, stopped: {:.4f}, resumed: {:.4f}".format(*right)
    assert story.resumed["printed"].endswith(line), "07:resume-test: the line printed"
    assert story.resumed["accuracy_after"] == pytest.approx(right[1]), "07:resume-test: accuracy"


def test_log_has_one_loss_a_step_from_both_runs(story):
    losses = []
    for stage in ("first", "resumed"):
        for call in steps_of(story.calls[stage]):
            summary = story.tf.Summary.FromString(call.found[0])
            losses.append(summary.value[0].simple_value)
    assert story.last["at"].tolist() == list(range(1, 8)), "07:summaries-figure: the steps"
    own = [path.suffix == ".resumed" for path in story.last["folder"].glob("events*")]
    assert sorted(own) == [False, True], "07:resume: in the same second it writes the first log"
    np.testing.assert_allclose(story.last["batch_losses"], losses, err_msg="07:summaries-figure")
    heard = story.last["plots"].heard["curves"][0]
    means = [np.mean(losses[i : i + 3]) for i in range(5)]
    lines = {"until the stop": [*means[:2], *[np.nan] * 3], "resumed": [np.nan, *means[1:]]}
    assert list(heard["series"]) == list(lines) and heard["log_y"], "07:summaries-figure: lines"
    for name, line in lines.items():
        message = f"07:summaries-figure: {name}"
        np.testing.assert_allclose(heard["series"][name], line, err_msg=message)
    assert list(heard["x"]) == [3, 4, 5, 6, 7], "07:summaries-figure: the places"
    told = [row["mean loss"] for row in story.tables[2]]
    parts = (losses[:3], losses[1:4], losses[4:7])
    assert told == [f"{np.mean(part):.3f}" for part in parts], "07:jump-table: rows"


def test_jump_at_the_stop_is_judged_against_the_usual_ones(run):
    up = np.array([1.0] * 6 + [2.0] * 3 + [1.0] * 6)  # at 6 a factor of 2, at 9 one of 1/2
    names = {"batch_losses": up, "window": 3, "steps": 6, "guess_jump": ...}
    space = run("jumps", "look-jump", "jump-figure", **names)
    assert list(space["places"]) == list(range(3, 13)), "07:jumps: other steps"
    expected = [1, 4 / 3, 5 / 3, 5 / 4, 4 / 5, 1 / 2, 3 / 5, 3 / 4, 1]
    np.testing.assert_allclose(space["usual"], expected, err_msg="07:jumps: factors")
    assert space["as_large"] == pytest.approx(1 / 9), "07:look-jump: 1/2 is as large as 2"
    shown = space["plots"].heard["dots"][0]["values"]
    assert shown["at the stop"] == [2.0] and len(shown["at other steps"]) == 9, "07:jump-figure"
    answers = []
    for factor, others in ((2.0, [1.0]), (2.0, [3.0] + [1.0] * 19), (2.0, [3.0, 1.0])):
        given = {"jump": lambda _, factor=factor: factor, "usual": np.array(others)}
        heard = run("look-jump", guess_jump=..., **given)["lesson"].heard["compare"]
        answers.append(heard[0]["truth"])
    assert answers == ["a", "b", "c"], "07:look-jump: the answer"


# --- Into Keras ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def carried(run, story):
    names = story.last | {
        "lesson": listening(lesson),
        "guess_no_biases": ...,
        "guess_wrong_order": ...,
    }
    first = run("keras-network", "layout", "carry", "prove", "prove-limit", **names)
    cells = ("wrong-transplants", "look-wrong", "wrong-table", "right-again", "keras-file")
    return SimpleNamespace(first=first, last=run(*cells, **first), story=story)


def test_keras_network_is_that_of_notebook_05(carried):
    theirs = run_cells("06", "setup", "block", "network")["network"]()
    found, right = (settings(model.layers) for model in (carried.first["model"], theirs))
    assert found == right, "07:keras-network: not the network of notebook 06"
    assert carried.first["model"].input_shape == theirs.input_shape, "07:keras-network: images"


def test_weights_are_read_from_the_last_checkpoint_layer_by_layer(carried):
    values = by_scope(carried.story.weights["resumed"])
    for (scope, right), found in zip(values.items(), carried.first["old"], strict=True):
        for one, other in zip(right, found, strict=True):
            assert np.array_equal(one, other), f"07:layout: {scope} is not the last checkpoint's"
    rows = carried.first["lesson"].heard["table"][0]["rows"]
    for row, (scope, (kernel, _)) in zip(rows, SHAPES.items(), strict=True):
        assert (row["scope"], row["old"], row["Keras"]) == (scope, kernel, kernel), "07:layout"


def test_keras_gives_the_logits_of_the_graph(carried):
    for space, cell in ((carried.first, "carry"), (carried.last, "right-again")):
        squares = X["test"].reshape(-1, 28, 28, 1)
        logits = space["model"].predict(squares, verbose=0)
        after = space["logits_after"]
        np.testing.assert_allclose(logits, after, atol=1e-4, err_msg=f"07:{cell}: other logits")
    lines = carried.first["printed"].splitlines()
    assert lines[-4].startswith("40 test digits") and lines[-1] == "logits agree to 0.0001: True", (
        "07:prove"
    )
    assert lines[-3] == f"the largest logit itself: {abs(after).max():.0f}", "07:prove"
    assert lines[-2] == "same answer: 1.0000 of the test digits", "07:prove: same answers"


def test_keras_file_gives_the_network_back(carried):
    *_, names, same = carried.last["printed"].splitlines()
    assert names == "['config.json', 'metadata.json', 'model.weights.h5']", "07:keras-file: inside"
    assert same == "same logits: True", "07:keras-file: other logits"
    kernel, bias = carried.last["again"].layers[0].get_weights()
    right, offset = carried.first["old"][0]
    assert np.array_equal(kernel, right) and np.array_equal(bias, offset), "07:keras-file: weights"


def test_proof_fails_where_a_kernel_is_mirrored_or_one_logit_differs(run, carried):
    old, after = carried.first["old"], carried.first["logits_after"]
    mirrored = [[old[0][0].transpose(1, 0, 2, 3), old[0][1]], *old[1:]]
    swapped = [[old[0][0][..., ::-1], old[0][1]], *old[1:]]
    one = after.copy()
    one[3, 4] += 0.0002
    for values, logits in ((mirrored, after), (swapped, after), (old, one), (old, -after)):
        carried.last["carry"](values)
        space = run("prove", "prove-limit", **carried.last | {"logits_after": logits})
        assert space["printed"].endswith("0.0001: False"), "07:prove-limit: a fault passes"
    assert space["same_answers"] < 0.5, "07:prove: answers are not compared"
    assert space["largest_difference"] == pytest.approx(2 * abs(after).max(), rel=1e-3), (
        "07:prove: not the largest difference"
    )
    carried.last["carry"](old)


def test_wrong_transplants_are_wrong_in_one_thing(carried):
    space, old = carried.last, carried.first["old"]
    for (kernel, bias), (right, _) in zip(space["no_biases"], old, strict=True):
        assert np.array_equal(kernel, right) and not bias.any(), "07:wrong-transplants: biases"
    (kernel, bias), right = space["wrong_order"][2], old[2]
    maps = np.arange(3136).reshape(7, 7, 64)
    order = [maps[row, column, k] for k in range(64) for row in range(7) for column in range(7)]
    assert np.array_equal(kernel, right[0][order]), "07:wrong-transplants: order of the rows"
    assert np.array_equal(bias, right[1]), "07:wrong-transplants: another bias"
    after = space["logits_after"]
    judged = {name: by_hand(values, after) for name, values in space["tried"].items()}
    assert list(judged) == ["right", "biases forgotten", "rows in wrong order"], (
        "07:look-wrong: names"
    )
    for name, values in judged.items():
        found = space["judged"][name]
        assert found == pytest.approx(values, abs=2e-3), f"07:look-wrong: {name}"
    compared = [heard["truth"] for heard in space["lesson"].heard["compare"]]
    truths = [space["judged"][name][0] for name in list(judged)[1:]]
    assert compared == truths, "07:look-wrong: compares other accuracies"
    rows = [list(row.values()) for row in space["lesson"].heard["table"][1]["rows"]]
    told = [[n, f"{right:.4f}", f"{far:.2g}"] for n, (right, far) in space["judged"].items()]
    assert rows == told, "07:wrong-table: rows"


def by_hand(pairs, after):
    logits = forward(dict(zip(SHAPES, pairs, strict=True)), X["test"])
    return accuracy_of(logits), np.abs(logits - after).max()


def test_transplants_are_judged_on_2000_digits(run):
    model, carried = Reader((28, 28, 1)), []
    images = np.random.default_rng(0).normal(size=(2003, 28, 28, 1)).astype(np.float32)
    after, labels = model.logits(images), model.answers(images)
    after[7] -= 3
    after[2001] += 50
    labels[:500] = (labels[:500] + 1) % 10
    labels[2000:] = (labels[2000:] + 1) % 10
    old = [[np.zeros(1), np.zeros(1)]] * 2 + [[np.zeros((3136, 1024)), np.zeros(1)]] * 2
    names = {"model": model, "carry": carried.append, "old": old, "test_squares": images}
    space = run("wrong-transplants", logits_after=after, test_y=labels, **names)
    right, far = space["judge"]("values")
    assert carried == ["values"], "07:wrong-transplants: judges other weights"
    assert right == pytest.approx(0.75), "07:wrong-transplants: accuracy"
    assert far == pytest.approx(3, rel=1e-3), "07:wrong-transplants: difference"


# --- The ruler, the results, what could go wrong -------------------------------------------------


def test_ruler_asks_the_network_for_scaled_images(run):
    model, ruled = Reader((28, 28, 1)), [0.9, 0.8, 0.7, 0.6, 0.5]
    ruler = listening(lesson, shift_accuracies=lambda *_: ruled)
    space = run("ruler", "ruler-figure", model=model, lesson=ruler, ruler_images=30)
    heard = ruler.heard["shift_accuracies"][0]
    assert np.array_equal(heard["images"], FEW.test.images[:30]), "07:ruler: other images"
    assert np.array_equal(heard["labels"], Y["test"][:30]), "07:ruler: other labels"
    assert tuple(heard["shifts"]) == (0, 1, 2, 3, 4), "07:ruler: other distances"
    answers = heard["predict"](FEW.test.images)
    asked = model.asked[-1].reshape(-1, 784)
    assert np.allclose(asked, X["test"]), "07:ruler: images are not scaled once, or moved"
    assert answers.tolist() == model.answers(X["test"]).tolist(), "07:ruler: other answers"
    rows = space["plots"].heard["shift_ruler"][0]["rows"]
    expected = lesson.shift_rows("MNIST", before="07") | {"CNN, old graph": ruled}
    assert rows == expected, "07:ruler-figure: rows"


def test_results_are_recorded_under_their_names(run):
    names = {"accuracy_before": 0.9, "accuracy_after": 0.95, "same_answers": 1.0}
    names |= {"largest_difference": 1e-6, "row": [0.95, 0.9, 0.8, 0.7, 0.6]}
    heard = run("results", **names)["lesson"].heard["record"][0]
    right = {"test_accuracy_stopped": 0.9, "test_accuracy": 0.95, "agreement": 1.0}
    right |= {"largest_difference": 1e-6}
    right |= {f"shift_{n}": value for n, value in enumerate(names["row"])}
    assert heard["digits"] is FEW and heard["numbers"] == pytest.approx(right), "07:results"


def test_keep_prob_left_at_half_gives_other_answers(run):
    fed, images = [], np.resize(X["test"], (1003, 784))
    labels = np.resize(Y["test"], 1003)
    logits = np.eye(10)[labels[:1000]]
    wrong, again = logits.copy(), logits.copy()
    wrong[:100] = np.roll(logits[:100], 1, 1)
    again[50:150] = np.roll(logits[50:150], 2, 1)
    told = iter((logits, wrong, again))

    def run_session(fetches, feed):
        fed.append((fetches, feed["x:0"], feed["keep_prob:0"]))
        return next(told)

    names = {"found_session": SimpleNamespace(run=run_session), "predictor": "predictor"}
    printed = run("wrong-half", test_x=images, test_y=labels, **names)["printed"]
    assert [kept for _, _, kept in fed] == [1.0, 0.5, 0.5], "07:wrong-half: keep_prob"
    assert all(fetches == "predictor" for fetches, _, _ in fed), (
        "07:wrong-half: asks for something else"
    )
    for _, asked, _ in fed:
        assert np.array_equal(asked, images[:1000]), "07:wrong-half: other images"
    assert printed.splitlines() == [
        "accuracy with keep_prob 1.0: 1.000, with 0.5: 0.900",
        "asked twice with 0.5: 150 of 1000 answers differ",
    ], "07:wrong-half: the lines printed"


def test_mistakes_show_what_their_text_says(run, carried):
    """Last, since the cells wipe out and remove what the tests above look at."""
    space = carried.last
    asked = asked_twice(space)
    assert np.array_equal(asked[0], asked[1]), "07: the found graph answers by chance"
    cells = ("show-error", "wrong-half", "wrong-scope", "wrong-initial", "wrong-twice", "clean-up")
    assert (space["folder"] / "model-7.index").exists()
    ended = run(*cells, **space)
    lines = ended["printed"].splitlines()
    assert "feed a value for placeholder tensor 'keep_prob'" in lines[0], "07:show-error"
    assert "conv1/weights" in lines[3] and lines[3].startswith("NotFoundError"), "07:wrong-scope"
    assert lines[4].startswith("global step 0, accuracy 0."), "07:wrong-initial: not wiped out"
    assert lines[5] == "['x', 'y', 'keep_prob', 'x_1', 'y_1', 'keep_prob_1']", "07:wrong-twice"
    assert not list(space["folder"].glob("model-*")), "07:clean-up: files are left"
    with pytest.raises(RuntimeError, match="closed"):
        asked_twice(space)


def asked_twice(space):
    feed = {"x:0": X["test"], "keep_prob:0": 1.0}
    return [space["found_session"].run(space["predictor"], feed) for _ in range(2)]


def test_test_images_are_read_only_where_accuracy_is_told():
    found = code_with("07", "test_x", ".test.")
    assert found == READS_TEST, f"07: test digits in other cells: {found}"
