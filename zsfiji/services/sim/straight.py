"""Raw stacks in which the specimen has drifted between the angles, made straight."""

from __future__ import annotations

from dataclasses import replace

import torch

from zsfiji.physics.sim.optics import RadialTransfer, frequencies
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.reconstruction.bands import NoLight, has_light, separated
from zsfiji.reconstruction.borders import MARGIN, extended, extended_shape
from zsfiji.reconstruction.drift import Drift, drift, unknown


def straightened(
    stack: torch.Tensor, patterns: Patterns, transfer: RadialTransfer
) -> tuple[torch.Tensor, Patterns, Drift]:
    """Move the angles of a raw stack such that the specimen is at one place in all of them.

    Parameters
    ----------
    stack : torch.Tensor
        (angle, frame, row, col) or (angle, frame, pln, row, col), without background. The drift of
        slices is that of their sum.
    patterns : Patterns
        Its patterns.
    transfer : RadialTransfer
        The OTF.

    Returns
    -------
    stack : torch.Tensor
        The same, moved by fractions of a pixel where the drift matters.
    patterns : Patterns
        Those of the moved stack.
    drift : Drift
        What was measured; of a single angle none. A stack in which a frame has no light, such as
        an empty slice, stays where it is.
    """
    try:
        found = measured(stack, transfer)
    except NoLight:
        found = unknown(len(stack))
    return moved(stack, found), turned(patterns, found), found


def measured(stack: torch.Tensor, transfer: RadialTransfer) -> Drift:
    """The drift between the angles of a raw stack; see :func:`straightened`.

    Raises
    ------
    NoLight
        If a frame has no light above the background.
    """
    return drift(separated(_flat(stack), transfer, None), transfer)


def lit(stack: torch.Tensor) -> bool:
    """Whether all frames of a raw stack have light, so that its drift can be measured."""
    return has_light(_flat(stack))


def _flat(stack: torch.Tensor) -> torch.Tensor:
    return stack if stack.ndim == 4 else stack.sum(2)


def turned(patterns: Patterns, by: Drift, sign: int = 1) -> Patterns:
    """The patterns of a stack after :func:`moved`, or with a sign of -1 those before it."""
    if patterns.angles < 2 or not by.matters:
        return patterns
    along = (patterns.wave_vectors * by.shifts[:, None, :]).sum(-1)
    return replace(patterns, phases=patterns.phases + sign * TURN * along[..., None])


def moved(stack: torch.Tensor, by: Drift) -> torch.Tensor:
    """Undo a drift that was measured in another stack of the same frames.

    Parameters
    ----------
    stack : torch.Tensor
        (angle, frame, ..., row, col).
    by : Drift
        What was measured.

    Returns
    -------
    torch.Tensor
        The stack itself where the drift does not matter.
    """
    if len(stack) < 2 or not by.matters:
        return stack
    pairs = zip(stack, by.shifts, strict=True)
    return torch.stack([_moved(frames, float(row), float(col)) for frames, (row, col) in pairs])


def _moved(frames: torch.Tensor, row: float, col: float) -> torch.Tensor:
    """Frames moved up and left, by interpolation of their spectrum."""
    rows, cols = (int(n) for n in frames.shape[-2:])
    field = extended_shape((rows, cols))
    down, across = frequencies(field, device=frames.device)
    turn = torch.exp(1j * TURN * (row * down + col * across))
    spectrum = torch.fft.rfft2(extended(frames, field)) * turn
    whole = torch.fft.irfft2(spectrum, s=field)
    return whole[..., MARGIN : MARGIN + rows, MARGIN : MARGIN + cols]
