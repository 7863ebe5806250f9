"""Brightness that alternates from pixel to pixel is told, and nothing else is taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.physics.specimens import KINDS, specimen
from zsfiji.quality.alternation import alternation, alternation_said

ROW, COL = np.indices((128, 128))
PATTERNS = {
    "row": np.where(ROW % 2 == 0, 1.0, 0.7),
    "column": np.where(COL % 2 == 0, 0.7, 1.0),
    "pixel": np.where((ROW + COL) % 2 == 0, 1.0, 0.7),
    "colour camera": np.tile([[1.0, 0.4], [0.6, 1.0]], (64, 64)),
}


def captured(light: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).poisson(light).astype(np.float32)


def smooth() -> np.ndarray:
    return 40 * (1.2 + np.sin(ROW / 9) * np.sin(COL / 7))


@pytest.mark.parametrize("name", PATTERNS)
def test_the_difference_is_found_and_named(name: str) -> None:
    pattern = PATTERNS[name]
    plane = captured(smooth() * pattern)
    word = "pixel" if name == "colour camera" else name
    found = alternation(calibrate([plane]), plane)
    (height,) = (found[key] for key in found if key.startswith(word))
    brighter = pattern[:2, :2] > pattern.mean()
    difference = pattern[:2, :2][brighter].mean() - pattern[:2, :2][~brighter].mean()
    assert height == pytest.approx(48 * difference, rel=0.15)
    assert f"Every second {word}" in alternation_said(calibrate([plane]), plane)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_specimens_have_none(kind: str) -> None:
    light = 3 + 60 * specimen(kind, (128, 128), pixel=60)
    plane = captured(light)
    assert alternation_said(calibrate([plane]), plane) == []


def test_the_edge_of_a_mask_is_none() -> None:
    plane = captured(smooth() * (COL < 64))
    assert alternation_said(calibrate([plane]), plane) == []


def test_small_planes_have_none() -> None:
    plane = captured(np.full((5, 40), 9.0))
    assert alternation(calibrate([plane]), plane) == {}
