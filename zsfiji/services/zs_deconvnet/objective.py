"""What the networks learn from: the task, the weights of the loss, and the published objectives.

Equations are those of the paper, see docs/methods/zs-deconvnet.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.compute.device import autocast, generator
from zsfiji.learning import examples, losses
from zsfiji.learning.foreground import centres
from zsfiji.learning.patches import inside, random_patches, random_slices, turned
from zsfiji.learning.scale import Scale
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.symmetries import psf_is_round, psf_symmetries
from zsfiji.services.zs_deconvnet.networks import run

Pairing = Literal["slices", "recorruption"]
"""Pairs of neighbouring slices, or of an image with more and with less noise."""


class Objective(Protocol):
    """A training objective: takes the number of the step, from 0, and gives the loss."""

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss, a scalar on the device of the network."""


@dataclass(frozen=True)
class Terms:
    """The weights of a loss. The defaults are the published ones for planes.

    Attributes
    ----------
    distance : {"mae", "mse"}
        The data term. The published program takes "mae", the text of the paper squares.
    denoising : float
        Weight mu of stage 1, equations 4 and 7; stage 2 has 1 - mu.
    hessian, variation : float
        Weights of the regularisers of the deconvolved image: lambda of equation 6, and that of the
        total variation term of the published program.
    neighbours : float
        Weight gamma of the term of equations 8 and 9 that allows for what differs between
        neighbouring slices.
    """

    distance: str = "mae"
    denoising: float = 0.5
    hessian: float = losses.HESSIAN_2D
    variation: float = 0.0
    neighbours: float = 1.0


@dataclass(frozen=True)
class Task:
    """What there is to learn from.

    Attributes
    ----------
    data : torch.Tensor
        Grey levels, on the device of the training: planes (planes, 1, row, col), or stacks
        (stacks, pln, row, col).
    places : torch.Tensor
        Where patches may be centred: see :func:`zsfiji.learning.foreground.centres`.
    camera : Camera
        The noise.
    optics : Degradation
        From the fine grid to that of the camera; of three axes for stacks.
    terms : Terms
        The weights.
    spacing : tuple of float
        Pixel sizes of the data in micrometres, along the axes of the optics.
    pairs : Degradation, optional
        The same optics at twice the slice spacing, to learn from pairs of slices.
    """

    data: torch.Tensor
    places: torch.Tensor
    camera: Camera
    optics: Degradation
    terms: Terms
    spacing: tuple[float, ...]
    pairs: Degradation | None = None

    @classmethod
    def of(
        cls,
        images: Sequence[np.ndarray],
        camera: Camera,
        optics: Degradation,
        terms: Terms,
        spacing: tuple[float, ...],
        *,
        elsewhere: float,
        pairs: Degradation | None = None,
        device: torch.device | str = "cpu",
    ) -> Task:
        """Make a task of images.

        Parameters
        ----------
        images : sequence of numpy.ndarray
            float32 (row, col) or (pln, row, col), all of one size and one channel.
        camera, optics, terms, spacing, pairs
            As above.
        elsewhere : float
            Share of the patches that are drawn from everywhere and not from the foreground.
        device : torch.device
            Where to train.
        """
        flat = [image if image.ndim == 2 else image.max(0) for image in images]
        data = torch.from_numpy(np.stack(list(images)))
        data = data[:, None] if data.ndim == 3 else data
        return cls(data.to(device), centres(flat, elsewhere), camera, optics, terms, spacing, pairs)

    @property
    def axes(self) -> int:
        """2 for planes, 3 for stacks."""
        return self.optics.psf.ndim

    @property
    def pairing(self) -> Pairing:
        """What the pairs are."""
        return "recorruption" if self.pairs is None else "slices"


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
        self._data = examples.pad_mirrored(task.data, self._edge)
        self.slices = self._data.shape[1]

    def uniform(self, low: float, high: float) -> float:
        """A random number."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

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


class Recorruption:
    """The objective of the paper with recorrupted pairs, equations 2 to 6.

    For stacks it takes the place of :class:`SlicePairs` where slices are too few or too far apart.

    Parameters
    ----------
    network : torch.nn.Module
        The network, on the device of the data.
    task : Task
        What to learn from.
    scale : Scale
        The scale of the network.
    sizes : Sizes
        Patches and batches.
    seed : int
        Seed of all draws.
    """

    def __init__(
        self, network: nn.Module, task: Task, scale: Scale, sizes: Sizes, seed: int
    ) -> None:
        self._network, self._task, self._scale, self._sizes = network, task, scale, sizes
        self._patches = _Patches(task, task.optics, sizes, seed)
        self._noise = generator(seed + 1, task.data.device)
        self.generators = {"patches": self._patches.generator, "noise": self._noise}
        self._depth = min(sizes.depth, self._patches.slices)

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss of a step."""
        task, terms, sizes, scale = self._task, self._task.terms, self._sizes, self._scale
        patches = self._patches.draw(self._depth)
        # The range of the published program.
        alpha = self._patches.uniform(0.5, 1.5)
        pair = task.camera.recorrupt(patches, alpha, self._noise, factors=True)[:2]
        noisier, target = self._patches.turn(*pair)
        target = _with_channel(scale.to_network(target), task.axes)
        given = _padded(_with_channel(scale.to_network(noisier), task.axes), sizes)
        denoised, sharp = run(self._network, given)
        stage1 = losses.distance(_unpadded(denoised, sizes), target, terms.distance)
        blurred = _unpadded(task.optics(sharp), sizes)
        stage2 = losses.distance(blurred, target, terms.distance)
        stage2 = stage2 + regularisation(sharp, terms, task.axes)
        return terms.denoising * stage1 + (1 - terms.denoising) * stage2


class SlicePairs:
    """The objective of the paper for stacks, equations 7 to 9.

    Of a window of slices the even ones are the target and the odd ones the input. The two show
    slightly different structure. The difference of the even and odd slices of the denoised window,
    without a gradient, allows for that.

    Parameters
    ----------
    network, task, scale, sizes, seed
        As for :class:`Recorruption`; the task has optics for pairs, and the network a submodule
        ``stage1``.
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
