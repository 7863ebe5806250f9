"""What the image of a PSF tells about where it comes from, and what is said of it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zsfiji.images import tiff
from zsfiji.physics.optics.files import read_psf
from zsfiji.physics.optics.kernel import OPTICS_PROPERTY, ORIGIN_PROPERTY, as_image
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.origin import calculated, note, origin
from zsfiji.physics.optics.prepare import prepare_image
from zsfiji.physics.optics.pupil import from_optics

OPTICS = Optics("wide-field", 1.3, 525.0)
PSF = from_optics(OPTICS, (0.108, 0.108))


@pytest.fixture
def image():
    return as_image(PSF, "PSF")


@pytest.mark.parametrize("slices", [(), (5,)])
def test_a_tiff_keeps_the_optics_of_a_calculated_psf(tmp_path, slices):
    optics = Optics("confocal", 1.3, 525.0, excitation=488.0, depth=2.0, sample_index=1.4)
    psf = from_optics(optics, (0.2, 0.1, 0.1)[-2 - len(slices) :], (*slices, 21, 21))
    path = tmp_path / "psf.tif"
    tiff.write(as_image(psf, "PSF"), path)
    read = read_psf(path)
    assert read.optics == optics
    assert read.origin == "calculated"
    np.testing.assert_allclose(read.values, psf.values, atol=1e-5 * psf.values.max())


def test_a_tiff_keeps_that_a_psf_was_measured(tmp_path):
    path = tmp_path / "psf.tif"
    tiff.write(as_image(replace(PSF, origin="measured", optics=None), "PSF"), path)
    read = read_psf(path)
    assert read.optics is None
    assert read.origin == "measured"


def test_a_stretched_copy_and_a_crop_about_the_centre_are_still_that_psf(image):
    middle = slice(3, -3)
    cropped = image.isel(row=middle, col=middle).copy(deep=True)
    cropped.data[:] *= 1000
    assert prepare_image(cropped).optics == OPTICS
    eight_bit = image.copy(data=np.round(255 * image.data / image.data.max()).astype(np.uint8))
    assert prepare_image(eight_bit).optics == OPTICS


def test_what_was_changed_is_not_taken_for_what_was_calculated(image):
    wider = image.assign_coords({d: image.coords[d] * 1.05 for d in ("row", "col")})
    shifted = image.copy(data=np.roll(image.data, 1, 0))
    even = image.isel(row=slice(1, None))
    other = image.assign_attrs(
        properties={OPTICS_PROPERTY: json.dumps({"kind": "wide-field", "emission": 525.0})}
    )
    for changed in (wider, shifted, even, other):
        assert prepare_image(changed).optics is None
    assert "changed after it was calculated" in note(prepare_image(shifted), 0.108)


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[1, 2]", '{"kind": 3}', '{"numerical_aperture": "wide"}', "null"]
)
def test_properties_that_nobody_wrote_are_passed_over(text):
    assert calculated(PSF.values, PSF.spacing, {OPTICS_PROPERTY: text}) is None
    assert origin({ORIGIN_PROPERTY: text}) == "unknown"


def test_it_is_said_how_the_pixels_are_counted():
    plain = replace(PSF, optics=None)
    assert "calculated on the pixels of the result" in note(PSF, 0.108)
    assert "pixels of 108 nm, which it includes" in note(replace(plain, origin="measured"), 0.108)
    assert "without the pixels of the camera. If it includes them, its PSF is 5% too wide" in note(
        replace(plain, origin="OTF"), 0.108
    )
    assert "does not say how" in note(replace(plain, origin="unknown"), 0.108)
    assert "at points, the PSF becomes 5% too narrow" in note(
        replace(plain, origin="unknown"), 0.108
    )
    fine = replace(from_optics(OPTICS, (0.03, 0.03)), optics=None, origin="unknown")
    assert "narrow" not in note(fine, 0.108)
