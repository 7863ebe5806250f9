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
from zsfiji.physics.filters.structure import same_kind
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


@pytest.mark.parametrize("seed", [5000, 5247, 13046])
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
    field = gaussian_filter(np.random.default_rng(0).normal(size=(128, 128)), 1, mode="wrap")
    noisy = (100 + 10 * field / field.std()).astype(np.float32)
    # The right power in the corner, and too little at low frequencies.
    true, found = (np.exp(-((s * 2 * np.pi * radial_frequency(8)) ** 2)) for s in (1.0, 0.9))
    level = 100.0 * float(true[7, 7] / true.mean() / (found[7, 7] / found.mean()))
    noise = Noise(0.0, level, level, found / found.mean(), False, confidence=0.06)
    stabiliser = Stabiliser.of(noise)
    smooth = filtered(torch.from_numpy(stabiliser.forward(noisy)), noise).numpy()
    assert same_kind(noisy, stabiliser.inverse(smooth), noise)
    assert noise_to_use(noise, [noisy]) == (noise, False)


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
