"""Iterative reconstruction, of a plane or of a stack."""

from __future__ import annotations

import torch

from zsfiji import progress
from zsfiji.reconstruction import richardson_lucy, stopping
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.joint_3d import JointStack
from zsfiji.reconstruction.richardson_lucy import Estimate

_STACK_SIDE = 96
"""Longest side in pixels of the part of a stack whose iterations are counted: bounds the time."""

_STACK_MOST = 300
"""Most iterations of a stack. Simulated ones of 500 photons needed 200."""

_FEWEST = 8
"""Iterations that there are also after Finish now. Not tuned."""


def explained(
    joint: Joint | JointStack,
    above: torch.Tensor,
    gain: float,
    read_variance: float,
    *,
    seed: int,
) -> torch.Tensor:
    """Reconstruct by joint Richardson-Lucy deconvolution of all frames.

    Parameters
    ----------
    joint : Joint or JointStack
        The image formation.
    above : torch.Tensor
        (angle, frame, row, col) or (angle, frame, pln, row, col), in grey levels above the
        background, on the device of `joint`.
    gain, read_variance : float
        Variance of the noise for a unit of light, and of a pixel without light.
    seed : int
        Of the draws that decide how many iterations there are.

    Returns
    -------
    torch.Tensor
        (2 row, 2 col) or (pln, 2 row, 2 col), in grey levels, as a lens shows it that resolves what
        SIM does. Of a stack there are fewer iterations after Finish now; a plane takes seconds.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    variance = stopping.noise_variance(above, gain, read_variance)
    stack = isinstance(joint, JointStack)
    limits = {"longest": _STACK_SIDE, "most": _STACK_MOST} if stack else {}
    with progress.part(0, 0.5):
        choice = stopping.choose(
            joint,
            above,
            variance,
            **limits,
            swift=stack,
            early=stack,
            seed=seed,
            label="Counting iterations",
        )
    with progress.part(0.5, 1):
        found = richardson_lucy.run(
            joint,
            above,
            choice.iterations,
            share=choice.share,
            swift=stack,
            watch=_finished if stack else None,
            label="Reconstructing",
        )
    return joint.shown(found.specimen)


def _finished(step: int, _: Estimate) -> bool:
    return step >= _FEWEST and progress.finish_requested()
