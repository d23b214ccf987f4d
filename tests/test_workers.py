"""Workers: whatever happens to one of them, none stays behind and the cause is named."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mnist_edu import workers

BOTH = [{"ME": "0"}, {"ME": "1"}]
# Each worker writes its process id, so that the tests can ask whether it lives.
HEAD = """
import os, sys, time
me = int(os.environ["ME"])
with open(f"pid-{me}", "w") as file:
    file.write(str(os.getpid()))
"""


@pytest.fixture
def program(tmp_path):
    def write(text):
        path = tmp_path / "program.py"
        path.write_text(HEAD + text, "utf-8")
        return path

    return write


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def pids(folder):
    texts = [path.read_text() for path in sorted(folder.glob("pid-*"))]
    return [int(text) for text in texts if text]


def alive(pid):
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        return "State:\tZ" not in status.read_text()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_all_get_their_own_environment_and_the_same_arguments(program):
    path = program('print("worker", me, sys.argv[1:], os.getcwd() == os.path.dirname(__file__))')
    outcomes = workers.run(path, BOTH, ["a", 2])
    assert [o.output.strip() for o in outcomes] == [
        "worker 0 ['a', '2'] True",
        "worker 1 ['a', '2'] True",
    ]
    assert workers.describe(outcomes) == ["worker 0 done", "worker 1 done"]


def test_workers_run_at_the_same_time(program):
    path = program("""
while not os.path.exists(f"pid-{1 - me}"):
    time.sleep(0.01)
""")
    workers.run(path, BOTH, limit=60)


def test_failing_worker_is_named_with_its_error_and_the_other_is_stopped(
    program, tmp_path, monkeypatch
):
    monkeypatch.setattr(workers, "PATIENCE", 0.2)
    path = program("""
if me == 1:
    print("some log", file=sys.stderr)
    raise ValueError("the batch is empty")
time.sleep(600)
""")
    with pytest.raises(RuntimeError, match="worker 1 failed: ValueError: the batch is empty$"):
        workers.run(path, BOTH)
    assert len(pids(tmp_path)) == 2 and not any(map(alive, pids(tmp_path)))


def test_cause_of_an_error_is_found_below_its_first_line(program):
    path = program("""
print("Traceback (most recent call last):", file=sys.stderr)
print("library.part.UnavailableError: Graph execution error:", file=sys.stderr)
print("\\nDetected at node X\\n<stack traces>\\nConnection reset\\nmore", file=sys.stderr)
sys.exit(1)
""")
    outcomes = workers.run(path, BOTH[:1], may_fail=True)
    assert outcomes[0].error == "UnavailableError: Graph execution error: Connection reset"


def test_others_have_time_to_end_by_themselves(program):
    path = program("""
if me == 1:
    os._exit(3)
time.sleep(1)
raise ConnectionError("worker 1 has left")
""")
    outcomes = workers.run(path, BOTH, may_fail=True)
    assert workers.describe(outcomes) == [
        "worker 0 failed: ConnectionError: worker 1 has left",
        "worker 1 failed: exit code 3, no error message",
    ]


@pytest.mark.slow
def test_hanging_workers_are_stopped_at_the_limit(program, tmp_path):
    path = program("""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("waiting")
time.sleep(600)
""")
    start = time.monotonic()
    outcomes = workers.run(path, BOTH, limit=3, may_fail=True)
    assert time.monotonic() - start < 30
    assert workers.describe(outcomes) == [
        "worker 0 stopped: still running after 3 s",
        "worker 1 stopped: still running after 3 s",
    ]
    assert not any(map(alive, pids(tmp_path)))


@pytest.mark.skipif(os.name != "posix", reason="signals are named on Linux and macOS")
def test_killed_worker_is_told_from_a_stopped_one(program):
    path = program("os.kill(os.getpid(), 9)")
    outcomes = workers.run(path, BOTH[:1], may_fail=True)
    assert workers.describe(outcomes) == ["worker 0 failed: killed by SIGKILL"]


@pytest.mark.skipif(os.name != "posix", reason="a test cannot interrupt itself on Windows")
def test_interrupt_leaves_no_process_behind(program, tmp_path):
    path = program("time.sleep(600)")

    def interrupt():
        wait_for(lambda: len(pids(tmp_path)) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    # Who starts the tests with nohup, or in the background, has them ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.run(path, BOTH, limit=60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(pids(tmp_path)) == 2 and not any(map(alive, pids(tmp_path)))


def test_killed_notebook_leaves_no_process_behind(program, tmp_path):
    path = program("time.sleep(600)")
    words = "import sys; from mnist_edu import workers; workers.run(sys.argv[1], [{'ME': '0'}])"
    root = {"PYTHONPATH": str(Path(workers.__file__).parents[1])}
    kernel = subprocess.Popen([sys.executable, "-c", words, path], env=os.environ | root)
    assert wait_for(lambda: pids(tmp_path))
    (pid,) = pids(tmp_path)
    assert alive(pid)
    kernel.kill()
    kernel.wait()
    assert wait_for(lambda: not alive(pid))


def test_worker_that_cannot_be_started_stops_those_that_were(program, tmp_path):
    path = program("time.sleep(600)")
    with pytest.raises(TypeError):
        workers.run(path, [{"ME": "0"}, {"ME": 1}])
    assert not any(map(alive, pids(tmp_path)))


def test_missing_program_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no program worker.py in"):
        workers.run(tmp_path / "worker.py", BOTH)


def test_free_ports_are_different_and_can_be_used():
    ports = workers.free_ports(20)
    assert len(set(ports)) == 20
    for port in ports[:3]:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
