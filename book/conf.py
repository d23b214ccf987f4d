"""How Sphinx makes the pages; what goes into them is gathered by ``build.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("ext")))

project = "mnist_edu"
author = "The mnist_edu authors"
html_title = "mnist_edu"
language = "en"

extensions = ["myst_nb", "notebook_pages", "glossary_terms", "page_parts"]
exclude_patterns = ["README.md", "static"]  # parts of the first are included
nb_execution_mode = "off"  # the notebooks are shown as they are stored
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type", "myst.xref_missing"]

html_theme = "furo"  # 60 kB a page, no fonts and no scripts from elsewhere
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["book.css"]
html_js_files = [("book.js", {"defer": "defer"})]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_domain_indices = False
html_use_index = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00507d", "color-brand-content": "#00507d"},
    "dark_css_variables": {"color-brand-primary": "#8ccbf2", "color-brand-content": "#8ccbf2"},
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

# Formulas become SVG: a page opened from a folder may not fetch fonts in every browser.
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}
