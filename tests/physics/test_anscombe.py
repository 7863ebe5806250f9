"""The variance stabilisation makes noise even, and its inverse has no bias."""

from __future__ import annotations

import numpy as np
import pytest

from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.noise import Noise

DRAWS = 400_000


def stabiliser(gain: float, offset: float, floor: float) -> Stabiliser:
    return Stabiliser.of(Noise(gain, offset, floor, np.ones((8, 8)), True))


@pytest.mark.parametrize("photons", [3.0, 10.0, 200.0])
@pytest.mark.parametrize(("gain", "dark", "read"), [(1, 0, 0), (2.5, 100, 3), (1e-3, 0.1, 2e-3)])
def test_noise_becomes_even(photons: float, gain: float, dark: float, read: float) -> None:
    rng = np.random.default_rng(0)
    values = gain * rng.poisson(photons, DRAWS) + dark + rng.normal(0, read, DRAWS)
    transform = stabiliser(gain, read**2 - gain * dark, read**2 / 2)
    assert transform.forward(values).std() == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("photons", [0.0, 0.3, 1.0, 4.0, 50.0, 5000.0])
@pytest.mark.parametrize(("gain", "dark", "read"), [(1, 0, 0), (2.5, 100, 5), (1e-3, -0.2, 3e-3)])
def test_the_mean_comes_back_without_bias(
    photons: float, gain: float, dark: float, read: float
) -> None:
    rng = np.random.default_rng(1)
    values = gain * rng.poisson(photons, DRAWS) + dark + rng.normal(0, read, DRAWS)
    transform = stabiliser(gain, read**2 - gain * dark, read**2 / 2)
    back = transform.inverse(transform.forward(values).mean())
    deviation = np.sqrt(gain**2 * photons + read**2)
    assert back == pytest.approx(gain * photons + dark, abs=0.04 * deviation + 1e-6 * gain)


def test_gaussian_noise_is_only_scaled() -> None:
    transform = stabiliser(0, 16, 16)
    values = np.linspace(-300, 300, 7)
    assert transform.forward(values) == pytest.approx(values / 4)
    assert transform.inverse(transform.forward(values)) == pytest.approx(values, rel=1e-6)


def test_both_ways_rise_everywhere_also_far_below_the_dark_level() -> None:
    transform = stabiliser(2, -180, 1)
    forward = transform.forward(np.linspace(-500, 5000, 10_001))
    assert (np.diff(forward) > 0).all()
    assert (np.diff(transform.inverse(np.linspace(-50, 100, 10_001))) > 0).all()
