"""The teacher's pack: each page has the promised form, and names cells that are there."""

import json
import re
import textwrap

import pytest
from prose import NOTEBOOKS, ROOT

TEACHER = ROOT / "book" / "teacher"
PAGES = {path.stem: path for path in sorted(TEACHER.glob("[0-9][0-9].md"))}
HEADINGS = ["What is often thought", "Beside the cells", "Quiz"]
CELL_NAME = re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`")
NO_CELLS = {"mnist-edu"}
ANSWER = re.compile(r"<details><summary>Answer</summary>\n\n(.*?)\n\n</details>", re.S)


def parts(text, level):
    """Cut a text at its headings of a level: a list of pairs, heading and what stands below it."""
    cut = re.split(rf"^{'#' * level} (.+)$", text, flags=re.M)[1:]
    return list(zip(cut[::2], cut[1::2], strict=True))


def cells_of(number):
    return json.loads(NOTEBOOKS[number].read_text("utf-8"))["cells"]


def ids_of(number):
    return {cell["id"] for cell in cells_of(number)}


def shown_by(number):
    """Return all that a reader of a stored notebook sees: sources, and outputs as text."""
    cells = cells_of(number)
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [output.get("text", output.get("data", {}).get("text/plain", "")) for output in outputs]
    return "\n".join("".join(text) for text in [*(cell["source"] for cell in cells), *texts])


def page(number):
    return PAGES[number].read_text("utf-8")


def section(number, heading):
    return dict(parts(page(number), 2))[heading]


def named_cells(text):
    return set(CELL_NAME.findall(text)) - NO_CELLS


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_each_notebook_has_its_page(number):
    title = "".join(cells_of(number)[0]["source"]).splitlines()[0].removeprefix("# ")
    assert number in PAGES, f"book/teacher/{number}.md is missing"
    assert page(number).startswith(f"# {number} {title}\n")
    assert [heading for heading, _ in parts(page(number), 2)] == HEADINGS


@pytest.mark.parametrize("number", PAGES)
def test_each_cell_that_is_named_is_in_the_notebook(number):
    assert named_cells(page(number)) <= ids_of(number)


@pytest.mark.parametrize("number", PAGES)
def test_three_wrong_ideas_are_exposed_asked_about_and_answered(number):
    ideas = parts(section(number, "What is often thought"), 3)
    assert len(ideas) == 3
    for heading, text in ideas:
        exposed, ask, answers = re.findall(r"^- \*\*(Exposed by|Ask:|Good answers)\*\*", text, re.M)
        assert (exposed, ask, answers) == ("Exposed by", "Ask:", "Good answers"), heading
        words = re.search(r"\*\*Exposed by\*\*(.*)", text)[1]
        assert set(re.findall(r"`([\w-]+)`", words)) & ids_of(number), f"{heading}: by which cell?"


@pytest.mark.parametrize("number", PAGES)
def test_notes_stand_below_a_heading_that_is_one_cell(number):
    notes = parts(section(number, "Beside the cells"), 3)
    names = [re.fullmatch(r"`([\w-]+)`", heading)[1] for heading, _ in notes]
    assert 2 <= len(names) <= 6 and len(set(names)) == len(names)
    assert set(names) <= ids_of(number)
    order = [cell["id"] for cell in cells_of(number)]
    assert names == sorted(names, key=order.index), "in the order of the notebook"
    assert all(text.strip() for _, text in notes)


@pytest.mark.parametrize("number", PAGES)
def test_six_questions_have_one_right_letter_and_a_reason_for_each_wrong_one(number):
    questions = parts(section(number, "Quiz"), 3)
    assert [heading for heading, _ in questions] == list("123456")
    right_letters = []
    for heading, text in questions:
        (answer,) = ANSWER.findall(text)
        asked = text.partition("<details>")[0]
        assert re.findall(r"^- ([a-d])\) \S", asked, re.M) == list("abcd"), heading
        (right,) = re.findall(r"^\*\*([a-d])\.\*\* \S", answer, re.M)
        reasons = re.findall(r"^- ([a-d](?:(?:, | and )[a-d])*)\b", answer, re.M)  # "a and c: ..."
        tempting = re.findall(r"\b[a-d]\b", " ".join(reasons))
        assert sorted(tempting) == [letter for letter in "abcd" if letter != right], heading
        right_letters.append(right)
    assert len(set(right_letters)) >= 3, f"who always answers alike wins: {right_letters}"


@pytest.mark.parametrize("number", PAGES)
def test_decimal_numbers_beside_a_lesson_are_those_that_it_shows(number):
    told = section(number, HEADINGS[0]) + section(number, HEADINGS[1])
    missing = set(re.findall(r"\d+\.\d+", told)) - set(re.findall(r"\d+\.\d+", shown_by(number)))
    assert not missing


# --- The plan of the sessions --------------------------------------------------------------------

ROW = re.compile(r"^\| (\d+)–(\d+) \| (\d\d) \| ([^|]*) \|")
SESSIONS = TEACHER / "sessions.md"


def plans():
    """Return the plans: each has rows of first and last minute, notebook, and its cells."""
    found, open_plan = [], False
    for line in SESSIONS.read_text("utf-8").splitlines():
        if row := ROW.match(line):
            found += [] if open_plan else [[]]
            named = re.findall(r"`([\w-]+)`", row[4])
            found[-1].append((int(row[1]), int(row[2]), row[3], named))
        open_plan = bool(row) or (open_plan and line.startswith("|"))
    return found


def test_eight_plans_fill_ninety_minutes_without_a_gap():
    assert len(plans()) == 8  # six sessions, and the version of two
    for plan in plans():
        assert [first for first, *_ in plan] == [0, *(last for _, last, *_ in plan[:-1])]
        assert plan[-1][1] == 90


def test_a_plan_names_cells_of_the_notebook_beside_them():
    for number, named in [row[2:] for plan in plans() for row in plan]:
        assert named and set(named) <= ids_of(number), f"{number}: {named}"


def test_other_cells_of_the_sessions_are_in_a_notebook():
    everywhere = set().union(*map(ids_of, NOTEBOOKS))
    assert named_cells(SESSIONS.read_text("utf-8")) <= everywhere


def first_words(cell):
    """Return the first words of a cell, below its heading, as a cell of a table."""
    lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
    line = next((line for line in lines if not line.startswith("#")), lines[0])
    if cell["cell_type"] == "code":
        return "`" + textwrap.shorten(line, 60, placeholder=" …").replace("|", "\\|") + "`"
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line).replace("**", "").removeprefix("- ")
    return textwrap.shorten(text, 60, placeholder=" …").replace("|", "\\|")


def finder(number):
    """Return the table that says where the cells of the plans are in a notebook."""
    named = {name for plan in plans() for row in plan if row[2] == number for name in row[3]}
    lines, section = ["| section | cell | begins with |", "| --- | --- | --- |"], "(the opening)"
    for cell in cells_of(number):
        source = "".join(cell["source"])
        headings = re.findall(r"^## (.+)$", source, re.M) if cell["cell_type"] == "markdown" else []
        if source.startswith("## "):
            section = headings[0]
        if cell["id"] in named:
            lines.append(f"| {section} | `{cell['id']}` | {first_words(cell)} |")
        section = [section, *headings][-1]
    return "\n".join(lines)


@pytest.mark.parametrize("number", ["00", "01", "03", "04", "05", "06", "09", "10"])
def test_the_finder_knows_each_cell_of_the_plans(number):
    tables = dict(parts((TEACHER / "cells.md").read_text("utf-8"), 2))
    (table,) = [text for heading, text in tables.items() if heading.startswith(number)]
    assert table.strip() == finder(number), f"book/teacher/cells.md, {number}: as on the right"


# --- Links ---------------------------------------------------------------------------------------


def anchors(path):
    """Return the names under which GitHub and the book know the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\s-]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", sorted(TEACHER.glob("*.md")), ids=lambda path: path.stem)
def test_links_lead_to_pages_and_headings_that_are_there(path):
    for target, heading in re.findall(
        r"\]\((?!http)([^)#\s]*)#?([^)\s]*)\)", path.read_text("utf-8")
    ):
        place = path.parent / target if target else path
        assert place.is_file(), target
        assert not heading or heading in anchors(place), f"{target}#{heading}"
