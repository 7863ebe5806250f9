"""What the shipped student learns from: the truth, its teacher, and more noise (SIMFormer+).

The teacher sees a simulated stack as it is, the student the same with more noise; both know how
strong their noise is. The target is halfway between the truth and what the teacher found. The
authors of SIMFormer+ have no truth and take the teacher's result alone, as
:mod:`.distilling` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch

from zsfiji.compute.device import generator
from zsfiji.services.simformer.batch import Batch
from zsfiji.services.simformer.compact import Compact
from zsfiji.services.simformer.distilling import Augmentation, noisier
from zsfiji.services.simformer.kinds import CompactKind
from zsfiji.services.simformer.objective import loss_of
from zsfiji.services.simformer.stages import Stage
from zsfiji.services.simformer.stream import Stream


class Distilled:
    """Errors against truth and teacher, as :class:`~.supervised.Supervised` has them.

    Every other step has the noise of the stream only.

    Parameters
    ----------
    network : Compact
        The student.
    stream : Stream
        What it learns from.
    teacher : callable
        Gives the teacher.
    alone : int
        Steps before which the target is the truth, and no teacher is needed.
    """

    def __init__(
        self, network: Compact, stream: Stream, teacher: Callable[[], Compact], alone: int = 0
    ) -> None:
        self.network, self.stream, self._alone = network, stream, alone
        self._make, self._teacher = teacher, cast("Compact | None", None)

    def __call__(self, step: int) -> torch.Tensor:
        """The loss of a step."""
        batch = self.stream.batch(step)
        target = batch.emitter
        if step >= self._alone:
            self._teacher = self._teacher or self._make()
            with torch.no_grad():
                target = (target + _light(self._teacher, batch)) / 2
        if step % 2:
            batch = noisier(batch, Augmentation(), generator(self.stream.seed + step))
        return loss_of(_light(self.network, batch), target, batch.emitter)


def _light(network: Compact, batch: Batch) -> torch.Tensor:
    """What a network makes of a batch, in the unit of its frames."""
    found = CompactKind().outputs(network, batch, Stage())
    return found.emitter * found.unit[:, None, None, None]
