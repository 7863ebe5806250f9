"""What the fast network for planes learns from: recorrupted pairs, and examples of the image.

Recorrupted pairs (equations 2, 3, 5 and 6) say nothing about what the optics do not pass. So most
of each batch are simulated captures whose specimen is known. Specimens come from a source, by
default :class:`SelfExamples`: the restored image, shrunk and rotated (:mod:`.learning.examples`).
One of them is random texture, so that the network learns to leave out what the image does not tell.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.compute.device import generator
from zsfiji.compute.tiling import pad_mirrored
from zsfiji.learning import examples, sharpness
from zsfiji.learning.patches import inside, random_patches
from zsfiji.learning.scale import Scale
from zsfiji.physics.optics.symmetries import psf_symmetries
from zsfiji.services.deconvolve.settings import FAST_PLANES
from zsfiji.services.two_stage.network import run
from zsfiji.services.two_stage.task import Task


class SpecimenSource(Protocol):
    """Where specimens that are known come from."""

    def specimens(self, least: int, draw: torch.Generator) -> list[torch.Tensor]:
        """Make specimens for some hundred steps.

        Parameters
        ----------
        least : int
            Least edge in pixels of the fine grid.
        draw : torch.Generator
            Random numbers, on the CPU.

        Returns
        -------
        list of torch.Tensor
            Light on the fine grid in grey levels above no light, on the device of the training:
            (planes, 2, row, col), first structure, then background that varies slowly.
        """


class SelfExamples:
    """Specimens made of the image: as the network restores it, shrunk, rotated and scrambled.

    Parameters
    ----------
    average : torch.nn.Module
        The network with averaged weights, which restores the image.
    task : Task
        What is learnt from.
    scale : Scale
        The scale of the network.
    """

    def __init__(self, average: nn.Module, task: Task, scale: Scale) -> None:
        self._average, self._task, self._scale = average, task, scale
        self._data = pad_mirrored(task.data, 4, 4)

    @torch.no_grad()
    def specimens(self, least: int, draw: torch.Generator) -> list[torch.Tensor]:
        """Make a specimen for each of the factors, and random texture; see :class:`SpecimenSource`.

        Shrunk structure is as bright above the background as it is in the image.
        """
        scale, optics, camera = self._scale, self._task.optics, self._task.camera
        fine = optics.upsample
        noisy = self._fields(draw)
        restored = [run(self._average, scale.to_network(plane[None])) for plane in noisy]
        denoised = torch.cat([d for d, _ in restored]).clamp_min(0)
        sharp = torch.cat([s for _, s in restored]).clamp_min(0)
        angles = (0.5 * math.pi * torch.rand(len(FAST_PLANES.factors), generator=draw)).tolist()
        angles[0] = 0.0  # one is the image in its own position
        reach = max(6, round(FAST_PLANES.background_reach * sharpness.width(optics) / fine))
        haze = examples.background(denoised, reach)
        wide_haze = F.interpolate(haze, scale_factor=fine, mode="bilinear")
        light = torch.cat([(sharp - wide_haze).clamp_min(0), wide_haze], 1)
        variance = camera.variance(scale.grey(denoised)) / scale.unit**2
        measured = (noisy - scale.dark_level) / scale.unit
        made = []
        grades: dict[float, int] = {}
        for factor, angle in zip(FAST_PLANES.factors, angles, strict=True):
            example = examples.shrink(light, factor)
            example = examples.rotate(example, angle) if angle else example
            structure, wide = example.split(1, 1)
            if camera.noise.white:
                if factor not in grades:
                    grades[factor] = sharpness.matching_grade(
                        structure, wide, measured, variance, optics
                    )
                structure = sharpness.graded(structure, optics, grades[factor])
            made.append((structure, wide))
        structure, wide = made[0]
        made += [(examples.scrambled(structure, draw), wide) for _ in range(FAST_PLANES.scrambled)]
        return [self._as_bright(light, wide, least, denoised - haze) for light, wide in made]

    def _fields(self, draw: torch.Generator) -> torch.Tensor:
        """Fields of the image with structure: all of it if it is small."""
        side = FAST_PLANES.field
        area = math.prod(min(side, n) for n in self._data.shape[-2:])
        count = max(1, min(len(self._data), FAST_PLANES.planes, side**2 // area))
        return random_patches(
            self._data, count, side, draw, symmetries=(0,), centres=self._task.places
        )

    def _as_bright(
        self, structure: torch.Tensor, background: torch.Tensor, least: int, seen: torch.Tensor
    ) -> torch.Tensor:
        """A specimen in grey levels, whose structure is as bright as what is seen of it."""
        optics = self._task.optics
        structure, background = (
            pad_mirrored(x, least, optics.upsample) for x in (structure, background)
        )
        structure = examples.matched(structure, optics(structure), seen)
        return torch.cat([structure, background], 1) * self._scale.unit


class FastPlanesObjective:
    """The objective of the fast network for planes.

    A quarter of each batch are recorrupted pairs; their squared errors are divided by the variance
    of the noise. The others, after the first eighth of the training, are simulated captures of
    specimens. New specimens are made six times, as the network improves.

    Parameters
    ----------
    network : torch.nn.Module
        The network, on the device of the data.
    task : Task
        What to learn from.
    scale : Scale
        The scale of the network.
    source : SpecimenSource
        Where the specimens come from.
    steps : int
        Steps of the whole training.
    seed : int
        Seed of all draws.
    ready : bool
        Whether the network is trained already, so that there are examples from the first step.
    """

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        scale: Scale,
        source: SpecimenSource,
        *,
        steps: int,
        seed: int,
        ready: bool = False,
    ) -> None:
        self._network, self._task, self._scale, self._source = network, task, scale, source
        self._draw = generator(seed)
        self._noise = generator(seed + 1, task.data.device)
        self._fine, self._margin = task.optics.upsample, max(task.optics.margin)
        self._symmetries = psf_symmetries(task.optics.psf)
        least = -(-(2 * self._margin + FAST_PLANES.patch // 2) // 4) * 4
        self._patch = max(FAST_PLANES.patch, least)
        self._data = pad_mirrored(task.data, self._patch)
        self._typical = float(task.camera.variance(self._data.mean()))
        self._first = 0 if ready else int(FAST_PLANES.first_round * steps)
        self._every = max(1, -(-(steps - self._first) // FAST_PLANES.rounds))
        self._specimens: list[torch.Tensor] = []

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss of a step."""
        if step >= self._first and (step - self._first) % self._every == 0:
            self._specimens = self._source.specimens(self._specimen_size, self._draw)
        task, scale, margin = self._task, self._scale, self._margin
        count = FAST_PLANES.pairs if self._specimens else FAST_PLANES.pairs + FAST_PLANES.examples
        patches = random_patches(
            self._data,
            count,
            self._patch,
            self._draw,
            symmetries=self._symmetries,
            centres=task.places,
        )
        batch, target, deviation = task.camera.recorrupt(patches, 1.0, self._noise)
        if self._specimens:
            captured, mean, specimen = self._simulated()
            batch = torch.cat([batch, captured])
        denoised, sharp = run(self._network, scale.to_network(batch))
        denoised, sharp = scale.grey(denoised), scale.grey(sharp)

        weight = deviation.square().reciprocal()
        error1 = (denoised[:count] - target).square() * weight
        # Before there are examples, stage 2 learns from the pairs alone. The noise of their target
        # would kill its units (all negative), so the denoised image is its target.
        goal, share = denoised.detach(), 1.0
        if self._specimens:
            goal, share = target, FAST_PLANES.reblurred_weight
        missed = task.optics.within(sharp[:count], margin) - inside(goal, margin)
        error2 = missed.square() * inside(weight, margin)
        loss = inside(error1, FAST_PLANES.rim).mean() + share * error2.mean()
        if self._specimens:
            rim = FAST_PLANES.rim
            known1 = inside(denoised[count:] - mean, rim).square().mean() / self._typical
            known2 = inside(sharp[count:] - specimen, rim * self._fine).square().mean()
            grown = min(1.0, (step - self._first + 1) / FAST_PLANES.grow_steps)
            loss = loss + known1 + grown * FAST_PLANES.sharp_weight * known2 / scale.unit**2
        return loss

    @property
    def _specimen_size(self) -> int:
        """Edge of the specimen of a patch, with the surroundings that shine into the patch."""
        return (self._patch + 2 * self._margin) * self._fine

    def _simulated(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw captures: what the camera shows, its mean, and the specimen; in grey levels."""
        draw, optics = self._draw, self._task.optics
        which = int(torch.randint(len(self._specimens), (), generator=draw))
        count = FAST_PLANES.examples
        layers = random_patches(self._specimens[which], count, self._specimen_size, draw)
        low, high = FAST_PLANES.levels
        levels = low + (high - low) * torch.rand((*layers.shape[:2], 1, 1), generator=draw)
        specimen = (layers * levels.to(layers)).sum(1, keepdim=True) + self._scale.dark_level
        mean = optics.within(specimen, self._margin)
        captured = self._task.camera.capture(mean, self._noise)
        return captured, mean, inside(specimen, self._margin * self._fine)
