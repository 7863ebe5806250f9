import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.specimens import specimen
from zsfiji.quality.resolution import decorrelation_resolution, frc, frc_resolution, ridge_width


def test_the_ring_correlation_is_one_for_equal_images_and_nought_for_noise():
    draws = np.random.default_rng(0)
    image, other = draws.normal(size=(2, 128, 128))
    frequency, same = frc(image, image)
    assert frequency[-1] == 0.5
    assert same == pytest.approx(1)
    assert abs(frc(image, other)[1][10:].mean()) < 0.05
    assert frc_resolution(image, image, 31.0) == 62.0


def test_the_resolution_is_where_signal_falls_under_noise():
    draws = np.random.default_rng(0)
    detail = draws.normal(size=(256, 256))
    found = []
    for width in (1.0, 2.0):
        blurred = gaussian_filter(detail, width)
        blurred /= blurred.std()
        pair = [blurred + 0.3 * draws.normal(size=detail.shape) for _ in range(2)]
        found.append(frc_resolution(*pair))
    assert found[1] == pytest.approx(2 * found[0], rel=0.25)


@pytest.mark.parametrize("deviation", [1.5, 3.0])
def test_the_width_of_a_line_is_measured_across_it(deviation):
    rows, cols = np.mgrid[:128, :128]
    away = (rows - 64) * np.cos(0.5) + (cols - 64) * np.sin(0.5)
    line = 50 + 10 * np.exp(-0.5 * (away / deviation) ** 2)
    truth = np.exp(-0.5 * away**2)
    assert ridge_width(line, truth, 2.0) == pytest.approx(2 * 2.355 * deviation, rel=0.06)


def test_blurred_filaments_are_wider():
    truth = specimen("filaments", (256, 256))
    widths = [ridge_width(gaussian_filter(truth, s), truth) for s in (0, 2, 3.4)]
    assert widths[0] < widths[1] < widths[2]
    assert widths[0] < 4
    assert ridge_width(truth, truth + 100) == pytest.approx(widths[0])


def test_an_image_without_lines_has_no_width():
    assert np.isnan(ridge_width(np.zeros((64, 64)), np.zeros((64, 64))))


def test_decorrelation_finds_the_blur_of_a_noisy_image():
    points = (np.random.default_rng(0).random((256, 256)) > 0.99) * 1000.0
    found = []
    for sigma in (1.0, 2.0, 4.0):
        noise = np.random.default_rng(1).normal(0, 0.3, points.shape)
        found.append(decorrelation_resolution(gaussian_filter(points, sigma) + noise))
    assert found[0] < 0.75 * found[1]
    assert found[1] < 0.75 * found[2]
    assert decorrelation_resolution(gaussian_filter(points, 2.0), 50.0) < 50 * 20


@pytest.mark.parametrize("kind", ["filaments", "vesicles"])
def test_decorrelation_finds_the_cut_off_of_the_optics_in_a_raw_image(kind):
    # On the camera's own grid, with 50 photons in the brightest pixels. Of repeated pixels the
    # result was that of the grid.
    pixel = 62.6
    psf = from_optics(Optics("wide-field", 1.3, 525.0), (pixel / 6000,) * 2, (189, 189))
    optics = Degradation(torch.from_numpy(psf.values.astype(np.float32)), 6)
    density = specimen(kind, (768, 768), pixel=pixel / 6).astype(np.float32)
    mean = optics(torch.from_numpy(density)).numpy()
    noisy = np.random.default_rng(0).poisson(50 * mean / np.quantile(mean, 0.995))
    cutoff = 525 / 2.6
    assert cutoff < decorrelation_resolution(noisy, pixel) < 1.45 * cutoff


@pytest.mark.parametrize("end", [0.3, 0.5, 0.7])
def test_decorrelation_finds_where_a_spectrum_ends(end):
    draws = np.random.default_rng(1)
    frequency = 2 * np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    signal = np.fft.ifft2(np.fft.fft2(draws.normal(size=(256, 256))) * (frequency < end)).real
    noisy = signal / signal.std() + 0.1 * draws.normal(size=signal.shape)
    assert decorrelation_resolution(noisy) == pytest.approx(2 / end, rel=0.02)


def test_decorrelation_of_noise_is_unknown():
    assert np.isnan(decorrelation_resolution(np.random.default_rng(0).normal(size=(128, 128))))


def test_decorrelation_of_a_flat_image_is_unknown():
    assert np.isnan(decorrelation_resolution(np.ones((64, 64))))
