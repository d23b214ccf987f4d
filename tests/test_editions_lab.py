"""Editions as their readers meet them: in JupyterLab in a browser, and alone in an empty folder."""

import contextlib
import subprocess
import sys
import time
import urllib.request

import alone
import nbformat
import pytest
from browsers import chromium

from mnist_edu import editions, series, workers

SHORT = "05"
# What the page knows of each cell: its tags, whether its code is folded, its outputs.
READ = """
return window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => ({
    id: cell.model.id, tags: cell.model.getMetadata("tags") || [], kind: cell.model.type,
    folded: cell.inputHidden, count: cell.model.executionCount,
    outputs: cell.model.type === "code" ? cell.model.outputs.toJSON() : [],
}))"""
SHOWN = "return document.body.innerText"
RUN = """
window.jupyterapp.restored.then(async () => {
    await window.jupyterapp.shell.currentWidget.sessionContext.ready;
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
})"""


@contextlib.contextmanager
def lab(folder, place):
    """Run JupyterLab as ``mnist-edu lab`` does, without its own browser; give its address."""
    (port,) = workers.free_ports(1)
    command = [sys.executable, "-m", "jupyterlab", str(folder), "--no-browser", "--allow-root"]
    command += [
        f"--port={port}",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
    ]
    env = series.lab_environment(place) | {
        f"JUPYTER_{kind}_DIR": str(place / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")
    }
    with open(place / "log.txt", "wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()  # it ends its kernels, too
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def wait_for(true, seconds=180):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found := true():
                return found
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds} s in vain")


def all_ran(cells):
    """Whether each code cell has run, or one of them has failed, after which nothing runs."""
    failed = any(o["output_type"] == "error" for cell in cells for o in cell["outputs"])
    return failed or all(cell["count"] for cell in cells if cell["kind"] == "code")


def prepare(folder):
    """Make the reader's own folder; the short notebook reads few embedded digits."""
    editions.give(folder)
    (path,) = folder.glob(f"{SHORT}_*.ipynb")
    notebook = nbformat.read(path, 4)
    (parameters,) = [cell for cell in notebook.cells if cell.id == "parameters"]
    for name, value in (alone.quick(SHORT) | {"source": "synthetic"}).items():
        parameters.source += f"\n{name} = {value!r}"
    nbformat.write(notebook, path)
    return path.name


@pytest.mark.browser
def test_learner_sees_no_answer_before_running_and_runs_all(tmp_path):
    name = prepare(tmp_path / "my_notebooks")
    (tmp_path / "lab").mkdir()
    with (
        chromium(tmp_path / "browser", "1100,900") as page,
        lab(tmp_path / "my_notebooks", tmp_path / "lab") as at,
    ):
        wait_for(lambda: urllib.request.urlopen(f"{at}/api", timeout=30).status == 200)
        page.get(f"{at}/doc/tree/{name}?reset")
        wait_for(lambda: page.execute_script("return !!document.querySelector('.jp-CodeCell')"))
        wait_for(lambda: "Learner's edition." in page.execute_script(SHOWN))
        before = page.execute_script(READ)
        assert not any(cell["outputs"] or cell["count"] for cell in before)
        assert "Answer:" not in page.execute_script(SHOWN)
        page.execute_script(RUN)
        wait_for(lambda: all_ran(page.execute_script(READ)), 1500)
        after = page.execute_script(READ)
    solutions = [cell for cell in before + after if "solution" in cell["tags"]]
    assert len(solutions) >= 6 and all(cell["folded"] for cell in solutions)
    assert all(cell["count"] for cell in after if cell["kind"] == "code")
    outputs = [output for cell in after for output in cell["outputs"]]
    assert not [o["evalue"] for o in outputs if o["output_type"] == "error"]
    assert any("No guess written down. Answer:" in str(o.get("text")) for o in outputs)


@pytest.mark.slow
@pytest.mark.parametrize("number", ["00", SHORT])
def test_portable_notebook_runs_alone_in_an_empty_folder(tmp_path, number):
    python = alone.bare_python(tmp_path / "venv")
    out = alone.run(number, python, tmp_path / "empty", source="synthetic")
    row = series.results(out)
    assert row.source == "embedded digits" and row.results
    left = {path.name for path in (tmp_path / "empty").iterdir()}
    assert left <= {out.name, f"{series.find([number])[number].name}", "logs"}
