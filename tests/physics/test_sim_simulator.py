"""Simulated raw SIM images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zsfiji.errors import UserError
from zsfiji.images.axes import pixel_size
from zsfiji.physics.optics.degradation import bin_mean
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.field import SAMPLES, Field
from zsfiji.physics.sim.light import Light
from zsfiji.physics.sim.optics import Blur, RadialTransfer, frequencies, illumination
from zsfiji.physics.sim.simulator import Camera, simulate

OPTICS = Optics("wide-field", 1.49, 525.0)
CUTOFF = 2 * 1.49 / 525 * 65
IDEAL = RadialTransfer(CUTOFF)


def made(shape=(48, 60), kind="filaments", **options):
    options = {"true_optics": IDEAL, "seed": 3, **options}
    return simulate(kind, shape, optics=OPTICS, **options)


@pytest.mark.parametrize("cutoff", [0.37, 0.9])
def test_blurred_as_all_fine_pixels_are_and_binned(cutoff):
    """An undersampled image folds over, as that of a camera does."""
    field = Field((14, 20), 6)
    fine = torch.rand(field.fine, generator=torch.Generator().manual_seed(0))
    transfer = RadialTransfer(cutoff)
    row, col = frequencies(field.shape, 6)
    blurred = torch.fft.irfft2(
        torch.fft.rfft2(fine) * transfer.lens(torch.hypot(row, col)), s=field.fine
    )
    found = field.samples(field.spectrum(fine) * field.pixel() * field.lens(transfer))
    assert torch.allclose(found.real[::SAMPLES, ::SAMPLES], bin_mean(blurred, 6), atol=1e-5)


def test_patterns_and_truth_explain_the_frames():
    """Phases, origin, grid and units: what is returned gives the image again."""
    found = made(light=Light(modulation=0.7, bleaching=0.2, jitter=10.0))
    blur = Blur(IDEAL, (48, 60))
    light = illumination(found.patterns, (48, 60))
    again = blur.down(torch.from_numpy(found.truth - 100) * light)
    inside = (..., slice(12, -12), slice(12, -12))
    expected = torch.from_numpy(found.expected - 100)
    error = (again - expected)[inside].std() / expected[inside].std()
    assert float(error) < 0.05


def test_the_camera_and_its_photons():
    found = made(peak=50.0, camera=Camera(gain=3.0, offset=200.0, read_noise=2.0))
    wide = found.expected.mean((0, 1)) - 200
    assert np.quantile(wide, 0.995) == pytest.approx(150, rel=0.1)
    noise = found.raw.data - found.expected
    assert noise.mean() == pytest.approx(0, abs=0.2)
    assert noise.var() == pytest.approx(9 * (wide.mean() / 3 + 4), rel=0.05)
    assert found.raw.dtype == np.uint16
    assert found.raw.sizes == {"ang": 3, "pha": 3, "row": 48, "col": 60}
    assert pixel_size(found.raw, "col") == pytest.approx(0.065)
    assert found.truth.shape == found.reference.shape == (96, 120)


def test_haze_is_smooth_light_that_is_not_modulated():
    plain, hazy = made(), made(haze=1.0)
    shares = []
    for found in (plain, hazy):
        light = (found.expected - 100) / found.grey
        shares.append(light)
    more = (shares[1] - shares[0]).reshape(9, 48, 60)
    assert np.abs(more - more[0]).max() < 1e-3 * more.mean()
    assert hazy.haze.mean() / hazy.grey == pytest.approx(more.mean(), rel=1e-3)
    assert more.mean() == pytest.approx(shares[0].mean(), rel=0.3)
    step = np.abs(np.diff(more[0], axis=1)).mean()
    assert step < 0.2 * np.abs(np.diff(shares[0].mean((0, 1)), axis=1)).mean()


def test_a_drifting_specimen_moves_and_the_truth_is_halfway():
    found = made((64, 64), light=Light(modulation=0.0), drift=2.0)
    still = Blur(IDEAL, (64, 64)).down(torch.from_numpy(found.truth)).numpy()
    frames = found.expected.reshape(9, 64, 64)

    def displacement(frame):
        window = np.hanning(64)[:, None] * np.hanning(64)
        spectra = [np.fft.fft2((f - f.mean()) * window) for f in (still, frame)]
        cross = spectra[1] * spectra[0].conj()
        freq = np.fft.fftfreq(64)
        near = (np.abs(freq[:, None]) < 0.1) & (np.abs(freq) < 0.1)
        places = np.stack(np.meshgrid(freq, freq, indexing="ij"), -1)[near]
        weight = np.sqrt(np.abs(cross[near]))
        angle = np.angle(cross[near])
        return np.linalg.lstsq(-2 * np.pi * places * weight[:, None], angle * weight, rcond=None)[0]

    first, middle, last = (displacement(frames[n]) for n in (0, 4, 8))
    assert math.hypot(*(last - first)) == pytest.approx(2.0, abs=0.15)
    assert math.hypot(*middle) < 0.05


def test_light_that_bleaches():
    found = made(light=Light(modulation=0.0, bleaching=0.3)).expected - 100
    assert found[2, 2].mean() / found[0, 0].mean() == pytest.approx(0.7, rel=1e-3)
    assert np.all(np.diff(found.reshape(9, -1).mean(1)) < 0)


def test_a_lens_with_spherical_aberration_shows_less_detail():
    exact = made(kind="texture", true_optics=None).expected.mean((0, 1)) - 100
    off = Optics("wide-field", 1.49, 525.0, sample_index=1.40, depth=3.0)
    worse = made(kind="texture", true_optics=off).expected.mean((0, 1)) - 100
    assert exact.mean() == pytest.approx(worse.mean(), rel=0.2)
    assert worse.std() / worse.mean() < 0.9 * exact.std() / exact.mean()


@pytest.mark.parametrize(
    ("light", "waves"),
    [
        (Light(), 1),
        (Light(angles=5, phases=4), 1),
        (Light(beams="three", phases=5, modulation=1.0), 2),
        (Light(beams="hexagonal", angles=1, phases=7, modulation=1.0), 3),
    ],
)
def test_patterns_tell_all_bands_apart_and_are_never_dark(light, waves):
    patterns = light.patterns(0.37, 1)
    assert patterns.waves == waves
    assert patterns.finest == pytest.approx(0.9 * 0.37)
    for angle in range(patterns.angles):
        mixing = patterns.mixing(angle)
        assert float(torch.linalg.cond(mixing / mixing.abs().mean(0))) < 1.5
    assert float(illumination(patterns, (40, 40)).min()) > -1e-5
    direction = light.patterns(0.37, 2)
    assert not torch.allclose(direction.wave_vectors, patterns.wave_vectors)
    fixed = Light(direction=30.0).patterns(0.4, 5).wave_vectors[0, 0]
    assert math.degrees(math.atan2(fixed[0], fixed[1])) == pytest.approx(30.0)


def test_a_hexagonal_pattern_moves_as_a_whole():
    """The phases of the three waves are those of one displacement of the pattern."""
    patterns = Light(beams="hexagonal", angles=1, phases=7).patterns(0.37, 1)
    step = (patterns.phases[0, :, 1] - patterns.phases[0, :, 0]) / (2 * math.pi)
    shift = torch.linalg.lstsq(patterns.wave_vectors[0], step[:, None]).solution
    assert torch.allclose(patterns.wave_vectors[0] @ shift, step[:, None], atol=1e-6)


@pytest.mark.parametrize(
    ("light", "message"),
    [
        (Light(phases=2), "2 phases are too few.*two beams takes at least 3"),
        (Light(beams="three", phases=4), "at least 5"),
        (Light(beams="hexagonal", angles=1, phases=5), "at least 7"),
        (Light(beams="hexagonal", angles=3, phases=7), "1 angle"),
    ],
)
def test_patterns_that_cannot_be_reconstructed_are_refused(light, message):
    with pytest.raises(UserError, match=message):
        made(light=light)
