"""The numbers in prose are those that were measured or can be counted: see claims.toml."""

import difflib
import functools
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import prose
import pytest
from facts import cells, names_for, numbers_in
from prose import NOTEBOOKS, PLACES, Said, Token, numbers

FILE = Path(__file__).with_name("claims.toml")
REASONS = {
    "definition": "a word is explained, or a form is given",
    "example": "a number made up to explain or to practise",
    "history": "what others wrote, made or measured",
    "advice": "a rule of thumb",
    "name": "part of a name, or an order",
    "speech": "a way of speaking",
    "guess": "a choice or a hint of a question",
    "machine": "a size or a time that each machine has its own of",
}
LETTERS = "abcdfghijklmnopqrstuvwxyz"  # e is Euler's number


class Claim(NamedTuple):
    place: str
    cell: str
    words: str
    rule: str
    line: int

    def __str__(self) -> str:
        return f"tests/claims.toml, line {self.line}, [{self.place}.{self.cell}]: {self.words!r}"


@functools.cache
def claims() -> list[Claim]:
    """Return the lines of claims.toml, each with its number."""
    found, place, cell = [], "", ""
    for number, line in enumerate(FILE.read_text("utf-8").splitlines(), 1):
        if line.startswith("["):
            place, _, cell = line.strip("[] ").partition(".")
        elif line and not line.startswith("#"):
            ((words, rule),) = tomllib.loads(line).items()
            found.append(Claim(place, cell, words, rule, number))
    return found


def claims_of(place: str) -> list[Claim]:
    return [claim for claim in claims() if claim.place == place]


@functools.lru_cache(20_000)
def spots(words: str, text: str) -> list[range]:
    """Return where words stand in a text, cut out of no longer word or number."""
    before = r"(?<![\w.,])" if re.match(r"[\w.,]", words) else ""
    found = re.finditer(rf"{before}{re.escape(words)}(?!\w|[.,]\d)", text)
    return [range(*match.span()) for match in found]


def within(token: Token, spot: range) -> bool:
    return spot.start <= token.start and token.end <= spot.stop


# --- What can be wrong ---------------------------------------------------------------------------


def misplaced(place: str) -> list[str]:
    """Return a sentence for each claim whose words do not stand in their text once."""
    faults = []
    for claim in claims_of(place):
        text = prose.texts(place).get(claim.cell)
        if text is None:
            faults.append(
                f"{claim}: there is no such text any more: rename the heading, or remove it"
            )
        elif not (count := len(spots(claim.words, text))):
            told = f"stands there no longer, but {closest(claim.words, text)!r}"
            faults.append(f"{claim} {told}: write the new words, and see that they are true")
        elif count > 1:
            faults.append(f"{claim} stands there {count} times: take more words")
    return faults


def closest(words: str, text: str) -> str:
    """Return the sentence of a text that is most like some words."""
    sentences = re.split(r"(?<=[.!?:;|])\s|\s-\s", text)
    return max(sentences, key=lambda s: difflib.SequenceMatcher(None, words, s).ratio())


def untrue(place: str) -> list[str]:
    """Return a sentence for each claim that is false, or whose numbers its rule does not use."""
    there = [c for c in claims_of(place) if spots(c.words, prose.texts(place).get(c.cell, ""))]
    return [fault for claim in there if (fault := fault_of(claim))]


def fault_of(claim: Claim) -> str:
    found = tokens_of(claim)
    if claim.rule in REASONS:
        return "" if any(t.strict for t in found) else f"{claim}: no number here needs a reason"
    letters = dict(zip(LETTERS, found, strict=False))
    shown = ", ".join(f"{letter} = {token.text}" for letter, token in letters.items())
    for letter, token in letters.items():
        if token.strict and not re.search(rf"\b{letter}\b", claim.rule):
            return f"{claim}: the rule does not use {token.text} ({shown})"
    told: list[str] = []
    names = names_for(claim.place, told) | {a: token.value for a, token in letters.items()}
    try:
        true = eval(claim.rule, {"__builtins__": {}} | names)
    except Exception as error:
        return f"{claim}: {claim.rule} gives {type(error).__name__}: {error}"
    return (
        "" if true is True else f"{claim} is not true: {claim.rule} ({'; '.join([shown, *told])})"
    )


def tokens_of(claim: Claim) -> list[Token]:
    """Return the numbers in the words of a claim, as they are in their text."""
    if claim.place == "anywhere":
        return numbers(claim.words)
    text = prose.texts(claim.place).get(claim.cell, "")
    return [t for spot in spots(claim.words, text)[:1] for t in numbers(text) if within(t, spot)]


def unclaimed(place: str) -> list[str]:
    """Return a sentence for each number that should stand in a claim and does not."""
    faults, anywhere = [], claims_of("anywhere")
    for cell, text in prose.texts(place).items():
        own = [claim for claim in claims_of(place) if claim.cell == cell]
        known = [spot for claim in anywhere + own for spot in spots(claim.words, text)]
        where = f"below line {own[-1].line}" if own else f"below a new heading [{place}.{cell}]"
        for token in numbers(text):
            if token.strict and not any(within(token, spot) for spot in known):
                around = text[max(0, token.start - 50) : token.end + 40]
                told = f"[{place}.{cell}] says {token.text!r} in “…{around}…”"
                faults.append(f"{told}: write its words into tests/claims.toml, {where}")
    return faults


def unknown(place: str) -> list[str]:
    """Return a sentence for each number in quoted code, or of 1,000 and more, that is nowhere."""
    faults = []
    for cell, text in prose.texts(place).items():
        for quoted in re.findall(r"(?<!`)`[^`]+`|<code>.*?</code>", text):
            strange = [n for n in numbers_in(quoted) if abs(n) not in numbers_of(place)]
            faults += [
                f"[{place}.{cell}] quotes {quoted}: {n:g} is in no code here" for n in strange
            ]
    for claim in claims_of(place):
        if claim.rule in REASONS:
            large = [t for t in tokens_of(claim) if "," in t.text and t.value not in everywhere()]
            faults += [
                f"{claim}: {t.text} is in no code and no output of the series" for t in large
            ]
    return faults


@functools.cache
def numbers_of(place: str) -> set[float]:
    """Return the numbers in code and outputs of a notebook, without signs."""
    texts = [cell[part] for cell in cells(place).values() for part in ("code", "out")]
    return {abs(number) for text in texts for number in numbers_in(text)}


@functools.cache
def everywhere() -> set[float]:
    return set().union(*map(numbers_of, NOTEBOOKS))


# --- The prose as it is --------------------------------------------------------------------------


def test_claims_are_valid_and_of_places_that_exist():
    tomllib.loads(FILE.read_text("utf-8"))
    assert {claim.place for claim in claims()} == {"anywhere", *PLACES}


@pytest.mark.parametrize("place", PLACES)
def test_claimed_words_stand_in_their_text_once(place):
    faults = misplaced(place)
    assert not faults, "\n".join(faults)


def test_claims_for_anywhere_are_true_and_stand_somewhere():
    everything = " ".join(text for place in PLACES for text in prose.texts(place).values())
    unused = [str(claim) for claim in claims_of("anywhere") if not spots(claim.words, everything)]
    assert not unused, "these stand nowhere any more, remove them:\n" + "\n".join(unused)
    assert [fault for claim in claims_of("anywhere") if (fault := fault_of(claim))] == []


@pytest.mark.parametrize("place", PLACES)
def test_claims_are_true(place):
    faults = untrue(place)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("place", PLACES)
def test_every_number_that_counts_is_in_a_claim(place):
    faults = unclaimed(place)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("place", NOTEBOOKS)
def test_numbers_of_code_in_prose_and_large_ones_are_in_the_notebook(place):
    faults = unknown(place)
    assert not faults, "\n".join(faults)


# --- Planted faults ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "old", "new", "said"),
    [
        ("00", "keeps 7,850 numbers", "keeps 7,840 numbers", "stands there no longer"),
        ("06", "The network learns 3,274,634", "The network learns 3,274,643", "says '3,274,643'"),
        ("06", "reads about a third of", "reads about two thirds of", "says 'two thirds'"),
        ("06", "reports 99.25 %", "reports 99.52 %", "says '99.52 %'"),
        ("10", "four digits in blue ink", "five digits in blue ink", "says 'five'"),
        ("01", "over five seeds", "over ten seeds", "says 'ten'"),
        ("04", "has six times the weights", "has three times the weights", "says 'three'"),
        ("00", "`(60000, 28, 28)` reads", "`(66000, 28, 28)` reads", "66000 is in no code here"),
        ("02", "so the images come", "so 17.2 images come", "says '17.2'"),
        ("README", "by 0 to 4 pixels", "by 0 to 6 pixels", "says '6'"),
        ("GLOSSARY", "70,000 handwritten", "60,000 handwritten", "says '60,000'"),
    ],
)
def test_a_changed_number_is_noticed(monkeypatch, place, old, new, said):
    before = prose.texts(place)
    assert any(old in text for text in before.values())
    after = {cell: text.replace(old, new) for cell, text in before.items()}
    known = prose.texts
    monkeypatch.setattr(prose, "texts", lambda asked: after if asked == place else known(asked))
    found = misplaced(place) + unclaimed(place)
    found += unknown(place) if place in NOTEBOOKS else []
    assert said in "\n".join(found)


@pytest.mark.parametrize(
    ("words", "rule", "said"),
    [
        ("keeps 7,840 numbers", "a == 784 * 10 + 10", "is not true: a == 784 * 10 + 10 (a = 7,840"),
        ("0.93 after 1,000 steps", 'a == result("test_accuracy")', "does not use 1,000"),
        ("0.93 of them", 'a == result("test_accuracy")', "result('test_accuracy') is 0.919"),
        ("about two thirds", 'near(a, mean(band("shift_2")))', "is not true"),
        ("0.90 and 0.93", 'spans(a, b, band("test_accuracy"))', "is not true"),
        ("0.92 of them", 'a == result("tset_accuracy")', "KeyError: 'tset_accuracy'"),
        ("0.92 of them", 'a == out("look-1000", "nowhere")', "'nowhere' is not there"),
        ("few of them", "speech", "no number here needs a reason"),
    ],
)
def test_a_false_claim_is_told_with_what_it_was_held_against(monkeypatch, words, rule, said):
    monkeypatch.setattr(prose, "texts", lambda place: {"cell": f"It says: {words}, here."})
    assert said in fault_of(Claim("01", "cell", words, rule, 1))


def test_a_renamed_cell_and_words_that_stand_twice_are_told(monkeypatch):
    lines = [Claim("01", "gone", "ten", "speech", 7), Claim("01", "here", "ten", "speech", 8)]
    monkeypatch.setattr("test_prose.claims", lambda: lines)
    monkeypatch.setattr(prose, "texts", lambda place: {"here": "ten and ten"})
    gone, twice = misplaced("01")
    assert "line 7, [01.gone]" in gone and "there is no such text any more" in gone
    assert "line 8, [01.here]" in twice and "stands there 2 times" in twice


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("7,850 of 55,000 and $100{,}480$", [7850, 55000, 100480]),
        ("99.2 % or 0.992", [0.992, 0.992]),
        ("3.3 million, 20 million, a hundred, thousands", [3.3e6, 2e7, 100, 1000]),
        ("a third, two thirds, half, a quarter, one tenth", [1 / 3, 2 / 3, 1 / 2, 1 / 4, 1 / 10]),
        ("twice as many, three times, a dozen", [2, 3, 12]),
        ("Nine of ten", [9, 10]),
        ("as in notebook 06 and in 08, line 16, exercise 3", []),
        ("the 1990s, in 2016", [1990, 2016]),
        ("`x = 17` and [this](page17.html)", []),
        ("28 x 28 and 3x3x32", [28, 28, 3, 3, 32]),
    ],
)
def test_numbers_are_read_as_they_are_said(text, values):
    assert [float(token.value) for token in numbers(text)] == pytest.approx(values)


def test_said_numbers_equal_what_rounds_to_them():
    (rounded, percent, exact, third) = (t.value for t in numbers("0.92, 99.2 %, 7,850, a third"))
    assert rounded == 0.9193 and not rounded == 0.9149
    assert percent == 0.9923 and percent != 0.9927
    assert exact == 7850 and exact != 7851
    assert third == 1 / 3 and third != 0.34
    assert isinstance(third, Said)
