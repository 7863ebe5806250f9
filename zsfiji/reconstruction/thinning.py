"""How many iterations of :mod:`zsfiji.reconstruction.joint` the image bears: by thinning.

Each photon goes to one of two sets by chance: thinned Poisson counts are Poisson counts again, and
independent. Iterations on the first set go on as long as they explain the second set better. The
camera's read noise counts as light that has this noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from zsfiji import progress
from zsfiji.compute.device import generator
from zsfiji.reconstruction import richardson_lucy
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.richardson_lucy import Estimate

SHARE = 0.8
"""Share of the counts that iterations are counted with."""

_MANY = 4000.0
"""Counts above which a binomial draw is a normal one."""

_PATIENCE = 6
"""Looks without a better one before an end."""

_SURE = 2.0
"""Standard deviations of the noise by which a look is surely better than another one."""


def thinned(
    stack: torch.Tensor,
    gain: float,
    read: float | torch.Tensor,
    draws: torch.Generator,
    share: float = SHARE,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Deal the counts of a stack to two sets.

    Parameters
    ----------
    stack : torch.Tensor
        (angle, frame, row, col), without background.
    gain : float
        Variance of the noise for a unit of light.
    read : float or torch.Tensor
        Light that has the noise of a pixel without light, see :class:`.Joint`.
    draws : torch.Generator
        Random numbers.
    share : float
        Of the first set, 0 to 1.

    Returns
    -------
    torch.Tensor, torch.Tensor
        Stacks with the light of the whole one, and with independent noise: its variance is 1 /
        `share` and 1 / (1 - `share`) times that of the stack.
    """
    counts = ((stack + read) / gain).clamp_min(0)
    # The rest of a count goes up or down by chance, so that the mean stays.
    low = counts.floor()
    whole = low + (torch.rand(counts.shape, generator=draws, device=counts.device) < counts - low)
    few = whole.clamp_max(_MANY)
    given = torch.binomial(few, torch.full_like(few, share), generator=draws)
    normal = torch.randn(counts.shape, generator=draws, device=counts.device)
    many = share * counts + (share * (1 - share) * counts).sqrt() * normal
    given = torch.where(whole > _MANY, many, given)
    held = torch.where(whole > _MANY, counts, whole) - given
    return given * (gain / share) - read, held * (gain / (1 - share)) - read


@dataclass(frozen=True, eq=False)
class Look:
    """The look at a fit that explains held counts best.

    Attributes
    ----------
    iterations : int
        After how many it was.
    score : float
        Logarithm of the likelihood of the held counts, but for a constant and in units of light.
    expected : torch.Tensor or None
        float64 (angle, frame, row, col): the light that is expected then, with that of the read
        noise; None if there was no look.
    """

    iterations: int
    score: float
    expected: torch.Tensor | None = None

    def surely_above(self, other: Look, gain: float) -> bool:
        """Whether it is better than another one beyond what the noise of held counts explains.

        Parameters
        ----------
        other : Look
            At the same held counts.
        gain : float
            Variance of the noise of the whole stack for a unit of light.
        """
        if self.expected is None or other.expected is None:
            return self.score > other.score
        ratio = (self.expected / other.expected).log().square()
        variance = float((self.expected * ratio).sum()) * gain / (1 - SHARE)
        return self.score - other.score > _SURE * math.sqrt(variance)


def best_look(
    joint: Joint,
    given: torch.Tensor,
    held: torch.Tensor,
    *,
    most: int,
    every: int = 4,
    start: torch.Tensor | None = None,
    at_once: bool = False,
    label: str | None = None,
) -> Look:
    """Find how many swift iterations explain held counts best.

    Parameters
    ----------
    joint : Joint
        The image formation.
    given, held : torch.Tensor
        From :func:`thinned`.
    most : int
        Upper limit of the iterations.
    every : int
        Iterations between two looks.
    start : torch.Tensor, optional
        See :meth:`.Joint.run`.
    at_once : bool
        Whether there is a look at the start as well.
    label : str, optional
        What to report as progress; nothing without it.

    Returns
    -------
    Look
        From 1 iteration to `most`, or 0 with `at_once`.
    """
    held = (held + joint.read).clamp_min(0).double()
    best, missed = Look(min(every, most), -math.inf), 0

    def look(step: int, now: Estimate) -> None:
        nonlocal best, missed
        expected = (joint.predict(now) + joint.read).double()
        expected = expected.clamp_min(1e-6 * float(held.mean()))
        score = float((held * expected.log() - expected).sum())
        missed += 1
        if score > best.score:
            best, missed = Look(step, score, expected), 0

    def watch(step: int, now: Estimate) -> bool:
        if label is not None:
            progress.report(step / most, label)
        if progress.finish_requested():
            return True
        if step % every:
            return False
        look(step, now)
        return missed >= _PATIENCE

    if at_once and start is not None:
        look(0, Estimate(start))
    richardson_lucy.run(joint, given, most, start=start, swift=True, watch=watch)
    return best


def count_iterations(
    joint: Joint,
    stack: torch.Tensor,
    gain: float,
    *,
    most: int,
    seed: int = 0,
    label: str | None = None,
) -> int:
    """Find how many swift iterations a stack bears.

    Parameters
    ----------
    joint : Joint
        The image formation.
    stack : torch.Tensor
        (angle, frame, row, col), without background.
    gain : float
        Variance of the noise for a unit of light.
    most : int
        Upper limit of the iterations.
    seed : int
        Seed of the draws.
    label : str, optional
        What to report as progress; nothing without it.

    Returns
    -------
    int
        From 1 to `most`.
    """
    given, held = thinned(stack, gain, joint.read, generator(seed, stack.device))
    return best_look(joint, given, held, most=most, label=label).iterations
