"""What is said about results of SIMFormer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zsfiji.services.blind_sim.results import CHECKED, misfit_said
from zsfiji.services.sim.report import WHOLE, Unused
from zsfiji.services.simformer.starts import Start
from zsfiji.words import counted

FROM_MODEL: frozenset[Start | None] = frozenset({"model", "sharpened", "mean"})
"""Starts that the trained network has part in."""

_BEGUN: dict[Start | None, str] = {
    None: "The fit began without the network, as that of Blind SIM... does with none: the specimen "
    f"of the network explains {CHECKED} less well. It is unlike those that the network has learnt.",
    "own": f"The specimen of the network explains {CHECKED} less well than that of a network "
    "which learnt from this image alone, so the fit began with the latter, as that of Blind SIM... "
    "does. The specimen is unlike those that the first network has learnt.",
    "mean": "The fit began with the mean of what the network made and of what a network made which "
    f"learnt from this image alone: it explains best {CHECKED}.",
    "sharpened": "Detail of the network finer than linear SIM shows was replaced by plain "
    f"sharpening before the fit: so it explains best {CHECKED}.",
}
"""What is said about a start."""


def said(residuals: list[float], iterations: list[int], begun: list[Start | None]) -> list[str]:
    """Say what a user should know about results.

    Parameters
    ----------
    residuals : list of float
        Mean squared residual of each stack that was fitted, in variances of the noise.
    iterations : list of int
        Of each fit.
    begun : list of Start or None
        What each fit began with.
    """
    notes = []
    if not begun or any(start in FROM_MODEL for start in begun):
        notes.append(
            "The network was trained on simulated specimens. It can add detail finer than the "
            "image tells, which looks real and may be wrong: compare with the results of "
            "Blind SIM... and SIM Reconstruct... too."
        )
    if not residuals:
        notes.append(
            "Nothing was fitted to the frames: the emitter is what the network makes of them."
        )
        return notes
    usual = max(dict.fromkeys(begun), key=begun.count)
    if usual in _BEGUN:
        notes.append(_BEGUN[usual])
    return [*notes, *misfit_said(float(np.mean(residuals))), _fit_said(iterations)]


def _fit_said(iterations: list[int]) -> str:
    if not any(iterations):
        return (
            f"The fit to the frames changed nothing: iterations explain {CHECKED} no better than "
            "what it began with."
        )
    number = round(float(np.mean(iterations)))
    return f"The fit to the frames took {counted(number, 'iteration')}."


def lost_said(lost: Sequence[Unused]) -> list[str]:
    """Say which patterns, or waves of them, were not found."""
    notes = []
    angles = [one.which for one in lost if one.what == WHOLE]
    if angles:
        which = " and ".join(dict.fromkeys(angles))
        notes.append(
            f"No pattern was found in angle {which}: there the result is no finer than a "
            "wide-field image. Were the frames acquired and saved in the right order?"
        )
    waves = dict.fromkeys(f"the {one.what} {one.which}" for one in lost if one.what != WHOLE)
    if waves:
        notes.append(
            f"Not found in the patterns: {', '.join(waves)}. There the result is less fine."
        )
    return notes
