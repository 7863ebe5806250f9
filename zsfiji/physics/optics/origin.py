"""Where the image of a PSF comes from, by the properties that :func:`.kernel.as_image` wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from zsfiji.errors import UserError
from zsfiji.physics.optics.kernel import OPTICS_PROPERTY, ORIGIN_PROPERTY, Origin, Psf
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics

_ALIKE = 2e-3
"""Deviation relative to the maximum, up to which a PSF counts as unchanged: half a grey level of 8
bit."""

_WORTH_SAYING = 0.01
"""Relative error of the width from which on the log mentions it. Chosen by eye."""


def origin(properties: Mapping[str, str]) -> Origin:
    """Where a PSF comes from, by the ImageJ properties of its image."""
    told = properties.get(ORIGIN_PROPERTY)
    for known in get_args(Origin):
        if told == known:
            return known
    return "unknown"


def calculated(
    values: NDArray[np.float64], spacing: Sequence[float], properties: Mapping[str, str]
) -> Psf | None:
    """The PSF, with its optics, that an image contains; None without one, or if it was changed.

    Parameters
    ----------
    values : numpy.ndarray
        (row, col) or (pln, row, col), finite and not all zero, in any unit.
    spacing : sequence of float
        Pixel sizes in micrometres, one for each axis.
    properties : mapping of str to str
        ImageJ properties of the image. They contain the optics, but not whether the image was
        changed afterwards: cropped off its centre, filtered, or given another pixel size.
    """
    optics = _optics(properties.get(OPTICS_PROPERTY))
    if optics is None:
        return None
    try:
        made = from_optics(optics, spacing, values.shape)
    except UserError:
        return None
    light = values * made.values.max() / values.max()
    if np.abs(light - made.values).max() > _ALIKE * made.values.max():
        return None
    return replace(made, own=values.shape)


def _optics(text: str | None) -> Optics | None:
    """Read :data:`OPTICS_PROPERTY`, which anybody may have edited."""
    try:
        optics = Optics(**json.loads(text or ""))
        optics.check()
    except (ValueError, TypeError, UserError):
        return None
    return optics


def note(psf: Psf, pixel: float) -> str:
    """How the pixels of a PSF are counted, in a sentence or two for the log.

    Parameters
    ----------
    psf : Psf
        The PSF on its own grid.
    pixel : float
        Size in micrometres of a pixel of the camera that took the image.
    """
    own = 1000 * psf.spacing[-1]
    if psf.optics is not None:
        return "Its optics are known: it is calculated on the pixels of the result."
    if psf.origin == "calculated":
        return (
            "It was changed after it was calculated, so it is interpolated to the pixels of the "
            "result."
        )
    if psf.origin == "measured":
        return (
            f"It was measured with pixels of {own:.4g} nm, which it includes; they are not counted "
            "twice."
        )
    if psf.origin == "OTF":
        text = "The OTF is taken as that of the optics, without the pixels of the camera."
        wider = _growth(psf, pixel)
        if wider >= _WORTH_SAYING:
            text += f" If it includes them, its PSF is {wider:.0%} too wide."
        return text
    text = (
        "The file does not say how the PSF was made: its values are taken as means over its "
        "pixels, as in a camera image."
    )
    narrower = _growth(psf, psf.spacing[-1])
    if narrower >= _WORTH_SAYING:
        text += f" If they were calculated at points, the PSF becomes {narrower:.0%} too narrow."
    return text


def _growth(psf: Psf, pixel: float) -> float:
    """Relative growth of the width of a PSF by a pixel, for a Gaussian."""
    # The variance of a pixel is its square over twelve, that of a Gaussian FWHM^2 / (8 ln 2).
    ratio = pixel / fwhm(psf)[-1]
    return math.sqrt(1 + 8 * math.log(2) * ratio**2 / 12) - 1
