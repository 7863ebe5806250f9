"""Taking an image apart and putting it together."""

import numpy as np
import pytest
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images import parts
from zsfiji.images.axes import DIMS

SIZES = {"t": 2, "pln": 3, "row": 4, "col": 5, "ch": 2}


def hyperstack(**sizes):
    sizes = {d: n for d, n in (SIZES | sizes).items() if n}
    dims = [d for d in DIMS if d in sizes]
    shape = [sizes[d] for d in dims]
    return xr.DataArray(np.arange(np.prod(shape), dtype=np.uint16).reshape(shape), dims=dims)


@pytest.mark.parametrize(
    "part", [parts.PLANE, parts.STACK, parts.PATTERN, ("ang", "pha", "pln", "row", "col")]
)
def test_the_parts_make_up_the_image(part):
    image = hyperstack(ang=3, pha=2)
    result = np.zeros(image.shape, np.float32)
    for position in parts.positions(image, part):
        pixels = parts.pixels_of(image, position, part)
        assert pixels.shape == tuple(image.sizes[d] for d in part)
        assert pixels.dtype == np.float32
        assert pixels.flags.c_contiguous
        result[parts.place(image, position)] += pixels
    assert (result == image.data).all()


def test_positions_are_in_the_order_of_imagej_channels_fastest():
    image = hyperstack(t=0)
    assert parts.positions(image) == [{"pln": z, "ch": c} for z in range(3) for c in range(2)]
    assert parts.positions(image, parts.STACK) == [{"ch": 0}, {"ch": 1}]
    assert parts.positions(hyperstack(t=0, ch=0), parts.STACK) == [{}]


def test_the_axes_of_a_part_come_in_the_order_asked_for():
    image = hyperstack()
    pixels = parts.pixels_of(image, {"t": 1, "ch": 1}, ("col", "pln", "row"))
    assert (pixels == image.isel(t=1, ch=1).transpose("col", "pln", "row").data).all()
    assert pixels.flags.c_contiguous


def test_an_axis_of_the_part_that_the_image_lacks_has_length_1():
    image = hyperstack(pln=0)
    assert parts.pixels_of(image, {"t": 0, "ch": 1}, parts.STACK).shape == (1, 4, 5)


@pytest.mark.parametrize(("part", "each"), [(parts.PLANE, 6), (parts.STACK, 2)])
def test_a_channel_has_one_group_and_a_part_one_of_its_own(part, each):
    image = hyperstack()
    by_channel = parts.groups(image, "channel", part)
    assert [len(group) for group in by_channel] == [each, each]
    assert [{p["ch"] for p in group} for group in by_channel] == [{0}, {1}]
    assert parts.groups(image, "plane", part) == [[p] for p in parts.positions(image, part)]


def test_what_cannot_be_fitted_per_is_refused():
    with pytest.raises(UserError, match="fit_per is 'frame'"):
        parts.groups(hyperstack(), "frame")


@pytest.mark.parametrize(
    ("part", "pixels", "left"),
    [(parts.PLANE, 40, 2), (parts.PLANE, 20, 1), (parts.PLANE, 0, 1), (parts.STACK, 119, 1)],
)
def test_so_many_parts_are_chosen_that_their_pixels_fit(part, pixels, left):
    image = hyperstack(ch=0)
    chosen = parts.spread(parts.positions(image, part), image, pixels, part)
    assert len(chosen) == left
    assert chosen[0] == parts.positions(image, part)[0]
