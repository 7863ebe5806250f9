"""Zero-Shot Deconvolve for stacks."""

import logging

import numpy as np
import pytest
import torch
from deconvolving import apply, fit
from deconvolving_stacks import BLACK, GAIN, PIXEL, READ, STEP, calibrated, gaussian_psf, tubes

from zsfiji.compute import scratch
from zsfiji.compute.device import generator
from zsfiji.deconvolution import classical
from zsfiji.deconvolution.tiles import TileSizes
from zsfiji.errors import UserError
from zsfiji.learning import examples, models
from zsfiji.physics.camera.model import Camera
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.kernel import focal_plane
from zsfiji.services.deconvolve.kinds import FastStacks
from zsfiji.services.deconvolve.networks_3d import FastNet3D
from zsfiji.services.deconvolve.service import METHOD
from zsfiji.services.two_stage import fit as training

pytestmark = pytest.mark.timeout(900)  # one training takes 100 s of one quiet core


@pytest.fixture(scope="module", autouse=True)
def quick_classics():
    """Deconvolve classically in a few iterations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classical, "MOST_ITERATIONS", 8)
        yield


@pytest.fixture(scope="module")
def scene():
    truth, clean, noisy = tubes()
    return truth, clean, calibrated(noisy)


@pytest.fixture(scope="module")
def model(scene):
    return fit(scene[2], gaussian_psf(), steps=50)


@pytest.fixture(scope="module")
def result(scene, model):
    return apply(model, scene[2], symmetries=2)


@pytest.mark.parametrize("upsample", [1, 2])
def test_the_network_gives_a_denoised_and_a_finer_stack(upsample):
    denoised, sharp = FastNet3D(upsample)(torch.rand(1, 2, 3, 8, 12))
    assert denoised.shape == (1, 1, 3, 8, 12)
    assert sharp.shape == (1, 1, 3, upsample * 8, upsample * 12)


def test_both_results_are_nearer_to_the_truth_than_what_went_in(scene, result):
    truth, clean, image = scene
    denoised, sharp = result.images["denoised"].data, result.images["deconvolved"].data
    assert np.square(denoised - clean).mean() < 0.75 * np.square(image.data - clean).mean()
    plain = np.kron(image.data, np.ones((1, 2, 2)))
    assert np.square(sharp - truth).mean() < 0.8 * np.square(plain - truth).mean()


def test_the_results_have_the_calibration_and_the_mean_of_the_stack(scene, result):
    image, sharp = scene[2], result.images["deconvolved"]
    assert result.images["denoised"].shape == image.shape
    assert sharp.shape == (12, 96, 96)
    assert np.diff(sharp.coords["pln"]) == pytest.approx(STEP)
    assert np.diff(sharp.coords["col"]) == pytest.approx(PIXEL / 2)
    assert float(result.images["denoised"].mean()) == pytest.approx(float(image.mean()), rel=1e-4)
    assert float(sharp.mean()) == pytest.approx(float(image.mean()), rel=0.02)


def test_the_deconvolved_stack_seen_through_the_optics_is_the_image(result):
    metrics = result.report.metrics
    assert metrics["sharpening"] > 2
    assert 0.8 < metrics["reblurred_residual_variance"] < 1.15
    assert abs(metrics["reblurred_residual_excess"]) < 0.08


def test_a_model_from_a_file_gives_the_same_pixels(scene, model, result, tmp_path):
    path = models.save(model, tmp_path / "m.zsfiji")
    again = apply(models.load(path, METHOD), scene[2], symmetries=2)
    assert np.array_equal(again.images["deconvolved"], result.images["deconvolved"])


def test_the_denoised_stack_has_lost_the_noise_and_nothing_else_with_much_light():
    # Where errors of a few per mille count, the deconvolving stage must not drown the denoising.
    clean, noisy = tubes(photons=2000.0)[1:]
    image = calibrated(noisy)
    fitted = fit(image, gaussian_psf(), steps=100)
    result = apply(fitted, image, symmetries=1)
    denoised = result.images["denoised"].data
    assert np.square(denoised - clean).mean() < 0.75 * np.square(noisy - clean).mean()
    assert 0.6 < result.report.metrics["denoised_residual_variance"] < 1.3


class SmallBlocks(FastStacks):
    """Blocks of four slices."""

    tiles = TileSizes(slices=4, block=4)


def test_blocks_of_slices_leave_no_seams(scene, model):
    whole = apply(model, scene[2], symmetries=1).images["deconvolved"].data
    small = apply(model, scene[2], symmetries=1, restorers=[SmallBlocks])
    blocks = small.images["deconvolved"].data
    assert np.abs(whole - blocks).max() < 0.05 * np.ptp(whole)


def test_huge_stacks_are_trained_on_their_middle_and_restored_in_a_file(scene, monkeypatch):
    image = scene[2]
    monkeypatch.setattr(training, "LARGEST_STACK", 6 * 48 * 48)
    monkeypatch.setattr(scratch, "IN_MEMORY", 1000)
    learnt_from = []

    class Recording(FastStacks):
        @classmethod
        def begin(cls, task, seed):
            learnt_from.append(task.data)
            return super().begin(task, seed)

    fitted = fit(image, gaussian_psf(), steps=1, restorers=[Recording])
    assert [tuple(data.shape) for data in learnt_from] == [(1, 6, 48, 48)]
    assert np.array_equal(learnt_from[0][0], image.data[3:9])
    restored = apply(fitted, image, symmetries=1)
    assert restored.images["deconvolved"].shape == (12, 96, 96)
    assert np.isfinite(restored.images["deconvolved"]).all()


def test_time_lapses_of_stacks_with_channels_are_restored_stack_by_stack(scene):
    noisy = scene[2].data
    pixels = np.stack([np.stack([noisy, noisy[:, ::-1]]), np.stack([noisy, noisy])], -1)
    dims = ("t", "pln", "row", "col", "ch")
    movie = calibrated(pixels, dims)
    fitted = fit(movie, gaussian_psf(), steps=1)
    assert len(fitted.units) == 2
    restored = apply(fitted, movie, symmetries=1)
    assert restored.images["denoised"].shape == pixels.shape
    assert restored.images["deconvolved"].dims == dims
    each = fit(movie, gaussian_psf(), steps=1, fit_per="plane")
    assert len(each.units) == 4


def test_exemplars_lose_slices_only_where_there_are_many():
    thin, thick = torch.rand(1, 1, 6, 16, 16), torch.rand(1, 1, 20, 16, 16)
    assert examples.shrink(thin, 2.0).shape == (1, 1, 6, 8, 8)
    assert examples.shrink(thick, 2.0).shape == (1, 1, 10, 8, 8)


def test_recorrupted_stacks_have_independent_noise():
    camera = Camera(Noise(GAIN, READ - GAIN * BLACK, READ, np.ones((16, 16)), True), BLACK)
    draws = generator(0)
    mean = torch.full((2, 8, 128, 128), 160.0)
    noisier, target, _ = camera.recorrupt(camera.capture(mean, draws), 1.0, draws)
    covariance = float(((noisier - mean) * (target - mean)).mean())
    assert abs(covariance) < 0.02 * (GAIN * 60 + READ)


# Planes or stacks, and what is refused


def test_slices_are_deconvolved_one_by_one_with_a_flat_psf_or_by_wish(scene, caplog):
    image = scene[2]
    caplog.set_level(logging.INFO)
    assert fit(image, focal_plane(gaussian_psf()), steps=1).units[0].record.axes == 2
    assert fit(image, gaussian_psf(), steps=1, dimensions="2d").units[0].record.axes == 2
    assert "the PSF is a single slice" in caplog.text
    assert fit(image[:3], gaussian_psf(), steps=1).units[0].record.axes == 2
    assert "3 slices; 3D needs 5" in caplog.text
    assert fit(image, gaussian_psf(step=5.0), steps=1).units[0].record.axes == 2
    assert "twice the depth of the PSF" in caplog.text


def test_stacks_that_do_not_serve_are_refused(scene, model):
    image = scene[2]
    with pytest.raises(UserError, match="at least 5"):
        fit(image[:4], gaussian_psf(), steps=1, dimensions="3d")
    with pytest.raises(UserError, match="single slice"):
        fit(image, focal_plane(gaussian_psf()), steps=1, dimensions="3d")
    with pytest.raises(UserError, match="twice the depth of the PSF"):
        fit(image, gaussian_psf(step=5.0), steps=1, dimensions="3d")
    plain = image.drop_vars("pln").assign_attrs(units={"row": "micron", "col": "micron"})
    with pytest.raises(UserError, match="slice spacing"):
        fit(plain, gaussian_psf(), steps=1)
    with pytest.raises(UserError, match="choose a model for 2D"):
        apply(model, image[:4])
    with pytest.raises(UserError, match="nm"):
        apply(model, calibrated(image.data, step=0.5))
