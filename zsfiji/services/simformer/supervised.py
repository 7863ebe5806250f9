"""What the compact network learns from: the truth of simulated stacks."""

from __future__ import annotations

import torch

from zsfiji.services.simformer.batch import Batch
from zsfiji.services.simformer.compact import Compact
from zsfiji.services.simformer.front import Features, features
from zsfiji.services.simformer.stream import Stream

_BRIGHT = 0.999
"""Quantile of the truth that errors are relative to."""

_SMALLEST = 3e-4
"""Squared errors below this, 35 dB, count no more."""


def seen(batch: Batch) -> list[Features]:
    """What the network sees of the stacks of a batch."""
    return [
        features(
            frames,
            batch.given.patterns(n),
            batch.given.transfer(n),
            float(batch.gain[n]),
            float(batch.read_variance[n]),
        )
        for n, frames in enumerate(batch.frames)
    ]


def relative_error(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean squared error of each stack (stack,), relative to the bright structures of its truth."""
    flat = truth.flatten(1)
    bright = torch.quantile(flat, _BRIGHT, dim=1).clamp_min(1e-6)[:, None]
    return ((found.flatten(1) - flat) / bright).square().mean(1)


class Supervised:
    """The logarithm of the squared error, so that each decibel counts the same in dim and bright.

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
        there = seen(batch)
        images = torch.stack([f.images for f in there]).contiguous(
            memory_format=torch.channels_last
        )
        found = self.network(images, torch.stack([f.noise for f in there]))
        unit = torch.tensor([f.unit for f in there])[:, None, None, None]
        error = relative_error(found, batch.emitter / unit)
        return (error + _SMALLEST).log().mean()
