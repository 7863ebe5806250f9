"""Planes and stacks as sequences of slices."""

import numpy as np

from zsfiji.compute import scratch
from zsfiji.compute.slices import each_slice, middle_slices, slicewise, spread_slices


def test_a_plane_is_a_stack_of_one_slice():
    plane = np.arange(6.0).reshape(2, 3)
    assert slicewise(plane).shape == (1, 2, 3)
    assert np.shares_memory(slicewise(plane), plane)
    assert len(spread_slices(plane, 4)) == 1


def test_slices_of_a_scratch_file_can_be_changed_one_by_one(monkeypatch):
    monkeypatch.setattr(scratch, "IN_MEMORY", 100)
    stack = scratch.scratch_array((3, 20, 20))
    for number, plane in enumerate(each_slice(stack)):
        plane[:] = number
    assert [float(plane.mean()) for plane in each_slice(stack)] == [0, 1, 2]


def test_a_huge_stack_is_cut_to_its_middle_and_a_small_one_is_not():
    stack = np.arange(10)[:, None, None] * np.ones((1, 2, 2))
    assert middle_slices(stack, 40, 2) is stack
    assert middle_slices(stack, 16, 2)[:, 0, 0].tolist() == [3, 4, 5, 6]
    assert len(middle_slices(stack, 1, 2)) == 2


def test_some_slices_are_spread_over_the_stack():
    stack = np.arange(10)[:, None, None] * np.ones((1, 2, 2))
    assert [plane[0, 0] for plane in spread_slices(stack, 4)] == [0, 3, 6, 9]
    assert len(spread_slices(stack, 20)) == 10
