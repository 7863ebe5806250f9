"""Linear reconstruction of raw SIM stacks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structured
import torch
from structured import TRANSFER, psnr, simulate

from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction import power
from zsfiji.reconstruction.borders import MARGIN
from zsfiji.reconstruction.wiener import Notch, Wiener, unmixing

SHAPE = (96, 96)


def test_noise_has_the_power_that_the_density_says() -> None:
    wiener = Wiener(structured.patterns(), SHAPE, TRANSFER)
    draws = torch.Generator().manual_seed(0)
    noise = torch.randn(8, 3, 3, *wiener.field, generator=draws)
    whole = Wiener(structured.patterns(), wiener.field, TRANSFER, margin=0)
    assert whole.field == wiener.field
    numerator = whole.numerator(noise, periodic=True)
    used = whole.density > 1e-2 * whole.density.max()
    pixels = whole.blur.fine[0] * whole.blur.fine[1]
    found = (numerator.abs().square().mean(0) / whole.density)[used].mean() / pixels
    assert float(found) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    "given",
    [
        structured.patterns(),
        structured.patterns(5, 5),
        structured.patterns(3, 5, 2),
        structured.hexagonal(),
    ],
    ids=["3x3", "5x5", "3x5 three-beam", "hexagonal"],
)
def test_without_noise_the_reconstruction_is_the_specimen(given: Patterns) -> None:
    stack = simulate(given=given, peak=1000)
    wiener = Wiener(given, SHAPE, TRANSFER)
    image = wiener.solve(wiener.numerator(stack.expected), 1e-5 * float(wiener.density.max()))
    truth = wiener.seen(stack.truth)
    assert psnr(image, truth) > 38
    wide = stack.expected.mean((0, 1))[None, None].repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert psnr(wide[0, 0], truth) < 30
    assert float(image.mean()) == pytest.approx(float(truth.mean()), rel=0.02)


def test_it_is_linear() -> None:
    wiener = Wiener(structured.patterns(), SHAPE, TRANSFER)
    draws = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 3, 3, *SHAPE, generator=draws)
    together = wiener.solve(wiener.numerator(2 * a - b), 1.0)
    apart = 2 * wiener.solve(wiener.numerator(a), 1.0) - wiener.solve(wiener.numerator(b), 1.0)
    assert torch.allclose(together, apart, atol=1e-4)


def test_several_stacks_at_once_are_as_one_after_the_other() -> None:
    wiener = Wiener(structured.patterns(), (48, 64), TRANSFER)
    stacks = torch.randn(2, 3, 3, 48, 64, generator=torch.Generator().manual_seed(2))
    batch = wiener.solve(wiener.numerator(stacks), 0.1)
    one = wiener.solve(wiener.numerator(stacks[1]), 0.1)
    assert batch.shape == (2, 96, 128)
    assert torch.allclose(batch[1], one, atol=1e-5)


@pytest.mark.parametrize("peak", [20, 500])
def test_the_fitted_constant_is_as_good_as_the_best_one(peak: float) -> None:
    stack = simulate(peak=peak, seed=3)
    wiener = Wiener(stack.patterns, SHAPE, TRANSFER)
    truth = wiener.seen(stack.truth)
    noise = float(stack.expected.mean()) + structured.READ**2
    ridge = power.fit(wiener, stack.noisy, noise).ridge(wiener, noise)
    numerator = wiener.numerator(stack.noisy)
    automatic = psnr(wiener.solve(numerator, ridge), truth)
    usual = Wiener(stack.patterns, SHAPE, TRANSFER, weights="equal")
    its = usual.numerator(stack.noisy)
    most = float(usual.density.max())
    best = max(psnr(usual.solve(its, 3e-4 * 2**n * most), truth) for n in range(13))
    assert automatic > best + 0.5


def test_a_wave_that_was_not_found_is_left_out() -> None:
    stack = simulate(peak=1000)
    lost = replace(
        stack.patterns, modulation=stack.patterns.modulation * torch.tensor([[1.0], [0.0], [1.0]])
    )
    wiener = Wiener(lost, SHAPE, TRANSFER)
    full = Wiener(stack.patterns, SHAPE, TRANSFER)
    truth = full.seen(stack.truth)
    images = [w.solve(w.numerator(stack.expected), 1e-3) for w in (wiener, full)]
    assert torch.isfinite(images[0]).all()
    assert 20 < psnr(images[0], truth) < psnr(images[1], truth)
    none = replace(lost, modulation=torch.zeros(3, 1, dtype=torch.float64))
    wide = Wiener(none, SHAPE, TRANSFER)
    assert wide.reach == pytest.approx(structured.CUTOFF)
    assert torch.isfinite(wide.solve(wide.numerator(stack.expected), 1e-3)).all()


def test_unmixing_undoes_the_mixing() -> None:
    given = structured.hexagonal()
    rows, weights = unmixing(given)
    assert torch.allclose(
        rows[0] @ given.mixing(0), torch.eye(7, dtype=torch.complex128), atol=1e-9
    )
    assert (weights[0][1:] < weights[0][0]).all()


def test_the_border_of_the_field_does_not_reach_into_the_image() -> None:
    stack = simulate(peak=1000)
    errors = []
    for margin in (0, MARGIN):
        wiener = Wiener(stack.patterns, SHAPE, TRANSFER, margin=margin)
        ridge = 1e-5 * float(wiener.density.max())
        image = wiener.solve(wiener.numerator(stack.expected), ridge)
        errors.append(psnr(image, wiener.seen(stack.truth), border=8))
    assert errors[1] > 45 > errors[0] + 10


def test_a_notch_keeps_what_is_in_focus() -> None:
    stack = simulate(peak=1000)
    plain = Wiener(stack.patterns, SHAPE, TRANSFER)
    notched = Wiener(stack.patterns, SHAPE, TRANSFER, notch=Notch(0.9, 0.08))
    truth = plain.seen(stack.truth)
    ridge = 1e-4 * float(plain.density.max())
    image = notched.solve(notched.numerator(stack.expected), ridge)
    assert psnr(image, truth) > 30
