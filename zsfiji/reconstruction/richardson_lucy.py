r"""The multiplicative steps of Richardson and Lucy, for any image formation of several frames.

They go up the likelihood of photon counts and keep the specimen from becoming negative. They are
accelerated along their own direction (:mod:`zsfiji.compute.acceleration`). Few steps restore coarse
detail first: where to stop is decided by :mod:`zsfiji.reconstruction.stopping`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from zsfiji import progress
from zsfiji.compute.acceleration import Acceleration

SHARE = 0.5
"""Share of the light that is haze at the start, where nothing else is said. What is coarse can be
explained by both; where it goes depends on the start, see :mod:`zsfiji.reconstruction.stopping`."""

_LONGEST_SWIFT, _FIRST_WIDTHS, _WIDTHS = 0.98, 4, 5
"""Longest accelerated step of swift runs, relative to the one before; in these the widths of the
steps are computed in each of so many first ones, and after every so many further ones."""

_LEAST_SHARE = 1e-3
"""Least light that a pixel beyond the border must send into the image, relative to one inside.
Not tuned."""

_DIMMEST = 1e-3
"""Least value of a specimen to start from, relative to the mean of the frames."""

_LEAST = 1e-6
"""Least expected light, relative to the mean: avoids division by zero. Not tuned."""


@dataclass(frozen=True)
class Estimate:
    """What explains the frames.

    Attributes
    ----------
    specimen : torch.Tensor
        Light of the specimen on the fine grid, with its surroundings beyond the image.
    haze : torch.Tensor or None
        What the haze is made of by the wide Gaussian, (row, col); see :meth:`.Joint.haze`.
    """

    specimen: torch.Tensor
    haze: torch.Tensor | None = None

    @property
    def parts(self) -> tuple[torch.Tensor, ...]:
        """The specimen, and the haze if there is one."""
        return (self.specimen,) if self.haze is None else (self.specimen, self.haze)


class Formation(Protocol):
    """The image formation of some frames."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a frame."""

    @property
    def fine(self) -> tuple[int, ...]:
        """Of the specimen with its surroundings."""

    @property
    def read(self) -> float | torch.Tensor:
        """Light that has the noise of a pixel without light."""

    @property
    def bright(self) -> torch.Tensor:
        """Brightness of the frames, (frame, 1, ...)."""

    @property
    def seen(self) -> torch.Tensor:
        """Light that each fine pixel sends into all frames, more than zero: see :func:`reached`."""

    @property
    def smooth(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """What makes the haze smooth; None where there is none."""

    def frames(self, estimate: Estimate) -> torch.Tensor:
        """Expected frames (frame, ...)."""

    def back(self, frames: torch.Tensor) -> torch.Tensor:
        """The adjoint for the specimen."""


def reached(seen: torch.Tensor, full: float) -> torch.Tensor:
    """Light that each fine pixel sends, from the adjoint of ones and what it is well inside."""
    return seen.clamp_min(_LEAST_SHARE * full)


def run(
    formation: Formation,
    stack: torch.Tensor,
    iterations: int,
    *,
    share: float = SHARE,
    start: torch.Tensor | None = None,
    swift: bool = False,
    watch: Callable[[int, Estimate], bool] | None = None,
    label: str | None = None,
) -> Estimate:
    """Find the specimen.

    Parameters
    ----------
    formation : Formation
        The image formation.
    stack : torch.Tensor
        (angle, frame, ...): light in the frames, without background.
    iterations : int
        How many steps, at least 1.
    share : float
        Share of the light that is haze at the start, from 0 to less than 1.
    start : torch.Tensor, optional
        Specimen with its surroundings that the first step starts from; a flat one by default.
        What is dark in it becomes bright only slowly.
    swift : bool
        Whether steps are as wide as the light allows. The classical ones treat read noise
        as light: where it is most of the noise, they are many times too narrow.
    watch : callable, optional
        Is given the number of each step, from 1, and its estimate; if it says True, that
        estimate is the result.
    label : str, optional
        What to report as progress; nothing without it.

    Returns
    -------
    Estimate
        After the last step.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    frames = stack.reshape(-1, *formation.shape)
    measured = (frames + formation.read).clamp_min(0)
    if start is None:
        now = _flat(formation, frames, share)
    else:
        # Where it is zero, a multiplicative step would change nothing.
        least = _DIMMEST * float(frames.mean().clamp_min(_LEAST))
        now = Estimate(start.clamp_min(least), _flat(formation, frames, 0.0).haze)
    point, width = now, formation.seen
    beyond = Acceleration(_LONGEST_SWIFT) if swift else Acceleration()
    for step in range(1, iterations + 1):
        progress.stop_if_cancelled()
        if swift and (step <= _FIRST_WIDTHS or step % _WIDTHS == 0):
            width = _width(formation, point)
        now = _step(formation, point, measured, width)
        if watch is not None and watch(step, now):
            break
        if label is not None:
            progress.report(step / iterations, label)
        point = Estimate(*beyond(point.parts, now.parts))
    return now


def _flat(formation: Formation, frames: torch.Tensor, share: float) -> Estimate:
    mean = frames.mean().clamp_min(_LEAST)
    if formation.smooth is None:
        return Estimate(mean.expand(formation.fine), None)
    specimen = ((1 - share) * mean).expand(formation.fine)
    return Estimate(specimen, (share * mean).expand(formation.shape))


def _width(formation: Formation, point: Estimate) -> torch.Tensor:
    """What the steps are divided by: the light that a fine pixel sends, over its noise."""
    light = formation.frames(point).clamp_min_(0)
    total = light + formation.read
    width = formation.back(light / total.clamp_min(_LEAST * float(total.mean())))
    return width.clamp_min(_LEAST_SHARE * float(width.max()))


def _step(
    formation: Formation, point: Estimate, measured: torch.Tensor, width: torch.Tensor
) -> Estimate:
    expected = formation.frames(point).clamp_min_(0).add_(formation.read)
    least = max(_LEAST * float(measured.mean()), 1e-20)
    ratio = measured / expected.clamp_min_(least)
    if width is formation.seen:
        specimen = point.specimen * (formation.back(ratio).clamp_min_(0) / formation.seen)
    else:
        change = formation.back(ratio - 1) / width
        specimen = point.specimen * (1 + change).clamp_min_(0)
    haze = None
    if formation.smooth is not None and point.haze is not None:
        mean = (ratio * formation.bright).mean(0) / formation.bright.mean()
        haze = point.haze * formation.smooth(mean)
    return Estimate(specimen, haze)
