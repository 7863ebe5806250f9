"""What dialogs need to know of the open images: their size, selection and what they suggest.

No Java here: a stock Fiji tells its Python the same facts, see :mod:`zsfiji.bridge.stock.worker`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zsfiji.bridge.ui.places import Box
from zsfiji.commands import Command
from zsfiji.images.folding import PROPERTY as FOLDING
from zsfiji.images.folding import Folding
from zsfiji.images.units import micrometres
from zsfiji.words import counted

MADE_BY = "zsfiji.command"
"""The property of an image that holds the macro line that made it."""

_PSF_COMMANDS = 'run("PSF '
"""How the macro lines of the commands begin that make a point spread function."""

_NM = 1000
"""Nanometres in a micrometre."""

_NOUNS = {"ch": "channel", "pln": "slice", "ang": "angle", "pha": "phase", "t": "frame"}

_FEWEST_SLICES = 5
"""The fewest slices that can be deconvolved in 3D; the commands refuse fewer."""

_TITLE_COLUMNS = 40
"""Longest title in a dialog, in characters, so that the size of the image still fits beside it."""


@dataclass(frozen=True)
class OpenImage:
    """The facts about an open image.

    Attributes
    ----------
    title : str
        Of its window.
    width, height, channels, slices, frames : int
        As ImageJ has them.
    rgb : bool
        Whether each pixel is a colour.
    x_unit, z_unit : str
        Units of length, empty for none.
    pixel_width, pixel_depth : float
        Pixel size and slice spacing, in those units.
    selection : Box or None
        Bounds of a selection with an area.
    made_by, folding : str
        Its properties :data:`MADE_BY` and :data:`zsfiji.images.folding.PROPERTY`, empty for none.
    """

    title: str
    width: int
    height: int
    channels: int = 1
    slices: int = 1
    frames: int = 1
    rgb: bool = False
    x_unit: str = ""
    z_unit: str = ""
    pixel_width: float = 1.0
    pixel_depth: float = 1.0
    selection: Box | None = None
    made_by: str = ""
    folding: str = ""

    @property
    def is_psf(self) -> bool:
        """Whether it is a point spread function that one of our commands has made."""
        return self.made_by.startswith(_PSF_COMMANDS)

    @property
    def region(self) -> Box:
        """The pixels that will be processed."""
        whole = Box(0, 0, self.width, self.height)
        return whole if self.selection is None else whole.common(self.selection)

    def lengths(self) -> dict[str, int]:
        """Axis -> length of what will be processed; of ImageJ's axes and of ours."""
        channels = 3 if self.rgb else self.channels
        sizes = {"t": self.frames, "pln": self.slices}
        sizes |= {"row": self.region.height, "col": self.region.width, "ch": channels}
        sizes = {dim: max(length, 1) for dim, length in sizes.items()}
        folding = Folding.of({FOLDING: self.folding})
        return sizes if folding is None else folding.unfolded(sizes) or sizes

    def described(self) -> str:
        """What will be processed, as "cells.tif: 512 x 512 pixels, 10 slices;" and another line."""
        parts = [f"{self.width} x {self.height} pixels"]
        sizes = self.lengths() | {"ch": self.channels}
        parts += [counted(sizes[d], noun) for d, noun in _NOUNS.items() if sizes.get(d, 1) > 1]
        taken = "all of it will be processed"
        if self.selection is not None:
            size = f"{self.region.width} x {self.region.height}"
            taken = f"the selection of {size} pixels will be processed"
        title = textwrap.shorten(self.title, _TITLE_COLUMNS, placeholder="...")
        return f"{title}: {', '.join(parts)};\n{taken}."


def suggested(command: Command, image: OpenImage | None) -> dict[str, Any]:
    """Values of a command's parameters that a user would copy from an image.

    Parameters
    ----------
    command : Command
        The command.
    image : OpenImage or None
        The active image.

    Returns
    -------
    dict
        Key -> value, in the units of the parameters.
    """
    wanted = {p.suggest: p.key for p in command.parameters if p.suggest}
    if image is None or not wanted:
        return {}
    told: dict[str, Any] = {"dimensions": "3d" if image.slices >= _FEWEST_SLICES else "2d"}
    width, depth = (micrometres(unit.strip()) for unit in (image.x_unit, image.z_unit))
    if width is not None:
        told["pixel_size"] = round(image.pixel_width * width * _NM, 3)
    if depth is not None and image.slices > 1:
        told["slice_spacing"] = round(image.pixel_depth * depth * _NM, 3)
    return {wanted[name]: value for name, value in told.items() if name in wanted}


def needs_image_by_name(command: Command) -> bool:
    """Whether a command needs a second image, as deconvolution needs the PSF."""
    return any(p.kind == "image" and p.needed for p in command.parameters)


def to_process(command: Command, images: Sequence[OpenImage], active: int) -> int:
    """Choose the image that a command most likely is to process.

    Whoever has just made a PSF has that as the active image, and means another one.

    Parameters
    ----------
    command : Command
        The command.
    images : sequence of OpenImage
        The open images, the oldest first.
    active : int
        Place of the active one among them.

    Returns
    -------
    int
        Place of the chosen one.
    """
    if not needs_image_by_name(command) or not images[active].is_psf:
        return active
    others = [place for place, image in enumerate(images) if not image.is_psf]
    return others[-1] if others else active


def newest_psf(images: Sequence[OpenImage]) -> str | None:
    """Title of the PSF that was made last, None without one."""
    return next((image.title for image in reversed(images) if image.is_psf), None)
