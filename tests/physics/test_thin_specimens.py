import numpy as np
import pytest
import torch
from scipy.ndimage import binary_closing

from zsfiji.physics.sim.optics import Blur, illumination
from zsfiji.physics.sim.published import published_stack
from zsfiji.physics.specimens import THIN_KINDS, thin_specimen


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", THIN_KINDS)
def test_thin_specimens_depend_on_the_seed_alone(kind):
    first, again, other = (thin_specimen(kind, (96, 120), draws=draws(n)) for n in (1, 1, 2))
    assert first.shape == (96, 120)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.min() >= 0
    assert 0.1 < first.max() <= 1


def test_a_finer_grid_shows_the_same_curves():
    coarse = thin_specimen("curve", (96, 96), draws=draws(3), pixel=20.0)
    fine = thin_specimen("curve", (192, 192), draws=draws(3), pixel=10.0)
    binned = fine.reshape(96, 2, 96, 2).mean((1, 3))
    assert np.corrcoef(coarse.ravel(), binned.ravel())[0, 1] > 0.98


def test_a_tube_is_hollow():
    def opened(kind: str, width: float) -> float:
        """How much larger the structures are when gaps of less than 200 nm are closed."""
        drawn = thin_specimen(kind, (256, 256), draws=draws(1), pixel=10.0, width=width) > 0.2
        return float(binary_closing(drawn, iterations=10).sum() / drawn.sum())

    assert opened("tube", 5) > 2
    assert opened("curve", 5) < 1.3


def test_a_part_of_a_larger_field_has_fewer_rings():
    whole = thin_specimen("ring", (384, 384), draws=draws(), field=384 * 62.6 / 3)
    part = thin_specimen("ring", (96, 96), draws=draws(), field=384 * 62.6 / 3)
    assert part.sum() < 0.3 * whole.sum()


@pytest.mark.parametrize("photons", [1.0, 500.0])
def test_a_published_stack_is_explained_by_its_truth(photons):
    stack = published_stack("curve", 64, photons=photons, seed=2000)
    assert stack.raw.shape == (3, 3, 64, 64)
    assert stack.truth.shape == (192, 192)
    there = stack.clean > 1e-2 * stack.clean.std()
    assert stack.clean[there].mean() == pytest.approx(photons, rel=0.02)
    assert stack.read_noise == pytest.approx(0.1 * stack.clean.std(), rel=1e-3)
    light = illumination(stack.patterns, (64, 64), 3) * torch.from_numpy(stack.truth)
    explained = Blur(stack.transfer, (64, 64), 3).down(light).numpy()
    inside = (..., slice(12, -12), slice(12, -12))
    left = (explained - stack.clean)[inside]
    assert left.std() < 0.02 * stack.clean[inside].std()
    noise = (stack.raw - stack.clean)[inside]
    expected = stack.clean[inside].mean() + stack.read_noise**2
    assert noise.var() == pytest.approx(expected, rel=0.1)


def test_a_published_stack_is_the_same_at_every_number_of_photons():
    dim, bright = (published_stack("ring", 48, photons=p, seed=2001) for p in (1.0, 100.0))
    assert np.allclose(100 * dim.truth, bright.truth, rtol=1e-4)
    assert torch.equal(dim.patterns.phases, bright.patterns.phases)
