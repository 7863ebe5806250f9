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
from zsfiji.reconstruction.search import Estimate, Search

_CLEAR = 1.5
"""Ratio of the evidence for two orders from which the better one is beyond doubt. The true order of
simulated and real stacks has 2.2 to 3.5 times that of the next one."""


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
        Evidence for it (squared significance of all waves) over that for the next best;
        infinite if there was no other.
    runner_up : str
        The next best; empty if there was no other.
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
                f"The order of the frames is probably {self.name}, but {self.runner_up} is nearly "
                "as likely. Give 'order' if you know it."
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
        Order -> (angle, frame): which of `frames` make up the stack.
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
    ranked = sorted(found, key=lambda name: found[name].evidence, reverse=True)
    best = ranked[0]
    if len(ranked) == 1:
        return Ordering(best, found[best], math.inf, "")
    ratio = found[best].evidence / max(found[ranked[1]].evidence, 1e-30)
    return Ordering(best, found[best], ratio, ranked[1])
