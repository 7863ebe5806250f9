"""Options for the files that a command learns from, and for model files."""

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
    Shown("Save model as", advanced=True, path="save", without="apply_model"),
]

StartModel = Annotated[
    Path | None,
    Field(
        description="A model saved earlier for the same kind of image. The training continues "
        "from it."
    ),
    Shown("Continue training from", advanced=True, path="open", without="apply_model"),
]

MoreImages = Annotated[
    Path | None,
    Field(
        description="A folder with further images of the same kind (same camera, optics, pixel "
        "size, channels and slices), which the network learns from as well."
    ),
    Shown("Folder of further images", advanced=True, path="folder", without="apply_model"),
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
