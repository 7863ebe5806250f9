"""ZS-DeconvNet for SIM: noise and pairs of reconstructions of raw frames, and their PSF.

Equations 10 and 11 of the paper (docs/methods/zs-deconvnet.md). The reconstruction is the
automatic one of ``SIM Reconstruct...``. It is linear, and its constant is that of the image itself,
so that noise of mean zero stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from scipy.fft import dctn
from scipy.ndimage import uniform_filter

from zsfiji.compute.device import generator
from zsfiji.compute.rings import ring_mean, ring_of
from zsfiji.images.axes import size
from zsfiji.images.parts import PATTERN, PLANE, pixels_of
from zsfiji.physics.camera.doubt import measure_for_training
from zsfiji.physics.camera.model import NOTHING_KNOWN, Camera, KnownCamera
from zsfiji.physics.camera.recorruption import BOX
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.optics.otf import RadialOtf, from_otf
from zsfiji.physics.sim.optics import circular
from zsfiji.services.over_parts import Group
from zsfiji.services.sim.linear import Linear
from zsfiji.services.sim.reconstructor import SCALE, Reconstructor
from zsfiji.services.sim.straight import lit
from zsfiji.services.two_stage.task import Recorrupted
from zsfiji.services.zs_deconvnet.objective import PUBLISHED_STACKS

REPEATS = 3
"""Recorrupted pairs of an image, as published."""

INVERSE_ALPHA, SHOT, READ = (0.2, 0.5), (0.5, 1.5), (0.8, 1.2)
"""Ranges of 1 / alpha as published for SIM: the input gets 2 to 5 times the noise. Factors of the
measured gain and read variance as for wide-field images."""

_LARGEST = 16 * 2**20
"""Pixels of all pairs at most: bounds the memory."""

_FEWEST_SLICES = PUBLISHED_STACKS.depth
"""Slices of a stack that pairs are made of at least, if it has so many: those of a patch."""

_NOISE_FRAMES, _NOISE_SLICES = 9, 8
"""Frames that the noise of the camera is measured in, and slices of the reconstruction that its
noise is measured in where there are no pairs: bounds the time."""

_BLOCK, _BINS = 16, 16
"""Edge of the blocks of a noise spectrum, and groups of pixels by brightness. Not tuned."""

_RINGS = 64
"""Frequencies of the OTF of a reconstruction. Not tuned."""


class RawFrames:
    """The raw frames of a reconstructed image.

    Parameters
    ----------
    raw : xarray.DataArray
        With the axes of the patterns.
    units : sequence of Reconstructor
        One for each channel, or one for each plane.
    camera : KnownCamera
        What is known about the camera.
    seed : int
        Seed of the noise that is added.
    """

    def __init__(
        self,
        raw: xr.DataArray,
        units: Sequence[Reconstructor],
        camera: KnownCamera = NOTHING_KNOWN,
        seed: int = 0,
    ) -> None:
        self._raw, self._units, self._camera, self._seed = raw, units, camera, seed

    def __call__(
        self, group: Group, part: Sequence[str] = PLANE, *, pairs: bool = True
    ) -> Recorrupted:
        """Measure the noise of the reconstructions of a group, and make pairs of them.

        Parameters
        ----------
        group : Group
            The group.
        part : sequence of str
            Axes of its parts: planes or stacks.
        pairs : bool
            Whether pairs are made.

        Raises
        ------
        UserError
            If there is no noise in its frames.
        """
        unit = self._units[min(group.channel, len(self._units) - 1)]
        above = unit.calibration.above
        pixels = size(self._raw, "row") * size(self._raw, "col")
        most = max(1, _LARGEST // (2 * SCALE**2 * pixels * REPEATS))
        chosen = self._stacks(group, part, most if pairs else None)
        # There is nothing to learn from a stack without light, such as an empty slice.
        stacks = [one for one in chosen if any(lit(above(plane)) for plane in one)] or chosen
        frames = [f for s in stacks for f in s.reshape(-1, *s.shape[-2:])]
        some = frames[:: -(-len(frames) // _NOISE_FRAMES)]
        camera = measure_for_training(some, self._camera)[0]
        draws, noise = generator(self._seed), generator(self._seed + 1)
        kept = max(1, most // len(stacks[0])) if pairs else len(stacks)
        made, fields, means = [], [], []
        for stack in stacks[:: -(-len(stacks) // kept)]:
            strengths = [_strengths(draws) for _ in range(REPEATS)] if pairs else []
            found = [_reconstructed(unit, plane, camera, strengths, noise) for plane in stack]
            made += list(np.stack([plane.pairs for plane in found], 1))
            fields += [plane.field for plane in found]
            means += [plane.mean for plane in found]
        measured = Camera(noise_of(fields, means), 0.0, True)
        return Recorrupted(np.stack(made) if pairs else None, measured)

    def _stacks(self, group: Group, part: Sequence[str], most: int | None) -> list[np.ndarray]:
        """Raw stacks (pln, angle, frame, row, col); planes are stacks of one slice.

        For pairs stacks are cut to their middle of about `most` slices; without it there are
        single slices, which are spread evenly.
        """
        raw, chosen = self._raw, group.chosen
        if "pln" in part:
            slices = size(raw, "pln")
            if most is None:
                every = [{**position, "pln": n} for position in chosen for n in range(slices)]
                chosen = every[:: -(-len(every) // _NOISE_SLICES)]
            else:
                number = min(slices, max(most, _FEWEST_SLICES))
                first = (slices - number) // 2
                raw = raw.isel(pln=slice(first, first + number))
        return [pixels_of(raw, position, ("pln", *PATTERN)) for position in chosen]


def _strengths(draws: torch.Generator) -> tuple[float, ...]:
    """1 / alpha and the factors of gain and read variance of a pair."""
    return tuple(
        low + (high - low) * float(torch.rand((), generator=draws))
        for low, high in (INVERSE_ALPHA, SHOT, READ)
    )


class _Plane(NamedTuple):
    """A reconstructed plane: pairs (pair, 2, row, col), noise alone, and the plane itself."""

    pairs: np.ndarray
    field: np.ndarray
    mean: np.ndarray


def _reconstructed(
    unit: Reconstructor,
    plane: np.ndarray,
    camera: Camera,
    strengths: Sequence[tuple[float, ...]],
    noise: torch.Generator,
) -> _Plane:
    """Reconstruct raw frames (angle, frame, row, col), with and without more noise."""
    raw = torch.from_numpy(plane)
    take = Linear(unit.calibration, raw)
    pairs = np.empty((len(strengths), 2, *(SCALE * n for n in raw.shape[-2:])), np.float32)
    for number, (inverse, shot, read) in enumerate(strengths):
        both = camera.recorrupt(raw, 1 / inverse, noise, shot=shot, read=read)[:2]
        pairs[number] = torch.stack([take(each) for each in both]).numpy()
    one, other, _ = camera.recorrupt(raw, 1.0, noise)
    field = (take(one) - take(other)) / 2
    return _Plane(pairs, field.numpy(), take(raw).numpy())


def psf_of(unit: Reconstructor, stack: np.ndarray, upsample: int) -> Psf:
    """The PSF of a reconstruction: what it makes of a point, mean over all directions.

    Parameters
    ----------
    unit : Reconstructor
        The reconstruction.
    stack : numpy.ndarray
        The raw image (angle, frame, row, col).
    upsample : int
        Pixels of the PSF to a pixel of the reconstruction, along rows and along columns.

    Returns
    -------
    Psf
        On that grid.
    """
    made = Linear(unit.calibration, torch.from_numpy(np.asarray(stack, np.float32)))
    wiener, ridge = made.wiener, made.ridge
    response = (wiener.density / (wiener.density + ridge)).nan_to_num() * circular(
        wiener.frequency / wiener.reach
    )
    ring = ring_of(wiener.frequency / wiener.reach, _RINGS)
    curve = ring_mean(response.float(), ring, _RINGS).double().numpy()
    curve[0] = 1.0
    pixel = unit.record.pixel
    # Frequencies beyond the reach are zero, so that the OTF is known to end there.
    values = np.concatenate([curve, np.zeros(_RINGS)]).astype(np.complex128)
    step = wiener.reach / _RINGS / pixel
    return from_otf(RadialOtf(values, (step,)), (pixel / SCALE / upsample,) * 2)


def noise_of(fields: Sequence[np.ndarray], means: Sequence[np.ndarray]) -> Noise:
    """Describe the noise of reconstructions by samples of it.

    Parameters
    ----------
    fields : sequence of numpy.ndarray
        Noise alone, (row, col).
    means : sequence of numpy.ndarray
        The reconstructions.

    Returns
    -------
    Noise
        Its variance as a line over the brightness, and its spectrum.
    """
    light = np.concatenate([uniform_filter(mean, BOX).ravel() for mean in means])
    power = np.concatenate([np.square(field).ravel() for field in fields])
    order = np.array_split(np.argsort(light), _BINS)
    level = np.array([light[part].mean() for part in order])
    variance = np.array([power[part].mean() for part in order])
    slope, start = np.polyfit(level, variance, 1, w=1 / variance)
    gain = max(float(slope), 0.0)
    intercept = float(start) if gain > 0 else float(power.mean())
    floor = float(variance.min())
    noise = Noise(gain, intercept, floor, np.ones((_BLOCK, _BLOCK)), False)
    blocks = []
    for field, mean in zip(fields, means, strict=True):
        unit = field / np.sqrt(noise.variance(uniform_filter(mean, BOX)))
        rows, cols = (n // _BLOCK for n in unit.shape)
        cut = unit[: rows * _BLOCK, : cols * _BLOCK].reshape(rows, _BLOCK, cols, _BLOCK)
        blocks.append(np.square(dctn(cut, axes=(1, 3), norm="ortho")).mean((0, 2)))
    spectrum = np.mean(blocks, 0)
    return Noise(gain, intercept, floor, np.maximum(spectrum / spectrum.mean(), 1e-6), white=False)
