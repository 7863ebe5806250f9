"""Pattern axes, which ImageJ does not have, as slices or frames and back."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from zsfiji.images.axes import DIMS, STACK_DIMS, pixel_size, planes
from zsfiji.images.folding import PROPERTY, Folding, fold, unfold
from zsfiji.images.metadata import bulk_ranges, carry, crop_to_roi, look_like


def image(attrs=None, **sizes):
    sizes = {**sizes, "row": 3, "col": 4}
    dims = [d for d in DIMS if d in sizes]
    shape = [sizes[d] for d in dims]
    return xr.DataArray(np.arange(np.prod(shape)).reshape(shape), dims=dims, attrs=attrs or {})


def in_order(array):
    """First pixel of each plane, in ImageJ's order."""
    return [int(array.isel(p).data.flat[0]) for p in planes(array)]


def with_label(array, number, label):
    labels = list(array.attrs["slice_labels"])
    labels[number] = label
    return array.assign_attrs(slice_labels=labels)


@settings(max_examples=60, deadline=None)
@given(sizes=st.dictionaries(st.sampled_from(STACK_DIMS), st.integers(2, 4)))
def test_every_image_comes_back_and_its_planes_keep_their_order(sizes):
    raw = image(**sizes)
    folded = fold(raw)
    assert set(folded.dims) <= {"t", "pln", "row", "col", "ch"}
    assert in_order(folded) == in_order(raw)
    back = unfold(folded)
    xr.testing.assert_identical(back, raw)


def test_an_image_without_patterns_is_left_alone():
    ordinary = image(t=2, pln=3, ch=2)
    assert fold(ordinary) is ordinary
    assert unfold(ordinary) is ordinary


def test_patterns_become_slices_or_frames_where_there_are_slices():
    flat, deep = fold(image(t=2, ang=3, pha=5)), fold(image(t=2, ang=3, pha=5, pln=4))
    assert flat.sizes == {"t": 2, "pln": 15, "row": 3, "col": 4}
    assert flat.attrs["properties"] == {PROPERTY: "slices angles=3 phases=5"}
    assert deep.sizes == {"t": 30, "pln": 4, "row": 3, "col": 4}
    assert deep.attrs["properties"] == {PROPERTY: "frames angles=3 phases=5"}


def test_planes_are_labelled_with_their_pattern_and_with_what_they_had():
    labels = fold(image(ang=3, pha=3, ch=2)).attrs["slice_labels"]
    assert labels[0] == labels[1] == "angle 1/3, phase 1/3"
    assert labels[8] == "angle 2/3, phase 2/3"
    assert fold(image(pha=7)).attrs["slice_labels"][6] == "phase 7/7"
    own = fold(image({"slice_labels": ["a", None, "b; c"]}, ang=3))
    assert own.attrs["slice_labels"] == ["angle 1/3; a", "angle 2/3", "angle 3/3; b; c"]
    assert unfold(own).attrs["slice_labels"] == ["a", None, "b; c"]


def test_the_colours_of_an_rgb_image_have_one_label():
    raw = image({"rgb": True}, pha=3, ch=3).astype(np.uint8)
    folded = fold(raw)
    assert folded.attrs["slice_labels"] == ["phase 1/3", "phase 2/3", "phase 3/3"]
    xr.testing.assert_identical(unfold(folded), raw)


def test_axes_of_length_1_are_left_out():
    assert fold(image(ang=1, pha=1, t=2)).dims == ("t", "row", "col")
    folded = fold(image(ang=1, pha=3, pln=1))
    assert folded.attrs["properties"][PROPERTY] == "slices angles=1 phases=3"
    assert unfold(folded).dims == ("pha", "row", "col")


@pytest.mark.parametrize("frames", [1, 4])
def test_the_interval_of_a_time_lapse_is_shared_among_its_patterns(frames):
    raw = image({"units": {"t": "sec", "pln": "nm"}}, ang=3, pha=3, pln=2)
    if frames > 1:
        raw = raw.expand_dims(t=frames).assign_coords(t=np.arange(frames) * 4.5)
    else:
        raw.attrs["spacing"] = {"t": 4.5}
    folded = fold(raw)
    assert pixel_size(folded, "t") == 0.5
    assert "spacing" not in folded.attrs
    assert pixel_size(unfold(folded), "t") == 4.5
    xr.testing.assert_allclose(unfold(folded), raw)
    assert unfold(folded).attrs == raw.attrs


def test_the_slice_spacing_and_the_origin_of_a_plane_are_kept():
    raw = image({"units": {"pln": "nm"}, "spacing": {"pln": 125.0}}, pha=5)
    raw = raw.assign_coords(pln=-250.0)
    folded = fold(raw)
    np.testing.assert_array_equal(folded.coords["pln"], -250 + 125 * np.arange(5))
    xr.testing.assert_identical(unfold(folded), raw)


# --- What users do to the windows ---


@pytest.mark.parametrize(
    "change",
    [
        lambda i: i.isel(pln=slice(8)),
        lambda i: i.isel(pln=[*range(9), 8]),
        lambda i: i.rename(pln="t"),
        lambda i: i.isel(pln=0),
    ],
    ids=["deleted", "added", "frames", "one left"],
)
def test_other_numbers_of_planes_are_what_imagej_says(caplog, change):
    folded = fold(image({"title": "raw.tif", "properties": {"a": "b"}}, ang=3, pha=3))
    changed = change(folded)
    found = unfold(changed)
    assert found.dims == changed.dims
    np.testing.assert_array_equal(found.data, changed.data)
    assert found.attrs["properties"] == {"a": "b"}
    assert "The slices of raw.tif were the patterns of a raw SIM image" in caplog.text


def test_frames_are_taken_away_as_whole_patterns_or_not_at_all(caplog):
    raw = image(t=3, ang=3, pha=3, pln=2)
    folded = fold(raw)

    def some(first, last):
        labels = folded.attrs["slice_labels"][2 * first : 2 * last]
        return folded.isel(t=slice(first, last)).assign_attrs(slice_labels=labels)

    xr.testing.assert_equal(unfold(some(9, 27)), raw.isel(t=slice(1, 3)))
    assert not caplog.text
    # As many, but from the middle of one to the middle of another.
    assert unfold(some(4, 22)).dims == ("t", "pln", "row", "col")
    assert "in another order" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        lambda i: i.assign_attrs(slice_labels=i.attrs["slice_labels"][::-1]),
        lambda i: with_label(i, 8, None),
        lambda i: with_label(i, 4, "phase 2/3"),
        lambda i: with_label(i, 4, "angle 2/3, phase 2/33"),
        lambda i: i.assign_attrs(slice_labels=i.attrs["slice_labels"][:8]),
    ],
    ids=["reversed", "a new one", "other", "longer", "fewer"],
)
def test_planes_in_another_order_are_what_imagej_says(caplog, change):
    folded = change(fold(image(ang=3, pha=3)))
    assert unfold(folded).dims == ("pln", "row", "col")
    assert "in another order, or some of them are new" in caplog.text


def test_labels_that_imagej_has_dropped_say_nothing():
    folded = fold(image(ang=3, pha=3))
    for labels in (None, [], [None] * 9, ["my own", *[None] * 8]):
        found = unfold(folded.assign_attrs(slice_labels=labels))
        assert found.dims == ("ang", "pha", "row", "col")
        assert found.attrs.get("slice_labels") == (labels if labels and any(labels) else None)


@pytest.mark.parametrize(
    "text", ["", "slices", "slices angles=0 phases=3", "slices angles=1 phases=1", "3 x 3"]
)
def test_a_property_that_says_nothing_is_no_folding(caplog, text):
    assert Folding.of({PROPERTY: text}) is None
    given = image({"properties": {PROPERTY: text}}, pln=9)
    assert unfold(given).dims == ("pln", "row", "col")
    assert "cannot read" in caplog.text


# --- What commands do to them ---


def test_a_result_has_the_axes_and_the_labels_of_its_source():
    raw = image({"title": "raw.tif", "display_ranges": [(0.0, 9.0)], "roi": (1, 0, 2, 3)}, ang=3)
    raw.attrs["slice_labels"] = ["a", "b", "c"]
    region = crop_to_roi(unfold(fold(raw)))
    assert region.sizes == {"ang": 3, "row": 3, "col": 2}
    result = carry(region, region.data / 2, title="raw-denoised.tif")
    look_like(raw, result)
    folded = fold(result)
    assert folded.attrs["title"] == "raw-denoised.tif"
    assert folded.attrs["display_ranges"] == [(0.0, 9.0)]
    assert folded.attrs["slice_labels"] == [f"angle {n + 1}/3; {'abc'[n]}" for n in range(3)]


def test_each_channel_of_a_raw_sim_image_is_shown_by_all_of_its_patterns():
    raw = image(ang=3, pha=3, ch=2)
    assert bulk_ranges(raw) == bulk_ranges(fold(raw))
    low, high = bulk_ranges(raw)[0]
    assert low < 1
    assert high > raw.isel(ch=0).max() - 1
