"""The report on a result, the same for every method: notes for the user, and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from zsfiji.physics.noise import Noise
from zsfiji.quality.alternation import alternation_said
from zsfiji.quality.faint import faint_said, faintest
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
    """What the user should know about a result.

    Attributes
    ----------
    notes : tuple of str
        Sentences for the user: how much noise was found, whether the result is over-smoothed or
        has noise left, what could not be done. The most important comes first.
    metrics : mapping of str to float
        The same as numbers, for tables, macros and tests.
    """

    notes: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


class Findings:
    """Collects what the report says about the planes of a restored image."""

    def __init__(self) -> None:
        self._noise: dict[int | None, str] = {}
        self._residuals: list[Residual] = []
        self._remarks: dict[str, None] = {}
        self._first: Noise | None = None
        self._saturated = 0.0
        self._faintest = 0.0

    def remark(self, sentence: str) -> None:
        """Add a sentence to the notes; a repeated one is added once."""
        self._remarks[sentence] = None

    def add(
        self, noise: Noise, noisy: np.ndarray, restored: np.ndarray, channel: int | None
    ) -> None:
        """Add a restored plane.

        Parameters
        ----------
        noise : Noise
            Noise of the plane.
        noisy, restored : numpy.ndarray
            Shape (row, col), in the unit of the image.
        channel : int or None
            The channel, from 0; None if each plane has its own noise.
        """
        self._first = self._first or noise
        if noise.floor == 0:
            same = np.array_equal(noisy, restored)
            self.remark(
                "No noise was found: the image is returned unchanged."
                if same
                else "No noise was found, so what the method has changed is structure."
            )
            return
        if channel not in self._noise:
            self._noise[channel] = noise_found(noise, noisy)
            for sentence in alternation_said(noise, noisy):
                self.remark(sentence)
        if noise.saturation is not None:
            self._saturated = max(self._saturated, float(np.mean(noisy >= noise.saturation)))
        self._faintest = max(self._faintest, faintest(noise, restored))
        found = residual(noise, noisy, restored)
        if found is not None:
            self._residuals.append(found)

    def report(self, **metrics: float) -> Report:
        """Give the report, with further metrics after its own."""
        return Report(self.notes(), self.metrics() | metrics)

    def notes(self) -> tuple[str, ...]:
        """Say what was found, the most important first."""
        verdict = judge_all(self._residuals)
        sentences = [verdict] if verdict else []
        if self._saturated > 0:
            sentences.append(saturation_found(self._saturated))
        sentences += self._remarks
        sentences += faint_said(self._faintest)
        sentences += by_channel(self._noise)
        return tuple(sentences)

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
            "faintest": self._faintest,
        }
        if self._residuals:
            for name in ("variance", "correlation", "excess"):
                values = [getattr(found, name) for found in self._residuals]
                metrics[f"residual_{name}"] = float(np.mean(values))
        return metrics
