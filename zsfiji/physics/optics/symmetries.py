"""Which flips and rotations of an image leave its optics as they are.

A patch that is turned was seen by a turned PSF. Where the PSF is not the same in that position, as
one with coma or astigmatism, the patch must not be learnt from so.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.compute.symmetries import SYMMETRIES, dihedral

_ALIKE = 0.1
"""Relative deviation that the noise of measured PSFs explains."""


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
