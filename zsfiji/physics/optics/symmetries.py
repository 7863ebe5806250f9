"""Which flips and rotations of an image leave its optics as they are.

A flipped or rotated patch is an image through a flipped or rotated PSF. Where that is another PSF,
as with coma or astigmatism, a network must not learn from the patch in that position.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.compute.symmetries import SYMMETRIES, dihedral

_ALIKE = 0.1
"""Relative deviation of two positions that the noise of measured PSFs explains. Chosen by eye."""


def psf_symmetries(psf: torch.Tensor) -> tuple[int, ...]:
    """The flips and rotations that map a PSF onto itself.

    Parameters
    ----------
    psf : torch.Tensor
        Shape (row, col) or (pln, row, col), odd sizes, centred.

    Returns
    -------
    tuple of int
        See :func:`zsfiji.compute.symmetries.dihedral`; 0, which changes nothing, comes first.
    """
    side = max(psf.shape[-2:])
    rows, cols = ((side - n) // 2 for n in psf.shape[-2:])
    square = F.pad(psf, (cols, cols, rows, rows))
    size = float(square.norm())
    return tuple(
        which
        for which in range(SYMMETRIES)
        if float((dihedral(square, which) - square).norm()) <= _ALIKE * size
    )
