"""Settings of ``Blind SIM...``."""

from __future__ import annotations

from dataclasses import dataclass

from zsfiji.parameters.declare import ParameterGroup
from zsfiji.parameters.sim import Iterations
from zsfiji.parameters.training import FitPer, Seed


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
