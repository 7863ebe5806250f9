"""Whether a TIFF file has the whole image: tifffile gives zeros, or a part, where it has not.

tifffile only logs that, beside much that does not concern the image. So the file itself is asked.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import tifffile

from zsfiji.errors import UserError
from zsfiji.words import counted

_COUNTED = ("imagej", "lsm", "mmstack", "ome")
"""Kinds of images, by tifffile's names, whose metadata say how many planes they have."""

_TAGS_READ = (258, 270, 282, 283, 320, 338, 339, 347)
"""Tags without which an image is another one: bits, description, pixel size, palette, extra
samples, type of numbers, tables of JPEG. Those of the pixels are seen at the pixels."""

_UNCOMPRESSED = 1
"""Value of TIFF's Compression."""


def require_complete(path: Path, file: tifffile.TiffFile) -> None:
    """Refuse a TIFF that has a part of its first image only.

    Parameters
    ----------
    path : pathlib.Path
        The file, as the user has named it.
    file : tifffile.TiffFile
        The file, open.

    Raises
    ------
    UserError
        If planes are missing, or the end of the file.
    """
    series: Any = file.series[0]
    told = int((file.imagej_metadata or {}).get("images", 0))
    if _planes(series) < told:
        raise UserError(
            f"{path} is incomplete: it should have {counted(told, 'plane')}, and the end of the "
            "file is missing. Copy it again from where it comes."
        )
    # Pixels in one block need no pages, and may have one for all planes.
    block = series.dataoffset is not None
    pages = [] if block else [page for page in series if not _is_absent(page, series)]
    if not block and len(pages) * series.keyframe.size < series.size:
        raise UserError(
            f"{path} is incomplete: planes are missing, either at the end of the file or in other "
            "files that belong to it. Copy all of them again from where they come."
        )
    if block:
        cut = series.dataoffset + series.nbytes > file.filehandle.size
    else:
        cut = any(_end(page) > page.parent.filehandle.size for page in pages)
    if cut or not _has_tags(file.pages.first) or not (series.kind in _COUNTED or _ends(file)):
        raise UserError(
            f"{path} is incomplete: the end of the file is missing. Copy it again from where it "
            "comes."
        )


def _planes(series: Any) -> int:
    page = series.keyframe
    return math.prod(series.shape) // (
        page.imagelength * page.imagewidth * int(page.samplesperpixel)
    )


def _is_absent(page: Any, series: Any) -> bool:
    """Whether a page stands for a plane that is not there."""
    if page is None:
        return True
    if series.kind == "mmstack":
        # tifffile puts the planes that it does not find at the start of the file.
        return not any(page.dataoffsets)
    if page.is_final:
        return not page.dataoffsets
    return not page.dataoffsets or len(page.databytecounts) < len(page.dataoffsets)


def _end(page: Any) -> int:
    """Where the pixels of a page end in its file."""
    if page.is_final:
        return int(page.dataoffsets[0]) + int(page.nbytes)
    # Some programs give the last strip of an uncompressed page the size of the others.
    strips = page.keyframe.compression == _UNCOMPRESSED and not page.keyframe.is_tiled
    end, left = 0, int(page.nbytes)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        end = max(end, offset + (min(count, left) if strips else count))
        left = max(left - count, 0)
    return end


def _has_tags(page: Any) -> bool:
    """Whether no tag that is needed is lost: tifffile passes over values outside of the file."""
    file = page.parent
    tiff, handle = file.tiff, file.filehandle
    handle.seek(page.offset)
    count = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))[0]
    table = handle.read(count * tiff.tagsize)
    codes = {
        struct.unpack_from(file.byteorder + "H", table, number * tiff.tagsize)[0]
        for number in range(count)
    }
    return all(code in page.tags for code in codes.intersection(_TAGS_READ))


def _ends(file: tifffile.TiffFile) -> bool:
    """Whether the chain of pages ends as it should: the last one is whole, and names no other."""
    file.filehandle.seek(file.pages.next_page_offset or 0)
    following = file.filehandle.read(file.tiff.offsetsize)
    return following == bytes(file.tiff.offsetsize) and _has_tags(file.pages[-1])
