"""The windows of images and of ImageJ: which are open, what is in them, where they go."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.ui.open_images import FOLDING, MADE_BY, OpenImage
from zsfiji.bridge.ui.places import Box, beside

LOG = "Log"
"""Title of ImageJ's window for messages."""

_LOG_WIDTH = 640
"""Pixels, for the lines of :func:`zsfiji.words.in_lines`."""

_PATIENCE = 1.0
"""Seconds that :func:`settle` waits for the focus; window managers give it in tenths of one."""

_SMALLEST_SIDE = 128
"""Pixels on the screen from which on the shape of a PSF can be seen."""


def images() -> list[Any]:
    """The open images (ij.ImagePlus), the oldest first, in batch mode also without windows."""
    numbers = jc.WindowManager.getIDList() or ()
    return [jc.WindowManager.getImage(number) for number in numbers]


def box(window: Any) -> Box:
    """The bounds of a window on the screen, or of a selection in its image."""
    bounds = window.getBounds()
    return Box(int(bounds.x), int(bounds.y), int(bounds.width), int(bounds.height))


def screen() -> Box:
    """What can be used of the screen on which ImageJ is."""
    area = jc.GUI.getMaxWindowBounds(jc.IJ.getInstance())
    return Box(int(area.x), int(area.y), int(area.width), int(area.height))


def facts(image: Any) -> OpenImage:
    """What dialogs need to know of an open image (ij.ImagePlus)."""
    width, height, channels, slices, frames = (int(n) for n in image.getDimensions())
    calibration, roi = image.getCalibration(), image.getRoi()
    return OpenImage(
        title=str(image.getTitle()),
        width=width,
        height=height,
        channels=channels,
        slices=slices,
        frames=frames,
        rgb=int(image.getBitDepth()) == 24,
        x_unit=str(calibration.getXUnit()),
        z_unit=str(calibration.getZUnit()),
        pixel_width=float(calibration.pixelWidth),
        pixel_depth=float(calibration.pixelDepth),
        selection=box(roi) if roi is not None and roi.isArea() else None,
        made_by=str(image.getProp(MADE_BY) or ""),
        folding=str(image.getProp(FOLDING) or ""),
    )


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


def title_of(window: Any) -> str:
    """Title of a window, empty for one that has none."""
    return str(window.getTitle()) if hasattr(window, "getTitle") else ""


def log_window() -> Any:
    """The Log window, None while it is closed."""
    return jc.WindowManager.getWindow(LOG)


def widen_log() -> None:
    """Make a new Log window so wide that its lines can be read."""
    log = log_window()
    if log is not None and log.getWidth() < _LOG_WIDTH:
        log.setSize(_LOG_WIDTH, log.getHeight())


def put_beside(source: Any, new: Any, gone: Collection[str] = ()) -> None:
    """Move a new window beside that of its source, where other images leave room.

    Parameters
    ----------
    source : ij.ImagePlus or None
        The image that it belongs to; without it, or without its window, nothing is moved.
    new : java.awt.Window or None
        The window that has just been shown.
    gone : collection of str
        Titles of windows that are about to close or to move.
    """
    old = None if source is None else source.getWindow()
    if old is None or new is None or not old.isShowing():
        return
    images_there: list[Box] = []
    others: list[Box] = []
    for window in jc.Window.getWindows():
        if not window.isShowing() or window in (old, new) or title_of(window) in gone:
            continue
        (images_there if isinstance(window, jc.ImageWindow) else others).append(box(window))
    size = box(new)[2:]
    new.setLocation(*beside(size, box(old), screen(), images_there, others))
    redraw(new)


def redraw(window: Any) -> None:
    """Draw a new window again.

    ImageJ draws the line above the image over what it drew before the window got its frame.
    """
    window.repaint()


def redraw_current() -> None:
    """Draw the active image window again, if there is one."""
    window = jc.WindowManager.getCurrentWindow()
    if window is not None:
        redraw(window)


def activate(image: Any) -> None:
    """Make an open image the active one; ImageJ tells the macro recorder if it was not."""
    current = jc.WindowManager.getCurrentImage()
    closed = jc.WindowManager.getImage(image.getID()) is None
    if closed or (current is not None and current.getID() == image.getID()):
        return
    jc.IJ.selectWindow(image.getID())
