"""An image and its PSFs: planes or stacks, and a common grid."""

import logging

import numpy as np
import pytest
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.physics.optics.kernel import focal_plane, normalised
from zsfiji.physics.optics.matching import choose_axes, match_to_image


def image(slices=12, channels=2):
    dims, spacing = ("pln", "row", "col", "ch"), {"pln": 0.2, "row": 0.1, "col": 0.1}
    pixels = np.zeros((slices, 40, 44, channels), np.float32)
    coords = {
        d: np.arange(n) * spacing[d]
        for d, n in zip(dims, pixels.shape, strict=True)
        if d in spacing
    }
    units = dict.fromkeys(spacing, "micron")
    return xr.DataArray(pixels, dims=dims, coords=coords, attrs={"units": units})


def psf():
    grids = np.meshgrid(*(np.arange(-h, h + 1) for h in (4, 9, 9)), indexing="ij")
    power = sum((g / w) ** 2 for g, w in zip(grids, (1.5, 2.5, 2.5), strict=True))
    return normalised(np.exp(-0.5 * power), (0.2, 0.05, 0.05))


def test_psfs_are_brought_to_the_fine_grid_of_planes_and_stacks():
    (flat,) = match_to_image([psf()], image(), upsample=2, axes=2)
    assert flat.spacing == pytest.approx((0.05, 0.05))
    deep = match_to_image([psf(), psf()], image(), upsample=1, axes=3, slice_step=2)
    assert [p.spacing for p in deep] == [pytest.approx((0.4, 0.1, 0.1))] * 2


def test_there_is_one_psf_or_one_for_each_channel():
    with pytest.raises(UserError, match="3 PSFs for 2 channels"):
        match_to_image([psf()] * 3, image(), upsample=1, axes=2)


def test_stacks_are_chosen_where_slices_and_psf_allow_it(caplog):
    caplog.set_level(logging.WARNING)
    assert choose_axes(image(), [psf()], "auto", 5) == 3
    assert choose_axes(image(), [psf()], "2d", 5) == 2
    assert not caplog.text
    assert choose_axes(image(), [focal_plane(psf())], "auto", 5) == 2
    assert choose_axes(image(slices=4), [psf()], "auto", 5) == 2
    assert "4 slices; 3D needs 5" in caplog.text
    with pytest.raises(UserError, match="at least 5"):
        choose_axes(image(slices=4), [psf()], "3d", 5)
