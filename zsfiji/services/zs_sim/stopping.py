"""Early stopping: the training ends where the network tells the image best, which is soon.

The published figure has "early stopping" and no rule. The loss between views does not serve: it
falls for thousands of steps while the result gets worse, because interpolated views have other
noise than the image (docs/methods/zs-sim.md, 3). Here the network is tried on what it is meant for:
an image to which noise was added, against the same image with independent noise (the recorrupted
pairs of Pang et al., CVPR 2021). Only where the noise cannot be added again, because it extends
along the lines of a scan, the network is tried on views.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from zsfiji.compute.device import autocast

PATIENCE = 0.3
"""Share of the planned steps after which a training without progress is stopped. Not tuned."""

LEAST = 150
"""Steps that a training gets at least: the network is worse than none for its first hundred."""


_LEAST = 1.0
"""Least slope of a result: a noisy image is not made fainter, which would tell the target better
without removing any noise."""


class Line(NamedTuple):
    """The line that tells a target from a result: their scales differ early in a training."""

    slope: float
    error: float
    """Mean square of what it leaves."""


class Watch:
    """Keeps the best weights of a training, and says when to stop.

    Parameters
    ----------
    network : torch.nn.Module
        The network that is trained.
    average : torch.nn.Module
        A copy with the averaged weights: the one that is judged.
    trials : sequence of (torch.Tensor, torch.Tensor)
        Pairs with independent noise, scaled for the network: what it gets, and what it should
        tell; each (row, col).
    steps : int
        Steps of the whole training.

    Attributes
    ----------
    best : int
        Step after which the network was best; 0 if it was never better than no network.
    slope : float
        What its results are multiplied by.
    """

    def __init__(
        self,
        network: nn.Module,
        average: nn.Module,
        trials: Sequence[tuple[torch.Tensor, torch.Tensor]],
        steps: int,
    ) -> None:
        self._network, self._average, self._trials, self._steps = network, average, trials, steps
        self._error = sum(line(given, target, _LEAST).error for given, target in trials)
        self._weights: dict[str, torch.Tensor] | None = None
        self.best, self.slope = 0, 1.0

    def __call__(self, done: int) -> bool:
        """Look at the network after `done` steps."""
        for mine, other in zip(self._average.buffers(), self._network.buffers(), strict=True):
            mine.copy_(other)
        self._average.eval()
        lines = []
        for given, target in self._trials:
            with torch.no_grad(), autocast(given.device):
                lines.append(line(self._average(given[None, None])[0, 0].float(), target, _LEAST))
        error = sum(found.error for found in lines)
        if error < self._error:
            self._error, self.best = error, done
            self.slope = sum(found.slope for found in lines) / len(lines)
            self._weights = copy.deepcopy(self._average.state_dict())
        return done - self.best > max(LEAST, PATIENCE * self._steps)

    def take_best(self) -> None:
        """Give the network the best weights, if there were any."""
        if self._weights is not None:
            self._network.load_state_dict(self._weights)


def line(result: torch.Tensor, target: torch.Tensor, least: float = -math.inf) -> Line:
    """Fit a line, of a slope of at least `least`, from a result to a target of the same shape."""
    result, target = result - result.mean(), target - target.mean()
    slope = float((result * target).mean() / result.square().mean().clamp_min(1e-20))
    slope = max(slope, least)
    return Line(slope, float((target - slope * result).square().mean()))
