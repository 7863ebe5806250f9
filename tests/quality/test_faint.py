import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.physics.noise import Noise
from zsfiji.quality.faint import faint_said, faintest
from zsfiji.quality.report import Findings

BACKGROUND, GAIN = 100.0, 2.0


def noise(correlated=False):
    k = np.arange(8) / 16
    low = np.exp(-((k[:, None] ** 2 + k**2) / 0.03)) if correlated else np.ones((8, 8))
    return Noise(GAIN, -GAIN * BACKGROUND + 9.0, 9.0, low / low.mean(), not correlated)


def lines(brightness):
    plane = np.zeros((96, 96))
    plane[::16] = 1
    plane = gaussian_filter(plane, (1.5, 0))
    return (BACKGROUND + brightness * plane / plane.max()).astype(np.float32)


def test_the_limit_is_twice_the_noise_of_the_background():
    assert faintest(noise(), lines(20.0)) == pytest.approx(6.0, rel=0.05)


def test_of_a_bright_image_there_is_nothing_to_say():
    assert faintest(noise(), lines(500.0)) == 0
    assert faint_said(0.0) == []


def test_correlated_noise_hides_more():
    assert faintest(noise(correlated=True), lines(20.0)) > 1.5 * faintest(noise(), lines(20.0))


def test_the_notes_name_the_limit_of_the_worst_plane_once():
    findings = Findings()
    draws = np.random.default_rng(0)
    for brightness in (20.0, 25.0):
        clean = lines(brightness)
        findings.add(noise(), clean + 3 * draws.normal(size=clean.shape), clean, 0)
    said = [s for s in findings.notes() if "lost contrast" in s]
    assert len(said) == 1
    assert "less than about 6" in said[0]
    assert findings.report().metrics["faintest"] == pytest.approx(6.0, rel=0.1)
