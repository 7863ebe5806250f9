"""The radial OTF of a measured PSF."""

from __future__ import annotations

import numpy as np
import torch

from zsfiji.compute.rings import ring_mean, ring_of, ring_sizes
from zsfiji.errors import UserError
from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.sim.optics import RadialTransfer

_SAMPLES = 257
"""Samples from 0 to the cut-off; the file format of many SIM programs has as many."""

_DARK = 0.01
"""Least OTF at half of the cut-off. An ideal lens has 0.39 there, a poor one 0.1."""

_FIELD = 1024
"""Pixels that the PSF is extended to, for finely sampled frequencies."""


def transfer_of(psf: Psf, cutoff: float, pixel: float) -> RadialTransfer:
    """The OTF of a PSF: the modulus of its spectrum, averaged over all directions.

    Parameters
    ----------
    psf : Psf
        Of two axes.
    cutoff : float
        Highest frequency that the lens passes, in cycles per raw pixel.
    pixel : float
        Width of a raw pixel in micrometres.

    Raises
    ------
    UserError
        If it is a stack, or ends long before the cut-off.
    """
    if psf.values.ndim != 2:
        raise UserError("The PSF is a stack. Give that of the plane in focus, or a 2D OTF.")
    shape = [max(_FIELD, n) for n in psf.values.shape]
    modulus = np.abs(np.fft.fft2(psf.values, shape))
    rows, cols = (np.fft.fftfreq(n, s) for n, s in zip(shape, psf.spacing, strict=True))
    frequency = np.hypot(rows[:, None], cols[None, :]) * pixel
    inside = frequency <= cutoff
    last = _SAMPLES - 1
    ring = ring_of(torch.from_numpy(frequency[inside] / cutoff), last)
    means = ring_mean(torch.from_numpy(modulus[inside]), ring, last).numpy()
    there = np.flatnonzero(ring_sizes(ring, last).numpy())
    curve = np.interp(np.arange(_SAMPLES), there, means[there]) / modulus.flat[0]
    curve[0] = 1.0
    if curve[_SAMPLES // 2] < _DARK:
        raise UserError(
            "The measured OTF ends at less than half of the cut-off of this numerical aperture and "
            "emission: it is of another wavelength or objective, or its pixel size is wrong."
        )
    return RadialTransfer(cutoff, 1.0, curve)
