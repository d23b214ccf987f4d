"""Show what a class guessed and solved: pictures for the projector, tables as CSV, a summary."""

import csv
import html
import math
import re
import textwrap
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edu import classes, data, recheck, series
from mnist_edu.cache import whole
from mnist_edu.classes import Plan, Question, Work
from mnist_edu.errors import AskedWrongly
from mnist_edu.palette import BLUE, INK, MUTED, ORANGE, SKY
from mnist_edu.plots import Picture
from mnist_edu.show import html_table, text_table

WIDE, HIGH = 12.8, 7.2  # inches: the shape of a projector
TITLE, TEXT = 28, 22  # points
BARS = 8  # different texts that are drawn; the others are counted together
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how a cell begins that a spreadsheet would run


def report(folder: Path, out: Path, check: bool = False, limit: float = 60, jobs: int = 2) -> None:
    """Read a class, and write its pictures and tables to ``out``; what cannot be read is named.

    Parameters
    ----------
    folder : one notebook for each pupil, or one folder for each
    out : gets ``NN-guess_name.png``, ``pupils.csv``, ``guesses.csv``, ``exercises.csv`` and
        ``index.html``
    check : run the checkers anew, see :mod:`mnist_edu.recheck`
    limit : seconds for each process of such a check
    jobs : how many notebooks are checked at a time
    """
    if limit <= 0 or jobs < 1:
        raise AskedWrongly("the limit must be above 0, and at least 1 notebook checked at a time")
    known = classes.plans()
    works = classes.read(folder, known)
    if check:
        check_all(works, known, limit, jobs)
    out.mkdir(parents=True, exist_ok=True)
    exercises = [row for plan in known.values() for row in classes.exercise_rows(works, plan)]
    exercises = [row for row in exercises if row["pupils"]]
    write_csv(out / "pupils.csv", classes.pupil_rows(works, known))
    write_csv(out / "guesses.csv", classes.guess_rows(works, known))
    write_csv(out / "exercises.csv", exercises)
    pictures = {}
    for plan in known.values():
        for question in plan.questions.values():
            if picture := histogram(classes.counted(works, plan.number), plan, question):
                name = f"{plan.number}-{question.name}.png"
                with whole(out / name) as part:
                    picture.savefig(part, dpi=150)
                pictures[name] = picture.description
    _write_page(out / "index.html", pictures, exercises)
    _tell(works, exercises, len(pictures), out)


def check_all(works: list[Work], known: dict[str, Plan], limit: float, jobs: int) -> None:
    """Put fresh verdicts in place of those in the notebooks; what cannot be checked says so."""
    nbformat = classes.needs("nbformat", "run")
    row = data.row_of(data.load("auto").source)  # looked for once, and not by each process
    quick, stored = {}, {}
    for number, path in series.find(sorted({w.number for w in works if w.number})).items():
        quick[number] = series.settings(path, full=False, source=row.name if row else "auto")
        stored[number] = nbformat.read(path, 4)

    def one(work: Work) -> str:
        plan, number = known[work.number], work.number
        answers = [
            (checker, cell.source)
            for cell in classes.code_cells(work.notebook)
            for checker, _ in classes.CHECKER.findall(cell.source)
            if checker in plan.exercises
        ]
        kept = {c: [v for v in told if v != classes.RIGHT] for c, told in work.kept.items()}
        try:
            fresh = recheck.check(work.notebook, stored[number], answers, quick[number], limit)
        except ValueError as error:
            work.fault = str(error)
            return work.pupil
        work.verdicts = {c: kept.get(c, []) + fresh.get(c, []) for c in plan.exercises}
        ended = [c for c, told in fresh.items() if any("the answer " in v for v in told)]
        if ended:
            told = fresh[ended[0]][-1].removeprefix(classes.WRONG)
            work.notice = f"exercise {plan.exercises[ended[0]]}: {told}"
        return work.pupil

    with ThreadPoolExecutor(jobs) as pool:
        todo = [work for work in works if work.notebook and not work.fault]
        for done, pupil in enumerate(pool.map(one, todo), 1):
            print(f"checked {done} of {len(todo)}: {shown(pupil)}", flush=True)


# --- Tables --------------------------------------------------------------------------------------


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write rows as UTF-8 that spreadsheets recognise; no cell is taken for a formula."""
    with whole(path) as part, part.open("w", encoding="utf-8-sig", newline="") as out:
        if rows:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = shown(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def shown(text: str) -> str:
    """Return a pupil's text without what would steer a console or break a line."""
    return "".join(c if c.isprintable() else " " for c in str(text))


# --- A picture for each guess --------------------------------------------------------------------


def histogram(works: list[Work], plan: Plan, question: Question) -> Picture | None:
    """Draw the guesses of a class beside the answer; None where nobody has guessed."""
    written = [w.guesses[question.name] for w in works if question.name in w.guesses]
    if not written:
        return None
    answers = classes.answer_by_source(works, question)
    numeric = all(isinstance(answer, int | float) for answer in answers.values())
    picture = Picture(HIGH, WIDE)
    axes = picture.subplots()
    if numeric and answers and any(isinstance(value, int | float) for value in written):
        left_out = _draw_numbers(axes, written, answers, question.hint)
    else:
        left_out = _draw_texts(axes, written, answers, question.choices)
    title = textwrap.fill(_plain(question.title), 52)
    axes.set_title(title, fontsize=TITLE, color=INK, loc="left", pad=16)
    axes.tick_params(labelsize=TEXT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    told = f"{len(written)} guesses · notebook {plan.number} · answer: " + ", ".join(
        f"{_short(answer)} ({source})" for source, answer in answers.items()
    )
    if left_out:
        told += f"\nnot drawn: {left_out}"
    picture.supxlabel(textwrap.fill(_plain(told), 100), fontsize=16, color=MUTED)
    picture.description = f"{question.title}: {told}".replace("\n", "; ")
    return picture


def _draw_numbers(axes: Any, written: list, answers: dict[str, float], hint: str) -> str:
    """Draw a histogram of numbers; return in words what does not fit onto its axis."""
    numbers = [float(value) for value in written if isinstance(value, int | float)]
    low, high = _span(numbers, list(answers.values()), hint)
    inside = [value for value in numbers if low <= value <= high]
    ratio = min((v for v in [*inside, *answers.values()] if v > 0), default=1)
    whole_numbers = all(value == int(value) for value in [*inside, *answers.values()])
    if low > 0 and high / ratio >= 100:
        bins = np.geomspace(low, high, 17)
        axes.set_xscale("log")
    elif whole_numbers and high - low <= 20:
        bins = np.arange(low - 0.5, high + 1)
    else:
        bins = np.linspace(low, high, 21 if hint.startswith("from 0 to 1") else 17)
    axes.hist(inside, bins, color=SKY, edgecolor=BLUE, linewidth=1.5)
    axes.yaxis.get_major_locator().set_params(integer=True)
    for (source, answer), style in zip(answers.items(), ("-", "--", ":", "-."), strict=False):
        label = f"answer: {_short(answer)} ({source})"
        axes.axvline(answer, color=ORANGE, linewidth=5, linestyle=style, label=_plain(label))
    axes.set_xlabel(_plain(hint), fontsize=TEXT)
    axes.set_ylabel("guesses", fontsize=TEXT)
    axes.legend(fontsize=TEXT, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    strange = [value for value in written if value not in inside]
    return ", ".join(f"{_short(v)}" for v in strange[:8]) + (" ..." if len(strange) > 8 else "")


def _span(numbers: list[float], answers: list[float], hint: str) -> tuple[float, float]:
    """Return the ends of the axis: what the hint says, or what holds the middle of the guesses."""
    stated = re.match(r"(?:.*)from (-?\d+) to (\d+)", hint)
    if stated:
        low, high = float(stated[1]), float(stated[2])
    else:
        low, high = np.quantile(numbers, [0.05, 0.95])
        middle = float(np.median([abs(value) for value in [*numbers, *answers]])) or 1.0
        low, high = max(low, -100 * middle), min(high, 100 * middle)
    low, high = min(low, *answers), max(high, *answers)
    if low == high:
        low, high = low - 1, high + 1
    return float(low), float(high)


def _draw_texts(axes: Any, written: list, answers: dict[str, Any], choices: dict) -> str:
    """Draw a bar for each answer that was given; that of the right one is marked by its frame."""
    right = {str(answer).strip().lower() for answer in answers.values()}
    counts = Counter(str(value).strip().lower() for value in written)
    names = sorted(choices) + sorted(right - set(choices))
    names += [name for name, _ in counts.most_common() if name not in names][: BARS - len(names)]
    others = {name: n for name, n in counts.items() if name not in names}
    for place, name in enumerate(names):
        good = name in right
        style = {"edgecolor": ORANGE, "linewidth": 6} if good else {"edgecolor": BLUE}
        axes.barh(place, counts[name], color=SKY, height=0.65, **style)
        mark = " ✓" if good else ""
        text = f"{counts[name]}{mark}"
        axes.text(counts[name], place, f"  {text}", va="center", fontsize=TEXT, color=INK)
    labels = [f"{_short(name)}: {choices[name]}" if name in choices else name for name in names]
    folded = [textwrap.fill(_plain(label)[:90], 30) for label in labels]
    axes.set_yticks(range(len(names)), folded)
    axes.invert_yaxis()
    axes.set_xlim(0, max([*counts.values(), 1]) * 1.2)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("guesses", fontsize=TEXT)
    return f"{sum(others.values())} others" if others else ""


def _plain(text: str) -> str:
    """Return a text as Matplotlib draws it, and not as a formula."""
    return shown(text.replace("`", "").replace("\n", "\0")).replace("$", r"\$").replace("\0", "\n")


def _short(value: Any) -> str:
    if isinstance(value, int | float) and math.isfinite(value):
        small = abs(value) < 10**6
        return f"{value:,.0f}" if value == int(value) and small else f"{value:.3g}"
    return shown(str(value))[:40]


# --- The summary ---------------------------------------------------------------------------------


def _write_page(path: Path, pictures: dict[str, str], exercises: list[dict]) -> None:
    """Write a page with all pictures in full width, and the table of exercises."""
    body = [
        f'<p><img src="{name}" alt="{html.escape(told)}" style="width: 100%">'
        for name, told in pictures.items()
    ]
    if exercises:
        cells = [[shown(str(value)) for value in row.values()] for row in exercises]
        body.append(html_table([list(exercises[0]), *cells]))
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>The class</title>'
    with whole(path) as part:
        part.write_text(f"{head}<h1>What the class guessed</h1>{''.join(body)}</html>", "utf-8")


def _tell(works: list[Work], exercises: list[dict], pictures: int, out: Path) -> None:
    head = ["notebook", "exercise", "passed", "of", "named most"]
    rows = [
        [
            row["notebook"],
            f"{row['exercise']} {row['checker'].split('.')[1]}",
            str(row["passed"]),
            str(row["pupils"]),
            textwrap.shorten(shown(row["mistake 1"]), 70, placeholder=" ..."),
        ]
        for row in exercises
    ]
    if rows:
        print(text_table([head, *rows]))
    for work in works:
        if work.fault or work.notice:
            mark = "✗ " if work.fault else "! "
            print(
                f"{mark}{shown(work.pupil)}, {shown(work.path.name)}: {work.fault or work.notice}"
            )
    good = len({work.pupil for work in works if not work.fault})
    print(f"{good} pupils read, {pictures} pictures, three tables: {out}, start with index.html")
