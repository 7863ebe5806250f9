"""Measured PSFs made fit: background off, centred, odd, of unit energy."""

import numpy as np
import pytest
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.physics.optics.centre import spot_centre, width_at_half
from zsfiji.physics.optics.kernel import as_image, focal_plane
from zsfiji.physics.optics.measure import describe, fwhm
from zsfiji.physics.optics.prepare import prepare, prepare_image
from zsfiji.physics.optics.resample import pad


def spot(shape, centre, sigma=2.0):
    grid = np.indices(shape, dtype=float)
    sigma = np.broadcast_to(sigma, len(shape))
    return np.exp(-sum(((g - c) / s) ** 2 for g, c, s in zip(grid, centre, sigma, strict=True)) / 2)


def centroid(values):
    grid = np.indices(values.shape)
    return np.array([(g * values).sum() / values.sum() for g in grid])


@pytest.mark.parametrize(
    ("shape", "centre"),
    [((31, 31), (15.3, 14.6)), ((32, 30), (15.5, 14.5)), ((20, 24, 31), (9.7, 12.2, 15.0))],
)
def test_a_spot_anywhere_on_any_grid_comes_to_the_middle_of_an_odd_one(shape, centre):
    psf = prepare(100 * spot(shape, centre), (0.1,) * len(shape))
    assert all(n % 2 for n in psf.values.shape)
    assert psf.values.sum() == pytest.approx(1)
    middle = [n // 2 for n in psf.values.shape]
    np.testing.assert_allclose(centroid(psf.values), middle, atol=0.01)
    np.testing.assert_allclose(fwhm(psf), 0.2355 * 2, rtol=0.01)


def test_an_asymmetric_psf_keeps_its_handedness():
    values = (
        spot((41, 41), (20, 20)) + 0.3 * spot((41, 41), (20, 27)) + 0.2 * spot((41, 41), (27, 20))
    )
    psf = prepare(values, (0.1, 0.1)).values
    row, column = (n // 2 for n in psf.shape)
    assert psf[row, column + 7] > 3 * psf[row, column - 7]
    assert psf[row + 7, column] > 3 * psf[row - 7, column]
    assert psf[row, column + 7] > psf[row + 7, column]


def test_camera_offset_and_noise_leave_neither_pedestal_nor_shift():
    rng = np.random.default_rng(0)
    clean = 500 * spot((64, 64), (30.4, 33.7))
    noisy = rng.poisson(clean + 100) + rng.normal(0, 3, clean.shape)
    psf = prepare(noisy, (0.1, 0.1))
    np.testing.assert_allclose(fwhm(psf), 0.471, rtol=0.04)
    # Clipped noise would hold a third of the light here, and lie all over the field.
    assert max(psf.values.shape) < 25
    field = (71, 71)
    reference = pad(prepare(clean, (0.1, 0.1)), field).values
    np.testing.assert_allclose(pad(psf, field).values, reference, atol=0.15 * reference.max())


def test_a_smooth_tail_at_the_border_belongs_to_the_psf():
    grid = np.hypot(*(np.indices((41, 41)) - 20.0))
    lorentz = 1 / (1 + (grid / 3) ** 2)
    psf = prepare(lorentz, (0.1, 0.1)).values
    # The median of the border would have taken 20 % more of the tail than its minimum does.
    expected = (lorentz - lorentz.min()) / (lorentz - lorentz.min()).sum()
    np.testing.assert_allclose(psf, expected, atol=1e-6)


def test_a_background_that_is_given_overrules_the_border():
    values = 10 + 100 * spot((31, 31), (15, 15))
    given = prepare(values, (0.1, 0.1), background=0.0).values
    assert given[0, 0] == pytest.approx(10 / values.sum(), rel=0.01)
    assert prepare(values, (0.1, 0.1)).values[0, 0] < 1e-6


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((9, 9)), "all its values are zero"),
        (np.full((9, 9), 4.0), "flat"),
        (-spot((9, 9), (4, 4)), "only negative"),
        (np.where(spot((9, 9), (4, 4)) > 0.9, np.nan, 1), "NaN or infinite"),
        (np.ones(9), "1 axis"),
        (np.ones((2, 3, 9, 9)), "4 axes"),
        (np.ones((2, 9)), "too small"),
        (np.ones((9, 9), complex), "not real numbers"),
        (np.random.default_rng(1).normal(100, 3, (41, 41)), "stands out of the noise"),
    ],
)
def test_what_is_no_psf_is_refused_with_the_reason(values, words):
    with pytest.raises(UserError, match=words):
        prepare(values, (0.1,) * values.ndim)


def test_a_background_above_the_peak_is_refused():
    with pytest.raises(UserError, match="brighter than its background of 200"):
        prepare(100 * spot((21, 21), (10, 10)), (0.1, 0.1), background=200)


def test_an_open_image_tells_its_own_pixel_size_and_is_asked_for_it_otherwise():
    values = spot((1, 21, 21), (0, 10, 10), (1, 2, 2))[0]
    step = np.arange(21) * 62.6
    image = xr.DataArray(
        values[None],
        dims=("ch", "row", "col"),
        coords={"row": step, "col": step},
        attrs={"units": {"row": "nm", "col": "nm"}},
    )
    assert prepare_image(image).spacing == pytest.approx((0.0626, 0.0626))
    image.attrs["units"] = {"row": "pixel"}
    with pytest.raises(UserError, match=r'unit "pixel".*Image > Properties'):
        prepare_image(image)
    image.attrs |= {"units": {}, "title": "my PSF"}
    with pytest.raises(UserError, match="of my PSF has no unit of length"):
        prepare_image(image)
    several = xr.concat([image, image], "ch")
    with pytest.raises(UserError, match="several frames, channels"):
        prepare_image(several)


def test_it_is_shown_as_a_calibrated_image_and_described_in_a_line():
    psf = prepare(spot((9, 21, 21), (4, 10, 10), (1, 2, 2)), (0.3, 0.1, 0.1))
    image = as_image(psf, "PSF")
    assert image.dims == ("pln", "row", "col")
    assert image.dtype == np.float32
    assert float(image.pln[1] - image.pln[0]) == pytest.approx(0.3)
    assert set(image.attrs["units"].values()) == {"micron"}
    assert prepare_image(image).spacing == pytest.approx(psf.spacing)
    assert "471 nm lateral" in describe(psf)
    assert "nm axial" in describe(psf)
    assert focal_plane(psf).values.shape == (21, 21)
    assert focal_plane(focal_plane(psf)).values.ndim == 2


def test_a_centre_is_found_to_a_hundredth_of_a_pixel():
    values = spot((40, 40), (17.37, 21.82), 1.5)
    found = spot_centre(values, (17, 22), (3.0, 3.0))
    np.testing.assert_allclose(found, (17.37, 21.82), atol=0.01)


def test_a_width_is_that_of_the_gaussian_and_reaches_the_end_of_a_wide_one():
    x = np.arange(41)
    assert width_at_half(np.exp(-((x - 20.2) ** 2) / 18), 20.2) == pytest.approx(7.06, rel=0.005)
    assert width_at_half(np.ones(41) + 0.1 * (x == 20), 20) == 40
