"""The published objectives. Equations are those of the paper, see docs/methods/zs-deconvnet.md."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.compute.device import autocast, generator
from zsfiji.compute.tiling import pad_mirrored
from zsfiji.learning import losses
from zsfiji.learning.patches import inside, random_patches, random_slices, turned
from zsfiji.learning.scale import Scale
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.symmetries import psf_is_round, psf_symmetries
from zsfiji.services.two_stage.network import run
from zsfiji.services.two_stage.task import Task, Terms


@dataclass(frozen=True)
class Sizes:
    """What a step of the published training works on.

    Attributes
    ----------
    patch : int
        Edge of a patch in pixels.
    batch : int
        Patches per step.
    depth : int
        Slices of a patch.
    pad, pad_slices : int
        Zero pixels and slices around a patch, which give the convolutions room; they are cut off
        again before the loss.
    """

    patch: int
    batch: int
    depth: int = 1
    pad: int = 0
    pad_slices: int = 0


PUBLISHED_PLANES = Sizes(128, 4, 1, 16, 0)
"""The published sizes for planes (docs/methods/zs-deconvnet.md, 1.4 and 1.8)."""

PUBLISHED_STACKS = Sizes(64, 3, 13, 8, 2)
"""The published sizes for stacks (docs/methods/zs-deconvnet.md, 2.4)."""


REPEATS = 100
"""Recorrupted pairs of the image, as published. Here each has its own strength and range; the noise
itself is new in every step."""

ALPHA, BETA_1, BETA_2 = (0.5, 1.5), (0.5, 1.5), (0.8, 1.2)
"""Ranges of alpha, and of the factors of the measured gain and read variance, as published."""

_BLOCK, _BLOCKS = 64, 64
"""Edge and number of the blocks in which the range of a pair is measured: bounds the time."""

_ROOM = 1.5
"""Edge of the patches that are rotated, relative to that of the middle that is kept: as published,
and enough for every angle."""


class _Patches:
    """Draws patches of a task, flipped, and rotated by any angle where the PSF is round.

    As published (docs/methods/zs-deconvnet.md, 1.3): a larger patch is cut at a place with
    structure, flipped, rotated by a whole number of degrees with linear interpolation, and cropped.
    Under another PSF a rotated patch is an image through other optics, so there only those flips
    and rotations by 90 degrees are used that leave the PSF as it is.
    """

    def __init__(self, task: Task, optics: Degradation, sizes: Sizes, seed: int) -> None:
        self._task, self._sizes = task, sizes
        self.generator = generator(seed)
        self._round = psf_is_round(optics.psf)
        self._symmetries = psf_symmetries(optics.psf)
        self._edge = round(_ROOM * sizes.patch) if self._round else sizes.patch
        self._data = pad_mirrored(task.data, self._edge)
        self.slices = self._data.shape[1]

    def draw(self, depth: int) -> torch.Tensor:
        """Grey levels (batch, depth, edge, edge), larger than a patch until :meth:`turn`."""
        patches = random_patches(
            self._data,
            self._sizes.batch,
            self._edge,
            self.generator,
            symmetries=self._symmetries,
            centres=self._task.places,
        )
        return random_slices(patches, depth, self.generator)

    def turn(self, *several: torch.Tensor) -> list[torch.Tensor]:
        """Rotate several versions of the patches alike, and crop them to the size of a patch.

        Recorrupted pairs are rotated after their noise was added: interpolation acts on both
        alike, so what was uncorrelated stays so.
        """
        if not self._round:
            return list(several)
        degrees = torch.randint(360, (len(several[0]),), generator=self.generator)
        return [turned(patches, degrees, self._sizes.patch) for patches in several]


class _Repeats:
    """The numbers of the recorrupted pairs of the image, as the published program draws them.

    Each repeat has an alpha (equation 2) and factors of beta 1 and beta 2 (equation 3), and brings
    its pair of images to the range from 0 to 1 with one minimum and one maximum for both.
    """

    def __init__(self, task: Task, draw: torch.Generator, noise: torch.Generator) -> None:
        def uniform(low: float, high: float) -> torch.Tensor:
            values = low + (high - low) * torch.rand(REPEATS, generator=draw)
            return values.reshape(-1, 1, 1, 1).to(task.data.device)

        self.alpha, self.shot, self.read = (uniform(*limits) for limits in (ALPHA, BETA_1, BETA_2))
        some = _brightest_and_darkest(task.data.flatten(0, 1)[:, None])
        found = []
        for number in range(REPEATS):
            alpha, shot, read = (x[number] for x in (self.alpha, self.shot, self.read))
            pair = task.camera.recorrupt(some, alpha, noise, shot=shot, read=read)[:2]
            found.append(torch.stack([min(p.min() for p in pair), max(p.max() for p in pair)]))
        self.low, high = torch.stack(found).reshape(-1, 2, 1, 1, 1).unbind(1)
        self.unit = high - self.low


class Recorruption:
    """The objective of the paper with recorrupted pairs, equations 2 to 6.

    For stacks it takes the place of :class:`SlicePairs` where slices are too few or too far apart.

    Parameters
    ----------
    network : torch.nn.Module
        The network, on the device of the data.
    task : Task
        What to learn from.
    sizes : Sizes
        Patches and batches.
    seed : int
        Seed of all draws.
    """

    def __init__(self, network: nn.Module, task: Task, sizes: Sizes, seed: int) -> None:
        self._network, self._task, self._sizes = network, task, sizes
        self._patches = _Patches(task, task.optics, sizes, seed)
        self._noise = generator(seed + 1, task.data.device)
        ranges = generator(seed + 2, task.data.device)
        self._repeats = _Repeats(task, generator(seed + 2), ranges)
        self.generators = {"patches": self._patches.generator, "noise": self._noise}
        self._depth = min(sizes.depth, self._patches.slices)

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss of a step."""
        task, terms, sizes, repeats = self._task, self._task.terms, self._sizes, self._repeats
        patches = self._patches.draw(self._depth)
        which = torch.randint(REPEATS, (len(patches),), generator=self._patches.generator)
        pair = task.camera.recorrupt(
            patches,
            repeats.alpha[which],
            self._noise,
            shot=repeats.shot[which],
            read=repeats.read[which],
        )[:2]
        scaled = [(image - repeats.low[which]) / repeats.unit[which] for image in pair]
        noisier, target = (_with_channel(i, task.axes) for i in self._patches.turn(*scaled))
        given = _padded(noisier, sizes)
        denoised, sharp = run(self._network, given)
        stage1 = losses.distance(_unpadded(denoised, sizes), target, terms.distance)
        blurred = _unpadded(task.optics(sharp), sizes)
        stage2 = losses.distance(blurred, target, terms.distance)
        stage2 = stage2 + regularisation(sharp, terms, task.axes)
        return terms.denoising * stage1 + (1 - terms.denoising) * stage2


class ReconstructedPairs:
    """The objective of the paper for 2D-SIM, equations 10 and 11.

    The pairs are reconstructions of recorrupted raw frames. They are brought to the scale of the
    network by the largest value of both, so negative values remain; patches are flipped and rotated
    by right angles, and are not padded, as published. For stacks, as :class:`Recorruption`.

    Parameters
    ----------
    network, task, sizes, seed
        As for :class:`Recorruption`; the task has the pairs.
    """

    def __init__(self, network: nn.Module, task: Task, sizes: Sizes, seed: int) -> None:
        if task.recorrupted is None:
            raise ValueError("there are no recorrupted reconstructions")
        self._network, self._task, self._sizes = network, task, sizes
        largest = task.recorrupted.amax((1, 2, 3, 4), keepdim=True)
        self._pairs = pad_mirrored((task.recorrupted / largest).flatten(1, 2), sizes.patch)
        self._depth = min(sizes.depth, task.recorrupted.shape[1])
        self._symmetries = psf_symmetries(task.optics.psf)
        self.generators = {"patches": generator(seed)}

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss of a step."""
        task, terms, sizes = self._task, self._task.terms, self._sizes
        patches = random_patches(
            self._pairs,
            sizes.batch,
            sizes.patch,
            self.generators["patches"],
            symmetries=self._symmetries,
        ).unflatten(1, (-1, 2))
        patches = random_slices(patches, self._depth, self.generators["patches"])
        noisier, target = (_with_channel(i, task.axes) for i in patches.unbind(2))
        denoised, sharp = run(self._network, noisier)
        stage1 = losses.distance(denoised, target, terms.distance)
        stage2 = losses.distance(task.optics(sharp), target, terms.distance)
        stage2 = stage2 + regularisation(sharp, terms, task.axes)
        return terms.denoising * stage1 + (1 - terms.denoising) * stage2


class SlicePairs:
    """The objective of the paper for stacks, equations 7 to 9.

    Of a window of slices the even ones are the target and the odd ones the input. The two show
    slightly different structure. The difference of the even and odd slices of the denoised window,
    without a gradient, allows for that.

    Parameters
    ----------
    network, task, sizes, seed
        As for :class:`Recorruption`; the task has optics for pairs, and the network a submodule
        ``stage1``.
    scale : Scale
        The scale of the network: the range of the stack is 0 to 1.
    """

    def __init__(
        self, network: nn.Module, task: Task, scale: Scale, sizes: Sizes, seed: int
    ) -> None:
        if task.pairs is None:
            raise ValueError("pairs of slices need optics at twice the slice spacing")
        self._network, self._task, self._scale, self._sizes = network, task, scale, sizes
        self._stage1 = network.get_submodule("stage1")
        self._optics = task.pairs
        self._patches = _Patches(task, self._optics, sizes, seed)
        self.generators = {"patches": self._patches.generator}
        self._depth = 2 * min(sizes.depth, self._patches.slices // 2)

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss of a step."""
        terms, sizes = self._task.terms, self._sizes
        (patches,) = self._patches.turn(self._patches.draw(self._depth))
        window = self._scale.to_network(_with_channel(patches, 3))
        target, given = window[:, :, 0::2], window[:, :, 1::2]
        with torch.no_grad(), autocast(window.device):
            whole = _unpadded(self._stage1(_padded(window, sizes)).float(), sizes)
        difference = whole[:, :, 1::2] - whole[:, :, 0::2]
        denoised, sharp = run(self._network, _padded(given, sizes))
        middle = _unpadded(sharp, sizes, self._optics.upsample)
        stage1 = _pair_loss(_unpadded(denoised, sizes), target, difference, terms)
        blurred = _unpadded(self._optics(sharp), sizes)
        stage2 = _pair_loss(blurred, target, difference, terms)
        stage2 = stage2 + regularisation(middle, terms, 3)
        return terms.denoising * stage1 + (1 - terms.denoising) * stage2


def _brightest_and_darkest(planes: torch.Tensor) -> torch.Tensor:
    """Blocks (count, 1, edge, edge) of planes with the brightest and with the darkest pixels."""
    edge = min(_BLOCK, *planes.shape[-2:])
    rows, cols = (-n % edge for n in planes.shape[-2:])
    padded = F.pad(planes, (0, cols, 0, rows), mode="replicate")
    blocks = padded.unfold(-2, edge, edge).unfold(-2, edge, edge).reshape(-1, 1, edge, edge)
    if len(blocks) <= _BLOCKS:
        return blocks
    brightest = blocks.amax((1, 2, 3)).topk(_BLOCKS // 2).indices
    darkest = blocks.amin((1, 2, 3)).topk(_BLOCKS // 2, largest=False).indices
    return blocks[torch.cat([brightest, darkest]).unique()]


def regularisation(sharp: torch.Tensor, terms: Terms, axes: int) -> torch.Tensor:
    """Sum of the weighted regularisers of a deconvolved batch, over its last `axes` axes."""
    total = sharp.new_zeros(())
    if terms.hessian:
        total = total + terms.hessian * losses.hessian(sharp, axes)
    if terms.variation:
        total = total + terms.variation * losses.variation(sharp, axes)
    return total


def _pair_loss(
    result: torch.Tensor, target: torch.Tensor, difference: torch.Tensor, terms: Terms
) -> torch.Tensor:
    loss = losses.distance(result, target, terms.distance)
    if terms.neighbours:
        other = losses.distance(result - target, difference, terms.distance)
        loss = loss + terms.neighbours * other
    return loss


def _with_channel(patches: torch.Tensor, axes: int) -> torch.Tensor:
    """Put a channel axis before the slices; planes have it already."""
    return patches if axes == 2 else patches[:, None]


def _padded(image: torch.Tensor, sizes: Sizes) -> torch.Tensor:
    around = (sizes.pad,) * 4 + (sizes.pad_slices,) * (2 if image.ndim == 5 else 0)
    return F.pad(image, around)


def _unpadded(image: torch.Tensor, sizes: Sizes, fine: int = 1) -> torch.Tensor:
    return inside(image, sizes.pad * fine, sizes.pad_slices)
