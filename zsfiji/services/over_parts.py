"""Fit, then apply, over the parts of an image: the same for all methods.

Methods differ in what a part is (a plane, a z stack, the patterns of a raw SIM image), in what is
learnt from some of them, and in the results. Which parts a unit is fitted to, which unit restores
which part, and how the results of the parts become images stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import xarray as xr

from zsfiji import progress
from zsfiji.compute.device import generator
from zsfiji.compute.scratch import release, scratch_array
from zsfiji.compute.slices import each_slice
from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.images.grid import finer, without_axes
from zsfiji.images.parts import (
    PLANE,
    Position,
    groups,
    named,
    pixels_of,
    place,
    positions,
    spread,
)
from zsfiji.learning.models import Model, Unit
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.noise import Noise
from zsfiji.words import counted

U = TypeVar("U", bound=Unit)
T = TypeVar("T")

_ANY_LEVEL = 0.0
"""Dark level of a camera that only adds noise: this does not depend on it."""


@dataclass(frozen=True)
class Output:
    """One of the results of a method.

    Attributes
    ----------
    name : str
        Such as "denoised".
    scale : int
        Pixels of the result to a pixel of the image, along rows and along columns.
    over : tuple of str
        Axes of a part that the result does not have: a reconstruction of the patterns of a raw SIM
        image is one plane.
    """

    name: str
    scale: int = 1
    over: tuple[str, ...] = ()

    def of(self, image: xr.DataArray) -> xr.DataArray:
        """The axes, grid and metadata of this result of `image`, for pixels to come."""
        return finer(without_axes(image, self.over), self.scale)


@dataclass(frozen=True)
class Group:
    """Parts of an image that one unit is fitted to.

    Attributes
    ----------
    number, count : int
        Which group of how many.
    positions : list of dict
        Where its parts are.
    chosen : list of dict
        Where those are that are looked at: all, or some of them, spread evenly.
    """

    number: int
    count: int
    positions: list[Position]
    chosen: list[Position]

    @property
    def label(self) -> str:
        """What to tell the user while it is fitted."""
        return "Training" if self.count == 1 else f"Training {self.number + 1} of {self.count}"

    @property
    def channel(self) -> int:
        """Channel of its first part."""
        return self.positions[0].get("ch", 0)

    def pixels(self, image: xr.DataArray, part: Sequence[str] = PLANE) -> list[np.ndarray]:
        """The chosen parts, float32, with the axes `part`."""
        return [pixels_of(image, position, part) for position in self.chosen]


def fit(
    image: xr.DataArray,
    fit_one: Callable[[Group], U],
    *,
    fit_per: str,
    pixels: int = 1,
    part: Sequence[str] = PLANE,
    first: str | None = None,
) -> tuple[U, ...]:
    """Fit one unit after the other.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    fit_one : callable
        Takes a group of parts and gives a unit.
    fit_per : {"channel", "plane"}
        One unit for each channel, or one for each part.
    pixels : int
        Of a group so many parts are chosen that they have at most this many pixels, but one at
        least, as without it: bounds the memory.
    part : sequence of str
        Axes of a part.
    first : str, optional
        What is done first, for the progress; without it the label of the group.

    Returns
    -------
    tuple
        The units.
    """
    found = groups(image, fit_per, part)
    units: list[U] = []
    for number, positions_ in enumerate(found):
        group = Group(number, len(found), positions_, spread(positions_, image, pixels, part))
        with progress.part(number / len(found), (number + 1) / len(found)):
            progress.report(0, first or group.label)
            units.append(fit_one(group))
    return tuple(units)


def apply(
    image: xr.DataArray,
    units: Sequence[U],
    restore_one: Callable[[U, np.ndarray, int | None, Mapping[str, np.ndarray]], None],
    outputs: Sequence[Output],
    *,
    fit_per: str,
    part: Sequence[str] = PLANE,
    label: str = "Denoising",
    convert: bool = True,
) -> dict[str, xr.DataArray]:
    """Restore the parts of an image one after the other, each by the unit that is for it.

    Parameters
    ----------
    image : xarray.DataArray
        The image.
    units : sequence
        One for each channel, or one for each part.
    restore_one : callable
        Takes a unit, a part, its channel (None where each part has a unit of its own),
        and views of the results by name, which it fills. What it reports is its share of the whole.
    outputs : sequence of Output
        The results.
    fit_per : {"channel", "plane"}
        What each unit is for.
    part : sequence of str
        Axes of a part, in the order of the image.
    label : str
        What to tell the user.
    convert : bool
        Whether parts are contiguous and float32. Else they are views of the image, for methods
        that convert block by block parts that may be as large as the memory.

    Returns
    -------
    dict
        Name -> result, 32-bit, with the metadata of the image.

    Raises
    ------
    UserError
        If there are more or fewer units than channels (or parts), or a part cannot be restored.
    """
    where = positions(image, part)
    per_part = fit_per == "plane"
    if per_part:
        require_as_many(len(units), len(where), "plane" if tuple(part) == PLANE else "stack")
    else:
        require_as_many(len(units), size(image, "ch"), "channel")
    grids = {output.name: output.of(image) for output in outputs}
    results = {name: scratch_array(grid.shape) for name, grid in grids.items()}
    for number, position in enumerate(where):
        progress.report(number / len(where), label)
        channel = None if per_part else position.get("ch", 0)
        unit = units[number if channel is None else channel]
        views = {name: result[place(grids[name], position)] for name, result in results.items()}
        with progress.part(number / len(where), (number + 1) / len(where)):
            at = place(image, position)
            whole = pixels_of(image, position, part) if convert else image.data[at]
            try:
                restore_one(unit, whole, channel, views)
            except UserError as error:
                if len(where) == 1:
                    raise
                raise UserError(f"In {named(position)}: {error}") from error
        for view in views.values():
            release(view)
    progress.report(1, label)
    return {name: grids[name].copy(data=result) for name, result in results.items()}


def simulate(
    expected: xr.DataArray,
    model: Model[Any, U],
    noise_of: Callable[[U], Noise],
    *,
    part: Sequence[str] = PLANE,
    seed: int,
) -> xr.DataArray:
    """Simulate a capture of an image without noise, part after part.

    Parameters
    ----------
    expected : xarray.DataArray
        What the camera would show without noise.
    model : Model
        The model that restored the image; its settings say what it was fitted per.
    noise_of : callable
        Gives the noise of the images that a unit was fitted to.
    part
        As in :func:`apply`.
    seed : int
        Seed of the noise.

    Returns
    -------
    xarray.DataArray
        float32, on the grid of `expected`.
    """
    draws = generator(seed)

    def one(
        unit: U, mean: np.ndarray, channel: int | None, results: Mapping[str, np.ndarray]
    ) -> None:
        camera = Camera(noise_of(unit), _ANY_LEVEL)
        for plane, into in zip(each_slice(mean), each_slice(results["capture"]), strict=True):
            seen = camera.capture(torch.from_numpy(plane), draws).numpy()
            into[:] = np.minimum(seen, camera.noise.saturation or np.inf)

    return apply(
        expected,
        model.units,
        one,
        (Output("capture"),),
        fit_per=model.settings.fit_per,
        part=part,
        label="Simulating a capture",
    )["capture"]


def require_as_many(units: int, parts: int, what: str) -> None:
    """Refuse an image with more or fewer `parts` (such as "channel") than the model has units.

    Raises
    ------
    UserError
        If it has.
    """
    if units != parts:
        raise UserError(
            f"The model was fitted to {counted(units, what)} and the image has {parts}. "
            "Fit a model to this image, or choose one of its kind."
        )
