"""What a method is: the one seam between commands and services.

A method learns from an image (`fit`) and restores images with what it has learnt (`apply`). What
decides about a training stands in its settings, a frozen dataclass; what is given beside the image
(the camera, point spread functions, a model to continue from) has a type of its own. Its units,
one for each part that was fitted on its own, know how they are kept in a file
(:mod:`zsfiji.learning.models`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import xarray as xr

from zsfiji.learning.models import Kind, Model, Unit
from zsfiji.quality.report import Report

S = TypeVar("S")
U = TypeVar("U", bound=Unit)
Given = TypeVar("Given", contravariant=True)


@dataclass(frozen=True)
class Restored:
    """Restored images and what is to be said about them.

    Attributes
    ----------
    images : mapping of str to xarray.DataArray
        Name -> result, such as "denoised", the main one last: 32-bit floats in the unit of the
        input, on its axes; the grid along rows and columns may be finer.
    report : Report
        Notes and metrics.
    """

    images: Mapping[str, xr.DataArray]
    report: Report

    @property
    def image(self) -> xr.DataArray:
        """The main result."""
        return list(self.images.values())[-1]


class Method(Kind[S, U], Protocol[S, Given, U]):
    """A method that learns from the image that it restores."""

    def fit(
        self, image: xr.DataArray, settings: S, given: Given, *, device: str = "auto"
    ) -> Model[S, U]:
        """Learn from an image.

        Parameters
        ----------
        image : xarray.DataArray
            Any of the axes t, pln, row, col, ch; any unit and scale.
        settings : S
            What decides about the training.
        given : Given
            What is known beside the image.
        device : {"auto", "cpu", "cuda", "mps"}
            Where to compute.

        Raises
        ------
        UserError
            If the image, a setting or what is given does not serve.
        Cancelled
            If the user asked to stop.
        """

    def apply(self, model: Model[S, U], image: xr.DataArray, *, device: str = "auto") -> Restored:
        """Restore an image with a fitted model; nothing is trained.

        Parameters
        ----------
        model : Model
            What :meth:`fit` gave, for this image or one of the same kind: same detector, gain and
            optics.
        image : xarray.DataArray
            With as many channels (or planes) as the model was fitted to.
        device : {"auto", "cpu", "cuda", "mps"}
            Where to compute.

        Raises
        ------
        UserError
            If the image does not serve or does not fit the model.
        Cancelled
            If the user asked to stop.
        """

    def simulate(
        self, model: Model[S, U], restored: Mapping[str, xr.DataArray], seed: int
    ) -> xr.DataArray:
        """Simulate another capture of what was restored, for :mod:`zsfiji.services.uncertainty`.

        Parameters
        ----------
        model : Model
            The model that restored it.
        restored : mapping of str to xarray.DataArray
            The images that :meth:`apply` gave.
        seed : int
            Seed of the noise.

        Returns
        -------
        xarray.DataArray
            What the camera would show if the restored image were the truth: float32, on the grid
            of the image that was restored. :func:`.over_parts.simulate` makes it.
        """


class Learner(Method[S, Given, U], Protocol[S, Given, U]):
    """A method that also learns from many images, to restore others."""

    def train(
        self, images: Sequence[xr.DataArray], settings: S, given: Given, *, device: str = "auto"
    ) -> Model[S, U]:
        """Learn from images of one kind; parameters and exceptions are those of :meth:`fit`."""
