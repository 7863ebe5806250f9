"""What the fit of SIMFormer may start from; held counts choose (:func:`.blind.chosen_start`).

A trained network adds detail that is finer than the frames tell. That is right for specimens of the
kinds that it has learnt, and wrong for others. So there are starts that have less of it: what the
network made, seen by the lens of linear SIM and sharpened by the rules of optics alone; what a
network says that has learnt from this image alone, as in Blind SIM; and the mean of both networks.
"""

from __future__ import annotations

import math
from typing import Literal

import torch

from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Found
from zsfiji.services.blind_sim.start import specimens
from zsfiji.services.sim.calibration import Record as Calibrated
from zsfiji.services.sim.finding import record_of
from zsfiji.services.zero_shot_sim.restorer import Restorer
from zsfiji.services.zero_shot_sim.specimens import sharpened

Start = Literal["model", "sharpened", "own", "mean"]
"""The network's specimen; the same seen by the lens and sharpened; that of a network of the image's
own; the mean of the first and the third."""

_GRADE = 20
"""Iterations of sharpening. Of those that Blind SIM tries, 10 and 40 are within 0.5 dB."""


def starts(
    found: Found, frames: torch.Tensor, emitter: torch.Tensor, own: Restorer | None
) -> dict[Start, torch.Tensor]:
    """Make all starts for a stack.

    Parameters
    ----------
    found : Found
        Patterns, OTF and noise.
    frames : torch.Tensor
        (angle, frame, row, col), in grey levels.
    emitter : torch.Tensor
        (3 row, 3 col): what the trained network makes of them, in any unit.
    own : Restorer or None
        A network that has learnt from the image alone, where the frames are.

    Returns
    -------
    dict
        Start -> specimen with surroundings, in grey levels.
    """
    joint = found.joint((int(frames.shape[-2]), int(frames.shape[-1])), frames.device)
    model = joint.whole(blind.balanced(found, frames, emitter))
    made: dict[Start, torch.Tensor] = {"model": model}
    made["sharpened"] = sharpened(joint.seen_by_lens(model), joint, (_GRADE,))[_GRADE]
    if own is not None:
        made["own"] = specimens(own, frames, found, (_GRADE,))[_GRADE]
        made["mean"] = (made["own"] + model) / 2
    return made


def calibrated(found: Found, frames: torch.Tensor) -> Calibrated:
    """What was found in a stack, as networks of its own take it.

    Parameters
    ----------
    found : Found
        Patterns, OTF and noise.
    frames : torch.Tensor
        (angle, frame, row, col), in grey levels.
    """
    seen = found.search
    return record_of(
        seen,
        found.patterns,
        seen.modulation_error,
        found.transfer,
        found.above(frames).cpu(),
        noise_variance=seen.noise_variance,
        background=found.background,
        background_given=True,
        pixel=math.nan,
    )
