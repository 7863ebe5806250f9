"""PSFs from optics, held against theory and against a calculation by another way."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.special import j1

from zsfiji.errors import UserError
from zsfiji.physics.optics.measure import fwhm, radial_otf
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import (
    _intensity,
    axial_fwhm,
    default_shape,
    from_optics,
    lateral_fwhm,
)

OIL = Optics("wide-field", 1.4, 525.0)


def by_summing_plane_waves(optics, points, z):
    """Intensity at `points` along x, from a Cartesian pupil and two polarisations in turn.

    The waves are turned from the pupil to the focus as vectors: no Bessel function, no symmetry.
    """
    n, k = optics.immersion_index, 2 * np.pi * optics.immersion_index / (optics.emission / 1000)
    axis = np.linspace(-1, 1, 401) * optics.numerical_aperture / n
    x, y = np.meshgrid(axis, axis)
    sine = np.hypot(x, y)
    x, y, sine = (a[sine < optics.numerical_aperture / n] for a in (x, y, sine))
    cosine = np.sqrt(1 - sine**2)
    azimuth = np.arctan2(y, x)
    total = np.zeros(len(points))
    for polarisation in (0, np.pi / 2):
        radial, along = np.cos(azimuth - polarisation), -np.sin(azimuth - polarisation)
        field = np.stack(
            [
                radial * cosine * np.cos(azimuth) - along * np.sin(azimuth),
                radial * cosine * np.sin(azimuth) + along * np.cos(azimuth),
                radial * sine,
            ]
        )
        phase = np.exp(1j * k * (np.outer(points, x) + z * cosine))
        amplitude = (phase / np.sqrt(cosine)) @ field.T
        total += (np.abs(amplitude) ** 2).sum(axis=1)
    return total


@pytest.mark.parametrize("aperture", [0.8, 1.4])
@pytest.mark.parametrize("z", [0.0, 0.4])
def test_the_vectorial_psf_is_the_sum_of_the_plane_waves(aperture, z):
    optics = Optics("wide-field", aperture, 525.0)
    psf = from_optics(optics, (0.4, 0.02, 0.02), (3, 41, 41))
    slice_ = psf.values[1 + round(z / 0.4)]
    along_x = slice_[20, 20::4] / psf.values[1, 20, 20]
    points = np.arange(0, 21, 4) * 0.02
    expected = by_summing_plane_waves(optics, points, z) / by_summing_plane_waves(
        optics, [0.0], 0.0
    )
    # The mean over a pixel of 20 nm and the corners of the pupil's pixels are left.
    np.testing.assert_allclose(along_x, expected, atol=0.01)


def test_at_a_low_aperture_it_is_the_pattern_of_airy():
    optics = Optics("wide-field", 0.2, 500.0, immersion_index=1.0)
    psf = from_optics(optics, (0.05, 0.05), (121, 121))
    v = 2 * np.pi * 0.2 / 0.5 * np.arange(1, 60) * 0.05
    airy = (2 * j1(v) / v) ** 2
    profile = psf.values[60, 61:120] / psf.values[60, 60]
    np.testing.assert_allclose(profile, airy, atol=0.006)


@pytest.mark.parametrize(
    ("aperture", "index", "tolerance"),
    [(0.3, 1.0, 0.03), (0.75, 1.0, 0.08), (1.1, 1.333, 0.1), (1.4, 1.515, 0.12)],
)
def test_its_widths_are_those_of_theory(aperture, index, tolerance):
    optics = Optics("wide-field", aperture, 525.0, index)
    pixel, step = lateral_fwhm(optics) / 8, axial_fwhm(optics) / 8
    axial, y, x = fwhm(from_optics(optics, (step, pixel, pixel), (33, 41, 41)))
    assert y == pytest.approx(x, rel=1e-9)
    # Theory is scalar: the polarisation of steep rays widens the PSF, never narrows it.
    assert 1 <= x / lateral_fwhm(optics) < 1 + tolerance
    assert axial == pytest.approx(axial_fwhm(optics), rel=0.05)


@pytest.mark.parametrize("aperture", [0.5, 1.0, 1.3])
def test_its_otf_ends_at_twice_the_aperture_over_the_wavelength(aperture):
    optics = Optics("wide-field", aperture, 600.0)
    psf = from_optics(optics, (0.04, 0.04), (301, 301))
    end = 2 * aperture / 0.6
    frequency, modulus = radial_otf(psf)
    assert frequency[modulus >= 0.002].max() == pytest.approx(end, rel=0.05)
    assert modulus[0] == pytest.approx(1)
    assert modulus[frequency > 1.05 * end].max() < 0.002
    half = modulus[np.searchsorted(frequency, end / 2)]
    assert 0.27 < half < 0.4  # 0.391 for a scalar lens; steep rays count more, and lower it


@pytest.mark.parametrize(
    "optics",
    [
        OIL,
        Optics("confocal", 1.4, 525.0, excitation=488.0),
        Optics("light-sheet", 1.0, 525.0, 1.333, sheet_thickness=1.5),
    ],
)
def test_it_has_unit_energy_odd_sizes_and_mirror_symmetry_about_its_middle(optics):
    psf = from_optics(optics, (0.2, 0.08, 0.1))
    values = psf.values
    assert values.sum() == pytest.approx(1)
    assert all(n % 2 for n in values.shape)
    assert np.unravel_index(values.argmax(), values.shape) == tuple(n // 2 for n in values.shape)
    for axis in range(3):
        np.testing.assert_allclose(values, np.flip(values, axis), atol=1e-12)


def test_a_closed_pinhole_multiplies_the_two_psfs_and_an_open_one_leaves_the_lasers():
    grid, shape = (0.1, 0.02, 0.02), (9, 51, 51)
    closed = from_optics(
        Optics("confocal", 1.4, 525.0, excitation=488.0, pinhole=0.01), grid, shape
    )
    emission = from_optics(OIL, grid, shape).values
    laser = from_optics(Optics("wide-field", 1.4, 488.0), grid, shape).values
    product = emission * laser / (emission * laser).sum()
    np.testing.assert_allclose(closed.values, product, atol=8e-3 * product.max())
    # All light of every slice passes a pinhole as wide as this: what is left is the excitation.
    wide = from_optics(Optics("confocal", 1.4, 525.0, excitation=488.0, pinhole=20), grid, shape)
    np.testing.assert_allclose(wide.values, laser, atol=1e-3 * laser.max())


@pytest.mark.parametrize("pinhole", [0.5, 1.0, 3.0, 8.0, 20.0])
def test_a_pinhole_gathers_the_light_of_its_disc(pinhole):
    optics = Optics("confocal", 1.4, 525.0, excitation=488.0, pinhole=pinhole)
    grid, shape = (0.4, 0.005, 0.005), (3, 3, 161)
    found = from_optics(optics, grid, shape).values[:, 1, 80::8]
    laser = from_optics(Optics("wide-field", 1.4, 488.0), grid, shape).values[:, 1, 80::8]
    # The disc in rings and angles about its own centre, far more of them than the light has waves.
    disc = pinhole * 0.61 * 0.525 / 1.4
    nodes, weights = np.polynomial.legendre.leggauss(40 + int(40 * pinhole))
    ring = disc * (nodes + 1) / 2
    angles = 64 + int(100 * pinhole)
    angle = 2 * np.pi * (np.arange(angles) + 0.5) / angles
    y, x = ring[:, None] * np.sin(angle), ring[:, None] * np.cos(angle)
    z = np.array([-0.4, 0.0, 0.4])
    radius = np.linspace(0, disc + 0.5, int((disc + 0.5) / 0.004))
    light = CubicSpline(radius, _intensity(OIL, 525.0, 0.0, radius, z), axis=-1)
    passed = np.stack(
        [
            (light(np.hypot(x - 0.005 * n, y)).sum(-1) * (weights * ring)).sum(-1)
            for n in range(0, 81, 8)
        ],
        axis=-1,
    )
    expected = laser * passed
    np.testing.assert_allclose(
        found / found[1, 0], expected / expected[1, 0], atol=1e-3, err_msg=f"{pinhole}"
    )


def test_the_default_field_of_an_open_pinhole_holds_the_haze_that_it_lets_pass():
    def of(pinhole):
        optics = Optics("confocal", 1.4, 525.0, excitation=488.0, pinhole=pinhole)
        return default_shape(optics, (0.2, 0.1, 0.1))

    assert of(1) == of(0.1)
    assert of(20)[0] > 1.5 * of(1)[0]
    assert of(20)[1] > 2 * of(1)[1]


def test_the_thickness_of_the_sheet_limits_the_depth():
    thick = Optics("light-sheet", 0.5, 525.0, 1.333, sheet_thickness=100.0)
    thin = Optics("light-sheet", 0.5, 525.0, 1.333, sheet_thickness=1.0)
    grid, shape = (0.1, 0.2, 0.2), (121, 31, 31)
    assert fwhm(from_optics(thick, grid, shape))[0] == pytest.approx(axial_fwhm(thick), rel=0.05)
    assert fwhm(from_optics(thin, grid, shape))[0] == pytest.approx(1.0, rel=0.05)


def test_tirf_is_a_2d_psf_about_as_wide_as_the_wide_field_one():
    tirf = from_optics(Optics("TIRF", 1.49, 610.0), (0.0313, 0.0313))
    assert tirf.values.ndim == 2
    ratio = fwhm(tirf)[0] / (0.51 * 0.61 / 1.49)
    assert 1.0 < ratio < 1.35
    with pytest.raises(UserError, match="single layer"):
        from_optics(Optics("TIRF", 1.49, 610.0), (0.1, 0.05, 0.05))


def test_deep_in_water_an_oil_lens_has_its_halo_above_the_focus_and_its_rings_below():
    water = Optics("wide-field", 1.2, 525.0, 1.515, sample_index=1.33, depth=4.0)
    psf = from_optics(water, (0.25, 0.1, 0.1), (17, 81, 81))
    assert psf.values[:, 40, 40].argmax() == 8
    # Steep rays come from the water as if from farther below: at depth * tan(in water) /
    # tan(in oil). So they are spread wide above the best focus, and gathered below it.
    radius = np.hypot(*(np.indices((81, 81)) - 40.0)) * 0.1
    spread = np.sqrt([(s * radius**2).sum() / s.sum() for s in psf.values])
    assert spread[2] > 1.3 * spread[14]
    shallow = Optics("wide-field", 1.2, 525.0, 1.515, sample_index=1.33)
    at_the_glass = from_optics(shallow, (0.2, 0.1, 0.1), (31, 41, 41))
    assert fwhm(at_the_glass)[0] < 1.15 * axial_fwhm(shallow)


def test_values_are_means_over_the_pixels():
    fine = from_optics(OIL, (0.02, 0.02), (75, 75)).values
    coarse = from_optics(OIL, (0.06, 0.06), (25, 25)).values
    binned = fine.reshape(25, 3, 25, 3).sum((1, 3))
    np.testing.assert_allclose(coarse, binned, atol=3e-4 * coarse.max())


def test_the_default_field_grows_with_the_pixels_needed():
    assert default_shape(OIL, (0.05, 0.05))[0] > default_shape(OIL, (0.1, 0.1))[0]
    depth, height, width = default_shape(OIL, (0.1, 0.05, 0.1))
    assert height > width > depth / 4
    deep = Optics("wide-field", 1.2, 525.0, sample_index=1.33, depth=20.0)
    assert default_shape(deep, (0.1, 0.1, 0.1))[0] > 1.5 * default_shape(OIL, (0.1, 0.1, 0.1))[0]
    assert max(default_shape(Optics("wide-field", 0.1, 700.0, 1.0), (1e-4, 1e-4))) == 257


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"numerical_aperture": 1.6}, "numerical aperture is 1.6.*refractive index"),
        ({"numerical_aperture": 0.0}, "numerical aperture is 0"),
        ({"emission": 0.525}, "emission is 0.525 nm"),
        ({"immersion_index": 0.9}, "refractive index of the immersion"),
        ({"sample_index": 2.4}, "refractive index of the specimen"),
        ({"depth": -1.0}, "depth is -1"),
        ({"kind": "confocal"}, "needs the wavelength of excitation"),
        ({"kind": "confocal", "excitation": 640.0}, "swapped"),
        ({"kind": "confocal", "excitation": 488.0, "pinhole": 0.0}, "Airy"),
        ({"kind": "light-sheet"}, "thickness of the sheet"),
        ({"kind": "TIRF", "numerical_aperture": 1.2}, "no total reflection"),
        ({"kind": "TIRF", "penetration_depth": 0.0}, "penetration depth"),
        ({"kind": "two-photon"}, "is not one of"),
    ],
)
def test_optics_that_cannot_be_are_refused_with_the_reason(changes, words):
    settings = {"kind": "wide-field", "numerical_aperture": 1.4, "emission": 525.0, **changes}
    with pytest.raises(UserError, match=words):
        from_optics(Optics(**settings), (0.05, 0.05))


@pytest.mark.parametrize(
    ("spacing", "shape", "words"),
    [
        ((0.05, 0.0), None, "larger than 0"),
        ((0.05, 0.05), (32, 33), "odd sizes"),
        ((0.05, 0.05), (1, 1), "odd sizes"),
    ],
)
def test_a_field_that_cannot_be_is_refused(spacing, shape, words):
    with pytest.raises(UserError, match=words):
        from_optics(OIL, spacing, shape)
