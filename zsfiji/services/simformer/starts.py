"""What the fit of SIMFormer may start from; held counts choose (:func:`.blind.chosen_start`).

A trained network adds detail that is finer than the frames tell. That is right for specimens of the
kinds that it has learnt, and wrong for others. So there are starts that have less of it: what the
network made, seen by the lens of linear SIM and sharpened by the rules of optics alone; what a
network says that has learnt from this image alone, as in Blind SIM; and the mean of both networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch

from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Found
from zsfiji.reconstruction.joint import Joint
from zsfiji.services.blind_sim.start import specimens
from zsfiji.services.sim.calibration import Record as Calibrated
from zsfiji.services.sim.finding import record_of
from zsfiji.services.zero_shot_sim.restorer import Restorer
from zsfiji.services.zero_shot_sim.specimens import sharpened

Start = Literal["model", "sharpened", "own", "mean"]
"""The network's specimen; the same seen by the lens and sharpened; that of a network of the image's
own; the mean of the first and the third."""

FROM_OWN: frozenset[Start | None] = frozenset({"own", "mean"})
"""Starts that a network of the image's own has part in."""

_GRADE = 20
"""Iterations of sharpening. Of those that Blind SIM tries, 10 and 40 are within 0.5 dB."""


@dataclass(frozen=True, eq=False)
class Starts:
    """All starts for a stack, each made when it is asked for.

    Attributes
    ----------
    found : Found
        Patterns, OTF and noise.
    frames : torch.Tensor
        (angle, frame, row, col), in grey levels.
    emitter : torch.Tensor
        (3 row, 3 col): what the trained network makes of them, in any unit.
    network : Restorer or None
        A network that has learnt from the image alone, where the frames are.
    """

    found: Found
    frames: torch.Tensor
    emitter: torch.Tensor
    network: Restorer | None

    def every(self) -> dict[Start, torch.Tensor]:
        """Start -> specimen with surroundings, in grey levels."""
        names: list[Start] = ["model", "sharpened"]
        if self.network is not None:
            names += ["own", "mean"]
        return {name: self[name] for name in names}

    def __getitem__(self, start: Start) -> torch.Tensor:
        made: torch.Tensor = getattr(self, f"_{start}")
        return made

    @cached_property
    def _joint(self) -> Joint:
        return self.found.joint_of(self.frames)

    @cached_property
    def _model(self) -> torch.Tensor:
        return self._joint.whole(blind.balanced(self.found, self.frames, self.emitter))

    @property
    def _sharpened(self) -> torch.Tensor:
        seen = self._joint.seen_by_lens(self._model)
        return sharpened(seen, self._joint, (_GRADE,))[_GRADE]

    @cached_property
    def _own(self) -> torch.Tensor:
        assert self.network is not None, "there is no start of it without it"
        return specimens(self.network, self.frames, self.found, (_GRADE,))[_GRADE]

    @property
    def _mean(self) -> torch.Tensor:
        return (self._own + self._model) / 2


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
