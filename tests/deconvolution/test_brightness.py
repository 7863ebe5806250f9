"""The results of ZS-DeconvNet have the mean of the image, or the notes say that they have not."""

import re

import numpy as np
import pytest
from test_zs_deconvnet import BLACK, calibrated, gaussian_psf, lines, white_noise

from zsfiji.deconvolution import brightness
from zsfiji.deconvolution.brightness import Brightness, keep_mean
from zsfiji.physics.camera.model import Camera
from zsfiji.services.zs_deconvnet import service

CAMERA = Camera(white_noise(), BLACK)


@pytest.fixture(scope="module")
def scene():
    return calibrated(lines(size=64)[1])


@pytest.fixture(scope="module")
def model(scene):
    return service.fit(scene, gaussian_psf(), steps=5, background=BLACK)


def too_bright(by, monkeypatch):
    """Let the network give so many times the light."""
    restore = service.restore

    def changed(unit, noisy, label, *, symmetries, into):
        restore(unit, noisy, label, symmetries=symmetries, into=into)
        for result in (into.denoised, into.sharp):
            result[:] = (result - BLACK) * by + BLACK

    monkeypatch.setattr(service, "restore", changed)


@pytest.mark.parametrize("by", [0.3, 0.7, 1.0, 1.4, 8.0])
def test_the_mean_is_kept_and_it_is_said_where_it_was_far_off(scene, model, by, monkeypatch):
    too_bright(by, monkeypatch)
    both = service.apply(model, scene)
    light = float(scene.data.mean()) - BLACK
    for result in (both.denoised, both.deconvolved):
        assert float(result.image.data.mean()) - BLACK == pytest.approx(light, rel=0.01)
    said = [note for note in both.denoised.notes if "before it was scaled" in note]
    if by == 1:
        assert not said
    else:
        told = float(re.search(r"had ([\d.]+) times the light", said[0])[1])
        assert told == pytest.approx(by, rel=0.05)


def test_what_cannot_be_scaled_is_said(scene, model, monkeypatch):
    too_bright(0.05, monkeypatch)
    both = service.apply(model, scene)
    assert any("does not have the mean of the image" in note for note in both.denoised.notes)


def test_an_image_as_dark_as_no_light_gives_no_scale_and_no_words():
    dark, result = np.full((8, 8), BLACK - 0.05), np.full((8, 8), BLACK + 0.05)
    assert keep_mean([result], result, dark, CAMERA) == Brightness(1.0, True, False)
    np.testing.assert_array_equal(result, BLACK + 0.05)
    # Far below it, something is wrong.
    assert keep_mean([result], result, dark - 20, CAMERA) == Brightness(1.0, False, True)


def test_planes_are_counted():
    fine, dim = Brightness(1.0, True, False), Brightness(2.0, True, True)
    lost = Brightness(1.0, False, True)
    assert brightness.said([fine, fine], "denoised image", 2) == []
    (text,) = brightness.said([fine, dim, dim], "denoised image", 4)
    assert "had 0.5 times the light of the image in 2 of 4 planes" in text
    (text,) = brightness.said([lost], "denoised image", 1)
    assert "denoised image does not have the mean of the image:" in text
