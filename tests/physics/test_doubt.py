"""Correlated noise that may be structure: what speaks against it, and what is used then.

The captures are those of benchmarks/captures.py on which the denoiser did harm, or did well.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from zsfiji.physics.camera.doubt import noise_to_use, refuted
from zsfiji.physics.camera.model import NOTHING_KNOWN, measure
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.filters.both import filtered
from zsfiji.physics.filters.structure import alike, evenness
from zsfiji.physics.noise import SURE, Noise, radial_frequency
from zsfiji.services.denoise.fit import prepare

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "captures.py"


@pytest.fixture(scope="module")
def captures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("captures", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks for its module there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [5103, 5292, 13388])
def test_structure_that_was_taken_for_correlated_noise_is_doubted(
    captures: ModuleType, seed: int
) -> None:
    """The denoiser gave 1.4 to 4 times the error of the noisy image."""
    capture = captures.draw(seed, 128)
    level = float(np.quantile(capture.truth, 0.95))
    noise = measure([capture.noisy]).noise
    assert noise.confidence < SURE
    assert noise.variance(level) > 2 * capture.variance(level)
    used, doubted = noise_to_use(noise, [capture.noisy])
    assert doubted
    assert used.white
    assert used.variance(level) < capture.variance(level)
    unit = prepare([capture.noisy], 0, NOTHING_KNOWN)
    assert unit.doubted
    assert unit.d == 1


@pytest.mark.parametrize("seed", [13307, 16125, 17000, 17109])
def test_noise_that_differs_from_place_to_place_or_looks_like_structure_is_doubted(
    captures: ModuleType, seed: int
) -> None:
    """Dense rings, and textures of the spectrum of blurred noise: 1.3 to 5.5 times the error."""
    capture = captures.draw(seed, 128)
    level = float(np.quantile(capture.truth, 0.95))
    noise = measure([capture.noisy]).noise
    assert not noise.white
    assert noise.confidence < SURE
    assert noise.variance(level) > 2 * capture.variance(level)
    assert prepare([capture.noisy], 0, NOTHING_KNOWN).doubted


@pytest.mark.parametrize("seed", [5000, 5247, 13046, 13103, 13268])
def test_correlated_noise_is_believed_where_nothing_speaks_against_it(
    captures: ModuleType, seed: int
) -> None:
    capture = captures.draw(seed, 128)
    noise = measure([capture.noisy]).noise
    assert not noise.white
    assert noise.confidence < SURE
    assert noise_to_use(noise, [capture.noisy]) == (noise, False)


def test_noise_that_is_stronger_than_measured_is_not_structure() -> None:
    """As in small parts of real wide-field captures: it has the same power everywhere."""
    field = gaussian_filter(np.random.default_rng(0).normal(size=(128, 128)), 0.6, mode="wrap")
    noisy = (100 + 10 * field / field.std()).astype(np.float32)
    # The right power in the corner, and too little at low frequencies.
    true, found = (np.exp(-((s * 2 * np.pi * radial_frequency(8)) ** 2)) for s in (0.6, 0.5))
    level = 100.0 * float(true[7, 7] / true.mean() / (found[7, 7] / found.mean()))
    noise = Noise(0.0, level, level, found / found.mean(), False, confidence=0.06)
    assert level < 85
    stabiliser = Stabiliser.of(noise)
    stabilised = stabiliser.forward(noisy)
    kept = filtered(torch.from_numpy(stabilised), noise).numpy()
    assert alike(stabilised - kept, kept, np.ones(noisy.shape, dtype=bool)) > 0.4
    assert noise_to_use(noise, [noisy]) == (noise, False)


def test_residuals_of_noise_are_as_peaked_as_noise() -> None:
    draws = np.random.default_rng(3)
    everywhere = np.ones((128, 128), dtype=bool)
    noise = draws.normal(size=everywhere.shape)
    grating = np.sin(np.arange(128) * 0.9) + 0 * noise
    assert evenness(noise, everywhere) < 0.1
    assert evenness(grating, everywhere) > 1
    assert evenness(0 * noise, everywhere) == 0
    assert evenness(noise, ~everywhere) == 0
    assert alike(noise, grating, everywhere) < 0.1
    assert alike(noise, noise + grating, everywhere) > 0.5
    assert alike(noise, 0 * noise, everywhere) == 0


def test_an_image_with_less_power_than_its_noise_refutes_it() -> None:
    noisy = np.random.default_rng(1).normal(100, 10, (96, 96)).astype(np.float32)
    flat = np.ones((8, 8))
    assert not refuted(Noise(0.0, 100.0, 100.0, flat, True), noisy)
    assert refuted(Noise(0.0, 120.0, 120.0, flat, True), noisy)
    assert not refuted(Noise(0.0, 120.0, 120.0, flat, True), noisy[:15, :15])


def test_noise_of_a_faint_filter_is_not_sure(captures: ModuleType) -> None:
    """White noise below dense filaments, with coarse pixels: found 1.56 times too strong."""
    capture = captures.draw(9051)
    level = float(np.quantile(capture.truth, 0.95))
    noise = measure([capture.noisy]).noise
    assert noise.variance(level) > 1.5 * capture.variance(level)
    assert noise.confidence < SURE
