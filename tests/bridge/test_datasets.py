"""Datasets where there are none; with a Fiji they are tested by fiji_tour.py."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from zsfiji.bridge.convert import datasets
from zsfiji.errors import UserError

pytestmark = pytest.mark.jvm


def test_the_embedded_imagej_has_no_datasets_and_says_what_to_do(ij):
    image = xr.DataArray(np.zeros((4, 5), np.uint8), dims=("row", "col"))
    assert not datasets.is_dataset(image)
    with pytest.raises(UserError, match="needs a Fiji"):
        datasets.to_dataset(image)
    with pytest.raises(UserError, match="needs a Fiji"):
        datasets.from_dataset(image)
