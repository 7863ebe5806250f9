"""The stages of a training: what is masked, what noise is added, the rank of the illumination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes
    ----------
    share : float
        Share of the steps of the training.
    mask : float
        Share of the tokens that the network does not see.
    noise : float
        Highest standard deviation of the noise that is added, over the mean of the frames.
    rank : float
        Share of the numbers of a token that the low-rank coding passes.
    """

    share: float = 1.0
    mask: float = 0.0
    noise: float = 0.0
    rank: float = 1.0


PUBLISHED = (
    Stage(36_458, 0.75, 1.0, 1.0),
    Stage(23_438, 0.25, 1.0, 1 / 2),
    Stage(23_438, 0.25, 1.0, 1 / 4),
    Stage(23_438, 0.25, 1.0, 1 / 8),
    Stage(23_438, 0.25, 1.0, 1 / 16),
    Stage(2_222_222, 0.75, 1.0, 1 / 16),
)
"""Those of the authors, their shares in steps: 228 million parameters, 80 x 80 pixels."""

STEPS = round(sum(stage.share for stage in PUBLISHED))
"""Steps of the published training."""

SMALL = (
    Stage(0.1, 0.75, 0.3, 1.0),
    Stage(0.08, 0.25, 0.3, 1 / 2),
    Stage(0.08, 0.25, 0.3, 1 / 4),
    Stage(0.07, 0.25, 0.3, 1 / 8),
    Stage(0.07, 0.25, 0.3, 1 / 16),
    Stage(0.6, 0.0, 0.0, 1 / 16),
)
"""Ours for a network that learns from the truth: at the end it sees all that it will see later."""

FINE_TUNING = (Stage(1.0, 0.25, 0.3, 1 / 16),)
"""Of the training on one image."""

PLAIN = (Stage(),)
"""Without stages."""


def stage_at(stages: Sequence[Stage], step: int, steps: int) -> Stage:
    """The stage of a step, counted from 0, of a training of so many steps."""
    total = sum(stage.share for stage in stages)
    done = 0.0
    for stage in stages:
        done += stage.share / total * steps
        if step < round(done):
            return stage
    return stages[-1]
