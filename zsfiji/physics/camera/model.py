"""A model of a detector, to make recorrupted pairs and simulated captures with its noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import uniform_filter

from zsfiji.compute.device import poisson
from zsfiji.errors import UserError
from zsfiji.physics.camera.calibration.calibrate import calibrate, least_noise
from zsfiji.physics.camera.recorruption import BOX, local_mean, pair
from zsfiji.physics.noise import Noise, resampled

_TOO_DARK = 0.1
"""Share of the image that may be darker than the given background. Chosen by eye."""

_ALL_THERE = 0.6
"""Share of the given variance that has to be found at the highest frequencies for white noise.
Chosen by eye."""

_HOT = 5.0
"""Standard deviations from which on a pixel of a dark frame is hot. Not tuned."""

_FIELD = 16
"""Coefficients along each axis of the spectra that correlated noise is drawn from. Not tuned."""


@dataclass(frozen=True)
class KnownCamera:
    """What is given about a detector. All other values are measured.

    Attributes
    ----------
    gain : float, optional
        Grey levels per photoelectron.
    read_variance : float, optional
        Variance of a pixel without light, in grey levels squared; it needs `dark_level`.
    dark_level : float, optional
        Grey level without light.
    dark : numpy.ndarray, optional
        A frame (or several) taken without light, which gives `dark_level` and `read_variance`.
    """

    gain: float | None = None
    read_variance: float | None = None
    dark_level: float | None = None
    dark: np.ndarray | None = None


NOTHING_KNOWN = KnownCamera()
"""Everything is measured in the image."""


@dataclass(frozen=True)
class Camera:
    """The noise of an image, and the value of its pixels without light.

    Attributes
    ----------
    noise : Noise
        In the unit of the image.
    dark_level : float
        Pixel value without light (b of equation 3). If it is not known, the lowest value that the
        noise allows: the one for a read noise of zero. An image alone does not tell background and
        read noise apart.
    dark_level_known : bool
        Whether `dark_level` was given or measured in a dark frame.
    darkest : float
        The darkest value of the image without its noise: an upper limit of the dark level.
    """

    noise: Noise
    dark_level: float
    dark_level_known: bool = False
    darkest: float = math.inf

    def with_noise(self, noise: Noise) -> Camera:
        """The same detector with another noise, and the dark level that this noise allows."""
        dark_level = self.dark_level
        if not self.dark_level_known:
            dark_level = min(_lowest(noise, self.darkest), self.darkest)
        return replace(self, noise=noise, dark_level=dark_level)

    def photons(self, grey: torch.Tensor) -> tuple[torch.Tensor, float, float]:
        """Give light in photoelectrons, grey levels per photoelectron, and the read variance.

        If the noise does not grow with the light, its standard deviation without light is the unit.
        """
        read = float(self.noise.variance(self.dark_level))
        unit = self.noise.gain if self.noise.gain > 0 else read**0.5
        return (grey.float() - self.dark_level) / unit, unit, read / unit**2

    def variance(self, mean: torch.Tensor) -> torch.Tensor:
        """Variance of pixels of the expected value `mean`, equation 3."""
        return (self.noise.gain * mean + self.noise.intercept).clamp_min(self.noise.floor)

    def recorrupt(
        self,
        noisy: torch.Tensor,
        alpha: float | torch.Tensor,
        draws: torch.Generator,
        *,
        shot: float | torch.Tensor = 1.0,
        read: float | torch.Tensor = 1.0,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Make a pair with independent noise from each patch (equation 2).

        The covariance of the two is the variance of the noise minus that of the added noise. It is
        zero if the calibration is right, for any `alpha`.

        Parameters
        ----------
        noisy : torch.Tensor
            Shape (..., height, width), in grey levels.
        alpha : float or torch.Tensor
            The added noise is multiplied by `alpha` in the input, and divided by it in the target.
            A tensor, such as (count, 1, 1, 1), has one for each patch.
        draws : torch.Generator
            Random numbers, on the device of the patches.
        shot, read : float or torch.Tensor
            Factors of the variances of the photons and of the read noise that are added, as `alpha`
            for each patch: beta 1 and beta 2 of equation 3 over the measured ones.

        Returns
        -------
        noisier, target, deviation : torch.Tensor
            The pair, and the standard deviation of the noise that was added.
        """
        variance = self.variance(local_mean(noisy))
        if not (isinstance(shot, float) and shot == read == 1.0):
            dark = self.variance(torch.tensor(self.dark_level, device=noisy.device))
            variance = shot * (variance - dark).clamp_min(0) + read * dark
        deviation = variance.sqrt()
        return *pair(noisy, deviation * self._field(noisy, draws), alpha), deviation

    def capture(self, mean: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """Simulate a capture with the expected values `mean`, in grey levels."""
        gain = self.noise.gain
        if gain > 0 and self.noise.white:
            # A Poisson distribution with the right variance: `dark` is below the true dark level,
            # by an amount that accounts for the read noise.
            dark = -self.noise.intercept / gain
            rate = ((mean - dark) / gain).clamp_min(self.noise.floor / gain**2)
            return mean + gain * (poisson(rate, draws) - rate)
        return mean + self.variance(mean).sqrt() * self._field(mean, draws)

    def _field(self, like: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """Gaussian noise of variance 1, with the spectrum of the detector's noise."""
        if self.noise.white:
            return torch.randn(like.shape, generator=draws, device=like.device)
        kernel = torch.from_numpy(_kernel(self.noise.spectrum)).to(like)
        half = kernel.shape[-1] // 2
        shape = (like[..., 0, 0].numel(), 1, *(n + 2 * half for n in like.shape[-2:]))
        field = torch.randn(shape, generator=draws, device=like.device)
        return F.conv2d(field, kernel[None, None]).reshape(like.shape)


def _without_hot(dark: np.ndarray) -> np.ndarray:
    """The pixels of a dark frame that are not hot: those are no noise, and outweigh all others."""
    middle = np.median(dark)
    # More than half of the pixels have one value where the noise is less than a grey level.
    spread = np.median(np.abs(dark - middle)) / 0.6745 or _inner(dark).std()
    # The next grey level is no hot pixel, however few reach it.
    step = 1.0 if (dark == np.rint(dark)).all() else 0.0
    return dark[np.abs(dark - middle) <= max(_HOT * spread, step)]


def _inner(values: np.ndarray) -> np.ndarray:
    """The values without the lowest and the highest percent, which are as near as is left."""
    return values.clip(*np.quantile(values, (0.01, 0.99)))


def measure(planes: list[np.ndarray], known: KnownCamera = NOTHING_KNOWN) -> Camera:
    """Measure the noise in the image, except for values that are given.

    Parameters
    ----------
    planes : list of numpy.ndarray
        float32 (row, col), of one channel.
    known : KnownCamera
        What is given.

    Returns
    -------
    Camera
        The detector.

    Raises
    ------
    UserError
        If a given value is not possible for this image.
    """
    gain, read_variance, dark_level, dark = (
        known.gain,
        known.read_variance,
        known.dark_level,
        known.dark,
    )
    if dark is not None:
        dark = np.asarray(dark, dtype=np.float64)
        if dark.size < 2 or not np.isfinite(dark).all():
            raise UserError(
                "The dark frame is empty or has pixels that are no numbers. Choose another one."
            )
        if dark.min() == dark.max():
            raise UserError(
                f"All pixels of the dark frame are {dark.min():g}, so it does not show the noise "
                "of the camera. Take one with the shutter closed, or give the background alone."
            )
        dark = _without_hot(dark)
        dark_level = float(dark.mean()) if dark_level is None else dark_level
        read_variance = float(dark.var()) if read_variance is None else read_variance
    if gain is not None and not gain >= 0:
        raise UserError(f"The gain is {gain:g}; it cannot be negative.")
    if read_variance is not None and not read_variance >= 0:
        raise UserError(f"The read variance is {read_variance:g}; it cannot be negative.")
    if read_variance is not None and dark_level is None:
        raise UserError(
            "The read variance needs the background as well: the grey level without light."
        )
    brightest = max(float(p.max()) for p in planes)
    if dark_level is not None and dark_level >= brightest:
        raise UserError(
            f"The background of {dark_level:g} is not less than the brightest pixel, "
            f"{brightest:g}. Give the grey level that the camera shows without light."
        )
    found = calibrate(planes)
    if gain is not None or read_variance is not None:
        found = _with_given(found, planes, gain, read_variance, dark_level)
    darkest = _darkest(planes)
    if dark_level is None:
        return Camera(found, darkest, False, darkest).with_noise(found)
    # Darker than the background by more than the noise of a mean over the box.
    limit = dark_level - 3 * float(found.variance(dark_level)) ** 0.5 / BOX
    below = float(np.mean(np.concatenate([_smooth(p).ravel() for p in planes]) < limit))
    if below > _TOO_DARK:
        raise UserError(
            f"{below:.0%} of the image is darker than the background of {dark_level:g}. Give the "
            f"grey level that the camera shows without light: here at most {darkest:.4g}."
        )
    return Camera(found, dark_level, True, darkest)


def _with_given(
    found: Noise,
    planes: list[np.ndarray],
    gain: float | None,
    read_variance: float | None,
    dark_level: float | None,
) -> Noise:
    """Put given numbers in place of measured ones."""
    slope = found.gain if gain is None else gain
    middle = float(np.median(planes[0]))
    confidence = found.confidence
    if read_variance is not None and dark_level is not None:
        intercept, floor = read_variance - slope * dark_level, read_variance
        if gain is not None:
            confidence = 1.0
            line = replace(found, gain=slope, intercept=intercept, floor=floor)
            least = least_noise(planes)
            if least.variance(middle) > _ALL_THERE * line.variance(middle):
                # The corner has as much noise as the given numbers say: the noise is white.
                found = replace(least, saturation=found.saturation, saturated=found.saturated)
    else:
        # The line keeps its value at the median, where most blocks were measured.
        intercept = float(found.variance(middle)) - slope * middle
        floor = found.floor
    floor = max(floor, 1e-6 * float(found.variance(float(planes[0].max()))))
    return replace(found, gain=slope, intercept=intercept, floor=floor, confidence=confidence)


def _darkest(planes: list[np.ndarray]) -> float:
    """The darkest value of the image, from means over boxes; the quantile is not tuned."""
    return float(min(np.quantile(_smooth(p), 0.002) for p in planes))


def _lowest(noise: Noise, darkest: float) -> float:
    """Pixel value at which the fitted variance is zero; not below 0 if the image is not, either."""
    if noise.gain == 0:
        return darkest
    return max(-noise.intercept / noise.gain, min(0.0, darkest))


def _smooth(plane: np.ndarray) -> np.ndarray:
    """Means over boxes of :data:`BOX` pixels a side, at every second pixel."""
    return uniform_filter(plane, BOX, mode="reflect")[::2, ::2]


def _kernel(spectrum: np.ndarray) -> np.ndarray:
    """Filter of energy 1 that turns white noise into noise with the given DCT spectrum."""
    half = resampled(spectrum, _FIELD)
    index = np.minimum(np.abs(np.fft.fftfreq(2 * _FIELD) * 2 * _FIELD).astype(int), _FIELD - 1)
    amplitude = np.sqrt(half[np.ix_(index, index)])
    kernel = np.fft.fftshift(np.fft.ifft2(amplitude).real)[1:, 1:]
    return (kernel / np.sqrt((kernel**2).sum())).astype(np.float32)
