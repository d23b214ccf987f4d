"""The drawing window on a virtual screen, with a real pointer and real keys.

The network is a cheap one (``nearest``), so that what the window shows can be computed here too.
"""

import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')
if importlib.util.find_spec("_tkinter") is None:
    pytest.skip("this Python has no tkinter", allow_module_level=True)
for program in ("Xvfb", "xdotool"):
    if not shutil.which(program):
        pytest.skip(f"{program} is missing: make tools", allow_module_level=True)

import nearest  # noqa: E402
from PIL import Image  # noqa: E402

from mnist_edu import ink, palette, synthetic  # noqa: E402
from mnist_edu.errors import AskedWrongly, WentWrong  # noqa: E402
from mnist_edu.pads import answer as answering  # noqa: E402
from mnist_edu.pads import window as drawing  # noqa: E402
from mnist_edu.pads.answer import PEN, PENS, SIDE  # noqa: E402

pytestmark = pytest.mark.browser  # it needs a screen

PATIENCE = 30  # seconds that a loaded machine may take for what takes a tenth of one


@pytest.fixture(scope="module")
def screen():
    """Start a virtual screen on a free display, and return its name."""
    ours, theirs = os.pipe()
    words = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[theirs], stderr=subprocess.DEVNULL) as server:
        os.close(theirs)
        with open(ours) as line:  # closed too early it would kill the server
            number = line.readline().strip()
        if not number:
            pytest.skip("Xvfb does not start here")
        yield f":{number}"
        server.terminate()


@pytest.fixture(scope="module")
def shared(screen):
    """Open one window for all tests of this file; its network wakes up only once."""
    import tkinter

    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = screen
    root = tkinter.Tk()
    root.geometry("900x550+20+20")
    opened = drawing.Window(root, nearest.make)
    wait(opened, lambda: opened.ready)
    yield opened
    opened.close()
    os.environ.pop("DISPLAY")
    if before:
        os.environ["DISPLAY"] = before


@pytest.fixture
def window(shared):
    shared.clear()
    shared.earlier.clear()
    shared.hands.clear()
    shared.pen.set(PEN)
    shared.root.focus_force()
    shared.paper.focus_set()
    settle(shared)
    return shared


def wait(window, condition):
    """Let the window work until something is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        window.root.update()
        time.sleep(0.002)


def settle(window):
    """Let the window work until everything that was drawn has been read."""
    for _ in range(3):
        window.root.update()
        wait(window, lambda: not (window.stale or window.busy))


def xdotool(*words):
    subprocess.run(["xdotool", *map(str, words)], check=True, timeout=PATIENCE)


def press(window, *keys):
    xdotool("key", *keys)
    time.sleep(0.05)
    settle(window)


def write(window, strokes, side=1.0):
    """Write strokes (points in a square of this side) with the pointer, point by point.

    Each point waits until the window has the one before, so that none is lost on a loaded machine.
    """
    paper = window.paper
    left, top, size = paper.winfo_rootx(), paper.winfo_rooty(), paper.winfo_width()
    with subprocess.Popen(["xdotool", "-"], stdin=subprocess.PIPE, text=True) as pointer:

        def do(words):
            before = window.page
            print(words, file=pointer.stdin, flush=True)
            if "up" not in words:
                wait(window, lambda: window.page is not before)

        for stroke in strokes:
            places = [(left + int(x * size / side), top + int(y * size / side)) for x, y in stroke]
            places = [place for place, _ in itertools.groupby(places)]
            print("mousemove {} {}".format(*places[0]), file=pointer.stdin)
            do("mousedown 1")
            for place in places[1:]:
                do("mousemove {} {}".format(*place))
            do("mouseup 1")
        pointer.stdin.close()
        wait(window, lambda: pointer.poll() is not None)
    settle(window)


def shown(window):
    """Return what stands in the panel: the texts, and the lengths of the bars in parts."""
    panel = window.panel
    texts = [panel.itemcget(item, "text") for item in panel.find_all() if kind(panel, item, "text")]
    boxes = [item for item in panel.find_all() if kind(panel, item, "rectangle")]
    colours = {panel.itemcget(item, "fill"): panel.coords(item) for item in boxes}
    rail, best = colours[palette.RAIL], colours.get(palette.WINNER, [0, 0, 0, 0])
    return texts, (best[2] - best[0]) / (rail[2] - rail[0])


def kind(panel, item, name):
    return panel.type(item) == name


PREDICT = nearest.make()


def by_hand(strokes, pen=PEN):
    """Return the image and the probabilities that belong to strokes, without any window."""
    image = ink.to_mnist(ink.draw_strokes(strokes, 280, pen))
    return image, PREDICT(image)


# --- Writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", range(10))
def test_digit_written_with_the_pointer_is_read_as_its_strokes_are(window, digit):
    strokes = [stroke[::3] for stroke in synthetic.example_strokes(digit, seed=1)]
    write(window, strokes, SIDE)
    for drawn, wanted in zip(window.page.strokes, strokes, strict=True):
        assert np.abs(np.array(drawn) - wanted).max() < 1.4
    image, expected = by_hand(window.page.strokes)
    assert (window.answer.image == image).all()
    assert window.answer.probabilities == pytest.approx(expected)
    best = int(np.argmax(window.answer.probabilities))
    texts, longest = shown(window)
    doubt = "" if window.answer.probabilities[best] >= answering.SURE else "?"
    percent = answering.percent(window.answer.probabilities[best])
    assert texts[1:3] == [f"{best}{doubt}", percent] and percent in texts[3:]
    assert longest == pytest.approx(window.answer.probabilities[best], abs=0.01)
    assert window.root.title() == f"{best}{doubt}, {percent} – mnist_edu"


def test_best_digit_alone_is_bold_and_in_the_winners_colour(window):
    press(window, "8")
    panel, best = window.panel, str(window.answer.best)
    texts = [item for item in panel.find_all() if kind(panel, item, "text")]
    bold = [panel.itemcget(i, "text") for i in texts if "bold" in panel.itemcget(i, "font")]
    assert bold == [window.answer.short, best, window.answer.sure]
    bars = [item for item in panel.find_all() if kind(panel, item, "rectangle")]
    fills = [panel.itemcget(bar, "fill") for bar in bars]
    assert fills.count(palette.WINNER) == 1
    assert set(fills) == {palette.RAIL, palette.WINNER, palette.OTHERS}
    edges = {
        panel.itemcget(i, "outline") for i in bars if panel.itemcget(i, "fill") != palette.RAIL
    }
    assert edges == {palette.WINNER}  # the others alone are pale on a light ground


@pytest.mark.parametrize("size", ["900x550", "420x760", "345x460"])
def test_no_percentage_lies_upon_its_bar(window, size):
    values = np.full(10, 0.004 / 9)
    values[3] = 0.996  # "> 99 %", the longest
    panel = window.panel
    window.root.geometry(size)
    settle(window)
    window.answer = answering.Answer(None, values)
    window._paint()
    texts = [item for item in panel.find_all() if kind(panel, item, "text")]
    texts = [item for item in texts if panel.itemcget(item, "anchor") == "e"]
    bars = [item for item in panel.find_all() if kind(panel, item, "rectangle")]
    assert "> 99 %" in {panel.itemcget(text, "text") for text in texts} and len(texts) == 10
    assert min(panel.bbox(item)[0] for item in texts) >= max(panel.bbox(bar)[2] for bar in bars)


def test_bars_change_while_the_pen_is_down(window):
    left, top = window.paper.winfo_rootx(), window.paper.winfo_rooty()
    xdotool("mousemove", left + 100, top + 100, "mousedown", 1)
    try:
        for x, y in ((300, 100), (200, 350)):
            before = window.answer.image
            xdotool("mousemove", left + x, top + y)
            wait(window, lambda before=before: window.answer.image is not before)
            assert window.answer.probabilities is not None
    finally:
        xdotool("mouseup", 1)


def test_empty_paper_invites(window):
    texts = [window.paper.itemcget(item, "text") for item in window.paper.find_all()]
    assert drawing.INVITE in texts
    assert window.answer.probabilities is None and shown(window)[1] == 0
    assert window.root.title() == "mnist_edu"
    press(window, "7")
    assert not any(kind(window.paper, item, "text") for item in window.paper.find_all())


def test_single_point_is_ink_and_asks_for_a_digit_or_reads_one(window):
    write(window, [[(0.5, 0.5)]])
    assert len(window.page.strokes) == 1
    assert window.answer.fault or window.answer.probabilities is not None


# --- Keys and buttons ----------------------------------------------------------------------------


def test_key_writes_an_example_and_again_another_hand(window):
    seen = []
    for turn in range(2):
        press(window, "4")
        image, expected = by_hand(synthetic.example_strokes(4, turn))
        assert (window.answer.image == image).all()
        assert window.answer.probabilities == pytest.approx(expected)
        seen.append(window.answer.image)
    assert (seen[0] != seen[1]).any()


def test_undo_goes_back_step_by_step_over_clearing_too(window):
    write(window, [[(0.2, 0.2), (0.8, 0.2)], [(0.8, 0.2), (0.4, 0.8)]])
    pages = [window.page]
    press(window, "c")
    assert window.page.is_empty() and window.answer.probabilities is None
    press(window, "u")
    assert window.page is pages[0] and window.answer.probabilities is not None
    press(window, "ctrl+z")
    assert len(window.page.strokes) == 1
    press(window, "BackSpace", "u", "u")
    assert window.page.is_empty() and not window.earlier


def test_pen_gets_wider_and_narrower_by_key_within_bounds(window):
    press(window, "7")
    widths = []
    for keys in (["minus"] * 3, ["plus"] * 6):
        press(window, *keys)
        line = window.paper.find_all()[0]
        widths.append(
            float(window.paper.itemcget(line, "width")) / window.paper.winfo_width() * SIDE
        )
    assert widths == pytest.approx([PEN / 1.2**3, PEN * 1.2**3], rel=0.02)
    image, expected = by_hand(window.page.strokes, window.pen.get())
    assert (window.answer.image == image).all() and window.answer.probabilities == pytest.approx(
        expected
    )
    assert (image != by_hand(window.page.strokes)[0]).any()
    press(window, *["plus"] * 12)
    assert window.pen.get() == PENS[1]
    press(window, *["minus"] * 15)
    assert window.pen.get() == PENS[0]


def test_slider_has_the_range_of_all_pads(window):
    [scale] = [part for part in window.pens.winfo_children() if part.winfo_class() == "TScale"]
    assert (scale.cget("from"), scale.cget("to")) == PENS and window.pen.get() == PEN


def test_every_control_is_reached_by_tab_and_works_by_key(window):
    reached = []
    for _ in range(6):
        reached.append(window.root.focus_get())
        press(window, "Tab")
    assert window.root.focus_get() is window.paper
    words = [control.cget("text") for control in reached if control.winfo_class() == "TButton"]
    assert words == ["Undo", "Clear", "Example", "Open …"]
    assert "TScale" in {control.winfo_class() for control in reached}
    press(window, "Tab", "Tab", "Tab", "space")
    assert not window.page.is_empty()
    press(window, "shift+Tab", "Return")
    assert window.page.is_empty()


# --- Pictures ------------------------------------------------------------------------------------


def test_picture_file_is_shown_and_read(window, tmp_path, monkeypatch):
    bitmap = 255 - ink.draw_strokes(synthetic.example_strokes(3, 2, 400), 400, 24)
    Image.fromarray(bitmap).save(tmp_path / "three.png")
    monkeypatch.setattr("tkinter.filedialog.askopenfilename", lambda **how: tmp_path / "three.png")
    press(window, "o")
    wait(window, lambda: window.answer.probabilities is not None)
    image = ink.to_mnist(ink.read_image(tmp_path / "three.png"))
    assert (window.answer.image == image).all()
    assert window.answer.probabilities == pytest.approx(PREDICT(image))
    assert window.paper.type(window.paper.find_all()[0]) == "image"
    write(window, [[(0.3, 0.3), (0.6, 0.6)]])
    assert window.page.picture is None and len(window.page.strokes) == 1
    press(window, "u")
    assert (window.answer.image == image).all()


@pytest.mark.parametrize("content", [None, b"no picture", b""])
def test_file_that_is_no_picture_gets_a_sentence_and_changes_nothing(window, tmp_path, content):
    press(window, "5")
    page = window.page
    path = tmp_path / "mine.png"
    if content is not None:
        path.write_bytes(content)
    window.load_picture(str(path))
    settle(window)
    said = window.status.cget("text")
    assert said.startswith("mine.png was not opened: ") and len(said) < 300
    assert window.page is page


# --- Sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["900x550", "420x760", "345x460", "1200x800", "1000x460"])
def test_everything_stays_inside_at_any_size(window, size):
    press(window, "8")
    before = window.answer.probabilities
    window.root.geometry(size)
    width, height = map(int, size.split("x"))
    wait(window, lambda: (window.root.winfo_width(), window.root.winfo_height()) == (width, height))
    settle(window)
    parts = [window.paper, window.panel, window.status, *window.tools.winfo_children()]
    for part in parts:
        x = part.winfo_rootx() - window.root.winfo_rootx()
        y = part.winfo_rooty() - window.root.winfo_rooty()
        assert x >= 0 and x + part.winfo_width() <= width, part
        assert y >= 0 and y + part.winfo_height() <= height, part
    assert window.paper.winfo_width() == window.paper.winfo_height() >= 150
    panel = window.panel
    left, top, right, bottom = panel.bbox("all")
    assert left >= -3 and top >= -3
    assert right <= panel.winfo_width() + 3 and bottom <= panel.winfo_height() + 3
    assert window.status.winfo_reqheight() <= window.status.winfo_height()
    assert (window.answer.probabilities == before).all()  # a drawing keeps its shape


# --- Opening and closing -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "sentence"),
    [(nearest.fail, "own.keras is refused"), (nearest.die, "process has ended")],
)
def test_network_that_does_not_come_says_why_and_one_can_write_still(shared, make, sentence):
    import tkinter

    root = tkinter.Tk()
    other = drawing.Window(root, make)
    try:
        wait(other, lambda: other.fault)
        assert sentence in str(other.fault) and sentence in other.status.cget("text")
        assert sentence in " ".join(
            other.panel.itemcget(item, "text")
            for item in other.panel.find_all()
            if kind(other.panel, item, "text")
        )
        other.example(3)
        root.update()
        assert other.paper.type(other.paper.find_all()[0]) == "line"
    finally:
        other.close()


@pytest.mark.parametrize(
    ("make", "error"), [(nearest.fail, AskedWrongly), (nearest.die, WentWrong)]
)
def test_command_raises_what_went_wrong_once_the_window_is_closed(shared, monkeypatch, make, error):
    failed = drawing.Window._failed

    def end_after(window, fault):
        failed(window, fault)
        window.root.after(1, window.root.quit)

    monkeypatch.setattr(drawing.Window, "_failed", end_after)
    monkeypatch.setattr(drawing, "NEEDS", {})
    monkeypatch.setattr(drawing.reader, "check", lambda file: None)
    monkeypatch.setattr(drawing.reader, "reader", make)
    with pytest.raises(error, match="own.keras is refused|process has ended"):
        drawing.draw("own.keras")


@pytest.mark.parametrize("key", ["Escape", "ctrl+w"])
def test_key_closes_the_window_and_its_network(screen, key):
    words = [sys.executable, nearest.__file__]
    environment = os.environ | {"DISPLAY": screen}
    with subprocess.Popen(words, env=environment) as process:
        try:
            name = find(process)
            children = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
            ).stdout.split()
            xdotool("windowfocus", "--sync", name, "key", key)
            assert process.wait(PATIENCE) == 0 and children
            end = time.monotonic() + PATIENCE
            while running := alive(children):
                assert time.monotonic() < end, running
        finally:
            process.kill()


def find(process):
    """Return the window of ``nearest`` when it is there."""
    end = time.monotonic() + PATIENCE
    words = ["xdotool", "search", "--onlyvisible", "--class", "Nearest"]
    while time.monotonic() < end and process.poll() is None:
        found = subprocess.run(words, capture_output=True, text=True).stdout.split()
        if found:
            return found[-1]
        time.sleep(0.1)
    raise AssertionError("no window opened")


def alive(processes):
    words = ["ps", "-o", "stat=,args=", "-p", ",".join(processes)]
    lines = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if not line.startswith("Z")]
