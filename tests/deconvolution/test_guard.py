"""What a deconvolution gives is never worse than the image: the guard and what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from deconvolving import apply, fit
from scipy.ndimage import gaussian_filter

from zsfiji.deconvolution import guard
from zsfiji.physics.camera import doubt
from zsfiji.physics.camera.doubt import noise_to_use
from zsfiji.physics.camera.model import Camera, KnownCamera, measure
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.kernel import normalised
from zsfiji.services.deconvolve.kinds import FastPlanes

PIXEL, GAIN, READ, BLACK = 0.0626, 2.0, 16.0, 100.0
CAMERA = Camera(Noise(GAIN, READ - GAIN * BLACK, READ, np.ones((16, 16)), True), BLACK, True)


def gaussian_psf(deviation=2.0, half=8):
    """A Gaussian on the fine grid."""
    line = np.exp(-0.5 * (np.arange(-half, half + 1) / deviation) ** 2)
    return normalised(np.outer(line, line), (PIXEL / 2, PIXEL / 2))


OPTICS = Degradation(torch.from_numpy(gaussian_psf().values.astype(np.float32)), 2)


def capture(photons=1000.0, size=96):
    """Lines: specimen on the fine grid, its mean image and a noisy one, in grey levels."""
    draws = np.random.default_rng(0)
    rows, cols = np.mgrid[: 2 * size, : 2 * size]
    specimen = np.full((2 * size, 2 * size), 0.05)
    for _ in range(10):
        angle, shift = draws.uniform(0, np.pi), draws.uniform(-0.6, 0.6) * size
        away = (rows - size) * np.sin(angle) + (cols - size) * np.cos(angle) - shift
        specimen += np.exp(-0.5 * away**2)
    light = OPTICS(torch.from_numpy(specimen)).numpy()
    scale = photons / np.quantile(light, 0.99)
    noisy = draws.poisson(light * scale) * GAIN + BLACK + READ**0.5 * draws.normal(size=light.shape)
    specimen, light = (GAIN * scale * x + BLACK for x in (specimen, light))
    return specimen.astype(np.float32), light, noisy.astype(np.float32)


@pytest.fixture(scope="module")
def bright():
    return capture()


def image_of(noisy):
    coords = {d: np.arange(n) * PIXEL for d, n in zip(("row", "col"), noisy.shape, strict=True)}
    units = dict.fromkeys(coords, "micron")
    return xr.DataArray(noisy, dims=tuple(coords), coords=coords, attrs={"units": units})


def error(image, truth):
    return float(np.sqrt(np.mean((image - truth) ** 2)))


def seen(sharp):
    return OPTICS(torch.from_numpy(sharp)).numpy()


def test_structure_that_was_taken_out_comes_back(bright):
    _, light, noisy = bright
    smooth = gaussian_filter(noisy, 2)
    assert error(smooth, light) > 2 * error(noisy, light)
    share = guard.denoised(noisy, smooth, CAMERA)
    assert share > 0.3
    assert error(smooth, light) < error(noisy, light)


def test_of_a_stack_each_slice_is_looked_at(bright):
    _, light, noisy = bright
    smooth = np.stack([light, gaussian_filter(noisy, 2)]).astype(np.float32)
    share = guard.denoised(np.stack([noisy, noisy]), smooth, CAMERA)
    assert share > 0.3
    assert error(smooth[0], light) < 0.1 * error(noisy, light)
    assert error(smooth[1], light) < error(noisy, light)


def test_noise_stays_out(bright):
    _, light, noisy = bright
    smooth = light.astype(np.float32)
    assert guard.denoised(noisy, smooth, CAMERA) < 0.05
    assert error(smooth, light) < 0.1 * error(noisy, light)


@pytest.mark.parametrize("tile", [1024, 64])
def test_a_deconvolved_image_that_lacks_structure_is_deconvolved_further(bright, monkeypatch, tile):
    monkeypatch.setattr(guard, "_TILE", tile)
    specimen, light, noisy = bright
    sharp = gaussian_filter(specimen, 2)
    before = error(sharp, specimen)
    inside = np.s_[8:-8, 8:-8]
    assert error(seen(sharp)[inside], light[inside]) > 2 * error(noisy[inside], light[inside])
    missing = guard.deconvolved(noisy, light.astype(np.float32), sharp, CAMERA, OPTICS)
    assert missing.before > 0.3
    assert missing.after < 0.1 * missing.before
    assert error(seen(sharp)[inside], light[inside]) < 0.7 * error(noisy[inside], light[inside])
    assert error(sharp, specimen) < 0.7 * before


def test_one_that_explains_the_image_stays_as_it_is(bright):
    specimen, light, noisy = bright
    sharp = specimen.copy()
    missing = guard.deconvolved(noisy, light.astype(np.float32), sharp, CAMERA, OPTICS)
    assert missing.before == missing.after <= guard.EXPLAINED
    np.testing.assert_array_equal(sharp, specimen)
    assert guard.notes([missing]) == []


class Blurring(FastPlanes):
    """A restorer that gives a blurred image for the denoised one."""

    def restore_piece(self, piece, positions, label):
        found = super().restore_piece(piece, positions, label)
        return found._replace(denoised=torch.from_numpy(gaussian_filter(piece.numpy(), (0, 3, 3))))


def test_a_network_that_blurs_does_no_harm_and_the_notes_say_so():
    _, light, noisy = capture(150.0)
    inner = gaussian_filter(light, 2)[4:-4, 4:-4]
    row, col = np.unravel_index(np.argmin(inner), inner.shape)
    hot = noisy.copy()
    hot[row + 4, col + 4] = 60_000
    image = image_of(hot)
    camera = KnownCamera(gain=GAIN, read_variance=READ, dark_level=BLACK)
    model = fit(image, gaussian_psf(), steps=1, camera=camera)
    result = apply(model, image, symmetries=1, restorers=[Blurring])
    assert error(gaussian_filter(noisy, 3), light) > 1.3 * error(noisy, light)
    assert error(result.images["denoised"].data, light) < error(noisy, light)
    assert result.images["denoised"].data.max() < 2 * light.max()
    assert result.images["deconvolved"].data.mean() == pytest.approx(noisy.mean(), rel=0.01)
    notes = " ".join(result.report.notes)
    assert "replaced by their neighbours: 1." in notes
    assert "structure would have been removed with the noise" in notes
    assert "lacked structure of the image" in notes
    assert "uncertain" not in notes
    assert result.report.metrics["spared"] > 0.1


def test_structure_that_was_taken_for_correlated_noise_is_not_taken_out(bright, monkeypatch):
    _, light, noisy = bright
    image, optics = image_of(noisy), gaussian_psf()
    smooth = np.exp(-0.2 * (np.arange(16)[:, None] ** 2 + np.arange(16) ** 2) / 4)
    wrong = replace(
        CAMERA.noise, white=False, confidence=0.0, spectrum=smooth / smooth.mean(), gain=10 * GAIN
    )

    def mistaken(planes, known):
        return measure(planes, known).with_noise(wrong)

    monkeypatch.setattr(doubt, "measure", mistaken)
    model = fit(image, optics, steps=1)
    noise = model.units[0].record.noise
    assert noise.white
    assert noise.variance(light.max()) < 2 * CAMERA.noise.variance(light.max())
    notes = apply(model, image, symmetries=1).report.notes
    assert any("cannot be told apart" in note for note in notes)


def test_noise_that_is_sure_is_believed(bright):
    noisy = bright[2]
    assert noise_to_use(CAMERA.noise, [noisy]) == (CAMERA.noise, False)
    given = replace(CAMERA.noise, white=False, confidence=1.0)
    assert noise_to_use(given, [noisy]) == (given, False)


def test_another_noise_moves_the_level_of_no_light_unless_it_is_known(bright):
    noisy = bright[2]
    least = replace(CAMERA.noise, gain=1.0, intercept=-50.0)
    assert measure([noisy]).with_noise(least).dark_level == pytest.approx(50.0)
    assert measure([noisy], KnownCamera(dark_level=BLACK)).with_noise(least).dark_level == BLACK
