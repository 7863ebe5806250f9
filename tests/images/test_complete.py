"""Files that have a part of an image are refused; whole images are not, whatever else is wrong."""

from __future__ import annotations

import json
import logging
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from zsfiji.errors import UserError
from zsfiji.images import tiff

SIDE = 32


def noise(count, dtype="u2", samples=()):
    shape = (count, SIDE, SIDE, *samples)
    return (np.random.default_rng(0).random(shape) * 250).astype(dtype)


def patched(path, place, layout, value):
    """Replace a number in a file."""
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, place, value)
    path.write_bytes(content)


def by_tifffile(path, **options):
    tifffile.imwrite(path, noise(4), photometric="minisblack", **options)


def by_libtiff(path, count=3, samples=(), **options):
    pages = [Image.fromarray(plane) for plane in noise(count, "u1", samples)]
    pages[0].save(path, save_all=True, append_images=pages[1:], **options)


def of_micro_manager(path, there=4, told=4):
    """Two frames of two channels in a Micro-Manager stack, of which the last may be missing."""
    known = {"MicroManagerVersion": "2", "Frames": 2, "Slices": 1, "Channels": 2, "Positions": 1}
    summary = json.dumps(known).encode()
    start = 40 + len(summary) + 8 + 20 * told
    # Its readers expect the pixels 162 bytes after the begin of a page.
    page = 162 + 2 * SIDE**2
    places = [start + number * page for number in range(there)] + [0] * (told - there)
    content = struct.pack("<2sHI", b"II", 42, start)
    content += struct.pack("<6I", 54773648, 40 + len(summary), 483765892, 0, 99384722, 0)
    content += struct.pack("<2I", 2355492, len(summary)) + summary
    content += struct.pack("<2I", 3453623, told)
    for number, place in enumerate(places):
        content += struct.pack("<5I", number % 2, 0, number // 2, 0, place)
    for place, plane in zip(places, noise(there), strict=False):
        values = {256: SIDE, 257: SIDE, 258: 16, 259: 1, 262: 1, 273: place + 162}
        tags = [(code, 4, 1, value) for code, value in values.items()]
        tags += [(277, 4, 1, 1), (279, 4, 1, 2 * SIDE**2), (51123, 2, 8, place + 130)]
        following = place + page if place + page < start + there * page else 0
        table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
        table += struct.pack("<I", following)
        content += (table.ljust(130, b"\0") + b'{"a": 1}').ljust(162, b"\0") + plane.tobytes()
    path.write_bytes(content)


WRITERS = {
    "pages of tifffile": lambda path: by_tifffile(path),
    "strips": lambda path: by_tifffile(path, compression="zlib", rowsperstrip=5),
    "tiles": lambda path: by_tifffile(path, metadata=None, tile=(16, 16)),
    "plain": lambda path: by_tifffile(path, metadata=None, compression="lzw", rowsperstrip=7),
    "big": lambda path: by_tifffile(path, metadata=None, bigtiff=True, byteorder=">"),
    "ome": lambda path: by_tifffile(path, ome=True, metadata={"axes": "ZYX"}),
    "compressed ome": lambda path: by_tifffile(
        path, ome=True, metadata={"axes": "ZYX"}, compression="zlib"
    ),
    "imagej": lambda path: by_tifffile(path, imagej=True, metadata={"axes": "ZYX"}),
    "micro-manager": of_micro_manager,
    "pillow": by_libtiff,
    "libtiff": lambda path: by_libtiff(path, compression="tiff_lzw", dpi=(1234, 1234)),
    "colours": lambda path: by_libtiff(path, samples=(3,), compression="tiff_adobe_deflate"),
    "jpeg": lambda path: by_libtiff(path, count=2, samples=(3,), compression="jpeg"),
    "one page": lambda path: by_libtiff(path, count=1, compression="tiff_lzw", dpi=(1234, 1234)),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_end_of_a_file_may_not_be_missing(tmp_path, kind):
    path = tmp_path / "a.tif"
    WRITERS[kind](path)
    content, image = path.read_bytes(), tiff.read(path)
    shares = [int(share * len(content)) for share in np.linspace(0.01, 0.99, 40)]
    refused = 0
    for length in {*shares, *range(len(content) - 40, len(content))}:
        path.write_bytes(content[:length])
        try:
            part = tiff.read(path)
        except UserError:
            refused += 1
        else:
            # What is missing is nothing of the image.
            np.testing.assert_array_equal(part.data, image.data)
            assert part.coords.equals(image.coords)
            assert part.attrs == image.attrs
    assert refused >= 35


def test_planes_that_were_not_recorded_are_said(tmp_path):
    of_micro_manager(tmp_path / "a_MMStack.ome.tif", there=3)
    with pytest.raises(UserError, match="incomplete: planes are missing"):
        tiff.read(tmp_path / "a_MMStack.ome.tif")


def ome_of_files(folder, images, planes):
    """An OME-TIFF of `images` images in one file each, or of one image in `planes` files."""
    told = tifffile.OmeXml()
    for _ in range(images):
        told.addimage("uint16", (planes, SIDE, SIDE), (planes, 1, 1, SIDE, SIDE, 1), axes="ZYX")
    xml = told.tostring()
    each = 1 if images == 1 else planes
    for image in range(images):
        old = f'<TiffData IFD="{image * planes}" PlaneCount="{planes}"/>'
        assert old in xml
        files = range(planes) if images == 1 else [image]
        new = "".join(
            f'<TiffData IFD="0" FirstZ="{number if images == 1 else 0}" PlaneCount="{each}">'
            f'<UUID FileName="{number}.ome.tif">urn:uuid:{number}</UUID></TiffData>'
            for number in files
        )
        xml = xml.replace(old, new)
    pixels = noise(images * planes).reshape(-1, each, SIDE, SIDE)
    for number, part in enumerate(pixels):
        tifffile.imwrite(
            folder / f"{number}.ome.tif",
            part,
            metadata=None,
            description=xml,
            photometric="minisblack",
        )
    return pixels


@pytest.mark.parametrize("level", [logging.WARNING, logging.CRITICAL])
def test_another_file_of_an_image_may_not_be_missing(tmp_path, caplog, level):
    pixels = ome_of_files(tmp_path, 1, 2)
    with caplog.at_level(level, "tifffile"):
        read = tiff.read(tmp_path / "0.ome.tif")
        np.testing.assert_array_equal(read.data, pixels[:, 0])
        (tmp_path / "1.ome.tif").unlink()
        with pytest.raises(UserError, match="in other files that belong to it"):
            tiff.read(tmp_path / "0.ome.tif")


@pytest.mark.parametrize("position", [0, 1])
def test_the_files_of_other_positions_may_be_missing(tmp_path, position):
    pixels = ome_of_files(tmp_path, 2, 3)
    (tmp_path / f"{1 - position}.ome.tif").unlink()
    read = tiff.read(tmp_path / f"{position}.ome.tif")
    np.testing.assert_array_equal(read.data, pixels[position])


@pytest.mark.parametrize("code", [305, 50000])
def test_a_tag_that_says_nothing_of_the_image_may_be_damaged(tmp_path, code):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, noise(1)[0], metadata=None, software=False, extratags=[(code, "s", 0, "x" * 99, True)]
    )
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.tags[code].offset
    patched(path, place + 8, "<I", 10**8)
    np.testing.assert_array_equal(tiff.read(path).data, noise(1)[0])


def test_the_last_strip_may_have_the_size_of_the_others(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(1)[0], metadata=None, rowsperstrip=5)
    with tifffile.TiffFile(path) as file:
        sizes = file.pages.first.tags[279]
    assert sizes.dtype == tifffile.DATATYPE.SHORT
    patched(path, sizes.valueoffset + 2 * (sizes.count - 1), "<H", sizes.value[0])
    np.testing.assert_array_equal(tiff.read(path).data, noise(1)[0])
