import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.physics.specimens import specimen
from zsfiji.quality.detail import BRIGHTEST, beyond_cutoff, contrast


def spots(brightness):
    image = np.full((200, 200), 5.0)
    rows, cols = np.mgrid[20:200:20, 20:200:20]
    image[rows, cols] += 400 * np.resize(brightness, rows.shape)
    return gaussian_filter(image, 2.0)


def test_the_contrast_of_faint_structure_is_measured_apart_from_that_of_bright():
    truth = spots([1.0, 1.0, 0.125])
    half = truth - 0.5 * (spots([0, 0, 0.125]) - 5)
    assert contrast(truth, truth, 4.7) == pytest.approx(1)
    assert contrast(half, truth, 4.7) == pytest.approx(0.5, abs=0.02)
    assert contrast(half, truth, 4.7, BRIGHTEST) == pytest.approx(1, abs=0.01)


def test_noise_and_offset_do_not_change_the_contrast():
    truth = spots([1.0, 0.125])
    noisy = truth + 30 + np.random.default_rng(0).normal(0, 0.5, truth.shape)
    assert contrast(noisy, truth, 4.7) == pytest.approx(1, abs=0.05)


def test_without_faint_structure_there_is_no_contrast():
    assert np.isnan(contrast(spots([1.0]), spots([1.0]), 4.7))


def test_lost_kept_and_invented_detail_beyond_the_cut_off():
    truth = specimen("texture", (256, 256), seed=1)
    invented = specimen("texture", (256, 256), seed=2)
    cutoff = 31.3 / 202
    assert beyond_cutoff(truth, truth, cutoff) == pytest.approx((1, 1))
    lost = beyond_cutoff(gaussian_filter(truth, 4), truth, cutoff)
    assert lost.power < 1e-3
    wrong = beyond_cutoff(3 * invented, truth, cutoff)
    assert wrong.power == pytest.approx(9, rel=0.2)
    assert abs(wrong.correlation) < 0.1


def test_a_grid_without_these_frequencies_has_no_answer():
    image = np.random.default_rng(0).normal(size=(64, 64))
    assert np.isnan(beyond_cutoff(image, image, 0.31).power)
