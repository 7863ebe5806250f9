"""Results of parts that have fewer axes than these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr

from zsfiji.images.axes import as_image, set_calibration
from zsfiji.images.grid import without_axes
from zsfiji.images.parts import PATTERN
from zsfiji.services import over_parts


@dataclass(frozen=True)
class Mean:
    """A unit that knows nothing."""

    record: None = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """None."""
        return {}


def test_the_patterns_of_a_raw_image_become_one_plane_on_a_finer_grid() -> None:
    pixels = np.random.default_rng(0).random((2, 3, 5, 4, 6, 8), np.float32)
    image = as_image(pixels, ("t", "ang", "pha", "pln", "row", "col"))
    set_calibration(image, {"row": 65.0, "col": 65.0}, {"row": "nm", "col": "nm"})

    def one(
        unit: Mean, part: np.ndarray, channel: int | None, results: Mapping[str, np.ndarray]
    ) -> None:
        assert part.shape == (3, 5, 6, 8)
        results["sum"][:] = np.kron(part.sum((0, 1)), np.ones((2, 2)))

    output = over_parts.Output("sum", 2, over=("ang", "pha"))
    found = over_parts.apply(image, [Mean()], one, (output,), fit_per="channel", part=PATTERN)
    result = found["sum"]
    assert result.dims == ("t", "pln", "row", "col")
    wanted = pixels.sum((1, 2)).repeat(2, -1).repeat(2, -2)
    np.testing.assert_allclose(result.data, wanted, rtol=1e-5)
    assert np.allclose(np.diff(result.coords["row"]), 32.5)


def test_an_axis_that_goes_takes_the_labels_of_its_planes_along() -> None:
    labels = [f"t{t} a{a}" for t in range(2) for a in range(3)]
    image = as_image(np.zeros((2, 3, 4, 4)), ("t", "ang", "row", "col"), {"slice_labels": labels})
    assert "slice_labels" not in without_axes(image, ("ang",)).attrs
    assert without_axes(image, ("pha",)) is image
    single = image.isel(ang=slice(0, 1)).assign_attrs(slice_labels=labels[::3])
    assert without_axes(single, ("ang", "pha")).attrs["slice_labels"] == ["t0 a0", "t1 a0"]
    assert isinstance(single, xr.DataArray)
