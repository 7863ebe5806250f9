"""What a user should know about a specimen that Blind SIM found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import frequencies
from zsfiji.reconstruction.borders import taper
from zsfiji.reconstruction.cutoff import HIGHEST
from zsfiji.services.blind_sim.restorer import Restorer
from zsfiji.services.blind_sim.results import CHECKED, misfit_said
from zsfiji.services.zero_shot_sim.report import doubt, doubtful_from
from zsfiji.words import counted

_BEYOND = 0.02
"""Share of the fine detail that lies beyond the reach of linear SIM, from which it is said."""

_WIDE = 0.97
"""Cut-off over the highest one that can be found, from which it may lie beyond."""


def beyond_reach(specimen: np.ndarray, cutoff: float, reach: float) -> float:
    """Share of the power above the cut-off of the lens that lies above the reach of linear SIM.

    Parameters
    ----------
    specimen : numpy.ndarray
        (3 row, 3 col).
    cutoff, reach : float
        In cycles per raw pixel.
    """
    rows, cols = (n // SCALE for n in specimen.shape)
    image = torch.from_numpy(np.asarray(specimen, np.float32))
    spectrum = torch.fft.rfft2((image - image.mean()) * taper((SCALE * rows, SCALE * cols)))
    power = spectrum.abs().square()
    radius = torch.hypot(*frequencies((rows, cols), SCALE))
    fine = float(power[radius > cutoff].sum())
    return float(power[radius > reach].sum()) / max(fine, 1e-30)


def said(
    units: Sequence[Restorer],
    *,
    iterations: Sequence[int],
    misfit: float,
    beyond: float,
    counted_here: bool,
    asked: bool,
) -> list[str]:
    """Sentences for the user, the most important first.

    Parameters
    ----------
    units : sequence of Restorer
        What was found.
    iterations : sequence of int
        Of each stack.
    misfit : float
        Mean squared residual, in variances of the noise.
    beyond : float
        From :func:`beyond_reach`, the largest one.
    counted_here : bool
        Whether the number of iterations is the one that the noise bears.
    asked : bool
        Whether a network was trained.
    """
    first = units[0]
    record, patterns = first.record.found, first.calibration.used
    sentences = []
    used = patterns.modulation > 0
    finest = float(patterns.wave_vectors.norm(dim=-1)[used].max()) if bool(used.any()) else 0.0
    reach = record.cutoff + finest
    if beyond > _BEYOND:
        sentences.append(
            f"Detail finer than {_length(first, 1 / reach)} is beyond what linear SIM passes "
            f"({_length(first, 1 / record.cutoff)} of the lens, {_length(first, 1 / finest)} of "
            "the patterns): it follows only from the specimen being nowhere darker than zero. Two "
            "points closer than that may be one, and one line may be shown as two."
        )
    sentences += misfit_said(misfit)
    if record.cutoff > _WIDE * HIGHEST:
        sentences.append(
            "The cut-off of the lens is as high as the pixels can show, or higher: the pixels may "
            "be too large for this method. Give 'na', 'emission' and 'pixel_size' if you know them."
        )
    error = first.record.cutoff_error
    if error:
        certain = f" +- {100 * error:.1f} %" if error > 0 else ", which is uncertain"
        damping = f", damped to {record.damping:.2f}" if record.damping < 1 else ""
        sentences.append(
            f"The lens passes periods down to {_length(first, 1 / record.cutoff)}{certain}"
            f"{damping}: found in the image."
        )
    return [*sentences, *_work_said(first, iterations, counted_here, asked)]


def _work_said(
    unit: Restorer, iterations: Sequence[int], counted_here: bool, asked: bool
) -> list[str]:
    """Sentences about the iterations and the network."""
    number = counted(round(float(np.mean(iterations))) if iterations else 0, "iteration")
    if not counted_here:
        return [f"{number}."]
    if unit.start is None:
        sentences = [
            f"{number}: as many as explain best {CHECKED}. More show finer detail and more noise."
        ]
        if asked:
            sentences.append(
                f"The network that learnt from this image did not explain {CHECKED} better than "
                "the fit alone, and was left out."
            )
        return sentences
    sharpened = counted(unit.start.record.sharpened, "iteration")
    followed = f"{number} of the fit followed" if any(iterations) else "the fit changed nothing"
    sentences = [
        f"A network that learnt from this image gave the start: it explains {CHECKED} better than "
        f"a flat one. Its result was sharpened by {sharpened}, and {followed}."
    ]
    limit = doubtful_from(unit.start.record.network)
    if limit is not None:
        sentences.append(doubt(_length(unit, 1 / limit)))
    return sentences


def _length(unit: Restorer, pixels: float) -> str:
    """A length in pixels as text, in nm if the pixel size is known."""
    size = unit.record.found.pixel
    if math.isnan(size):
        return f"{pixels:.2f} pixels"
    return f"{1000 * size * pixels:.0f} nm"
