"""The noise calibration finds what was put into simulated images."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.ndimage import gaussian_filter, uniform_filter

from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.physics.camera.calibration.saturation import find_saturation
from zsfiji.physics.noise import Noise, autocorrelation, resampled


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Expected photons a pixel, 0.5 to about 60: cells, and fine structure in them."""
    rng = np.random.default_rng(3)
    blobs = gaussian_filter(rng.random((320, 320)) ** 20, 12)
    fine = gaussian_filter(rng.random((320, 320)) ** 8, 1.5)
    photons = blobs / blobs.max() * (0.4 + fine / fine.max())
    return 0.5 + 60 * photons / photons.max()


def camera(scene: np.ndarray, gain: float, offset: float, read: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = gain * rng.poisson(scene) + offset + rng.normal(0, read, scene.shape)
    return image.astype(np.float32)


@pytest.mark.parametrize(
    ("gain", "offset", "read"),
    [(1.0, 0.0, 0.0), (3.0, 100.0, 5.0), (0.002, 0.0, 0.004), (5e4, -1e6, 2e5), (12.0, 0.0, 0.0)],
)
def test_gain_and_variance_of_a_camera_are_found(
    scene: np.ndarray, gain: float, offset: float, read: float
) -> None:
    noise = calibrate([camera(scene, gain, offset, read)])
    assert noise.white
    assert noise.gain == pytest.approx(gain, rel=0.2)
    middle = gain * 15 + offset
    assert noise.variance(middle) == pytest.approx(gain**2 * 15 + read**2, rel=0.15)


def test_gaussian_noise_is_the_same_at_every_brightness(scene: np.ndarray) -> None:
    noise = calibrate([camera(scene, 0, 0, 0) * 0 + scene + camera(0 * scene, 0, 0, 8)])
    assert noise.gain == 0
    assert noise.variance(10) == noise.variance(50) == pytest.approx(64, rel=0.1)


def test_correlated_noise_is_told_with_its_correlation(scene: np.ndarray) -> None:
    grain = uniform_filter(np.random.default_rng(1).normal(0, 20, scene.shape), 2)
    noise = calibrate([(scene + grain).astype(np.float32)])
    assert not noise.white
    assert noise.variance(20) == pytest.approx(100, rel=0.25)
    # A box over two pixels: neighbours share a half, the next ones nothing.
    assert noise.correlation(2) == pytest.approx([1, 0.5, 0], abs=0.12)


def test_texture_in_every_block_is_not_taken_for_correlated_noise() -> None:
    rng = np.random.default_rng(2)
    spots = np.zeros((256, 256))
    spots[rng.integers(0, 256, 400), rng.integers(0, 256, 400)] = 1500
    noise = calibrate([rng.poisson(gaussian_filter(spots, 1.2) + 5).astype(np.float32)])
    assert noise.white
    assert noise.gain == pytest.approx(1, abs=0.4)


def test_all_planes_of_a_stack_are_used(scene: np.ndarray) -> None:
    dark, bright = scene[:64, :64] * 0 + 2, scene[:64, :64] * 0 + 40
    noise = calibrate([camera(dark, 2, 0, 0, 1), camera(bright, 2, 0, 0, 2)])
    assert noise.gain == pytest.approx(2, rel=0.25)


@pytest.mark.parametrize("kind", ["constant", "smooth", "binary"])
def test_an_image_without_noise_has_none(scene: np.ndarray, kind: str) -> None:
    smooth = gaussian_filter(scene, 8)
    image = {"constant": scene * 0 + 7, "smooth": smooth, "binary": (smooth > 10) * 255.0}[kind]
    assert calibrate([image.astype(np.float32)]).floor == 0


@pytest.mark.parametrize("shape", [(2, 2), (3, 300), (5, 7), (2, 40), (17, 16), (31, 33)])
def test_small_and_narrow_images_get_a_variance_that_is_finite(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(50, 3, shape).astype(np.float32)
    noise = calibrate([image])
    assert np.isfinite([noise.gain, noise.intercept, noise.floor]).all()
    if min(shape) >= 16:
        assert noise.variance(50) == pytest.approx(9, rel=0.5)


def test_saturation_is_told_from_a_bright_end(scene: np.ndarray) -> None:
    image = camera(scene, 2, 0, 1)
    assert find_saturation([image]) == (None, 0)
    value, share = find_saturation([np.minimum(image, 80)])
    assert value == 80
    assert share == pytest.approx(float(np.mean(image >= 80)))


def test_a_calibration_survives_the_settings_of_a_model(scene: np.ndarray) -> None:
    noise = calibrate([uniform_filter(camera(scene, 2, 5, 1), 2)])
    stored = TypeAdapter(Noise)
    again = stored.validate_json(stored.dump_json(noise))
    assert again.gain == noise.gain
    assert again.white == noise.white
    assert np.allclose(again.spectrum, noise.spectrum, rtol=1e-5)


def test_a_flat_spectrum_has_no_correlation_at_any_size() -> None:
    flat = np.ones((16, 16))
    assert autocorrelation(flat, 4) == pytest.approx([1, 0, 0, 0, 0], abs=1e-12)
    assert np.allclose(resampled(flat, 8), 1)
