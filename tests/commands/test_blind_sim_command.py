"""``Blind SIM...`` as a command."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from structured import CUTOFF, simulate

from zsfiji.commands import find
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image, set_calibration

BLIND = find("Blind SIM...")


@pytest.fixture(scope="module")
def raw() -> xr.DataArray:
    """Nine slices of a file, with an offset of 100."""
    stack = np.asarray(simulate("reticulum", (64, 80), 200).noisy).reshape(9, 64, 80)
    image = as_image(
        np.clip(np.rint(stack + 100), 0, 65535).astype(np.uint16), ("pln", "row", "col")
    )
    image.attrs["title"] = "cell.tif"
    return image


def test_told_nothing_it_gives_windows_and_a_table(raw: xr.DataArray) -> None:
    outcome = run(BLIND, raw, {"iterations": 12, "psf": True, "linear": True})
    titles = [image.attrs["title"] for image in outcome.images]
    assert titles == ["cell-residual", "cell-linear", "cell-psf", "cell-emitter"]
    assert outcome.images[-1].shape == (192, 240)
    psf = outcome.images[2].data
    assert float(psf.sum()) == pytest.approx(1, rel=1e-3)
    (table,) = outcome.tables
    assert "Spacing (nm)" not in table.columns
    for row in table.rows:
        seen = dict(zip(table.columns, row, strict=True))
        assert seen["Spacing (px)"] == pytest.approx(1 / (0.9 * CUTOFF), rel=0.005)
        assert 0 < float(seen["Error (px)"]) < 0.05
        assert 1 / float(seen["Cut-off period (px)"]) == pytest.approx(CUTOFF, rel=0.04)
        assert seen["Modulation"] == pytest.approx(0.7, abs=0.08)


def test_known_optics_give_the_cutoff_and_nanometres(raw: xr.DataArray) -> None:
    told = {"na": 1.49, "emission": 525, "pixel_size": 65, "background": 100, "iterations": 4}
    outcome = run(BLIND, raw, told)
    assert outcome.metrics["cutoff"] == pytest.approx(CUTOFF)
    (table,) = outcome.tables
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert first["Spacing (nm)"] == pytest.approx(65 / (0.9 * CUTOFF), rel=0.005)
    assert math.isnan(float(first["Cut-off error (px)"])) or first["Cut-off error (px)"] == 0
    assert outcome.images[-1].attrs["units"]["col"]


def test_what_was_found_for_each_stack_is_no_channel(raw: xr.DataArray, tmp_path: Path) -> None:
    stack = as_image(np.stack([raw.values, raw.values]), ("pln", "t", "row", "col"))
    told = {"iterations": 2, "psf": True, "linear": False, "residual": False}
    model = tmp_path / "each.zsfiji"
    made = run(BLIND, stack, {**told, "fit_per": "plane", "save_model": model})
    again = run(BLIND, stack, {**told, "apply_model": model})
    for outcome in (made, again):
        psf, emitter = outcome.images
        assert psf.dims == ("row", "col")
        assert emitter.sizes["pln"] == 2
        (table,) = outcome.tables
        assert table.columns[:2] == ("Stack", "Angle")
        assert [row[0] for row in table.rows] == [1, 1, 1, 2, 2, 2]


def test_the_table_has_the_patterns_of_the_image_that_a_model_is_applied_to(
    raw: xr.DataArray, tmp_path: Path
) -> None:
    told = {"iterations": 2, "psf": False, "linear": False, "residual": False}
    model = tmp_path / "found.zsfiji"
    first = run(BLIND, raw, {**told, "save_model": model}).tables[0]
    turned = as_image(raw.data.transpose(0, 2, 1), ("pln", "row", "col"))
    second = run(BLIND, turned, {**told, "apply_model": model}).tables[0]
    at, error = (first.columns.index(name) for name in ("Direction (deg)", "Error (deg)"))
    for one, other in zip(first.rows, second.rows, strict=True):
        turn = float(one[at]) + float(other[at]) - 90
        assert abs((turn + 90) % 180 - 90) < 1
        assert float(one[error]) > 0
        assert math.isnan(float(other[error])), "only a fit of its own tells it"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"na": 1.4}, "both 'na' and 'emission'"),
        ({"na": 1.4, "emission": 500}, "pixel size|calibrat"),
        ({"na": 1.4, "emission": 500, "pixel_size": 300}, "too wide"),
        ({"angles": 4, "phases": 3}, "9"),
    ],
)
def test_what_cannot_be_is_refused(raw: xr.DataArray, told: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        run(BLIND, raw, told)


def test_the_pixels_of_the_result_are_a_third(raw: xr.DataArray) -> None:
    image = raw.copy()
    set_calibration(image, {"row": 0.065, "col": 0.065}, {"row": "micron", "col": "micron"})
    made = run(BLIND, image, {"iterations": 2}).images[-1]
    assert float(made.coords["col"][1] - made.coords["col"][0]) == pytest.approx(0.065 / 3)
