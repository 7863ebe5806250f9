"""The restorers, one class for each kind of network: what each learns from and how it restores."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from zsfiji.compute.device import autocast
from zsfiji.compute.symmetries import dihedral
from zsfiji.deconvolution.classical import ClassicalDeconvolution
from zsfiji.deconvolution.tiles import Piece
from zsfiji.learning.loop import Schedule
from zsfiji.services.zs_deconvnet import networks, networks_3d
from zsfiji.services.zs_deconvnet.networks import FastNet, PublishedUNet, inverse_filter
from zsfiji.services.zs_deconvnet.networks_3d import FastNet3D, PublishedRCAN
from zsfiji.services.zs_deconvnet.objective import (
    PUBLISHED_PLANES,
    PUBLISHED_STACKS,
    Recorruption,
    Sizes,
    SlicePairs,
    Task,
)
from zsfiji.services.zs_deconvnet.objective_fast import (
    FastPlanesObjective,
    SelfExamples,
    SpecimenSource,
)
from zsfiji.services.zs_deconvnet.objective_fast_3d import (
    FastStacksObjective,
    SelfStackExamples,
    StackSource,
    learning_rate,
    part_of,
)
from zsfiji.services.zs_deconvnet.restorer import (
    Restorer,
    Training,
    both_results,
    inputs_of,
    mean_of,
    range_scale,
    stabilised_scale,
)

if TYPE_CHECKING:
    from typing_extensions import Self

ELSEWHERE = 0.25
"""Share of the patches of the fast networks that are drawn from everywhere, so that they learn the
background too. Not tuned; the published training has none."""

COMPACT_PLANES, COMPACT_STACKS = Sizes(128, 1, 1, 16, 0), Sizes(64, 1, 13, 8, 2)
"""What a step of the compact networks works on: one patch, the published ones take 4 and 3. After
one minute of a processor a batch of one had reached 19.5 dB and one of four 16.0 dB (tubules at 15
photons, benchmarks/training_time.py). For stacks not compared."""

COMPACT_PLANES_RATE, COMPACT_STACKS_RATE = 2e-3, 1e-3
"""Learning rates of the compact networks. On the same image 0.001 and 0.003 gave 19.5 and 19.3 dB
after a minute, denoised 27.3 and 28.0 dB. For stacks not tuned."""

WARMUP, FINAL_FRACTION, AVERAGE = 20, 0.02, 0.99
"""Schedule of the fast networks: steps over which the learning rate rises, share that it falls to,
decay of the average of the weights. No measurement was kept."""


class FastPlanes(Restorer[FastNet]):
    """Our small network for planes."""

    kind, axes, elsewhere = "fast", 2, ELSEWHERE

    @classmethod
    def build(cls, upsample: int, seed: int = 0) -> FastNet:
        """Make a network."""
        return FastNet(upsample, seed=seed).to(memory_format=torch.channels_last)

    @classmethod
    def begin(cls, task: Task, seed: int) -> Self:
        """Make a restorer whose network has the inverse filter of the optics."""
        network = cls.build(task.optics.upsample, seed).to(task.data.device)
        network.inverse.copy_(inverse_filter(task.optics))
        return cls(cls.first_record(task, stabilised_scale(task), seed), task.optics, network)

    def source(self, task: Task, average: FastNet) -> SpecimenSource:
        """Where the specimens of the training come from."""
        return SelfExamples(average, task, self.scale)

    def training(self, task: Task, steps: int, *, ready: bool) -> Training:
        """Prepare a training. For rate and betas no measurement was kept."""
        average = copy.deepcopy(self.network)
        objective = FastPlanesObjective(
            self.network,
            task,
            self.scale,
            self.source(task, average),
            steps=steps,
            seed=self.draws_seed,
            ready=ready,
        )
        return Training(objective, _fast_schedule(steps, 3e-3, (0.9, 0.95)), average)

    def restore_piece(
        self, piece: torch.Tensor, positions: Sequence[int], label: str | None
    ) -> Piece:
        """Restore a plane (1, row, col)."""
        return Piece(*both_results(self, piece, positions))


class PublishedPlanes(Restorer[PublishedUNet]):
    """The published network for planes, with the published training."""

    kind, axes, elsewhere = "published", 2, 0.0
    sizes: ClassVar[Sizes] = PUBLISHED_PLANES
    width, rate = networks.PUBLISHED_WIDTH, 5e-5

    @classmethod
    def build(cls, upsample: int, seed: int = 0) -> PublishedUNet:
        """Make a network."""
        return PublishedUNet(upsample, cls.width, seed).to(memory_format=torch.channels_last)

    @classmethod
    def begin(cls, task: Task, seed: int) -> Self:
        """Make a restorer."""
        network = cls.build(task.optics.upsample, seed).to(task.data.device)
        return cls(cls.first_record(task, range_scale(task, seed), seed), task.optics, network)

    @classmethod
    def schedule(cls, steps: int) -> Schedule:
        """The published schedule."""
        return Schedule(steps, cls.rate, halve_at=tuple(range(10_000, steps, 10_000)))

    def training(self, task: Task, steps: int, *, ready: bool) -> Training:
        """Prepare a training."""
        objective = Recorruption(self.network, task, self.scale, self.sizes, self.draws_seed)
        return Training(objective, self.schedule(steps))

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


class FastStacks(Restorer[FastNet3D]):
    """Our small network for stacks, which refines a classical deconvolution."""

    kind, axes, elsewhere = "fast", 3, ELSEWHERE

    @classmethod
    def build(cls, upsample: int, seed: int = 0) -> FastNet3D:
        """Make a network."""
        return FastNet3D(upsample, seed=seed).to(memory_format=torch.channels_last_3d)

    @classmethod
    def begin(cls, task: Task, seed: int) -> Self:
        """Make a restorer, and choose the iterations of its classical deconvolution."""
        record = cls.first_record(task, stabilised_scale(task), seed)
        network = cls.build(task.optics.upsample, seed).to(task.data.device)
        some = part_of(task.data, task.places, 0)
        iterations = ClassicalDeconvolution.of(some, task.camera, task.optics).iterations
        return cls(replace(record, iterations=iterations), task.optics, network)

    @property
    def classical(self) -> ClassicalDeconvolution:
        """The classical deconvolution that the network refines."""
        return ClassicalDeconvolution(self.camera, self.optics, self.record.iterations)

    def source(self, task: Task, average: FastNet3D, *, ready: bool) -> StackSource:
        """Where the examples of the training come from."""
        return SelfStackExamples(average, task, self.scale, self.classical, ready=ready)

    def training(self, task: Task, steps: int, *, ready: bool) -> Training:
        """Prepare a training. For the betas no measurement was kept."""
        average = copy.deepcopy(self.network)
        objective = FastStacksObjective(
            self.network,
            task,
            self.scale,
            self.source(task, average, ready=ready),
            steps=steps,
            seed=self.draws_seed,
            ready=ready,
        )
        rate = learning_rate(task, self.scale)
        return Training(objective, _fast_schedule(steps, rate, (0.9, 0.99)), average)

    def restore_piece(
        self, piece: torch.Tensor, positions: Sequence[int], label: str | None
    ) -> Piece:
        """Restore a stack (pln, row, col): denoise, deconvolve classically, and refine that."""
        network, scale = self.network, self.scale
        inputs = inputs_of(self, piece, positions)
        with autocast(piece.device):
            found = [network.denoise(given) for given in inputs]
        denoised = mean_of(self, [d for d, _ in found], positions)
        begun = self.classical(piece, label)  # the same in every position
        sharp = (begun.specimen - scale.dark_level) / scale.unit
        refined = []
        for given, (smooth, features), which in zip(inputs, found, positions, strict=True):
            with autocast(piece.device):
                flipped = dihedral(sharp, which)[None, None]
                refined.append(network.refine(given, smooth, features, flipped))
        result = self.classical.with_specimen(piece, begun, mean_of(self, refined, positions))
        return Piece(denoised, result.specimen, result.reblurred)


class PublishedStacks(Restorer[PublishedRCAN]):
    """The published network for stacks, with the published training."""

    kind, axes, elsewhere = "published", 3, 0.0
    sizes: ClassVar[Sizes] = PUBLISHED_STACKS
    width, rate = networks_3d.PUBLISHED_WIDTH, 1e-4

    @classmethod
    def build(cls, upsample: int, seed: int = 0) -> PublishedRCAN:
        """Make a network."""
        return PublishedRCAN(upsample, cls.width, seed).to(memory_format=torch.channels_last_3d)

    @classmethod
    def begin(cls, task: Task, seed: int) -> Self:
        """Make a restorer."""
        network = cls.build(task.optics.upsample, seed).to(task.data.device)
        return cls(cls.first_record(task, range_scale(task, seed), seed), task.optics, network)

    @classmethod
    def schedule(cls, steps: int) -> Schedule:
        """The published schedule."""
        return Schedule(steps, cls.rate, halve_at=(5000, 7500, 10_000), decay=1e-5)

    def training(self, task: Task, steps: int, *, ready: bool) -> Training:
        """Prepare a training."""
        kind = Recorruption if task.pairs is None else SlicePairs
        objective = kind(self.network, task, self.scale, self.sizes, self.draws_seed)
        return Training(objective, self.schedule(steps))

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


Restorers = Mapping[tuple[str, int], type[Restorer[Any]]]

RESTORERS: Restorers = {
    (restorer.kind, restorer.axes): restorer
    for restorer in (
        FastPlanes,
        CompactPlanes,
        PublishedPlanes,
        FastStacks,
        CompactStacks,
        PublishedStacks,
    )
}
"""The restorers by the choice of network, and by 2 for planes or 3 for stacks."""


def _fast_schedule(steps: int, rate: float, betas: tuple[float, float]) -> Schedule:
    return Schedule(
        steps, rate, betas=betas, warmup=WARMUP, final_fraction=FINAL_FRACTION, ema=AVERAGE
    )
