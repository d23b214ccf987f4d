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

from mnist_edu import classes, recheck, series
from mnist_edu.cache import whole
from mnist_edu.classes import Plan, Question, Work
from mnist_edu.errors import AskedWrongly, needs
from mnist_edu.exercises.checker import RIGHT, WRONG
from mnist_edu.palette import BLUE, FAULT, INK, MUTED, ORANGE, SKY
from mnist_edu.plots import Picture
from mnist_edu.show import html_table, text_table

WIDE, HIGH = 12.8, 7.2  # inches: the shape of a projector
TITLE, TEXT = 28, 22  # points
BARS = 8  # different texts that are drawn; the others are counted together
FAR = 20  # the largest guess so many times the smallest: the axis is logarithmic
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
    nbformat = needs("nbformat", "run")
    source, quick, stored = series.settled("auto"), {}, {}
    for number, path in series.find(sorted({w.number for w in works if w.number})).items():
        quick[number] = series.settings(path, full=False, source=source)
        stored[number] = nbformat.read(path, 4)

    def one(work: Work) -> str:
        plan, number = known[work.number], work.number
        unchanged = {cell.source for cell in stored[number].cells}  # what nobody has answered
        answers = [
            (checker, cell.source)
            for cell in classes.code_cells(work.notebook)
            for checker, _ in classes.CHECKER.findall(cell.source)
            if checker in plan.exercises and cell.source not in unchanged
        ]
        kept = {c: [v for v in told if v != RIGHT] for c, told in work.kept.items()}
        try:
            fresh = recheck.check(work.notebook, stored[number], answers, quick[number], limit)
        except ValueError as error:
            work.notice = str(error)
            return work.pupil
        work.verdicts = {c: kept.get(c, []) + fresh.get(c, []) for c in plan.exercises}
        ended = [c for c, told in fresh.items() if any("the answer " in v for v in told)]
        if ended:
            told = fresh[ended[0]][-1].removeprefix(WRONG)
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
    numeric = not question.asks_text and all(
        isinstance(answer, int | float) for answer in answers.values()
    )
    picture = Picture(HIGH, WIDE)
    axes = picture.subplots()
    if numeric and answers and any(isinstance(value, int | float) for value in written):
        left_out = _draw_numbers(axes, written, answers, question.hint)
    else:
        left_out = _draw_texts(axes, written, answers, question.choices)
    title = f"{question.title[:1].upper()}{question.title[1:]}"
    picture.suptitle(textwrap.fill(_plain(title), 52), fontsize=TITLE, color=INK)
    axes.tick_params(labelsize=TEXT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    truth = [f"{_short(answer)} ({source})" for source, answer in answers.items()]
    axes.set_title(_plain(f"answer: {', '.join(truth)}"), fontsize=TEXT, color=FAULT, loc="right")
    told = f"{len(written)} of {len(works)} wrote a guess · notebook {plan.number}"
    if left_out:
        told += f"\nnot drawn: {left_out}"
    lines = [textwrap.fill(_plain(line), 110) for line in told.splitlines()]
    picture.supxlabel("\n".join(lines), fontsize=16, color=MUTED)
    picture.set_layout_engine("constrained", w_pad=0.25, h_pad=0.2)
    picture.description = f"{title}: {told}; answer: {', '.join(truth)}".replace("\n", "; ")
    return picture


def _draw_numbers(axes: Any, written: list, answers: dict[str, float], hint: str) -> str:
    """Draw a histogram of numbers; return in words what does not fit onto its axis."""
    numbers = [float(value) for value in written if isinstance(value, int | float)]
    bins = _bins(numbers, list(answers.values()), hint)
    inside = [value for value in numbers if bins[0] <= value <= bins[-1]]
    if bins[0] > 0 and bins[-1] / bins[0] >= FAR:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, place: _short(value))
    axes.hist(inside, bins, color=SKY, edgecolor=BLUE, linewidth=1.5)
    axes.yaxis.get_major_locator().set_params(integer=True)
    for (source, answer), style in zip(answers.items(), ("-", "--", ":", "-."), strict=False):
        label = _plain(f"answer ({source})")
        axes.axvline(answer, color=ORANGE, linewidth=5, linestyle=style, label=label)
    axes.set_xlabel(_plain(hint), fontsize=TEXT)
    axes.set_ylabel("guesses", fontsize=TEXT)
    axes.legend(fontsize=TEXT, framealpha=0.8)
    strange = [value for value in written if value not in inside]
    return ", ".join(f"{_short(v)}" for v in strange[:8]) + (" ..." if len(strange) > 8 else "")


def _bins(numbers: list[float], answers: list[float], hint: str) -> np.ndarray:
    """Return the edges of bars: where the hint says, or around the middle of the guesses."""
    stated, both = re.search(r"from (-?\d+) to (\d+)", hint), [*numbers, *answers]
    if not stated and min(both) > 0 and max(both) / min(both) >= FAR:
        middle = float(np.median(both))
        return np.geomspace(max(min(both), middle / 1000), min(max(both), middle * 1000), 17)
    low, high = map(float, stated.groups()) if stated else np.quantile(numbers, [0.05, 0.95])
    low, high = min(low, *answers), max(high, *answers)
    if all(value == int(value) for value in both) and high - low <= 20:
        return np.arange(low - 0.5, high + 1)
    return np.linspace(low, high, 21) if low < high else np.array([low - 1, low, low + 1])


def _draw_texts(axes: Any, written: list, answers: dict[str, Any], choices: dict) -> str:
    """Draw a bar for each answer that was given; that of the right one is marked by its frame."""
    right = {_short(answer).strip().lower() for answer in answers.values()}
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
            who = f"{shown(work.pupil)}, {shown(work.path.name)}"
            print(f"✗ {who}: {shown(work.fault or work.notice)}")
    good = len({work.pupil for work in works if not work.fault})
    print(f"Pupils read: {good}. Pictures: {pictures}. Start with {out / 'index.html'}.")
