"""Options for the model files that a command reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown

ApplyModel = Annotated[
    Path | None,
    Field(
        description="A model file saved earlier. It is applied as it is, nothing is trained, and "
        "the quality and the seed do not matter."
    ),
    Shown("Apply saved model", advanced=True, path="open"),
]

SaveModel = Annotated[
    Path | None,
    Field(
        description="Where to save the model, to apply it to further images. The file gets the "
        "ending .zsfiji unless it has one."
    ),
    Shown("Save model as", advanced=True, path="save"),
]


@dataclass(frozen=True, kw_only=True)
class ModelFiles(ParameterGroup):
    """Model files of a command that trains and applies.

    Attributes
    ----------
    apply_model : Path, optional
        A model to apply without any training.
    save_model : Path, optional
        Where to save the trained model.
    """

    apply_model: ApplyModel = None
    save_model: SaveModel = None
