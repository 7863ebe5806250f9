import numpy as np
import pytest
import torch
from torch import nn

from zsfiji.compute.tiling import by_tiles, mirrored
from zsfiji.errors import UserError


def convolution(radius=3):
    torch.manual_seed(0)
    return nn.Conv2d(2, 3, 2 * radius + 1, bias=False)


def padded(network, radius):
    """The same network, giving what it is given in size (its rim is cut off by the margin)."""
    return lambda x: nn.functional.pad(network(x[None])[0], (radius,) * 4)


@pytest.mark.parametrize("shape", [(40, 57), (16, 16), (5, 90), (2, 3)])
@pytest.mark.parametrize("tile", [16, 23, 128])
def test_no_seam_shows_and_the_border_is_mirrored(shape, tile):
    network = convolution()
    plane = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    got = by_tiles(padded(network, 3), plane, tile=tile, margin=3)
    rows, cols = (mirrored(-3, n + 3, n) for n in shape)
    whole = network(torch.from_numpy(plane[:, rows[:, None], cols])[None])[0]
    assert isinstance(got, np.ndarray)
    np.testing.assert_allclose(got, whole.detach().numpy(), atol=1e-5)


def test_mirroring_agrees_with_numpy_however_far_it_goes():
    for length in (1, 2, 7):
        expected = np.pad(np.arange(length), 11, mode="reflect")
        np.testing.assert_array_equal(mirrored(-11, length + 11, length), expected)


def test_tiles_keep_to_multiples_so_that_phases_agree():
    sizes = set()

    def halves(x):
        sizes.add(x.shape[-2:])
        small = nn.functional.avg_pool2d(x, 4)
        return nn.functional.interpolate(small[None], scale_factor=4)[0]

    plane = torch.rand(1, 37, 50)
    small_tiles = by_tiles(halves, plane, tile=10, margin=3, multiple=4)
    one_tile = by_tiles(halves, plane, tile=400, margin=3, multiple=4)
    torch.testing.assert_close(small_tiles, one_tile)
    assert all(n % 4 == 0 for size in sizes for n in size)


def test_lack_of_memory_halves_the_tiles_and_gives_the_same(caplog):
    network = convolution()
    sizes = []

    def hungry(x):
        sizes.append(x.shape[-1])
        if x.shape[-1] > 200:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return padded(network, 3)(x)

    plane = torch.rand(2, 300, 300)
    got = by_tiles(hungry, plane, tile=1024, margin=3)
    torch.testing.assert_close(got, by_tiles(padded(network, 3), plane, tile=300, margin=3))
    assert sizes[0] > 200 > max(sizes[-4:])
    assert "halving" in caplog.text


def test_hopeless_lack_of_memory_is_said_to_the_user():
    def hungry(x):
        raise MemoryError

    with pytest.raises(UserError, match="memory"):
        by_tiles(hungry, torch.rand(1, 200, 200), tile=200, margin=0)


def test_errors_that_are_not_about_memory_pass_through():
    def broken(x):
        raise RuntimeError("sizes differ")

    with pytest.raises(RuntimeError, match="sizes differ"):
        by_tiles(broken, torch.rand(1, 20, 20), tile=20, margin=0)
