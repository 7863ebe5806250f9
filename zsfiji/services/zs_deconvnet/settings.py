"""The settings of a training of ``ZS-DeconvNet``, and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Seed
from zsfiji.services.two_stage.settings import Dimensions, Steps, Upsample

Quality = Annotated[
    Literal["quick", "standard", "paper"],
    Field(
        description="quick and standard train the compact network: for about 3 and 20 minutes on "
        "a core (stacks: 10 minutes and an hour). paper is the published network for its published "
        "50,000 steps (10,000 in 3D), which needs a GPU or takes days."
    ),
    Shown("Quality"),
]

Network = Annotated[
    Literal["auto", "compact", "published"],
    Field(
        description="auto takes the network of the quality: published has 13,109,010 parameters "
        "(in 3D 2,003,490), compact the same layers with a quarter of the channels."
    ),
    Shown("Network", advanced=True, moved=(("fast", "Zero-Shot Deconvolve..."),)),
]

Pairs = Annotated[
    Literal["auto", "slices", "recorruption"],
    Field(
        description="What the network learns from in 3D: pairs of neighbouring slices, "
        "which needs many slices close to each other, or pairs made by adding noise."
    ),
    Shown("Training pairs (3D)", advanced=True),
]

Hessian = Annotated[
    float | None,
    Field(
        ge=0,
        le=100,
        description="Weight of the Hessian regulariser. Empty: the published 0.02 (0.1 in 3D).",
    ),
    Shown("Hessian weight", advanced=True),
]

Loss = Annotated[
    Literal["mae", "mse"],
    Field(description="Data term of the objective: the published program has absolute errors."),
]

Variation = Annotated[float, Field(ge=0, description="Weight of the total variation term.")]


@dataclass(frozen=True)
class Preset:
    """A network and how long it is trained.

    Attributes
    ----------
    network : {"compact", "published"}
        The kind of the network.
    steps, steps_3d : int
        Training steps, on planes and on stacks.
    """

    network: Literal["compact", "published"]
    steps: int
    steps_3d: int

    def steps_of(self, axes: int) -> int:
        """Training steps for planes (2) or stacks (3)."""
        return self.steps if axes == 2 else self.steps_3d


PRESETS = {
    "quick": Preset("compact", 800, 200),
    "standard": Preset("compact", 5000, 1200),
    "paper": Preset("published", 50_000, 10_000),
}
"""The choices of `quality`; paper is the published training (docs/methods/zs-deconvnet.md, 1.8 and
2.4)."""


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
    network : {"auto", "compact", "published"}
        The network; "auto" takes the preset's.
    steps : int
        Training steps, at most 1,000,000; 0 takes the preset's.
    pairs : {"auto", "slices", "recorruption"}
        What the training on stacks learns from; "auto" takes slices where there are enough of
        them and they are near each other.
    hessian : float, optional
        Weight of the Hessian term, 0 to 100; by default the published 0.02 (0.1 in 3D).
    loss : {"mae", "mse"}
        Data term of the objective; only from Python.
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

    @property
    def kind(self) -> Literal["compact", "published"]:
        """The kind of the network: the one that is asked for, or the preset's."""
        return PRESETS[self.quality].network if self.network == "auto" else self.network

    def planned_steps(self, axes: int) -> int:
        """Steps of a training on planes (2) or stacks (3)."""
        return self.steps or PRESETS[self.quality].steps_of(axes)
