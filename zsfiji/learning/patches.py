"""Random patches of planes and stacks, flipped and rotated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from zsfiji.compute.symmetries import SYMMETRIES, dihedral, some_symmetry

Cut = Callable[[torch.Tensor, int], torch.Tensor]
"""Takes a stack and the factor by which its grid is finer than that of the image; gives a patch."""


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
    symmetries : sequence of int
        Flips and rotations, of which each patch gets one at random; see :func:`dihedral`.
    centres : torch.Tensor, optional
        Integers (places, 3) on the CPU: plane, row and column of the pixels that a patch may be
        centred on, unless it is too near to the border. Without it all places are equally likely.

    Returns
    -------
    torch.Tensor
        Shape (count, channels, size, size). Where the planes are smaller than `size` and not
        square, the patches are flipped and rotated by half turns only.
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


def turned(patches: torch.Tensor, degrees: torch.Tensor, size: int) -> torch.Tensor:
    """Rotate square patches about their middle, with linear interpolation, and crop the middle.

    Parameters
    ----------
    patches : torch.Tensor
        Shape (count, channels, edge, edge); the edge is at least the diagonal of the result, so
        that nothing from outside is needed.
    degrees : torch.Tensor
        An angle for each patch, (count,).
    size : int
        Edge of the result in pixels.

    Returns
    -------
    torch.Tensor
        Shape (count, channels, size, size).
    """
    edge = patches.shape[-1]
    if edge < 2**0.5 * size - 1:
        raise ValueError(f"patches of {edge} pixels are too small to give {size} after a rotation")
    angle = torch.deg2rad(degrees.to(patches))
    cos, sin = angle.cos() * size / edge, angle.sin() * size / edge
    none = torch.zeros_like(cos)
    rows = [torch.stack([cos, -sin, none], 1), torch.stack([sin, cos, none], 1)]
    shape = [len(patches), patches.shape[1], size, size]
    places = F.affine_grid(torch.stack(rows, 1), shape, align_corners=False)
    return F.grid_sample(patches, places, align_corners=False)


def random_slices(patches: torch.Tensor, depth: int, generator: torch.Generator) -> torch.Tensor:
    """Crop patches of stacks (count, pln, row, col) to `depth` slices at random positions."""
    slices = patches.shape[1]
    if slices == depth:
        return patches
    starts = torch.randint(slices - depth + 1, (len(patches),), generator=generator).tolist()
    return torch.stack([p[s : s + depth] for p, s in zip(patches, starts, strict=True)])


def aligned_cut(
    shape: torch.Size,
    size: int,
    depth: int,
    generator: torch.Generator,
    *,
    symmetries: Sequence[int] = range(SYMMETRIES),
    multiple: int = 4,
) -> Cut:
    """Choose a random patch at the same place of several stacks of one field.

    Parameters
    ----------
    shape : torch.Size
        (pln, row, col) of the image.
    size, depth : int
        Edge and slices of the patch; a smaller image gives patches of its own size.
    generator : torch.Generator
        Source of the place and of the position, on the CPU.
    symmetries : sequence of int
        Flips and rotations, of which one is drawn.
    multiple : int
        Rows and columns begin at multiples of this.

    Returns
    -------
    callable
        Takes a stack of the field and the factor by which its grid is finer than that of the image
        along rows and columns; gives the patch.
    """
    depth = min(depth, shape[0])
    places = (shape[0] - depth + 1, *((n - min(size, n)) // multiple + 1 for n in shape[1:]))
    first, row, col, drawn = (
        int(torch.randint(n, (), generator=generator)) for n in (*places, SYMMETRIES)
    )
    tall, wide = (min(size, n) for n in shape[1:])
    which = some_symmetry(symmetries, drawn, square=tall == wide)

    def cut(stack: torch.Tensor, fine: int) -> torch.Tensor:
        top, left = multiple * row * fine, multiple * col * fine
        part = stack[first : first + depth, top : top + tall * fine, left : left + wide * fine]
        return dihedral(part, which)

    return cut


def structured_part(
    data: torch.Tensor, centres: torch.Tensor, number: int, *, voxels: int, slices: int
) -> torch.Tensor:
    """Crop a part with structure from one of several stacks.

    Parameters
    ----------
    data : torch.Tensor
        Shape (stacks, pln, row, col).
    centres : torch.Tensor
        Integers (places, 3): stack, row and column of pixels with structure.
    number : int
        Number of the stack; after the last one comes the first one again.
    voxels, slices : int
        Most voxels and slices of the part.

    Returns
    -------
    torch.Tensor
        Shape (pln, row, col), a view: the middle slices, around the median of the centres. Rows and
        columns are multiples of 4.
    """
    number = number % len(data)
    stack = data[number]
    slices = min(len(stack), slices)
    first = (len(stack) - slices) // 2
    side = int((voxels / slices) ** 0.5) // 4 * 4
    mine = centres[centres[:, 0] == number]
    centre = mine[:, 1:].float().median(0).values.long().tolist() if len(mine) else [0, 0]
    bounds = []
    for middle, length in zip(centre, stack.shape[-2:], strict=True):
        kept = min(side, length) // 4 * 4
        low = min(max(0, middle - kept // 2), length - kept)
        bounds.append(slice(low, low + kept))
    return stack[first : first + slices, bounds[0], bounds[1]]


def inside(image: torch.Tensor, margin: int, slices: int = 0) -> torch.Tensor:
    """Crop `margin` rows and columns, and `slices` slices, at each end of (..., row, col)."""
    image = image[..., margin : image.shape[-2] - margin, margin : image.shape[-1] - margin]
    return image[..., slices : image.shape[-3] - slices, :, :] if slices else image
