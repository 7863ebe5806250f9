"""Results of a deconvolution have the mean of the image, or the notes say that they have not."""

import re

import numpy as np
import pytest
from deconvolving import BLACK, apply, calibrated, fit, gaussian_psf, lines, white_noise

from zsfiji.deconvolution import brightness
from zsfiji.deconvolution.brightness import Brightness, keep_mean
from zsfiji.physics.camera.model import Camera, KnownCamera
from zsfiji.services.deconvolve.kinds import FastPlanes

CAMERA = Camera(white_noise(), BLACK)


@pytest.fixture(scope="module")
def scene():
    return calibrated(lines(size=64)[1])


@pytest.fixture(scope="module")
def model(scene):
    return fit(scene, gaussian_psf(), steps=5, camera=KnownCamera(dark_level=BLACK))


def too_bright(by):
    """A restorer that gives so many times the light."""

    class TooBright(FastPlanes):
        def restore_piece(self, piece, positions, label):
            found = super().restore_piece(piece, positions, label)
            denoised, sharp = ((x - BLACK) * by + BLACK for x in found[:2])
            return found._replace(denoised=denoised, sharp=sharp)

    return [TooBright]


@pytest.mark.parametrize("by", [0.3, 0.7, 1.0, 1.4, 8.0])
def test_the_mean_is_kept_and_it_is_said_where_it_was_far_off(scene, model, by):
    both = apply(model, scene, restorers=too_bright(by))
    light = float(scene.data.mean()) - BLACK
    for result in both.images.values():
        assert float(result.data.mean()) - BLACK == pytest.approx(light, rel=0.01)
    said = [note for note in both.report.notes if "before it was scaled" in note]
    if by == 1:
        assert not said
    else:
        told = float(re.search(r"had ([\d.]+) times the light", said[0])[1])
        assert told == pytest.approx(by, rel=0.05)


def test_what_cannot_be_scaled_is_said(scene, model):
    both = apply(model, scene, restorers=too_bright(0.05))
    assert any("does not have the mean of the image" in note for note in both.report.notes)


class Capped(FastPlanes):
    """A restorer whose denoised image has no structure that is brighter than usual."""

    def restore_piece(self, piece, positions, label):
        return (
            super()
            .restore_piece(piece, positions, label)
            ._replace(denoised=piece.clamp(max=piece.median()))
        )


def test_the_mean_is_kept_where_structure_is_put_back(scene, model):
    both = apply(model, scene, restorers=[Capped])
    assert both.report.metrics["spared"] > 0.1
    light = float(scene.data.mean()) - BLACK
    for result in both.images.values():
        assert float(result.data.mean()) - BLACK == pytest.approx(light, rel=1e-3)


def test_an_image_as_dark_as_no_light_gives_no_scale_and_no_words():
    dark, result = np.full((8, 8), BLACK - 0.05), np.full((8, 8), BLACK + 0.05)
    assert keep_mean([result], result, dark, CAMERA) == Brightness(1.0, True, False)
    np.testing.assert_array_equal(result, BLACK + 0.05)
    # Far below it, something is wrong.
    assert keep_mean([result], result, dark - 20, CAMERA) == Brightness(1.0, False, True)


def test_planes_are_counted():
    fine, dim = Brightness(1.0, True, False), Brightness(2.0, True, True)
    lost = Brightness(1.0, False, True)
    assert brightness.notes([fine, fine], "denoised image", 2) == []
    (text,) = brightness.notes([fine, dim, dim], "denoised image", 4)
    assert "had 0.5 times the light of the image in 2 of 4 planes" in text
    (text,) = brightness.notes([lost], "denoised image", 1)
    assert "denoised image does not have the mean of the image:" in text
