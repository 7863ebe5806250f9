"""What is honestly to be said about a result: the noise found, and what the residual shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zsfiji.images.middle import middle
from zsfiji.physics.noise import SURE, Noise
from zsfiji.words import counted

LAGS = 3
"""Distances in pixels for which the correlation of the noise is told. Not tuned."""

_SLACK = 0.12
"""Excess correlation of neighbours in the residual that passes for chance. Chosen by eye."""

_TOO_LITTLE = 0.6
"""Variance of the residual, in that of the noise, below which noise was left. Chosen by eye."""

_MOST_PIXELS = 1024
"""Edge of the middle by which big planes are judged: bounds the time."""

_MOST_CHANNELS = 4
"""Sentences on single channels that are given at most: the notes have to stay short."""

_SPARED = 0.01
"""Share of the pixels with less taken out from which on it is said. Chosen by eye."""

_GIVE = "Give the gain, the background and the read variance of the camera, or a dark frame."


@dataclass(frozen=True)
class Residual:
    """What was taken out of a plane, in standard deviations of the fitted noise.

    Attributes
    ----------
    variance : float
        Its mean square; about 1 when just the noise was taken out.
    correlation : float
        Correlation at one pixel's distance, mean of rows and columns.
    excess : float
        That, less what the fitted noise has there: structure in the residual where it is high.
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
        None where nothing was taken out. Big planes are judged by their middle.
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
    """Say what a residual means for the user, if anything."""
    if found.excess > _SLACK and found.variance > 1:
        return (
            "Over-smoothed: what was taken out has structure "
            f"(neighbouring pixels correlate by {found.correlation:.2f})."
        )
    if found.variance < _TOO_LITTLE:
        return f"Noise left: only {100 * found.variance:.0f} % of the noise found was taken out."
    return None


def judge_all(found: Sequence[Residual]) -> str | None:
    """The first verdict on the residuals of several planes, and how many planes share it."""
    verdicts = [said for said in map(judge, found) if said is not None]
    if not verdicts:
        return None
    others = len(verdicts) - 1
    return verdicts[0] + (
        f" The same holds for {counted(others, 'other plane')}." if others else ""
    )


def noise_found(noise: Noise, plane: np.ndarray) -> str:
    """Say in a sentence how much noise there is."""
    low, high = (float(v) for v in np.quantile(plane, (0.5, 0.99)))
    read = float(np.sqrt(noise.variance(low)))
    text = f"Noise: standard deviation {read:.3g} at the median brightness"
    if noise.gain > 0:
        text += f", growing by a variance of {noise.gain:.3g} for each unit of brightness"
        text += f" ({float(np.sqrt(noise.variance(high))):.3g} at the brightest hundredth)"
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
    """Say that the noise is uncertain, if so.

    Parameters
    ----------
    noise : Noise
        The noise that the image was restored with.
    doubted : bool
        Whether that is what there is at least; see :func:`.doubt.believed`.
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


def spared(share: float) -> list[str]:
    """Say that structure was put back in this share of the pixels of a plane, if it is many."""
    if share <= _SPARED:
        return []
    return [
        f"In {share:.0%} of the pixels of a plane structure would have been removed with the "
        "noise. Less was removed there, so some noise is left."
    ]


def saturation_found(share: float) -> str:
    """Say that a share of the pixels is saturated, and what it means for a restored image."""
    return (
        f"{100 * share:.2g} % of the pixels are saturated: their true brightness is unknown and "
        "was not restored."
    )


def by_channel(sentences: Mapping[int | None, str]) -> list[str]:
    """Put the name of the channel before what is said of it, where there are several.

    Parameters
    ----------
    sentences : mapping of int or None to str
        Channel, from 0, or None where there are none to tell apart; only some are told of many.
    """
    several = len(sentences) > 1
    return [
        f"Channel {channel + 1}: {text}" if several and channel is not None else text
        for channel, text in list(sentences.items())[:_MOST_CHANNELS]
    ]
