"""A window to write digits in, and to watch the network read them: ``python -m mnist_edu draw``.

The network lives in a process of its own, so that drawing stays smooth while it learns or thinks.
The window sends it the strokes, gets back what it reads, and then sends what was drawn meanwhile,
if anything was.
"""

import functools
import importlib.util
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from mnist_edu import ink, reader, synthetic
from mnist_edu.errors import AskedWrongly, Missing, WentWrong, needs
from mnist_edu.pads.answer import PEN, PENS, SIDE, Answer, ask, percent, read
from mnist_edu.palette import FAULT, GROUND, INK, LINE, MUTED, OTHERS, PAPER, RAIL, TEXT, WINNER

try:
    import tkinter
    from tkinter import filedialog, font, ttk
except ImportError:  # said when a window is wanted
    tkinter = None

POLL = 8  # milliseconds between two looks at what the network answered
INVITE = "Write a digit here"
INVITE_MORE = "large, with mouse, pen or finger,\nor press a key from 0 to 9"
KEYS = "Keys: 0 to 9 example · U undo · C clear · O open a picture · + − pen · Esc close"
FILES = "*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff"
NEEDS = {"tensorflow": "lessons", "keras": "lessons", "cv2": "ink"}  # and the extra that has it
NO_TKINTER = (
    "this Python has no tkinter, which makes windows: install python3-tk (Debian, Ubuntu), "
    "python3-tkinter (Fedora) or python-tk (Homebrew), or use the drawing pad of notebook 10"
)


def draw(file: str | None = None) -> None:
    """Open the window, and return when it is closed.

    Parameters
    ----------
    file : a network of one's own, a ``.keras`` file, to use instead of the kept one

    Raises
    ------
    AskedWrongly
        If ``file`` is refused.
    WentWrong
        If a library or a screen is missing, or the network could not be had.
    """
    for module, extra in NEEDS.items():
        if importlib.util.find_spec(module) is None:  # to import TensorFlow takes seconds
            needs(module, extra)
    if tkinter is None:
        raise Missing(NO_TKINTER)
    if file is not None:
        reader.check(file)
    try:
        root = tkinter.Tk(className="mnist_edu")
    except tkinter.TclError as error:
        raise WentWrong(
            f"no window can be opened here ({error}): run this on a desktop, or use the drawing "
            "pad of notebook 10, which needs only a browser"
        ) from None
    window = Window(root, functools.partial(reader.reader, file))
    root.mainloop()
    window.close()
    if window.fault:
        raise window.fault


# --- The process of the network ------------------------------------------------------------------


def _start(make: Callable) -> tuple:
    """Return the process in which the network is, and the line to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _serve(pipe, make: Callable) -> None:
    """Answer questions until the window is gone: (strokes, pen, image) each."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C in the terminal ends this without a word
    _hush()

    def tell(text: str, part: float | None = None) -> None:
        reader.terminal(text, part)
        pipe.send(("told", text, part))

    try:
        predict = make(tell=tell)
        pipe.send(("opened", predict.about))
        while True:
            strokes, pen, image = pipe.recv()
            asked = read(predict, strokes, pen) if image is None else ask(predict, image)
            pipe.send(("answered", asked))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        kind = AskedWrongly if isinstance(error, AskedWrongly) else WentWrong
        pipe.send(("failed", kind(str(error) or type(error).__name__)))


def _hush() -> None:
    """Keep TensorFlow's own messages out of the terminal, and Python's in it."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)


# --- The window ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Page:
    """What is on the paper: strokes, each a tuple of points (x, y) in 0..280, or a picture."""

    strokes: tuple = ()
    picture: np.ndarray | None = None  # uint8 (height, width, 3)
    image: np.ndarray | None = None  # the picture in MNIST's form

    def is_empty(self) -> bool:
        return not self.strokes and self.image is None


class Window:
    """The window: what is on its paper, what the network says, and what one can do.

    Parameters
    ----------
    root : a ``tkinter.Tk`` to fill
    make : called in the network's process as ``make(tell=...)``, it returns ``predict``, as
        ``mnist_edu.reader.reader`` does; a function that can be pickled
    """

    def __init__(self, root, make: Callable):
        self.root = root
        self.page, self.earlier = Page(), []  # and the pages before it, for undo
        self.hands, self.next_example = Counter(), 0  # how often each example was asked for
        self.answer, self.note = Answer(), ""  # and why a picture was not opened
        self.state, self.part = "The network is waking up …", None  # and of its learning
        self.told, self.ready, self.fault = "", False, None  # what came of opening the network
        self.busy = self.stale = False  # it was asked; something was drawn since it was
        self.process, self.pipe = _start(make)
        self._make_parts()
        self._make_tools()
        self._connect()
        self._watch()

    def close(self) -> None:
        """End the network's process, and the window."""
        self.process.terminate()
        self.process.join()
        if not self.pipe.closed:
            self.pipe.close()
            self.root.destroy()

    # --- What the network says ---

    def _watch(self) -> None:
        """Take what the network says, ask it anew, and look again soon."""
        if self.pipe.closed:
            return
        try:
            while self.pipe.poll():
                kind, *content = self.pipe.recv()
                getattr(self, f"_{kind}")(*content)
                self._paint()
            if self.stale and self.ready and not self.busy:
                self._ask()
        except (EOFError, OSError):
            end = "The network's process has ended: close the window and open it again."
            self._failed(self.fault or WentWrong(end))
            self._paint()
            return
        self.root.after(POLL, self._watch)

    def _ask(self) -> None:
        self.stale, page = False, self.page
        if page.is_empty():
            self.answer = Answer()
            self._paint()
        else:
            self.busy = True
            self.pipe.send((page.strokes, self.pen.get(), page.image))

    def _told(self, text: str, part: float | None) -> None:
        if part is None:
            self.told += text + " "
        else:
            self.state, self.part = text, part

    def _opened(self, about: str) -> None:
        self.ready, self.state = True, about

    def _answered(self, answer: Answer) -> None:
        self.busy, self.answer = False, answer

    def _failed(self, fault: Exception) -> None:
        self.ready, self.fault = False, fault

    # --- What one can do ---

    def turn_to(self, page: Page, remember: bool = True) -> None:
        """Put a page on the paper, and have it read; ``remember`` keeps the one before for undo."""
        if remember:
            self.earlier.append(self.page)
        self.page, self.note = page, ""
        self._changed()

    def undo(self) -> None:
        """Bring back what was on the paper before the last stroke, example, picture or clearing."""
        if self.earlier:
            self.turn_to(self.earlier.pop(), remember=False)

    def clear(self) -> None:
        """Empty the paper."""
        if not self.page.is_empty():
            self.turn_to(Page())

    def example(self, digit: int | None = None) -> None:
        """Write a digit, each time in another hand; without one, the ten in turn."""
        if digit is None:
            digit, self.next_example = self.next_example, (self.next_example + 1) % 10
        strokes = synthetic.example_strokes(digit, self.hands[digit], SIDE)
        self.hands[digit] += 1
        self.turn_to(Page(tuple(tuple(map(tuple, stroke.tolist())) for stroke in strokes)))

    def change_pen(self, factor: float) -> None:
        """Make the pen wider or narrower."""
        self.pen.set(min(max(self.pen.get() * factor, PENS[0]), PENS[1]))

    def open_picture(self) -> None:
        """Ask for a picture file, and read the digit in it."""
        words = {"title": "A picture of one digit", "parent": self.root}
        kinds = [("Pictures", FILES.split()), ("All files", "*")]
        file = filedialog.askopenfilename(filetypes=kinds, **words)
        if file:
            self.load_picture(file)

    def load_picture(self, file: str) -> None:
        """Put a picture file on the paper, or say why that is not possible."""
        try:
            picture = ink.read_image(file)
            image = ink.to_mnist(picture)
        except (ValueError, OSError) as error:
            self.note = f"{Path(file).name} was not opened: {error}"
            self._paint()
        else:
            self.turn_to(Page((), _small(picture), image))

    def _pressed(self, event) -> None:
        self.paper.focus_set()
        self.turn_to(Page((*self.page.strokes, (self._place(event),))))

    def _moved(self, event) -> None:
        if self.page.strokes:  # else the button went down elsewhere
            *before, stroke = self.page.strokes
            stroke = (*stroke, self._place(event))
            self.page = replace(self.page, strokes=(*before, stroke))
            _paint_line(self.paper, stroke[-2:], self.pen.get())
            self.stale = True

    def _typed(self, event) -> None:
        if event.char in tuple("0123456789"):
            self.example(int(event.char))

    def _place(self, event) -> tuple[float, float]:
        scale = SIDE / max(self.paper.winfo_width(), 1)
        return min(max(scale * event.x, 0), SIDE), min(max(scale * event.y, 0), SIDE)

    def _changed(self) -> None:
        self.stale = True
        paint_paper(self.paper, self.page, self.pen.get())
        self._paint()

    def _paint(self) -> None:
        """Draw the panel: the image, what is read, the ten bars; and the status below."""
        panel, width, height = self.panel, self.panel.winfo_width(), self.panel.winfo_height()
        head, rest = (0, 0, width, 0.32 * height), (0, 0.36 * height, width, height)
        if width > 1.5 * height:
            head, rest = (0, 0, 0.36 * width, height), (0.42 * width, 0, width, height)
        panel.delete("all")
        paint_head(panel, head, self.answer)
        if self.ready:
            paint_bars(panel, rest, self.answer)
        else:
            paint_state(panel, rest, self.state, self.part, self.fault)
        loud = str(self.fault or self.note or self.answer.fault)
        text = loud or self.told + f"{self.state} " * self.ready + KEYS
        self.status.configure(text=text, foreground=FAULT if loud or self.told else MUTED)
        read = f"{self.answer.short}, {self.answer.sure} – " if self.answer.short else ""
        self.root.title(f"{read}mnist_edu")

    # --- Its parts ---

    def _make_parts(self) -> None:
        """Make paper, panel and status; ``_arrange`` gives them their places."""
        root, unit = self.root, _unit(self.root)
        root.title("mnist_edu")
        root.configure(background=GROUND)
        root.geometry(f"{int(900 * unit)}x{int(550 * unit)}")
        root.minsize(int(330 * unit), int(440 * unit))
        frame = {"background": GROUND, "highlightthickness": 0}
        look = {"highlightthickness": 2, "highlightbackground": LINE, "highlightcolor": WINNER}
        self.place = tkinter.Frame(root, **frame)  # of the paper, its largest square
        self.paper = tkinter.Canvas(
            self.place, background=PAPER, cursor="pencil", takefocus=True, **look
        )
        self.panel = tkinter.Canvas(root, width=1, height=1, **frame)
        words = {"anchor": "nw", "justify": "left", "height": 2}
        self.status = tkinter.Label(root, background=GROUND, foreground=MUTED, **words)

    def _make_tools(self) -> None:
        """Make the buttons and the slider of the pen."""
        _style(ttk.Style(self.root))
        self.tools = ttk.Frame(self.root)
        self.tools.columnconfigure(1, weight=1)
        self.buttons, self.pens = ttk.Frame(self.tools), ttk.Frame(self.tools)
        actions = {"Undo": self.undo, "Clear": self.clear}
        actions |= {"Example": self.example, "Open …": self.open_picture}
        for text, action in actions.items():
            button = ttk.Button(self.buttons, text=text, width=0, command=action)
            button.pack(side="left", padx=(0, 6))
        self.pen = tkinter.DoubleVar(self.root, PEN)
        ttk.Label(self.pens, text="Pen").pack(side="left", padx=(0, 6))
        scale = ttk.Scale(self.pens, from_=PENS[0], to=PENS[1], variable=self.pen)
        scale.pack(side="left", fill="x", expand=True)

    def _connect(self) -> None:
        """Tie pointer, keys and sizes to what they do."""
        root, paper = self.root, self.paper
        paper.bind("<Button-1>", self._pressed)
        paper.bind("<B1-Motion>", self._moved)
        paper.bind("<Configure>", lambda event: paint_paper(paper, self.page, self.pen.get()))
        self.panel.bind("<Configure>", lambda event: self._paint())
        self.place.bind("<Configure>", lambda event: _square(paper, event.width, event.height))
        root.bind("<Configure>", lambda event: event.widget is root and self._arrange(event))
        self.pen.trace_add("write", lambda *names: self._changed())
        root.protocol("WM_DELETE_WINDOW", self.close)
        for names, action in self._keys().items():
            for name in names.split():
                root.bind(f"<{name}>", lambda event, action=action: action())
        root.bind("<Key>", self._typed)
        root.bind_class("TButton", "<Return>", lambda event: event.widget.invoke())
        paper.focus_set()

    def _keys(self) -> dict[str, Callable]:
        command = "Command" if self.root.tk.call("tk", "windowingsystem") == "aqua" else "Control"
        return {
            f"Escape {command}-w {command}-q": self.close,
            f"u BackSpace {command}-z": self.undo,
            "c Delete": self.clear,
            f"o {command}-o": self.open_picture,
            "plus equal KP_Add": lambda: self.change_pen(1.2),
            "minus KP_Subtract": lambda: self.change_pen(1 / 1.2),
        }

    def _arrange(self, event) -> None:
        """Paper beside panel in a wide window, above it in a narrow one; letters to match."""
        root, unit, wide = self.root, _unit(self.root), event.width > 1.1 * event.height
        roomy = event.width > 480 * unit
        letters = gap = round(max(12 * unit, min(event.width / 40, event.height / 34)))
        font.nametofont("TkDefaultFont", root).configure(size=-letters)
        small = {"font": ("Helvetica", -round(0.9 * letters)), "height": 4 - 2 * roomy}
        self.status.configure(wraplength=event.width - 2 * letters, **small)
        self.buttons.grid(row=0, column=0, sticky="w")
        beside, below = (gap if roomy else 0, 0), (0 if roomy else gap // 2, 0)
        where = {"row": int(not roomy), "column": int(roomy), "columnspan": 2 - roomy}
        self.pens.grid(**where, sticky="ew", padx=beside, pady=below)
        for index in (0, 1):
            weight, group = int(wide or not index), "half" if wide else ""
            root.columnconfigure(index, weight=weight, uniform=group)
        root.rowconfigure(0, weight=3)
        root.rowconfigure(1, weight=0 if wide else 2)
        self.place.grid(row=0, column=0, sticky="nsew", padx=gap, pady=gap)
        where = {"row": 0, "column": 1} if wide else {"row": 1, "column": 0}
        self.panel.grid(**where, sticky="nsew", padx=gap, pady=(gap if wide else 0, gap))
        self.tools.grid(row=2, column=0, columnspan=2, sticky="ew", padx=gap)
        self.status.grid(row=3, column=0, columnspan=2, sticky="ew", padx=gap, pady=gap // 2)


def _style(style) -> None:
    """Give the buttons of X11 a plainer look; those of Windows and macOS stay as they are."""
    if style.theme_use() == "default":
        style.theme_use("clam")
        flat = {"bordercolor": LINE, "lightcolor": RAIL, "darkcolor": RAIL}
        style.configure("TButton", background=RAIL, padding=(10, 4), **flat)
        style.map("TButton", bordercolor=[("focus", WINNER)], background=[("active", LINE)])
        style.configure("TScale", background=PAPER, troughcolor=RAIL, **flat)
    style.configure("TFrame", background=GROUND)
    style.configure("TLabel", background=GROUND, foreground=TEXT)


def _unit(root) -> float:
    """Return how many dots of this screen are what one was on a screen of 96 dots an inch."""
    return max(1.0, root.winfo_fpixels("1i") / 96)


def _square(paper, width: int, height: int) -> None:
    side = min(width, height)
    paper.place(x=(width - side) // 2, y=0, width=side, height=side)


# --- Painting; a box is (left, top, right, bottom) on the panel ----------------------------------


def paint_paper(paper, page: Page, pen: float) -> None:
    """Draw what is on the paper; on an empty one, an invitation."""
    side = paper.winfo_width()
    paper.delete("all")
    if page.is_empty():
        words = {"fill": MUTED, "justify": "center"}
        paper.create_text(side / 2, side * 0.45, text=INVITE, font=_font(side / 14), **words)
        paper.create_text(side / 2, side * 0.57, text=INVITE_MORE, font=_font(side / 26), **words)
    if page.picture is not None:
        image = Image.fromarray(page.picture)
        scale = max(side - 8, 1) / max(image.size)
        fitted = image.resize([max(1, round(n * scale)) for n in image.size])
        _paint_image(paper, side / 2, side / 2, np.asarray(fitted), "center")
    for stroke in page.strokes:
        _paint_line(paper, stroke, pen)


def _paint_line(paper, points: tuple, pen: float) -> None:
    """Draw a line as wide as the pen; a dot for a single point."""
    scale = paper.winfo_width() / SIDE
    line = [scale * value for point in (points[0], *points) for value in point]
    style = {"fill": INK, "capstyle": "round", "joinstyle": "round"}
    paper.create_line(*line, width=max(1, scale * pen), **style)


def paint_head(panel, box: tuple, answer: Answer) -> None:
    """Draw what the network sees, and in large what it reads."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    letters = max(10, min(width / 18, height / 9))
    pixel = max(1, int(min(0.5 * width, height - 2 * letters) / 28))
    side = 28 * pixel
    seen = np.zeros((28, 28), np.uint8) if answer.image is None else answer.image
    _paint_image(panel, left, top, np.kron(seen, np.ones((pixel, pixel), np.uint8)), "nw")
    caption = {"text": "what the network sees", "fill": MUTED, "font": _font(letters)}
    panel.create_text(left, top + side + letters * 0.4, anchor="nw", **caption)
    large = _font(min(side * 0.8, (width - side) * 0.75), "bold")
    x = left + side + min(0.6 * side, (width - side) / 2)
    colour = TEXT if answer.short else RAIL
    panel.create_text(x, top + side * 0.46, text=answer.short or "?", fill=colour, font=large)
    sure = {"text": answer.sure, "fill": MUTED, "font": _font(letters * 1.4)}
    panel.create_text(x, top + side * 0.95, **sure)


def paint_bars(panel, box: tuple, answer: Answer) -> None:
    """Draw a bar for each digit; the best in its own colour, and in bold."""
    left, top, right, bottom = box
    row = (bottom - top) / 10
    letters = max(9, min(row * 0.6, (right - left) / 14))
    start, end = left + 1.4 * letters, right - 4.4 * letters
    for digit in range(10):
        best, y = digit == answer.best, top + (digit + 0.5) * row
        words = {
            "fill": TEXT if best else MUTED,
            "font": _font(letters, "bold" if best else "normal"),
        }
        panel.create_text(left, y, text=str(digit), anchor="w", **words)
        above, below = y - 0.3 * row, y + 0.3 * row
        panel.create_rectangle(start, above, end, below, fill=RAIL, width=0)
        if answer.best is None:
            continue
        value = float(answer.probabilities[digit])
        filled, colours = start + (end - start) * value, {"fill": WINNER if best else OTHERS}
        if filled - start >= 1:
            panel.create_rectangle(start, above, filled, below, outline=WINNER, **colours)
        panel.create_text(right, y, text=percent(value), anchor="e", **words)


def paint_state(panel, box: tuple, state: str, part: float | None, fault: object) -> None:
    """Say that the network wakes up, how far it has learned, or why there is none."""
    left, top, right, bottom = box
    letters = max(10, min((right - left) / 22, (bottom - top) / 10))
    text = state.replace(": ", "\n", 1) + "\nYou can write meanwhile."
    text = str(fault or text + " This happens once." * (part is not None))
    style = {"width": right - left, "fill": FAULT if fault else TEXT, "font": _font(letters)}
    words = panel.create_text(left, top, text=text, anchor="nw", **style)
    if part is not None and not fault:
        y, done = panel.bbox(words)[3] + letters, left + (right - left) * part
        panel.create_rectangle(left, y, right, y + letters, fill=RAIL, width=0)
        panel.create_rectangle(left, y, done, y + letters, fill=WINNER, width=0)


def _font(size: float, weight: str = "normal") -> tuple:
    return ("Helvetica", -max(8, round(size)), weight)


def _small(picture: np.ndarray) -> np.ndarray:
    """Return a picture on white paper, of a size that a window needs at most."""
    small = Image.fromarray(picture)
    small.thumbnail((1200, 1200))
    paper = Image.new("RGB", small.size, PAPER)
    paper.paste(small, mask=small.getchannel("A") if small.mode == "RGBA" else None)
    return np.asarray(paper)


def _paint_image(canvas, x: float, y: float, image: np.ndarray, anchor: str) -> None:
    """Put uint8 (height, width) or (height, width, 3) on a canvas, as a PNM file.

    The canvas holds on to it: Tk forgets pictures that nobody holds.
    """
    kind = "P6" if image.ndim == 3 else "P5"
    content = f"{kind} {image.shape[1]} {image.shape[0]} 255\n".encode() + image.tobytes()
    canvas.held = tkinter.PhotoImage(master=canvas, data=content)
    canvas.create_image(x, y, image=canvas.held, anchor=anchor)
