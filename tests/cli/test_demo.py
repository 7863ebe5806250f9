"""The demo: the bundled image in ImageJ, the simulated one in figures."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
from PIL import Image

from zsfiji.cli import demo
from zsfiji.errors import UserError
from zsfiji.images import tiff
from zsfiji.physics.camera.exposure import expose
from zsfiji.physics.specimens import cell


def test_the_bundled_image_is_small_and_its_licence_stands_beside_it():
    folder = resources.files("zsfiji.samples")
    assert len((folder / demo.SAMPLE).read_bytes()) < 600_000
    licence = (folder / "LICENSES.md").read_text()
    assert demo.SAMPLE in licence
    assert "Redistribution and use in source and binary forms" in licence
    with resources.as_file(folder / demo.SAMPLE) as path:
        image = tiff.read(path)
    assert image.dtype == np.uint16
    assert image.attrs["units"] == {"row": "micron", "col": "micron"}


@pytest.mark.jvm
@pytest.mark.slow
def test_the_real_image_is_denoised_in_imagej_saved_and_pictured(ij, closing, tmp_path, capsys):
    demo.show_real(ij, tmp_path, "quick")
    noisy = Image.open(tmp_path / demo.PICTURE)
    assert noisy.size[0] > 2 * noisy.size[1] - 1
    result = tiff.read(tmp_path / demo.RESULT)
    assert result.dtype == np.float32
    assert result.attrs["units"]["col"] == "micron"
    assert "quality=quick" in result.attrs["properties"]["zsfiji.command"]
    with resources.as_file(resources.files("zsfiji.samples") / demo.SAMPLE) as path:
        before = tiff.read(path)
    assert 0.9 < float(result.mean()) / float(before.mean()) < 1.1
    # The noise is what neighbouring pixels do not share.
    assert rough(result.data) < 0.7 * rough(before.data.astype(np.float32))
    out = capsys.readouterr().out
    assert 'run("Zero-Shot Denoise...", "quality=quick seed=0");' in out
    assert "256 x 256 pixels" in out


def rough(plane):
    return float(np.median(np.abs(plane[:, 1:] - plane[:, :-1])))


@pytest.mark.slow
def test_the_simulated_image_gains_more_than_from_the_classics():
    names, psnr, ssim = zip(*demo.measure_simulated("quick"), strict=True)
    assert [name.split()[0] for name in names] == ["noisy", "Gaussian,", "ND-SAFIR", "Zero-Shot"]
    assert psnr[-1] > max(psnr[:-1])
    assert ssim[-1] > max(ssim[:-1])


def test_a_folder_that_cannot_be_written_is_refused_before_imagej_starts(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        demo.demo(folder=tmp_path / "nowhere")


def test_pictures_share_the_brightness_of_the_first(tmp_path):
    plane = np.linspace(0, 1000, 400).reshape(20, 20)
    demo.save_picture([plane, plane / 2], tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png"))
    left, right = pixels[:, :40], pixels[:, -40:]
    assert left.max() == 255
    assert abs(int(right.max()) - 127) < 4


def test_the_camera_has_the_mean_and_the_variance_that_it_says():
    bright = np.full((200, 200), 0.5, np.float32)
    noisy, truth = expose(bright, photons=40, gain=2.0, offset=100.0, read_noise=1.5, seed=3)
    np.testing.assert_allclose(truth, 140)
    assert abs(noisy.mean() - 140) < 0.2
    # Rounding to whole grey levels adds 1/12.
    assert abs(noisy.var() / (4 * (20 + 1.5**2) + 1 / 12) - 1) < 0.03
    np.testing.assert_array_equal(noisy, expose(bright, photons=40, read_noise=1.5, seed=3)[0])


def test_the_simulated_cell_has_the_range_that_it_says():
    image = cell(96, seed=2)
    assert image.shape == (96, 96)
    assert 0.0 < image.min() < 0.1
    assert image.max() == 1
