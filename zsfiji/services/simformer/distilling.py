"""SIMFormer+: a smaller network learns what a trained one makes of stacks with less noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from zsfiji.compute.device import generator
from zsfiji.services.simformer import losses, stages
from zsfiji.services.simformer.batch import Batch
from zsfiji.services.simformer.kinds import Kind

_SEED = 7919
"""Distance of the seeds of two steps; other numbers than the stream has."""


@dataclass(frozen=True)
class Augmentation:
    """Noise that the student sees beyond that of the teacher.

    Attributes
    ----------
    shots : float
        Photons that a photon of the stack stands for are drawn between this and ten times this.
    gaussian : float
        Highest standard deviation of noise that is added, over the mean of the frames.
    """

    shots: float = 0.5
    gaussian: float = 0.3


PUBLISHED = Augmentation(0.5, 5.0)
"""That of the authors for simulated stacks."""


def noisier(batch: Batch, augmentation: Augmentation, draws: torch.Generator) -> Batch:
    """A batch with more noise, and with what is known of it.

    Parameters
    ----------
    batch : Batch
        Stacks in photoelectrons, on the CPU.
    augmentation : Augmentation
        How much.
    draws : torch.Generator
        For the noise.
    """
    count = len(batch.frames)
    wide = (slice(None), None, None, None, None)
    low = augmentation.shots
    scale = low * (1 + 9 * torch.rand(count, generator=draws))
    frames = torch.poisson(batch.frames.clamp_min(0) * scale[wide], generator=draws)
    frames = frames / scale[wide]
    amount = augmentation.gaussian * torch.rand(count, generator=draws)
    added = amount * batch.frames.mean((1, 2, 3, 4)).clamp_min(0)
    frames = frames + added[wide] * torch.randn(frames.shape, generator=draws)
    return replace(
        batch,
        frames=frames,
        gain=batch.gain + 1 / scale,
        read_variance=batch.read_variance + added.square(),
    )


class Distillation:
    """The loss of a step of the student.

    Parameters
    ----------
    kind : Kind
        Of both networks.
    teacher, student : torch.nn.Module
        The networks, on one device; the teacher's weights stay as they are.
    batches : callable
        Gives the stacks of a step.
    augmentation : Augmentation
        Noise that the student sees beyond that of the teacher.
    seed : int
        Of that noise.
    """

    def __init__(
        self,
        kind: Kind,
        teacher: nn.Module,
        student: nn.Module,
        batches: Callable[[int], Batch],
        *,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self._kind, self._teacher, self._student = kind, teacher.eval(), student
        self._batches, self._seed = batches, seed
        self._augmentation = augmentation or Augmentation()

    def __call__(self, step: int) -> torch.Tensor:
        """The loss of a step, counted from 0."""
        batch = self._batches(step)
        device = next(self._student.parameters()).device
        draws = generator(self._seed + _SEED * (step + 1))
        seen = noisier(batch, self._augmentation, draws).to(device)
        with torch.no_grad():
            wanted = self._kind.outputs(self._teacher, batch.to(device), stages.Stage())
        found = self._kind.outputs(self._student, seen, stages.Stage())
        # The two see the frames in units of their own.
        ratio = (found.unit / wanted.unit)[:, None, None, None]
        return losses.difference(found.emitter * ratio, wanted.emitter)
