"""The window that the reader moves: the same page as stored, and its controls in a browser."""

import numpy as np
import pytest
from browsers import chromium
from cells import cells_of, run_cells

from mnist_edu.exercises import nb05, stepper

IMAGE, KERNEL = np.arange(20).reshape(4, 5), np.array([[1, 0], [-1, 2]])


@pytest.fixture
def shown(monkeypatch):
    """Return the list of what is shown."""
    bundles = []
    monkeypatch.setattr(stepper, "show", bundles.append)
    return bundles


def test_window_shows_every_place_and_needs_nothing_from_outside(shown):
    stepper.stepper(IMAGE, KERNEL)
    (bundle,) = shown
    lines = bundle["text/plain"].splitlines()
    assert lines[0] == "A window of 2 x 2 slides over an image, in 12 places."
    assert lines[2] == "Row 0, column 1: 1·1 + 2·0 + 6·(-1) + 7·2 = 9"
    assert len(lines) == 13 and bundle["text/html"].count("<li ") == 12
    assert "//" not in bundle["text/html"] and "$" not in bundle["text/html"]


def test_notebook_stores_the_page_as_it_is_made_today(shown):
    run_cells("05", "tiny", "stepper", np=np, nb05=nb05)
    (output,) = cells_of("05")["stepper"]["outputs"]
    assert shown == [{kind: "".join(lines) for kind, lines in output["data"].items()}]


@pytest.fixture
def page(shown, tmp_path):
    """Open the window in a browser."""
    stepper.stepper(IMAGE, KERNEL)
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8>{shown[0]['text/html']}", "utf-8")
    with chromium(tmp_path / "browser", "900,700") as driver:
        driver.get((tmp_path / "page.html").as_uri())
        yield driver


@pytest.mark.browser
def test_buttons_slider_and_keys_move_the_window(page):
    def find(name):
        return page.find_element("css selector", name)

    def place():
        return [int(frame.get_attribute(axis)) // stepper.CELL for axis in ("y", "x")]

    frame, says = find(".frame"), find(".says")
    assert says.text.startswith("Row 0, column 0:") and place() == [0, 0]
    for _ in range(5):
        find(".on").click()
    assert says.text.startswith("Row 1, column 1:") and place() == [1, 1]
    find(".back").click()
    assert says.text.startswith("Row 1, column 0:") and place() == [1, 0]
    products = page.find_elements("css selector", '[data-grid="image × kernel"] text')
    assert [text.text for text in products] == ["5", "0", "-10", "22"]
    sums = page.find_elements("css selector", '[data-grid="map"] text')
    assert [text.text for text in sums if text.is_displayed()] == ["7", "9", "11", "13", "17"]
    find("input").send_keys("\ue010")  # the key End
    assert says.text.startswith("Row 2, column 3:") and place() == [2, 3]
    find(".play").click()
    assert find(".play").text == "Stop" and place() == [0, 0]
