"""What there is to learn from, as all objectives of the two-stage networks get it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from zsfiji.learning import losses
from zsfiji.learning.foreground import centres
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.services.over_parts import Group

Pairing = Literal["slices", "recorruption"]
"""Pairs of neighbouring slices, or of an image with more and with less noise."""


class Objective(Protocol):
    """A training objective: takes the number of the step, from 0, and gives the loss."""

    def __call__(self, step: int) -> torch.Tensor:
        """Give the loss, a scalar on the device of the network."""


@dataclass(frozen=True)
class Terms:
    """The weights of the published objectives. The defaults are the published ones for planes.

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
class Recorrupted:
    """Pairs of images that were made of recorrupted raw frames, by a linear reconstruction.

    Attributes
    ----------
    pairs : numpy.ndarray, optional
        float32 (pairs, pln, 2, row, col): the image with more noise and the one with less. Planes
        are stacks of one slice.
    camera : Camera
        The noise of the reconstruction of the frames themselves.
    """

    pairs: NDArray[np.float32] | None
    camera: Camera


class RawImage(Protocol):
    """The raw image of a reconstruction."""

    def __call__(self, group: Group, part: Sequence[str], *, pairs: bool) -> Recorrupted:
        """Measure the noise of a group of parts with the axes `part`, and make `pairs` of them."""


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
    spacing : tuple of float
        Pixel sizes of the data in micrometres, along the axes of the optics.
    terms : Terms
        The weights of the published objectives.
    pairs : Degradation, optional
        The same optics at twice the slice spacing, to learn from pairs of slices.
    recorrupted : torch.Tensor, optional
        Pairs that are made already, (pairs, pln, 2, row, col), where `data` are reconstructions.
    """

    data: torch.Tensor
    places: torch.Tensor
    camera: Camera
    optics: Degradation
    spacing: tuple[float, ...]
    terms: Terms = field(default_factory=Terms)
    pairs: Degradation | None = None
    recorrupted: torch.Tensor | None = None

    @classmethod
    def of(
        cls,
        images: Sequence[np.ndarray],
        camera: Camera,
        optics: Degradation,
        spacing: tuple[float, ...],
        *,
        elsewhere: float,
        terms: Terms | None = None,
        pairs: Degradation | None = None,
        recorrupted: NDArray[np.float32] | None = None,
        device: torch.device | str = "cpu",
    ) -> Task:
        """Make a task of images.

        Parameters
        ----------
        images : sequence of numpy.ndarray
            float32 (row, col) or (pln, row, col), all of one size and one channel.
        camera, optics, spacing, terms, pairs, recorrupted
            As above.
        elsewhere : float
            Share of the patches that are drawn from everywhere and not from the foreground.
        device : torch.device
            Where to train.
        """
        flat = [image if image.ndim == 2 else image.max(0) for image in images]
        data = torch.from_numpy(np.stack(list(images)))
        data = data[:, None] if data.ndim == 3 else data
        return cls(
            data.to(device),
            centres(flat, elsewhere),
            camera,
            optics,
            spacing,
            terms or Terms(),
            pairs,
            None if recorrupted is None else torch.from_numpy(recorrupted).to(device),
        )

    @property
    def axes(self) -> int:
        """2 for planes, 3 for stacks."""
        return self.optics.psf.ndim

    @property
    def pairing(self) -> Pairing:
        """What the pairs are."""
        return "recorruption" if self.pairs is None else "slices"
