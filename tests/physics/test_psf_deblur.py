"""Richardson-Lucy with momentum."""

import numpy as np
import pytest
import torch

from zsfiji import progress
from zsfiji.errors import Cancelled
from zsfiji.physics.psf.deblur import deblur
from zsfiji.physics.psf.operator import Degradation
from zsfiji.physics.specimens import specimen


def blur(axes=2, deviation=2.0, half=7):
    r = torch.arange(-half, half + 1.0)
    line = torch.exp(-0.5 * (r / deviation) ** 2)
    psf = line[:, None] * line
    return Degradation(psf if axes == 2 else psf * torch.ones(3, 1, 1), 2)


@pytest.mark.parametrize("shape", [(96, 96), (6, 64, 64)])
def test_it_comes_nearer_to_the_specimen_with_every_iteration_and_is_the_image_again(shape):
    truth = torch.from_numpy(specimen("filaments", shape)).float()
    optics = blur(len(shape))
    image = optics(truth)
    errors = []
    for iterations in (0, 5, 20):
        found = deblur(image, optics, iterations, 0.01)
        assert found.min() >= 0
        errors.append(float((found - truth).square().mean()))
    assert errors[0] > 1.2 * errors[1] > 1.2 * errors[2]
    assert float((optics(found) - image).abs().mean()) < 0.025 * float(image.mean())


def test_a_flat_image_stays_flat():
    found = deblur(torch.full((20, 24), 7.0), blur(), 10, 1.0)
    assert np.allclose(found, 7, rtol=1e-3)


def test_tiles_give_what_the_whole_gives():
    truth = torch.from_numpy(specimen("vesicles", (128, 128))).float()
    optics = blur()
    image = optics(truth)
    whole = deblur(image, optics, 8, 0.01)
    tile = deblur(image[:, :40], optics, 8, 0.01)
    assert float((whole[:, :32] - tile[:, :32]).abs().max()) < 0.02 * float(whole.max())


def test_it_can_be_cancelled():
    class Host:
        def show(self, event):
            pass

        def cancelled(self):
            return True

        def finish_now(self):
            return False

    with progress.using(Host()), pytest.raises(Cancelled):
        deblur(torch.ones(8, 8), blur(), 3, 1.0)
