"""Simulated raw stacks of a specimen that was found, for the uncertainty of results."""

from __future__ import annotations

import numpy as np
import torch

from zsfiji.reconstruction.blind import Known
from zsfiji.services.sim.capture import recorded


def capture(known: Known, specimen: np.ndarray, draws: torch.Generator) -> np.ndarray:
    """Simulate the raw stack of a specimen.

    Parameters
    ----------
    known : Known
        Patterns, optics, noise and background.
    specimen : numpy.ndarray
        (3 row, 3 col), in grey levels above the background; values below zero count as zero.
    draws : torch.Generator
        For the noise.

    Returns
    -------
    numpy.ndarray
        float32 (angle, frame, row, col), in grey levels.
    """
    there = torch.from_numpy(np.asarray(specimen, np.float32)).clamp_min(0)
    return recorded(known.predict(there), known, draws)
