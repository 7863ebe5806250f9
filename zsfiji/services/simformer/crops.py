"""Crops of one image, to go on learning from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from zsfiji.errors import UserError
from zsfiji.learning.foreground import centres
from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.stopping import noise_variance, recorrupted
from zsfiji.services.simformer.batch import Batch, Imaging
from zsfiji.services.simformer.kinds import Kind, Stack
from zsfiji.services.simformer.nine import ANGLES, PHASES, is_nine, nine_frames, shares
from zsfiji.services.simformer.objective import Example

_ALPHA = 0.5
"""Noise that is added to the frames that the network sees, in standard deviations."""

_ANYWHERE = 0.2
"""Share of the crops that are not centred on structure."""


class Crops:
    """Examples of the steps of a training on one image.

    The frames that the compact network sees and those that its result has to explain have
    independent noise (Pang et al., CVPR 2021), so that it does not learn the noise. A vision
    transformer does not see all of the frames that it explains, as published.

    Parameters
    ----------
    kind : Kind
        Of the network.
    stacks : sequence of Stack
        Raw stacks, all of one shape.
    seed : int
        Of places and noise.

    Raises
    ------
    UserError
        If they are smaller than a crop, or cannot be brought to nine frames.
    """

    def __init__(self, kind: Kind, stacks: Sequence[Stack], seed: int = 0) -> None:
        self._kind, self._seed = kind, seed
        nine = [_nine(stack) for stack in stacks]
        # Noise is added to the frames of the camera: that of the nine is not independent.
        self._stacks = list(stacks) if kind.needs_patterns else nine
        rows, cols = nine[0].frames.shape[-2:]
        if min(rows, cols) < kind.crop:
            raise UserError(
                f"The image is {cols} x {rows} pixels, and the network learns from crops of "
                f"{kind.crop} x {kind.crop}. Choose a larger image or region."
            )
        means = [stack.frames.mean((0, 1)).cpu().numpy() for stack in nine]
        self._centres = centres(means, _ANYWHERE)

    def __call__(self, step: int) -> Example:
        """The crops of a step, counted from 0."""
        draws = np.random.default_rng([self._seed, 3, step])
        chosen = self._centres[draws.integers(len(self._centres), size=self._kind.batch)]
        side = self._kind.crop
        parts = []
        for number, row, col in chosen.tolist():
            stack = self._stacks[number]
            height, width = stack.frames.shape[-2:]
            top = min(max(row - side // 2, 0), height - side)
            left = min(max(col - side // 2, 0), width - side)
            parts.append(_cut(stack, top, left, side))
        if not self._kind.needs_patterns:
            batch = _batch(parts)
            return Example(batch, batch.frames, true=False)
        variance = torch.stack(
            [noise_variance(p.frames, p.gain, p.read_variance) for p in parts]
        ).clamp_min(1e-12)
        noise = torch.Generator().manual_seed(int(draws.integers(2**31)))
        frames = torch.stack([part.frames for part in parts])
        seen, explained = (
            [_nine(replace(part, frames=made)) for part, made in zip(parts, both, strict=True)]
            for both in recorrupted(frames, variance, noise, _ALPHA)
        )
        batch, more = _batch(seen), 1 + _ALPHA**2
        batch = replace(batch, gain=more * batch.gain, read_variance=more * batch.read_variance)
        target = torch.stack([part.frames for part in explained])
        of_nine = [_variance(part, own) for part, own in zip(parts, variance, strict=True)]
        return Example(batch, target, torch.stack(of_nine) * (1 + _ALPHA**-2), true=False)


def alternating(
    first: Callable[[int], Example], second: Callable[[int], Example]
) -> Callable[[int], Example]:
    """Examples of two sources in turn."""

    def of(step: int) -> Example:
        return (first, second)[step % 2](step // 2)

    return of


def _nine(stack: Stack) -> Stack:
    """A stack as nine frames; gain and read variance are means over them."""
    if stack.patterns is None or is_nine(*map(int, stack.frames.shape[:2])):
        return stack
    frames, patterns = nine_frames(stack.frames, stack.patterns)
    less = float(shares(stack.patterns).square().sum(1).mean())
    return replace(
        stack,
        frames=frames,
        patterns=patterns,
        gain=less * stack.gain,
        read_variance=less * stack.read_variance,
    )


def _variance(stack: Stack, variance: torch.Tensor) -> torch.Tensor:
    """Variance of the pixels of nine frames, from that of the pixels of a stack."""
    if stack.patterns is None or is_nine(*map(int, stack.frames.shape[:2])):
        return variance
    of_frames = shares(stack.patterns).square().to(variance)
    found = torch.einsum("mn,nyx->myx", of_frames, variance.flatten(0, 1))
    return found.unflatten(0, (ANGLES, PHASES))


def _cut(stack: Stack, top: int, left: int, side: int) -> Stack:
    frames = stack.frames[..., top : top + side, left : left + side]
    patterns = stack.patterns
    if patterns is not None:
        patterns = patterns.moved(float(top), float(left))
    return replace(stack, frames=frames, patterns=patterns)


def _batch(parts: Sequence[Stack]) -> Batch:
    frames = torch.stack([part.frames for part in parts])
    side = int(frames.shape[-1])
    imaging = _imaging(parts)
    return Batch(
        frames,
        torch.zeros(len(parts), 1, SCALE * side, SCALE * side),
        imaging,
        imaging,
        torch.tensor([part.gain for part in parts]),
        torch.tensor([part.read_variance for part in parts]),
    )


def _imaging(parts: Sequence[Stack]) -> Imaging:
    """Patterns and optics; zeros where they are not known."""

    def of(get: Callable[[Patterns], torch.Tensor], *shape: int) -> torch.Tensor:
        found = [None if p.patterns is None else get(p.patterns) for p in parts]
        nothing = torch.zeros(shape, dtype=torch.float64)
        return torch.stack([nothing if f is None else f for f in found])

    lenses = [part.transfer for part in parts]
    return Imaging(
        of(lambda p: p.wave_vectors[:, 0], 3, 2),
        of(lambda p: p.phases[:, 0], 3, 3),
        of(lambda p: p.modulation[:, 0], 3),
        torch.tensor([1 / 3 if t is None else t.cutoff for t in lenses], dtype=torch.float64),
        torch.tensor([1.0 if t is None else t.damping for t in lenses], dtype=torch.float64),
    )
