"""Settings of ``Blind SIM...``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Seed

Iterations = Annotated[
    int,
    Field(
        ge=0,
        le=2000,
        description="Iterations. 0: as many as the noise bears. More show finer detail and more "
        "noise: 500 tell bright points apart that the automatic number does not.",
    ),
    Shown("Iterations (0 = auto)", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All that decides about a reconstruction.

    Attributes
    ----------
    iterations : int
        How many; 0 for as many as the noise bears.
    fit_per : {"channel", "plane"}
        Patterns, optics and iterations for each channel, or for each stack of patterns.
    seed : int
        Of the draws by which iterations are counted.
    """

    iterations: Iterations = 0
    fit_per: FitPer = "channel"
    seed: Seed = 0
