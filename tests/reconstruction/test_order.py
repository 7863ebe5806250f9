"""Finding the order of the frames of a raw SIM image."""

import numpy as np
import pytest
import torch
import xarray as xr
from structured import TRANSFER, patterns, simulate

from zsfiji.errors import UserError
from zsfiji.images.raw_sim import candidates
from zsfiji.reconstruction import search
from zsfiji.reconstruction.order import find_order

ANGLES_FIRST = np.arange(9).reshape(3, 3)
ORDERS = {"angle-phase": ANGLES_FIRST, "phase-angle": ANGLES_FIRST.T}


def order_of_movie(axes, times, draws):
    """What is found in a movie of noisy captures, whose frames are saved along `axes`."""
    # The patterns of an angle are stronger than those of the others.
    given = patterns()
    given.modulation[1] = 0.9
    expected = simulate(given=given).expected
    movie = torch.poisson(expected.expand(times, *expected.shape), generator=draws)
    frames = torch.einsum(f"tapyx->{axes}yx", movie).reshape(-1, *expected.shape[-2:])
    found = candidates(xr.DataArray(frames.numpy(), dims=("t", "row", "col")), 3, 3)
    return find_order(torch.from_numpy(found.frames), found.orders, TRANSFER)


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


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("angle-phase", "tap"),
        ("phase-angle", "tpa"),
        ("angle-time-phase", "atp"),
        ("phase-time-angle", "pta"),
        ("phase-angle-time", "pat"),
        ("angle-phase-time", "apt"),
    ],
)
def test_time_points_of_movies_are_not_mixed(name, axes):
    """Other orders take each angle from another time point, or one angle three times."""
    draws = torch.Generator().manual_seed(0)
    for times in (2, 3):
        found = order_of_movie(axes, times, draws)
        assert found.name == name
        assert found.clear or "shows the patterns about as well" in found.said()[0]


def test_an_order_with_a_direction_twice_is_the_next_best_all_the_same():
    stack = simulate().noisy
    orders = {"twice": np.array([[0, 1, 2], [3, 4, 5], [3, 4, 5]]), "right": ANGLES_FIRST}
    found = find_order(stack.flatten(0, 1), orders, TRANSFER)
    assert (found.name, found.runner_up) == ("right", "twice")
    assert found.said()


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
