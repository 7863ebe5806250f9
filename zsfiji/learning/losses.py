"""Data terms and regularisers (docs/methods/zs-deconvnet.md, 1.7 and 2.2)."""

from __future__ import annotations

import torch

HESSIAN_2D = 0.02
"""Published weight of the Hessian term for planes."""

HESSIAN_3D = 0.1
"""Published weight of the Hessian term for stacks."""

MUCH = 4.0
"""Mean squared error, in variances of the noise, that is more than noise explains: a pair whose
input is not denoised differs by so much. See :func:`log_capped`."""


def distance(result: torch.Tensor, target: torch.Tensor, kind: str) -> torch.Tensor:
    """Mean absolute ("mae") or mean squared ("mse") difference."""
    difference = result - target
    return difference.abs().mean() if kind == "mae" else difference.square().mean()


def log_capped(error: torch.Tensor) -> torch.Tensor:
    """Limit errors of many times the noise to the growth of a logarithm.

    In bright regions a blurred image differs from its target by hundreds of variances, which would
    outweigh every other term.

    Parameters
    ----------
    error : torch.Tensor
        Mean squared error over the variance of the noise, a scalar.

    Returns
    -------
    torch.Tensor
        The error itself up to :data:`MUCH`, and `MUCH (1 + log(error / MUCH))` above it.
    """
    return torch.where(error < MUCH, error, MUCH * (1 + (error / MUCH).clamp_min(1).log()))


def hessian(image: torch.Tensor, axes: int = 2) -> torch.Tensor:
    """Hessian regulariser: second differences along the last `axes` axes, as published.

    For planes half the sum of the mean squares of the four (xx, yy, xy and yx), for stacks the sum
    of the mean squares of all nine.
    """
    total = image.new_zeros(())
    for first in range(-axes, 0):
        slope = image.diff(dim=first)
        for second in range(-axes, 0):
            total = total + slope.diff(dim=second).square().mean()
    return total / 2 if axes == 2 else total


def variation(image: torch.Tensor, axes: int = 2) -> torch.Tensor:
    """Published TV regulariser: half the sum of the mean squares of the first differences."""
    slopes = [image.diff(dim=axis).square().mean() for axis in range(-axes, 0)]
    return torch.stack(slopes).sum() / 2
