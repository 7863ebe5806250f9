"""The images that are open, and which of them are point spread functions."""

from __future__ import annotations

from typing import Any

from zsfiji.bridge.classes import jc


def images() -> list[Any]:
    """The open images (ij.ImagePlus), the oldest first, in batch mode also without windows."""
    numbers = jc.WindowManager.getIDList() or ()
    return [jc.WindowManager.getImage(number) for number in numbers]


def is_psf(image: Any) -> bool:
    """Whether an image is a point spread function that one of our commands has made."""
    return str(image.getProp("zsfiji.command") or "").startswith('run("PSF ')


def activate(image: Any) -> None:
    """Make an open image the active one, and tell the macro recorder if it was not."""
    current = jc.WindowManager.getCurrentImage()
    closed = jc.WindowManager.getImage(image.getID()) is None
    if closed or (current is not None and current.getID() == image.getID()):
        return
    if jc.IJ.recording():
        jc.Recorder.record("selectImage", image.getTitle())
    jc.IJ.selectWindow(image.getID())
