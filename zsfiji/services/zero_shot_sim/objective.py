"""What the network learns from: recorrupted pairs, then simulated raw images of its own result.

A pair is made of the frames by adding and subtracting the same noise, so that the noise of the two
is independent (Pang et al., CVPR 2021); both are reconstructed linearly. The second one is a
target without bias, but it has much noise. So after a quarter of the training the network's result
becomes the specimen of simulated raw images (:mod:`.specimens`), whose reconstructions have the
noise and the artefacts of real ones, and whose truth is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from zsfiji import progress
from zsfiji.compute.device import autocast, generator
from zsfiji.learning.examples import bright
from zsfiji.learning.patches import random_patches
from zsfiji.reconstruction import power
from zsfiji.reconstruction.stopping import noise_variance, recorrupted
from zsfiji.services.zero_shot_sim import specimens
from zsfiji.services.zero_shot_sim.applying import corrected
from zsfiji.services.zero_shot_sim.imaging import Imaging
from zsfiji.services.zero_shot_sim.settings import CONSTANTS, INPUTS


@dataclass(frozen=True)
class Field:
    """A raw stack, or a part of one, that is learnt from.

    Attributes
    ----------
    imaging : Imaging
        Its image formation.
    stack : torch.Tensor
        (angle, frame, row, col), without background and haze.
    haze : torch.Tensor or None
        The haze that was taken off, (row, col).
    """

    imaging: Imaging
    stack: torch.Tensor
    haze: torch.Tensor | None

    @property
    def variance(self) -> torch.Tensor:
        """Variance of the noise of each pixel."""
        there = self.stack if self.haze is None else self.stack + self.haze
        return noise_variance(there, self.imaging.gain, self.imaging.read_variance)


class PairsAndExamples:
    """The objective.

    Parameters
    ----------
    network : torch.nn.Module
        What is trained.
    average : torch.nn.Module
        The same with averaged weights, which gives the result that examples are made of.
    fields : sequence of Field
        What is learnt from; all of one shape and on one device.
    steps : int
        Steps of the whole training.
    seed : int
        Seed of all draws.
    """

    def __init__(
        self,
        network: nn.Module,
        average: nn.Module,
        fields: Sequence[Field],
        *,
        steps: int,
        seed: int,
    ) -> None:
        device = fields[0].stack.device
        self._network, self._average, self._fields = network, average, fields
        self._draw = generator(seed)
        self._noise = generator(seed + 1, device)
        self._first = max(1, round(CONSTANTS.first * steps))
        rounds = round(CONSTANTS.last * steps) - self._first
        self._every = max(1, rounds // CONSTANTS.renewals)
        self._seen = [field.imaging.features(field.stack) for field in fields]
        self._data = self._pairs()

    def __call__(self, step: int) -> torch.Tensor:
        """Loss of a step."""
        number, rest = divmod(step - self._first, self._every)
        if rest == 0 and 0 <= number < CONSTANTS.renewals:
            self._data = self._examples(number)
        patches = random_patches(
            self._data, CONSTANTS.batch, CONSTANTS.patch, self._draw, symmetries=(0,)
        )
        given = patches[:, :INPUTS].contiguous(memory_format=torch.channels_last)
        with autocast(patches.device):
            result = self._network(given)
        error = (result.float() - patches[:, INPUTS:]).square()
        rim = CONSTANTS.rim
        return error[..., rim:-rim, rim:-rim].mean()

    def preview(self) -> np.ndarray:
        """The result so far for the first field, (fine row, fine col), in grey levels."""
        result = corrected(self._average, self._seen[0])
        shown: np.ndarray = (result * self._fields[0].imaging.level.unit).cpu().numpy()
        return shown

    def _pairs(self) -> torch.Tensor:
        """(pair, input and target, fine row, fine col)."""
        made = []
        for number in range(max(CONSTANTS.pairs, len(self._fields))):
            field = self._fields[number % len(self._fields)]
            imaging = field.imaging
            given, target = recorrupted(field.stack, field.variance, self._noise, CONSTANTS.alpha)
            wanted = imaging.reconstructed(target, CONSTANTS.target)
            made.append(torch.cat([imaging.features(given), wanted]))
        return _even(torch.stack(made))

    @torch.no_grad()
    def _examples(self, round_: int) -> torch.Tensor:
        """The same of simulated raw images, with their truth."""
        count = min(len(self._fields), CONSTANTS.examples)
        made: list[torch.Tensor] = []
        for index in range(count):
            # Other fields each time, if there are more of them than examples.
            which = (round_ * count + index) % len(self._fields)
            share = len(range(index, CONSTANTS.examples, count))
            made += self._of_field(self._fields[which], self._seen[which], share)
        return _even(torch.stack(made))

    def _of_field(self, field: Field, seen: torch.Tensor, count: int) -> list[torch.Tensor]:
        imaging = field.imaging
        joint, unit = imaging.joint, imaging.level.unit
        whole = joint.whole(corrected(self._average, seen) * unit)
        grades = specimens.sharpened(whole, joint, specimens.GRADES)
        inside = {grade: joint.inside(specimen) for grade, specimen in grades.items()}
        rings = power.rings(imaging.wiener, field.stack)
        noise = float(field.variance.mean())
        chosen = specimens.matching_grades(inside, CONSTANTS.factors, rings, imaging.wiener, noise)
        level = bright(joint.blur.down(whole.clamp_min(0)))
        made = []
        for number in range(count):
            progress.stop_if_cancelled()
            factor = CONSTANTS.factors[number % len(CONSTANTS.factors)]
            x = specimens.turned(grades[chosen[factor]], factor, joint.blur.fine, self._draw)
            # As bright as the image, or somewhat brighter or darker.
            x = x * (level / bright(joint.blur.down(x)).clamp_min(1e-12))
            x = x * math.exp(CONSTANTS.levels * (float(torch.rand((), generator=self._draw)) - 0.5))
            capture = imaging.capture(x, field.haze, self._noise)
            truth = joint.shown(x)[None] / unit
            made.append(torch.cat([imaging.features(capture), truth]))
        return made


def _even(data: torch.Tensor) -> torch.Tensor:
    """Cut to heights and widths that the network takes."""
    rows, cols = (n // 4 * 4 for n in data.shape[-2:])
    return data[..., :rows, :cols]
