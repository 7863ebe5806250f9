"""What commands make of the images that options name."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from zsfiji.commands.inputs import joined
from zsfiji.errors import UserError


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
