"""A window to write digits in, and to watch the network read them: ``python -m mnist_edu draw``.

The network lives in a process of its own, so that drawing stays smooth while it learns or thinks.
The window sends it the strokes, gets back the image that the network sees and ten probabilities,
and then sends what was drawn meanwhile, if anything was.
"""

import functools
import importlib.util
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edu import ink, reader, synthetic

SIZE = 280  # pixels of the bitmap that strokes are drawn to
PEN = 20 / SIZE  # width of the pen in parts of the paper's side
PENS = (0.02, 0.16)  # thinnest and thickest
POLL = 8  # milliseconds between two looks at what the network answered
GROUND, PAPER, LINE, RAIL = "#f5f5f2", "#ffffff", "#b9b9b2", "#e4e4df"
INK, TEXT, MUTED, FAULT = "#16213a", "#1c1c1c", "#5c5c58", "#a33b00"
BLUE, SKY = "#0072B2", "#56B4E9"  # as in mnist_edu.plots
INVITE = "Write a digit here"
INVITE_MORE = "large, with mouse, pen or finger,\nor press a key from 0 to 9"
KEYS = "Keys: 0 to 9 example · U undo · C clear · O open a picture · + − pen · Esc close"
FILES = "*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff"
NEEDS = {"tensorflow": "lessons", "keras": "lessons", "cv2": "ink"}  # and the extra that has it
NO_TKINTER = (
    "this Python has no tkinter, which makes windows: install python3-tk (Debian, Ubuntu), "
    "python3-tkinter (Fedora) or python-tk (Homebrew), or use the drawing pad of notebook 08"
)


@dataclass(frozen=True, eq=False)
class Page:
    """What is on the paper: strokes, each a tuple of points (x, y) in 0..1, or a picture."""

    strokes: tuple = ()
    picture: np.ndarray | None = None  # uint8 (height, width, 3)
    image: np.ndarray | None = None  # the picture in MNIST's form

    def is_empty(self) -> bool:
        return not self.strokes and self.image is None


@dataclass
class Window:
    """The parts of the window, and what changes while it is used."""

    root: Any
    place: Any  # of the paper, which is the largest square in it
    paper: Any
    panel: Any
    tools: Any
    status: Any
    pen: Any  # its width in parts of the paper's side
    network: "Network"
    page: Page = Page()
    earlier: list = field(default_factory=list)  # pages, for undo
    hands: Counter = field(default_factory=Counter)  # how often each example was asked for
    next_example: int = 0
    seen: np.ndarray | None = None  # uint8 (28, 28), what the network sees
    probabilities: np.ndarray | None = None  # float (10,)
    state: str = "The network is waking up …"  # shown until it is ready
    part: float | None = None  # of its learning
    ready: bool = False
    told: str = ""  # what happened when the network was opened
    note: str = ""  # why the page cannot be read
    fault: str = ""
    pictures: dict = field(default_factory=dict)  # Tk forgets pictures that nobody holds


@dataclass
class Network:
    """The process in which the network is, and the line to it."""

    process: Any
    pipe: Any
    busy: bool = False
    stale: bool = False  # something was drawn since the last question


# --- Public --------------------------------------------------------------------------------------


def draw(file: str | None = None) -> int:
    """Open the window, and return 0, or 1 where that was not possible; the reason is printed.

    Parameters
    ----------
    file : a network of one's own, a ``.keras`` file, to use instead of the kept one

    Raises
    ------
    ValueError
        If ``file`` is refused.
    """
    for module, extra in NEEDS.items():
        if importlib.util.find_spec(module) is None:
            return _refuse(f'{module} is missing: pip install "mnist_edu[{extra}]"')
    if importlib.util.find_spec("_tkinter") is None:
        return _refuse(NO_TKINTER)
    if file is not None:
        reader.check(file)
    import tkinter

    try:
        root = tkinter.Tk(className="mnist_edu")
    except tkinter.TclError as error:
        return _refuse(
            f"no window can be opened here ({error}): run this on a desktop, or use the drawing "
            "pad of notebook 08, which needs only a browser"
        )
    window = build(root, functools.partial(reader.reader, file))
    root.mainloop()
    close(window)
    return int(bool(window.fault))


def build(root, make: Callable) -> Window:
    """Fill a Tk root with the window, and start the network's process.

    Parameters
    ----------
    root : a ``tkinter.Tk``
    make : called in that process as ``make(tell=...)``, it returns ``predict``, as
        ``mnist_edu.reader.reader`` does; a function that can be pickled
    """
    network = _start(make)
    window = Window(root, **_widgets(root), network=network)
    _connect(window)
    _watch(window)
    return window


def close(window: Window) -> None:
    """End the network's process, and the window."""
    window.network.process.terminate()
    window.network.process.join()
    if window.network.pipe is not None:
        window.network.pipe.close()
        window.network.pipe = None
        window.root.destroy()


def _refuse(sentence: str) -> int:
    print(f"mnist_edu: {sentence}", file=sys.stderr)
    return 1


# --- The process of the network ------------------------------------------------------------------


def _start(make: Callable) -> Network:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make), daemon=True)
    process.start()
    theirs.close()
    return Network(process, ours)


def _serve(pipe, make: Callable) -> None:
    """Answer questions until the window is gone: (strokes, pen, image) each."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C in the terminal ends this without a word
    _hush()

    def tell(text: str, part: float | None = None) -> None:
        reader.terminal(text, part)
        pipe.send(("tell", text, part))

    try:
        predict = make(tell=tell)
        pipe.send(("ready", predict.about))
        while True:
            pipe.send(("read", *_read(predict, *pipe.recv())))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        reader.terminal(f"mnist_edu: {error}")
        pipe.send(("failed", str(error) or type(error).__name__))


def _hush() -> None:
    """Keep TensorFlow's own messages out of the terminal, and Python's in it."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)


def _read(predict: Callable, strokes: tuple, pen: float, image: np.ndarray | None) -> tuple:
    """Return the image that the network sees, its probabilities, and what went wrong."""
    try:
        if image is None:
            points = [[(SIZE * x, SIZE * y) for x, y in stroke] for stroke in strokes]
            image = ink.to_mnist(ink.draw_strokes(points, SIZE, pen * SIZE))
        return image, predict(image), ""
    except ValueError as error:
        return None, None, str(error)


def _watch(window: Window) -> None:
    """Take what the network says, ask it anew, and look again soon."""
    network = window.network
    if network.pipe is None:
        return
    try:
        while network.pipe.poll():
            kind, *content = network.pipe.recv()
            HANDLERS[kind](window, *content)
        if network.stale and window.ready and not network.busy:
            _ask(window)
    except (EOFError, OSError):
        if not window.fault:
            _failed(window, "The network's process has ended: close the window and open it again.")
        return
    window.root.after(POLL, _watch, window)


def _ask(window: Window) -> None:
    window.network.stale = False
    page = window.page
    if page.is_empty():
        _show(window, None, None, "")
    else:
        window.network.busy = True
        window.network.pipe.send((page.strokes, window.pen.get(), page.image))


def _told(window: Window, text: str, part: float | None) -> None:
    if part is None:
        window.told += text + " "
    else:
        window.state, window.part = text, part
    _paint(window)


def _is_ready(window: Window, about: str) -> None:
    window.ready, window.state, window.part = True, about, None
    _paint(window)


def _answered(window: Window, image, probabilities, fault: str) -> None:
    window.network.busy = False
    _show(window, image, probabilities, fault)


def _failed(window: Window, text: str) -> None:
    window.fault, window.ready = text, False
    _paint(window)


def _show(window: Window, image, probabilities, note: str) -> None:
    window.seen, window.probabilities, window.note = image, probabilities, note
    _paint(window)


HANDLERS = {"tell": _told, "ready": _is_ready, "read": _answered, "failed": _failed}


# --- What one can do -----------------------------------------------------------------------------


def turn_to(window: Window, page: Page, remember: bool = True) -> None:
    """Put a page on the paper, and have it read; ``remember`` keeps the one before for undo."""
    if remember:
        window.earlier.append(window.page)
    window.page = page
    window.note = ""
    _changed(window)


def undo(window: Window) -> None:
    """Bring back what was on the paper before the last stroke, example, picture or clearing."""
    if window.earlier:
        turn_to(window, window.earlier.pop(), remember=False)


def clear(window: Window) -> None:
    """Empty the paper."""
    if not window.page.is_empty():
        turn_to(window, Page())


def example(window: Window, digit: int | None = None) -> None:
    """Write a digit, each time in another hand; without one, the ten in turn."""
    if digit is None:
        digit, window.next_example = window.next_example, (window.next_example + 1) % 10
    strokes = synthetic.example_strokes(digit, window.hands[digit], 1000)
    window.hands[digit] += 1
    turn_to(window, Page(tuple(tuple(map(tuple, stroke / 1000)) for stroke in strokes)))


def change_pen(window: Window, factor: float) -> None:
    """Make the pen wider or narrower."""
    window.pen.set(min(max(window.pen.get() * factor, PENS[0]), PENS[1]))


def open_picture(window: Window) -> None:
    """Ask for a picture file, and read the digit in it."""
    from tkinter import filedialog

    kinds = [("Pictures", FILES.split()), ("All files", "*")]
    file = filedialog.askopenfilename(
        parent=window.root, title="A picture of one digit", filetypes=kinds
    )
    if file:
        load_picture(window, file)


def load_picture(window: Window, file: str) -> None:
    """Put a picture file on the paper, or say why that is not possible."""
    try:
        picture = ink.read_image(file)
        image = ink.to_mnist(picture)
    except (ValueError, OSError) as error:
        window.note = f"{Path(file).name} was not opened: {error}"
        _paint(window)
        return
    turn_to(window, Page((), _small(picture), image))


def _small(picture: np.ndarray) -> np.ndarray:
    from PIL import Image

    small = Image.fromarray(picture)
    small.thumbnail((1200, 1200))
    paper = Image.new("RGB", small.size, PAPER)
    paper.paste(small, mask=small.getchannel("A") if small.mode == "RGBA" else None)
    return np.asarray(paper)


def _pressed(window: Window, event) -> None:
    window.paper.focus_set()
    old = window.page.strokes
    turn_to(window, Page((*old, (_place(window, event),))))


def _moved(window: Window, event) -> None:
    if not window.page.strokes:
        return  # the button went down elsewhere
    *before, stroke = window.page.strokes
    window.page = replace(window.page, strokes=(*before, (*stroke, _place(window, event))))
    side = window.paper.winfo_width()
    line = [side * value for point in (stroke[-1], window.page.strokes[-1][-1]) for value in point]
    _line(window, line)
    window.network.stale = True


def _place(window: Window, event) -> tuple[float, float]:
    side = max(window.paper.winfo_width(), 1)
    return min(max(event.x / side, 0), 1), min(max(event.y / side, 0), 1)


def _changed(window: Window) -> None:
    window.network.stale = True
    _draw_paper(window)
    _paint(window)


# --- Widgets -------------------------------------------------------------------------------------


def _widgets(root) -> dict:
    """Make the parts of the window; ``_arrange`` gives them their places."""
    import tkinter
    from tkinter import ttk

    unit = _unit(root)
    root.title("mnist_edu")
    root.configure(background=GROUND)
    root.geometry(f"{int(900 * unit)}x{int(550 * unit)}")
    root.minsize(int(330 * unit), int(440 * unit))
    frame = {"background": GROUND, "highlightthickness": 0}
    look = {"highlightthickness": 2, "highlightbackground": LINE, "highlightcolor": BLUE}
    place = tkinter.Frame(root, **frame)
    paper = tkinter.Canvas(place, background=PAPER, cursor="pencil", takefocus=True, **look)
    place.bind("<Configure>", lambda event: _square(paper, event.width, event.height))
    return {
        "place": place,
        "paper": paper,
        "panel": tkinter.Canvas(root, width=1, height=1, **frame),
        "tools": ttk.Frame(root),
        "status": tkinter.Label(root, anchor="nw", justify="left", height=2, bg=GROUND, fg=MUTED),
        "pen": tkinter.DoubleVar(root, PEN),
    }


def _connect(window: Window) -> None:
    """Tie buttons, pointer and keys to what they do."""
    root, paper = window.root, window.paper
    _buttons(window)
    paper.bind("<Button-1>", lambda event: _pressed(window, event))
    paper.bind("<B1-Motion>", lambda event: _moved(window, event))
    paper.bind("<Configure>", lambda event: _draw_paper(window))
    window.panel.bind("<Configure>", lambda event: _paint(window))
    root.bind("<Configure>", lambda event: event.widget is root and _arrange(window, event))
    window.pen.trace_add("write", lambda *names: _changed(window))
    root.protocol("WM_DELETE_WINDOW", lambda: close(window))
    for key, action in _keys(window).items():
        for name in key.split():
            root.bind(f"<{name}>", lambda event, action=action: action())
    root.bind("<Key>", lambda event: _typed(window, event))
    root.bind_class("TButton", "<Return>", lambda event: event.widget.invoke())
    paper.focus_set()


def _keys(window: Window) -> dict[str, Callable]:
    command = "Command" if window.root.tk.call("tk", "windowingsystem") == "aqua" else "Control"
    return {
        f"Escape {command}-w {command}-q": lambda: close(window),
        f"u BackSpace {command}-z": lambda: undo(window),
        "c Delete": lambda: clear(window),
        f"o {command}-o": lambda: open_picture(window),
        "plus equal KP_Add": lambda: change_pen(window, 1.2),
        "minus KP_Subtract": lambda: change_pen(window, 1 / 1.2),
    }


def _typed(window: Window, event) -> None:
    if event.char in tuple("0123456789"):
        example(window, int(event.char))


def _buttons(window: Window) -> None:
    from tkinter import ttk

    _style(ttk.Style(window.root))
    actions = {"Undo": undo, "Clear": clear, "Example": example, "Open …": open_picture}
    buttons, pens = ttk.Frame(window.tools), ttk.Frame(window.tools)
    for text, action in actions.items():
        button = ttk.Button(buttons, text=text, width=0)
        button.configure(command=functools.partial(action, window))
        button.pack(side="left", padx=(0, 6))
    ttk.Label(pens, text="Pen").pack(side="left", padx=(0, 6))
    scale = ttk.Scale(pens, from_=PENS[0], to=PENS[1], variable=window.pen)
    scale.pack(side="left", fill="x", expand=True)
    window.tools.columnconfigure(1, weight=1)


def _style(style) -> None:
    """Give the buttons of X11 a plainer look; those of Windows and macOS stay as they are."""
    if style.theme_use() == "default":
        style.theme_use("clam")
        flat = {"bordercolor": LINE, "lightcolor": RAIL, "darkcolor": RAIL}
        style.configure("TButton", background=RAIL, padding=(10, 4), **flat)
        style.map("TButton", bordercolor=[("focus", BLUE)], background=[("active", LINE)])
        style.configure("TScale", background=PAPER, troughcolor=RAIL, **flat)
    style.configure("TFrame", background=GROUND)
    style.configure("TLabel", background=GROUND, foreground=TEXT)


def _arrange(window: Window, event) -> None:
    """Paper beside panel in a wide window, above it in a narrow one; letters to match."""
    from tkinter import font

    root, wide = window.root, event.width > 1.1 * event.height
    roomy = event.width > 480 * _unit(root)
    letters = round(max(12 * _unit(root), min(event.width / 40, event.height / 34)))
    font.nametofont("TkDefaultFont", root).configure(size=-letters)
    small = ("Helvetica", -round(0.9 * letters))
    window.status.configure(wraplength=event.width - 2 * letters, font=small, height=4 - 2 * roomy)
    buttons, pens = window.tools.winfo_children()
    buttons.grid(row=0, column=0, sticky="w")
    pens.grid(row=int(not roomy), column=int(roomy), columnspan=2 - roomy, sticky="ew")
    pens.grid(padx=(letters if roomy else 0, 0), pady=(0 if roomy else letters // 2, 0))
    gap = letters
    for index in (0, 1):
        root.columnconfigure(index, weight=int(wide or not index), uniform="half" if wide else "")
    root.rowconfigure(0, weight=3)
    root.rowconfigure(1, weight=0 if wide else 2)
    window.place.grid(row=0, column=0, sticky="nsew", padx=gap, pady=gap)
    where = {"row": 0, "column": 1} if wide else {"row": 1, "column": 0}
    window.panel.grid(**where, sticky="nsew", padx=gap, pady=(gap if wide else 0, gap))
    window.tools.grid(row=2, column=0, columnspan=2, sticky="ew", padx=gap)
    window.status.grid(row=3, column=0, columnspan=2, sticky="ew", padx=gap, pady=gap // 2)


def _unit(root) -> float:
    """Return how many dots of this screen are what one was on a screen of 96 dots an inch."""
    return max(1.0, root.winfo_fpixels("1i") / 96)


def _square(paper, width: int, height: int) -> None:
    side = min(width, height)
    paper.place(x=(width - side) // 2, y=0, width=side, height=side)


# --- Painting ------------------------------------------------------------------------------------


def _draw_paper(window: Window) -> None:
    """Draw what is on the paper; on an empty one, an invitation."""
    paper, page = window.paper, window.page
    side = paper.winfo_width()
    paper.delete("all")
    if page.is_empty():
        paper.create_text(side / 2, side * 0.45, text=INVITE, fill=MUTED, font=_font(side / 14))
        more = {"text": INVITE_MORE, "justify": "center", "font": _font(side / 26)}
        paper.create_text(side / 2, side * 0.57, fill=MUTED, **more)
    if page.picture is not None:
        window.pictures["paper"] = _photo(window.root, _fitted(page.picture, side - 8))
        paper.create_image(side / 2, side / 2, image=window.pictures["paper"])
    for stroke in page.strokes:
        _line(window, [side * value for point in stroke for value in point])


def _line(window: Window, line: list[float]) -> None:
    """Draw a line of the pen's width through points x, y, x, y, ...; a dot for a single point."""
    width = max(1, window.pen.get() * window.paper.winfo_width())
    line = line if len(line) > 2 else 2 * line
    style = {"width": width, "fill": INK, "capstyle": "round", "joinstyle": "round"}
    window.paper.create_line(*line, **style)


def _paint(window: Window) -> None:
    """Draw the panel: the image that the network sees, its answer, the ten bars; and the status."""
    panel = window.panel
    width, height = panel.winfo_width(), panel.winfo_height()
    panel.delete("all")
    if width > 1.5 * height:
        _paint_head(window, 0, 0, 0.36 * width, height)
        _paint_bars(window, 0.42 * width, 0, width, height)
    else:
        _paint_head(window, 0, 0, width, 0.32 * height)
        _paint_bars(window, 0, 0.36 * height, width, height)
    loud = window.fault or window.note or window.told
    text = window.fault or window.note or window.told + f"{window.state} " * window.ready + KEYS
    window.status.configure(text=text, foreground=FAULT if loud else MUTED)
    answer = _answer(window.probabilities)
    window.root.title(f"{answer} – mnist_edu" if answer else "mnist_edu")


def _answer(probabilities: np.ndarray | None) -> str:
    if probabilities is None:
        return ""
    best = int(np.argmax(probabilities))
    doubt = "" if probabilities[best] >= 0.5 else "?"
    return f"{best}{doubt}, {_percent(probabilities[best])}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _paint_head(window: Window, left, top, right, bottom) -> None:
    """Draw what the network sees, and in large what it reads."""
    panel, width, height = window.panel, right - left, bottom - top
    letters = max(10, min(width / 18, height / 9))
    pixel = max(1, int(min(0.5 * width, height - 2 * letters) / 28))
    side = 28 * pixel
    seen = np.zeros((28, 28), np.uint8) if window.seen is None else window.seen
    window.pictures["seen"] = _photo(window.root, np.kron(seen, np.ones((pixel, pixel), np.uint8)))
    panel.create_image(left, top, image=window.pictures["seen"], anchor="nw")
    caption = {"text": "what the network sees", "fill": MUTED, "font": _font(letters)}
    panel.create_text(left, top + side + letters * 0.4, anchor="nw", **caption)
    best, _, sure = (_answer(window.probabilities) or "?, ").partition(", ")
    size = min(side * 0.8, (width - side) * 0.8)
    middle = left + side + min(0.6 * side, (width - side) / 2)
    colour = RAIL if window.probabilities is None else TEXT
    panel.create_text(middle, top + side * 0.46, text=best, fill=colour, font=_font(size, "bold"))
    panel.create_text(middle, top + side * 0.95, text=sure, fill=MUTED, font=_font(letters * 1.4))


def _paint_bars(window: Window, left, top, right, bottom) -> None:
    """Draw a bar for each digit; while there is no network, what it is doing."""
    if not window.ready:
        _paint_state(window, left, top, right, bottom)
        return
    panel, row = window.panel, (bottom - top) / 10
    letters = max(9, min(row * 0.6, (right - left) / 14))
    start, end = left + 1.4 * letters, right - 3.2 * letters
    values = np.zeros(10) if window.probabilities is None else window.probabilities
    best = -1 if window.probabilities is None else int(np.argmax(values))
    for digit, value in enumerate(values):
        y = top + (digit + 0.5) * row
        font = _font(letters, "bold" if digit == best else "normal")
        colour = TEXT if digit == best else MUTED
        panel.create_text(left, y, text=str(digit), anchor="w", fill=colour, font=font)
        y_from, y_to = y - 0.3 * row, y + 0.3 * row
        panel.create_rectangle(start, y_from, end, y_to, fill=RAIL, width=0)
        filled = start + (end - start) * float(value)
        if filled - start >= 1:
            colour_of_bar = BLUE if digit == best else SKY
            panel.create_rectangle(start, y_from, filled, y_to, fill=colour_of_bar, width=0)
        if best >= 0:
            panel.create_text(right, y, text=_percent(value), anchor="e", fill=colour, font=font)


def _font(size: float, weight: str = "normal") -> tuple:
    return ("Helvetica", -max(8, round(size)), weight)


def _photo(root, image: np.ndarray):
    """Return a Tk picture of uint8 (height, width) or (height, width, 3), from its PNM file."""
    import tkinter

    height, width = image.shape[:2]
    kind = "P6" if image.ndim == 3 else "P5"
    content = f"{kind} {width} {height} 255\n".encode() + image.tobytes()
    return tkinter.PhotoImage(master=root, data=content)


def _fitted(picture: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(picture)
    scale = max(side, 1) / max(image.size)
    return np.asarray(image.resize([max(1, round(n * scale)) for n in image.size]))


def _paint_state(window: Window, left, top, right, bottom) -> None:
    """Say that the network wakes up, how far it has learned, or why there is none."""
    panel, letters = window.panel, max(10, min((right - left) / 22, (bottom - top) / 10))
    text = window.fault or window.state.replace(": ", "\n", 1)
    if not window.fault:
        text += "\nYou can write meanwhile." + " This happens once." * (window.part is not None)
    colour, font = FAULT if window.fault else TEXT, _font(letters)
    wrap = {"width": right - left, "fill": colour, "font": font}
    words = panel.create_text(left, top, text=text, anchor="nw", **wrap)
    if window.part is not None and not window.fault:
        y, done = panel.bbox(words)[3] + letters, left + (right - left) * window.part
        panel.create_rectangle(left, y, right, y + letters, fill=RAIL, width=0)
        panel.create_rectangle(left, y, done, y + letters, fill=BLUE, width=0)
