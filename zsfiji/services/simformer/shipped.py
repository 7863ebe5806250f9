"""The models that zsfiji ships."""

from __future__ import annotations

from pathlib import Path

from zsfiji.errors import UserError

_FOLDER = Path(__file__).parent / "weights"


def name_of(*, student: bool = False) -> str:
    """The name of the file of a shipped model."""
    return "simformer-plus.zsfiji" if student else "simformer.zsfiji"


def path_of(*, student: bool = False) -> Path:
    """The file of the shipped model.

    Raises
    ------
    UserError
        If this installation has none.
    """
    path = _FOLDER / name_of(student=student)
    if not path.is_file():
        raise UserError(
            "This installation of zsfiji has no trained model of SIMFormer. Choose a model that "
            "you have trained, or install zsfiji again."
        )
    return path
