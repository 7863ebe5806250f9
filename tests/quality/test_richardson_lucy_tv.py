"""Richardson-Lucy: it sharpens, keeps the light, and stays calm at the border."""

import numpy as np
import pytest
import torch
from skimage.restoration import richardson_lucy as by_skimage

from zsfiji.errors import UserError
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.quality.richardson_lucy_tv import curvature, richardson_lucy


def blur(sigma=2.0, half=7, upsample=1, dims=2):
    squares = sum(
        g**2 for g in torch.meshgrid(*[torch.arange(-half, half + 1.0)] * dims, indexing="ij")
    )
    return Degradation(torch.exp(-squares / (2 * sigma**2)).double(), upsample)


def bars(n=64):
    specimen = torch.full((n, n), 2.0, dtype=torch.float64)
    specimen[:, 20:22] = 100
    specimen[:, 26:28] = 100
    specimen[40:44] = 60
    return specimen


def error(estimate, truth):
    return float((estimate - truth).square().mean().sqrt())


def test_it_agrees_with_scikit_image_away_from_the_border():
    model = blur()
    image = model(bars())
    ours = richardson_lucy(image, model, 15).numpy()
    theirs = by_skimage(image.numpy(), model.psf.numpy(), num_iter=15, clip=False)
    inner = slice(24, 40)
    np.testing.assert_allclose(ours[inner, inner], theirs[inner, inner], rtol=0.02, atol=0.2)


def test_it_brings_the_specimen_nearer_and_keeps_the_light():
    model, specimen = blur(), bars()
    image = model(specimen)
    errors = []
    estimate = richardson_lucy(
        image, model, 60, each=lambda _, e: errors.append(error(e, specimen))
    )
    assert len(errors) == 60
    assert errors[-1] < 0.6 * error(image, specimen)
    assert errors == sorted(errors, reverse=True)
    assert estimate.sum().item() == pytest.approx(image.sum().item(), rel=1e-6)
    assert (estimate >= 0).all()


def test_it_works_on_a_finer_grid_than_the_camera():
    model, specimen = blur(upsample=2), bars()
    image = model(specimen)
    estimate = richardson_lucy(image, model, 60)
    assert estimate.shape == specimen.shape
    plain = image.repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert error(estimate, specimen) < 0.7 * error(plain, specimen)


def test_a_flat_image_stays_flat_up_to_the_border_and_a_background_is_left_out():
    flat = torch.full((3, 20, 20), 50.0, dtype=torch.float64)
    estimate = richardson_lucy(flat, blur(dims=3, half=3), 20, background=20.0)
    torch.testing.assert_close(estimate, torch.full_like(flat, 30.0), rtol=1e-6, atol=0)


def test_total_variation_calms_the_noise():
    model = blur()
    specimen = torch.full((64, 64), 5.0, dtype=torch.float64)
    specimen[10:30, 14:50] = 50
    specimen[36:54, 20:40] = 25
    noisy = torch.poisson(model(specimen), generator=torch.Generator().manual_seed(0))
    plain = richardson_lucy(noisy, model, 60)
    calm = richardson_lucy(noisy, model, 60, tv=0.02)
    assert error(calm, specimen) < 0.8 * error(plain, specimen)
    assert calm[14:26, 20:44].std() < 0.5 * plain[14:26, 20:44].std()


def test_the_curvature_is_the_divergence_of_the_unit_gradient():
    image = torch.zeros(5, 5, dtype=torch.float64)
    image[2, 2] = 1
    result = curvature(image, (-2, -1))
    assert result[2, 2] < -2  # a peak
    assert result.sum().item() == pytest.approx(0, abs=1e-9)
    torch.testing.assert_close(curvature(torch.ones(4, 6), (-1,)), torch.zeros(4, 6))


def test_bad_images_are_refused():
    model = blur()
    with pytest.raises(UserError, match="NaN"):
        richardson_lucy(torch.full((20, 20), torch.nan), model, 3)
    with pytest.raises(UserError, match="brighter than the background of 200"):
        richardson_lucy(torch.full((20, 20), 100.0), model, 3, background=200)
