"""What all tests share."""

from __future__ import annotations

import os
import signal

import pytest

# The processes of `pytest -n` share the cores; torch would take all of them in each.
if _count := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(_count))))

# A test run in the background, or under nohup, ignores these, and so would the processes that it
# starts to see how zsfiji answers them.
for _name, _usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) == signal.SIG_IGN:
        signal.signal(getattr(signal, _name), _usual)


def pytest_sessionfinish(session, exitstatus):
    """Keep the status for :func:`pytest_unconfigure`."""
    session.config.zsfiji_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """End a process with a Java in it at once, and its display after it.

    After hundreds of windows Java and Python are not taken down together safely, and a crash after
    the last test would hide what the tests have said. How our own processes end is tested in
    processes of their own. pytest-xvfb would stop the display while Java still uses it.
    """
    import atexit
    import subprocess
    import sys

    jpype = sys.modules.get("jpype")
    if jpype is None or not jpype.isJVMStarted() or not hasattr(config, "zsfiji_status"):
        return
    xvfb = sys.modules.get("pytest_xvfb")
    display = getattr(getattr(xvfb, "xvfb_instance", None), "_virtual_display", None)
    if xvfb is not None and display is not None:
        atexit.unregister(xvfb.shutdown_xvfb)
        wait = f"while kill -0 {os.getpid()} 2>/dev/null; do sleep 0.2; done; kill {display.pid}"
        subprocess.Popen(["sh", "-c", wait], start_new_session=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.zsfiji_status)


@pytest.fixture(scope="session")
def window_manager():
    """Something that frames windows and gives them the keyboard, which Xvfb alone does not.

    Java looks for one only when it opens its first window.
    """
    import shutil
    import subprocess
    import time

    program = shutil.which("openbox") if os.environ.get("DISPLAY") else None
    # On a desk that has a window manager, it says so and ends.
    process = subprocess.Popen([program], stderr=subprocess.DEVNULL) if program else None
    if process is not None:
        time.sleep(0.5)
    yield
    if process is not None:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def ij(tmp_path_factory, window_manager):
    """The ImageJ of this test process: with windows where there is a display, else without.

    It knows nothing of the computer it runs on: no Fiji, no preferences of the user.
    """

    os.environ["ZSFIJI_FIJI"] = "none"
    import scyjava

    from zsfiji.bridge.start.host import start

    scyjava.config.add_option(f"-Duser.home={tmp_path_factory.mktemp('home')}")
    return start()


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder that may not be entered. Root may enter all, so permissions would test nothing."""
    folder = tmp_path / "locked"
    folder.mkdir()

    def refusing(call, start):
        def refuse(path=".", *given, **named):
            if str(path).startswith(start):
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *given, **named)

        return refuse

    monkeypatch.setattr(os, "stat", refusing(os.stat, f"{folder}{os.sep}"))
    monkeypatch.setattr(os, "scandir", refusing(os.scandir, str(folder)))
    return folder


@pytest.fixture
def windows(ij):
    """The same ImageJ, for tests that look at windows."""
    if ij.headless:
        pytest.skip("there is no display; Xvfb serves")
    return ij


@pytest.fixture
def closing(ij):
    """Close what a test leaves open, so that the next one starts with an empty desk."""
    yield
    for number in list(ij.ij1.WindowManager.getIDList() or ()):
        image = ij.ij1.WindowManager.getImage(number)
        image.changes = False
        image.close()
