"""Options for the images that a command gives, and for their pixel type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown

BitDepth = Annotated[
    Literal["auto", "32-bit", "input"],
    Field(
        description="auto: 32-bit floats, which keep fractions of a grey level, and RGB for RGB. "
        "32-bit: floats always. input: the type of the input, rounded and clipped to its range."
    ),
    Shown("Bit depth of the result", advanced=True),
]

Results = Annotated[
    Literal["both", "denoised", "deconvolved"],
    Field(description="Which of the two images to give."),
    Shown("Results", advanced=True),
]

Uncertainty = Annotated[
    bool,
    Field(
        description="A further image: the standard deviation of the error of each pixel, in grey "
        "levels, from simulated noisy copies of the result. Takes as long as applying the model "
        "three more times."
    ),
    Shown("Uncertainty map"),
]


BOTH = ("denoised", "deconvolved")
"""The results of methods that denoise and deconvolve, the main one last."""

DECONVOLVED_BYTES = 16
"""Bytes of the second one for a pixel of the image: 32 bits, four times the pixels."""

BOTH_BYTES = 4 + DECONVOLVED_BYTES
"""The same of both. Large ones lie in a file until they are handed over."""


@dataclass(frozen=True, kw_only=True)
class DenoisedAndDeconvolved(ParameterGroup):
    """Results of a command that both denoises and deconvolves.

    Attributes
    ----------
    results : {"both", "denoised", "deconvolved"}
        Which images.
    bit_depth : {"auto", "32-bit", "input"}
        The type of their pixels; see :data:`BitDepth`.
    uncertainty : bool
        Whether the uncertainty of the main one is wanted as well.
    """

    results: Results = "both"
    bit_depth: BitDepth = "auto"
    uncertainty: Uncertainty = False
