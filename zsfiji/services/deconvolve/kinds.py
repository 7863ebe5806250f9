"""The restorers, one for planes and one for stacks: what each learns from and how it restores."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from zsfiji.compute.device import autocast
from zsfiji.compute.symmetries import dihedral
from zsfiji.deconvolution.classical import ClassicalDeconvolution
from zsfiji.deconvolution.tiles import Piece
from zsfiji.learning.loop import Schedule
from zsfiji.learning.scale import Scale
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.services.deconvolve.networks import FastNet, inverse_filter
from zsfiji.services.deconvolve.networks_3d import FastNet3D
from zsfiji.services.deconvolve.objective import (
    FastPlanesObjective,
    SelfExamples,
    SpecimenSource,
)
from zsfiji.services.deconvolve.objective_3d import (
    FastStacksObjective,
    SelfStackExamples,
    StackSource,
    learning_rate,
    part_of,
)
from zsfiji.services.deconvolve.settings import KIND
from zsfiji.services.two_stage.restorer import (
    Restorer,
    Restorers,
    Training,
    both_results,
    inputs_of,
    mean_of,
)
from zsfiji.services.two_stage.task import Task

if TYPE_CHECKING:
    from typing_extensions import Self

ELSEWHERE = 0.25
"""Share of the patches that are drawn from everywhere, so that they learn the
background too. Not tuned."""

_BRIGHT = 0.995
"""Quantile of the grey levels that becomes 1 on the scale of the networks. Not tuned."""

WARMUP, FINAL_FRACTION, AVERAGE = 20, 0.02, 0.99
"""Schedule: steps over which the learning rate rises, share that it falls to,
decay of the average of the weights. No measurement was kept."""


class FastPlanes(Restorer[FastNet]):
    """Our small network for planes."""

    kind, axes, elsewhere = KIND, 2, ELSEWHERE

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

    def continued(self, task: Task, seed: int) -> Self:
        """A copy for a further training, with the inverse filter of the optics of a task."""
        found = super().continued(task, seed)
        found.network.inverse.copy_(inverse_filter(task.optics))
        return found

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


class FastStacks(Restorer[FastNet3D]):
    """Our small network for stacks, which refines a classical deconvolution."""

    kind, axes, elsewhere = KIND, 3, ELSEWHERE

    @classmethod
    def build(cls, upsample: int, seed: int = 0) -> FastNet3D:
        """Make a network."""
        return FastNet3D(upsample, seed=seed).to(memory_format=torch.channels_last_3d)

    @classmethod
    def begin(cls, task: Task, seed: int) -> Self:
        """Make a restorer, and choose the iterations of its classical deconvolution."""
        record = cls.first_record(task, stabilised_scale(task), seed)
        network = cls.build(task.optics.upsample, seed).to(task.data.device)
        return cls(replace(record, iterations=_iterations(task)), task.optics, network)

    def continued(self, task: Task, seed: int) -> Self:
        """A copy for a further training, with the iterations that suit a task."""
        found = super().continued(task, seed)
        return replace(found, record=replace(found.record, iterations=_iterations(task)))

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


RESTORERS: Restorers = {(r.kind, r.axes): r for r in (FastPlanes, FastStacks)}
"""The restorers by the kind of network, and by 2 for planes or 3 for stacks."""


def _iterations(task: Task) -> int:
    """Iterations of the classical deconvolution, chosen by a part of the first stack."""
    some = part_of(task.data, task.places, 0)
    return ClassicalDeconvolution.of(some, task.camera, task.optics).iterations


def stabilised_scale(task: Task) -> Scale:
    """Scale of the networks: no light is 0, bright pixels are 1, and a stabilised input."""
    camera, data = task.camera, task.data
    stabiliser = Stabiliser.of(camera.noise)
    some = data[:: -(-len(data) // 8), :: -(-data.shape[1] // 8), ::2, ::2].cpu().numpy()
    top = float(np.quantile(some, _BRIGHT))
    bright = max(top - camera.dark_level, float(camera.noise.variance(top)) ** 0.5)
    centre = float(np.median(stabiliser.forward(some)))
    return Scale(camera.dark_level, bright, stabiliser, centre)


def _fast_schedule(steps: int, rate: float, betas: tuple[float, float]) -> Schedule:
    return Schedule(
        steps, rate, betas=betas, warmup=WARMUP, final_fraction=FINAL_FRACTION, ema=AVERAGE
    )
