"""Raw SIM images of which no optics are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsfiji.commands import raw_order
from zsfiji.physics.sim.optics import RadialTransfer

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.parameters.sim import RawOrder

_CUTOFFS = (0.22, 0.32, 0.45)
"""Cut-offs in cycles per pixel that orders are tried with: each finds patterns from half of it to
1.25 times."""


def arranged(image: xr.DataArray, order: RawOrder, background: float | None = None) -> xr.DataArray:
    """Give a raw SIM image the axes of its angles and phases; see :func:`.raw_order.arranged`."""
    return raw_order.arranged(image, order, [RadialTransfer(c) for c in _CUTOFFS], background)
