"""Results that Blind SIM and SIMFormer have in common, and what is said about them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import RadialTransfer, psf_of
from zsfiji.reconstruction.thinning import SHARE
from zsfiji.services.over_parts import Output

EMITTER = "emitter"
"""Name of the main result."""

PSF_SIZE = 49
"""Edge in fine pixels of the PSF that is shown."""

CHECKED = f"the {round(100 * (1 - SHARE))} % of the light that was kept aside for checking"
"""What a start and a number of iterations are chosen by, in notes."""

_OUTPUTS = (
    Output("illumination", SCALE),
    Output("background", SCALE, ("ang", "pha")),
    Output("residual", 1, ("ang", "pha")),
    Output("linear", SCALE, ("ang", "pha")),
    Output(EMITTER, SCALE, ("ang", "pha")),
)

_MISFIT = 1.5
"""Mean squared residual in variances of the noise from which something does not fit. Not tuned."""


def outputs(wanted: Collection[str]) -> tuple[Output, ...]:
    """Those results that are wanted, and the emitter, which always is, last."""
    return tuple(one for one in _OUTPUTS if one.name in wanted or one.name == EMITTER)


def psf_shown(transfer: RadialTransfer) -> np.ndarray:
    """The PSF of a lens on the fine grid, float32 (:data:`PSF_SIZE`, the same), its sum 1."""
    shown: np.ndarray = psf_of(transfer, PSF_SIZE, SCALE).numpy()
    return shown


def misfit_said(misfit: float) -> list[str]:
    """Say that the frames are not explained, if the mean squared residual is too large."""
    if misfit <= _MISFIT:
        return []
    return [
        f"The result does not explain the frames: the mean squared residual is {misfit:.1f} "
        "times the noise. Too few iterations, light out of focus, drift or another kind of pattern "
        "may be the reason; the residual shows where."
    ]
