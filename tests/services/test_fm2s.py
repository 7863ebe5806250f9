"""FM2S as a service: any image in, the same image restored out."""

import threading

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from zsfiji import progress
from zsfiji.errors import Cancelled, UserError
from zsfiji.images.axes import as_image
from zsfiji.learning import models
from zsfiji.quality.metrics import psnr
from zsfiji.services.fm2s import fitted, recipes, restorers
from zsfiji.services.fm2s.service import METHOD
from zsfiji.services.fm2s.settings import Settings


def specimen(shape=(96, 96), seed=0):
    """A truth of 20 to some hundred photons, and a noisy capture of it."""
    random = np.random.default_rng(seed)
    blobs = gaussian_filter(random.normal(size=shape), 3)
    truth = 60 * np.clip(blobs / blobs.std(), 0, None) + 15
    return truth.astype(np.float32), random.poisson(truth).astype(np.float32)


def image(pixels, *dims):
    return as_image(pixels, dims or None)


@pytest.fixture
def fast(monkeypatch):
    """So little training that only what stands around it is tested."""
    recipe = recipes.Recipe(draws=2, patch=32)
    monkeypatch.setattr(recipes, "RECIPES", dict.fromkeys(recipes.RECIPES, recipe))
    monkeypatch.setattr(fitted, "STEPS", dict.fromkeys(fitted.STEPS, 8))
    monkeypatch.setattr(fitted, "PIXELS", dict.fromkeys(fitted.PIXELS, 2**14))


def trained(noisy, device="cpu", **settings):
    return METHOD.fit(noisy, Settings(**settings), None, device=device)


def both(noisy, **settings):
    return METHOD.apply(trained(noisy, **settings), noisy, device="cpu")


@pytest.mark.parametrize("modality", ["auto", "confocal"])
def test_an_image_is_denoised(modality):
    truth, noisy = specimen((128, 128))
    restored = both(image(noisy), modality=modality, quality="quick").image
    scores = [psnr(truth, pixels, data_range=255) for pixels in (noisy, restored.data)]
    assert restored.dtype == np.float32
    assert scores[1] > scores[0] + (6 if modality == "auto" else 3)


def test_photon_noise_that_is_added_is_the_noise_that_was_measured():
    stabiliser = restorers.Stabiliser(gain=4.0, intercept=-60.0)
    mean = torch.full((300, 300), 50.0)
    clean = stabiliser.root(mean)
    source = torch.Generator().manual_seed(0)
    noisy = stabiliser.inverse(fitted.add_noise(clean, stabiliser, source).numpy())
    stabilised = fitted.add_noise(clean, stabiliser, source)
    assert stabilised.std().item() == pytest.approx(1, rel=0.03)
    assert noisy.std() == pytest.approx((4 * 50 - 60) ** 0.5, rel=0.05)


def test_noise_that_does_not_depend_on_brightness_is_gaussian():
    stabiliser = restorers.Stabiliser(gain=0.0, intercept=9.0)
    source = torch.Generator().manual_seed(0)
    drawn = fitted.add_noise(torch.zeros(300, 300), stabiliser, source)
    assert drawn.std().item() == pytest.approx(1, rel=0.02)
    assert drawn.mean().item() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("modality", ["auto", "confocal"])
@pytest.mark.usefixtures("fast")
def test_a_saved_model_gives_the_same_pixels(modality, tmp_path):
    noisy = image(specimen()[1])
    model = trained(noisy, modality=modality)
    path = models.save(model, tmp_path / "m.zsfiji")
    again = models.load(path, METHOD)
    first, second = (METHOD.apply(m, noisy, device="cpu").image for m in (model, again))
    np.testing.assert_array_equal(first.data, second.data)


@pytest.mark.parametrize("modality", ["auto", "twophoton"])
@pytest.mark.usefixtures("fast")
def test_the_seed_of_the_call_decides_the_pixels(modality):
    noisy = image(specimen()[1])
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(results))  # the global seed has no say
        results.append(both(noisy, modality=modality, seed=seed).image.data)
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize("modality", ["auto", "confocal"])
@pytest.mark.usefixtures("fast")
def test_bit_depth_and_negative_values_make_no_difference(modality):
    noisy = specimen()[1]
    plain = both(image(noisy), modality=modality).image.data
    deep = both(image((noisy * 100 + 1000).astype(np.uint16)), modality=modality).image.data
    below = both(image(noisy - 50), modality=modality).image.data
    assert deep.max() > 255
    assert below.min() < 0
    np.testing.assert_allclose((deep - 1000) / 100, plain, atol=0.6)
    np.testing.assert_allclose(below + 50, plain, atol=0.6)


@pytest.mark.usefixtures("fast")
def test_eight_bit_images_have_the_full_scale_of_the_authors():
    noisy = image(specimen()[1].astype(np.uint8))
    stored = trained(noisy, modality="confocal").units[0].record
    assert (stored.low, stored.scale) == (0, 255)


@pytest.mark.usefixtures("fast")
def test_the_result_is_not_rounded_down():
    noisy = image(specimen()[1].astype(np.uint8))
    pixels = both(noisy, modality="confocal").image.data
    assert np.mean(pixels != np.floor(pixels)) > 0.9


@pytest.mark.parametrize(("fit_per", "models"), [("channel", 2), ("plane", 12)])
@pytest.mark.usefixtures("fast")
def test_hyperstacks_have_one_model_a_channel_or_one_a_plane(fit_per, models):
    stack = np.stack([specimen((40, 48), seed)[1] for seed in range(12)])
    stack = stack.reshape(2, 3, 2, 40, 48).transpose(0, 1, 3, 4, 2)
    hyperstack = image(stack, "t", "pln", "row", "col", "ch")
    model = trained(hyperstack, modality="confocal", fit_per=fit_per)
    assert len(model.units) == models
    restored = METHOD.apply(model, hyperstack, device="cpu")
    assert restored.image.dims == hyperstack.dims
    assert restored.image.shape == hyperstack.shape
    # Each plane is restored from its own pixels, with the model of its channel.
    for t, pln, ch in [(0, 0, 0), (1, 2, 1)]:
        noisy, clean = (i.data[t, pln, :, :, ch] for i in (hyperstack, restored.image))
        assert np.corrcoef(noisy.ravel(), clean.ravel())[0, 1] > 0.5


@pytest.mark.usefixtures("fast")
def test_a_model_serves_further_images_of_its_kind_but_no_others():
    model = trained(image(specimen()[1]))
    further = METHOD.apply(model, image(specimen((50, 70), seed=3)[1]), device="cpu")
    assert further.image.shape == (50, 70)
    colours = image(np.stack([specimen()[1]] * 3, -1), "row", "col", "ch")
    with pytest.raises(UserError, match="fitted to 1 channel and the image has 3"):
        METHOD.apply(model, colours, device="cpu")


@pytest.mark.parametrize(
    ("modality", "shape"),
    [("auto", (2, 2)), ("auto", (3, 70)), ("auto", (33, 34)), ("widefield", (16, 70))],
)
@pytest.mark.usefixtures("fast")
def test_small_images_are_restored_too(modality, shape):
    restored = both(image(specimen(shape)[1]), modality=modality)
    assert restored.image.shape == shape
    assert np.isfinite(restored.image.data).all()
    if modality == "auto" and min(shape) < restorers.SMALLEST:
        assert any("too small" in note or "No noise" in note for note in restored.report.notes)


def test_the_published_training_refuses_images_that_are_too_small_for_it():
    with pytest.raises(UserError, match="at least 16 x 16: choose a larger region, or modality"):
        trained(image(specimen((15, 70))[1]), modality="widefield")


@pytest.mark.usefixtures("fast")
def test_an_image_without_noise_is_not_said_to_be_unchanged_when_it_was_changed():
    clean = gaussian_filter(specimen()[0], 3)
    said = {m: " ".join(both(image(clean), modality=m).report.notes) for m in ("auto", "confocal")}
    assert "No noise was found: the image is returned unchanged" in said["auto"]
    assert "No noise was found, so what the method has changed is structure" in said["confocal"]


def test_a_black_surround_stays_black():
    truth = specimen((96, 128))[0]
    truth[:, :64] = 0
    noisy = np.random.default_rng(0).poisson(truth).astype(np.float32)
    restored = both(image(noisy), modality="auto", quality="quick").image.data
    assert np.abs(restored[:, :48]).max() < 0.5
    assert restored[:, 72:].mean() == pytest.approx(noisy[:, 72:].mean(), rel=0.03)


@pytest.mark.usefixtures("fast")
def test_big_planes_are_restored_tile_by_tile_without_seams(monkeypatch):
    noisy = image(specimen((150, 170))[1])
    for modality in ("auto", "confocal"):
        model = trained(noisy, modality=modality)
        whole = METHOD.apply(model, noisy, device="cpu").image.data
        with monkeypatch.context() as patch:
            patch.setattr(restorers, "_TILE", 64)
            tiles = METHOD.apply(model, noisy, device="cpu").image.data
        np.testing.assert_allclose(tiles, whole, atol=1e-2)


@pytest.mark.usefixtures("fast")
def test_notes_tell_the_constants_the_noise_and_what_was_not_right():
    noisy = specimen()[1]
    said = both(image(noisy), modality="confocal").report.notes
    assert any("k_g 200, k_p 30, lambda_p 70" in note for note in said)
    assert any(note.startswith("Noise: standard deviation") for note in said)
    restored = both(image(noisy), modality="auto")
    assert 0.5 < restored.report.metrics["residual_variance"] < 1.5
    assert restored.report.metrics["noise_gain"] == pytest.approx(1, rel=0.5)
    bright = image(np.minimum(noisy, np.quantile(noisy, 0.97)))
    assert any("saturated" in note for note in both(bright, modality="auto").report.notes)


@pytest.mark.usefixtures("fast")
def test_averages_choose_their_constants():
    noisy = image(specimen()[1])
    assert any("k_g 5," in n for n in both(noisy, modality="confocal", average=16).report.notes)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"modality": "confokal"}, "base, confocal, twophoton, widefield, auto"),
        ({"quality": "good"}, "quick, standard, best"),
        ({"fit_per": "slice"}, "one of channel, plane"),
        ({"modality": "base", "average": 2}, "only for 1"),
        ({"modality": "confocal", "average": 3}, "1, 2, 4, 8, 16"),
        ({"device": "gpu"}, "auto, cpu, cuda, mps"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_choices(settings, text):
    with pytest.raises(UserError, match=text):
        trained(image(specimen()[1]), **settings)


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        (np.zeros((0, 5)), "empty"),
        (np.full((40, 40), 7.0), "same value"),
        (np.ones((1, 1)), "1 x 1"),
        (np.arange(40.0).reshape(40, 1), "1 x 40"),
        (np.where(np.eye(40) > 0, np.nan, 1.0), "40 of the 1600 pixels are NaN"),
        (np.where(np.eye(40) > 0, np.inf, 1.0), "NaN or infinite"),
    ],
)
def test_an_image_that_does_not_serve_is_refused_with_help(pixels, text):
    with pytest.raises(UserError, match=text):
        trained(image(pixels))


@pytest.mark.usefixtures("fast")
def test_a_damaged_model_is_refused():
    model = trained(image(specimen()[1]))
    (unit,) = model.units
    short = {name: value[:1] for name, value in unit.tensors().items()}
    with pytest.raises(UserError, match="damaged"):
        METHOD.unit(unit.record, short)


class Host:
    """A host that asks to stop once the training has reported."""

    def __init__(self, cancel=False, finish=False):
        self.asked = threading.Event()
        self.cancel, self.finish, self.previews = cancel, finish, []

    def show(self, event):
        if event.preview is not None:
            self.previews.append(event.preview())
            self.asked.set()

    def cancelled(self):
        return self.cancel and self.asked.is_set()

    def finish_now(self):
        return self.finish and self.asked.is_set()


@pytest.mark.parametrize("modality", ["auto", "confocal"])
def test_finish_now_keeps_the_result_so_far_and_previews_show_it(modality):
    host = Host(finish=True)
    noisy = image(specimen()[1])
    with progress.using(host):
        restored = both(noisy, modality=modality, quality="best").image
    assert restored.shape == noisy.shape
    assert host.previews[0].shape == noisy.shape
    assert len(host.previews) < 5


def test_cancel_keeps_nothing():
    with progress.using(Host(cancel=True)), pytest.raises(Cancelled):
        trained(image(specimen()[1]), quality="best")


@pytest.mark.usefixtures("fast")
def test_a_colour_image_is_restored_channel_by_channel():
    dims = ("row", "col", "ch")
    colours = xr.DataArray(np.stack([specimen(seed=s)[1] for s in range(2)], -1), dims=dims)
    alone = colours.isel(ch=slice(1, 2))
    together = both(colours, seed=3).image.isel(ch=1)
    np.testing.assert_array_equal(together, both(alone, seed=3).image.isel(ch=0))
