"""Make the pages to print: ``python book/print/make.py [FOLDER]`` writes them as PDF.

Every answer is computed here. A page and its answers are one function, called with ``filled``.
Two calls make the same files, byte for byte. Places on a page are in millimetres from its top
left corner.
"""

import sys
import textwrap
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from mnist_edu.cache import whole
from mnist_edu.palette import BLUE

WIDTH, HEIGHT = 210, 297  # of A4
LEFT = 18  # margin
PALE = (0.84, 0.94, 1.0)  # of what `ink.find_digits` has to overlook; grey where colours are lost
STYLE = {"font.family": "DejaVu Sans", "font.size": 12, "pdf.fonttype": 42}


# --- The four pages by hand ----------------------------------------------------------------------

WEIGHTS, BIASES = np.array([[1, -2], [-2, 2], [2, -1]]), np.array([1, 1])
IMAGES = {"A": np.array([0.5, 0, 1]), "B": np.array([0, 1, 0.5])}


def softmax_of(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum()


def softmax(filled: bool) -> Figure:
    """Scores, softmax and loss of two images with three pixels, as in notebook 01."""
    axes = page("Softmax by hand", "01", filled)
    y = text(
        axes,
        34,
        "Images are three pixels in a row: ink is 1, paper is 0, grey in between. There are two "
        "digits, 0 and 1. Multiply each pixel by its weights and add up, with the bias: these are "
        "the two scores. Raise e to the power of each score (the table below helps), and divide "
        "by their sum. Both images are labelled 0. The loss is minus the logarithm of the "
        "probability of the label. Two decimals are enough.",
    )
    names = ["left", "middle", "right", "bias"]
    numbers = [[short(w) for w in row] for row in np.vstack([WEIGHTS, BIASES])]
    rows = [["", "for a 0", "for a 1"]]
    rows += [[name, *row] for name, row in zip(names, numbers, strict=True)]
    axes.text(LEFT, y + 10, "The weights", weight="bold")
    table(axes, LEFT + 44, y + 5, rows, [24, 22, 22], high=7.5)
    y += 52
    for n, (name, image) in enumerate(IMAGES.items()):
        scores_of(axes, LEFT + 90 * n, y, name, image, filled)
    z, p = np.arange(-2, 4, 0.5), np.array([99, 95, 90, 80, 70, 60, 50, 40, 30, 20, 10, 5]) / 100
    powers = [["z", *map(short, z)], ["e to the z", *(f"{v:.2f}" for v in np.exp(z))]]
    table(axes, LEFT, 221, powers, [24] + len(z) * [12.5], size=9.5)
    losses = [["p", *map(short, p)], ["−ln p", *(f"{v:.2f}" for v in -np.log(p))]]
    table(axes, LEFT, 242, losses, [24] + len(p) * [12.5], size=9.5)
    y = text(
        axes,
        263,
        "Which weight of the 0, made larger by 1, helps image B most? What does that do to A?",
    )
    if filled:
        text(axes, y + 1, helped(), answer=True)
    return axes.figure


def scores_of(axes: Axes, x: float, y: float, name: str, image: np.ndarray, filled: bool) -> None:
    """Draw one image and the table of its scores, which goes on to probabilities and the loss."""
    axes.text(x, y + 4, f"Image {name}", weight="bold")
    for k, pixel in enumerate(image):
        square(axes, x + 30 + 14 * k, y - 5, 14, str(1 - pixel))
    products = np.vstack([image[:, np.newaxis] * WEIGHTS, BIASES])
    z = products.sum(axis=0)
    p = softmax_of(z)
    names = ["left", "middle", "right", "bias", "score z", "e to the z", "p"]
    values = [*products, z, np.exp(z), p]
    rows = [["", "pixel", "for a 0", "for a 1"]]
    for k, (row, numbers) in enumerate(zip(names, values, strict=True)):
        pixel = short(image[k]) if k < 3 else ""
        rows.append([row, pixel, *(fixed(v) if filled else "" for v in numbers)])
    table(axes, x, y + 13, rows, [24, 15, 20, 20], answers=(2, 1))
    told = fixed(-np.log(p[0])) if filled else "______"
    axes.text(x, y + 92, f"The network says: {p.argmax() if filled else '___'}.   Loss: {told}")


def helped() -> str:
    """Return the answer to the last question, with its numbers."""
    effect = {}
    for k in range(3):
        weights = WEIGHTS.copy()
        weights[k, 0] += 1
        effect[k] = [softmax_of(image @ weights + BIASES)[0] for image in IMAGES.values()]
    best = max(effect, key=lambda k: effect[k][1])
    before, (a, b) = softmax_of(IMAGES["B"] @ WEIGHTS + BIASES)[0], effect[best]
    name = ("left", "middle", "right")[best]
    return (
        f"That of the {name} pixel, where B has most ink: p of the 0 goes from {before:.2f} to "
        f"{b:.2f}. A has no ink there, so nothing changes for it ({a:.2f})."
    )


X, LABEL = np.array([1, 0, 0.5]), np.array([0, 1])
W1, B1 = np.array([[2, 1], [3, -1], [-2, -6]]), np.array([0, 1])
W2, B2 = np.array([[2, -1], [1, 2]]), np.array([-1, 1])


def passes() -> dict[str, np.ndarray]:
    """Return all values and blames of the small network; probabilities have two decimals."""
    found = {"sums": X @ W1 + B1}
    found["hidden"] = np.maximum(found["sums"], 0)
    found["scores"] = found["hidden"] @ W2 + B2
    found["p"] = softmax_of(found["scores"]).round(2)
    found["dscores"] = found["p"] - LABEL
    found["dhidden"] = W2 @ found["dscores"]
    found["dsums"] = found["dhidden"] * (found["sums"] > 0)
    found["dW2"], found["dW1"] = (
        np.outer(found["hidden"], found["dscores"]),
        np.outer(X, found["dsums"]),
    )
    return found


def backpropagation(filled: bool) -> Figure:
    """Values forwards and blame backwards through a network of 3-2-2, as in notebook 03."""
    axes = page("Backpropagation by hand", "03", filled)
    y = text(
        axes,
        34,
        "Forwards: write the values into the circles. The hidden units have ReLU, the scores go "
        "through softmax. The label is the second class. Backwards: the blame of the scores is "
        "p − y. A unit collects the blame of all it feeds, each times the weight; a silent unit "
        "passes nothing on. A weight gets what came into it times the blame of where it leads. "
        "Two decimals are enough.",
    )
    found = passes()
    draw_network(axes, y + 2, found, filled)
    y += 96
    lines = {
        "hidden sums": "sums",
        "hidden outputs": "hidden",
        "scores": "scores",
        "probabilities p": "p",
        "blame of the scores, p − y": "dscores",
        "blame of the hidden outputs": "dhidden",
        "blame of the hidden sums": "dsums",
    }
    rows = [["", "first", "second"]]
    for name, key in lines.items():
        rows.append([name, *(fixed(v) if filled else "" for v in found[key])])
    table(axes, LEFT, y, rows, [64, 25, 25], answers=(1, 1))
    loss = f"{-np.log(found['p'][LABEL.argmax()]):.2f}" if filled else "______"
    axes.text(LEFT + 122, y + 5, f"Loss: {loss}")
    for name, key, down in (("to the scores", "dW2", 16), ("to the hidden units", "dW1", 50)):
        axes.text(LEFT + 122, y + down + 2, f"blame of the weights\n{name}", size=10)
        blank = [[fixed(v) if filled else "" for v in row] for row in found[key]]
        table(axes, LEFT + 122, y + down + 4, blank, [25, 25], answers=(0, 0))
    y = text(axes, y + 84, "How many of the ten weights carry no blame, and for which two reasons?")
    if filled:
        none = [int((found[key] == 0).sum()) for key in ("dW1", "dW2")]
        told = f"{sum(none)}: those of the white pixel, and those to and from the silent unit"
        text(axes, y, f"{told}. (The blame of a bias is that of its sum.)", answer=True)
    return axes.figure


def draw_network(axes: Axes, top: float, found: dict, filled: bool) -> None:
    """Draw the network with its weights; a circle holds a value, or nothing yet."""
    columns = [[top + 16 + 32 * k for k in range(3)]] + 2 * [[top + 28 + 40 * k for k in range(2)]]
    across = (LEFT + 12, LEFT + 82, LEFT + 152)
    for layer, weights in enumerate((W1, W2)):
        for i, start in enumerate(columns[layer]):
            for k, end in enumerate(columns[layer + 1]):
                axes.plot(across[layer : layer + 2], (start, end), color="0.6", zorder=1)
                x, y = across[layer] + 70 * 0.27, start + 0.27 * (end - start)
                number(axes, x, y, short(weights[i, k]), size=12)
    values = [X, found["hidden"] if filled else ("", ""), found["scores"] if filled else ("", "")]
    for layer, (x, places) in enumerate(zip(across, columns, strict=True)):
        for k, y in enumerate(places):
            if layer:
                axes.add_patch(Circle((x, y), 9, facecolor="white", edgecolor="black", zorder=2))
                axes.text(x, y - 12, f"bias {short((B1, B2)[layer - 1][k])}", ha="center", size=10)
            else:
                square(axes, x - 8, y - 8, 16, "white")
            said = (
                values[layer][k] if isinstance(values[layer][k], str) else short(values[layer][k])
            )
            number(axes, x, y, said, color=BLUE if layer else "black", size=14)


IMAGE = np.array(
    [[2, 0, 0, 0, 0], [2, 0, 1, 0, 0], [2, 1, 3, 1, 0], [0, 0, 2, 0, 0], [0, 0, 2, 0, 0]]
)
KERNEL = np.array([[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]])
MAP = np.array([[3, 1, 0, 2], [0, 5, 1, 1], [2, 2, 4, 0], [1, 0, 3, 6]])
SIZES = [(28, 3, 0, 1), (28, 7, 3, 1), (10, 3, 1, 2), (12, 4, 0, 4)]


def correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return (windows * kernel).sum(axis=(2, 3))


def convolution(filled: bool) -> Figure:
    """A window slides over an image; bias, ReLU, max-pooling and sizes, as in notebook 05."""
    axes = page("Convolution on squared paper", "05", filled)
    y = text(
        axes,
        34,
        "Cut out the kernel at the bottom, or lay a pencil frame around 3 x 3 pixels. Multiply "
        "each pixel by the weight that lies on it, add up all nine, and write the sum into the "
        "map. Then move on by one pixel. For the second map add the bias of −2, and write 0 where "
        "the result is below 0 (ReLU).",
    )
    found = correlate(IMAGE, KERNEL)
    squares(axes, LEFT, y + 8, "the image", IMAGE, shades=True)
    squares(axes, LEFT + 70, y + 8, "the map", found, blank=not filled)
    squares(axes, LEFT + 116, y + 8, "bias −2, ReLU", np.maximum(found - 2, 0), blank=not filled)
    x = LEFT + 70
    axes.text(x, y + 58, "What does this kernel look for?")
    if filled:
        axes.text(x, y + 67, "upright strokes, one pixel wide", color=BLUE, style="italic")
    else:
        axes.text(x, y + 67, "_____________________________")
    y += 86
    pooled = MAP.reshape(2, 2, 2, 2).max(axis=(1, 3))
    squares(axes, LEFT, y, "another map", MAP)
    squares(axes, LEFT + 70, y + 6, "its max-pool, blocks of 2 x 2", pooled, blank=not filled)
    rows = [["image", "kernel", "padding", "stride", "map"]]
    rows += [[*map(str, case), str(side(*case)) if filled else ""] for case in SIZES]
    axes.text(LEFT + 70, y + 43, "How long is the side of the map?")
    table(axes, LEFT + 70, y + 46, rows, 5 * [20.5], answers=(4, 1))
    squares(axes, LEFT, y + 68, "the kernel, to cut out", KERNEL)
    edge = {"fill": False, "edgecolor": "black", "linestyle": "--", "linewidth": 1.4}
    axes.add_patch(Rectangle((LEFT, y + 70), 36, 36, **edge))
    return axes.figure


def side(image: int, kernel: int, padding: int, stride: int) -> int:
    return (image - kernel + 2 * padding) // stride + 1


def squares(axes, x, y, name, numbers, blank=False, shades=False) -> None:
    """Draw an array (rows, columns) as squares of 12 mm with its numbers, or empty ones."""
    axes.text(x, y, name, size=11)
    for (row, column), value in np.ndenumerate(numbers):
        grey = str(1 - 0.13 * value) if shades else "white"
        square(axes, x + 12 * column, y + 2 + 12 * row, 12, grey)
        place = x + 12 * column + 6, y + 8 + 12 * row
        if not blank:
            number(axes, *place, short(value), color="black", size=13)


STARTS = [
    np.array([[4, 1, 2], [3, 5, 1], [2, 2, 6]]),
    np.array([[1, 3, 2, 5], [2, 1, 4, 1], [3, 2, 2, 2], [1, 5, 1, 3]]),
]
RULES = (
    "All workers stand in a circle. Each holds a card. The aim: everybody has the sum of every "
    "column, and nobody speaks to anybody but the next one.",
    "In each turn all hand on ONE number at the same time, to the next worker: its letter and "
    "the number, on a slip or whispered.",
    "Turn 1: the number in the frame. From then on: the number that was changed by what you have "
    "just been given.",
    "In the first turns ADD what you are given to your own number of that letter. As soon as a "
    "number is the sum of all, it only REPLACES: with three workers from turn 3 on, with four "
    "from turn 4 on.",
    "How many numbers has each of you sent? How many would one worker have to send and be given "
    "who adds up for all?",
)


def ring_states(start: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of all workers (n, n) at the start and after each turn of the ring."""
    states, n = [start], len(start)
    for turn in range(2 * (n - 1)):
        before, after = states[-1], states[-1].copy()
        for me in range(n):
            piece, following = (me - turn) % n, (me + 1) % n
            kept = before[following, piece] if turn < n - 1 else 0
            after[following, piece] = kept + before[me, piece]
        states.append(after)
    return states


def ring(start: np.ndarray, filled: bool) -> Figure:
    """Four cards on a page: one for each worker, and the rules where there are three workers."""
    axes = sheet()
    states = ring_states(start)
    for me in range(len(start)):
        card(axes, *((me % 2) * WIDTH / 2, (me // 2) * HEIGHT / 2), me, states, filled)
    if len(start) == 3:
        x, y = WIDTH / 2 + 10, HEIGHT / 2 + 16
        axes.text(x, y, "The rules", weight="bold", size=15)
        for rule in RULES:
            y = text(axes, y + 3, rule, x=x, columns=40, size=10.5)
        if filled:
            told = "Four each. One who adds up for all is given six, and sends six."
            text(axes, y + 1, told, x=x, columns=40, size=10.5, answer=True)
    cut = {"color": "0.4", "linestyle": (0, (6, 4)), "linewidth": 0.8}
    axes.plot((WIDTH / 2, WIDTH / 2), (0, HEIGHT), **cut)
    axes.plot((0, WIDTH), (HEIGHT / 2, HEIGHT / 2), **cut)
    return axes.figure


def card(axes: Axes, x: float, y: float, me: int, states: list, filled: bool) -> None:
    """Draw the card of one worker: its numbers, and an empty line for each turn."""
    n = len(states[0])
    axes.text(x + 10, y + 16, f"Worker {me} of {n}", weight="bold", size=15)
    axes.text(x + 10, y + 25, f"You hand on to worker {(me + 1) % n}.", size=12)
    rows = [["", *"ABCD"[:n]]]
    for turn, state in enumerate(states):
        told = [short(v) for v in state[me]] if filled or not turn else n * [""]
        rows.append([f"turn {turn}" if turn else "start", *told])
    high = 13
    table(axes, x + 10, y + 32, rows, [22] + n * [16], high=high, size=13, answers=(1, 2))
    frame = {"fill": False, "edgecolor": "black", "linewidth": 2.5, "zorder": 4}
    axes.add_patch(Rectangle((x + 32 + 16 * me, y + 32 + high), 16, high, **frame))


# --- The sheet for digits ------------------------------------------------------------------------

ROWS, COLUMNS, BOX, GAP = 10, 6, 23, 3.5  # a row for each digit
FIRST = (WIDTH - COLUMNS * (BOX + GAP)) / 2 + 7, (HEIGHT - ROWS * (BOX + GAP) + GAP) / 2
HOW = (
    "Print the other page. Every school printer will do, in colour or grey.",
    "Write one digit into each box with a dark pen: zeros into the first row, which has a pale 0 "
    "in front, ones into the second, and so on. Make them fill a good part of the box, and stay "
    "off its frame. Leave boxes empty if you like, but write at least one whole row.",
    "Write nothing else on the sheet, no name and no date: what is dark and not too small is "
    "taken for a digit. Mark the back instead.",
    "Take a photo by daylight, from straight above, with nothing but paper in the picture. A "
    "shadow across the page does little harm, a finger in the picture does. Or scan it.",
    'In notebook 10 write the name of the file into picture_file, and run the cells of "Your own '
    'picture". Count the boxes first: if there are as many as you have written, they come row '
    "by row, so the labels are known without typing.",
    "The photo stays on the computer that runs the notebook. If that is not yours, say so to "
    "those who wrote, and ask them first.",
)


def boxes() -> np.ndarray:
    """Return left and top of each box in reading order, float (60, 2), in millimetres."""
    row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    return np.column_stack([column, row]) * (BOX + GAP) + FIRST


def digit_sheet() -> Figure:
    """Boxes so pale that they are overlooked where the ink is."""
    axes = sheet()
    for left, top in boxes():
        frame = {"fill": False, "edgecolor": PALE, "linewidth": 1.4}
        axes.add_patch(Rectangle((left, top), BOX, BOX, **frame))
    for digit, (left, top) in enumerate(boxes()[::COLUMNS]):
        axes.text(
            left - 12, top + BOX / 2, str(digit), color=PALE, size=34, va="center", ha="center"
        )
    return axes.figure


def how_to_write() -> Figure:
    axes = page("A sheet to write digits on", "10", name=False)
    y = 36.0
    for place, step in enumerate(HOW, 1):
        axes.text(LEFT, y + 0.47 * 12, f"{place}.")
        y = text(axes, y, step, x=LEFT + 8, columns=72) + 4
    return axes.figure


# --- Paper ---------------------------------------------------------------------------------------


def sheet() -> Axes:
    """Return axes that cover a page and count in millimetres, downwards."""
    figure = Figure((WIDTH / 25.4, HEIGHT / 25.4))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.set_axis_off()
    return axes


def page(title: str, notebook: str, filled: bool = False, name: bool = True) -> Axes:
    axes = sheet()
    axes.text(LEFT, 22, title + (": answers" if filled else ""), size=18, weight="bold")
    axes.text(WIDTH - LEFT, 290, f"mnist_edu, notebook {notebook}", size=9, ha="right")
    if name and not filled:
        axes.text(WIDTH - LEFT, 22, "Name: ____________________", ha="right")
    return axes


def text(axes, y, words, x=LEFT, columns=80, size=12.0, answer=False) -> float:
    """Write a paragraph below ``y`` and return where it ends."""
    style = {"color": BLUE, "style": "italic"} if answer else {}
    for line in textwrap.wrap(words, columns):
        y += 0.47 * size
        axes.text(x, y, line, size=size, **style)
    return y


def table(axes, x, y, rows, widths, high=9.0, size=12.0, answers=None) -> None:
    """Draw rows of texts as a table. Right of and below ``answers`` (column, row) they are blue."""
    for i, row in enumerate(rows):
        left = x
        for k, (words, wide) in enumerate(zip(row, widths, strict=True)):
            top = y + high * i
            cell = {"fill": False, "edgecolor": "0.45", "linewidth": 0.7}
            axes.add_patch(Rectangle((left, top), wide, high, **cell))
            is_answer = answers is not None and k >= answers[0] and i >= answers[1]
            number(
                axes, left + wide / 2, top + high / 2, words, BLUE if is_answer else "black", size
            )
            left += wide


def number(axes: Axes, x: float, y: float, words: str, color: str = "black", size=12.0) -> None:
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
    style = {"ha": "center", "va": "center_baseline", "color": color, "size": size, "zorder": 3}
    axes.text(
        x, y, words, bbox=ground if words and color == "black" and size < 13 else None, **style
    )


def square(axes: Axes, x: float, y: float, side_: float, grey: str) -> None:
    axes.add_patch(Rectangle((x, y), side_, side_, facecolor=grey, edgecolor="0.3", zorder=2))


def short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def fixed(value: float) -> str:
    return f"{value + 0:.2f}".replace("-", "−")


# --- Files ---------------------------------------------------------------------------------------


def pages() -> dict[str, list[Figure]]:
    """Return the pages of each file."""
    asked = {
        "softmax": [softmax(False)],
        "backpropagation": [backpropagation(False)],
        "convolution": [convolution(False)],
        "ring-cards": [ring(start, False) for start in STARTS],
        "digit-sheet": [digit_sheet(), how_to_write()],
    }
    answers = [softmax(True), backpropagation(True), convolution(True)]
    return asked | {"answers": answers + [ring(start, True) for start in STARTS]}


def make(folder: Path) -> list[Path]:
    """Write all files into a folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with matplotlib.rc_context(STYLE):
        for name, figures in pages().items():
            paths.append(folder / f"{name}.pdf")
            with whole(paths[-1]) as part:
                with PdfPages(part, metadata={"CreationDate": None, "Title": name}) as file:
                    for figure in figures:
                        file.savefig(figure)
    return paths


if __name__ == "__main__":
    try:
        print(*make(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent), sep="\n")
    except OSError as error:
        sys.exit(f"The pages cannot be written: {error}")
