"""Classical deconvolution, to compare the networks with: Richardson-Lucy, also with TV.

It works with any linear model of the microscope that has an adjoint, such as
:class:`zsfiji.physics.optics.degradation.Degradation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from zsfiji import progress
from zsfiji.errors import UserError

_SMALL = 1e-6
"""Relative to the mean: avoids division by zero where there is no light. Not tuned."""


class LinearModel(Protocol):
    """From the specimen to the image."""

    def __call__(self, specimen: torch.Tensor) -> torch.Tensor:
        """`A x`."""

    def adjoint(self, image: torch.Tensor) -> torch.Tensor:
        """`A' y`."""


def richardson_lucy(
    image: torch.Tensor,
    model: LinearModel,
    iterations: int,
    *,
    background: float = 0.0,
    tv: float = 0.0,
    axes: Sequence[int] = (-2, -1),
    each: Callable[[int, torch.Tensor], None] | None = None,
) -> torch.Tensor:
    r"""The maximum-likelihood estimate for Poisson noise, by Richardson and Lucy.

    :math:`x \leftarrow \frac{x}{A'1\,(1 - \lambda\,\mathrm{div}\frac{\nabla x}{|\nabla x|})}
    \; A'\frac{y}{A x + b}`

    with the exact adjoint, also at the border, where no light accumulates therefore. With `tv` it
    is the regularised form of Dey et al. (Microsc. Res. Tech. 69, 260, 2006, equation 10), whose
    denominator is kept above 0.1.

    Parameters
    ----------
    image : torch.Tensor
        Measured intensities; batch axes come first. Values below zero count as zero.
    model : LinearModel
        The microscope.
    iterations : int
        How many. More of them sharpen the image, but also amplify noise.
    background : float
        Light or camera offset in every pixel that is not from the specimen, in the unit of the
        image.
    tv : float
        Weight :math:`\lambda` of the total variation, 0 for none; 0.002 is Dey's.
    axes : sequence of int
        Axes along which differences are taken: (-3, -2, -1) for a stack.
    each : callable, optional
        Called after each iteration with the number of iterations done and the estimate, to choose
        the best one if the ground truth is known.

    Returns
    -------
    torch.Tensor
        The specimen on its own grid, not negative. Without a background the total light is kept.

    Raises
    ------
    UserError
        If the image has NaN, or no light above the background.
    """
    if not torch.isfinite(image).all():
        raise UserError("The image has pixels that are NaN or infinite. Replace them first.")
    if iterations < 1:
        raise ValueError(f"{iterations} iterations")
    measured = image.clamp(min=0)
    sensitivity = model.adjoint(torch.ones_like(measured))
    light = (measured - background).clamp(min=0).mean()
    if not light > 0:
        raise UserError(
            f"No pixel of the image is brighter than the background of {background:g}. "
            "Give a smaller background."
        )
    estimate = torch.full_like(sensitivity, float(light))
    least = _SMALL * float(measured.mean())
    for i in range(iterations):
        expected = (model(estimate) + background).clamp(min=least)
        denominator = sensitivity
        if tv:
            denominator = sensitivity * (1 - tv * curvature(estimate, axes)).clamp(min=0.1)
        estimate = estimate * (model.adjoint(measured / expected) / denominator).clamp(min=0)
        progress.report((i + 1) / iterations, f"Richardson-Lucy {i + 1} of {iterations}")
        if each is not None:
            each(i + 1, estimate)
    return estimate


def curvature(estimate: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    """Divergence of the unit gradient, by forward and then backward differences."""
    slopes = []
    for axis in axes:
        last = estimate.narrow(axis, estimate.shape[axis] - 1, 1)
        slopes.append(torch.diff(estimate, dim=axis, append=last))
    steepness = torch.stack([s.square() for s in slopes]).sum(0)
    steepness = (steepness + (_SMALL * float(estimate.mean())) ** 2).sqrt()
    total = torch.zeros_like(estimate)
    for axis, slope in zip(axes, slopes, strict=True):
        unit = slope / steepness
        total += torch.diff(unit, dim=axis, prepend=torch.zeros_like(unit.narrow(axis, 0, 1)))
    return total
