"""Fit to the planes of a channel: measure the noise, choose the working resolution, train.

docs/methods/zero-shot-denoise.md, sections 2 and 5, says where the constants come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from zsfiji import progress
from zsfiji.compute.device import generator
from zsfiji.images.middle import middle
from zsfiji.learning.denoiser import Denoiser
from zsfiji.learning.loop import Schedule, train
from zsfiji.physics.camera.calibration.calibrate import in_smoothest, least_noise
from zsfiji.physics.camera.defects import repaired
from zsfiji.physics.camera.doubt import noise_to_use, structure_in_it
from zsfiji.physics.camera.model import KnownCamera, measure
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import refined
from zsfiji.physics.filters.polyphase import (
    lost_structure,
    phases,
    smoothed,
    working_resolution,
)
from zsfiji.physics.filters.structure import Shape, shape
from zsfiji.physics.noise import SURE, Noise, decimated
from zsfiji.quality.residual import residual
from zsfiji.services.denoise.objective import INPUTS, PairObjective, examples
from zsfiji.services.denoise.restorer import (
    NOISE_SCALE,
    Preview,
    Restorer,
    apply_network,
    restore,
)
from zsfiji.services.denoise.settings import BATCH, LOOK, PIXELS, SYMMETRIES, Settings, steps

SMALLEST = 32
"""Planes with a shorter edge at working resolution are only filtered. Not tuned."""

_NETWORK_SHARE = 0.6
"""Share of the network in the result. Best on the development images; 0.5 to 0.7 is the same within
0.03 dB for white noise."""

_TOO_CORRELATED = 0.25
"""Correlation of neighbouring pixels at which the share of the network has fallen to 0. No
measurement kept."""

_MORE_THAN_NOISE = 1.4
"""Largest variance of the residual, in variances of the noise, at a working resolution. It is more
than 1 because noise that no filter explains is not known exactly. No measurement kept."""

_LOST = 0.05
"""Structure that a working resolution may remove, in variances of the noise. Above this, simulated
captures with filtered noise lost more than they gained by the coarser resolution."""

_ADDED = 0.3
"""Noise that is added to check the network, in standard deviations of the noise: alpha of Pang et
al., CVPR 2021. A value of 0.6 favoured the filters too much."""

_HARMFUL, _MUCH_WORSE = 0.7, 1.3
"""Error of the result, in variances of the noise and in errors of the best blend, above which the
share of the network is lowered. Without the first, real pairs whose noise is known to 10 % only
lost 0.4 dB."""


def prepare(planes: Sequence[np.ndarray], noise_correlation: int, known: KnownCamera) -> Restorer:
    """Measure the noise and choose the working resolution.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col), of one channel.
    noise_correlation : int
        Working resolution. With 0 it is chosen: the one at which the noise is independent, or the
        nearest finer one at which the filters remove no structure.
    known : KnownCamera
        What is given about the camera.

    Returns
    -------
    Restorer
        Without a network.
    """
    noise = measure(list(planes), known).noise
    if noise_correlation:
        return _at(noise, noise_correlation, planes)
    plane = planes[len(planes) // 2]
    unsure = noise.confidence < SURE
    if unsure and not noise.white and structure_in_it(noise, planes):
        least = least_noise(planes)
        return Restorer(least, 1, least, doubted=True)
    for d in range(working_resolution(noise), 1, -1):
        part = plane[middle(plane.shape, 2 * LOOK if unsure else LOOK)]
        unit = _at(noise, d, planes)
        restored = restore(unit, part, torch.device("cpu"), draft=True).values
        residual_shape = shape(part, restored, noise) if unsure else Shape.NOISE
        if residual_shape is Shape.DENSE:
            least = least_noise(planes)
            return Restorer(least, 1, least, doubted=True)
        # A working resolution must not remove structure.
        if noise.confidence > 0:
            acceptable = lost_structure(noise, part, d) <= _LOST
        else:
            found = residual(noise, part, restored)
            acceptable = found is None or found.variance <= _MORE_THAN_NOISE
        if acceptable and residual_shape is Shape.NOISE:
            return unit
    noise, doubted = noise_to_use(noise, planes)
    return Restorer(noise, 1, noise, doubted=doubted)


def _at(noise: Noise, d: int, planes: Sequence[np.ndarray]) -> Restorer:
    """Restorer with the working resolution `d`, without a network."""
    if d == 1:
        return Restorer(noise, 1, noise)
    if noise.confidence > 0:
        return Restorer(noise, d, decimated(noise, d))
    return Restorer(noise, d, in_smoothest([smoothed(p, d)[::d, ::d] for p in planes]))


def fit_restorer(
    planes: Sequence[np.ndarray],
    *,
    settings: Settings,
    known: KnownCamera,
    device: torch.device,
    label: str,
) -> Restorer:
    """Measure the noise of the planes and train a network on them.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col), all of one size and one channel.
    settings : Settings
        The settings of the training.
    known : KnownCamera
        What is given about the camera.
    device : torch.device
        Where to train.
    label : str
        What is being done, in words for the user.

    Returns
    -------
    Restorer
        With a network on `device`, unless the planes are too small for one.
    """
    quality, seed = settings.quality, settings.seed
    unit = prepare(planes, settings.noise_correlation, known)
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
    unit.network = Denoiser(INPUTS, seed=seed)
    unit.to(device)
    unit.weight = weight
    # Decimated images are small: twice the patches, each with a quarter of the pixels, and half of
    # the steps, as in the prototype.
    number, batch = steps(quality, sum(plane.size for plane in planes)), BATCH[quality]
    patch, batch, number = (64, batch, number) if unit.d == 1 else (32, 2 * batch, number // 2)
    objective = PairObjective(unit.network, pairs, patch=patch, batch=batch, seed=seed)
    schedule = Schedule(
        steps=number,
        learning_rate=3e-3,
        betas=(0.9, 0.99),
        warmup=min(20, number // 5),
        final_fraction=0.02,
        ema=0.99,
    )
    with progress.part(0.15, 1):
        train(
            unit.network,
            objective,
            schedule,
            label=label,
            preview=Preview(unit, planes[0]),
        )
    if unit.d == 1:
        unit.weight = _checked_weight(unit, planes[len(planes) // 2], settings)
    return unit


def _checked_weight(unit: Restorer, plane: np.ndarray, settings: Settings) -> float:
    """Share of the network that causes no large error, by a recorrupted pair.

    Neighbouring pixels of a sharp image differ, and a network that learnt from them blurs it. With
    noise z of variance 1 added to the stabilised plane y, ``y + a z`` and ``y - z / a`` have
    independent noise. So the error of any result made from the first can be measured with the
    second (Pang et al., CVPR 2021), as exactly as the noise is known.
    """
    stabiliser = Stabiliser.of(unit.working)
    stabilised = torch.from_numpy(stabiliser.forward(plane[middle(plane.shape, LOOK)]))
    assert unit.network is not None, "called only with a network"
    device = next(unit.network.parameters()).device
    added = torch.randn(stabilised.shape, generator=generator(settings.seed)).to(device)
    noisier = stabilised.to(device) + _ADDED * added
    by_filters = refined(noisier, unit.working)
    taken = noisier - by_filters
    symmetries = SYMMETRIES[settings.quality]
    change = apply_network(unit, noisier, by_filters, symmetries=symmetries) - by_filters
    target = (_ADDED + 1 / _ADDED) * added
    # Errors count in grey levels, as they are seen: weighted by the variance at each brightness.
    weight = torch.from_numpy(unit.working.variance(stabiliser.inverse(by_filters.cpu().numpy())))
    weight = (weight / weight.mean()).to(device, torch.float32)
    # The error is (1 + a^2) for the noisier plane itself, and a parabola over the network's share.
    quadratic = float((weight * change.square()).mean())
    linear = float((weight * change * (target - taken)).mean())
    constant = 1 + _ADDED**2 + float((weight * taken * (taken - 2 * target)).mean())

    def error(share: float) -> float:
        return constant + 2 * share * linear + share**2 * quadratic

    best = float(np.clip(-linear / quadratic, 0, unit.weight)) if quadratic > 0 else unit.weight
    harmful = error(unit.weight) > max(_HARMFUL, _MUCH_WORSE * error(best))
    return best if harmful else unit.weight


def network_weight(unit: Restorer) -> float:
    """Share of the network in the result: smaller for noise correlated between neighbours."""
    shared = abs(float(unit.working.correlation(1)[1]))
    return _NETWORK_SHARE * float(np.clip(1 - shared / _TOO_CORRELATED, 0, 1))
