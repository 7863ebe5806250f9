"""Simulated raw stacks to learn from, made as they are needed.

Drawing a specimen and blurring it takes longer than a step of a small network. So the last few
hundred specimens are kept in the memory with the images of their bands, from which each use makes
new frames: other phases, contrast, brightness, background, noise and orientation. Every number
depends on the seed and on the number of the step alone, so a training that is continued sees what
a single one would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import Blur, RadialTransfer, waves
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.physics.sim.published import CUTOFF, PIXEL
from zsfiji.physics.specimens import specimen, thin_specimen
from zsfiji.services.simformer.batch import Batch, Imaging

_KINDS = {"curve": 0.27, "tube": 0.27, "ring": 0.17, "mixture": 0.15, "dots": 0.06, "blobs": 0.08}
"""How often each kind of thin specimen is drawn."""

_SOLID = ("filaments", "tubules", "vesicles", "reticulum", "mixed", "spots")
"""The specimens of the simulator that are learned from: without them tubes are always hollow."""

_SOLID_SHARE = 0.25
"""How many of the varied specimens are of these."""

_MARGIN = 8
"""Raw pixels of the field outside a crop."""

_PHOTONS = (0.3, 2000.0)
"""Fewest and most mean photons of the pixels that are not empty."""

_FAINTEST = 2e-4
"""Least mean of the emitter in a crop; others are drawn again."""

_EMPTY = 1e-2
"""Pixels below so many standard deviations of the frames are empty."""


@dataclass(frozen=True, eq=False)
class Specimen:
    """A simulated specimen with the images of its bands.

    Attributes
    ----------
    emitter : numpy.ndarray
        float16 (3 row, 3 col), 0 to 1.
    bands : numpy.ndarray
        float32 (1 + 2 angles, row, col): blurred, and blurred times cosine and sine of the waves.
    wave_vectors : numpy.ndarray
        (angle, 2).
    cutoff, damping : float
        Of the lens.
    """

    emitter: NDArray[np.float16]
    bands: NDArray[np.float32]
    wave_vectors: NDArray[np.float64]
    cutoff: float
    damping: float


def make_specimen(seed: int, number: int, crop: int, *, varied: bool = True) -> Specimen:
    """Draw and blur a specimen.

    Parameters
    ----------
    seed, number : int
        Together they decide about everything.
    crop : int
        Rows and columns in raw pixels.
    varied : bool
        Whether it may be solid, and not one of the thin specimens only.
    """
    draws = np.random.default_rng([seed, 1, number])
    field = crop + 2 * _MARGIN
    usual = draws.random() < 0.5
    cutoff = CUTOFF * draws.uniform(0.98, 1.02) if usual else draws.uniform(0.24, 0.44)
    damping = 1.0 if draws.random() < 0.6 else draws.uniform(0.2, 1.0)
    pixel = PIXEL if usual else math.exp(draws.uniform(math.log(45), math.log(85)))
    size = draws.uniform(0.18, 0.30) if draws.random() < 0.6 else draws.uniform(0.1, 1) * cutoff
    size = min(size, 1.02 * cutoff)
    turns = draws.uniform(0, TURN) + draws.choice([-1, 1]) * np.radians([0, 60, 120])
    turns = turns + math.pi * draws.integers(0, 2, 3) + draws.normal(0, 0.01, 3)
    vectors = size * draws.normal(1, 0.003, (3, 1)) * np.stack([np.sin(turns), np.cos(turns)], 1)
    transfer = RadialTransfer(cutoff, damping)
    blur = Blur(transfer, (field, field), SCALE)
    unused = torch.zeros(3, 1, 1, dtype=torch.float64)
    patterns = Patterns(torch.from_numpy(vectors)[:, None], unused, unused[..., 0], unused[..., 0])
    patterns = patterns.moved(-_MARGIN, -_MARGIN)
    turn = torch.exp(1j * patterns.phases)[..., None].to(torch.complex64)
    there = torch.view_as_real(waves(patterns, (field, field), SCALE) * turn)
    there = there.movedim(-1, 2).flatten(0, 2)
    inside = slice(_MARGIN, _MARGIN + crop)
    fine = slice(SCALE * inside.start, SCALE * inside.stop)
    while True:
        if varied and draws.random() < _SOLID_SHARE:
            drawn = solid((SCALE * field,) * 2, pixel / SCALE, draws)
        else:
            drawn = _thin((SCALE * field,) * 2, pixel / SCALE, draws)
        if drawn[fine, fine].mean() > _FAINTEST:
            break
    density = torch.from_numpy(drawn)
    bands = blur.down(torch.cat([density[None], there * density]))[:, inside, inside]
    return Specimen(drawn[fine, fine].astype(np.float16), bands.numpy(), vectors, cutoff, damping)


def _thin(shape: tuple[int, int], pixel: float, draws: np.random.Generator) -> NDArray[np.float32]:
    kinds = list(_KINDS)
    kind = kinds[int(draws.choice(len(kinds), p=list(_KINDS.values())))]
    width = None
    if draws.random() < 0.4:
        # Three draws, of which one is used: the shipped networks have learned from these.
        widths = draws.uniform(1, 5, 3)
        width = widths[{"curve": 0, "tube": 1}.get(kind, 2)]
    wide = draws.uniform(140, 256) * PIXEL
    return thin_specimen(kind, shape, draws=draws, pixel=pixel, field=wide, width=width)


def solid(shape: tuple[int, int], pixel: float, draws: np.random.Generator) -> NDArray[np.float32]:
    """Draw a specimen of ``SIM Simulator...``, from 0 to 1; `pixel` is the size of one in nm."""
    while True:
        kind = _SOLID[int(draws.integers(len(_SOLID)))]
        size = math.exp(draws.uniform(math.log(0.5), math.log(2)))
        drawn = specimen(kind, shape, seed=int(draws.integers(2**31)), pixel=pixel / size)
        # The simulator adds a faint haze; the emitter is what is in focus.
        drawn = drawn - drawn.min()
        # Once in many thousands there is nothing in so small a field.
        if drawn.any():
            return (drawn / drawn.max()).astype(np.float32)


class Stream:
    """Batches of simulated raw stacks.

    Parameters
    ----------
    seed : int
        Of everything.
    crop : int
        Rows and columns in raw pixels.
    batch : int
        Stacks of a step.
    kept : int
        Specimens in the memory.
    renewed : int
        New specimens in each step.
    varied_from : int
        Number of the first specimen that may be solid.
    """

    def __init__(
        self,
        seed: int,
        *,
        crop: int = 48,
        batch: int = 4,
        kept: int = 768,
        renewed: int = 1,
        varied_from: int = 0,
    ) -> None:
        self.seed, self.crop, self.size, self._varied_from = seed, crop, batch, varied_from
        self._kept, self._renewed = kept, renewed
        self._specimens: dict[int, Specimen] = {}

    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        first = step * self._renewed
        wanted = range(first, first + self._kept)
        self._specimens = {n: self._specimens.get(n) or self._made(n) for n in wanted}
        draws = np.random.default_rng([self.seed, 2, step])
        chosen = draws.integers(first, first + self._kept, self.size)
        return _stacked([_exposed(self._specimens[int(n)], draws) for n in chosen])

    def _made(self, number: int) -> Specimen:
        varied = number >= self._varied_from
        return make_specimen(self.seed, number, self.crop, varied=varied)


@dataclass(frozen=True, eq=False)
class _Stack:
    frames: NDArray[np.float32]
    emitter: NDArray[np.float32]
    true: tuple[NDArray, NDArray, NDArray, float, float]
    given: tuple[NDArray, NDArray, NDArray, float, float]
    gain: float
    read_variance: float


def _exposed(specimen: Specimen, draws: np.random.Generator) -> _Stack:
    """Frames of a specimen: light, orientation and noise."""
    emitter, bands, vectors, first = turned(specimen, draws)
    side = emitter.shape[0] // SCALE
    modulation = np.full(3, 0.8)
    if draws.random() < 0.6:
        modulation = draws.uniform(0.35, 1) * draws.uniform(0.85, 1, 3)
    steps = TURN * np.arange(3) / 3
    if draws.random() < 0.5:
        steps = steps + draws.normal(0, 0.05, (3, 3))
    phases = draws.uniform(0, TURN, (3, 1)) + steps
    frames = mixed(bands, phases - first[:, None], modulation)
    seen = frames > _EMPTY * frames.std()
    photons = math.exp(draws.uniform(*np.log(_PHOTONS)))
    unit = photons / max(float(frames[seen].mean()), 1e-9)
    frames *= unit
    spread = float(frames.std())
    if draws.random() < 0.35:
        frames = frames + photons * math.exp(draws.uniform(-3, 0.3)) * _haze(side, draws)
    read_noise = spread * (0.1 if draws.random() < 0.5 else draws.uniform(0.01, 0.15))
    noisy = draws.poisson(frames) + read_noise * draws.standard_normal(frames.shape)
    unsure = 1 / math.sqrt(1 + photons)
    amount = draws.uniform(0, 1)
    given_vectors = vectors * (1 + draws.normal(0, amount * (2e-4 + 1e-3 * unsure), (3, 1)))
    across = np.stack([-vectors[:, 1], vectors[:, 0]], 1)
    given_vectors += across * draws.normal(0, amount * (2e-4 + 1e-3 * unsure), (3, 1))
    # Patterns are found in the middle of an image.
    middle = (given_vectors - vectors).sum(1, keepdims=True) * TURN * (side - 1) / 2
    given_phases = phases - middle + draws.normal(0, amount * (0.02 + 0.25 * unsure), (3, 1))
    given_modulation = modulation * np.exp(draws.normal(0, amount * (0.05 + 0.15 * unsure), 3))
    given_cutoff = specimen.cutoff * math.exp(draws.normal(0, amount * (0.015 + 0.05 * unsure)))
    given_damping = specimen.damping * math.exp(draws.normal(0, 0.15 * amount))
    return _Stack(
        noisy.astype(np.float32),
        emitter.astype(np.float32) * np.float32(unit),
        (vectors, phases, modulation, specimen.cutoff, specimen.damping),
        (
            given_vectors,
            given_phases,
            given_modulation.clip(0.05, 1),
            given_cutoff,
            min(given_damping, 1.0),
        ),
        math.exp(draws.normal(0, 0.1)),
        read_noise**2 * math.exp(draws.normal(0, 0.2)),
    )


def mixed(
    bands: NDArray[np.float32], phases: NDArray[np.float64], modulation: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Frames (angle, phase, row, col) without noise.

    Parameters
    ----------
    bands : numpy.ndarray
        See :class:`Specimen`.
    phases : numpy.ndarray
        (angle, phase): of the pattern, beyond those of the waves of the bands.
    modulation : numpy.ndarray
        (angle,).
    """
    turn = modulation[:, None] * np.stack([np.cos(phases), -np.sin(phases)])
    waves_of = bands[1:].reshape(len(phases), 2, *bands.shape[1:])
    frames = bands[0] + np.einsum("can,acyx->anyx", turn.astype(np.float32), waves_of)
    return np.maximum(frames, 0).astype(np.float32)


def turned(
    specimen: Specimen, draws: np.random.Generator
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Mirror and transpose a specimen: emitter, bands, wave vectors, and phases of the waves.

    The waves of the bands are cos(2 pi k r + phase) and sin of the same, with the new k and r.
    """
    emitter, bands = specimen.emitter, specimen.bands
    vectors, first = specimen.wave_vectors.copy(), np.zeros(3)
    last = bands.shape[-1] - 1
    for axis in range(2):
        if draws.random() < 0.5:
            emitter, bands = np.flip(emitter, axis), np.flip(bands, axis + 1)
            first = first + TURN * vectors[:, axis] * last
            vectors[:, axis] *= -1
    if draws.random() < 0.5:
        emitter, bands = emitter.T, bands.swapaxes(-1, -2)
        vectors = vectors[:, ::-1].copy()
    return emitter, bands, vectors, first


def _haze(side: int, draws: np.random.Generator) -> NDArray[np.float32]:
    """Smooth light with a mean of about 1."""
    coarse = torch.from_numpy(draws.uniform(0, 2, (1, 1, 4, 4)).astype(np.float32))
    wide = F.interpolate(coarse, (side, side), mode="bicubic", align_corners=True)
    found: NDArray[np.float32] = wide[0, 0].clamp_min(0).numpy()
    return found


def _stacked(stacks: list[_Stack]) -> Batch:
    def imaging(parts: list[tuple]) -> Imaging:
        return Imaging(
            *(torch.from_numpy(np.stack(p).astype(np.float64)) for p in zip(*parts, strict=True))
        )

    return Batch(
        torch.from_numpy(np.stack([s.frames for s in stacks])),
        torch.from_numpy(np.stack([s.emitter for s in stacks]))[:, None],
        imaging([s.true for s in stacks]),
        imaging([s.given for s in stacks]),
        torch.tensor([s.gain for s in stacks]),
        torch.tensor([s.read_variance for s in stacks]),
    )
