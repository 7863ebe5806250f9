"""PSFs on other grids: the energy stays, the centre stays, and what does not fit is refused."""

import re
from dataclasses import replace
from math import erf

import numpy as np
import pytest

from zsfiji.errors import UserError
from zsfiji.physics.optics.kernel import Psf, normalised
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.prepare import prepare
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.optics.resample import crop, match, pad, rebin, resample


def gaussian(shape, spacing, sigma):
    grid = np.indices(shape, dtype=float)
    squares = sum(
        ((g - n // 2) * s / w) ** 2 for g, n, s, w in zip(grid, shape, spacing, sigma, strict=True)
    )
    return normalised(np.exp(-squares / 2), spacing)


@pytest.mark.parametrize("pixel", [0.0313, 0.05, 0.1])
def test_a_gaussian_on_another_grid_is_the_gaussian_of_that_grid(pixel):
    psf = resample(gaussian((65, 65), (0.06, 0.06), (0.2, 0.2)), (pixel, pixel), energy=1.0)
    expected = gaussian(psf.values.shape, (pixel, pixel), (0.2, 0.2))
    assert psf.values.sum() == pytest.approx(1)
    # Larger pixels take the mean over their area, which widens a little.
    np.testing.assert_allclose(psf.values, expected.values, atol=0.03 * expected.values.max())
    np.testing.assert_allclose(psf.values, psf.values[::-1, ::-1], atol=1e-9)


def test_coarse_pixels_gather_all_the_light_between_their_centres():
    fine = np.zeros((63, 63))
    fine[31, 31] = 1
    fine[31, 36] = 1  # within the coarse pixel to the right of the middle
    psf = resample(normalised(fine, (0.01, 0.01)), (0.07, 0.07), energy=1.0)
    row, column = (n // 2 for n in psf.values.shape)
    assert psf.values[row, column] == pytest.approx(psf.values[row, column + 1], rel=0.1)
    assert psf.values[row, column - 1] < 0.02


@pytest.mark.parametrize(("old", "new"), [(1.0, 0.5), (1.0, 0.3), (0.5, 1.0), (1.0, 1.0)])
def test_means_over_pixels_become_those_over_other_pixels(old, new):
    def means(step, size):
        edges = (np.arange(size + 1) - size / 2) * step / 1.5
        return np.diff([erf(e) for e in edges]) / step

    size = 2 * int(6 / new) + 1
    found = rebin(means(old, 2 * int(6 / old) + 1), 0, new / old, size)
    np.testing.assert_allclose(found, means(new, size), atol=6e-3 * found.max())
    assert found.sum() * new == pytest.approx(2, rel=1e-4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_calculated_psf_is_calculated_on_the_new_grid(dimensions):
    optics = Optics("wide-field", 0.75, 525.0, 1.0)
    coarse = from_optics(optics, (0.8, 0.325, 0.325)[-dimensions:])
    fine = resample(coarse, (0.8, 0.1625, 0.1625)[-dimensions:], energy=1.0)
    direct = from_optics(optics, fine.spacing, fine.values.shape)
    np.testing.assert_allclose(fine.values, direct.values, atol=1e-12)
    plane = resample(match(coarse, (0.325, 0.325), (64, 64)), (0.1625, 0.1625))
    assert plane.optics == optics


def test_a_measured_psf_loses_its_pixels_to_those_of_the_new_grid():
    # A camera of pixels as wide as 0.4 of the PSF, whose width they raise by 3 %.
    camera = replace(from_optics(Optics("wide-field", 1.2, 525.0), (0.09, 0.09)), optics=None)
    fine = resample(camera, (0.045, 0.045))
    expected = from_optics(Optics("wide-field", 1.2, 525.0), (0.045, 0.045), fine.values.shape)
    np.testing.assert_allclose(fine.values, expected.values, atol=0.01 * expected.values.max())
    np.testing.assert_allclose(fwhm(fine), fwhm(expected), rtol=0.005)


def test_each_axis_has_its_own_pixel_size():
    psf = gaussian((21, 33, 33), (0.2, 0.1, 0.1), (0.5, 0.25, 0.25))
    other = resample(psf, (0.4, 0.05, 0.05))
    np.testing.assert_allclose(fwhm(other), fwhm(psf), rtol=0.05)
    assert other.spacing == (0.4, 0.05, 0.05)


def test_the_crop_holds_the_energy_that_was_asked_for():
    psf = gaussian((101, 101), (0.1, 0.1), (0.5, 0.5))
    small = crop(psf, 0.99)
    n = small.values.shape[0]
    kept = psf.values[50 - n // 2 : 51 + n // 2, 50 - n // 2 : 51 + n // 2].sum()
    assert 0.99 <= kept < 0.999
    assert small.values.sum() == pytest.approx(1)
    assert crop(psf, 1.0, largest=(7, 9)).values.shape == (7, 9)
    back = pad(small, (101, 101))
    assert back.values.shape == (101, 101)
    assert back.values.argmax() == psf.values.argmax()


def test_match_brings_it_to_the_image_and_takes_the_slice_in_focus_for_2d():
    psf = gaussian((21, 65, 65), (0.2, 0.05, 0.05), (0.5, 0.1, 0.1))
    flat = match(psf, (0.1, 0.1), (64, 64))
    assert flat.values.ndim == 2
    assert flat.spacing == (0.1, 0.1)
    deep = match(psf, (0.4, 0.1, 0.1), (6, 64, 64))
    assert deep.values.shape[0] == 5  # odd, and no more than the slices there are


@pytest.mark.parametrize(
    ("sigma", "spacing", "shape", "words"),
    [
        ((0.1, 0.1), (0.1, 0.1, 0.1), (32, 64, 64), "single slice"),
        ((100.0, 100.0), (0.1, 0.1), (64, 64), "wide along y and the image only"),
        ((0.0001, 0.0001), (0.1, 0.1), (64, 64), "less than a pixel"),
    ],
)
def test_a_psf_in_other_units_or_dimensions_is_refused(sigma, spacing, shape, words):
    psf = gaussian((33, 33), tuple(s / 3 for s in sigma), sigma)
    with pytest.raises(UserError, match=words):
        match(psf, spacing, shape)


def test_an_image_too_small_for_the_psf_is_refused():
    grid = np.hypot(*(np.indices((201, 201)) - 100.0))
    halo = normalised(np.exp(-(grid**2) / 8) + 0.01 * np.exp(-grid / 40), (0.1, 0.1))
    with pytest.raises(UserError, match=r"holds only .*of the light"):
        match(halo, (0.1, 0.1), (32, 32))


def test_the_sizes_in_that_message_are_those_of_the_file_and_of_the_image():
    # The user knows a PSF of 64 x 60 pixels and an image of 20 x 16, and no fine grid.
    grid = np.hypot(*(np.indices((60, 64)) - 30.0))
    halo = prepare(np.exp(-(grid**2) / 8) + 0.05 * np.exp(-grid / 40), (0.1, 0.1))
    with pytest.raises(UserError) as refused:
        match(halo, (0.05, 0.05), (32, 40), pixels=(16, 20))
    message = str(refused.value)
    assert "image of 20 x 16 pixels" in message
    assert "whose 64 x 60 pixels" in message
    reach = [int(n) for n in re.search(r"cover (\d+) x (\d+) pixels", message).groups()]
    assert all(50 < n < 70 for n in reach), message


def test_an_even_kernel_cannot_be_made():
    with pytest.raises(ValueError, match="even size"):
        Psf(np.ones((4, 5)) / 20, (0.1, 0.1))
    with pytest.raises(UserError, match="no light"):
        normalised(np.zeros((3, 3)), (0.1, 0.1))


def test_slices_of_a_wide_field_psf_beyond_the_depth_of_the_stack_are_left_out():
    # All its slices have the same light: most of it lies outside of a thin stack.
    psf = from_optics(Optics("wide-field", 1.3, 525.0), (0.2, 0.06, 0.06))
    assert psf.values.shape[0] > 45
    fitted = match(psf, (0.2, 0.06, 0.06), (12, 200, 200))
    assert fitted.values.shape[0] == 11
    middle = psf.values.shape[0] // 2
    expected = psf.values[middle - 5 : middle + 6].sum((1, 2))
    found = fitted.values.sum((1, 2))
    assert found / found.sum() == pytest.approx(expected / expected.sum(), rel=0.02)
