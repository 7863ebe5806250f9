"""Zero-Shot Deconvolve...: training, saving and applying models, what it is given."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import xarray as xr

import zsfiji
from zsfiji.commands import find
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.learning import models
from zsfiji.physics.optics import kernel
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.services.deconvolve.service import METHOD

COMMAND = find("deconvolve")
OPTICS = from_optics(Optics("wide-field", 1.2, 600), (0.1, 0.1))


def cells(seed=0, size=(72, 64), calibrated=True):
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    light = ndimage.gaussian_filter((rng.random(size) > 0.98) * 2000.0, 1.5) + 5
    image = as_image((2 * rng.poisson(light) + 100).astype(np.uint16), attrs={"title": "cells.tif"})
    if not calibrated:
        return image
    coords = {d: np.arange(n) * 0.1 for d, n in zip(("row", "col"), size, strict=True)}
    return image.assign_coords(coords).assign_attrs(units={"row": "micron", "col": "micron"})


@pytest.fixture(scope="module")
def psf_image():
    return kernel.as_image(OPTICS, "PSF")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, psf_image):
    path = tmp_path_factory.mktemp("model") / "cells"
    options = {"psf": psf_image, "save_model": str(path), "steps": "20", "seed": "4"}
    return run(COMMAND, cells(), options), path.with_suffix(".zsfiji")


def test_it_gives_two_images_named_after_the_image_the_deconvolved_one_last(trained):
    outcome, path = trained
    smooth, sharp = outcome.images
    assert (smooth.attrs["title"], sharp.attrs["title"]) == ("cells-denoised", "cells-deconvolved")
    assert smooth.shape == (72, 64)
    assert sharp.shape == (144, 128)
    assert float(sharp.col[1] - sharp.col[0]) == pytest.approx(0.05)
    assert models.load(path, METHOD).settings.steps == 20
    assert outcome.notes[-1] == f"The model is saved as {path}."
    assert sum(note.startswith("Noise: standard deviation") for note in outcome.notes) == 1
    assert any("Its optics are known" in note for note in outcome.notes)


def test_a_saved_model_is_applied_without_a_psf_and_gives_the_same_pixels(trained):
    outcome, path = trained
    again = run(COMMAND, cells(), {"apply_model": str(path)})
    for one, other in zip(again.images, outcome.images, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    properties = again.images[1].attrs["properties"]
    assert properties["zsfiji.seed"] == "4"
    line = properties["zsfiji.command"]
    assert line.startswith('run("Zero-Shot Deconvolve...", "quality=quick ')
    assert line.endswith(f'apply_model={path.as_posix()}");')


def test_without_a_model_the_psf_is_needed():
    with pytest.raises(UserError, match=r"PSF: give the title .* needed without apply_model"):
        run(COMMAND, cells(), {"steps": 1})


def test_one_of_the_two_results_and_the_type_of_the_input_can_be_asked_for(trained):
    options = {"apply_model": str(trained[1]), "results": "denoised", "bit_depth": "input"}
    (image,) = run(COMMAND, cells(), options).images
    assert image.attrs["title"] == "cells-denoised"
    assert image.dtype == np.uint16


def test_what_was_warned_of_stands_in_the_notes_of_the_result(psf_image):
    stack = cells().expand_dims(pln=6).assign_coords(pln=np.arange(6) * 0.2)
    options = {"psf": psf_image, "steps": "2", "results": "denoised"}
    outcome = run(COMMAND, stack, options)
    said = "Deconvolving slice by slice, because the PSF is a single slice."
    assert outcome.notes[0] == said
    assert said in outcome.images[0].attrs["properties"]["zsfiji.notes"]
    assert not logging.getLogger("zsfiji").handlers


def test_a_psf_is_found_by_title_by_path_and_as_an_array(tmp_path, psf_image):
    path = tmp_path / "psf.npy"
    np.save(path, OPTICS.values)

    # A file of numbers does not know that they were calculated, so the window must not either.
    plain = psf_image.copy()
    plain.attrs = {k: v for k, v in psf_image.attrs.items() if k != "properties"}

    def windows(title):
        return plain if title == "My PSF" else None

    base = {"steps": "2", "results": "denoised"}
    named = run(COMMAND, cells(), {**base, "psf": "My PSF"}, windows).images[0]
    read = run(COMMAND, cells(), {**base, "psf": str(path), "psf_pixel": "100"}).images[0]
    given = zsfiji.deconvolve(
        cells(), steps=2, results="denoised", psf=OPTICS.values, psf_pixel=100
    )
    # Of the window the values are 32 bit.
    np.testing.assert_allclose(named.data, read.data, rtol=1e-3)
    np.testing.assert_allclose(read.data, given.data, rtol=1e-3)
    assert "psf=[My PSF]" in named.attrs["properties"]["zsfiji.command"]


def test_training_goes_on_from_a_saved_model(trained, psf_image, tmp_path):
    more = tmp_path / "more.zsfiji"
    options = {"psf": psf_image, "save_model": more, "steps": 5, "start_model": trained[1]}
    run(COMMAND, cells(), options)
    record = models.load(more, METHOD).units[0].record
    assert record.steps == 25
    steps = [s for s, _ in record.losses]
    assert steps == sorted(steps)
    assert steps[-1] == 25


def test_the_pixel_size_can_be_given_where_the_image_has_none(trained):
    plain = cells(calibrated=False)
    with pytest.raises(UserError, match="no unit of length"):
        run(COMMAND, plain, {"apply_model": str(trained[1])})
    found = run(COMMAND, plain, {"apply_model": str(trained[1]), "pixel_size": "100"})
    known = run(COMMAND, cells(), {"apply_model": str(trained[1])})
    np.testing.assert_array_equal(found.images[1].data, known.images[1].data)


def _missing(_):
    return {"psf": "nowhere.tif"}


def _with_channels(_):
    three = np.stack([OPTICS.values] * 3, axis=-1)
    return {"psf": xr.DataArray(three, dims=("row", "col", "ch")), "psf_pixel": 100}


def _empty(_):
    return {"psf": np.zeros((9, 9)), "psf_pixel": 100}


def _uncalibrated(_):
    return {"psf": OPTICS.values}


def _stack_without_spacing(_):
    return {"psf": np.ones((5, 9, 9)), "psf_pixel": 100}


def _huge_background(psf):
    return {"psf": psf, "background": 1e6}


def _read_noise_alone(psf):
    return {"psf": psf, "read_variance": 4}


def _not_a_model(psf):
    return {"psf": psf, "start_model": __file__}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (_missing, 'PSF: there is no file "nowhere.tif"'),
        (_with_channels, "3 PSFs for 1 channel:"),
        (_empty, "all its values are zero"),
        (_uncalibrated, "no unit of length"),
        (_stack_without_spacing, "slice spacing"),
        (_huge_background, "not less than the brightest pixel"),
        (_read_noise_alone, "needs the background"),
        (_not_a_model, "test_deconvolve_commands.py"),
    ],
)
def test_what_cannot_serve_is_refused_in_words_before_the_training(options, words, psf_image):
    with pytest.raises(UserError, match=words):
        run(COMMAND, cells(), {"steps": 100_000, **options(psf_image)})


def test_a_place_that_cannot_be_written_is_refused_before_the_training(psf_image, tmp_path):
    options = {"psf": psf_image, "save_model": tmp_path / "no" / "a.zsfiji", "steps": 100_000}
    with pytest.raises(UserError, match="no"):
        run(COMMAND, cells(), options)


def test_further_images_of_a_folder_are_learnt_from_too(psf_image, tmp_path):
    from zsfiji.images import tiff

    for number, size in enumerate(((72, 64), (64, 80)), 1):
        tiff.write(cells(number, size), tmp_path / f"{number}.tif")
    (tmp_path / "notes.txt").write_text("no image")
    base = {"psf": psf_image, "steps": 3}
    options = {**base, "save_model": tmp_path / "m", "more_images": tmp_path}
    run(COMMAND, cells(), options)
    model = models.load(tmp_path / "m.zsfiji", METHOD)
    assert model.fitted_to.shape == (3, 64, 64)
    run(COMMAND, cells(), {**base, "save_model": tmp_path / "alone"})
    alone = models.load(tmp_path / "alone.zsfiji", METHOD)
    assert models.digest(alone) != models.digest(model)


def test_further_images_of_another_kind_are_refused(psf_image, tmp_path):
    from zsfiji.images import tiff

    (tmp_path / "empty").mkdir()
    (tmp_path / "coarse").mkdir()
    (tmp_path / "deep").mkdir()
    other = cells(1).assign_coords(col=np.arange(64) * 0.2)
    tiff.write(other, tmp_path / "coarse" / "other.tif")
    stack = xr.concat([cells(1), cells(2)], "pln").transpose("pln", "row", "col")
    tiff.write(stack, tmp_path / "deep" / "other.tif")
    for name, words in (
        ("empty", "no further image"),
        ("coarse", "pixels of another size"),
        ("deep", "2 slices, and the first image 1"),
        ("nowhere", "no folder"),
    ):
        options = {"psf": psf_image, "save_model": tmp_path / "m", "steps": 100_000}
        with pytest.raises(UserError, match=words):
            run(COMMAND, cells(), {**options, "more_images": tmp_path / name})


def test_an_rgb_image_with_light_in_one_colour_is_restored_in_that_colour(psf_image, tmp_path):
    green = np.zeros((72, 64, 3), np.uint8)
    green[..., 1] = np.clip(cells().data - 80, 0, 250)
    image = cells().expand_dims(ch=3, axis=-1).copy(data=green).assign_attrs(rgb=True)
    path = tmp_path / "green.zsfiji"
    options = {"psf": psf_image, "steps": 10, "save_model": path}
    outcome = run(COMMAND, image, options)
    smooth, sharp = outcome.images
    assert smooth.shape == (72, 64, 3)
    assert sharp.shape == (144, 128, 3)
    assert sharp.dtype == np.uint8
    assert sharp.attrs["rgb"]
    assert not sharp.data[..., [0, 2]].any()
    alone = run(COMMAND, image.isel(ch=1, drop=True), {"apply_model": path, "bit_depth": "input"})
    np.testing.assert_array_equal(alone.images[1].data, sharp.data[..., 1])
    assert any("in green only" in note for note in outcome.notes)
    again = run(COMMAND, image, {"apply_model": path}).images[1]
    np.testing.assert_array_equal(again.data, sharp.data)


def test_a_grey_rgb_image_is_restored_as_one_channel_and_stays_grey(trained):
    grey = np.clip(cells().data - 80, 0, 250).astype(np.uint8)
    image = cells().expand_dims(ch=3, axis=-1).copy(data=np.stack([grey] * 3, -1))
    outcome = run(COMMAND, image.assign_attrs(rgb=True), {"apply_model": trained[1]})
    assert outcome.images[1].shape == (144, 128, 3)
    assert (outcome.images[1].data == outcome.images[1].data[..., :1]).all()
    assert any("grey" in note for note in outcome.notes)
