"""Where iterations of :mod:`zsfiji.reconstruction.richardson_lucy` stop: by cross-validation.

From the frames two sets with independent noise are made by adding and subtracting the same further
noise (Pang et al., CVPR 2021; Oliveira et al., 2022). An estimate from the first one is compared
with the second one: as long as steps restore structure it comes closer, and when they only amplify
noise it goes away again. Nothing but the noise of the camera has to be known.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from zsfiji import progress
from zsfiji.compute.device import generator
from zsfiji.physics.camera.recorruption import local_mean, pair
from zsfiji.reconstruction import richardson_lucy
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.joint_3d import JointStack
from zsfiji.reconstruction.richardson_lucy import SHARE, Estimate
from zsfiji.reconstruction.window import with_structure

MOST = 60
"""Most iterations. More than twice of what simulated stacks of 500 photons needed."""

_ALPHA = 0.5
"""Noise that is added to the first set, in standard deviations; as published."""

_FIRST, _PATIENCE = 8, 6
"""No stop before so many steps, and only after so many without a better one."""

_SHARES = (0.2, 0.5, 0.7, 0.8, 0.9)
"""Shares of haze at the start that are tried. The one that explains held frames best gave the
best result, or one within 0.5 dB, on 14 of 16 simulated stacks."""

_SIDE = 256
"""Longest side in pixels of the part that is looked at: bounds the time. Not tuned."""


@dataclass(frozen=True)
class Choice:
    """How to run :meth:`.Joint.run`.

    Attributes
    ----------
    iterations : int
        How many, at least 1.
    share : float
        Share of haze at the start.
    error : float
        Mean squared error of the frames that were held, in variances of their noise: about 1.
    """

    iterations: int
    share: float
    error: float


def noise_variance(stack: torch.Tensor, gain: float, read_variance: float) -> torch.Tensor:
    """Variance of the noise of each pixel, from the mean of the pixels around it.

    Parameters
    ----------
    stack : torch.Tensor
        (..., row, col): light, without background.
    gain : float
        Variance of the noise for a unit of light.
    read_variance : float
        Variance of a pixel without light.
    """
    return gain * local_mean(stack).clamp_min(0) + read_variance


def recorrupted(
    stack: torch.Tensor, variance: torch.Tensor, draws: torch.Generator, alpha: float = _ALPHA
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make two sets of frames with independent noise; that of the first one is little stronger."""
    added = variance.sqrt() * torch.randn(stack.shape, generator=draws, device=stack.device)
    return pair(stack, added, alpha)


def choose(
    joint: Joint | JointStack,
    stack: torch.Tensor,
    variance: torch.Tensor,
    *,
    longest: int = _SIDE,
    most: int = MOST,
    swift: bool = False,
    early: bool = False,
    seed: int = 0,
    label: str | None = None,
) -> Choice:
    """Find the iterations and the share of haze that explain held frames best.

    Parameters
    ----------
    joint : Joint
        The image formation.
    stack, variance : torch.Tensor
        (angle, frame, row, col) or (angle, frame, pln, row, col): light in the frames, and the
        variance of its noise, such as from :func:`noise_variance`.
    longest : int
        Longest side in pixels of the part that is looked at.
    most : int
        Upper limit of the iterations.
    swift : bool
        As for :func:`.richardson_lucy.run`, and for the run that follows.
    early : bool
        Whether Finish now ends the count as well, not only the trying of further shares.
    seed : int
        Seed of the added noise.
    label : str, optional
        What to report as progress; nothing without it.

    Returns
    -------
    Choice
        The best one.
    """
    rows, cols = with_structure(stack, longest)
    part = joint.part(rows, cols)
    given, held = recorrupted(
        stack[..., rows, cols], variance[..., rows, cols], generator(seed, stack.device)
    )
    weight = 1 / (variance[..., rows, cols] * (1 + _ALPHA**-2)).clamp_min(1e-20)

    def tried(share: float) -> Choice:
        errors: list[float] = []

        def watch(step: int, now: Estimate) -> bool:
            errors.append(float(((part.predict(now) - held).square() * weight).mean()))
            if label is not None:
                progress.report(step / most, label)
            if step <= _FIRST:
                return False
            return (early and progress.finish_requested()) or min(errors) < min(errors[-_PATIENCE:])

        richardson_lucy.run(part, given, most, share=share, swift=swift, watch=watch)
        least = min(errors)
        return Choice(errors.index(least) + 1, share, least)

    if not joint.has_haze:
        return tried(0.0)
    # The error has one minimum over the shares: go on in the direction that makes it less.
    begin = _SHARES.index(SHARE)
    best = tried(SHARE)
    for side in (_SHARES[begin + 1 :], _SHARES[:begin][::-1]):
        for share in side:
            if progress.finish_requested():
                return best
            found = tried(share)
            if found.error >= best.error:
                break
            best = found
        if best.share != SHARE:
            break
    return best
