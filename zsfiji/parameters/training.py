"""Options for the training, which all methods have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import Shown

Quality = Annotated[
    Literal["quick", "standard", "best"],
    Field(
        description="How much computing to spend: quick for a look, standard for a result, best "
        "when time does not matter."
    ),
    Shown("Quality"),
]

FitPer = Annotated[
    Literal["channel", "plane"],
    Field(
        description="channel: one model for all slices and frames of a channel, which is faster, "
        "keeps a time-lapse from flickering and learns from every plane. plane: one model for "
        "each plane, for stacks whose planes differ strongly."
    ),
    Shown("Fit one model per"),
]

Seed = Annotated[
    int,
    Field(
        ge=0,
        le=2**31 - 1,
        description="Start of the random numbers. The same seed gives the same pixels on the same "
        "machine.",
    ),
    Shown("Seed"),
]
