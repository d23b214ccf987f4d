"""The book: the pages as files, and in a real browser that reaches no network."""

import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browsers import chromium

for module in ("sphinx", "myst_nb", "furo"):
    pytest.importorskip(module, reason=f'{module} is missing: pip install -e ".[book]"')

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
sys.path.insert(0, str(BOOK / "ext"))

import notebook_pages  # noqa: E402

from mnist_edu import data, lesson, pages  # noqa: E402

NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"
TAB, ESCAPE, ENTER = "\ue004", "\ue00c", "\ue007"

# --- A notebook becomes a page -------------------------------------------------------------------


def cell(name, source, *outputs, tags=(), kind="code"):
    streams = [{"output_type": "stream", "name": "stdout", "text": [text]} for text in outputs]
    made = {"cell_type": kind, "id": name, "metadata": {"tags": list(tags)}, "source": [source]}
    return made | ({"outputs": streams, "execution_count": 1} if kind == "code" else {})


def notebook(*cells):
    title = cell("title", "# A title", kind="markdown")
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    about["language_info"] = {"name": "python"}
    return {"cells": [title, *cells], "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def test_guess_knows_its_answer_unit_digits_and_kind():
    guesses = cell("guess", 'a = ...  # a number\nb = ...  # "x" or "y"', tags=["predict"])
    source = 'lesson.compare(a, size, unit=" kB", digits=4)\nlesson.compare(b, letter)'
    told = "No guess written down. Answer: 1,407.1 kB\nNo guess written down. Answer: x\n"
    page = notebook_pages.as_page(notebook(guesses, cell("look-a", source, told)), "05")
    form = page["cells"][2]["source"]
    assert 'data-answer="1,407.1" data-unit=" kB" data-digits="4" data-kind="number"' in form
    assert 'data-answer="x" data-unit="" data-digits="3" data-kind="text"' in form
    assert "hide-cell" in page["cells"][3]["metadata"]["tags"]


def test_lesson_that_tells_an_answer_hides_its_output_alone():
    told = cell("train", "lesson.compare(a, 3)", "No guess written down. Answer: 3\n")
    page = notebook_pages.as_page(notebook(cell("g", "a = ...", tags=["predict"]), told), "05")
    assert page["cells"][-1]["metadata"]["tags"] == ["hide-output"]


# --- The whole book ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """Build the book once, as a reader of the repository does, where there is no TensorFlow."""
    folder = tmp_path_factory.mktemp("book")
    out = folder / "html"
    for name in ("tensorflow", "keras", "torch"):
        (folder / f"{name}.py").write_text("raise ImportError('the book needs none of this')")
    command = [sys.executable, BOOK / "build.py", "--out", out]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr[-3000:]
    return out


class Page(HTMLParser):
    """What a page loads, where it leads to, its anchors and its pictures."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.ids, self.pictures = [], [], [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids.append(found.get("id"))
        if tag == "a":
            self.links.append(found.get("href") or "")
        elif tag == "link" and found.get("rel") not in ("next", "prev", "search", "index"):
            self.loads.append(found.get("href"))
        elif tag not in ("meta", "html"):
            self.loads += [v for k, v in attributes if k in ("src", "srcset", "data", "poster")]
        if tag == "img":
            self.pictures.append(found)


def all_pages(book):
    return sorted(book.rglob("*.html"))


@functools.cache
def page_of(path):
    return Page(path)


@pytest.mark.slow
def test_nothing_on_a_page_comes_from_another_host(book):
    assert foreign(book) == []


def foreign(folder):
    """Return what a browser would fetch from another host."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            found += [(path.name, load) for load in page_of(path).loads if is_foreign(load)]
        if path.suffix in (".html", ".css"):
            text = path.read_text("utf-8")
            found += [(path.name, url) for url in re.findall(r"""url\(["']?([^"')]+)""", text)]
            found += [(path.name, url) for url in re.findall(r"""@import ["']([^"']+)""", text)]
        if path.suffix == ".js" and path.name != "tex-svg.js":  # the browser tests see that one
            text = path.read_text("utf-8").replace("http://www.w3.org/", "")  # names, not addresses
            found += [(path.name, url) for url in re.findall(r"""["'`](https?://[^"'`]+)""", text)]
    return [(name, url) for name, url in found if is_foreign(url)]


def is_foreign(address):
    return bool(re.match(r"(https?:)?//", address or ""))


@pytest.mark.slow
def test_links_lead_to_pages_and_anchors_that_are_there(book):
    known = {path.resolve(): page_of(path) for path in all_pages(book)}
    dead = []
    for path, page in known.items():
        for link in page.links + page.loads:
            if re.match(r"\w+:|//", link or "") or not link:
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name.partition("?")[0]).resolve() if name else path
            if not target.exists():
                dead.append((path.name, link))
            elif anchor and target in known and anchor not in known[target].ids:
                dead.append((path.name, link))
    assert dead == []


@pytest.mark.slow
def test_every_figure_is_described_and_takes_its_place_at_once(book):
    for path in all_pages(book):
        for picture in page_of(path).pictures:
            assert len(picture.get("alt") or "") > 8, (path.name, picture)
            assert picture.get("width") and picture.get("height"), (path.name, picture)
        ids = [name for name in page_of(path).ids if name]
        assert len(ids) == len(set(ids)), (path.name, {n for n in ids if ids.count(n) > 1})


@pytest.mark.slow
def test_answers_and_solutions_wait_until_they_are_asked_for(book):
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        text = (book / "notebooks" / f"{path.stem}.html").read_text("utf-8")
        cells = json.loads(path.read_text("utf-8"))["cells"]
        guesses = {
            line.partition(" = ")[0]
            for c in cells
            for line in "".join(c["source"]).split("\n")
            if "predict" in c["metadata"].get("tags", []) and " = ..." in line
        }
        assert text.count('<form class="guess"') == len(
            guesses & set(notebook_pages.answers_of(cells))
        )
        open_text = re.sub(r"<details.*?</details>", "", text, flags=re.S)
        assert "Answer: " not in open_text and "No guess written down" not in text
        for solution in re.findall(r'<div class="cell tag_solution[^>]*>\s*(<\w+)', text):
            assert solution == "<details"
        assert "<details open" not in text


@pytest.mark.slow
def test_terms_have_definitions(book):
    script = (book / "_static" / "glossary.js").read_text("utf-8")
    known = json.loads(script.removeprefix("window.glossary = ").rstrip(";\n"))
    assert known["accuracy"] == "The fraction of the images that are read right, from 0 to 1."
    for path in (book / "notebooks").glob("[0-9]*.html"):
        text = path.read_text("utf-8")
        links = re.findall(r'<a class="term[^>]*#([^"]+)"', text)
        assert links and set(links) <= set(known) and "glossary.js" in text


@pytest.mark.slow
def test_front_page_is_light(book):
    page = Page(book / "index.html")
    files = [book / load.partition("?")[0] for load in page.loads if load]
    files = [file for file in files if file.is_file()]
    assert len(files) > 4
    assert sum(file.stat().st_size for file in [book / "index.html", *files]) < 2_000_000


# --- The pages of a run --------------------------------------------------------------------------

RESULTS = [["notebook", "data", "state"], ["01_a", "embedded digits", "ok"], ["02_b", "", "failed"]]


def executed(folder):
    text = "Some mathematics: $e^{x}$, and [another](02_b.ipynb)."
    page = notebook(cell("text", text, kind="markdown"), cell("code", "1 + 1"))
    folder.mkdir()
    (folder / "01_a.ipynb").write_text(json.dumps(page))
    (folder / "02_b.ipynb").write_text('{"cells": [')  # cut short
    return folder


@pytest.mark.slow
def test_run_ends_in_pages_of_the_same_make(tmp_path, capsys):
    out = executed(tmp_path / "out")
    first = pages.write(RESULTS, ["embedded digits"], "02_b: it failed", out, BOOK)
    assert first == out / "index.html" and "pages/index.html" in first.read_text("utf-8")
    assert "plain" not in capsys.readouterr().out
    text = (out / "pages" / "index.html").read_text("utf-8")
    assert data.EMBEDDED in text and "02_b: it failed" in text and "furo" in text
    assert 'href="notebooks/01_a.html"' in text and "02_b.html" not in text
    assert "gallery.html" not in text  # its pictures are those of another run
    notebook_page = (out / "pages" / "notebooks" / "01_a.html").read_text("utf-8")
    assert "mathjax/tex-svg.js" in notebook_page
    assert foreign(out / "pages") == []


def test_book_takes_no_place_of_other_files(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = subprocess.run(
        [sys.executable, BOOK / "build.py", "--out", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 1 and "holds other files, which stay" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_run_keeps_its_results_where_the_book_fails(tmp_path, capsys):
    (tmp_path / "build.py").write_text("raise SystemExit('no paper left')")
    out = executed(tmp_path / "out")
    first = pages.write(RESULTS, ["embedded digits"], "02_b: it failed", out, tmp_path)
    assert first == out / "index.html" and data.EMBEDDED in first.read_text("utf-8")
    assert "could not be built: no paper left" in capsys.readouterr().out
    assert (out / "01_a.html").exists() and 'href="01_a.html"' in first.read_text("utf-8")
    assert foreign(out) == []


# --- In a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser"), "1280,900", NO_NETWORK) as driver:
        driver.set_script_timeout(60)
        yield driver


def show(browser, path, width=1280, height=900):
    resize(browser, width, height)
    browser.get(path.as_uri())


def resize(browser, width, height, dark=False):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def find(browser, selector):
    return browser.find_element("css selector", selector)


AXE = """
const done = arguments[1];
for (const box of document.querySelectorAll("details")) box.open = true;
const code = document.title.startsWith("Meet") ? [] : [".highlight span"]; // one page for all
const options = {...arguments[0], resultTypes: ["violations"], preload: false};
axe.run({include: ["html"], exclude: code}, options).then(
  (found) => done(found.violations.map((v) => [v.id, ...v.nodes.slice(0, 3).map((n) => n.html)])),
  (error) => done([String(error)]));
"""


def violations(browser, **options):
    package = importlib.util.find_spec("axe_core_python")
    if not package:
        pytest.skip('axe-core is missing: pip install -e ".[test]"')
    browser.execute_script(Path(package.origin).with_name("axe.min.js").read_text("utf-8"))
    return browser.execute_async_script(AXE, options)


@pytest.mark.browser
def test_no_page_keeps_anybody_out(book, browser):
    """Axe finds nothing, in both modes; nothing is wider than a page of 320 pixels."""
    found, every = [], os.environ.get("MNIST_EDU_EVERY_PAGE")  # which takes some minutes
    for path in all_pages(book):
        number = path.name[:2]
        if number.isdigit() and number not in ("00", "03", "05", "10") and not every:
            continue
        show(browser, path)
        found += [(path.name, "light", kind) for kind in violations(browser)]
        resize(browser, 320, 256, dark=True)  # what 400 % leave of 1280 x 1024
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        found += [(path.name, f"{wide} pixels wide")] if wide > 320 else []
        only = {"runOnly": ["color-contrast", "scrollable-region-focusable"]}
        found += [(path.name, "dark", kind) for kind in violations(browser, **only)]
    assert found == []


@pytest.mark.browser
def test_page_opened_from_a_folder_loads_all_it_needs(book, browser):
    browser.get_log("browser")
    show(browser, book / "notebooks" / "01_softmax_tf1.html")
    wait(browser, "return document.querySelectorAll('mjx-container svg').length > 20")
    used = browser.execute_script("return performance.getEntries().map((e) => e.name)")
    assert not [name for name in used if is_foreign(name)]
    assert browser.get_log("browser") == []


def wait(browser, question, seconds=20):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds).until(lambda driver: driver.execute_script(question))


@pytest.mark.browser
def test_search_works_from_a_folder(book, browser):
    show(browser, book / "index.html")
    find(browser, ".sidebar-search").send_keys("backpropagation", ENTER)
    wait(browser, "return document.querySelectorAll('#search-results li').length > 1")
    assert "03_network_by_hand.html" in find(browser, "#search-results").get_attribute("innerHTML")


GUESSES = [
    (784, 784),
    (103, 100),
    (106, 100),
    (7, 784),
    (0.9, 0.896),
    (-3, 3.5),
    (2.5, 2),
    (0.0001, 4.61),
    (0, 5),
    (1, 0),
    (100_000, 7850),
    (1e-7, 0.31),
    (0.31, 0.3112),
    (0, -2),
    (1234567, 1234568),
]


@pytest.mark.browser
def test_guess_is_compared_in_the_words_of_the_notebook(book, browser, capsys):
    show(browser, book / "index.html")
    for guess, truth in GUESSES:
        answer = lesson._number(truth, 3)
        lesson.compare(guess, float(answer.replace(",", "")), " kB")
        about = {"answer": answer, "unit": " kB", "digits": "3", "kind": "number"}
        said = browser.execute_script("return comparedGuess(...arguments)", str(guess), about)
        assert said == capsys.readouterr().out.strip()
    about = {"answer": "b", "unit": "", "digits": "3", "kind": "text"}
    said = browser.execute_script("return comparedGuess(...arguments)", '"B"', about)
    assert said.endswith("· answer: b · right")


@pytest.mark.browser
def test_keyboard_guesses_looks_and_asks_for_a_term(book, browser):
    from selenium.webdriver.common.action_chains import ActionChains

    show(browser, book / "notebooks" / "00_meet_the_digits.html")
    find(browser, "form.guess input").send_keys("700", ENTER)
    said = find(browser, "form.guess output").text
    assert said == "Your guess: 700 · answer: 784 · difference: 84, too small"
    answer = find(browser, "#cell-look-pixels details")
    assert answer.get_attribute("open") is None
    answer.find_element("css selector", "summary").send_keys(ENTER)
    assert "(60000, 28, 28)" in answer.text
    term, bubble = find(browser, "a.term"), find(browser, "#definition")
    ActionChains(browser).move_to_element(term).perform()
    assert bubble.text.startswith("The right answer") or len(bubble.text) > 20
    ActionChains(browser).send_keys(ESCAPE).perform()
    assert not bubble.is_displayed()
    browser.execute_script("arguments[0].focus()", term)
    assert bubble.is_displayed() and term.get_attribute("aria-describedby") == "definition"


@pytest.mark.browser
def test_contents_open_by_key_on_a_narrow_page(book, browser):
    show(browser, book / "index.html", 360, 700)
    link = find(browser, ".sidebar-tree a")
    assert not link.is_displayed()
    find(browser, "button.nav-overlay-icon").send_keys(ENTER)
    wait(
        browser,
        "return getComputedStyle(document.querySelector('.sidebar-drawer')).visibility"
        " === 'visible'",
    )
    find(browser, "button.nav-overlay-icon").send_keys(ESCAPE)
    assert not link.is_displayed()


@pytest.mark.browser
def test_window_of_the_convolution_moves_on_its_page(book, browser):
    show(browser, book / "notebooks" / "05_convolution_by_hand.html")
    says = find(browser, ".mnist-edu-stepper .says")
    before = says.text
    find(browser, ".mnist-edu-stepper .on").click()
    assert before != says.text and "column 1" in says.text
