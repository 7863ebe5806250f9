"""What was taken out is checked for structure; the denoiser never makes an image worse."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.physics.filters import structure
from zsfiji.physics.filters.structure import Shape, lost, put_back, shape
from zsfiji.physics.noise import Noise

WHITE = Noise(0.0, 25.0, 25.0, np.ones((8, 8)), True)


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A smooth image with fine lines in its left half, and its noise of deviation 5."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:256, :256]
    lines = 30.0 * ((rows % 6) < 2) * (cols < 128)
    smooth = 200 + 50 * np.sin(rows / 60)
    return (smooth + lines).astype(np.float32), rng.normal(0, 5, rows.shape).astype(np.float32)


def error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean((image - truth) ** 2))


def test_structure_that_was_taken_out_is_put_back_where_it_was() -> None:
    truth, grain = scene()
    noisy = truth + grain
    blurred = gaussian_filter(noisy, 3)
    assert error(blurred, truth) > error(noisy, truth)
    better, share = put_back(noisy, blurred, WHITE)
    assert error(better, truth) < error(noisy, truth)
    assert error(better, truth) < error(blurred, truth)
    assert share == pytest.approx(0.5, abs=0.1)
    away = better[:, 150:] - blurred[:, 150:]
    assert np.sqrt(np.mean(away**2)) < 0.5


def test_what_is_put_back_has_little_noise() -> None:
    truth, grain = scene()
    noisy = truth + grain
    better, _ = put_back(noisy, gaussian_filter(noisy, 3), WHITE)
    # The best share of the residual, the same at all frequencies, leaves about 0.9 of the noise.
    assert error(better[:, :120], truth[:, :120]) < 0.5 * 25


def test_windows_that_lack_structure_are_found_and_no_others() -> None:
    truth, grain = scene()
    there, share = lost(truth + grain, gaussian_filter(truth + grain, 3), WHITE)
    assert there[:, :128].mean() > 0.95
    assert there[:, 150:].sum() == 0
    assert share == pytest.approx(0.5, abs=0.05)
    assert lost(truth + grain, truth, WHITE)[1] == 0


def test_noise_is_not_put_back() -> None:
    truth, grain = scene()
    result, share = put_back(truth + grain, truth, WHITE)
    assert share < 0.01
    assert error(result, truth) < 0.02 * 25


def test_saturated_pixels_are_not_taken_for_structure() -> None:
    truth, grain = scene()
    cut = Noise(0.0, 25.0, 25.0, np.ones((8, 8)), True, saturation=220.0)
    noisy = np.minimum(truth + grain, 220)
    assert put_back(noisy, np.where(noisy >= 220, truth + 40, truth), cut)[1] < 0.01


def test_correlated_noise_is_compared_with_itself_away_from_structure() -> None:
    truth, _ = scene()
    grain = gaussian_filter(np.random.default_rng(1).normal(0, 1, truth.shape), 1)
    grain = (5 * grain / grain.std()).astype(np.float32)
    # Its variance is underrated by half, as it may be for noise that no filter explains.
    underrated = Noise(0.0, 12.5, 12.5, np.ones((8, 8)), False)
    spared, share = put_back(truth + grain, truth, underrated, 2)
    assert share < 0.05
    assert error(spared, truth) < 0.1 * error(truth + grain, truth)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_filtered_noise_looks_like_noise(seed: int) -> None:
    grain = gaussian_filter(np.random.default_rng(seed).normal(0, 9, (256, 256)), 0.8)
    clean = np.full(grain.shape, 100, np.float32)
    assert shape((clean + grain).astype(np.float32), clean, WHITE) is Shape.NOISE


def test_spots_are_sparse_and_a_grating_is_dense() -> None:
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:256, :256]
    clean = np.full(rows.shape, 100, np.float32)
    spots = np.zeros(rows.shape)
    spots[rng.integers(0, 256, 150), rng.integers(0, 256, 150)] = 900
    spots = gaussian_filter(spots, 1.5)
    grating = 12 * np.sin(rows) + 12 * np.sin(cols)
    grain = rng.normal(0, 2, rows.shape)
    for pattern, what in ((spots, Shape.SPARSE), (grating, Shape.DENSE)):
        assert shape((clean + pattern + grain).astype(np.float32), clean, WHITE) is what


def test_without_noise_nothing_is_put_back() -> None:
    truth, _ = scene()
    none = Noise(0.0, 0.0, 0.0, np.ones((8, 8)), True)
    assert put_back(truth, truth + 1, none)[1] == 0


@pytest.mark.parametrize("white", [True, False])
def test_strips_give_the_result_of_the_whole_plane(white: bool, monkeypatch) -> None:
    truth, grain = scene()
    noisy, restored = truth + grain, gaussian_filter(truth + grain, 2)
    noise = Noise(0.1, 5.0, 5.0, np.ones((8, 8)), white, saturation=250.0)
    whole, share = put_back(noisy, restored, noise, 2)
    monkeypatch.setattr(structure, "_STRIP", 37 * truth.shape[1])
    strips, share_of_strips = put_back(noisy, restored, noise, 2)
    assert share > 0.01
    assert share_of_strips == share
    np.testing.assert_allclose(strips, whole, rtol=1e-6)


def test_a_big_plane_takes_little_more_memory_than_its_result() -> None:
    truth, grain = (np.tile(image, (6, 6)) for image in scene())
    for restored in (truth, gaussian_filter(truth, 3)):
        tracemalloc.start()
        put_back(truth + grain, restored, WHITE)
        peak = tracemalloc.get_traced_memory()[1] / truth.nbytes
        tracemalloc.stop()
        assert peak < 5.5
