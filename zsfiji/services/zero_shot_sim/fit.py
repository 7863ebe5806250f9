"""Fit to the raw stacks of a channel: noise, haze, the network, and what the data support of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from zsfiji import progress
from zsfiji.compute.device import generator
from zsfiji.compute.rings import ring_mean, ring_of
from zsfiji.errors import UserError
from zsfiji.learning.denoiser import Denoiser
from zsfiji.learning.foreground import centres
from zsfiji.learning.loop import Schedule, train
from zsfiji.reconstruction.power import RINGS
from zsfiji.reconstruction.stopping import recorrupted
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.zero_shot_sim.applying import Comparison, corrected, support
from zsfiji.services.zero_shot_sim.imaging import Imaging, Level, measured
from zsfiji.services.zero_shot_sim.objective import Field, PairsAndExamples
from zsfiji.services.zero_shot_sim.restorer import Part, Record, Restorer, prepared
from zsfiji.services.zero_shot_sim.settings import CONSTANTS, INPUTS, STEPS, Settings

_CHECK = 0.05
"""Ridge of the target by which the network is checked, in that of the automatic reconstruction:
it passes two thirds where the latter passes a tenth."""

_DRAWS = 2
"""Recorrupted pairs by which the network is checked."""


def fit_restorer(
    stacks: Sequence[np.ndarray],
    calibration: Calibration,
    *,
    settings: Settings,
    device: torch.device,
    label: str,
) -> Restorer:
    """Train a network on raw stacks.

    Parameters
    ----------
    stacks : sequence of numpy.ndarray
        float32 (angle, frame, row, col), in grey levels, all of one shape.
    calibration : Calibration
        Their patterns and optics.
    settings : Settings
        The settings of the training.
    device : torch.device
        Where to train.
    label : str
        What is being done, in words for the user.

    Returns
    -------
    Restorer
        With its network on `device`.

    Raises
    ------
    UserError
        If no pattern was found.
    """
    require_patterns(calibration)
    progress.report(0, label)
    parts = [
        prepared(calibration, stack, device, remove=settings.haze == "remove")
        for stack in stacks[:: -(-len(stacks) // CONSTANTS.fields)]
    ]
    middle = parts[len(parts) // 2]
    level = measured(calibration, middle.patterns, middle.stack)
    fields = _fields(parts, calibration, level)
    network, average = (
        Denoiser(INPUTS, seed=settings.seed).to(device).to(memory_format=torch.channels_last)
        for _ in range(2)
    )
    steps = STEPS[settings.quality]
    objective = PairsAndExamples(network, average, fields, steps=steps, seed=settings.seed)
    schedule = Schedule(
        steps=steps,
        learning_rate=3e-3,
        betas=(0.9, 0.99),
        warmup=20,
        final_fraction=0.02,
        ema=0.99,
    )
    with progress.part(0.05, 1):
        train(
            network,
            objective,
            schedule,
            label=label,
            preview=objective.preview,
            average=average,
        )
    found = _support(network, fields, settings.seed)
    return Restorer(Record(calibration.record, level, found, settings.haze), network)


def require_patterns(calibration: Calibration) -> None:
    """Refuse an image in which nothing was found.

    Raises
    ------
    UserError
        If no pattern was.
    """
    if not any(any(waves) for waves in calibration.usable):
        raise UserError(
            "No pattern was found in any angle, so there is nothing to reconstruct. Check that "
            "this is a raw SIM image, its order of the frames, the pixel size, the numerical "
            "aperture and the emission."
        )


def _fields(parts: Sequence[Part], calibration: Calibration, level: Level) -> list[Field]:
    """What is learnt from: all of small images, and of large ones fields with structure."""
    shape = (int(parts[0].stack.shape[-2]), int(parts[0].stack.shape[-1]))
    rows, cols = (min(n, CONSTANTS.field) for n in shape)
    most = max(1, min(CONSTANTS.fields, -(-len(parts) * shape[0] * shape[1] // (rows * cols))))
    fields: list[Field] = []
    for number in range(most):
        part = parts[number % len(parts)]
        top, left = _corner(part.stack, (rows, cols), number)
        imaging = next(
            (f.imaging for f in fields if f.imaging.of(part.patterns, (top, left))), None
        ) or Imaging(
            calibration, part.patterns, level, (rows, cols), part.stack.device, (top, left)
        )
        cut = (..., slice(top, top + rows), slice(left, left + cols))
        haze = None if part.haze is None else part.haze[cut]
        fields.append(Field(imaging, part.stack[cut].contiguous(), haze))
    return fields


def _corner(stack: torch.Tensor, shape: tuple[int, int], seed: int) -> tuple[int, int]:
    """First pixel of a field of a shape that is centred on structure."""
    free = [n - m for n, m in zip(stack.shape[-2:], shape, strict=True)]
    if max(free) == 0:
        return 0, 0
    places = centres([stack.mean((0, 1)).cpu().numpy()], 0.0)
    chosen = places[int(torch.randint(len(places), (), generator=generator(seed)))][1:].tolist()
    top, left = (
        min(max(at - length // 2, 0), room)
        for at, length, room in zip(chosen, shape, free, strict=True)
    )
    return top, left


@torch.no_grad()
def _support(network: Denoiser, fields: Sequence[Field], seed: int) -> tuple[float, ...]:
    """What the data support of the network's changes; see :func:`.applying.support`."""
    draws = generator(seed, fields[0].stack.device)
    comparisons = []
    for number in range(max(_DRAWS, len(fields))):
        field = fields[number % len(fields)]
        imaging = field.imaging
        given, other = recorrupted(field.stack, field.variance, draws, CONSTANTS.alpha)
        features = imaging.features(given)
        target = imaging.reconstructed(other, _CHECK)[0]
        comparisons.append(
            Comparison(features[-1], corrected(network, features), target, _passed(imaging))
        )
    return support(comparisons, fields[0].imaging.wiener.reach)


def _passed(imaging: Imaging) -> np.ndarray:
    """What the filter of the target passes, mean over each ring."""
    wiener = imaging.wiener
    response = wiener.density / (wiener.density + _CHECK * imaging.ridge)
    ring = ring_of(wiener.frequency / wiener.reach, RINGS)
    found: np.ndarray = ring_mean(response, ring, RINGS).cpu().numpy()
    return found
