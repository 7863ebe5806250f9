"""A linear reconstruction that is made for one raw image, and serves others of the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction import power
from zsfiji.reconstruction.wiener import Notch, Wiener
from zsfiji.reconstruction.wiener_3d import StackWiener
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
        Of the classical filter, see :func:`classical_ridge`. Without it the filter is the automatic
        one.
    share : float
        What the constant of the automatic filter is multiplied by.

    Attributes
    ----------
    wiener : Wiener
        The filter.
    ridge : torch.Tensor
        Its constant, at all frequencies or at each.
    drift : Drift
        How far the specimen moves between the angles of the image.
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
        above, patterns, self.drift = straightened(
            stack - self._background, calibration.used, calibration.transfer
        )
        classical = constant is not None
        self.wiener = wiener_of(calibration, patterns, above, classical=classical)
        if constant is None:
            self.ridge = share * automatic_ridge(self.wiener, above, calibration)
        else:
            self.ridge = classical_ridge(self.wiener, constant)

    def __call__(self, stack: torch.Tensor) -> torch.Tensor:
        """Reconstruct (angle, frame, row, col); gives (2 row, 2 col) above the background."""
        return self.wiener.solve(self._numerator(stack), self.ridge)

    def with_constants(
        self, stack: torch.Tensor, constants: Sequence[float]
    ) -> Iterator[torch.Tensor]:
        """Reconstruct as the call does, with each of some constants of the classical filter."""
        numerator = self._numerator(stack)
        for constant in constants:
            yield self.wiener.solve(numerator, classical_ridge(self.wiener, constant))

    def _numerator(self, stack: torch.Tensor) -> torch.Tensor:
        return self.wiener.numerator(moved(stack - self._background, self.drift))


def wiener_of(
    calibration: Calibration,
    patterns: Patterns,
    above: torch.Tensor,
    *,
    classical: bool = False,
    notch: Notch | None = None,
) -> Wiener:
    """The filter without its constant.

    Parameters
    ----------
    calibration : Calibration
        Has the OTF.
    patterns : Patterns
        The patterns, moved if the image was.
    above : torch.Tensor
        A raw stack (angle, frame, row, col) of the size that it is for, on the device to compute
        on.
    classical : bool
        Whether all bands count alike; else by the inverse variance of their noise.
    notch : Notch, optional
        Against light out of focus.
    """
    rows, cols = above.shape[-2:]
    return Wiener(
        patterns,
        (rows, cols),
        calibration.transfer,
        weights="equal" if classical else "noise",
        notch=notch,
        device=above.device,
    )


def automatic_ridge(wiener: Wiener, above: torch.Tensor, calibration: Calibration) -> torch.Tensor:
    """The constant at each frequency that is fitted to a raw stack without background."""
    noise = calibration.record.noise_variance
    return power.fit(wiener, above, noise).ridge(wiener, noise)


def classical_ridge(wiener: Wiener | StackWiener, constant: float) -> torch.Tensor:
    """What a constant of the classical filter adds to the sum of the squared OTFs of all bands.

    A constant of 1 is as large as that sum at frequency 0, without a notch.
    """
    return constant**2 * wiener.unit
