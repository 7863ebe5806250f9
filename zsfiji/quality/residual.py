"""Notes on a result: the noise that was found, and what the residual shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zsfiji.images.middle import middle
from zsfiji.physics.noise import SURE, Noise
from zsfiji.words import counted

LAGS = 3
"""Distances in pixels up to which the notes describe the correlation of the noise. Not tuned."""

_SLACK = 0.12
"""Excess correlation of neighbouring pixels in the residual that may be chance. Chosen by eye."""

_TOO_LITTLE = 0.6
"""Variance of the residual, in variances of the noise, below which noise is left. Chosen by eye."""

_MOST_PIXELS = 1024
"""Edge in pixels of the middle by which large planes are judged: bounds the time. Not tuned."""

_MOST_CHANNELS = 4
"""Most sentences on single channels: the notes have to be short. Chosen by eye."""

_WORTH_SAYING = 0.01
"""Share of the pixels with structure put back, above which the notes say so. Chosen by eye."""

_CAMERA = 1 / 500
"""Standard deviation of the noise, relative to the contrast of the image, that no camera is below:
it is that of 250,000 photoelectrons, more than a pixel holds. What is measured in reconstructions
of raw SIM images, whose noise is 0.013 to 0.067 of the contrast, is below it in 26 of 30."""

_GIVE = "Give the gain, the background and the read variance of the camera, or a dark frame."


@dataclass(frozen=True)
class Residual:
    """The residual of a plane (noisy minus restored), in standard deviations of the noise.

    Attributes
    ----------
    variance : float
        Its mean square; about 1 if only the noise was removed.
    correlation : float
        Correlation of neighbouring pixels, mean of rows and columns.
    excess : float
        That, minus the correlation of the noise. A high value means structure in the residual.
    """

    variance: float
    correlation: float
    excess: float


def residual(noise: Noise, noisy: np.ndarray, restored: np.ndarray) -> Residual | None:
    """Describe the residual of a plane.

    Parameters
    ----------
    noise : Noise
        The noise of the plane.
    noisy, restored : numpy.ndarray
        Shape (row, col), in the unit of the image.

    Returns
    -------
    Residual or None
        None if nothing was removed. Large planes are judged by their middle.
    """
    place = middle(noisy.shape, _MOST_PIXELS)
    noisy, restored = noisy[place], restored[place]
    taken = (noisy - restored) / np.sqrt(noise.variance(restored))
    if noise.saturation is not None:
        taken = np.where(noisy >= noise.saturation, 0.0, taken)
    square = float(np.mean(taken**2))
    if square == 0:
        return None
    pairs = [taken[1:] * taken[:-1], taken[:, 1:] * taken[:, :-1]]
    correlation = float(np.mean([p.mean() for p in pairs if p.size])) / square
    return Residual(square, correlation, correlation - float(noise.correlation(1)[1]))


def judge(found: Residual) -> str | None:
    """Say what a residual means for the user; None if there is nothing to say."""
    if found.excess > _SLACK and found.variance > 1:
        return (
            "Over-smoothed: what was removed has structure "
            f"(correlation of neighbouring pixels {found.correlation:.2f})."
        )
    if found.variance < _TOO_LITTLE:
        return f"Noise left: only {100 * found.variance:.0f} % of the measured noise was removed."
    return None


def judge_all(found: Sequence[Residual]) -> str | None:
    """The first verdict on the residuals of several planes, and how many planes share it."""
    verdicts = [verdict for verdict in map(judge, found) if verdict is not None]
    if not verdicts:
        return None
    others = len(verdicts) - 1
    return verdicts[0] + (
        f" The same holds for {counted(others, 'other plane')}." if others else ""
    )


def noise_found(noise: Noise, plane: np.ndarray) -> str:
    """Describe the noise in a sentence."""
    low, high = (float(v) for v in np.quantile(plane, (0.5, 0.99)))
    read = float(np.sqrt(noise.variance(low)))
    text = f"Noise: standard deviation {read:.3g} at the median brightness"
    if noise.gain > 0:
        text += f", {float(np.sqrt(noise.variance(high))):.3g} at the brightest 1 % of the pixels"
        text += f" (the variance grows by {noise.gain:.3g} per unit of brightness)"
    else:
        text += ", the same at every brightness"
    if noise.white:
        return text + "; independent from pixel to pixel."
    correlation = noise.correlation(LAGS)
    reach = int(np.argmax(correlation < 0.1)) if (correlation < 0.1).any() else LAGS
    return (
        text + f"; correlated over {counted(reach, 'pixel')} ({correlation[1]:.2f} at one pixel)."
    )


def uncertain(noise: Noise, doubted: bool) -> list[str]:
    """Say that the noise is uncertain, if it is.

    Parameters
    ----------
    noise : Noise
        The noise that the image was restored with.
    doubted : bool
        Whether that is a lower limit; see :func:`.doubt.noise_to_use`.
    """
    if doubted:
        return [
            "Noise and fine structure cannot be told apart in this image, so only what is "
            f"certainly noise was removed. {_GIVE}"
        ]
    if noise.floor > 0 and noise.confidence < SURE:
        return [
            "The noise is uncertain: the image has too few pixels to measure it in, or fine "
            f"structure that looks like noise. {_GIVE}"
        ]
    return []


def hidden(noise: Noise, plane: np.ndarray) -> list[str]:
    """Say that the image was processed before, if its noise is uncertain and next to none.

    Parameters
    ----------
    noise : Noise
        The noise that the image was restored with.
    plane : numpy.ndarray
        Shape (row, col), in the unit of the image.
    """
    low, high = np.quantile(plane[middle(plane.shape, _MOST_PIXELS)], (0.01, 0.99))
    deviation = float(np.sqrt(noise.variance(high)))
    if noise.confidence >= SURE or not 0 < deviation < _CAMERA * (high - low):
        return []
    return [
        "The noise that was found is less than a camera has: the image was probably filtered or "
        "reconstructed before, which hides its noise. The results are checked with what was found, "
        "so they may be as noisy as the image. Restore the image as the camera took it, or give "
        "the noise of this one: as the gain 0, the background, and as the read variance the "
        "variance of the grey levels where there is no structure."
    ]


def structure_put_back(share: float) -> list[str]:
    """Say in what share of the pixels of a plane structure was put back, if it is not small."""
    if share <= _WORTH_SAYING:
        return []
    return [
        f"In {share:.0%} of the pixels of a plane structure would have been removed with the "
        "noise. Less was removed there, so some noise is left."
    ]


def saturation_found(share: float) -> str:
    """Say how many pixels are saturated, and what this means for a restored image."""
    return (
        f"{100 * share:.2g} % of the pixels are saturated: their true brightness is unknown and "
        "was not restored."
    )


def by_channel(sentences: Mapping[int | None, str]) -> list[str]:
    """Put the number of the channel before its sentence, if there are several.

    Parameters
    ----------
    sentences : mapping of int or None to str
        Channel, from 0, or None without channels -> sentence; of many channels only the first ones
        are given.
    """
    several = len(sentences) > 1
    return [
        f"Channel {channel + 1}: {text}" if several and channel is not None else text
        for channel, text in list(sentences.items())[:_MOST_CHANNELS]
    ]
