"""Raw stacks as networks take them."""

from __future__ import annotations

import numpy as np
import torch

from zsfiji.reconstruction.blind import Found
from zsfiji.services.simformer.kinds import Kind, Stack
from zsfiji.services.simformer.nine import is_nine


def seen(stack: np.ndarray, found: Found | None, background: float) -> Stack:
    """A stack as networks take it.

    Parameters
    ----------
    stack : numpy.ndarray
        (angle, phase, row, col), in grey levels.
    found : Found or None
        What was found in it, if it was looked for.
    background : float
        Grey level without light.
    """
    light = torch.from_numpy(np.asarray(stack, np.float32) - np.float32(background))
    if found is None:
        return Stack(light)
    return Stack(light, found.patterns, found.transfer, found.gain, found.read_variance)


def must_find(kind: Kind, stack: np.ndarray) -> bool:
    """Whether a network needs the patterns of a stack."""
    return kind.needs_patterns or not is_nine(int(stack.shape[0]), int(stack.shape[1]))
