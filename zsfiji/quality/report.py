"""What is said of a result, by every method in the same way: notes for the user, and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from zsfiji.physics.noise import Noise
from zsfiji.quality.residual import (
    Residual,
    by_channel,
    judge_all,
    noise_found,
    residual,
    saturation_found,
)


@dataclass(frozen=True)
class Report:
    """What is honestly to be said about a result.

    Attributes
    ----------
    notes : tuple of str
        Sentences for the user: how much noise was found, whether the result is over-smoothed or
        has noise left, what was worked around. The most important comes first.
    metrics : mapping of str to float
        The same as numbers, for tables, macros and tests.
    """

    notes: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


class Findings:
    """Gathers what is to be said about the planes of a restored image."""

    def __init__(self) -> None:
        self._noise: dict[int | None, str] = {}
        self._residuals: list[Residual] = []
        self._remarks: dict[str, None] = {}
        self._first: Noise | None = None
        self._saturated = 0.0

    def remark(self, sentence: str) -> None:
        """Say this, once however often it is called."""
        self._remarks[sentence] = None

    def add(
        self, noise: Noise, noisy: np.ndarray, restored: np.ndarray, channel: int | None
    ) -> None:
        """Take in a restored plane.

        Parameters
        ----------
        noise : Noise
            Noise of the plane.
        noisy, restored : numpy.ndarray
            Shape (row, col), in the unit of the image.
        channel : int or None
            The channel, from 0; None where each plane has a noise of its own.
        """
        self._first = self._first or noise
        if noise.floor == 0:
            self.remark("No noise was found: the image is given back as it was.")
            return
        self._noise.setdefault(channel, noise_found(noise, noisy))
        if noise.saturation is not None:
            self._saturated = max(self._saturated, float(np.mean(noisy >= noise.saturation)))
        found = residual(noise, noisy, restored)
        if found is not None:
            self._residuals.append(found)

    def report(self, **metrics: float) -> Report:
        """Give the report, with further metrics behind its own."""
        return Report(self.notes(), self.metrics() | metrics)

    def notes(self) -> tuple[str, ...]:
        """Say what was found, the most important first."""
        spoken = judge_all(self._residuals)
        said = [spoken] if spoken else []
        if self._saturated > 0:
            said.append(saturation_found(self._saturated))
        said += self._remarks
        said += by_channel(self._noise)
        return tuple(said)

    def metrics(self) -> dict[str, float]:
        """Give numbers for tables: noise of the first plane, residuals as means over the planes."""
        if self._first is None:
            return {}
        metrics = {
            "noise_gain": self._first.gain,
            "noise_intercept": self._first.intercept,
            "noise_white": float(self._first.white),
            "noise_correlation": float(self._first.correlation(1)[1]),
            "saturated": self._saturated,
        }
        if self._residuals:
            for name in ("variance", "correlation", "excess"):
                values = [getattr(found, name) for found in self._residuals]
                metrics[f"residual_{name}"] = float(np.mean(values))
        return metrics
