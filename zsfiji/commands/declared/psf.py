"""``PSF Generator...`` and ``PSF from Beads...``: the point spread function of a microscope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zsfiji.commands.declare import command
from zsfiji.errors import UserError
from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.optics import (
    Depth,
    Emission,
    Immersion,
    NumericalAperture,
    PixelSize,
    SliceSpacing,
    SpecimenIndex,
)
from zsfiji.parameters.pixel_sizes import PixelSizes

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Curve, Outcome
    from zsfiji.physics.optics.kernel import Psf
    from zsfiji.physics.optics.microscope import Optics

Microscope = Annotated[
    Literal["wide-field", "confocal", "light-sheet", "TIRF"],
    Field(description="How the image was taken."),
    Shown("Microscope"),
]

Dimensions = Annotated[
    Literal["2d", "3d"],
    Field(
        description="2d: the slice in focus, for single images and for stacks that are restored "
        "slice by slice. 3d: a stack."
    ),
    Shown("Dimensions", suggest="dimensions"),
]

Excitation = Annotated[
    float | None,
    Field(
        ge=200,
        le=2000,
        description="Wavelength of the laser, which a confocal PSF needs.",
    ),
    Shown("Excitation (confocal)", unit="nm", advanced=True),
]

Pinhole = Annotated[
    float,
    Field(ge=0.05, le=20, description="Diameter of the confocal pinhole in Airy units."),
    Shown("Pinhole (confocal)", unit="Airy units", advanced=True),
]

SheetThickness = Annotated[
    float | None,
    Field(
        ge=0.05,
        le=1000,
        description="Full width at half maximum of the light sheet, which its PSF needs.",
    ),
    Shown("Thickness of the sheet (light-sheet)", unit="microns", advanced=True),
]

Penetration = Annotated[
    float,
    Field(
        ge=10,
        le=2000,
        description="Depth at which the evanescent light has fallen to 1/e.",
    ),
    Shown("Penetration depth (TIRF)", unit="nm", advanced=True),
]

Width = Annotated[
    int,
    Field(ge=0, le=1023, description="Edge of the PSF, an odd number. 0: as large as needed."),
    Shown("Width and height (0 = auto)", unit="px", advanced=True),
]

Slices = Annotated[
    int,
    Field(ge=0, le=1023, description="Slices of a 3D PSF, an odd number. 0: as many as needed."),
    Shown("Slices (0 = auto)", advanced=True),
]

Fit = Annotated[
    Literal["none", "radial", "gaussian"],
    Field(
        description="none: the mean of the beads as it is. radial: its mean over all directions, "
        "which lowers the noise of few beads, if the lens is well adjusted. gaussian: a Gaussian "
        "fitted to it."
    ),
    Shown("Fit"),
]

Window = Annotated[
    int,
    Field(
        ge=0,
        le=511,
        description="Edge of the field that is cut out around a bead, an odd number from 3 on. 0: "
        "three widths of a bead on each side.",
    ),
    Shown("Window (0 = auto)", unit="px", advanced=True),
]

Saturation = Annotated[
    float | None,
    Field(
        description="Grey level at which the camera saturates. Empty: found from plateaus in the "
        "image."
    ),
    Shown("Saturation", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class Objective(ParameterGroup):
    """The microscope and its objective.

    Attributes
    ----------
    microscope : {"wide-field", "confocal", "light-sheet", "TIRF"}
        How the image was taken.
    na : float
        Numerical aperture.
    emission : float
        Wavelength of the fluorescence in nm.
    """

    microscope: Microscope = "wide-field"
    na: NumericalAperture = 1.4
    emission: Emission = 525.0


@dataclass(frozen=True, kw_only=True)
class Sampling(ParameterGroup):
    """The pixels of the PSF.

    Attributes
    ----------
    pixel_size : float
        In nm.
    dimensions : {"2d", "3d"}
        Whether it is one slice or a stack.
    slice_spacing : float
        Distance between the slices of a stack (z step), in nm.
    """

    pixel_size: PixelSize = 65.0
    dimensions: Dimensions = "2d"
    slice_spacing: SliceSpacing = 200.0


@dataclass(frozen=True, kw_only=True)
class Media(ParameterGroup):
    """What the light passes.

    Attributes
    ----------
    immersion : float
        Refractive index of the immersion.
    specimen : float, optional
        Refractive index of the specimen; by default that of the immersion.
    depth : float
        Distance of the structure from the cover glass, in micrometres.
    """

    immersion: Immersion = 1.515
    specimen: SpecimenIndex = None
    depth: Depth = 0.0


@dataclass(frozen=True, kw_only=True)
class Illumination(ParameterGroup):
    """How the specimen is illuminated, as far as a microscope needs it.

    Attributes
    ----------
    excitation : float, optional
        Wavelength of the laser in nm; confocal.
    pinhole : float
        Diameter of the pinhole in Airy units; confocal.
    thickness : float, optional
        Full width at half maximum of the light sheet, in micrometres.
    penetration : float
        Depth in nm at which the evanescent light has fallen to 1/e; TIRF.
    """

    excitation: Excitation = None
    pinhole: Pinhole = 1.0
    thickness: SheetThickness = None
    penetration: Penetration = 100.0


@dataclass(frozen=True, kw_only=True)
class Extent(ParameterGroup):
    """Size of the PSF in pixels; 0 is as large as needed.

    Attributes
    ----------
    width : int
        Rows and columns.
    slices : int
        Slices of a stack.
    """

    width: Width = 0
    slices: Slices = 0


def _optics(objective: Objective, media: Media, illumination: Illumination) -> Optics:
    """The microscope that the options describe.

    Raises
    ------
    UserError
        If there cannot be one.
    """
    from zsfiji.physics.optics.microscope import Optics

    optics = Optics(
        kind=objective.microscope,
        numerical_aperture=objective.na,
        emission=objective.emission,
        immersion_index=media.immersion,
        sample_index=media.specimen,
        depth=media.depth,
        excitation=illumination.excitation,
        pinhole=illumination.pinhole,
        sheet_thickness=illumination.thickness,
        penetration_depth=illumination.penetration,
    )
    optics.check()
    return optics


def _check(*, objective: Objective, media: Media, illumination: Illumination) -> None:
    _optics(objective, media, illumination)


@command(label="PSF Generator...", check=_check)
def psf_generator(
    *,
    objective: Objective,
    sampling: Sampling,
    media: Media,
    illumination: Illumination,
    extent: Extent,
) -> Outcome:
    """Calculate the point spread function (PSF) of a microscope from its optics.

    The model is the vectorial one of Richards and Wolf for high apertures, with the aberration of
    a mismatch of refractive indices (Gibson and Lanni). The result is calibrated, has a sum of 1
    and its focus at the middle pixel, and can be used to deconvolve as it is.
    """
    from zsfiji.commands.outcome import Outcome
    from zsfiji.physics.optics import kernel
    from zsfiji.physics.optics.measure import describe
    from zsfiji.physics.optics.pupil import default_shape, from_optics, lateral_fwhm

    optics = _optics(objective, media, illumination)
    lateral = sampling.pixel_size / 1000
    spacing: tuple[float, ...] = (lateral, lateral)
    if sampling.dimensions == "3d":
        spacing = (sampling.slice_spacing / 1000, *spacing)
    sizes = default_shape(optics, spacing)
    asked = (extent.slices, extent.width, extent.width)[-len(spacing) :]
    psf = from_optics(optics, spacing, [a or n for a, n in zip(asked, sizes, strict=True)])
    title = f"PSF {objective.microscope} NA {objective.na:g} {objective.emission:g} nm"
    notes = [f"{describe(psf)}."]
    light = 1000 * lateral_fwhm(optics)
    if sampling.pixel_size > light:
        notes.append(
            f"The pixels of {sampling.pixel_size:g} nm are wider than the light of a point, "
            f"{light:.3g} nm, so there is little to deconvolve. Is this the pixel size in the "
            "specimen, in nm?"
        )
    return Outcome((kernel.as_image(psf, title),), tuple(notes), _metrics(psf))


def _check_window(*, window: Window) -> None:
    if window and (window < 3 or window % 2 == 0):
        raise UserError(
            f"The window of {window} pixels has no middle pixel with others around it. Give an odd "
            "'window' of at least 3, or 0."
        )


@command(label="PSF from Beads...", suffixes=("psf",), result_bytes=0, check=_check_window)
def psf_from_beads(
    image: xr.DataArray,
    *,
    fit: Fit = "none",
    window: Window = 0,
    saturation: Saturation = None,
    pixel_sizes: PixelSizes,
) -> Outcome:
    """Measure the point spread function (PSF) in an image or stack of small fluorescent beads.

    The beads must be smaller than the resolution and well separated. Those that are saturated,
    crowded, at the border or unlike the others are left out; the others are centred to a fraction
    of a pixel and averaged, without the background. The image has to be calibrated.
    """
    from zsfiji.commands.inputs import calibrated
    from zsfiji.commands.outcome import Outcome, Plot, result_title
    from zsfiji.images.axes import STACK_DIMS, size
    from zsfiji.physics.optics import kernel
    from zsfiji.physics.optics.beads import from_beads
    from zsfiji.physics.optics.measure import describe
    from zsfiji.physics.optics.spacing import spacing_micrometres

    if any(size(image, dim) > 1 for dim in STACK_DIMS if dim != "pln"):
        raise UserError(
            "The bead image has several frames, channels or SIM patterns. Duplicate the one to be "
            "used (Image > Duplicate...)."
        )
    single = image.squeeze([d for d in STACK_DIMS if size(image, d) == 1 and d in image.dims])
    single = calibrated(single, pixel_sizes)
    dims = [str(dim) for dim in single.dims]
    beads = from_beads(
        single.data,
        spacing_micrometres(single, dims),
        window=[None] * (len(dims) - 2) + [window or None] * 2,
        saturation=saturation,
        fit=fit,
    )
    psf = beads.psf
    title = result_title(
        str(image.attrs.get("title") or "beads"), psf_from_beads.command.suffixes[0]
    )
    metrics = {"beads": float(len(beads.positions)), **_metrics(psf)}
    plot = Plot(f"{title} profile", "Distance (microns)", "Share of the maximum", _profiles(psf))
    notes = (f"{describe(psf)}.", *(f"{line}." for line in beads.report().splitlines()))
    return Outcome((kernel.as_image(psf, title),), notes, metrics, (plot,))


def _metrics(psf: Psf) -> dict[str, float]:
    from zsfiji.physics.optics.measure import fwhm

    names = ("fwhm_axial", "fwhm_vertical", "fwhm_horizontal")[-psf.values.ndim :]
    return {n: 1000 * w for n, w in zip(names, fwhm(psf), strict=True)}


def _profiles(psf: Psf) -> tuple[Curve, ...]:
    """Lines through the centre along each axis."""
    from zsfiji.commands.outcome import Curve

    curves = []
    for axis, name in zip(range(psf.values.ndim), ("z", "y", "x")[-psf.values.ndim :], strict=True):
        index = [n // 2 for n in psf.values.shape]
        line = psf.values[tuple(slice(None) if a == axis else i for a, i in enumerate(index))]
        x = tuple(float((i - index[axis]) * psf.spacing[axis]) for i in range(len(line)))
        curves.append(Curve(name, x, tuple(float(v) for v in line / psf.values.max())))
    return tuple(curves[::-1])
