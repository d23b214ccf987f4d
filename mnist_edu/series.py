"""Run the notebooks of the series from the command line, and show what came out.

Each notebook runs with papermill in a process and a kernel of its own. The quick settings stand in
``notebooks/quick.toml`` and nowhere else.
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from mnist_edu import data, files, pages
from mnist_edu.cache import cache_folder
from mnist_edu.errors import AskedWrongly, needs
from mnist_edu.lesson import RESULTS_MIME
from mnist_edu.show import text_table

LONGEST_FIRST = ("06", "04", "09", "07")
OK, FAILED = "ok", "failed"
REASONS = {  # of errors that a notebook ends with
    "NameError": "an earlier cell no longer sets this name",
    "ImportError": "package and notebook are of different versions",
    "AttributeError": "package and notebook are of different versions",
    "TypeError": "a function was changed, and its call was not",
    "ModuleNotFoundError": 'a library is missing: pip install -e ".[all]"',
    "Missing": "a library is missing",
    "FileNotFoundError": "an earlier cell no longer writes this file",
    "MemoryError": "too little memory: run fewer notebooks at a time, with --jobs 1",
    "ResourceExhaustedError": "too little memory: run fewer notebooks at a time, with --jobs 1",
    "AssertionError": "a check of the notebook itself failed",
}
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
QUIET = "c = get_config()\nc.IPKernelApp.capture_fd_output = False\n"


@dataclass
class Row:
    """What came out of a notebook: its results, and where its digits were from."""

    notebook: str  # such as "06_cnn_dropout"
    source: str = ""  # "MNIST", "embedded digits"
    results: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    state: str = OK
    error: str = ""

    @property
    def number(self) -> str:
        return self.notebook[:2]


def notebooks_folder() -> Path:
    """Return the folder of the notebooks: below the working folder, or beside the package.

    Raises
    ------
    AskedWrongly
        If neither is there.
    """
    for place in (Path.cwd(), Path(__file__).parents[1]):
        if list((place / "notebooks").glob("[0-9][0-9]_*.ipynb")):
            return place / "notebooks"
    raise AskedWrongly("no notebooks here: run this in a clone of the repository")


def find(numbers: list[str] | None = None) -> dict[str, Path]:
    """Return number and path of the notebooks asked for, or of all of them.

    Raises
    ------
    AskedWrongly
        If there is no such notebook.
    """
    found = {p.name[:2]: p for p in sorted(notebooks_folder().glob("[0-9][0-9]_*.ipynb"))}
    numbers = [number.zfill(2) for number in numbers or []]
    unknown = [number for number in numbers if number not in found]
    if unknown:
        raise AskedWrongly(f"no notebook {', '.join(unknown)}: there are {', '.join(found)}")
    return {number: found[number] for number in numbers or found}


def parameters_of(path: Path) -> set[str]:
    """Return the names that the parameters cell of a notebook sets."""
    found = needs("papermill", "run").inspect_notebook(path)
    if not found:
        raise AskedWrongly(f"{path.name} has no cell tagged parameters")
    return set(found)


def settings(path: Path, full: bool, **more: object) -> dict:
    """Return the parameters to run a notebook with: the quick ones unless full, and ``more``.

    Raises
    ------
    AskedWrongly
        If a name is not one of the notebook's parameters.
    """
    file = path.parent / "quick.toml"
    quick = tomllib.loads(file.read_text("utf-8")) if file.exists() and not full else {}
    chosen = quick.get(path.name[:2], {}) | more
    unknown = set(chosen) - parameters_of(path)
    if unknown:
        raise AskedWrongly(f"{path.name} has no parameter {', '.join(sorted(unknown))}")
    return chosen


def environment(jobs: int, profile: Path) -> dict[str, str]:
    """Return the environment of a run: cores shared out, TensorFlow's log kept out of cells."""
    config = profile / "profile_default" / "ipython_kernel_config.py"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(QUIET, "utf-8")
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    env = dict(with_one_dnn() | os.environ, IPYTHONDIR=str(profile), TF_CPP_MIN_LOG_LEVEL="3")
    env["PYTHONIOENCODING"] = "utf-8"
    env["MNIST_EDU_CACHE"] = str(_kept_or(profile / "cache"))
    if named := files.named_folder():
        env["MNIST_EDU_DATA"] = str(named.absolute())
    return env | dict.fromkeys(THREADS, threads)


def with_one_dnn() -> dict[str, str]:
    """Return what makes TensorFlow multiply with oneDNN; newer processors need not be asked.

    On older ones a step of a convolutional network takes about half of the time with it, on one
    core. Where a variable is set already, that should win.
    """
    measured = platform.machine().lower() in ("x86_64", "amd64")
    return {"TF_ENABLE_ONEDNN_OPTS": "1"} if measured else {}


def lab_environment(profile: Path) -> dict[str, str]:
    """Return the environment of JupyterLab: cells as quiet as in a run, and no question of news."""
    settings = profile / "labconfig" / "page_config.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    news = "@jupyterlab/apputils-extension:announcements"
    settings.write_text(json.dumps({"disabledExtensions": {news: True}}), "utf-8")
    return environment(1, profile) | {"JUPYTER_CONFIG_PATH": str(profile)}


def _kept_or(spare: Path) -> Path:
    """Return the cache folder, or ``spare`` where it cannot be written, so that kernels share."""
    cache = cache_folder().absolute()
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    return cache if os.access(cache, os.W_OK) else spare


# --- Running -------------------------------------------------------------------------------------


def run(
    numbers: list[str] | None = None,
    full: bool = False,
    source: str = "auto",
    jobs: int = 2,
    out: str | os.PathLike = "executed",
    beside: int = 0,
    parameters: dict | None = None,
) -> list[Row]:
    """Run notebooks and return a row for each, in the order of their numbers.

    Parameters
    ----------
    numbers : such as ``["01", "06"]``; all unless given
    full : the full lessons, without the quick settings
    source : as in :func:`mnist_edu.data.load`; "auto" is settled once, for all notebooks
    jobs : how many run at a time
    out : folder for the executed notebooks
    beside : how many other runs share the cores
    parameters : further parameters for every notebook, such as ``{"seed": 2}``

    Raises
    ------
    AskedWrongly
        If a notebook or a parameter is unknown; nothing is run then.
    Unavailable
        If the data cannot be had.
    """
    if jobs < 1:
        raise AskedWrongly(f"jobs must be at least 1, not {jobs}")
    chosen = find(numbers)
    source = settled(source)
    plans = {n: settings(p, full, source=source, **parameters or {}) for n, p in chosen.items()}
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    order = sorted(chosen, key=lambda n: (n not in LONGEST_FIRST, n))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        env = environment(min(jobs, len(order)) + beside, Path(profile))
        with ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(_run_one, chosen[n], plans[n], out, env): n for n in order}
            rows = _watch(futures)
    return sorted(rows, key=lambda row: row.notebook)


def _run_one(path: Path, plan: dict, out: Path, env: dict) -> Row:
    """Run a notebook, and return its row, whatever goes wrong: the others go on."""
    start, target = time.monotonic(), out.absolute() / path.name
    try:
        target.unlink(missing_ok=True)
        target.with_suffix(".html").unlink(missing_ok=True)
        stderr = _execute(path, plan, target, env)
        row = results(target)
        if stderr is not None:
            row.state, row.error = FAILED, _error(target, stderr)
    except (OSError, ValueError) as error:  # a full disk, a notebook cut short by it
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        row = Row(path.stem, state=FAILED, error=f"{target.name}: {reason}")
    row.seconds = time.monotonic() - start
    return row


def _execute(path: Path, plan: dict, target: Path, env: dict) -> str | None:
    """Run a notebook with papermill in a process of its own; return what it said if it failed."""
    command = [sys.executable, "-m", "papermill", path.name, str(target), "-k", "python3"]
    command += ["--cwd", str(target.parent), "--no-progress-bar"]
    command += ["-y", json.dumps(plan)]
    env = env | {"MNIST_EDU_NOTEBOOK": path.name[:2]}
    done = subprocess.run(
        command, cwd=path.parent, env=env, capture_output=True, encoding="utf-8", errors="replace"
    )
    return done.stderr if done.returncode else None


def results(path: Path) -> Row:
    """Collect the recorded numbers of an executed notebook, and the source of its data."""
    row = Row(path.stem)
    for _, output in outputs(path):
        record = output.get("data", {}).get(RESULTS_MIME)
        if record:
            row.source = record["source"]
            row.results |= record["results"]
    return row


def outputs(path: Path) -> list[tuple[dict, dict]]:
    """Return each output of a notebook with its cell; none where there is no such file."""
    if not path.exists():
        return []
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [(cell, output) for cell in cells for output in cell.get("outputs", [])]


def figure_name(cell: dict) -> str:
    """Return the name of a cell's figure, such as "08-maps", by its tag; or an empty text."""
    names = [tag[7:] for tag in cell["metadata"].get("tags", []) if tag.startswith("figure:")]
    return names[0] if names else ""


def settled(source: str) -> str:
    """Return what to ask for instead of "auto": looked for once, and not once a notebook."""
    row = data.row_of(data.load(source).source) if source == "auto" else None
    return row.name if row else source


def _error(path: Path, stderr: str) -> str:
    """Return the failing cell and its error; without one, the last line that was printed."""
    for cell, output in outputs(path):
        if output["output_type"] == "error":
            kind, text = output["ename"], (output["evalue"].splitlines() or [""])[0][:200]
            likely = f" (likely: {REASONS[kind]})" if kind in REASONS else ""
            return f"cell {cell.get('id', '?')}: {kind}: {text}{likely}"
    lines = [line for line in stderr.splitlines() if line.strip()] or ["no message"]
    if "Kernel didn't respond" in stderr:
        return "the kernel could not be reached: does something block this computer's 127.0.0.1?"
    if "DeadKernelError" in stderr:
        return "the kernel died: out of memory, or killed from outside"
    return lines[-1][:200]


def _watch(futures: dict[Future, str]) -> list[Row]:
    """Show how far the runs are, until all are done; return their rows."""
    start, waiting, rows = time.monotonic(), set(futures), []
    tty = sys.stderr.isatty()
    while waiting:
        done, waiting = wait(waiting, timeout=1, return_when=FIRST_COMPLETED)
        for future in done:
            row = future.result()
            rows.append(row)
            end = f": {row.error}\n" if row.error else "\n"
            print(f"\r{row.notebook}: {row.state}, {row.seconds:.0f} s", end=end, flush=True)
        running = ", ".join(sorted(futures[future] for future in waiting if future.running()))
        if tty and running:
            elapsed = time.monotonic() - start
            print(f"\r{elapsed:.0f} s · running {running}   ", end="", file=sys.stderr, flush=True)
    return rows


# --- Showing -------------------------------------------------------------------------------------


def show_results(rows: list[Row], out: str | os.PathLike) -> None:
    """Print the table of results, write its page and those of the notebooks, and say where."""
    table = [["notebook", "data", "results", "seconds", "state"]]
    table += [
        [row.notebook, row.source, _shown(row.results), f"{row.seconds:.0f}", row.state]
        for row in rows
    ]
    print(f"\n{text_table(table)}")
    sources = sorted({row.source for row in rows if data.warning_of(row.source)})
    for source in sources:
        print(f"\n!!! {data.warning_of(source)}")
    failures = "\n".join(f"{row.notebook}: {row.error}" for row in rows if row.error)
    if failures:
        print(f"\n{failures}")
    book = notebooks_folder().parent / "book"
    first = pages.write(table, sources, failures, Path(out), book)
    print(f"\nNotebooks and their pages: {out}, start with {first}")


def _shown(results: dict[str, float]) -> str:
    """Return the first three results, test accuracies before others."""
    names = [name for name in results if not name.startswith("shift_")]
    names.sort(key=lambda name: not name.endswith("test_accuracy"))
    return ", ".join(f"{name} {results[name]:.4g}" for name in names[:3])
