"""Raw stacks of an image: what is wrong with them, and what can be found in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from zsfiji.errors import UserError
from zsfiji.parameters.sim import FEWEST_FRAMES
from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Found
from zsfiji.reconstruction.frames import require_different
from zsfiji.services.sim.finding import dark_level
from zsfiji.services.sim.given import layouts_of
from zsfiji.words import counted


@dataclass(frozen=True)
class Optics:
    """What is known of the microscope; nothing has to be.

    Attributes
    ----------
    background : float, optional
        Grey level without light.
    cutoff : float, optional
        Highest frequency that the lens passes, in cycles per pixel.
    damping : float, optional
        What remains of its OTF there.
    layout : {"auto", "two-beam", "three-beam", "hexagonal"}
        What makes the pattern.
    """

    background: float | None = None
    cutoff: float | None = None
    damping: float | None = None
    layout: str = "auto"


def check(stack: np.ndarray) -> None:
    """Refuse a stack (angle, phase, row, col) that nothing can be found in.

    Raises
    ------
    UserError
        If it has too few frames, or copies among them.
    """
    require_enough(int(stack.shape[0]), int(stack.shape[1]))
    require_different(stack)


def find(stack: np.ndarray, optics: Optics) -> Found:
    """Find patterns, optics and noise of a stack (angle, phase, row, col) in grey levels.

    Raises
    ------
    UserError
        If there is no modulation in it.
    """
    found = blind.find(
        torch.from_numpy(np.asarray(stack, np.float32)),
        background_of(stack, optics),
        layouts_of(optics.layout, stack.shape[0], stack.shape[1]),
        cutoff=optics.cutoff,
        damping=optics.damping,
    )
    if not bool(found.search.found.any()):
        raise UserError(
            "No modulation was found in this image, so it has no more than a wide-field image. "
            "Check that it is a raw SIM image, and give the order of its frames; SIM Parameters... "
            "shows what there is."
        )
    return found


def background_of(stack: np.ndarray, optics: Optics) -> float:
    """Grey level without light: the given one, or the darkest place."""
    return dark_level(stack) if optics.background is None else optics.background


def require_enough(angles: int, phases: int) -> None:
    """Refuse an image with too few frames.

    Raises
    ------
    UserError
        If there are fewer than :data:`.FEWEST_FRAMES`.
    """
    if angles * phases < FEWEST_FRAMES:
        raise UserError(
            f"The image has {counted(angles * phases, 'frame')}, and blind SIM needs at least "
            f"{FEWEST_FRAMES}: three phases in each of three directions, or seven frames of a "
            "hexagonal pattern. Give the order of the frames if there are more."
        )
