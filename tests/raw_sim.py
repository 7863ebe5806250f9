"""Simulated raw SIM images for tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from zsfiji.physics.sim.optics import Blur, RadialTransfer, illumination
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.physics.specimens import specimen

TRANSFER = RadialTransfer(0.37)
READ_VARIANCE = 2.0


def patterns(angles: int = 3, frames: int = 3, waves: int = 1, modulation: float = 0.7) -> Patterns:
    """Equal angles and phases; with `waves` each wave is that many times as fine as the first.

    One angle with three waves is hexagonal.
    """
    if angles == 1 and waves == 3:
        direction = 0.3 + torch.arange(3, dtype=torch.float64) * math.pi / 3
        vectors = 0.33 * torch.stack([direction.sin(), direction.cos()], 1)[None]
        order = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    else:
        direction = 0.3 + torch.arange(angles, dtype=torch.float64) * math.pi / angles
        order = torch.arange(1, waves + 1, dtype=torch.float64)
        vector = 0.33 * torch.stack([direction.sin(), direction.cos()], 1)
        vectors = vector[:, None] * (order / waves)[:, None]
    phase = 0.4 + torch.arange(frames, dtype=torch.float64) * TURN / frames
    return Patterns(
        vectors,
        (order[:, None] * phase).expand(angles, waves, frames).clone(),
        torch.full((angles, waves), modulation / math.sqrt(waves), dtype=torch.float64),
        torch.ones(angles, frames, dtype=torch.float64),
    )


@dataclass(frozen=True)
class Raw:
    """A simulated raw image: noisy, without noise, the specimen and the haze, in photons."""

    stack: torch.Tensor
    clean: torch.Tensor
    specimen: torch.Tensor
    haze: torch.Tensor
    patterns: Patterns


def raw(
    kind: str = "filaments",
    size: int = 64,
    peak: float = 100.0,
    *,
    seed: int = 0,
    haze: float = 0.0,
    light: Patterns | None = None,
) -> Raw:
    """Simulate one; `peak` photons in bright pixels, `haze` relative to the light in focus."""
    light = patterns() if light is None else light
    margin = 12
    whole = (size + 2 * margin,) * 2
    x = torch.from_numpy(specimen(kind, (2 * whole[0],) * 2, seed=seed)).float()
    blur = Blur(TRANSFER, whole)
    moved = light.moved(-float(margin), -float(margin))
    frames = blur.down(illumination(moved, whole) * x)
    rows, cols = torch.linspace(0, 3, whole[0])[:, None], torch.linspace(0, 2, whole[1])
    shape = 1 + torch.sin(rows) * torch.sin(cols)
    wide = haze * frames.mean() * shape / shape.mean()
    frames, wide = (x[..., margin:-margin, margin:-margin] for x in (frames + wide, wide))
    frames = frames.clamp_min(0)
    unit = peak / float(torch.quantile(frames.mean((0, 1)), 0.995))
    draws = torch.Generator().manual_seed(seed + 1)
    clean = frames * unit
    noise = math.sqrt(READ_VARIANCE) * torch.randn(clean.shape, generator=draws)
    inside = slice(2 * margin, -2 * margin)
    noisy = torch.poisson(clean, generator=draws) + noise
    return Raw(noisy, clean, x[inside, inside] * unit, wide * unit, light)
