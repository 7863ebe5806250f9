"""Planes and stacks as sequences of slices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zsfiji.compute.scratch import release


def slicewise(image: np.ndarray) -> np.ndarray:
    """A view of a plane or a stack as (slices, row, col)."""
    return image[None] if image.ndim == 2 else image


def each_slice(image: np.ndarray) -> Iterator[np.ndarray]:
    """Yield one slice after the other; those of a scratch file do not stay in the memory."""
    for plane in slicewise(image):
        yield plane
        release(plane)


def middle_slice(image: np.ndarray) -> np.ndarray:
    """The middle slice of a stack, or the plane itself."""
    slices = slicewise(image)
    return slices[len(slices) // 2]


def middle_slices(stack: np.ndarray, voxels: int, fewest: int) -> np.ndarray:
    """Give the middle slices of a large stack.

    Parameters
    ----------
    stack : numpy.ndarray
        (pln, row, col).
    voxels : int
        Most voxels that are kept, unless these would be fewer slices than `fewest`.
    fewest : int
        Least number of slices.

    Returns
    -------
    numpy.ndarray
        The stack itself if it is not larger, otherwise a copy of its middle.
    """
    if stack.size <= voxels:
        return stack
    kept = max(fewest, voxels // stack[0].size)
    first = (len(stack) - kept) // 2
    return stack[first : first + kept].copy()


def spread_slices(stack: np.ndarray, most: int) -> list[np.ndarray]:
    """Choose at most `most` evenly spread slices of a stack; a plane is a single slice."""
    slices = slicewise(stack)
    return list(slices[:: -(-len(slices) // most)])
