"""Build the book: gather what goes into it, and let Sphinx make the pages.

``python book/build.py`` writes ``book/_build/html`` from the stored notebooks. It needs neither
TensorFlow nor a network. With ``--notebooks FOLDER`` the pages are those of other notebooks, such
as executed ones.
"""

import argparse
import importlib
import importlib.util
import json
import shutil
import sys
import tempfile
from pathlib import Path

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
# nbformat's checker would build a grammar of web addresses, which takes 2 s and serves nobody here.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
sys.path[:0] = [str(ROOT), str(BOOK), str(BOOK / "ext"), str(ROOT / "benchmarks")]

import tables  # noqa: E402
from notebook_pages import markdown  # noqa: E402

from mnist_edu import data, series  # noqa: E402
from mnist_edu.errors import WentWrong, needs  # noqa: E402

EDITIONS = ("learner", "portable")
CONTENTS = {
    "The notebooks": ["notebooks/[0-9]*.ipynb"],
    "Beside them": ["notebooks/GLOSSARY.md", "gallery.md", "results.md", "digits.md"],
    "For teachers": ["book/teacher/index.md", "book/teacher/sessions.md", "book/teacher/[0-9]*.md"]
    + ["book/teacher/*.md", "book/print/*.md"],
}


def main(arguments: list[str] | None = None) -> int:
    """Build the book and say where it begins."""
    parser = argparse.ArgumentParser(description="Build the book.")
    parser.add_argument("--notebooks", type=Path, default=ROOT / "notebooks", metavar="FOLDER")
    parser.add_argument("--results", type=Path, metavar="FILE", help="first page, in markdown")
    parser.add_argument("--out", type=Path, default=BOOK / "_build" / "html", metavar="FOLDER")
    asked = parser.parse_args(arguments)
    try:
        failed = build(asked.notebooks, asked.results, asked.out.resolve())
    except WentWrong as error:
        print(error, file=sys.stderr)
        return 1
    if not failed:
        print(f"The book begins with {asked.out / 'index.html'}")
    return failed


def build(notebooks: Path, results: Path | None, out: Path) -> int:
    """Build the book from notebooks; return 0, or what Sphinx returns where it fails.

    Raises
    ------
    WentWrong
        If ``out`` holds anything but an earlier book, which is replaced, or a library is missing.
    """
    needs("furo", "book"), needs("myst_nb", "book")
    if out.exists() and not (out / "objects.inv").exists() and any(out.iterdir()):
        raise WentWrong(f"{out} holds other files, which stay: name another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source = Path(folder).resolve() / "source"
        gather(source, notebooks, results)
        return make_pages(source, out, Path(folder) / "doctrees")


def make_pages(source: Path, out: Path, doctrees: Path) -> int:
    """Let Sphinx make the pages, into a new folder that takes the old one's place."""
    build_main = needs("sphinx.cmd.build", "book").build_main
    with tempfile.TemporaryDirectory(dir=out.parent, ignore_cleanup_errors=True) as beside:
        new = Path(beside) / "html"
        paths = ["-c", BOOK, "-d", doctrees, source, new]
        failed = build_main(["-q", "-b", "html", "-j", "auto", *map(str, paths)])
        if not failed:
            shutil.rmtree(out, ignore_errors=True)
            new.rename(out)
    return failed


# --- What goes into the book ---------------------------------------------------------------------


def gather(source: Path, notebooks: Path, results: Path | None) -> None:
    """Copy notebooks and pages into one folder, laid out as the repository is.

    Where there is a page of results of a run, it stands first, and the notebooks are all there is.
    """
    paths = sorted(notebooks.glob("[0-9][0-9]_*.ipynb"))
    (source / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "GLOSSARY.md", source / "notebooks")
    for path in paths:
        write_notebook(path, source / "notebooks" / path.name)
    make_static(source / "static", paths, editions=not results)
    if (BOOK / "export.py").exists():  # what the live figures are fed with, beside their scripts
        importlib.import_module("export").write_page()
    if results:
        shutil.copy(results, source / "index.md")
    else:
        gather_rest(source, paths)
    with (source / "index.md").open("a", encoding="utf-8") as index:
        index.write(f"\n\n{contents(source)}")


def gather_rest(source: Path, notebooks: list[Path]) -> None:
    """Copy or make the pages beside the notebooks; those of ``book/pages`` come to the top."""
    shutil.copytree(BOOK / "pages", source, dirs_exist_ok=True)
    shutil.copytree(ROOT / "images", source / "images")
    for file in (ROOT / "README.md", ROOT / "mnist_edu" / "shapes.txt"):  # parts are included
        shutil.copy(file, source)
    for name in ("teacher", "print"):  # the teacher's pack
        if (BOOK / name).is_dir():
            shutil.copytree(BOOK / name, source / "book" / name)
    (source / "gallery.md").write_text(tables.gallery(notebooks), "utf-8")
    (source / "results.md").write_text(tables.results(ROOT), "utf-8")


def write_notebook(path: Path, target: Path) -> None:
    """Copy a notebook, with a notice where its digits are not real."""
    notebook = json.loads(path.read_text("utf-8"))
    warning = data.warning_of(series.results(path).source)
    if warning:
        notebook["cells"].insert(1, markdown(f"> **{warning}**", "notice"))
    target.write_text(json.dumps(notebook), "utf-8")


def contents(source: Path) -> str:
    """Return the table of contents: the pages that are there, in their order."""
    parts = []
    for caption, patterns in CONTENTS.items():
        found = dict.fromkeys(p for pattern in patterns for p in sorted(source.glob(pattern)))
        if found:
            pages = "\n".join(entry(path, source) for path in found)
            parts.append(f"```{{toctree}}\n:caption: {caption}\n:hidden:\n\n{pages}\n```")
    return "\n\n".join(parts) + "\n"


def entry(path: Path, source: Path) -> str:
    """Return the line of a page in the table of contents; notebooks have their numbers there."""
    page = path.relative_to(source).with_suffix("").as_posix()
    if path.suffix != ".ipynb":
        return page
    title = tables.title(json.loads(path.read_text("utf-8"))["cells"])
    return f"{path.name[:2]} {title} <{page}>"


def make_static(static: Path, notebooks: list[Path], editions: bool) -> None:
    """Write what pages load or offer beside their text: MathJax, and notebooks to download."""
    (static / "mathjax").mkdir(parents=True)
    package = Path(str(needs("sphinx-mathjax-offline", "book").__file__))
    shutil.copy(package.with_name("static") / "mathjax" / "tex-svg.js", static / "mathjax")
    stored = static / "downloads" / "stored"
    stored.mkdir(parents=True)
    for path in notebooks:
        shutil.copy(path, stored)
    if editions and importlib.util.find_spec("mnist_edu.editions"):
        make = importlib.import_module("mnist_edu.editions").make
        for kind in EDITIONS:
            make(kind, [path.name[:2] for path in notebooks], static / "downloads" / kind)


if __name__ == "__main__":
    sys.exit(main())
