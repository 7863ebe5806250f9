import numpy as np
import pytest

from zsfiji.physics.specimens import KINDS, specimen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(96, 128), (8, 64, 64)])
def test_specimens_are_sparse_structures_over_a_haze(kind, shape):
    image = specimen(kind, shape, seed=3)
    assert image.shape == shape
    assert 0.03 <= image.min() < 0.05
    assert np.quantile(image, 0.995) == pytest.approx(1.03)
    assert image.mean() < 0.4


def test_the_seed_decides_the_specimen():
    first, same, other = (specimen("filaments", (64, 64), seed=s) for s in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_tubules_are_wider_than_filaments():
    def fineness(kind):
        image = specimen(kind, (128, 128))
        return np.square(np.diff(image)).mean() / image.var()

    assert fineness("filaments") > 2 * fineness("tubules")
