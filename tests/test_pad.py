"""The drawing pad: what Python answers, and the real thing in JupyterLab in a browser."""

import base64
import io
import json
import os
import re
import runpy
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from browsers import chromium, need_browser

pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')
pytest.importorskip("anywidget", reason='anywidget is missing: pip install -e ".[ink]"')

from PIL import Image

from mnist_edu import authoring, ink, pages, palette, synthetic
from mnist_edu.pads import pad
from mnist_edu.pads.answer import INVITATION, PEN, PENS, SIDE, SURE, percent

PREDICT = """
import numpy as np
from mnist_edu import synthetic

images, labels = synthetic.make_digits(2000, seed=1)
images = images.reshape(len(images), 784) / np.float32(255)

def predict(image):  # the three nearest digits of each class
    distances = ((images - image.ravel() / np.float32(255)) ** 2).sum(axis=1)
    nearest = np.array([np.sort(distances[labels == digit])[:3].mean() for digit in range(10)])
    shares = np.exp((nearest.min() - nearest) / 4)
    return shares / shares.sum()
"""


@pytest.fixture(scope="module")
def predict():
    names = {}
    exec(PREDICT, names)
    return names["predict"]


def seven(image):
    """Be sure of a 7 whatever the image shows."""
    return np.eye(10)[7]


def send(widget, **drawing):
    """Do what the page does: send a drawing; return the answer."""
    whole = {"id": "page-1", "strokes": [], "pen": PEN, "example": None} | drawing
    widget.set_state({"drawing": whole})
    return widget.answer


def plain(strokes) -> list:
    return [np.asarray(stroke).tolist() for stroke in strokes]


# --- What Python answers -------------------------------------------------------------------------


def test_empty_pad_invites_and_asks_nothing():
    asked = []
    widget = pad.drawing_pad(asked.append)
    assert widget.answer["sentence"] == INVITATION and not asked
    assert widget.strokes == [] and widget.image is None and widget.probabilities is None
    assert widget.answer["probabilities"] == [] and widget.answer["image"] == []


def test_strokes_from_the_page_become_the_image_and_its_probabilities(predict):
    widget, strokes = pad.drawing_pad(predict), synthetic.example_strokes(3, 2)
    answer = send(widget, strokes=plain(strokes), id="page-9", pen=12)
    image = ink.to_mnist(ink.draw_strokes(strokes, SIDE, 12))
    assert (widget.image == image).all() and answer["image"] == image.ravel().tolist()
    assert (widget.probabilities == predict(image)).all()
    assert answer["probabilities"] == predict(image).tolist() and answer["id"] == "page-9"
    assert answer["percents"] == [percent(value) for value in predict(image)]
    assert answer["best"] == predict(image).argmax() and answer["digit"].startswith("3")
    assert [stroke.tolist() for stroke in widget.strokes] == plain(strokes)
    json.dumps([answer, widget.measures])


def test_clearing_forgets_what_was_read():
    widget = pad.drawing_pad(seven, synthetic.example_strokes(7))
    assert widget.probabilities[7] == 1
    assert send(widget, strokes=[])["sentence"] == INVITATION
    assert widget.image is None and widget.probabilities is None


def test_example_comes_back_to_the_page_with_its_answer():
    widget = pad.drawing_pad(seven)
    answer = send(widget, example=[4, 1], id="page-2")
    assert widget.drawing["strokes"] == plain(synthetic.example_strokes(4, 1))
    assert widget.drawing["id"] == answer["id"] == "page-2" and widget.drawing["example"] is None
    assert widget.drawing["strokes"] != plain(synthetic.example_strokes(4, 2))


def test_strokes_set_from_python_are_read_and_keep_the_pen():
    widget = pad.drawing_pad(seven)
    send(widget, pen=30)
    widget.strokes = synthetic.example_strokes(7)
    assert widget.drawing["pen"] == 30 and "7 (100 %)" in widget.answer["sentence"]


@pytest.mark.parametrize(
    "values, sentence",
    [
        (np.eye(10)[3], "The network reads 3 (100 %)."),
        ([0.004, 0, 0, 0, 0, 0, 0, 0, 0, 0.996], "The network reads 9 (over 99 %)."),
        ([0, 0.3, 0, 0, 0, 0, 0, 0.7, 0, 0], "The network is not sure: 7 (70 %), or 1 (30 %)."),
    ],
)
def test_sentence_names_what_is_read_and_how_sure_it_is(values, sentence):
    widget = pad.drawing_pad(lambda image: values, synthetic.example_strokes(7))
    assert widget.answer["sentence"] == sentence and sentence in repr(widget)


def fail(image):
    raise RuntimeError("no model yet\nwith a long story")


@pytest.mark.parametrize(
    "predict, told",
    [
        (fail, "predict failed with RuntimeError: no model yet ("),
        (lambda image: np.ones((1, 10)), "shape (10,), not (1, 10)"),
        (lambda image: np.full(10, np.nan), "0..1, not from nan"),
        (lambda image: np.arange(10), "0..1, not from 0.0 to 9.0"),
        (lambda image: None, "predict failed with ValueError"),
    ],
)
def test_failure_of_predict_is_a_sentence_on_the_pad(predict, told):
    widget = pad.drawing_pad(predict)
    answer = send(widget, strokes=plain(synthetic.example_strokes(7)))
    assert told in answer["sentence"] and "long story" not in answer["sentence"]
    assert answer["probabilities"] == answer["percents"] == [] and len(answer["image"]) == 784
    assert answer["digit"] == "" and answer["best"] is None
    assert widget.probabilities is None and widget.image is not None


def test_scribble_that_fills_the_pad_is_a_sentence():
    rows = [[[0, y], [280, y]] for y in range(0, 281, 10)]
    assert "Nothing to read" in send(pad.drawing_pad(seven), strokes=rows, pen=40)["sentence"]


def test_what_is_no_function_and_what_are_no_strokes_is_refused():
    with pytest.raises(TypeError, match="function of one image, not int"):
        pad.drawing_pad(7)
    with pytest.raises(ValueError, match="stroke 0 is no list of points"):
        pad.drawing_pad(seven, [["a"]])


@pytest.mark.parametrize("strokes", [None, synthetic.example_strokes(3)])
def test_picture_and_sentence_stand_where_no_python_runs(strokes):
    data, metadata = pad.drawing_pad(seven, strokes)._repr_mimebundle_()
    assert "run this cell" in data["text/plain"] and "reads 7" in data["text/plain"]
    assert ("An example" in data["text/plain"]) == (strokes is None)
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).size[0] > 300
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]


def test_stored_notebook_and_html_page_show_the_picture_instead_of_the_widget(tmp_path):
    nbformat, _ = pytest.importorskip("nbformat"), pytest.importorskip("nbconvert")
    data, metadata = pad.drawing_pad(seven)._repr_mimebundle_()
    view = "application/vnd.jupyter.widget-view+json"
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("board", outputs=[output], id="draw-here")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    state = {data[view]["model_id"]: {"model_name": "A", "model_module": "b", "state": {}}}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": state}}
    nbformat.write(notebook, tmp_path / "08_pad.ipynb")
    page = (tmp_path / pages.plain_page(tmp_path / "08_pad.ipynb")).read_text("utf-8")
    assert data["image/png"][:200] in page and "widget-view" not in page
    assert "<title>08_pad</title>" in page
    authoring.normalise(notebook)
    assert set(cell["outputs"][0]["data"]) == {"image/png", "text/plain"}


def test_pad_of_a_failing_predict_is_shown_without_a_picture():
    data, _ = pad.drawing_pad(fail)._repr_mimebundle_()
    assert "no model yet" in data["text/plain"] and "image/png" not in data


def test_pad_is_imported_without_tensorflow():
    quiet = "import sys, mnist_edu.pads.pad; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", quiet]).returncode == 0


def test_absence_of_anywidget_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ImportError, match=r'anywidget is missing: pip install -e "\.\[ink\]"'):
        runpy.run_path(pad.__file__)


def test_colours_of_the_page_come_from_the_palette():
    sheet = Path(pad.__file__).with_name("pad.css").read_text("utf-8")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl", sheet)
    for colour in ("winner", "others", "focus", "plain-text", "plain-paper"):
        assert f"var(--{colour})" in sheet and f"--{colour}: #" in pad.Pad._css
    assert f"--winner: {palette.WINNER}; --others: {palette.OTHERS};" in pad.Pad._css


# --- In JupyterLab, in a browser -----------------------------------------------------------------

CELL = PREDICT + "\nfrom mnist_edu.pads import pad\nboard = pad.drawing_pad(predict)\nboard"
ORANGE = ", ".join(str(int(palette.ORANGE[at : at + 2], 16)) for at in (1, 3, 5))
RING = f"rgb({ORANGE}) solid 3px"  # visible focus
PATIENCE = 120  # seconds, on a machine that does much else


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Run JupyterLab on a free port of this machine; give its address."""
    pytest.importorskip("jupyterlab", reason='JupyterLab is missing: pip install -e ".[lessons]"')
    nbformat = pytest.importorskip("nbformat")
    need_browser()
    folder = tmp_path_factory.mktemp("lab")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=kernel)
    nbformat.write(notebook, folder / "pad.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
    private = {name: str(folder / name.lower()) for name in names}
    here = Path(pad.__file__).parents[2]
    command = f"""{sys.executable} -m jupyterlab --no-browser --allow-root --ip=127.0.0.1
        --port={port} --ServerApp.port_retries=0 --IdentityProvider.token= --ServerApp.password=
        --ServerApp.root_dir={folder} --LabApp.expose_app_in_browser=True
        --LabApp.news_url= --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"""
    with open(folder / "log.txt", "wb") as log:
        server = subprocess.Popen(
            command.split(),
            env=os.environ | private | {"PYTHONPATH": str(here)},
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        _wait_for(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/api").status == 200)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()  # it ends its kernels, too
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def page(lab, tmp_path_factory):
    """Open the notebook, run its cell, and give the browser with the pad in it."""
    with chromium(tmp_path_factory.mktemp("browser"), "1100,900") as driver:
        driver.set_script_timeout(PATIENCE)
        driver.get(f"{lab}/doc/tree/pad.ipynb?reset")
        _wait_for(lambda: driver.execute_script("return !!document.querySelector('.jp-CodeCell')"))
        driver.execute_script(
            "const app = window.jupyterapp; app.restored.then(async () => {"
            "await app.shell.currentWidget.sessionContext.ready;"
            "await app.commands.execute('notebook:run-all-cells')})"
        )
        _wait_for(lambda: driver.execute_script("return !!document.querySelector('.mnist-pad')"))
        yield driver


def _wait_for(true, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while True:
        try:
            if found := true():
                return found
        except OSError:
            pass
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.05)


def state(page) -> dict:
    """Read what the page shows."""
    read = """
        const all = (name) => [...document.querySelectorAll(".mnist-pad " + name)];
        const pixels = all("canvas")[0].getContext("2d").getImageData(0, 0, 28, 28).data;
        return {
            strokes: all("polyline").map((line) => line.getAttribute("points")),
            digit: all(".mnist-pad-digit")[0].textContent,
            sentence: all(".mnist-pad-sentence")[0].textContent,
            bars: all("li .mnist-pad-track > span").map((bar) => parseFloat(bar.style.width) / 100),
            texts: all("li > span:last-child").map((text) => text.textContent),
            image: [...pixels].filter((_, place) => place % 4 === 0),
            pen: Number(all("svg")[0].getAttribute("stroke-width")),
            hint: !all(".mnist-pad-hint")[0].hidden,
            best: all("li.best > span:first-child").map((text) => text.textContent).join(),
        }"""
    shown = page.execute_script(read)
    points = [np.reshape(text.replace(" ", ",").split(","), (-1, 2)) for text in shown["strokes"]]
    shown["strokes"] = [stroke[:-1].astype(float) for stroke in points]  # the last one stands twice
    return shown


def settled(page, wanted) -> dict:
    """Wait until the page shows what is wanted, a function of its state."""
    last = {}

    def look():
        last.update(state(page))
        return wanted(last)

    try:
        _wait_for(look, 20)
    except AssertionError:
        raise AssertionError({name: last[name] for name in ("sentence", "bars", "pen")}) from None
    return last


def agrees(predict):
    """Return a function that says whether a page shows what Python makes of its strokes."""

    def compare(shown) -> bool:
        if not shown["strokes"]:
            return False
        image = ink.to_mnist(ink.draw_strokes(shown["strokes"], SIDE, shown["pen"]))
        probabilities = predict(image)
        same_image = shown["image"] == image.ravel().tolist()
        return same_image and np.abs(probabilities - shown["bars"]).max() < 0.001

    return compare


def click(page, selector):
    page.find_element("css selector", f".mnist-pad {selector}").click()


def press(page, *keys):
    from selenium.webdriver import ActionChains

    ActionChains(page, duration=0).send_keys(*keys).perform()


def clear(page):
    click(page, ".mnist-pad-clear")
    settled(page, lambda shown: shown["sentence"] == INVITATION)


def write(page, strokes, kind="mouse"):
    """Draw with a pointer of this kind: mouse, touch or pen."""
    from selenium.webdriver.common.action_chains import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    box = page.execute_script(
        "const area = document.querySelector('.mnist-pad svg'); area.scrollIntoView();"
        "const box = area.getBoundingClientRect(); return [box.left, box.top, box.width]"
    )
    corner, scale = np.array(box[:2]), box[2] / SIDE
    for stroke in strokes:
        places = np.round(corner + scale * np.asarray(stroke)).astype(int).tolist()
        action = ActionBuilder(page, mouse=PointerInput(kind, kind), duration=0)
        action.pointer_action.move_to_location(*places[0]).pointer_down()
        for place in places[1:]:
            action.pointer_action.move_to_location(*place)
        action.pointer_action.pointer_up()
        action.perform()


@pytest.mark.browser
@pytest.mark.browser
def test_rows_of_bars_stay_apart_whatever_they_say(page):
    rows = page.execute_script("""
        const rows = [...document.querySelectorAll(".mnist-pad li")];
        const places = rows.map((row) => {
            const text = row.lastElementChild, before = text.textContent;
            text.textContent = "> 99 %";
            const lines = document.createRange();
            lines.selectNodeContents(text);
            const [outer, inner] = [row.getBoundingClientRect(), lines.getBoundingClientRect()];
            text.textContent = before;
            return [outer.top, inner.top, inner.bottom, outer.bottom];
        });
        return places;""")
    assert len(rows) == 10
    for row, (after, *_) in zip(rows, [*(r[:1] for r in rows[1:]), [float("inf")]], strict=True):
        top, text_top, text_bottom, bottom = row
        assert top - 1 <= text_top < text_bottom <= bottom + 1 and bottom <= after + 0.5, row


@pytest.mark.browser
def test_each_digit_drawn_by_a_pointer_is_read_as_in_python(page, predict):
    right = offline = 0
    for digit in range(10):
        strokes = [stroke[::2] for stroke in synthetic.example_strokes(digit, 1)]
        clear(page)
        write(page, strokes, kind=("mouse", "touch", "pen")[digit % 3])
        shown = settled(page, agrees(predict))
        drawn = np.concatenate(shown["strokes"])
        assert len(shown["strokes"]) == len(strokes)
        assert np.abs(drawn.min(0) - np.concatenate(strokes).min(0)).max() < 2  # rounded to pixels
        assert np.abs(drawn.max(0) - np.concatenate(strokes).max(0)).max() < 2
        best = str(np.argmax(shown["bars"]))
        doubt = "?" if max(shown["bars"]) < SURE else ""
        assert shown["digit"] == best + doubt and shown["best"] == best
        assert best in shown["sentence"] and bool(doubt) == ("not sure" in shown["sentence"])
        right += best == str(digit)
        image = ink.to_mnist(ink.draw_strokes(synthetic.example_strokes(digit, 1)))
        offline += predict(image).argmax() == digit
    assert offline >= 9 and right >= 8


@pytest.mark.browser
def test_undo_takes_the_last_stroke_back_and_a_clearing_too(page, predict):
    clear(page)
    write(page, [[(90, 60), (90, 150), (190, 150)], [(150, 100), (150, 240)]])
    two = settled(page, lambda shown: len(shown["strokes"]) == 2 and agrees(predict)(shown))
    click(page, ".mnist-pad-undo")
    one = settled(page, lambda shown: len(shown["strokes"]) == 1 and agrees(predict)(shown))
    assert one["bars"] != two["bars"]
    clear(page)
    empty = state(page)
    assert empty["hint"] and set(empty["bars"]) == {0} and set(empty["image"]) == {0}
    assert empty["digit"] == "" and set(empty["texts"]) == {""}
    click(page, ".mnist-pad-undo")
    assert settled(page, agrees(predict))["strokes"][0].tolist() == one["strokes"][0].tolist()


@pytest.mark.browser
def test_pen_width_changes_by_keyboard_and_is_read(page, predict):
    from selenium.webdriver.common.keys import Keys

    clear(page)
    write(page, [[(100, 60), (180, 60), (120, 220)]])
    before = settled(page, agrees(predict))
    page.execute_script("document.querySelector('.mnist-pad-pen').focus()")
    press(page, Keys.END)
    after = settled(page, lambda shown: shown["pen"] == PENS[1] and agrees(predict)(shown))
    assert before["pen"] == PEN and after["image"] != before["image"]
    press(page, Keys.HOME)
    settled(page, lambda shown: shown["pen"] == PENS[0] and agrees(predict)(shown))
    press(page, *[Keys.ARROW_RIGHT] * ((PEN - PENS[0]) // 2))
    settled(page, lambda shown: shown["pen"] == PEN and agrees(predict)(shown))


@pytest.mark.browser
def test_everything_can_be_done_by_keyboard(page, predict):
    from selenium.webdriver.common.keys import Keys

    clear(page)
    cells = page.execute_script("return document.querySelectorAll('.jp-Cell').length")
    page.execute_script("document.querySelector('.mnist-pad-area').focus()")
    reached = []
    for _ in range(13):
        press(page, Keys.TAB)
        reached.append(page.execute_script("return document.activeElement.textContent"))
    assert reached == ["Undo", "Clear", "", *"0123456789"]
    assert page.execute_script("return getComputedStyle(document.activeElement).outline") == RING
    shown = []
    for key in [Keys.SPACE, "9", "3"]:  # the button that has the focus, then digit keys
        press(page, key)
        shown.append(settled(page, lambda new: agrees(predict)(new) and not same(new, shown)))
    assert hand(shown[1], 9) == hand(shown[0], 9) + 1 and hand(shown[2], 3) is not None
    press(page, Keys.BACKSPACE)
    settled(page, lambda new: same(new, shown[1:2]) and agrees(predict)(new))
    press(page, Keys.DELETE)
    settled(page, lambda new: new["sentence"] == INVITATION)
    assert page.execute_script("return document.querySelectorAll('.jp-Cell').length") == cells
    assert page.execute_script("return document.querySelectorAll('.jp-MarkdownCell').length") == 0


def hand(shown, digit) -> int | None:
    """Return which hand wrote the example."""
    examples = ((seed, synthetic.example_strokes(digit, seed)) for seed in range(20))
    return next((seed for seed, ex in examples if plain(ex) == plain(shown["strokes"])), None)


def same(shown, others) -> bool:
    return any(plain(shown["strokes"]) == plain(other["strokes"]) for other in others)


@pytest.mark.browser
def test_strokes_keep_their_place_when_the_page_is_zoomed(page, predict):
    clear(page)
    page.execute_script("document.body.style.zoom = 1.25")
    try:
        strokes = synthetic.example_strokes(2, 1)
        write(page, [stroke[::3] for stroke in strokes])
        drawn = np.concatenate(settled(page, agrees(predict))["strokes"])
        assert np.abs(drawn.min(0) - np.concatenate(strokes).min(0)).max() < 3
        assert np.abs(drawn.max(0) - np.concatenate(strokes).max(0)).max() < 3
    finally:
        page.execute_script("document.body.style.zoom = 1")


GROUNDS = {"light": ["#ffffff"], "dark": ["#111111", "#1e1e1e", "#383838"]}  # Lab, VS Code, Colab


@pytest.mark.browser
@pytest.mark.parametrize("theme", GROUNDS)
def test_bars_and_focus_stand_out_from_the_ground_of_each_theme(page, predict, theme):
    """The winner is the palette's in light themes; in dark ones the two colours swap."""
    click(page, ".mnist-pad-examples button")
    settled(page, agrees(predict))
    look = """
        const [body, ground] = [document.body, arguments[0]];
        body.dataset.jpThemeLight = String(ground === "#ffffff");
        body.style.setProperty("--jp-layout-color0", ground);
        const style = (name) => getComputedStyle(document.querySelector(".mnist-pad" + name));
        const bar = (row) => style(` ${row} .mnist-pad-track > span`);
        const bars = [bar("li.best"), bar("li:not(.best)")];
        const found = [...bars.map((bar) => bar.backgroundColor), bars[1].boxShadow,
            style(" li.best").fontWeight, style("").getPropertyValue("--focus"),
            style("").backgroundColor];
        body.style.removeProperty("--jp-layout-color0");
        body.dataset.jpThemeLight = "true";
        return found"""
    for ground in GROUNDS[theme]:
        best, others, edge, weight, focus, shown = page.execute_script(look, ground)
        assert rgb(shown) == rgb(ground) and weight == "700"
        named = [rgb(palette.WINNER), rgb(palette.OTHERS)]
        assert [rgb(best), rgb(others)] == (named if theme == "light" else named[::-1])
        for colour in (best, edge, focus):  # the nine others have an edge in the winner's colour
            assert contrast(rgb(colour), rgb(ground)) >= 3, (colour, ground)


def rgb(colour) -> list[int]:
    """Return red, green and blue of a colour as CSS writes it; what stands around it is ignored."""
    if "rgb" in colour:
        return [int(value) for value in re.search(r"rgb\((.*?)\)", colour)[1].split(",")]
    return list(bytes.fromhex(colour.strip().lstrip("#")))


def contrast(colour, ground) -> float:
    """Return the contrast of two colours by WCAG 2, from 1 to 21."""
    values = np.array([colour, ground]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.browser
def test_python_can_be_slow_and_fail_and_set_strokes(page, predict, tmp_path):
    """While predict takes its time one message waits, not one a movement."""
    clear(page)
    slow = """
        import pathlib, time
        seen = []
        board.observe(seen.append, "drawing")
        def slow(image):
            while not pathlib.Path(END).exists():
                time.sleep(0.05)
            return predict(image)
        board.predict = slow
        print("slow", "now")
        """
    run(page, textwrap.dedent(slow).replace("END", repr(str(tmp_path / "end"))))
    _wait_for(lambda: output(page, "slow now"))
    click(page, ".mnist-pad-examples button:nth-of-type(4)")  # asked of Python, and ...
    click(page, ".mnist-pad-clear")  # ... no longer wanted
    zero = [stroke[::2] for stroke in synthetic.example_strokes(0, 1)]
    write(page, zero)
    waiting = settled(page, lambda shown: "Waiting for Python" in shown["sentence"])
    assert waiting["strokes"] and set(waiting["texts"]) == {""}  # nothing was read yet
    (tmp_path / "end").touch()
    assert len(settled(page, agrees(predict))["strokes"]) == len(zero)
    run(page, "print(len(seen), 'messages')")
    assert _wait_for(lambda: output(page, "messages")) == "3 messages\n"  # 3 asked, 3 drawn, 0
    set_strokes = """
        from mnist_edu import synthetic
        board.predict = lambda image: (time.sleep(0.5), predict(image))[1]
        board.strokes = synthetic.example_strokes(5, 4)  # never shown beside the old answer
        """
    run(page, textwrap.dedent(set_strokes))
    shown = settled(page, lambda shown: same(shown, [{"strokes": synthetic.example_strokes(5, 4)}]))
    assert agrees(predict)(shown)
    run(page, "def fail(image): raise OSError('the model is gone')\nboard.predict = fail")
    click(page, ".mnist-pad-undo")
    click(page, ".mnist-pad-examples button")
    told = settled(page, lambda shown: "the model is gone" in shown["sentence"])
    assert told["digit"] == "" and set(told["texts"]) == {""}
    run(page, "board.predict = predict")


def run(page, source):
    """Run source in the notebook's kernel, in a new cell, without waiting for its end."""
    page.execute_script(
        "const panel = window.jupyterapp.shell.currentWidget, model = panel.content.model;"
        "model.sharedModel.addCell({cell_type: 'code', source: arguments[0]});"
        "panel.content.activeCellIndex = panel.content.widgets.length - 1;"
        "window.jupyterapp.commands.execute('notebook:run-cell')",
        source,
    )


def output(page, word):
    texts = page.execute_script(
        "return [...document.querySelectorAll('.jp-OutputArea-output pre')].map(o => o.textContent)"
    )
    return next((text for text in texts if word in text), "")
