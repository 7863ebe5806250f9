"""Check results against the noise, whatever made them, so that none is worse than the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from zsfiji.compute.scratch import release
from zsfiji.compute.slices import slicewise
from zsfiji.compute.tiling import by_tiles
from zsfiji.deconvolution.richardson_lucy import deblur
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.filters.structure import lost, put_back
from zsfiji.physics.optics.degradation import Degradation

EXPLAINED = 0.02
"""Share of the pixels in which structure may be missing. Chosen by eye."""

_ROUNDS, _ITERATIONS = 3, 30
"""Rounds, and iterations in each. Three rounds are enough for the brightest simulated captures
(2000 photons). With fewer iterations in a round, fine structure is missing after any number of
rounds."""

_TILE = 1024
"""Edge of the tiles in which larger planes are processed: bounds the memory. Not tuned."""


class Missing(NamedTuple):
    """Share of the pixels whose structure a deconvolved plane does not explain.

    Attributes
    ----------
    before, after : float
        Before and after further iterations.
    """

    before: float
    after: float


def denoised(noisy: np.ndarray, smooth: np.ndarray, camera: Camera) -> float:
    """Put structure back, in place.

    Parameters
    ----------
    noisy, smooth : numpy.ndarray
        (row, col) or (pln, row, col): the image with its defective pixels replaced, and the
        denoised image, float32.
    camera : Camera
        The noise.

    Returns
    -------
    float
        The largest share of the pixels of a slice where structure was put back.
    """
    most = 0.0
    for measured, plane in zip(slicewise(noisy), slicewise(smooth), strict=True):
        corrected, share = put_back(np.asarray(measured, np.float32), plane, camera.noise)
        if share:
            plane[:] = corrected
        release(plane)
        most = max(most, share)
    return most


def deconvolved(
    noisy: np.ndarray,
    smooth: np.ndarray,
    sharp: np.ndarray,
    camera: Camera,
    optics: Degradation,
) -> Missing:
    """Continue the deconvolution, in place, until the result, blurred again, explains the image.

    Richardson-Lucy starts from the result. Its target is the denoised image where the reblurred
    result certainly lacks structure, and the reblurred result everywhere else, so that it changes
    little there.

    Parameters
    ----------
    noisy : numpy.ndarray
        (row, col), with its defective pixels replaced.
    smooth : numpy.ndarray
        The denoised image after :func:`denoised`; float32.
    sharp : numpy.ndarray
        float32, on the fine grid.
    camera : Camera
        The noise.
    optics : Degradation
        The optics, with two axes.

    Returns
    -------
    Missing
        The share of the pixels that was not explained.
    """
    shares: list[tuple[int, float, float]] = []

    def work(piece: torch.Tensor, detail: torch.Tensor) -> torch.Tensor:
        measured, wanted_light = piece.cpu().numpy()
        specimen, unit, read = camera.photons(detail[0])
        found = deblur(camera.photons(piece[0])[0], optics, 0, read, begun=specimen)
        each: list[float] = []
        while True:
            reblurred = (found.reblurred * unit + camera.dark_level).cpu().numpy()
            there, share = lost(measured, reblurred, camera.noise)
            each.append(share)
            if share <= EXPLAINED or len(each) > _ROUNDS:
                break
            goal = torch.from_numpy(np.where(there, wanted_light, reblurred)).to(piece.device)
            light = camera.photons(goal)[0]
            found = deblur(light, optics, _ITERATIONS, read, begun=found.specimen)
        shares.append((measured.size, each[0], each[-1]))
        if len(each) == 1:
            return detail
        return found.specimen[None] * unit + camera.dark_level

    images = np.stack([np.asarray(noisy, np.float32), smooth])
    margin = 0 if max(noisy.shape) <= _TILE else max(optics.margin)
    sharp[:] = by_tiles(work, images, finer=[sharp[None]], tile=_TILE, margin=margin)[0]
    pixels = sum(n for n, _, _ in shares)
    return Missing(*(sum(s[0] * s[i] for s in shares) / pixels for i in (1, 2)))


def notes(missing: Sequence[Missing]) -> list[str]:
    """Say how much the worst of the deconvolved planes did not explain."""
    before, after = (max((m[which] for m in missing), default=0.0) for which in (0, 1))
    if before <= EXPLAINED:
        return []
    text = (
        "The deconvolved image, blurred again, lacked structure of the image in "
        f"{before:.0%} of the pixels of a plane: it was deconvolved further there"
    )
    if after <= EXPLAINED:
        return [f"{text}."]
    return [f"{text}, and {after:.0%} still lack some. Train longer, or check the PSF."]
