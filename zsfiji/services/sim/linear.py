"""A linear reconstruction that is made for one raw image, and serves others of the same frames."""

from __future__ import annotations

import torch

from zsfiji.reconstruction import power
from zsfiji.reconstruction.wiener import Wiener
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.straight import moved, straightened


class Linear:
    """A Wiener filter whose patterns, drift and constant are those of one raw image.

    Methods that learn from noise put several images through the same reconstruction: parts of the
    frames, or frames with more noise. It is linear, so noise of mean zero stays so.

    Parameters
    ----------
    calibration : Calibration
        Patterns and optics.
    stack : torch.Tensor
        The image that it is made for, (angle, frame, row, col), in grey levels, on the device to
        compute on.
    constant : float, optional
        Of the classical filter, all bands alike: 1 is as large as the squared OTF of all bands at
        frequency 0. Without it the filter is the automatic one.
    share : float
        What the constant of the automatic filter is multiplied by.

    Attributes
    ----------
    wiener : Wiener
        The filter.
    ridge : torch.Tensor
        Its constant, at all frequencies or at each.
    """

    def __init__(
        self,
        calibration: Calibration,
        stack: torch.Tensor,
        *,
        constant: float | None = None,
        share: float = 1.0,
    ) -> None:
        self._background = calibration.record.background
        above, patterns, self._drift = straightened(
            stack - self._background, calibration.used, calibration.transfer
        )
        rows, cols = stack.shape[-2:]
        self.wiener = Wiener(
            patterns,
            (rows, cols),
            calibration.transfer,
            weights="noise" if constant is None else "equal",
            device=stack.device,
        )
        if constant is None:
            noise = calibration.record.noise_variance
            self.ridge = share * power.fit(self.wiener, above, noise).ridge(self.wiener, noise)
        else:
            self.ridge = constant**2 * self.wiener.density[0, 0]

    def __call__(self, stack: torch.Tensor) -> torch.Tensor:
        """Reconstruct (angle, frame, row, col); gives (2 row, 2 col) above the background."""
        above = moved(stack - self._background, self._drift)
        return self.wiener.solve(self.wiener.numerator(above), self.ridge)
