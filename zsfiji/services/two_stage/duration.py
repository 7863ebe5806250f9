"""How long two-stage networks take; see :mod:`zsfiji.services.duration`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zsfiji.services import duration as common
from zsfiji.services.two_stage.settings import FEWEST_SLICES, TwoStageSettings

_COARSE = 0.75
"""Share of the work that an upsampling of 1 leaves."""


@dataclass(frozen=True)
class Costs:
    """Seconds on the reference computer, for an upsampling of 2.

    Attributes
    ----------
    before : float
        Measuring the noise, and what is computed once, before and between the steps.
    step : float
        A step of the training.
    pixel : float
        Both results, for a pixel of the image.
    examples : float
        Making examples, for a pixel of the plane that they are made of.
    field : int
        Most such pixels.
    """

    before: float
    step: float
    pixel: float
    examples: float = 0.0
    field: int = 0


def seconds(
    sizes: Mapping[str, int],
    settings: TwoStageSettings,
    costs: Mapping[tuple[str, int], Costs],
    *,
    train: bool = True,
    applied: int = 1,
) -> float:
    """Estimate the time on the reference computer.

    Parameters
    ----------
    sizes : mapping
        Axis -> length of the image.
    settings : TwoStageSettings
        The settings. Where the PSF decides on the dimensions, it is taken for a stack.
    costs : mapping
        The costs by the kind of the network, and by 2 for planes or 3 for stacks.
    train : bool
        Whether a network is trained.
    applied : int
        How often it is applied.
    """
    slices, dimensions = sizes.get("pln", 1), settings.dimensions
    deep = dimensions == "3d" or (dimensions == "auto" and slices >= FEWEST_SLICES)
    axes = 3 if deep else 2
    cost = costs[settings.kind, axes]
    found = 0.0
    if train:
        parts = {k: n for k, n in sizes.items() if k != "pln"} if deep else sizes
        one = cost.before + settings.planned_steps(axes) * cost.step
        one += cost.examples * min(cost.field, common.pixels(sizes))
        found += one * common.networks(parts, settings.fit_per)
    found += applied * cost.pixel * common.pixels(sizes) * common.planes(sizes)
    return common.START + found * (1.0 if settings.upsample == 2 else _COARSE)
