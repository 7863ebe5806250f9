import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zsfiji.compute.tiling import by_tiles, mirrored, over_tiles
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


# --- Results and planes of other scales ---


def enlarging(radius, scale):
    """A network whose result is `scale` times the size of what it is given."""
    torch.manual_seed(1)
    down, across = scale
    network = nn.Conv2d(2, 3 * down * across, 2 * radius + 1, bias=False)

    def apply(x):
        found = padded(network, radius)(x)
        found = found.reshape(3, down, across, *x.shape[-2:])
        return found.permute(0, 3, 1, 4, 2).reshape(3, down * x.shape[-2], across * x.shape[-1])

    return apply


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    tile=st.integers(1, 50),
    margin=st.integers(2, 5),
    multiple=st.integers(1, 4),
    scale=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_tiles_of_a_larger_result_give_what_the_whole_gives(shape, tile, margin, multiple, scale):
    plane = torch.rand(2, *shape, generator=torch.Generator().manual_seed(2))
    function = enlarging(2, scale)
    got = by_tiles(function, plane, tile=tile, margin=margin, multiple=multiple)
    whole = by_tiles(function, plane, tile=64, margin=2)
    assert got.shape == (3, scale[0] * shape[0], scale[1] * shape[1])
    torch.testing.assert_close(got, whole)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    tile=st.integers(1, 40),
    margin=st.integers(1, 4),
    scale=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_finer_planes_are_cut_where_the_plane_is_cut(shape, tile, margin, scale):
    draw = torch.Generator().manual_seed(3)
    plane = torch.rand(1, *shape, generator=draw)
    fine = torch.rand(2, *(n * s for n, s in zip(shape, scale, strict=True)), generator=draw)

    def work(piece, detail):
        smooth = nn.functional.avg_pool2d(piece[None], 3, 1, 1, count_include_pad=False)[0]
        near = smooth.repeat_interleave(scale[0], 1).repeat_interleave(scale[1], 2)
        return detail - detail.flip(0) * near

    got = by_tiles(work, plane, finer=[fine], tile=tile, margin=margin)
    torch.testing.assert_close(got, by_tiles(work, plane, finer=[fine], tile=64, margin=1))


def test_beyond_the_border_finer_planes_show_what_the_plane_shows():
    plane = torch.rand(1, 5, 4)
    fine = plane.repeat_interleave(3, 1).repeat_interleave(2, 2)
    seen = []

    def work(piece, detail):
        seen.append((piece, detail))
        return piece

    by_tiles(work, plane, finer=[fine], tile=3, margin=7)
    for piece, detail in seen:
        assert torch.equal(detail, piece.repeat_interleave(3, 1).repeat_interleave(2, 2))


def test_results_of_several_scales_come_tile_by_tile():
    plane = torch.rand(2, 21, 34)
    near, far = torch.zeros(2, 21, 34), torch.zeros(3, 63, 34)
    function = enlarging(2, (3, 1))

    def put(inside, top, left):
        small, large = inside
        rows, cols = small.shape[1:]
        near[:, top : top + rows, left : left + cols] = small
        far[:, 3 * top : 3 * (top + rows), left : left + cols] = large

    over_tiles(lambda x: (x, function(x)), plane, put, tile=8, margin=2)
    torch.testing.assert_close(near, plane)
    torch.testing.assert_close(far, by_tiles(function, plane, tile=64, margin=2))


def test_lack_of_memory_does_not_change_the_scale():
    def hungry(x):
        if x.shape[-1] > 100:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return x.repeat_interleave(2, 1).repeat_interleave(2, 2)

    plane = torch.rand(1, 150, 160)
    got = by_tiles(hungry, plane, tile=160, margin=4)
    torch.testing.assert_close(got, plane.repeat_interleave(2, 1).repeat_interleave(2, 2))


def test_sizes_that_do_not_fit_are_mistakes():
    plane = torch.rand(1, 20, 20)
    with pytest.raises(ValueError, match="18 x 20 pixels are no whole multiple of 20 x 20"):
        by_tiles(lambda x: x[:, 2:], plane, tile=20, margin=0)
    with pytest.raises(ValueError, match="whole multiple"):
        by_tiles(lambda x, _: x, plane, finer=[torch.rand(1, 40, 41)], tile=20, margin=0)
