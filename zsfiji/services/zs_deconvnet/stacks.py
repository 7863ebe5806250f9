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

from zsfiji.compute.device import autocast, generator
from zsfiji.compute.symmetries import SYMMETRIES, dihedral, some_symmetry
from zsfiji.deconvolution.richardson_lucy import Deblurred, choose_iterations, deblur, replaced
from zsfiji.learning import examples, losses
from zsfiji.learning.patches import random_patches
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.symmetries import psf_symmetries
from zsfiji.services.zs_deconvnet.objective import (
    FACTORS,
    Objective,
    Task,
    inside,
    some_slices,
)
from zsfiji.services.zs_deconvnet.volumes import FastNet3D

ITERATIONS = 120
"""Most of the classical deconvolution; more is for light without noise."""

ALONE = 0.35
"""Share of the steps in which the first stage learns alone."""

_PATCH, _DEPTH, _BATCH = 48, 16, 4
_BOTH = 80
_ROUND = 400
_VOXELS = 400_000
_RIM = 6
_RATE = 2e-3
_NOISY = 0.05
_WEIGHT_SHARP = 4.0
_NEAR = 0.8


@dataclass(frozen=True)
class Classical:
    """The classical deconvolution that the fast network for stacks begins with.

    Attributes
    ----------
    camera : Camera
        The noise.
    optics : Degradation
        The microscope.
    iterations : int
        How many.
    """

    camera: Camera
    optics: Degradation
    iterations: int

    @classmethod
    def of(cls, stack: torch.Tensor, camera: Camera, optics: Degradation) -> Classical:
        """Choose the iterations for a stack (pln, row, col) in grey levels."""
        light, _, read = camera.photons(stack)
        noise = camera.noise
        common = 0.0 if noise.white else float(noise.correlation(1)[1])
        with torch.no_grad():
            iterations = choose_iterations(light, optics, read, ITERATIONS, common)
        return cls(camera, optics, iterations)

    def __call__(self, stack: torch.Tensor, label: str | None = None) -> Deblurred:
        """Deconvolve.

        Parameters
        ----------
        stack : torch.Tensor
            (..., pln, row, col) in grey levels.
        label : str, optional
            What to report as progress.

        Returns
        -------
        Deblurred
            The same on the fine grid, and what would be seen of it; grey levels.
        """
        light, unit, read = self.camera.photons(stack)
        with torch.no_grad():
            found = deblur(light, self.optics, self.iterations, read, label)
        return self._in_grey(found, unit)

    def mended(self, stack: torch.Tensor, begun: Deblurred, specimen: torch.Tensor) -> Deblurred:
        """Put what a network made of a specimen in its place, in grey levels."""
        light, unit, _ = self.camera.photons(stack)
        specimen = (specimen - self.camera.dark_level) / unit
        with torch.no_grad():
            found = replaced(light, self.optics, begun, specimen)
        return self._in_grey(found, unit)

    def _in_grey(self, found: Deblurred, unit: float) -> Deblurred:
        dark_level = self.camera.dark_level
        return Deblurred(
            found.specimen * unit + dark_level, found.reblurred * unit + dark_level, found.field
        )


@dataclass(frozen=True)
class _Example:
    """What a step of the second stage learns from; (pln, row, col), grey levels.

    Attributes
    ----------
    noisy : torch.Tensor
        What the network is shown.
    classical : Deblurred
        That deconvolved.
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
    classical: Deblurred
    target: torch.Tensor
    deviation: torch.Tensor | None = None
    specimen: torch.Tensor | None = None
    usual: float = 1.0


def in_two_steps(
    task: Task,
    network: FastNet3D,
    average: FastNet3D,
    classical: Classical,
    steps: int,
    ready: bool = False,
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
    classical : Classical
        What the second stage begins with.
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
    data = examples.pad_mirrored(task.data, _PATCH)
    alone = 0 if ready else int(ALONE * steps)
    rounds = max(1, round((steps - alone) / _ROUND))
    every = -(-(steps - alone) // rounds)
    symmetries, near = psf_symmetries(optics.psf), _nearer(optics)
    pairs: list[_Example] = []
    known: list[_Example] = []

    def renew(which: int) -> None:
        pairs.clear()
        known.clear()
        stack = part(examples.pad_mirrored(task.data, _BOTH, 4), task.places, which)
        noisier, target, deviation = (x[0] for x in camera.recorrupt(stack[None], 1.0, noise))
        pairs.append(_Example(noisier, classical(noisier), target, deviation))
        given = scale.to_network(stack[None, None])
        with torch.no_grad(), autocast(stack.device):
            denoised, features = average.smooth(given)
            # What nothing has mended yet is noisy, unless it was denoised before.
            mended = which > 0 or ready
            shown = stack if mended else scale.grey(denoised)[0, 0]
            sharp = (classical(shown).specimen[None, None] - scale.dark_level) / scale.unit
            if mended:
                sharp = average.mend(given, denoised, features, sharp)
        light = scale.grey(sharp)[0] - scale.dark_level
        denoised = scale.grey(denoised) - scale.dark_level
        for factor in FACTORS[3]:
            specimen = examples.shrink(light.clamp_min(0)[None], factor)
            specimen = examples.pad_mirrored(specimen, _BOTH * fine, 4 * fine)
            specimen = examples.matched(specimen, optics(specimen), denoised)[0, 0]
            specimen = specimen * (0.7 + 0.7 * float(torch.rand((), generator=draw)))
            mean = optics(specimen) + scale.dark_level
            captured = camera.capture(mean, noise)
            found, specimen = classical(captured), specimen + scale.dark_level
            usual = float((found.specimen - specimen).square().mean())
            known.append(_Example(captured, found, mean, None, specimen, usual))

    def denoising(data: torch.Tensor) -> torch.Tensor:
        """Loss of the first stage alone."""
        patches = random_patches(
            data, _BATCH, _PATCH, draw, symmetries=symmetries, centres=task.places
        )
        patches = some_slices(patches, min(_DEPTH, data.shape[1]), draw)
        noisier, target, deviation = camera.recorrupt(patches, 1.0, noise)
        with autocast(patches.device):
            denoised, _ = network.smooth(scale.to_network(noisier[:, None]))
        error = (scale.grey(denoised)[:, 0] - target) / deviation
        return losses.log_capped(inside(error.square(), _RIM).mean())

    def both(example: _Example) -> torch.Tensor:
        """Loss of the two stages on a part of an example."""
        cut = _cut(example.noisy.shape, _BOTH, _DEPTH, symmetries, draw)
        shown, target = cut(example.noisy, 1)[None, None], cut(example.target, 1)
        begun = cut(example.classical.specimen, fine)
        given = scale.to_network(shown)
        with autocast(shown.device):
            denoised, features = network.smooth(given)
            known = (begun[None, None] - scale.dark_level) / scale.unit
            sharp = network.mend(given, denoised, features, known)
        denoised, sharp = scale.grey(denoised)[0, 0], scale.grey(sharp)[0, 0]
        if example.specimen is not None:
            # What noise the specimen has kept is no structure: stage 1 must not learn to keep it.
            right = (sharp - cut(example.specimen, fine)).square()
            return _WEIGHT_SHARP * inside(right, _RIM * fine).mean() / example.usual
        assert example.deviation is not None, "a pair knows its noise"
        weight = cut(example.deviation, 1).square().reciprocal()
        error = (denoised - target).square() * weight
        # All that lies around the patch is seen too, but only what was mended is made anew.
        blurred = cut(example.classical.reblurred, 1) + near(sharp - begun)
        missed = (blurred - target).square() * weight
        loss = losses.log_capped(inside(error, _RIM).mean())
        return loss + losses.log_capped(inside(missed, _RIM).mean())

    def objective(step: int) -> torch.Tensor:
        if step < alone:
            return denoising(data)
        if (step - alone) % every == 0:
            renew((step - alone) // every)
        other = known[int(torch.randint(len(known), (), generator=draw))]
        return both(pairs[0]) + both(other)

    return objective


def _nearer(optics: Degradation) -> Degradation:
    """Make optics of a narrower PSF, which holds most of the light: they are quicker.

    What is mended is as much darker here as it is brighter there; from afar little is seen of it.
    """
    lateral = optics.psf.sum(0)
    middle = len(lateral) // 2, lateral.shape[1] // 2
    for half in range(1, max(middle)):
        rows, cols = (slice(max(0, m - half), m + half + 1) for m in middle)
        if float(lateral[rows, cols].sum()) >= _NEAR:
            return Degradation(optics.psf[:, rows, cols], optics.upsample)
    return optics


def learning_rate(task: Task) -> float:
    """Slower where there is much light: what is learnt there are changes of a few per mille."""
    noise = float(task.camera.variance(task.data.mean())) ** 0.5 / task.scale.unit
    return _RATE * min(max((noise / _NOISY) ** 0.5, 0.5), 1.0)


def part(data: torch.Tensor, places: torch.Tensor, which: int) -> torch.Tensor:
    """Cut what classical deconvolution does not take long for out of one of the stacks.

    Parameters
    ----------
    data : torch.Tensor
        Shape (stacks, pln, row, col).
    places : torch.Tensor
        Where there is something to be seen: see :func:`zsfiji.learning.foreground.centres`.
    which : int
        Number of the stack, which may go round.

    Returns
    -------
    torch.Tensor
        Shape (pln, row, col), a view.
    """
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
    shape: torch.Size, size: int, depth: int, symmetries: Sequence[int], draw: torch.Generator
) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """Draw a place and a turn; gives what cuts it out of a stack of any grid."""
    depth = min(depth, shape[0])
    limits = (shape[0] - depth + 1, *((n - min(size, n)) // 4 + 1 for n in shape[1:]), SYMMETRIES)
    first, row, col, turn = (int(torch.randint(n, (), generator=draw)) for n in limits)
    tall, wide = (min(size, n) for n in shape[1:])
    turn = some_symmetry(symmetries, turn, square=tall == wide)

    def cut(stack: torch.Tensor, fine: int) -> torch.Tensor:
        top, left = 4 * row * fine, 4 * col * fine
        part = stack[first : first + depth, top : top + tall * fine, left : left + wide * fine]
        return dihedral(part, turn)

    return cut
