"""Datasets where there are none, and doubles of some; fiji_tour.py tests them with a Fiji."""

from __future__ import annotations

import types

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


# --- Doubles of what only a Fiji has ---


class Axis:
    """A linear axis of ImageJ2."""

    def __init__(self, label):
        self.label = label

    def type(self):
        return self

    def getLabel(self):  # noqa: N802
        return self.label

    def unit(self):
        return None

    def averageScale(self, _start, _end):  # noqa: N802
        return 1.0


class Table:
    """A colour table of ImageJ2."""

    def __init__(self, colours):
        self.colours = colours.astype(int)

    def lookupARGB(self, _low, _high, value):  # noqa: N802
        red, green, blue = self.colours[value]
        packed = 255 << 24 | red << 16 | green << 8 | blue
        # Java's integers have a sign.
        return packed - 2**32


class Dataset:
    """As much of a Dataset as is read of it; PyImageJ gives its pixels with the names it has."""

    def __init__(self, pixels, labels, colours=None):
        self.pixels, self.labels = pixels, labels
        self.tables = [] if colours is None else [Table(colours)]

    def numDimensions(self):  # noqa: N802
        return len(self.labels)

    def axis(self, number):
        return Axis(self.labels[::-1][number])

    def getName(self):  # noqa: N802
        return "cells"

    def getSource(self):  # noqa: N802
        return None

    def isRGBMerged(self):  # noqa: N802
        return False

    def getChannelMinimum(self, _channel):  # noqa: N802
        return 0.0

    def getChannelMaximum(self, _channel):  # noqa: N802
        return 255.0

    def getColorTableCount(self):  # noqa: N802
        return len(self.tables)

    def getColorTable(self, number):  # noqa: N802
        return self.tables[number]


class Gateway:
    """PyImageJ, which keeps the names of axes that it does not know."""

    py = property(lambda self: self)

    def to_xarray(self, dataset):
        names = {"X": "col", "Y": "row", "Channel": "ch", "Z": "pln", "Time": "t"}
        dims = [names.get(label, label) for label in dataset.labels]
        coords = {d: np.arange(n) * 1.0 for d, n in zip(dims, dataset.pixels.shape, strict=True)}
        return xr.DataArray(dataset.pixels, dims=dims, coords=coords, name="cells")


@pytest.fixture
def fiji(monkeypatch):
    monkeypatch.setattr(datasets, "_required_gateway", Gateway)
    monkeypatch.setattr(datasets, "jc", types.SimpleNamespace(Dataset=Dataset))


@pytest.mark.parametrize("grey", [False, True])
def test_a_dataset_of_numbered_colours_is_the_picture_that_it_shows(fiji, grey):
    draws = np.random.default_rng(1)
    numbers = draws.integers(0, 256, (3, 6, 7), np.uint8)
    colours = draws.integers(0, 256, (256, 3), np.uint8)
    if grey:
        colours[:] = colours[:, :1]
    image = datasets.from_dataset(Dataset(numbers, ("Z", "Y", "X"), colours))
    assert image.attrs["title"] == "cells"
    assert not {"luts", "display_ranges"} & set(image.attrs)
    if grey:
        assert image.dims == ("pln", "row", "col")
        np.testing.assert_array_equal(image.data, colours[numbers, 0])
    else:
        assert image.dims == ("pln", "row", "col", "ch")
        assert image.attrs["rgb"]
        np.testing.assert_array_equal(image.data, colours[numbers])


def test_a_dataset_of_measured_values_keeps_them_whatever_its_lut(fiji):
    values = np.random.default_rng(1).integers(0, 256, (6, 7), np.uint8)
    red = np.zeros((256, 3), np.uint8)
    red[:, 0] = np.arange(256)
    image = datasets.from_dataset(Dataset(values, ("Y", "X"), red))
    np.testing.assert_array_equal(image.data, values)
    np.testing.assert_array_equal(image.attrs["luts"], [red])


def test_the_angles_and_phases_of_a_dataset_are_axes_of_ours(fiji):
    pixels = np.arange(2 * 3 * 5 * 4 * 6, dtype=np.uint16).reshape(2, 3, 5, 4, 6)
    image = datasets.from_dataset(Dataset(pixels, ("Phase", "Channel", "Angle", "Y", "X")))
    assert image.dims == ("ang", "pha", "row", "col", "ch")
    np.testing.assert_array_equal(image.data, pixels.transpose(2, 0, 3, 4, 1))
    assert not set(image.coords) - {"row", "col"}


def test_other_axes_of_a_dataset_are_refused(fiji):
    pixels = np.zeros((2, 4, 6), np.uint16)
    with pytest.raises(UserError, match=r"Lifetime.*Phase, Angle"):
        datasets.from_dataset(Dataset(pixels, ("Lifetime", "Y", "X")))
