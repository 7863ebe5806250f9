"""The settings of a training of SIMFormer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import Seed
from zsfiji.services.zero_shot_sim.settings import Settings as Training

OWN = Training(quality="quick")
"""Of the network that learns from the image alone, for the start of a fit."""

FINE_STEPS = 400
"""Steps of a training on one image, half of them on simulated stacks."""

Network = Annotated[
    Literal["compact", "small", "published"],
    Field(
        description="compact: a U-Net that sees linear reconstructions, the one that zsfiji ships. "
        "small: a vision transformer of 5 million parameters that sees the frames. published: the "
        "published one of 228 million parameters, which wants a large GPU."
    ),
    Shown("Network"),
]

Steps = Annotated[
    int,
    Field(
        ge=0,
        le=10_000_000,
        description="Training steps. 0: those of the network, 40,000 for compact and small.",
    ),
    Shown("Steps (0 = default)"),
]

LearnFrom = Annotated[
    Literal["truth", "frames"],
    Field(
        description="truth: the truth of the simulated specimens is learnt as well. frames: only "
        "that the result explains the frames, as published; from random weights this needs a very "
        "long training, or gives an empty image."
    ),
    Shown("Learn from", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All that decides about a training.

    Attributes
    ----------
    network : {"compact", "small", "published"}
        The network.
    steps : int
        Training steps; 0 takes those of the network.
    learn_from : {"truth", "frames"}
        What is learnt from.
    seed : int
        Seed of the initial weights and of all draws, 0 to 2**31 - 1.

    Raises
    ------
    UserError
        If a value is none of these.
    """

    network: Network = "compact"
    steps: Steps = 0
    learn_from: LearnFrom = "truth"
    seed: Seed = 0
