"""What a class guessed and solved, read from its notebooks: pictures for the projector, tables.

Each pupil has a notebook in the folder, named after the pupil, or a folder of notebooks. Beside a
notebook may lie the file that ``lesson.keep_guesses()`` has kept, with first guesses and mistakes
on the way. Nothing is run, unless the checkers are asked for: see :mod:`mnist_edu.recheck`.

Which guesses and exercises there are, the stored notebooks say. A cell is known by its code (it
sets ``guess_NAME``, or calls ``nbNN.checker``), as ids are lost where Colab has saved a notebook.
"""

import ast
import contextlib
import re
import statistics
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnist_edu import guesses, series
from mnist_edu.errors import AskedWrongly, WentWrong, needs
from mnist_edu.exercises.checker import RIGHT, UNANSWERED, WRONG

MOST_BYTES = 50_000_000  # of a notebook; those of the course have below 2 MB
SAID = re.compile(
    r"Your guess: (.*?) · answer: (.*?)(?: · .*)?|No guess written down\. Answer: (.*)"
)
NUMBER = re.compile(r"-?(?!0\d)\d[\d,]*(\.\d+)?(e[+-]?\d+)?")
DIGITS = re.compile(r"(.+): [\d,]+ train, ")
CHECKER = re.compile(r"\b(nb(\d\d)\.(?!compare)\w+)\(")


@dataclass
class Question:
    """A guess that a notebook asks for: its heading, what is written, its choices, its answer."""

    name: str  # of the variable: "guess_shift"
    title: str
    hint: str
    choices: dict[str, str] = field(default_factory=dict)
    stored: Any = None  # the answer of the stored notebook, on MNIST

    @property
    def asks_text(self) -> bool:
        return bool(self.choices) or '"' in self.hint


@dataclass
class Plan:
    """What a stored notebook asks: its guesses, and its exercises by the names of checkers."""

    number: str
    questions: dict[str, Question]
    exercises: dict[str, str]  # {"nb04.early_stop": "2"}


@dataclass
class Work:
    """What a pupil has done in a notebook, or in a file of guesses; or why it cannot be read."""

    pupil: str
    path: Path
    number: str = ""
    digits: str = ""  # where they were from: "MNIST"
    guesses: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)  # what the pupil's notebook measured
    verdicts: dict[str, list[str]] = field(default_factory=dict)  # by checker, in order
    kept: dict[str, list[str]] = field(default_factory=dict)  # verdicts on the way
    fault: str = ""  # why it is not counted
    notice: str = ""  # what the teacher should know of it
    notebook: Any = None

    def passed(self, checker: str) -> bool:
        return RIGHT in self.verdicts.get(checker, [])

    def mistakes(self, checker: str) -> list[str]:
        told = self.verdicts.get(checker, [])
        return [
            verdict.removeprefix(WRONG) for verdict in told if verdict not in (RIGHT, UNANSWERED)
        ]


# --- The stored notebooks ------------------------------------------------------------------------


def plans() -> dict[str, Plan]:
    """Return what each notebook of the series asks, by its number."""
    nbformat = needs("nbformat", "run")
    found = series.find().items()
    return {number: _plan(number, nbformat.read(path, 4)) for number, path in found}


def _plan(number: str, notebook: Any) -> Plan:
    questions, exercises, above = {}, {}, ""
    answers = _answers(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search("^#", cell.source, re.M):
            above = cell.source
        if "predict" in cell.metadata.get("tags", []):
            for name, hint in re.findall(
                r"^(guess_\w+) = \.\.\.(?: *# *(.*))?$", cell.source, re.M
            ):
                titles = re.findall(r"^#+ (?:Predict\b:? *)?(.*)$", above, re.M)
                asked = re.findall(r"[^.?!\n]+\?", above)  # where the heading says no more
                title = titles[-1] or (asked or [name])[-1].strip(") ")
                choices = dict(re.findall(r'^- `"([\w ]+)"`:? (.*?)[;.]?$', above, re.M))
                question = Question(name, title, hint, choices)
                question.stored = answers.get(name, (None, None))[1]
                questions[name] = question
        if "exercise" in cell.metadata.get("tags", []):
            for checker, _ in CHECKER.findall(cell.source):
                exercises[checker] = cell.id.split("-")[1]
    return Plan(number, questions, exercises)


# --- The class -----------------------------------------------------------------------------------


def read(folder: Path, known: dict[str, Plan]) -> list[Work]:
    """Read the notebooks and files of guesses of a class; what cannot be read has a ``fault``.

    Raises
    ------
    AskedWrongly
        If there is no such folder.
    WentWrong
        If it holds neither.
    """
    if not folder.is_dir():
        raise AskedWrongly(f"there is no folder {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".ipynb", ".json"))
    paths = [p for p in paths if not any(part[0] == "." for part in p.relative_to(folder).parts)]
    works = [_read(path, _pupil(folder, path), known) for path in paths]
    if not works:
        raise WentWrong(f"{folder} holds no notebooks (.ipynb) and no guesses (guesses-NN.json)")
    return _joined(works)


def _pupil(folder: Path, path: Path) -> str:
    """Return the name of the pupil's folder, or of the file in a folder of one notebook."""
    of_notebook = re.compile(r"(guesses-)?\d\d(_\w+)?")
    *folders, _ = path.relative_to(folder).parts
    if not of_notebook.fullmatch(path.stem):  # 04/anna.ipynb
        folders = [name for name in folders if not of_notebook.fullmatch(name)]
    return folders[0] if folders else path.stem


def _read(path: Path, pupil: str, known: dict[str, Plan]) -> Work:
    work = Work(pupil, path)
    try:
        if not path.is_file():
            raise ValueError("this is not a file")
        if path.stat().st_size > MOST_BYTES:
            size = path.stat().st_size / 1e6
            raise ValueError(f"{size:,.0f} MB are too many: clear its outputs, and save it again")
        fill = _from_kept if path.suffix == ".json" else _from_notebook
        fill(work, known)
    except OSError as error:
        work.fault = f"it cannot be read: {error.strerror}"
    except ValueError as error:
        work.fault = str(error)
    return work


def _from_kept(work: Work, known: dict[str, Plan]) -> None:
    kept = guesses.read(work.path)
    named = re.search(r"guesses-(\d\d)", work.path.name)
    checkers = Counter(name[2:4] for name in kept["exercises"] if CHECKER.match(f"{name}("))
    work.number = named[1] if named else max(checkers, default="")
    if work.number not in known:
        raise ValueError("no notebook of this series belongs to it")
    for name, told in kept["guesses"].items():
        if isinstance(told, dict) and "first" in told:
            work.guesses[name] = guesses.plain(told["first"])
            work.answers[name] = guesses.plain(told.get("answer", ""))
            work.digits = str(told.get("digits", ""))[:40] or work.digits
    for name, told in kept["exercises"].items():
        if isinstance(told, list):
            work.verdicts[name] = [str(verdict) for verdict in told]


def _from_notebook(work: Work, known: dict[str, Plan]) -> None:
    work.notebook = _notebook(work.path)
    code = [cell.source for cell in work.notebook.cells if cell.cell_type == "code"]
    mentioned = Counter(number for text in code for number in re.findall(r"\bnb(\d\d)\b", text))
    work.number = next((n for n, _ in mentioned.most_common() if n in known), "")
    if not work.number:
        raise ValueError("this is not a notebook of this series, or its cells are gone")
    for name, (guess, answer) in _answers(work.notebook).items():
        if guess is not None:
            work.guesses[name] = guess
        work.answers[name] = answer
    work.guesses |= _written(code)
    work.digits = _digits(work.notebook)
    work.verdicts = _verdicts(work.notebook)


def _notebook(path: Path) -> Any:
    nbformat = needs("nbformat", "run")
    try:
        with warnings.catch_warnings(action="ignore"):
            notebook = nbformat.reads(path.read_text("utf-8"), as_version=4)
            nbformat.validate(notebook)
            return notebook
    except OSError:
        raise
    except Exception as error:  # whatever a broken file makes of the reader
        empty = not path.stat().st_size
        told = "it is empty" if empty else f"this is no sound notebook ({type(error).__name__})"
        raise ValueError(f"{told}: ask for it again") from None


def _joined(works: list[Work]) -> list[Work]:
    """Add files of guesses to the notebook they belong to; of two copies the newer one counts."""
    kept: dict[tuple[str, str], Work] = {}
    sound = sorted((w for w in works if not w.fault), key=lambda w: w.path.stat().st_mtime)
    for work in [w for w in sound if w.notebook] + [w for w in sound if not w.notebook]:
        old = kept.get((work.pupil, work.number))
        if old and work.notebook:
            old.fault = f"not counted: {work.path.name} is a newer copy"
        if old and not work.notebook:  # first guesses, and mistakes on the way
            old.guesses |= work.guesses
            old.answers = work.answers | old.answers
            old.kept = work.verdicts
            for checker, told in work.verdicts.items():
                old.verdicts[checker] = list(dict.fromkeys(told + old.verdicts.get(checker, [])))
            work.fault = "joined"
        else:
            kept[work.pupil, work.number] = work
    return [work for work in works if work.fault != "joined"]


# --- One notebook --------------------------------------------------------------------------------


def _said(cell: Any) -> list[str]:
    texts = [output.get("text", "") for output in cell.get("outputs", [])]
    return [line.strip() for text in texts if isinstance(text, str) for line in text.splitlines()]


def code_cells(notebook: Any) -> Iterator[Any]:
    """Yield the cells of a notebook that hold code, but not those with solutions."""
    for cell in notebook.cells:
        solution = "solution" in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and not solution:
            if not cell.source.lstrip().startswith(guesses.SOLUTION):
                yield cell


def _answers(notebook: Any) -> dict[str, tuple[Any, Any]]:
    """Return guess (or None) and answer of each comparison that was run, by its variable."""
    found: dict[str, tuple[Any, Any]] = {}
    for cell in code_cells(notebook):
        if "compare" in cell.source:
            matches = [match for line in _said(cell) if (match := SAID.fullmatch(line))]
            said = [(_value(m[1]), _value(m[2] if m[3] is None else m[3])) for m in matches]
            found |= guesses.paired(cell.source, said)
    return found


def _value(text: str | None) -> Any:
    """Return the number at the start of a text, or the text."""
    match = NUMBER.match(text or "")
    if text is None or not match or len(match[0]) > 30:
        return text and text[: guesses.LENGTH]
    rest = text[match.end() :]  # a unit may follow, such as " %"
    value = float(match[0].replace(",", ""))
    return value if not rest or rest[0] == " " else text[: guesses.LENGTH]


def _written(code: Iterable[str]) -> dict[str, Any]:
    """Return the guesses that cells write down as they are, run or not."""
    found = {}
    for text in code:
        if "guess_" in text and len(text) < 10_000:
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                for node in ast.parse(text).body:
                    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                        found[node.targets[0].id] = _literal(node.value)
    return {name: v for name, v in found.items() if v is not None and name.startswith("guess_")}


def _literal(node: ast.expr) -> Any:
    """Return a value that is written as it is; None for a calculation or three dots."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return None if "Ellipsis" in repr(value) or value is None else guesses.plain(value)


def _digits(notebook: Any) -> str:
    for cell in code_cells(notebook):
        for output in cell.outputs:
            text = output.get("data", {}).get("text/plain", "")
            match = DIGITS.match(text) if isinstance(text, str) else None
            if match:
                return match[1][:40]
    return ""


def _verdicts(notebook: Any) -> dict[str, list[str]]:
    """Return what the checkers said below the answers; an answer that raised counts as wrong."""
    found: dict[str, list[str]] = {}
    for cell in code_cells(notebook):
        said = [
            line for line in _said(cell) if line in (RIGHT, UNANSWERED) or line.startswith(WRONG)
        ]
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                said.append(f"{WRONG}the cell raised {str(output.get('ename'))[:40]}")
        for checker, _ in CHECKER.findall(cell.source):
            found.setdefault(checker, []).extend(text[: guesses.LENGTH] for text in said)
    return found


# --- The class as a whole ------------------------------------------------------------------------


def counted(works: list[Work], number: str) -> list[Work]:
    """Return the sound works of a notebook, one for each pupil."""
    return [work for work in works if work.number == number and not work.fault]


def answer_by_source(works: list[Work], question: Question) -> dict[str, Any]:
    """Return the answer of a guess for each source of digits: the middle one, or the commonest.

    Where nobody has run the cell it is the stored notebook's, and says so.
    """
    found: dict[str, list] = {}
    for work in works:
        answer = work.answers.get(question.name)
        if answer not in (None, ""):
            found.setdefault(work.digits or "digits unknown", []).append(answer)
    if not found and question.stored is not None:
        return {"stored, MNIST": question.stored}
    return {source: _middle(answers) for source, answers in found.items()}


def _middle(values: list) -> Any:
    if all(isinstance(value, int | float) for value in values):
        return statistics.median_low(values)
    return Counter(map(str, values)).most_common(1)[0][0]


def exercise_rows(works: list[Work], plan: Plan) -> list[dict]:
    """Return for each exercise how many passed, and the mistakes that were named most."""
    present, rows = counted(works, plan.number), []
    for checker, exercise in plan.exercises.items():
        mistakes = Counter(m for work in present for m in dict.fromkeys(work.mistakes(checker)))
        named = [f"{text} ({times})" for text, times in mistakes.most_common(3)]
        tried = sum(bool(w.mistakes(checker)) or w.passed(checker) for w in present)
        passed = sum(work.passed(checker) for work in present)
        row: dict[str, Any] = {"notebook": plan.number, "exercise": exercise, "checker": checker}
        row |= {"pupils": len(present), "tried": tried, "passed": passed}
        rows.append(row | {f"mistake {i + 1}": (named + [""] * 3)[i] for i in range(3)})
    return rows


def guess_rows(works: list[Work], known: dict[str, Plan]) -> list[dict]:
    """Return a row for each guess that a pupil wrote down."""
    return [
        {
            "pupil": work.pupil,
            "notebook": work.number,
            "guess": name,
            "question": question.title,
            "value": work.guesses[name],
            "answer": work.answers.get(name, ""),
            "digits": work.digits,
        }
        for work in works
        if not work.fault
        for name, question in known[work.number].questions.items()
        if name in work.guesses
    ]


def pupil_rows(works: list[Work], known: dict[str, Plan]) -> list[dict]:
    """Return a row for each notebook of each pupil: what was written, passed, or went wrong."""
    most = max((len(plan.exercises) for plan in known.values()), default=0)
    rows = []
    for work in works:
        plan = known.get(work.number, Plan("", {}, {}))
        row: dict[str, Any] = {"pupil": work.pupil, "file": work.path.name, "notebook": work.number}
        row |= {"digits": work.digits, "problem": work.fault or work.notice}
        row["guesses"] = len(work.guesses.keys() & plan.questions.keys())
        row["of guesses"] = len(plan.questions)
        row["passed"] = sum(map(work.passed, plan.exercises))
        row["of exercises"] = len(plan.exercises)
        states = [_state(work, checker) for checker in plan.exercises]
        states += [""] * (most - len(states))
        rows.append(row | {f"exercise {i + 1}": state for i, state in enumerate(states)})
    return rows


def _state(work: Work, checker: str) -> str:
    mistakes = work.mistakes(checker)
    return "right" if work.passed(checker) else mistakes[-1] if mistakes else "open"
