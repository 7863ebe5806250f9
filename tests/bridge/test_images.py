"""Images between ImageJ, ImgLib2 and xarray."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jpype import JClass, JLong

from zsfiji.bridge.convert.images import from_imageplus, to_imageplus, to_imglib2
from zsfiji.errors import UserError
from zsfiji.images import tiff
from zsfiji.images.axes import DIMS, STACK_DIMS, count, pixel_size, planes
from zsfiji.images.metadata import crop_to_roi

pytestmark = pytest.mark.jvm

PROPERTY = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
units = st.sampled_from(["micron", "nm", "mm", "µm"])
numbers = st.floats(-1000, 1000, allow_nan=False, width=32)


@st.composite
def images(draw):
    """Any image that the contract allows, with any of its metadata."""
    dims = [d for d in DIMS if d in ("row", "col") or draw(st.booleans())]
    shape = [draw(st.integers(2 if d in STACK_DIMS else 1, 4)) for d in dims]
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.float32]))
    seed = np.random.default_rng(draw(st.integers(0, 2**32)))
    if dtype is np.float32:
        pixels = seed.normal(0, 1000, shape).astype(dtype)
        if draw(st.booleans()):
            pixels.flat[0], pixels.flat[-1] = np.nan, -np.inf
    else:
        pixels = seed.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    if draw(st.booleans()):
        # A view that is neither contiguous nor writable.
        pixels = np.flip(pixels, 0).copy()[::-1]
        pixels.flags.writeable = False
    image = xr.DataArray(pixels, dims=dims)
    channels, count_all = image.sizes.get("ch", 1), count(image)

    unit, spacing = {}, {}
    for dim in ("t", "pln", "row", "col"):
        if not draw(st.booleans()):
            continue
        step = draw(st.sampled_from([0.065, 0.25, 1.0, 3.5, 1 / 3]))
        unit[dim] = draw(st.sampled_from(["sec", "min"])) if dim == "t" else draw(units)
        if image.sizes.get(dim, 1) > 1:
            origin = 0 if dim == "t" else draw(st.sampled_from([0, 0, 7, -2.5]))
            image.coords[dim] = (np.arange(image.sizes[dim]) - origin) * step
        else:
            spacing[dim] = step
    attrs = {"title": draw(texts.filter(len))}
    if unit:
        attrs["units"] = unit
    if spacing:
        attrs["spacing"] = spacing
    if draw(st.booleans()):
        attrs["value_unit"] = draw(texts.filter(str.strip))
    if draw(st.booleans()):
        # Gentle, as those for measured values are.
        steps = seed.integers(-8, 8, (channels, 256, 3), endpoint=True)
        start = seed.integers(0, 255, (channels, 1, 3), endpoint=True)
        attrs["luts"] = list(np.clip(start + steps.cumsum(1), 0, 255).astype(np.uint8))
    low = draw(st.integers(0, 100))
    attrs["display_ranges"] = [(float(low), float(low + 10 + c)) for c in range(channels)]
    if channels > 1:
        attrs["mode"] = draw(st.sampled_from(["composite", "color", "grayscale"]))
    labels = draw(st.lists(st.none() | texts.filter(len), min_size=count_all, max_size=count_all))
    if any(labels):
        attrs["slice_labels"] = labels
    if draw(st.booleans()):
        attrs["info"] = draw(texts.filter(len)) + "\nkey: value\n"
    if draw(st.booleans()):
        attrs["properties"] = {"zsfiji-note": draw(texts.filter(len)), "other": "a = b"}
    if draw(st.booleans()):
        attrs["roi"] = (0, 0, 1, 1)
    image.attrs = attrs
    return image


def assert_same(one, two, *, coords=True):
    assert one.dims == two.dims
    assert one.dtype == two.dtype
    np.testing.assert_array_equal(one.data, two.data)
    if coords:
        for dim in one.dims:
            if dim != "ch" and dim in one.coords and one.sizes[dim] > 1:
                np.testing.assert_allclose(
                    one.coords[dim].data, two.coords[dim].data, rtol=1e-9, atol=1e-9
                )
    for key in one.attrs:
        if key == "luts":
            np.testing.assert_array_equal(np.array(one.attrs[key]), np.array(two.attrs[key]))
        elif key == "spacing":
            # The frame interval of raw SIM images is divided by the number of patterns on its way.
            assert one.attrs[key] == pytest.approx(two.attrs[key], rel=1e-12)
        else:
            assert one.attrs[key] == two.attrs[key], key


@PROPERTY
@given(image=images())
def test_any_image_comes_back_from_imagej_with_all_that_it_had(ij, image):
    back = from_imageplus(to_imageplus(image))
    assert_same(image, back)
    # And nothing was added, but what ImageJ shows anyhow.
    assert set(back.attrs) - set(image.attrs) <= {"luts", "mode"}


@PROPERTY
@given(image=images())
def test_an_imagej_image_comes_back_from_xarray_with_all_that_it_had(ij, image):
    imp = to_imageplus(image)
    back = to_imageplus(from_imageplus(imp))
    assert list(imp.getDimensions()) == list(back.getDimensions())
    assert imp.getType() == back.getType()
    assert imp.isComposite() == back.isComposite()
    for number in range(1, imp.getStackSize() + 1):
        one, two = imp.getStack(), back.getStack()
        assert bytes(memoryview(one.getPixels(number))) == bytes(memoryview(two.getPixels(number)))
        assert one.getSliceLabel(number) == two.getSliceLabel(number)
    assert ij.ij1.LUT.LutsDiffer(imp, back) is False
    a, b = imp.getCalibration(), back.getCalibration()
    assert a.toString() == b.toString()
    for one, two in zip(imp.getLuts(), back.getLuts(), strict=True):
        assert (one.min, one.max) == (two.min, two.max)
    assert imp.getProperty("Info") == back.getProperty("Info")
    assert list(imp.getPropertiesAsArray() or []) == list(back.getPropertiesAsArray() or [])
    assert str(imp.getRoi()) == str(back.getRoi())


@PROPERTY
@given(image=images())
def test_any_image_is_the_same_in_imglib2(ij, image):
    imp = to_imageplus(image)
    img = to_imglib2(imp)
    long_axes = [n for n in list(imp.getDimensions())[2:] if n > 1]
    assert list(img.dimensionsAsLongArray())[2:] == long_axes
    assert same_pixels(img, imp)


def same_pixels(img, imp):
    """Whether each plane of an ImgLib2 image is the very array of ImageJ's."""
    one = JClass("java.lang.System").identityHashCode
    planes_there = range(int(img.numSlices()))
    return [one(img.getPlane(n).getCurrentStorageArray()) for n in planes_there] == [
        one(imp.getStack().getPixels(n + 1)) for n in range(int(imp.getStackSize()))
    ]


def ramp(ij, *, bits=16, c=2, z=3, t=4, width=5, height=3):
    """A hyperstack whose pixels say where they are: c, z, t, y, x as decimal digits."""
    imp = ij.ij1.IJ.createHyperStack("ramp", width, height, c, z, t, bits)
    for index in np.ndindex(t, z, c):
        number = imp.getStackIndex(index[2] + 1, index[1] + 1, index[0] + 1)
        ip = imp.getStack().getProcessor(number)
        for y in range(height):
            for x in range(width):
                value = x + 10 * y + 100 * index[2] + 1000 * index[1] + 10000 * index[0]
                ip.setf(x, y, value if bits > 8 else x + 10 * y + 40 * index[2])
    return imp


def test_each_axis_of_a_hyperstack_is_where_it_belongs(ij):
    image = from_imageplus(ramp(ij))
    assert image.dims == ("t", "pln", "row", "col", "ch")
    assert image.shape == (4, 3, 3, 5, 2)
    assert int(image.isel(t=3, pln=2, row=1, col=4, ch=1)) == 32114
    assert int(image.isel(t=0, pln=1, row=2, col=3, ch=0)) == 1023
    labels = [f"c{p['ch']}z{p['pln']}t{p['t']}" for p in planes(image)]
    image.attrs["slice_labels"] = labels
    imp = to_imageplus(image)
    assert imp.getStack().getSliceLabel(imp.getStackIndex(2, 3, 4)) == "c1z2t3"
    assert imp.getStack().getProcessor(imp.getStackIndex(2, 3, 4)).getPixel(4, 1) == 32114


def test_channels_lie_plane_by_plane_in_memory(ij):
    image = from_imageplus(ramp(ij))
    assert image.isel(t=1, pln=2, ch=1).data.flags.c_contiguous


def test_every_16_bit_value_survives_exactly(ij):
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    imp = to_imageplus(xr.DataArray(pixels, dims=("row", "col")))
    assert imp.getProcessor().getPixel(255, 255) == 65535
    assert imp.getProcessor().getPixel(0, 128) == 32768
    np.testing.assert_array_equal(from_imageplus(imp).data, pixels)


def test_floats_keep_their_bits(ij):
    pixels = np.array([[np.nan, -0.0, 1e-42], [np.inf, -np.inf, np.float32(0.1)]], np.float32)
    back = from_imageplus(to_imageplus(xr.DataArray(pixels, dims=("row", "col"))))
    assert back.data.tobytes() == pixels.tobytes()


def test_a_colour_image_becomes_three_channels_and_returns_as_one(ij):
    imp = ij.ij1.IJ.createImage("colour", "RGB black", 4, 3, 2)
    imp.getStack().getProcessor(2).set(3, 1, (10 << 16) | (20 << 8) | 30)
    image = from_imageplus(imp)
    assert image.attrs["rgb"] is True
    assert image.dims == ("pln", "row", "col", "ch")
    assert image.isel(pln=1, row=1, col=3).data.tolist() == [10, 20, 30]
    back = to_imageplus(image)
    assert back.getBitDepth() == 24
    assert list(back.getDimensions()) == [4, 3, 1, 2, 1]
    assert back.getStack().getProcessor(2).getPixel(3, 1) & 0xFFFFFF == 0x0A141E


def test_a_colour_image_of_floats_returns_as_three_channels(ij):
    image = from_imageplus(ij.ij1.IJ.createImage("colour", "RGB black", 4, 3, 1))
    back = to_imageplus(image.astype(np.float32))
    assert back.getBitDepth() == 32
    assert back.getNChannels() == 3


def test_a_colour_stack_with_channels_is_refused(ij):
    imp = ij.ij1.IJ.createImage("colour", "RGB black", 4, 3, 6)
    imp.setDimensions(3, 2, 1)
    with pytest.raises(UserError, match="Hyperstack"):
        from_imageplus(imp)


def test_measured_values_shown_in_colour_keep_values_and_colours(ij):
    imp = ij.ij1.IJ.createImage("indexed", "8-bit ramp", 256, 2, 1)
    ij.ij1.IJ.run(imp, "Fire", "")
    image = from_imageplus(imp)
    assert image.dtype == np.uint8
    assert image.data[0, 200] == 200
    assert image.attrs["luts"][0].shape == (256, 3)
    assert image.attrs["luts"][0][255].tolist() == [255, 255, 255]
    back = to_imageplus(image)
    assert bytes(back.getLuts()[0].getBytes()) == bytes(imp.getLuts()[0].getBytes())


@pytest.mark.parametrize("number", [16, 256])
def test_a_picture_of_numbered_colours_is_read_as_the_rgb_image_that_it_shows(ij, number):
    imp = ij.ij1.IJ.createImage("colour", "RGB ramp", 64, 8, 2)
    ip = imp.getStack().getProcessor(1)
    for x in range(64):
        for y in range(8):
            ip.putPixel(x, y, (4 * x) << 16 | (32 * y) << 8 | (255 - 3 * x - 8 * y))
    imp = ij.ij1.ImagePlus("colour", ip)
    ij.ij1.IJ.run(imp, "8-bit Color", f"number={number}")
    image = from_imageplus(imp)
    assert image.attrs["rgb"]
    assert "luts" not in image.attrs
    back = to_imageplus(image)
    assert back.getBitDepth() == 24
    shown = [one.getProcessor().convertToRGB() for one in (imp, back)]
    pixels = [[ip.getPixel(x, y) & 0xFFFFFF for x in range(64) for y in range(8)] for ip in shown]
    assert pixels[0] == pixels[1]
    assert len(set(pixels[0])) > 8


def test_the_lut_holds_for_every_slice(ij):
    image = xr.DataArray(np.zeros((3, 2, 2), np.uint8), dims=("pln", "row", "col"))
    image.attrs["luts"] = [np.stack([np.arange(256)[::-1]] * 3, 1).astype(np.uint8)]
    imp = to_imageplus(image)
    imp.setSlice(3)
    assert imp.isInvertedLut()
    assert imp.getStack().getProcessor(2).isInvertedLut()


@pytest.mark.parametrize("kept_in", ["stack", "property"])
def test_the_label_of_a_single_plane_is_kept(ij, kept_in, tmp_path):
    ip = ij.ij1.IJ.createImage("one", "8-bit ramp", 8, 6, 1).getProcessor()
    if kept_in == "stack":
        stack = ij.ij1.ImageStack(8, 6)
        stack.addSlice("DAPI", ip)
        imp = ij.ij1.ImagePlus("one", stack)
    else:
        imp = ij.ij1.ImagePlus("one", ip)
        imp.setProp("Slice_Label", "DAPI")
    image = from_imageplus(imp)
    assert image.attrs["slice_labels"] == ["DAPI"]
    back = to_imageplus(image)
    assert from_imageplus(back).attrs["slice_labels"] == ["DAPI"]
    # As ImageJ saves and opens it.
    ij.ij1.FileSaver(back).saveAsTiff(str(tmp_path / "a.tif"))
    assert tiff.read(tmp_path / "a.tif").attrs["slice_labels"] == ["DAPI"]
    assert "Slice_Label" not in image.attrs.get("properties", {})
    unlabelled = ij.ij1.ImagePlus("one", ip)
    unlabelled.setProperty("Info", "taken by night")
    assert "slice_labels" not in from_imageplus(unlabelled).attrs


@pytest.mark.parametrize("mode", ["composite", "color", "grayscale"])
def test_a_composite_keeps_colours_ranges_and_mode_of_each_channel(ij, mode):
    imp = ij.ij1.CompositeImage(ramp(ij), 1)
    imp.setMode(["composite", "color", "grayscale"].index(mode) + 1)
    imp.setC(2)
    imp.setChannelLut(ij.ij1.LUT.createLutFromColor(ij.ij1.Color.magenta), 2)
    imp.setDisplayRange(7, 77)
    imp.setC(1)
    imp.setDisplayRange(1, 11)
    image = from_imageplus(imp)
    assert image.attrs["display_ranges"] == [(1, 11), (7, 77)]
    assert image.attrs["luts"][1][255].tolist() == [255, 0, 255]
    assert image.attrs["mode"] == mode
    back = to_imageplus(image)
    assert back.isComposite()
    assert back.getMode() == imp.getMode()
    for channel in (1, 2):
        back.setC(channel)
        want = image.attrs["display_ranges"][channel - 1]
        assert (back.getDisplayRangeMin(), back.getDisplayRangeMax()) == want
    assert from_imageplus(back).attrs["luts"][1][255].tolist() == [255, 0, 255]


def test_channels_that_are_not_composite_look_the_same(ij):
    imp = ij.ij1.IJ.createImage("plain", "16-bit ramp", 8, 4, 3)
    imp.setDimensions(3, 1, 1)
    imp.setDisplayRange(10, 20)
    image = from_imageplus(imp)
    assert image.sizes["ch"] == 3
    assert image.attrs["mode"] == "color"
    assert image.attrs["display_ranges"] == [(10, 20)] * 3


def test_a_new_channel_image_without_looks_is_a_composite_in_imagejs_colours(ij):
    imp = to_imageplus(xr.DataArray(np.ones((4, 4, 2), np.float32), dims=("row", "col", "ch")))
    assert imp.isComposite()
    assert imp.getMode() == ij.ij1.CompositeImage.COMPOSITE
    assert list(bytes(imp.getLuts()[0].getBytes())[255::256]) == [255, 0, 0]


def test_more_than_seven_channels_are_possible(ij):
    pixels = np.arange(9, dtype=np.float32) * np.ones((3, 4, 1), np.float32)
    back = from_imageplus(to_imageplus(xr.DataArray(pixels, dims=("row", "col", "ch"))))
    np.testing.assert_array_equal(back.data, pixels)


def test_a_result_without_a_range_is_shown_without_its_outliers(ij):
    pixels = np.random.default_rng(1).normal(100, 1, (200, 200)).astype(np.float32)
    pixels[0, 0] = 1e6
    imp = to_imageplus(xr.DataArray(pixels, dims=("row", "col")))
    assert 95 < imp.getDisplayRangeMin() < 100 < imp.getDisplayRangeMax() < 106
    flat = to_imageplus(xr.DataArray(np.full((3, 3), 5, np.float32), dims=("row", "col")))
    assert flat.getDisplayRangeMax() > flat.getDisplayRangeMin() == 5
    nothing = to_imageplus(xr.DataArray(np.full((3, 3), np.nan, np.float32), dims=("row", "col")))
    assert nothing.getDisplayRangeMax() == 1


def test_calibration_travels_with_units_and_origin(ij):
    imp = ramp(ij)
    calibration = imp.getCalibration()
    calibration.setXUnit("micron")
    calibration.setYUnit("micron")
    calibration.setZUnit("nm")
    calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth = 0.1, 0.2, 300
    calibration.xOrigin, calibration.frameInterval = 2, 5
    image = from_imageplus(imp)
    assert image.attrs["units"] == {"col": "micron", "row": "micron", "pln": "nm", "t": "sec"}
    np.testing.assert_allclose(image.coords["col"], [-0.2, -0.1, 0, 0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(image.coords["t"], [0, 5, 10, 15])
    assert pixel_size(image, "pln") == 300
    back = to_imageplus(image).getCalibration()
    assert back.toString() == calibration.toString()
    assert back.frameInterval == 5
    assert (back.getZUnit(), back.xOrigin) == ("nm", pytest.approx(2))


def test_what_imagej_knows_of_axes_that_the_image_lacks_is_kept(ij):
    imp = ij.ij1.IJ.createImage("plane", "16-bit ramp", 8, 4, 1)
    calibration = imp.getCalibration()
    calibration.setUnit("micron")
    calibration.pixelDepth, calibration.zOrigin, calibration.frameInterval = 0.3, 4, 2.5
    image = from_imageplus(imp)
    assert image.attrs["spacing"] == {"pln": 0.3, "t": 2.5}
    back = to_imageplus(image).getCalibration()
    assert (back.pixelDepth, back.zOrigin) == (0.3, pytest.approx(4))
    assert back.frameInterval == 2.5


def test_an_uncalibrated_image_stays_so(ij):
    image = from_imageplus(ij.ij1.IJ.createImage("plane", "8-bit ramp", 8, 4, 2))
    assert "units" not in image.attrs
    assert "spacing" not in image.attrs
    assert not to_imageplus(image).getCalibration().scaled()


def test_names_along_an_axis_do_no_harm(ij):
    image = xr.DataArray(
        np.zeros((2, 3, 2), np.uint8), dims=("row", "col", "ch"), coords={"ch": ["DAPI", "GFP"]}
    ).assign_coords(pln="ground")
    assert to_imageplus(image).getNChannels() == 2


def test_signed_16_bit_is_read_as_the_values_that_imagej_shows(ij):
    imp = ij.ij1.IJ.createImage("signed", "16-bit black", 2, 1, 1)
    imp.getProcessor().set(0, 0, 32768 - 5)
    imp.getProcessor().set(1, 0, 32768 + 7)
    imp.getCalibration().setSigned16BitCalibration()
    imp.setDisplayRange(32768, 32768 + 100)
    image = from_imageplus(imp)
    assert image.dtype == np.float32
    assert image.data.tolist() == [[-5, 7]]
    assert image.attrs["display_ranges"] == [(0, 100)]
    back = to_imageplus(image)
    assert back.getProcessor().getPixelValue(0, 0) == -5
    assert back.getDisplayRangeMax() == 100


def test_a_calibrated_optical_density_is_read_as_such(ij):
    imp = ij.ij1.IJ.createImage("od", "8-bit ramp", 256, 1, 1)
    imp.getCalibration().setFunction(ij.ij1.Calibration.STRAIGHT_LINE, [1.0, 0.5], "OD")
    image = from_imageplus(imp)
    assert image.data[0, 100] == pytest.approx(51)
    assert image.attrs["value_unit"] == "OD"


def test_a_rectangle_is_a_region_and_a_line_is_none(ij):
    imp = ramp(ij)
    imp.setRoi(1, 1, 3, 2)
    whole, region = from_imageplus(imp), from_imageplus(imp, region=True)
    assert whole.attrs["roi"] == (1, 1, 3, 2)
    assert region.shape == (4, 3, 2, 3, 2)
    assert int(region.isel(t=0, pln=0, row=0, col=0, ch=0)) == 11
    xr.testing.assert_allclose(region, crop_to_roi(whole))
    assert "roi" not in region.attrs
    imp.setRoi(ij.ij1.OvalRoi(1, 0, 3, 2))
    assert from_imageplus(imp).attrs["roi"] == (1, 0, 3, 2)
    for no_region in (ij.ij1.Line(0, 0, 3, 2), ij.ij1.TextRoi(0, 0, "note")):
        imp.setRoi(no_region)
        assert "roi" not in from_imageplus(imp).attrs
    bounds = to_imageplus(whole).getRoi().getBounds()
    assert (bounds.x, bounds.y, bounds.width, bounds.height) == (1, 1, 3, 2)


def test_a_region_keeps_its_place_only_where_an_origin_was_set(ij):
    imp = ramp(ij)
    imp.getCalibration().xOrigin = 2
    imp.setRoi(1, 1, 3, 2)
    region = from_imageplus(imp, region=True)
    xr.testing.assert_allclose(region, crop_to_roi(from_imageplus(imp)))
    assert region.coords["col"].data.tolist() == [-1, 0, 1]
    assert region.coords["row"].data.tolist() == [0, 1]


def test_a_selection_that_hangs_over_the_edge_is_cut_and_one_outside_refused(ij):
    imp = ramp(ij)
    imp.setRoi(ij.ij1.Roi(3, -1, 10, 3))
    region = from_imageplus(imp, region=True)
    assert (region.sizes["row"], region.sizes["col"]) == (2, 2)
    imp.setRoi(ij.ij1.Roi(30, 30, 4, 4))
    with pytest.raises(UserError, match="outside"):
        from_imageplus(imp, region=True)


def test_the_overlay_comes_back_shape_by_shape(ij):
    imp = ramp(ij)
    overlay = ij.ij1.Overlay()
    oval = ij.ij1.OvalRoi(1, 1, 3, 2)
    oval.setName("cell 1")
    oval.setStrokeColor(ij.ij1.Color.magenta)
    oval.setPosition(2, 1, 3)
    overlay.add(oval)
    overlay.add(ij.ij1.Line(0, 0, 3, 2))
    overlay.drawLabels(True)
    overlay.drawNames(True)
    imp.setOverlay(overlay)
    back = to_imageplus(from_imageplus(imp)).getOverlay()
    assert back.size() == 2
    assert back.get(0).getName() == "cell 1"
    assert back.get(0).getStrokeColor() == ij.ij1.Color.magenta
    assert back.get(0).getTPosition() == 3
    assert back.get(1).getTypeAsString() == "Straight Line"
    assert back.getDrawLabels()
    assert back.getDrawNames()


def test_a_virtual_stack_is_read_plane_by_plane(ij, tmp_path):
    imp = ramp(ij)
    path = str(tmp_path / "ramp.tif")
    ij.ij1.IJ.saveAsTiff(imp, path)
    virtual = ij.ij1.IJ.openVirtual(path)
    assert virtual.getStack().isVirtual()
    np.testing.assert_array_equal(from_imageplus(virtual).data, from_imageplus(imp).data)
    assert from_imageplus(virtual).attrs["path"] == path
    assert to_imglib2(virtual).dimension(4) == 4


def patterns(**attrs):
    """A raw SIM image: 3 angles, 5 phases, 2 channels."""
    shape = (3, 5, 6, 7, 2)
    pixels = np.random.default_rng(3).integers(0, 4000, shape).astype(np.uint16)
    return xr.DataArray(pixels, dims=("ang", "pha", "row", "col", "ch"), attrs=attrs)


def test_the_patterns_of_a_raw_sim_image_are_slices_that_say_which_they_are(ij):
    image = patterns(title="raw", spacing={"pln": 0.125}, units={"pln": "micron"})
    imp = to_imageplus(image)
    assert list(imp.getDimensions()) == [7, 6, 2, 15, 1]
    imp.setPosition(2, 8, 1)
    label = str(imp.getStack().getSliceLabel(imp.getCurrentSlice()))
    assert label == "angle 2/3, phase 3/5"
    shown = np.array(imp.getProcessor().getPixels(), np.int16).view(np.uint16).reshape(6, 7)
    np.testing.assert_array_equal(shown, image.isel(ang=1, pha=2, ch=1))
    assert imp.getCalibration().pixelDepth == 0.125
    assert_same(image, from_imageplus(imp))


@pytest.mark.parametrize("command", ["Duplicate...", "32-bit", "Flip Horizontally"])
def test_a_raw_sim_image_stays_one_when_its_planes_stay(ij, command):
    imp = to_imageplus(patterns(title="raw"))
    if command == "Duplicate...":
        imp = imp.duplicate()
    else:
        ij.ij1.IJ.run(imp, command, "stack")
    found = from_imageplus(imp)
    assert found.dims == ("ang", "pha", "row", "col", "ch")
    wanted = patterns().data
    wanted = wanted[:, :, :, ::-1] if command.startswith("Flip") else wanted
    np.testing.assert_array_equal(found.data, wanted)


def test_a_selection_of_a_raw_sim_image_is_cut_out_of_every_pattern(ij):
    imp = to_imageplus(patterns(title="raw", roi=(1, 2, 4, 3)))
    region = from_imageplus(imp, region=True)
    np.testing.assert_array_equal(region.data, patterns().data[:, :, 2:5, 1:5])
    xr.testing.assert_identical(region, crop_to_roi(from_imageplus(imp)))


def deleted(ij, imp):
    imp.setStack(imp.getStack().duplicate())
    stack = imp.getStack()
    stack.deleteSlice(30)
    stack.deleteSlice(29)
    imp.setStack(stack, 2, 14, 1)


def reordered(ij, imp):
    ij.ij1.IJ.run(imp, "Stack to Hyperstack...", "order=xyzct channels=2 slices=15 frames=1")


def as_frames(ij, imp):
    imp.setDimensions(2, 1, 15)


def split(ij, imp):
    imp.setDimensions(2, 5, 3)


def in_reverse(ij, imp):
    stack = imp.getStack()
    other = stack.duplicate()
    for number in range(30):
        other.setPixels(stack.getPixels(30 - number), number + 1)
        other.setSliceLabel(stack.getSliceLabel(30 - number), number + 1)
    imp.setStack(other, 2, 15, 1)


@pytest.mark.parametrize("change", [deleted, reordered, as_frames, split, in_reverse])
def test_patterns_that_were_changed_in_imagej_are_what_it_shows(ij, change, caplog):
    imp = to_imageplus(patterns(title="raw", display_ranges=[(0.0, 9.0)] * 2))
    change(ij, imp)
    found = from_imageplus(imp)
    assert not {"ang", "pha"} & set(found.dims)
    assert [found.sizes.get(d, 1) for d in ("ch", "pln", "t")] == list(imp.getDimensions())[2:]
    for number, position in enumerate(planes(found)):
        java = np.array(imp.getStack().getPixels(number + 1), np.int16).view(np.uint16)
        np.testing.assert_array_equal(found.isel(position).data.ravel(), java)
    assert "patterns of a raw SIM image" in caplog.text


def test_the_dialog_counts_angles_and_phases(ij):
    from zsfiji.bridge.ui.windows import facts

    imp = to_imageplus(patterns(title="raw"))
    assert facts(imp).described().startswith("raw: 7 x 6 pixels, 2 channels, 3 angles, 5 phases;")
    assert facts(imp).lengths() == {
        "t": 1,
        "ang": 3,
        "pha": 5,
        "pln": 1,
        "row": 6,
        "col": 7,
        "ch": 2,
    }
    imp.setDimensions(2, 1, 15)
    assert facts(imp).described().startswith("raw: 7 x 6 pixels, 2 channels, 15 frames;")


def test_an_image_bigger_than_the_memory_is_refused_before_it_is_read(ij, monkeypatch):
    imp = ramp(ij)
    memory = psutil.virtual_memory()._replace(available=100)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(UserError, match=r"rectangle.*Substack.*folder"):
        from_imageplus(imp)
    imp.setRoi(0, 0, 1, 1)
    assert from_imageplus(imp, region=True).size == 24


def test_a_result_bigger_than_imagejs_memory_is_refused(ij):
    heap = int(ij.ij1.JavaRuntime.getRuntime().maxMemory())
    one = np.zeros((1, 1, 1), np.float32)
    huge = np.broadcast_to(one, (heap // 2**22 + 1, 1024, 1024))
    with pytest.raises(UserError, match="no memory left"):
        to_imageplus(xr.DataArray(huge, dims=("pln", "row", "col")))


def test_a_closed_image_is_refused(ij):
    imp = ramp(ij)
    imp.getStack().setPixels(None, 3)
    with pytest.raises(UserError, match="closed"):
        from_imageplus(imp)


def test_imglib2_and_imagej_share_their_pixels(ij):
    imp = ramp(ij)
    img = to_imglib2(imp)
    assert list(img.dimensionsAsLongArray()) == [5, 3, 2, 3, 4]
    img.getAt([JLong(n) for n in (4, 1, 1, 2, 3)]).set(7)
    assert imp.getStack().getProcessor(imp.getStackIndex(2, 3, 4)).getPixel(4, 1) == 7
    imp.getStack().getProcessor(1).set(0, 0, 99)
    assert img.getAt([JLong(0)] * 5).getInteger() == 99


@pytest.mark.parametrize(
    ("kind", "java"),
    [
        ("8-bit", "UnsignedByteType"),
        ("16-bit", "UnsignedShortType"),
        ("32-bit", "FloatType"),
        ("RGB", "ARGBType"),
    ],
)
def test_each_pixel_type_has_its_imglib2_type(ij, kind, java):
    imp = ij.ij1.IJ.createImage("a", f"{kind} ramp", 6, 4, 2)
    img = to_imglib2(imp)
    assert img.firstElement().getClass().getSimpleName() == java
    assert same_pixels(img, imp)


def test_64_bit_numbers_become_floats_and_masks_bytes(ij):
    square = np.eye(3)
    for pixels, bits in ((square, 32), (square.astype(np.int64), 32), (square > 0, 8)):
        imp = to_imageplus(xr.DataArray(pixels, dims=("row", "col")))
        assert imp.getBitDepth() == bits
        assert imp.getProcessor().getf(1, 1) == 1


def test_big_endian_pixels_are_no_surprise(ij):
    pixels = np.array([[1, 256]], ">u2")
    imp = to_imageplus(xr.DataArray(pixels, dims=("row", "col")))
    assert imp.getProcessor().getf(0, 0) == 1
