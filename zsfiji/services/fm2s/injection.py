"""The synthetic noise of FM2S (docs/methods/fm2s.md, section 2).

First noise whose strength depends on the mean of the region, then shot noise over the whole image.
Pixels are in units of full scale, 0 to 1; every channel has independent noise.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.compute.device import poisson
from zsfiji.services.fm2s.presets import Preset

DARKEST, BRIGHTEST = 1e-5, 0.15
"""Limits of a region's mean when it is used as noise strength, as published."""

_GREY_LEVELS = 255
"""Full scale in grey levels, in which k_g is given."""


def strength(clean: torch.Tensor, stride: int) -> torch.Tensor:
    """Give every pixel the mean of its region, as the authors do.

    Regions are squares, counted from the top left corner. In those that reach beyond the right or
    the bottom border, the missing pixels count as 0.

    Parameters
    ----------
    clean : torch.Tensor
        Shape (..., height, width), 0 to 1.
    stride : int
        Edge of a region.

    Returns
    -------
    torch.Tensor
        Shape (..., height, width), between :data:`DARKEST` and :data:`BRIGHTEST`.
    """
    height, width = clean.shape[-2:]
    padded = F.pad(clean, (0, -width % stride, 0, -height % stride))
    means = _means(padded, stride).clamp(DARKEST, BRIGHTEST)
    spread = means.repeat_interleave(stride, -2).repeat_interleave(stride, -1)
    return spread[..., :height, :width]


def inject(
    clean: torch.Tensor,
    region: torch.Tensor,
    preset: Preset,
    source: torch.Generator,
    *,
    ceiling: float = 1.0,
) -> torch.Tensor:
    """Make a synthetic noisy image.

    Parameters
    ----------
    clean : torch.Tensor
        Shape (..., height, width), not negative, in units of full scale.
    region : torch.Tensor
        From :func:`strength`, of a shape that can be multiplied with `clean`.
    preset : Preset
        The constants.
    source : torch.Generator
        Random numbers, on the device of `clean`.
    ceiling : float
        Upper limit at which pixels are clipped after each of the two steps; the lower one is 0.

    Returns
    -------
    torch.Tensor
        Of the shape of `clean`.
    """
    rate = preset.poisson / region
    spread = preset.gaussian * region / _GREY_LEVELS
    regional = poisson(clean * rate, source) / rate + spread * _normal(clean, source)
    regional = regional.clamp(0, ceiling)
    return (poisson(regional * preset.overall, source) / preset.overall).clamp(0, ceiling)


def _means(image: torch.Tensor, stride: int) -> torch.Tensor:
    """Mean of each square region; height and width are multiples of `stride`."""
    height, width = image.shape[-2:]
    regions = image.unflatten(-1, (width // stride, stride)).unflatten(
        -3, (height // stride, stride)
    )
    return regions.mean((-3, -1))


def _normal(like: torch.Tensor, source: torch.Generator) -> torch.Tensor:
    return torch.randn(like.shape, generator=source, device=like.device)
