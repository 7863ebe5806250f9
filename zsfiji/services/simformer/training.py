"""Training on simulated stacks, on one image, and of a student; all can be continued."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from zsfiji.learning import state as states
from zsfiji.learning.loop import Schedule, train
from zsfiji.learning.state import TrainingState
from zsfiji.services.simformer import stages
from zsfiji.services.simformer.crops import Crops, alternating
from zsfiji.services.simformer.distilling import Augmentation, Distillation
from zsfiji.services.simformer.kinds import Kind, Stack
from zsfiji.services.simformer.objective import Objective, simulated
from zsfiji.services.simformer.settings import Settings
from zsfiji.services.simformer.stream import Stream

_WARMUP = 50
_AVERAGED = 0.998
"""Decay of the average of the weights."""

_CLIP = 1.0
"""Largest norm of a gradient, as published."""

_DECAY = 1e-4
"""Of the weights of a vision transformer, as published."""

_FINE_RATE = 0.1
"""Learning rate on one image, over that of a training."""

_FEW = 48
"""Specimens in the memory of a short training."""


@dataclass(frozen=True)
class Course:
    """How a training went.

    Attributes
    ----------
    steps, planned : int
        Steps that were done, and that were to be done.
    losses : tuple of (int, float)
        Step and loss.
    """

    steps: int
    planned: int
    losses: tuple[tuple[int, float], ...]


def steps_of(kind: Kind, settings: Settings) -> int:
    """Steps of a training on simulated stacks."""
    return settings.steps or kind.steps


def train_network(
    kind: Kind,
    network: nn.Module,
    settings: Settings,
    *,
    kept: Path | None = None,
    label: str = "Training",
) -> Course:
    """Train a network on simulated stacks, in place.

    Parameters
    ----------
    kind : Kind
        Of the network.
    network : torch.nn.Module
        The network.
    settings : Settings
        How long, and what it learns from.
    kept : Path, optional
        A file with the state of the training: it goes on from there if it exists. It is written
        50 times in a training, and at its end.
    label : str
        What to report as progress.

    Raises
    ------
    Cancelled
        If the user asked to stop; the state is that of the last time.
    UserError
        If the state is that of another training.
    """
    steps = steps_of(kind, settings)
    stream = Stream(settings.seed, crop=kind.crop, batch=kind.batch, **_memory(steps))
    objective = Objective(
        kind,
        network,
        lambda step: simulated(stream.batch(step)),
        stages=kind.stages,
        steps=steps,
        learn_from=settings.learn_from,
        seed=settings.seed,
    )
    return _run(network, objective, _schedule(kind, steps), kept, label)


def fine_tune(
    kind: Kind,
    network: nn.Module,
    stacks: Sequence[Stack],
    *,
    steps: int,
    seed: int,
    label: str = "Fine-tuning",
) -> Course:
    """Go on training a network on one image, in place.

    Every second step is on simulated stacks with their truth: on the image alone it would forget
    what a specimen looks like.

    Parameters
    ----------
    kind : Kind
        Of the network.
    network : torch.nn.Module
        The network.
    stacks : sequence of Stack
        Raw stacks of the image.
    steps, seed : int
        How long, and the seed of all draws.
    label : str
        What to report as progress.

    Raises
    ------
    UserError
        If the image is smaller than a crop.
    """
    crops = Crops(kind, stacks, seed)
    stream = Stream(seed, crop=kind.crop, batch=kind.batch, **_memory(steps))
    objective = Objective(
        kind,
        network,
        alternating(crops, lambda step: simulated(stream.batch(step))),
        stages=stages.PLAIN if kind.needs_patterns else stages.FINE_TUNING,
        steps=steps,
        seed=seed,
    )
    schedule = _schedule(kind, steps, rate=_FINE_RATE * kind.rate)

    def preview() -> np.ndarray:
        with torch.no_grad():
            shown: np.ndarray = kind.apply(network, stacks[0])["emitter"].cpu().numpy()
        network.train()
        return shown

    return _run(network, objective, schedule, None, label, preview)


def distil(
    kind: Kind,
    teacher: nn.Module,
    student: nn.Module,
    settings: Settings,
    *,
    augmentation: Augmentation | None = None,
    kept: Path | None = None,
    label: str = "Distilling",
) -> Course:
    """Teach a student what a network makes of simulated stacks with less noise, in place.

    Parameters
    ----------
    kind : Kind
        Of both networks.
    teacher, student : torch.nn.Module
        The networks. What both have, the student gets first.
    settings : Settings
        How long.
    augmentation : Augmentation, optional
        The noise that the student sees.
    kept, label
        See :func:`train_network`.
    """
    inherit(teacher, student)
    steps = steps_of(kind, settings)
    stream = Stream(settings.seed, crop=kind.crop, batch=kind.batch, **_memory(steps))
    objective = Distillation(
        kind, teacher, student, stream.batch, augmentation=augmentation, seed=settings.seed
    )
    return _run(student, objective, _schedule(kind, steps), kept, label)


def inherit(teacher: nn.Module, student: nn.Module) -> None:
    """Give a student those weights of a teacher that it has as well, with the same shape."""
    own = student.state_dict()
    given = {
        name: value
        for name, value in teacher.state_dict().items()
        if name in own and own[name].shape == value.shape
    }
    student.load_state_dict({**own, **given})


def _run(
    network: nn.Module,
    objective: Callable[[int], torch.Tensor],
    schedule: Schedule,
    kept: Path | None,
    label: str,
    preview: Callable[[], np.ndarray] | None = None,
) -> Course:
    """Train in stretches, and save after each."""
    state = states.load(kept) if kept is not None and kept.exists() else TrainingState()
    losses: list[tuple[int, float]] = []
    while True:
        history = train(
            network,
            objective,
            schedule,
            label=label,
            preview=preview,
            state=state,
            stop=None if kept is None else lambda _: True,
        )
        losses += history.losses
        if kept is not None:
            states.save(state, kept)
        if history.finished_early or history.steps >= schedule.steps:
            return Course(history.steps, schedule.steps, tuple(losses))


def _schedule(kind: Kind, steps: int, rate: float | None = None) -> Schedule:
    return Schedule(
        steps=steps,
        learning_rate=rate or kind.rate,
        betas=(0.9, 0.999),
        warmup=min(_WARMUP, steps // 10),
        final_fraction=0.05,
        ema=_AVERAGED,
        clip=_CLIP,
        weight_decay=0.0 if kind.needs_patterns else _DECAY,
    )


def _memory(steps: int) -> dict[str, int]:
    """Specimens of the stream: drawing them takes longer than a step."""
    return {} if steps > 20 * _FEW else {"kept": _FEW}
