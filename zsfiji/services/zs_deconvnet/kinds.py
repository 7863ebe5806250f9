"""The restorers, one class for each kind of network: what each learns from and how it restores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch

from zsfiji.deconvolution.tiles import Piece
from zsfiji.learning.loop import Schedule
from zsfiji.learning.scale import Scale
from zsfiji.services.two_stage.restorer import N, Restorer, Restorers, Training, both_results
from zsfiji.services.two_stage.task import Objective, Task
from zsfiji.services.zs_deconvnet import networks, networks_3d
from zsfiji.services.zs_deconvnet.networks import PublishedUNet
from zsfiji.services.zs_deconvnet.networks_3d import PublishedRCAN
from zsfiji.services.zs_deconvnet.objective import (
    PUBLISHED_PLANES,
    PUBLISHED_STACKS,
    ReconstructedPairs,
    Recorruption,
    Sizes,
    SlicePairs,
)

if TYPE_CHECKING:
    from typing_extensions import Self

COMPACT_PLANES, COMPACT_STACKS = Sizes(128, 1, 1, 16, 0), Sizes(64, 1, 13, 8, 2)
"""What a step of the compact networks works on: one patch, the published ones take 4 and 3. After
one minute of a processor a batch of one had reached 19.5 dB and one of four 16.0 dB (tubules at 15
photons, benchmarks/training_time.py). For stacks not compared."""

COMPACT_PLANES_RATE, COMPACT_STACKS_RATE = 2e-3, 1e-3
"""Learning rates of the compact networks. On the same image 0.001 and 0.003 gave 19.5 and 19.3 dB
after a minute, denoised 27.3 and 28.0 dB. For stacks not tuned."""


class _Published(Restorer[N]):
    """What the restorers for planes and for stacks share: the scale that they begin with."""

    sizes: ClassVar[Sizes]

    @classmethod
    def begin(cls, task: Task, seed: int) -> Self:
        """Make a restorer."""
        network = cls.build(task.optics.upsample, seed).to(task.data.device)
        return cls(cls.first_record(task, range_scale(task), seed), task.optics, network)

    def objective(self, task: Task) -> Objective:
        """What recorrupted images are learnt from by."""
        if task.recorrupted is None:
            return Recorruption(self.network, task, self.sizes, self.draws_seed)
        return ReconstructedPairs(self.network, task, self.sizes, self.draws_seed)


class PublishedPlanes(_Published[PublishedUNet]):
    """The published network for planes, with the published training."""

    kind, axes, elsewhere = "published", 2, 0.0
    sizes: ClassVar[Sizes] = PUBLISHED_PLANES
    width, rate = networks.PUBLISHED_WIDTH, 5e-5

    @classmethod
    def build(cls, upsample: int, seed: int = 0) -> PublishedUNet:
        """Make a network."""
        return PublishedUNet(upsample, cls.width, seed).to(memory_format=torch.channels_last)

    @classmethod
    def schedule(cls, steps: int) -> Schedule:
        """The published schedule."""
        return Schedule(steps, cls.rate, halve_at=tuple(range(10_000, steps, 10_000)))

    def training(self, task: Task, steps: int, *, ready: bool) -> Training:
        """Prepare a training."""
        return Training(self.objective(task), self.schedule(steps))

    def restore_piece(
        self, piece: torch.Tensor, positions: Sequence[int], label: str | None
    ) -> Piece:
        """Restore a plane (1, row, col)."""
        return Piece(*both_results(self, piece, positions))


class CompactPlanes(PublishedPlanes):
    """The published method for planes with a narrow network."""

    kind, width, rate = "compact", networks.COMPACT_WIDTH, COMPACT_PLANES_RATE
    sizes: ClassVar[Sizes] = COMPACT_PLANES

    @classmethod
    def schedule(cls, steps: int) -> Schedule:
        """The published halvings, after each fifth of the training."""
        return Schedule(steps, cls.rate, halve_at=tuple(i * steps // 5 for i in range(1, 5)))


class PublishedStacks(_Published[PublishedRCAN]):
    """The published network for stacks, with the published training."""

    kind, axes, elsewhere = "published", 3, 0.0
    sizes: ClassVar[Sizes] = PUBLISHED_STACKS
    width, rate = networks_3d.PUBLISHED_WIDTH, 1e-4

    @classmethod
    def build(cls, upsample: int, seed: int = 0) -> PublishedRCAN:
        """Make a network."""
        return PublishedRCAN(upsample, cls.width, seed).to(memory_format=torch.channels_last_3d)

    @classmethod
    def schedule(cls, steps: int) -> Schedule:
        """The published schedule."""
        return Schedule(steps, cls.rate, halve_at=(5000, 7500, 10_000), decay=1e-5)

    def training(self, task: Task, steps: int, *, ready: bool) -> Training:
        """Prepare a training."""
        if task.pairs is None:
            return Training(self.objective(task), self.schedule(steps))
        pairs = SlicePairs(self.network, task, self.scale, self.sizes, self.draws_seed)
        return Training(pairs, self.schedule(steps))

    def restore_piece(
        self, piece: torch.Tensor, positions: Sequence[int], label: str | None
    ) -> Piece:
        """Restore a stack (pln, row, col)."""
        denoised, sharp = both_results(self, piece, positions)
        return Piece(denoised, sharp, self.optics(sharp))


class CompactStacks(PublishedStacks):
    """The published method for stacks with a narrow network."""

    kind, width, rate = "compact", networks_3d.COMPACT_WIDTH, COMPACT_STACKS_RATE
    sizes: ClassVar[Sizes] = COMPACT_STACKS

    @classmethod
    def schedule(cls, steps: int) -> Schedule:
        """The published halvings, at the same shares of the training."""
        return Schedule(steps, cls.rate, halve_at=(steps // 2, 3 * steps // 4))


RESTORERS: Restorers = {
    (restorer.kind, restorer.axes): restorer
    for restorer in (CompactPlanes, PublishedPlanes, CompactStacks, PublishedStacks)
}
"""The restorers by the kind of network, and by 2 for planes or 3 for stacks."""


def range_scale(task: Task) -> Scale:
    """Scale of the networks where they are applied: from 0 to 1, the range of the images.

    Reconstructions have negative values, which stay negative.
    """
    low = float(task.data.min()) if task.recorrupted is None else 0.0
    return Scale(low, float(task.data.max()) - low)
