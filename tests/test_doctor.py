"""What the doctor finds, and that each finding that matters comes with a remedy."""

import os
import subprocess
import sys

import pytest

from mnist_edu import doctor


@pytest.fixture
def started(monkeypatch):
    """TensorFlow is not started in these tests."""
    ready = doctor.Finding("TensorFlow runs", doctor.OK, "on the CPU")
    monkeypatch.setattr(doctor, "_tensorflow", lambda: ready)


def by_name():
    return {finding.what: finding for finding in doctor.findings()}


def test_missing_tensorflow_ends_with_1_and_a_command(started, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "found_module", lambda name: name not in ("tensorflow", "cv2"))
    assert doctor.examine() == 1
    said = capsys.readouterr().out
    assert "The course cannot run yet: tensorflow." in said and "make run" in said


def test_what_is_optional_does_not_stop_the_course(started, monkeypatch, capsys):
    lacking = ("cv2", "anywidget", "tkinter")
    monkeypatch.setattr(doctor, "found_module", lambda name: name not in lacking)
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda package: "1")
    assert doctor.examine() == 0
    said = capsys.readouterr().out
    assert "embedded digits are drawn instead" in said and "Ready." in said


def test_cache_that_cannot_be_written_is_told(started, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MNIST_EDU_CACHE", str(tmp_path / "file" / "cache"))
    found = by_name()["cache folder"]
    assert found.state == doctor.OPTIONAL and "MNIST_EDU_CACHE" in found.remedy


@pytest.mark.parametrize(
    ("system", "machine", "version"),
    [
        ("darwin", "x86_64", (3, 12)),
        ("win32", "ARM64", (3, 12)),
        ("linux", "x86_64", (3, 14)),
        ("linux", "x86_64", (3, 10)),
    ],
)
def test_python_without_tensorflow_names_another_way(monkeypatch, system, machine, version):
    monkeypatch.setattr(doctor.sys, "platform", system)
    monkeypatch.setattr(doctor.sys, "version_info", version)
    monkeypatch.setattr(doctor.platform, "machine", lambda: machine)
    found = doctor._python()
    assert found.state == doctor.MISSING and "Colab" in found.remedy


def test_full_disk_and_silent_loopback_stop_the_course(started, monkeypatch):
    def refuse(address):
        raise OSError(1, "not permitted")

    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: doctor_usage(1e8))
    monkeypatch.setattr(doctor.socket, "create_server", refuse)
    found = by_name()
    assert found["disk"].state == found["loopback"].state == doctor.MISSING


def doctor_usage(free):
    class Usage:
        pass

    usage = Usage()
    usage.free = free
    return usage


def test_tensorflow_that_dies_or_hangs_is_a_finding(monkeypatch):
    def dies(*words, **how):
        return subprocess.CompletedProcess(words, -4, b"", b"")

    monkeypatch.setattr(doctor.subprocess, "run", dies)
    assert "AVX" in doctor._tensorflow().told

    def hangs(*words, timeout, **how):
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(doctor.subprocess, "run", hangs)
    assert doctor._tensorflow(9).told == "it did not start within 9 s"


@pytest.mark.slow
def test_doctor_prints_on_an_ascii_console():
    env = dict(os.environ, PYTHONIOENCODING="ascii")
    done = subprocess.run(
        [sys.executable, "-m", "mnist_edu", "doctor"], capture_output=True, env=env
    )
    assert done.returncode == 0, done.stderr
    assert b"TensorFlow runs" in done.stdout and b"Ready." in done.stdout
