"""What the compact network learns from: the truth of simulated stacks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from zsfiji.services.simformer.batch import Batch
from zsfiji.services.simformer.compact import Compact
from zsfiji.services.simformer.front import IMAGES, Features, features
from zsfiji.services.simformer.stream import Stream

_BRIGHT = 0.999
"""Quantile of the truth that errors are relative to."""

_SMALLEST = 3e-4
"""Squared errors below this, 35 dB, count no more."""


def seen(batch: Batch, images: Sequence[int] = IMAGES) -> list[Features]:
    """What a network of such images sees of the stacks of a batch."""
    return [
        features(
            frames,
            batch.given.patterns(n),
            batch.given.transfer(n),
            float(batch.gain[n]),
            float(batch.read_variance[n]),
            images,
        )
        for n, frames in enumerate(batch.frames)
    ]


def as_input(batch: Batch, network: Compact) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a network takes of a batch: images, noise, and the unit of its result (stack, 1, 1, 1).

    Results are light above the background.
    """
    there = seen(batch, network.size.images)
    images = torch.stack([f.images for f in there])
    unit = torch.tensor([f.unit for f in there])[:, None, None, None]
    images = images.contiguous(memory_format=torch.channels_last)
    return images, torch.stack([f.noise for f in there]), unit


def loss_of(found: torch.Tensor, target: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The logarithm of the squared error, so that each decibel counts the same in dim and bright.

    Errors are relative to the bright structures of the truth. All are (stack, 1, 3 row, 3 col) in
    one unit.
    """
    return (relative_error(found, target, truth) + _SMALLEST).log().mean()


def relative_error(
    found: torch.Tensor, target: torch.Tensor, truth: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean squared error of each stack (stack,), relative to the bright structures of its truth.

    The truth is the target, unless another one is given.
    """
    bright = torch.quantile((target if truth is None else truth).flatten(1), _BRIGHT, dim=1)
    error = (found - target).flatten(1) / bright.clamp_min(1e-6)[:, None]
    return error.square().mean(1)


class Supervised:
    """The error of a network.

    Parameters
    ----------
    network : Compact
        The network.
    stream : Stream
        What it learns from.
    """

    def __init__(self, network: Compact, stream: Stream) -> None:
        self.network, self.stream = network, stream

    def __call__(self, step: int) -> torch.Tensor:
        """The loss of a step."""
        batch = self.stream.batch(step)
        images, noise, unit = as_input(batch, self.network)
        return loss_of(self.network(images, noise) * unit, batch.emitter, batch.emitter)
