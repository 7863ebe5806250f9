"""The training on some parts of an image: planes, or the patterns of raw SIM images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from zsfiji.compute.device import generator
from zsfiji.images.middle import middle
from zsfiji.learning.loop import Schedule, train
from zsfiji.physics.camera.doubt import measure_for_training
from zsfiji.physics.camera.model import Camera, KnownCamera
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.linear import Linear
from zsfiji.services.zs_sim import scan
from zsfiji.services.zs_sim.network import ZsSimNetwork
from zsfiji.services.zs_sim.objective import PairObjective
from zsfiji.services.zs_sim.reconstruct import Filtering
from zsfiji.services.zs_sim.restorer import Record, Restorer, reconstruction_of
from zsfiji.services.zs_sim.settings import STEPS, Settings
from zsfiji.services.zs_sim.stopping import Watch, line

LEARNING_RATE = 3e-3
"""Highest learning rate of Adam. A third of it takes three times as many steps."""

PATCH = 64
"""Edge of the patches in pixels."""

_EMA = 0.98
"""Decay of the averaged weights."""

_WARMUP = 20
"""Steps over which the learning rate rises."""

_FINAL = 0.02
"""Share of the learning rate at the end."""

_ALPHA = 0.4
"""Strength of the noise that is added to the image on which the network is tried."""

_TRIALS = 2
"""Recorrupted pairs that it is tried on."""

_LOOK = 256
"""Edge in pixels of the middle in which it is tried: bounds the time."""

_CONSTANTS = (0.02, 0.03, 0.04, 0.06, 0.08, 0.11, 0.16, 0.23, 0.32, 0.45, 0.64)
"""Constants of the Wiener filter that are tried."""

_LESS = 0.55
"""Constant for a network over the one that is best without: docs/methods/zs-sim.md, 3."""

_NOISE_PLANES = 9
"""Planes that the noise is measured in: bounds the time."""

_QUANTILES = (0.001, 0.999)
"""Values that are 0 and 1 in the input of the network."""

_SAMPLE = 2**20
"""Pixels that these are found in: bounds the time."""


@dataclass(frozen=True)
class Examples:
    """What a network learns from, scaled for it.

    Attributes
    ----------
    views : torch.Tensor
        Shape (parts, 4, row, col).
    trials : sequence of (torch.Tensor, torch.Tensor)
        See :class:`.Watch`.
    shown : torch.Tensor
        The middle of the first reconstruction, for the preview.
    low, unit : float
        Value that is 0, and distance to the one that is 1.
    """

    views: torch.Tensor
    trials: Sequence[tuple[torch.Tensor, torch.Tensor]]
    shown: torch.Tensor
    low: float
    unit: float


def fit_parts(
    parts: Sequence[np.ndarray],
    settings: Settings,
    camera: KnownCamera,
    calibration: Calibration | None,
    *,
    device: torch.device,
    label: str,
    where: str = "",
) -> Restorer:
    """Train a network on parts of one kind.

    Parameters
    ----------
    parts : sequence of numpy.ndarray
        float32 (row, col), or (angle, frame, row, col), all of one size.
    settings : Settings
        The settings.
    camera : KnownCamera
        What is known about the camera.
    calibration : Calibration, optional
        Patterns and optics of raw SIM images.
    device : torch.device
        Where to train.
    label : str
        What is being done, in words for the user.
    where : str
        Names the parts in messages, such as " in channel 2".

    Returns
    -------
    Restorer
        With its network on `device`.

    Raises
    ------
    UserError
        If there is no noise to learn from.
    """
    planes = [plane for part in parts for plane in part.reshape(-1, *part.shape[-2:])]
    some = planes[:: -(-len(planes) // _NOISE_PLANES)]
    measured, doubted = measure_for_training(some, camera, where)
    found: scan.PairsUsed = "all" if calibration is not None else scan.pairs_for(some)
    pairs = found if settings.pairs == "auto" else settings.pairs
    # Noise along lines, or noise that cannot be told from structure, cannot be added again.
    by_views = calibration is None and (found != "all" or doubted)
    constant = settings.wiener
    if constant is None and calibration is not None and settings.filter == "classical":
        constant = wiener_constant(parts[0], measured, calibration, settings.seed, device)
    filtering = Filtering(settings.filter, constant or 0.0)
    examples = make_examples(
        parts,
        None if by_views else measured,
        calibration,
        filtering,
        settings.seed,
        device,
        scan.PAIRS[pairs],
    )
    record = Record(
        measured.noise,
        examples.low,
        examples.unit,
        1.0,
        pairs,
        0,
        0,
        filtering,
        None if calibration is None else calibration.record,
        doubted,
    )
    network = ZsSimNetwork(settings.seed).to(device).to(memory_format=torch.channels_last)
    restorer = Restorer(record, network)
    return trained(restorer, examples, settings, label)


def trained(restorer: Restorer, examples: Examples, settings: Settings, label: str) -> Restorer:
    """Train the network of a restorer in place; gives the restorer with what came of it."""
    network = restorer.network
    average = copy.deepcopy(network).eval()
    steps = STEPS[settings.quality]
    objective = PairObjective(
        network, examples.views, scan.PAIRS[restorer.record.pairs], PATCH, settings.seed + 1
    )
    watch = Watch(network, average, examples.trials, steps)

    def preview() -> np.ndarray:
        shown = restorer.denoised(average, examples.shown * examples.unit + examples.low)
        return shown.cpu().numpy()

    schedule = Schedule(steps, LEARNING_RATE, warmup=_WARMUP, final_fraction=_FINAL, ema=_EMA)
    history = train(
        network,
        objective,
        schedule,
        label=label,
        preview=preview,
        stop=watch,
        average=average,
    )
    watch.take_best()
    record = replace(restorer.record, slope=watch.slope, steps=history.steps, best=watch.best)
    return replace(restorer, record=record)


def make_examples(
    parts: Sequence[np.ndarray],
    camera: Camera | None,
    calibration: Calibration | None,
    filtering: Filtering,
    seed: int,
    device: torch.device,
    pairs: Sequence[tuple[int, int]],
) -> Examples:
    """Reconstruct the views of all parts, and pairs on which the network is tried.

    Parameters
    ----------
    parts : sequence of numpy.ndarray
        See :func:`fit_parts`.
    camera : Camera or None
        The noise, for recorrupted pairs; without it the network is tried on views.
    calibration : Calibration or None
        Patterns and optics of raw SIM images.
    filtering : Filtering
        Their Wiener filter.
    seed : int
        Seed of the noise that is added.
    device : torch.device
        Where to compute.
    pairs : sequence of (int, int)
        The pairs of views.

    Returns
    -------
    zsfiji.services.zs_sim.fit.Examples
        On the device.
    """
    noise = generator(seed + 2, device)
    wholes, several = [], []
    trials: list[tuple[torch.Tensor, torch.Tensor]] = []
    for part in parts:
        raw = torch.from_numpy(part).to(device)
        reconstruction = reconstruction_of(raw, calibration, filtering)
        wholes.append(reconstruction.whole(raw))
        several.append(reconstruction.views(raw))
        more = _TRIALS if len(parts) == 1 else int(len(trials) < _TRIALS)
        for _ in range(more if camera is not None else 0):
            assert camera is not None
            trials.append(_recorrupted(raw, camera, noise, reconstruction.whole))
    if camera is None:
        trials = [(several[0][i], several[0][j]) for i, j in pairs]
    sample = torch.cat([whole.flatten() for whole in wholes])
    sample = sample[:: -(-len(sample) // _SAMPLE)]
    low, high = (float(torch.quantile(sample, share)) for share in _QUANTILES)
    unit = (high - low) or 1.0

    def scaled(values: torch.Tensor) -> torch.Tensor:
        return (values - low) / unit

    inside = middle(wholes[0].shape, _LOOK)
    return Examples(
        scaled(torch.stack(several)),
        [(scaled(given)[inside], scaled(target)[inside]) for given, target in trials],
        scaled(wholes[0])[inside],
        low,
        unit,
    )


def wiener_constant(
    part: np.ndarray,
    camera: Camera,
    calibration: Calibration,
    seed: int,
    device: torch.device,
) -> float:
    """Find the constant of the classical filter for a network.

    The filter with each of some constants is tried on recorrupted frames. The best of them would
    be the one without a network; for one it is made smaller.

    Parameters
    ----------
    part : numpy.ndarray
        (angle, frame, row, col), in grey levels.
    camera : Camera
        The noise.
    calibration : Calibration
        Patterns and optics.
    seed : int
        Seed of the noise that is added.
    device : torch.device
        Where to compute.

    Returns
    -------
    float
        See :class:`.Filtering`.
    """
    raw, noise = torch.from_numpy(part).to(device), generator(seed + 3, device)
    # With the least constant the target has all that the frames show, and the most noise.
    take = Linear(calibration, raw, constant=_CONSTANTS[0])
    errors = torch.zeros(len(_CONSTANTS))
    for _ in range(_TRIALS):
        noisier, target, _ = camera.recorrupt(raw, _ALPHA, noise)
        wanted = take(target)
        tried = take.with_constants(noisier, _CONSTANTS)
        errors += torch.tensor([line(found, wanted).error for found in tried])
    return _LESS * _CONSTANTS[int(errors.argmin())]


def _recorrupted(
    raw: torch.Tensor,
    camera: Camera,
    noise: torch.Generator,
    whole: Callable[[torch.Tensor], torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """A recorrupted pair of a part, reconstructed."""
    noisier, target, _ = camera.recorrupt(raw, _ALPHA, noise)
    return whole(noisier), whole(target)
