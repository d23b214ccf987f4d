"""What the teacher's pages quote from a stored cell stands there."""

import re
from pathlib import Path

import pytest
from cells import cells_of

TEACHER = Path(__file__).parents[1] / "book" / "teacher"
QUOTED = re.compile(r"`([a-z0-9-]+)` \(stored: ([^)]+)\)")


def says(cell: dict) -> str:
    """Return all words that a stored cell puts out."""
    outputs = cell.get("outputs", [])
    return "\n".join(
        "".join(o.get("text") or o.get("data", {}).get("text/plain", "")) for o in outputs
    )


@pytest.mark.parametrize("number", ["07", "08", "09", "10", "11", "12"])
def test_numbers_are_those_of_the_cell_that_is_named(number):
    quoted = QUOTED.findall((TEACHER / f"{number}.md").read_text("utf-8"))
    assert len(quoted) >= 3
    for name, values in quoted:
        found = says(cells_of(number)[name])
        missing = [value for value in values.split(", ") if value not in found]
        assert not missing, f"{number} {name}: {missing}"
