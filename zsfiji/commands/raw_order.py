"""Raw SIM images get the axes of their angles and phases."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from zsfiji.images import raw_sim
from zsfiji.reconstruction.order import find_order
from zsfiji.services.sim.finding import dark_level
from zsfiji.services.sim.given import layouts_of

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.parameters.sim import RawOrder
    from zsfiji.physics.sim.optics import RadialTransfer

_log = logging.getLogger("zsfiji")


def arranged(
    image: xr.DataArray,
    order: RawOrder,
    transfers: Sequence[RadialTransfer],
    background: float | None = None,
) -> xr.DataArray:
    """Give a raw SIM image the axes of its angles and phases.

    Parameters
    ----------
    image : xarray.DataArray
        As it was opened: the patterns may be slices, frames, channels or tiles.
    order : RawOrder
        How it is arranged; "auto" is found by trying which order shows patterns.
    transfers : sequence of RadialTransfer
        The OTF, or several that are tried.
    background : float, optional
        Grey level without light.

    Raises
    ------
    UserError
        If the image cannot be a raw SIM image with these options.
    """
    name: str = order.order
    if name == "auto":
        name = _detected(image, order, transfers, background)
    if name == raw_sim.AS_SAVED:
        return image
    return raw_sim.arrange(image, name, order.angles, order.phases, order.slices)


def _detected(
    image: xr.DataArray,
    order: RawOrder,
    transfers: Sequence[RadialTransfer],
    background: float | None,
) -> str:
    """The order of the frames that shows patterns."""
    found = raw_sim.candidates(image, order.angles, order.phases)
    first = next(iter(found.orders))
    if len(found.orders) == 1:
        return first
    frames = np.asarray(found.frames, np.float32)
    dark = dark_level(frames[None]) if background is None else background
    above = torch.from_numpy(frames - np.float32(dark))
    layouts = layouts_of(order.pattern, *found.orders[first].shape)
    tried = [find_order(above, found.orders, transfer, layouts) for transfer in transfers]
    best = max(tried, key=lambda one: one.search.evidence)
    if not best.patterned:
        return first
    if not best.clear or best.name != first:
        # Warnings of a job are among its notes.
        for sentence in best.said():
            _log.warning("%s", sentence)
    return best.name
