"""The command that measures the noise of a camera."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import zsfiji
from zsfiji import progress
from zsfiji.commands import find
from zsfiji.commands.run import run
from zsfiji.errors import Cancelled, UserError
from zsfiji.images.axes import as_image

COMMAND = find("noise_calibration")
GAIN, BLACK, READ = 2.5, 100.0, 4.0


def exposed(seed=0, light=60.0, size=256):
    """Smooth structure seen by a camera of known gain, background and read noise."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.random((size, size)), 12, mode="wrap")
    field = light * (field - field.min()) / np.ptp(field)
    noise = rng.normal(0, READ, field.shape)
    return (GAIN * rng.poisson(field) + BLACK + noise).astype(np.float32)


def test_the_camera_is_found_in_the_image_itself():
    found = zsfiji.noise_calibration(exposed())
    assert found["gain"] == pytest.approx(GAIN, rel=0.1)
    assert found["white"] == 1


def test_the_plotted_line_goes_through_the_plotted_points():
    outcome = run(COMMAND, as_image(exposed()), {})
    (plot,) = outcome.plots
    measured, fitted = plot.curves
    assert measured.points
    assert measured.x == fitted.x
    ratio = np.array(measured.y) / np.array(fitted.y)
    assert np.median(np.abs(ratio - 1)) < 0.15
    # The slope of a photon transfer curve is the gain.
    assert np.polyfit(measured.x, measured.y, 1)[0] == pytest.approx(GAIN, rel=0.25)


def test_a_dark_frame_tells_background_and_read_noise():
    dark = np.random.default_rng(5).normal(BLACK, READ, (64, 64)).astype(np.float32)
    found = zsfiji.noise_calibration(exposed(), dark=dark)
    assert found["background"] == pytest.approx(BLACK, abs=0.3)
    assert found["read_variance"] == pytest.approx(READ**2, rel=0.1)


def test_each_channel_has_numbers_of_its_own():
    planes = np.stack([exposed(0), 3 * exposed(1)], axis=-1)
    outcome = run(COMMAND, as_image(planes, ("row", "col", "ch")), {})
    assert outcome.metrics["gain_ch2"] == pytest.approx(3 * outcome.metrics["gain"], rel=0.2)
    assert outcome.notes[1].startswith("Channel 2: gain")
    assert len(outcome.plots[0].curves) == 4


def test_an_image_without_noise_gets_a_word_and_no_plot():
    smooth = np.add.outer(np.arange(64.0), np.arange(64.0))
    outcome = run(COMMAND, as_image(smooth), {})
    assert "No noise was found" in outcome.notes[0]
    assert outcome.plots == ()


def test_saturated_pixels_are_said():
    outcome = run(COMMAND, as_image(np.minimum(exposed(), 180)), {})
    assert "pixels are saturated" in outcome.notes[0]


def test_an_empty_image_is_refused():
    with pytest.raises(UserError):
        zsfiji.noise_calibration(np.zeros((64, 64)))


class Stop:
    """A host whose user cancels at the second report, or while nothing is reported."""

    def __init__(self):
        self.seen = []

    def show(self, event):
        self.seen.append(event.message)

    def cancelled(self):
        return bool(self.seen)

    def finish_now(self):
        return False


def test_it_can_be_cancelled_while_it_measures():
    host = Stop()
    with progress.using(host), pytest.raises(Cancelled):
        run(COMMAND, as_image(exposed()), {})
    assert host.seen == ["Measuring the noise"]


def test_what_an_image_does_not_tell_is_not_reported():
    outcome = run(COMMAND, as_image(exposed()), {})
    found = outcome.metrics
    assert "background" not in found
    assert "read_variance" not in found
    assert found["background_least"] <= BLACK <= found["background_most"] + 1
    assert found["read_variance_most"] > READ**2
    assert "only a dark frame tells the two apart" in outcome.notes[0]


def test_an_uncertain_measurement_says_so():
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(200, 200)), 0.8)
    image = np.rint(1000 + 60 * texture / texture.std())
    outcome = run(COMMAND, as_image(image.astype(np.float32)), {})
    assert outcome.metrics["confidence"] < 0.5
    assert "do not trust the numbers" in outcome.notes[0]
