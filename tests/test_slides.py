"""Slides of the sessions: each cell is there, no other host is asked, and the last row can read."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from browsers import chromium

pytest.importorskip("nbconvert", reason='nbconvert is missing: pip install -e ".[run]"')

from mnist_edu.errors import AskedWrongly, Missing

FOLDER = Path(__file__).parents[1] / "book" / "slides"


def load():
    spec = importlib.util.spec_from_file_location("slides_maker", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = load()


def told(cell) -> str:
    """Return all that a slide says in words."""
    outputs = cell.get("outputs", [])
    texts = [o.get("text") or next(iter(o.data.values())) for o in outputs]
    return " ".join(texts) or cell.source


def test_every_line_of_the_plan_is_there_and_guesses_come_before_answers():
    sessions = [f"session-{number}" for number in range(1, 7)]
    assert list(make.plan()) == [*sessions, "first-of-two", "second-of-two"]
    for told_of in make.plan().values():
        lines = told_of["slides"]
        assert not lines[0].startswith("+") and len(lines) == len(set(lines))
        texts = [told(make.chosen(line)) for line in lines]
        for place, text in enumerate(texts):
            assert text and "No guess written down" not in text
            if re.search(r"\bAnswer: ", text) and "moved by" not in text:
                before = " ".join(texts[max(0, place - 2) : place])
                assert "?" in before or "Predict" in before, text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("00 no-such-cell", "notebook 00 has no cell no-such-cell"),
        ("00 puzzle 99", "paragraphs 1 to 7, not 99"),
        ("00 puzzle", "paragraphs 1 to 7, not none"),
        ("00 guess-lazy", "cell guess-lazy of notebook 00 puts nothing out"),
    ],
)
def test_a_line_that_names_nothing_is_refused(line, says):
    with pytest.raises(AskedWrongly, match=says):
        make.chosen(line)


def test_a_missing_library_is_named_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sphinx-mathjax-offline", None)
    assert make.main(str(tmp_path / "out")) == 1
    assert 'sphinx-mathjax-offline is missing: pip install -e ".[book]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    try:
        make.mathjax()
    except Missing as error:
        pytest.skip(str(error))
    return make.make(tmp_path_factory.mktemp("slides"))


@pytest.mark.slow
def test_pages_name_no_other_host_and_are_made_the_same_twice(pages, tmp_path):
    assert [page.stem for page in pages] == list(make.plan())
    for page, again in zip(pages, make.make(tmp_path), strict=True):
        text = page.read_text("utf-8")
        assert not re.findall(r"https?:|src=\"//", text)
        described = re.findall(r'<img [^>]*alt="(?!No desc)[^"]{15}', text)
        assert len(described) == text.count("<img ") > 3
        assert page.read_bytes() == again.read_bytes()


@pytest.mark.browser
@pytest.mark.slow
def test_figures_fill_the_screen_formulas_are_typeset_and_nothing_is_cut_off(pages, tmp_path):
    with chromium(tmp_path / "browser", "1600,1040") as driver:
        driver.set_script_timeout(120)
        for page in pages:
            look(driver, page)


def look(driver, page) -> None:
    """Check all slides of a session in the browser."""
    driver.get(page.as_uri())
    driver.execute_async_script("MathJax.startup.promise.then(arguments[0])")
    wide, high = driver.execute_script("return [innerWidth, innerHeight]")
    for number in range(driver.execute_script("return Reveal.getTotalSlides()")):
        driver.execute_script("Reveal.slide(arguments[0], 0, 9)", number)  # all of its steps
        for image in driver.execute_script(IMAGES):
            assert image["width"] > 0.9 * wide or image["height"] > 0.5 * high, (page.name, number)
        lowest = driver.execute_script(LOWEST)
        assert lowest <= high + 1, f"{page.name}, slide {number + 1}: {lowest} of {high} pixels"
    left = "return document.querySelector('.slides').textContent"
    assert "$" not in driver.execute_script(left)
    asked = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert all(name.startswith(("file:", "data:")) for name in driver.execute_script(asked))
    if page.name in ("session-2.html", "session-3.html"):
        formulas = "return document.querySelectorAll('mjx-container svg').length"
        assert driver.execute_script(formulas) > 3


IMAGES = """return [...Reveal.getCurrentSlide().querySelectorAll('img')].map(image => {
    const box = image.getBoundingClientRect();
    const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
    return {width: scale * image.naturalWidth, height: scale * image.naturalHeight};
})"""
LOWEST = """return Math.max(...[...Reveal.getCurrentSlide().querySelectorAll('*')]
    .filter(part => part.innerText || part.tagName == 'IMG')
    .map(part => part.getBoundingClientRect().bottom))"""
