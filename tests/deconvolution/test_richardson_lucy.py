"""Richardson-Lucy with momentum."""

import numpy as np
import pytest
import torch

from zsfiji import progress
from zsfiji.deconvolution.richardson_lucy import choose_iterations, deblur, replaced
from zsfiji.errors import Cancelled
from zsfiji.physics.optics.degradation import Degradation
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
    errors, left = [], []
    for iterations in (0, 5, 20, 60):
        found, seen, _ = deblur(image, optics, iterations, 0.01)
        assert found.min() >= 0
        errors.append(float((found - truth).square().mean()))
        left.append(float((seen - image).abs().mean() / image.mean()))
    assert errors[0] > 1.2 * errors[1] > 1.2 * errors[2] > 1.2 * errors[3]
    # It begins with the image blurred once more, which is far from it.
    assert left[0] > 0.2
    assert left[2] < 0.013
    assert left[3] < 0.005


def crowd(shape=(8, 40, 40), around=(3, 10, 10)):
    """A specimen larger than what is seen of it, and optics that reach far along z."""
    truth = specimen("filaments", [n + 2 * a for n, a in zip(shape, around, strict=True)], seed=2)
    psf = torch.stack([blur(deviation=1.5 + abs(z)).psf for z in range(-3, 4)])
    return torch.from_numpy(truth).float(), Degradation(psf, 1)


def within(stack, around):
    return stack[tuple(slice(a, n - a) for a, n in zip(around, stack.shape, strict=True))]


def test_light_from_beyond_the_stack_is_explained():
    around = (3, 10, 10)
    truth, optics = crowd(around=around)
    image = within(optics(truth), around)
    found, seen, _ = deblur(image, optics, 80, 0.01)
    mirrored = optics(found)
    # The specimen inside, with a mirror around it, cannot be all that there is.
    assert float((mirrored - image).abs().mean()) > 0.1 * float(image.mean())
    assert float((seen - image).abs().mean()) < 0.01 * float(image.mean())
    inner = within(truth, around)
    assert float((found - inner).square().mean()) < 0.3 * float((image - inner).square().mean())


def test_what_the_camera_sees_of_the_specimen_is_what_the_optics_give():
    # Far from the border nothing from beyond it matters.
    truth = torch.from_numpy(specimen("vesicles", (96, 96))).float()
    optics = blur()
    found, seen, _ = deblur(optics(truth), optics, 10, 0.01)
    difference = (optics(found) - seen)[10:-10, 10:-10].abs().max()
    assert float(difference) < 1e-4 * float(seen.max())


def test_another_specimen_in_its_place_is_seen_with_the_light_from_beyond():
    around = (3, 10, 10)
    truth, optics = crowd(around=around)
    image = within(optics(truth), around)
    begun = deblur(image, optics, 20, 0.01)
    inner = within(truth, around)
    found = replaced(image, optics, begun, inner)
    assert torch.equal(found.specimen, inner)
    error = (found.reblurred - image).square().mean()
    assert float(error) < 0.3 * float((optics(inner) - image).square().mean())
    assert float(replaced(image, optics, begun, inner - 9).specimen.max()) == 0


def capture(photons, deviation=3.0):
    truth = torch.from_numpy(specimen("reticulum", (128, 128))).float()
    draws = torch.Generator().manual_seed(0)
    optics = blur(deviation=deviation, half=11)
    return truth * photons, torch.poisson(optics(truth) * photons, generator=draws)


def test_with_more_light_there_are_more_iterations_and_they_are_near_the_best():
    optics = blur(deviation=3.0, half=11)
    counts = []
    for photons in (5.0, 50.0, 500.0):
        truth, image = capture(photons)
        counts.append(choose_iterations(image, optics, 1.0, 200))
        errors = {
            share: float(
                (deblur(image, optics, int(share * counts[-1]), 1.0).specimen - truth)
                .square()
                .mean()
            )
            for share in (0.3, 1.0, 3.0)
        }
        assert errors[1.0] < 1.2 * min(errors.values())
        assert errors[1.0] < 0.9 * errors[0.3]
    assert counts[0] < counts[1] < counts[2] < 200
    # Noise that neighbours share is no reason to go on.
    assert choose_iterations(image, optics, 1.0, 200, correlation=0.3) < counts[2]
    assert choose_iterations(image, optics, 1.0, 3) == 3


def test_optics_that_do_not_fit_are_no_reason_to_explain_the_noise():
    # A bright disc that the optics cannot have made leaves a rim, whatever is tried.
    _, image = capture(50.0)
    row, col = torch.meshgrid(*[torch.arange(64.0)] * 2, indexing="ij")
    image += 2000 * ((row - 32) ** 2 + (col - 32) ** 2 < 9**2)
    optics = blur(deviation=3.0, half=11)
    count = choose_iterations(image, optics, 1.0, 400)
    assert count < 200
    seen = deblur(image, optics, count, 1.0).reblurred
    left = (image - seen) / (seen + 1).sqrt()
    assert float((left[1:] * left[:-1]).mean() / left.square().mean()) > 0.05


def test_a_flat_image_stays_flat():
    found, seen, _ = deblur(torch.full((20, 24), 7.0), blur(), 10, 1.0)
    assert np.allclose(found, 7, rtol=1e-3)
    assert np.allclose(seen, 7, rtol=1e-3)


def test_tiles_give_what_the_whole_gives():
    truth = torch.from_numpy(specimen("vesicles", (128, 128))).float()
    optics = blur()
    image = optics(truth)
    whole = deblur(image, optics, 8, 0.01).specimen
    tile = deblur(image[:, :40], optics, 8, 0.01).specimen
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
