"""The scale between grey levels and the numbers that a network works with."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from zsfiji.physics.filters.anscombe import Stabiliser

NOISE_SCALE = 0.25
"""Standard deviation of the stabilised noise as an input of a network. Not tuned: of the order of
the other input."""


@dataclass(frozen=True)
class Scale:
    """How grey levels become the input of a network, and its results grey levels.

    Attributes
    ----------
    dark_level, unit : float
        The result 0 stands for the grey level `dark_level`, the result 1 for `unit` more.
    stabiliser : Stabiliser or None
        The transform for a second input, in which the noise is the same everywhere; None for a
        network without it.
    centre : float
        Stabilised value that becomes 0 in the second input.
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
