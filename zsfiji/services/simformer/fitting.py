"""The fit of SIMFormer to the frames, from the start that explains held counts best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from zsfiji import progress
from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Fitted, Found
from zsfiji.reconstruction.thinning import SHARE
from zsfiji.services.blind_sim.start import retold, train_network
from zsfiji.services.sim.calibration import Record
from zsfiji.services.simformer import stacks as seeing
from zsfiji.services.simformer.settings import OWN
from zsfiji.services.simformer.stacks import Straight
from zsfiji.services.simformer.starts import FROM_OWN, Start, Starts, calibrated
from zsfiji.services.simformer.trained import Trained, painted
from zsfiji.services.zero_shot_sim.restorer import Restorer


class Fitter:
    """Fits specimens to stacks, and keeps what it has learnt about a channel.

    Parameters
    ----------
    iterations : int or None
        How many; None for as many as the noise bears.
    own_network : bool
        Whether a network that learns from the image alone gives other starts. None is trained where
        `iterations` are given.
    seed : int
        Of that training, and of the draws that choose a start.
    """

    def __init__(self, iterations: int | None, own_network: bool, seed: int) -> None:
        self._iterations, self._learn, self._seed = iterations, own_network, seed
        self._own: dict[int, Restorer] = {}
        self._last: dict[int, tuple[Start | None, int]] = {}
        self._repeated: Mapping[int, tuple[Start | None, int]] = {}

    def again(self) -> Fitter:
        """A fitter that repeats what this one has chosen last for a channel."""
        made = Fitter(self._iterations, self._learn, self._seed)
        made._own, made._repeated = self._own, self._last
        return made

    def fit(
        self,
        unit: Trained,
        there: Straight,
        emitter: torch.Tensor,
        channel: int,
        device: torch.device,
    ) -> tuple[Fitted[Found], Start | None]:
        """Fit a specimen to a stack.

        Parameters
        ----------
        unit : Trained
            The trained network.
        there : Straight
            The stack, and what was found in it.
        emitter : torch.Tensor
            (3 row, 3 col): what the network makes of it.
        channel : int
            Of the image; further stacks of it use the network of its own that the first one got.
        device : torch.device
            Where to compute.

        Returns
        -------
        Fitted, Start or None
            The specimen, and what the fit began with; None for a flat start.
        """
        there = replace(there, frames=there.frames.to(device))
        frames, emitter = there.frames, emitter.to(device)
        with progress.part(0, 0.15):
            found, _ = blind.with_refined(there.found, frames, emitter)
        begun = 0.15
        start: Start | None = "model"
        own: Restorer | None = None
        if self._iterations is not None:
            iterations = self._iterations
        elif channel in self._repeated:
            start, iterations = self._repeated[channel]
            if start in FROM_OWN:
                own = self._own_network(channel, calibrated(found, frames), frames)
        else:
            begun = 0.8
            with progress.part(0.15, begun):
                start, iterations, own = self._chosen(unit, there, found, channel)
        self._last[channel] = start, iterations
        with progress.part(begun, 1):
            begin = None if start is None else Starts(found, frames, emitter, own)[start]
            return blind.run(found, frames, iterations, start=begin), start

    def _chosen(
        self, unit: Trained, there: Straight, found: Found, channel: int
    ) -> tuple[Start | None, int, Restorer | None]:
        """The start that explains held counts best, how many iterations follow, and the network."""
        frames = there.frames
        own: Restorer | None = None

        def made(given: torch.Tensor) -> Mapping[Start, torch.Tensor]:
            nonlocal own
            few = seeing.known(replace(there, found=found, frames=given))
            few = replace(few, gain=few.gain / SHARE, read_variance=few.read_variance / SHARE)
            if self._learn and not progress.finish_requested():
                own = self._own_network(channel, calibrated(found, frames), given)
            emitter = painted(unit, few, frames.device)["emitter"].to(frames.device)
            return Starts(found, given, emitter, own).every()

        choice = blind.chosen_start(found, frames, made, seed=self._seed)
        return choice.start, choice.iterations, own

    def _own_network(self, channel: int, found: Record, given: torch.Tensor) -> Restorer:
        """The network that has learnt from the first stack of a channel."""
        known = self._own.get(channel)
        if known is None:
            training = replace(OWN, seed=self._seed)
            self._own[channel] = train_network(found, given, training, given.device)
            return self._own[channel]
        known.to(given.device)
        return retold(known, found)
