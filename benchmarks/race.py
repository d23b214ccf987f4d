"""The race of notebook 11: seconds of training to 99.0 % on the MNIST test set.

Programs run in turn, seed after seed, each in a process of its own with the same number of
threads: the one of notebook 11 (its cells are executed, so the lesson and the measurement are the
same program), and the known record for this game, a network in PyTorch. The record's network is
also trained in the notebook's loop, which tells what the recipe gains from what the framework does.
Each is given 60,000
images as uint8 arrays in memory, and reports two times: ``seconds`` from there to the trained
weights, and ``steps``, the part of it that is left when building the network and tracing the
graph are not counted. PyTorch traces nothing, so there both are nearly the same. A first, short
training of each process is not counted: both are warm. Testing is not training and not counted.

The ladder measures each change of the notebook alone, on 55,000 training and 5,000 validation
digits: choices are made there, and the test digits only report.

Seeds that the file has with the same settings are kept, so a long measurement can be made in
parts. The record needs PyTorch, which nothing else here uses::

    pip install -e ".[race]"
    python benchmarks/race.py                    # 20 seeds of all three, in turn
    python benchmarks/race.py --ladder           # the changes, one at a time (long)

A PyTorch without CUDA is enough, and far smaller. Where PyTorch lives in another environment, name
its Python: ``--torch-python other/bin/python``. Write down with ``--idle yes`` or ``--idle no``
whether the machine did anything else. The file is ``mnist_edu/measured/race.json``.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import time

import numpy as np
import shared

from mnist_edu import data

IN_OUR_LOOP = "the record's network, our loop"
ITS_RUNG = "the record's network, 1 pass"

# --- The programs --------------------------------------------------------------------------------


def record(images: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int) -> dict:
    """Train the PyTorch net that holds the record; return seconds and its answers."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    start = time.perf_counter()
    x = standardised(torch.from_numpy(images))
    y = torch.from_numpy(labels).long()
    first = [nn.Conv2d(1, 24, 5), nn.MaxPool2d(2), nn.ReLU()]
    second = [nn.Conv2d(24, 32, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*first, *second, nn.Linear(800, 256), nn.ReLU(), nn.Linear(256, 10))
    adam = torch.optim.Adam(model.parameters(), lr=1e-2, betas=(0.7, 0.9))
    batches = range(0, len(x), 256)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        adam, 1e-2, total_steps=len(batches), cycle_momentum=False
    )
    began = time.perf_counter()
    for i in batches:
        adam.zero_grad()
        nn.functional.cross_entropy(model(x[i : i + 256]), y[i : i + 256]).backward()
        adam.step()
        cycle.step()
    end = time.perf_counter()
    with torch.no_grad():
        answers = model(standardised(torch.from_numpy(test))).argmax(1).numpy()
    return {"seconds": end - start, "steps": end - began, "answers": answers}


def standardised(images):
    """Return a uint8 tensor (n, 28, 28) as float32 (n, 1, 28, 28), mean 0 and deviation 1."""
    return ((images.float() / 255 - 0.1307) / 0.3081).unsqueeze(1)


# --- A program in a process of its own -----------------------------------------------------------


def work(program: str, threads: int) -> None:
    """Train once for each line of standard input, a JSON task; answer with a line of JSON."""
    answer_to = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(2, 1)
    run = record_program(threads) if program == "record" else lesson_program(threads)
    for line in sys.stdin:
        answer_to.write(json.dumps(run(**json.loads(line))) + "\n")
        answer_to.flush()


def record_program(threads: int):
    """Return a function that trains the record with a seed and returns a row."""
    import torch

    torch.set_num_threads(threads)
    train_images, train_labels, test_images, test_labels = all_digits()

    def run(seed: int, warm: bool = False) -> dict:
        count = 2560 if warm else None
        told = record(train_images[:count], train_labels[:count], test_images, seed)
        accuracy = float(np.mean(told.pop("answers") == test_labels))
        return told | {"accuracy": accuracy, "version": f"PyTorch {torch.__version__}"}

    return run


def lesson_program(threads: int):
    """Return a function that runs a step of the notebook's ladder, or its last one, for a row.

    A step is judged on validation digits, but with ``tuned=False``, as the last one, on the test
    digits, after all 60,000 others.
    """
    names = shared.lesson(shared.RACE, threads)
    rungs = names["ladder"] | names["failures"]
    whole = all_digits()
    digits = data.load("mnist")
    parts = (digits.train, digits.validation)
    tuning = [values for part in parts for values in (part.images, part.labels)]

    def run(seed: int, step: str = "", tuned: bool = True, warm: bool = False) -> dict:
        train_images, train_labels, images, labels = tuning if step and tuned else whole
        count = 2560 if warm else None
        train, settings = rungs[step] if step else (names["train"], names["finish"])
        model, told = train(train_images[:count], train_labels[:count], seed=seed, **settings)
        accuracy = names["accuracy"](model, images, labels)
        return told | {"accuracy": accuracy, "version": f"TensorFlow {names['tf'].__version__}"}

    return run


def all_digits() -> tuple[np.ndarray, ...]:
    """Return all 60,000 training images with labels, and the test images with labels."""
    digits = data.load("mnist", validation_size=0)
    parts = (digits.train, digits.test)
    return tuple(values.copy() for part in parts for values in (part.images, part.labels))


def start(program: str, python: str, threads: int) -> subprocess.Popen:
    command = [python, __file__, "--work", program, "--threads", str(threads)]
    names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
    env = os.environ | dict.fromkeys(names, str(threads)) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    path = (
        str(shared.ROOT),
        os.environ.get("PYTHONPATH"),
    )  # the other Python finds mnist_edu there
    env["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=env, **pipes)


def ask(program: subprocess.Popen, **task: object) -> dict:
    """Send a task, wait for its row.

    Raises
    ------
    SystemExit
        If the program ended; what it wrote to standard error stands above.
    """
    program.stdin.write(json.dumps(task) + "\n")
    program.stdin.flush()
    line = program.stdout.readline()
    if not line:
        raise SystemExit("the program ended: see above (is PyTorch there? --torch-python names it)")
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in json.loads(line).items()}


# --- The measurement -----------------------------------------------------------------------------


def measure(chosen: argparse.Namespace) -> None:
    """Run what is missing, in turn, each program in its process."""
    names = [f"notebook {shared.LESSON}", IN_OUR_LOOP, "record"]
    if chosen.ladder:
        cells = shared.lesson(shared.RACE)
        names = [*cells["ladder"], *cells["failures"]]
    settings = {"threads": chosen.threads, "lesson": shared.fingerprint(shared.RACE)}
    programs = {}
    part = "ladder" if chosen.ladder else "race"
    shared.measure(chosen, part, settings, names, functools.partial(one, programs, chosen))
    for program in programs.values():
        program.stdin.close()
        program.wait()


def one(programs: dict, chosen: argparse.Namespace, name: str, seed: int) -> dict[str, dict]:
    """Ask for a row; a program that does not run yet is started and warmed up."""
    kind = "record" if name == "record" else "lesson"
    if kind not in programs:
        python = chosen.torch_python if kind == "record" else sys.executable
        programs[kind] = start(kind, python, chosen.threads)
        ask(programs[kind], seed=0, warm=True)
    task = {"step": name} if chosen.ladder else {}
    if name == IN_OUR_LOOP:
        task = {"step": ITS_RUNG, "tuned": False}
    return {name: ask(programs[kind], seed=seed, **task)}


def main() -> None:
    parser = shared.options("race", __doc__, seeds=20, threads=2)
    parser.add_argument("--ladder", action="store_true", help="each change alone, on validation")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work, chosen.threads)
    else:
        measure(chosen)


if __name__ == "__main__":
    main()
