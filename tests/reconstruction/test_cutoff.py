"""The OTF of a raw image of which nothing is told."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from structured import CUTOFF, READ, TRANSFER, hexagonal, patterns, simulate

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.cutoff import Found, found_transfer


def found(
    light: Patterns | None = None,
    transfer: RadialTransfer = TRANSFER,
    guess: float = 1.15,
    **given: bool,
) -> Found:
    one = simulate("reticulum", peak=200, given=light, transfer=transfer)
    begin = RadialTransfer(guess * CUTOFF)
    noise = float(one.noisy.mean()) + READ**2
    return found_transfer(one.noisy, one.patterns, begin, noise, **given)


@pytest.mark.parametrize("guess", [0.8, 1.25])
def test_the_cutoff_is_found_from_a_wrong_guess(guess: float) -> None:
    one = found(guess=guess)
    assert one.transfer.cutoff == pytest.approx(CUTOFF, rel=0.02)
    assert one.transfer.damping == 1
    assert 0 < one.error < 0.03


@pytest.mark.parametrize("light", [patterns(3, 5, 2, modulation=0.5), hexagonal()])
def test_other_patterns_serve_as_well(light: Patterns) -> None:
    assert found(light).transfer.cutoff == pytest.approx(CUTOFF, rel=0.03)


def test_a_damped_lens_is_told_from_a_smaller_one() -> None:
    true = RadialTransfer(CUTOFF, 0.3)
    frequency = torch.linspace(0.3, 0.8, 20) * CUTOFF

    def shape(transfer: RadialTransfer) -> torch.Tensor:
        seen = transfer.lens(frequency)
        return seen / seen[0]

    one = found(transfer=true)
    assert one.transfer.damping < 0.7
    assert one.transfer.cutoff == pytest.approx(CUTOFF, rel=0.06)
    missed = (shape(one.transfer) - shape(true)).abs().max()
    assert missed < 0.03
    ideal = found(transfer=true, damping=False)
    assert ideal.transfer.damping == 1
    assert ideal.transfer.cutoff < 0.97 * CUTOFF
    assert (shape(ideal.transfer) - shape(true)).abs().max() > missed


def test_the_lens_could_have_made_the_pattern() -> None:
    # Low frequencies that agree by chance once gave a real image a third of its cut-off.
    light = patterns()
    one = found(light, RadialTransfer(0.6 * light.finest), guess=0.6 * light.finest / CUTOFF)
    assert one.transfer.cutoff >= light.finest / 1.25


def test_a_known_cutoff_stays() -> None:
    one = found(transfer=RadialTransfer(CUTOFF, 0.3), guess=1.0, cutoff=False)
    assert one.transfer.cutoff == CUTOFF
    assert one.error == 0
    assert one.transfer.damping == pytest.approx(0.3, rel=0.2)


def test_without_patterns_nothing_is_found() -> None:
    one = simulate(shape=(64, 64))
    none = replace(one.patterns, modulation=torch.zeros(3, 1, dtype=torch.float64))
    guess = RadialTransfer(0.3)
    kept = found_transfer(one.noisy, none, guess, 1.0)
    assert kept.transfer is guess
    assert math.isinf(kept.error)
