"""The published terms of the objective (docs/methods/simformer.md)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.learning.losses import variation

ABSOLUTE, SIMILAR = 0.875, 0.125
"""Weights of the absolute errors and of the structural similarity."""

PSF_VARIATION, LIGHT_VARIATION = 1e-3, 1e-3
"""Weights of the total variation of the PSF and of the illumination."""

CENTRE = 0.1
"""Weight of the distance of the PSF from the centre."""

MANY = 0.3
"""Share of masked tokens above which absolute errors count only where the network saw nothing."""

_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 5, 1.5
_LUMINANCE, _CONTRAST = 0.01**2, 0.03**2


def difference(
    found: torch.Tensor, wanted: torch.Tensor, counted: torch.Tensor | None = None
) -> torch.Tensor:
    """Absolute errors and structural similarity, with the published weights.

    Parameters
    ----------
    found, wanted : torch.Tensor
        (stack, frame, row, col).
    counted : torch.Tensor, optional
        Weights of the absolute errors, of the same shape; 1 without it.
    """
    errors = (found - wanted).abs()
    if counted is None:
        absolute = errors.mean()
    else:
        absolute = (errors * counted).sum() / counted.sum().clamp_min(1)
    return ABSOLUTE * absolute + SIMILAR * (1 - similarity(found, wanted).mean())


def similarity(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Multi-scale structural similarity of each stack (Wang, Simoncelli and Bovik, 2003).

    Windows extend over frames as well. Grey levels are relative to the range of `wanted`, of each
    stack by itself: in the published program that of the batch decides.

    Parameters
    ----------
    found, wanted : torch.Tensor
        (stack, frame, row, col); scales that have fewer than five rows or columns are left out.

    Returns
    -------
    torch.Tensor
        (stack,), at most 1.
    """
    flat = wanted.flatten(1)
    low, high = flat.amin(1), flat.amax(1)
    extent = (high - low).clamp_min(1e-6)[:, None, None, None]
    a, b = ((image - low[:, None, None, None]) / extent for image in (found, wanted))
    terms = []
    weights: list[float] = []
    for weight in _SCALES:
        if min(a.shape[-2:]) < _WINDOW:
            break
        luminance, contrast = _one_scale(a, b)
        terms.append(contrast.clamp_min(1e-6) ** weight)
        weights.append(weight)
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    # Ours: the product of two means. Wang's program has the mean of the product.
    terms[-1] = (luminance.clamp_min(1e-6)) ** weights[-1] * terms[-1]
    return torch.stack(terms).prod(0) ** (1 / sum(weights))


def light_variation(illumination: torch.Tensor) -> torch.Tensor:
    """Total variation of the illumination along rows and columns.

    In the published program also from frame to frame, which is the modulation itself.
    """
    return _variation(illumination)


def psf_variation(psf: torch.Tensor) -> torch.Tensor:
    """Total variation of the PSF."""
    return _variation(psf)


def off_centre(psf: torch.Tensor) -> torch.Tensor:
    """Distance of the centroid of a PSF (..., row, col) from its middle; 1 is half its edge."""
    at = torch.linspace(-1, 1, psf.shape[-1], device=psf.device)
    total = psf.sum((-2, -1))
    row = (psf * at[:, None]).sum((-2, -1)) / total
    col = (psf * at).sum((-2, -1)) / total
    # The root has no gradient at 0.
    return (row.square() + col.square() + 1e-12).sqrt().mean()


def _variation(image: torch.Tensor) -> torch.Tensor:
    """Sum of the mean squares of first differences, relative to the mean."""
    # Ours is half of that.
    return 2 * variation(image / image.mean())


def _one_scale(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Means over each stack: of the luminance, and of contrast times structure."""
    stacked = _smoothed(torch.stack([a, b, a * a, b * b, a * b]).flatten(0, 1))
    mean_a, mean_b, aa, bb, ab = stacked.unflatten(0, (5, -1))
    across = 2 * (ab - mean_a * mean_b) + _CONTRAST
    within = aa - mean_a.square() + bb - mean_b.square() + _CONTRAST
    both = mean_a.square() + mean_b.square() + _LUMINANCE
    luminance = (2 * mean_a * mean_b + _LUMINANCE) / both
    return luminance.flatten(1).mean(1), (across / within).flatten(1).mean(1)


def _smoothed(images: torch.Tensor) -> torch.Tensor:
    """Gaussian means over windows that lie in the image, and over frames if there are enough."""
    tap = torch.arange(_WINDOW) - _WINDOW // 2
    weight = torch.exp(-0.5 * (tap / _SIGMA).square())
    weights = (weight / weight.sum()).tolist()
    for axis in (1, 2, 3):
        if images.shape[axis] >= _WINDOW:
            kept = images.shape[axis] - _WINDOW + 1
            parts = [w * images.narrow(axis, n, kept) for n, w in enumerate(weights)]
            images = torch.stack(parts).sum(0)
    return images
