"""Restore a plane: filters, network, their blend, and the check of the residual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from zsfiji import progress
from zsfiji.compute.device import autocast
from zsfiji.compute.symmetries import SYMMETRIES, self_ensemble
from zsfiji.compute.tiling import by_tiles
from zsfiji.images.middle import middle
from zsfiji.learning.denoiser import MARGIN, MULTIPLE, Denoiser
from zsfiji.physics.camera.defects import repaired
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered, refined
from zsfiji.physics.filters.polyphase import centred, phases, smoothed
from zsfiji.physics.filters.structure import put_back
from zsfiji.physics.noise import Noise
from zsfiji.services.denoise.objective import to_network

NOISE_SCALE = 0.25
"""Standard deviation of the noise in the network's input. From the prototype; no other value was
tried."""

TILE = 512
"""Edge in pixels of the network's tiles: bounds the memory, no result depends on it."""

_PREVIEW = 512
"""Edge in pixels of the preview. Not tuned."""


@dataclass(frozen=True)
class Record:
    """What a model file has of a restorer besides the weights; see :class:`Restorer`."""

    noise: Noise
    d: int
    working: Noise
    centre: float
    weight: float
    doubted: bool
    trained: bool


@dataclass
class Restorer:
    """What was learnt about one channel (or one plane).

    Attributes
    ----------
    noise : Noise
        Noise of the image at its own resolution.
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
        Whether what seemed to be correlated noise may be structure: `noise` is then a lower limit.
    """

    noise: Noise
    d: int
    working: Noise
    centre: float = 0.0
    weight: float = 0.0
    network: Denoiser | None = None
    doubted: bool = False

    @property
    def record(self) -> Record:
        """What is kept besides the weights."""
        return Record(
            self.noise,
            self.d,
            self.working,
            self.centre,
            self.weight,
            self.doubted,
            self.network is not None,
        )

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""
        return {} if self.network is None else self.network.state_dict()

    def to(self, device: torch.device) -> None:
        """Move the network, in the memory format that is fastest for its convolutions."""
        if self.network is not None:
            self.network.to(device).to(memory_format=torch.channels_last)


class Plane(NamedTuple):
    """A restored plane.

    Attributes
    ----------
    values : numpy.ndarray
        float32 (row, col), in the unit of the image.
    sound : numpy.ndarray
        The noisy plane without its defective pixels.
    defects : int
        Number of defective pixels that were replaced first.
    put_back : float
        Share of the pixels where structure was put back.
    """

    values: np.ndarray
    sound: np.ndarray
    defects: int = 0
    put_back: float = 0.0


def restore(
    unit: Restorer,
    plane: np.ndarray,
    device: torch.device,
    *,
    symmetries: Sequence[int] = range(SYMMETRIES),
    draft: bool = False,
    label: str | None = None,
) -> Plane:
    """Restore a plane.

    Parameters
    ----------
    unit : Restorer
        What was learnt.
    plane : numpy.ndarray
        float32 (row, col).
    device : torch.device
        Where to compute.
    symmetries : sequence of int
        Flips and rotations of which the network's result is the mean.
    draft : bool
        Whether a first estimate is enough: that of the filters, without groups of patches, and
        without putting structure back.
    label : str, optional
        What to report to the user as progress; without it nothing is reported.

    Returns
    -------
    Plane
        The restored plane.
    """
    if unit.working.floor == 0:
        return Plane(plane.copy(), plane)
    sound, defects = repaired(plane, unit.noise)
    coarse = smoothed(sound, unit.d)
    stabiliser = Stabiliser.of(unit.working)
    result = np.empty_like(plane)
    for number, part in enumerate(phases(unit.d)):
        if 0 in coarse[part].shape:
            continue
        noisy = torch.from_numpy(stabiliser.forward(coarse[part])).to(device)
        with progress.part(number / unit.d**2, (number + 0.5) / unit.d**2):
            smooth = (filtered if draft else refined)(noisy, unit.working, label=label)
        value = stabiliser.inverse(smooth.cpu().numpy())
        if unit.network is not None and unit.weight > 0:
            with progress.part((number + 0.5) / unit.d**2, (number + 1) / unit.d**2):
                learnt = apply_network(unit, noisy, smooth, symmetries=symmetries, label=label)
            by_network = stabiliser.inverse(learnt.cpu().numpy())
            value = unit.weight * by_network + (1 - unit.weight) * value
        result[part] = value
    result = centred(result, unit.d)
    if draft:
        return Plane(result, sound, defects)
    result, share = put_back(sound, result, unit.noise, unit.d)
    return Plane(result, sound, defects, share)


def apply_network(
    unit: Restorer,
    noisy: torch.Tensor,
    smooth: torch.Tensor,
    *,
    symmetries: Sequence[int] = range(SYMMETRIES),
    label: str | None = None,
) -> torch.Tensor:
    """Result of the network for a stabilised plane and its filtered version (height, width)."""
    network = unit.network
    assert network is not None, "called only with a network"

    def once(image: torch.Tensor) -> torch.Tensor:
        with autocast(image.device):
            return network(image.contiguous(memory_format=torch.channels_last)).float()

    def work(tile: torch.Tensor) -> torch.Tensor:
        return self_ensemble(once, tile[None], symmetries)[0]

    scaled = (to_network(noisy, smooth) - unit.centre) * NOISE_SCALE
    result = by_tiles(
        work, scaled, tile=TILE, margin=MARGIN, multiple=MULTIPLE, network=network, label=label
    )
    return result[0] / NOISE_SCALE + unit.centre


class Preview:
    """The network's current result for the middle of a plane.

    Parameters
    ----------
    unit : Restorer
        What is being trained.
    plane : numpy.ndarray
        float32 (row, col).
    """

    def __init__(self, unit: Restorer, plane: np.ndarray) -> None:
        self._unit, self._plane = unit, plane
        self._planes: tuple[torch.Tensor, torch.Tensor] | None = None

    def __call__(self) -> np.ndarray:
        """Give it, in the unit of the image."""
        unit = self._unit
        stabiliser = Stabiliser.of(unit.working)
        if self._planes is None:
            # The filters take longer than the network, and their result stays.
            coarse = smoothed(self._plane, unit.d)[next(iter(phases(unit.d)))]
            part = coarse[middle(coarse.shape, _PREVIEW)]
            assert unit.network is not None, "called only during the training"
            device = next(unit.network.parameters()).device
            noisy = torch.from_numpy(stabiliser.forward(part)).to(device)
            self._planes = noisy, refined(noisy, unit.working)
        return stabiliser.inverse(apply_network(unit, *self._planes, symmetries=(0,)).cpu().numpy())
