"""The options that all methods of two-stage networks have."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field

from zsfiji.parameters.declare import Shown

Dimensions = Annotated[
    Literal["auto", "2d", "3d"],
    Field(
        description="2d restores slice by slice, 3d stacks as a whole. auto takes 3d where the PSF "
        "is a stack, and the image has at least five slices and is twice as deep as the PSF."
    ),
    Shown("Dimensions"),
]

Upsample = Annotated[
    Literal[1, 2],
    Field(
        description="Pixels of the deconvolved image per pixel of the image, along rows and "
        "columns. 2 gives the finer grid that resolution beyond the camera's pixels needs."
    ),
    Shown("Upsampling"),
]

Steps = Annotated[
    int,
    Field(ge=0, le=1_000_000, description="Steps of the training. 0: as many as the quality has."),
    Shown("Steps (0 = auto)", advanced=True),
]

FEWEST_SLICES = 5
"""Slices that a stack has to have at least to be deconvolved in 3D. Not tuned."""


class TwoStageSettings(Protocol):
    """What the shared parts of the methods have to know of their settings."""

    @property
    def dimensions(self) -> Literal["auto", "2d", "3d"]:
        """Whether slices are deconvolved one by one or as stacks."""

    @property
    def upsample(self) -> Literal[1, 2]:
        """Pixels of the deconvolved image per pixel of the image, along rows and columns."""

    @property
    def fit_per(self) -> Literal["channel", "plane"]:
        """One network for each channel, or for each plane (in 3D, for each stack)."""

    @property
    def seed(self) -> int:
        """Seed of the initial weights and of all draws."""

    @property
    def kind(self) -> str:
        """The kind of the network, of those that the method has."""

    def planned_steps(self, axes: int) -> int:
        """Steps of a training on planes (2) or stacks (3)."""
