"""The damping of an OTF, measured where bands overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from structured import CUTOFF, READ, hexagonal, patterns, simulate

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.damping import measured_damping


def measured(stack: torch.Tensor, light: Patterns, told: float) -> tuple[float, float]:
    noise = float(stack.mean()) + READ**2
    return measured_damping(stack, light, RadialTransfer(CUTOFF, told), noise)


@pytest.mark.parametrize("true", [0.3, 0.8])
@pytest.mark.parametrize("told", [0.3, 0.8])
def test_the_true_damping_is_found(true: float, told: float) -> None:
    one = simulate("reticulum", peak=200, transfer=RadialTransfer(CUTOFF, true))
    found, error = measured(one.noisy, one.patterns, told)
    assert found == pytest.approx(true, rel=0.12)
    assert error < 0.1


@pytest.mark.parametrize("light", [patterns(3, 5, 2, modulation=0.5), hexagonal()])
def test_other_patterns_serve_as_well(light: Patterns) -> None:
    one = simulate("filaments", (96, 112), 300, light, transfer=RadialTransfer(CUTOFF, 0.5))
    found, _ = measured(one.noisy, light, 1.0)
    assert found == pytest.approx(0.5, rel=0.15)


def test_haze_is_no_damping() -> None:
    one = simulate("filaments", peak=300, haze=2.0, transfer=RadialTransfer(CUTOFF, 0.5))
    found, _ = measured(one.noisy, one.patterns, 0.8)
    assert found == pytest.approx(0.5, rel=0.15)


def test_without_light_it_is_what_was_told() -> None:
    draws = torch.Generator().manual_seed(0)
    noise = READ * torch.randn(3, 3, 64, 64, generator=draws) + 1
    found, error = measured(noise, patterns(), 0.4)
    assert abs(np.log(found / 0.4)) < 1.0
    assert error > 0.4


def test_a_measured_otf_is_not_questioned() -> None:
    one = simulate("filaments", (64, 64))
    transfer = replace(RadialTransfer(CUTOFF), curve=np.linspace(1, 0, 50))
    assert measured_damping(one.noisy, one.patterns, transfer, 1.0).damping == 1.0
