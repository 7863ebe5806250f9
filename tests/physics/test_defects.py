"""Defective pixels are replaced; points of light are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.physics.defects import repaired
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


def test_a_sound_plane_is_left_alone(plane: np.ndarray) -> None:
    result, count = repaired(plane, NOISE)
    assert count == 0
    assert result is plane


@pytest.mark.parametrize("width", [0.7, 1.0, 1.5])
def test_points_of_light_stay(plane: np.ndarray, width: float) -> None:
    points = np.zeros(plane.shape)
    points[10::20, 10::20] = 600
    assert repaired((plane + gaussian_filter(points, width)).astype(np.float32), NOISE)[1] == 0
