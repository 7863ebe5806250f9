r"""Simulated raw SIM images with their truth.

A specimen is drawn on a grid three times as fine as that of the reconstruction (six times as fine
as the camera's pixels), in a field that is larger than the image. Each frame is

.. math:: D_n = \mathrm{bin}(h * (I_n S)) + a_n\, \text{haze}

with the pattern :math:`I_n` of :mod:`zsfiji.physics.sim.patterns` evaluated on the fine grid. It is
calculated band by band (:math:`S` and :math:`S\,e^{2\pi i k r}` are blurred once for all frames of
an angle), and recorded by a camera with Poisson-Gaussian noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.ndimage import gaussian_filter

from zsfiji import progress
from zsfiji.errors import UserError
from zsfiji.images.axes import set_calibration
from zsfiji.physics.camera.exposure import expose
from zsfiji.physics.optics.degradation import bin_mean
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import default_shape, from_optics
from zsfiji.physics.sim.field import SAMPLES, Field
from zsfiji.physics.sim.light import Light
from zsfiji.physics.sim.optics import RadialTransfer, circular, frequencies
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.physics.specimens import specimen

UPSAMPLE, FINER = 2, 3
"""Pixels of the reconstruction in one of the camera, and of the specimen in one of those."""

_FACTOR = UPSAMPLE * FINER
_MARGIN = 16
"""Width of the field outside the image, in raw pixels, beyond the light of a point. Not tuned."""

_HAZE = ((1.0, 650.0, 0.0), (0.3, 325.0, 1105.0))
"""Light out of focus: share, standard deviation and displacement in nm of what is in focus. Chosen
by eye; of a pixel of 65 nm it is that of the prototype whose tables the project has."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """The camera of a simulated image.

    Attributes
    ----------
    gain : float
        Grey levels per photoelectron.
    offset : float
        Grey level without light.
    read_noise : float
        In electrons.
    """

    gain: float = 2.2
    offset: float = 100.0
    read_noise: float = 1.5

    def record(
        self, frames: NDArray[np.float32], photons: float, seed: int
    ) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Record frames of so many photons in a pixel of brightness 1; also without noise."""
        return expose(
            frames,
            photons=photons,
            gain=self.gain,
            offset=self.offset,
            read_noise=self.read_noise,
            # Another one than that of the specimen.
            seed=seed + 99,
        )


LIGHT, CAMERA = Light(), Camera()


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated raw image.

    Attributes
    ----------
    raw : xarray.DataArray
        uint16 (ang, pha, row, col), calibrated.
    expected : numpy.ndarray
        float32, the same without noise.
    truth : numpy.ndarray
        float32 (2 row, 2 col): the specimen on the grid of the reconstruction, in grey levels.
    reference : numpy.ndarray
        The truth as a perfect lens would show it that passes the cut-off plus the frequency of the
        pattern: the best that a linear reconstruction can give.
    haze : numpy.ndarray
        float32 (row, col): mean light of a frame that is not in focus, in grey levels.
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
    reference: NDArray[np.float32]
    haze: NDArray[np.float32]
    patterns: Patterns
    cutoff: float
    grey: float


def simulate(
    kind: str,
    shape: tuple[int, int],
    *,
    optics: Optics,
    pixel: float = 65.0,
    true_optics: Optics | RadialTransfer | None = None,
    damping: float = 1.0,
    light: Light = LIGHT,
    camera: Camera = CAMERA,
    peak: float = 100.0,
    haze: float = 0.0,
    drift: float = 0.0,
    seed: int = 0,
) -> Simulation:
    """Simulate a raw 2D-SIM image.

    Parameters
    ----------
    kind : str
        The specimen: one of :data:`zsfiji.physics.specimens.KINDS`.
    shape : (int, int)
        Rows and columns of the raw image.
    optics : Optics
        The lens that the methods are told; the fineness of the pattern refers to it.
    pixel : float
        Width of a raw pixel in nm.
    true_optics : Optics or RadialTransfer, optional
        The lens that the image is taken with; by default `optics`.
    damping : float
        What remains of its OTF at its cut-off, as an exponential of the frequency.
    light : Light
        The patterns.
    camera : Camera
        The camera.
    peak : float
        Expected photons of a frame in the 99.5 percent quantile of the pixels of its wide-field
        image (haze included).
    haze : float
        Mean of the light out of focus, over that of the light in focus. It is smooth and not
        modulated.
    drift : float
        Distance in raw pixels that the specimen moves between the first frame and the last, in a
        random direction; at most 16. The truth is where it is halfway.
    seed : int
        Of specimen, patterns and noise.

    Returns
    -------
    Simulation
        The image and its truth.
    """
    optics.check()
    cutoff = 2 * optics.numerical_aperture / optics.emission * pixel
    patterns = light.patterns(cutoff, seed)
    lens = optics if true_optics is None else true_optics
    # The same for every true lens and drift, so that the specimen is.
    margin = _MARGIN + _reach(optics, pixel)
    rows, cols = (next_fast_len(n + 2 * margin) for n in shape)
    field = Field((rows, cols), _FACTOR)
    inside = tuple(slice(margin, margin + n) for n in shape)
    density = torch.from_numpy(
        specimen(kind, field.fine, seed=seed, pixel=pixel / _FACTOR).astype(np.float32)
    )
    transfer = field.pixel() * _lens(lens, field, pixel, damping)
    plain = field.samples(field.spectrum(density) * transfer)
    wide = _raw(plain.real)
    unfocused = torch.zeros(field.shape)
    if haze:
        unfocused = out_of_focus(wide, pixel)
        unfocused *= haze * float(wide.mean() / unfocused.mean())
    unit = peak / float(torch.quantile((wide + unfocused)[inside].flatten(), 0.995))
    # The origin of the patterns is the first pixel of the image.
    there = patterns.moved(-margin, -margin)
    # A specimen that moves under a pattern gives the image of a resting one under a pattern that
    # moves the other way, moved back.
    steps = drift * np.linspace(-0.5, 0.5, patterns.angles * patterns.frames)
    towards = np.random.default_rng([seed, 78]).uniform(0, TURN)
    places = np.stack([steps * np.sin(towards), steps * np.cos(towards)], 1)
    frames = np.empty((patterns.angles, patterns.frames, *shape), np.float32)
    for angle, frame in np.ndindex(frames.shape[:2]):
        if frame == 0:
            progress.report((1 + angle) / (1 + patterns.angles), "Simulating")
            waves = [field.wave(vector) for vector in there.wave_vectors[angle]]
            bands = [field.samples(field.spectrum(density * w) * transfer) for w in waves]
        row, col = (float(v) for v in places[angle * patterns.frames + frame])
        image = there.moved(row, col).mixed(angle, frame, plain.real, bands)
        if drift:
            image = field.moved(image, row, col)
        brightness = float(patterns.brightness[angle, frame])
        frames[angle, frame] = brightness * (_raw(image) + unfocused)[inside].clamp_min(0)
    noisy, expected = camera.record(frames, unit, seed)
    fine = tuple(slice(UPSAMPLE * s.start, UPSAMPLE * s.stop) for s in inside)
    truth, grey = bin_mean(density, FINER), unit * camera.gain
    reference = _shown(truth, field.shape, cutoff + patterns.finest)
    return Simulation(
        as_image(noisy, f"{kind} raw SIM", pixel),
        expected,
        (truth[fine] * grey + camera.offset).numpy(),
        (reference[fine] * grey + camera.offset).numpy(),
        (unfocused[inside] * grey).numpy(),
        patterns,
        cutoff,
        grey,
    )


def _reach(optics: Optics, pixel: float) -> int:
    """How far the light of a point spreads, in raw pixels."""
    return default_shape(optics, (pixel / 1000,) * 2)[0] // 2 + 1


def _lens(
    lens: Optics | RadialTransfer, field: Field, pixel: float, damping: float
) -> torch.Tensor:
    """Transfer of a lens on the frequencies of a field."""
    if isinstance(lens, RadialTransfer):
        cutoff, transfer = lens.cutoff, field.lens(lens)
    else:
        cutoff = 2 * lens.numerical_aperture / lens.emission * pixel
        size = 2 * field.factor * _reach(lens, pixel) + 1
        if size > min(field.fine):
            raise UserError(
                f"With a true aperture of {lens.numerical_aperture:g} the light of a point spreads "
                f"over {size // field.factor} pixels, and the field has {min(field.shape)} with "
                "its margin. Give a larger 'width' and 'height', or a larger 'true_aperture'."
            )
        step = pixel / 1000 / field.factor
        transfer = field.otf(from_optics(lens, (step, step), (size, size)).values)
    share = torch.hypot(field.row, field.col) / cutoff
    damped: torch.Tensor = transfer * damping**share
    return damped


def _raw(samples: torch.Tensor) -> torch.Tensor:
    return samples[..., ::SAMPLES, ::SAMPLES]


def out_of_focus(wide: torch.Tensor, pixel: float) -> torch.Tensor:
    """Smooth light out of focus, made of a periodic wide-field image (row, col)."""
    total = np.zeros(wide.shape, np.float32)
    for share, width, distance in _HAZE:
        moved = np.roll(wide.numpy(), round(distance / pixel), (0, 1))
        total += share * gaussian_filter(moved, width / pixel, mode="wrap")
    return torch.from_numpy(total)


def _shown(truth: torch.Tensor, shape: tuple[int, int], cutoff: float) -> torch.Tensor:
    """A specimen on the grid of the reconstruction as a perfect lens shows it."""
    row, col = frequencies(shape, UPSAMPLE)
    transfer = circular(torch.hypot(row, col) / cutoff)
    return torch.fft.irfft2(torch.fft.rfft2(truth) * transfer, s=truth.shape)


def as_image(
    frames: NDArray[np.uint16], title: str, pixel: float, spacing: float | None = None
) -> xr.DataArray:
    """Raw frames (angle, frame, row, col), or of slices `spacing` nm apart, as an image."""
    steps = {"row": pixel / 1000, "col": pixel / 1000}
    dims = ["ang", "pha", "row", "col"]
    if spacing is not None:
        steps["pln"] = spacing / 1000
        dims.insert(2, "pln")
    image = xr.DataArray(frames, dims=dims, attrs={"title": title})
    set_calibration(image, steps, dict.fromkeys(steps, "micron"))
    return image
