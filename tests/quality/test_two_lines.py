from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.physics.specimens import DISTANCES, line_pairs, specimen
from zsfiji.quality.two_lines import Seen, look, split, two_line_resolution

SHAPE, PIXEL = (640, 640), 20.0


@pytest.fixture(scope="module")
def truth():
    return specimen("pairs", SHAPE, seed=1, pixel=PIXEL)


@pytest.fixture(scope="module")
def pairs():
    return line_pairs(np.array(SHAPE) * PIXEL, 1)


def test_all_pairs_are_resolved_in_the_truth(truth, pairs):
    seen = look(truth, pairs, PIXEL)
    assert {s.distance for s in seen} == set(DISTANCES)
    assert two_line_resolution(seen) <= 80
    assert split(seen) == 0


def test_the_resolution_falls_with_the_blur(truth, pairs):
    # Two lines with a Gaussian of the standard deviation s have a dip of 10 % at 2.4 s.
    for width in (50.0, 90.0):
        seen = look(gaussian_filter(truth, width / PIXEL), pairs, PIXEL)
        total = np.hypot(width, 15)
        assert 2.2 * total < two_line_resolution(seen) < 2.9 * total


def test_a_flat_image_resolves_nothing(truth, pairs):
    assert two_line_resolution(look(np.ones_like(truth), pairs, PIXEL)) == float("inf")


def test_lines_at_another_distance_do_not_count(truth, pairs):
    wrong = [replace(p, distance=p.distance / 1.5) for p in pairs if p.distance >= 120]
    assert not any(s.resolved for s in look(truth, wrong, PIXEL))


def test_a_single_line_that_is_shown_as_two_is_counted(truth, pairs):
    single = [replace(p, distance=0.0) for p in pairs if p.distance == 140]
    assert split(look(truth, single, PIXEL)) == 1


def test_larger_distances_have_to_be_resolved_as_well():
    seen = [Seen(80, True), Seen(100, False), Seen(120, True), Seen(140, True)]
    assert two_line_resolution(seen) == 120
    assert np.isnan(split(seen))
