"""The kinds of simulated specimens, which :mod:`zsfiji.physics.specimens` draws."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import Shown

Kind = Literal[
    "filaments",
    "tubules",
    "vesicles",
    "reticulum",
    "mixed",
    "spots",
    "texture",
    "pairs",
    "crossings",
]

Structure = Annotated[
    Kind,
    Field(
        description="What the specimen is made of. texture: detail of all sizes. pairs and "
        "crossings: lines of known distance."
    ),
    Shown("Structure"),
]
