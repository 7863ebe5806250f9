import pytest
import torch

from zsfiji.compute import symmetries
from zsfiji.compute.device import generator
from zsfiji.learning import patches


def test_the_eight_symmetries_differ_and_are_taken_back():
    patch = torch.arange(2 * 3 * 4.0).reshape(2, 3, 4)
    square = torch.arange(9.0).reshape(3, 3)
    turned = [symmetries.dihedral(patch, which) for which in range(8)]
    for which in range(8):
        assert torch.equal(symmetries.undo_dihedral(turned[which], which), patch)
    assert len({tuple(symmetries.dihedral(square, k).flatten().tolist()) for k in range(8)}) == 8


def test_odd_symmetries_change_height_and_width():
    patch = torch.zeros(1, 3, 4)
    shapes = [tuple(symmetries.dihedral(patch, which).shape[-2:]) for which in range(8)]
    assert shapes == [(3, 4), (4, 3)] * 4


def test_the_self_ensemble_treats_all_directions_alike():
    # A step to the right becomes a cross: the mean over all eight directions.
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 1
    cross = symmetries.self_ensemble(lambda x: x.roll(1, -1), point)[0, 0]
    assert cross[2, 1] == cross[2, 3] == cross[1, 2] == cross[3, 2] == 0.25
    assert cross.sum() == 1


def test_patches_are_cut_from_the_planes_and_repeat_with_the_seed():
    planes = torch.arange(3 * 2 * 20 * 30.0).reshape(3, 2, 20, 30)
    first = patches.random_patches(planes, 16, 8, generator(1), symmetries=(0,))
    assert first.shape == (16, 2, 8, 8)
    assert torch.equal(first, patches.random_patches(planes, 16, 8, generator(1), symmetries=(0,)))
    for patch in first:
        plane, top, left = (int(patch[0, 0, 0]) // n % m for n, m in ((1200, 3), (30, 20), (1, 30)))
        assert torch.equal(patch, planes[plane, :, top : top + 8, left : left + 8])


def test_turned_patches_hold_the_same_pixels():
    planes = torch.rand(1, 1, 8, 8)
    drawn = patches.random_patches(planes, 40, 8, generator(0))
    assert torch.equal(drawn.flatten(1).sort().values[0], planes.flatten().sort().values)
    assert len({tuple(p.flatten().tolist()) for p in drawn}) == 8


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (5, 5)])
def test_planes_smaller_than_a_patch_give_smaller_patches(shape):
    drawn = patches.random_patches(torch.rand(1, 1, *shape), 6, 16, generator(0))
    assert drawn.shape == (6, 1, *(min(n, 16) for n in shape))


def test_patches_lie_around_the_chosen_centres_as_far_as_the_border_allows():
    planes = torch.zeros(2, 1, 20, 30)
    planes[1, 0, 10, 20] = planes[1, 0, 0, 29] = 1
    centres = torch.tensor([[1, 10, 20], [1, 0, 29]])
    drawn = patches.random_patches(planes, 24, 8, generator(0), symmetries=(0,), centres=centres)
    seen = {tuple(p[0].nonzero()[0].tolist()) for p in drawn}
    assert seen == {(4, 4), (0, 7)}


def test_an_aligned_cut_shows_the_same_field_of_stacks_on_two_grids():
    coarse = torch.rand(6, 24, 32)
    fine = coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
    draws = torch.Generator().manual_seed(0)
    for _ in range(10):
        cut = patches.aligned_cut(coarse.shape, 8, 3, draws)
        part, finer = cut(coarse, 1), cut(fine, 2)
        assert part.shape == (3, 8, 8)
        assert torch.equal(finer[:, ::2, ::2], part)


def test_the_structured_part_of_a_stack_is_about_its_structure():
    stacks = torch.zeros(2, 5, 64, 64)
    centres = torch.tensor([[0, 8, 8], [1, 50, 20], [1, 52, 22], [1, 54, 24]])
    stacks[1, :, 52, 22] = 1
    part = patches.structured_part(stacks, centres, 3, voxels=3 * 16 * 16, slices=3)
    assert part.shape == (3, 16, 16)
    assert torch.equal(part[:, 8, 8], torch.ones(3))
    assert part.sum() == 3


def test_turned_by_ninety_degrees_is_the_rotated_middle():
    patch = torch.rand(2, 3, 24, 24, generator=generator(0))
    middle = patch[..., 4:20, 4:20]
    found = patches.turned(patch, torch.tensor([0, 90]), 16)
    torch.testing.assert_close(found[0], middle[0], atol=1e-5, rtol=0)
    quarters = [torch.rot90(middle[1], k, (-2, -1)) for k in (1, 3)]
    assert min(float((found[1] - quarter).abs().max()) for quarter in quarters) < 1e-5


def test_turned_by_any_angle_needs_nothing_from_outside():
    ones = torch.ones(8, 1, 24, 24)
    found = patches.turned(ones, torch.arange(8) * 45 + 10, 16)
    torch.testing.assert_close(found, torch.ones(8, 1, 16, 16))
    with pytest.raises(ValueError, match="too small"):
        patches.turned(ones, torch.zeros(8), 20)


def test_a_point_turns_about_the_middle():
    patch = torch.zeros(1, 1, 25, 25)
    patch[..., 12, 18] = 1
    found = patches.turned(patch, torch.tensor([30]), 17)[0, 0]
    where = (found * torch.stack(torch.meshgrid(*[torch.arange(17.0) - 8] * 2, indexing="ij"))).sum(
        (-2, -1)
    ) / found.sum()
    assert float(where.norm()) == pytest.approx(6, abs=0.2)
    assert abs(float(where[0])) == pytest.approx(3, abs=0.2)


def test_the_ensemble_is_the_mean_over_the_chosen_flips_and_rotations() -> None:
    patch = torch.arange(6.0).reshape(2, 3)
    ramp = torch.linspace(0, 1, 3)

    def shaded(turned: torch.Tensor) -> torch.Tensor:
        return turned * ramp[: turned.shape[-1]]

    assert torch.equal(symmetries.self_ensemble(lambda x: x, patch, (0, 2, 5, 7)), patch)
    one = symmetries.self_ensemble(shaded, patch, (0,))
    assert torch.equal(one, shaded(patch))
    both = symmetries.self_ensemble(shaded, patch, (0, 2))
    assert torch.allclose(both, (one + patch * ramp.flip(0)) / 2)
