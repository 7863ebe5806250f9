"""The methods that the benchmark of deconvolution compares.

The classical methods are oracles: number of iterations, strength of the total variation and filter
are chosen with the truth.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scenes import GAIN, OFFSET, PIXEL, READ, UPSAMPLE, Scene

from zsfiji import progress
from zsfiji.physics.specimens import specimen
from zsfiji.quality.baselines import non_local_means
from zsfiji.quality.metrics import aligned
from zsfiji.quality.richardson_lucy_tv import richardson_lucy
from zsfiji.quality.sharpening import enlarged
from zsfiji.services.deconvolve.kinds import RESTORERS, FastPlanes
from zsfiji.services.deconvolve.networks import FastNet
from zsfiji.services.deconvolve.service import METHOD, Deconvolve
from zsfiji.services.deconvolve.settings import Settings
from zsfiji.services.two_stage.fit import Given
from zsfiji.services.two_stage.task import Task
from zsfiji.services.zs_deconvnet.service import METHOD as PUBLISHED
from zsfiji.services.zs_deconvnet.settings import Settings as PublishedSettings

STRENGTHS = (0.0, 0.002, 0.01, 0.05)
"""Weights of the total variation from which the truth chooses; 0.002 is Dey's."""

ITERATIONS = 160
"""Most iterations from which the truth chooses. Chosen by eye."""


def raw(scene: Scene) -> np.ndarray:
    """The noisy image, interpolated to the fine grid."""
    return enlarged(scene.image.data.astype(np.float32), UPSAMPLE)


def aligned_any(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Gain and offset of best fit, for planes and stacks."""
    width = truth.shape[-1]
    return aligned(image.reshape(-1, width), truth.reshape(-1, width)).reshape(truth.shape)


def _best_richardson_lucy(
    scene: Scene, light: np.ndarray, strengths: Sequence[float], background: float
) -> np.ndarray:
    """Richardson-Lucy with the iterations and the strength that the truth says are best."""
    best, found = np.inf, raw(scene)

    def each(done: int, estimate: torch.Tensor) -> None:
        nonlocal best, found
        if done % 2 == 0:
            now = estimate.numpy()
            error = float(np.square(aligned_any(now, scene.truth) - scene.truth).mean())
            if error < best:
                best, found = error, now * GAIN + OFFSET

    axes = (-3, -2, -1) if light.ndim == 3 else (-2, -1)
    measured = torch.from_numpy(light.astype(np.float32))
    for strength in strengths:
        richardson_lucy(
            measured,
            scene.optics,
            ITERATIONS,
            tv=strength,
            background=background,
            axes=axes,
            each=each,
        )
    return found


def total_variation(scene: Scene) -> np.ndarray:
    """Richardson-Lucy with total variation; the read noise counts as light, as it should."""
    read = (READ / GAIN) ** 2
    light = (scene.image.data - OFFSET) / GAIN + read
    return _best_richardson_lucy(scene, light, STRENGTHS, read)


def filtered(scene: Scene) -> np.ndarray:
    """Non-local means, then Richardson-Lucy."""
    stack = scene.image.data.reshape(-1, *scene.image.shape[-2:])
    smooth = np.stack([non_local_means(plane) for plane in stack]).reshape(scene.image.shape)
    return _best_richardson_lucy(scene, np.maximum(smooth - OFFSET, 0) / GAIN, (0.0,), 0.0)


def ours(scene: Scene, steps: int) -> np.ndarray:
    """The default, with its own number of steps for 0."""
    return _trained(scene, Settings(steps=steps), METHOD)


def _trained(scene: Scene, settings: Settings, method: Deconvolve) -> np.ndarray:
    model = method.fit(scene.image, settings, Given([scene.psf]))
    return method.apply(model, scene.image).images["deconvolved"].data


def bound(scene: Scene, steps: int) -> np.ndarray:
    """Our network that learns from other specimens of the kind, which no user has."""
    number = itertools.count(1000)

    class Others:
        """The source of these specimens."""

        def specimens(self, least: int, draw: torch.Generator) -> list[torch.Tensor]:
            """Make six of them."""
            shape = tuple(max(n * UPSAMPLE, least) for n in scene.image.shape)
            made = []
            for seed in itertools.islice(number, 6):
                drawn = specimen(scene.kind, shape, seed=seed, pixel=1000 * PIXEL / UPSAMPLE)
                density = torch.from_numpy(drawn)
                level = torch.quantile(scene.optics(density), 0.995)
                light = density * scene.photons / level * GAIN
                made.append(torch.stack([light, 0 * light])[None].float())
            return made

    class FromOthers(FastPlanes):
        """The restorer that learns from them."""

        def source(self, task: Task, average: FastNet) -> Others:
            """Give them."""
            return Others()

    method = Deconvolve({**RESTORERS, (FastPlanes.kind, 2): FromOthers})
    return _trained(scene, Settings(steps=steps), method)


class Deadline:
    """A user who wants the best result so far after some seconds of a clock."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._end = clock, clock() + seconds

    def show(self, event: progress.Event) -> None:
        """Nobody looks."""

    def cancelled(self) -> bool:
        """Never."""
        return False

    def finish_now(self) -> bool:
        """Whether the time is over."""
        return self._clock() > self._end


def published(scene: Scene, seconds: float) -> np.ndarray:
    """The faithful configuration, for so many seconds and no longer."""
    with progress.using(Deadline(seconds)):
        model = PUBLISHED.fit(scene.image, PublishedSettings(quality="paper"), Given([scene.psf]))
    return PUBLISHED.apply(model, scene.image, symmetries=1).images["deconvolved"].data


CLASSICAL: dict[str, Callable[[Scene], np.ndarray]] = {
    "raw": raw,
    "NLM, then RL (oracle)": filtered,
    "RL-TV (oracle)": total_variation,
}
"""Name in the tables -> method without training."""
