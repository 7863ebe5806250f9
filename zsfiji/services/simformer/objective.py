"""What the networks learn from: the truth of simulated stacks, and raw frames through the physics.

The published training has frames only: what the network makes of them has to explain them. From
random weights that collapses to an empty emitter, so ours learns from the truth as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import psf_of
from zsfiji.services.simformer import losses
from zsfiji.services.simformer.batch import Batch, Imaging
from zsfiji.services.simformer.formation import predicted, sinusoids
from zsfiji.services.simformer.kinds import Kind, Outputs, normalised
from zsfiji.services.simformer.stages import Stage, stage_at

LearnFrom = Literal["truth", "frames"]
"""What a network learns from: truth stands for both."""

_LIGHT = 0.5
"""Weight of the error of the illumination, where the truth is known. Not tuned."""

_BRIGHT = 0.999
"""Quantile of the truth that errors are relative to."""

_SMALLEST = 3e-4
"""Squared errors below this, 35 dB, count no more."""

_PSF_SIZE = 25
"""Edge in fine pixels of the PSF of a kind that has none of its own."""

_PRIME = 1_000_003


@dataclass(frozen=True, eq=False)
class Example:
    """Crops of a step.

    Attributes
    ----------
    batch : Batch
        The crops; those of an image have no truth, and an emitter of zeros.
    target : torch.Tensor
        (stack, angle, phase, row, col): frames that have to be explained, `batch.frames` or some
        whose noise is independent of theirs.
    variance : torch.Tensor or None
        Variance of a pixel of the target, of its shape. Without it the published terms are taken.
    true : bool
        Whether the emitter of `batch` is the truth.
    """

    batch: Batch
    target: torch.Tensor
    variance: torch.Tensor | None = None
    true: bool = True

    def to(self, device: torch.device) -> Example:
        """The images on a device; numbers stay where they are."""
        variance = None if self.variance is None else self.variance.to(device)
        return replace(
            self, batch=self.batch.to(device), target=self.target.to(device), variance=variance
        )


def simulated(batch: Batch) -> Example:
    """Simulated stacks with their truth."""
    return Example(batch, batch.frames)


class Objective:
    """The loss of a step.

    All random numbers depend on the seed and the number of the step alone, so a training that is
    continued gives the weights of a single one.

    Parameters
    ----------
    kind : Kind
        Of the network.
    network : torch.nn.Module
        What is trained.
    examples : callable
        Gives the example of a step.
    stages : tuple of Stage
        What is masked, and more.
    steps : int
        Of the whole training.
    learn_from : {"truth", "frames"}
        Whether the truth of the examples is learnt from, where they have one.
    seed : int
        Of masks, noise and what is left out.
    """

    def __init__(
        self,
        kind: Kind,
        network: nn.Module,
        examples: Callable[[int], Example],
        *,
        stages: tuple[Stage, ...],
        steps: int,
        learn_from: LearnFrom = "truth",
        seed: int = 0,
    ) -> None:
        self._kind, self._network, self._examples = kind, network, examples
        self._stages, self._steps, self._learn_from = stages, steps, learn_from
        self._seed = seed

    def __call__(self, step: int) -> torch.Tensor:
        """The loss of a step, counted from 0."""
        stage = stage_at(self._stages, step, self._steps)
        device = next(self._network.parameters()).device
        example = self._examples(step).to(device)
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self._seed + _PRIME * (step + 1))
            found = self._kind.outputs(self._network, example.batch, stage)
        supervised = example.true and self._learn_from == "truth"
        if found.illumination is None and supervised:
            # Patterns and optics are known, so the frames add nothing to the truth.
            return error_of_truth(found, example.batch)
        loss = explained(found, example, stage)
        if supervised:
            loss = loss + error_of_truth(found, example.batch)
        return loss


def error_of_truth(found: Outputs, batch: Batch) -> torch.Tensor:
    """The error of the emitter, see :func:`loss_of`, and that of the illumination."""
    truth = batch.emitter / found.unit[:, None, None, None]
    loss = loss_of(found.emitter, truth, truth)
    if found.illumination is not None:
        light = _illumination(batch.true, batch.frames)
        loss = loss + _LIGHT * (found.illumination - light).abs().mean()
    return loss


def loss_of(found: torch.Tensor, target: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The logarithm of the squared error, so that each decibel counts the same in dim and bright.

    Errors are relative to the bright structures of the truth. All are (stack, 1, 3 row, 3 col) in
    one unit.
    """
    bright = torch.quantile(truth.flatten(1), _BRIGHT, dim=1)
    error = (found - target).flatten(1) / bright.clamp_min(1e-6)[:, None]
    return (error.square().mean(1) + _SMALLEST).log().mean()


def explained(found: Outputs, example: Example, stage: Stage) -> torch.Tensor:
    """How well the frames are explained, with what keeps illumination and PSF in order.

    What a network does not give is taken from what is known of the stacks: the light from the
    patterns, the PSF from the lens, and a flat background that fits best.
    """
    batch = example.batch
    target = normalised(example.target, found.offset, found.unit)
    light = found.illumination
    if light is None:
        light = _illumination(batch.given, batch.frames)
    psf = found.psf if found.psf is not None else _psf(batch.given).to(target)
    background = found.background
    flat = background is None
    if background is None:
        background = target.new_zeros(len(target), 1, 1, 1)
    frames = predicted(found.emitter, light, psf, background)
    if flat:
        frames = frames + (target - frames).mean((1, 2, 3), keepdim=True)
    if example.variance is not None:
        variance = example.variance.flatten(1, 2) / found.unit[:, None, None, None].square()
        loss = ((frames - target).square() / variance).mean()
    else:
        counted = None
        if found.dropped is not None and stage.mask > losses.MANY:
            counted = nn.functional.avg_pool2d(found.dropped, SCALE)
        loss = losses.difference(frames, target, counted)
    if found.illumination is not None:
        loss = loss + losses.LIGHT_VARIATION * losses.light_variation(found.illumination)
    if found.psf is not None:
        loss = loss + losses.PSF_VARIATION * losses.psf_variation(found.psf)
        loss = loss + losses.CENTRE * losses.off_centre(found.psf)
    return loss


def _illumination(imaging: Imaging, frames: torch.Tensor) -> torch.Tensor:
    """The light of known patterns: (stack, frame, 3 row, 3 col)."""
    shape = (int(frames.shape[-2]), int(frames.shape[-1]))
    light = [sinusoids(imaging.patterns(n), shape) for n in range(len(frames))]
    return torch.stack(light).to(frames)


def _psf(imaging: Imaging) -> torch.Tensor:
    """The PSF of known lenses: (stack, 1, size, size)."""
    lenses = (imaging.transfer(n) for n in range(len(imaging.cutoff)))
    return torch.stack([psf_of(lens, _PSF_SIZE, SCALE) for lens in lenses])[:, None]
