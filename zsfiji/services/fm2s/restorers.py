"""Restorers: what was learnt about one channel (or one plane), to restore planes with it.

There is one class for the published training, and one for ours with the measured noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import nn

from zsfiji.compute.symmetries import self_ensemble
from zsfiji.compute.tiling import by_tiles
from zsfiji.images.middle import middle
from zsfiji.physics.camera.calibration.calibrate import calibrate, in_smoothest
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.polyphase import centred, phases, smoothed, working_resolution
from zsfiji.physics.noise import Noise
from zsfiji.services.fm2s import fitted, published, recipes
from zsfiji.services.fm2s.network import MARGIN, build
from zsfiji.services.fm2s.presets import Preset

SMALLEST = 32
"""Planes with a shorter edge at working resolution are only filtered in the auto mode. Not
tuned."""

_TILE = 512
"""Edge of a tile in pixels: bounds the memory, no result depends on it."""

_PREVIEW = 512
"""Edge of the preview in pixels. Not tuned."""


@dataclass(frozen=True)
class PublishedRecord:
    """What a model file has of a :class:`PublishedRestorer` besides the weights."""

    noise: Noise
    preset: Preset
    low: float
    scale: float
    kind: Literal["published"] = "published"


@dataclass(frozen=True)
class FittedRecord:
    """What a model file has of a :class:`FittedRestorer` besides the weights."""

    noise: Noise
    d: int
    working: Noise
    centre: float
    trained: bool
    kind: Literal["fitted"] = "fitted"


class Restorer(Protocol):
    """What the service needs of either kind of restorer."""

    noise: Noise
    network: nn.Sequential | None

    @property
    def record(self) -> PublishedRecord | FittedRecord:
        """Everything but the weights."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""

    def restore(self, plane: np.ndarray, device: torch.device) -> np.ndarray:
        """Restore a plane, float32 (row, col) in and out, in the unit of the image."""


@dataclass
class PublishedRestorer:
    """A network of the published method.

    Attributes
    ----------
    noise : Noise
        Noise measured in the image; only for the notes.
    preset : Preset
        The authors' constants.
    low, scale : float
        Pixel value that is 0 in the network's input, and distance to the one that is 1.
    network : torch.nn.Sequential
        The network.
    """

    noise: Noise
    preset: Preset
    low: float
    scale: float
    network: nn.Sequential | None = None

    @classmethod
    def fit(
        cls,
        planes: Sequence[np.ndarray],
        preset: Preset,
        quality: str,
        *,
        eight_bit: bool,
        seed: int,
        device: torch.device,
        label: str,
    ) -> PublishedRestorer:
        """Train on noisy planes of one size; with `eight_bit`, full scale is 0 to 255."""
        low, scale = (0.0, 255.0) if eight_bit else full_scale(planes)
        recipe = recipes.RECIPES[quality]
        unit = cls(calibrate(planes), preset, low, scale)
        shown = planes[0][middle(planes[0].shape, _PREVIEW)]

        def preview(network: nn.Sequential) -> np.ndarray:
            unit.network = network
            return unit._restore(shown)

        scaled = [(plane - np.float32(low)) / np.float32(scale) for plane in planes]
        unit.network = published.fit_network(
            scaled, preset, recipe, seed=seed, device=device, label=label, preview=preview
        )
        return unit

    @classmethod
    def of(cls, record: PublishedRecord) -> PublishedRestorer:
        """Make it again from its record, with weights still to be loaded."""
        channels = record.preset.channels
        network = build(channels, channels, 0)
        return cls(record.noise, record.preset, record.low, record.scale, network)

    @property
    def record(self) -> PublishedRecord:
        """All of it but the weights."""
        return PublishedRecord(self.noise, self.preset, self.low, self.scale)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""
        assert self.network is not None, "called only after the training"
        return self.network.state_dict()

    def restore(self, plane: np.ndarray, device: torch.device) -> np.ndarray:
        """Restore a plane, float32 (row, col) in and out, in the unit of the image."""
        assert self.network is not None
        self.network.to(device)
        return self._restore(plane)

    def _restore(self, plane: np.ndarray) -> np.ndarray:
        network = self.network
        assert network is not None

        def work(tile: torch.Tensor) -> torch.Tensor:
            return published.apply_network(network, tile, self.preset.channels)

        scaled = (plane[None] - np.float32(self.low)) / np.float32(self.scale)
        result = by_tiles(work, scaled, tile=_TILE, margin=MARGIN, network=network)[0]
        return result * np.float32(self.scale) + np.float32(self.low)


@dataclass
class FittedRestorer:
    """A network that was trained with the measured noise.

    Attributes
    ----------
    noise : Noise
        Noise of the image at its own resolution.
    d : int
        Working resolution in pixels; 1 for noise that is independent from pixel to pixel.
    working : Noise
        Noise at working resolution.
    centre : float
        Stabilised value that is 0 in the network's input.
    network : torch.nn.Sequential or None
        The network; None if the image is too small or has no noise.
    """

    noise: Noise
    d: int
    working: Noise
    centre: float = 0.0
    network: nn.Sequential | None = None

    @classmethod
    def fit(
        cls,
        planes: Sequence[np.ndarray],
        quality: str,
        *,
        seed: int,
        device: torch.device,
        label: str,
    ) -> FittedRestorer:
        """Measure the noise and train on planes of one size."""
        noise = calibrate(planes)
        d = working_resolution(noise)
        working = noise if d == 1 else in_smoothest([smoothed(p, d)[::d, ::d] for p in planes])
        unit = cls(noise, d, working)
        if working.floor == 0 or min(planes[0].shape) // d < SMALLEST:
            return unit
        shown = planes[0][middle(planes[0].shape, _PREVIEW)]

        def preview(network: nn.Sequential, centre: float) -> np.ndarray:
            present = FittedRestorer(noise, d, working, centre, network)
            return present.restore(shown, device, ensemble=False)

        unit.network, unit.centre = fitted.fit_network(
            planes, working, d, quality, seed=seed, device=device, label=label, preview=preview
        )
        return unit

    @classmethod
    def of(cls, record: FittedRecord) -> FittedRestorer:
        """Make it again from its record, with weights still to be loaded."""
        network = build(fitted.INPUTS, 1, 0) if record.trained else None
        return cls(record.noise, record.d, record.working, record.centre, network)

    @property
    def record(self) -> FittedRecord:
        """All of it but the weights."""
        trained = self.network is not None
        return FittedRecord(self.noise, self.d, self.working, self.centre, trained)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""
        return {} if self.network is None else self.network.state_dict()

    def restore(
        self, plane: np.ndarray, device: torch.device, *, ensemble: bool = True
    ) -> np.ndarray:
        """Restore a plane, float32 (row, col) in and out, in the unit of the image."""
        if self.working.floor == 0:
            return plane.copy()
        coarse = smoothed(plane, self.d)
        stabiliser = Stabiliser.of(self.working)
        result = np.empty_like(plane)
        for part in phases(self.d):
            if 0 in coarse[part].shape:
                continue
            noisy = torch.from_numpy(stabiliser.forward(coarse[part])).to(device)
            clean = filtered(noisy, self.working)
            if self.network is not None:
                clean = self._apply_network(self.network.to(device), noisy, clean, ensemble)
            result[part] = stabiliser.inverse(clean.cpu().numpy())
        return centred(result, self.d)

    def _apply_network(
        self, network: nn.Sequential, noisy: torch.Tensor, clean: torch.Tensor, ensemble: bool
    ) -> torch.Tensor:
        def once(both: torch.Tensor) -> torch.Tensor:
            return fitted.apply_network(network, both)

        def work(tile: torch.Tensor) -> torch.Tensor:
            return self_ensemble(once, tile) if ensemble else once(tile)

        both = (torch.stack([noisy, clean]) - self.centre) * fitted.NOISE_SCALE
        result = by_tiles(work, both, tile=_TILE, margin=MARGIN, network=network)[0]
        return result / fitted.NOISE_SCALE + self.centre


def full_scale(planes: Sequence[np.ndarray]) -> tuple[float, float]:
    """Find the full scale of an image that does not have 8 bit.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        Any unit and scale.

    Returns
    -------
    low, scale : float
        The 0.1 percent quantile of the pixels, and the distance from there to the 99.9 percent
        quantile. `scale` is above 0. See docs/methods/fm2s.md, section 5.
    """
    sample = np.concatenate([plane[::2, ::2].ravel() for plane in planes])
    low, high = (float(v) for v in np.quantile(sample, (0.001, 0.999)))
    if high <= low:
        low, high = min(float(p.min()) for p in planes), max(float(p.max()) for p in planes)
    return low, (high - low) or 1.0
