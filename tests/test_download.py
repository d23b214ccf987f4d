"""Downloads from a real server on loopback that misbehaves on command."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import KNOWING, REAL

from mnist_edu import data, download


class Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list = []


class Mirror(BaseHTTPRequestHandler):
    """The first part of the path says how to behave: /good/NAME, /missing/NAME, ..."""

    def do_GET(self):
        _, how, name = self.path.split("/")
        self.server.asked.append(how)
        content = (self.server.folder / name).read_bytes()
        if how == "missing":
            return self.send_error(404)
        if how == "wrong":
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if how == "truncated":
            self.wfile.write(content[: len(content) // 2])
        elif how == "hanging":
            self.server.released.wait(20)
        elif how == "stalling":
            self.wfile.write(content[:100])
            self.wfile.flush()
            self.server.released.wait(20)
        elif how == "dripping":
            while not self.server.released.wait(0.05):
                self.wfile.write(b"x")
        else:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def serving(folder):
    server = Server(("127.0.0.1", 0), Mirror)
    server.folder, server.asked, server.released = folder, [], threading.Event()
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(small_files):
    with serving(small_files) as server:
        yield server


def all_whole(folder):
    return all(download.is_whole(folder / name) for name in download.FILES)


def any_whole(folder):
    return any(download.is_whole(folder / name) for name in download.FILES)


def mirrors(server, *ways):
    return tuple(f"http://127.0.0.1:{server.server_port}/{how}/" for how in ways)


def test_good_mirror_fills_the_cache(server, cache, monkeypatch):
    monkeypatch.setattr("mnist_edu.download.MIRRORS", mirrors(server, "good"))
    digits = data.load("mnist", validation_size=50)
    assert len(digits.train) == 250 and all_whole(cache)
    server.shutdown()
    assert len(data.load("mnist", 50).test) == 100


@pytest.mark.parametrize(
    "how", ["missing", "wrong", "truncated", "hanging", "stalling", "dripping"]
)
def test_bad_mirror_is_passed_over(server, cache, how):
    download.download(cache, silence=0.5, mirrors=mirrors(server, how, "good"))
    assert all_whole(cache)
    assert server.asked == [how, "good", "good", "good", "good"]  # the bad one is asked once


def test_mirror_that_is_down_is_passed_over(server, cache):
    dead = ("http://127.0.0.1:9/",)
    download.download(cache, silence=5, mirrors=dead + mirrors(server, "good"))
    assert all_whole(cache)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "answered 404"),
        ("wrong", r"SHA-256 of its [1-9][\d,]+ bytes does not match"),
        ("truncated", "bytes"),
        ("hanging", "no byte in"),
    ],
)
def test_error_names_every_mirror_and_its_fault(server, cache, how, said):
    both = mirrors(server, how, "missing")
    with pytest.raises(data.Unavailable) as caught:
        download.download(cache, silence=0.5, mirrors=both)
    text = str(caught.value)
    assert re.search(said, text) and all(mirror in text for mirror in both)
    assert not [name for name in download.FILES if (cache / name).exists()]


def test_good_file_is_not_asked_for_again(server, cache):
    download.download(cache, mirrors=mirrors(server, "good"))
    before = list(server.asked)
    download.download(cache, mirrors=mirrors(server, "wrong"))
    assert server.asked == before and all_whole(cache)


def test_worse_file_never_replaces_a_good_one(server, cache):
    download.download(cache, mirrors=mirrors(server, "good"))
    name = next(iter(download.FILES))
    (cache / name).write_bytes(b"damaged")
    with pytest.raises(data.Unavailable):
        download.download(cache, mirrors=mirrors(server, "wrong"))
    assert [each for each in download.FILES if not download.is_whole(cache / each)] == [name]


@pytest.mark.slow
def test_network_that_swallows_everything_costs_auto_little(server, few_embedded, monkeypatch):
    ways = mirrors(server, "hanging", "hanging", "hanging")
    monkeypatch.setattr("mnist_edu.download.MIRRORS", ways)
    start = time.monotonic()
    assert data.load("auto", 50).source == "embedded digits"
    assert time.monotonic() - start < 10.5


def test_cache_that_cannot_be_written_is_said(server, tmp_path):
    (tmp_path / "a file").write_text("in the way")
    with pytest.raises(data.Unavailable, match="cache folder cannot be made"):
        download.download(tmp_path / "a file" / "cache", mirrors=mirrors(server, "good"))


def test_load_goes_on_where_the_cache_cannot_be_written(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mnist_edu.download.MIRRORS", mirrors(server, "good"))
    (tmp_path / "a file").write_text("in the way")
    assert len(data.load("mnist", 50, cache=tmp_path / "a file" / "cache").train) == 250
    said = capsys.readouterr().err
    assert said.count("serves this time only") == said.count("not kept for next time") == 1


def test_full_disk_ends_the_download_with_a_sentence(server, cache, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(download.CacheFault, match="No space left"):
        download.download(cache, mirrors=mirrors(server, "good"))


def test_surprise_in_the_download_is_no_success(server, cache, monkeypatch):
    def surprise(*_, **__):
        raise KeyError("surprise")

    monkeypatch.setattr("requests.get", surprise)
    with pytest.raises(data.Unavailable, match="KeyError: 'surprise'"):
        download.download(cache, mirrors=mirrors(server, "good"))


def test_name_lookup_that_hangs_is_given_up(server, cache, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: server.released.wait(20))
    with pytest.raises(data.Unavailable, match="no byte in"):
        download.download(cache, silence=0.3, mirrors=("http://digits.invalid/",))


def test_error_says_what_to_do(server, monkeypatch):
    monkeypatch.setattr("mnist_edu.download.MIRRORS", mirrors(server, "missing"))
    with pytest.raises(data.Unavailable, match="answered 404.*What to do.*MNIST_EDU_DATA"):
        data.load("mnist")


def test_progress_stays_short_and_within_the_whole(server, cache, capsys):
    download.download(cache, mirrors=mirrors(server, "good"))
    said = capsys.readouterr().err
    assert all(f"{name}: " in said for name in download.FILES) and len(said) < 2000
    assert all(int(part) <= 100 for part in re.findall(r"(\d+)%", said))


LOAD = (
    KNOWING
    + """
download.MIRRORS = (sys.argv[2],)
print(data.load("mnist", 50).train.images.astype(int).sum())
"""
)


def start(server, how):
    command = [sys.executable, "-c", LOAD, str(server.folder), *mirrors(server, how)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=dict(os.environ), stdout=pipe, stderr=pipe, text=True)


@pytest.mark.slow
def test_eight_processes_download_at_once(server, cache):
    started = [start(server, "good") for _ in range(8)]
    finished = [process.communicate(timeout=60) for process in started]
    assert len({out for out, _ in finished}) == 1 and finished[0][0].strip().isdigit()
    assert all_whole(cache)


def test_killed_download_leaves_nothing_that_is_read(server, cache):
    process = start(server, "stalling")
    while not server.asked and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    process.communicate(timeout=20)
    assert not any_whole(cache) and not [name for name in download.FILES if (cache / name).exists()]
    out, said = start(server, "good").communicate(timeout=60)
    assert out.strip().isdigit(), said


@pytest.mark.skipif(not REAL, reason="MNIST_EDU_DATA is not set")
def test_real_files_come_through(cache):
    with serving(Path(REAL).resolve()) as server:
        download.download(cache, mirrors=mirrors(server, "truncated", "good"))
    assert all_whole(cache)
