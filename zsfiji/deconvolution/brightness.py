"""Scale results so that they have the same amount of light as the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zsfiji.compute.slices import each_slice
from zsfiji.physics.camera.model import Camera

_MOST = 4.0
"""Largest factor. A result that needs a larger one has so little light that scaling would show
structure that is not there. Chosen by eye."""

_WORTH_SAYING = 1.25
"""Factor, or one over it, above which more than the brightness of the result may be wrong. Chosen
by eye."""

_DARK = 0.1
"""Difference of two means, in standard deviations of the noise without light, below which they
count as equal. Chosen by eye."""


@dataclass(frozen=True)
class Brightness:
    """The light of a result compared with that of its image.

    Attributes
    ----------
    factor : float
        Factor by which the light of the result has to be multiplied; 1 if it cannot be determined.
    kept : bool
        Whether the result now has the mean of the image, or does not differ from it noticeably.
    doubtful : bool
        Whether the difference is so large that the user has to know.
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
        Has the grey level without light, and the noise there.

    Returns
    -------
    Brightness
        What was done. If the mean of the image or of the result is not above the grey level without
        light, nothing is scaled.
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


def notes(found: Sequence[Brightness], name: str, total: int) -> list[str]:
    """Say in how many planes the amount of light was wrong, and what was done about it.

    Parameters
    ----------
    found : sequence of Brightness
        One for each plane or stack that is not empty.
    name : str
        Name of the result.
    total : int
        Number of planes or stacks of the image.
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
                "scaled to the same mean, so more than its brightness may be wrong. Train longer, "
                "or check the background."
            )
        else:
            text.append(
                f"The {name} does not have the mean of the image{of}: the difference is too large "
                "to scale it. Train longer, or check the background."
            )
    return text
