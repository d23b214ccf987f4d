"""The pages that a run ends with: its results, and the executed notebooks.

In a clone they are made as the book is, by ``book/build.py``. Where that is missing or fails, they
are plain: a run never fails because of its pages.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mnist_edu import data
from mnist_edu.cache import whole
from mnist_edu.errors import WentWrong, needs
from mnist_edu.show import html_table, markdown_table

PATIENCE = 600  # seconds for the book
HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>mnist_edu</title>'
FORWARD = (  # from where a run's page has always been
    f'{HEAD}<meta http-equiv="refresh" content="0; url=pages/index.html">'
    '<p><a href="pages/index.html">Results of this run</a></p></html>'
)
FAILURES = (WentWrong, OSError, ValueError, subprocess.SubprocessError)


def write(
    table: Sequence[Sequence[str]], sources: Sequence[str], failures: str, out: Path, book: Path
) -> Path:
    """Write the page of results and one for each executed notebook; return where to start.

    Parameters
    ----------
    table : rows of texts, the first of them the head; each begins with a notebook's name
    sources : where the digits were from
    failures : what went wrong, a line each
    out : folder of the executed notebooks; pages go there
    book : folder of ``build.py``

    Raises
    ------
    OSError
        If not even a plain page can be written.
    """
    executed = [path for row in table[1:] if _is_sound(path := out / f"{row[0]}.ipynb")]
    notices = [warning for source in sources if (warning := data.warning_of(source))]
    try:
        if executed and (book / "build.py").exists():
            first = _results(table, notices, failures, executed)
            _as_book(first, executed, out / "pages", book)
            return _write(out / "index.html", FORWARD)
    except FAILURES as error:
        print(f"\nThe pages are plain ones, since the book could not be built: {error}")
    return _plain(table, notices, executed, out)


def _is_sound(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text("utf-8"))["cells"])
    except (OSError, ValueError, KeyError):
        return False


def _results(
    table: Sequence[Sequence[str]], notices: Sequence[str], failures: str, executed: Sequence[Path]
) -> str:
    """Return the first page as Markdown."""
    names = {path.stem for path in executed}
    linked = [[f"[{row[0]}](notebooks/{row[0]}.ipynb)", *row[1:]] for row in table[1:]]
    rows = [link if row[0] in names else row for link, row in zip(linked, table[1:], strict=True)]
    parts = ["# Results of this run", *(f"> **{notice}**" for notice in notices)]
    parts += [markdown_table([table[0], *rows])]
    return "\n\n".join(parts + ([f"~~~~text\n{failures}\n~~~~"] if failures else []))


def _as_book(results: str, executed: Sequence[Path], target: Path, book: Path) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        first = Path(folder) / "results.md"
        first.write_text(results, "utf-8")
        for path in executed:
            shutil.copy(path, folder)
        command = [sys.executable, str(book / "build.py"), "--notebooks", folder]
        command += ["--results", str(first), "--out", str(target.absolute())]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE
        )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise WentWrong(lines[-1][:200])


# --- Without the book ----------------------------------------------------------------------------


def _plain(
    table: Sequence[Sequence[str]], notices: Sequence[str], executed: Sequence[Path], out: Path
) -> Path:
    """Write pages that need no more than nbconvert; formulas stay as they were typed there."""
    links = {path.stem: plain_page(path, notices) for path in executed}
    body = "".join(map(_banner, notices))
    body += html_table(table, "", [links.get(row[0], "") for row in table[1:]])
    return _write(out / "index.html", f"{HEAD}<h1>Results of this run</h1>{body}</html>")


def _write(path: Path, page: str) -> Path:
    with whole(path) as part:
        part.write_text(page, "utf-8")
    return path


def plain_page(path: Path, notices: Sequence[str] = ()) -> str:
    """Write an HTML page beside an executed notebook; return its name, or "" without nbconvert."""
    try:
        nbformat, nbconvert = needs("nbformat", "run"), needs("nbconvert", "run")
    except WentWrong:
        return ""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)  # they need a network and a kernel: show their pictures
    for notice in notices:
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(_banner(notice)))
    name = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    nothing = {"mathjax_url": "", "require_js_url": ""}  # from other hosts
    page, _ = nbconvert.HTMLExporter(embed_images=True, **nothing).from_notebook_node(
        notebook, name
    )
    return _write(path.with_suffix(".html"), page).name


def _banner(notice: str) -> str:
    return f'<p style="border: 4px solid; padding: 0.6em"><b>{notice}</b></p>'
