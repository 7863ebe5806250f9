"""The noise of a raw SIM image, from the frequencies that no lens passes."""

from __future__ import annotations

import pytest
import torch
from structured import TRANSFER, simulate

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.reconstruction.noise import noise_line


@pytest.mark.parametrize("kind", ["filaments", "tubules"])
@pytest.mark.parametrize("peak", [8, 80])
def test_gain_and_read_noise_are_found(kind: str, peak: float) -> None:
    stack = simulate(kind, (128, 128), peak).expected
    draws = torch.Generator().manual_seed(3)
    gain, read = 2.5, 9.0
    grey = gain * torch.poisson(stack, generator=draws)
    grey += read**0.5 * torch.randn(grey.shape, generator=draws)
    found = noise_line(grey, TRANSFER)
    assert found is not None
    assert found[0] == pytest.approx(gain, rel=0.15)
    there = gain * float(grey.mean()) + read
    assert found[0] * float(grey.mean()) + found[1] == pytest.approx(there, rel=0.04)
    if peak < 10:
        assert found[1] == pytest.approx(read, rel=0.3)


def test_noise_that_falls_with_the_light_leaves_some_gain() -> None:
    light = simulate("tubules", (128, 128), 80).expected
    draws = torch.Generator().manual_seed(1)
    strength = 40 / (1 + light / light.mean())
    found = noise_line(light + strength * torch.randn(light.shape, generator=draws), TRANSFER)
    assert found is not None
    gain, read = found
    # Counts are light over gain: none must not be zero.
    assert 0 < gain * float(light.mean()) < 0.02 * read


def test_wide_pixels_show_no_noise_alone() -> None:
    assert noise_line(simulate(shape=(64, 64)).noisy, RadialTransfer(0.75)) is None


def test_light_that_does_not_vary_is_no_trouble() -> None:
    draws = torch.Generator().manual_seed(0)
    found = noise_line(50 + 2 * torch.randn(3, 3, 64, 64, generator=draws), TRANSFER)
    assert found is not None
    assert found[0] >= 0
    assert found[0] * 50 + found[1] == pytest.approx(4, rel=0.1)
