"""SIGTERM, SIGHUP and Ctrl-C in the middle of a job, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

from zsfiji.images import tiff

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

_WORK = """
import os, sys, threading, time
from zsfiji import progress, signals
from zsfiji.commands import find
from zsfiji.images.files import replacing

def reporting(image, **values):
    print("begin", file=sys.stderr, flush=True)
    while True:
        progress.report(0.5, "Working")
        time.sleep(0.01)

def deep(image, **values):
    # As in a long computation: it hears of nothing. A file is half-written.
    with replacing("half.tif") as temporary:
        temporary.touch()
        print("begin", file=sys.stderr, flush=True)
        begun.set()
        time.sleep(60)

begun = threading.Event()
signals.PATIENCE = 1.0
object.__setattr__(find("denoise"), "function", globals()[sys.argv.pop(1)])
"""
_PROGRAM = f"{_WORK}\nfrom zsfiji import cli\nsys.exit(cli.main())"
_WINDOW = f"""{_WORK}
leaving = sys.argv[-1] == "quit" and sys.argv.pop()
from zsfiji import cli
from zsfiji.bridge import menu
from zsfiji.bridge.ui import jobs

def install(host, real=menu.install):
    real(host)
    def work():
        # The image is opened after the menu is there.
        deadline = time.monotonic() + 30
        while host.ij1.WindowManager.getCurrentImage() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        jobs.work(host, find("denoise"), host.ij1.WindowManager.getCurrentImage(), {{}})
    jobs.in_thread(work, "job")
    if leaving:
        def leave():
            begun.wait(60)
            time.sleep(0.5)
            jobs.stop_all(0.5)
            host.ij1.IJ.doCommand("Quit")
        threading.Thread(target=leave, daemon=True).start()

menu.install = install
sys.exit(cli.main())
"""
_SERVICE = f"{_WORK}\nfrom zsfiji.bridge.stock import worker\nworker.main()"


class Process:
    """A program that prints "begin" to standard error when its work has begun."""

    def __init__(self, code, *words, cwd, wait_for="begin"):
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            cwd=cwd,
            env={**os.environ, "ZSFIJI_FIJI": "none"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests run in the background of a shell, Ctrl-C would be ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.wait_for = wait_for

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def begin(self):
        stream = self.process.stderr if self.wait_for == "begin" else self.process.stdout
        seen = []
        for line in stream:
            seen.append(line)
            if self.wait_for in line:
                return
        raise AssertionError("".join(seen) + self.process.stderr.read())

    def stop(self, *numbers):
        """Send signals half a second apart; gives status, standard error, and the time it took."""
        self.begin()
        started = time.monotonic()
        for count, number in enumerate(numbers):
            time.sleep(0.5 if count else 0.1)
            self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said, time.monotonic() - started


@pytest.fixture
def cells(tmp_path):
    pixels = np.arange(20 * 24, dtype=np.uint16).reshape(20, 24)
    tiff.write(xr.DataArray(pixels, dims=("row", "col")), tmp_path / "cells.tif")
    (tmp_path / "job.ijm").write_text(
        f'open("{tmp_path / "cells.tif"}"); run("Zero-Shot Denoise...");'
        f'saveAs("tiff", "{tmp_path / "out.tif"}");'
    )
    (tmp_path / "wait.ijm").write_text('print("begin"); wait(60000); print("on");')
    (tmp_path / "loop.ijm").write_text('print("begin"); while (true) wait(1);')
    (tmp_path / "job.py").write_text(
        "#@ ImagePlus input\nfrom zsfiji.bridge.scripts import call\n"
        'call("Zero-Shot Denoise...", input, {})\n'
    )
    return tmp_path


def run(folder, work, *words, **options):
    before = sorted(folder.iterdir())
    process = Process(_PROGRAM, work, *words, cwd=folder, **options)
    return process, lambda: sorted(folder.iterdir()) == before


def test_run_stops_on_sigterm_and_keeps_nothing(cells):
    process, unchanged = run(cells, "reporting", "run", "denoise", "cells.tif", "-o", "out.tif")
    status, said, _ = process.stop(signal.SIGTERM)
    assert status == 143, said
    assert said.strip() == "zsfiji: stopped by SIGTERM."
    assert unchanged()


@pytest.mark.jvm
@pytest.mark.parametrize(
    "words",
    [
        ("macro", "job.ijm"),
        ("script", "job.py", "input=cells.tif", "output=out.tif"),
    ],
)
def test_a_job_in_java_stops_on_sigterm_and_java_does_not_crash(cells, words):
    process, unchanged = run(cells, "reporting", *words)
    status, said, _ = process.stop(signal.SIGTERM)
    assert status == 143, said
    assert said.strip() == "zsfiji: stopped by SIGTERM."
    # Neither a result nor the hs_err_pid file of a crash.
    assert unchanged()


@pytest.mark.jvm
@pytest.mark.parametrize("macro", ["wait.ijm", "loop.ijm"])
@pytest.mark.parametrize(
    ("number", "status", "name"), [(signal.SIGHUP, 129, " by SIGHUP"), (signal.SIGINT, 130, "")]
)
def test_a_macro_that_is_in_java_stops_too(cells, macro, number, status, name):
    process, unchanged = run(cells, "reporting", "macro", macro, wait_for="begin\n")
    found, said, seconds = process.stop(number)
    assert found == status, said
    assert said.strip().splitlines()[-1] == f"zsfiji: stopped{name}."
    assert seconds < 15
    assert unchanged()


def test_what_hears_of_nothing_is_ended_and_leaves_nothing_half_written(cells):
    process, unchanged = run(cells, "deep", "run", "denoise", "cells.tif")
    status, said, seconds = process.stop(signal.SIGTERM)
    assert status == 143
    assert said.strip() == "zsfiji: stopped by SIGTERM."
    assert seconds < 10
    assert unchanged()


def test_the_second_ctrl_c_ends_at_once(cells):
    process, unchanged = run(cells, "deep", "run", "denoise", "cells.tif")
    status, said, seconds = process.stop(signal.SIGINT, signal.SIGINT)
    assert status == 130
    assert said.strip().splitlines()[0] == "Stopping; press Ctrl-C again to end at once."
    assert seconds < 10
    assert unchanged()


def test_two_signals_at_once_are_one_as_gnu_timeout_sends_them(cells):
    process, _ = run(cells, "reporting", "run", "denoise", "cells.tif")
    process.begin()
    for _ in range(2):
        process.process.send_signal(signal.SIGTERM)
    _, said = process.process.communicate(timeout=60)
    assert process.process.returncode == 143
    assert said.strip() == "zsfiji: stopped by SIGTERM."


def test_a_signal_that_is_ignored_on_purpose_stays_ignored():
    code = """
import os, signal, time
from zsfiji import signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with signals.watched():
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(0.2)
    assert signals.received() is None
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    except signals.Stopped:
        print("stopped")
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


@pytest.mark.gui
@pytest.mark.jvm
@pytest.mark.parametrize("work", ["reporting", "deep"])
def test_the_window_ends_with_its_jobs_on_sigterm(windows, cells, work):
    before = sorted(cells.iterdir())
    process = Process(_WINDOW, work, "open", "cells.tif", cwd=cells)
    status, said, seconds = process.stop(signal.SIGTERM)
    assert status == 143, said
    assert "zsfiji: stopped by SIGTERM." in said
    assert seconds < 15
    assert sorted(cells.iterdir()) == before


@pytest.mark.gui
@pytest.mark.jvm
def test_quitting_does_not_wait_for_a_job_that_hears_of_nothing(windows, cells):
    process = Process(_WINDOW, "deep", "open", "cells.tif", "quit", cwd=cells)
    status, said, seconds = process.stop()
    assert status == 0, said
    assert seconds < 15


@pytest.mark.parametrize("work", ["reporting", "deep"])
def test_the_python_of_a_stock_fiji_ends_with_its_jobs_on_sigterm(cells, work):
    exchange = cells / "exchange"
    exchange.mkdir()
    request = {
        "task": "1",
        "requestType": "EXECUTE",
        "script": "from zsfiji.bridge.stock import worker\n"
        "worker.work(task, 'denoise', '', source, target, exchange=place)",
        "inputs": {
            "source": str(cells / "cells.tif"),
            "target": str(cells / "out.tif"),
            "place": str(exchange),
        },
    }
    process = Process(_SERVICE, work, cwd=cells)
    process.say(json.dumps(request) + "\n")
    before = {p for p in cells.iterdir() if p != exchange}
    # Standard input stays open, as it does while Fiji lives.
    process.begin()
    process.process.send_signal(signal.SIGTERM)
    status = process.process.wait(timeout=20)
    assert status == 143
    assert process.process.stderr.read().strip().endswith("zsfiji: stopped by SIGTERM.")
    assert set(cells.iterdir()) == before
