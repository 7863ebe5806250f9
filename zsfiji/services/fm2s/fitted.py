"""FM2S without the authors' constants: measured noise, and a better target than the median filter.

The plane is stabilised, so that its noise has the standard deviation 1 everywhere, and denoised by
two filters (DCT shrinkage and non-local means). Their mean is the target. Synthetic noise with the
measured properties is added to it, and the same filters are applied. The network learns to restore
the target from the noisy and the filtered image. Correlated noise is processed at the resolution at
which it is independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from zsfiji import progress
from zsfiji.compute.device import autocast, generator, poisson
from zsfiji.learning.loop import Schedule, train
from zsfiji.learning.patches import random_patches
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.polyphase import phases, smoothed
from zsfiji.physics.noise import Noise
from zsfiji.services.fm2s.network import MARGIN, build
from zsfiji.services.fm2s.settings import DRAWS, PIXELS, STEPS

NOISE_SCALE = 0.25
"""Standard deviation of the noise in the network's input, as in Zero-Shot Denoise. Not tuned."""

INPUTS = 2
"""Channels of the network's input: the noisy image and the filtered one."""

_FIELD = 256
"""Edge in pixels of the fields from which examples are made. Chosen by eye."""

_RIM = 16
"""Pixels around a field as context for the filters: the margin of the DCT filter."""

_PATCH = 64
"""Edge of the patches of a training step. Chosen by eye."""

_BATCH = 4
"""Patches per step. Chosen by eye."""


def add_noise(clean: torch.Tensor, stabiliser: Stabiliser, source: torch.Generator) -> torch.Tensor:
    """Add noise with the measured properties to a clean image.

    ``m + gain * (Poisson(t) - t)`` with ``t = m / gain + intercept / gain**2`` has the mean m and
    the variance ``gain * m + intercept``: the intercept accounts for the offset of the
    camera and its read noise.

    Parameters
    ----------
    clean : torch.Tensor
        Stabilised clean image, any shape.
    stabiliser : Stabiliser
        Has gain and intercept.
    source : torch.Generator
        Random numbers, on the device of `clean`.

    Returns
    -------
    torch.Tensor
        Stabilised noisy image of the same shape.
    """
    if stabiliser.gain == 0:
        return clean + torch.randn(clean.shape, generator=source, device=clean.device)
    gain, dark = stabiliser.gain, stabiliser.intercept / stabiliser.gain
    mean = torch.from_numpy(stabiliser.inverse(clean.cpu().numpy()).astype(np.float32))
    # Below the darkest value that the measured line allows, pixels keep their mean, without noise.
    mean = mean.to(clean.device)
    expected = ((mean + dark) / gain).clamp_min(0)
    return stabiliser.root(mean + gain * (poisson(expected, source) - expected))


def fit_network(
    planes: Sequence[np.ndarray],
    noise: Noise,
    d: int,
    quality: str,
    *,
    seed: int,
    device: torch.device,
    label: str,
    preview: Callable[[nn.Sequential, float], np.ndarray] | None = None,
) -> tuple[nn.Sequential, float]:
    """Train a network on noisy planes.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col), all of one size.
    noise : Noise
        Noise at working resolution.
    d : int
        Working resolution in pixels.
    quality : str
        A key of :data:`STEPS`.
    seed : int
        Seed of weights, places and noise.
    device : torch.device
        Where to train.
    label : str
        What is being done, in words for the user.
    preview : callable, optional
        Takes the network and its centre and gives the current result as a 2D array.

    Returns
    -------
    network : torch.nn.Sequential
        On `device`.
    centre : float
        Stabilised value that is 0 in the network's input.
    """
    with progress.part(0, 0.3):
        examples, centre = _examples(planes, noise, d, PIXELS[quality], seed, device, label)
    network = build(INPUTS, 1, seed).to(device)
    objective = FittedObjective(network, examples, seed + 1)
    schedule = Schedule(
        STEPS[quality], learning_rate=3e-3, warmup=20, final_fraction=0.02, ema=0.99
    )
    shown = None if preview is None else lambda: preview(network, centre)
    with progress.part(0.3, 1):
        train(network, objective, schedule, label=label, preview=shown)
    return network, centre


class FittedObjective:
    """The mean squared error of the filtered image after the network's correction.

    Parameters
    ----------
    network : torch.nn.Module
        The network, on the device of the examples.
    examples : torch.Tensor
        Shape (fields, 3, field, field): noisy, filtered and clean, scaled for the network.
    seed : int
        Seed of places, flips and rotations.
    """

    def __init__(self, network: nn.Module, examples: torch.Tensor, seed: int) -> None:
        self.network, self.examples = network, examples
        self._places = generator(seed)

    def __call__(self, step: int) -> torch.Tensor:
        """Loss of a step."""
        patches = random_patches(self.examples, _BATCH, _PATCH, self._places)
        inputs = patches[:, :INPUTS].contiguous(memory_format=torch.channels_last)
        with autocast(inputs.device):
            correction = self.network(inputs)
        error = (patches[:, 1:2] + correction.float() - patches[:, INPUTS:]).square()
        height, width = error.shape[-2:]
        return error[..., MARGIN : height - MARGIN, MARGIN : width - MARGIN].mean()


def _examples(
    planes: Sequence[np.ndarray],
    noise: Noise,
    d: int,
    pixels: int,
    seed: int,
    device: torch.device,
    label: str,
) -> tuple[torch.Tensor, float]:
    """Make examples, shape (fields, 3, field, field): noisy, filtered and clean; and the centre."""
    stabiliser = Stabiliser.of(noise)
    source = generator(seed + 2, device)
    places = generator(seed + 3)
    parts = [(plane, part) for plane in range(len(planes)) for part in phases(d)]
    height, width = (n // d for n in planes[0].shape)
    tall, wide = min(_FIELD + 2 * _RIM, height), min(_FIELD + 2 * _RIM, width)
    # Each pixel of a small image is used at most DRAWS times.
    pixels = min(pixels, DRAWS * height * width * len(parts))
    count = max(1, round(pixels / (tall * wide)))
    made, clean_values = [], []
    for number in range(count):
        progress.report(number / count, label)
        which = torch.randint(len(parts), (1,), generator=places).item()
        top, left = (
            int(torch.randint(limit, (1,), generator=places))
            for limit in (height - tall + 1, width - wide + 1)
        )
        plane, part = parts[int(which)]
        coarse = smoothed(planes[plane], d)[part][top : top + tall, left : left + wide]
        noisy = torch.from_numpy(stabiliser.forward(coarse)).to(device)
        clean = filtered(noisy, noise)
        synthetic = add_noise(clean, stabiliser, source)
        made.append(torch.stack([synthetic, filtered(synthetic, noise), clean]))
        clean_values.append(clean.median())
    centre = float(torch.stack(clean_values).median())
    return (torch.stack(made) - centre) * NOISE_SCALE, centre


def apply_network(network: nn.Module, both: torch.Tensor) -> torch.Tensor:
    """Apply the network to the noisy and the filtered image.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    both : torch.Tensor
        Shape (2, height, width), scaled and centred.

    Returns
    -------
    torch.Tensor
        Shape (1, height, width).
    """
    return both[1:2] + network(both[None])[0]
