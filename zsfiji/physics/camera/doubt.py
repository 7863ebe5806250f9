"""Find out whether noise that seems to be correlated is noise, or fine structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import chdtri

from zsfiji.errors import UserError
from zsfiji.images.middle import middle
from zsfiji.physics.camera.calibration.blocks import blocks
from zsfiji.physics.camera.calibration.calibrate import least_noise
from zsfiji.physics.camera.calibration.filters import MIDDLE, SIZE, SQUARE
from zsfiji.physics.camera.model import Camera, KnownCamera, measure
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.structure import alike, evenness
from zsfiji.physics.noise import SURE, Noise, resampled

_LOOK = 512
"""Edge in pixels of the middle of a plane, which is used: bounds the time. Not tuned."""

_SATURATED = 0.3
"""Share of saturated pixels above which a network cannot learn from an image. Chosen by eye."""

_LOWEST = (SQUARE > 0) & (SQUARE < 10)
"""Coefficients of the lowest frequencies, where correlated noise is strongest."""

_ONLY_ADDS = 0.9
"""Power of an image, relative to the noise, below which the noise is refuted. On 110 simulated
captures whose correlated noise is doubtful, two had less (their noise was found 5 and 20 times too
strong), the others 0.91 and more."""

_MOST_BLOCKS = 16_500
"""Blocks in which this is looked at: bounds the time. Not tuned."""


_UNEVEN = 1.6
"""Power at middle frequencies of the median block over that of the weakest ones, each relative to
noise of the same spectrum, above which it differs from place to place. Real wide-field captures,
also parts of them in which noise is all there is, have 1.05 to 1.09."""

_WEAKEST = 0.02
"""Share of the blocks that are the weakest. Not tuned."""

_LOOK_FILTERED = 256
"""Edge in pixels of the middle that is filtered: bounds the time. Not tuned."""

_ALIKE, _CORNER, _BRIGHTNESS, _EVEN, _MOST = 8.0, 0.8, 1.0, 9.0, 8.8
"""Weights of the evidence for structure, and the sum above which it is believed; see
:func:`_like_structure`.

A logistic regression on 477 simulated captures with uncertain correlated noise (benchmarks/captures
of 128 x 128 pixels, seeds 5000 to 5399, 13000 to 13699, 16000 to 16349 and 17000 to 19900), in 76
of which filters with the measured noise raised the error; rounded. With it and the two other tests
one of the 76 is missed, whose error is that of the noisy image, and 89 of the 388 in which the
filters would have lowered it by a tenth or more are given up. Fitted to half of the captures, it
was as good on the others."""


def refuted(noise: Noise, plane: NDArray[np.float32]) -> bool:
    """Find out whether a plane has less power than its noise would have alone.

    Structure only adds power. So at no frequency can half of the blocks have less than the median
    that the noise predicts; if they do, its strength was extrapolated from structure at others.

    Parameters
    ----------
    noise : Noise
        The measured noise.
    plane : numpy.ndarray
        float32 (row, col).

    Returns
    -------
    bool
        Whether that is so at low or middle frequencies; False for planes that are too small.
    """
    energy = _relative_energy(noise, plane)
    if energy is None:
        return False
    return any(_strength(energy, band, 0.5) < _ONLY_ADDS for band in (_LOWEST, MIDDLE))


def structure_in_it(noise: Noise, planes: Sequence[NDArray[np.float32]]) -> bool:
    """Find out whether correlated noise that is uncertain has been measured in structure.

    Any of three things speaks for it: the image has less power than the noise (:func:`refuted`);
    the power differs between places of the same brightness, which that of noise does not; or what
    a filter with this noise removes looks like structure.

    Parameters
    ----------
    noise : Noise
        The measured noise, correlated.
    planes : sequence of numpy.ndarray
        float32 (row, col), in which it was measured.

    Returns
    -------
    bool
        Whether it probably has.
    """
    plane = planes[len(planes) // 2]
    return refuted(noise, plane) or _uneven(noise, plane) or _like_structure(noise, planes)


def _uneven(noise: Noise, plane: NDArray[np.float32]) -> bool:
    """Whether the power at middle frequencies differs between places of the same brightness."""
    energy = _relative_energy(noise, plane)
    if energy is None:
        return False
    return _strength(energy, MIDDLE, 0.5) > _UNEVEN * _strength(energy, MIDDLE, _WEAKEST)


def _like_structure(noise: Noise, planes: Sequence[NDArray[np.float32]]) -> bool:
    """Whether the noise, and what a filter removes with it, are more like structure than noise.

    None of these is certain, but they add up:

    - What is removed is correlated with what is kept (:func:`.structure.alike`).
    - Little of the noise is left in the corner of the DCT, as if it had passed a lens.
    - It is much stronger in bright places: shot noise of many photons is weak, but the contrast of
      a texture is proportional to the brightness.
    - It is too even (:func:`.structure.evenness`).
    """
    plane = planes[len(planes) // 2]
    part = plane[middle(plane.shape, _LOOK_FILTERED)]
    there = np.ones(part.shape, dtype=bool)
    if noise.saturation is not None:
        there = part < noise.saturation
    stabiliser = Stabiliser.of(noise)
    stabilised = stabiliser.forward(part)
    kept = filtered(torch.from_numpy(stabilised), noise).numpy()
    removed = stabilised - kept
    dark, usual, bright = np.quantile(stabiliser.inverse(kept), (0.01, 0.5, 0.99))
    corner = float(least_noise(planes).variance(usual) / noise.variance(usual))
    evidence = (
        _ALIKE * alike(removed, kept, there)
        - _CORNER * np.log(max(corner, 1e-4))
        + _BRIGHTNESS * np.log(noise.variance(bright) / noise.variance(dark))
        + _EVEN * evenness(removed, there)
    )
    return bool(evidence > _MOST)


def _relative_energy(noise: Noise, plane: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Energy of the coefficients of all blocks over that of the noise; None for small planes."""
    part = plane[middle(plane.shape, _LOOK)]
    if min(part.shape) < 2 * SIZE:
        return None
    taken = blocks(
        [part], SIZE, apart=SIZE // 2, most=_MOST_BLOCKS, saturation=noise.saturation, fewest=64
    )
    spectrum = resampled(noise.spectrum, SIZE)
    variance = noise.variance(taken.mean)[:, None, None]
    return taken.energy / (variance * spectrum / spectrum.mean())


def _strength(energy: NDArray[np.float64], band: NDArray[np.bool_], quantile: float) -> float:
    """A quantile of the blocks' energies in a band, over the one that noise alone has."""
    count = int(band.sum())
    found = float(np.quantile(energy[:, band].mean(1), quantile))
    return found / float(chdtri(count, 1 - quantile) / count)


def noise_to_use(noise: Noise, planes: Sequence[NDArray[np.float32]]) -> tuple[Noise, bool]:
    """Give the noise to restore with, at the resolution of the image.

    Uncertain correlated noise is tested: if it has been measured in structure
    (:func:`structure_in_it`), a lower limit of the noise is used instead.

    Parameters
    ----------
    noise : Noise
        The measured noise.
    planes : sequence of numpy.ndarray
        float32 (row, col), in which it was measured.

    Returns
    -------
    noise : Noise
        As measured, or white noise of confidence 0.
    doubted : bool
        Whether it is the lower limit.
    """
    if noise.white or noise.floor == 0 or noise.confidence >= SURE:
        return noise, False
    if structure_in_it(noise, planes):
        return least_noise(planes), True
    return noise, False


def measure_for_training(
    planes: list[NDArray[np.float32]], known: KnownCamera, where: str = ""
) -> tuple[Camera, bool]:
    """Measure the noise for a method that learns from it.

    Parameters
    ----------
    planes : list of numpy.ndarray
        float32 (row, col), of one channel.
    known : KnownCamera
        What is given about the camera.
    where : str
        Names the part of the image in messages, such as " in channel 2".

    Returns
    -------
    camera : Camera
        The camera, with the noise to use.
    doubted : bool
        Whether that is a lower limit; see :func:`noise_to_use`.

    Raises
    ------
    UserError
        If there is no noise, or too many pixels are saturated.
    """
    camera = measure(planes, known)
    noise, doubted = noise_to_use(camera.noise, planes)
    if noise.floor == 0:
        raise UserError(
            f"No noise was found{where or ' in the image'}. The method learns from noise, "
            "which filtered, compressed or simulated images may not have."
        )
    if noise.saturated > _SATURATED:
        raise UserError(
            f"{noise.saturated:.0%} of the pixels{where} are saturated, so the "
            "brightness of the specimen is not known. Acquire the image again with less "
            "exposure or gain, or select a region that is not saturated."
        )
    return camera.with_noise(noise), doubted
