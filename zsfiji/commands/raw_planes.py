"""Whether the planes of an image can be those of a raw SIM image. No torch here."""

from __future__ import annotations

from collections.abc import Mapping

from zsfiji.parameters.sim import RawOrder


def require_patterns(sizes: Mapping[str, int], *, order: RawOrder) -> None:
    """Refuse an image whose number of planes does not fit, before a pixel is read.

    Parameters
    ----------
    sizes : mapping
        Length of each axis of the image.
    order : RawOrder
        How it is arranged.

    Raises
    ------
    UserError
        If the number of planes does not fit.
    """
    from zsfiji.images.raw_sim import require_layout

    name = "" if order.order == "auto" else order.order
    require_layout(sizes, name, order.angles, order.phases)
