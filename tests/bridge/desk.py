"""Hands and eyes for tests with windows: real mouse clicks and keys, by Java's own robot."""

from __future__ import annotations

import time
from contextlib import contextmanager

from jpype import JClass

from zsfiji.bridge.start.classes import jc


def wait(condition, seconds=10.0):
    """Wait until `condition` gives something, and give that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen in time; open: {list(windows())}")
        time.sleep(0.02)


def windows():
    """Title -> window, of all that are open."""
    found = {}
    for window in jc.Window.getWindows():
        if window.isShowing() and hasattr(window, "getTitle"):
            found[str(window.getTitle())] = window
    return found


def window(title, seconds=10.0):
    """The window of that title, waited for."""
    found = wait(lambda: windows().get(title), seconds)
    # A window manager puts it somewhere after it was opened.
    time.sleep(0.25)
    return found


def gone(title, seconds=10.0):
    """Wait until no window of that title is open."""
    wait(lambda: title not in windows(), seconds)


def parts(container):
    """All components in a window."""
    for component in container.getComponents():
        yield component
        if hasattr(component, "getComponents"):
            yield from parts(component)


def text_of(component):
    for name in ("getText", "getLabel"):
        if hasattr(component, name):
            return str(getattr(component, name)() or "").strip()
    return ""


def texts(container):
    """All that can be read in a window."""
    found = []
    for component in parts(container):
        if isinstance(component, jc.MultiLineLabel):
            lines = JClass("ij.gui.MultiLineLabel").class_.getDeclaredField("lines")
            lines.setAccessible(True)
            found.append("\n".join(str(line) for line in lines.get(component)))
        else:
            found.append(text_of(component))
    return "\n".join(found)


def part(container, text):
    """The button or field that shows `text`."""
    return next(
        c
        for c in parts(container)
        if text_of(c) == text and not isinstance(c, (jc.Label, jc.MultiLineLabel))
    )


_robot = None


def robot():
    global _robot
    if _robot is None:
        _robot = JClass("java.awt.Robot")()
        _robot.setAutoDelay(15)
    return _robot


def click(component):
    """Click into the middle of a component."""
    place = component.getLocationOnScreen()
    click_at(place.x + component.getWidth() // 2, place.y + component.getHeight() // 2)


def click_at(x, y):
    """Click on the screen."""
    robot().mouseMove(x, y)
    button = JClass("java.awt.event.InputEvent").BUTTON1_DOWN_MASK
    robot().mousePress(button)
    robot().mouseRelease(button)
    time.sleep(0.1)


def press(title, label):
    """Press a button of a window."""
    click(part(window(title), label))


def key(name):
    """Press a key, as "ESCAPE"."""
    code = getattr(JClass("java.awt.event.KeyEvent"), f"VK_{name}")
    robot().keyPress(code)
    robot().keyRelease(code)
    time.sleep(0.1)


def choose(label):
    """Choose a menu entry; ImageJ answers a click on it in the same way."""
    jc.IJ.doCommand(label)


def images():
    """Titles of the open images."""
    return [str(title) for title in jc.WindowManager.getImageTitles()]


def show(title, kind="16-bit ramp", width=64, height=48, slices=1):
    """A new image in a window."""
    imp = jc.IJ.createImage(title, kind, width, height, slices)
    imp.show()
    wait(lambda: imp.getWindow() is not None and imp.getWindow().isShowing())
    return imp


def log():
    return str(jc.IJ.getLog() or "")


@contextmanager
def recorder():
    """The macro recorder; gives a function that reads it."""
    jc.IJ.doCommand("Record...")
    frame = window("Recorder")
    try:
        yield lambda: str(jc.Recorder.getInstance().getText())
    finally:
        frame.close()
        gone("Recorder")
