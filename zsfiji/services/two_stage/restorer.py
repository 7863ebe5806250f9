"""What was learnt about one part of an image: the base of the restorers, and what they share."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import torch

from zsfiji.compute.symmetries import dihedral, undo_dihedral
from zsfiji.deconvolution.tiles import DeconvolvingNetwork, Piece, TileSizes, restore
from zsfiji.errors import UserError
from zsfiji.learning.loop import Schedule
from zsfiji.learning.models import load_weights
from zsfiji.learning.scale import Scale
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.symmetries import psf_symmetries
from zsfiji.services.two_stage.network import run
from zsfiji.services.two_stage.task import Objective, Pairing, Task

if TYPE_CHECKING:
    from typing_extensions import Self

N = TypeVar("N", bound=DeconvolvingNetwork)

PSF = "psf"
"""Name of the PSF among the tensors."""

_MOST_LOSSES = 200
"""Losses of a training that are kept at most: enough for a curve."""

_PREVIEW = {2: 256, 3: 128}
"""Edge in pixels of the middle that a preview shows, of planes and of stacks: bounds the time."""

_PREVIEW_SLICES = 6
"""Slices above and below the one that a preview shows, with which it is restored."""


@dataclass(frozen=True)
class Record:
    """What a model file keeps of a restorer besides its tensors.

    Attributes
    ----------
    kind : str
        The kind of the network, of those that the method has.
    axes : {2, 3}
        2 for planes, 3 for stacks.
    upsample : {1, 2}
        Pixels of the deconvolved image to a pixel of the image, along rows and along columns.
    noise : Noise
        The noise of the camera.
    dark_level : float
        Grey level of no light.
    scale : Scale
        The scale of the network.
    spacing : tuple of float
        Pixel sizes in micrometres along the axes of the images that it was fitted to.
    pairs : {"slices", "recorruption"}
        What the last training learnt from.
    seed : int
        The seed that worked.
    steps : int
        Steps of all trainings.
    planned : int
        Steps that were planned; more than `steps` where the user ended the last training.
    losses : tuple of (int, float)
        Step and loss at some moments.
    doubted : bool
        Whether what seemed to be correlated noise had structure: the noise is then the least that
        there is.
    iterations : int
        Iterations of the classical deconvolution; 0 where there is none.
    """

    kind: str
    axes: int
    upsample: int
    noise: Noise
    dark_level: float
    scale: Scale
    spacing: tuple[float, ...]
    pairs: Pairing
    seed: int = 0
    steps: int = 0
    planned: int = 0
    losses: tuple[tuple[int, float], ...] = ()
    doubted: bool = False
    iterations: int = 0

    def trained(self, steps: int, planned: int, losses: Sequence[tuple[int, float]]) -> Record:
        """The record after a further training; what an earlier one left out is not made up for."""
        thinned = losses[:: -(-len(losses) // _MOST_LOSSES)]
        more = tuple((self.steps + step, float(f"{loss:.5g}")) for step, loss in thinned)
        return replace(
            self,
            steps=self.steps + steps,
            planned=self.steps + planned,
            losses=self.losses + more,
        )


@dataclass(frozen=True)
class Training:
    """How a restorer is trained.

    Attributes
    ----------
    objective : Objective
        The objective.
    schedule : Schedule
        Steps and learning rate.
    average : DeconvolvingNetwork, optional
        A copy of the network, for the averaged weights of schedules that have an `ema`.
    """

    objective: Objective
    schedule: Schedule
    average: DeconvolvingNetwork | None = None


@dataclass(frozen=True)
class Restorer(ABC, Generic[N]):
    """What was learnt about one channel (or one plane, or one stack).

    Attributes
    ----------
    record : Record
        Noise, scale and course of the training.
    optics : Degradation
        The microscope, from the fine grid to that of the camera.
    network : DeconvolvingNetwork
        The network.
    """

    record: Record
    optics: Degradation
    network: N

    kind: ClassVar[str]
    """The kind of the network, as records name it."""

    axes: ClassVar[int]
    """2 for planes, 3 for stacks."""

    elsewhere: ClassVar[float]
    """Share of the patches that are drawn from everywhere and not from the foreground."""

    tiles: ClassVar[TileSizes] = TileSizes()
    """What is worked on at once."""

    @classmethod
    @abstractmethod
    def build(cls, upsample: int, seed: int = 0) -> N:
        """Make a network."""

    @classmethod
    @abstractmethod
    def begin(cls, task: Task, seed: int) -> Self:
        """Make a restorer that is not trained yet, on the device of the task."""

    @abstractmethod
    def training(self, task: Task, steps: int, *, ready: bool) -> Training:
        """Prepare a training of so many steps; `ready` if the network is trained already."""

    @abstractmethod
    def restore_piece(
        self, piece: torch.Tensor, positions: Sequence[int], label: str | None
    ) -> Piece:
        """Restore a piece (slices, row, col) in grey levels, as a mean over positions."""

    def preview(self, data: torch.Tensor) -> np.ndarray:
        """Deconvolve the middle of the first image of a task, of a stack its middle slice.

        Gives (row, col) in grey levels.
        """
        half = _PREVIEW[self.axes] // 2
        rows, cols = (slice(max(0, n // 2 - half), n // 2 + half) for n in data.shape[-2:])
        image = data[0, :, rows, cols].cpu().numpy()
        if self.axes == 2:
            sharp = restore(self, image[0], symmetries=1).sharp
        else:
            middle = len(image) // 2
            near = image[max(0, middle - _PREVIEW_SLICES) : middle + _PREVIEW_SLICES + 1]
            sharp = restore(self, near, symmetries=1).sharp[len(near) // 2]
        return np.maximum(sharp, self.camera.dark_level)  # as in the result

    @classmethod
    def of(cls, record: Record, tensors: Mapping[str, torch.Tensor]) -> Self:
        """Make a restorer, on the CPU, from what :attr:`record` and :meth:`tensors` gave.

        Raises
        ------
        UserError
            If the tensors do not fit the record.
        """
        network = cls.build(record.upsample)
        load_weights(network, {name: value for name, value in tensors.items() if name != PSF})
        if PSF not in tensors or tensors[PSF].ndim != cls.axes:
            raise UserError("The model is damaged: its PSF is missing.")
        return cls(record, Degradation(tensors[PSF], record.upsample), network)

    @classmethod
    def first_record(cls, task: Task, scale: Scale, seed: int) -> Record:
        """The record before the training."""
        camera = task.camera
        return Record(
            cls.kind,
            cls.axes,
            task.optics.upsample,
            camera.noise,
            camera.dark_level,
            scale,
            task.spacing,
            task.pairing,
            seed,
        )

    @property
    def camera(self) -> Camera:
        """The noise, and the grey level of no light."""
        return Camera(self.record.noise, self.record.dark_level)

    @property
    def scale(self) -> Scale:
        """The scale of the network."""
        return self.record.scale

    @property
    def doubted(self) -> bool:
        """Whether the noise is the least that there is; see :func:`.doubt.noise_to_use`."""
        return self.record.doubted

    @property
    def symmetries(self) -> tuple[int, ...]:
        """The flips and rotations in which the network may get an image."""
        return psf_symmetries(self.optics.psf)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights of the network, and the PSF."""
        return {**self.network.state_dict(), PSF: self.optics.given}

    def to(self, device: torch.device) -> Self:
        """The same restorer with its network on a device."""
        return replace(self, network=self.network.to(device))

    @property
    def draws_seed(self) -> int:
        """Seed of the draws of the next training, other ones than before."""
        return self.record.seed + self.record.steps

    def continued(self, task: Task, seed: int) -> Self:
        """A copy for a further training, with the camera and the optics of a task, on its device.

        The scale stays: it is that of the weights.
        """
        record = replace(
            self.record,
            noise=task.camera.noise,
            dark_level=task.camera.dark_level,
            spacing=task.spacing,
            pairs=task.pairing,
            seed=seed,
        )
        network = copy.deepcopy(self.network).to(task.data.device)
        return replace(self, record=record, optics=task.optics, network=network)


def inputs_of(
    restorer: Restorer[Any], piece: torch.Tensor, positions: Sequence[int]
) -> list[torch.Tensor]:
    """Give the input of a network for a piece (slices, row, col), in several positions."""
    inputs = []
    for which in positions:
        flipped = dihedral(piece, which)[None]
        inputs.append(restorer.scale.to_network(flipped if restorer.axes == 2 else flipped[None]))
    return inputs


def mean_of(
    restorer: Restorer[Any], results: Sequence[torch.Tensor], positions: Sequence[int]
) -> torch.Tensor:
    """Mean of results in several positions: (slices, row, col) in grey levels."""
    flat = (r.float().reshape(-1, *r.shape[-2:]) for r in results)
    back = [undo_dihedral(r, which) for r, which in zip(flat, positions, strict=True)]
    return restorer.scale.grey(torch.stack(back).mean(0))


def both_results(
    restorer: Restorer[Any], piece: torch.Tensor, positions: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Denoise and deconvolve a piece with one pass of the network in each position."""
    both = [run(restorer.network, given) for given in inputs_of(restorer, piece, positions)]
    denoised = mean_of(restorer, [d for d, _ in both], positions)
    return denoised, mean_of(restorer, [s for _, s in both], positions)


Restorers = Mapping[tuple[str, int], type[Restorer[Any]]]
"""The restorers of a method by the kind of their network, and by 2 for planes or 3 for stacks."""
