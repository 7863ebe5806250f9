"""Make the shipped networks again: ``python -m zsfiji.services.simformer.remake FOLDER``.

The folder keeps the states of the trainings, from which a later call goes on, exactly as if it had
never stopped, and of each a log: step, seconds, loss, and PSNR of simulated stacks that are not
learned from, for each number of photons. How they are trained is in :data:`TEACHER` and
:data:`PUPIL`.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from zsfiji.learning.loop import DivergedError, Schedule, train
from zsfiji.learning.state import TrainingState, load, save
from zsfiji.physics.sim.published import PublishedStack, published_stack
from zsfiji.quality.metrics import aligned, psnr
from zsfiji.services.simformer.compact import BASE, STUDENT, Compact, Size, take_over
from zsfiji.services.simformer.distilled import Distilled
from zsfiji.services.simformer.emitter import emitter
from zsfiji.services.simformer.service import save_network
from zsfiji.services.simformer.settings import Settings
from zsfiji.services.simformer.shipped import name_of
from zsfiji.services.simformer.stream import Stream
from zsfiji.services.simformer.supervised import Supervised

PUBLISHED = ("curve", "tube", "ring")
"""The specimens of the published stacks."""

PHOTONS = (1.0, 10.0, 100.0, 500.0)
"""Photons of the stacks that a training is watched on."""

_SEEDS = (2000, 2001)
_COLLAPSED = 0.6
"""The mean loss of a part of the training does not rise by so much unless the network collapsed."""

_RIM = 24
"""Fine pixels at the border that are not compared."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a network is trained.

    Attributes
    ----------
    size : Size
        Of the network.
    seed : int
        Of the initial weights and of the stream.
    schedule : Schedule
        Its steps and learning rates.
    batch, crop : int
        Stacks in a step, and their rows and columns.
    saved : int
        Steps between two savings of the state.
    kept : int
        Specimens of the stream.
    alone : int
        Steps of a student before its teacher helps.
    varied_from : int
        Number of the stream's first specimen that may be solid.
    before : Plan, optional
        A training whose network it goes on with, see :func:`.compact.take_over`.
    """

    size: Size
    seed: int
    schedule: Schedule
    batch: int = 4
    crop: int = 48
    saved: int = 250
    kept: int = 768
    alone: int = 0
    varied_from: int = 0
    before: Plan | None = None

    @property
    def steps(self) -> int:
        """With those of the training before it."""
        return self.schedule.steps + (self.before.steps if self.before else 0)


TEACHER = Plan(
    size=Size(),
    seed=14,
    schedule=Schedule(
        steps=10000,
        learning_rate=8e-4,
        betas=(0.9, 0.99),
        warmup=100,
        ema=0.998,
        halve_at=(8400, 8900, 9350, 9700),
        clip=1.0,
    ),
    # Its first steps were made before there were any; then the memory holds so many more.
    varied_from=4500 + 768,
)
"""Of the model itself. To go on, move its halvings and its end; the step before the first halving
is kept in `stable.safetensors`."""

_LARGER = replace(STUDENT, blocks=(1, 1, 2))

FIRST = Plan(
    size=replace(_LARGER, images=(BASE, 3)),
    seed=15,
    schedule=Schedule(
        steps=11000,
        learning_rate=1e-3,
        betas=(0.9, 0.99),
        warmup=100,
        ema=0.998,
        halve_at=(8700, 9450, 10100, 10650),
        clip=1.0,
    ),
    alone=6000,
)
"""Of its student, which at first sees two images and has more blocks."""

SECOND = Plan(
    size=_LARGER,
    seed=16,
    schedule=replace(FIRST.schedule, steps=20000, halve_at=(9000, 16000, 18000, 19300)),
    before=FIRST,
)
"""It goes on with three images."""

PUPIL = Plan(
    size=STUDENT,
    seed=17,
    schedule=replace(FIRST.schedule, steps=18000, halve_at=(6000, 10500, 14000, 16200, 17300)),
    before=SECOND,
)
"""It loses the blocks on the coarsest grid, and goes on without them."""


def run(
    plan: Plan,
    folder: Path,
    objective: Callable[[Compact, Stream], Callable[[int], torch.Tensor]] = Supervised,
    *,
    start: Compact | None = None,
    watch: bool = True,
) -> Compact:
    """Train a network, or go on with it.

    Parameters
    ----------
    plan : Plan
        How.
    folder : path
        Where the state and the log are.
    objective : callable
        Makes the loss from a network and a stream.
    start : Compact, optional
        Network to begin with; otherwise the weights are random.
    watch : bool
        Whether to measure on stacks that are not learned from.

    Returns
    -------
    Compact
        With the averaged weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = Compact(plan.size, plan.seed)
    if start:
        take_over(network, start)
    network = network.to(memory_format=torch.channels_last)
    kept = folder / "state.safetensors"
    state = load(kept) if kept.exists() else TrainingState()
    stream = Stream(
        plan.seed,
        crop=plan.crop,
        batch=plan.batch,
        kept=plan.kept,
        varied_from=plan.varied_from,
    )
    loss = objective(network, stream)
    stacks = tuning_stacks() if watch else []
    average = copy.deepcopy(network)
    best = math.inf
    while state.step < plan.schedule.steps:
        began = time.process_time()
        until = min(plan.schedule.steps, (state.step // plan.saved + 1) * plan.saved)
        # The learning rate is constant up to its halvings, so it does not depend on the last step.
        schedule = replace(plan.schedule, steps=until)
        history = train(network, loss, schedule, label="Training", average=average, state=state)
        mean = float(np.mean([value for _, value in history.losses]))
        if mean > best + _COLLAPSED:
            raise DivergedError(f"The loss rose from {best:.2f} to {mean:.2f}.")
        best = min(best, mean)
        save(state, kept)
        if not plan.schedule.halve_at or state.step <= plan.schedule.halve_at[0]:
            save(state, folder / "stable.safetensors")
        seconds = time.process_time() - began
        scores = [f"{score:.2f}" for score in measured(network, stacks)]
        with (folder / "log.csv").open("a") as log:
            log.write(",".join([str(state.step), f"{seconds:.0f}", f"{mean:.4f}", *scores]) + "\n")
    if state.averages:
        network.load_state_dict(state.averages)
    return network.eval()


def tuning_stacks() -> list[PublishedStack]:
    """Stacks that a training is watched on; none of them is in the benchmark."""
    return [
        published_stack(kind, 96, photons=photons, seed=seed)
        for photons in PHOTONS
        for kind in PUBLISHED
        for seed in _SEEDS
    ]


def measured(network: Compact, stacks: Sequence[PublishedStack]) -> list[float]:
    """Mean PSNR in dB of the published specimens, for each number of photons in turn."""
    each = len(PUBLISHED) * len(_SEEDS)
    scores = [score(restored(network, stack), stack.truth) for stack in stacks]
    return [float(np.mean(scores[n : n + each])) for n in range(0, len(scores), each)]


def restored(network: Compact, stack: PublishedStack) -> np.ndarray:
    """The emitter (3 row, 3 col) that a network finds with the true patterns and optics."""
    found = emitter(
        network,
        torch.from_numpy(stack.raw),
        stack.patterns,
        stack.transfer,
        gain=1.0,
        read_variance=stack.read_noise**2,
    )
    return found.numpy()


def score(image: np.ndarray, truth: np.ndarray) -> float:
    """PSNR in dB after a fit of gain and offset, relative to the 99.9 % quantile of the truth."""
    inside = (slice(_RIM, -_RIM),) * 2
    image, truth = image[inside], truth[inside]
    peak = float(np.percentile(truth, 99.9))
    return psnr(truth, aligned(image, truth), data_range=peak)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from a shell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=("teacher", "student"), help="one of the two")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)

    def teacher() -> Compact:
        return run(TEACHER, chosen.folder / "teacher")

    def student(plan: Plan, folder: Path) -> Compact:
        def distilled(network: Compact, stream: Stream) -> Distilled:
            return Distilled(network, stream, teacher, plan.alone)

        start = student(plan.before, folder / "before") if plan.before else None
        return run(plan, folder, distilled, start=start)

    for small in (False, True):
        if chosen.only == ("teacher" if small else "student"):
            continue
        save_network(
            student(PUPIL, chosen.folder / "student") if small else teacher(),
            "compact",
            chosen.folder / name_of(student=small),
            student=small,
            settings=Settings(),
            steps=(PUPIL if small else TEACHER).steps,
        )


if __name__ == "__main__":
    main()
