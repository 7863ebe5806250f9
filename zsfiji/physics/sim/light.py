"""Design of illumination patterns, to simulate raw SIM images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from zsfiji.errors import UserError

if TYPE_CHECKING:
    from zsfiji.physics.sim.patterns import Patterns

Beams = Literal["two", "three", "hexagonal"]

_ORDERS = {"two": (1.0,), "three": (4 / 3, 2 / 3), "hexagonal": (2 / 3, 2 / 3, 2 / 3)}
"""Modulation of the waves where beams of equal brightness interfere: 3 + 4 cos + 2 cos of twice the
phase for three beams in a plane, 3 + 2 (cos + cos + cos) for three around the axis."""

_HEXAGONAL_STEPS = (1, 3, 2)
"""Phase steps of three waves that are 60 degrees apart when their pattern is moved: the middle wave
is the sum of the others. Modulo 7, these and their negatives are different, so that seven frames
tell all bands apart."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """How a specimen is illuminated.

    Attributes
    ----------
    angles, phases : int
        Numbers of angles and of phases, which are equal steps of a period.
    beams : {"two", "three", "hexagonal"}
        Which beams interfere: two, three in a plane (with a second wave that is half as fine), or
        three around the axis (one angle).
    fineness : float
        Frequency of the finest wave as a share of the cut-off of the lens.
    modulation : float
        Contrast of the pattern, 0 to 1: 1 is that of beams of equal brightness.
    direction : float, optional
        Of the first angle, in degrees from the columns (x axis); random by default.
    jitter : float
        Standard deviation of the phases around their equal steps, in degrees.
    bleaching : float
        Share of the light that is lost until the last frame, 0 to below 1.
    """

    angles: int = 3
    phases: int = 3
    beams: Beams = "two"
    fineness: float = 0.9
    modulation: float = 0.8
    direction: float | None = None
    jitter: float = 0.0
    bleaching: float = 0.0

    def check(self) -> None:
        """Refuse patterns that cannot be reconstructed.

        Raises
        ------
        UserError
            If there are too few phases to tell the bands apart, or several angles of a hexagonal
            pattern.
        """
        fewest = 1 + 2 * len(_ORDERS[self.beams])
        if self.phases < fewest:
            raise UserError(
                f"{self.phases} phases are too few: a pattern of {self.beams} beams takes at least "
                f"{fewest}."
                if self.beams != "hexagonal"
                else f"{self.phases} phases are too few: a hexagonal pattern takes at least 7."
            )
        if self.beams == "hexagonal" and self.angles != 1:
            raise UserError("A hexagonal pattern has 1 angle, with waves in three directions.")

    def patterns(self, cutoff: float, seed: int) -> Patterns:
        """Make patterns.

        Parameters
        ----------
        cutoff : float
            Of the lens, in cycles per raw pixel.
        seed : int
            Of the first direction, of the phases of the first frames, and of the jitter.
        """
        self.check()
        draws = np.random.default_rng([seed, 77])
        direction = draws.uniform(0, math.pi)
        if self.direction is not None:
            direction = math.radians(self.direction)
        depths = np.array(_ORDERS[self.beams])
        finest = self.fineness * cutoff
        first = draws.uniform(0, math.tau, (self.angles, 1, len(depths)))
        steps = np.arange(self.phases) * math.tau / self.phases
        steps = steps + draws.normal(0, math.radians(self.jitter), (self.angles, self.phases))
        if self.beams == "hexagonal":
            turns = direction + np.arange(3)[None] * math.pi / 3
            # Their phases are those of three beams: the light is never below zero.
            first[..., 1] = first[..., 0] + first[..., 2]
            sizes, orders = np.ones(3), np.array(_HEXAGONAL_STEPS)
        else:
            turns = direction + np.arange(self.angles)[:, None] * math.pi / self.angles
            orders = np.arange(1, len(depths) + 1)
            # All waves of an angle move together.
            first, sizes = first[..., :1] * orders, orders / len(depths)
        vectors = finest * np.stack([np.sin(turns) * sizes, np.cos(turns) * sizes], -1)
        phases = first + steps[..., None] * orders
        number = self.angles * self.phases
        brightness = (1 - self.bleaching) ** (np.arange(number) / max(number - 1, 1))
        brightness = brightness.reshape(self.angles, self.phases) / brightness.mean()
        depth = np.broadcast_to(depths * self.modulation, (self.angles, len(depths)))
        found = (vectors, phases.transpose(0, 2, 1), depth, brightness)
        # Options are checked by this module before torch is loaded.
        import torch

        from zsfiji.physics.sim.patterns import Patterns

        return Patterns(*(torch.tensor(np.ascontiguousarray(part)) for part in found))
