"""Contrast to noise of the stripes of a raw SIM image."""

import math

import pytest
import torch

from zsfiji.quality.mcnr import mcnr, mcnr_said


def _stripes(modulation, photons, frames=3, orders=1, gain=1.0):
    """A bright half under stripes that the camera sees in full, with shot noise."""
    row, col = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    stack = torch.zeros(1, frames, 96, 96)
    for n in range(frames):
        wave = torch.zeros(96, 96)
        for order in range(1, orders + 1):
            wave += torch.cos(0.4 * order * (row + col) + 2 * math.pi * order * n / frames)
        stack[0, n] = torch.where(col > 48, photons, 0.1 * photons) * (1 + modulation * wave)
    noisy = torch.poisson(stack, generator=torch.Generator().manual_seed(1))
    return gain * noisy, gain**2 * float(stack.mean())


@pytest.mark.parametrize(("frames", "orders"), [(3, 1), (5, 2), (7, 1)])
@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_height_of_the_stripes_over_the_noise(frames, orders, gain):
    stack, variance = _stripes(0.4, 400.0, frames, orders, gain)
    # Twice the amplitude over the root of the photons.
    expected = 2 * 0.4 * math.sqrt(orders) * math.sqrt(400)
    assert float(mcnr(stack, variance, orders)[0]) == pytest.approx(expected, rel=0.1)


def test_noise_is_no_contrast():
    stack, variance = _stripes(0.0, 400.0)
    assert float(mcnr(stack, variance)[0]) < 1.0


def test_words():
    assert [mcnr_said(v) for v in (3, 5, 9, 14)] == [
        "inadequate",
        "low to moderate",
        "good",
        "excellent",
    ]
