"""Settings of the reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import Seed

Reconstruction = Annotated[
    Literal["automatic", "iterative", "classical"],
    Field(
        description="automatic: a Wiener filter whose constant is fitted to the image. iterative: "
        "joint Richardson-Lucy deconvolution of all frames, which gives less noise and hardly "
        "any negative values; it stops by cross-validation and takes seconds, of a whole stack "
        "minutes. classical: the usual Wiener filter, with a constant and a notch set by hand."
    ),
    Shown("Quality"),
]

FindPer = Annotated[
    Literal["channel", "plane"],
    Field(
        description="channel: patterns are found once for each channel, and used for all its time "
        "points and slices. plane: they are found for each, for a microscope that drifts."
    ),
    Shown("Find patterns per"),
]

WienerConstant = Annotated[
    float,
    Field(
        ge=1e-4,
        le=10,
        description="Constant of the classical Wiener filter: more is smoother. Its square is "
        "added to the squared OTF.",
    ),
    Shown("Wiener constant (classical)", advanced=True),
]

NotchStrength = Annotated[
    float,
    Field(
        ge=0,
        le=0.999,
        description="How much the classical filter weakens the centres of the bands, where light "
        "out of focus is. 0: not at all.",
    ),
    Shown("Notch strength (classical)", advanced=True),
]

NotchWidth = Annotated[
    float,
    Field(
        ge=0.05, le=10, description="Full width at half maximum of the notch, in cycles per micron."
    ),
    Shown("Notch width (classical)", unit="1/micron", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All that decides about a reconstruction, besides optics and camera.

    Attributes
    ----------
    quality : {"automatic", "iterative", "classical"}
        The method.
    fit_per : {"channel", "plane"}
        Patterns for each channel, or for each stack of patterns.
    wiener, notch, notch_width : float
        Of the classical filter.
    seed : int
        Of the noise by which iterations are counted.
    """

    quality: Reconstruction = "automatic"
    fit_per: FindPer = "channel"
    wiener: WienerConstant = 0.1
    notch: NotchStrength = 0.0
    notch_width: NotchWidth = 1.2
    seed: Seed = 0
