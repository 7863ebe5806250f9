"""What the commands for raw SIM images have in common."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from zsfiji.errors import UserError
from zsfiji.parameters.pixel_sizes import PixelSizes
from zsfiji.parameters.psf import PsfGrid

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome, Table
    from zsfiji.parameters.sim import RawOrder, SimOptics, StackOptions
    from zsfiji.parameters.source import Source
    from zsfiji.physics.optics.microscope import Optics
    from zsfiji.physics.sim.optics import RadialTransfer
    from zsfiji.services.method import Method
    from zsfiji.services.sim.calibration import Calibration
    from zsfiji.services.sim.given import Given
    from zsfiji.services.sim.settings import Settings
    from zsfiji.services.sim_stack.given import StackGiven

G = TypeVar("G")
U = TypeVar("U", bound=Any)

_USUAL_DAMPING = 0.3
"""Damping where its measurement begins: fairSIM's usual one."""

_FEWEST_PERIODS = 4
"""Least width of an image, in periods of the finest detail that the lens resolves. A 32 x 32 image
of usual pixels has eight to twelve. Not tuned."""


def opened(
    image: xr.DataArray, order: RawOrder, optics: SimOptics, known: Path | None = None
) -> tuple[xr.DataArray, Given]:
    """A raw SIM image with its axes, and what is known besides it.

    Parameters
    ----------
    image : xarray.DataArray
        As it was opened: the patterns may be slices, frames, channels or tiles.
    order : RawOrder
        How it is arranged.
    optics : SimOptics
        Optics and camera.
    known : Path, optional
        A file with parameters that were found before.

    Raises
    ------
    UserError
        If the image cannot be a raw SIM image with these options, or its pixel size is not known.
    """
    from zsfiji.commands.inputs import calibrated
    from zsfiji.commands.raw_order import arranged
    from zsfiji.images.parts import require_pixels
    from zsfiji.physics.optics.spacing import spacing_micrometres
    from zsfiji.services.sim import stored
    from zsfiji.services.sim.given import Given

    require_pixels(image)
    image = calibrated(image, PixelSizes(pixel_size=optics.pixel_size))
    pixels = spacing_micrometres(image, ("row", "col"))
    if abs(pixels[0] / pixels[1] - 1) > 0.01:
        raise UserError(
            f"The pixels are {1000 * pixels[1]:.4g} nm wide and {1000 * pixels[0]:.4g} nm high. "
            "SIM needs square pixels: correct them under Image > Properties..., or give "
            "'pixel_size'."
        )
    pixel = pixels[1]
    transfer = _transfer(optics, pixel)
    _require_wide_enough(image, transfer, pixel)
    given = Given(
        transfer,
        pixel,
        optics.background,
        order.pattern,
        optics.damping == 0,
        stored.load(known, pixel),
    )
    return arranged(image, order, [transfer], optics.background), given


def opened_stack(
    image: xr.DataArray,
    order: RawOrder,
    optics: SimOptics,
    stack: StackOptions,
    known: Path | None = None,
) -> tuple[xr.DataArray, StackGiven]:
    """A raw 3D-SIM stack with its axes, and what is known besides it; see :func:`opened`.

    Raises
    ------
    UserError
        As :func:`opened`, if there are too few slices, and if the slice spacing or the excitation
        is not known.
    """
    from zsfiji.commands.inputs import calibrated
    from zsfiji.physics.optics.microscope import Optics
    from zsfiji.physics.optics.spacing import spacing_micrometres
    from zsfiji.services.sim_stack.given import StackGiven, StackOptics
    from zsfiji.services.sim_stack.service import require_slices

    if stack.excitation is None and optics.otf is None:
        raise UserError(
            "3D-SIM needs the wavelength of the laser: give 'excitation', in nm, such as 488."
        )
    lens = Optics(
        "wide-field", optics.na, optics.emission, stack.immersion, excitation=stack.excitation
    )
    lens.check()
    image = calibrated(image, PixelSizes(slice_spacing=stack.slice_spacing))
    raw, given = opened(image, order, replace(optics, otf=None), known)
    # A single slice has no spacing that could be given.
    require_slices(raw)
    (spacing,) = spacing_micrometres(raw, ("pln",))
    _require_fine_slices(lens, spacing)
    table, steps = (None, ()) if optics.otf is None else _measured_orders(optics.otf)
    known_optics = StackOptics(lens, given.pixel, spacing, given.transfer.damping, steps)
    return raw, StackGiven(known_optics, table, given.background, order.pattern, given.known)


def _require_wide_enough(image: xr.DataArray, transfer: RadialTransfer, pixel: float) -> None:
    """Refuse a pixel size with which the image shows next to nothing of what the lens resolves."""
    side = min(image.sizes["row"], image.sizes["col"])
    if side * transfer.cutoff < _FEWEST_PERIODS:
        raise UserError(
            f"With pixels of {1000 * pixel:.3g} nm the image is {1000 * pixel * side:.3g} nm wide, "
            f"and the lens resolves {1000 * pixel / transfer.cutoff:.0f} nm: there is no room for "
            "a pattern. Is this the pixel size in the specimen, in nm? Give 'pixel_size'."
        )


def _require_fine_slices(lens: Optics, spacing: float) -> None:
    """Refuse slices farther apart than the finest detail that the lens resolves along the axis."""
    index, aperture = lens.specimen_index, lens.numerical_aperture
    finest = lens.emission / (index - math.sqrt(index**2 - aperture**2))
    if 1000 * spacing > finest:
        raise UserError(
            f"The slices are {1000 * spacing:.4g} nm apart, and along the axis the lens resolves "
            f"{finest:.0f} nm: that is no stack for 3D-SIM. Is the slice spacing right, in nm? "
            "Give 'slice_spacing', or choose 'dimensions=2d'."
        )


def _measured_orders(source: Source) -> tuple[np.ndarray, tuple[float, ...]]:
    """A measured OTF of all orders, complex (order, kr, kz), and its steps."""
    from zsfiji.images.mrc import MRC_ENDINGS, read_mrc

    if source.image is not None or Path(source.path).suffix.lower() not in MRC_ENDINGS:
        raise UserError(
            "3D-SIM takes a measured OTF from a file (MRC) with all orders of the pattern. Leave "
            "it empty to calculate the OTF."
        )
    mrc = read_mrc(source.path)
    if mrc.values.dtype.kind != "c" or mrc.values.shape[0] not in (2, 3):
        raise UserError(
            f"{source.text} is not an OTF of 3D-SIM, which has two or three orders, each over "
            "radial and axial frequency. Leave it empty to calculate the OTF."
        )
    if not all(0 < step < 10 for step in mrc.cell[1:]):
        raise UserError(
            f"{source.text} does not contain the steps of its OTF in cycles per micrometre. Leave "
            "it empty to calculate the OTF."
        )
    return mrc.values.astype(np.complex128), mrc.cell[1:]


def _transfer(optics: SimOptics, pixel: float) -> RadialTransfer:
    """The OTF in pixels of the image."""
    from zsfiji.commands.inputs import psfs
    from zsfiji.physics.sim.measured import transfer_of
    from zsfiji.physics.sim.optics import RadialTransfer

    cutoff = cutoff_of(optics.na, optics.emission, pixel, most=1)
    if optics.otf is None:
        return RadialTransfer(cutoff, optics.damping or _USUAL_DAMPING)
    (psf, *_) = psfs(optics.otf, PsfGrid(), onto=(pixel / 2, pixel / 2))
    return transfer_of(psf, cutoff, pixel)


def cutoff_of(na: float, emission: float, pixel: float, *, most: float) -> float:
    """The highest frequency that a lens passes, in cycles per pixel.

    Parameters
    ----------
    na : float
        Numerical aperture.
    emission : float
        Wavelength in nm.
    pixel : float
        Width of a pixel in micrometres.
    most : float
        The highest one that can be.

    Raises
    ------
    UserError
        If it is higher.
    """
    cutoff = 2 * na / (emission / 1000) * pixel
    if cutoff > most:
        raise UserError(
            f"Pixels of {1000 * pixel:.4g} nm are too wide for a numerical aperture of {na:g} at "
            f"{emission:g} nm. Is this the pixel size in the specimen (that of the camera over the "
            "magnification), in nm? Give 'pixel_size'."
        )
    return cutoff


def reconstructed(
    method: Method[Settings, G, U],
    raw: xr.DataArray,
    given: G,
    *,
    settings: Settings,
    target: Path | None,
    device: str,
) -> tuple[Outcome, list[Calibration]]:
    """Find the patterns of a raw image, save them where that is wanted, and reconstruct it.

    Parameters
    ----------
    method : Method
        For planes or for stacks, with the results that are wanted.
    raw, given
        From :func:`opened` or :func:`opened_stack`.
    settings : Settings
        Of the reconstruction.
    target : Path, optional
        Where the patterns go.
    device : str
        Where to compute.

    Returns
    -------
    Outcome, list of Calibration
        The images, and a calibration for each channel or stack.
    """
    from zsfiji.commands import restore as common
    from zsfiji.services.sim import stored

    model = common.fit(method, raw, settings, lambda _: given, save=None, device=device, share=0.3)
    units: list[Calibration] = [unit.calibration for unit in model.units]
    if target is not None:
        stored.save(units, target)
    outcome = common.apply(method, model, raw, bit_depth="32-bit", device=device, start=0.3)
    return outcome, units


def table(title: str, units: list[Calibration], per: str) -> Table:
    """The patterns as a table, a row for each wave; see :func:`.pattern_table`."""
    from zsfiji.commands.pattern_table import or_nan, pattern_table

    def cells(unit: int, angle: int, wave: int) -> dict[str, float]:
        found = units[unit].waves[angle][wave]
        return {
            "Spacing (nm)": found.spacing,
            "Direction (deg)": found.direction,
            "Phase (deg)": math.degrees(found.phase) % 360,
            "Modulation": found.modulation,
            "Error": or_nan(found.error),
            "MCNR": units[unit].record.contrast[angle],
            "Significance": found.significance,
        }

    return pattern_table(title, units, per, cells)
