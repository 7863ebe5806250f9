"""``ZS-DeconvNet``: fit to an image, apply to it or to others of its kind."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr

import zsfiji
from zsfiji import progress
from zsfiji.compute.device import choose, with_fallback
from zsfiji.compute.scratch import scratch_array
from zsfiji.deconvolution import guard
from zsfiji.deconvolution.brightness import in_turn, keep_mean, slicewise
from zsfiji.errors import UserError
from zsfiji.images import parts
from zsfiji.images.axes import pixel_size, size
from zsfiji.images.metadata import carry
from zsfiji.images.restored import Restored
from zsfiji.learning.losses import HESSIAN_2D, HESSIAN_3D
from zsfiji.learning.models import Model
from zsfiji.physics.camera.defects import repaired
from zsfiji.physics.camera.doubt import believed
from zsfiji.physics.camera.model import Camera, Known, measure
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.kernel import DIMS, Psf
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.optics.resample import match
from zsfiji.physics.optics.spacing import spacing_micrometres
from zsfiji.quality import sharpening
from zsfiji.services.units import load_weights, require_as_many, weights
from zsfiji.services.zs_deconvnet.notes import Notes
from zsfiji.services.zs_deconvnet.objective import Terms
from zsfiji.services.zs_deconvnet.pipeline import KINDS, Results, Unit, fit_unit, restore
from zsfiji.words import counted

METHOD = "zs-deconvnet"
"""Name of the method in its model files."""


@dataclass(frozen=True)
class Preset:
    """A network and how long it is trained, on planes and on stacks."""

    network: str
    steps: int
    steps_3d: int


PRESETS = {
    "quick": Preset("fast", 1000, 300),
    "standard": Preset("fast", 6000, 1500),
    "paper": Preset("published", 50_000, 10_000),
}
"""The choices of `quality`: one to two minutes, about seven, and the published training."""

SMALLEST = 32
"""Pixels that a plane has to have at least along each side."""

FEWEST = 5
"""Slices that a stack has to have at least to be deconvolved in 3D."""

PAIRED = 26
"""Slices from which on the published training takes pairs of slices."""

_TRAINING_PIXELS = 16 * 2**20
_LARGEST_STACK = 64 * 2**20
_SAME_SIZE = 0.02
_ENERGY = 0.99
_SATURATED = 0.3
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deconvolved:
    """The two results.

    Attributes
    ----------
    denoised : Restored
        On the grid of the image.
    deconvolved : Restored
        On a grid `upsample` times as fine along rows and columns.
    """

    denoised: Restored
    deconvolved: Restored


def fit(
    image: xr.DataArray,
    psf: Psf | Sequence[Psf],
    *,
    quality: str = "quick",
    network: str = "auto",
    steps: int = 0,
    upsample: int = 2,
    dimensions: str = "auto",
    pairs: str = "auto",
    fit_per: str = "channel",
    loss: str = "mae",
    hessian: float | None = None,
    variation: float = 0.0,
    gain: float | None = None,
    read_variance: float | None = None,
    background: float | None = None,
    dark: np.ndarray | None = None,
    start: Model | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Model:
    """Measure the noise of an image and train a network on it.

    Parameters
    ----------
    image : xarray.DataArray
        Calibrated along row and col; any of the axes t, pln, row, col, ch; any unit and scale.
    psf : Psf or sequence of Psf
        The point spread function, on any grid; one for all channels or one each.
    quality : {"quick", "standard", "paper"}
        A preset of network and steps.
    network : {"auto", "fast", "published"}
        The network; "auto" takes the preset's.
    steps : int
        Training steps; 0 takes the preset's.
    upsample : {1, 2}
        Pixels of the deconvolved image to a pixel of the image, along rows and along columns.
    dimensions : {"auto", "2d", "3d"}
        Whether slices are deconvolved one by one or as stacks; "auto" takes stacks where there
        are enough slices and the PSF is a stack too.
    pairs : {"auto", "slices", "recorruption"}
        What the published training on stacks learns from; "auto" takes slices where there are
        enough of them and they are near each other. The fast network takes recorruption always.
    fit_per : {"channel", "plane"}
        One network for each channel, shared by all slices and frames, or one for each plane (in
        3D, for each stack).
    loss : {"mae", "mse"}
        Data term of the published objective; ours takes squares over their variance.
    hessian : float, optional
        Weight of the Hessian term; by default the published 0.02 (0.1 in 3D) for the published
        network and 0 for the fast one.
    variation : float
        Weight of the total variation term.
    gain, read_variance, background : float, optional
        Grey levels per photoelectron, variance of a pixel without light and its grey level;
        measured in the image where they are not given.
    dark : numpy.ndarray, optional
        A frame without light, to measure background and read variance in.
    start : Model, optional
        A model to continue training from.
    seed : int
        Seed of the initial weights and of all draws.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Returns
    -------
    Model
        Noise calibration, PSF and weights.

    Raises
    ------
    UserError
        If the image, the PSF or a setting does not serve.
    Cancelled
        If the user asked to stop.
    """
    preset = _preset(quality, network, upsample, loss, dimensions, pairs, steps)
    if start is not None:
        _require_method(start)
    _require(image)
    parts.require_contrast(image)
    chosen = choose(device)
    psfs = [psf] if isinstance(psf, Psf) else list(psf)
    axes = _axes(image, psfs, dimensions)
    part = _part(axes)
    groups = parts.groups(image, fit_per, part)
    grids = _matched(image, psfs, upsample, axes)
    weight = _hessian(preset.network, axes) if hessian is None else hessian
    terms = Terms(loss, 0.5, weight, variation)
    earlier = _units(start, torch.device("cpu")) if start is not None else []
    if start is not None:
        _require_same_kind(start, earlier, image, preset.network, axes, upsample, len(groups))
    paired = _paired(image, psfs, upsample, pairs, preset.network) if axes == 3 else []
    settings: dict[str, Any] = {
        "quality": quality,
        "network": preset.network,
        "axes": axes,
        "steps": steps or (preset.steps if axes == 2 else preset.steps_3d),
        "upsample": upsample,
        "pairs": "slices" if paired else "recorruption",
        "fit_per": fit_per,
        "loss": loss,
        "hessian": weight,
        "variation": variation,
        "seed": seed,
        "version": zsfiji.__version__,
        "fitted_to": parts.described(image),
        "spacing": list(spacing_micrometres(image, DIMS[-axes:])),
        "units": [],
    }
    tensors = {
        f"psf.{n}": torch.from_numpy(p.values.astype(np.float32)) for n, p in enumerate(grids)
    }
    for number, positions in enumerate(groups):
        with progress.part(number / len(groups), (number + 1) / len(groups)):
            progress.report(0, "Measuring the noise")
            sample = parts.spread(positions, image, _TRAINING_PIXELS, part)
            data = [_middle_slices(parts.pixels_of(image, p, part)) for p in sample]
            where = _where(number, len(groups), fit_per)
            if len(groups) > 1 and min(d.min() for d in data) == max(d.max() for d in data):
                raise UserError(
                    f"All pixels{where} have the same value, so there is nothing to restore. Leave "
                    "it out: Image > Duplicate... takes some of the channels, slices or frames."
                )
            some = _some_planes(data)
            camera = measure(some, Known(gain, read_variance, background, dark))
            noise, doubted = believed(camera.noise, some)
            camera = camera.with_noise(noise)
            if camera.noise.floor == 0:
                raise UserError(
                    f"No noise was found{where or ' in the image'}. The method learns from noise, "
                    "which filtered, compressed or simulated images may not have."
                )
            if camera.noise.saturated > _SATURATED:
                raise UserError(
                    f"{camera.noise.saturated:.0%} of the pixels{where} are saturated, so the "
                    "brightness of the specimen is not known. Acquire the image again with less "
                    "exposure or gain, or select a region that is not saturated."
                )
            data = [_sound(d, camera)[0] for d in data]
            label = "Training" if len(groups) == 1 else f"Training {number + 1} of {len(groups)}"
            channel = positions[0].get("ch", 0)
            unit = with_fallback(
                partial(
                    _fit_on,
                    data,
                    camera,
                    grids[channel % len(grids)],
                    paired[channel % len(paired)] if paired else None,
                    settings=settings,
                    terms=terms,
                    label=label,
                    start=earlier[number] if earlier else None,
                ),
                chosen,
            )
        unit.doubted = doubted
        # A model that goes on had steps before.
        planned = settings["steps"] + (earlier[number].steps if earlier else 0)
        settings["units"].append({**unit.as_settings(), "planned": planned})
        tensors |= weights(unit.network, number)
    return Model(METHOD, settings, tensors)


def apply(
    model: Model, image: xr.DataArray, *, device: str = "auto", symmetries: int = 4
) -> Deconvolved:
    """Denoise and deconvolve an image with a fitted model; nothing is trained.

    Finish now has no result of less work to give here, so all planes are done; cancel stops it.

    Parameters
    ----------
    model : Model
        What :func:`fit` gave, for this image or one of the same kind: same detector, gain, optics
        and pixel size.
    image : xarray.DataArray
        With as many channels (or planes) as the model was fitted to; any size.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    symmetries : {1, 2, 4, 8}
        Flips and rotations that the results are means of: more is slower and a little better.

    Returns
    -------
    Deconvolved
        Two images, 32-bit, in the unit of the image and with its mean; of a deconvolved stack what
        the camera would see has that mean, light from beyond it included. The deconvolved one has
        the pixel size divided by `upsample`. Where nothing was sharpened, it is the denoised image
        on that grid, and the notes say so.

    Raises
    ------
    UserError
        If the image does not serve or does not fit the model.
    Cancelled
        If the user asked to stop.
    """
    _require_method(model)
    _require(image)
    parts.require_contrast(image)
    chosen = choose(device)
    units = _units(model, chosen)
    axes, fine = int(model.settings["axes"]), int(model.settings["upsample"])
    _require_fit(model, units, image)
    positions = parts.positions(image, _part(axes))
    per_plane = model.settings["fit_per"] == "plane"
    number_of = {int(n[4:]): t for n, t in model.tensors.items() if n.startswith("psf.")}
    optics = [Degradation(psf, fine) for _, psf in sorted(number_of.items())]
    denoised = scratch_array(image.shape)
    shape = tuple(n * fine if d in ("row", "col") else n for d, n in image.sizes.items())
    sharp = scratch_array(shape)
    reblurred = scratch_array(tuple(size(image, d) for d in DIMS)) if axes == 3 else None
    notes = Notes(model)
    total = len(positions)
    for number, position in enumerate(positions):
        progress.report(number / total, "Deconvolving")
        channel = position.get("ch", 0)
        degradation = optics[channel % len(optics)]
        unit = replace(units[number if per_plane else channel], optics=degradation)
        where = parts.place(image, position)
        noisy, defects = _sound(np.asarray(image.data[where]), unit.camera)
        notes.defects += defects
        smooth, detail = denoised[where], sharp[where]
        into = Results(smooth, detail, reblurred)
        with progress.part(number / total, (number + 1) / total):
            restore(unit, noisy, "Deconvolving", symmetries=symmetries, into=into)
        # Fluorescence is not darker than no light.
        for plane in in_turn(detail):
            np.maximum(plane, unit.camera.dark_level, out=plane)
        light = keep_mean([smooth], smooth, noisy, unit.camera)
        # Of a stack's light some came from above and below it.
        light_sharp = keep_mean(
            [detail] if reblurred is None else [detail, reblurred],
            detail if reblurred is None else reblurred,
            noisy,
            unit.camera,
        )
        spared = guard.denoised(noisy, smooth, unit.camera)
        missing = None
        if axes == 2:
            missing = guard.deconvolved(noisy, smooth, detail, unit.camera, degradation)
            keep_mean([detail], detail, noisy, unit.camera)
        found = sharpening.judge(unit.camera.noise, degradation, noisy, smooth, detail, reblurred)
        if found.sharpening < sharpening.SHARPER:
            for blunt, plane in zip(in_turn(detail), in_turn(smooth), strict=True):
                blunt[:] = sharpening.enlarged(plane, fine)
            light_sharp, missing = light, None
        notes.add(unit, noisy, found, None if per_plane else channel, (light, light_sharp))
        notes.guarded(spared, missing)
        into.release()
    progress.report(1, "Deconvolving")
    title = str(image.attrs.get("title") or "image")
    first = carry(image, denoised, title=f"{title}-denoised")
    second = carry(_finer(image, fine), sharp, title=f"{title}-deconvolved")
    return Deconvolved(
        Restored(first, notes.sentences(total), notes.metrics()),
        Restored(second, notes.sentences(total), notes.metrics()),
    )


def _fit_on(
    data: list[np.ndarray],
    camera: Camera,
    psf: Psf,
    paired: Psf | None,
    device: torch.device,
    *,
    settings: dict[str, Any],
    terms: Terms,
    label: str,
    start: Unit | None,
) -> Unit:
    optics, pairs = (
        None
        if p is None
        else Degradation(torch.from_numpy(p.values.astype(np.float32)), settings["upsample"])
        for p in (psf, paired)
    )
    assert optics is not None, "only the other one may be missing"
    return fit_unit(
        data,
        camera,
        optics,
        kind=settings["network"],
        steps=settings["steps"],
        terms=terms,
        seed=settings["seed"],
        device=device,
        label=label,
        start=start,
        pairs=pairs,
    )


def _preset(
    quality: str,
    network: str,
    upsample: int,
    loss: str,
    dimensions: str,
    pairs: str,
    steps: int,
) -> Preset:
    """Check the settings, and put the network asked for in place of the preset's."""
    choices = {
        "quality": (quality, tuple(PRESETS)),
        "network": (network, ("auto", *KINDS)),
        "loss": (loss, ("mae", "mse")),
        "choice of dimensions": (dimensions, ("auto", "2d", "3d")),
        "choice of pairs": (pairs, ("auto", "slices", "recorruption")),
    }
    for what, (value, allowed) in choices.items():
        if value not in allowed:
            raise UserError(f"There is no {what} '{value}'. Choose one of {', '.join(allowed)}.")
    if upsample not in (1, 2):
        raise UserError(f"The upsampling is {upsample}; it has to be 1 or 2.")
    if steps < 0:
        raise UserError(f"The number of steps is {steps}; it cannot be negative.")
    preset = PRESETS[quality]
    return preset if network == "auto" else replace(preset, network=network)


def _hessian(network: str, axes: int) -> float:
    if network != "published":
        return 0.0
    return HESSIAN_2D if axes == 2 else HESSIAN_3D


def _axes(image: xr.DataArray, psfs: Sequence[Psf], dimensions: str) -> int:
    """Choose between planes (2) and stacks (3)."""
    slices, deep = size(image, "pln"), all(p.values.ndim == 3 for p in psfs)
    if dimensions == "3d":
        if slices < FEWEST:
            raise UserError(
                f"The stack has {counted(slices, 'slice')}; deconvolution in 3D needs "
                f"at least {FEWEST}. Choose 2d, or acquire more slices."
            )
        return 3
    if dimensions == "2d" or slices == 1:
        return 2
    if not deep:
        _log.warning("Deconvolving slice by slice, because the PSF is a single slice.")
    elif slices < FEWEST:
        _log.warning(
            "Deconvolving slice by slice: %s; 3D needs %d.", counted(slices, "slice"), FEWEST
        )
    else:
        depth = slices * spacing_micrometres(image, ("pln",))[0]
        needed = 2 * max(fwhm(psf)[0] for psf in psfs)
        if depth >= needed:
            return 3
        _log.warning(
            "Deconvolving slice by slice: the stack is %.3g microns deep; 3D needs twice the depth "
            "of the PSF, %.3g (or the slice spacing of one of them is wrong).",
            depth,
            needed,
        )
    return 2


def _part(axes: int) -> tuple[str, ...]:
    """What is restored in one piece."""
    return parts.STACK if axes == 3 else parts.PLANE


def _where(number: int, count: int, fit_per: str) -> str:
    """Name a part of the image, where there are several."""
    return f" in {fit_per} {number + 1}" if count > 1 else ""


def _middle_slices(data: np.ndarray) -> np.ndarray:
    """Leave the outer slices of a huge stack out of the training."""
    if data.ndim == 2 or data.size <= _LARGEST_STACK:
        return data
    kept = max(FEWEST, _LARGEST_STACK // data[0].size)
    first = (len(data) - kept) // 2
    return data[first : first + kept].copy()


def _some_planes(data: list[np.ndarray]) -> list[np.ndarray]:
    """The planes that the noise is measured in."""
    if data[0].ndim == 2:
        return data
    return [plane for stack in data for plane in stack[:: -(-len(stack) // 16)]]


def _require_method(model: Model) -> None:
    if model.method != METHOD:
        raise UserError(
            f"The model belongs to the method '{model.method}', not to '{METHOD}'. "
            "Choose a model that was trained with ZS-DeconvNet."
        )


def _require(image: xr.DataArray) -> None:
    parts.require_pixels(image)
    height, width = size(image, "row"), size(image, "col")
    if min(height, width) < SMALLEST:
        raise UserError(
            f"The image is {width} x {height} pixels. ZS-DeconvNet needs at least {SMALLEST} x "
            f"{SMALLEST}: choose a larger image or region."
        )


def _matched(
    image: xr.DataArray, psfs: Sequence[Psf], upsample: int, axes: int, slice_step: int = 1
) -> list[Psf]:
    """Bring the PSFs onto the fine grid of the image, or of every so-manieth slice of it."""
    channels = size(image, "ch")
    if len(psfs) not in (1, channels):
        raise UserError(
            f"{counted(len(psfs), 'PSF')} for {counted(channels, 'channel')}: give one PSF for all "
            "channels, or one each."
        )
    steps = (slice_step, 1 / upsample, 1 / upsample)[-axes:]
    dims = DIMS[-axes:]
    spacing = [s * f for s, f in zip(spacing_micrometres(image, dims), steps, strict=True)]
    shape = [round(size(image, d) / f) for d, f in zip(dims, steps, strict=True)]
    pixels = [size(image, d) for d in dims]
    return [match(p, spacing, shape, energy=_ENERGY, pixels=pixels) for p in psfs]


def _paired(
    image: xr.DataArray, psfs: Sequence[Psf], upsample: int, pairs: str, network: str
) -> list[Psf]:
    """PSFs at twice the slice spacing, to learn from pairs of slices; none for recorruption.

    Neighbouring slices show the same only as far as they are near each other: within half of
    the axial width of the PSF.
    """
    slices = size(image, "pln")
    near = all(
        2 * spacing_micrometres(image, ("pln",))[0] <= fwhm(p)[0] for p in psfs if p.values.ndim > 2
    )
    if pairs == "slices" and slices < 2 * FEWEST:
        raise UserError(
            f"The stack has {counted(slices, 'slice')}; pairs of slices need at least "
            f"{2 * FEWEST}. Choose recorruption."
        )
    if pairs == "recorruption" or network != "published":
        return []
    if pairs == "auto" and not (near and slices >= PAIRED):
        why = "there are too few slices" if near else "the slices are too far apart"
        _log.warning(
            "The published training uses recorrupted slices here instead of pairs of slices: %s.",
            why,
        )
        return []
    return _matched(image, psfs, upsample, 3, slice_step=2)


def _units(model: Model, device: torch.device) -> list[Unit]:
    """Build the units of a model, networks on `device`."""
    units = []
    for number, stored in enumerate(model.settings["units"]):
        unit = Unit.from_settings(stored)
        load_weights(unit.network, model, number)
        unit.network.to(device)
        units.append(unit)
    return units


def _require_same_kind(
    start: Model,
    units: list[Unit],
    image: xr.DataArray,
    network: str,
    axes: int,
    upsample: int,
    groups: int,
) -> None:
    kinds = {(u.kind, u.axes, u.network.upsample) for u in units}
    if kinds != {(network, axes, upsample)} or len(units) != groups:
        raise UserError(
            f"The model to continue from has {counted(len(units), 'network')} of the kind "
            f"'{start.settings['network']}' in {start.settings['axes']}D with an upsampling of "
            f"{start.settings['upsample']}. The image and the settings ask for {groups} of the "
            f"kind '{network}' in {axes}D with {upsample}. Change the settings, or start a new "
            "training."
        )
    _require_same_pixels(start, image, axes)


def _require_fit(model: Model, units: list[Unit], image: xr.DataArray) -> None:
    """Refuse an image of another kind than the model was fitted to."""
    axes = int(model.settings["axes"])
    if axes == 3 and size(image, "pln") < FEWEST:
        raise UserError(
            "The model is for stacks in 3D and the image has "
            f"{counted(size(image, 'pln'), 'slice')}. "
            f"It needs at least {FEWEST}; choose a model for 2D."
        )
    per_plane = model.settings["fit_per"] == "plane"
    what = "channel" if not per_plane else "plane" if axes == 2 else "stack"
    expected = len(parts.positions(image, _part(axes))) if per_plane else size(image, "ch")
    require_as_many(len(units), expected, what)
    _require_same_pixels(model, image, axes)


def _require_same_pixels(model: Model, image: xr.DataArray, axes: int) -> None:
    fitted = model.settings["spacing"]
    spacing = spacing_micrometres(image, DIMS[-axes:])
    if any(abs(a / b - 1) > _SAME_SIZE for a, b in zip(spacing, fitted, strict=True)):
        shown = [" x ".join(f"{1000 * v:.4g}" for v in s[::-1]) for s in (fitted, spacing)]
        raise UserError(
            f"The model was fitted to pixels of {shown[0]} nm and the image has {shown[1]} nm. "
            "Fit a model to this image, or correct its pixel size under Image > Properties..."
        )


def _sound(noisy: np.ndarray, camera: Camera) -> tuple[np.ndarray, int]:
    """Replace defective pixels, and count them; the image itself where there are none.

    A pixel of a value that no light explains would get rings as large as it is bright.
    """
    result, count = noisy, 0
    for number, plane in enumerate(slicewise(noisy)):
        mended, found = repaired(np.asarray(plane, np.float32), camera.noise)
        if found and result is noisy:
            result = scratch_array(noisy.shape)
            for into, source in zip(slicewise(result), slicewise(noisy), strict=True):
                into[:] = source
        if found:
            slicewise(result)[number] = mended
            count += found
    return result, count


def _finer(image: xr.DataArray, fine: int) -> xr.DataArray:
    """Give an image, of no account, with the axes and the calibration of the fine grid."""
    coords = {d: c for d, c in image.coords.items() if d not in ("row", "col")}
    spacing = dict(image.attrs.get("spacing", {}))
    for dim in ("row", "col"):
        step = pixel_size(image, dim)
        if dim in image.coords:
            first = float(image.coords[dim][0]) - step / 2 + step / (2 * fine)
            coords[dim] = first + np.arange(image.sizes[dim] * fine) * step / fine
        elif dim in spacing:
            spacing[dim] = step / fine
    attrs = {k: v for k, v in image.attrs.items() if k != "overlay"}
    if spacing:
        attrs["spacing"] = spacing
    shape = tuple(n * fine if d in ("row", "col") else n for d, n in image.sizes.items())
    empty = np.broadcast_to(np.float32(0), shape)
    return xr.DataArray(empty, dims=image.dims, coords=coords, attrs=attrs)
