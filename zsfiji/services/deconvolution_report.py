"""What is said of images that were denoised and deconvolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zsfiji.compute.slices import middle_slice
from zsfiji.deconvolution import brightness, guard
from zsfiji.physics.camera import defects
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.noise import Noise
from zsfiji.quality import residual, sharpening
from zsfiji.quality.agreement import Agreement
from zsfiji.quality.agreement import notes as agreement_notes
from zsfiji.quality.alternation import alternation_said
from zsfiji.quality.faint import faint_said
from zsfiji.quality.report import Report

RESULTS = ("denoised image", "deconvolved image")
"""What the two results are called."""


@dataclass(frozen=True)
class Part:
    """What was found in one part of an image, a plane or a stack.

    Attributes
    ----------
    camera : Camera
        Its noise.
    doubted : bool
        Whether that noise is the least that there is; see :func:`.doubt.noise_to_use`.
    noisy : numpy.ndarray
        The part, its defective pixels replaced.
    verdict : Verdict
        How the deconvolved part compares with it.
    light : tuple of Brightness
        Of the denoised and of the deconvolved part.
    defects : int
        Pixels that were replaced.
    spared : float
        Share of the pixels where structure was put back.
    missing : Missing, optional
        What the deconvolved part did not explain; None where nothing was deconvolved further.
    agreement : Agreement, optional
        How far results of independent noise agree on what the optics do not pass; of planes.
    faintest : float
        Brightness below which structure may have lost contrast; 0 if that does not matter.
    """

    camera: Camera
    doubted: bool
    noisy: np.ndarray
    verdict: sharpening.Verdict
    light: tuple[brightness.Brightness, brightness.Brightness]
    defects: int = 0
    spared: float = 0.0
    missing: guard.Missing | None = None
    agreement: Agreement | None = None
    faintest: float = 0.0


class DeconvolutionFindings:
    """Gathers what is to be said about the parts of an image.

    Parameters
    ----------
    first : sequence of str
        What is said before all else.
    """

    def __init__(self, first: Sequence[str] = ()) -> None:
        self._said = list(first)
        self._parts = 0
        self._verdicts: list[sharpening.Verdict] = []
        self._light: list[tuple[brightness.Brightness, brightness.Brightness]] = []
        self._noise: dict[int | None, str] = {}
        self._camera: Camera | None = None
        self._saturated = 0.0
        self._defects = 0
        self._spared = 0.0
        self._faintest = 0.0
        self._missing: list[guard.Missing] = []
        self._agreements: list[Agreement] = []
        self._remarks: dict[str, None] = {}

    def add(self, part: Part, channel: int | None) -> None:
        """Take in a part; of an empty one, as a movie may have, little can be said.

        Parameters
        ----------
        part : Part
            The part.
        channel : int or None
            Its channel, from 0; None where each part has a noise of its own.
        """
        self._parts += 1
        self._defects += part.defects
        self._spared = max(self._spared, part.spared)
        self._missing += [part.missing] if part.missing is not None else []
        if part.noisy.min() == part.noisy.max():
            return
        self._faintest = max(self._faintest, part.faintest)
        noise = part.camera.noise
        self._camera = self._camera or part.camera
        self._verdicts.append(part.verdict)
        self._light.append(part.light)
        self._agreements += [part.agreement] if part.agreement is not None else []
        doubts = residual.hidden(noise, middle_slice(part.noisy))
        self.remark(doubts or residual.uncertain(noise, part.doubted))
        if channel not in self._noise:
            self._noise[channel] = noise_said(noise, part.noisy)
            self.remark(alternation_said(noise, middle_slice(part.noisy)))
        if noise.saturation is not None:
            saturated = float(np.mean(part.noisy >= noise.saturation))
            self._saturated = max(self._saturated, saturated)

    def remark(self, sentences: Sequence[str]) -> None:
        """Add sentences to the notes; a repeated one is added once."""
        self._remarks |= dict.fromkeys(sentences)

    def report(self) -> Report:
        """Give notes, the most important first, and metrics."""
        return Report(self._notes(), self._metrics())

    def _notes(self) -> tuple[str, ...]:
        said = list(self._said)
        blunt = sum(v.sharpening < sharpening.SHARPER for v in self._verdicts)
        if blunt:
            of = "" if self._parts == 1 else f" in {blunt} of {self._parts} planes"
            said.append(
                f"Not sharpened{of}: the noise leaves too little to deconvolve, and the denoised "
                "image is given instead. Train longer, or acquire the image with more light."
            )
        for which, name in enumerate(RESULTS):
            said += brightness.notes([both[which] for both in self._light], name, self._parts)
        for name, residuals in (
            (RESULTS[0], [v.denoised for v in self._verdicts]),
            (f"{RESULTS[1]}, blurred again", [v.blurred for v in self._verdicts]),
        ):
            spoken = residual.judge_all([r for r in residuals if r is not None])
            if spoken:
                said.append(f"The {name}: {spoken[0].lower()}{spoken[1:]}")
        said += residual.structure_put_back(self._spared)
        said += guard.notes(self._missing)
        said += agreement_notes(self._agreements)
        said += faint_said(self._faintest)
        said += self._remarks
        if self._saturated > 0:
            said.append(residual.saturation_found(self._saturated))
        if self._defects:
            said.append(defects.note(self._defects))
        said += residual.by_channel(self._noise)
        return tuple(said)

    def _metrics(self) -> dict[str, float]:
        """Noise of the first part, the others as means over the parts."""
        if self._camera is None:
            return {}
        noise = self._camera.noise
        metrics = {
            "noise_gain": noise.gain,
            "noise_intercept": noise.intercept,
            "noise_white": float(noise.white),
            "dark_level": self._camera.dark_level,
            "saturated": self._saturated,
            "defects": float(self._defects),
            "spared": self._spared,
            "faintest": self._faintest,
            "unexplained": max((m.after for m in self._missing), default=0.0),
            "sharpening": float(np.mean([v.sharpening for v in self._verdicts])),
        }
        for name, residuals in (
            ("denoised", [v.denoised for v in self._verdicts]),
            ("reblurred", [v.blurred for v in self._verdicts]),
        ):
            there = [r for r in residuals if r is not None]
            if there:
                metrics[f"{name}_residual_variance"] = float(np.mean([r.variance for r in there]))
                metrics[f"{name}_residual_excess"] = float(np.mean([r.excess for r in there]))
        if self._agreements:
            shares, correlations = zip(*self._agreements, strict=True)
            metrics["beyond_optics"] = float(np.mean(shares))
            metrics["beyond_optics_agreement"] = float(np.mean(correlations))
        return metrics


def noise_said(noise: Noise, noisy: np.ndarray) -> str:
    """Say what noise was found, in a plane or in the middle slice of a stack."""
    middle = middle_slice(noisy)
    found = residual.noise_found(noise, middle)
    if noise.white:
        return found
    return (
        f"{found} Correlated noise is harder to separate from structure of the same size than "
        "white noise: do not rely on fine detail."
    )
