"""What is said of the noise that was found."""

from dataclasses import replace

import numpy as np

from zsfiji.physics.noise import Noise
from zsfiji.quality.residual import hidden

PLANE = np.linspace(0, 1000, 64 * 64).reshape(64, 64)
NOISE = Noise(0.0, 1.0, 1.0, np.ones((8, 8)), True, confidence=0.0)


def test_uncertain_noise_that_no_camera_is_below_is_that_of_a_processed_image():
    (note,) = hidden(NOISE, PLANE)
    assert "filtered or reconstructed" in note
    assert hidden(replace(NOISE, confidence=1.0), PLANE) == []
    assert hidden(replace(NOISE, intercept=9.0), PLANE) == []
    assert hidden(NOISE, np.full((64, 64), 100.0)) == []
