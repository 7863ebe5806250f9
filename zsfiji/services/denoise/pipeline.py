"""From a noisy plane to a restored one, and the training before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from zsfiji import progress
from zsfiji.compute.device import autocast, generator
from zsfiji.compute.symmetries import self_ensemble
from zsfiji.compute.tiling import by_tiles
from zsfiji.images.middle import middle
from zsfiji.learning.loop import Schedule, train
from zsfiji.physics.camera.calibration.calibrate import in_smoothest, least_noise
from zsfiji.physics.camera.defects import repaired
from zsfiji.physics.camera.doubt import believed
from zsfiji.physics.camera.model import NOTHING_KNOWN, Known, measure
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.polyphase import (
    centred,
    lost_structure,
    phases,
    smoothed,
    working_resolution,
)
from zsfiji.physics.filters.structure import Shape, put_back, shape
from zsfiji.physics.noise import SURE, Noise, decimated
from zsfiji.quality.residual import residual
from zsfiji.services.denoise.network import MARGIN, MULTIPLE, Denoiser
from zsfiji.services.denoise.objective import INPUTS, examples, pair_objective, to_network

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
"""Variance of what is taken out, in variances of the noise, up to which a working resolution is
taken: more than 1, for noise that no filter explains is known badly."""

_LOST = 0.05
"""Structure that a working resolution may lose, in variances of the noise: beyond it more is lost
than the coarser work gains, on simulated captures with filtered noise."""

_ADDED = 0.3
"""Noise that is added to judge the network, in standard deviations of the image's."""

_HARMFUL, _MUCH_WORSE = 0.7, 1.3
"""Error of the network's result, in variances of the noise and in errors of the best blend, from
which on its share is lowered; below, the uncertainty of the noise weighs more."""


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
    doubted : bool
        Whether what seemed to be correlated noise had structure: the noise is then what there is at
        least.
    """

    noise: Noise
    d: int
    working: Noise
    centre: float = 0.0
    weight: float = 0.0
    network: Denoiser | None = None
    doubted: bool = False

    def as_settings(self) -> dict[str, Any]:
        """Give all but the network in types that JSON has."""
        return {
            "noise": self.noise.as_settings(),
            "d": self.d,
            "working": self.working.as_settings(),
            "centre": self.centre,
            "weight": self.weight,
            "doubted": self.doubted,
        }


class Plane(NamedTuple):
    """A restored plane.

    Attributes
    ----------
    values : numpy.ndarray
        float32 (row, col), in the unit of the image.
    defects : int
        Number of defective pixels that were replaced first.
    spared : float
        Share of the pixels where less was taken out, for it had structure.
    """

    values: np.ndarray
    defects: int = 0
    spared: float = 0.0


def prepare(planes: Sequence[np.ndarray], noise_correlation: int, known: Known) -> Unit:
    """Measure the noise and choose the working resolution.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col), of one channel.
    noise_correlation : int
        Working resolution; 0 chooses it: that at which the noise is independent, or the nearest
        finer one at which the filters take no structure out.
    known : Known
        What is given about the camera.

    Returns
    -------
    Unit
        Without a network.
    """
    noise = measure(list(planes), known).noise
    if noise_correlation:
        return _at(noise, noise_correlation, planes)
    plane = planes[len(planes) // 2]
    for d in range(working_resolution(noise), 1, -1):
        unsure = noise.confidence < SURE
        part = plane[middle(plane.shape, 2 * _LOOK if unsure else _LOOK)]
        unit = _at(noise, d, planes)
        taken_to = restore(unit, part, torch.device("cpu"), spare=False).values
        left = shape(part, taken_to, noise) if unsure else Shape.NOISE
        if left is Shape.DENSE:
            least = least_noise(planes)
            return Unit(least, 1, least, doubted=True)
        # The structure has to bear the resolution.
        if noise.confidence > 0:
            borne = lost_structure(noise, part, d) <= _LOST
        else:
            found = residual(noise, part, taken_to)
            borne = found is None or found.variance <= _MORE_THAN_NOISE
        if borne and left is Shape.NOISE:
            return unit
    noise, doubted = believed(noise, planes)
    return Unit(noise, 1, noise, doubted=doubted)


def _at(noise: Noise, d: int, planes: Sequence[np.ndarray]) -> Unit:
    """Unit of the working resolution `d`, without a network."""
    if d == 1:
        return Unit(noise, 1, noise)
    if noise.confidence > 0:
        return Unit(noise, d, decimated(noise, d))
    return Unit(noise, d, in_smoothest([smoothed(p, d)[::d, ::d] for p in planes]))


def fit_unit(
    planes: Sequence[np.ndarray],
    *,
    quality: str,
    noise_correlation: int,
    seed: int,
    device: torch.device,
    label: str,
    known: Known = NOTHING_KNOWN,
) -> Unit:
    """Measure the noise of the planes and train a network on them.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col), all of one size and one channel.
    quality : str
        A key of :data:`STEPS`.
    noise_correlation : int
        Working resolution; 0 chooses it.
    seed : int
        Seed of weights and draws.
    device : torch.device
        Where to train.
    label : str
        What to tell the user.
    known : Known
        What is given about the camera.

    Returns
    -------
    Unit
        With a network on `device`, unless the planes are too small for one.
    """
    unit = prepare(planes, noise_correlation, known)
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
    if unit.d == 1:
        unit.weight = _checked_weight(unit, planes[len(planes) // 2], seed)
    return unit


def _checked_weight(unit: Unit, plane: np.ndarray, seed: int) -> float:
    """Share of the network that makes no great error, by a recorrupted pair.

    Neighbouring pixels of a sharp image differ, and a network that learnt from them blurs it. With
    noise z of variance 1 added to the stabilised plane y, ``y + a z`` and ``y - z / a`` have
    independent noise, so that the error of any result of the first can be told by the second (Pang
    et al., CVPR 2021), as far as the noise is known.
    """
    stabiliser = Stabiliser.of(unit.working)
    stabilised = torch.from_numpy(stabiliser.forward(plane[middle(plane.shape, _LOOK)]))
    assert unit.network is not None, "asked only where there is one"
    device = next(unit.network.parameters()).device
    added = torch.randn(stabilised.shape, generator=generator(seed)).to(device)
    noisier = stabilised.to(device) + _ADDED * added
    by_filters = filtered(noisier, unit.working)
    taken = noisier - by_filters
    change = _through_network(unit, noisier) - by_filters
    target = (_ADDED + 1 / _ADDED) * added
    # In grey levels, for there an error is seen: by the variance of the noise at each brightness.
    weight = torch.from_numpy(unit.working.variance(stabiliser.inverse(by_filters.cpu().numpy())))
    weight = (weight / weight.mean()).to(device, torch.float32)
    # The error is (1 + a^2) of the noisier plane, and a parabola of the share of the network.
    quadratic = float((weight * change.square()).mean())
    linear = float((weight * change * (target - taken)).mean())
    constant = 1 + _ADDED**2 + float((weight * taken * (taken - 2 * target)).mean())

    def error(share: float) -> float:
        return constant + 2 * share * linear + share**2 * quadratic

    best = float(np.clip(-linear / quadratic, 0, unit.weight)) if quadratic > 0 else unit.weight
    harmful = error(unit.weight) > max(_HARMFUL, _MUCH_WORSE * error(best))
    return best if harmful else unit.weight


def network_weight(unit: Unit) -> float:
    """Share that a network deserves: less, the more its neighbour pairs share their noise."""
    shared = abs(float(unit.working.correlation(1)[1]))
    return _NETWORK_SHARE * float(np.clip(1 - shared / _TOO_CORRELATED, 0, 1))


def restore(
    unit: Unit,
    plane: np.ndarray,
    device: torch.device,
    *,
    spare: bool = True,
    label: str | None = None,
) -> Plane:
    """Restore a plane.

    Parameters
    ----------
    unit : Unit
        What was learnt.
    plane : numpy.ndarray
        float32 (row, col).
    device : torch.device
        Where to compute.
    spare : bool
        Whether to take less out where structure would be.
    label : str, optional
        What to report to the user as progress; without it nothing is reported.

    Returns
    -------
    Plane
        The restored plane.
    """
    if unit.working.floor == 0:
        return Plane(plane.copy())
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
        if unit.network is not None and unit.weight > 0:
            with progress.part((number + 0.5) / unit.d**2, (number + 1) / unit.d**2):
                learnt = _through_network(unit, noisy, label=label)
            told = stabiliser.inverse(learnt.cpu().numpy())
            value = unit.weight * told + (1 - unit.weight) * value
        result[part] = value
    result = centred(result, unit.d)
    if not spare:
        return Plane(result, defects)
    result, share = put_back(sound, result, unit.noise, unit.d)
    return Plane(result, defects, share)


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

    scaled = (to_network(noisy, unit.working) - unit.centre) * NOISE_SCALE
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
