"""The prose of the series: text cells of the notebooks, README, glossary, and their numbers."""

import functools
import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
NOTEBOOKS = {p.name[:2]: p for p in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
PAGES = {"README": ROOT / "README.md", "GLOSSARY": ROOT / "notebooks" / "GLOSSARY.md"}
PLACES = [*NOTEBOOKS, *PAGES]

SMALL = "one two three four five six seven eight nine ten eleven twelve".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = {word: float(n) for n, word in enumerate(SMALL, 1)}
WORDS |= {word: 10.0 * n for n, word in enumerate(TENS, 2)}
LARGE = {"hundred": 1e2, "thousand": 1e3, "million": 1e6}
PARTS = {"half": 1 / 2, "halves": 1 / 2, "halve": 1 / 2, "halved": 1 / 2, "third": 1 / 3}
PARTS |= {"quarter": 1 / 4, "fifth": 1 / 5, "sixth": 1 / 6, "tenth": 1 / 10}
PARTS |= {"hundredth": 1e-2, "thousandth": 1e-3, "millionth": 1e-6}
TIMES = {"twice": 2.0, "double": 2.0, "doubles": 2.0, "doubled": 2.0, "dozen": 12.0}


def any_of(words: object) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


# --- Texts ---------------------------------------------------------------------------------------


@functools.cache
def texts(place: str) -> dict[str, str]:
    """Return the texts of a place: by cell id, or by heading. Every run of blanks is one space."""
    if place in NOTEBOOKS:
        cells = json.loads(NOTEBOOKS[place].read_text("utf-8"))["cells"]
        found = {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"}
    else:
        found = sections(PAGES[place].read_text("utf-8"))
    return {name: " ".join(text.split()) for name, text in found.items()}


def sections(page: str) -> dict[str, str]:
    """Cut a page at its headings, without the tables that benchmarks write into it."""
    page = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", page, flags=re.S)
    page = re.sub(r"```sh\n(.*?)```", lambda fence: comments(fence[1]), page, flags=re.S)
    parts = re.split(r"^##? (.+)$", page, flags=re.M)[1:]
    return dict(zip(map(slug, parts[::2]), map(str.strip, parts[1::2]), strict=True))


def comments(code: str) -> str:
    return " ".join(line.partition("#")[2].strip() + "." for line in code.splitlines())


def slug(heading: str) -> str:
    return re.sub(r"\W+", "-", heading.lower()).strip("-")


CODE = re.compile(r"```.*?```|`[^`]*`|<code>.*?</code>|(?<=\])\([^)]*\)|https?://\S+", re.S)


def without_code(text: str) -> str:
    """Blank out code and addresses; what stays keeps its place."""
    return CODE.sub(lambda match: " " * len(match[0]), text)


# --- Numbers -------------------------------------------------------------------------------------


class Said(float):
    """A number as it is said. It equals what it is when rounded to the digits that it has."""

    step = 0.0

    def __eq__(self, other: object) -> bool:
        return abs(float(self) - float(other)) <= self.step / 2 + 1e-9 * abs(self)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = float.__hash__


class Token(NamedTuple):
    start: int
    end: int
    text: str
    value: Said
    strict: bool  # it must stand in claims.toml


DIGITS = r"\d{1,3}(?:(?:,|\{,\})\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
NUMBER = re.compile(
    rf"""(?<![A-WYZa-wyz_\d.])(?P<digits>{DIGITS})(?P<percent>\s?\\?%)?
    (?:\s(?P<large>{any_of(LARGE)})s?\b)?
    |\b(?:(?P<count>{any_of(WORDS)})\s)?(?:(?P<part>{any_of(PARTS)})s?|(?P<more>{any_of(LARGE)})s?)\b
    |\b(?P<times>{any_of(TIMES)})s?\b
    |\b(?P<word>{any_of(WORDS)})\b""",
    re.VERBOSE | re.IGNORECASE,
)
REFERENCE = re.compile(
    r"\b(?:notebook|exercise|lines?) \d+(?: to \d+)?"
    r"|(?<![.\d])0\d\b(?!\.)|(?<=\[)1[0-2](?=\]| [A-Z])",  # 06, [11](11_...), [12 Scaling out]
    re.I,
)
RUNNING = re.compile(r"The cells run in [^.]*|\| \d+ min \| ~?\d+ min \|")  # see test_report.py
UNITS = """epoch pass passe seed minute second error layer convolution filter unit weight parameter
point time MB kB GB byte core step run training processe pixel network file number score logit
probabilitie digit image fault place batche line bit loop pair test kind""".split()
MEASURED = re.compile(
    rf"\s(?:[a-z]+\s)?(?:{'|'.join(UNITS)})s?\b"
    rf"|\s(?:of|in)\s(?:the\s|a\s)?(?:\d|(?:{any_of(WORDS)}|hundred)\b)|\sx\s\d|\sto\s\d+\spixels"
)
EASY = 11  # numbers in digits below this, and words below five, count only where MEASURED says so


@functools.lru_cache(4000)
def numbers(text: str) -> list[Token]:
    """Return the numbers of a text in order; code and references are left out."""
    bare = without_code(text)
    for apart in (REFERENCE, RUNNING):
        bare = apart.sub(lambda match: " " * len(match[0]), bare)
    return [token(match, bare) for match in NUMBER.finditer(bare)]


def token(match: re.Match, bare: str) -> Token:
    value = said(match)
    return Token(match.start(), match.end(), match[0], value, strict(match, bare))


def said(match: re.Match) -> Said:
    found = match.groupdict()
    large = LARGE.get((found["large"] or found["more"] or "").lower(), 1.0)
    if found["digits"]:
        plain = found["digits"].replace("{,}", "").replace(",", "")
        scale = large * (0.01 if found["percent"] else 1)
        value = Said(float(plain) * scale)
        value.step = scale * 10.0 ** -len(plain.partition(".")[2])
        return value
    if found["times"]:
        return Said(TIMES[found["times"].lower()])
    if found["word"]:
        return Said(WORDS[found["word"].lower()])
    count = WORDS[found["count"].lower()] if found["count"] else 1
    return Said(count * (PARTS[found["part"].lower()] if found["part"] else large))


def strict(match: re.Match, bare: str) -> bool:
    """Say whether a number must stand in claims.toml."""
    found, value = match.groupdict(), said(match)
    if not found["word"] and not found["digits"]:
        return True
    if found["digits"] and (value >= EASY or value.step < 1 or found["large"]):
        return True
    rest = bare[match.end() :]
    if value == 1 and found["word"] and not re.match(r"\s(?:of|in)\s", rest):
        return False  # "one step" is a step
    if bare[: match.start()].endswith(" x "):
        return True
    return bool(MEASURED.match(rest)) or (value >= 5 and bool(found["word"]))
