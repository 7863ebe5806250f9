"""The networks that SIMFormer can have, behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from zsfiji.errors import UserError
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.services.simformer import stages
from zsfiji.services.simformer.batch import Batch
from zsfiji.services.simformer.compact import STUDENT, Compact, Size
from zsfiji.services.simformer.emitter import emitter
from zsfiji.services.simformer.front import features, level
from zsfiji.services.simformer.nine import nine_frames
from zsfiji.services.simformer.stages import Stage
from zsfiji.services.simformer.vit.applying import painted
from zsfiji.services.simformer.vit.configuration import PUBLISHED, SMALL, Configuration
from zsfiji.services.simformer.vit.network import Simformer


@dataclass(frozen=True, eq=False)
class Stack:
    """A raw stack, and what is known of it.

    Attributes
    ----------
    frames : torch.Tensor
        float32 (angle, phase, row, col): light above the background of the camera, in any unit.
    patterns : Patterns or None
        Of the frames, their origin at the first pixel; None if none were looked for.
    transfer : RadialTransfer or None
        Of the lens.
    gain, read_variance : float
        Variance of a pixel is gain times light plus read variance.
    """

    frames: torch.Tensor
    patterns: Patterns | None = None
    transfer: RadialTransfer | None = None
    gain: float = 1.0
    read_variance: float = 0.0


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a network makes of a batch; all with gradients, on the three times finer grid.

    Attributes
    ----------
    emitter : torch.Tensor
        (stack, 1, 3 row, 3 col), in units of `unit` above `offset`.
    offset, unit : torch.Tensor
        (stack,): the frames are looked at as (frames - offset) / unit.
    illumination, background, psf : torch.Tensor or None
        See :class:`.vit.network.Painted`; None where the network does not give them.
    dropped : torch.Tensor or None
        (stack, frame, 3 row, 3 col): 1 where the network did not see the frames, else 0.
    """

    emitter: torch.Tensor
    offset: torch.Tensor
    unit: torch.Tensor
    illumination: torch.Tensor | None = None
    background: torch.Tensor | None = None
    psf: torch.Tensor | None = None
    dropped: torch.Tensor | None = None


class Kind(Protocol):
    """A kind of network."""

    @property
    def name(self) -> str:
        """Its name in settings and model files."""

    @property
    def crop(self) -> int:
        """Rows and columns in raw pixels that it learns from."""

    @property
    def batch(self) -> int:
        """Stacks in a step."""

    @property
    def steps(self) -> int:
        """Steps of a whole training."""

    @property
    def rate(self) -> float:
        """Highest learning rate."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Of a training on simulated stacks."""

    @property
    def needs_patterns(self) -> bool:
        """Whether it has to be told the patterns, also of nine frames."""

    def make(self, seed: int = 0, *, student: bool = False) -> nn.Module:
        """Make a network with random weights, which depend on the seed alone."""

    def outputs(self, network: nn.Module, batch: Batch, stage: Stage) -> Outputs:
        """What a network makes of crops, in training."""

    def apply(
        self, network: nn.Module, stack: Stack, label: str | None = None
    ) -> dict[str, torch.Tensor]:
        """What a network makes of a whole stack, tile by tile.

        Returns
        -------
        dict
            "emitter" last: (3 row, 3 col), in the unit of the frames, not negative. Before it what
            else the network gives: "psf" (size, size), "background" (3 row, 3 col) in the unit of
            the frames, "illumination" (9, 3 row, 3 col), its mean over the frames 1.
        """


class CompactKind:
    """A U-Net that sees linear reconstructions; see :mod:`.compact`."""

    name = "compact"
    crop, batch = 48, 4
    steps, rate = 40_000, 1e-3
    stages = stages.PLAIN
    needs_patterns = True

    def __init__(self, size: Size | None = None, student: Size | None = None) -> None:
        self._size, self._student = size or Size(), student or STUDENT

    def make(self, seed: int = 0, *, student: bool = False) -> nn.Module:
        """See :class:`Kind`."""
        return Compact(self._student if student else self._size, seed)

    def outputs(self, network: nn.Module, batch: Batch, stage: Stage) -> Outputs:
        """See :class:`Kind`."""
        assert isinstance(network, Compact)
        there = [
            features(
                frames,
                batch.given.patterns(n),
                batch.given.transfer(n),
                float(batch.gain[n]),
                float(batch.read_variance[n]),
                network.size.images,
            )
            for n, frames in enumerate(batch.frames)
        ]
        images = torch.stack([f.images for f in there])
        found = network(
            images.contiguous(memory_format=torch.channels_last),
            torch.stack([f.noise for f in there]),
        )
        offset, unit = (
            torch.tensor(values).to(found)
            for values in zip(*((f.offset, f.unit) for f in there), strict=True)
        )
        return Outputs(found, offset, unit)

    def apply(
        self, network: nn.Module, stack: Stack, label: str | None = None
    ) -> dict[str, torch.Tensor]:
        """See :class:`Kind`."""
        assert stack.patterns is not None, "it needs patterns"
        assert stack.transfer is not None, "it needs the optics"
        assert isinstance(network, Compact)
        found = emitter(
            network.eval(),
            stack.frames,
            stack.patterns,
            stack.transfer,
            gain=stack.gain,
            read_variance=stack.read_variance,
            label=label,
        )
        return {"emitter": found}


class VitKind:
    """A vision transformer; see :mod:`.vit`.

    Parameters
    ----------
    name : str
        Its name.
    configuration : Configuration
        Its sizes.
    batch, steps : int
        Of a training.
    rate : float
        Its learning rate.
    stages : tuple of Stage
        Its stages.
    """

    needs_patterns = False

    def __init__(
        self,
        name: str,
        configuration: Configuration,
        *,
        batch: int,
        steps: int,
        rate: float,
        stages: tuple[Stage, ...],
    ) -> None:
        self.name, self.configuration = name, configuration
        self.crop, self.batch, self.steps = configuration.crop, batch, steps
        self.rate, self.stages = rate, stages

    def make(self, seed: int = 0, *, student: bool = False) -> nn.Module:
        """See :class:`Kind`."""
        sizes = self.configuration
        return Simformer(sizes.student() if student else sizes, seed)

    def outputs(self, network: nn.Module, batch: Batch, stage: Stage) -> Outputs:
        """See :class:`Kind`."""
        assert isinstance(network, Simformer)
        levels = [level(frames) for frames in batch.frames]
        offset, unit = (
            torch.tensor(values).to(batch.frames) for values in zip(*levels, strict=True)
        )
        frames = normalised(batch.frames, offset, unit)
        if network.training and network.configuration.parts == "all":
            network.coding.tighten(round(stage.rank * network.configuration.decoder_width))
        found = network(frames, stage.mask, stage.noise)
        return Outputs(
            found.emitter,
            offset,
            unit,
            found.illumination,
            found.background,
            found.psf,
            found.dropped,
        )

    def apply(
        self, network: nn.Module, stack: Stack, label: str | None = None
    ) -> dict[str, torch.Tensor]:
        """See :class:`Kind`."""
        assert isinstance(network, Simformer)
        frames = stack.frames
        if stack.patterns is not None:
            frames, patterns = nine_frames(frames, stack.patterns)
            # Those that it learnt from are equally bright.
            frames = frames / patterns.brightness.to(frames)[..., None, None]
        offset, unit = level(frames)
        found = painted(network, ((frames - offset) / unit).flatten(0, 1), label)
        for name in ("emitter", "background"):
            if name in found:
                found[name] = unit * found[name]
        if "background" in found:
            found["background"] = found["background"] + offset
        return found


def normalised(frames: torch.Tensor, offset: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """Frames (stack, angle, phase, row, col) as networks see them: (stack, frame, row, col)."""
    wide = (slice(None), None, None, None)
    return (frames.flatten(1, 2) - offset[wide]) / unit[wide]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        CompactKind(),
        VitKind("small", SMALL, batch=4, steps=40_000, rate=5e-4, stages=stages.SMALL),
        VitKind(
            "published",
            PUBLISHED,
            batch=64,
            steps=stages.STEPS,
            rate=1e-4,
            stages=stages.PUBLISHED,
        ),
    )
}
"""Name -> kind."""


def kind_of(name: str) -> Kind:
    """The kind of a name; a UserError if there is none."""
    if name not in KINDS:
        raise UserError(
            f"This version of zsfiji has no network '{name}'. Choose one of {', '.join(KINDS)}."
        )
    return KINDS[name]
