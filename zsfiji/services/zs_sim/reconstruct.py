"""What becomes of a part: a plane stays as it is, the patterns of a raw SIM image become one.

ZS-SIM takes all that it learns from through the same linear reconstruction: the image itself and
its four views. So noise of mean zero stays noise of mean zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from zsfiji.reconstruction.drift import Drift
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.linear import Linear
from zsfiji.services.sim.reconstructor import SCALE
from zsfiji.services.zs_sim.views import OFFSETS, view, views

_SHARE = 0.2
"""Constant of the automatic filter, over the one that is best without a network: the network
removes noise better than the filter does."""


@dataclass(frozen=True)
class Filtering:
    """The Wiener filter.

    Attributes
    ----------
    kind : {"classical", "automatic"}
        All bands alike and a constant set by hand, or bands by the inverse variance of their noise
        and a constant fitted to the image.
    constant : float
        Of the classical filter; its square is added to the squared OTF.
    """

    kind: Literal["classical", "automatic"]
    constant: float


class Reconstruction(Protocol):
    """The linear step between what the camera shows and what the network gets."""

    scale: int
    """Pixels of the result to a pixel of the image, along rows and along columns."""

    drift: Drift | None
    """How far the specimen moves between the angles of the part; none of a plane."""

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """Reconstruct a part; gives (row, col)."""

    def views(self, part: torch.Tensor) -> torch.Tensor:
        """Reconstruct the four views of a part; gives (4, row, col)."""


class Planes:
    """Planes (row, col) are what they are."""

    scale = 1
    drift: Drift | None = None

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
    stack : torch.Tensor
        The raw image (angle, frame, row, col), in grey levels, on the device to compute on.
    filtering : Filtering
        The filter, whose constant is the same for all that it reconstructs.
    """

    scale = SCALE

    def __init__(self, calibration: Calibration, stack: torch.Tensor, filtering: Filtering) -> None:
        if filtering.kind == "classical":
            self._take = Linear(calibration, stack, constant=filtering.constant)
        else:
            self._take = Linear(calibration, stack, share=_SHARE)
        self.drift: Drift | None = self._take.drift

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """Reconstruct (angle, frame, row, col)."""
        return self._take(part)

    def views(self, part: torch.Tensor) -> torch.Tensor:
        """Reconstruct the four views of (angle, frame, row, col)."""
        # One after the other: a view takes as much memory as the image.
        return torch.stack([self.whole(view(part, offset)) for offset in OFFSETS])
