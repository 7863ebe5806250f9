"""What was learnt about one channel (or one plane), and how it restores a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from zsfiji.compute.symmetries import self_ensemble
from zsfiji.compute.tiling import by_tiles
from zsfiji.physics.camera.calibration.calibrate import calibrate, in_smoothest
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.polyphase import centred, phases, smoothed, working_resolution
from zsfiji.physics.noise import Noise
from zsfiji.services.fm2s import fitted, published
from zsfiji.services.fm2s.network import MARGIN, build
from zsfiji.services.fm2s.presets import Preset

SMALLEST = 32
"""Planes with a shorter edge at working resolution are left to the filters in the auto mode.
Not tuned."""

_TILE = 512
"""Edge of a tile in pixels: bounds the memory, no result depends on it."""

_PREVIEW = 512
"""Edge of the preview in pixels."""


class Unit(Protocol):
    """What the service needs of either kind of unit."""

    noise: Noise
    network: nn.Sequential | None

    def as_settings(self) -> dict[str, Any]:
        """Give all but the network in types that JSON has."""

    def restore(self, plane: np.ndarray, device: torch.device) -> np.ndarray:
        """Restore a plane, float32 (row, col) in and out, in the unit of the image."""


@dataclass
class PublishedUnit:
    """A network of the published method.

    Attributes
    ----------
    noise : Noise
        Noise measured in the image; only for the notes.
    preset : Preset
        The authors' constants.
    low, scale : float
        Pixel value that the network sees as 0, and distance to the one that it sees as 1.
    ensemble : bool
        Whether the mean over the eight flips and rotations is taken.
    network : torch.nn.Sequential
        The network.
    """

    noise: Noise
    preset: Preset
    low: float
    scale: float
    ensemble: bool
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
    ) -> PublishedUnit:
        """Train on noisy planes of one size; `eight_bit` says that full scale is 0 to 255."""
        low, scale = (0.0, 255.0) if eight_bit else full_scale(planes)
        recipe = published.RECIPES[quality]
        unit = cls(calibrate(planes), preset, low, scale, recipe.patch is not None)
        middle = _middle(planes[0])

        def preview(network: nn.Sequential) -> np.ndarray:
            unit.network = network
            return unit._restore(middle, ensemble=False)

        scaled = [(plane - np.float32(low)) / np.float32(scale) for plane in planes]
        unit.network = published.fit_network(
            scaled, preset, recipe, seed=seed, device=device, label=label, preview=preview
        )
        return unit

    @classmethod
    def from_settings(cls, stored: dict[str, Any]) -> PublishedUnit:
        """Make it from what :meth:`as_settings` gave, with a network still to be loaded."""
        preset = Preset(**stored["preset"])
        return cls(
            Noise.from_settings(stored["noise"]),
            preset,
            stored["low"],
            stored["scale"],
            stored["ensemble"],
            build(preset.channels, preset.channels, 0),
        )

    def as_settings(self) -> dict[str, Any]:
        """Give all but the network in types that JSON has."""
        return {
            "noise": self.noise.as_settings(),
            "preset": asdict(self.preset),
            "low": self.low,
            "scale": self.scale,
            "ensemble": self.ensemble,
            "trained": True,
        }

    def restore(self, plane: np.ndarray, device: torch.device) -> np.ndarray:
        """Restore a plane, float32 (row, col) in and out, in the unit of the image."""
        assert self.network is not None
        self.network.to(device)
        return self._restore(plane, ensemble=self.ensemble)

    def _restore(self, plane: np.ndarray, *, ensemble: bool) -> np.ndarray:
        network = self.network
        assert network is not None

        def once(image: torch.Tensor) -> torch.Tensor:
            return published.through(network, image, self.preset.channels)

        def work(tile: torch.Tensor) -> torch.Tensor:
            return self_ensemble(once, tile) if ensemble else once(tile)

        scaled = (plane[None] - np.float32(self.low)) / np.float32(self.scale)
        result = by_tiles(work, scaled, tile=_TILE, margin=MARGIN, network=network)[0]
        return result * np.float32(self.scale) + np.float32(self.low)


@dataclass
class FittedUnit:
    """A network that was trained with the measured noise.

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
    network : torch.nn.Sequential or None
        The network; None where the image is too small, or has no noise.
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
    ) -> FittedUnit:
        """Measure the noise and train on planes of one size."""
        noise = calibrate(planes)
        d = working_resolution(noise)
        working = noise if d == 1 else in_smoothest([smoothed(p, d)[::d, ::d] for p in planes])
        unit = cls(noise, d, working)
        if working.floor == 0 or min(planes[0].shape) // d < SMALLEST:
            return unit
        middle = _middle(planes[0])

        def preview(network: nn.Sequential, centre: float) -> np.ndarray:
            present = FittedUnit(noise, d, working, centre, network)
            return present.restore(middle, device, ensemble=False)

        unit.network, unit.centre = fitted.fit_network(
            planes, working, d, quality, seed=seed, device=device, label=label, preview=preview
        )
        return unit

    @classmethod
    def from_settings(cls, stored: dict[str, Any]) -> FittedUnit:
        """Make it from what :meth:`as_settings` gave, with a network still to be loaded."""
        return cls(
            Noise.from_settings(stored["noise"]),
            stored["d"],
            Noise.from_settings(stored["working"]),
            stored["centre"],
            build(fitted.INPUTS, 1, 0) if stored["trained"] else None,
        )

    def as_settings(self) -> dict[str, Any]:
        """Give all but the network in types that JSON has."""
        return {
            "noise": self.noise.as_settings(),
            "d": self.d,
            "working": self.working.as_settings(),
            "centre": self.centre,
            "trained": self.network is not None,
        }

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
                clean = self._through(self.network.to(device), noisy, clean, ensemble)
            result[part] = stabiliser.inverse(clean.cpu().numpy())
        return centred(result, self.d)

    def _through(
        self, network: nn.Sequential, noisy: torch.Tensor, clean: torch.Tensor, ensemble: bool
    ) -> torch.Tensor:
        def once(both: torch.Tensor) -> torch.Tensor:
            return fitted.through(network, both)

        def work(tile: torch.Tensor) -> torch.Tensor:
            return self_ensemble(once, tile) if ensemble else once(tile)

        both = (torch.stack([noisy, clean]) - self.centre) * fitted.NOISE_SCALE
        result = by_tiles(work, both, tile=_TILE, margin=MARGIN, network=network)[0]
        return result / fitted.NOISE_SCALE + self.centre


def full_scale(planes: Sequence[np.ndarray]) -> tuple[float, float]:
    """Find what the authors' 8 bit would be for an image of another type.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        Any unit and scale.

    Returns
    -------
    low, scale : float
        The darkest thousandth of the pixels, and the distance from there to the brightest
        thousandth. `scale` is above 0.
    """
    sample = np.concatenate([plane[::2, ::2].ravel() for plane in planes])
    low, high = (float(v) for v in np.quantile(sample, (0.001, 0.999)))
    if high <= low:
        low, high = min(float(p.min()) for p in planes), max(float(p.max()) for p in planes)
    return low, (high - low) or 1.0


def _middle(plane: np.ndarray) -> np.ndarray:
    rows, cols = (
        slice(max(0, (n - _PREVIEW) // 2), max(0, (n - _PREVIEW) // 2) + _PREVIEW)
        for n in plane.shape
    )
    return plane[rows, cols]
