"""How the waves of a raw SIM image belong together: the beams that interfere in the specimen."""

from __future__ import annotations

import itertools
import math
from enum import Enum
from typing import NamedTuple


class Layout(Enum):
    """The beams of a SIM microscope.

    `TWO_BEAM` has one wave to an angle. `THREE_BEAM` has two, the second one exactly twice as fine.
    `HEXAGONAL` has a single angle with three waves.
    """

    TWO_BEAM = "two-beam"
    THREE_BEAM = "three-beam"
    HEXAGONAL = "hexagonal"

    @property
    def waves(self) -> int:
        """Number of waves of an angle."""
        return list(Layout).index(self) + 1

    @property
    def fewest_frames(self) -> int:
        """Frames of an angle that the bands of its waves can be separated from."""
        return 2 * self.waves + 1


class Member(NamedTuple):
    """One wave among all, and where it lies if the first one lies at k.

    Attributes
    ----------
    angle, wave : int
        Its place in :class:`~zsfiji.physics.sim.patterns.Patterns`.
    order : int
        Its phase moves by `order` / frames of a turn from frame to frame. Negative if the wave
        vector is that of -k.
    turn : float
        Its direction less that of the first one, in radians.
    stretch : float
        Its frequency over that of the finest wave.
    """

    angle: int
    wave: int
    order: int
    turn: float
    stretch: float


def arrangements(layout: Layout, angles: int, frames: int) -> list[list[Member]]:
    """All arrangements of the waves that such a raw image can have.

    Directions are equally spaced over half a turn: 60 degrees between three. The order of the
    angles is that of the frames or the reverse, or skips (five angles at steps of 72 degrees).

    Parameters
    ----------
    layout : Layout
        The beams.
    angles, frames : int
        Number of angles, and of frames of each.

    Returns
    -------
    list of list of Member
        Each with all waves of all angles, the first one with a turn of 0.
    """
    most = (frames - 1) // 2
    directions = layout.waves if layout is Layout.HEXAGONAL else angles
    steps = [j for j in range(1, directions) if math.gcd(j, directions) == 1] or [0]
    found = []
    if layout is Layout.HEXAGONAL:
        # All harmonics are its waves; which is which only names them.
        for step in steps:
            turns = [step * i * math.pi / 3 for i in range(3)]
            found.append([Member(0, i, i + 1, turns[i], 1.0) for i in range(3)])
        return found
    for step, order in itertools.product(steps, range(1, most + 1)):
        members = []
        for angle in range(angles):
            turn = step * angle * math.pi / directions
            if layout is Layout.TWO_BEAM:
                members.append(Member(angle, 0, order, turn, 1.0))
                continue
            double = _within(2 * order, frames)
            members.append(Member(angle, 0, order, turn, 0.5))
            members.append(Member(angle, 1, double, turn, 1.0))
        found.append(members)
    return found


def _within(order: int, frames: int) -> int:
    """The same harmonic of so many frames, from -frames / 2 to frames / 2."""
    return (order + frames // 2) % frames - frames // 2
