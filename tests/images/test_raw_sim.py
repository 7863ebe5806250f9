"""Raw SIM images of other programs: their axes of angles and phases."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from zsfiji.errors import UserError
from zsfiji.images.axes import DIMS, pixel_size, planes
from zsfiji.images.folding import fold, unfold
from zsfiji.images.raw_sim import AS_SAVED, PRESETS, arrange, candidates, require_layout

WORDS = {"t": "time", "ang": "angle", "pha": "phase", "pln": "z"}
NAMES = "t", "ang", "pha", "pln", "ch"


def scene(height=3, width=4, **sizes):
    """A raw image in which each pixel says where it is."""
    sizes = {dim: sizes[dim] for dim in NAMES if dim in sizes}
    dims = (*sizes, "row", "col")
    shape = (*sizes.values(), height, width)
    raw = xr.DataArray(np.arange(np.prod(shape)).reshape(shape).astype(np.uint16), dims=dims)
    return raw.transpose(*(dim for dim in DIMS if dim in dims))


def flat(raw, axes, into, attrs=None):
    """The image as another program saves it: `axes`, the slowest first, as the axis `into`."""
    rest = [dim for dim in raw.dims if dim not in axes]
    moved = raw.transpose(*axes, *rest)
    shape = (-1, *(raw.sizes[dim] for dim in rest))
    saved = xr.DataArray(moved.data.reshape(shape), dims=(into, *rest), attrs=attrs or {})
    return saved.transpose(*(dim for dim in DIMS if dim in saved.dims))


def same(found, expected):
    assert found.dims == expected.dims
    np.testing.assert_array_equal(found.data, expected.data)


@pytest.mark.parametrize("into", ["pln", "t", "ch"])
@pytest.mark.parametrize(("angles", "phases"), [(3, 3), (3, 5), (5, 5), (1, 7)])
def test_the_number_of_planes_says_how_many_angles_and_phases(into, angles, phases):
    raw = scene(ang=angles, pha=phases)
    same(arrange(flat(raw, ["ang", "pha"], into), "angle-major"), raw)
    same(arrange(flat(raw, ["pha", "ang"], into), "phase-major"), raw)


@settings(max_examples=60, deadline=None)
@given(
    axes=st.permutations(["ang", "pha", "pln", "t"]),
    into=st.sampled_from(["pln", "t"]),
    slices=st.integers(1, 4),
    times=st.integers(1, 3),
)
def test_every_order_of_slices_and_time_points(axes, into, slices, times):
    raw = scene(t=times, ang=3, pha=5, pln=slices)
    saved = flat(raw, axes, into)
    order = "-".join(WORDS[dim] for dim in axes)
    found = arrange(saved, order, 3, 5, slices=slices)
    same(found, raw.squeeze([d for d in ("t", "pln") if raw.sizes[d] == 1]))


def test_the_orders_of_microscopes():
    stack = scene(ang=3, pha=5, pln=4)
    omx = flat(stack, ["ang", "pln", "pha"], "pln")
    same(arrange(omx, "omx", 3, 5), stack)
    channels = scene(ang=3, pha=5, pln=4, ch=2)
    same(arrange(flat(channels, ["ang", "pln", "pha"], "pln"), "OMX", 3, 5), channels)
    # Elyra: the series of a file one after the other, or angles as slices and phases as frames.
    series = scene(t=2, ang=5, pha=5, pln=4)
    same(arrange(flat(series, ["pha", "ang", "t"], "t"), "elyra", 5, 5), series)
    split = flat(flat(stack, ["ang", "pln"], "pln"), ["pha"], "t")
    assert split.sizes == {"t": 5, "pln": 12, "row": 3, "col": 4}
    same(arrange(split, "elyra"), stack)
    with pytest.raises(UserError, match="12 slices, 5 frames"):
        arrange(split, "angle-major")
    same(arrange(split, "angle-z-phase", 3, 5), stack)


@pytest.mark.parametrize(("angles", "phases"), [(3, 3), (3, 5)])
def test_a_mosaic_is_cut(angles, phases):
    raw = scene(8, 8, t=2, ang=angles, pha=phases)
    tiled = raw.transpose("t", "ang", "row", "pha", "col").data.reshape(2, angles * 8, phases * 8)
    mosaic = xr.DataArray(tiled, dims=("t", "row", "col"), attrs={"slice_labels": ["a", "b"]})
    found = arrange(mosaic, "n-sim")
    same(found, raw)
    assert found.attrs["slice_labels"] == ["a"] * angles * phases + ["b"] * angles * phases
    same(arrange(mosaic, "mosaic-angle-phase", angles, phases), raw)
    if angles == phases:
        turned = arrange(mosaic, "mosaic-phase-angle")
        same(turned, raw.rename(ang="pha", pha="ang").transpose(*raw.dims))
    with pytest.raises(UserError, match="cannot be divided into square tiles"):
        arrange(mosaic.isel(row=slice(23)), "n-sim")
    with pytest.raises(UserError, match="cannot be divided into 3 angles x 7"):
        arrange(mosaic, "n-sim", 3, 7)


def test_a_time_lapse_of_slices_and_its_remainder():
    raw = scene(t=4, ang=3, pha=3)
    same(arrange(flat(raw, ["t", "ang", "pha"], "t"), "angle-major"), raw)
    # As slices, they are slices, unless the order says that they are time points.
    saved = flat(raw, ["t", "ang", "pha"], "pln")
    same(arrange(saved, "angle-major"), raw.rename(t="pln").transpose("ang", "pha", "pln", ...))
    same(arrange(saved, "time-angle-phase"), raw)
    same(arrange(saved, "angle-major", slices=1), raw)
    with pytest.raises(UserError, match="does not have 3 slices"):
        arrange(saved, "angle-major", slices=3)


def test_calibration_labels_and_text_follow_the_planes():
    labels = [f"{c} {n}" for n in range(18) for c in "ab"]
    attrs = {
        "units": {"col": "micron", "row": "micron", "pln": "micron", "t": "sec"},
        "spacing": {"t": 0.5},
        "slice_labels": labels,
        "luts": [1, 2],
        "display_ranges": [(1.0, 2.0), (3.0, 4.0)],
        "info": "text",
        "title": "raw",
    }
    raw = scene(ang=3, pha=3, pln=2, ch=2)
    saved = flat(raw, ["pha", "pln", "ang"], "pln", attrs)
    saved = saved.assign_coords(pln=0.2 * np.arange(18), col=0.065 * np.arange(4))
    found = arrange(saved, "phase-z-angle")
    same(found, raw)
    assert pixel_size(found, "pln") == pytest.approx(0.2)
    assert pixel_size(found, "col") == pytest.approx(0.065)
    assert found.attrs["spacing"] == {"t": 0.5}
    assert {key: found.attrs[key] for key in ("luts", "info", "title")} == {
        "luts": [1, 2],
        "info": "text",
        "title": "raw",
    }
    at = {"ang": 2, "pha": 1, "pln": 1, "ch": 1}
    number = list(planes(found)).index(at)
    assert found.attrs["slice_labels"][number] == f"b {1 * 6 + 1 * 3 + 2}"
    # In a window they are slices again, and come back.
    xr.testing.assert_identical(unfold(fold(found)), found)


def test_the_interval_between_time_points_is_that_of_all_patterns():
    raw = flat(scene(t=2, ang=3, pha=3), ["t", "ang", "pha"], "t", {"units": {"t": "sec"}})
    raw = raw.assign_coords(t=5 + 0.1 * np.arange(18))
    found = arrange(raw, "angle-major")
    np.testing.assert_allclose(found.coords["t"], [5.0, 5.9])


def test_channels_that_were_patterns_look_like_one_image():
    ranges = [(float(n), 100.0 + n) for n in range(9)]
    saved = flat(scene(ang=3, pha=3), ["ang", "pha"], "ch", {"luts": [0] * 9, "mode": "composite"})
    found = arrange(saved.assign_attrs(display_ranges=ranges), "angle-major")
    assert found.attrs == {"display_ranges": [(0.0, 108.0)]}


def test_an_image_with_axes_of_patterns_passes():
    raw = scene(t=2, ang=3, pha=5)
    same(arrange(raw, "phase-major"), raw)
    hexagonal = arrange(scene(pha=7), "angle-major")
    assert hexagonal.sizes == {"ang": 1, "pha": 7, "row": 3, "col": 4}
    with pytest.raises(UserError, match="3 angles and 5 phases, but 3 and 3"):
        arrange(raw, "angle-major", 3, 3)


@pytest.mark.parametrize(
    ("sizes", "counts", "message"),
    [
        ({"pln": 8}, (0, 0), "8 slices, 1 frame, 1 channel, which is no raw SIM image"),
        ({"pln": 8}, (3, 3), "3 angles x 3 phases need 9 planes"),
        ({"t": 10}, (3, 5), "10 frames.*need 15 planes"),
        ({}, (0, 0), "1 slice, 1 frame"),
        ({"pln": 45}, (0, 0), "45 slices may be 5 x 3 angles x 3 phases or 3 x 3 angles x 5"),
        ({"pln": 18}, (9, 2), "2 phases cannot be reconstructed"),
    ],
)
def test_a_wrong_number_of_planes_is_explained(sizes, counts, message):
    saved = scene(**sizes)
    with pytest.raises(UserError, match=message):
        arrange(saved, "angle-major", *counts)
    with pytest.raises(UserError, match=message):
        candidates(saved, *counts)
    # A dialog knows the sizes alone.
    for order in ("angle-major", ""):
        with pytest.raises(UserError, match=message) as short:
            require_layout(saved.sizes, order, *counts)
        assert len(short.value.in_dialog) < 200


@pytest.mark.parametrize("order", ["", *PRESETS])
def test_sizes_that_fit_pass_without_an_image(order):
    huge = {"row": 999_999, "col": 999_999}
    require_layout({**huge, "ang": 3, "pha": 5}, order)
    if order == "n-sim":
        require_layout(huge, order, 3, 3)
    else:
        require_layout({"t": 1, "pln": 9, "ch": 1, **huge}, order)


def test_colours_and_unknown_orders_are_refused():
    saved = scene(pln=9, ch=3).astype(np.uint8).assign_attrs(rgb=True)
    with pytest.raises(UserError, match="colour"):
        arrange(saved, "angle-major")
    for order in ("", "angle", "angle-angle-phase", "angle-phase-w", "mosaic-angle-phase-z"):
        with pytest.raises(UserError, match="order of the frames"):
            arrange(scene(pln=9), order)


def stacks(image, name):
    found = candidates(image)
    return found.frames[found.orders[name]]


def test_candidates_are_what_arranging_gives():
    raw = scene(ang=3, pha=5, pln=4, ch=2)
    saved = flat(raw, ["ang", "pln", "pha"], "pln")
    with pytest.raises(UserError, match="may be"):
        candidates(flat(scene(ang=3, pha=5, pln=3), ["ang", "pln", "pha"], "pln"))
    found = candidates(saved, 3, 5)
    assert len(found.orders) == 6
    for name, index in found.orders.items():
        expected = arrange(saved, name, 3, 5).isel(pln=2, ch=0)
        np.testing.assert_array_equal(found.frames[index], expected.data)
    nine = flat(scene(ang=3, pha=3), ["pha", "ang"], "ch")
    assert list(candidates(nine).orders) == ["angle-phase", "phase-angle"]
    np.testing.assert_array_equal(stacks(nine, "phase-angle"), scene(ang=3, pha=3).data)
    hexagonal = flat(scene(ang=1, pha=7), ["ang", "pha"], "pln")
    assert list(candidates(hexagonal).orders) == ["angle-phase"]


def test_candidates_of_a_mosaic_and_of_patterns():
    raw = scene(8, 8, ang=3, pha=3)
    mosaic = xr.DataArray(
        raw.transpose("ang", "row", "pha", "col").data.reshape(24, 24), dims=("row", "col")
    )
    assert list(candidates(mosaic).orders) == ["mosaic-angle-phase", "mosaic-phase-angle"]
    np.testing.assert_array_equal(stacks(mosaic, "mosaic-angle-phase"), raw.data)
    np.testing.assert_array_equal(stacks(mosaic, "mosaic-phase-angle"), raw.data.swapaxes(0, 1))
    there = scene(t=3, ang=3, pha=3)
    np.testing.assert_array_equal(stacks(there, AS_SAVED), there.isel(t=1).data)


def test_presets_are_orders():
    for order in PRESETS.values():
        assert {"angle", "phase"} <= set(order.split("-"))
