"""Which colours of an RGB image are restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from zsfiji.images.axes import size

if TYPE_CHECKING:
    from zsfiji.learning.models import Model

_NAMES = ("red", "green", "blue")
_GREY = (
    "The RGB image is grey (its three colours are equal): it was restored as one channel. "
    "Image > Type > 8-bit makes such an image smaller."
)
_ALL = "The colours of the RGB image were restored one by one, each as a channel of its own."


@dataclass(frozen=True)
class Colours:
    """The channels of an image that are restored.

    Attributes
    ----------
    work : xarray.DataArray
        The image with those channels only.
    kept : tuple of int
        Which channels of the image these are.
    shown : tuple of int
        For each channel of the image the one of `work` that it takes, -1 for none.
    notes : tuple of str
        What is to be said about it.
    """

    work: xr.DataArray
    kept: tuple[int, ...]
    shown: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def put_back(
        self, restored: xr.DataArray, image: xr.DataArray, left_out: float | None = None
    ) -> xr.DataArray:
        """Give a result of `work`, on any grid, all the channels of `image`.

        Channels that were not restored get the value `left_out`, or without it that of the image.
        """
        if self.work is image:
            return restored
        channels = restored if "ch" in restored.dims else restored.expand_dims("ch", -1)
        parts = []
        for number, channel in enumerate(self.shown):
            value = image.isel(ch=number).data.flat[0] if left_out is None else left_out
            one = channels.isel(ch=max(channel, 0)).data
            parts.append(one if channel >= 0 else np.full_like(one, np.float32(value)))
        first = channels.isel(ch=0, drop=True)
        return first.expand_dims(ch=len(parts), axis=-1).copy(data=np.stack(parts, -1))


def colours(image: xr.DataArray, model: Model[Any, Any] | None = None) -> Colours:
    """Find the channels to restore: of a grey RGB image one, else those that are not empty.

    Parameters
    ----------
    image : xarray.DataArray
        Any image; one that is not RGB is restored as it is.
    model : Model, optional
        The model to apply. If it was fitted to as many channels as the image has, all of them are
        restored.
    """
    every = tuple(range(size(image, "ch")))
    whole = Colours(image, every, every)
    if not image.attrs.get("rgb") or (model is not None and _channels(model) == len(every)):
        return whole
    first = image.isel(ch=slice(0, 1))
    if bool((image == first.data).all()):
        return Colours(image.isel(ch=0), (0,), (0,) * len(every), (_GREY,))
    values = [image.isel(ch=n).data for n in every]
    lit = tuple(n for n in every if values[n].min() < values[n].max())
    if lit in ((), every):
        return Colours(image, every, every, (_ALL,))
    names = " and ".join(_NAMES[n] for n in lit)
    note = f"The RGB image shows something in {names} only: the rest was left as it is."
    shown = tuple(lit.index(n) if n in lit else -1 for n in every)
    return Colours(image.isel(ch=list(lit) if len(lit) > 1 else lit[0]), lit, shown, (note,))


def _channels(model: Model[Any, Any]) -> int:
    """To how many channels a model was fitted."""
    return model.fitted_to.size("ch")
