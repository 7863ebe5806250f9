"""The settings of a training of ``ZS-SIM Denoise...``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Quality, Seed

STEPS = {"quick": 200, "standard": 500, "best": 2000}
"""Most training steps of each quality. Early stopping leaves most of them out."""

SMALLEST = 32
"""Pixels that an image has to have at least along each side. Not tuned."""

TRAINING_PIXELS = 16 * 2**20
"""Most pixels of a stack or movie that are used for a training: bounds the memory. Not tuned."""

Filter = Annotated[
    Literal["classical", "automatic"],
    Field(
        description="The Wiener filter of the reconstruction. classical: the traditional one, as "
        "published. automatic: the one of SIM Reconstruct..., which weights the bands by their "
        "noise, with a constant fitted to the image; it gives better results."
    ),
    Shown("Wiener filter"),
]

WienerConstant = Annotated[
    float | None,
    Field(
        ge=1e-4,
        le=10,
        description="Constant of the classical Wiener filter: more is smoother. Its square is "
        "added to the squared OTF. It is not published; empty: found by recorrupted frames.",
    ),
    Shown("Wiener constant (classical)", advanced=True),
]

Pairs = Annotated[
    Literal["auto", "all", "rows", "columns"],
    Field(
        description="Which of the four views are paired: all, or only those of other rows (or "
        "other columns), for scanned images whose noise extends along the rows (or columns). auto "
        "measures that."
    ),
    Shown("Pairs of views", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All settings of a training.

    Attributes
    ----------
    quality : {"quick", "standard", "best"}
        How long to train at most.
    fit_per : {"channel", "plane"}
        One model for each channel, or one for each reconstructed plane.
    seed : int
        Seed of the initial weights and of all random numbers, 0 to 2**31 - 1.
    filter : {"classical", "automatic"}
        The Wiener filter.
    wiener : float, optional
        Constant of the classical one; found by default.
    pairs : {"auto", "all", "rows", "columns"}
        Which views are paired.

    Raises
    ------
    UserError
        If a value is not one of these.
    """

    quality: Quality = "standard"
    fit_per: FitPer = "channel"
    seed: Seed = 0
    filter: Filter = "classical"
    wiener: WienerConstant = None
    pairs: Pairs = "auto"
