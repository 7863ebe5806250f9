"""Simulated raw images of a reconstructed specimen, for the uncertainty of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import xarray as xr

from zsfiji.compute.device import generator
from zsfiji.images.axes import DIMS, PATTERN_DIMS
from zsfiji.images.parts import PLANE, Position, pixels_of, place, positions
from zsfiji.learning.models import Model, Unit
from zsfiji.physics.sim.optics import Blur, illumination
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.reconstructor import SCALE


class Calibrated(Unit, Protocol):
    """A unit of a method for raw SIM images."""

    @property
    def calibration(self) -> Calibration:
        """Patterns, optics and noise."""


U = TypeVar("U", bound=Calibrated)


class Camera(Protocol):
    """What is known of the camera."""

    @property
    def gain(self) -> float:
        """Variance of a pixel for a unit of light."""

    @property
    def read_variance(self) -> float:
        """Variance of a pixel without light."""

    @property
    def background(self) -> float:
        """Grey level without light."""


def captured(
    specimen: xr.DataArray,
    model: Model[Any, U],
    record: Callable[[U, np.ndarray, torch.Generator], np.ndarray],
    *,
    part: Sequence[str] = PLANE,
    scale: int = SCALE,
    seed: int,
) -> xr.DataArray:
    """Simulate the raw image of a specimen.

    Parameters
    ----------
    specimen : xarray.DataArray
        A reconstruction, in grey levels above the background.
    model : Model
        The model that gave it; its settings say what it was fitted per.
    record : callable
        Takes a unit, a part of the specimen and random numbers, and gives its raw stack in grey
        levels, such as :func:`capture`.
    part : sequence of str
        Axes of a part of the specimen.
    scale : int
        Its pixels to a raw one, along rows and columns.
    seed : int
        Seed of the noise.

    Returns
    -------
    xarray.DataArray
        float32, in grey levels, with the axes of the patterns.
    """
    patterns = model.units[0].calibration.patterns
    per_part = model.settings.fit_per == "plane"

    def stack(
        number: int, position: Position, there: np.ndarray, draws: torch.Generator
    ) -> np.ndarray:
        return record(model.units[number if per_part else position.get("ch", 0)], there, draws)

    frames = (patterns.angles, patterns.frames)
    return of_parts(specimen, frames, stack, part=part, scale=scale, seed=seed)


def of_parts(
    specimen: xr.DataArray,
    frames: tuple[int, int],
    record: Callable[[int, Position, np.ndarray, torch.Generator], np.ndarray],
    *,
    part: Sequence[str] = PLANE,
    scale: int = SCALE,
    seed: int,
) -> xr.DataArray:
    """Simulate the raw image of a specimen, part by part.

    Parameters
    ----------
    specimen, part, scale, seed
        See :func:`captured`.
    frames : (int, int)
        Angles, and frames of each.
    record : callable
        Takes the number of a part, its position, the specimen there and random numbers, and gives
        the raw stack in grey levels.

    Returns
    -------
    xarray.DataArray
        float32, in grey levels, with the axes of the patterns.
    """
    sizes = {str(dim): int(n) for dim, n in specimen.sizes.items()}
    sizes |= {dim: sizes[dim] // scale for dim in PLANE}
    sizes |= dict(zip(PATTERN_DIMS, frames, strict=True))
    dims = [dim for dim in DIMS if dim in sizes]
    raw = xr.DataArray(np.zeros([sizes[dim] for dim in dims], np.float32), dims=dims)
    draws = generator(seed)
    for number, position in enumerate(positions(specimen, part)):
        there = pixels_of(specimen, position, part)
        raw.data[place(raw, position)] = record(number, position, there, draws)
    return raw


def capture(unit: Calibrated, specimen: np.ndarray, draws: torch.Generator) -> np.ndarray:
    """Simulate the raw stack of a specimen.

    Parameters
    ----------
    unit : Calibrated
        Has patterns, optics, background and noise.
    specimen : numpy.ndarray
        (2 row, 2 col), in grey levels above the background; values below zero count as zero.
    draws : torch.Generator
        For the noise.

    Returns
    -------
    numpy.ndarray
        (angle, frame, row, col), float32, in grey levels.
    """
    rows, cols = (n // SCALE for n in specimen.shape)
    calibration = unit.calibration
    blur = Blur(calibration.transfer, (rows, cols), SCALE)
    light = illumination(calibration.used, (rows, cols), SCALE)
    there = torch.from_numpy(np.asarray(specimen, np.float32)).clamp_min(0)
    return recorded(blur.down(light * there), calibration.record, draws)


def recorded(expected: torch.Tensor, camera: Camera, draws: torch.Generator) -> np.ndarray:
    """What the camera makes of an image: noise is added, and the background.

    Parameters
    ----------
    expected : torch.Tensor
        In grey levels above the background; values below zero count as zero.
    camera : Camera
        Background and noise, such as a :class:`~zsfiji.services.sim.calibration.Record` has.
    draws : torch.Generator
        For the noise.

    Returns
    -------
    numpy.ndarray
        Of the same shape, float32, in grey levels.
    """
    light = expected.clamp_min(0)
    noise = (camera.gain * light + camera.read_variance).sqrt()
    noisy = light + noise * torch.randn(light.shape, generator=draws)
    found: np.ndarray = noisy.numpy() + np.float32(camera.background)
    return found
