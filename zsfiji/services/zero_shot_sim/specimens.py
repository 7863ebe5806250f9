"""Specimens for simulated raw images, made of the network's own result.

The result is what a lens with the resolution of SIM would show of the specimen, smoothed further
where noise hides detail. Richardson-Lucy with that lens sharpens it again. How far is read off the
spectrum of the raw image: simulated from the right specimens, it has the power that is measured
(the idea of :mod:`zsfiji.learning.sharpness`). Shrunk specimens need less sharpening, or none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from zsfiji.compute.acceleration import Acceleration
from zsfiji.compute.rings import ring_mean
from zsfiji.compute.spectra import independent_share
from zsfiji.compute.tiling import mirrored
from zsfiji.learning import examples
from zsfiji.learning.sharpness import whittle
from zsfiji.reconstruction.borders import taper
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.power import RINGS, Rings, fine_rings
from zsfiji.reconstruction.wiener import Wiener

GRADES = (0, 2, 5, 10)
"""Iterations of sharpening that are tried. With 20 the spectrum changes no more."""

_FIRST = 3
"""First ring of the spectrum that is compared: haze and the window are in those below."""

_UNSURE = 1.0
"""Difference of log-likelihoods below which two grades fit equally well."""

_LEAST = 1e-3
"""Least light, relative to the mean: multiplicative steps never leave zero."""


def sharpened(seen: torch.Tensor, joint: Joint, grades: Sequence[int]) -> dict[int, torch.Tensor]:
    """Specimens that the lens of SIM shows as an image, more and more sharpened.

    Parameters
    ----------
    seen : torch.Tensor
        The image on the whole fine grid of `joint`.
    joint : Joint
        Has the lens.
    grades : sequence of int
        Wanted numbers of Richardson-Lucy iterations; 0 is the image itself.

    Returns
    -------
    dict
        Grade -> specimen.
    """
    found = {0: seen.clamp_min(0)}
    least = _LEAST * max(float(seen.mean()), 1e-12)
    image = seen.clamp_min(least)
    point, beyond = image, Acceleration()
    for step in range(1, max(grades, default=0) + 1):
        ratio = image / joint.seen_by_lens(point).clamp_min(1e-3 * least)
        now = (point * joint.seen_by_lens(ratio)).clamp_min(0)
        (point,) = beyond((point,), (now,))
        if step in grades:
            found[step] = now
    return {grade: found[grade] for grade in grades}


def matching_grades(
    specimens: Mapping[int, torch.Tensor],
    factors: Sequence[float],
    rings: Rings,
    wiener: Wiener,
    noise: float,
) -> dict[float, int]:
    """Find for each factor the grade that gives a raw image the spectrum of the measured one.

    Parameters
    ----------
    specimens : mapping
        Grade -> specimen (fine row, fine col), not shrunk.
    factors : sequence of float
        How much they are shrunk.
    rings : Rings
        Power of the raw image.
    wiener : Wiener
        The linear reconstruction that it was measured with.
    noise : float
        Variance of a raw pixel.

    Returns
    -------
    dict
        Factor -> grade. Of grades that fit equally well the highest: of two images of the same
        spectrum the sharper specimen gave the better network.
    """
    first = int((rings.frequency < (_FIRST - 0.5) / RINGS * wiener.reach).sum())
    independent = independent_share(taper(wiener.shape))
    number = rings.number * independent * math.prod(wiener.shape) / math.prod(wiener.field)
    chosen = {}
    for factor in factors:
        costs = {}
        for grade, specimen in specimens.items():
            power = _ring_power(examples.shrink(specimen[None, None], factor)[0, 0], wiener.reach)
            expected = rings.through * np.interp(rings.frequency, *power)
            costs[grade] = whittle(rings.power[first:], number[first:], expected[first:], noise)
        least = min(costs.values())
        chosen[factor] = max(grade for grade, cost in costs.items() if cost < least + _UNSURE)
    return chosen


def _ring_power(specimen: torch.Tensor, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in cycles per raw pixel, and mean power of a specimen there."""
    window = taper((specimen.shape[0], specimen.shape[1]), specimen.device)
    spectrum = torch.fft.rfft2((specimen - specimen.mean()) * window).abs().square()
    ring = fine_rings((specimen.shape[0], specimen.shape[1]), reach, specimen.device)
    power = ring_mean(spectrum.double(), ring, RINGS) / float(window.square().sum())
    return np.arange(RINGS + 1) / RINGS * reach, power.cpu().numpy()


def turned(
    specimen: torch.Tensor, factor: float, size: tuple[int, int], draw: torch.Generator
) -> torch.Tensor:
    """A specimen shrunk, turned by any angle and perhaps mirrored, on a grid of a given size."""
    angle = 2 * math.pi * float(torch.rand((), generator=draw))
    small = examples.shrink(specimen[None, None], factor)[0, 0]
    # Turned by any angle it has to fill the grid.
    side = 2 * math.ceil(math.hypot(*size) / 2)
    wide = _fitted(small, (side, side))
    if float(torch.rand((), generator=draw)) < 0.5:
        wide = wide.flip(0)
    return _fitted(examples.rotate(wide[None, None], angle)[0, 0], size)


def _fitted(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The middle of an image, mirrored where it is too small."""
    for dim, length in zip((-2, -1), size, strict=True):
        there = image.shape[dim]
        start = (there - length) // 2
        index = torch.from_numpy(mirrored(start, start + length, there)).to(image.device)
        image = image.index_select(dim, index)
    return image
