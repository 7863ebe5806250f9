"""The scale between grey levels and the input and output of a network."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from zsfiji.physics.filters.anscombe import Stabiliser

NOISE_SCALE = 0.25
"""Standard deviation of the stabilised noise in the input of a network: similar to the range of the
other input. Not tuned."""


@dataclass(frozen=True)
class Scale:
    """Converts grey levels to the input of a network, and its results to grey levels.

    Attributes
    ----------
    dark_level, unit : float
        A result of 0 means the grey level `dark_level`, a result of 1 `dark_level` plus `unit`.
    stabiliser : Stabiliser or None
        The transform for a second input, in which the noise is the same everywhere; None for a
        network without it.
    centre : float
        Stabilised value that is 0 in the second input.
    """

    dark_level: float
    unit: float
    stabiliser: Stabiliser | None = None
    centre: float = 0.0

    def to_network(self, grey: torch.Tensor) -> torch.Tensor:
        """Give the input of the network for grey levels (batch, 1, ...): one channel or two."""
        linear = (grey - self.dark_level) / self.unit
        if self.stabiliser is None:
            return linear
        stabilised = (self.stabiliser.root(grey) - self.centre) * NOISE_SCALE
        return torch.cat([linear, stabilised], 1)

    def grey(self, result: torch.Tensor) -> torch.Tensor:
        """Give the grey levels of a result."""
        return result.float() * self.unit + self.dark_level
