"""Which order the frames of a raw SIM image have: that in which they show patterns best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from zsfiji.errors import UserError
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.reconstruction.layouts import Layout
from zsfiji.reconstruction.peaks import Peak
from zsfiji.reconstruction.search import Estimate, Search

_CLEAR = 1.5
"""Ratio of the evidence for two orders from which the better one is beyond doubt. The true order of
simulated and real single stacks has 2.2 to 3.5 times that of the next one. In movies, orders that
take the angles from different time points have nearly as much as the true one."""

_SAME = 0.25
"""Angle between two directions that count as one, over that between neighbours. Not tuned: a
direction that is there twice is the same to within the spacing of the spectrum."""


@dataclass(frozen=True, eq=False)
class Ordering:
    """The order that was found.

    Attributes
    ----------
    name : str
        The best order, by its name.
    search : Search
        The waves in this order.
    ratio : float
        Evidence for it (squared significance of all waves, each direction once) over that for
        the next best; infinite if there was no other. Below 1 where that is less usual.
    runner_up : str
        The next best, of those that show as many directions if any does; empty if there was no
        other.
    """

    name: str
    search: Search
    ratio: float
    runner_up: str

    @property
    def patterned(self) -> bool:
        """Whether any pattern was found: a wide-field stack has none in any order."""
        return self.search.patterned

    @cached_property
    def estimate(self) -> Estimate:
        """The patterns in this order."""
        return self.search.estimate()

    @property
    def clear(self) -> bool:
        """Whether the order is beyond doubt."""
        return self.patterned and self.ratio >= _CLEAR

    def said(self) -> list[str]:
        """Sentences for the user; none where there was nothing to find out."""
        if not self.patterned:
            return [
                "No order of the frames shows a pattern. Is this a raw SIM image, and are the "
                "numbers of angles and phases right? Check also the numerical aperture, the "
                "emission and the pixel size."
            ]
        if not self.runner_up:
            return []
        if not self.clear:
            return [
                f"The order of the frames is probably {self.name}, but {self.runner_up} shows the "
                "patterns about as well. Give 'order' if you know it."
            ]
        return [
            f"The order of the frames is {self.name}: it shows the patterns {self.ratio:.1f} times "
            "as clearly as the next best."
        ]


def find_order(
    frames: torch.Tensor,
    orders: Mapping[str, NDArray[np.integer]],
    transfer: RadialTransfer,
    layout: Layout | Sequence[Layout] = Layout.TWO_BEAM,
) -> Ordering:
    """Try the orders that the frames may have.

    Parameters
    ----------
    frames : torch.Tensor
        float32 (n, row, col), the background taken off.
    orders : mapping of str to numpy.ndarray
        Order -> (angle, frame): which of `frames` make up the stack. The most usual one first: it
        is taken unless another one is clearly better, shows more directions, or is better with
        the same frames.
    transfer : RadialTransfer
        The OTF.
    layout : Layout or sequence of Layout
        The beams that make the pattern, or several that may.

    Returns
    -------
    Ordering
        The best order; see there whether it shows a pattern at all.

    Raises
    ------
    UserError
        If there is no order to try, or a frame has no light above the background.
    """
    if not orders:
        raise UserError(
            "No order of the frames fits their number. Give the numbers of angles and phases."
        )
    found = {
        name: Search(frames[torch.from_numpy(np.asarray(index)).long()], transfer, layout)
        for name, index in orders.items()
    }
    heights = {name: _heights(search.peaks) for name, search in found.items()}
    evidence = {name: sum(each) for name, each in heights.items()}
    likely = [name for name in found if _CLEAR * evidence[name] >= max(evidence.values())]
    # Frames of different time points show the patterns as well, so the first order is taken. But
    # an order in which an angle is there twice and another one is not is that of another image.
    first = max(likely, key=lambda name: len(heights[name]))
    # Of the same frames the right order shows them best.
    same = [n for n in found if np.isin(orders[n], orders[first]).all()]
    best = max(same, key=evidence.__getitem__)
    others = [name for name in found if name != best]
    if not others:
        return Ordering(best, found[best], math.inf, "")
    alike = [name for name in others if len(heights[name]) >= len(heights[best])]
    next_best = max(alike or others, key=evidence.__getitem__)
    ratio = evidence[best] / max(evidence[next_best], 1e-30)
    return Ordering(best, found[best], ratio, next_best)


def _heights(peaks: Sequence[Peak]) -> list[float]:
    """The evidence for each direction: of angles with the same one, that for the best of them."""
    angles: dict[int, list[Peak]] = {}
    for peak in peaks:
        angles.setdefault(peak.member.angle, []).append(peak)
    height = {n: sum(max(peak.height, 0.0) for peak in waves) for n, waves in angles.items()}
    near = _SAME * math.pi / len(angles)
    taken: list[int] = []
    for angle in sorted(angles, key=height.__getitem__, reverse=True):
        here = angles[angle][0].wave_vector
        if all(_between(here, angles[other][0].wave_vector) > near for other in taken):
            taken.append(angle)
    return [height[angle] for angle in taken]


def _between(one: torch.Tensor, other: torch.Tensor) -> float:
    """The angle between the lines of two waves, in radians."""
    cross = float(one[0] * other[1] - one[1] * other[0])
    return math.atan2(abs(cross), abs(float(one @ other)))
