"""What was learnt about one channel (or one plane), and how it restores parts of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from zsfiji.compute.device import autocast
from zsfiji.compute.tiling import by_tiles
from zsfiji.learning.models import load_weights
from zsfiji.physics.noise import Noise
from zsfiji.reconstruction.drift import Drift
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.calibration import Record as SimRecord
from zsfiji.services.zs_sim.network import MARGIN, ZsSimNetwork
from zsfiji.services.zs_sim.reconstruct import Filtering, OfPatterns, Planes, Reconstruction
from zsfiji.services.zs_sim.scan import PairsUsed

_TILE = 512
"""Edge of a tile in pixels: bounds the memory, no result depends on it."""


@dataclass(frozen=True)
class Record:
    """What a model file keeps besides the tensors.

    Attributes
    ----------
    noise : Noise
        Noise of the raw image.
    low, unit : float
        Value that is 0 in the network's input, and distance to the one that is 1.
    slope : float
        What a result is multiplied by, about its mean.
    pairs : {"all", "rows", "columns"}
        The pairs of views.
    steps, best : int
        Steps of the training, and the one after which the network was best; 0 if none was.
    filtering : Filtering
        The Wiener filter, for raw SIM images.
    sim : zsfiji.services.sim.calibration.Record, optional
        Patterns and optics of a raw SIM image.
    doubted : bool
        Whether the noise is the least that there is; see :func:`.doubt.noise_to_use`.
    """

    noise: Noise
    low: float
    unit: float
    slope: float
    pairs: PairsUsed
    steps: int
    best: int
    filtering: Filtering
    sim: SimRecord | None = None
    doubted: bool = False


@dataclass(frozen=True, eq=False)
class Restorer:
    """A trained network, and the reconstruction before it.

    Attributes
    ----------
    record : Record
        Noise, scale and course of the training.
    network : ZsSimNetwork
        The network.
    """

    record: Record
    network: ZsSimNetwork

    @classmethod
    def of(cls, record: Record, tensors: Mapping[str, torch.Tensor]) -> Restorer:
        """Make a restorer, on the CPU, from what :attr:`record` and :meth:`tensors` gave."""
        network = ZsSimNetwork()
        load_weights(network, tensors)
        return cls(record, network)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""
        return self.network.state_dict()

    @property
    def calibration(self) -> Calibration:
        """Patterns and optics of the image that it is for."""
        if self.record.sim is None:
            raise ValueError("planes have no patterns")
        return Calibration(self.record.sim)

    def restore(
        self, part: np.ndarray, device: torch.device
    ) -> tuple[np.ndarray, np.ndarray, Drift | None]:
        """Restore a part, float32, in the unit of the image.

        Parameters
        ----------
        part : numpy.ndarray
            (row, col), or (angle, frame, row, col).
        device : torch.device
            Where to compute.

        Returns
        -------
        reconstruction, denoised : numpy.ndarray
            (row, col), of the same mean.
        drift : Drift or None
            Between the angles of a raw SIM image.
        """
        raw = torch.from_numpy(part).to(device)
        calibration = None if self.record.sim is None else self.calibration
        reconstruction = reconstruction_of(raw, calibration, self.record.filtering)
        whole = reconstruction.whole(raw)
        denoised = whole if self.record.best == 0 else self.denoised(self.network, whole)
        return whole.cpu().numpy(), denoised.cpu().numpy(), reconstruction.drift

    def denoised(self, network: ZsSimNetwork, whole: torch.Tensor) -> torch.Tensor:
        """Denoise a reconstruction (row, col) with a network; the mean stays."""
        record = self.record
        found = denoise(network, (whole - record.low) / record.unit) * record.unit
        return record.slope * (found - found.mean()) + whole.mean()


def reconstruction_of(
    part: torch.Tensor, calibration: Calibration | None, filtering: Filtering
) -> Reconstruction:
    """The reconstruction of a part: with a calibration that of patterns."""
    if calibration is None:
        return Planes()
    return OfPatterns(calibration, part, filtering)


def denoise(network: ZsSimNetwork, scaled: torch.Tensor) -> torch.Tensor:
    """Apply a network to a plane (row, col) that is scaled for it."""

    def work(tile: torch.Tensor) -> torch.Tensor:
        with autocast(tile.device):
            given = tile[None].contiguous(memory_format=torch.channels_last)
            found: torch.Tensor = network(given)[0].float()
        return found

    return by_tiles(work, scaled[None], tile=_TILE, margin=MARGIN, network=network)[0]
