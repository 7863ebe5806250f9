"""A camera with Poisson-Gaussian noise, for simulated images with known ground truth."""

from __future__ import annotations

import numpy as np


def expose(
    brightness: np.ndarray,
    *,
    photons: float,
    gain: float = 2.0,
    offset: float = 100.0,
    read_noise: float = 1.6,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate a capture by a camera with Poisson-Gaussian noise.

    Parameters
    ----------
    brightness : numpy.ndarray
        Of any shape, such as (row, col); 0 is no light.
    photons : float
        Mean number of detected photons in a pixel of brightness 1.
    gain : float
        Grey levels per photoelectron.
    offset : float
        Grey level without light.
    read_noise : float
        Standard deviation of the read noise, in electrons.
    seed : int
        Seed of the noise.

    Returns
    -------
    noisy : numpy.ndarray
        uint16 of that shape, in grey levels.
    truth : numpy.ndarray
        float32, the mean of infinitely many such captures.
    """
    rng = np.random.default_rng(seed)
    expected = photons * brightness.astype(np.float64)
    electrons = rng.poisson(expected) + rng.normal(0, read_noise, brightness.shape)
    noisy = np.clip(np.rint(gain * electrons + offset), 0, 65535).astype(np.uint16)
    return noisy, (gain * expected + offset).astype(np.float32)
