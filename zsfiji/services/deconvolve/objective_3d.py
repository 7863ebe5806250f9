"""What the fast network for stacks learns from.

First its stage 1 learns alone, from recorrupted pairs, which is cheap. Then the noisy stack is
deconvolved classically (the noisy one, because denoising takes fine detail away), and stage 2
learns to refine that: from the pairs, through the optics (equation 6), and from simulated captures
of specimens that are known.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch

from zsfiji.compute.device import autocast, generator
from zsfiji.compute.tiling import pad_mirrored
from zsfiji.deconvolution.classical import ClassicalDeconvolution
from zsfiji.deconvolution.richardson_lucy import Deblurred
from zsfiji.learning import examples, losses
from zsfiji.learning.patches import (
    Cut,
    aligned_cut,
    inside,
    random_patches,
    random_slices,
    structured_part,
)
from zsfiji.learning.scale import Scale
from zsfiji.physics.optics.degradation import narrowed
from zsfiji.physics.optics.symmetries import psf_symmetries
from zsfiji.services.deconvolve.networks_3d import FastNet3D
from zsfiji.services.deconvolve.settings import FAST_STACKS
from zsfiji.services.two_stage.task import Task


class Pair(NamedTuple):
    """A recorrupted pair of a part of a stack; (pln, row, col) in grey levels.

    Attributes
    ----------
    noisy : torch.Tensor
        The input.
    classical : Deblurred
        Its classical deconvolution.
    target : torch.Tensor
        The target, of other noise.
    deviation : torch.Tensor
        Standard deviation of the noise of the target.
    """

    noisy: torch.Tensor
    classical: Deblurred
    target: torch.Tensor
    deviation: torch.Tensor


class Capture(NamedTuple):
    """A simulated capture of a specimen that is known; (pln, row, col) in grey levels.

    Attributes
    ----------
    noisy : torch.Tensor
        The input.
    classical : Deblurred
        Its classical deconvolution.
    specimen : torch.Tensor
        The specimen on the fine grid.
    classical_error : float
        Mean squared error of the classical deconvolution.
    """

    noisy: torch.Tensor
    classical: Deblurred
    specimen: torch.Tensor
    classical_error: float


class StackSource(Protocol):
    """Where the examples come from that both stages learn from."""

    def examples(
        self, number: int, draw: torch.Generator, noise: torch.Generator
    ) -> tuple[Pair, list[Capture]]:
        """Make the examples of a round.

        Parameters
        ----------
        number : int
            Number of the round, from 0.
        draw : torch.Generator
            Random numbers, on the CPU.
        noise : torch.Generator
            Random numbers on the device of the training.
        """


class SelfStackExamples:
    """Examples made of the stack: as the network restores it, and shrunk.

    Parameters
    ----------
    average : FastNet3D
        The network with averaged weights, which restores the stack.
    task : Task
        What is learnt from.
    scale : Scale
        The scale of the network.
    classical : ClassicalDeconvolution
        What stage 2 refines.
    ready : bool
        Whether the network is trained already.
    """

    def __init__(
        self,
        average: FastNet3D,
        task: Task,
        scale: Scale,
        classical: ClassicalDeconvolution,
        *,
        ready: bool = False,
    ) -> None:
        self._average, self._task, self._scale = average, task, scale
        self._classical, self._ready = classical, ready

    def examples(
        self, number: int, draw: torch.Generator, noise: torch.Generator
    ) -> tuple[Pair, list[Capture]]:
        """Make a pair of a part of a stack, and captures of it; see :class:`StackSource`."""
        task, least = self._task, FAST_STACKS.both_patch
        stack = part_of(pad_mirrored(task.data, least, 4), task.places, number)
        noisier, target, deviation = (x[0] for x in task.camera.recorrupt(stack[None], 1.0, noise))
        pair = Pair(noisier, self._classical(noisier), target, deviation)
        light, denoised = self._restored(stack, refined=number > 0 or self._ready)
        captures = [self._capture(light, denoised, f, draw, noise) for f in FAST_STACKS.factors]
        return pair, captures

    def _restored(self, stack: torch.Tensor, *, refined: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Deconvolve and denoise a stack: light above no light, (1, 1, pln, row, col)."""
        scale, network = self._scale, self._average
        given = scale.to_network(stack[None, None])
        with torch.no_grad(), autocast(stack.device):
            denoised, features = network.denoise(given)
            # The deconvolution of the noisy stack is noisy as long as stage 2 cannot refine it.
            shown = stack if refined else scale.grey(denoised)[0, 0]
            sharp = (self._classical(shown).specimen[None, None] - scale.dark_level) / scale.unit
            if refined:
                sharp = network.refine(given, denoised, features, sharp)
        return scale.grey(sharp) - scale.dark_level, scale.grey(denoised) - scale.dark_level

    def _capture(
        self,
        light: torch.Tensor,
        denoised: torch.Tensor,
        factor: float,
        draw: torch.Generator,
        noise: torch.Generator,
    ) -> Capture:
        """Simulate a capture of the deconvolved light, shrunk by `factor`."""
        optics, camera, dark_level = self._task.optics, self._task.camera, self._scale.dark_level
        fine, least = optics.upsample, FAST_STACKS.both_patch
        specimen = examples.shrink(light.clamp_min(0), factor)
        specimen = pad_mirrored(specimen, least * fine, 4 * fine)
        specimen = examples.matched(specimen, optics(specimen), denoised)[0, 0]
        low, high = FAST_STACKS.levels
        specimen = specimen * (low + (high - low) * float(torch.rand((), generator=draw)))
        mean = optics(specimen) + dark_level
        noisy = camera.capture(mean, noise)
        found, specimen = self._classical(noisy), specimen + dark_level
        error = float((found.specimen - specimen).square().mean())
        return Capture(noisy, found, specimen, error)


class FastStacksObjective:
    """The objective of the fast network for stacks.

    Parameters
    ----------
    network : FastNet3D
        The network, on the device of the data.
    task : Task
        What to learn from.
    scale : Scale
        The scale of the network.
    source : StackSource
        Where the examples come from.
    steps : int
        Steps of the whole training.
    seed : int
        Seed of all draws.
    ready : bool
        Whether the network is trained already, so that both stages learn from the first step.
    """

    def __init__(
        self,
        network: FastNet3D,
        task: Task,
        scale: Scale,
        source: StackSource,
        *,
        steps: int,
        seed: int,
        ready: bool = False,
    ) -> None:
        self._network, self._task, self._scale, self._source = network, task, scale, source
        self._draw = generator(seed)
        self._noise = generator(seed + 1, task.data.device)
        self._symmetries = psf_symmetries(task.optics.psf)
        self._near = narrowed(task.optics, FAST_STACKS.near_light)
        self._data = pad_mirrored(task.data, FAST_STACKS.patch)
        self._alone = 0 if ready else int(FAST_STACKS.stage1_share * steps)
        rounds = max(1, round((steps - self._alone) / FAST_STACKS.round_steps))
        self._every = -(-(steps - self._alone) // rounds)
        self._pair: Pair | None = None
        self._captures: list[Capture] = []

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss of a step."""
        if step < self._alone:
            return self._of_stage1()
        if self._pair is None or (step - self._alone) % self._every == 0:
            number = (step - self._alone) // self._every
            self._pair, self._captures = None, []  # the memory is for the next ones
            made = self._source.examples(number, self._draw, self._noise)
            self._pair, self._captures = made
        which = int(torch.randint(len(self._captures), (), generator=self._draw))
        return self._of_pair(self._pair) + self._of_capture(self._captures[which])

    def _of_stage1(self) -> torch.Tensor:
        """Loss of stage 1 alone, on recorrupted patches."""
        patches = random_patches(
            self._data,
            FAST_STACKS.batch,
            FAST_STACKS.patch,
            self._draw,
            symmetries=self._symmetries,
            centres=self._task.places,
        )
        patches = random_slices(patches, min(FAST_STACKS.depth, self._data.shape[1]), self._draw)
        noisier, target, deviation = self._task.camera.recorrupt(patches, 1.0, self._noise)
        with autocast(patches.device):
            denoised, _ = self._network.denoise(self._scale.to_network(noisier[:, None]))
        error = (self._scale.grey(denoised)[:, 0] - target) / deviation
        return losses.log_capped(inside(error.square(), FAST_STACKS.rim).mean())

    def _of_pair(self, pair: Pair) -> torch.Tensor:
        """Loss of both stages on a patch of a recorrupted pair."""
        cut = self._cut(pair.noisy)
        begun, target = (
            cut(pair.classical.specimen, self._task.optics.upsample),
            cut(pair.target, 1),
        )
        denoised, sharp = self._restored(cut(pair.noisy, 1), begun)
        weight = cut(pair.deviation, 1).square().reciprocal()
        error = (denoised - target).square() * weight
        # The camera also sees what lies around the patch, but only the patch was refined: blur
        # nothing but the change.
        reblurred = cut(pair.classical.reblurred, 1) + self._near(sharp - begun)
        missed = (reblurred - target).square() * weight
        loss = losses.log_capped(inside(error, FAST_STACKS.rim).mean())
        return loss + losses.log_capped(inside(missed, FAST_STACKS.rim).mean())

    def _of_capture(self, capture: Capture) -> torch.Tensor:
        """Loss of stage 2 on a patch of a capture.

        Stage 1 learns nothing from it: noise that the specimen has kept is no structure.
        """
        cut, fine = self._cut(capture.noisy), self._task.optics.upsample
        begun, specimen = cut(capture.classical.specimen, fine), cut(capture.specimen, fine)
        _, sharp = self._restored(cut(capture.noisy, 1), begun)
        error = inside((sharp - specimen).square(), FAST_STACKS.rim * fine).mean()
        return FAST_STACKS.sharp_weight * error / capture.classical_error

    def _cut(self, noisy: torch.Tensor) -> Cut:
        """Draw a place."""
        size, depth = FAST_STACKS.both_patch, FAST_STACKS.depth
        return aligned_cut(noisy.shape, size, depth, self._draw, symmetries=self._symmetries)

    def _restored(
        self, noisy: torch.Tensor, begun: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Both results for a patch (pln, row, col) and its classical deconvolution."""
        given = self._scale.to_network(noisy[None, None])
        with autocast(noisy.device):
            denoised, features = self._network.denoise(given)
            sharp = (begun[None, None] - self._scale.dark_level) / self._scale.unit
            sharp = self._network.refine(given, denoised, features, sharp)
        return self._scale.grey(denoised)[0, 0], self._scale.grey(sharp)[0, 0]


def part_of(data: torch.Tensor, places: torch.Tensor, number: int) -> torch.Tensor:
    """Cut a part out of stacks that is small enough for a quick classical deconvolution.

    Takes and gives what :func:`zsfiji.learning.patches.structured_part` does.
    """
    voxels, slices = FAST_STACKS.example_voxels, FAST_STACKS.example_slices
    return structured_part(data, places, number, voxels=voxels, slices=slices)


def learning_rate(task: Task, scale: Scale) -> float:
    """Give the learning rate, lower for more light: then the changes to learn are a few per mille.

    It falls with the root of the noise, to half of its highest value.
    """
    noise = float(task.camera.variance(task.data.mean())) ** 0.5 / scale.unit
    return FAST_STACKS.rate * min(max((noise / FAST_STACKS.noisy) ** 0.5, 0.5), 1.0)
