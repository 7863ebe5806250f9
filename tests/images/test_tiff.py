"""Images in files: what is written is read again, by us and by ImageJ, and bad files say so."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from zsfiji.errors import UserError
from zsfiji.images import memory, tiff
from zsfiji.images.axes import DIMS, STACK_DIMS, as_image

RED = np.stack([np.arange(256), np.zeros(256), np.zeros(256)], axis=1).astype(np.uint8)


def noise(shape, dtype="u2", seed=0):
    return (np.random.default_rng(seed).random(shape) * 250).astype(dtype)


def hyperstack():
    """An image with everything that a file can keep."""
    image = as_image(
        noise((3, 2, 7, 6, 2)),
        ("t", "pln", "row", "col", "ch"),
        {
            "units": {"t": "sec", "pln": "µm", "row": "µm", "col": "µm"},
            "slice_labels": [f"plane {n}" for n in range(11)] + [None],
            "mode": "color",
            "luts": [RED, RED[:, ::-1].copy()],
            "display_ranges": [(1.0, 200.0), (3.5, 99.0)],
            "info": "Taken in May\nby Zoë",
            "properties": {"zsfiji.command": 'run("A...", "b=1");', "zsfiji.version": "1"},
            "value_unit": "Counts",
            "roi": (1, 2, 3, 4),
        },
    )
    image.coords["t"] = np.arange(3) * 2.5
    image.coords["pln"] = np.arange(2) * 0.5
    image.coords["row"] = np.arange(7) * 0.1625
    image.coords["col"] = (np.arange(6) - 2) * 0.1625
    return image


def patterns(**sizes):
    """A raw SIM image with labels and calibration."""
    sizes = {**sizes, "row": 6, "col": 5}
    dims = [d for d in DIMS if d in sizes]
    count = int(np.prod([n for d, n in sizes.items() if d in STACK_DIMS]))
    image = as_image(
        noise([sizes[d] for d in dims]),
        dims,
        {
            "units": {"col": "µm", "row": "µm"},
            "slice_labels": [None, "second"] + [f"plane {n}" for n in range(2, count)],
            "properties": {"zsfiji.version": "1"},
            "display_ranges": [(1.0, 200.0)] * sizes.get("ch", 1),
        },
    )
    image.coords["row"] = np.arange(6) * 0.065
    image.coords["col"] = np.arange(5) * 0.065
    if "ch" in sizes:
        image.attrs["mode"] = "composite"
        image.attrs["luts"] = [RED, RED[:, ::-1].copy()]
    if "t" in sizes:
        image.attrs["units"]["t"] = "sec"
        image.coords["t"] = np.arange(sizes["t"]) * 9.0
    return image


def assert_same(found, wanted, *, but=("path", "title")):
    assert found.dims == wanted.dims
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found.data, wanted.data)
    for dim in wanted.coords:
        np.testing.assert_allclose(found.coords[dim], wanted.coords[dim], rtol=1e-6)
    for key in wanted.attrs:
        if key in but:
            continue
        if key == "luts":
            np.testing.assert_array_equal(found.attrs[key], wanted.attrs[key])
        else:
            assert found.attrs[key] == wanted.attrs[key], key


def test_everything_that_an_image_knows_comes_back(tmp_path):
    image = hyperstack()
    tiff.write(image, tmp_path / "a.tif")
    found = tiff.read(tmp_path / "a.tif")
    assert_same(found, image)
    assert found.attrs["title"] == "a.tif"
    assert found.attrs["path"] == str(tmp_path / "a.tif")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stack=st.dictionaries(st.sampled_from(STACK_DIMS), st.integers(2, 4)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from(["u1", "u2", "f4"]),
    step=st.floats(1e-3, 1e3),
)
def test_every_shape_and_type_comes_back(tmp_path_factory, stack, size, dtype, step):
    lengths = {**stack, "row": size[0], "col": size[1]}
    dims = [d for d in DIMS if d in lengths]
    image = as_image(noise([lengths[d] for d in dims], dtype), dims, {"units": {"col": "nm"}})
    image.coords["col"] = np.arange(size[1]) * step
    path = tmp_path_factory.mktemp("shapes") / "a.tif"
    tiff.write(image, path)
    assert_same(tiff.read(path), image)


@pytest.mark.parametrize(
    "dims",
    [("row", "col", "ch"), ("pln", "row", "col", "ch"), ("pha", "pln", "row", "col", "ch")],
)
def test_colour_comes_back(tmp_path, dims):
    shape = (3, 2, 5, 4, 3)[-len(dims) :]
    image = as_image(noise(shape, "u1"), dims, {"rgb": True})
    tiff.write(image, tmp_path / "a.tif")
    assert_same(tiff.read(tmp_path / "a.tif"), image)


@pytest.mark.jvm
def test_imagej_finds_everything_that_we_wrote(ij, tmp_path):
    from zsfiji.bridge.convert.images import from_imageplus

    image = hyperstack()
    tiff.write(image, tmp_path / "a.tif")
    found = from_imageplus(ij.ij1.IJ.openImage(str(tmp_path / "a.tif")))
    # ImageJ writes a unit of values without a calibration, but does not read it.
    assert_same(found, image, but=("path", "title", "value_unit"))


@pytest.mark.jvm
def test_imagej_finds_no_info_that_nobody_gave(ij, tmp_path):
    tiff.write(as_image(noise((6, 5), "f4")), tmp_path / "a.tif")
    assert ij.ij1.IJ.openImage(str(tmp_path / "a.tif")).getProperty("Info") is None


@pytest.mark.jvm
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_imagej_finds_the_lut_of_an_image_without_channels(ij, tmp_path, dtype):
    from zsfiji.bridge.convert.images import from_imageplus

    image = as_image(
        noise((3, 6, 5), dtype),
        ("t", "row", "col"),
        {"luts": [RED], "display_ranges": [(2.0, 150.0)], "spacing": {"t": 1.0}},
    )
    tiff.write(image, tmp_path / "a.tif")
    found = from_imageplus(ij.ij1.IJ.openImage(str(tmp_path / "a.tif")))
    assert_same(found, image, but=("spacing",))


@pytest.mark.jvm
@pytest.mark.parametrize("make", ["hyperstack", "colour", "signed", "plain"])
def test_what_imagej_wrote_we_read_as_the_bridge_does(ij, tmp_path, make):
    from zsfiji.bridge.convert.images import from_imageplus, to_imageplus

    if make == "hyperstack":
        imp = to_imageplus(hyperstack())
    elif make == "colour":
        imp = to_imageplus(as_image(noise((5, 4, 3), "u1"), ("row", "col", "ch"), {"rgb": True}))
    elif make == "plain":
        imp = ij.ij1.IJ.createImage("plain", "8-bit ramp", 5, 4, 1)
    else:
        tifffile.imwrite(tmp_path / "signed.tif", noise((5, 4)).astype(np.int16) - 100)
        imp = ij.ij1.IJ.openImage(str(tmp_path / "signed.tif"))
    ij.ij1.IJ.saveAsTiff(imp, str(tmp_path / "a.tif"))
    assert_same(tiff.read(tmp_path / "a.tif"), from_imageplus(imp))


def test_ome_tiff_keeps_axes_and_calibration(tmp_path):
    pixels = noise((2, 3, 4, 6, 5))
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        pixels,
        metadata={
            "axes": "TZCYX",
            "PhysicalSizeX": 0.25,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeZ": 2.0,
            "PhysicalSizeZUnit": "µm",
            "TimeIncrement": 3.0,
            "TimeIncrementUnit": "s",
        },
    )
    image = tiff.read(tmp_path / "a.ome.tif")
    assert image.dims == ("t", "pln", "row", "col", "ch")
    np.testing.assert_array_equal(image.data, np.moveaxis(pixels, 2, -1))
    assert image.attrs["units"] == {"col": "micron", "pln": "micron", "t": "sec"}
    np.testing.assert_allclose(image.coords["col"], np.arange(5) * 0.25)
    np.testing.assert_allclose(image.coords["t"], np.arange(2) * 3.0)


def test_the_patterns_of_a_raw_sim_image_come_back(tmp_path):
    image = patterns(t=2, ang=3, pha=5, ch=2)
    tiff.write(image, tmp_path / "a.tif")
    found = tiff.read(tmp_path / "a.tif")
    assert_same(found, image)
    assert set(found.attrs) - {"path", "title"} == set(image.attrs)


@pytest.mark.jvm
@pytest.mark.parametrize("deep", [{}, {"pln": 4}])
def test_imagej_finds_patterns_as_slices_or_frames_and_keeps_what_we_need(ij, tmp_path, deep):
    from zsfiji.bridge.convert.images import from_imageplus

    image = patterns(ang=3, pha=5, **deep)
    tiff.write(image, tmp_path / "a.tif")
    imp = ij.ij1.IJ.openImage(str(tmp_path / "a.tif"))
    assert list(imp.getDimensions())[2:] == ([1, 4, 15] if deep else [1, 15, 1])
    label = str(imp.getStack().getSliceLabel(5 * deep.get("pln", 1) + 1))
    assert label.startswith("angle 2/3, phase 1/5")
    assert_same(from_imageplus(imp), image)
    ij.ij1.IJ.saveAsTiff(imp, str(tmp_path / "b.tif"))
    assert_same(tiff.read(tmp_path / "b.tif"), image)


def test_planes_that_were_deleted_make_slices_of_patterns(tmp_path, caplog):
    image = patterns(ang=3, pha=3)
    tiff.write(image, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        meta = file.imagej_metadata
    known = {"Properties": meta["Properties"], "Labels": list(meta["Labels"])[:8]}
    less = image.data.reshape(9, *image.shape[2:])[:8]
    tifffile.imwrite(tmp_path / "b.tif", less, imagej=True, metadata={"axes": "ZYX", **known})
    found = tiff.read(tmp_path / "b.tif")
    assert found.dims == ("pln", "row", "col")
    np.testing.assert_array_equal(found.data, less)
    assert "3 angles, 3 phases" in caplog.text
    assert "now there are 8 of them" in caplog.text
    assert "b.tif" in caplog.text


@pytest.mark.parametrize(
    ("along", "dims"), [("Z", ("pln",)), ("T", ("t",)), ("C", ("ch",)), ("Z", ())]
)
def test_the_modulo_annotations_of_an_ome_tiff_are_pattern_axes(tmp_path, along, dims):
    pixels = noise((3, 5, 6, 7) if not dims else (2, 3, 5, 6, 7))
    # Of the axis that is annotated, the angles run fastest; the phases are all of another axis.
    other = "T" if along != "T" else "C"
    flat = pixels.reshape(-1, 5, 6, 7)
    axes = f"{along}{other}YX"
    tifffile.imwrite(tmp_path / "a.ome.tif", flat, metadata={"axes": axes})
    note = (
        '<StructuredAnnotations><XMLAnnotation ID="Annotation:0" '
        'Namespace="openmicroscopy.org/omero/dimension/modulo"><Value>'
        '<Modulo namespace="http://www.openmicroscopy.org/Schemas/Additions/2011-09">'
        f'<ModuloAlong{along} Type="angle" Start="0" Step="1" End="2"/>'
        f'<ModuloAlong{other} Type="phase" Start="0" Step="1" End="4"/>'
        "</Modulo></Value></XMLAnnotation></StructuredAnnotations></OME>"
    )
    xml = tifffile.tiffcomment(tmp_path / "a.ome.tif")
    xml = xml.replace("</Image>", '<AnnotationRef ID="Annotation:0"/></Image>')
    xml = xml.replace("</OME>", note)
    tifffile.tiffcomment(tmp_path / "a.ome.tif", xml.encode())
    image = tiff.read(tmp_path / "a.ome.tif")
    wanted = xr.DataArray(pixels, dims=(*dims, "ang", "pha", "row", "col"))
    assert image.dims == tuple(d for d in DIMS if d in wanted.dims)
    np.testing.assert_array_equal(image.data, wanted.transpose(*image.dims).data)


def test_pages_of_a_plain_tiff_are_slices(tmp_path):
    pixels = noise((4, 6, 5))
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in pixels:
            file.write(page, metadata=None, contiguous=False)
    image = tiff.read(tmp_path / "a.tif")
    assert image.dims == ("pln", "row", "col")
    np.testing.assert_array_equal(image.data, pixels)


@pytest.mark.parametrize("dtype", ["i2", "u4", "f8", "f2", "?"])
def test_pixel_types_that_imagej_lacks_become_ones_it_has(tmp_path, dtype):
    pixels = noise((6, 5)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    image = tiff.read(tmp_path / "a.tif")
    assert image.dtype == (np.uint8 if dtype == "?" else np.float32)
    np.testing.assert_array_equal(image.data, pixels * (255 if dtype == "?" else 1.0))


def test_a_resolution_in_centimetres_is_a_calibration_and_that_of_a_screen_is_none(tmp_path):
    tifffile.imwrite(tmp_path / "cm.tif", noise((6, 5)), resolution=(1e5, 1e5), resolutionunit=3)
    tifffile.imwrite(tmp_path / "dpi.tif", noise((6, 5)), resolution=(72, 72), resolutionunit=2)
    image = tiff.read(tmp_path / "cm.tif")
    assert image.attrs["units"] == {"row": "cm", "col": "cm"}
    np.testing.assert_allclose(image.coords["col"][1], 1e-5)
    assert "units" not in tiff.read(tmp_path / "dpi.tif").attrs


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif"])
def test_pictures_are_read(tmp_path, ending):
    grey = np.repeat(np.repeat(noise((4, 4), "u1"), 8, 0), 8, 1)
    Image.fromarray(grey).save(tmp_path / f"a.{ending}")
    image = tiff.read(tmp_path / f"a.{ending}")
    np.testing.assert_allclose(image.data.astype(int), grey, atol=12 if ending == "jpg" else 0)


@pytest.mark.parametrize("ending", ["png", "gif", "tif"])
def test_numbered_colours_are_the_picture_that_they_show(tmp_path, ending):
    y, x = np.mgrid[:48, :64]
    colours = np.stack([4 * x, 5 * y, 255 - 2 * x - 2 * y], -1).astype(np.uint8)
    indexed = Image.fromarray(colours).quantize(200, dither=Image.Dither.NONE)
    indexed.save(tmp_path / f"a.{ending}")
    image = tiff.read(tmp_path / f"a.{ending}")
    assert image.attrs["rgb"]
    np.testing.assert_array_equal(image.data, np.array(indexed.convert("RGB")))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_measured_values_with_a_lut_stay_what_they_are(tmp_path, ending):
    green = np.zeros((256, 3), np.uint8)
    green[:, 1] = np.arange(256)
    values = noise((12, 10), "u1")
    shown = Image.fromarray(values)
    shown.putpalette(green.ravel().tolist())
    shown.save(tmp_path / f"a.{ending}")
    image = tiff.read(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(image.data, values)
    np.testing.assert_array_equal(image.attrs["luts"][0], green)


def test_the_16_bits_of_a_png_are_kept(tmp_path):
    pixels = noise((6, 5)) * 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = tiff.read(tmp_path / "a.png")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image.data, pixels)


def test_transparency_is_dropped(tmp_path):
    pixels = noise((6, 5, 4), "u1")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    for name in ("a.png", "a.tif"):
        image = tiff.read(tmp_path / name)
        assert image.attrs["rgb"]
        np.testing.assert_array_equal(image.data, pixels[..., :3])


# --- Bad files ---


@pytest.mark.parametrize("keep", [4, 60, 300, 2000])
@pytest.mark.parametrize("kind", ["imagej", "plain", "compressed", "png"])
def test_a_truncated_file_is_refused(tmp_path, keep, kind):
    path = tmp_path / ("a.png" if kind == "png" else "a.tif")
    if kind == "png":
        Image.fromarray(noise((64, 64), "u1")).save(path)
    else:
        tifffile.imwrite(
            path,
            noise((64, 64)),
            imagej=kind == "imagej",
            compression="zlib" if kind == "compressed" else None,
        )
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"a\.(tif|png)"):
        tiff.read(path)


@pytest.mark.parametrize("content", [b"", b"hello, this is text", b"\x00" * 5000, b"II*\x00junk"])
def test_what_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tif"):
        tiff.read(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        tiff.read(tmp_path / "a.tif")
    with pytest.raises(UserError, match="is a folder"):
        tiff.read(tmp_path)


def test_an_image_too_big_for_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", noise((64, 64)))
    monkeypatch.setattr(memory, "_SHARE", 0.0)
    with pytest.raises(UserError, match=r"GB of memory are free.*substacks"):
        tiff.read(tmp_path / "a.tif")


def test_a_value_calibration_by_a_curve_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((6, 5)), imagej=True, metadata={"cf": 3})
    with pytest.raises(UserError, match="32 bit"):
        tiff.read(tmp_path / "a.tif")


# --- Writing ---


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tiff.write(as_image(noise((6, 5))), path)
    before = path.read_bytes()

    def full(target, *_args, **_kwargs):
        with open(target, "wb") as file:
            file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(UserError, match="No space left"):
        tiff.write(as_image(noise((6, 5), seed=1)), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        tiff.write(as_image(noise((6, 5))), tmp_path / "nowhere" / "a.tif")


def test_the_input_is_never_overwritten(tmp_path):
    tiff.write(as_image(noise((6, 5))), tmp_path / "a.tif")
    image = tiff.read(tmp_path / "a.tif")
    with pytest.raises(UserError, match="the image itself"):
        tiff.write(image, tmp_path / "a.tif")
    tiff.write(image, tmp_path / "b.tif")


def test_pixels_of_64_bit_are_written_as_floats(tmp_path):
    tiff.write(xr.DataArray(noise((6, 5), "f8"), dims=("row", "col")), tmp_path / "a.tif")
    assert tiff.read(tmp_path / "a.tif").dtype == np.float32


def test_a_stack_whose_end_is_missing_is_refused(tmp_path):
    path = tmp_path / "stack.tif"
    tiff.write(as_image(np.arange(9 * 20 * 20, dtype=np.uint16).reshape(9, 20, 20)), path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(UserError, match="incomplete: it should have 9 planes"):
        tiff.read(path)
