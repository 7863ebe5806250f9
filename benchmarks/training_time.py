"""How good a network for deconvolution becomes over the time of its training, as a table.

Run ``python benchmarks/training_time.py compact --minutes 30 --state FOLDER``, with ``published``,
``compact`` (the networks of ZS-DeconvNet) or ``own`` (Zero-Shot Deconvolve), and ``--stack`` for a
stack. The time is that of the processor, on one thread (``--threads``), so that other work on the
machine changes little; what is measured in between does not count. The published and the compact
network are trained with the published schedule and looked at on the way; a training is kept in
FOLDER every few minutes and continued from there by the same command. Our own schedules end at
their last step, so each line is a training of its own, with ``--steps``.

The image is one of ``scenes.py``: simulated on a finer grid, with a PSF that is off (`--seed`
chooses how). PSNR is that of the deconvolved image to the specimen after a fit of gain and offset,
over its range from the minimum to the 99.9 % quantile, and that of the denoised image to the image
without noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from deconvolvers import Deadline
from scenes import PIXEL, STEP, UPSAMPLE, Scene, simulate

from zsfiji import progress
from zsfiji.deconvolution.tiles import restore
from zsfiji.learning import state as states
from zsfiji.learning.loop import train
from zsfiji.physics.camera.model import measure
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.matching import match_to_image
from zsfiji.physics.specimens import KINDS
from zsfiji.quality.metrics import aligned, psnr
from zsfiji.services.deconvolve import kinds as own
from zsfiji.services.deconvolve.settings import KIND
from zsfiji.services.two_stage.restorer import Restorer, Restorers
from zsfiji.services.two_stage.task import Task, Terms
from zsfiji.services.zs_deconvnet import kinds as published
from zsfiji.services.zs_deconvnet.objective import Recorruption, SlicePairs

RESTORERS: Restorers = {**own.RESTORERS, **published.RESTORERS}
"""Those of both methods."""

FIRST, GROWTH = 30.0, 1.4
"""Seconds of training after which a network is looked at for the first time, and the factor from
each time to the next."""

HESSIAN = {2: 0.02, 3: 0.1}
"""The published weights of the Hessian."""


def task_of(scene: Scene, elsewhere: float) -> Task:
    """What there is to learn from, as the commands make it of an image."""
    image = scene.image.data.astype(np.float32)
    axes = image.ndim

    def told(slice_step: int) -> Degradation:
        (psf,) = match_to_image(
            [scene.psf],
            scene.image,
            upsample=UPSAMPLE,
            axes=axes,
            slice_step=slice_step,
            energy=0.99,
        )
        return Degradation(torch.from_numpy(psf.values.astype(np.float32)), UPSAMPLE)

    return Task.of(
        [image],
        measure(list(image) if axes == 3 else [image]),
        told(1),
        (STEP, PIXEL, PIXEL)[-axes:],
        elsewhere=elsewhere,
        terms=Terms(hessian=HESSIAN[axes]),
        pairs=told(2) if axes == 3 else None,
    )


def score(result: np.ndarray, truth: np.ndarray) -> float:
    """PSNR after a fit of gain and offset."""
    flat, true = (x.reshape(-1, truth.shape[-1]) for x in (result, truth))
    span = float(np.quantile(true, 0.999) - true.min())
    return psnr(true, aligned(flat, true), data_range=span)


def show(name: str, scene: Scene, restorer: Restorer[Any], steps: int, seconds: float) -> None:
    """Print a line of the table."""
    both = restore(restorer, scene.image.data.astype(np.float32), symmetries=1)
    print(
        f"| {name} | {seconds / 60:.1f} | {steps} | {score(both.sharp, scene.truth):.2f} "
        f"| {score(both.denoised, scene.expected):.2f} |",
        flush=True,
    )


def course(name: str, scene: Scene, steps: int, minutes: float, folder: Path, seed: int) -> None:
    """Train a network with the published schedule, and look at it on the way."""
    kind = RESTORERS[name, scene.truth.ndim]
    task = task_of(scene, kind.elsewhere)
    restorer = kind.begin(task, seed)
    training = restorer.training(task, steps, ready=False)
    folder.mkdir(parents=True, exist_ok=True)
    kept, clock = folder / "state.safetensors", folder / "seconds.txt"
    objective = training.objective
    if not isinstance(objective, Recorruption | SlicePairs):
        raise TypeError(f"{name} has no training that can be continued")
    generators = objective.generators
    state = states.TrainingState(generators)
    spent = 0.0
    if kept.exists():
        state, spent = states.load(kept, generators), float(clock.read_text())
    for moment in moments(spent, 60 * minutes):
        began = time.process_time()
        with progress.using(Deadline(moment - spent, time.process_time)):
            train(
                restorer.network,
                objective,
                training.schedule,
                label="",
                state=state,
            )
        spent += time.process_time() - began
        states.save(state, kept)
        clock.write_text(str(spent))
        show(name, scene, restorer, state.step, spent)
        if state.step >= steps:
            break


def moments(after: float, end: float) -> Iterator[float]:
    """Seconds at which a network is looked at, never more than ten minutes apart."""
    moment = FIRST
    while moment < end:
        if moment > after:
            yield moment
        moment = min(GROWTH * moment, moment + 600)
    yield end


def whole(name: str, scene: Scene, steps: int, seed: int) -> None:
    """Train with a schedule that ends, and look at the end."""
    kind = RESTORERS[name, scene.truth.ndim]
    task = task_of(scene, kind.elsewhere)
    began = time.process_time()
    restorer = kind.begin(task, seed)
    training = restorer.training(task, steps, ready=False)
    train(
        restorer.network,
        training.objective,
        training.schedule,
        label="",
        average=training.average,
    )
    show(name, scene, restorer, steps, time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", choices=("published", "compact", "own"))
    parser.add_argument("--kind", default="tubules", choices=KINDS)
    parser.add_argument("--photons", type=float, default=15)
    parser.add_argument("--size", type=int, default=0, help="256, or 96 for stacks")
    parser.add_argument("--stack", action="store_true", help="a stack of 32 slices instead")
    parser.add_argument("--minutes", type=float, default=30, help="of the processor")
    parser.add_argument("--state", type=Path, help="folder that the training is kept in")
    parser.add_argument("--steps", nargs="+", type=int, default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.network == "own" and not given.steps:
        parser.error("--steps: say how many, for one training each")
    torch.set_num_threads(given.threads)
    shape = (32, *[given.size or 96] * 2) if given.stack else (given.size or 256,) * 2
    scene = simulate(given.kind, given.photons, shape, given.seed)
    print("| network | minutes | steps | PSNR of the deconvolved | of the denoised |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    if given.network == "own":
        for steps in given.steps:
            whole(KIND, scene, steps, given.seed)
        return
    if given.state is None:
        parser.error("--state: name a folder to keep the training in")
    steps = given.steps[0] if given.steps else (10_000 if given.stack else 50_000)
    course(given.network, scene, steps, given.minutes, given.state, given.seed)


if __name__ == "__main__":
    main()
