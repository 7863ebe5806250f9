import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.errors import UserError
from zsfiji.quality import metrics


@pytest.fixture
def truth():
    return gaussian_filter(np.random.default_rng(0).normal(size=(64, 80)), 3) * 300 + 50


def test_psnr_is_that_of_its_formula(truth):
    image = truth + np.where(np.indices(truth.shape).sum(0) % 2, 5.0, -5.0)
    expected = 20 * np.log10(255 / 5)
    assert metrics.psnr(truth, image, data_range=255) == pytest.approx(expected)
    assert metrics.psnr(truth, image, data_range=510) == pytest.approx(expected + 6.0206, abs=1e-4)
    assert metrics.psnr(truth, truth, data_range=255) == np.inf


def test_ssim_is_one_for_equal_images_and_falls_with_noise(truth):
    noise = np.random.default_rng(1).normal(size=truth.shape)
    scores = [metrics.ssim(truth, truth + s * noise, data_range=255) for s in (0, 5, 20)]
    assert scores[0] == pytest.approx(1)
    assert scores[0] > scores[1] > scores[2]


def test_nrmse_is_relative_to_the_truth(truth):
    assert metrics.nrmse(truth, 1.1 * truth) == pytest.approx(0.1)


def test_alignment_takes_out_gain_and_offset_only(truth):
    np.testing.assert_allclose(metrics.aligned(0.3 * truth + 7, truth), truth)
    noisy = truth + np.random.default_rng(1).normal(size=truth.shape) * 9
    raw, after = (
        metrics.psnr(truth, image, data_range=255)
        for image in (2 * noisy + 30, metrics.aligned(2 * noisy + 30, truth))
    )
    assert after > raw + 10
    assert np.all(metrics.aligned(np.zeros_like(truth), truth) == truth.mean())


def test_unsigned_pixels_do_not_wrap_around():
    dark, bright = np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8)
    assert metrics.psnr(dark, bright, data_range=255) == pytest.approx(0)


def test_images_of_different_sizes_are_refused(truth):
    with pytest.raises(UserError, match="same size"):
        metrics.psnr(truth, truth[1:], data_range=255)


def test_autocorrelation_is_that_of_its_definition():
    field = np.random.default_rng(0).normal(size=(20, 31)).cumsum(1)
    got = metrics.autocorrelation(field, 2)
    centred = field - field.mean()
    expected = (centred[1:, :-2] * centred[:-1, 2:]).mean() / centred.var()
    assert got[2, 2] == pytest.approx(1)
    assert got[2 - 1, 2 + 2] == pytest.approx(expected)
    np.testing.assert_allclose(got, got[::-1, ::-1])


def test_an_empty_residual_and_a_tiny_one_have_a_correlation():
    assert metrics.autocorrelation(np.zeros((9, 9)), 2)[2, 2] == 1
    assert metrics.autocorrelation(np.eye(2), 3).shape == (7, 7)
