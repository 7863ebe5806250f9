"""How often errors lie within their standard deviation."""

from __future__ import annotations

import numpy as np
import pytest

from zsfiji.quality.coverage import coverage


def test_normal_errors_have_the_known_coverage():
    draws = np.random.default_rng(0)
    truth = draws.uniform(0, 100, (200, 200))
    deviation = draws.uniform(1, 5, truth.shape)
    result = truth + deviation * draws.normal(size=truth.shape)
    assert coverage(truth, result, deviation, 1) == pytest.approx(0.683, abs=0.01)
    assert coverage(truth, result, deviation) == pytest.approx(0.954, abs=0.005)


def test_structure_counts_by_itself():
    truth = np.repeat([0.0, 100.0], [90, 10])
    result = truth.copy()
    result[truth > 0] -= 10
    assert coverage(truth, result, np.ones(100)) == pytest.approx(0.9)
    assert coverage(truth, result, np.ones(100), bright=True) == 0
