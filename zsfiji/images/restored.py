"""What a restoring service gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import xarray as xr


@dataclass(frozen=True)
class Restored:
    """A restored image and what is honestly to be said about it.

    Attributes
    ----------
    image : xarray.DataArray
        The result: 32-bit floats in the units of the input, on the same axes.
    notes : tuple of str
        Sentences for the user: how much noise was found, whether the result is over-smoothed or
        has noise left, what was worked around. The weightiest comes first.
    figures : dict
        The same as numbers, name -> value, for tables and tests.
    """

    image: xr.DataArray
    notes: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
