"""Images in files that neither ImageJ nor zsfiji wrote, and what a TIFF cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from zsfiji.errors import UserError
from zsfiji.images import tiff, vendors
from zsfiji.images.axes import as_image, set_calibration


def noise(shape, dtype="u2", seed=0):
    return (np.random.default_rng(seed).random(shape) * 250).astype(dtype)


def of_micro_manager(path):
    """Frames of channels of slices, pixels in centimetres, one page after another."""
    pixels = np.arange(2 * 2 * 3)[:, None, None] * np.ones((6, 5), int)
    told = (
        "ImageJ=1.53t\nchannels=2\nslices=3\nframes=2\nhyperstack=true\norder=zct\n"
        "unit=um\nspacing=0.3\nmode=composite\n"
    )
    with tifffile.TiffWriter(path) as file:
        for number, plane in enumerate(pixels.astype(np.uint16)):
            file.write(
                plane,
                photometric="minisblack",
                description=told if number == 0 else None,
                metadata=None,
                resolution=(1e5, 1e5),
                resolutionunit="centimeter",
                contiguous=False,
            )
    return pixels.reshape(2, 2, 3, 6, 5)


@pytest.mark.jvm
def test_slices_may_be_faster_than_channels_and_pixels_in_centimetres(ij, tmp_path):
    from zsfiji.bridge.convert.images import from_imageplus

    pixels = of_micro_manager(tmp_path / "a.tif")
    image = tiff.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.transpose("t", "ch", "pln", "row", "col").data, pixels)
    assert image.attrs["units"] == {"col": "um", "row": "um", "pln": "um"}
    np.testing.assert_allclose(image.coords["col"][1], 0.1)
    np.testing.assert_allclose(image.coords["pln"][1], 0.3)
    of_imagej = from_imageplus(ij.ij1.IJ.openImage(str(tmp_path / "a.tif")))
    np.testing.assert_array_equal(image.data, of_imagej.data)
    np.testing.assert_allclose(image.coords["col"], of_imagej.coords["col"])


def test_slice_labels_follow_their_planes(tmp_path):
    labels = [f"t{t} c{c} z{z}" for t in range(2) for c in range(2) for z in range(3)]
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((2, 3, 2, 6, 5), np.uint16),
        imagej=True,
        metadata={"axes": "TZCYX", "order": "zct", "Labels": labels},
    )
    image = tiff.read(tmp_path / "a.tif")
    assert image.attrs["slice_labels"][:3] == ["t0 c0 z0", "t0 c1 z0", "t0 c0 z1"]


def test_the_speed_of_an_animation_is_no_interval(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((3, 6, 5), np.uint16),
        imagej=True,
        metadata={"axes": "TYX", "fps": 12.0},
    )
    assert "t" not in tiff.read(tmp_path / "a.tif").attrs.get("units", {})


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_samples_that_are_no_colours_are_channels(tmp_path, count, planar):
    pixels = noise((count, 16, 20), "u1")
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels if planar == "separate" else np.moveaxis(pixels, 0, -1),
        photometric="minisblack",
        planarconfig=planar,
    )
    image = tiff.read(tmp_path / "a.tif")
    assert not image.attrs.get("rgb")
    np.testing.assert_array_equal(np.moveaxis(image.data, -1, 0), pixels)


def test_a_grey_image_may_have_an_alpha_channel(tmp_path):
    pixels = noise((6, 5, 2), "u1")
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="minisblack", extrasamples=["unassalpha"]
    )
    np.testing.assert_array_equal(tiff.read(tmp_path / "a.tif").data, pixels[..., 0])


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize(
    ("extra", "kept"),
    [
        ([], 3),
        (["assocalpha"], 3),
        (["unassalpha"], 3),
        (["unspecified"], 4),
        (["unspecified", "unspecified"], 5),
        (["unspecified", "unassalpha"], 4),
    ],
)
def test_bands_beside_red_green_and_blue_are_channels(tmp_path, extra, kept, kind):
    pixels = noise((20, 24, 3 + len(extra)), kind)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=extra)
    image = tiff.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.data, pixels[..., :kept])
    assert image.attrs.get("rgb", False) == (kept == 3 and kind == "u1")


def test_colours_of_a_printer_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((6, 5, 4), "u1"), photometric="separated")
    with pytest.raises(UserError, match=r"CMYK.*open it in ImageJ"):
        tiff.read(tmp_path / "a.tif")


def test_lengths_of_an_ome_tiff_are_micrometres(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        noise((6, 5)),
        metadata={"axes": "YX", "PhysicalSizeX": 1e-10, "PhysicalSizeXUnit": "m"},
    )
    image = tiff.read(tmp_path / "a.ome.tif")
    assert image.attrs["units"] == {"col": "micron"}
    np.testing.assert_allclose(image.coords["col"][1], 1e-4)


def test_the_calibration_of_an_lsm_file_is_in_metres_and_seconds():
    steps, units = vendors.of_lsm(
        {"VoxelSizeX": 1e-7, "VoxelSizeY": 1e-7, "VoxelSizeZ": 0.0, "TimeIntervall": 2.5}
    )
    assert steps == pytest.approx({"col": 0.1, "row": 0.1, "t": 2.5})
    assert units == {"col": "micron", "row": "micron", "t": "sec"}


def test_the_calibration_of_an_stk_file_has_its_own_unit():
    meta = {
        "SpatialCalibration": 1,
        "XCalibration": 0.16,
        "YCalibration": 0.16,
        "CalibrationUnits": "um",
        "ZDistance": np.array([0.3, 0.3, 0.3]),
        "TimeCreated": np.array([1000, 1500, 2000], np.uint32),
    }
    steps, units = vendors.of_stk(meta)
    assert steps == pytest.approx({"col": 0.16, "row": 0.16, "pln": 0.3, "t": 0.5})
    assert units == {"col": "um", "row": "um", "pln": "um", "t": "sec"}
    assert vendors.of_stk({**meta, "SpatialCalibration": 0})[0] == {"t": 0.5}


@pytest.mark.jvm
@pytest.mark.parametrize("kind", ["oval", "text", "line"])
def test_an_area_selection_means_its_box(ij, tmp_path, kind):
    from jpype import JClass

    from zsfiji.bridge.convert.images import from_imageplus

    imp = ij.ij1.IJ.createImage("a", "8-bit black", 30, 20, 1)
    name, corners = {
        "oval": ("OvalRoi", (4, 5, 10, 8)),
        "line": ("Line", (4, 5, 14, 13)),
        "text": ("TextRoi", (4, 5, "cell")),
    }[kind]
    imp.setRoi(JClass(f"ij.gui.{name}")(*corners))
    ij.ij1.IJ.saveAsTiff(imp, str(tmp_path / "a.tif"))
    box = from_imageplus(imp).attrs.get("roi")
    assert box == ((4, 5, 10, 8) if kind == "oval" else None)
    assert tiff.read(tmp_path / "a.tif").attrs.get("roi") == box


# --- What the format cannot hold ---


@pytest.mark.parametrize(("step", "unit"), [(1e-10, "m"), (6.26e-8, "m"), (3e10, "pm")])
def test_pixel_sizes_in_an_unhandy_unit_can_be_written(tmp_path, step, unit):
    image = as_image(noise((6, 5)))
    set_calibration(image, {"row": step, "col": step}, {"row": unit, "col": unit})
    tiff.write(image, tmp_path / "a.tif")
    read = tiff.read(tmp_path / "a.tif")
    if unit == "pm":
        assert "units" not in read.attrs
    else:
        assert read.attrs["units"]["col"] == "micron"
        np.testing.assert_allclose(read.coords["col"], image.coords["col"] * 1e6, rtol=1e-4)


def test_a_selection_far_from_the_corner_is_left_out(tmp_path):
    image = as_image(np.zeros((4, 40000), np.uint8), attrs={"roi": (33000, 0, 100, 4)})
    tiff.write(image, tmp_path / "a.tif")
    assert "roi" not in tiff.read(tmp_path / "a.tif").attrs


def test_slices_may_have_names(tmp_path):
    image = as_image(noise((2, 6, 5))).assign_coords(pln=["top", "bottom"])
    tiff.write(image, tmp_path / "a.tif")
    np.testing.assert_array_equal(tiff.read(tmp_path / "a.tif").data, image.data)


def test_pixels_may_have_the_other_byte_order():
    assert as_image(noise((6, 5)).astype(">u2")).dtype == np.uint16
