"""The settings of a training of ``FM2S Denoise...``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Quality, Seed

STEPS = {"quick": 150, "standard": 500, "best": 2000}
"""Training steps of each quality.

For `standard` half of an earlier number, which cost 0.00 to 0.04 dB on three pairs.
"""

PIXELS = {"quick": 2**17, "standard": 2**18, "best": 2**20}
"""Synthetic noisy pixels for each quality. For `standard` half of an earlier number, as for
:data:`STEPS`."""

DRAWS = 8
"""How many synthetic images contain a pixel of a small image, at most. Chosen by eye."""

TRAINING_PIXELS = 16 * 2**20
"""Most pixels of a stack or movie that are used for a training: bounds the memory. Not tuned."""

Modality = Annotated[
    Literal["base", "confocal", "twophoton", "widefield", "auto"],
    Field(
        description="The published constants: confocal, twophoton and widefield are tuned for the "
        "authors' microscopes, base (what their program takes unless told otherwise) for simulated "
        "calcium imaging. auto is our variant: the noise is measured in the image."
    ),
    Shown("Modality"),
]

Average = Annotated[
    Literal[1, 2, 4, 8, 16],
    Field(
        description="How many captures were averaged to make the image. It chooses the authors' "
        "constants; auto measures the noise instead, and base is for single captures only."
    ),
    Shown("Averaged captures"),
]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All settings of a training.

    Attributes
    ----------
    modality : {"base", "confocal", "twophoton", "widefield", "auto"}
        The published method with the authors' constants; "auto" is our variant, which measures the
        noise in the image.
    average : {1, 2, 4, 8, 16}
        How many captures were averaged to make the image; not used for "auto".
    quality : {"quick", "standard", "best"}
        How long to train. For a preset, "standard" does the published steps on patches, and
        "best" on the whole image, as published.
    fit_per : {"channel", "plane"}
        One model for each channel, shared by all slices and frames, or one for each plane.
    seed : int
        Seed of the initial weights and of all random numbers, 0 to 2**31 - 1.

    Raises
    ------
    UserError
        If a value is not one of these.
    """

    modality: Modality = "base"
    average: Average = 1
    quality: Quality = "standard"
    fit_per: FitPer = "channel"
    seed: Seed = 0
