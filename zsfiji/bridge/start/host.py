"""Starting ImageJ in this process: the user's Fiji, or the embedded ImageJ.

The JVM starts once a process and cannot be started again; :func:`start` gives the same
:class:`Host` to everybody who asks.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from zsfiji.bridge.start import display, jars, java
from zsfiji.bridge.start import fiji as fijis
from zsfiji.bridge.start.classes import Classes, jc
from zsfiji.errors import UserError

_log = logging.getLogger(__name__)

_OPTIONS = (
    # ij1-patcher changes ImageJ's classes while they are loaded.
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    # Images live in the Java heap; the default is a quarter of the memory. It is taken when used.
    "-XX:MaxRAMPercentage=50",
    # Java would answer Ctrl-C and SIGTERM by ending the process under the threads that compute in
    # torch, which crashes. They are Python's; see zsfiji.signals.
    "-Xrs",
)
# Planes of megabytes are given out several times as fast as by the default collector.
_COLLECTOR = "-XX:+UseParallelGC"
_FROM_THE_USER = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
"""Variables with options that every Java takes, also one that is started by Python."""
_NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED"
_NATIVE_ACCESS_SINCE = 22
"""The first Java that is given the option; later ones warn without it (JEP 454, JEP 472)."""

_SECONDS_TO_OPEN = 60
"""For the window of a Fiji with many plugins on a slow disk; usually it takes a few."""

_SECONDS_TO_QUIT = 10
"""For ImageJ to save its preferences and close its window."""

_SECONDS_TO_END = 3
"""For closing windows and ending Java's threads; well below :data:`zsfiji.signals.PATIENCE`."""

_FOR_THE_END = (
    "Dialog",
    "EventHandler",
    "EventQueue",
    "GenericDialog",
    "Runnable",
    "Thread",
    "ThreadUtil",
    "Toolkit",
    "Window",
    "WindowEvent",
    "WindowManager",
)
"""Classes that :func:`_let_go` uses. While Python ends, JPype crashes on those that are new."""

returning: WeakSet[threading.Thread] = WeakSet()
"""Python's threads that may wait in Java for an answer of the user."""

_starting = threading.RLock()
_host: Host | None = None


@dataclass(frozen=True)
class Host:
    """A running ImageJ.

    Attributes
    ----------
    headless : bool
        Whether it runs without windows.
    gateway : object or None
        PyImageJ's gateway (``net.imagej.ImageJ``), None in the embedded ImageJ.
    fiji : str or None
        The Fiji that was opened, None for the embedded ImageJ.
    java : str
        Which Java runs it.
    ij1 : Classes
        Java classes by their short names: ``host.ij1.IJ``.
    """

    headless: bool
    gateway: Any
    fiji: str | None
    java: str
    ij1: Classes

    @property
    def version(self) -> str:
        """ImageJ's version and where it comes from, in words for the user."""
        imagej = f"ImageJ {self.ij1.ImageJ.VERSION}"
        if self.gateway is not None:
            imagej = f"Fiji with ImageJ2 {self.gateway.getVersion()}, {imagej}"
        return f"{imagej} ({self.fiji or 'embedded'}) on {self.java}"

    @property
    def running(self) -> bool:
        """Whether ImageJ is still there; a user can quit it by closing its window."""
        import jpype

        return jpype.isJVMStarted() and (self.headless or self.ij1.IJ.getInstance() is not None)

    def wait(self) -> None:
        """Return when the user has quit ImageJ. Without windows that is at once."""
        if self.headless:
            return
        window = self.ij1.IJ.getInstance()
        while self.running:
            time.sleep(0.2)
        _wait_until_closed(window)

    def quit(self) -> None:
        """End ImageJ without asking: windows close, unsaved images are lost.

        The Java machine ends with the Python process.
        """
        if self.headless or not self.running:
            return
        _close_images()
        window = self.ij1.IJ.getInstance()
        window.exitWhenQuitting(False)
        # Quits on a thread of its own.
        window.quit()
        deadline = time.monotonic() + _SECONDS_TO_QUIT
        while self.running and time.monotonic() < deadline:
            time.sleep(0.05)
        _wait_until_closed(window)


def current() -> Host | None:
    """The running ImageJ of this process, None before :func:`start`."""
    return _host


def start(*, headless: bool | None = None, fiji: str | None = None) -> Host:
    """Start ImageJ, or give the one that this process has started.

    Parameters
    ----------
    headless : bool, optional
        Without windows. None means windows if there is a display, and whatever already runs.
    fiji : str, optional
        The Fiji to open: a folder, a Maven endpoint, or ``none`` for the embedded ImageJ. Without
        it: ``ZSFIJI_FIJI``, the setting, one at the usual places, the embedded ImageJ.

    Returns
    -------
    Host
        The running ImageJ.

    Raises
    ------
    UserError
        If no Java serves, there is no display for windows, ImageJ cannot be fetched at the first
        start, the named Fiji is none, or this process runs ImageJ in the other mode.
    """
    global _host
    with _starting:
        if _host is None:
            _host = _start(headless, fiji)
        elif headless is not None and headless != _host.headless:
            has, wanted = ("without", "with") if _host.headless else ("with", "without")
            raise UserError(
                f"ImageJ already runs {has} windows in this process, and can start only once. "
                f"Start a new Python for one {wanted} windows."
            )
        elif fiji is not None and fijis.choose(fiji) != _host.fiji:
            raise UserError(
                f"{_host.fiji or 'The embedded ImageJ'} already runs in this process, and can "
                "start only once. Start a new Python for another one."
            )
        return _host


def serve(
    body: Callable[[Host], None], *, headless: bool | None = None, fiji: str | None = None
) -> None:
    """Start ImageJ, call `body` with it, and return when the user has quit it.

    This is the way to open windows from a program: macOS wants the main thread for its event loop,
    so `body` is called on another thread there (not tested on a Mac; it needs pyobjc).

    Parameters
    ----------
    body : callable
        Takes the host. What it raises is raised here.
    headless, fiji
        As for :func:`start`. Without windows this returns when `body` does.
    """
    if sys.platform != "darwin" or headless or (headless is None and display.why_not()):
        host = start(headless=headless, fiji=fiji)
        body(host)
        host.wait()
        return
    failure: list[BaseException] = []

    def work() -> None:
        try:
            host = start(headless=False, fiji=fiji)
            body(host)
            host.wait()
        except BaseException as error:
            failure.append(error)
        finally:
            AppHelper.stopEventLoop()

    try:
        from PyObjCTools import AppHelper
    except ImportError as error:
        raise UserError(
            "Windows on macOS need PyObjC: 'pip install pyobjc-framework-Cocoa', then start again. "
            "Or use 'zsfiji run' or 'zsfiji macro', which need no window."
        ) from error
    threading.Thread(target=work, name="zsfiji", daemon=True).start()
    AppHelper.runConsoleEventLoop()
    if failure:
        raise failure[0]


def _start(headless: bool | None, fiji: str | None) -> Host:
    import scyjava

    if scyjava.jvm_started():
        return _join(headless)
    where = fijis.choose(fiji)
    no_display = display.why_not()
    if headless is False and no_display:
        raise UserError(f"{no_display} {display.HOW_WITHOUT}")
    if headless is None:
        headless = bool(no_display)
    folder = Path(where) if where and Path(where).is_dir() else None
    if folder is not None:
        fijis.require_complete(folder)
    chosen, passed_over = java.find(windowed=not headless, fiji=folder)
    for reason in passed_over:
        _log.warning("%s Using %s instead.", reason, chosen)
    # scyjava, JPype and jgo all take it from here.
    os.environ["JAVA_HOME"] = str(chosen.home)
    for option in _OPTIONS:
        scyjava.config.add_option(option)
    if not any("GC" in os.environ.get(name, "") for name in _FROM_THE_USER):
        # Java refuses to start with two.
        scyjava.config.add_option(_COLLECTOR)
    if chosen.version >= (_NATIVE_ACCESS_SINCE,):
        scyjava.config.add_option(_NATIVE_ACCESS)
    scyjava.config.add_kwargs(interrupt=False)
    scyjava.when_jvm_stops(_let_go)
    if where is None:
        _start_embedded(headless)
        gateway = None
    else:
        gateway = _start_fiji(where, folder is not None, headless)
    for needed in _FOR_THE_END:
        getattr(jc, needed)
    if not headless:
        # Closing ImageJ's window must not end Python with whatever it is doing.
        jc.IJ.getInstance().exitWhenQuitting(False)
        # Makes their classes known, too.
        _events()
    return Host(headless, gateway, where, str(chosen), jc)


def _start_embedded(headless: bool) -> None:
    import scyjava

    # PyImageJ's parts add endpoints and repositories on import. With neither, and a Java found
    # already, scyjava asks nobody for anything.
    scyjava.config.endpoints.clear()
    scyjava.config.get_repositories().clear()
    scyjava.config.set_java_constraints(fetch="never")
    for jar in jars.fetch():
        scyjava.config.add_classpath(jar)
    if headless:
        scyjava.config.enable_headless_mode()
    try:
        scyjava.start_jvm()
    except TypeError:
        # PyImageJ's imglyb, where somebody has imported it, misses a jar that only Fiji has.
        if not (scyjava.jvm_started() and "imglyb" in sys.modules):
            raise
    jc.LegacyInjector.preinit()
    if headless:
        # What ImageJ does by itself at the first command; here it is done before the first image.
        init = jc.IJ.class_.getDeclaredMethod("init")
        init.setAccessible(True)
        init.invoke(None)
        return
    import jpype

    try:
        window = jc.ImageJ(jc.ImageJ.EMBEDDED)
    except jpype.JException as error:
        raise UserError(
            f"Java cannot open a window here ({error}). {display.HOW_WITHOUT}"
        ) from error
    window.setTitle("ImageJ with zsfiji")
    window.setVisible(True)


def _start_fiji(where: str, local: bool, headless: bool) -> Any:
    import imagej
    import scyjava

    if local:
        # Importing PyImageJ adds an endpoint of imglyb, which would be asked for on the network
        # although the Fiji has its jar.
        scyjava.config.endpoints.clear()
    # PyImageJ fails with "never"; with "auto" it takes the one that JAVA_HOME names.
    scyjava.config.set_java_constraints(fetch="auto")
    try:
        gateway = imagej.init(where, mode="headless" if headless else "interactive")
    except Exception as error:
        raise UserError(
            f"The Fiji {where} could not be started ({error}). Let Fiji update itself and try "
            "again, or give '--fiji none' for the ImageJ that zsfiji brings."
        ) from error
    if not headless:
        gateway.ui().showUI()
        deadline = time.monotonic() + _SECONDS_TO_OPEN
        while jc.IJ.getInstance() is None:
            if time.monotonic() > deadline:
                raise UserError(
                    f"The window of the Fiji {where} did not open within {_SECONDS_TO_OPEN} s. "
                    "Start that Fiji by itself once, or give '--fiji none'."
                )
            time.sleep(0.05)
    return gateway


def _join(headless: bool | None) -> Host:
    """Take part in a JVM that runs already: Fiji in Python mode, or a session with PyImageJ."""
    try:
        version = str(jc.IJ.getVersion())
    except TypeError as error:
        raise UserError(
            "This process runs a Java without ImageJ, and Java can start only once. Start a new "
            "Python and call zsfiji first."
        ) from error
    _log.info("Joining the ImageJ %s that runs in this process", version)
    runs_headless = bool(jc.GraphicsEnvironment.isHeadless()) or jc.IJ.getInstance() is None
    if headless is not None and headless != runs_headless:
        raise UserError(
            "The ImageJ that runs in this process was started "
            f"{'without' if runs_headless else 'with'} windows. Start a new Python for the other."
        )
    gateway = _gateway_there()
    home = str(jc.System.getProperty("java.home"))
    text = f"Java {jc.System.getProperty('java.version')} ({home})"
    folder = None
    if gateway is not None:
        folder = str(Path(str(gateway.app().getApp().getBaseDirectory())).resolve())
    return Host(runs_headless, gateway, folder, text, jc)


def _gateway_there() -> Any:
    """PyImageJ's gateway to the ImageJ2 that runs already, None where it is a plain ImageJ."""
    from jpype import JClass

    try:
        gateway = JClass("net.imagej.ImageJ")
    except TypeError:
        return None
    # Gives the gateway its Python side, ij.py.
    import imagej  # noqa: F401

    return gateway(jc.IJ.runPlugIn("org.scijava.Context", ""))


def _let_go() -> None:
    """Before the JVM stops: end the threads that would keep it, and the process, alive."""
    import jpype.config

    # ImageJ's filters leave a pool of threads behind.
    jc.ThreadUtil.threadPoolExecutor.shutdown()
    deadline = time.monotonic() + _SECONDS_TO_END
    # A question that waits for its answer may hold the lock that closing an image needs.
    for window in jc.Window.getWindows():
        if isinstance(window, jc.GenericDialog):
            # Whoever waits for it goes on, which disposing alone does not do for all of them. From
            # this thread it would wait for AWT's with a lock that AWT's may want.
            closing = jc.WindowEvent(window, jc.WindowEvent.WINDOW_CLOSING)
            _events().postEvent(closing)
        elif isinstance(window, jc.Dialog):
            _dispose(window)
    # Python would crash on a thread that comes back from Java while it is being taken down.
    for thread in list(returning):
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
    # The window of a stack has a thread that only its closing ends, and every window keeps AWT's.
    images = threading.Thread(target=_close_images, daemon=True)
    images.start()
    images.join(_SECONDS_TO_END)
    for window in jc.Window.getWindows():
        _dispose(window)
    while left := _threads_left():
        if time.monotonic() > deadline:
            _log.info("Java's threads %s do not end by themselves", ", ".join(left))
            # The JVM would wait for them for ever; so it goes as it is, with the process.
            jpype.config.destroy_jvm = False
            return
        time.sleep(0.02)


def _dispose(window: Any) -> None:
    """Let AWT's thread dispose of a window, without waiting for it.

    Disposing of a window takes the events of that window out of AWT's queue. With them goes the
    call of a second thread that waits to dispose of it, which then waits for ever.
    """
    if window.isDisplayable():
        # Java's own caller: Python's would have to answer while Python ends.
        dispose = jc.EventHandler.create(jc.Runnable.class_, window, "dispose")
        jc.EventQueue.invokeLater(dispose)


def _wait_until_closed(window: Any) -> None:
    """Return when ImageJ, which says that it has ended a little before, has closed its window."""
    import jpype

    deadline = time.monotonic() + _SECONDS_TO_QUIT
    while window is not None and jpype.isJVMStarted() and window.isDisplayable():
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)


def _events() -> Any:
    """AWT's queue of events."""
    return jc.Toolkit.getDefaultToolkit().getSystemEventQueue()


def _close_images() -> None:
    """Close every image on display; what is unsaved is lost."""
    for number in list(jc.WindowManager.getIDList() or ()):
        image = jc.WindowManager.getImage(number)
        if image is not None:
            image.changes = False
            image.close()


def _threads_left() -> list[str]:
    """Names of the threads for which the JVM waits before it ends."""
    own = jc.Thread.currentThread()
    return [
        str(thread.getName())
        for thread in jc.Thread.getAllStackTraces().keySet()
        if thread.isAlive() and not thread.isDaemon() and not thread.equals(own)
    ]
