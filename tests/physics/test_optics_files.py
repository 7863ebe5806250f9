"""PSFs and OTFs from files, written here as the programs of others write them."""

import numpy as np
import pytest
import tifffile
from psf_files import radial, write_mrc

from zsfiji.errors import UserError
from zsfiji.physics.optics.files import read_psf
from zsfiji.physics.optics.measure import fwhm, otf
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.otf import RadialOtf, from_otf, support
from zsfiji.physics.optics.pupil import from_optics

WIDE = Optics("wide-field", 1.2, 600.0)


def test_an_imagej_tiff_tells_its_own_pixel_size(tmp_path):
    psf = from_optics(WIDE, (0.3, 0.08, 0.1), (9, 31, 31))
    path = tmp_path / "psf.tif"
    tifffile.imwrite(
        path,
        (1000 * psf.values / psf.values.max() + 5).astype(np.uint16),
        imagej=True,
        resolution=(1 / 100, 1 / 80),
        metadata={"unit": "nm", "spacing": 300.0, "axes": "ZYX"},
    )
    read = read_psf(path)
    assert read.spacing == pytest.approx((0.3, 0.08, 0.1), rel=1e-4)
    np.testing.assert_allclose(fwhm(read), fwhm(psf), rtol=0.03)


def test_a_pixel_size_that_is_given_overrules_the_file_and_is_asked_for_where_it_lacks(tmp_path):
    psf = from_optics(WIDE, (0.3, 0.1, 0.1), (9, 31, 31))
    flat, deep = tmp_path / "flat.tif", tmp_path / "deep.tif"
    tifffile.imwrite(flat, psf.values[4].astype(np.float32))
    tifffile.imwrite(deep, psf.values.astype(np.float32))
    assert read_psf(flat, (0.05, 0.05)).spacing == (0.05, 0.05)
    with pytest.raises(UserError, match=r"does not contain its pixel size. Give .* in nm\.$"):
        read_psf(flat)
    with pytest.raises(UserError, match="and its slice spacing"):
        read_psf(deep)
    with pytest.raises(UserError, match="9 slices whose spacing is not known"):
        read_psf(deep, (0.1, 0.1))


def test_a_numpy_file_needs_a_pixel_size(tmp_path):
    psf = from_optics(WIDE, (0.1, 0.1), (31, 31))
    np.save(tmp_path / "psf.npy", psf.values)
    read = read_psf(tmp_path / "psf.npy", (0.1, 0.1))
    np.testing.assert_allclose(fwhm(read), fwhm(psf), rtol=0.02)
    with pytest.raises(UserError, match="does not contain its pixel size"):
        read_psf(tmp_path / "psf.npy")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_2d_otf_in_either_byte_order_gives_back_its_psf(tmp_path, order):
    psf = from_optics(WIDE, (0.05, 0.05), (201, 201))
    rng = np.random.default_rng(0)
    values = radial(psf, 200, 0.04) + rng.normal(0, 1e-3, 200).astype(np.float32)
    path = write_mrc(tmp_path / "otf.mrc", values.astype(np.complex64), (0.04, 0.04, 0.1), order)
    assert support(RadialOtf(values, (0.04,))) == pytest.approx(2 * 1.2 / 0.6, rel=0.05)
    found = read_psf(path, grid=(0.03, 0.03))
    expected = from_optics(WIDE, (0.03, 0.03), found.values.shape)
    assert found.origin == "OTF"
    assert found.values.sum() == pytest.approx(1)
    np.testing.assert_allclose(fwhm(found), fwhm(expected), rtol=0.02)
    np.testing.assert_allclose(found.values, expected.values, atol=0.03 * expected.values.max())
    with pytest.raises(UserError, match="is an OTF"):
        read_psf(path)
    with pytest.raises(UserError, match="2D PSF, and a 3D one"):
        read_psf(path, grid=(0.1, 0.03, 0.03))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_3d_otf_gives_back_its_psf_slices_and_all(tmp_path, order):
    psf = from_optics(
        Optics("wide-field", 1.2, 600.0, sample_index=1.33, depth=6.0),
        (0.2, 0.08, 0.08),
        (21, 161, 161),
    )
    kr = 1 / (161 * 0.08)
    orders = np.stack([otf(psf)[:, 0, :80].T, np.zeros((80, 21))]).astype(np.complex64)
    steps = (1 / (21 * 0.2), kr, 0)
    path = write_mrc(tmp_path / "otf3d.mrc", orders, steps, order)
    found = read_psf(path, grid=(0.2, 0.08, 0.08))
    cut = tuple(
        slice(n // 2 - min(n, m) // 2, n // 2 + min(n, m) // 2 + 1)
        for n, m in zip(psf.values.shape, found.values.shape, strict=True)
    )
    back = tuple(
        slice(m // 2 - min(n, m) // 2, m // 2 + min(n, m) // 2 + 1)
        for n, m in zip(psf.values.shape, found.values.shape, strict=True)
    )
    expected, got = psf.values[cut], found.values[back]
    got = got * expected.sum() / got.sum()
    assert np.corrcoef(expected.ravel(), got.ravel())[0, 1] > 0.995
    # The aberration is not symmetric along z: a mirrored stack would show.
    assert np.corrcoef(expected[::-1].ravel(), got.ravel())[0, 1] < 0.985


def test_a_psf_in_an_mrc_file_has_micrometres_or_angstroms_by_its_mark(tmp_path):
    values = (1e4 * from_optics(WIDE, (0.1, 0.1), (31, 31)).values).astype(np.float32)
    light = write_mrc(tmp_path / "light.mrc", values, (0.1, 0.1, 0.3))
    assert read_psf(light).spacing == pytest.approx((0.1, 0.1))
    with pytest.raises(UserError, match="slice spacing"):
        read_psf(write_mrc(tmp_path / "flat.mrc", np.stack([values] * 3), (0.1, 0.1, 0)))
    electron = write_mrc(tmp_path / "electron.mrc", values, (1000.0, 1000.0, 0), mark=0)
    assert read_psf(electron).spacing == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize("name", ["bad.tif", "bad.npy", "bad.mrc", "bad.png"])
def test_a_file_that_is_none_is_refused_by_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"this is no image, and far too short to be one" * 40)
    with pytest.raises(UserError, match=name):
        read_psf(path, (0.1, 0.1))


def test_an_mrc_file_that_is_cut_short_or_of_another_kind_is_refused(tmp_path):
    whole = write_mrc(tmp_path / "cut.mrc", np.ones(64, np.complex64), (0.05, 0.05, 0))
    whole.write_bytes(whole.read_bytes()[:-8])
    with pytest.raises(UserError, match="is not an MRC file, is damaged"):
        read_psf(whole, grid=(0.1, 0.1))


@pytest.mark.parametrize("name", ["missing.tif", "missing.mrc"])
def test_a_missing_file_is_missed(tmp_path, name):
    with pytest.raises(UserError, match="There is no"):
        read_psf(tmp_path / name)


def test_otfs_that_hold_nothing_are_refused(tmp_path):
    grid = (0.1, 0.1)
    with pytest.raises(UserError, match="no light"):
        from_otf(RadialOtf(np.zeros(64, complex), (0.05,)), grid)
    with pytest.raises(UserError, match="NaN"):
        from_otf(RadialOtf(np.full(64, np.nan + 0j), (0.05,)), grid)
    short = write_mrc(tmp_path / "short.mrc", np.ones(4, np.complex64), (0.05, 0.05, 0))
    with pytest.raises(UserError, match="too few for a radially"):
        read_psf(short, grid=grid)
    bare = write_mrc(tmp_path / "bare.mrc", np.ones(64, np.complex64), (0, 0, 0))
    with pytest.raises(UserError, match="steps of its OTF"):
        read_psf(bare, grid=grid)
