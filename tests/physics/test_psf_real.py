"""PSFs that laboratories measured, and what their optics should give.

Each test runs on simulated files of the same names and formats, too, so that a clone of the
repository alone covers the same code.
"""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from psf_files import stand_ins

from zsfiji.images.mrc import read_mrc
from zsfiji.physics.optics.beads import from_beads
from zsfiji.physics.optics.files import read_psf
from zsfiji.physics.optics.measure import fwhm, radial_otf
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.otf import RadialOtf, support
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.optics.resample import crop, match, pad

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
GRID = (0.0313, 0.0313)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return stand_ins(tmp_path_factory.mktemp("simulated"))


@pytest.fixture(params=["simulated", "real"])
def data(request, simulated):
    """The folder of the files."""
    if request.param == "simulated":
        return simulated
    if not DATA.is_dir():
        pytest.skip("the real images are not here")
    return DATA


def likeness(one, other):
    shape = [max(n, m) for n, m in zip(one.values.shape, other.values.shape, strict=True)]
    return np.corrcoef(pad(one, shape).values.ravel(), pad(other, shape).values.ravel())[0, 1]


def test_the_otf_of_the_lysosome_set_is_that_of_an_aperture_of_one_and_a_half(data):
    path = data / "wf_lysosome" / "TIRF560_cam2_0_z21_OTF2d.mrc"
    mrc = read_mrc(path)
    transfer = RadialOtf(mrc.values.ravel(), mrc.cell[-1:])
    assert support(transfer) == pytest.approx(2 * 1.49 / 0.61, rel=0.03)
    psf = read_psf(path, grid=GRID)
    np.testing.assert_allclose(fwhm(psf), 0.250, rtol=0.03)
    assert likeness(psf, from_optics(Optics("wide-field", 1.49, 610.0), GRID)) > 0.995
    assert likeness(psf, from_optics(Optics("TIRF", 1.49, 610.0), GRID)) > 0.995


def test_the_psf_of_the_microtubule_set_tells_its_pixel_size_and_is_a_gaussian(data):
    psf = crop(read_psf(data / "wf_microtubule" / "psf_emLambda525_dxy0.0313_NA1.3.tif"))
    assert psf.spacing == pytest.approx(GRID, rel=1e-3)
    np.testing.assert_allclose(fwhm(psf), 0.202, rtol=0.02)
    # It passes frequencies that no lens of this aperture passes: a model, not a measurement.
    frequency, modulus = radial_otf(psf)
    assert frequency[modulus >= 0.01].max() > 1.1 * 2 * 1.3 / 0.525
    assert match(psf, GRID, (1004, 1004)).values.shape == psf.values.shape


@pytest.mark.parametrize(
    "name",
    [
        "3D-488-OTF-1.17NA-ang2-0.160step-20-25-3.mrc",
        "C2-0.175cc-SLM6.1-0.16step-560_cam2_step1_001_otf3d-ang0-12-12-1-1.45.mrc",
    ],
)
def test_3d_otfs_of_big_endian_files_become_psfs_with_one_focus(data, name):
    psf = read_psf(data / "otf3d" / name, grid=(0.16, 0.06, 0.06))
    axial, height, width = fwhm(psf)
    assert 0.45 < axial < 0.65
    assert 0.2 < height < 0.3
    assert height == pytest.approx(width, rel=1e-6)
    middle = tuple(n // 2 for n in psf.values.shape)
    assert psf.values[middle] == psf.values.max()


def test_the_lattice_light_sheet_bead_is_found_by_both_ways(data):
    spacing = (0.2, 0.104, 0.104)
    stack = tifffile.imread(data / "psf_lls" / "psf.tif")
    psf = crop(read_psf(data / "psf_lls" / "psf.tif", spacing))
    beads = from_beads(stack, spacing)
    assert len(beads.positions) == 1
    np.testing.assert_allclose(beads.positions[0], (30, 71, 64), atol=0.7)
    np.testing.assert_allclose(fwhm(beads.psf), fwhm(psf), rtol=0.05)


def test_kernels_of_even_size_come_to_the_middle_of_odd_ones(data):
    for name in ("decon_bars", "decon_bead"):
        psf = read_psf(data / name / "kernel.tif", (0.1, 0.1, 0.1))
        middle = tuple(n // 2 for n in psf.values.shape)
        assert all(n % 2 for n in psf.values.shape)
        assert np.unravel_index(psf.values.argmax(), psf.values.shape) == middle
