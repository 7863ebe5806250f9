"""What the networks learn from: the published objectives for planes and stacks, and ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.compute.device import autocast, generator
from zsfiji.learning import examples, losses, sharpness
from zsfiji.learning.patches import random_patches
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.symmetries import psf_symmetries

Objective = Callable[[int], torch.Tensor]

NOISE_SCALE = 0.25
"""Standard deviation of the stabilised noise that our network sees."""

FACTORS = {2: (1.0, 1.0, 1.25, 1.5), 3: (1.0, 1.5, 2.0)}
"""How much exemplars of planes and of stacks are shrunk."""

_RIM = 6
_FIRST_ROUND = 0.2
_ROUNDS = 8
_WEIGHT_SHARP = 24.0
_WEIGHT_SEEN = 0.25
_EXEMPLARS = 4
_REACH = 5.0
_GROWTH = 60


@dataclass(frozen=True)
class Sizes:
    """What a step works on.

    Attributes
    ----------
    patch : int
        Edge of a patch in pixels.
    batch : int
        Patches a step.
    depth : int
        Slices of a patch.
    pad, pad_slices : int
        Black pixels and slices around a published patch, which give the convolutions room.
    """

    patch: int
    batch: int
    depth: int = 1
    pad: int = 0
    pad_slices: int = 0


PUBLISHED = {2: Sizes(128, 4, 1, 16, 0), 3: Sizes(64, 3, 13, 8, 2)}
"""The published sizes, for planes and for stacks."""

OURS = Sizes(64, 8)
"""Ours for planes; where the PSF is large the patches grow."""


@dataclass(frozen=True)
class Scale:
    """How grey levels become what a network sees, and back.

    Attributes
    ----------
    dark_level, unit : float
        Grey levels that the network's results of 0 and of 1 stand for.
    stabiliser : Stabiliser or None
        The transform of the second channel that the network sees; None leaves that out.
    centre : float
        Stabilised value that the network sees as 0 there.
    """

    dark_level: float
    unit: float
    stabiliser: Stabiliser | None = None
    centre: float = 0.0

    def to_network(self, grey: torch.Tensor) -> torch.Tensor:
        """Grey levels (batch, 1, ...) as the network sees them, of one channel or of two."""
        linear = (grey - self.dark_level) / self.unit
        if self.stabiliser is None:
            return linear
        even = (self.stabiliser.root(grey) - self.centre) * NOISE_SCALE
        return torch.cat([linear, even], 1)

    def grey(self, result: torch.Tensor) -> torch.Tensor:
        """Grey levels of a result."""
        return result.float() * self.unit + self.dark_level


@dataclass(frozen=True)
class Terms:
    """The weights of a loss.

    Attributes
    ----------
    distance : {"mae", "mse"}
        The data term.
    denoising : float
        Weight of stage 1, mu of equations 4 and 7; stage 2 has the rest.
    hessian, variation : float
        Weights of the regularisers of what is deconvolved.
    neighbours : float
        Weight gamma of the term of equations 8 and 9 that allows for what neighbouring slices
        have different.
    """

    distance: str = "mae"
    denoising: float = 0.5
    hessian: float = losses.HESSIAN_2D
    variation: float = 0.0
    neighbours: float = 1.0


@dataclass(frozen=True)
class Task:
    """What is to be learnt from.

    Attributes
    ----------
    network : torch.nn.Module
        On the device of the data.
    data : torch.Tensor
        Grey levels: planes (planes, 1, row, col), or stacks (stacks, pln, row, col).
    places : torch.Tensor
        Where patches may be: see :func:`zsfiji.learning.foreground.centres`.
    camera : Camera
        The noise.
    scale : Scale
        What the network sees.
    degradation : Degradation
        The optics, from the fine grid to the camera's; of three axes for stacks.
    terms : Terms
        The weights.
    seed : int
        Seed of all draws.
    """

    network: nn.Module
    data: torch.Tensor
    places: torch.Tensor
    camera: Camera
    scale: Scale
    degradation: Degradation
    terms: Terms
    seed: int

    @property
    def axes(self) -> int:
        """2 for planes, 3 for stacks."""
        return self.degradation.psf.ndim


def run(network: nn.Module, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Run a network in the precision of its device; 32-bit results."""
    memory = torch.channels_last if image.ndim == 4 else torch.channels_last_3d
    with autocast(image.device):
        denoised, sharp = network(image.contiguous(memory_format=memory))
    return denoised.float(), sharp.float()


def published(task: Task) -> Objective:
    """Make the objective of the paper with recorrupted pairs, equations 2 to 6.

    For stacks it is what stands in for :func:`slice_pairs` where slices are too few or too far
    apart.

    Parameters
    ----------
    task : Task
        What to learn from.

    Returns
    -------
    callable
        Takes the step and gives the loss.
    """
    draw, noise = generator(task.seed), generator(task.seed + 1, task.data.device)
    sizes, terms, symmetries = (
        PUBLISHED[task.axes],
        task.terms,
        psf_symmetries(task.degradation.psf),
    )
    data = examples.pad_mirrored(task.data, sizes.patch)
    depth = min(sizes.depth, data.shape[1])

    def objective(step: int) -> torch.Tensor:
        patches = random_patches(
            data, sizes.batch, sizes.patch, draw, symmetries=symmetries, centres=task.places
        )
        patches = some_slices(patches, depth, draw)
        alpha = 0.5 + float(torch.rand((), generator=draw))
        noisier, target, _ = task.camera.recorrupt(patches, alpha, noise, factors=True)
        target = _as_channel(task.scale.to_network(target), task.axes)
        given = _padded(_as_channel(task.scale.to_network(noisier), task.axes), sizes)
        denoised, sharp = run(task.network, given)
        stage1 = losses.distance(_unpadded(denoised, sizes), target, terms.distance)
        blurred = _unpadded(task.degradation(sharp), sizes)
        stage2 = losses.distance(blurred, target, terms.distance) + _regular(sharp, task)
        return terms.denoising * stage1 + (1 - terms.denoising) * stage2

    return objective


def slice_pairs(task: Task) -> Objective:
    """Make the objective of the paper for stacks, equations 7 to 9.

    Of a window of slices the even ones are the input and the odd ones the target; that they show
    something a little different is allowed for by what the denoised window has different there,
    without a gradient.

    Parameters
    ----------
    task : Task
        What to learn from; the PSF of the degradation has twice the slice spacing.

    Returns
    -------
    callable
        Takes the step and gives the loss.
    """
    draw = generator(task.seed)
    sizes, terms, symmetries = PUBLISHED[3], task.terms, psf_symmetries(task.degradation.psf)
    data = examples.pad_mirrored(task.data, sizes.patch)
    depth = 2 * min(sizes.depth, data.shape[1] // 2)
    stage1: nn.Module = task.network.get_submodule("denoise")

    def objective(step: int) -> torch.Tensor:
        patches = random_patches(
            data, sizes.batch, sizes.patch, draw, symmetries=symmetries, centres=task.places
        )
        window = task.scale.to_network(_as_channel(some_slices(patches, depth, draw), 3))
        target, given = window[:, :, 0::2], window[:, :, 1::2]
        with torch.no_grad(), autocast(window.device):
            whole = _unpadded(stage1(_padded(window, sizes)).float(), sizes)
        difference = whole[:, :, 1::2] - whole[:, :, 0::2]
        denoised, sharp = run(task.network, _padded(given, sizes))
        middle = _unpadded(sharp, sizes, task.degradation.upsample)
        total = terms.denoising * _pair_loss(_unpadded(denoised, sizes), target, difference, terms)
        blurred = _unpadded(task.degradation(sharp), sizes)
        stage2 = _pair_loss(blurred, target, difference, terms) + _regular(middle, task)
        return total + (1 - terms.denoising) * stage2

    return objective


def self_scaled(task: Task, average: nn.Module, steps: int, ready: bool = False) -> Objective:
    """Make our objective for planes: the published pairs, and exemplars from the image itself.

    Half of each batch are recorrupted pairs, whose squared errors are divided by their variance.
    The other half, after the first fifth of the training, are simulated captures of the restored
    image at its size and smaller, turned (see :mod:`.exemplars`), whose truth is known; the
    exemplars are renewed seven times as the network improves.

    Parameters
    ----------
    task : Task
        What to learn from.
    average : torch.nn.Module
        The network with averaged weights, which makes the exemplars.
    steps : int
        Steps of the whole training.
    ready : bool
        Whether the network is trained already, so that exemplars are made at once.

    Returns
    -------
    callable
        Takes the step and gives the loss.
    """
    draw, noise = generator(task.seed), generator(task.seed + 1, task.data.device)
    scale, camera, degradation = task.scale, task.camera, task.degradation
    fine, margin = degradation.upsample, max(degradation.margin)
    symmetries = psf_symmetries(degradation.psf)
    patch = max(OURS.patch, -(-(2 * margin + OURS.patch // 2) // 4) * 4)
    size = patch + 2 * margin
    data = examples.pad_mirrored(task.data, patch)
    source = task.data[:: -(-len(task.data) // _EXEMPLARS)]
    source = examples.middle(examples.pad_mirrored(source, 4), 2)
    typical = float(camera.variance(data.mean()))
    first = 0 if ready else int(_FIRST_ROUND * steps)
    every = max(1, -(-(steps - first) // _ROUNDS))
    made: list[torch.Tensor] = []

    def renew() -> None:
        with torch.no_grad():
            restored = [run(average, scale.to_network(plane[None])) for plane in source]
            denoised = torch.cat([d for d, _ in restored])
            sharp = torch.cat([s for _, s in restored]).clamp_min(0)
            angles = (0.5 * math.pi * torch.rand(len(FACTORS[2]), generator=draw)).tolist()
            angles[0] = 0.0  # one is the image as it is
            made[:] = _exemplars(task, source, denoised, sharp, angles, size * fine)

    def simulated() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw captures with their truths: seen, mean, specimen."""
        which = int(torch.randint(len(made), (), generator=draw))
        layers = random_patches(made[which], OURS.batch // 2, size * fine, draw)
        levels = 0.7 + 0.7 * torch.rand((*layers.shape[:2], 1, 1), generator=draw)
        specimen = (layers * levels.to(layers)).sum(1, keepdim=True) + scale.dark_level
        mean = inside(degradation(specimen), margin)
        return camera.capture(mean, noise), mean, inside(specimen, margin * fine)

    def objective(step: int) -> torch.Tensor:
        if step >= first and (step - first) % every == 0:
            renew()
        count = OURS.batch // 2 if made else OURS.batch
        patches = random_patches(
            data, count, patch, draw, symmetries=symmetries, centres=task.places
        )
        batch, target, deviation = camera.recorrupt(patches, 1.0, noise)
        if made:
            captured, mean, specimen = simulated()
            batch = torch.cat([batch, captured])
        denoised, sharp = run(task.network, scale.to_network(batch))
        denoised, sharp = scale.grey(denoised), scale.grey(sharp)

        weight = deviation.square().reciprocal()
        error1 = (denoised[:count] - target).square() * weight
        # At first stage 2 has no other teacher, and in the noise of the target it would go to
        # sleep, with all its units negative: what is denoised is the better goal then.
        goal, share = (target, _WEIGHT_SEEN) if made else (denoised.detach(), 1.0)
        error2 = (degradation(sharp[:count]) - goal).square() * weight
        loss = inside(error1, _RIM).mean() + share * inside(error2, margin).mean()
        loss = loss + _regular(sharp[:count] / scale.unit, task)
        if made:
            known1 = inside(denoised[count:] - mean, _RIM).square().mean() / typical
            known2 = inside(sharp[count:] - specimen, _RIM * fine).square().mean()
            # Adam's steps are as long as recent gradients make them: a new term has to grow.
            grown = min(1.0, (step - first + 1) / _GROWTH)
            loss = loss + known1 + grown * _WEIGHT_SHARP * known2 / scale.unit**2
        return loss

    return objective


def _exemplars(
    task: Task,
    noisy: torch.Tensor,
    denoised: torch.Tensor,
    sharp: torch.Tensor,
    angles: Sequence[float],
    least: int,
) -> list[torch.Tensor]:
    """Make exemplars of restored planes, in two channels: structure, and slowly varying light.

    Shrunk structure is as bright over the background as it is in the image.
    """
    scale, degradation = task.scale, task.degradation
    fine = degradation.upsample
    reach = max(6, round(_REACH * sharpness.width(degradation) / fine))
    denoised = denoised.clamp_min(0)
    haze = examples.background(denoised, reach)
    wide_haze = F.interpolate(haze, scale_factor=fine, mode="bilinear")
    light = torch.cat([(sharp - wide_haze).clamp_min(0), wide_haze], 1)
    variance = task.camera.variance(scale.grey(denoised)) / scale.unit**2
    measured = (noisy - scale.dark_level) / scale.unit
    made = []
    for factor, angle in zip(FACTORS[2], angles, strict=True):
        turned = examples.shrink(light, factor)
        turned = examples.rotate(turned, angle) if angle else turned
        layers = list(turned.split(1, 1))
        if task.camera.noise.white:
            layers[0] = sharpness.as_sharp_as_seen(
                layers[0], layers[1], measured, variance, degradation
            )
        small, background = (examples.pad_mirrored(layer, least, fine) for layer in layers)
        small = examples.matched(small, degradation(small), denoised - haze)
        made.append(torch.cat([small, background], 1) * scale.unit)
    return made


def some_slices(patches: torch.Tensor, depth: int, draw: torch.Generator) -> torch.Tensor:
    """Cut (count, pln, row, col) to `depth` slices, other ones for each patch."""
    slices = patches.shape[1]
    if slices == depth:
        return patches
    starts = torch.randint(slices - depth + 1, (len(patches),), generator=draw).tolist()
    return torch.stack([p[s : s + depth] for p, s in zip(patches, starts, strict=True)])


def _as_channel(patches: torch.Tensor, axes: int) -> torch.Tensor:
    """Put a channel axis before the slices; planes have it already."""
    return patches if axes == 2 else patches[:, None]


def _padded(image: torch.Tensor, sizes: Sizes) -> torch.Tensor:
    around = (sizes.pad,) * 4 + (sizes.pad_slices,) * (2 if image.ndim == 5 else 0)
    return F.pad(image, around)


def _unpadded(image: torch.Tensor, sizes: Sizes, fine: int = 1) -> torch.Tensor:
    return inside(image, sizes.pad * fine, sizes.pad_slices)


def inside(image: torch.Tensor, margin: int, slices: int = 0) -> torch.Tensor:
    """Cut `margin` rows and columns, and so many slices, off at each end."""
    image = image[..., margin : image.shape[-2] - margin, margin : image.shape[-1] - margin]
    return image[..., slices : image.shape[-3] - slices, :, :] if slices else image


def _pair_loss(
    result: torch.Tensor, target: torch.Tensor, difference: torch.Tensor, terms: Terms
) -> torch.Tensor:
    loss = losses.distance(result, target, terms.distance)
    if terms.neighbours:
        other = losses.distance(result - target, difference, terms.distance)
        loss = loss + terms.neighbours * other
    return loss


def _regular(sharp: torch.Tensor, task: Task) -> torch.Tensor:
    total = sharp.new_zeros(())
    if task.terms.hessian:
        total = total + task.terms.hessian * losses.hessian(sharp, task.axes)
    if task.terms.variation:
        total = total + task.terms.variation * losses.variation(sharp, task.axes)
    return total
