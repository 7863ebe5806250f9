"""Raw stacks as networks take them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from zsfiji.reconstruction.blind import Found
from zsfiji.reconstruction.drift import Drift
from zsfiji.services.sim.report import Unused, unused
from zsfiji.services.sim.straight import straightened
from zsfiji.services.simformer.kinds import Kind, Stack
from zsfiji.services.simformer.nine import is_nine


@dataclass(frozen=True, eq=False)
class Straight:
    """A raw stack in which the specimen is at one place in all angles.

    Attributes
    ----------
    frames : torch.Tensor
        float32 (angle, phase, row, col), in grey levels.
    found : Found
        What was found in it; patterns that were not found have no modulation.
    drift : Drift
        How far the specimen had moved.
    """

    frames: torch.Tensor
    found: Found
    drift: Drift

    def lost(self) -> list[Unused]:
        """Patterns, and waves of them, that were not found."""
        patterns = self.found.patterns
        return unused(patterns, (patterns.modulation > 0).tolist())


def straight(stack: np.ndarray, found: Found) -> Straight:
    """Take a drift between the angles off a raw stack.

    Parameters
    ----------
    stack : numpy.ndarray
        (angle, phase, row, col), in grey levels.
    found : Found
        What was found in it.
    """
    found = sure(found)
    above = found.above(torch.from_numpy(np.asarray(stack, np.float32)))
    above, patterns, drift = straightened(above, found.patterns, found.transfer)
    return Straight(above + found.background, replace(found, patterns=patterns), drift)


def sure(found: Found) -> Found:
    """The same, without modulation where no pattern was found."""
    return replace(found, patterns=found.patterns.where(found.search.found))


def seen(stack: np.ndarray, background: float) -> Stack:
    """A stack in which nothing was looked for, as networks take it.

    Parameters
    ----------
    stack : numpy.ndarray
        (angle, phase, row, col), in grey levels.
    background : float
        Grey level without light.
    """
    return Stack(torch.from_numpy(np.asarray(stack, np.float32) - np.float32(background)))


def known(stack: Straight) -> Stack:
    """A stack with what was found in it, as networks take it."""
    found = stack.found
    return Stack(
        found.above(stack.frames),
        found.patterns,
        found.transfer,
        found.gain,
        found.read_variance,
    )


def must_find(kind: Kind, stack: np.ndarray) -> bool:
    """Whether a network needs the patterns of a stack."""
    return kind.needs_patterns or not is_nine(int(stack.shape[0]), int(stack.shape[1]))
