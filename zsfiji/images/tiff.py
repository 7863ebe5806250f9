"""Images in files: ImageJ's TIFF with all its metadata, OME-TIFF, plain TIFF, MRC, and pictures.

Images are written in ImageJ's own format: a hyperstack with calibration, LUTs, display ranges,
slice labels, Info, properties, selection and overlay, all of which ImageJ reads. Stacks of more
than 4 GB are written as ImageJ writes them, as one block of pixels after one header. The pattern
axes of a raw SIM image are combined with the slices or the frames of the hyperstack, see
:mod:`zsfiji.images.folding`; in an OME-TIFF they are read from its modulo annotations.
"""

from __future__ import annotations

import logging
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images import mrc
from zsfiji.images.axes import STACK_DIMS, as_image, set_calibration, size, step_and_origin
from zsfiji.images.complete import require_complete
from zsfiji.images.files import replacing, require_other
from zsfiji.images.folding import fold, unfold
from zsfiji.images.memory import require_memory
from zsfiji.images.metadata import bulk_ranges, is_rgb
from zsfiji.images.ome import calibration
from zsfiji.images.palette import picture
from zsfiji.images.units import micrometres
from zsfiji.images.vendors import of_lsm, of_stk

_log = logging.getLogger(__name__)

TIFF_ENDINGS = (".tif", ".tiff", ".lsm", ".stk", ".btf", ".tf8")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
ENDINGS = TIFF_ENDINGS + mrc.IMAGE_ENDINGS + PICTURE_ENDINGS
"""Extensions of the files in a folder that are taken for images."""

# tifffile's letters for the axes; those of unknown meaning are slices, as ImageJ reads them.
_AXES = {"T": "t", "A": "ang", "P": "pha", "Z": "pln", "C": "ch", "Y": "row", "X": "col"}
_STRAIGHT_LINE, _UNCALIBRATED = 0, 20
"""Functions of ImageJ's value calibration (``ij.measure.Calibration``)."""

_INCH, _CENTIMETRE = 2, 3
"""Values of TIFF's ResolutionUnit."""

_MINISWHITE, _RGB, _SEPARATED, _YCBCR = 0, 2, 5, 6
"""Values of TIFF's PhotometricInterpretation: 0 is white, and three kinds of colour pictures."""

_ALPHA = (1, 2)
"""Values of TIFF's ExtraSamples for an alpha channel."""

_COLOR_MAP_TAG = 320
"""TIFF's ColorMap."""

_ROI_RECTANGLE, _ROI_AREAS, _ROI_NO_AREA = 1, (0, 1, 2, 7, 8), (1, 4)
"""Types of selections in ImageJ's ROI format (``ij.io.RoiEncoder``): polygon, rectangle, oval,
freehand and traced are areas, but those of the last two subtypes are a text and an image."""

_ROI_LARGEST = 32767
"""Largest coordinate in that format."""

_LEAST_STEP, _LARGEST_STEP = 1e-6, 1e6
"""Pixel sizes that a TIFF can hold well: their inverse is a fraction of two 32-bit numbers."""

_SMALLER = (
    "Split it into substacks first, for example in ImageJ with Image > Stacks > Tools > Make "
    "Substack..."
)
"""What to do with an image that is too large."""

_DPI_IS_NO_SCALE = (72, 96, 150, 300, 600)
"""Usual resolutions of screens and printers: they say nothing about the pixel size in the
specimen."""


def read(path: str | os.PathLike[str]) -> xr.DataArray:
    """Read an image.

    Parameters
    ----------
    path : path_like
        A TIFF (of ImageJ, OME, or plain, also with several pages), an MRC (also of DeltaVision),
        or a PNG, JPEG, BMP or GIF picture. If a file has several images, the first one is read,
        and the log says so.

    Returns
    -------
    xarray.DataArray
        The image, with the metadata of :mod:`zsfiji.images.metadata` that the file has. Axes of
        length 1 are left out. If the pixel values are calibrated by a straight line, these are the
        calibrated values, which ImageJ shows under the cursor. An alpha channel is left out.

    Raises
    ------
    UserError
        If the file is missing, damaged, not an image, or too large for the memory.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder. Name an image in it.")
    try:
        with open(path, "rb") as file:
            start = file.read(4)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not start:
        raise UserError(f"{path} is empty: it holds no image.")
    try:
        if start[:2] in (b"II", b"MM"):
            image = _read_tiff(path)
        elif path.suffix.lower() in mrc.MRC_ENDINGS:
            require_memory(str(path), path.stat().st_size, _SMALLER)
            image = mrc.read_image(path)
        else:
            image = _read_picture(path)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        # For damaged files the libraries raise many kinds of errors, also their own.
        raise UserError(
            f"{path} cannot be read as an image: it is damaged, incomplete or in a format that "
            f"zsfiji does not know ({str(error) or type(error).__name__:.120}). If ImageJ opens "
            "it, save it there as TIFF."
        ) from error
    image.attrs["title"] = path.name
    image.attrs["path"] = str(path)
    return image


def write(image: xr.DataArray, path: str | os.PathLike[str]) -> None:
    """Write an image as ImageJ's TIFF, completely or not at all.

    Parameters
    ----------
    image : xarray.DataArray
        The image; pixels that ImageJ does not have become 32-bit floats.
    path : path_like
        The file; an existing one is replaced, unless the image came from it.

    Raises
    ------
    UserError
        If the file cannot be written, or is the one that the image was read from.
    """
    path = Path(path)
    image = _in_fitting_unit(fold(as_image(image)))
    if image.attrs.get("path"):
        require_other(path, image.attrs["path"])
    rgb = is_rgb(image)
    # With all six axes given, tifffile guesses none, which would be wrong for a few rows.
    pixels = image.data
    if "ch" in image.dims and not rgb:
        pixels = np.moveaxis(pixels, -1, image.dims.index("row"))
    pixels = pixels.reshape(
        size(image, "t"),
        size(image, "pln"),
        1 if rgb else size(image, "ch"),
        image.sizes["row"],
        image.sizes["col"],
        3 if rgb else 1,
    )
    extra = []
    lut = _single_lut(image, rgb)
    if lut is not None:
        # ImageJ keeps the LUT of an image without channels in the palette of the TIFF.
        palette = (lut.T.astype(np.uint16) * 257).ravel()
        extra.append((_COLOR_MAP_TAG, "H", palette.size, palette.tolist(), True))
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            pixels,
            imagej=True,
            # ImageJ would show it as the first line of the image's Info.
            software=False,
            photometric="rgb" if rgb else "minisblack",
            resolution=(1 / _step(image, "col"), 1 / _step(image, "row")),
            extratags=extra,
            metadata={
                "axes": "TZCYXS",
                **_description(image, rgb),
                **_binary(image, rgb),
            },
        )


# --- reading ------------------------------------------------------------------------------------


def _read_tiff(path: Path) -> xr.DataArray:
    with tifffile.TiffFile(path) as file:
        if not file.series:
            raise UserError(f"{path} holds no image.")
        series = file.series[0]
        if len(file.series) > 1 and not file.is_lsm:
            _log.warning("%s holds %d images; the first is taken.", path.name, len(file.series))
        require_complete(path, file)
        needed = math.prod(series.shape) * np.dtype(series.dtype).itemsize
        require_memory(str(path), needed, _SMALLER)
        page = series.keyframe
        pixels, axes = _pixels(series, file.imagej_metadata)
        if file.is_lsm:
            # P are positions there.
            axes = axes.replace("P", "I")
        image = _labelled(path, pixels, axes, page)
        rgb = image.attrs.get("rgb", False)
        if file.is_lsm:
            set_calibration(image, *of_lsm(file.lsm_metadata or {}))
        elif file.is_stk:
            set_calibration(image, *of_stk(file.stk_metadata or {}))
        elif file.is_imagej:
            _read_imagej(image, file.imagej_metadata or {}, page, rgb)
        elif file.is_ome:
            set_calibration(image, *calibration(file.ome_metadata or ""))
        else:
            _read_plain(image, page)
        if not rgb:
            image = _read_palette(image, page)
    image = image.squeeze([d for d in STACK_DIMS if size(image, d) == 1 and d in image.dims])
    image.attrs["title"] = path.name
    return unfold(
        image.drop_vars([d for d in STACK_DIMS if d not in image.dims and d in image.coords])
    )


def _pixels(series: Any, meta: dict[str, Any] | None) -> tuple[np.ndarray, str]:
    """The pixels, and tifffile's letters for their axes."""
    pixels = series.asarray()
    if meta is None or series.kind in ("mmstack", "ome"):
        return pixels, series.axes
    # ImageJ's metadata are more reliable than tifffile's handling of axes of length 1.
    page = series.keyframe
    samples = (int(page.samplesperpixel),) if int(page.samplesperpixel) > 1 else ()
    stack = _stack_of(meta)
    shape = (*stack.values(), page.imagelength, page.imagewidth, *samples)
    if pixels.size != math.prod(shape):
        return pixels, series.axes
    kept = {letter: n for letter, n in stack.items() if n != 1}
    axes = "".join(kept) + ("YXS" if samples else "YX")
    return pixels.reshape(*kept.values(), *shape[3:]), axes


def _stack_of(meta: dict[str, Any]) -> dict[str, int]:
    """The axes of an ImageJ stack, slowest first, by tifffile's letters, and their lengths.

    Channels are the fastest unless the file says otherwise, as those of Micro-Manager do.
    """
    order = str(meta.get("order", "")).upper()
    keys = {"T": "frames", "Z": "slices", "C": "channels"}
    letters = reversed(order) if sorted(order) == sorted(keys) else keys
    return {letter: int(meta.get(keys[letter], 1)) for letter in letters}


def _labelled(path: Path, pixels: np.ndarray, axes: str, page: Any) -> xr.DataArray:
    """Name the axes of tifffile's array, and combine several unknown ones into one.

    The samples of a pixel are the colours of a picture, which are three, or channels.
    """
    samples = axes.find("S")
    rgb = False
    if samples >= 0:
        pixels = np.moveaxis(pixels, samples, -1)
        axes = axes.replace("S", "") + "S"
        if page.extrasamples and int(page.extrasamples[-1]) in _ALPHA:
            pixels = pixels[..., :-1]
        if int(page.photometric) == _SEPARATED and pixels.shape[-1] == 4:
            raise UserError(
                f"{path} has the colours of a printer (CMYK). Make it RGB first: open it in "
                "ImageJ and save it there as TIFF."
            )
        if "C" in axes and pixels.shape[-1] > 1:
            raise UserError(
                f"{path} is a colour (RGB) stack with channels of its own. Make its channels "
                "slices in ImageJ (Image > Hyperstacks > Re-order Hyperstack...)."
            )
        coloured = int(page.photometric) in (_RGB, _YCBCR)
        rgb = coloured and pixels.shape[-1] == 3 and pixels.dtype == np.uint8
        if pixels.shape[-1] == 1:
            pixels, axes = pixels[..., 0], axes[:-1]
        else:
            axes = axes[:-1] + "C"
    if axes[-3:-1] == "YX":
        stack, plane = axes[:-3], axes[-3:]
    elif axes[-2:] == "YX":
        stack, plane = axes[:-2], axes[-2:]
    else:
        raise UserError(f"{path} holds no image: its axes are {axes}.")
    # Lay a second axis of slices, or an axis of tiles or wavelengths, over the slices.
    named = [_AXES.get(letter, "pln") for letter in stack]
    dims: list[str] = []
    shape: list[int] = []
    for dim, length in zip(named, pixels.shape, strict=False):
        if dims and dims[-1] == dim:
            shape[-1] *= length
        elif dim in dims:
            raise UserError(
                f"{path} has the axes {axes}, which do not fit ImageJ's slices, frames and "
                "channels. Split it first."
            )
        else:
            dims.append(dim)
            shape.append(length)
    pixels = pixels.reshape(*shape, *pixels.shape[len(stack) :])
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    return as_image(
        pixels, dims + [_AXES[letter] for letter in plane], {"rgb": True} if rgb else None
    )


def _read_imagej(image: xr.DataArray, meta: dict[str, Any], page: Any, rgb: bool) -> None:
    known = image.attrs
    if "Info" in meta:
        known["info"] = str(meta["Info"])
    properties = dict(meta.get("Properties") or {})
    labels = meta.get("Labels")
    if isinstance(labels, str):
        labels = [labels]
    if "Slice_Label" in properties:
        labels = [properties.pop("Slice_Label")]
    if labels and any(labels):
        stack = _stack_of(meta)
        if len(labels) == math.prod(stack.values()):
            there = np.reshape(np.array(labels, object), list(stack.values()))
            labels = there.transpose([list(stack).index(letter) for letter in "TZC"]).ravel()
        known["slice_labels"] = [label or None for label in labels]
    if properties:
        known["properties"] = properties
    if "vunit" in meta and meta["vunit"] != "Gray Value":
        known["value_unit"] = _unescaped(meta["vunit"])
    overlays = meta.get("Overlays")
    if overlays:
        known["overlay"] = [overlays] if isinstance(overlays, bytes) else list(overlays)
    box = _rectangle(meta.get("ROI"))
    if box:
        known["roi"] = box
    _read_imagej_axes(image, meta, page)
    channels = size(image, "ch")
    if rgb:
        return
    if channels > 1:
        known["mode"] = str(meta.get("mode", "composite"))
    luts = meta.get("LUTs")
    if luts is not None:
        luts = [luts] if isinstance(luts, np.ndarray) else list(luts)
        if len(luts) == channels:
            known["luts"] = [np.array(lut).T for lut in luts]
    ranges = meta.get("Ranges") or ()
    if channels == 1 and "min" in meta and "max" in meta:
        ranges = (meta["min"], meta["max"])
    elif channels == 1 and page.dtype == np.uint8:
        # ImageJ writes display ranges only if they are others.
        ranges = (0.0, 255.0)
    scale = _value_scale(meta)
    if len(ranges) == 2 * channels:
        low_high = zip(ranges[::2], ranges[1::2], strict=True)
        offset, gain = scale or (0.0, 1.0)
        known["display_ranges"] = [
            (offset + gain * low, offset + gain * high) for low, high in low_high
        ]
    if scale is not None:
        image.data = (scale[0] + scale[1] * image.data.astype(np.float64)).astype(np.float32)


def _value_scale(meta: dict[str, Any]) -> tuple[float, float] | None:
    """Offset and gain of a value calibration, None without one."""
    function = int(meta.get("cf", _UNCALIBRATED))
    if function == _UNCALIBRATED or (function == _STRAIGHT_LINE and "c1" not in meta):
        # ImageJ writes a line without coefficients if the values have a unit only.
        return None
    if function != _STRAIGHT_LINE:
        raise UserError(
            "The pixel values of the image are calibrated by a curve. Convert it to 32 bit first "
            "(in ImageJ: Image > Type > 32-bit); a file has to be saved again after that."
        )
    return float(meta.get("c0", 0.0)), float(meta.get("c1", 1.0))


def _read_imagej_axes(image: xr.DataArray, meta: dict[str, Any], page: Any) -> None:
    unit = _unescaped(meta.get("unit", "pixel"))
    units = {
        "col": unit,
        "row": _unescaped(meta.get("yunit", unit)),
        "pln": _unescaped(meta.get("zunit", unit)),
    }
    units = {dim: name for dim, name in units.items() if name not in ("pixel", "pixels", "")}
    steps = {"col": 1.0, "row": 1.0, "pln": float(meta.get("spacing", 1.0))}
    # Micro-Manager's pixels are those of a centimetre, and ImageJ's those of the unit.
    other = 1e4 if unit == "um" and int(page.resolutionunit) == _CENTIMETRE else 1.0
    for dim, density in zip(("col", "row"), page.resolution, strict=True):
        if density > 0:
            steps[dim] = other / float(density)
    origins = {"col": "xorigin", "row": "yorigin", "pln": "zorigin"}
    places = {dim: float(meta.get(key, 0.0)) for dim, key in origins.items()}
    # That of "fps" is the speed at which the frames are shown.
    interval = float(meta.get("finterval", 0.0))
    if interval > 0:
        steps["t"] = interval
        units["t"] = _unescaped(meta.get("tunit", "sec"))
    set_calibration(image, steps, units, places)


def _unescaped(text: Any) -> str:
    # ImageJ writes what is not ASCII as \u00B5.
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m.group(1), 16)), str(text)).strip()


def _escaped(text: str) -> str:
    text = " ".join(text.split())
    return "".join(c if ord(c) < 128 else f"\\u{ord(c):04X}" for c in text if ord(c) < 0x10000)


def _read_plain(image: xr.DataArray, page: Any) -> None:
    """Calibrate by the resolution of a TIFF, unless it is that of a screen or a printer."""
    unit = int(page.resolutionunit)
    if unit not in (_INCH, _CENTIMETRE):
        return
    density = dict(zip(("col", "row"), map(float, page.get_resolution(unit)), strict=True))
    if unit == _INCH and density["col"] in _DPI_IS_NO_SCALE:
        return
    steps = {dim: 1 / value for dim, value in density.items() if value > 0 and value != 1}
    name = "inch" if unit == _INCH else "cm"
    set_calibration(image, steps, dict.fromkeys(steps, name))


def _read_palette(image: xr.DataArray, page: Any) -> xr.DataArray:
    colours = getattr(page, "colormap", None)
    if colours is not None and "luts" not in image.attrs and colours.shape == (3, 256):
        lut = (colours >> 8).astype(np.uint8).T
        shown = picture(image, lut)
        if shown is not None:
            return shown
        if (lut != np.arange(256)[:, None]).any():
            image.attrs["luts"] = [lut] * size(image, "ch")
    elif int(page.photometric) == _MINISWHITE:
        # Low values are bright; ImageJ shows such an image with an inverting LUT.
        image.attrs["luts"] = [np.repeat(np.arange(256, dtype=np.uint8)[::-1, None], 3, 1)]
    return image


def _read_picture(path: Path) -> xr.DataArray:
    from PIL import Image

    with Image.open(path) as file:
        count = getattr(file, "n_frames", 1)
        if count > 1:
            _log.warning("%s holds %d pictures; the first is taken.", path.name, count)
        if file.mode == "P" and "transparency" not in file.info:
            return _read_indexed(file)
        if file.mode in ("P", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"):
            pixels = np.array(file.convert("RGB"))
        elif file.mode in ("LA", "1"):
            pixels = np.array(file.convert("L"))
        else:
            pixels = np.array(file)
    if pixels.dtype == np.int32 and pixels.min() >= 0 and pixels.max() < 2**16:
        # Some versions of Pillow give the 16-bit greys of a PNG as 32-bit integers.
        pixels = pixels.astype(np.uint16)
    if pixels.ndim == 3:
        return as_image(pixels, ("row", "col", "ch"), {"rgb": True})
    return as_image(pixels, ("row", "col"))


def _read_indexed(file: Any) -> xr.DataArray:
    """A picture of numbered colours, or, as ImageJ saves them, intensities with a LUT."""
    lut = np.zeros((256, 3), np.uint8)
    palette = np.array(file.getpalette("RGB"), np.uint8).reshape(-1, 3)
    lut[: len(palette)] = palette[:256]
    image = as_image(np.array(file), ("row", "col"))
    shown = picture(image, lut)
    if shown is not None:
        return shown
    if (lut[image.data] != image.data[..., None]).any():
        image.attrs["luts"] = [lut]
    return image


def _rectangle(data: bytes | None) -> tuple[int, int, int, int] | None:
    """Bounds of an area selection as ImageJ encodes it; None for lines, points and texts."""
    if not data or len(data) < 64 or data[:4] != b"Iout" or data[6] not in _ROI_AREAS:
        return None
    if int.from_bytes(data[48:50], "big") in _ROI_NO_AREA:
        return None
    top, left, bottom, right = np.frombuffer(data, ">i2", 4, 8).astype(int)
    if right <= left or bottom <= top:
        return None
    return int(left), int(top), int(right - left), int(bottom - top)


# --- writing ------------------------------------------------------------------------------------


def _single_lut(image: xr.DataArray, rgb: bool) -> np.ndarray | None:
    luts = image.attrs.get("luts") or []
    if rgb or size(image, "ch") > 1 or len(luts) != 1:
        return None
    return np.asarray(luts[0], np.uint8)


def _step(image: xr.DataArray, dim: str) -> float:
    return step_and_origin(image, dim)[0]


def _in_fitting_unit(image: xr.DataArray) -> xr.DataArray:
    """The image with pixel sizes that a TIFF can hold: in micrometres, or else in pixels."""
    lateral = ("row", "col")
    if all(_LEAST_STEP <= _step(image, dim) <= _LARGEST_STEP for dim in lateral):
        return image
    dims = ("pln", *lateral)
    units, spacing = dict(image.attrs.get("units", {})), dict(image.attrs.get("spacing", {}))
    factors = {dim: micrometres(str(units.get(dim, ""))) or 0.0 for dim in dims}
    steps = {dim: factors[dim] * _step(image, dim) for dim in dims}
    if not all(_LEAST_STEP <= steps[dim] <= _LARGEST_STEP for dim in lateral):
        size_said = f"{_step(image, 'col'):g} {units.get('col', 'pixel')}"
        _log.warning("A TIFF cannot hold the pixel size %s: it is left out.", size_said)
        return image.drop_vars(lateral, errors="ignore").assign_attrs(
            units={dim: unit for dim, unit in units.items() if dim not in lateral},
            spacing={dim: step for dim, step in spacing.items() if dim not in lateral},
        )
    for dim in dims:
        if factors[dim]:
            units[dim] = "micron"
            if dim in spacing:
                spacing[dim] = steps[dim]
    coords = {
        dim: image.coords[dim] * factors[dim]
        for dim in dims
        if dim in image.coords and factors[dim]
    }
    return image.assign_coords(coords).assign_attrs(units=units, spacing=spacing)


def _description(image: xr.DataArray, rgb: bool) -> dict[str, Any]:
    """The metadata that ImageJ keeps as text in the header."""
    units = image.attrs.get("units", {})
    text: dict[str, Any] = {"ImageJ": "1.54p"}
    if not rgb and size(image, "ch") > 1:
        text["mode"] = image.attrs.get("mode", "composite")
    first = units.get("col", "pixel")
    text["unit"] = _escaped(first)
    for dim, key in (("row", "yunit"), ("pln", "zunit")):
        if units.get(dim, "pixel") != first:
            text[key] = _escaped(units.get(dim, "pixel"))
    text["spacing"] = _step(image, "pln")
    for dim, key in (("col", "xorigin"), ("row", "yorigin"), ("pln", "zorigin")):
        origin = step_and_origin(image, dim)[1]
        if origin:
            text[key] = origin
    if "t" in units or "t" in image.attrs.get("spacing", {}):
        text["finterval"] = _step(image, "t")
        text["tunit"] = _escaped(units.get("t", "sec"))
    if "value_unit" in image.attrs:
        text["cf"] = _STRAIGHT_LINE
        text["vunit"] = _escaped(image.attrs["value_unit"])
    ranges = _ranges(image, rgb)
    if len(ranges) == 1:
        text["min"], text["max"] = ranges[0]
    return text


def _binary(image: xr.DataArray, rgb: bool) -> dict[str, Any]:
    """The metadata that ImageJ keeps in a private tag."""
    attrs = image.attrs
    properties = {str(k): str(v) for k, v in attrs.get("properties", {}).items()}
    labels = attrs.get("slice_labels") or []
    if len(labels) == 1 and labels[0]:
        properties["Slice_Label"] = labels[0]
    known: dict[str, Any] = {}
    if attrs.get("info"):
        known["Info"] = str(attrs["info"])
    if len(labels) > 1:
        known["Labels"] = [label or "" for label in labels]
    channels = size(image, "ch")
    ranges = _ranges(image, rgb)
    if channels > 1 and ranges:
        known["Ranges"] = tuple(value for pair in ranges for value in pair)
    luts = attrs.get("luts") or []
    if not rgb and channels > 1 and len(luts) == channels:
        known["LUTs"] = [np.ascontiguousarray(np.asarray(lut, np.uint8).T) for lut in luts]
    if "roi" in attrs and _fits_roi(*attrs["roi"]):
        known["ROI"] = _encoded_rectangle(*attrs["roi"])
    if attrs.get("overlay"):
        known["Overlays"] = list(attrs["overlay"])
    if properties:
        known["Properties"] = properties
    return known


def _ranges(image: xr.DataArray, rgb: bool) -> list[tuple[float, float]]:
    """Display range of each channel; by default from the quantiles of its pixels."""
    channels = size(image, "ch")
    given = image.attrs.get("display_ranges") or []
    if rgb or (image.dtype == np.uint8 and not given):
        return []
    if len(given) == channels:
        return [(float(low), float(high)) for low, high in given]
    return bulk_ranges(image)


def _fits_roi(x: int, y: int, width: int, height: int) -> bool:
    return min(x, y) >= -_ROI_LARGEST and max(x + width, y + height) <= _ROI_LARGEST


def _encoded_rectangle(x: int, y: int, width: int, height: int) -> bytes:
    """A rectangular selection as ImageJ encodes it (ij.io.RoiEncoder: 64 bytes of header)."""
    header = bytearray(64)
    header[:4] = b"Iout"
    header[4:6] = (227).to_bytes(2, "big")
    header[6] = _ROI_RECTANGLE
    header[8:16] = np.array([y, x, y + height, x + width], ">i2").tobytes()
    return bytes(header)
