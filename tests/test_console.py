"""Consoles that cannot print every character, exit codes, and the version."""

import os
import subprocess
import sys

import pytest

from mnist_edu import __main__, __version__, errors

SAY = """
import numpy as np
from mnist_edu import lesson, show
print("✓ right … 7 → 1 ♥")
lesson.compare("b", "b")
show.notice("a shadow … on the paper")
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_console_that_lacks_a_character_gets_another(encoding):
    env = dict(os.environ, PYTHONIOENCODING=encoding)
    done = subprocess.run([sys.executable, "-c", SAY], capture_output=True, env=env)
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode(encoding)
    plain = {"ascii": "+ right ... 7 -> 1 ?", "cp1252": "+ right … 7 -> 1 ?"}
    assert plain.get(encoding, "✓ right … 7 → 1 ♥") in said
    assert "a shadow" in done.stderr.decode(encoding)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AskedWrongly("no such thing"), 2),
        (errors.WentWrong("seed 1 failed"), 1),
        (errors.Missing("cv2 is missing"), 1),
        (ValueError("a corrupt file"), 1),
        (OSError(28, "No space left on device"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_code_tells_asked_wrongly_from_went_wrong(monkeypatch, capsys, error, code):
    def fail(arguments):
        raise error

    monkeypatch.setattr(__main__, "_figures", fail)
    assert __main__.main(["figures"]) == code
    assert str(error) in capsys.readouterr().err


def test_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        __main__.main(["--version"])
    assert ended.value.code == 0 and __version__ in capsys.readouterr().out


def test_missing_library_names_the_extra():
    with pytest.raises(errors.Missing, match=r'nothing is missing: pip install -e "\.\[ink\]"'):
        errors.needs("nothing.here", "ink")


def test_library_that_cannot_be_used_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text("import another_one")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(errors.Missing, match="broken_one cannot be used .*another_one"):
        errors.needs("broken_one", "ink")


def test_data_says_what_to_do_where_mnist_is_not(capsys):
    assert __main__.main(["data"]) == 1
    said = capsys.readouterr()
    assert "cache" in said.out and "there is no such folder" in said.out
    assert "MNIST is not here. What to do: connect" in said.err
