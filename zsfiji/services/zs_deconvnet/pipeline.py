"""From noisy planes or stacks to denoised and deconvolved ones, and the training before it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from zsfiji import progress
from zsfiji.compute.device import autocast
from zsfiji.compute.scratch import release, scratch_array
from zsfiji.compute.symmetries import SYMMETRIES, dihedral, undo_dihedral
from zsfiji.compute.tiling import over_tiles
from zsfiji.errors import UserError
from zsfiji.learning.foreground import centres
from zsfiji.learning.loop import DivergedError, Schedule, train
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.symmetries import psf_symmetries
from zsfiji.services.zs_deconvnet.networks import FastNet, PublishedUNet, inverse_filter
from zsfiji.services.zs_deconvnet.objective import (
    Objective,
    Scale,
    Task,
    Terms,
    published,
    run,
    self_scaled,
    slice_pairs,
)
from zsfiji.services.zs_deconvnet.stacks import Classical, in_two_steps, learning_rate, part
from zsfiji.services.zs_deconvnet.volumes import FastNet3D, PublishedRCAN

Network = FastNet | PublishedUNet | FastNet3D | PublishedRCAN

NETWORKS: dict[tuple[str, int], type[Network]] = {
    ("fast", 2): FastNet,
    ("published", 2): PublishedUNet,
    ("fast", 3): FastNet3D,
    ("published", 3): PublishedRCAN,
}
"""The networks, by kind and by the number of axes: 2 for planes, 3 for stacks."""

KINDS = ("fast", "published")
"""The choices of network."""

TRIES = 3
"""Seeds that are tried when trainings die or diverge."""

_TILE = 512
_BLOCK = 24
_BLOCK_MARGIN = 8
_AT_ONCE = _BLOCK + 2 * _BLOCK_MARGIN
_BORDER = 16
_VOXELS = 5 * 2**19
_ELSEWHERE = 0.25
_KEPT_LOSSES = 200
_log = logging.getLogger(__name__)


@dataclass
class Unit:
    """What was learnt about one channel (or one plane, or one stack).

    Attributes
    ----------
    camera : Camera
        Its noise.
    scale : Scale
        What the network sees.
    kind : str
        One of :data:`KINDS`.
    axes : int
        2 for planes, 3 for stacks.
    network : torch.nn.Module
        The network.
    seed : int
        The seed that served.
    steps : int
        Steps of the training.
    losses : tuple of (int, float)
        Step and loss at some moments of the training.
    optics : Degradation, optional
        What the fast network deconvolves stacks with before it mends them.
    iterations : int
        Of that deconvolution.
    doubted : bool
        Whether what seemed to be correlated noise had structure: the noise of the camera is then
        what there is at least.
    """

    camera: Camera
    scale: Scale
    kind: str
    axes: int
    network: Network
    seed: int = 0
    steps: int = 0
    losses: tuple[tuple[int, float], ...] = ()
    optics: Degradation | None = None
    iterations: int = 0
    doubted: bool = False

    @property
    def symmetries(self) -> tuple[int, ...]:
        """The flips and rotations in which the network may see an image."""
        return (0,) if self.optics is None else psf_symmetries(self.optics.psf)

    @property
    def classical(self) -> Classical:
        """The classical deconvolution that the fast network for stacks begins with."""
        assert self.optics is not None, "units of networks for stacks have their optics"
        return Classical(self.camera, self.optics, self.iterations)

    def as_settings(self) -> dict[str, Any]:
        """Give all but the weights in types that JSON has."""
        return {
            "noise": self.camera.noise.as_settings(),
            "camera_dark_level": self.camera.dark_level,
            "dark_level": self.scale.dark_level,
            "unit": self.scale.unit,
            "centre": self.scale.centre,
            "stabilised": self.scale.stabiliser is not None,
            "kind": self.kind,
            "axes": self.axes,
            "upsample": self.network.upsample,
            "seed": self.seed,
            "steps": self.steps,
            "iterations": self.iterations,
            "doubted": self.doubted,
            "losses": [[step, float(f"{loss:.5g}")] for step, loss in self.losses],
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Unit:
        """Make it from what :meth:`as_settings` gave, with weights still to be loaded.

        Raises
        ------
        UserError
            If an earlier version made it, which kept less.
        """
        if "iterations" not in settings:
            raise UserError("The model is from an earlier version of zsfiji. Train it again.")
        noise = Noise.from_settings(settings["noise"])
        scale = Scale(
            settings["dark_level"],
            settings["unit"],
            Stabiliser.of(noise) if settings["stabilised"] else None,
            settings["centre"],
        )
        network = NETWORKS[settings["kind"], settings["axes"]](settings["upsample"])
        return cls(
            Camera(noise, settings["camera_dark_level"]),
            scale,
            settings["kind"],
            settings["axes"],
            _laid_out(network, settings["axes"]),
            settings["seed"],
            settings["steps"],
            tuple((int(step), float(loss)) for step, loss in settings["losses"]),
            iterations=int(settings["iterations"]),
            doubted=settings.get("doubted", False),
        )


class Results(NamedTuple):
    """What :func:`restore` makes of a plane or a stack; float32.

    Attributes
    ----------
    denoised : numpy.ndarray
        Of the shape of the image.
    sharp : numpy.ndarray
        Deconvolved, on the fine grid.
    reblurred : numpy.ndarray or None
        Of stacks: what the camera would see of it, and of light from beyond the stack.
    """

    denoised: np.ndarray
    sharp: np.ndarray
    reblurred: np.ndarray | None

    @classmethod
    def room_for(cls, shape: tuple[int, ...], fine: int, axes: int) -> Results:
        """Make arrays, in files if they are large; see :mod:`zsfiji.compute.scratch`."""
        finer = (*shape[:-2], *(n * fine for n in shape[-2:]))
        return cls(
            scratch_array(shape), scratch_array(finer), scratch_array(shape) if axes == 3 else None
        )

    def part(self, place: Any) -> Results:
        """A view of each."""
        reblurred = None if self.reblurred is None else self.reblurred[place]
        return Results(self.denoised[place], self.sharp[place], reblurred)

    def release(self) -> None:
        """Take them out of the memory, where files have them."""
        for result in self:
            if result is not None:
                release(result)


def fit_unit(
    images: Sequence[np.ndarray],
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
    pairs: Degradation | None = None,
) -> Unit:
    """Train a network on planes or on stacks.

    A training that diverges, or whose network dies (gives the same value everywhere, as rectified
    linear units may), is started again with the next seed.

    Parameters
    ----------
    images : sequence of numpy.ndarray
        float32 (row, col) or (pln, row, col), all of one size and one channel.
    camera : Camera
        Their noise.
    degradation : Degradation
        The optics; of three axes for stacks.
    kind : str
        One of :data:`KINDS`.
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
        A trained unit of the same kind, to continue from.
    pairs : Degradation, optional
        For stacks and the published network: the optics at twice the slice spacing, to learn from
        pairs of neighbouring slices instead of recorrupted ones.

    Returns
    -------
    Unit
        With its network on `device`.

    Raises
    ------
    UserError
        If no seed served.
    """
    axes = degradation.psf.ndim
    data = torch.from_numpy(np.stack(list(images)))
    data = (data[:, None] if axes == 2 else data).to(device)
    flat = list(images) if axes == 2 else [stack.max(0) for stack in images]
    places = centres(flat, _ELSEWHERE if kind == "fast" else 0.0)
    for attempt in range(TRIES):
        unit = _begin(data, places, camera, kind, degradation, seed + attempt, start)
        seed_of_draws = unit.seed + unit.steps  # going on draws other patches
        task = Task(
            unit.network, data, places, camera, unit.scale, degradation, terms, seed_of_draws
        )
        try:
            if _train(unit, task, pairs, steps, label, start is not None):
                return unit
            what = "failed (the network gives the same value everywhere)"
        except DivergedError:
            what = "diverged"
        _log.warning("The training with seed %d %s; trying another seed.", unit.seed, what)
    raise UserError(
        f"The training failed with {TRIES} seeds in a row. Look whether single pixels of the "
        "image are extremely bright and whether the given background is right."
    )


def restore(
    unit: Unit,
    image: np.ndarray,
    label: str | None = None,
    *,
    symmetries: int = SYMMETRIES,
    into: Results | None = None,
) -> Results:
    """Denoise and deconvolve a plane or a stack.

    Parameters
    ----------
    unit : Unit
        What was learnt.
    image : numpy.ndarray
        Of any type; (row, col), or (pln, row, col) for a unit of three axes.
    label : str, optional
        What to report as progress.
    symmetries : int
        Flips and rotations that the results are means of, 1, 2, 4 or 8.
    into : Results, optional
        Where to put them; new arrays where it is not given.

    Returns
    -------
    Results
        In the unit of the image.
    """
    if into is None:
        into = Results.room_for(image.shape, unit.network.upsample, unit.axes)
    if unit.axes == 2:
        _restore_slices(unit, image[None], into.part(None), 0, label, symmetries)
        return into
    slices = len(image)
    block_slices = slices if slices <= _AT_ONCE else _BLOCK
    for first in range(0, slices, block_slices):
        last = min(first + block_slices, slices)
        low, high = max(0, first - _BLOCK_MARGIN), min(slices, last + _BLOCK_MARGIN)
        with progress.part(first / slices, last / slices):
            block = into.part(slice(first, last))
            _restore_slices(unit, image[low:high], block, first - low, label, symmetries)
        into.release()
    return into


def _restore_slices(
    unit: Unit,
    slices: np.ndarray,
    into: Results,
    skipped: int,
    label: str | None,
    symmetries: int,
) -> None:
    """Restore one plane (1, row, col), or slices that are seen together, tile by tile.

    The first `skipped` slices, and those beyond the length of `into`, are only there for the
    others to be seen with.
    """
    network, count = unit.network, len(slices)
    fine = network.upsample
    wanted = {1: (0,), 2: (0, 6), 4: (0, 2, 5, 7)}.get(symmetries, tuple(range(SYMMETRIES)))
    chosen = [which for which in wanted if which in unit.symmetries]
    tile = _TILE
    while tile > 64 and count > 1 and count * _area(slices.shape, tile, network.margin) > _VOXELS:
        tile -= 64
    margin = network.margin
    if unit.axes == 3 and max(slices.shape[-2:]) <= tile:
        margin = min(margin, _BORDER)  # there is no seam, and the optics know of mirrored borders
    denoised, sharp, reblurred = into
    length = len(denoised)
    kept = slice(skipped, skipped + length)

    def work(piece: torch.Tensor) -> torch.Tensor:
        smooth, detail, again = _mean_of_symmetries(unit, piece, chosen, label)
        # The pixels of the fine grid travel as channels: tiles keep their size.
        cells = F.pixel_unshuffle(detail[kept, None], fine).flatten(0, 1)
        return torch.cat([smooth[kept], cells, *([] if again is None else [again[kept]])])

    def put(both: torch.Tensor, top: int, left: int) -> None:
        bottom, right = top + both.shape[-2], left + both.shape[-1]
        both = both.cpu()
        denoised[:, top:bottom, left:right] = both[:length].numpy()
        if reblurred is not None:
            reblurred[:, top:bottom, left:right] = both[-length:].numpy()
        cells = both[length : length * (1 + fine**2)]
        cells = cells.reshape(length, fine**2, *both.shape[-2:])
        rows, cols = slice(top * fine, bottom * fine), slice(left * fine, right * fine)
        sharp[:, rows, cols] = F.pixel_shuffle(cells, fine)[:, 0].numpy()

    over_tiles(
        work,
        torch.from_numpy(np.ascontiguousarray(slices, dtype=np.float32)),
        put,
        tile=tile,
        margin=margin,
        multiple=network.multiple,
        network=network,
        label=label,
    )


def _area(shape: tuple[int, ...], tile: int, margin: int) -> int:
    """Pixels of a slice of a tile with its margins; tiles are not larger than the image."""
    rows, cols = (min(tile, n) + 2 * margin for n in shape[-2:])
    return rows * cols


def _mean_of_symmetries(
    unit: Unit, piece: torch.Tensor, symmetries: Sequence[int], label: str | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Mean of what the network makes of a piece (slices, row, col) in several positions.

    In grey levels; of stacks also what the camera would see of the deconvolved piece.
    """
    inputs = []
    for which in symmetries:
        turned = dihedral(piece, which)[None]
        inputs.append(unit.scale.to_network(turned if unit.axes == 2 else turned[None]))

    def mean(results: Sequence[torch.Tensor]) -> torch.Tensor:
        flat = (r.float().reshape(-1, *r.shape[-2:]) for r in results)
        back = [undo_dihedral(r, which) for r, which in zip(flat, symmetries, strict=True)]
        return unit.scale.grey(torch.stack(back).mean(0))

    network = unit.network
    if not isinstance(network, FastNet3D):
        both = [run(network, s) for s in inputs]
        smooth, sharp = mean([d for d, _ in both]), mean([s for _, s in both])
        again = unit.optics(sharp) if unit.optics is not None and unit.axes == 3 else None
        return smooth, sharp, again
    with autocast(piece.device):
        found = [network.smooth(s) for s in inputs]
    smooth = mean([d for d, _ in found])
    begun = unit.classical(piece, label)  # the same in every position
    known = (begun.specimen - unit.scale.dark_level) / unit.scale.unit
    mended = []
    for shown, (denoised, features), which in zip(inputs, found, symmetries, strict=True):
        with autocast(piece.device):
            turned = dihedral(known, which)[None, None]
            mended.append(network.mend(shown, denoised, features, turned))
    result = unit.classical.mended(piece, begun, mean(mended))
    return smooth, result.specimen, result.reblurred


def _begin(
    data: torch.Tensor,
    places: torch.Tensor,
    camera: Camera,
    kind: str,
    degradation: Degradation,
    seed: int,
    start: Unit | None,
) -> Unit:
    """Make a unit that is not trained yet, or a copy of a trained one."""
    axes, device = degradation.psf.ndim, data.device
    if start is not None:
        network = copy.deepcopy(start.network).to(device)
        return replace(start, network=network, seed=seed, optics=degradation)
    if kind == "published":
        draws = torch.Generator(device).manual_seed(seed)
        pair = camera.recorrupt(data[:1], 1.0, draws)[:2]
        low = float(min(p.min() for p in pair))
        scale = Scale(low, float(max(p.max() for p in pair)) - low)
    else:
        stabiliser = Stabiliser.of(camera.noise)
        some = data[:: -(-len(data) // 8), :: -(-data.shape[1] // 8), ::2, ::2].cpu().numpy()
        top = float(np.quantile(some, 0.995))
        bright = max(top - camera.dark_level, float(camera.noise.variance(top)) ** 0.5)
        centre = float(np.median(stabiliser.forward(some)))
        scale = Scale(camera.dark_level, bright, stabiliser, centre)
    network = NETWORKS[kind, axes](degradation.upsample, seed=seed).to(device)
    if isinstance(network, FastNet):
        network.inverse.copy_(inverse_filter(degradation))
    network = _laid_out(network, axes)
    unit = Unit(camera, scale, kind, axes, network, seed, optics=degradation)
    if isinstance(network, FastNet3D):
        unit.iterations = Classical.of(part(data, places, 0), camera, degradation).iterations
    return unit


def _laid_out(network: Network, axes: int) -> Network:
    """Lay the weights out as the convolutions like them."""
    memory = torch.channels_last if axes == 2 else torch.channels_last_3d
    return network.to(memory_format=memory)


def _train(
    unit: Unit,
    task: Task,
    pairs: Degradation | None,
    steps: int,
    label: str,
    ready: bool,
) -> bool:
    """Train the unit's network; False if it died."""
    average = copy.deepcopy(unit.network)
    probe = task.data[:1, :16, :64, :64]
    sides = [n // unit.network.multiple * unit.network.multiple for n in probe.shape[-2:]]
    probe = probe[..., : sides[0], : sides[1]]
    probe = probe if unit.axes == 2 else probe[:, None]

    def dead(done: int = 0) -> bool:
        with torch.no_grad():
            results = run(unit.network, unit.scale.to_network(probe))
        return any(bool(r.min() == r.max()) for r in results)

    def preview() -> np.ndarray:
        shown = copy.copy(unit)
        shown.network = average if schedule.ema is not None else unit.network
        half = 128 if unit.axes == 2 else 64
        rows, cols = (slice(max(0, n // 2 - half), n // 2 + half) for n in task.data.shape[-2:])
        piece = task.data[0, :, rows, cols].cpu().numpy()
        if unit.axes == 2:
            sharp = restore(shown, piece[0], symmetries=1).sharp
        else:
            middle = len(piece) // 2
            near = piece[max(0, middle - 6) : middle + 7]
            sharp = restore(shown, near, symmetries=1).sharp[len(near) // 2]
        return np.maximum(sharp, unit.camera.dark_level)  # as in the result

    objective: Objective
    if unit.kind == "fast":
        if isinstance(unit.network, FastNet3D) and isinstance(average, FastNet3D):
            objective = in_two_steps(task, unit.network, average, unit.classical, steps, ready)
            rate, betas = learning_rate(task), (0.9, 0.99)
        else:
            objective, rate, betas = self_scaled(task, average, steps, ready), 3e-3, (0.9, 0.95)
        schedule = Schedule(steps, rate, betas=betas, warmup=20, final_fraction=0.02, ema=0.99)
    elif unit.axes == 2:
        objective = published(task)
        schedule = Schedule(steps, 5e-5, halve_at=tuple(range(10_000, steps, 10_000)))
    else:
        objective = slice_pairs(replace(task, degradation=pairs)) if pairs else published(task)
        schedule = Schedule(steps, 1e-4, halve_at=(5000, 7500, 10_000), decay=1e-5)
    history = train(
        unit.network,
        objective,
        schedule,
        label=label,
        preview=preview,
        stop=dead,
        average=average if schedule.ema is not None else None,
    )
    thinned = history.losses[:: -(-len(history.losses) // _KEPT_LOSSES)]
    unit.losses += tuple((unit.steps + step, loss) for step, loss in thinned)
    unit.steps += history.steps
    return not dead()
