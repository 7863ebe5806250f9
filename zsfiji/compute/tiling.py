"""Process a large plane tile by tile, in limited memory and without seams."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
import torch
from torch import nn

from zsfiji import progress
from zsfiji.compute.device import is_out_of_memory
from zsfiji.errors import UserError

SMALLEST_TILE = 64
"""Tiles are not halved below this edge: their margins would be larger than they are. Not tuned."""

_log = logging.getLogger(__name__)
_Plane = TypeVar("_Plane", np.ndarray, torch.Tensor)


def by_tiles(
    function: Callable[..., torch.Tensor],
    plane: _Plane,
    *,
    tile: int,
    margin: int,
    finer: Sequence[_Plane] = (),
    multiple: int = 1,
    network: nn.Module | None = None,
    label: str | None = None,
) -> _Plane:
    """Apply `function` to a plane, tile by tile.

    Every tile is computed with `margin` pixels of its surroundings, which are cropped afterwards.
    Beyond the border the plane is mirrored (without repeating the border pixel). If the margin is
    at least the radius of the function's receptive field, the result does not depend on the tile
    size. No gradient is kept.

    Parameters
    ----------
    function : callable
        Takes a float tensor (channels, height, width), and one more for each of `finer`, and gives
        one with any number of channels. Its height and width are those of the first tensor, or
        integer multiples of them, each by its own factor: the scale of the result. It computes on
        the device of its arguments.
    plane : numpy.ndarray or torch.Tensor
        Shape (channels, height, width), on any device; only tiles are moved.
    tile : int
        Edge of a tile in pixels of `plane`, without its margins.
    margin : int
        Width of the context around a tile, in pixels of `plane`.
    finer : sequence of numpy.ndarray or torch.Tensor
        Further planes of the same field of view that `function` needs, whose heights and widths
        are whole multiples of those of `plane`. They are cut where `plane` is cut, and mirrored
        with it: all that lies in place of one of its pixels as a whole, in the order that it has.
    multiple : int
        Tiles begin at multiples of this, and `function` gets heights and widths that are multiples
        of it, as networks that downsample need.
    network : torch.nn.Module, optional
        The network that `function` uses. Tiles are computed on its device; it is moved to the CPU
        if the device has not enough memory for the smallest tile. Without a network, tiles are
        computed on the plane's device.
    label : str, optional
        What to report to the user as progress; without it nothing is reported.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        float32 (channels of the function's result, height and width times the scale), of the type
        and on the device of `plane`.

    Raises
    ------
    UserError
        If not even a small tile on the CPU fits into the memory.
    ValueError
        If a size is no whole multiple of that of `plane`, or of a tile.
    """
    source = _tensor(plane)
    height, width = source.shape[-2:]
    down = across = 1
    result: torch.Tensor | None = None

    def work(*pieces: torch.Tensor) -> torch.Tensor:
        nonlocal down, across
        found = function(*pieces)
        down, across = _scale(found, pieces[0])
        return found

    def put(inside: torch.Tensor, top: int, left: int) -> None:
        nonlocal result
        if result is None:
            shape = (inside.shape[0], height * down, width * across)
            result = torch.empty(shape, dtype=torch.float32, device=source.device)
        top, left = top * down, left * across
        result[:, top : top + inside.shape[1], left : left + inside.shape[2]] = inside

    over_tiles(
        work,
        source,
        put,
        tile=tile,
        margin=margin,
        finer=[_tensor(one) for one in finer],
        multiple=multiple,
        network=network,
        label=label,
    )
    assert result is not None, "a plane has at least one pixel"
    # A tensor made in inference mode cannot be used in a training; a clone outside of it can.
    return result.numpy() if isinstance(plane, np.ndarray) else result.clone()


@overload
def over_tiles(
    function: Callable[..., torch.Tensor],
    source: torch.Tensor,
    put: Callable[[torch.Tensor, int, int], None],
    *,
    tile: int,
    margin: int,
    finer: Sequence[torch.Tensor] = (),
    multiple: int = 1,
    network: nn.Module | None = None,
    label: str | None = None,
) -> None: ...


@overload
def over_tiles(
    function: Callable[..., tuple[torch.Tensor, ...]],
    source: torch.Tensor,
    put: Callable[[tuple[torch.Tensor, ...], int, int], None],
    *,
    tile: int,
    margin: int,
    finer: Sequence[torch.Tensor] = (),
    multiple: int = 1,
    network: nn.Module | None = None,
    label: str | None = None,
) -> None: ...


def over_tiles(
    function: Callable[..., Any],
    source: torch.Tensor,
    put: Callable[[Any, int, int], None],
    *,
    tile: int,
    margin: int,
    finer: Sequence[torch.Tensor] = (),
    multiple: int = 1,
    network: nn.Module | None = None,
    label: str | None = None,
) -> None:
    """Apply `function` as :func:`by_tiles` does, and pass on each tile when it is done.

    Parameters
    ----------
    function, tile, margin, finer, multiple, network, label
        As for :func:`by_tiles`; `function` may also give a tuple of results, each of its own scale.
    source : torch.Tensor
        The plane.
    put : callable
        Takes the result of `function` for a tile, without its margins and in float32, and the first
        row and column of the tile in `source`, which have to be multiplied by the scale. If the
        memory was too small for a tile, all tiles come again, smaller.

    Raises
    ------
    UserError
        If not even a small tile on the CPU fits into the memory.
    ValueError
        If a size is no whole multiple of that of `source`, or of a tile.
    """
    margin = _round_up(margin, multiple)
    edge = _round_up(tile, multiple)
    planes = [_Grid(one, *_scale(one, source)) for one in (source, *finer)]
    while True:
        device = _device_of(network, source)
        try:
            with torch.inference_mode():
                _pass(function, planes, put, edge, margin, multiple, device, label)
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # A tile larger than the plane is cut to it; start from the size of the plane.
            smaller = _round_up(min(edge, max(source.shape[-2:])) // 2, multiple)
            if smaller >= SMALLEST_TILE:
                _log.warning("Not enough memory for tiles of %d pixels; halving them.", edge)
                edge = smaller
            elif device.type != "cpu" and network is not None:
                _log.warning("Not enough memory on %s; continuing on the CPU.", device)
                network.to("cpu")
                edge = _round_up(tile, multiple)
            else:
                raise UserError(
                    "There is not enough memory for this image. Close other images, or select a "
                    "smaller region."
                ) from error
        if device.type == "cuda":
            torch.cuda.empty_cache()


def mirrored(start: int, stop: int, length: int) -> np.ndarray:
    """Give the indices `start` to `stop` on an axis of `length` pixels, mirrored at its ends.

    Parameters
    ----------
    start, stop : int
        Range of positions; both may be any distance outside the axis.
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


def pad_mirrored(data: torch.Tensor, size: int, multiple: int = 1) -> torch.Tensor:
    """Pad images with their mirror image if they are smaller than `size` pixels.

    Parameters
    ----------
    data : torch.Tensor
        Shape (..., row, col).
    size : int
        The least height and width, a multiple of `multiple`.
    multiple : int
        Larger heights and widths are cropped to multiples of this.

    Returns
    -------
    torch.Tensor
        The images; the input itself if nothing has to be done.
    """
    for axis in (-2, -1):
        data = _continued(data, axis, max(size, data.shape[axis] // multiple * multiple))
    return data


def _continued(data: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    length = data.shape[axis]
    if length == size:
        return data
    index = torch.from_numpy(mirrored(0, size, length)).to(data.device)
    return data.index_select(axis, index)


class _Grid(NamedTuple):
    """A plane, and how many of its pixels are in place of one pixel of the coarsest plane."""

    values: torch.Tensor
    down: int
    across: int

    def piece(self, top: int, bottom: int, left: int, right: int) -> torch.Tensor:
        """The rectangle that has these limits in the coarsest plane."""
        height, width = self.values.shape[-2] // self.down, self.values.shape[-1] // self.across
        rows = _finer(mirrored(top, bottom, height), self.down)
        cols = _finer(mirrored(left, right, width), self.across)
        device = self.values.device
        return self.values[:, rows.to(device)[:, None], cols.to(device)]


def _finer(pixels: np.ndarray, scale: int) -> torch.Tensor:
    """Indices of the pixels in place of some coarse ones, those of each in their own order."""
    return torch.from_numpy((pixels[:, None] * scale + np.arange(scale)).ravel())


def _pass(
    function: Callable[..., Any],
    planes: Sequence[_Grid],
    put: Callable[[Any, int, int], None],
    tile: int,
    margin: int,
    multiple: int,
    device: torch.device,
    label: str | None,
) -> None:
    """Go over all tiles once."""
    height, width = planes[0].values.shape[-2:]
    tall, wide = min(tile, _round_up(height, multiple)), min(tile, _round_up(width, multiple))
    corners = [(top, left) for top in range(0, height, tall) for left in range(0, width, wide)]
    for number, (top, left) in enumerate(corners):
        around = (top - margin, top + tall + margin, left - margin, left + wide + margin)
        pieces = [plane.piece(*around).to(device, torch.float32) for plane in planes]
        with progress.part(number / len(corners), (number + 1) / len(corners)):
            found = function(*pieces)
        kept = (min(tall, height - top), min(wide, width - left))
        several = found if isinstance(found, tuple) else (found,)
        inside = tuple(_inside(one, pieces[0], margin, kept) for one in several)
        put(inside if isinstance(found, tuple) else inside[0], top, left)
        if label is not None:
            progress.report((number + 1) / len(corners), label)


def _inside(
    whole: torch.Tensor, piece: torch.Tensor, margin: int, kept: tuple[int, int]
) -> torch.Tensor:
    """The result of a tile without its margins, as much of it as lies on the plane."""
    rows, cols = (
        slice(margin * times, (margin + length) * times)
        for times, length in zip(_scale(whole, piece), kept, strict=True)
    )
    return whole[:, rows, cols].float()


def _scale(plane: torch.Tensor, coarse: torch.Tensor) -> tuple[int, int]:
    """How many times as high and as wide as `coarse` a plane is."""
    (high, wide), (low, narrow) = plane.shape[-2:], coarse.shape[-2:]
    if high < low or wide < narrow or high % low or wide % narrow:
        raise ValueError(f"{high} x {wide} pixels are no whole multiple of {low} x {narrow}.")
    return high // low, wide // narrow


def _tensor(plane: np.ndarray | torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(plane) if isinstance(plane, np.ndarray) else plane


def _device_of(network: nn.Module | None, source: torch.Tensor) -> torch.device:
    if network is None:
        return source.device
    return next(network.parameters()).device


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
