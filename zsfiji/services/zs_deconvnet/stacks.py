"""How the fast network learns stacks.

First its denoising stage alone learns from recorrupted pairs, which is cheap. Then the noisy stack
is deconvolved classically, for denoising takes fine detail away, and the second stage learns what
that lacks: from the pairs, through the optics (equation 6), and from exemplars, whose truth is
known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from zsfiji.learning.augment import SYMMETRIES, dihedral, random_patches, some_turn
from zsfiji.learning.device import autocast, generator
from zsfiji.physics.psf.centre import width_at_half
from zsfiji.physics.psf.deblur import deblur
from zsfiji.physics.psf.operator import Degradation
from zsfiji.services.zs_deconvnet import exemplars, losses, sharpness
from zsfiji.services.zs_deconvnet.camera import Camera
from zsfiji.services.zs_deconvnet.objective import (
    FACTORS,
    Objective,
    Scale,
    Task,
    inside,
    some_slices,
)
from zsfiji.services.zs_deconvnet.turns import kept_by
from zsfiji.services.zs_deconvnet.volumes import FastNet3D, Sharpen

ITERATIONS = 60
"""Most of the classical deconvolution; more is for light without noise."""

_OF_ONE_PIXEL = 5.5
_IN_FOCUS = 6.0  # axial widths of a PSF, up and down together, that hold no haze worth the name
_MOST_FOR_HAZE = 3.0

ALONE = 0.6
"""Share of the steps in which the first stage learns alone."""

_PATCH, _DEPTH, _BATCH = 48, 16, 4
_INNER = 64
_ROUND = 400
_VOXELS = 400_000
_NEAR = 0.8
_RIM = 6
_RATE = 2e-3
_NOISY = 0.05
_WEIGHT_SHARP = 4.0


def sharpener(
    scale: Scale, camera: Camera, optics: Degradation, label: str | None = None
) -> Sharpen:
    """Make the classical deconvolution that a network begins with.

    Parameters
    ----------
    scale : Scale
        That of the network.
    camera : Camera
        The noise.
    optics : Degradation
        The microscope.
    label : str, optional
        What to report as progress.

    Returns
    -------
    callable
        Takes stacks (..., pln, row, col) in grey levels, and gives them deconvolved on the fine
        grid and the scale of the network's results.
    """
    noise = camera.noise
    read = float(noise.variance(camera.black))
    haze = read / noise.gain if noise.gain > 0 else read**0.5
    # Where the pixels hardly resolve the PSF little is blurred, and soon there is nothing left to
    # be found but what the camera has not sampled: a lattice.
    pixels = sharpness.width(optics) / optics.upsample
    wanted = _OF_ONE_PIXEL * pixels**1.5 * _for_haze(optics)
    iterations = min(ITERATIONS, max(1, round(wanted)))

    def sharpen(stack: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            sharp = deblur(stack.float() - camera.black, optics, iterations, haze, label)
        return (sharp + camera.black - scale.black) / scale.unit

    return sharpen


def _for_haze(optics: Degradation) -> float:
    """How many times the iterations a PSF with far slices takes: haze goes out slowly."""
    profile = optics.psf[:, optics.psf.shape[1] // 2, optics.psf.shape[2] // 2].cpu().numpy()
    width = width_at_half(profile, len(profile) // 2)
    return min(max(len(profile) / (_IN_FOCUS * width), 1.0), _MOST_FOR_HAZE)


@dataclass(frozen=True)
class _Example:
    """What a step of the second stage learns from; (pln, row, col), grey levels.

    Attributes
    ----------
    noisy : torch.Tensor
        What the network is shown.
    classical : torch.Tensor
        That deconvolved, on the fine grid.
    target : torch.Tensor
        What it is to look like when denoised.
    deviation : torch.Tensor or None
        Of the noise of the target.
    specimen : torch.Tensor or None
        What it is to look like when deconvolved; None where the optics have to tell.
    usual : float
        Squared error of the classical deconvolution.
    """

    noisy: torch.Tensor
    classical: torch.Tensor
    target: torch.Tensor
    deviation: torch.Tensor | None = None
    specimen: torch.Tensor | None = None
    usual: float = 1.0


def in_two_steps(
    task: Task, network: FastNet3D, average: FastNet3D, steps: int, ready: bool = False
) -> Objective:
    """Make the objective of the fast network for stacks.

    Parameters
    ----------
    task : Task
        What to learn from.
    network : FastNet3D
        The task's network.
    average : FastNet3D
        The same with averaged weights, which makes the exemplars.
    steps : int
        Steps of the whole training.
    ready : bool
        Whether the network is trained already, so that both stages learn from the first step.

    Returns
    -------
    callable
        Takes the step and gives the loss.
    """
    draw, noise = generator(task.seed), generator(task.seed + 1, task.data.device)
    scale, camera, optics = task.scale, task.camera, task.degradation
    fine = optics.upsample
    data = exemplars.at_least(task.data, _PATCH)
    alone = 0 if ready else int(ALONE * steps)
    rounds = max(1, round((steps - alone) / _ROUND))
    every = -(-(steps - alone) // rounds)
    turns = kept_by(optics.psf)
    margin, skirt = near(optics)
    patch = -(-(2 * margin + _INNER) // 4) * 4
    sharpen = sharpener(scale, camera, optics)
    pairs: list[_Example] = []
    known: list[_Example] = []

    def classical(noisy: torch.Tensor) -> torch.Tensor:
        """Deconvolve (pln, row, col): grey levels of the fine grid."""
        return scale.grey(sharpen(noisy))

    def renew(which: int) -> None:
        pairs.clear()
        known.clear()
        stack = _part(exemplars.at_least(task.data, patch, 4), task.places, which)
        noisier, target, deviation = (x[0] for x in camera.recorrupt(stack[None], 1.0, noise))
        pairs.append(_Example(noisier, classical(noisier), target, deviation))
        seen = scale.seen(stack[None, None])
        with torch.no_grad(), autocast(stack.device):
            denoised, features = average.smooth(seen)
            # What nothing has mended yet is noisy, unless it was denoised before.
            mended = which > 0 or ready
            sharp = sharpen(stack[None, None] if mended else scale.grey(denoised))
            if mended:
                sharp = average.mend(seen, denoised, features, sharp).float()
        light = scale.grey(sharp)[0] - scale.black
        denoised = scale.grey(denoised) - scale.black
        for factor in FACTORS[3]:
            specimen = exemplars.shrink(light.clamp_min(0)[None], factor)
            specimen = exemplars.at_least(specimen, patch * fine, 4 * fine)
            specimen = exemplars.matched(specimen, optics(specimen), denoised)[0, 0]
            specimen = specimen * (0.7 + 0.7 * float(torch.rand((), generator=draw)))
            mean = optics(specimen) + scale.black
            captured = camera.capture(mean, noise)
            found, specimen = classical(captured), specimen + scale.black
            usual = float((found - specimen).square().mean())
            known.append(_Example(captured, found, mean, None, specimen, usual))

    def denoising(data: torch.Tensor) -> torch.Tensor:
        """Loss of the first stage alone."""
        patches = random_patches(data, _BATCH, _PATCH, draw, turns=turns, centres=task.places)
        patches = some_slices(patches, min(_DEPTH, data.shape[1]), draw)
        noisier, target, deviation = camera.recorrupt(patches, 1.0, noise)
        with autocast(patches.device):
            denoised, _ = network.smooth(scale.seen(noisier[:, None]))
        error = (scale.grey(denoised)[:, 0] - target) / deviation
        return losses.tamed(inside(error.square(), _RIM).mean())

    def both(example: _Example) -> torch.Tensor:
        """Loss of the two stages on a part of an example."""
        cut = _cut(example.noisy.shape, patch, _DEPTH + 2 * skirt, turns, draw)
        shown, target = cut(example.noisy, 1)[None, None], cut(example.target, 1)
        begun = (cut(example.classical, fine)[None, None] - scale.black) / scale.unit
        seen = scale.seen(shown)
        with autocast(shown.device):
            denoised, features = network.smooth(seen)
            sharp = network.mend(seen, denoised, features, begun)
        denoised, sharp = scale.grey(denoised)[0, 0], scale.grey(sharp)[0, 0]
        if example.specimen is not None:
            # What noise the specimen has kept is no structure: stage 1 must not learn to keep it.
            right = (sharp - cut(example.specimen, fine)).square()
            return _WEIGHT_SHARP * inside(right, _RIM * fine).mean() / example.usual
        assert example.deviation is not None, "a pair knows its noise"
        weight = cut(example.deviation, 1).square().reciprocal()
        depth = skirt if len(target) > 3 * skirt else 0
        error = (denoised - target).square() * weight
        blurred = (optics(sharp) - target).square() * weight
        loss = losses.tamed(inside(error, _RIM).mean())
        return loss + losses.tamed(inside(blurred, margin, depth).mean())

    def objective(step: int) -> torch.Tensor:
        if step < alone:
            return denoising(data)
        if (step - alone) % every == 0:
            renew((step - alone) // every)
        other = known[int(torch.randint(len(known), (), generator=draw))]
        return both(pairs[0]) + both(other)

    return objective


def learning_rate(task: Task) -> float:
    """Slower where there is much light: what is learnt there are changes of a few per mille."""
    noise = float(task.camera.variance(task.data.mean())) ** 0.5 / task.scale.unit
    return _RATE * min(max((noise / _NOISY) ** 0.5, 0.5), 1.0)


def near(optics: Degradation) -> tuple[int, int]:
    """Pixels of the camera and slices within which most light of a point falls.

    A patch knows its pixels that far from its border well enough: what lies outside is taken for
    the mirror image of what lies inside, and little comes from there.
    """
    lateral = optics.psf.sum(0).sum(0)
    half = len(lateral) // 2
    light = torch.cat([lateral[half : half + 1], 2 * lateral[half + 1 :]]).cumsum(0)
    reach = int((light < _NEAR).sum())
    return -(-reach // optics.upsample), -(-optics.margin[0] // 2)


def _part(data: torch.Tensor, places: torch.Tensor, which: int) -> torch.Tensor:
    """Cut what classical deconvolution does not take long for out of one of the stacks."""
    number = which % len(data)
    stack = data[number]
    slices = min(len(stack), 48)
    first = (len(stack) - slices) // 2
    side = int((_VOXELS / slices) ** 0.5) // 4 * 4
    mine = places[places[:, 0] == number]
    centre = mine[:, 1:].float().median(0).values.long().tolist() if len(mine) else [0, 0]
    bounds = []
    for middle, length in zip(centre, stack.shape[-2:], strict=True):
        kept = min(side, length) // 4 * 4
        low = min(max(0, middle - kept // 2), length - kept)
        bounds.append(slice(low, low + kept))
    return stack[first : first + slices, bounds[0], bounds[1]]


def _cut(
    shape: torch.Size, size: int, depth: int, turns: Sequence[int], draw: torch.Generator
) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """Draw a place and a turn; gives what cuts it out of a stack of any grid."""
    depth = min(depth, shape[0])
    limits = (shape[0] - depth + 1, *((n - min(size, n)) // 4 + 1 for n in shape[1:]), SYMMETRIES)
    first, row, col, turn = (int(torch.randint(n, (), generator=draw)) for n in limits)
    tall, wide = (min(size, n) for n in shape[1:])
    turn = some_turn(turns, turn, square=tall == wide)

    def cut(stack: torch.Tensor, fine: int) -> torch.Tensor:
        top, left = 4 * row * fine, 4 * col * fine
        part = stack[first : first + depth, top : top + tall * fine, left : left + wide * fine]
        return dihedral(part, turn)

    return cut
