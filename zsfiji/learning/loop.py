"""The one training loop that every method uses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from zsfiji import progress
from zsfiji.compute.allocator import memory_kept
from zsfiji.errors import UserError
from zsfiji.learning.adam import Adam
from zsfiji.learning.state import TrainingState, trained_parameters
from zsfiji.words import counted

REPORT_EVERY = 0.2
"""Seconds between two reports, and so between two reads of the loss from the device. Not tuned."""

STOP_CHECKS = 50
"""How often a stopping rule is called in a whole schedule. Not tuned; the rule has to be cheap."""


class DivergedError(UserError):
    """The loss of a training is no longer a finite number."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train, with Adam.

    Attributes
    ----------
    steps : int
        Number of optimisation steps.
    learning_rate : float
        Highest learning rate.
    betas : tuple of float
        Adam's decay rates of the mean gradient and of the mean squared gradient.
    warmup : int
        Steps over which the learning rate rises linearly from zero.
    final_fraction : float
        Share of the learning rate at the end of a cosine decay; 1 keeps it constant.
    ema : float or None
        Decay of the exponential moving average of the weights, which become the final weights; the
        decay of step i is ``min(ema, (i + 1) / (i + 10))``. None keeps the last weights.
    halve_at : tuple of int
        Steps at which the learning rate is halved.
    decay : float
        The learning rate of step i is divided by ``1 + decay * i``.
    clip : float or None
        Largest norm of the gradient of all weights together; a longer one is shortened.
    weight_decay : float
        Share of the learning rate by which the weights become smaller in each step (AdamW).
    """

    steps: int
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 0
    final_fraction: float = 1.0
    ema: float | None = None
    halve_at: tuple[int, ...] = ()
    decay: float = 0.0
    clip: float | None = None
    weight_decay: float = 0.0

    def rate(self, step: int) -> float:
        """Learning rate of the given step, counted from 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / (self.warmup + 1)
        done = (step - self.warmup) / max(self.steps - self.warmup - 1, 1)
        cosine = 0.5 * (1 + math.cos(math.pi * done))
        share = self.final_fraction + (1 - self.final_fraction) * cosine
        share *= 0.5 ** sum(step >= at for at in self.halve_at) / (1 + self.decay * step)
        return self.learning_rate * share


@dataclass(frozen=True)
class History:
    """The course of a training.

    Attributes
    ----------
    steps : int
        Optimisation steps done, those before a training was continued included.
    losses : tuple of (int, float)
        Step and loss, at the few times when the loss was read.
    seconds : float
        Elapsed time.
    finished_early : bool
        Whether the user chose "finish now" before the end of the schedule.
    """

    steps: int
    losses: tuple[tuple[int, float], ...]
    seconds: float
    finished_early: bool


@memory_kept()
def train(
    network: nn.Module,
    objective: Callable[[int], torch.Tensor],
    schedule: Schedule,
    *,
    label: str,
    preview: Callable[[], Any] | None = None,
    stop: Callable[[int], bool] | None = None,
    average: nn.Module | None = None,
    state: TrainingState | None = None,
) -> History:
    """Train `network` in place.

    Parameters
    ----------
    network : torch.nn.Module
        The network; it is left in evaluation mode.
    objective : callable
        Takes the number of the step, from 0, and gives the loss, a scalar on the network's device.
    schedule : Schedule
        Steps and learning rate.
    label : str
        What is being done, in words for the user.
    preview : callable, optional
        Gives the current result as a 2D array, for a host that shows it.
    stop : callable, optional
        A stopping rule that needs no ground truth: takes the number of steps done and says whether
        that is enough. It is called :data:`STOP_CHECKS` times in a whole schedule.
    average : torch.nn.Module, optional
        A copy of the network that has the averaged weights during the training, for objectives and
        previews that use them; only with a schedule that has an `ema`.
    state : TrainingState, optional
        Where to begin: at its step, with its weights, averages, moments and generators. However
        the training ends, unless it fails or is cancelled, the state is then the one after the
        last step, to be continued with the same schedule or saved. What an objective keeps beside
        its generators has to depend on the number of the step alone.

    Returns
    -------
    History
        The course of the training.

    Raises
    ------
    Cancelled
        If the user asked to stop and keep nothing.
    DivergedError
        If the training diverged.
    UserError
        If `state` is that of another network, schedule or set of generators.
    """
    trained = trained_parameters(network)
    weights = list(trained.values())
    averaged = None
    if schedule.ema is not None and average is not None:
        averaged = [p.data for p in average.parameters() if p.requires_grad]
        torch._foreach_copy_(averaged, [p.detach() for p in weights])
    elif schedule.ema is not None:
        averaged = [p.detach().clone() for p in weights]
    averages = {} if averaged is None else dict(zip(trained, averaged, strict=True))
    optimizer = Adam(weights, schedule.betas)
    if state is not None:
        state.give(network, optimizer, averages)
    network.train()
    started = time.monotonic()
    reported = -math.inf
    losses: list[tuple[int, float]] = []
    finished_early = False
    check_every = max(1, schedule.steps // STOP_CHECKS)
    done = 0 if state is None else state.step

    while done < schedule.steps:
        loss = objective(done)
        loss.backward()
        if schedule.clip is not None:
            nn.utils.clip_grad_norm_(weights, schedule.clip)
        if schedule.weight_decay:
            shrunk = 1 - schedule.rate(done) * schedule.weight_decay
            torch._foreach_mul_([p.data for p in weights], shrunk)
        optimizer.step(schedule.rate(done))
        if averaged is not None and schedule.ema is not None:
            decay = min(schedule.ema, (done + 1) / (done + 10))
            torch._foreach_lerp_(averaged, [p.detach() for p in weights], 1 - decay)
        done += 1

        now = time.monotonic()
        if now - reported >= REPORT_EVERY or done == schedule.steps:
            reported = now
            losses.append((done, _read(loss, done)))
            progress.report(
                done / schedule.steps, label, loss=losses[-1][1], preview=preview, step=done
            )
            if progress.finish_requested() and done < schedule.steps:
                finished_early = True
                break
        if stop is not None and done % check_every == 0 and stop(done):
            losses.append((done, _read(loss, done)))
            break

    if state is not None:
        state.take(done, network, optimizer, averages)
    if averaged is not None:
        with torch.no_grad():
            torch._foreach_copy_([p.data for p in weights], averaged)
    network.eval()
    return History(done, tuple(losses), time.monotonic() - started, finished_early)


def _read(loss: torch.Tensor, step: int) -> float:
    """Read the loss from the device; an error if it is not a finite number.

    Weights that became NaN stay NaN, so the few reads in a training are enough.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise DivergedError(
            f"The training diverged after {counted(step, 'step')}. Try another seed, and check "
            "whether single pixels of the image are extremely bright."
        )
    return value
