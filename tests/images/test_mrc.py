"""Images in MRC files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zsfiji.errors import UserError
from zsfiji.images import tiff
from zsfiji.images.axes import pixel_size

MODES = {"i1": 0, "u1": 0, "i2": 1, "f4": 2, "c8": 4, "u2": 6}


def written(
    path: Path,
    values: np.ndarray,
    *,
    order: str = "<",
    cell: tuple[float, float, float] = (0.0, 0.0, 0.0),
    samples: tuple[int, int, int] = (0, 0, 0),
    extended: int = 0,
    deltavision: tuple[int, int, int] | None = None,
) -> Path:
    """Write (section, row, col); `cell` and `samples` are along columns, rows and sections."""
    words = np.zeros(256, order + "i4")
    words[:4] = (*values.shape[::-1], MODES[values.dtype.str[1:]])
    words[7:10] = samples
    words[10:13] = np.array(cell, order + "f4").view(order + "i4")
    words[23] = extended
    halves = words.view(order + "i2")
    if deltavision is not None:
        halves[48] = -16224
        # Time points, sequence and wavelengths, at bytes 180, 182 and 196.
        halves[90], halves[91], halves[98] = deltavision
    pixels = values.astype(values.dtype.newbyteorder(order))
    path.write_bytes(words.tobytes() + bytes(extended) + pixels.tobytes())
    return path


def sections(number: int, kind: str = "u2") -> np.ndarray:
    return np.arange(number * 6 * 8).reshape(number, 6, 8).astype(kind)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_raw_image_of_deltavision_opens(tmp_path: Path, order: str) -> None:
    path = written(
        tmp_path / "cell.dv",
        sections(9),
        order=order,
        cell=(0.08, 0.08, 0.125),
        extended=4096,
        deltavision=(1, 0, 1),
    )
    image = tiff.read(path)
    assert image.dims == ("pln", "row", "col")
    assert image.dtype == np.uint16
    # The lowest row comes first in the file.
    np.testing.assert_array_equal(image.data, sections(9)[:, ::-1])
    assert pixel_size(image, "row") == pytest.approx(0.08)
    assert pixel_size(image, "pln") == pytest.approx(0.125)
    assert image.attrs["units"]["col"] == "micron"
    assert image.attrs["title"] == "cell.dv"


@pytest.mark.parametrize(
    ("sequence", "slowest_first"),
    [(0, ("ch", "t", "pln")), (1, ("t", "pln", "ch")), (2, ("t", "ch", "pln"))],
)
def test_the_sections_of_deltavision_are_sorted(
    tmp_path: Path, sequence: int, slowest_first: tuple[str, ...]
) -> None:
    path = written(tmp_path / "a.dv", sections(30), deltavision=(3, sequence, 2))
    image = tiff.read(path)
    assert dict(image.sizes) == {"t": 3, "pln": 5, "row": 6, "col": 8, "ch": 2}
    order = image.transpose(*slowest_first, "row", "col").data.reshape(30, 6, 8)
    np.testing.assert_array_equal(order, sections(30)[:, ::-1])


@pytest.mark.parametrize(
    ("cell", "known"),
    # In angstroms over the whole field; one of one angstrom is what programs write by default.
    [((8 * 650.0, 6 * 650.0, 0.0), True), ((8.0, 6.0, 9.0), False), ((0.0, 0.0, 0.0), False)],
)
def test_a_file_of_the_standard_has_slices(
    tmp_path: Path, cell: tuple[float, float, float], known: bool
) -> None:
    path = written(tmp_path / "cell.mrc", sections(9, "i2"), cell=cell, samples=(8, 6, 9))
    image = tiff.read(path)
    assert image.dtype == np.uint16
    assert dict(image.sizes) == {"pln": 9, "row": 6, "col": 8}
    assert ("row" in image.attrs.get("units", {})) == known
    if known:
        assert pixel_size(image, "row") == pytest.approx(0.065)


def test_negative_values_stay(tmp_path: Path) -> None:
    image = tiff.read(written(tmp_path / "cell.mrc", -sections(2, "i2")))
    assert image.data.min() == -95


@pytest.mark.parametrize("kind", ["otf", "cut", "text"])
def test_what_is_no_image_is_refused(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "a.mrc", sections(1, "c8" if kind == "otf" else "u2"))
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    if kind == "text":
        path.write_text("no image " * 500)
    words = "complex numbers" if kind == "otf" else "damaged or incomplete"
    with pytest.raises(UserError, match=words):
        tiff.read(path)
