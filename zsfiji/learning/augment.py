"""Random patches, and the eight flips and rotations of the square."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

SYMMETRIES = 8
"""Number of the flips and rotations that map a square onto itself."""


def dihedral(patch: torch.Tensor, which: int) -> torch.Tensor:
    """Flip and rotate the last two axes.

    Parameters
    ----------
    patch : torch.Tensor
        Shape (..., height, width).
    which : int
        0 to 7; 0 to 3 are the rotations by so many quarter turns, 4 to 7 the same after a flip.

    Returns
    -------
    torch.Tensor
        A view; height and width change places for odd `which`.
    """
    if which >= 4:
        patch = patch.flip(-1)
    return torch.rot90(patch, which % 4, (-2, -1))


def undo_dihedral(patch: torch.Tensor, which: int) -> torch.Tensor:
    """Take back what :func:`dihedral` did with the same `which`."""
    patch = torch.rot90(patch, -(which % 4), (-2, -1))
    return patch.flip(-1) if which >= 4 else patch


def some_turn(turns: Sequence[int], draw: int, *, square: bool) -> int:
    """One of the flips and rotations that a patch may get.

    Parameters
    ----------
    turns : sequence of int
        Those there are; see :func:`dihedral`.
    draw : int
        A random number from 0 to 7.
    square : bool
        Whether the patch is; else quarter turns, which would change its shape, are left out.
    """
    fitting = [which for which in turns if square or which % 2 == 0]
    return fitting[draw * len(fitting) // SYMMETRIES]


def self_ensemble(
    function: Callable[[torch.Tensor], torch.Tensor], patch: torch.Tensor
) -> torch.Tensor:
    """Mean of what `function` makes of the eight flips and rotations of `patch`.

    Parameters
    ----------
    function : callable
        Takes and gives tensors of shape (..., height, width).
    patch : torch.Tensor
        Shape (..., height, width).

    Returns
    -------
    torch.Tensor
        The mean, in the position of `patch`.
    """
    total = undo_dihedral(function(dihedral(patch, 0)), 0)
    for which in range(1, SYMMETRIES):
        total = total + undo_dihedral(function(dihedral(patch, which)), which)
    return total / SYMMETRIES


def random_patches(
    planes: torch.Tensor,
    count: int,
    size: int,
    generator: torch.Generator,
    *,
    turns: Sequence[int] = range(SYMMETRIES),
    centres: torch.Tensor | None = None,
) -> torch.Tensor:
    """Draw square patches at random places of random planes.

    Parameters
    ----------
    planes : torch.Tensor
        Shape (planes, channels, height, width), on any device.
    count : int
        Number of patches.
    size : int
        Edge of a patch in pixels; a smaller plane gives patches of its own height or width.
    generator : torch.Generator
        Source of the places, on the CPU, so that no draw waits for the device.
    turns : sequence of int
        Flips and rotations, of which each patch gets one at random; see :func:`dihedral`.
    centres : torch.Tensor, optional
        Integers (places, 3) on the CPU: plane, row and column of the pixels that a patch may be
        centred on, as far as the border allows. Without it all places are equally likely.

    Returns
    -------
    torch.Tensor
        Shape (count, channels, size, size). Where the planes are smaller than `size` and not
        square, the patches are only turned by half turns and flips.
    """
    number, _, height, width = planes.shape
    tall, wide = min(size, height), min(size, width)
    limits = (number, height - tall + 1, width - wide + 1, SYMMETRIES)
    draws = [torch.randint(limit, (count,), generator=generator).tolist() for limit in limits]
    if centres is not None:
        chosen = centres[torch.randint(len(centres), (count,), generator=generator)]
        tops = (chosen[:, 1] - tall // 2).clamp(0, height - tall)
        lefts = (chosen[:, 2] - wide // 2).clamp(0, width - wide)
        draws[:3] = [chosen[:, 0].tolist(), tops.tolist(), lefts.tolist()]
    patches = []
    for plane, top, left, drawn in zip(*draws, strict=True):
        patch = planes[plane, :, top : top + tall, left : left + wide]
        patches.append(dihedral(patch, some_turn(turns, drawn, square=tall == wide)))
    return torch.stack(patches)
