"""The settings of a training of ``Zero-Shot SIM...``, its presets, and its constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Quality, Seed

STEPS = {"quick": 500, "standard": 2400, "best": 9000}
"""Training steps of each quality."""

Haze = Annotated[
    Literal["keep", "remove"],
    Field(
        description="remove: takes off smooth light that the pattern does not modulate, which is "
        "light from out of focus. Wide dim structures may go with it. keep: leaves it in."
    ),
    Shown("Haze"),
]


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All that decides about a training, besides the image, its optics and the camera.

    Attributes
    ----------
    quality : {"quick", "standard", "best"}
        How long to train.
    haze : {"keep", "remove"}
        Whether smooth light that is not modulated is removed.
    fit_per : {"channel", "plane"}
        One network for each channel, shared by all slices and time points, or one for each stack
        of patterns. Patterns are found once for each network.
    seed : int
        Seed of the initial weights and of all draws, 0 to 2**31 - 1.

    Raises
    ------
    UserError
        If a value is none of these.
    """

    quality: Quality = "standard"
    haze: Haze = "keep"
    fit_per: FitPer = "channel"
    seed: Seed = 0


@dataclass(frozen=True)
class Constants:
    """Constants of the training (docs/methods/zero-shot-sim.md, 2).

    Attributes
    ----------
    gains : tuple of float
        Ridges of the linear reconstructions that the network sees, in those of the automatic one.
        It corrects the last one.
    target : float
        Ridge of the reconstructions that are the targets of recorrupted pairs. From the prototype.
    alpha : float
        Noise that is added to the input of a pair, in standard deviations. From the prototype.
    pairs : int
        Recorrupted pairs of all fields together. From the prototype.
    patch, batch : int
        Edge of the patches on the fine grid, and how many make a step. 900 steps of these take as
        long as 300 with 4 patches of 96, and gave 0.8 dB more for filaments of 20 photons.
    rim : int
        Fine pixels at each side of a patch without a loss, for they lack context.
    first : float
        Share of the steps with recorrupted pairs, before there are examples.
    last : float
        Share of the steps after which no new examples are made.
    renewals : int
        How often examples are made.
    examples : int
        How many each time.
    factors : tuple of float
        How much the result is shrunk for an example. With 1.5 besides these, pairs of lines lost
        0.9 dB, and four other specimens changed by 0.1 dB at most.
    levels : float
        Range of the logarithm of the factor that the brightness of an example is multiplied by.
    field : int
        Longest side in raw pixels of what is learnt from: bounds the time.
    fields : int
        Most of those.
    """

    gains: tuple[float, ...] = (0.2, 5.0, 1.0)
    target: float = 0.2
    alpha: float = 0.5
    pairs: int = 6
    patch: int = 64
    batch: int = 3
    rim: int = 6
    first: float = 0.25
    last: float = 0.9
    renewals: int = 4
    examples: int = 8
    factors: tuple[float, ...] = (1.0, 1.25)
    levels: float = 0.6
    field: int = 256
    fields: int = 4


CONSTANTS = Constants()
"""Those that are used."""

INPUTS = len(CONSTANTS.gains)
"""Channels of the network's input."""
