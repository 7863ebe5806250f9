"""ZS-DeconvNet for 2D-SIM: pairs of reconstructions of recorrupted raw frames, and their PSF.

Equations 10 and 11 of the paper (docs/methods/zs-deconvnet.md). The reconstruction is the
automatic one of ``SIM Reconstruct...``. It is linear, and its constant is that of the image itself,
so that noise of mean zero stays so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from scipy.fft import dctn
from scipy.ndimage import uniform_filter

from zsfiji.compute.device import generator
from zsfiji.compute.rings import ring_mean, ring_of
from zsfiji.images.parts import PATTERN
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

REPEATS = 3
"""Recorrupted pairs of an image, as published."""

INVERSE_ALPHA, SHOT, READ = (0.2, 0.5), (0.5, 1.5), (0.8, 1.2)
"""Ranges of 1 / alpha as published for SIM: the input gets 2 to 5 times the noise. Factors of the
measured gain and read variance as for wide-field images."""

_LARGEST = 16 * 2**20
"""Pixels of all pairs at most: bounds the memory."""

_NOISE_FRAMES = 9
"""Frames that the noise is measured in: bounds the time."""

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

    def __call__(self, group: Group) -> Recorrupted:
        """Make pairs for the planes of a group.

        Raises
        ------
        UserError
            If there is no noise in its frames.
        """
        unit = self._units[min(group.channel, len(self._units) - 1)]
        chosen = group.pixels(self._raw, PATTERN)
        # There is nothing to learn from a stack without light, such as an empty slice.
        stacks = [one for one in chosen if lit(unit.calibration.above(one))] or chosen
        frames = [f for s in stacks for f in s.reshape(-1, *s.shape[-2:])]
        some = frames[:: -(-len(frames) // _NOISE_FRAMES)]
        camera = measure_for_training(some, self._camera)[0]
        draws, noise = generator(self._seed), generator(self._seed + 1)
        most = max(1, _LARGEST // (2 * SCALE**2 * stacks[0][0, 0].size * REPEATS))
        pairs, fields, means = [], [], []
        for stack in stacks[:: -(-len(stacks) // most)]:
            raw = torch.from_numpy(stack)
            take = Linear(unit.calibration, raw)
            for _ in range(REPEATS):
                inverse, shot, read = (
                    low + (high - low) * float(torch.rand((), generator=draws))
                    for low, high in (INVERSE_ALPHA, SHOT, READ)
                )
                made = camera.recorrupt(raw, 1 / inverse, noise, shot=shot, read=read)[:2]
                pairs.append(torch.stack([take(each) for each in made]).numpy())
            one, other, _ = camera.recorrupt(raw, 1.0, noise)
            fields.append(((take(one) - take(other)) / 2).numpy())
            means.append(take(raw).numpy())
        return Recorrupted(np.stack(pairs), Camera(noise_of(fields, means), 0.0, True))


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
