"""Write the tables of the README, and pictures, from what the benchmarks stored.

Nothing is measured here. A table stands in the README between ``<!-- name -->`` and
``<!-- /name -->``; what is not measured says so. The minutes in the table of the notebooks are
written too: those to read as each notebook says, those to run as the full series was measured.

Run with ``python benchmarks/report.py``; ``make bench``, ``make race``, ``make transfer`` and
``make summit`` end with it.
"""

import json
import math
import re
from pathlib import Path

import numpy as np
import shared
from matplotlib.patches import Rectangle

from mnist_edu import plots, series
from mnist_edu.show import markdown_table

MISSING = "Not measured yet."
CUTS = {
    "drawing": "drawings",
    "photo": "photos",
    "lined photo": "photos of lined paper",
    "squared photo": "photos of squared paper",
}
PAPER = {
    "hard shadow": "a shadow with an edge",
    "note on a dark desk": "a note on a dark desk, turned",
    "dark edge": "a dark table or border at the edge",
    "banner": "a printed band across the page",
    "stains": "stains",
    "thin pens": "pens of 1 to 4 pixels, many upright 1s",
    "close neighbours": "neighbours less than a tenth of their height apart",
}
PROGRAMS = {"record": "the record, in PyTorch"}
SUMMITS = {
    "all": "the whole recipe",
    "e: not settled": "... without settling",
    "f: asked once": "... asked once, not nine times",
}
TRIED = """Other recipes were tried on 10,000 validation digits, each trained on 50,000 others on
one core (minutes: {} to {}). A line with dots changes one thing in the second line; the last one
changes the passes too. What has the fewest errors there, “{}”, was then trained on all digits, and
reads {} of the test digits (seeds: {})."""
GOAL, SIDE = "10", 1.15  # where the way ends; where the side rooms begin, in widths of a box
TRANSFERS = {
    "mnist_test": ("embedded digits", "MNIST"),
    "embedded_test": ("embedded digits", "embedded digits"),
    "mnist_to_embedded": ("MNIST", "embedded digits"),
    "mnist_to_mnist": ("MNIST", "MNIST"),
}


def main() -> None:
    readme = shared.ROOT / "README.md"
    readme.write_text(with_minutes(with_tables(readme.read_text("utf-8"))), "utf-8")
    for name, picture in pictures().items():
        (shared.ROOT / "images" / f"{name}.png").write_bytes(picture.png())


def with_tables(text: str) -> str:
    """Return the README with each table made anew.

    Raises
    ------
    ValueError
        If a table has no place in it.
    """
    for name, table in TABLES.items():
        page = shared.stored(name)
        lines = table(page) if page else MISSING
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        text, found = place.subn(
            lambda match, lines=lines: f"{match[1]}\n{lines}\n\n{match[2]}", text
        )
        if found != 1:
            raise ValueError(f"the README has {found} places for the table {name}, and needs one")
    return text


# --- Minutes of the notebooks --------------------------------------------------------------------


def with_minutes(text: str) -> str:
    """Return the README with the minutes to read and to run each notebook, in its last columns.

    Raises
    ------
    ValueError
        If a notebook has no line in the table, or more than one.
    """
    for path in series.find().values():
        minutes = f" {minutes_to_read(path)} min | {minutes_to_run(path.stem)} min |"
        line = re.compile(rf"^(\| \[[^|]*\]\(notebooks/{path.name}\) \|[^|]*\|).*$", re.M)
        text, found = line.subn(rf"\1{minutes}", text)
        if found != 1:
            raise ValueError(f"the README has {found} lines for {path.name}, and needs one")
    return text


def title(path: Path) -> str:
    """Return the text cells of a notebook up to the one that says how long it takes."""
    text = ""
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "markdown" and "**Time:**" not in text:
            text += "".join(cell["source"]) + "\n"
    return text


def minutes_to_read(path: Path) -> int:
    return int(re.search(r"\*\*Time:\*\* (\d+) minutes to read", title(path)).group(1))


def minutes_to_run(name: str) -> int:
    """Return the minutes of a notebook of the full series, alone on the machine, rounded up."""
    return math.ceil(measured_seconds(name) / 60)


def measured_seconds(name: str) -> float:
    return shared.stored("costs")["full"]["one_by_one"]["notebooks"][name]["seconds"]


def run_sentence(name: str) -> str:
    """Return how the first cell of a notebook says what its cells take, as it was measured."""
    minutes = minutes_to_run(name)
    short = "less than half a minute" if measured_seconds(name) <= 30 else "less than a minute"
    return f"The cells run in {short if minutes == 1 else f'about {minutes} minutes'}"


# --- Costs ---------------------------------------------------------------------------------------


def costs(page: dict) -> str:
    rows = [["what", "median", "lowest to highest", "time"]]
    for ways in page["seconds"].values():
        base = np.median(next(iter(ways.values())))
        for name, values in ways.items():
            middle = np.median(values)
            spread = f"{shown(min(values))} to {shown(max(values))}"
            rows.append([name, shown(middle), spread, f"{middle / base:.2g}"])
    rows += [series_row(kind, page[kind]) for kind in ("quick", "full") if kind in page]
    about = page["machine"]
    names = ("python", "numpy", "tensorflow", "keras")
    versions = ", ".join(f"{name} {about[name]}" for name in names)
    said = f"{about['cores']} cores of a {about['system']} machine, {versions}. "
    said += "Time: the first line of each kind, what one would do instead, counts as 1."
    said += " Memory: all processes of a notebook together, what they share counted once."
    return f"{markdown_table(rows)}\n\n{said}"


def series_row(kind: str, run: dict) -> list[str]:
    notebooks = run["notebooks"].values()
    slowest = max(row["seconds"] for row in notebooks)
    peak = max(row["peak_mb"] for row in notebooks) / 1000
    what = f"the {kind} series, {len(notebooks)} notebooks, two at a time"
    alone = run["one_by_one"]
    cell = max(row["longest_seconds"] for row in alone["notebooks"].values())
    told = f"slowest notebook {minutes(slowest)}, most memory {peak:.1f} GB; one at a time "
    told += f"{minutes(alone['seconds'])}, longest cell {cell:.0f} s"
    return [what, minutes(run["seconds"]), told, f"{run['seconds'] / alone['seconds']:.2g}"]


def shown(value: float) -> str:
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.3g} ms"


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


# --- What the networks reach ---------------------------------------------------------------------


def percent(three: list[float]) -> list[str]:
    """Write a mean accuracy, and its range."""
    mean, low, high = (100 * value for value in three)
    return [f"{mean:.2f} %", f"{low:.2f} to {high:.2f} %"]


def minutes_of_seeds(three: list[float]) -> str:
    mean, low, high = map(minutes, three)
    return f"{mean} ({low} to {high})"


def race(page: dict) -> str:
    found = page["race_summary"]
    base = found["record"]["seconds"][0]
    rows = [["program", "test accuracy", "lowest to highest", "seconds", "time", "seeds"]]
    for name, row in found.items():
        seconds = row["seconds"][0]
        taken = [f"{seconds:.1f}", f"{seconds / base:.2g}", str(row["seeds"])]
        rows.append([PROGRAMS.get(name, name), *percent(row["accuracy"]), *taken])
    return markdown_table(rows)


def summit(page: dict) -> str:
    rows = [["network", "test accuracy", "lowest to highest", "training", "seeds"]]
    for name, row in page["whole_summary"].items():
        taken = [minutes_of_seeds(row["seconds"]), str(row["seeds"])]
        rows.append([SUMMITS.get(name, name), *percent(row["accuracy"]), *taken])
    ((best, row),) = page["best_summary"].items()
    _, lows, highs = zip(*(line["seconds"] for line in page["tried_summary"].values()), strict=True)
    took = (f"{seconds / 60:.0f}" for seconds in (min(lows), max(highs)))
    told = TRIED.format(*took, best, percent(row["accuracy"])[0], row["seeds"])
    return "\n\n".join([markdown_table(rows), told, tried(page["tried_summary"])])


def tried(summary: dict) -> str:
    """Return a table of the errors of 10,000 digits, and how far chance alone moves their number.

    Of n errors, each as unlikely as the other, 95 in 100 counts lie within two roots of n.
    """
    rows = [["tried", "errors", "chance: 95 in 100 counts", "asked once", "seeds"]]
    for name, row in summary.items():
        errors, once = (10_000 * (1 - row[key][0]) for key in ("accuracy", "once"))
        chance = f"{errors - 2 * errors**0.5:.0f} to {errors + 2 * errors**0.5:.0f}"
        rows.append([name, f"{errors:.0f}", chance, f"{once:.0f}", str(row["seeds"])])
    return markdown_table(rows)


def transfer(page: dict) -> str:
    (found,) = page["transfer_summary"].values()
    rows = [["trained on", "tested on", "mean accuracy", "lowest to highest"]]
    rows += [[*on, *percent(found[name])] for name, on in TRANSFERS.items()]
    drawn, cores = page["transfer_settings"]["drawn"], page["transfer_machine"]["cores"]
    told = f"To draw {drawn:,} digits and train on them takes "
    return f"{markdown_table(rows)}\n\n{told}{minutes_of_seeds(found['seconds'])} on {cores} cores."


def ink(page: dict) -> str:
    lost = [["MNIST test digits drawn back as", "points lost", "at most", "digits"]]
    for name, row in page["loss"].items():
        allowed = "–" if row["allowed"] is None else f"{row['allowed']}"
        lost.append([name, f"{row['points']:.2f}", allowed, f"{row['n']:,}"])
    cut = cut_table("pages of 20 to 100 digits", CUTS, page["page"])
    tables = [markdown_table(lost), cut]
    if "paper" in page:
        tables.append(cut_table("pages as people photograph them", PAPER, page["paper"]))
    return "\n\n".join([*tables, left_out(page["ablation"])])


def cut_table(head: str, said: dict[str, str], page: dict) -> str:
    rows = [[head, "cut and ordered rightly", "pages"]]
    for name, words in said.items():
        row = page[name]
        rows.append([words, f"{100 * row['order']:.1f} %", str(row["pages"])])
    return markdown_table(rows)


def left_out(ablation: dict) -> str:
    """Return the points that are lost without each step of ``mnist_edu.ink``."""
    rows = [["points lost without the step", *ablation]]
    for step in next(iter(ablation.values())):
        rows.append([step, *(f"{column[step]:.0f}" for column in ablation.values())])
    return markdown_table(rows)


TABLES = {"costs": costs, "race": race, "summit": summit, "transfer": transfer, "ink": ink}


# --- What leads to what --------------------------------------------------------------------------


def needs(path: Path) -> set[str]:
    """Return the numbers of the notebooks that one needs, by its own words; not of mere helps."""
    (said,) = re.findall(r"\*\*You need\*\*(.*)", title(path))
    return set(re.findall(r"\((\d\d)_\w+\.ipynb\)", said.split(". ", 1)[0]))


def steps() -> dict[str, set[str]]:
    """Return the notebooks right before each one: what those need in their turn is left out."""
    every: dict[str, set[str]] = {}
    right_before = {}
    for number, path in numbered().items():
        own = needs(path)
        earlier = set().union(*(every[other] for other in own))
        every[number], right_before[number] = own | earlier, own - earlier
    return right_before


def numbered() -> dict[str, Path]:
    return {path.name[:2]: path for path in series.find().values()}


def series_map() -> plots.Picture:
    """Draw the way to one's own digits from the top down, and beside it what may be left out."""
    before, paths = steps(), numbered()
    way = [GOAL]
    while before[way[0]]:
        way.insert(0, max(before[way[0]]))
    places = {number: (0.0, row) for row, number in enumerate(way)}
    for number in sorted(before.keys() - way):
        taken = [row for x, row in places.values() if x]
        places[number] = (SIDE, max([places[max(before[number])][1], *(row + 1 for row in taken)]))
    picture = plots.Picture(height=0.4 * len(way) + 0.4)
    axes = picture.subplots()
    axes.set(xlim=(-0.02, SIDE + 1.02), ylim=(len(way) - 0.5, -1))
    axes.set_axis_off()
    told = []
    for x, text in ((0, "The way"), (SIDE, "Side rooms, in any order")):
        axes.text(x, -0.75, text, size=10, color="0.3", va="center")
    for number, (x, row) in places.items():
        name = f"{number} {heading(paths[number])}"
        axes.add_patch(Rectangle((x, row - 0.3), 1, 0.6, facecolor="0.94", edgecolor="0.3"))
        axes.text(x + 0.03, row, name, size=9, va="center")
        for other in sorted(before[number]):
            start, end = (0.5, places[other][1] + 0.3), (0.5, row - 0.3)
            if x:
                start, end = (1, places[other][1]), (SIDE, row)
            axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.3"})
        after = f" (after {', '.join(sorted(before[number]))})" if before[number] else ""
        told.append(name + after)
    picture.description = "What leads to what: " + "; ".join(told) + "."
    return picture


def heading(path: Path) -> str:
    return re.search(r"^# (.+)", title(path), re.M).group(1)


# --- Pictures ------------------------------------------------------------------------------------


def pictures() -> dict[str, plots.Picture]:
    """Return name and picture of the series, and of what is measured."""
    found, page, raced = {"series-map": series_map()}, shared.stored("costs"), shared.stored("race")
    if "full" in page:
        notebooks = page["full"]["notebooks"]
        minute = {name: measured_seconds(name) / 60 for name in notebooks}
        memory = {name: row["peak_mb"] / 1000 for name, row in notebooks.items()}
        found["bench-minutes"] = plots.bars(minute, "minutes, one at a time", "MNIST", digits=2)
        found["bench-memory"] = plots.bars(memory, "most memory (GB)", "MNIST", digits=2)
    if raced:
        runs = {name: [] for name in raced["race_summary"]}
        for row in raced["race"]:
            runs[row["name"]].append(row["seconds"])
        found["bench-race"] = plots.bars(runs, "seconds of training", "MNIST", digits=2)
    return found


if __name__ == "__main__":
    main()
