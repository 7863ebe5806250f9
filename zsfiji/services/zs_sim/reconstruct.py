"""What becomes of a part: a plane stays as it is, the patterns of a raw SIM image become one.

ZS-SIM takes all that it learns from through the same linear reconstruction: the image itself and
its four views. So noise of mean zero stays noise of mean zero.
"""

from __future__ import annotations

from typing import Protocol

import torch

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.reconstruction.wiener import Wiener
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.reconstructor import SCALE
from zsfiji.services.zs_sim.views import OFFSETS, blur, view, views


class Reconstruction(Protocol):
    """The linear step between what the camera shows and what the network gets."""

    scale: int
    """Pixels of the result to a pixel of the image, along rows and along columns."""

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """Reconstruct (..., part); gives (..., row, col)."""

    def views(self, part: torch.Tensor) -> torch.Tensor:
        """Reconstruct the four views of a part; gives (4, row, col)."""


class Planes:
    """Planes (row, col) are what they are."""

    scale = 1

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """The plane itself."""
        return part

    def views(self, part: torch.Tensor) -> torch.Tensor:
        """The four views of a plane."""
        return views(part)


class OfPatterns:
    """Patterns (angle, frame, row, col) become one plane by a Wiener filter.

    The patterns are those of the image itself, for its views too: a view alone is undersampled, and
    its patterns would be found at wrong frequencies.

    Parameters
    ----------
    calibration : Calibration
        Patterns and optics.
    shape : (int, int)
        Rows and columns.
    constant : float
        Constant of the filter; see :class:`.Settings`.
    device : torch.device, optional
        Where to compute.
    """

    scale = SCALE

    def __init__(
        self,
        calibration: Calibration,
        shape: tuple[int, int],
        constant: float,
        device: torch.device | None = None,
    ) -> None:
        self._background = calibration.record.background
        patterns, transfer = calibration.used, calibration.transfer
        self._whole = Wiener(patterns, shape, transfer, weights="equal", device=device)
        blurred = OfViews(transfer.cutoff, transfer.damping, transfer.curve)
        self._views = Wiener(patterns, shape, blurred, weights="equal", device=device)
        # A constant of 1 is as large as the squared OTF of all bands at frequency 0.
        self._ridge = constant**2 * float(self._whole.density[0, 0])

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """Reconstruct (..., angle, frame, row, col)."""
        return self._reconstructed(self._whole, part)

    def views(self, part: torch.Tensor) -> torch.Tensor:
        """Reconstruct the four views of (angle, frame, row, col)."""
        # One after the other: a view takes as much memory as the image.
        each = (view(part, offset) for offset in OFFSETS)
        return torch.stack([self._reconstructed(self._views, one) for one in each])

    def _reconstructed(self, wiener: Wiener, part: torch.Tensor) -> torch.Tensor:
        return wiener.solve(wiener.numerator(part - self._background), self._ridge)


class OfViews(RadialTransfer):
    """The OTF of the mean of the four views: their blocks of two pixels blur."""

    def __call__(self, row: torch.Tensor, col: torch.Tensor, scale: int = 2) -> torch.Tensor:
        """The transfer to the views, at frequencies (row, col)."""
        return super().__call__(row, col, scale) * blur(row) * blur(col)
