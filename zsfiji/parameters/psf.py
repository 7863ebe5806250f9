"""Options for the point spread function (PSF) of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.source import Source

_MAKER = "PSF Generator..."
_PSF = Field(
    description="The point spread function: an open image, as PSF Generator... and PSF from "
    "Beads... make it, or a file (TIFF, NPY, or an OTF in MRC). It is resampled to the pixel size "
    "of the image; both must be calibrated."
)
TrainingPointSpread = Annotated[
    Source | None, _PSF, Shown("PSF", unless="apply_model", made_by=_MAKER)
]
PointSpreadUnlessSim = Annotated[
    Source | None, _PSF, Shown("PSF", unless="mode=sim", made_by=_MAKER)
]

PsfPixel = Annotated[
    float | None,
    Field(
        ge=0.1,
        le=100_000,
        description="Pixel size of the PSF, if its file does not contain it (NPY files do not).",
    ),
    Shown("Pixel size of the PSF", unit="nm", advanced=True),
]

PsfSlices = Annotated[
    float | None,
    Field(
        ge=0.1,
        le=100_000,
        description="Slice spacing (z step) of a 3D PSF, if its file does not contain it.",
    ),
    Shown("Slice spacing of the PSF", unit="nm", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class PsfGrid(ParameterGroup):
    """Calibration of the PSF, if its file does not contain it.

    Attributes
    ----------
    psf_pixel : float, optional
        Pixel size in nm.
    psf_spacing : float, optional
        Slice spacing (z step) in nm; it needs `psf_pixel`.
    """

    psf_pixel: PsfPixel = None
    psf_spacing: PsfSlices = None
