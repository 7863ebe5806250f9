"""Options for the pixel size and the slice spacing of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown

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


@dataclass(frozen=True, kw_only=True)
class PixelSizes(ParameterGroup):
    """Calibration that replaces the one that the image has.

    Attributes
    ----------
    pixel_size : float, optional
        Width of a pixel in the specimen, in nm.
    slice_spacing : float, optional
        Distance between the slices (z step), in nm.
    """

    pixel_size: ImagePixel = None
    slice_spacing: ImageSpacing = None
