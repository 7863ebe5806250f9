"""The eight flips and rotations of the square."""

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
        A view; height and width are swapped for odd `which`.
    """
    if which >= 4:
        patch = patch.flip(-1)
    return torch.rot90(patch, which % 4, (-2, -1))


def undo_dihedral(patch: torch.Tensor, which: int) -> torch.Tensor:
    """Undo :func:`dihedral` with the same `which`."""
    patch = torch.rot90(patch, -(which % 4), (-2, -1))
    return patch.flip(-1) if which >= 4 else patch


def some_symmetry(symmetries: Sequence[int], draw: int, *, square: bool) -> int:
    """Choose one of the flips and rotations that a patch may get.

    Parameters
    ----------
    symmetries : sequence of int
        Those to choose from; see :func:`dihedral`.
    draw : int
        A random number from 0 to 7.
    square : bool
        Whether the patch is square. If not, rotations by 90 degrees, which would change its shape,
        are left out.
    """
    fitting = [which for which in symmetries if square or which % 2 == 0]
    return fitting[draw * len(fitting) // SYMMETRIES]


def self_ensemble(
    function: Callable[[torch.Tensor], torch.Tensor],
    patch: torch.Tensor,
    symmetries: Sequence[int] = range(SYMMETRIES),
) -> torch.Tensor:
    """Mean of the results of `function` for flips and rotations of `patch`.

    Parameters
    ----------
    function : callable
        Takes and gives tensors of shape (..., height, width).
    patch : torch.Tensor
        Shape (..., height, width).
    symmetries : sequence of int
        Those to use, at least one; see :func:`dihedral`.

    Returns
    -------
    torch.Tensor
        The mean, flipped and rotated back to the position of `patch`.
    """
    first, *others = symmetries
    total = undo_dihedral(function(dihedral(patch, first)), first)
    for which in others:
        total = total + undo_dihedral(function(dihedral(patch, which)), which)
    return total / len(symmetries)
