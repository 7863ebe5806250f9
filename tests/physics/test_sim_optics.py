"""The optics and patterns of structured illumination."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zsfiji.physics.sim.optics import Blur, RadialTransfer, frequencies, illumination, waves
from zsfiji.physics.sim.patterns import TURN, Patterns

TRANSFER = RadialTransfer(0.37, damping=0.5)


def patterns(angles: int = 3, frames: int = 3, waves: int = 1) -> Patterns:
    direction = 0.3 + torch.arange(angles, dtype=torch.float64) * math.pi / 3
    vector = 0.33 * torch.stack([direction.sin(), direction.cos()], 1)
    order = torch.arange(1, waves + 1, dtype=torch.float64)
    phase = 0.4 + torch.arange(frames, dtype=torch.float64) * TURN / frames
    return Patterns(
        vector[:, None] * (order / waves)[:, None],
        (order[:, None] * phase).expand(angles, waves, frames).clone(),
        torch.full((angles, waves), 0.7, dtype=torch.float64),
        torch.ones(angles, frames, dtype=torch.float64),
    )


@pytest.mark.parametrize("shape", [(32, 32), (31, 40), (24, 27)])
@pytest.mark.parametrize("scale", [2, 3])
def test_up_is_the_adjoint_of_down(shape: tuple[int, int], scale: int) -> None:
    blur = Blur(TRANSFER, shape, scale)
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(*blur.fine, generator=draws)
    y = torch.randn(*shape, generator=draws)
    forward = float((blur.down(x) * y).sum())
    backward = float((x * blur.up(y)).sum())
    assert forward == pytest.approx(backward, rel=1e-4, abs=1e-3)


def test_a_flat_specimen_keeps_its_value() -> None:
    blur = Blur(TRANSFER, (20, 30))
    assert torch.allclose(blur.down(torch.full(blur.fine, 3.0)), torch.tensor(3.0), atol=1e-4)


def test_down_blurs_and_bins_around_the_same_place() -> None:
    """The image of a point has the phases of the place of the point on the raw grid."""
    blur = Blur(RadialTransfer(0.3), (40, 40))
    specimen = torch.zeros(blur.fine)
    specimen[37, 44] = 1
    spectrum = torch.fft.rfft2(blur.down(specimen))[:6, :6]
    row, col = (f[:6] for f in (torch.fft.fftfreq(40)[:, None], torch.fft.rfftfreq(40)[:, None]))
    there = torch.exp(-1j * TURN * (row * (37 - 0.5) / 2 + col.T * (44 - 0.5) / 2))
    assert torch.allclose(spectrum / spectrum.abs(), there.to(spectrum.dtype), atol=1e-4)


def test_the_pixel_blurs_as_the_mean_of_finer_pixels() -> None:
    row, col = torch.tensor([[0.2]]), torch.tensor([[0.1]])
    wide = RadialTransfer(10.0)
    expected = (
        math.cos(math.pi * 0.1) * math.cos(math.pi * 0.05) * float(wide.lens(torch.hypot(row, col)))
    )
    assert float(wide(row, col, 2)) == pytest.approx(expected, rel=1e-5)


def test_a_measured_otf_is_read_between_its_samples() -> None:
    curve = np.linspace(1, 0, 11)
    measured = RadialTransfer(0.4, curve=curve)
    found = measured.lens(torch.tensor([0.0, 0.05, 0.1, 0.2, 0.4, 0.5]))
    assert torch.allclose(
        found.double(), torch.tensor([1, 0.875, 0.75, 0.5, 0, 0]).double(), atol=1e-6
    )


def test_illumination_is_the_sum_of_the_waves() -> None:
    p = patterns(frames=5, waves=2)
    light = illumination(p, (16, 20))
    assert light.shape == (3, 5, 32, 40)
    e = waves(p, (16, 20))
    turn = torch.exp(1j * p.phases[1, :, 3]).to(torch.complex64)
    one = 1 + 0.7 * ((e[1] * turn[:, None, None]).real).sum(0)
    assert torch.allclose(light[1, 3], one, atol=1e-5)


def test_patterns_of_a_crop_are_those_of_the_whole() -> None:
    p = patterns()
    whole = illumination(p, (24, 24))
    crop = illumination(p.moved(5, 7), (10, 10))
    assert torch.allclose(crop, whole[..., 10:30, 14:34], atol=1e-4)


def test_mixing_separates_what_was_mixed() -> None:
    p = patterns(frames=5, waves=2)
    mixing = p.mixing(0)
    bands = torch.randn(5, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(torch.linalg.pinv(mixing) @ (mixing @ bands), bands, atol=1e-9)
    # The light of a frame at the origin, for a specimen that is 1 everywhere.
    light = illumination(p, (8, 8))
    at_origin = mixing.sum(1).real
    phases = 1 + (p.modulation[0, :, None] * p.phases[0].cos()).sum(0)
    assert torch.allclose(at_origin, phases, atol=1e-9)
    assert light.min() > -0.5


def test_frequencies_are_in_cycles_per_raw_pixel() -> None:
    rows, cols = frequencies((10, 12), 2)
    assert float(rows.max()) == pytest.approx(0.9)
    assert float(cols.max()) == pytest.approx(1.0)
