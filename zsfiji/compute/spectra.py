"""Spectra of images on grids of other sizes, and of images that fade to their borders."""

from __future__ import annotations

import itertools

import torch


def frequencies_kept(coarse: int, fine: int) -> torch.Tensor:
    """Where the frequencies of a coarse grid are in the spectrum of a finer one.

    Parameters
    ----------
    coarse, fine : int
        Points of both grids along an axis.

    Returns
    -------
    torch.Tensor
        int64 (coarse,): indices for a spectrum in the order of :func:`torch.fft.fft`.
    """
    return torch.cat([torch.arange((coarse + 1) // 2), torch.arange(fine - coarse // 2, fine)])


def regridded(spectrum: torch.Tensor, points: tuple[int, int]) -> torch.Tensor:
    """A spectrum for an inverse transform to another number of points.

    Parameters
    ----------
    spectrum : torch.Tensor
        Complex (..., row, col), in the order of :func:`torch.fft.fft2`. Frequencies that fewer
        points do not have are left out.
    points : (int, int)
        The number along rows and columns.

    Returns
    -------
    torch.Tensor
        (..., points): zero at the frequencies that are new.
    """
    shape = tuple(int(n) for n in spectrum.shape[-2:])
    wide = spectrum.new_zeros(*spectrum.shape[:-2], *points)
    halves = []
    for have, want in zip(shape, points, strict=True):
        side = min(have, want)
        positive, negative = (side + 1) // 2, side // 2
        halves.append(
            [
                (slice(positive), slice(positive)),
                (slice(have - negative, have), slice(want - negative, want)),
            ]
        )
    # Slices are copied nearly twice as fast as indices.
    for (from_row, to_row), (from_col, to_col) in itertools.product(*halves):
        wide[..., to_row, to_col] = spectrum[..., from_row, from_col]
    return wide


def independent_share(window: torch.Tensor) -> float:
    """Share of the frequencies of an image times a window that are independent of the others.

    The window makes neighbouring frequencies alike: the variance of a mean over many of them is
    that over so many independent ones.
    """
    return float(window.square().mean() ** 2 / window.pow(4).mean())
