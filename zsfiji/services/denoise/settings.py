"""The settings of a training of ``Zero-Shot Denoise...``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Quality, Seed

STEPS = {"quick": 20, "standard": 280, "best": 1200}
"""Training steps of each quality."""

PIXELS = {"quick": 2**17, "standard": 2**19, "best": 2**20}
"""Pixels of the neighbour pairs for each quality. Not tuned."""

TRAINING_PIXELS = 32 * 2**20
"""Most pixels of a stack or movie that are used for a training: bounds the memory. Not tuned."""

NoiseCorrelation = Annotated[
    int,
    Field(
        ge=0,
        le=4,
        description="Pixels that the noise spreads over, which a camera's processing or "
        "interpolation causes. 0 measures it in the image; 1 means that every pixel has noise of "
        "its own.",
    ),
    Shown("Noise correlation (0 = auto)", unit="px", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All settings of a training.

    Attributes
    ----------
    quality : {"quick", "standard", "best"}
        How long to train.
    fit_per : {"channel", "plane"}
        One model for each channel, shared by all slices and frames, or one for each plane.
    seed : int
        Seed of the initial weights and of all random numbers, 0 to 2**31 - 1.
    noise_correlation : int
        Pixels over which the noise is correlated, 1 to 4; 0 measures it.

    Raises
    ------
    UserError
        If a value is not one of these.
    """

    quality: Quality = "standard"
    fit_per: FitPer = "channel"
    seed: Seed = 0
    noise_correlation: NoiseCorrelation = 0
