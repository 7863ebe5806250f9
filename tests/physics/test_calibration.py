"""The noise calibration on captures that mislead it: fine structure, filtered noise, saturation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from zsfiji.physics.camera.calibration.bins import Bins, line
from zsfiji.physics.camera.calibration.calibrate import calibrate, in_smoothest, least_noise
from zsfiji.physics.camera.calibration.filters import SQUARE, bank, fit, fit_round
from zsfiji.physics.camera.calibration.saturation import find_saturation
from zsfiji.physics.filters.polyphase import lost_structure, smoothed
from zsfiji.physics.noise import SURE, autocovariance, dct_spectrum, decimated
from zsfiji.physics.specimens import specimen

GAIN, BLACK, READ = 2.0, 100.0, 1.6


def fine(kind: str, photons: float, size: int = 256) -> np.ndarray:
    """Light of a specimen seen with NA 1.4 at 525 nm and 108 nm pixels: a Gaussian of 79 nm."""
    light = gaussian_filter(specimen(kind, (4 * size, 4 * size), seed=1), 79 / 27)
    light = light.reshape(size, 4, size, 4).mean((1, 3))
    return light * photons / np.quantile(light, 0.995)


def captured(light: np.ndarray, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    electrons = rng.poisson(light) + rng.normal(0, READ, light.shape)
    return np.rint(GAIN * electrons + BLACK).astype(np.float32)


def variance(light: np.ndarray, quantile: float) -> tuple[float, float]:
    """A pixel value and the true variance there."""
    electrons = float(np.quantile(light, quantile))
    return GAIN * electrons + BLACK, GAIN**2 * (electrons + READ**2) + 1 / 12


@pytest.mark.parametrize("kind", ["reticulum", "filaments"])
@pytest.mark.parametrize("photons", [150, 500, 2000])
def test_fine_structure_of_bright_images_is_not_noise(kind: str, photons: float) -> None:
    light = fine(kind, photons)
    noise = calibrate([captured(light)])
    assert noise.white
    for quantile in (0.5, 0.95):
        level, expected = variance(light, quantile)
        assert float(noise.variance(level)) == pytest.approx(expected, rel=0.35)


def test_the_smoothest_blocks_alone_are_fooled_there() -> None:
    """The fault that the corner of the DCT mends; it would not be needed otherwise."""
    light = fine("reticulum", 2000)
    level, expected = variance(light, 0.5)
    assert float(in_smoothest([captured(light)]).variance(level)) > 3 * expected


@pytest.mark.parametrize(
    "correlate",
    [
        lambda noise: gaussian_filter(noise, 0.7, mode="wrap"),
        lambda noise: (noise + np.roll(noise, 1, 1)) / 2,
        lambda noise: uniform_filter(noise, 2, mode="wrap"),
    ],
    ids=["blur", "shift", "box"],
)
def test_filtered_noise_is_told_from_white(correlate) -> None:
    light = gaussian_filter(fine("filaments", 60), 5)
    clean = GAIN * light + BLACK
    grain = correlate(captured(light) - clean)
    noise = calibrate([(clean + grain).astype(np.float32)])
    assert not noise.white
    assert float(noise.variance(np.median(clean))) == pytest.approx(grain.var(), rel=0.25)


@pytest.mark.parametrize(
    ("kind", "photons"), [("filaments", 60), ("filaments", 200), ("reticulum", 60)]
)
def test_noise_of_a_round_filter_is_found_below_dense_structure(kind: str, photons: float) -> None:
    light = gaussian_filter(fine(kind, photons), 0.5)
    clean = GAIN * light + BLACK
    frequency = 2 * np.pi * np.fft.fftfreq(len(light))
    transfer = 1 / (1 + (0.6 * np.hypot(frequency[:, None], frequency)) ** 2)
    grain = np.fft.ifft2(np.fft.fft2(captured(light) - clean) * transfer).real
    noise = calibrate([np.rint(clean + grain).astype(np.float32)])
    assert not noise.white
    assert noise.confidence < SURE
    assert 0.5 < float(noise.variance(np.median(clean))) / grain.var() < 2


def test_a_corner_that_levels_out_is_no_filter() -> None:
    structure = 3e3 * np.exp(-0.08 * SQUARE)
    assert fit_round(1 + structure, 0.0, 300, 1e3) is None
    filtered = bank()[-5] * 100
    found = fit_round(filtered, 0.0, 300, 1e3)
    assert found is not None
    assert found.agreement == 1
    assert fit_round(filtered, 0.0, 300, 1.0) is None


def test_what_an_image_does_not_tell_has_little_confidence() -> None:
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.normal(size=(256, 256)), 0.8)
    image = np.rint(1000 + 50 * texture / texture.std() + rng.normal(0, 0.3, texture.shape))
    assert calibrate([image.astype(np.float32)]).confidence < SURE
    few = rng.normal(100, 5, (24, 24)).astype(np.float32)
    assert calibrate([few]).confidence < SURE
    many = rng.normal(100, 5, (256, 256)).astype(np.float32)
    assert calibrate([many]).confidence > SURE


@pytest.mark.parametrize("mean", [0.003, 0.02, 0.1, 1.0])
def test_few_photons_are_not_saturated_and_clipped_ones_are(mean) -> None:
    plane = np.random.default_rng(0).poisson(mean, (256, 256)).astype(np.float32)
    assert find_saturation([plane]) == (None, 0)
    many = np.random.default_rng(0).poisson(5, (256, 256))
    assert find_saturation([np.minimum(many, 6).astype(np.float32)])[0] == 6


@pytest.mark.parametrize("measure", [calibrate, in_smoothest, least_noise])
def test_the_noise_of_an_image_in_other_units_is_that_in_these_units(measure) -> None:
    plane = np.minimum(captured(fine("reticulum", 50, 64)).astype(np.float32), 150)
    unit = 2.0**-50
    plain, other = measure([plane]), measure([plane * np.float32(unit)])
    assert other.gain == plain.gain * unit
    assert other.intercept == plain.intercept * unit**2
    assert other.saturation == plain.saturation * unit
    assert other.confidence == plain.confidence


def test_there_is_at_least_the_noise_of_the_highest_frequencies() -> None:
    light = fine("reticulum", 500)
    level, expected = variance(light, 0.5)
    assert float(least_noise([captured(light)]).variance(level)) == pytest.approx(expected, rel=0.3)


def test_a_masked_surround_does_not_bend_the_line() -> None:
    rng = np.random.default_rng(1)
    field = gaussian_filter(rng.random((256, 256)), 8, mode="wrap")
    light = 5 + 100 * (field - field.min()) / np.ptp(field)
    light[:, :128] = 0
    noise = calibrate([rng.poisson(light).astype(np.float32)])
    assert noise.gain == pytest.approx(1, rel=0.2)
    assert float(noise.variance(50)) == pytest.approx(50, rel=0.15)


def test_no_line_is_below_zero_where_there_are_pixels() -> None:
    x = np.linspace(10, 100, 12)
    gain, intercept, _ = line(x, 3 * (x - 30).clip(1), np.full(12, 0.1), 1e-3)
    assert gain * 10 + intercept >= -1e-9


def test_the_lowest_share_of_a_bin_gives_the_variance_of_all() -> None:
    rng = np.random.default_rng(0)
    energy = (rng.normal(0, 3, (4000, 6)) ** 2).mean(1)
    bins = Bins(rng.uniform(0, 1, 4000))
    for share in (0.1, 0.5, 0.95):
        assert bins.lowest(energy, 6, share).mean() == pytest.approx(9, rel=0.08)


def test_a_filter_of_the_bank_is_found_again_below_structure() -> None:
    spectrum = bank()[300] * 40.0
    lifted = spectrum.copy()
    lifted[:3, :3] *= 20
    found = fit(lifted, 0.0, 500)
    assert found.agreement > 0.95
    assert found.level * found.spectrum == pytest.approx(spectrum, rel=0.1)


@pytest.mark.parametrize("d", [2, 3, 4])
def test_noise_at_a_working_resolution_follows_from_that_of_the_image(d: int) -> None:
    grain = gaussian_filter(np.random.default_rng(0).normal(0, 20, (512, 512)), 0.9, mode="wrap")
    noise = calibrate([(500 + grain).astype(np.float32)])
    coarse = smoothed(grain, d)[::d, ::d]
    derived = decimated(noise, d)
    assert float(derived.variance(500)) == pytest.approx(coarse.var(), rel=0.15)
    neighbours = float((coarse[1:] * coarse[:-1]).mean() / coarse.var())
    assert derived.correlation(1)[1] == pytest.approx(neighbours, abs=0.1 if d < 4 else 0.2)


def test_the_dct_spectrum_of_an_autocovariance_has_that_autocovariance() -> None:
    lags = np.arange(-7, 8)
    covariance = np.exp(-(lags[:, None] ** 2 + lags**2) / 2.0)
    again = autocovariance(dct_spectrum(covariance))
    assert np.abs(again - covariance).max() < 0.06


def test_a_box_loses_fine_structure_and_no_smooth_one() -> None:
    rng = np.random.default_rng(0)
    grain = gaussian_filter(rng.normal(0, 20, (256, 256)), 0.9)
    noise = calibrate([(500 + grain).astype(np.float32)])
    rows, cols = np.mgrid[:256, :256]
    smooth = 100 * np.sin(rows / 20) * np.cos(cols / 25)
    lines = 60.0 * (np.abs((rows + cols) % 12 - 6) < 1.5)
    assert abs(lost_structure(noise, (500 + grain + smooth).astype(np.float32), 2)) < 0.05
    assert lost_structure(noise, (500 + grain + lines).astype(np.float32), 2) > 0.05


def test_a_detector_that_squeezes_the_brightest_pixels_does_not_hide_the_noise_of_the_others():
    """As in a real time-lapse of 8 bits, whose nuclei end in the shoulder of a display curve."""
    draws = np.random.default_rng(3)
    rows, cols = np.mgrid[:320, :320]
    places = draws.uniform(0, 320, (24, 2))
    light = sum(np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / 2 / 14**2) for r, c in places)
    linear = 0.43 * draws.poisson((3 + 330 * light**2) / 0.43)
    squeezed = np.where(linear < 130, linear, 130 + 118 * (1 - np.exp(-(linear - 130) / 40)))
    found = calibrate([np.rint(squeezed).astype(np.float32)])
    assert found.gain == pytest.approx(0.43, rel=0.12)
    assert found.white
