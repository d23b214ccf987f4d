"""Run the checkers anew on a pupil's answers, in a process of its own with a time limit.

From the pupil's notebook come the answers, and what they need of the pupil's own cells; all else
comes from the stored notebook, with its quick settings. The working folder is temporary.

What is protected: the teacher's session, its time (the process and those it has started are
killed), and the folder of the class (the process works elsewhere). What is not: this is no sandbox.
An answer runs with the rights of whoever checks it. It can read and write files by their full
names, use a network, and leave a process behind that has gone its own way. Check in an account, or
on a machine, where nothing is lost.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import symtable
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mnist_edu import series
from mnist_edu.errors import needs
from mnist_edu.exercises.checker import WRONG

START = 300.0  # seconds for the cells before the answers: TensorFlow alone may take a minute
MOST_TOLD = 1_000_000  # bytes that the process tells; honest ones tell a few hundred
MOST_WRITTEN = 500_000_000  # bytes of one file


def check(
    notebook: Any, stored: Any, answers: list[tuple[str, str]], quick: dict, limit: float = 60
) -> dict[str, list[str]]:
    """Return what the checkers say to the answers of a pupil, by their names.

    After an answer that does not come to an end or ends the process, the rest starts anew.

    Parameters
    ----------
    notebook, stored : the pupil's notebook, and that of the series
    answers : pairs of a checker such as ``"nb04.early_stop"`` and the cell that calls it
    quick : parameters of the notebook to set, such as ``{"epochs": 2}``
    limit : seconds for each answer; what stands before them has five minutes

    Raises
    ------
    ValueError
        If a cell of the stored notebook itself fails, or ends the process.
    """
    setup = _needed(notebook, stored, [code for _, code in answers], quick)
    found: dict[str, list[str]] = {}
    while answers:
        told, why = _process({"setup": setup, "answers": answers}, limit)
        if not told or "setup" in told[-1]:
            reason = told[-1]["setup"] if told else why
            raise ValueError(f"not checked, a cell before the answers failed: {reason}")
        for line in told:
            if "said" in line:
                found.setdefault(line["checker"], []).append(str(line["said"]))
        if "done" in told[-1]:
            break
        at = min(max(sum("at" in line for line in told), 1), len(answers)) - 1
        found.setdefault(answers[at][0], []).append(f"{WRONG}the answer {why}")
        answers = answers[at + 1 :]
    return found


# --- What an answer needs ------------------------------------------------------------------------


def _needed(notebook: Any, stored: Any, answers: list[str], quick: dict) -> list[str]:
    """Return the cells that set the names in the answers, and the names in those cells."""
    plain = needs("IPython.core.inputtransformer2", "lessons").TransformerManager().transform_cell
    cells = [cell for cell in stored.cells if cell.cell_type == "code"]
    known = {cell.source for cell in cells} | set(answers)
    code = []
    for cell in cells:
        if not re.match(r"ex-\d+-", cell.id):
            code.append(plain(cell.source))
        if "parameters" in cell.metadata.get("tags", []):
            code.append("".join(f"{name} = {value!r}\n" for name, value in quick.items()))
    names = set().union(*(_names(text)[0] for text in code))
    own = [c.source for c in notebook.cells if c.cell_type == "code" and c.source not in known]
    own = [plain(text) for text in own if not re.search(r"\bnb\d\d\.", text)]
    code += [text for text in own if _names(text)[0] - names]  # the pupil's own helpers
    return _closure(code, answers)


def _closure(code: list[str], answers: list[str]) -> list[str]:
    used, chosen = set[str](), list[str]()
    for text in answers:
        sets, uses = _names(text)
        used |= uses - sets
    for text in reversed(code):
        sets, uses = _names(text)
        if sets & used:
            chosen.insert(0, text)
            used = used - sets | uses
    return chosen


def _names(code: str) -> tuple[set[str], set[str]]:
    """Return the names that code sets, and those it uses without having made them inside."""
    try:
        table = symtable.symtable(code, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), set()
    sets = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    uses = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    inside = list(table.get_children())
    for child in inside:
        uses |= {s.get_name() for s in child.get_symbols() if s.is_global()}
        inside.extend(child.get_children())
    return sets, uses


# --- The process ---------------------------------------------------------------------------------


def _process(job: dict, limit: float) -> tuple[list[dict], str]:
    """Run a job; return the lines that it wrote, and how it ended if that was not by itself."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        (place / "job.json").write_text(json.dumps(job), "utf-8")
        env = series.environment(1, place / "profile")
        env |= {"HOME": folder, "TMPDIR": folder, "MPLBACKEND": "agg", "MNIST_EDU_RESULTS": ""}
        (place / "work").mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "mnist_edu.recheck", folder],
            cwd=place / "work",
            env=env | {"PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            why = _wait(process, place / "told.jsonl", limit)
        finally:
            _kill(process)
        return _lines(place / "told.jsonl", process.pid), why


def _wait(process: subprocess.Popen, told: Path, limit: float) -> str:
    """Wait for the end, or until a step takes too long; return what happened."""
    steps, since, patience = 0, time.monotonic(), START
    while time.monotonic() - since < patience and steps < MOST_TOLD:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return f"ended the notebook (exit code {process.wait(0.1)})"
        size = told.stat().st_size if told.exists() else 0
        if size != steps:
            steps, since, patience = size, time.monotonic(), limit
    return f"was stopped: no end after {patience:g} s" if steps < MOST_TOLD else "floods its file"


def _kill(process: subprocess.Popen) -> None:
    """Kill a process and those that it has started and that have not left its group."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):  # it has ended, and so have the others
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _lines(path: Path, writer: int) -> list[dict]:
    """Return what the process itself has written, and not a copy of it."""
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    told = []
    for line in text.splitlines():
        try:
            told.append(json.loads(line))
        except ValueError:  # cut short
            continue
    return [line for line in told if isinstance(line, dict) and line.get("writer") == writer]


def _work(folder: Path) -> None:
    """Do a job, in the process of its own."""
    _limit_files()
    job = json.loads((folder / "job.json").read_text("utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}

    def tell(**line: object) -> None:
        with (folder / "told.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(line | {"writer": os.getpid()}) + "\n")

    for code in job["setup"]:
        try:
            exec(compile(code, "a cell of the notebook", "exec"), names)
        except Exception as error:
            tell(setup=f"{type(error).__name__}: {error}"[:200])
            return
    for at, (checker, code) in enumerate(job["answers"]):
        tell(at=at)
        _answer(checker, code, names, tell)
    tell(done=True)


def _answer(checker: str, code: str, names: dict, tell: Any) -> None:
    module = names.get(checker.split(".")[0])
    real = getattr(module, checker.split(".")[1], None)
    if real is None:
        tell(checker=checker, said=f"{WRONG}there is no such checker")
        return

    def asked(*given: object) -> None:
        tell(checker=checker, said=real.verdict(*given))

    setattr(module, real.__name__, asked)
    try:
        exec(compile(code, "the answer", "exec"), names)
    except BaseException as error:  # also SystemExit: the next answer is asked too
        tell(checker=checker, said=f"{WRONG}the cell raised {type(error).__name__}: {error}"[:200])
    finally:
        setattr(module, real.__name__, real)


def _limit_files() -> None:
    """A loop that writes shall not fill the disk, where the system can see to that."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
