"""Denoise and deconvolve planes and stacks tile by tile, in limited memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from zsfiji import progress
from zsfiji.compute.scratch import release, scratch_array
from zsfiji.compute.symmetries import SYMMETRIES
from zsfiji.compute.tiling import over_tiles

POSITIONS = {1: (0,), 2: (0, 6), 4: (0, 2, 5, 7), 8: tuple(range(SYMMETRIES))}
"""Flips and rotations for a mean over 1, 2, 4 or 8 of them; see :func:`.symmetries.dihedral`. Two
of the four are transpositions, so that rows and columns are treated alike. Not tuned."""


@dataclass(frozen=True)
class TileSizes:
    """Sizes of the parts that are processed at once. All bound the memory; none is tuned.

    Attributes
    ----------
    tile : int
        Edge of a tile in pixels.
    voxels : int
        Most voxels of a tile of a stack with its margins; the edge of the tile is reduced for it.
    slices : int
        Most slices of a stack that are restored at once; stacks with more are divided into blocks.
    block : int
        Slices of a block.
    block_margin : int
        Slices above and below a block as context: the receptive field of the networks.
    whole_margin : int
        Most mirrored pixels around a stack of a single tile: it has no seams, and the optics assume
        a mirrored border as well.
    """

    tile: int = 512
    voxels: int = 5 * 2**19
    slices: int = 40
    block: int = 24
    block_margin: int = 8
    whole_margin: int = 16


class Piece(NamedTuple):
    """The results of a restorer for a plane (1, row, col), or a stack (pln, row, col).

    Attributes
    ----------
    denoised : torch.Tensor
        Of the same shape.
    sharp : torch.Tensor
        Deconvolved, on the fine grid.
    reblurred : torch.Tensor or None
        For stacks: `sharp`, with the light from beyond the stack, blurred and binned again.
    """

    denoised: torch.Tensor
    sharp: torch.Tensor
    reblurred: torch.Tensor | None = None


class DeconvolvingNetwork(nn.Module):
    """A network that denoises and deconvolves.

    Attributes
    ----------
    upsample : int
        Pixels of the deconvolved image per pixel of the image, along rows and along columns.
    multiple : int
        Heights and widths of the network's input are multiples of this.
    margin : int
        Radius of the receptive field in pixels.
    """

    upsample: int
    multiple: int
    margin: int


class PieceRestorer(Protocol):
    """What :func:`restore` needs of a restorer."""

    @property
    def axes(self) -> int:
        """2 for planes, 3 for stacks."""

    @property
    def tiles(self) -> TileSizes:
        """Sizes of tiles."""

    @property
    def network(self) -> DeconvolvingNetwork:
        """The network."""

    @property
    def symmetries(self) -> tuple[int, ...]:
        """The flips and rotations in which the network can be applied to an image."""

    def restore_piece(
        self, piece: torch.Tensor, positions: Sequence[int], label: str | None
    ) -> Piece:
        """Restore a piece (slices, row, col) in grey levels, as a mean over positions."""


class Results(NamedTuple):
    """The results of a plane (row, col) or a stack (pln, row, col); float32.

    Attributes
    ----------
    denoised, sharp : numpy.ndarray
        As in :class:`Piece`.
    reblurred : numpy.ndarray or None
        As in :class:`Piece`.
    """

    denoised: np.ndarray
    sharp: np.ndarray
    reblurred: np.ndarray | None

    @classmethod
    def empty(cls, shape: tuple[int, ...], fine: int) -> Results:
        """Make scratch arrays for an image of that shape; see :mod:`zsfiji.compute.scratch`."""
        finer = (*shape[:-2], *(n * fine for n in shape[-2:]))
        reblurred = scratch_array(shape) if len(shape) == 3 else None
        return cls(scratch_array(shape), scratch_array(finer), reblurred)

    def view(self, index: Any) -> Results:
        """A view of each."""
        reblurred = None if self.reblurred is None else self.reblurred[index]
        return Results(self.denoised[index], self.sharp[index], reblurred)

    def release(self) -> None:
        """Take those in scratch files out of the memory."""
        for result in self:
            if result is not None:
                release(result)


def restore(
    restorer: PieceRestorer,
    image: np.ndarray,
    label: str | None = None,
    *,
    symmetries: int = SYMMETRIES,
    into: Results | None = None,
) -> Results:
    """Denoise and deconvolve a plane or a stack.

    Parameters
    ----------
    restorer : PieceRestorer
        What was learnt.
    image : numpy.ndarray
        Of any type; (row, col), or (pln, row, col) for a restorer of stacks.
    label : str, optional
        What to report as progress.
    symmetries : {1, 2, 4, 8}
        Number of flips and rotations over which the results are averaged.
    into : Results, optional
        Where to write the results; by default new arrays.

    Returns
    -------
    Results
        In the unit of the image.
    """
    if into is None:
        into = Results.empty(image.shape, restorer.network.upsample)
    positions = [which for which in POSITIONS[symmetries] if which in restorer.symmetries]
    if restorer.axes == 2:
        _restore_slices(restorer, image[None], into.view(None), 0, positions, label)
        return into
    sizes, slices = restorer.tiles, len(image)
    block_slices = slices if slices <= sizes.slices else sizes.block
    for first in range(0, slices, block_slices):
        last = min(first + block_slices, slices)
        low, high = max(0, first - sizes.block_margin), min(slices, last + sizes.block_margin)
        with progress.part(first / slices, last / slices):
            block = into.view(slice(first, last))
            _restore_slices(restorer, image[low:high], block, first - low, positions, label)
        into.release()
    return into


def _restore_slices(
    restorer: PieceRestorer,
    slices: np.ndarray,
    into: Results,
    skipped: int,
    positions: Sequence[int],
    label: str | None,
) -> None:
    """Restore one plane (1, row, col), or the slices of a block, tile by tile.

    The first `skipped` slices, and those beyond the length of `into`, are the context of the
    others.
    """
    network, sizes = restorer.network, restorer.tiles
    margin = network.margin
    tile = _tile(slices.shape, margin, sizes)
    if restorer.axes == 3 and max(slices.shape[-2:]) <= tile:
        margin = min(margin, sizes.whole_margin)
    scales = (1, network.upsample, 1)
    kept = slice(skipped, skipped + len(into.denoised))

    def work(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        piece = restorer.restore_piece(pixels, positions, label)
        return tuple(found[kept] for found in piece if found is not None)

    def put(found: tuple[torch.Tensor, ...], top: int, left: int) -> None:
        for part, result, scale in zip(found, into, scales, strict=False):
            assert result is not None, "there is room for all that a restorer gives"
            bottom, right = top * scale + part.shape[-2], left * scale + part.shape[-1]
            result[:, top * scale : bottom, left * scale : right] = part.cpu().numpy()

    over_tiles(
        work,
        torch.from_numpy(np.ascontiguousarray(slices, dtype=np.float32)),
        put,
        tile=tile,
        margin=margin,
        multiple=network.multiple,
        network=network,
        label=label,
    )


def _tile(shape: tuple[int, ...], margin: int, sizes: TileSizes) -> int:
    """Edge of the tiles of slices of that shape."""
    tile = sizes.tile
    while tile > 64 and shape[0] > 1 and shape[0] * _area(shape, tile, margin) > sizes.voxels:
        tile -= 64
    return tile


def _area(shape: tuple[int, ...], tile: int, margin: int) -> int:
    """Pixels of a slice of a tile with its margins; tiles are not larger than the image."""
    rows, cols = (min(tile, n) + 2 * margin for n in shape[-2:])
    return rows * cols
