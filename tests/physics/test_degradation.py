"""The degradation operator: a true convolution, exactly binned, with an exact adjoint."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from zsfiji.errors import UserError
from zsfiji.physics.optics.degradation import Degradation, bin_mean, bin_mean_adjoint, narrowed


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=60, deadline=None)
@given(
    half=st.lists(st.integers(0, 5), min_size=2, max_size=3),
    sides=st.lists(st.integers(1, 9), min_size=3, max_size=3),
    upsample=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_the_adjoint_is_the_transpose_whatever_the_sizes(half, sides, upsample, seed):
    psf = random(*(2 * h + 1 for h in half), seed=seed)
    operator = Degradation(psf, upsample)
    x = random(2, sides[0], upsample * sides[1], upsample * sides[2], seed=seed + 1)
    y = random(2, *sides, seed=seed + 2)
    forward = (operator(x) * y).sum()
    backward = (x * operator.adjoint(y)).sum()
    assert forward.item() == pytest.approx(backward.item(), rel=1e-10)


@pytest.mark.parametrize("shape", [(7, 5), (3, 5, 7)])
def test_blur_is_the_true_convolution_of_scipy_with_a_mirrored_border(shape):
    psf = random(*shape)
    specimen = random(9, 20, 17, seed=1)
    blurred = Degradation(psf).blur(specimen)
    kernel = (psf / psf.sum()).numpy().reshape((1,) * (3 - psf.ndim) + shape)
    expected = ndimage.convolve(specimen.numpy(), kernel, mode="reflect")
    np.testing.assert_allclose(blurred.numpy(), expected, atol=1e-12)


def test_a_point_becomes_the_psf_itself_and_not_its_mirror_image():
    psf = torch.zeros(5, 5)
    psf[2, 2], psf[2, 4], psf[0, 2] = 4, 2, 1
    specimen = torch.zeros(11, 11)
    specimen[5, 5] = 7
    image = Degradation(psf)(specimen)
    torch.testing.assert_close(image[3:8, 3:8], psf, atol=1e-5, rtol=0)


def test_a_flat_specimen_stays_flat_also_at_the_border_and_when_binned():
    flat = torch.full((3, 12, 16), 5.0)
    image = Degradation(random(3, 9, 7).float(), upsample=2)(flat)
    assert image.shape == (3, 6, 8)
    torch.testing.assert_close(image, torch.full((3, 6, 8), 5.0))


def test_a_symmetric_psf_loses_no_light_at_the_border():
    psf = torch.tensor([1.0, 2, 4, 2, 1], dtype=torch.float64)
    operator = Degradation(torch.outer(psf, psf), upsample=2)
    ones = torch.ones(1, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(operator.adjoint(ones), torch.full((1, 12, 10), 0.25).double())


def test_only_the_margin_hears_of_what_lies_outside():
    operator = Degradation(random(5, 9), upsample=2)
    wide = random(40, 40)
    patch = wide[10:30, 10:30]
    rows, columns = operator.margin
    inner = operator(wide)[5 + rows : 15 - rows, 5 + columns : 15 - columns]
    own = operator(patch)[rows:-rows, columns:-columns]
    torch.testing.assert_close(own, inner)
    assert not torch.allclose(operator(patch)[0], operator(wide)[5, 5:15])


def test_binning_is_the_mean_of_blocks():
    image = torch.arange(24.0).reshape(1, 4, 6)
    torch.testing.assert_close(bin_mean(image, 2)[0, 0, 0], torch.tensor(3.5))
    assert bin_mean_adjoint(bin_mean(image, 2), 2).shape == image.shape
    with pytest.raises(ValueError, match="cannot be binned"):
        bin_mean(image, 5)


def test_the_gradient_is_the_adjoint():
    operator = Degradation(random(3, 5, 5), upsample=2)
    x = random(1, 4, 10, 12, seed=3).requires_grad_()
    y = random(1, 4, 5, 6, seed=4)
    (operator(x) * y).sum().backward()
    torch.testing.assert_close(x.grad, operator.adjoint(y))


def test_an_operator_made_and_used_in_inference_mode_still_trains():
    with torch.inference_mode():
        operator = Degradation(torch.rand(3, 3))
        operator(torch.rand(8, 8))
    x = torch.rand(8, 8, requires_grad=True)
    operator(x).sum().backward()
    assert x.grad is not None


def test_half_precision_images_are_blurred_in_full_precision():
    operator = Degradation(torch.rand(3, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert operator(torch.rand(8, 8, dtype=torch.bfloat16)).dtype == torch.float32


@pytest.mark.parametrize(
    ("psf", "words"),
    [
        (torch.ones(4, 5), "4 x 5 pixels.*odd"),
        (torch.zeros(3, 3), "no light"),
        (torch.full((3, 3), torch.nan), "no light"),
        (torch.ones(5), "two or three axes"),
    ],
)
def test_a_psf_that_cannot_serve_is_refused_with_the_reason(psf, words):
    with pytest.raises(UserError, match=words):
        Degradation(psf)


def test_optics_of_the_psf_as_given_are_the_same_to_the_last_bit():
    first = Degradation(random(5, 7).float())
    assert torch.equal(Degradation(first.given).psf, first.psf)


def test_narrowed_optics_hold_the_share_of_the_light_that_is_asked_for():
    axis = torch.arange(-10.0, 11)
    plane = torch.exp(-(axis[:, None] ** 2 + axis**2) / 18)
    whole = Degradation(torch.stack([plane, 2 * plane, plane]), 2)
    near = narrowed(whole, 0.8)
    half = near.psf.shape[-1] // 2
    middle = whole.psf[:, 10 - half : 11 + half, 10 - half : 11 + half]
    assert near.psf.shape[0] == 3
    assert float(middle.sum()) >= 0.8 > float(middle[:, 1:-1, 1:-1].sum())
    assert narrowed(whole, 1.1) is whole


@pytest.mark.parametrize("upsample", [1, 2])
def test_a_patch_is_blurred_without_its_border_as_the_whole(upsample):
    draws = torch.Generator().manual_seed(0)
    optics = Degradation(torch.rand(7, 11, generator=draws), upsample)
    specimen = torch.rand(2, 1, 48, 52, generator=draws, requires_grad=True)
    margin = max(optics.margin) + 1
    whole = optics(specimen)[..., margin:-margin, margin:-margin]
    inner = optics.within(specimen, margin)
    torch.testing.assert_close(inner, whole, rtol=1e-4, atol=1e-5)
    slopes = [torch.autograd.grad(x.square().sum(), specimen)[0] for x in (whole, inner)]
    torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="outside"):
        optics.within(specimen, max(optics.margin) - 1)
