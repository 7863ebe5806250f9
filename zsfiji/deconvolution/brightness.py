"""Results keep the light of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zsfiji.compute.slices import each_slice
from zsfiji.physics.camera.model import Camera

_MOST = 4.0
"""A result of so little light that it had to be scaled by more would show what is not there."""

_WORTH_SAYING = 1.25
"""What has to be scaled by more, up or down, may be wrong in more than its brightness."""

_DARK = 0.1
"""Deviations of the noise without light: means that differ by less look the same."""


@dataclass(frozen=True)
class Brightness:
    """How the light of a result was to that of its image.

    Attributes
    ----------
    factor : float
        By what the light of the result has to be multiplied; 1 where it cannot be said.
    kept : bool
        Whether the mean of the result is that of the image now, or cannot be told from it.
    doubtful : bool
        Whether there is so much amiss that it has to be said.
    """

    factor: float
    kept: bool
    doubtful: bool


def keep_mean(
    results: Sequence[np.ndarray], reblurred: np.ndarray, noisy: np.ndarray, camera: Camera
) -> Brightness:
    """Scale the light of results, in place, so that `reblurred` has the mean of the noisy image.

    Parameters
    ----------
    results : sequence of numpy.ndarray
        (row, col) or (pln, row, col), in grey levels.
    reblurred : numpy.ndarray
        The one of them whose mean counts.
    noisy : numpy.ndarray
        The image.
    camera : Camera
        Tells the grey level of no light, and the noise there.

    Returns
    -------
    Brightness
        What was done. An image that is not brighter than no light cannot give a scale, nor can a
        result: they are left as they are.
    """
    light, measured = (mean(image) - camera.dark_level for image in (reblurred, noisy))
    alike = abs(measured - light) <= _DARK * float(camera.noise.variance(camera.dark_level)) ** 0.5
    if not (light > 0 and measured > 0):
        return Brightness(1.0, alike, not alike)
    factor = measured / light
    if factor > _MOST:
        return Brightness(factor, alike, not alike)
    for plane in (plane for result in results for plane in each_slice(result)):
        plane -= camera.dark_level
        plane *= factor
        plane += camera.dark_level
    return Brightness(factor, True, max(factor, 1 / factor) > _WORTH_SAYING and not alike)


def mean(image: np.ndarray) -> float:
    """Mean of a plane or a stack."""
    return float(np.mean([plane.mean(dtype=np.float64) for plane in each_slice(image)]))


def said(found: Sequence[Brightness], name: str, total: int) -> list[str]:
    """Say of how many planes the light was far off, and what was done about it.

    Parameters
    ----------
    found : sequence of Brightness
        Of each plane or stack that shows something.
    name : str
        Of the result.
    total : int
        Planes or stacks of the image.
    """
    text = []
    for kept in (False, True):
        which = [one for one in found if one.doubtful and one.kept is kept]
        if not which:
            continue
        of = "" if total == 1 else f" in {len(which)} of {total} planes"
        if kept:
            worst = max(which, key=lambda one: max(one.factor, 1 / one.factor)).factor
            text.append(
                f"The {name} had {1 / worst:.2g} times the light of the image{of} before it was "
                "scaled to its mean: not only its brightness may be wrong. Train longer, or "
                "check the background."
            )
        else:
            text.append(
                f"The {name} does not have the mean of the image{of}: the two are too far apart "
                "to be scaled. Train longer, or check the background."
            )
    return text
