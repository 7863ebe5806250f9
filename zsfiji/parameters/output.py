"""The pixels that a command gives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import Shown

BitDepth = Annotated[
    Literal["auto", "32-bit", "input"],
    Field(
        description="auto: 32-bit floats, which keep fractions of a grey level, and RGB for RGB. "
        "32-bit: floats always. input: the type of the input, rounded and clipped to its range."
    ),
    Shown("Bit depth of the result", advanced=True),
]
