"""A model says when the image has another noise than the one that it has learnt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from zsfiji.images.axes import as_image
from zsfiji.learning.models import Fitted, Model
from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.services.noise_check import NoiseCheck

ROW, COL = np.indices((128, 128))
LIGHT = 30 * (1.2 + np.sin(ROW / 9) * np.sin(COL / 7))


def captured(gain: float, title: str = "") -> xr.DataArray:
    """A capture with so many grey levels a photon, of the same brightness."""
    draws = np.random.default_rng(0)
    image = as_image((gain * draws.poisson(LIGHT / gain)).astype(np.float32))
    return image.assign_attrs(title=title)


def said(learnt: xr.DataArray, image: xr.DataArray) -> list[str]:
    model: Model = Model("toy", None, Fitted.of(learnt), (), stored=True)
    return NoiseCheck(model, image)(calibrate([learnt.data]), image.data, 0)


@pytest.mark.parametrize("gain", [0.25, 0.5, 2, 4])
def test_other_noise_is_said_with_its_factor(gain: float) -> None:
    (sentence,) = said(captured(1), captured(gain))
    factor = float(sentence.split("times")[0].split()[-1])
    assert factor == pytest.approx(gain, rel=0.2)


def test_the_same_noise_is_not_said() -> None:
    assert said(captured(1), captured(1.2)) == []
    assert said(captured(1, "a"), captured(1, "a")) == []


def test_a_model_that_was_never_in_a_file_is_that_of_the_image() -> None:
    """Its noise may have been given, or be that of several images."""
    model: Model = Model("toy", None, Fitted.of(captured(1)), ())
    assert NoiseCheck(model, captured(4))(calibrate([captured(1).data]), captured(4).data, 0) == []


def test_correlated_noise_and_none_are_not_compared() -> None:
    smooth = as_image(LIGHT.astype(np.float32))
    assert said(captured(1), smooth) == []
    assert said(smooth, captured(1)) == []


def test_each_channel_is_looked_at_once() -> None:
    model: Model = Model("toy", None, Fitted.of(captured(1)), (), stored=True)
    check = NoiseCheck(model, captured(4))
    noise = calibrate([captured(1).data])
    assert [len(check(noise, captured(4).data, channel)) for channel in (0, 1, 0)] == [1, 1, 0]
    stack = np.stack([captured(1).data, captured(4).data, captured(1).data])
    assert len(check(noise, stack, 2)) == 1
