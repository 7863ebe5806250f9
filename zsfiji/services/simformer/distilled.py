"""What the student of the compact network learns from: its teacher, and more noise (SIMFormer+).

The teacher sees a simulated stack as it is, the student the same with more shot noise and more read
noise; both know how strong their noise is. The target is halfway between the truth and what the
teacher found. After the authors of SIMFormer+, who take the teacher's result alone.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from zsfiji.services.simformer.batch import Batch
from zsfiji.services.simformer.compact import Compact
from zsfiji.services.simformer.front import level
from zsfiji.services.simformer.stream import Stream
from zsfiji.services.simformer.supervised import as_input, loss_of

_SHARE = 0.5
"""Share of the stacks with more noise."""

_COUNTS = (0.5, 50.0)
"""Fewest and most photons of the shot noise that is added, in bright structures."""

_READ = 0.5
"""Largest read noise that is added, in the light of bright structures."""


class Distilled:
    """Errors against truth and teacher, as :class:`~.supervised.Supervised` has them.

    Parameters
    ----------
    network : Compact
        The student.
    stream : Stream
        What it learns from.
    teacher : Compact or None
        The teacher; without one, the target is the truth.
    """

    def __init__(self, network: Compact, stream: Stream, teacher: Compact | None) -> None:
        self.network, self.stream, self.teacher = network, stream, teacher

    def __call__(self, step: int) -> torch.Tensor:
        """The loss of a step."""
        batch = self.stream.batch(step)
        target = batch.emitter
        if self.teacher is not None:
            with torch.no_grad():
                images, noise, unit = as_input(batch, self.teacher)
                target = (target + self.teacher(images, noise) * unit) / 2
        draws = np.random.default_rng([self.stream.seed, 3, step])
        images, noise, unit = as_input(noisier(batch, draws), self.network)
        return loss_of(self.network(images, noise) * unit, target, batch.emitter)


def noisier(batch: Batch, draws: np.random.Generator) -> Batch:
    """Add shot noise and read noise to some stacks of a batch."""
    frames, gain, read = (part.clone() for part in (batch.frames, batch.gain, batch.read_variance))
    for n, stack in enumerate(batch.frames):
        if draws.random() >= _SHARE:
            continue
        unit = level(stack)[1]
        grain = unit / math.exp(draws.uniform(*np.log(_COUNTS)))
        spread = unit * _READ * draws.uniform() ** 2
        shots = draws.poisson((stack / grain).clamp_min(0).numpy()) * grain
        noise = spread * draws.standard_normal(stack.shape)
        # What is below zero has no shot noise.
        frames[n] = torch.from_numpy(shots + noise).float() + stack.clamp_max(0)
        gain[n] += grain
        read[n] += spread**2
    return replace(batch, frames=frames, gain=gain, read_variance=read)
