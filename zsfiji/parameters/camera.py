"""Options for what is known about the camera; the rest is measured in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.source import Source

_DARK = Field(
    description="An image taken without light by the same camera at the same settings, or a "
    "stack of them. It gives the background and the read noise more reliably than the image "
    "itself."
)
Dark = Annotated[Source | None, _DARK, Shown("Dark frame")]
AdvancedDark = Annotated[Source | None, _DARK, Shown("Dark frame", advanced=True)]

Gain = Annotated[
    float | None,
    Field(
        ge=0, description="What one photoelectron adds to a pixel. Empty: measured in the image."
    ),
    Shown("Gain", unit="grey levels per photoelectron", advanced=True),
]

Background = Annotated[
    float | None,
    Field(description="Grey level of the camera without light. Empty: measured in the image."),
    Shown("Background", unit="grey levels", advanced=True),
]

ReadVariance = Annotated[
    float | None,
    Field(
        ge=0,
        description="Variance of a pixel without light; it needs the background as well. Empty: "
        "measured in the image.",
    ),
    Shown("Read variance", unit="grey levels squared", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class CameraOptions(ParameterGroup):
    """What is known about the camera; values of None are measured in the image.

    Attributes
    ----------
    gain : float, optional
        Grey levels per photoelectron, at least 0.
    background : float, optional
        Grey level without light.
    read_variance : float, optional
        Variance of a pixel without light, in grey levels squared; it needs `background`.
    dark : Source, optional
        A frame, or a stack of frames, taken without light.
    """

    gain: Gain = None
    background: Background = None
    read_variance: ReadVariance = None
    dark: AdvancedDark = None
