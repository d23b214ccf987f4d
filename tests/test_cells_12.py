"""Notebook 12: its steps beside NumPy, its programs in this process with a stand-in team."""

import contextlib
import io
import json
import os
import shutil
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cells import cells_of, run_cells
from stand_ins import about, digits, listen

tf = pytest.importorskip("tensorflow", reason="TensorFlow is missing")

import keras  # noqa: E402

from mnist_edu import data, lesson, plots, workers  # noqa: E402
from mnist_edu.exercises import nb02, nb12  # noqa: E402

pytestmark = pytest.mark.slow
DIGITS = digits()
SETTINGS = {"seed": 1, "batch_size": 20, "steps": 9, "learning_rate": 0.1, "backup_every": 3}
SETTINGS |= {"lost_at": 5, "batches": [4, 8], "rounds": 2, "waiting": 9, "limit": 77}
GUESSES = ("halves", "bytes", "gain", "lost", "resumed", "rate")


@pytest.fixture
def names(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return {
        **{"np": np, "tf": tf, "keras": keras, "json": json, "shutil": shutil, "socket": socket},
        **{"Path": Path, "data": data, "lesson": lesson, "plots": plots, "workers": workers},
        **{"nb02": nb02, "nb12": nb12, "digits": DIGITS, "kept": listen(monkeypatch)},
        **SETTINGS,
        **{f"guess_{name}": ... for name in GUESSES},
    }


def run(names, *ids, **more):
    return run_cells("12", *ids, **names | more)


@pytest.fixture
def built(names):
    return run(names, "prepare", "network", "gradient", "halves", "reference-step", "halves-look")


def by_hand(weights, x, y, divisor):
    """Return loss and gradients of the network, the sum of the losses divided by ``divisor``."""
    W, b, V, c = weights
    hidden = np.maximum(0, x @ W + b)
    powers = np.exp(hidden @ V + c)
    p = powers / powers.sum(1, keepdims=True)
    out = (p - np.eye(10)[y]) / divisor
    back = (out @ V.T) * (hidden > 0)
    loss = -np.log(p[np.arange(len(y)), y]).sum() / divisor
    return loss, [x.T @ back, back.sum(0), hidden.T @ out, out.sum(0)]


def train_by_hand(weights, x, y, steps, batch=20, rate=0.1, momentum=0.9):
    weights = [part.astype(float) for part in weights]
    velocities, losses = [0.0] * 4, []
    for step in range(steps):
        some = slice(step * batch, (step + 1) * batch)
        loss, gradients = by_hand(weights, x[some], y[some], batch)
        velocities = [momentum * v - rate * g for v, g in zip(velocities, gradients, strict=True)]
        weights = [w + v for w, v in zip(weights, velocities, strict=True)]
        losses.append(loss)
    return weights, losses


def assert_close(found, wanted, why, **how):
    for mine, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, right, err_msg=why, **({"atol": 1e-5} | how))


@about("12", "parameters", "other settings than the lesson speaks of")
def test_settings_are_those_of_the_lesson():
    found = run_cells("12", "parameters")
    wanted = dict(batch_size=200, steps=60, learning_rate=0.1, backup_every=20, lost_at=45)
    wanted |= dict(batches=[16, 64, 256], rounds=12, waiting=15, limit=300)
    assert {name: found[name] for name in wanted} == wanted
    assert wanted["lost_at"] % wanted["backup_every"], "nothing would be done twice"


@pytest.mark.parametrize(("gpus", "devices"), [(0, "CPU"), (1, "CPU"), (2, "GPU")])
@about("12", "devices", "not two devices, or two GPUs are left idle")
def test_two_devices_are_two_gpus_or_two_parts_of_the_cpu(names, gpus, devices):
    cut = []
    config = SimpleNamespace(
        list_physical_devices=lambda kind: ["g"] * gpus if kind == "GPU" else ["cpu"],
        LogicalDeviceConfiguration=lambda: "part",
        set_logical_device_configuration=lambda cpu, parts: cut.append((cpu, parts)),
    )
    found = run(names, "devices", tf=SimpleNamespace(config=config))
    assert found["devices"] == [f"{devices}:0", f"{devices}:1"]
    assert cut == ([] if gpus == 2 else [("cpu", ["part", "part"])])


@about("12", "prepare, network", "images out of order, or another network or loss")
def test_images_keep_their_order_and_the_network_is_the_one_described(built):
    x = DIGITS.train.images[:180].reshape(-1, 784) / 255
    np.testing.assert_allclose(built["train_x"], x, rtol=1e-6)
    np.testing.assert_array_equal(built["train_y"], DIGITS.train.labels[:180])
    shapes = [part.shape for part in built["network"].get_weights()]
    assert shapes == [(784, 128), (128,), (128, 10), (10,)]
    assert [layer.activation.__name__ for layer in built["network"].layers] == ["relu", "linear"]
    losses = built["cross_entropy"](built["train_y"][:7], built["network"](built["train_x"][:7]))
    wanted = [
        by_hand(built["first_weights"], x[i : i + 1], built["train_y"][i : i + 1], 1)[0]
        for i in range(7)
    ]
    np.testing.assert_allclose(losses, wanted, rtol=1e-4)


@about("12", "gradient, halves, halves-look", "not the gradient of the mean loss, or other halves")
def test_mean_of_the_halves_is_the_gradient_of_the_batch(built):
    x, y, weights = built["train_x"], built["train_y"], built["first_weights"]
    for name, some in (("one", slice(0, 10)), ("two", slice(10, 20)), ("whole", slice(0, 20))):
        wanted = by_hand(weights, x[some], y[some], some.stop - some.start)[1]
        assert_close(built[name], wanted, f"halves: {name}", atol=1e-6)
    assert built["kept"].compared == ["mean"] and built["printed"].endswith("to 1e-6: True")
    difference = built["largest_difference"]
    assert difference([np.zeros(3), np.ones(2)], [np.zeros(3), np.array([1, 3.5])]) == 2.5
    wrong = run(built, "halves-look", whole=[2 * part for part in built["whole"]])
    assert wrong["printed"].endswith("False")


@about("12", "wrong-average, wrong-shard", "a fault has another effect than the one told")
def test_faults_of_the_loss_and_the_shards_have_the_effect_told(built):
    said = run(built, "wrong-average", "wrong-rest", "wrong-shard")["printed"].splitlines()
    assert said[0] == "sum of the means of two halves: 2.00 times the gradient of the batch"
    assert said[1] == "images used: 200 of 201"
    assert said[2].endswith("that half: True") and said[3].endswith("whole batch: False")


@about("12", "reference-step", "the losses of a part are not divided by the global batch size")
def test_gradients_of_the_parts_of_any_size_add_up_to_that_of_the_batch(built):
    kept = []
    optimizer = SimpleNamespace(apply_gradients=lambda pairs: kept.append([*pairs]))
    step = built["step_for"](built["network"], optimizer)
    x, y = built["train_x"][:20], built["train_y"][:20]
    losses = [float(step(x[some], y[some])) for some in (slice(0, 4), slice(4, 20))]
    loss, wanted = by_hand(built["first_weights"], x, y, 20)
    assert sum(losses) == pytest.approx(loss, rel=1e-5)
    added = [sum(pair[i][0].numpy() for pair in kept) for i in range(4)]
    assert_close(added, wanted, "the sum of two parts", atol=1e-6)
    for (_, variable), own in zip(kept[0], built["network"].trainable_variables, strict=True):
        assert variable is own


@about("12", "reference", "not gradient descent with momentum on the batches in their order")
def test_run_to_compare_with_is_the_one_worked_out_in_numpy(built):
    built["first_weights"] = [part.copy() for part in built["network"].get_weights()]
    found = run(built, "reference")
    x, y = built["train_x"].astype(float), built["train_y"]
    weights, losses = train_by_hand(built["first_weights"], x, y, 9)
    np.testing.assert_allclose(found["one_device"], losses, atol=1e-4)
    assert_close(built["network"].get_weights(), weights, "weights", atol=1e-4)


class Team:
    """Stands for a strategy: one process, as many workers as told, nothing is exchanged."""

    def __init__(self, workers=1):
        self.num_replicas_in_sync, self.asked, self.inside = workers, [], False

    @contextlib.contextmanager
    def scope(self):
        self.inside = True
        yield
        self.inside = False

    def run(self, function, args=()):
        self.asked.append(args)
        return function(*args)

    def reduce(self, how, value, axis):
        assert (how, axis) == ("SUM", None), "the parts of the loss are not added up"
        return value


@about(
    "12", "mirrored, mirrored-step", "made outside the scope, other weights, or parts not added up"
)
def test_network_and_optimizer_are_made_in_the_scope_and_start_at_the_same_weights(
    built, monkeypatch
):
    team, made = Team(), []
    monkeypatch.setattr(
        tf.distribute, "MirroredStrategy", lambda devices: made.append(devices) or team
    )

    def build():
        made.append(team.inside)
        return built["build"]()

    class SGD(keras.optimizers.SGD):
        def build(self, variables):
            made.append(team.inside)
            super().build(variables)

    some = SimpleNamespace(optimizers=SimpleNamespace(SGD=SGD))
    more = {"devices": ["CPU:0", "CPU:1"], "build": build, "keras": some}
    found = run(built, "mirrored", "mirrored-step", **more)
    assert made == [["CPU:0", "CPU:1"], True, True]
    assert_close(found["mirrored"].get_weights(), built["first_weights"], "other first weights")
    optimizer = found["optimizer"]
    assert float(optimizer.learning_rate) == pytest.approx(0.1) and optimizer.momentum == 0.9
    x, y = built["train_x"][:20], built["train_y"][:20]
    loss, _ = by_hand(built["first_weights"], x, y, 20)
    assert float(found["mirrored_step"](x, y)) == pytest.approx(loss, rel=1e-5)
    assert len(team.asked) == 1


@about("12", "tf-config, ex-2", "a worker gets another place or other addresses than its team")
def test_each_worker_is_told_the_whole_team_and_its_own_place(names):
    found = run(names, "tf-config")
    told = found["environments"](3)
    configs = [json.loads(environment["TF_CONFIG"]) for environment in told]
    assert [config["task"] for config in configs] == [
        {"type": "worker", "index": i} for i in range(3)
    ]
    (addresses,) = {tuple(config["cluster"]["worker"]) for config in configs}
    assert len(set(addresses)) == 3 and all(a.startswith("127.0.0.1:") for a in addresses)
    assert all(environment["CUDA_VISIBLE_DEVICES"] == "-1" for environment in told)
    team = run_cells("12", "ex-2-solution", json=json, nb12=SimpleNamespace(team=id))["team"]
    for index, config in enumerate(configs):
        assert json.loads(team(list(addresses), index)) == config


# --- The worker's program ------------------------------------------------------------------------


@pytest.fixture
def planned(built):
    return run(built, "plan")


@about("12", "plan", "a file does not hold what the workers need")
def test_plan_images_and_first_weights_are_written(planned):
    plan = json.loads((planned["folder"] / "plan.json").read_text())
    asked = ("steps", "batch_size", "learning_rate", "backup_every", "batches", "rounds")
    assert plan == {name: SETTINGS[name] for name in asked}
    with np.load(planned["folder"] / "images.npz") as file:
        np.testing.assert_array_equal(file["images"], planned["train_x"])
        np.testing.assert_array_equal(file["labels"], planned["train_y"])
    with np.load(planned["folder"] / "first_weights.npz") as file:
        assert_close([file[name] for name in file.files], planned["first_weights"], "", atol=0)


class Left(BaseException):
    """The worker was lost."""


@pytest.fixture
def work(planned, monkeypatch):
    """Return a function that runs a program of the notebook in this process, as one worker."""
    monkeypatch.chdir(planned["folder"])
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda n: None)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", lambda n: None)
    graph = tf.function
    eager = lambda function=None, **how: graph(function, **how) if how else function  # noqa: E731
    monkeypatch.setattr(tf, "function", eager)

    def leave(code):
        raise Left(code)

    monkeypatch.setattr(os, "_exit", leave)

    def start(program, me=0, lost_at=-1, team=None, **plan):
        """Return what it printed, and whether it left."""
        path = Path("plan.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | plan))
        monkeypatch.setenv("TF_CONFIG", json.dumps({"task": {"index": me}}))
        monkeypatch.setattr(sys, "argv", ["worker.py", str(lost_at)])
        strategy = team or Team()
        monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: strategy)
        source = "".join(cells_of("12")[program]["source"])
        printed, code = io.StringIO(), source.partition("\n")[2]
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile(code, f"12:{program}", "exec"), {"__name__": "__main__"})
                left = None
            except Left as error:
                left = error.args[0]
        return printed.getvalue().splitlines(), left

    return start


def weights_of(me=0):
    with np.load(f"last_weights_{me}.npz") as file:
        return [file[name] for name in file.files]


@about("12", "worker", "another network, optimizer, batch or order than on one device")
def test_one_worker_alone_trains_as_one_device_does(planned, work):
    lines, left = work("worker")
    x, y = planned["train_x"].astype(float), planned["train_y"]
    weights, losses = train_by_hand(planned["first_weights"], x, y, 9)
    assert left is None and lines[0] == "worker 0 waits for the others"
    assert lines[1:] == [f"step {n} loss {line.split()[3]}" for n, line in enumerate(lines[1:])]
    np.testing.assert_allclose([float(line.split()[3]) for line in lines[1:]], losses, atol=1e-4)
    assert_close(weights_of(), weights, "last weights", atol=1e-4)


@about(
    "12", "worker, part 5 and 6", "a resumed run is not the uninterrupted one: it starts elsewhere"
)
def test_a_run_resumed_from_its_backup_ends_as_one_that_was_never_interrupted(work):
    whole, _ = work("worker")
    never = weights_of()
    shutil.rmtree("backup")
    work("worker", steps=5)  # a backup after 3 steps
    resumed, _ = work("worker", steps=9)
    assert [line.split()[1] for line in resumed[1:]] == ["3", "4", "5", "6", "7", "8"]
    steps = [float(line.split()[3]) for line in resumed[1:]]
    np.testing.assert_allclose(steps, [float(line.split()[3]) for line in whole[4:]], atol=1e-5)
    assert_close(weights_of(), never, "weights after a resume", atol=1e-6)
    again, _ = work("worker", steps=9)  # from the backup after 9 steps: nothing is left to do
    assert len(again) == 1
    assert_close(weights_of(), never, "the memory of the optimizer is lost", atol=1e-6)


@about(
    "12", "worker, part 6", "a worker takes another part of the batch, or divides by another number"
)
def test_two_workers_take_the_two_halves_of_each_batch_and_divide_by_the_whole(planned, work):
    x, y, moved = planned["train_x"], planned["train_y"], []
    for me in (0, 1):
        team = Team(2)
        work("worker", me=me, team=team, steps=3)
        for number, (images, labels) in enumerate(team.asked):
            first = 20 * number + 10 * me
            np.testing.assert_array_equal(images, x[first : first + 10])
            np.testing.assert_array_equal(labels, y[first : first + 10])
        assert Path("backup").exists() == (me == 0), "worker 0 alone keeps its backup"
        assert not Path("throw_away_1").exists(), "what the other has saved is not thrown away"
        shutil.rmtree("backup", ignore_errors=True)
        work("worker", me=me, team=Team(2), steps=1)
        moved.append([a - b for a, b in zip(weights_of(me), planned["first_weights"], strict=True)])
    _, gradients = by_hand(planned["first_weights"], x[:20].astype(float), y[:20], 20)
    added = [a + b for a, b in zip(*moved, strict=True)]
    assert_close(added, [-0.1 * part for part in gradients], "the two parts together", atol=1e-5)


@about("12", "worker, part 6", "the wrong worker is lost, or before another step")
def test_worker_1_is_lost_before_its_step_and_worker_0_is_not(work):
    lines, left = work("worker", me=1, lost_at=5, team=Team(2))
    assert left == 1 and lines[-1].startswith("step 4 ") and not Path("last_weights_1.npz").exists()
    assert Path("throw_away_1/checkpoint").exists(), "worker 1 does not save with the others"
    assert not Path("backup").exists(), "worker 1 saves into the folder of worker 0"
    lines, left = work("worker", me=0, lost_at=5, team=Team(2))
    assert left is None and lines[-1].startswith("step 8 ")
    lines, _ = work("worker", me=1, team=Team(2), steps=12)
    assert lines[1].startswith("step 9 "), "worker 1 does not start from the backup of worker 0"


@about("12", "measure", "other networks or batches, or alone and together are not told apart")
def test_measuring_times_two_networks_alone_and_together(work):
    team = Team(2)
    steps, alone = team.run, []
    team.run = lambda function, args=(): steps(function, args) if args else None
    lines, _ = work("measure", team=team, batches=[4, 8], rounds=1)
    rows = [json.loads(line) for line in lines]
    kinds = [("dense", 814_090), ("convolution", 34_826)]
    wanted = [(*kind, batch) for kind in kinds for batch in (4, 8)]
    assert [(row["network"], row["parameters"], row["batch"]) for row in rows] == wanted
    assert all(row["alone"] > 0 and row["together"] > 0 for row in rows)
    parts = [len(images) for images, _ in team.asked]
    assert parts == [2, 2, 4, 4] * 2, "together, a worker does not take its half of the batch"
    team = Team(2)
    team.run = lambda function, args=(): steps(function, args) if args else alone.append(1)
    lines, _ = work("measure", me=1, team=team, batches=[4], rounds=1)
    assert [json.loads(line)["alone"] for line in lines] == [0, 0] and len(alone) == 8


# --- What the workers told -----------------------------------------------------------------------


def told(losses, first=0):
    lines = [f"step {number} loss {loss:.7f}" for number, loss in enumerate(losses, first)]
    return workers.Outcome("done", "\n".join(["worker 0 waits for the others", *lines, "other"]))


@about(
    "12", "start, lost, resume, wrong-waiting", "another team is started, or old backups are used"
)
def test_teams_are_started_as_said(planned, monkeypatch):
    asked, backup = [], planned["folder"] / "backup"
    backup.mkdir()

    def start(program, environments, arguments=(), **how):
        asked.append((program.name, len(environments), [*arguments], how, backup.exists()))
        backup.mkdir(exist_ok=True)
        return ["outcome"]

    monkeypatch.setattr(workers, "run", start)
    monkeypatch.setattr(workers, "describe", lambda outcomes: outcomes)
    found = run(planned, "tf-config", "start", "lost", "resume", start=None)
    limit = {"limit": 77}
    assert asked == [
        ("worker.py", 2, [-1], limit, False),
        ("worker.py", 2, [5], limit | {"may_fail": True}, False),
        ("worker.py", 1, [-1], limit, True),
    ]
    assert found["finished"] == found["resumed"] == ["outcome"]
    monkeypatch.setattr(
        workers, "run", lambda *some, **how: asked.append((some, how)) or [told([1.0])]
    )
    run(found, "wrong-waiting")
    (program, environments, arguments), how = asked[-1]
    assert len(environments) == 1 and how == {"limit": 9, "may_fail": True} and arguments == [-1]
    assert len(json.loads(environments[0]["TF_CONFIG"])["cluster"]["worker"]) == 2


@about("12", "losses to weights-agree", "other runs are compared, or a difference is overlooked")
def test_losses_of_the_workers_are_read_back_and_compared(planned):
    losses = [2.3, 2.1, 1.9]
    more = {"finished": [told(losses), told(losses)], "one_device": losses, "two_devices": losses}
    found = run(planned, "losses", "same-curve", "curve-figure", "differences", **more)
    assert found["losses_of"](told(losses, 5)) == {5: 2.3, 6: 2.1, 7: 1.9}
    assert found["two_processes"] == losses
    assert [line.split()[-1] for line in found["printed"].splitlines()[-3:]] == [
        "3",
        "True",
        "True",
    ]
    _, (curves,), _ = planned["kept"].drawn[-1]
    assert curves == {name: losses for name in ("one device", "two devices", "two processes")}
    run(planned, "differences", one_device=[2.3, 2.0, 1.9], runs={"two devices": losses})
    assert planned["kept"].tables[-1] == [{"run": "two devices", "largest difference": "1e-01"}]
    other = [told([2.3, 2.1, 1.9002]), told(losses)]
    said = run(planned, "losses", "same-curve", **more | {"finished": other})["printed"]
    assert [line.split()[-1] for line in said.splitlines()[-2:]] == ["False", "False"]
    for me in (0, 1):
        np.savez(planned["folder"] / f"last_weights_{me}.npz", *planned["first_weights"])
    said = run(planned, "weights-agree")["printed"].splitlines()
    assert said == ["difference between the workers: 0.0", "as on one device, to 1e-4: True"]
    changed = [part + 0.001 for part in planned["first_weights"]]
    np.savez(planned["folder"] / "last_weights_0.npz", *changed)
    said = run(planned, "weights-agree", "resume-same", handed_in=[planned["first_weights"]])
    assert said["printed"].splitlines()[1].endswith("False"), "the network is not compared"
    assert not said["printed"].splitlines()[0].endswith(" 0.0"), "worker 0 with itself"
    apart = run(planned, "resume-same", handed_in=[planned["first_weights"]])["printed"]
    assert apart.endswith("False"), "weights that differ by 0.001 are called the same"
    agree = run(planned, "resume-same", handed_in=[changed])["printed"]
    assert agree.endswith("True") and said["printed"].endswith("True")


@about("12", "lost-look, resume-look, lost-figure", "the answer or the curve is of another run")
def test_what_happened_to_the_team_is_told_and_drawn(planned, monkeypatch):
    monkeypatch.setattr(workers, "describe", lambda outcomes: ["told"])
    lost = told([9.0, 8.0, 7.0, 6.0, 5.0])
    more = {"lost": [lost], "resumed": [told([6.5, 5.5, 4.5], 3)], "two_processes": [1.0] * 6}
    found = run(planned, "losses", **more | {"finished": [lost]})
    more |= {"losses_of": found["losses_of"], "steps": 6}
    for state, answer in (("failed", "stop"), ("stopped", "wait"), ("done", "go on")):
        lost.state = state
        run(planned, "lost-look", **more)
        assert planned["kept"].compared[-1] == answer
    found = run(planned, "lost-look", "resume-look", "lost-figure", **more)
    assert planned["kept"].compared[-1] == 3
    assert "worker 0 did the steps 0 to 4\n" in found["printed"]
    assert found["printed"].endswith("steps of the new start: 3 to 5")
    _, (curves,), _ = planned["kept"].drawn[-1]
    nan = np.nan
    np.testing.assert_array_equal(curves["until the loss"], [9, 8, 7, 6, 5, nan])
    np.testing.assert_array_equal(curves["resumed"], [nan, nan, nan, 6.5, 5.5, 4.5])
    np.testing.assert_array_equal(curves["never lost"], [1] * 6)


@pytest.mark.parametrize("n", [2, 3, 5])
@about("12", "ring", "the ring does not end in the sum, or sends more than a piece a turn")
def test_ring_adds_up_in_n_minus_1_turns_and_hands_round_in_as_many(names, n):
    turn_of = run(names, "ring")["ring_turn"]
    pieces = np.random.default_rng(n).integers(1, 1000, (n, n))
    wanted, state = pieces.sum(0), pieces.copy()
    for turn in range(2 * (n - 1)):
        before = state.copy()
        state = turn_of(state, turn)
        changed = state != before
        assert (changed.sum(1) <= 1).all(), "a worker gets more than one piece in a turn"
        if turn == n - 2:
            done = state == wanted
            assert (done.sum(0) >= 1).all() and (done.sum(1) >= 1).all(), "no piece is complete"
    np.testing.assert_array_equal(state, np.tile(wanted, (n, 1)))
    assert (turn_of(before, 0) != before).any() and (before.shape == (n, n))


@about("12", "ring-figure, bytes, ex-3", "bytes of another number of turns or pieces")
def test_bytes_of_the_ring_are_counted_turn_by_turn(names):
    network = SimpleNamespace(count_params=lambda: 101_770)
    found = run(names, "ring", "bytes", network=network)
    shown = []
    run(found, "ring-figure", drawings=SimpleNamespace(ring=shown.append))
    ((start, *_, end),) = shown
    assert start.tolist() == [[1, 2, 3], [10, 20, 30], [100, 200, 300]] and len(shown[0]) == 5
    assert (end == [111, 222, 333]).all()
    ring_bytes = run_cells("12", "ex-3-solution", nb12=SimpleNamespace(ring_bytes=id))["ring_bytes"]
    measured = run_cells("12", "bytes-measured", rows=timed(), batches=[1, 2, 3], lesson=lesson)
    for n in (2, 3, 16):
        piece, turns = 4 * 101_770 / n, 2 * (n - 1)
        assert measured["ring_kilobytes"](101_770, n) == pytest.approx(turns * piece / 1000)
        assert ring_bytes(101_770, n) == pytest.approx(turns * piece)
    assert names["kept"].compared == [pytest.approx(407.08)]


KNOWN = {"dense": (0.002, 1e-5, 0.004), "convolution": (0.003, 2e-4, 0.001)}  # a, c, e in seconds
PARAMETERS = {"dense": 814_090, "convolution": 34_826}


def timed(batches=(16, 64, 256)):
    """Rows of a machine that follows the model of cost exactly."""
    return [
        {"network": kind, "parameters": PARAMETERS[kind], "batch": B, "received": 7000.0}
        | {"alone": a + c * B, "together": a + c * B / 2 + e}
        for kind, (a, c, e) in KNOWN.items()
        for B in batches
    ]


@pytest.fixture
def costed(names):
    return run(names, "fit", "gains", rows=timed(), batches=[16, 64, 256])


@about("12", "fit, gains, ex-4", "the model of cost is fitted or used otherwise")
def test_model_of_cost_is_found_again_and_predicts_the_gain(costed):
    for kind, known in KNOWN.items():
        np.testing.assert_allclose(costed["models"][kind], known, rtol=1e-6, err_msg=kind)
        a, c, e = known
        gain = [(a + c * B) / (a + c * B / 2 + e) for B in (16, 64, 256)]
        np.testing.assert_allclose(costed["gains"][kind]["model"], gain)
        np.testing.assert_allclose(costed["gains"][kind]["measured"], gain)
        assert costed["gains"][kind]["one worker"] == [1, 1, 1], "no line at 1"
    assert costed["kept"].compared == ["convolution"]
    nothing = SimpleNamespace(break_even=id)
    found = run(costed, "ex-4-solution", "ex-4-look", nb12=nothing)
    for n in (2, 5):
        B = found["break_even"](2e-4, 0.001, n)
        assert 2e-4 * B == pytest.approx(2e-4 * B / n + 0.001)
    assert "dense: breaks even at a batch of 800" in found["printed"]


@about(
    "12", "measure-run to speed-table", "a row is of another network, or divided by another time"
)
def test_what_was_measured_is_read_and_shown(costed, monkeypatch):
    output = "\n".join(json.dumps(row) for row in timed())
    outcome = [workers.Outcome("done", output), workers.Outcome("done", "")]
    monkeypatch.setattr(workers, "run", lambda *_, **__: outcome)
    more = {"folder": Path("logs"), "environments": lambda count: [count]}
    found = run(costed, "measure-run", "bytes-measured", "speed-table", **more)
    assert found["rows"] == timed()
    seen, speeds = costed["kept"].tables
    assert [row["network"] for row in seen] == ["dense", "convolution"]
    assert [row["kB, formula"] for row in seen] == ["6,513", "279"] and seen[0]["kB, seen"] == "7"
    unit = timed()[0]["alone"]
    for row, shown in zip(timed(), speeds, strict=True):
        assert shown["alone"] == f"{row['alone'] / unit:.2f}"
        assert shown["together"] == f"{row['together'] / unit:.2f}"
        assert shown["gain"] == f"{row['alone'] / row['together']:.2f}"


@about("12", "more-figure", "another cable, or another model of cost")
def test_gain_of_many_workers_follows_the_model_with_a_cable_of_one_gigabit(costed):
    run(costed, "bytes-measured", "more-figure")
    _, (curves, counts, *_), _ = costed["kept"].drawn[-1]
    assert [*counts] == [*range(1, 17)] == [*curves["as many times as workers"]]
    for kind, (a, c, _) in KNOWN.items():
        for n in (1, 2, 16):
            sent = 2 * (n - 1) / n * 4 * PARAMETERS[kind]
            seconds = a + c * 256 / n + sent / 125e6 + 2 * (n - 1) * 1e-4
            assert curves[kind][n - 1] == pytest.approx((a + c * 256) / seconds), (kind, n)


@about("12", "fit-mirrored", "fit in the scope is another training than on one device")
def test_fit_in_the_scope_ends_at_the_weights_of_one_device(built):
    strategy = tf.distribute.get_strategy()
    ended = run(built, "reference", "fit-mirrored", "fit-mirrored-look", strategy=strategy)
    assert ended["printed"].endswith("to 1e-4: True")
    x, y = built["train_x"].astype(float), built["train_y"]
    weights, _ = train_by_hand(built["first_weights"], x, y, 9)
    assert_close(ended["fitted"].get_weights(), weights, "fit", atol=1e-4)


@about(
    "12",
    "scaled, scaled-sixteen",
    "a team has another batch, rate or number of images than is said",
)
def test_teams_are_played_by_one_device_with_their_batch_and_rate(built, monkeypatch):
    fits, rates = [], []
    true_fit, true_sgd = keras.Sequential.fit, keras.optimizers.SGD

    def fit(self, x, y, **how):
        fits.append((len(x), how["batch_size"], how["epochs"]))
        return true_fit(self, x, y, **how)

    monkeypatch.setattr(keras.Sequential, "fit", fit)
    monkeypatch.setattr(keras.optimizers, "SGD", lambda rate: rates.append(rate) or true_sgd(rate))
    found = run(built, "scaled", "look-rate", "scaled-sixteen", "scaled-figure")
    asked = [(1, 1), (4, 1), (4, 2), (4, 4), (16, 1), (16, 16)]
    assert fits == [(180, 20 * team, 2) for team, _ in asked for _ in range(3)]
    assert rates == pytest.approx([0.1 * factor for _, factor in asked for _ in range(3)])
    assert list(found["scores"]) == asked and all(len(v) == 3 for v in found["scores"].values())
    assert len(set(map(tuple, found["scores"].values()))) > 1
    scores = {(1, 1): [0.8], (4, 1): [0.6], (4, 2): [0.9], (4, 4): [0.75]}
    run(built, "look-rate", scores=scores)
    assert built["kept"].compared[-1] == pytest.approx(0.4), "not the nearest mean"


@about("12", "test, results", "other weights or images, or a number under another name")
def test_test_accuracy_is_that_of_the_last_weights_on_the_test_images(planned):
    last = [part + 0.01 for part in planned["first_weights"]]
    found = run(planned, "test", last_weights=last)
    x = DIGITS.test.images.reshape(-1, 784) / 255
    W, b, V, c = last
    answers = (np.maximum(0, x @ W + b) @ V + c).argmax(1)
    assert found["test_accuracy"] == np.mean(answers == DIGITS.test.labels)
    how = {"one_device": [1.0, 0.5], "two_devices": [1.0, 0.5], "two_processes": [1.0, 0.6]}
    run(planned, "results", test_accuracy=0.75, **how)
    assert planned["kept"].recorded == {
        "test_accuracy": 0.75,
        "last_loss": 0.6,
        "runs_that_agree": 1,
    }


@about("12", "ex-1-solution", "parts do not count by their share of the images")
def test_parts_of_different_size_are_combined_by_their_shares(built):
    combine = run_cells("12", "ex-1-solution", nb12=SimpleNamespace(combine=id))["combine"]
    x, y = built["train_x"], built["train_y"]
    parts = [built["gradient"](x[:3], y[:3])[0], built["gradient"](x[3:20], y[3:20])[0]]
    np.testing.assert_allclose(combine(parts, [3, 17]), built["whole"][0], atol=1e-6)


@about("12", "wrong-port", "the message is another one")
def test_a_port_that_is_in_use_says_so(names):
    assert "OSError" in run(names, "wrong-port")["printed"]
