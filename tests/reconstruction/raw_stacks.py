"""Small raw SIM stacks of known patterns."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from zsfiji.physics.sim.optics import Blur, RadialTransfer, frequencies, illumination
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.physics.specimens import specimen

TRANSFER = RadialTransfer(2 * 1.49 / 525 * 65)
"""NA 1.49, 525 nm, pixels of 65 nm."""


def patterns(
    angles: int = 3,
    frames: int = 3,
    *,
    waves: int = 1,
    share: float = 0.9,
    modulation: float = 0.7,
    first: float = 0.3,
    seed: int = 1,
) -> Patterns:
    """Equally spaced angles and phases; `share` is the finest frequency over the cut-off."""
    draws = np.random.default_rng(seed)
    if waves == 3:
        directions = first + np.arange(3)[None] * math.pi / 3
        length = np.ones(3)
        steps = np.arange(1, 4)
    else:
        directions = np.repeat((first + np.arange(angles) * math.pi / angles)[:, None], waves, 1)
        length = np.arange(1, waves + 1) / waves
        steps = np.arange(1, waves + 1)
    vectors = (
        share
        * TRANSFER.cutoff
        * length[:, None]
        * np.stack([np.sin(directions), np.cos(directions)], -1)
    )
    start = draws.uniform(0, 2 * math.pi, directions.shape)
    phases = start[..., None] + steps[:, None] * np.arange(frames) * 2 * math.pi / frames
    return Patterns(
        torch.tensor(vectors),
        torch.tensor(phases),
        torch.full(directions.shape, modulation, dtype=torch.float64),
        torch.ones(len(directions), frames, dtype=torch.float64),
    )


@dataclass
class Raw:
    """A raw stack (angle, frame, row, col) in photons and what made it."""

    stack: torch.Tensor
    patterns: Patterns


def record(
    true: Patterns,
    shape: tuple[int, int] = (128, 128),
    *,
    kind: str = "filaments",
    peak: float = 100.0,
    haze: float = 0.0,
    seed: int = 3,
    moved: tuple[float, float] = (0.0, 0.0),
) -> Raw:
    """A specimen under patterns; `peak` photons in the brightest pixels, 1.5 e- read noise.

    The field is cut out of a larger one, so that its edges do not meet.
    """
    margin = 12
    whole = tuple(n + 2 * margin for n in shape)
    blur = Blur(TRANSFER, whole)
    found = torch.from_numpy(np.asarray(specimen(kind, blur.fine, seed=seed))).float()
    rows, cols = frequencies(whole, blur.scale)
    turn = torch.exp(-1j * TURN * (moved[0] * rows + moved[1] * cols))
    found = torch.fft.irfft2(torch.fft.rfft2(found) * turn, s=blur.fine)
    light = illumination(true.moved(-margin, -margin), whole)
    stack = blur.down(light * found)
    stack = stack + haze * float(stack.mean()) * true.brightness.float()[..., None, None]
    stack = stack[..., margin : margin + shape[0], margin : margin + shape[1]]
    level = torch.quantile(stack.mean((0, 1)).flatten(), 0.995)
    draws = torch.Generator().manual_seed(seed)
    stack = torch.poisson((stack / level * peak).clamp_min(0), generator=draws)
    stack += 1.5 * torch.randn(stack.shape, generator=draws)
    return Raw(stack, true)
