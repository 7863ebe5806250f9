"""How a plane is restored with what was learnt: filters, network, and their blend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from zsfiji import progress
from zsfiji.compute.device import autocast
from zsfiji.compute.symmetries import self_ensemble
from zsfiji.compute.tiling import by_tiles
from zsfiji.images.middle import middle
from zsfiji.physics.camera.defects import repaired
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.polyphase import centred, phases, smoothed
from zsfiji.physics.filters.structure import put_back
from zsfiji.physics.noise import Noise
from zsfiji.services.denoise.network import MARGIN, MULTIPLE, Denoiser
from zsfiji.services.denoise.objective import to_network

NOISE_SCALE = 0.25
"""Standard deviation of the noise in what the network sees. Not tuned."""

TILE = 512
"""Edge in pixels of the tiles that the network sees: bounds the memory, no result depends on it."""

_PREVIEW = 512
"""Edge in pixels of the preview."""


@dataclass(frozen=True)
class Record:
    """What a model file keeps of a restorer beside the weights; see :class:`Restorer`."""

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

    @property
    def record(self) -> Record:
        """What is kept beside the weights."""
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
        """Move the network, laid out as its convolutions like it."""
        if self.network is not None:
            self.network.to(device).to(memory_format=torch.channels_last)


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


def restore(
    unit: Restorer,
    plane: np.ndarray,
    device: torch.device,
    *,
    spare: bool = True,
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
                learnt = through_network(unit, noisy, label=label)
            told = stabiliser.inverse(learnt.cpu().numpy())
            value = unit.weight * told + (1 - unit.weight) * value
        result[part] = value
    result = centred(result, unit.d)
    if not spare:
        return Plane(result, defects)
    result, share = put_back(sound, result, unit.noise, unit.d)
    return Plane(result, defects, share)


def through_network(
    unit: Restorer, noisy: torch.Tensor, *, ensemble: bool = True, label: str | None = None
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
        work, scaled, tile=TILE, margin=MARGIN, multiple=MULTIPLE, network=network, label=label
    )
    return result[0] / NOISE_SCALE + unit.centre


def preview(unit: Restorer, plane: np.ndarray) -> np.ndarray:
    """What the network makes of the middle of the first plane at present."""
    part = next(iter(phases(unit.d)))
    coarse = smoothed(plane, unit.d)[part]
    stabiliser = Stabiliser.of(unit.working)
    assert unit.network is not None, "asked only while it is trained"
    device = next(unit.network.parameters()).device
    noisy = torch.from_numpy(stabiliser.forward(coarse[middle(coarse.shape, _PREVIEW)])).to(device)
    return stabiliser.inverse(through_network(unit, noisy, ensemble=False).cpu().numpy())
