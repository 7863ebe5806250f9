"""The commands of ZS-DeconvNet: train, predict, restore."""

from __future__ import annotations

import numpy as np
import pytest
from deconvolving import calibrated, gaussian_psf, lines

from zsfiji.commands import find
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.learning import models
from zsfiji.physics.optics import kernel
from zsfiji.services.zs_deconvnet.service import METHOD

TRAIN, PREDICT, RESTORE = (find(f"zs_deconvnet_{n}") for n in ("train", "predict", "restore"))


def cells(seed=0):
    return calibrated(lines(64, seed=seed)[1].astype(np.uint16), title="cells.tif")


@pytest.fixture(scope="module")
def psf_image():
    return kernel.as_image(gaussian_psf(), "PSF")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, psf_image):
    path = tmp_path_factory.mktemp("model") / "cells"
    options = {"psf": psf_image, "save_model": str(path), "steps": "3", "seed": "4"}
    return run(TRAIN, cells(), options), path.with_suffix(".zsfiji")


def test_training_saves_a_model_and_shows_the_course_of_the_loss(trained):
    outcome, path = trained
    assert outcome.images == ()
    assert models.load(path, METHOD).settings.steps == 3
    assert str(path) in " ".join(outcome.notes)
    assert any(note.startswith("Noise: standard deviation") for note in outcome.notes)
    assert any(note.startswith("PSF") for note in outcome.notes)
    assert outcome.metrics["steps"] == 3
    (plot,) = outcome.plots
    assert plot.curves[0].x[-1] == 3
    assert plot.curves[0].y[-1] == pytest.approx(outcome.metrics["loss"])


def test_prediction_gives_two_images_named_after_the_image_the_deconvolved_one_last(trained):
    outcome = run(PREDICT, cells(1), {"model": str(trained[1])})
    smooth, sharp = outcome.images
    assert (smooth.attrs["title"], sharp.attrs["title"]) == ("cells-denoised", "cells-deconvolved")
    assert smooth.shape == (64, 64)
    assert sharp.shape == (128, 128)
    assert sharp.attrs["properties"]["zsfiji.seed"] == "4"
    line = sharp.attrs["properties"]["zsfiji.command"]
    assert (
        line == f'run("ZS-DeconvNet Predict...", "model={trained[1].as_posix()} mode=widefield");'
    )


def test_the_uncertainty_is_that_of_the_last_result_and_on_its_grid(trained):
    options = {"model": str(trained[1]), "uncertainty": "true"}
    found, _, sharp = run(PREDICT, cells(1), options).images
    assert found.attrs["title"] == "cells-uncertainty"
    assert found.shape == sharp.shape == (128, 128)
    assert float(found.col[1] - found.col[0]) == pytest.approx(float(cells().col[1]) / 2)
    assert found.data.min() > 0
    found, smooth = run(PREDICT, cells(1), {**options, "results": "denoised"}).images
    assert found.shape == smooth.shape == (64, 64)


def test_restoring_is_training_and_predicting_at_once(trained, psf_image, tmp_path):
    options = {"psf": psf_image, "steps": "3", "seed": "4", "save_model": tmp_path / "m"}
    both = run(RESTORE, cells(), options)
    assert sum(note.startswith("Noise:") for note in both.notes) == 1
    assert both.notes[-1] == f"The model is saved as {tmp_path / 'm.zsfiji'}."
    apart = run(PREDICT, cells(), {"model": str(trained[1])})
    for one, other in zip(both.images, apart.images, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_a_macro_line_of_before_names_the_command_that_is_meant(psf_image):
    with pytest.raises(UserError, match=r'a command of its own now: "Zero-Shot Deconvolve\.\.\."'):
        run(RESTORE, cells(), {"psf": psf_image, "network": "fast", "steps": "100000"})
