"""From noisy planes to denoised and deconvolved ones, and the training before it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from zsfiji.errors import UserError
from zsfiji.learning.augment import SYMMETRIES, dihedral, undo_dihedral
from zsfiji.learning.loop import DivergedError, Schedule, train
from zsfiji.learning.tiling import by_tiles
from zsfiji.physics.noise import Noise
from zsfiji.physics.psf.operator import Degradation
from zsfiji.physics.transform import Stabiliser
from zsfiji.services.zs_deconvnet.camera import Camera
from zsfiji.services.zs_deconvnet.content import centres
from zsfiji.services.zs_deconvnet.networks import FastNet, PublishedUNet
from zsfiji.services.zs_deconvnet.objective import Scale, Terms, published, run, self_scaled

NETWORKS: dict[str, type[FastNet] | type[PublishedUNet]] = {
    "fast": FastNet,
    "published": PublishedUNet,
}
"""The networks for planes."""

TRIES = 3
"""Seeds that are tried when trainings die or diverge."""

_TILE = 512
_ELSEWHERE = 0.25
_log = logging.getLogger(__name__)


@dataclass
class Unit:
    """What was learnt about one channel (or one plane).

    Attributes
    ----------
    camera : Camera
        Its noise.
    scale : Scale
        What the network sees.
    kind : str
        A key of :data:`NETWORKS`.
    network : torch.nn.Module
        The network.
    seed : int
        The seed that served.
    steps : int
        Steps of the training.
    """

    camera: Camera
    scale: Scale
    kind: str
    network: FastNet | PublishedUNet
    seed: int = 0
    steps: int = 0

    def as_settings(self) -> dict[str, Any]:
        """Give all but the weights in types that JSON has."""
        return {
            "noise": self.camera.noise.as_settings(),
            "camera_black": self.camera.black,
            "black": self.scale.black,
            "unit": self.scale.unit,
            "centre": self.scale.centre,
            "stabilised": self.scale.stabiliser is not None,
            "kind": self.kind,
            "upsample": self.network.upsample,
            "seed": self.seed,
            "steps": self.steps,
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any], weights: dict[str, torch.Tensor]) -> Unit:
        """Make it from what :meth:`as_settings` gave, and the network's weights.

        Raises
        ------
        UserError
            If the weights are not those of the network.
        """
        noise = Noise.from_settings(settings["noise"])
        scale = Scale(
            settings["black"],
            settings["unit"],
            Stabiliser.of(noise) if settings["stabilised"] else None,
            settings["centre"],
        )
        network = NETWORKS[settings["kind"]](settings["upsample"])
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise UserError("The model is damaged: its weights do not fit.") from error
        network.to(memory_format=torch.channels_last).eval()
        return cls(
            Camera(noise, settings["camera_black"]),
            scale,
            settings["kind"],
            network,
            settings["seed"],
            settings["steps"],
        )


def fit_unit(
    planes: Sequence[np.ndarray],
    camera: Camera,
    degradation: Degradation,
    *,
    kind: str,
    steps: int,
    terms: Terms,
    seed: int,
    device: torch.device,
    label: str,
    start: Unit | None = None,
) -> Unit:
    """Train a network on planes.

    A training that diverges, or whose network dies (gives the same value everywhere, as rectified
    linear units may), is begun anew with the next seed.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col), all of one size and one channel.
    camera : Camera
        Their noise.
    degradation : Degradation
        The optics.
    kind : str
        A key of :data:`NETWORKS`.
    steps : int
        Training steps.
    terms : Terms
        The weights of the loss.
    seed : int
        Seed of weights and draws.
    device : torch.device
        Where to train.
    label : str
        What to tell the user.
    start : Unit, optional
        A trained unit of the same kind, to go on with.

    Returns
    -------
    Unit
        With its network on `device`.

    Raises
    ------
    UserError
        If no seed served.
    """
    stack = torch.from_numpy(np.stack(list(planes)))[:, None].to(device)
    places = centres(list(planes), _ELSEWHERE if kind == "fast" else 0.0)
    for attempt in range(TRIES):
        unit = _begin(stack, camera, kind, degradation.upsample, seed + attempt, device, start)
        try:
            if _train(unit, stack, places, degradation, terms, steps, label, start is not None):
                return unit
            what = "died: it gives the same value everywhere"
        except DivergedError:
            what = "diverged"
        _log.warning("The training with seed %d %s; trying another seed.", unit.seed, what)
    raise UserError(
        f"The training failed with {TRIES} seeds in a row. Look whether single pixels of the "
        "image are extremely bright and whether the background given is right."
    )


def restore(
    unit: Unit, plane: np.ndarray, label: str | None = None, *, symmetries: int = SYMMETRIES
) -> tuple[np.ndarray, np.ndarray]:
    """Denoise and deconvolve a plane.

    Parameters
    ----------
    unit : Unit
        What was learnt.
    plane : numpy.ndarray
        float32 (row, col).
    label : str, optional
        What to report as progress.
    symmetries : int
        Flips and rotations that the results are means of, 1 to 8.

    Returns
    -------
    denoised, deconvolved : numpy.ndarray
        float32, in the unit of the plane; the second on the fine grid.
    """
    network = unit.network
    fine = network.upsample
    chosen = {1: (0,), 2: (0, 6), 4: (0, 2, 5, 7)}.get(symmetries, tuple(range(SYMMETRIES)))

    def work(tile: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor | None = None
        for which in chosen:
            denoised, sharp = run(network, unit.scale.seen(dihedral(tile, which))[None])
            parts = [undo_dihedral(denoised, which)]
            parts.append(F.pixel_unshuffle(undo_dihedral(sharp, which), fine))
            both = torch.cat(parts, 1)[0]
            total = both if total is None else total + both
        assert total is not None, "there is one symmetry at least"
        return unit.scale.grey(total / len(chosen))

    both = by_tiles(
        work,
        torch.from_numpy(plane)[None],
        tile=_TILE,
        margin=network.margin,
        multiple=network.multiple,
        network=network,
        label=label,
    )
    return both[0].numpy(), F.pixel_shuffle(both[1:], fine)[0].numpy()


def _begin(
    stack: torch.Tensor,
    camera: Camera,
    kind: str,
    upsample: int,
    seed: int,
    device: torch.device,
    start: Unit | None,
) -> Unit:
    """Make a unit that is not trained yet, or a copy of a trained one."""
    if start is not None:
        network = copy.deepcopy(start.network).to(device)
        return Unit(start.camera, start.scale, kind, network, seed, start.steps)
    if kind == "published":
        draws = torch.Generator(device).manual_seed(seed)
        pair = camera.recorrupt(stack[:1], 1.0, draws)[:2]
        low = float(min(p.min() for p in pair))
        scale = Scale(low, float(max(p.max() for p in pair)) - low)
    else:
        stabiliser = Stabiliser.of(camera.noise)
        some = stack[:: -(-len(stack) // 8), 0, ::2, ::2].cpu().numpy()
        # The brightest pixels of the noisy image, less their noise.
        top = float(np.quantile(some, 0.995))
        unit = max(top - camera.black, float(camera.noise.variance(top)) ** 0.5)
        centre = float(np.median(stabiliser.forward(some)))
        scale = Scale(camera.black, unit, stabiliser, centre)
    network = NETWORKS[kind](upsample, seed=seed)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Unit(camera, scale, kind, network, seed)


def _train(
    unit: Unit,
    stack: torch.Tensor,
    places: torch.Tensor,
    degradation: Degradation,
    terms: Terms,
    steps: int,
    label: str,
    ready: bool,
) -> bool:
    """Train the unit's network; False if it died."""
    network = unit.network
    average = copy.deepcopy(network)
    corner = stack[:1, :, :256, :256]
    probe = stack[:1, :, : corner.shape[-2] // 16 * 16 or 1, : corner.shape[-1] // 16 * 16 or 1]
    seed = unit.seed + unit.steps  # going on draws other patches

    def dead(done: int = 0) -> bool:
        if min(probe.shape[-2:]) < 16:
            return False
        with torch.no_grad():
            results = run(network, unit.scale.seen(probe))
        return any(bool(r.min() == r.max()) for r in results)

    def preview() -> np.ndarray:
        shown = copy.copy(unit)
        shown.network = average
        rows, cols = (slice(max(0, n // 2 - 128), n // 2 + 128) for n in stack.shape[-2:])
        piece = stack[0, 0, rows, cols].cpu().numpy()
        return restore(shown, np.ascontiguousarray(piece), symmetries=1)[1]

    if unit.kind == "published":
        objective = published(
            network, stack, places, unit.camera, unit.scale, degradation, terms, seed
        )
        schedule = Schedule(steps, 5e-5, halve_at=tuple(range(10_000, steps, 10_000)))
        average = network
    else:
        objective = self_scaled(
            network,
            average,
            stack,
            places,
            unit.camera,
            unit.scale,
            degradation,
            terms,
            steps,
            seed,
            ready,
        )
        schedule = Schedule(
            steps, 3e-3, betas=(0.9, 0.99), warmup=20, final_fraction=0.02, ema=0.99
        )
    history = train(
        network,
        objective,
        schedule,
        label=label,
        preview=preview,
        stop=dead,
        average=None if average is network else average,
    )
    unit.steps += history.steps
    return not dead()
