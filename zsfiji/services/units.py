"""Models of several parts: one unit (noise and network) for each channel, or for each plane.

The denoising services differ in what a unit is and how it is fitted. Which planes it is fitted to,
how it is kept in a model and which planes it restores is the same for all of them, and stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import xarray as xr

import zsfiji
from zsfiji import progress
from zsfiji.errors import UserError
from zsfiji.images import restoring
from zsfiji.images.axes import count, planes, size
from zsfiji.learning.models import Model
from zsfiji.words import counted


class Stored(Protocol):
    """What a unit has to have to be kept in a model."""

    @property
    def network(self) -> torch.nn.Module | None:
        """Its network, None where filters do it alone."""

    def as_settings(self) -> dict[str, Any]:
        """All of the unit but the weights, in types that JSON has."""


U = TypeVar("U")


def fit_units(
    method: str,
    image: xr.DataArray,
    settings: dict[str, Any],
    fit_one: Callable[[list[np.ndarray], str], Stored],
    *,
    pixels: int,
    first: str | None = None,
) -> Model:
    """Fit one unit after the other and put them into a model.

    Parameters
    ----------
    method : str
        Name of the method.
    image : xarray.DataArray
        The image.
    settings : dict
        The parameters of the fit; "fit_per" among them says what each unit is for.
    fit_one : callable
        Takes planes (row, col) as float32 and a label for the progress, gives a unit.
    pixels : int
        Of a group of planes so many are taken, spread evenly, that they have at most this many
        pixels.
    first : str, optional
        What is done first, for the progress; the label without it.

    Returns
    -------
    Model
        The model.
    """
    groups = restoring.groups(image, settings["fit_per"])
    units: list[dict[str, Any]] = []
    tensors: dict[str, torch.Tensor] = {}
    for number, positions in enumerate(groups):
        with progress.part(number / len(groups), (number + 1) / len(groups)):
            label = "Training" if len(groups) == 1 else f"Training {number + 1} of {len(groups)}"
            progress.report(0, first or label)
            chosen = restoring.spread(positions, image, pixels)
            unit = fit_one([restoring.pixels_of(image, p) for p in chosen], label)
        units.append(unit.as_settings())
        if unit.network is not None:
            tensors |= weights(unit.network, number)
    about = {"version": zsfiji.__version__, "fitted_to": restoring.described(image)}
    return Model(method, {**settings, **about, "units": units}, tensors)


def weights(network: torch.nn.Module, number: int) -> dict[str, torch.Tensor]:
    """The weights of the network of a unit, under the names and as they are kept in a model."""
    return {
        f"{number}.{name}": value.detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }


def has_weights(model: Model, number: int) -> bool:
    """Whether the model has weights of a network for its unit `number`."""
    return any(name.startswith(f"{number}.") for name in model.tensors)


def load_weights(network: torch.nn.Module, model: Model, number: int) -> None:
    """Give a network the weights of a unit of a model.

    Parameters
    ----------
    network : torch.nn.Module
        The network; it is left in evaluation mode.
    model : Model
        The model.
    number : int
        Which unit.

    Raises
    ------
    UserError
        If the weights are not there or do not fit the network.
    """
    prefix = f"{number}."
    stored = {k.removeprefix(prefix): v for k, v in model.tensors.items() if k.startswith(prefix)}
    try:
        network.load_state_dict(stored)
    except RuntimeError as error:
        raise UserError("The model is damaged: its weights do not fit.") from error
    network.eval()


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


def restore_planes(
    model: Model,
    image: xr.DataArray,
    units: Sequence[U],
    restore_one: Callable[[U, np.ndarray, int | None], np.ndarray],
) -> xr.DataArray:
    """Restore the planes of an image one after the other, each by the unit that is for it.

    Parameters
    ----------
    model : Model
        The model; "fit_per" in its settings says what each unit is for.
    image : xarray.DataArray
        The image.
    units : sequence
        The units of the model.
    restore_one : callable
        Takes a unit, a plane (row, col) as float32, and its channel, None where each plane has a
        unit of its own; gives the restored plane. What it reports is its part of the whole.

    Returns
    -------
    xarray.DataArray
        The restored image, 32-bit.

    Raises
    ------
    UserError
        If the image has more or fewer channels (or planes) than the model has units.
    """
    per_plane = model.settings["fit_per"] == "plane"
    total = count(image)
    expected = total if per_plane else size(image, "ch")
    require_as_many(len(units), expected, "plane" if per_plane else "channel")
    result = np.empty(image.shape, dtype=np.float32)
    for number, position in enumerate(planes(image)):
        progress.report(number / total, "Denoising")
        channel = None if per_plane else position.get("ch", 0)
        unit = units[number if channel is None else channel]
        with progress.part(number / total, (number + 1) / total):
            restored = restore_one(unit, restoring.pixels_of(image, position), channel)
        result[restoring.place(image, position)] = restored
    progress.report(1, "Denoising")
    return image.copy(data=result)
