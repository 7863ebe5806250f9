"""Options of the optics, with the same names in all commands that ask for them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from zsfiji.parameters.declare import Shown

NumericalAperture = Annotated[
    float,
    Field(
        ge=0.02,
        le=1.7,
        description="Of the objective: the number after its magnification, such as 1.4.",
    ),
    Shown("Numerical aperture"),
]

Emission = Annotated[
    float,
    Field(ge=200, le=2000, description="Wavelength of the fluorescence that was recorded."),
    Shown("Emission", unit="nm"),
]

PixelSize = Annotated[
    float,
    Field(
        ge=0.1,
        le=100_000,
        description="Width of a pixel in the specimen. The dialog takes it from the active image.",
    ),
    Shown("Pixel size", unit="nm", suggest="pixel_size"),
]

SliceSpacing = Annotated[
    float,
    Field(
        ge=0.1,
        le=100_000,
        description="Distance between the slices of a 3D PSF (z step). The dialog takes it from "
        "the active image.",
    ),
    Shown("Slice spacing", unit="nm", suggest="slice_spacing"),
]

Immersion = Annotated[
    float,
    Field(
        ge=1,
        le=1.8,
        description="Refractive index between objective and cover glass: air 1, water 1.333, "
        "glycerol 1.47, oil 1.515.",
    ),
    Shown("Refractive index of the immersion"),
]

SpecimenIndex = Annotated[
    float | None,
    Field(
        ge=1,
        le=1.8,
        description="Refractive index of the medium around the specimen. Empty: that of the "
        "immersion, so no aberration; for TIRF that of water.",
    ),
    Shown("Refractive index of the specimen", advanced=True),
]

Depth = Annotated[
    float,
    Field(
        ge=0,
        le=1000,
        description="Distance of the structure from the cover glass. It matters only where the "
        "two refractive indices differ.",
    ),
    Shown("Depth in the specimen", unit="microns", advanced=True),
]
