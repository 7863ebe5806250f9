"""Detail beyond the optics, in two results of independent noise."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from zsfiji.physics.optics.degradation import Degradation
from zsfiji.quality.agreement import AGREES, MUCH, agreement, notes


def _optics() -> Degradation:
    profile = torch.exp(-0.5 * (torch.arange(-12, 13) / 3.0) ** 2)
    return Degradation(torch.outer(profile, profile), 2)


def _planes(seed: int, detail: float) -> np.ndarray:
    """What the optics pass, the same each time, and detail of its own."""
    seen = gaussian_filter(np.random.default_rng(0).normal(size=(128, 160)), 6)
    fine = gaussian_filter(np.random.default_rng(seed).normal(size=(128, 160)), 0.8)
    return 100 + 10 * seen / seen.std() + detail * fine / fine.std()


def test_detail_that_is_not_there_again_is_told():
    found = agreement(_optics(), _planes(1, 5), _planes(2, 5))
    assert found.share > MUCH
    assert abs(found.correlation) < 0.2
    assert "do not believe" in notes([found])[0]


def test_detail_that_comes_again_is_not_told():
    noise = np.random.default_rng(3).normal(size=(128, 160))
    found = agreement(_optics(), _planes(1, 5), _planes(1, 5) + noise)
    assert found.share > MUCH
    assert found.correlation > AGREES
    assert notes([found]) == []


def test_where_there_is_no_detail_nothing_is_told():
    found = agreement(_optics(), _planes(1, 0.1), _planes(2, 0.1))
    assert found.share < MUCH
    assert notes([found]) == []
    flat = np.zeros((128, 128))
    assert notes([agreement(_optics(), flat, flat)]) == []
    assert agreement(_optics(), flat[:20], flat[:20]).share == 0
