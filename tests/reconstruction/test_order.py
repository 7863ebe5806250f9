"""Finding the order of the frames of a raw SIM image."""

import numpy as np
import pytest
from structured import TRANSFER, patterns, simulate

from zsfiji.errors import UserError
from zsfiji.reconstruction import search
from zsfiji.reconstruction.order import find_order

ANGLES_FIRST = np.arange(9).reshape(3, 3)
ORDERS = {"angle-phase": ANGLES_FIRST, "phase-angle": ANGLES_FIRST.T}


@pytest.mark.parametrize(("peak", "modulation"), [(10, 0.8), (300, 0.4)])
def test_order_is_that_which_shows_patterns(peak, modulation):
    stack = simulate(given=patterns(modulation=modulation), shape=(96, 96), peak=peak).noisy
    for name, frames in (
        ("angle-phase", stack.flatten(0, 1)),
        ("phase-angle", stack.swapaxes(0, 1).flatten(0, 1)),
    ):
        found = find_order(frames, ORDERS, TRANSFER)
        assert found.name == name
        assert found.clear
        assert bool(found.estimate.found.all())
        assert f"is {name}" in found.said()[0]


def test_wide_field_stack_has_no_order():
    stack = simulate(given=patterns(modulation=0.0), shape=(96, 96)).noisy
    found = find_order(stack.flatten(0, 1), ORDERS, TRANSFER)
    assert not found.patterned
    assert not found.clear
    assert "No order of the frames shows a pattern" in found.said()[0]


def test_orders_that_are_the_same_are_not_told_apart():
    stack = simulate(given=patterns(), shape=(96, 96)).noisy
    orders = {"angle-phase": ANGLES_FIRST, "angle-phase again": ANGLES_FIRST.copy()}
    found = find_order(stack.flatten(0, 1), orders, TRANSFER)
    assert found.patterned
    assert not found.clear
    assert "probably" in found.said()[0]


def test_single_order_needs_no_words():
    stack = simulate(given=patterns(), shape=(96, 96)).noisy
    found = find_order(stack.flatten(0, 1), {"as saved": ANGLES_FIRST}, TRANSFER)
    assert found.clear
    assert not found.said()


def test_orders_are_told_apart_before_phases_are_measured(monkeypatch):
    def measured(*given):
        raise AssertionError("phases were measured")

    stack = simulate(given=patterns(), shape=(96, 96)).noisy
    monkeypatch.setattr(search, "Regression", measured)
    assert find_order(stack.flatten(0, 1), ORDERS, TRANSFER).clear


def test_no_order():
    with pytest.raises(UserError, match="No order of the frames fits"):
        find_order(simulate(given=patterns(), shape=(32, 32)).noisy[0], {}, TRANSFER)
