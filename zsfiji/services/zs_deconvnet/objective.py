"""What the networks for planes learn from: the published objective and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.learning.augment import random_patches
from zsfiji.learning.device import autocast, generator
from zsfiji.physics.psf.operator import Degradation
from zsfiji.physics.transform import Stabiliser
from zsfiji.services.zs_deconvnet import exemplars, losses
from zsfiji.services.zs_deconvnet.camera import Camera

PATCH_PUBLISHED = 128
BATCH_PUBLISHED = 4
PAD_PUBLISHED = 16
"""Black pixels around a published patch, which give the convolutions room."""

PATCH = 64
BATCH = 8
NOISE_SCALE = 0.25
"""Standard deviation of the stabilised noise that our network sees."""

_RIM = 6
_FIRST_ROUND = 0.2
_ROUNDS = 8
_WEIGHT_SHARP = 4.0
_EXEMPLARS = 4


@dataclass(frozen=True)
class Scale:
    """How grey levels become what a network sees, and back.

    Attributes
    ----------
    black, unit : float
        Grey levels that the network's results of 0 and of 1 stand for.
    stabiliser : Stabiliser or None
        The transform of the second channel that the network sees; None leaves that out.
    centre : float
        Stabilised value that the network sees as 0 there.
    """

    black: float
    unit: float
    stabiliser: Stabiliser | None = None
    centre: float = 0.0

    def seen(self, grey: torch.Tensor) -> torch.Tensor:
        """Grey levels (..., 1, row, col) as the network sees them, of one channel or of two."""
        linear = (grey - self.black) / self.unit
        if self.stabiliser is None:
            return linear
        even = (self.stabiliser.root(grey) - self.centre) * NOISE_SCALE
        return torch.cat([linear, even], -3)

    def grey(self, result: torch.Tensor) -> torch.Tensor:
        """Grey levels of a result."""
        return result.float() * self.unit + self.black


@dataclass(frozen=True)
class Terms:
    """The weights of a loss.

    Attributes
    ----------
    distance : {"mae", "mse"}
        The data term.
    denoising : float
        Weight of stage 1, mu of equation 4; stage 2 has the rest.
    hessian, variation : float
        Weights of the regularisers of the deconvolved planes.
    """

    distance: str = "mae"
    denoising: float = 0.5
    hessian: float = losses.HESSIAN_2D
    variation: float = 0.0


def run(network: nn.Module, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Run a network in the precision of its device; 32-bit results."""
    with autocast(image.device):
        denoised, sharp = network(image.contiguous(memory_format=torch.channels_last))
    return denoised.float(), sharp.float()


def published(
    network: nn.Module,
    planes: torch.Tensor,
    places: torch.Tensor,
    camera: Camera,
    scale: Scale,
    degradation: Degradation,
    terms: Terms,
    seed: int,
) -> Callable[[int], torch.Tensor]:
    """Make the objective of the paper, equations 2 to 6.

    Parameters
    ----------
    network : torch.nn.Module
        On the device of the planes.
    planes : torch.Tensor
        Shape (planes, 1, height, width), grey levels.
    places : torch.Tensor
        Where patches may be: see :func:`.content.centres`.
    camera : Camera
        The noise.
    scale : Scale
        What the network sees.
    degradation : Degradation
        The optics, from the fine grid to the camera's.
    terms : Terms
        The weights.
    seed : int
        Seed of all draws.

    Returns
    -------
    callable
        Takes the step and gives the loss.
    """
    draw, noise = generator(seed), generator(seed + 1, planes.device)
    planes = exemplars.at_least(planes, PATCH_PUBLISHED)
    pad = (PAD_PUBLISHED,) * 4
    inside = slice(PAD_PUBLISHED, -PAD_PUBLISHED)

    def objective(step: int) -> torch.Tensor:
        patches = random_patches(planes, BATCH_PUBLISHED, PATCH_PUBLISHED, draw, centres=places)
        alpha = 0.5 + float(torch.rand((), generator=draw))
        noisier, target, _ = camera.recorrupt(patches, alpha, noise, factors=True)
        target = scale.seen(target)
        denoised, sharp = run(network, F.pad(scale.seen(noisier), pad))
        blurred = degradation(sharp)[..., inside, inside]
        stage1 = losses.distance(denoised[..., inside, inside], target, terms.distance)
        stage2 = losses.distance(blurred, target, terms.distance)
        stage2 = stage2 + _regular(sharp, terms)
        return terms.denoising * stage1 + (1 - terms.denoising) * stage2

    return objective


def self_scaled(
    network: nn.Module,
    average: nn.Module,
    planes: torch.Tensor,
    places: torch.Tensor,
    camera: Camera,
    scale: Scale,
    degradation: Degradation,
    terms: Terms,
    steps: int,
    seed: int,
    ready: bool = False,
) -> Callable[[int], torch.Tensor]:
    """Make our objective: the published pairs, and exemplars from the image itself.

    Half of each batch are recorrupted pairs, whose squared errors are divided by their variance.
    The other half, after the first fifth of the training, are simulated captures of the restored
    image shrunk to half its size (see :mod:`.exemplars`), whose truth is known; the exemplars are
    renewed seven times as the network improves.

    Parameters
    ----------
    network, planes, places, camera, scale, degradation, terms, seed
        As for :func:`published`.
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
    draw, noise = generator(seed), generator(seed + 1, planes.device)
    fine = degradation.upsample
    margin = max(degradation.margin)
    patch = max(PATCH, -(-(2 * margin + PATCH // 2) // 4) * 4)
    size = patch + 2 * margin
    noisy = exemplars.at_least(planes, patch)
    source = planes[:: -(-len(planes) // _EXEMPLARS)]
    source = exemplars.middle(exemplars.at_least(source, 4))
    typical = float(camera.variance(noisy.mean()))
    first = 0 if ready else int(_FIRST_ROUND * steps)
    every = max(1, -(-(steps - first) // _ROUNDS))
    sharp_planes: torch.Tensor | None = None

    def renew() -> torch.Tensor:
        with torch.no_grad():
            restored = [run(average, scale.seen(plane[None])) for plane in source]
            denoised = torch.cat([d for d, _ in restored])
            sharp = torch.cat([s for _, s in restored]).clamp_min(0)
            small = exemplars.at_least(exemplars.shrink(sharp), size * fine)
            even = tuple(n // fine * fine for n in small.shape[-2:])
            small = small[..., : even[0], : even[1]]
            return exemplars.matched(small, degradation(small), denoised) * scale.unit

    def simulated() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw captures with their truths: seen, mean, specimen."""
        assert sharp_planes is not None, "made at the first round"
        specimen = random_patches(sharp_planes, BATCH // 2, size * fine, draw)
        levels = 0.7 + 0.7 * torch.rand((len(specimen), 1, 1, 1), generator=draw)
        specimen = specimen * levels.to(specimen) + scale.black
        mean = _inside(degradation(specimen), margin)
        return camera.capture(mean, noise), mean, _inside(specimen, margin * fine)

    def objective(step: int) -> torch.Tensor:
        nonlocal sharp_planes
        if step >= first and (step - first) % every == 0:
            sharp_planes = renew()
        count = BATCH if sharp_planes is None else BATCH // 2
        patches = random_patches(noisy, count, patch, draw, centres=places)
        noisier, target, deviation = camera.recorrupt(patches, 1.0, noise)
        batch = noisier
        if sharp_planes is not None:
            captured, mean, specimen = simulated()
            batch = torch.cat([noisier, captured])
        denoised, sharp = run(network, scale.seen(batch))
        denoised, sharp = scale.grey(denoised), scale.grey(sharp)

        weight = deviation.square().reciprocal()
        error1 = (denoised[:count] - target).square() * weight
        error2 = (degradation(sharp[:count]) - target).square() * weight
        loss = _inside(error1, _RIM).mean() + _inside(error2, margin).mean()
        loss = loss + _regular(sharp[:count] / scale.unit, terms)
        if sharp_planes is not None:
            known1 = _inside(denoised[count:] - mean, _RIM).square().mean() / typical
            known2 = _inside(sharp[count:] - specimen, _RIM * fine).square().mean()
            loss = loss + known1 + _WEIGHT_SHARP * known2 / scale.unit**2
        return loss

    return objective


def _regular(sharp: torch.Tensor, terms: Terms) -> torch.Tensor:
    total = sharp.new_zeros(())
    if terms.hessian:
        total = total + terms.hessian * losses.hessian(sharp)
    if terms.variation:
        total = total + terms.variation * losses.variation(sharp)
    return total


def _inside(image: torch.Tensor, margin: int) -> torch.Tensor:
    return image[..., margin : image.shape[-2] - margin, margin : image.shape[-1] - margin]
