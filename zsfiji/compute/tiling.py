"""Work on a big plane tile by tile, in bounded memory and without seams."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from zsfiji import progress
from zsfiji.compute.device import is_out_of_memory
from zsfiji.errors import UserError

SMALLEST_TILE = 64
"""Tiles are not halved below this edge: margins would outweigh them. Not tuned."""

_log = logging.getLogger(__name__)
_Plane = TypeVar("_Plane", np.ndarray, torch.Tensor)


def by_tiles(
    function: Callable[[torch.Tensor], torch.Tensor],
    plane: _Plane,
    *,
    tile: int,
    margin: int,
    multiple: int = 1,
    network: nn.Module | None = None,
    label: str | None = None,
) -> _Plane:
    """Apply `function` to a plane, tile by tile.

    Every tile is computed with `margin` pixels of its true surroundings, which are cut off
    afterwards; beyond the border the plane is mirrored (without repeating the border pixel). With
    a margin of at least the radius of the function's receptive field the result is the same for
    every tile size. No gradient is kept.

    Parameters
    ----------
    function : callable
        Takes a float tensor (channels, height, width) and gives one of the same height and width,
        of any number of channels. It follows the device of its argument.
    plane : numpy.ndarray or torch.Tensor
        Shape (channels, height, width), on any device; only tiles are moved.
    tile : int
        Edge of a tile in pixels, without its margins.
    margin : int
        Width of the context around a tile, in pixels.
    multiple : int
        Tiles begin at multiples of this, and `function` gets heights and widths that are multiples
        of it, as networks need that shrink the image inside.
    network : torch.nn.Module, optional
        The network that `function` uses: its device is where the tiles are computed, and it is
        moved to the CPU if the device's memory does not suffice for the smallest tile. Without it
        tiles are computed on the plane's device.
    label : str, optional
        What to report to the user as progress; without it nothing is reported.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        float32 (channels of the function's result, height, width), of the kind and on the device
        of `plane`.

    Raises
    ------
    UserError
        If not even a small tile on the CPU fits into the memory.
    """
    source: torch.Tensor = torch.from_numpy(plane) if isinstance(plane, np.ndarray) else plane
    result: torch.Tensor | None = None

    def put(inside: torch.Tensor, top: int, left: int) -> None:
        nonlocal result
        if result is None:
            shape = (inside.shape[0], *source.shape[-2:])
            result = torch.empty(shape, dtype=torch.float32, device=source.device)
        result[:, top : top + inside.shape[1], left : left + inside.shape[2]] = inside

    over_tiles(
        function,
        source,
        put,
        tile=tile,
        margin=margin,
        multiple=multiple,
        network=network,
        label=label,
    )
    assert result is not None, "a plane has at least one pixel"
    # What was made in inference mode cannot be trained on; a clone outside of it can.
    return result.numpy() if isinstance(plane, np.ndarray) else result.clone()


def over_tiles(
    function: Callable[[torch.Tensor], torch.Tensor],
    source: torch.Tensor,
    put: Callable[[torch.Tensor, int, int], None],
    *,
    tile: int,
    margin: int,
    multiple: int = 1,
    network: nn.Module | None = None,
    label: str | None = None,
) -> None:
    """Apply `function` as :func:`by_tiles` does, and hand over each tile when it is done.

    Parameters
    ----------
    function, tile, margin, multiple, network, label
        As for :func:`by_tiles`.
    source : torch.Tensor
        The plane.
    put : callable
        Takes the result of a tile without its margins, float32, and its first row and column.
        Where the memory did not suffice tiles come again, smaller.

    Raises
    ------
    UserError
        If not even a small tile on the CPU fits into the memory.
    """
    margin = _round_up(margin, multiple)
    edge = _round_up(tile, multiple)
    while True:
        device = _device_of(network, source)
        try:
            with torch.inference_mode():
                _pass(function, source, put, edge, margin, multiple, device, label)
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # A tile larger than the plane is not what filled the memory.
            smaller = _round_up(min(edge, max(source.shape[-2:])) // 2, multiple)
            if smaller >= SMALLEST_TILE:
                _log.warning("Memory does not suffice for tiles of %d; halving them.", edge)
                edge = smaller
            elif device.type != "cpu" and network is not None:
                _log.warning("Memory of %s does not suffice; going on with the CPU.", device)
                network.to("cpu")
                edge = _round_up(tile, multiple)
            else:
                raise UserError(
                    "The memory does not suffice for this image. Close other images, or select a "
                    "smaller region."
                ) from error
        if device.type == "cuda":
            torch.cuda.empty_cache()


def mirrored(start: int, stop: int, length: int) -> np.ndarray:
    """Give the indices `start` to `stop` on an axis of `length` pixels, mirrored at its ends.

    Parameters
    ----------
    start, stop : int
        Range of positions; both may lie any distance outside of the axis.
    length : int
        Number of pixels of the axis.

    Returns
    -------
    numpy.ndarray
        Integers in 0 .. length - 1, shape (stop - start,).
    """
    if length == 1:
        return np.zeros(stop - start, dtype=np.int64)
    period = 2 * (length - 1)
    position = np.arange(start, stop, dtype=np.int64) % period
    return np.minimum(position, period - position)


def _pass(
    function: Callable[[torch.Tensor], torch.Tensor],
    source: torch.Tensor,
    put: Callable[[torch.Tensor, int, int], None],
    tile: int,
    margin: int,
    multiple: int,
    device: torch.device,
    label: str | None,
) -> None:
    """Go over all tiles once."""
    height, width = source.shape[-2:]
    tall, wide = min(tile, _round_up(height, multiple)), min(tile, _round_up(width, multiple))
    corners = [(top, left) for top in range(0, height, tall) for left in range(0, width, wide)]
    for number, (top, left) in enumerate(corners):
        rows = torch.from_numpy(mirrored(top - margin, top + tall + margin, height))
        cols = torch.from_numpy(mirrored(left - margin, left + wide + margin, width))
        rows, cols = rows.to(source.device), cols.to(source.device)
        piece = source[:, rows[:, None], cols].to(device, torch.float32)
        with progress.part(number / len(corners), (number + 1) / len(corners)):
            whole = function(piece)
        inside = whole[:, margin : margin + tall, margin : margin + wide].float()
        put(inside[:, : height - top, : width - left], top, left)
        if label is not None:
            progress.report((number + 1) / len(corners), label)


def _device_of(network: nn.Module | None, source: torch.Tensor) -> torch.device:
    if network is None:
        return source.device
    return next(network.parameters()).device


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
