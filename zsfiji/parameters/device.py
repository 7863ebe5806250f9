"""The option for the device to compute on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import Shown

Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Field(description="Where to compute. auto: a GPU if one can be used, else the CPU."),
    Shown("Device", advanced=True),
]
