"""A method that is too small to be useful, and whole: the worked example of docs/architecture.md.

It replaces each pixel by a weighted sum of its eight neighbours, with the weights that tell the
pixel best. What the pixels of an image do not share with their neighbours is noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr

from zsfiji.images.parts import require_contrast, require_pixels
from zsfiji.learning.models import Model, model_of
from zsfiji.parameters.declare import ParameterGroup
from zsfiji.parameters.training import FitPer, Seed
from zsfiji.physics.noise import no_noise
from zsfiji.quality.report import Report
from zsfiji.services import over_parts
from zsfiji.services.method import Method, Restored

OUTPUT = over_parts.Output("averaged")


# settings.py: what decides about a training; each field becomes an option of the command.
@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All that decides about a training."""

    fit_per: FitPer = "channel"
    seed: Seed = 0


# restorer.py: what was learnt about one channel, and how it restores a plane.
@dataclass(frozen=True)
class Record:
    """What a model file keeps beside the tensors."""

    error: float


@dataclass(frozen=True)
class Restorer:
    """Weights of the eight neighbours."""

    weights: torch.Tensor
    error: float

    @property
    def record(self) -> Record:
        """What is kept beside the tensors."""
        return Record(self.error)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""
        return {"weights": self.weights}

    def restore(self, plane: np.ndarray) -> np.ndarray:
        """Restore a plane (row, col), float32."""
        return (neighbours(plane) @ self.weights.numpy()).reshape(plane.shape)


def neighbours(plane: np.ndarray) -> np.ndarray:
    """The eight neighbours of each pixel: float32 (pixels, 8)."""
    shifts = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
    return np.stack([np.roll(plane, shift, (0, 1)).ravel() for shift in shifts], 1)


# service.py: fit and apply, over the parts of an image.
class Toy:
    """The method."""

    name = "toy"
    settings_type = Settings
    record_type = Record

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> Restorer:
        """Make a restorer from what a model keeps of it."""
        return Restorer(tensors["weights"], record.error)

    def fit(
        self, image: xr.DataArray, settings: Settings, given: None = None, *, device: str = "auto"
    ) -> Model[Settings, Restorer]:
        """Find the weights by least squares."""
        require_pixels(image)
        require_contrast(image)

        def fit_one(group: over_parts.Group) -> Restorer:
            planes = group.pixels(image)
            known = np.concatenate([neighbours(plane) for plane in planes])
            wanted = np.concatenate([plane.ravel() for plane in planes])
            weights = np.linalg.lstsq(known, wanted, rcond=None)[0].astype(np.float32)
            return Restorer(torch.from_numpy(weights), float(np.std(known @ weights - wanted)))

        units = over_parts.fit(image, fit_one, fit_per=settings.fit_per, pixels=2**22)
        return model_of(self, settings, image, units)

    def apply(
        self, model: Model[Settings, Restorer], image: xr.DataArray, *, device: str = "auto"
    ) -> Restored:
        """Average the neighbours."""
        require_pixels(image)

        def restore_one(
            unit: Restorer, part: np.ndarray, channel: int | None, results: Mapping[str, np.ndarray]
        ) -> None:
            results[OUTPUT.name][:] = unit.restore(part)

        results = over_parts.apply(
            image, model.units, restore_one, (OUTPUT,), fit_per=model.settings.fit_per
        )
        error = model.units[0].error
        note = f"Neighbours tell a pixel within {error:.3g} grey levels."
        return Restored(results, Report((note,), {"error": error}))

    def simulate(
        self, model: Model[Settings, Restorer], restored: Mapping[str, xr.DataArray], seed: int
    ) -> xr.DataArray:
        """What the neighbours do not tell counts as noise, the same at every brightness."""
        return over_parts.simulate(
            restored[OUTPUT.name],
            model,
            lambda unit: replace(no_noise(), intercept=unit.error**2, floor=unit.error**2),
            seed=seed,
        )


METHOD: Method[Settings, None, Restorer] = Toy()
