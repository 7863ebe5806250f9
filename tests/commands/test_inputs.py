"""What commands make of the images that options name."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from zsfiji.commands.inputs import images_in, joined
from zsfiji.errors import UserError
from zsfiji.images import tiff
from zsfiji.images.axes import as_image


def raw(number, angles=3):
    pixels = np.full((angles, 5, 6 + number, 7), number, np.uint16)
    return xr.DataArray(pixels, dims=("ang", "pha", "row", "col"), attrs={"title": f"raw {number}"})


def test_raw_sim_images_become_the_frames_of_one():
    whole = joined([raw(0), raw(1).expand_dims(t=2), raw(2)])
    assert whole.sizes == {"t": 4, "ang": 3, "pha": 5, "row": 6, "col": 7}
    assert whole[:, 0, 0, 0, 0].data.tolist() == [0, 1, 1, 2]


def test_raw_sim_images_of_other_patterns_are_no_frames():
    with pytest.raises(UserError, match="raw 1 has 2 angles, and the first image 3"):
        joined([raw(0), raw(1, angles=2)])


def test_further_images_are_those_that_a_user_sees_and_has_not_made_with_us(tmp_path):
    for name in ("cells.tif", "cells-denoised.tif", "cells-uncertainty.tif", "other-denoised.tif"):
        tiff.write(as_image(np.ones((8, 8), np.uint16)), tmp_path / name)
    (tmp_path / "._cells.tif").write_bytes(b"of macOS")
    (tmp_path / "gone.tif").symlink_to(tmp_path / "nowhere.tif")
    (tmp_path / "folder.tif").mkdir()
    titles = [one.attrs["title"] for one in images_in(tmp_path, raw(0))]
    assert titles == ["cells.tif", "other-denoised.tif"]
    own = tiff.read(tmp_path / "cells.tif")
    assert [one.attrs["title"] for one in images_in(tmp_path, own)] == ["other-denoised.tif"]
    (tmp_path / "other-denoised.tif").unlink()
    with pytest.raises(UserError, match="no further image"):
        images_in(tmp_path, own)
