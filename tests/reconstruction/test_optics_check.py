"""Optics that do not fit a raw SIM image."""

from structured import TRANSFER, patterns, simulate

from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.reconstruction.optics_check import optics_said
from zsfiji.reconstruction.search import estimate


def test_lens_that_resolves_less_than_the_image_shows():
    stack = simulate(given=patterns(spacing=0.8), shape=(128, 128), peak=200).noisy
    true = estimate(stack, TRANSFER)
    assert not optics_said(true.light_beyond, TRANSFER.cutoff)
    weaker = RadialTransfer(0.6 * TRANSFER.cutoff)
    wrong = estimate(stack, weaker)
    assert "cannot resolve" in optics_said(wrong.light_beyond, weaker.cutoff)[0]


def test_wide_field_image_of_the_right_lens_is_not_blamed_on_it():
    stack = simulate(given=patterns(modulation=0.0), shape=(96, 96), peak=30).noisy
    assert not optics_said(estimate(stack, TRANSFER).light_beyond, TRANSFER.cutoff)


def test_pixels_that_are_too_wide():
    assert "1.20 times as wide" in optics_said(1.0, 0.6)[0]
