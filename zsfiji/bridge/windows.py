"""The images that are open, and which of them are point spread functions."""

from __future__ import annotations

import time
from typing import Any

from zsfiji.bridge.classes import jc

_PATIENCE = 1.0
_SMALLEST_SIDE = 128


def images() -> list[Any]:
    """The open images (ij.ImagePlus), the oldest first, in batch mode also without windows."""
    numbers = jc.WindowManager.getIDList() or ()
    return [jc.WindowManager.getImage(number) for number in numbers]


def is_psf(image: Any) -> bool:
    """Whether an image is a point spread function that one of our commands has made."""
    return str(image.getProp("zsfiji.command") or "").startswith('run("PSF ')


def settle(image: Any) -> None:
    """Wait until a new window has the focus, while the macro recorder is open.

    The recorder writes down each window that gets the focus, also when a second one has been
    opened since.
    """
    window = image.getWindow()
    if window is None or not jc.IJ.recording():
        return
    deadline = time.monotonic() + _PATIENCE
    while not window.isActive() and time.monotonic() < deadline:
        time.sleep(0.02)


def present_psf(image: Any) -> None:
    """Show a PSF in its middle slice, and so large that it can be seen."""
    if int(image.getNSlices()) > 1:
        image.setPosition(1, (int(image.getNSlices()) + 1) // 2, 1)
    canvas = image.getCanvas()
    if canvas is None:
        return
    side = min(int(image.getWidth()), int(image.getHeight()))
    while side * canvas.getMagnification() < _SMALLEST_SIDE:
        before = canvas.getMagnification()
        canvas.zoomIn(0, 0)
        if canvas.getMagnification() <= before:
            return


def activate(image: Any) -> None:
    """Make an open image the active one; ImageJ tells the macro recorder if it was not."""
    current = jc.WindowManager.getCurrentImage()
    closed = jc.WindowManager.getImage(image.getID()) is None
    if closed or (current is not None and current.getID() == image.getID()):
        return
    jc.IJ.selectWindow(image.getID())
