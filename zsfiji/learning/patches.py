"""Random patches of planes, flipped and rotated."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from zsfiji.compute.symmetries import SYMMETRIES, dihedral, some_symmetry


def random_patches(
    planes: torch.Tensor,
    count: int,
    size: int,
    generator: torch.Generator,
    *,
    symmetries: Sequence[int] = range(SYMMETRIES),
    centres: torch.Tensor | None = None,
) -> torch.Tensor:
    """Draw square patches at random places of random planes.

    Parameters
    ----------
    planes : torch.Tensor
        Shape (planes, channels, height, width), on any device.
    count : int
        Number of patches.
    size : int
        Edge of a patch in pixels; a smaller plane gives patches of its own height or width.
    generator : torch.Generator
        Source of the places, on the CPU, so that no draw waits for the device.
    turns : sequence of int
        Flips and rotations, of which each patch gets one at random; see :func:`dihedral`.
    centres : torch.Tensor, optional
        Integers (places, 3) on the CPU: plane, row and column of the pixels that a patch may be
        centred on, as far as the border allows. Without it all places are equally likely.

    Returns
    -------
    torch.Tensor
        Shape (count, channels, size, size). Where the planes are smaller than `size` and not
        square, the patches are only turned by half turns and flips.
    """
    number, _, height, width = planes.shape
    tall, wide = min(size, height), min(size, width)
    limits = (number, height - tall + 1, width - wide + 1, SYMMETRIES)
    draws = [torch.randint(limit, (count,), generator=generator).tolist() for limit in limits]
    if centres is not None:
        chosen = centres[torch.randint(len(centres), (count,), generator=generator)]
        tops = (chosen[:, 1] - tall // 2).clamp(0, height - tall)
        lefts = (chosen[:, 2] - wide // 2).clamp(0, width - wide)
        draws[:3] = [chosen[:, 0].tolist(), tops.tolist(), lefts.tolist()]
    patches = []
    for plane, top, left, drawn in zip(*draws, strict=True):
        patch = planes[plane, :, top : top + tall, left : left + wide]
        patches.append(dihedral(patch, some_symmetry(symmetries, drawn, square=tall == wide)))
    return torch.stack(patches)
