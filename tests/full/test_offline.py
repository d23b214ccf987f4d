"""The quick series on a machine without MNIST that reaches nothing but itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_edu import bands, data, series

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
ALONE = ["unshare", "--map-root-user", "--net", sys.executable, "-c"]
# A new network namespace has a loopback that is down; kernels need it. 0x8914: SIOCSIFFLAGS.
START = """
import fcntl, runpy, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))
try:
    socket.create_connection(("192.0.2.1", 80), timeout=3)
except OSError:
    runpy.run_module("mnist_edu", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """Run ``python -m mnist_edu run`` in a network namespace; return what it said, and where."""
    if not shutil.which("unshare") or subprocess.run([*ALONE, ""], capture_output=True).returncode:
        pytest.skip("this machine cannot make a network namespace (Linux with unshare can)")
    folder = tmp_path_factory.mktemp("offline")
    env = {k: v for k, v in os.environ.items() if k != "MNIST_EDU_DATA"}
    env |= {"MNIST_EDU_CACHE": str(folder / "cache")}
    command = [*ALONE, START, "run", "--out", str(folder / "out")]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    return done, folder / "out"


def test_series_runs_and_says_that_digits_are_embedded(offline):
    done, out = offline
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert data.EMBEDDED in done.stderr and data.EMBEDDED in done.stdout
    (first, *_) = sorted(out.rglob("index.html"), key=lambda path: path.parent.name != "pages")
    assert data.EMBEDDED in first.read_text("utf-8")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_results_on_embedded_digits_lie_in_their_bands(offline, path):
    out = offline[1]
    found = series.results(out / path.name)
    assert found.source == "embedded digits"
    (page,) = [page.read_text("utf-8") for page in out.rglob(f"{path.stem}.html")]
    assert page.count(data.EMBEDDED) >= 2  # above the page, and where the digits are loaded
    name = f"{path.name[:2]}-quick-embedded-digits.json"
    band = json.loads((ROOT / "tests" / "bands" / name).read_text())
    assert bands.outside(band, found.results) == []
