"""Simulated raw 3D-SIM stacks with their truth.

As :mod:`zsfiji.physics.sim.simulator`, with the image formation of
:mod:`zsfiji.physics.sim.optics_3d`. The specimen has no finer slices than the stack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from zsfiji import progress
from zsfiji.physics.optics.degradation import bin_mean
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.field import SAMPLES, Field
from zsfiji.physics.sim.light import Light
from zsfiji.physics.sim.optics_3d import StackTransfer, calculated
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.physics.sim.simulator import CAMERA, FINER, UPSAMPLE, Camera, as_image
from zsfiji.physics.specimens import specimen

_MARGIN, _DEPTH = 24, 8
"""Width of the field outside the image in raw pixels, and its depth in slices. Light that leaves it
comes back from the other side, as haze does from outside. Not tuned."""

LIGHT = Light(beams="three", phases=5)


@dataclass(frozen=True, eq=False)
class StackSimulation:
    """A simulated raw stack.

    Attributes
    ----------
    raw : xarray.DataArray
        uint16 (ang, pha, pln, row, col), calibrated.
    expected : numpy.ndarray
        float32, the same without noise.
    truth : numpy.ndarray
        float32 (pln, 2 row, 2 col): the specimen on the grid of the reconstruction, in grey levels.
    patterns : Patterns
        Of the light.
    cutoff : float
        Of the lens that is assumed, in cycles per raw pixel.
    grey : float
        Grey levels per unit of the specimen.
    """

    raw: xr.DataArray
    expected: NDArray[np.float32]
    truth: NDArray[np.float32]
    patterns: Patterns
    cutoff: float
    grey: float


def simulate_stack(
    kind: str,
    shape: tuple[int, int, int],
    *,
    optics: Optics,
    pixel: float = 80.0,
    spacing: float = 125.0,
    true_optics: Optics | StackTransfer | None = None,
    damping: float = 1.0,
    light: Light = LIGHT,
    camera: Camera = CAMERA,
    peak: float = 100.0,
    seed: int = 0,
) -> StackSimulation:
    """Simulate a raw 3D-SIM stack.

    Parameters
    ----------
    kind : str
        The specimen: one of :data:`zsfiji.physics.specimens.KINDS`.
    shape : (int, int, int)
        Slices, rows and columns.
    optics : Optics
        The lens that the methods are told, with the wavelength of excitation.
    pixel, spacing : float
        Width of a raw pixel and distance of the slices in nm.
    true_optics : Optics or StackTransfer, optional
        The lens that the stack is taken with; by default `optics`. A transfer, such as a measured
        one, has to have the slices that :func:`field_slices` gives.
    damping : float
        What remains of a calculated OTF at its cut-off, as an exponential of the frequency.
    light, camera
        Patterns (of two or three beams) and camera.
    peak : float
        Expected photons of a frame in the 99.5 percent quantile of the pixels of its wide-field
        stack.
    seed : int
        Of specimen, patterns and noise.

    Returns
    -------
    StackSimulation
        The stack and its truth.
    """
    per_pixel = pixel / 1000
    cutoff = 2000 * optics.numerical_aperture / optics.emission * per_pixel
    patterns = light.patterns(cutoff, seed)
    slices, (rows, cols) = (
        field_slices(shape[0]),
        (next_fast_len(n + 2 * _MARGIN) for n in shape[1:]),
    )
    field = Field((rows, cols), UPSAMPLE * FINER)
    lens = optics if true_optics is None else true_optics
    if isinstance(lens, Optics):
        lens = calculated(
            lens,
            pixel=pixel,
            spacing=spacing,
            slices=slices,
            line=patterns.finest,
            waves=patterns.waves,
            damping=damping,
        )
    density = specimen(
        kind,
        (slices, *field.fine),
        seed=seed,
        pixel=pixel / field.factor,
        slice_spacing=spacing,
    ).astype(np.float32)
    top = (slices - shape[0]) // 2
    inside = (
        slice(top, top + shape[0]),
        *(slice(_MARGIN, _MARGIN + n) for n in shape[1:]),
    )
    # The origin of the patterns is the first pixel of the image.
    there = patterns.moved(-_MARGIN, -_MARGIN)
    plain = _blurred(density, field, lens, 0, None).real[inside]
    unit = peak / float(torch.quantile(plain.flatten()[: 2**24], 0.995))
    frames = np.empty((patterns.angles, patterns.frames, *shape), np.float32)
    for angle in range(patterns.angles):
        progress.report((1 + angle) / (1 + patterns.angles), "Simulating")
        bands = [
            _blurred(density, field, lens, lens.order_of(wave, patterns.waves), vector)[inside]
            for wave, vector in enumerate(there.wave_vectors[angle])
        ]
        for frame in range(patterns.frames):
            image = there.mixed(angle, frame, plain, bands)
            frames[angle, frame] = float(patterns.brightness[angle, frame]) * image.clamp_min(0)
    noisy, expected = camera.record(frames, unit, seed)
    fine = (inside[0], *(slice(UPSAMPLE * s.start, UPSAMPLE * s.stop) for s in inside[1:]))
    grey = unit * camera.gain
    truth = bin_mean(torch.from_numpy(density[inside[0]]), FINER)[(slice(None), *fine[1:])]
    return StackSimulation(
        as_image(noisy, f"{kind} raw 3D-SIM", pixel, spacing),
        expected,
        (truth * grey + camera.offset).numpy(),
        patterns,
        cutoff,
        grey,
    )


def field_slices(slices: int) -> int:
    """Slices of the field in which a stack of `slices` is simulated."""
    return int(next_fast_len(slices + 2 * _DEPTH))


def _blurred(
    density: NDArray[np.float32],
    field: Field,
    lens: StackTransfer,
    order: int,
    vector: torch.Tensor | None,
) -> torch.Tensor:
    """A specimen times a wave as an order shows it: complex (pln, row, col) of the whole field."""
    wave = None if vector is None else field.wave(vector)
    planes = [torch.from_numpy(plane) for plane in density]
    # Slice by slice: the fine field of all of them takes gigabytes.
    spectrum = torch.stack([field.spectrum(p if wave is None else p * wave) for p in planes])
    transfer = field.pixel() * lens.lens(order, torch.hypot(field.row, field.col))
    if lens.measured:
        transfer = transfer / (torch.sinc(field.row) * torch.sinc(field.col)).clamp_min(0.1)
    seen = field.samples(torch.fft.ifft(torch.fft.fft(spectrum, dim=0) * transfer, dim=0))
    return seen[:, ::SAMPLES, ::SAMPLES]
