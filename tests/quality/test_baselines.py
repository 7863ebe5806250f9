import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.quality import baselines
from zsfiji.quality.metrics import psnr


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(0)
    truth = np.clip(gaussian_filter(random.normal(size=(96, 96)), 3) * 400 + 40, 2, None)
    return random.poisson(truth / 4) * 4.0, truth


@pytest.mark.parametrize(
    "method",
    [
        lambda plane: baselines.gaussian(plane, 1.25),
        baselines.median,
        baselines.non_local_means,
        baselines.ndsafir,
    ],
    ids=["gaussian", "median", "nlm", "ndsafir"],
)
@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (200, 100), (1 / 255, -0.2)])
def test_every_baseline_denoises_at_any_scale_and_leaves_its_input_alone(
    method, pair, scale, offset
):
    noisy, truth = (scale * image + offset for image in pair)
    before = noisy.copy()
    restored = method(noisy)
    gain = [psnr(truth, image, data_range=255 * scale) for image in (noisy, restored)]
    assert restored.dtype == np.float32
    assert gain[1] > gain[0] + 2
    np.testing.assert_array_equal(noisy, before)


def test_the_best_sigma_is_the_best_of_the_set(pair):
    noisy, truth = pair
    scores = {
        sigma: psnr(truth, baselines.gaussian(noisy, sigma), data_range=255)
        for sigma in baselines.SIGMAS
    }
    assert baselines.best_sigma([pair], data_range=255) == max(scores, key=scores.get)


def test_an_image_without_noise_stays_as_it_is_under_non_local_means():
    plane = np.full((32, 32), 5.0)
    np.testing.assert_array_equal(baselines.non_local_means(plane), plane)
