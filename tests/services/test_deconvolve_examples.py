"""The specimens that Zero-Shot Deconvolve makes of the image, and what it says of their detail."""

from dataclasses import replace

import numpy as np
import torch
from deconvolving import BLACK, GAIN, gaussian_psf, lines, white_noise

from zsfiji.physics.camera.model import Camera
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.services.deconvolve import objective
from zsfiji.services.deconvolve.kinds import FastPlanes
from zsfiji.services.deconvolve.objective import FastPlanesObjective, SelfExamples
from zsfiji.services.deconvolve.settings import FAST_PLANES
from zsfiji.services.two_stage.task import Task


def _begun(*planes):
    optics = Degradation(torch.from_numpy(gaussian_psf().values).float(), 2)
    camera = Camera(white_noise(), BLACK)
    task = Task.of(list(planes), camera, optics, (0.0626, 0.0626), elsewhere=0.25)
    return task, FastPlanes.begin(task, 0)


def test_the_specimens_are_those_of_all_factors_and_random_texture():
    task, restorer = _begun(lines(96)[1])
    source = SelfExamples(restorer.network, task, restorer.scale)
    made = source.specimens(184, torch.Generator().manual_seed(0))
    assert len(made) == len(FAST_PLANES.factors) + FAST_PLANES.scrambled
    peaks = []
    for light in made:
        assert light.shape[:2] == (1, 2)
        assert min(light.shape[2:]) >= 184
        assert light.min() >= 0
        structure = light[:, 0]
        peaks.append(float(((structure - structure.mean()) / structure.std()).pow(4).mean()))
    # Lines are bright and rare, and texture is not.
    assert peaks[-1] < 4 < 6 < peaks[0]


def test_large_images_cost_no_more_than_a_field_of_them(monkeypatch):
    monkeypatch.setattr(objective, "FAST_PLANES", replace(FAST_PLANES, field=64))
    draws = torch.Generator().manual_seed(0)
    task, restorer = _begun(lines(160)[1])
    source = SelfExamples(restorer.network, task, restorer.scale)
    assert source.specimens(64, draws)[0].shape == (1, 2, 128, 128)
    task, restorer = _begun(*(lines(36, seed=seed)[1] for seed in range(5)))
    source = SelfExamples(restorer.network, task, restorer.scale)
    assert source.specimens(64, draws)[0].shape == (3, 2, 72, 72)


def test_a_step_has_pairs_first_and_then_mostly_examples(monkeypatch):
    task, restorer = _begun(lines(96)[1])
    batches = []
    network = restorer.network
    forward = type(network).forward
    monkeypatch.setattr(
        type(network), "forward", lambda self, x: batches.append(len(x)) or forward(self, x)
    )

    class Flat:
        def specimens(self, least, draw):
            return [torch.full((1, 2, least, least), 10 * GAIN)]

    loss_of = FastPlanesObjective(network, task, restorer.scale, Flat(), steps=100, seed=0)
    losses = [loss_of(step) for step in (0, int(FAST_PLANES.first_round * 100))]
    assert batches == [FAST_PLANES.pairs + FAST_PLANES.examples] * 2
    assert all(np.isfinite(float(loss.detach())) for loss in losses)
