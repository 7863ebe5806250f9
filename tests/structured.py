"""A small raw SIM stack for tests, cut out of a larger field, on the grid of the reconstruction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from zsfiji.physics.sim.optics import Blur, RadialTransfer, frequencies, illumination
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.physics.specimens import specimen

CUTOFF = 2 * 1.49 / 525 * 65
"""Of NA 1.49 at 525 nm on pixels of 65 nm, in cycles per pixel."""

TRANSFER = RadialTransfer(CUTOFF)
READ = 1.5


@dataclass(frozen=True)
class Stack:
    """A simulated stack: what the camera sees in photons, without noise, and the specimen."""

    noisy: torch.Tensor
    expected: torch.Tensor
    truth: torch.Tensor
    patterns: Patterns


def patterns(
    angles: int = 3,
    frames: int = 3,
    waves: int = 1,
    *,
    spacing: float = 0.9,
    modulation: float = 0.7,
    direction: float = 0.3,
) -> Patterns:
    """Patterns that are equally spaced; the finest wave is at `spacing` of the cut-off."""
    turn = direction + torch.arange(angles, dtype=torch.float64) * math.pi / angles
    vector = spacing * CUTOFF * torch.stack([turn.sin(), turn.cos()], 1)
    order = torch.arange(1, waves + 1, dtype=torch.float64)
    phase = 0.4 + torch.arange(frames, dtype=torch.float64) * TURN / frames
    return Patterns(
        vector[:, None] * (order / waves)[:, None],
        (order[:, None] * phase).expand(angles, waves, frames).clone(),
        torch.full((angles, waves), modulation, dtype=torch.float64),
        torch.ones(angles, frames, dtype=torch.float64),
    )


def hexagonal(*, spacing: float = 0.8, modulation: float = 0.4) -> Patterns:
    """Three waves at once, in seven frames."""
    one = patterns(3, 7, spacing=spacing, modulation=modulation)
    steps = torch.arange(7, dtype=torch.float64)[None, :] * torch.tensor([[1.0], [2.0], [-3.0]])
    phases = 0.4 + TURN / 7 * steps
    return Patterns(
        one.wave_vectors[:, 0][None],
        phases[None].double(),
        one.modulation[:, 0][None],
        torch.ones(1, 7, dtype=torch.float64),
    )


def simulate(
    kind: str = "filaments",
    shape: tuple[int, int] = (96, 96),
    peak: float = 100.0,
    given: Patterns | None = None,
    *,
    seed: int = 0,
    haze: float = 0.0,
    transfer: RadialTransfer = TRANSFER,
    moved: tuple[float, float] = (0.0, 0.0),
) -> Stack:
    """Photons per raw frame in the brightest pixels of the wide-field image are `peak`.

    The specimen is moved by `moved` raw pixels, down and to the right.
    """
    given = given or patterns()
    margin = 16
    wide = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    density = torch.from_numpy(specimen(kind, tuple(2 * n for n in wide), seed=seed)).float()
    blur = Blur(transfer, wide)
    if any(moved):
        rows, cols = frequencies(wide, blur.scale)
        turn = torch.exp(-1j * TURN * (moved[0] * rows + moved[1] * cols))
        density = torch.fft.irfft2(torch.fft.rfft2(density) * turn, s=blur.fine).clamp_min(0)
    light = illumination(given.moved(-margin, -margin), wide)
    inside = (..., slice(margin, margin + shape[0]), slice(margin, margin + shape[1]))
    fine = tuple(slice(2 * s.start, 2 * s.stop) for s in inside[1:])
    everywhere = blur.down(density)[inside]
    unit = peak / float(torch.quantile(everywhere.flatten(), 0.995))
    seen = blur.down(light * density)[inside] * unit
    seen = (seen + haze * float(seen.mean())).clamp_min(0)
    draws = torch.Generator().manual_seed(seed + 5)
    noisy = torch.poisson(seen, generator=draws)
    noisy = noisy + READ * torch.randn(seen.shape, generator=draws)
    return Stack(noisy, seen, density[fine] * unit, given)


def psnr(image: torch.Tensor, truth: torch.Tensor, border: int = 16) -> float:
    """After a fit of gain and offset; the range is that of the truth to its 99.9 % quantile."""
    inside = (slice(border, -border),) * 2
    x, y = (v[inside].double().flatten() for v in (image, truth))
    x = x - x.mean()
    fitted = x * float((x * (y - y.mean())).sum() / x.square().sum()) + y.mean()
    span = float(torch.quantile(y, 0.999) - y.min())
    return 10 * math.log10(span**2 / float((fitted - y).square().mean()))
