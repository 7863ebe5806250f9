"""Results that Blind SIM and SIMFormer have in common."""

from __future__ import annotations

import numpy as np

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import RadialTransfer, psf_of

PSF_SIZE = 49
"""Edge in fine pixels of the PSF that is shown."""


def psf_shown(transfer: RadialTransfer) -> np.ndarray:
    """The PSF of a lens on the fine grid, float32 (:data:`PSF_SIZE`, the same), its sum 1."""
    shown: np.ndarray = psf_of(transfer, PSF_SIZE, SCALE).numpy()
    return shown
