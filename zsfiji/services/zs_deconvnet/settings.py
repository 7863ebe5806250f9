"""The settings of a training of ``ZS-DeconvNet``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Seed

Quality = Annotated[
    Literal["quick", "standard", "paper"],
    Field(
        description="How long to train: quick about a minute, standard several minutes, paper the "
        "published network for its published 50,000 steps (10,000 in 3D), which needs a GPU or "
        "takes days."
    ),
    Shown("Quality"),
]

Dimensions = Annotated[
    Literal["auto", "2d", "3d"],
    Field(
        description="2d restores slice by slice, 3d stacks as a whole. auto takes 3d where the PSF "
        "is a stack and the image has at least five slices."
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

Network = Annotated[
    Literal["auto", "fast", "published"],
    Field(
        description="auto takes the network of the quality: our fast one, or for paper the "
        "published one."
    ),
    Shown("Network", advanced=True),
]

Steps = Annotated[
    int,
    Field(ge=0, le=1_000_000, description="Steps of the training. 0: as many as the quality has."),
    Shown("Steps (0 = auto)", advanced=True),
]

Pairs = Annotated[
    Literal["auto", "slices", "recorruption"],
    Field(
        description="What the published network learns from in 3D: pairs of neighbouring slices, "
        "which needs many slices close to each other, or pairs made by adding noise."
    ),
    Shown("Training pairs (3D)", advanced=True),
]

Hessian = Annotated[
    float | None,
    Field(
        ge=0,
        le=100,
        description="Weight of the Hessian regulariser. Empty: the published 0.02 (0.1 in 3D) for "
        "the published network, and none for the fast one.",
    ),
    Shown("Hessian weight", advanced=True),
]

Loss = Annotated[
    Literal["mae", "mse"],
    Field(
        description="Data term of the published objective; the fast network takes squares over "
        "their variance."
    ),
]

Variation = Annotated[float, Field(ge=0, description="Weight of the total variation term.")]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All that decides about a training, besides the image, its PSF and the camera.

    Attributes
    ----------
    quality : {"quick", "standard", "paper"}
        A preset of network and steps.
    dimensions : {"auto", "2d", "3d"}
        Whether slices are deconvolved one by one or as stacks; "auto" takes stacks where there
        are enough slices and the PSF is a stack too.
    upsample : {1, 2}
        Pixels of the deconvolved image per pixel of the image, along rows and along columns.
    fit_per : {"channel", "plane"}
        One network for each channel, shared by all slices and frames, or one for each plane (in
        3D, for each stack).
    seed : int
        Seed of the initial weights and of all draws, 0 to 2**31 - 1.
    network : {"auto", "fast", "published"}
        The network; "auto" takes the preset's.
    steps : int
        Training steps, at most 1,000,000; 0 takes the preset's.
    pairs : {"auto", "slices", "recorruption"}
        What the published training on stacks learns from; "auto" takes slices where there are
        enough of them and they are near each other. The fast network takes recorruption always.
    hessian : float, optional
        Weight of the Hessian term, 0 to 100; by default the published 0.02 (0.1 in 3D) for the
        published network and 0 for the fast one.
    loss : {"mae", "mse"}
        Data term of the published objective; only from Python.
    variation : float
        Weight of the total variation term, at least 0; only from Python.

    Raises
    ------
    UserError
        If a value is none of these.
    """

    quality: Quality = "quick"
    dimensions: Dimensions = "auto"
    upsample: Upsample = 2
    fit_per: FitPer = "channel"
    seed: Seed = 0
    network: Network = "auto"
    steps: Steps = 0
    pairs: Pairs = "auto"
    hessian: Hessian = None
    loss: Loss = "mae"
    variation: Variation = 0.0
