"""The parameters that several commands share: type, range, label and help text, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.commands._declare import Shown
from zsfiji.commands._source import Source

Quality = Annotated[
    Literal["quick", "standard", "best"],
    Field(
        description="How much computing to spend: quick for a look, standard for a result, best "
        "when time does not matter."
    ),
    Shown("Quality"),
]

FitPer = Annotated[
    Literal["channel", "plane"],
    Field(
        description="channel: one model for all slices and frames of a channel, which is faster, "
        "keeps a time-lapse from flickering and learns from every plane. plane: one model for "
        "each, for stacks whose planes differ strongly."
    ),
    Shown("Fit one model per"),
]

Seed = Annotated[
    int,
    Field(
        ge=0,
        le=2**31 - 1,
        description="Start of the random numbers. The same seed gives the same pixels on the same "
        "machine.",
    ),
    Shown("Seed"),
]

ApplyModel = Annotated[
    Path | None,
    Field(
        description="A model file saved earlier. It is applied as it is, nothing is trained, and "
        "the quality and the seed do not matter."
    ),
    Shown("Apply saved model", advanced=True, path="open"),
]

SaveModel = Annotated[
    Path | None,
    Field(
        description="Where to save the model, to apply it to further images. The file gets the "
        "ending .zsfiji unless it has one."
    ),
    Shown("Save model as", advanced=True, path="save"),
]

BitDepth = Annotated[
    Literal["auto", "32-bit", "input"],
    Field(
        description="auto: 32-bit floats, which keep fractions of a grey level, and RGB for RGB. "
        "32-bit: floats always. input: the type of the input, rounded and clipped to its range."
    ),
    Shown("Bit depth of the result", advanced=True),
]

Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Field(description="Where to compute. auto: a GPU if one can be used, else the CPU."),
    Shown("Device", advanced=True),
]

ImagePixel = Annotated[
    float | None,
    Field(
        ge=0.1,
        le=100_000,
        description="Width of a pixel of the image in the specimen. Empty: as the image has it "
        "(Image > Properties...).",
    ),
    Shown("Pixel size of the image", unit="nm", advanced=True),
]

ImageSpacing = Annotated[
    float | None,
    Field(
        ge=0.1,
        le=100_000,
        description="Distance between the slices of the image (z step). Empty: as the image has it "
        "(Image > Properties...).",
    ),
    Shown("Slice spacing of the image", unit="nm", advanced=True),
]

_DARK = Field(
    description="An image taken without light by the same camera at the same settings, or a "
    "stack of them. It gives the background and the read noise more reliably than the image "
    "itself."
)
Dark = Annotated[Source | None, _DARK, Shown("Dark frame")]
AdvancedDark = Annotated[Source | None, _DARK, Shown("Dark frame", advanced=True)]

Gain = Annotated[
    float | None,
    Field(ge=0, description="Grey levels per photoelectron. Empty: measured in the image."),
    Shown("Gain", unit="grey levels", advanced=True),
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
        description="Variance of a pixel without light, in grey levels squared; it needs the "
        "background as well. Empty: measured in the image.",
    ),
    Shown("Read variance", advanced=True),
]
