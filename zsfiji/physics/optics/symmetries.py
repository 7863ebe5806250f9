"""Which flips and rotations of an image leave its optics as they are.

A flipped or rotated patch is an image through a flipped or rotated PSF. Where that is another PSF,
as with coma or astigmatism, a network must not learn from the patch in that position.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.ndimage import rotate

from zsfiji.compute.symmetries import SYMMETRIES, dihedral

_ALIKE = 0.1
"""Relative deviation of two positions that the noise of measured PSFs explains. Chosen by eye."""

_ANGLES = (15.0, 30.0, 45.0)
"""Degrees by which a PSF is rotated to see whether it is round. With the flips and the rotations by
90 degrees they stand for all: no aberration of low order looks the same after each of them."""


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
    square = _square(psf)
    return tuple(which for which in range(SYMMETRIES) if _alike(dihedral(square, which), square))


def psf_is_round(psf: torch.Tensor) -> bool:
    """Whether rotations by any angle, and flips, map a PSF onto itself.

    Parameters
    ----------
    psf : torch.Tensor
        As for :func:`psf_symmetries`.
    """
    if len(psf_symmetries(psf)) < SYMMETRIES:
        return False
    square = _square(psf).cpu()
    turned = (rotate(square.numpy(), angle, (-2, -1), reshape=False) for angle in _ANGLES)
    return all(_alike(torch.from_numpy(t), square) for t in turned)


def _square(psf: torch.Tensor) -> torch.Tensor:
    """Pad a PSF with zeros to the same number of rows and columns."""
    side = max(psf.shape[-2:])
    rows, cols = ((side - n) // 2 for n in psf.shape[-2:])
    return F.pad(psf, (cols, cols, rows, rows))


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    return float((one - other).norm()) <= _ALIKE * float(other.norm())
