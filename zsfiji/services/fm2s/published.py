"""The published method: a median-filtered target, hand-tuned noise, two stages of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import nn

from zsfiji.compute.device import autocast, generator
from zsfiji.learning.loop import Schedule, train
from zsfiji.learning.patches import random_patches
from zsfiji.services.fm2s.injection import inject, strength
from zsfiji.services.fm2s.network import MARGIN, build
from zsfiji.services.fm2s.presets import Preset
from zsfiji.services.fm2s.recipes import COARSE_STEPS, STEPS_PER_DRAW, Recipe

LEARNING_RATE = 1e-3
"""Learning rate of Adam, as published."""


def fit_network(
    planes: Sequence[np.ndarray],
    preset: Preset,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    label: str,
    preview: Callable[[nn.Sequential], np.ndarray] | None = None,
) -> nn.Sequential:
    """Train a network on noisy planes.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col) in units of full scale, all of one size.
    preset : Preset
        The constants.
    recipe : Recipe
        How to train.
    seed : int
        Seed of weights, places and noise.
    device : torch.device
        Where to train.
    label : str
        What is being done, in words for the user.
    preview : callable, optional
        Takes the network and gives the current result as a 2D array.

    Returns
    -------
    torch.nn.Sequential
        The network, on `device`.
    """
    network = build(preset.channels, preset.channels, seed).to(device)
    examples = Examples(planes, preset, recipe, seed=seed, device=device)
    objective = PublishedObjective(network, examples)
    schedule = Schedule(recipe.steps, LEARNING_RATE)
    shown = None if preview is None else lambda: preview(network)
    train(network, objective, schedule, label=label, preview=shown)
    return network


class Examples:
    """Planes with their targets, and synthetic noisy images of these targets.

    Parameters
    ----------
    planes : sequence of numpy.ndarray
        float32 (row, col) in units of full scale, all of one size.
    preset : Preset
        The constants.
    recipe : Recipe
        How to train.
    seed : int
        Seed of places and noise.
    device : torch.device
        Where the examples are.
    """

    def __init__(
        self,
        planes: Sequence[np.ndarray],
        preset: Preset,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        noisy = torch.from_numpy(np.stack(planes))[:, None]
        clean = torch.from_numpy(np.stack([target(p, preset) for p in planes]))[:, None]
        regions = strength(clean, preset.stride)
        self._stack = torch.cat([noisy, clean, regions], 1).to(device)
        self._preset, self._recipe = preset, recipe
        self._places = generator(seed + 1)
        self._noise = generator(seed + 2, device)
        # If full scale was measured in the image, some pixels are above it.
        self._ceiling = max(1.0, float(noisy.max()))
        edge = min(*self._stack.shape[-2:], recipe.patch or 0)
        self.rim = MARGIN if edge > 4 * MARGIN else 0

    def noisy(self) -> tuple[torch.Tensor, torch.Tensor]:
        """An example of stage 1: copies of the noisy image, and its target."""
        patch = self._draw(1)
        return patch[:, :1].expand(-1, self._preset.channels, -1, -1), patch[:, 1:2]

    def synthetic(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Examples of one draw of stage 2: synthetic noisy images and their targets.

        Each step uses either the whole of one synthetic image, or one patch.
        """
        patches = self._draw(STEPS_PER_DRAW)
        wanted, region = patches[:, 1:2], patches[:, 2:3]
        copies = wanted.expand(-1, self._preset.channels, -1, -1)
        inputs = inject(copies, region, self._preset, self._noise, ceiling=self._ceiling)
        return list(zip(inputs.split(1), wanted.split(1), strict=True))

    def _draw(self, count: int) -> torch.Tensor:
        if self._recipe.patch is not None:
            return random_patches(self._stack, count, self._recipe.patch, self._places)
        which = int(torch.randint(len(self._stack), (1,), generator=self._places).item())
        return self._stack[which : which + 1]


class PublishedObjective:
    """The objective of both stages: the mean squared error to the target.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    examples : Examples
        What it learns from.
    """

    def __init__(self, network: nn.Module, examples: Examples) -> None:
        self.network, self.examples = network, examples
        self._batch: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __call__(self, step: int) -> torch.Tensor:
        """Loss of a step; steps come from 0 and in order."""
        if step < COARSE_STEPS:
            return self._loss(*self.examples.noisy())
        number = (step - COARSE_STEPS) % STEPS_PER_DRAW
        if number == 0:
            self._batch = self.examples.synthetic()
        return self._loss(*self._batch[number % len(self._batch)])

    def _loss(self, inputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with autocast(inputs.device):
            result = self.network(inputs)
        error = (result.float() - wanted).square()
        height, width = error.shape[-2:]
        rim = self.examples.rim
        return error[..., rim : height - rim or None, rim : width - rim or None].mean()


def target(plane: np.ndarray, preset: Preset) -> np.ndarray:
    """Give the target: the median-filtered plane, float32 (row, col), not negative.

    Parameters
    ----------
    plane : numpy.ndarray
        Shape (row, col), in units of full scale.
    preset : Preset
        Has the width of the median filter.
    """
    return np.maximum(median_filter(plane, preset.median, mode="reflect"), 0, dtype=np.float32)


def apply_network(network: nn.Module, plane: torch.Tensor, channels: int) -> torch.Tensor:
    """Apply the network to copies of a plane, and take the mean of its results.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    plane : torch.Tensor
        Shape (1, height, width), in units of full scale.
    channels : int
        Number of copies.

    Returns
    -------
    torch.Tensor
        Shape (1, height, width).
    """
    return network(plane.expand(1, channels, -1, -1))[0].mean(0, keepdim=True)
