"""JupyterLab as ``mnist-edu lab`` opens it: quiet cells, and no question about news."""

import re
import subprocess
import sys
import time
import urllib.request

import pytest

from mnist_edu import series, workers

LOUD = """
import os
os.write(2, b"a log line of a library")
print("said by the cell")
"""


def page_at(address, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.read().decode()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.5)


@pytest.mark.slow
def test_page_asks_nothing_about_news(tmp_path):
    env = series.lab_environment(tmp_path / "profile")
    (port,) = workers.free_ports(1)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--IdentityProvider.token=", f"--notebook-dir={tmp_path}"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    try:
        page = page_at(f"http://127.0.0.1:{port}/lab")
    finally:
        process.kill()
        process.wait()
    disabled = re.search(r'"disabledExtensions": \[([^]]*)\]', page).group(1)
    assert "@jupyterlab/apputils-extension:announcements" in disabled


@pytest.mark.slow
def test_log_of_a_library_stays_out_of_the_cell(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(LOUD)])
    env = series.lab_environment(tmp_path / "profile")
    nbclient.NotebookClient(notebook).execute(env=env)
    assert [output["text"] for output in notebook.cells[0].outputs] == ["said by the cell\n"]
