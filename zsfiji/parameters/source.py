"""An image that is the value of an option: an open one, or a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import CoreSchema, core_schema

from zsfiji.errors import UserError
from zsfiji.images.files import user_path

if TYPE_CHECKING:
    import xarray as xr

Windows = Callable[[str], "xr.DataArray | None"]
"""Gives the open image with a title, None if there is none."""


@dataclass(frozen=True)
class Source:
    """An image as the value of an option.

    Attributes
    ----------
    text : str
        Title or path, as written in a macro.
    image : xarray.DataArray, optional
        The image, if it is in memory. A file is read by the command, which knows its content.
    """

    text: str
    image: xr.DataArray | None = None

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        """Accept it unchanged: the content is checked when it is used."""
        return core_schema.is_instance_schema(cls)

    @classmethod
    def of(cls, value: Any) -> Source:
        """Make one from a title, a path, an array or an image."""
        if isinstance(value, (Source, str)):
            return value if isinstance(value, Source) else cls(value)
        if isinstance(value, os.PathLike):
            return cls(Path(value).as_posix())
        from zsfiji.images.axes import as_image

        image = as_image(value)
        return cls(str(image.attrs.get("title") or "array"), image)

    @property
    def path(self) -> Path:
        """The file, if the image is not in memory; a UserError if it is in nobody's home."""
        return user_path(self.text)

    def found(self, label: str, windows: Windows | None) -> Source:
        """Look the image up: among the open ones first, then among the files.

        Parameters
        ----------
        label : str
            Label of the option, for the message.
        windows : callable or None
            The open images; None for a host without windows.

        Raises
        ------
        UserError
            If there is no such image.
        """
        if self.image is not None:
            return self
        image = windows(self.text) if windows is not None else None
        if image is not None:
            return replace(self, image=image)
        # Path.is_file raises where a folder may not be entered, or a name is too long.
        if os.path.isfile(self.path):
            return self
        none = "no open image and no file" if windows is not None else "no file"
        raise UserError(f'{label}: there is {none} "{self.text}".')
