"""Raw stacks as the authors of SIMFormer simulate them, with their truth.

Nine frames of 3 angles and 3 phases, a two-beam pattern of modulation 0.8 and 5 pixels, an ideal
round lens of NA 1.3 at 488 nm, pixels of 62.6 nm. The mean of the pixels that are not empty is the
number of photons; read noise is a tenth of the standard deviation of the frames. The bright pixels
are not clipped as theirs are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from zsfiji.physics.optics.degradation import bin_mean
from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import Blur, RadialTransfer, waves
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.physics.specimens import thin_specimen

PIXEL = 62.6
"""Width of a raw pixel in nm."""

CUTOFF = 2 * 1.3 / 488 * PIXEL
"""Of the lens, in cycles per raw pixel."""

FACTOR = 6
"""Pixels of the drawing to a raw one."""

MARGIN = 8
"""Width in raw pixels of the field outside the image."""

_EMPTY = 1e-2
"""Pixels below so many standard deviations are empty."""


@dataclass(frozen=True, eq=False)
class PublishedStack:
    """A simulated raw stack.

    Attributes
    ----------
    raw : numpy.ndarray
        float32 (angle, phase, row, col), in photons.
    truth : numpy.ndarray
        float32 (3 row, 3 col), in photons to a raw pixel.
    clean : numpy.ndarray
        `raw` without noise.
    patterns : Patterns
        Of the light.
    transfer : RadialTransfer
        Of the lens.
    read_noise : float
        Its standard deviation in photons.
    """

    raw: NDArray[np.float32]
    truth: NDArray[np.float32]
    clean: NDArray[np.float32]
    patterns: Patterns
    transfer: RadialTransfer
    read_noise: float


def published_stack(
    kind: str,
    side: int = 128,
    *,
    photons: float,
    seed: int,
    period: float = 5.0,
    modulation: float = 0.8,
    noise: float = 0.1,
    width: float | None = None,
) -> PublishedStack:
    """Simulate a stack.

    Parameters
    ----------
    kind : str
        One of :data:`zsfiji.physics.specimens.THIN_KINDS`.
    side : int
        Rows and columns in raw pixels.
    photons : float
        Mean of the pixels that are not empty.
    seed : int
        Specimen and patterns of a seed are the same at every number of photons.
    period : float
        Of the pattern in raw pixels.
    modulation : float
        Of the pattern, 0 to 1.
    noise : float
        Read noise in standard deviations of the frames.
    width : float, optional
        Of the structures, see :func:`~zsfiji.physics.specimens.thin_specimen`.
    """
    draws = np.random.default_rng([seed, 714])
    field = side + 2 * MARGIN
    drawn = thin_specimen(
        kind, (field * FACTOR,) * 2, draws=draws, pixel=PIXEL / FACTOR, width=width
    )
    return stack_of(
        drawn,
        draws,
        photons=photons,
        seed=seed,
        period=period,
        modulation=modulation,
        noise=noise,
    )


def stack_of(
    drawn: NDArray[np.float32],
    draws: np.random.Generator,
    *,
    photons: float,
    seed: int,
    period: float = 5.0,
    modulation: float = 0.8,
    noise: float = 0.1,
) -> PublishedStack:
    """Simulate a stack of a specimen.

    Parameters
    ----------
    drawn : numpy.ndarray
        float32, square, :data:`FACTOR` pixels to a raw one, with :data:`MARGIN` raw pixels beyond
        the image on each side.
    draws : numpy.random.Generator
        For the directions and phases of the patterns.
    photons, seed, period, modulation, noise
        See :func:`published_stack`; the seed is that of the noise.
    """
    field = drawn.shape[0] // FACTOR
    patterns = _patterns(draws, period, modulation)
    transfer = RadialTransfer(CUTOFF)
    density = torch.from_numpy(drawn)
    frames = _frames(density, patterns.moved(-MARGIN, -MARGIN), transfer, field)
    inside = slice(MARGIN, field - MARGIN)
    clean = frames[..., inside, inside].clamp_min(0).numpy()
    unit = photons / float(clean[clean > _EMPTY * clean.std()].mean())
    clean = clean * np.float32(unit)
    read_noise = noise * float(clean.std())
    shots = np.random.default_rng([seed, 715])
    raw = shots.poisson(clean) + read_noise * shots.standard_normal(clean.shape)
    fine = slice(SCALE * inside.start, SCALE * inside.stop)
    truth = bin_mean(density, FACTOR // SCALE)[fine, fine].numpy() * np.float32(unit)
    return PublishedStack(raw.astype(np.float32), truth, clean, patterns, transfer, read_noise)


def _patterns(draws: np.random.Generator, period: float, modulation: float) -> Patterns:
    turns = draws.uniform(0, 2 * math.pi) + np.radians([0, 120, 240])
    vectors = np.stack([np.sin(turns), np.cos(turns)], 1)[:, None] / period
    steps = 2 * math.pi * np.arange(3) / 3
    phases = draws.uniform(0, 2 * math.pi, (3, 1, 1)) + steps
    return Patterns(
        torch.from_numpy(vectors),
        torch.from_numpy(phases),
        torch.full((3, 1), modulation, dtype=torch.float64),
        torch.ones(3, 3, dtype=torch.float64),
    )


def _frames(
    density: torch.Tensor, patterns: Patterns, transfer: RadialTransfer, field: int
) -> torch.Tensor:
    """Frames (angle, phase, row, col) of the whole field without noise."""
    blur = Blur(transfer, (field, field), FACTOR)
    plain = blur.down(density)
    there = torch.view_as_real(waves(patterns, (field, field), FACTOR)[:, 0]).movedim(-1, 1)
    bands = blur.down(there * density)
    strength = patterns.modulation[..., None]
    cos, sin = (strength * f(patterns.phases) for f in (torch.cos, torch.sin))
    modulated = torch.einsum(
        "anc,acyx->anyx", torch.stack([cos[:, 0], -sin[:, 0]], -1).float(), bands
    )
    return plain + modulated
