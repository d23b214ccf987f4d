"""Terms of the glossary show their definition: what ``book.js`` needs for it, in one script."""

import json

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "notebooks/GLOSSARY"


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", mark_terms)
    app.connect("html-page-context", load_definitions)
    app.connect("build-finished", write_definitions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mark_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give the links to a term a class."""
    for link in doctree.findall(nodes.reference):
        if "GLOSSARY.html#" in link.get("refuri", ""):
            link["classes"].append("term")


def load_definitions(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """Load the definitions on pages that have terms."""
    if 'class="term ' in (context.get("body") or ""):
        app.add_js_file("glossary.js", priority=400)


def definitions(doctree: nodes.document) -> dict[str, str]:
    """Return the text of each term by its anchor; the numbers of notebooks are left out."""
    found = {}
    for section in doctree.findall(nodes.section):
        paragraphs = [child.deepcopy() for child in section if isinstance(child, nodes.paragraph)]
        for link in [link for p in paragraphs for link in p.findall(addnodes.pending_xref)]:
            if link.astext().isdigit():
                link.parent.remove(link)
        text = " ".join(p.astext().rstrip(" ,") for p in paragraphs)
        found |= {name: text for name in [*section["ids"], section.get("slug", "")] if name}
    return found


def write_definitions(app: Sphinx, error: Exception | None) -> None:
    """Write ``glossary.js``: a script, since a page opened from a folder may fetch nothing."""
    if error or GLOSSARY not in app.env.found_docs:
        return
    text = json.dumps(definitions(app.env.get_doctree(GLOSSARY)), ensure_ascii=False)
    (app.outdir / "_static" / "glossary.js").write_text(f"window.glossary = {text};\n", "utf-8")
