"""Show something in a notebook, or print its text where there is none."""

import codecs
import html
import io
import random
import sys
import time
from collections.abc import Callable, Sequence

UP_AND_CLEAR = "\x1b[1A\x1b[2K"  # what terminals understand: to the line above, and empty it


PLAIN = {"…": "...", "✓": "+", "✗": "x", "→": "->", "–": "-", "·": "|", "×": "x", "−": "-"}


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write for a console what it has no character for, in letters that it has."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in text), error.end


codecs.register_error("mnist_edu.plain", _plain)
for _stream in (sys.stdout, sys.stderr):  # a console of cp1252 or ASCII must not end a command
    if isinstance(_stream, io.TextIOWrapper) and _stream.errors in ("strict", "backslashreplace"):
        _stream.reconfigure(errors="mnist_edu.plain")


def show(bundle: dict, display_id: str | None = None, update: bool = False, alt: str = "") -> None:
    """Show a MIME bundle in a notebook; print its ``text/plain`` elsewhere.

    ``display_id`` names what is shown, so that a later call with ``update`` replaces it.
    ``alt`` is the text that a screen reader says for a picture.
    """
    if in_notebook():
        from IPython.display import display

        extra = {"display_id": display_id, "update": update} if display_id else {}
        metadata = {"image/png": {"alt": alt}} if alt else {}
        display(bundle, raw=True, metadata=metadata, **extra)
    elif not update:
        print(bundle["text/plain"])


def notice(text: str) -> None:
    """Show a sentence that must not be overlooked; outside a notebook it goes to stderr."""
    if in_notebook():
        page = f'<p style="border-left: 4px solid; padding-left: 0.6em"><b>{html.escape(text)}</b>'
        show({"text/plain": text, "text/html": page + "</p>"})
    else:
        print(text, file=sys.stderr)


def line() -> Callable[[str], None]:
    """Return a function that shows a line of text and replaces the line it showed before.

    Where neither a notebook nor a terminal can replace it, the first line alone is printed.
    """
    display_id = f"line-{time.time_ns()}-{random.SystemRandom().randrange(10**6)}"
    shown = False

    def update(text: str) -> None:
        nonlocal shown
        page = {"text/plain": text, "text/html": f"<pre>{html.escape(text)}</pre>"}
        if shown and sys.stdout.isatty() and not in_notebook():
            print(f"{UP_AND_CLEAR}{text}", flush=True)
        else:
            show(page, display_id, update=shown)
        shown = True

    return update


def text_table(rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """Write rows of texts, the first of them the head, as columns.

    >>> print(text_table([["digit", "read as"], ["7", "1"]], "MNIST"))
    MNIST
    digit  read as
    7      1
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(([caption] if caption else []) + lines)


def html_table(
    rows: Sequence[Sequence[str]], caption: str = "", links: Sequence[str] | None = None
) -> str:
    """Write rows of texts, the first of them the head, as HTML.

    ``links`` has an address for the first cell of each row below the head, or an empty text.
    """
    lines = []
    for number, row in enumerate(rows):
        cells = [html.escape(cell) for cell in row]
        if number and links and links[number - 1]:
            cells[0] = f'<a href="{html.escape(links[number - 1])}">{cells[0]}</a>'
        tag = "td" if number else "th"
        lines.append("<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>")
    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{above}{''.join(lines)}</table>"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows of texts, the first of them the head, as Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def in_notebook() -> bool:
    """Say whether this runs in an IPython kernel; IPython is not imported for the question."""
    ipython = sys.modules.get("IPython")
    return bool(ipython and ipython.get_ipython() and hasattr(ipython.get_ipython(), "kernel"))
