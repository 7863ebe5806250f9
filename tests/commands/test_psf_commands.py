"""The commands that make point spread functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import zsfiji
from zsfiji.commands import find
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.optics.prepare import prepare_image

GENERATOR, BEADS = find("psf_generator"), find("psf_from_beads")


def beads(sigma=2.0, calibrated=True, **attrs):
    """Beads of a Gaussian of `sigma` pixels, at fractions of pixels, on a noisy background."""
    rng = np.random.default_rng(3)
    light = np.zeros((160, 160))
    for row in range(20, 160, 30):
        for col in range(20, 160, 30):
            light[row, col] = 4000
    light = ndimage.shift(light, (0.3, -0.2), order=1)
    image = rng.poisson(ndimage.gaussian_filter(light, sigma) + 20).astype(np.uint16)
    units = {"units": {"row": "micron", "col": "micron"}} if calibrated else {}
    made = as_image(image, attrs={"title": "beads.tif", **units, **attrs})
    if not calibrated:
        return made
    return made.assign_coords({d: np.arange(160) * 0.1 for d in ("row", "col")})


def test_the_generated_psf_is_as_wide_as_theory_says_and_can_be_used_as_it_is():
    outcome = run(GENERATOR, None, {"na": "1.2", "emission": "600", "pixel_size": "50"})
    (image,) = outcome.images
    psf = prepare_image(image)
    assert psf.spacing == pytest.approx((0.05, 0.05))
    # 0.51 wavelengths / NA; high apertures are a little wider.
    assert fwhm(psf)[0] == pytest.approx(0.51 * 0.6 / 1.2, rel=0.1)
    assert outcome.metrics["fwhm_horizontal"] == pytest.approx(1000 * fwhm(psf)[1], rel=0.02)
    assert "na=1.2 emission=600" in image.attrs["properties"]["zsfiji.command"]


def test_a_3d_psf_has_the_slices_asked_for():
    made = zsfiji.psf_generator(dimensions="3d", slice_spacing=300, slices=7, width=21)
    assert made.sizes == {"pln": 7, "row": 21, "col": 21}
    assert float(made.pln[1] - made.pln[0]) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"na": 1.6, "immersion": 1.33}, "below the refractive index of the immersion"),
        ({"microscope": "confocal"}, "needs the wavelength of excitation"),
        ({"microscope": "light-sheet"}, "thickness of the sheet"),
        ({"microscope": "TIRF", "dimensions": "3d", "na": 1.45}, "single layer"),
        ({"width": 20}, "no middle pixel"),
        ({"emission": 12}, "Emission: give a number from 200 to 2000 \\(nm\\)"),
        ({"pixel_size": ""}, "Pixel size: give a number"),
    ],
)
def test_optics_that_cannot_be_are_refused_in_words(options, words):
    with pytest.raises(UserError, match=words):
        run(GENERATOR, None, options)


def test_pixels_wider_than_the_psf_are_said():
    options = {"na": 1.3, "emission": 610}
    coarse = run(GENERATOR, None, {**options, "pixel_size": 620})
    assert "little to deconvolve" in coarse.notes[1]
    assert len(run(GENERATOR, None, {**options, "pixel_size": 62}).notes) == 1


def test_beads_give_their_psf_with_a_plot_of_its_profiles():
    outcome = run(BEADS, beads(), {})
    (image,) = outcome.images
    assert image.attrs["title"] == "beads-psf"
    # A Gaussian's full width at half maximum is 2.355 standard deviations.
    assert outcome.metrics["fwhm_horizontal"] == pytest.approx(235.5 * 2, rel=0.05)
    assert outcome.metrics["beads"] > 10
    (plot,) = outcome.plots
    assert [curve.label for curve in plot.curves] == ["x", "y"]
    for curve in plot.curves:
        assert max(curve.y) == pytest.approx(1)
        assert curve.x[int(np.argmax(curve.y))] == pytest.approx(0)


def test_an_image_without_calibration_is_asked_for_it_and_the_option_gives_it():
    with pytest.raises(UserError, match="no unit of length"):
        run(BEADS, beads(calibrated=False), {})
    given = run(BEADS, beads(calibrated=False), {"pixel_size": "100"})
    known = run(BEADS, beads(), {})
    assert given.metrics == pytest.approx(known.metrics)


@pytest.mark.parametrize("window", [1, 2, 12])
def test_a_window_without_a_middle_is_refused(window):
    with pytest.raises(UserError, match="Give an odd 'window' of at least 3, or 0"):
        run(BEADS, beads(), {"window": window})


def test_channels_of_beads_are_refused():
    two = as_image(np.zeros((30, 30, 2), np.uint8), ("row", "col", "ch"))
    with pytest.raises(UserError, match="Duplicate the one to be used"):
        run(BEADS, two, {})
