"""Start a program several times, wait for all of them, and leave no process behind.

Each copy is a worker. What the workers do together is the program's business; here is what may go
wrong around it: a worker that fails, that hangs, that is killed, and a reader who presses stop.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_edu.show import line

DONE, FAILED, STOPPED = "done", "failed", "stopped"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
NO_PROXY = dict.fromkeys(("no_proxy", "NO_PROXY", "no_grpc_proxy"), "127.0.0.1,localhost")
ERROR = re.compile(r"(?:\w+\.)*(\w*(?:Error|Exception|Interrupt)\b)")
NO_CAUSE = re.compile(r"\s*$|\s+\S|Detected at|<stack|[IWE]0000")  # where an error was, not why
PATIENCE = 30.0  # seconds that the others get to end by themselves once a worker has failed
# A worker ends when its standard input does: also when the notebook's kernel is killed. It is
# read without Python's buffer, whose lock would disturb the end of the program.
FOLLOW = """
import os, runpy, sys, threading
def follow():
    while os.read(0, 1):
        pass
    os._exit(1)
threading.Thread(target=follow, daemon=True).start()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass
class Outcome:
    """What became of a worker: "done", "failed" or "stopped"; its output; its error, in short."""

    state: str
    output: str
    error: str = ""


def free_ports(count: int) -> list[int]:
    """Return ports of this computer that nobody uses now; take them into use soon."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def run(
    program: str | os.PathLike,
    environments: Sequence[Mapping[str, str]],
    arguments: Sequence[object] = (),
    limit: float = 300,
    may_fail: bool = False,
) -> list[Outcome]:
    """Run a Python program once for each environment, at the same time; return what became of it.

    The working folder is the program's own. When one worker fails, the others get 30 seconds to
    end by themselves. When this function returns or raises, none of them is running.

    Parameters
    ----------
    environments : environment variables of each worker, added to those of this process
    arguments : what the program finds in ``sys.argv[1:]``
    limit : seconds for all of them together
    may_fail : return the outcomes also when a worker has failed or was stopped

    Raises
    ------
    FileNotFoundError
        If there is no such program.
    RuntimeError
        If a worker has failed or was stopped, and it may not.
    """
    program = Path(program).resolve()
    if not program.is_file():
        raise FileNotFoundError(f"there is no program {program.name} in {program.parent}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        logs = [Path(folder) / str(number) for number in range(len(environments))]
        outcomes = _run(program, environments, arguments, limit, logs)
    if not may_fail and any(outcome.state != DONE for outcome in outcomes):
        raise RuntimeError(f"{program.name}: {'; '.join(describe(outcomes))}")
    return outcomes


def describe(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a sentence for each worker, such as ``worker 1 failed: killed by SIGKILL``."""
    told = [f": {outcome.error}" if outcome.error else "" for outcome in outcomes]
    return [f"worker {i} {outcomes[i].state}{why}" for i, why in enumerate(told)]


# --- The workers ----------------------------------------------------------------------------------


def _run(
    program: Path, environments: Sequence, arguments: Sequence, limit: float, logs: list[Path]
) -> list[Outcome]:
    started = []
    try:
        for log, environment in zip(logs, environments, strict=True):
            started.append(_start(program, arguments, environment, log))
        stopped = _watch(started, limit, logs)
        codes = [process.poll() for process in started]  # None: it runs, and will be stopped
    finally:
        _stop(started)
    return [_outcome(code, log, stopped) for code, log in zip(codes, logs, strict=True)]


def _start(program: Path, arguments: Sequence, environment: Mapping, log: Path) -> subprocess.Popen:
    words = [sys.executable, "-c", FOLLOW, str(program), *map(str, arguments)]
    with open(log, "wb") as out, open(log.with_suffix(".err"), "wb") as err:
        return subprocess.Popen(
            words,
            env=os.environ | QUIET | NO_PROXY | dict(environment),
            cwd=program.parent,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
        )


def _watch(started: list[subprocess.Popen], limit: float, logs: list[Path]) -> str:
    """Wait until all have ended; return why it waited no longer, or nothing."""
    update, start, failed = line(), time.monotonic(), None
    while any(process.poll() is None for process in started):
        now = time.monotonic()
        if failed is None and any(process.poll() for process in started):
            failed = now
        if now - start > limit:
            return f"still running after {limit:g} s"
        if failed is not None and now - failed > PATIENCE:
            return f"still running {PATIENCE:g} s after another worker failed"
        _tell(update, started, logs, now - start)
        time.sleep(0.1)
    _tell(update, started, logs, time.monotonic() - start)
    return ""


def _tell(update: Callable[[str], None], started: list, logs: list[Path], seconds: float) -> None:
    running = sum(process.poll() is None for process in started)
    last = (_read(logs[0]).splitlines() or [""])[-1][:60]
    state = f"{running} of {len(started)} running" if running else "ended"
    update(" · ".join(part for part in (f"workers: {state}", last, f"{seconds:.0f} s") if part))


def _stop(started: list[subprocess.Popen]) -> None:
    """Kill what still runs, and wait until it is gone."""
    for process in started:
        process.kill()
    for process in started:
        process.wait()
        if process.stdin:
            process.stdin.close()


def _outcome(code: int | None, log: Path, stopped: str) -> Outcome:
    output = _read(log)
    if code is None:
        return Outcome(STOPPED, output, stopped)
    if code == 0:
        return Outcome(DONE, output)
    return Outcome(FAILED, output, _error(code, _read(log.with_suffix(".err"))))


def _error(code: int, errors: str) -> str:
    """Return the last error that a worker wrote, or what its exit code says."""
    lines = errors.splitlines()
    named = [i for i, text in enumerate(lines) if ERROR.match(text)]
    if named:
        text = ERROR.sub(r"\1", lines[named[-1]])
        more = [line for line in lines[named[-1] + 1 :] if not NO_CAUSE.match(line)]
        return (f"{text} {more[0]}" if text.endswith(":") and more else text)[:200]
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}, no error message"


def _read(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.exists() else ""
