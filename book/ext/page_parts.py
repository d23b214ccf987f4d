"""What each page gets beside its text: sizes of pictures, the live figures, downloads."""

import html
import posixpath
import re
from pathlib import Path

import imagesize
from docutils import nodes
from sphinx.application import Sphinx

PICTURE = re.compile(r'<img [^>]*?src="([^"]+)"[^>]*>')
FORMS = {
    "stored": "with all results",
    "learner": "nothing has run yet, and solutions are folded",
    "portable": "works alone, in Colab too: upload it there, and run it from the top",
}
STYLES = ["pad.css", "style.css"]
SCRIPTS = {  # of the live figures, in their order, by what they are mounted into
    "live-pad": ["about.js", "ink.js", "network.js", "pad.js", "page.js", "weights.js"],
    "watch-it-learn": ["digits.js", "learn.js", "watch.js"],
}


def setup(app: Sphinx) -> dict:
    app.connect(
        "config-inited",
        lambda app, config: config.html_static_path.append(str(Path(app.srcdir, "static"))),
    )
    app.connect("doctree-resolved", unlink_what_is_missing)
    app.connect("html-page-context", complete, priority=900)  # when the theme has done its part
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def unlink_what_is_missing(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Leave the text of a link to a file that is no page, such as a program of the repository."""
    for link in list(doctree.findall(nodes.reference)):
        if "." in link.get("refid", "") or link.get("refuri", "").startswith("#."):
            link.replace_self(link.children)


def complete(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """Complete the text of a page before it is written."""
    body, tree = context.get("body"), context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )
    if not body:
        return
    folder = (app.outdir / pagename).parent
    sources = {uri: Path(app.srcdir, name) for name, uri in image_uris(app, folder)}
    body = PICTURE.sub(lambda match: sized(match, sources), body)
    body = body.replace(' aria-label="Toggle hidden content"', "")  # it hides what is written
    body = body.replace('<th class="head"><p></p></th>', "<td></td>")  # it heads nothing
    if pagename.startswith("notebooks/") and (box := downloads(app, pagename)):
        body = body.replace("</h1>", f"</h1>\n{box}", 1)
    context["body"] = body
    for mount in SCRIPTS:
        if f'class="{mount}"' in body:
            add_live(app, mount)


def image_uris(app: Sphinx, folder: Path) -> list[tuple[str, str]]:
    """Return each picture's file, and its address on a page in this folder."""
    root = posixpath.relpath(app.outdir.as_posix(), Path(folder).as_posix())
    root = "" if root == "." else f"{root}/"
    return [(name, f"{root}_images/{new}") for name, (_, new) in app.env.images.items()]


def sized(match: re.Match, sources: dict[str, Path]) -> str:
    """Give a picture its width and height, so that the text does not jump when it comes."""
    tag, source = match[0], sources.get(html.unescape(match[1]))
    if not source or " width=" in tag:
        return tag
    width, height = imagesize.get(source)
    return f'{tag[:-1].rstrip(" /")} width="{width}" height="{height}" loading="lazy">'


def downloads(app: Sphinx, pagename: str) -> str:
    """Write the links to the forms of a notebook that are there to be taken home."""
    name, up = Path(pagename).name, "../" * pagename.count("/")
    links = []
    for kind, what in FORMS.items():
        file = Path(app.srcdir, "static", "downloads", kind, f"{name}.ipynb")
        if file.exists():
            place = f"{up}_static/downloads/{kind}/{name}.ipynb"
            links.append(f'<li><a href="{place}" download>{kind}</a>, {what}</li>')
    if not links:
        return ""
    head = '<details class="downloads"><summary>Download this notebook</summary>'
    return f"{head}<ul>{''.join(links)}</ul></details>"


def add_live(app: Sphinx, mount: str) -> None:
    """Load the scripts and styles of a live figure, where they are there."""
    live = Path(app.confdir, "_static", "live")
    for name in STYLES:
        if (live / name).exists():
            app.add_css_file(f"live/{name}")
    for name in SCRIPTS[mount]:
        if (live / name).exists():
            app.add_js_file(f"live/{name}", defer="defer")
