"""Raw SIM images of which no optics are told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.parameters.sim import RawOrder

_CUTOFFS = (0.22, 0.32, 0.45)
"""Cut-offs in cycles per pixel that orders are tried with: each finds patterns from half of it to
1.25 times."""

_log = logging.getLogger("zsfiji")


def arranged(image: xr.DataArray, order: RawOrder, background: float | None = None) -> xr.DataArray:
    """Give a raw SIM image the axes of its angles and phases.

    Parameters
    ----------
    image : xarray.DataArray
        As it was opened: the patterns may be slices, frames, channels or tiles.
    order : RawOrder
        How it is arranged; "auto" is found by trying which order shows patterns.
    background : float, optional
        Grey level without light.

    Raises
    ------
    UserError
        If the image cannot be a raw SIM image with these options.
    """
    from zsfiji.images import raw_sim

    name: str = order.order
    if name == "auto":
        name = _detected(image, order, background)
    if name == raw_sim.AS_SAVED:
        return image
    return raw_sim.arrange(image, name, order.angles, order.phases, order.slices)


def _detected(image: xr.DataArray, order: RawOrder, background: float | None) -> str:
    """The order of the frames that shows patterns."""
    import torch

    from zsfiji.images import raw_sim
    from zsfiji.physics.sim.optics import RadialTransfer
    from zsfiji.reconstruction.order import find_order
    from zsfiji.services.sim.finding import dark_level
    from zsfiji.services.sim.given import Given

    found = raw_sim.candidates(image, order.angles, order.phases)
    first = next(iter(found.orders))
    if len(found.orders) == 1:
        return first
    index = found.orders[first]
    frames = np.asarray(found.frames, np.float32)
    dark = dark_level(frames[None]) if background is None else background
    above = torch.from_numpy(frames - np.float32(dark))
    tried = []
    for cutoff in _CUTOFFS:
        transfer = RadialTransfer(cutoff)
        layouts = Given(transfer, 1.0, layout=order.pattern).layouts_of(*index.shape)
        tried.append(find_order(above, found.orders, transfer, layouts))
    best = max(tried, key=lambda one: one.search.evidence)
    if not best.patterned:
        return first
    if not best.clear or best.name != first:
        # Warnings of a job are among its notes.
        for sentence in best.said():
            _log.warning("%s", sentence)
    return best.name
