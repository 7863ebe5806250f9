"""Images between ImageJ, ImgLib2 and :class:`xarray.DataArray`.

What travels, and under which key, is written in :mod:`zsfiji.images.metadata`. An ``ImagePlus``
that goes to xarray and back has the same pixels, hyperstack layout, calibration, LUTs, display
ranges, display mode, slice labels, Info, properties, rectangular selection and overlay. What
ImageJ knows beyond that stays behind: the file that *Save* would overwrite, which channels of a
composite are ticked, and undo.

Decisions that a user can notice:

- Axes of length 1 are left out of the array; their calibration stays in ``spacing`` and ``units``.
- Pixels with a value calibration (signed 16 bit, optical density) are read as the calibrated
  values, the ones that ImageJ shows under the cursor, as 32-bit floats. ImageJ's own conversion to
  32 bit does the same.
- An 8-bit image whose LUT is a palette (an indexed, "8-bit Color" picture) is read as the RGB or
  grey image that it shows: its pixels are numbers of colours. Any other LUT, as Fire, only shows
  intensities, and these are read; see :mod:`zsfiji.images.palette`.
- The pattern axes of a raw SIM image, which ImageJ does not have, are slices or frames there, with
  labels such as "angle 2/3, phase 1/5"; see :mod:`zsfiji.images.folding`.
- An area selection that is no rectangle counts as its bounding box, as in Image > Duplicate...;
  lines, points and text are no region.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from zsfiji.bridge.start.classes import jc
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image, planes, set_calibration, size, step_and_origin
from zsfiji.images.folding import fold, unfold
from zsfiji.images.memory import require_memory
from zsfiji.images.metadata import bulk_ranges, inside, is_rgb
from zsfiji.images.palette import is_palette, shown

_DEFAULT_VALUE_UNIT = "Gray Value"
_MODES = {1: "composite", 2: "color", 3: "grayscale"}
_LABEL_OF_ONE = "Slice_Label"
_AXES = {"col": "X", "row": "Y", "pln": "Z"}

# Where red, green and blue lie in the bytes of an int that is alpha, red, green, blue from its
# highest byte on.
_RGB_BYTES = (2, 1, 0) if sys.byteorder == "little" else (1, 2, 3)

_FEWER_PIXELS = (
    ", open a part of it (Image > Stacks > Tools > Make Substack...), or work on a folder of "
    "single planes with Process > Batch > Macro... or 'zsfiji run'."
)
"""What else to do with an image that is too large."""


# --- ImagePlus -> xarray ------------------------------------------------------------------------


def from_imageplus(imp: Any, *, region: bool = False) -> xr.DataArray:
    """Copy an image out of ImageJ.

    Parameters
    ----------
    imp : ij.ImagePlus
        The image. Virtual stacks are read plane by plane.
    region : bool
        Read only the rectangle of the selection, if there is one. The result is that of
        :func:`zsfiji.images.metadata.crop_to_roi`, without ever holding the whole image.

    Returns
    -------
    xarray.DataArray
        The image: uint8, uint16 or float32, dimensions t, pln, row, col, ch without those of
        length 1; also ang and pha, if they are folded into it. In memory the channels lie plane by
        plane, so that one channel is contiguous.

    Raises
    ------
    UserError
        If the image would not fit into the memory, was closed, or is a colour stack with channels.
    """
    width, height, channels, slices, frames = (int(n) for n in imp.getDimensions())
    rgb = int(imp.getBitDepth()) == 24
    if rgb and channels > 1:
        raise UserError(
            "The image is a colour (RGB) stack with channels of its own. Choose Image > "
            "Hyperstacks > Re-order Hyperstack... and make the channels slices."
        )
    box = _selection(imp)
    if region and box is not None:
        left, top, columns, rows = inside(box, width, height)
        cut = (slice(top, top + rows), slice(left, left + columns))
    else:
        left, top, columns, rows = 0, 0, width, height
        cut = (slice(None), slice(None))
    table = _value_table(imp)
    dtype = np.dtype(np.uint8 if rgb else _dtype(imp) if table is None else np.float32)
    shape = (frames, slices, 3 if rgb else channels, rows, columns)
    smaller = "Select a smaller rectangle" if region and box else "Select a rectangle first"
    require_memory("The image", math.prod(shape) * dtype.itemsize, smaller + _FEWER_PIXELS)

    stack = imp.getStack()
    pixels = np.empty(shape, dtype)
    flat = pixels.reshape(-1, 3 if rgb else 1, rows, columns)
    for number in range(flat.shape[0]):
        java = stack.getPixels(number + 1)
        if java is None:
            raise UserError("The image was closed while it was being read.")
        plane: np.ndarray = np.frombuffer(memoryview(java), _dtype(imp)).reshape(height, width, -1)[
            cut
        ]
        if rgb:
            colours = np.ascontiguousarray(plane).view(np.uint8)
            for channel, byte in enumerate(_RGB_BYTES):
                flat[number, channel] = colours[..., byte]
        elif table is not None:
            np.take(table, plane[..., 0], out=flat[number, 0], mode="clip")
        else:
            flat[number, 0] = plane[..., 0]

    looks = _looks(imp, table, rgb)
    luts = looks.get("luts", [])
    if len(luts) == 1 and table is None and is_palette(luts[0], pixels):
        picture, coloured = shown(pixels[:, :, 0], luts[0])
        pixels = np.moveaxis(picture, -1, 2) if coloured else picture[:, :, None]
        looks = {"rgb": True} if coloured else {"display_ranges": [(0.0, 255.0)]}
    image = xr.DataArray(np.moveaxis(pixels, 2, -1), dims=("t", "pln", "row", "col", "ch"))
    image = image.squeeze([d for d in ("t", "pln", "ch") if image.sizes[d] == 1], drop=True)
    image.attrs = looks | _texts(imp, stack, len(flat))
    _read_calibration(imp.getCalibration(), image, left, top)
    if box is not None and not region:
        image.attrs["roi"] = box
    if (rows, columns) != (height, width):
        image.attrs["region"] = (left, top, columns, rows)
    overlay = jc.FileSaver.getOverlay(imp)
    if overlay is not None and (rows, columns) == (height, width):
        image.attrs["overlay"] = [bytes(roi) for roi in overlay]
    return unfold(image)


def _dtype(imp: Any) -> type:
    return {8: np.uint8, 16: np.uint16, 24: np.uint32, 32: np.float32}[int(imp.getBitDepth())]


def _selection(imp: Any) -> tuple[int, int, int, int] | None:
    """Bounds (x, y, width, height) of the area selection, None without one."""
    roi = imp.getRoi()
    if roi is None or not roi.isArea() or isinstance(roi, (jc.TextRoi, jc.ImageRoi)):
        return None
    box = roi.getBounds()
    if box.width < 1 or box.height < 1:
        return None
    return int(box.x), int(box.y), int(box.width), int(box.height)


def _value_table(imp: Any) -> np.ndarray | None:
    """Calibrated value of each raw value, None where they are the same."""
    calibration = imp.getCalibration()
    if int(imp.getBitDepth()) not in (8, 16) or not calibration.calibrated():
        return None
    table = calibration.getCTable()
    return None if table is None else np.asarray(memoryview(table), np.float32)


def _looks(imp: Any, table: np.ndarray | None, rgb: bool) -> dict[str, Any]:
    if rgb:
        return {"rgb": True}
    looks: dict[str, Any] = {}
    channels = int(imp.getNChannels())
    luts = list(imp.getLuts()) if imp.isComposite() else []
    if luts:
        looks["mode"] = _MODES.get(int(imp.getCompositeMode()), "composite")
    else:
        # One LUT for all, whatever the channels: each of them shown by itself looks the same.
        processor = imp.getProcessor()
        lut = processor.getLut()
        lut.min, lut.max = processor.getMin(), processor.getMax()
        luts = [lut] * channels
        if channels > 1:
            looks["mode"] = "color"
    ranges = [(float(lut.min), float(lut.max)) for lut in luts]
    if table is not None:
        calibrated = imp.getCalibration().getCValue
        ranges = [(float(calibrated(low)), float(calibrated(high))) for low, high in ranges]
    looks["display_ranges"] = ranges
    colours = [lut_colours(lut) for lut in luts]
    if channels > 1 or not is_gray(colours[0]):
        looks["luts"] = colours
    return looks


def lut_colours(lut: Any) -> np.ndarray:
    """The 256 colours of a LUT, uint8 (256, 3); one of fewer ends in black."""
    from jpype import JArray, JByte

    columns = []
    for read in (lut.getReds, lut.getGreens, lut.getBlues):
        column = JArray(JByte)(256)
        read(column)
        columns.append(np.frombuffer(memoryview(column), np.uint8))
    return np.stack(columns, axis=1)


def is_gray(colours: np.ndarray) -> bool:
    """Whether the colours of a LUT, (256, 3), are the greys from black to white."""
    return bool((colours == np.arange(256)[:, None]).all())


def _texts(imp: Any, stack: Any, count: int) -> dict[str, Any]:
    texts: dict[str, Any] = {"title": str(imp.getTitle())}
    if count > 1:
        labels = [stack.getSliceLabel(number + 1) for number in range(count)]
    else:
        label = imp.getProp(_LABEL_OF_ONE) or stack.getSliceLabel(1)
        # For a plane without one, ImageJ makes a label up out of title and Info.
        made_up = label is not None and str(label).endswith(f"\n{imp.getProperty('Info')}")
        labels = [None if made_up else label]
    if any(label is not None for label in labels):
        texts["slice_labels"] = [None if label is None else str(label) for label in labels]
    info = imp.getProperty("Info")
    if info is not None:
        texts["info"] = str(info)
    properties = imp.getPropertiesAsArray()
    if properties is not None:
        words = [str(text) for text in properties]
        pairs = dict(zip(words[::2], words[1::2], strict=True))
        pairs.pop(_LABEL_OF_ONE, None)
        if pairs:
            texts["properties"] = pairs
    value_unit = str(imp.getCalibration().getValueUnit())
    if value_unit != _DEFAULT_VALUE_UNIT:
        texts["value_unit"] = value_unit
    file = imp.getOriginalFileInfo()
    if file is not None and file.fileName:
        texts["path"] = str(file.directory or "") + str(file.fileName)
    return texts


def _read_calibration(calibration: Any, image: xr.DataArray, left: int, top: int) -> None:
    """Put coordinates, units and spacings into `image`, whose corner lies at (left, top)."""
    steps = {
        "col": float(calibration.pixelWidth),
        "row": float(calibration.pixelHeight),
        "pln": float(calibration.pixelDepth),
    }
    origins = {
        "col": _origin_within(calibration.xOrigin, left),
        "row": _origin_within(calibration.yOrigin, top),
        "pln": float(calibration.zOrigin),
    }
    units = {dim: str(getattr(calibration, f"get{axis}Unit")()) for dim, axis in _AXES.items()}
    units = {dim: unit for dim, unit in units.items() if unit.strip() not in ("pixel", "")}
    if calibration.frameInterval > 0:
        steps["t"] = float(calibration.frameInterval)
        units["t"] = str(calibration.getTimeUnit())
    set_calibration(image, steps, units, origins)


def _origin_within(origin: float, corner: int) -> float:
    """Origin of a region; one that nobody has set, 0, stays so, as in Image > Duplicate..."""
    return float(origin) - corner if origin else 0.0


# --- xarray -> ImagePlus ------------------------------------------------------------------------


def to_imageplus(image: xr.DataArray) -> Any:
    """Copy an image into ImageJ, without showing it.

    Parameters
    ----------
    image : xarray.DataArray
        The image, as :func:`zsfiji.images.axes.as_image` takes it. Pixels that are neither uint8,
        uint16 nor float32 become 32-bit floats. Where it says ``rgb`` and has three channels of
        uint8, a 24-bit colour image is made of them.

    Returns
    -------
    ij.ImagePlus
        The image; a ``CompositeImage`` when it has channels. Without ``display_ranges``, 8 bit is
        shown from 0 to 255 and everything else from its 0.1st to its 99.9th percentile, each
        channel by itself over all of its planes.

    Raises
    ------
    UserError
        If ImageJ has no room for it.
    """
    image = fold(as_image(image))
    channels = size(image, "ch")
    rgb = is_rgb(image)
    labels = image.attrs.get("slice_labels") or []
    rows, columns = image.sizes["row"], image.sizes["col"]
    over = ("t", "pln") if rgb else ("t", "pln", "ch")
    require_room(image.nbytes * (4 / 3 if rgb else 1))
    stack = jc.ImageStack(columns, rows)
    try:
        for number, index in enumerate(planes(image, over)):
            plane = image.data[tuple(index.get(d, slice(None)) for d in image.dims)]
            label = labels[number] if number < len(labels) else None
            stack.addSlice(label, java_array(_packed(plane) if rgb else plane))
    except jc.OutOfMemoryError as error:
        raise _no_room() from error
    title = str(image.attrs.get("title") or "Untitled")
    imp = jc.ImagePlus(title, stack)
    imp.setDimensions(1 if rgb else channels, size(image, "pln"), size(image, "t"))
    imp.setOpenAsHyperStack(True)
    if not rgb:
        imp = _dress(imp, image)
    _write_calibration(imp.getCalibration(), image)
    _write_texts(imp, image)
    if "roi" in image.attrs:
        imp.setRoi(*(int(n) for n in image.attrs["roi"]))
    encoded = image.attrs.get("overlay")
    if encoded:
        imp.setOverlay(_overlay(encoded))
    return imp


def java_array(plane: np.ndarray) -> Any:
    """A Java array with the pixels of a plane, uint8, uint16, float32 or packed uint32.

    Copying out of a direct buffer is several times as fast as JPype's own constructor.
    """
    from jpype import JArray, JByte, JFloat, JInt, JShort, nio

    kind, view = {
        "u1": (JByte, None),
        "u2": (JShort, "asShortBuffer"),
        "u4": (JInt, "asIntBuffer"),
        "f4": (JFloat, "asFloatBuffer"),
    }[plane.dtype.str[1:]]
    array = JArray(kind)(plane.size)
    if plane.size:
        # A direct buffer wants contiguous memory that may be written.
        data = np.require(plane, requirements=["C", "W"]).reshape(-1).view(np.uint8)
        buffer = nio.convertToDirectBuffer(data).order(jc.ByteOrder.nativeOrder())
        (getattr(buffer, view)() if view else buffer).get(array)
    return array


def _packed(plane: np.ndarray) -> np.ndarray:
    """ImageJ's colour pixels, uint32 (row, col), of a plane uint8 (row, col, 3)."""
    colours = np.full((*plane.shape[:2], 4), 255, np.uint8)
    for channel, byte in enumerate(_RGB_BYTES):
        colours[..., byte] = plane[..., channel]
    return colours.view(np.uint32)[..., 0]


def require_room(needed: float) -> None:
    """Raise a UserError unless ImageJ has memory for `needed` bytes more."""
    runtime = jc.JavaRuntime.getRuntime()
    free = int(runtime.maxMemory()) - int(runtime.totalMemory()) + int(runtime.freeMemory())
    if needed <= free:
        return
    # What is counted as taken may only be waiting to be collected.
    jc.System.gc()
    free = int(runtime.maxMemory()) - int(runtime.totalMemory()) + int(runtime.freeMemory())
    if needed > free:
        raise _no_room()


def _no_room() -> UserError:
    return UserError(
        "ImageJ has no memory left for the image. Close images that are not needed, or give ImageJ "
        "more memory (Edit > Options > Memory & Threads... in Fiji)."
    )


def _dress(imp: Any, image: xr.DataArray) -> Any:
    """LUTs, display ranges and display mode; gives a ``CompositeImage`` for channels."""
    channels = size(image, "ch")
    given = image.attrs.get("display_ranges") or []
    if len(given) == channels:
        ranges = given
    else:
        ranges = [(0.0, 255.0)] * channels if image.dtype == np.uint8 else bulk_ranges(image)
    colours = image.attrs.get("luts") or []
    luts = [_lut(colour) for colour in colours] if len(colours) == channels else []
    if channels == 1:
        if luts:
            imp.setLut(luts[0])
        imp.setDisplayRange(*ranges[0])
        return imp
    modes = {name: number for number, name in _MODES.items()}
    composite = jc.CompositeImage(imp, modes.get(image.attrs.get("mode", ""), 1))
    for channel, (low, high) in enumerate(ranges):
        lut = luts[channel] if luts else composite.getChannelLut(channel + 1)
        lut.min, lut.max = low, high
        composite.setChannelLut(lut, channel + 1)
    # The first channel is the one on display, whose processor has a range of its own.
    composite.setPositionWithoutUpdate(1, 1, 1)
    composite.setDisplayRange(*ranges[0])
    return composite


def _lut(colours: Any) -> Any:
    red, green, blue = np.ascontiguousarray(np.asarray(colours, np.uint8).T)
    return jc.LUT(java_array(red), java_array(green), java_array(blue))


def _write_calibration(calibration: Any, image: xr.DataArray) -> None:
    units = image.attrs.get("units", {})
    for dim, axis in _AXES.items():
        getattr(calibration, f"set{axis}Unit")(str(units.get(dim, "pixel")))
    if "value_unit" in image.attrs:
        calibration.setValueUnit(str(image.attrs["value_unit"]))
    calibration.pixelWidth, calibration.xOrigin = step_and_origin(image, "col")
    calibration.pixelHeight, calibration.yOrigin = step_and_origin(image, "row")
    calibration.pixelDepth, calibration.zOrigin = step_and_origin(image, "pln")
    if "t" in units or "t" in image.attrs.get("spacing", {}):
        calibration.setTimeUnit(str(units.get("t", "sec")))
        calibration.frameInterval = step_and_origin(image, "t")[0]


def _write_texts(imp: Any, image: xr.DataArray) -> None:
    if "info" in image.attrs:
        imp.setProperty("Info", str(image.attrs["info"]))
    for key, value in image.attrs.get("properties", {}).items():
        imp.setProp(str(key), str(value))
    labels = image.attrs.get("slice_labels") or []
    if len(labels) == 1 and labels[0]:
        # Where ImageJ keeps, shows and saves the label of a single plane.
        imp.setProp(_LABEL_OF_ONE, str(labels[0]))


def _overlay(encoded: list[bytes]) -> Any:
    overlay = jc.Overlay()
    for number, data in enumerate(encoded):
        roi = jc.RoiDecoder.openFromByteArray(java_array(np.frombuffer(data, np.uint8)))
        if roi is None:
            continue
        if number == 0:
            # ImageJ keeps how the labels are drawn with the first one.
            model = roi.getPrototypeOverlay()
            overlay.drawLabels(model.getDrawLabels())
            overlay.drawNames(model.getDrawNames())
            overlay.drawBackgrounds(model.getDrawBackgrounds())
            overlay.setLabelColor(model.getLabelColor())
            overlay.setLabelFont(model.getLabelFont(), model.scalableLabels())
        overlay.add(roi)
    return overlay


# --- ImagePlus <-> ImgLib2 ----------------------------------------------------------------------


def to_imglib2(imp: Any, stack_axes: Sequence[int] | None = None) -> Any:
    """View an image as an ImgLib2 image on the same pixels.

    Parameters
    ----------
    imp : ij.ImagePlus
        The image.
    stack_axes : sequence of int, optional
        Lengths of the axes behind X and Y, fastest first; without it those of C, Z, T that are
        longer than 1.

    Returns
    -------
    net.imglib2.img.planar.PlanarImg
        Of UnsignedByteType, UnsignedShortType, FloatType or ARGBType, with the axes X, Y, and those
        of the stack. Nothing is copied: what is written to one shows in the
        other. Only a virtual stack, which has no pixels of its own, is read into memory.

    Raises
    ------
    UserError
        If a virtual stack does not fit into ImageJ's memory.
    """
    kind, access = {
        8: (jc.UnsignedByteType, jc.ByteArray),
        16: (jc.UnsignedShortType, jc.ShortArray),
        24: (jc.ARGBType, jc.IntArray),
        32: (jc.FloatType, jc.FloatArray),
    }[int(imp.getBitDepth())]
    stack = imp.getStack()
    if stack.isVirtual():
        require_room(float(imp.getSizeInBytes()))
    arrays = jc.ArrayList()
    for number in range(int(stack.getSize())):
        arrays.add(access(stack.getPixels(number + 1)))
    width, height, *rest = (int(n) for n in imp.getDimensions())
    lengths = _longs(
        [width, height, *([n for n in rest if n > 1] if stack_axes is None else stack_axes)]
    )
    img = jc.PlanarImg(arrays, lengths, jc.Fraction())
    img.setLinkedType(kind(img))
    return img


def _longs(numbers: list[int]) -> Any:
    from jpype import JArray, JLong

    return JArray(JLong)(numbers)
