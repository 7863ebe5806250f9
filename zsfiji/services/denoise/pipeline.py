"""From a noisy plane to a restored one, and the training before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from zsfiji import progress
from zsfiji.learning.augment import self_ensemble
from zsfiji.learning.device import autocast
from zsfiji.learning.loop import Schedule, train
from zsfiji.learning.tiling import by_tiles
from zsfiji.physics.calibration.calibrate import calibrate
from zsfiji.physics.defects import repaired
from zsfiji.physics.filters import filtered
from zsfiji.physics.noise import Noise
from zsfiji.physics.phases import centred, phases, smoothed, working_resolution
from zsfiji.physics.residual import residual
from zsfiji.physics.transform import Stabiliser
from zsfiji.services.denoise.network import MARGIN, MULTIPLE, Denoiser
from zsfiji.services.denoise.objective import INPUTS, examples, pair_objective, seen

STEPS = {"quick": 150, "standard": 700, "best": 2500}
"""Training steps of each quality."""

PIXELS = {"quick": 2**19, "standard": 2**21, "best": 2**22}
"""Pixels of the neighbour pairs that each quality trains on."""

NOISE_SCALE = 0.25
"""Standard deviation of the noise in what the network sees."""

SMALLEST = 32
"""Planes with a shorter edge at working resolution are left to the DCT filter."""

_TILE = 512
_NETWORK_SHARE = 0.6
_TOO_CORRELATED = 0.25
_LOOK = 256
_MORE_THAN_NOISE = 1.4


@dataclass
class Unit:
    """What was learnt about one channel (or one plane).

    Attributes
    ----------
    noise : Noise
        Noise of the image as it is.
    d : int
        Working resolution in pixels; 1 for noise that is independent from pixel to pixel.
    working : Noise
        Noise at working resolution.
    centre : float
        Stabilised value that the network sees as 0.
    weight : float
        Share of the network in the result; 0 where none was trained.
    network : Denoiser or None
        The network.
    """

    noise: Noise
    d: int
    working: Noise
    centre: float = 0.0
    weight: float = 0.0
    network: Denoiser | None = None

    def as_settings(self) -> dict[str, Any]:
        """Give all but the network in types that JSON has."""
        return {
            "noise": self.noise.as_settings(),
            "d": self.d,
            "working": self.working.as_settings(),
            "centre": self.centre,
            "weight": self.weight,
        }


def prepare(planes: Sequence[np.ndarray], resolution: int = 0) -> Unit:
    """Measure the noise and choose the working resolution.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col), of one channel.
    resolution : int
        Working resolution; 0 chooses it: that at which the noise is independent, or the nearest
        finer one at which the filters take no structure out.

    Returns
    -------
    Unit
        Without a network.
    """
    noise = calibrate(planes)
    if resolution:
        return _at(noise, resolution, planes)
    for d in range(working_resolution(noise), 1, -1):
        unit = _at(noise, d, planes)
        if _bears(unit, planes[len(planes) // 2]):
            return unit
    return Unit(noise, 1, noise)


def _at(noise: Noise, d: int, planes: Sequence[np.ndarray]) -> Unit:
    """Unit of the working resolution `d`, without a network."""
    if d == 1:
        return Unit(noise, 1, noise)
    return Unit(noise, d, calibrate([smoothed(p, d)[::d, ::d] for p in planes]))


def _bears(unit: Unit, plane: np.ndarray) -> bool:
    """Whether the structure bears the unit's resolution: no more than noise is then taken out."""
    middle = plane[tuple(slice(max(0, (n - _LOOK) // 2), (n + _LOOK) // 2) for n in plane.shape)]
    found = residual(unit.noise, middle, restore(unit, middle, torch.device("cpu"))[0])
    return found is None or found.variance <= _MORE_THAN_NOISE


def fit_unit(
    planes: Sequence[np.ndarray],
    *,
    quality: str,
    resolution: int,
    seed: int,
    device: torch.device,
    label: str,
) -> Unit:
    """Measure the noise of the planes and train a network on them.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col), all of one size and one channel.
    quality : str
        A key of :data:`STEPS`.
    resolution : int
        Working resolution; 0 chooses it.
    seed : int
        Seed of weights and draws.
    device : torch.device
        Where to train.
    label : str
        What to tell the user.

    Returns
    -------
    Unit
        With a network on `device`, unless the planes are too small for one.
    """
    unit = prepare(planes, resolution)
    weight = network_weight(unit)
    if unit.working.floor == 0 or min(planes[0].shape) // unit.d < SMALLEST or weight == 0:
        return unit
    stabiliser = Stabiliser.of(unit.working)
    parts = []
    for plane in planes:
        coarse = smoothed(repaired(plane, unit.noise)[0], unit.d)
        parts += [
            torch.from_numpy(stabiliser.forward(coarse[p])).to(device) for p in phases(unit.d)
        ]
    with progress.part(0, 0.15):
        pairs = examples(parts, unit.working, PIXELS[quality], seed=seed, label=label)
    unit.centre = float(pairs[:, 0].median())
    pairs = pairs.sub_(unit.centre).mul_(NOISE_SCALE)
    unit.network = Denoiser(INPUTS, seed=seed).to(device).to(memory_format=torch.channels_last)
    unit.weight = weight
    # Decimated images are small: more patches, each of a quarter, and half of the pixels a step.
    patch, batch, steps = (64, 8, STEPS[quality]) if unit.d == 1 else (32, 16, STEPS[quality] // 2)
    objective = pair_objective(unit.network, pairs, patch=patch, batch=batch, seed=seed)
    schedule = Schedule(
        steps=steps,
        learning_rate=3e-3,
        betas=(0.9, 0.99),
        warmup=20,
        final_fraction=0.02,
        ema=0.99,
    )
    with progress.part(0.15, 1):
        train(
            unit.network,
            objective,
            schedule,
            label=label,
            preview=lambda: _preview(unit, planes[0]),
        )
    return unit


def network_weight(unit: Unit) -> float:
    """Share that a network deserves: less, the more its neighbour pairs share their noise."""
    shared = abs(float(unit.working.correlation(1)[1]))
    return _NETWORK_SHARE * float(np.clip(1 - shared / _TOO_CORRELATED, 0, 1))


def restore(
    unit: Unit, plane: np.ndarray, device: torch.device, *, label: str | None = None
) -> tuple[np.ndarray, int]:
    """Restore a plane.

    Parameters
    ----------
    unit : Unit
        What was learnt.
    plane : numpy.ndarray
        float32 (row, col).
    device : torch.device
        Where to compute.
    label : str, optional
        What to report to the user as progress; without it nothing is reported.

    Returns
    -------
    restored : numpy.ndarray
        float32 (row, col), in the unit of the plane.
    defects : int
        Number of defective pixels that were replaced first.
    """
    if unit.working.floor == 0:
        return plane.copy(), 0
    sound, defects = repaired(plane, unit.noise)
    coarse = smoothed(sound, unit.d)
    stabiliser = Stabiliser.of(unit.working)
    result = np.empty_like(plane)
    for number, part in enumerate(phases(unit.d)):
        if 0 in coarse[part].shape:
            continue
        noisy = torch.from_numpy(stabiliser.forward(coarse[part])).to(device)
        with progress.part(number / unit.d**2, (number + 0.5) / unit.d**2):
            smooth = filtered(noisy, unit.working, label=label)
        value = stabiliser.inverse(smooth.cpu().numpy())
        if unit.network is not None:
            with progress.part((number + 0.5) / unit.d**2, (number + 1) / unit.d**2):
                learnt = _through_network(unit, noisy, label=label)
            told = stabiliser.inverse(learnt.cpu().numpy())
            value = unit.weight * told + (1 - unit.weight) * value
        result[part] = value
    return centred(result, unit.d), defects


def _through_network(
    unit: Unit, noisy: torch.Tensor, *, ensemble: bool = True, label: str | None = None
) -> torch.Tensor:
    """Result of the network for a stabilised plane (height, width)."""
    network = unit.network
    assert network is not None, "asked only where there is one"

    def once(image: torch.Tensor) -> torch.Tensor:
        with autocast(image.device):
            return network(image.contiguous(memory_format=torch.channels_last)).float()

    def work(tile: torch.Tensor) -> torch.Tensor:
        return self_ensemble(once, tile[None])[0] if ensemble else once(tile[None])[0]

    scaled = (seen(noisy, unit.working) - unit.centre) * NOISE_SCALE
    result = by_tiles(
        work, scaled, tile=_TILE, margin=MARGIN, multiple=MULTIPLE, network=network, label=label
    )
    return result[0] / NOISE_SCALE + unit.centre


def _preview(unit: Unit, plane: np.ndarray) -> np.ndarray:
    """What the network makes of the middle of the first plane at present."""
    part = next(iter(phases(unit.d)))
    coarse = smoothed(plane, unit.d)[part]
    rows, cols = (slice(max(0, n // 2 - 256), n // 2 + 256) for n in coarse.shape)
    stabiliser = Stabiliser.of(unit.working)
    assert unit.network is not None, "asked only while it is trained"
    device = next(unit.network.parameters()).device
    noisy = torch.from_numpy(stabiliser.forward(coarse[rows, cols])).to(device)
    return stabiliser.inverse(_through_network(unit, noisy, ensemble=False).cpu().numpy())
