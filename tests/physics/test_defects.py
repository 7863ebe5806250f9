"""Defective pixels are replaced; points of light are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.physics.camera.defects import repaired, repaired_image
from zsfiji.physics.noise import Noise

NOISE = Noise(1.0, -90.0, 5.0, np.ones((16, 16)), True)


@pytest.fixture
def plane() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.poisson(10, (60, 70)) + 90 + rng.normal(0, 1, (60, 70))).astype(np.float32)


def test_dead_and_hot_pixels_are_replaced_by_their_neighbours(plane: np.ndarray) -> None:
    broken = plane.copy()
    broken[10, 20], broken[30, 40], broken[2, 2] = 5000, 0, 900
    result, count = repaired(broken, NOISE)
    assert count == 3
    assert abs(result[[10, 30, 2], [20, 40, 2]] - 100).max() < 8
    result[[10, 30, 2], [20, 40, 2]] = broken[[10, 30, 2], [20, 40, 2]]
    assert np.array_equal(result, broken)


def test_the_border_has_defects_as_well(plane: np.ndarray) -> None:
    broken = plane.copy()
    rows, cols = [0, 1, 59, 30, 58], [0, 50, 20, 69, 68]
    broken[rows, cols] = 5000
    result, count = repaired(broken, NOISE)
    assert count == 5
    assert abs(result[rows, cols] - 100).max() < 8
    edge = plane.copy()
    edge[0] += 500
    assert repaired(edge, NOISE)[1] == 0


def test_a_very_hot_pixel_beside_something_bright_is_replaced_too(plane: np.ndarray) -> None:
    points = np.zeros(plane.shape)
    points[30, 40] = 20_000
    light = (plane + gaussian_filter(points, 1.5)).astype(np.float32)
    broken = light.copy()
    broken[30, 43] = 60_000
    result, count = repaired(broken, NOISE)
    assert count == 1
    assert result[30, 43] == pytest.approx(light[30, 43], rel=0.8)


def test_a_sound_plane_is_left_alone(plane: np.ndarray) -> None:
    result, count = repaired(plane, NOISE)
    assert count == 0
    assert result is plane


@pytest.mark.parametrize("width", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("light", [600, 60_000])
def test_points_of_light_stay(plane: np.ndarray, width: float, light: float) -> None:
    points = np.zeros(plane.shape)
    points[10::20, 10::20] = light
    assert repaired((plane + gaussian_filter(points, width)).astype(np.float32), NOISE)[1] == 0


def test_of_a_stack_each_slice_is_repaired_and_a_sound_one_is_not_copied(plane: np.ndarray) -> None:
    stack = np.stack([plane, plane[::-1], plane]).round().astype(np.uint16)
    assert repaired_image(stack, NOISE)[0] is stack
    broken = stack.copy()
    broken[1, 10, 20], broken[2, 30, 40] = 60_000, 50_000
    result, count = repaired_image(broken, NOISE)
    assert count == 2
    assert broken[1, 10, 20] == 60_000
    assert abs(result[[1, 2], [10, 30], [20, 40]] - 100).max() < 8
    assert np.array_equal(result[0], stack[0])
