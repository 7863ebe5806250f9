"""Linear reconstruction of 3D-SIM stacks, and finding their patterns."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.optics_3d import calculated
from zsfiji.physics.sim.patterns import TURN
from zsfiji.physics.sim.simulator_3d import StackSimulation, simulate_stack
from zsfiji.reconstruction.estimate_3d import estimate_stack
from zsfiji.reconstruction.wiener_3d import StackWiener, field_slices

OPTICS = Optics("wide-field", 1.4, 525.0, excitation=488.0)
SHAPE = (16, 64, 64)


@cache
def simulated() -> StackSimulation:
    return simulate_stack("reticulum", SHAPE, optics=OPTICS, peak=100.0, seed=1)


def transfer(slices: int):
    return calculated(
        OPTICS, pixel=80.0, spacing=125.0, slices=slices, line=simulated().patterns.finest
    )


def otfs(line: float):
    return calculated(OPTICS, pixel=80.0, spacing=125.0, slices=SHAPE[0], line=line)


def stack() -> torch.Tensor:
    return torch.from_numpy(simulated().raw.data.astype(np.float32)) - 100


def noise() -> float:
    return 2.2 * float(stack().mean()) + (1.5 * 2.2) ** 2


def wiener(patterns=None, **options) -> StackWiener:
    given = simulated().patterns if patterns is None else patterns
    return StackWiener(given, SHAPE, transfer(field_slices(SHAPE[0])), **options)


def error(image: torch.Tensor, truth: torch.Tensor) -> float:
    """Root mean square after a fit of gain and offset, over the deviation of the truth."""
    inside = (slice(3, -3), slice(12, -12), slice(12, -12))
    x, y = (v[inside].double().flatten() for v in (image, truth))
    x, y = x - x.mean(), y - y.mean()
    return math.sqrt(1 - float((x * y).sum()) ** 2 / float(x.square().sum() * y.square().sum()))


def test_noise_has_the_power_that_the_density_says() -> None:
    made = wiener()
    draws = torch.Generator().manual_seed(0)
    white = torch.randn(3, 5, *SHAPE, generator=draws)
    power = made.numerator(white, periodic=True).abs().square()
    share = math.prod(SHAPE) / (made.slices * math.prod(made.field))
    expected = made.density * math.prod(made.fine) * share
    seen = made.density > 1e-5 * made.density.max()
    for low, high in ((0.1, 0.4), (0.4, 0.7)):
        part = seen & (made.frequency > low) & (made.frequency < high)
        assert float((power[part] / expected[part]).mean()) == pytest.approx(1, abs=0.03)


def test_better_than_the_wide_field_stack_and_than_constants_set_by_hand() -> None:
    found = simulated()
    truth = torch.from_numpy(found.truth) - 100
    made = wiener()
    sharp = made.seen(truth)
    automatic = error(made.reconstruct(stack(), noise()), sharp)
    none = replace(found.patterns, modulation=torch.zeros(3, 2, dtype=torch.float64))
    plain = error(wiener(none).reconstruct(stack(), noise()), sharp)
    assert automatic < 0.6 * plain
    usual = wiener(weights="equal")
    numerator, centre = usual.numerator(stack()), float(usual._weights[0][0])
    by_hand = [error(usual.solve(numerator, centre * w**2), sharp) for w in (0.003, 0.01, 0.03)]
    assert automatic < min(by_hand)


def test_patterns_are_found_in_a_stack() -> None:
    true = simulated().patterns
    found = estimate_stack(stack(), otfs)
    assert bool(found.plane.found.all())
    sign = (found.patterns.wave_vectors * true.wave_vectors).sum(-1).sign()
    difference = found.patterns.wave_vectors - sign[..., None] * true.wave_vectors
    assert float(difference.norm(dim=-1).max()) * SHAPE[1] < 0.12
    middle = (SHAPE[1] / 2, SHAPE[2] / 2)
    turned = found.patterns.moved(*middle).phases - sign[..., None] * true.moved(*middle).phases
    turned = torch.remainder(turned + TURN / 2, TURN) - TURN / 2
    assert float(turned.abs().median()) < math.radians(4)
    assert torch.allclose(found.patterns.modulation, true.modulation, rtol=0.25)
    assert float((found.patterns.modulation / true.modulation).mean()) == pytest.approx(1, abs=0.1)
    assert float(found.error.max()) < 0.1
    assert found.noise_variance == pytest.approx(noise(), rel=0.15)


def test_found_patterns_reconstruct_as_well_as_the_true_ones() -> None:
    truth = torch.from_numpy(simulated().truth) - 100
    found = estimate_stack(stack(), otfs).patterns
    best, made = wiener(), wiener(found)
    sharp = best.seen(truth)
    usual = error(best.reconstruct(stack(), noise()), sharp)
    assert error(made.reconstruct(stack(), noise()), sharp) < 1.15 * usual


def test_an_otf_of_another_field_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="slices"):
        StackWiener(simulated().patterns, SHAPE, transfer(SHAPE[0]))
    with pytest.raises(ValueError, match="slices"):
        estimate_stack(stack(), lambda _: transfer(8))
