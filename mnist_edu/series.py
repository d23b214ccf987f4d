"""Run the notebooks of the series from the command line, and show what came out.

Each notebook runs with papermill in a process and a kernel of its own. The quick settings stand in
``notebooks/quick.toml`` and nowhere else.
"""

import ast
import html
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from mnist_edu import data
from mnist_edu.lesson import RESULTS_MIME

SOURCES = {"MNIST": "mnist", "embedded digits": "synthetic"}  # what asks for each again
LONGEST_FIRST = ("05", "03", "07", "06")
QUIET = "c = get_config()\nc.IPKernelApp.capture_fd_output = False\n"


def notebooks_folder() -> Path:
    """Return the folder of the notebooks: below the working folder, or beside the package.

    Raises
    ------
    ValueError
        If neither is there.
    """
    for place in (Path.cwd(), Path(__file__).parents[1]):
        if list((place / "notebooks").glob("[0-9][0-9]_*.ipynb")):
            return place / "notebooks"
    raise ValueError("no notebooks here: run this in a clone of the repository")


def find(numbers: list[str] | None = None) -> dict[str, Path]:
    """Return number and path of the notebooks asked for, or of all of them.

    Raises
    ------
    ValueError
        If there is no such notebook.
    """
    found = {p.name[:2]: p for p in sorted(notebooks_folder().glob("[0-9][0-9]_*.ipynb"))}
    unknown = [number for number in numbers or [] if number not in found]
    if unknown:
        raise ValueError(f"no notebook {', '.join(unknown)}: there are {', '.join(found)}")
    return {number: found[number] for number in numbers or found}


def parameters_of(path: Path) -> set[str]:
    """Return the names that the parameters cell of a notebook sets."""
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            tree = ast.parse("".join(cell["source"]))
            return {node.targets[0].id for node in tree.body if isinstance(node, ast.Assign)}
    raise ValueError(f"{path.name} has no cell tagged parameters")


def settings(path: Path, full: bool, **more: object) -> dict:
    """Return the parameters to run a notebook with: the quick ones unless full, and ``more``.

    Raises
    ------
    ValueError
        If a name is not one of the notebook's parameters.
    """
    file = path.parent / "quick.toml"
    quick = tomllib.loads(file.read_text("utf-8")) if file.exists() and not full else {}
    chosen = quick.get(path.name[:2], {}) | more
    unknown = set(chosen) - parameters_of(path)
    if unknown:
        raise ValueError(f"{path.name} has no parameter {', '.join(sorted(unknown))}")
    return chosen


def environment(jobs: int, profile: Path) -> dict[str, str]:
    """Return the environment of a run: cores shared out, TensorFlow's log kept out of cells."""
    config = profile / "profile_default" / "ipython_kernel_config.py"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(QUIET, "utf-8")
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    env = dict(os.environ, IPYTHONDIR=str(profile), TF_CPP_MIN_LOG_LEVEL="3")
    if env.get("MNIST_EDU_DATA"):
        env["MNIST_EDU_DATA"] = str(Path(env["MNIST_EDU_DATA"]).absolute())
    return env | dict.fromkeys(names, threads)


# --- Running -------------------------------------------------------------------------------------


def run(
    numbers: list[str] | None = None,
    full: bool = False,
    source: str = "auto",
    jobs: int = 2,
    out: str | os.PathLike = "executed",
    beside: int = 0,
    **parameters: object,
) -> list[dict]:
    """Run notebooks and return a row for each: number, source, results, seconds, state, error.

    Parameters
    ----------
    numbers : such as ``["01", "05"]``; all unless given
    full : the full lessons, without the quick settings
    source : as in :func:`mnist_edu.data.load`; "auto" is settled once, for all notebooks
    jobs : how many run at a time
    out : folder for the executed notebooks and their HTML pages
    beside : how many other runs share the cores
    parameters : further parameters for every notebook, such as ``seed=2``

    Raises
    ------
    ValueError
        If a notebook or a parameter is unknown; nothing is run then.
    Unavailable
        If the data cannot be had.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    chosen = find(numbers)
    if source == "auto":  # look once, and not once a notebook
        source = SOURCES[data.load("auto").source]
    plans = {n: settings(p, full, source=source, **parameters) for n, p in chosen.items()}
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    order = sorted(chosen, key=lambda n: (n not in LONGEST_FIRST, n))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        env = environment(min(jobs, len(order)) + beside, Path(profile))
        with ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(_run_one, chosen[n], plans[n], out, env): n for n in order}
            rows = _watch(futures)
    return sorted(rows, key=lambda row: row["notebook"])


def _run_one(path: Path, plan: dict, out: Path, env: dict) -> dict:
    """Run a notebook with papermill in a process of its own, and return its row."""
    target = out.absolute() / path.name
    target.unlink(missing_ok=True)
    target.with_suffix(".html").unlink(missing_ok=True)
    command = [sys.executable, "-m", "papermill", path.name, str(target), "-k", "python3"]
    command += ["--cwd", str(target.parent), "--no-progress-bar"]
    command += ["-y", json.dumps(plan)]
    start = time.monotonic()
    env = env | {"MNIST_EDU_NOTEBOOK": path.name[:2]}
    done = subprocess.run(command, cwd=path.parent, env=env, capture_output=True, text=True)
    row = {"notebook": path.stem, "seconds": time.monotonic() - start, "state": "ok", "error": ""}
    row |= _results(target)
    if done.returncode:
        row |= {"state": "failed", "error": _error(target, done.stderr)}
    row["html"] = _write_html(target, row["source"])
    return row


def _results(path: Path) -> dict:
    """Collect the recorded numbers of an executed notebook, and the source of its data."""
    found = {"source": "", "results": {}}
    for output in _outputs(path):
        record = output[1].get("data", {}).get(RESULTS_MIME)
        if record:
            found["source"] = record["source"]
            found["results"] |= record["results"]
    return found


def _outputs(path: Path) -> list[tuple[dict, dict]]:
    if not path.exists():
        return []
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [(cell, output) for cell in cells for output in cell.get("outputs", [])]


def _error(path: Path, stderr: str) -> str:
    """Return the failing cell and its error; without one, the last line that was printed."""
    for cell, output in _outputs(path):
        if output["output_type"] == "error":
            name = cell.get("id") or cell["metadata"].get("name", "?")
            return f"cell {name}: {output['ename']}: {output['evalue'].splitlines()[0][:200]}"
    lines = [line for line in stderr.splitlines() if line.strip()] or ["no message"]
    if "DeadKernelError" in stderr:
        return "the kernel died: out of memory, or killed from outside"
    return lines[-1][:200]


def _write_html(path: Path, source: str) -> str:
    """Write an HTML page beside an executed notebook, with a notice on embedded digits."""
    if not path.exists():
        return ""
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)  # they need a network and a kernel: show their pictures
    name = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook, name)
    if source == "embedded digits":
        page = page.replace("<main>", f"<main>{_banner()}", 1)
    target = path.with_suffix(".html")
    target.write_text(page, "utf-8")
    return target.name


def _banner() -> str:
    return f'<p style="border: 4px solid; padding: 0.6em"><b>{data.EMBEDDED}</b></p>'


def _watch(futures: dict[Future, str]) -> list[dict]:
    """Show how far the runs are, until all are done; return their rows."""
    start, waiting, rows = time.monotonic(), set(futures), []
    tty = sys.stderr.isatty()
    while waiting:
        done, waiting = wait(waiting, timeout=1, return_when=FIRST_COMPLETED)
        for future in done:
            row = future.result()
            rows.append(row)
            end = "\n" if row["state"] == "ok" else f": {row['error']}\n"
            print(f"\r{row['notebook']}: {row['state']}, {row['seconds']:.0f} s", end=end)
            sys.stdout.flush()
        running = ", ".join(sorted(futures[future] for future in waiting if future.running()))
        if tty and running:
            elapsed = time.monotonic() - start
            print(f"\r{elapsed:.0f} s · running {running}   ", end="", file=sys.stderr, flush=True)
    return rows


# --- Showing -------------------------------------------------------------------------------------


def show_results(rows: list[dict], out: str | os.PathLike) -> None:
    """Print the table of results and write it to ``index.html`` in ``out``."""
    head = ["notebook", "data", "results", "seconds", "state"]
    table = [[_cell(row, name) for name in head] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *table, strict=True)]
    embedded = any(row["source"] == "embedded digits" for row in rows)
    print()
    for line in [head, ["-" * width for width in widths], *table]:
        print(
            "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        )
    if embedded:
        print(f"\n!!! {data.EMBEDDED}")
    for row in rows:
        if row["error"]:
            print(f"\n{row['notebook']}: {row['error']}")
    _write_index(head, table, [row["html"] for row in rows], embedded, Path(out))
    print(f"\nNotebooks, HTML pages and pictures: {out}, start with {Path(out) / 'index.html'}")


def _cell(row: dict, name: str) -> str:
    if name == "results":
        shown = [(k, v) for k, v in row["results"].items() if not k.startswith("shift_")]
        shown.sort(key=lambda pair: not pair[0].endswith("test_accuracy"))  # these first
        return ", ".join(f"{key} {value:.4g}" for key, value in shown[:3])
    if name == "seconds":
        return f"{row['seconds']:.0f}"
    return row["source"] if name == "data" else row[name]


def _write_index(head: list, table: list, pages: list, embedded: bool, out: Path) -> None:
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"]
    for row, page in zip(table, pages, strict=True):
        cells = [html.escape(word) for word in row]
        cells[0] = f'<a href="{page}">{cells[0]}</a>' if page else cells[0]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    body = (_banner() if embedded else "") + f"<table cellpadding=6>{''.join(lines)}</table>"
    page = f"<!doctype html><meta charset=utf-8><title>mnist_edu</title><h1>mnist_edu</h1>{body}"
    (out / "index.html").write_text(page, "utf-8")
