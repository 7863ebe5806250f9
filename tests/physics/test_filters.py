"""The filters without training take noise out, and go on over tiles without a seam."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, uniform_filter

from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.physics.filters import dct, nonlocal_means, patch_groups
from zsfiji.physics.filters.both import filtered, refined
from zsfiji.physics.filters.dct import dct_denoise
from zsfiji.physics.filters.nonlocal_means import patch_denoise
from zsfiji.physics.noise import Noise

WHITE = np.ones((16, 16))


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    rows, cols = np.mgrid[:96, :140]
    rings = 6 * np.sin(np.hypot(rows - 40, cols - 60) ** 1.3 / 14)
    return (rings + 8 * (cols > 100)).astype(np.float32)


@pytest.fixture(scope="module")
def noisy(clean: np.ndarray) -> np.ndarray:
    return clean + np.random.default_rng(0).normal(0, 1, clean.shape).astype(np.float32)


def error(image: torch.Tensor, clean: np.ndarray) -> float:
    return float(np.mean((image.numpy() - clean) ** 2))


def best_gaussian(noisy: np.ndarray, clean: np.ndarray) -> float:
    return min(np.mean((gaussian_filter(noisy, s) - clean) ** 2) for s in (0.5, 0.75, 1, 1.5, 2))


def test_each_filter_beats_the_best_gaussian(noisy: np.ndarray, clean: np.ndarray) -> None:
    plane, limit = torch.from_numpy(noisy), best_gaussian(noisy, clean)
    assert error(dct_denoise(plane, WHITE), clean) < 0.7 * limit
    assert error(dct_denoise(plane, WHITE, grids=1), clean) < 0.75 * limit
    assert error(patch_denoise(plane), clean) < 0.8 * limit


def test_their_mean_is_better_than_either(noisy: np.ndarray, clean: np.ndarray) -> None:
    plane = torch.from_numpy(noisy)
    both = error(filtered(plane, Noise(0, 1, 1, WHITE, True)), clean)
    assert both < min(error(dct_denoise(plane, WHITE), clean), error(patch_denoise(plane), clean))


def test_groups_of_patches_are_better_than_what_they_start_from(
    noisy: np.ndarray, clean: np.ndarray
) -> None:
    plane, noise = torch.from_numpy(noisy), Noise(0, 1, 1, WHITE, True)
    assert error(refined(plane, noise), clean) < 0.85 * error(filtered(plane, noise), clean)


def test_groups_of_patches_need_the_spectrum_of_correlated_noise(clean: np.ndarray) -> None:
    grain = 2 * uniform_filter(np.random.default_rng(0).normal(0, 1, clean.shape), 2)
    spectrum = calibrate([np.tile(grain, (2, 2)).astype(np.float32)]).spectrum
    plane = torch.from_numpy((clean + grain).astype(np.float32))
    first = dct_denoise(plane, spectrum)
    known, unknown = (
        patch_groups.group_denoise(plane, first, power) for power in (spectrum, WHITE)
    )
    assert error(known, clean) < min(error(first, clean), 0.9 * error(unknown, clean))


def test_groups_of_patches_are_the_same_in_any_strips(
    noisy: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = torch.from_numpy(noisy)
    first = dct_denoise(plane, WHITE)
    whole = patch_groups.group_denoise(plane, first, WHITE)
    monkeypatch.setattr(patch_groups, "_AT_ONCE", 100)
    torch.testing.assert_close(patch_groups.group_denoise(plane, first, WHITE), whole)


@pytest.mark.parametrize("shape", [(1, 1), (7, 40), (16, 16), (19, 33)])
def test_groups_of_patches_in_small_planes(shape: tuple[int, int]) -> None:
    plane = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = patch_groups.group_denoise(plane, plane / 2, WHITE)
    assert result.shape == shape
    assert bool(torch.isfinite(result).all())


def test_groups_of_patches_leave_no_pixel_out_where_the_estimate_is_constant() -> None:
    """All patches are the same there; images of a few grey levels became NaN as a whole."""
    noisy = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    result = patch_groups.group_denoise(noisy, torch.zeros(16, 16), WHITE)
    assert bool(torch.isfinite(result).all())


def test_structure_may_be_thousands_of_times_as_strong_as_the_noise() -> None:
    clean = 3000 * (torch.arange(48) // 3 % 2).float().expand(48, 48)
    noise = torch.randn(48, 48, generator=torch.Generator().manual_seed(0))
    error = patch_groups.group_denoise(clean + noise, clean, WHITE) - clean
    assert float(error.std()) < 0.6


def test_correlated_noise_needs_its_spectrum(clean: np.ndarray) -> None:
    grain = 2 * uniform_filter(np.random.default_rng(0).normal(0, 1, clean.shape), 2)
    noise = calibrate([np.tile(grain, (2, 2)).astype(np.float32)])
    plane = torch.from_numpy((clean + grain).astype(np.float32))
    known, unknown = dct_denoise(plane, noise.spectrum), dct_denoise(plane, WHITE)
    assert error(known, clean) < 0.8 * error(unknown, clean)


@pytest.mark.parametrize(("module", "function"), [(dct, "dct"), (nonlocal_means, "patch")])
def test_small_tiles_give_the_same_as_the_whole(
    monkeypatch: pytest.MonkeyPatch, noisy: np.ndarray, module: object, function: str
) -> None:
    plane = torch.from_numpy(noisy)
    work = patch_denoise if function == "patch" else lambda p: dct_denoise(p, WHITE)
    whole = work(plane)
    monkeypatch.setattr(module, "_TILE", 40)
    assert torch.allclose(work(plane), whole, atol=2e-4)


@pytest.mark.parametrize("shape", [(5, 7), (2, 31), (1, 3)])
def test_tiny_planes_are_filtered_too(shape: tuple[int, int]) -> None:
    plane = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = filtered(plane, Noise(0, 1, 1, np.ones((4, 4)), True))
    assert result.shape == plane.shape
    assert torch.isfinite(result).all()


def test_a_pixel_that_stands_out_is_averaged_like_others() -> None:
    plane = torch.zeros(40, 40)
    plane[20, 20] = 4
    assert patch_denoise(plane)[20, 20] < 0.5
