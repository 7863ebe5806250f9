import pytest
import torch

from zsfiji.learning.initial import init_uniform
from zsfiji.learning.unet import TwoScales, depth_to_space, space_to_depth


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (2, 3, 5, 4, 6)])
def test_squares_of_pixels_become_channels_and_come_back(shape):
    image = torch.rand(shape)
    cells = space_to_depth(image, 2)
    assert cells.shape == (2, 12, *shape[2:-2], 2, 3)
    first = image[0, 0, ..., :2, 2:4].flatten(-2)
    assert torch.equal(cells[0, :4, ..., 0, 1].movedim(0, -1), first)
    assert torch.equal(depth_to_space(cells, 2), image)


def test_a_stack_of_one_slice_is_a_plane_to_layers_that_stay_within_a_slice():
    flat, deep = TwoScales(2, 2, 4, 1, 0.1), TwoScales(3, 2, 4, 1, 0.1)
    init_uniform(flat, 0)
    weights = flat.state_dict()
    for name, value in deep.state_dict().items():
        value.zero_()
        middle = value[:, :, value.shape[2] // 2] if value.ndim == 5 else value
        middle.copy_(weights[name])
    image = torch.rand(1, 2, 8, 12)
    for plane, stack in zip(flat(image), deep(image[:, :, None]), strict=True):
        assert torch.allclose(stack[:, :, 0], plane, atol=1e-6)
