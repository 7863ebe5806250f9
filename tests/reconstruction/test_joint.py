"""Joint Richardson-Lucy of all frames, and where it stops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from structured import READ, TRANSFER, Stack, hexagonal, patterns, simulate

from zsfiji.physics.sim.optics import Blur, illumination
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction import richardson_lucy, stopping
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.richardson_lucy import Estimate

LIGHTS = [patterns(), patterns(2, 5, 2, modulation=0.45), hexagonal(modulation=0.3)]
SMALL = (64, 64)
READ_VARIANCE = READ**2


def joint(one: Stack, **options: float | None) -> Joint:
    return Joint(one.patterns, TRANSFER, tuple(one.noisy.shape[-2:]), READ_VARIANCE, **options)


def error(of: Joint, found: Estimate, one: Stack) -> float:
    """Mean squared error at the resolution of SIM, over the variance of the truth."""
    truth = of.shown(of.whole(one.truth))
    inside = slice(8, -8)
    missed = (of.shown(found.specimen) - truth)[inside, inside]
    return float(missed.square().mean() / truth[inside, inside].var())


@pytest.mark.parametrize("light", LIGHTS, ids=["two beams", "three beams", "hexagonal"])
def test_frames_from_few_bands_are_those_of_the_patterns(light: Patterns) -> None:
    made = Joint(light, TRANSFER, (24, 31), haze=None)
    field = made.blur.shape
    draws = torch.Generator().manual_seed(0)
    specimen = torch.rand(made.blur.fine, generator=draws)
    before = [(a - n) // 2 for a, n in zip(field, made.shape, strict=True)]
    moved = light.moved(-float(before[0]), -float(before[1]))
    frames = Blur(TRANSFER, field).down(illumination(moved, field) * specimen)
    inside = frames[..., before[0] : before[0] + 24, before[1] : before[1] + 31]
    assert torch.allclose(made.predict(Estimate(specimen, None)), inside, atol=1e-5)


@pytest.mark.parametrize("light", LIGHTS, ids=["two beams", "three beams", "hexagonal"])
def test_the_specimen_is_found(light: Patterns) -> None:
    one = simulate("filaments", SMALL, 500, light)
    made = joint(one)
    few, many = (error(made, richardson_lucy.run(made, one.noisy, n), one) for n in (1, 15))
    assert many < 0.1 * few


def test_the_truth_is_a_fixed_point() -> None:
    light = patterns()
    made = Joint(light, TRANSFER, (40, 40), 1.0, haze=None)
    flat = torch.full(made.blur.fine, 10.0)
    found = richardson_lucy.run(made, made.predict(Estimate(flat, None)), 3)
    assert torch.allclose(made.inside(found.specimen), made.inside(flat), rtol=2e-3)


def test_haze_is_told_from_the_specimen() -> None:
    plain = simulate("filaments", SMALL, 200)
    rows, cols = torch.linspace(0, 3, 64)[:, None], torch.linspace(0, 2, 64)
    haze = float(plain.expected.mean()) * (1 + torch.sin(rows) * torch.sin(cols))
    draws = torch.Generator().manual_seed(1)
    noise = READ * torch.randn(plain.expected.shape, generator=draws)
    noisy = torch.poisson(plain.expected + haze, generator=draws) + noise
    one = replace(plain, noisy=noisy)
    with_haze, without = joint(one), joint(one, haze=None)
    variance = stopping.noise_variance(one.noisy, 1.0, READ_VARIANCE)
    found = stopping.choose(with_haze, one.noisy, variance)
    alone = stopping.choose(without, one.noisy, variance)
    assert found.error < alone.error
    estimate = richardson_lucy.run(with_haze, one.noisy, found.iterations, share=found.share)
    left = richardson_lucy.run(without, one.noisy, alone.iterations)
    assert error(with_haze, estimate, one) < 0.5 * error(without, left, one)
    pair = torch.stack([with_haze.haze(estimate).flatten(), haze.flatten()])
    assert float(torch.corrcoef(pair)[0, 1]) > 0.8


@pytest.mark.parametrize("peak", [10, 300])
def test_the_stop_is_near_the_best_number(peak: float) -> None:
    one = simulate("filaments", SMALL, peak)
    made = joint(one)
    variance = stopping.noise_variance(one.noisy, 1.0, READ_VARIANCE)
    found = stopping.choose(made, one.noisy, variance)
    errors: list[float] = []

    def watch(step: int, now: Estimate) -> bool:
        errors.append(error(made, now, one))
        return False

    richardson_lucy.run(made, one.noisy, 40, share=found.share, watch=watch)
    assert errors[found.iterations - 1] < 1.15 * min(errors)
    assert errors[-1] > 1.1 * errors[found.iterations - 1] or peak > 100
    assert 0.8 < found.error < 1.2


def test_more_light_allows_more_iterations() -> None:
    chosen = []
    for peak in (5, 500):
        one = simulate("filaments", SMALL, peak)
        variance = stopping.noise_variance(one.noisy, 1.0, READ_VARIANCE)
        chosen.append(stopping.choose(joint(one), one.noisy, variance).iterations)
    assert chosen[0] < chosen[1]
