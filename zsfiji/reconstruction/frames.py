"""What is wrong with the frames of a raw SIM image themselves, before any search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zsfiji.errors import UserError
from zsfiji.physics.camera.calibration.saturation import find_saturation

_SATURATED = 1e-4
"""Share of the pixels at the highest value from which the image counts as saturated. Not tuned: a
hot pixel or two are fewer."""

_BLOCK = 8
"""Edge of the blocks of JPEG."""

_BLOCKY = 1.1
"""Steps between blocks over the largest ones inside them, from which an image has blocks. Not
tuned: noise and specimens have about 1.0, JPEG of quality 75 has 1.2 to 1.5."""


def require_different(stack: NDArray[np.generic], *, empty: bool = False) -> None:
    """Refuse a stack in which a frame is there twice.

    Parameters
    ----------
    stack : numpy.ndarray
        (angle, frame, row, col), as acquired.
    empty : bool
        Whether there may be frames of a single value, which are no copies then: those of the
        outermost slices of a stack.

    Raises
    ------
    UserError
        If two frames are the same in every pixel.
    """
    angles, frames = stack.shape[:2]
    seen: dict[bytes, tuple[int, int]] = {}
    for angle in range(angles):
        for frame in range(frames):
            one = stack[angle, frame]
            if empty and one.min() == one.max():
                continue
            key = np.ascontiguousarray(one).tobytes()
            if key in seen:
                first = seen[key]
                raise UserError(
                    f"Two frames are the same: phase {first[1] + 1} of angle {first[0] + 1} and "
                    f"phase {frame + 1} of angle {angle + 1}. A pattern cannot be found in copies: "
                    "open the raw stack as the microscope saved it, or acquire again."
                )
            seen[key] = (angle, frame)


def saturated(stack: NDArray[np.generic]) -> float:
    """Share of the pixels that are cut off at the highest value; 0 if too few to be cut off.

    Parameters
    ----------
    stack : numpy.ndarray
        (angle, frame, row, col), as acquired.
    """
    _, share = find_saturation([stack])
    return share if share > _SATURATED else 0.0


def saturation_said(stack: NDArray[np.generic]) -> list[str]:
    """Say that pixels are cut off."""
    share = saturated(stack)
    if not share:
        return []
    return [
        f"{100 * share:.2g} % of the pixels are saturated: they do not follow the pattern, and the "
        "reconstruction has stripes there. Acquire with less light or a shorter exposure."
    ]


def blocks_said(stack: NDArray[np.generic]) -> list[str]:
    """Say that the image was compressed in blocks, as JPEG does."""
    if not _blocky(np.asarray(stack, np.float64)):
        return []
    return [
        "The image has blocks of 8 x 8 pixels, as JPEG leaves them: fine stripes are lost in such "
        "files. Open the file of the camera."
    ]


def _blocky(stack: NDArray[np.float64]) -> bool:
    ratios = []
    for axis in (-2, -1):
        step = np.abs(np.diff(stack, axis=axis))
        other = tuple(i for i in range(stack.ndim) if i != stack.ndim + axis)
        line = step.mean(other)
        if len(line) < 4 * _BLOCK:
            return False
        phases = np.array([line[i::_BLOCK].mean() for i in range(_BLOCK)])
        # Blocks begin at the corner unless the image was cropped.
        top, next_ = np.sort(phases)[:-3:-1]
        ratios.append(top / max(next_, 1e-12))
    return min(ratios) > _BLOCKY
