"""Settings of ``Blind SIM...``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.sim import Iterations
from zsfiji.parameters.training import FitPer, Seed

Network = Annotated[
    Literal["none", "quick", "standard", "best"],
    Field(
        description="How long a network learns from this image to give the fit a better start. It "
        "is left out where it does not explain the image better, where the number of iterations is "
        "given, and with none."
    ),
    Shown("Network"),
]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All that decides about a reconstruction.

    Attributes
    ----------
    network : {"none", "quick", "standard", "best"}
        How long the network is trained that the fit may start from. None is if `iterations` are
        given.
    iterations : int
        How many; 0 for as many as the noise bears.
    fit_per : {"channel", "plane"}
        Patterns, optics and iterations for each channel, or for each stack of patterns.
    seed : int
        Of the draws by which iterations are counted, and of the training.
    """

    network: Network = "quick"
    iterations: Iterations = 0
    fit_per: FitPer = "channel"
    seed: Seed = 0
