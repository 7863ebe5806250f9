"""Options of raw SIM images, with the same names in all commands for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.optics import Emission, Immersion, NumericalAperture
from zsfiji.parameters.pixel_sizes import ImageSpacing
from zsfiji.parameters.source import Source

FEWEST_FRAMES = 7
"""Fewest frames of patterns in three directions: those of a hexagonal pattern."""

RawPixel = Annotated[
    float | None,
    Field(
        ge=0.1,
        le=100_000,
        description="Width of a raw pixel in the specimen: that of the camera over the "
        "magnification. Empty: as the image has it (Image > Properties...).",
    ),
    Shown("Pixel size", unit="nm", suggest="pixel_size"),
]

DarkLevel = Annotated[
    float | None,
    Field(
        description="Grey level of the camera without light, often about 100. Empty: the darkest "
        "place of the image."
    ),
    Shown("Background", unit="grey levels"),
]

FrameOrder = Annotated[
    Literal[
        "auto",
        "angle-major",
        "phase-major",
        "omx",
        "elyra",
        "n-sim",
        "angle-time-phase",
        "phase-angle-z",
        "phase-z-angle",
        "angle-phase-z",
    ],
    Field(
        description="How the frames follow each other. auto: found by trying which order shows "
        "patterns. angle-major: the phases of the first angle, then those of the next one. "
        "phase-major: the angles of the first phase first. omx: angle, slice, phase. elyra: "
        "phases and angles on axes of their own. n-sim: one large image of tiles. The others name "
        "the axes from the slowest to the fastest."
    ),
    Shown("Order of the frames"),
]

Angles = Annotated[
    int,
    Field(ge=0, le=32, description="Angles of the pattern. 0: from the number of frames."),
    Shown("Angles (0 = auto)"),
]

Phases = Annotated[
    int,
    Field(ge=0, le=64, description="Phases of each angle. 0: from the number of frames."),
    Shown("Phases (0 = auto)"),
]

RealSlices = Annotated[
    int,
    Field(
        ge=0,
        le=10_000,
        description="Slices of the specimen, where they are mixed with time points on one axis. "
        "0: as the image has them.",
    ),
    Shown("Slices (0 = auto)", advanced=True),
]

Beams = Annotated[
    Literal["auto", "two-beam", "three-beam", "hexagonal"],
    Field(
        description="What makes the pattern: two beams (lines of one spacing), three beams (lines "
        "of a spacing and of half of it) or a hexagonal pattern. auto: hexagonal for a "
        "single angle with seven phases, two or three beams, as the image shows, for five phases "
        "or more, else two."
    ),
    Shown("Pattern", advanced=True),
]

Damping = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="What a real lens passes of the finest detail, as a share of what an ideal "
        "one does: the OTF is multiplied by this to the power of frequency over cut-off. 1 is an "
        "ideal lens. 0: measured in the image, where its bands overlap.",
    ),
    Shown("Damping of the OTF", advanced=True),
]

Otf = Annotated[
    Source | None,
    Field(
        description="A measured radial OTF (MRC), or a PSF (an open image, TIFF or NPY), instead "
        "of an OTF calculated from numerical aperture, emission and damping."
    ),
    Shown("Measured OTF or PSF", advanced=True),
]

SavedParameters = Annotated[
    Path | None,
    Field(
        description="A file that SIM Parameters... or SIM Reconstruct... has saved: its patterns "
        "are used, and none are searched."
    ),
    Shown("Use saved parameters", advanced=True, path="open"),
]

SaveParameters = Annotated[
    Path | None,
    Field(
        description="Where to save the patterns, as JSON, for further images of the same "
        "microscope. The file gets the ending .json unless it has one."
    ),
    Shown("Save parameters as", advanced=True, path="save"),
]


Dimensions = Annotated[
    Literal["2d", "3d"],
    Field(
        description="2d: each slice by itself. 3d: all slices of a stack together (3D-SIM), which "
        "removes the light out of focus and resolves finer along the axis."
    ),
    Shown("Dimensions"),
]

Excitation = Annotated[
    float | None,
    Field(
        ge=200,
        le=2000,
        description="Wavelength of the laser. 3d needs it: it says how the pattern changes with "
        "depth.",
    ),
    Shown("Excitation (3d)", unit="nm"),
]


KnownAperture = Annotated[
    float | None,
    Field(
        ge=0.02,
        le=1.7,
        description="Numerical aperture of the objective, such as 1.4. Empty: the cut-off of the "
        "lens is found in the image.",
    ),
    Shown("Numerical aperture", advanced=True),
]

KnownEmission = Annotated[
    float | None,
    Field(
        ge=200,
        le=2000,
        description="Wavelength of the fluorescence, given with the numerical aperture. Empty: the "
        "cut-off of the lens is found in the image.",
    ),
    Shown("Emission", unit="nm", advanced=True),
]

Iterations = Annotated[
    int,
    Field(
        ge=0,
        le=2000,
        description="Of the fit to the frames. 0: they stop before they amplify the noise. "
        "More show finer detail and more noise.",
    ),
    Shown("Iterations (0 = auto)", advanced=True),
]

Illumination = Annotated[
    bool,
    Field(description="Also the light of each frame, relative to its mean."),
    Shown("Illumination"),
]

BackgroundImage = Annotated[
    bool,
    Field(
        description="Also the background, in grey levels. It is the same everywhere, unless a "
        "model of SIMFormer that was trained for it finds another, and nothing is fitted after it."
    ),
    Shown("Background image"),
]

FoundPsf = Annotated[
    bool,
    Field(description="Also the point spread function that was found."),
    Shown("PSF"),
]

Residual = Annotated[
    bool,
    Field(
        description="Also the difference of the frames from what explains them, in standard "
        "deviations of their noise: about 1 where the result can be believed."
    ),
    Shown("Residual"),
]


@dataclass(frozen=True, kw_only=True)
class RawOrder(ParameterGroup):
    """How a raw SIM image is arranged.

    Attributes
    ----------
    order : str
        Order of the frames; "auto" finds it.
    angles, phases : int
        Numbers of them; 0 takes them from the number of frames.
    slices : int
        Slices of the specimen, where they share an axis with time points; 0 where they do not.
    pattern : {"auto", "two-beam", "three-beam", "hexagonal"}
        What makes the pattern.
    """

    order: FrameOrder = "auto"
    angles: Angles = 0
    phases: Phases = 0
    slices: RealSlices = 0
    pattern: Beams = "auto"


@dataclass(frozen=True, kw_only=True)
class SimOptics(ParameterGroup):
    """Optics and camera of a raw SIM image.

    Attributes
    ----------
    na : float
        Numerical aperture of the objective.
    emission : float
        Wavelength of the fluorescence, in nm.
    pixel_size : float, optional
        Width of a pixel in the specimen, in nm; by default that of the image.
    background : float, optional
        Grey level of the camera without light; measured by default.
    damping : float
        What remains of an ideal OTF at its cut-off.
    otf : Source, optional
        A measured OTF or PSF instead.
    """

    na: NumericalAperture = 1.4
    emission: Emission = 525.0
    pixel_size: RawPixel = None
    background: DarkLevel = None
    damping: Damping = 0.3
    otf: Otf = None


@dataclass(frozen=True, kw_only=True)
class UntoldOptics(ParameterGroup):
    """Optics and camera of a raw SIM image of which nothing has to be known.

    Attributes
    ----------
    na : float, optional
        Numerical aperture of the objective; with `emission`, the cut-off of the lens.
    emission : float, optional
        Wavelength of the fluorescence, in nm.
    pixel_size : float, optional
        Width of a pixel in the specimen, in nm; by default that of the image, if it has one.
    background : float, optional
        Grey level of the camera without light; measured by default.
    """

    na: KnownAperture = None
    emission: KnownEmission = None
    pixel_size: RawPixel = None
    background: DarkLevel = None


@dataclass(frozen=True, kw_only=True)
class StackOptions(ParameterGroup):
    """Whether a stack is reconstructed as a whole, and what that takes.

    Attributes
    ----------
    dimensions : {"2d", "3d"}
        Slice by slice, or all together.
    excitation : float, optional
        Wavelength of the laser in nm.
    immersion : float
        Refractive index of the immersion.
    slice_spacing : float, optional
        Distance of the slices in nm; by default that of the image.
    """

    dimensions: Dimensions = "2d"
    excitation: Excitation = None
    immersion: Annotated[
        Immersion, Shown("Refractive index of the immersion (3d)", advanced=True)
    ] = 1.515
    slice_spacing: Annotated[
        ImageSpacing, Shown("Slice spacing of the image (3d)", unit="nm", advanced=True)
    ] = None


BACKGROUND_IMAGE = ("background_image", "background")
"""An option, and the name of its result: the grey level without light is called so, too."""


@dataclass(frozen=True, kw_only=True)
class EmitterWindows(ParameterGroup):
    """Images beside the emitter, where no optics are told.

    Attributes
    ----------
    illumination, background_image, psf, residual : bool
        Which of them.
    """

    illumination: Illumination = False
    background_image: BackgroundImage = False
    residual: Residual = False
    psf: FoundPsf = False

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the results."""
        asked = {
            "illumination": self.illumination,
            BACKGROUND_IMAGE[1]: self.background_image,
            "residual": self.residual,
            "psf": self.psf,
        }
        return tuple(name for name, wanted in asked.items() if wanted)
