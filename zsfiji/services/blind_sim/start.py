"""A network that learns from the image alone gives the fit of Blind SIM a start.

It is that of Zero-Shot SIM, with the patterns, the lens and the noise that were found. What it
gives is what linear SIM would show of the specimen, without noise; Richardson-Lucy with the lens of
linear SIM sharpens that, and the joint fit goes on from there. Whether, how far it is sharpened and
how many iterations follow is decided by counts that neither the network nor the fit has seen
(:mod:`zsfiji.reconstruction.thinning`). Most specimens gain. Where they have more detail than
linear SIM passes, such as hollow tubes, the fit alone explains the frames better, and remains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from zsfiji import progress
from zsfiji.learning.denoiser import Denoiser
from zsfiji.learning.models import load_weights
from zsfiji.physics.sim.grid import SCALE
from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Known
from zsfiji.reconstruction.thinning import SHARE
from zsfiji.services.blind_sim.settings import Settings
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.calibration import Record as Found
from zsfiji.services.zero_shot_sim import restorer as zero_shot
from zsfiji.services.zero_shot_sim.fit import fit_restorer
from zsfiji.services.zero_shot_sim.settings import INPUTS
from zsfiji.services.zero_shot_sim.settings import Settings as Training
from zsfiji.services.zero_shot_sim.specimens import sharpened

GRADES = (5, 10, 20, 40)
"""Iterations of sharpening that are tried. With 80 no simulated specimen was nearer the truth."""


@dataclass(frozen=True)
class Record:
    """What a model file keeps of a start besides the weights.

    Attributes
    ----------
    network : zsfiji.services.zero_shot_sim.restorer.Record
        Of the network.
    sharpened : int
        Iterations by which its result is sharpened.
    iterations : int
        How many of the joint fit follow.
    """

    network: zero_shot.Record
    sharpened: int
    iterations: int


class Start:
    """A trained network.

    Parameters
    ----------
    record : Record
        Everything but the weights.
    restorer : zsfiji.services.zero_shot_sim.restorer.Restorer
        The network.
    """

    def __init__(self, record: Record, restorer: zero_shot.Restorer) -> None:
        self.record, self._restorer = record, restorer

    @classmethod
    def of(cls, record: Record, tensors: Mapping[str, torch.Tensor]) -> Start:
        """Make it again from what a file has."""
        network = Denoiser(INPUTS)
        load_weights(network, tensors)
        return cls(record, zero_shot.Restorer(record.network, network))

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""
        return self._restorer.tensors()

    def with_patterns(self, found: Found) -> Start:
        """The same network for a stack of other patterns."""
        network = retold(self._restorer, found)
        return Start(replace(self.record, network=network.record), network)

    def specimen(self, stack: np.ndarray, known: Known, device: torch.device) -> torch.Tensor:
        """What the fit of a stack (angle, frame, row, col) starts from, with surroundings."""
        self._restorer.to(device)
        grade = self.record.sharpened
        frames = torch.from_numpy(np.asarray(stack, np.float32)).to(device)
        return specimens(self._restorer, frames, known, (grade,))[grade]


def learned(
    known: Known, found: Found, stack: np.ndarray, settings: Settings, device: torch.device
) -> tuple[int, Start | None]:
    """Train a network on a stack, and see whether the fit should start from it.

    Parameters
    ----------
    known, found : Known, zsfiji.services.sim.calibration.Record
        Patterns, lens and noise.
    stack : numpy.ndarray
        (angle, frame, row, col), in grey levels.
    settings : Settings
        Have the quality of the network and the seed.
    device : torch.device
        Where to compute.

    Returns
    -------
    int, Start or None
        How many iterations the fit from a flat start bears, and the network, if the fit from it
        explains counts better that none of them has seen.
    """
    frames = torch.from_numpy(np.asarray(stack, np.float32)).to(device)
    networks: list[zero_shot.Restorer] = []

    def starts(given: torch.Tensor) -> dict[int, torch.Tensor]:
        if settings.network == "none" or progress.finish_requested():
            return {}
        training = Training(quality=settings.network, seed=settings.seed)
        networks.append(train_network(found, given, training, device))
        return specimens(networks[0], given, known, GRADES)

    choice = blind.chosen_start(known, frames, starts, seed=settings.seed)
    if choice.start is None:
        return choice.alone, None
    record = Record(networks[0].record, choice.start, choice.iterations)
    return choice.alone, Start(record, networks[0])


def train_network(
    found: Found, given: torch.Tensor, training: Training, device: torch.device
) -> zero_shot.Restorer:
    """Train the network of Zero-Shot SIM on a part of the counts.

    Parameters
    ----------
    found : zsfiji.services.sim.calibration.Record
        Patterns, lens and noise of the whole stack.
    given : torch.Tensor
        (angle, frame, row, col), in grey levels: see :func:`.blind.chosen_start`.
    training : zsfiji.services.zero_shot_sim.settings.Settings
        How.
    device : torch.device
        Where to compute.
    """
    return fit_restorer(
        [given.cpu().numpy()],
        Calibration(_fewer(found)),
        settings=training,
        device=device,
        label="Learning from the image",
    )


def retold(network: zero_shot.Restorer, found: Found) -> zero_shot.Restorer:
    """The same network for another stack of the channel, whose patterns have other phases."""
    return network.with_patterns(_fewer(found))


def _fewer(found: Found) -> Found:
    """The noise of the given counts, which have the light of the whole image."""
    return replace(
        found,
        gain=found.gain / SHARE,
        read_variance=found.read_variance / SHARE,
        noise_variance=found.noise_variance / SHARE,
    )


def specimens(
    network: zero_shot.Restorer,
    stack: torch.Tensor,
    known: Known,
    grades: tuple[int, ...],
) -> dict[int, torch.Tensor]:
    """The network's result for a stack, with surroundings, by how often it is sharpened.

    Parameters
    ----------
    network : zsfiji.services.zero_shot_sim.restorer.Restorer
        Where the stack is.
    stack : torch.Tensor
        (angle, frame, row, col), in grey levels.
    known : Known
        Patterns, lens and noise.
    grades : tuple of int
        Iterations of sharpening.
    """
    _, seen, _ = network.restore(stack.cpu().numpy(), stack.device)
    joint = known.joint_of(stack)
    size = tuple(SCALE * n for n in joint.shape)
    image = torch.from_numpy(np.ascontiguousarray(seen)).to(stack.device)[None, None]
    fine = F.interpolate(image, size=size, mode="bicubic", align_corners=False)[0, 0]
    return sharpened(joint.whole(fine), joint, grades)
