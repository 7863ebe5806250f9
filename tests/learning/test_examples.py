"""Exemplars: as sharp as the image says, on their haze; and the filter that undoes the optics."""

import math

import pytest
import torch
import torch.nn.functional as F

from zsfiji.learning import examples, sharpness
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.specimens import specimen
from zsfiji.services.deconvolve.networks import INVERSE_REACH, inverse_filter


def _gaussian(sigma: float) -> torch.Tensor:
    half = int(4 * sigma)
    profile = torch.exp(-0.5 * (torch.arange(-half, half + 1) / sigma) ** 2)
    return torch.outer(profile, profile)


def _seen(optics: Degradation) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Filaments, a picture of them with noise, and its variance."""
    draws = torch.Generator().manual_seed(0)
    truth = torch.from_numpy(specimen("filaments", (256, 256), seed=2)).float()[None, None] * 300
    mean = optics(truth)
    noisy = torch.poisson(mean, generator=draws)
    return truth, noisy, mean


def _matched(detail, background, noisy, variance, optics):
    grade = sharpness.matching_grade(detail, background, noisy, variance, optics)
    return sharpness.graded(detail, optics, grade)


@pytest.mark.parametrize("blur", [1.0, 1.5])
def test_what_is_too_blunt_is_sharpened(blur):
    optics = Degradation(_gaussian(2.8), 2)
    truth, noisy, variance = _seen(optics)
    blunt = Degradation(_gaussian(blur)).blur(truth)
    sharp = _matched(blunt, 0 * blunt, noisy, variance, optics)
    assert (sharp - truth).norm() < 0.9 * (blunt - truth).norm()
    assert sharp.min() >= 0


def test_what_is_too_sharp_is_blurred():
    optics = Degradation(_gaussian(2.8), 2)
    truth, _, _ = _seen(optics)
    wide = Degradation(_gaussian(2.5)).blur(truth)
    mean = optics(wide)
    noisy = torch.poisson(mean, generator=torch.Generator().manual_seed(1))
    found = _matched(truth, 0 * truth, noisy, mean, optics)
    assert (found - wide).norm() < 0.7 * (truth - wide).norm()


def test_an_image_of_noise_alone_leaves_the_exemplars_as_they_are():
    optics = Degradation(_gaussian(2.8), 2)
    truth, _, _ = _seen(optics)
    noise = torch.randn((1, 1, 128, 128), generator=torch.Generator().manual_seed(0))
    found = _matched(truth, 0 * truth, noise, torch.ones_like(noise), optics)
    assert torch.equal(found, truth)


@pytest.mark.parametrize("photons", [15, 50])
@pytest.mark.parametrize("draw", range(3))
def test_what_is_as_sharp_as_the_specimen_stays_so_whatever_the_noise(photons, draw):
    optics = Degradation(_gaussian(2.8), 2)
    density = specimen("vesicles", (384, 384), seed=0)
    truth = torch.from_numpy(density).float()[None, None]
    truth = truth * photons / torch.quantile(optics(truth), 0.995)
    mean = optics(truth)
    noisy = torch.poisson(mean, generator=torch.Generator().manual_seed(draw))
    found = _matched(truth, 0 * truth, noisy, mean, optics)
    assert (found - truth).norm() < 0.1 * truth.norm()


def test_light_is_rotated_about_its_middle():
    light = torch.rand((2, 2, 24, 24), generator=torch.Generator().manual_seed(0))
    quarter = examples.rotate(light, math.pi / 2)
    assert torch.allclose(quarter, torch.rot90(light, -1, (-2, -1)), atol=1e-4) or torch.allclose(
        quarter, torch.rot90(light, 1, (-2, -1)), atol=1e-4
    )
    wide = torch.zeros(1, 1, 20, 60)
    wide[..., 9:11, 5:55] = 1
    tilted = examples.rotate(wide, math.pi / 6)
    assert tilted[0, 0, :, 30].sum() == pytest.approx(2 / math.cos(math.pi / 6), rel=0.1)


def test_the_background_is_the_haze_and_not_the_lines_on_it():
    lines = torch.zeros(1, 1, 96, 96)
    lines[..., 20:23, :] = 5
    haze = torch.linspace(10, 20, 96).expand(1, 1, 96, 96)
    found = examples.background(lines + haze, 8)
    assert (found - haze).abs()[..., 16:-16].max() < 2
    assert bool((found <= lines + haze).all())


def test_the_inverse_filter_undoes_an_off_centre_blur():
    psf = torch.roll(F.pad(_gaussian(2.0), (3,) * 4), (2, 0), (0, 1))
    optics = Degradation(psf, 2)
    truth = torch.from_numpy(specimen("tubules", (192, 192), seed=1)).float()[None, None]
    seen = optics(truth)
    around = F.pad(seen, (INVERSE_REACH,) * 4, mode="replicate")
    found = F.pixel_shuffle(F.conv2d(around, inverse_filter(optics)), 2)
    inner = (..., slice(32, -32), slice(32, -32))
    before = (F.interpolate(seen, scale_factor=2) - truth)[inner].norm()
    assert (found - truth)[inner].norm() < 0.7 * before
    assert inverse_filter(optics).sum((-2, -1)) == pytest.approx(1, abs=1e-4)


def test_scrambled_light_keeps_its_spectrum_and_loses_its_lines():
    light = torch.from_numpy(specimen("filaments", (96, 128), seed=2)).float()[None, None]
    draws = torch.Generator().manual_seed(1)
    found = examples.scrambled(light, draws)
    again = examples.scrambled(light, draws)
    assert found.shape == light.shape
    assert found.min() >= 0
    powers = [torch.fft.rfft2(x - x.mean()).abs().square() for x in (light, found)]
    # Negative values are cut off, which changes little.
    near = [p[..., :20, 1:20].log().mean() for p in powers]
    assert abs(near[0] - near[1]) < 0.3
    flat = found.flatten() - found.mean(), light.flatten() - light.mean(), again.flatten()
    assert abs(torch.corrcoef(torch.stack(flat))[0, 1:]).max() < 0.2
    # Lines are bright and rare; a Gaussian field is neither.
    peaks = [((x - x.mean()) / x.std()).pow(4).mean() for x in (light, found)]
    assert peaks[0] > 8
    assert peaks[1] < 4
