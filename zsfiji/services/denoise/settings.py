"""The settings of a training of ``Zero-Shot Denoise...``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Quality, Seed

STEPS = {"quick": 48, "standard": 300, "best": 800}
"""Training steps of each quality, for :data:`FULL` pixels and more; see :func:`steps`."""

BATCH = {"quick": 4, "standard": 8, "best": 8}
"""Patches in a step. In a short training small batches learn more in the same time; in a longer one
they were worse by up to 0.09 dB."""

SYMMETRIES: dict[str, Sequence[int]] = {
    "quick": (0, 2, 5, 7),
    "standard": range(8),
    "best": range(8),
}
"""Flips and rotations of which the network's result is the mean. The four of `quick` swap rows and
columns as well, because detectors scan along rows: all eight are better by 0.000 to 0.008 dB (five
pairs), the flips alone worse by up to 0.02 dB, and one image worse by up to 0.04 dB."""

LEAST_STEPS = 16
"""Fewest steps for a small image. Not tuned."""

FULL = 2**18
"""Pixels from which on an image gets all steps: those of 512 x 512."""

PIXELS = {"quick": 2**16, "standard": 2**19, "best": 2**20}
"""Pixels of the neighbour pairs for each quality. Not tuned."""

LOOK = 256
"""Edge in pixels of the middle of a plane in which results are compared: bounds the time. Not
tuned."""

TRAINING_PIXELS = 32 * 2**20
"""Most pixels of a stack or movie that are used for a training: bounds the memory. Not tuned."""

NoiseCorrelation = Annotated[
    int,
    Field(
        ge=0,
        le=4,
        description="Over how many neighbouring pixels the noise is shared (after interpolation or "
        "processing in the camera). 0 measures it in the image; 1 means that every pixel has "
        "noise of its own.",
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


def steps(quality: str, pixels: int) -> int:
    """Training steps for an image, or a stack, of so many pixels.

    A small image has less to learn from, and the patches of a step cover more of it.
    """
    share = min(1.0, pixels / FULL) ** (1 / 3)
    return min(STEPS[quality], max(LEAST_STEPS, round(share * STEPS[quality])))
